// spawn RUNS [-n] LABEL 'COMMAND' … [-- 'COMMAND' …] , LABEL 'COMMAND' … [-- 'COMMAND' …] , …
//
// Runs the commands of each label in turn (A B A B …), as processes of their own by posix_spawn, words split at spaces, no
// shell, standard output and input at /dev/null. A line each: the label, microseconds from the first command's start to the
// last one's end, the largest peak of resident memory among them in KiB. Commands behind -- come after, outside the timing. One
// round warms up and is not printed. -n: each label in a network namespace of its own, kept throughout.
//
// wait4's ru_maxrss also counts the spawner's own memory, which the child has until it executes: so this is linked
// statically and allocates nothing, and stays far below what it measures.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { most_sides = 8, most_commands = 8, most_words = 32 };

struct command {
  char *words[most_words + 1];
};

struct side {
  const char *label;
  int namespace;
  int timed, after;
  struct command commands[most_commands], cleanup[most_commands];
};

extern char **environ;
static struct side sides[most_sides];
static posix_spawn_file_actions_t quiet;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void split(char *text, struct command *command) {
  int count = 0;
  for (char *word = strtok(text, " "); word && count < most_words; word = strtok(NULL, " ")) command->words[count++] = word;
}

// Runs it to its end; returns its peak of resident memory.
static long run(struct command *command) {
  struct rusage usage;
  pid_t child;
  int status;
  int error = posix_spawnp(&child, command->words[0], &quiet, NULL, command->words, environ);
  if (error) {
    errno = error;
    fail(command->words[0]);
  }
  if (wait4(child, &status, 0, &usage) < 0) fail("wait4");
  if (status != 0) {
    fprintf(stderr, "spawn: %s %s ended with status %#x\n", command->words[0], command->words[1], status);
    exit(1);
  }
  return usage.ru_maxrss;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

int main(int count, char **words) {
  if (count < 4) return 2;
  int runs = atoi(words[1]), at = 2, number = 0;
  int own_namespaces = strcmp(words[at], "-n") == 0;
  at += own_namespaces;
  while (at < count && number < most_sides) {
    struct side *side = &sides[number++];
    side->label = words[at++];
    for (; at < count && strcmp(words[at], ",") && strcmp(words[at], "--"); at++)
      if (side->timed < most_commands) split(words[at], &side->commands[side->timed++]);
    if (at < count && !strcmp(words[at], "--"))
      for (at++; at < count && strcmp(words[at], ","); at++)
        if (side->after < most_commands) split(words[at], &side->cleanup[side->after++]);
    at++;
    if (!own_namespaces) continue;
    if (unshare(CLONE_NEWNET) < 0) fail("unshare");
    side->namespace = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    if (side->namespace < 0) fail("/proc/self/ns/net");
  }
  posix_spawn_file_actions_init(&quiet);
  posix_spawn_file_actions_addopen(&quiet, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);

  for (int round = 0; round <= runs; round++)
    for (int i = 0; i < number; i++) {
      struct side *side = &sides[i];
      if (own_namespaces && setns(side->namespace, CLONE_NEWNET) < 0) fail("setns");
      long peak = 0;
      double start = now();
      for (int c = 0; c < side->timed; c++) {
        long resident = run(&side->commands[c]);
        if (resident > peak) peak = resident;
      }
      double elapsed = now() - start;
      for (int c = 0; c < side->after; c++) run(&side->cleanup[c]);
      if (round > 0) printf("%s\t%.1f\t%ld\n", side->label, elapsed, peak);
    }
}
