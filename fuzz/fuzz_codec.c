/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes and descriptors in any portions into the codec. Checked: no descriptor
 * is lost or kept, positions stay inside the message, a message is never whole
 * before its last byte.
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

static unsigned int open_fds(void)
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
	(void)!sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* Everything that is there; false when the connection has to go. */
static bool receive(struct codec *c)
{
	for (;;) {
		int ret = codec_recv(c);

		MUST(c->in_bytes <= VHU_HEADER_BYTES + VHU_PAYLOAD_MAX_BYTES);
		MUST(c->fds.count <= FDBAG_MAX);
		if (ret < 0)
			return false;
		if (ret == 0)
			return true;
		MUST(c->in_bytes == VHU_HEADER_BYTES + c->in.hdr.size_bytes);
		MUST(c->in.hdr.size_bytes <= VHU_PAYLOAD_MAX_BYTES);
		if (!codec_sending(c))
			MUST(codec_send(c, &c->in) <= 0);
		codec_next(c);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len_bytes)
{
	static uint8_t sink[8192];
	struct input in = { bytes, len_bytes };
	unsigned int before = open_fds();
	int pair[2], what = eventfd(0, EFD_CLOEXEC);
	bool alive = true;
	struct codec c;

	MUST(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0 && what >= 0);
	codec_init(&c, pair[1]);
	while (alive && !input_empty(&in)) {
		uint8_t piece[PIECE_MAX_BYTES];
		uint8_t nr_fds = input_u8(&in);
		size_t len = input_u16(&in) % sizeof(piece);

		len = input_bytes(&in, piece, len);
		/* Mostly none, sometimes more than the codec has room for. */
		nr_fds = nr_fds < 200 ? 0 : nr_fds % FDS_MAX;
		send_piece(pair[0], piece, len, what, nr_fds);
		alive = receive(&c);
		if (nr_fds % 3 == 0)
			while (recv(pair[0], sink, sizeof(sink), MSG_DONTWAIT) > 0)
				;
		if (codec_sending(&c))
			alive &= codec_flush(&c) == 0;
	}
	close(pair[0]);
	if (alive)
		(void)receive(&c);
	codec_fini(&c);
	close(pair[1]);
	close(what);
	MUST(open_fds() == before);
	return 0;
}
