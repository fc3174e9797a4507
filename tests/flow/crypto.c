/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions, bursts, several queues and devices, and who is called.
 */
#include <sys/eventfd.h>

#include "crypto_cbc.h"

#define MAX_QUEUES 80
#define QUEUE_SLOTS 4

/* Drivers of the queues, where there are several; the first one is `gc` elsewhere. */
static struct guest_crypto drivers[MAX_QUEUES];
static unsigned nr_drivers;
/* A second device on the first one's socket. */
static struct frontend neighbour;
static int neighbour_vid;
static struct guest_crypto neighbour_driver;

static void
up_queues(unsigned nr_queues)
{
	struct fe_config config = CRYPTO_CONFIG;

	config.nr_queues = nr_queues;
	crypto_app.zero_copy = RTE_VHOST_CRYPTO_ZERO_COPY_DISABLE;
	flow_up(&flow, RTE_VHOST_USER_ASYNC_COPY, &config);
	CHECK_EQ(crypto_app.create_result, 0);
	for (nr_drivers = 0; nr_drivers < nr_queues; nr_drivers++) {
		CHECK_EQ(guest_crypto_init(&drivers[nr_drivers], &flow.fe.vqs[nr_drivers], false,
					   QUEUE_SLOTS, CBC_SLOT_BYTES), 0);
		guest_ring_calls(&flow.fe.vqs[nr_drivers]);
	}
}

static void
fini_drivers(void)
{
	for (unsigned i = 0; i < nr_drivers; i++)
		guest_crypto_fini(&drivers[i]);
	nr_drivers = 0;
	if (neighbour.vqs == NULL)
		return;
	guest_crypto_fini(&neighbour_driver);
	fe_close(&neighbour);
}

static void
down_all(void)
{
	fini_drivers();
	down();
}

/* --- sessions ---------------------------------------------------------------------------- */

#define NR_SESSIONS 40

static void
many_sessions_in_a_burst(void)
{
	struct cbc sessions[NR_SESSIONS];
	uint32_t next = 0;

	cbc_up(0);
	for (uint32_t i = 0; i < NR_SESSIONS; i++)
		sessions[i] = cbc_open(&flow.fe, 100 + i);
	for (uint32_t round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 30; i++)
			cbc_post(&gc, &sessions[random_below(NR_SESSIONS)], 30 * round + i);
		CHECK_EQ(crypto_app_pump(flow.vid, 0), 30);
		CHECK_EQ(cbc_reap(&gc, &next, VIRTIO_CRYPTO_OK), 30);
	}
	down();
}

static void
closed_while_requests_are_under_way(void)
{
	struct cbc first, second;
	struct rte_crypto_op *ops[8];
	uint32_t next = 0;

	cbc_up(0);
	first = cbc_open(&flow.fe, 1);
	second = cbc_open(&flow.fe, 2);
	for (uint32_t i = 0; i < 8; i++)
		cbc_post(&gc, i % 2 == 0 ? &first : &second, i);
	CHECK_EQ(crypto_app_fetch(flow.vid, 0, ops, 8), 8);
	CHECK_EQ(guest_crypto_session_close(&flow.fe, first.id), 0);
	/* What is under way ends as it would have; what comes later is too late. */
	cbc_post(&gc, &first, 8);
	crypto_app_run(ops, 8);
	crypto_app_finalize(ops, 8);
	CHECK_EQ(cbc_reap(&gc, &next, VIRTIO_CRYPTO_OK), 8);
	CHECK_EQ(crypto_app_pump(flow.vid, 0), 0);
	CHECK_EQ(cbc_reap(&gc, &next, VIRTIO_CRYPTO_INVSESS), 1);
	cbc_exchange(&gc, flow.vid, 0, &second, 9, VIRTIO_CRYPTO_OK);
	/* Not even before it was ended, and not twice. */
	CHECK(guest_crypto_session_close(&flow.fe, first.id) != 0);
	CHECK(guest_crypto_session_close(&flow.fe, 0) != 0);
	CHECK(guest_crypto_session_close(&flow.fe, UINT64_MAX) != 0);
	down();
}

