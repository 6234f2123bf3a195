// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_fill: memory is set to a value.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.
 */
#include <linux/string.h>

#include "dut.h"

#define LEN	3000

static struct dma_async_tx_descriptor *
prep_fill(struct dma_chan *chan, struct ldk_buf *dst, int value)
{
	return dmaengine_prep_dma_memset(chan, dst->dma, value, dst->len,
					 DMA_PREP_INTERRUPT);
}

/* @len bytes of @value, then @rest of what nobody has written. */
static u8 *filled(struct ldk_dut *dut, size_t len, u8 value, size_t rest)
{
	u8 *want = ldk_alloc(dut->test, len + rest);

	memset(want, value, len);
	memset(want + len, LDK_POISON_BYTE, rest);
	return want;
}

static const int values[] = { 0, 1, 0x5c, 0xff, 0x1a5, -2, INT_MIN };

LDK_DESC(values_desc, int, "%#x")
KUNIT_ARRAY_PARAM(values, values, values_desc);

/*
 * Rule: the value is a byte, whatever else is in the int (provider.rst,
 * "DMA_MEMSET").
 */
static void value_is_a_byte(struct kunit *test)
{
	int value = *(const int *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *dst = ldk_dst(dut, LEN);
	struct dma_chan *chan = ldk_request(dut);

	ldk_do(dut, prep_fill(chan, dst, value));
	ldk_expect_data(dut, dst, filled(dut, LEN, value, 0));
}

/* Rule: any length and place that fill_align allows, and nothing beside it. */
static void lengths_and_offsets(struct kunit *test)
{
	static const size_t lens[] = { 1, 2, 7, 64, 255, 4095, 4096, 4097,
				       70000 };
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	size_t align = BIT(chan->device->fill_align), len;
	struct ldk_buf *dst;
	int i;

	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		len = round_up(lens[i], align);
		dst = ldk_buf_at(dut, len, i * 3 * align, DMA_FROM_DEVICE);
		ldk_do(dut, prep_fill(chan, dst, 0x30 + i));
		ldk_expect_data(dut, dst, filled(dut, len, 0x30 + i, 0));
	}
}

/* Rule: a client need not know how much a hardware descriptor can do. */
static void long_one(struct kunit *test)
{
	size_t len = 5 * SZ_4K + 123;
	struct ldk_dut *dut = ldk_fake_pieces(test, SZ_4K);
	struct ldk_buf *dst = ldk_dst(dut, len);
	struct dma_chan *chan = ldk_request(dut);

	ldk_do(dut, prep_fill(chan, dst, 0x77));
	ldk_expect_data(dut, dst, filled(dut, len, 0x77, 0));
}

static struct dma_async_tx_descriptor *
prep_fill_sg(struct dma_chan *chan, struct scatterlist *sgl, unsigned int n,
	     int value)
{
	return chan->device->device_prep_dma_memset_sg(chan, sgl, n, value,
						       DMA_PREP_INTERRUPT);
}

static const unsigned int nents[] = { 1, 2, 6, 7, 50, 500 };

LDK_DESC(nents_desc, unsigned int, "%u entries")
KUNIT_ARRAY_PARAM(nents, nents, nents_desc);

/* Rule: all entries of the list, and nothing else (provider.rst, "MEMSET_SG"). */
static void lists(struct kunit *test)
{
	unsigned int n = *(const unsigned int *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	size_t len = 16 << chan->device->fill_align;
	struct ldk_buf *dst = ldk_dst(dut, (n + 1) * len);
	struct scatterlist *sgl = ldk_parts(dut, dst, n, len);

	ldk_do(dut, prep_fill_sg(chan, sgl, n, 0x42));
	ldk_expect_data(dut, dst, filled(dut, n * len, 0x42, len));
}

/* Rule: the residue is what was not filled, over the whole list. */
static void list_fails(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *dst = ldk_dst(dut, 5 * 64);
	struct scatterlist *sgl = ldk_parts(dut, dst, 5, 64);

	ldk_fail(chan, 3, DMA_TRANS_WRITE_FAILED, 10);
	ldk_do_failed(dut, prep_fill_sg(chan, sgl, 5, 0x42), DMA_TRANS_WRITE_FAILED,
		      5 * 64 - 138);
	ldk_expect_data(dut, dst, filled(dut, 138, 0x42, 5 * 64 - 138));
	ldk_copy_ok(dut, chan, 64);
}

/* Rule: a fault of the memory is told as what it is (dmaengine.h). */
static void fault(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	dma_addr_t bad = ldk_bad_addr(dut);
	struct dma_chan *chan = ldk_request(dut);

	ldk_do_failed(dut, dmaengine_prep_dma_memset(chan, bad, 1, 512, DMA_PREP_INTERRUPT),
		      DMA_TRANS_WRITE_FAILED, 512);
}

/* Rule: bytes_transferred counts it, memcpy_count does not (dmaengine.h). */
static void counted(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *dst = ldk_dst(dut, LEN);
	struct dma_chan *chan = ldk_request(dut);
	struct dma_chan_percpu before = ldk_counts(chan), after;

	ldk_do(dut, prep_fill(chan, dst, 1));
	after = ldk_counts(chan);
	KUNIT_EXPECT_EQ(test, LEN, after.bytes_transferred -
			before.bytes_transferred);
	KUNIT_EXPECT_EQ(test, 0, after.memcpy_count - before.memcpy_count);
}

/* Rule: whatever one transaction wrote the next one reads. */
static void in_order(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *mid = ldk_buf_at(dut, LEN, 0, DMA_BIDIRECTIONAL);
	struct ldk_buf *dst = ldk_dst(dut, LEN);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 3);

	ldk_queue(&x[0], prep_fill(chan, mid, 3));
	ldk_queue(&x[1], ldk_prep_copy(chan, dst, mid));
	ldk_start(&x[2], prep_fill(chan, mid, 4));
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[2]));
	ldk_expect_data(dut, dst, filled(dut, LEN, 3, 0));
	ldk_expect_data(dut, mid, filled(dut, LEN, 4, 0));
}

