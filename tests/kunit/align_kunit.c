// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_align: alignment, lengths and addresses of copies.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.
 */
#include <linux/mm.h>

#include "dut.h"

static const unsigned int aligns[] = { 0, 1, 2, 3, 4, 5, 6 };

static void align_desc(const unsigned int *align, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%lu bytes", BIT(*align));
}

KUNIT_ARRAY_PARAM(aligns, aligns, align_desc);

static struct ldk_dut *aligned_fake(struct kunit *test, unsigned int align,
				    u32 max_len)
{
	struct loopdma_fake_config cfg = loopdma_fake_default;

	cfg.copy_align = align;
	cfg.max_len = max_len;
	return ldk_create_fake(test, &cfg);
}

/* Prepares, and gives back what it gets, so that the pool does not run dry. */
static bool accepts(struct dma_chan *chan, dma_addr_t dst, dma_addr_t src,
		    size_t len)
{
	struct dma_async_tx_descriptor *tx;

	tx = dmaengine_prep_dma_memcpy(chan, dst, src, len, DMA_CTRL_ACK);
	if (!tx)
		return false;
	dmaengine_submit(tx);
	dmaengine_terminate_sync(chan);
	return true;
}

/* Every offset of either address, and every length, around the alignment. */
static void accept_iff_aligned(struct ldk_dut *dut, struct dma_chan *chan)
{
	struct ldk_buf *src = ldk_src(dut, SZ_1K), *dst = ldk_dst(dut, SZ_1K);
	enum dmaengine_alignment align = chan->device->copy_align;
	unsigned int step = max(BIT(align) / 4, 1UL), top = 2 * BIT(align);
	unsigned int d, s, len;

	for (d = 0; d <= top; d += step)
		for (s = 0; s <= top; s += step)
			for (len = step; len <= top; len += step)
				KUNIT_EXPECT_EQ_MSG(dut->test,
						    dmaengine_check_align(align, d, s, len),
						    accepts(chan, dst->dma + d,
							    src->dma + s, len),
						    "dst +%u, src +%u, length %u",
						    d, s, len);
	ldk_expect_untouched(dut, dst);
}

/*
 * Rule: destination, source and length must all be aligned to 2^copy_align;
 * what is not is refused with NULL, never rounded (dmaengine.h,
 * dmaengine_check_align()).
 */
static void refuses_unaligned(struct kunit *test)
{
	unsigned int align = *(const unsigned int *)test->param_value;
	struct ldk_dut *dut = aligned_fake(test, align, SZ_1M);

	accept_iff_aligned(dut, ldk_request(dut));
}

/* Rule: as above, for the alignment of the device under test. */
static void refuses_unaligned_own(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;

	accept_iff_aligned(dut, ldk_request(dut));
}

/* Rule: copy_align is a shift, and is that of the device (provider.rst). */
static void alignment_advertised(struct kunit *test)
{
	unsigned int align = *(const unsigned int *)test->param_value;
	struct ldk_dut *dut = aligned_fake(test, align, SZ_1M);
	struct dma_chan *chan = ldk_request(dut);

	KUNIT_EXPECT_EQ(test, align, (unsigned int)chan->device->copy_align);
	KUNIT_EXPECT_TRUE(test, is_dma_copy_aligned(chan->device, BIT(align), 0,
						    BIT(align)));
}

/* Rule: what is aligned is copied, down to one unit (provider.rst). */
static void copies_units(struct kunit *test)
{
	unsigned int align = *(const unsigned int *)test->param_value;
	struct ldk_dut *dut = aligned_fake(test, align, SZ_1M);
	struct dma_chan *chan = ldk_request(dut);
	unsigned int i;

	for (i = 1; i <= 5; i++)
		ldk_copy_ok(dut, chan, i << align);
}

/* Rule: refusing takes nothing from the pool: prep can be asked for ever. */
static void refusing_leaks_nothing(struct kunit *test)
{
	struct ldk_dut *dut = aligned_fake(test, 3, SZ_1M);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *src = ldk_src(dut, 64), *dst = ldk_dst(dut, 64);
	unsigned int i;

	for (i = 0; i < 2 * ldk_pool_size(chan); i++)
		if (accepts(chan, dst->dma + 1, src->dma, 64))
			break;
	KUNIT_EXPECT_EQ(test, 2 * ldk_pool_size(chan), i);
	ldk_copy_ok(dut, chan, 64);
}

