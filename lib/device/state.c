/* SPDX-License-Identifier: BSD-3-Clause */
/* The bytes come from another process, by way of a third: they are checked like a message. */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "state.h"

static void save_head(const struct device *dev, struct state_head *head, uint32_t size_bytes)
{
	const union device_rarp rarp = { .word = __atomic_load_n(&dev->rarp.word,
								 __ATOMIC_ACQUIRE) };

	*head = (struct state_head){
		.version = htole16(STATE_VERSION),
		.nr_queues = htole16((uint16_t)dev->nr_vqs),
		.size_bytes = htole32(size_bytes),
		.features = htole64(dev->features),
		.mtu_bytes = htole16(__atomic_load_n(&dev->mtu_bytes, __ATOMIC_RELAXED)),
	};
	memcpy(head->magic, STATE_MAGIC, sizeof(head->magic));
	if (rarp.waits != 0) {
		memcpy(head->rarp_address, rarp.address, sizeof(head->rarp_address));
		head->flags = htole32(STATE_F_RARP);
	}
}

uint32_t state_save(const struct device *dev, uint8_t *to)
{
	uint32_t size = sizeof(struct state_head);
	struct state_head head;

	for (unsigned int i = 0; i < dev->nr_vqs; i++) {
		const struct vq *vq = dev->vqs[i];
		struct state_queue queue = { 0 };

		if (vq->base_set)
			queue = (struct state_queue){
				.avail = htole16(vq->ring.last_avail),
				.used = htole16(vq->ring.used_idx),
				.flags = htole32(STATE_QUEUE_F_POSITION),
			};
		memcpy(to + size, &queue, sizeof(queue));
		size += (uint32_t)sizeof(queue);
	}
	save_head(dev, &head, size);
	memcpy(to, &head, sizeof(head));
	return size;
}

static int wrong(const struct device *dev, const char *what)
{
	LOG_ERR("%s: device state: %s", dev->ifname, what);
	return -EINVAL;
}

/* Is it whole, and of a kind that we know? */
static int check_form(const struct device *dev, const struct state_head *head, size_t len_bytes)
{
	static const uint8_t none[sizeof(head->rarp_address)];
	uint16_t mtu = le16toh(head->mtu_bytes), queues = le16toh(head->nr_queues);
	uint32_t flags = le32toh(head->flags);

	if (memcmp(head->magic, STATE_MAGIC, sizeof(head->magic)) != 0)
		return wrong(dev, "not written by this library; move the guest without it");
	if (le16toh(head->version) != STATE_VERSION) {
		LOG_ERR("%s: device state: version %u, this library knows %u", dev->ifname,
			le16toh(head->version), STATE_VERSION);
		return -EINVAL;
	}
	if (queues > MIN2(dev->config->max_queue_pairs * 2, (uint32_t)DEVICE_VQS_MAX)) {
		LOG_ERR("%s: device state: of %u queues, there are %u", dev->ifname, queues,
			dev->config->max_queue_pairs * 2);
		return -EINVAL;
	}
	if (le32toh(head->size_bytes) != len_bytes ||
	    len_bytes != sizeof(*head) + queues * sizeof(struct state_queue))
		return wrong(dev, "its length and what it says about it differ");
	if ((flags & ~STATE_F_RARP) != 0 || head->reserved != 0)
		return wrong(dev, "unknown flags");
	if ((flags & STATE_F_RARP) == 0 &&
	    memcmp(head->rarp_address, none, sizeof(none)) != 0)
		return wrong(dev, "an address for a RARP packet that does not wait");
	if (mtu != 0 && mtu < DEVICE_MTU_MIN_BYTES)
		return wrong(dev, "an MTU that is none");
	return 0;
}

