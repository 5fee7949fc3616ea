// load direct|SOCKET TAP PAIRS rate SECONDS [BYTES] | take FRAMES BYTES | rest SECONDS | start
//
// A device of so many queue pairs on a tap, by vhost-net: set up here (`direct`), or by whoever serves the vhost-user
// SOCKET. The rings, and who drives them, are the same in both ways: a process a pair, forked from the one that has set
// up, on the same processor as the pair's worker.
//
// rate: sends frames as fast as the TX rings take them. Prints packets a second; the processor
// nanoseconds a packet of the process that drives vhost-net and of its workers; of that process that drives vhost-net the
// share of one processor, in percent, that its own threads used meanwhile, and that its vhost workers did; how often its
// own threads were switched; then each pair's packets a second. What is counted is what came back on the used ring in
// time; in the end the tap must have counted as many frames as all that came back.
//
// take: so many frames wait on the tap before the first RX ring has a buffer; then it takes them, each in several buffers if need be.
// Prints what rate does, of that.
//
// rest: a frame leaves every TX ring, then nothing happens for so long. Prints how often the threads that drive the rings were
// switched in that time.
//
// start: a frame waits in every TX ring; prints the microseconds from just before the last ring was let run until the
// answer to that was there and the last pair's frame had been used. The tap must have counted a frame a pair.
#include "../plane/feed.h"
#include "device.h"
#include "usage.h"
#include <errno.h>
#include <linux/virtio_net.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { batch = 256 };  // see device_collect

// What the processes of the pairs and their parent share.
struct shared {
  bool has_begun;
  struct {
    uint64_t in_time, sent, nanoseconds;
  } pair[most_pairs];
};

static const char *tap;
static struct device device;

static void check_tap(uint64_t before, uint64_t sent) {
  uint64_t seen = packets_of(tap) - before;
  if (seen == sent) return;
  fprintf(stderr, "load: %lu packets were used and %lu came out of the tap\n", sent, seen);
  exit(1);
}

// Takes back all that is on its way. Whoever waits for a worker yields: it has no other processor to run on.
static void collect_all(struct pair *pair, int unit, uint64_t posted, uint64_t *used) {
  uint64_t end = now() + 10000000000ull;
  while (*used < posted) {
    int count = device_collect(pair, unit);
    *used += count;
    if (count == 0) sched_yield();
    if (count == 0 && now() > end) {
      errno = ETIMEDOUT;
      fail("frames were not used");
    }
  }
}

static void drive(struct shared *shared, int index, double seconds) {
  struct pair *pair = &device.pair[index];
  int most = frames_in_flight(device.frame_size), unit = most < batch ? 1 : batch;
  tie(0, index);
  uint64_t posted = 0, used = 0;
  while (!__atomic_load_n(&shared->has_begun, __ATOMIC_ACQUIRE)) sched_yield();
  uint64_t begin = now(), end = begin + seconds * 1e9;
  for (unsigned round = 0; round % 64 != 0 || now() < end; round++) {
    used += device_collect(pair, unit);
    int count = device_send(&device, pair, most - (int)(posted - used), unit);
    posted += count;
    if (count == 0) sched_yield();
  }
  shared->pair[index].nanoseconds = now() - begin;
  shared->pair[index].in_time = used;
  collect_all(pair, unit, posted, &used);
  shared->pair[index].sent = used;
}

static void take(struct shared *shared, int index, double frames) {
  uint64_t taken = 0;
  tie(0, index + 1);
  while (!__atomic_load_n(&shared->has_begun, __ATOMIC_ACQUIRE)) sched_yield();
  uint64_t begin = now(), end = begin + 10000000000ull;
  device_post(&device.pair[index]);
  while (taken < frames) {
    int count = device_receive(&device, &device.pair[index]);
    taken += count;
    if (count == 0) sched_yield();
    if (count == 0 && now() > end) {
      errno = ETIMEDOUT;
      fail("frames did not come");
    }
  }
  shared->pair[index].nanoseconds = now() - begin;
  shared->pair[index].in_time = taken;
}

