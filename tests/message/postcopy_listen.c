/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * POSTCOPY_LISTEN: memory is agreed on in steps, its missing pages are waited for, and nobody waits
 * for ever.
 */
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "postcopy.h"

/* Neither in the rings, which lie at the beginning, nor in the file. */
#define FAR_PAGE 200

/* The table comes back, and is used when the frontend says so. */
static void a_table_in_steps(void **state)
{
	(void)state;
	listening();
	assert_int_equal(session_mem_table(&s, &s.mem), 0);
	assert_int_equal(s.reply.hdr.size_bytes, 8 + s.mem.nregions * sizeof(struct vhu_region));
	assert_int_equal(s.reply.payload.mem.nr_regions, s.mem.nregions);
	/* Not before the frontend knows whose pages we will ask for. */
	assert_null(s.dev->mem);
	assert_true(session_addr(&s, 0) < 0);
	assert_int_equal(ack(VHU_SET_MEM_TABLE), 0);
	assert_non_null(s.dev->mem);
}

static void each_region_has_its_own(void **state)
{
	uint64_t addresses[VHU_REGIONS_MAX];

	(void)state;
	listening();
	assert_int_equal(session_mem_table(&s, &s.mem), 0);
	for (unsigned int i = 0; i < s.mem.nregions; i++) {
		const struct vhu_region *got = &s.reply.payload.mem.regions[i];

		assert_int_equal(got->gpa, s.mem.regions[i].gpa);
		assert_int_equal(got->size_bytes, s.mem.regions[i].size_bytes);
		assert_int_equal(got->mmap_offset_bytes, s.mem.regions[i].mmap_offset_bytes);
		addresses[i] = got->uva;
	}
	assert_int_equal(ack(VHU_SET_MEM_TABLE), 0);
	for (unsigned int i = 0; i < s.mem.nregions; i++)
		assert_int_equal(addresses[i], (uintptr_t)s.dev->mem->regions[i]->host);
}

static int add(unsigned int i)
{
	const struct guest_region *g = &s.mem.regions[i];
	const struct vhu_region r = { .gpa = g->gpa,
				      .size_bytes = g->size_bytes,
				      .uva = g->uva,
				      .mmap_offset_bytes = g->mmap_offset_bytes };

	return session_mem_reg(&s, VHU_ADD_MEM_REG, &r, g->fd);
}

/* One answer each, one word of the frontend for all of them. */
static void regions_one_by_one(void **state)
{
	uint64_t first, second;

	(void)state;
	listening();
	assert_int_equal(add(0), 0);
	assert_int_equal(s.reply.hdr.size_bytes, sizeof(struct vhu_mem_reg));
	first = s.reply.payload.reg.region.uva;
	assert_int_equal(add(1), 0);
	second = s.reply.payload.reg.region.uva;
	assert_null(s.dev->mem);
	assert_int_equal(ack(VHU_ADD_MEM_REG), 0);
	assert_int_equal(s.dev->mem->nr_regions, 2);
	assert_int_equal((uintptr_t)s.dev->mem->regions[0]->host, first);
	assert_int_equal((uintptr_t)s.dev->mem->regions[1]->host, second);
	/* Again, as a frontend with several queue pairs has it. */
	assert_int_equal(add(0), 0);
	assert_int_equal(s.reply.payload.reg.region.uva, first);
	assert_int_equal(ack(VHU_ADD_MEM_REG), 0);
	assert_int_equal(s.dev->mem->nr_regions, 2);
	/* Once is enough. */
	assert_true(ack(VHU_ADD_MEM_REG) < 0);
}

static void memory(void)
{
	assert_int_equal(session_mem_table(&s, &s.mem), 0);
	assert_int_equal(ack(VHU_SET_MEM_TABLE), 0);
}

static void a_missing_page_is_waited_for(void **state)
{
	struct reader r;

	(void)state;
	listening();
	memory();
	reader_start(&r, missing_page(FAR_PAGE) + 17, NULL);
	assert_int_equal(wanted_page(), (uintptr_t)missing_page(FAR_PAGE));
	give_page((uintptr_t)missing_page(FAR_PAGE), 0x5a);
	assert_int_equal(reader_end(&r), 0x5a);
	/* It is in the guest's memory, not in ours only. */
	assert_int_equal(s.mem.regions[0].local[FAR_PAGE * PAGE], 0x5a);
}

