// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: slave and cyclic transfers.
 *
 * Data needs a peripheral that gives back what it is given: two channels that
 * the parameters tx and rx name.  Without these there is only what no provider
 * may do to a client that asks for something impossible.
 */
#include <linux/bits.h>
#include <linux/err.h>
#include <linux/scatterlist.h>
#include <linux/version.h>

#include "conform.h"

#define PERIODS	4
#define PERIOD	256
#define PIECES	5

/*
 * Rule 23 (client.rst, "Set slave and controller specific parameters"; dmaengine.h,
 * struct dma_slave_caps): a width that is not among those of the channel is
 * refused, at the latest by prep.
 */
static void width_not_offered(struct kunit *test)
{
	static const u8 all[] = { 1, 2, 3, 4, 8, 16 };
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_SLAVE);
	struct dct_buf *buf = dct_src(d, chan, 768);
	struct dma_slave_caps caps;
	unsigned int tried = 0;
	int i;

	KUNIT_ASSERT_EQ(test, 0, dma_get_slave_caps(chan, &caps));
	if (!(caps.directions & BIT(DMA_MEM_TO_DEV)))
		kunit_skip(test, "the channel does not transmit");
	for (i = 0; i < ARRAY_SIZE(all); i++) {
		struct dma_slave_config config = {
			.dst_addr_width = all[i], .dst_maxburst = 1,
			.direction = DMA_MEM_TO_DEV,
		};

		if (caps.dst_addr_widths & BIT(all[i]))
			continue;
		tried++;
		if (!dmaengine_slave_config(chan, &config))
			KUNIT_EXPECT_NULL_MSG(test,
					      dmaengine_prep_slave_single(chan, buf->dma, 768,
									  DMA_MEM_TO_DEV,
									  DCT_FLAGS),
					      "a width of %u is taken", all[i]);
	}
	if (!tried)
		kunit_skip(test, "the channel has all widths");
}

/*
 * Rule 14 (provider.rst, device_prep_*): what is not possible, because nothing is
 * configured yet, gets NULL and no error pointer.  To a provider that takes an undefined
 * width it may be possible.
 */
static void nothing_configured(struct kunit *test)
{
	static const enum dma_transfer_direction dirs[] = {
		DMA_MEM_TO_DEV, DMA_DEV_TO_MEM,
	};
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_SLAVE);
	struct dct_buf *buf = dct_buf(d, chan, DCT_LEN, 0, DMA_BIDIRECTIONAL);
	struct dma_async_tx_descriptor *tx;
	struct dma_slave_caps caps;
	bool undefined;
	int i;

	if (!chan->device->device_config)
		kunit_skip(test, "the provider needs no configuration");
	KUNIT_ASSERT_EQ(test, 0, dma_get_slave_caps(chan, &caps));
	undefined = (caps.src_addr_widths | caps.dst_addr_widths) &
		    BIT(DMA_SLAVE_BUSWIDTH_UNDEFINED);
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		tx = dmaengine_prep_slave_single(chan, buf->dma, DCT_LEN, dirs[i], DCT_FLAGS);
		KUNIT_EXPECT_FALSE(test, IS_ERR(tx));
		if (!undefined)
			KUNIT_EXPECT_NULL(test, tx);
	}
	dct_check(d, buf);
}

/* Rule 14 (provider.rst, device_prep_*): neither a descriptor, nor an error pointer. */
static void no_direction(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_SLAVE);
	struct dct_buf *buf = dct_src(d, chan, DCT_LEN);

	KUNIT_EXPECT_NULL(test, dmaengine_prep_slave_single(chan, buf->dma, DCT_LEN,
							    DMA_TRANS_NONE, DCT_FLAGS));
	if (dma_has_cap(DMA_CYCLIC, chan->device->cap_mask))
		KUNIT_EXPECT_NULL(test, dmaengine_prep_dma_cyclic(chan, buf->dma, DCT_LEN,
								  DCT_LEN / 2,
								  DMA_TRANS_NONE,
								  DCT_FLAGS));
}

