/* SPDX-License-Identifier: BSD-3-Clause */
/* The innocent device; see bystander.h. */
#include "bystander.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow.h"
#include "guest_net.h"

#define BATCH 8
#define PACKET_BYTES 300
#define ARENA_BYTES (1u << 20)
#define CONTROL_PERIOD_US 20000

static struct {
	pthread_t thread;
	const char *path;
	struct frontend fe;
	struct guest_tx tx;
	struct guest_rx rx;
	struct rte_mempool *pool;
	int vid;
	bool stop; /* atomic */
	uint32_t serial;
	pthread_mutex_t lock; /* report */
	struct bystander_report report;
	uint64_t control_round_trips;
} b = { .lock = PTHREAD_MUTEX_INITIALIZER, .vid = -1 };

static void __attribute__((noreturn)) die(const char *what)
{
	fprintf(stderr, "bystander: %s\n", what);
	abort();
}

static void count_callback(void)
{
	pthread_mutex_lock(&b.lock);
	b.report.callbacks++;
	pthread_mutex_unlock(&b.lock);
}

static int on_new_device(int vid)
{
	count_callback();
	__atomic_store_n(&b.vid, vid, __ATOMIC_SEQ_CST);
	return 0;
}

static void on_destroy_device(int vid)
{
	(void)vid;
	count_callback();
	__atomic_store_n(&b.vid, -1, __ATOMIC_SEQ_CST);
}

static int on_vring_state(int vid, uint16_t queue, int enable)
{
	(void)vid;
	(void)queue;
	(void)enable;
	count_callback();
	return 0;
}

/* Not all ops: those left out must not matter. */
static const struct rte_vhost_device_ops ops = {
	.new_device = on_new_device,
	.destroy_device = on_destroy_device,
	.vring_state_changed = on_vring_state,
};

/* Host: whatever the guest sent goes back to it. Returns packets turned round. */
static unsigned int reflect(void)
{
	struct rte_mbuf *pkts[BATCH];
	unsigned int n = rte_vhost_dequeue_burst(b.vid, 1, b.pool, pkts, BATCH);
	unsigned int sent = n == 0 ? 0 : rte_vhost_enqueue_burst(b.vid, 0, pkts, (uint16_t)n);

	if (n != 0)
		rte_pktmbuf_free_bulk(pkts, n);
	return sent;
}

/* Guest: takes back what came, in order. Returns how many were right. */
static unsigned int collect(uint32_t first, unsigned int expected)
{
	unsigned int right = 0;

	for (unsigned int i = 0; i < expected; i++) {
		uint8_t want[PACKET_BYTES], got[PACKET_BYTES + 64];
		struct guest_net_hdr hdr;
		int len = guest_rx_recv(&b.rx, &hdr, got, sizeof(got), NULL);

		guest_pattern(first + i, want, sizeof(want));
		right += len == PACKET_BYTES && memcmp(got, want, sizeof(want)) == 0;
	}
	guest_rx_fill(&b.rx, BATCH);
	return right;
}

static void data_round(void)
{
	uint64_t until = flow_now_us() + 2 * (uint64_t)BYSTANDER_PATIENCE_US;
	uint32_t first = b.serial;
	unsigned int turned = 0, right;
	uint8_t data[PACKET_BYTES];

	for (unsigned int i = 0; i < BATCH; i++) {
		guest_pattern(b.serial++, data, sizeof(data));
		if (guest_tx_send(&b.tx, NULL, data, sizeof(data)) < 0)
			die("no room to send");
	}
	guest_ring_kick(b.tx.vq);
	while (turned < BATCH && flow_now_us() < until)
		turned += reflect();
	right = collect(first, BATCH);
	if (guest_tx_reap(&b.tx) != BATCH)
		die("a packet was not given back");
	pthread_mutex_lock(&b.lock);
	b.report.lost += BATCH - right;
	pthread_mutex_unlock(&b.lock);
}

