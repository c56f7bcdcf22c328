// SPDX-License-Identifier: MIT OR GPL-2.0
/* Parameters, the true time, what debugfs shows and takes, loading and unloading. */
#include <linux/debugfs.h>
#include <linux/module.h>
#include <linux/timekeeping.h>

#include "testnic.h"

struct tn_parameters tn_parameters = {
	.read_before_ns = { [0 ... TN_ENDS_MAX - 1] = 500 },
	.read_after_ns = { [0 ... TN_ENDS_MAX - 1] = 500 },
	.read_jitter_ns = { [0 ... TN_ENDS_MAX - 1] = 100 },
	.delay_ns = { [0 ... TN_ENDS_MAX - 1] = 20000 },
	.late_us = { [0 ... TN_ENDS_MAX - 1] = 20000 },
	.jump_ns = { [0 ... TN_ENDS_MAX - 1] = 1000000 },
	.speed_mbps = 1000,
	.seed = 1,
	.precise = false,
	.rx_all = true,
};

#define PER_END(name, type) module_param_array_named(name, tn_parameters.name, type, NULL, 0644)
PER_END(phc_offset_ns, long);
PER_END(phc_drift_ppb, int);
PER_END(phc_wander_ppt, uint);
PER_END(read_before_ns, uint);
PER_END(read_after_ns, uint);
PER_END(read_jitter_ns, uint);
PER_END(delay_ns, uint);
PER_END(jitter_ns, uint);
PER_END(lost_ppm, uint);
PER_END(late_ppm, uint);
PER_END(late_us, uint);
PER_END(repeated_ppm, uint);
PER_END(swapped_ppm, uint);
PER_END(jumping_ppm, uint);
PER_END(jump_ns, int);
module_param_named(speed_mbps, tn_parameters.speed_mbps, uint, 0644);
module_param_named(seed, tn_parameters.seed, uint, 0444);
module_param_named(precise, tn_parameters.precise, bool, 0444);
module_param_named(rx_all, tn_parameters.rx_all, bool, 0644);

static int pairs = 1;
module_param(pairs, int, 0444);
/* What the system's clock is off by: truth - system at the start, and the rate of truth. */
static long truth_offset_ns;
module_param(truth_offset_ns, long, 0444);
static int truth_drift_ppb;
module_param(truth_drift_ppb, int, 0444);
static uint truth_wander_ppt;
module_param(truth_wander_ppt, uint, 0444);

static struct tn_oscillator truth;
static struct tn_end *ends;
static struct dentry *folder;

struct tn_moment tn_now(void)
{
	struct system_time_snapshot snapshot;
	struct tn_moment moment;

	ktime_get_snapshot(&snapshot);
	moment.system = ktime_to_ns(snapshot.real);
	moment.raw = ktime_to_ns(snapshot.raw);
	moment.truth = tn_oscillator_read(&truth, moment.raw);
	return moment;
}

/*
 * truth: "system truth raw", one moment. phcN: "phc truth", one moment, and numbers of stamps.
 * Both take: "step NS", "drift PPT" (truth: per raw, phc: per truth), "wander PPT", "stall 0|1".
 */
static ssize_t clock_read(struct file *file, char __user *buffer, size_t size, loff_t *position)
{
	struct tn_end *end = file->private_data;
	struct tn_moment now = tn_now();
	char text[160];
	int length;

	if (end)
		length = scnprintf(text, sizeof(text), "%llu %llu\ntx %lu rx %lu faults %lu flying %u received %u\n",
				   tn_phc_at(&end->phc, now.truth), now.truth, end->stamps[TN_TX],
				   end->stamps[TN_RX], end->faults, skb_queue_len(&end->flying),
				   skb_queue_len(&end->received));
	else
		length = scnprintf(text, sizeof(text), "%llu %llu %llu\n", now.system, now.truth, now.raw);
	return simple_read_from_buffer(buffer, size, position, text, length);
}

static ssize_t clock_write(struct file *file, const char __user *buffer, size_t size, loff_t *position)
{
	struct tn_end *end = file->private_data;
	struct tn_oscillator *oscillator = end ? &end->phc.oscillator : &truth;
	struct tn_moment now = tn_now();
	u64 input = end ? now.truth : now.raw;
	char text[64], word[16];
	ssize_t length = simple_write_to_buffer(text, sizeof(text) - 1, position, buffer, size);
	long long number;

	if (length < 0)
		return length;
	text[length] = 0;
	if (sscanf(text, "%15s %lld", word, &number) != 2)
		return -EINVAL;
	if (!strcmp(word, "step"))
		tn_oscillator_step(oscillator, input, number);
	else if (!strcmp(word, "drift"))
		tn_oscillator_drift(oscillator, input, number);
	else if (!strcmp(word, "wander"))
		tn_oscillator_wander(oscillator, input, number);
	else if (!strcmp(word, "stall"))
		tn_oscillator_stall(oscillator, input, number != 0);
	else
		return -EINVAL;
	return size;
}

static const struct file_operations clock_operations = {
	.owner = THIS_MODULE,
	.open = simple_open,
	.read = clock_read,
	.write = clock_write,
};

static void remove_all(void)
{
	int i;

	debugfs_remove_recursive(folder);
	/* An end may send to its peer until both are closed. */
	for (i = 0; i < 2 * pairs; i++)
		tn_end_close(&ends[i]);
	for (i = 0; i < 2 * pairs; i++)
		tn_end_free(&ends[i]);
	kfree(ends);
}

static int __init testnic_init(void)
{
	struct system_time_snapshot now;
	char name[16];
	int error, i;

	if (pairs < 1 || pairs > TN_PAIRS_MAX)
		return -EINVAL;
	ends = kcalloc(2 * pairs, sizeof(*ends), GFP_KERNEL);
	if (!ends)
		return -ENOMEM;
	ktime_get_snapshot(&now);
	tn_oscillator_init(&truth, ktime_to_ns(now.raw), ktime_to_ns(now.real) + (s64)truth_offset_ns,
			   truth_drift_ppb * 1000LL, truth_wander_ppt, tn_parameters.seed * 1000ULL);
	folder = debugfs_create_dir("testnic", NULL);
	debugfs_create_file("truth", 0600, folder, NULL, &clock_operations);
	for (i = 0; i < 2 * pairs; i++) {
		error = tn_end_create(&ends[i], i);
		if (error)
			goto failed;
		snprintf(name, sizeof(name), "phc%d", i);
		debugfs_create_file(name, 0600, folder, &ends[i], &clock_operations);
	}
	for (i = 0; i < 2 * pairs; i++) {
		ends[i].peer = &ends[i ^ 1];
		error = register_netdev(ends[i].dev);
		if (error)
			goto failed;
		netif_carrier_off(ends[i].dev);
	}
	return 0;
failed:
	remove_all();
	return error;
}

static void __exit testnic_exit(void)
{
	remove_all();
}

module_init(testnic_init);
module_exit(testnic_exit);
MODULE_DESCRIPTION("Paired Ethernet devices with scripted clocks and exact hardware stamps, for tests");
MODULE_LICENSE("Dual MIT/GPL");
