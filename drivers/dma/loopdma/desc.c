// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: limits of the hardware, descriptor encoding and decoding.
 *
 * Pure functions: no device, no lock, no allocation, any context.
 */
#include <linux/bitfield.h>
#include <linux/build_bug.h>
#include <linux/dma-mapping.h>
#include <linux/limits.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/string.h>
#include <kunit/visibility.h>

#include "loopdma.h"

static_assert(sizeof(struct loopdma_hw_desc) == LOOPDMA_DESC_SIZE);
static_assert(sizeof(struct loopdma_hw_comp) == LOOPDMA_COMP_SIZE);
static_assert(sizeof(struct loopdma_hw_sources) == LOOPDMA_SOURCES_SIZE);

/* Doorbell counts and slots work up to any power of two; this bounds memory. */
#define LOOPDMA_RING_ORDER_LIMIT	16

/* The widest element that LOOPDMA_FIFO_LIMITS can name: 2^7 bytes. */
#define LOOPDMA_MAX_WIDTH		128

/**
 * loopdma_limits_check() - are these capabilities something to work with?
 * @lim: what the device says
 * @why: set to the reason if they are not
 *
 * The values come from the device and are not trusted: everything that later
 * code shifts or divides by is bounded here.
 *
 * Return: 0, or -ENODEV with @why set.
 */
int loopdma_limits_check(const struct loopdma_limits *lim, const char **why)
{
	if (!(lim->caps & LOOPDMA_CAPS_COPY))
		*why = "no copy capability";
	else if (!lim->channels || lim->channels > LOOPDMA_MAX_CHANNELS)
		*why = "number of channels not 1 to 32";
	else if (!lim->ring_min || lim->ring_min > lim->ring_max ||
		 lim->ring_max > LOOPDMA_RING_ORDER_LIMIT)
		*why = "ring limits not within 2 to 65536 entries";
	else if (lim->addr_bits < 32 || lim->addr_bits > 64)
		*why = "address width not 32 to 64 bits";
	else if (lim->copy_align > 12)
		*why = "copy alignment above 4096 bytes";
	else if (lim->max_len < BIT(lim->copy_align) ||
		 lim->max_len < LOOPDMA_MAX_WIDTH)
		*why = "maximum length below the alignment or 128 bytes";
	else if ((lim->caps & LOOPDMA_CAPS_LOOPBACK) &&
		 (!is_power_of_2(lim->fifo_depth) || !lim->fifo_widths ||
		  !lim->fifo_burst))
		*why = "loopback without a usable FIFO";
	else if ((lim->caps & (LOOPDMA_CAPS_XOR | LOOPDMA_CAPS_PQ)) &&
		 (!lim->max_sources ||
		  lim->max_sources > LOOPDMA_MAX_SOURCES))
		*why = "number of sources not 1 to 16";
	else
		return 0;
	return -ENODEV;
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_limits_check);

/**
 * loopdma_addr_ok() - can the device address all of a piece of memory?
 * @lim: limits
 * @addr: bus address
 * @len: bytes, not zero
 *
 * Return: true if it can.
 */
bool loopdma_addr_ok(const struct loopdma_limits *lim, dma_addr_t addr,
		     size_t len)
{
	u64 last = (u64)addr + len - 1;

	return last >= addr && !(last & ~DMA_BIT_MASK(lim->addr_bits));
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_addr_ok);

/**
 * loopdma_buf_ok() - may this memory be part of a memory-to-memory operation?
 * @lim: limits
 * @addr: bus address
 * @len: bytes
 *
 * A length of zero is refused: the API leaves it undefined.  So is one that
 * the residue, 32 bits wide in struct dma_tx_state, could not tell.
 *
 * Return: true if it may.
 */
bool loopdma_buf_ok(const struct loopdma_limits *lim, dma_addr_t addr,
		    size_t len)
{
	u32 mask = BIT(lim->copy_align) - 1;

	return len && len <= U32_MAX && !((addr | len) & mask) &&
	       loopdma_addr_ok(lim, addr, len);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_buf_ok);

/**
 * loopdma_copy_ok() - may a client ask for this copy?
 * @lim: limits
 * @dst: bus address written
 * @src: bus address read
 * @len: bytes
 *
 * Return: true if it may.
 */
bool loopdma_copy_ok(const struct loopdma_limits *lim, dma_addr_t dst,
		     dma_addr_t src, size_t len)
{
	return loopdma_buf_ok(lim, dst, len) && loopdma_buf_ok(lim, src, len);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_copy_ok);

