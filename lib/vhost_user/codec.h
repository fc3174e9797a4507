/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes and descriptors on a non-blocking socket to whole messages and back.
 * Keeps its state between calls, so a peer that sends a byte at a time costs
 * nobody else anything.
 */
#ifndef VHOST_NG_CODEC_H
#define VHOST_NG_CODEC_H

#include "base/fdbag.h"
#include "wire.h"

struct codec {
	int fd;
	/* Receiving. */
	struct vhu_msg in;
	struct fdbag fds;
	uint32_t in_bytes; /* of header and payload so far */
	/* Sending: at most one message waits. */
	uint8_t out[VHU_HEADER_BYTES + VHU_PAYLOAD_MAX_BYTES];
	uint32_t out_bytes;
	uint32_t out_done_bytes;
	struct fdbag out_fds; /* go with its first byte */
};

void codec_init(struct codec *c, int fd);
/* Forgets a message that never became whole, and its descriptors. */
void codec_fini(struct codec *c);

/*
 * Moves on with the message in c->in. Returns 1 when it is whole (fds in
 * c->fds; call codec_next() when done with it), 0 when more must come,
 * -ECONNRESET at the end of the stream, -EBADMSG for a bad header,
 * -EMSGSIZE for too much payload, -EMFILE for too many or lost descriptors, or
 * what recvmsg said.
 */
int codec_recv(struct codec *c);
void codec_next(struct codec *c);

/*
 * Sends a message with the descriptors in c->fds, or as much as the socket
 * takes; the rest waits. Returns 0, -EBUSY when one waits already, or what
 * sendmsg said.
 */
int codec_send(struct codec *c, const struct vhu_msg *msg);
/* Goes on with what waits; 0 or -errno. */
int codec_flush(struct codec *c);

static inline bool codec_sending(const struct codec *c)
{
	return c->out_done_bytes < c->out_bytes;
}

#endif
