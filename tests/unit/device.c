/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device/device.c, vq.c: slots and queues are taken, emptied and taken again; nothing of the last
 * owner shows, and a stale vid finds a closed gate.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "session.h"

static struct session s;

static int setup(void **state)
{
	(void)state;
	kit_capture_log();
	session_init(&s);
	session_open(&s);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	session_close(&s);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

static void lowest_free_vid(void **state)
{
	struct driver_config config = { .max_queue_pairs = 1 };
	struct device *d[4];

	(void)state;
	for (int i = 0; i < 4; i++) {
		d[i] = device_acquire(&config, "x");
		assert_int_equal(d[i]->vid, i);
	}
	device_release(d[1]);
	device_release(d[2]);
	assert_null(device_lock(1));
	assert_ptr_equal(device_acquire(&config, "y"), d[1]);
	assert_string_equal(d[1]->ifname, "y");
	assert_ptr_equal(device_acquire(&config, "z"), d[2]);
	for (int i = 0; i < 4; i++)
		device_release(d[i]);
}

static void all_slots(void **state)
{
	struct driver_config config = { .max_queue_pairs = 1 };

	(void)state;
	kit_capture_log();
	for (int i = 0; i < DEVICES_MAX; i++)
		assert_int_equal(device_acquire(&config, "many")->vid, i);
	assert_null(device_acquire(&config, "one more"));
	assert_non_null(strstr(kit_last_line, "one more"));
	for (int i = 0; i < DEVICES_MAX; i++)
		device_release(device_slots[i]);
	for (int i = 0; i < DEVICES_MAX; i++)
		assert_null(device_lock(i));
}

static void vids_that_never_were(void **state)
{
	static const int vids[] = { -1, -2, DEVICES_MAX, DEVICES_MAX + 1, INT32_MAX, INT32_MIN };

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(vids); i++) {
		assert_null(device_slot(vids[i]));
		assert_null(device_lock(vids[i]));
		assert_null(device_vq(vids[i], 0));
	}
}

static void long_name_is_cut(void **state)
{
	struct driver_config config = { .max_queue_pairs = 1 };
	char name[400];
	struct device *dev;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	dev = device_acquire(&config, name);
	assert_int_equal(strlen(dev->ifname), DEVICE_NAME_BYTES - 1);
	device_release(dev);
}

static void queues_below_are_made_along(void **state)
{
	(void)state;
	assert_null(device_vq(s.dev->vid, 0));
	assert_non_null(device_vq_make(s.dev, 3));
	assert_int_equal(s.dev->nr_vqs, 4);
	for (uint16_t i = 0; i < 4; i++) {
		const struct vq *vq = device_vq(s.dev->vid, i);

		assert_non_null(vq);
		assert_int_equal(vq->index, i);
		assert_ptr_equal(vq->dev, s.dev);
		assert_true(gate_is_closed(&vq->gate));
		assert_int_equal(vq->callfd, EVENTFD_UNSET);
		assert_int_equal(vq->kickfd, EVENTFD_UNSET);
		assert_int_equal(vq->errfd, EVENTFD_UNSET);
		assert_int_equal(vq->kicks_wanted, -1);
	}
	assert_null(device_vq(s.dev->vid, 4));
	assert_ptr_equal(device_vq_make(s.dev, 2), device_vq(s.dev->vid, 2));
	assert_int_equal(s.dev->nr_vqs, 4);
}

static void dropped_queues_are_emptied_and_reused(void **state)
{
	unsigned int fds = kit_open_fds();
	struct vq *vq = device_vq_make(s.dev, 3), *again;

	(void)state;
	assert_int_equal(vq_set_callfd(vq, eventfd(0, 0)), 0);
	vq_set_eventfd(&vq->kickfd, eventfd(0, 0));
	vq_set_eventfd(&vq->errfd, eventfd(0, 0));
	vq->started = vq->enabled = vq->addrs_set = true;
	vq->ring.size = 64;
	vq->ring.last_avail = 7;
	vq->stats.good_packets = 9;
	__atomic_store_n(&vq->kicks_wanted, 1, __ATOMIC_RELAXED);
	device_vqs_drop(s.dev, 2);
	assert_int_equal(s.dev->nr_vqs, 2);
	assert_null(device_vq(s.dev->vid, 3));
	assert_int_equal(kit_open_fds(), fds);
	assert_int_equal(vq->gate.closed, 1);
	/* Who still has the pointer finds it closed; the next owner gets the same one, empty. */
	assert_false(gate_try_enter(&vq->gate));
	again = device_vq_make(s.dev, 3);
	assert_ptr_equal(again, vq);
	assert_false(vq->started || vq->enabled || vq->addrs_set || vq->ready);
	assert_int_equal(vq->ring.size, 0);
	assert_int_equal(vq->ring.last_avail, 0);
	assert_int_equal(vq->stats.good_packets, 0);
	assert_int_equal(vq->kicks_wanted, -1);
	device_vqs_drop(s.dev, 9); /* more than there are */
	assert_int_equal(s.dev->nr_vqs, 4);
}

