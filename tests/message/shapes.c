/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every message of the table in every wrong shape: too short, too long, too few or too many
 * descriptors, not negotiated, in the wrong state, about a queue that does not exist. Each must be
 * refused, with an answer where one was asked for and negotiated, leak no descriptor, change no
 * fact, and leave a device that comes up as usual.
 */
#include <linux/virtio_config.h>
#include <stdio.h>

#include "forms.h"

static struct form forms[VHU_REQUEST_COUNT];
static struct form_fds fds;
static struct session s;

static int group_setup(void **state)
{
	(void)state;
	kit_capture_log();
	forms_find(forms);
	form_fds_open(&fds);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	form_fds_close(&fds);
	return 0;
}

/* --- what must not change ---------------------------------------------- */

struct facts {
	uint64_t features, protocol_features;
	uint64_t flags; /* one bit a truth */
	const struct gmem *mem, *proposed;
	const struct region *inflight;
	int uffd;
	bool listening;
	uint64_t rarp;
	uint16_t mtu_bytes;
	uint8_t status;
	int backend_fd, transfer_fd;
	struct {
		struct vring_addrs addrs;
		uint64_t log_guest_addr;
		uint64_t flags;
		int callfd, kickfd, errfd;
		uint16_t size, last_avail, used_idx;
	} vqs[SESSION_QUEUES];
};

static void take_facts(struct facts *f)
{
	const struct device *dev = s.dev;

	memset(f, 0, sizeof(*f)); /* padding is compared, too */
	f->features = dev->features;
	f->protocol_features = dev->protocol_features;
	f->flags = dev->features_set | dev->running << 1;
	f->mem = dev->mem;
	f->proposed = dev->postcopy.proposed;
	f->uffd = dev->postcopy.uffd;
	f->listening = dev->postcopy.listening;
	f->inflight = dev->inflight.areas;
	f->rarp = dev->rarp.word;
	f->mtu_bytes = dev->mtu_bytes;
	f->status = dev->status;
	f->backend_fd = dev->backend_fd;
	f->transfer_fd = dev->transfer.fd;
	for (unsigned int i = 0; i < SESSION_QUEUES; i++) {
		const struct vq *vq = i < dev->nr_vqs ? dev->vqs[i] : NULL;

		f->vqs[i].callfd = f->vqs[i].kickfd = f->vqs[i].errfd = EVENTFD_UNSET;
		if (vq == NULL)
			continue;
		f->vqs[i].addrs = vq->addrs;
		f->vqs[i].log_guest_addr = vq->log_guest_addr;
		f->vqs[i].flags = vq->addrs_set | vq->started << 1 | vq->enabled << 2 |
				  vq->ready << 3 | (vq->gate.closed & 7) << 4;
		if (!vq->ready) /* made, but empty: as if it were not there */
			f->vqs[i].flags &= ~(UINT64_C(7) << 4);
		f->vqs[i].callfd = vq->callfd;
		f->vqs[i].kickfd = vq->kickfd;
		f->vqs[i].errfd = vq->errfd;
		f->vqs[i].size = vq->ring.size;
		f->vqs[i].last_avail = vq->ring.last_avail;
		f->vqs[i].used_idx = vq->ring.used_idx;
	}
}

/* --- what being refused means ------------------------------------------ */

static void refused_once(const struct form *form, bool need_reply, const char *why)
{
	bool acks = need_reply && device_has_proto(s.dev, VHOST_USER_PROTOCOL_F_REPLY_ACK) &&
		    (form->spec == NULL || form->spec->reply == VHU_REPLY_ACK);
	unsigned int open = kit_open_fds();
	struct facts before, after;
	int ret;

	take_facts(&before);
	s.dev->log_budget = (struct log_budget){ 0 };
	kit_lines = 0;
	s.need_reply = need_reply;
	ret = form_send(&s, form, &fds);
	s.need_reply = false;
	take_facts(&after);
	if (acks ? ret != 1 : ret >= 0)
		fail_msg("request %u (%s), %s: returned %d", form->request,
			 form->spec ? form->spec->name : "unknown", why, ret);
	if (memcmp(&before, &after, sizeof(before)) != 0)
		fail_msg("request %u, %s: changed the device", form->request, why);
	assert_int_equal(kit_open_fds(), open);
	assert_string_equal(session_events(&s), "");
	/* It says so, and about what. */
	assert_true(kit_lines != 0);
	assert_non_null(strstr(kit_last_line, form->spec ? form->spec->name : "unknown"));
}

