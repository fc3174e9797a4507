/* SPDX-License-Identifier: BSD-3-Clause */
/* An accepted message for every line of the table; see forms.h. Nothing is untrusted. */
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "forms.h"

void form_session_open(struct session *s, const struct form *form)
{
	session_init(s);
	s->iommu = form->spec != NULL && (form->spec->conditions & VHU_NEEDS_IOMMU) != 0;
	session_open(s);
}

void form_session_to(struct session *s, enum form_state state)
{
	switch (state) {
	case FORM_FRESH:
	case FORM_STATES:
		break;
	case FORM_NEGOTIATED:
		session_negotiate(s);
		break;
	case FORM_MEMORY:
		session_negotiate(s);
		session_memory(s);
		break;
	case FORM_RUNNING:
		session_setup(s, 2);
		assert_true(s->dev->running);
		break;
	}
	session_events(s);
}

void form_session_for(struct session *s, const struct vhu_spec *spec)
{
	if ((spec->conditions & VHU_NEEDS_NO_MEMORY) == 0) {
		form_session_to(s, FORM_MEMORY);
		return;
	}
	session_negotiate(s);
	if ((spec->conditions & VHU_NEEDS_ADVISE) != 0)
		assert_int_equal(session_empty(s, VHU_POSTCOPY_ADVISE), 0);
	session_events(s);
}

void form_fds_open(struct form_fds *f)
{
	int pair[2];

	for (unsigned int i = 0; i < FDBAG_MAX; i++) {
		f->fds[FORM_EVENTFD][i] = eventfd(0, EFD_CLOEXEC);
		f->fds[FORM_MEMFD][i] = kit_memfd(1 << 21);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		f->fds[FORM_SOCKET][i] = pair[0];
		close(pair[1]);
	}
}

void form_fds_close(struct form_fds *f)
{
	for (unsigned int kind = 0; kind < FORM_FDS; kind++)
		for (unsigned int i = 0; i < FDBAG_MAX; i++)
			close(f->fds[kind][i]);
}

int form_send(struct session *s, const struct form *form, const struct form_fds *fds)
{
	return session_send(s, form->request, &form->payload, form->size_bytes,
			    fds->fds[form->fd_kind], form->nr_fds);
}

#define CANDIDATES 16

/* Payloads that some message or other accepts. */
static unsigned int candidates(const struct session *s, union vhu_payload *out)
{
	unsigned int n = 0;

	memset(out, 0, CANDIDATES * sizeof(*out));
	out[n++].u64 = 0;
	out[n++].u64 = VHU_VRING_NOFD;
	out[n++].state = (struct vhu_vring_state){ .index = 0, .num = 1 };
	out[n++].u64 = 1500;
	out[n++].addr = session_addr_of(s, 0);
	out[n].mem.nr_regions = 1;
	out[n++].mem.regions[0] = (struct vhu_region){ .gpa = s->mem.regions[0].gpa,
						      .size_bytes = s->mem.regions[0].size_bytes,
						      .uva = s->mem.regions[0].uva };
	out[n++].reg.region = (struct vhu_region){ .gpa = UINT64_C(1) << 40,
						   .size_bytes = 4096,
						   .uva = UINT64_C(1) << 40 };
	out[n++].config.size_bytes = 1;
	out[n++].iotlb = (struct vhu_iotlb){ .iova = s->mem.regions[0].gpa,
					     .size_bytes = 4096,
					     .uva = s->mem.regions[0].uva,
					     .access = IOTLB_READ | IOTLB_WRITE,
					     .type = VHU_IOTLB_UPDATE };
	out[n++].inflight = (struct vhu_inflight){ .mmap_size_bytes = 4096,
						   .nr_queues = 2,
						   .queue_size = SESSION_RING_ENTRIES };
	return n;
}

/* Tries one form on a device of its own. */
static bool accepted(const struct form *form, const struct form_fds *fds)
{
	struct session s;
	int ret;

	form_session_open(&s, form);
	form_session_for(&s, form->spec);
	ret = form_send(&s, form, fds);
	session_close(&s);
	return ret == 0;
}

static bool find(struct form *form, const union vhu_payload *payloads, unsigned int nr_payloads,
		 const struct form_fds *fds)
{
	/* With descriptors if it may have some: there is more to lose. */
	for (int n = form->spec->fds_max; n >= form->spec->fds_min; n--) {
		for (unsigned int i = 0; i < nr_payloads; i++) {
			for (unsigned int kind = 0; kind < FORM_FDS; kind++) {
				form->payload = payloads[i];
				form->size_bytes = form->spec->size_min_bytes;
				form->fd_kind = (enum form_fd)kind;
				form->nr_fds = (unsigned int)n;
				if (accepted(form, fds))
					return true;
			}
		}
	}
	return false;
}

void forms_find(struct form *forms)
{
	union vhu_payload payloads[CANDIDATES];
	struct form_fds fds;
	unsigned int nr_payloads;
	struct session s;

	session_init(&s);
	session_open(&s);
	nr_payloads = candidates(&s, payloads);
	session_close(&s);
	form_fds_open(&fds);
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		forms[r] = (struct form){ .request = r, .spec = vhu_spec_of(r) };
		if (forms[r].spec == NULL)
			continue;
		if (!find(&forms[r], payloads, nr_payloads, &fds))
			fail_msg("%s: no payload in candidates() is accepted; add one",
				 forms[r].spec->name);
	}
	form_fds_close(&fds);
}
