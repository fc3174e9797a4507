/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * In-flight tracking through the public API: what one backend leaves in the area and the next one
 * finds, byte by byte as the stock library has it, so that one may take over from the other.
 */
#include <errno.h>
#include <sys/mman.h>

#include "flow_main.h"

#define RING_SIZE 8
#define INFLIGHT (1u << FE_PROTOCOL_F_INFLIGHT_SHMFD)

struct inflight_payload {
	uint64_t size_bytes, offset_bytes;
	uint16_t nr_queues, queue_size;
	uint32_t padding;
};

static const char *path;
static struct frontend fe;
static struct fe_config config;
static struct inflight_payload areas;
static int areas_fd = -1;
static uint8_t *area;

static void
serve(uint64_t protocol_features)
{
	uint64_t features = FE_F_VERSION_1 | FE_F_PROTOCOL_FEATURES | fe_extra_features;

	rec_reset();
	path = flow_path();
	CHECK_EQ(rte_vhost_driver_register(path, 0), 0);
	CHECK_EQ(rte_vhost_driver_set_features(path, features), 0);
	CHECK_EQ(rte_vhost_driver_set_protocol_features(
			 path, 1u << FE_PROTOCOL_F_REPLY_ACK | protocol_features), 0);
	CHECK_EQ(rte_vhost_driver_callback_register(path, &rec_ops), 0);
	CHECK_EQ(rte_vhost_driver_start(path), 0);
	config = (struct fe_config) {
		.features = features,
		.protocol_features = 1u << FE_PROTOCOL_F_REPLY_ACK | protocol_features,
		.ring_size = RING_SIZE,
	};
	fe_init(&fe);
	CHECK_EQ(fe_connect(&fe, path), 0);
	CHECK_EQ(fe_negotiate(&fe, &config), 0);
	CHECK_EQ(fe_build(&fe, &config), 0);
	fe.use_ack = true;
}

static void
get_areas(void)
{
	struct fe_msg reply;

	areas = (struct inflight_payload) {.nr_queues = 1, .queue_size = RING_SIZE};
	CHECK_EQ(fe_request(&fe, FE_GET_INFLIGHT_FD, &areas, sizeof(areas), &reply), 0);
	CHECK_EQ(reply.header.size_bytes, sizeof(areas));
	CHECK_EQ(reply.nfds, 1);
	memcpy(&areas, reply.bytes, sizeof(areas));
	areas_fd = reply.fds[0];
	CHECK_EQ(areas.size_bytes, flow_packed ? 320 : 192);
	area = mmap(NULL, areas.size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, areas_fd,
		    (off_t)areas.offset_bytes);
	CHECK(area != MAP_FAILED);
}

static void
set_areas(void)
{
	CHECK_EQ(fe_command(&fe, FE_SET_INFLIGHT_FD, &areas, sizeof(areas), &areas_fd, 1), 0);
}

static void
start_ring(uint32_t base)
{
	struct guest_ring *vq = &fe.vqs[0];
	struct fe_vring_addr addr = {
		.desc_uva = guest_uva(&fe.mem, vq->desc_gpa),
		.used_uva = guest_uva(&fe.mem, vq->used_gpa),
		.avail_uva = guest_uva(&fe.mem, vq->avail_gpa),
	};

	CHECK_EQ(fe_set_mem_table(&fe, &fe.mem), 0);
	CHECK_EQ(fe_set_vring_num(&fe, 0, RING_SIZE), 0);
	CHECK_EQ(fe_set_vring_base(&fe, 0, base), 0);
	CHECK_EQ(fe_set_vring_addr(&fe, &addr), 0);
	CHECK_EQ(fe_set_vring_kick(&fe, 0, vq->kickfd), 0);
	CHECK_EQ(fe_set_vring_call(&fe, 0, vq->callfd), 0);
	CHECK_EQ(fe_set_vring_enable(&fe, 0, true), 0);
	CHECK(rec_wait_tail("+dev"));
}

/* The backend dies and another takes its place. */
static void
reconnect(void)
{
	fe_disconnect(&fe);
	CHECK(rec_wait_tail("-conn"));
	rec_reset();
	CHECK_EQ(fe_connect(&fe, path), 0);
	fe.use_ack = false;
	CHECK_EQ(fe_negotiate(&fe, &config), 0);
	fe.use_ack = true;
}

static void
teardown(void)
{
	fe_close(&fe);
	(void)rec_wait_tail("-conn");
	flow_unserve(path);
	if (areas_fd >= 0) {
		munmap(area, areas.size_bytes);
		close(areas_fd);
		areas_fd = -1;
	}
}

