/* SPDX-License-Identifier: BSD-3-Clause */
/* A virtio-crypto driver and its frontend; see guest_crypto.h. The device is under test. */
#include "guest_crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "patience.h"

#define GUARD_BYTES 64
#define GUARD_BYTE 0x5c

/* --- messages --------------------------------------------------------------- */

struct config_msg {
	uint32_t offset_bytes, size_bytes, flags;
	uint8_t space[sizeof(struct virtio_crypto_config)];
};

/* What all forms have. */
struct params {
	uint32_t cipher_algo, cipher_key_len;
	uint32_t hash_algo, digest_len, auth_key_len, aad_len;
	uint8_t op_type, direction, hash_mode, chain_order;
};
struct keys {
	uint64_t cipher_pointer, auth_pointer; /* of the frontend, of no use to anybody */
	uint8_t cipher[64];
	uint8_t auth[512];
};

union session_msg {
	struct {
		int64_t session_id;
		uint32_t op_code;
		struct params params;
		struct keys keys;
	} old;
	struct {
		int64_t session_id;
		struct params params;
		uint32_t padding;
		struct keys keys;
	} middle;
	struct {
		uint64_t op_code;
		struct params params;
		uint32_t padding;
		struct keys keys;
		uint8_t padding_end[432];
		int64_t session_id;
	} new;
	struct {
		uint8_t head[40];
		struct keys keys; /* at the same place in all of them */
	} any;
	uint8_t bytes[1072];
};
#define OLD_FORM_BYTES 632
#define NEW_FORM_BYTES 1072
_Static_assert(sizeof(((union session_msg *)NULL)->old) == OLD_FORM_BYTES, "as on the wire");
_Static_assert(sizeof(((union session_msg *)NULL)->middle) == OLD_FORM_BYTES, "as on the wire");
_Static_assert(sizeof(((union session_msg *)NULL)->new) == NEW_FORM_BYTES, "as on the wire");

int
guest_crypto_config(struct frontend *fe, struct virtio_crypto_config *config)
{
	struct config_msg msg = {.size_bytes = sizeof(msg.space)};
	struct fe_msg reply;
	int rc = fe_request(fe, FE_GET_CONFIG, &msg, sizeof(msg), &reply);

	if (rc != 0)
		return rc;
	fe_msg_close_fds(&reply);
	if (reply.header.size_bytes != sizeof(msg))
		return -EBADMSG;
	memcpy(&msg, reply.bytes, sizeof(msg));
	memcpy(config, msg.space, sizeof(*config));
	return 0;
}

/* Returns where the id is. */
static int64_t *
fill_session(union session_msg *msg, const struct guest_crypto_session *s,
	     enum guest_crypto_form form)
{
	const struct params params = {
		.cipher_algo = s->cipher_algo,
		.cipher_key_len = s->cipher_key_bytes,
		.hash_algo = s->hash_algo,
		.digest_len = s->digest_bytes,
		.auth_key_len = s->auth_key_bytes,
		.aad_len = s->aad_bytes,
		.op_type = s->op_type,
		.direction = s->direction,
		.hash_mode = s->hash_mode,
		.chain_order = s->chain_order,
	};

	memset(msg, 0, sizeof(*msg));
	memcpy(msg->any.keys.cipher, s->cipher_key, sizeof(s->cipher_key));
	memcpy(msg->any.keys.auth, s->auth_key, sizeof(s->auth_key));
	switch (form) {
	case GUEST_CRYPTO_OLD_FORM:
		msg->old.op_code = s->opcode;
		msg->old.params = params;
		return &msg->old.session_id;
	case GUEST_CRYPTO_MIDDLE_FORM:
		msg->middle.params = params;
		return &msg->middle.session_id;
	default:
		msg->new.op_code = s->opcode;
		msg->new.params = params;
		return &msg->new.session_id;
	}
}

int
guest_crypto_session_create(struct frontend *fe, const struct guest_crypto_session *session,
			    enum guest_crypto_form form, int64_t *id)
{
	static const struct keys no_keys;
	union session_msg msg, got = {.bytes = {0}};
	int64_t *msg_id = fill_session(&msg, session, form);
	size_t bytes = form == GUEST_CRYPTO_NEW_FORM ? NEW_FORM_BYTES : OLD_FORM_BYTES;
	struct fe_msg reply;
	int rc = fe_request(fe, FE_CREATE_CRYPTO_SESSION, &msg, bytes, &reply);

