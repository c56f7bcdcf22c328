// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * The Ethernet devices and the path between two of them.
 *
 * Received frames go through NAPI: without it the kernel cannot say which interface a hardware stamp is
 * of (SCM_TIMESTAMPING_PKTINFO would have if_index 0), and programs discard the stamp.
 */
#include <linux/etherdevice.h>
#include <linux/ethtool.h>
#include <linux/log2.h>

#include "testnic.h"

/* Of a frame in flight. */
struct flight {
	u64 arrives;		/* truth: the beginning of the frame, which is what is stamped */
	u64 complete;		/* truth: its end */
	u64 stamp;		/* a late transmit stamp, and when (truth) it is handed out */
	u64 due;
};

#define flight_of(skb) ((struct flight *)(skb)->cb)

static bool happens(struct tn_end *end, const uint *ppm)
{
	return ppm[end->number] && prandom_u32_state(&end->random) % 1000000 < ppm[end->number];
}

/* Exponentially distributed, to a tenth: the logarithm of a random number, linear between powers of 2. */
static u64 exponential(struct tn_end *end, u64 mean)
{
	u32 random = prandom_u32_state(&end->random) | 1;
	u32 exponent = ilog2(random);
	u64 mantissa = ((u64)random << (31 - exponent)) & 0x7fffffff;
	u64 log2_256 = (u64)(32 - exponent) * 256 - (mantissa >> 23);

	return mean * log2_256 * 177 / 65536;	/* ln 2 = 177 / 256 */
}

u64 tn_read_jitter(struct tn_end *end)
{
	return exponential(end, tn_parameters.read_jitter_ns[end->number]);
}

/* Preamble, check sequence and gap are on the wire, too. */
static u64 wire_ns(unsigned int length)
{
	return (max_t(unsigned int, length, ETH_ZLEN) + 24) * 8000ULL / max(tn_parameters.speed_mbps, 1U);
}

/* What the device says of a frame that passed at `truth`. False: nothing. */
static bool take_stamp(struct tn_end *end, enum tn_direction direction, u64 truth, u64 *stamp)
{
	u64 right = tn_phc_at(&end->phc, truth);

	end->faults++;
	if (happens(end, tn_parameters.lost_ppm))
		return false;
	if (happens(end, tn_parameters.repeated_ppm))
		*stamp = end->last_stamp[direction];
	else if (happens(end, tn_parameters.swapped_ppm))
		*stamp = end->last_stamp[TN_DIRECTIONS - 1 - direction];
	else if (happens(end, tn_parameters.jumping_ppm))
		*stamp = right + tn_parameters.jump_ns[end->number];
	else
		*stamp = right, end->faults--;
	end->last_stamp[direction] = right;
	end->stamps[direction]++;
	return true;
}

/* Timers know nothing of truth, which may run at another rate: who is too early waits again. */
static void start_timer(struct hrtimer *timer, u64 due)
{
	s64 wait = due - tn_truth();

	/* The kernel takes a negative time for an overflow, and waits forever. */
	hrtimer_start(timer, ns_to_ktime(max_t(s64, wait, 0)), HRTIMER_MODE_REL_SOFT);
}

static void hand_out(struct sk_buff *skb, u64 stamp)
{
	struct skb_shared_hwtstamps stamps = { .hwtstamp = ns_to_ktime(stamp) };

	skb_tstamp_tx(skb, &stamps);
}

static enum hrtimer_restart late_timer(struct hrtimer *timer)
{
	struct tn_end *end = container_of(timer, struct tn_end, late_timer);
	u64 truth = tn_truth();
	struct sk_buff *skb;

	while ((skb = skb_peek(&end->late)) && flight_of(skb)->due <= truth) {
		skb_unlink(skb, &end->late);
		hand_out(skb, flight_of(skb)->stamp);
		dev_kfree_skb_any(skb);
	}
	if (!skb)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(flight_of(skb)->due - truth + 1000));
	return HRTIMER_RESTART;
}

/* Takes the frame over if its stamp comes late. */
static bool stamp_transmitted(struct tn_end *end, struct sk_buff *skb, u64 truth)
{
	u64 stamp;

	if (!take_stamp(end, TN_TX, truth, &stamp))
		return false;
	if (!happens(end, tn_parameters.late_ppm)) {
		hand_out(skb, stamp);
		return false;
	}
	end->faults++;
	flight_of(skb)->stamp = stamp;
	flight_of(skb)->due = truth + tn_parameters.late_us[end->number] * 1000ULL;
	skb_queue_tail(&end->late, skb);
	if (skb_queue_len(&end->late) == 1)
		start_timer(&end->late_timer, flight_of(skb)->due);
	return true;
}

