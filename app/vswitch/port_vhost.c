/* SPDX-License-Identifier: BSD-3-Clause
 *
 * The vhost side; see port_vhost.h. The callbacks run on the library's threads
 * (and on main() while it closes sockets); which queues a frontend enables and
 * what it negotiates is its own choice: untrusted.
 *
 * An endpoint is one socket path. Its first port exists from the start, so the
 * table can show that it waits; when a server path gets more frontends at a
 * time, each gets one more port: vm, vm.2, vm.3. They are reused.
 */
#include "port_vhost.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <rte_vhost.h>

#include "events.h"
#include "offload.h"
#include "port.h"
#include "wakeup.h"

#define BIT(n) (1ULL << (n))

/* Who has which device. Set at connection time, before any other callback uses it. */
static struct port *_Atomic by_vid[RTE_MAX_VHOST_DEVICE];

static struct port *port_of(int vid)
{
	return vid < 0 || vid >= RTE_MAX_VHOST_DEVICE ? NULL : atomic_load(&by_vid[vid]);
}

void vhost_feature_words(uint64_t features, char *text, size_t size)
{
	static const struct {
		unsigned int bit;
		const char *word;
	} words[] = {
		{ VIRTIO_F_VERSION_1, "v1" }, { VIRTIO_F_RING_PACKED, "packed" },
		{ VIRTIO_F_IN_ORDER, "in-order" }, { VIRTIO_F_IOMMU_PLATFORM, "iommu" },
		{ VIRTIO_NET_F_MRG_RXBUF, "mrg" }, { VIRTIO_NET_F_CSUM, "csum" },
		{ VIRTIO_NET_F_HOST_TSO4, "tso4" }, { VIRTIO_NET_F_HOST_TSO6, "tso6" },
		{ VIRTIO_NET_F_GUEST_CSUM, "guest-csum" },
		{ VIRTIO_NET_F_GUEST_TSO4, "guest-tso4" },
		{ VIRTIO_NET_F_GUEST_TSO6, "guest-tso6" }, { VIRTIO_NET_F_MQ, "mq" },
		{ VIRTIO_NET_F_MTU, "mtu" }, { VIRTIO_RING_F_INDIRECT_DESC, "indirect" },
		{ VIRTIO_RING_F_EVENT_IDX, "event-idx" }, { VHOST_F_LOG_ALL, "log" },
	};
	size_t at = 0;

	snprintf(text, size, "none");
	for (unsigned int i = 0; i < RTE_DIM(words); i++)
		if (features & BIT(words[i].bit) && at < size)
			at += (size_t)snprintf(text + at, size - at, "%s%s", at == 0 ? "" : " ",
					       words[i].word);
}

static unsigned int takes_of(uint64_t features)
{
	unsigned int takes = 0;

	if (!(features & BIT(VIRTIO_NET_F_GUEST_CSUM)))
		return 0;
	takes |= OFFLOAD_CSUM;
	if (features & BIT(VIRTIO_NET_F_GUEST_TSO4))
		takes |= OFFLOAD_TSO4;
	if (features & BIT(VIRTIO_NET_F_GUEST_TSO6))
		takes |= OFFLOAD_TSO6;
	return takes;
}

static enum port_state idle_state(const struct endpoint *endpoint)
{
	return endpoint->register_flags & RTE_VHOST_USER_CLIENT ? STATE_CONNECTING :
	       STATE_LISTENING;
}

/* Under ports_lock(). */
static struct port *make_port(struct endpoint *endpoint, unsigned int instance)
{
	char name[VSW_NAME_BYTES];
	struct port *port;

	if (instance == 1)
		snprintf(name, sizeof(name), "%s", endpoint->name);
	else
		snprintf(name, sizeof(name), "%.24s.%u", endpoint->name, instance);
	port = port_alloc(PORT_VHOST, name);
	if (port == NULL)
		return NULL;
	port->endpoint = endpoint;
	port->instance = instance;
	port->n_queues = endpoint->queue_pairs;
	port->max_macs = endpoint->max_macs;
	atomic_store(&port->state, idle_state(endpoint));
	return port;
}

/* The endpoint's first port without a frontend, or one more. Under ports_lock(). */
static struct port *free_port(const char *path)
{
	struct endpoint *endpoint = NULL;
	unsigned int instances = 0;

	for (unsigned int i = 0; i < vsw.config.n_endpoints; i++)
		if (strcmp(vsw.config.endpoints[i].path, path) == 0)
			endpoint = &vsw.config.endpoints[i];
	if (endpoint == NULL)
		return NULL;
	for (unsigned int s = 0; s < port_slots(); s++) {
		struct port *port = port_at(s);

		if (port->endpoint != endpoint)
			continue;
		if (port->vid < 0)
			return port;
		instances++;
	}
	return make_port(endpoint, instances + 1);
}

