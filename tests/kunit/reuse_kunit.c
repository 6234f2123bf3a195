// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_reuse: descriptors that are submitted more than once.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.
 */
#include <linux/bottom_half.h>
#include <linux/iopoll.h>

#include "dut.h"

#define LEN	1000

/**
 * struct reuse - a descriptor that is used again and again
 * @tx: descriptor
 * @src: memory it reads
 * @dst: memory it writes
 * @left: times that the callback is still to submit it
 * @refused: submissions in the callback that were refused
 * @cookie: of the last use
 */
struct reuse {
	struct dma_async_tx_descriptor *tx;
	struct ldk_buf *src;
	struct ldk_buf *dst;
	unsigned int left;
	unsigned int refused;
	dma_cookie_t cookie;
};

static void reuse_prep(struct ldk_dut *dut, struct dma_chan *chan,
		       struct reuse *r, unsigned long flags)
{
	r->tx = dmaengine_prep_dma_memcpy(chan, r->dst->dma, r->src->dma, LEN,
					  flags);
	KUNIT_ASSERT_NOT_NULL(dut->test, r->tx);
	KUNIT_ASSERT_EQ(dut->test, 0, dmaengine_desc_set_reuse(r->tx));
}

static struct reuse reuse_init(struct ldk_dut *dut, struct dma_chan *chan,
			       unsigned long flags)
{
	struct reuse r = { .src = ldk_src(dut, LEN), .dst = ldk_dst(dut, LEN) };

	reuse_prep(dut, chan, &r, flags);
	return r;
}

/* Use it once, with fresh data. */
static void reuse_once(struct ldk_dut *dut, struct reuse *r)
{
	ldk_buf_fill(dut, r->src);
	ldk_buf_poison(r->dst);
	ldk_do(dut, r->tx);
	ldk_expect_moved(dut, r->dst, r->src);
}

static void submit_again(struct ldk_xfer *x)
{
	struct reuse *r = x->priv;

	if (!r->left)
		return;
	r->left--;
	r->cookie = dmaengine_submit(r->tx);
	if (dma_submit_error(r->cookie))
		r->refused++;
	dma_async_issue_pending(x->chan);
}

/* Rule: it may be submitted again in its own callback (client.rst). */
static void from_callback(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct reuse r = reuse_init(dut, chan, DMA_PREP_INTERRUPT);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 1);
	dma_cookie_t first;

	r.left = 20;
	x->hook = submit_again;
	x->priv = &r;
	ldk_queue(x, r.tx);
	first = x->cookie;
	dma_async_issue_pending(chan);
	KUNIT_EXPECT_TRUE(test, ldk_poll(READ_ONCE(x->calls) == 21));
	dmaengine_synchronize(chan);
	KUNIT_EXPECT_EQ(test, 21, x->calls);
	KUNIT_EXPECT_EQ(test, 0, r.refused);
	KUNIT_EXPECT_EQ(test, first + 20, r.cookie);
	ldk_expect_moved(dut, r.dst, r.src);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(r.tx));
}

/*
 * Rule: a client that polls may submit it again once its cookie is complete,
 * whether or not the provider's tasklet has run since.
 */
static void polled(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	enum dma_status status;
	dma_cookie_t cookie;
	struct reuse r;
	u32 before;
	int i, err;

	/* Without an interrupt nobody but the client looks. */
	r = reuse_init(dut, chan, 0);
	cookie = dmaengine_submit(r.tx);
	for (i = 0; i < 20; i++) {
		KUNIT_ASSERT_FALSE(test, dma_submit_error(cookie));
		before = ldk_descriptors(chan);
		dma_async_issue_pending(chan);
		KUNIT_ASSERT_TRUE(test,
				  ldk_poll(ldk_descriptors(chan) != before));
		/* Keeps the tasklet away; the count may be a moment early. */
		local_bh_disable();
		err = read_poll_timeout_atomic(dmaengine_tx_status, status,
					       status != DMA_IN_PROGRESS, 1,
					       USEC_PER_SEC, false, chan,
					       cookie, NULL);
		cookie = dmaengine_submit(r.tx);
		local_bh_enable();
		KUNIT_ASSERT_EQ(test, 0, err);
		KUNIT_EXPECT_EQ(test, (int)DMA_COMPLETE, (int)status);
	}
	KUNIT_ASSERT_FALSE(test, dma_submit_error(cookie));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_expect_moved(dut, r.dst, r.src);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(r.tx));
}

/*
 * Rule: dmaengine_desc_free() frees a descriptor for reuse, used or not, and
 * no other (dmaengine.h).
 */
static void freed_by_client(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct reuse r = reuse_init(dut, chan, DMA_PREP_INTERRUPT);
	struct dma_async_tx_descriptor *tx;
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_free(r.tx));

	for (i = 0; i < 3 * ldk_pool_size(chan); i++) {
		tx = ldk_prep_copy(chan, r.dst, r.src);
		KUNIT_ASSERT_NOT_NULL(test, tx);
		KUNIT_ASSERT_EQ(test, -EPERM, dmaengine_desc_free(tx));
		KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_set_reuse(tx));
		KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_free(tx));
	}
}

/*
 * Rule: with the flag cleared before, the next use is the last, and frees it
 * (provider.rst).
 */
static void cleared_for_last_use(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 4);
	struct reuse r = { };
	unsigned int i, n;

	n = 3 * ldk_pool_size(chan);
	r.src = ldk_src(dut, LEN);
	r.dst = ldk_dst(dut, LEN);
	for (i = 0; i < n; i++) {
		reuse_prep(dut, chan, &r, DMA_PREP_INTERRUPT);
		reuse_once(dut, &r);
		dmaengine_desc_clear_reuse(r.tx);
		reuse_once(dut, &r);
	}
}

