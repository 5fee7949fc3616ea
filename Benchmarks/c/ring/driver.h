// The driver's end of a split virtqueue, in plain C, one descriptor a buffer, with the same guard as the library's: an id
// that is not in the ring ends it.
#pragma once
#include "include/ring.h"
#include <stdbool.h>

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

static inline uint16_t used_index(struct driver *d) { return __atomic_load_n(&d->used[1], __ATOMIC_ACQUIRE); }

static inline bool take_until(struct driver *d, uint16_t end, struct ring_used_elem *out) {
  if (end == d->last_used || d->broken) return false;
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

static inline bool take_used(struct driver *d, struct ring_used_elem *out) { return take_until(d, used_index(d), out); }
