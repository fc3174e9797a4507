/* SPDX-License-Identifier: BSD-3-Clause */
/* See crash.h. */
#include "crash.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void *
need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

static void
keep_state(struct crash_states *s)
{
	size_t bytes = 0, at = 0;
	uint8_t *state;

	for (unsigned i = 0; i < s->nr_memories; i++)
		bytes += s->memories[i].bytes;
	state = need(malloc(bytes));
	for (unsigned i = 0; i < s->nr_memories; i++) {
		memcpy(state + at, s->memories[i].at, s->memories[i].bytes);
		at += s->memories[i].bytes;
	}
	s->states = need(realloc(s->states, (s->nr_states + 1) * sizeof(*s->states)));
	s->states[s->nr_states++] = state;
}

static bool
has_changed(const struct crash_states *s)
{
	const uint8_t *last = s->states[s->nr_states - 1];

	for (unsigned i = 0; i < s->nr_memories; i++) {
		const struct crash_memory *m = &s->memories[i];

		if (m->watched && memcmp(last, m->at, m->bytes) != 0)
			return true;
		last += m->bytes;
	}
	return false;
}

static void __attribute__((noreturn))
child(void (*work)(void *), void *arg)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
		_exit(2);
	raise(SIGSTOP);
	work(arg);
	_exit(0);
}

int
crash_record(struct crash_states *s, const struct crash_memory *memories, unsigned nr_memories,
	     void (*work)(void *arg), void *arg)
{
	int status = 0;
	pid_t pid;

	*s = (struct crash_states) {.memories = memories, .nr_memories = nr_memories};
	keep_state(s);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		child(work, arg);
	for (;;) {
		if (waitpid(pid, &status, 0) != pid)
			return -errno;
		if (!WIFSTOPPED(status))
			break;
		if (has_changed(s))
			keep_state(s);
		/* What it does to itself ends it, as it would otherwise. */
		if (WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSTOP)
			kill(pid, SIGKILL);
		else if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0)
			return -errno;
		s->instructions++;
	}
	crash_restore(s, 0);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -ECHILD;
}

void
crash_restore(const struct crash_states *s, unsigned i)
{
	const uint8_t *state = s->states[i];

	for (unsigned m = 0; m < s->nr_memories; m++) {
		memcpy(s->memories[m].at, state, s->memories[m].bytes);
		state += s->memories[m].bytes;
	}
}

void
crash_forget(struct crash_states *s)
{
	for (unsigned i = 0; i < s->nr_states; i++)
		free(s->states[i]);
	free(s->states);
	*s = (struct crash_states) {0};
}

static void *
copy_of(const void *from, size_t bytes)
{
	return memcpy(need(malloc(bytes)), from, bytes);
}

void
crash_guest_save(struct crash_guest *saved, const struct guest_ring *vq)
{
	*saved = (struct crash_guest) {
		.ring = *vq,
		.next_free = copy_of(vq->next_free, vq->size * sizeof(*vq->next_free)),
		.order = copy_of(vq->order, vq->size * sizeof(*vq->order)),
		.chains = copy_of(vq->chains, vq->size * sizeof(*vq->chains)),
	};
}

void
crash_guest_restore(const struct crash_guest *saved, struct guest_ring *vq)
{
	*vq = saved->ring;
	memcpy(vq->next_free, saved->next_free, vq->size * sizeof(*vq->next_free));
	memcpy(vq->order, saved->order, vq->size * sizeof(*vq->order));
	memcpy(vq->chains, saved->chains, vq->size * sizeof(*vq->chains));
}

void
crash_guest_forget(struct crash_guest *saved)
{
	free(saved->next_free);
	free(saved->order);
	free(saved->chains);
	*saved = (struct crash_guest) {0};
}
