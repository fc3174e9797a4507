/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * device/reconcile.c: a random walk over messages, good and bad, that checks after each what must
 * always hold: callbacks come in pairs, and gates are open exactly for rings that are ready.
 */
#include <linux/virtio_config.h>
#include <stdio.h>

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

static struct {
	bool device;
	bool queue[SESSION_QUEUES];
	bool refused; /* new_device() said no */
} told;

/* What an application may conclude from the callbacks alone must always hold. */
static void follow(const char *events)
{
	char copy[1024], *save = NULL;

	snprintf(copy, sizeof(copy), "%s", events);
	for (char *word = strtok_r(copy, " ", &save); word != NULL;
	     word = strtok_r(NULL, " ", &save)) {
		if (strcmp(word, "+dev") == 0) {
			assert_false(told.device);
			assert_true(told.queue[0] && told.queue[1]);
			told.device = s.new_device_returns == 0;
		} else if (strcmp(word, "-dev") == 0) {
			assert_true(told.device);
			told.device = false;
		} else if (strcmp(word, "features") == 0) {
			assert_true(told.device);
		} else {
			unsigned int queue = (unsigned int)word[1] - '0';
			bool up = word[3] == '1';

			assert_true(queue < SESSION_QUEUES);
			assert_int_equal(told.queue[queue], !up);
			told.queue[queue] = up;
		}
	}
}

static void check_invariants(void)
{
	assert_int_equal(s.dev->running, told.device);
	for (unsigned int i = 0; i < SESSION_QUEUES; i++) {
		const struct vq *vq = i < s.dev->nr_vqs ? s.dev->vqs[i] : NULL;

		if (vq == NULL) {
			assert_false(told.queue[i]);
			continue;
		}
		assert_int_equal(vq->ready, told.queue[i]);
		assert_int_equal(gate_is_closed(&vq->gate), !vq->ready);
		assert_int_equal(vq->gate.closed, !vq->ready);
		if (vq->ready) {
			assert_true(vring_attached(&vq->ring));
			assert_ptr_equal(vq->ring.mem, s.dev->mem);
			assert_true(vq->started && vq->enabled && vq->addrs_set);
			assert_true(s.dev->features_set);
			assert_int_not_equal(vq->callfd, EVENTFD_UNSET);
		}
	}
}

static const struct guest_memory *some_memory(void)
{
	static struct guest_memory other;

	other = s.mem;
	if (kit_random_below(4) == 0) {
		other.nregions = 1;
		other.regions[0] = s.mem.regions[kit_random_below(2)];
	}
	return &other;
}

static void random_message(void)
{
	uint32_t q = kit_random_below(SESSION_QUEUES), dice = kit_random_below(40);
	int fd = kit_random_below(6) == 0 ? -1 : s.vqs[q].callfd;

	if (kit_random_below(30) == 0)
		fd = s.mem.regions[0].fd; /* refused */
	s.need_reply = kit_random_below(2) == 0;
	s.new_device_returns = kit_random_below(5) == 0 ? -1 : 0;
	switch (dice) {
	case 0:
		session_empty(&s, VHU_RESET_OWNER);
		break;
	case 1:
	case 2:
		session_u64(&s, VHU_SET_FEATURES,
			    SESSION_FEATURES & ~(kit_random() & BIT(VHOST_F_LOG_ALL)));
		break;
	case 3:
		session_u64(&s, VHU_SET_FEATURES, kit_random() & SESSION_FEATURES);
		break;
	case 4:
		session_u64(&s, VHU_SET_PROTOCOL_FEATURES, kit_random() | kit_random());
		break;
	case 5:
		session_u64(&s, VHU_SET_STATUS, VIRTIO_CONFIG_S_DRIVER_OK | kit_random_below(16));
		break;
	case 6:
	case 7:
		session_mem_table(&s, some_memory());
		break;
	case 8:
	case 9:
		session_state(&s, VHU_GET_VRING_BASE, q, 0);
		break;
	case 10:
	case 11:
		session_state(&s, VHU_SET_VRING_NUM, q, kit_random_below(8) ? 64 : 1u << 16);
		break;
	case 12:
		session_state(&s, VHU_SET_VRING_BASE, q, kit_random_below(1 << 17));
		break;
	case 13:
	case 14:
	case 15:
	case 16:
		session_addr(&s, q);
		break;
	case 17: {
		struct vhu_vring_addr addr = session_addr_of(&s, q);

		addr.avail += kit_random_below(4) << 18;
		session_send(&s, VHU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0);
		break;
	}
	case 18:
	case 19:
	case 20:
	case 21:
	case 22:
		session_fd(&s, VHU_SET_VRING_KICK, q, fd);
		break;
	case 23:
	case 24:
	case 25:
	case 26:
		session_fd(&s, VHU_SET_VRING_CALL, q, fd);
		break;
	case 27:
		session_fd(&s, VHU_SET_VRING_ERR, q, fd);
		break;
	case 28:
		session_state(&s, VHU_SET_VRING_ENABLE, q, 0);
		break;
	case 29:
		session_u64(&s, VHU_NET_SET_MTU, kit_random_below(70000));
		break;
	case 30:
		session_empty(&s, kit_random_below(60));
		break;
	case 31:
	case 32:
	case 33:
	case 34:
	case 35:
		session_state(&s, VHU_SET_VRING_NUM, q, 64);
		session_addr(&s, q);
		session_fd(&s, VHU_SET_VRING_KICK, q, s.vqs[q].kickfd);
		session_fd(&s, VHU_SET_VRING_CALL, q, s.vqs[q].callfd);
		break;
	default:
		session_state(&s, VHU_SET_VRING_ENABLE, q, 1);
		break;
	}
}

static void random_walk(void **state)
{
	unsigned int started = 0, fds = 0;

	teardown(state);
	fds = kit_open_fds();
	for (unsigned int walk = 0; walk < 100; walk++) {
		setup(state);
		kit_seed(walk + 100);
		memset(&told, 0, sizeof(told));
		if (walk % 8 == 0)
			s.dev->backend = NULL;
		if (walk % 3 != 0)
			session_negotiate(&s);
		for (unsigned int i = 0; i < 500; i++) {
			bool was = told.device;
			const char *events;

			random_message();
			events = session_events(&s);
			if (s.dev->backend == NULL) {
				/* Any ring may be the first: only the state has to agree. */
				memset(&told, 0, sizeof(told));
				told.device = s.dev->running;
				for (unsigned int q = 0; q < s.dev->nr_vqs; q++)
					told.queue[q] = s.dev->vqs[q]->ready;
			} else {
				follow(events);
			}
			check_invariants();
			started += !was && told.device;
		}
		device_shutdown(s.dev);
		if (s.dev->backend != NULL) {
			follow(session_events(&s));
			assert_false(told.device);
		}
		for (unsigned int q = 0; q < s.dev->nr_vqs; q++)
			assert_true(gate_is_closed(&s.dev->vqs[q]->gate));
		teardown(state);
		assert_int_equal(kit_open_fds(), fds);
	}
	setup(state);
	assert_true(started > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(random_walk, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