/* Rule: the smallest copy is one unit of the alignment, here of the device. */
static void length_smallest(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);

	ldk_copy_ok(dut, chan, BIT(chan->device->copy_align));
}

/*
 * Rule: a length of zero is no transfer; the API leaves it undefined, and this
 * driver refuses it (Documentation/driver.rst).
 */
static void length_zero(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *src = ldk_src(dut, 64), *dst = ldk_dst(dut, 64);

	KUNIT_EXPECT_FALSE(test, accepts(chan, dst->dma, src->dma, 0));
	ldk_expect_untouched(dut, dst);
}

/* Rule: a transfer longer than the residue can tell is refused (dmaengine.h). */
static void length_beyond_residue(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);

	KUNIT_EXPECT_FALSE(test, accepts(chan, 0, 0, (size_t)U32_MAX + 1));
}

/*
 * Rule: the longest transfer of the hardware is not the longest of the API:
 * one descriptor up to the limit, two beyond.
 */
static void length_max(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u32 unit = BIT(chan->device->copy_align);
	u32 max = round_down(ldk_max_len(dut), unit), before;

	before = ldk_descriptors(chan);
	ldk_copy_ok(dut, chan, max);
	KUNIT_EXPECT_EQ(test, 1, ldk_descriptors(chan) - before);

	before = ldk_descriptors(chan);
	ldk_copy_ok(dut, chan, max + unit);
	KUNIT_EXPECT_EQ(test, 2, ldk_descriptors(chan) - before);
}

/*
 * Rule: the pieces of a long copy are aligned themselves, also where the
 * hardware's limit is no multiple of the alignment.
 */
static void pieces_aligned(struct kunit *test)
{
	unsigned int align = *(const unsigned int *)test->param_value;
	struct ldk_dut *dut = aligned_fake(test, align, 1000);
	struct dma_chan *chan = ldk_request(dut);
	u32 piece = round_down(1000, BIT(align)), before;

	before = ldk_descriptors(chan);
	ldk_copy_ok(dut, chan, 10 * piece + BIT(align));
	KUNIT_EXPECT_EQ(test, 11, ldk_descriptors(chan) - before);
}

/* Rule: the residue of a long copy falls piece by piece (dmaengine.h). */
static void pieces_residue(struct kunit *test)
{
	struct ldk_dut *dut = aligned_fake(test, 0, SZ_1K);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, 3 * SZ_1K + 5);
	u32 before = ldk_descriptors(chan), i;

	ldk_hold(chan);
	ldk_queue_copy(x);
	KUNIT_EXPECT_EQ(test, x->dst->len, ldk_residue(x));
	dma_async_issue_pending(chan);
	for (i = 1; i <= 3; i++) {
		ldk_step(chan, 1);
		KUNIT_ASSERT_TRUE(test,
				  ldk_poll(ldk_descriptors(chan) - before == i));
		KUNIT_EXPECT_EQ(test, x->dst->len - i * SZ_1K, ldk_residue(x));
		ldk_expect_status(x, DMA_IN_PROGRESS);
	}
	ldk_step(chan, 1);
	ldk_expect_copied(x, 1);
	KUNIT_EXPECT_EQ(test, 0, ldk_residue(x));
}

/*
 * Rule: a transaction ends where it fails, with the residue of there
 * (provider.rst, DMA_RESIDUE_GRANULARITY); the pieces behind are not moved.
 */
static void pieces_failing(struct kunit *test)
{
	struct ldk_dut *dut = aligned_fake(test, 0, SZ_1K);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *src = ldk_src(dut, 3 * SZ_1K + 5);
	struct ldk_buf *dst = ldk_dst(dut, 3 * SZ_1K + 5);

	ldk_fail(chan, 2, DMA_TRANS_WRITE_FAILED, 100);
	ldk_do_failed(dut, ldk_prep_copy(chan, dst, src), DMA_TRANS_WRITE_FAILED,
		      dst->len - SZ_1K - 100);
	ldk_expect_moved_part(dut, dst, src, SZ_1K + 100);
	ldk_copy_ok(dut, chan, 3 * SZ_1K);
}

static const size_t offsets[] = { 1, 2, 3, 4, 7, 8, 15, 16, 31, 63, 64, 65 };

