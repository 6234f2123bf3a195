// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: completion path.
 *
 * The device writes how far it is into the completion record, then interrupts.
 * The handler starts what waits for room and leaves the rest to a tasklet,
 * which calls back.  Cookies are completed, in order, by whoever looks first.
 * With a vector for each channel no register is read on the way.
 */
#include <linux/bitfield.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <kunit/visibility.h>

#include "loopdma.h"
#include "trace.h"

VISIBLE_IF_KUNIT unsigned int loopdma_watchdog_ms = 500;
EXPORT_SYMBOL_IF_KUNIT(loopdma_watchdog_ms);
module_param_named(watchdog_ms, loopdma_watchdog_ms, uint, 0644);
MODULE_PARM_DESC(watchdog_ms,
		 "Period of the search for lost interrupts, ms (default 500)");

VISIBLE_IF_KUNIT unsigned int loopdma_stuck_ms = 5000;
EXPORT_SYMBOL_IF_KUNIT(loopdma_stuck_ms);
module_param_named(stuck_ms, loopdma_stuck_ms, uint, 0644);
MODULE_PARM_DESC(stuck_ms,
		 "Time without progress after which a transfer between memory is given up, ms (default 5000; 0: never)");

/* Rounds of the tasklet before it lets other softirqs have the CPU. */
#define LOOPDMA_TASKLET_ROUNDS	8

/* Periods that are called back in a round. */
#define LOOPDMA_TASKLET_PERIODS	16

/**
 * loopdma_chan_done() - descriptors that the device says it has retired
 * @lc: channel
 *
 * Return: the count, not checked.
 */
