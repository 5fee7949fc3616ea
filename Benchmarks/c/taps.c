// taps TAPS PAIRS ROUNDS noqueue|default: what Sources/taps does, in C: the same ioctls and the same rtnetlink messages in
// the same order, each written by hand, on a raw netlink socket, and acknowledged before the next.
// `taps create NAME PAIRS` makes one that stays and ends: what `mqctl create` asks of the kernel, and nothing else.
// `taps apply TAPS PAIRS` makes that many, and `taps prune` removes all that are there: what `mqctl apply` asks of the kernel.
//
// Per tap: RTM_GETLINK (is there one?), open, TUNSETIFF with IFF_TUN_EXCL, TUNSETOWNER (`create` alone, as the command),
// RTM_GETLINK (its index), RTM_SETLINK (alias), RTM_NEWQDISC (noqueue), RTM_SETLINK (up), TUNSETPERSIST, close; then
// RTM_GETLINK and RTM_GETADDR (is it as it should be?), open and TUNSETIFF for each queue, RTM_GETLINK (is it still so?).
// To delete: RTM_GETLINK, RTM_GETADDR, RTM_DELLINK; to close: close.
// `apply` looks at all links once; it sends the messages that dress a tap in one go, only the last acknowledged, and so does
// `create` here, as mqctl does both. `prune` puts 256 taps at a time into a group and deletes the group, by one send.
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int netlink;
static unsigned sequence;
static const short tap_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

struct message {
  struct nlmsghdr header;
  char body[1024];
};

static void *begin(struct message *m, int type, int flags, size_t size) {
  memset(m, 0, sizeof m->header + size);
  m->header.nlmsg_type = type;
  m->header.nlmsg_flags = NLM_F_REQUEST | flags;
  m->header.nlmsg_len = NLMSG_LENGTH(size);
  m->header.nlmsg_seq = ++sequence;
  return m->body;
}

static void put(struct message *m, int type, const void *data, size_t size) {
  struct rtattr *a = (struct rtattr *)((char *)m + NLMSG_ALIGN(m->header.nlmsg_len));
  a->rta_type = type;
  a->rta_len = RTA_LENGTH(size);
  memcpy(RTA_DATA(a), data, size);
  m->header.nlmsg_len = NLMSG_ALIGN(m->header.nlmsg_len) + RTA_ALIGN(a->rta_len);
}

// Sends a message and reads its answer to the end. Returns 0 or a negative errno; `index` receives a link's.
static int exchange(struct message *m, int *index) {
  static char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
  if (send(netlink, m, m->header.nlmsg_len, 0) < 0) fail("send");
  for (;;) {
    ssize_t size = recv(netlink, buffer, sizeof buffer, 0);
    if (size < 0) fail("recv");
    for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
      if (h->nlmsg_seq != m->header.nlmsg_seq) continue;
      if (h->nlmsg_type == NLMSG_ERROR) return ((struct nlmsgerr *)NLMSG_DATA(h))->error;
      if (h->nlmsg_type == NLMSG_DONE) return 0;
      if (h->nlmsg_type == RTM_NEWLINK && index) *index = ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
    }
  }
}

static void must(struct message *m, const char *what) {
  int error = exchange(m, NULL);
  if (error) {
    errno = -error;
    fail(what);
  }
}

// RTM_GETLINK by name; 0 if there is none.
static int link_index(const char *name) {
  struct message m;
  unsigned mask = RTEXT_FILTER_SKIP_STATS;
  int index = 0;
  begin(&m, RTM_GETLINK, NLM_F_ACK, sizeof(struct ifinfomsg));
  put(&m, IFLA_IFNAME, name, strlen(name) + 1);
  put(&m, IFLA_EXT_MASK, &mask, sizeof mask);
  int error = exchange(&m, &index);
  if (error && error != -ENODEV) {
    errno = -error;
    fail("RTM_GETLINK");
  }
  return index;
}

static void get_addresses(int index) {
  struct message m;
  struct ifaddrmsg *header = begin(&m, RTM_GETADDR, NLM_F_ACK | NLM_F_DUMP, sizeof *header);
  header->ifa_index = index;
  must(&m, "RTM_GETADDR");
}