/* A session that nobody has any more is not found by its id when others have come. */
static void
ids_do_not_come_back(void)
{
	uint64_t seen[300];
	struct cbc session;

	cbc_up(0);
	for (unsigned i = 0; i < RTE_DIM(seen); i++) {
		session = cbc_open(&flow.fe, i);
		seen[i] = session.id;
		for (unsigned k = 0; k < i; k++)
			CHECK(seen[k] != session.id);
		if (i % 8 == 0) {
			cbc_exchange(&gc, flow.vid, 0, &session, i, VIRTIO_CRYPTO_OK);
			if (i > 0)
				cbc_exchange(&gc, flow.vid, 0, &(struct cbc) {seen[i - 1], 1}, i,
					     VIRTIO_CRYPTO_INVSESS);
		}
		CHECK_EQ(guest_crypto_session_close(&flow.fe, session.id), 0);
	}
	down();
}

static void
the_table_is_full(void)
{
	struct guest_crypto_session s = cbc_session(1);
	uint64_t ids[VHOST_CRYPTO_SESSION_MAP_ENTRIES];
	int64_t id = 0;

	cbc_up(0);
	for (unsigned i = 0; i < RTE_DIM(ids); i++)
		ids[i] = cbc_open(&flow.fe, 1).id;
	CHECK_EQ(guest_crypto_session_create(&flow.fe, &s, GUEST_CRYPTO_NEW_FORM, &id), 0);
	CHECK_EQ(id, -VIRTIO_CRYPTO_NOSPC);
	CHECK_EQ(guest_crypto_session_create(&flow.fe, &s, GUEST_CRYPTO_OLD_FORM, &id), 0);
	CHECK_EQ(id, -VIRTIO_CRYPTO_NOSPC);
	CHECK_EQ(guest_crypto_session_close(&flow.fe, ids[500]), 0);
	CHECK_EQ(guest_crypto_session_create(&flow.fe, &s, GUEST_CRYPTO_OLD_FORM, &id), 0);
	CHECK(id > 0);
	cbc_exchange(&gc, flow.vid, 0, &(struct cbc) {(uint64_t)id, 1}, 1, VIRTIO_CRYPTO_OK);
	cbc_exchange(&gc, flow.vid, 0, &(struct cbc) {ids[1023], 1}, 2, VIRTIO_CRYPTO_OK);
	cbc_exchange(&gc, flow.vid, 0, &(struct cbc) {ids[500], 1}, 3, VIRTIO_CRYPTO_INVSESS);
	down();
}

/* --- bursts -------------------------------------------------------------------------------- */

static void
bursts_have_a_limit(void)
{
	struct rte_crypto_op *ops[2 * VHOST_CRYPTO_MAX_BURST_SIZE];
	struct cbc session;
	uint32_t next = 0;
	unsigned n;

	cbc_up(0);
	session = cbc_open(&flow.fe, 7);
	for (uint32_t i = 0; i < 100; i++) /* in the ring, not in tables of their own */
		cbc_post_cut(&gc, &session, i, &(struct guest_crypto_layout) {
			.chain = GUEST_CRYPTO_INDIRECT});
	RTE_VERIFY(rte_crypto_op_bulk_alloc(crypto_app.op_pool, RTE_CRYPTO_OP_TYPE_SYMMETRIC, ops,
					    RTE_DIM(ops)) == RTE_DIM(ops));
	CHECK_EQ(rte_vhost_crypto_fetch_requests(flow.vid, 0, ops, 0), 0);
	CHECK_EQ(rte_vhost_crypto_fetch_requests(flow.vid, 0, ops, 1), 1);
	n = 1u + rte_vhost_crypto_fetch_requests(flow.vid, 0, ops + 1, 10);
	CHECK_EQ(n, 11);
	n += rte_vhost_crypto_fetch_requests(flow.vid, 0, ops + n, 100);
	CHECK_EQ(n, 11 + VHOST_CRYPTO_MAX_BURST_SIZE);
	/* Of those that are not filled in, nothing is. */
	for (unsigned i = n; i < RTE_DIM(ops); i++)
		CHECK(ops[i]->sym->m_src == NULL);
	n += rte_vhost_crypto_fetch_requests(flow.vid, 0, ops + n, (uint16_t)(RTE_DIM(ops) - n));
	CHECK_EQ(n, 100);
	CHECK_EQ(rte_vhost_crypto_fetch_requests(flow.vid, 0, ops + n, 1), 0);
	rte_mempool_put_bulk(crypto_app.op_pool, (void **)ops + n, RTE_DIM(ops) - n);
	crypto_app_run(ops, 50);
	crypto_app_run(ops + 50, 50);
	CHECK_EQ(crypto_app_finalize(ops, 100), 1);
	CHECK_EQ(cbc_reap(&gc, &next, VIRTIO_CRYPTO_OK), 100);
	down();
}

