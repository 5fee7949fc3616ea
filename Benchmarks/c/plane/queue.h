// A tap's queue, opened as a device opens it, and the clocks of the programs that do nothing but use one.
#pragma once
#include "../serve/device.h"
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

static inline uint64_t clock_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1000000000ull + t.tv_nsec;
}

// Does not wait where there is no frame, or no room for one; has no offload.
static inline int open_queue(const char *tap) {
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
  int size = header_size, fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  strncpy(request.ifr_name, tap, IFNAMSIZ - 1);
  if (fd < 0) fail("/dev/net/tun");
  if (ioctl(fd, TUNSETIFF, &request) < 0) fail("TUNSETIFF");
  if (ioctl(fd, TUNSETVNETHDRSZ, &size) < 0) fail("TUNSETVNETHDRSZ");
  if (ioctl(fd, TUNSETOFFLOAD, 0) < 0) fail("TUNSETOFFLOAD");
  return fd;
}
