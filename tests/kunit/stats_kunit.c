// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_stats: the counters.
 *
 * Rules are those of Documentation/driver.rst, "Counters".  The cases know the
 * driver's structures: what files show is made of nothing else.
 */
#include <linux/seq_file.h>
#include <linux/string.h>
#include <linux/timekeeping.h>

#include "loopdma.h"
#include "dut.h"

#define LEN 256

static struct loopdma_stats stats_of(struct dma_chan *chan)
{
	struct loopdma_stats stats;

	loopdma_stats_read(to_loopdma_chan(chan), &stats);
	return stats;
}

static u64 *counters(struct loopdma_stats *stats)
{
	return (u64 *)stats;
}

#define NCOUNTERS (sizeof(struct loopdma_stats) / sizeof(u64))

/* What has been added since; of the depth, what it is now. */
static struct loopdma_stats since(struct dma_chan *chan,
				  struct loopdma_stats before)
{
	struct loopdma_stats now = stats_of(chan);
	u64 depth = now.depth;
	unsigned int i;

	for (i = 0; i < NCOUNTERS; i++)
		counters(&now)[i] -= counters(&before)[i];
	now.depth = depth;
	return now;
}

/* This has been added, of what transactions and errors are counted by, and no more. */
static void expect_added(struct kunit *test, const struct loopdma_stats *s,
			 struct loopdma_stats want)
{
	KUNIT_EXPECT_EQ(test, want.transfers, s->transfers);
	KUNIT_EXPECT_EQ(test, want.bytes, s->bytes);
	KUNIT_EXPECT_EQ(test, want.errors_read, s->errors_read);
	KUNIT_EXPECT_EQ(test, want.errors_write, s->errors_write);
	KUNIT_EXPECT_EQ(test, want.errors_data, s->errors_data);
	KUNIT_EXPECT_EQ(test, want.errors_aborted, s->errors_aborted);
	KUNIT_EXPECT_EQ(test, want.errors_other, s->errors_other);
	KUNIT_EXPECT_EQ(test, want.terminated, s->terminated);
	KUNIT_EXPECT_EQ(test, want.lost_irqs, s->lost_irqs);
	KUNIT_EXPECT_EQ(test, want.recoveries, s->recoveries);
	KUNIT_EXPECT_EQ(test, want.depth, s->depth);
}

static void finish(struct ldk_xfer *x, unsigned int n)
{
	while (n--)
		ldk_finish(x++);
}

/* Rule: transfers, bytes, doorbells and interrupts are counted, one by one. */
static void copies_counted(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_stats before = stats_of(chan), s;
	u32 interrupts = ldk_interrupts(chan), told = ldk_doorbells(chan);
	struct ldk_xfer *c = ldk_copies_issued(dut, chan, 3, LEN);

	finish(c, 3);
	s = since(chan, before);
	expect_added(test, &s, (struct loopdma_stats) { .transfers = 3, .bytes = 3 * LEN });
	KUNIT_EXPECT_EQ(test, 1ULL, s.doorbells);
	KUNIT_EXPECT_EQ(test, ldk_doorbells(chan) - told, (u32)s.doorbells);
	/* The last may still be on its way. */
	KUNIT_EXPECT_TRUE(test,
			  ldk_poll((u32)since(chan, before).interrupts ==
				   ldk_interrupts(chan) - interrupts));
	KUNIT_EXPECT_GE(test, since(chan, before).interrupts, 1ULL);

	before = stats_of(chan);
	c = ldk_copies_issued(dut, chan, 1, LEN);
	finish(c, 1);
	KUNIT_EXPECT_EQ(test, 1ULL, since(chan, before).transfers);
	KUNIT_EXPECT_EQ(test, 1ULL, since(chan, before).doorbells);
}

struct kind {
	const char *name;
	u32 status;
	size_t offset;
};

