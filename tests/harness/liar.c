/* SPDX-License-Identifier: BSD-3-Clause */
/* The backend that answers wrongly; see liar.h. */
#include "liar.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "frontend.h" /* the names of messages */

#define PATIENCE_MS 20000
#define AREA_BYTES 65536
#define SLOW_MS 300

const char *const liar_misdeeds[LIAR_MISDEEDS] = {
	"is honest", "answers short", "answers long", "answers another", "asks", "is silent",
	"is slow", "hangs up", "breaks off", "adds descriptors", "other descriptor", "answers twice",
	"floods",
	"refuses", "boasts", "another ring",
};

/* What came, and what is said to it. */
struct exchange {
	struct fe_header header;
	uint8_t payload[FE_MAX_PAYLOAD_BYTES];
	int fds[FE_MAX_FDS];
	unsigned nfds;
};

struct answer {
	struct fe_header header;
	union {
		uint64_t u64;
		struct fe_vring_state state;
		struct fe_inflight area;
	};
} __attribute__((packed));

static bool
stopped(struct liar *l)
{
	return __atomic_load_n(&l->stop, __ATOMIC_SEQ_CST);
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void
forget(struct liar *l)
{
	close_fd(&l->conn);
	for (unsigned i = 0; i < LIAR_RINGS_MAX; i++) {
		struct liar_ring *r = &l->rings[i];

		close_fd(&r->kickfd);
		close_fd(&r->callfd);
		*r = (struct liar_ring) {.kickfd = -1, .callfd = -1};
	}
	l->nr_regions = l->nr_tables = 0;
	l->agreed = 0;
}

/* --- reading and writing ------------------------------------------------------ */

static bool
wait_readable(struct liar *l, int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLIN};

	for (int left_ms = PATIENCE_MS; left_ms > 0 && !stopped(l); left_ms -= 20)
		if (poll(&pfd, 1, 20) == 1)
			return true;
	return false;
}

/* Descriptors come with the first byte of a message. False: the connection is at its end. */
static bool
take(struct liar *l, void *bytes, size_t len_bytes, struct exchange *x)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * FE_MAX_FDS)];
	} control;
	char *at = bytes;

	while (len_bytes > 0) {
		struct iovec iov = {.iov_base = at, .iov_len = len_bytes};
		struct msghdr msg = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control.space,
			.msg_controllen = sizeof(control.space),
		};
		ssize_t n;

		if (!wait_readable(l, l->conn))
			return false;
		n = recvmsg(l->conn, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
		if (n <= 0)
			return false;
		for (struct cmsghdr *c = CMSG_FIRSTHDR(&msg); c != NULL; c = CMSG_NXTHDR(&msg, c)) {
			unsigned count = (unsigned)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));

			if (x->nfds + count > FE_MAX_FDS)
				abort();
			memcpy(x->fds + x->nfds, CMSG_DATA(c), count * sizeof(int));
			x->nfds += count;
		}
		at += n;
		len_bytes -= (size_t)n;
	}
	return true;
}

#define FDS_MAX 4

static void
say(struct liar *l, const void *bytes, size_t len_bytes, const int *fds, size_t nfds)
{
	union {
		struct cmsghdr align;
		char space[CMSG_SPACE(sizeof(int) * FDS_MAX)];
	} control = {.space = {0}};
	struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = len_bytes};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (nfds > 0) {
		struct cmsghdr *c;

		msg.msg_control = control.space;
		msg.msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
		c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
		memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
	}
	/* Whether anybody reads it is not its business. */
	n = sendmsg(l->conn, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)n;
}

static void
say_slowly(struct liar *l, const uint8_t *bytes, size_t len_bytes)
{
	struct pollfd pfd = {.fd = l->conn};

	for (size_t i = 0; i < len_bytes && !stopped(l); i++) {
		/* Until the other side has enough of it. */
		if (poll(&pfd, 1, SLOW_MS) != 0)
			return;
		say(l, bytes + i, 1, NULL, 0);
	}
}

static void
flood(struct liar *l)
{
	static const uint8_t anything[65536] = {0x5a};

	for (unsigned i = 0; i < 16; i++)
		say(l, anything, sizeof(anything), NULL, 0);
}

/* --- answers ------------------------------------------------------------------ */

