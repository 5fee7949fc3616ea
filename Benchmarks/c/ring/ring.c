#include "ring.h"
#include <stdbool.h>

int ring_device_run(struct ring_device *device) {
  uint16_t end = __atomic_load_n(&device->available[1], __ATOMIC_ACQUIRE);
  struct ring_used_elem *elements = (struct ring_used_elem *)(device->used + 2);
  uint16_t at = device->last;
  int count = 0;
  for (; at != end; at++, count++) {
    uint16_t id = device->available[2 + (at & device->mask)];
    elements[at & device->mask] = (struct ring_used_elem){id, device->table[id & device->mask].length};
  }
  device->last = at;
  __atomic_store_n(&device->used[1], at, __ATOMIC_RELEASE);
  return count;
}

// The driver, with the same guard as the library's: an id that is not in the ring ends it.
struct driver {
  struct ring_desc *table;
  uint16_t *available;
  uint16_t *used;
  uint16_t *free;
  uint16_t mask;
  uint16_t next_available;
  uint16_t last_used;
  int free_count;
  bool broken;
};

static inline int add(struct driver *d, uint64_t address, uint32_t length, bool device_writes) {
  if (d->free_count == 0) return -1;
  uint16_t id = d->free[--d->free_count];
  d->table[id] = (struct ring_desc){address, length, device_writes ? 2 : 0, 0};
  d->available[2 + (d->next_available++ & d->mask)] = id;
  return id;
}

static inline void publish(struct driver *d) {
  __atomic_store_n(&d->available[1], d->next_available, __ATOMIC_RELEASE);
}

static inline bool take_used(struct driver *d, struct ring_used_elem *out) {
  if (__atomic_load_n(&d->used[1], __ATOMIC_ACQUIRE) == d->last_used || d->broken) return false;
  struct ring_used_elem element = ((struct ring_used_elem *)(d->used + 2))[d->last_used & d->mask];
  if (element.id > d->mask || d->free_count > d->mask) {
    d->broken = true;
    return false;
  }
  d->last_used++;
  d->free[d->free_count++] = element.id;
  *out = element;
  return true;
}

uint64_t ring_driver_run(struct ring_device *device, uint16_t *free_stack, int batches, int batch) {
  struct driver driver = {device->table, device->available, device->used, free_stack, device->mask, 0, 0, 0, false};
  for (int id = device->mask; id >= 0; id--) driver.free[driver.free_count++] = id;
  uint64_t sum = 0;
  for (int round = 0; round < batches; round++) {
    for (int i = 0; i < batch; i++)
      if (add(&driver, 0x10000 + 2048 * (uint64_t)i, 1514, true) < 0) return 0;
    publish(&driver);
    ring_device_run(device);
    struct ring_used_elem used;
    while (take_used(&driver, &used)) sum += used.length;
  }
  return sum;
}
