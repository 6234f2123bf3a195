// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: completion path.
 *
 * The device writes how far it is into the completion record, then interrupts.
 * The handler starts what waits for room and leaves the rest to a bottom half,
 * which calls back.  Cookies are completed, in order, by whoever looks first.
 * With a vector for each channel no register is read on the way.
 */
#include <linux/bitfield.h>
#include <linux/smp.h>
#include <kunit/visibility.h>

#include "loopdma.h"
#include "trace.h"

/*
 * Rounds of the bottom half before it lets other softirqs have the CPU.  A round takes
 * 64 entries at the most, see loopdma_queue_reap(), and calls back as often.
 */
#define LOOPDMA_BH_ROUNDS	16
#define LOOPDMA_BH_CALLS	64

/* Periods that are called back in a round. */
#define LOOPDMA_BH_PERIODS	16

/**
 * struct loopdma_callback - whom to call back
 * @result: with the result, or NULL
 * @plain: without it, or NULL
 * @param: for either
 *
 * A copy of what is in a descriptor, which may be another's when the lock is not
 * held.
 */
struct loopdma_callback {
	dma_async_tx_callback_result result;
	dma_async_tx_callback plain;
	void *param;
};

static struct loopdma_callback
loopdma_callback_of(const struct dma_async_tx_descriptor *tx)
{
	return (struct loopdma_callback){
		.result = tx->callback_result,
		.plain = tx->callback,
		.param = tx->callback_param,
	};
}

static void loopdma_call_back(const struct loopdma_callback *callback,
			      const struct dmaengine_result *result)
{
	if (callback->result)
		callback->result(callback->param, result);
	else if (callback->plain)
		callback->plain(callback->param);
}

/*
 * Call back for the periods that are through.  The client may terminate while it
 * is called, after which there are none.  Data may come as fast as the client is
 * called back, so there must be an end.  Returns true if some are left.
 */
static bool loopdma_call_periods(struct loopdma_chan *lc)
{
	static const struct dmaengine_result result;
	unsigned int budget = LOOPDMA_BH_PERIODS;
	struct loopdma_periods *periods = &lc->periods;
	struct loopdma_callback callback;

	while (periods->desc && periods->due && budget--) {
		periods->due--;
		callback = loopdma_callback_of(&periods->desc->tx);
		spin_unlock_irq(&lc->lock);
		loopdma_call_back(&callback, &result);
		spin_lock_irq(&lc->lock);
	}
	return periods->desc && periods->due;
}

/*
 * Allow the device to interrupt again.  Returns true if there is already
 * something to do, for which no interrupt will come.
 */
static bool loopdma_irq_arm(struct loopdma_chan *lc)
{
	bool more = false;

	spin_lock_irq(&lc->lock);
	if (lc->state == LOOPDMA_CHAN_RUNNING) {
		WRITE_ONCE(lc->comp->arm, cpu_to_le32(++lc->arm));
		/*
		 * The token must be visible before the count is looked at once
		 * more.  Pairs with the device's full barrier between writing
		 * the count and looking at the token: either it sees the token
		 * and interrupts, or we see the count.
		 */
		mb();
		more = loopdma_queue_retired(lc, NULL);
	}
	spin_unlock_irq(&lc->lock);
	return more;
}

/*
 * Call back for the oldest that has ended.  On return a descriptor for reuse may be
 * in use again, or freed: the client has it as soon as it is not busy.
 */
