// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the queues of a channel.
 *
 * A transaction is submitted, issued, put into the ring piece by piece, retired by
 * the device, and completed.  Everything in here works on a locked channel; no
 * client is called back.
 */
#include <linux/lockdep.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "loopdma.h"
#include "trace.h"

/* How often a transaction that is repeated is in the ring. */
#define LOOPDMA_REPEAT_AHEAD		2

/*
 * Entries that one hold of the lock puts into the ring, and takes out.  A hold should
 * not disable interrupts for more than 100 us.  To unmap what is attached to a
 * transaction takes several times as long as the rest.
 */
#define LOOPDMA_FILL_MAX		256
#define LOOPDMA_REAP_MAX		64
#define LOOPDMA_UNMAP_COST		4

/* --- Failed cookies --------------------------------------------------------------- */

/* How far a cookie is behind another: they go round, and none is below the first. */
static u32 loopdma_cookie_distance(dma_cookie_t from, dma_cookie_t to)
{
	return to >= from ? to - from :
	       (u32)(INT_MAX - from) + (to - DMA_MIN_COOKIE) + 1;
}

/* Of the two halves of all cookies, which has this one? */
static bool loopdma_cookie_is_upper(dma_cookie_t cookie)
{
	return cookie > LOOPDMA_COOKIES_HALF;
}

/* Cookies that follow each other did not succeed. */
static void loopdma_failures_add(struct loopdma_chan *lc, dma_cookie_t first,
				 u32 n)
{
	struct loopdma_failures *f = &lc->failures;
	u32 last = (f->runs - 1) % LOOPDMA_FAILURES;

	if (f->runs && loopdma_cookie_distance(f->run[last].first, first) ==
		       f->run[last].n) {
		f->run[last].n += n;
		return;
	}
	last = f->runs++ % LOOPDMA_FAILURES;
	f->run[last].first = first;
	f->run[last].n = n;
}

/* A transaction has failed. */
static void loopdma_failures_add_one(struct loopdma_chan *lc,
				     const struct loopdma_desc *d)
{
	struct loopdma_failures *f = &lc->failures;

	loopdma_failures_add(lc, d->tx.cookie, 1);
	f->one[f->ones++ % LOOPDMA_FAILURES] = (struct loopdma_failure) {
		.cookie = d->tx.cookie,
		.residue = d->residue,
	};
}

/**
 * loopdma_queue_forget_failures() - half of the cookies are given out again
 * @lc: channel, locked
 * @cookie: the first of them
 *
 * A new transaction must not be taken for an old one that failed.
 */
void loopdma_queue_forget_failures(struct loopdma_chan *lc, dma_cookie_t cookie)
{
	struct loopdma_failures *f = &lc->failures;
	bool upper = loopdma_cookie_is_upper(cookie);
	u32 i;

	for (i = 0; i < LOOPDMA_FAILURES; i++) {
		if (loopdma_cookie_is_upper(f->run[i].first) == upper)
			f->run[i].n = 0;
		if (loopdma_cookie_is_upper(f->one[i].cookie) == upper)
			f->one[i].cookie = 0;
	}
}

/* What there is to say of a transaction that failed, or NULL. */
static const struct loopdma_failure *
loopdma_failures_find(const struct loopdma_failures *f, dma_cookie_t cookie)
{
	u32 i, n = min_t(u64, f->ones, LOOPDMA_FAILURES);

	if (cookie == f->told.cookie)
		return &f->told;
	for (i = 0; i < n; i++)
		if (cookie == f->one[i].cookie)
			return &f->one[i];
	return NULL;
}

/**
 * loopdma_queue_failed() - did a transaction end without success?
 * @lc: channel, locked
 * @cookie: its cookie, which is complete
 * @residue: bytes that were not moved; left alone if the channel does not know
 *
 * Return: true if it failed or was terminated, as far as the channel remembers:
 * as many runs of such cookies, and as many failures, as LOOPDMA_FAILURES.  It
 * knows the residue of these failures alone.
 */
bool loopdma_queue_failed(const struct loopdma_chan *lc, dma_cookie_t cookie,
			  u32 *residue)
{
	const struct loopdma_failures *f = &lc->failures;
	u32 i, n = min_t(u64, f->runs, LOOPDMA_FAILURES);
	const struct loopdma_failure *one;

	if (cookie < DMA_MIN_COOKIE)
		return false;
	one = loopdma_failures_find(f, cookie);
	if (one) {
		*residue = one->residue;
		return true;
	}
	for (i = 0; i < n; i++)
		if (loopdma_cookie_distance(f->run[i].first, cookie) <
		    f->run[i].n)
			return true;
	return false;
}

/* --- Into the ring ----------------------------------------------------------------- */

/**
 * loopdma_queue_issue() - what is submitted is to be done from now on
 * @lc: channel, locked
 */