/**
 * struct pair - a loopback
 * @tx: channel from memory
 * @rx: channel to memory
 * @config: of both
 */
struct pair {
	struct dma_chan *tx;
	struct dma_chan *rx;
	struct dma_slave_config config;
};

static struct pair request_pair(struct dct *d)
{
	struct pair p;

	dct_request_pair(d, &p.tx, &p.rx);
	dct_pair_config(d, &p.config);
	p.config.direction = DMA_MEM_TO_DEV;
	KUNIT_ASSERT_EQ(d->test, 0, dmaengine_slave_config(p.tx, &p.config));
	p.config.direction = DMA_DEV_TO_MEM;
	KUNIT_ASSERT_EQ(d->test, 0, dmaengine_slave_config(p.rx, &p.config));
	return p;
}

/* A transfer of the whole of a buffer. */
static struct dma_async_tx_descriptor *prep_all(struct dma_chan *chan,
						struct dct_buf *buf,
						enum dma_transfer_direction dir)
{
	return dmaengine_prep_slave_single(chan, buf->dma, buf->len, dir, DCT_FLAGS);
}

/* One that goes round a buffer. */
static struct dma_async_tx_descriptor *prep_cyclic(struct dma_chan *chan,
						   struct dct_buf *buf,
						   enum dma_transfer_direction dir)
{
	return dmaengine_prep_dma_cyclic(chan, buf->dma, buf->len, PERIOD, dir, DCT_FLAGS);
}

/* Issues what was submitted on both sides, and waits for the end of these two. */
static void loop(struct pair *p, struct dct_xfer *out, struct dct_xfer *in)
{
	dma_async_issue_pending(p->rx);
	dma_async_issue_pending(p->tx);
	dct_finish(out);
	dct_finish(in);
}

/* A list of the whole of a buffer, in pieces; aligned for any width. */
static struct scatterlist *pieces(struct dct *d, struct dct_buf *buf)
{
	struct scatterlist *sgl = dct_alloc(d, PIECES * sizeof(*sgl));
	size_t off = 0, len;
	int i;

	sg_init_table(sgl, PIECES);
	for (i = 0; i < PIECES; i++) {
		len = i < PIECES - 1 ? 64 * (1 + dct_rand(d, 4)) : buf->len - off;
		sg_dma_address(&sgl[i]) = buf->dma + off;
		sg_dma_len(&sgl[i]) = len;
		off += len;
	}
	return sgl;
}

static void submit_list(struct dct *d, struct dct_xfer *x, struct dct_buf *buf,
			enum dma_transfer_direction dir)
{
	dct_submit_new(x,
		       dmaengine_prep_slave_sg(x->chan, pieces(d, buf), PIECES, dir,
					       DCT_FLAGS));
}

/*
 * Rule 17 (client.rst, "Get a descriptor for transaction"): a list is moved by
 * what is mapped; where its pieces end is nothing to the other side.
 */
static void lists(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_pair(d);
	struct dct_xfer *out = dct_xfers(d, p.tx, 4), *in = dct_xfers(d, p.rx, 4);
	struct dct_buf *src[4], *dst[4];
	int i;

	for (i = 0; i < 4; i++) {
		src[i] = dct_src(d, p.tx, SZ_4K);
		dst[i] = dct_dst(d, p.rx, SZ_4K);
		submit_list(d, &in[i], dst[i], DMA_DEV_TO_MEM);
		submit_list(d, &out[i], src[i], DMA_MEM_TO_DEV);
	}
	dma_async_issue_pending(p.rx);
	dma_async_issue_pending(p.tx);
	for (i = 0; i < 4; i++) {
		dct_finish(&out[i]);
		dct_finish(&in[i]);
		dct_check_moved(d, dst[i], src[i]);
	}
}

/*
 * Rule 34 (dmaengine.h, enum dma_residue_granularity; provider.rst,
 * device_tx_status): of a receiver whose peer does not send all is left, of a
 * complete one nothing.
 * Rule 58 (provider.rst, device_tx_status): also while it is only submitted.
 */
