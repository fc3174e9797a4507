/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The frontend's share of a postcopy migration: guest memory whose pages are elsewhere, and a
 * thread that puts them where they belong, those that are asked for first. The guest driver (this
 * process's view of the memory) asks as well as the backend does. libc only; the test owns all of
 * it, so nothing is untrusted.
 */
#ifndef HARNESS_GUEST_POSTCOPY_H
#define HARNESS_GUEST_POSTCOPY_H

#include <pthread.h>

#include "frontend.h"

struct guest_postcopy {
	struct frontend *fe;
	int backend_uffd, guest_uffd;
	uint8_t *copy[GUEST_MAX_REGIONS]; /* of each region: what is elsewhere */
	uint64_t next_page;		  /* of the first region that is not complete, ... */
	unsigned next_region;		  /* ... to be put there without being asked for */
	pthread_t thread;
	bool runs;
	/* Atomic. */
	bool stop, pushes;
	uint64_t asked_by_backend, asked_by_guest;
};

/*
 * Takes all of fe->mem away: the files are empty from here on, and whoever reads them through
 * fe->mem waits. Then ADVISE and LISTEN; pages come when guest_postcopy_serve() is called.
 * 0 or -errno.
 */
int guest_postcopy_begin(struct guest_postcopy *p, struct frontend *fe);
/* Serves whom asks. */
int guest_postcopy_serve(struct guest_postcopy *p);
/* From here on what nobody asks for comes, too. */
void guest_postcopy_push(struct guest_postcopy *p);
bool guest_postcopy_complete(const struct guest_postcopy *p);
/* From here on nothing comes. */
void guest_postcopy_stop(struct guest_postcopy *p);
/* Forgets it all; memory is as it is. Fine at any time after guest_postcopy_begin(). */
void guest_postcopy_fini(struct guest_postcopy *p);

#endif