/* Bad ones between good ones: each is answered, in its turn. */
static void
good_and_bad_in_a_burst(void)
{
	struct rte_crypto_op *ops[VHOST_CRYPTO_MAX_BURST_SIZE];
	struct cbc good, bad = {.id = 77, .key = 0};
	struct guest_crypto_result r;
	unsigned n;

	cbc_up(0);
	good = cbc_open(&flow.fe, 7);
	for (uint32_t i = 0; i < 60; i++)
		cbc_post_cut(&gc, i % 3 == 1 ? &bad : &good, i, &(struct guest_crypto_layout) {
			.chain = GUEST_CRYPTO_INDIRECT});
	n = crypto_app_fetch(flow.vid, 0, ops, RTE_DIM(ops));
	CHECK_EQ(n, 40);
	crypto_app_run(ops, n);
	crypto_app_finalize(ops, n);
	for (uint32_t i = 0; i < 60; i++) {
		CHECK_EQ(guest_crypto_reap(&gc, &r), 0);
		CHECK_EQ(cbc_number(&r), i);
		cbc_check(&r, i % 3 == 1 ? VIRTIO_CRYPTO_INVSESS : VIRTIO_CRYPTO_OK);
	}
	/* Only bad ones: the guest is told by the library itself. */
	guest_ring_calls(gc.vq);
	for (uint32_t i = 0; i < 10; i++)
		cbc_post(&gc, &bad, i);
	CHECK_EQ(crypto_app_pump(flow.vid, 0), 0);
	CHECK(guest_ring_calls(gc.vq) > 0);
	n = 0;
	CHECK_EQ(cbc_reap(&gc, &n, VIRTIO_CRYPTO_INVSESS), 10);
	down();
}

/* However the cryptodev orders them, the guest has them back as it posted them. */
static void
finalized_in_any_order(void)
{
	struct rte_crypto_op *ops[16];
	struct cbc session;
	uint32_t next = 0;

	for (unsigned in_order = 0; in_order < 2; in_order++) {
		cbc_up(in_order ? FE_F_IN_ORDER : 0);
		session = cbc_open(&flow.fe, 7);
		next = 0;
		for (uint32_t i = 0; i < 16; i++)
			cbc_post(&gc, &session, i);
		CHECK_EQ(crypto_app_fetch(flow.vid, 0, ops, 16), 16);
		crypto_app_run(ops, 16);
		/* The last first: nothing is next in turn until the first is done. */
		for (unsigned i = 15; i > 0; i--) {
			CHECK_EQ(crypto_app_finalize(&ops[i], 1), 0);
			CHECK_EQ(cbc_reap(&gc, &next, VIRTIO_CRYPTO_OK), 0);
		}
		CHECK_EQ(crypto_app_finalize(&ops[0], 1), 1);
		CHECK_EQ(cbc_reap(&gc, &next, VIRTIO_CRYPTO_OK), 16);
		for (unsigned round = 0; round < 50; round++) {
			for (uint32_t i = 0; i < 16; i++)
				cbc_post(&gc, &session, next + i);
			CHECK_EQ(crypto_app_fetch(flow.vid, 0, ops, 16), 16);
			crypto_app_run(ops, 16);
			for (unsigned left = 16; left > 0; left--) {
				unsigned which = random_below(left);
				struct rte_crypto_op *op = ops[which];

				ops[which] = ops[left - 1];
				crypto_app_finalize(&op, 1);
				cbc_reap(&gc, &next, VIRTIO_CRYPTO_OK);
			}
			CHECK_EQ(next, 16 * (round + 2));
		}
		down();
	}
}

