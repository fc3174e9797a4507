/* SPDX-License-Identifier: BSD-3-Clause
 *
 * Events; see events.h. What a line contains may come from a library that
 * quotes a frontend, so control characters are replaced.
 */
#include "events.h"

#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <sys/types.h>

#include <rte_log.h>

static struct {
	pthread_mutex_t lock;
	bool keep;
	unsigned int next;
	char lines[EVENT_LINES][EVENT_BYTES];
} events = { .lock = PTHREAD_MUTEX_INITIALIZER };

void events_keep(bool keep)
{
	pthread_mutex_lock(&events.lock);
	events.keep = keep;
	pthread_mutex_unlock(&events.lock);
}

static void put_line(const char *line)
{
	char *kept;

	pthread_mutex_lock(&events.lock);
	if (events.keep) {
		kept = events.lines[events.next++ % EVENT_LINES];
		snprintf(kept, EVENT_BYTES, "%s", line);
		for (; *kept != '\0'; kept++)
			if ((unsigned char)*kept < ' ' || *kept == 0x7f)
				*kept = '?';
	} else {
		printf("%s\n", line);
		fflush(stdout);
	}
	pthread_mutex_unlock(&events.lock);
}

void event(const char *format, ...)
{
	char line[EVENT_BYTES];
	va_list args;

	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	put_line(line);
}

unsigned int events_recent(char lines[EVENT_LINES][EVENT_BYTES])
{
	unsigned int first, n;

	pthread_mutex_lock(&events.lock);
	first = events.next > EVENT_LINES ? events.next - EVENT_LINES : 0;
	for (n = 0; first + n < events.next; n++)
		memcpy(lines[n], events.lines[(first + n) % EVENT_LINES], EVENT_BYTES);
	pthread_mutex_unlock(&events.lock);
	return n;
}

/* stdio hands over what was logged; with line buffering that is about a line. */
static ssize_t write_log(void *cookie, const char *text, size_t size)
{
	char line[EVENT_BYTES];
	size_t length = 0;

	(void)cookie;
	for (size_t i = 0; i < size; i++) {
		if (text[i] != '\n' && length < sizeof(line) - 1)
			line[length++] = text[i];
		if (text[i] != '\n' && i + 1 < size)
			continue;
		line[length] = '\0';
		if (length != 0)
			put_line(line);
		length = 0;
	}
	return (ssize_t)size;
}

int events_capture_log(void)
{
	FILE *stream = fopencookie(NULL, "w", (cookie_io_functions_t){ .write = write_log });

	if (stream == NULL)
		return -1;
	setvbuf(stream, NULL, _IOLBF, 1024);
	return rte_openlog_stream(stream);
}
