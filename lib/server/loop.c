/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/log.h"
#include "loop.h"

struct job {
	void (*run)(void *arg);
	void *arg;
	bool done;
	struct job *next;
};

static int spawn_pthread(pthread_t *thread, const char *name, void *(*run)(void *), void *arg)
{
	int ret = pthread_create(thread, NULL, run, arg);

	if (ret == 0)
		(void)pthread_setname_np(*thread, name);
	return -ret;
}

static struct {
	pthread_mutex_t lock; /* started, jobs */
	pthread_cond_t job_done;
	pthread_t thread;
	bool started;
	struct job *jobs;
	loop_spawn_fn spawn;
	void (*tick)(void);
	int epoll_fd;
	struct loop_source wake; /* eventfd: a job was posted */
	struct loop_source timer;
} loop = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.job_done = PTHREAD_COND_INITIALIZER,
	.spawn = spawn_pthread,
	.epoll_fd = -1,
	.wake.fd = -1,
	.timer.fd = -1,
};

void loop_set_spawn(loop_spawn_fn spawn)
{
	loop.spawn = spawn;
}

bool loop_is_self(void)
{
	bool self;

	pthread_mutex_lock(&loop.lock);
	self = loop.started && pthread_equal(pthread_self(), loop.thread);
	pthread_mutex_unlock(&loop.lock);
	return self;
}

static void run_jobs(struct loop_source *source, uint32_t events)
{
	uint64_t count;
	ssize_t n = read(source->fd, &count, sizeof(count));

	(void)n;
	(void)events;
	pthread_mutex_lock(&loop.lock);
	while (loop.jobs != NULL) {
		struct job *job = loop.jobs;

		loop.jobs = job->next;
		pthread_mutex_unlock(&loop.lock);
		job->run(job->arg);
		pthread_mutex_lock(&loop.lock);
		job->done = true;
		pthread_cond_broadcast(&loop.job_done);
	}
	pthread_mutex_unlock(&loop.lock);
}

void loop_call(void (*run)(void *arg), void *arg)
{
	struct job job = { .run = run, .arg = arg };
	struct job **tail = &loop.jobs;
	uint64_t one = 1;
	ssize_t n;

	pthread_mutex_lock(&loop.lock);
	if (!loop.started || pthread_equal(pthread_self(), loop.thread)) {
		pthread_mutex_unlock(&loop.lock);
		run(arg);
		return;
	}
	while (*tail != NULL)
		tail = &(*tail)->next;
	*tail = &job;
	n = write(loop.wake.fd, &one, sizeof(one));
	(void)n;
	while (!job.done)
		pthread_cond_wait(&loop.job_done, &loop.lock);
	pthread_mutex_unlock(&loop.lock);
}

static void timer_ready(struct loop_source *source, uint32_t events)
{
	uint64_t count;
	ssize_t n = read(source->fd, &count, sizeof(count));

	(void)events;
	if (n > 0)
		loop.tick();
}

void loop_tick_enable(bool on)
{
	struct timespec period = { .tv_nsec = on ? LOOP_TICK_MS * 1000000L : 0 };
	struct itimerspec spec = { .it_interval = period, .it_value = period };

	(void)timerfd_settime(loop.timer.fd, 0, &spec, NULL);
}

static int control(int op, struct loop_source *source, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = source };

	return epoll_ctl(loop.epoll_fd, op, source->fd, &ev) < 0 ? -errno : 0;
}

int loop_add(struct loop_source *source, uint32_t events)
{
	return control(EPOLL_CTL_ADD, source, events);
}

int loop_change(struct loop_source *source, uint32_t events)
{
	return control(EPOLL_CTL_MOD, source, events);
}

void loop_remove(struct loop_source *source)
{
	(void)control(EPOLL_CTL_DEL, source, 0);
}

static void *loop_run(void *arg)
{
	(void)arg;
	for (;;) {
		struct epoll_event ev;
		struct loop_source *source;
		/* One at a time: handling it may remove any other source. */
		int n = epoll_wait(loop.epoll_fd, &ev, 1, -1);

		if (n < 0 && errno != EINTR) {
			LOG_ERR("event loop: epoll_wait failed (error %d)", errno);
			return NULL;
		}
		if (n != 1)
			continue;
		source = ev.data.ptr;
		source->ready(source, ev.events);
	}
	return NULL;
}

static void close_all(void)
{
	int *const fds[] = { &loop.epoll_fd, &loop.wake.fd, &loop.timer.fd };

	for (unsigned int i = 0; i < ARRAY_LEN(fds); i++) {
		if (*fds[i] >= 0)
			close(*fds[i]);
		*fds[i] = -1;
	}
}

static int open_all(void)
{
	int ret;

	loop.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loop.wake.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	loop.timer.fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	loop.wake.ready = run_jobs;
	loop.timer.ready = timer_ready;
	if (loop.epoll_fd < 0 || loop.wake.fd < 0 || loop.timer.fd < 0)
		return -errno;
	ret = loop_add(&loop.wake, EPOLLIN);
	return ret < 0 ? ret : loop_add(&loop.timer, EPOLLIN);
}

int loop_start(void (*tick)(void))
{
	int ret = 0;

	pthread_mutex_lock(&loop.lock);
	if (!loop.started) {
		loop.tick = tick;
		ret = open_all();
		if (ret == 0)
			ret = loop.spawn(&loop.thread, "vhost-events", loop_run, NULL);
		if (ret == 0)
			loop.started = true;
		else
			close_all();
	}
	pthread_mutex_unlock(&loop.lock);
	if (ret < 0)
		LOG_ERR("cannot start the event thread (error %d)", -ret);
	return ret;
}
