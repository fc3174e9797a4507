/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IOTLB_MSG: what a vIOMMU translates, and what it does no longer; and what we ask for when
 * something is missing. The guest's I/O virtual addresses are its physical ones here.
 */
#include <poll.h>
#include <pthread.h>

#include "dirty_log.h"
#include "vhost_user/backend.h"

#define RW (IOTLB_READ | IOTLB_WRITE)
#define PAGE IOTLB_PAGE_BYTES

static int frontend; /* its end of the socket we ask on */

static int setup_iommu(void **state)
{
	setup(state);
	session_close(&s);
	session_init(&s);
	s.iommu = true;
	session_open(&s);
	frontend = -1;
	return 0;
}

static int teardown_iommu(void **state)
{
	fd_close(&frontend);
	return teardown(state);
}

static void give_socket(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	assert_int_equal(session_send(&s, VHU_SET_BACKEND_REQ_FD, NULL, 0, &pair[1], 1), 0);
	close(pair[1]);
	frontend = pair[0];
}

/* The next question; false when there is none. */
static bool asked(struct vhu_iotlb *out)
{
	struct vhu_header hdr;
	ssize_t n = recv(frontend, &hdr, sizeof(hdr), MSG_DONTWAIT);

	if (n < 0)
		return false;
	assert_int_equal(n, sizeof(hdr));
	assert_int_equal(hdr.request, VHU_BACKEND_IOTLB_MSG);
	assert_int_equal(hdr.flags, VHU_VERSION);
	assert_int_equal(hdr.size_bytes, sizeof(*out));
	assert_int_equal(recv(frontend, out, sizeof(*out), MSG_DONTWAIT), sizeof(*out));
	assert_int_equal(out->size_bytes, 0);
	assert_int_equal(out->uva, 0);
	return true;
}

static uint64_t uva_of(uint64_t at)
{
	return guest_uva(&s.mem, at);
}

static int map(uint64_t at, uint64_t size, uint8_t access)
{
	return session_iotlb(&s, VHU_IOTLB_UPDATE, at, size, uva_of(at), access);
}

static int unmap(uint64_t at, uint64_t size)
{
	return session_iotlb(&s, VHU_IOTLB_INVALIDATE, at, size, 0, 0);
}

/* Without the memory being mapped for us. */
static void bare(void)
{
	session_negotiate(&s);
	give_socket();
	assert_int_equal(session_mem_table(&s, &s.mem), 0);
}

/* Answers all that is asked for, until nothing more is. */
static unsigned int answer_all(void)
{
	struct vhu_iotlb ask;
	unsigned int n = 0;

	while (asked(&ask)) {
		assert_int_equal(ask.type, VHU_IOTLB_MISS);
		assert_int_equal(map(align_down(ask.iova, PAGE), PAGE, RW), 0);
		n++;
	}
	return n;
}

/* A ring is asked for where it lies, and the queue is ready when it is there. */
static void rings_are_asked_for(void **state)
{
	struct vhu_iotlb ask;

	(void)state;
	bare();
	session_ring(&s, 0);
	session_ring(&s, 1);
	session_enable(&s, 0, true);
	session_enable(&s, 1, true);
	assert_string_equal(session_events(&s), "");
	assert_true(asked(&ask));
	assert_int_equal(ask.type, VHU_IOTLB_MISS);
	assert_int_equal(ask.iova, s.vqs[0].desc_gpa);
	assert_int_equal(ask.access, IOTLB_READ);
	assert_int_equal(map(align_down(ask.iova, PAGE), PAGE, RW), 0);
	assert_true(answer_all() > 0);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
	assert_false(asked(&ask));
}

/* What the ring needs is said: a packed one reads and writes its descriptors. */
static void packed_rings_need_both(void **state)
{
	struct vhu_iotlb ask;

	(void)state;
	s.more_features |= BIT(VIRTIO_F_RING_PACKED);
	bare();
	assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 0, SESSION_RING_ENTRIES), 0);
	assert_int_equal(session_addr(&s, 0), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, 0, s.vqs[0].kickfd), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, s.vqs[0].callfd), 0);
	session_enable(&s, 0, true);
	assert_true(asked(&ask));
	assert_int_equal(ask.iova, s.vqs[0].desc_gpa);
	assert_int_equal(ask.access, RW);
	assert_int_equal(map(0, s.mem.regions[0].size_bytes, IOTLB_READ), 0);
	assert_string_equal(session_events(&s), "");
	assert_int_equal(map(0, s.mem.regions[0].size_bytes, RW), 0);
	assert_string_equal(session_events(&s), "q0=1");
}