static void rate(double amount, int process, bool is_taking) {
  struct shared *shared =
      mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) fail("mmap");
  for (int i = 0; i < device.pairs; i++) {
    pid_t child = fork();
    if (child < 0) fail("fork");
    if (child > 0) continue;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    (is_taking ? take : drive)(shared, i, amount);
    _exit(0);
  }
  tie_workers(process);
  if (is_taking) {
    feed(tap, device.frame_size, amount);
    usleep(10000);  // until whoever has no buffers for them is asleep
  }
  uint64_t packets = packets_of(tap), begin = now();
  struct usage before = usage_of(process);
  __atomic_store_n(&shared->has_begun, true, __ATOMIC_RELEASE);
  for (int i = 0, status; i < device.pairs; i++)
    if (wait(&status) < 0 || status != 0) exit(1);
  struct usage after = usage_of(process);
  double elapsed = (now() - begin) / 1e9, total = 0, packets_in_time = 0;
  uint64_t sent = 0;
  for (int i = 0; i < device.pairs; i++) {
    total += shared->pair[i].in_time / (shared->pair[i].nanoseconds / 1e9);
    packets_in_time += shared->pair[i].in_time;
    sent += shared->pair[i].sent;
  }
  if (!is_taking) check_tap(packets, sent);
  printf("%.0f\t%.1f\t%.4f\t%.2f\t%ld", total, 1e9 * (after.own + after.workers - before.own - before.workers) / packets_in_time, 100 * (after.own - before.own) / elapsed,
         100 * (after.workers - before.workers) / elapsed, after.switches - before.switches);
  for (int i = 0; i < device.pairs; i++)
    printf("\t%.0f", shared->pair[i].in_time / (shared->pair[i].nanoseconds / 1e9));
  printf("\n");
}

static void rest(double seconds, int process) {
  uint64_t used;
  for (int i = 0; i < device.pairs; i++) {
    used = 0;
    device_send(&device, &device.pair[i], 1, 1);
    collect_all(&device.pair[i], 1, 1, &used);
  }
  usleep(200000);
  long before = usage_of(process).switches;
  usleep(seconds * 1e6);
  printf("%ld\n", usage_of(process).switches - before);
}

int main(int count, char **words) {
  bool is_taking = count == 7 && strcmp(words[4], "take") == 0;
  bool is_resting = count == 6 && strcmp(words[4], "rest") == 0;
  bool is_rate = is_taking || ((count == 6 || count == 7) && strcmp(words[4], "rate") == 0);
  if (!is_rate && !is_resting && !(count == 5 && strcmp(words[4], "start") == 0)) return 2;
  bool is_direct = strcmp(words[1], "direct") == 0;
  tap = words[2];
  int pairs = atoi(words[3]);
  if (pairs < 1 || pairs > most_pairs) return 2;
  // Ethernet's header and 64 bytes, unless it is said.
  device_make(&device, pairs, count == 7 ? atoi(words[6]) : 14 + 64);
  if (is_taking) device.features = 1ull << VIRTIO_NET_F_MRG_RXBUF;
  if (is_direct)
    direct_prepare(&device, tap);
  else
    socket_prepare(&device, words[1]);
  for (int i = 0; !is_taking && i < pairs; i++) device_post(&device.pair[i]);
  if (is_rate || is_resting) {
    if (is_direct)
      direct_start(&device);
    else
      socket_start(&device);
    int process = is_direct ? getpid() : socket_peer();
    if (is_resting)
      rest(atof(words[5]), process);
    else
      rate(atof(words[5]), process, is_taking);
    return 0;
  }
  uint64_t packets = packets_of(tap), used = 0;
  for (int i = 0; i < pairs; i++) device_send(&device, &device.pair[i], 1, 1);
  uint64_t last = is_direct ? direct_start(&device) : socket_start(&device);
  collect_all(&device.pair[pairs - 1], 1, 1, &used);
  printf("%.1f\n", (now() - last) / 1e3);
  for (int i = 0; i < pairs - 1; i++) {
    used = 0;
    collect_all(&device.pair[i], 1, 1, &used);
  }
  check_tap(packets, pairs);
}
