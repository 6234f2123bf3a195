// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_order: what happens when, what does not, and what after an error.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.
 */
#include <linux/bottom_half.h>
#include <linux/completion.h>
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/kref.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/limits.h>
#include <linux/prandom.h>
#include <linux/sched.h>
#include <linux/smp.h>

#include "dut.h"

#define LEN 256

/* --- What is in order --------------------------------------------------------- */

/* Rule: a later transfer of a channel sees what an earlier one has written. */
static void chain_of_copies(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 10);
	struct ldk_buf *src = ldk_src(dut, SZ_4K), *hop[10];
	unsigned int i;

	for (i = 0; i < 10; i++) {
		hop[i] = ldk_buf_at(dut, SZ_4K, 0, DMA_BIDIRECTIONAL);
		ldk_submit_copy(&x[i], hop[i], i ? hop[i - 1] : src);
	}
	dma_async_issue_pending(chan);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[9]));
	ldk_expect_moved(dut, hop[9], src);
}

/* Rule: a channel that waits does not make another wait (hardware.rst). */
static void channels_independent(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *a = ldk_request(dut), *other = ldk_request(dut);
	struct ldk_xfer *held = ldk_copies_submitted(dut, a, 4, LEN), *x;

	ldk_hold(a);
	dma_async_issue_pending(a);
	x = ldk_copies_issued(dut, other, 16, LEN);
	ldk_expect_copied(x, 16);
	ldk_expect_unaffected(held, 4);
	ldk_unhold(a);
	ldk_expect_copied(held, 4);
}

/* Rule: cookies wrap at INT_MAX to positive ones, in the middle of work. */
static void cookies_wrap(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct dma_tx_state state;
	struct ldk_xfer *x;
	unsigned int i;

	chan->cookie = INT_MAX - 4;
	chan->completed_cookie = INT_MAX - 4;
	x = ldk_copies_submitted(dut, chan, 10, LEN);
	for (i = 0; i < 10; i++) {
		KUNIT_EXPECT_GT(test, x[i].cookie, 0);
		ldk_expect_status(&x[i], DMA_IN_PROGRESS);
	}
	KUNIT_EXPECT_EQ(test, INT_MAX, x[3].cookie);
	KUNIT_EXPECT_EQ(test, DMA_MIN_COOKIE, x[4].cookie);
	dma_async_issue_pending(chan);
	ldk_expect_copied(x, 10);
	for (i = 0; i < 10; i++)
		KUNIT_EXPECT_EQ(test, (int)DMA_COMPLETE,
				(int)dmaengine_tx_status(chan, x[i].cookie,
							 &state));
	KUNIT_EXPECT_EQ(test, x[9].cookie, state.last);
}

static void give_out_from(struct dma_chan *chan, dma_cookie_t cookie)
{
	chan->cookie = cookie;
	chan->completed_cookie = cookie;
}

/* Rule: a transaction is not taken for one that had its cookie before and failed. */
static void cookies_given_out_again(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, LEN);
	struct ldk_xfer *y;

	ldk_fail(chan, 1, DMA_TRANS_READ_FAILED, 0);
	ldk_start_copy(x);
	ldk_finish_failed(x, DMA_TRANS_READ_FAILED, LEN);

	give_out_from(chan, BIT(30));
	ldk_copy_ok(dut, chan, LEN);
	ldk_expect_state(x, DMA_ERROR, LEN);
	give_out_from(chan, INT_MAX);
	y = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_expect_copied(y, 2);
	KUNIT_ASSERT_EQ(test, x->cookie, y[1].cookie);
	ldk_expect_state(&y[1], DMA_COMPLETE, 0);
}

/* --- Callbacks ------------------------------------------------------------------ */

/* Rule: one transfer, one callback; also when interrupts come on top. */
static void callback_once(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 16, LEN);
	unsigned int i;

	dma_async_issue_pending(chan);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[15]));
	for (i = 0; i < 5; i++) {
		ldk_raise(chan);
		dma_async_issue_pending(chan);
		ldk_status(&x[i]);
	}
	ldk_round_trip(dut);
	dmaengine_synchronize(chan);
	for (i = 0; i < 16; i++)
		KUNIT_EXPECT_EQ(test, 1, x[i].calls);
}

/* Rule: no lock is held across a callback (client.rst). */
static void callback_unlocked(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 8, LEN);
	unsigned int i;

	if (!IS_ENABLED(CONFIG_SMP) && !IS_ENABLED(CONFIG_DEBUG_SPINLOCK))
		kunit_skip(test, "needs CONFIG_DEBUG_SPINLOCK on one CPU");
	dma_async_issue_pending(chan);
	ldk_expect_copied(x, 8);
	for (i = 0; i < 8; i++)
		KUNIT_EXPECT_FALSE(test, x[i].locked);
}

/* How many copies are called back together, each of which issues another. */
#define CALLERS		3

/* Issues the next of the copies, without asking for anything else. */
static void issue_another(void *param)
{
	struct ldk_xfer **next = param, *x = (*next)++;
	struct dma_async_tx_descriptor *tx = ldk_prep(x, LDK_FLAGS);

	if (tx && ldk_submit(x, tx))
		dma_async_issue_pending(x->chan);
}

/*
 * Rule: one doorbell for all that callbacks issue, as long as that keeps nobody
 * waiting: rung when they are over, or at once if the device has nothing to do.
 */
static void callbacks_ring(struct kunit *test, unsigned int left)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *first = ldk_copies(dut, chan, CALLERS, LEN);
	struct ldk_xfer *held = ldk_copies(dut, chan, left, LEN);
	struct ldk_xfer *more = ldk_copies(dut, chan, CALLERS, LEN), *next = more;
	u32 before = ldk_descriptors(chan), doorbells;
	struct dma_async_tx_descriptor *tx;
	unsigned int i;

	ldk_hold(chan);
	for (i = 0; i < CALLERS; i++) {
		tx = ldk_prep(&first[i], LDK_FLAGS);
		KUNIT_ASSERT_NOT_NULL(test, tx);
		tx->callback = issue_another;
		tx->callback_param = &next;
		dmaengine_submit(tx);
	}
	for (i = 0; i < left; i++)
		ldk_queue_copy(&held[i]);
	/* Without their interrupt, so that it is we who find them, together. */
	dut->trouble = true;
	ldk_drop_irq(chan, 1);
	dma_async_issue_pending(chan);
	ldk_step(chan, CALLERS);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_descriptors(chan) - before == CALLERS));

	doorbells = ldk_doorbells(chan);
	local_bh_disable();
	dma_async_is_tx_complete(chan, chan->cookie, NULL, NULL);
	/* Calls back: a tasklet runs on the CPU that has scheduled it. */
	local_bh_enable();
	KUNIT_ASSERT_PTR_EQ(test, more + CALLERS, READ_ONCE(next));
	/* With PREEMPT_RT nobody knows that it is a callback which issues. */
	KUNIT_EXPECT_EQ(test, IS_ENABLED(CONFIG_PREEMPT_RT) ? CALLERS : left ? 1 : 2,
			ldk_doorbells(chan) - doorbells);

	ldk_unhold(chan);
	ldk_expect_copied(held, left);
	ldk_expect_copied(more, CALLERS);
}