static void control_round(void)
{
	uint64_t start = flow_now_us(), took;

	b.fe.timeout_ms = 2 * BYSTANDER_PATIENCE_US / 1000;
	if (fe_sync(&b.fe) != 0)
		die("the control channel is dead");
	took = flow_now_us() - start;
	pthread_mutex_lock(&b.lock);
	b.control_round_trips++;
	if (took > b.report.longest_control_us)
		b.report.longest_control_us = took;
	pthread_mutex_unlock(&b.lock);
}

static void *run(void *arg)
{
	uint64_t control_due = 0, last = flow_now_us();

	(void)arg;
	while (!__atomic_load_n(&b.stop, __ATOMIC_RELAXED)) {
		uint64_t now;

		data_round();
		now = flow_now_us();
		pthread_mutex_lock(&b.lock);
		b.report.round_trips++;
		if (now - last > b.report.longest_us)
			b.report.longest_us = now - last;
		pthread_mutex_unlock(&b.lock);
		if (now >= control_due) {
			control_round();
			control_due = now + CONTROL_PERIOD_US;
			now = flow_now_us(); /* counted apart */
		}
		last = now;
		usleep(200); /* leaves the attacker some of the machine */
	}
	return NULL;
}

static bool is_up(void *arg)
{
	(void)arg;
	return __atomic_load_n(&b.vid, __ATOMIC_SEQ_CST) >= 0;
}

void bystander_start(void)
{
	const struct fe_config config = {
		.features = FE_F_VERSION_1 | FE_F_MRG_RXBUF,
		.ring_size = 64,
	};

	b.stop = false;
	b.path = strdup(flow_serve_ops(0, &ops));
	b.pool = flow_pool(256, 2048);
	fe_init(&b.fe);
	if (fe_connect(&b.fe, b.path) != 0 || fe_setup(&b.fe, &config) != 0 ||
	    !flow_wait_until(is_up, NULL, 2 * BYSTANDER_PATIENCE_US / 1000))
		die("does not come up");
	guest_tx_init(&b.tx, &b.fe.vqs[1], GUEST_NET_HDR_BYTES, ARENA_BYTES);
	if (guest_rx_init(&b.rx, &b.fe.vqs[0], GUEST_NET_HDR_BYTES, true, 32, 1024) != 0)
		die("no receive buffers");
	guest_rx_fill(&b.rx, 32);
	if (pthread_create(&b.thread, NULL, run, NULL) != 0)
		die("no thread");
	(void)bystander_report(); /* and forget the callbacks of coming up */
}

void bystander_stop(void)
{
	__atomic_store_n(&b.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(b.thread, NULL);
	guest_rx_fini(&b.rx);
	fe_close(&b.fe);
	flow_unserve(b.path);
	if (!flow_pool_full(b.pool))
		die("mbufs are missing");
	free((void *)(uintptr_t)b.path);
}

static bool has_news(void *arg)
{
	bool news;

	(void)arg;
	pthread_mutex_lock(&b.lock);
	news = b.report.round_trips >= 2 && b.control_round_trips >= 1;
	pthread_mutex_unlock(&b.lock);
	return news;
}

struct bystander_report bystander_report(void)
{
	struct bystander_report report;

	(void)flow_wait_until(has_news, NULL, 2 * BYSTANDER_PATIENCE_US / 1000);
	pthread_mutex_lock(&b.lock);
	report = b.report;
	b.report = (struct bystander_report){ 0 };
	b.control_round_trips = 0;
	pthread_mutex_unlock(&b.lock);
	return report;
}

bool bystander_unharmed(void)
{
	struct bystander_report r = bystander_report();
	bool ok = r.round_trips >= 2 && r.lost == 0 && r.callbacks == 0 &&
		  r.longest_us < BYSTANDER_PATIENCE_US &&
		  r.longest_control_us < BYSTANDER_PATIENCE_US;

	if (!ok)
		fprintf(stderr,
			"bystander: %llu round trips, %llu packets lost, longest pause %llu us, "
			"longest answer %llu us, %llu callbacks\n",
			(unsigned long long)r.round_trips, (unsigned long long)r.lost,
			(unsigned long long)r.longest_us, (unsigned long long)r.longest_control_us,
			(unsigned long long)r.callbacks);
	return ok;
}
