#!/usr/bin/env python3
"""launcher.py: a launcher that takes queue pairs from mqctl as a service takes sockets from systemd (sd_listen_fds(3)).

  sudo mqctl create tap0 --pairs 4
  sudo mqctl exec tap0 --user nobody -- examples/launcher.py --check
  sudo mqctl exec tap0 --user nobody -- examples/launcher.py qemu-system-x86_64 -m 1G -smp 4 -kernel ...

--check prints what came, a line each. Otherwise the words are QEMU's, and the network is added to them.
"""
import fcntl
import os
import struct
import sys

TUNGETIFF = 0x800454D2
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR, IFF_MULTI_QUEUE = 0x0002, 0x1000, 0x4000, 0x0100
NEEDED = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE


def take_descriptors():
    """What LISTEN_* names: {name: descriptor}. The variables are removed, since they are for this process alone."""
    pid, count, names = (os.environ.pop(f"LISTEN_{word}", "") for word in ("PID", "FDS", "FDNAMES"))
    if pid != str(os.getpid()):
        sys.exit("launcher.py: no descriptors were handed over: start it with 'mqctl exec TAP -- examples/launcher.py …'")
    found = dict(zip(names.split(":"), range(3, 3 + int(count)), strict=True))
    for name, fd in found.items():
        node = "/dev/net/tun" if name.startswith("tap-") else "/dev/vhost-net"
        if os.readlink(f"/proc/self/fd/{fd}") != node:
            sys.exit(f"launcher.py: descriptor {fd}, {name}, is no open {node}")
    return found


def interface(fd):
    """The tap that a queue belongs to, and its flags."""
    name, flags = struct.unpack("16sH22x", fcntl.ioctl(fd, TUNGETIFF, bytes(40)))
    if flags & NEEDED != NEEDED:
        sys.exit(f"launcher.py: descriptor {fd} is a queue with flags {flags:#x}, without some of {NEEDED:#x}")
    return name.rstrip(b"\0").decode(), flags


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    found = take_descriptors()
    pairs = int(os.environ["MQCTL_PAIRS"])
    taps = [found[f"tap-{pair}"] for pair in range(pairs)]
    # None at all where the kernel has no vhost-net, or 'mqctl exec --vhost off' left it out.
    vhosts = [found[f"vhost-{pair}"] for pair in range(pairs) if f"vhost-{pair}" in found]

    if sys.argv[1] == "--check":
        for name, fd in found.items():
            text = "{} {:#06x}".format(*interface(fd)) if fd in taps else "vhost-net"
            print(f"{name} descriptor {fd}: {text}")
        return
    for fd in taps:
        interface(fd)
    netdev = f"tap,id=net0,fds={':'.join(map(str, taps))}"
    netdev += f",vhost=on,vhostfds={':'.join(map(str, vhosts))}" if vhosts else ",vhost=off"
    device = f"virtio-net-pci,netdev=net0,mac={os.environ['MQCTL_MAC']}"
    if pairs > 1:
        device += f",mq=on,vectors={2 * pairs + 2}"  # one for each ring, configuration and control
    # The descriptors are inheritable already; nothing else is open.
    os.execvp(sys.argv[1], [*sys.argv[1:], "-netdev", netdev, "-device", device])


main()
