// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: copies, fills and interrupts.
 *
 * The callbacks may be called from any context; they give NULL for what is not
 * possible, or when no descriptor is left (provider.rst, "device_prep_*").
 */
#include "tx.h"

/*
 * An unordered channel takes a transaction into its ring as a whole, or not at all,
 * and has none wait for another.  Any may be the one whose end makes room in the ring,
 * so each interrupts.
 */
static bool loopdma_fits(const struct loopdma_chan *lc, size_t len,
			 unsigned long *flags)
{
	if (!lc->unordered)
		return true;
	*flags |= DMA_PREP_INTERRUPT;
	return !(*flags & DMA_PREP_FENCE) && len <= U32_MAX &&
	       loopdma_queue_entries(lc, len) <= lc->ring.size;
}

/**
 * loopdma_prep_dma_memcpy() - prepare a copy
 * @chan: channel
 * @dst: bus address that is written
 * @src: bus address that is read
 * @len: bytes, 1 to 4 GiB - 1
 * @flags: enum dma_ctrl_flags
 *
 * Context: any.
 * Return: the descriptor; NULL if the copy is not possible or the pool is empty.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_memcpy(struct dma_chan *chan, dma_addr_t dst, dma_addr_t src,
			size_t len, unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_desc *d;

	if (!(lc->caps & LOOPDMA_CH_CAPS_COPY) ||
	    !loopdma_copy_ok(&lc->ld->lim, dst, src, len) ||
	    !loopdma_fits(lc, len, &flags))
		return NULL;
	d = loopdma_prep(lc, LOOPDMA_OP_COPY, len, flags);
	if (!d)
		return NULL;
	d->src = src;
	d->dst = dst;
	return loopdma_prepared(d);
}

/* Take a descriptor; NULL if the channel cannot fill. */
static struct loopdma_desc *loopdma_prep_fill(struct loopdma_chan *lc,
					      int value, unsigned long flags)
{
	struct loopdma_desc *d = NULL;

	if (lc->caps & LOOPDMA_CH_CAPS_FILL)
		d = loopdma_prep(lc, LOOPDMA_OP_FILL, 0, flags);
	/* As memset() has it: an int of which a byte counts (provider.rst). */
	if (d)
		d->byte = value;
	return d;
}

/**
 * loopdma_prep_dma_memset_sg() - prepare a fill of a list
 * @chan: channel
 * @sgl: mapped list; the client's may go
 * @nents: number of its entries
 * @value: its least byte is written
 * @flags: enum dma_ctrl_flags
 *
 * Context: any.
 * Return: the descriptor; NULL if an entry is not possible or there is no memory.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_memset_sg(struct dma_chan *chan, struct scatterlist *sgl,
			   unsigned int nents, int value, unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_desc *d;

	if (!sgl || !nents)
		return NULL;
	d = loopdma_prep_fill(lc, value, flags);
	return d ? loopdma_desc_add_list(lc, d, sgl, nents) : NULL;
}

/**
 * loopdma_prep_dma_memset() - prepare a fill
 * @chan: channel
 * @dst: bus address that is written
 * @value: its least byte is written
 * @len: bytes, 1 to 4 GiB - 1
 * @flags: enum dma_ctrl_flags
 *
 * Context: any.
 * Return: the descriptor; NULL if the fill is not possible or there is no memory.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_memset(struct dma_chan *chan, dma_addr_t dst, int value,
			size_t len, unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_segs *tail = NULL;
	struct loopdma_desc *d;

	if (!loopdma_fits(lc, len, &flags))
		return NULL;
	d = loopdma_prep_fill(lc, value, flags);
	if (!d)
		return NULL;
	if (!loopdma_desc_add(lc, d, &tail, dst, len)) {
		loopdma_tx_drop(lc, d);
		return NULL;
	}
	return loopdma_prepared(d);
}

/**
 * loopdma_prep_dma_interrupt() - prepare a callback when all before it is done
 * @chan: channel
 * @flags: enum dma_ctrl_flags; DMA_PREP_INTERRUPT is implied
 *
 * Context: any.
 * Return: the descriptor; NULL if the pool is empty or the channel is dead.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_interrupt(struct dma_chan *chan, unsigned long flags)
{
	struct loopdma_desc *d;

	d = loopdma_prep(to_loopdma_chan(chan), LOOPDMA_OP_NOP, 0,
			 flags | DMA_PREP_INTERRUPT);
	return d ? loopdma_prepared(d) : NULL;
}

/**
 * loopdma_setup_mem() - tell the core of copies, fills and interrupts
 * @ld: device, its limits known
 *
 * An interrupt tells of what is before it, and a list may be of any length: an
 * unordered device has neither.
 */
void loopdma_setup_mem(struct loopdma_dev *ld)
{
	bool fills = ld->lim.caps & LOOPDMA_CAPS_FILL;
	struct dma_device *dma = &ld->dma;

	dma_cap_set(DMA_MEMCPY, dma->cap_mask);
	dma->copy_align = ld->lim.copy_align;
	dma->directions |= BIT(DMA_MEM_TO_MEM);
	dma->device_prep_dma_memcpy = loopdma_prep_dma_memcpy;
	if (fills) {
		dma_cap_set(DMA_MEMSET, dma->cap_mask);
		dma->fill_align = ld->lim.copy_align;
		dma->device_prep_dma_memset = loopdma_prep_dma_memset;
	}
	if (loopdma_unordered(&ld->lim))
		return;
	dma_cap_set(DMA_INTERRUPT, dma->cap_mask);
	dma->device_prep_dma_interrupt = loopdma_prep_dma_interrupt;
	if (fills) {
		dma_cap_set(DMA_MEMSET_SG, dma->cap_mask);
		dma->device_prep_dma_memset_sg = loopdma_prep_dma_memset_sg;
	}
}
