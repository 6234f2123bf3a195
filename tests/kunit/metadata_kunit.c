// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_metadata: what goes along with the data of a slave transfer.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.  The rules
 * are those of client.rst, "Optional: per descriptor metadata", and provider.rst,
 * "Per descriptor metadata support".
 */
#include <loopdma/hw.h>

#include "dut.h"

#define LEN	300

/**
 * struct meta_pair - two channels, and what goes through them
 * @dut: device
 * @tx: sender
 * @rx: receiver
 * @src: what is sent
 * @dst: where it is received
 * @sent: metadata sent
 * @got: client's buffer for what is received
 * @seen: what was in @got in the callback
 */
struct meta_pair {
	struct ldk_dut *dut;
	struct dma_chan *tx;
	struct dma_chan *rx;
	struct ldk_buf *src;
	struct ldk_buf *dst;
	u8 sent[LOOPDMA_META_SIZE];
	u8 got[LOOPDMA_META_SIZE];
	u8 seen[LOOPDMA_META_SIZE];
};

static struct meta_pair *pair_init(struct ldk_dut *dut, size_t len)
{
	struct meta_pair *p = ldk_alloc(dut->test, sizeof(*p));
	unsigned int i;

	p->dut = dut;
	ldk_request_pair(dut, &p->tx, &p->rx);
	ldk_config(dut, p->tx, DMA_SLAVE_BUSWIDTH_4_BYTES, 4);
	ldk_config(dut, p->rx, DMA_SLAVE_BUSWIDTH_4_BYTES, 4);
	p->src = ldk_src(dut, len);
	p->dst = ldk_dst(dut, len);
	for (i = 0; i < sizeof(p->sent); i++)
		p->sent[i] = 0x41 + i;
	memset(p->got, LDK_POISON_BYTE, sizeof(p->got));
	return p;
}

static struct dma_async_tx_descriptor *prep_tx(struct meta_pair *p)
{
	struct dma_async_tx_descriptor *tx;

	tx = ldk_prep_slave(p->tx, p->src->dma, p->src->len, DMA_MEM_TO_DEV);
	KUNIT_ASSERT_NOT_NULL(p->dut->test, tx);
	return tx;
}

static struct dma_async_tx_descriptor *prep_rx(struct meta_pair *p)
{
	struct dma_async_tx_descriptor *tx;

	tx = ldk_prep_slave(p->rx, p->dst->dma, p->dst->len, DMA_DEV_TO_MEM);
	KUNIT_ASSERT_NOT_NULL(p->dut->test, tx);
	return tx;
}

/* Send with metadata of @len bytes, without waiting for the end. */
static struct ldk_xfer *send_meta(struct meta_pair *p, size_t len)
{
	struct dma_async_tx_descriptor *tx = prep_tx(p);
	struct ldk_xfer *x = ldk_xfers(p->dut, p->tx, 1);

	KUNIT_ASSERT_EQ(p->dut->test, 0,
			dmaengine_desc_attach_metadata(tx, p->sent, len));
	ldk_start(x, tx);
	return x;
}

static void look_at_client(struct ldk_xfer *x)
{
	struct meta_pair *p = x->priv;

	memcpy(p->seen, p->got, sizeof(p->seen));
}

/* Have metadata of up to @len bytes received. */
static struct ldk_xfer *receive_meta(struct meta_pair *p, size_t len)
{
	struct dma_async_tx_descriptor *tx = prep_rx(p);
	struct ldk_xfer *x = ldk_xfers(p->dut, p->rx, 1);

	KUNIT_ASSERT_EQ(p->dut->test, 0,
			dmaengine_desc_attach_metadata(tx, p->got, len));
	x->hook = look_at_client;
	x->priv = p;
	ldk_start(x, tx);
	return x;
}

/* The client's buffer has @len bytes of what was sent, then @rest bytes of 0. */
static void expect_got(struct meta_pair *p, size_t len, size_t rest)
{
	u8 want[LOOPDMA_META_SIZE];

	memset(want, LDK_POISON_BYTE, sizeof(want));
	memcpy(want, p->sent, len);
	memset(want + len, 0, rest);
	KUNIT_EXPECT_MEMEQ(p->dut->test, want, p->got, sizeof(want));
}

static void expect_supported(struct kunit *test, struct dma_chan *chan,
			     bool supported)
{
	KUNIT_EXPECT_EQ(test, supported, dmaengine_is_metadata_mode_supported
			(chan, DESC_METADATA_CLIENT));
	KUNIT_EXPECT_EQ(test, supported, dmaengine_is_metadata_mode_supported
			(chan, DESC_METADATA_ENGINE));
}

