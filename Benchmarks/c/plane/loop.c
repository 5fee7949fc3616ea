// loop TAP QUEUES write SECONDS BYTES
// loop TAP 1 read FRAMES BYTES
//
// What a userspace data plane cannot be faster than: a thread a tap queue that does nothing but write() frames, for so many seconds,
// or read() those that wait on the tap, one after the other. The memory that they go through is as large as a guest's
// (../serve/device.h): one frame again and again would be in the processor's nearest cache.
//
// Prints packets a second and the processor's nanoseconds a packet, of all threads.
#define _GNU_SOURCE
#include "../serve/device.h"
#include "feed.h"
#include "queue.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// A receive ring of the guest's, and more than any frame behind its end.
enum { read_area = ring_size * receive_size, read_room = 1 << 17 };

static double amount;  // seconds, or frames
static int bytes;
static volatile int has_begun;

struct queue {
  pthread_t thread;
  int fd, index, is_write;
  uint64_t packets, cpu;
  double elapsed;
};

void fail(const char *what) {
  fprintf(stderr, "loop: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void *run(void *context) {
  struct queue *queue = context;
  int length = header_size + bytes, step = (length + 127) & ~127, frames = frames_in_flight(bytes), place = 0;
  size_t size = queue->is_write ? (size_t)frames * step : read_area + read_room;
  char *area = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (area == MAP_FAILED) fail("mmap");
  memset(area, 0, size);
  for (int i = 0; queue->is_write && i < frames; i++) flow(area + i * step + header_size, bytes, queue->index);
  while (!has_begun) sched_yield();
  uint64_t begin = clock_of(CLOCK_MONOTONIC), end = begin + amount * 1e9, cpu = clock_of(CLOCK_THREAD_CPUTIME_ID);
  if (queue->is_write) {
    for (unsigned round = 0; round % 64 != 0 || clock_of(CLOCK_MONOTONIC) < end; round++) {
      if (write(queue->fd, area + round % frames * step, length) < 0) fail("write");
      queue->packets++;
    }
  } else {
    for (int rest = amount; rest > 0; rest--) {
      if (read(queue->fd, area + place, header_size + most_bytes) != length) fail("read");
      // To the next receive buffer that is free.
      place = (place + (length + receive_size - 1) / receive_size * receive_size) % read_area;
      queue->packets++;
    }
  }
  queue->elapsed = (clock_of(CLOCK_MONOTONIC) - begin) / 1e9;
  queue->cpu = clock_of(CLOCK_THREAD_CPUTIME_ID) - cpu;
  return NULL;
}

int main(int count, char **words) {
  if (count != 6) return 2;
  int queues = atoi(words[2]), is_write = strcmp(words[3], "write") == 0;
  amount = atof(words[4]);
  bytes = atoi(words[5]);
  if (queues > most_pairs || bytes < 42 || bytes > most_bytes) return 2;
  static struct queue queue[most_pairs];
  for (int i = 0; i < queues; i++) {
    queue[i].fd = open_queue(words[1]);
    queue[i].index = i;
    queue[i].is_write = is_write;
  }
  if (!is_write) feed(words[1], bytes, amount);
  for (int i = 0; i < queues; i++) pthread_create(&queue[i].thread, NULL, run, &queue[i]);
  has_begun = 1;
  double rate = 0, packets = 0, cpu = 0;
  for (int i = 0; i < queues; i++) {
    pthread_join(queue[i].thread, NULL);
    rate += queue[i].packets / queue[i].elapsed;
    packets += queue[i].packets;
    cpu += queue[i].cpu;
  }
  printf("%.0f\t%.1f\n", rate, cpu / packets);
}