	if (rc != 0)
		return rc;
	fe_msg_close_fds(&reply);
	if (reply.header.size_bytes != bytes)
		return -EBADMSG;
	memcpy(&got, reply.bytes, bytes);
	memcpy(msg_id, got.bytes + ((uint8_t *)msg_id - msg.bytes), sizeof(*msg_id));
	*id = *msg_id;
	if (memcmp(&got.any.keys, &no_keys, sizeof(no_keys)) == 0)
		msg.any.keys = no_keys;
	return memcmp(&msg, &got, bytes) == 0 ? 0 : -EBADMSG;
}

int
guest_crypto_session_close(struct frontend *fe, uint64_t id)
{
	return fe_command(fe, FE_CLOSE_CRYPTO_SESSION, &id, sizeof(id), NULL, 0);
}

/* --- what a request is ------------------------------------------------------ */

static void
fill_sym(const struct guest_crypto_req *req, struct virtio_crypto_sym_data_req *sym)
{
	sym->op_type = req->op_type;
	if (req->op_type != VIRTIO_CRYPTO_SYM_OP_ALGORITHM_CHAINING) {
		sym->u.cipher.para = (struct virtio_crypto_cipher_para) {
			.iv_len = req->iv_bytes,
			.src_data_len = req->src_bytes,
			.dst_data_len = req->dst_bytes,
		};
		return;
	}
	sym->u.chain.para = (struct virtio_crypto_alg_chain_data_para) {
		.iv_len = req->iv_bytes,
		.src_data_len = req->src_bytes,
		.dst_data_len = req->dst_bytes,
		.cipher_start_src_offset = req->cipher_start_bytes,
		.len_to_cipher = req->cipher_bytes,
		.hash_start_src_offset = req->hash_start_bytes,
		.len_to_hash = req->hashed_bytes,
		.aad_len = req->aad_bytes,
		.hash_result_len = req->hash_bytes,
	};
}

void
guest_crypto_header(const struct guest_crypto_req *req, struct virtio_crypto_op_data_req *header)
{
	memset(header, 0, sizeof(*header));
	header->header.opcode = req->opcode;
	header->header.session_id = req->session_id;
	header->header.flag = GUEST_CRYPTO_SESSION_MODE;
	switch (req->opcode >> 8) {
	case VIRTIO_CRYPTO_SERVICE_HASH:
	case VIRTIO_CRYPTO_SERVICE_MAC:
		header->u.hash_req.para.src_data_len = req->src_bytes;
		header->u.hash_req.para.hash_result_len = req->hash_bytes;
		break;
	case VIRTIO_CRYPTO_SERVICE_AEAD:
		header->u.aead_req.para = (struct virtio_crypto_aead_para) {
			.iv_len = req->iv_bytes,
			.aad_len = req->aad_bytes,
			.src_data_len = req->src_bytes,
			.dst_data_len = req->dst_bytes,
		};
		/* The specification has it, the header of Linux does not. */
		memcpy(header->u.aead_req.padding, &req->tag_bytes, sizeof(req->tag_bytes));
		break;
	default:
		fill_sym(req, &header->u.sym_req);
	}
}

uint32_t
guest_crypto_header_bytes(uint32_t opcode, bool revision_1)
{
	const uint32_t general = sizeof(struct virtio_crypto_op_header);
	const uint32_t whole = sizeof(struct virtio_crypto_op_data_req);

	if (!revision_1)
		return whole;
	switch (opcode >> 8) {
	case VIRTIO_CRYPTO_SERVICE_HASH:
	case VIRTIO_CRYPTO_SERVICE_MAC:
		return general + sizeof(struct virtio_crypto_hash_para);
	case VIRTIO_CRYPTO_SERVICE_AEAD:
		return general + 24;
	default:
		return whole;
	}
}

/* --- slots ------------------------------------------------------------------- */

/* A place for a request, and what is in it while it is posted. */
struct guest_crypto_slot {
	bool posted;
	int id;
	uint64_t gpa;
	uint64_t len_bytes;  /* from gpa to the end of the last guard */
	uint8_t *before;     /* all of that, as it was when the request was posted */
	struct guest_seg *segs;
	unsigned nr_segs, nr_readable;
	bool in_place; /* the first writable piece is the source, or its beginning */
	uint32_t dst_bytes, hash_bytes;
	void *cookie;
};

