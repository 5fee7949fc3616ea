// A split virtqueue (virtio 1.2 §2.7): the driver's end in plain C, to compare the library's with, and a device that both
// of them run against.
#pragma once
#include <stdint.h>

struct ring_desc {
  uint64_t address;
  uint32_t length;
  uint16_t flags;
  uint16_t next;
};

struct ring_used_elem {
  uint32_t id;
  uint32_t length;
};

// Where the parts of a ring of `mask` + 1 entries stand, and how far the device has come.
struct ring_device {
  struct ring_desc *table;
  uint16_t *available;  // flags, idx, entries
  uint16_t *used;       // flags, idx, entries of 8 bytes
  uint16_t mask;
  uint16_t last;
};

// Uses all that is available, in order, as if each buffer had been filled; shows them together. Returns how many.
int ring_device_run(struct ring_device *device);

// `batches` times: adds `batch` buffers, publishes them, runs the device, takes back all that it used.
// `memory` is zero and laid out as the device says; `free_stack` has room for mask + 1 numbers. Returns the lengths' sum.
uint64_t ring_driver_run(struct ring_device *device, uint16_t *free_stack, int batches, int batch);

// A stretch of the guest's memory.
struct ring_region {
  uint64_t guest;
  uint64_t count;
  char *base;
};

// The next `count` entries of the available ring, which stand there already, are available.
void ring_offer(struct ring_device *ring, int count);

// The other way round: `batches` times, `batch` chains are offered, and the device in C takes, completes and publishes them. The
// lengths' sum, 0 if one was refused.
uint64_t ring_device_drive(struct ring_device *ring, const struct ring_region *regions, int region_count, int batches,
                           int batch);
