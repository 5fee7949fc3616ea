#include "device.h"

bool device_search(struct device *d, uint64_t address) {
  int low = 0, high = d->region_count;
  while (low < high) {
    int middle = (low + high) / 2;
    if (d->regions[middle].guest <= address) low = middle + 1;
    else high = middle;
  }
  if (low == 0 || address - d->regions[low - 1].guest >= d->regions[low - 1].count) return false;
  d->last = d->regions[low - 1];
  return true;
}

static bool add(struct device *d, struct ring_desc desc, struct chain *chain) {
  if (desc.flags & WRITE || desc.length == 0 || desc.address > UINT64_MAX - desc.length) return fail(d);
  chain->bytes += desc.length;
  if (chain->bytes > MAXIMUM_FRAME) return fail(d);
  uint64_t address = desc.address, left = desc.length;
  while (left > 0) {
    uint64_t run;
    char *place = locate(d, address, &run);
    if (!place) return fail(d);
    if (run > left) run = left;
    struct vector *end = &d->vectors[d->vector_count + chain->vectors];
    if (chain->vectors > 0 && end[-1].base + end[-1].length == place) {
      end[-1].length += run;
    } else {
      if (chain->vectors == MAXIMUM_VECTORS) return fail(d);
      *end = (struct vector){place, run};
      chain->vectors++;
    }
    address += run;
    left -= run;
  }
  return true;
}

static bool add_table(struct device *d, struct ring_desc table, struct chain *chain) {
  uint32_t count = table.length / 16;
  if (table.flags & NEXT || table.length % 16 || count < 1 || count > 32768) return fail(d);
  if (table.address > UINT64_MAX - table.length) return fail(d);
  for (uint32_t index = 0, i = 0; i < count; i++) {
    uint64_t run;
    char *place = locate(d, table.address + 16 * (uint64_t)index, &run);
    if (!place || run < 16 || (uintptr_t)place % 8) return fail(d);
    struct ring_desc desc = read_descriptor((struct ring_desc *)place);
    if (desc.flags & INDIRECT || !add(d, desc, chain)) return fail(d);
    if (!(desc.flags & NEXT)) return true;
    if (desc.next >= count) return fail(d);
    index = desc.next;
  }
  return fail(d);
}

bool device_walk(struct device *d, struct ring_desc desc, uint16_t head) {
  struct chain chain = {head, 0, 0};
  for (int left = d->mask; !(desc.flags & INDIRECT); left--) {
    if (!add(d, desc, &chain)) return false;
    if (!(desc.flags & NEXT)) goto whole;
    if (desc.next > d->mask || left == 0) return fail(d);
    desc = read_descriptor(&d->table[desc.next]);
  }
  if (!add_table(d, desc, &chain)) return false;
whole:
  d->chains[d->chain_count++] = chain;
  d->vector_count += chain.vectors;
  return true;
}

uint64_t ring_device_drive(struct ring_device *ring, const struct ring_region *regions, int region_count, int batches,
                           int batch) {
  static struct chain chains[1024];
  static struct vector vectors[2 * MAXIMUM_VECTORS];
  struct device d = {.table = ring->table, .available = ring->available, .used = ring->used, .mask = ring->mask,
                     .regions = regions, .region_count = region_count, .chains = chains, .vectors = vectors};
  uint64_t sum = 0;
  for (int round = 0; round < batches; round++) {
    ring_offer(ring, batch);
    d.chain_count = d.vector_count = 0;
    if (take(&d, batch) != batch) return 0;
    for (int i = 0; i < batch; i++) {
      sum += (uint64_t)chains[i].bytes;
      complete(&d, chains[i].head, 0);
    }
    publish_used(&d);
  }
  return sum;
}

void ring_offer(struct ring_device *ring, int count) {
  __atomic_store_n(&ring->available[1], (uint16_t)(ring->available[1] + count), __ATOMIC_RELEASE);
}