int
guest_crypto_init_at(struct guest_crypto *gc, struct guest_ring *vq, bool revision_1,
		     unsigned nr_slots, uint64_t slot_bytes, uint64_t gpa)
{
	*gc = (struct guest_crypto) {
		.vq = vq,
		.revision_1 = revision_1,
		.arena_gpa = gpa,
		.slot_bytes = slot_bytes,
		.nr_slots = nr_slots,
		.slots = calloc(nr_slots, sizeof(*gc->slots)),
		.result = malloc(slot_bytes),
	};
	if (gc->slots == NULL || gc->result == NULL) {
		guest_crypto_fini(gc);
		return -ENOMEM;
	}
	for (unsigned i = 0; i < nr_slots; i++) {
		gc->slots[i].gpa = gpa + i * slot_bytes;
		gc->slots[i].before = malloc(slot_bytes);
		if (gc->slots[i].before == NULL) {
			guest_crypto_fini(gc);
			return -ENOMEM;
		}
	}
	return 0;
}

int
guest_crypto_init(struct guest_crypto *gc, struct guest_ring *vq, bool revision_1,
		  unsigned nr_slots, uint64_t slot_bytes)
{
	return guest_crypto_init_at(gc, vq, revision_1, nr_slots, slot_bytes,
				    guest_alloc(vq->mem, nr_slots * slot_bytes, 64));
}

void
guest_crypto_fini(struct guest_crypto *gc)
{
	for (unsigned i = 0; gc->slots != NULL && i < gc->nr_slots; i++) {
		free(gc->slots[i].before);
		free(gc->slots[i].segs);
	}
	free(gc->slots);
	free(gc->result);
	gc->slots = NULL;
	gc->result = NULL;
}

void
guest_crypto_forget(struct guest_crypto *gc)
{
	for (unsigned i = 0; i < gc->nr_slots; i++)
		gc->slots[i].posted = false;
	gc->outstanding = 0;
}

static struct guest_crypto_slot *
free_slot(struct guest_crypto *gc)
{
	for (unsigned i = 0; i < gc->nr_slots; i++)
		if (!gc->slots[i].posted)
			return &gc->slots[i];
	return NULL;
}

/* --- layout ------------------------------------------------------------------ */

/* Where the next piece goes. */
struct cutter {
	struct guest_crypto_slot *slot;
	uint64_t limit_bytes;
	uint32_t gap_bytes;
};

static int
add_piece(struct cutter *c, uint32_t len_bytes, uint16_t flags)
{
	struct guest_crypto_slot *s = c->slot;

	if (s->len_bytes + len_bytes + c->gap_bytes + GUARD_BYTES > c->limit_bytes)
		return -EMSGSIZE;
	s->segs[s->nr_segs++] = (struct guest_seg) {
		.gpa = s->gpa + s->len_bytes, .len_bytes = len_bytes, .flags = flags,
	};
	s->len_bytes += len_bytes + c->gap_bytes;
	return 0;
}

static int
add_pieces(struct cutter *c, uint32_t total_bytes, const uint32_t *cuts, unsigned nr_cuts,
	   uint16_t flags)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < nr_cuts && total_bytes > 0; i++) {
		uint32_t len = cuts[i] < total_bytes ? cuts[i] : total_bytes;

		total_bytes -= len;
		rc = add_piece(c, len, flags);
	}
	return rc != 0 || total_bytes == 0 ? rc : add_piece(c, total_bytes, flags);
}

/* Of these parts, those that are not empty, one a piece. */
static int
add_parts(struct cutter *c, const uint32_t *parts, unsigned nr_parts, uint16_t flags)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < nr_parts; i++)
		if (parts[i] != 0)
			rc = add_piece(c, parts[i], flags);
	return rc;
}

static uint32_t
sum(const uint32_t *parts, unsigned nr_parts)
{
	uint32_t total = 0;

	for (unsigned i = 0; i < nr_parts; i++)
		total += parts[i];
	return total;
}

#define NR_READABLE_PARTS 4 /* header, IV, source, AAD */
#define NR_WRITABLE_PARTS 3 /* dst, hash result, status */