/* False: it has hung up. */
static bool
answer(struct liar *l, struct answer *a, enum liar_misdeed misdeed)
{
	const bool has_fd = a->header.request == FE_GET_INFLIGHT_FD;
	size_t bytes = sizeof(a->header) + a->header.size_bytes;
	int fds[FDS_MAX] = {l->area_fd, l->area_fd, STDERR_FILENO, l->conn};
	unsigned nfds = has_fd;

	switch (misdeed) {
	case LIAR_ANSWERS_SHORT:
		a->header.size_bytes = 4;
		bytes = sizeof(a->header) + 4;
		break;
	case LIAR_ANSWERS_LONG:
		a->header.size_bytes = UINT32_MAX;
		break;
	case LIAR_ANSWERS_ANOTHER:
		a->header.request++;
		break;
	case LIAR_ASKS:
		a->header.flags = FE_FLAG_VERSION;
		break;
	case LIAR_IS_SILENT:
		return true;
	case LIAR_IS_SLOW:
		say_slowly(l, (const uint8_t *)a, bytes);
		return true;
	case LIAR_HANGS_UP:
		return false;
	case LIAR_BREAKS_OFF:
		say(l, a, bytes - 3, fds, nfds);
		return false;
	case LIAR_ADDS_FDS:
		nfds = FDS_MAX;
		break;
	case LIAR_OTHER_FD:
		fds[0] = l->conn;
		nfds = 1;
		break;
	case LIAR_ANSWERS_TWICE:
		say(l, a, bytes, fds, nfds);
		break;
	case LIAR_REFUSES:
		a->u64 = a->header.request >= FE_SET_FEATURES && a->u64 == 0;
		break;
	case LIAR_BOASTS:
		a->u64 = UINT64_MAX;
		break;
	case LIAR_ANOTHER_RING:
		a->state.index++;
		break;
	case LIAR_IS_HONEST:
	case LIAR_FLOODS:
	case LIAR_MISDEEDS:
		break;
	}
	say(l, a, bytes, fds, nfds);
	if (misdeed == LIAR_FLOODS)
		flood(l);
	return true;
}

static struct liar_ring *
ring_of(struct liar *l, uint64_t index)
{
	return &l->rings[index % LIAR_RINGS_MAX];
}

static void
keep_fd(struct exchange *x, int *slot)
{
	close_fd(slot);
	if (x->nfds == 0)
		return;
	*slot = x->fds[0];
	x->fds[0] = -1;
}

/* Keeps what it was told. True: there is a body to answer with. */
static bool
listen_to(struct liar *l, struct exchange *x, struct answer *a)
{
	struct fe_vring_state state;
	struct fe_vring_addr addr;
	struct liar_ring *r;
	uint64_t u64;

	memcpy(&state, x->payload, sizeof(state));
	memcpy(&addr, x->payload, sizeof(addr));
	memcpy(&u64, x->payload, sizeof(u64));
	a->header.size_bytes = sizeof(a->u64);
	switch (x->header.request) {
	case FE_GET_FEATURES:
		a->u64 = l->features;
		return true;
	case FE_GET_PROTOCOL_FEATURES:
		a->u64 = l->protocol_features;
		return true;
	case FE_GET_QUEUE_NUM:
		a->u64 = l->nr_pairs;
		return true;
	case FE_GET_INFLIGHT_FD:
		a->header.size_bytes = sizeof(a->area);
		memcpy(&a->area, x->payload, sizeof(a->area));
		a->area.size_bytes = AREA_BYTES;
		return true;
	case FE_GET_MAX_MEM_SLOTS:
		a->u64 = 32;
		return true;
	case FE_SET_LOG_BASE:
		return true;
	case FE_ADD_MEM_REG:
		l->nr_regions++;
		break;
	case FE_SET_FEATURES:
		l->agreed = u64;
		break;
	case FE_SET_MEM_TABLE:
		l->nr_regions = state.index;
		l->nr_tables++;
		break;
	case FE_SET_VRING_NUM:
		ring_of(l, state.index)->num = state.num;
		break;
	case FE_SET_VRING_BASE:
		ring_of(l, state.index)->base = state.num;
		break;
	case FE_SET_VRING_ADDR:
		r = ring_of(l, addr.index);
		r->desc_uva = addr.desc_uva;
		r->avail_uva = addr.avail_uva;
		r->used_uva = addr.used_uva;
		break;
	case FE_SET_VRING_KICK:
		r = ring_of(l, u64 & 0xff);
		keep_fd(x, &r->kickfd);
		r->started = true;
		break;
	case FE_SET_VRING_CALL:
		keep_fd(x, &ring_of(l, u64 & 0xff)->callfd);
		break;
	case FE_SET_VRING_ENABLE:
		ring_of(l, state.index)->enabled = state.num != 0;
		break;
	case FE_GET_VRING_BASE:
		r = ring_of(l, state.index);
		r->started = false;
		close_fd(&r->kickfd);
		close_fd(&r->callfd);
		a->state = (struct fe_vring_state) {state.index, r->base};
		return true;
	default:
		break;
	}
	return false;
}

/* Is it time for it? */
static enum liar_misdeed
choose(struct liar *l, uint32_t request)
{
	if (l->misdeed == LIAR_IS_HONEST || (l->at_request != 0 && l->at_request != request))
		return LIAR_IS_HONEST;
	if (l->skip > 0) {
		l->skip--;
		return LIAR_IS_HONEST;
	}
	l->misdeeds++;
	return l->misdeed;
}