/* --- queues and devices ---------------------------------------------------------------------- */

static void
several_queues(void)
{
	struct rte_crypto_op *ops[4 * 4];
	struct cbc session;
	uint32_t next[4] = {0};

	up_queues(4);
	session = cbc_open(&flow.fe, 7);
	for (unsigned round = 0; round < 100; round++) {
		unsigned n = 0, nr_busy = 0;

		for (unsigned q = 0; q < 4; q++) {
			unsigned posted = random_below(5);

			for (uint32_t i = 0; i < posted; i++)
				cbc_post(&drivers[q], &session, next[q] + i);
			CHECK_EQ(crypto_app_fetch(flow.vid, (uint16_t)q, ops + n, 4), posted);
			n += posted;
			nr_busy += posted > 0;
		}
		crypto_app_run(ops, n);
		/* All together, in an order of their own. */
		for (unsigned i = 0; i < n; i++) {
			unsigned which = i + random_below(n - i);
			struct rte_crypto_op *op = ops[i];

			ops[i] = ops[which];
			ops[which] = op;
		}
		if (n > 0)
			CHECK_EQ(crypto_app_finalize(ops, n), nr_busy);
		for (unsigned q = 0; q < 4; q++) {
			bool busy = guest_ring_pending(&flow.fe.vqs[q]) > 0;

			CHECK_EQ(guest_ring_calls(&flow.fe.vqs[q]), busy);
			cbc_reap(&drivers[q], &next[q], VIRTIO_CRYPTO_OK);
			CHECK_EQ(drivers[q].outstanding, 0);
		}
	}
	CHECK_EQ(rte_vhost_crypto_fetch_requests(flow.vid, 4, ops, 4), 0);
	CHECK_EQ(rte_vhost_crypto_fetch_requests(flow.vid, UINT32_MAX, ops, 4), 0);
	CHECK_EQ(rte_vhost_crypto_fetch_requests(flow.vid, 65536, ops, 4), 0);
	down_all();
}

/* One call cannot name more eventfds than there is room for. */
static void
more_queues_than_calls(void)
{
	struct rte_crypto_op *ops[MAX_QUEUES];
	int callfds[VIRTIO_CRYPTO_MAX_NUM_BURST_VQS];
	struct cbc session;
	uint16_t nr_callfds = 0;
	unsigned done;

	up_queues(MAX_QUEUES);
	session = cbc_open(&flow.fe, 7);
	for (unsigned q = 0; q < MAX_QUEUES; q++) {
		cbc_post(&drivers[q], &session, q);
		CHECK_EQ(crypto_app_fetch(flow.vid, (uint16_t)q, &ops[q], 1), 1);
	}
	for (unsigned q = 0; q < MAX_QUEUES; q++)
		crypto_app_run(&ops[q], 1);
	done = rte_vhost_crypto_finalize_requests(ops, MAX_QUEUES, callfds, &nr_callfds);
	CHECK_EQ(done, VIRTIO_CRYPTO_MAX_NUM_BURST_VQS);
	CHECK_EQ(nr_callfds, VIRTIO_CRYPTO_MAX_NUM_BURST_VQS);
	for (unsigned i = 0; i < nr_callfds; i++)
		eventfd_write(callfds[i], 1);
	CHECK_EQ(rte_vhost_crypto_finalize_requests(ops + done, (uint16_t)(MAX_QUEUES - done),
						    callfds, &nr_callfds), MAX_QUEUES - done);
	CHECK_EQ(nr_callfds, MAX_QUEUES - done);
	for (unsigned i = 0; i < nr_callfds; i++)
		eventfd_write(callfds[i], 1);
	rte_mempool_put_bulk(crypto_app.op_pool, (void **)ops, MAX_QUEUES);
	for (unsigned q = 0; q < MAX_QUEUES; q++) {
		uint32_t next = q;

		CHECK_EQ(guest_ring_calls(&flow.fe.vqs[q]), 1);
		CHECK_EQ(cbc_reap(&drivers[q], &next, VIRTIO_CRYPTO_OK), 1);
	}
	down_all();
}