static void a_page_that_is_there_is_not(void **state)
{
	(void)state;
	s.mem.regions[0].local[FAR_PAGE * PAGE] = 0x77;
	listening();
	memory();
	assert_int_equal(*missing_page(FAR_PAGE), 0x77);
}

/* A process that locks its memory has all mappings filled: these must not be. */
static void even_with_locked_memory(void **state)
{
	struct rlimit limit;
	pid_t pid;
	int status;

	(void)state;
	/* Where little may be locked there is little to fear. */
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	if (geteuid() != 0 && limit.rlim_cur < 64 << 20)
		return;
	pid = fork();
	if (pid == 0) {
		struct reader r;

		if (mlockall(MCL_FUTURE) != 0)
			_exit(3);
		listening();
		memory();
		if (page_in_file(FAR_PAGE))
			_exit(1);
		reader_start(&r, missing_page(FAR_PAGE), NULL);
		give_page(wanted_page(), 3);
		_exit(reader_end(&r) == 3 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* What is read instead of a guest's memory is not made before it is read. */
static void nor_is_what_is_given_up_filled(void **state)
{
	struct rlimit limit;
	pid_t pid;
	int status;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
	if (geteuid() != 0 && limit.rlim_cur < 64 << 20)
		return;
	pid = fork();
	if (pid == 0) {
		unsigned char resident = 0;

		if (mlockall(MCL_FUTURE) != 0)
			_exit(3);
		listening();
		memory();
		device_postcopy_give_up(s.dev);
		if (mincore(missing_page(FAR_PAGE), PAGE, &resident) != 0 || resident != 0)
			_exit(1);
		_exit(*missing_page(FAR_PAGE) == 0 ? 0 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* --- pages that never come ---------------------------------------------- */

/* Up to where queue 0 could be served. */
static void with_queue(void)
{
	listening();
	memory();
	session_ring(&s, 0);
	session_ring(&s, 1);
	session_enable(&s, 0, true);
	session_enable(&s, 1, true);
	assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
}

/* What is waited for in vain is zero, for us; the guest's memory is not touched. */
static void gave_up(struct reader *r)
{
	assert_int_equal(reader_end(r), 0);
	assert_false(page_in_file(FAR_PAGE));
	assert_true(device_memory_is_cut(s.dev));
}

static void who_waits_is_woken_when_the_frontend_goes(void **state)
{
	struct reader r;

	(void)state;
	with_queue();
	reader_start(&r, missing_page(FAR_PAGE), &session_vq(&s, 0)->gate);
	(void)wanted_page();
	device_shutdown(s.dev);
	gave_up(&r);
	/* It was not that the frontend did wrong. */
	assert_false(device_postcopy_failed(s.dev));
}

/* As the loop thread does, until the device has to go. */
static bool visits_fail(void)
{
	for (unsigned int ms = 0; ms < TIMEOUT_MS; ms += 20) {
		if (!device_postcopy_visit(s.dev))
			return true;
		usleep(20000);
	}
	return false;
}

/* The loop thread comes by and finds a thread in a gate, again and again. */
static void a_data_thread_does_not_wait_for_ever(void **state)
{
	struct reader r;

	(void)state;
	device_postcopy_stall_ms = 300;
	with_queue();
	assert_true(device_postcopy_visit(s.dev));
	reader_start(&r, missing_page(FAR_PAGE), &session_vq(&s, 1)->gate);
	(void)wanted_page();
	assert_true(visits_fail());
	gave_up(&r);
	assert_true(device_postcopy_failed(s.dev));
}

static void *visit_often(void *stop)
{
	while (!__atomic_load_n((bool *)stop, __ATOMIC_ACQUIRE))
		(void)device_postcopy_visit(s.dev);
	return NULL;
}

/* Visits cost nobody anything: not a burst in another queue, nor the loop thread's other devices. */
static void visits_are_not_noticed(void **state)
{
	struct gate *gate;
	pthread_t visitor;
	bool stop = false;
	struct reader r;

	(void)state;
	with_queue();
	gate = &session_vq(&s, 0)->gate;
	reader_start(&r, missing_page(FAR_PAGE), &session_vq(&s, 1)->gate);
	(void)wanted_page();
	/* This one would wait as long as the reader. */
	assert_true(device_postcopy_visit(s.dev));
	assert_int_equal(pthread_create(&visitor, NULL, visit_often, &stop), 0);
	for (unsigned int i = 0; i < 1000000; i++) {
		assert_true(gate_try_enter(gate));
		gate_exit(gate);
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(visitor, NULL), 0);
	give_page((uintptr_t)missing_page(FAR_PAGE), 9);
	assert_int_equal(reader_end(&r), 9);
}

/* Nor is a thread that is often inside taken for one that never leaves. */
static void who_comes_and_goes_is_not_stuck(void **state)
{
	struct gate *gate;

	(void)state;
	with_queue();
	gate = &session_vq(&s, 0)->gate;
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(gate_try_enter(gate));
		assert_true(device_postcopy_visit(s.dev));
		assert_int_not_equal(s.dev->postcopy.held_since_ms, 0);
		gate_exit(gate);
		assert_true(device_postcopy_visit(s.dev));
		assert_int_equal(s.dev->postcopy.held_since_ms, 0);
	}
}

/* Nor does a message, which closes gates as well. */
static void a_message_does_not_last_for_ever(void **state)
{
	struct reader r;

	(void)state;
	device_postcopy_stall_ms = 300;
	with_queue();
	reader_start(&r, missing_page(FAR_PAGE), &session_vq(&s, 0)->gate);
	(void)wanted_page();
	assert_int_equal(session_state(&s, VHU_SET_VRING_ENABLE, 0, 0), 0);
	gave_up(&r);
	assert_true(device_postcopy_failed(s.dev));
}

/* The page of a ring, which the message that starts it looks at itself. */
static void nor_does_the_start_of_a_ring(void **state)
{
	struct vhu_vring_addr addr = session_addr_of(&s, 0);
	uint64_t base = addr.desc - s.mem.regions[0].gpa;

	(void)state;
	device_postcopy_stall_ms = 300;
	listening();
	memory();
	base = s.mem.regions[0].uva + FAR_PAGE * PAGE;
	addr.desc = base;
	addr.avail = base + PAGE;
	addr.used = base + 2 * PAGE;
	assert_int_equal(session_state(&s, VHU_SET_VRING_NUM, 0, 64), 0);
	assert_int_equal(session_send(&s, VHU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_CALL, 0, -1), 0);
	assert_int_equal(session_fd(&s, VHU_SET_VRING_KICK, 0, -1), 0);
	(void)session_state(&s, VHU_SET_VRING_ENABLE, 0, 1);
	assert_true(device_postcopy_failed(s.dev));
	assert_true(device_memory_is_cut(s.dev));
	assert_false(page_in_file(FAR_PAGE + 2));
}

#define MANY_PAGES 10

/* Touches pages one after the other, in a gate. */
struct reader_of_many {
	struct gate *gate;
	unsigned int sum;
	bool inside; /* atomic */
};

static void *read_many(void *arg)
{
	struct reader_of_many *r = arg;
	bool in = gate_enter(r->gate);

	__atomic_store_n(&r->inside, true, __ATOMIC_RELEASE);
	for (unsigned int i = 0; in && i < MANY_PAGES; i++)
		r->sum += *(volatile uint8_t *)missing_page(FAR_PAGE + i);
	gate_exit(r->gate);
	return NULL;
}

/* Each after a while, as long as pages are asked for. */
static void *give_many(void *arg)
{
	struct pollfd pfd = { .fd = s.reply_fd, .events = POLLIN };

	(void)arg;
	for (unsigned int i = 0; i < MANY_PAGES && poll(&pfd, 1, 2000) == 1; i++) {
		uint64_t page = wanted_page();

		usleep(250000);
		try_give_page(page, 1);
	}
	return NULL;
}

/* A frontend that is only slow is waited for. */
static void slow_is_not_never(void **state)
{
	struct reader r;

	(void)state;
	with_queue();
	reader_start(&r, missing_page(FAR_PAGE), &session_vq(&s, 0)->gate);
	(void)wanted_page();
	for (unsigned int i = 0; i < 15; i++, usleep(20000))
		assert_true(device_postcopy_visit(s.dev));
	give_page((uintptr_t)missing_page(FAR_PAGE), 9);
	assert_true(device_postcopy_visit(s.dev));
	assert_int_equal(reader_end(&r), 9);
	assert_false(device_memory_is_cut(s.dev));
}

/* A burst that needs many pages, none of which takes long, but all together they do. */
static void many_pages_in_a_burst(void **state)
{
	static struct reader_of_many many;
	pthread_t thread, giver;
	bool kept;

	(void)state;
	device_postcopy_stall_ms = 1000;
	with_queue();
	many = (struct reader_of_many){ .gate = &session_vq(&s, 1)->gate };
	assert_int_equal(pthread_create(&thread, NULL, read_many, &many), 0);
	assert_int_equal(pthread_create(&giver, NULL, give_many, NULL), 0);
	while (!__atomic_load_n(&many.inside, __ATOMIC_ACQUIRE))
		sched_yield();
	do {
		kept = device_postcopy_visit(s.dev);
		usleep(20000);
	} while (kept && gate_is_held(many.gate));
	assert_int_equal(pthread_join(thread, NULL), 0);
	device_postcopy_give_up(s.dev);
	assert_int_equal(pthread_join(giver, NULL), 0);
	assert_true(kept);
	assert_int_equal(many.sum, MANY_PAGES);
}

/* All pages come but the one. */
static void *fill_file(void *stop)
{
	for (unsigned int i = FAR_PAGE + 1; !__atomic_load_n((bool *)stop, __ATOMIC_ACQUIRE); i++) {
		assert_int_equal(pwrite(s.mem.regions[0].fd, "x", 1, (off_t)i * PAGE), 1);
		usleep(50000);
	}
	return NULL;
}

static void other_pages_do_not_help_for_ever(void **state)
{
	struct reader r;
	pthread_t filler;
	bool stop = false;

	(void)state;
	device_postcopy_stall_ms = 300;
	with_queue();
	reader_start(&r, missing_page(FAR_PAGE), &session_vq(&s, 1)->gate);
	(void)wanted_page();
	assert_int_equal(pthread_create(&filler, NULL, fill_file, &stop), 0);
	assert_true(visits_fail());
	__atomic_store_n(&stop, true, __ATOMIC_RELEASE);
	assert_int_equal(pthread_join(filler, NULL), 0);
	gave_up(&r);
}

/* The frontend was told where memory will be, and went before it said that it knows. */
static void never_acknowledged(void **state)
{
	(void)state;
	listening();
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(session_mem_table(&s, &s.mem), 0);
}

static int usual_limit(void **state)
{
	device_postcopy_stall_ms = TIMEOUT_MS;
	return setup(state);
}

#define LISTEN(name) cmocka_unit_test_setup_teardown(name, usual_limit, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LISTEN(a_table_in_steps),
		LISTEN(each_region_has_its_own),
		LISTEN(regions_one_by_one),
		LISTEN(a_missing_page_is_waited_for),
		LISTEN(a_page_that_is_there_is_not),
		LISTEN(even_with_locked_memory),
		LISTEN(nor_is_what_is_given_up_filled),
		LISTEN(who_waits_is_woken_when_the_frontend_goes),
		LISTEN(a_data_thread_does_not_wait_for_ever),
		LISTEN(visits_are_not_noticed),
		LISTEN(who_comes_and_goes_is_not_stuck),
		LISTEN(a_message_does_not_last_for_ever),
		LISTEN(nor_does_the_start_of_a_ring),
		LISTEN(slow_is_not_never),
		LISTEN(many_pages_in_a_burst),
		LISTEN(other_pages_do_not_help_for_ever),
		LISTEN(never_acknowledged),
	};

	return RUN(tests);
}