static void callbacks_ring_once(struct kunit *test)
{
	callbacks_ring(test, 2);
}

static void callbacks_ring_at_once(struct kunit *test)
{
	callbacks_ring(test, 0);
}

/* More than the tasklet does in a row, and how many more when it has come back. */
#define GENERATIONS	20000
#define COME_BACK	100

/**
 * struct generations - a copy that its callback begins again, and sees the end of
 * @x: the copy
 * @called: how often it was called back
 * @at_once: @called when @other had the CPU, or 0
 * @other: a tasklet that is scheduled while the channel's runs
 * @last: the last callback was called
 */
struct generations {
	struct ldk_xfer *x;
	unsigned int called;
	unsigned int at_once;
	struct tasklet_struct other;
	struct completion last;
};

static void begin_next(void *param);

static void begin(struct generations *g)
{
	struct ldk_xfer *x = g->x;
	u32 executed = ldk_descriptors(x->chan);
	struct dma_async_tx_descriptor *tx;
	dma_cookie_t cookie;
	unsigned int i;

	tx = ldk_prep(x, LDK_FLAGS);
	if (!tx)
		return;
	tx->callback = begin_next;
	tx->callback_param = g;
	cookie = dmaengine_submit(tx);
	dma_async_issue_pending(x->chan);
	/* Has it begun, which a callback may put off, and completed, as if by another CPU. */
	dma_async_is_tx_complete(x->chan, cookie, NULL, NULL);
	if (x->dut->fake)
		loopdma_fake_run(x->dut->fake);
	/* For a moment: if it takes longer, its interrupt tells. */
	for (i = 0; i < 1000; i++) {
		if (ldk_descriptors(x->chan) != executed)
			break;
		udelay(1);
	}
	dma_async_is_tx_complete(x->chan, cookie, NULL, NULL);
}

static void begin_next(void *param)
{
	struct generations *g = param;

	WRITE_ONCE(g->called, g->called + 1);
	if (g->called == 1)
		tasklet_schedule(&g->other);
	if (g->called >= (READ_ONCE(g->at_once) ?: GENERATIONS) + COME_BACK)
		complete(&g->last);
	else
		begin(g);
}

static void have_the_cpu(struct tasklet_struct *t)
{
	struct generations *g = from_tasklet(g, t, other);

	WRITE_ONCE(g->at_once, READ_ONCE(g->called));
}

/*
 * Rule: a channel that always has something to call back lets others have the
 * CPU now and then, and comes back: no interrupt will tell of what is done.
 */
static void tasklet_comes_back(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	/* Not on the stack: were it late, the last callback could outlive the case. */
	struct generations *g = kunit_kzalloc(test, sizeof(*g), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, g);
	g->x = ldk_copies(dut, chan, 1, LEN);
	tasklet_setup(&g->other, have_the_cpu);
	init_completion(&g->last);
	begin(g);
	KUNIT_EXPECT_TRUE_MSG(test, wait_for_completion_timeout(&g->last, ldk_timeout()),
			      "called %u times, %u of them at once", g->called, g->at_once);
	dmaengine_terminate_sync(chan);
	tasklet_kill(&g->other);
	KUNIT_EXPECT_GT(test, g->at_once, 0);
	KUNIT_EXPECT_LT(test, g->at_once, GENERATIONS);
	ldk_expect_moved(dut, g->x->dst, g->x->src);
}

static void hook_terminate(struct ldk_xfer *x)
{
	dmaengine_terminate_async(x->chan);
}

/*
 * Rule: terminate_async may be called from a callback (client.rst); what is
 * incomplete then gets none.
 */
static void terminate_from_callback(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 4, LEN);

	x[0].hook = hook_terminate;
	ldk_hold(chan);
	dma_async_issue_pending(chan);
	ldk_step(chan, 1);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[0]));
	dmaengine_synchronize(chan);
	ldk_unhold(chan);
	ldk_round_trip(dut);
	KUNIT_EXPECT_EQ(test, 1, x[0].calls);
	ldk_expect_unaffected(&x[1], 3);
	ldk_copy_ok(dut, chan, LEN);
}

/* For a client that does not want to be told. */
static void submit_polled(struct ldk_xfer *x)
{
	struct dma_async_tx_descriptor *tx = ldk_prep(x, DMA_CTRL_ACK);

	KUNIT_ASSERT_NOT_NULL(x->dut->test, tx);
	x->cookie = dmaengine_submit(tx);
}

/*
 * Rule: without DMA_PREP_INTERRUPT nobody is interrupted, and the cookie
 * completes for those who ask (dmaengine.h, DMA_PREP_INTERRUPT).
 */
static void polled(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 8, LEN);
	u32 before = ldk_interrupts(chan);
	unsigned int i;

	for (i = 0; i < 8; i++)
		submit_polled(&x[i]);
	dma_async_issue_pending(chan);
	for (i = 0; i < 8; i++) {
		KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_status(&x[i]) == DMA_COMPLETE));
		ldk_expect_moved(dut, x[i].dst, x[i].src);
	}
	KUNIT_EXPECT_EQ(test, before, ldk_interrupts(chan));
}

/*
 * Status of what the device has counted, which it does before it writes the
 * status.  Spins, for callers that must not be interrupted by the tasklet.
 */
static enum dma_status status_after_count(struct ldk_xfer *x)
{
	enum dma_status status = DMA_IN_PROGRESS;
	unsigned int i;

	for (i = 0; i < USEC_PER_SEC && status != DMA_COMPLETE; i++) {
		udelay(1);
		status = ldk_status(x);
	}
	return status;
}

/*
 * Rule: tx_status takes notice, but does not call back: its caller may hold
 * locks that the callback wants (provider.rst, any context).
 */
static void status_never_calls_back(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u32 before = ldk_descriptors(chan);
	unsigned int calls = U32_MAX;
	enum dma_status status;
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_drop_irq(chan, 1);
	x = ldk_copies_issued(dut, chan, 1, LEN);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_descriptors(chan) - before == 1));

	/* A tasklet that is scheduled in here cannot run in here. */
	local_bh_disable();
	status = status_after_count(x);
	calls = x->calls;
	local_bh_enable();

	KUNIT_EXPECT_EQ(test, (int)DMA_COMPLETE, (int)status);
	KUNIT_EXPECT_EQ(test, 0, calls);
	ldk_expect_copied(x, 1);
}

/*
 * Rule: prep, submit, issue_pending, tx_status and terminate can be called
 * from an interrupt (provider.rst): they neither sleep nor enable interrupts.
 */