static void release_forgets_everything(void **state)
{
	unsigned int fds;
	struct device *dev = s.dev;
	struct vq *vq;

	(void)state;
	fds = kit_open_fds();
	session_setup(&s, 4);
	assert_int_equal(session_u64(&s, VHU_NET_SET_MTU, 1500), 0);
	vq = session_vq(&s, 1);
	vq->stats.good_packets = 3;
	assert_true(dev->running);
	device_shutdown(dev);
	device_release(dev);
	assert_int_equal(kit_open_fds(), fds);
	assert_int_equal(dev->nr_vqs, 0);
	assert_int_equal(dev->features, 0);
	assert_int_equal(dev->protocol_features, 0);
	assert_false(dev->features_set || dev->running || dev->ready || dev->in_use);
	assert_null(dev->mem);
	assert_int_equal(dev->mtu_bytes, 0);
	assert_int_equal(dev->status, 0);
	assert_int_equal(dev->backend_fd, -1);
	assert_false(gate_try_enter(&vq->gate));
	/* And the next one starts from there. */
	assert_ptr_equal(device_acquire(&s.config, "next"), dev);
	s.events[0] = '\0';
	session_setup(&s, 2);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
	assert_int_equal(session_vq(&s, 1)->stats.good_packets, 0);
}

static void stats_are_on_by_flag(void **state)
{
	(void)state;
	assert_false(device_vq_make(s.dev, 0)->stats_on);
	s.config.flags = RTE_VHOST_USER_NET_STATS_ENABLE;
	assert_true(device_vq_make(s.dev, 1)->stats_on);
}

/* --- signalling -------------------------------------------------------- */

static unsigned int notified;

static void on_notified(int vid)
{
	(void)vid;
	notified++;
}

static void guest_is_signalled(void **state)
{
	struct vq *vq;

	(void)state;
	notified = 0;
	s.config.ops.guest_notified = on_notified;
	session_setup(&s, 2);
	vq = session_vq(&s, 0);
	vq_signal(vq);
	vq_signal(vq);
	assert_int_equal(guest_ring_calls(&s.vqs[0]), 2);
	assert_int_equal(vq->stats.guest_notifications, 2);
	assert_int_equal(notified, 2);
	assert_int_equal(guest_ring_calls(&s.vqs[1]), 0);
}

/* A guest that polls: nothing written, nothing counted. */
static void polling_guest_is_left_alone(void **state)
{
	struct vq *vq;

	(void)state;
	notified = 0;
	s.config.ops.guest_notified = on_notified;
	session_setup(&s, 2);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, -1), 0);
	vq = session_vq(&s, 0);
	vq_signal(vq);
	assert_int_equal(vq->stats.guest_notifications, 0);
	assert_int_equal(vq->stats.notifications_failed, 0);
	assert_int_equal(notified, 0);
}

/* A counter that nobody reads fills up; the guest is interrupted all the same. */
static void full_eventfd_does_not_block(void **state)
{
	struct vq *vq;

	(void)state;
	session_setup(&s, 2);
	vq = session_vq(&s, 0);
	assert_int_equal(eventfd_write(s.vqs[0].callfd, UINT64_MAX - 1), 0);
	vq_signal(vq);
	assert_int_equal(vq->stats.guest_notifications, 1);
	assert_int_equal(vq->stats.notifications_failed, 0);
}

static void notify_asks_the_ring(void **state)
{
	struct vq *vq;

	(void)state;
	session_setup(&s, 2);
	vq = session_vq(&s, 0);
	for (uint16_t i = 0; i < 6; i++) {
		/* Just passed, every other time. */
		guest_split_set_used_event(&s.vqs[0], i % 2 == 0 ? i : 100);
		vq->ring.published = i + 1;
		vq->ring.unsignalled = 1;
		vq_notify(RING_SPLIT, vq);
		assert_int_equal(guest_ring_calls(&s.vqs[0]), i % 2 == 0);
		assert_int_equal(vq->ring.unsignalled, 0);
	}
}

static void notify_asks_a_packed_ring(void **state)
{
	uint16_t *event;
	struct vq *vq;

	(void)state;
	s.more_features = BIT(VIRTIO_F_RING_PACKED);
	session_setup(&s, 2);
	vq = session_vq(&s, 0);
	event = guest_ptr(&s.mem, s.vqs[0].avail_gpa, 4);
	event[1] = VRING_PACKED_EVENT_FLAG_DESC;
	for (uint16_t i = 0; i < 6; i++) {
		event[0] = i % 2 == 0 ? i : 60;
		vq->ring.published = i + 1;
		vq->ring.unsignalled = 1;
		vq_notify(RING_PACKED, vq);
		assert_int_equal(guest_ring_calls(&s.vqs[0]), i % 2 == 0);
	}
	event[1] = VRING_PACKED_EVENT_FLAG_DISABLE;
	vq->ring.unsignalled = 1;
	vq_notify(RING_PACKED, vq);
	assert_int_equal(guest_ring_calls(&s.vqs[0]), 0);
}

