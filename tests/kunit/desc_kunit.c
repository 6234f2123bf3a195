// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_desc: limits, descriptor encoding and decoding.
 *
 * Pure functions; what they must encode is in Documentation/hardware.rst,
 * sections on capabilities, descriptors and statuses.
 */
#include <linux/bitfield.h>
#include <linux/limits.h>
#include <linux/sizes.h>
#include <kunit/test.h>

#include "loopdma.h"

static const struct loopdma_limits good_limits = {
	.max_len = SZ_1M,
	.fifo_depth = SZ_4K,
	.fifo_burst = 256,
	.fifo_widths = 0x1f,
	.copy_align = 0,
	.addr_bits = 64,
	.ring_min = 1,
	.ring_max = 16,
	.channels = 8,
	.caps = LOOPDMA_CAPS_COPY | LOOPDMA_CAPS_LOOPBACK,
};

/* Rule: what hardware.rst allows is accepted. */
static void limits_good(struct kunit *test)
{
	const char *why = NULL;

	KUNIT_EXPECT_EQ(test, 0, loopdma_limits_check(&good_limits, &why));
}

/* Rule: XOR_LIMITS.SOURCES is 1 to 16, with XOR or PQ (hardware.rst). */
static void limits_sources(struct kunit *test)
{
	struct loopdma_limits lim = good_limits;
	const char *why = NULL;

	lim.caps |= LOOPDMA_CAPS_XOR | LOOPDMA_CAPS_PQ;
	lim.max_sources = 1;
	KUNIT_EXPECT_EQ(test, 0, loopdma_limits_check(&lim, &why));
	lim.max_sources = LOOPDMA_MAX_SOURCES;
	KUNIT_EXPECT_EQ(test, 0, loopdma_limits_check(&lim, &why));
}

/* Rule: the FIFO registers mean nothing without the capability (hardware.rst). */
static void limits_no_loopback(struct kunit *test)
{
	struct loopdma_limits lim = good_limits;
	const char *why = NULL;

	lim.caps = LOOPDMA_CAPS_COPY;
	lim.fifo_depth = 0;
	lim.fifo_widths = 0;
	lim.fifo_burst = 0;
	KUNIT_EXPECT_EQ(test, 0, loopdma_limits_check(&lim, &why));
}

struct bad_limits {
	const char *name;
	struct loopdma_limits lim;
};

#define CAPS	(LOOPDMA_CAPS_COPY | LOOPDMA_CAPS_LOOPBACK)

/* Each is good but for one value, in the order of struct loopdma_limits. */
static const struct bad_limits bad_limits[] = {
	{ "no copy",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 64, 1, 16, 8, LOOPDMA_CAPS_LOOPBACK } },
	{ "no channel",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 64, 1, 16, 0, CAPS } },
	{ "33 channels",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 64, 1, 16, 33, CAPS } },
	{ "ring of one",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 64, 0, 16, 8, CAPS } },
	{ "smallest ring above largest",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 64, 17, 16, 8, CAPS } },
	{ "largest ring below smallest",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 64, 1, 0, 8, CAPS } },
	{ "ring of 2^17",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 64, 1, 17, 8, CAPS } },
	{ "ring of 2^255",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 64, 1, 255, 8, CAPS } },
	{ "31 address bits",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 31, 1, 16, 8, CAPS } },
	{ "65 address bits",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 65, 1, 16, 8, CAPS } },
	{ "0 address bits",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 0, 1, 16, 8, CAPS } },
	{ "alignment beyond a page",
	  { SZ_1M, SZ_4K, 256, 0x1f, 13, 64, 1, 16, 8, CAPS } },
	{ "alignment of 2^255",
	  { SZ_1M, SZ_4K, 256, 0x1f, 255, 64, 1, 16, 8, CAPS } },
	{ "no length",
	  { 0, SZ_4K, 256, 0x1f, 0, 64, 1, 16, 8, CAPS } },
	{ "length below an element",
	  { 127, SZ_4K, 256, 0x1f, 0, 64, 1, 16, 8, CAPS } },
	{ "no FIFO",
	  { SZ_1M, 0, 256, 0x1f, 0, 64, 1, 16, 8, CAPS } },
	{ "FIFO no power of two",
	  { SZ_1M, 4095, 256, 0x1f, 0, 64, 1, 16, 8, CAPS } },
	{ "no element width",
	  { SZ_1M, SZ_4K, 256, 0, 0, 64, 1, 16, 8, CAPS } },
	{ "no burst",
	  { SZ_1M, SZ_4K, 0, 0x1f, 0, 64, 1, 16, 8, CAPS } },
	{ "no source",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 64, 1, 16, 8,
	    CAPS | LOOPDMA_CAPS_XOR, 0 } },
	{ "17 sources",
	  { SZ_1M, SZ_4K, 256, 0x1f, 0, 64, 1, 16, 8,
	    CAPS | LOOPDMA_CAPS_PQ, 17 } },
};

