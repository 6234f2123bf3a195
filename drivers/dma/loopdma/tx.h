/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: what the device_prep_* callbacks have in common.
 */
#ifndef LOOPDMA_TX_H
#define LOOPDMA_TX_H

#include "loopdma.h"
#include "trace.h"

bool loopdma_chan_takes_work(const struct loopdma_chan *lc);
struct loopdma_desc *loopdma_prep(struct loopdma_chan *lc,
				  enum loopdma_hw_opcode op, u32 len,
				  unsigned long tx_flags);
void loopdma_tx_drop(struct loopdma_chan *lc, struct loopdma_desc *d);
bool loopdma_desc_busy(struct loopdma_desc *d);
bool loopdma_desc_append(struct loopdma_chan *lc, struct loopdma_desc *d,
			 struct loopdma_segs **tail, dma_addr_t addr, u32 len);
bool loopdma_desc_add_seg(struct loopdma_chan *lc, struct loopdma_desc *d,
			  struct loopdma_segs **tail, dma_addr_t addr, u32 len);
bool loopdma_desc_add(struct loopdma_chan *lc, struct loopdma_desc *d,
		      struct loopdma_segs **tail, dma_addr_t addr, size_t len);
struct dma_async_tx_descriptor *
loopdma_desc_add_list(struct loopdma_chan *lc, struct loopdma_desc *d,
		      struct scatterlist *sgl, unsigned int n);

/**
 * loopdma_prepared() - hand out a descriptor
 * @d: descriptor in which all is filled in that the client has asked for
 *
 * Context: any.
 * Return: what the client sees of it.
 */
static inline struct dma_async_tx_descriptor *
loopdma_prepared(struct loopdma_desc *d)
{
	trace_loopdma_prepare(to_loopdma_chan(d->tx.chan), d);
	return &d->tx;
}

#endif /* LOOPDMA_TX_H */
