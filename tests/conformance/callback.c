// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: when clients are called back, and what they may do then.
 */
#include <linux/kref.h>

#include "conform.h"

#define N 16

/*
 * Rule 41 (client.rst, "Submit the transaction"; "callback"): callbacks come from
 * the tasklet of the engine, never from an interrupt.
 */
static void called_from_softirq(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, N, DCT_LEN);
	int i;

	dct_submit_copies(x, N);
	WRITE_ONCE(d->caller, current);
	dma_async_issue_pending(chan);
	WRITE_ONCE(d->caller, NULL);
	for (i = 0; i < N; i++) {
		dct_finish_copies(&x[i], 1);
		KUNIT_EXPECT_FALSE(test, x[i].bad_context);
		KUNIT_EXPECT_FALSE(test, x[i].in_caller);
	}
}

/*
 * Rule 43 (provider.rst, "DMA_COMPLETION_NO_ORDER"; client.rst, "callback"): one
 * callback for each transaction, in the order of submission.
 */
static void once_and_in_order(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 2 * N, DCT_LEN);
	int i;

	for (i = 0; i < 2 * N; i++) {
		dct_submit_copies(&x[i], 1);
		if (i & 4)
			dma_async_issue_pending(chan);
	}
	dma_async_issue_pending(chan);
	for (i = 0; i < 2 * N; i++) {
		dct_finish_copies(&x[i], 1);
		if (dct_in_order(chan))
			KUNIT_EXPECT_EQ(test, i + 1, x[i].stamp);
	}
	dct_quiet();
	for (i = 0; i < 2 * N; i++)
		KUNIT_EXPECT_EQ(test, 1, x[i].calls);
}

static void look_at_data(struct dct_xfer *x)
{
	memcpy(x->dst->want, x->src->want, x->dst->len);
	if (!dct_is_right(x->dst))
		x->priv = x;
}

/*
 * Rule 43 (provider.rst, "DMA_COMPLETION_NO_ORDER"; client.rst, "callback"): the
 * callback of a transaction finds its cookie complete, and its data in place.
 */
static void complete_before_callback(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, N, SZ_4K);
	int i;

	for (i = 0; i < N; i++) {
		x[i].hook = look_at_data;
		dct_submit_copies(&x[i], 1);
	}
	dma_async_issue_pending(chan);
	for (i = 0; i < N; i++) {
		/* Looks at the status, too. */
		dct_finish_copies(&x[i], 1);
		KUNIT_EXPECT_NULL(test, x[i].priv);
	}
}

static void submit_next(struct dct_xfer *x)
{
	struct dct_xfer *next = x->priv;
	struct dma_async_tx_descriptor *tx;

	if (!next)
		return;
	tx = dct_prep(next, DCT_FLAGS);
	if (!IS_ERR_OR_NULL(tx) && dct_submit(next, tx))
		dma_async_issue_pending(next->chan);
}

/*
 * Rule 42 (client.rst, "Submit the transaction"): a callback may prepare, submit
 * and issue; so no lock of the provider is held.
 */
static void submit_in_callback(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, N, DCT_LEN);
	int i;

	for (i = 0; i < N; i++) {
		x[i].hook = submit_next;
		x[i].priv = i < N - 1 ? &x[i + 1] : NULL;
	}
	dct_issue_copies(x, 1);
	dct_finish_copies(x, N);
}

static void terminate(struct dct_xfer *x)
{
	x->priv = (void *)(long)dmaengine_terminate_async(x->chan);
}

/*
 * Rule 42 (client.rst, "Submit the transaction"): a callback may terminate the
 * channel, but not wait for that.
 * Rule 63 (client.rst, dmaengine_terminate_async()): those that are complete may
 * be called back after that, but not after dmaengine_synchronize() has returned.
 */
static void terminate_in_callback(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, N, SZ_4K);
	unsigned int calls[N];
	int i;

	dct_need_terminate(d, chan);
	x[0].hook = terminate;
	dct_issue_copies(x, N);
	KUNIT_ASSERT_TRUE(test, dct_wait(&x[0]));
	KUNIT_EXPECT_PTR_EQ(test, NULL, x[0].priv);
	dmaengine_synchronize(chan);
	for (i = 0; i < N; i++) {
		calls[i] = x[i].calls;
		KUNIT_EXPECT_LE(test, calls[i], 1);
	}
	dct_quiet();
	for (i = 0; i < N; i++)
		KUNIT_EXPECT_EQ(test, calls[i], x[i].calls);
	dct_copy_ok(d, chan, DCT_LEN);
}

static void must_not_call(void *param)
{
	struct dct_xfer *x = param;

	WRITE_ONCE(x->calls, x->calls + 1);
	complete_all(&x->done);
}

/*
 * Rule 44 (dmaengine.h, struct dma_async_tx_descriptor): who has both kinds of
 * callback is called by callback_result alone, which tells of success and that
 * nothing is left.
 */