static void refused(const struct form *form, const char *why)
{
	refused_once(form, true, why);
	refused_once(form, false, why);
}

/* A device that has had to refuse so much still comes up, or still runs. */
static void still_usable(enum form_state state)
{
	s.config.max_queue_pairs = SESSION_QUEUES / 2;
	if (state != FORM_RUNNING) {
		session_setup(&s, 2);
		assert_string_equal(session_events(&s), "q0=1 q1=1 +dev");
	}
	assert_true(s.dev->running);
	assert_int_equal(session_state(&s, VHU_GET_VRING_BASE, 0, 0), 0);
	assert_string_equal(session_events(&s), "-dev q0=0");
}

/* From POSTCOPY_LISTEN on, before memory. */
static void listening(void)
{
	session_negotiate(&s);
	assert_int_equal(session_empty(&s, VHU_POSTCOPY_ADVISE), 0);
	assert_int_equal(session_empty(&s, VHU_POSTCOPY_LISTEN), 0);
	session_events(&s);
}

/* Runs `bend` for every message in every state, on a device each. */
static void for_every_message(void (*bend)(const struct form *form, enum form_state state))
{
	for (unsigned int state = 0; state < FORM_STATES; state++) {
		for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
			unsigned int open = kit_open_fds();

			if (forms[r].spec == NULL)
				continue;
			form_session_open(&s, &forms[r]);
			form_session_to(&s, (enum form_state)state);
			bend(&forms[r], (enum form_state)state);
			still_usable((enum form_state)state);
			session_close(&s);
			assert_int_equal(kit_open_fds(), open);
		}
	}
}

/* --- size -------------------------------------------------------------- */

static bool has_line_size(const struct vhu_spec *spec, uint32_t size)
{
	if (spec->size_either)
		return size == spec->size_min_bytes || size == spec->size_max_bytes;
	return size >= spec->size_min_bytes && size <= spec->size_max_bytes;
}

static void bend_size(const struct form *form, enum form_state state)
{
	struct form bent = *form;

	(void)state;
	for (uint32_t size = 0; size <= sizeof(union vhu_payload); size++) {
		if (has_line_size(form->spec, size))
			continue;
		bent.size_bytes = size;
		refused(&bent, size < form->spec->size_max_bytes ? "too short" : "too long");
	}
}

static void wrong_size(void **state)
{
	(void)state;
	for_every_message(bend_size);
}

/* Between the bounds of a line only what the validator allows. */
static void bend_size_inside(const struct form *form, enum form_state state)
{
	struct form bent = *form;

	if (form->spec->size_min_bytes == form->spec->size_max_bytes || state == FORM_FRESH)
		return;
	for (uint32_t size = form->spec->size_min_bytes; size <= form->spec->size_max_bytes;
	     size++) {
		/* "Either" leaves nothing to the content. */
		if (size == form->size_bytes || form->spec->size_either)
			continue;
		bent.size_bytes = size;
		refused(&bent, "not the size its content asks for");
	}
}

static void size_that_does_not_fit_the_content(void **state)
{
	(void)state;
	for_every_message(bend_size_inside);
}

/* --- descriptors ------------------------------------------------------- */

static void bend_fds(const struct form *form, enum form_state state)
{
	struct form bent = *form;

	(void)state;
	for (unsigned int n = 0; n <= FDBAG_MAX; n++) {
		if (n >= form->spec->fds_min && n <= form->spec->fds_max)
			continue;
		for (unsigned int kind = 0; kind < FORM_FDS; kind++) {
			bent.nr_fds = n;
			bent.fd_kind = (enum form_fd)kind;
			refused(&bent, n < form->spec->fds_min ? "too few descriptors" :
								 "too many descriptors");
		}
	}
}

static void wrong_number_of_descriptors(void **state)
{
	(void)state;
	for_every_message(bend_fds);
}

/* --- negotiation ------------------------------------------------------- */

