// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_channel: channels are requested, described, released and survive.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.
 */
#include <linux/device.h>
#include <linux/err.h>
#include <linux/seq_file.h>
#include <linux/string.h>

#include <loopdma/hw.h>

#include "dut.h"

static bool accept_none(struct dma_chan *chan, void *param)
{
	(*(unsigned int *)param)++;
	return false;
}

static bool accept_this(struct dma_chan *chan, void *param)
{
	return chan == param;
}

static dma_cap_mask_t cap_mask(enum dma_transaction_type cap)
{
	dma_cap_mask_t mask;

	dma_cap_zero(mask);
	dma_cap_set(cap, mask);
	return mask;
}

static const enum dma_transaction_type offered[] = {
	DMA_MEMCPY, DMA_MEMSET, DMA_MEMSET_SG, DMA_XOR, DMA_XOR_VAL, DMA_PQ,
	DMA_PQ_VAL, DMA_INTERRUPT, DMA_INTERLEAVE, DMA_SLAVE, DMA_CYCLIC,
	DMA_REPEAT, DMA_LOAD_EOT, DMA_PRIVATE,
};

static void cap_desc(const enum dma_transaction_type *cap, char *desc)
{
	static const char * const names[] = {
		[DMA_MEMCPY] = "memcpy", [DMA_XOR] = "xor", [DMA_PQ] = "pq",
		[DMA_XOR_VAL] = "xor_val", [DMA_PQ_VAL] = "pq_val",
		[DMA_MEMSET] = "memset", [DMA_MEMSET_SG] = "memset_sg",
		[DMA_INTERRUPT] = "interrupt", [DMA_PRIVATE] = "private",
		[DMA_SLAVE] = "slave", [DMA_CYCLIC] = "cyclic",
		[DMA_INTERLEAVE] = "interleave",
		[DMA_COMPLETION_NO_ORDER] = "completion_no_order",
		[DMA_REPEAT] = "repeat", [DMA_LOAD_EOT] = "load_eot",
	};

	strscpy(desc, names[*cap], KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(offered, offered, cap_desc);

/* Rule: a channel with the capabilities asked for is found (provider.rst). */
static void request_by_mask(struct kunit *test)
{
	const enum dma_transaction_type *cap = test->param_value;
	struct dma_chan *chan = ldk_try_request(test->priv, *cap, -1);

	KUNIT_ASSERT_NOT_NULL(test, chan);
	KUNIT_EXPECT_TRUE(test, dma_has_cap(*cap, chan->device->cap_mask));
	KUNIT_EXPECT_EQ(test, 1, chan->client_count);
}

static const enum dma_transaction_type not_offered[] = {
	DMA_COMPLETION_NO_ORDER,
};

KUNIT_ARRAY_PARAM(not_offered, not_offered, cap_desc);

/* Rule: a capability is claimed only with an operation behind (provider.rst). */
static void request_not_offered(struct kunit *test)
{
	const enum dma_transaction_type *cap = test->param_value;

	KUNIT_EXPECT_NULL(test, ldk_try_request(test->priv, *cap, -1));
}

/* Rule: the filter decides which channel it is (dmaengine.h, dma_filter_fn). */
static void request_with_filter(struct kunit *test)
{
	dma_cap_mask_t mask = cap_mask(DMA_MEMCPY);
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan, *last;
	unsigned int asked = 0;

	last = ldk_try_request(dut, DMA_MEMCPY, ldk_channels(dut) - 1);
	KUNIT_ASSERT_NOT_NULL(test, last);
	KUNIT_EXPECT_EQ(test, ldk_channels(dut) - 1, ldk_index(last));
	ldk_release(dut, last);

	chan = dma_request_channel(mask, accept_this, last);
	KUNIT_EXPECT_PTR_EQ(test, last, chan);
	if (chan)
		dma_release_channel(chan);

	KUNIT_EXPECT_NULL(test, dma_request_channel(mask, accept_none, &asked));
	KUNIT_EXPECT_GE(test, asked, ldk_channels(dut));
}

/* Rule: every channel can be had, and then there is none (client.rst). */
static void exhaust_all_channels(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = NULL, *next;
	unsigned int n = 0;

	while ((next = ldk_try_request(dut, DMA_MEMCPY, -1))) {
		chan = next;
		n++;
	}
	KUNIT_ASSERT_EQ(test, ldk_channels(dut), n);

	ldk_release(dut, chan);
	next = ldk_try_request(dut, DMA_MEMCPY, -1);
	KUNIT_EXPECT_PTR_EQ(test, chan, next);
}

/* Rule: what happened to the last client is no business of the next. */
static void rerequest_starts_clean(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 2, 64);
	struct dma_tx_state state;

	ldk_fail(chan, 1, DMA_TRANS_READ_FAILED, 0);
	ldk_start_copy(&x[0]);
	ldk_finish_failed(&x[0], DMA_TRANS_READ_FAILED, 64);
	ldk_release(dut, chan);

	ldk_request_again(dut, chan);
	ldk_queue_copy(&x[1]);
	/* The same cookie as that which failed. */
	KUNIT_EXPECT_EQ(test, x[0].cookie, x[1].cookie);
	dma_async_issue_pending(chan);
	ldk_finish(&x[1]);
	KUNIT_EXPECT_EQ(test, (int)DMA_COMPLETE,
			(int)dmaengine_tx_status(chan, x[1].cookie, &state));
	KUNIT_EXPECT_EQ(test, x[1].cookie, state.last);
	KUNIT_EXPECT_EQ(test, x[1].cookie, state.used);
}

/* Rule: names are dmaXchanY, and a name means one channel (sysfs class dma). */
static void names_unique(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	unsigned int i, j, dev, num;
	int n;

	while (ldk_try_request(dut, DMA_MEMCPY, -1))
		;
	for (i = 0; i < dut->nheld; i++) {
		n = sscanf(dma_chan_name(dut->held[i]), "dma%uchan%u", &dev,
			   &num);
		KUNIT_EXPECT_EQ(test, 2, n);
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, dma_chan_name(dut->held[i]),
					    dma_chan_name(dut->held[j]));
	}
}