static const struct kind kinds[] = {
	{ "read fault", LOOPDMA_ST_READ,
	  offsetof(struct loopdma_stats, errors_read) },
	{ "write fault", LOOPDMA_ST_WRITE,
	  offsetof(struct loopdma_stats, errors_write) },
	{ "not the pattern", LOOPDMA_ST_DATA,
	  offsetof(struct loopdma_stats, errors_data) },
	{ "aborted", LOOPDMA_ST_ABORTED,
	  offsetof(struct loopdma_stats, errors_aborted) },
	{ "refused", LOOPDMA_ST_OPCODE,
	  offsetof(struct loopdma_stats, errors_other) },
	{ "unknown", 0xee, offsetof(struct loopdma_stats, errors_other) },
};

KUNIT_ARRAY_PARAM_DESC(kinds, kinds, name);

/*
 * Rule: an error is counted once, by its kind, and is no transfer; what was
 * moved before it are bytes.
 */
static void error_counted_by_kind(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_stats before = stats_of(chan), s, want = {
		.transfers = 2, .bytes = 2 * LEN + 16,
	};
	struct ldk_xfer *c;
	unsigned int i;

	/* 16 bytes of the second. */
	loopdma_hw_write(to_loopdma_chan(chan), LOOPDMA_CH_TC_FAIL_BYTES, 16);
	loopdma_hw_write(to_loopdma_chan(chan), LOOPDMA_CH_TC_FAIL,
			 2 | kind->status << 16);
	c = ldk_copies_issued(dut, chan, 3, LEN);
	for (i = 0; i < 3; i++)
		KUNIT_ASSERT_TRUE(test, ldk_wait(&c[i]));
	s = since(chan, before);
	*(u64 *)((char *)&want + kind->offset) = 1;
	expect_added(test, &s, want);
}

/*
 * Rule: what is terminated is counted as that alone, issued or not; one that is
 * in the ring is in the depth until the device has let go of it.
 */
static void terminated_counted(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_stats before = stats_of(chan), s;

	ldk_hold(chan);
	ldk_copies_issued(dut, chan, 2, LEN);
	ldk_copies_submitted(dut, chan, 3, LEN);
	KUNIT_EXPECT_EQ(test, 2ULL, stats_of(chan).depth);
	dmaengine_terminate_sync(chan);
	s = since(chan, before);
	expect_added(test, &s, (struct loopdma_stats) { .terminated = 5 });

	/* And it counts on. */
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
	s = since(chan, before);
	expect_added(test, &s, (struct loopdma_stats) {
		.terminated = 5, .transfers = 1, .bytes = LEN,
	});
}

/*
 * Rule: what a recovery takes is counted as aborted, and the recovery once; what
 * waited for it is in the depth meanwhile, and is a transfer afterwards.
 */
static void recovery_counted(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_stats before = stats_of(chan), s;
	struct ldk_xfer *c;

	dut->trouble = true;
	ldk_hold(chan);
	c = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_break(chan);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&c[1]));
	s = since(chan, before);
	expect_added(test, &s, (struct loopdma_stats) {
		.recoveries = 1, .errors_aborted = 2,
	});

	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
	s = since(chan, before);
	expect_added(test, &s, (struct loopdma_stats) {
		.recoveries = 1, .errors_aborted = 2, .transfers = 1, .bytes = LEN,
	});
}

/* Rule: a lost interrupt is counted when the watchdog has found it. */
static void rescue_counted(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_stats before = stats_of(chan), s;
	struct ldk_xfer *c;

	dut->trouble = true;
	ldk_drop_irq(chan, 1);
	c = ldk_copies_issued(dut, chan, 1, LEN);
	finish(c, 1);
	s = since(chan, before);
	expect_added(test, &s, (struct loopdma_stats) {
		.lost_irqs = 1, .transfers = 1, .bytes = LEN,
	});
	KUNIT_EXPECT_EQ(test, 0ULL, s.interrupts);
}

/* What accrues while nothing changes. */
static struct loopdma_stats while_waiting(struct kunit *test,
					  struct dma_chan *chan)
{
	struct loopdma_stats before = stats_of(chan), s;

	KUNIT_EXPECT_TRUE(test, ldk_poll((s = since(chan, before)).clock_ns));
	return s;
}

/*
 * Rule: the depth counts what is issued and has not ended, its integral and the
 * busy time grow with the clock, exactly.
 */
