// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_unordered: a device that ends transactions in any order.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.  What they
 * expect of an order is that of the device (hardware.rst, "Unordered channels").
 */
#include "dut.h"

#define LEN		256

/* What the simulated device moves with a descriptor. */
#define PIECE		128

/* On the device that there is if it is unordered, else on a simulated one. */
static int unordered_init(struct kunit *test)
{
	int err = ldk_init(test);

	if (err || ldk_is_unordered(test->priv))
		return err;
	ldk_fake_unordered(test, PIECE);
	return 0;
}

/* Copies that the device knows of, and does not begin before it is told to. */
static struct ldk_xfer *held_copies(struct ldk_dut *dut, struct dma_chan *chan,
				    unsigned int n, size_t len)
{
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, n, len);

	ldk_hold(chan);
	dma_async_issue_pending(chan);
	return x;
}

/* Rule: what is said of the device (provider.rst, "DMA_COMPLETION_NO_ORDER"). */
static void capabilities(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	dma_cap_mask_t mask = chan->device->cap_mask;

	KUNIT_EXPECT_TRUE(test, dma_has_cap(DMA_COMPLETION_NO_ORDER, mask));
	KUNIT_EXPECT_TRUE(test, dma_has_cap(DMA_PRIVATE, mask));
	KUNIT_EXPECT_TRUE(test, dma_has_cap(DMA_MEMSET, mask));
	KUNIT_EXPECT_FALSE(test, dma_has_cap(DMA_INTERRUPT, mask));
	KUNIT_EXPECT_FALSE(test, dma_has_cap(DMA_XOR, mask));
	KUNIT_EXPECT_FALSE(test, dma_has_cap(DMA_SLAVE, mask));
	KUNIT_EXPECT_FALSE(test, chan->device->descriptor_reuse);
	KUNIT_EXPECT_EQ(test, (int)DMA_RESIDUE_GRANULARITY_DESCRIPTOR,
			(int)chan->device->residue_granularity);
}

/* Rule: each callback comes when its own transaction has ended. */
static void newest_first(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = held_copies(dut, chan, 8, PIECE);
	unsigned int i = 8;

	while (i--) {
		ldk_step(chan, 1);
		ldk_expect_copied(&x[i], 1);
		ldk_expect_unaffected(x, i);
	}
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: tx_status tells that it cannot tell, whatever it is asked. */
static void status_out_of_order(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 2, PIECE);

	ldk_hold(chan);
	ldk_expect_state(&x[0], DMA_OUT_OF_ORDER, 0);
	dma_async_issue_pending(chan);
	ldk_step(chan, 1);
	ldk_expect_copied(&x[1], 1);
	ldk_expect_state(&x[0], DMA_OUT_OF_ORDER, 0);
	ldk_expect_state(&x[1], DMA_OUT_OF_ORDER, 0);
	ldk_unhold(chan);
	ldk_expect_copied(&x[0], 1);
	ldk_expect_state(&x[0], DMA_OUT_OF_ORDER, 0);
}

/* Rule: who polls is served, too: tx_status has callbacks called. */
static void completed_by_polling(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = held_copies(dut, chan, 2, PIECE);
	unsigned long deadline = jiffies + ldk_timeout();

	dut->trouble = true;
	ldk_drop_irq(chan, 1);
	ldk_step(chan, 1);
	while (!completion_done(&x[1].done) && time_before(jiffies, deadline)) {
		ldk_expect_status(&x[1], DMA_OUT_OF_ORDER);
		usleep_range(100, 200);
	}
	ldk_expect_copied(&x[1], 1);
	KUNIT_EXPECT_EQ(test, 0, ldk_lost_irqs(chan));
	ldk_drop_irq(chan, 0);
	ldk_unhold(chan);
	ldk_expect_copied(&x[0], 1);
}

/* Rule: the watchdog finds what has lost its interrupt, wherever it is in the ring. */
static void interrupt_lost(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = held_copies(dut, chan, 2, PIECE);
	u64 lost = ldk_lost_irqs(chan);

	dut->trouble = true;
	ldk_patience(dut, 20, 0);
	ldk_drop_irq(chan, 1);
	ldk_step(chan, 1);
	ldk_expect_copied(&x[1], 1);
	KUNIT_EXPECT_EQ(test, 1, ldk_lost_irqs(chan) - lost);
	ldk_unhold(chan);
	ldk_expect_copied(&x[0], 1);
}

