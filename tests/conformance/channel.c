// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: what a provider says of itself; requesting and
 * releasing its channels.
 */
#include <linux/device.h>
#include <linux/string.h>

#include "conform.h"

/*
 * Rule 1 (provider.rst, "Supported transaction types"): each capability has its
 * operation, and two operations are there in any case.
 */
static void capabilities_have_operations(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_device *dma = dct_request_any(d)->device;
	const struct {
		enum dma_transaction_type cap;
		const char *name;
		bool there;
	} ops[] = {
		{ DMA_MEMCPY, "memcpy", dma->device_prep_dma_memcpy },
		{ DMA_XOR, "xor", dma->device_prep_dma_xor },
		{ DMA_XOR_VAL, "xor_val", dma->device_prep_dma_xor_val },
		{ DMA_PQ, "pq", dma->device_prep_dma_pq },
		{ DMA_PQ_VAL, "pq_val", dma->device_prep_dma_pq_val },
		{ DMA_MEMSET, "memset", dma->device_prep_dma_memset },
		{ DMA_MEMSET_SG, "memset_sg", dma->device_prep_dma_memset_sg },
		{ DMA_INTERRUPT, "interrupt", dma->device_prep_dma_interrupt },
		{ DMA_CYCLIC, "cyclic", dma->device_prep_dma_cyclic },
		{ DMA_INTERLEAVE, "interleaved", dma->device_prep_interleaved_dma },
		{ DMA_REPEAT, "repeat", dma->device_prep_interleaved_dma },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(ops); i++)
		if (dma_has_cap(ops[i].cap, dma->cap_mask))
			KUNIT_EXPECT_TRUE_MSG(test, ops[i].there,
					      "%s is claimed and is not there",
					      ops[i].name);
	KUNIT_EXPECT_NOT_NULL(test, dma->device_tx_status);
	KUNIT_EXPECT_NOT_NULL(test, dma->device_issue_pending);
}

/*
 * Rule 1 (provider.rst, "Supported transaction types"): what takes more than an
 * operation, the number of sources, is told as well.
 */
static void sources_are_told(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_device *dma = dct_request_any(d)->device;
	bool xor, pq;

	xor = dma_has_cap(DMA_XOR, dma->cap_mask) ||
	      dma_has_cap(DMA_XOR_VAL, dma->cap_mask);
	pq = dma_has_cap(DMA_PQ, dma->cap_mask) ||
	     dma_has_cap(DMA_PQ_VAL, dma->cap_mask);
	if (!xor && !pq)
		kunit_skip(test, "the provider has neither XOR nor PQ");
	if (xor)
		KUNIT_EXPECT_GE(test, dma->max_xor, 2);
	if (pq)
		KUNIT_EXPECT_GE(test, dma_maxpq(dma, 0), 2);
}

/* Rule 2 (dmaengine.h, struct dma_device): a driver is bound to the device. */
static void driver_is_bound(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_device *dma = dct_request_any(d)->device;

	KUNIT_ASSERT_NOT_NULL(test, dma->dev);
	KUNIT_ASSERT_NOT_NULL(test, dma->dev->driver);
	KUNIT_EXPECT_PTR_EQ(test, dma->dev->driver->owner, dma->owner);
}

/*
 * Rule 4 (dmaengine.h, device_alloc_chan_resources): a channel that was released
 * can be requested again.
 * Rule 9 (provider.rst, device_free_chan_resources): release leaves nothing.
 */
static void request_again(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	int i;

	for (i = 0; i < 8; i++) {
		dct_copy_ok(d, chan, DCT_LEN);
		dct_release(d, chan);
		dct_request_again(d, chan);
	}
	dct_copy_ok(d, chan, DCT_LEN);
}

enum stage { PREPARED, SUBMITTED, ISSUED };

static const enum stage stages[] = { PREPARED, SUBMITTED, ISSUED };

