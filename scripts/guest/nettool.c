/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Small network tool for the test guest, linked statically into its initramfs.
 * Does what busybox cannot: set the number of channels, switch receive
 * offloads, tell from the virtio header of each frame what really arrived, look
 * at frames that come back, and move a file.
 * Everything it reads comes from the guest's own kernel.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int fail(const char *what)
{
	fprintf(stderr, "nettool: %s: %s\n", what, strerror(errno));
	return 1;
}

static int ethtool_call(const char *iface, void *request)
{
	struct ifreq ifr;
	int sock = socket(AF_INET, SOCK_DGRAM, 0);
	int ret;

	if (sock < 0)
		return -1;
	memset(&ifr, 0, sizeof(ifr));
	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", iface);
	ifr.ifr_data = request;
	ret = ioctl(sock, SIOCETHTOOL, &ifr);
	close(sock);
	return ret;
}

static int cmd_channels(const char *iface, const char *count)
{
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };

	if (ethtool_call(iface, &channels) < 0)
		return fail("get channels");
	channels.cmd = ETHTOOL_SCHANNELS;
	channels.combined_count = (uint32_t)atoi(count);
	if (ethtool_call(iface, &channels) < 0)
		return fail("set channels");
	return 0;
}

static int cmd_gro(const char *iface, const char *state)
{
	struct ethtool_value value = { .cmd = ETHTOOL_SGRO, .data = strcmp(state, "on") == 0 };

	if (ethtool_call(iface, &value) < 0)
		return fail("set gro");
	value.cmd = ETHTOOL_GGRO;
	if (ethtool_call(iface, &value) < 0)
		return fail("get gro");
	printf("gro %s\n", value.data ? "on" : "off");
	return 0;
}

static int cmd_offloads(const char *iface)
{
	static const struct {
		const char *name;
		uint32_t cmd;
	} list[] = {
		{ "rx-checksum", ETHTOOL_GRXCSUM }, { "tx-checksum", ETHTOOL_GTXCSUM },
		{ "tso", ETHTOOL_GTSO },	    { "gro", ETHTOOL_GGRO },
		{ "gso", ETHTOOL_GGSO },	    { "sg", ETHTOOL_GSG },
	};
	struct ethtool_channels channels = { .cmd = ETHTOOL_GCHANNELS };

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		struct ethtool_value value = { .cmd = list[i].cmd };

		if (ethtool_call(iface, &value) < 0)
			return fail(list[i].name);
		printf("%s %s\n", list[i].name, value.data ? "on" : "off");
	}
	if (ethtool_call(iface, &channels) == 0)
		printf("channels %u of %u\n", channels.combined_count, channels.max_combined);
	return 0;
}

/* Prints the driver's own counters, such as packets per queue. */
static int cmd_stats(const char *iface)
{
	struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
	struct ethtool_gstrings *names;
	struct ethtool_stats *stats;

	if (ethtool_call(iface, &info) < 0)
		return fail("driver information");
	names = calloc(1, sizeof(*names) + info.n_stats * (size_t)ETH_GSTRING_LEN);
	stats = calloc(1, sizeof(*stats) + info.n_stats * sizeof(stats->data[0]));
	if (names == NULL || stats == NULL)
		return fail("memory");
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_STATS;
	names->len = info.n_stats;
	stats->cmd = ETHTOOL_GSTATS;
	stats->n_stats = info.n_stats;
	if (ethtool_call(iface, names) < 0 || ethtool_call(iface, stats) < 0)
		return fail("get stats");
	for (uint32_t i = 0; i < info.n_stats; i++)
		printf("%.*s %llu\n", ETH_GSTRING_LEN,
		       (const char *)names->data + i * (size_t)ETH_GSTRING_LEN,
		       (unsigned long long)stats->data[i]);
	free(names);
	free(stats);
	return 0;
}

struct tally {
	uint64_t frames, bytes, over_mtu, gso, csum_partial, csum_valid;
	uint32_t largest_bytes;
};

