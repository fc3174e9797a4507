/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main() of the flow tests: `program [packed] [part of a test's name]`. With "packed" every
 * frontend asks for packed rings, so the same tests run over both formats. Include it from one
 * file of a program.
 */
#ifndef FLOW_MAIN_H
#define FLOW_MAIN_H

#include <rte_debug.h>

#include "flow.h"
#include "tap.h"

struct flow_test {
	const char *name;
	void (*run)(void);
	bool not_split, not_packed; /* about what only the other format has */
};

#define FLOW_TEST(function) {#function, function, false, false}
#define SPLIT_TEST(function) {#function, function, false, true}
#define PACKED_TEST(function) {#function, function, true, false}

static inline int
flow_main(int argc, char **argv, const struct flow_test *tests, unsigned nr_tests,
	  void (*setup)(void), void (*teardown)(void))
{
	bool packed = argc > 1 && strcmp(argv[1], "packed") == 0;
	const char *filter = argc > 1 + packed ? argv[1 + packed] : NULL;
	struct tap_test chosen[64];
	unsigned n = 0;
	int rc = 0;

	RTE_VERIFY(nr_tests <= RTE_DIM(chosen));
	for (unsigned i = 0; i < nr_tests; i++)
		if (packed ? !tests[i].not_packed : !tests[i].not_split)
			chosen[n++] = (struct tap_test) {tests[i].name, tests[i].run};
	tap_begin();
	flow_init(argv[0]);
	if (packed)
		flow_use_packed();
	/* Until our library has packed rings; to be deleted then, here and in scripts/run-tests. */
	if (packed && !flow_offers(FE_F_RING_PACKED))
		fprintf(tap.out, "1..1\nok 1 - packed # SKIP RING_PACKED is not offered yet\n");
	else
		rc = tap_run(chosen, n, filter, setup, teardown);
	flow_cleanup();
	return rc;
}

#endif