/* Rule: as above, also with a second device. */
static void names_unique_across_devices(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_dut *other = ldk_fake(test);
	struct dma_chan *a = ldk_request(dut), *b = ldk_request(other);

	KUNIT_EXPECT_STRNEQ(test, dma_chan_name(a), dma_chan_name(b));
	KUNIT_EXPECT_PTR_NE(test, a->device, b->device);
	ldk_copy_ok(dut, a, 64);
	ldk_copy_ok(other, b, 64);
}

/*
 * Rule: without DMA_PRIVATE the core gives all channels to its public users
 * (provider.rst), and nobody can request one; the flag survives a client.
 */
static void stays_private(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);

	ldk_release(dut, chan);
	KUNIT_EXPECT_TRUE(test, dma_has_cap(DMA_PRIVATE,
					    chan->device->cap_mask));
	dmaengine_get();
	KUNIT_EXPECT_EQ(test, 0, chan->client_count);
	dmaengine_put();
}

/*
 * Rule: channels without DMA_PRIVATE serve everybody who has called
 * dmaengine_get(), as async_tx has, and until then whoever requests one
 * (provider.rst, "DMA_PRIVATE"; dmaengine.c of the core).
 */
static void public_channels(struct kunit *test)
{
	/* A device with a peripheral keeps its channels for those who ask. */
	struct ldk_dut *dut = ldk_fake_without(test, LOOPDMA_CAPS_LOOPBACK);
	struct dma_chan *chan = ldk_request(dut), *found;

	ldk_copy_ok(dut, chan, 100);
	ldk_release(dut, chan);
	KUNIT_EXPECT_FALSE(test, dma_has_cap(DMA_PRIVATE,
					     chan->device->cap_mask));
	KUNIT_EXPECT_TRUE(test, dma_has_cap(DMA_ASYNC_TX,
					    chan->device->cap_mask));

	dmaengine_get();
	KUNIT_EXPECT_EQ(test, 1, chan->client_count);
	found = dma_find_channel(DMA_XOR);
	KUNIT_EXPECT_NOT_NULL(test, found);
	if (found)
		ldk_copy_ok(dut, found, 100);
	KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_MEMCPY, -1));
	dmaengine_put();

	KUNIT_EXPECT_EQ(test, 0, chan->client_count);
	chan = ldk_request(dut);
	ldk_copy_ok(dut, chan, 100);
}

KUNIT_DEFINE_ACTION_WRAPPER(unregister_client, root_device_unregister,
			    struct device *);