static void send_off(struct tn_end *from, struct sk_buff *copy, u64 leaves, unsigned int length)
{
	struct tn_end *to = from->peer;
	u64 arrives = leaves + tn_parameters.delay_ns[from->number] +
		      exponential(from, tn_parameters.jitter_ns[from->number]);

	arrives = max(arrives, from->arrived_until);
	from->arrived_until = arrives + wire_ns(length);
	flight_of(copy)->arrives = arrives;
	flight_of(copy)->complete = from->arrived_until;
	skb_queue_tail(&to->flying, copy);
	if (skb_queue_len(&to->flying) == 1)
		start_timer(&to->arrival, from->arrived_until);
}

static netdev_tx_t end_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct tn_end *end = *(struct tn_end **)netdev_priv(dev);
	bool wanted = (skb_shinfo(skb)->tx_flags & SKBTX_HW_TSTAMP) && end->config.tx_type == HWTSTAMP_TX_ON;
	struct sk_buff *copy = netif_running(end->peer->dev) ? skb_copy(skb, GFP_ATOMIC) : NULL;
	unsigned int length = skb->len;
	bool taken = false;
	u64 leaves;

	if (wanted)
		skb_shinfo(skb)->tx_flags |= SKBTX_IN_PROGRESS;
	skb_tx_timestamp(skb);

	spin_lock(&end->lock);
	leaves = max(tn_truth(), end->busy_until);
	end->busy_until = leaves + wire_ns(length);
	if (wanted)
		taken = stamp_transmitted(end, skb, leaves);
	if (copy) {
		skb_shinfo(copy)->tx_flags = 0;
		send_off(end, copy, leaves, length);
	}
	spin_unlock(&end->lock);

	dev_sw_netstats_tx_add(dev, 1, length);
	if (!taken)
		dev_consume_skb_any(skb);
	return NETDEV_TX_OK;
}

static void arrive(struct tn_end *end, struct sk_buff *skb)
{
	struct flight flight = *flight_of(skb);
	unsigned int length = skb->len;
	u64 stamp;

	memset(skb->cb, 0, sizeof(skb->cb));
	if (__dev_forward_skb(end->dev, skb) != NET_RX_SUCCESS)
		return;
	spin_lock(&end->lock);
	if (end->config.rx_filter == HWTSTAMP_FILTER_ALL && take_stamp(end, TN_RX, flight.arrives, &stamp))
		skb_hwtstamps(skb)->hwtstamp = ns_to_ktime(stamp);
	spin_unlock(&end->lock);
	dev_sw_netstats_rx_add(end->dev, length);
	skb_queue_tail(&end->received, skb);
}

static enum hrtimer_restart arrival_timer(struct hrtimer *timer)
{
	struct tn_end *end = container_of(timer, struct tn_end, arrival);
	u64 truth = tn_truth();
	struct sk_buff *skb;

	while ((skb = skb_peek(&end->flying)) && flight_of(skb)->complete <= truth) {
		skb_unlink(skb, &end->flying);
		arrive(end, skb);
	}
	if (!skb_queue_empty(&end->received))
		napi_schedule(&end->napi);
	if (!skb)
		return HRTIMER_NORESTART;
	hrtimer_forward_now(timer, ns_to_ktime(flight_of(skb)->complete - truth + 100));
	return HRTIMER_RESTART;
}

static int end_poll(struct napi_struct *napi, int budget)
{
	struct tn_end *end = container_of(napi, struct tn_end, napi);
	struct sk_buff *skb;
	int work = 0;

	while (work < budget && (skb = skb_dequeue(&end->received))) {
		napi_gro_receive(napi, skb);
		work++;
	}
	if (work < budget && napi_complete_done(napi, work) && !skb_queue_empty(&end->received))
		napi_schedule(napi);
	return work;
}

static int end_open(struct net_device *dev)
{
	struct tn_end *end = *(struct tn_end **)netdev_priv(dev);

	napi_enable(&end->napi);
	if (netif_running(end->peer->dev)) {
		netif_carrier_on(dev);
		netif_carrier_on(end->peer->dev);
	}
	netif_start_queue(dev);
	return 0;
}

static int end_stop(struct net_device *dev)
{
	struct tn_end *end = *(struct tn_end **)netdev_priv(dev);

	netif_stop_queue(dev);
	netif_carrier_off(dev);
	netif_carrier_off(end->peer->dev);
	hrtimer_cancel(&end->arrival);
	hrtimer_cancel(&end->late_timer);
	napi_disable(&end->napi);
	skb_queue_purge(&end->flying);
	skb_queue_purge(&end->received);
	skb_queue_purge(&end->late);
	return 0;
}

