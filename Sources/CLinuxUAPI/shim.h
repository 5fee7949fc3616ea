// The kernel's user interface as Swift can import it: uapi headers as they are, ioctl numbers as constants (function-like
// macros do not cross), and the few calls that Glibc's overlay leaves out. Everything of ours begins with mq_ or MQ_.
#pragma once
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/syscall.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>
#include <arpa/inet.h>
#include <linux/futex.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/sched.h>
#include <linux/stat.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_net.h>
#include <linux/virtio_ring.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>

// tun: <linux/if_tun.h>
static const unsigned long MQ_TUNSETIFF = TUNSETIFF;
static const unsigned long MQ_TUNGETIFF = TUNGETIFF;
static const unsigned long MQ_TUNSETPERSIST = TUNSETPERSIST;
static const unsigned long MQ_TUNSETOWNER = TUNSETOWNER;
static const unsigned long MQ_TUNSETGROUP = TUNSETGROUP;
static const unsigned long MQ_TUNGETFEATURES = TUNGETFEATURES;
static const unsigned long MQ_TUNSETOFFLOAD = TUNSETOFFLOAD;
static const unsigned long MQ_TUNGETVNETHDRSZ = TUNGETVNETHDRSZ;
static const unsigned long MQ_TUNSETVNETHDRSZ = TUNSETVNETHDRSZ;
static const unsigned long MQ_TUNSETQUEUE = TUNSETQUEUE;
static const unsigned long MQ_TUNSETCARRIER = TUNSETCARRIER;
static const unsigned long MQ_TUNGETDEVNETNS = TUNGETDEVNETNS;

// IFLA_OPERSTATE's "up" (RFC 2863; an enumeration of <linux/if.h>, which clashes with <net/if.h>).
enum { MQ_IF_OPER_UP = 6 };

// Newer than Debian 12's headers.
static const int MQ_IFF_BACKPRESSURE = 0x0080;

// vhost: <linux/vhost.h>
static const unsigned long MQ_VHOST_GET_FEATURES = VHOST_GET_FEATURES;
static const unsigned long MQ_VHOST_SET_FEATURES = VHOST_SET_FEATURES;
static const unsigned long MQ_VHOST_SET_OWNER = VHOST_SET_OWNER;
static const unsigned long MQ_VHOST_RESET_OWNER = VHOST_RESET_OWNER;
static const unsigned long MQ_VHOST_SET_MEM_TABLE = VHOST_SET_MEM_TABLE;
static const unsigned long MQ_VHOST_SET_LOG_BASE = VHOST_SET_LOG_BASE;
static const unsigned long MQ_VHOST_SET_VRING_NUM = VHOST_SET_VRING_NUM;
static const unsigned long MQ_VHOST_SET_VRING_ADDR = VHOST_SET_VRING_ADDR;
static const unsigned long MQ_VHOST_SET_VRING_BASE = VHOST_SET_VRING_BASE;
static const unsigned long MQ_VHOST_GET_VRING_BASE = VHOST_GET_VRING_BASE;
static const unsigned long MQ_VHOST_SET_VRING_KICK = VHOST_SET_VRING_KICK;
static const unsigned long MQ_VHOST_SET_VRING_CALL = VHOST_SET_VRING_CALL;
static const unsigned long MQ_VHOST_SET_VRING_ERR = VHOST_SET_VRING_ERR;
static const unsigned long MQ_VHOST_NET_SET_BACKEND = VHOST_NET_SET_BACKEND;
// Linux 6.18 (CONFIG_VHOST_ENABLE_FORK_OWNER_CONTROL); older headers lack them. A __u8: 0 a kernel thread, 1 a task of
// the owner.
static const unsigned long MQ_VHOST_SET_FORK_FROM_OWNER = _IOW(VHOST_VIRTIO, 0x84, __u8);
static const unsigned long MQ_VHOST_GET_FORK_FROM_OWNER = _IOR(VHOST_VIRTIO, 0x85, __u8);