/*
 * Rule: without a device tree a slave client finds its channels by its own name
 * and theirs in the provider's map (dmaengine.h, struct dma_filter), and nobody
 * else does; what is sent on "tx" is received on "rx" (driver.rst).
 */
static void requested_by_name(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_device *dma = ldk_request(dut)->device;
	const struct dma_slave_map *map;
	struct ldk_buf *src = ldk_src(dut, 300), *dst = ldk_dst(dut, 300);
	struct dma_chan *tx, *rx;
	struct device *client;
	struct ldk_xfer *x;

	KUNIT_ASSERT_GE(test, dma->filter.mapcnt, 4);
	/* The second pair: a channel of the first is in use. */
	map = &dma->filter.map[2];
	client = root_device_register(map->devname);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, client);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   unregister_client,
							   client));
	tx = dma_request_chan(client, "tx");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, tx);
	rx = dma_request_chan(client, "rx");
	KUNIT_EXPECT_NOT_ERR_OR_NULL(test, rx);
	KUNIT_EXPECT_TRUE(test, IS_ERR(dma_request_chan(client, "tx")));
	KUNIT_EXPECT_EQ(test, -EPROBE_DEFER,
			PTR_ERR_OR_ZERO(dma_request_chan(client, "other")));
	if (!IS_ERR(rx)) {
		KUNIT_EXPECT_PTR_EQ(test, dma, tx->device);
		KUNIT_EXPECT_EQ(test, 2, ldk_index(tx));
		KUNIT_EXPECT_EQ(test, 3, ldk_index(rx));
		ldk_config(dut, tx, DMA_SLAVE_BUSWIDTH_4_BYTES, 1);
		ldk_config(dut, rx, DMA_SLAVE_BUSWIDTH_4_BYTES, 1);
		x = ldk_xfers(dut, rx, 1);
		ldk_submit(x, dmaengine_prep_slave_single(rx, dst->dma, 300,
							  DMA_DEV_TO_MEM,
							  DMA_PREP_INTERRUPT));
		dma_async_issue_pending(rx);
		dmaengine_submit(dmaengine_prep_slave_single(tx, src->dma, 300,
							     DMA_MEM_TO_DEV,
							     0));
		dma_async_issue_pending(tx);
		KUNIT_EXPECT_TRUE(test, ldk_wait(x));
		ldk_expect_moved(dut, dst, src);
		dmaengine_terminate_sync(tx);
		dmaengine_terminate_sync(rx);
		dma_release_channel(rx);
	}
	dma_release_channel(tx);
}

/* Rule: two devices do not claim the same client. */
static void names_of_two_devices(struct kunit *test)
{
	struct ldk_dut *one = ldk_fake(test);
	struct ldk_dut *two = ldk_fake(test);
	struct dma_filter *a = &ldk_request(one)->device->filter;
	struct dma_filter *b = &ldk_request(two)->device->filter;
	int i, j;

	for (i = 0; i < a->mapcnt; i++)
		for (j = 0; j < b->mapcnt; j++)
			KUNIT_EXPECT_STRNEQ(test, a->map[i].devname,
					    b->map[j].devname);
}

/* More XORs than a channel has source lists, none of them acknowledged. */
static bool xors_while_unacked(struct ldk_dut *dut, struct dma_chan *chan,
			       struct ldk_buf *dst, struct ldk_buf *src)
{
	struct ldk_xfer *x = ldk_xfers(dut, chan, 150);
	dma_addr_t srcs[] = { src->dma, src->dma };
	struct dma_async_tx_descriptor *tx;
	unsigned int i;

	for (i = 0; i < 150; i++) {
		tx = chan->device->device_prep_dma_xor(chan, dst->dma, srcs, 2,
						       64, DMA_PREP_INTERRUPT);
		if (!tx || !ldk_submit(&x[i], tx))
			return false;
		dma_async_issue_pending(chan);
		if (!ldk_wait(&x[i]))
			return false;
	}
	return true;
}

/*
 * Rule: a descriptor that its client has not acknowledged is the client's, also
 * when it is complete: async_tx makes others depend on it and writes to its
 * flags until then (provider.rst, "DMA_CTRL_ACK").
 */
