// vhost-net set up by the process itself: an open of /dev/vhost-net and a tap queue for each pair.
#include "device.h"
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

static int vhost[most_pairs], queue[most_pairs];

static void call(int fd, unsigned long request, void *argument, const char *name) {
  if (ioctl(fd, request, argument) < 0) fail(name);
}

static void set_up(struct device *device, int fd, unsigned index, struct ring *ring) {
  uint64_t base = (uint64_t)device->base;
  struct vhost_vring_state size = {index, ring_size}, start = {index, 0};
  struct vhost_vring_addr address = {
      .index = index,
      .desc_user_addr = base + ring->table,
      .avail_user_addr = base + ring->available,
      .used_user_addr = base + ring->used,
  };
  struct vhost_vring_file kick = {index, ring->kick}, interrupt = {index, ring->call};
  call(fd, VHOST_SET_VRING_NUM, &size, "VHOST_SET_VRING_NUM");
  call(fd, VHOST_SET_VRING_BASE, &start, "VHOST_SET_VRING_BASE");
  call(fd, VHOST_SET_VRING_ADDR, &address, "VHOST_SET_VRING_ADDR");
  call(fd, VHOST_SET_VRING_KICK, &kick, "VHOST_SET_VRING_KICK");
  call(fd, VHOST_SET_VRING_CALL, &interrupt, "VHOST_SET_VRING_CALL");
}

void direct_prepare(struct device *device, const char *tap) {
  struct vhost_memory *table = calloc(1, sizeof *table + sizeof table->regions[0]);
  table->nregions = 1;
  table->regions[0] = (struct vhost_memory_region){guest_base, device->size, (uint64_t)device->base, 0};
  uint64_t features = 1ull << VIRTIO_F_VERSION_1;
  for (int i = 0; i < device->pairs; i++) {
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
    int size = header_size;
    strncpy(request.ifr_name, tap, IFNAMSIZ - 1);
    queue[i] = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (queue[i] < 0) fail("/dev/net/tun");
    call(queue[i], TUNSETIFF, &request, "TUNSETIFF");
    if (i == 0) {
      call(queue[i], TUNSETVNETHDRSZ, &size, "TUNSETVNETHDRSZ");
      call(queue[i], TUNSETOFFLOAD, NULL, "TUNSETOFFLOAD");
    }
    vhost[i] = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
    if (vhost[i] < 0) fail("/dev/vhost-net");
    call(vhost[i], VHOST_SET_OWNER, NULL, "VHOST_SET_OWNER");
    call(vhost[i], VHOST_SET_FEATURES, &features, "VHOST_SET_FEATURES");
    call(vhost[i], VHOST_SET_MEM_TABLE, table, "VHOST_SET_MEM_TABLE");
    for (int half = 0; half < 2; half++) set_up(device, vhost[i], half, &device->pair[i].ring[half]);
  }
  free(table);
}

uint64_t direct_start(struct device *device) {
  uint64_t last = 0;
  for (int i = 0; i < device->pairs; i++)
    for (unsigned half = 0; half < 2; half++) {
      struct vhost_vring_file file = {half, queue[i]};
      last = now();
      call(vhost[i], VHOST_NET_SET_BACKEND, &file, "VHOST_NET_SET_BACKEND");
    }
  return last;
}
