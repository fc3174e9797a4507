/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Prints the message table as docs/messages.md.
 *
 *   msgtable > docs/messages.md     writes it
 *   msgtable --check FILE DIR       TAP: is FILE current, has every message its test in DIR, is
 *                                   all of the specification accounted for?
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
	"handler does not keep are closed, whatever happens. `SET_DEVICE_STATE_FD` and\n"
	"`CHECK_DEVICE_STATE` say in their body that they failed, as when queues run.\n"
	"`CREATE_CRYPTO_SESSION` comes in the form of DPDK 22.11, in that of QEMU 7.2, which\n"
	"is as long, and in that of later versions. The answer has the form of the request, without\n"
	"the keys, and a session id that is negative if there is no session: -1, -3 for what is not\n"
	"supported, -5 for no room. Whoever closes a session that is not there keeps its\n"
	"connection, with an ack of 1 or without one: it is a guest that says so.\n"
	"\n"
	"## Messages of the frontend\n"
	"\n"
	"| id | message | payload | fds | queue | needs | quiet | answer |\n"
	"|---:|---|---|---|---|---|---|---|\n";

static const char head_postcopy[] =
	"\n"
	"## Memory between `POSTCOPY_LISTEN` and `POSTCOPY_END`\n"
	"\n"
	"It is agreed on in steps: the frontend describes it, the answer says where it is\n"
	"mapped, and it is used when the same message comes again without descriptors (and\n"
	"without content, or with a u64 of 0).\n"
	"\n"
	"| id | message | payload | fds | queue | needs | quiet | answer |\n"
	"|---:|---|---|---|---|---|---|---|\n";

static const char head_refused[] =
	"\n"
	"The others of the specification are refused. An application's handlers\n"
	"(`rte_vhost_extern_callback_register()`) may answer them for a device type of its own.\n"
	"\n"
	"| id | message | refused, because |\n"
	"|---:|---|---|\n";

static const char head_backend[] =
	"\n"
	"## Messages to the frontend\n"
	"\n"
	"| id | message | |\n"
	"|---:|---|---|\n";

static const char head_bits[] =
	"\n"
	"## Protocol features\n"
	"\n"
	"\"done\": offered by default. \"done, on request\": the application offers it with\n"
	"`rte_vhost_driver_set_protocol_features()`.\n"
	"\n"
	"| bit | name | |\n"
	"|---:|---|---|\n";

/* What the specification has and the table does not, with the reason: nothing is merely missing. */
static const struct {
	uint32_t request;
	const char *name;
	const char *refused; /* because */
} refused_requests[] = {
	{ 23, "SET_VRING_ENDIAN", "see `CROSS_ENDIAN`" },
	{ 33, "GPU_SET_SOCKET", "for displays; an application's handler may take it" },
	{ 35, "VRING_KICK", "see `INBAND_NOTIFICATIONS`" },
	{ 41, "GET_SHARED_OBJECT", "see `SHARED_OBJECT`" },
	{ 44, "GET_SHMEM_CONFIG", "see `SHMEM`" },
};

/* Requests of ours to the frontend, on the socket of SET_BACKEND_REQ_FD. */
static const struct {
	const char *name;
	const char *state;
} backend_requests[] = {
	[1] = { "IOTLB_MSG", "done: what is not translated yet (miss), and where the guest "
			     "allows less than it asks for (access fail)" },
	[2] = { "CONFIG_CHANGE_MSG", "done: `rte_vhost_slave_config_change()`; an answer is waited "
				     "for one second at most" },
	[3] = { "VRING_HOST_NOTIFIER_MSG", "done: `rte_vhost_host_notifier_ctrl()`; an answer is waited "
		"for one second at most, when it is a vDPA device's driver that asks" },
	[4] = { "VRING_CALL", "not sent: see `INBAND_NOTIFICATIONS`" },
	[5] = { "VRING_ERR", "not sent: see `INBAND_NOTIFICATIONS`" },
	[6] = { "SHARED_OBJECT_ADD", "not sent: see `SHARED_OBJECT`" },
	[7] = { "SHARED_OBJECT_REMOVE", "not sent: see `SHARED_OBJECT`" },
	[8] = { "SHARED_OBJECT_LOOKUP", "not sent: see `SHARED_OBJECT`" },
	[9] = { "SHMEM_MAP", "not sent: see `SHMEM`" },
	[10] = { "SHMEM_UNMAP", "not sent: see `SHMEM`" },
};

