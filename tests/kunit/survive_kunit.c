// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_survive: a device that hangs, is reset, or goes away while it works.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.  Those that
 * take the device away, or break it for good, make a simulated one for it.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/err.h>
#include <linux/ktime.h>
#include <linux/prandom.h>
#include <linux/sched/signal.h>
#include <linux/workqueue.h>

#include <loopdma/hw.h>
#include "dut.h"

#define LEN 512

/* Periods of the watchdog without progress, and how long one is. */
#define LOOKS		10
#define LOOK_MS		50

/* Nobody wants to wait for the driver to lose its patience. */
static int survive_init(struct kunit *test)
{
	int err = ldk_init(test);

	if (!err)
		ldk_patience(test->priv, LOOK_MS, LOOKS * LOOK_MS);
	return err;
}

/* --- Stuck ------------------------------------------------------------------------ */

struct level {
	const char *name;
	u32 stuck;
	struct ldk_repairs repairs;
};

static const struct level levels[] = {
	{ "does nothing", LOOPDMA_STUCK_WORK, { 1, 1, 1, 0 } },
	{ "does not stop", LOOPDMA_STUCK_STOP, { 1, 1, 1, 0 } },
	{ "has no end of reset", LOOPDMA_STUCK_RESET, { 1, 1, 1, 1 } },
	{ "has no end of reset of the device", LOOPDMA_STUCK_DEVICE,
	  { 1, 1, 1, 1 } },
};

KUNIT_ARRAY_PARAM_DESC(levels, levels, name);

/* Copies, one after the other, until something else has ended. */
static unsigned int copy_until(struct ldk_dut *dut, struct dma_chan *chan,
			       struct ldk_xfer *end, unsigned int *failed)
{
	unsigned long deadline = jiffies + ldk_timeout();
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, LEN);
	unsigned int n = 0;

	while (!completion_done(&end->done) &&
	       time_before(jiffies, deadline)) {
		ldk_xfer_again(x);
		ldk_buf_poison(x->dst);
		ldk_start_copy(x);
		KUNIT_ASSERT_TRUE(dut->test, ldk_wait(x));
		KUNIT_ASSERT_EQ(dut->test, 1, x->calls);
		if (x->result.result == DMA_TRANS_NOERROR)
			ldk_expect_moved(dut, x->dst, x->src);
		else
			(*failed)++;
		n++;
	}
	return n;
}

/*
 * Rule: a transfer that makes no progress ends with an error for its client, by
 * no more force than it takes; the client's others are done, and other channels
 * go on (Documentation/driver.rst, "Stuck").
 */
static void stuck(struct kunit *test)
{
	const struct level *level = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	struct ldk_repairs before = ldk_repairs(chan), after;
	struct ldk_repairs apart = ldk_repairs(other);
	unsigned int failed = 0;
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_stuck(chan, level->stuck);
	x = ldk_copies_issued(dut, chan, 3, LEN);
	/* It is not the only thing to do while the other has to wait. */
	KUNIT_EXPECT_GT(test, copy_until(dut, other, &x[0], &failed), 1);
	/* A reset of the device is felt by others, but once. */
	KUNIT_EXPECT_LE(test, failed, level->repairs.device_resets);
	ldk_expect_aborted(x, 1);
	ldk_expect_copied(&x[1], 2);

	ldk_expect_repairs(dut, chan, before, level->repairs);
	after = ldk_repairs(other);
	KUNIT_EXPECT_EQ(test, 0, after.stalls - apart.stalls);
	KUNIT_EXPECT_EQ(test, level->repairs.device_resets,
			after.recoveries - apart.recoveries);
	ldk_copy_ok(dut, chan, LEN);
	ldk_copy_ok(dut, other, LEN);
}

static void hook_unhold(struct ldk_xfer *x)
{
	ldk_unhold(x->chan);
}

/*
 * Rule: one that can be aborted costs its own transaction only (hardware.rst,
 * Abort).
 */
static void stuck_until_aborted(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_repairs before = ldk_repairs(chan);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_hold(chan);
	x = ldk_copies_submitted(dut, chan, 3, LEN);
	x[0].hook = hook_unhold;
	dma_async_issue_pending(chan);
	ldk_expect_aborted(x, 1);
	ldk_expect_copied(&x[1], 2);
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 1, 0, 0, 0 });
}

/*
 * Rule: an abort that is acknowledged is no progress; the next stall takes more
 * force, after which the channel works (Documentation/driver.rst, "Stuck").
 */
static void stuck_again(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_repairs before = ldk_repairs(chan);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 3, LEN);
	ldk_expect_aborted(x, 2);
	ldk_expect_copied(&x[2], 1);
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 2, 1, 1, 0 });
}

/* Rule: the same if it is the watchdog that notices what was acknowledged. */
static void stuck_again_unheard(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_repairs before = ldk_repairs(chan);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_hold(chan);
	ldk_drop_irq(chan, 1);
	x = ldk_copies_issued(dut, chan, 3, LEN);
	ldk_expect_aborted(x, 2);
	ldk_expect_copied(&x[2], 1);
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 2, 1, 1, 0 });
}

