/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The table once more over a real socket, through the event loop and server/connection.c: an answer
 * or a closed connection for every message, callbacks in pairs, and nothing left behind.
 */
#include <errno.h>
#include <linux/virtio_config.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "forms.h"
#include "frontend.h"
#include "server/connection.h"

#define TIMEOUT_MS 20000
#define FEATURES (SESSION_FEATURES | BIT(VIRTIO_F_ACCESS_PLATFORM))

static struct form forms[VHU_REQUEST_COUNT];
static struct form_fds fds;
static struct driver_config config;
static struct frontend fe;
static struct connection *conn;
static uint32_t opened, closed, freed; /* atomic: counted on the loop thread */
static int new_connection_returns;

static void ring_setup(const struct device *dev, struct vq *vq)
{
	(void)dev;
	(void)vq;
}

static enum chain_dir queue_dir(const struct vq *vq)
{
	(void)vq;
	return CHAIN_BOTH;
}

static int64_t crypto_open(struct device *dev, const struct session_desc *desc)
{
	(void)dev;
	(void)desc;
	return 1;
}

static int crypto_close(struct device *dev, uint64_t id)
{
	(void)dev;
	(void)id;
	return 0;
}

/* A backend for which all messages mean something. */
static const struct device_backend backend = {
	.name = "socket",
	.ring_setup = ring_setup,
	.queue_dir = queue_dir,
	.session_open = crypto_open,
	.session_close = crypto_close,
};

static int on_new_connection(int vid)
{
	device_slot(vid)->extern_ops.pre_msg_handle = session_config_space;
	if (new_connection_returns >= 0)
		__atomic_fetch_add(&opened, 1, __ATOMIC_RELEASE);
	return new_connection_returns;
}

static void on_destroy_connection(int vid)
{
	(void)vid;
	__atomic_fetch_add(&closed, 1, __ATOMIC_RELEASE);
}

static void on_closed(struct connection *gone, void *owner)
{
	assert_ptr_equal(owner, &config);
	assert_non_null(gone);
	conn = NULL;
	__atomic_fetch_add(&freed, 1, __ATOMIC_RELEASE);
}

static void tick(void)
{
}

static void open_on_loop(void *arg)
{
	static struct log_budget budget;

	conn = connection_open(*(int *)arg, &config, "socketpair", &budget, on_closed, &config);
}

static void connect_pair(void)
{
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	fe_init(&fe);
	fe.fd = pair[0];
	fe.timeout_ms = TIMEOUT_MS;
	loop_call(open_on_loop, &pair[1]);
}

static void nothing(void *arg)
{
	(void)arg;
}

static void look_running(void *arg)
{
	*(bool *)arg = conn->dev->running;
}

static bool device_runs(void)
{
	bool runs = false;

	loop_call(look_running, &runs);
	return runs;
}

/* Hangs up and waits until the other side has noticed. */
static void disconnect(void)
{
	uint32_t expected = __atomic_load_n(&opened, __ATOMIC_ACQUIRE);

	fe_close(&fe);
	for (int i = 0; i < TIMEOUT_MS; i++) {
		loop_call(nothing, NULL);
		if (__atomic_load_n(&freed, __ATOMIC_ACQUIRE) == expected)
			break;
		usleep(1000);
	}
	/* The job after the last event has seen it freed, too. */
	loop_call(nothing, NULL);
	assert_int_equal(freed, expected);
	assert_int_equal(closed, expected);
}

static int group_setup(void **state)
{
	(void)state;
	kit_capture_log();
	forms_find(forms);
	form_fds_open(&fds);
	config = (struct driver_config){
		.flags = RTE_VHOST_USER_IOMMU_SUPPORT | RTE_VHOST_USER_POSTCOPY_SUPPORT,
		.features = FEATURES,
		.supported_features = FEATURES,
		.protocol_features = SESSION_PROTOCOL_FEATURES,
		.max_queue_pairs = 2,
		.ops = { .new_connection = on_new_connection,
			 .destroy_connection = on_destroy_connection },
		.backend = &backend,
	};
	return loop_start(tick);
}

static int group_teardown(void **state)
{
	(void)state;
	form_fds_close(&fds);
	return 0;
}