/* One message. False: that was the last one. */
static bool
serve(struct liar *l)
{
	struct exchange x = {.nfds = 0};
	struct answer a = {.u64 = 0};
	enum liar_misdeed misdeed = LIAR_IS_HONEST;
	bool goes_on = false, answers;

	if (!take(l, &x.header, sizeof(x.header), &x) || x.header.size_bytes > sizeof(x.payload) ||
	    !take(l, x.payload, x.header.size_bytes, &x))
		goto out;
	a.header = (struct fe_header) {x.header.request, FE_FLAG_VERSION | FE_FLAG_REPLY, 0};
	pthread_mutex_lock(&l->lock);
	answers = listen_to(l, &x, &a) || (x.header.flags & FE_FLAG_NEED_REPLY) != 0;
	if (answers)
		misdeed = choose(l, x.header.request);
	pthread_mutex_unlock(&l->lock);
	goes_on = !answers || answer(l, &a, misdeed);
out:
	for (unsigned i = 0; i < x.nfds; i++)
		close_fd(&x.fds[i]);
	return goes_on;
}

static void *
run(void *arg)
{
	struct liar *l = arg;

	while (!stopped(l)) {
		struct pollfd pfd = {.fd = l->conn >= 0 ? l->conn : l->listener, .events = POLLIN};

		if (poll(&pfd, 1, 20) != 1)
			continue;
		if (l->conn < 0) {
			int fd = accept4(l->listener, NULL, NULL, SOCK_CLOEXEC);

			pthread_mutex_lock(&l->lock);
			l->conn = fd;
			l->connections += fd >= 0;
			pthread_mutex_unlock(&l->lock);
		} else if (!serve(l)) {
			pthread_mutex_lock(&l->lock);
			forget(l);
			pthread_mutex_unlock(&l->lock);
		}
	}
	return NULL;
}

/* --- ------------------------------------------------------------------------------ */

void
liar_init(struct liar *l, const char *path)
{
	memset(l, 0, sizeof(*l));
	l->path = path;
	l->features = FE_F_VERSION_1 | FE_F_RING_PACKED | FE_F_MQ | FE_F_MRG_RXBUF |
		      FE_F_INDIRECT_DESC | FE_F_EVENT_IDX | FE_F_PROTOCOL_FEATURES;
	l->nr_pairs = 4;
	l->listener = l->conn = l->area_fd = -1;
	for (unsigned i = 0; i < LIAR_RINGS_MAX; i++)
		l->rings[i] = (struct liar_ring) {.kickfd = -1, .callfd = -1};
	pthread_mutex_init(&l->lock, NULL);
	liar_offers(l, 1u << FE_PROTOCOL_F_MQ | 1u << FE_PROTOCOL_F_REPLY_ACK |
		       1u << FE_PROTOCOL_F_INFLIGHT_SHMFD);
}

int
liar_start(struct liar *l)
{
	l->stop = false;
	l->listener = fe_listen(l->path);
	if (l->listener < 0)
		return l->listener;
	l->area_fd = memfd_create("in-flight area", MFD_CLOEXEC);
	if (l->area_fd < 0 || ftruncate(l->area_fd, AREA_BYTES) < 0)
		abort();
	if (pthread_create(&l->thread, NULL, run, l) != 0)
		abort();
	return 0;
}

void
liar_stop(struct liar *l)
{
	if (l->listener < 0)
		return;
	__atomic_store_n(&l->stop, true, __ATOMIC_SEQ_CST);
	pthread_join(l->thread, NULL);
	forget(l);
	close_fd(&l->listener);
	close_fd(&l->area_fd);
	unlink(l->path);
}

void
liar_does(struct liar *l, enum liar_misdeed misdeed, uint32_t request, unsigned skip)
{
	pthread_mutex_lock(&l->lock);
	l->misdeed = misdeed;
	l->at_request = request;
	l->skip = skip;
	l->misdeeds = 0;
	pthread_mutex_unlock(&l->lock);
}

void
liar_hang_up(struct liar *l)
{
	pthread_mutex_lock(&l->lock);
	if (l->conn >= 0)
		(void)shutdown(l->conn, SHUT_RDWR);
	pthread_mutex_unlock(&l->lock);
}

void
liar_look(struct liar *l, struct liar_view *view)
{
	pthread_mutex_lock(&l->lock);
	*view = (struct liar_view) {
		.connected = l->conn >= 0,
		.misdeeds = l->misdeeds,
		.connections = l->connections,
		.nr_regions = l->nr_regions,
		.nr_tables = l->nr_tables,
		.agreed = l->agreed,
	};
	memcpy(view->rings, l->rings, sizeof(view->rings));
	pthread_mutex_unlock(&l->lock);
	for (unsigned i = 0; i < LIAR_RINGS_MAX; i++)
		view->nr_running += view->rings[i].started && view->rings[i].enabled;
}

void
liar_offers(struct liar *l, uint64_t protocol_features)
{
	pthread_mutex_lock(&l->lock);
	l->protocol_features = protocol_features;
	pthread_mutex_unlock(&l->lock);
}
