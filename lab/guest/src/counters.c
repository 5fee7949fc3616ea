/* counters.c: what the driver and the kernel count for each queue. */
#define _GNU_SOURCE
#include "guest.h"
#include "stream.h"
#include <errno.h>
#include <linux/ethtool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STATS_WAIT_MS = 500 };

/* Packets per queue, as the driver counts them; -1 where it does not. */
static void read_counters(struct counters *c)
{
    static struct ethtool_gstrings *names;
    static struct ethtool_stats *values;
    static uint32_t count;
    memset(c, 0xff, sizeof *c);
    /* There are more of them with more pairs on. */
    struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
    if (ethtool(&info) < 0 || info.n_stats == 0) {
        note("the driver has no statistics");
        return;
    }
    if (info.n_stats != count) {
        count = info.n_stats;
        free(names);
        free(values);
        names = calloc(1, sizeof *names + (size_t)count * ETH_GSTRING_LEN);
        values = calloc(1, sizeof *values + (size_t)count * sizeof(uint64_t));
        if (!names || !values)
            give_up("out of memory");
        names->cmd = ETHTOOL_GSTRINGS;
        names->string_set = ETH_SS_STATS;
        names->len = count;
        if (ethtool(names) < 0)
            give_up("ETHTOOL_GSTRINGS: %s", strerror(errno));
    }
    values->cmd = ETHTOOL_GSTATS;
    values->n_stats = count;
    if (ethtool(values) < 0)
        give_up("ETHTOOL_GSTATS: %s", strerror(errno));
    for (uint32_t i = 0; i < count; i++) {
        char name[ETH_GSTRING_LEN + 1] = "", direction;
        unsigned queue;
        int end = 0;
        memcpy(name, names->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
        if (sscanf(name, "%cx_queue_%u_packets%n", &direction, &queue, &end) != 2 ||
            end == 0 || name[end] || queue >= MAX_QUEUES)
            continue;
        if (direction == 'r')
            c->rx[queue] = (long long)values->data[i];
        else if (direction == 't')
            c->tx[queue] = (long long)values->data[i];
    }
}

/* Interrupts of one vector, over all CPUs; -1 if the queue has no vector of its own. */
static long long interrupts(const char *table, const char *vector)
{
    const char *at = table;
    size_t length = strlen(vector);
    for (; (at = strstr(at, vector)); at += length)
        if (at > table && at[-1] == ' ' && (at[length] == '\n' || at[length] == '\0'))
            break;
    if (!at)
        return -1;
    while (at > table && at[-1] != '\n')
        at--;
    at = strchr(at, ':');
    long long sum = 0;
    for (char *end; at; at = end) {
        unsigned long long n = strtoull(++at, &end, 10);
        if (end == at || (*end != ' ' && *end != '\n'))
            break;
        sum += (long long)n;
    }
    return sum;
}

/*
 * Read the counters when they are at rest. The driver counts a batch only after it has passed it up,
 * so an answer may be here before its count: wait until `queue` has at least these, but not for long.
 */
void settle(int queue, long long tx, long long rx, struct counters *c)
{
    long end = now_ms() + STATS_WAIT_MS;
    do {
        usleep(5000);
        read_counters(c);
    } while ((c->tx[queue] < tx || c->rx[queue] < rx) && now_ms() < end);
}

void report_counters(const char *word)
{
    static struct counters c;
    read_counters(&c);
    for (int q = 0; q < queues; q++)
        report("%s queue=%d rx_packets=%lld tx_packets=%lld", word, q, c.rx[q], c.tx[q]);
}

void report_interrupts(void)
{
    static char table[256 * 1024];
    slurp("/proc/interrupts", table, sizeof table);
    for (int q = 0; q < queues; q++) {
        char in[64], out[64];
        snprintf(in, sizeof in, "%s-input.%d", virtio, q);
        snprintf(out, sizeof out, "%s-output.%d", virtio, q);
        report("irq queue=%d input=%lld output=%lld", q, interrupts(table, in), interrupts(table, out));
    }
}
