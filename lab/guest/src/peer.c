/*
 * peer.c: the other end of the guest's streams, a program of its own on the guest's host.
 *
 *   peer ADDRESS PORT SECONDS      serves until its standard input ends, and no longer than that; PORT 0: any
 *
 * It prints "PEER ready port=…", then a line for every stream that ended: "PEER sent seed=… bytes=… hash=… wrong=0" or
 * "PEER received …", or "PEER failed reason=…".
 */
#define _GNU_SOURCE
#include "stream.h"
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

static void serve(int fd)
{
    struct stream_request wanted;
    stream_limit(fd);
    if (recv(fd, &wanted, sizeof wanted, MSG_WAITALL) != sizeof wanted || wanted.magic != STREAM_MAGIC) {
        puts("PEER failed reason=no-request");
        return;
    }
    long start = now_ms();
    struct stream s = { .seed = wanted.seed };
    const char *word = "received", *trouble;
    if (wanted.direction == PEER_SENDS) {
        word = "sent";
        trouble = stream_send(fd, &s, wanted.bytes, wanted.rate, NULL, NULL);
    } else {
        trouble = stream_receive(fd, &s, NULL, NULL);
    }
    long took = now_ms() - start;
    if (trouble)
        printf("PEER failed direction=%s seed=%llu bytes=%llu reason=\"%s\"\n", word, (unsigned long long)s.seed,
               (unsigned long long)s.bytes, trouble);
    else
        printf("PEER %s seed=%llu bytes=%llu hash=%016llx wrong=%llu ms=%ld\n", word, (unsigned long long)s.seed,
               (unsigned long long)s.bytes, (unsigned long long)stream_hash(&s), (unsigned long long)s.wrong, took);
    /* Of what was received, the line is out before the guest sees the end. */
    fflush(stdout);
    close(fd);
}

static int fail(const char *what)
{
    fprintf(stderr, "peer: %s: %s\n", what, strerror(errno));
    return 1;
}

int main(int count, char **words)
{
    if (count != 4) {
        fputs("peer: takes ADDRESS PORT SECONDS\n", stderr);
        return 2;
    }
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(words[2])) };
    if (inet_pton(AF_INET, words[1], &at.sin_addr) != 1)
        return fail(words[1]);
    alarm((unsigned)atoi(words[3]));
    signal(SIGCHLD, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    socklen_t size = sizeof at;
    if (listener < 0 || setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 16) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &size) < 0)
        return fail("listen");
    printf("PEER ready port=%d\n", ntohs(at.sin_port));
    for (;;) {
        struct pollfd p[2] = { { .fd = STDIN_FILENO, .events = POLLIN }, { .fd = listener, .events = POLLIN } };
        char text[64];
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return fail("poll");
        if (p[0].revents && read(STDIN_FILENO, text, sizeof text) <= 0)
            return 0;
        int fd = p[1].revents ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
        if (fd < 0)
            continue;
        pid_t parent = getpid(), child = fork();
        if (child == 0) {
            /* It does not outlive the one who was started. */
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            close(listener);
            if (getppid() == parent)
                serve(fd);
            _exit(0);
        }
        close(fd);
    }
}
