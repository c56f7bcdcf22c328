// SPDX-License-Identifier: MIT OR GPL-2.0
/* The PTP hardware clock of a device: readings, steering, external stamps and pulses. */
#include <linux/timekeeping.h>

#include "testnic.h"

#define to_phc(i) container_of(i, struct tn_phc, info)
#define to_end(p) container_of(p, struct tn_end, phc)

static int phc_adjfine(struct ptp_clock_info *info, long scaled_ppm)
{
	/* 2^-16 ppm in units of 2^-60: 2^44 / 10^6 = 17592186.044416 */
	s64 rate = scaled_ppm * 17592186LL + div_s64(scaled_ppm * 44416LL, 1000000);

	tn_oscillator_steer(&to_phc(info)->oscillator, tn_truth(), rate);
	return 0;
}

static int phc_adjtime(struct ptp_clock_info *info, s64 delta)
{
	tn_oscillator_step(&to_phc(info)->oscillator, tn_truth(), delta);
	return 0;
}

static int phc_settime(struct ptp_clock_info *info, const struct timespec64 *ts)
{
	struct tn_phc *phc = to_phc(info);
	u64 truth = tn_truth();

	tn_oscillator_step(&phc->oscillator, truth, timespec64_to_ns(ts) - (s64)tn_phc_at(phc, truth));
	return 0;
}

/* Fetching a reading takes a known time before and after the moment at which it holds, and a random one. */
static int phc_gettimex(struct ptp_clock_info *info, struct timespec64 *ts, struct ptp_system_timestamp *system)
{
	struct tn_end *end = to_end(to_phc(info));
	struct tn_moment now = tn_now();

	*ts = ns_to_timespec64(tn_phc_at(&end->phc, now.truth));
	if (system) {
		u64 before = tn_parameters.read_before_ns[end->number] + tn_read_jitter(end);
		u64 after = tn_parameters.read_after_ns[end->number] + tn_read_jitter(end);

		system->pre_ts = ns_to_timespec64(now.system - before);
		system->post_ts = ns_to_timespec64(now.system + after);
	}
	return 0;
}

static int phc_crosststamp(struct ptp_clock_info *info, struct system_device_crosststamp *pair)
{
	struct tn_moment now = tn_now();

	if (!tn_parameters.precise)
		return -EOPNOTSUPP;
	pair->device = ns_to_ktime(tn_phc_at(to_phc(info), now.truth));
	pair->sys_realtime = ns_to_ktime(now.system);
	pair->sys_monoraw = ns_to_ktime(now.raw);
	return 0;
}

static u64 next_whole_second(u64 ns)
{
	return (div_u64(ns, NSEC_PER_SEC) + 1) * NSEC_PER_SEC;
}

/* Until the next event, at most a tenth of a second: clocks are stepped and steered meanwhile. */
static ktime_t until_next(struct tn_phc *phc, u64 truth, u64 now)
{
	s64 wait = NSEC_PER_SEC / 10;

	if (phc->extts)
		wait = min_t(s64, wait, phc->next_pulse - truth);
	if (phc->pps)
		wait = min_t(s64, wait, phc->next_second - now);
	return ns_to_ktime(max_t(s64, wait, 1000));
}

/* An external pulse comes at every second of truth; the PHC gives its own at every second it counts. */
static enum hrtimer_restart phc_timer(struct hrtimer *timer)
{
	struct tn_phc *phc = container_of(timer, struct tn_phc, timer);
	struct tn_moment moment = tn_now();
	u64 now = tn_phc_at(phc, moment.truth);

	if (phc->extts && moment.truth >= phc->next_pulse) {
		struct ptp_clock_event event = { .type = PTP_CLOCK_EXTTS, .index = 0,
						 .timestamp = tn_phc_at(phc, phc->next_pulse) };

		ptp_clock_event(phc->clock, &event);
		phc->next_pulse = next_whole_second(moment.truth);
	}
	if (phc->pps && now >= phc->next_second) {
		struct ptp_clock_event event = { .type = PTP_CLOCK_PPSUSR };

		event.pps_times.ts_real = ns_to_timespec64(moment.system - (now - phc->next_second));
		if (now - phc->next_second < NSEC_PER_SEC / 2)
			ptp_clock_event(phc->clock, &event);
		phc->next_second = next_whole_second(now);
	}
	if (phc->pps && phc->next_second - now > 2 * NSEC_PER_SEC)	/* set back */
		phc->next_second = next_whole_second(now);
	if (!phc->extts && !phc->pps)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, until_next(phc, moment.truth, now));
	return HRTIMER_RESTART;
}

static int phc_enable(struct ptp_clock_info *info, struct ptp_clock_request *request, int on)
{
	struct tn_phc *phc = to_phc(info);
	u64 truth = tn_truth();

	switch (request->type) {
	case PTP_CLK_REQ_EXTTS:
		if (request->extts.index != 0)
			return -EINVAL;
		phc->next_pulse = next_whole_second(truth);
		phc->extts = on;
		break;
	case PTP_CLK_REQ_PPS:
		phc->next_second = next_whole_second(tn_phc_at(phc, truth));
		phc->pps = on;
		break;
	default:
		return -EOPNOTSUPP;
	}
	if (on)
		hrtimer_start(&phc->timer, ns_to_ktime(1000), HRTIMER_MODE_REL);
	return 0;
}

static int phc_verify(struct ptp_clock_info *info, unsigned int pin, enum ptp_pin_function function,
		      unsigned int channel)
{
	return function == PTP_PF_NONE || function == PTP_PF_EXTTS ? 0 : -EOPNOTSUPP;
}

int tn_phc_register(struct tn_phc *phc, struct device *parent, int number)
{
	u64 truth = tn_truth();

	tn_oscillator_init(&phc->oscillator, truth, truth + (s64)tn_parameters.phc_offset_ns[number],
			   tn_parameters.phc_drift_ppb[number] * 1000LL, tn_parameters.phc_wander_ppt[number],
			   tn_parameters.seed * 1000ULL + number + 1);
	hrtimer_init(&phc->timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	phc->timer.function = phc_timer;
	phc->pin = (struct ptp_pin_desc){ .name = "SDP0", .index = 0, .func = PTP_PF_NONE };
	phc->info = (struct ptp_clock_info){
		.owner = THIS_MODULE,
		.max_adj = 500000000,
		.n_ext_ts = 1,
		.n_pins = 1,
		.pps = 1,
		.pin_config = &phc->pin,
		.adjfine = phc_adjfine,
		.adjtime = phc_adjtime,
		.gettimex64 = phc_gettimex,
		.getcrosststamp = tn_parameters.precise ? phc_crosststamp : NULL,
		.settime64 = phc_settime,
		.enable = phc_enable,
		.verify = phc_verify,
	};
	snprintf(phc->info.name, sizeof(phc->info.name), "testnic%d", number);
	phc->clock = ptp_clock_register(&phc->info, parent);
	if (!phc->clock)
		return -EOPNOTSUPP;
	return PTR_ERR_OR_ZERO(phc->clock);
}

void tn_phc_unregister(struct tn_phc *phc)
{
	phc->extts = phc->pps = false;
	hrtimer_cancel(&phc->timer);
	if (!IS_ERR_OR_NULL(phc->clock))
		ptp_clock_unregister(phc->clock);
}