static void tally_frame(struct tally *tally, const unsigned char *buf, size_t len_bytes)
{
	struct virtio_net_hdr hdr;
	uint32_t frame_bytes = (uint32_t)(len_bytes - sizeof(hdr));

	memcpy(&hdr, buf, sizeof(hdr));
	tally->frames++;
	tally->bytes += frame_bytes;
	if (frame_bytes > tally->largest_bytes)
		tally->largest_bytes = frame_bytes;
	if (frame_bytes > 1518)
		tally->over_mtu++;
	if (hdr.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		tally->gso++;
	if (hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		tally->csum_partial++;
	if (hdr.flags & VIRTIO_NET_HDR_F_DATA_VALID)
		tally->csum_valid++;
}

static volatile sig_atomic_t told_to_stop;

static void on_sigterm(int signo)
{
	(void)signo;
	told_to_stop = 1;
}

/*
 * Counts the frames that come in on iface, until SIGTERM and then until none is
 * left to read, or until time is up. The buffer has room for all of a transfer:
 * a busy machine may run this much later than what it looks at.
 */
static int cmd_sniff(const char *iface, const char *seconds)
{
	static unsigned char buf[70000];
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };
	struct timeval step = { .tv_usec = 200000 };
	struct tally tally = { 0 };
	int one = 1, rcvbuf_bytes = 32 << 20;
	time_t end = time(NULL) + atoi(seconds);
	int sock = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));

	addr.sll_ifindex = (int)if_nametoindex(iface);
	if (sock < 0 || addr.sll_ifindex == 0)
		return fail(iface);
	if (setsockopt(sock, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &step, sizeof(step)) < 0 ||
	    setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &rcvbuf_bytes, sizeof(int)) < 0 ||
	    bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return fail("packet socket");
	signal(SIGTERM, on_sigterm);
	while (time(NULL) < end) {
		struct sockaddr_ll from;
		socklen_t from_len = sizeof(from);
		ssize_t got = recvfrom(sock, buf, sizeof(buf), MSG_TRUNC,
				       (struct sockaddr *)&from, &from_len);

		if (got < 0 && told_to_stop)
			break;
		if (got <= (ssize_t)sizeof(struct virtio_net_hdr) ||
		    from.sll_pkttype == PACKET_OUTGOING)
			continue;
		tally_frame(&tally, buf, (size_t)got);
	}
	printf("frames %llu\nbytes %llu\nlargest %u\nover_mtu %llu\ngso %llu\n"
	       "csum_partial %llu\ncsum_valid %llu\n",
	       (unsigned long long)tally.frames, (unsigned long long)tally.bytes,
	       tally.largest_bytes, (unsigned long long)tally.over_mtu,
	       (unsigned long long)tally.gso, (unsigned long long)tally.csum_partial,
	       (unsigned long long)tally.csum_valid);
	close(sock);
	return 0;
}

/* Of frames that come back: how many are on their way at a time, and their sizes. */
#define ECHO_WINDOW 64
#define ECHO_MIN_BYTES 60
#define ECHO_MAX_BYTES 1514
#define IP_OFF ETH_HLEN
#define UDP_OFF (IP_OFF + 20)
#define PAYLOAD_OFF (UDP_OFF + 8)
#define UDP_CSUM_OFF 6

/* To nobody here, and the type: IPv4. */
static const unsigned char echo_addresses[ETH_HLEN] = { 2, 'v', 'n', 'g', 0, 1,
							2, 'v', 'n', 'g', 0, 2, 8, 0 };

struct echo {
	struct virtio_net_hdr hdr;
	unsigned char frame[ECHO_MAX_BYTES];
} __attribute__((packed));

