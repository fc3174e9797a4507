/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Data threads against control, without EAL, so that ThreadSanitizer can watch: two threads serve
 * the rings of a vid while messages set it up, swap its memory, stop it, and the connection comes
 * and goes. Nobody may be inside a queue that control works on; no chain may be lost or made up.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "session.h"

static struct session s;
static uint32_t stop;
/* Chains served, by queue; plain, guarded by the queue's gate. */
static uint64_t served[2];
/* Written by callbacks with the gate closed, read inside it: must never be false there. */
static bool queue_up[SESSION_QUEUES];

static int note_state(int vid, uint16_t index, int enable)
{
	(void)vid;
	queue_up[index] = enable != 0;
	return 0;
}

/* What a burst does, without packets. */
static bool serve(struct vq *vq, struct span_pool *pool, unsigned int queue)
{
	struct used used[32];
	struct ring_cursor c = ring_open(RING_SPLIT, &vq->ring, CHAIN_READABLE);
	struct piece piece;
	struct chain chain;
	unsigned int n, taken;
	uint64_t word;

	/* Half of them the one way, half the other. */
	for (n = 0; n < 16; n++) {
		if (ring_next(RING_SPLIT, &vq->ring, &c, CHAIN_READABLE, 0, &piece) != NEXT_PIECE)
			break;
		ring_take(RING_SPLIT, &c, piece.used);
		shm_read(&word, piece.body, sizeof(word));
		used[n] = piece.used;
	}
	ring_close(RING_SPLIT, &vq->ring, CHAIN_READABLE, &c);
	pool->used = 0;
	for (; n < 32; n++) {
		if (ring_fetch(RING_SPLIT, &vq->ring, CHAIN_READABLE, pool, &chain) != FETCH_OK)
			break;
		assert_int_equal(spans_read(chain.spans, chain.nr_spans, &word, 8), 8);
		used[n] = chain.used;
	}
	/* Takes two thirds, gives the rest back. */
	taken = n;
	n -= n / 3;
	ring_rewind(RING_SPLIT, &vq->ring, used + n, taken - n);
	if (n == 0)
		return false;
	ring_used_push(RING_SPLIT, &vq->ring, CHAIN_READABLE, used, n);
	served[queue] += n;
	vq->stats.good_packets += n;
	ring_publish(RING_SPLIT, &vq->ring);
	vq_notify(RING_SPLIT, vq);
	return true;
}

static void *data_thread(void *arg)
{
	uint16_t queue = (uint16_t)(uintptr_t)arg;
	struct span_pool *pool = malloc(sizeof(*pool));

	while (__atomic_load_n(&stop, __ATOMIC_ACQUIRE) == 0) {
		struct vq *vq = device_vq(0, queue);
		bool found;

		if (vq == NULL || !gate_try_enter(&vq->gate)) {
			sched_yield();
			continue;
		}
		if (!queue_up[queue] || !vring_attached(&vq->ring))
			abort();
		if (vq->ring.misses != NULL)
			ring_look_ahead(&vq->ring, CHAIN_READABLE);
		found = serve(vq, pool, queue);
		gate_exit(&vq->gate);
		if (!found)
			sched_yield();
	}
	free(pool);
	return NULL;
}

/* The guest: keeps the rings full and takes back what was used. */
static uint64_t guest_turn(struct guest_ring *vq, unsigned int posts)
{
	struct guest_used used;
	uint64_t got = 0;
	void *cookie;

	while (guest_ring_poll(vq, &used, &cookie))
		got++;
	for (unsigned int i = 0; i < posts; i++) {
		struct guest_seg seg = { .gpa = 0x80000 + 64u * (i % 16), .len_bytes = 8 };

		if (guest_ring_post(vq, &seg, 1, NULL) < 0)
			break;
	}
	return got;
}

/* A page of buffers goes, or all there is, rings too; and comes again. */
static void other_translations(void)
{
	const struct guest_region *r = &s.mem.regions[0];
	bool all = kit_random_below(2) == 0;

	assert_int_equal(session_iotlb(&s, VHU_IOTLB_INVALIDATE, all ? 0 : 0x80000,
				       all ? 0 : IOTLB_PAGE_BYTES, 0, 0), 0);
	assert_int_equal(session_iotlb(&s, VHU_IOTLB_UPDATE, r->gpa, r->size_bytes, r->uva,
				       IOTLB_READ | IOTLB_WRITE), 0);
}

/* One life of a connection; returns the chains that its guest got back. */
static uint64_t one_life(unsigned int rounds, bool iommu)
{
	uint64_t got = 0;

	session_init(&s);
	s.iommu = iommu;
	s.config.ops.vring_state_changed = note_state;
	s.config.ops.new_device = NULL;
	s.config.ops.destroy_device = NULL;
	s.config.ops.features_changed = NULL;
	session_open(&s);
	assert_int_equal(s.dev->vid, 0);
	session_setup(&s, 2);
	for (unsigned int i = 0; i < rounds; i++) {
		unsigned int q = i % 2;

		got += guest_turn(&s.vqs[0], 20);
		got += guest_turn(&s.vqs[1], 20);
		/* Two cores or one: the data threads get their turn. */
		if (i % 8 == 0)
			usleep(100);
		if (iommu && i % 2 == 0)
			other_translations();
		switch (kit_random_below(8)) {
		case 0:
			session_memory(&s);
			break;
		case 1:
			session_enable(&s, q, false);
			session_enable(&s, q, true);
			break;
		case 2:
			session_fd(&s, VHU_SET_VRING_CALL, q, s.vqs[q].callfd);
			break;
		case 3:
			session_addr(&s, q);
			break;
		case 4:
			session_state(&s, VHU_GET_VRING_BASE, q, 0);
			assert_int_equal(s.reply.payload.state.num, s.vqs[q].used[1]);
			session_ring(&s, q);
			break;
		case 5:
			session_u64(&s, VHU_SET_FEATURES,
				    s.dev->features ^ BIT(VHOST_F_LOG_ALL));
			break;
		case 6:
			session_fd(&s, VHU_SET_VRING_ERR, q, s.vqs[q].errfd);
			break;
		default:
			session_state(&s, VHU_SET_VRING_ENABLE, 3, 0); /* makes queues */
			break;
		}
	}
	/* However busy the machine is, something is served in each life. */
	for (unsigned int i = 0; got == 0 && i < 600000; i++) {
		got += guest_turn(&s.vqs[0], 20);
		usleep(100);
	}
	device_shutdown(s.dev);
	got += guest_turn(&s.vqs[0], 0);
	got += guest_turn(&s.vqs[1], 0);
	session_close(&s);
	return got;
}

static void data_against_control(void **state)
{
	pthread_t threads[2];
	uint64_t got = 0;

	(void)state;
	kit_capture_log();
	kit_seed(5);
	for (uintptr_t i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, data_thread, (void *)i), 0);
	for (unsigned int life = 0; life < 20; life++) {
		uint64_t in_life = one_life(150, life % 2 != 0);

		if (in_life == 0)
			fail_msg("life %u: nothing served; %llu and %llu chains so far", life,
				 (unsigned long long)served[0], (unsigned long long)served[1]);
		got += in_life;
	}
	__atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
	for (unsigned int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(got, served[0] + served[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(data_against_control),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
