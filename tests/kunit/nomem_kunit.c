// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_nomem: no memory, at every place where the driver asks for some.
 *
 * The kernel lets the first allocation of a call fail, then the second, and so on,
 * until the call gets through; see "fail-nth" in Documentation/fault-injection/ of
 * the kernel.  Each failure must be told, leave nothing behind, and be none for
 * ever.
 *
 * Needs a kernel with CONFIG_FAILSLAB, told to let those allocations fail that may
 * sleep, too: tests/guest/faults does.
 */
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/version.h>

#include "loopdma.h"
#include "dut.h"

#define LEN	SZ_4K

/* Entries, of 8 bytes: more than the pool of a small ring has room for. */
#define MANY	512

/* More than any call here allocates. */
#define ENOUGH	10000

#ifdef CONFIG_FAULT_INJECTION
static void fail_nth(unsigned int n)
{
	WRITE_ONCE(current->fail_nth, n);
}

/* Back to normal; were there fewer allocations than that? */
static bool none_failed(void)
{
	unsigned int left = READ_ONCE(current->fail_nth);

	WRITE_ONCE(current->fail_nth, 0);
	return left;
}
#else
static void fail_nth(unsigned int n)
{
}

static bool none_failed(void)
{
	return true;
}
#endif

static int nomem_init(struct kunit *test)
{
	struct loopdma_fake_config cfg = loopdma_fake_default;
	void *p;

	fail_nth(1);
	p = kmalloc(SZ_64, GFP_KERNEL);
	none_failed();
	kfree(p);
	if (p)
		kunit_skip(test, "this kernel lets no allocation fail");
	/* What is the same for each channel need not be tried with many. */
	cfg.channels = 2;
	ldk_create_fake(test, &cfg);
	return 0;
}

/* Rule: probe that fails leaves nothing behind, and can be tried again. */
static void probe(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	unsigned int n, failed = 0, channels = ldk_channels(dut);
	struct loopdma_dev *ld;
	bool through = false;

	ldk_remove(dut);
	for (n = 1; !through && n < ENOUGH; n++) {
		fail_nth(n);
		ld = ldk_setup_fake(dut->fake);
		through = none_failed();
		if (IS_ERR(ld)) {
			/* The core does not look whether there is a name. */
			if (PTR_ERR(ld) != -EINVAL)
				KUNIT_EXPECT_EQ(test, -ENOMEM, PTR_ERR(ld));
			failed++;
			continue;
		}
		/* What failed was not needed: a file to look into, say. */
		dut->ld = ld;
		dut->gone = false;
		ldk_copy_ok(dut, ldk_request(dut), LEN);
		ldk_release(dut, dut->held[0]);
		ldk_remove(dut);
	}
	KUNIT_EXPECT_TRUE(test, through);
	/* At least the device, and two for each channel in the core. */
	KUNIT_EXPECT_GT(test, failed, 2 * channels);
	kunit_info(test, "%u of %u failures were fatal\n", failed, n - 2);
}

/* Requests a channel, each time with another failure; how often there was none. */
static unsigned int request_each(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	unsigned int n, failed = 0;
	bool through = false;
	struct dma_chan *chan;

	for (n = 1; !through && n < ENOUGH; n++) {
		fail_nth(n);
		chan = ldk_try_request(dut, DMA_MEMCPY, 1);
		through = none_failed();
		if (!chan) {
			struct loopdma_chan *lc = &dut->ld->chan[1];

			KUNIT_EXPECT_EQ(test, 0, lc->chan.client_count);
			KUNIT_EXPECT_NULL(test, lc->pool.item);
			KUNIT_EXPECT_NULL(test, lc->ring.desc);
			KUNIT_EXPECT_NULL(test, lc->comp);
			KUNIT_EXPECT_NULL(test, lc->lists.list);
			failed++;
			continue;
		}
		ldk_copy_ok(dut, chan, LEN);
		ldk_release(dut, chan);
	}
	KUNIT_EXPECT_TRUE(test, through);
	return failed;
}

/*
 * Rule: a channel for which there is no memory is not given to a client
 * (provider.rst, device_alloc_chan_resources), and can be tried again.
 */
static void request(struct kunit *test)
{
	unsigned int failed = 0, i;

	/*
	 * Ring, completion record, source lists; the pool has two chances.  Now and
	 * then the kernel's checkers allocate something for themselves: the failure
	 * is theirs then, and that of the driver is passed over.
	 */
	for (i = 0; i < 3 && failed < 3; i++)
		failed = request_each(test);
	KUNIT_EXPECT_GE(test, failed, 3);
}