KUNIT_ARRAY_PARAM_DESC(bad_limits, bad_limits, name);

/*
 * Rule: values that the device wrote are checked before they are used; each
 * of these would make the driver shift, divide or allocate wrongly.
 */
static void limits_bad(struct kunit *test)
{
	const struct bad_limits *bad = test->param_value;
	const char *why = NULL;

	KUNIT_EXPECT_EQ(test, -ENODEV, loopdma_limits_check(&bad->lim, &why));
	KUNIT_EXPECT_NOT_NULL(test, why);
}

/* Rule: a length below the alignment leaves nothing to copy (hardware.rst). */
static void limits_length_below_alignment(struct kunit *test)
{
	struct loopdma_limits lim = good_limits;
	const char *why = NULL;

	lim.copy_align = 12;
	lim.max_len = 4095;
	KUNIT_EXPECT_EQ(test, -ENODEV, loopdma_limits_check(&lim, &why));
	lim.max_len = 4096;
	KUNIT_EXPECT_EQ(test, 0, loopdma_limits_check(&lim, &why));
}

/*
 * Rule: a descriptor moves at most MAX_LEN bytes, and whole units of them
 * (hardware.rst); otherwise the piece behind it would be unaligned.
 */
static void max_piece(struct kunit *test)
{
	struct loopdma_limits lim = good_limits;

	lim.max_len = 1000;
	KUNIT_EXPECT_EQ(test, 1000, loopdma_limits_max_piece(&lim, 1));
	KUNIT_EXPECT_EQ(test, 1000, loopdma_limits_max_piece(&lim, 8));
	KUNIT_EXPECT_EQ(test, 992, loopdma_limits_max_piece(&lim, 16));
	KUNIT_EXPECT_EQ(test, 960, loopdma_limits_max_piece(&lim, 64));
	lim.max_len = U32_MAX;
	KUNIT_EXPECT_EQ(test, 0xffffff80, loopdma_limits_max_piece(&lim, 128));
}

/* Rule: no byte of a transfer is beyond COPY_LIMITS.ADDR_BITS (hardware.rst). */
static void addr_within_width(struct kunit *test)
{
	struct loopdma_limits lim = good_limits;

	lim.addr_bits = 32;
	KUNIT_EXPECT_TRUE(test, loopdma_addr_ok(&lim, 0, 1));
	KUNIT_EXPECT_TRUE(test, loopdma_addr_ok(&lim, 0xffffffff, 1));
	KUNIT_EXPECT_TRUE(test, loopdma_addr_ok(&lim, 0xfffff000, 0x1000));
	KUNIT_EXPECT_FALSE(test, loopdma_addr_ok(&lim, 0xfffff000, 0x1001));
	KUNIT_EXPECT_FALSE(test, loopdma_addr_ok(&lim, 0x100000000ULL, 1));
	KUNIT_EXPECT_FALSE(test, loopdma_addr_ok(&lim, 1ULL << 63, 1));
}

/* Rule: as above; an end that wraps around is no end. */
static void addr_wraps(struct kunit *test)
{
	u64 top = ~0ULL - 15;

	KUNIT_EXPECT_TRUE(test, loopdma_addr_ok(&good_limits, top, 16));
	KUNIT_EXPECT_FALSE(test, loopdma_addr_ok(&good_limits, top, 17));
	KUNIT_EXPECT_FALSE(test, loopdma_addr_ok(&good_limits, top, SZ_1G));
}

/* Rule: a length of zero is not a transfer (hardware.rst: LENGTH). */
static void copy_zero(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, loopdma_copy_ok(&good_limits, 0x1000, 0x2000, 0));
	KUNIT_EXPECT_TRUE(test, loopdma_copy_ok(&good_limits, 0x1000, 0x2000, 1));
}

