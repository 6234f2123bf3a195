// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: pausing a channel, where that is possible.
 */
#include "conform.h"

#define N 16

static struct dma_chan *request(struct dct *d)
{
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);

	if (!chan->device->device_pause || !chan->device->device_resume)
		kunit_skip(d->test, "the provider cannot pause and resume");
	return chan;
}

/* Issues copies and pauses.  The case is skipped if that is always too late. */
static struct dct_xfer *paused_copies(struct dct *d, struct dma_chan *chan)
{
	size_t len = min_t(size_t, SZ_512K,
			   dma_max_mapping_size(dmaengine_get_dma_device(chan)));
	struct dct_xfer *x = dct_copies(d, chan, N, len);
	int i, attempt;

	for (attempt = 0; attempt < 4; attempt++) {
		for (i = 0; i < N; i++) {
			reinit_completion(&x[i].done);
			x[i].calls = 0;
			dct_refill(d, x[i].dst);
			dct_submit_copies(&x[i], 1);
		}
		dma_async_issue_pending(chan);
		KUNIT_ASSERT_EQ(d->test, 0, dmaengine_pause(chan));
		if (dct_status(&x[N - 1]) != DMA_COMPLETE)
			return x;
		KUNIT_ASSERT_EQ(d->test, 0, dmaengine_resume(chan));
		for (i = 0; i < N; i++)
			dct_finish(&x[i]);
	}
	kunit_skip(d->test, "the transfers are over too soon to be paused");
	return NULL;
}

/*
 * Rule 48 (provider.rst, device_pause, device_resume; client.rst,
 * dmaengine_pause()): on return nothing moves, and nothing is lost by that.
 */
static void pause_and_resume(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct dct_xfer *x = paused_copies(d, chan);
	u32 left = dct_residue(&x[N - 1]);
	int i;

	for (i = 0; i < N; i++) {
		struct dct_buf *buf = x[i].dst;

		/* As far as it has got. */
		dma_sync_single_for_cpu(buf->dev, buf->dma, buf->len, buf->dir);
		memcpy(buf->want, buf->data, buf->len);
		dma_sync_single_for_device(buf->dev, buf->dma, buf->len, buf->dir);
	}
	dct_quiet();
	for (i = 0; i < N; i++)
		dct_check(d, x[i].dst);
	KUNIT_EXPECT_EQ(test, left, dct_residue(&x[N - 1]));
	KUNIT_EXPECT_EQ(test, 0, x[N - 1].calls);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	dct_finish_copies(x, N);
}

/*
 * Rule 48 (provider.rst, device_pause, device_resume; client.rst,
 * dmaengine_pause()): what is issued to a channel that is paused waits.
 */
static void issued_while_paused(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct dct_xfer *x = dct_copies(d, chan, 2, DCT_LEN);
	int i;

	if (dmaengine_pause(chan))
		kunit_skip(test, "the provider does not pause an idle channel");
	dct_issue_copies(x, 2);
	dct_quiet();
	for (i = 0; i < 2; i++) {
		dct_unaffected(&x[i]);
		KUNIT_EXPECT_NE(test, (int)DMA_COMPLETE, (int)dct_status(&x[i]));
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	dct_finish_copies(x, 2);
}

/*
 * Rule 36 (dmaengine.h, enum dma_status): DMA_PAUSED is for what was under way
 * when the channel was paused, and until it is resumed; the rest is in progress.
 */
static void status_while_paused(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct dct_xfer *x = paused_copies(d, chan);
	unsigned int paused = 0, i;

	for (i = 0; i < N; i++)
		paused += dct_status(&x[i]) == DMA_PAUSED;
	KUNIT_EXPECT_EQ(test, 1, paused);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	for (i = 0; i < N; i++)
		KUNIT_EXPECT_NE(test, (int)DMA_PAUSED, (int)dct_status(&x[i]));
	dct_finish_copies(x, N);
}

/*
 * Rule 48 (provider.rst, device_pause, device_resume; client.rst,
 * dmaengine_resume()): to resume what is not paused is invalid, and changes
 * nothing.
 */
static void resume_unpaused(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct dct_xfer *x = dct_copies(d, chan, 2, SZ_64K);

	dmaengine_resume(chan);
	dct_submit_copies(x, 1);
	dmaengine_resume(chan);
	dct_quiet();
	dct_unaffected(&x[0]);
	dma_async_issue_pending(chan);
	dct_submit_copies(&x[1], 1);
	dmaengine_resume(chan);
	dct_finish_copies(x, 1);
	dct_quiet();
	dct_unaffected(&x[1]);
	dma_async_issue_pending(chan);
	dct_finish_copies(&x[1], 1);
}

/*
 * Rule 52 (client.rst, dmaengine_terminate_async(), dmaengine_pause()): a channel
 * that is paused can be terminated, and is not paused any more then.
 */
static void terminate_paused(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct dct_xfer *x;
	unsigned int calls[N];
	int i;

	dct_need_terminate(d, chan);
	x = paused_copies(d, chan);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	for (i = 0; i < N; i++) {
		calls[i] = x[i].calls;
		dct_refill(d, x[i].dst);
	}
	KUNIT_EXPECT_EQ(test, 0, calls[N - 1]);
	dct_quiet();
	for (i = 0; i < N; i++) {
		KUNIT_EXPECT_EQ(test, calls[i], x[i].calls);
		dct_check(d, x[i].dst);
	}
	dct_copy_ok(d, chan, DCT_LEN);
}

/*
 * Rule 9 (provider.rst, device_free_chan_resources): a channel that is released
 * while it is paused is as good as any for its next client.
 */
static void release_paused(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);

	paused_copies(d, chan);
	dct_forget(d, chan);
	dma_release_channel(chan);
	dct_request_again(d, chan);
	dct_copy_ok(d, chan, DCT_LEN);
}

static struct kunit_case pause_cases[] = {
	KUNIT_CASE(pause_and_resume),
	KUNIT_CASE(issued_while_paused),
	KUNIT_CASE(status_while_paused),
	KUNIT_CASE(resume_unpaused),
	KUNIT_CASE(terminate_paused),
	KUNIT_CASE(release_paused),
	{ }
};

DCT_SUITE("dmaengine_pause", pause_cases);