void loopdma_queue_issue(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->lock);

	if (!lc->q.submitted.first)
		return;
	/* The bottom half has looked at it, for all that its callbacks issue. */
	if (lc->caller != raw_smp_processor_id())
		loopdma_stats_clock(lc);
	lc->stats.depth += lc->q.nsubmitted;
	trace_loopdma_issue(lc, lc->q.nsubmitted);
	lc->q.nsubmitted = 0;
	loopdma_queue_splice(&lc->q.issued, &lc->q.submitted);
}

/* A piece of a transaction, small enough for an entry of the ring. */
struct loopdma_piece {
	dma_addr_t addr;	/* what the opcode reads, else writes */
	dma_addr_t to;		/* of a copy: what it writes */
	u32 off;		/* bytes from the start of the transaction's buffers */
	u32 len;
	bool seg_end;		/* the last of its segment */
	bool last;
};

/**
 * loopdma_queue_entries() - how many entries does a copy or a fill take?
 * @lc: channel
 * @len: bytes of it
 *
 * Context: any.
 * Return: their number.
 */
u32 loopdma_queue_entries(const struct loopdma_chan *lc, u32 len)
{
	const struct loopdma_limits *lim = &lc->ld->lim;

	return DIV_ROUND_UP_ULL(len, loopdma_limits_max_piece(lim,
							      BIT(lim->copy_align)));
}

/* Move the cursor to the next segment; true if there is none. */
static bool loopdma_cursor_next_seg(struct loopdma_chan *lc,
				    const struct loopdma_desc *d)
{
	lc->cursor.off = 0;
	lc->cursor.idx += d->pairs ? 2 : 1;
	if (lc->cursor.idx == lc->cursor.seg->n) {
		lc->cursor.seg = lc->cursor.seg->next;
		lc->cursor.idx = 0;
	}
	return !lc->cursor.seg;
}

/* Take the next piece of a transaction at the cursor, and move the cursor. */
static struct loopdma_piece loopdma_cursor_cut(struct loopdma_chan *lc,
					       const struct loopdma_desc *d)
{
	const struct loopdma_limits *lim = &lc->ld->lim;
	bool slave = d->op == LOOPDMA_OP_TX || d->op == LOOPDMA_OP_RX;
	u32 unit = slave ? loopdma_periph_width(d->periph) :
			   BIT(lim->copy_align);
	struct loopdma_piece piece = { .off = lc->cursor.off };
	const struct loopdma_segs *segs = NULL;
	u32 len = d->len;

	if (loopdma_desc_has_segs(d)) {
		segs = lc->cursor.seg;
		len = segs->len[lc->cursor.idx];
		piece.addr = segs->addr[lc->cursor.idx] + piece.off;
		if (d->pairs)
			piece.to = segs->addr[lc->cursor.idx + 1] + piece.off;
	} else if (d->op == LOOPDMA_OP_COPY) {
		piece.addr = d->src + piece.off;
		piece.to = d->dst + piece.off;
	}
	piece.len = min(len - piece.off, loopdma_limits_max_piece(lim, unit));
	lc->cursor.off += piece.len;
	piece.seg_end = lc->cursor.off == len;
	piece.last = piece.seg_end;
	if (segs && piece.seg_end)
		piece.last = loopdma_cursor_next_seg(lc, d);
	return piece;
}

/* Set the cursor to the start of a transaction. */
static void loopdma_cursor_rewind(struct loopdma_chan *lc,
				  const struct loopdma_desc *d)
{
	lc->cursor.seg = d->segs;
	lc->cursor.idx = 0;
	lc->cursor.off = 0;
}

/* Set it to where so many bytes of it, but not all, are behind. */
static void loopdma_cursor_seek(struct loopdma_chan *lc,
				const struct loopdma_desc *d, u32 bytes)
{
	loopdma_cursor_rewind(lc, d);
	if (loopdma_desc_has_segs(d)) {
		while (bytes && bytes >= lc->cursor.seg->len[lc->cursor.idx]) {
			bytes -= lc->cursor.seg->len[lc->cursor.idx];
			loopdma_cursor_next_seg(lc, d);
		}
	}
	lc->cursor.off = bytes;
}

static bool loopdma_cursor_at_start(const struct loopdma_chan *lc,
				    const struct loopdma_desc *d)
{
	return lc->cursor.seg == d->segs && !lc->cursor.idx && !lc->cursor.off;
}

/*
 * Is a transaction that loops to end here?  One that failed is: the device skips
 * the rest of it.  One that is repeated is when it has been through and another
 * waits that is to replace it (dmaengine.h, DMA_PREP_LOAD_EOT).
 */
static bool loopdma_cursor_loop_ends(const struct loopdma_chan *lc,
				     const struct loopdma_desc *d)
{
	if (d->result != DMA_TRANS_NOERROR)
		return true;
	return d->repeat && lc->cursor.through && loopdma_cursor_at_start(lc, d) &&
	       d->next && (d->next->tx.flags & DMA_PREP_LOAD_EOT);
}

