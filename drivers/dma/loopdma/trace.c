// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: what the tracepoints are made of.
 *
 * Without CONFIG_TRACEPOINTS there is nothing in here.
 */
#include "loopdma.h"

#ifdef CONFIG_TRACEPOINTS
/*
 * Number of a descriptor within the pool of its channel: that of a transaction
 * from prepare to its end, and used again afterwards.  So it is what to match
 * events by in a table of limited size, which cookies would fill up.
 */
static u32 loopdma_desc_slot(const struct loopdma_chan *lc,
			     const struct loopdma_desc *d)
{
	return container_of(d, const union loopdma_item, desc) - lc->pool.item;
}

/* What is read first: of an XOR or PQ, the list of its sources. */
static dma_addr_t loopdma_desc_src(const struct loopdma_desc *d)
{
	if (d->op == LOOPDMA_OP_TX || d->pairs)
		return d->segs->addr[0];
	if (d->op == LOOPDMA_OP_COPY)
		return d->src;
	return loopdma_op_is_raid(d->op) ? d->raid->sources_dma : 0;
}

/* What is written first: of a PQ, P. */
static dma_addr_t loopdma_desc_dst(const struct loopdma_desc *d)
{
	if (d->op == LOOPDMA_OP_RX || d->op == LOOPDMA_OP_FILL)
		return d->segs->addr[0];
	if (d->op == LOOPDMA_OP_COPY)
		return d->pairs ? d->segs->addr[1] : d->dst;
	return loopdma_op_is_raid(d->op) ? d->raid->p : 0;
}
#endif

#define CREATE_TRACE_POINTS
#include "trace.h"

#if IS_ENABLED(CONFIG_KUNIT)
EXPORT_TRACEPOINT_SYMBOL_GPL(loopdma_prepare);
EXPORT_TRACEPOINT_SYMBOL_GPL(loopdma_submit);
EXPORT_TRACEPOINT_SYMBOL_GPL(loopdma_issue);
EXPORT_TRACEPOINT_SYMBOL_GPL(loopdma_terminate);
EXPORT_TRACEPOINT_SYMBOL_GPL(loopdma_start);
EXPORT_TRACEPOINT_SYMBOL_GPL(loopdma_interrupt);
EXPORT_TRACEPOINT_SYMBOL_GPL(loopdma_fault);
EXPORT_TRACEPOINT_SYMBOL_GPL(loopdma_complete);
EXPORT_TRACEPOINT_SYMBOL_GPL(loopdma_error);
#endif