static void residue_of_lists(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_pair(d);
	struct dct_xfer *out = dct_xfers(d, p.tx, 1), *in = dct_xfers(d, p.rx, 1);
	struct dct_buf *src = dct_src(d, p.tx, SZ_4K), *dst = dct_dst(d, p.rx, SZ_4K);
	struct dma_slave_caps caps;
	u32 all;

	KUNIT_ASSERT_EQ(test, 0, dma_get_slave_caps(p.rx, &caps));
	all = caps.residue_granularity > DMA_RESIDUE_GRANULARITY_DESCRIPTOR ?
	      SZ_4K : 0;
	submit_list(d, in, dst, DMA_DEV_TO_MEM);
	KUNIT_EXPECT_EQ(test, all, dct_residue(in));
	dma_async_issue_pending(p.rx);
	dct_quiet();
	dct_expect_status(in, DMA_IN_PROGRESS);
	KUNIT_EXPECT_EQ(test, all, dct_residue(in));
	submit_list(d, out, src, DMA_MEM_TO_DEV);
	dma_async_issue_pending(p.tx);
	dct_finish(out);
	dct_finish(in);
	KUNIT_EXPECT_EQ(test, 0, dct_residue(in));
	KUNIT_EXPECT_EQ(test, 0, dct_residue(out));
	dct_check_moved(d, dst, src);
}

/*
 * Rule 23 (provider.rst, device_config): what is queued stays as it was
 * configured.
 */
static void configured_while_queued(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_pair(d);
	struct dct_xfer *out = dct_xfers(d, p.tx, 2), *in = dct_xfers(d, p.rx, 2);
	struct dct_buf *src[2], *dst[2];
	int i;

	for (i = 0; i < 2; i++) {
		src[i] = dct_src(d, p.tx, SZ_4K);
		dst[i] = dct_dst(d, p.rx, SZ_4K);
		submit_list(d, &in[i], dst[i], DMA_DEV_TO_MEM);
		submit_list(d, &out[i], src[i], DMA_MEM_TO_DEV);
		p.config.direction = DMA_MEM_TO_DEV;
		KUNIT_EXPECT_EQ(test, 0, dmaengine_slave_config(p.tx, &p.config));
		p.config.direction = DMA_DEV_TO_MEM;
		KUNIT_EXPECT_EQ(test, 0, dmaengine_slave_config(p.rx, &p.config));
	}
	dma_async_issue_pending(p.rx);
	dma_async_issue_pending(p.tx);
	for (i = 0; i < 2; i++) {
		dct_finish(&out[i]);
		dct_finish(&in[i]);
		dct_check_moved(d, dst[i], src[i]);
	}
}

/*
 * Rule 48 (provider.rst, device_pause, device_resume; client.rst,
 * dmaengine_pause()): a sender that is paused, and goes on, loses nothing.
 */
static void paused_sender(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_pair(d);
	struct dct_xfer *out = dct_xfers(d, p.tx, 1), *in = dct_xfers(d, p.rx, 1);
	struct dct_buf *src = dct_src(d, p.tx, SZ_4K), *dst = dct_dst(d, p.rx, SZ_4K);
	struct dma_slave_caps caps;

	KUNIT_ASSERT_EQ(test, 0, dma_get_slave_caps(p.tx, &caps));
	if (!caps.cmd_pause || !caps.cmd_resume)
		kunit_skip(test, "the channel cannot pause and resume");
	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(p.tx));
	submit_list(d, out, src, DMA_MEM_TO_DEV);
	submit_list(d, in, dst, DMA_DEV_TO_MEM);
	dma_async_issue_pending(p.rx);
	dma_async_issue_pending(p.tx);
	dct_quiet();
	KUNIT_EXPECT_EQ(test, 0, in->calls);
	dct_check(d, dst);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_resume(p.tx));
	dct_finish(out);
	dct_finish(in);
	dct_check_moved(d, dst, src);
}

/*
 * Rule 49 (provider.rst, device_terminate_all; client.rst,
 * dmaengine_terminate_async()): a receiver that waits for its peer is ended.
 * Rule 50 (provider.rst, device_synchronize): what its peer sends later does not
 * get into its memory.
 */