/*
 * What a transaction that is repeated has in the ring delays the one that is to
 * replace it; so no more than keeps the device busy.  How much that is follows from
 * lengths that the device can write, but whether there is any does not: in an empty
 * ring nothing would go on.
 */
static bool loopdma_cursor_loop_waits(const struct loopdma_chan *lc,
				      const struct loopdma_desc *d)
{
	return d->repeat && lc->cursor.ahead >= LOOPDMA_REPEAT_AHEAD &&
	       loopdma_ring_used(&lc->ring) && loopdma_cursor_at_start(lc, d) &&
	       !loopdma_cursor_loop_ends(lc, d);
}

/*
 * Control word of a piece of a transaction that loops.  It is one endless chain,
 * of which the device skips the rest when a piece fails.  The client is told of
 * each period, or each time round.
 */
static u32 loopdma_cursor_loop_ctrl(struct loopdma_chan *lc,
				    const struct loopdma_desc *d,
				    const struct loopdma_piece *piece)
{
	bool told = d->cyclic ? piece->seg_end : piece->last;
	u32 ctrl = LOOPDMA_CTRL_CHAIN;

	if (piece->last) {
		loopdma_cursor_rewind(lc, d);
		lc->cursor.through = true;
		lc->cursor.ahead++;
	}
	if (told && (d->tx.flags & DMA_PREP_INTERRUPT))
		ctrl |= LOOPDMA_CTRL_INT;
	/* Nobody else will fill the ring again before it is empty. */
	if ((d->repeat && piece->last) ||
	    !(lc->ring.head & (lc->ring.size / 2 - 1)))
		ctrl |= LOOPDMA_CTRL_INT;
	return ctrl;
}

/*
 * Write the next entry of a transaction.  Returns true if that was the last one.
 */
static bool loopdma_queue_fill_entry(struct loopdma_chan *lc,
				     struct loopdma_desc *d)
{
	struct loopdma_hw_desc *hw = loopdma_ring_push(&lc->ring);
	bool loops = loopdma_desc_loops(d);
	struct loopdma_piece piece;
	u32 ctrl = 0;

	if (loops && loopdma_cursor_loop_ends(lc, d)) {
		/* The end of the chain, and of the transaction. */
		loopdma_desc_nop(hw, LOOPDMA_CTRL_INT);
		return true;
	}

	piece = loopdma_cursor_cut(lc, d);
	if (loops)
		ctrl = loopdma_cursor_loop_ctrl(lc, d, &piece);
	else if (!piece.last)
		ctrl = LOOPDMA_CTRL_CHAIN;
	else if (d->tx.flags & DMA_PREP_INTERRUPT)
		ctrl = LOOPDMA_CTRL_INT;

	switch (d->op) {
	case LOOPDMA_OP_COPY:
		loopdma_desc_copy(hw, piece.to, piece.addr, piece.len, ctrl);
		break;
	case LOOPDMA_OP_TX:
		loopdma_desc_tx(hw, piece.addr, piece.len, d->periph, ctrl);
		if (piece.last && d->segs->meta_len)
			loopdma_desc_send_meta(hw, d->segs->meta,
					       d->segs->meta_len);
		break;
	case LOOPDMA_OP_RX:
		loopdma_desc_rx(hw, piece.addr, piece.len, d->periph, ctrl);
		if (d->tx.metadata_ops)
			loopdma_desc_want_meta(hw);
		break;
	case LOOPDMA_OP_FILL:
		loopdma_desc_fill(hw, piece.addr, piece.len, d->byte, ctrl);
		break;
	case LOOPDMA_OP_XOR:
	case LOOPDMA_OP_XOR_CHECK:
	case LOOPDMA_OP_PQ:
	case LOOPDMA_OP_PQ_CHECK:
		loopdma_desc_raid(hw, d->op, d->raid, piece.off, piece.len,
				  ctrl);
		break;
	default:
		loopdma_desc_nop(hw, ctrl);
		break;
	}
	return piece.last && !loops;
}

/**
 * loopdma_queue_fill_ring() - put issued work into the ring and tell the device
 * @lc: channel, locked, running
 *
 * As much as fits, but LOOPDMA_FILL_MAX entries at the most; the rest follows from
 * the completion path.  One doorbell for all of it.
 *
 * Return: true if there was more than LOOPDMA_FILL_MAX, see loopdma_chan_fill_ring().
 */