/* Rule: more than the ring has room for follows when there is room. */
static void more_than_the_ring(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 3);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 60);
	unsigned int i;

	for (i = 0; i < 60; i++) {
		size_t len = PIECE * (1 + i % 5) - i % 3;

		x[i].src = ldk_src(dut, len);
		x[i].dst = ldk_dst(dut, len);
		ldk_queue(&x[i], ldk_prep_copy(chan, x[i].dst, x[i].src));
	}
	dma_async_issue_pending(chan);
	ldk_expect_copied(x, 60);
}

/* Rule: everything that is retired is taken note of, if more than a hold of the lock takes. */
static void many_at_once(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u32 before = ldk_descriptors(chan);
	struct ldk_xfer *x = held_copies(dut, chan, 192, PIECE);

	/* The bottom half would take note of each. */
	dut->trouble = true;
	ldk_drop_irq(chan, U32_MAX);
	ldk_unhold(chan);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_descriptors(chan) - before == 192));
	ldk_status(x);
	ldk_drop_irq(chan, 0);
	ldk_expect_copied(x, 192);
}

/* Rule: prep refuses what the ring could never take as a whole. */
static void too_long_for_the_ring(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 2);
	size_t most = 4 * (size_t)ldk_max_len(dut);
	struct dma_async_tx_descriptor *tx;

	tx = dmaengine_prep_dma_memcpy(chan, 0, SZ_1G, most + 1, LDK_FLAGS);
	KUNIT_EXPECT_NULL(test, tx);
	tx = dmaengine_prep_dma_memset(chan, 0, 1, most + 1, LDK_FLAGS);
	KUNIT_EXPECT_NULL(test, tx);
	if (most <= SZ_1M)
		ldk_copy_ok(dut, chan, most);
	/* What has called back is freed afterwards. */
	KUNIT_EXPECT_TRUE(test, ldk_poll(!ldk_pool_used(chan)));
}

/* Rule: prep refuses what is to be waited for by those behind it. */
static void no_fence(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	unsigned long flags = LDK_FLAGS | DMA_PREP_FENCE;

	KUNIT_EXPECT_NULL(test, dmaengine_prep_dma_memcpy(chan, 0, SZ_1G, LEN, flags));
	KUNIT_EXPECT_NULL(test, dmaengine_prep_dma_memset(chan, 0, 1, LEN, flags));
	KUNIT_EXPECT_EQ(test, 0, ldk_pool_used(chan));
}

/* Rule: a transaction that fails has its own error, and no other has. */
static void error_of_its_own(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 3, LEN);

	ldk_hold(chan);
	ldk_fail(chan, 1, DMA_TRANS_READ_FAILED, 0);
	dma_async_issue_pending(chan);
	ldk_unhold(chan);
	ldk_finish_failed(&x[2], DMA_TRANS_READ_FAILED, LEN);
	ldk_expect_copied(x, 2);
}

/* Rule: after terminate_sync no callback comes, and what had ended stays so. */
static void terminated(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = held_copies(dut, chan, 6, PIECE);

	ldk_step(chan, 2);
	ldk_expect_copied(&x[4], 2);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_expect_unaffected(x, 4);
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
	ldk_expect_unaffected(x, 4);
	/* What has called back is freed afterwards. */
	KUNIT_EXPECT_TRUE(test, ldk_poll(!ldk_pool_used(chan)));
}

/* Rule: pause and resume lose nothing. */
static void paused(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, 4, LEN);

	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	dma_async_issue_pending(chan);
	ldk_expect_unaffected(x, 4);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_resume(chan));
	ldk_expect_copied(x, 4);
}

