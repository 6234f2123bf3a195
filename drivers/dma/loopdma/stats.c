// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: counters, and the files that show them.
 *
 * They are always on.  What accrues with time needs the clock, which is read
 * once for all that is issued together, and once for all that is found to have
 * ended together.
 */
#include <linux/debugfs.h>
#include <linux/lockdep.h>
#include <linux/seq_file.h>
#include <linux/timekeeping.h>
#include <kunit/visibility.h>

#include "loopdma.h"

/**
 * loopdma_stats_clock() - bring what accrues with time up to now
 * @lc: channel, locked
 *
 * To be called before the depth changes.
 */
void loopdma_stats_clock(struct loopdma_chan *lc)
{
	struct loopdma_stats *stats = &lc->stats;
	u64 now = ktime_get_ns();
	u64 passed = now - stats->clock_ns;

	lockdep_assert_held(&lc->lock);

	stats->clock_ns = now;
	stats->depth_ns += passed * stats->depth;
	if (stats->depth)
		stats->busy_ns += passed;
}

/**
 * loopdma_stats_error() - count a transaction that has failed
 * @lc: channel, locked
 * @status: enum loopdma_hw_status
 */
void loopdma_stats_error(struct loopdma_chan *lc, u32 status)
{
	struct loopdma_stats *stats = &lc->stats;

	lockdep_assert_held(&lc->lock);

	switch (status) {
	case LOOPDMA_ST_READ:
		stats->errors_read++;
		break;
	case LOOPDMA_ST_WRITE:
		stats->errors_write++;
		break;
	case LOOPDMA_ST_DATA:
		stats->errors_data++;
		break;
	case LOOPDMA_ST_ABORTED:
		stats->errors_aborted++;
		break;
	default:
		stats->errors_other++;
		break;
	}
}

/**
 * loopdma_stats_read() - the counters of a channel
 * @lc: channel
 * @stats: set to them, all of the same instant
 *
 * Context: any.
 */
void loopdma_stats_read(struct loopdma_chan *lc, struct loopdma_stats *stats)
{
	unsigned long flags;

	spin_lock_irqsave(&lc->lock, flags);
	loopdma_stats_clock(lc);
	*stats = lc->stats;
	spin_unlock_irqrestore(&lc->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_stats_read);

/* How a counter is called in all files, and where it is. */
struct loopdma_counter {
	const char *name;
	size_t offset;
};

#define LOOPDMA_COUNTER(name) { #name, offsetof(struct loopdma_stats, name) }

static const struct loopdma_counter loopdma_counters[] = {
	LOOPDMA_COUNTER(clock_ns),
	LOOPDMA_COUNTER(transfers),
	LOOPDMA_COUNTER(bytes),
	LOOPDMA_COUNTER(errors_read),
	LOOPDMA_COUNTER(errors_write),
	LOOPDMA_COUNTER(errors_data),
	LOOPDMA_COUNTER(errors_aborted),
	LOOPDMA_COUNTER(errors_other),
	LOOPDMA_COUNTER(terminated),
	LOOPDMA_COUNTER(interrupts),
	LOOPDMA_COUNTER(lost_irqs),
	LOOPDMA_COUNTER(stalls),
	LOOPDMA_COUNTER(recoveries),
	LOOPDMA_COUNTER(channel_resets),
	LOOPDMA_COUNTER(device_resets),
	LOOPDMA_COUNTER(doorbells),
	LOOPDMA_COUNTER(depth),
	LOOPDMA_COUNTER(depth_ns),
	LOOPDMA_COUNTER(busy_ns),
};

static u64 *loopdma_counter_of(const struct loopdma_stats *stats,
			       const struct loopdma_counter *counter)
{
	return (u64 *)((char *)stats + counter->offset);
}

/**
 * loopdma_stats_sum() - the counters of a device
 * @ld: device
 * @stats: set to the sums over its channels, one channel after the other; the
 *	clock is that of the last
 *
 * Context: any.
 */
void loopdma_stats_sum(struct loopdma_dev *ld, struct loopdma_stats *stats)
{
	struct loopdma_stats one;
	u32 i, j;

	memset(stats, 0, sizeof(*stats));
	for (i = 0; i < ld->lim.channels; i++) {
		loopdma_stats_read(&ld->chan[i], &one);
		for (j = 0; j < ARRAY_SIZE(loopdma_counters); j++)
			*loopdma_counter_of(stats, &loopdma_counters[j]) +=
				*loopdma_counter_of(&one, &loopdma_counters[j]);
		stats->clock_ns = one.clock_ns;
	}
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_stats_sum);

/**
 * loopdma_stats_errors() - errors of all kinds
 * @stats: counters
 *
 * Return: their number.
 */
u64 loopdma_stats_errors(const struct loopdma_stats *stats)
{
	return stats->errors_read + stats->errors_write + stats->errors_data +
	       stats->errors_aborted + stats->errors_other;
}

/**
 * loopdma_stats_print() - show counters, a line with name and value for each
 * @s: where to
 * @stats: counters
 */
void loopdma_stats_print(struct seq_file *s, const struct loopdma_stats *stats)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(loopdma_counters); i++)
		seq_printf(s, "%s %llu\n", loopdma_counters[i].name,
			   *loopdma_counter_of(stats, &loopdma_counters[i]));
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_stats_print);

static int loopdma_chan_stats_show(struct seq_file *s, void *unused)
{
	struct loopdma_stats stats;

	loopdma_stats_read(s->private, &stats);
	loopdma_stats_print(s, &stats);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(loopdma_chan_stats);

static int loopdma_dev_stats_show(struct seq_file *s, void *unused)
{
	struct loopdma_stats stats;

	loopdma_stats_sum(s->private, &stats);
	loopdma_stats_print(s, &stats);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(loopdma_dev_stats);

/**
 * loopdma_stats_dev_file() - offer the counters of a device in debugfs
 * @ld: device
 * @dir: its directory
 *
 * Context: may sleep.
 */
void loopdma_stats_dev_file(struct loopdma_dev *ld, struct dentry *dir)
{
	debugfs_create_file("stats", 0400, dir, ld, &loopdma_dev_stats_fops);
}

/**
 * loopdma_stats_chan_file() - offer the counters of a channel in debugfs
 * @lc: channel
 * @dir: its directory
 *
 * Context: may sleep.
 */
void loopdma_stats_chan_file(struct loopdma_chan *lc, struct dentry *dir)
{
	debugfs_create_file("stats", 0400, dir, lc, &loopdma_chan_stats_fops);
}
