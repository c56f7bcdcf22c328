/* SPDX-License-Identifier: MIT OR GPL-2.0 */
/*
 * testnic: Ethernet devices in pairs, each with a PTP hardware clock, for tests of programs that keep
 * time.
 *
 * Three kinds of time, in nanoseconds:
 *   raw     CLOCK_MONOTONIC_RAW: the machine's counter, which nobody steers
 *   truth   what the tests call the true UTC: a scripted oscillator that runs on raw. So it is the
 *           machine's oscillator that is wrong, by what was scripted, as seen from truth
 *   phc     the clock of a device: a scripted oscillator that runs on truth, and what a driver's user
 *           has made of it (adjfine, adjtime, settime)
 *
 * Stamps are computed, not taken: a frame leaves at a moment of truth, arrives a known delay later, and
 * gets the PHC's reading of exactly those moments, however late the (emulated) machine runs its timers.
 */
#pragma once

#include <linux/hrtimer.h>
#include <linux/netdevice.h>
#include <linux/net_tstamp.h>
#include <linux/platform_device.h>
#include <linux/prandom.h>
#include <linux/ptp_clock_kernel.h>
#include <linux/spinlock.h>

#define TN_PAIRS_MAX 4
#define TN_ENDS_MAX (2 * TN_PAIRS_MAX)

/* --- oscillator.c */

/* Rates are differences from 1 in units of 2^-60; a part in 10^12 is: */
#define TN_RATE_PER_PPT 1152922LL
#define TN_RATE_STOPPED (-(1LL << 60))
/* The rate changes at most this often by itself. */
#define TN_SEGMENT_NS (1ULL << 24)
/* Readings may reach this many segments into the past: half a second and more. */
#define TN_SEGMENTS 64

struct tn_segment {
	u64 start;	/* of the input, ns */
	s128 value;	/* of the output there, in 2^-60 ns */
	s64 rate;
};

struct tn_oscillator {
	spinlock_t lock;
	struct rnd_state random;
	struct tn_segment ring[TN_SEGMENTS];
	unsigned int newest;
	s64 drift;	/* the oscillator's own rate: scripted, and wandering */
	s64 steer;	/* what the clock's user added */
	u32 wander_ppt;	/* random walk of the rate, 10^-12 per square root of a second */
	bool stalled;
};

void tn_oscillator_init(struct tn_oscillator *o, u64 input, u64 output, s64 drift_ppt, u32 wander_ppt,
			u64 seed);
/* The output at `input`, which may be somewhat in the past or in the future. */
u64 tn_oscillator_read(struct tn_oscillator *o, u64 input);
/* Changes, from `input` (now) on. */
void tn_oscillator_step(struct tn_oscillator *o, u64 input, s64 by);
void tn_oscillator_steer(struct tn_oscillator *o, u64 input, s64 rate);
void tn_oscillator_drift(struct tn_oscillator *o, u64 input, s64 ppt);
void tn_oscillator_wander(struct tn_oscillator *o, u64 input, u32 ppt);
void tn_oscillator_stall(struct tn_oscillator *o, u64 input, bool stalled);

/* --- main.c: truth */

struct tn_moment {
	u64 system;	/* CLOCK_REALTIME */
	u64 raw;
	u64 truth;
};

/* One moment on three clocks, exactly. */
struct tn_moment tn_now(void);
static inline u64 tn_truth(void) { return tn_now().truth; }

/* --- phc.c */

struct tn_phc {
	struct tn_oscillator oscillator;
	struct ptp_clock *clock;
	struct ptp_clock_info info;
	struct ptp_pin_desc pin;
	struct hrtimer timer;
	bool extts;
	bool pps;
	u64 next_pulse;	/* of truth: for extts */
	u64 next_second;	/* of the PHC: for pps */
};

int tn_phc_register(struct tn_phc *phc, struct device *parent, int number);
void tn_phc_unregister(struct tn_phc *phc);
static inline u64 tn_phc_at(struct tn_phc *phc, u64 truth)
{
	return tn_oscillator_read(&phc->oscillator, truth);
}

/* --- wire.c */

enum tn_direction { TN_TX, TN_RX, TN_DIRECTIONS };

struct tn_end {
	int number;
	struct platform_device *parent;
	struct net_device *dev;
	struct tn_end *peer;
	struct tn_phc phc;
	struct kernel_hwtstamp_config config;

	spinlock_t lock;	/* of what follows; taken in softirqs only */
	struct rnd_state random;
	u64 busy_until;		/* truth: the transmitter's last frame has left */
	u64 arrived_until;	/* truth: frames do not overtake each other */
	struct sk_buff_head flying;	/* towards this end */
	struct hrtimer arrival;
	struct sk_buff_head received;
	struct napi_struct napi;
	struct sk_buff_head late;	/* frames whose transmit stamp is still to come */
	struct hrtimer late_timer;
	u64 last_stamp[TN_DIRECTIONS];
	unsigned long stamps[TN_DIRECTIONS];
	unsigned long faults;
};

u64 tn_read_jitter(struct tn_end *end);
/* To be registered with the kernel by the caller, when every end has its peer. */
int tn_end_create(struct tn_end *end, int number);
void tn_end_close(struct tn_end *end);
void tn_end_free(struct tn_end *end);

/* --- parameters: per end unless said otherwise; all can be changed at any time */

struct tn_parameters {
	long phc_offset_ns[TN_ENDS_MAX];
	int phc_drift_ppb[TN_ENDS_MAX];
	uint phc_wander_ppt[TN_ENDS_MAX];
	uint read_before_ns[TN_ENDS_MAX];	/* a PHC's reading takes time, before and after the latch */
	uint read_after_ns[TN_ENDS_MAX];
	uint read_jitter_ns[TN_ENDS_MAX];	/* mean of an exponential addition to each */
	uint delay_ns[TN_ENDS_MAX];		/* of the path from this end */
	uint jitter_ns[TN_ENDS_MAX];		/* mean of an exponential addition to it */
	uint lost_ppm[TN_ENDS_MAX];		/* stamps that never come */
	uint late_ppm[TN_ENDS_MAX];		/* transmit stamps that come late */
	uint late_us[TN_ENDS_MAX];
	uint repeated_ppm[TN_ENDS_MAX];		/* the stamp of the frame before */
	uint swapped_ppm[TN_ENDS_MAX];		/* the stamp of the last frame of the other direction */
	uint jumping_ppm[TN_ENDS_MAX];		/* wrong by: */
	int jump_ns[TN_ENDS_MAX];
	uint speed_mbps;			/* all links */
	uint seed;				/* of everything random */
	bool precise;				/* pairs of PHC and system time made by hardware */
	bool rx_all;				/* the receive filter "all" exists; else only PTP's */
};

extern struct tn_parameters tn_parameters;