static bool
has_new_vid(void *arg)
{
	(void)arg;
	return rec_vid() != flow.vid && crypto_app.create_result == 0 && rec_wait_tail("+dev");
}

static void
neighbour_up(void)
{
	const struct fe_config config = CRYPTO_CONFIG;

	crypto_app.create_result = 1;
	fe_init(&neighbour);
	CHECK_EQ(fe_connect(&neighbour, flow.path), 0);
	CHECK_EQ(fe_setup(&neighbour, &config), 0);
	CHECK(flow_wait_until(has_new_vid, NULL, 20000));
	neighbour_vid = rec_vid();
	neighbour.use_ack = true;
	CHECK_EQ(guest_crypto_init(&neighbour_driver, &neighbour.vqs[0], false, RING_SIZE,
				   CBC_SLOT_BYTES), 0);
}

/* Ids are a device's own: those that the neighbour alone has mean nothing here. */
static void
sessions_of_one_device_only(void)
{
	struct cbc mine, mine_too, theirs;

	cbc_up(0);
	neighbour_up();
	mine = cbc_open(&flow.fe, 1);
	mine_too = cbc_open(&flow.fe, 2);
	theirs = cbc_open(&neighbour, 3);
	CHECK_EQ(mine.id, theirs.id);
	cbc_exchange(&gc, flow.vid, 0, &mine, 1, VIRTIO_CRYPTO_OK);
	cbc_exchange(&neighbour_driver, neighbour_vid, 0, &theirs, 2, VIRTIO_CRYPTO_OK);
	cbc_exchange(&gc, flow.vid, 0, &mine_too, 3, VIRTIO_CRYPTO_OK);
	cbc_exchange(&neighbour_driver, neighbour_vid, 0, &mine_too, 4, VIRTIO_CRYPTO_INVSESS);
	CHECK(guest_crypto_session_close(&neighbour, mine_too.id) != 0);
	CHECK_EQ(guest_crypto_session_close(&neighbour, theirs.id), 0);
	cbc_exchange(&gc, flow.vid, 0, &mine, 5, VIRTIO_CRYPTO_OK);
	cbc_exchange(&gc, flow.vid, 0, &mine_too, 6, VIRTIO_CRYPTO_OK);
	down_all();
}

/* Operations of both devices through the cryptodev and back in one burst. */
static void
two_devices_in_a_burst(void)
{
	struct rte_crypto_op *ops[2 * 8];
	struct cbc mine, theirs;
	uint32_t next[2] = {0};

	cbc_up(0);
	neighbour_up();
	mine = cbc_open(&flow.fe, 1);
	theirs = cbc_open(&neighbour, 2);
	for (unsigned round = 0; round < 20; round++) {
		for (uint32_t i = 0; i < 8; i++) {
			cbc_post(&gc, &mine, next[0] + i);
			cbc_post(&neighbour_driver, &theirs, next[1] + i);
		}
		CHECK_EQ(crypto_app_fetch(flow.vid, 0, ops, 8), 8);
		CHECK_EQ(crypto_app_fetch(neighbour_vid, 0, ops + 8, 8), 8);
		for (unsigned i = 0; i < 16; i++) {
			unsigned which = i + random_below(16 - i);
			struct rte_crypto_op *op = ops[i];

			ops[i] = ops[which];
			ops[which] = op;
		}
		crypto_app_run(ops, 16);
		CHECK_EQ(crypto_app_finalize(ops, 16), 2);
		CHECK_EQ(cbc_reap(&gc, &next[0], VIRTIO_CRYPTO_OK), 8);
		CHECK_EQ(cbc_reap(&neighbour_driver, &next[1], VIRTIO_CRYPTO_OK), 8);
	}
	down_all();
}