/* Rule: the modes are told (dmaengine_is_metadata_mode_supported()). */
static void told(struct kunit *test)
{
	expect_supported(test, pair_init(test->priv, LEN)->tx, true);
}

/* Rule: as above, where the hardware has none; all else goes on. */
static void told_without(struct kunit *test)
{
	struct meta_pair *p = pair_init(ldk_fake_without(test, LOOPDMA_CAPS_METADATA), LEN);

	expect_supported(test, p->rx, false);
	KUNIT_EXPECT_EQ(test, -ENOTSUPP,
			dmaengine_desc_attach_metadata(prep_tx(p), p->sent, 4));
	ldk_release(p->dut, p->tx);
	ldk_release(p->dut, p->rx);
	ldk_loop_ok(p->dut);
}

/*
 * Rule: both sides with a buffer of their own, of every length; that of the
 * receiver is filled when it is called back.
 */
static void client(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, LEN);
	struct ldk_xfer *t, *r;
	size_t len;

	for (len = 1; len <= LOOPDMA_META_SIZE; len++) {
		p->sent[0]++;
		memset(p->got, LDK_POISON_BYTE, sizeof(p->got));
		r = receive_meta(p, LOOPDMA_META_SIZE);
		t = send_meta(p, len);
		ldk_finish(t);
		ldk_finish(r);
		expect_got(p, len, LOOPDMA_META_SIZE - len);
		KUNIT_EXPECT_MEMEQ(test, p->got, p->seen, sizeof(p->got));
		ldk_expect_moved(p->dut, p->dst, p->src);
	}
}

/* Rule: a buffer that is shorter than what comes is not written beyond its end. */
static void client_shorter(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, LEN);
	struct ldk_xfer *r = receive_meta(p, 5);

	ldk_finish(send_meta(p, LOOPDMA_META_SIZE));
	ldk_finish(r);
	expect_got(p, 5, 0);
}

/* Rule: the client's buffer is filled before the cookie is complete. */
static void client_polls(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, LEN);
	struct dma_async_tx_descriptor *tx = prep_rx(p);
	dma_cookie_t cookie;

	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_attach_metadata(tx, p->got, 16));
	cookie = dmaengine_submit(tx);
	dma_async_issue_pending(p->rx);
	send_meta(p, 16);
	KUNIT_ASSERT_TRUE(test, ldk_poll(dmaengine_tx_status(p->rx, cookie,
							     NULL) ==
					 DMA_COMPLETE));
	expect_got(p, 16, 0);
}

/**
 * struct engine_end - what the callback of a reception has found
 * @tx: its descriptor
 * @err: error of dmaengine_desc_get_metadata_ptr()
 * @len: its payload length
 * @max: its maximum length
 * @data: the metadata
 */
struct engine_end {
	struct dma_async_tx_descriptor *tx;
	long err;
	size_t len;
	size_t max;
	u8 data[LOOPDMA_META_SIZE];
};

static void look_at_engine(struct ldk_xfer *x)
{
	struct engine_end *end = x->priv;
	void *data = dmaengine_desc_get_metadata_ptr(end->tx, &end->len, &end->max);

	end->err = PTR_ERR_OR_ZERO(data);
	if (!end->err)
		memcpy(end->data, data, min(end->len, sizeof(end->data)));
}

/* Receive into the engine's buffer. */
static struct ldk_xfer *receive_engine(struct meta_pair *p,
				       struct engine_end *end)
{
	struct ldk_xfer *x = ldk_xfers(p->dut, p->rx, 1);

	*end = (struct engine_end) { .tx = prep_rx(p), .err = -EAGAIN };
	x->hook = look_at_engine;
	x->priv = end;
	ldk_start(x, end->tx);
	return x;
}

/* Send from the engine's buffer, with as much metadata as there is in @p. */
static struct ldk_xfer *send_engine(struct meta_pair *p, size_t len)
{
	struct dma_async_tx_descriptor *tx = prep_tx(p);
	struct ldk_xfer *x = ldk_xfers(p->dut, p->tx, 1);
	struct kunit *test = p->dut->test;
	size_t payload = 99, max = 0;
	void *data = dmaengine_desc_get_metadata_ptr(tx, &payload, &max);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, data);
	KUNIT_EXPECT_EQ(test, 0, payload);
	KUNIT_ASSERT_EQ(test, LOOPDMA_META_SIZE, max);
	memcpy(data, p->sent, len);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_set_metadata_len(tx, len));
	ldk_start(x, tx);
	return x;
}