/**
 * loopdma_overlap() - do two buffers of the same length overlap partly?
 * @a: bus address of one
 * @b: bus address of the other
 * @len: bytes of each
 *
 * Return: true if they have some bytes in common but are not the same.
 */
bool loopdma_overlap(dma_addr_t a, dma_addr_t b, size_t len)
{
	return a != b && max(a, b) - min(a, b) < len;
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_overlap);

/**
 * loopdma_periph_encode() - peripheral word of a descriptor
 * @lim: limits
 * @width: element width as struct dma_slave_config has it, bytes
 * @burst: elements per burst; 0 means 1
 * @periph: set to the word
 *
 * Return: 0, or -EINVAL if the peripheral cannot do it.
 */
int loopdma_periph_encode(const struct loopdma_limits *lim,
			  enum dma_slave_buswidth width, u32 burst,
			  u32 *periph)
{
	u32 order;

	if (width <= 0 || !is_power_of_2(width))
		return -EINVAL;
	order = ilog2(width);
	burst = max(burst, 1U);
	if (order > 7 || !(lim->fifo_widths & BIT(order)) ||
	    burst > lim->fifo_burst)
		return -EINVAL;
	/*
	 * A transmitter and a receiver that both insist on more than half of
	 * the FIFO can wait for each other for ever.
	 */
	if (width > lim->fifo_depth ||
	    burst * width > max(lim->fifo_depth / 2, (u32)width))
		return -EINVAL;

	*periph = FIELD_PREP(LOOPDMA_PERIPH_WIDTH, order) |
		  FIELD_PREP(LOOPDMA_PERIPH_BURST, burst);
	return 0;
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_periph_encode);

/**
 * loopdma_periph_width() - element width in a peripheral word
 * @periph: from loopdma_periph_encode()
 *
 * Return: bytes.
 */
u32 loopdma_periph_width(u32 periph)
{
	return BIT(FIELD_GET(LOOPDMA_PERIPH_WIDTH, periph));
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_periph_width);

/**
 * loopdma_seg_ok() - may this piece of memory be part of a slave transfer?
 * @lim: limits
 * @periph: from loopdma_periph_encode()
 * @addr: bus address
 * @len: bytes
 *
 * Return: true if it may: not empty, addressable, address and length
 * multiples of the element width.
 */
bool loopdma_seg_ok(const struct loopdma_limits *lim, u32 periph,
		    dma_addr_t addr, size_t len)
{
	u32 mask = loopdma_periph_width(periph) - 1;

	return len && len <= U32_MAX && !((addr | len) & mask) &&
	       loopdma_addr_ok(lim, addr, len);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_seg_ok);

/**
 * loopdma_widths_mask() - element widths as struct dma_device tells them
 * @lim: limits
 *
 * Bit n of the result stands for n bytes, so the 32-bit field ends at 16;
 * wider elements work but cannot be advertised.
 *
 * Return: mask for src_addr_widths and dst_addr_widths.
 */
u32 loopdma_widths_mask(const struct loopdma_limits *lim)
{
	u32 order, mask = 0;

	for (order = 0; order <= ilog2(DMA_SLAVE_BUSWIDTH_16_BYTES); order++)
		if ((lim->fifo_widths & BIT(order)) &&
		    BIT(order) <= lim->fifo_depth)
			mask |= BIT(BIT(order));
	return mask;
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_widths_mask);

/**
 * loopdma_limits_max_burst() - largest burst as struct dma_device tells it
 * @lim: limits
 *
 * struct dma_device has one for all widths, so it is what the widest element
 * that is advertised can do; with narrower ones larger bursts work.
 *
 * Return: elements, at least 1.
 */
u32 loopdma_limits_max_burst(const struct loopdma_limits *lim)
{
	u32 widest = max(fls(loopdma_widths_mask(lim)) - 1, 1);

	return clamp(lim->fifo_depth / 2 / widest, 1U, lim->fifo_burst);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_limits_max_burst);

/*
 * Every entry is written whole, status included: a slot that is used again
 * must not carry the outcome of its last use (Documentation/hardware.rst).
 */
static void loopdma_desc_set(struct loopdma_hw_desc *hw, u32 ctrl, u32 len,
			     dma_addr_t src, dma_addr_t dst, u32 periph)
{
	memset(hw, 0, sizeof(*hw));
	hw->ctrl = cpu_to_le32(ctrl);
	hw->len = cpu_to_le32(len);
	hw->src = cpu_to_le64(src);
	hw->dst = cpu_to_le64(dst);
	hw->periph = cpu_to_le32(periph);
}

