/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * CREATE_CRYPTO_SESSION: what the guest's driver asks for, in the three forms that frontends send,
 * reaches the backend; what the backend says goes back in the same form.
 */
#include "crypto.h"

static struct session_desc random_desc(uint32_t service)
{
	struct session_desc d;
	uint8_t *bytes = (uint8_t *)&d;

	for (size_t i = 0; i < sizeof(d); i++)
		bytes[i] = (uint8_t)kit_random();
	d.opcode = VIRTIO_CRYPTO_OPCODE(service, 2u);
	d.cipher_key_bytes = kit_random_below(SESSION_CIPHER_KEY_BYTES + 1);
	d.auth_key_bytes = kit_random_below(SESSION_AUTH_KEY_BYTES + 1);
	d.op_type = (uint8_t)(1 + kit_random_below(2));
	/* Every cipher there is, also the one whose number is an opcode. */
	d.cipher_algo = kit_random_below(15);
	return d;
}

static void assert_asked(const struct session_desc *want)
{
	assert_int_equal(s.crypto_asked.opcode, want->opcode);
	assert_int_equal(s.crypto_asked.cipher_algo, want->cipher_algo);
	assert_int_equal(s.crypto_asked.cipher_key_bytes, want->cipher_key_bytes);
	assert_int_equal(s.crypto_asked.hash_algo, want->hash_algo);
	assert_int_equal(s.crypto_asked.digest_bytes, want->digest_bytes);
	assert_int_equal(s.crypto_asked.auth_key_bytes, want->auth_key_bytes);
	assert_int_equal(s.crypto_asked.aad_bytes, want->aad_bytes);
	assert_int_equal(s.crypto_asked.op_type, want->op_type);
	assert_int_equal(s.crypto_asked.direction, want->direction);
	assert_int_equal(s.crypto_asked.hash_mode, want->hash_mode);
	assert_int_equal(s.crypto_asked.chain_order, want->chain_order);
	assert_memory_equal(s.crypto_asked.cipher_key, want->cipher_key, sizeof(want->cipher_key));
	assert_memory_equal(s.crypto_asked.auth_key, want->auth_key, sizeof(want->auth_key));
}

/* The request, but for the id, and for keys: zeros. */
static void assert_answers(const struct layout *l, const struct session_desc *d, int64_t id)
{
	uint8_t want[BYTES_MAX];

	write_desc(l, d, want);
	memset(want + CIPHER_KEY, 0, BYTES_MAX - CIPHER_KEY);
	memcpy(want + l->id, &id, sizeof(id));
	assert_memory_equal(&s.reply.payload, want, l->bytes);
}

static void each_form_says_the_same(void **state)
{
	(void)state;
	session_negotiate(&s);
	for (unsigned int round = 0; round < 3000; round++) {
		const struct layout *l = &layouts[round % ARRAY_LEN(layouts)];
		/* One form has ciphers only. */
		struct session_desc d = random_desc(
			l->opcode == NOWHERE ? VIRTIO_CRYPTO_SERVICE_CIPHER : kit_random_below(4));

		s.crypto_opens = 0;
		s.crypto_id = (int64_t)(1 + kit_random() / 4);
		assert_int_equal(create(l, &d), s.crypto_id);
		assert_int_equal(s.crypto_opens, 1);
		assert_asked(&d);
		assert_answers(l, &d, s.crypto_id);
	}
}

/* While queues run: they are quiet, and go on. */
static void queues_wait(void **state)
{
	struct session_desc d = aes_cbc();

	(void)state;
	session_setup(&s, 2);
	session_events(&s);
	for (unsigned int i = 0; i < ARRAY_LEN(layouts); i++)
		assert_int_equal(create(&layouts[i], &d), 1);
	assert_false(s.crypto_loud);
	assert_string_equal(session_events(&s), "");
	assert_false(gate_is_closed(&session_vq(&s, 0)->gate));
}

/* What the backend has against it. */
static void no_session(void **state)
{
	static const int64_t says[] = { -VIRTIO_CRYPTO_ERR, -VIRTIO_CRYPTO_NOTSUPP, -5, INT64_MIN };
	struct session_desc d = aes_cbc();

	(void)state;
	session_negotiate(&s);
	for (unsigned int i = 0; i < ARRAY_LEN(says) * ARRAY_LEN(layouts); i++) {
		s.crypto_id = says[i / ARRAY_LEN(layouts)];
		s.need_reply = i % 2 != 0;
		assert_int_equal(create(&layouts[i % ARRAY_LEN(layouts)], &d), s.crypto_id);
	}
}

/* CVE-2020-10724: nobody is told of more key than there is. */
static void keys_that_do_not_fit(void **state)
{
	static const uint32_t cipher[] = { 64, 65, 512, 576, 577, 65536, INT32_MAX, UINT32_MAX };
	static const uint32_t auth[] = { 512, 513, 1024, 65536, INT32_MAX, UINT32_MAX };

	(void)state;
	session_negotiate(&s);
	for (unsigned int form = 0; form < ARRAY_LEN(layouts); form++) {
		for (unsigned int i = 0; i < ARRAY_LEN(cipher) * ARRAY_LEN(auth); i++) {
			struct session_desc d = aes_cbc();
			unsigned int c = i % ARRAY_LEN(cipher), a = i / ARRAY_LEN(cipher);

			d.cipher_key_bytes = cipher[c];
			d.auth_key_bytes = auth[a];
			s.crypto_opens = 0;
			assert_int_equal(create(&layouts[form], &d),
					 c + a == 0 ? 1 : -VIRTIO_CRYPTO_ERR);
			assert_int_equal(s.crypto_opens, c + a == 0);
		}
	}
}