/* Rule: source and destination need not be aligned alike (no rule says so). */
static void relative_misalignment(struct kunit *test)
{
	struct ldk_dut *dut = aligned_fake(test, 0, SZ_1M);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *src, *dst;
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		for (j = 0; j < ARRAY_SIZE(offsets); j++) {
			src = ldk_buf_at(dut, 333, offsets[i], DMA_TO_DEVICE);
			dst = ldk_buf_at(dut, 333, offsets[j], DMA_FROM_DEVICE);
			ldk_do(dut, ldk_prep_copy(chan, dst, src));
			ldk_expect_moved(dut, dst, src);
		}
	}
}

/* Rule: a buffer is a buffer, wherever pages begin; here of the device. */
static void crosses_pages(struct kunit *test)
{
	static const size_t back[] = { 64, 128, 2048, 4032 };
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *src, *dst;
	int i;

	for (i = 0; i < ARRAY_SIZE(back); i++) {
		src = ldk_buf_at(dut, SZ_8K + 64, PAGE_SIZE - back[i],
				 DMA_TO_DEVICE);
		dst = ldk_buf_at(dut, SZ_8K + 64, back[i], DMA_FROM_DEVICE);
		ldk_do(dut, ldk_prep_copy(chan, dst, src));
		ldk_expect_moved(dut, dst, src);
	}
}

/* Rule: as above, around the 64 KiB in which the device works internally. */
static void crosses_chunks(struct kunit *test)
{
	static const size_t lengths[] = {
		SZ_64K - 64, SZ_64K, SZ_64K + 64, SZ_128K, 3 * SZ_64K + 64,
	};
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	int i;

	for (i = 0; i < ARRAY_SIZE(lengths); i++)
		ldk_copy_ok(dut, chan, lengths[i]);
}

/* Rule: all lengths are equal; here from one unit to a hundred. */
static void many_lengths(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	unsigned int i;

	for (i = 1; i <= 100; i++)
		ldk_copy_ok(dut, chan, i << chan->device->copy_align);
}

static const unsigned int widths[] = { 32, 36, 40, 48, 57, 64 };

LDK_DESC(widths_desc, unsigned int, "%u bits")
KUNIT_ARRAY_PARAM(widths, widths, widths_desc);

/*
 * Rule: the DMA mask is what the device can address (dma-api-howto.rst), and
 * an address beyond it is refused instead of being cut off.
 */
static void address_width(struct kunit *test)
{
	unsigned int bits = *(const unsigned int *)test->param_value;
	struct loopdma_fake_config cfg = loopdma_fake_default;
	u64 mask = DMA_BIT_MASK(bits);
	struct dma_chan *chan;
	struct ldk_dut *dut;

	cfg.addr_bits = bits;
	cfg.dma_offset = 0;
	dut = ldk_create_fake(test, &cfg);
	chan = ldk_request(dut);

	KUNIT_EXPECT_EQ(test, mask, dma_get_mask(dut->dev));
	KUNIT_EXPECT_TRUE(test, accepts(chan, 0, mask - 63, 64));
	KUNIT_EXPECT_TRUE(test, accepts(chan, mask - 63, 0, 64));
	KUNIT_EXPECT_FALSE(test, accepts(chan, 0, mask - 62, 64));
	KUNIT_EXPECT_FALSE(test, accepts(chan, mask - 62, 0, 64));
	KUNIT_EXPECT_FALSE(test, accepts(chan, mask, 0, 2));
	if (bits < 64)
		KUNIT_EXPECT_FALSE(test, accepts(chan, mask + 1, 0, 64));
	ldk_copy_ok(dut, chan, 64);
}

static struct kunit_case align_cases[] = {
	KUNIT_CASE_PARAM(refuses_unaligned, aligns_gen_params),
	KUNIT_CASE(refuses_unaligned_own),
	KUNIT_CASE_PARAM(alignment_advertised, aligns_gen_params),
	KUNIT_CASE_PARAM(copies_units, aligns_gen_params),
	KUNIT_CASE(refusing_leaks_nothing),
	KUNIT_CASE(length_smallest),
	KUNIT_CASE(length_zero),
	KUNIT_CASE(length_beyond_residue),
	KUNIT_CASE(length_max),
	KUNIT_CASE_PARAM(pieces_aligned, aligns_gen_params),
	KUNIT_CASE(pieces_residue),
	KUNIT_CASE(pieces_failing),
	KUNIT_CASE(relative_misalignment),
	KUNIT_CASE(crosses_pages),
	KUNIT_CASE(crosses_chunks),
	KUNIT_CASE(many_lengths),
	KUNIT_CASE_PARAM(address_width, widths_gen_params),
	{ }
};

LDK_SUITE("loopdma_align", align_cases);
