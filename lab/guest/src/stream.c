/* stream.c: making, sending, receiving and checking the bytes of a stream (stream.h). */
#define _GNU_SOURCE
#include "stream.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { BLOCK = 128 * 1024, RECEIVER_NAP_US = 100000 };
#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)

static uint64_t word_at(const struct stream *s, uint64_t index)
{
    uint64_t z = s->seed + (index + 1) * GOLDEN;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t hashed(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * GOLDEN;
    return hash ^ hash >> 29;
}

void stream_make(struct stream *s, uint8_t *to, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t word = word_at(s, (s->bytes + i) / 8);
        memcpy(to + i, &word, 8);
        s->hash = hashed(s->hash, word);
    }
    s->bytes += n;
    if (i < n) {
        uint64_t word = word_at(s, s->bytes / 8);
        memcpy(to + i, &word, n - i);
        memcpy(s->rest, &word, n - i);
    }
}

/* How many of the first `n` bytes differ. */
static unsigned differing(uint64_t a, uint64_t b, size_t n)
{
    unsigned count = 0;
    for (size_t i = 0; i < n; i++)
        count += (uint8_t)(a >> 8 * i) != (uint8_t)(b >> 8 * i);
    return count;
}

void stream_take(struct stream *s, const uint8_t *from, size_t n)
{
    size_t have = s->bytes % 8;
    if (have > 0) {
        size_t more = n < 8 - have ? n : 8 - have;
        uint64_t word = 0, expected = word_at(s, s->bytes / 8);
        memcpy(s->rest + have, from, more);
        memcpy(&word, s->rest, have + more);
        s->wrong += differing(word >> 8 * have, expected >> 8 * have, more);
        s->bytes += more;
        from += more;
        n -= more;
        if (have + more < 8)
            return;
        s->hash = hashed(s->hash, word);
    }
    for (; n >= 8; n -= 8, from += 8, s->bytes += 8) {
        uint64_t word, expected = word_at(s, s->bytes / 8);
        memcpy(&word, from, 8);
        if (word != expected)
            s->wrong += differing(word, expected, 8);
        s->hash = hashed(s->hash, word);
    }
    if (n > 0) {
        uint64_t word = 0;
        memcpy(s->rest, from, n);
        memcpy(&word, from, n);
        s->wrong += differing(word, word_at(s, s->bytes / 8), n);
        s->bytes += n;
    }
}

uint64_t stream_hash(const struct stream *s)
{
    uint64_t hash = s->hash, word = 0;
    if (s->bytes % 8) {
        memcpy(&word, s->rest, s->bytes % 8);
        hash = hashed(hash, word);
    }
    return hashed(hash, s->bytes);
}

void stream_limit(int fd)
{
    struct timeval wait = { .tv_sec = STREAM_WAIT_S };
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
}

int stream_connect(struct in_addr address, uint16_t port, const struct stream_request *wanted)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = address };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    stream_limit(fd);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
        send(fd, wanted, sizeof *wanted, MSG_NOSIGNAL) != sizeof *wanted) {
        close(fd);
        return -1;
    }
    return fd;
}

static const char *failure(const char *otherwise)
{
    return errno == EAGAIN ? "nothing moved for a minute" : errno == ECONNRESET ? "connection reset" : otherwise;
}

static const char *await_close(int fd)
{
    char byte;
    ssize_t n;
    while ((n = recv(fd, &byte, 1, 0)) < 0 && errno == EINTR)
        ;
    return n == 0 ? NULL : n > 0 ? "the peer sent something" : failure("recv failed");
}

const char *stream_send(int fd, struct stream *s, uint64_t bytes, uint64_t rate, const volatile bool *stop,
                        volatile struct stream *progress)
{
    static uint8_t block[BLOCK];
    /* Small steps for a low rate: about twenty a second. */
    size_t step = rate == 0 || rate / 20 > BLOCK ? BLOCK : rate / 20 < 4096 ? 4096 : rate / 20 & ~UINT64_C(7);
    long start = now_ms();
    while (s->bytes < bytes && !(stop && *stop)) {
        char byte;
        if (bytes == STREAM_ENDLESS && recv(fd, &byte, 1, MSG_DONTWAIT) == 0)
            break;
        size_t n = bytes - s->bytes < step ? (size_t)(bytes - s->bytes) : step;
        stream_make(s, block, n);
        for (size_t done = 0; done < n;) {
            ssize_t sent = send(fd, block + done, n - done, MSG_NOSIGNAL);
            if (sent < 0 && errno == EINTR)
                continue;
            if (sent <= 0)
                return failure("send failed");
            done += (size_t)sent;
        }
        if (progress)
            *progress = *s;
        if (rate > 0) {
            long ahead = (long)(s->bytes * 1000 / rate) - (now_ms() - start);
            if (ahead > 0)
                usleep((useconds_t)(ahead < 1000 ? ahead * 1000 : 999999));
        }
    }
    if (shutdown(fd, SHUT_WR) < 0)
        return failure("shutdown failed");
    return await_close(fd);
}

const char *stream_receive(int fd, struct stream *s, const volatile bool *stop, volatile struct stream *progress)
{
    static uint8_t block[BLOCK];
    bool closed = false;
    for (long last = now_ms();;) {
        if (stop && *stop && !closed) {
            shutdown(fd, SHUT_WR);
            closed = true;
        }
        /* A short wait, so that a stop is seen. */
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, 200) <= 0) {
            if (now_ms() - last > STREAM_WAIT_S * 1000L)
                return "nothing moved for a minute";
            continue;
        }
        ssize_t n = recv(fd, block, sizeof block, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return failure("recv failed");
        if (n == 0)
            return NULL;
        stream_take(s, block, (size_t)n);
        last = now_ms();
        if (progress) {
            *progress = *s;
            /* What comes lies unread for a while: where the guest moves meanwhile, only the device knows of it. */
            if (!closed)
                usleep(RECEIVER_NAP_US);
        }
    }
}
