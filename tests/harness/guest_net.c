/* SPDX-License-Identifier: BSD-3-Clause */
/* The virtio-net driver's work over a guest queue; see guest_net.h. The device is under test. */
#include "guest_net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PIECES 1024
#define GUARD_BYTES 64
#define FILL_BYTE 0xa5
#define GUARD_BYTE 0x5c

unsigned
guest_net_hdr_bytes(uint64_t features)
{
	uint64_t long_header = 1ULL << 15 /* MRG_RXBUF */ | 1ULL << 32 /* VERSION_1 */;

	if (features & 1ULL << 57 /* HASH_REPORT */)
		return GUEST_NET_HASH_HDR_BYTES;
	return features & long_header ? GUEST_NET_HDR_BYTES : GUEST_NET_LEGACY_HDR_BYTES;
}

void
guest_pattern(uint32_t seed, void *data, uint32_t data_bytes)
{
	uint32_t x = seed * 2654435761u + 1;
	uint8_t *out = data;

	for (uint32_t i = 0; i < data_bytes; i++) {
		x = x * 1664525u + 1013904223u;
		out[i] = (uint8_t)(x >> 24);
	}
}

void
guest_tx_init(struct guest_tx *tx, struct guest_ring *vq, unsigned hdr_bytes,
	      uint64_t arena_bytes)
{
	*tx = (struct guest_tx) {
		.vq = vq,
		.hdr_bytes = hdr_bytes,
		.arena_gpa = guest_alloc(vq->mem, arena_bytes, 64),
		.arena_bytes = arena_bytes,
	};
}

/* Cuts the `total` bytes into pieces placed from gpa on; returns their number, 0 if too many. */
static unsigned
lay_out(const struct guest_tx *tx, uint64_t gpa, uint32_t total, const uint32_t *cuts,
	unsigned nr_cuts, struct guest_seg *segs)
{
	unsigned n = 0;

	for (unsigned i = 0; i < nr_cuts && total > 0; i++) {
		uint32_t len = cuts[i] < total ? cuts[i] : total;

		if (n == MAX_PIECES)
			return 0;
		segs[n++] = (struct guest_seg) {.gpa = gpa, .len_bytes = len};
		gpa += len + tx->gap_bytes;
		total -= len;
	}
	if (total > 0 && n < MAX_PIECES)
		segs[n++] = (struct guest_seg) {.gpa = gpa, .len_bytes = total};
	else if (total > 0)
		return 0;
	return n;
}

int
guest_tx_post(struct guest_tx *tx, const struct guest_net_hdr *hdr, const void *data,
	      uint32_t data_bytes, const uint32_t *cuts, unsigned nr_cuts)
{
	static const struct guest_net_hdr zero;
	struct guest_seg segs[MAX_PIECES];
	uint32_t total = tx->hdr_bytes + data_bytes;
	uint64_t room = total + (uint64_t)tx->gap_bytes * (nr_cuts + 1);
	uint64_t start = tx->next_bytes;
	uint8_t *flat, *at;
	unsigned n;
	int head;

	if (room > tx->arena_bytes)
		return -ENOSPC;
	if (start + room > tx->arena_bytes)
		start = 0;
	n = lay_out(tx, tx->arena_gpa + start, total, cuts, nr_cuts, segs);
	flat = n == 0 ? NULL : malloc(total);
	if (flat == NULL)
		return -ENOSPC;
	memcpy(flat, hdr != NULL ? hdr : &zero, tx->hdr_bytes);
	memcpy(flat + tx->hdr_bytes, data, data_bytes);
	at = flat;
	for (unsigned i = 0; i < n; at += segs[i].len_bytes, i++)
		guest_write(tx->vq->mem, segs[i].gpa, at, segs[i].len_bytes);
	free(flat);
	head = guest_ring_post(tx->vq, segs, (uint16_t)n, NULL);
	if (head >= 0) {
		tx->next_bytes = start + room;
		tx->outstanding++;
	}
	return head;
}

int
guest_tx_send(struct guest_tx *tx, const struct guest_net_hdr *hdr, const void *data,
	      uint32_t data_bytes)
{
	uint32_t cut = tx->hdr_bytes;

	return guest_tx_post(tx, hdr, data, data_bytes, &cut, 1);
}

int
guest_tx_reap(struct guest_tx *tx)
{
	struct guest_used used;
	int n = 0;

	for (;; n++) {
		uint32_t free_before = tx->vq->free_count;

		if (!guest_ring_poll(tx->vq, &used, NULL))
			return n;
		if (tx->vq->free_count == free_before || tx->outstanding == 0)
			return -EPROTO;
		tx->outstanding--;
	}
}

int
guest_tx_drain(struct guest_tx *tx, int timeout_ms)
{
	int n;

	for (int waited_us = 0; tx->outstanding > 0; waited_us += 50) {
		n = guest_tx_reap(tx);
		if (n < 0)
			return n;
		if (waited_us > timeout_ms * 1000)
			return -ETIMEDOUT;
		if (n == 0)
			usleep(50);
	}
	return 0;
}

int
guest_rx_init(struct guest_rx *rx, struct guest_ring *vq, unsigned hdr_bytes, bool mergeable,
	      unsigned nr_buffers, uint32_t buffer_bytes)
{
	*rx = (struct guest_rx) {
		.vq = vq,
		.hdr_bytes = hdr_bytes,
		.mergeable = mergeable,
		.buffer_bytes = buffer_bytes,
		.nr_buffers = nr_buffers,
		.buffers = calloc(nr_buffers, sizeof(*rx->buffers)),
	};
	if (rx->buffers == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < nr_buffers; i++) {
		uint64_t gpa = guest_alloc(vq->mem, buffer_bytes + 2 * GUARD_BYTES, 1);

		guest_fill(vq->mem, gpa, GUARD_BYTE, buffer_bytes + 2 * GUARD_BYTES);
		rx->buffers[i].gpa = gpa + GUARD_BYTES;
	}
	return 0;
}

