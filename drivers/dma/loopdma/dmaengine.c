// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the device_* callbacks.
 *
 * Who may call what, and from where, is in provider.rst and client.rst of
 * Documentation/driver-api/dmaengine/.
 */
#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/scatterlist.h>
#include <linux/seq_file.h>
#include <linux/version.h>

#include <loopdma/client.h>
#include "loopdma.h"
#include "trace.h"

/* Periods, or pieces of an interleaved template: what is written out for them is 3 MiB. */
#define LOOPDMA_MAX_CHUNKS	65536

/* How long synchronize waits for an abort before it restarts the channel. */
#define LOOPDMA_ABORT_TIMEOUT	(2 * HZ)

/* How long before it asks whether there still is a device. */
#define LOOPDMA_ABORT_PATIENCE	max(HZ / 50, 1)

static int loopdma_alloc_chan_resources(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	if (loopdma_fails(lc->ld, LOOPDMA_FAULT_ALLOC))
		return -ENOMEM;
	return loopdma_chan_alloc(lc);
}

static void loopdma_free_chan_resources(struct dma_chan *chan)
{
	loopdma_chan_free(to_loopdma_chan(chan));
}

static bool loopdma_chan_takes_work(const struct loopdma_chan *lc)
{
	return lc->state == LOOPDMA_CHAN_ON ||
	       lc->state == LOOPDMA_CHAN_RECOVERING ||
	       lc->state == LOOPDMA_CHAN_SUSPENDED;
}

/* End a descriptor that was never queued, or not this time.  Any context. */
static void loopdma_tx_drop(struct loopdma_chan *lc, struct loopdma_desc *d)
{
	unsigned long flags;

	dma_descriptor_unmap(&d->tx);
	spin_lock_irqsave(&lc->lock, flags);
	loopdma_desc_put(lc, d);
	spin_unlock_irqrestore(&lc->lock, flags);
}

/*
 * A check sets bits for what is wrong.  Clients, raid5 for one, leave it to the
 * provider to clear them.
 */
static void loopdma_clear_check(struct loopdma_desc *d)
{
	if (!loopdma_op_is_parity(d->op))
		return;
	d->parity->wrong = 0;
	if (d->parity->result)
		*d->parity->result = 0;
}

/*
 * Metadata for this use of a descriptor: what the client has in its buffer now
 * is sent; nothing is received yet.
 */
static void loopdma_load_meta(struct loopdma_desc *d)
{
	struct loopdma_segs *segs = d->segs;

	if (!d->tx.metadata_ops)
		return;
	if (d->op == LOOPDMA_OP_RX) {
		segs->meta_len = 0;
		memset(segs->meta, 0, sizeof(segs->meta));
	} else if (segs->client) {
		segs->meta_len = segs->client_len;
		memcpy(segs->meta, segs->client, segs->client_len);
	}
}

/*
 * Queue a transaction.  The descriptor is the channel's from here on, also if
 * it is refused; one to be used again stays the client's then.  Any context.
 */
static dma_cookie_t loopdma_tx_submit(struct dma_async_tx_descriptor *tx)
{
	struct loopdma_chan *lc = to_loopdma_chan(tx->chan);
	struct loopdma_desc *d = to_loopdma_desc(tx);
	dma_cookie_t cookie = -ENODEV;
	unsigned long flags;

	spin_lock_irqsave(&lc->lock, flags);
	if (d->busy) {
		/* A second use has to wait for the end of the first. */
		cookie = -EBUSY;
		d = NULL;
	} else if (loopdma_chan_takes_work(lc)) {
		cookie = lc->chan.cookie;
		if (++cookie < DMA_MIN_COOKIE)
			cookie = DMA_MIN_COOKIE;
		lc->chan.cookie = cookie;
		tx->cookie = cookie;
		/* What the last use has left. */
		d->result = DMA_TRANS_NOERROR;
		d->aborted = false;
		d->busy = true;
		loopdma_clear_check(d);
		loopdma_load_meta(d);
		loopdma_queue_add(&lc->submitted, d);
		lc->nsubmitted++;
		trace_loopdma_submit(lc, d);
		d = NULL;
	} else if (dmaengine_desc_test_reuse(tx)) {
		d = NULL;
	}
	spin_unlock_irqrestore(&lc->lock, flags);

	if (d)
		loopdma_tx_drop(lc, d);
	return cookie;
}

/* Submitted, and not yet ended?  Any context. */
static bool loopdma_desc_busy(struct loopdma_desc *d)
{
	struct loopdma_chan *lc = to_loopdma_chan(d->tx.chan);
	unsigned long flags;
	bool busy;

	spin_lock_irqsave(&lc->lock, flags);
	busy = d->busy;
	spin_unlock_irqrestore(&lc->lock, flags);
	return busy;
}

/*
 * dmaengine_desc_free(), which lets only descriptors for reuse through.  Any
 * context; -EBUSY, and nothing freed, while the transaction has not ended.
 */
static int loopdma_tx_free(struct dma_async_tx_descriptor *tx)
{
	struct loopdma_desc *d = to_loopdma_desc(tx);

	if (loopdma_desc_busy(d))
		return -EBUSY;

	loopdma_tx_drop(to_loopdma_chan(tx->chan), d);
	return 0;
}

