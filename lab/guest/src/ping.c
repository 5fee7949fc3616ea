/* ping.c: which CPU sends on which queue, and pings through each. */
#define _GNU_SOURCE
#include "guest.h"
#include "stream.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PING_WAIT_MS = 3000 };

/* ---- which CPU sends on which queue ---- */

/* A sysfs CPU mask ("0000000f" or "00000001,00000000") as 64 bits: CPUs past 63 are not used. */
static uint64_t cpus_of(int queue)
{
    char name[64], text[256];
    uint64_t mask = 0;
    snprintf(name, sizeof name, "queues/tx-%d/xps_cpus", queue);
    attribute(device, name, text, sizeof text);
    for (const char *c = text; *c; c++)
        if (*c != ',')
            mask = mask << 4 | (uint64_t)(*c <= '9' ? *c - '0' : (*c | 0x20) - 'a' + 10);
    return mask;
}

static void set_cpus_of(int queue, uint64_t mask)
{
    char path[128], text[32];
    snprintf(path, sizeof path, "/sys/class/net/%s/queues/tx-%d/xps_cpus", device, queue);
    int n = snprintf(text, sizeof text, "%08x,%08x", (unsigned)(mask >> 32), (unsigned)mask);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, (size_t)n) != n) {
        /* A guest of at most 32 CPUs wants one word only. */
        n = snprintf(text, sizeof text, "%x", (unsigned)mask);
        if (fd < 0 || write(fd, text, (size_t)n) != n)
            note("xps_cpus of queue %d: %s", queue, strerror(errno));
    }
    if (fd >= 0)
        close(fd);
}

/*
 * Pin this process to the CPU whose transmit queue is `queue`, and return that CPU. With a CPU for
 * every pair the driver has tied them already (XPS). With fewer CPUs a CPU sends on several queues
 * by flow hash, and all pings are one flow: then the CPU is tied to this queue alone for now.
 */
int pin(int queue)
{
    if (queues > 1) {
        uint64_t mine = cpus_of(queue);
        if (!mine)
            mine = 1;
        int cpu = __builtin_ctzll(mine);
        uint64_t bit = UINT64_C(1) << cpu;
        bool shared = false;
        for (int q = 0; q < queues; q++)
            if (q != queue && (cpus_of(q) & bit)) {
                set_cpus_of(q, cpus_of(q) & ~bit);
                shared = true;
            }
        if (shared || !cpus_of(queue))
            set_cpus_of(queue, mine);
        queue = cpu;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(queue, &set);
    if (sched_setaffinity(0, sizeof set, &set) < 0)
        note("pin to CPU %d: %s", queue, strerror(errno));
    return queue;
}

void unpin(void)
{
    cpu_set_t set;
    memset(&set, 0xff, sizeof set);
    sched_setaffinity(0, sizeof set, &set);
}

/* ---- pings ---- */

static uint16_t checksum(const void *data, size_t length)
{
    const uint8_t *p = data;
    uint32_t sum = 0;
    for (size_t i = 0; i + 1 < length; i += 2)
        sum += (uint32_t)p[i] << 8 | p[i + 1];
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

int ping_socket(void)
{
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd < 0)
        give_up("ICMP socket: %s", strerror(errno));
    return fd;
}

/* One echo request; true if its own reply came within `wait_ms`. */
bool ping(int fd, uint16_t id, uint16_t sequence, int wait_ms)
{
    struct { struct icmphdr header; char body[48]; } packet;
    memset(&packet, 'm', sizeof packet);
    packet.header = (struct icmphdr){ .type = ICMP_ECHO };
    packet.header.un.echo.id = htons(id);
    packet.header.un.echo.sequence = htons(sequence);
    packet.header.checksum = checksum(&packet, sizeof packet);
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr = want.peer };
    if (sendto(fd, &packet, sizeof packet, 0, (struct sockaddr *)&to, sizeof to) < 0) {
        usleep(100000);                     /* no route yet, no buffer: a lost ping */
        return false;
    }
    long end = now_ms() + wait_ms;
    for (long left; (left = end - now_ms()) > 0;) {
        struct pollfd p = { .fd = fd, .events = POLLIN };
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        union { struct iphdr ip; uint8_t bytes[2048]; } in;
        ssize_t n = recv(fd, &in, sizeof in, MSG_DONTWAIT);
        size_t skip = (size_t)in.ip.ihl * 4;
        struct icmphdr got;
        if (n < 0 || (size_t)n < skip + sizeof got)
            continue;
        memcpy(&got, in.bytes + skip, sizeof got);
        if (got.type == ICMP_ECHOREPLY && in.ip.saddr == want.peer.s_addr &&
            got.un.echo.id == htons(id) && got.un.echo.sequence == htons(sequence))
            return true;
    }
    return false;
}

/* The first answer takes ARP and a host that is ready: wait for it here, outside the count. */
void reach_peer(void)
{
    int fd = ping_socket();
    long start = now_ms(), end = start + want.reach * 1000L;
    pin(0);
    for (uint16_t i = 1; !ping(fd, 0x4d00, i, 1000); i++)
        if (now_ms() > end)
            give_up("no answer from the peer in %d s", want.reach);
    close(fd);
    report("peer reached_ms=%ld", now_ms() - start);
}

/*
 * Pings on one pair, and whether the packets really took it. A fresh socket has no cached queue.
 * One ping goes ahead, uncounted: the host's tap answers a flow on the queue that it last came from,
 * but learns of a move only after it has passed the packet on, so the first answer takes the old way.
 */
static void ping_queue(int queue)
{
    static struct counters before, after;
    int cpu = pin(queue), fd = ping_socket(), received = 0;
    ping(fd, (uint16_t)(0x4d01 + queue), 0, PING_WAIT_MS);
    settle(queue, 0, 0, &before);
    for (int i = 1; i <= want.pings; i++)
        if (ping(fd, (uint16_t)(0x4d01 + queue), (uint16_t)i, PING_WAIT_MS))
            received++;
    close(fd);
    settle(queue, before.tx[queue] + want.pings, before.rx[queue] + received, &after);
    long long tx = after.tx[queue] - before.tx[queue], rx = after.rx[queue] - before.rx[queue];
    report("ping queue=%d cpu=%d sent=%d received=%d tx=%lld rx=%lld",
           queue, cpu, want.pings, received, tx, rx);
    if (received < want.pings)
        note("queue %d: %d of %d pings answered", queue, received, want.pings);
    if (tx < want.pings)
        note("queue %d: sent %lld of %d pings on it", queue, tx, want.pings);
}

void ping_queues(void)
{
    for (int q = 0; q < queues; q++)
        ping_queue(q);
    unpin();
}