static void any_context(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 2, LEN);
	struct dma_async_tx_descriptor *tx[2];
	bool still[6], ok = false;
	unsigned long flags;
	int i;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "with PREEMPT_RT no lock can be taken so");
	local_irq_save(flags);
	tx[0] = ldk_prep(x, LDK_FLAGS);
	tx[1] = chan->device->device_prep_dma_interrupt(chan, DMA_CTRL_ACK);
	still[0] = irqs_disabled();
	if (tx[0] && tx[1])
		ok = ldk_submit(&x[0], tx[0]) && ldk_submit(&x[1], tx[1]);
	still[1] = irqs_disabled();
	dma_async_issue_pending(chan);
	still[2] = irqs_disabled();
	ldk_status(&x[0]);
	still[3] = irqs_disabled();
	ldk_residue(&x[1]);
	still[4] = irqs_disabled();
	local_irq_restore(flags);

	KUNIT_ASSERT_TRUE(test, ok);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[1]));
	ldk_expect_copied(x, 1);

	local_irq_save(flags);
	dmaengine_terminate_async(chan);
	still[5] = irqs_disabled();
	local_irq_restore(flags);
	dmaengine_synchronize(chan);
	for (i = 0; i < ARRAY_SIZE(still); i++)
		KUNIT_EXPECT_TRUE_MSG(test, still[i], "call %d", i);
}

/* Submits a copy with its mappings. */
static struct dmaengine_unmap_data *submit_mapped(struct ldk_xfer *x, unsigned long flags)
{
	struct dma_async_tx_descriptor *tx = ldk_prep(x, flags);
	struct kunit *test = x->dut->test;
	struct dmaengine_unmap_data *unmap;

	KUNIT_ASSERT_NOT_NULL(test, tx);
	unmap = ldk_give_mappings(x->dut, x->dst, x->src);
	dma_set_unmap(tx, unmap);
	KUNIT_EXPECT_TRUE(test, ldk_submit(x, tx));
	KUNIT_EXPECT_EQ(test, 2, kref_read(&unmap->kref));
	return unmap;
}

/*
 * Rule: the provider drops its reference to the unmap data when a transfer is
 * complete, not before; a client that polls may use the memory when the status is
 * DMA_COMPLETE (dmaengine.h, dma_descriptor_unmap()).
 */
static void unmaps_when_polled(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, LEN);
	struct dmaengine_unmap_data *unmap;
	u32 before = ldk_descriptors(chan);
	enum dma_status status;
	unsigned int refs;

	dut->trouble = true;
	ldk_drop_irq(chan, 1);
	ldk_hold(chan);
	unmap = submit_mapped(x, LDK_FLAGS);
	dma_async_issue_pending(chan);
	ldk_round_trip(dut);
	KUNIT_EXPECT_EQ(test, 2, kref_read(&unmap->kref));
	ldk_unhold(chan);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_descriptors(chan) - before == 1));

	/* A tasklet that is scheduled in here cannot run in here. */
	local_bh_disable();
	status = status_after_count(x);
	refs = kref_read(&unmap->kref);
	local_bh_enable();

	KUNIT_EXPECT_EQ(test, (int)DMA_COMPLETE, (int)status);
	KUNIT_EXPECT_EQ(test, 1, refs);
	KUNIT_EXPECT_TRUE(test, ldk_wait(x));
	dmaengine_unmap_put(unmap);
	ldk_expect_moved(dut, x->dst, x->src);
}

/* Rule: as above, for what is terminated. */
static void unmaps_on_terminate(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 2, LEN);
	struct dmaengine_unmap_data *unmap[2];
	int i;

	ldk_hold(chan);
	for (i = 0; i < 2; i++) {
		unmap[i] = submit_mapped(&x[i], LDK_FLAGS);
		if (!i)
			dma_async_issue_pending(chan);
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, 1, kref_read(&unmap[i]->kref));
		dmaengine_unmap_put(unmap[i]);
	}
	ldk_expect_unaffected(x, 2);
}

/* --- Terminate and synchronize ----------------------------------------------------- */

static const unsigned int done_before[] = { 0, 1, 3, 6 };

LDK_DESC(done_before_desc, unsigned int, "%u of 6 done")
KUNIT_ARRAY_PARAM(done_before, done_before, done_before_desc);

/*
 * Rule: after terminate_sync no callback comes and no memory is touched
 * (client.rst), however far the work was; and the channel works (client.rst).
 */
static void terminate_sync(struct kunit *test)
{
	unsigned int n = *(const unsigned int *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 6, LEN);

	ldk_hold(chan);
	dma_async_issue_pending(chan);
	if (n) {
		ldk_step(chan, n);
		KUNIT_ASSERT_TRUE(test, ldk_wait(&x[n - 1]));
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_unhold(chan);
	ldk_round_trip(dut);
	ldk_expect_unaffected(&x[n], 6 - n);
	if (n)
		KUNIT_EXPECT_EQ(test, 1, x[n - 1].calls);
	ldk_copy_ok(dut, chan, LEN);
	ldk_expect_unaffected(&x[n], 6 - n);
}

/*
 * Rule: nobody may wait for ever for a transfer that was terminated: its
 * cookie is not in progress (Documentation/driver.rst), and later ones are
 * higher.
 */
static void terminated_cookies(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 5, LEN);
	unsigned int i;

	ldk_hold(chan);
	for (i = 0; i < 4; i++) {
		ldk_queue_copy(&x[i]);
		if (i == 1)
			dma_async_issue_pending(chan);
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	for (i = 0; i < 4; i++) {
		KUNIT_EXPECT_NE(test, (int)DMA_IN_PROGRESS, (int)ldk_status(&x[i]));
		KUNIT_EXPECT_EQ(test, 0, ldk_residue(&x[i]));
	}
	ldk_unhold(chan);
	ldk_queue_copy(&x[4]);
	KUNIT_EXPECT_GT(test, x[4].cookie, x[3].cookie);
	ldk_expect_status(&x[4], DMA_IN_PROGRESS);
	dma_async_issue_pending(chan);
	ldk_finish(&x[4]);
}

/*
 * Rule: a terminated transfer that was not done is not said to be complete, and one that
 * was done is (client.rst, dmaengine_terminate_async(); dmaengine.h, enum dma_status);
 * however many there are, and whatever comes afterwards.
 */
static void terminated_is_not_complete(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 8);
	unsigned int i, n = min(200U, ldk_pool_size(chan)), done = 3, wrong = 0;
	struct ldk_xfer *x = ldk_copies(dut, chan, n, 64), *y;

	ldk_hold(chan);
	for (i = 0; i < n; i++) {
		ldk_queue_copy(&x[i]);
		/* Some are never issued. */
		if (i == n - 10)
			dma_async_issue_pending(chan);
	}
	ldk_step(chan, done);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[done - 1]));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	for (i = 0; i < n; i++)
		wrong += ldk_status(&x[i]) != (i < done ? DMA_COMPLETE : DMA_ERROR);
	KUNIT_EXPECT_EQ(test, 0, wrong);
	dmaengine_synchronize(chan);
	ldk_unhold(chan);
	y = ldk_copies_issued(dut, chan, 1, 64);
	ldk_expect_copied(y, 1);
	for (i = 0, wrong = 0; i < n; i++)
		wrong += ldk_status(&x[i]) != (i < done ? DMA_COMPLETE : DMA_ERROR);
	KUNIT_EXPECT_EQ(test, 0, wrong);
	ldk_expect_status(y, DMA_COMPLETE);
}