/* Rule: the same for a transaction of which the ring holds only a part. */
static void stuck_in_part(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 1);
	struct ldk_buf *dst = ldk_dst(dut, 8 * LEN);
	struct ldk_xfer *x, *next;
	struct dma_async_tx_descriptor *tx;

	dut->trouble = true;
	x = ldk_xfers(dut, chan, 1);
	x->hook = hook_unhold;
	ldk_hold(chan);
	tx = chan->device->device_prep_dma_memset_sg(chan, ldk_parts(dut, dst, 8, LEN), 8,
						     0x11, DMA_PREP_INTERRUPT);
	ldk_start(x, tx);
	next = ldk_copies_issued(dut, chan, 1, LEN);
	ldk_step(chan, 3);
	ldk_finish_failed(x, DMA_TRANS_ABORTED, 5 * LEN);
	ldk_expect_copied(next, 1);
}

struct mishap {
	const char *name;
	void (*happen)(struct dma_chan *chan);
};

static void lie_about_count(struct dma_chan *chan)
{
	ldk_lie(chan, 5);
}

static const struct mishap mishaps[] = {
	{ "stops by itself", ldk_break },
	{ "lies about its count", lie_about_count },
};

KUNIT_ARRAY_PARAM_DESC(mishaps, mishaps, name);

/*
 * Rule: when the function was reset what is tried first with a channel is the mildest
 * again, also if there was nothing for it to do since (Documentation/driver.rst, "Stuck").
 */
static void fails_after_reset(struct kunit *test)
{
	const struct mishap *mishap = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_repairs before = ldk_repairs(chan);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_stuck(chan, LOOPDMA_STUCK_DEVICE);
	x = ldk_copies_issued(dut, chan, 1, LEN);
	ldk_expect_aborted(x, 1);
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 1, 1, 1, 1 });

	before = ldk_repairs(chan);
	mishap->happen(chan);
	x = ldk_copies_issued(dut, chan, 1, LEN);
	KUNIT_ASSERT_TRUE(test, ldk_wait(x));
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_repairs(chan).recoveries - before.recoveries == 1));
	ldk_copy_ok(dut, chan, LEN);
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 0, 1, 0, 0 });
}

/* Rule: a client that has terminated gets no error, but the channel works again. */
static void stuck_and_terminated(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_repairs before = ldk_repairs(chan), after;
	struct ldk_xfer *x, *y;

	dut->trouble = true;
	ldk_stuck(chan, LOOPDMA_STUCK_WORK);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	y = ldk_copies_issued(dut, chan, 1, LEN);
	ldk_expect_copied(y, 1);
	ldk_expect_unaffected(x, 2);
	after = ldk_repairs(chan);
	KUNIT_EXPECT_EQ(test, 1, after.recoveries - before.recoveries);
}

/* Waits for as long as it takes the driver to give up what is stuck, and more. */
static void until_patience_ends(struct ldk_dut *dut)
{
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		/* If aborting takes long the channel is reset, and held no more. */
		ldk_hold(chan);
		x = ldk_copies_issued(dut, chan, 1, LEN);
		ldk_expect_aborted(x, 1);
	}
	ldk_release(dut, chan);
}

/*
 * Rule: who waits for the peripheral, or for its client, may do so for ever
 * (Documentation/driver.rst, "Stuck").
 */
static void waits_for_peer(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	u32 len = ldk_fifo_depth(dut) + LEN;
	struct ldk_buf *src = ldk_src(dut, len), *dst = ldk_dst(dut, len);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *t, *r;
	u64 before;

	dut->trouble = true;
	ldk_request_pair(dut, &tx, &rx);
	before = ldk_recoveries(tx) + ldk_recoveries(rx);
	t = ldk_begin(dut, ldk_prep_slave(tx, src->dma, len, DMA_MEM_TO_DEV));
	until_patience_ends(dut);
	KUNIT_EXPECT_EQ(test, 0, t->calls);
	ldk_do(dut, ldk_prep_slave(rx, dst->dma, len, DMA_DEV_TO_MEM));
	ldk_finish(t);
	ldk_expect_moved(dut, dst, src);

	ldk_buf_poison(dst);
	r = ldk_begin(dut, ldk_prep_slave(rx, dst->dma, len, DMA_DEV_TO_MEM));
	until_patience_ends(dut);
	KUNIT_EXPECT_EQ(test, 0, r->calls);
	ldk_do(dut, ldk_prep_slave(tx, src->dma, len, DMA_MEM_TO_DEV));
	ldk_finish(r);
	ldk_expect_moved(dut, dst, src);
	KUNIT_EXPECT_EQ(test, before, ldk_recoveries(tx) + ldk_recoveries(rx));
}

