// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: what tx_status says, and when.
 */
#include "conform.h"

/* The cases about what a cookie's status is. */
static struct dma_chan *request_in_order(struct dct *d)
{
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);

	if (!dct_in_order(chan))
		kunit_skip(d->test, "the provider does not tell the status of a cookie");
	return chan;
}

/*
 * Rule 32 (provider.rst, device_tx_status): the status is that of the cookie;
 * whoever does not want to know more gives NULL.
 */
static void status_of_that_cookie(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request_in_order(d);
	struct dct_xfer *x = dct_copies(d, chan, 3, DCT_LEN);
	struct dma_tx_state state;

	dct_issue_copies(x, 1);
	dct_finish_copies(x, 1);
	dct_submit_copies(&x[1], 2);
	dct_expect_status(x, DMA_COMPLETE);
	dct_expect_status(&x[1], DMA_IN_PROGRESS);
	dct_expect_status(&x[2], DMA_IN_PROGRESS);
	KUNIT_EXPECT_EQ(test, (int)DMA_COMPLETE,
			(int)dmaengine_tx_status(chan, x[0].cookie, &state));
	dma_async_issue_pending(chan);
	dct_finish_copies(&x[1], 2);
}

static void ask(void *arg)
{
	struct dct_xfer *x = arg;

	x->status = dct_status(x);
}

/* Rule 32 (provider.rst, device_tx_status): it may be asked for in an interrupt. */
static void status_in_hard_interrupt(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request_in_order(d);
	struct dct_xfer *x = dct_copies(d, chan, 1, DCT_LEN);

	dct_submit_copies(x, 1);
	dct_in_hardirq(d, ask, x);
	KUNIT_EXPECT_EQ(test, (int)DMA_IN_PROGRESS, (int)x->status);
	dma_async_issue_pending(chan);
	dct_finish_copies(x, 1);
	dct_in_hardirq(d, ask, x);
	KUNIT_EXPECT_EQ(test, (int)DMA_COMPLETE, (int)x->status);
}

/*
 * Rule 33 (dmaengine.h, struct dma_tx_state): the cookie that is complete and the
 * one that was given out last are told, whichever is asked for.
 */
static void last_and_used(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request_in_order(d);
	struct dct_xfer *x = dct_copies(d, chan, 3, DCT_LEN);
	struct dma_tx_state state;
	int i;

	dct_issue_copies(x, 1);
	dct_finish_copies(x, 1);
	dct_submit_copies(&x[1], 2);
	for (i = 0; i < 3; i++) {
		memset(&state, 0xff, sizeof(state));
		dmaengine_tx_status(chan, x[i].cookie, &state);
		KUNIT_EXPECT_EQ(test, x[0].cookie, state.last);
		KUNIT_EXPECT_EQ(test, x[2].cookie, state.used);
	}
	dma_async_issue_pending(chan);
	dct_finish_copies(&x[1], 2);
	dmaengine_tx_status(chan, x[1].cookie, &state);
	KUNIT_EXPECT_EQ(test, x[2].cookie, state.last);
	KUNIT_EXPECT_EQ(test, x[2].cookie, state.used);
}

/*
 * Rule 34 (dmaengine.h, enum dma_residue_granularity; provider.rst,
 * device_tx_status): all is left of what was not issued, nothing of what is
 * complete; a provider whose granularity is the descriptor says 0 throughout.
 * Rule 58 (provider.rst, device_tx_status): that holds for what is submitted, too.
 */
static void residue_at_both_ends(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request_in_order(d);
	struct dct_xfer *x = dct_copies(d, chan, 2, SZ_4K);
	u32 all = chan->device->residue_granularity >
		  DMA_RESIDUE_GRANULARITY_DESCRIPTOR ? SZ_4K : 0;

	dct_submit_copies(x, 2);
	KUNIT_EXPECT_EQ(test, all, dct_residue(&x[0]));
	KUNIT_EXPECT_EQ(test, all, dct_residue(&x[1]));
	dma_async_issue_pending(chan);
	dct_finish_copies(x, 2);
	KUNIT_EXPECT_EQ(test, 0, dct_residue(&x[0]));
	KUNIT_EXPECT_EQ(test, 0, dct_residue(&x[1]));
}

/*
 * Copies on a channel, and watches the residue of the last one.  Returns how often
 * it saw that copy in progress; counts in *rises how often the residue grew.
 */