// _GNU_SOURCE would give Glibc's own types another shape here than in Swift's Glibc module, so what hides behind it is
// called by number.
static inline int mq_ioctl(int fd, unsigned long request, unsigned long argument) { return ioctl(fd, request, argument); }
static inline int mq_setns(int fd, int kind) { return (int)syscall(SYS_setns, fd, kind); }
static inline int mq_unshare(int kind) { return (int)syscall(SYS_unshare, kind); }
enum { MQ_CLONE_NEWNET = CLONE_NEWNET };
static inline void mq_share_one_heap(void) { mallopt(M_ARENA_MAX, 1); }
static inline int mq_gettid(void) { return (int)syscall(SYS_gettid); }
static inline int mq_pidfd_open(int pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }
static inline int mq_pidfd_getfd(int pidfd, int target) { return (int)syscall(SYS_pidfd_getfd, pidfd, target, 0); }
static inline int mq_close_range(unsigned first, unsigned last) { return (int)syscall(SYS_close_range, first, last, 0); }
static inline int mq_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }
static inline int mq_pipe(int *_Nonnull ends) { return (int)syscall(SYS_pipe2, ends, O_CLOEXEC); }
static inline int mq_set_no_new_privs(void) { return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }
static inline int mq_fcntl_dup_from(int fd, int lowest) { return fcntl(fd, F_DUPFD_CLOEXEC, lowest); }

// struct ifreq as tun uses it: a name and flags. The original's union of pointers is no plain value to Swift.
struct mq_ifreq {
  char name[IFNAMSIZ];
  uint16_t flags;
  char rest[sizeof(struct ifreq) - IFNAMSIZ - sizeof(uint16_t)];
};
_Static_assert(sizeof(struct mq_ifreq) == sizeof(struct ifreq), "as long as the kernel's");

static inline struct mq_ifreq mq_ifreq_make(const char *_Nonnull name, uint16_t flags) {
  struct mq_ifreq request = {.flags = flags};
  size_t length = strlen(name);
  memcpy(request.name, name, length < IFNAMSIZ ? length : IFNAMSIZ - 1);
  return request;
}

static const int MQ_RLIMIT_NOFILE = RLIMIT_NOFILE;
static const int MQ_RLIMIT_NPROC = RLIMIT_NPROC;

// close(2) that leaves errno as the call before it did.
static inline void mq_close_quietly(int fd) {
  int error = errno;
  close(fd);
  errno = error;
}

// A path as a socket's address.
static inline int mq_unix_address(const char *_Nonnull path, struct sockaddr_un *_Nonnull address) {
  size_t length = strlen(path);
  if (length >= sizeof address->sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memset(address, 0, sizeof *address);
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path, length);
  return 0;
}

// fstatfs(2): the file system's magic number and block size.
static inline int mq_fstatfs(int fd, long *_Nonnull type, long *_Nonnull block) {
  struct statfs status;
  if (fstatfs(fd, &status) < 0) return -1;
  *type = (long)status.f_type;
  *block = (long)status.f_bsize;
  return 0;
}

// memfd_create(2), CLOEXEC, sealable.
static inline int mq_memfd_create(const char *_Nonnull name) { return (int)syscall(SYS_memfd_create, name, 1 | 2); }

// A listening stream socket at a path, not blocking. The path's folder says who may reach it until its mode is set.
static inline int mq_unix_listen(const char *_Nonnull path) {
  struct sockaddr_un address;
  if (mq_unix_address(path, &address) < 0) return -1;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0) {
    mq_close_quietly(fd);
    return -1;
  }
  return fd;
}

// chown(2) and chmod(2) of a socket that this user has just made at `path`, and of nothing that somebody else, who may
// write to its folder, has put there meanwhile: EEXIST then.
static inline int mq_dress_socket(const char *_Nonnull path, uid_t owner, gid_t group, mode_t mode) {
  int fd = open(path, 010000000 /* O_PATH */ | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat status;
  int result = fstat(fd, &status);
  if (result == 0 && (!S_ISSOCK(status.st_mode) || status.st_uid != geteuid() || status.st_nlink != 1)) {
    errno = EEXIST;
    result = -1;
  }
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  if (result == 0) result = chown(link, owner, group);
  if (result == 0) result = chmod(link, mode);
  mq_close_quietly(fd);
  return result;
}

// statx(2): the number of the character device at a path; ENODEV for anything else. No file's server is asked, which may
// be one that does not answer.
static inline int mq_character_device(const char *path, unsigned *major, unsigned *minor) {
  struct statx status;
  if (syscall(SYS_statx, AT_FDCWD, path, 0x4000 /* AT_STATX_DONT_SYNC */, STATX_TYPE, &status) < 0) return -1;
  if ((status.stx_mode & S_IFMT) != S_IFCHR) {
    errno = ENODEV;
    return -1;
  }
  *major = status.stx_rdev_major;
  *minor = status.stx_rdev_minor;
  return 0;
}

// Whether a descriptor is a stream socket of AF_UNIX that listens; EINVAL if it is another socket.
static inline int mq_is_unix_listener(int fd) {
  int domain = 0, type = 0, listens = 0;
  socklen_t length = sizeof domain;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 ||
      getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 ||
      getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &length) < 0)
    return -1;
  if (domain == AF_UNIX && type == SOCK_STREAM && listens) return 0;
  errno = EINVAL;
  return -1;
}