/* Rule: the same of what is paused; and nothing is given up before its time. */
static void waits_for_client(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *paused = ldk_request(dut);
	struct ldk_xfer *x;

	dut->trouble = true;
	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(paused));
	x = ldk_copies_issued(dut, paused, 1, LEN);
	until_patience_ends(dut);
	KUNIT_EXPECT_EQ(test, 0, x->calls);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(paused));
	ldk_expect_copied(x, 1);
}

/* Rule: stuck_ms=0 leaves everything alone. */
static void never_given_up(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut), *lost = ldk_request(dut);
	struct ldk_xfer *x, *y;
	unsigned int i;

	dut->trouble = true;
	ldk_patience(dut, LOOK_MS, 0);
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 1, LEN);
	/* Each takes the watchdog two looks. */
	for (i = 0; i < LOOKS; i++) {
		ldk_drop_irq(lost, 1);
		y = ldk_copies_issued(dut, lost, 1, LEN);
		ldk_expect_copied(y, 1);
	}
	KUNIT_EXPECT_EQ(test, 0, x->calls);
	ldk_unhold(chan);
	ldk_expect_copied(x, 1);
}

/* --- Devices that do not come back ------------------------------------------------- */

static struct ldk_dut *fake(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);

	dut->trouble = true;
	return dut;
}

/*
 * Rule: what nothing helps is given up, which its client is told; the rest of the
 * device works.
 */
static void given_up(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	struct ldk_xfer *x;

	loopdma_fake_wear_out(dut->fake, ldk_index(chan), true);
	x = ldk_copies_issued(dut, chan, 5, LEN);
	ldk_expect_aborted(x, 5);
	KUNIT_EXPECT_TRUE(test, ldk_poll(!ldk_prep(&x[0], LDK_FLAGS)));
	KUNIT_EXPECT_EQ(test, 1, loopdma_fake_resets(dut->fake));
	KUNIT_EXPECT_EQ(test, 1, ldk_repairs(chan).device_resets);
	KUNIT_EXPECT_FALSE(test, loopdma_fake_isolated(dut->fake));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_copy_ok(dut, other, LEN);

	/* A reset, once it has been repaired, gives the client its channel back. */
	loopdma_fake_wear_out(dut->fake, ldk_index(chan), false);
	KUNIT_EXPECT_EQ(test, 0, ldk_reset(dut));
	ldk_copy_ok(dut, chan, LEN);
}

static void hook_isolated(struct ldk_xfer *x)
{
	bool *isolated = x->priv;

	*isolated &= loopdma_fake_isolated(x->dut->fake);
}

/*
 * Rule: one that has acknowledged neither that it has stopped nor any reset may still
 * reach memory, unless the whole device is kept from it: before its client is told, and
 * takes that memory back (Documentation/driver.rst, "Stuck").
 */
static void given_up_unstopped(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut);
	bool isolated[2] = { true, true };
	struct ldk_xfer *x;
	unsigned int i;

	loopdma_fake_reset_err(dut->fake, -ENOTTY);
	ldk_stuck(chan, LOOPDMA_STUCK_DEVICE);
	x = ldk_copies_submitted(dut, chan, 2, LEN);
	for (i = 0; i < 2; i++) {
		x[i].hook = hook_isolated;
		x[i].priv = &isolated[i];
	}
	dma_async_issue_pending(chan);
	/* Each that is tried takes the driver a second or two. */
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[0]) || ldk_wait(&x[0]));
	ldk_expect_aborted(x, 2);
	for (i = 0; i < 2; i++)
		KUNIT_EXPECT_TRUE(test, isolated[i]);
	KUNIT_EXPECT_TRUE(test, ldk_poll(!ldk_prep(&x[0], LDK_FLAGS)));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
}

/*
 * Rule: a channel that does not stop when its client releases it keeps its ring until
 * a reset of the function has helped; then it can be requested again.
 */
static void released_stuck(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	unsigned int index = ldk_index(chan);

	loopdma_fake_reset_err(dut->fake, -EAGAIN);
	ldk_copies_issued(dut, chan, 2, LEN);
	ldk_stuck(chan, LOOPDMA_STUCK_DEVICE);
	ldk_drop(dut, chan);
	KUNIT_EXPECT_TRUE(test, ldk_has_ring(chan));
	KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_MEMCPY, index));
	KUNIT_EXPECT_TRUE(test, ldk_has_ring(chan));
	ldk_copy_ok(dut, other, LEN);

	loopdma_fake_reset_err(dut->fake, 0);
	KUNIT_ASSERT_TRUE(test, ldk_poll(!ldk_has_ring(chan)));
	KUNIT_EXPECT_EQ(test, 1, loopdma_fake_resets(dut->fake));
	chan = ldk_request_index(dut, index);
	ldk_copy_ok(dut, chan, LEN);
	ldk_copy_ok(dut, other, LEN);
}