/* Does it go with what the frontend has said here? It may not have said anything yet. */
static int check_fit(const struct device *dev, const struct state_head *head)
{
	uint64_t features = le64toh(head->features);
	uint64_t extra = features & ~__atomic_load_n(&dev->config->features, __ATOMIC_RELAXED);
	uint16_t mtu = le16toh(head->mtu_bytes);

	if (extra != 0) {
		LOG_ERR("%s: device state: bits 0x%" PRIx64 " of its features are not offered here",
			dev->ifname, extra);
		return -EINVAL;
	}
	if (dev->features_set &&
	    ((dev->features ^ features) & ~BIT(VHOST_F_LOG_ALL)) != 0) {
		LOG_ERR("%s: device state: features 0x%" PRIx64 ", here 0x%" PRIx64 " were set",
			dev->ifname, features, dev->features);
		return -EINVAL;
	}
	if (dev->mtu_bytes != 0 && mtu != 0 && dev->mtu_bytes != mtu) {
		LOG_ERR("%s: device state: an MTU of %u bytes, here %u were set", dev->ifname, mtu,
			dev->mtu_bytes);
		return -EINVAL;
	}
	return 0;
}

static struct state_queue queue_at(const uint8_t *from, unsigned int i)
{
	struct state_queue queue;

	memcpy(&queue, from + sizeof(struct state_head) + i * sizeof(queue), sizeof(queue));
	return (struct state_queue){ .avail = le16toh(queue.avail),
				     .used = le16toh(queue.used),
				     .flags = le32toh(queue.flags) };
}

static int check_queue(const struct device *dev, unsigned int i, const struct state_queue *queue)
{
	const struct vq *vq = i < dev->nr_vqs ? dev->vqs[i] : NULL;

	if ((queue->flags & ~STATE_QUEUE_F_POSITION) != 0)
		return wrong(dev, "unknown flags of a queue");
	if (queue->flags == 0)
		return queue->avail != 0 || queue->used != 0 ?
			       wrong(dev, "a position that is not known") :
			       0;
	if (vq != NULL && vq->base_set &&
	    (vq->ring.last_avail != queue->avail || vq->ring.used_idx != queue->used)) {
		LOG_ERR("%s: device state: queue %u is at %u and %u, here at %u and %u: it is of "
			"another moment",
			dev->ifname, i, queue->avail, queue->used, vq->ring.last_avail,
			vq->ring.used_idx);
		return -EINVAL;
	}
	return 0;
}

static int load_queues(struct device *dev, const uint8_t *from, unsigned int nr_queues)
{
	if (nr_queues != 0 && device_vq_make(dev, nr_queues - 1) == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < nr_queues; i++) {
		struct state_queue queue = queue_at(from, i);

		if (queue.flags != 0)
			vq_set_base(dev->vqs[i], queue.avail, queue.used);
	}
	return 0;
}

int state_load(struct device *dev, const uint8_t *from, size_t len_bytes)
{
	union device_rarp rarp = { .word = 0 };
	struct state_head head;
	int ret;

	if (len_bytes < sizeof(head))
		return wrong(dev, "cut short");
	memcpy(&head, from, sizeof(head));
	ret = check_form(dev, &head, len_bytes);
	if (ret == 0)
		ret = check_fit(dev, &head);
	for (unsigned int i = 0; ret == 0 && i < le16toh(head.nr_queues); i++) {
		struct state_queue queue = queue_at(from, i);

		ret = check_queue(dev, i, &queue);
	}
	if (ret == 0)
		ret = load_queues(dev, from, le16toh(head.nr_queues));
	if (ret < 0)
		return ret;
	if (head.mtu_bytes != 0)
		__atomic_store_n(&dev->mtu_bytes, le16toh(head.mtu_bytes), __ATOMIC_RELAXED);
	if (head.flags != 0) {
		memcpy(rarp.address, head.rarp_address, sizeof(rarp.address));
		rarp.waits = 1;
		__atomic_store_n(&dev->rarp.word, rarp.word, __ATOMIC_RELEASE);
	}
	return 0;
}