static void kept_until_acked(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_without(test, LOOPDMA_CAPS_LOOPBACK);
	struct ldk_buf *src = ldk_src(dut, 64), *dst = ldk_dst(dut, 64);
	struct dma_async_tx_descriptor *tx, *other;
	struct dma_chan *chan;
	struct ldk_xfer *x;

	dmaengine_get();
	chan = dma_find_channel(DMA_ASYNC_TX);
	KUNIT_EXPECT_NOT_NULL(test, chan);
	if (!chan)
		goto out;
	x = ldk_xfers(dut, chan, 1);
	tx = dmaengine_prep_dma_memcpy(chan, dst->dma, src->dma, 64,
				       DMA_PREP_INTERRUPT);
	if (!ldk_submit(x, tx))
		goto out;
	dma_async_issue_pending(chan);
	KUNIT_EXPECT_TRUE(test, ldk_wait(x));
	ldk_expect_ok(x);

	/* It does not keep others from what it needs no more. */
	KUNIT_EXPECT_TRUE(test, xors_while_unacked(dut, chan, dst, src));
	/* Nobody else gets it, even when there is no other. */
	while ((other = ldk_prep_copy(chan, dst, src))) {
		KUNIT_EXPECT_PTR_NE(test, tx, other);
		if (other == tx)
			goto out;
	}
	async_tx_ack(tx);
	/* It may not be out of the tasklet's hands yet. */
	KUNIT_EXPECT_TRUE(test,
			  ldk_poll((other = ldk_prep_copy(chan, dst, src))));
	KUNIT_EXPECT_PTR_EQ(test, tx, other);
out:
	dmaengine_put();
}

/* Rule: dma_get_slave_caps() tells what the device can do (dmaengine.h). */
static void slave_caps(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_slave_caps caps = { };
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	KUNIT_ASSERT_EQ(test, 0, dma_get_slave_caps(tx, &caps));
	KUNIT_EXPECT_EQ(test, BIT(DMA_MEM_TO_MEM) | BIT(DMA_MEM_TO_DEV) |
			BIT(DMA_DEV_TO_MEM), caps.directions);
	KUNIT_EXPECT_NE(test, 0, caps.src_addr_widths);
	KUNIT_EXPECT_EQ(test, caps.src_addr_widths, caps.dst_addr_widths);
	KUNIT_EXPECT_GT(test, caps.max_burst, 0);
	KUNIT_EXPECT_TRUE(test, caps.cmd_terminate);
	KUNIT_EXPECT_TRUE(test, caps.descriptor_reuse);
}

/* Rule: memory is mapped for the device that does the DMA (client.rst). */
static void dma_device(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct device *dev = dmaengine_get_dma_device(chan);

	KUNIT_EXPECT_PTR_EQ(test, dut->dev, dev);
	KUNIT_EXPECT_NE(test, 0, dma_get_mask(dev));
	KUNIT_EXPECT_EQ(test, ldk_max_len(dut), dma_get_max_seg_size(dev));
}

/* Rule: every channel is a full channel. */
static void all_channels_copy(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_xfer *x[LDK_MAX_HELD];
	unsigned int i;

	while (ldk_try_request(dut, DMA_MEMCPY, -1))
		;
	for (i = 0; i < dut->nheld; i++)
		x[i] = ldk_copies_submitted(dut, dut->held[i], 1, 3000);
	for (i = 0; i < dut->nheld; i++)
		dma_async_issue_pending(dut->held[i]);
	for (i = 0; i < dut->nheld; i++)
		ldk_expect_copied(x[i], 1);
}

enum stage { PREPARED, SUBMITTED, ISSUED, PARTLY_DONE };

static const enum stage stages[] = { PREPARED, SUBMITTED, ISSUED, PARTLY_DONE };