/* A ring that is taken away and given back: closed meanwhile, without a word to the application. */
static void a_ring_that_goes_is_parked(void **state)
{
	struct vhu_iotlb ask;
	struct vq *vq;

	(void)state;
	session_setup(&s, 2);
	give_socket();
	vq = session_vq(&s, 0);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
	assert_false(gate_is_closed(&vq->gate));
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(unmap(0, s.mem.regions[0].size_bytes), 0);
		assert_true(gate_is_closed(&vq->gate));
		assert_false(vring_attached(&vq->ring));
		/* Other messages change nothing, and the queue can still be closed and opened. */
		assert_int_equal(session_empty(&s, VHU_GET_FEATURES), 0);
		assert_true(gate_is_closed(&vq->gate));
		assert_true(asked(&ask));
		assert_int_equal(map(align_down(ask.iova, PAGE), PAGE, RW), 0);
		answer_all();
		assert_false(gate_is_closed(&vq->gate));
		assert_true(vring_attached(&vq->ring));
		assert_int_equal(map(0, s.mem.regions[0].size_bytes, RW), 0);
	}
	assert_string_equal(session_events(&s), "");
}

/* A parked queue is stopped as any other. */
static void stopped_while_parked(void **state)
{
	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	assert_int_equal(unmap(0, 0), 0);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_string_equal(session_events(&s), "-dev q0=0");
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 1, 0), 0);
	assert_string_equal(session_events(&s), "q1=0");
	session_memory(&s);
	session_ring(&s, 0);
	session_ring(&s, 1);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
	assert_false(gate_is_closed(&session_vq(&s, 0)->gate));
	assert_int_equal(unmap(0, 0), 0);
	/* So is a disabled one, and the connection that goes (in teardown). */
	session_enable(&s, 0, false);
	assert_string_equal(session_events(&s), "q0=0");
}

/* When no ring runs nobody tells us what changes: nothing of it is kept. */
static void forgotten_at_the_stop(void **state)
{
	(void)state;
	session_setup(&s, 2);
	assert_true(s.dev->iotlb->nr_entries != 0);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 1, 0), 0);
	assert_true(s.dev->iotlb->nr_entries != 0);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_int_equal(s.dev->iotlb->nr_entries, 0);
	/* And a guest that comes back without a vIOMMU has none. */
	assert_int_equal(session_u64(&s, VHU_SET_FEATURES, SESSION_FEATURES), 0);
	assert_null(s.dev->iotlb);
	s.iommu = false;
	session_ring(&s, 0);
	session_ring(&s, 1);
	assert_true(s.dev->running);
	assert_null(session_vq(&s, 0)->ring.misses);
}

static void refused_in_the_answer(void **state)
{
	uint64_t top = s.mem.regions[1].gpa + s.mem.regions[1].size_bytes;
	unsigned int entries;

	(void)state;
	session_setup(&s, 2);
	entries = s.dev->iotlb->nr_entries;
	/* Outside memory, over the end of a region, without a byte, around the end of all. */
	assert_int_equal(session_iotlb(&s, VHU_IOTLB_UPDATE, 0, PAGE, 1, RW), 1);
	assert_int_equal(session_iotlb(&s, VHU_IOTLB_UPDATE, 0, 2 * PAGE, uva_of(0) +
				       s.mem.regions[0].size_bytes - PAGE, RW), 1);
	assert_int_equal(map(0, 0, RW), 1);
	assert_int_equal(session_iotlb(&s, VHU_IOTLB_UPDATE, UINT64_MAX - PAGE + 1, PAGE, uva_of(0),
				       RW), 1);
	assert_int_equal(session_iotlb(&s, VHU_IOTLB_UPDATE, 0, UINT64_MAX, uva_of(0), RW), 1);
	assert_int_equal(s.dev->iotlb->nr_entries, entries);
	assert_true(s.dev->running && vring_attached(&session_vq(&s, 0)->ring));
	/* What makes no sense at all costs the connection. */
	assert_true(session_iotlb(&s, VHU_IOTLB_MISS, 0, PAGE, uva_of(0), RW) < 0);
	assert_true(session_iotlb(&s, VHU_IOTLB_ACCESS_FAIL, 0, PAGE, uva_of(0), RW) < 0);
	assert_true(session_iotlb(&s, 0, 0, PAGE, uva_of(0), RW) < 0);
	assert_true(map(0, PAGE, 0) < 0);
	assert_true(map(0, PAGE, 4) < 0);
	/* Of what is not there, nothing is taken away; from the top on, nothing wraps. */
	assert_int_equal(unmap(top, PAGE), 0);
	assert_int_equal(unmap(UINT64_MAX, UINT64_MAX), 0);
	assert_int_equal(s.dev->iotlb->nr_entries, entries);
	assert_int_equal(unmap(0, 0), 0);
	assert_int_equal(s.dev->iotlb->nr_entries, 0);
}