/* Rule: the residue, 32 bits, must be able to tell the length (dmaengine.h). */
static void copy_too_long(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, loopdma_copy_ok(&good_limits, 0, 0, U32_MAX));
	KUNIT_EXPECT_FALSE(test, loopdma_copy_ok(&good_limits, 0, 0,
						 (size_t)U32_MAX + 1));
}

/* Rule: a buffer that is another one does not overlap with it in part. */
static void overlaps(struct kunit *test)
{
	KUNIT_EXPECT_FALSE(test, loopdma_overlap(0x1000, 0x1000, 64));
	KUNIT_EXPECT_TRUE(test, loopdma_overlap(0x1000, 0x1001, 64));
	KUNIT_EXPECT_TRUE(test, loopdma_overlap(0x1001, 0x1000, 64));
	KUNIT_EXPECT_TRUE(test, loopdma_overlap(0x1000, 0x103f, 64));
	KUNIT_EXPECT_FALSE(test, loopdma_overlap(0x1000, 0x1040, 64));
	KUNIT_EXPECT_FALSE(test, loopdma_overlap(0x1040, 0x1000, 64));
	KUNIT_EXPECT_FALSE(test, loopdma_overlap(0, ~0ULL, 64));
}

/* Rule: both addresses of a copy count, not only one (hardware.rst). */
static void copy_beyond_width(struct kunit *test)
{
	struct loopdma_limits lim = good_limits;

	lim.addr_bits = 36;
	KUNIT_EXPECT_TRUE(test, loopdma_copy_ok(&lim, 0x1000, 0x2000, 16));
	KUNIT_EXPECT_FALSE(test, loopdma_copy_ok(&lim, 1ULL << 36, 0x2000, 16));
	KUNIT_EXPECT_FALSE(test, loopdma_copy_ok(&lim, 0x1000, 1ULL << 36, 16));
}

static const unsigned int aligns[] = { 0, 1, 2, 3, 4, 5, 6, 12 };

static void align_desc(const unsigned int *align, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "align %u", *align);
}

KUNIT_ARRAY_PARAM(aligns, aligns, align_desc);

/*
 * Rule: copy_align is a shift, and it binds destination, source and length
 * alike (dmaengine.h, dmaengine_check_align()).
 */
static void copy_alignment(struct kunit *test)
{
	unsigned int align = *(const unsigned int *)test->param_value;
	struct loopdma_limits lim = good_limits;
	unsigned int step = BIT(align), i, j, k, bad = 0;

	lim.copy_align = align;
	for (i = 0; i <= 2 * step; i += max(step / 2, 1U))
		for (j = 0; j <= 2 * step; j += max(step / 2, 1U))
			for (k = step / 2; k <= 2 * step; k += max(step / 2, 1U))
				bad += loopdma_copy_ok(&lim, 0x10000 + i,
						       0x20000 + j, k) !=
				       (k && !((i | j | k) % step));
	KUNIT_EXPECT_EQ(test, 0, bad);
}

static const unsigned int widths[] = { 1, 2, 4, 8, 16 };

static void width_desc(const unsigned int *width, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bytes", *width);
}

KUNIT_ARRAY_PARAM(widths, widths, width_desc);

/* Rule: PERIPH.WIDTH is the log2, PERIPH.BURST the elements (hardware.rst). */
static void periph_encode(struct kunit *test)
{
	unsigned int width = *(const unsigned int *)test->param_value;
	u32 periph = 0;

	KUNIT_ASSERT_EQ(test, 0, loopdma_periph_encode(&good_limits, width, 16,
						       &periph));
	KUNIT_EXPECT_EQ(test, 0x00100000 | ilog2(width), periph);
	KUNIT_EXPECT_EQ(test, width, loopdma_periph_width(periph));
}

/* Rule: a maxburst of 0 is what a client leaves that does not care: 1. */
static void periph_burst_zero(struct kunit *test)
{
	u32 zero = 0, one = 1;

	KUNIT_EXPECT_EQ(test, 0, loopdma_periph_encode(&good_limits, 4, 0,
						       &zero));
	KUNIT_EXPECT_EQ(test, 0, loopdma_periph_encode(&good_limits, 4, 1,
						       &one));
	KUNIT_EXPECT_EQ(test, one, zero);
}

/*
 * Rule: a burst is within FIFO_LIMITS.BURST, and within half of the FIFO, so
 * that two peers cannot wait for each other for ever (hardware.rst, flow
 * control).
 */