static void time_accrues(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_stats s = while_waiting(test, chan);
	struct ldk_xfer *one, *two;

	KUNIT_EXPECT_EQ(test, 0ULL, s.depth);
	KUNIT_EXPECT_EQ(test, 0ULL, s.depth_ns);
	KUNIT_EXPECT_EQ(test, 0ULL, s.busy_ns);

	ldk_hold(chan);
	one = ldk_copies_submitted(dut, chan, 1, LEN);
	s = while_waiting(test, chan);
	KUNIT_EXPECT_EQ(test, 0ULL, s.depth);
	KUNIT_EXPECT_EQ(test, 0ULL, s.busy_ns);

	dma_async_issue_pending(chan);
	s = while_waiting(test, chan);
	KUNIT_EXPECT_EQ(test, 1ULL, s.depth);
	KUNIT_EXPECT_EQ(test, s.clock_ns, s.depth_ns);
	KUNIT_EXPECT_EQ(test, s.clock_ns, s.busy_ns);

	two = ldk_copies_issued(dut, chan, 2, LEN);
	s = while_waiting(test, chan);
	KUNIT_EXPECT_EQ(test, 3ULL, s.depth);
	KUNIT_EXPECT_EQ(test, 3 * s.clock_ns, s.depth_ns);
	KUNIT_EXPECT_EQ(test, s.clock_ns, s.busy_ns);

	ldk_step(chan, 1);
	finish(one, 1);
	s = while_waiting(test, chan);
	KUNIT_EXPECT_EQ(test, 2ULL, s.depth);
	KUNIT_EXPECT_EQ(test, 2 * s.clock_ns, s.depth_ns);

	ldk_unhold(chan);
	finish(two, 2);
	s = while_waiting(test, chan);
	KUNIT_EXPECT_EQ(test, 0ULL, s.depth);
	KUNIT_EXPECT_EQ(test, 0ULL, s.depth_ns);
	KUNIT_EXPECT_EQ(test, 0ULL, s.busy_ns);
}

/* Let the clock go on, without a look at the counters. */
static u64 pass_time(void)
{
	u64 from = ktime_get_ns(), now;

	do {
		usleep_range(50, 100);
		now = ktime_get_ns();
	} while (now == from);
	return now;
}

/*
 * Rule: the time before something is issued is not busy, and that before it has
 * ended is, though nobody has looked in between.
 */
static void changes_timed(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_stats before, s;
	struct ldk_xfer *c;
	u64 until;

	ldk_hold(chan);
	c = ldk_copies_submitted(dut, chan, 2, LEN);
	before = stats_of(chan);
	until = pass_time();
	dma_async_issue_pending(chan);
	s = since(chan, before);
	KUNIT_EXPECT_LE(test, s.busy_ns, before.clock_ns + s.clock_ns - until);
	KUNIT_EXPECT_EQ(test, 2 * s.busy_ns, s.depth_ns);

	before = stats_of(chan);
	until = pass_time();
	ldk_unhold(chan);
	finish(c, 2);
	s = since(chan, before);
	KUNIT_EXPECT_GE(test, s.busy_ns, until - before.clock_ns);
	KUNIT_EXPECT_LE(test, s.busy_ns, s.clock_ns);
	KUNIT_EXPECT_LE(test, s.busy_ns, s.depth_ns);
	KUNIT_EXPECT_LE(test, s.depth_ns, 2 * s.busy_ns);
}

/*
 * Rule: what does not fit into the ring is in the depth as well, and a doorbell
 * is counted whenever some of it does.
 */
static void full_ring_counted(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 1);
	struct loopdma_stats before, s;
	struct ldk_xfer *c;
	unsigned int n;
	u32 told;

	before = stats_of(chan);
	told = ldk_doorbells(chan);
	ldk_hold(chan);
	n = ldk_ring_size(chan) + 3;
	c = ldk_copies_issued(dut, chan, n, LEN);
	KUNIT_EXPECT_EQ(test, (u64)n, stats_of(chan).depth);
	ldk_unhold(chan);
	finish(c, n);
	s = since(chan, before);
	KUNIT_EXPECT_EQ(test, (u64)n, s.transfers);
	KUNIT_EXPECT_GT(test, s.doorbells, 1ULL);
	KUNIT_EXPECT_EQ(test, ldk_doorbells(chan) - told, (u32)s.doorbells);
	KUNIT_EXPECT_EQ(test, 0ULL, s.depth);
}

