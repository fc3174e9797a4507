/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A hostile frontend: the form of messages. Sizes, descriptors, pieces,
 * unknown requests, answers; and what the process may run out of.
 */
#include <sys/resource.h>

#include "line.h"

/* Messages of the table: payload and descriptors as they should be. */
static const struct {
	uint32_t request;
	uint8_t payload_bytes;
	uint8_t fds_min, fds_max;
	bool body; /* has a reply of its own */
} messages[] = {
	{ FE_GET_FEATURES, 0, 0, 0, true },
	{ FE_SET_FEATURES, 8, 0, 0, false },
	{ FE_SET_OWNER, 0, 0, 0, false },
	{ FE_RESET_OWNER, 0, 0, 0, false },
	{ FE_SET_MEM_TABLE, 40, 1, 1, false },
	{ FE_SET_VRING_NUM, 8, 0, 0, false },
	{ FE_SET_VRING_ADDR, 40, 0, 0, false },
	{ FE_SET_VRING_BASE, 8, 0, 0, false },
	{ FE_GET_VRING_BASE, 8, 0, 0, true },
	{ FE_SET_VRING_KICK, 8, 1, 1, false },
	{ FE_SET_VRING_CALL, 8, 1, 1, false },
	{ FE_SET_VRING_ERR, 8, 1, 1, false },
	{ FE_GET_PROTOCOL_FEATURES, 0, 0, 0, true },
	{ FE_SET_PROTOCOL_FEATURES, 8, 0, 0, false },
	{ FE_GET_QUEUE_NUM, 0, 0, 0, true },
	{ FE_SET_VRING_ENABLE, 8, 0, 0, false },
	{ FE_NET_SET_MTU, 8, 0, 0, false },
	{ FE_SET_BACKEND_REQ_FD, 0, 1, 1, false },
	{ FE_SET_STATUS, 8, 0, 0, false },
	{ FE_GET_STATUS, 0, 0, 0, true },
};

static int many[FE_MAX_FDS];

