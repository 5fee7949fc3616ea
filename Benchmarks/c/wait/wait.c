// wait wake edge|level|uring ROUNDS
// wait move TAP write|read calls|uring FRAMES BYTES
//
// What a pair's thread could wait by, and what it could move frames by, in plain C.
//
// wake: a thread waits for a kick, a tap and a word to stop, all at the same time: by epoll(7), edge-triggered, where nothing needs
// to be read; by epoll, level-triggered, where the kick's counter must be; or by io_uring's multishot polls. Another thread kicks it
// when it sleeps. Prints the waiting thread's nanoseconds of processor a kick, and from the kick until it ran.
//
// move: frames to a tap queue, or those that wait on it, 64 at a time: by 64 calls of write(2) or read(2); or by one
// io_uring_enter(2) for 64 of them, in registered memory by a registered file. Prints nanoseconds of processor a frame.
//
// Ends with 77 where it cannot be measured: io_uring is refused, or lacks what Linux has had since 6.1, or there is one processor only.
#define _GNU_SOURCE
#include "../plane/queue.h"
#include "../plane/feed.h"
#include "../serve/usage.h"
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { batch = 64, interval = 20000, not_here = 77 };

static void die(const char *what, int error) {
  fprintf(stderr, "wait: %s: %s\n", what, strerror(error));
  exit(1);
}

void fail(const char *what) { die(what, errno); }

static void begin(struct io_uring *ring) {
  struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
  int result = io_uring_queue_init_params(2 * batch, ring, &params);
  if (result < 0) {
    fprintf(stderr, "wait: io_uring_setup: %s\n", strerror(-result));
    exit(not_here);
  }
}

static struct {
  int fd[3];  // the kick, the tap, and the word to stop
  const char *way;
  _Atomic uint64_t seen;
  double cpu;
} waiting;

static void *wait_for_kicks(void *nothing) {
  (void)nothing;
  tie(0, 0);
  int is_uring = strcmp(waiting.way, "uring") == 0, is_edge = strcmp(waiting.way, "edge") == 0;
  struct io_uring ring;
  int poll = -1;
  if (is_uring) {
    begin(&ring);
    for (int i = 0; i < 3; i++) {
      struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
      io_uring_prep_poll_multishot(entry, waiting.fd[i], POLLIN);
      io_uring_sqe_set_data64(entry, i);
    }
    io_uring_submit(&ring);
  } else {
    poll = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < 3; i++) {
      struct epoll_event event = {.events = EPOLLIN | (is_edge ? EPOLLET : 0), .data.u32 = i};
      if (epoll_ctl(poll, EPOLL_CTL_ADD, waiting.fd[i], &event) < 0) fail("epoll_ctl");
    }
  }
  uint64_t begun = clock_of(CLOCK_THREAD_CPUTIME_ID), kicks = 0;
  for (int stop = 0; !stop;) {
    int is_kicked = 0;
    if (is_uring) {
      struct io_uring_cqe *entry;
      int result = io_uring_wait_cqe(&ring, &entry);
      if (result < 0) die("io_uring_enter", -result);
      if (entry->res < 0 || !(entry->flags & IORING_CQE_F_MORE)) die("a multishot poll", -entry->res);
      if (entry->user_data == 0) is_kicked = 1;
      if (entry->user_data == 2) stop = 1;
      io_uring_cqe_seen(&ring, entry);
    } else {
      struct epoll_event events[3];
      int count = epoll_wait(poll, events, 3, -1);
      for (int i = 0; i < count; i++) {
        uint64_t value;
        if (events[i].data.u32 == 2) stop = 1;
        if (events[i].data.u32 != 0) continue;
        is_kicked = 1;
        if (!is_edge && read(waiting.fd[0], &value, sizeof value) < 0) fail("read");
      }
    }
    if (is_kicked) atomic_store(&waiting.seen, ++kicks);
  }
  waiting.cpu = (double)(clock_of(CLOCK_THREAD_CPUTIME_ID) - begun) / kicks;
  return NULL;
}

static int by_time(const void *one, const void *other) {
  uint64_t a = *(const uint64_t *)one, b = *(const uint64_t *)other;
  return (a > b) - (a < b);
}

