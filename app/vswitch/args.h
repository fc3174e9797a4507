/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The command line: ours up to `--`, EAL's after it. Used by main().
 */
#ifndef VSWITCH_ARGS_H
#define VSWITCH_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vswitch.h"

enum args_result { ARGS_RUN, ARGS_EXIT_OK, ARGS_BAD };

/* Read the command line. On ARGS_BAD stderr says what was expected. */
enum args_result args_parse(int argc, char **argv, struct config *config);

/*
 * One --port argument: PATH[,OPTION]...
 * @param error  what was wrong and what was expected
 * @return 0, or -1
 */
int args_parse_port(const char *text, struct endpoint *endpoint, char *error, size_t size);

/* A decimal number within bounds and nothing after it. */
bool args_number(const char *text, unsigned long least, unsigned long most, unsigned long *value);

/*
 * EAL's command line: our defaults for whatever the user did not decide, then
 * his own. Called once; EAL may refer to it until args_eal_free().
 * @return argc, or -1 when out of memory
 */
int args_eal(const struct config *config, char ***argv);
void args_eal_free(void);

/* Whether nobody asked for messages: EAL then starts with errors only. */
bool args_eal_quiet(const struct config *config);

#endif
