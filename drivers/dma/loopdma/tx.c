// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: a transaction, from prep to submit.
 *
 * What the device_prep_* callbacks have in common.
 */
#include <linux/scatterlist.h>

#include "tx.h"

/**
 * loopdma_chan_takes_work() - may clients prepare and submit?
 * @lc: channel, locked
 *
 * Return: true if they may.
 */
bool loopdma_chan_takes_work(const struct loopdma_chan *lc)
{
	return lc->state != LOOPDMA_CHAN_OFF && lc->state != LOOPDMA_CHAN_DEAD;
}

/**
 * loopdma_tx_drop() - end a descriptor that is not queued
 * @lc: channel
 * @d: descriptor
 *
 * What the client has had attached by dma_set_unmap() stays the client's.
 *
 * Context: any.
 */
void loopdma_tx_drop(struct loopdma_chan *lc, struct loopdma_desc *d)
{
	unsigned long flags;

	spin_lock_irqsave(&lc->lock, flags);
	while (loopdma_desc_has_segs(d) && loopdma_desc_trim(lc, d)) {
		spin_unlock_irqrestore(&lc->lock, flags);
		spin_lock_irqsave(&lc->lock, flags);
	}
	loopdma_desc_put(lc, d);
	spin_unlock_irqrestore(&lc->lock, flags);
}

/*
 * A check sets bits for what is wrong.  Clients, raid5 for one, leave it to the
 * provider to clear them.
 */
static void loopdma_clear_check(struct loopdma_desc *d)
{
	if (!loopdma_op_is_raid(d->op))
		return;
	d->raid->mismatch = 0;
	if (d->raid->result)
		*d->raid->result = 0;
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
 * it is refused; one to be used again stays the client's then.  If it is refused
 * the client's reference to its unmap data stays with the client, which knows that
 * nothing was begun: ntb_transport, for one, puts it.  Any context.
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
		if (unlikely(cookie % LOOPDMA_COOKIES_HALF == DMA_MIN_COOKIE))
			loopdma_queue_forget_failures(lc, cookie);
		lc->chan.cookie = cookie;
		tx->cookie = cookie;
		/* What the last use has left. */
		d->result = DMA_TRANS_NOERROR;
		d->aborted = false;
		d->busy = true;
		loopdma_clear_check(d);
		loopdma_load_meta(d);
		loopdma_queue_add(&lc->q.submitted, d);
		lc->q.nsubmitted++;
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

/**
 * loopdma_desc_busy() - is a descriptor submitted, and has not yet ended?
 * @d: descriptor
 *
 * Context: any.
 * Return: true if so.
 */
bool loopdma_desc_busy(struct loopdma_desc *d)
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

	dma_descriptor_unmap(tx);
	loopdma_tx_drop(to_loopdma_chan(tx->chan), d);
	return 0;
}

/**
 * loopdma_prep() - take a descriptor and fill in what all kinds have in common
 * @lc: channel
 * @op: what it does
 * @len: bytes of it, as far as they are known
 * @tx_flags: the client's
 *
 * Context: any.
 * Return: the descriptor, or NULL if there is none left or the channel refuses
 * work.
 */
struct loopdma_desc *loopdma_prep(struct loopdma_chan *lc,
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

/**
 * loopdma_desc_append() - append a segment
 * @lc: channel
 * @d: descriptor
 * @tail: its last block of segments; *tail is NULL at first
 * @addr: bus address
 * @len: bytes
 *
 * Context: any.
 * Return: true; false if there is no memory.
 */
bool loopdma_desc_append(struct loopdma_chan *lc, struct loopdma_desc *d,
			 struct loopdma_segs **tail, dma_addr_t addr, u32 len)
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

/**
 * loopdma_desc_add_seg() - append a segment that counts
 * @lc: channel
 * @d: descriptor
 * @tail: its last block of segments; *tail is NULL at first
 * @addr: bus address
 * @len: bytes, which the transaction is longer afterwards
 *
 * Context: any.
 * Return: true; false if there is no memory, or the total is too long.
 */
bool loopdma_desc_add_seg(struct loopdma_chan *lc, struct loopdma_desc *d,
			  struct loopdma_segs **tail, dma_addr_t addr, u32 len)
{
	if (len > U32_MAX - d->len)
		return false;
	d->len += len;
	return loopdma_desc_append(lc, d, tail, addr, len);
}

/**
 * loopdma_desc_add() - append memory of a fill or a slave transfer
 * @lc: channel
 * @d: descriptor
 * @tail: its last block of segments; *tail is NULL at first
 * @addr: bus address
 * @len: bytes
 *
 * Context: any.
 * Return: true; false if there is no memory, the total is too long, or the device
 * cannot use it for that.
 */
bool loopdma_desc_add(struct loopdma_chan *lc, struct loopdma_desc *d,
		      struct loopdma_segs **tail, dma_addr_t addr, size_t len)
{
	const struct loopdma_limits *lim = &lc->ld->lim;
	bool ok = d->op == LOOPDMA_OP_FILL ?
		  loopdma_buf_ok(lim, addr, len) :
		  loopdma_seg_ok(lim, d->periph, addr, len);

	return ok && loopdma_desc_add_seg(lc, d, tail, addr, len);
}

/**
 * loopdma_desc_add_list() - append a list, and hand the descriptor out
 * @lc: channel
 * @d: descriptor without segments
 * @sgl: list
 * @n: number of its entries
 *
 * Context: any.
 * Return: what the client sees; NULL, and the descriptor is dropped, if
 * loopdma_desc_add() refuses an entry.
 */
struct dma_async_tx_descriptor *
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
