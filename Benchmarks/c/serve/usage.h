// What a process has used of the processors so far, its vhost workers apart: since Linux 6.4 they are threads of their
// owner, named after it.
#pragma once
#include <stdint.h>

struct usage {
  double own, workers;  // seconds
  long switches;        // context switches of its own threads, of either kind
};

struct usage usage_of(int process);

// Ties the workers of a process to the processors that there are, in the order in which they were made: of each pair's
// device one. Only where they are threads of the process.
void tie_workers(int process);

// Ties a thread, 0 for the calling one, to the processor of so many pairs' worker.
void tie(int thread, int pair);

// A tap's received packets, as its network namespace counts them: what came out of TX rings.
uint64_t packets_of(const char *tap);
