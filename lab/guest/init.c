/*
 * init.c: the only program of mqctl's test guest; the kernel runs it as PID 1.
 *
 * It loads the virtio modules, gives one network device an address, sends pings through every
 * queue pair in turn, prints what it saw as "MQGUEST …" lines on the console, and powers off.
 * Parameters come from the kernel command line (mq.NAME=VALUE); README.md lists them and the lines.
 * Every wait has an end: mq.timeout powers the guest off whatever happens.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { MAX_QUEUES = 512, PING_WAIT_MS = 3000, DEVICE_WAIT_MS = 10000, STATS_WAIT_MS = 500 };

/* What the command line asked for. */
static struct {
    struct in_addr address, mask, peer;
    bool has_address, has_peer;
    char mac[18];
    int pings, channels, hold, timeout, reach;
} want = { .pings = 3, .timeout = 60, .reach = 15 };

static char reason[160];             /* the first thing that went wrong; empty: nothing did */
static char device[IFNAMSIZ];        /* eth0 */
static char virtio[32];              /* virtio0 */
static int control;                  /* a socket for ioctls on the device */

/* ---- the console ------------------------------------------------------------------------- */

static void emit(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(STDOUT_FILENO, text, length);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return;
        text += n;
        length -= (size_t)n;
    }
}

/* One report line, in one write, so that kernel messages do not get in between. */
__attribute__((format(printf, 1, 2))) static void report(const char *format, ...)
{
    char line[512] = "MQGUEST ";
    size_t start = strlen(line);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(line + start, sizeof line - start - 1, format, args);
    va_end(args);
    if (n < 0)
        return;
    size_t end = start + (size_t)n;
    if (end > sizeof line - 2)
        end = sizeof line - 2;
    line[end] = '\n';
    emit(line, end + 1);
}

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000L + t.tv_nsec / 1000000L;
}

/* Remember the first failure; the run goes on. Spaces become '-' so that it stays one word. */
__attribute__((format(printf, 1, 2))) static void note(const char *format, ...)
{
    if (reason[0])
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(reason, sizeof reason, format, args);
    va_end(args);
    for (char *c = reason; *c; c++)
        if (*c == ' ' || *c == '\n')
            *c = '-';
}

static void power_off(void)
{
    tcdrain(STDOUT_FILENO);
    reboot(RB_POWER_OFF);
    reboot(RB_AUTOBOOT);                    /* no ACPI: a reset ends it too, under -no-reboot */
    for (;;)
        pause();
}

static void finish(void)
{
    if (reason[0])
        report("done ok=0 reason=%s uptime_ms=%ld", reason, now_ms());
    else
        report("done ok=1 uptime_ms=%ld", now_ms());
    power_off();
}

/* A failure after which nothing more can be learnt. */
#define give_up(...) do { note(__VA_ARGS__); finish(); } while (0)

static void on_alarm(int signal_number)
{
    (void)signal_number;
    static const char line[] = "\nMQGUEST done ok=0 reason=timeout\n";
    emit(line, sizeof line - 1);
    power_off();
}

/* ---- small helpers ----------------------------------------------------------------------- */

/* A whole small file as a string; "" if it cannot be read. Returns its length. */
static size_t slurp(const char *path, char *buffer, size_t size)
{
    size_t length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        ssize_t n;
        while (length < size - 1 && (n = read(fd, buffer + length, size - 1 - length)) > 0)
            length += (size_t)n;
        close(fd);
    }
    buffer[length] = '\0';
    return length;
}

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

/* ---- the machine ------------------------------------------------------------------------- */

static void prepare_console(void)
{
    struct termios t;
    if (tcgetattr(STDIN_FILENO, &t) == 0) {
        t.c_oflag &= ~(tcflag_t)OPOST;      /* "\n", not "\r\n": easier on whoever reads it */
        t.c_lflag &= ~(tcflag_t)ECHO;
        tcsetattr(STDIN_FILENO, TCSANOW, &t);
    }
}

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

static void attribute(const char *interface, const char *name, char *value, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/class/net/%s/%s", interface, name);
    slurp(path, value, size);
    value[strcspn(value, "\n")] = '\0';
}

