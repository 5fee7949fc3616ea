#define _GNU_SOURCE
#include "device.h"
#include "../plane/feed.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { page = 4096 };

static int transmit_size(struct device *device) { return (header_size + device->frame_size + 127) & ~127; }

void fail(const char *what) {
  fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
  exit(1);
}

uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

// Lays a ring out from `at` on; returns where it ends.
static uint64_t lay_out(struct ring *ring, uint64_t at) {
  ring->table = at;
  ring->available = ring->table + ring_size * sizeof(struct ring_desc);
  ring->used = (ring->available + 6 + 2 * ring_size + 3) & ~3ull;
  return (ring->used + 6 + ring_size * sizeof(struct ring_used_elem) + page - 1) & ~(page - 1ull);
}

static void begin(struct ring *ring, char *base) {
  ring->driver = (struct driver){
      .table = (struct ring_desc *)(base + ring->table),
      .available = (uint16_t *)(base + ring->available),
      .used = (uint16_t *)(base + ring->used),
      .free = malloc(ring_size * sizeof(uint16_t)),
      .mask = ring_size - 1,
  };
  for (int id = ring_size - 1; id >= 0; id--) ring->driver.free[ring->driver.free_count++] = id;
  ring->driver.available[0] = 1;  // VIRTQ_AVAIL_F_NO_INTERRUPT: the driver looks by itself
  ring->kick = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ring->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (ring->kick < 0 || ring->call < 0) fail("eventfd");
}

void device_make(struct device *device, int pairs, int frame_size) {
  uint64_t end = 0;
  device->pairs = pairs;
  device->frame_size = frame_size;
  for (int i = 0; i < pairs; i++) {
    struct pair *pair = &device->pair[i];
    pair->receive = lay_out(&pair->ring[1], lay_out(&pair->ring[0], end));
    pair->buffers = pair->receive + ring_size * receive_size;
    end = pair->buffers + (uint64_t)ring_size * transmit_size(device);
  }
  device->size = end;
  device->memory = memfd_create("guest", MFD_CLOEXEC);
  if (device->memory < 0 || ftruncate(device->memory, end) < 0) fail("memfd");
  device->base = mmap(NULL, end, PROT_READ | PROT_WRITE, MAP_SHARED, device->memory, 0);
  if (device->base == MAP_FAILED) fail("mmap");
  memset(device->base, 0, end);
  for (int i = 0; i < pairs; i++) {
    struct pair *pair = &device->pair[i];
    for (int half = 0; half < 2; half++) begin(&pair->ring[half], device->base);
    for (int id = 0; id < ring_size; id++) {
      add(&pair->ring[0].driver, guest_base + pair->receive + id * receive_size, receive_size, true);
      flow(device->base + pair->buffers + (uint64_t)id * transmit_size(device) + header_size, frame_size, i);
    }
  }
}

// Shows what was added to the other side, and kicks it if it wants that.
static void show(struct ring *ring) {
  publish(&ring->driver);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  uint64_t one = 1;
  bool is_wanted = !(*(volatile uint16_t *)ring->driver.used & 1);  // VIRTQ_USED_F_NO_NOTIFY
  if (is_wanted && write(ring->kick, &one, sizeof one) < 0) fail("kick");
}

int device_send(struct device *device, struct pair *pair, int most, int unit) {
  struct ring *ring = &pair->ring[1];
  struct driver *driver = &ring->driver;
  int room = driver->free_count - driver->free_count % unit, count = 0;
  for (; count < most && count < room; count++) {
    uint64_t buffer = pair->buffers + (uint64_t)driver->free[driver->free_count - 1] * transmit_size(device);
    add(driver, guest_base + buffer, header_size + device->frame_size, false);
  }
  if (count > 0) show(ring);
  return count;
}

int device_collect(struct pair *pair, int unit) {
  struct driver *driver = &pair->ring[1].driver;
  struct ring_used_elem used;
  uint16_t end = used_index(driver);
  int count = 0;
  end -= end % unit;
  while (take_until(driver, end, &used)) count++;
  if (driver->broken) {
    errno = EBADMSG;
    fail("TX ring: a buffer that vhost cannot have");
  }
  return count;
}

void device_post(struct pair *pair) { show(&pair->ring[0]); }

int device_receive(struct device *device, struct pair *pair) {
  struct ring *ring = &pair->ring[0];
  struct ring_used_elem used;
  int count = 0, taken = 0;
  // Of a frame in several buffers all are used at once.
  for (int rest = 0; take_used(&ring->driver, &used); rest--, taken++) {
    uint64_t buffer = pair->receive + used.id * receive_size;
    if (rest == 0) {
      uint16_t buffers;
      memcpy(&buffers, device->base + buffer + 10, sizeof buffers);
      rest = buffers;
      count++;
    }
    add(&ring->driver, guest_base + buffer, receive_size, true);
  }
  if (ring->driver.broken) {
    errno = EBADMSG;
    fail("RX ring: a buffer that the device cannot have");
  }
  if (taken > 0) show(ring);
  return count;
}
