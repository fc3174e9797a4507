/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A scripted vhost-user backend, written from the vhost-user specification, that answers wrongly when
 * it is told to. It keeps what it was told, and moves no packet. It has a thread of its own, and one
 * connection at a time. libc only.
 */
#ifndef HARNESS_LIAR_H
#define HARNESS_LIAR_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define LIAR_RINGS_MAX 256

/* Instead of its answer to a message. */
enum liar_misdeed {
	LIAR_IS_HONEST,
	LIAR_ANSWERS_SHORT,   /* fewer bytes than there have to be, and says so */
	LIAR_ANSWERS_LONG,    /* announces 4 GiB */
	LIAR_ANSWERS_ANOTHER, /* another request */
	LIAR_ASKS,            /* without the flag that it is an answer */
	LIAR_IS_SILENT,
	LIAR_IS_SLOW,         /* a byte every 300 ms */
	LIAR_HANGS_UP,
	LIAR_BREAKS_OFF,      /* half of it, then hangs up */
	LIAR_ADDS_FDS,        /* the right one, with descriptors that nobody asked for */
	LIAR_OTHER_FD,        /* a descriptor that is no file, or one where there has to be none */
	LIAR_ANSWERS_TWICE,
	LIAR_FLOODS,          /* with a mebibyte of anything behind it */
	LIAR_REFUSES,         /* 1 where 0 is good; of numbers and features: 0 */
	LIAR_BOASTS,          /* all bits, the largest number */
	LIAR_ANOTHER_RING,    /* the answer is about another ring */
	LIAR_MISDEEDS,
};

struct liar_ring {
	uint32_t num, base;
	uint64_t desc_uva, avail_uva, used_uva;
	int kickfd, callfd; /* -1: none */
	bool started, enabled;
};

struct liar {
	const char *path;
	uint64_t features, nr_pairs; /* what it says; may be changed before it listens */
	/* The rest is its thread's: liar_look(). */
	pthread_t thread;
	pthread_mutex_t lock;
	uint64_t protocol_features;
	bool stop;
	int listener, conn, area_fd; /* in-flight */
	enum liar_misdeed misdeed;
	uint32_t at_request;
	unsigned skip;
	unsigned misdeeds;     /* so many times it did */
	unsigned connections;
	uint64_t agreed;       /* features */
	unsigned nr_regions, nr_tables;
	struct liar_ring rings[LIAR_RINGS_MAX];
};

/* Honest, with all features. */
void liar_init(struct liar *l, const char *path);
/* Listens until it is stopped. 0 or -errno. */
int liar_start(struct liar *l);
void liar_stop(struct liar *l);
/* From now on, at each message of this kind (0: at any), but for the first `skip` of them. */
void liar_does(struct liar *l, enum liar_misdeed misdeed, uint32_t request, unsigned skip);
void liar_hang_up(struct liar *l);
/* MQ, REPLY_ACK and INFLIGHT_SHMFD are what it offers otherwise. */
void liar_offers(struct liar *l, uint64_t protocol_features);

/* How it stands; the descriptors are not the caller's. */
struct liar_view {
	bool connected;
	unsigned misdeeds, connections, nr_regions, nr_tables;
	unsigned nr_running; /* rings that are started and enabled */
	uint64_t agreed;
	struct liar_ring rings[LIAR_RINGS_MAX];
};
void liar_look(struct liar *l, struct liar_view *view);

extern const char *const liar_misdeeds[LIAR_MISDEEDS];

#endif
