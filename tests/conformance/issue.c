// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: submitting transactions, and setting them off.
 */
#include <linux/irqflags.h>
#include <kunit/resource.h>

#include "conform.h"

#define N 8

/*
 * Rule 26 (provider.rst, tx_submit; client.rst, "Submit the transaction"): submit
 * queues, and nothing more.
 */
static void submit_starts_nothing(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, N, DCT_LEN);
	int i;

	dct_submit_copies(x, N);
	dct_quiet();
	for (i = 0; i < N; i++) {
		dct_unaffected(&x[i]);
		if (dct_in_order(chan))
			dct_expect_status(&x[i], DMA_IN_PROGRESS);
	}
	dma_async_issue_pending(chan);
	dct_finish_copies(x, N);
}

/*
 * Rule 27 (dmaengine.h, dma_cookie_t; client.rst, "Submit the transaction"):
 * cookies are positive, and each is the next after that before.
 */
static void cookies_go_up(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, N, DCT_LEN);
	dma_cookie_t next;
	int i, round;

	for (round = 0; round < 2; round++) {
		for (i = round * N / 2; i < (round + 1) * N / 2; i++) {
			dct_submit_copies(&x[i], 1);
			KUNIT_EXPECT_GE(test, x[i].cookie, DMA_MIN_COOKIE);
			if (!i)
				continue;
			next = x[i - 1].cookie == INT_MAX ? DMA_MIN_COOKIE :
							    x[i - 1].cookie + 1;
			KUNIT_EXPECT_EQ(test, next, x[i].cookie);
		}
		dma_async_issue_pending(chan);
		dct_finish_copies(&x[i - 1], 1);
	}
}

/*
 * Rule 29 (provider.rst, device_issue_pending): with nothing to issue, or nothing
 * more, it does nothing.
 */
static void issue_of_nothing(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, N, DCT_LEN);
	int i;

	dma_async_issue_pending(chan);
	dma_async_issue_pending(chan);
	dct_issue_copies(x, N);
	dma_async_issue_pending(chan);
	dct_finish_copies(x, N);
	dma_async_issue_pending(chan);
	dct_quiet();
	for (i = 0; i < N; i++)
		KUNIT_EXPECT_EQ(test, 1, x[i].calls);
}

/*
 * Rule 29 (provider.rst, device_issue_pending): what is issued follows what was
 * before, without being asked for once more.
 */
static void issued_while_running(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, N, SZ_64K);
	int i;

	for (i = 0; i < N; i++)
		dct_issue_copies(&x[i], 1);
	dct_finish_copies(x, N);
}

/*
 * Rule 30 (provider.rst, device_issue_pending; client.rst, "Issue pending DMA
 * requests"): what is submitted after it waits for the next one.
 */
static void submitted_after_issue(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 4, SZ_64K);
	struct dma_async_tx_descriptor *tx;
	bool submitted;

	/* The third one is submitted while those before it are in flight for certain. */
	dct_on_its_cpu(d, chan);
	dct_submit_copies(x, 2);
	tx = dct_prep_new(&x[2], DCT_FLAGS);
	local_irq_disable();
	dma_async_issue_pending(chan);
	submitted = dct_submit(&x[2], tx);
	local_irq_enable();
	KUNIT_ASSERT_TRUE(test, submitted);
	dct_finish_copies(x, 2);
	dct_submit_copies(&x[3], 1);
	dct_quiet();
	dct_unaffected(&x[2]);
	dct_unaffected(&x[3]);
	if (dct_in_order(chan)) {
		dct_expect_status(&x[2], DMA_IN_PROGRESS);
		dct_expect_status(&x[3], DMA_IN_PROGRESS);
	}
	dma_async_issue_pending(chan);
	dct_finish_copies(&x[2], 2);
}

static void put_all(void *unused)
{
	dmaengine_put();
}

/*
 * Rule 31 (dmaengine.h, dma_issue_pending_all()): a public channel is issued to
 * with all others, under RCU, so without sleeping.
 */
static void issue_on_all_channels(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dma_async_tx_descriptor *tx;
	struct dct_xfer *x;

	dct_release(d, chan);
	if (dma_has_cap(DMA_PRIVATE, chan->device->cap_mask))
		kunit_skip(test, "the channels are private");
	dmaengine_get();
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_all, NULL));
	/* The core spreads the CPUs over all devices of a driver. */
	chan = dma_find_channel(DMA_MEMCPY);
	if (!chan || !dct_is_wanted(chan))
		kunit_skip(test, "the core prefers another device, or its channels are taken");
	x = dct_copies(d, chan, 1, DCT_LEN);
	tx = dct_prep(x, DCT_FLAGS);
	if (!IS_ERR_OR_NULL(tx) && dct_submit(x, tx)) {
		dma_issue_pending_all();
		dct_wait(x);
	}
	dct_finish_copies(x, 1);
}

static struct kunit_case issue_cases[] = {
	KUNIT_CASE(submit_starts_nothing),
	KUNIT_CASE(cookies_go_up),
	KUNIT_CASE(issue_of_nothing),
	KUNIT_CASE(issued_while_running),
	KUNIT_CASE(submitted_after_issue),
	KUNIT_CASE(issue_on_all_channels),
	{ }
};

DCT_SUITE("dmaengine_issue", issue_cases);