// SIGTERM and SIGINT as something to poll: blocked, and read from the descriptor instead.
static inline int mq_termination_descriptor(void) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  if (sigprocmask(SIG_BLOCK, &set, 0) < 0) return -1;
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// One datagram to a path; a leading '@' is Linux's abstract space, as sd_notify(3) has it.
static inline int mq_unix_datagram(const char *_Nonnull path, const char *_Nonnull text) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  size_t length = strlen(path);
  if (length < 2 || length >= sizeof address.sun_path) {
    errno = EINVAL;
    return -1;
  }
  memcpy(address.sun_path, path, length);
  if (path[0] == '@') address.sun_path[0] = 0;
  int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
  long sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL, (struct sockaddr *)&address, size);
  mq_close_quietly(fd);
  return sent < 0 ? -1 : 0;
}

// A stream socket connected to a path; with SOCK_NONBLOCK in `flags` a listener that has no room for another is EAGAIN; a leading '@' is Linux's abstract space.
static inline int mq_unix_connect(const char *_Nonnull path, int flags) {
  struct sockaddr_un address;
  if (mq_unix_address(path, &address) < 0) return -1;
  socklen_t size = sizeof address;
  if (path[0] == '@') {
    address.sun_path[0] = 0;
    size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
  }
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&address, size) < 0) {
    mq_close_quietly(fd);
    return -1;
  }
  return fd;
}

// A socket's file itself, to be passed on as a place to connect to; ENOTSOCK for any other file.
static inline int mq_unix_reference(const char *_Nonnull path) {
  int fd = open(path, 010000000 /* O_PATH */ | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat status;
  int result = fstat(fd, &status);
  if (result == 0 && !S_ISSOCK(status.st_mode)) {
    errno = ENOTSOCK;
    result = -1;
  }
  if (result == 0) return fd;
  mq_close_quietly(fd);
  return -1;
}

// A listening stream socket, not blocking, with a name of the kernel's choice in the abstract space of this network
// namespace: unix(7), "autobind". The name comes back with '@' in front.
static inline int mq_unix_listen_unnamed(char *_Nonnull name, size_t room) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  socklen_t size = sizeof address;
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  if (bind(fd, (struct sockaddr *)&address, sizeof address.sun_family) < 0 || listen(fd, 1) < 0 ||
      getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
    mq_close_quietly(fd);
    return -1;
  }
  size_t length = size - offsetof(struct sockaddr_un, sun_path);
  if (length == 0 || length >= room) {
    close(fd);
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(name, address.sun_path, length);
  name[0] = '@';
  name[length] = 0;
  return fd;
}

// Who listens at the other end of a connected socket (SO_PEERCRED): a process id as this PID namespace has it, 0 if it has
// none here. struct ucred hides behind _GNU_SOURCE.
static inline int mq_unix_peer(int fd) {
  int credentials[3] = {0, 0, 0};
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, &length) < 0) return -1;
  return credentials[0];
}

static inline int mq_accept(int fd) { return (int)syscall(SYS_accept4, fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK); }

// How many descriptors one message may bring (SCM_MAX_FD is 253; vhost-user sends 8 at most).
enum { MQ_MESSAGE_DESCRIPTORS = 32 };

// recvmsg(2) of bytes and SCM_RIGHTS. *count gets the number of descriptors, all CLOEXEC; *truncated whether the kernel
// had to throw some away.
static inline long mq_receive(int fd, void *_Nonnull buffer, size_t length, int *_Nonnull descriptors, int *_Nonnull count,
                              int *_Nonnull truncated) {
  union {
    char bytes[CMSG_SPACE(sizeof(int) * MQ_MESSAGE_DESCRIPTORS)];
    struct cmsghdr alignment;
  } control;
  struct iovec part = {buffer, length};
  struct msghdr message = {
      .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof control.bytes};
  *count = 0;
  *truncated = 0;
  long result = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
  if (result < 0) return -1;
  *truncated = (message.msg_flags & MSG_CTRUNC) != 0;
  for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
    if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
    int number = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    for (int i = 0; i < number && *count < MQ_MESSAGE_DESCRIPTORS; i++)
      memcpy(&descriptors[(*count)++], CMSG_DATA(header) + sizeof(int) * (size_t)i, sizeof(int));
  }
  return result;
}