#define DONE "done"
#define ON_REQUEST "done, on request"
#define REFUSED "refused, because "

static const struct {
	const char *name;
	const char *state;
} protocol_bits[64] = {
	[VHOST_USER_PROTOCOL_F_MQ] = { "MQ", DONE },
	[VHOST_USER_PROTOCOL_F_LOG_SHMFD] = { "LOG_SHMFD", DONE },
	[VHOST_USER_PROTOCOL_F_RARP] = { "RARP", DONE },
	[VHOST_USER_PROTOCOL_F_REPLY_ACK] = { "REPLY_ACK", DONE },
	[VHOST_USER_PROTOCOL_F_NET_MTU] = { "NET_MTU", DONE },
	[VHOST_USER_PROTOCOL_F_BACKEND_REQ] = { "BACKEND_REQ", DONE },
	[VHOST_USER_PROTOCOL_F_CROSS_ENDIAN] = {
		"CROSS_ENDIAN", REFUSED "it is about drivers from before virtio 1.0 in guests of "
		"the other byte order; each access to a ring would cost every other guest a test. "
		"A frontend that needs it sees that it is not offered" },
	[VHOST_USER_PROTOCOL_F_CRYPTO_SESSION] = {
		"CRYPTO_SESSION", DONE ", for crypto devices (`rte_vhost_crypto_driver_start()`)" },
	[VHOST_USER_PROTOCOL_F_PAGEFAULT] = {
		"PAGEFAULT", DONE ", with the flag `RTE_VHOST_USER_POSTCOPY_SUPPORT`" },
	[VHOST_USER_PROTOCOL_F_CONFIG] = {
		"CONFIG", ON_REQUEST ": the configuration space of a network device is the "
		"frontend's, that of an application's device its message handler's, that of a vDPA "
		"device its driver's; that of a crypto device is the library's, and read-only" },
	[VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD] = { "BACKEND_SEND_FD", DONE },
	[VHOST_USER_PROTOCOL_F_HOST_NOTIFIER] = {
		"HOST_NOTIFIER", DONE ", where a vDPA device serves the socket: data threads poll, and "
		"have no doorbell" },
	[VHOST_USER_PROTOCOL_F_INFLIGHT_SHMFD] = {
		"INFLIGHT_SHMFD", ON_REQUEST ", for rings that the application serves" },
	[VHOST_USER_PROTOCOL_F_RESET_DEVICE] = { "RESET_DEVICE", DONE },
	[VHOST_USER_PROTOCOL_F_INBAND_NOTIFICATIONS] = {
		"INBAND_NOTIFICATIONS", REFUSED "it is for simulations: the specification has each "
		"call be a message whose answer is waited for, and a data thread waits for no "
		"frontend" },
	[VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS] = { "CONFIGURE_MEM_SLOTS", DONE },
	[VHOST_USER_PROTOCOL_F_STATUS] = { "STATUS", DONE },
	[VHOST_USER_PROTOCOL_F_XEN_MMAP] = {
		"XEN_MMAP", REFUSED "guest memory is a file, not a Xen grant" },
	[VHOST_USER_PROTOCOL_F_SHARED_OBJECT] = {
		"SHARED_OBJECT", REFUSED "it is about buffers of displays" },
	[VHOST_USER_PROTOCOL_F_DEVICE_STATE] = {
		"DEVICE_STATE", DONE ", for network devices; the format is "
		"[device-state.md](device-state.md)" },
	[VHOST_USER_PROTOCOL_F_GET_VRING_BASE_INFLIGHT] = {
		"GET_VRING_BASE_INFLIGHT", ON_REQUEST ", for rings that the application "
		"serves: the library itself drains nothing, what was not given back stays in the "
		"in-flight area" },
	[VHOST_USER_PROTOCOL_F_GPA_ADDRESSES] = {
		"GPA_ADDRESSES", ON_REQUEST ". Other peers have used the bit for `SHMEM`, so it "
		"counts only if it was offered, and does not change once memory came" },
	[VHOST_USER_PROTOCOL_F_SHMEM] = {
		"SHMEM", REFUSED "network and disk devices have no shared memory of their own" },
	[VHOST_USER_PROTOCOL_F_GET_VRING_BASE_SKIP_DRAIN] = {
		"GET_VRING_BASE_SKIP_DRAIN", ON_REQUEST ", as `GET_VRING_BASE_INFLIGHT`: the "
		"application's `pre_msg_handle()` sees which of the two messages stops its queue" },
};

