/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile frontend of a crypto device: messages about sessions of any form, size and content. The
 * answer is the message with an id and without keys, and a session is made only of what the
 * cryptodev says it can do.
 */
#include <unistd.h>

#include "crypto_rig.h"

#define SMALL_BYTES 632
#define LARGE_BYTES 1072
/* Where all forms have the keys, after two pointers; and where the last one has the id. */
#define KEYS_AT 56
#define ID_AT_END 1064

/* --- one by one ---------------------------------------------------------------- */

static int64_t create(const struct guest_crypto_session *s, enum guest_crypto_form form)
{
	int64_t id = 0;
	int rc = guest_crypto_session_create(&rig.flow.fe, s, form, &id);

	/* The answer is checked there; of what it does not know the backend repeats nothing. */
	CHECK_EQ(rc, s->opcode >> 8 == VIRTIO_CRYPTO_SERVICE_AKCIPHER ? -EBADMSG : 0);
	return id;
}

static void cve_2020_10724_keys_longer_than_their_room(void)
{
	static const uint32_t lengths[] = { 65,		513,	     576,	 577,	 1u << 16,
					    1u << 31,	UINT32_MAX,  UINT32_MAX - 15,
					    UINT32_MAX - 511, (1u << 31) + 16 };

	crypto_up(0, RING_SIZE);
	for (unsigned int form = 0; form < GUEST_CRYPTO_NR_FORMS; form++)
		for (unsigned int i = 0; i < RTE_DIM(lengths); i++) {
			struct guest_crypto_session s = kinds[KIND_CHAIN].session;

			s.cipher_key_bytes = lengths[i];
			CHECK(create(&s, (enum guest_crypto_form)form) < 0);
			s = kinds[KIND_CHAIN].session;
			s.auth_key_bytes = RTE_MAX(lengths[i], 513u);
			CHECK(create(&s, (enum guest_crypto_form)form) < 0);
			s.cipher_key_bytes = lengths[i];
			CHECK(create(&s, (enum guest_crypto_form)form) < 0);
			/* Where it means nothing, too. */
			s = kinds[KIND_CBC].session;
			s.auth_key_bytes = RTE_MAX(lengths[i], 513u);
			CHECK(create(&s, (enum guest_crypto_form)form) < 0);
		}
	CHECK(serves(rig.rx));
	crypto_down();
}

/* Sizes that no form has end the connection, and leave nothing. */
static void sizes(void)
{
	static const uint32_t wrong[] = { 0,	 1,    8,    631,  633,	 640,
					  1064, 1071, 1073, 1080, 4000, UINT32_MAX };
	static uint8_t bytes[FE_MAX_PAYLOAD_BYTES];

	for (unsigned int i = 0; i < RTE_DIM(wrong); i++) {
		size_t sent = RTE_MIN(wrong[i], (uint32_t)sizeof(bytes));

		crypto_up(0, RING_SIZE);
		session_open(KIND_CBC);
		CHECK_EQ(fe_send_declared(&rig.flow.fe, FE_CREATE_CRYPTO_SESSION, FE_FLAG_VERSION,
					  wrong[i], bytes, sent, NULL, 0),
			 0);
		CHECK(fe_closed_by_backend(&rig.flow.fe, TIMEOUT_MS));
		CHECK(rec_wait_tail("-conn"));
		rig_down();
		CHECK(no_pools(NULL));
	}
	CHECK(rig_nothing_left());
	CHECK(bystander_unharmed());
}

/* It ends in the middle of a message. */
static void cut(void)
{
	static uint8_t bytes[LARGE_BYTES];

	for (size_t n = 0; n < sizeof(bytes); n += 97) {
		crypto_up(0, RING_SIZE);
		CHECK_EQ(fe_send_declared(&rig.flow.fe, FE_CREATE_CRYPTO_SESSION, FE_FLAG_VERSION,
					  sizeof(bytes), bytes, n, NULL, 0),
			 0);
		crypto_down();
	}
}

/* Nobody has said that it will serve sessions. */
static void without_an_application(void)
{
	int64_t id = 1;

	crypto_app.keeps_devices = true;
	crypto_up(0, RING_SIZE);
	CHECK_EQ(rte_vhost_crypto_free(rig.flow.vid), 0);
	for (unsigned int form = 0; form < GUEST_CRYPTO_NR_FORMS; form++) {
		CHECK_EQ(guest_crypto_session_create(&rig.flow.fe, &kinds[KIND_CBC].session,
						     (enum guest_crypto_form)form, &id),
			 0);
		CHECK(id < 0);
	}
	CHECK_EQ(guest_crypto_session_close(&rig.flow.fe, 1), 1);
	CHECK_EQ(rte_vhost_crypto_create(rig.flow.vid, crypto_app.cryptodev_id,
					 crypto_app.session_pool, 0),
		 0);
	CHECK(serves(rig.rx));
	crypto_down();
}

