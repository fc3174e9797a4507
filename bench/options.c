/* SPDX-License-Identifier: BSD-3-Clause */
/* See options.h. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
option_bad(const char *what)
{
	fprintf(stderr, "%s: %s\n%s", program_invocation_short_name, what, bench_usage);
	exit(2);
}

unsigned
option_number(const char *text, unsigned least, unsigned most, const char *option)
{
	char message[128];
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (*text >= '0' && *text <= '9' && *end == '\0' && value >= least && value <= most)
		return (unsigned)value;
	snprintf(message, sizeof(message), "--%s takes %u to %u, not \"%s\"", option, least, most,
		 text);
	option_bad(message);
}

unsigned
option_choice(const char *text, const char *const *words, unsigned nr_words, const char *option)
{
	char message[128];

	for (unsigned i = 0; i < nr_words; i++)
		if (strcmp(text, words[i]) == 0)
			return i;
	snprintf(message, sizeof(message), "--%s does not know \"%s\"", option, text);
	option_bad(message);
}

unsigned
option_list(char *list, unsigned *numbers, unsigned max_numbers, unsigned least, unsigned most,
	    const char *option)
{
	char message[128];
	char *save = NULL;
	unsigned n = 0;

	for (char *word = strtok_r(list, ",", &save); word != NULL;
	     word = strtok_r(NULL, ",", &save)) {
		if (n == max_numbers) {
			snprintf(message, sizeof(message), "--%s has too many entries", option);
			option_bad(message);
		}
		numbers[n++] = option_number(word, least, most, option);
	}
	if (n == 0) {
		snprintf(message, sizeof(message), "--%s is empty", option);
		option_bad(message);
	}
	return n;
}