/* The device with the lowest index that fits: has hardware behind it, and the MAC if one was named. */
static bool find_device(void)
{
    int best = 0;
    DIR *all = opendir("/sys/class/net");
    if (!all)
        return false;
    for (struct dirent *e; (e = readdir(all));) {
        char path[300], target[256], mac[32];
        if (e->d_name[0] == '.' || strlen(e->d_name) >= IFNAMSIZ)
            continue;
        snprintf(path, sizeof path, "/sys/class/net/%s/device", e->d_name);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n < 0)
            continue;
        target[n] = '\0';
        attribute(e->d_name, "address", mac, sizeof mac);
        if (want.mac[0] && strcasecmp(want.mac, mac))
            continue;
        int index = (int)if_nametoindex(e->d_name);
        if (index <= 0 || (best && index >= best))
            continue;
        best = index;
        snprintf(device, sizeof device, "%s", e->d_name);
        char *slash = strrchr(target, '/');
        snprintf(virtio, sizeof virtio, "%.31s", slash ? slash + 1 : target);
    }
    closedir(all);
    return best > 0;
}

/* The negotiated features: sysfs has one character a bit, lowest first. */
static uint64_t features(void)
{
    char bits[80];
    uint64_t value = 0;
    attribute(device, "device/features", bits, sizeof bits);
    for (int i = 0; i < 64 && bits[i]; i++)
        if (bits[i] == '1')
            value |= UINT64_C(1) << i;
    return value;
}

static void open_device(void)
{
    for (long end = now_ms() + DEVICE_WAIT_MS; !find_device(); usleep(20000))
        if (now_ms() > end)
            give_up(want.mac[0] ? "no network device with MAC %s" : "no network device%s", want.mac);
    control = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control < 0)
        give_up("socket: %s", strerror(errno));
    char mac[32], mtu[16];
    struct utsname uts;
    uname(&uts);
    attribute(device, "address", mac, sizeof mac);
    attribute(device, "mtu", mtu, sizeof mtu);
    report("ready kernel=%s mac=%s device=%s virtio=%s mtu=%s cpus=%ld features=0x%llx uptime_ms=%ld",
           uts.release, mac, device, virtio, mtu, sysconf(_SC_NPROCESSORS_ONLN),
           (unsigned long long)features(), now_ms());
}

static struct ifreq request(void)
{
    struct ifreq r;
    memset(&r, 0, sizeof r);
    memcpy(r.ifr_name, device, sizeof r.ifr_name);
    return r;
}

static int ethtool(void *command)
{
    struct ifreq r = request();
    r.ifr_data = command;
    return ioctl(control, SIOCETHTOOL, &r);
}

/* Turn on as many pairs as asked (all, unless mq.channels says so). Returns how many are on. */
static int set_channels(void)
{
    struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
    if (ethtool(&c) < 0)
        give_up("ETHTOOL_GCHANNELS: %s", strerror(errno));
    int max = (int)c.max_combined, initial = (int)c.combined_count;
    int wanted = want.channels ? want.channels : max;
    if (wanted > max) {
        note("mq.channels=%d but the device has %d", wanted, max);
        wanted = max;
    }
    if (initial != wanted) {
        c.cmd = ETHTOOL_SCHANNELS;
        c.combined_count = (uint32_t)wanted;
        if (ethtool(&c) < 0)
            note("ETHTOOL_SCHANNELS %d: %s", wanted, strerror(errno));
        c.cmd = ETHTOOL_GCHANNELS;
        if (ethtool(&c) < 0)
            give_up("ETHTOOL_GCHANNELS: %s", strerror(errno));
    }
    int current = (int)c.combined_count;
    report("queues max=%d current=%d initial=%d", max, current, initial);
    if (current != wanted)
        note("%d queue pairs on, %d wanted", current, wanted);
    if (current > MAX_QUEUES)
        give_up("more than %d queue pairs", MAX_QUEUES);
    return current;
}

