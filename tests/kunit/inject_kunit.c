// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_inject: faults on demand, and who is told of them.
 *
 * Rules are those of Documentation/driver.rst, "Results", "Termination and
 * recovery" and "Fault injection".  The controls of the device are written as
 * the files in debugfs write them, which loopdmactl is tested with in guests.
 */
#include <linux/bitfield.h>
#include <linux/bitops.h>
#include <linux/fault-inject.h>
#include <linux/ktime.h>
#include <linux/overflow.h>
#include <linux/string.h>

#include "loopdma.h"
#include "dut.h"

#define LEN	256
#define PART	48

static void control(struct dma_chan *chan, u32 reg, u32 val)
{
	loopdma_hw_write(to_loopdma_chan(chan), reg, val);
}

static u32 setting(struct dma_chan *chan, u32 reg)
{
	return loopdma_hw_read(to_loopdma_chan(chan), reg);
}

/* The controls that came with version 1.3 of the contract. */
static struct dma_chan *request_with_faults(struct ldk_dut *dut)
{
	if (!ldk_has_faults(dut))
		kunit_skip(dut->test, "the device has not these faults");
	return ldk_request(dut);
}

static struct loopdma_stats stats_of(struct dma_chan *chan)
{
	struct loopdma_stats stats;

	loopdma_stats_read(to_loopdma_chan(chan), &stats);
	return stats;
}

/* --- Errors, and whose they are ---------------------------------------------- */

struct kind {
	const char *name;
	u32 status;
	enum dmaengine_tx_result result;
};

static const struct kind kinds[] = {
	{ "opcode", LOOPDMA_ST_OPCODE, DMA_TRANS_ABORTED },
	{ "reserved field", LOOPDMA_ST_RESERVED, DMA_TRANS_ABORTED },
	{ "length", LOOPDMA_ST_LENGTH, DMA_TRANS_ABORTED },
	{ "alignment", LOOPDMA_ST_ALIGN, DMA_TRANS_ABORTED },
	{ "read fault", LOOPDMA_ST_READ, DMA_TRANS_READ_FAILED },
	{ "write fault", LOOPDMA_ST_WRITE, DMA_TRANS_WRITE_FAILED },
	{ "width or burst", LOOPDMA_ST_PERIPH, DMA_TRANS_ABORTED },
	{ "aborted", LOOPDMA_ST_ABORTED, DMA_TRANS_ABORTED },
	{ "skipped", LOOPDMA_ST_SKIPPED, DMA_TRANS_ABORTED },
	{ "sources", LOOPDMA_ST_ARG, DMA_TRANS_ABORTED },
	{ "not the pattern", LOOPDMA_ST_DATA, DMA_TRANS_WRITE_FAILED },
	{ "unknown", 0xee, DMA_TRANS_ABORTED },
};

KUNIT_ARRAY_PARAM_DESC(kinds, kinds, name);

static void fail(struct dma_chan *chan, u32 after, u32 status, u32 bytes)
{
	control(chan, LOOPDMA_CH_TC_FAIL_BYTES, bytes);
	control(chan, LOOPDMA_CH_TC_FAIL,
		FIELD_PREP(LOOPDMA_CH_TC_FAIL_AFTER, after) |
		FIELD_PREP(LOOPDMA_CH_TC_FAIL_STATUS, status));
}

/*
 * Rule: an error of any kind is told to the client whose transaction it is, for
 * that cookie, with what was moved before; what is queued before and behind
 * completes, in order, and other channels do not notice.
 */
static void error_told_to_its_client(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	struct ldk_xfer *c = ldk_copies_submitted(dut, chan, 5, LEN);
	struct ldk_xfer *o = ldk_copies_submitted(dut, other, 2, LEN);
	unsigned int i;

	fail(chan, 3, kind->status, PART);
	dma_async_issue_pending(other);
	dma_async_issue_pending(chan);
	for (i = 0; i < 5; i++)
		KUNIT_ASSERT_TRUE(test, ldk_wait(&c[i]));
	for (i = 0; i < 5; i++) {
		if (i == 2) {
			ldk_expect_failed(&c[i], kind->result, LEN - PART);
			ldk_expect_moved_part(dut, c[i].dst, c[i].src, PART);
			ldk_expect_status(&c[i], DMA_ERROR);
		} else {
			ldk_expect_copied(&c[i], 1);
			ldk_expect_status(&c[i], DMA_COMPLETE);
		}
		if (i)
			KUNIT_EXPECT_GT(test, c[i].stamp, c[i - 1].stamp);
	}
	ldk_expect_copied(o, 2);
}

