/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A disk for a guest, in a file: the smallest program that serves a device type of its own.
 *
 *   vhost_blk [EAL options] -- SOCKET FILE
 *
 * One queue, split or packed, one guest. It records what it has fetched in the in-flight area, so
 * that it may be killed at any moment and started again: the guest notices a pause. Everything in
 * guest memory and in the area is somebody else's: copied, then checked, then used.
 */
#include <fcntl.h>
#include <linux/virtio_blk.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <rte_eal.h>
#include <rte_vhost.h>

#define BIT(n) (1ULL << (n))
#define FEATURES                                                                        \
	(BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_F_RING_PACKED) | BIT(VIRTIO_BLK_F_SEG_MAX) | \
	 BIT(VIRTIO_BLK_F_FLUSH) | BIT(VHOST_USER_F_PROTOCOL_FEATURES))
#define PROTOCOL_FEATURES                                                               \
	(BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK) | BIT(VHOST_USER_PROTOCOL_F_CONFIG) |     \
	 BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD))
#define SEGS_MAX 130
#define DEPTH 64 /* chains fetched before they are served */
enum { AVAIL = 1 << 7, USED = 1 << 15, WRAP = 1 << 15 };

struct chain {
	struct seg {
		uint64_t addr;
		uint32_t len, flags;
	} segs[SEGS_MAX];
	unsigned int nr_segs;
	uint16_t id, record; /* what the guest and the in-flight area call it */
	uint16_t slots;      /* packed: places that it takes in the ring */
};

static uint8_t *disk;
static uint64_t disk_bytes;
static int vid = -1;
static bool packed, stop;
static uint16_t avail, used; /* positions, as rte_vhost_get_vring_base() gives them */
static pthread_t worker;
static struct rte_vhost_memory *memory;
static struct rte_vhost_vring ring;
static struct rte_vhost_ring_inflight inflight;

/* `len` bytes at a guest address, all of them, from or into `buf`. */
static bool copy(uint64_t addr, void *buf, uint64_t len, bool to_guest)
{
	while (len > 0) {
		uint64_t some = len;
		void *at = (void *)(uintptr_t)rte_vhost_va_from_guest_pa(memory, addr, &some);

		if (at == NULL || some == 0)
			return false;
		memcpy(to_guest ? at : buf, to_guest ? buf : at, some);
		buf = (uint8_t *)buf + some;
		addr += some;
		len -= some;
	}
	return true;
}

static bool add(struct chain *c, uint64_t addr, uint32_t len, uint16_t flags)
{
	if (c->nr_segs == SEGS_MAX)
		return false;
	c->segs[c->nr_segs++] = (struct seg){ addr, len, flags };
	return (flags & VRING_DESC_F_NEXT) != 0;
}

static void read_split(struct chain *c, uint16_t head)
{
	const volatile struct vring_desc *desc = ring.desc;

	c->id = c->record = head;
	for (uint16_t i = head; i < ring.size; i = desc[i].next)
		if (!add(c, desc[i].addr, desc[i].len, desc[i].flags))
			break;
}

/* What a backend before this one had fetched: the ring may not have it any more. */
static void read_area(struct chain *c, uint16_t entry)
{
	const volatile struct rte_vhost_inflight_desc_packed *desc = inflight.inflight_packed->desc;

	c->slots = 0;
	for (uint16_t i = c->record = entry; i < ring.size; i = desc[i].next) {
		c->slots++;
		c->id = desc[i].id;
		if (!add(c, desc[i].addr, desc[i].len, desc[i].flags))
			break;
	}
}

static uint16_t advance(uint16_t position, uint16_t slots)
{
	unsigned int at = (position & ~WRAP) + slots;

	return at < ring.size ? position + slots : (at - ring.size) | (~position & WRAP);
}