/* Rule: both sides in the engine's buffer, which tells how much there is. */
static void engine(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, LEN);
	struct engine_end end;
	struct ldk_xfer *r;
	size_t len;

	for (len = 0; len <= LOOPDMA_META_SIZE; len++) {
		p->sent[0]++;
		r = receive_engine(p, &end);
		ldk_finish(send_engine(p, len));
		ldk_finish(r);
		KUNIT_EXPECT_EQ(test, 0, end.err);
		KUNIT_EXPECT_EQ(test, LOOPDMA_META_SIZE, end.max);
		KUNIT_EXPECT_EQ(test, len, end.len);
		KUNIT_EXPECT_MEMEQ(test, p->sent, end.data, len);
	}
}

/* Rule: where none was sent none is received. */
static void none_sent(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, LEN);
	struct ldk_xfer *r;
	struct engine_end end;

	/* After one with metadata, so that there is something to be left. */
	r = receive_meta(p, 16);
	ldk_finish(send_meta(p, 16));
	ldk_finish(r);
	r = receive_engine(p, &end);
	ldk_do(p->dut, prep_tx(p));
	ldk_finish(r);
	KUNIT_EXPECT_EQ(test, 0, end.err);
	KUNIT_EXPECT_EQ(test, 0, end.len);
	r = receive_meta(p, 16);
	ldk_do(p->dut, prep_tx(p));
	ldk_finish(r);
	expect_got(p, 0, 16);
}

/*
 * Rule: metadata goes with the last byte of a transaction: of two in one
 * reception the last, and one byte less is without (Documentation/hardware.rst,
 * "Metadata").
 */
static void with_the_last_byte(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, 2 * LEN);
	struct ldk_xfer *t, *r;
	struct engine_end end;

	p->src->len = LEN;
	send_meta(p, 16);
	p->sent[3] ^= 0xff;
	t = send_meta(p, 16);
	r = receive_meta(p, 16);
	ldk_finish(t);
	ldk_finish(r);
	expect_got(p, 16, 0);

	t = send_meta(p, 8);
	p->dst->len = LEN - 4;
	r = receive_engine(p, &end);
	ldk_finish(r);
	KUNIT_EXPECT_EQ(test, 0, end.len);
	p->dst->len = 4;
	r = receive_engine(p, &end);
	ldk_finish(t);
	ldk_finish(r);
	KUNIT_EXPECT_EQ(test, 8, end.len);
	KUNIT_EXPECT_MEMEQ(test, p->sent, end.data, 8);
	p->src->len = 2 * LEN;
	p->dst->len = 2 * LEN;
}

/* Rule: of a transaction that takes several descriptors the last carries it. */
static void many_pieces(struct kunit *test)
{
	struct meta_pair *p = pair_init(ldk_fake_pieces(test, 128), 20 * 128);
	struct ldk_xfer *r = receive_meta(p, 16), *t = send_meta(p, 16);

	ldk_finish(t);
	ldk_finish(r);
	expect_got(p, 16, 0);
	ldk_expect_moved(p->dut, p->dst, p->src);
}

/* Rule: as above: nothing comes with what is not the last. */
static void metadata_once(struct kunit *test)
{
	struct meta_pair *p = pair_init(ldk_fake_pieces(test, 128), 256);
	struct ldk_xfer *t = send_meta(p, 16);
	struct engine_end end;

	p->dst->len = 128;
	ldk_finish(receive_engine(p, &end));
	KUNIT_EXPECT_EQ(test, 0, end.len);
	ldk_finish(receive_engine(p, &end));
	KUNIT_EXPECT_EQ(test, 16, end.len);
	ldk_finish(t);
	p->dst->len = 256;
}

/* Rule: misuse is told, nothing is lost by it, and the channel goes on. */
static void misuse(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, LEN);
	struct ldk_xfer *t = ldk_xfers(p->dut, p->tx, 1), *r;
	struct dma_async_tx_descriptor *tx = prep_tx(p);
	size_t len, max;

	KUNIT_EXPECT_EQ(test, -EINVAL,
			dmaengine_desc_attach_metadata(tx, NULL, 4));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dmaengine_desc_attach_metadata(tx, p->sent, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dmaengine_desc_attach_metadata(tx, p->sent, 17));
	KUNIT_EXPECT_EQ(test, 0,
			dmaengine_desc_attach_metadata(tx, p->sent, 16));
	/* The modes are not to be mixed (client.rst). */
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_desc_set_metadata_len(tx, 4));
	KUNIT_EXPECT_EQ(test, -EINVAL, PTR_ERR_OR_ZERO
			(dmaengine_desc_get_metadata_ptr(tx, &len, &max)));
	ldk_hold(p->tx);
	ldk_start(t, tx);
	KUNIT_EXPECT_EQ(test, -EBUSY,
			dmaengine_desc_attach_metadata(tx, p->sent, 4));
	r = receive_meta(p, 16);
	ldk_unhold(p->tx);
	ldk_finish(t);
	ldk_finish(r);
	expect_got(p, 16, 0);
}

