/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints the message table as docs/messages.md.
 *
 *   msgtable > docs/messages.md     writes it
 *   msgtable --check FILE DIR       TAP: is FILE current, has every message its test in DIR?
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vhost_user/table.h"

static const char head[] =
	"# Messages\n"
	"\n"
	"What a frontend may send, and what is checked before a handler sees it. Generated\n"
	"from `lib/vhost_user/table.c` by `tests/message/msgtable.c`; do not edit, run\n"
	"`build/tests/message/msgtable > docs/messages.md`.\n"
	"\n"
	"- **Payload** in bytes, **fds** as ancillary data; any other size or number is\n"
	"  refused.\n"
	"- **Queue**: where the payload names one. An index that is not below twice the number\n"
	"  of queue pairs is refused. Queues are made when they are first named.\n"
	"- **Needs**: protocol features that must be negotiated, and the state it is legal in.\n"
	"- **Quiet**: what data threads keep out of while it is handled. \"briefly\": mapping and\n"
	"  unmapping is done while they work. \"stops\" means that `destroy_device()` is called\n"
	"  first, if the device runs.\n"
	"- **Answer**: \"ack\" is a u64, 0 for done and 1 for refused, sent if `need_reply` is\n"
	"  set and `REPLY_ACK` negotiated. Without an ack to say so, what is refused closes the\n"
	"  connection; so does a refused message whose answer is a body.\n"
	"\n"
	"A request that is not in the table is refused in the same way. Descriptors that a\n"
	"handler does not keep are closed, whatever happens.\n"
	"\n"
	"| id | message | payload | fds | queue | needs | quiet | answer |\n"
	"|---:|---|---|---|---|---|---|---|\n";

static const char *const protocol_names[64] = {
	[VHOST_USER_PROTOCOL_F_MQ] = "MQ",
	[VHOST_USER_PROTOCOL_F_LOG_SHMFD] = "LOG_SHMFD",
	[VHOST_USER_PROTOCOL_F_RARP] = "RARP",
	[VHOST_USER_PROTOCOL_F_REPLY_ACK] = "REPLY_ACK",
	[VHOST_USER_PROTOCOL_F_NET_MTU] = "NET_MTU",
	[VHOST_USER_PROTOCOL_F_BACKEND_REQ] = "BACKEND_REQ",
	[VHOST_USER_PROTOCOL_F_CRYPTO_SESSION] = "CRYPTO_SESSION",
	[VHOST_USER_PROTOCOL_F_PAGEFAULT] = "PAGEFAULT",
	[VHOST_USER_PROTOCOL_F_CONFIG] = "CONFIG",
	[VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD] = "BACKEND_SEND_FD",
	[VHOST_USER_PROTOCOL_F_HOST_NOTIFIER] = "HOST_NOTIFIER",
	[VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD] = "INFLIGHT_SHMFD",
	[VHOST_USER_PROTOCOL_F_RESET_DEVICE] = "RESET_DEVICE",
	[VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS] = "CONFIGURE_MEM_SLOTS",
	[VHOST_USER_PROTOCOL_F_STATUS] = "STATUS",
	[VHOST_USER_PROTOCOL_F_SHARED_OBJECT] = "SHARED_OBJECT",
	[VHOST_USER_PROTOCOL_F_DEVICE_STATE] = "DEVICE_STATE",
};

static void print_range(FILE *out, unsigned int min, unsigned int max)
{
	if (min == max)
		fprintf(out, " %u |", min);
	else
		fprintf(out, " %u to %u |", min, max);
}