/* A copy of three chunks, each of which has a descriptor of its own. */
static void submit_chunks(struct kunit *test, struct ldk_xfer *c)
{
	struct dma_async_tx_descriptor *tx;
	struct dma_interleaved_template *xt = ldk_alloc(test, struct_size(xt, sgl, 1));

	xt->src_start = c->src->dma;
	xt->dst_start = c->dst->dma;
	xt->dir = DMA_MEM_TO_MEM;
	xt->src_inc = true;
	xt->dst_inc = true;
	xt->numf = 3;
	xt->frame_size = 1;
	xt->sgl[0].size = c->src->len / 3;
	tx = dmaengine_prep_interleaved_dma(c->chan, xt, DMA_PREP_INTERRUPT);
	ldk_queue(c, tx);
}

/*
 * Rule: of a transaction of several descriptors the first that fails decides,
 * the rest is skipped, and the residue is what neither it nor those before it
 * have moved.
 */
static void error_ends_its_chain(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *c = ldk_copies(dut, chan, 2, 3 * LEN);
	unsigned int i;

	for (i = 0; i < 2; i++)
		submit_chunks(test, &c[i]);
	/* The second of three. */
	fail(chan, 2, kind->status, PART);
	dma_async_issue_pending(chan);
	ldk_finish_failed(&c[0], kind->result, 2 * LEN - PART);
	ldk_expect_moved_part(dut, c[0].dst, c[0].src, LEN + PART);
	ldk_expect_copied(&c[1], 1);
}

/*
 * Rule: the control counts down as descriptors start, and is off when it has
 * fired.
 */
static void failure_comes_once(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *c;
	u32 left;

	fail(chan, 3, LOOPDMA_ST_READ, 0);
	for (left = 2; left; left--) {
		c = ldk_copies_issued(dut, chan, 1, LEN);
		ldk_expect_copied(c, 1);
		KUNIT_EXPECT_EQ(test, left,
				FIELD_GET(LOOPDMA_CH_TC_FAIL_AFTER,
					  setting(chan, LOOPDMA_CH_TC_FAIL)));
	}
	c = ldk_copies_issued(dut, chan, 2, LEN);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&c[1]));
	ldk_expect_failed(&c[0], DMA_TRANS_READ_FAILED, LEN);
	ldk_expect_untouched(dut, c[0].dst);
	ldk_expect_copied(&c[1], 1);
	KUNIT_EXPECT_EQ(test, 0U,
			FIELD_GET(LOOPDMA_CH_TC_FAIL_AFTER,
				  setting(chan, LOOPDMA_CH_TC_FAIL)));
}

/*
 * Rule: a slave transfer that fails is told to its client; the peer's client is
 * not, and goes on with what comes next.
 */
static void peer_is_not_told(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *bad = ldk_src(dut, LEN), *good = ldk_src(dut, LEN);
	struct ldk_buf *dst = ldk_dst(dut, LEN);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *r;

	ldk_request_pair(dut, &tx, &rx);
	fail(tx, 1, LOOPDMA_ST_READ, 0);
	r = ldk_begin(dut, ldk_prep_slave(rx, dst->dma, LEN, DMA_DEV_TO_MEM));
	ldk_do_failed(dut, ldk_prep_slave(tx, bad->dma, LEN, DMA_MEM_TO_DEV),
		      DMA_TRANS_READ_FAILED, LEN);
	ldk_expect_status(r, DMA_IN_PROGRESS);
	ldk_do(dut, ldk_prep_slave(tx, good->dma, LEN, DMA_MEM_TO_DEV));
	ldk_finish(r);
	ldk_expect_moved(dut, dst, good);
}

/* --- What the device does not do, or not as it should ------------------------- */

