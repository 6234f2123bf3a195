// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the device_* callbacks, but for prep and config.
 *
 * Who may call what, and from where, is in provider.rst and client.rst of
 * Documentation/driver-api/dmaengine/.
 */
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/seq_file.h>
#include <linux/smp.h>

#include "loopdma.h"

/* How long synchronize waits for an abort before it restarts the channel. */
#define LOOPDMA_ABORT_TIMEOUT	(2 * HZ)

/* How long before it asks whether there still is a device. */
#define LOOPDMA_ABORT_PATIENCE	max(HZ / 50, 1)

/**
 * loopdma_alloc_chan_resources() - a channel has its first client
 * @chan: channel
 *
 * Context: may sleep; under the core's mutex.
 * Return: 0; -ENOMEM; or as loopdma_chan_alloc().
 */
static int loopdma_alloc_chan_resources(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	if (loopdma_fails(lc->ld, LOOPDMA_FAULT_ALLOC))
		return -ENOMEM;
	return loopdma_chan_alloc(lc);
}

/**
 * loopdma_free_chan_resources() - the last client has released a channel
 * @chan: channel
 *
 * The core has synchronized, but has not terminated: what is in flight is aborted.
 *
 * Context: may sleep; under the core's mutex.
 */
static void loopdma_free_chan_resources(struct dma_chan *chan)
{
	loopdma_chan_free(to_loopdma_chan(chan));
}

/**
 * loopdma_caps() - what a channel can do, not every one what some can
 * @chan: channel
 * @caps: of the device; cut down to those of the channel
 *
 * Context: any.
 */
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

/*
 * Has what is issued time until callbacks are over?  A doorbell is the dearest
 * thing that a client can ask for.  Those who submit from their callback, one after
 * the other, need one for them all, which the bottom half rings when it has called
 * back: as long as it keeps nobody waiting, because the device has something to do
 * until then.  Where bottom halves can be preempted the caller may be any task.
 */
static bool loopdma_chan_may_wait(const struct loopdma_chan *lc)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) &&
	       lc->caller == raw_smp_processor_id() &&
	       loopdma_hw_done(lc) != lc->ring.rung;
}

/**
 * loopdma_issue_pending() - hand everything submitted so far to the device
 * @chan: channel
 *
 * Context: any, callbacks included.
 */