/* Rule: one that comes to its senses by itself has its ring freed at the next request. */
static void released_late(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut);
	unsigned int index = ldk_index(chan);

	loopdma_fake_reset_err(dut->fake, -EAGAIN);
	ldk_stuck(chan, LOOPDMA_STUCK_DEVICE);
	ldk_drop(dut, chan);
	KUNIT_EXPECT_TRUE(test, ldk_has_ring(chan));
	ldk_stuck(chan, LOOPDMA_STUCK_NOT);
	/* Which does not wait, and it may take a while to stop. */
	KUNIT_ASSERT_TRUE(test, ldk_poll((chan = ldk_try_request(dut, DMA_MEMCPY,
								 index))));
	ldk_copy_ok(dut, chan, LEN);
	/* Nor is the reset done any more that was asked for. */
	loopdma_fake_reset_err(dut->fake, 0);
	ldk_settle(dut);
	KUNIT_EXPECT_EQ(test, 0, loopdma_fake_resets(dut->fake));
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: and so has one whose device goes before that. */
static void released_and_removed(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);

	loopdma_fake_reset_err(dut->fake, -EAGAIN);
	ldk_stuck(chan, LOOPDMA_STUCK_RESET);
	ldk_drop(dut, chan);
	KUNIT_EXPECT_TRUE(test, ldk_has_ring(chan));
	ldk_remove(dut);
	/* Who holds another channel has the device's memory stay. */
	KUNIT_EXPECT_FALSE(test, ldk_has_ring(chan));
	ldk_release(dut, other);
}

/* Rule: a reset that cannot be done now is done when it can. */
static void reset_later(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;

	loopdma_fake_reset_err(dut->fake, -EAGAIN);
	ldk_stuck(chan, LOOPDMA_STUCK_DEVICE);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	KUNIT_ASSERT_TRUE(test, ldk_poll(loopdma_fake_refused(dut->fake) > 1));
	KUNIT_EXPECT_EQ(test, 0, x[0].calls);
	loopdma_fake_reset_err(dut->fake, 0);
	ldk_expect_aborted(x, 1);
	ldk_expect_copied(&x[1], 1);
	KUNIT_EXPECT_EQ(test, 1, loopdma_fake_resets(dut->fake));
}

/* Rule: where the function cannot be reset, the device's own reset has to do. */
static void reset_by_register(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;

	loopdma_fake_reset_err(dut->fake, -ENOTTY);
	ldk_stuck(chan, LOOPDMA_STUCK_RESET);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_expect_aborted(x, 1);
	ldk_expect_copied(&x[1], 1);
	KUNIT_EXPECT_EQ(test, 0, loopdma_fake_resets(dut->fake));
}

/* Rule: a reset that somebody else was quicker with is not done once more. */
static void reset_by_another(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;

	loopdma_fake_reset_err(dut->fake, -EAGAIN);
	ldk_stuck(chan, LOOPDMA_STUCK_DEVICE);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	KUNIT_ASSERT_TRUE(test, ldk_poll(loopdma_fake_refused(dut->fake)));
	KUNIT_EXPECT_EQ(test, 0, ldk_reset(dut));
	loopdma_fake_reset_err(dut->fake, 0);
	ldk_settle(dut);
	ldk_expect_aborted(x, 1);
	ldk_expect_copied(&x[1], 1);
	KUNIT_EXPECT_EQ(test, 1, loopdma_fake_resets(dut->fake));
}

/*
 * Rule: when a device is taken away by surprise, all that is in flight ends soon,
 * nobody waits for it, and all can be released (pci.rst, surprise removal).
 */
static void gone(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan[8];
	struct ldk_xfer *x[8];
	unsigned int i, index;
	u32 reads;

	for (i = 0; i < 8; i++) {
		chan[i] = ldk_request(dut);
		ldk_hold(chan[i]);
		x[i] = ldk_copies_issued(dut, chan[i], 2, LEN);
	}
	loopdma_fake_unplug(dut->fake);
	reads = loopdma_fake_reads(dut->fake);
	for (i = 0; i < 8; i++) {
		ldk_expect_aborted(x[i], 2);
		KUNIT_EXPECT_TRUE(test, ldk_poll(!ldk_prep(x[i], LDK_FLAGS)));
		KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan[i]));
		index = ldk_index(chan[i]);
		ldk_release(dut, chan[i]);
		KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_MEMCPY,
							index));
	}
	ldk_remove(dut);
	/* One that waits for an answer reads on for a second, at least each tick. */
	KUNIT_EXPECT_LT(test, loopdma_fake_reads(dut->fake) - reads, 64);
}

/* Rule: the same if the first who notices is a client that terminates. */
static void gone_unnoticed(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;
	u64 start;

	ldk_patience(dut, 10000, 0);
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	loopdma_fake_unplug(dut->fake);
	start = ktime_get_ns();
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	KUNIT_EXPECT_LT(test, ktime_get_ns() - start, NSEC_PER_SEC);
	KUNIT_EXPECT_NULL(test, ldk_prep(x, LDK_FLAGS));
	ldk_expect_unaffected(x, 2);
}

