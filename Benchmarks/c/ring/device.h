// The device's end of a split virtqueue, in plain C, with the library's checks and its way of translating addresses: a sorted
// table of regions, and the last one that was hit. Chains of one descriptor take the short way, all others the walk.
#pragma once
#include "include/ring.h"
#include <stdbool.h>
#include <stddef.h>

enum { MAXIMUM_FRAME = 65570, MAXIMUM_VECTORS = 1024, NEXT = 1, WRITE = 2, INDIRECT = 4 };

struct vector {
  char *base;
  size_t length;
};

struct chain {
  uint16_t head;
  uint16_t vectors;
  long bytes;
};

struct device {
  struct ring_desc *table;
  uint16_t *available;
  uint16_t *used;
  uint16_t mask, next, known, next_used, used_index;
  bool broken;
  const struct ring_region *regions;
  int region_count;
  struct ring_region last;
  struct chain *chains;
  struct vector *vectors;
  int chain_count, vector_count;
};

bool device_search(struct device *d, uint64_t address);
bool device_walk(struct device *d, struct ring_desc first, uint16_t head);

static inline char *locate(struct device *d, uint64_t address, uint64_t *run) {
  if (address - d->last.guest >= d->last.count && !device_search(d, address)) return NULL;
  *run = d->last.count - (address - d->last.guest);
  return d->last.base + (address - d->last.guest);
}

static inline struct ring_desc read_descriptor(const struct ring_desc *place) {
  uint64_t address = __atomic_load_n((const uint64_t *)place, __ATOMIC_RELAXED);
  uint64_t rest = __atomic_load_n((const uint64_t *)place + 1, __ATOMIC_RELAXED);
  return (struct ring_desc){address, (uint32_t)rest, (uint16_t)(rest >> 32), (uint16_t)(rest >> 48)};
}

static inline bool fail(struct device *d) {
  d->broken = true;
  return false;
}

// Takes up to `limit` chains for the device to read behind those that there are; how many, or -1.
static inline int take(struct device *d, int limit) {
  if (d->known == d->next) {
    if (d->broken) return -1;
    uint16_t index = __atomic_load_n(&d->available[1], __ATOMIC_ACQUIRE);
    if ((uint16_t)(index - d->next) > d->mask + 1) return fail(d) - 1;
    d->known = index;
  }
  int count = (uint16_t)(d->known - d->next), taken = 0;
  if (count > limit) count = limit;
  for (; taken < count && d->vector_count <= MAXIMUM_VECTORS; taken++) {
    uint16_t head = __atomic_load_n(&d->available[2 + (d->next & d->mask)], __ATOMIC_RELAXED);
    if (head > d->mask) return fail(d) - 1;
    struct ring_desc desc = read_descriptor(&d->table[head]);
    uint64_t run;
    char *place;
    if (desc.flags == 0 && desc.length != 0 && desc.length <= MAXIMUM_FRAME && (place = locate(d, desc.address, &run)) &&
        desc.length <= run) {
      d->vectors[d->vector_count++] = (struct vector){place, desc.length};
      d->chains[d->chain_count++] = (struct chain){head, 1, desc.length};
    } else if (!device_walk(d, desc, head)) {
      return -1;
    }
    d->next++;
  }
  return taken;
}

static inline void complete(struct device *d, uint16_t head, uint32_t length) {
  ((struct ring_used_elem *)(d->used + 2))[d->next_used++ & d->mask] = (struct ring_used_elem){head, length};
}

static inline void publish_used(struct device *d) {
  if (d->used_index == d->next_used) return;
  d->used_index = d->next_used;
  __atomic_store_n(&d->used[1], d->next_used, __ATOMIC_RELEASE);
}
