/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * userfaultfd, for guest memory that has not all come yet (postcopy migration).
 * Who touches a page of a registered mapping that its file does not hold sleeps
 * in the kernel until the frontend, which has the userfaultfd too, has put the
 * page there.
 */
#ifndef VHOST_NG_UFFD_H
#define VHOST_NG_UFFD_H

#include "filemap.h"

/*
 * Non-blocking, its interface agreed on. Returns it, or -errno after saying what to change: -EPERM
 * (may not be used), -ENOSYS (the kernel has none), -ENOTSUP (none for shared memory).
 */
int uffd_open(void);

/* From here on missing pages are waited for. Nobody may have touched them before. 0 or -errno. */
int uffd_register(int uffd, const struct filemap *m);
/* All pages have come; what is missing now is zeros. Wakes who waits. */
void uffd_unregister(int uffd, const struct filemap *m);
/*
 * The pages will not come: the mapping becomes private zeroed memory, marked as cut, and who waits
 * goes on with that. The file stays as it is. Any thread.
 */
void uffd_give_up(int uffd, struct filemap *m);

/* Does any thread of ours wait for a page? */
bool uffd_has_waiters(int uffd);

#endif