static void periph_burst_limits(struct kunit *test)
{
	struct loopdma_limits lim = good_limits;
	u32 periph;

	KUNIT_EXPECT_EQ(test, 0, loopdma_periph_encode(&lim, 8, 256, &periph));
	KUNIT_EXPECT_EQ(test, 0, loopdma_periph_encode(&lim, 1, 256, &periph));
	KUNIT_EXPECT_EQ(test, -EINVAL, loopdma_periph_encode(&lim, 1, 257,
							     &periph));
	KUNIT_EXPECT_EQ(test, 0, loopdma_periph_encode(&lim, 16, 128, &periph));
	KUNIT_EXPECT_EQ(test, -EINVAL, loopdma_periph_encode(&lim, 16, 129,
							     &periph));
	/* 2^28 elements of 16 bytes are zero bytes in 32 bits. */
	lim.fifo_burst = U16_MAX;
	KUNIT_EXPECT_EQ(test, -EINVAL, loopdma_periph_encode(&lim, 16, BIT(28),
							     &periph));
}

/* Rule: only widths in FIFO_LIMITS.WIDTHS exist; 3 is in dmaengine.h, too. */
static void periph_width_limits(struct kunit *test)
{
	static const int bad[] = { -1, 0, 3, 5, 32, 64, 128, 256, 1 << 30 };
	struct loopdma_limits lim = good_limits;
	u32 periph;
	int i;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		KUNIT_EXPECT_EQ_MSG(test, -EINVAL,
				    loopdma_periph_encode(&lim, bad[i], 1,
							  &periph),
				    "width %d", bad[i]);
	lim.fifo_widths = BIT(2);
	KUNIT_EXPECT_EQ(test, 0, loopdma_periph_encode(&lim, 4, 1, &periph));
	KUNIT_EXPECT_EQ(test, -EINVAL, loopdma_periph_encode(&lim, 2, 1,
							     &periph));
	KUNIT_EXPECT_EQ(test, -EINVAL, loopdma_periph_encode(&lim, 8, 1,
							     &periph));
}

/* Rule: address and length are multiples of the element (hardware.rst). */
static void segment_alignment(struct kunit *test)
{
	unsigned int width = *(const unsigned int *)test->param_value;
	unsigned int at, len, bad = 0;
	u32 periph;

	KUNIT_ASSERT_EQ(test, 0, loopdma_periph_encode(&good_limits, width, 1,
						       &periph));
	for (at = 0; at <= 2 * width; at++)
		for (len = 0; len <= 2 * width; len++)
			bad += loopdma_seg_ok(&good_limits, periph, SZ_4K + at,
					      len) !=
			       (len && !(at % width) && !(len % width));
	KUNIT_EXPECT_EQ(test, 0, bad);
}

/* Rule: no byte of a segment is beyond the address width (hardware.rst). */
static void segment_beyond_width(struct kunit *test)
{
	struct loopdma_limits lim = good_limits;

	lim.addr_bits = 32;
	KUNIT_EXPECT_TRUE(test, loopdma_seg_ok(&lim, 0, 0xfffffff0, 16));
	KUNIT_EXPECT_FALSE(test, loopdma_seg_ok(&lim, 0, 0xfffffff0, 17));
	KUNIT_EXPECT_FALSE(test, loopdma_seg_ok(&lim, 0, 0,
						(size_t)U32_MAX + 2));
}

/* Rule: bit n of src_addr_widths stands for n bytes (dmaengine.h). */
static void widths_advertised(struct kunit *test)
{
	struct loopdma_limits lim = good_limits;

	KUNIT_EXPECT_EQ(test, BIT(1) | BIT(2) | BIT(4) | BIT(8) | BIT(16),
			loopdma_widths_mask(&lim));
	lim.fifo_widths = BIT(3) | BIT(1);
	KUNIT_EXPECT_EQ(test, BIT(8) | BIT(2), loopdma_widths_mask(&lim));
	/* 32 bytes and more do not fit into the 32-bit mask. */
	lim.fifo_widths = 0xe0;
	KUNIT_EXPECT_EQ(test, 0, loopdma_widths_mask(&lim));
}

