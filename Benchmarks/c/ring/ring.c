#include "driver.h"

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