static unsigned int watch_residue(struct dct *d, struct dma_chan *chan,
				  unsigned int *rises)
{
	struct dct_xfer *x = dct_copies(d, chan, 8, DCT_LONG), *last = &x[7];
	unsigned long deadline = jiffies + dct_timeout();
	struct dma_tx_state state;
	unsigned int seen = 0;
	u32 left = DCT_LONG;

	dct_issue_copies(x, 8);
	while (dmaengine_tx_status(chan, last->cookie, &state) == DMA_IN_PROGRESS &&
	       time_before(jiffies, deadline)) {
		*rises += state.residue > left;
		left = state.residue;
		seen++;
		cond_resched();
	}
	dct_finish_copies(x, 8);
	return seen;
}

/*
 * Rule 34 (dmaengine.h, enum dma_residue_granularity; provider.rst,
 * device_tx_status): what is left gets less, not more.  A CPU that loses its time
 * after the issue sees no copy in progress, so the case looks again.
 */
static void residue_falls(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request_in_order(d);
	unsigned int rises = 0;
	int round;

	for (round = 0; round < 8; round++) {
		if (watch_residue(d, chan, &rises)) {
			KUNIT_EXPECT_EQ(test, 0, rises);
			return;
		}
	}
	kunit_skip(test, "every copy was over too soon to be seen");
}

/*
 * Rule 40 (provider.rst, device_tx_status): a cookie that is complete is a
 * transfer that is over, however soon one asks.
 */
static void complete_is_complete(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request_in_order(d);
	int i;

	for (i = 0; i < 16; i++) {
		struct dct_xfer *x = dct_copies(d, chan, 1, 64 + SZ_4K * (i % 4));

		dct_start(x, dct_prep(x, i & 1 ? DCT_FLAGS : DMA_CTRL_ACK));
		KUNIT_ASSERT_TRUE(test, dct_poll(dct_status(x) == DMA_COMPLETE));
		memcpy(x->dst->want, x->src->want, x->dst->len);
		KUNIT_EXPECT_TRUE(test, dct_is_right(x->dst));
		if (i & 1)
			dct_finish(x);
	}
}

/*
 * Rule 39 (provider.rst, "cookie"): cookies are complete in their order: as soon
 * as one is, all those before it are.
 */
static void completed_in_order(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request_in_order(d);
	struct dct_xfer *x = dct_copies(d, chan, 16, SZ_4K);
	unsigned long deadline = jiffies + dct_timeout();
	struct dma_tx_state state, before = { };
	unsigned int wrong = 0;
	int i;

	dct_submit_copies(x, 16);
	dmaengine_tx_status(chan, x[0].cookie, &before);
	dma_async_issue_pending(chan);
	do {
		bool done = dmaengine_tx_status(chan, x[15].cookie,
						&state) == DMA_COMPLETE;

		wrong += state.last - before.last < 0;
		before = state;
		if (done)
			break;
		for (i = 15; i && dct_status(&x[i]) != DMA_COMPLETE; i--)
			;
		while (i--)
			wrong += dct_status(&x[i]) != DMA_COMPLETE;
		cond_resched();
	} while (time_before(jiffies, deadline));
	dct_finish_copies(x, 16);
	KUNIT_EXPECT_EQ(test, 0, wrong);
}

/*
 * Rule 35 (dmaengine.h, dma_async_is_complete()): what the status of a cookie is
 * that was never given out is left open, but one may ask.  The answer is a status.
 * Rule 33 (dmaengine.h, struct dma_tx_state): the cookies that come with it are the
 * same, and stay so.
 */
static void cookies_never_given_out(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request_in_order(d);
	struct dct_xfer *x = dct_copies(d, chan, 2, DCT_LEN);
	struct dma_tx_state state;
	enum dma_status status;
	int i;

	dct_issue_copies(x, 1);
	dct_finish_copies(x, 1);
	dct_submit_copies(&x[1], 1);
	for (i = 1; i < 1000000; i *= 10) {
		memset(&state, 0xff, sizeof(state));
		status = dmaengine_tx_status(chan, x[1].cookie + i, &state);
		KUNIT_EXPECT_GE(test, (int)status, (int)DMA_COMPLETE);
		KUNIT_EXPECT_LE(test, (int)status, (int)DMA_ERROR);
		KUNIT_EXPECT_EQ(test, x[0].cookie, state.last);
		KUNIT_EXPECT_EQ(test, x[1].cookie, state.used);
	}
	dct_expect_status(x, DMA_COMPLETE);
	dct_expect_status(&x[1], DMA_IN_PROGRESS);
	dma_async_issue_pending(chan);
	dct_finish_copies(&x[1], 1);
}