/* Rule: work may be terminated twice, before the first time has ended (client.rst). */
static void terminate_twice(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 4, LEN);

	ldk_hold(chan);
	dma_async_issue_pending(chan);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	dmaengine_synchronize(chan);
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
	ldk_expect_unaffected(x, 4);
}

/*
 * Rule: terminate is for what was submitted; what is prepared is the client's,
 * and can be submitted afterwards (client.rst, ownership).
 */
static void terminate_spares_prepared(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 2, LEN);
	struct dma_async_tx_descriptor *tx = ldk_prep(x, LDK_FLAGS);

	KUNIT_ASSERT_NOT_NULL(test, tx);
	ldk_queue_copy(&x[1]);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_start(&x[0], tx);
	ldk_expect_copied(x, 1);
	ldk_expect_unaffected(&x[1], 1);
}

/*
 * Rule: terminate_async may be followed by new work at once (client.rst); the
 * new is executed, the old is not.
 */
static void submit_after_terminate_async(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *old = ldk_copies_submitted(dut, chan, 6, LEN), *x;

	ldk_hold(chan);
	dma_async_issue_pending(chan);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	x = ldk_copies_issued(dut, chan, 6, LEN);
	ldk_unhold(chan);
	ldk_expect_copied(x, 6);
	dmaengine_synchronize(chan);
	ldk_expect_unaffected(old, 6);
}

/*
 * Rule: as terminate_sync, wherever the device is at that moment, and as often as one
 * likes; KASAN and the guards see what comes too late.
 *
 * A device that is faster than the case, as a simulated one whose thread preempts it, is
 * done each time: in every other round it is held where it shall be.
 */
static void terminate_races(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 8, LEN);
	struct rnd_state rnd;
	unsigned int round, i, calls, later;

	prandom_seed_state(&rnd, dut->seed);
	for (round = 0; round < 60; round++) {
		for (i = 0; i < 8; i++) {
			ldk_xfer_again(&x[i]);
			ldk_queue_copy(&x[i]);
		}
		if (round % 2)
			ldk_hold(chan);
		dma_async_issue_pending(chan);
		if (round % 2)
			ldk_step(chan, prandom_u32_state(&rnd) % 8);
		/* Not to wait for anything: to be early, or late. */
		if (prandom_u32_state(&rnd) % 2)
			usleep_range(1, 1 + prandom_u32_state(&rnd) % 100);
		KUNIT_ASSERT_EQ(test, 0, dmaengine_terminate_sync(chan));
		if (round % 2)
			ldk_unhold(chan);

		for (i = 0, calls = 0; i < 8; i++) {
			calls += x[i].calls;
			ldk_buf_poison(x[i].dst);
		}
		ldk_round_trip(dut);
		for (i = 0, later = 0; i < 8; i++) {
			later += x[i].calls;
			ldk_expect_untouched(dut, x[i].dst);
		}
		KUNIT_EXPECT_EQ(test, calls, later);
	}
	ldk_copy_ok(dut, chan, LEN);
}

/**
 * struct waiter - who synchronizes
 * @x: whose callback is to be waited for
 * @called: dmaengine_synchronize() is called
 * @returned: it has returned
 * @calls: callbacks by then
 * @cpu: where the callback ran
 * @met: it ran when dmaengine_synchronize() was called
 * @early: dmaengine_synchronize() has returned before it was over
 */
struct waiter {
	struct ldk_xfer *x;
	bool called;
	bool returned;
	unsigned int calls;
	unsigned int cpu;
	bool met;
	bool early;
};

static void synchronize(struct waiter *w)
{
	WRITE_ONCE(w->called, true);
	dmaengine_synchronize(w->x->chan);
	w->calls = READ_ONCE(w->x->calls);
	WRITE_ONCE(w->returned, true);
}

static int waiter_thread(void *data)
{
	synchronize(data);
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

/*
 * Rule: synchronize returns when callbacks have finished, and none is
 * scheduled (provider.rst): here for one that is still to come.
 */
static void synchronize_waits(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, LEN);
	struct waiter w = { .x = x };
	struct task_struct *task;

	dut->trouble = true;
	/* The status notices, so that the callback is still to come. */
	ldk_drop_irq(chan, 1);
	ldk_queue_copy(x);
	ldk_keep_tasklet(chan, true);
	dma_async_issue_pending(chan);
	KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_status(x) == DMA_COMPLETE));
	task = kthread_run(waiter_thread, &w, "loopdma_waiter");
	if (!IS_ERR(task)) {
		/* It sleeps: in there, or behind. */
		KUNIT_EXPECT_TRUE(test, ldk_poll(READ_ONCE(w.called) &&
						 !task_is_running(task)));
		KUNIT_EXPECT_FALSE(test, READ_ONCE(w.returned));
	}
	ldk_keep_tasklet(chan, false);
	KUNIT_ASSERT_FALSE(test, IS_ERR(task));
	kthread_stop(task);
	KUNIT_EXPECT_EQ(test, 1, w.calls);
	ldk_expect_copied(x, 1);
}

/* Runs until it is waited for, but not for ever; and then for a while. */
static void hook_waited_for(struct ldk_xfer *x)
{
	struct waiter *w = x->priv;
	ktime_t end = ktime_add_ms(ktime_get(), 100);

	w->cpu = smp_processor_id();
	while (!READ_ONCE(w->called) && ktime_before(ktime_get(), end))
		cpu_relax();
	w->met = READ_ONCE(w->called);
	end = ktime_add_ms(ktime_get(), 20);
	while (w->met && !w->early && ktime_before(ktime_get(), end)) {
		cpu_relax();
		w->early = READ_ONCE(w->returned);
	}
}

/* Rule: as above, for a callback that is running on another CPU. */
static void synchronize_waits_for_running(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 4, LEN);
	struct waiter *w;
	unsigned int i;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	w = ldk_alloc(test, 4 * sizeof(*w));
	for (i = 0; i < 4; i++) {
		w[i].x = &x[i];
		x[i].hook = hook_waited_for;
		x[i].priv = &w[i];
		ldk_start_copy(&x[i]);
		KUNIT_EXPECT_TRUE(test, ldk_poll(READ_ONCE(x[i].calls)));
		synchronize(&w[i]);
		ldk_expect_copied(&x[i], 1);
		KUNIT_EXPECT_FALSE(test, w[i].early);
		if (w[i].met)
			return;
		/* It was on our CPU, or we were late: call from another. */
		set_cpus_allowed_ptr(current,
				     cpumask_of(cpumask_any_but(cpu_online_mask,
								w[i].cpu)));
	}
	kunit_skip(test, "no CPU could call while the callback ran");
}

