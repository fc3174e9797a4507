/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A guest that comes by postcopy: it runs here while much of its memory is
 * still where it came from. POSTCOPY_ADVISE opens a userfaultfd that we share
 * with the frontend, POSTCOPY_LISTEN makes every mapping from then on wait for
 * its pages, POSTCOPY_END says that all have come.
 *
 * A data thread that touches a page which has not come sleeps inside its gate,
 * and so may the loop thread when it looks at a ring: in a message, or for a
 * queue that is switched off. The frontend gives the page without our help; but
 * it may never do so. Therefore:
 *
 * - When its connection is gone, nobody waits any longer: device_shutdown()
 *   gives the pages up first of all.
 * - While it is there, a watch of its own (a thread, as any other may sleep)
 *   looks how long the loop thread has been at this device, which it enters by
 *   device_lock_watched(), and how long a data thread has been in a gate: the
 *   loop thread comes by regularly and looks at them. After
 *   device_postcopy_stall_ms in which none came, and if somebody waits for a
 *   page, it gives them up.
 *
 * Pages that are given up read as zeros and the device is dropped. The file,
 * which is the guest's memory, is not touched.
 *
 * This is about frontends that do not do their part. Against one that uses the
 * userfaultfd for other things there is no help (SECURITY.md).
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "device.h"
#include "memory/uffd.h"

#define WATCH_MS 100
/* So many times device_postcopy_stall_ms, if other pages come meanwhile. */
#define STALLS_MAX 6

unsigned int device_postcopy_stall_ms = 10000;

/* --- giving up --------------------------------------------------------- */

static void give_up_all(int uffd, const struct gmem *mem)
{
	for (unsigned int i = 0; mem != NULL && i < mem->nr_regions; i++)
		uffd_give_up(uffd, &mem->regions[i]->map);
}

/* Under postcopy.lock, which keeps both tables where they are. */
static void give_up(struct device *dev)
{
	give_up_all(dev->postcopy.uffd, dev->mem);
	give_up_all(dev->postcopy.uffd, dev->postcopy.proposed);
}

void device_postcopy_give_up(struct device *dev)
{
	struct device_postcopy *pc = &dev->postcopy;

	if (!pc->listening)
		return;
	pthread_mutex_lock(&pc->lock);
	give_up(dev);
	pthread_mutex_unlock(&pc->lock);
}

/* --- the watch --------------------------------------------------------- */

/* What the watch saw last of the threads that may wait. */
struct sight {
	int64_t since_ms; /* when the first of them came */
	uint64_t blocks;  /* how much memory had come, */
	int64_t news_ms;  /* and when it was less */
};

/* Of two times, of which 0 is none. */
static int64_t earlier(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

static uint64_t blocks_of(const struct gmem *mem)
{
	uint64_t blocks = 0;
	struct stat st;

	for (unsigned int i = 0; mem != NULL && i < mem->nr_regions; i++)
		if (fstat(mem->regions[i]->fd, &st) == 0)
			blocks += (uint64_t)st.st_blocks;
	return blocks;
}

/*
 * A burst may need hundreds of pages, each of which is under way for a while, so
 * it counts how long none came. But a frontend that gives all but the one has to
 * come to an end, too.
 */
static bool is_stuck(const struct device *dev, struct sight *last)
{
	const struct device_postcopy *pc = &dev->postcopy;
	int64_t since_ms = earlier(__atomic_load_n(&pc->since_ms, __ATOMIC_RELAXED),
				   __atomic_load_n(&pc->held_since_ms, __ATOMIC_RELAXED));
	int64_t now = clock_now_ms();
	uint64_t blocks;

	if (since_ms == 0)
		return false;
	blocks = blocks_of(dev->mem) + blocks_of(pc->proposed);
	if (since_ms != last->since_ms || blocks != last->blocks)
		*last = (struct sight){ since_ms, blocks, now };
	return (pc->failed || now - last->news_ms > device_postcopy_stall_ms ||
		now - since_ms > (int64_t)device_postcopy_stall_ms * STALLS_MAX) &&
	       uffd_has_waiters(pc->uffd);
}

static void sleep_a_little(struct device_postcopy *pc)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += WATCH_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	(void)pthread_cond_timedwait(&pc->ends, &pc->lock, &until);
}