/* Rule: what is in flight can neither be submitted nor freed: -EBUSY. */
static void refused_while_busy(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct reuse r = reuse_init(dut, chan, DMA_PREP_INTERRUPT);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 1);

	ldk_hold(chan);
	ldk_queue(x, r.tx);
	KUNIT_EXPECT_EQ(test, -EBUSY, dmaengine_submit(r.tx));
	KUNIT_EXPECT_EQ(test, -EBUSY, dmaengine_desc_free(r.tx));
	dma_async_issue_pending(chan);
	KUNIT_EXPECT_EQ(test, -EBUSY, dmaengine_submit(r.tx));
	KUNIT_EXPECT_EQ(test, -EBUSY, dmaengine_desc_free(r.tx));
	ldk_unhold(chan);
	ldk_finish(x);
	ldk_expect_moved(dut, r.dst, r.src);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(r.tx));
}

/*
 * Rule: a terminated descriptor is the client's again when
 * dmaengine_terminate_sync() returns; its next use is like any other.
 */
static void after_terminate(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct reuse r = reuse_init(dut, chan, DMA_PREP_INTERRUPT);
	struct reuse s = reuse_init(dut, chan, DMA_PREP_INTERRUPT);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 2);

	ldk_hold(chan);
	ldk_start(&x[0], r.tx);
	/* One in the ring, one only submitted. */
	ldk_queue(&x[1], s.tx);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_unhold(chan);
	KUNIT_EXPECT_EQ(test, 0, x[0].calls);
	KUNIT_EXPECT_EQ(test, 0, x[1].calls);

	reuse_once(dut, &r);
	reuse_once(dut, &s);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(r.tx));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(s.tx));
}

/* Rule: the outcome of one use does not stick to the next. */
static void after_error(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct reuse r = reuse_init(dut, chan, DMA_PREP_INTERRUPT);

	ldk_fail(chan, 1, DMA_TRANS_WRITE_FAILED, 300);
	ldk_do_failed(dut, r.tx, DMA_TRANS_WRITE_FAILED, LEN - 300);
	reuse_once(dut, &r);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(r.tx));
}

/* Entries of a list, more than a pool of 64 has room for. */
#define ENTRIES	400

/* A fill of so many entries, which takes memory that is not of the pool. */
static struct dma_async_tx_descriptor *prep_long(struct ldk_dut *dut,
						 struct dma_chan *chan,
						 struct ldk_buf *dst, unsigned int n)
{
	struct scatterlist *sgl = ldk_parts(dut, dst, n, 1);

	return chan->device->device_prep_dma_memset_sg(chan, sgl, n, 0x5a,
						       DMA_PREP_INTERRUPT);
}

/*
 * Rule: interrupts are not disabled for as long as it takes to free a descriptor with
 * thousands of blocks of segments (Documentation/driver.rst, "Latency").
 */
static void freed_with_interrupts(struct kunit *test)
{
	enum { N = 24000 };
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct dma_async_tx_descriptor *tx = prep_long(dut, chan, ldk_dst(dut, N), N);
	u32 before;

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		kunit_skip(test, "no CONFIG_PROVE_LOCKING");
	KUNIT_ASSERT_NOT_NULL(test, tx);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_set_reuse(tx));
	before = ldk_irq_events();
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(tx));
	/* 4000 blocks, 64 at a time, each time off and on. */
	KUNIT_EXPECT_GE(test, ldk_irq_events() - before, 4000 / 64 * 2);
}

/*
 * Rule: releasing the channel frees what its client did not free, and the next
 * client has all there is.
 */
static void released_unfreed(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 4);
	struct dma_async_tx_descriptor *tx;
	struct reuse used, unused;
	unsigned int i;

	used = reuse_init(dut, chan, DMA_PREP_INTERRUPT);
	unused = reuse_init(dut, chan, DMA_PREP_INTERRUPT);
	reuse_once(dut, &used);
	tx = prep_long(dut, chan, used.dst, ENTRIES);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_set_reuse(tx));
	KUNIT_ASSERT_TRUE(test, ldk_heap_used(chan));
	ldk_release(dut, chan);
	KUNIT_EXPECT_FALSE(test, ldk_heap_used(chan));

	ldk_request_again(dut, chan);
	KUNIT_EXPECT_EQ(test, 0, ldk_pool_used(chan));
	for (i = 0; i < ldk_pool_size(chan); i++)
		KUNIT_ASSERT_NOT_NULL(test, ldk_prep_copy(chan, used.dst,
							  used.src));
}

/*
 * Rule: when the device is gone, submit refuses, and the descriptor is still
 * the client's to free.
 */
static void removed(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct reuse r = reuse_init(dut, chan, DMA_PREP_INTERRUPT);

	reuse_once(dut, &r);
	ldk_remove(dut);
	KUNIT_EXPECT_EQ(test, -ENODEV, dmaengine_submit(r.tx));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(r.tx));
}

static struct kunit_case reuse_cases[] = {
	KUNIT_CASE(from_callback),
	KUNIT_CASE(polled),
	KUNIT_CASE(freed_by_client),
	KUNIT_CASE(cleared_for_last_use),
	KUNIT_CASE(refused_while_busy),
	KUNIT_CASE(after_terminate),
	KUNIT_CASE(after_error),
	KUNIT_CASE(freed_with_interrupts),
	KUNIT_CASE(released_unfreed),
	KUNIT_CASE(removed),
	{ }
};

LDK_SUITE("loopdma_reuse", reuse_cases);
