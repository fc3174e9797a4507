/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSTCOPY_ADVISE: the answer carries a userfaultfd, or nothing where the kernel does not let us
 * have one, which is said in the log.
 */
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "meaning.h"

static void answers_with_a_userfaultfd(void **state)
{
	char path[32], target[64];
	ssize_t len;

	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_empty(&s, VHU_POSTCOPY_ADVISE), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 0);
	assert_true(s.reply_fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", s.reply_fd);
	len = readlink(path, target, sizeof(target) - 1);
	assert_true(len > 0);
	target[len] = '\0';
	assert_string_equal(target, "anon_inode:[userfaultfd]");
	/* The other one, of the same file, is ours. */
	assert_true(s.dev->postcopy.uffd >= 0 && s.dev->postcopy.uffd != s.reply_fd);
	assert_false(s.dev->postcopy.listening);
}

/* The migration is still of the usual kind: memory is mapped as always. */
static void changes_nothing_else(void **state)
{
	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_empty(&s, VHU_POSTCOPY_ADVISE), 0);
	session_setup(&s, 2);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
}

/* An application may offer the protocol feature without the flag; that is not enough. */
static void without_the_flag(void **state)
{
	(void)state;
	s.config.flags = 0;
	session_negotiate(&s);
	assert_int_equal(session_empty(&s, VHU_POSTCOPY_ADVISE), 0);
	assert_int_equal(s.reply_fd, -1);
	assert_non_null(strstr(kit_last_line, "RTE_VHOST_USER_POSTCOPY_SUPPORT"));
}

static void many_of_them(void **state)
{
	unsigned int open;

	(void)state;
	session_negotiate(&s);
	assert_int_equal(session_empty(&s, VHU_POSTCOPY_ADVISE), 0);
	open = kit_open_fds();
	for (unsigned int i = 0; i < 5000; i++)
		assert_int_equal(session_empty(&s, VHU_POSTCOPY_ADVISE), 0);
	assert_int_equal(kit_open_fds(), open);
}

/* --- where there is none ------------------------------------------------ */

/* From here on userfaultfd() fails with `err`, in this process. */
static void forbid(uint32_t err)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_userfaultfd, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { .len = ARRAY_LEN(filter), .filter = filter };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		_exit(10);
}

/* Nobody, who may not open /dev/userfaultfd. */
static void become_nobody(void)
{
	if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
		_exit(11);
}

/* Runs in a child, whose exit status is what it says. */
static int in_child(int (*run)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(run());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* No descriptor, no closed connection, and a line that says what to change. */
static int refused_because(const char *why)
{
	session_negotiate(&s);
	if (session_empty(&s, VHU_POSTCOPY_ADVISE) != 0)
		return 1;
	if (s.reply.hdr.size_bytes != 0 || s.reply_fd >= 0)
		return 2;
	if (strstr(kit_last_line, why) == NULL)
		return 3;
	/* And it goes on with what it does not need a userfaultfd for. */
	if (session_empty(&s, VHU_POSTCOPY_LISTEN) >= 0)
		return 4;
	return session_mem_table(&s, &s.mem) == 0 ? 0 : 5;
}

static int without_the_call(void)
{
	forbid(ENOSYS);
	return refused_because("CONFIG_USERFAULTFD");
}

static int without_permission(void)
{
	become_nobody();
	forbid(EPERM);
	return refused_because("vm.unprivileged_userfaultfd");
}

/* What everybody may have is enough for us. */
static int as_nobody(void)
{
	become_nobody();
	session_negotiate(&s);
	if (session_empty(&s, VHU_POSTCOPY_ADVISE) != 0)
		return 1;
	return s.reply_fd >= 0 ? 0 : 2;
}

static void a_kernel_without(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_the_call), 0);
}

static void not_permitted(void **state)
{
	(void)state;
	assert_int_equal(in_child(without_permission), 0);
}

static void needs_no_privileges(void **state)
{
	(void)state;
	assert_int_equal(in_child(as_nobody), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_with_a_userfaultfd), TEST(changes_nothing_else),
		TEST(without_the_flag),		  TEST(many_of_them),
		TEST(a_kernel_without),		  TEST(not_permitted),
		TEST(needs_no_privileges),
	};

	return RUN(tests);
}