bool loopdma_queue_fill_ring(struct loopdma_chan *lc)
{
	struct loopdma_hw_desc *hw;
	struct loopdma_desc *d;
	bool more = false;

	lockdep_assert_held(&lc->lock);

	while ((d = lc->q.issued.first) && loopdma_ring_space(&lc->ring)) {
		/* An unordered device begins a transaction when it has all of it. */
		if (loopdma_ring_untold(&lc->ring) >= LOOPDMA_FILL_MAX &&
		    !(lc->unordered && lc->cursor.busy)) {
			more = true;
			break;
		}
		if (!lc->cursor.busy) {
			/* As a whole, so that its last status tells of it. */
			if (unlikely(lc->unordered) &&
			    loopdma_ring_space(&lc->ring) <
			    loopdma_queue_entries(lc, d->len))
				break;
			lc->cursor.busy = true;
			lc->cursor.through = false;
			lc->cursor.ahead = 0;
			/* A part of it may have been done before a restart. */
			loopdma_cursor_seek(lc, d, lc->q.active.first ? 0 :
						   lc->bytes_done);
		}
		if (loopdma_cursor_loop_waits(lc, d))
			break;
		if (loopdma_queue_fill_entry(lc, d)) {
			lc->cursor.busy = false;
			d->end = lc->ring.head;
			loopdma_queue_pop(&lc->q.issued);
			loopdma_queue_add(&lc->q.active, d);
		}
	}

	if (!loopdma_ring_untold(&lc->ring))
		return false;

	/*
	 * What follows a full ring can only be moved in when entries retire,
	 * so there must be an interrupt to do it, even if no client asked.
	 */
	if (!loopdma_ring_space(&lc->ring)) {
		hw = loopdma_ring_slot(&lc->ring, lc->ring.head - 1);
		hw->ctrl |= cpu_to_le32(LOOPDMA_CTRL_INT);
	}

	lc->stats.doorbells++;
	trace_loopdma_start(lc, loopdma_ring_untold(&lc->ring));
	/*
	 * The doorbell hands the entries over.  The register write orders the
	 * stores to the ring before itself, as writel() does; it pairs with
	 * the device's read barrier between doorbell and descriptor fetch.
	 */
	loopdma_hw_write(lc, LOOPDMA_CH_DOORBELL, loopdma_ring_ring(&lc->ring));
	return more;
}

/* --- Out of the ring --------------------------------------------------------------- */

/**
 * loopdma_queue_oldest() - the transaction that the device is at
 * @lc: channel, locked
 *
 * Return: the oldest transaction with entries in the ring, or NULL.
 */
struct loopdma_desc *loopdma_queue_oldest(struct loopdma_chan *lc)
{
	if (lc->q.active.first)
		return lc->q.active.first;
	return lc->cursor.busy ? lc->q.issued.first : NULL;
}

/*
 * What /sys/class/dma/<channel>/bytes_transferred and memcpy_count tell; the
 * core adds the CPUs up.  It frees them when the device is unregistered, also
 * if a client still holds the channel, but all transactions have ended by then:
 * see loopdma_unregister().
 */
static void loopdma_desc_count(struct loopdma_chan *lc,
			       const struct loopdma_desc *d)
{
	this_cpu_add(lc->chan.local->bytes_transferred, lc->bytes_done);
	if (d->op == LOOPDMA_OP_COPY && d->result == DMA_TRANS_NOERROR)
		this_cpu_inc(lc->chan.local->memcpy_count);
}

/*
 * A client that polls may submit a descriptor for reuse again as soon as its
 * cookie is complete: nobody is to be called back for it.
 */
static bool loopdma_desc_given_back(const struct loopdma_desc *d)
{
	return (d->tx.flags & DMA_CTRL_REUSE) && !d->tx.callback &&
	       !d->tx.callback_result;
}

/* Is it one whose segments take time to be freed? */
static bool loopdma_desc_is_long(const struct loopdma_desc *d)
{
	return loopdma_desc_has_segs(d) && d->segs->next && d->segs->next->next;
}

/*
 * Is there nobody who waits for the end of a transaction, and nobody who could
 * make another depend on it?  Then it need not wait for the bottom half, which one
 * who polls would have to let run, to be used again.
 */
static bool loopdma_desc_is_over(struct loopdma_chan *lc,
				 struct loopdma_desc *d)
{
	return !d->tx.callback && !d->tx.callback_result &&
	       !dmaengine_desc_test_reuse(&d->tx) && !txd_next(&d->tx) &&
	       !loopdma_desc_is_long(d) && loopdma_desc_acked(lc, d);
}

/*
 * What a check has found.  One that did not get through has not shown that
 * anything is right.  After termination the client may have freed the memory.
 */
static void loopdma_desc_tell_check(struct loopdma_desc *d)
{
	struct loopdma_raid *par = d->raid;

	if (d->aborted || !loopdma_op_is_raid(d->op) || !par->result)
		return;
	if (d->result != DMA_TRANS_NOERROR) {
		if (!(par->arg & LOOPDMA_ARG_NO_P))
			par->mismatch |= SUM_CHECK_P_RESULT;
		if (d->op == LOOPDMA_OP_PQ_CHECK &&
		    !(par->arg & LOOPDMA_ARG_NO_Q))
			par->mismatch |= SUM_CHECK_Q_RESULT;
	}
	*par->result = par->mismatch;
}

