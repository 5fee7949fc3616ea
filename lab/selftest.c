/* lab/selftest.c: is this kernel's vhost-net real? Opens it, becomes its owner, opens a tap of two queues, and prints what
 * it found, one "name value" a line: features, the kind of the vhost worker, the CPUs. Exit code 0, or 1 and why. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <unistd.h>

#ifndef VHOST_GET_FORK_FROM_OWNER /* headers older than Linux 6.18 */
#define VHOST_SET_FORK_FROM_OWNER _IOW(VHOST_VIRTIO, 0x84, uint8_t)
#define VHOST_GET_FORK_FROM_OWNER _IOR(VHOST_VIRTIO, 0x85, uint8_t)
#endif

static void check(long result, const char *what)
{
    if (result >= 0)
        return;
    fprintf(stderr, "selftest: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* How many entries of directory start with prefix: their names, or what is in their file of the name given. */
static int count(const char *directory, const char *file_name, const char *prefix)
{
    int found = 0;
    DIR *entries = opendir(directory);
    struct dirent *entry;
    while (entries && (entry = readdir(entries))) {
        char path[600], text[300] = "";
        snprintf(path, sizeof path, "%s/%s/%s", directory, entry->d_name, file_name ? file_name : "");
        FILE *file = file_name ? fopen(path, "r") : NULL;
        if (!file_name)
            snprintf(text, sizeof text, "%s", entry->d_name);
        else if (!file || !fgets(text, sizeof text, file))
            text[0] = 0;
        if (file)
            fclose(file);
        found += text[0] && !strncmp(text, prefix, strlen(prefix));
    }
    if (entries)
        closedir(entries);
    return found;
}

/* Own a vhost-net device and print its worker's kind. */
static void own(const char *label, int fork_owner)
{
    char worker[32];
    int fd = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
    check(fd, "open /dev/vhost-net");
    uint8_t mode = (uint8_t)fork_owner;
    if (fork_owner >= 0 && ioctl(fd, VHOST_SET_FORK_FROM_OWNER, &mode) < 0) {
        printf("%s unavailable (%s)\n", label, strerror(errno));
        close(fd);
        return;
    }
    check(ioctl(fd, VHOST_SET_OWNER), "VHOST_SET_OWNER");
    snprintf(worker, sizeof worker, "vhost-%d", getpid());
    int threads = count("/proc/self/task", "comm", worker), processes = count("/proc", "comm", worker);
    printf("%s %s\n", label, threads == 1 ? "thread of the owner" : processes == 1 ? "kernel thread" : "not found");
    if (threads + processes != 1)
        exit(1);
    close(fd);
}

int main(void)
{
    uint64_t features = 0;
    uint8_t mode = 255;
    unsigned int tun_features = 0;
    int vhost = open("/dev/vhost-net", O_RDWR | O_CLOEXEC);
    check(vhost, "open /dev/vhost-net");
    check(ioctl(vhost, VHOST_GET_FEATURES, &features), "VHOST_GET_FEATURES");
    check(getrandom(&mode, sizeof mode, GRND_NONBLOCK), "getrandom would wait for the kernel to gather randomness");
    printf("cpus %ld\n", sysconf(_SC_NPROCESSORS_ONLN));
    printf("vhost-features 0x%llx\n", (unsigned long long)features);
    if (ioctl(vhost, VHOST_GET_FORK_FROM_OWNER, &mode) < 0)
        printf("fork-from-owner unavailable (%s)\n", strerror(errno));
    else
        printf("fork-from-owner %d\n", mode);
    close(vhost);
    own("worker", -1);
    own("worker-if-kernel-thread-wanted", 0);

    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE};
    for (int queue = 0; queue < 2; queue++) {
        int tap = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
        check(tap, "open /dev/net/tun");
        if (queue == 0) {
            check(ioctl(tap, TUNGETFEATURES, &tun_features), "TUNGETFEATURES");
            printf("tun-features 0x%x\n", tun_features);
        }
        check(ioctl(tap, TUNSETIFF, &request), "TUNSETIFF");
    }
    char path[80];
    snprintf(path, sizeof path, "/sys/class/net/%s/queues", request.ifr_name);
    int queues = count(path, NULL, "tx-");
    printf("tap-queues %d\n", queues);
    return queues == 2 ? 0 : 1;
}
