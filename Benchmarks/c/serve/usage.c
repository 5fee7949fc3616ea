#define _GNU_SOURCE
#include "usage.h"
#include "device.h"
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The first line of a thread's file that scanf takes by `format`.
static long number(int process, const char *thread, const char *name, const char *format) {
  char path[300], line[512];
  long value = 0;
  snprintf(path, sizeof path, "/proc/%d/task/%s/%s", process, thread, name);
  FILE *file = fopen(path, "re");
  if (!file) fail(path);
  while (fgets(line, sizeof line, file))
    if (sscanf(line, format, &value) == 1) break;
  fclose(file);
  return value;
}

static bool is_worker(int process, const char *thread) {
  char path[300], name[32] = "";
  snprintf(path, sizeof path, "/proc/%d/task/%s/comm", process, thread);
  FILE *file = fopen(path, "re");
  if (!file || !fgets(name, sizeof name, file)) fail(path);
  fclose(file);
  return strncmp(name, "vhost-", 6) == 0;
}

struct usage usage_of(int process) {
  char path[64];
  struct usage sum = {0};
  snprintf(path, sizeof path, "/proc/%d/task", process);
  DIR *folder = opendir(path);
  if (!folder) fail(path);
  for (struct dirent *entry; (entry = readdir(folder));) {
    const char *thread = entry->d_name;
    if (!isdigit(*thread)) continue;
    // The first number of schedstat is utime + stime in nanoseconds: stat has the same in hundredths of a second.
    double seconds = number(process, thread, "schedstat", "%ld") / 1e9;
    if (is_worker(process, thread)) {
      sum.workers += seconds;
      continue;
    }
    sum.own += seconds;
    sum.switches += number(process, thread, "status", "voluntary_ctxt_switches: %ld");
    sum.switches += number(process, thread, "status", "nonvoluntary_ctxt_switches: %ld");
  }
  closedir(folder);
  return sum;
}

void tie(int thread, int pair) {
  static cpu_set_t all;
  if (CPU_COUNT(&all) == 0 && sched_getaffinity(0, sizeof all, &all) < 0) fail("sched_getaffinity");
  cpu_set_t one;
  CPU_ZERO(&one);
  int skip = pair % CPU_COUNT(&all);
  for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
    if (CPU_ISSET(cpu, &all) && skip-- == 0) CPU_SET(cpu, &one);
  if (sched_setaffinity(thread, sizeof one, &one) < 0) fail("sched_setaffinity");
}

static int before(const void *one, const void *other) { return *(const int *)one - *(const int *)other; }

void tie_workers(int process) {
  char path[64];
  int workers[most_pairs], count = 0;
  snprintf(path, sizeof path, "/proc/%d/task", process);
  DIR *folder = opendir(path);
  if (!folder) fail(path);
  for (struct dirent *entry; (entry = readdir(folder));)
    if (isdigit(*entry->d_name) && is_worker(process, entry->d_name) && count < most_pairs)
      workers[count++] = atoi(entry->d_name);
  closedir(folder);
  qsort(workers, count, sizeof *workers, before);
  for (int i = 0; i < count; i++) tie(workers[i], i);
}

uint64_t packets_of(const char *tap) {
  char line[512];
  unsigned long packets;
  FILE *file = fopen("/proc/self/net/dev", "re");
  if (!file) fail("/proc/self/net/dev");
  while (fgets(line, sizeof line, file)) {
    char *name = line + strspn(line, " "), *colon = strchr(name, ':');
    if (!colon) continue;
    *colon = 0;
    if (strcmp(name, tap) == 0 && sscanf(colon + 1, "%*u %lu", &packets) == 1) {
      fclose(file);
      return packets;
    }
  }
  errno = ENODEV;
  fail(tap);
  return 0;
}
