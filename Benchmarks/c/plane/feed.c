#include "feed.h"
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void flow(char *frame, int bytes, int pair) {
  // 198.18.0.0/15 is for benchmarks (RFC 2544).
  unsigned char headers[42] = {[0] = 2, [5] = 1, [6] = 2, [11] = 2, [12] = 8,             // Ethernet
                               [14] = 0x45, [22] = 64, [23] = 17,                         // IPv4: UDP
                               [26] = 198, 18, 0, 2, 198, 18, 0, 3, 16, pair, 0, 9};      // its addresses and ports
  int total = bytes - 14, length = bytes - 34;
  headers[16] = total >> 8, headers[17] = total, headers[38] = length >> 8, headers[39] = length;
  memcpy(frame, headers, sizeof headers);
}

static void fail(const char *what) {
  fprintf(stderr, "feed: %s: %s\n", what, strerror(errno));
  exit(1);
}

void feed(const char *tap, int bytes, int count) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), one = 1;
  if (fd < 0) fail("socket");
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_ifindex = if_nametoindex(tap)};
  if (address.sll_ifindex == 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail(tap);
  if (setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &one, sizeof one) < 0) fail("PACKET_QDISC_BYPASS");
  char *frame = calloc(1, most_bytes);
  flow(frame, bytes, 0);
  for (int i = 0; i < count; i++)
    if (send(fd, frame, bytes, 0) < 0) fail("send: is the tap's queue long enough?");
  free(frame);
  close(fd);
}
