/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The kernel's side of a tap interface: frames go out of it and come in as on any network card.
 * Needs root. libc only.
 */
#ifndef WIRE_H
#define WIRE_H

#include <stdint.h>

#include "guest_net.h"

/* Frames of the tests have this type, so that nobody else answers or mistakes them. */
#define WIRE_ETHERTYPE 0x88b5
#define WIRE_ETH_BYTES 14

struct wire {
	int fd;
	int ifindex;
	uint16_t ethertype;
};

/* Brings the interface up; frames of one type are seen and sent. 0 or -errno. */
int wire_open(struct wire *wire, const char *iface, uint16_t ethertype);
void wire_close(struct wire *wire);

/* To the guest. `hdr` says what is left to do with the frame; NULL: nothing. 0 or -errno. */
int wire_send(struct wire *wire, const struct guest_net_hdr *hdr, const void *frame,
	      uint32_t frame_bytes);
/*
 * The next frame from the guest: its length, or -EAGAIN when none comes within timeout_ms. `hdr`
 * (may be NULL) is what is left to do with it.
 */
int wire_recv(struct wire *wire, struct guest_net_hdr *hdr, void *frame, uint32_t max_bytes,
	      int timeout_ms);

/* An Ethernet frame with a pattern in it. */
void wire_frame(uint32_t seed, void *frame, uint32_t frame_bytes);

#endif