/* Rule: prep gives NULL for what it cannot do, and the channel goes on. */
static void refused(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *dst = ldk_dst(dut, 512);
	struct scatterlist *sgl = ldk_parts(dut, dst, 8, 64);
	int i;

	KUNIT_EXPECT_NULL(test, dmaengine_prep_dma_memset(chan, dst->dma, 1, 0,
							  0));
	KUNIT_EXPECT_NULL(test, dmaengine_prep_dma_memset(chan, ~(dma_addr_t)0,
							  1, 512, 0));
	KUNIT_EXPECT_NULL(test, prep_fill_sg(chan, NULL, 8, 1));
	KUNIT_EXPECT_NULL(test, prep_fill_sg(chan, sgl, 0, 1));
	/* More often than there is memory for, if it were lost. */
	sg_dma_len(&sgl[7]) = 0;
	for (i = 0; i < ldk_pool_size(chan); i++)
		KUNIT_ASSERT_NULL(test, prep_fill_sg(chan, sgl, 8, 1));

	sg_dma_len(&sgl[7]) = 64;
	ldk_do(dut, prep_fill_sg(chan, sgl, 8, 1));
	ldk_expect_data(dut, dst, filled(dut, 512, 1, 0));
}

/*
 * Descriptors, of which nothing else is made, must be as many as there were.
 * Lists would not miss a part of the pool: they find memory elsewhere.
 */
static void expect_whole_pool(struct kunit *test, struct dma_chan *chan,
			      struct ldk_buf *buf)
{
	unsigned int i;

	for (i = 0; i < ldk_pool_size(chan); i++)
		KUNIT_ASSERT_NOT_NULL(test, ldk_prep_copy(chan, buf, buf));
}

/* Rule: a list that is refused midway takes nothing from the pool. */
static void refusing_leaks_nothing(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *src = ldk_src(dut, 64), *dst = ldk_dst(dut, 512);
	struct scatterlist *sgl = ldk_parts(dut, dst, 8, 64);
	unsigned int i;

	sg_dma_len(&sgl[7]) = 0;
	for (i = 0; i < 10; i++)
		KUNIT_ASSERT_NULL(test, prep_fill_sg(chan, sgl, 8, 1));
	expect_whole_pool(test, chan, src);
}

/* Rule: what a list has taken from the pool comes back when it ends. */
static void completing_leaks_nothing(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *src = ldk_src(dut, 64), *dst = ldk_dst(dut, 512);
	struct scatterlist *sgl = ldk_parts(dut, dst, 8, 64);
	unsigned int i;

	for (i = 0; i < 10; i++)
		ldk_do(dut, prep_fill_sg(chan, sgl, 8, 1));
	/* It comes back after the callback. */
	dmaengine_synchronize(chan);
	expect_whole_pool(test, chan, src);
}

static struct kunit_case fill_cases[] = {
	KUNIT_CASE_PARAM(value_is_a_byte, values_gen_params),
	KUNIT_CASE(lengths_and_offsets),
	KUNIT_CASE(long_one),
	KUNIT_CASE_PARAM(lists, nents_gen_params),
	KUNIT_CASE(list_fails),
	KUNIT_CASE(fault),
	KUNIT_CASE(counted),
	KUNIT_CASE(in_order),
	KUNIT_CASE(refused),
	KUNIT_CASE(refusing_leaks_nothing),
	KUNIT_CASE(completing_leaks_nothing),
	{ }
};

LDK_SUITE("loopdma_fill", fill_cases);