/* Rule: what is advertised works in any combination (provider.rst). */
static void burst_advertised(struct kunit *test)
{
	struct loopdma_limits lim = good_limits;
	u32 order, burst, periph;

	for (lim.fifo_depth = 1; lim.fifo_depth <= 8192; lim.fifo_depth *= 2) {
		burst = loopdma_limits_max_burst(&lim);
		for (order = 0; order <= 4; order++)
			if (loopdma_widths_mask(&lim) & BIT(BIT(order)))
				KUNIT_EXPECT_EQ(test, 0,
						loopdma_periph_encode(&lim,
								      BIT(order),
								      burst,
								      &periph));
			else
				KUNIT_EXPECT_EQ(test, -EINVAL,
						loopdma_periph_encode(&lim,
								      BIT(order),
								      1, &periph));
	}
	KUNIT_EXPECT_EQ(test, 256, burst);
	lim.fifo_depth = 4096;
	KUNIT_EXPECT_EQ(test, 128, loopdma_limits_max_burst(&lim));
}

/* An entry that was used before, and everything in it set. */
static struct loopdma_hw_desc *used_desc(struct kunit *test)
{
	struct loopdma_hw_desc *hw = kunit_kmalloc(test, sizeof(*hw),
						   GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, hw);
	memset(hw, 0xff, sizeof(*hw));
	return hw;
}

/*
 * Rule: the layout of a descriptor is that of hardware.rst, little endian on
 * any machine.  Compared byte by byte, so that no accessor of the driver and
 * no structure can agree with itself about a mistake.
 */
static void expect_bytes(struct kunit *test, const struct loopdma_hw_desc *hw,
			 const u8 *want, size_t n)
{
	u8 bytes[LOOPDMA_DESC_SIZE] = { };

	memcpy(bytes, want, n);
	KUNIT_EXPECT_MEMEQ(test, (const u8 *)hw, bytes, LOOPDMA_DESC_SIZE);
}

/* Rule: NOP has an opcode and flags, all else zero (hardware.rst). */
static void encode_nop(struct kunit *test)
{
	static const u8 want[] = { 1, 1 };
	struct loopdma_hw_desc *hw = used_desc(test);

	loopdma_desc_nop(hw, LOOPDMA_CTRL_INT);
	expect_bytes(test, hw, want, sizeof(want));
}

/* Rule: COPY has length, source and destination; periph is zero. */
static void encode_copy(struct kunit *test)
{
	static const u8 want[] = {
		2, 3, 0, 0,	0x78, 0x56, 0x34, 0x12,
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11,
	};
	struct loopdma_hw_desc *hw = used_desc(test);

	loopdma_desc_copy(hw, 0x1112131415161718ULL, 0x0102030405060708ULL,
			  0x12345678, LOOPDMA_CTRL_INT | LOOPDMA_CTRL_CHAIN);
	expect_bytes(test, hw, want, sizeof(want));
}

/* Rule: TX reads memory: the destination is reserved and so zero. */
static void encode_tx(struct kunit *test)
{
	static const u8 want[] = {
		3, 2, 0, 0,	0x00, 0x10, 0, 0,
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		0, 0, 0, 0, 0, 0, 0, 0,
		2, 0, 0x20, 0,
	};
	struct loopdma_hw_desc *hw = used_desc(test);

	loopdma_desc_tx(hw, 0x0102030405060708ULL, 0x1000, 0x00200002,
			LOOPDMA_CTRL_CHAIN);
	expect_bytes(test, hw, want, sizeof(want));
}

/* Rule: RX writes memory: the source is reserved and so zero. */
static void encode_rx(struct kunit *test)
{
	static const u8 want[] = {
		4, 0, 0, 0,	0x00, 0x10, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0,
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		3, 0, 1, 0,
	};
	struct loopdma_hw_desc *hw = used_desc(test);

	loopdma_desc_rx(hw, 0x0102030405060708ULL, 0x1000, 0x00010003, 0);
	expect_bytes(test, hw, want, sizeof(want));
}

/* Rule: a fill reads nothing; its byte is in arg (hardware.rst). */
static void encode_fill(struct kunit *test)
{
	static const u8 want[LOOPDMA_DESC_SIZE] = {
		5, 1, 0, 0, 0, 0x10, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0,
		0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		0, 0, 0, 0, 0xa5, 0, 0, 0,
	};
	struct loopdma_hw_desc *hw = used_desc(test);

	loopdma_desc_fill(hw, 0x0102030405060708ULL, 0x1000, 0xa5,
			  LOOPDMA_CTRL_INT);
	expect_bytes(test, hw, want, sizeof(want));
}

