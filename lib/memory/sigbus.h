/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Files that get shorter while they are mapped. Touching what is gone raises
 * SIGBUS; from watched mappings it does not end the process: the whole mapping
 * becomes private zeroed memory, which belongs to nobody else, and is marked.
 *
 * The handler is installed with the first mapping that is watched, and passes on
 * what is not about one. An application that installs its own later has to pass
 * on what is not its own either, or goes without this.
 */
#ifndef VHOST_NG_SIGBUS_H
#define VHOST_NG_SIGBUS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Private zeroed memory where whole pages are mapped; for other threads there is always one or the
 * other. Of a process that has locked its memory, too, none is made before it is touched. False:
 * there was no room, all is as it was. For signal handlers; changes errno.
 */
bool sigbus_map_zeros(void *at, uint64_t bytes);

/* Watches whole pages. A handle for the others; -1: there are too many, and these are not. */
int sigbus_watch(void *addr, uint64_t bytes);
/* Before the pages are unmapped; nobody may touch them any more. */
void sigbus_unwatch(int handle);
/* Has the file been found cut? */
bool sigbus_cut(int handle);
/* From here on it counts as that. */
void sigbus_set_cut(int handle);

#endif
