/* background.c: a stream each way and pings, in processes of their own, beside whatever else goes on. */
#define _GNU_SOURCE
#include "guest.h"
#include "stream.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS = 3, PING_EVERY_MS = 100, PING_WAIT_MS = 2000 };

/* In memory that all of them share. Each field has one writer. */
static struct shared {
    volatile bool stop;
    volatile struct stream sent, received;
    volatile unsigned pings, answered;
    volatile long longest_ms;               /* between two answers */
    char trouble[WORKERS][96];
} *shared;

static pid_t workers[WORKERS];

static void run_stream(int worker, uint32_t direction, uint16_t port, uint64_t rate)
{
    struct stream s = { .seed = (uint64_t)now_ms() << 2 | direction };
    struct stream_request wanted = { STREAM_MAGIC, direction, s.seed, STREAM_ENDLESS, rate };
    int fd = stream_connect(want.peer, port, &wanted);
    const char *trouble = "no connection";
    if (fd >= 0 && direction == PEER_SENDS) {
        trouble = stream_receive(fd, &s, &shared->stop, &shared->received);
        if (!trouble && !shared->stop)
            trouble = "it ended by itself";
    } else if (fd >= 0) {
        trouble = stream_send(fd, &s, STREAM_ENDLESS, rate, &shared->stop, &shared->sent);
    }
    if (trouble)
        snprintf(shared->trouble[worker], sizeof shared->trouble[worker], "%s: %s",
                 direction == PEER_SENDS ? "receiving" : "sending", trouble);
}

static void run_pings(void)
{
    int fd = ping_socket();
    long last = now_ms();
    for (uint16_t i = 1; !shared->stop; i++) {
        shared->pings = shared->pings + 1;
        if (ping(fd, 0x4e00, i, PING_WAIT_MS)) {
            shared->answered = shared->answered + 1;
            if (now_ms() - last > shared->longest_ms)
                shared->longest_ms = now_ms() - last;
            last = now_ms();
        }
        usleep(PING_EVERY_MS * 1000);
    }
}

void background_start(uint16_t port, uint64_t rate)
{
    if (!shared)
        shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        give_up("out of memory");
    memset((void *)shared, 0, sizeof *shared);
    for (int i = 0; i < WORKERS; i++) {
        workers[i] = fork();
        if (workers[i] < 0)
            give_up("fork: %s", strerror(errno));
        if (workers[i] > 0)
            continue;
        signal(SIGALRM, SIG_DFL);
        if (i == 0)
            run_stream(i, PEER_SENDS, port, rate);
        else if (i == 1)
            run_stream(i, PEER_RECEIVES, port, rate);
        else
            run_pings();
        _exit(0);
    }
}

void background_stop(void)
{
    shared->stop = true;
    for (int i = 0; i < WORKERS; i++) {
        int status;
        while (waitpid(workers[i], &status, 0) < 0 && errno == EINTR)
            ;
        if (status != 0)
            note("background worker %d ended with %#x", i, status);
        if (shared->trouble[i][0])
            note("%s", shared->trouble[i]);
        workers[i] = 0;
    }
    if (shared->sent.bytes == 0 || shared->received.bytes == 0 || shared->answered == 0)
        note("background: a way without anything");
    if (shared->received.wrong > 0)
        note("background: %llu wrong bytes", (unsigned long long)shared->received.wrong);
}

bool background_runs(void)
{
    return workers[0] > 0;
}

static void show_stream(const char *word, volatile struct stream *stream, char *text, size_t size)
{
    struct stream s;
    memcpy(&s, (void *)stream, sizeof s);
    snprintf(text, size, " %s=%llu %s_hash=%016llx %s_wrong=%llu", word, (unsigned long long)s.bytes, word,
             (unsigned long long)stream_hash(&s), word, (unsigned long long)s.wrong);
}

void background_show(char *text, size_t size)
{
    if (!shared)
        return;
    char sent[128], received[128];
    show_stream("sent", &shared->sent, sent, sizeof sent);
    show_stream("received", &shared->received, received, sizeof received);
    snprintf(text, size, "%s%s pings=%u answered=%u longest_ms=%ld", sent, received, shared->pings, shared->answered,
             shared->longest_ms);
}