static void put_address(unsigned long operation, struct in_addr a)
{
    struct ifreq r = request();
    struct sockaddr_in s = { .sin_family = AF_INET, .sin_addr = a };
    memcpy(&r.ifr_addr, &s, sizeof s);
    if (ioctl(control, operation, &r) < 0)
        give_up("address: %s", strerror(errno));
}

static void bring_up(void)
{
    if (want.has_address) {
        put_address(SIOCSIFADDR, want.address);
        put_address(SIOCSIFNETMASK, want.mask);
    }
    struct ifreq r = request();
    if (ioctl(control, SIOCGIFFLAGS, &r) < 0)
        give_up("SIOCGIFFLAGS: %s", strerror(errno));
    r.ifr_flags |= IFF_UP;
    if (ioctl(control, SIOCSIFFLAGS, &r) < 0)
        give_up("link up: %s", strerror(errno));
}

/* ---- counters ---------------------------------------------------------------------------- */

struct counters { long long rx[MAX_QUEUES], tx[MAX_QUEUES]; };

/* Packets per queue, as the driver counts them; -1 where it does not. */
static void read_counters(struct counters *c)
{
    static struct ethtool_gstrings *names;
    static struct ethtool_stats *values;
    static uint32_t count;
    memset(c, 0xff, sizeof *c);
    if (!names) {
        struct ethtool_drvinfo info = { .cmd = ETHTOOL_GDRVINFO };
        if (ethtool(&info) < 0 || info.n_stats == 0) {
            note("the driver has no statistics");
            return;
        }
        count = info.n_stats;
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
static void settle(int queue, long long tx, long long rx, struct counters *c)
{
    long end = now_ms() + STATS_WAIT_MS;
    do {
        usleep(5000);
        read_counters(c);
    } while ((c->tx[queue] < tx || c->rx[queue] < rx) && now_ms() < end);
}

static void report_counters(const char *word, int queues)
{
    static struct counters c;
    read_counters(&c);
    for (int q = 0; q < queues; q++)
        report("%s queue=%d rx_packets=%lld tx_packets=%lld", word, q, c.rx[q], c.tx[q]);
}

static void report_interrupts(int queues)
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

/* ---- which CPU sends on which queue ------------------------------------------------------- */

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
static int pin(int queue, int queues)
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

static void unpin(void)
{
    cpu_set_t set;
    memset(&set, 0xff, sizeof set);
    sched_setaffinity(0, sizeof set, &set);
}

/* ---- pings ------------------------------------------------------------------------------- */

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

static int ping_socket(void)
{
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMP);
    if (fd < 0)
        give_up("ICMP socket: %s", strerror(errno));
    return fd;
}

/* One echo request; true if its own reply came within `wait_ms`. */
static bool ping(int fd, uint16_t id, uint16_t sequence, int wait_ms)
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
static void reach_peer(int queues)
{
    int fd = ping_socket();
    long start = now_ms(), end = start + want.reach * 1000L;
    pin(0, queues);
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
static void ping_queue(int queue, int queues)
{
    static struct counters before, after;
    int cpu = pin(queue, queues), fd = ping_socket(), received = 0;
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

/* ---- the end ------------------------------------------------------------------------------ */

/* Stay up, answering, for mq.hold seconds or until a line comes in on the console. */
static void hold(int queues)
{
    const char *by = "time";
    report("hold seconds=%d", want.hold);
    long end = now_ms() + want.hold * 1000L;
    for (long left; (left = end - now_ms()) > 0;) {
        struct pollfd p = { .fd = STDIN_FILENO, .events = POLLIN };
        char line[256];
        if (poll(&p, 1, (int)left) <= 0)
            continue;
        if (read(STDIN_FILENO, line, sizeof line) > 0) {
            by = "line";
            break;
        }
        usleep(100000);                     /* the console hung up: wait for the time */
    }
    report("released by=%s", by);
    report_counters("after", queues);
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
    open_device();
    int queues = set_channels();
    bring_up();
    if (want.has_peer && want.pings > 0) {
        reach_peer(queues);
        for (int q = 0; q < queues; q++)
            ping_queue(q, queues);
        unpin();
    }
    report_counters("stats", queues);
    report_interrupts(queues);
    if (want.hold)
        hold(queues);
    finish();
}
