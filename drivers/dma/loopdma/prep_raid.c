// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: XOR and PQ, and checks of either.
 *
 * The callbacks may be called from any context; they give NULL for what is not
 * possible, or when no descriptor is left (provider.rst, "device_prep_*").
 */
#include <linux/bitfield.h>
#include <linux/lockdep.h>

#include "tx.h"

/*
 * May these be the sources of an XOR or PQ of which @dst is written?  A
 * destination may be one of the sources, which async_tx makes use of, but not
 * overlap with one in any other way.
 */
static bool loopdma_sources_ok(struct loopdma_chan *lc, const dma_addr_t *src,
			       unsigned int n, size_t len,
			       const dma_addr_t *dst, unsigned int ndst)
{
	const struct loopdma_limits *lim = &lc->ld->lim;
	unsigned int i, j;

	if (!n || n > lim->max_sources)
		return false;
	for (i = 0; i < n; i++) {
		if (!loopdma_buf_ok(lim, src[i], len))
			return false;
		for (j = 0; j < ndst; j++)
			if (loopdma_overlap(dst[j], src[i], len))
				return false;
	}
	return true;
}

/*
 * Take buffers with a source list, and fill that in; NULL if there are none left.
 * The lists are freed when the device goes away, which is only while the channel
 * does not take work: so all of it with one hold of the lock.
 */
static struct loopdma_raid *
loopdma_take_sources(struct loopdma_chan *lc, const dma_addr_t *src,
		     const unsigned char *coef, unsigned int n)
{
	struct loopdma_hw_sources *list;
	struct loopdma_raid *par;
	unsigned int i;

	lockdep_assert_held(&lc->lock);

	par = loopdma_chan_takes_work(lc) ? loopdma_raid_get(lc) : NULL;
	if (!par)
		return NULL;
	par->arg = FIELD_PREP(LOOPDMA_ARG_SOURCES, n);
	list = &lc->lists.list[par->list];
	memset(list, 0, sizeof(*list));
	for (i = 0; i < n; i++) {
		list->addr[i] = cpu_to_le64(src[i]);
		if (coef)
			list->coef[i] = coef[i];
	}
	return par;
}

/*
 * Take a descriptor with a source list.  @coef: of the PQ kinds, else NULL.  Any
 * context; NULL if there is none left.
 */
static struct loopdma_desc *
loopdma_prep_raid(struct loopdma_chan *lc, enum loopdma_hw_opcode op,
		  const dma_addr_t *src, const unsigned char *coef,
		  unsigned int n, size_t len, unsigned long tx_flags)
{
	struct loopdma_desc *d;
	unsigned long flags;

	d = loopdma_prep(lc, op, len, tx_flags);
	if (!d)
		return NULL;
	spin_lock_irqsave(&lc->lock, flags);
	d->raid = loopdma_take_sources(lc, src, coef, n);
	spin_unlock_irqrestore(&lc->lock, flags);
	if (d->raid)
		return d;
	loopdma_tx_drop(lc, d);
	return NULL;
}

/**
 * loopdma_prep_dma_xor() - prepare an XOR
 * @chan: channel
 * @dst: bus address that is written; a source may be the same
 * @src: bus addresses that are read; the client's array may go
 * @src_cnt: number of sources, up to dma_device.max_xor
 * @len: bytes of each
 * @flags: enum dma_ctrl_flags
 *
 * Context: any.
 * Return: the descriptor; NULL if the XOR is not possible, or no descriptor or
 * source list is left.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_xor(struct dma_chan *chan, dma_addr_t dst, dma_addr_t *src,
		     unsigned int src_cnt, size_t len, unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_desc *d;

	if (!(lc->caps & LOOPDMA_CH_CAPS_XOR) ||
	    !loopdma_buf_ok(&lc->ld->lim, dst, len) ||
	    !loopdma_sources_ok(lc, src, src_cnt, len, &dst, 1))
		return NULL;
	d = loopdma_prep_raid(lc, LOOPDMA_OP_XOR, src, NULL, src_cnt, len,
			      flags);
	if (!d)
		return NULL;
	d->raid->p = dst;
	return loopdma_prepared(d);
}

/**
 * loopdma_prep_dma_xor_val() - prepare a check that an XOR is zero
 * @chan: channel
 * @src: bus addresses that are read; the client's array may go
 * @src_cnt: number of sources, up to dma_device.max_xor
 * @len: bytes of each
 * @result: the client's; written before the cookie is complete
 * @flags: enum dma_ctrl_flags
 *
 * Context: any.
 * Return: as loopdma_prep_dma_xor().
 */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_xor_val(struct dma_chan *chan, dma_addr_t *src,
			 unsigned int src_cnt, size_t len,
			 enum sum_check_flags *result, unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_desc *d;

	if (!(lc->caps & LOOPDMA_CH_CAPS_XOR) || !result ||
	    !loopdma_sources_ok(lc, src, src_cnt, len, NULL, 0))
		return NULL;
	d = loopdma_prep_raid(lc, LOOPDMA_OP_XOR_CHECK, src, NULL, src_cnt,
			      len, flags);
	if (!d)
		return NULL;
	d->raid->result = result;
	return loopdma_prepared(d);
}

/*
 * P and Q for an operation with these flags; NULL if they do not do.  What is
 * disabled is not looked at: clients leave anything there.  Any context.
 */