static int wake(const char *way, int rounds) {
  cpu_set_t all;
  if (sched_getaffinity(0, sizeof all, &all) < 0) fail("sched_getaffinity");
  if (CPU_COUNT(&all) < 2) return not_here;
  pthread_t thread;
  uint64_t *times = calloc(rounds, sizeof *times), one = 1;
  waiting.way = way;
  waiting.fd[0] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  waiting.fd[1] = open_queue("wait0");
  waiting.fd[2] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  pthread_create(&thread, NULL, wait_for_kicks, NULL);
  tie(0, 1);
  usleep(100000);
  for (int i = 0; i < rounds; i++) {
    uint64_t start = clock_of(CLOCK_MONOTONIC), now = start;
    while (now - start < interval) now = clock_of(CLOCK_MONOTONIC);
    if (write(waiting.fd[0], &one, sizeof one) < 0) fail("kick");
    while (atomic_load(&waiting.seen) == (uint64_t)i)
      if (clock_of(CLOCK_MONOTONIC) - now > 1000000000) die("a kick was not seen", ETIMEDOUT);
    times[i] = clock_of(CLOCK_MONOTONIC) - now;
  }
  if (write(waiting.fd[2], &one, sizeof one) < 0) fail("stop");
  pthread_join(thread, NULL);
  qsort(times, rounds, sizeof *times, by_time);
  printf("%.1f\t%lu\n", waiting.cpu, times[rounds / 2]);
  return 0;
}

static int move(const char *tap, int is_write, int is_uring, int frames, int bytes) {
  // 64 places in turn, as many as are on their way; long ones as far apart as a guest's buffers for them.
  size_t place = bytes > 2048 - header_size ? 1 << 17 : 2048;
  char *area = mmap(NULL, batch * place, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) fail("mmap");
  memset(area, 0, batch * place);
  int fd = open_queue(tap), length = header_size + bytes, room = header_size + most_bytes;
  for (int i = 0; is_write && i < batch; i++) flow(area + i * place + header_size, bytes, 0);
  struct io_uring ring;
  if (is_uring) {
    struct iovec all = {.iov_base = area, .iov_len = batch * place};
    begin(&ring);
    if (io_uring_register_files(&ring, &fd, 1) < 0 || io_uring_register_buffers(&ring, &all, 1) < 0)
      fail("io_uring_register");
  }
  if (!is_write) feed(tap, bytes, frames);
  if (!is_write && place < (size_t)room) room = place;
  uint64_t begun = clock_of(CLOCK_THREAD_CPUTIME_ID);
  for (int done = 0; done < frames; done += batch) {
    if (!is_uring) {
      for (int i = 0; i < batch; i++) {
        ssize_t result = is_write ? write(fd, area + i * place, length) : read(fd, area + i * place, room);
        if (result != length) fail(is_write ? "write" : "read");
      }
      continue;
    }
    for (int i = 0; i < batch; i++) {
      struct io_uring_sqe *entry = io_uring_get_sqe(&ring);
      if (is_write)
        io_uring_prep_write_fixed(entry, 0, area + i * place, length, 0, 0);
      else
        io_uring_prep_read_fixed(entry, 0, area + i * place, room, 0, 0);
      entry->flags |= IOSQE_FIXED_FILE;
    }
    int result = io_uring_submit_and_wait(&ring, batch);
    if (result < 0) die("io_uring_enter", -result);
    struct io_uring_cqe *entry;
    unsigned head, count = 0;
    io_uring_for_each_cqe(&ring, head, entry) {
      if (entry->res != length) die("a frame by io_uring", -entry->res);
      count++;
    }
    io_uring_cq_advance(&ring, count);
    if (count != batch) die("io_uring", EIO);
  }
  printf("%.1f\n", (double)(clock_of(CLOCK_THREAD_CPUTIME_ID) - begun) / frames);
  return 0;
}

int main(int count, char **words) {
  if (count == 4 && strcmp(words[1], "wake") == 0) return wake(words[2], atoi(words[3]));
  if (count != 7 || strcmp(words[1], "move") != 0 || atoi(words[5]) % batch != 0) return 2;
  return move(words[2], strcmp(words[3], "write") == 0, strcmp(words[4], "uring") == 0, atoi(words[5]), atoi(words[6]));
}