/* --- Limits of ring and pool --------------------------------------------------------- */

/*
 * Rule: what does not fit into the ring waits and follows, in order
 * (Documentation/driver.rst).
 */
static void ring_full(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 2);
	struct ldk_xfer *x;
	unsigned int i, n;

	n = min(60U, ldk_pool_size(chan));
	KUNIT_EXPECT_GT(test, n, ldk_ring_size(chan));
	x = ldk_copies_issued(dut, chan, n, LEN);
	ldk_expect_copied(x, n);
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, i + 1, x[i].stamp);
}

/* Rule: as above, without a client that wants interrupts to move things on. */
static void ring_full_polled(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 2);
	unsigned int i;
	struct ldk_xfer *x = ldk_copies(dut, chan, 40, LEN);

	for (i = 0; i < 40; i++)
		submit_polled(&x[i]);
	dma_async_issue_pending(chan);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_status(&x[39]) == DMA_COMPLETE));
	for (i = 0; i < 40; i++)
		ldk_expect_moved(dut, x[i].dst, x[i].src);
}

/*
 * Rule: whoever polls has descriptors again when the cookies are complete; what
 * nobody is told of waits for no tasklet.
 */
static void polled_needs_no_tasklet(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 6);
	struct dma_async_tx_descriptor *tx;
	enum dma_status status;
	unsigned int i, n;
	u32 before;
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, LEN);

	n = ldk_pool_size(chan);
	before = ldk_descriptors(chan);
	for (i = 0; i < n; i++) {
		tx = ldk_prep(x, DMA_CTRL_ACK);
		KUNIT_ASSERT_NOT_NULL(test, tx);
		/* One that is not submitted: a full ring would interrupt. */
		if (i)
			dmaengine_submit(tx);
	}
	dma_async_issue_pending(chan);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_descriptors(chan) - before == n - 1));

	/* A tasklet that is scheduled in here cannot run in here. */
	local_bh_disable();
	status = dma_async_is_tx_complete(chan, chan->cookie, NULL, NULL);
	tx = ldk_prep(x, DMA_CTRL_ACK);
	local_bh_enable();

	KUNIT_EXPECT_EQ(test, (int)DMA_COMPLETE, (int)status);
	KUNIT_EXPECT_NOT_NULL(test, tx);
	ldk_expect_moved(dut, x->dst, x->src);
}

/*
 * Rule: prep gives NULL when there is nothing left to prepare with, and works
 * again later (provider.rst); nothing is lost on the way.
 */
static void pool_exhausted(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 4);
	struct dma_async_tx_descriptor *tx;
	struct ldk_buf *src = ldk_src(dut, LEN), *dst = ldk_dst(dut, LEN);
	struct ldk_xfer *x;
	unsigned int n, round;

	for (round = 0; round < 3; round++) {
		x = ldk_xfers(dut, chan, ldk_pool_size(chan) + 1);
		for (n = 0; n <= ldk_pool_size(chan); n++) {
			tx = ldk_prep_copy(chan, dst, src);
			if (!tx)
				break;
			ldk_queue(&x[n], tx);
		}
		KUNIT_ASSERT_EQ(test, ldk_pool_size(chan), n);
		dma_async_issue_pending(chan);
		KUNIT_ASSERT_TRUE(test, ldk_wait(&x[n - 1]));
		/* Not before the last callback has returned is all free. */
		dmaengine_synchronize(chan);
	}
	ldk_expect_moved(dut, dst, src);
}

/* Rule: what is terminated goes back to the pool, whatever state it was in. */
static void terminate_returns_all(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 4);
	struct ldk_buf *src = ldk_src(dut, LEN), *dst = ldk_dst(dut, LEN);
	struct ldk_xfer *x;
	unsigned int i, n, round;

	n = ldk_pool_size(chan);
	x = ldk_xfers(dut, chan, n);
	ldk_hold(chan);
	for (round = 0; round < 4; round++) {
		for (i = 0; i < n; i++) {
			ldk_submit_copy(&x[i], dst, src);
			if (i == n / 2)
				dma_async_issue_pending(chan);
		}
		KUNIT_EXPECT_NULL(test, ldk_prep_copy(chan, dst, src));
		KUNIT_ASSERT_EQ(test, 0, dmaengine_terminate_sync(chan));
	}
	for (i = 0; i < n; i++)
		KUNIT_EXPECT_EQ(test, 0, x[i].calls);
	ldk_expect_untouched(dut, dst);
}

static const unsigned int orders[] = { 1, 2, 3, 5, 8, 10, 16 };

LDK_DESC(orders_desc, unsigned int, "order %u")
KUNIT_ARRAY_PARAM(orders, orders, orders_desc);

/*
 * Rule: slots are used again and again (hardware.rst); here one and a half times
 * around rings of all sizes, small ones more often.  What the device cannot do
 * becomes the nearest that it can.
 */
static void ring_wraps(struct kunit *test)
{
	unsigned int order = *(const unsigned int *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, order);
	unsigned int total, i, n, batch;
	u32 before;
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, 16);

	total = max(3 * ldk_ring_size(chan) / 2 + 1, 100U);
	batch = min(ldk_pool_size(chan) / 2, 1000U);
	before = ldk_descriptors(chan);
	for (i = 0; i < total; i += n) {
		for (n = 1; n < min(batch, total - i); n++)
			submit_polled(x);
		ldk_do(dut, ldk_prep(x, LDK_FLAGS));
		dmaengine_synchronize(chan);
	}
	KUNIT_EXPECT_EQ(test, total, ldk_descriptors(chan) - before);
	ldk_expect_moved(dut, x->dst, x->src);
}

/* --- Doorbells, register reads, interrupts --------------------------------------------- */

/* Rule: one doorbell tells all that is issued at once (Documentation/driver.rst). */
static void one_doorbell_per_issue(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u32 before = ldk_doorbells(chan);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 20, LEN);

	dma_async_issue_pending(chan);
	ldk_expect_copied(x, 20);
	KUNIT_EXPECT_EQ(test, 1, ldk_doorbells(chan) - before);
}

/*
 * Entries that a hold of the lock puts in, and takes out, without mappings and with them
 * (driver.rst, "Latency").
 */
#define FILLED_AT_ONCE	256

static const unsigned int reaped_at_once[] = { 64, 16 };

LDK_DESC(reaped_at_once_desc, unsigned int, "%u at once")
KUNIT_ARRAY_PARAM(reaped_at_once, reaped_at_once, reaped_at_once_desc);

/*
 * Rule: interrupts are not disabled for as long as it takes to fill the ring
 * (Documentation/driver.rst, "Latency").  A doorbell ends each part.
 */
