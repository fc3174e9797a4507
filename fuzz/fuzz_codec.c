/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes and descriptors in any portions into the codec. Checked: each message
 * is byte for byte what was sent, wherever the portions were cut, and has the
 * descriptors that came with its bytes; a connection is given up for what the
 * specification forbids and for nothing else; what is sent back arrives as it
 * was, however slowly it is read; no descriptor is lost or kept.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "input.h"
#include "vhost_user/codec.h"

#define FDS_MAX 40
#define PIECE_MAX_BYTES 600
#define STREAM_MAX_BYTES 65536
#define PIECES_MAX 1024

/* Both directions as the peer knows them. */
static struct {
	uint8_t sent[STREAM_MAX_BYTES];
	size_t sent_bytes;
	size_t taken_bytes; /* of them, in messages that came out */
	struct {
		size_t at;
		unsigned int count;
	} fds[PIECES_MAX];
	unsigned int nr_fds;
	uint8_t answers[STREAM_MAX_BYTES];
	size_t answers_bytes;
	size_t read_bytes; /* of them, by the peer */
} f;

ORACLE static unsigned int open_fds(void)
{
	unsigned int n = 0;

	for (int fd = 0; fd < 128; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void send_piece(int fd, const void *bytes, size_t len, int what, unsigned int nr_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = { (void *)(uintptr_t)bytes, len };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };

	if (nr_fds != 0) {
		struct cmsghdr *cm;

		memset(&control, 0, sizeof(control));
		mh.msg_control = control.bytes;
		mh.msg_controllen = CMSG_SPACE(nr_fds * sizeof(int));
		cm = CMSG_FIRSTHDR(&mh);
		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(nr_fds * sizeof(int));
		for (unsigned int i = 0; i < nr_fds; i++)
			memcpy(CMSG_DATA(cm) + i * sizeof(int), &what, sizeof(int));
	}
	MUST(sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)len);
	memcpy(f.sent + f.sent_bytes, bytes, len);
	if (nr_fds != 0) {
		f.fds[f.nr_fds].at = f.sent_bytes;
		f.fds[f.nr_fds++].count = nr_fds;
	}
	f.sent_bytes += len;
}

/* The header of the message that the codec is at; false when it is not there. */
ORACLE static bool next_header(struct vhu_header *hdr)
{
	if (f.sent_bytes - f.taken_bytes < VHU_HEADER_BYTES)
		return false;
	memcpy(hdr, f.sent + f.taken_bytes, VHU_HEADER_BYTES);
	return true;
}

/* Descriptors that came with the next `len` bytes. */
ORACLE static unsigned int next_fds(size_t len)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < f.nr_fds; i++)
		if (f.fds[i].at >= f.taken_bytes && f.fds[i].at < f.taken_bytes + len)
			n += f.fds[i].count;
	return n;
}

ORACLE static void check_whole(const struct codec *c)
{
	struct vhu_header hdr;

	MUST(next_header(&hdr));
	MUST(memcmp(&c->in.hdr, &hdr, sizeof(hdr)) == 0);
	MUST(hdr.size_bytes <= VHU_PAYLOAD_MAX_BYTES);
	MUST((hdr.flags & (VHU_FLAG_VERSION_MASK | VHU_FLAG_REPLY)) == VHU_VERSION);
	MUST(f.sent_bytes - f.taken_bytes >= VHU_HEADER_BYTES + hdr.size_bytes);
	MUST(memcmp(&c->in.payload, f.sent + f.taken_bytes + VHU_HEADER_BYTES,
		    hdr.size_bytes) == 0);
	/* Bytes that were not sent read as 0, whatever the last message was. */
	for (size_t i = hdr.size_bytes; i < sizeof(c->in.payload); i++)
		MUST(((const uint8_t *)&c->in.payload)[i] == 0);
	MUST(c->fds.count == next_fds(VHU_HEADER_BYTES + hdr.size_bytes));
	for (unsigned int i = 0; i < c->fds.count; i++)
		MUST(fcntl(c->fds.fds[i], F_GETFD) == FD_CLOEXEC);
	f.taken_bytes += VHU_HEADER_BYTES + hdr.size_bytes;
}