/*
 * Whatever one guest asks for, what another one gets is right: requests of few bytes or none, which
 * cryptodevs may not expect, of every algorithm that is offered, alone and chained.
 */
static void
ask_for_little(uint32_t service, uint32_t algo)
{
	static const uint32_t keys[] = {0, 8, 16, 24, 32};
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES] = {0};
	uint32_t digest = whole_digest(service, algo);

	for (unsigned i = 0; i < RTE_DIM(keys); i++) {
		struct guest_crypto_session s = session_of(service, algo, bytes, keys[i], digest, 0,
							   i % 2);
		struct guest_crypto_req req = {
			.opcode = opcode_of(service, i % 2), .op_type = VIRTIO_CRYPTO_SYM_OP_CIPHER,
			.iv = bytes, .iv_bytes = usual_iv(service, algo), .src = bytes,
			.tag_bytes = digest, .hash_bytes = is_digest(service) ? digest : 0,
		};
		int64_t id = open_session(&s);

		if (id <= 0)
			continue;
		req.session_id = (uint64_t)id;
		for (uint32_t n = 0; n < 18; n++) {
			req.src_bytes = n;
			req.dst_bytes = is_digest(service) ? 0 : n + digest;
			cbc_status_of(&req);
		}
		CHECK_EQ(guest_crypto_session_close(&flow.fe, (uint64_t)id), 0);
	}
}

static void
chain_little(uint32_t cipher, uint32_t hash, bool is_mac)
{
	uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES];
	struct guest_crypto_session s = cbc_session(1);
	struct cbc session = {0};
	struct guest_crypto_req req = cbc_request(&session, 3, bytes);
	uint32_t service = is_mac ? VIRTIO_CRYPTO_SERVICE_MAC : VIRTIO_CRYPTO_SERVICE_HASH;
	int64_t id;

	s.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING;
	s.cipher_algo = cipher;
	if (cipher == VIRTIO_CRYPTO_CIPHER_DES_CBC)
		s.cipher_key_bytes = 8;
	s.chain_order = VIRTIO_CRYPTO_SYM_ALG_CHAIN_ORDER_CIPHER_THEN_HASH;
	s.hash_mode = is_mac ? VIRTIO_CRYPTO_SYM_HASH_MODE_AUTH : VIRTIO_CRYPTO_SYM_HASH_MODE_PLAIN;
	s.hash_algo = hash;
	s.auth_key_bytes = is_mac ? 16 : 0;
	s.digest_bytes = whole_digest(service, hash);
	id = open_session(&s);
	if (id <= 0)
		return;
	req.session_id = (uint64_t)id;
	req.op_type = VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING;
	req.iv_bytes = usual_iv(VIRTIO_CRYPTO_SERVICE_CIPHER, cipher);
	req.hash_bytes = s.digest_bytes;
	for (uint32_t i = 0; i < 8; i++) {
		req.src_bytes = i & 1 ? 64 : 0;
		req.cipher_bytes = i & 2 ? req.src_bytes : 0;
		req.hashed_bytes = i & 4 ? req.src_bytes : 0;
		cbc_status_of(&req);
	}
	CHECK_EQ(guest_crypto_session_close(&flow.fe, (uint64_t)id), 0);
}