/* Rule: what was in flight when a device lost its state is moved after it. */
static void state_lost(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = held_copies(dut, chan, 5, LEN);

	dut->trouble = true;
	/* Half of the newest on the simulated device, all of it on another. */
	ldk_step(chan, 1);
	ldk_suspend(dut);
	ldk_resume(dut, true);
	ldk_expect_copied(x, 5);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: a reset costs what is in the ring, because the device may be at any of it. */
static void reset(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = held_copies(dut, chan, 5, PIECE);

	dut->trouble = true;
	ldk_step(chan, 1);
	ldk_expect_copied(&x[4], 1);
	KUNIT_ASSERT_EQ(test, 0, ldk_reset(dut));
	ldk_expect_aborted(x, 4);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: so does a transaction without progress (Documentation/driver.rst, "Stuck"). */
static void stuck(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = held_copies(dut, chan, 4, PIECE);
	struct ldk_repairs before = ldk_repairs(chan);

	dut->trouble = true;
	ldk_patience(dut, 50, 500);
	ldk_step(chan, 1);
	ldk_expect_copied(&x[3], 1);
	ldk_expect_aborted(x, 3);
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 1, 0, 0, 0 });
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: an abort is tried first also if a part of the oldest is retired. */
static void stuck_in_parts(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = held_copies(dut, chan, 1, LEN);
	bool parts = ldk_max_len(dut) < LEN;
	struct ldk_repairs before = ldk_repairs(chan);

	dut->trouble = true;
	ldk_patience(dut, 50, 500);
	if (parts)
		ldk_step(chan, 1);
	ldk_finish_failed(x, DMA_TRANS_ABORTED, parts ? LEN - PIECE : LEN);
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 1, 0, 0, 0 });
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: a count that stays behind the statuses is no progress, and keeps no room. */
static void count_left_behind(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 1);
	struct ldk_xfer *x = held_copies(dut, chan, 3, PIECE);
	struct ldk_repairs before = ldk_repairs(chan);

	dut->trouble = true;
	ldk_patience(dut, 50, 500);
	ldk_step(chan, 1);
	ldk_expect_copied(&x[1], 1);
	ldk_lie(chan, -2);
	ldk_step(chan, 1);
	ldk_expect_copied(&x[0], 1);
	ldk_unhold(chan);
	ldk_expect_copied(&x[2], 1);
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 1, 1, 1, 0 });
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: a count that passes what has no status is not believed. */
static void count_without_status(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = held_copies(dut, chan, 2, PIECE);
	u64 recoveries = ldk_recoveries(chan);

	dut->trouble = true;
	/* Nothing else is to find it. */
	ldk_patience(dut, 50, 0);
	ldk_lie(chan, 1);
	ldk_step(chan, 1);
	ldk_expect_aborted(&x[0], 1);
	ldk_expect_copied(&x[1], 1);
	KUNIT_EXPECT_EQ(test, 1, ldk_recoveries(chan) - recoveries);
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
}

#define AT_ONCE	24
#define IN_ALL	(10 * AT_ONCE)

static void hook_next(struct ldk_xfer *x)
{
	ldk_start_copy(x + AT_ONCE);
}

/* Rule: callbacks may submit what comes next. */
static void submitted_by_callbacks(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 5);
	struct ldk_xfer *x = ldk_copies(dut, chan, IN_ALL, LEN);
	unsigned int i;

	for (i = 0; i < IN_ALL - AT_ONCE; i++)
		x[i].hook = hook_next;
	for (i = 0; i < AT_ONCE; i++)
		ldk_queue_copy(&x[i]);
	dma_async_issue_pending(chan);
	ldk_expect_copied(x, IN_ALL);
}

static struct kunit_case unordered_cases[] = {
	KUNIT_CASE(capabilities),
	KUNIT_CASE(newest_first),
	KUNIT_CASE(status_out_of_order),
	KUNIT_CASE(completed_by_polling),
	KUNIT_CASE(interrupt_lost),
	KUNIT_CASE(more_than_the_ring),
	KUNIT_CASE(many_at_once),
	KUNIT_CASE(too_long_for_the_ring),
	KUNIT_CASE(no_fence),
	KUNIT_CASE(error_of_its_own),
	KUNIT_CASE(terminated),
	KUNIT_CASE(paused),
	KUNIT_CASE(state_lost),
	KUNIT_CASE(reset),
	KUNIT_CASE(stuck),
	KUNIT_CASE(stuck_in_parts),
	KUNIT_CASE(count_left_behind),
	KUNIT_CASE(count_without_status),
	KUNIT_CASE(submitted_by_callbacks),
	{ }
};

static struct kunit_suite unordered_suite = {
	.name = "loopdma_unordered",
	.init = unordered_init,
	.exit = ldk_exit,
	.test_cases = unordered_cases,
};

kunit_test_suite(unordered_suite);