static void loopdma_issue_pending(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	unsigned long flags;
	bool more;

	spin_lock_irqsave(&lc->lock, flags);
	loopdma_queue_issue(lc);
	more = !loopdma_chan_may_wait(lc) && loopdma_chan_fill_ring(lc);
	while (more) {
		spin_unlock_irqrestore(&lc->lock, flags);
		spin_lock_irqsave(&lc->lock, flags);
		more = loopdma_chan_fill_ring(lc);
	}
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
 * channel has received for it, but not yet written; NULL: nobody wants to know.
 */
static enum dma_status loopdma_pending(struct loopdma_chan *lc,
				       dma_cookie_t cookie, u32 *residue,
				       u32 *in_flight)
{
	const struct loopdma_desc *d;

	d = loopdma_queue_find(&lc->q.active, cookie);
	if (!d)
		d = loopdma_queue_find(&lc->q.issued, cookie);
	if (!d)
		d = loopdma_queue_find(&lc->q.submitted, cookie);
	if (!d)
		return DMA_IN_PROGRESS;

	*residue = d->len;
	if (d != loopdma_queue_oldest(lc))
		return DMA_IN_PROGRESS;
	*residue -= lc->bytes_done;
	*residue -= min(*residue, loopdma_hw_progress(lc));
	/* Which takes a register. */
	if (d->op == LOOPDMA_OP_RX && in_flight &&
	    lc->state == LOOPDMA_CHAN_RUNNING)
		*in_flight = min(*residue, loopdma_hw_fifo_level(lc));
	return lc->paused ? DMA_PAUSED : DMA_IN_PROGRESS;
}

static enum dma_status loopdma_cookie_status(const struct loopdma_chan *lc,
					     dma_cookie_t cookie)
{
	return dma_async_is_complete(cookie, lc->chan.completed_cookie,
				     lc->chan.cookie);
}

/**
 * loopdma_tx_status() - status of a cookie, not of the channel
 * @chan: channel
 * @cookie: of one of its transactions
 * @state: what else there is to tell, or NULL
 *
 * Takes note of what the device has completed, so that clients can poll without
 * interrupts, but does not call back.
 *
 * Context: any, callbacks included.
 * Return: DMA_COMPLETE; DMA_ERROR if it failed, with the residue in @state, or
 * was terminated; DMA_PAUSED or DMA_IN_PROGRESS, with the residue in @state.
 * Always DMA_OUT_OF_ORDER if the device is unordered (provider.rst,
 * "DMA_COMPLETION_NO_ORDER").
 */
static enum dma_status loopdma_tx_status(struct dma_chan *chan,
					 dma_cookie_t cookie,
					 struct dma_tx_state *state)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	enum dma_status status;
	u32 residue = 0, in_flight = 0;
	unsigned long flags;
	u32 done = 0;
	bool more;

	spin_lock_irqsave(&lc->lock, flags);
	more = loopdma_chan_service(lc);
	/* The device may be quick: what it retires from now on can wait. */
	if (more)
		done = loopdma_hw_done(lc);
	while (more && !loopdma_count_reached(lc->ring.tail, done) &&
	       loopdma_cookie_status(lc, cookie) == DMA_IN_PROGRESS) {
		spin_unlock_irqrestore(&lc->lock, flags);
		spin_lock_irqsave(&lc->lock, flags);
		more = loopdma_chan_service(lc);
	}
	if (more || lc->q.completed.first || (lc->periods.desc && lc->periods.due))
		loopdma_bh_schedule(&lc->bh);

	status = loopdma_cookie_status(lc, cookie);
	if (lc->unordered)
		status = DMA_OUT_OF_ORDER;
	else if (status == DMA_IN_PROGRESS)
		status = loopdma_pending(lc, cookie, &residue,
					 state ? &in_flight : NULL);
	else if (loopdma_queue_failed(lc, cookie, &residue))
		status = DMA_ERROR;
	dma_set_tx_state(state, chan->completed_cookie, chan->cookie, residue);
	if (state)
		state->in_flight_bytes = in_flight;
	spin_unlock_irqrestore(&lc->lock, flags);
	return status;
}

/**
 * loopdma_device_pause() - leave everything where it is
 * @chan: channel
 *
 * Waits for the device, with interrupts as the caller has them.
 *
 * Context: any, callbacks included.
 * Return: 0; -ENODEV if the device is gone; -EIO if the channel is not working;
 * -ETIMEDOUT if the device does not pause: it goes on then.
 */
static int loopdma_device_pause(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	u32 looks = LOOPDMA_PAUSE_LOOKS;
	unsigned long flags;
	int err;

	spin_lock_irqsave(&lc->lock, flags);
	while ((err = loopdma_chan_pause(lc)) == -EINPROGRESS && --looks) {
		spin_unlock_irqrestore(&lc->lock, flags);
		udelay(1);
		spin_lock_irqsave(&lc->lock, flags);
	}
	/* Nothing may stay paused that nobody will resume. */
	if (err && lc->state == LOOPDMA_CHAN_RUNNING)
		loopdma_hw_resume(lc);
	spin_unlock_irqrestore(&lc->lock, flags);
	return err == -EINPROGRESS ? -ETIMEDOUT : err;
}

/**
 * loopdma_device_resume() - go on
 * @chan: channel
 *
 * Context: any, callbacks included.
 * Return: as loopdma_chan_resume().
 */
static int loopdma_device_resume(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	unsigned long flags;
	int err;

	spin_lock_irqsave(&lc->lock, flags);
	err = loopdma_chan_resume(lc);
	spin_unlock_irqrestore(&lc->lock, flags);
	return err;
}

/**
 * loopdma_terminate_all() - end everything that is not complete
 * @chan: channel
 *
 * The device may touch its memory until loopdma_synchronize() has returned.
 *
 * Context: any, callbacks included.
 * Return: 0.
 */
static int loopdma_terminate_all(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	unsigned long flags;

	spin_lock_irqsave(&lc->lock, flags);
	loopdma_chan_terminate(lc);
	spin_unlock_irqrestore(&lc->lock, flags);
	loopdma_bh_schedule(&lc->bh);
	return 0;
}

/*
 * Has the device let go of everything that was terminated?  What the watchdog has it
 * abort is not, and may take until the client ends a pause.  *@off: nothing will tell,
 * because the channel is being taken down.
 */
