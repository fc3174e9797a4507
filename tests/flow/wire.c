/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <net/if.h>

#include "wire.h"

/* As the kernel has it in front of a frame: without num_buffers. */
#define HDR_BYTES GUEST_NET_LEGACY_HDR_BYTES

/* The kernel would look for neighbours on it as soon as it is up. */
static void
silence(const char *iface)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", iface);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0) {
		(void)!write(fd, "1", 1);
		close(fd);
	}
}

static int
bring_up(int fd, const char *iface)
{
	struct ifreq request = {0};

	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", iface);
	if (ioctl(fd, SIOCGIFFLAGS, &request) < 0)
		return -errno;
	request.ifr_flags |= IFF_UP | IFF_PROMISC;
	return ioctl(fd, SIOCSIFFLAGS, &request) < 0 ? -errno : 0;
}

int
wire_open(struct wire *wire, const char *iface, uint16_t ethertype)
{
	struct sockaddr_ll at = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ethertype),
		.sll_ifindex = (int)if_nametoindex(iface),
	};
	int on = 1, rc;

	silence(iface);
	wire->ifindex = at.sll_ifindex;
	wire->ethertype = ethertype;
	wire->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (wire->fd < 0)
		return -errno;
	rc = bring_up(wire->fd, iface);
	if (rc == 0 && (setsockopt(wire->fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof(on)) < 0 ||
			bind(wire->fd, (struct sockaddr *)&at, sizeof(at)) < 0))
		rc = -errno;
	if (rc < 0)
		wire_close(wire);
	return rc;
}

void
wire_close(struct wire *wire)
{
	if (wire->fd >= 0)
		close(wire->fd);
	wire->fd = -1;
}

int
wire_send(struct wire *wire, const struct guest_net_hdr *hdr, const void *frame,
	  uint32_t frame_bytes)
{
	static const struct guest_net_hdr nothing;
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(wire->ethertype),
		.sll_ifindex = wire->ifindex,
	};
	struct iovec parts[] = {
		{.iov_base = (void *)(uintptr_t)(hdr != NULL ? hdr : &nothing), .iov_len = HDR_BYTES},
		{.iov_base = (void *)(uintptr_t)frame, .iov_len = frame_bytes},
	};
	struct msghdr msg = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2,
	};

	return sendmsg(wire->fd, &msg, 0) < 0 ? -errno : 0;
}

int
wire_recv(struct wire *wire, struct guest_net_hdr *hdr, void *frame, uint32_t max_bytes,
	  int timeout_ms)
{
	struct guest_net_hdr ignored;
	struct sockaddr_ll from;
	struct iovec parts[] = {
		{.iov_base = hdr != NULL ? hdr : &ignored, .iov_len = HDR_BYTES},
		{.iov_base = frame, .iov_len = max_bytes},
	};

	for (;;) {
		struct msghdr msg = {
			.msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = parts,
			.msg_iovlen = 2,
		};
		struct pollfd ready = {.fd = wire->fd, .events = POLLIN};
		ssize_t got;

		if (poll(&ready, 1, timeout_ms) != 1)
			return -EAGAIN;
		got = recvmsg(wire->fd, &msg, 0);
		if (got < 0)
			return -errno;
		/* Our own, on their way out, are seen too. */
		if (from.sll_pkttype != PACKET_OUTGOING)
			return (int)got - HDR_BYTES;
	}
}

void
wire_frame(uint32_t seed, void *frame, uint32_t frame_bytes)
{
	static const uint8_t eth[WIRE_ETH_BYTES] = {
		0x02, 0, 0, 0, 0, 1, 0x02, 0, 0, 0, 0, 2, WIRE_ETHERTYPE >> 8,
		WIRE_ETHERTYPE & 0xff,
	};

	guest_pattern(seed, frame, frame_bytes);
	memcpy(frame, eth, sizeof(eth));
}