/*
 * The metadata that came with the data, to where the client wants it.  The
 * client's buffer is its own again when the cookie is complete (provider.rst,
 * "DESC_METADATA_CLIENT"), or the transaction is terminated.
 */
static void loopdma_desc_tell_meta(const struct loopdma_desc *d)
{
	const struct loopdma_segs *segs = d->segs;

	if (d->op == LOOPDMA_OP_RX && !d->aborted && segs->client &&
	    d->result == DMA_TRANS_NOERROR)
		memcpy(segs->client, segs->meta, segs->client_len);
}

/*
 * A transaction has ended.  Its cookie is complete before its callback, and
 * the bottom half, which calls back, takes the queue from the front.
 */
static void loopdma_queue_complete(struct loopdma_chan *lc,
				   struct loopdma_desc *d)
{
	loopdma_desc_count(lc, d);
	loopdma_desc_tell_check(d);
	loopdma_desc_tell_meta(d);
	/*
	 * What has succeeded has no residue: one that is repeated ends where it
	 * would begin anew, and lengths are what the device has left of them.
	 */
	d->residue = d->len - lc->bytes_done;
	if (d->result == DMA_TRANS_NOERROR)
		d->residue = 0;
	lc->bytes_done = 0;
	if (lc->periods.desc == d)
		lc->periods.desc = NULL;

	/* loopdma_queue_terminate() has completed the cookies of the aborted. */
	if (!d->aborted) {
		lc->chan.completed_cookie = d->tx.cookie;
		if (d->result != DMA_TRANS_NOERROR) {
			loopdma_failures_add_one(lc, d);
			trace_loopdma_error(lc, d);
		} else {
			trace_loopdma_complete(lc, d);
		}
	}
	loopdma_stats_end(lc, d);
	/* A client that polls may look at the data as soon as we unlock. */
	dma_descriptor_unmap(&d->tx);
	d->cookie = d->tx.cookie;
	d->tx.cookie = 0;
	if (loopdma_desc_given_back(d))
		d->busy = false;
	else if (loopdma_desc_is_over(lc, d))
		loopdma_desc_put(lc, d);
	else
		loopdma_queue_add(&lc->q.completed, d);
}

/*
 * A transaction that loops has moved some bytes more.  A callback is due for
 * each period, or each time that it is through.
 */
static void loopdma_queue_period_elapsed(struct loopdma_chan *lc,
					 struct loopdma_desc *d)
{
	bool through = lc->bytes_done == d->len;

	if (d->aborted)
		return;
	if (through || (d->cyclic && !(lc->bytes_done % d->segs->len[0]))) {
		if (lc->periods.desc != d)
			lc->periods.due = 0;
		lc->periods.desc = d;
		/*
		 * A client that is slower than its data loses callbacks, as it
		 * may (provider.rst, "DMA_CYCLIC").
		 */
		lc->periods.due = min(lc->periods.due + 1, lc->ring.size);
	}
	if (!through)
		return;
	this_cpu_add(lc->chan.local->bytes_transferred, lc->bytes_done);
	lc->bytes_done = 0;
	/* A device that says more than it was told would make it wrap. */
	if (lc->cursor.busy && d == lc->q.issued.first && lc->cursor.ahead)
		lc->cursor.ahead--;
}

/* Of several pieces the last that has metadata counts, as within a piece. */
static void loopdma_desc_take_meta(struct loopdma_desc *d,
				   const struct loopdma_hw_desc *hw)
{
	u32 len = loopdma_desc_meta(hw, d->segs->meta);

	if (len)
		d->segs->meta_len = len;
}

/* Account an entry that is retired to its transaction. */
static void loopdma_queue_account(struct loopdma_chan *lc,
				  struct loopdma_desc *d,
				  const struct loopdma_hw_desc *hw)
{
	enum dmaengine_tx_result result;
	u32 residue, moved;

	result = loopdma_desc_result(hw, &residue);
	/* The first error of a chain is the one to tell; the rest is skipped. */
	if (result != DMA_TRANS_NOERROR && d->result == DMA_TRANS_NOERROR) {
		d->result = result;
		d->status = loopdma_desc_status(hw);
		if (!d->aborted) {
			trace_loopdma_fault(lc, d, hw);
			/* Its address is told by the event, not to the log. */
			dev_dbg(lc->ld->dev, "channel %u: %s\n", lc->index,
				loopdma_status_name(d->status));
		}
	}

	if (loopdma_op_is_raid(d->op))
		d->raid->mismatch |= loopdma_desc_mismatch(hw);
	if (d->op == LOOPDMA_OP_RX)
		loopdma_desc_take_meta(d, hw);

	/* The length is read back from memory that the device can write. */
	moved = min(loopdma_desc_len(hw) - residue, d->len - lc->bytes_done);
	lc->bytes_done += moved;
	lc->stats.bytes += moved;
	if (moved && loopdma_desc_loops(d))
		loopdma_queue_period_elapsed(lc, d);
}