/*
 * Rule: a piece of a PQ has its own addresses of P and Q, the list of the whole
 * and its offset from there (hardware.rst).
 */
static void encode_pq(struct kunit *test)
{
	static const struct loopdma_raid par = {
		.sources_dma = 0x0102030405060700ULL,
		.p = 0x1111111111110000ULL,
		.q = 0x2222222222220000ULL,
		.arg = 7,
	};
	static const u8 want[LOOPDMA_DESC_SIZE] = {
		8, 2, 0, 0, 0, 0x10, 0, 0,
		0x00, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01,
		0x30, 0x00, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
		0, 0, 0, 0, 7, 0, 0, 0,
		0x30, 0x00, 0x22, 0x22, 0x22, 0x22, 0x22, 0x22,
		0x30, 0x00, 0, 0, 0, 0, 0, 0,
	};
	struct loopdma_hw_desc *hw = used_desc(test);

	loopdma_desc_raid(hw, LOOPDMA_OP_PQ, &par, 0x30, 0x1000,
			  LOOPDMA_CTRL_CHAIN);
	expect_bytes(test, hw, want, sizeof(want));
}

/* Rule: what an opcode does not use, or is told to leave out, is 0. */
static void encode_parity_unused(struct kunit *test)
{
	struct loopdma_raid par = {
		.sources_dma = 0x1000, .p = 0x2000, .q = 0x3000, .arg = 2,
	};
	struct loopdma_hw_desc *hw = used_desc(test);

	loopdma_desc_raid(hw, LOOPDMA_OP_XOR, &par, 0, 64, 0);
	KUNIT_EXPECT_EQ(test, 0x2000, le64_to_cpu(hw->dst));
	KUNIT_EXPECT_EQ(test, 0, le64_to_cpu(hw->dst2));
	loopdma_desc_raid(hw, LOOPDMA_OP_XOR_CHECK, &par, 0, 64, 0);
	KUNIT_EXPECT_EQ(test, 0, le64_to_cpu(hw->dst));
	KUNIT_EXPECT_EQ(test, 0, le64_to_cpu(hw->dst2));
	par.arg = 2 | LOOPDMA_ARG_NO_P;
	loopdma_desc_raid(hw, LOOPDMA_OP_PQ_CHECK, &par, 0, 64, 0);
	KUNIT_EXPECT_EQ(test, 0, le64_to_cpu(hw->dst));
	KUNIT_EXPECT_EQ(test, 0x3000, le64_to_cpu(hw->dst2));
	par.arg = 2 | LOOPDMA_ARG_NO_Q;
	loopdma_desc_raid(hw, LOOPDMA_OP_PQ, &par, 64, 64, 0);
	KUNIT_EXPECT_EQ(test, 0x2040, le64_to_cpu(hw->dst));
	KUNIT_EXPECT_EQ(test, 0, le64_to_cpu(hw->dst2));
}

/*
 * Rule: an entry of the ring that is used again does not carry the outcome of
 * its last use (hardware.rst): it would look retired.
 */
static void encode_clears_outcome(struct kunit *test)
{
	struct loopdma_hw_desc *hw = used_desc(test);

	loopdma_desc_copy(hw, 0x1000, 0x2000, 64, 0);
	KUNIT_EXPECT_EQ(test, LOOPDMA_ST_PENDING, loopdma_desc_status(hw));
	KUNIT_EXPECT_EQ(test, 0, le32_to_cpu(hw->residue));
	KUNIT_EXPECT_EQ(test, 0, le64_to_cpu(hw->fault_addr));
	KUNIT_EXPECT_EQ(test, 64, loopdma_desc_len(hw));
}

struct outcome {
	u32 status;
	enum dmaengine_tx_result result;
};