static void negotiate(bool reply_ack)
{
	uint64_t all = SESSION_PROTOCOL_FEATURES;

	if (!reply_ack)
		all &= ~BIT(VHOST_USER_PROTOCOL_F_REPLY_ACK);
	assert_int_equal(fe_set_protocol_features(&fe, all), 0);
	assert_int_equal(fe_set_features(&fe, FEATURES), 0);
	assert_int_equal(fe_sync(&fe), 0);
}

static int send_form(const struct form *form, bool need_reply)
{
	uint32_t flags = VHU_VERSION | (need_reply ? VHU_FLAG_NEED_REPLY : 0);

	return fe_send(&fe, form->request, flags, &form->payload, form->size_bytes,
		       fds.fds[form->fd_kind], form->nr_fds);
}

static void expect_reply(uint32_t request, uint64_t ack, bool body)
{
	/* Most answer with the structure they came with, or with a number. */
	bool number = !body || request == VHU_SET_LOG_BASE || request == VHU_IOTLB_MSG ||
		      request == VHU_POSTCOPY_END;
	bool fd_only = request == VHU_POSTCOPY_ADVISE;
	struct fe_msg msg;

	assert_int_equal(fe_recv(&fe, &msg), 0);
	assert_int_equal(msg.header.request, request);
	assert_int_equal(msg.header.flags, VHU_VERSION | VHU_FLAG_REPLY);
	if (fd_only)
		assert_int_equal(msg.header.size_bytes, 0);
	else
		assert_int_equal(msg.header.size_bytes,
				 number ? 8 : MAX2(8, vhu_spec_of(request)->size_min_bytes));
	assert_int_equal(msg.nfds, fd_only || request == VHU_GET_INFLIGHT_FD ||
				   request == VHU_SET_DEVICE_STATE_FD);
	fe_msg_close_fds(&msg);
	if (!body)
		assert_int_equal(msg.u64, ack);
}

/* A size that is refused. */
static void bend(struct form *form)
{
	form->size_bytes = form->spec->size_max_bytes + 8u;
	if (form->size_bytes > sizeof(union vhu_payload))
		form->size_bytes = form->spec->size_min_bytes - 8u;
}

/* What has to come before it, besides the negotiation. */
static void prepare_for(const struct form *form)
{
	bool no_memory = (form->spec->conditions & VHU_NEEDS_NO_MEMORY) != 0;
	uint32_t before = no_memory ? VHU_POSTCOPY_ADVISE : VHU_SET_MEM_TABLE;

	if (form->request == before)
		return;
	assert_int_equal(send_form(&forms[before], true), 0);
	expect_reply(before, 0, forms[before].spec->reply == VHU_REPLY_BODY);
}

static void accepted_messages_are_answered(void **state)
{
	unsigned int open = kit_open_fds();

	(void)state;
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		if (forms[r].spec == NULL)
			continue;
		connect_pair();
		negotiate(true);
		prepare_for(&forms[r]);
		assert_int_equal(send_form(&forms[r], true), 0);
		/* One reply, never two: the next one belongs to the next message. */
		expect_reply(r, 0, forms[r].spec->reply == VHU_REPLY_BODY);
		assert_int_equal(fe_sync(&fe), 0);
		disconnect();
		assert_int_equal(kit_open_fds(), open);
	}
}

static void refused_with_an_answer(void **state)
{
	unsigned int open = kit_open_fds();

	(void)state;
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		struct form bent = forms[r];

		if (bent.spec == NULL || bent.spec->reply == VHU_REPLY_BODY)
			continue;
		connect_pair();
		negotiate(true);
		bend(&bent);
		for (unsigned int i = 0; i < 3; i++) {
			assert_int_equal(send_form(&bent, true), 0);
			expect_reply(r, 1, false);
		}
		assert_int_equal(fe_sync(&fe), 0);
		disconnect();
		assert_int_equal(kit_open_fds(), open);
	}
}

/* No answer asked, none negotiated, or the message has a reply of its own: hung up. */
static void refused_by_hanging_up(void **state)
{
	unsigned int open = kit_open_fds();

	(void)state;
	for (unsigned int how = 0; how < 3; how++) {
		for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
			struct form bent = forms[r];

			if (bent.spec == NULL ||
			    (how == 2 && bent.spec->reply != VHU_REPLY_BODY))
				continue;
			connect_pair();
			negotiate(how != 1);
			bend(&bent);
			assert_int_equal(send_form(&bent, how != 0), 0);
			assert_true(fe_closed_by_backend(&fe, TIMEOUT_MS));
			disconnect();
			assert_int_equal(kit_open_fds(), open);
		}
	}
}