/**
 * loopdma_desc_nop() - encode a descriptor that moves nothing
 * @hw: ring entry
 * @ctrl: LOOPDMA_CTRL_INT, LOOPDMA_CTRL_CHAIN
 */
void loopdma_desc_nop(struct loopdma_hw_desc *hw, u32 ctrl)
{
	loopdma_desc_set(hw, ctrl | LOOPDMA_OP_NOP, 0, 0, 0, 0);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_nop);

/**
 * loopdma_desc_copy() - encode a copy
 * @hw: ring entry
 * @dst: bus address written
 * @src: bus address read
 * @len: bytes
 * @ctrl: LOOPDMA_CTRL_INT, LOOPDMA_CTRL_CHAIN
 */
void loopdma_desc_copy(struct loopdma_hw_desc *hw, dma_addr_t dst,
		       dma_addr_t src, u32 len, u32 ctrl)
{
	loopdma_desc_set(hw, ctrl | LOOPDMA_OP_COPY, len, src, dst, 0);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_copy);

/**
 * loopdma_desc_fill() - encode a fill
 * @hw: ring entry
 * @dst: bus address written
 * @len: bytes
 * @byte: what is written
 * @ctrl: LOOPDMA_CTRL_INT, LOOPDMA_CTRL_CHAIN
 */
void loopdma_desc_fill(struct loopdma_hw_desc *hw, dma_addr_t dst, u32 len,
		       u8 byte, u32 ctrl)
{
	loopdma_desc_set(hw, ctrl | LOOPDMA_OP_FILL, len, 0, dst, 0);
	hw->arg = cpu_to_le32(FIELD_PREP(LOOPDMA_ARG_BYTE, byte));
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_fill);

/**
 * loopdma_desc_raid() - encode an XOR or PQ, or a piece of one
 * @hw: ring entry
 * @op: which of the XOR and PQ kinds
 * @par: buffers; the source list is filled in
 * @off: bytes from the start of each buffer to the piece
 * @len: bytes of the piece
 * @ctrl: LOOPDMA_CTRL_INT, LOOPDMA_CTRL_CHAIN
 */
void loopdma_desc_raid(struct loopdma_hw_desc *hw, enum loopdma_hw_opcode op,
		       const struct loopdma_raid *par, u32 off, u32 len,
		       u32 ctrl)
{
	bool pq = op == LOOPDMA_OP_PQ || op == LOOPDMA_OP_PQ_CHECK;
	dma_addr_t p = 0, q = 0;

	if (op != LOOPDMA_OP_XOR_CHECK && !(par->arg & LOOPDMA_ARG_NO_P))
		p = par->p + off;
	if (pq && !(par->arg & LOOPDMA_ARG_NO_Q))
		q = par->q + off;
	loopdma_desc_set(hw, ctrl | op, len, par->sources_dma, p, 0);
	hw->arg = cpu_to_le32(par->arg);
	hw->dst2 = cpu_to_le64(q);
	hw->src_off = cpu_to_le64(off);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_raid);

/**
 * loopdma_desc_tx() - encode memory to peripheral
 * @hw: ring entry
 * @src: bus address read
 * @len: bytes
 * @periph: from loopdma_periph_encode()
 * @ctrl: LOOPDMA_CTRL_INT, LOOPDMA_CTRL_CHAIN
 */
void loopdma_desc_tx(struct loopdma_hw_desc *hw, dma_addr_t src, u32 len,
		     u32 periph, u32 ctrl)
{
	loopdma_desc_set(hw, ctrl | LOOPDMA_OP_TX, len, src, 0, periph);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_tx);

/**
 * loopdma_desc_rx() - encode peripheral to memory
 * @hw: ring entry
 * @dst: bus address written
 * @len: bytes
 * @periph: from loopdma_periph_encode()
 * @ctrl: LOOPDMA_CTRL_INT, LOOPDMA_CTRL_CHAIN
 */
void loopdma_desc_rx(struct loopdma_hw_desc *hw, dma_addr_t dst, u32 len,
		     u32 periph, u32 ctrl)
{
	loopdma_desc_set(hw, ctrl | LOOPDMA_OP_RX, len, 0, dst, periph);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_rx);

/**
 * loopdma_desc_send_meta() - add metadata to a descriptor
 * @hw: ring entry, from loopdma_desc_tx()
 * @meta: the metadata
 * @len: bytes, LOOPDMA_META_SIZE at the most
 */
