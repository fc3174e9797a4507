/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A backend in a process of its own: this program, started once more. It serves one device at a
 * time, does nothing with it until it is told what, and may be killed.
 */
#ifndef FLOW_BACKEND_PROCESS_H
#define FLOW_BACKEND_PROCESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum backend_work {
	BACKEND_IDLE,
	BACKEND_ECHO, /* what comes from a queue goes back through the one before it */
	BACKEND_LOAD, /* load.h */
};

struct backend_shared;

struct backend {
	pid_t pid; /* 0: none */
	char path[128];
	struct backend_shared *shared; /* stays over a restart */
	int shared_fd;
};

/* Features and protocol features that it does not have although the library does. */
struct backend_lacks {
	uint64_t features, protocol_features;
};

/* To be called first of all in main(): returns if this is no such process. */
void backend_process_main(int argc, char **argv);

/* Returns when it listens. `path`: as by flow_path(); the same one for who comes after it. */
void backend_start(struct backend *b, const char *path, struct backend_lacks lacks);
/* From here on it does nothing else, and what it did before is done. */
void backend_work(struct backend *b, enum backend_work work);
uint64_t backend_echoed(const struct backend *b); /* packets */
/* Connections that came, devices that came up, all in all. */
unsigned backend_connections(const struct backend *b);
unsigned backend_devices(const struct backend *b);
/* One that does not run may be killed, too, and forgotten. */
void backend_kill(struct backend *b);
void backend_forget(struct backend *b);

#endif