static void print_needs(FILE *out, const struct vhu_spec *spec)
{
	const char *comma = "";

	fputc(' ', out);
	for (unsigned int bit = 0; bit < 64; bit++) {
		if ((spec->needs_protocol & BIT(bit)) == 0)
			continue;
		if (protocol_names[bit] != NULL)
			fprintf(out, "%s`%s`", comma, protocol_names[bit]);
		else
			fprintf(out, "%sprotocol bit %u", comma, bit);
		comma = ", ";
	}
	if ((spec->conditions & VHU_NEEDS_MEMORY) != 0) {
		fprintf(out, "%smemory table", comma);
		comma = ", ";
	}
	if ((spec->conditions & VHU_NEEDS_RING_STOPPED) != 0) {
		fprintf(out, "%squeue stopped", comma);
		comma = ", ";
	}
	if ((spec->conditions & VHU_NEEDS_ALL_STOPPED) != 0) {
		fprintf(out, "%sall queues stopped", comma);
		comma = ", ";
	}
	if ((spec->conditions & VHU_NEEDS_IOMMU) != 0)
		fprintf(out, "%s`VIRTIO_F_ACCESS_PLATFORM`", comma);
	fputs(" |", out);
}

static void print_table(FILE *out)
{
	static const char *const queue[] = {
		[VHU_INDEX_NONE] = "",
		[VHU_INDEX_STATE] = "`index`",
		[VHU_INDEX_ADDR] = "`index`",
		[VHU_INDEX_U64] = "bits 0-7",
	};
	static const char *const quiet[] = {
		[VHU_SCOPE_NONE] = "",
		[VHU_SCOPE_RING] = "the queue",
		[VHU_SCOPE_ALL] = "all queues",
	};

	fputs(head, out);
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		const struct vhu_spec *spec = vhu_spec_of(r);

		if (spec == NULL)
			continue;
		fprintf(out, "| %u | `%s` |", r, spec->name);
		print_range(out, spec->size_min_bytes, spec->size_max_bytes);
		print_range(out, spec->fds_min, spec->fds_max);
		fprintf(out, " %s |", queue[spec->index]);
		print_needs(out, spec);
		fprintf(out, " %s%s%s |", quiet[spec->scope],
			spec->prepare != NULL ? ", briefly" : "",
			(spec->conditions & VHU_STOPS_DEVICE) != 0 ? ", stops" : "");
		fprintf(out, " %s |\n", spec->reply == VHU_REPLY_BODY ? "body" : "ack");
	}
}

/* Compares what would be printed with a file. */
static bool is_current(const char *path)
{
	char *text = NULL;
	size_t len = 0, i = 0;
	FILE *memory = open_memstream(&text, &len), *file = fopen(path, "r");
	bool same = file != NULL;

	print_table(memory);
	fclose(memory);
	for (; same && i < len; i++)
		same = fgetc(file) == (unsigned char)text[i];
	same = same && fgetc(file) == EOF;
	if (!same)
		fprintf(stderr, "%s is not what the table says; run msgtable > %s\n", path, path);
	if (file != NULL)
		fclose(file);
	free(text);
	return same;
}

static bool all_have_tests(const char *dir)
{
	bool all = true;

	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		const struct vhu_spec *spec = vhu_spec_of(r);
		char path[512];
		int len;

		if (spec == NULL)
			continue;
		len = snprintf(path, sizeof(path), "%s/%s.c", dir, spec->name);
		for (int i = (int)strlen(dir); i < len; i++)
			path[i] = (char)tolower((unsigned char)path[i]);
		if (access(path, R_OK) != 0) {
			fprintf(stderr, "%s: its meaning has no test, %s\n", spec->name, path);
			all = false;
		}
	}
	return all;
}

int main(int argc, char **argv)
{
	bool current, tested;

	if (argc == 1) {
		print_table(stdout);
		return 0;
	}
	if (argc != 4 || strcmp(argv[1], "--check") != 0) {
		fprintf(stderr, "usage: msgtable [--check FILE DIR]\n");
		return 2;
	}
	current = is_current(argv[2]);
	tested = all_have_tests(argv[3]);
	printf("1..2\n%sok 1 - the documentation is current\n", current ? "" : "not ");
	printf("%sok 2 - every message has a test of its meaning\n", tested ? "" : "not ");
	return current && tested ? 0 : 1;
}
