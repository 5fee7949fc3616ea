/* guest.h: what the files of the test guest's program share; each function is in the file named above it. */
#pragma once
#include <netinet/in.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAX_QUEUES = 512 };

/* What the kernel's command line asked for (init.c). */
struct parameters {
    struct in_addr address, mask, peer;
    bool has_address, has_peer;
    char mac[18];
    int pings, channels, hold, timeout, reach;
    bool plug;                              /* the device comes later, by the command of that name */
};
extern struct parameters want;

/* ---- console.c: report lines, failures, the end ---- */

/* One line "MQGUEST …". */
__attribute__((format(printf, 1, 2))) void report(const char *format, ...);

/* Remember a failure: the first of all for the `done` line, the first of a command for its answer. The run goes on. */
__attribute__((format(printf, 1, 2))) void note(const char *format, ...);
const char *complaint(void);                /* what went wrong since forget_complaint(), or "" */
void forget_complaint(void);

/* A failure after which nothing more can be learnt. */
#define give_up(...) do { note(__VA_ARGS__); finish(); } while (0)

_Noreturn void finish(void);                /* the `done` line, and the power off */
_Noreturn void restart(void);               /* a real reboot */
void prepare_console(void);
void on_alarm(int signal_number);
size_t slurp(const char *path, char *buffer, size_t size);

/* ---- device.c: the network device ---- */

extern char device[IFNAMSIZ];               /* eth0 */
extern char virtio[32];                     /* virtio0 */
extern int queues;                          /* how many pairs are on */

void open_device(void);
void close_device(void);                    /* waits until it has gone */
void bring_up(void);
void set_link(bool up);
int ethtool(void *command);
void attribute(const char *interface, const char *name, char *value, size_t size);
void set_channels(int wanted);              /* 0: all that the device has; one `queues` line */

/* Checksums, TSO, GSO and GRO as far as the driver lets them be changed; what is then on, as " name=0 …". */
void set_offloads(bool on, char *text, size_t size);

/* ---- counters.c: what the driver and the kernel count for each queue ---- */

struct counters { long long rx[MAX_QUEUES], tx[MAX_QUEUES]; };

/* Waits until `queue` has counted at least these, but not for long. */
void settle(int queue, long long tx, long long rx, struct counters *c);
void report_counters(const char *word);
void report_interrupts(void);

/* ---- ping.c: pings, and which CPU sends on which queue ---- */

int pin(int queue);                         /* this process sends on that queue from now on; returns its CPU */
void unpin(void);
int ping_socket(void);
bool ping(int fd, uint16_t id, uint16_t sequence, int wait_ms);
void reach_peer(void);
void ping_queues(void);                     /* one `ping` line a pair */

/* ---- background.c: streams and pings beside everything else ---- */

void background_start(uint16_t port, uint64_t rate);
void background_stop(void);
bool background_runs(void);
void background_show(char *text, size_t size);

/* ---- commands.c ---- */

void start_device(void);                    /* finds it, brings it up, pings and reports (init.c) */

void hold(void);