static void terminated_receiver(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_pair(d);
	struct dct_xfer *out = dct_xfers(d, p.tx, 1), *in = dct_xfers(d, p.rx, 2);
	struct dct_buf *src = dct_src(d, p.tx, SZ_1K), *gone = dct_dst(d, p.rx, SZ_1K);
	struct dct_buf *dst = dct_dst(d, p.rx, SZ_1K);

	dct_need_terminate(d, p.rx);
	dct_start(&in[0], prep_all(p.rx, gone, DMA_DEV_TO_MEM));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(p.rx));
	dct_submit_new(&in[1], prep_all(p.rx, dst, DMA_DEV_TO_MEM));
	dct_submit_new(out, prep_all(p.tx, src, DMA_MEM_TO_DEV));
	loop(&p, out, &in[1]);
	dct_check_moved(d, dst, src);
	dct_check(d, gone);
	KUNIT_EXPECT_EQ(test, 0, in[0].calls);
}

#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
/*
 * Rule 17 (client.rst, "Get a descriptor for transaction"): an array is moved as a
 * list is.
 */
static void vectors(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_pair(d);
	struct dct_xfer *out = dct_xfers(d, p.tx, 1), *in = dct_xfers(d, p.rx, 1);
	struct dct_buf *src = dct_src(d, p.tx, SZ_4K), *dst = dct_dst(d, p.rx, SZ_4K);
	struct dma_vec to[] = {
		{ .addr = dst->dma, .len = 64 },
		{ .addr = dst->dma + 64, .len = SZ_4K - 64 },
	};
	struct dma_vec from[] = {
		{ .addr = src->dma, .len = SZ_1K },
		{ .addr = src->dma + SZ_1K, .len = SZ_1K },
		{ .addr = src->dma + SZ_2K, .len = SZ_2K },
	};

	if (!p.rx->device->device_prep_peripheral_dma_vec)
		kunit_skip(test, "the provider takes no arrays");
	dct_submit_new(in,
		       dmaengine_prep_peripheral_dma_vec(p.rx, to, ARRAY_SIZE(to),
							 DMA_DEV_TO_MEM, DCT_FLAGS));
	dct_submit_new(out,
		       dmaengine_prep_peripheral_dma_vec(p.tx, from, ARRAY_SIZE(from),
							 DMA_MEM_TO_DEV, DCT_FLAGS));
	loop(&p, out, in);
	dct_check_moved(d, dst, src);
}
#endif

/* A transmission of @len bytes that nobody has submitted yet. */
static struct dma_async_tx_descriptor *prep_out(struct dct *d, struct pair *p,
						size_t len)
{
	struct dma_async_tx_descriptor *tx;

	tx = dmaengine_prep_slave_single(p->tx, dct_src(d, p->tx, len)->dma, len,
					 DMA_MEM_TO_DEV, DCT_FLAGS);
	KUNIT_ASSERT_NOT_NULL(d->test, tx);
	return tx;
}

/*
 * Rule 55 (client.rst, "Optional: per descriptor metadata"): a mode that is not
 * offered is refused, and of two only one can be used with a descriptor.
 */
static void metadata_modes(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_pair(d);
	struct dma_async_tx_descriptor *tx = prep_out(d, &p, DCT_LEN);
	size_t payload, max;
	u8 data[4] = { };
	bool client, engine;

	client = dmaengine_is_metadata_mode_supported(p.tx, DESC_METADATA_CLIENT);
	engine = dmaengine_is_metadata_mode_supported(p.tx, DESC_METADATA_ENGINE);
	if (!client)
		KUNIT_EXPECT_GT(test, 0, dmaengine_desc_attach_metadata(tx, data, 4));
	if (!engine)
		KUNIT_EXPECT_TRUE(test, IS_ERR(dmaengine_desc_get_metadata_ptr
					       (tx, &payload, &max)));
	if (client && engine) {
		KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_attach_metadata(tx, data, 4));
		KUNIT_EXPECT_TRUE(test, IS_ERR(dmaengine_desc_get_metadata_ptr
					       (tx, &payload, &max)));
		KUNIT_EXPECT_GT(test, 0, dmaengine_desc_set_metadata_len(tx, 4));
	}
}