/* --- any content -------------------------------------------------------------------- */

static uint32_t any_number(void)
{
	static const uint32_t some[] = { 0,  1,	 2,  8,	 12, 15, 16,  17,  20,	 24,  32,  33,
					 63, 64, 65, 128, 255, 256, 257, 511, 512, 513, 0xffff,
					 1u << 31, UINT32_MAX };

	switch (random_below(4)) {
	case 0:
		return random_below(70);
	case 1:
		return random_below(UINT32_MAX);
	default:
		return some[random_below(RTE_DIM(some))];
	}
}

/* One of those that are right, with some fields that are not. */
static struct guest_crypto_session any_session(void)
{
	static const uint32_t opcodes[] = {
		VIRTIO_CRYPTO_CIPHER_CREATE_SESSION, VIRTIO_CRYPTO_HASH_CREATE_SESSION,
		VIRTIO_CRYPTO_MAC_CREATE_SESSION,    VIRTIO_CRYPTO_AEAD_CREATE_SESSION,
		VIRTIO_CRYPTO_CIPHER_DESTROY_SESSION, VIRTIO_CRYPTO_AKCIPHER_CREATE_SESSION,
		VIRTIO_CRYPTO_CIPHER_ENCRYPT,
	};
	struct guest_crypto_session s = kinds[random_below(NR_KINDS)].session;

	for (unsigned int n = random_below(4); n > 0; n--) {
		switch (random_below(11)) {
		case 0:
			s.opcode = random_below(2) ? opcodes[random_below(RTE_DIM(opcodes))] :
						     any_number();
			break;
		case 1:
			s.cipher_algo = any_number();
			break;
		case 2:
			s.cipher_key_bytes = any_number();
			break;
		case 3:
			s.hash_algo = any_number();
			break;
		case 4:
			s.digest_bytes = any_number();
			break;
		case 5:
			s.auth_key_bytes = any_number();
			break;
		case 6:
			s.aad_bytes = any_number();
			break;
		case 7:
			s.op_type = (uint8_t)any_number();
			break;
		case 8:
			s.direction = (uint8_t)any_number();
			break;
		case 9:
			s.hash_mode = (uint8_t)any_number();
			break;
		default:
			s.chain_order = (uint8_t)any_number();
		}
	}
	return s;
}

/* Of one algorithm only: has the cryptodev promised it? */
static bool may_be(const struct guest_crypto_session *s)
{
	const bool is_chain_session = s->opcode == VIRTIO_CRYPTO_CIPHER_CREATE_SESSION &&
				      s->op_type == VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING;
	struct guest_crypto_session as = *s;

	if (is_chain_session)
		return true;
	/* A hash has no key, whatever is said of it. */
	if (as.opcode == VIRTIO_CRYPTO_HASH_CREATE_SESSION)
		as.auth_key_bytes = 0;
	for (uint32_t iv = 0; iv <= VHOST_CRYPTO_MAX_IV_LEN; iv++)
		if (crypto_app_device_can(&as, iv))
			return true;
	return false;
}

/* A request in whatever session that is: it comes back. */
static void try(const struct guest_crypto_session *s, uint64_t id)
{
	for (unsigned int k = 0; k < NR_KINDS; k++) {
		struct shot shot = shot_of((enum kind)k, id, 16 * random_below(4));

		if (kinds[k].session.opcode != s->opcode || kinds[k].session.op_type != s->op_type)
			continue;
		shot_write(&shot);
		shot_chain(rig.rx, 0, &shot);
		(void)rig_used(rig.rx, NULL);
		rig_offer(rig.rx, 0);
		(void)serve(rig.rx);
		CHECK_EQ(rig_used(rig.rx, NULL), 1);
	}
}