static void unwatch_kicks(struct port *port, unsigned int pair)
{
	int watched = atomic_exchange(&port->kick_watch[pair], -1);

	if (watched >= 0)
		wakeup_unwatch(port_reader(port, pair), watched);
}

/* A guest that polls for us has no eventfd: its queue has to be polled, too. */
static void watch_kicks(struct port *port, unsigned int pair)
{
	struct rte_vhost_vring vring;

	unwatch_kicks(port, pair);
	if (vsw.config.poll == POLL_INTERRUPT &&
	    rte_vhost_get_vhost_vring(port->vid, (uint16_t)(2 * pair + 1), &vring) == 0 &&
	    vring.kickfd >= 0)
		atomic_store(&port->kick_watch[pair],
			     wakeup_watch(port_reader(port, pair), vring.kickfd));
}

static int on_new_connection(int vid)
{
	char path[PATH_MAX];
	struct port *port;

	if (vid < 0 || vid >= RTE_MAX_VHOST_DEVICE ||
	    rte_vhost_get_ifname(vid, path, sizeof(path)) != 0)
		return -1;
	ports_lock();
	port = free_port(path);
	if (port != NULL) {
		port->vid = vid;
		for (unsigned int q = 0; q < VSW_MAX_QUEUE_PAIRS; q++) {
			atomic_store(&port->to_port_enabled[q], 0);
			atomic_store(&port->from_port_enabled[q], 0);
		}
		atomic_store(&port->state, STATE_CONNECTED);
		atomic_store(&by_vid[vid], port);
	}
	ports_unlock();
	if (port == NULL) {
		event("error: connection on %s refused: all %d ports are taken", path,
		      VSW_MAX_PORTS);
		return -1;
	}
	event("port %s: connected", port->name);
	return 0;
}

static void on_destroy_connection(int vid)
{
	struct port *port = port_of(vid);

	if (port == NULL)
		return;
	port_down(port);
	for (unsigned int q = 0; q < VSW_MAX_QUEUE_PAIRS; q++)
		unwatch_kicks(port, q);
	ports_lock();
	atomic_store(&by_vid[vid], NULL);
	port->vid = -1;
	atomic_store(&port->features, 0);
	atomic_store(&port->state, idle_state(port->endpoint));
	ports_unlock();
	event("port %s: disconnected", port->name);
}

static void read_features(struct port *port, uint64_t features)
{
	atomic_store(&port->features, features);
	atomic_store(&port->takes, takes_of(features));
}

static int on_new_device(int vid)
{
	struct port *port = port_of(vid);
	uint64_t features;
	unsigned int pairs;
	char words[200];

	if (port == NULL || rte_vhost_get_negotiated_features(vid, &features) != 0)
		return -1;
	read_features(port, features);
	/* A device is ready when its first pair is, whatever was said about the vrings. */
	atomic_store(&port->to_port_enabled[0], 1);
	atomic_store(&port->from_port_enabled[0], 1);
	if (atomic_load(&port->kick_watch[0]) < 0)
		watch_kicks(port, 0);
	for (unsigned int q = 0; q < VSW_MAX_QUEUE_PAIRS; q++)
		atomic_store(&port->kicks_off[q], false);
	pairs = vhost_active_pairs(port);
	ports_lock();
	port->announced_pairs = pairs;
	ports_unlock();
	vhost_feature_words(features, words, sizeof(words));
	event("port %s: up, %u queue pair%s, features: %s", port->name, pairs,
	      pairs == 1 ? "" : "s", words);
	port_up(port);
	return 0;
}

static void on_destroy_device(int vid)
{
	struct port *port = port_of(vid);

	if (port == NULL)
		return;
	port_down(port);
	atomic_store(&port->state, STATE_CONNECTED);
	event("port %s: down", port->name);
}

/* Called with the vring locked: only notes the fact. */
static int on_vring_state_changed(int vid, uint16_t vring, int enable)
{
	struct port *port = port_of(vid);
	unsigned int pair = vring / 2;

	if (port == NULL)
		return 0;
	if (pair >= port->n_queues) {
		if (enable && vring % 2 == 0)
			event("warning: port %s: frontend enables queue pair %u, the port serves %u: "
			      "start the switch with queues=%u", port->name, pair + 1,
			      port->n_queues, pair + 1);
		return 0;
	}
	/* Even vrings are what the guest receives on. */
	if (vring % 2 == 0) {
		atomic_store(&port->to_port_enabled[pair], (unsigned char)(enable != 0));
	} else {
		if (enable)
			watch_kicks(port, pair);
		else
			unwatch_kicks(port, pair);
		atomic_store(&port->kicks_off[pair], false);
		atomic_store(&port->from_port_enabled[pair], (unsigned char)(enable != 0));
		/* Asleep, it would neither ask this queue for kicks nor look at it. */
		wakeup_worker(port_reader(port, pair));
	}
	return 0;
}