static void stage_desc(const enum stage *stage, char *desc)
{
	static const char * const names[] = {
		[PREPARED] = "prepared", [SUBMITTED] = "submitted",
		[ISSUED] = "issued",
	};

	strscpy(desc, names[*stage], KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(stages, stages, stage_desc);

/*
 * Rule 9 (provider.rst, device_free_chan_resources): the core does not terminate
 * before it frees a channel.  What is still there then, whatever its state, is
 * neither called back afterwards, nor is its memory touched.
 */
static void release_with_work(struct kunit *test)
{
	enum stage stage = *(const enum stage *)test->param_value;
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 8, SZ_64K);
	unsigned int calls[8], i;

	for (i = 0; i < 8; i++) {
		if (stage == PREPARED)
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test,
						     dct_prep(&x[i], DCT_FLAGS));
		else
			dct_submit_copies(&x[i], 1);
	}
	if (stage == ISSUED)
		dma_async_issue_pending(chan);
	dct_forget(d, chan);
	dma_release_channel(chan);

	for (i = 0; i < 8; i++) {
		calls[i] = READ_ONCE(x[i].calls);
		if (stage != ISSUED)
			dct_unaffected(&x[i]);
		dct_refill(d, x[i].dst);
	}
	dct_quiet();
	for (i = 0; i < 8; i++) {
		KUNIT_EXPECT_EQ(test, calls[i], x[i].calls);
		dct_check(d, x[i].dst);
	}

	dct_request_again(d, chan);
	dct_copy_ok(d, chan, DCT_LEN);
}

/*
 * Rule 56 (dmaengine.h, struct dma_slave_caps): what a channel is said to do is
 * what its device says, or less.
 */
static void slave_caps_agree(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request_any(d);
	struct dma_device *dma = chan->device;
	struct dma_slave_caps caps = { };
	int err = dma_get_slave_caps(chan, &caps);

	if (!dma_has_cap(DMA_SLAVE, dma->cap_mask) &&
	    !dma_has_cap(DMA_CYCLIC, dma->cap_mask)) {
		KUNIT_EXPECT_EQ(test, -ENXIO, err);
		return;
	}
	/* A slave channel that tells no direction cannot be asked. */
	KUNIT_ASSERT_EQ(test, 0, err);
	KUNIT_EXPECT_EQ(test, 0, caps.directions & ~dma->directions);
	KUNIT_EXPECT_EQ(test, 0, caps.src_addr_widths & ~dma->src_addr_widths);
	KUNIT_EXPECT_EQ(test, 0, caps.dst_addr_widths & ~dma->dst_addr_widths);
	KUNIT_EXPECT_LE(test, caps.max_burst, dma->max_burst);
	KUNIT_EXPECT_LE(test, caps.min_burst, caps.max_burst);
	KUNIT_EXPECT_LE(test, (int)caps.residue_granularity,
			(int)dma->residue_granularity);
	if (caps.directions & BIT(DMA_MEM_TO_DEV))
		KUNIT_EXPECT_NE(test, 0, caps.dst_addr_widths);
	if (caps.directions & BIT(DMA_DEV_TO_MEM))
		KUNIT_EXPECT_NE(test, 0, caps.src_addr_widths);
}

/*
 * Rule 56 (dmaengine.h, struct dma_slave_caps): a channel obeys the commands that it
 * is said to obey, and no other.
 */
static void obeys_as_told(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 4, DCT_LONG);
	struct dma_slave_caps caps;
	bool paused;

	if (dma_get_slave_caps(chan, &caps))
		kunit_skip(test, "the channel does not tell what it can do");
	dct_issue_copies(x, 4);
	paused = !dmaengine_pause(chan);
	KUNIT_EXPECT_EQ(test, caps.cmd_pause, paused);
	if (paused)
		KUNIT_EXPECT_EQ(test, caps.cmd_resume, !dmaengine_resume(chan));
	if (!paused || caps.cmd_resume)
		dct_finish_copies(x, 4);
	KUNIT_EXPECT_EQ(test, caps.cmd_terminate, !dmaengine_terminate_sync(chan));
}

/*
 * Rule 55 (client.rst, "Optional: per descriptor metadata"): a mode of metadata
 * that is not offered is refused, and the transfer is as good as before.
 */
static void metadata_not_offered(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 1, DCT_LEN);
	struct dma_async_tx_descriptor *tx = dct_prep_new(x, DCT_FLAGS);
	u8 *data = dct_alloc(d, 16);
	size_t len, max;

	if (dmaengine_is_metadata_mode_supported(chan, DESC_METADATA_CLIENT) ||
	    dmaengine_is_metadata_mode_supported(chan, DESC_METADATA_ENGINE))
		kunit_skip(test, "what metadata means only the client of this device knows");
	KUNIT_EXPECT_NE(test, 0, dmaengine_desc_attach_metadata(tx, data, 16));
	KUNIT_EXPECT_TRUE(test, IS_ERR(dmaengine_desc_get_metadata_ptr(tx, &len, &max)));
	KUNIT_EXPECT_NE(test, 0, dmaengine_desc_set_metadata_len(tx, 16));
	dct_start(x, tx);
	dct_finish_copies(x, 1);
}