// How many descriptors one message may take along: the kernel's SCM_MAX_FD.
enum { MQ_SENT_DESCRIPTORS = 253 };

// sendmsg(2) of bytes and SCM_RIGHTS; a peer that has gone away is EPIPE, no signal.
static inline long mq_send(int fd, const void *_Nonnull buffer, size_t length, const int *_Nullable descriptors, int count) {
  union {
    char bytes[CMSG_SPACE(sizeof(int) * MQ_SENT_DESCRIPTORS)];
    struct cmsghdr alignment;
  } control;
  struct iovec part = {(void *)buffer, length};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
  if (count > MQ_SENT_DESCRIPTORS) {
    errno = EINVAL;
    return -1;
  }
  if (count > 0) {
    memset(&control, 0, sizeof control);
    message.msg_control = control.bytes;
    message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
    memcpy(CMSG_DATA(header), descriptors, sizeof(int) * (size_t)count);
  }
  return sendmsg(fd, &message, MSG_NOSIGNAL);
}

// A raw packet socket bound to one link: frames of `protocol` (host order) with their Ethernet header, both ways.
// It is bound before it hears anything, so nothing of another link arrives.
static inline int mq_packet_socket(int ifindex, unsigned short protocol) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  struct sockaddr_ll address;
  memset(&address, 0, sizeof address);
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(protocol);
  address.sll_ifindex = ifindex;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) {
    mq_close_quietly(fd);
    return -1;
  }
  return fd;
}

// read(2) and its like for every frame: a negative errno instead of -1, and by number, since glibc's own are cancellation points
// and those cost two atomic operations each in a process that has threads.
static inline long mq_result(long result) { return result < 0 ? -errno : result; }
static inline long mq_read(int fd, void *_Nonnull buffer, size_t length) {
  return mq_result(syscall(SYS_read, fd, buffer, length));
}
static inline long mq_write(int fd, const void *_Nonnull buffer, size_t length) {
  return mq_result(syscall(SYS_write, fd, buffer, length));
}
static inline long mq_readv(int fd, const void *_Nonnull vectors, size_t count) {
  return mq_result(syscall(SYS_readv, fd, vectors, count));
}
static inline long mq_writev(int fd, const void *_Nonnull vectors, size_t count) {
  return mq_result(syscall(SYS_writev, fd, vectors, count));
}

// Whether a descriptor is an eventfd, which has no number to be asked for: nothing else of anon_inodefs takes eight bytes,
// and 0 can always be added to the counter and changes nothing. EINVAL if it is something else.
static inline int mq_is_eventfd(int fd) {
  long type, block;
  uint64_t nothing = 0;
  if (mq_fstatfs(fd, &type, &block) < 0) return -1;
  if (type == 0x09041934 /* ANON_INODE_FS_MAGIC */ && write(fd, &nothing, sizeof nothing) == sizeof nothing) return 0;
  errno = EINVAL;
  return -1;
}

// epoll(7), for at most four descriptors, each called by its number: EPOLL* of descriptor n are bits 8n to 8n + 7 of the result.
static inline int mq_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }
static inline int mq_epoll_control(int fd, int operation, int target, uint32_t events, uint32_t number) {
  struct epoll_event event = {.events = events, .data = {.u32 = number}};
  return epoll_ctl(fd, operation, target, &event);
}
static inline long mq_epoll_wait(int fd, int milliseconds) {
  struct epoll_event events[4];
  int count = epoll_wait(fd, events, 4, milliseconds);
  if (count < 0) return -errno;
  long result = 0;
  for (int i = 0; i < count; i++) result |= (long)(events[i].events & 0xFF) << (8 * events[i].data.u32);
  return result;
}

// futex(2) of this process: waits while the word is `value`, at most so many milliseconds (-1: for ever).
static inline void mq_futex_wait(const void *_Nonnull word, uint32_t value, int milliseconds) {
  struct timespec limit = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
  syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, milliseconds < 0 ? 0 : &limit, 0, 0);
}
static inline void mq_futex_wake(const void *_Nonnull word) { syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, 0, 0, 0); }

