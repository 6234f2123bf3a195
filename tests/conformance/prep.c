// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: preparing transactions.
 */
#include <linux/err.h>
#include <linux/irqflags.h>

#include "conform.h"

#define MANY 64

/*
 * A descriptor, or NULL, is all that there may be.  Returns true if there is a
 * descriptor.
 */
static bool given(struct dct *d, struct dma_async_tx_descriptor *tx)
{
	KUNIT_EXPECT_FALSE_MSG(d->test, IS_ERR(tx), "prep gave error %ld",
			       PTR_ERR(tx));
	return !IS_ERR_OR_NULL(tx);
}

/*
 * What a provider makes of a questionable copy is its own business, unless it
 * takes it: then nothing but @len bytes may be moved.
 */
static void refused_or_right(struct dct *d, struct dct_xfer *x, size_t dst_off,
			     size_t src_off, size_t len)
{
	struct dma_async_tx_descriptor *tx;

	tx = dmaengine_prep_dma_memcpy(x->chan, x->dst->dma + dst_off,
				       x->src->dma + src_off, len, DCT_FLAGS);
	if (!given(d, tx) || !dct_submit(x, tx))
		return;
	dma_async_issue_pending(x->chan);
	dct_finish(x);
	memcpy(x->dst->want + dst_off, x->src->want + src_off, len);
	dct_check(d, x->dst);
	dct_check(d, x->src);
}

/* Rule 19 (dmaengine.h, device_prep_dma_memcpy): nothing is moved for length 0. */
static void copy_of_nothing(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);

	refused_or_right(d, dct_copies(d, chan, 1, DCT_LEN), 0, 0, 0);
	dct_copy_ok(d, chan, DCT_LEN);
}

/* Rule 19 (dmaengine.h, device_prep_dma_memset): nothing is filled for length 0. */
static void fill_of_nothing(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMSET);
	struct dct_xfer *x = dct_xfers(d, chan, 1);
	struct dct_buf *dst = dct_dst(d, chan, DCT_LEN);
	struct dma_async_tx_descriptor *tx;

	tx = dmaengine_prep_dma_memset(chan, dst->dma, 0x5a, 0, DCT_FLAGS);
	if (given(d, tx) && dct_submit(x, tx)) {
		dma_async_issue_pending(chan);
		dct_finish(x);
	}
	dct_check(d, dst);
}

/*
 * Rule 18 (dmaengine.h, is_dma_copy_aligned()): source, destination or length
 * that are not aligned are refused or moved, but not rounded.
 */
static void unaligned_copy(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	size_t align = 1 << chan->device->copy_align, i;

	if (align == 1)
		kunit_skip(test, "the provider copies from and to any address");
	for (i = 1; i < 8; i++) {
		size_t off = i & 1 ? align / 2 : 0, len = DCT_LEN - align;

		refused_or_right(d, dct_copies(d, chan, 1, DCT_LEN), off,
				 i & 2 ? align / 2 : 0,
				 i & 4 ? len - align / 2 : len);
	}
	dct_copy_ok(d, chan, DCT_LEN);
}

/*
 * Rule 14 (provider.rst, device_prep_*): each transaction has a descriptor of
 * its own; when there are none left prep says so with NULL.
 * Rule 13 (provider.rst, device_prep_*): nothing that waits for a descriptor.
 */
static void many_prepared(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, MANY, 64);
	unsigned int n, i, twice = 0;
	struct dma_async_tx_descriptor **tx = dct_alloc(d, MANY * sizeof(*tx));

	for (n = 0; n < MANY; n++) {
		tx[n] = dct_prep(&x[n], DCT_FLAGS);
		if (!given(d, tx[n]))
			break;
		KUNIT_EXPECT_PTR_EQ(test, chan, tx[n]->chan);
		for (i = 0; i < n; i++)
			twice += tx[i] == tx[n];
	}
	KUNIT_ASSERT_GT(test, n, 0);
	KUNIT_ASSERT_EQ(test, 0, twice);
	for (i = 0; i < n; i++)
		dct_submit_new(&x[i], tx[i]);
	dma_async_issue_pending(chan);
	dct_finish_copies(x, n);
}