static const struct outcome outcomes[] = {
	{ LOOPDMA_ST_OK,	DMA_TRANS_NOERROR },
	{ LOOPDMA_ST_OPCODE,	DMA_TRANS_ABORTED },
	{ LOOPDMA_ST_RESERVED,	DMA_TRANS_ABORTED },
	{ LOOPDMA_ST_LENGTH,	DMA_TRANS_ABORTED },
	{ LOOPDMA_ST_ALIGN,	DMA_TRANS_ABORTED },
	{ LOOPDMA_ST_READ,	DMA_TRANS_READ_FAILED },
	{ LOOPDMA_ST_WRITE,	DMA_TRANS_WRITE_FAILED },
	{ LOOPDMA_ST_PERIPH,	DMA_TRANS_ABORTED },
	{ LOOPDMA_ST_ABORTED,	DMA_TRANS_ABORTED },
	{ LOOPDMA_ST_SKIPPED,	DMA_TRANS_ABORTED },
	{ LOOPDMA_ST_ARG,	DMA_TRANS_ABORTED },
	{ LOOPDMA_ST_DATA,	DMA_TRANS_WRITE_FAILED },
	/* A check that found something was successful, so was metadata. */
	{ 0x301,		DMA_TRANS_NOERROR },
	{ 0x100001,		DMA_TRANS_NOERROR },
	/* Not defined: anything but success. */
	{ LOOPDMA_ST_PENDING,	DMA_TRANS_ABORTED },
	{ 13,			DMA_TRANS_ABORTED },
	{ 0x401,		DMA_TRANS_ABORTED },
	{ 0x80000001,		DMA_TRANS_ABORTED },
	{ U32_MAX,		DMA_TRANS_ABORTED },
};

static void outcome_desc(const struct outcome *outcome, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "status %#x", outcome->status);
}

KUNIT_ARRAY_PARAM(outcomes, outcomes, outcome_desc);

/*
 * Rule: the client can tell a fault of its source from one of its destination
 * (dmaengine.h, enum dmaengine_tx_result), and only OK is success.
 */
static void decode_result(struct kunit *test)
{
	const struct outcome *outcome = test->param_value;
	struct loopdma_hw_desc *hw = used_desc(test);
	u32 residue = 0;

	loopdma_desc_copy(hw, 0x1000, 0x2000, 64, 0);
	hw->status = cpu_to_le32(outcome->status);
	hw->residue = cpu_to_le32(16);
	KUNIT_EXPECT_EQ(test, outcome->result,
			loopdma_desc_result(hw, &residue));
	KUNIT_EXPECT_EQ(test, outcome->result == DMA_TRANS_NOERROR ? 0 : 16,
			residue);
}

/* Rule: what a check has found, as enum sum_check_flags has it (dmaengine.h). */
static void decode_wrong(struct kunit *test)
{
	struct loopdma_hw_desc *hw = used_desc(test);

	hw->status = cpu_to_le32(LOOPDMA_ST_OK);
	KUNIT_EXPECT_EQ(test, 0, loopdma_desc_mismatch(hw));
	hw->status = cpu_to_le32(LOOPDMA_ST_OK | LOOPDMA_STATUS_P_WRONG);
	KUNIT_EXPECT_EQ(test, SUM_CHECK_P_RESULT, loopdma_desc_mismatch(hw));
	hw->status = cpu_to_le32(LOOPDMA_ST_OK | LOOPDMA_STATUS_Q_WRONG);
	KUNIT_EXPECT_EQ(test, SUM_CHECK_Q_RESULT, loopdma_desc_mismatch(hw));
}

/* Rule: TX carries its metadata in the descriptor, which is else as without. */
static void encode_meta(struct kunit *test)
{
	static const u8 meta[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9 };
	struct loopdma_hw_desc *hw = used_desc(test), *plain = used_desc(test);

	loopdma_desc_tx(plain, 0x1000, 64, 2, LOOPDMA_CTRL_INT);
	loopdma_desc_tx(hw, 0x1000, 64, 2, LOOPDMA_CTRL_INT);
	loopdma_desc_send_meta(hw, meta, sizeof(meta));
	KUNIT_EXPECT_EQ(test, sizeof(meta), le32_to_cpu(hw->arg));
	KUNIT_EXPECT_MEMEQ(test, meta, hw->meta, sizeof(meta));
	KUNIT_EXPECT_EQ(test, 0, hw->meta[sizeof(meta)]);
	hw->arg = 0;
	memset(hw->meta, 0, sizeof(hw->meta));
	KUNIT_EXPECT_MEMEQ(test, plain, hw, sizeof(*hw));

	loopdma_desc_rx(hw, 0x1000, 64, 2, 0);
	loopdma_desc_want_meta(hw);
	KUNIT_EXPECT_EQ(test, LOOPDMA_ARG_META, le32_to_cpu(hw->arg));
}