static void fills_in_parts(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	unsigned int n = 2 * FILLED_AT_ONCE + 1;
	u32 before = ldk_doorbells(chan);
	struct ldk_xfer *x;

	KUNIT_ASSERT_GT(test, ldk_ring_size(chan), n);
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, n, LEN);
	KUNIT_EXPECT_EQ(test, 3, ldk_doorbells(chan) - before);
	ldk_unhold(chan);
	ldk_expect_copied(x, n);
}

/*
 * Rule: as above, when the device has retired many.  Who asks for one of them gets
 * the status that it has, however many are before it.
 */
static void reaps_in_parts(struct kunit *test)
{
	unsigned int i, at_once = *(const unsigned int *)test->param_value, n = 3 * at_once;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, n, LEN);
	u32 before = ldk_descriptors(chan);
	dma_cookie_t complete;

	for (i = 0; i < n; i++)
		if (at_once == reaped_at_once[0])
			ldk_queue(&x[i], ldk_prep(&x[i], DMA_CTRL_ACK));
		else
			dmaengine_unmap_put(submit_mapped(&x[i], DMA_CTRL_ACK));
	dma_async_issue_pending(chan);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_descriptors(chan) - before == n));

	/* The bottom half would reap the rest. */
	local_bh_disable();
	KUNIT_EXPECT_EQ(test, DMA_COMPLETE,
			dma_async_is_tx_complete(chan, x->cookie, &complete, NULL));
	KUNIT_EXPECT_EQ(test, x[at_once - 1].cookie, complete);
	KUNIT_EXPECT_EQ(test, DMA_COMPLETE,
			dma_async_is_tx_complete(chan, x[n - 1].cookie, &complete, NULL));
	KUNIT_EXPECT_EQ(test, x[n - 1].cookie, complete);
	local_bh_enable();
	ldk_expect_copied(x, n);
}

/* Rule: issue_pending with nothing pending does nothing (provider.rst). */
static void no_doorbell_without_work(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u32 before = ldk_doorbells(chan);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 1, LEN);

	dma_async_issue_pending(chan);
	dma_async_issue_pending(chan);
	ldk_expect_copied(x, 1);
	dma_async_issue_pending(chan);
	KUNIT_EXPECT_EQ(test, 1, ldk_doorbells(chan) - before);
}

/*
 * Rule: from prep to callback no register is read; a read leaves the guest
 * (Documentation/driver.rst, performance).
 */
static void no_register_reads(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 20, LEN);
	u32 before = ldk_reg_reads(dut);
	unsigned int i;

	if (ldk_asks_who(dut))
		kunit_skip(test, "INTx takes a read to know what it is about");
	for (i = 0; i < 20; i++) {
		ldk_start_copy(&x[i]);
		ldk_status(&x[i]);
	}
	ldk_expect_copied(x, 20);
	dmaengine_terminate_sync(chan);
	KUNIT_EXPECT_EQ(test, before, ldk_reg_reads(dut));
}

/* Rule: only transfers that ask for it interrupt (dmaengine.h). */
static void interrupt_where_asked(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 30, LEN);
	u32 before = ldk_interrupts(chan);
	unsigned int i;

	for (i = 0; i < 30 - 1; i++)
		ldk_queue(&x[i], ldk_prep(&x[i], DMA_CTRL_ACK));
	ldk_start_copy(&x[i]);
	ldk_expect_copied(x, 30);
	KUNIT_EXPECT_EQ(test, 1, ldk_interrupts(chan) - before);
}

/*
 * Rule: while the driver has not dealt with one interrupt there is no other
 * (hardware.rst, arm): many transfers that all ask cause few.
 */
static void interrupts_suppressed(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 60, LEN);
	u32 before = ldk_interrupts(chan);

	ldk_hold(chan);
	dma_async_issue_pending(chan);
	ldk_unhold(chan);
	ldk_expect_copied(x, 60);
	KUNIT_EXPECT_LE(test, ldk_interrupts(chan) - before, 60 / 2);
}

/* Rule: an interrupt without a reason is no completion (Documentation/driver.rst). */
static void spurious_interrupt(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut), *idle = ldk_request(dut);
	struct ldk_xfer *x;
	int i;

	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 4, LEN);
	for (i = 0; i < 10; i++) {
		ldk_raise(chan);
		ldk_raise(idle);
		ldk_round_trip(dut);
	}
	ldk_expect_unaffected(x, 4);
	ldk_unhold(chan);
	ldk_expect_copied(x, 4);
}

/*
 * Rule: as above, of a channel that no client has: the driver does not even count
 * it, and the next client finds the channel as any other.
 */
static void spurious_interrupt_unused(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_repairs repairs;
	struct dma_chan *chan;
	u64 handled;

	/* The last: the round trip takes the first. */
	chan = ldk_try_request(dut, DMA_MEMCPY, ldk_channels(dut) - 1);
	KUNIT_ASSERT_NOT_NULL(test, chan);
	repairs = ldk_repairs(chan);
	handled = ldk_handled(chan);
	ldk_release(dut, chan);
	ldk_raise(chan);
	ldk_round_trip(dut);
	KUNIT_EXPECT_EQ(test, handled, ldk_handled(chan));
	KUNIT_EXPECT_FALSE(test, ldk_has_ring(chan));
	ldk_request_again(dut, chan);
	ldk_copy_ok(dut, chan, LEN);
	KUNIT_EXPECT_EQ(test, handled + 1, ldk_handled(chan));
	ldk_expect_repairs(dut, chan, repairs, (struct ldk_repairs) { });
}

/*
 * Rule: a lost interrupt delays a transfer but does not lose it, and is
 * counted (Documentation/driver.rst, watchdog).
 */
static void lost_interrupt(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u64 before = ldk_lost_irqs(chan);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_drop_irq(chan, 1);
	x = ldk_copies_issued(dut, chan, 3, LEN);
	ldk_expect_copied(x, 3);
	KUNIT_EXPECT_EQ(test, 1, (int)(ldk_lost_irqs(chan) - before));
	/* The next one comes as if nothing had happened. */
	ldk_copy_ok(dut, chan, LEN);
	KUNIT_EXPECT_EQ(test, 1, (int)(ldk_lost_irqs(chan) - before));
}

/* Of the watchdog, for those who want to see it look more than once. */
#define PERIOD_MS	20

/*
 * Rule: an interrupt that has come is not lost, however long it takes until a CPU
 * has time for what it has told of.
 */
static void late_tasklet(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, LEN);
	u64 before = ldk_lost_irqs(chan);

	ldk_patience(dut, PERIOD_MS, 0);
	ldk_keep_tasklet(chan, true);
	ldk_start_copy(x);
	KUNIT_EXPECT_TRUE(test, ldk_watchdog_looks(chan, 4));
	KUNIT_EXPECT_EQ(test, 0, x->calls);
	ldk_keep_tasklet(chan, false);
	ldk_expect_copied(x, 1);
	KUNIT_EXPECT_EQ(test, 0, (int)(ldk_lost_irqs(chan) - before));
}

/* --- Errors ------------------------------------------------------------------------------- */