/* Rule: and if it is one that requests a channel. */
static void gone_before_request(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, LEN);

	loopdma_fake_unplug(dut->fake);
	KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_MEMCPY,
						ldk_index(chan) ^ 1));
	/* The driver has learnt from it. */
	KUNIT_EXPECT_TRUE(test, ldk_poll(!ldk_prep(x, LDK_FLAGS)));
}

/* Who synchronizes, as long as it takes. */
struct waiter {
	struct work_struct work;
	struct dma_chan *chan;
	struct completion returned;
};

static void synchronize(struct work_struct *work)
{
	struct waiter *w = container_of(work, struct waiter, work);

	dmaengine_synchronize(w->chan);
	complete(&w->returned);
}

/*
 * Rule: also if it was about to be reset, but could not be: those who wait for the reset
 * are told, too.
 */
static void gone_before_reset(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	struct waiter *w = ldk_alloc(test, sizeof(*w));
	struct ldk_xfer *x, *y;
	bool told, returned;

	w->chan = other;
	INIT_WORK(&w->work, synchronize);
	init_completion(&w->returned);
	loopdma_fake_reset_err(dut->fake, -EAGAIN);
	ldk_stuck(chan, LOOPDMA_STUCK_DEVICE);
	ldk_stuck(other, LOOPDMA_STUCK_DEVICE);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	y = ldk_copies_issued(dut, other, 1, LEN);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_repairs(chan).device_resets &&
					 ldk_repairs(other).device_resets));
	KUNIT_ASSERT_TRUE(test, ldk_poll(loopdma_fake_refused(dut->fake)));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(other));
	schedule_work(&w->work);

	loopdma_fake_unplug(dut->fake);
	/* Who notices. */
	KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_MEMCPY, -1));
	told = ldk_wait(&x[0]) && ldk_wait(&x[1]);
	KUNIT_EXPECT_TRUE(test, told);
	returned = wait_for_completion_timeout(&w->returned, ldk_timeout());
	KUNIT_EXPECT_TRUE(test, returned);
	if (told && returned) {
		ldk_expect_aborted(x, 2);
		KUNIT_EXPECT_TRUE(test, ldk_poll(!ldk_prep(x, LDK_FLAGS)));
		KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	}
	ldk_expect_unaffected(y, 1);
	/* Whoever still waits does not do so any more. */
	ldk_remove(dut);
	flush_work(&w->work);
}

/* --- Reset by somebody else --------------------------------------------------------- */

/*
 * Rule: when the function is reset behind the driver's back, the transaction that
 * a channel is at ends as aborted; all others, and the client, are not concerned
 * (pci.rst, reset_prepare and reset_done).
 */
static void reset_under_way(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut), *idle = ldk_request(dut);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 3, LEN);
	KUNIT_ASSERT_EQ(test, 0, ldk_reset(dut));
	ldk_expect_aborted(x, 1);
	ldk_expect_copied(&x[1], 2);
	ldk_copy_ok(dut, idle, LEN);
	ldk_copy_ok(dut, chan, LEN);
	/* And channels that nobody had. */
	ldk_round_trip(dut);
	ldk_loop_ok(dut);
}

/*
 * Rule: a channel that was reset while nobody was told of it is found to have
 * stopped.  How far it had got nobody knows: what was in its ring ends as aborted.
 */
static void reset_untold(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_repairs before = ldk_repairs(chan);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 3, LEN);
	ldk_reset_channel(chan);
	ldk_expect_aborted(x, 3);
	ldk_copy_ok(dut, chan, LEN);
	/* Sooner than the driver would lose its patience. */
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 0, 1, 0, 0 });
}

/* Rule: a channel that is requested before the end of the reset works after it. */
static void requested_during_reset(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan;
	struct ldk_xfer *x;
	u32 doorbells;

	dut->trouble = true;
	ldk_halt(dut);
	chan = ldk_request(dut);
	doorbells = ldk_doorbells(chan);
	x = ldk_copies_issued(dut, chan, 1, LEN);
	ldk_expect_status(x, DMA_IN_PROGRESS);
	/* The device, which is being reset, is left alone. */
	KUNIT_EXPECT_EQ(test, doorbells, ldk_doorbells(chan));
	ldk_unhalt(dut);
	ldk_expect_copied(x, 1);
}

/* Rule: also one that was released during it, whose hardware nobody has stopped yet. */
static void passed_on_during_reset(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_copy_ok(dut, chan, LEN);
	ldk_halt(dut);
	ldk_drop(dut, chan);
	ldk_request_again(dut, chan);
	ldk_drop(dut, chan);
	ldk_request_again(dut, chan);
	x = ldk_copies_issued(dut, chan, 3, LEN);
	ldk_expect_status(x, DMA_IN_PROGRESS);
	ldk_unhalt(dut);
	ldk_expect_copied(x, 3);
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: one that is requested when the reset is over, but before the driver has got to
 * that channel, works already and is left alone.
 */
static void requested_after_reset(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_repairs before = ldk_repairs(chan);
	struct ldk_xfer *x;

	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	/* As it looks for that channel; there was no reset. */
	ldk_unhalt(dut);
	ldk_unhold(chan);
	ldk_expect_copied(x, 2);
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 0, 0, 0, 0 });
}

