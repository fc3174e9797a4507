/* SPDX-License-Identifier: BSD-3-Clause
 *
 * A guest that test_switch.py holds by the hand: DPDK's virtio-user driver, fed
 * from standard input, one frame a line, and printing each frame it receives.
 *
 *	guest FILE-PREFIX VIRTIO-USER-ARGS [csum] [tso]
 *
 * stdin:   send QUEUE HEX                 the frame as it is
 *          csum QUEUE L2 L3 HEX           with a request to finish the TCP or UDP checksum
 *          tso QUEUE L2 L3 L4 MSS HEX     with a request to segment TCP
 * stdout:  ready
 *          recv QUEUE FLAGS MSS HEX       FLAGS: any of n (checksum to be finished),
 *                                         l (to be segmented), or -
 * It ends with its standard input. The tests trust it; it trusts the tests.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_ip.h>
#include <rte_mbuf.h>

enum { MAX_QUEUES = 8, MAX_FRAME = 65535 + 14, BURST = 32 };

static struct rte_mempool *pool;
static uint16_t n_queues;

__attribute__((noreturn))
static void die(const char *what)
{
	fprintf(stderr, "guest: %s\n", what);
	exit(1);
}

static void start_eal(const char *prefix, const char *device)
{
	char file_prefix[128], vdev[512];
	char *argv[] = { (char[]){ "guest" }, (char[]){ "--no-huge" }, (char[]){ "-m256" },
			 (char[]){ "--no-pci" }, (char[]){ "--no-shconf" },
			 (char[]){ "--no-telemetry" }, (char[]){ "--log-level=*:warning" },
			 (char[]){ "--lcores=0@(0-1023)" }, file_prefix, (char[]){ "--vdev" }, vdev };

	/* Any CPU this process may run on. */
	snprintf(argv[7], strlen(argv[7]) + 1, "--lcores=0@(0-%ld)",
		 sysconf(_SC_NPROCESSORS_ONLN) - 1);
	snprintf(file_prefix, sizeof(file_prefix), "--file-prefix=%s", prefix);
	snprintf(vdev, sizeof(vdev), "net_virtio_user0,%s", device);
	if (rte_eal_init(RTE_DIM(argv), argv) < 0)
		die("EAL did not start");
}

static void start_device(bool csum, bool tso)
{
	struct rte_eth_conf conf = { 0 };
	struct rte_eth_dev_info info;

	if (rte_eth_dev_info_get(0, &info) != 0)
		die("no device");
	n_queues = RTE_MIN(info.max_rx_queues, (uint16_t)MAX_QUEUES);
	conf.txmode.offloads = RTE_ETH_TX_OFFLOAD_MULTI_SEGS;
	if (csum) {
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_TCP_CKSUM | RTE_ETH_RX_OFFLOAD_UDP_CKSUM;
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_CKSUM | RTE_ETH_TX_OFFLOAD_UDP_CKSUM;
	}
	if (tso) {
		conf.rxmode.offloads |= RTE_ETH_RX_OFFLOAD_TCP_LRO;
		conf.txmode.offloads |= RTE_ETH_TX_OFFLOAD_TCP_TSO;
	}
	conf.rxmode.offloads &= info.rx_offload_capa;
	conf.txmode.offloads &= info.tx_offload_capa;
	pool = rte_pktmbuf_pool_create("guest", 4096, 32, 0, RTE_MBUF_DEFAULT_BUF_SIZE,
				       SOCKET_ID_ANY);
	if (pool == NULL || rte_eth_dev_configure(0, n_queues, n_queues, &conf) != 0)
		die("cannot configure the device");
	for (uint16_t q = 0; q < n_queues; q++)
		if (rte_eth_rx_queue_setup(0, q, 0, SOCKET_ID_ANY, NULL, pool) != 0 ||
		    rte_eth_tx_queue_setup(0, q, 0, SOCKET_ID_ANY, NULL) != 0)
			die("cannot set up a queue");
	if (rte_eth_dev_start(0) != 0)
		die("cannot start the device");
}

/* The frame written in hexadecimal, over as many buffers as it takes. */
static struct rte_mbuf *frame_from(const char *hex)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool), *last = m;
	unsigned int byte;
	char *to;

	for (; m != NULL && sscanf(hex, "%2x", &byte) == 1; hex += 2) {
		if (rte_pktmbuf_tailroom(last) == 0) {
			last->next = rte_pktmbuf_alloc(pool);
			if (last->next == NULL)
				die("out of buffers");
			last = last->next;
			m->nb_segs++;
		}
		to = rte_pktmbuf_mtod_offset(last, char *, last->data_len);
		*to = (char)byte;
		last->data_len++;
		m->pkt_len++;
	}
	if (m == NULL)
		die("out of buffers");
	return m;
}