static void unknown_requests(void **state)
{
	static const uint32_t ids[] = { 0, VHU_REQUEST_COUNT, 99, UINT32_MAX };
	unsigned int open = kit_open_fds();

	(void)state;
	for (unsigned int i = 0; i < ARRAY_LEN(ids); i++) {
		struct form f = { .request = ids[i], .nr_fds = 3 };

		connect_pair();
		negotiate(true);
		assert_int_equal(send_form(&f, true), 0);
		expect_reply(ids[i], 1, false);
		assert_int_equal(send_form(&f, false), 0);
		assert_true(fe_closed_by_backend(&fe, TIMEOUT_MS));
		disconnect();
		assert_int_equal(kit_open_fds(), open);
	}
}

/* Whatever was refused before, the same connection then comes up, and stops. */
static void a_usual_session_after_refusals(void **state)
{
	static const struct fe_config usual = {
		.features = SESSION_FEATURES, .protocol_features = 0xf, .nr_pairs = 2
	};
	unsigned int open = kit_open_fds();

	(void)state;
	connect_pair();
	negotiate(true);
	for (uint32_t r = 0; r < VHU_REQUEST_COUNT; r++) {
		struct form bent = forms[r];

		if (bent.spec == NULL || bent.spec->reply == VHU_REPLY_BODY)
			continue;
		bend(&bent);
		assert_int_equal(send_form(&bent, true), 0);
		expect_reply(r, 1, false);
	}
	fe.use_ack = true;
	assert_int_equal(fe_setup(&fe, &usual), 0);
	assert_int_equal(fe_sync(&fe), 0);
	assert_true(device_runs());
	assert_int_equal(fe_stop(&fe, NULL), 0);
	assert_false(device_runs());
	disconnect();
	assert_int_equal(kit_open_fds(), open);
}

static void gone_in_the_middle_of_a_message(void **state)
{
	const uint32_t header[3] = { VHU_SET_MEM_TABLE, VHU_VERSION, 40 };
	unsigned int open = kit_open_fds();

	(void)state;
	for (size_t len = 1; len <= sizeof(header); len++) {
		connect_pair();
		assert_int_equal(fe_send_raw(&fe, header, len, fds.fds[FORM_MEMFD], 3), 0);
		disconnect();
		assert_int_equal(kit_open_fds(), open);
	}
}

static void refused_by_the_application(void **state)
{
	unsigned int open = kit_open_fds();
	uint32_t closed_before = closed;

	(void)state;
	new_connection_returns = -1;
	connect_pair();
	assert_true(fe_closed_by_backend(&fe, TIMEOUT_MS));
	assert_null(conn);
	assert_int_equal(closed, closed_before);
	fe_close(&fe);
	assert_int_equal(kit_open_fds(), open);
	/* More than 0 is as good as 0. */
	new_connection_returns = 1;
	connect_pair();
	assert_int_equal(fe_sync(&fe), 0);
	disconnect();
	new_connection_returns = 0;
}

/* Asks much, reads nothing: the backend waits for it and for nobody else. */
static void a_frontend_that_does_not_read(void **state)
{
	unsigned int sent = 0, got = 0;
	struct timeval patience = { .tv_usec = 100000 };
	struct fe_msg msg;

	(void)state;
	connect_pair();
	setsockopt(fe.fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	while (sent < 20000 && fe_send(&fe, VHU_GET_FEATURES, VHU_VERSION, NULL, 0, NULL, 0) == 0)
		sent++;
	assert_true(sent > 100);
	/* The loop is free. */
	loop_call(nothing, NULL);
	while (got < sent && fe_recv(&fe, &msg) == 0) {
		assert_int_equal(msg.header.request, VHU_GET_FEATURES);
		assert_int_equal(msg.u64, FEATURES);
		got++;
	}
	assert_int_equal(got, sent);
	disconnect();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepted_messages_are_answered),
		cmocka_unit_test(refused_with_an_answer),
		cmocka_unit_test(refused_by_hanging_up),
		cmocka_unit_test(unknown_requests),
		cmocka_unit_test(a_usual_session_after_refusals),
		cmocka_unit_test(gone_in_the_middle_of_a_message),
		cmocka_unit_test(refused_by_the_application),
		cmocka_unit_test(a_frontend_that_does_not_read),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