static void result_before_plain(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 1, DCT_LEN);
	struct dma_async_tx_descriptor *tx = dct_prep_new(x, DCT_FLAGS);

	/* They share a parameter. */
	tx->callback = must_not_call;
	dct_start(x, tx);
	dct_finish_copies(x, 1);
	dct_quiet();
	KUNIT_EXPECT_EQ(test, 1, x->calls);
}

static void count(void *param)
{
	unsigned int *calls = param;

	(*calls)++;
}

/*
 * Rule 44 (dmaengine.h, struct dma_async_tx_descriptor): the plain callback is
 * called if it is all that there is.
 */
static void plain_callback(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 2, DCT_LEN);
	struct dma_async_tx_descriptor *tx = dct_prep_new(x, DCT_FLAGS);
	unsigned int *calls = dct_alloc(d, sizeof(*calls));

	tx->callback = count;
	tx->callback_param = calls;
	KUNIT_ASSERT_GT(test, dmaengine_submit(tx), 0);
	dct_issue_copies(&x[1], 1);
	dct_finish_copies(&x[1], 1);
	KUNIT_EXPECT_TRUE(test, dct_poll(READ_ONCE(*calls)));
	dct_quiet();
	KUNIT_EXPECT_EQ(test, 1, *calls);
	dct_check_moved(d, x[0].dst, x[0].src);
}

static void look_at_unmap(struct dct_xfer *x)
{
	struct dmaengine_unmap_data *unmap = x->priv;

	if (kref_read(&unmap->kref) == 1)
		x->hook = NULL;
}

/*
 * Rule 45 (dmaengine.h, dma_descriptor_unmap()): what the client has given to be
 * unmapped is let go of before the callback, but not before the transfer is over.
 */
static void unmapped_before_callback(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 1, DCT_LEN);
	struct dma_async_tx_descriptor *tx = dct_prep_new(x, DCT_FLAGS);
	struct dmaengine_unmap_data *unmap;
	unsigned int held, refs;
	bool ended;

	dct_need_unmap(d, chan);
	unmap = dct_give_mappings(x);
	x->priv = unmap;
	x->hook = look_at_unmap;
	dma_set_unmap(tx, unmap);
	ended = !dct_submit(x, tx);
	held = kref_read(&unmap->kref);
	if (!ended) {
		dma_async_issue_pending(chan);
		ended = dct_wait(x);
	}
	refs = kref_read(&unmap->kref);
	/* A transaction that has not ended may look at it yet: leave it. */
	if (ended)
		dmaengine_unmap_put(unmap);
	dct_finish_copies(x, 1);
	KUNIT_EXPECT_EQ_MSG(test, 2, held, "let go of before it was issued");
	KUNIT_EXPECT_EQ(test, 1, refs);
	KUNIT_EXPECT_NULL_MSG(test, x->hook, "not let go of before the callback");
}

/**
 * struct recycler - a callback that takes descriptors
 * @own: descriptor of the transaction called back for
 * @seen: it was given out again
 */
struct recycler {
	struct dma_async_tx_descriptor *own;
	bool seen;
};

static void take_descriptors(struct dct_xfer *x)
{
	struct recycler *r = x->priv;
	int i;

	for (i = 1; i < N; i++) {
		struct dma_async_tx_descriptor *tx = dct_prep(&x[i], DCT_FLAGS);

		if (IS_ERR_OR_NULL(tx))
			return;
		r->seen |= tx == r->own;
		dct_submit(&x[i], tx);
	}
}

/*
 * Rule 47 (provider.rst, "Per descriptor metadata support"): a descriptor whose metadata
 * the callback may look at is not given out again before the callback has returned.
 */
static void kept_through_callback(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, N, DCT_LEN);
	struct recycler *r = dct_alloc(d, sizeof(*r));
	int i;

	if (!chan->device->desc_metadata_modes)
		kunit_skip(test, "descriptors have no metadata");
	r->own = dct_prep(x, DCT_FLAGS);
	x->hook = take_descriptors;
	x->priv = r;
	dct_start(x, r->own);
	dct_finish_copies(x, 1);
	KUNIT_EXPECT_FALSE(test, r->seen);
	dma_async_issue_pending(chan);
	for (i = 1; i < N && x[i].cookie > 0; i++)
		dct_finish_copies(&x[i], 1);
	KUNIT_EXPECT_GT(test, i, 1);
}

static struct kunit_case callback_cases[] = {
	KUNIT_CASE(called_from_softirq),
	KUNIT_CASE(once_and_in_order),
	KUNIT_CASE(complete_before_callback),
	KUNIT_CASE(submit_in_callback),
	KUNIT_CASE(terminate_in_callback),
	KUNIT_CASE(result_before_plain),
	KUNIT_CASE(plain_callback),
	KUNIT_CASE(unmapped_before_callback),
	KUNIT_CASE(kept_through_callback),
	{ }
};

DCT_SUITE("dmaengine_callback", callback_cases);
