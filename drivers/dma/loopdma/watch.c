// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the watchdog of a channel.
 *
 * It looks for completions of which no interrupt has told, and for channels that
 * make no progress though they should.  See Documentation/driver.rst, "Stuck".
 */
#include <linux/module.h>
#include <kunit/visibility.h>

#include "loopdma.h"

VISIBLE_IF_KUNIT unsigned int loopdma_stuck_ms = 5000;
EXPORT_SYMBOL_IF_KUNIT(loopdma_stuck_ms);
module_param_named(stuck_ms, loopdma_stuck_ms, uint, 0644);
MODULE_PARM_DESC(stuck_ms,
		 "Time without progress after which a transfer between memory is given up, ms (default 5000; 0: never)");

/*
 * Have the device give up what it is at.  Its client is told as soon as the device
 * has acknowledged; the transactions behind it are executed.  False if the device
 * does not answer, or was told to abort already.
 */
static bool loopdma_chan_abort_oldest(struct loopdma_chan *lc)
{
	/* Without, the count could pass what is written, which is an error. */
	if (!(lc->ld->lim.caps & LOOPDMA_CAPS_PAUSE) || lc->abort.pending ||
	    loopdma_chan_pause(lc))
		return false;
	if (!loopdma_queue_retired(lc, NULL)) {
		lc->abort.pending = true;
		lc->abort.to = loopdma_queue_oldest_end(lc);
		loopdma_hw_write(lc, LOOPDMA_CH_ABORT, lc->abort.to);
	}
	loopdma_chan_resume(lc);
	return true;
}

/*
 * There was no progress for too long: do what is next to be tried.  Called again if
 * that did not help.
 */
static void loopdma_chan_stalled(struct loopdma_chan *lc)
{
	struct device *dev = lc->ld->dev;

	/* An abort that is ignored belongs to the same stall. */
	if (lc->watch.remedy == LOOPDMA_REMEDY_ABORT || !lc->abort.pending)
		lc->stats.stalls++;
	switch (lc->watch.remedy) {
	case LOOPDMA_REMEDY_ABORT:
		lc->watch.remedy = LOOPDMA_REMEDY_RESET;
		if (loopdma_chan_abort_oldest(lc)) {
			dev_err_ratelimited(dev, "channel %u: no progress; aborting a transaction\n",
					    lc->index);
			break;
		}
		fallthrough;
	case LOOPDMA_REMEDY_RESTART:
	case LOOPDMA_REMEDY_RESET:
		dev_err_ratelimited(dev, "channel %u: no progress; resetting it\n",
				    lc->index);
		lc->watch.remedy = LOOPDMA_REMEDY_FUNCTION;
		loopdma_chan_recover(lc, LOOPDMA_REMEDY_RESET,
				     LOOPDMA_SETTLE_OLDEST);
		break;
	case LOOPDMA_REMEDY_FUNCTION:
		loopdma_chan_recover(lc, LOOPDMA_REMEDY_FUNCTION,
				     LOOPDMA_SETTLE_OLDEST);
		loopdma_chan_ask_reset(lc);
		break;
	case LOOPDMA_REMEDY_NONE:
		dev_err_ratelimited(dev, "channel %u: no progress; giving it up\n",
				    lc->index);
		loopdma_chan_recover(lc, LOOPDMA_REMEDY_NONE,
				     LOOPDMA_SETTLE_ALL);
		break;
	}
}

/*
 * Completions that have been waiting for a whole period have lost their
 * interrupt, or never asked for one.  The former are counted: the count says
 * that something is wrong with the device or the platform.  A CPU with no time
 * for its bottom halves is neither.
 */
static void loopdma_watch_interrupts(struct loopdma_chan *lc, int n, bool asked)
{
	if (n && lc->watch.late && lc->watch.tail == lc->ring.tail &&
	    lc->watch.bytes == lc->stats.bytes &&
	    !loopdma_bh_under_way(&lc->bh)) {
		if (n > 0 && asked) {
			lc->stats.lost_irqs++;
			dev_warn_ratelimited(lc->ld->dev,
					     "channel %u: an interrupt was lost\n",
					     lc->chan.chan_id);
		}
		loopdma_bh_schedule(&lc->bh);
	}
	lc->watch.late = n;
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
		if (data_race(other->periph.priority > lc->periph.priority &&
			      other->state == LOOPDMA_CHAN_RUNNING &&
			      loopdma_ring_used(&other->ring)))
			return true;
	}
	return false;
}

/*
 * Would a channel that works have made progress?  What has to do with the
 * peripheral may wait for it for ever, what is paused for its client, and what
 * is of a low class for others; an abort waits for nobody.  Nor does the count of an
 * unordered device when all transactions in the ring have their statuses.
 */
static bool loopdma_chan_should_move(struct loopdma_chan *lc)
{
	const struct loopdma_desc *d = loopdma_queue_oldest(lc);

	if (lc->paused || loopdma_chan_outranked(lc))
		return false;
	return lc->abort.pending || !d ||
	       (d->op != LOOPDMA_OP_TX && d->op != LOOPDMA_OP_RX);
}

/*
 * The register of a channel that does nothing tells of what no interrupt has, or
 * of a reset that the driver has not been told of.
 */
static void loopdma_watch_state(struct loopdma_chan *lc)
{
	int state = loopdma_hw_state(lc);

	if (state < 0)
		loopdma_no_answer(lc->ld);
	if (state != LOOPDMA_STATE_RUNNING)
		loopdma_chan_fail(lc, "not running any more");
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
		if (loopdma_hw_done(lc) != lc->abort.to)
			lc->watch.remedy = LOOPDMA_REMEDY_ABORT;
		lc->watch.still = 0;
		return;
	}
	loopdma_watch_state(lc);
	if (lc->state != LOOPDMA_CHAN_RUNNING)
		return;
	if (!limit || !loopdma_chan_should_move(lc)) {
		lc->watch.still = 0;
		return;
	}
	lc->watch.still = min(lc->watch.still + loopdma_watch_period(),
			      limit);
	if (lc->watch.still == limit)
		loopdma_chan_stalled(lc);
}

static void loopdma_watchdog(struct timer_list *t)
{
	struct loopdma_chan *lc = container_of(t, struct loopdma_chan,
					       watch.timer);
	unsigned long flags;
	u64 progress;
	bool asked;
	int n;

	spin_lock_irqsave(&lc->lock, flags);
	if (lc->state != LOOPDMA_CHAN_RUNNING)
		goto out;

	n = loopdma_queue_retired(lc, &asked);
	/* An unordered device may be at any entry: what it tells has changed, or not. */
	progress = lc->unordered ?
		   le64_to_cpu(READ_ONCE(lc->comp->progress)) :
		   loopdma_hw_progress(lc);
	loopdma_watch_interrupts(lc, n, asked);
	loopdma_watch_progress(lc, n || progress != lc->watch.progress ||
			       lc->watch.bytes != lc->stats.bytes ||
			       lc->watch.tail != lc->ring.tail ||
			       !loopdma_ring_used(&lc->ring));
	lc->watch.progress = progress;
	lc->watch.bytes = lc->stats.bytes;
	lc->watch.tail = lc->ring.tail;
	if (lc->state == LOOPDMA_CHAN_RUNNING && loopdma_ring_used(&lc->ring))
		loopdma_watch(lc);
out:
	spin_unlock_irqrestore(&lc->lock, flags);
}

/**
 * loopdma_watch_init() - set up the watchdog of a channel
 * @lc: channel
 */
void loopdma_watch_init(struct loopdma_chan *lc)
{
	timer_setup(&lc->watch.timer, loopdma_watchdog, 0);
}