static void not_negotiated(void **state)
{
	unsigned int lines = 0;

	(void)state;
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		for (unsigned int bit = 0; bit < 64; bit++) {
			if (forms[r].spec == NULL ||
			    (forms[r].spec->needs_protocol & BIT(bit)) == 0)
				continue;
			session_init(&s);
			s.without_protocol = BIT(bit);
			session_open(&s);
			form_session_to(&s, FORM_RUNNING);
			refused(&forms[r], "not negotiated");
			/* Nor before anything was. */
			session_close(&s);
			form_session_open(&s, &forms[r]);
			refused(&forms[r], "nothing negotiated");
			still_usable(FORM_FRESH);
			session_close(&s);
			lines++;
		}
	}
	assert_true(lines > 0);
}

/* Asked for, but not negotiated: silence, and the connection goes. */
static void no_answer_without_reply_ack(void **state)
{
	(void)state;
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		struct form bent = forms[r];

		if (bent.spec == NULL)
			continue;
		session_init(&s);
		s.iommu = (bent.spec->conditions & VHU_NEEDS_IOMMU) != 0;
		s.without_protocol = BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);
		session_open(&s);
		form_session_for(&s, bent.spec);
		s.need_reply = true;
		assert_int_equal(form_send(&s, &forms[r], &fds), 0); /* checks: no answer */
		bent.size_bytes = bent.spec->size_max_bytes + 1u;
		if (bent.size_bytes > sizeof(union vhu_payload))
			bent.size_bytes = bent.spec->size_min_bytes - 1u;
		assert_true(form_send(&s, &bent, &fds) < 0);
		session_close(&s);
	}
}

/* --- state ------------------------------------------------------------- */

static void wrong_state(void **state)
{
	unsigned int lines = 0;

	(void)state;
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		uint16_t conditions = forms[r].spec != NULL ? forms[r].spec->conditions : 0;

		form_session_open(&s, &forms[r]);
		if ((conditions & VHU_NEEDS_MEMORY) != 0) {
			form_session_to(&s, FORM_NEGOTIATED);
			refused(&forms[r], "before the memory table");
			still_usable(FORM_NEGOTIATED);
			lines++;
		} else if ((conditions & (VHU_NEEDS_RING_STOPPED | VHU_NEEDS_ALL_STOPPED)) != 0) {
			form_session_to(&s, FORM_RUNNING);
			refused(&forms[r], "about a running queue");
			still_usable(FORM_RUNNING);
			lines++;
		}
		session_close(&s);
	}
	assert_true(lines > 0);
}

static void without_iommu(void **state)
{
	unsigned int lines = 0;

	(void)state;
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		if (forms[r].spec == NULL || (forms[r].spec->conditions & VHU_NEEDS_IOMMU) == 0)
			continue;
		session_init(&s);
		session_open(&s);
		form_session_to(&s, FORM_MEMORY);
		refused(&forms[r], "without a vIOMMU");
		still_usable(FORM_MEMORY);
		session_close(&s);
		lines++;
	}
	assert_true(lines > 0);
}

/* Brings about the opposite of one condition. */
static bool contradict(uint16_t condition)
{
	switch (condition) {
	case VHU_NEEDS_ADVISE:
		form_session_to(&s, FORM_NEGOTIATED);
		return true;
	case VHU_NEEDS_NO_MEMORY:
		form_session_to(&s, FORM_MEMORY);
		assert_int_equal(session_empty(&s, VHU_POSTCOPY_ADVISE), 0);
		return true;
	case VHU_NEEDS_NO_LISTEN:
		listening();
		return true;
	case VHU_NEEDS_NO_PROPOSAL:
		listening();
		assert_int_equal(session_mem_table(&s, &s.mem), 0);
		return true;
	default:
		return false;
	}
}

static void wrong_state_of_postcopy(void **state)
{
	unsigned int lines = 0;

	(void)state;
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		uint16_t conditions = forms[r].spec != NULL ? forms[r].spec->conditions : 0;

		for (uint16_t bit = 1; bit != 0; bit = (uint16_t)(bit << 1)) {
			session_init(&s);
			session_open(&s);
			if ((conditions & bit) != 0 && contradict(bit)) {
				refused(&forms[r], "in the wrong state of postcopy");
				lines++;
			}
			session_close(&s);
		}
	}
	assert_true(lines >= 5);
}

