#pragma once

// What the XDP program and the dataplane share. C, because the program is.

#include <linux/types.h>

#define GNOMON_XDP_PORT_WORDS 1024
#define GNOMON_XDP_MAGIC 0x676e6f6d6f6e7473ULL  // "gnomonts"

#define GNOMON_XDP_NONE 0
#define GNOMON_XDP_NTP 1
#define GNOMON_XDP_ALL 2

struct gnomon_xdp_control {
    __u32 taking;                           // one of the above; at first everything is the kernel's
    __u32 ntp_port;                         // 0: none
    __u64 listened[GNOMON_XDP_PORT_WORDS];  // a bit per port
};

// Lies right before the frame.
struct gnomon_xdp_stamp {
    __u64 magic;
    __u64 mono_ns;
};