/* All that the specification has. */
#define REQUESTS_END 46
#define PROTOCOL_BITS_END 24

static void print_range(FILE *out, unsigned int min, const char *to, unsigned int max)
{
	if (min == max)
		fprintf(out, " %u |", min);
	else
		fprintf(out, " %u %s %u |", min, to, max);
}

static const struct {
	uint16_t condition;
	const char *name;
} states[] = {
	{ VHU_NEEDS_MEMORY, "memory table" },
	{ VHU_NEEDS_RING_STOPPED, "queue stopped" },
	{ VHU_NEEDS_ALL_STOPPED, "all queues stopped" },
	{ VHU_NEEDS_IOMMU, "`VIRTIO_F_ACCESS_PLATFORM`" },
	{ VHU_NEEDS_NO_MEMORY, "no memory yet" },
	{ VHU_NEEDS_ADVISE, "`POSTCOPY_ADVISE`" },
	{ VHU_NEEDS_NO_LISTEN, "not after `POSTCOPY_LISTEN`" },
	{ VHU_NEEDS_PROPOSAL, "memory that waits for it" },
	{ VHU_NEEDS_NO_PROPOSAL, "no memory that waits" },
};

static void print_needs(FILE *out, const struct vhu_spec *spec)
{
	const char *comma = "";

	fputc(' ', out);
	for (unsigned int bit = 0; bit < 64; bit++) {
		if ((spec->needs_protocol & BIT(bit)) == 0)
			continue;
		fprintf(out, "%s`%s`", comma, protocol_bits[bit].name);
		comma = ", ";
	}
	for (unsigned int i = 0; i < ARRAY_LEN(states); i++) {
		if ((spec->conditions & states[i].condition) == 0)
			continue;
		fprintf(out, "%s%s", comma, states[i].name);
		comma = ", ";
	}
	fputs(" |", out);
}

static void print_lines(FILE *out, const struct vhu_spec *table)
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

	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		const struct vhu_spec *spec = &table[r];

		if (spec->name == NULL)
			continue;
		fprintf(out, "| %u | `%s` |", r, spec->name);
		print_range(out, spec->size_min_bytes, spec->size_either ? "or" : "to",
			    spec->size_max_bytes);
		print_range(out, spec->fds_min, "to", spec->fds_max);
		fprintf(out, " %s |", queue[spec->index]);
		print_needs(out, spec);
		fprintf(out, " %s%s%s |", quiet[spec->scope],
			spec->prepare != NULL && spec->scope != VHU_SCOPE_NONE ? ", briefly" : "",
			(spec->conditions & VHU_STOPS_DEVICE) != 0 ? ", stops" : "");
		fprintf(out, " %s |\n", spec->reply == VHU_REPLY_BODY ? "body" : "ack");
	}
}

static void print_table(FILE *out)
{
	fputs(head, out);
	print_lines(out, vhu_table);
}