/* Their fields are others: nothing of them is looked at, nor sent back. */
static void asymmetric_ciphers_are_not_supported(void **state)
{
	static const uint8_t zeros[BYTES_MAX];
	uint8_t request[BYTES_MAX];
	int64_t id;

	(void)state;
	session_negotiate(&s);
	for (unsigned int form = 0; form < ARRAY_LEN(layouts); form++) {
		const struct layout *l = &layouts[form];

		if (l->opcode == NOWHERE)
			continue;
		memset(request, 0x77, sizeof(request));
		put32(request + l->opcode, VIRTIO_CRYPTO_AKCIPHER_CREATE_SESSION);
		assert_int_equal(session_send(&s, VHU_CREATE_CRYPTO_SESSION, request, l->bytes,
					      NULL, 0), 0);
		assert_int_equal(s.reply.hdr.size_bytes, l->bytes);
		memcpy(&id, (uint8_t *)&s.reply.payload + l->id, sizeof(id));
		assert_int_equal(id, -VIRTIO_CRYPTO_NOTSUPP);
		assert_memory_equal((uint8_t *)&s.reply.payload + 8, zeros, l->bytes - 16);
	}
	assert_int_equal(s.crypto_opens, 0);
}

/* Whoever waits for a session would take an ack for one. */
static void of_a_device_that_has_none(void **state)
{
	static struct device_backend net;
	struct session_desc d = aes_cbc();
	uint8_t request[BYTES_MAX];

	(void)state;
	session_negotiate(&s);
	net = *s.dev->backend;
	net.session_open = NULL;
	for (unsigned int i = 0; i < 4 * ARRAY_LEN(layouts); i++) {
		const struct layout *l = &layouts[i / 4];

		s.dev->backend = i % 2 != 0 ? &net : NULL;
		s.need_reply = i % 4 >= 2;
		write_desc(l, &d, request);
		assert_int_equal(session_send(&s, VHU_CREATE_CRYPTO_SESSION, request, l->bytes,
					      NULL, 0), -ENOTSUP);
	}
	assert_int_equal(s.crypto_opens, 0);
}

/* --- keys leave nothing behind ------------------------------------------ */

static struct session_desc secret;
static struct vhu_msg message;

/* The application's own sessions: the library only shows it the message. */
static enum rte_vhost_msg_result keep(int vid, void *msg)
{
	(void)vid;
	(void)msg;
	return RTE_VHOST_MSG_RESULT_OK;
}

#define STACK_BYTES (64u << 10)

/* What the test itself has left there. */
static __attribute__((noinline)) void clear_stack(void)
{
	uint8_t below[STACK_BYTES];

	explicit_bzero(below, sizeof(below));
}

/* How often the key is below here on the stack, where whoever was called has been. */
static __attribute__((noinline, no_sanitize("address"))) unsigned int count_in_stack(void)
{
	const volatile uint8_t *here = __builtin_frame_address(0);
	unsigned int found = 0, i;

	for (size_t below = 64; below < STACK_BYTES; below++) {
		const volatile uint8_t *at = here - below;

		for (i = 0; i < 8 && at[i] == secret.cipher_key[i]; i++)
			;
		found += i == 8;
	}
	return found;
}

static void keys_are_not_left_on_the_stack(void **state)
{
	struct fdbag bag;

	(void)state;
	session_negotiate(&s);
	s.dev->extern_ops.pre_msg_handle = NULL;
	secret = aes_cbc();
	fdbag_init(&bag);
	for (unsigned int i = 0; i < 2 * ARRAY_LEN(layouts); i++) {
		const struct layout *l = &layouts[i % ARRAY_LEN(layouts)];
		/* What has no room in the message that it is shown, it does not see. */
		bool shown = i >= ARRAY_LEN(layouts) && l->bytes <= VHU_EXTERN_BYTES;

		if (i == ARRAY_LEN(layouts))
			s.dev->extern_ops.pre_msg_handle = keep;
		s.crypto_opens = 0;
		write_desc(l, &secret, (uint8_t *)&message.payload);
		message.hdr = (struct vhu_header){ .request = VHU_CREATE_CRYPTO_SESSION,
						   .flags = VHU_VERSION,
						   .size_bytes = l->bytes };
		clear_stack();
		assert_int_equal(count_in_stack(), 0);
		assert_int_equal(vhu_dispatch(s.dev, &message, &bag, &s.reply), !shown);
		assert_int_equal(count_in_stack(), 0);
		assert_int_equal(s.crypto_opens, !shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(each_form_says_the_same),
		TEST(queues_wait),
		TEST(no_session),
		TEST(keys_that_do_not_fit),
		TEST(asymmetric_ciphers_are_not_supported),
		TEST(of_a_device_that_has_none),
		TEST(keys_are_not_left_on_the_stack),
	};

	kit_seed(26);
	return RUN(tests);
}