/* Nothing to call it with: no decision is taken, so none is missed once there is something. */
static void a_guest_that_polls_is_not_asked(void **state)
{
	struct vq *vq;

	(void)state;
	session_setup(&s, 2);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, -1), 0);
	vq = session_vq(&s, 0);
	vq->ring.signalled_valid = true;
	guest_split_set_used_event(&s.vqs[0], 2);
	vq->ring.published = 5;
	vq->ring.unsignalled = 5;
	vq_notify(RING_SPLIT, vq);
	assert_int_equal(vq->ring.unsignalled, 5);
	assert_int_equal(vq->stats.guest_notifications, 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, s.vqs[0].callfd), 0);
	vq->ring.published = 6;
	vq->ring.unsignalled++;
	vq_notify(RING_SPLIT, vq);
	assert_int_equal(guest_ring_calls(&s.vqs[0]), 1);
}

static void broken_ring_is_reported(void **state)
{
	struct vq *vq;

	(void)state;
	session_setup(&s, 2);
	vq = session_vq(&s, 1);
	vq->ring.fault = RING_FAULT_LOOP;
	kit_lines = 0;
	vq_report_broken(vq);
	assert_int_equal(guest_ring_errors(&s.vqs[1]), 1);
	assert_int_equal(vq->stats.faults[RING_FAULT_LOOP], 1);
	assert_int_equal(kit_lines, 1);
	assert_non_null(strstr(kit_last_line, "loop"));
	assert_non_null(strstr(kit_last_line, "queue 1"));
	/* A frontend that gave no err eventfd is no reason to stumble. */
	assert_int_equal(session_fd(&s, VHU_SET_VRING_ERR, 1, -1), 0);
	vq_report_broken(vq);
	assert_int_equal(guest_ring_errors(&s.vqs[1]), 0);
}

/* What an application asked for before the ring was there is applied when it is. */
static void kicks_wanted_is_applied_at_the_start(void **state)
{
	(void)state;
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES,
				     SESSION_FEATURES & ~BIT(VIRTIO_RING_F_EVENT_IDX)),
			 0);
	session_memory(&s);
	__atomic_store_n(&device_vq_make(s.dev, 0)->kicks_wanted, 0, __ATOMIC_RELAXED);
	assert_int_equal(s.vqs[0].used[0], 0);
	session_ring(&s, 0);
	session_enable(&s, 0, true);
	assert_int_equal(s.vqs[0].used[0], GUEST_USED_NO_NOTIFY);
}

/* --- where a ring starts ----------------------------------------------- */

static void resumes_where_the_guest_was_told(void **state)
{
	struct vq *vq;

	(void)state;
	guest_ring_reset(&s.vqs[0], 1000);
	s.vqs[0].avail_idx = 1005; /* what SET_VRING_BASE will say: fetched, never given back */
	session_setup(&s, 2);
	vq = session_vq(&s, 0);
	assert_int_equal(vq->ring.last_avail, 1000);
	assert_int_equal(vq->ring.used_idx, 1000);
}

/* Only a start looks at the ring: later the position is ours. */
static void keeps_its_position_while_running(void **state)
{
	struct vq *vq;

	(void)state;
	session_setup(&s, 2);
	vq = session_vq(&s, 0);
	vring_set_base(&vq->ring, 12, 10);
	s.vqs[0].used[1] = 10;
	session_memory(&s);
	assert_int_equal(vq->ring.last_avail, 12);
	assert_int_equal(session_addr(&s, 0), 0);
	assert_int_equal(vq->ring.last_avail, 12);
	session_enable(&s, 0, false);
	session_enable(&s, 0, true);
	assert_int_equal(vq->ring.last_avail, 12);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, 0, s.vqs[0].kickfd), 0);
	assert_int_equal(vq->ring.last_avail, 12);
	assert_int_equal(vq->ring.used_idx, 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lowest_free_vid),
		cmocka_unit_test(all_slots),
		TEST(vids_that_never_were),
		TEST(long_name_is_cut),
		TEST(queues_below_are_made_along),
		TEST(dropped_queues_are_emptied_and_reused),
		TEST(release_forgets_everything),
		TEST(stats_are_on_by_flag),
		TEST(guest_is_signalled),
		TEST(polling_guest_is_left_alone),
		TEST(full_eventfd_does_not_block),
		TEST(notify_asks_the_ring),
		TEST(notify_asks_a_packed_ring),
		TEST(a_guest_that_polls_is_not_asked),
		TEST(broken_ring_is_reported),
		TEST(kicks_wanted_is_applied_at_the_start),
		TEST(resumes_where_the_guest_was_told),
		TEST(keeps_its_position_while_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