struct end_of_reset {
	struct delayed_work work;
	struct ldk_dut *dut;
	bool over;
};

static void end_reset(struct work_struct *work)
{
	struct end_of_reset *end = container_of(to_delayed_work(work),
						struct end_of_reset, work);

	WRITE_ONCE(end->over, true);
	ldk_unhalt(end->dut);
}

/* It ends by itself; to be followed by reset_is_over(). */
static void reset_for_a_while(struct end_of_reset *end)
{
	INIT_DELAYED_WORK_ONSTACK(&end->work, end_reset);
	ldk_halt(end->dut);
	schedule_delayed_work(&end->work, HZ / 10);
}

static void reset_is_over(struct end_of_reset *end)
{
	flush_delayed_work(&end->work);
	destroy_delayed_work_on_stack(&end->work);
}

/*
 * Rule: when synchronize returns the device does not touch what was terminated
 * (client.rst); during a reset nobody knows, so it waits for the end.
 */
static void terminated_during_reset(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct end_of_reset end = { .dut = dut };
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	reset_for_a_while(&end);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	KUNIT_EXPECT_TRUE(test, READ_ONCE(end.over));
	reset_is_over(&end);
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
	ldk_expect_unaffected(x, 2);
}

/*
 * Rule: who writes into a test control while the device is being reset waits for the end
 * (Documentation/driver.rst, "Fault injection"): the device would not hear it, and is not
 * gone.
 */
static void controlled_during_reset(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct end_of_reset end = { .dut = dut };

	dut->trouble = true;
	reset_for_a_while(&end);
	KUNIT_EXPECT_EQ(test, 0, ldk_touch_controls(dut));
	KUNIT_EXPECT_TRUE(test, READ_ONCE(end.over));
	reset_is_over(&end);
}

/* Rule: and need not wait for longer than they want to: a signal ends that. */
static void control_given_up(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;

	dut->trouble = true;
	ldk_halt(dut);
	allow_signal(SIGUSR1);
	send_sig(SIGUSR1, current, 1);
	KUNIT_EXPECT_EQ(test, -ERESTARTSYS, ldk_touch_controls(dut));
	flush_signals(current);
	disallow_signal(SIGUSR1);
	ldk_unhalt(dut);
	KUNIT_EXPECT_EQ(test, 0, ldk_touch_controls(dut));
}

struct controller {
	struct work_struct work;
	struct ldk_dut *dut;
	bool called;
	struct completion returned;
	int err;
};

static void touch_controls(struct work_struct *work)
{
	struct controller *c = container_of(work, struct controller, work);

	WRITE_ONCE(c->called, true);
	c->err = ldk_touch_controls(c->dut);
	complete(&c->returned);
}

/* Rule: nor until the end of a reset that never ends, because the driver leaves the device. */
static void control_left(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct controller *c = ldk_alloc(test, sizeof(*c));

	c->dut = dut;
	INIT_WORK(&c->work, touch_controls);
	init_completion(&c->returned);
	ldk_halt(dut);
	schedule_work(&c->work);
	KUNIT_ASSERT_TRUE(test, ldk_poll(READ_ONCE(c->called)));
	ldk_stop_all(dut);
	if (wait_for_completion_timeout(&c->returned, ldk_timeout())) {
		KUNIT_EXPECT_EQ(test, -ENODEV, c->err);
	} else {
		KUNIT_FAIL(test, "waits for a reset that nobody ends");
		ldk_unhalt(dut);
	}
	flush_work(&c->work);
}

/*
 * Rule: none of the above depends on when the reset comes; each transaction ends,
 * once, and what is said to be done is done.
 */
static void reset_under_load(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	unsigned int i, j, round, failed = 0, n = 24;
	struct dma_chan *chan[3];
	struct ldk_xfer *x[3];
	struct rnd_state rnd;

	prandom_seed_state(&rnd, dut->seed);
	dut->trouble = true;
	ldk_set_ring_order(dut, 3);
	for (i = 0; i < 3; i++) {
		chan[i] = ldk_request(dut);
		x[i] = ldk_copies(dut, chan[i], n, LEN);
	}
	for (round = 0; round < ldk_rounds(); round++) {
		for (j = 0; j < n; j++) {
			for (i = 0; i < 3; i++) {
				ldk_xfer_again(&x[i][j]);
				ldk_buf_poison(x[i][j].dst);
				ldk_start_copy(&x[i][j]);
			}
			if (j == n / 2 && prandom_u32_state(&rnd) % 2)
				ldk_hold(chan[round % 3]);
		}
		if (prandom_u32_state(&rnd) % 2)
			usleep_range(1, 200);
		KUNIT_ASSERT_EQ(test, 0, ldk_reset(dut));
		for (i = 0; i < 3; i++) {
			for (j = 0; j < n; j++) {
				KUNIT_ASSERT_TRUE(test, ldk_wait(&x[i][j]));
				KUNIT_ASSERT_EQ(test, 1, x[i][j].calls);
				if (x[i][j].result.result == DMA_TRANS_NOERROR)
					ldk_expect_moved(dut, x[i][j].dst, x[i][j].src);
				else
					failed++;
			}
		}
	}
	/* No more than the one that each was at. */
	KUNIT_EXPECT_LE(test, failed, 3 * ldk_rounds());
	for (i = 0; i < 3; i++)
		ldk_copy_ok(dut, chan[i], LEN);
}