struct failure {
	const char *name;
	enum dmaengine_tx_result result;
	u32 bytes;
};

static const struct failure failures[] = {
	{ "read at once", DMA_TRANS_READ_FAILED, 0 },
	{ "read in between", DMA_TRANS_READ_FAILED, 100 },
	{ "read at the end", DMA_TRANS_READ_FAILED, LEN },
	{ "write at once", DMA_TRANS_WRITE_FAILED, 0 },
	{ "write in between", DMA_TRANS_WRITE_FAILED, 1 },
	{ "refused", DMA_TRANS_ABORTED, 0 },
	{ "aborted in between", DMA_TRANS_ABORTED, LEN - 1 },
};

KUNIT_ARRAY_PARAM_DESC(failures, failures, name);

/*
 * Rule: the client of a transfer that failed is told how, and how much was not
 * moved; those before and after it are not affected (dmaengine.h, struct
 * dmaengine_result).
 */
static void error_result(struct kunit *test)
{
	const struct failure *f = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;
	unsigned int i;

	ldk_fail(chan, 3, f->result, f->bytes);
	x = ldk_copies_issued(dut, chan, 6, LEN);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[5]));
	ldk_expect_copied(x, 2);
	ldk_expect_failed(&x[2], f->result, LEN - f->bytes);
	ldk_expect_moved_part(dut, x[2].dst, x[2].src, f->bytes);
	ldk_expect_copied(&x[3], 3);
	for (i = 0; i < 6; i++)
		KUNIT_EXPECT_EQ(test, i + 1, x[i].stamp);
	ldk_expect_state(&x[2], DMA_ERROR, LEN - f->bytes);
}

/* Rule: the residue is known of the last 64 that failed (Documentation/driver.rst). */
static void residue_forgotten(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 65, 64);
	int i;

	for (i = 0; i < 65; i++) {
		ldk_fail(chan, 1, DMA_TRANS_READ_FAILED, i % 8);
		ldk_start_copy(&x[i]);
		ldk_finish_failed(&x[i], DMA_TRANS_READ_FAILED, 64 - i % 8);
	}
	ldk_expect_state(&x[0], DMA_ERROR, 0);
	for (i = 1; i < 65; i++)
		ldk_expect_state(&x[i], DMA_ERROR, 64 - i % 8);
}

/* Rule: every transfer has its own result, also when all fail in a row. */
static void errors_in_a_row(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 3, LEN);
	enum dmaengine_tx_result result;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		result = i & 1 ? DMA_TRANS_WRITE_FAILED : DMA_TRANS_READ_FAILED;
		ldk_fail(chan, 1, result, i);
		ldk_start_copy(&x[i]);
		ldk_finish_failed(&x[i], result, LEN - i);
	}
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: memory that the device cannot read or write is an error of the
 * transfer, not of the system (hardware.rst, READ and WRITE).
 */
static void inaccessible_memory(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *src = ldk_src(dut, LEN), *dst = ldk_dst(dut, LEN);
	struct ldk_xfer *r, *w;
	dma_addr_t bad = ldk_bad_addr(dut);

	ldk_hold(chan);
	r = ldk_begin(dut, dmaengine_prep_dma_memcpy(chan, dst->dma, bad, LEN, LDK_FLAGS));
	w = ldk_begin(dut, dmaengine_prep_dma_memcpy(chan, bad, src->dma, LEN, LDK_FLAGS));
	ldk_unhold(chan);
	ldk_finish_failed(r, DMA_TRANS_READ_FAILED, LEN);
	ldk_finish_failed(w, DMA_TRANS_WRITE_FAILED, LEN);
	ldk_expect_untouched(dut, dst);
	ldk_copy_ok(dut, chan, LEN);
}

static const u32 lies[] = { 1, 2, 3, 100, 0x7fffffff, 0x80000000 };

LDK_DESC(lies_desc, u32, "%#x too many")
KUNIT_ARRAY_PARAM(lies, lies, lies_desc);

/*
 * Rule: a count that the device cannot have reached, or whose descriptors have
 * no outcome, is not believed: nothing counts as done that is not, every
 * client is told, and the channel works afterwards (Documentation/driver.rst,
 * recovery).
 */
static void lying_count(struct kunit *test)
{
	u32 lie = *(const u32 *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u64 before = ldk_recoveries(chan);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 4, LEN);
	ldk_lie(chan, lie);
	ldk_step(chan, 1);
	/* The first is done, and its outcome says so. */
	ldk_expect_copied(x, 1);
	ldk_expect_aborted(&x[1], 3);
	KUNIT_EXPECT_EQ(test, 1, (int)(ldk_recoveries(chan) - before));
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: as above, for a count that goes backwards. */
static void count_backwards(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u64 before = ldk_recoveries(chan);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_copy_ok(dut, chan, LEN);
	ldk_copy_ok(dut, chan, LEN);
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_lie(chan, -2);
	ldk_step(chan, 1);
	ldk_expect_copied(x, 1);
	ldk_expect_aborted(&x[1], 1);
	KUNIT_EXPECT_EQ(test, 1, (int)(ldk_recoveries(chan) - before));
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: a channel that the device stopped by itself is restarted when the event is
 * raised; what was in flight ends as aborted (hardware.rst, "Channel errors").
 */
static void stopped_by_itself(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u64 before = ldk_recoveries(chan);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_break(chan);
	ldk_expect_aborted(x, 2);
	KUNIT_EXPECT_EQ(test, 1, (int)(ldk_recoveries(chan) - before));
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: a count that is told late loses nothing: the next one includes it. */
static void count_late(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u32 before = ldk_descriptors(chan);
	struct ldk_xfer *x;

	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_lie(chan, -1);
	ldk_step(chan, 1);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_descriptors(chan) - before == 1));
	ldk_round_trip(dut);
	KUNIT_EXPECT_EQ(test, 0, x[0].calls);
	ldk_expect_status(&x[0], DMA_IN_PROGRESS);
	ldk_step(chan, 1);
	ldk_expect_copied(x, 2);
}

/*
 * Rule: terminate_sync works also when the device never tells that it is done:
 * the channel is restarted instead (Documentation/driver.rst, recovery).
 */
static void terminate_after_late_count(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u32 before = ldk_descriptors(chan);
	struct ldk_xfer *x;

	dut->trouble = true;
	x = ldk_copies_submitted(dut, chan, 1, LEN);
	ldk_lie(chan, -1);
	dma_async_issue_pending(chan);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_descriptors(chan) - before == 1));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	KUNIT_EXPECT_EQ(test, 0, x[0].calls);
	ldk_copy_ok(dut, chan, LEN);
	KUNIT_EXPECT_EQ(test, 0, x[0].calls);
}

