/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Requests in flight, for applications that serve rings themselves.
 */
#include "device/device.h"

/* The queue of a device, locked, if it has an area. */
static struct vq *lock_with_area(int vid, uint16_t index)
{
	struct vq *vq = device_vq(vid, index);

	if (vq == NULL)
		return NULL;
	pthread_mutex_lock(&vq->inflight_lock);
	if (vq->inflight.area != NULL)
		return vq;
	pthread_mutex_unlock(&vq->inflight_lock);
	return NULL;
}

/*
 * The queue whose chains are to be recorded, locked; or NULL and what to answer:
 * 0 if the frontend does not want records, -1 if there is nothing of the kind.
 */
static struct vq *lock_tracked(int vid, uint16_t index, enum ring_kind kind, int *answer)
{
	struct device *dev = device_slot(vid);
	struct vq *vq;

	*answer = -1;
	if (dev == NULL || !__atomic_load_n(&dev->in_use, __ATOMIC_RELAXED))
		return NULL;
	if ((__atomic_load_n(&dev->protocol_features, __ATOMIC_RELAXED) &
	     BIT(VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD)) == 0) {
		*answer = 0;
		return NULL;
	}
	vq = lock_with_area(vid, index);
	if (vq == NULL || vq->inflight.kind == kind)
		return vq;
	pthread_mutex_unlock(&vq->inflight_lock);
	return NULL;
}

static int unlock_tracked(struct vq *vq, int ret)
{
	pthread_mutex_unlock(&vq->inflight_lock);
	return ret < 0 ? -1 : 0;
}

int rte_vhost_set_inflight_desc_split(int vid, uint16_t vring_idx, uint16_t idx)
{
	int answer;
	struct vq *vq = lock_tracked(vid, vring_idx, RING_SPLIT, &answer);

	return vq == NULL ? answer :
			    unlock_tracked(vq, inflight_split_fetched(&vq->inflight, idx));
}

int rte_vhost_set_last_inflight_io_split(int vid, uint16_t vring_idx, uint16_t idx)
{
	int answer;
	struct vq *vq = lock_tracked(vid, vring_idx, RING_SPLIT, &answer);

	return vq == NULL ? answer :
			    unlock_tracked(vq, inflight_split_completing(&vq->inflight, idx));
}

int rte_vhost_clr_inflight_desc_split(int vid, uint16_t vring_idx, uint16_t last_used_idx,
				      uint16_t idx)
{
	int answer;
	struct vq *vq = lock_tracked(vid, vring_idx, RING_SPLIT, &answer);

	return vq == NULL ? answer :
			    unlock_tracked(vq, inflight_split_completed(&vq->inflight, idx,
									last_used_idx));
}

int rte_vhost_set_inflight_desc_packed(int vid, uint16_t vring_idx, uint16_t head, uint16_t last,
				       uint16_t *inflight_entry)
{
	int ret = -1, answer;
	struct vq *vq = lock_tracked(vid, vring_idx, RING_PACKED, &answer);

	if (vq == NULL)
		return answer;
	if (inflight_entry != NULL && vring_attached(&vq->ring))
		ret = inflight_packed_fetched(&vq->inflight, &vq->ring, head, last, inflight_entry);
	return unlock_tracked(vq, ret);
}

int rte_vhost_set_last_inflight_io_packed(int vid, uint16_t vring_idx, uint16_t head)
{
	int answer;
	struct vq *vq = lock_tracked(vid, vring_idx, RING_PACKED, &answer);

	return vq == NULL ? answer :
			    unlock_tracked(vq, inflight_packed_completing(&vq->inflight, head));
}

int rte_vhost_clr_inflight_desc_packed(int vid, uint16_t vring_idx, uint16_t head)
{
	int answer;
	struct vq *vq = lock_tracked(vid, vring_idx, RING_PACKED, &answer);

	return vq == NULL ? answer :
			    unlock_tracked(vq, inflight_packed_completed(&vq->inflight, head));
}

int rte_vhost_get_vhost_ring_inflight(int vid, uint16_t vring_idx,
				      struct rte_vhost_ring_inflight *vring)
{
	struct vq *vq = vring != NULL ? lock_with_area(vid, vring_idx) : NULL;

	if (vq == NULL)
		return -1;
	vring->inflight_split =
		GUEST_FORCE(struct rte_vhost_inflight_info_split *, vq->inflight.area);
	/* Who has done them again frees the list. */
	vring->resubmit_inflight = vq->resubmit.resubmit_list != NULL ? &vq->resubmit : NULL;
	return unlock_tracked(vq, 0);
}

int rte_vhost_get_vring_base_from_inflight(int vid, uint16_t queue_id, uint16_t *last_avail_idx,
					   uint16_t *last_used_idx)
{
	bool wanted = last_avail_idx != NULL && last_used_idx != NULL;
	struct vq *vq = wanted ? lock_with_area(vid, queue_id) : NULL;
	int ret = -1;

	if (vq == NULL)
		return -1;
	/* Only a packed ring needs it: the other kind has its used index in the ring. */
	if (vq->inflight.kind == RING_PACKED) {
		*last_used_idx = inflight_packed_used(&vq->inflight);
		*last_avail_idx = *last_used_idx;
		ret = 0;
	}
	return unlock_tracked(vq, ret);
}
