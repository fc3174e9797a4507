/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/if_tun.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <rte_arp.h>
#include <rte_common.h>
#include <rte_ether.h>
#include <rte_log.h>

#include "tap.h"

#define TAP_LOG(...) rte_log(RTE_LOG_ERR, RTE_LOGTYPE_USER1, "tap: " __VA_ARGS__)
#define BIT(n) (UINT64_C(1) << (n))
#define QUEUE_MAX 65536 /* packets; the kernel's is 1000 unless somebody sets txqueuelen */
/* Newer than the headers that we build with. */
#define TUN_USO (0x20 | 0x40)
#define NET_F_GUEST_USO (BIT(54) | BIT(55))
#define NET_F_HOST_USO BIT(56)

/* Each needs those before it. */
static const struct {
	unsigned int flag;
	uint64_t guest, host;
} offloads[] = {
	{ TUN_F_CSUM, BIT(VIRTIO_NET_F_GUEST_CSUM), BIT(VIRTIO_NET_F_CSUM) },
	{ TUN_F_TSO4, BIT(VIRTIO_NET_F_GUEST_TSO4), BIT(VIRTIO_NET_F_HOST_TSO4) },
	{ TUN_F_TSO6, BIT(VIRTIO_NET_F_GUEST_TSO6), BIT(VIRTIO_NET_F_HOST_TSO6) },
	{ TUN_F_TSO_ECN, BIT(VIRTIO_NET_F_GUEST_ECN), BIT(VIRTIO_NET_F_HOST_ECN) },
	{ TUN_F_UFO, BIT(VIRTIO_NET_F_GUEST_UFO), BIT(VIRTIO_NET_F_HOST_UFO) },
	{ TUN_USO, NET_F_GUEST_USO, NET_F_HOST_USO },
};

static void find_offloads(struct tap *tap, int fd)
{
	unsigned int flags = 0;

	for (unsigned int i = 0; i < RTE_DIM(offloads); i++) {
		if (ioctl(fd, TUNSETOFFLOAD, flags | offloads[i].flag) < 0)
			continue;
		flags |= offloads[i].flag;
		tap->rx_offloads |= offloads[i].guest;
		tap->tx_offloads |= offloads[i].host;
	}
	(void)ioctl(fd, TUNSETOFFLOAD, 0);
}

static const char *what_to_do(int error)
{
	switch (error) {
	case EPERM:
		return "create it as root, of the kind that we need (ip tuntap add NAME mode tap user "
		       "USER vnet_hdr, for more than one queue multi_queue)";
	case EINVAL:
		return "that is no name for one, or there is one of another kind: multi_queue goes "
		       "with more than one queue, without with one";
	case EBUSY:
		return "another program has it";
	default:
		return "see what the kernel says";
	}
}

/* The interface is made if there is none of its name. */
static int have_interface(struct tap *tap, int fd)
{
	struct ifreq request = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

	if (tap->multi_queue)
		request.ifr_flags |= IFF_MULTI_QUEUE;
	memcpy(request.ifr_name, tap->name, sizeof(tap->name));
	if (ioctl(fd, TUNSETIFF, &request) < 0) {
		const int error = errno;

		TAP_LOG("cannot have interface %s (%s): %s\n", tap->name, strerror(error),
			what_to_do(error));
		return -error;
	}
	memcpy(tap->name, request.ifr_name, sizeof(tap->name));
	return 0;
}

int tap_open_queue(struct tap *tap)
{
	int ret, fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0) {
		ret = -errno;
		TAP_LOG("cannot open /dev/net/tun (%s): load the kernel's module, modprobe tun\n",
			strerror(-ret));
		return ret;
	}
	ret = have_interface(tap, fd);
	if (ret < 0) {
		close(fd);
		return ret;
	}
	if (tap->rx_offloads == 0)
		find_offloads(tap, fd);
	return fd;
}