struct metadata_seen {
	const u8 *at;
	size_t len;
	u8 copy[64];
};

static void see_metadata(struct dct_xfer *x)
{
	struct metadata_seen *seen = x->priv;

	memcpy(seen->copy, seen->at, seen->len);
}

/*
 * Rule 55 (provider.rst, "Per descriptor metadata support", DESC_METADATA_CLIENT):
 * what is attached arrives, and is in the client's buffer when it is called back.
 */
static void metadata_arrives(struct kunit *test)
{
	struct dct *d = test->priv;
	struct metadata_seen seen = { .len = min(dct_pair_metadata(d),
						 sizeof(seen.copy)) };
	struct pair p = request_pair(d);
	struct dct_xfer *out = dct_xfers(d, p.tx, 1), *in = dct_xfers(d, p.rx, 1);
	u8 *sent = dct_alloc(d, seen.len);
	u8 *got = dct_alloc(d, seen.len);
	struct dma_async_tx_descriptor *tx;
	struct dct_buf *dst = dct_dst(d, p.rx, DCT_LEN);

	prandom_bytes_state(&d->rnd, sent, seen.len);
	seen.at = got;
	in->hook = see_metadata;
	in->priv = &seen;
	tx = prep_all(p.rx, dst, DMA_DEV_TO_MEM);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_attach_metadata(tx, got, seen.len));
	dct_submit_new(in, tx);
	tx = prep_out(d, &p, DCT_LEN);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_attach_metadata(tx, sent, seen.len));
	dct_submit_new(out, tx);
	loop(&p, out, in);
	KUNIT_EXPECT_MEMEQ(test, sent, seen.copy, seen.len);
}

/*
 * Rule 55 (provider.rst, "Per descriptor metadata support", DESC_METADATA_CLIENT):
 * the buffer of what was terminated is the client's again.
 */
static void metadata_terminated(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_pair(d);
	struct dct_xfer *in = dct_xfers(d, p.rx, 1);
	struct dct_buf *dst = dct_dst(d, p.rx, DCT_LEN);
	struct dma_async_tx_descriptor *tx;
	u8 *got = dct_alloc(d, 16);

	dct_need_terminate(d, p.rx);
	if (!dmaengine_is_metadata_mode_supported(p.rx, DESC_METADATA_CLIENT))
		kunit_skip(test, "the provider has no metadata for clients' buffers");
	memset(got, 0x5a, 16);
	tx = prep_all(p.rx, dst, DMA_DEV_TO_MEM);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_attach_metadata(tx, got, 16));
	dct_start(in, tx);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(p.rx));
	dct_quiet();
	KUNIT_EXPECT_NULL(test, memchr_inv(got, 0x5a, 16));
}

static struct pair request_cyclic(struct dct *d)
{
	struct pair p = request_pair(d);

	if (!dma_has_cap(DMA_CYCLIC, p.rx->device->cap_mask))
		kunit_skip(d->test, "the receiver has no DMA_CYCLIC");
	dct_need_terminate(d, p.rx);
	return p;
}

/* Sends so many bytes, and waits until they are on their way. */
static struct dct_buf *send(struct dct *d, struct pair *p, size_t len)
{
	struct dct_xfer *out = dct_xfers(d, p->tx, 1);
	struct dct_buf *src = dct_src(d, p->tx, len);

	dct_start(out, prep_all(p->tx, src, DMA_MEM_TO_DEV));
	dct_finish(out);
	return src;
}

/*
 * Rule 57 (provider.rst, "DMA_CYCLIC"; client.rst, "Get a descriptor for
 * transaction"): the buffer is gone through again and again, with a callback for
 * periods, until it is terminated; it never completes.
 */
