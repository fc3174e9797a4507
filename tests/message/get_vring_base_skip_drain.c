/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * GET_VRING_BASE_SKIP_DRAIN: stops a queue as GET_VRING_BASE does, but what is in flight need not
 * be done first: it stays in the in-flight area, for the next backend. That is up to the
 * application, which sees the message before the queue stops.
 */
#include "meaning.h"

#define AREA_BYTES (16 + 64 * 16 + 48) /* split, of SESSION_RING_ENTRIES entries, aligned */

static uint32_t seen; /* by the application's handler */

static enum rte_vhost_msg_result look(int vid, void *msg)
{
	(void)vid;
	seen = ((const struct vhu_header *)msg)->request;
	return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
}

static void look_when_stopped(struct session *session)
{
	(void)session;
	assert_int_equal(seen, VHU_GET_VRING_BASE_SKIP_DRAIN);
}

static void what_is_in_flight_stays(void **state)
{
	struct vhu_inflight in = { .mmap_size_bytes = AREA_BYTES, .nr_queues = 1,
				   .queue_size = SESSION_RING_ENTRIES };
	int fd = kit_memfd(AREA_BYTES);
	struct vq *vq;

	(void)state;
	s.dev->backend = NULL;
	session_negotiate(&s);
	session_memory(&s);
	s.dev->extern_ops.pre_msg_handle = look;
	assert_int_equal(session_send(&s, VHU_SET_INFLIGHT_FD, &in, sizeof(in), &fd, 1), 0);
	session_ring(&s, 0);
	session_enable(&s, 0, true);
	assert_string_equal(session_events(&s), "q0=1 +dev");
	vq = session_vq(&s, 0);
	inflight_split_fetched(&vq->inflight, 5);
	vring_set_base(&vq->ring, 1, 1);

	s.on_callback = look_when_stopped;
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE_SKIP_DRAIN, 0, 0), 0);
	s.on_callback = NULL;
	assert_string_equal(session_events(&s), "-dev q0=0");
	assert_int_equal(s.reply.payload.state.index, 0);
	assert_int_equal(s.reply.payload.state.num, 1);
	assert_int_equal(s.reply.hdr.size_bytes, 8);

	/* The next backend, with the same area. */
	session_ring(&s, 0);
	assert_int_equal(vq->resubmit.resubmit_num, 1);
	assert_int_equal(vq->resubmit.resubmit_list[0].index, 5);
	close(fd);
}

/* The rings of the library have nothing in flight between two bursts. */
static void of_the_library_it_is_a_stop(void **state)
{
	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE_SKIP_DRAIN, 1, 0), 0);
	assert_string_equal(session_events(&s), "-dev q1=0");
	assert_false(session_vq(&s, 1)->started);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_in_flight_stays),
		TEST(of_the_library_it_is_a_stop),
	};

	return RUN(tests);
}