/* Take a descriptor and fill in what all kinds have in common. */
static struct loopdma_desc *loopdma_prep(struct loopdma_chan *lc,
					 enum loopdma_hw_opcode op, u32 len,
					 unsigned long tx_flags)
{
	struct loopdma_desc *d = NULL;
	unsigned long flags;

	if (loopdma_fails(lc->ld, LOOPDMA_FAULT_PREP))
		return NULL;

	spin_lock_irqsave(&lc->lock, flags);
	if (loopdma_chan_takes_work(lc)) {
		d = loopdma_desc_get(lc);
		if (!d) {
			loopdma_desc_reclaim(lc);
			d = loopdma_desc_get(lc);
		}
	}
	spin_unlock_irqrestore(&lc->lock, flags);
	if (!d)
		return NULL;

	dma_async_tx_descriptor_init(&d->tx, &lc->chan);
	d->tx.tx_submit = loopdma_tx_submit;
	d->tx.desc_free = loopdma_tx_free;
	d->tx.flags = tx_flags;
	d->op = op;
	d->len = len;
	return d;
}

/* All that the client has asked for is filled in. */
static struct dma_async_tx_descriptor *loopdma_prepared(struct loopdma_desc *d)
{
	trace_loopdma_prepare(to_loopdma_chan(d->tx.chan), d);
	return &d->tx;
}

/* Any context; NULL if the copy is not possible or the pool is empty. */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_memcpy(struct dma_chan *chan, dma_addr_t dst, dma_addr_t src,
			size_t len, unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_desc *d;

	if (!(lc->caps & LOOPDMA_CH_CAPS_COPY) ||
	    !loopdma_copy_ok(&lc->ld->lim, dst, src, len))
		return NULL;
	d = loopdma_prep(lc, LOOPDMA_OP_COPY, len, flags);
	if (!d)
		return NULL;
	d->src = src;
	d->dst = dst;
	return loopdma_prepared(d);
}

/* Append a segment; false if there is no memory. */
static bool loopdma_desc_append(struct loopdma_chan *lc, struct loopdma_desc *d,
				struct loopdma_segs **tail, dma_addr_t addr,
				u32 len)
{
	struct loopdma_segs *segs = *tail;
	unsigned long flags;

	if (!segs || segs->n == LOOPDMA_SEGS_PER_BLOCK) {
		spin_lock_irqsave(&lc->lock, flags);
		segs = loopdma_segs_get(lc);
		spin_unlock_irqrestore(&lc->lock, flags);
		if (!segs)
			return false;
		if (*tail)
			(*tail)->next = segs;
		else
			d->segs = segs;
		*tail = segs;
	}
	segs->addr[segs->n] = addr;
	segs->len[segs->n] = len;
	segs->n++;
	return true;
}

/* The same; false as well if the total is too long. */
static bool loopdma_desc_add_seg(struct loopdma_chan *lc,
				 struct loopdma_desc *d,
				 struct loopdma_segs **tail, dma_addr_t addr,
				 u32 len)
{
	if (len > U32_MAX - d->len)
		return false;
	d->len += len;
	return loopdma_desc_append(lc, d, tail, addr, len);
}

/*
 * Append memory of a fill or a slave transfer; false as well if the device cannot
 * use it for that.
 */
static bool loopdma_desc_add(struct loopdma_chan *lc, struct loopdma_desc *d,
			     struct loopdma_segs **tail, dma_addr_t addr,
			     size_t len)
{
	const struct loopdma_limits *lim = &lc->ld->lim;
	bool ok = d->op == LOOPDMA_OP_FILL ?
		  loopdma_buf_ok(lim, addr, len) :
		  loopdma_seg_ok(lim, d->periph, addr, len);

	return ok && loopdma_desc_add_seg(lc, d, tail, addr, len);
}

/* The same with a list; the descriptor, or NULL and it is dropped. */
static struct dma_async_tx_descriptor *
loopdma_desc_add_list(struct loopdma_chan *lc, struct loopdma_desc *d,
		      struct scatterlist *sgl, unsigned int n)
{
	struct loopdma_segs *tail = NULL;
	struct scatterlist *sg;
	unsigned int i;