static void cyclic(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_cyclic(d);
	struct dct_xfer *in = dct_xfers(d, p.rx, 1);
	struct dct_buf *dst = dct_dst(d, p.rx, PERIODS * PERIOD), *src;
	unsigned int calls = 0;
	int i;

	dct_start(in, prep_cyclic(p.rx, dst, DMA_DEV_TO_MEM));
	/* Twice round and a bit. */
	for (i = 0; i < 2 * PERIODS + 1; i++) {
		u8 *at = dst->want + i % PERIODS * PERIOD;

		src = send(d, &p, PERIOD);
		KUNIT_ASSERT_TRUE_MSG(test, dct_poll(READ_ONCE(in->calls) > calls),
				      "no callback of period %d", i);
		KUNIT_EXPECT_EQ(test, calls + 1, READ_ONCE(in->calls));
		calls = READ_ONCE(in->calls);
		memcpy(at, src->want, PERIOD);
		dct_check(d, dst);
		dct_expect_status(in, DMA_IN_PROGRESS);
		KUNIT_EXPECT_FALSE(test, in->bad_context);
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(p.rx));
	calls = in->calls;
	dct_refill(d, dst);
	dct_quiet();
	dct_check(d, dst);
	KUNIT_EXPECT_EQ(test, calls, in->calls);
}

/*
 * Rule 34 (dmaengine.h, enum dma_residue_granularity; provider.rst,
 * device_tx_status): of a cyclic transfer it is what is left of the buffer, not
 * of the period.
 */
static void residue_of_cyclic(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_cyclic(d);
	struct dct_xfer *in = dct_xfers(d, p.rx, 1);
	struct dct_buf *dst = dct_dst(d, p.rx, PERIODS * PERIOD);
	struct dma_slave_caps caps;
	int i;

	KUNIT_ASSERT_EQ(test, 0, dma_get_slave_caps(p.rx, &caps));
	if (caps.residue_granularity == DMA_RESIDUE_GRANULARITY_DESCRIPTOR)
		kunit_skip(test, "the provider does not say how far it has got");
	dct_start(in, prep_cyclic(p.rx, dst, DMA_DEV_TO_MEM));
	for (i = 1; i < PERIODS; i++) {
		send(d, &p, PERIOD);
		KUNIT_EXPECT_TRUE(test, dct_poll(READ_ONCE(in->calls) >= i));
		KUNIT_EXPECT_EQ(test, (PERIODS - i) * PERIOD, dct_residue(in));
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(p.rx));
}

/*
 * Rule 57 (provider.rst, "DMA_CYCLIC"): a sender goes round its buffer as well, and
 * sends what is in it by then.
 */
static void cyclic_sender(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_cyclic(d);
	struct dct_xfer *out = dct_xfers(d, p.tx, 1), *in = dct_xfers(d, p.rx, 6);
	struct dct_buf *src = dct_src(d, p.tx, PERIODS * PERIOD), *dst;
	int i;

	dct_need_terminate(d, p.tx);
	dct_start(out, prep_cyclic(p.tx, src, DMA_MEM_TO_DEV));
	for (i = 0; i < 6; i++) {
		dst = dct_dst(d, p.rx, PERIOD);
		dct_start(&in[i], prep_all(p.rx, dst, DMA_DEV_TO_MEM));
		dct_finish(&in[i]);
		memcpy(dst->want, src->want + i % PERIODS * PERIOD, PERIOD);
		dct_check(d, dst);
	}
	dct_expect_status(out, DMA_IN_PROGRESS);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(p.tx));
}

static void terminate(struct dct_xfer *x)
{
	if (x->calls == 2)
		dmaengine_terminate_async(x->chan);
}

/*
 * Rule 61 (provider.rst, device_terminate_all): a cyclic transfer that is ended by
 * its own callback is gone for good, and the channel takes others.
 * Rule 42 (client.rst, "Submit the transaction"): which a callback may do.
 */
