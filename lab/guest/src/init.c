/*
 * init.c: the only program of mqctl's test guest; the kernel runs it as PID 1.
 *
 * It loads the virtio modules, gives one network device an address, sends pings through every
 * queue pair in turn, prints what it saw as "MQGUEST …" lines on the console, takes commands from
 * there where it is to stay up (commands.c), and powers off.
 * Parameters come from the kernel command line (mq.NAME=VALUE); README.md lists them and the lines.
 * Every wait has an end: mq.timeout powers the guest off whatever happens.
 */
#define _GNU_SOURCE
#include "guest.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct parameters want = { .pings = 3, .timeout = 60, .reach = 15 };

/* ---- parameters ---- */

static int number(const char *name, const char *text, int low, int high)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < low || value > high)
        give_up("bad parameter mq.%s=%s", name, text);
    return (int)value;
}

static void set_parameter(const char *name, char *value)
{
    if (!strcmp(name, "address")) {
        int bits = 24;
        char *slash = strchr(value, '/');
        if (slash) {
            *slash = '\0';
            bits = number(name, slash + 1, 1, 32);
        }
        if (inet_pton(AF_INET, value, &want.address) != 1)
            give_up("bad parameter mq.address=%s", value);
        want.mask.s_addr = htonl(UINT32_MAX << (32 - bits));
        want.has_address = true;
    } else if (!strcmp(name, "peer")) {
        if (inet_pton(AF_INET, value, &want.peer) != 1)
            give_up("bad parameter mq.peer=%s", value);
        want.has_peer = true;
    } else if (!strcmp(name, "mac")) {
        snprintf(want.mac, sizeof want.mac, "%s", value);
    } else if (!strcmp(name, "pings")) {
        want.pings = number(name, value, 0, 10000);
    } else if (!strcmp(name, "channels")) {
        want.channels = number(name, value, 1, MAX_QUEUES);
    } else if (!strcmp(name, "hold")) {
        want.hold = number(name, value, 0, 86400);
    } else if (!strcmp(name, "timeout")) {
        want.timeout = number(name, value, 1, 86400);
    } else if (!strcmp(name, "plug")) {
        want.plug = number(name, value, 0, 1);
    } else if (!strcmp(name, "reach")) {
        want.reach = number(name, value, 1, 3600);
    } else {
        give_up("unknown parameter mq.%s", name);
    }
}

static void read_command_line(void)
{
    static char text[4096];
    slurp("/proc/cmdline", text, sizeof text);
    for (char *word = strtok(text, " \n"); word; word = strtok(NULL, " \n")) {
        char *equals = strchr(word, '=');
        if (strncmp(word, "mq.", 3) || !equals)
            continue;
        *equals = '\0';
        set_parameter(word + 3, equals + 1);
    }
}

/* ---- the machine ---- */

static void mount_one(const char *type, const char *where)
{
    mkdir(where, 0755);
    if (mount(type, where, type, 0, NULL) < 0 && errno != EBUSY)
        give_up("mount %s: %s", type, strerror(errno));
}

/* /modules/order names the files, dependencies first. */
static void load_modules(void)
{
    static char order[4096];
    if (!slurp("/modules/order", order, sizeof order))
        give_up("no module list in the initramfs");
    for (char *name = strtok(order, "\n"); name; name = strtok(NULL, "\n")) {
        char path[256];
        snprintf(path, sizeof path, "/modules/%s", name);
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 || (syscall(SYS_finit_module, fd, "", 0) < 0 && errno != EEXIST))
            give_up("module %s: %s", name, strerror(errno));
        close(fd);
    }
}

void start_device(void)
{
    open_device();
    set_channels(want.channels);
    bring_up();
    if (want.has_peer && want.pings > 0) {
        reach_peer();
        ping_queues();
    }
    report_counters("stats");
    report_interrupts();
}

int main(void)
{
    signal(SIGALRM, on_alarm);
    prepare_console();
    mount_one("proc", "/proc");
    mount_one("sysfs", "/sys");
    read_command_line();
    alarm((unsigned)(want.timeout + want.hold));
    load_modules();
    if (!want.plug)
        start_device();
    if (want.hold)
        hold();
    finish();
}