	for_each_sg(sgl, sg, n, i)
		if (!loopdma_desc_add(lc, d, &tail, sg_dma_address(sg),
				      sg_dma_len(sg)))
			goto err_put;
	return loopdma_prepared(d);

err_put:
	loopdma_tx_drop(lc, d);
	return NULL;
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

/* Any context; NULL if an entry is not possible or there is no memory. */
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

/* Any context; NULL if the fill is not possible or the pool is empty. */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_memset(struct dma_chan *chan, dma_addr_t dst, int value,
			size_t len, unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_segs *tail = NULL;
	struct loopdma_desc *d;

	d = loopdma_prep_fill(lc, value, flags);
	if (!d)
		return NULL;
	if (!loopdma_desc_add(lc, d, &tail, dst, len)) {
		loopdma_tx_drop(lc, d);
		return NULL;
	}
	return loopdma_prepared(d);
}

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
static struct loopdma_parity *
loopdma_take_sources(struct loopdma_chan *lc, const dma_addr_t *src,
		     const unsigned char *coef, unsigned int n)
{
	struct loopdma_hw_sources *list;
	struct loopdma_parity *par;
	unsigned int i;

	lockdep_assert_held(&lc->lock);

	par = loopdma_chan_takes_work(lc) ? loopdma_parity_get(lc) : NULL;
	if (!par)
		return NULL;
	par->arg = FIELD_PREP(LOOPDMA_ARG_SOURCES, n);
	list = &lc->lists[par->list];
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
loopdma_prep_parity(struct loopdma_chan *lc, enum loopdma_hw_opcode op,
		    const dma_addr_t *src, const unsigned char *coef,
		    unsigned int n, size_t len, unsigned long tx_flags)
{
	struct loopdma_desc *d;
	unsigned long flags;

	d = loopdma_prep(lc, op, len, tx_flags);
	if (!d)
		return NULL;
	spin_lock_irqsave(&lc->lock, flags);
	d->parity = loopdma_take_sources(lc, src, coef, n);
	spin_unlock_irqrestore(&lc->lock, flags);
	if (d->parity)
		return d;
	loopdma_tx_drop(lc, d);
	return NULL;
}

/* Any context; NULL if it is not possible or there is no descriptor left. */
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
	d = loopdma_prep_parity(lc, LOOPDMA_OP_XOR, src, NULL, src_cnt, len,
				flags);
	if (!d)
		return NULL;
	d->parity->p = dst;
	return loopdma_prepared(d);
}

/* As above; *result is written before the cookie is complete. */
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
	d = loopdma_prep_parity(lc, LOOPDMA_OP_XOR_CHECK, src, NULL, src_cnt,
				len, flags);
	if (!d)
		return NULL;
	d->parity->result = result;
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

	d = loopdma_prep_parity(lc, op, src, coef, n, len, flags);
	if (!d)
		return NULL;
	d->parity->p = pq[0];
	d->parity->q = pq[1];
	if (no_p)
		d->parity->arg |= LOOPDMA_ARG_NO_P;
	if (no_q)
		d->parity->arg |= LOOPDMA_ARG_NO_Q;
	return d;
}

/* Any context; NULL if it is not possible or there is no descriptor left. */
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
		d->parity->arg |= LOOPDMA_ARG_CONTINUE;
	return loopdma_prepared(d);
}

/* As above; *pqres is written before the cookie is complete. */
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
	d->parity->result = pqres;
	return loopdma_prepared(d);
}

/* An interrupt when everything before it is done.  Any context. */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_interrupt(struct dma_chan *chan, unsigned long flags)
{
	struct loopdma_desc *d;

	d = loopdma_prep(to_loopdma_chan(chan), LOOPDMA_OP_NOP, 0,
			 flags | DMA_PREP_INTERRUPT);
	return d ? loopdma_prepared(d) : NULL;
}

/* Peripheral word for a direction; -EINVAL if it is not configured for it. */
static int loopdma_config_periph(struct loopdma_chan *lc,
				 const struct dma_slave_config *config,
				 enum dma_transfer_direction dir, u32 *periph)
{
	const struct loopdma_limits *lim = &lc->ld->lim;

	if (dir == DMA_MEM_TO_DEV && (lc->caps & LOOPDMA_CH_CAPS_TX))
		return loopdma_periph_encode(lim, config->dst_addr_width,
					     config->dst_maxburst, periph);
	if (dir == DMA_DEV_TO_MEM && (lc->caps & LOOPDMA_CH_CAPS_RX))
		return loopdma_periph_encode(lim, config->src_addr_width,
					     config->src_maxburst, periph);
	return -EINVAL;
}

/*
 * The client's buffer, which it leaves to us from submit to completion; of what
 * comes it gets as much as it has room for.  Any context; -EBUSY once it is
 * submitted.
 */
static int loopdma_attach_meta(struct dma_async_tx_descriptor *tx, void *data,
			       size_t len)
{
	struct loopdma_desc *d = to_loopdma_desc(tx);

	if (!data || !len || len > LOOPDMA_META_SIZE)
		return -EINVAL;
	if (loopdma_desc_busy(d))
		return -EBUSY;
	d->segs->client = data;
	d->segs->client_len = len;
	return 0;
}

/*
 * Our buffer: for the client to fill before it submits, or to look into in its
 * callback.  Any context.
 */
static void *loopdma_get_meta(struct dma_async_tx_descriptor *tx,
			      size_t *payload_len, size_t *max_len)
{
	struct loopdma_desc *d = to_loopdma_desc(tx);

	if (d->op == LOOPDMA_OP_TX && loopdma_desc_busy(d))
		return ERR_PTR(-EBUSY);
	*payload_len = d->segs->meta_len;
	*max_len = LOOPDMA_META_SIZE;
	return d->segs->meta;
}

/* How much of our buffer the client has filled.  Any context. */
static int loopdma_set_meta_len(struct dma_async_tx_descriptor *tx,
				size_t payload_len)
{
	struct loopdma_desc *d = to_loopdma_desc(tx);

	if (d->op != LOOPDMA_OP_TX || payload_len > LOOPDMA_META_SIZE)
		return -EINVAL;
	if (loopdma_desc_busy(d))
		return -EBUSY;
	d->segs->meta_len = payload_len;
	return 0;
}