static void cyclic_ends_itself(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_cyclic(d);
	struct dct_xfer *in = dct_xfers(d, p.rx, 1), *list = dct_xfers(d, p.rx, 1);
	struct dct_buf *dst = dct_dst(d, p.rx, PERIODS * PERIOD), *src;
	int i;

	in->hook = terminate;
	dct_start(in, prep_cyclic(p.rx, dst, DMA_DEV_TO_MEM));
	for (i = 1; i <= 2; i++) {
		send(d, &p, PERIOD);
		KUNIT_ASSERT_TRUE(test, dct_poll(READ_ONCE(in->calls) >= i));
	}
	dmaengine_synchronize(p.rx);
	KUNIT_EXPECT_EQ(test, 2, in->calls);
	dct_refill(d, dst);

	dct_start(list, prep_all(p.rx, dst, DMA_DEV_TO_MEM));
	src = send(d, &p, dst->len);
	dct_finish(list);
	dct_check_moved(d, dst, src);
	KUNIT_EXPECT_EQ(test, 2, in->calls);
}

static void submit_repeated(struct dct_xfer *x, struct dma_interleaved_template *xt,
			    struct dct_buf *dst)
{
	xt->dst_start = dst->dma;
	dct_submit_new(x, dmaengine_prep_interleaved_dma(x->chan, xt, DCT_FLAGS |
							 DMA_PREP_REPEAT |
							 DMA_PREP_LOAD_EOT));
}

/*
 * Rule 24 (dmaengine.h, enum dma_ctrl_flags; provider.rst, "DMA_PREP_REPEAT",
 * "DMA_PREP_LOAD_EOT"): what is to be repeated goes on until one that is to
 * replace it is issued, at its end.
 */
static void repeated(struct kunit *test)
{
	struct dct *d = test->priv;
	struct pair p = request_pair(d);
	struct dct_xfer *in = dct_xfers(d, p.rx, 2);
	struct dct_buf *src, *dst[] = {
		dct_dst(d, p.rx, PERIOD), dct_dst(d, p.rx, PERIOD),
	};
	struct dma_interleaved_template *xt;
	int i;

	if (!dma_has_cap(DMA_REPEAT, p.rx->device->cap_mask) ||
	    !dma_has_cap(DMA_LOAD_EOT, p.rx->device->cap_mask))
		kunit_skip(test, "the provider does not repeat");
	dct_need_terminate(d, p.rx);
	xt = dct_alloc(d, struct_size(xt, sgl, 1));
	xt->dir = DMA_DEV_TO_MEM;
	xt->dst_inc = true;
	xt->numf = 1;
	xt->frame_size = 1;
	xt->sgl[0].size = PERIOD;

	submit_repeated(&in[0], xt, dst[0]);
	dma_async_issue_pending(p.rx);
	for (i = 0; i < 3; i++) {
		src = send(d, &p, PERIOD);
		KUNIT_ASSERT_TRUE(test, dct_poll(READ_ONCE(in[0].calls) > i));
		memcpy(dst[0]->want, src->want, PERIOD);
		dct_check(d, dst[0]);
	}
	submit_repeated(&in[1], xt, dst[1]);
	dma_async_issue_pending(p.rx);
	/* Some of the first may be on its way already. */
	for (i = 0; i < 8 && !READ_ONCE(in[1].calls); i++) {
		send(d, &p, PERIOD);
		dct_quiet();
	}
	KUNIT_EXPECT_GT(test, READ_ONCE(in[1].calls), 0);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(p.rx));
}

static struct kunit_case slave_cases[] = {
	KUNIT_CASE(width_not_offered),
	KUNIT_CASE(nothing_configured),
	KUNIT_CASE(no_direction),
	KUNIT_CASE(lists),
	KUNIT_CASE(residue_of_lists),
	KUNIT_CASE(configured_while_queued),
	KUNIT_CASE(paused_sender),
	KUNIT_CASE(terminated_receiver),
#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
	KUNIT_CASE(vectors),
#endif
	KUNIT_CASE(metadata_modes),
	KUNIT_CASE(metadata_arrives),
	KUNIT_CASE(metadata_terminated),
	KUNIT_CASE(cyclic),
	KUNIT_CASE(residue_of_cyclic),
	KUNIT_CASE(cyclic_sender),
	KUNIT_CASE(cyclic_ends_itself),
	KUNIT_CASE(repeated),
	{ }
};

DCT_SUITE("dmaengine_slave", slave_cases);