u32 loopdma_chan_done(const struct loopdma_chan *lc)
{
	return le32_to_cpu(READ_ONCE(lc->comp->done));
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
	this_cpu_add(lc->chan.local->bytes_transferred, lc->moved);
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

/*
 * Is there nobody who waits for the end of a transaction, and nobody who could
 * make another depend on it?  Then it need not wait for the tasklet, which one
 * who polls would have to let run, to be used again.
 */
static bool loopdma_desc_is_over(struct loopdma_chan *lc,
				 struct loopdma_desc *d)
{
	return !d->tx.callback && !d->tx.callback_result &&
	       !dmaengine_desc_test_reuse(&d->tx) && !txd_next(&d->tx) &&
	       loopdma_desc_acked(lc, d);
}

/*
 * What a check has found.  One that did not get through has not shown that
 * anything is right.  After termination the client may have freed the memory.
 */
static void loopdma_desc_tell_check(struct loopdma_desc *d)
{
	struct loopdma_parity *par = d->parity;

	if (d->aborted || !loopdma_op_is_parity(d->op) || !par->result)
		return;
	if (d->result != DMA_TRANS_NOERROR) {
		if (!(par->arg & LOOPDMA_ARG_NO_P))
			par->wrong |= SUM_CHECK_P_RESULT;
		if (d->op == LOOPDMA_OP_PQ_CHECK &&
		    !(par->arg & LOOPDMA_ARG_NO_Q))
			par->wrong |= SUM_CHECK_Q_RESULT;
	}
	*par->result = par->wrong;
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
 * the tasklet, which calls back, takes the queue from the front.
 */
static void loopdma_desc_finish(struct loopdma_chan *lc, struct loopdma_desc *d)
{
	loopdma_desc_count(lc, d);
	loopdma_desc_tell_check(d);
	loopdma_desc_tell_meta(d);
	/*
	 * What has succeeded has no residue: one that is repeated ends where it
	 * would begin anew, and lengths are what the device has left of them.
	 */
	d->residue = d->len - lc->moved;
	if (d->result == DMA_TRANS_NOERROR)
		d->residue = 0;
	lc->moved = 0;
	if (lc->loop == d)
		lc->loop = NULL;

	/* loopdma_chan_abort() has completed the cookies of the aborted. */
	if (!d->aborted) {
		lc->chan.completed_cookie = d->tx.cookie;
		if (d->result != DMA_TRANS_NOERROR) {
			lc->errors[lc->nerrors++ % LOOPDMA_ERRORS] =
				d->tx.cookie;
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
		loopdma_queue_add(&lc->finished, d);
}

/*
 * A transaction that loops has moved some bytes more.  A callback is due for
 * each period, or each time that it is through.
 */
static void loopdma_chan_go_round(struct loopdma_chan *lc,
				  struct loopdma_desc *d)
{
	bool through = lc->moved == d->len;

	if (d->aborted)
		return;
	if (through || (d->cyclic && !(lc->moved % d->segs->len[0]))) {
		if (lc->loop != d)
			lc->periods = 0;
		lc->loop = d;
		/*
		 * A client that is slower than its data loses callbacks, as it
		 * may (provider.rst, "DMA_CYCLIC").
		 */
		lc->periods = min(lc->periods + 1, lc->ring.size);
	}
	if (!through)
		return;
	this_cpu_add(lc->chan.local->bytes_transferred, lc->moved);
	lc->moved = 0;
	/* A device that says more than it was told would make it wrap. */
	if (lc->pushing && d == lc->issued.first && lc->push_ahead)
		lc->push_ahead--;
}

/* Of several pieces the last that has metadata counts, as within a piece. */
static void loopdma_desc_take_meta(struct loopdma_desc *d,
				   const struct loopdma_hw_desc *hw)
{
	u32 len = loopdma_desc_meta(hw, d->segs->meta);

	if (len)
		d->segs->meta_len = len;
}

/* Account the entry at the tail, which is retired, to its transaction. */
static void loopdma_chan_retire(struct loopdma_chan *lc)
{
	struct loopdma_hw_desc *hw = loopdma_ring_slot(&lc->ring,
						       lc->ring.tail);
	struct loopdma_desc *d = loopdma_chan_oldest(lc);
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

	if (loopdma_op_is_parity(d->op))
		d->parity->wrong |= loopdma_desc_wrong(hw);
	if (d->op == LOOPDMA_OP_RX)
		loopdma_desc_take_meta(d, hw);

	/* The length is read back from memory that the device can write. */
	moved = min(loopdma_desc_len(hw) - residue, d->len - lc->moved);
	lc->moved += moved;
	lc->stats.bytes += moved;
	if (moved && loopdma_desc_loops(d))
		loopdma_chan_go_round(lc, d);

	loopdma_ring_consume(&lc->ring, 1);
	if (d == lc->active.first && lc->ring.tail == d->end) {
		loopdma_queue_pop(&lc->active);
		loopdma_desc_finish(lc, d);
	}
}

/* Take note of the next n entries; false if one of them has no status. */
static bool loopdma_chan_retire_n(struct loopdma_chan *lc, u32 n)
{
	const struct loopdma_hw_desc *hw;

	for (; n; n--) {
		hw = loopdma_ring_slot(&lc->ring, lc->ring.tail);
		if (loopdma_desc_status(hw) == LOOPDMA_ST_PENDING)
			return false;
		loopdma_chan_retire(lc);
	}
	return true;
}

/**
 * loopdma_chan_may_wait() - has what is issued time until callbacks are over?
 * @lc: channel, locked
 *
 * A doorbell is the dearest thing that a client can ask for.  Those who submit
 * from their callback, one after the other, need one for them all, which the
 * tasklet rings when it has called back: as long as it keeps nobody waiting,
 * because the device has something to do until then.
 *
 * Return: true if it has; false if the caller is to push it.
 */
bool loopdma_chan_may_wait(const struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->lock);

	return lc->caller == raw_smp_processor_id() &&
	       loopdma_chan_done(lc) != lc->ring.rung;
}

/**
 * loopdma_chan_oldest() - the transaction that the device is at
 * @lc: channel, locked
 *
 * Return: the oldest transaction with entries in the ring, or NULL.
 */
struct loopdma_desc *loopdma_chan_oldest(struct loopdma_chan *lc)
{
	if (lc->active.first)
		return lc->active.first;
	return lc->pushing ? lc->issued.first : NULL;
}

/**
 * loopdma_chan_reap() - take note of what the device has retired
 * @lc: channel, locked, state ON
 *
 * Completes cookies but does not call back, so that it may run in any context;
 * what has ended is in the finished queue, for the tasklet.
 */
void loopdma_chan_reap(struct loopdma_chan *lc)
{
	int n;

	lockdep_assert_held(&lc->lock);

	n = loopdma_ring_retired(&lc->ring, loopdma_chan_done(lc));
	if (n < 0) {
		loopdma_chan_fail(lc, "impossible count in completion record");
		return;
	}
	/* Once for all that have ended, and not for those who just poll. */
	if (n)
		loopdma_stats_clock(lc);

	/*
	 * Reads the count before the statuses that it vouches for.  Pairs with
	 * the device's write barrier between status and count.
	 */
	dma_rmb();

	if (!loopdma_chan_retire_n(lc, n)) {
		loopdma_chan_fail(lc, "entry retired without a status");
		return;
	}
	if (lc->aborting && loopdma_count_reached(lc->ring.tail, lc->abort_to))
		lc->aborting = false;
}

/* Its end is none that the device has told of. */
static void loopdma_desc_cut_short(struct loopdma_desc *d)
{
	if (d->result != DMA_TRANS_NOERROR)
		return;
	d->result = DMA_TRANS_ABORTED;
	d->status = LOOPDMA_ST_ABORTED;
}

/**
 * loopdma_chan_end_ring() - end what is in the ring of a stopped channel
 * @lc: channel, locked; the device does not touch its memory any more
 *
 * The statuses tell which entries were executed; the completion record may be
 * what was wrong.  A transaction that is not wholly executed ends as aborted,
 * with its residue.
 */
void loopdma_chan_end_ring(struct loopdma_chan *lc)
{
	struct loopdma_desc *d;

	lockdep_assert_held(&lc->lock);

	loopdma_stats_clock(lc);
	loopdma_chan_retire_n(lc, loopdma_ring_used(&lc->ring));

	if (lc->pushing) {
		lc->pushing = false;
		loopdma_queue_add(&lc->active, loopdma_queue_pop(&lc->issued));
	}
	while ((d = loopdma_queue_pop(&lc->active))) {
		loopdma_desc_cut_short(d);
		loopdma_desc_finish(lc, d);
	}
	loopdma_ring_reset(&lc->ring);
	lc->aborting = false;
}

/* Bytes of the oldest entry that need not be moved once more. */
static u32 loopdma_chan_moved_for_good(struct loopdma_chan *lc,
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
	bytes = loopdma_chan_progress(lc);
	return bytes < loopdma_desc_len(hw) ? ALIGN_DOWN(bytes, unit) : 0;
}

/*
 * The oldest transaction of a stopped channel can go on where it was, if that is
 * known.
 */
static bool loopdma_chan_goes_on(struct loopdma_chan *lc,
				 const struct loopdma_desc *d, bool exact)
{
	u32 bytes;

	if (!exact || !(lc->ld->lim.caps & LOOPDMA_CAPS_PROGRESS) ||
	    d->aborted || d->result != DMA_TRANS_NOERROR)
		return false;
	bytes = min(loopdma_chan_moved_for_good(lc, d), d->len - lc->moved);
	lc->moved += bytes;
	lc->stats.bytes += bytes;
	/* Lengths are what the device has left of them: there must be a rest. */
	return lc->moved < d->len || !d->len;
}

/**
 * loopdma_chan_put_back() - queue again what a stopped channel has not done
 * @lc: channel, locked; the device does not touch its memory any more, and what
 *	it wrote to the ring is to be trusted
 * @exact: it was paused before, so how far it has got is known
 *
 * The transaction that the device was at goes on where it was when the channel is
 * restarted; without @exact, or if it has failed, it ends as aborted, with its
 * residue.  The device had not begun any of those behind it: a descriptor starts
 * when the one before it is retired (hardware.rst, "Order").  They have their
 * turn, in order.
 */
void loopdma_chan_put_back(struct loopdma_chan *lc, bool exact)
{
	struct loopdma_queue rest = { };
	struct loopdma_desc *d, *oldest;

	lockdep_assert_held(&lc->lock);

	loopdma_stats_clock(lc);
	loopdma_chan_retire_n(lc, loopdma_ring_used(&lc->ring));

	oldest = loopdma_chan_oldest(lc);
	if (lc->pushing) {
		lc->pushing = false;
		loopdma_queue_add(&lc->active, loopdma_queue_pop(&lc->issued));
	}
	while ((d = loopdma_queue_pop(&lc->active))) {
		if (d->aborted ||
		    (d == oldest && !loopdma_chan_goes_on(lc, d, exact))) {
			loopdma_desc_cut_short(d);
			loopdma_desc_finish(lc, d);
		} else {
			loopdma_queue_add(&rest, d);
		}
	}
	loopdma_queue_splice(&rest, &lc->issued);
	loopdma_queue_splice(&lc->issued, &rest);
	loopdma_ring_reset(&lc->ring);
	lc->aborting = false;
}

/**
 * loopdma_chan_end_all() - end everything submitted to a stopped channel
 * @lc: channel, locked; the device does not touch its memory any more
 * @notify: call back, with the result ABORTED
 */
void loopdma_chan_end_all(struct loopdma_chan *lc, bool notify)
{
	struct loopdma_desc *d;

	if (!notify)
		loopdma_chan_abort(lc);
	loopdma_chan_end_ring(lc);

	/* What was not issued never will be; it takes no time to end it. */
	loopdma_chan_issue(lc);
	while ((d = loopdma_queue_pop(&lc->issued))) {
		loopdma_desc_cut_short(d);
		loopdma_desc_finish(lc, d);
	}
}

static void loopdma_tx_call_back(struct dma_async_tx_descriptor *tx,
				 const struct dmaengine_result *result)
{
	if (tx->callback_result)
		tx->callback_result(tx->callback_param, result);
	else if (tx->callback)
		tx->callback(tx->callback_param);
}

/* On return a descriptor for reuse may be in use again, or freed. */
static void loopdma_desc_call_back(struct loopdma_desc *d)
{
	const struct dmaengine_result result = {
		.result = d->result,
		.residue = d->residue,
	};

	/* Of what was terminated before it was in the ring. */
	dma_descriptor_unmap(&d->tx);
	if (!d->aborted)
		loopdma_tx_call_back(&d->tx, &result);
}

/*
 * Call back for the periods that are through.  The client may terminate while it
 * is called, after which there are none; the transaction is freed by the
 * tasklet alone, which we are in.  Data may come as fast as the client is called
 * back, so there must be an end.  Returns true if some are left.
 */
static bool loopdma_chan_call_periods(struct loopdma_chan *lc)
{
	static const struct dmaengine_result result;
	unsigned int budget = LOOPDMA_TASKLET_PERIODS;
	struct loopdma_desc *d;

	while ((d = lc->loop) && lc->periods && budget--) {
		lc->periods--;
		spin_unlock_irq(&lc->lock);
		loopdma_tx_call_back(&d->tx, &result);
		spin_lock_irq(&lc->lock);
	}
	return lc->loop && lc->periods;
}

/*
 * Allow the device to interrupt again.  Returns true if there is already
 * something to do, for which no interrupt will come.
 */
static bool loopdma_chan_arm(struct loopdma_chan *lc)
{
	bool more = false;

	spin_lock_irq(&lc->lock);
	if (lc->state == LOOPDMA_CHAN_ON) {
		WRITE_ONCE(lc->comp->arm, cpu_to_le32(++lc->arm));
		/*
		 * The token must be visible before the count is looked at once
		 * more.  Pairs with the device's full barrier between writing
		 * the count and looking at the token: either it sees the token
		 * and interrupts, or we see the count.
		 */
		mb();
		more = loopdma_chan_done(lc) != lc->ring.tail;
	}
	spin_unlock_irq(&lc->lock);
	return more;
}

static void loopdma_tasklet(struct tasklet_struct *t)
{
	struct loopdma_chan *lc = from_tasklet(lc, t, tasklet);
	unsigned int rounds = LOOPDMA_TASKLET_ROUNDS;
	struct loopdma_desc *d;
	bool more, reuse, aborted;
	u64 clock;

	do {
		spin_lock_irq(&lc->lock);
		clock = lc->stats.clock_ns;
		if (lc->state == LOOPDMA_CHAN_ON)
			loopdma_chan_reap(lc);
		if (lc->state == LOOPDMA_CHAN_ON)
			loopdma_chan_push(lc);
		/* Unless that has just been done. */
		if (lc->finished.first && lc->stats.clock_ns == clock)
			loopdma_stats_clock(lc);
		lc->caller = raw_smp_processor_id();
		while ((d = loopdma_queue_pop(&lc->finished))) {
			if (d->result != DMA_TRANS_NOERROR && !d->aborted)
				lc->told_cookie = d->cookie;
			reuse = dmaengine_desc_test_reuse(&d->tx);
			aborted = d->aborted;
			/* Its callback may submit or free it. */
			if (reuse && !aborted)
				d->busy = false;
			/* Client code runs without the lock (client.rst). */
			spin_unlock_irq(&lc->lock);
			loopdma_desc_call_back(d);
			if (!reuse)
				dma_run_dependencies(&d->tx);
			spin_lock_irq(&lc->lock);
			lc->told_cookie = 0;
			if (!reuse)
				loopdma_desc_end(lc, d);
			else if (aborted)
				d->busy = false;
		}
		lc->caller = -1;
		/* What they have issued, as far as it was not pushed at once. */
		if (lc->state == LOOPDMA_CHAN_ON)
			loopdma_chan_push(lc);
		/* Behind what ended before it. */
		more = loopdma_chan_call_periods(lc);
		loopdma_desc_reclaim(lc);
		spin_unlock_irq(&lc->lock);
		more |= loopdma_chan_arm(lc);
	} while (more && --rounds);

	if (more)
		tasklet_schedule(&lc->tasklet);
}

/* In milliseconds. */
static u32 loopdma_watch_period(void)
{
	return max(READ_ONCE(loopdma_watchdog_ms), 1U);
}

/**
 * loopdma_watch() - have the watchdog look after what is in the ring
 * @lc: channel, locked, state ON
 */
void loopdma_watch(struct loopdma_chan *lc)
{
	if (!timer_pending(&lc->watchdog))
		mod_timer(&lc->watchdog, jiffies +
			  msecs_to_jiffies(loopdma_watch_period()));
}

/* Is there an entry among the next n that was to interrupt? */
static bool loopdma_chan_interrupt_due(const struct loopdma_chan *lc, u32 n)
{
	u32 i;

	for (i = 0; i < n; i++)
		if (loopdma_ring_slot(&lc->ring, lc->ring.tail + i)->ctrl &
		    cpu_to_le32(LOOPDMA_CTRL_INT))
			return true;
	return false;
}

/* It is, or will be, where completions are looked for; some CPU is slow with that. */
static bool loopdma_tasklet_under_way(const struct loopdma_chan *lc)
{
	return test_bit(TASKLET_STATE_SCHED, &lc->tasklet.state) ||
	       test_bit(TASKLET_STATE_RUN, &lc->tasklet.state);
}

/*
 * Completions that have been waiting for a whole period have lost their
 * interrupt, or never asked for one.  The former are counted: the count says
 * that something is wrong with the device or the platform.  A CPU with no time
 * for its tasklets is neither.
 */
static void loopdma_watch_interrupts(struct loopdma_chan *lc, int n)
{
	if (n && lc->watch_late && lc->watch_tail == lc->ring.tail &&
	    !loopdma_tasklet_under_way(lc)) {
		if (n > 0 && loopdma_chan_interrupt_due(lc, n)) {
			lc->stats.rescued++;
			dev_warn_ratelimited(lc->ld->dev,
					     "channel %u: an interrupt was lost\n",
					     lc->chan.chan_id);
		}
		tasklet_schedule(&lc->tasklet);
	}
	lc->watch_late = n;
}

/*
 * Does a channel of a higher class have work?  The classes are strict, so this one
 * may have to wait for as long as it has.
 */
static bool loopdma_chan_outranked(const struct loopdma_chan *lc)
{
	const struct loopdma_chan *other;
	u32 i;

	for (i = 0; i < lc->ld->lim.channels; i++) {
		other = &lc->ld->chan[i];
		/* A hint is enough, and not worth the lock of the other. */
		if (data_race(other->priority > lc->priority &&
			      other->state == LOOPDMA_CHAN_ON &&
			      loopdma_ring_used(&other->ring)))
			return true;
	}
	return false;
}

/*
 * Would a channel that works have made progress?  What has to do with the
 * peripheral may wait for it for ever, what is paused for its client, and what
 * is of a low class for others; an abort waits for nobody.
 */
static bool loopdma_chan_should_move(struct loopdma_chan *lc)
{
	const struct loopdma_desc *d = loopdma_chan_oldest(lc);

	if (!d || lc->paused || loopdma_chan_outranked(lc))
		return false;
	return lc->aborting ||
	       (d->op != LOOPDMA_OP_TX && d->op != LOOPDMA_OP_RX);
}

/*
 * The register of a channel that does nothing tells of what no interrupt has, or
 * of a reset that the driver has not been told of.
 */
static void loopdma_watch_state(struct loopdma_chan *lc)
{
	u32 st = loopdma_chan_read(lc, LOOPDMA_CH_STATUS);

	if (st == U32_MAX) {
		loopdma_lose(lc->ld);
		loopdma_chan_fail(lc, "gone");
	} else if (FIELD_GET(LOOPDMA_CH_STATUS_STATE, st) !=
		   LOOPDMA_STATE_RUNNING) {
		loopdma_chan_fail(lc, "not running any more");
	}
}

/*
 * A channel without progress for a whole period is looked at more closely; one
 * that should have made some for too long is stuck.  Time is counted in looks of
 * the watchdog, not by the clock, which goes on when the CPU is not there to look.
 */
static void loopdma_watch_progress(struct loopdma_chan *lc, bool moved)
{
	u32 limit = READ_ONCE(loopdma_stuck_ms);

	if (moved) {
		/*
		 * An abort that is acknowledged is not yet any work done, also
		 * as long as only the device's count tells of it.
		 */
		if (loopdma_chan_done(lc) != lc->abort_to)
			lc->remedy = LOOPDMA_REMEDY_ABORT;
		lc->watch_still = 0;
		return;
	}
	loopdma_watch_state(lc);
	if (lc->state != LOOPDMA_CHAN_ON)
		return;
	if (!limit || !loopdma_chan_should_move(lc)) {
		lc->watch_still = 0;
		return;
	}
	lc->watch_still = min(lc->watch_still + loopdma_watch_period(), limit);
	if (lc->watch_still == limit)
		loopdma_chan_stalled(lc);
}

static void loopdma_watchdog(struct timer_list *t)
{
	struct loopdma_chan *lc = container_of(t, struct loopdma_chan, watchdog);
	unsigned long flags;
	u64 progress;
	int n;

	spin_lock_irqsave(&lc->lock, flags);
	if (lc->state != LOOPDMA_CHAN_ON)
		goto out;

	n = loopdma_ring_retired(&lc->ring, loopdma_chan_done(lc));
	progress = loopdma_chan_progress(lc);
	loopdma_watch_interrupts(lc, n);
	loopdma_watch_progress(lc, n || progress != lc->watch_progress ||
			       lc->watch_tail != lc->ring.tail ||
			       !loopdma_ring_used(&lc->ring));
	lc->watch_progress = progress;
	lc->watch_tail = lc->ring.tail;
	if (lc->state == LOOPDMA_CHAN_ON && loopdma_ring_used(&lc->ring))
		loopdma_watch(lc);
out:
	spin_unlock_irqrestore(&lc->lock, flags);
}

/**
 * loopdma_irq_init() - set up the completion path of a channel
 * @lc: channel
 */
void loopdma_irq_init(struct loopdma_chan *lc)
{
	tasklet_setup(&lc->tasklet, loopdma_tasklet);
	timer_setup(&lc->watchdog, loopdma_watchdog, 0);
}

/**
 * loopdma_irq_channel() - the interrupt of a channel
 * @lc: channel
 *
 * May be called for an interrupt that is shared, or spurious.
 *
 * Context: hard interrupt.
 */
void loopdma_irq_channel(struct loopdma_chan *lc)
{
	unsigned long flags;

	if (loopdma_fails(lc->ld, LOOPDMA_FAULT_IRQ))
		return;

	spin_lock_irqsave(&lc->lock, flags);
	if (lc->state == LOOPDMA_CHAN_ON) {
		lc->stats.interrupts++;
		trace_loopdma_interrupt(lc);
		/* Keep the device busy before anything else (provider.rst). */
		if (lc->issued.first) {
			loopdma_chan_reap(lc);
			if (lc->state == LOOPDMA_CHAN_ON)
				loopdma_chan_push(lc);
		}
		tasklet_schedule(&lc->tasklet);
	}
	spin_unlock_irqrestore(&lc->lock, flags);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_irq_channel);

static const char * const loopdma_chan_error_names[] = {
	[LOOPDMA_CHERR_NONE]		= "no reason given",
	[LOOPDMA_CHERR_CONFIG]		= "ring or completion record refused",
	[LOOPDMA_CHERR_DOORBELL]	= "doorbell refused",
	[LOOPDMA_CHERR_FETCH]		= "cannot read descriptors",
	[LOOPDMA_CHERR_WRITEBACK]	= "cannot write completions",
	[LOOPDMA_CHERR_ABORT]		= "abort refused",
};

/**
 * loopdma_irq_event() - the device event interrupt
 * @ld: device
 *
 * Looks at the channels that stopped by themselves.  Not on the hot path: the
 * registers may be read.
 *
 * Context: hard interrupt.
 */
void loopdma_irq_event(struct loopdma_dev *ld)
{
	unsigned long flags, stopped;
	struct loopdma_chan *lc;
	u32 event, status, error, i;

	event = ld->ops->read(ld, LOOPDMA_EVENT);
	if (!event || event == U32_MAX)
		return;
	/* Clear first: what happens from here on is a new event. */
	ld->ops->write(ld, LOOPDMA_EVENT, event);
	/* After the line is taken back: nobody else will do it until it is free. */
	if (READ_ONCE(ld->gone) || !(event & LOOPDMA_EVENT_CHANNEL_ERROR))
		return;

	stopped = ld->ops->read(ld, LOOPDMA_CHANNEL_ERRORS);
	for_each_set_bit(i, &stopped, ld->lim.channels) {
		lc = &ld->chan[i];
		spin_lock_irqsave(&lc->lock, flags);
		/* Under the lock: another CPU may have restarted it meanwhile. */
		status = loopdma_chan_read(lc, LOOPDMA_CH_STATUS);
		error = FIELD_GET(LOOPDMA_CH_STATUS_ERROR, status);
		if (error >= ARRAY_SIZE(loopdma_chan_error_names))
			error = LOOPDMA_CHERR_NONE;
		if (FIELD_GET(LOOPDMA_CH_STATUS_STATE, status) ==
		    LOOPDMA_STATE_ERROR)
			loopdma_chan_fail(lc, loopdma_chan_error_names[error]);
		spin_unlock_irqrestore(&lc->lock, flags);
	}
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_irq_event);