/* Not const: struct dma_async_tx_descriptor has it so. */
static struct dma_descriptor_metadata_ops loopdma_metadata_ops = {
	.attach = loopdma_attach_meta,
	.get_ptr = loopdma_get_meta,
	.set_len = loopdma_set_meta_len,
};

/*
 * What goes through once can have metadata; of one that loops it would not be
 * clear to which time it belongs.
 */
static void loopdma_desc_allow_meta(struct loopdma_chan *lc,
				    struct loopdma_desc *d)
{
	if (lc->ld->lim.caps & LOOPDMA_CAPS_METADATA)
		d->tx.metadata_ops = &loopdma_metadata_ops;
}

/* Take a descriptor for a direction; NULL if it is not configured. */
static struct loopdma_desc *loopdma_prep_slave(struct loopdma_chan *lc,
					       enum dma_transfer_direction dir,
					       unsigned long flags)
{
	struct loopdma_desc *d;
	u32 periph;

	if (loopdma_config_periph(lc, &lc->config, dir, &periph))
		return NULL;
	d = loopdma_prep(lc, dir == DMA_MEM_TO_DEV ? LOOPDMA_OP_TX :
						     LOOPDMA_OP_RX, 0, flags);
	if (d)
		d->periph = periph;
	return d;
}

/*
 * The list is copied, so that the client's may go.  Any context; NULL if a
 * segment is not possible, the list is empty, the direction is not configured,
 * or there is no memory.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_slave_sg(struct dma_chan *chan, struct scatterlist *sgl,
		      unsigned int sg_len, enum dma_transfer_direction dir,
		      unsigned long flags, void *context)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_desc *d;

	if (!sgl || !sg_len)
		return NULL;
	d = loopdma_prep_slave(lc, dir, flags);
	if (!d)
		return NULL;
	loopdma_desc_allow_meta(lc, d);
	return loopdma_desc_add_list(lc, d, sgl, sg_len);
}

#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
/* As above, of an array. */
static struct dma_async_tx_descriptor *
loopdma_prep_peripheral_dma_vec(struct dma_chan *chan,
				const struct dma_vec *vecs, size_t nents,
				enum dma_transfer_direction dir,
				unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_segs *tail = NULL;
	struct loopdma_desc *d;
	size_t i;

	if (!vecs || !nents)
		return NULL;
	d = loopdma_prep_slave(lc, dir, flags);
	if (!d)
		return NULL;
	loopdma_desc_allow_meta(lc, d);
	for (i = 0; i < nents; i++)
		if (!loopdma_desc_add(lc, d, &tail, vecs[i].addr, vecs[i].len))
			goto err_put;
	return loopdma_prepared(d);

err_put:
	loopdma_tx_drop(lc, d);
	return NULL;
}
#endif

/*
 * A buffer that is gone through again and again, with a callback for each
 * period.  Any context; NULL if the periods are not possible, too many, or do
 * not divide the buffer, or there is no memory.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_cyclic(struct dma_chan *chan, dma_addr_t buf_addr,
			size_t buf_len, size_t period_len,
			enum dma_transfer_direction dir, unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_segs *tail = NULL;
	struct loopdma_desc *d;
	size_t off;

	if (!buf_len || !period_len || buf_len % period_len ||
	    buf_len / period_len > LOOPDMA_MAX_CHUNKS)
		return NULL;
	d = loopdma_prep_slave(lc, dir, flags);
	if (!d)
		return NULL;
	d->cyclic = true;
	for (off = 0; off < buf_len; off += period_len)
		if (!loopdma_desc_add(lc, d, &tail, buf_addr + off, period_len))
			goto err_put;
	return loopdma_prepared(d);

err_put:
	loopdma_tx_drop(lc, d);
	return NULL;
}

/*
 * Is this template one that can be done?  Memory is read and written at
 * addresses that go up; the peripheral has none.  Nothing but a peripheral
 * would give the time for a repetition.
 */
static bool loopdma_template_ok(const struct dma_interleaved_template *xt,
				unsigned long flags)
{
	if (!xt || !xt->numf || !xt->frame_size ||
	    xt->numf > LOOPDMA_MAX_CHUNKS / xt->frame_size)
		return false;
	switch (xt->dir) {
	case DMA_MEM_TO_MEM:
		return xt->src_inc && xt->dst_inc &&
		       !(flags & DMA_PREP_REPEAT);
	case DMA_MEM_TO_DEV:
		return xt->src_inc && !xt->dst_inc;
	case DMA_DEV_TO_MEM:
		return !xt->src_inc && xt->dst_inc;
	default:
		return false;
	}
}

/* A piece of a template; false if it is not possible, or there is no memory. */
static bool loopdma_desc_add_chunk(struct loopdma_chan *lc,
				   struct loopdma_desc *d,
				   struct loopdma_segs **tail, dma_addr_t dst,
				   dma_addr_t src, size_t len)
{
	if (d->pairs)
		return loopdma_copy_ok(&lc->ld->lim, dst, src, len) &&
		       loopdma_desc_add_seg(lc, d, tail, src, len) &&
		       loopdma_desc_append(lc, d, tail, dst, len);
	return loopdma_desc_add(lc, d, tail,
				d->op == LOOPDMA_OP_RX ? dst : src, len);
}