static bool fetch(struct chain *c)
{
	const volatile struct vring_packed_desc *desc = ring.desc_packed;
	uint16_t slot = avail & ~WRAP, last = slot, flags;

	c->nr_segs = 0;
	if (!packed) {
		if (__atomic_load_n(&ring.avail->idx, __ATOMIC_ACQUIRE) == avail)
			return false;
		read_split(c, *(volatile uint16_t *)&ring.avail->ring[avail % ring.size]);
		avail++;
		rte_vhost_set_inflight_desc_split(vid, 0, c->record);
		return true;
	}
	flags = desc[slot].flags;
	if (!(flags & AVAIL) == !!(avail & WRAP) || !(flags & USED) != !!(avail & WRAP))
		return false;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	for (c->slots = 1; add(c, desc[last].addr, desc[last].len, desc[last].flags) &&
			   c->slots < ring.size; c->slots++)
		last = (last + 1) % ring.size;
	c->id = desc[last].id;
	avail = advance(avail, c->slots);
	rte_vhost_set_inflight_desc_packed(vid, 0, slot, last, &c->record);
	return true;
}

static void give_back(const struct chain *c, uint32_t written)
{
	volatile struct vring_packed_desc *desc = &ring.desc_packed[used & ~WRAP];

	if (!packed) {
		rte_vhost_set_last_inflight_io_split(vid, 0, c->record);
		ring.used->ring[used % ring.size] =
			(struct vring_used_elem){ .id = c->id, .len = written };
		__atomic_store_n(&ring.used->idx, ++used, __ATOMIC_RELEASE);
		rte_vhost_clr_inflight_desc_split(vid, 0, used, c->record);
	} else {
		rte_vhost_set_last_inflight_io_packed(vid, 0, c->record);
		desc->id = c->id;
		desc->len = written;
		__atomic_thread_fence(__ATOMIC_RELEASE);
		desc->flags = (used & WRAP) != 0 ? AVAIL | USED : 0;
		rte_vhost_clr_inflight_desc_packed(vid, 0, c->record);
		used = advance(used, c->slots);
	}
	rte_vhost_vring_call(vid, 0);
}

static uint8_t transfer(const struct chain *c, uint64_t sector, bool to_guest, uint32_t *written)
{
	uint64_t at = sector > disk_bytes / 512 ? disk_bytes : sector * 512;

	for (unsigned int i = 1; i + 1 < c->nr_segs; i++) {
		const struct seg *s = &c->segs[i];

		if (s->len > disk_bytes - at || to_guest != !!(s->flags & VRING_DESC_F_WRITE) ||
		    !copy(s->addr, disk + at, s->len, to_guest))
			return VIRTIO_BLK_S_IOERR;
		at += s->len;
		*written += to_guest ? s->len : 0;
	}
	return VIRTIO_BLK_S_OK;
}

/* A header of 16 bytes, data, a status of one byte; each in descriptors of its own. */
static void serve(const struct chain *c)
{
	const struct seg *last = &c->segs[c->nr_segs > 1 ? c->nr_segs - 1 : 0];
	struct virtio_blk_outhdr header;
	uint8_t status = VIRTIO_BLK_S_UNSUPP;
	uint32_t written = 0;

	if (c->nr_segs > 1 && last->len == 1 && (last->flags & VRING_DESC_F_WRITE) != 0 &&
	    c->segs[0].len == sizeof(header) && copy(c->segs[0].addr, &header, 16, false)) {
		if (header.type == VIRTIO_BLK_T_IN || header.type == VIRTIO_BLK_T_OUT)
			status = transfer(c, header.sector, header.type == VIRTIO_BLK_T_IN, &written);
		else if (header.type == VIRTIO_BLK_T_FLUSH)
			status = msync(disk, disk_bytes, MS_SYNC) < 0 ? VIRTIO_BLK_S_IOERR : 0;
		if (copy(last->addr, &status, 1, true))
			written++;
	}
	give_back(c, written);
}

static void *work(void *arg)
{
	struct rte_vhost_resubmit_info *left = inflight.resubmit_inflight;
	unsigned int n = left != NULL ? left->resubmit_num : 0;
	static struct chain c[DEPTH];

	printf("vhost_blk: serving, %s ring, %u requests were in flight\n",
	       packed ? "packed" : "split", n);
	while (n-- > 0) { /* the oldest is last */
		c->nr_segs = 0;
		(packed ? read_area : read_split)(c, left->resubmit_list[n].index);
		serve(c);
	}
	while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
		for (n = 0; n < DEPTH && fetch(&c[n]); n++)
			;
		for (unsigned int i = 0; i < n; i++)
			serve(&c[i]);
		if (n == 0)
			usleep(50);
	}
	return arg;
}