/* Rule: what is held makes no progress; what is let go completes, one by one. */
static void held_goes_step_by_step(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *c;
	unsigned int i, j;

	ldk_hold(chan);
	c = ldk_copies_issued(dut, chan, 3, LEN);
	for (i = 0; i < 3; i++) {
		ldk_round_trip(dut);
		for (j = 0; j < 3; j++)
			KUNIT_EXPECT_EQ(test, j < i ? 1 : 0, c[j].calls);
		ldk_expect_state(&c[i], DMA_IN_PROGRESS, LEN);
		ldk_expect_untouched(dut, c[i].dst);
		ldk_step(chan, 1);
		ldk_expect_copied(&c[i], 1);
	}
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: interrupts that are lost are made up for and counted, each time; when
 * none is lost any more none is counted.
 */
static void lost_interrupts_rescued(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u64 lost_irqs = ldk_lost_irqs(chan);
	unsigned int i;

	dut->trouble = true;
	ldk_drop_irq(chan, 2);
	for (i = 1; i <= 2; i++) {
		ldk_copy_ok(dut, chan, LEN);
		KUNIT_EXPECT_EQ(test, lost_irqs + i, ldk_lost_irqs(chan));
		/* Until the bottom half is over, the device need not interrupt. */
		ldk_round_trip(dut);
	}
	KUNIT_EXPECT_EQ(test, 0U, setting(chan, LOOPDMA_CH_TC_DROP_IRQ));
	ldk_copy_ok(dut, chan, LEN);
	KUNIT_EXPECT_EQ(test, lost_irqs + 2, ldk_lost_irqs(chan));
}

/*
 * Rule: a count that cannot be has the channel restarted, once.  What has a
 * status was done, what else was in the ring is told as aborted, and what waited
 * outside completes.
 */
static void lie_restarts_the_channel(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 2);
	struct loopdma_stats before, after;
	struct ldk_xfer *c;
	unsigned int i;

	dut->trouble = true;
	KUNIT_ASSERT_EQ(test, 4U, ldk_ring_size(chan));
	before = stats_of(chan);
	ldk_hold(chan);
	c = ldk_copies_issued(dut, chan, 6, LEN);
	ldk_lie(chan, SZ_1G);
	ldk_step(chan, 1);
	for (i = 0; i < 4; i++)
		KUNIT_ASSERT_TRUE(test, ldk_wait(&c[i]));
	ldk_expect_copied(c, 1);
	ldk_expect_aborted(&c[1], 3);
	KUNIT_EXPECT_EQ(test, 0, c[4].calls);
	ldk_unhold(chan);
	ldk_expect_copied(&c[4], 2);

	after = stats_of(chan);
	KUNIT_EXPECT_EQ(test, 1ULL, after.recoveries - before.recoveries);
	KUNIT_EXPECT_EQ(test, 3ULL, after.errors_aborted - before.errors_aborted);
	KUNIT_EXPECT_EQ(test, 3ULL, after.transfers - before.transfers);
}

/* Rule: an entry that is retired without a status is none that was done. */
static void missing_status_restarts_the_channel(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u64 recoveries = ldk_recoveries(chan);
	struct ldk_xfer *c;

	dut->trouble = true;
	fail(chan, 1, LOOPDMA_ST_PENDING, 0);
	c = ldk_copies_issued(dut, chan, 1, LEN);
	ldk_finish_failed(c, DMA_TRANS_ABORTED, LEN);
	KUNIT_EXPECT_EQ(test, recoveries + 1, ldk_recoveries(chan));
	ldk_copy_ok(dut, chan, LEN);
}

/* --- Controls of version 1.3 -------------------------------------------------- */

/*
 * Rule: what a device reports too early is believed, so a client that verifies
 * its data sees that it is not there; the driver says so nowhere.
 */
static void early_is_believed(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = request_with_faults(dut);
	u32 bytes = ldk_bytes(chan);
	struct ldk_xfer *c;

	control(chan, LOOPDMA_CH_TC_EARLY, 2);
	c = ldk_copies_issued(dut, chan, 3, LEN);
	ldk_finish(&c[2]);
	ldk_expect_ok(&c[0]);
	ldk_expect_untouched(dut, c[0].dst);
	ldk_expect_ok(&c[1]);
	ldk_expect_untouched(dut, c[1].dst);
	ldk_expect_moved(dut, c[2].dst, c[2].src);
	KUNIT_EXPECT_EQ(test, (u32)LEN, ldk_bytes(chan) - bytes);
	KUNIT_EXPECT_EQ(test, 0U, setting(chan, LOOPDMA_CH_TC_EARLY));
}

/*
 * Rule: an interrupt for nothing does nothing, but is counted; two that come
 * before the CPU has taken the first are one for it.
 */
static void spurious_does_nothing(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = request_with_faults(dut);
	u64 handled = stats_of(chan).interrupts;
	u32 sent = ldk_interrupts(chan);
	struct ldk_xfer *c;
	u32 i;

	control(chan, LOOPDMA_CH_TC_SPURIOUS, 2);
	for (i = 1; i <= 2; i++) {
		c = ldk_copies_issued(dut, chan, 1, LEN);
		ldk_expect_copied(c, 1);
		/* Its own, and the one for nothing. */
		KUNIT_EXPECT_TRUE(test,
				  ldk_poll(ldk_interrupts(chan) - sent ==
					   2 * i));
		KUNIT_EXPECT_EQ(test, 1, c->calls);
	}
	KUNIT_EXPECT_EQ(test, 0U, setting(chan, LOOPDMA_CH_TC_SPURIOUS));
	control(chan, LOOPDMA_CH_TC_SPURIOUS, LOOPDMA_CH_TC_SPURIOUS_NOW);
	KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_interrupts(chan) - sent == 5));
	/* That of each copy, and the last, which followed neither at once. */
	KUNIT_EXPECT_TRUE(test, ldk_poll(stats_of(chan).interrupts >=
					 handled + 3));
	KUNIT_EXPECT_LE(test, stats_of(chan).interrupts, handled + 5);
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: transactions complete in order, whatever order they are executed in.
 * They all write to the same memory, where the one that is executed last can be
 * seen.
 */
