/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No wake-up is lost: `wakeup SWITCH [part of a test's name]` runs the switch with --poll=interrupt
 * and two guests that send one frame at a time, many thousand times, each after a pause that is
 * made to end when the worker is about to fall asleep, and wait for it at the other guest. A frame
 * that a sleeping worker does not hear of stays where it is: nothing else will move it.
 *
 * The guests are ours (tests/harness), so that the pauses are exact and both ring formats, with
 * and without event index, have their turn. Time limits are generous: what takes longer is lost.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "frontend.h"
#include "guest_net.h"
#include "guest_packed.h"
#include "guest_split.h"
#include "patience.h"
#include "tap.h"

#define PATIENCE_MS 30000
#define ROUNDS 10000
/* So many kicks, at least; a worker that a busy machine keeps awake gets more rounds to sleep in. */
#define KICKS_WANTED (ROUNDS / 20)
#define MORE_ROUNDS_NS (120000000 * US)
#define FRAME_BYTES 60
#define US 1000ull /* in ns */

static const char *switch_path;
static pid_t switch_pid = -1;
static char folder[] = "/tmp/vswitch-wakeup-XXXXXX";
static struct frontend guests[2];
static struct guest_tx tx[2];
static struct guest_rx rx[2];

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static uint32_t
random_below(uint32_t n)
{
	static uint32_t state = 1;

	state = state * 1664525u + 1013904223u;
	return (state >> 8) % n;
}

static const char *
in_folder(const char *name)
{
	static char path[2][128];
	static unsigned turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", folder, name);
	return path[turn];
}

static void
start_switch(void)
{
	char ports[2][128];

	for (int i = 0; i < 2; i++)
		snprintf(ports[i], sizeof(ports[i]), "--port=%s/%c.sock", folder, 'a' + i);
	switch_pid = fork();
	CHECK(switch_pid >= 0);
	if (switch_pid != 0)
		return;
	execl(switch_path, switch_path, ports[0], ports[1], "--poll=interrupt", "--interval=0",
	      "--plain", (char *)NULL);
	_exit(127);
}

/* CPU time of the switch so far, in ms. */
static unsigned long
switch_cpu_ms(void)
{
	unsigned long user = 0, system = 0;
	char path[64], line[1024] = "";
	const char *after;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)switch_pid);
	f = fopen(path, "r");
	CHECK(f != NULL);
	CHECK(fgets(line, sizeof(line), f) != NULL);
	fclose(f);
	/* The name may contain anything; fields 14 and 15. */
	after = strrchr(line, ')');
	CHECK(after != NULL);
	CHECK(sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user,
		     &system) == 2);
	return (user + system) * 1000 / (unsigned long)sysconf(_SC_CLK_TCK);
}

static void
connect_guests(uint64_t features)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF | features, .ring_size = 64,
	};
	static const char *const names[] = {"a.sock", "b.sock"};

	for (int i = 0; i < 2; i++) {
		fe_init(&guests[i]);
		guests[i].timeout_ms = PATIENCE_MS;
		CHECK_EQ(fe_connect(&guests[i], in_folder(names[i])), 0);
		CHECK_EQ(fe_setup(&guests[i], &config), 0);
		CHECK_EQ(guests[i].features & features, features);
		guest_tx_init(&tx[i], &guests[i].vqs[1], GUEST_NET_HDR_BYTES, 1u << 20);
		CHECK_EQ(guest_rx_init(&rx[i], &guests[i].vqs[0], GUEST_NET_HDR_BYTES, true, 32,
				       1526), 0);
		guest_rx_fill(&rx[i], UINT32_MAX);
		/* Messages from now on while frames are under way. */
		guests[i].use_ack = false;
	}
}

static void
disconnect_guests(void)
{
	for (int i = 0; i < 2; i++) {
		if (guests[i].vqs != NULL)
			guest_rx_fini(&rx[i]);
		fe_close(&guests[i]);
	}
}

/* Has the worker asked this guest to kick for what comes next? */
static bool
asks_for_kicks(const struct guest_ring *vq)
{
	if (vq->format == &guest_packed)
		return guest_packed_device_event(vq).flags != GUEST_EVENT_DISABLE;
	if (vq->event_idx)
		return guest_split_avail_event(vq) == vq->avail_idx;
	return vq->used[0] != GUEST_USED_NO_NOTIFY;
}