// Messages that go out in one send, of which the last is acknowledged.
static char batch[65536] __attribute__((aligned(NLMSG_ALIGNTO)));
static size_t batch_size;

static void add(struct message *m) {
  memcpy(batch + batch_size, m, m->header.nlmsg_len);
  batch_size += NLMSG_ALIGN(m->header.nlmsg_len);
}

static void send_batch(const char *what) {
  struct nlmsghdr *h = (struct nlmsghdr *)batch, *last = h;
  size_t rest = batch_size;
  for (; NLMSG_OK(h, rest); h = NLMSG_NEXT(h, rest)) last = h;
  last->nlmsg_flags |= NLM_F_ACK;
  if (send(netlink, batch, batch_size, 0) < 0) fail("send");
  batch_size = 0;
  static char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
  for (;;) {
    ssize_t size = recv(netlink, buffer, sizeof buffer, 0);
    if (size < 0) fail("recv");
    for (h = (struct nlmsghdr *)buffer; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
      if (h->nlmsg_type != NLMSG_ERROR) continue;
      errno = -((struct nlmsgerr *)NLMSG_DATA(h))->error;
      if (errno) fail(what);
      if (h->nlmsg_seq == sequence) return;
    }
  }
}

static void set_alias(int index, const char *alias) {
  struct message m;
  struct ifinfomsg *header = begin(&m, RTM_SETLINK, 0, sizeof *header);
  header->ifi_index = index;
  put(&m, IFLA_IFALIAS, alias, strlen(alias));
  add(&m);
}

static void set_up(int index) {
  struct message m;
  struct ifinfomsg *header = begin(&m, RTM_SETLINK, 0, sizeof *header);
  header->ifi_index = index;
  header->ifi_flags = header->ifi_change = IFF_UP;
  add(&m);
}

static void set_noqueue(int index) {
  struct message m;
  struct tcmsg *header = begin(&m, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, sizeof *header);
  header->tcm_ifindex = index;
  header->tcm_parent = TC_H_ROOT;
  put(&m, TCA_KIND, "noqueue", sizeof "noqueue");
  add(&m);
}

static int open_queue(const char *name, short flags) {
  struct ifreq request;
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  request.ifr_flags = flags;
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) fail("open /dev/net/tun");
  if (ioctl(fd, TUNSETIFF, &request) < 0) fail("TUNSETIFF");
  if ((request.ifr_flags & tap_flags) != tap_flags) exit(1);
  return fd;
}

// `owner` is -1 for none.
static void create(const char *name, int pairs, bool noqueue, long owner) {
  char alias[64];
  int fd = open_queue(name, tap_flags | IFF_TUN_EXCL);
  if (owner >= 0 && ioctl(fd, TUNSETOWNER, owner) < 0) fail("TUNSETOWNER");
  int index = link_index(name);
  snprintf(alias, sizeof alias, "mqctl pairs=%d", pairs);
  set_alias(index, alias);
  if (noqueue) set_noqueue(index);
  set_up(index);
  send_batch("RTM_SETLINK, RTM_NEWQDISC");
  if (ioctl(fd, TUNSETPERSIST, 1) < 0) fail("TUNSETPERSIST");
  close(fd);
}

static void open_queues(const char *name, int pairs, int *queues) {
  int index = link_index(name);
  get_addresses(index);
  for (int i = 0; i < pairs; i++) queues[i] = open_queue(name, tap_flags);
  if (link_index(name) != index) exit(1);
}

static void delete(const char *name) {
  struct message m;
  int index = link_index(name);
  get_addresses(index);
  struct ifinfomsg *header = begin(&m, RTM_DELLINK, NLM_F_ACK, sizeof *header);
  header->ifi_index = index;
  must(&m, "RTM_DELLINK");
}