/*
 * Rule 15 (provider.rst, device_prep_*; device_issue_pending): prep neither
 * starts anything nor gives out a cookie.
 */
static void prep_starts_nothing(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 2, DCT_LEN);
	struct dma_async_tx_descriptor *tx = dct_prep_new(x, DCT_FLAGS);
	struct dma_tx_state before, after;

	tx->callback_result = dct_callback;
	tx->callback_param = &x[0];
	dct_issue_copies(&x[1], 1);
	dct_finish_copies(&x[1], 1);
	dmaengine_tx_status(chan, x[1].cookie, &before);
	dct_quiet();
	dmaengine_tx_status(chan, x[1].cookie, &after);
	KUNIT_EXPECT_EQ(test, x[1].cookie, before.used);
	KUNIT_EXPECT_EQ(test, before.used, after.used);
	dct_unaffected(&x[0]);
	dct_start(x, tx);
	dct_finish_copies(x, 1);
}

/*
 * Rule 16 (provider.rst, device_prep_*; client.rst, "Get a descriptor for
 * transaction"): the order is that of submission, whatever that of preparation.
 */
static void submitted_in_another_order(struct kunit *test)
{
	static const unsigned int order[] = { 2, 0, 3, 1 };
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 4, DCT_LEN);
	struct dma_async_tx_descriptor *tx[4];
	int i;

	for (i = 0; i < 4; i++)
		tx[i] = dct_prep(&x[i], DCT_FLAGS);
	for (i = 0; i < 4; i++)
		dct_submit_new(&x[order[i]], tx[order[i]]);
	dma_async_issue_pending(chan);
	for (i = 0; i < 4; i++) {
		dct_finish_copies(&x[order[i]], 1);
		if (dct_in_order(chan))
			KUNIT_EXPECT_EQ(test, i + 1, x[order[i]].stamp);
	}
}

/*
 * Rule 16 (provider.rst, device_prep_*; client.rst, "Get a descriptor for
 * transaction"): what is prepared and never submitted is in nobody's way.
 */
static void never_submitted(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 16, DCT_LEN);
	int i;

	for (i = 0; i < 16; i++) {
		if (i & 1)
			dct_submit_copies(&x[i], 1);
		else
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test, dct_prep(&x[i],
								    DCT_FLAGS));
	}
	dma_async_issue_pending(chan);
	for (i = 1; i < 16; i += 2)
		dct_finish_copies(&x[i], 1);
	for (i = 0; i < 16; i += 2)
		dct_unaffected(&x[i]);
}

static void prep_submit_issue(void *arg)
{
	struct dct_xfer *x = arg;
	struct dma_async_tx_descriptor *tx = dct_prep(x, DCT_FLAGS);

	if (!IS_ERR_OR_NULL(tx) && dct_submit(x, tx))
		dma_async_issue_pending(x->chan);
}

/*
 * Rule 13 (provider.rst, device_prep_*; "GFP_NOWAIT"): prep may be called from a
 * hard interrupt, and does not sleep.
 * Rule 29 (provider.rst, device_issue_pending): so may issue_pending.
 */
static void in_hard_interrupt(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 4, DCT_LEN);
	int i;

	for (i = 0; i < 4; i++) {
		dct_in_hardirq(d, prep_submit_issue, &x[i]);
		KUNIT_ASSERT_GT(test, x[i].cookie, 0);
	}
	dct_finish_copies(x, 4);
}

/*
 * Rule 13 (provider.rst, device_prep_*; "GFP_NOWAIT"): prep may be called with
 * interrupts off, which it leaves off.
 * Rule 29 (provider.rst, device_issue_pending): so may issue_pending.
 */
