/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What every flow test needs: EAL without hugepages, fresh socket paths, a registered driver whose
 * callbacks are recorded as text, mbufs, waiting. The tests use the public API only, so that each
 * one is built twice: against our library and against the stock one (the oracle).
 */
#ifndef FLOW_H
#define FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_mbuf.h>
#include <rte_vhost.h>

#include "frontend.h"

/* Runs against the stock library; for behaviour that differs on purpose. */
#ifdef FLOW_STOCK
#define is_stock true
#else
#define is_stock false
#endif

/* A virtual device for EAL to make; before flow_init(). */
extern const char *flow_vdev;
/* Lcores for EAL, which share all CPUs; before flow_init(). One, if nobody asks, is on one CPU. */
extern unsigned flow_nr_lcores;
/* Starts EAL, checks that the library loaded is the one this program was built for. */
void flow_init(const char *program);
/* From now on every frontend asks for packed rings (and VERSION_1, which they need). */
void flow_use_packed(void);
extern bool flow_packed;
/* Does the library offer all of these virtio features? */
bool flow_offers(uint64_t features);
/* What has to be stopped before EAL is, by whoever started it. */
extern void (*flow_at_cleanup)(void);
/* Removes the scratch directory. */
void flow_cleanup(void);

/* A path in the scratch directory, never used before. Valid until the next 8 calls. */
const char *flow_path(void);

/*
 * Recorder. Events are words: +conn, -conn, +dev, -dev, q<index>=<0|1>, features=<hex>, call
 * (guest_notified). rec_text() joins them with blanks; a "|" is whatever the test marked.
 */
extern const struct rte_vhost_device_ops rec_ops;
void rec_reset(void);
const char *rec_text(void);
void rec_mark(const char *word);
/* Waits until the text equals (or the last words equal) `expected`, 5 s at most. */
bool rec_wait(const char *expected);
bool rec_wait_tail(const char *expected);
int rec_vid(void);		     /* vid of the latest callback, -1 before the first */
void rec_count_calls(bool on);	     /* record guest_notified as words (off by default) */
unsigned rec_calls(void);	     /* guest_notified callbacks since rec_reset() */
extern int rec_new_device_result;    /* what new_device returns, 0 by default */
extern int rec_new_connection_result;
extern void (*rec_hook)(const char *word, int vid); /* called in every callback, before recording */
extern void (*rec_application)(const char *word, int vid); /* likewise, and stays over all tests */

/* What drivers enable from now on, besides the default. */
extern uint64_t flow_enabled_features;
/* Starts drivers, once they are registered. */
extern int (*flow_start_driver)(const char *path);
/* Registers, sets callbacks and starts a driver on a fresh path; returns the path. */
const char *flow_serve(uint64_t flags);
const char *flow_serve_ops(uint64_t flags, const struct rte_vhost_device_ops *ops);
void flow_unserve(const char *path);

/*
 * The usual fixture: driver on a fresh path, frontend connected and set up, new_device seen.
 * flow_down() closes the frontend, waits for -conn and unregisters.
 */
struct flow {
	const char *path;
	struct frontend fe;
	int vid;
};
void flow_up(struct flow *flow, uint64_t driver_flags, const struct fe_config *config);
void flow_down(struct flow *flow);
/* What has been logged since flow_listen(), by any thread; valid until it is called again. */
void flow_listen(void);
const char *flow_heard(void);
void flow_listen_no_more(void);
/* The driver is unregistered already. */
void flow_forget(void);
/* Teardown for tap_run(): whatever flow_up() left open after a failed test. */
void flow_teardown(void);

/* Is this what GET_VRING_BASE has to say when the device is where the driver is? */
bool flow_base_is(uint32_t base, const struct guest_ring *vq);

/* A pool with this data room (plus headroom); freed by the caller. */
struct rte_mempool *flow_pool(unsigned nr_mbufs, uint16_t data_room_bytes);
/* All mbufs back home. */
bool flow_pool_full(const struct rte_mempool *pool);

/*
 * The switch in between, on a thread of its own: everything the guest sends on queue 1 goes back to
 * it on queue 0. To stop what does not run is fine.
 */
void flow_echo_start(int vid, struct rte_mempool *pool);
void flow_echo_stop(void);
extern volatile uint64_t flow_echoed; /* packets since the start */

/* In a child: EAL's memory is a shared file. What dies here must not die in there. */
void flow_own_memory(void);

bool flow_wait_until(bool (*done)(void *arg), void *arg, int timeout_ms);
uint64_t flow_now_us(void); /* patience_now_us() */

#endif