static void loopdma_call_one(struct loopdma_chan *lc, struct loopdma_desc *d)
	__must_hold(&lc->lock)
{
	const struct loopdma_callback callback = loopdma_callback_of(&d->tx);
	const struct dmaengine_result result = {
		.result = d->result,
		.residue = d->residue,
	};
	bool reuse = dmaengine_desc_test_reuse(&d->tx);
	bool aborted = d->aborted;

	if (d->result != DMA_TRANS_NOERROR && !aborted)
		lc->failures.told = (struct loopdma_failure) {
			.cookie = d->cookie,
			.residue = d->residue,
		};
	if (reuse && !aborted)
		d->busy = false;
	/* Client code runs without the lock (client.rst). */
	spin_unlock_irq(&lc->lock);
	if (aborted)
		/* Of what was terminated before it was in the ring. */
		dma_descriptor_unmap(&d->tx);
	else
		loopdma_call_back(&callback, &result);
	if (!reuse)
		dma_run_dependencies(&d->tx);
	spin_lock_irq(&lc->lock);
	lc->failures.told.cookie = 0;
	if (!reuse) {
		while (loopdma_desc_has_segs(d) && loopdma_desc_trim(lc, d)) {
			spin_unlock_irq(&lc->lock);
			spin_lock_irq(&lc->lock);
		}
		loopdma_desc_end(lc, d);
	} else if (aborted) {
		d->busy = false;
	}
}

/*
 * Call back for what has ended.  A callback that asks for a status completes what
 * another CPU has submitted meanwhile, so there must be an end.  Returns true if there
 * is more to do; @more: there was before.
 */
static bool loopdma_call_completed(struct loopdma_chan *lc, bool more)
{
	unsigned int budget = LOOPDMA_BH_CALLS;
	struct loopdma_desc *d;

	lc->caller = raw_smp_processor_id();
	while (budget-- && (d = loopdma_queue_pop(&lc->q.completed)))
		loopdma_call_one(lc, d);
	lc->caller = -1;
	more = more || lc->q.completed.first;
	/* What they have issued, unless this hold of the lock has filled its share. */
	if (!more)
		more = loopdma_chan_fill_ring(lc);
	/* Behind what ended before it. */
	more |= loopdma_call_periods(lc);
	loopdma_desc_reclaim(lc);
	return more;
}

static void loopdma_bottom_half(struct loopdma_chan *lc)
{
	unsigned int rounds = LOOPDMA_BH_ROUNDS;
	bool more;
	u64 clock;

	do {
		spin_lock_irq(&lc->lock);
		clock = lc->stats.clock_ns;
		more = loopdma_chan_service(lc);
		/* Unless that has just been done. */
		if (lc->q.completed.first && lc->stats.clock_ns == clock)
			loopdma_stats_clock(lc);
		more = loopdma_call_completed(lc, more);
		spin_unlock_irq(&lc->lock);
		/* No interrupt for what is done next anyway. */
		if (!more)
			more = loopdma_irq_arm(lc);
	} while (more && --rounds);

	if (more)
		loopdma_bh_schedule(&lc->bh);
}

static void loopdma_tasklet(struct tasklet_struct *t)
{
	struct loopdma_bh *bh = from_tasklet(bh, t, tasklet);

	loopdma_bottom_half(container_of(bh, struct loopdma_chan, bh));
}

/**
 * loopdma_irq_init() - set up the completion path of a channel
 * @lc: channel
 */
void loopdma_irq_init(struct loopdma_chan *lc)
{
	tasklet_setup(&lc->bh.tasklet, loopdma_tasklet);
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
	if (lc->state == LOOPDMA_CHAN_RUNNING) {
		lc->stats.interrupts++;
		trace_loopdma_interrupt(lc);
		/* Keep the device busy before anything else (provider.rst). */
		if (lc->q.issued.first)
			loopdma_chan_service(lc);
		loopdma_bh_schedule(&lc->bh);
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
	if (loopdma_dev_state(ld) == LOOPDMA_DEV_GONE ||
	    !(event & LOOPDMA_EVENT_CHANNEL_ERROR))
		return;

	stopped = ld->ops->read(ld, LOOPDMA_CHANNEL_ERRORS);
	for_each_set_bit(i, &stopped, ld->lim.channels) {
		lc = &ld->chan[i];
		spin_lock_irqsave(&lc->lock, flags);
		/* Under the lock: another CPU may have restarted it meanwhile. */
		status = loopdma_hw_read(lc, LOOPDMA_CH_STATUS);
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