/**
 * struct ask - what there is to prepare transactions with
 * @chan: channel
 * @src: memory that is read
 * @dst: memory that is written
 * @sgl: @dst, in many entries
 * @xt: @src to @dst, in many chunks
 */
struct ask {
	struct dma_chan *chan;
	struct ldk_buf *src;
	struct ldk_buf *dst;
	struct scatterlist *sgl;
	struct dma_interleaved_template *xt;
};

/**
 * struct kind - of transaction
 * @name: for the report
 * @prep: prepares one
 * @flags: for @prep
 * @many: takes more memory than the pool has
 * @endless: does not end by itself
 */
struct kind {
	const char *name;
	struct dma_async_tx_descriptor *(*prep)(const struct ask *ask,
						unsigned long flags);
	unsigned long flags;
	bool many;
	bool endless;
};

static struct dma_async_tx_descriptor *prep_copy(const struct ask *ask,
						 unsigned long flags)
{
	return dmaengine_prep_dma_memcpy(ask->chan, ask->dst->dma,
					 ask->src->dma, LEN, flags);
}

static struct dma_async_tx_descriptor *prep_nop(const struct ask *ask,
						unsigned long flags)
{
	return ask->chan->device->device_prep_dma_interrupt(ask->chan, flags);
}

static struct dma_async_tx_descriptor *prep_fill(const struct ask *ask,
						 unsigned long flags)
{
	return dmaengine_prep_dma_memset(ask->chan, ask->dst->dma, 0, LEN,
					 flags);
}

static struct dma_async_tx_descriptor *prep_fill_sg(const struct ask *ask,
						    unsigned long flags)
{
	struct dma_device *dma = ask->chan->device;

	return dma->device_prep_dma_memset_sg(ask->chan, ask->sgl, MANY, 0,
					      flags);
}

static struct dma_async_tx_descriptor *prep_xor(const struct ask *ask,
						unsigned long flags)
{
	struct dma_device *dma = ask->chan->device;

	return dma->device_prep_dma_xor(ask->chan, ask->dst->dma,
					&ask->src->dma, 1, LEN, flags);
}

static struct dma_async_tx_descriptor *prep_pq(const struct ask *ask,
					       unsigned long flags)
{
	struct dma_device *dma = ask->chan->device;
	static const u8 coef = 1;

	return dma->device_prep_dma_pq(ask->chan, &ask->dst->dma,
				       &ask->src->dma, 1, &coef, LEN,
				       flags | DMA_PREP_PQ_DISABLE_Q);
}

static struct dma_async_tx_descriptor *prep_template(const struct ask *ask,
						     unsigned long flags)
{
	return dmaengine_prep_interleaved_dma(ask->chan, ask->xt, flags);
}

static struct dma_async_tx_descriptor *prep_sg(const struct ask *ask,
					       unsigned long flags)
{
	return dmaengine_prep_slave_sg(ask->chan, ask->sgl, MANY,
				       DMA_DEV_TO_MEM, flags);
}

static struct dma_async_tx_descriptor *prep_cyclic(const struct ask *ask,
						   unsigned long flags)
{
	return dmaengine_prep_dma_cyclic(ask->chan, ask->dst->dma, LEN,
					 LEN / MANY, DMA_DEV_TO_MEM, flags);
}

#define FLAGS	(DMA_PREP_INTERRUPT | DMA_CTRL_ACK)

static const struct kind kinds[] = {
	{ "copy", prep_copy, FLAGS },
	{ "interrupt", prep_nop, FLAGS },
	{ "fill", prep_fill, FLAGS },
	{ "xor", prep_xor, FLAGS },
	{ "pq", prep_pq, FLAGS },
	{ "fill of a list", prep_fill_sg, FLAGS, .many = true },
	{ "template", prep_template, FLAGS, .many = true },
	{ "slave list", prep_sg, FLAGS, .many = true, .endless = true },
	{ "cyclic", prep_cyclic, FLAGS, .many = true, .endless = true },
};

KUNIT_ARRAY_PARAM_DESC(kinds, kinds, name);