static bool loopdma_abort_done(struct loopdma_chan *lc, bool *off)
{
	bool done;

	spin_lock_irq(&lc->lock);
	/* What is left is for the bottom half. */
	loopdma_chan_service(lc);
	switch (lc->state) {
	case LOOPDMA_CHAN_RUNNING:
		done = !loopdma_chan_only_aborted(lc);
		break;
	case LOOPDMA_CHAN_RECOVERING:
		done = false;
		break;
	case LOOPDMA_CHAN_HALTED:
		/* Unless it had stopped before. */
		done = !loopdma_queue_oldest(lc);
		break;
	default:
		done = true;
		break;
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
	loopdma_chan_service(lc);
	/* The registers are there as long as a channel is RUNNING. */
	if (lc->state == LOOPDMA_CHAN_RUNNING &&
	    loopdma_chan_only_aborted(lc) &&
	    (!loopdma_answers(lc->ld) || enough))
		loopdma_chan_fail(lc, "abort not acknowledged");
	spin_unlock_irq(&lc->lock);
}

/**
 * loopdma_synchronize() - wait until nothing of what was terminated is left
 * @chan: channel
 *
 * On return the device does not touch its memory, and no callback of it runs.  A
 * device that does not acknowledge is restarted for that, so there is an end.
 *
 * Context: may sleep; not in a callback of the channel.
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

	loopdma_bh_flush(&lc->bh);
	/*
	 * An interrupt that came during the flush may not have scheduled the
	 * bottom half, and the device waits to be armed again.
	 */
	loopdma_bh_schedule(&lc->bh);
}

#ifdef CONFIG_DEBUG_FS
/* Where the memory of a channel is that has a client. */
static int loopdma_pool_node(const struct loopdma_chan *lc)
{
	return page_to_nid(is_vmalloc_addr(lc->pool.item) ?
			   vmalloc_to_page(lc->pool.item) : virt_to_page(lc->pool.item));
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
	priority = lc->periph.priority;
	spin_unlock_irq(&lc->lock);

	seq_printf(s, " %-13s| %s, %s, cookie %d, complete %d, ring %u of %u",
		   dma_chan_name(&lc->chan),
		   lc->chan.dbg_client_name ?: "in-use",
		   loopdma_chan_state_name(state), used, last, ring_used,
		   lc->ring.size);
	seq_printf(s, ", interrupts %llu, lost_irqs %llu, recoveries %llu, errors %llu",
		   stats.interrupts, stats.lost_irqs, stats.recoveries,
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

/**
 * loopdma_dmaengine_setup() - fill in what the core is told of a device
 * @ld: device, its limits known
 */
void loopdma_dmaengine_setup(struct loopdma_dev *ld)
{
	struct dma_device *dma = &ld->dma;

	dma->dev = ld->dev;
	loopdma_setup_mem(ld);
	if (loopdma_unordered(&ld->lim)) {
		dma_cap_set(DMA_COMPLETION_NO_ORDER, dma->cap_mask);
		/* Clients of public channels take a cookie for a place in a row. */
		dma_cap_set(DMA_PRIVATE, dma->cap_mask);
		dma->residue_granularity = DMA_RESIDUE_GRANULARITY_DESCRIPTOR;
	} else {
		dma->descriptor_reuse = true;
		dma->residue_granularity =
			ld->lim.caps & LOOPDMA_CAPS_PROGRESS ?
			DMA_RESIDUE_GRANULARITY_BURST :
			DMA_RESIDUE_GRANULARITY_SEGMENT;
		loopdma_setup_raid(ld);
		loopdma_setup_slave(ld);
	}

	if (ld->lim.caps & LOOPDMA_CAPS_PAUSE) {
		dma->device_pause = loopdma_device_pause;
		dma->device_resume = loopdma_device_resume;
	}
	dma->device_caps = loopdma_caps;
	dma->device_alloc_chan_resources = loopdma_alloc_chan_resources;
	dma->device_free_chan_resources = loopdma_free_chan_resources;
	dma->device_issue_pending = loopdma_issue_pending;
	dma->device_tx_status = loopdma_tx_status;
	dma->device_terminate_all = loopdma_terminate_all;
	dma->device_synchronize = loopdma_synchronize;
#ifdef CONFIG_DEBUG_FS
	dma->dbg_summary_show = loopdma_dbg_summary_show;
#endif
}