/* --- An error of the bus ------------------------------------------------------------- */

/*
 * Rule: synchronize returns, though the recovery of the bus has failed and nobody was told
 * (PCI/pci-error-recovery.rst has no callback for that): the device is disconnected.
 */
static void frozen_for_ever(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	struct ldk_xfer *x, *y;

	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_hold(other);
	y = ldk_copies_issued(dut, other, 2, LEN);
	ldk_freeze_bus(dut);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	KUNIT_EXPECT_TRUE(test, loopdma_fake_isolated(dut->fake));
	ldk_expect_unaffected(x, 2);
	ldk_expect_aborted(y, 2);
	KUNIT_EXPECT_NULL(test, ldk_prep(x, LDK_FLAGS));
}

/* Rule: nor is it, when the bus has recovered in time. */
static void frozen_for_a_while(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;

	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_freeze_bus(dut);
	loopdma_fake_power_cycle(dut->fake);
	ldk_unhalt(dut);
	ldk_settle(dut);
	ldk_expect_aborted(x, 1);
	ldk_expect_copied(x + 1, 1);
	ldk_copy_ok(dut, chan, LEN);
}

/* --- Two at once ------------------------------------------------------------------- */

/* A channel that has to be reset, or is, and that stops after a while. */
struct slow_stop {
	struct delayed_work work;
	struct dma_chan *chan;
};

static void stop_at_last(struct work_struct *work)
{
	struct slow_stop *slow = container_of(to_delayed_work(work),
					      struct slow_stop, work);

	ldk_stuck(slow->chan, LOOPDMA_STUCK_NOT);
}

/* To be followed by has_stopped(). */
static void stop_later(struct slow_stop *slow, struct dma_chan *chan)
{
	slow->chan = chan;
	INIT_DELAYED_WORK_ONSTACK(&slow->work, stop_at_last);
	schedule_delayed_work(&slow->work, HZ / 10);
}

static void has_stopped(struct slow_stop *slow)
{
	flush_delayed_work(&slow->work);
	destroy_delayed_work_on_stack(&slow->work);
}

/* The driver waits for the channel to stop, so as to restart it. */
static void recover_for_a_while(struct ldk_dut *dut, struct dma_chan *chan)
{
	ldk_stuck(chan, LOOPDMA_STUCK_RESET);
	ldk_break(chan);
	KUNIT_ASSERT_TRUE(dut->test,
			  ldk_poll(loopdma_fake_state(dut->fake, ldk_index(chan)) ==
				   LOOPDMA_STATE_STOPPING));
}

/* Nothing is started, whatever is issued; returns what was. */
static struct ldk_xfer *expect_not_started(struct ldk_dut *dut, struct dma_chan *chan)
{
	u32 doorbells = ldk_doorbells(chan);
	struct ldk_xfer *x = ldk_copies_issued(dut, chan, 1, LEN);

	KUNIT_EXPECT_EQ(dut->test, doorbells, ldk_doorbells(chan));
	ldk_expect_status(x, DMA_IN_PROGRESS);
	return x;
}

/* The driver is told of something when it is about to restart a channel, and does not. */
static struct ldk_xfer *tell_during_recovery(struct ldk_dut *dut, struct dma_chan *chan,
					     void (*tell)(struct ldk_dut *dut))
{
	struct slow_stop slow;

	ldk_copy_ok(dut, chan, LEN);
	recover_for_a_while(dut, chan);
	stop_later(&slow, chan);
	tell(dut);
	has_stopped(&slow);
	KUNIT_EXPECT_NE(dut->test, LOOPDMA_STATE_RUNNING,
			loopdma_fake_state(dut->fake, ldk_index(chan)));
	return expect_not_started(dut, chan);
}

/*
 * Rule: when the driver has been told of a reset it starts nothing, also if it was about
 * to restart a channel itself (pci.rst, reset_prepare).
 */
static void halted_during_recovery(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *y;

	y = tell_during_recovery(dut, chan, ldk_halt);
	loopdma_fake_power_cycle(dut->fake);
	ldk_unhalt(dut);
	ldk_expect_copied(y, 1);
	ldk_copy_ok(dut, chan, LEN);
}

LDK_POWER_LOST();