static void print_postcopy(FILE *out)
{
	fputs(head_postcopy, out);
	print_lines(out, vhu_postcopy_table);
	print_lines(out, vhu_postcopy_acks);
}

static void print_rest(FILE *out)
{
	fputs(head_refused, out);
	for (unsigned int i = 0; i < ARRAY_LEN(refused_requests); i++)
		fprintf(out, "| %u | `%s` | %s |\n", refused_requests[i].request,
			refused_requests[i].name, refused_requests[i].refused);
	fputs(head_backend, out);
	for (unsigned int i = 1; i < ARRAY_LEN(backend_requests); i++)
		fprintf(out, "| %u | `%s` | %s |\n", i, backend_requests[i].name,
			backend_requests[i].state);
	fputs(head_bits, out);
	for (unsigned int bit = 0; bit < PROTOCOL_BITS_END; bit++)
		fprintf(out, "| %u | `%s` | %s |\n", bit, protocol_bits[bit].name,
			protocol_bits[bit].state);
}

static void print_all(FILE *out)
{
	print_table(out);
	print_rest(out);
	print_postcopy(out);
}

static unsigned int reasons_for(uint32_t request)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < ARRAY_LEN(refused_requests); i++)
		n += refused_requests[i].request == request;
	return n;
}

/* Each message is handled or refused for a reason, not both; and each bit has its place. */
static bool all_accounted_for(void)
{
	bool all = true;

	for (uint32_t r = 1; r < REQUESTS_END || r < VHU_REQUEST_COUNT; r++) {
		unsigned int places = reasons_for(r) + (vhu_spec_of(r) != NULL);

		if (places == 1)
			continue;
		fprintf(stderr, "request %u: %s\n", r,
			places == 0 ? "neither handled nor refused for a reason: add one" :
				      "handled, and refused: take it out of refused_requests");
		all = false;
	}
	for (unsigned int bit = 0; bit < PROTOCOL_BITS_END; bit++) {
		if (protocol_bits[bit].name == NULL || protocol_bits[bit].state == NULL) {
			fprintf(stderr, "protocol bit %u: neither done nor refused\n", bit);
			all = false;
		}
	}
	return all;
}

/* A bit that is refused has no message that is handled. */
static bool bits_agree_with_messages(void)
{
	bool agree = true;

	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		const struct vhu_spec *spec = vhu_spec_of(r);

		for (unsigned int bit = 0; spec != NULL && bit < 64; bit++) {
			const char *state = protocol_bits[bit].state;

			if ((spec->needs_protocol & BIT(bit)) == 0 ||
			    (state != NULL && strncmp(state, DONE, strlen(DONE)) == 0))
				continue;
			fprintf(stderr, "%s needs protocol bit %u, which is refused\n", spec->name,
				bit);
			agree = false;
		}
	}
	return agree;
}

/* Compares what would be printed with a file. */
static bool is_current(const char *path)
{
	char *text = NULL;
	size_t len = 0, i = 0;
	FILE *memory = open_memstream(&text, &len), *file = fopen(path, "r");
	bool same = file != NULL;

	print_all(memory);
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
	bool current, tested, complete, agree;

	if (argc == 1) {
		print_all(stdout);
		return 0;
	}
	if (argc != 4 || strcmp(argv[1], "--check") != 0) {
		fprintf(stderr, "usage: msgtable [--check FILE DIR]\n");
		return 2;
	}
	current = is_current(argv[2]);
	tested = all_have_tests(argv[3]);
	complete = all_accounted_for();
	agree = bits_agree_with_messages();
	printf("1..4\n%sok 1 - the documentation is current\n", current ? "" : "not ");
	printf("%sok 2 - every message has a test of its meaning\n", tested ? "" : "not ");
	printf("%sok 3 - every message and bit of the specification is done or refused\n",
	       complete ? "" : "not ");
	printf("%sok 4 - what a message needs is not refused\n", agree ? "" : "not ");
	return current && tested && complete && agree ? 0 : 1;
}