/* Rule: as above, with the engine's buffer. */
static void misuse_engine(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, LEN);
	struct ldk_xfer *t = ldk_xfers(p->dut, p->tx, 1), *r;
	struct dma_async_tx_descriptor *tx = prep_tx(p), *rx = prep_rx(p);
	size_t len, max;

	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_desc_set_metadata_len(tx, 17));
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_desc_set_metadata_len(rx, 4));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_set_metadata_len(tx, 0));
	KUNIT_EXPECT_EQ(test, -EINVAL,
			dmaengine_desc_attach_metadata(tx, p->sent, 4));
	ldk_hold(p->tx);
	ldk_start(t, tx);
	KUNIT_EXPECT_EQ(test, -EBUSY, dmaengine_desc_set_metadata_len(tx, 4));
	KUNIT_EXPECT_EQ(test, -EBUSY, PTR_ERR_OR_ZERO
			(dmaengine_desc_get_metadata_ptr(tx, &len, &max)));
	ldk_unhold(p->tx);
	r = ldk_begin(p->dut, rx);
	ldk_finish(t);
	ldk_finish(r);
}

/* Rule: what has no metadata says so: copies, and what is gone through often. */
static void not_for_all(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, LEN);
	struct dma_async_tx_descriptor *tx = ldk_prep_copy(p->tx, p->dst, p->src);

	KUNIT_ASSERT_NOT_NULL(test, tx);
	KUNIT_EXPECT_EQ(test, -ENOTSUPP,
			dmaengine_desc_attach_metadata(tx, p->sent, 4));
	tx = dmaengine_prep_dma_cyclic(p->rx, p->dst->dma, LEN, LEN / 3,
				       DMA_DEV_TO_MEM, DMA_PREP_INTERRUPT);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	KUNIT_EXPECT_EQ(test, -ENOTSUPP,
			dmaengine_desc_attach_metadata(tx, p->got, 4));
}

/* Rule: the buffer of what was terminated or failed is not written any more. */
static void not_after_the_end(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, LEN);
	struct ldk_xfer *r;

	receive_meta(p, 16);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(p->rx));
	expect_got(p, 0, 0);

	ldk_fail(p->rx, 1, DMA_TRANS_WRITE_FAILED, 0);
	r = receive_meta(p, 16);
	ldk_finish(send_meta(p, 16));
	ldk_finish_failed(r, DMA_TRANS_WRITE_FAILED, LEN);
	expect_got(p, 0, 0);
	/* It goes with the data, which is still to be received. */
	ldk_finish(receive_meta(p, 16));
	expect_got(p, 16, 0);
}

/*
 * Rule: a descriptor that is used again sends what the buffer has now, and does
 * not receive what it received before.
 */
static void reused(struct kunit *test)
{
	struct meta_pair *p = pair_init(test->priv, LEN);
	struct dma_async_tx_descriptor *tx = prep_tx(p), *rx = prep_rx(p);
	struct ldk_xfer *r;
	int i;

	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_set_reuse(tx));
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_set_reuse(rx));
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_attach_metadata(tx, p->sent, 9));
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_attach_metadata(rx, p->got, 16));
	for (i = 0; i < 3; i++) {
		p->sent[8]++;
		r = ldk_begin(p->dut, rx);
		ldk_do(p->dut, tx);
		ldk_finish(r);
		expect_got(p, 9, 7);
	}
	r = ldk_begin(p->dut, rx);
	ldk_do(p->dut, prep_tx(p));
	ldk_finish(r);
	expect_got(p, 0, 16);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(tx));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(rx));
}

static struct kunit_case metadata_cases[] = {
	KUNIT_CASE(told),
	KUNIT_CASE(told_without),
	KUNIT_CASE(client),
	KUNIT_CASE(client_shorter),
	KUNIT_CASE(client_polls),
	KUNIT_CASE(engine),
	KUNIT_CASE(none_sent),
	KUNIT_CASE(with_the_last_byte),
	KUNIT_CASE(many_pieces),
	KUNIT_CASE(metadata_once),
	KUNIT_CASE(misuse),
	KUNIT_CASE(misuse_engine),
	KUNIT_CASE(not_for_all),
	KUNIT_CASE(not_after_the_end),
	KUNIT_CASE(reused),
	{ }
};

LDK_SUITE("loopdma_metadata", metadata_cases);