/* What a hold of the lock pays for an entry, of which it has LOOPDMA_REAP_MAX. */
static u32 loopdma_desc_cost(const struct loopdma_desc *d)
{
	return d->tx.unmap ? LOOPDMA_UNMAP_COST : 1;
}

/* Account the entry at the tail, which is retired. */
static void loopdma_queue_retire(struct loopdma_chan *lc, struct loopdma_desc *d)
{
	loopdma_queue_account(lc, d, loopdma_ring_slot(&lc->ring,
						       lc->ring.tail));
	loopdma_ring_consume(&lc->ring, 1);
	if (d == lc->q.active.first && lc->ring.tail == d->end) {
		loopdma_queue_pop(&lc->q.active);
		loopdma_queue_complete(lc, d);
	}
}

/*
 * Take note of the next n entries, until the budget is used up.  False if one of them
 * has no status.
 */
static bool loopdma_queue_retire_n(struct loopdma_chan *lc, u32 n, u32 budget)
{
	const struct loopdma_hw_desc *hw;
	struct loopdma_desc *d;

	for (; n && budget; n--) {
		hw = loopdma_ring_slot(&lc->ring, lc->ring.tail);
		if (loopdma_desc_status(hw) == LOOPDMA_ST_PENDING)
			return false;
		d = loopdma_queue_oldest(lc);
		budget -= min(budget, loopdma_desc_cost(d));
		loopdma_queue_retire(lc, d);
	}
	return true;
}

/* --- Out of the ring, in any order --------------------------------------------------- */

/*
 * An unordered device retires a transaction as a whole and its entries in order, so
 * that the status of the last entry tells of all.
 */
static bool loopdma_desc_retired(const struct loopdma_chan *lc,
				 const struct loopdma_desc *d)
{
	const struct loopdma_hw_desc *last = loopdma_ring_slot(&lc->ring,
							       d->end - 1);

	return loopdma_desc_status(last) != LOOPDMA_ST_PENDING;
}

static u32 loopdma_desc_start(const struct loopdma_chan *lc,
			      const struct loopdma_desc *d)
{
	return d->end - loopdma_queue_entries(lc, d->len);
}

/* A transaction is retired; false if one of its entries has no status. */
static bool loopdma_queue_retire_whole(struct loopdma_chan *lc,
				       struct loopdma_desc *d)
{
	const struct loopdma_hw_desc *hw;
	u32 count;

	for (count = loopdma_desc_start(lc, d); count != d->end; count++) {
		hw = loopdma_ring_slot(&lc->ring, count);
		if (loopdma_desc_status(hw) == LOOPDMA_ST_PENDING) {
			lc->bytes_done = 0;
			return false;
		}
		loopdma_queue_account(lc, d, hw);
	}
	loopdma_queue_complete(lc, d);
	return true;
}

/*
 * Up to where slots are free: the device has passed them, and their statuses are not
 * needed any more.
 */
static u32 loopdma_queue_free_to(const struct loopdma_chan *lc, u32 done)
{
	const struct loopdma_desc *d = lc->q.active.first;
	u32 start = d ? loopdma_desc_start(lc, d) : done;

	return loopdma_count_reached(done, start) ? start : done;
}

/*
 * Take note of transactions that are retired, wherever they are in the ring, until
 * the budget is used up.  False if one lacks a status, of its own or
 * among the entries below a count.
 */
static bool loopdma_queue_reap_any(struct loopdma_chan *lc, u32 done, u32 *budget)
{
	struct loopdma_queue rest = { };
	struct loopdma_desc *d;
	bool good = true;

	while (good && *budget && (d = loopdma_queue_pop(&lc->q.active))) {
		if (loopdma_desc_retired(lc, d)) {
			/*
			 * Reads the status before the data and the rest of the
			 * entry that it vouches for.  Pairs with the device's
			 * write barrier before the status.
			 */
			dma_rmb();
			*budget -= min(*budget, loopdma_desc_cost(d) *
				       loopdma_queue_entries(lc, d->len));
			good = loopdma_queue_retire_whole(lc, d);
			if (good)
				continue;
		} else if (loopdma_count_reached(done, d->end)) {
			good = false;
		}
		loopdma_queue_add(&rest, d);
	}
	loopdma_queue_splice(&rest, &lc->q.active);
	lc->q.active = rest;
	loopdma_ring_consume(&lc->ring,
			     loopdma_queue_free_to(lc, done) - lc->ring.tail);
	return good;
}

/**
 * loopdma_queue_retired() - what is retired, and not yet taken note of?
 * @lc: channel, locked, running
 * @asked: set to whether some of it was to interrupt, or NULL
 *
 * Return: how many entries, or on an unordered channel something above 0 if there is
 * anything; -EPROTO if the device tells a count that it cannot have reached.
 */
