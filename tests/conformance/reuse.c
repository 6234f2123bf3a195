// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: descriptors that are submitted more than once.
 */
#include "conform.h"

static bool offered(struct dma_chan *chan)
{
	struct dma_slave_caps caps;

	return !dma_get_slave_caps(chan, &caps) && caps.descriptor_reuse;
}

/*
 * Rule 54 (provider.rst, "DMA_CTRL_REUSE"; client.rst, "Submit the transaction"):
 * a descriptor for reuse can be submitted again when it is complete, gets another
 * cookie each time, and does what it did.
 */
static void submitted_again(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 1, DCT_LEN);
	struct dma_async_tx_descriptor *tx;
	dma_cookie_t last = 0;
	int i;

	if (!offered(chan))
		kunit_skip(test, "the provider's descriptors are for one use");
	tx = dct_prep_new(x, DMA_PREP_INTERRUPT);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_set_reuse(tx));
	for (i = 0; i < 4; i++) {
		dct_refill(d, x->src);
		reinit_completion(&x->done);
		x->calls = 0;
		dct_submit_new(x, tx);
		KUNIT_EXPECT_GT(test, x->cookie, last);
		last = x->cookie;
		dma_async_issue_pending(chan);
		dct_finish_copies(x, 1);
		/* Its callback has been called, and returns. */
		if (chan->device->device_synchronize)
			dmaengine_synchronize(chan);
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(tx));
	dct_copy_ok(d, chan, DCT_LEN);
}

/*
 * Rule 54 (provider.rst, "DMA_CTRL_REUSE"; client.rst, "Submit the transaction"):
 * the order is that of submission, whichever time it is.
 */
static void several_submitted_again(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 4, DCT_LEN);
	struct dma_async_tx_descriptor *tx[4];
	int i, round;

	if (!offered(chan))
		kunit_skip(test, "the provider's descriptors are for one use");
	for (i = 0; i < 4; i++) {
		tx[i] = dct_prep_new(&x[i], DMA_PREP_INTERRUPT);
		KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_set_reuse(tx[i]));
	}
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 4; i++) {
			struct dct_xfer *next = &x[round ? 3 - i : i];

			dct_refill(d, next->src);
			reinit_completion(&next->done);
			next->calls = 0;
			dct_submit_new(next, tx[round ? 3 - i : i]);
		}
		dma_async_issue_pending(chan);
		for (i = 0; i < 4; i++) {
			struct dct_xfer *next = &x[round ? 3 - i : i];

			dct_finish_copies(next, 1);
			if (dct_in_order(chan))
				KUNIT_EXPECT_EQ(test, 4 * round + i + 1,
						next->stamp);
		}
		if (chan->device->device_synchronize)
			dmaengine_synchronize(chan);
	}
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(tx[i]));
}

/*
 * Rule 54 (provider.rst, "DMA_CTRL_REUSE"; client.rst, "Submit the transaction"):
 * a descriptor that is not for reuse cannot be freed by its client, nor, where
 * that is not offered, be made one for reuse.
 */
static void not_for_reuse(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 1, DCT_LEN);
	struct dma_async_tx_descriptor *tx = dct_prep_new(x, DCT_FLAGS);

	if (!offered(chan))
		KUNIT_EXPECT_NE(test, 0, dmaengine_desc_set_reuse(tx));
	KUNIT_EXPECT_EQ(test, -EPERM, dmaengine_desc_free(tx));
	dct_start(x, tx);
	dct_finish_copies(x, 1);
}

static struct kunit_case reuse_cases[] = {
	KUNIT_CASE(submitted_again),
	KUNIT_CASE(several_submitted_again),
	KUNIT_CASE(not_for_reuse),
	{ }
};

DCT_SUITE("dmaengine_reuse", reuse_cases);
