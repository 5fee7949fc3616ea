// vhost-net set up by whoever serves a vhost-user socket: a front end's messages, each answered before the next.
#define _GNU_SOURCE
#include "device.h"
#include <errno.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

// The vhost-user specification's numbers.
enum {
  get_features = 1,
  set_features = 2,
  set_owner = 3,
  set_mem_table = 5,
  set_vring_num = 8,
  set_vring_addr = 9,
  set_vring_base = 10,
  set_vring_kick = 12,
  set_vring_call = 13,
  get_protocol_features = 15,
  set_protocol_features = 16,
  set_vring_enable = 18,
};
enum { version = 1, is_reply = 4, need_reply = 8 };
static const uint64_t protocol_features_bit = 1ull << 30, multi_queue = 1 << 0, reply_ack = 1 << 3;

struct message {
  uint32_t request, flags, size;
  union {
    uint64_t number;
    struct vhost_vring_state state;
    struct vhost_vring_addr address;
    struct {
      uint32_t count, padding;
      uint64_t guest, size, user, offset;
    } memory;
  };
} __attribute__((packed));

static int connection;

// Sends a message, with a descriptor unless `file` is -1, and reads its answer's number.
static uint64_t ask(struct message *m, int request, uint32_t size, int file) {
  union {
    struct cmsghdr header;
    char space[CMSG_SPACE(sizeof file)];
  } control = {.header = {.cmsg_len = CMSG_LEN(sizeof file), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS}};
  memcpy(CMSG_DATA(&control.header), &file, sizeof file);
  bool has_answer = request == get_features || request == get_protocol_features;
  m->request = request;
  m->flags = version | (has_answer ? 0 : need_reply);
  m->size = size;
  struct iovec part = {m, 12 + size};
  struct msghdr whole = {.msg_iov = &part, .msg_iovlen = 1};
  if (file >= 0) {
    whole.msg_control = control.space;
    whole.msg_controllen = sizeof control.space;
  }
  if (sendmsg(connection, &whole, MSG_NOSIGNAL) != (ssize_t)part.iov_len) fail("sendmsg");
  struct message answer;
  if (recv(connection, &answer, 20, MSG_WAITALL) != 20) fail("recv");
  if ((int)answer.request != request || answer.flags != (version | is_reply) || answer.size != 8) {
    errno = EBADMSG;
    fail("answer");
  }
  return answer.number;
}

static void demand(struct message *m, int request, uint32_t size, int file) {
  if (ask(m, request, size, file) == 0) return;
  errno = EPROTO;
  fail("a request was refused: the server says which");
}

static void demand_number(int request, uint64_t number, uint32_t size, int file) {
  struct message m = {.number = number};
  demand(&m, request, size, file);
}

static void demand_state(int request, unsigned index, unsigned number) {
  struct message m = {.state = {index, number}};
  demand(&m, request, sizeof m.state, -1);
}

void socket_prepare(struct device *device, const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0 || connect(connection, (struct sockaddr *)&address, sizeof address) < 0) fail(path);

  struct message m = {0};
  uint64_t features = protocol_features_bit | 1ull << VIRTIO_F_VERSION_1 | device->features, protocol = multi_queue | reply_ack;
  errno = EOPNOTSUPP;
  if ((ask(&m, get_features, 0, -1) & features) != features) fail("VIRTIO_F_VERSION_1, protocol features");
  if ((ask(&m, get_protocol_features, 0, -1) & protocol) != protocol) fail("MQ, REPLY_ACK");
  // Only from here on is there REPLY_ACK; its own message is answered already.
  demand_number(set_protocol_features, protocol, 8, -1);
  demand_number(set_owner, 0, 0, -1);
  demand_number(set_features, features, 8, -1);
  // The user addresses of the table are the front end's own business: here the offsets in the memory.
  m.memory.count = 1;
  m.memory.padding = 0;
  m.memory.guest = guest_base;
  m.memory.size = device->size;
  m.memory.user = m.memory.offset = 0;
  demand(&m, set_mem_table, sizeof m.memory, device->memory);
  for (int i = 0; i < 2 * device->pairs; i++) {
    struct ring *ring = &device->pair[i / 2].ring[i % 2];
    demand_state(set_vring_num, i, ring_size);
    demand_state(set_vring_base, i, 0);
    m.address = (struct vhost_vring_addr){
        .index = i, .desc_user_addr = ring->table, .avail_user_addr = ring->available, .used_user_addr = ring->used};
    demand(&m, set_vring_addr, sizeof m.address, -1);
    demand_number(set_vring_call, i, 8, ring->call);
    demand_number(set_vring_kick, i, 8, ring->kick);
  }
}

uint64_t socket_start(struct device *device) {
  uint64_t last = 0;
  for (int i = 0; i < 2 * device->pairs; i++) {
    last = now();
    demand_state(set_vring_enable, i, 1);
  }
  return last;
}

int socket_peer(void) {
  struct ucred peer;
  socklen_t size = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0) fail("SO_PEERCRED");
  return peer.pid;
}