static void stage_desc(const enum stage *stage, char *desc)
{
	static const char * const names[] = {
		[PREPARED] = "prepared", [SUBMITTED] = "submitted",
		[ISSUED] = "issued", [PARTLY_DONE] = "partly done",
	};

	strscpy(desc, names[*stage], KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(stages, stages, stage_desc);

/*
 * Rule: the core synchronizes but does not terminate before it frees a channel
 * (provider.rst, device_free_chan_resources): what is still in whatever state
 * must go without a callback, and the memory must be left alone.
 */
static void free_with_work(struct kunit *test)
{
	enum stage stage = *(const enum stage *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 3, 512);
	unsigned int first = 0;
	int i;

	ldk_hold(chan);
	for (i = 0; i < 3; i++) {
		if (stage == PREPARED)
			KUNIT_ASSERT_NOT_NULL(test, ldk_prep(&x[i], LDK_FLAGS));
		else
			ldk_queue_copy(&x[i]);
	}
	if (stage >= ISSUED)
		dma_async_issue_pending(chan);
	if (stage == PARTLY_DONE) {
		ldk_step(chan, 1);
		KUNIT_ASSERT_TRUE(test, ldk_wait(&x[0]));
		first = 1;
	}

	ldk_drop(dut, chan);
	ldk_unhold(chan);
	ldk_round_trip(dut);
	ldk_expect_unaffected(&x[first], 3 - first);

	ldk_request_again(dut, chan);
	ldk_copy_ok(dut, chan, 512);
}

/*
 * Rule: with device_release a provider may go while clients hold channels
 * (provider.rst); from then on prep gives NULL and all else does no harm.
 */
static void removed_while_held(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, 64);
	struct dma_tx_state state;

	ldk_copy_ok(dut, chan, 64);
	ldk_remove(dut);

	KUNIT_EXPECT_NULL(test, ldk_prep(x, LDK_FLAGS));
	dma_async_issue_pending(chan);
	KUNIT_EXPECT_EQ(test, (int)DMA_COMPLETE,
			(int)dmaengine_tx_status(chan, DMA_MIN_COOKIE, &state));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	dmaengine_synchronize(chan);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_MEMCPY, -1));
	ldk_expect_unaffected(x, 1);
}

/*
 * Rule: as above, for what was prepared before and is submitted after, or never.
 */
static void removed_before_submit(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct ldk_buf *src = ldk_src(dut, 64), *dst = ldk_dst(dut, 64);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 2);
	struct dma_async_tx_descriptor *tx, *xor[2];
	dma_addr_t srcs[] = { src->dma, src->dma };
	unsigned int i;

	tx = ldk_prep_copy(chan, dst, src);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	for (i = 0; i < 2; i++) {
		xor[i] = chan->device->device_prep_dma_xor(chan, dst->dma, srcs,
							   2, 64, DMA_CTRL_ACK);
		KUNIT_ASSERT_NOT_NULL(test, xor[i]);
	}
	ldk_remove(dut);
	KUNIT_EXPECT_FALSE(test, ldk_submit(&x[0], tx));
	KUNIT_EXPECT_FALSE(test, ldk_submit(&x[1], xor[0]));
	dma_async_issue_pending(chan);
	dmaengine_synchronize(chan);
	KUNIT_EXPECT_EQ(test, 0, x[0].calls + x[1].calls);
	ldk_expect_untouched(dut, dst);
}

/*
 * Rule: the provider has a reference to the unmap data of what it has accepted, and none
 * to that of what it refuses: clients put their own and the one that dma_set_unmap() has
 * taken (drivers/ntb/ntb_transport.c, err_set_unmap).
 */
static void removed_before_submit_mapped(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, 64);
	struct dmaengine_unmap_data *unmap;
	struct dma_async_tx_descriptor *tx;
	unsigned int refs;

	tx = ldk_prep(x, LDK_FLAGS);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	unmap = ldk_give_mappings(dut, x->dst, x->src);
	dma_set_unmap(tx, unmap);
	ldk_remove(dut);
	KUNIT_EXPECT_FALSE(test, ldk_submit(x, tx));
	refs = kref_read(&unmap->kref);
	KUNIT_EXPECT_EQ(test, 2, refs);
	while (refs--)
		dmaengine_unmap_put(unmap);
	ldk_release(dut, chan);
	ldk_expect_unaffected(x, 1);
}

/*
 * Rule: nothing is moved any more when the kernel ends: what comes next has other
 * uses for the memory (Documentation/PCI/pci.rst, struct pci_driver, shutdown).
 */
static void shut_down(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan;
	struct ldk_xfer *x;

	ldk_reboot(dut);
	chan = ldk_request(dut);
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 1, 64);
	KUNIT_EXPECT_FALSE(test, ldk_shutdown(dut));
	KUNIT_EXPECT_NULL(test, ldk_prep(x, LDK_FLAGS));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_expect_unaffected(x, 1);
}

/*
 * Rule: bytes_transferred counts the bytes that were transferred, memcpy_count
 * the copies (dmaengine.h, struct dma_chan_percpu): complete ones once, however
 * many pieces they take, of a failed one what was moved, and of one that was
 * terminated before it began nothing.
 */