void
guest_rx_fini(struct guest_rx *rx)
{
	free(rx->buffers);
	rx->buffers = NULL;
}

static int
post_buffer(struct guest_rx *rx, struct guest_rx_buffer *buffer)
{
	struct guest_seg segs[MAX_PIECES];
	uint32_t piece = rx->piece_bytes != 0 ? rx->piece_bytes : rx->buffer_bytes;
	uint16_t n = 0;

	for (uint32_t at = 0; at < rx->buffer_bytes; at += piece) {
		uint32_t left = rx->buffer_bytes - at;

		if (n == MAX_PIECES)
			return -ENOSPC;
		segs[n++] = (struct guest_seg) {
			.gpa = buffer->gpa + at,
			.len_bytes = left < piece ? left : piece,
			.flags = GUEST_DESC_WRITE,
		};
	}
	return guest_ring_prepare(rx->vq, segs, n, buffer);
}

unsigned
guest_rx_fill(struct guest_rx *rx, unsigned max)
{
	unsigned posted = 0;

	for (unsigned i = 0; i < rx->nr_buffers && posted < max; i++) {
		struct guest_rx_buffer *buffer = &rx->buffers[i];

		if (buffer->posted)
			continue;
		guest_fill(rx->vq->mem, buffer->gpa, FILL_BYTE, rx->buffer_bytes);
		if (post_buffer(rx, buffer) < 0)
			break;
		buffer->posted = true;
		posted++;
	}
	guest_ring_publish(rx->vq);
	return posted;
}

static bool
all_bytes(const struct guest_rx *rx, uint64_t gpa, uint8_t byte, uint32_t len_bytes)
{
	uint8_t chunk[256];

	while (len_bytes > 0) {
		uint32_t n = len_bytes < sizeof(chunk) ? len_bytes : (uint32_t)sizeof(chunk);

		guest_read(rx->vq->mem, gpa, chunk, n);
		for (uint32_t i = 0; i < n; i++)
			if (chunk[i] != byte)
				return false;
		gpa += n;
		len_bytes -= n;
	}
	return true;
}

/* Guards around the buffer, and the part of it behind what the device says it wrote. */
static bool
buffer_intact(const struct guest_rx *rx, const struct guest_rx_buffer *buffer, uint32_t written)
{
	return all_bytes(rx, buffer->gpa - GUARD_BYTES, GUARD_BYTE, GUARD_BYTES) &&
	       all_bytes(rx, buffer->gpa + rx->buffer_bytes, GUARD_BYTE, GUARD_BYTES) &&
	       (rx->touched ||
		all_bytes(rx, buffer->gpa + written, FILL_BYTE, rx->buffer_bytes - written));
}

bool
guest_rx_guards_intact(const struct guest_rx *rx)
{
	for (unsigned i = 0; i < rx->nr_buffers; i++) {
		const struct guest_rx_buffer *b = &rx->buffers[i];

		if (!buffer_intact(rx, b, b->posted ? 0 : rx->buffer_bytes))
			return false;
	}
	return true;
}

/* One used element: its buffer and length, checked. */
static int
next_buffer(struct guest_rx *rx, struct guest_rx_buffer **buffer, uint32_t *len_bytes)
{
	struct guest_used used;
	void *cookie;

	if (!guest_ring_poll(rx->vq, &used, &cookie))
		return -EAGAIN;
	*buffer = cookie;
	*len_bytes = used.len_bytes;
	if (cookie == NULL || !(*buffer)->posted || used.len_bytes > rx->buffer_bytes)
		return -EPROTO;
	(*buffer)->posted = false;
	return buffer_intact(rx, *buffer, used.len_bytes) ? 0 : -EFAULT;
}

int
guest_rx_recv(struct guest_rx *rx, struct guest_net_hdr *hdr, void *data,
	      uint32_t data_max_bytes, unsigned *nr_buffers)
{
	struct guest_rx_buffer *buffer;
	uint32_t len, got;
	unsigned count = 1;
	int rc = next_buffer(rx, &buffer, &len);

	if (rc != 0)
		return rc;
	if (len < rx->hdr_bytes)
		return -EPROTO;
	memset(hdr, 0, sizeof(*hdr));
	guest_read(rx->vq->mem, buffer->gpa, hdr, rx->hdr_bytes);
	if (rx->mergeable)
		count = hdr->num_buffers;
	if (nr_buffers != NULL)
		*nr_buffers = count;
	if (count == 0)
		return -EPROTO;
	got = len - rx->hdr_bytes;
	if (got > data_max_bytes)
		return -EMSGSIZE;
	guest_read(rx->vq->mem, buffer->gpa + rx->hdr_bytes, data, got);
	for (unsigned i = 1; i < count; i++) {
		rc = next_buffer(rx, &buffer, &len);
		if (rc != 0)
			return rc == -EAGAIN ? -EPROTO : rc;
		if (len > data_max_bytes - got)
			return -EMSGSIZE;
		guest_read(rx->vq->mem, buffer->gpa, (uint8_t *)data + got, len);
		got += len;
	}
	return (int)got;
}