// RTM_GETLINK of all: the indices of all links but lo. Returns how many there are.
static int get_links(int *indices, int most) {
  static char buffer[32768] __attribute__((aligned(NLMSG_ALIGNTO)));
  struct message m;
  unsigned mask = RTEXT_FILTER_SKIP_STATS;
  int count = 0;
  begin(&m, RTM_GETLINK, NLM_F_DUMP, sizeof(struct ifinfomsg));
  put(&m, IFLA_EXT_MASK, &mask, sizeof mask);
  if (send(netlink, &m, m.header.nlmsg_len, 0) < 0) fail("send");
  for (;;) {
    ssize_t size = recv(netlink, buffer, sizeof buffer, 0);
    if (size < 0) fail("recv");
    for (struct nlmsghdr *h = (struct nlmsghdr *)buffer; NLMSG_OK(h, size); h = NLMSG_NEXT(h, size)) {
      if (h->nlmsg_type == NLMSG_DONE) return count;
      int index = ((struct ifinfomsg *)NLMSG_DATA(h))->ifi_index;
      if (h->nlmsg_type == RTM_NEWLINK && index > 1 && count < most) indices[count++] = index;
    }
  }
}

static void prune(void) {
  static int indices[65536];
  const int group = 1 << 30 | getpid();
  int count = get_links(indices, 65536);
  get_addresses(0);
  get_links(indices, 65536);
  for (int first = 0; first < count; first += 256) {
    struct message m;
    for (int i = first; i < count && i < first + 256; i++) {
      struct ifinfomsg *header = begin(&m, RTM_SETLINK, 0, sizeof *header);
      header->ifi_index = indices[i];
      put(&m, IFLA_GROUP, &group, sizeof group);
      add(&m);
    }
    begin(&m, RTM_DELLINK, 0, sizeof(struct ifinfomsg));
    put(&m, IFLA_GROUP, &group, sizeof group);
    add(&m);
    send_batch("RTM_SETLINK, RTM_DELLINK");
  }
}

static long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

// The line "Slab:" of /proc/meminfo, in KiB.
static long slab(void) {
  char line[128];
  long size = -1;
  FILE *file = fopen("/proc/meminfo", "re");
  if (!file) fail("/proc/meminfo");
  while (fgets(line, sizeof line, file))
    if (sscanf(line, "Slab: %ld", &size) == 1) break;
  fclose(file);
  return size;
}

int main(int count, char **words) {
  int on = 1;
  struct sockaddr_nl address = {.nl_family = AF_NETLINK};
  netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
  if (netlink < 0 || bind(netlink, (struct sockaddr *)&address, sizeof address) < 0) fail("netlink");
  setsockopt(netlink, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof on);
  if (count == 4 && strcmp(words[1], "create") == 0) {
    if (link_index(words[2])) exit(1);
    create(words[2], atoi(words[3]), true, 0);
    return 0;
  }
  if (count == 4 && strcmp(words[1], "apply") == 0) {
    int index;
    get_links(&index, 1);
    for (int i = 0; i < atoi(words[2]); i++) {
      char name[IFNAMSIZ];
      snprintf(name, sizeof name, "b%d", i);
      create(name, atoi(words[3]), true, 0);
    }
    return 0;
  }
  if (count == 2 && strcmp(words[1], "prune") == 0) {
    prune();
    return 0;
  }
  if (count != 5) return 2;
  int taps = atoi(words[1]), pairs = atoi(words[2]), rounds = atoi(words[3]);
  bool noqueue = strcmp(words[4], "noqueue") == 0;
  int *queues = calloc((size_t)taps * pairs, sizeof *queues);
  char(*names)[IFNAMSIZ] = calloc(taps, IFNAMSIZ);
  for (int i = 0; i < taps; i++) snprintf(names[i], IFNAMSIZ, "b%d", i);

  for (int round = 0; round < rounds; round++) {
    long before = slab(), start = now();
    for (int i = 0; i < taps; i++) {
      if (link_index(names[i])) exit(1);
      create(names[i], pairs, noqueue, -1);
      open_queues(names[i], pairs, queues + (size_t)i * pairs);
    }
    long created = now(), after = slab(), deleting = now();
    for (int i = 0; i < taps; i++) delete(names[i]);
    long deleted = now();
    for (int i = 0; i < taps * pairs; i++) close(queues[i]);
    long closed = now();
    if (round > 0 || rounds == 1)
      printf("%ld\t%ld\t%ld\t%ld\n", created - start, deleted - deleting, closed - deleted, (after - before) / taps);
  }
}