static void counts_copies(struct kunit *test)
{
	static const size_t lens[] = { 1, 100, 4096, 70000 };
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *src = ldk_src(dut, 512), *dst = ldk_dst(dut, 512);
	struct dma_chan *chan = ldk_request(dut);
	struct dma_chan *other = ldk_request(dut);
	struct dma_chan_percpu before, now, other_before, other_now;
	unsigned long bytes = 0;
	int i;

	before = ldk_counts(chan);
	other_before = ldk_counts(other);
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		ldk_copy_ok(dut, chan, lens[i]);
		bytes += lens[i];
		now = ldk_counts(chan);
		KUNIT_EXPECT_EQ(test, i + 1,
				now.memcpy_count - before.memcpy_count);
		KUNIT_EXPECT_EQ(test, bytes, now.bytes_transferred -
				before.bytes_transferred);
	}

	ldk_fail(chan, 1, DMA_TRANS_WRITE_FAILED, 200);
	ldk_do_failed(dut, ldk_prep_copy(chan, dst, src), DMA_TRANS_WRITE_FAILED, 312);
	bytes += 200;

	ldk_hold(chan);
	ldk_begin(dut, ldk_prep_copy(chan, dst, src));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_unhold(chan);

	now = ldk_counts(chan);
	KUNIT_EXPECT_EQ(test, i, now.memcpy_count - before.memcpy_count);
	KUNIT_EXPECT_EQ(test, bytes,
			now.bytes_transferred - before.bytes_transferred);
	other_now = ldk_counts(other);
	KUNIT_EXPECT_EQ(test, other_before.memcpy_count,
			other_now.memcpy_count);
	KUNIT_EXPECT_EQ(test, other_before.bytes_transferred,
			other_now.bytes_transferred);
}

#ifdef CONFIG_DEBUG_FS
/* A channel's line of /sys/kernel/debug/dmaengine/summary, "" if it has none. */
static const char *summary_of(struct ldk_dut *dut, struct dma_chan *chan)
{
	struct seq_file *s = ldk_alloc(dut->test, sizeof(*s));
	char start[32], *line;

	s->size = SZ_8K;
	s->buf = ldk_alloc(dut->test, s->size);
	KUNIT_ASSERT_NOT_NULL(dut->test, chan->device->dbg_summary_show);
	chan->device->dbg_summary_show(s, chan->device);
	KUNIT_ASSERT_LT(dut->test, s->count, s->size);

	snprintf(start, sizeof(start), " %-13s|", dma_chan_name(chan));
	line = strstr(s->buf, start);
	if (!line)
		return "";
	*strchrnul(line, '\n') = 0;
	return line;
}

/*
 * Rule: the summary has a line for each channel in use, and for no other
 * (dmaengine.c of the core, dmaengine_dbg_summary_show()); it shows what the
 * channel is at.
 */
static void summary_shows_use(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut), *idle = ldk_request(dut);
	struct ldk_xfer *x;
	const char *line;
	char want[96];

	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, 64);
	line = summary_of(dut, chan);
	snprintf(want, sizeof(want),
		 "| in-use, running, cookie %d, complete %d, ring 2 of %u,",
		 x[1].cookie, x[0].cookie - 1, ldk_ring_size(chan));
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(line, want), "%s", line);
	line = summary_of(dut, idle);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(line, ", ring 0 of "), "%s",
				  line);

	ldk_fail(chan, 1, DMA_TRANS_READ_FAILED, 0);
	ldk_unhold(chan);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[0]));
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[1]));
	line = summary_of(dut, chan);
	snprintf(want, sizeof(want), "complete %d, ring 0 of", x[1].cookie);
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(line, want), "%s", line);
	/* The counts go on from one client to the next. */
	KUNIT_EXPECT_NOT_NULL_MSG(test, strstr(line, ", errors "), "%s", line);
	KUNIT_EXPECT_NULL_MSG(test, strstr(line, ", errors 0"), "%s", line);
	KUNIT_EXPECT_NULL_MSG(test, strstr(line, "interrupts 0,"), "%s", line);

	ldk_release(dut, idle);
	KUNIT_EXPECT_STREQ(test, "", summary_of(dut, idle));
}
#else
static void summary_shows_use(struct kunit *test)
{
	kunit_skip(test, "this kernel has no debugfs");
}
#endif

