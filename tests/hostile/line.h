/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A connection of its own to a driver of its own, for hostile frontends that
 * do not get as far as a device (the rig has one that is up). Each test says
 * at its end that nothing is left and that the neighbour noticed nothing.
 * Needs tap.h, so include it from one file of a program.
 */
#ifndef HOSTILE_LINE_H
#define HOSTILE_LINE_H

#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "packets.h"
#include "rig.h"
#include "tap.h"

#define HDR GUEST_NET_HDR_BYTES
#define RING_SIZE 64
#define TIMEOUT_MS 20000

static struct frontend line;
static const char *line_path; /* served, or NULL */

#define ALL_PROTOCOL                                                             \
	(1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |                \
	 1u << FE_PROTOCOL_F_NET_MTU | 1u << FE_PROTOCOL_F_BACKEND_REQ |         \
	 1u << FE_PROTOCOL_F_STATUS)
#define REGION_BYTES (2u << 20)
static const struct guest_region_spec line_region = { .size_bytes = REGION_BYTES };
static const struct fe_config line_config = {
	.features = FE_F_VERSION_1 | FE_F_MQ | FE_F_MRG_RXBUF,
	.protocol_features = ALL_PROTOCOL & ~(1u << FE_PROTOCOL_F_STATUS),
	.regions = &line_region,
	.nregions = 1,
	.ring_size = RING_SIZE,
};

static inline void line_serve(void)
{
	rec_reset();
	fe_init(&line);
	line_path = strdup(flow_serve(0));
}

/* Connected, nothing said. */
static inline void line_dial(void)
{
	fe_init(&line);
	line.timeout_ms = TIMEOUT_MS;
	CHECK_EQ(fe_connect(&line, line_path), 0);
}

static inline void line_hang_up(void)
{
	fe_close(&line);
	CHECK(rec_wait_tail("-conn"));
}

/* Connected; features and protocol features, REPLY_ACK among them, negotiated; memory and rings
 * built, but not announced. */
static inline void line_negotiated(const struct fe_config *config)
{
	line_dial();
	CHECK_EQ(fe_negotiate(&line, config), 0);
	CHECK_EQ(fe_build(&line, config), 0);
	line.use_ack = true;
	CHECK_EQ(fe_sync(&line), 0);
}

static inline void line_up(void)
{
	line_serve();
	line_negotiated(&line_config);
}

/* After a failed test, too. */
static inline void line_teardown(void)
{
	fe_close(&line);
	if (line_path != NULL) {
		flow_unserve(line_path);
		free((void *)(uintptr_t)line_path);
		line_path = NULL;
	}
	rec_hook = NULL;
	rec_new_device_result = 0;
	rec_new_connection_result = 0;
	rec_count_calls(false);
	rig_down();
}

/* The end of a test. */
static inline void line_down(void)
{
	CHECK(bystander_unharmed());
	line_teardown();
	CHECK(rig_nothing_left());
}

/* A message that is refused with an answer; the connection lives on. */
static inline void refused(struct frontend *fe, uint32_t request, const void *payload,
			   size_t payload_bytes, const int *fds, unsigned int nr_fds)
{
	unsigned int open;
	int answer;

	/* The socket of a connection before this one may be on its way out yet. */
	CHECK_EQ(fe_sync(fe), 0);
	open = rig_count_fds();
	answer = fe_request_ack(fe, request, payload, payload_bytes, fds, nr_fds);
	if (answer != 1)
		tap_fail(__FILE__, __LINE__, "request %u is answered with %d, expected 1", request,
			 answer);
	CHECK_EQ(fe_sync(fe), 0);
	CHECK_EQ(rig_count_fds(), open);
}

static inline void refused_u64(struct frontend *fe, uint32_t request, uint64_t value)
{
	refused(fe, request, &value, sizeof(value), NULL, 0);
}

static inline int line_main(int argc, char **argv, const struct tap_test *tests,
			    unsigned int nr_tests)
{
	int rc;

	tap_begin();
	fe_init(&line);
	rig_init(argv[0], false);
	rc = tap_run(tests, nr_tests, argc > 1 ? argv[1] : NULL, rig_before, line_teardown);
	rig_fini();
	return rc;
}

#endif