int loopdma_queue_retired(const struct loopdma_chan *lc, bool *asked)
{
	u32 done = loopdma_hw_done(lc);
	int i, n = loopdma_ring_retired(&lc->ring, done);
	const struct loopdma_hw_desc *hw;
	const struct loopdma_desc *d;
	bool any = false;

	if (!lc->unordered && !asked)
		return n;
	if (n >= 0 && lc->unordered) {
		n = loopdma_queue_free_to(lc, done) != lc->ring.tail;
		for (d = lc->q.active.first; d; d = d->next)
			n += loopdma_desc_retired(lc, d);
		/* Each transaction interrupts. */
		any = n;
	} else {
		for (i = 0; i < n; i++) {
			hw = loopdma_ring_slot(&lc->ring, lc->ring.tail + i);
			if (hw->ctrl & cpu_to_le32(LOOPDMA_CTRL_INT))
				any = true;
		}
	}
	if (asked)
		*asked = any;
	return n;
}

/**
 * loopdma_queue_reap() - take note of what the device has retired
 * @lc: channel, locked, running or paused
 * @more: set to whether there was more than LOOPDMA_REAP_MAX
 *
 * Completes cookies but does not call back, so that it may run in any context;
 * what has ended is in the completed queue, for the bottom half.
 *
 * Return: NULL; or what is wrong with what the device says, for the log.
 */
const char *loopdma_queue_reap(struct loopdma_chan *lc, bool *more)
{
	u32 done = loopdma_hw_done(lc), budget = LOOPDMA_REAP_MAX;
	bool good;
	int n;

	lockdep_assert_held(&lc->lock);

	*more = false;
	n = loopdma_ring_retired(&lc->ring, done);
	if (n < 0)
		return "impossible count in completion record";
	/* Once for all that have ended, and not for those who just poll. */
	if (n || lc->unordered)
		loopdma_stats_clock(lc);

	/*
	 * Reads the count before the statuses that it vouches for.  Pairs with
	 * the device's write barrier between status and count.
	 */
	dma_rmb();

	if (lc->unordered) {
		good = loopdma_queue_reap_any(lc, done, &budget);
		*more = !budget;
	} else {
		good = loopdma_queue_retire_n(lc, n, budget);
		*more = loopdma_ring_retired(&lc->ring, done);
	}
	if (!good)
		return "entry retired without a status";
	if (lc->abort.pending &&
	    loopdma_count_reached(lc->ring.tail, lc->abort.to))
		lc->abort.pending = false;
	return NULL;
}

/* --- Before their end ---------------------------------------------------------------- */

/*
 * The transaction that is being put into the ring gets no further entries there.
 * If it has some it goes the way of the others in the ring.
 */
static void loopdma_queue_cut_off(struct loopdma_chan *lc)
{
	struct loopdma_desc *d;

	if (!lc->cursor.busy || !loopdma_ring_used(&lc->ring))
		return;
	d = loopdma_queue_pop(&lc->q.issued);
	d->end = lc->ring.head;
	loopdma_queue_add(&lc->q.active, d);
	lc->cursor.busy = false;
}

/**
 * loopdma_queue_terminate() - end everything that is not complete
 * @lc: channel, locked
 *
 * No callback comes for any of it, and every cookie given out so far counts as
 * complete, so that nobody waits for one.  What is in the ring is freed when
 * the device has acknowledged an abort up to the head, or when the stopped
 * channel is settled.  The rest is freed by the bottom half, which the caller
 * schedules.
 *
 * Return: true if something is in the ring.
 */
bool loopdma_queue_terminate(struct loopdma_chan *lc)
{
	dma_cookie_t done = lc->chan.completed_cookie;
	struct loopdma_desc *d;
	u32 ended = 0;

	lockdep_assert_held(&lc->lock);

	loopdma_stats_clock(lc);
	loopdma_queue_cut_off(lc);
	lc->periods.desc = NULL;
	for (d = lc->q.active.first; d; d = d->next) {
		ended += !d->aborted;
		d->aborted = true;
	}

	loopdma_queue_issue(lc);
	/* All entries of this one have been retired. */
	if (lc->cursor.busy) {
		lc->cursor.busy = false;
		d = loopdma_queue_pop(&lc->q.issued);
		d->aborted = true;
		loopdma_queue_complete(lc, d);
		ended++;
	}
	/* Of one that was to go on in the next ring. */
	if (!lc->q.active.first)
		lc->bytes_done = 0;
	for (d = lc->q.issued.first; d; d = d->next) {
		d->aborted = true;
		loopdma_stats_end(lc, d);
		ended++;
	}
	loopdma_queue_splice(&lc->q.completed, &lc->q.issued);
	trace_loopdma_terminate(lc, ended);

	if (done != lc->chan.cookie)
		loopdma_failures_add(lc, done == INT_MAX ? DMA_MIN_COOKIE :
							   done + 1,
				     loopdma_cookie_distance(done,
							     lc->chan.cookie));
	lc->chan.completed_cookie = lc->chan.cookie;
	return lc->q.active.first;
}

