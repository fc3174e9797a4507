/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How an application gets at what a queue has in flight, whatever state the queue
 * is in: inside its gate or, while that is closed (the queue is off, or a callback
 * runs), with the device locked.
 */
#ifndef VHOST_NG_VISIT_H
#define VHOST_NG_VISIT_H

#include "device.h"

struct visit {
	struct vq *vq;
	struct device *locked; /* NULL: inside the gate */
};

/* Waits for whoever else is there. The device may be one that is in use no more. */
void visit_enter(struct visit *v, struct vq *vq);
/* False, and nothing to end, when control is at it. */
bool visit_try_enter(struct visit *v, struct vq *vq);
void visit_end(struct visit *v);

/* Is it a queue of a device that is in use? */
static inline bool visit_is_live(const struct visit *v)
{
	return v->locked == NULL || (v->locked->in_use && v->vq->index < v->locked->nr_vqs);
}

#endif