/* Rule: the trouble of one channel is not that of another (hardware.rst). */
static void recovery_is_local(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *bad = ldk_request(dut), *good = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, good, 40, LEN);
	struct ldk_repairs left_alone = ldk_repairs(good);
	u64 before = ldk_recoveries(bad);
	struct ldk_xfer *victim;
	unsigned int i;

	dut->trouble = true;
	ldk_hold(bad);
	victim = ldk_copies_issued(dut, bad, 2, LEN);
	ldk_lie(bad, 100);
	for (i = 0; i < 40; i++) {
		ldk_start_copy(&x[i]);
		if (i == 40 / 2)
			ldk_step(bad, 1);
	}
	ldk_expect_copied(x, 40);
	KUNIT_EXPECT_TRUE(test, ldk_wait(&victim[1]));
	/* The others have their turn behind it, if the device was reset. */
	ldk_settle(dut);
	KUNIT_EXPECT_EQ(test, 1, (int)(ldk_recoveries(bad) - before));
	ldk_expect_repairs(dut, good, left_alone, (struct ldk_repairs) { });
}

/*
 * Rule: work that comes during a recovery waits for its end, and is done.  On a PCI
 * device nobody can make a recovery last, so it may be over by then.
 */
static void submit_during_recovery(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 12, LEN);
	u64 before = ldk_recoveries(chan);
	unsigned int i;

	dut->trouble = true;
	ldk_hold(chan);
	for (i = 0; i < 4; i++)
		ldk_queue_copy(&x[i]);
	dma_async_issue_pending(chan);
	ldk_lie(chan, 100);
	if (dut->fake)
		loopdma_fake_stop_polls(dut->fake, 2000);
	ldk_step(chan, 1);
	/* A device that is let go would say what is true before it is heard. */
	KUNIT_EXPECT_TRUE(test, ldk_poll(dut->fake ? ldk_recovering(chan) :
					 ldk_recoveries(chan) > before));
	for (i = 4; i < 12; i++)
		ldk_start_copy(&x[i]);
	ldk_unhold(chan);
	/* What was in flight has ended, somehow. */
	for (i = 0; i < 4; i++) {
		KUNIT_ASSERT_TRUE(test, ldk_wait(&x[i]));
		KUNIT_EXPECT_EQ(test, 1, x[i].calls);
	}
	if (dut->fake) {
		loopdma_fake_stop_polls(dut->fake, 1);
		ldk_expect_copied(&x[4], 8);
	}
	for (i = 0; i < 12; i++) {
		KUNIT_ASSERT_TRUE(test, ldk_wait(&x[i]));
		if (x[i].result.result == DMA_TRANS_NOERROR)
			ldk_expect_moved(dut, x[i].dst, x[i].src);
	}
	KUNIT_EXPECT_EQ(test, 1, (int)(ldk_recoveries(chan) - before));
	ldk_copy_ok(dut, chan, LEN);
}

/* --- All of it -------------------------------------------------------------------------------- */

/* Rule: none of the above depends on the channel being alone, or its load. */
static void random_load(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan[4];
	struct ldk_xfer *x[4];
	struct rnd_state rnd;
	unsigned int i, round, next[4];

	prandom_seed_state(&rnd, dut->seed);
	ldk_set_ring_order(dut, 3);
	for (i = 0; i < 4; i++) {
		chan[i] = ldk_request(dut);
		x[i] = ldk_copies(dut, chan[i], 60, LEN);
	}
	for (round = 0; round < 3; round++) {
		for (i = 0; i < 4; i++)
			next[i] = 20 * round;
		while (next[0] + next[1] + next[2] + next[3] <
		       4 * 20 * (round + 1)) {
			i = prandom_u32_state(&rnd) % 4;
			if (next[i] < 20 * (round + 1))
				ldk_queue_copy(&x[i][next[i]++]);
			if (prandom_u32_state(&rnd) % 3 == 0)
				dma_async_issue_pending(chan[i]);
		}
		for (i = 0; i < 4; i++)
			dma_async_issue_pending(chan[i]);
		for (i = 0; i < 4; i++)
			ldk_expect_copied(&x[i][20 * round], 20);
	}
}

static struct kunit_case order_cases[] = {
	KUNIT_CASE(chain_of_copies),
	KUNIT_CASE(channels_independent),
	KUNIT_CASE(cookies_wrap),
	KUNIT_CASE(cookies_given_out_again),
	KUNIT_CASE(callback_once),
	KUNIT_CASE(callback_unlocked),
	KUNIT_CASE(callbacks_ring_once),
	KUNIT_CASE(callbacks_ring_at_once),
	KUNIT_CASE(tasklet_comes_back),
	KUNIT_CASE(terminate_from_callback),
	KUNIT_CASE(polled),
	KUNIT_CASE(status_never_calls_back),
	KUNIT_CASE(any_context),
	KUNIT_CASE(unmaps_when_polled),
	KUNIT_CASE(unmaps_on_terminate),
	KUNIT_CASE_PARAM(terminate_sync, done_before_gen_params),
	KUNIT_CASE(terminated_cookies),
	KUNIT_CASE(terminated_is_not_complete),
	KUNIT_CASE(terminate_twice),
	KUNIT_CASE(terminate_spares_prepared),
	KUNIT_CASE(submit_after_terminate_async),
	KUNIT_CASE(terminate_races),
	KUNIT_CASE(synchronize_waits),
	KUNIT_CASE(synchronize_waits_for_running),
	KUNIT_CASE(ring_full),
	KUNIT_CASE(ring_full_polled),
	KUNIT_CASE(polled_needs_no_tasklet),
	KUNIT_CASE(pool_exhausted),
	KUNIT_CASE(terminate_returns_all),
	KUNIT_CASE_PARAM_ATTR(ring_wraps, orders_gen_params,
			      {.speed = KUNIT_SPEED_SLOW}),
	KUNIT_CASE(one_doorbell_per_issue),
	KUNIT_CASE(fills_in_parts),
	KUNIT_CASE_PARAM(reaps_in_parts, reaped_at_once_gen_params),
	KUNIT_CASE(no_doorbell_without_work),
	KUNIT_CASE(no_register_reads),
	KUNIT_CASE(interrupt_where_asked),
	KUNIT_CASE(interrupts_suppressed),
	KUNIT_CASE(spurious_interrupt),
	KUNIT_CASE(spurious_interrupt_unused),
	KUNIT_CASE(lost_interrupt),
	KUNIT_CASE_SLOW(late_tasklet),
	KUNIT_CASE_PARAM(error_result, failures_gen_params),
	KUNIT_CASE(residue_forgotten),
	KUNIT_CASE(errors_in_a_row),
	KUNIT_CASE(inaccessible_memory),
	KUNIT_CASE_PARAM(lying_count, lies_gen_params),
	KUNIT_CASE(count_backwards),
	KUNIT_CASE(stopped_by_itself),
	KUNIT_CASE(count_late),
	KUNIT_CASE(terminate_after_late_count),
	KUNIT_CASE(recovery_is_local),
	KUNIT_CASE(submit_during_recovery),
	KUNIT_CASE(random_load),
	{ }
};

LDK_SUITE("loopdma_order", order_cases);