void loopdma_desc_send_meta(struct loopdma_hw_desc *hw, const u8 *meta, u32 len)
{
	hw->arg = cpu_to_le32(FIELD_PREP(LOOPDMA_ARG_META_LEN, len));
	memcpy(hw->meta, meta, len);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_send_meta);

/**
 * loopdma_desc_want_meta() - ask for the metadata that comes with the data
 * @hw: ring entry, from loopdma_desc_rx()
 */
void loopdma_desc_want_meta(struct loopdma_hw_desc *hw)
{
	hw->arg = cpu_to_le32(LOOPDMA_ARG_META);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_want_meta);

/**
 * loopdma_desc_meta() - metadata that came with the data
 * @hw: ring entry, retired
 * @meta: set to the LOOPDMA_META_SIZE bytes that the device wrote, if any came
 *
 * Return: how many of them are metadata; 0: none came.
 */
u32 loopdma_desc_meta(const struct loopdma_hw_desc *hw, u8 *meta)
{
	u32 len = FIELD_GET(LOOPDMA_STATUS_META_LEN,
			    le32_to_cpu(READ_ONCE(hw->status)));

	if (len)
		memcpy(meta, hw->meta, LOOPDMA_META_SIZE);
	return min(len, LOOPDMA_META_SIZE);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_meta);

/**
 * loopdma_desc_mismatch() - what a check has found, in the API's terms
 * @hw: ring entry, retired
 *
 * Return: enum sum_check_flags.
 */
u32 loopdma_desc_mismatch(const struct loopdma_hw_desc *hw)
{
	u32 status = le32_to_cpu(READ_ONCE(hw->status));
	u32 mismatch = 0;

	if (status & LOOPDMA_STATUS_P_WRONG)
		mismatch |= SUM_CHECK_P_RESULT;
	if (status & LOOPDMA_STATUS_Q_WRONG)
		mismatch |= SUM_CHECK_Q_RESULT;
	return mismatch;
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_mismatch);

/**
 * loopdma_desc_result() - outcome of a retired entry in the API's terms
 * @hw: ring entry
 * @residue: set to the bytes that were not moved, never above the length
 *
 * What is neither success nor a fault of the client's memory means that
 * nothing useful happened, for which enum dmaengine_tx_result has ABORTED.
 *
 * Return: the result.
 */
enum dmaengine_tx_result loopdma_desc_result(const struct loopdma_hw_desc *hw,
					     u32 *residue)
{
	u32 len = loopdma_desc_len(hw);

	*residue = min(le32_to_cpu(READ_ONCE(hw->residue)), len);

	switch (loopdma_desc_status(hw)) {
	case LOOPDMA_ST_OK:
		*residue = 0;
		return DMA_TRANS_NOERROR;
	case LOOPDMA_ST_READ:
		return DMA_TRANS_READ_FAILED;
	case LOOPDMA_ST_WRITE:
	case LOOPDMA_ST_DATA:
		/* The sink has refused to be written to. */
		return DMA_TRANS_WRITE_FAILED;
	default:
		return DMA_TRANS_ABORTED;
	}
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_desc_result);

static const char * const loopdma_status_names[] = {
	[LOOPDMA_ST_PENDING]	= "pending",
	[LOOPDMA_ST_OK]		= "ok",
	[LOOPDMA_ST_OPCODE]	= "bad opcode",
	[LOOPDMA_ST_RESERVED]	= "reserved field not zero",
	[LOOPDMA_ST_LENGTH]	= "bad length",
	[LOOPDMA_ST_ALIGN]	= "bad alignment",
	[LOOPDMA_ST_READ]	= "read fault",
	[LOOPDMA_ST_WRITE]	= "write fault",
	[LOOPDMA_ST_PERIPH]	= "bad width or burst",
	[LOOPDMA_ST_ABORTED]	= "aborted",
	[LOOPDMA_ST_SKIPPED]	= "skipped",
	[LOOPDMA_ST_ARG]	= "bad sources",
	[LOOPDMA_ST_DATA]	= "not the pattern",
};

/**
 * loopdma_status_name() - a descriptor's outcome in words
 * @status: from loopdma_desc_status()
 *
 * Return: constant string, never NULL.
 */
const char *loopdma_status_name(u32 status)
{
	if (status >= ARRAY_SIZE(loopdma_status_names))
		return "unknown status";
	return loopdma_status_names[status];
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_status_name);