static void reordered_completes_in_order(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = request_with_faults(dut);
	struct ldk_buf *src[4], *dst = ldk_dst(dut, LEN);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 4);
	unsigned int i;

	for (i = 0; i < 4; i++) {
		src[i] = ldk_src(dut, LEN);
		ldk_submit_copy(&x[i], dst, src[i]);
	}
	control(chan, LOOPDMA_CH_TC_REORDER, 4);
	dma_async_issue_pending(chan);
	ldk_finish(&x[3]);
	for (i = 0; i < 4; i++) {
		ldk_expect_ok(&x[i]);
		if (i)
			KUNIT_EXPECT_GT(test, x[i].stamp, x[i - 1].stamp);
	}
	ldk_expect_moved(dut, dst, src[0]);

	control(chan, LOOPDMA_CH_TC_REORDER, 0);
	for (i = 0; i < 4; i++) {
		ldk_xfer_again(&x[i]);
		ldk_submit_copy(&x[i], dst, src[i]);
	}
	dma_async_issue_pending(chan);
	ldk_finish(&x[3]);
	ldk_expect_moved(dut, dst, src[3]);
}

#define DELAY_MS	100

/* Rule: what is late is in progress until then, and can be terminated. */
static void late_is_in_progress(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = request_with_faults(dut);
	struct ldk_xfer *c = ldk_copies_submitted(dut, chan, 1, LEN);
	enum dma_status status;
	ktime_t start;
	u32 residue;

	control(chan, LOOPDMA_CH_TC_DELAY, DELAY_MS * USEC_PER_MSEC);
	start = ktime_get();
	dma_async_issue_pending(chan);
	ldk_expect_copied(c, 1);
	KUNIT_EXPECT_GE(test, ktime_ms_delta(ktime_get(), start),
			(s64)DELAY_MS - 1);

	control(chan, LOOPDMA_CH_TC_DELAY, LOOPDMA_CH_TC_DELAY_MAX);
	start = ktime_get();
	c = ldk_copies_issued(dut, chan, 1, LEN);
	ldk_round_trip(dut);
	status = ldk_status(c);
	residue = ldk_residue(c);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	/* On a host that has lost seconds meanwhile it may have had its turn. */
	if (ktime_us_delta(ktime_get(), start) < LOOPDMA_CH_TC_DELAY_MAX) {
		KUNIT_EXPECT_EQ(test, (int)DMA_IN_PROGRESS, (int)status);
		KUNIT_EXPECT_EQ(test, (u32)LEN, residue);
		KUNIT_EXPECT_EQ(test, 0, c->calls);
		ldk_expect_untouched(dut, c->dst);
	}
	control(chan, LOOPDMA_CH_TC_DELAY, 0);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: memory that is out of reach is a read or write error, told as such. */
static void out_of_reach_is_an_error(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = request_with_faults(dut);
	struct loopdma_stats before = stats_of(chan), after;
	struct ldk_xfer *c = ldk_copies_submitted(dut, chan, 1, LEN);
	struct ldk_buf *filled = ldk_dst(dut, LEN);
	dma_addr_t lowest = min(c->src->dma, filled->dma);

	/* The highest power of two that is not above either. */
	KUNIT_ASSERT_NE(test, (dma_addr_t)0, lowest);
	control(chan, LOOPDMA_CH_TC_ADDR_BITS, fls64(lowest) - 1);
	dma_async_issue_pending(chan);
	ldk_finish_failed(c, DMA_TRANS_READ_FAILED, LEN);
	ldk_expect_untouched(dut, c->dst);

	ldk_do_failed(dut,
		      dmaengine_prep_dma_memset(chan, filled->dma, 0, LEN, DMA_PREP_INTERRUPT),
		      DMA_TRANS_WRITE_FAILED, LEN);
	ldk_expect_untouched(dut, filled);

	control(chan, LOOPDMA_CH_TC_ADDR_BITS, 0);
	ldk_copy_ok(dut, chan, LEN);
	after = stats_of(chan);
	KUNIT_EXPECT_EQ(test, 1ULL, after.errors_read - before.errors_read);
	KUNIT_EXPECT_EQ(test, 1ULL, after.errors_write - before.errors_write);
}

/* Rule: what was stuck goes on where it was when it is no longer. */
static void stuck_goes_on(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *c;

	if (!(dut->ld->lim.caps & LOOPDMA_CAPS_FAULTS))
		kunit_skip(test, "the device has no CAPS_FAULTS");
	control(chan, LOOPDMA_CH_TC_STUCK, LOOPDMA_STUCK_WORK);
	c = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_round_trip(dut);
	ldk_expect_status(&c[0], DMA_IN_PROGRESS);
	ldk_expect_untouched(dut, c[0].dst);
	control(chan, LOOPDMA_CH_TC_STUCK, LOOPDMA_STUCK_NOT);
	ldk_expect_copied(c, 2);
}

/* --- Faults of the driver ------------------------------------------------------ */

/* The next n times; the case is skipped if the kernel cannot do that. */
static void inject(struct ldk_dut *dut, enum loopdma_fault fault, int n)
{
#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
	struct fault_attr *attr = &dut->ld->fault[fault];

	attr->verbose = 0;
	atomic_set(&attr->times, n);
	attr->probability = n ? 100 : 0;
#else
	kunit_skip(dut->test, "no CONFIG_FAULT_INJECTION_DEBUG_FS");
#endif
}

/* Rule: prep gives NULL as often as is asked for, of every kind, and no more. */
static void prep_fails_on_demand(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *src = ldk_src(dut, LEN), *dst = ldk_dst(dut, LEN);

	inject(dut, LOOPDMA_FAULT_PREP, 2);
	KUNIT_EXPECT_NULL(test, ldk_prep_copy(chan, dst, src));
	KUNIT_EXPECT_NULL(test, dmaengine_prep_dma_memset(chan, dst->dma, 0,
							  LEN, 0));
	ldk_copy_ok(dut, chan, LEN);
	inject(dut, LOOPDMA_FAULT_PREP, 0);
}

/* Rule: a channel cannot be had when there is no memory for it, and later can. */
static void alloc_fails_on_demand(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;

	inject(dut, LOOPDMA_FAULT_ALLOC, 1);
	KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_MEMCPY, -1));
	inject(dut, LOOPDMA_FAULT_ALLOC, 0);
	ldk_copy_ok(dut, ldk_request(dut), LEN);
}

