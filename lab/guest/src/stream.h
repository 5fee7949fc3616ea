/* stream.h: a TCP stream whose every byte is known beforehand. The guest and its peer (peer.c) share it. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * The bytes are 64-bit little-endian words: word i is mix(seed + (i + 1) * 0x9e3779b97f4a7c15), where mix is the
 * finalizer of SplitMix64 (Steele, Lea, Flood 2014). So a byte that is lost, doubled, moved or changed is wrong.
 * The hash is over the words that were really there, the last one padded with zeros, and then the length:
 * hash = (hash ^ word) * 0x9e3779b97f4a7c15; hash ^= hash >> 29; from 0.
 */
struct stream {
    uint64_t seed, bytes, hash, wrong;
    uint8_t rest[8];                        /* the bytes % 8 last ones, not in the hash yet */
};

/* What a client asks its peer for, the first bytes of a connection. Little-endian as both ends are. */
struct stream_request {
    uint32_t magic, direction;
    uint64_t seed, bytes, rate;
};
enum { STREAM_MAGIC = 0x3153514d };         /* "MQS1" */
enum { PEER_SENDS = 1, PEER_RECEIVES = 2 };

#define STREAM_ENDLESS UINT64_MAX           /* until who asked for it closes its side */
enum { STREAM_WAIT_S = 60 };                /* how long nothing may move */

/* Makes the next `n` bytes; all calls but the last with a multiple of 8. */
void stream_make(struct stream *s, uint8_t *to, size_t n);

/* Takes and checks the next `n` bytes. */
void stream_take(struct stream *s, const uint8_t *from, size_t n);

uint64_t stream_hash(const struct stream *s);

/* Sends s->bytes up to `bytes`, at most `rate` bytes a second (0: as fast as it goes), until *stop (may be NULL) or, where
 * it is endless, until the other side has closed. Then waits until the other side has closed, which it does when it has
 * read everything. NULL, or what went wrong. `progress` (may be NULL) follows it. */
const char *stream_send(int fd, struct stream *s, uint64_t bytes, uint64_t rate, const volatile bool *stop,
                        volatile struct stream *progress);

/* Receives until the other side closes. When *stop (may be NULL) becomes true, this side is closed. Where there is a
 * `progress`, it takes its time. */
const char *stream_receive(int fd, struct stream *s, const volatile bool *stop, volatile struct stream *progress);

/* A wait of STREAM_WAIT_S at most for anything on this socket. */
void stream_limit(int fd);

/* A connection to the peer at `address`, which has been asked for this; -1 if there is none. */
int stream_connect(struct in_addr address, uint16_t port, const struct stream_request *wanted);

static inline long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}