static void any_sessions(void)
{
	static uint64_t open[100];
	const unsigned int count = is_soak() ? 1000000 : 20000;
	unsigned int nr_made = 0, tried = 0;

	crypto_up(0, RING_SIZE);
	for (unsigned int i = 0; i < count; i++) {
		enum guest_crypto_form form =
			(enum guest_crypto_form)random_below(GUEST_CRYPTO_NR_FORMS);
		struct guest_crypto_session s = any_session();
		unsigned int at = random_below(RTE_DIM(open));
		int64_t id;

		/* Of all that it may ask for, this form has names for ciphers only. */
		if (form == GUEST_CRYPTO_MIDDLE_FORM)
			s.opcode = VIRTIO_CRYPTO_CIPHER_CREATE_SESSION;
		id = create(&s, form);
		CHECK(id != 0);
		if (id < 0)
			continue;
		nr_made++;
		if (!may_be(&s) && s.cipher_algo <= UINT8_MAX)
			tap_fail(__FILE__, __LINE__,
				 "opcode %x, cipher %u key %u, hash %u digest %u key %u, aad %u, "
				 "type %u",
				 s.opcode, s.cipher_algo, s.cipher_key_bytes, s.hash_algo,
				 s.digest_bytes, s.auth_key_bytes, s.aad_bytes, s.op_type);
		if (nr_made % 8 == 0) {
			try(&s, (uint64_t)id);
			tried++;
		}
		if (open[at] != 0)
			session_close(open[at]);
		open[at] = (uint64_t)id;
	}
	fprintf(tap.out, "# %u messages, %u sessions, %u used\n", count, nr_made, tried);
	CHECK(nr_made > count / 20 && nr_made < count);
	for (unsigned int i = 0; i < RTE_DIM(open); i++) {
		if (open[i] != 0)
			session_close(open[i]);
		open[i] = 0;
	}
	CHECK_EQ(rte_mempool_in_use_count(crypto_app.session_pool), crypto_sessions_before);
	CHECK(serves(rig.rx));
	crypto_down();
}

/* Bytes without any meaning, many messages at a time. */
#define FLIGHT 16

static void any_bytes(void)
{
	const unsigned int count = is_soak() ? 100000 : 5000;
	static uint8_t bytes[LARGE_BYTES];
	unsigned int nr_made = 0;

	crypto_up(0, RING_SIZE);
	for (unsigned int i = 0; i < count; i += FLIGHT) {
		uint32_t sent[FLIGHT];

		for (unsigned int j = 0; j < FLIGHT; j++) {
			sent[j] = random_below(2) != 0 ? SMALL_BYTES : LARGE_BYTES;
			for (unsigned int at = 0; at < sizeof(bytes); at++)
				bytes[at] = (uint8_t)random_below(256);
			/* Small numbers, or nothing gets far. */
			for (unsigned int at = 8; at < 40 && random_below(8) != 0; at += 4) {
				uint32_t word = random_below(4) != 0 ? random_below(40) :
								       any_number();

				memcpy(bytes + at, &word, sizeof(word));
			}
			CHECK_EQ(fe_send(&rig.flow.fe, FE_CREATE_CRYPTO_SESSION, FE_FLAG_VERSION,
					 bytes, sent[j], NULL, 0),
				 0);
		}
		for (unsigned int j = 0; j < FLIGHT; j++) {
			struct fe_msg reply;
			int64_t id;

			CHECK_EQ(fe_recv(&rig.flow.fe, &reply), 0);
			CHECK_EQ(reply.header.request, FE_CREATE_CRYPTO_SESSION);
			CHECK_EQ(reply.header.size_bytes, sent[j]);
			memcpy(&id, reply.bytes + (sent[j] == LARGE_BYTES ? ID_AT_END : 0),
			       sizeof(id));
			/* Keys do not come back. */
			for (unsigned int at = KEYS_AT;
			     at < (sent[j] == LARGE_BYTES ? ID_AT_END : SMALL_BYTES); at++)
				CHECK_EQ(reply.bytes[at], 0);
			if (id > 0) {
				nr_made++;
				session_close((uint64_t)id);
			}
		}
	}
	fprintf(tap.out, "# %u messages, %u sessions\n", count, nr_made);
	/* To close what is not there. */
	for (unsigned int i = 0; i < count; i++) {
		uint64_t id = random_below(2) != 0 ? random_below(5000) :
						     (uint64_t)any_number() << 32 | any_number();

		CHECK_EQ(guest_crypto_session_close(&rig.flow.fe, id), 1);
	}
	CHECK(serves(rig.rx));
	crypto_down();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "CVE-2020-10724 keys longer than their room",
		  cve_2020_10724_keys_longer_than_their_room },
		{ "sizes that no form has", sizes },
		{ "messages that end too early", cut },
		{ "sessions without an application", without_an_application },
		{ "any sessions", any_sessions },
		{ "any bytes", any_bytes },
	};

	return crypto_main(argc, argv, tests, RTE_DIM(tests), rig_down);
}