static void
post(unsigned n)
{
	uint64_t gpa = guest_alloc(&fe.mem, 4096, 16);
	const struct guest_seg segs[] = {{gpa, 64, 0}, {gpa + 64, 64, GUEST_DESC_WRITE}};

	for (unsigned i = 0; i < n; i++)
		CHECK(guest_ring_post(&fe.vqs[0], segs, 2, NULL) >= 0);
}

static void
expect_list(unsigned n, const uint16_t *indices)
{
	struct rte_vhost_ring_inflight ring;
	struct rte_vhost_resubmit_info *list;

	CHECK_EQ(rte_vhost_get_vhost_ring_inflight(rec_vid(), 0, &ring), 0);
	list = ring.resubmit_inflight;
	if (n == 0) {
		CHECK(list == NULL);
		return;
	}
	CHECK(list != NULL);
	CHECK_EQ(list->resubmit_num, n);
	for (unsigned i = 0; i < n; i++)
		CHECK_EQ(list->resubmit_list[i].index, indices[i]);
	/* As DPDK's own example does when it is through with it. Difference: stock crashes. */
	if (!is_stock) {
		free(list->resubmit_list);
		list->resubmit_list = NULL;
	}
}

static void
split_chains(void)
{
	struct rte_vhost_inflight_info_split *info;
	uint16_t avail, used;
	int vid;

	serve(INFLIGHT);
	get_areas();
	info = (void *)area;
	set_areas();
	start_ring(0);
	vid = rec_vid();
	CHECK_EQ(info->version, 1);
	CHECK_EQ(info->desc_num, RING_SIZE);
	expect_list(0, NULL);
	post(3); /* heads 0, 2, 4 */
	CHECK_EQ(rte_vhost_set_inflight_desc_split(vid, 0, 0), 0);
	CHECK_EQ(rte_vhost_set_inflight_desc_split(vid, 0, 2), 0);
	CHECK_EQ(rte_vhost_set_inflight_desc_split(vid, 0, 4), 0);
	CHECK_EQ(info->desc[2].inflight, 1);
	CHECK_EQ(info->desc[4].counter, 2);
	CHECK_EQ(rte_vhost_set_last_inflight_io_split(vid, 0, 2), 0);
	CHECK_EQ(info->last_inflight_io, 2);
	fe.vqs[0].used[1] = 1;
	CHECK_EQ(rte_vhost_clr_inflight_desc_split(vid, 0, 1, 2), 0);
	CHECK_EQ(info->desc[2].inflight, 0);
	CHECK_EQ(info->used_idx, 1);
	reconnect();
	set_areas();
	start_ring(1);
	expect_list(2, (uint16_t[]) {4, 0});
	CHECK_EQ(rte_vhost_get_vring_base(rec_vid(), 0, &avail, &used), 0);
	CHECK_EQ(avail, 3);
	CHECK_EQ(used, 1);
	/* A batch that was published, but not recorded as finished. */
	CHECK_EQ(rte_vhost_set_last_inflight_io_split(rec_vid(), 0, 0), 0);
	CHECK_EQ(rte_vhost_set_last_inflight_io_split(rec_vid(), 0, 4), 0);
	fe.vqs[0].used[1] = 3;
	reconnect();
	set_areas();
	start_ring(3);
	/* Difference: the stock library looks at the last of the batch only. */
	if (is_stock)
		expect_list(1, (uint16_t[]) {0});
	else
		expect_list(0, NULL);
}

static void
packed_chains(void)
{
	struct rte_vhost_inflight_info_packed *info;
	uint16_t entry[3], avail, used;
	int vid;

	serve(INFLIGHT);
	get_areas();
	info = (void *)area;
	set_areas();
	start_ring(0x8000);
	vid = rec_vid();
	CHECK_EQ(info->version, 1);
	CHECK_EQ(info->desc_num, RING_SIZE);
	CHECK_EQ(info->desc[RING_SIZE - 1].next, RING_SIZE);
	expect_list(0, NULL);
	post(3);
	for (uint16_t i = 0; i < 3; i++)
		CHECK_EQ(rte_vhost_set_inflight_desc_packed(vid, 0, 2 * i, 2 * i + 1, &entry[i]),
			 0);
	CHECK_EQ(entry[2], 4);
	CHECK_EQ(info->desc[2].num, 2);
	CHECK_EQ(info->desc[2].last, 3);
	CHECK_EQ(info->desc[3].len, 64);
	CHECK_EQ(rte_vhost_set_last_inflight_io_packed(vid, 0, 2), 0);
	CHECK_EQ(info->used_idx, 2);
	CHECK_EQ(info->old_used_idx, 0);
	CHECK_EQ(rte_vhost_clr_inflight_desc_packed(vid, 0, 2), 0);
	CHECK_EQ(info->old_used_idx, 2);
	CHECK_EQ(info->free_head, 2);
	CHECK_EQ(rte_vhost_get_vring_base_from_inflight(vid, 0, &avail, &used), 0);
	CHECK_EQ(used, 0x8002);
	reconnect();
	set_areas();
	start_ring(0x8000); /* the frontend cannot know */
	expect_list(2, (uint16_t[]) {4, 0});
	CHECK_EQ(rte_vhost_get_vring_base_from_inflight(rec_vid(), 0, &avail, &used), 0);
	CHECK_EQ(avail, 0x8002);
	CHECK_EQ(used, 0x8002);
	CHECK_EQ(rte_vhost_get_vring_base(rec_vid(), 0, &avail, &used), 0);
	/* Difference: the stock library stays where the frontend said. */
	CHECK_EQ(avail, is_stock ? 0x8000 : 0x8006);
	CHECK_EQ(used, is_stock ? 0x8000 : 0x8002);
}