struct score {
	unsigned rounds, kicks;
	uint64_t slowest_ns;
	uint64_t usual_ns; /* from a frame's arrival until the worker asks for kicks */
};

/*
 * Some pauses are long, so that the worker surely sleeps, and tell how long it stays awake; most
 * end about then, a few microseconds to either side.
 */
static void
pause_until_it_sleeps(struct guest_ring *vq, struct score *score)
{
	uint64_t start = now_ns(), end;
	uint32_t kind = random_below(16);

	if (kind == 0) {
		/* The worker may need this CPU. */
		for (unsigned i = 1; !asks_for_kicks(vq) && now_ns() < start + 20000 * US; i++)
			if (i % 4096 == 0)
				usleep(20);
		end = now_ns() - start;
		score->usual_ns = score->usual_ns == 0 ? end : (7 * score->usual_ns + end) / 8;
		usleep(random_below(300));
	} else if (kind < 4) {
		end = start + random_below(400) * US;
		while (now_ns() < end)
			;
	} else if (kind < 8) {
		/* Just when it has asked, or is about to. */
		end = start + 5000 * US;
		while (!asks_for_kicks(vq) && now_ns() < end)
			;
		end = now_ns() + random_below(2000);
		while (now_ns() < end)
			;
	} else {
		end = start + score->usual_ns + random_below(8000);
		end = end > start + 4000 ? end - 4000 : start;
		while (now_ns() < end)
			;
	}
}

static bool
arrives(unsigned to, uint32_t number)
{
	uint64_t until_us = patience_now_us() + PATIENCE_MS * 1000;
	uint8_t got[FRAME_BYTES];
	struct guest_net_hdr hdr;
	unsigned spins = 0;
	uint32_t seen;
	int rc;

	while ((rc = guest_rx_recv(&rx[to], &hdr, got, sizeof(got), NULL)) == -EAGAIN) {
		if (++spins <= 200)
			continue;
		if (patience_now_us() > until_us)
			return false;
		/* The worker may need this CPU. */
		usleep(20);
	}
	CHECK_EQ(rc, FRAME_BYTES);
	memcpy(&seen, got + 14, sizeof(seen));
	CHECK_EQ(seen, number);
	guest_rx_fill(&rx[to], UINT32_MAX);
	return true;
}

/* What a frontend may do to the sending queue while its guest sends. */
static void
disturb(struct frontend *fe)
{
	switch (random_below(6)) {
	case 0:
		CHECK_EQ(fe_set_vring_call(fe, 1, fe->vqs[1].callfd), 0);
		break;
	case 1:
		CHECK_EQ(fe_set_vring_kick(fe, 1, fe->vqs[1].kickfd), 0);
		break;
	case 2:
		CHECK_EQ(fe_set_vring_enable(fe, 1, false), 0);
		CHECK_EQ(fe_set_vring_enable(fe, 1, true), 0);
		break;
	case 3:
		CHECK_EQ(fe_set_vring_enable(fe, 1, true), 0);
		break;
	default:
		break;
	}
}

static void
send_and_wait(unsigned from, uint32_t number, struct score *score, bool disturbed)
{
	uint8_t frame[FRAME_BYTES] = {
		[0] = 2, [5] = (uint8_t)(2 - from), [6] = 2, [11] = (uint8_t)(1 + from), [12] = 0x88,
	};
	bool kicked;
	uint64_t start;

	memcpy(frame + 14, &number, sizeof(number));
	if (disturbed && random_below(8) == 0) {
		/* Gone while the worker is awake, back when it sleeps. */
		CHECK_EQ(fe_set_vring_enable(&guests[from], 1, false), 0);
		pause_until_it_sleeps(tx[from].vq, score);
		CHECK_EQ(fe_set_vring_enable(&guests[from], 1, true), 0);
	} else {
		pause_until_it_sleeps(tx[from].vq, score);
		if (disturbed)
			disturb(&guests[from]);
	}
	start = now_ns();
	CHECK(guest_tx_send(&tx[from], NULL, frame, sizeof(frame)) >= 0);
	kicked = guest_ring_kick(tx[from].vq);
	if (!arrives(1 - from, number))
		tap_fail(__FILE__, __LINE__, "frame %u is lost (%s)", number,
			 kicked ? "the guest kicked" : "no kick was asked for");
	CHECK_EQ(guest_tx_drain(&tx[from], PATIENCE_MS), 0);
	start = now_ns() - start;
	score->kicks += kicked;
	score->rounds++;
	if (start > score->slowest_ns)
		score->slowest_ns = start;
}