/* Another memory table: the same addresses, elsewhere; what is in it no longer goes. */
static void another_memory_table(void **state)
{
	const struct ring *vr;
	struct guest_memory less = s.mem;
	uint8_t __guest *before;

	(void)state;
	session_setup(&s, 2);
	vr = &session_vq(&s, 0)->ring;
	before = (uint8_t __guest *)(uintptr_t)vr->desc;
	assert_int_equal(session_mem_table(&s, &s.mem), 0);
	assert_true(vring_attached(vr));
	assert_ptr_not_equal(kit_host((uint8_t __guest *)(uintptr_t)vr->desc), kit_host(before));
	assert_int_equal(s.dev->iotlb->nr_entries, 2);
	less.nregions = 1;
	assert_int_equal(session_mem_table(&s, &less), 0);
	assert_int_equal(s.dev->iotlb->nr_entries, 1);
	assert_true(s.dev->running && vring_attached(vr));
}

/* 2048 of them: one more takes the place of another. */
static void bounded(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_mem_table(&s, &s.mem), 0);
	/* Every other one, so that none are neighbours. */
	for (uint64_t i = 0; i < 3 * IOTLB_ENTRIES_MAX; i++)
		assert_int_equal(session_iotlb(&s, VHU_IOTLB_UPDATE, 2 * i * PAGE, PAGE, uva_of(0),
					       RW), 0);
	assert_int_equal(s.dev->iotlb->nr_entries, IOTLB_ENTRIES_MAX);
	assert_int_equal(iotlb_map(s.dev->iotlb, IOTLB_READ)->nr_pieces, IOTLB_ENTRIES_MAX);
}

/* The log of a migration is by physical address, what SET_VRING_ADDR says is not. */
static void used_ring_is_logged_where_it_is(void **state)
{
	const uint64_t far = UINT64_C(1) << 40, size = s.mem.regions[0].size_bytes;
	struct vhu_vring_addr addr;
	int fd = kit_memfd(LOG_PAGE);
	const struct ring *vr;

	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_mem_table(&s, &s.mem), 0);
	assert_int_equal(log_base(fd, LOG_BYTES, 0), 0);
	assert_int_equal(session_iotlb(&s, VHU_IOTLB_UPDATE, far, size, uva_of(0), RW), 0);
	addr = session_addr_of(&s, 0);
	addr.desc += far;
	addr.avail += far;
	addr.used += far;
	addr.flags = VHU_VRING_ADDR_F_LOG;
	addr.log = addr.used;
	assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 0, SESSION_RING_ENTRIES), 0);
	assert_int_equal(session_send(&s, VHU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, 0, s.vqs[0].kickfd), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, s.vqs[0].callfd), 0);
	session_enable(&s, 0, true);
	vr = &session_vq(&s, 0)->ring;
	assert_true(vring_attached(vr) && vr->log_used);
	assert_int_equal(vr->log_used_addr.v, s.vqs[0].used_gpa);
	close(fd);
}