static void *watch(void *arg)
{
	struct device *dev = arg;
	struct device_postcopy *pc = &dev->postcopy;
	struct sight last = { 0 };

	pthread_mutex_lock(&pc->lock);
	while (pc->watched) {
		/* More than once: it may have been a new table's page. */
		if (is_stuck(dev, &last)) {
			if (!pc->failed)
				LOG_ERR("%s: device %d: postcopy: the frontend gave no page for "
					"%u ms, or not all for %u; its memory is given up",
					dev->ifname, dev->vid, device_postcopy_stall_ms,
					device_postcopy_stall_ms * STALLS_MAX);
			__atomic_store_n(&pc->failed, true, __ATOMIC_RELEASE);
			give_up(dev);
		}
		sleep_a_little(pc);
	}
	pthread_mutex_unlock(&pc->lock);
	return NULL;
}

static void watch_stop(struct device_postcopy *pc)
{
	pthread_mutex_lock(&pc->lock);
	pc->watched = false;
	pthread_cond_signal(&pc->ends);
	pthread_mutex_unlock(&pc->lock);
	pthread_join(pc->watch, NULL);
}

void device_lock_watched(struct device *dev)
{
	/* Before it locks: whoever has the lock may wait for a page, too. */
	if (dev->postcopy.listening)
		__atomic_store_n(&dev->postcopy.since_ms, clock_now_ms(), __ATOMIC_RELAXED);
	pthread_mutex_lock(&dev->lock);
}

void device_unlock_watched(struct device *dev)
{
	device_unlock(dev);
	__atomic_store_n(&dev->postcopy.since_ms, 0, __ATOMIC_RELAXED);
}

/*
 * Who is inside at each visit is taken for one that never left; a thread that
 * comes and goes is soon found outside. Nothing is waited for or locked here: all
 * other devices of this thread would wait, too.
 */
bool device_postcopy_visit(struct device *dev)
{
	struct device_postcopy *pc = &dev->postcopy;
	int64_t now = clock_now_ms(), first = 0;

	if (!pc->listening)
		return true;
	for (unsigned int i = 0; i < dev->nr_vqs; i++) {
		struct vq *vq = dev->vqs[i];

		if (!gate_is_held(&vq->gate))
			vq->held_since_ms = 0;
		else if (vq->held_since_ms == 0)
			vq->held_since_ms = now;
		first = earlier(first, vq->held_since_ms);
	}
	__atomic_store_n(&pc->held_since_ms, first, __ATOMIC_RELAXED);
	return !device_postcopy_failed(dev);
}

/* --- the messages ------------------------------------------------------ */

void device_postcopy_init(struct device *dev)
{
	struct device_postcopy *pc = &dev->postcopy;
	pthread_condattr_t monotonic;

	pc->uffd = -1;
	pthread_mutex_init(&pc->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&pc->ends, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

int device_postcopy_advise(struct device *dev)
{
	int fd = uffd_open(), copy;

	if (fd < 0)
		return fd;
	copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (copy < 0) {
		copy = -errno;
		fd_close(&fd);
		return copy;
	}
	fd_close(&dev->postcopy.uffd);
	dev->postcopy.uffd = fd;
	return copy;
}

int device_postcopy_listen(struct device *dev)
{
	struct device_postcopy *pc = &dev->postcopy;
	int ret;

	for (unsigned int i = 0; i < dev->nr_vqs; i++)
		dev->vqs[i]->held_since_ms = 0;
	pc->watched = true;
	ret = pthread_create(&pc->watch, NULL, watch, dev);
	if (ret != 0) {
		LOG_ERR("%s: POSTCOPY_LISTEN: no thread to watch over it (error %d)", dev->ifname,
			ret);
		return -ret;
	}
	(void)pthread_setname_np(pc->watch, "vhost-postcopy");
	pc->listening = true;
	return 0;
}

void device_postcopy_propose(struct device *dev, struct gmem *mem)
{
	struct gmem *old = dev->postcopy.proposed;

	pthread_mutex_lock(&dev->postcopy.lock);
	dev->postcopy.proposed = mem;
	pthread_mutex_unlock(&dev->postcopy.lock);
	gmem_put(old);
}

void device_postcopy_end(struct device *dev)
{
	struct device_postcopy *pc = &dev->postcopy;

	if (pc->listening) {
		watch_stop(pc);
		for (unsigned int i = 0; dev->mem != NULL && i < dev->mem->nr_regions; i++)
			uffd_unregister(pc->uffd, &dev->mem->regions[i]->map);
		device_postcopy_propose(dev, NULL);
		pc->listening = false;
		pc->held_since_ms = 0;
	}
	fd_close(&pc->uffd);
}
