/* SPDX-License-Identifier: BSD-3-Clause */
#include "visit.h"

/* The gate is closed: nobody is inside, and who opens it needs the lock. */
static bool enter_locked(struct visit *v, struct vq *vq)
{
	if (gate_is_closed(&vq->gate)) {
		*v = (struct visit){ vq, vq->dev };
		return true;
	}
	pthread_mutex_unlock(&vq->dev->lock);
	return false;
}

void visit_enter(struct visit *v, struct vq *vq) NO_THREAD_SAFETY
{
	for (;;) {
		if (gate_enter(&vq->gate)) {
			*v = (struct visit){ vq, NULL };
			return;
		}
		/* It may open at any time until the lock is ours. */
		pthread_mutex_lock(&vq->dev->lock);
		if (enter_locked(v, vq))
			return;
	}
}

bool visit_try_enter(struct visit *v, struct vq *vq) NO_THREAD_SAFETY
{
	if (gate_enter(&vq->gate)) {
		*v = (struct visit){ vq, NULL };
		return true;
	}
	return pthread_mutex_trylock(&vq->dev->lock) == 0 && enter_locked(v, vq);
}

void visit_end(struct visit *v) NO_THREAD_SAFETY
{
	if (v->locked != NULL)
		pthread_mutex_unlock(&v->locked->lock);
	else
		gate_exit(&v->vq->gate);
}
