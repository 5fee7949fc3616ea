// SIGBUS of memory that somebody else may cut short. A signal handler is C: it may call nothing that allocates or locks.
#pragma once
#include <stddef.h>
#include <stdint.h>

// A mapping of a file that its other owners may truncate.
struct mq_guarded_range {
  uintptr_t start;
  size_t byteCount;
};

// What one thread may lose without the process ending. It changes only while its thread touches none of the memory.
struct mq_memory_guard {
  const struct mq_guarded_range *_Nullable ranges;
  size_t count;
  // Set once a page was missing: all of that range is zeros of this process's own from then on.
  volatile int isLost;
};

// SIGBUS goes to the handler from now on; for one that is nobody's the process ends as ever. -1 and errno on failure.
int mq_guard_memory(void);

// Says what the calling thread may lose from now on; null for nothing.
void mq_guard_thread(struct mq_memory_guard *_Nullable guard);
