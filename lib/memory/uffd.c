/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "uffd.h"

#define OPEN_FLAGS (O_CLOEXEC | O_NONBLOCK)

static int open_syscall(int flags)
{
	long fd = syscall(SYS_userfaultfd, OPEN_FLAGS | flags);

	return fd < 0 ? -errno : (int)fd;
}

/* Linux 6.1: who may open the file may have one. */
static int open_device(void)
{
	int fd = -EPERM;
#ifdef USERFAULTFD_IOC_NEW
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);

	if (device < 0)
		return -errno;
	fd = ioctl(device, USERFAULTFD_IOC_NEW, OPEN_FLAGS);
	if (fd < 0)
		fd = -errno;
	close(device);
#endif
	return fd;
}

/* The last resort serves our own accesses, which are all of user mode. */
static int open_any(void)
{
	int fd = open_syscall(0);

	if (fd != -EPERM)
		return fd;
	fd = open_device();
	if (fd >= 0)
		return fd;
#ifdef UFFD_USER_MODE_ONLY
	fd = open_syscall(UFFD_USER_MODE_ONLY);
	if (fd >= 0)
		LOG_INFO("postcopy: userfaultfd for accesses from user mode only: system calls "
			 "that are given guest memory which has not come yet fail; to change that "
			 "set vm.unprivileged_userfaultfd to 1");
	return fd == -EINVAL ? -EPERM : fd;
#else
	return -EPERM;
#endif
}

int uffd_open(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	int fd = open_any();

	if (fd == -EPERM)
		LOG_ERR("postcopy: userfaultfd is not permitted: set vm.unprivileged_userfaultfd to 1, "
			"or give this process access to /dev/userfaultfd or CAP_SYS_PTRACE");
	else if (fd == -ENOSYS)
		LOG_ERR("postcopy: no userfaultfd here: use a kernel with CONFIG_USERFAULTFD, and no "
			"seccomp filter that hides it");
	else if (fd < 0)
		LOG_ERR("postcopy: cannot open a userfaultfd (error %d)", -fd);
	if (fd < 0)
		return fd;
	if (ioctl(fd, UFFDIO_API, &api) < 0 || (api.features & UFFD_FEATURE_MISSING_SHMEM) == 0) {
		LOG_ERR("postcopy: userfaultfd does not know shared memory: use Linux 4.11 or later");
		close(fd);
		return -ENOTSUP;
	}
	return fd;
}

static struct uffdio_range range_of(const struct filemap *m)
{
	return (struct uffdio_range){ .start = (uintptr_t)m->mmap_addr, .len = m->mmap_size_bytes };
}

int uffd_register(int uffd, const struct filemap *m)
{
	struct uffdio_register reg = { .range = range_of(m),
				       .mode = UFFDIO_REGISTER_MODE_MISSING };

	if (ioctl(uffd, UFFDIO_REGISTER, &reg) < 0)
		return -errno;
	/* What the frontend needs to put a page there. */
	return (reg.ioctls & BIT(_UFFDIO_COPY)) != 0 ? 0 : -ENOTSUP;
}

void uffd_unregister(int uffd, const struct filemap *m)
{
	struct uffdio_range range = range_of(m);

	(void)ioctl(uffd, UFFDIO_UNREGISTER, &range);
}

void uffd_give_up(int uffd, struct filemap *m)
{
	struct uffdio_range range = range_of(m);

	/* Who comes from here on finds the new mapping; who slept in the old one is woken. */
	filemap_cut(m);
	(void)ioctl(uffd, UFFDIO_WAKE, &range);
}

bool uffd_has_waiters(int uffd)
{
	char path[32], line[64];
	uint64_t total = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", uffd);
	info = fopen(path, "re");
	/* Without /proc: the worst. */
	if (info == NULL)
		return true;
	while (fgets(line, sizeof(line), info) != NULL &&
	       sscanf(line, "total: %" SCNu64, &total) != 1)
		;
	fclose(info);
	return total != 0;
}