/*
 * Rule: a client whose provider goes is told, once, of what was in flight
 * (Documentation/driver.rst), and its memory is left alone.
 */
static void removed_with_work(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 3, 512);
	int i;

	ldk_hold(chan);
	for (i = 0; i < 3; i++) {
		ldk_queue_copy(&x[i]);
		if (i < 2)
			dma_async_issue_pending(chan);
	}
	ldk_remove(dut);
	ldk_expect_aborted(x, 3);
}

/* Rule: and so is one that polls, however much that was: none of it is complete. */
static void removed_with_much(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request_ring(dut, 8);
	unsigned int i, n = 200, wrong = 0;
	struct ldk_xfer *x;

	ldk_copy_ok(dut, chan, 64);
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, n, 64);
	ldk_remove(dut);
	for (i = 0; i < n; i++)
		wrong += ldk_status(&x[i]) != DMA_ERROR;
	KUNIT_EXPECT_EQ(test, 0, wrong);
	/* What was complete before is complete. */
	KUNIT_EXPECT_EQ(test, (int)DMA_COMPLETE,
			(int)dmaengine_tx_status(chan, x[0].cookie - 1, NULL));
	ldk_expect_aborted(x, n);
}

static unsigned int references(struct device *dev)
{
	return kref_read(&dev->kobj.kref);
}

/*
 * Rule: a device is there as long as a client holds a channel of it, which may unmap
 * late, or trace what the driver does (struct dma_device, @dev).
 */
static void removed_and_pinned(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct device *dev = dut->dev;
	unsigned int held;

	ldk_copy_ok(dut, chan, 64);
	ldk_remove(dut);
	held = references(dev);
	ldk_release(dut, chan);
	KUNIT_EXPECT_TRUE(test, ldk_poll(references(dev) == held - 1));
}

/* Rule: the last client's release frees the provider, not an earlier one's. */
static void removed_two_clients(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *a = ldk_request(dut), *b = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, b, 1, 64);

	ldk_remove(dut);
	ldk_release(dut, a);
	KUNIT_EXPECT_NULL(test, ldk_prep(x, LDK_FLAGS));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(b));
}

/* Rule: one device going does not disturb another. */
static void removed_beside_another(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_dut *other = ldk_fake(test);
	struct dma_chan *a = ldk_request(dut);

	ldk_request(other);
	ldk_remove(other);
	ldk_copy_ok(dut, a, 5000);
}

/* Rule: a channel that was left enabled, paused or not, is stopped before it is used. */
static void requested_enabled(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);

	loopdma_fake_leave(dut->fake, 0, false);
	loopdma_fake_leave(dut->fake, 1, true);
	ldk_copy_ok(dut, ldk_request_index(dut, 0), 5000);
	ldk_copy_ok(dut, ldk_request_index(dut, 1), 5000);
}

static struct kunit_case channel_cases[] = {
	KUNIT_CASE_PARAM(request_by_mask, offered_gen_params),
	KUNIT_CASE_PARAM(request_not_offered, not_offered_gen_params),
	KUNIT_CASE(request_with_filter),
	KUNIT_CASE(exhaust_all_channels),
	KUNIT_CASE(rerequest_starts_clean),
	KUNIT_CASE(names_unique),
	KUNIT_CASE(names_unique_across_devices),
	KUNIT_CASE(stays_private),
	KUNIT_CASE(public_channels),
	KUNIT_CASE(requested_by_name),
	KUNIT_CASE(names_of_two_devices),
	KUNIT_CASE(requested_enabled),
	KUNIT_CASE(kept_until_acked),
	KUNIT_CASE(slave_caps),
	KUNIT_CASE(dma_device),
	KUNIT_CASE(all_channels_copy),
	KUNIT_CASE(counts_copies),
	KUNIT_CASE(summary_shows_use),
	KUNIT_CASE_PARAM(free_with_work, stages_gen_params),
	KUNIT_CASE(removed_while_held),
	KUNIT_CASE(removed_before_submit),
	KUNIT_CASE(removed_before_submit_mapped),
	KUNIT_CASE(removed_with_work),
	KUNIT_CASE(removed_with_much),
	KUNIT_CASE(removed_and_pinned),
	KUNIT_CASE(removed_two_clients),
	KUNIT_CASE(removed_beside_another),
	KUNIT_CASE(shut_down),
	{ }
};

LDK_SUITE("loopdma_channel", channel_cases);
