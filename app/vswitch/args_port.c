/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The argument of --port; see args.h. One table says which options there are,
 * what each expects and what it does.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_vhost.h>

#include "args.h"

#define BIT(n) (1ULL << (n))

#define TSO_FEATURES \
	(BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | BIT(VIRTIO_NET_F_HOST_ECN) | \
	 BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) | BIT(VIRTIO_NET_F_GUEST_ECN))
/* Segmentation needs checksums. */
#define CSUM_FEATURES \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | TSO_FEATURES)

enum kind { FLAG, ON_OFF, QUEUES, MACS, NAME, MODE };

static const struct port_option {
	const char *name;
	enum kind kind;
	uint64_t bits;      /* FLAG: RTE_VHOST_USER_*; ON_OFF: features that `off` takes away */
} options[] = {
	{ "client", FLAG, RTE_VHOST_USER_CLIENT },
	{ "no-reconnect", FLAG, RTE_VHOST_USER_NO_RECONNECT },
	{ "iommu", FLAG, RTE_VHOST_USER_IOMMU_SUPPORT },
	{ "postcopy", FLAG, RTE_VHOST_USER_POSTCOPY_SUPPORT },
	{ "linear", FLAG, RTE_VHOST_USER_LINEARBUF_SUPPORT },
	{ "extbuf", FLAG, RTE_VHOST_USER_EXTBUF_SUPPORT },
	{ "mrg", ON_OFF, BIT(VIRTIO_NET_F_MRG_RXBUF) },
	{ "csum", ON_OFF, CSUM_FEATURES },
	{ "tso", ON_OFF, TSO_FEATURES },
	{ "indirect", ON_OFF, BIT(VIRTIO_RING_F_INDIRECT_DESC) },
	{ "event-idx", ON_OFF, BIT(VIRTIO_RING_F_EVENT_IDX) },
	{ "packed", ON_OFF, BIT(VIRTIO_F_RING_PACKED) },
	{ "queues", QUEUES, 0 },
	{ "macs", MACS, 0 },
	{ "name", NAME, 0 },
	{ "mode", MODE, 0 },
};

struct complaint {
	char *text;
	size_t size;
};

__attribute__((format(printf, 2, 3)))
static int complain(struct complaint *c, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(c->text, c->size, format, args);
	va_end(args);
	return -1;
}

bool args_number(const char *text, unsigned long least, unsigned long most, unsigned long *value)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*value = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *value >= least && *value <= most;
}

static int unknown(struct complaint *c, const char *word)
{
	char list[256] = "";
	size_t at = 0;

	for (unsigned int i = 0; i < RTE_DIM(options); i++)
		at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s%s", i == 0 ? "" : ", ",
				       options[i].name, options[i].kind == FLAG ? "" : "=");
	return complain(c, "unknown option '%s', expected one of: %s", word, list);
}

static int set_on_off(struct endpoint *e, const struct port_option *o, const char *value,
		      struct complaint *c)
{
	if (value != NULL && strcmp(value, "off") == 0)
		e->features_off |= o->bits;
	else if (value == NULL || strcmp(value, "on") != 0)
		return complain(c, "%s expects 'on' or 'off', e.g. %s=off", o->name, o->name);
	return 0;
}

static int set_name(struct endpoint *e, const char *value, struct complaint *c)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789-_.";

	if (value == NULL || value[0] == '\0' || strlen(value) >= sizeof(e->name) ||
	    value[strspn(value, allowed)] != '\0')
		return complain(c, "name expects 1 to %zu letters, digits, '-', '_' or '.'",
				sizeof(e->name) - 1);
	snprintf(e->name, sizeof(e->name), "%s", value);
	return 0;
}