/* Rule: there is metadata as the status says, however much that claims to be. */
static void decode_meta(struct kunit *test)
{
	struct loopdma_hw_desc *hw = used_desc(test);
	u8 meta[LOOPDMA_META_SIZE] = { };

	memset(hw->meta, 0x5a, sizeof(hw->meta));
	hw->status = cpu_to_le32(LOOPDMA_ST_OK);
	KUNIT_EXPECT_EQ(test, 0, loopdma_desc_meta(hw, meta));
	KUNIT_EXPECT_EQ(test, 0, meta[0]);
	hw->status = cpu_to_le32(LOOPDMA_ST_OK | 7 << 16);
	KUNIT_EXPECT_EQ(test, 7, loopdma_desc_meta(hw, meta));
	KUNIT_EXPECT_MEMEQ(test, hw->meta, meta, sizeof(meta));
	hw->status = cpu_to_le32(LOOPDMA_ST_OK | 0x1f << 16);
	KUNIT_EXPECT_EQ(test, LOOPDMA_META_SIZE, loopdma_desc_meta(hw, meta));
}

/* Rule: the residue is at most the length, whatever the device wrote. */
static void decode_residue_bounded(struct kunit *test)
{
	struct loopdma_hw_desc *hw = used_desc(test);
	u32 residue = 0;

	loopdma_desc_copy(hw, 0x1000, 0x2000, 64, 0);
	hw->status = cpu_to_le32(LOOPDMA_ST_READ);
	hw->residue = cpu_to_le32(65);
	loopdma_desc_result(hw, &residue);
	KUNIT_EXPECT_EQ(test, 64, residue);
	hw->residue = cpu_to_le32(U32_MAX);
	loopdma_desc_result(hw, &residue);
	KUNIT_EXPECT_EQ(test, 64, residue);
}

/* Rule: there is a name for everything, also for what is not defined. */
static void status_names(struct kunit *test)
{
	u32 i, j;

	for (i = 0; i <= LOOPDMA_ST_DATA; i++)
		for (j = 0; j < i; j++)
			KUNIT_EXPECT_STRNEQ(test, loopdma_status_name(i),
					    loopdma_status_name(j));
	KUNIT_EXPECT_STREQ(test, loopdma_status_name(LOOPDMA_ST_DATA + 1),
			   loopdma_status_name(U32_MAX));
}

static struct kunit_case desc_cases[] = {
	KUNIT_CASE(limits_good),
	KUNIT_CASE(limits_sources),
	KUNIT_CASE(limits_no_loopback),
	KUNIT_CASE_PARAM(limits_bad, bad_limits_gen_params),
	KUNIT_CASE(limits_length_below_alignment),
	KUNIT_CASE(max_piece),
	KUNIT_CASE(addr_within_width),
	KUNIT_CASE(addr_wraps),
	KUNIT_CASE(copy_zero),
	KUNIT_CASE(copy_too_long),
	KUNIT_CASE(overlaps),
	KUNIT_CASE(copy_beyond_width),
	KUNIT_CASE_PARAM(copy_alignment, aligns_gen_params),
	KUNIT_CASE_PARAM(periph_encode, widths_gen_params),
	KUNIT_CASE(periph_burst_zero),
	KUNIT_CASE(periph_burst_limits),
	KUNIT_CASE(periph_width_limits),
	KUNIT_CASE_PARAM(segment_alignment, widths_gen_params),
	KUNIT_CASE(segment_beyond_width),
	KUNIT_CASE(widths_advertised),
	KUNIT_CASE(burst_advertised),
	KUNIT_CASE(encode_nop),
	KUNIT_CASE(encode_copy),
	KUNIT_CASE(encode_tx),
	KUNIT_CASE(encode_rx),
	KUNIT_CASE(encode_fill),
	KUNIT_CASE(encode_pq),
	KUNIT_CASE(encode_parity_unused),
	KUNIT_CASE(encode_clears_outcome),
	KUNIT_CASE_PARAM(decode_result, outcomes_gen_params),
	KUNIT_CASE(decode_wrong),
	KUNIT_CASE(encode_meta),
	KUNIT_CASE(decode_meta),
	KUNIT_CASE(decode_residue_bounded),
	KUNIT_CASE(status_names),
	{ }
};

static struct kunit_suite desc_suite = {
	.name = "loopdma_desc",
	.test_cases = desc_cases,
};

kunit_test_suite(desc_suite);