static void
exchange(uint64_t features, bool disturbed)
{
	struct score score = {0};

	uint64_t until = 0;

	connect_guests(features);
	for (uint32_t n = 0; n < ROUNDS || (score.kicks < KICKS_WANTED && now_ns() < until); n++) {
		if (n == ROUNDS - 1)
			until = now_ns() + MORE_ROUNDS_NS;
		send_and_wait(random_below(2), n, &score, disturbed);
	}
	fprintf(tap.out, "# %u frames, %u kicks, asked for after %u us, slowest frame %u us\n",
		score.rounds, score.kicks, (unsigned)(score.usual_ns / US),
		(unsigned)(score.slowest_ns / US));
	/* Else it never slept, and this was about nothing. */
	if (score.kicks < KICKS_WANTED)
		tap_fail(__FILE__, __LINE__, "%u kicks of at least %u in %u rounds", score.kicks,
			 KICKS_WANTED, score.rounds);
	disconnect_guests();
}

static void split_by_flags(void) { exchange(0, false); }
static void split_by_event_index(void) { exchange(FE_F_EVENT_IDX, false); }
static void packed_by_flags(void) { exchange(FE_F_RING_PACKED, false); }
static void packed_by_event_index(void) { exchange(FE_F_RING_PACKED | FE_F_EVENT_IDX, false); }
static void split_and_messages(void) { exchange(0, true); }
static void packed_and_messages(void) { exchange(FE_F_RING_PACKED | FE_F_EVENT_IDX, true); }

/* Not a matter of pass or fail, but of what one looks at. */
static void
idle_costs_nothing(void)
{
	const uint64_t sample_ns = 3000 * 1000 * US;
	unsigned long cpu_ms;
	uint64_t start;

	connect_guests(0);
	usleep(200000);
	cpu_ms = switch_cpu_ms();
	start = now_ns();
	while (now_ns() < start + sample_ns)
		usleep(100000);
	cpu_ms = switch_cpu_ms() - cpu_ms;
	fprintf(tap.out, "# idle with two guests: %lu ms of CPU in %u ms\n", cpu_ms,
		(unsigned)(sample_ns / US / 1000));
	disconnect_guests();
}

/* Sleeping workers hear of the end, too. */
static void
ends_from_its_sleep(void)
{
	int status = 0;

	usleep(100000);
	CHECK_EQ(kill(switch_pid, SIGTERM), 0);
	for (int i = 0; i < PATIENCE_MS / 10; i++) {
		if (waitpid(switch_pid, &status, WNOHANG) == switch_pid) {
			switch_pid = -1;
			CHECK(WIFEXITED(status));
			CHECK_EQ(WEXITSTATUS(status), 0);
			return;
		}
		usleep(10000);
	}
	CHECK(!"it does not end");
}

static void
setup(void)
{
	if (switch_pid < 0)
		start_switch();
}

/* After a failure the next test gets a switch of its own. */
static void
teardown(void)
{
	if (guests[0].fd < 0 && guests[1].fd < 0)
		return;
	disconnect_guests();
	if (switch_pid > 0) {
		kill(switch_pid, SIGKILL);
		waitpid(switch_pid, NULL, 0);
	}
	switch_pid = -1;
}

int
main(int argc, char **argv)
{
	static const struct tap_test tests[] = {
		TAP_TEST(split_by_flags),
		TAP_TEST(split_by_event_index),
		TAP_TEST(packed_by_flags),
		TAP_TEST(packed_by_event_index),
		TAP_TEST(split_and_messages),
		TAP_TEST(packed_and_messages),
		TAP_TEST(idle_costs_nothing),
		TAP_TEST(ends_from_its_sleep),
	};
	int rc;

	if (argc < 2 || mkdtemp(folder) == NULL)
		return 2;
	switch_path = argv[1];
	fe_init(&guests[0]);
	fe_init(&guests[1]);
	tap_begin();
	rc = tap_run(tests, sizeof(tests) / sizeof(tests[0]), argc > 2 ? argv[2] : NULL, setup,
		     teardown);
	if (switch_pid > 0) {
		kill(switch_pid, SIGTERM);
		waitpid(switch_pid, NULL, 0);
	}
	unlink(in_folder("a.sock"));
	unlink(in_folder("b.sock"));
	rmdir(folder);
	return rc;
}