static void with_interrupts_off(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 4, DCT_LEN);
	bool off = true;
	int i;

	dct_need_hardirq(d);
	local_irq_disable();
	for (i = 0; i < 4; i++) {
		prep_submit_issue(&x[i]);
		off = off && irqs_disabled();
	}
	local_irq_enable();
	KUNIT_EXPECT_TRUE(test, off);
	for (i = 0; i < 4; i++) {
		KUNIT_ASSERT_GT(test, x[i].cookie, 0);
		dct_finish_copies(&x[i], 1);
	}
}

/*
 * Rule 22 (dmaengine.h, enum dma_ctrl_flags): what has a fence is over when the
 * next transaction of the channel begins.
 */
static void fenced_chain(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_buf *hop[9];
	struct dct_xfer *x = dct_xfers(d, chan, 8);
	int i;

	for (i = 0; i < 9; i++)
		hop[i] = dct_buf(d, chan, SZ_4K, 0, DMA_BIDIRECTIONAL);
	for (i = 0; i < 8; i++) {
		x[i].src = hop[i];
		x[i].dst = hop[i + 1];
		dct_submit_new(&x[i], dct_prep(&x[i], DCT_FLAGS | DMA_PREP_FENCE));
	}
	dma_async_issue_pending(chan);
	dct_finish_copies(x, 8);
}

/*
 * Rule 22 (dmaengine.h, enum dma_ctrl_flags): without DMA_PREP_INTERRUPT, and
 * without a callback, the transaction completes as well, and what holds its
 * descriptor is given back: there is no end to them.
 */
static void without_interrupt(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 1, DCT_LEN);
	struct dma_async_tx_descriptor *tx;
	int i;

	if (!dct_in_order(chan))
		kunit_skip(test, "the provider does not tell the status of a cookie");
	for (i = 0; i < MANY; i++) {
		tx = dct_prep_new(x, DMA_CTRL_ACK);
		x->cookie = dmaengine_submit(tx);
		KUNIT_ASSERT_GT(test, x->cookie, 0);
		dma_async_issue_pending(chan);
		KUNIT_ASSERT_TRUE(test, dct_poll(dct_status(x) == DMA_COMPLETE));
	}
	dct_check_moved(d, x->dst, x->src);
}

/*
 * Rule 25 (dmaengine.h, device_prep_dma_interrupt): an interrupt at the end of
 * what was submitted before it.
 */
static void interrupt_at_the_end(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_INTERRUPT);
	struct dct_xfer *x = dct_copies(d, chan, 4, SZ_4K);
	struct dct_xfer *last = dct_xfers(d, chan, 1);
	struct dma_async_tx_descriptor *tx;

	if (!dma_has_cap(DMA_MEMCPY, chan->device->cap_mask))
		kunit_skip(test, "there is nothing for it to come at the end of");
	dct_submit_copies(x, 4);
	tx = chan->device->device_prep_dma_interrupt(chan, DCT_FLAGS);
	dct_start(last, tx);
	dct_finish(last);
	dct_finish_copies(x, 4);
	if (dct_in_order(chan))
		KUNIT_EXPECT_EQ(test, 5, last->stamp);
	KUNIT_EXPECT_EQ(test, 1, last->calls);
}

static struct kunit_case prep_cases[] = {
	KUNIT_CASE(copy_of_nothing),
	KUNIT_CASE(fill_of_nothing),
	KUNIT_CASE(unaligned_copy),
	KUNIT_CASE(many_prepared),
	KUNIT_CASE(prep_starts_nothing),
	KUNIT_CASE(submitted_in_another_order),
	KUNIT_CASE(never_submitted),
	KUNIT_CASE(in_hard_interrupt),
	KUNIT_CASE(with_interrupts_off),
	KUNIT_CASE(fenced_chain),
	KUNIT_CASE(without_interrupt),
	KUNIT_CASE(interrupt_at_the_end),
	{ }
};

DCT_SUITE("dmaengine_prep", prep_cases);