static int end_set_stamping(struct net_device *dev, struct kernel_hwtstamp_config *config,
			    struct netlink_ext_ack *extack)
{
	struct tn_end *end = *(struct tn_end **)netdev_priv(dev);

	if (config->tx_type > HWTSTAMP_TX_ON)
		return -ERANGE;
	if (config->rx_filter != HWTSTAMP_FILTER_NONE) {
		if (!tn_parameters.rx_all)
			return -ERANGE;
		config->rx_filter = HWTSTAMP_FILTER_ALL;
	}
	end->config = *config;
	return 0;
}

static int end_get_stamping(struct net_device *dev, struct kernel_hwtstamp_config *config)
{
	*config = (*(struct tn_end **)netdev_priv(dev))->config;
	return 0;
}

static const struct net_device_ops end_ops = {
	.ndo_open = end_open,
	.ndo_stop = end_stop,
	.ndo_start_xmit = end_xmit,
	.ndo_set_mac_address = eth_mac_addr,
	.ndo_hwtstamp_set = end_set_stamping,
	.ndo_hwtstamp_get = end_get_stamping,
};

static int end_ts_info(struct net_device *dev, struct kernel_ethtool_ts_info *info)
{
	struct tn_end *end = *(struct tn_end **)netdev_priv(dev);

	info->so_timestamping = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_RX_HARDWARE |
				SOF_TIMESTAMPING_RAW_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE |
				SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_SOFTWARE;
	info->phc_index = ptp_clock_index(end->phc.clock);
	info->tx_types = BIT(HWTSTAMP_TX_OFF) | BIT(HWTSTAMP_TX_ON);
	info->rx_filters = BIT(HWTSTAMP_FILTER_NONE);
	if (tn_parameters.rx_all)
		info->rx_filters |= BIT(HWTSTAMP_FILTER_ALL);
	return 0;
}

static int end_link(struct net_device *dev, struct ethtool_link_ksettings *settings)
{
	settings->base.speed = tn_parameters.speed_mbps;
	settings->base.duplex = DUPLEX_FULL;
	return 0;
}

static void end_drvinfo(struct net_device *dev, struct ethtool_drvinfo *info)
{
	strscpy(info->driver, "testnic", sizeof(info->driver));
	strscpy(info->bus_info, dev_name(dev->dev.parent), sizeof(info->bus_info));
}

static const struct ethtool_ops end_ethtool_ops = {
	.get_link = ethtool_op_get_link,
	.get_ts_info = end_ts_info,
	.get_link_ksettings = end_link,
	.get_drvinfo = end_drvinfo,
};

static void end_setup(struct net_device *dev)
{
	ether_setup(dev);
	dev->netdev_ops = &end_ops;
	dev->ethtool_ops = &end_ethtool_ops;
	dev->pcpu_stat_type = NETDEV_PCPU_STAT_TSTATS;
	dev->priv_flags &= ~IFF_TX_SKB_SHARING;
}

int tn_end_create(struct tn_end *end, int number)
{
	u8 address[ETH_ALEN] = { 0x02, 't', 'e', 's', 't', number };
	int error;

	BUILD_BUG_ON(sizeof(struct flight) > sizeof_field(struct sk_buff, cb));
	end->number = number;
	spin_lock_init(&end->lock);
	prandom_seed_state(&end->random, tn_parameters.seed * 1000ULL + 500 + number);
	skb_queue_head_init(&end->flying);
	skb_queue_head_init(&end->received);
	skb_queue_head_init(&end->late);
	hrtimer_init(&end->arrival, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	end->arrival.function = arrival_timer;
	hrtimer_init(&end->late_timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL_SOFT);
	end->late_timer.function = late_timer;

	end->parent = platform_device_register_simple("testnic", number, NULL, 0);
	if (IS_ERR(end->parent))
		return PTR_ERR(end->parent);
	error = tn_phc_register(&end->phc, &end->parent->dev, number);
	if (error)
		return error;
	end->dev = alloc_netdev(sizeof(struct tn_end *), "tn%d", NET_NAME_ENUM, end_setup);
	if (!end->dev)
		return -ENOMEM;
	*(struct tn_end **)netdev_priv(end->dev) = end;
	SET_NETDEV_DEV(end->dev, &end->parent->dev);
	eth_hw_addr_set(end->dev, address);
	netif_napi_add(end->dev, &end->napi, end_poll);
	return 0;
}

void tn_end_close(struct tn_end *end)
{
	if (end->dev && end->dev->reg_state == NETREG_REGISTERED)
		unregister_netdev(end->dev);
}

void tn_end_free(struct tn_end *end)
{
	if (end->dev)
		free_netdev(end->dev);
	tn_phc_unregister(&end->phc);
	if (!IS_ERR_OR_NULL(end->parent))
		platform_device_unregister(end->parent);
}