static int new_device(int new_vid)
{
	uint64_t features;

	if (vid >= 0 || rte_vhost_get_negotiated_features(new_vid, &features) < 0 ||
	    rte_vhost_get_vhost_vring(new_vid, 0, &ring) < 0 ||
	    rte_vhost_get_vring_base(new_vid, 0, &avail, &used) < 0 ||
	    rte_vhost_get_mem_table(new_vid, &memory) < 0)
		return -1;
	packed = (features & BIT(VIRTIO_F_RING_PACKED)) != 0;
	memset(&inflight, 0, sizeof(inflight));
	rte_vhost_get_vhost_ring_inflight(new_vid, 0, &inflight);
	rte_vhost_enable_guest_notification(new_vid, 0, 0);
	vid = new_vid;
	stop = false;
	if (pthread_create(&worker, NULL, work, NULL) != 0)
		exit(1);
	return 0;
}

static void destroy_device(int gone)
{
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(worker, NULL);
	rte_vhost_set_vring_base(gone, 0, avail, used);
	free(memory);
	vid = -1;
}

/* GET_CONFIG: what the guest reads about its disk. Lengths are checked by the library. */
static enum rte_vhost_msg_result on_message(int from, void *msg)
{
	struct virtio_blk_config config = { .capacity = disk_bytes / 512, .seg_max = SEGS_MAX - 2,
					    .blk_size = 512, .num_queues = 1 };
	uint32_t request, where[2], n;

	memcpy(&request, msg, sizeof(request));
	if (from < 0 || request != 24)
		return RTE_VHOST_MSG_RESULT_NOT_HANDLED;
	memcpy(where, (uint8_t *)msg + 12, sizeof(where)); /* offset, size */
	n = where[0] < sizeof(config) ? sizeof(config) - where[0] : 0;
	memset((uint8_t *)msg + 24, 0, where[1]);
	memcpy((uint8_t *)msg + 24, (uint8_t *)&config + where[0], n < where[1] ? n : where[1]);
	return RTE_VHOST_MSG_RESULT_REPLY;
}

static int new_connection(int new_vid)
{
	static const struct rte_vhost_user_extern_ops ops = { .pre_msg_handle = on_message };

	return rte_vhost_extern_callback_register(new_vid, &ops, NULL);
}

int main(int argc, char **argv)
{
	static const struct rte_vhost_device_ops ops = { .new_device = new_device,
							 .destroy_device = destroy_device,
							 .new_connection = new_connection };
	int eal = rte_eal_init(argc, argv), fd;
	struct stat st;

	setlinebuf(stdout);
	if (eal < 0 || argc - eal != 3)
		return fprintf(stderr, "usage: vhost_blk [EAL options] -- SOCKET FILE\n"), 2;
	fd = open(argv[eal + 2], O_RDWR | O_CLOEXEC);
	disk_bytes = fd >= 0 && fstat(fd, &st) == 0 ? (uint64_t)st.st_size / 512 * 512 : 0;
	disk = mmap(NULL, disk_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (disk == MAP_FAILED)
		return perror(argv[eal + 2]), 1;
	if (rte_vhost_driver_register(argv[eal + 1], 0) < 0 ||
	    rte_vhost_driver_set_features(argv[eal + 1], FEATURES) < 0 ||
	    rte_vhost_driver_set_protocol_features(argv[eal + 1], PROTOCOL_FEATURES) < 0 ||
	    rte_vhost_driver_callback_register(argv[eal + 1], &ops) < 0 ||
	    rte_vhost_driver_start(argv[eal + 1]) < 0)
		return 1;
	printf("vhost_blk: ready, %llu bytes\n", (unsigned long long)disk_bytes);
	for (;;) /* until killed: that is as good an end as any */
		pause();
}