/* --- the lines that hold from POSTCOPY_LISTEN to POSTCOPY_END ----------- */

static void bend_postcopy_line(const struct vhu_spec *spec, struct form bent)
{
	bent.spec = spec;
	for (uint32_t size = 0; size <= sizeof(union vhu_payload); size++) {
		/* The content asks for one size; an answer has two. */
		if (size == bent.size_bytes || (bent.nr_fds == 0 && (size == 0 || size == 8)))
			continue;
		bent.size_bytes = size;
		refused(&bent, "size, in postcopy");
		bent.size_bytes = spec->size_min_bytes;
	}
	for (unsigned int n = spec->fds_max + 1u; bent.nr_fds != 0 && n <= FDBAG_MAX; n++) {
		bent.nr_fds = n;
		refused(&bent, "too many descriptors, in postcopy");
	}
}

static void lines_of_postcopy(void **state)
{
	unsigned int lines = 0;

	(void)state;
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		const struct form ack = { .request = r };
		struct form odd = { .request = r, .size_bytes = 8, .payload.u64 = 1 };

		if (vhu_postcopy_table[r].name == NULL)
			continue;
		session_init(&s);
		session_open(&s);
		listening();
		/* An answer to nothing. */
		odd.spec = &vhu_postcopy_acks[r];
		odd.payload.u64 = 0;
		refused(&odd, "nothing waits");
		assert_int_equal(session_mem_table(&s, &s.mem), 0);
		bend_postcopy_line(&vhu_postcopy_table[r], forms[r]);
		bend_postcopy_line(&vhu_postcopy_acks[r], ack);
		odd.payload.u64 = 1;
		refused(&odd, "the frontend says that it could not");
		assert_int_equal(form_send(&s, &ack, &fds), 0);
		assert_int_equal(session_empty(&s, VHU_POSTCOPY_END), 0);
		still_usable(FORM_MEMORY);
		session_close(&s);
		lines++;
	}
	assert_int_equal(lines, 2);
}

/* --- queue index ------------------------------------------------------- */

static void set_index(struct form *form, uint64_t index)
{
	switch ((enum vhu_index)form->spec->index) {
	case VHU_INDEX_STATE:
		form->payload.state.index = (uint32_t)index;
		break;
	case VHU_INDEX_ADDR:
		form->payload.addr.index = (uint32_t)index;
		break;
	case VHU_INDEX_U64:
		form->payload.u64 = (form->payload.u64 & ~UINT64_C(0xff)) | index;
		break;
	case VHU_INDEX_NONE:
		break;
	}
}

static void bend_index(const struct form *form, enum form_state state)
{
	static const uint64_t narrow[] = { SESSION_QUEUES, SESSION_QUEUES + 1, 128, 255 };
	/* What would be small again in 8 or 16 bits, too. */
	static const uint64_t wide[] = { 256,      257,            65536,     65537,
					 1u << 31, UINT32_MAX - 1, UINT32_MAX };
	static const uint64_t u64_extra[] = { 0x200, 0x8000, 0x10000, UINT64_C(1) << 32,
					      UINT64_C(1) << 63 };
	struct form bent = *form;

	if (form->spec->index == VHU_INDEX_NONE)
		return;
	for (unsigned int i = 0; i < ARRAY_LEN(narrow); i++) {
		set_index(&bent, narrow[i]);
		refused(&bent, "queue does not exist");
	}
	for (unsigned int i = 0; i < ARRAY_LEN(wide) && form->spec->index != VHU_INDEX_U64; i++) {
		set_index(&bent, wide[i]);
		refused(&bent, "queue cannot exist");
	}
	for (unsigned int i = 0;
	     i < ARRAY_LEN(u64_extra) && form->spec->index == VHU_INDEX_U64 && state != FORM_FRESH;
	     i++) {
		bent.payload.u64 = form->payload.u64 | u64_extra[i];
		refused(&bent, "bits beyond the index");
	}
	/* No more queues than before: an index is checked before it is used. */
	assert_true(s.dev->nr_vqs <= SESSION_QUEUES);
}

static void bad_queue_index(void **state)
{
	(void)state;
	for_every_message(bend_index);
}