/* Gives every piece its place. */
static int
lay_out(struct guest_crypto *gc, struct guest_crypto_slot *s,
	const struct guest_crypto_layout *layout, const uint32_t *readable,
	const uint32_t *writable)
{
	unsigned max = NR_READABLE_PARTS + NR_WRITABLE_PARTS + layout->nr_readable_cuts +
		       layout->nr_writable_cuts;
	struct guest_seg *segs = realloc(s->segs, max * sizeof(*segs));
	struct cutter c = {s, gc->slot_bytes, layout->gap_bytes};
	int rc;

	if (segs == NULL)
		return -ENOMEM;
	s->segs = segs;
	s->nr_segs = 0;
	s->len_bytes = GUARD_BYTES + layout->shift_bytes;
	if (layout->nr_readable_cuts == 0)
		rc = add_parts(&c, readable, NR_READABLE_PARTS, 0);
	else
		rc = add_pieces(&c, sum(readable, NR_READABLE_PARTS), layout->readable_cuts,
				layout->nr_readable_cuts, 0);
	s->nr_readable = s->nr_segs;
	/* So that what is written beyond the first piece's front is seen. */
	s->len_bytes += GUARD_BYTES;
	s->in_place = rc == 0 && layout->in_place && layout->nr_readable_cuts == 0 &&
		      writable[0] > 0 && writable[0] <= readable[2];
	if (s->in_place) {
		uint64_t src_gpa = s->segs[readable[1] != 0 ? 2 : 1].gpa;

		s->segs[s->nr_segs++] = (struct guest_seg) {
			.gpa = src_gpa, .len_bytes = writable[0], .flags = GUEST_DESC_WRITE,
		};
		rc = add_parts(&c, writable + 1, NR_WRITABLE_PARTS - 1, GUEST_DESC_WRITE);
	} else if (rc == 0 && layout->nr_writable_cuts == 0) {
		rc = add_parts(&c, writable, NR_WRITABLE_PARTS, GUEST_DESC_WRITE);
	} else if (rc == 0) {
		rc = add_pieces(&c, sum(writable, NR_WRITABLE_PARTS), layout->writable_cuts,
				layout->nr_writable_cuts, GUEST_DESC_WRITE);
	}
	s->len_bytes += GUARD_BYTES;
	return rc;
}

/* --- a request's bytes -------------------------------------------------------- */

/* Goes over pieces, from the first byte to the last. Neither to nor from: past them. */
struct walk {
	const struct guest_crypto_slot *slot;
	uint8_t *bytes; /* of the whole slot */
	unsigned seg;
	uint32_t offset_bytes;
};

static void
walk_copy(struct walk *w, void *to, const void *from, uint32_t len_bytes)
{
	while (len_bytes > 0) {
		const struct guest_seg *seg = &w->slot->segs[w->seg];
		uint32_t n = seg->len_bytes - w->offset_bytes;
		uint8_t *at = w->bytes + (seg->gpa - w->slot->gpa) + w->offset_bytes;

		if (n > len_bytes)
			n = len_bytes;
		if (n == 0) {
			w->seg++;
			w->offset_bytes = 0;
			continue;
		}
		if (to != NULL) {
			memcpy(to, at, n);
			to = (uint8_t *)to + n;
		} else if (from != NULL) {
			memcpy(at, from, n);
			from = (const uint8_t *)from + n;
		}
		w->offset_bytes += n;
		len_bytes -= n;
	}
}

/* From the first byte that the device writes. */
static struct walk
results_of(const struct guest_crypto_slot *s, uint8_t *bytes)
{
	return (struct walk) {.slot = s, .bytes = bytes, .seg = s->nr_readable};
}

static void
fill_writable(const struct guest_crypto_slot *s, uint8_t *bytes)
{
	for (unsigned i = s->nr_readable + s->in_place; i < s->nr_segs; i++)
		memset(bytes + (s->segs[i].gpa - s->gpa), GUEST_CRYPTO_FILL_BYTE,
		       s->segs[i].len_bytes);
}

static void
write_request(struct guest_crypto *gc, struct guest_crypto_slot *s,
	      const struct guest_crypto_req *req, const struct virtio_crypto_op_data_req *header,
	      uint32_t header_bytes)
{
	struct walk w = {.slot = s, .bytes = s->before};

	memset(s->before, GUARD_BYTE, s->len_bytes);
	walk_copy(&w, NULL, header, header_bytes);
	walk_copy(&w, NULL, req->iv, req->iv_bytes);
	walk_copy(&w, NULL, req->src, req->src_bytes);
	walk_copy(&w, NULL, req->aad, req->aad_bytes);
	fill_writable(s, s->before);
	if (req->hash != NULL) {
		w = results_of(s, s->before);
		walk_copy(&w, NULL, NULL, req->dst_bytes);
		walk_copy(&w, NULL, req->hash, req->hash_bytes);
	}
	guest_write(gc->vq->mem, s->gpa, s->before, s->len_bytes);
}