/**
 * loopdma_queue_oldest_end() - where in the ring the oldest transaction ends
 * @lc: channel, locked, with something in the ring
 *
 * If not all of it is in the ring, it gets no further entries there.
 *
 * Return: the ring count just behind its last entry; on an unordered channel
 * behind all that are in the ring.
 */
u32 loopdma_queue_oldest_end(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->lock);

	/* Nobody knows which of them the device is at. */
	if (lc->unordered)
		return lc->ring.head;
	if (!lc->q.active.first)
		loopdma_queue_cut_off(lc);
	return lc->q.active.first->end;
}

/* The device reported no status; mark it aborted. */
static void loopdma_desc_cut_short(struct loopdma_desc *d)
{
	if (d->result != DMA_TRANS_NOERROR)
		return;
	d->result = DMA_TRANS_ABORTED;
	d->status = LOOPDMA_ST_ABORTED;
}

/* Bytes of the oldest entry that need not be moved once more. */
static u32 loopdma_queue_safe_bytes(struct loopdma_chan *lc,
				    const struct loopdma_desc *d)
{
	const struct loopdma_hw_desc *hw;
	u32 bytes, unit;

	if (!loopdma_ring_used(&lc->ring))
		return 0;
	/* What a check has found is told at its end. */
	if (d->op == LOOPDMA_OP_XOR_CHECK || d->op == LOOPDMA_OP_PQ_CHECK)
		return 0;
	unit = d->op == LOOPDMA_OP_TX || d->op == LOOPDMA_OP_RX ?
	       loopdma_periph_width(d->periph) : BIT(lc->ld->lim.copy_align);
	hw = loopdma_ring_slot(&lc->ring, lc->ring.tail);
	bytes = loopdma_hw_progress(lc);
	return bytes < loopdma_desc_len(hw) ? ALIGN_DOWN(bytes, unit) : 0;
}

/*
 * The oldest transaction of a stopped channel can go on where it was, if that is
 * known.
 */
static bool loopdma_queue_goes_on(struct loopdma_chan *lc,
				  const struct loopdma_desc *d,
				  enum loopdma_settle policy)
{
	u32 bytes;

	if (lc->unordered)
		return policy == LOOPDMA_SETTLE_KEEP;
	if (policy != LOOPDMA_SETTLE_KEEP ||
	    !(lc->ld->lim.caps & LOOPDMA_CAPS_PROGRESS) ||
	    d->result != DMA_TRANS_NOERROR)
		return false;
	bytes = min(loopdma_queue_safe_bytes(lc, d), d->len - lc->bytes_done);
	lc->bytes_done += bytes;
	lc->stats.bytes += bytes;
	/* Lengths are what the device has left of them: there must be a rest. */
	return lc->bytes_done < d->len || !d->len;
}

/**
 * loopdma_queue_settle() - decide on every transaction of a stopped channel
 * @lc: channel, locked; the device does not touch its memory any more
 * @policy: what ends as aborted, and what has its turn in the next ring
 *
 * The statuses tell which entries were executed; the completion record may be
 * what was wrong.  An ordered device had not begun any transaction behind the oldest:
 * a descriptor starts when the one before it is retired (hardware.rst, "Order").
 * What was terminated ends in any case.  The ring is empty afterwards.
 */
void loopdma_queue_settle(struct loopdma_chan *lc, enum loopdma_settle policy)
{
	struct loopdma_queue rest = { };
	struct loopdma_desc *d, *oldest;
	u32 all = U32_MAX;

	lockdep_assert_held(&lc->lock);

	loopdma_stats_clock(lc);
	if (lc->unordered)
		loopdma_queue_reap_any(lc, lc->ring.tail, &all);
	else
		loopdma_queue_retire_n(lc, loopdma_ring_used(&lc->ring), all);

	oldest = loopdma_queue_oldest(lc);
	if (lc->cursor.busy) {
		lc->cursor.busy = false;
		loopdma_queue_add(&lc->q.active,
				  loopdma_queue_pop(&lc->q.issued));
	}
	while ((d = loopdma_queue_pop(&lc->q.active))) {
		bool begun = d == oldest || lc->unordered;

		if (d->aborted || policy >= LOOPDMA_SETTLE_RING ||
		    (begun && !loopdma_queue_goes_on(lc, d, policy))) {
			loopdma_desc_cut_short(d);
			loopdma_queue_complete(lc, d);
		} else {
			loopdma_queue_add(&rest, d);
		}
	}
	loopdma_queue_splice(&rest, &lc->q.issued);
	loopdma_queue_splice(&lc->q.issued, &rest);
	loopdma_ring_reset(&lc->ring);
	lc->abort.pending = false;

	if (policy < LOOPDMA_SETTLE_ALL)
		return;
	/* What was not issued never will be; it takes no time to end it. */
	loopdma_queue_issue(lc);
	while ((d = loopdma_queue_pop(&lc->q.issued))) {
		loopdma_desc_cut_short(d);
		loopdma_queue_complete(lc, d);
	}
}
