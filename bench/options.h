/* SPDX-License-Identifier: BSD-3-Clause */
/* What the options of the bench's programs have in common. A bad one ends the process. */
#ifndef BENCH_OPTIONS_H
#define BENCH_OPTIONS_H

/* Of the program. */
extern const char bench_usage[];

void option_bad(const char *what) __attribute__((noreturn));
unsigned option_number(const char *text, unsigned least, unsigned most, const char *option);
/* Which of the words it is. */
unsigned option_choice(const char *text, const char *const *words, unsigned nr_words,
		       const char *option);
/* A list of numbers, separated by commas; returns how many. Writes to `list`. */
unsigned option_list(char *list, unsigned *numbers, unsigned max_numbers, unsigned least,
		     unsigned most, const char *option);

#endif