static int set_mode(struct endpoint *e, const char *value, struct complaint *c)
{
	unsigned long mode;
	char *end;

	mode = value == NULL || value[0] < '0' || value[0] > '7' ? ~0UL : strtoul(value, &end, 8);
	if (mode > 0777 || *end != '\0')
		return complain(c, "mode expects an octal number up to 0777, e.g. mode=0660");
	e->socket_mode = (int)mode;
	return 0;
}

static int set_option(struct endpoint *e, const char *word, const char *value, struct complaint *c)
{
	const struct port_option *o = NULL;
	unsigned long number;

	for (unsigned int i = 0; i < RTE_DIM(options); i++)
		if (strcmp(options[i].name, word) == 0)
			o = &options[i];
	if (o == NULL)
		return unknown(c, word);
	switch (o->kind) {
	case FLAG:
		if (value != NULL)
			return complain(c, "%s takes no value", word);
		e->register_flags |= o->bits;
		return 0;
	case ON_OFF:
		return set_on_off(e, o, value, c);
	case QUEUES:
		if (value == NULL || !args_number(value, 1, VSW_MAX_QUEUE_PAIRS, &number))
			return complain(c, "queues expects a number from 1 to %d, e.g. queues=2",
					VSW_MAX_QUEUE_PAIRS);
		e->queue_pairs = (uint16_t)number;
		return 0;
	case MACS:
		if (value == NULL || !args_number(value, 0, UINT32_MAX, &number))
			return complain(c, "macs expects a number, e.g. macs=64 (0: no limit)");
		e->max_macs = (uint32_t)number;
		return 0;
	case NAME:
		return set_name(e, value, c);
	case MODE:
		return set_mode(e, value, c);
	}
	return -1;
}

/* vm1 for /run/vm1.sock; what is not fit for a name becomes '_'. */
static void name_from_path(struct endpoint *e)
{
	const char *base = strrchr(e->path, '/');
	size_t length;

	base = base == NULL ? e->path : base + 1;
	length = strlen(base);
	if (length > 5 && strcmp(base + length - 5, ".sock") == 0)
		length -= 5;
	length = RTE_MIN(length, (size_t)24);
	for (size_t i = 0; i < length; i++)
		e->name[i] = base[i] <= ' ' || base[i] == 0x7f ? '_' : base[i];
	e->name[length] = '\0';
}

int args_parse_port(const char *text, struct endpoint *e, char *error, size_t size)
{
	struct complaint c = { error, size };
	char *copy = strdup(text), *rest = copy, *word, *value;
	int rc = -1;

	memset(e, 0, sizeof(*e));
	e->register_flags = RTE_VHOST_USER_NET_COMPLIANT_OL_FLAGS;
	e->queue_pairs = 1;
	e->max_macs = 1024;
	e->socket_mode = -1;
	if (copy == NULL)
		return complain(&c, "out of memory");
	word = strsep(&rest, ",");
	if (word[0] == '\0') {
		complain(&c, "expected PATH[,OPTION]..., e.g. --port vm1.sock,queues=2");
		goto out;
	}
	if (strlen(word) >= sizeof(e->path)) {
		complain(&c, "the path is %zu bytes long, a socket's has %zu at most", strlen(word),
			 sizeof(e->path) - 1);
		goto out;
	}
	snprintf(e->path, sizeof(e->path), "%s", word);
	name_from_path(e);
	while ((word = strsep(&rest, ",")) != NULL) {
		value = strchr(word, '=');
		if (value != NULL)
			*value++ = '\0';
		if (set_option(e, word, value, &c) != 0)
			goto out;
	}
	if (e->register_flags & RTE_VHOST_USER_NO_RECONNECT &&
	    !(e->register_flags & RTE_VHOST_USER_CLIENT))
		complain(&c, "no-reconnect expects client as well: a server does not connect");
	else if (e->register_flags & RTE_VHOST_USER_CLIENT && e->socket_mode >= 0)
		complain(&c, "mode is for a server's socket: the peer made the one of a client");
	else
		rc = 0;
out:
	free(copy);
	return rc;
}