/* A ring that moves in two steps is in two pieces between them, which is no ring, then in one. */
static void a_ring_that_moves(void **state)
{
	const uint64_t used = s.vqs[0].used_gpa, half = 256, to = 64 * PAGE;
	struct vq *vq;

	(void)state;
	session_setup(&s, 2);
	vq = session_vq(&s, 0);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
	assert_int_equal(unmap(0, s.mem.regions[0].size_bytes), 0);
	assert_int_equal(map(0, used, RW), 0);
	assert_int_equal(session_iotlb(&s, VHU_IOTLB_UPDATE, used, half, uva_of(to), RW), 0);
	assert_int_equal(session_iotlb(&s, VHU_IOTLB_UPDATE, used + half,
				       s.mem.regions[0].size_bytes - used - half,
				       uva_of(used + half), RW), 0);
	assert_string_equal(session_events(&s), "q0=0");
	assert_int_equal(session_iotlb(&s, VHU_IOTLB_UPDATE, used, half, uva_of(used), RW), 0);
	assert_string_equal(session_events(&s), "q0=1");
	assert_true(vring_attached(&vq->ring) && !gate_is_closed(&vq->gate));
}

/* A ring that may only be read: said once, not asked for again each time it is answered. */
static void a_ring_that_may_not_be_written(void **state)
{
	struct vhu_iotlb ask;
	unsigned int asks = 0;

	(void)state;
	bare();
	session_ring(&s, 0);
	session_enable(&s, 0, true);
	for (unsigned int i = 0; i < 100 && asked(&ask); i++) {
		if (ask.type == VHU_IOTLB_ACCESS_FAIL)
			continue;
		assert_int_equal(map(align_down(ask.iova, PAGE), PAGE, IOTLB_READ), 0);
		asks++;
	}
	assert_true(asks < 10);
	assert_string_equal(session_events(&s), "");
	assert_int_equal(ask.type, VHU_IOTLB_ACCESS_FAIL);
	assert_int_equal(map(0, s.mem.regions[0].size_bytes, RW), 0);
	assert_string_equal(session_events(&s), "q0=1");
}

static void *change_config(void *arg)
{
	*(int *)arg = vhu_backend_config_change(s.dev, true);
	return NULL;
}

/*
 * A thread of the application waits for the frontend, which has something else to say first: we
 * listen, and ask.
 */
static void asked_while_somebody_waits(void **state)
{
	struct {
		struct vhu_header hdr;
		uint64_t result;
	} __attribute__((packed)) answer = { .hdr = { .request = VHU_BACKEND_CONFIG_CHANGE_MSG,
						      .flags = VHU_VERSION | VHU_FLAG_REPLY,
						      .size_bytes = sizeof(answer.result) } };
	struct pollfd pfd = { .events = POLLIN };
	struct vhu_header hdr;
	struct vhu_iotlb ask;
	pthread_t waiter;
	int ret = -1;

	(void)state;
	session_setup(&s, 2);
	give_socket();
	pfd.fd = frontend;
	assert_int_equal(pthread_create(&waiter, NULL, change_config, &ret), 0);
	assert_int_equal(poll(&pfd, 1, 10000), 1);
	assert_int_equal(recv(frontend, &hdr, sizeof(hdr), MSG_DONTWAIT), sizeof(hdr));
	assert_int_equal(hdr.request, VHU_BACKEND_CONFIG_CHANGE_MSG);
	assert_int_equal(unmap(0, 0), 0);
	assert_true(asked(&ask));
	assert_int_equal(send(frontend, &answer, sizeof(answer), 0), sizeof(answer));
	pthread_join(waiter, NULL);
	assert_int_equal(ret, 0);
}

int main(void)
{
#define IOMMU_TEST(name) cmocka_unit_test_setup_teardown(name, setup_iommu, teardown_iommu)
	const struct CMUnitTest tests[] = {
		IOMMU_TEST(rings_are_asked_for),
		IOMMU_TEST(packed_rings_need_both),
		IOMMU_TEST(a_ring_that_goes_is_parked),
		IOMMU_TEST(stopped_while_parked),
		IOMMU_TEST(forgotten_at_the_stop),
		IOMMU_TEST(refused_in_the_answer),
		IOMMU_TEST(another_memory_table),
		IOMMU_TEST(bounded),
		IOMMU_TEST(used_ring_is_logged_where_it_is),
		IOMMU_TEST(a_ring_that_moves),
		IOMMU_TEST(a_ring_that_may_not_be_written),
		IOMMU_TEST(asked_while_somebody_waits),
	};

	return RUN(tests);
}
