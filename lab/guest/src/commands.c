/* commands.c: while the guest holds, what comes in on the console. README.md lists the commands. */
#define _GNU_SOURCE
#include "guest.h"
#include "stream.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char facts[400];                     /* what the answer says beside ok=…: " name=value …" */

/* The next word of the line as a number; a complaint and 0 if it is none, or `otherwise` if there is no word. */
static uint64_t take_number(const char *name, uint64_t low, uint64_t high, const uint64_t *otherwise)
{
    char *end, *text = strtok(NULL, " ");
    if (!text && otherwise)
        return *otherwise;
    errno = 0;
    unsigned long long value = text ? strtoull(text, &end, 10) : 0;
    if (text && !errno && end != text && !*end && *text != '-' && value >= low && value <= high)
        return value;
    note("%s %s is no number from %llu to %llu", name, text ? text : "(none)", (unsigned long long)low,
         (unsigned long long)high);
    return 0;
}

static bool has_peer(void)
{
    if (!want.has_peer)
        note("there is no mq.peer");
    return want.has_peer;
}

static void do_ping(void)
{
    if (has_peer())
        ping_queues();
}

static void do_channels(void)
{
    int wanted = (int)take_number("pairs", 1, MAX_QUEUES, NULL);
    if (wanted > 0)
        set_channels(wanted);
}

static void do_offloads(void)
{
    const char *word = strtok(NULL, " ");
    bool on = word && !strcmp(word, "on");
    if (on || (word && !strcmp(word, "off")))
        set_offloads(on, facts, sizeof facts);
    else
        note("offloads on or off");
}

/* A device is to come while the machine runs. */
static void do_plug(void)
{
    if (queues > 0)
        note("there is a device");
    else
        start_device();
}


/* send, receive BYTES PORT [PAIR]: with PAIR from that pair's CPU, which also brings the answers to it. */
static void transfer(uint32_t direction)
{
    static const uint64_t any = UINT64_MAX;
    uint64_t bytes = take_number("bytes", 1, UINT64_C(1) << 40, NULL);
    uint16_t port = (uint16_t)take_number("port", 1, 65535, NULL);
    uint64_t pair = take_number("pair", 0, (uint64_t)queues - 1, &any);
    if (!bytes || !port || complaint()[0] || !has_peer())
        return;
    if (pair != any)
        pin((int)pair);
    long start = now_ms();
    struct stream s = { .seed = (uint64_t)start << 2 | direction };
    const char *trouble = "no connection";
    struct stream_request wanted = { STREAM_MAGIC, direction, s.seed, bytes, 0 };
    int fd = stream_connect(want.peer, port, &wanted);
    if (fd >= 0 && direction == PEER_SENDS) {
        trouble = stream_receive(fd, &s, NULL, NULL);
    } else if (fd >= 0) {
        trouble = stream_send(fd, &s, bytes, 0, NULL, NULL);
    }
    if (fd >= 0)
        close(fd);
    unpin();
    snprintf(facts, sizeof facts, " seed=%llu bytes=%llu hash=%016llx wrong=%llu ms=%ld", (unsigned long long)s.seed,
             (unsigned long long)s.bytes, (unsigned long long)stream_hash(&s), (unsigned long long)s.wrong,
             now_ms() - start);
    if (trouble)
        note("%s", trouble);
    else if (s.bytes != bytes)
        note("%llu of %llu bytes", (unsigned long long)s.bytes, (unsigned long long)bytes);
    else if (s.wrong > 0)
        note("%llu wrong bytes", (unsigned long long)s.wrong);
}

static void do_receive(void) { transfer(PEER_SENDS); }
static void do_send(void) { transfer(PEER_RECEIVES); }

static void do_stream(void)
{
    static const uint64_t unlimited = 0;
    const char *word = strtok(NULL, " ");
    bool runs = background_runs();
    if (word && !strcmp(word, "start") && !runs) {
        uint16_t port = (uint16_t)take_number("port", 1, 65535, NULL);
        uint64_t rate = take_number("rate", 0, UINT64_C(1) << 40, &unlimited);
        if (!complaint()[0] && has_peer())
            background_start(port, rate);
        return;
    }
    if (word && !strcmp(word, "stop") && runs)
        background_stop();
    else if (!word || strcmp(word, "show") || !runs)
        note("stream start, show or stop; start when none runs, the others when one does");
    background_show(facts, sizeof facts);
}

static const struct { const char *name; void (*run)(void); } commands[] = {
    { "ping", do_ping }, { "channels", do_channels }, { "offloads", do_offloads },
    { "receive", do_receive }, { "send", do_send }, { "stream", do_stream },
    { "plug", do_plug }, { "unplug", close_device },
};

/* One command, and its answer. False when it was `end`. */
static bool obey(char *line)
{
    enum { COUNT = sizeof commands / sizeof commands[0] };
    int i = 0;
    const char *name = strtok(line, " ");
    if (!name || !strcmp(name, "end"))
        return !name;
    forget_complaint();
    facts[0] = '\0';
    bool reboots = !strcmp(name, "reboot");
    while (i < COUNT && strcmp(name, commands[i].name))
        i++;
    if (i < COUNT && queues == 0 && commands[i].run != do_plug)
        note("there is no device");
    else if (i < COUNT)
        commands[i].run();
    else if (!reboots)
        note("unknown command");
    if (complaint()[0])
        report("answer to=%s ok=0%s reason=%s", name, facts, complaint());
    else
        report("answer to=%s ok=1%s uptime_ms=%ld", name, facts, now_ms());
    if (reboots) {
        /* As distributions do. Debian's 6.1 may hang in a reboot with packets under way. */
        set_link(false);
        restart();
    }
    return true;
}

/* Stay up, answering, for mq.hold seconds or until told to end. */
void hold(void)
{
    const char *by = "time";
    report("hold seconds=%d", want.hold);
    long end = now_ms() + want.hold * 1000L;
    for (long left; (left = end - now_ms()) > 0;) {
        struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
        char line[256];
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        /* A terminal gives one line at a time. */
        ssize_t n = read(STDIN_FILENO, line, sizeof line - 1);
        if (n <= 0) {
            usleep(100000);                 /* the console hung up: wait for the time */
            continue;
        }
        line[n] = '\0';
        line[strcspn(line, "\r\n")] = '\0';
        if (!obey(line)) {
            by = "end";
            break;
        }
    }
    if (background_runs())
        background_stop();
    report("released by=%s", by);
    if (queues > 0)
        report_counters("after");
}