static struct loopdma_desc *loopdma_prep_pairs(struct loopdma_chan *lc,
					       unsigned long flags)
{
	struct loopdma_desc *d = NULL;

	if (lc->caps & LOOPDMA_CH_CAPS_COPY)
		d = loopdma_prep(lc, LOOPDMA_OP_COPY, 0, flags);
	if (d)
		d->pairs = true;
	return d;
}

/*
 * The template is written out, so that the client's may go.  Any context; NULL
 * if it is not possible, too large, or there is no memory.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_interleaved_dma(struct dma_chan *chan,
			     struct dma_interleaved_template *xt,
			     unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_segs *tail = NULL;
	struct data_chunk *chunk;
	dma_addr_t src, dst;
	struct loopdma_desc *d;
	size_t frame, i;

	if (!loopdma_template_ok(xt, flags))
		return NULL;
	d = xt->dir == DMA_MEM_TO_MEM ? loopdma_prep_pairs(lc, flags) :
					loopdma_prep_slave(lc, xt->dir, flags);
	if (!d)
		return NULL;
	d->repeat = !!(flags & DMA_PREP_REPEAT);

	src = xt->src_start;
	dst = xt->dst_start;
	for (frame = 0; frame < xt->numf; frame++)
		for (i = 0; i < xt->frame_size; i++) {
			chunk = &xt->sgl[i];
			if (!loopdma_desc_add_chunk(lc, d, &tail, dst, src,
						    chunk->size))
				goto err_put;
			src += chunk->size + dmaengine_get_src_icg(xt, chunk);
			dst += chunk->size + dmaengine_get_dst_icg(xt, chunk);
		}
	return loopdma_prepared(d);

err_put:
	loopdma_tx_drop(lc, d);
	return NULL;
}

/*
 * The peripheral is part of the device and wired to the channel, so an address
 * may be left out; but one that is given has to be its own.
 */
static bool loopdma_config_addr_ok(const struct loopdma_chan *lc,
				   phys_addr_t addr)
{
	return !addr || (lc->ld->regs && addr == lc->ld->regs +
			 LOOPDMA_CH(lc->index, LOOPDMA_CH_FIFO_DATA));
}

/*
 * Can everything be done that is asked for?  The peripheral has a single
 * register, and does not know how long a transfer is to be.
 */
static bool loopdma_config_ok(struct loopdma_chan *lc,
			      const struct dma_slave_config *config)
{
	u32 periph;

	if (config->dst_addr_width &&
	    loopdma_config_periph(lc, config, DMA_MEM_TO_DEV, &periph))
		return false;
	if (config->src_addr_width &&
	    loopdma_config_periph(lc, config, DMA_DEV_TO_MEM, &periph))
		return false;
	return loopdma_config_addr_ok(lc, config->src_addr) &&
	       loopdma_config_addr_ok(lc, config->dst_addr) &&
	       config->src_port_window_size <= 1 &&
	       config->dst_port_window_size <= 1 && !config->device_fc;
}

/* The same for what is ours alone. */
static bool loopdma_peripheral_ok(struct loopdma_chan *lc,
				  const struct loopdma_peripheral_config *periph,
				  size_t size)
{
	bool slave = lc->caps & (LOOPDMA_CH_CAPS_TX | LOOPDMA_CH_CAPS_RX);
	u32 caps = lc->ld->lim.caps;

	if (size != sizeof(*periph) ||
	    periph->priority >= LOOPDMA_PRIORITY_CLASSES)
		return false;
	if (periph->priority && !(caps & LOOPDMA_CAPS_PRIORITY))
		return false;
	return (slave && (caps & LOOPDMA_CAPS_PERIPH)) ||
	       (!periph->pattern && !periph->rate);
}

/* Anything that the peripheral still has to do, or that could be under way. */
static bool loopdma_chan_in_flight(const struct loopdma_chan *lc)
{
	return lc->submitted.first || lc->issued.first || lc->active.first;
}

/* Set the peripheral up; -EBUSY if it would change under way. */
static int loopdma_set_peripheral(struct loopdma_chan *lc,
				  const struct loopdma_peripheral_config *periph)
{
	u32 ctl = FIELD_PREP(LOOPDMA_CH_PERIPH_PATTERN, periph->pattern) |
		  FIELD_PREP(LOOPDMA_CH_PERIPH_SEED, periph->seed);
	unsigned long flags;
	bool in_flight;
	int err = 0;

	spin_lock_irqsave(&lc->lock, flags);
	in_flight = loopdma_chan_in_flight(lc);
	if (in_flight && ctl != lc->periph_ctl) {
		err = -EBUSY;
	} else {
		lc->periph_ctl = ctl;
		lc->rate = periph->rate;
		lc->priority = periph->priority;
		/* In any other state bring-up and recovery will. */
		if (lc->state == LOOPDMA_CHAN_ON)
			loopdma_chan_set_periph(lc, !in_flight);
	}
	spin_unlock_irqrestore(&lc->lock, flags);
	return err;
}