/* Rule: an interrupt that is ignored is made up for like one that was lost. */
static void ignored_interrupt_rescued(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u64 lost_irqs = ldk_lost_irqs(chan);
	u64 handled = stats_of(chan).interrupts;
	u32 sent = ldk_interrupts(chan);

	dut->trouble = true;
	inject(dut, LOOPDMA_FAULT_IRQ, 1);
	ldk_copy_ok(dut, chan, LEN);
	inject(dut, LOOPDMA_FAULT_IRQ, 0);
	KUNIT_EXPECT_EQ(test, lost_irqs + 1, ldk_lost_irqs(chan));
	KUNIT_EXPECT_EQ(test, handled, stats_of(chan).interrupts);
	KUNIT_EXPECT_EQ(test, 1U, ldk_interrupts(chan) - sent);
	ldk_copy_ok(dut, chan, LEN);
	KUNIT_EXPECT_EQ(test, lost_irqs + 1, ldk_lost_irqs(chan));
}

static struct kunit_case inject_cases[] = {
	KUNIT_CASE_PARAM(error_told_to_its_client, kinds_gen_params),
	KUNIT_CASE_PARAM(error_ends_its_chain, kinds_gen_params),
	KUNIT_CASE(failure_comes_once),
	KUNIT_CASE(peer_is_not_told),
	KUNIT_CASE(held_goes_step_by_step),
	KUNIT_CASE_SLOW(lost_interrupts_rescued),
	KUNIT_CASE(lie_restarts_the_channel),
	KUNIT_CASE(missing_status_restarts_the_channel),
	KUNIT_CASE(early_is_believed),
	KUNIT_CASE(spurious_does_nothing),
	KUNIT_CASE(reordered_completes_in_order),
	KUNIT_CASE(late_is_in_progress),
	KUNIT_CASE(out_of_reach_is_an_error),
	KUNIT_CASE(stuck_goes_on),
	KUNIT_CASE(prep_fails_on_demand),
	KUNIT_CASE(alloc_fails_on_demand),
	KUNIT_CASE_SLOW(ignored_interrupt_rescued),
	{}
};

LDK_SUITE("loopdma_inject", inject_cases);