/* Of 16-bit words in network order, added to sum. */
static uint16_t ones_sum(const unsigned char *data, size_t len_bytes, uint32_t sum)
{
	for (size_t i = 0; i < len_bytes; i++)
		sum += i % 2 == 0 ? (uint32_t)data[i] << 8 : data[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static void put16(unsigned char *at, uint32_t value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
}

/* All but what a pseudo-header's sum leaves to do, whoever was asked to do it. */
static void echo_complete(unsigned char *frame, size_t len_bytes)
{
	uint16_t sum = (uint16_t)~ones_sum(frame + UDP_OFF, len_bytes - UDP_OFF, 0);

	put16(frame + UDP_OFF + UDP_CSUM_OFF, sum != 0 ? sum : 0xffff);
}

/*
 * Frame number n is the same each time it is made: UDP of random size and
 * content, to and from random ports, so that several queues have some, for nobody
 * here. Its checksum is that of the pseudo-header. Returns its size.
 */
static size_t echo_make(unsigned char *frame, uint32_t n)
{
	/* Version 4, 5 words; do not fragment; 64 hops, UDP; from 198.18.0.1 to 198.18.0.2. */
	static const unsigned char ip[20] = { 0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17,
					      0,    0, 198, 18, 0, 1, 198, 18, 0, 2 };
	uint64_t random = 0x9e3779b97f4a7c15 * (n + 1);
	size_t len_bytes;

	for (size_t i = 0; i < ECHO_MAX_BYTES; i++) {
		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		frame[i] = (unsigned char)(random >> 32);
	}
	len_bytes = ECHO_MIN_BYTES + random % (ECHO_MAX_BYTES - ECHO_MIN_BYTES + 1);
	memcpy(frame, echo_addresses, ETH_HLEN);
	memcpy(frame + IP_OFF, ip, sizeof(ip));
	put16(frame + IP_OFF + 2, (uint32_t)(len_bytes - IP_OFF));
	put16(frame + IP_OFF + 10, (uint16_t)~ones_sum(frame + IP_OFF, sizeof(ip), 0));
	put16(frame + UDP_OFF + 4, (uint32_t)(len_bytes - UDP_OFF));
	put16(frame + UDP_OFF + UDP_CSUM_OFF,
	      ones_sum(ip + 12, 8, 17 + (uint32_t)(len_bytes - UDP_OFF)));
	put16(frame + PAYLOAD_OFF, n >> 16);
	put16(frame + PAYLOAD_OFF + 2, n);
	return len_bytes;
}

static int echo_send(int sock, uint32_t n, int offload)
{
	struct echo echo = { 0 };
	size_t len_bytes = echo_make(echo.frame, n);

	if (offload) {
		echo.hdr.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
		echo.hdr.csum_start = UDP_OFF;
		echo.hdr.csum_offset = UDP_CSUM_OFF;
	} else {
		echo_complete(echo.frame, len_bytes);
	}
	while (send(sock, &echo, sizeof(echo.hdr) + len_bytes, 0) < 0)
		if (errno != ENOBUFS || usleep(1000) < 0)
			return -1;
	return 0;
}

/* 1 if it is one of ours, and as it was; 0 if not ours, -1 if it has changed. */
static int echo_check(struct echo *echo, ssize_t got, uint32_t sent, uint32_t *n)
{
	unsigned char expected[ECHO_MAX_BYTES];
	size_t len_bytes;

	if (got < (ssize_t)sizeof(echo->hdr) + PAYLOAD_OFF + 4 ||
	    memcmp(echo->frame, echo_addresses, sizeof(echo_addresses)) != 0)
		return 0;
	memcpy(n, echo->frame + PAYLOAD_OFF, sizeof(*n));
	*n = ntohl(*n);
	if (*n >= sent)
		return -1;
	len_bytes = echo_make(expected, *n);
	echo_complete(expected, len_bytes);
	if ((size_t)got != sizeof(echo->hdr) + len_bytes)
		return -1;
	if (echo->hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
		echo_complete(echo->frame, len_bytes);
	return memcmp(echo->frame, expected, len_bytes) == 0 ? 1 : -1;
}

/*
 * Sends frames to iface, where somebody sends each one back: it has to come once,
 * with its content. With offload their checksums are left to who has them next.
 * Gives up when none has come for that many seconds.
 */
static int cmd_echo(const char *iface, uint32_t count, int patience_s, int offload)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP) };
	uint32_t sent = 0, back = 0, changed = 0, twice = 0, partial = 0;
	unsigned char *seen = calloc(count, 1);
	int one = 1, sock = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));

	addr.sll_ifindex = (int)if_nametoindex(iface);
	if (seen == NULL || sock < 0 || addr.sll_ifindex == 0)
		return fail(iface);
	if (setsockopt(sock, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)) < 0 ||
	    bind(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return fail("packet socket");
	for (;;) {
		struct pollfd wait = { .fd = sock, .events = POLLIN };
		struct echo echo;
		ssize_t got;
		uint32_t n;
		int verdict;

		for (; sent < count && sent - back < ECHO_WINDOW; sent++)
			if (echo_send(sock, sent, offload) < 0)
				return fail("send");
		/* When all are back, there may still be one too many. */
		if (poll(&wait, 1, back < count ? patience_s * 1000 : 200) <= 0)
			break;
		got = recv(sock, &echo, sizeof(echo), MSG_TRUNC);
		verdict = echo_check(&echo, got, sent, &n);
		if (verdict > 0) {
			partial += echo.hdr.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM;
			twice += seen[n];
			back += !seen[n];
			seen[n] = 1;
		} else if (verdict < 0) {
			changed++;
		}
	}
	printf("sent %u\nback %u\nchanged %u\ntwice %u\npartial %u\n", sent, back, changed, twice,
	       partial);
	return back == count && changed == 0 && twice == 0 ? 0 : 1;
}