/* Somebody has deleted its interface. */
static bool is_orphan(int fd)
{
	struct ifreq request;

	return ioctl(fd, TUNGETIFF, &request) < 0 && errno == EBADFD;
}

int tap_use_queue(struct tap *tap, int fd, bool on)
{
	struct ifreq request = { .ifr_flags = on ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	if (on && is_orphan(fd))
		return have_interface(tap, fd);
	if (!tap->multi_queue)
		return 0;
	return ioctl(fd, TUNSETQUEUE, &request) < 0 ? -errno : 0;
}

static void drop_waiting(int fd)
{
	char header[64];

	/* What is behind it goes with it. Who sends all the time does not keep us here. */
	for (unsigned int i = 0; i < QUEUE_MAX; i++)
		if (read(fd, header, sizeof(header)) < 0 && errno != EINTR)
			return;
}

static size_t header_size(uint64_t features)
{
	return (features & (BIT(VIRTIO_F_VERSION_1) | BIT(VIRTIO_NET_F_MRG_RXBUF))) != 0 ?
		       sizeof(struct virtio_net_hdr_mrg_rxbuf) :
		       sizeof(struct virtio_net_hdr);
}

int tap_set_features(struct tap *tap, int fd, uint64_t features)
{
	int header_bytes = (int)header_size(features);
	int little_endian = (features & BIT(VIRTIO_F_VERSION_1)) != 0;
	unsigned int flags = 0;

	for (unsigned int i = 0; i < RTE_DIM(offloads); i++)
		if ((features & offloads[i].guest & tap->rx_offloads) == offloads[i].guest)
			flags |= offloads[i].flag;
	/* A driver that takes what it may not take (virtio, "Feature bit requirements"). */
	if ((flags & TUN_F_CSUM) == 0)
		flags = 0;
	if ((flags & (TUN_F_TSO4 | TUN_F_TSO6)) == 0)
		flags &= ~(unsigned int)TUN_F_TSO_ECN;
	if (ioctl(fd, TUNSETVNETHDRSZ, &header_bytes) < 0 ||
	    ioctl(fd, TUNSETVNETLE, &little_endian) < 0 || ioctl(fd, TUNSETOFFLOAD, flags) < 0)
		return -errno;
	if ((tap->left_to_guest & ~features) != 0)
		drop_waiting(fd);
	tap->left_to_guest = features & tap->rx_offloads;
	return 0;
}

int tap_announce(int fd, uint64_t features, const uint8_t mac[6])
{
	struct virtio_net_hdr_mrg_rxbuf header = { .num_buffers = 0 };
	struct {
		struct rte_ether_hdr ether;
		struct rte_arp_hdr arp;
		uint8_t padding[18]; /* to the shortest frame */
	} frame = {
		.ether.ether_type = RTE_BE16(RTE_ETHER_TYPE_RARP),
		.arp = {
			.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
			.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
			.arp_hlen = RTE_ETHER_ADDR_LEN,
			.arp_plen = sizeof(rte_be32_t),
			.arp_opcode = RTE_BE16(RTE_ARP_OP_REVREQUEST),
		},
	};
	_Static_assert(sizeof(frame) == RTE_ETHER_MIN_LEN - RTE_ETHER_CRC_LEN, "nothing between");
	const struct iovec parts[] = {
		{ .iov_base = &header, .iov_len = header_size(features) },
		{ .iov_base = &frame, .iov_len = sizeof(frame) },
	};

	memset(&frame.ether.dst_addr, 0xff, RTE_ETHER_ADDR_LEN);
	memcpy(&frame.ether.src_addr, mac, RTE_ETHER_ADDR_LEN);
	memcpy(&frame.arp.arp_data.arp_sha, mac, RTE_ETHER_ADDR_LEN);
	memcpy(&frame.arp.arp_data.arp_tha, mac, RTE_ETHER_ADDR_LEN);
	return writev(fd, parts, RTE_DIM(parts)) < 0 ? -errno : 0;
}
