/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Runs one fuzz target over committed inputs, without libFuzzer and with any
 * compiler: `replay DIRECTORY...`. TAP on stdout; a broken promise ends the
 * program, and standard error names the input it was.
 */
#include <dirent.h>
#include <errno.h>

#include "input.h"

#define INPUT_MAX_BYTES (1u << 20)

static bool run_file(const char *path)
{
	static uint8_t buffer[INPUT_MAX_BYTES];
	FILE *file = fopen(path, "rb");
	uint8_t *copy;
	size_t n;

	if (file == NULL)
		return false;
	n = fread(buffer, 1, sizeof(buffer), file);
	fclose(file);
	/* Exactly as large as the input, so that ASan sees a byte too many. */
	copy = malloc(n != 0 ? n : 1);
	if (copy == NULL)
		return false;
	memcpy(copy, buffer, n);
	fprintf(stderr, "# %s\n", path);
	(void)LLVMFuzzerTestOneInput(copy, n);
	free(copy);
	return true;
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static unsigned int run_directory(const char *directory)
{
	struct dirent **entries = NULL;
	int n = scandir(directory, &entries, not_hidden, alphasort);
	unsigned int done = 0;

	for (int i = 0; i < n; i++) {
		char path[4096];

		snprintf(path, sizeof(path), "%s/%s", directory, entries[i]->d_name);
		done += run_file(path);
		free(entries[i]);
	}
	free(entries);
	return done;
}

int main(int argc, char **argv)
{
	bool failed = false;

	printf("1..%d\n", argc - 1);
	for (int i = 1; i < argc; i++) {
		const char *slash = strrchr(argv[i], '/');
		unsigned int n = run_directory(argv[i]);

		printf("%s %d - replay of %s, %u inputs\n", n != 0 ? "ok" : "not ok", i,
		       slash != NULL ? slash + 1 : argv[i], n);
		fflush(stdout);
		failed |= n == 0;
	}
	return failed;
}