/* Nothing more to be had: because it has not been sent, or has to be refused. */
ORACLE static void check_stop(int ret, bool closed)
{
	struct vhu_header hdr;
	bool whole_header = next_header(&hdr);
	size_t want = VHU_HEADER_BYTES + (whole_header ? (size_t)hdr.size_bytes : 0);
	bool version = whole_header && (hdr.flags & VHU_FLAG_VERSION_MASK) == VHU_VERSION &&
		       (hdr.flags & VHU_FLAG_REPLY) == 0;

	switch (ret) {
	case 0:
		MUST(!closed);
		MUST(!whole_header || (version && hdr.size_bytes <= VHU_PAYLOAD_MAX_BYTES));
		MUST(f.sent_bytes - f.taken_bytes < want);
		MUST(next_fds(f.sent_bytes - f.taken_bytes) <= FDBAG_MAX);
		break;
	case -EBADMSG:
		MUST(whole_header && !version);
		break;
	case -EMSGSIZE:
		MUST(version && hdr.size_bytes > VHU_PAYLOAD_MAX_BYTES);
		break;
	case -EMFILE:
		MUST(next_fds(want) > FDBAG_MAX);
		break;
	default:
		MUST(ret == -ECONNRESET && closed);
		break;
	}
}

static void echo(struct codec *c)
{
	bool busy = codec_sending(c);
	int ret = codec_send(c, &c->in);

	MUST(busy ? ret == -EBUSY : ret == 0);
	if (busy || f.answers_bytes + sizeof(c->in) > STREAM_MAX_BYTES)
		return;
	memcpy(f.answers + f.answers_bytes, &c->in.hdr, VHU_HEADER_BYTES);
	memcpy(f.answers + f.answers_bytes + VHU_HEADER_BYTES, &c->in.payload,
	       c->in.hdr.size_bytes);
	f.answers_bytes += VHU_HEADER_BYTES + c->in.hdr.size_bytes;
}

/* Everything that is there; false when the connection has to go. */
static bool receive(struct codec *c, bool closed)
{
	for (;;) {
		int ret = codec_recv(c);

		MUST(c->in_bytes <= VHU_HEADER_BYTES + VHU_PAYLOAD_MAX_BYTES);
		MUST(c->fds.count <= FDBAG_MAX);
		if (ret != 1) {
			check_stop(ret, closed);
			return ret == 0;
		}
		check_whole(c);
		if (!closed)
			echo(c);
		codec_next(c);
	}
}

/* The peer reads up to `max` bytes of what it was sent. */
static void read_answers(int fd, size_t max)
{
	static uint8_t bytes[8192];
	ssize_t n = recv(fd, bytes, MIN2(max, sizeof(bytes)), MSG_DONTWAIT);

	if (n <= 0)
		return;
	MUST((size_t)n <= f.answers_bytes - f.read_bytes);
	MUST(memcmp(bytes, f.answers + f.read_bytes, (size_t)n) == 0);
	f.read_bytes += (size_t)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	struct input in = { bytes, len_bytes };
	unsigned int before = open_fds();
	int pair[2], what = eventfd(0, EFD_CLOEXEC), small = 0;
	bool alive = true;
	struct codec c;

	f.sent_bytes = f.taken_bytes = f.answers_bytes = f.read_bytes = 0;
	f.nr_fds = 0;
	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 && what >= 0);
	/* As little room for answers as the kernel grants, so that they get stuck. */
	MUST(setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &small, sizeof(small)) == 0);
	codec_init(&c, pair[1]);
	while (alive && !input_empty(&in) && f.sent_bytes + PIECE_MAX_BYTES <= STREAM_MAX_BYTES &&
	       f.nr_fds < PIECES_MAX) {
		uint8_t piece[PIECE_MAX_BYTES];
		uint8_t nr_fds = input_u8(&in);
		size_t len = 1 + input_u16(&in) % (sizeof(piece) - 1);

		(void)input_bytes(&in, piece, len);
		/* Mostly none, sometimes more than the codec has room for. */
		nr_fds = nr_fds < 200 ? 0 : nr_fds % FDS_MAX;
		send_piece(pair[0], piece, len, what, nr_fds);
		alive = receive(&c, false);
		if (len % 3 == 0)
			read_answers(pair[0], len * 8);
		if (codec_sending(&c))
			MUST(codec_flush(&c) == 0);
	}
	/* What is still on its way arrives when the peer reads. */
	while (alive && f.read_bytes < f.answers_bytes) {
		size_t done = f.read_bytes;

		read_answers(pair[0], SIZE_MAX);
		MUST(codec_flush(&c) == 0);
		MUST(f.read_bytes > done);
	}
	close(pair[0]);
	if (alive)
		MUST(!receive(&c, true));
	codec_fini(&c);
	close(pair[1]);
	close(what);
	MUST(open_fds() == before);
	return 0;
}