/*
 * Rule 37 (provider.rst, "DMA_COMPLETION_NO_ORDER"): only a provider that says so
 * completes out of order, and then that is the status of all cookies.
 */
static void out_of_order_if_claimed(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 1, DCT_LEN);
	bool claimed = !dct_in_order(chan);

	dct_submit_copies(x, 1);
	KUNIT_EXPECT_EQ(test, claimed, dct_status(x) == DMA_OUT_OF_ORDER);
	dma_async_issue_pending(chan);
	dct_finish_copies(x, 1);
	KUNIT_EXPECT_EQ(test, claimed, dct_status(x) == DMA_OUT_OF_ORDER);
}

/*
 * Rule 38 (provider.rst, device_tx_status; client.rst, "callback"): who asks for
 * a status is not called back from within.
 */
static void status_does_not_call_back(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request_in_order(d);
	struct dct_xfer *x = dct_copies(d, chan, 16, DCT_LEN);
	int i;

	for (i = 0; i < 16; i++) {
		dct_issue_copies(&x[i], 1);
		WRITE_ONCE(d->caller, current);
		KUNIT_EXPECT_TRUE(test, dct_poll(dct_status(&x[i]) == DMA_COMPLETE));
		WRITE_ONCE(d->caller, NULL);
		dct_finish_copies(&x[i], 1);
		KUNIT_EXPECT_FALSE(test, x[i].in_caller);
		KUNIT_EXPECT_FALSE(test, x[i].bad_context);
	}
}

/*
 * Rule 38 (provider.rst, device_tx_status; client.rst, "callback"): a client that
 * does nothing but poll sees the end of its transaction.
 */
static void sync_wait(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request_in_order(d);
	int i;

	dct_need_device_cpu(d);
	for (i = 0; i < 8; i++) {
		struct dct_xfer *x = dct_copies(d, chan, 1, SZ_4K);
		struct dma_async_tx_descriptor *tx = dct_prep(x, DMA_CTRL_ACK);

		KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tx);
		x->cookie = dmaengine_submit(tx);
		KUNIT_ASSERT_GT(test, x->cookie, 0);
		KUNIT_ASSERT_EQ(test, (int)DMA_COMPLETE,
				(int)dma_sync_wait(chan, x->cookie));
		dct_check_moved(d, x->dst, x->src);
	}
}

/*
 * Rule 67 (dmaengine.h, struct dmaengine_result, enum dma_status): a transaction that
 * cannot read or write its memory tells so, in its result and its status, and the
 * channel works afterwards.
 */
static void error_is_told(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_xfers(d, chan, 2);
	struct dct_buf *src = dct_src(d, chan, DCT_LEN), *dst = dct_dst(d, chan, DCT_LEN);
	dma_addr_t refused = dct_refused(d);
	int i;

	dct_start(&x[0], dmaengine_prep_dma_memcpy(chan, dst->dma, refused, DCT_LEN,
						   DCT_FLAGS));
	KUNIT_EXPECT_TRUE(test, dct_wait(&x[0]));
	dct_start(&x[1], dmaengine_prep_dma_memcpy(chan, refused, src->dma, DCT_LEN,
						   DCT_FLAGS));
	KUNIT_EXPECT_TRUE(test, dct_wait(&x[1]));
	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_NE(test, (int)DMA_TRANS_NOERROR, (int)x[i].result.result);
		/* It is above that if the callback got none. */
		KUNIT_EXPECT_LE(test, (int)x[i].result.result, (int)DMA_TRANS_ABORTED);
		KUNIT_EXPECT_LE(test, x[i].result.residue, DCT_LEN);
		KUNIT_EXPECT_EQ(test, (int)DMA_ERROR, (int)x[i].status);
	}
	dct_check(d, src);
	dct_copy_ok(d, chan, DCT_LEN);
}

static struct kunit_case status_cases[] = {
	KUNIT_CASE(status_of_that_cookie),
	KUNIT_CASE(status_in_hard_interrupt),
	KUNIT_CASE(last_and_used),
	KUNIT_CASE(residue_at_both_ends),
	KUNIT_CASE(residue_falls),
	KUNIT_CASE(complete_is_complete),
	KUNIT_CASE(completed_in_order),
	KUNIT_CASE(cookies_never_given_out),
	KUNIT_CASE(out_of_order_if_claimed),
	KUNIT_CASE(status_does_not_call_back),
	KUNIT_CASE(sync_wait),
	KUNIT_CASE(error_is_told),
	{ }
};

DCT_SUITE("dmaengine_status", status_cases);
