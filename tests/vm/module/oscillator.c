// SPDX-License-Identifier: MIT OR GPL-2.0
/*
 * A clock on a scripted oscillator: pieces of constant rate. The last pieces are kept, so that a frame
 * can be stamped after the fact with the reading of the moment when it was on the wire.
 */
#include "testnic.h"

static s128 value_at(const struct tn_segment *s, u64 input)
{
	s64 passed = (s64)(input - s->start);

	return s->value + (s128)passed * ((1LL << 60) + (s128)s->rate);
}

static s64 rate_of(const struct tn_oscillator *o)
{
	if (o->stalled)
		return TN_RATE_STOPPED;
	return o->drift + o->steer + (s64)(((s128)o->drift * o->steer) >> 60);
}

static void begin_segment(struct tn_oscillator *o, u64 start, s128 by)
{
	s128 value = value_at(&o->ring[o->newest], start) + by;

	o->newest = (o->newest + 1) % TN_SEGMENTS;
	o->ring[o->newest] = (struct tn_segment){ .start = start, .value = value, .rate = rate_of(o) };
}

/* Twelve uniform numbers: mean 0, standard deviation 2^16. */
static s64 gauss(struct rnd_state *random)
{
	s64 sum = -6 * 65536;
	int i;

	for (i = 0; i < 12; i++)
		sum += prandom_u32_state(random) >> 16;
	return sum;
}

static void advance(struct tn_oscillator *o, u64 input)
{
	u64 start = o->ring[o->newest].start;

	while ((s64)(input - start) >= (s64)TN_SEGMENT_NS) {
		start += TN_SEGMENT_NS;
		/* 0.12953: the root of a segment's length in seconds */
		o->drift += (gauss(&o->random) * (s64)o->wander_ppt * (TN_RATE_PER_PPT * 12953 / 100000)) >> 16;
		begin_segment(o, start, 0);
	}
}

void tn_oscillator_init(struct tn_oscillator *o, u64 input, u64 output, s64 drift_ppt, u32 wander_ppt, u64 seed)
{
	memset(o, 0, sizeof(*o));
	spin_lock_init(&o->lock);
	prandom_seed_state(&o->random, seed);
	o->drift = drift_ppt * TN_RATE_PER_PPT;
	o->wander_ppt = wander_ppt;
	o->ring[0] = (struct tn_segment){ .start = input, .value = (s128)output << 60, .rate = rate_of(o) };
}

u64 tn_oscillator_read(struct tn_oscillator *o, u64 input)
{
	unsigned long flags;
	unsigned int i, n;
	u64 output;

	spin_lock_irqsave(&o->lock, flags);
	advance(o, input);
	for (i = o->newest, n = 1; n < TN_SEGMENTS; n++) {
		unsigned int before = (i + TN_SEGMENTS - 1) % TN_SEGMENTS;

		if ((s64)(input - o->ring[i].start) >= 0 || !o->ring[before].value)
			break;
		i = before;
	}
	output = (u64)(value_at(&o->ring[i], input) >> 60);
	spin_unlock_irqrestore(&o->lock, flags);
	return output;
}

#define CHANGE(o, input, by, statement)					\
	do {								\
		unsigned long flags;					\
		spin_lock_irqsave(&(o)->lock, flags);			\
		advance(o, input);					\
		statement;						\
		begin_segment(o, input, by);				\
		spin_unlock_irqrestore(&(o)->lock, flags);		\
	} while (0)

void tn_oscillator_step(struct tn_oscillator *o, u64 input, s64 by)
{
	CHANGE(o, input, (s128)by << 60, (void)0);
}

void tn_oscillator_steer(struct tn_oscillator *o, u64 input, s64 rate)
{
	CHANGE(o, input, 0, o->steer = rate);
}

void tn_oscillator_drift(struct tn_oscillator *o, u64 input, s64 ppt)
{
	CHANGE(o, input, 0, o->drift = ppt * TN_RATE_PER_PPT);
}

void tn_oscillator_wander(struct tn_oscillator *o, u64 input, u32 ppt)
{
	CHANGE(o, input, 0, o->wander_ppt = ppt);
}

void tn_oscillator_stall(struct tn_oscillator *o, u64 input, bool stalled)
{
	CHANGE(o, input, 0, o->stalled = stalled);
}