/* Rule: and when it has put the device to sleep (Documentation/driver.rst, "Sleep"). */
static void suspended_during_recovery(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *y;

	y = tell_during_recovery(dut, chan, ldk_suspend);
	ldk_resume(dut, lost);
	ldk_expect_copied(y, 1);
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: the same if it is about to end a reset of its own: what is first over does not
 * start anything under the other.
 */
static void reset_during_reset(struct kunit *test)
{
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	struct slow_stop slow;
	struct ldk_xfer *x, *y;

	loopdma_fake_reset_err(dut->fake, -ENOTTY);
	ldk_stuck(chan, LOOPDMA_STUCK_DEVICE);
	x = ldk_copies_issued(dut, chan, 1, LEN);
	KUNIT_ASSERT_TRUE(test, ldk_poll(loopdma_fake_state(dut->fake, ldk_index(other)) !=
					 LOOPDMA_STATE_RUNNING));
	stop_later(&slow, chan);
	/* As the PCI core does, which keeps it until the reset is over. */
	device_lock(loopdma_fake_device(dut->fake));
	ldk_halt(dut);
	has_stopped(&slow);
	/* The driver's is over, that of somebody else is not. */
	ldk_settle(dut);
	y = expect_not_started(dut, other);
	loopdma_fake_power_cycle(dut->fake);
	ldk_unhalt(dut);
	device_unlock(loopdma_fake_device(dut->fake));
	ldk_expect_copied(y, 1);
	ldk_expect_aborted(x, 1);
	ldk_copy_ok(dut, chan, LEN);
	ldk_copy_ok(dut, other, LEN);
}

/*
 * Rule: nor when the system falls asleep while the driver resets the function: what the
 * reset would start waits until the device is awake.
 */
static void suspended_during_reset(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = fake(test);
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	struct ldk_xfer *x, *y;

	loopdma_fake_reset_takes(dut->fake, 200);
	ldk_stuck(chan, LOOPDMA_STUCK_RESET);
	x = ldk_copies_issued(dut, chan, 1, LEN);
	KUNIT_ASSERT_TRUE(test, ldk_poll(loopdma_fake_resets(dut->fake) == 1));
	ldk_suspend(dut);
	y = expect_not_started(dut, other);
	msleep(300);
	ldk_expect_status(y, DMA_IN_PROGRESS);
	ldk_resume(dut, lost);
	ldk_expect_copied(y, 1);
	ldk_expect_aborted(x, 1);
	ldk_copy_ok(dut, chan, LEN);
}

static struct kunit_case survive_cases[] = {
	KUNIT_CASE_PARAM_ATTR(stuck, levels_gen_params,
			      {.speed = KUNIT_SPEED_SLOW}),
	KUNIT_CASE(stuck_until_aborted),
	KUNIT_CASE(stuck_again),
	KUNIT_CASE_SLOW(stuck_again_unheard),
	KUNIT_CASE(stuck_in_part),
	KUNIT_CASE_PARAM_ATTR(fails_after_reset, mishaps_gen_params,
			      {.speed = KUNIT_SPEED_SLOW}),
	KUNIT_CASE(stuck_and_terminated),
	KUNIT_CASE_SLOW(waits_for_peer),
	KUNIT_CASE(waits_for_client),
	KUNIT_CASE(never_given_up),
	KUNIT_CASE(given_up),
	KUNIT_CASE_SLOW(given_up_unstopped),
	KUNIT_CASE_SLOW(released_stuck),
	KUNIT_CASE_SLOW(released_late),
	KUNIT_CASE_SLOW(released_and_removed),
	KUNIT_CASE_SLOW(reset_later),
	KUNIT_CASE_SLOW(reset_by_register),
	KUNIT_CASE_SLOW(reset_by_another),
	KUNIT_CASE(gone),
	KUNIT_CASE(gone_unnoticed),
	KUNIT_CASE(gone_before_request),
	KUNIT_CASE_SLOW(gone_before_reset),
	KUNIT_CASE(reset_under_way),
	KUNIT_CASE(reset_untold),
	KUNIT_CASE(requested_during_reset),
	KUNIT_CASE(passed_on_during_reset),
	KUNIT_CASE(requested_after_reset),
	KUNIT_CASE(terminated_during_reset),
	KUNIT_CASE(controlled_during_reset),
	KUNIT_CASE(control_given_up),
	KUNIT_CASE(control_left),
	KUNIT_CASE_SLOW(reset_under_load),
	KUNIT_CASE_SLOW(frozen_for_ever),
	KUNIT_CASE(frozen_for_a_while),
	KUNIT_CASE(halted_during_recovery),
	KUNIT_CASE_PARAM(suspended_during_recovery, power_lost_gen_params),
	KUNIT_CASE_SLOW(reset_during_reset),
	KUNIT_CASE_PARAM_ATTR(suspended_during_reset, power_lost_gen_params,
			      {.speed = KUNIT_SPEED_SLOW}),
	{ }
};

static struct kunit_suite survive_suite = {
	.name = "loopdma_survive",
	.init = survive_init,
	.exit = ldk_exit,
	.test_cases = survive_cases,
};

kunit_test_suite(survive_suite);