/*
 * A direction whose width is left undefined cannot be used.  Does not affect
 * what is already prepared, but for the peripheral itself and the class: see
 * struct loopdma_peripheral_config.
 */
static int loopdma_config(struct dma_chan *chan,
			  struct dma_slave_config *config)
{
	const struct loopdma_peripheral_config *periph =
		config->peripheral_config;
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	int err;

	if (!loopdma_config_ok(lc, config))
		return -EINVAL;
	if (periph) {
		if (!loopdma_peripheral_ok(lc, periph, config->peripheral_size))
			return -EINVAL;
		err = loopdma_set_peripheral(lc, periph);
		if (err)
			return err;
	}
	lc->config = *config;
	/* The client's may go when we return. */
	lc->config.peripheral_config = NULL;
	return 0;
}

/* Not every channel can do what some can: CH_CAPS tells. */
static void loopdma_caps(struct dma_chan *chan, struct dma_slave_caps *caps)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	if (!(lc->caps & LOOPDMA_CH_CAPS_COPY))
		caps->directions &= ~BIT(DMA_MEM_TO_MEM);
	if (!(lc->caps & LOOPDMA_CH_CAPS_TX))
		caps->directions &= ~BIT(DMA_MEM_TO_DEV);
	if (!(lc->caps & LOOPDMA_CH_CAPS_RX))
		caps->directions &= ~BIT(DMA_DEV_TO_MEM);
}

/* Hand everything submitted so far to the device.  Any context. */
static void loopdma_issue_pending(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	unsigned long flags;

	spin_lock_irqsave(&lc->lock, flags);
	loopdma_chan_issue(lc);
	if (lc->state == LOOPDMA_CHAN_ON && !loopdma_chan_may_wait(lc))
		loopdma_chan_push(lc);
	spin_unlock_irqrestore(&lc->lock, flags);
}

static const struct loopdma_desc *
loopdma_queue_find(const struct loopdma_queue *q, dma_cookie_t cookie)
{
	const struct loopdma_desc *d;

	for (d = q->first; d; d = d->next)
		if (d->tx.cookie == cookie)
			break;
	return d;
}

/*
 * Status of a transaction that is not complete.  *@in_flight: bytes that the
 * channel has received for it, but not yet written.
 */
static enum dma_status loopdma_pending(struct loopdma_chan *lc,
				       dma_cookie_t cookie, u32 *residue,
				       u32 *in_flight)
{
	const struct loopdma_desc *d;

	d = loopdma_queue_find(&lc->active, cookie);
	if (!d)
		d = loopdma_queue_find(&lc->issued, cookie);
	if (!d)
		d = loopdma_queue_find(&lc->submitted, cookie);
	if (!d)
		return DMA_IN_PROGRESS;

	*residue = d->len;
	if (d != loopdma_chan_oldest(lc))
		return DMA_IN_PROGRESS;
	*residue -= lc->moved;
	*residue -= min(*residue, loopdma_chan_progress(lc));
	if (d->op == LOOPDMA_OP_RX)
		*in_flight = min(*residue, loopdma_chan_fifo_level(lc));
	return lc->paused ? DMA_PAUSED : DMA_IN_PROGRESS;
}

/* Is this cookie among those that failed last? */
static bool loopdma_failed(const struct loopdma_chan *lc, dma_cookie_t cookie)
{
	u32 i, n = min_t(u64, lc->nerrors, LOOPDMA_ERRORS);

	if (cookie < DMA_MIN_COOKIE)
		return false;
	if (cookie == lc->told_cookie)
		return true;
	for (i = 0; i < n; i++)
		if (lc->errors[i] == cookie)
			return true;
	return false;
}

/*
 * Status of a cookie, not of the channel.  Takes note of what the device has
 * completed, so that clients can poll without interrupts, but does not call
 * back.  Any context.
 */
static enum dma_status loopdma_tx_status(struct dma_chan *chan,
					 dma_cookie_t cookie,
					 struct dma_tx_state *state)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	enum dma_status status;
	u32 residue = 0, in_flight = 0;
	unsigned long flags;

	spin_lock_irqsave(&lc->lock, flags);
	if (lc->state == LOOPDMA_CHAN_ON)
		loopdma_chan_reap(lc);
	if (lc->state == LOOPDMA_CHAN_ON)
		loopdma_chan_push(lc);
	if (lc->finished.first || (lc->loop && lc->periods))
		tasklet_schedule(&lc->tasklet);

	status = dma_async_is_complete(cookie, chan->completed_cookie,
				       chan->cookie);
	if (status == DMA_IN_PROGRESS)
		status = loopdma_pending(lc, cookie, &residue, &in_flight);
	else if (loopdma_failed(lc, cookie))
		status = DMA_ERROR;
	dma_set_tx_state(state, chan->completed_cookie, chan->cookie, residue);
	if (state)
		state->in_flight_bytes = in_flight;
	spin_unlock_irqrestore(&lc->lock, flags);
	return status;
}

/* Any context, callbacks included; pausing twice does nothing more. */
static int loopdma_pause(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	unsigned long flags;
	int err;

	spin_lock_irqsave(&lc->lock, flags);
	err = loopdma_chan_pause(lc);
	spin_unlock_irqrestore(&lc->lock, flags);
	return err;
}