static void ask_init(struct ldk_dut *dut, struct ask *ask)
{
	ldk_set_ring_order(dut, 4);
	ask->chan = ldk_request(dut);
	ldk_config(dut, ask->chan, DMA_SLAVE_BUSWIDTH_1_BYTE, 1);
	ask->src = ldk_src(dut, LEN);
	ask->dst = ldk_dst(dut, LEN);

	ask->sgl = ldk_parts(dut, ask->dst, MANY, LEN / MANY);
	ask->xt = ldk_alloc(dut->test, struct_size(ask->xt, sgl, 1));
	ask->xt->src_start = ask->src->dma;
	ask->xt->dst_start = ask->dst->dma;
	ask->xt->dir = DMA_MEM_TO_MEM;
	ask->xt->src_inc = true;
	ask->xt->dst_inc = true;
	ask->xt->numf = MANY;
	ask->xt->frame_size = 1;
	ask->xt->sgl[0].size = LEN / MANY;
}

/*
 * Rule: a transaction is not prepared, or it is whole: prep that finds no memory
 * gives what it has back (provider.rst, device_prep_*), and what is of usual size
 * needs none.  From then on nothing is allocated.
 */
static void transaction(struct kunit *test)
{
	const struct kind *kind = test->param_value;
	struct dma_async_tx_descriptor *tx = NULL;
	struct ldk_dut *dut = test->priv;
	unsigned int n, failed = 0;
	struct ask ask = { };
	struct ldk_xfer *x;

	ask_init(dut, &ask);
	x = ldk_xfers(dut, ask.chan, 1);
	for (n = 1; n < ENOUGH; n++) {
		fail_nth(n);
		tx = kind->prep(&ask, kind->flags);
		if (none_failed())
			break;
		if (tx) {
			/* What failed was KASAN's. */
			KUNIT_EXPECT_TRUE(test, ldk_submit(x, tx));
			dmaengine_terminate_sync(ask.chan);
		} else {
			failed++;
		}
		KUNIT_EXPECT_EQ(test, 0, ldk_pool_used(ask.chan));
		KUNIT_EXPECT_TRUE(test, list_empty(&to_loopdma_chan(ask.chan)->pool.heap));
	}
	KUNIT_ASSERT_NOT_NULL(test, tx);
	if (kind->many)
		KUNIT_EXPECT_GT(test, failed, 10);
	else
		KUNIT_EXPECT_EQ(test, 0, failed);

	fail_nth(1);
	KUNIT_EXPECT_TRUE(test, ldk_submit(x, tx));
	dma_async_issue_pending(ask.chan);
	ldk_status(x);
	KUNIT_EXPECT_TRUE(test, none_failed());
	if (!kind->endless)
		ldk_finish(x);

	fail_nth(1);
	dmaengine_terminate_async(ask.chan);
	dmaengine_synchronize(ask.chan);
	KUNIT_EXPECT_TRUE(test, none_failed());
	KUNIT_EXPECT_EQ(test, 0, ldk_pool_used(ask.chan));
	KUNIT_EXPECT_TRUE(test, list_empty(&to_loopdma_chan(ask.chan)->pool.heap));
	ldk_copy_ok(dut, ask.chan, LEN);
}

/*
 * Rule: what has to happen when something is wrong does not depend on memory:
 * a channel that fails is restarted, and a device that goes away ends what is in
 * flight.
 */
static void trouble(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 2, LEN);
	int paused, resumed;

	dut->trouble = true;
	ldk_hold(chan);
	ldk_queue_copy(&x[0]);
	fail_nth(1);
	dma_async_issue_pending(chan);
	paused = dmaengine_pause(chan);
	resumed = dmaengine_resume(chan);
	ldk_break(chan);
	KUNIT_EXPECT_TRUE(test, none_failed());
	KUNIT_EXPECT_EQ(test, 0, paused);
	KUNIT_EXPECT_EQ(test, 0, resumed);
	ldk_expect_aborted(&x[0], 1);
	/* The recovery ends with the channel at work again. */
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);

	ldk_hold(chan);
	ldk_queue_copy(&x[1]);
	fail_nth(1);
	dma_async_issue_pending(chan);
	loopdma_shutdown(dut->ld);
	KUNIT_EXPECT_TRUE(test, none_failed());
	ldk_remove(dut);
	ldk_expect_aborted(&x[1], 1);
}

static struct kunit_case nomem_cases[] = {
	KUNIT_CASE_SLOW(probe),
	KUNIT_CASE(request),
	KUNIT_CASE_PARAM(transaction, kinds_gen_params),
	KUNIT_CASE(trouble),
	{ }
};

static struct kunit_suite nomem_suite = {
	.name = "loopdma_nomem",
	.init = nomem_init,
	.exit = ldk_exit,
	.test_cases = nomem_cases,
};

kunit_test_suite(nomem_suite);