// A thread that takes no signals but those of its own doing, and SIGURG: that interrupts a call in which it is stuck.
static inline void mq_on_interrupt(int number) { (void)number; }
static inline int mq_thread_start(pthread_t *_Nonnull thread, size_t stack, void *_Nullable (*_Nonnull body)(void *_Nullable),
                                  void *_Nullable context) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = mq_on_interrupt;
  sigaction(SIGURG, &action, 0);
  sigset_t before, blocked;
  sigfillset(&blocked);
  const int open[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS, SIGURG};
  for (size_t i = 0; i < sizeof open / sizeof *open; i++) sigdelset(&blocked, open[i]);
  pthread_attr_t attributes;
  int error = pthread_attr_init(&attributes);
  if (error) return error;
  pthread_attr_setstacksize(&attributes, stack);
  pthread_sigmask(SIG_SETMASK, &blocked, &before);
  error = pthread_create(thread, &attributes, body, context);
  pthread_sigmask(SIG_SETMASK, &before, 0);
  pthread_attr_destroy(&attributes);
  return error;
}
static inline int mq_thread_interrupt(pthread_t thread) { return pthread_kill(thread, SIGURG); }
static inline int mq_set_thread_name(const char *_Nonnull name) { return prctl(PR_SET_NAME, name, 0, 0, 0); }
// A packet socket that sends to one link and hears nothing: no protocol, frames with a virtio-net header of 10 bytes before
// them (PACKET_VNET_HDR), straight to the driver (PACKET_QDISC_BYPASS). Not blocking.
static inline int mq_packet_sender(int ifindex) {
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return -1;
  struct sockaddr_ll address;
  memset(&address, 0, sizeof address);
  address.sll_family = AF_PACKET;
  address.sll_ifindex = ifindex;
  int yes = 1;
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 ||
      setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &yes, sizeof yes) < 0 ||
      setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &yes, sizeof yes) < 0) {
    mq_close_quietly(fd);
    return -1;
  }
  return fd;
}

// struct mmsghdr, which hides behind _GNU_SOURCE.
struct mq_mmsghdr {
  struct msghdr header;
  unsigned length;
};

// sendmmsg(2) of the same bytes `count` times: `messages` has room for as many. How many were taken.
static inline int mq_send_copies(int fd, struct mq_mmsghdr *_Nonnull messages, unsigned count) {
  return (int)syscall(SYS_sendmmsg, fd, messages, count, MSG_DONTWAIT);
}

static inline void mq_fill_messages(struct mq_mmsghdr *_Nonnull messages, unsigned count, struct iovec *_Nonnull part) {
  memset(messages, 0, sizeof *messages * count);
  for (unsigned i = 0; i < count; i++) {
    messages[i].header.msg_iov = part;
    messages[i].header.msg_iovlen = 1;
  }
}

// sched_setaffinity(2) and sched_getaffinity(2) of one thread; cpu_set_t hides behind _GNU_SOURCE. A mask of 1024 CPUs.
enum { MQ_CPU_WORDS = 16 };
static inline int mq_set_affinity(int thread, const unsigned long *_Nonnull mask) {
  return (int)syscall(SYS_sched_setaffinity, thread, sizeof(unsigned long) * MQ_CPU_WORDS, mask);
}
static inline int mq_get_affinity(int thread, unsigned long *_Nonnull mask) {
  return (int)syscall(SYS_sched_getaffinity, thread, sizeof(unsigned long) * MQ_CPU_WORDS, mask);
}

// fork(2), which Swift does not import: for a process of one thread only.
static inline int mq_fork(void) { return fork(); }

// prctl(PR_SET_PDEATHSIG): SIGKILL when the thread that forked this process ends. ESRCH if it has ended already.
static inline int mq_die_with(int parent) {
  if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0) return -1;
  if (getppid() == parent) return 0;
  errno = ESRCH;
  return -1;
}

// SIOCSARP: a permanent entry in a link's neighbour table, so that nobody is asked by ARP. `address` as on the wire.
static inline int mq_set_neighbour(const char *_Nonnull link, const unsigned char *_Nonnull address,
                                   const unsigned char *_Nonnull mac) {
  struct arpreq request;
  struct sockaddr_in protocol = {.sin_family = AF_INET};
  memset(&request, 0, sizeof request);
  memcpy(&protocol.sin_addr, address, 4);
  memcpy(&request.arp_pa, &protocol, sizeof protocol);
  request.arp_ha.sa_family = ARPHRD_ETHER;
  memcpy(request.arp_ha.sa_data, mac, 6);
  request.arp_flags = ATF_PERM | ATF_COM;
  strncpy(request.arp_dev, link, sizeof request.arp_dev - 1);
  int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  int result = ioctl(fd, SIOCSARP, &request);
  mq_close_quietly(fd);
  return result;
}