/* Sends UDP datagrams as fast as the kernel takes them, until killed or time is up. */
static int cmd_blast(const char *dest, const char *seconds)
{
	static char payload[1400];
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(9) };
	uint64_t sent = 0;
	time_t end = time(NULL) + atoi(seconds);
	int sock = socket(AF_INET, SOCK_DGRAM, 0);

	if (sock < 0 || inet_pton(AF_INET, dest, &addr.sin_addr) != 1)
		return fail(dest);
	while (time(NULL) < end) {
		for (int i = 0; i < 64; i++)
			if (sendto(sock, payload, sizeof(payload), 0, (struct sockaddr *)&addr,
				   sizeof(addr)) > 0)
				sent++;
	}
	printf("sent %llu\n", (unsigned long long)sent);
	close(sock);
	return 0;
}

/* Answers every TCP connection to a port with the contents of a file, until killed. */
static int cmd_serve(const char *port, const char *path)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	int one = 1, listener = socket(AF_INET, SOCK_STREAM, 0);

	if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) < 0 ||
	    bind(listener, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(listener, 4) < 0)
		return fail("listen");
	if (daemon(0, 0) < 0)
		return fail("daemon");
	for (;;) {
		int file = open(path, O_RDONLY);
		int sock = accept(listener, NULL, NULL);

		while (sock >= 0 && sendfile(sock, file, NULL, 1 << 20) > 0)
			;
		close(sock);
		close(file);
	}
}

/* Fetches what `serve` offers into a file; prints bytes and milliseconds. */
/* `after`: reads nothing before there is a file of that name; what comes meanwhile waits. */
static int cmd_fetch(const char *host, const char *port, const char *path, const char *after)
{
	static char buf[1 << 18];
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
	struct timeval limit = { .tv_sec = 20 };
	struct timespec start, end;
	long long bytes = 0;
	ssize_t got;
	int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	int sock = socket(AF_INET, SOCK_STREAM, 0);

	if (file < 0 || sock < 0 || inet_pton(AF_INET, host, &addr.sin_addr) != 1)
		return fail(host);
	setsockopt(sock, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	clock_gettime(CLOCK_MONOTONIC, &start);
	if (connect(sock, (struct sockaddr *)&addr, sizeof(addr)) < 0)
		return fail("connect");
	while (after != NULL && access(after, F_OK) < 0)
		usleep(20000);
	while ((got = read(sock, buf, sizeof(buf))) > 0) {
		if (write(file, buf, (size_t)got) != got)
			return fail("write");
		bytes += got;
	}
	if (got < 0)
		return fail("read");
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("%lld %lld\n", bytes, (end.tv_sec - start.tv_sec) * 1000LL +
	       (end.tv_nsec - start.tv_nsec) / 1000000);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "channels") == 0)
		return cmd_channels(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "gro") == 0)
		return cmd_gro(argv[2], argv[3]);
	if (argc == 3 && strcmp(argv[1], "offloads") == 0)
		return cmd_offloads(argv[2]);
	if (argc == 3 && strcmp(argv[1], "stats") == 0)
		return cmd_stats(argv[2]);
	if (argc == 4 && strcmp(argv[1], "sniff") == 0)
		return cmd_sniff(argv[2], argv[3]);
	if ((argc == 5 || argc == 6) && strcmp(argv[1], "echo") == 0)
		return cmd_echo(argv[2], (uint32_t)atoi(argv[3]), atoi(argv[4]), argc == 6);
	if (argc == 4 && strcmp(argv[1], "blast") == 0)
		return cmd_blast(argv[2], argv[3]);
	if (argc == 4 && strcmp(argv[1], "serve") == 0)
		return cmd_serve(argv[2], argv[3]);
	if ((argc == 5 || argc == 6) && strcmp(argv[1], "fetch") == 0)
		return cmd_fetch(argv[2], argv[3], argv[4], argc == 6 ? argv[5] : NULL);
	fprintf(stderr, "usage: nettool channels IFACE COUNT | gro IFACE on|off | offloads IFACE |\n"
			"               stats IFACE | sniff IFACE SECONDS |\n"
			"               echo IFACE COUNT SECONDS [offload] | blast IPV4 SECONDS |\n"
			"               serve PORT FILE | fetch IPV4 PORT FILE [AFTER]\n");
	return 2;
}