int
guest_crypto_prepare(struct guest_crypto *gc, const struct guest_crypto_req *req,
		     const struct guest_crypto_layout *layout, void *cookie)
{
	static const struct guest_crypto_layout plain;
	const uint32_t header_bytes = guest_crypto_header_bytes(req->opcode, gc->revision_1);
	const uint32_t readable[NR_READABLE_PARTS] = {
		header_bytes, req->iv_bytes, req->src_bytes, req->aad_bytes,
	};
	const uint32_t writable[NR_WRITABLE_PARTS] = {req->dst_bytes, req->hash_bytes, 1};
	struct guest_crypto_slot *s = free_slot(gc);
	struct virtio_crypto_op_data_req made;
	int rc;

	if (s == NULL)
		return -ENOSPC;
	if (layout == NULL)
		layout = &plain;
	rc = lay_out(gc, s, layout, readable, writable);
	if (rc != 0)
		return rc;
	guest_crypto_header(req, &made);
	write_request(gc, s, req, req->header != NULL ? req->header : &made, header_bytes);
	s->dst_bytes = req->dst_bytes;
	s->hash_bytes = req->hash_bytes;
	s->cookie = cookie;
	gc->vq->indirect = layout->chain != GUEST_CRYPTO_DIRECT;
	gc->vq->plain = layout->chain == GUEST_CRYPTO_MIXED ? layout->nr_plain : 0;
	if (gc->vq->indirect && s->nr_segs - gc->vq->plain > gc->vq->indirect_max &&
	    s->nr_segs > gc->vq->plain)
		return -EMSGSIZE;
	s->id = guest_ring_prepare(gc->vq, s->segs, (uint16_t)s->nr_segs, s);
	if (s->id < 0)
		return s->id;
	s->posted = true;
	gc->outstanding++;
	return s->id;
}

int
guest_crypto_post(struct guest_crypto *gc, const struct guest_crypto_req *req,
		  const struct guest_crypto_layout *layout, void *cookie)
{
	int id = guest_crypto_prepare(gc, req, layout, cookie);

	if (id >= 0)
		guest_ring_publish(gc->vq);
	return id;
}

/* Takes the results out, and tells whether anything else is as it was. */
static bool
take_results(struct guest_crypto *gc, struct guest_crypto_slot *s,
	     struct guest_crypto_result *result)
{
	const uint32_t result_bytes = s->dst_bytes + s->hash_bytes;
	uint8_t *now = malloc(s->len_bytes + result_bytes), *then = now + s->len_bytes;
	struct walk w = results_of(s, s->before);
	bool same;

	if (now == NULL)
		abort();
	guest_read(gc->vq->mem, s->gpa, now, s->len_bytes);
	walk_copy(&w, then, NULL, result_bytes);
	w = results_of(s, now);
	walk_copy(&w, gc->result, NULL, result_bytes);
	walk_copy(&w, &result->status, NULL, 1);
	result->unwritten = memcmp(gc->result, then, result_bytes) == 0;
	for (unsigned i = s->nr_readable; i < s->nr_segs; i++) {
		uint64_t at = s->segs[i].gpa - s->gpa;

		memcpy(now + at, s->before + at, s->segs[i].len_bytes);
	}
	same = memcmp(now, s->before, s->len_bytes) == 0;
	free(now);
	return same;
}

int
guest_crypto_reap(struct guest_crypto *gc, struct guest_crypto_result *result)
{
	struct guest_crypto_slot *s;
	struct guest_used used;
	void *cookie;

	if (!guest_ring_poll(gc->vq, &used, &cookie))
		return -EAGAIN;
	s = cookie;
	if (s == NULL)
		return -EPROTO;
	s->posted = false;
	gc->outstanding--;
	*result = (struct guest_crypto_result) {
		.used_bytes = used.len_bytes,
		.dst = gc->result,
		.hash = gc->result + s->dst_bytes,
		.dst_bytes = s->dst_bytes,
		.hash_bytes = s->hash_bytes,
		.cookie = s->cookie,
	};
	return take_results(gc, s, result) ? 0 : -EFAULT;
}

int
guest_crypto_wait(struct guest_crypto *gc, struct guest_crypto_result *result, int timeout_ms)
{
	uint64_t until_us = patience_now_us() + (uint64_t)timeout_ms * 1000;
	int rc;

	while ((rc = guest_crypto_reap(gc, result)) == -EAGAIN) {
		if (patience_now_us() >= until_us)
			return -ETIMEDOUT;
		usleep(50);
	}
	return rc;
}

unsigned
guest_crypto_writable(const struct guest_crypto *gc, int id, const struct guest_seg **segs)
{
	for (unsigned i = 0; i < gc->nr_slots; i++) {
		const struct guest_crypto_slot *s = &gc->slots[i];

		if (s->posted && s->id == id) {
			*segs = s->segs + s->nr_readable;
			return s->nr_segs - s->nr_readable;
		}
	}
	return 0;
}