/* All 256 can be named, and none beyond, however many pairs an application claims. */
static void bend_index_most(const struct form *form, enum form_state state)
{
	struct form last = *form;

	if (form->spec->index == VHU_INDEX_NONE || state != FORM_MEMORY)
		return;
	s.config.max_queue_pairs = 1000;
	if (form->spec->index != VHU_INDEX_U64) {
		set_index(&last, DEVICE_VQS_MAX);
		refused(&last, "queue beyond what a device can have");
	}
	set_index(&last, DEVICE_VQS_MAX - 1);
	assert_int_equal(form_send(&s, &last, &fds), 0);
	assert_int_equal(s.dev->nr_vqs, DEVICE_VQS_MAX);
}

static void the_last_queue(void **state)
{
	(void)state;
	for_every_message(bend_index_most);
}

/* --- again ------------------------------------------------------------- */

static void bend_again(const struct form *form, enum form_state state)
{
	unsigned int open = 0;
	int first;

	/* SET_OWNER twice, a table over a table: what was fine once is fine again. */
	if (state != FORM_MEMORY || form->request == VHU_REM_MEM_REG || /* is gone then */
	    (form->spec->conditions & VHU_NEEDS_NO_LISTEN) != 0)	/* once, or not with memory */
		return;
	first = form_send(&s, form, &fds);
	assert_int_equal(first, 0);
	open = kit_open_fds();
	for (unsigned int i = 0; i < 50; i++) {
		s.need_reply = i % 2 != 0;
		assert_int_equal(form_send(&s, form, &fds), 0);
		assert_int_equal(kit_open_fds(), open);
	}
	s.need_reply = false;
	/* Undo what forms may have set for queue 0 and the session. */
	assert_int_equal(session_empty(&s, VHU_RESET_OWNER), 0);
	session_events(&s);
}

static void the_same_again(void **state)
{
	(void)state;
	for_every_message(bend_again);
}

/* The accepted form at any time: accepted or refused, nothing is lost, nothing breaks. */
static void any_time(void **state)
{
	(void)state;
	for (unsigned int when = 0; when < FORM_STATES; when++) {
		for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
			unsigned int open = kit_open_fds();

			if (forms[r].spec == NULL)
				continue;
			form_session_open(&s, &forms[r]);
			form_session_to(&s, (enum form_state)when);
			(void)form_send(&s, &forms[r], &fds);
			(void)form_send(&s, &forms[r], &fds);
			session_close(&s);
			assert_int_equal(kit_open_fds(), open);
		}
	}
}

/* --- requests that nobody knows ---------------------------------------- */

static void unknown_requests(void **state)
{
	static const uint32_t beyond[] = { VHU_REQUEST_COUNT, 99, 255, 256, 65537, 1u << 31,
					   UINT32_MAX };

	(void)state;
	for (unsigned int when = 0; when < FORM_STATES; when++) {
		session_init(&s);
		session_open(&s);
		form_session_to(&s, (enum form_state)when);
		for (uint32_t i = 0; i < VHU_REQUEST_COUNT + ARRAY_LEN(beyond); i++) {
			struct form f = { .request = i < VHU_REQUEST_COUNT ?
							     i :
							     beyond[i - VHU_REQUEST_COUNT] };

			if (vhu_spec_of(f.request) != NULL)
				continue;
			refused(&f, "unknown");
			f.nr_fds = FDBAG_MAX;
			f.size_bytes = sizeof(f.payload);
			refused(&f, "unknown, with everything");
		}
		still_usable((enum form_state)when);
		session_close(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_size),
		cmocka_unit_test(size_that_does_not_fit_the_content),
		cmocka_unit_test(wrong_number_of_descriptors),
		cmocka_unit_test(not_negotiated),
		cmocka_unit_test(no_answer_without_reply_ack),
		cmocka_unit_test(wrong_state),
		cmocka_unit_test(without_iommu),
		cmocka_unit_test(wrong_state_of_postcopy),
		cmocka_unit_test(lines_of_postcopy),
		cmocka_unit_test(bad_queue_index),
		cmocka_unit_test(the_last_queue),
		cmocka_unit_test(the_same_again),
		cmocka_unit_test(any_time),
		cmocka_unit_test(unknown_requests),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