static void
chain_little_of_all(uint32_t hash, bool is_mac)
{
	for (uint32_t cipher = 0; cipher < 64; cipher++)
		if (is_offered(VIRTIO_CRYPTO_SERVICE_CIPHER, cipher))
			chain_little(cipher, hash, is_mac);
}

/* The neighbour's requests of every kind, against libcrypto. */
static void
neighbour_is_right(void)
{
	for (uint32_t service = 0; service <= VIRTIO_CRYPTO_SERVICE_AEAD; service++)
		for (uint32_t algo = 0; algo < 64; algo++) {
			uint8_t bytes[CBC_IV_BYTES + CBC_MAX_BYTES], dst[600], hash[64];
			uint32_t digest = whole_digest(service, algo);
			uint32_t key_bytes = service == VIRTIO_CRYPTO_SERVICE_HASH ? 0 :
				service == VIRTIO_CRYPTO_SERVICE_AEAD &&
				algo == VIRTIO_CRYPTO_AEAD_CHACHA20_POLY1305 ? 32 :
				service == VIRTIO_CRYPTO_SERVICE_CIPHER &&
				algo == VIRTIO_CRYPTO_CIPHER_DES_CBC ? 8 : 16;
			struct cbc session = {0};
			struct guest_crypto_req req = cbc_request(&session, 4, bytes);
			struct guest_crypto_session s = session_of(service, algo, bytes, key_bytes,
								   digest, 0, true);
			struct guest_crypto_result r;
			int64_t id = 0;

			req.opcode = opcode_of(service, true);
			req.iv_bytes = usual_iv(service, algo);
			req.hash_bytes = is_digest(service) ? digest : 0;
			req.dst_bytes = is_digest(service) ? 0 : req.src_bytes + digest;
			req.tag_bytes = digest;
			if (!is_offered(service, algo) ||
			    crypto_ref_compute(&s, &req, dst, hash) != 0)
				continue;
			CHECK_EQ(guest_crypto_session_create(&neighbour, &s, GUEST_CRYPTO_NEW_FORM,
							     &id), 0);
			CHECK(id > 0);
			req.session_id = (uint64_t)id;
			CHECK(guest_crypto_post(&neighbour_driver, &req, NULL, NULL) >= 0);
			CHECK_EQ(crypto_app_pump(neighbour_vid, 0), 1);
			CHECK_EQ(guest_crypto_reap(&neighbour_driver, &r), 0);
			if (r.status != VIRTIO_CRYPTO_OK ||
			    memcmp(r.dst, dst, req.dst_bytes) != 0 ||
			    memcmp(r.hash, hash, req.hash_bytes) != 0)
				tap_fail(__FILE__, __LINE__,
					 "service %u algorithm %u: status %u, or other bytes",
					 service, algo, r.status);
			CHECK_EQ(guest_crypto_session_close(&neighbour, (uint64_t)id), 0);
		}
}

static void
no_guest_spoils_anothers_answers(void)
{
	cbc_up(0);
	neighbour_up();
	read_offer();
	neighbour_is_right();
	for (uint32_t service = 0; service <= VIRTIO_CRYPTO_SERVICE_AEAD; service++)
		for (uint32_t algo = 0; algo < 64; algo++) {
			if (!is_offered(service, algo))
				continue;
			ask_for_little(service, algo);
			if (is_digest(service))
				chain_little_of_all(algo, service == VIRTIO_CRYPTO_SERVICE_MAC);
		}
	neighbour_is_right();
	down_all();
}

/* --- calls ------------------------------------------------------------------------------------ */