/* Rule: a device counts what all of its channels do. */
static void device_sums(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *a = ldk_request(dut), *b = ldk_request(dut);
	struct loopdma_stats before, after;
	struct ldk_xfer *c, *d;

	loopdma_stats_sum(dut->ld, &before);
	ldk_hold(b);
	c = ldk_copies_issued(dut, a, 1, LEN);
	d = ldk_copies_issued(dut, b, 2, LEN);
	finish(c, 1);
	loopdma_stats_sum(dut->ld, &after);
	KUNIT_EXPECT_EQ(test, 1ULL, after.transfers - before.transfers);
	KUNIT_EXPECT_EQ(test, (u64)LEN, after.bytes - before.bytes);
	KUNIT_EXPECT_EQ(test, 2ULL, after.depth - before.depth);
	KUNIT_EXPECT_EQ(test, 2ULL, after.doorbells - before.doorbells);
	KUNIT_EXPECT_GE(test, after.clock_ns, before.clock_ns);
	ldk_unhold(b);
	finish(d, 2);
	loopdma_stats_sum(dut->ld, &after);
	KUNIT_EXPECT_EQ(test, 3ULL, after.transfers - before.transfers);
	KUNIT_EXPECT_EQ(test, before.depth, after.depth);
}

/* Rule: removal ends everything, for the counters, too. */
static void removal_counted(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_stats s;

	ldk_hold(chan);
	ldk_copies_issued(dut, chan, 2, LEN);
	ldk_copies_submitted(dut, chan, 1, LEN);
	ldk_remove(dut);
	s = stats_of(chan);
	KUNIT_EXPECT_EQ(test, 3ULL, s.errors_aborted);
	KUNIT_EXPECT_EQ(test, 0ULL, s.depth);
}

/* Rule: a line for each counter, its name and its value. */
static void printed(struct kunit *test)
{
	static const char * const names[] = {
		"clock_ns", "transfers", "bytes", "errors_read", "errors_write",
		"errors_data", "errors_aborted", "errors_other", "terminated",
		"interrupts", "lost_irqs", "stalls", "recoveries",
		"channel_resets", "device_resets", "doorbells", "depth",
		"depth_ns", "busy_ns",
	};
	struct seq_file *s = ldk_alloc(test, sizeof(*s));
	struct loopdma_stats stats;
	char want[32], *at;
	unsigned int i;

	s->size = SZ_4K;
	s->buf = ldk_alloc(test, s->size);
	KUNIT_ASSERT_EQ(test, NCOUNTERS, ARRAY_SIZE(names));
	for (i = 0; i < NCOUNTERS; i++)
		counters(&stats)[i] = i ? i : U64_MAX;
	loopdma_stats_print(s, &stats);

	at = s->buf;
	for (i = 0; i < NCOUNTERS; i++) {
		snprintf(want, sizeof(want), "%s %llu\n", names[i],
			 counters(&stats)[i]);
		KUNIT_EXPECT_EQ_MSG(test, 0, strncmp(at, want, strlen(want)),
				    "'%s' instead of '%s'", at, want);
		at += strlen(want);
	}
	KUNIT_EXPECT_EQ(test, (size_t)(at - s->buf), s->count);
}

static struct kunit_case stats_cases[] = {
	KUNIT_CASE(copies_counted),
	KUNIT_CASE_PARAM(error_counted_by_kind, kinds_gen_params),
	KUNIT_CASE(terminated_counted),
	KUNIT_CASE(recovery_counted),
	KUNIT_CASE_SLOW(rescue_counted),
	KUNIT_CASE(time_accrues),
	KUNIT_CASE(changes_timed),
	KUNIT_CASE(full_ring_counted),
	KUNIT_CASE(device_sums),
	KUNIT_CASE(removal_counted),
	KUNIT_CASE(printed),
	{}
};

LDK_SUITE("loopdma_stats", stats_cases);