static void set_request(struct rte_mbuf *m, unsigned int l2, unsigned int l3, unsigned int l4,
			unsigned int mss)
{
	const uint8_t *l3_header = rte_pktmbuf_mtod_offset(m, const uint8_t *, l2);
	bool ipv4 = l3_header[0] >> 4 == 4;
	uint8_t protocol = ipv4 ? l3_header[9] : l3_header[6];

	m->l2_len = l2 & 0x7f;
	m->l3_len = l3 & 0x1ff;
	m->l4_len = l4 & 0xff;
	m->tso_segsz = (uint16_t)mss;
	m->ol_flags |= ipv4 ? RTE_MBUF_F_TX_IPV4 : RTE_MBUF_F_TX_IPV6;
	m->ol_flags |= protocol == IPPROTO_UDP ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM;
	if (mss != 0)
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
}

static void obey(const char *line)
{
	unsigned int queue, l2, l3, l4 = 0, mss = 0;
	struct rte_mbuf *m;
	int at = 0;

	if (sscanf(line, "send %u %n", &queue, &at) == 1 && at != 0) {
		m = frame_from(line + at);
	} else if (sscanf(line, "csum %u %u %u %n", &queue, &l2, &l3, &at) == 3 ||
		   sscanf(line, "tso %u %u %u %u %u %n", &queue, &l2, &l3, &l4, &mss, &at) == 5) {
		m = frame_from(line + at);
		set_request(m, l2, l3, l4, mss);
	} else {
		die("unknown command");
	}
	if (queue >= n_queues || rte_eth_tx_prepare(0, (uint16_t)queue, &m, 1) != 1 ||
	    rte_eth_tx_burst(0, (uint16_t)queue, &m, 1) != 1)
		die("cannot send");
}

/* Lines may arrive in pieces and several at a time. Returns false at the end. */
static bool read_commands(void)
{
	static char text[2 * MAX_FRAME + 64];
	static size_t length;
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	char *newline;
	ssize_t n;

	if (poll(&fd, 1, 0) <= 0)
		return true;
	n = read(STDIN_FILENO, text + length, sizeof(text) - 1 - length);
	if (n <= 0)
		return false;
	length += (size_t)n;
	text[length] = '\0';
	while ((newline = strchr(text, '\n')) != NULL) {
		*newline = '\0';
		obey(text);
		length -= (size_t)(newline + 1 - text);
		memmove(text, newline + 1, length + 1);
	}
	return true;
}

static void print_frame(uint16_t queue, struct rte_mbuf *m)
{
	bool none = (m->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) == RTE_MBUF_F_RX_L4_CKSUM_NONE;
	bool lro = m->ol_flags & RTE_MBUF_F_RX_LRO;

	printf("recv %u %s%s%s %u ", queue, none ? "n" : "", lro ? "l" : "",
	       none || lro ? "" : "-", lro ? m->tso_segsz : 0);
	for (struct rte_mbuf *seg = m; seg != NULL; seg = seg->next)
		for (uint16_t i = 0; i < seg->data_len; i++)
			printf("%02x", *rte_pktmbuf_mtod_offset(seg, const uint8_t *, i));
	putchar('\n');
	rte_pktmbuf_free(m);
}

int main(int argc, char **argv)
{
	struct rte_mbuf *pkts[BURST];
	bool csum = false, tso = false;

	if (argc < 3)
		die("usage: guest FILE-PREFIX VIRTIO-USER-ARGS [csum] [tso]");
	for (int i = 3; i < argc; i++) {
		csum |= strcmp(argv[i], "csum") == 0;
		tso |= strcmp(argv[i], "tso") == 0;
	}
	start_eal(argv[1], argv[2]);
	start_device(csum, tso);
	puts("ready");
	fflush(stdout);
	while (read_commands()) {
		for (uint16_t q = 0; q < n_queues; q++) {
			uint16_t n = rte_eth_rx_burst(0, q, pkts, BURST);

			for (uint16_t i = 0; i < n; i++)
				print_frame(q, pkts[i]);
		}
		fflush(stdout);
		usleep(500);
	}
	rte_eth_dev_stop(0);
	rte_eth_dev_close(0);
	rte_eal_cleanup();
	return 0;
}
