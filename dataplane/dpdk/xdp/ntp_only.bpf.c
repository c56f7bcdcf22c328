// Gives NTP requests to the AF_XDP socket of their queue, and everything else to the kernel.
//
// Only UDP to the server's port, or to a port that the dataplane listens on, over IPv4 without options
// and not fragmented, or IPv6 without extension headers, behind up to two VLAN tags. What the program
// does not recognise the kernel's sockets serve. An exclusive port takes every frame. So do they when the process has died: the map of
// sockets is empty then, and the redirection falls back to XDP_PASS; and when the dataplane has put
// `taking` back to zero.
//
// Each frame that is redirected carries the kernel's monotonic time of this moment before its first
// byte (struct gnomon_xdp_stamp), which is earlier and less noisy than the look of a poller at its ring.

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "control.h"

struct {
    __uint(type, BPF_MAP_TYPE_XSKMAP);
    __uint(max_entries, 64);
    __type(key, __u32);
    __type(value, __u32);
} xsks_map SEC(".maps");

// In .bss, which user space maps: no system call, and no privilege, is needed to change it.
struct gnomon_xdp_control control;

struct vlan_header {
    __be16 control;
    __be16 type;
};

#define MAX_TAGS 2
#define IPV4_FRAGMENT 0x3fff  // more fragments, or an offset

static __always_inline int is_vlan(__be16 type) {
    return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

static __always_inline int is_ours(__u16 port) {
    if (port == control.ntp_port && port != 0) return 1;
    return (control.listened[(port >> 6) & (GNOMON_XDP_PORT_WORDS - 1)] >> (port & 63)) & 1;
}

static __always_inline void stamp(struct xdp_md* context) {
    struct gnomon_xdp_stamp* meta;
    if (bpf_xdp_adjust_meta(context, -(int)sizeof(*meta)) != 0) return;
    meta = (void*)(long)context->data_meta;
    if ((void*)(meta + 1) > (void*)(long)context->data) return;
    meta->magic = GNOMON_XDP_MAGIC;
    meta->mono_ns = bpf_ktime_get_ns();
}

SEC("xdp")
int ntp_only(struct xdp_md* context) {
    void* at = (void*)(long)context->data;
    void* end = (void*)(long)context->data_end;
    struct ethhdr* ethernet = at;
    struct udphdr* udp;
    __be16 type;
    int i;

    if (!control.taking || (void*)(ethernet + 1) > end) return XDP_PASS;
    type = ethernet->h_proto;
    if (control.taking == GNOMON_XDP_ALL) {
        stamp(context);
        return bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
    }
    at = ethernet + 1;
#pragma unroll
    for (i = 0; i < MAX_TAGS; ++i) {
        struct vlan_header* tag = at;
        if (!is_vlan(type)) break;
        if ((void*)(tag + 1) > end) return XDP_PASS;
        type = tag->type;
        at = tag + 1;
    }
    if (type == bpf_htons(ETH_P_IP)) {
        struct iphdr* ip = at;
        if ((void*)(ip + 1) > end) return XDP_PASS;
        if (ip->ihl != 5 || ip->protocol != IPPROTO_UDP) return XDP_PASS;
        if (ip->frag_off & bpf_htons(IPV4_FRAGMENT)) return XDP_PASS;
        at = ip + 1;
    } else if (type == bpf_htons(ETH_P_IPV6)) {
        struct ipv6hdr* ip = at;
        if ((void*)(ip + 1) > end || ip->nexthdr != IPPROTO_UDP) return XDP_PASS;
        at = ip + 1;
    } else {
        return XDP_PASS;
    }
    udp = at;
    if ((void*)(udp + 1) > end || !is_ours(bpf_ntohs(udp->dest))) return XDP_PASS;
    stamp(context);
    return bpf_redirect_map(&xsks_map, context->rx_queue_index, XDP_PASS);
}

// No helper that it calls asks for the GPL.
char _license[] SEC("license") = "Apache-2.0";
