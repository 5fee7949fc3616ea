// libnl-route-3: rtnetlink's links, queueing disciplines and addresses, and the attributes of both.
#pragma once
#include <netlink/route/link.h>
#include <netlink/route/qdisc.h>
#include <netlink/route/addr.h>
#include <netlink/route/tc.h>
#include <linux/rtnetlink.h>
#include <linux/if_link.h>
#include <linux/if_tun.h>