static void
arguments(void)
{
	struct rte_vhost_ring_inflight ring;
	uint16_t a, b, entry;
	int vid;

	serve(INFLIGHT);
	get_areas();
	set_areas();
	start_ring(flow_packed ? 0x8000 : 0);
	vid = rec_vid();
	CHECK_EQ(rte_vhost_get_vhost_ring_inflight(vid, 5, &ring), -1);
	CHECK_EQ(rte_vhost_get_vhost_ring_inflight(900, 0, &ring), -1);
	if (!is_stock) /* it crashes */
		CHECK_EQ(rte_vhost_get_vhost_ring_inflight(vid, 0, NULL), -1);
	CHECK_EQ(rte_vhost_set_inflight_desc_split(vid, 7, 1), -1);
	CHECK_EQ(rte_vhost_set_inflight_desc_split(900, 0, 1), -1);
	CHECK_EQ(rte_vhost_set_inflight_desc_split(vid, 0, RING_SIZE), -1);
	CHECK_EQ(rte_vhost_set_last_inflight_io_split(vid, 0, RING_SIZE), -1);
	CHECK_EQ(rte_vhost_clr_inflight_desc_split(vid, 0, 1, RING_SIZE), -1);
	CHECK_EQ(rte_vhost_set_inflight_desc_packed(vid, 0, RING_SIZE, 1, &entry), -1);
	CHECK_EQ(rte_vhost_set_last_inflight_io_packed(vid, 0, RING_SIZE), -1);
	CHECK_EQ(rte_vhost_clr_inflight_desc_packed(vid, 0, RING_SIZE), -1);
	if (flow_packed) {
		CHECK_EQ(rte_vhost_set_inflight_desc_split(vid, 0, 1), -1);
	} else {
		CHECK_EQ(rte_vhost_set_inflight_desc_packed(vid, 0, 0, 1, &entry), -1);
		CHECK_EQ(rte_vhost_get_vring_base_from_inflight(vid, 0, &a, &b), -1);
	}
}

/* Calls made all the same do nothing, and say that this is well. */
static void
not_negotiated(void)
{
	struct rte_vhost_ring_inflight ring;
	uint16_t a, b, entry = 777;
	int vid;

	serve(0);
	start_ring(flow_packed ? 0x8000 : 0);
	vid = rec_vid();
	CHECK_EQ(rte_vhost_get_vhost_ring_inflight(vid, 0, &ring), -1);
	CHECK_EQ(rte_vhost_set_inflight_desc_split(vid, 0, 1), 0);
	CHECK_EQ(rte_vhost_set_last_inflight_io_split(vid, 0, 1), 0);
	CHECK_EQ(rte_vhost_clr_inflight_desc_split(vid, 0, 1, 1), 0);
	CHECK_EQ(rte_vhost_set_inflight_desc_packed(vid, 0, 0, 1, &entry), 0);
	CHECK_EQ(entry, 777);
	CHECK_EQ(rte_vhost_set_last_inflight_io_packed(vid, 0, 1), 0);
	CHECK_EQ(rte_vhost_clr_inflight_desc_packed(vid, 0, 1), 0);
	CHECK_EQ(rte_vhost_get_vring_base_from_inflight(vid, 0, &a, &b), -1);
}

/* Difference: the stock library swaps the area under a running queue, which loses records. */
static void
not_while_running(void)
{
	serve(INFLIGHT);
	get_areas();
	set_areas();
	start_ring(flow_packed ? 0x8000 : 0);
	CHECK_EQ(fe_command(&fe, FE_SET_INFLIGHT_FD, &areas, sizeof(areas), &areas_fd, 1),
		 is_stock ? 0 : 1);
}

int
main(int argc, char **argv)
{
	static const struct flow_test tests[] = {
		SPLIT_TEST(split_chains),
		PACKED_TEST(packed_chains),
		FLOW_TEST(arguments),
		FLOW_TEST(not_negotiated),
		FLOW_TEST(not_while_running),
	};

	return flow_main(argc, argv, tests, RTE_DIM(tests), NULL, teardown);
}