/* Any context, callbacks included; an error if the channel is not paused. */
static int loopdma_resume(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	unsigned long flags;
	int err;

	spin_lock_irqsave(&lc->lock, flags);
	err = loopdma_chan_resume(lc);
	spin_unlock_irqrestore(&lc->lock, flags);
	return err;
}

/* Any context, callbacks included. */
static int loopdma_terminate_all(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	unsigned long flags;

	spin_lock_irqsave(&lc->lock, flags);
	loopdma_chan_abort(lc);
	spin_unlock_irqrestore(&lc->lock, flags);
	tasklet_schedule(&lc->tasklet);
	return 0;
}

/*
 * Has the device let go of everything that was terminated?  *@off: nothing will
 * tell, because the channel is being taken down.
 */
static bool loopdma_abort_done(struct loopdma_chan *lc, bool *off)
{
	bool done;

	spin_lock_irq(&lc->lock);
	if (lc->state == LOOPDMA_CHAN_ON)
		loopdma_chan_reap(lc);
	if (lc->state == LOOPDMA_CHAN_ON) {
		loopdma_chan_push(lc);
		done = !lc->aborting;
	} else {
		done = lc->state != LOOPDMA_CHAN_RECOVERING;
	}
	*off = lc->state == LOOPDMA_CHAN_OFF;
	spin_unlock_irq(&lc->lock);
	return done;
}

/*
 * The device takes its time.  Has it been taken away, or is it time to restart the
 * channel?  A recovery, also one of the device, comes to an end by itself.
 */
static void loopdma_abort_overdue(struct loopdma_chan *lc, bool enough)
{
	spin_lock_irq(&lc->lock);
	/* The registers are there as long as a channel is ON. */
	if (lc->state == LOOPDMA_CHAN_ON &&
	    (loopdma_is_lost(lc->ld) || enough))
		loopdma_chan_fail(lc, "abort not acknowledged");
	spin_unlock_irq(&lc->lock);
}

/*
 * On return the device does not touch memory of what was terminated, and its
 * callbacks have run.  May sleep.
 */
static void loopdma_synchronize(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	unsigned long patience = jiffies + LOOPDMA_ABORT_PATIENCE;
	unsigned long deadline = jiffies + LOOPDMA_ABORT_TIMEOUT;
	bool off;

	while (!loopdma_abort_done(lc, &off)) {
		if (time_before_eq(jiffies, patience)) {
			usleep_range(20, 50);
			continue;
		}
		loopdma_abort_overdue(lc, time_after(jiffies, deadline));
		usleep_range(1000, 2000);
	}
	if (off) {
		/* Who takes it down holds this until the device has stopped. */
		mutex_lock(&lc->setup);
		mutex_unlock(&lc->setup);
	}

	tasklet_schedule(&lc->tasklet);
	tasklet_kill(&lc->tasklet);
	/*
	 * An interrupt that came while tasklet_kill() held the tasklet has not
	 * scheduled it, and the device waits to be armed again.
	 */
	tasklet_schedule(&lc->tasklet);
}

#ifdef CONFIG_DEBUG_FS
static const char * const loopdma_chan_state_names[] = {
	[LOOPDMA_CHAN_OFF]		= "off",
	[LOOPDMA_CHAN_ON]		= "on",
	[LOOPDMA_CHAN_RECOVERING]	= "recovering",
	[LOOPDMA_CHAN_SUSPENDED]	= "suspended",
	[LOOPDMA_CHAN_DEAD]		= "dead",
};

/* Where the memory of a channel is that has a client. */
static int loopdma_pool_node(const struct loopdma_chan *lc)
{
	return page_to_nid(is_vmalloc_addr(lc->pool) ?
			   vmalloc_to_page(lc->pool) : virt_to_page(lc->pool));
}

static void loopdma_chan_summary(struct seq_file *s, struct loopdma_chan *lc)
{
	enum loopdma_chan_state state;
	struct loopdma_stats stats;
	dma_cookie_t used, last;
	u32 ring_used, priority;

	loopdma_stats_read(lc, &stats);
	spin_lock_irq(&lc->lock);
	state = lc->state;
	used = lc->chan.cookie;
	last = lc->chan.completed_cookie;
	ring_used = loopdma_ring_used(&lc->ring);
	priority = lc->priority;
	spin_unlock_irq(&lc->lock);

	seq_printf(s, " %-13s| %s, %s, cookie %d, complete %d, ring %u of %u",
		   dma_chan_name(&lc->chan),
		   lc->chan.dbg_client_name ?: "in-use",
		   loopdma_chan_state_names[state], used, last, ring_used,
		   lc->ring.size);
	seq_printf(s, ", interrupts %llu, rescued %llu, recoveries %llu, errors %llu",
		   stats.interrupts, stats.rescued, stats.recoveries,
		   loopdma_stats_errors(&stats));
	seq_printf(s, ", class %u, node %d\n", priority, loopdma_pool_node(lc));
}

/*
 * A line for each channel in use, in /sys/kernel/debug/dmaengine/summary.  The
 * core holds its mutex, so no channel changes hands meanwhile; reads no
 * register.
 */