static void
called_unless_the_guest_does_not_want_it(void)
{
	struct cbc session;
	uint32_t next = 0;

	cbc_up(0);
	session = cbc_open(&flow.fe, 7);
	for (unsigned round = 0; round < 4; round++) {
		bool wanted = round % 2 == 0;
		struct rte_crypto_op *ops[4];

		if (wanted)
			guest_ring_call_enable(gc.vq);
		else
			guest_ring_call_disable(gc.vq);
		for (uint32_t i = 0; i < 4; i++)
			cbc_post(&gc, &session, next + i);
		CHECK_EQ(crypto_app_fetch(flow.vid, 0, ops, 4), 4);
		crypto_app_run(ops, 4);
		CHECK_EQ(guest_ring_calls(gc.vq), 0);
		CHECK_EQ(crypto_app_finalize(ops, 4), wanted);
		CHECK_EQ(guest_ring_calls(gc.vq), wanted);
		CHECK_EQ(cbc_reap(&gc, &next, VIRTIO_CRYPTO_OK), 4);
	}
	down();
}

/* One call when the event is passed, and then none until the guest has moved it. */
static void
called_at_the_event(void)
{
	struct rte_crypto_op *ops[4];
	struct cbc session;
	uint32_t next = 0;

	cbc_up(FE_F_EVENT_IDX);
	session = cbc_open(&flow.fe, 7);
	guest_ring_call_enable(gc.vq);
	for (unsigned round = 0; round < 200; round++) {
		for (uint32_t i = 0; i < 3; i++)
			cbc_post(&gc, &session, 3 * round + i);
		CHECK_EQ(crypto_app_fetch(flow.vid, 0, ops, 4), 3);
		crypto_app_run(ops, 3);
		CHECK_EQ(crypto_app_finalize(&ops[0], 1), 1);
		CHECK_EQ(crypto_app_finalize(&ops[1], 1), 0);
		CHECK_EQ(crypto_app_finalize(&ops[2], 1), 0);
		CHECK_EQ(guest_ring_calls(gc.vq), 1);
		CHECK_EQ(cbc_reap(&gc, &next, VIRTIO_CRYPTO_OK), 3);
		guest_ring_call_enable(gc.vq);
	}
	down();
}

/* A guest that has no eventfd is not called. */
static void
nobody_to_call(void)
{
	struct cbc session;
	struct rte_crypto_op *op;
	uint32_t next = 0;

	cbc_up(0);
	session = cbc_open(&flow.fe, 7);
	CHECK_EQ(fe_set_vring_call(&flow.fe, 0, -1), 0);
	guest_ring_calls(gc.vq);
	cbc_post(&gc, &session, 0);
	CHECK_EQ(crypto_app_fetch(flow.vid, 0, &op, 1), 1);
	crypto_app_run(&op, 1);
	CHECK_EQ(crypto_app_finalize(&op, 1), 0);
	CHECK_EQ(cbc_reap(&gc, &next, VIRTIO_CRYPTO_OK), 1);
	CHECK_EQ(fe_set_vring_call(&flow.fe, 0, gc.vq->callfd), 0);
	guest_ring_calls(gc.vq);
	cbc_exchange(&gc, flow.vid, 0, &session, 1, VIRTIO_CRYPTO_OK);
	CHECK_EQ(guest_ring_calls(gc.vq), 1);
	down();
}

static void
teardown(void)
{
	fini_drivers();
	jobs_teardown();
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		FLOW_TEST(many_sessions_in_a_burst),
		FLOW_TEST(closed_while_requests_are_under_way),
		FLOW_TEST(ids_do_not_come_back),
		FLOW_TEST(the_table_is_full),
		FLOW_TEST(bursts_have_a_limit),
		FLOW_TEST(good_and_bad_in_a_burst),
		FLOW_TEST(finalized_in_any_order),
		FLOW_TEST(several_queues),
		FLOW_TEST(more_queues_than_calls),
		FLOW_TEST(sessions_of_one_device_only),
		FLOW_TEST(two_devices_in_a_burst),
		FLOW_TEST(no_guest_spoils_anothers_answers),
		FLOW_TEST(called_unless_the_guest_does_not_want_it),
		FLOW_TEST(called_at_the_event),
		FLOW_TEST(nobody_to_call),
	};

	crypto_app_args(&argc, &argv);
	return flow_main(argc, argv, tests, RTE_DIM(tests), crypto_app_setup, teardown);
}