static void many_open(void)
{
	for (unsigned int i = 0; i < FE_MAX_FDS; i++) {
		many[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		CHECK(many[i] >= 0);
	}
}

static void many_close(void)
{
	for (unsigned int i = 0; i < FE_MAX_FDS; i++)
		close(many[i]);
}

/* As it should be but for the table, which must name a region. */
static void fill_payload(uint32_t request, uint8_t *payload)
{
	memset(payload, 0, 40);
	if (request == FE_SET_MEM_TABLE) {
		payload[0] = 1;
		payload[17] = 16; /* 4 KiB */
	} else if (request == FE_NET_SET_MTU) {
		payload[1] = 5;
	} else if (request == FE_SET_FEATURES) {
		memcpy(payload, &line.features, 8);
	} else if (request == FE_SET_PROTOCOL_FEATURES) {
		memcpy(payload, &line.protocol_features, 8);
	}
}

/* Sends message `i` with so many descriptors. */
static int send_with(unsigned int i, uint32_t flags, unsigned int nr_fds)
{
	uint8_t payload[40];

	fill_payload(messages[i].request, payload);
	return fe_send(&line, messages[i].request, FE_FLAG_VERSION | flags, payload,
		       messages[i].payload_bytes, many, nr_fds);
}

static void f6_wrong_number_of_fds(void)
{
	static const unsigned int numbers[] = { 0, 1, 2, 7, 8 };
	unsigned int open;

	line_serve();
	many_open();
	for (unsigned int i = 0; i < RTE_DIM(messages); i++) {
		for (unsigned int k = 0; k < RTE_DIM(numbers); k++) {
			unsigned int n = numbers[k];
			uint8_t payload[40];

			if (n >= messages[i].fds_min && n <= messages[i].fds_max)
				continue;
			line_negotiated(&line_config);
			fill_payload(messages[i].request, payload);
			open = rig_count_fds();
			if (messages[i].body) {
				CHECK_EQ(send_with(i, 0, n), 0);
				CHECK(fe_closed_by_backend(&line, TIMEOUT_MS));
			} else {
				refused(&line, messages[i].request, payload,
					messages[i].payload_bytes, many, n);
				CHECK_EQ(rig_count_fds(), open);
			}
			line_hang_up();
		}
	}
	many_close();
	line_down();
}

static void f11_size_beyond_the_payload(void)
{
	static const uint32_t sizes[] = { 1073, 4096, 0x7fffffff, 0x80000000, 0xfffffff3,
					  0xffffffff };
	uint8_t payload[300] = { 0 };

	line_serve();
	many_open();
	for (unsigned int i = 0; i < RTE_DIM(messages); i++) {
		for (unsigned int k = 0; k < RTE_DIM(sizes); k++) {
			line_dial();
			CHECK_EQ(fe_send_declared(&line, messages[i].request, FE_FLAG_VERSION,
						  sizes[k], payload, sizeof(payload), many, 4),
				 0);
			CHECK(fe_closed_by_backend(&line, TIMEOUT_MS));
			line_hang_up();
		}
		/* Within what any message may have, but not this one. */
		if (messages[i].body)
			continue;
		line_negotiated(&line_config);
		refused(&line, messages[i].request, payload, messages[i].payload_bytes + 1u, NULL,
			0);
		refused(&line, messages[i].request, payload, 264, NULL, 0);
		if (messages[i].payload_bytes != 0)
			refused(&line, messages[i].request, payload,
				messages[i].payload_bytes - 1u, NULL, 0);
		line_hang_up();
	}
	many_close();
	line_down();
}

/* The header ends early, or is none: a reply, another version. */
static void f11_header_cut_short(void)
{
	const struct fe_header good = { .request = FE_SET_MEM_TABLE,
					.flags = FE_FLAG_VERSION,
					.size_bytes = 40 };
	static const uint32_t flags[] = { 0, 2, 3, FE_FLAG_VERSION | FE_FLAG_REPLY };

	line_serve();
	many_open();
	for (size_t len = 1; len < sizeof(good); len++) {
		line_dial();
		CHECK_EQ(fe_send_raw(&line, &good, len, many, 8), 0);
		CHECK(!fe_closed_by_backend(&line, 5));
		line_hang_up();
	}
	for (unsigned int i = 0; i < RTE_DIM(flags); i++) {
		line_dial();
		CHECK_EQ(fe_send(&line, FE_GET_FEATURES, flags[i], NULL, 0, many, 8), 0);
		CHECK(fe_closed_by_backend(&line, TIMEOUT_MS));
		line_hang_up();
	}
	many_close();
	line_down();
}

static void f12_more_fds_than_fit(void)
{
	static const unsigned int numbers[] = { 9, 16, 17, 18, 64 };
	unsigned int open;

	line_serve();
	many_open();
	for (unsigned int i = 0; i < RTE_DIM(messages); i++) {
		for (unsigned int k = 0; k < RTE_DIM(numbers); k++) {
			/* Not even answered: what the message would mean is unknown. */
			line_negotiated(&line_config);
			open = rig_count_fds();
			CHECK_EQ(send_with(i, FE_FLAG_NEED_REPLY, numbers[k]), 0);
			CHECK(fe_closed_by_backend(&line, TIMEOUT_MS));
			CHECK(rec_wait_tail("-conn"));
			/* All closed, and the connection's own. */
			while (rig_count_fds() != open - 1)
				usleep(100);
			line_hang_up();
		}
	}
	many_close();
	line_down();
}

/* Byte by byte, with the descriptor at the front; the neighbour is served in between. */
static void f13_body_in_pieces(void)
{
	struct {
		struct fe_header header;
		uint8_t table[40];
	} message = { .header = { .request = FE_SET_MEM_TABLE,
				  .flags = FE_FLAG_VERSION | FE_FLAG_NEED_REPLY,
				  .size_bytes = 40 } };
	const struct guest_region *region;
	struct fe_mem_region entry;
	struct fe_msg reply;
	unsigned int open;

	line_up();
	region = &line.mem.regions[0];
	entry = (struct fe_mem_region){ .gpa = region->gpa,
					.size_bytes = region->size_bytes,
					.uva = region->uva };
	message.table[0] = 1;
	memcpy(message.table + 8, &entry, sizeof(entry));
	open = rig_count_fds();
	for (unsigned int round = 0; round < 3; round++) {
		for (size_t i = 0; i < sizeof(message); i++) {
			CHECK_EQ(fe_send_raw(&line, (const uint8_t *)&message + i, 1, &region->fd,
					     i == 0 ? 1 : 0),
				 0);
			usleep(500);
		}
		CHECK_EQ(fe_recv(&line, &reply), 0);
		CHECK_EQ(reply.header.request, FE_SET_MEM_TABLE);
		CHECK_EQ(reply.u64, 0);
		CHECK_EQ(fe_sync(&line), 0);
		CHECK_EQ(rig_count_fds(), open + 1); /* the region's */
	}
	/* Two messages in one piece are two. */
	message.header.request = FE_SET_OWNER;
	message.header.size_bytes = 0;
	CHECK_EQ(fe_send_raw(&line, (struct fe_header[]){ message.header, message.header },
			     2 * sizeof(message.header), NULL, 0),
		 0);
	for (unsigned int i = 0; i < 2; i++) {
		CHECK_EQ(fe_recv(&line, &reply), 0);
		CHECK_EQ(reply.header.request, FE_SET_OWNER);
	}
	line_down();
}

static void f27_unknown_request(void)
{
	static const uint32_t ids[] = { 0,  19, 23, 33,  35,	38,
					41, 100, 256, 65536, 0x80000001, UINT32_MAX };
	uint8_t payload[40] = { 0 };

	line_up();
	many_open();
	for (unsigned int i = 0; i < RTE_DIM(ids); i++) {
		refused(&line, ids[i], payload, sizeof(payload), many, 8);
		refused(&line, ids[i], NULL, 0, NULL, 0);
	}
	many_close();
	/* Not asked for an answer: hung up. */
	CHECK_EQ(fe_send(&line, 0, FE_FLAG_VERSION, NULL, 0, NULL, 0), 0);
	CHECK(fe_closed_by_backend(&line, TIMEOUT_MS));
	line_down();
}

/* The device goes on while its frontend keeps asking for the impossible. */
static void f40_refused_with_need_reply(void)
{
	const struct fe_vring_state huge = { .index = 7000, .num = 3 };
	const uint64_t bad = UINT64_MAX;
	uint8_t table[40] = { 200 };

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	for (unsigned int i = 0; i < 50; i++) {
		refused(&rig.flow.fe, FE_SET_FEATURES, &bad, 8, NULL, 0);
		refused(&rig.flow.fe, FE_SET_PROTOCOL_FEATURES, &bad, 8, NULL, 0);
		refused(&rig.flow.fe, FE_SET_MEM_TABLE, table, 40, NULL, 0);
		refused(&rig.flow.fe, FE_SET_VRING_NUM, &huge, 8, NULL, 0);
		refused(&rig.flow.fe, FE_SET_VRING_ENABLE, &huge, 8, NULL, 0);
		refused(&rig.flow.fe, FE_SET_VRING_CALL, &bad, 8, NULL, 0);
		refused(&rig.flow.fe, 0, NULL, 0, NULL, 0);
	}
	CHECK(rig_serves_tx());
	CHECK(rig_serves_rx());
	line_down();
}

/* A message with a reply gets that one, not an ack on top. */
static void f41_need_reply_on_messages_with_a_body(void)
{
	struct fe_msg reply;

	line_up();
	for (unsigned int i = 0; i < RTE_DIM(messages); i++) {
		if (!messages[i].body || messages[i].request == FE_GET_STATUS)
			continue;
		CHECK_EQ(send_with(i, FE_FLAG_NEED_REPLY, 0), 0);
		CHECK_EQ(fe_recv(&line, &reply), 0);
		CHECK_EQ(reply.header.request, messages[i].request);
		CHECK_EQ(reply.header.size_bytes, 8);
		/* Whatever else came would be in the way of this answer. */
		CHECK_EQ(fe_request_ack(&line, FE_SET_OWNER, NULL, 0, NULL, 0), 0);
	}
	line_down();
}

static bool all_closed(void *arg)
{
	const char *text = rec_text();
	unsigned int n = 0;

	while ((text = strstr(text, "-conn")) != NULL) {
		n++;
		text++;
	}
	return n == *(unsigned int *)arg;
}

static void f44_gone_in_the_middle(void)
{
	const struct fe_header header = { .request = FE_SET_MEM_TABLE,
					  .flags = FE_FLAG_VERSION,
					  .size_bytes = 40 };
	uint8_t message[52] = { 0 };
	unsigned int closed = 0;

	line_serve();
	many_open();
	memcpy(message, &header, sizeof(header));
	/* Hung up after every number of bytes, none included. */
	for (size_t len = 0; len < sizeof(message); len++) {
		line_dial();
		CHECK_EQ(fe_send_raw(&line, message, len, many, 3), 0);
		fe_close(&line);
		closed++;
	}
	/* Told that nothing more comes, but still there. */
	for (unsigned int i = 0; i < 20; i++) {
		line_dial();
		CHECK_EQ(fe_send_raw(&line, message, 20, many, 3), 0);
		CHECK_EQ(shutdown(line.fd, SHUT_WR), 0);
		CHECK(fe_closed_by_backend(&line, TIMEOUT_MS));
		fe_close(&line);
		closed++;
	}
	CHECK(flow_wait_until(all_closed, &closed, TIMEOUT_MS));
	many_close();
	line_down();
}

/* 0 growth over many messages of every bad kind. */
static void k2_no_growth(void)
{
	unsigned int total = getenv("VHOST_NG_SOAK") != NULL ? 100000 : 10000, open, maps;
	uint8_t payload[300] = { 0 };

	line_serve();
	many_open();
	line_negotiated(&line_config);
	CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
	open = rig_count_fds();
	maps = rig_count_maps();
	for (unsigned int i = 0; i < total; i++) {
		unsigned int m = i % RTE_DIM(messages), kind = i / RTE_DIM(messages) % 4;
		uint32_t flags = FE_FLAG_VERSION | FE_FLAG_NEED_REPLY;
		uint32_t request = messages[m].request;
		uint32_t size = messages[m].payload_bytes;
		struct fe_msg reply;

		if (messages[m].body)
			request = 1000 + m; /* unexpected */
		if (kind == 0)
			size += 200; /* oversize */
		else if (kind == 1)
			size = size == 0 ? 1 : size - 1; /* truncated */
		else if (kind == 2)
			request += 4096;
		CHECK_EQ(fe_send(&line, request, flags, payload, size, many, 1 + i % 8), 0);
		CHECK_EQ(fe_recv(&line, &reply), 0);
		if (kind != 3)
			CHECK_EQ(reply.u64, 1);
		if (i % 1000 == 999) {
			CHECK_EQ(fe_set_mem_table(&line, &line.mem), 0);
			/* Those that were right after all replaced others, on one queue. */
			CHECK(rig_count_fds() <= open + 4);
			CHECK_EQ(rig_count_maps(), maps);
		}
	}
	line_hang_up();
	/* And of connections dropped for what they sent. */
	for (unsigned int i = 0; i < total / 20; i++) {
		line_dial();
		CHECK_EQ(fe_send(&line, i % 50, 0, payload, i % 200, many, i % FE_MAX_FDS), 0);
		CHECK(fe_closed_by_backend(&line, TIMEOUT_MS));
		line_hang_up();
	}
	many_close();
	line_down();
}

/* Out of descriptors while a frontend waits to be accepted. */
static void k10_fd_limit_on_accept(void)
{
	struct rlimit old, tight;
	int held[256];
	unsigned int n = 0;
	bool served;

	line_serve();
	CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
	tight = old;
	tight.rlim_cur = 256;
	fe_init(&line);
	line.timeout_ms = 300;
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
	/* The frontend's socket is the last that fits. */
	while (n < RTE_DIM(held) && (held[n] = eventfd(0, EFD_CLOEXEC)) >= 0)
		n++;
	if (n != 0)
		close(held[--n]);
	served = fe_connect(&line, line_path) == 0 && fe_sync(&line) == 0;
	/* The neighbour, connected already, is. */
	if (!bystander_unharmed())
		served = true;
	while (n != 0)
		close(held[--n]);
	CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
	CHECK(!served);
	CHECK(line.fd >= 0);
	/* Room again: it is accepted and answered; the first question is still there. */
	line.timeout_ms = TIMEOUT_MS;
	CHECK_EQ(fe_sync(&line), 0);
	CHECK_EQ(fe_sync(&line), 0);
	line_hang_up();
	line_negotiated(&line_config);
	line_down();
}

/* Every descriptor that the library opened or was sent closes on exec. */
static void l22_cloexec(void)
{
	unsigned int seen = 0;

	rig_up(0, 0, &line_region, 1, RING_SIZE);
	rig.flow.fe.use_ack = true;
	CHECK_EQ(fe_set_mem_table(&rig.flow.fe, &rig.flow.fe.mem), 0);
	for (int fd = 0; fd < 1024; fd++) {
		int flags = fcntl(fd, F_GETFD);

		if (flags < 0 || rig_fd_is_older(fd))
			continue;
		seen++;
		if ((flags & FD_CLOEXEC) == 0)
			tap_fail(__FILE__, __LINE__, "descriptor %d survives exec", fd);
	}
	/* Two devices with a region and six eventfds, seen from both sides, and the sockets. */
	CHECK(seen > 30);
	line_down();
}

int main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		{ "F6 wrong number of fds", f6_wrong_number_of_fds },
		{ "F11 size beyond the payload", f11_size_beyond_the_payload },
		{ "F11 header cut short", f11_header_cut_short },
		{ "F12 more fds than fit", f12_more_fds_than_fit },
		{ "F13 body in pieces", f13_body_in_pieces },
		{ "F27 unknown request", f27_unknown_request },
		{ "F40 refused with need_reply", f40_refused_with_need_reply },
		{ "F41 need_reply on messages with a body",
		  f41_need_reply_on_messages_with_a_body },
		{ "F44 gone in the middle of a message", f44_gone_in_the_middle },
		{ "K2 no growth over many messages", k2_no_growth },
		{ "K10 fd limit on accept", k10_fd_limit_on_accept },
		{ "L22 CLOEXEC everywhere", l22_cloexec },
	};

	return line_main(argc, argv, tests, RTE_DIM(tests));
}