static void loopdma_dbg_summary_show(struct seq_file *s, struct dma_device *dma)
{
	struct dma_chan *chan;

	list_for_each_entry(chan, &dma->channels, device_node)
		if (chan->client_count)
			loopdma_chan_summary(s, to_loopdma_chan(chan));
}
#endif /* CONFIG_DEBUG_FS */

static void loopdma_setup_fill(struct loopdma_dev *ld)
{
	struct dma_device *dma = &ld->dma;

	dma_cap_set(DMA_MEMSET, dma->cap_mask);
	dma_cap_set(DMA_MEMSET_SG, dma->cap_mask);
	dma->fill_align = ld->lim.copy_align;
	dma->device_prep_dma_memset = loopdma_prep_dma_memset;
	dma->device_prep_dma_memset_sg = loopdma_prep_dma_memset_sg;
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

static void loopdma_setup_slave(struct loopdma_dev *ld)
{
	struct dma_device *dma = &ld->dma;

	/*
	 * A client that wants to talk to the peripheral requests a channel.
	 * Without this async_tx takes them all for itself as soon as it is
	 * loaded (provider.rst, "DMA_PRIVATE").
	 */
	dma_cap_set(DMA_PRIVATE, dma->cap_mask);
	dma_cap_set(DMA_SLAVE, dma->cap_mask);
	dma_cap_set(DMA_CYCLIC, dma->cap_mask);
	dma_cap_set(DMA_REPEAT, dma->cap_mask);
	dma_cap_set(DMA_LOAD_EOT, dma->cap_mask);
	dma->directions |= BIT(DMA_MEM_TO_DEV) | BIT(DMA_DEV_TO_MEM);
	dma->src_addr_widths = loopdma_widths_mask(&ld->lim);
	dma->dst_addr_widths = dma->src_addr_widths;
	dma->max_burst = loopdma_limits_max_burst(&ld->lim);
	dma->device_prep_slave_sg = loopdma_prep_slave_sg;
	dma->device_prep_dma_cyclic = loopdma_prep_dma_cyclic;
#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
	dma->device_prep_peripheral_dma_vec = loopdma_prep_peripheral_dma_vec;
#endif
	if (ld->lim.caps & LOOPDMA_CAPS_METADATA)
		dma->desc_metadata_modes = DESC_METADATA_CLIENT |
					   DESC_METADATA_ENGINE;
}

/**
 * loopdma_dmaengine_setup() - fill in what the core is told of a device
 * @ld: device, its limits known
 */
void loopdma_dmaengine_setup(struct loopdma_dev *ld)
{
	struct dma_device *dma = &ld->dma;

	dma->dev = ld->dev;
	dma_cap_set(DMA_MEMCPY, dma->cap_mask);
	dma_cap_set(DMA_INTERRUPT, dma->cap_mask);
	dma_cap_set(DMA_INTERLEAVE, dma->cap_mask);
	dma->copy_align = ld->lim.copy_align;
	dma->directions = BIT(DMA_MEM_TO_MEM);
	dma->descriptor_reuse = true;
	dma->residue_granularity = ld->lim.caps & LOOPDMA_CAPS_PROGRESS ?
				   DMA_RESIDUE_GRANULARITY_BURST :
				   DMA_RESIDUE_GRANULARITY_SEGMENT;

	if (ld->lim.caps & LOOPDMA_CAPS_FILL)
		loopdma_setup_fill(ld);
	/* Who divides a long list of sources needs a place for the result. */
	if ((ld->lim.caps & LOOPDMA_CAPS_XOR) && ld->lim.max_sources > 1)
		loopdma_setup_xor(ld);
	if ((ld->lim.caps & LOOPDMA_CAPS_PQ) && ld->lim.max_sources > 1)
		loopdma_setup_pq(ld);
	if (ld->lim.caps & LOOPDMA_CAPS_LOOPBACK)
		loopdma_setup_slave(ld);
	if (ld->lim.caps & LOOPDMA_CAPS_PAUSE) {
		dma->device_pause = loopdma_pause;
		dma->device_resume = loopdma_resume;
	}

	/* Channels without a peripheral have a class. */
	if (ld->lim.caps & (LOOPDMA_CAPS_LOOPBACK | LOOPDMA_CAPS_PRIORITY))
		dma->device_config = loopdma_config;
	dma->device_caps = loopdma_caps;
	dma->device_alloc_chan_resources = loopdma_alloc_chan_resources;
	dma->device_free_chan_resources = loopdma_free_chan_resources;
	dma->device_prep_dma_memcpy = loopdma_prep_dma_memcpy;
	dma->device_prep_dma_interrupt = loopdma_prep_dma_interrupt;
	dma->device_prep_interleaved_dma = loopdma_prep_interleaved_dma;
	dma->device_issue_pending = loopdma_issue_pending;
	dma->device_tx_status = loopdma_tx_status;
	dma->device_terminate_all = loopdma_terminate_all;
	dma->device_synchronize = loopdma_synchronize;
#ifdef CONFIG_DEBUG_FS
	dma->dbg_summary_show = loopdma_dbg_summary_show;
#endif
}
