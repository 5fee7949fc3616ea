#include "memory_guard.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

static __thread struct mq_memory_guard *own;

// Puts zeros where the page was, and the thread goes on: it looks at isLost before it believes what it has read. The whole
// range, since one page of a huge one cannot be replaced.
static void on_bus_error(int number, siginfo_t *info, void *context) {
  (void)number, (void)context;
  int error = errno;
  uintptr_t address = (uintptr_t)info->si_addr;
  struct mq_memory_guard *guard = own;
  for (size_t i = 0; guard && info->si_code > 0 && i < guard->count; i++) {
    struct mq_guarded_range range = guard->ranges[i];
    if (address < range.start || address - range.start >= range.byteCount) continue;
    if (mmap((void *)range.start, range.byteCount, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0) == MAP_FAILED)
      break;
    guard->isLost = 1;
    errno = error;
    return;
  }
  // The access is tried again, and ends the process.
  signal(SIGBUS, SIG_DFL);
}

int mq_guard_memory(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  return sigaction(SIGBUS, &action, 0);
}

void mq_guard_thread(struct mq_memory_guard *guard) { own = guard; }
