// The guest's side of a virtio-net of many queue pairs: split rings and their buffers in one memfd, an eventfd for each
// way of each ring. Whoever sets it up for vhost-net, it is the same.
#pragma once
#include "../ring/driver.h"
#include <stddef.h>

enum {
  most_pairs = 128,
  ring_size = 1024,      // the largest that QEMU gives a vhost-user guest
  header_size = 12,      // virtio_net_hdr_v1, as VIRTIO_F_VERSION_1 has it
  receive_size = 2048,   // an RX buffer
};

// How many frames of so many bytes are on their way at most: the memory of all of them is a few megabytes.
static inline int frames_in_flight(int bytes) { return bytes > 4096 ? 64 : ring_size; }

// Where the guest believes its memory to be: no address of anybody's.
static const uint64_t guest_base = 1ull << 32;

struct ring {
  struct driver driver;
  uint64_t table, available, used;  // where they are in the memory
  int kick, call;
};

struct pair {
  struct ring ring[2];  // 0 is RX (to the guest), 1 is TX (from it)
  uint64_t receive;     // RX buffers, one behind the other
  uint64_t buffers;     // of TX, likewise
};

struct device {
  int memory;
  char *base;
  size_t size;
  int pairs;
  int frame_size;     // of what is sent, with Ethernet's header
  uint64_t features;  // beside VIRTIO_F_VERSION_1
  struct pair pair[most_pairs];
};

// Makes it: RX rings full of buffers (which device_post shows), TX rings empty, TX buffers with a frame each that nobody is to answer.
void device_make(struct device *device, int pairs, int frame_size);

// Adds as many batches of `unit` frames to a TX ring as fit, at most `most` frames; shows them to the other side and kicks
// it if it wants that. Returns how many frames.
int device_send(struct device *device, struct pair *pair, int most, int unit);

// Takes back what the other side of a TX ring has used, in whole batches of `unit` frames. Returns how many frames.
//
// With 256 only the upper byte of an index ever counts. A kernel in user mode, as the lab's, reads and writes an index byte
// by byte, the upper one first: another CPU may see the new upper byte beside the old lower one.
int device_collect(struct pair *pair, int unit);

// Shows an RX ring's buffers.
void device_post(struct pair *pair);

// Takes what has come to an RX ring and gives its buffers back. Returns how many frames.
int device_receive(struct device *device, struct pair *pair);

// Sets it up for vhost-net. Nothing runs before `start`, which lets the rings run one after the other and returns what
// the clock said just before the last: VHOST_NET_SET_BACKEND, or the sending of SET_VRING_ENABLE.
void direct_prepare(struct device *device, const char *tap);
uint64_t direct_start(struct device *device);
void socket_prepare(struct device *device, const char *path);
uint64_t socket_start(struct device *device);
int socket_peer(void);  // the process that listens

uint64_t now(void);  // nanoseconds
void fail(const char *what);