#define MANY 64

/* Prepares copies until the provider has no descriptor left, up to MANY. */
static unsigned int prepare_many(struct dct_xfer *x)
{
	unsigned int n = 0;

	while (n < MANY && !IS_ERR_OR_NULL(dct_prep(x, DCT_FLAGS)))
		n++;
	return n;
}

/*
 * Rule 64 (provider.rst, device_free_chan_resources): what was prepared and never
 * submitted is freed with the channel.
 */
static void unsubmitted_come_back(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct dct_xfer *x = dct_copies(d, chan, 1, DCT_LEN);
	unsigned int first = prepare_many(x), i;

	KUNIT_EXPECT_GT(test, first, 0);
	for (i = 0; i < 32 && !dct_failed(d); i++) {
		dct_release(d, chan);
		dct_request_again(d, chan);
		KUNIT_EXPECT_EQ(test, first, prepare_many(x));
	}
	dct_release(d, chan);
	dct_request_again(d, chan);
	dct_copy_ok(d, chan, DCT_LEN);
}

#ifdef CONFIG_PM
static int power_users(struct device *dev)
{
	return atomic_read(&dev->power.usage_count);
}
#else
static int power_users(struct device *dev)
{
	return 0;
}
#endif

/*
 * Rule 65 (provider.rst, device_free_chan_resources): a channel that was released
 * leaves no reference behind that keeps its device from being suspended.
 */
static void power_is_balanced(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct device *dev = chan->device->dev;
	int before, i;

	if (!IS_ENABLED(CONFIG_PM))
		kunit_skip(test, "this kernel has no CONFIG_PM");
	dct_release(d, chan);
	before = power_users(dev);
	for (i = 0; i < 3; i++) {
		dct_request_again(d, chan);
		dct_copy_ok(d, chan, DCT_LEN);
		if (chan->device->device_terminate_all)
			dct_issue_copies(dct_copies(d, chan, 4, DCT_LONG), 4);
		dct_release(d, chan);
		KUNIT_EXPECT_EQ(test, before, power_users(dev));
	}
}

/*
 * Rule 5 (dmaengine.c, dma_async_device_unregister()): who has a device_release can
 * be unbound while a channel is held.
 * Rule 8 (provider.rst, device_release): the channel prepares nothing then, and can
 * be terminated and released.
 */
static void unbound_while_held(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	struct device *dev = chan->device->dev;
	struct dma_async_tx_descriptor *tx;
	struct dct_xfer *x;

	dct_need_unbind(d, chan);
	x = dct_copies(d, chan, 1, DCT_LEN);
	dct_issue_copies(x, 1);
	dct_finish_copies(x, 1);
	dct_unmap_copies(x, 1);
	get_device(dev);
	device_release_driver(dev);
	tx = dct_prep(x, DCT_FLAGS);
	KUNIT_EXPECT_NULL(test, tx);
	dma_async_issue_pending(chan);
	dct_release(d, chan);
	KUNIT_EXPECT_EQ(test, 1, device_attach(dev));
	put_device(dev);
	dct_copy_ok(d, dct_request(d, DMA_MEMCPY), DCT_LEN);
}

static struct kunit_case channel_cases[] = {
	KUNIT_CASE(capabilities_have_operations),
	KUNIT_CASE(sources_are_told),
	KUNIT_CASE(driver_is_bound),
	KUNIT_CASE(request_again),
	KUNIT_CASE_PARAM(release_with_work, stages_gen_params),
	KUNIT_CASE(slave_caps_agree),
	KUNIT_CASE(obeys_as_told),
	KUNIT_CASE(metadata_not_offered),
	KUNIT_CASE(unsubmitted_come_back),
	KUNIT_CASE(power_is_balanced),
	KUNIT_CASE(unbound_while_held),
	{ }
};

DCT_SUITE("dmaengine_channel", channel_cases);
