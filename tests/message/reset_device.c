/* SPDX-License-Identifier: BSD-3-Clause */
/* RESET_DEVICE: the device is as at the start; what belongs to the session stays. */
#include "meaning.h"

static void stops_everything(void **state)
{
	unsigned int fds;

	(void)state;
	session_setup(&s, 4);
	session_events(&s);
	fds = kit_open_fds();
	assert_int_equal(session_empty(&s, VHU_RESET_DEVICE), 0);
	assert_string_equal(session_events(&s), "-dev q0=0 q1=0 q2=0 q3=0");
	assert_int_equal(kit_open_fds(), fds - 4 * 3); /* kick, call, err */
	assert_int_equal(s.dev->nr_vqs, 0);
	for (unsigned int i = 0; i < 4; i++)
		assert_true(gate_is_closed(&s.dev->vqs[i]->gate));
}

static void forgets_what_the_guest_said(void **state)
{
	(void)state;
	session_setup(&s, 2);
	assert_int_equal(session_u64(&s, VHU_NET_SET_MTU, 1500), 0);
	assert_int_equal(session_u64(&s, VHU_SEND_RARP, 0x123456), 0);
	vring_set_base(&session_vq(&s, 0)->ring, 5, 5);
	assert_int_equal(session_empty(&s, VHU_RESET_DEVICE), 0);
	assert_int_equal(s.dev->features, 0);
	assert_false(s.dev->features_set);
	assert_int_equal(s.dev->mtu_bytes, 0);
	assert_int_equal(s.dev->rarp.word, 0);
	assert_int_equal(session_empty(&s, VHU_GET_STATUS), 0);
	assert_int_equal(s.reply.payload.u64, 0);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_int_equal(s.reply.payload.state.num, 0);
}

/* A frontend that says its memory in slots only says what changes. */
static void keeps_the_session(void **state)
{
	const struct gmem *mem;
	uint64_t protocol;
	int fd;

	(void)state;
	session_setup(&s, 2);
	protocol = s.dev->protocol_features;
	mem = s.dev->mem;
	fd = s.dev->backend_fd;
	assert_int_equal(session_empty(&s, VHU_RESET_DEVICE), 0);
	assert_int_equal(s.dev->protocol_features, protocol);
	assert_ptr_equal(s.dev->mem, mem);
	assert_int_equal(s.dev->backend_fd, fd);
	session_events(&s);
	/* Negotiation and rings again, nothing else, and it runs. */
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, SESSION_FEATURES), 0);
	for (unsigned int i = 0; i < 2; i++) {
		session_ring(&s, i);
		session_enable(&s, i, true);
	}
	assert_string_equal(session_events(&s), "q0=1 q1=1");
	assert_int_equal(session_u64(&s, VHU_SET_STATUS, VIRTIO_CONFIG_S_DRIVER_OK), 0);
	assert_string_equal(session_events(&s), "+dev");
}

/* Nothing of before is enough to come up. */
static void needs_everything_anew(void **state)
{
	(void)state;
	session_setup(&s, 2);
	assert_int_equal(session_empty(&s, VHU_RESET_DEVICE), 0);
	session_events(&s);
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, SESSION_FEATURES), 0);
	for (unsigned int i = 0; i < 2; i++) {
		assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, i, s.vqs[i].kickfd), 0);
		assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, i, s.vqs[i].callfd), 0);
		session_enable(&s, i, true);
	}
	assert_string_equal(session_events(&s), "");
}

/* Other features than before: an application that serves all rings waits for no old ones. */
static void with_other_features_and_fewer_rings(void **state)
{
	(void)state;
	s.dev->backend = NULL;
	session_setup(&s, 4);
	assert_int_equal(session_empty(&s, VHU_RESET_DEVICE), 0);
	session_events(&s);
	session_setup(&s, 1);
	assert_string_equal(session_events(&s), "q0=1 +dev");
}

static void mends_a_broken_ring(void **state)
{
	(void)state;
	session_setup(&s, 2);
	session_vq(&s, 0)->ring.fault = RING_FAULT_LOOP;
	assert_int_equal(session_empty(&s, VHU_RESET_DEVICE), 0);
	session_setup(&s, 2);
	assert_int_equal(session_vq(&s, 0)->ring.fault, RING_FAULT_NONE);
	assert_true(s.dev->running);
}

static void of_a_device_that_is_not_up(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_empty(&s, VHU_RESET_DEVICE), 0);
	assert_int_equal(session_empty(&s, VHU_RESET_DEVICE), 0);
	assert_string_equal(session_events(&s), "");
	session_setup(&s, 2);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stops_everything),
		TEST(forgets_what_the_guest_said),
		TEST(keeps_the_session),
		TEST(needs_everything_anew),
		TEST(with_other_features_and_fewer_rings),
		TEST(mends_a_broken_ring),
		TEST(of_a_device_that_is_not_up),
	};

	return RUN(tests);
}