static int on_features_changed(int vid, uint64_t features)
{
	struct port *port = port_of(vid);
	char words[200];

	if (port == NULL)
		return 0;
	read_features(port, features);
	vhost_feature_words(features, words, sizeof(words));
	event("port %s: features now: %s", port->name, words);
	return 0;
}

unsigned int vhost_active_pairs(const struct port *port)
{
	unsigned int pairs = 0;

	for (unsigned int q = 0; q < port->n_queues; q++)
		pairs += atomic_load(&port->to_port_enabled[q]) ||
			 atomic_load(&port->from_port_enabled[q]);
	return pairs;
}

void vhost_announce_pairs(void)
{
	unsigned int pairs;

	ports_lock();
	for (unsigned int s = 0; s < port_slots(); s++) {
		struct port *port = port_at(s);

		if (port->kind != PORT_VHOST || !atomic_load(&port->up))
			continue;
		pairs = vhost_active_pairs(port);
		if (pairs != port->announced_pairs)
			event("port %s: %u queue pair%s now", port->name, pairs,
			      pairs == 1 ? "" : "s");
		port->announced_pairs = pairs;
	}
	ports_unlock();
}

/* A socket file nobody listens on is left over from a switch that was killed. */
static int remove_stale_socket(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, taken;

	if (lstat(path, &st) != 0) {
		if (errno == ENOENT)
			return 0;
		fprintf(stderr, "%s: %s: %s\n", VSW_NAME, path, strerror(errno));
		return -1;
	}
	if (!S_ISSOCK(st.st_mode)) {
		fprintf(stderr, "%s: %s: exists and is not a socket\n", VSW_NAME, path);
		return -1;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -1;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	taken = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0 || errno != ECONNREFUSED;
	close(fd);
	if (taken) {
		fprintf(stderr, "%s: %s: another process listens on it\n", VSW_NAME, path);
		return -1;
	}
	return unlink(path);
}

static const struct rte_vhost_device_ops device_ops = {
	.new_device = on_new_device,
	.destroy_device = on_destroy_device,
	.vring_state_changed = on_vring_state_changed,
	.features_changed = on_features_changed,
	.new_connection = on_new_connection,
	.destroy_connection = on_destroy_connection,
};

/* One pair means that the frontend shall not ask for more. */
static int offer_features(const struct endpoint *endpoint)
{
	uint64_t off = endpoint->features_off, protocol;

	/* UFO would have to be cut into IP fragments for others, and nobody sends it any more. */
	off |= BIT(VIRTIO_NET_F_HOST_UFO) | BIT(VIRTIO_NET_F_GUEST_UFO);
	if (endpoint->queue_pairs == 1) {
		off |= BIT(VIRTIO_NET_F_MQ);
		if (rte_vhost_driver_get_protocol_features(endpoint->path, &protocol) != 0 ||
		    rte_vhost_driver_set_protocol_features(endpoint->path, protocol &
				~BIT(VHOST_USER_PROTOCOL_F_MQ)) != 0)
			return -1;
	}
	return rte_vhost_driver_disable_features(endpoint->path, off);
}

int vhost_endpoint_start(struct endpoint *endpoint)
{
	bool client = endpoint->register_flags & RTE_VHOST_USER_CLIENT;
	const char *path = endpoint->path, *step = "register";
	struct port *port;

	if (!client && remove_stale_socket(path) != 0)
		return -1;
	ports_lock();
	port = make_port(endpoint, 1);
	ports_unlock();
	if (port == NULL) {
		fprintf(stderr, "%s: %s: more than %d ports\n", VSW_NAME, path, VSW_MAX_PORTS);
		return -1;
	}
	if (rte_vhost_driver_register(path, endpoint->register_flags) != 0)
		goto fail;
	endpoint->registered = true;
	step = "choose the features of";
	if (offer_features(endpoint) != 0)
		goto fail;
	step = "set callbacks on";
	if (rte_vhost_driver_callback_register(path, &device_ops) != 0)
		goto fail;
	step = "start";
	if (rte_vhost_driver_start(path) != 0)
		goto fail;
	step = "set the mode of";
	if (!client && endpoint->socket_mode >= 0 &&
	    chmod(path, (mode_t)endpoint->socket_mode) != 0)
		goto fail;
	event("port %s: %s %s", endpoint->name, client ? "connecting to" : "listening on", path);
	return 0;
fail:
	fprintf(stderr, "%s: %s: cannot %s this socket (see the messages above)\n", VSW_NAME, path,
		step);
	return -1;
}

void vhost_endpoint_stop(struct endpoint *endpoint)
{
	if (endpoint->registered)
		rte_vhost_driver_unregister(endpoint->path);
	endpoint->registered = false;
}
