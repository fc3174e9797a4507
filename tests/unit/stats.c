/* SPDX-License-Identifier: BSD-3-Clause */
/* device/stats.c: names and order are public; size bins have edges; every counter is reachable. */
#include <stdlib.h>

#include "device/stats.h"
#include "kit.h"

/* The first 17 of DPDK 22.11, in its order: their index is the public id. */
static const char *const names_22_11[] = {
	"good_packets",           "good_bytes",
	"multicast_packets",      "broadcast_packets",
	"undersize_packets",      "size_64_packets",
	"size_65_127_packets",    "size_128_255_packets",
	"size_256_511_packets",   "size_512_1023_packets",
	"size_1024_1518_packets", "size_1519_max_packets",
	"guest_notifications",    "iotlb_hits",
	"iotlb_misses",           "inflight_submitted",
	"inflight_completed",
};

static void the_first_names_are_those_of_22_11(void **state)
{
	(void)state;
	assert_true(stats_count() >= ARRAY_LEN(names_22_11));
	for (unsigned int i = 0; i < ARRAY_LEN(names_22_11); i++)
		assert_string_equal(stats_name(i), names_22_11[i]);
}

static void names_are_unique_and_fit(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < stats_count(); i++) {
		/* "rx_q127_" comes before it in 64 bytes. */
		assert_true(strlen(stats_name(i)) + strlen("rx_q127_") < 64);
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(stats_name(i), stats_name(j));
	}
}

/* Each word of the struct is one counter, and no two names share one. */
static void every_word_has_a_name(void **state)
{
	struct vq_stats stats;
	uint64_t *words = (uint64_t *)&stats;
	unsigned int unnamed = 0;

	(void)state;
	for (unsigned int w = 0; w < sizeof(stats) / sizeof(uint64_t); w++) {
		unsigned int hits = 0;

		memset(&stats, 0, sizeof(stats));
		words[w] = 7;
		for (unsigned int i = 0; i < stats_count(); i++)
			hits += stats_value(&stats, i) == 7;
		assert_true(hits <= 1);
		unnamed += hits == 0;
	}
	/* The fault "none" is never counted. */
	assert_int_equal(unnamed, 1);
}

static void size_bins(void **state)
{
	static const struct {
		uint32_t len;
		const char *name;
	} rows[] = {
		{ 0, "undersize_packets" },         { 1, "undersize_packets" },
		{ 63, "undersize_packets" },        { 64, "size_64_packets" },
		{ 65, "size_65_127_packets" },      { 127, "size_65_127_packets" },
		{ 128, "size_128_255_packets" },    { 255, "size_128_255_packets" },
		{ 256, "size_256_511_packets" },    { 511, "size_256_511_packets" },
		{ 512, "size_512_1023_packets" },   { 1023, "size_512_1023_packets" },
		{ 1024, "size_1024_1518_packets" }, { 1518, "size_1024_1518_packets" },
		{ 1519, "size_1519_max_packets" },  { 65535, "size_1519_max_packets" },
		{ UINT32_MAX, "size_1519_max_packets" },
	};

	(void)state;
	for (unsigned int r = 0; r < ARRAY_LEN(rows); r++) {
		struct vq_stats stats = { 0 };

		stats.size_bins[stats_size_bin(rows[r].len)]++;
		for (unsigned int i = 0; i < stats_count(); i++)
			assert_int_equal(stats_value(&stats, i),
					 strcmp(stats_name(i), rows[r].name) == 0);
	}
}

static void reset_clears_all(void **state)
{
	struct vq_stats stats;

	(void)state;
	memset(&stats, 0xff, sizeof(stats));
	stats_reset(&stats);
	for (unsigned int i = 0; i < stats_count(); i++)
		assert_int_equal(stats_value(&stats, i), 0);
}

static void faults_have_names(void **state)
{
	(void)state;
	for (unsigned int f = 0; f < RING_FAULT_COUNT; f++) {
		assert_string_not_equal(ring_fault_name((enum ring_fault)f), "unknown");
		for (unsigned int g = 0; g < f; g++)
			assert_string_not_equal(ring_fault_name((enum ring_fault)f),
						ring_fault_name((enum ring_fault)g));
	}
	assert_string_equal(ring_fault_name(RING_FAULT_COUNT), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_names_are_those_of_22_11),
		cmocka_unit_test(names_are_unique_and_fit),
		cmocka_unit_test(every_word_has_a_name),
		cmocka_unit_test(size_bins),
		cmocka_unit_test(reset_clears_all),
		cmocka_unit_test(faults_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