static struct loopdma_desc *
loopdma_prep_pq(struct loopdma_chan *lc, enum loopdma_hw_opcode op,
		const dma_addr_t *pq, const dma_addr_t *src,
		const unsigned char *coef, unsigned int n, size_t len,
		unsigned long flags)
{
	const struct loopdma_limits *lim = &lc->ld->lim;
	bool no_p = flags & DMA_PREP_PQ_DISABLE_P;
	bool no_q = flags & DMA_PREP_PQ_DISABLE_Q;
	struct loopdma_desc *d;

	if (!(lc->caps & LOOPDMA_CH_CAPS_PQ) || (no_p && no_q))
		return NULL;
	if (!no_p && !loopdma_buf_ok(lim, pq[0], len))
		return NULL;
	if (!no_q && !loopdma_buf_ok(lim, pq[1], len))
		return NULL;
	/* They would be written to both; nothing good comes of it. */
	if (!no_p && !no_q &&
	    (pq[0] == pq[1] || loopdma_overlap(pq[0], pq[1], len)))
		return NULL;
	if (!loopdma_sources_ok(lc, src, n, len, no_p ? pq + 1 : pq,
				no_p || no_q ? 1 : 2))
		return NULL;

	d = loopdma_prep_raid(lc, op, src, coef, n, len, flags);
	if (!d)
		return NULL;
	d->raid->p = pq[0];
	d->raid->q = pq[1];
	if (no_p)
		d->raid->arg |= LOOPDMA_ARG_NO_P;
	if (no_q)
		d->raid->arg |= LOOPDMA_ARG_NO_Q;
	return d;
}

/**
 * loopdma_prep_dma_pq() - prepare P and Q
 * @chan: channel
 * @dst: bus addresses of P and Q; one that @flags disable is not looked at
 * @src: bus addresses that are read; the client's array may go
 * @src_cnt: number of sources, see dma_maxpq()
 * @scf: coefficient of each source
 * @len: bytes of each
 * @flags: enum dma_ctrl_flags, with DMA_PREP_PQ_DISABLE_P, _Q, DMA_PREP_CONTINUE
 *
 * Context: any.
 * Return: as loopdma_prep_dma_xor().
 */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_pq(struct dma_chan *chan, dma_addr_t *dst, dma_addr_t *src,
		    unsigned int src_cnt, const unsigned char *scf, size_t len,
		    unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_desc *d;

	d = loopdma_prep_pq(lc, LOOPDMA_OP_PQ, dst, src, scf, src_cnt, len,
			    flags);
	if (!d)
		return NULL;
	if (dmaf_continue(flags))
		d->raid->arg |= LOOPDMA_ARG_CONTINUE;
	return loopdma_prepared(d);
}

/**
 * loopdma_prep_dma_pq_val() - prepare a check of P and Q
 * @chan: channel
 * @pq: bus addresses of P and Q; one that @flags disable is not looked at
 * @src: bus addresses that are read; the client's array may go
 * @src_cnt: number of sources, see dma_maxpq()
 * @scf: coefficient of each source
 * @len: bytes of each
 * @pqres: the client's; written before the cookie is complete
 * @flags: enum dma_ctrl_flags, with DMA_PREP_PQ_DISABLE_P, _Q
 *
 * Context: any.
 * Return: as loopdma_prep_dma_xor().
 */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_pq_val(struct dma_chan *chan, dma_addr_t *pq, dma_addr_t *src,
			unsigned int src_cnt, const unsigned char *scf,
			size_t len, enum sum_check_flags *pqres,
			unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_desc *d;

	/* There is nothing that a check could go on from. */
	if (!pqres || dmaf_continue(flags))
		return NULL;
	d = loopdma_prep_pq(lc, LOOPDMA_OP_PQ_CHECK, pq, src, scf, src_cnt,
			    len, flags);
	if (!d)
		return NULL;
	d->raid->result = pqres;
	return loopdma_prepared(d);
}

static void loopdma_setup_xor(struct loopdma_dev *ld)
{
	struct dma_device *dma = &ld->dma;

	dma_cap_set(DMA_XOR, dma->cap_mask);
	dma_cap_set(DMA_XOR_VAL, dma->cap_mask);
	dma->max_xor = ld->lim.max_sources;
	dma->xor_align = ld->lim.copy_align;
	dma->device_prep_dma_xor = loopdma_prep_dma_xor;
	dma->device_prep_dma_xor_val = loopdma_prep_dma_xor_val;
}

static void loopdma_setup_pq(struct loopdma_dev *ld)
{
	struct dma_device *dma = &ld->dma;

	dma_cap_set(DMA_PQ, dma->cap_mask);
	dma_cap_set(DMA_PQ_VAL, dma->cap_mask);
	dma_set_maxpq(dma, ld->lim.max_sources, true);
	dma->pq_align = ld->lim.copy_align;
	dma->device_prep_dma_pq = loopdma_prep_dma_pq;
	dma->device_prep_dma_pq_val = loopdma_prep_dma_pq_val;
}

/**
 * loopdma_setup_raid() - tell the core of XOR and PQ
 * @ld: device, its limits known
 */
void loopdma_setup_raid(struct loopdma_dev *ld)
{
	/* Who divides a long list of sources needs a place for the result. */
	if (ld->lim.max_sources < 2)
		return;
	if (ld->lim.caps & LOOPDMA_CAPS_XOR)
		loopdma_setup_xor(ld);
	if (ld->lim.caps & LOOPDMA_CAPS_PQ)
		loopdma_setup_pq(ld);
}
