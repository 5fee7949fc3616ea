/* device.c: the network device: finding it, its queue pairs, its offloads, its address. */
#define _GNU_SOURCE
#include "guest.h"
#include "stream.h"
#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

enum { DEVICE_WAIT_MS = 10000 };

char device[IFNAMSIZ];
char virtio[32];
int queues;
static int control;                  /* a socket for ioctls on the device */

void attribute(const char *interface, const char *name, char *value, size_t size)
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

void open_device(void)
{
    for (long end = now_ms() + DEVICE_WAIT_MS; !find_device(); usleep(20000))
        if (now_ms() > end)
            give_up(want.mac[0] ? "no network device with MAC %s" : "no network device%s", want.mac);
    if (control <= 0)
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

void close_device(void)
{
    for (long end = now_ms() + DEVICE_WAIT_MS; if_nametoindex(device); usleep(20000))
        if (now_ms() > end) {
            note("%s is still there", device);
            return;
        }
    queues = 0;
}

static struct ifreq request(void)
{
    struct ifreq r;
    memset(&r, 0, sizeof r);
    memcpy(r.ifr_name, device, sizeof r.ifr_name);
    return r;
}

int ethtool(void *command)
{
    struct ifreq r = request();
    r.ifr_data = command;
    return ioctl(control, SIOCETHTOOL, &r);
}

static struct ethtool_channels channels(void)
{
    struct ethtool_channels c = { .cmd = ETHTOOL_GCHANNELS };
    if (ethtool(&c) < 0)
        give_up("ETHTOOL_GCHANNELS: %s", strerror(errno));
    return c;
}

void set_channels(int wanted)
{
    struct ethtool_channels c = channels();
    int max = (int)c.max_combined, initial = (int)c.combined_count;
    if (max > MAX_QUEUES)
        give_up("more than %d queue pairs", MAX_QUEUES);
    if (wanted > max)
        note("%d queue pairs wanted but the device has %d", wanted, max);
    if (wanted == 0 || wanted > max)
        wanted = max;
    if (initial != wanted) {
        c.cmd = ETHTOOL_SCHANNELS;
        c.combined_count = (uint32_t)wanted;
        if (ethtool(&c) < 0)
            note("ETHTOOL_SCHANNELS %d: %s", wanted, strerror(errno));
    }
    queues = (int)channels().combined_count;
    report("queues max=%d current=%d initial=%d", max, queues, initial);
    if (queues != wanted)
        note("%d queue pairs on, %d wanted", queues, wanted);
}

/*
 * What can be turned on and off by an ioctl of its own, in an order in which nothing depends on what comes later.
 * virtio_net has no say over what the device checks and joins for it: that is settled when the driver starts.
 */
static const struct { const char *name; uint32_t get, set; } offloads[] = {
    { "rxcsum", ETHTOOL_GRXCSUM, ETHTOOL_SRXCSUM },
    { "txcsum", ETHTOOL_GTXCSUM, ETHTOOL_STXCSUM },
    { "tso", ETHTOOL_GTSO, ETHTOOL_STSO },
    { "gso", ETHTOOL_GGSO, ETHTOOL_SGSO },
    { "gro", ETHTOOL_GGRO, ETHTOOL_SGRO },
};

void set_offloads(bool on, char *text, size_t size)
{
    enum { COUNT = sizeof offloads / sizeof offloads[0] };
    for (int i = 0; i < COUNT; i++) {
        struct ethtool_value v = { .cmd = offloads[i].set, .data = on };
        if (ethtool(&v) < 0 && errno != EOPNOTSUPP)
            note("%s: %s", offloads[i].name, strerror(errno));
    }
    size_t length = 0;
    for (int i = 0; i < COUNT; i++) {
        struct ethtool_value v = { .cmd = offloads[i].get };
        if (ethtool(&v) < 0)
            note("%s: %s", offloads[i].name, strerror(errno));
        length += (size_t)snprintf(text + length, size - length, " %s=%u", offloads[i].name, v.data);
    }
}

static void put_address(unsigned long operation, struct in_addr a)
{
    struct ifreq r = request();
    struct sockaddr_in s = { .sin_family = AF_INET, .sin_addr = a };
    memcpy(&r.ifr_addr, &s, sizeof s);
    if (ioctl(control, operation, &r) < 0)
        give_up("address: %s", strerror(errno));
}

void set_link(bool up)
{
    struct ifreq r = request();
    if (ioctl(control, SIOCGIFFLAGS, &r) < 0)
        give_up("SIOCGIFFLAGS: %s", strerror(errno));
    r.ifr_flags = up ? r.ifr_flags | IFF_UP : r.ifr_flags & ~IFF_UP;
    if (ioctl(control, SIOCSIFFLAGS, &r) < 0)
        give_up("link %s: %s", up ? "up" : "down", strerror(errno));
}

void bring_up(void)
{
    if (want.has_address) {
        put_address(SIOCSIFADDR, want.address);
        put_address(SIOCSIFNETMASK, want.mask);
    }
    set_link(true);
}
