// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the hardware side of a channel.
 *
 * Bring-up, filling the ring, abort, stop, recovery.  The
 * rules of the registers are in Documentation/hardware.rst.
 */
#include <linux/bitfield.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/lockdep.h>
#include <linux/percpu.h>
#include <linux/pm_runtime.h>
#include <linux/smp.h>

#include "loopdma.h"
#include "trace.h"

/* How long the hardware may take to acknowledge that it has stopped. */
#define LOOPDMA_STOP_TIMEOUT_US		1000000

/* How long it may take to pause: a chunk of 64 KiB, and what is due with it. */
#define LOOPDMA_PAUSE_TIMEOUT_US	10000

/* How often a transaction that is repeated is in the ring. */
#define LOOPDMA_REPEAT_AHEAD		2

/* A tiny ring (a test's) still has descriptors to queue behind it. */
#define LOOPDMA_POOL_MIN		64

static int loopdma_chan_wait_disabled(struct loopdma_chan *lc)
{
	u32 st;
	int err;

	/* All ones: the function is gone from the bus, and DMA with it. */
	err = read_poll_timeout(loopdma_chan_read, st,
				st == U32_MAX ||
				FIELD_GET(LOOPDMA_CH_STATUS_STATE, st) ==
				LOOPDMA_STATE_DISABLED,
				10, LOOPDMA_STOP_TIMEOUT_US, false,
				lc, LOOPDMA_CH_STATUS);
	if (st == U32_MAX)
		loopdma_lose(lc->ld);
	return err;
}

/**
 * loopdma_chan_stop() - stop the hardware channel and wait until it has
 * @lc: channel
 * @reset: reset it, too; without that only if it does not stop otherwise
 *
 * Context: may sleep.
 * Return: 0: the device does not touch the channel's memory any more; or
 * -ETIMEDOUT: it may still do so.
 */
static int loopdma_chan_stop(struct loopdma_chan *lc, bool reset)
{
	u32 val;
	int err;

	loopdma_chan_write(lc, LOOPDMA_CH_CONTROL, 0);
	err = loopdma_chan_wait_disabled(lc);
	if (!err && (!reset || READ_ONCE(lc->ld->lost)))
		return 0;

	spin_lock_irq(&lc->lock);
	lc->stats.channel_resets++;
	spin_unlock_irq(&lc->lock);
	loopdma_chan_write(lc, LOOPDMA_CH_CONTROL, LOOPDMA_CH_CONTROL_RESET);
	err = read_poll_timeout(loopdma_chan_read, val,
				val == U32_MAX ||
				!(val & LOOPDMA_CH_CONTROL_RESET),
				10, LOOPDMA_STOP_TIMEOUT_US, false,
				lc, LOOPDMA_CH_CONTROL);
	if (!err)
		err = loopdma_chan_wait_disabled(lc);
	if (err)
		dev_err(lc->ld->dev,
			"channel %u does not stop\n",
			lc->index);
	return err;
}

/**
 * loopdma_chan_set_periph() - tell the device of the peripheral and the class
 * @lc: channel, locked
 * @restart: the pattern begins anew
 *
 * Context: any.
 */
void loopdma_chan_set_periph(struct loopdma_chan *lc, bool restart)
{
	bool slave = lc->caps & (LOOPDMA_CH_CAPS_TX | LOOPDMA_CH_CAPS_RX);
	u32 caps = lc->ld->lim.caps;

	lockdep_assert_held(&lc->lock);

	if (slave && (caps & LOOPDMA_CAPS_PERIPH)) {
		loopdma_chan_write(lc, LOOPDMA_CH_RATE, lc->rate);
		if (restart)
			loopdma_chan_write(lc, LOOPDMA_CH_PERIPH,
					   lc->periph_ctl);
	}
	if (caps & LOOPDMA_CAPS_PRIORITY)
		loopdma_chan_write(lc, LOOPDMA_CH_PRIORITY, lc->priority);
}

/* Enable the stopped hardware channel on its empty ring.  Any context. */
static int loopdma_chan_start(struct loopdma_chan *lc)
{
	u32 st;

	lockdep_assert_held(&lc->lock);

	loopdma_ring_reset(&lc->ring);
	memset(lc->comp, 0, sizeof(*lc->comp));
	lc->arm = 0;
	lc->aborting = false;
	lc->abort_to = 0;
	lc->paused = false;
	lc->watch_late = false;
	lc->watch_tail = 0;
	lc->watch_progress = 0;
	lc->watch_still = 0;

	loopdma_chan_write(lc, LOOPDMA_CH_RING_LO, lower_32_bits(lc->ring.dma));
	loopdma_chan_write(lc, LOOPDMA_CH_RING_HI, upper_32_bits(lc->ring.dma));
	loopdma_chan_write(lc, LOOPDMA_CH_RING_SIZE, ilog2(lc->ring.size));
	loopdma_chan_write(lc, LOOPDMA_CH_COMP_LO, lower_32_bits(lc->comp_dma));
	loopdma_chan_write(lc, LOOPDMA_CH_COMP_HI, upper_32_bits(lc->comp_dma));
	loopdma_chan_write(lc, LOOPDMA_CH_VECTOR, lc->vector);
	loopdma_chan_set_periph(lc, true);
	/* Orders the cleared completion record before the device looks at it. */
	loopdma_chan_write(lc, LOOPDMA_CH_CONTROL, LOOPDMA_CH_CONTROL_ENABLE);

	st = loopdma_chan_read(lc, LOOPDMA_CH_STATUS);
	if (FIELD_GET(LOOPDMA_CH_STATUS_STATE, st) == LOOPDMA_STATE_RUNNING)
		return 0;

	if (st == U32_MAX)
		loopdma_lose(lc->ld);
	else
		dev_err_ratelimited(lc->ld->dev,
				    "channel %u does not start: status %#010x\n",
				    lc->index, st);
	return -EIO;
}

/* A stopped channel works again, or is dead if it does not start.  Any context. */
static void loopdma_chan_bring_back(struct loopdma_chan *lc, int err)
{
	lockdep_assert_held(&lc->lock);

	lc->stats.recoveries++;
	if (lc->doubtful)
		loopdma_chan_end_ring(lc);
	else
		loopdma_chan_put_back(lc, false);
	lc->doubtful = false;
	if (READ_ONCE(lc->ld->lost))
		err = -ENODEV;
	if (!err)
		err = loopdma_chan_start(lc);
	lc->state = err ? LOOPDMA_CHAN_DEAD : LOOPDMA_CHAN_ON;
	if (err)
		loopdma_chan_end_all(lc, true);
	else
		loopdma_chan_push(lc);
}

/* Nothing less than a reset of the function helps.  Any context. */
static void loopdma_chan_ask_reset(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->lock);

	lc->remedy = LOOPDMA_REMEDY_NONE;
	lc->needs_reset = true;
	lc->stats.device_resets++;
	loopdma_ask_reset(lc->ld);
}

static void loopdma_chan_recover(struct work_struct *work)
{
	struct loopdma_chan *lc = container_of(work, struct loopdma_chan,
					       recover);
	int err;

	/*
	 * The driver's idea of the ring may be wrong by now, so nothing less
	 * than a stop makes it safe to end what is in it.  What has ignored an
	 * abort may not work after a mere stop.
	 */
	err = loopdma_chan_stop(lc, !READ_ONCE(lc->doubtful));

	spin_lock_irq(&lc->lock);
	if (lc->state == LOOPDMA_CHAN_RECOVERING) {
		if (lc->remedy == LOOPDMA_REMEDY_NONE)
			loopdma_chan_bring_back(lc, -EIO);
		else if (err)
			loopdma_chan_ask_reset(lc);
		else
			loopdma_chan_bring_back(lc, 0);
	}
	spin_unlock_irq(&lc->lock);
	tasklet_schedule(&lc->tasklet);
}

static void loopdma_chan_forget_memory(struct loopdma_chan *lc)
{
	lc->ring.desc = NULL;
	lc->comp = NULL;
	lc->lists = NULL;
}

static void loopdma_chan_free_memory(struct loopdma_chan *lc)
{
	struct device *dev = lc->ld->dev;

	if (lc->ring.desc)
		dma_free_coherent(dev, lc->ring.size * sizeof(*lc->ring.desc),
				  lc->ring.desc, lc->ring.dma);
	if (lc->comp)
		dma_free_coherent(dev, sizeof(*lc->comp), lc->comp,
				  lc->comp_dma);
	if (lc->lists)
		dma_free_coherent(dev, LOOPDMA_LISTS * sizeof(*lc->lists),
				  lc->lists, lc->lists_dma);
	loopdma_chan_forget_memory(lc);
}

/*
 * A device of which a client has a channel stays awake.  To let it sleep whenever
 * nothing is in flight would be to wake it up in issue_pending, which may be called
 * from hard interrupts, where there is no waiting for it.
 */
static int loopdma_chan_get_device(struct loopdma_chan *lc)
{
	struct device *dev = lc->ld->dev;
	int err;

	if (!pm_runtime_enabled(dev))
		return 0;
	err = pm_runtime_resume_and_get(dev);
	lc->awake = !err;
	return err;
}

static void loopdma_chan_put_device(struct loopdma_chan *lc)
{
	struct device *dev = lc->ld->dev;

	if (!lc->awake)
		return;
	lc->awake = false;
	pm_runtime_mark_last_busy(dev);
	pm_runtime_put_autosuspend(dev);
}

/* The hardware channel has stopped after all: what was kept for that goes. */
static void loopdma_chan_unstick(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->setup);

	lc->stuck = false;
	spin_lock_irq(&lc->lock);
	lc->needs_reset = false;
	spin_unlock_irq(&lc->lock);
	loopdma_chan_free_memory(lc);
	loopdma_chan_put_device(lc);
}

/**
 * loopdma_chan_halt() - the hardware channel is going to be reset with its device
 * @lc: channel
 *
 * On return nothing is started any more until loopdma_chan_restart(), and neither
 * timer nor recovery runs.  Clients may go on to submit.  The device may still
 * touch the channel's memory.
 *
 * Context: may sleep.
 */
void loopdma_chan_halt(struct loopdma_chan *lc)
{
	mutex_lock(&lc->setup);
	if (!lc->quiet) {
		spin_lock_irq(&lc->lock);
		/* Whatever it died of, it has another chance then. */
		lc->state = LOOPDMA_CHAN_RECOVERING;
		lc->paused = false;
		spin_unlock_irq(&lc->lock);

		timer_delete_sync(&lc->watchdog);
		cancel_work_sync(&lc->recover);
	}
	mutex_unlock(&lc->setup);
}

/**
 * loopdma_chan_restart() - the device was reset; the channel goes on
 * @lc: channel, after loopdma_chan_halt()
 *
 * Context: may sleep.
 */
void loopdma_chan_restart(struct loopdma_chan *lc)
{
	bool halted;
	int err;

	mutex_lock(&lc->setup);
	/* One that has been requested since the reset runs already. */
	spin_lock_irq(&lc->lock);
	halted = lc->state == LOOPDMA_CHAN_RECOVERING;
	spin_unlock_irq(&lc->lock);
	if (halted) {
		/* At once, unless the reset was none. */
		err = loopdma_chan_stop(lc, false);

		spin_lock_irq(&lc->lock);
		if (lc->state == LOOPDMA_CHAN_RECOVERING)
			loopdma_chan_bring_back(lc, err);
		spin_unlock_irq(&lc->lock);
		tasklet_schedule(&lc->tasklet);
	} else if (lc->stuck && !loopdma_chan_stop(lc, false)) {
		loopdma_chan_unstick(lc);
	}
	spin_lock_irq(&lc->lock);
	lc->needs_reset = false;
	spin_unlock_irq(&lc->lock);
	mutex_unlock(&lc->setup);
}

/**
 * loopdma_chan_init() - set up a channel that no client has yet
 * @ld: device
 * @index: number of the channel
 */
void loopdma_chan_init(struct loopdma_dev *ld, u32 index)
{
	struct loopdma_chan *lc = &ld->chan[index];

	lc->ld = ld;
	lc->index = index;
	lc->caps = loopdma_chan_read(lc, LOOPDMA_CH_CAPS);
	lc->state = LOOPDMA_CHAN_OFF;
	spin_lock_init(&lc->lock);
	INIT_LIST_HEAD(&lc->heap);
	mutex_init(&lc->setup);
	lc->quiet = true;
	lc->caller = -1;
	INIT_WORK(&lc->recover, loopdma_chan_recover);
	loopdma_irq_init(lc);

	lc->chan.device = &ld->dma;
	list_add_tail(&lc->chan.device_node, &ld->dma.channels);
}

static int loopdma_chan_alloc_memory(struct loopdma_chan *lc)
{
	struct device *dev = lc->ld->dev;
	bool parity = lc->caps & (LOOPDMA_CH_CAPS_XOR | LOOPDMA_CH_CAPS_PQ);
	u32 size = BIT(READ_ONCE(lc->ld->ring_order));
	struct loopdma_hw_desc *desc;
	dma_addr_t dma;
	int err;

	err = loopdma_pool_init(lc, max_t(u32, size, LOOPDMA_POOL_MIN));
	if (err)
		return err;

	desc = dma_alloc_coherent(dev, size * sizeof(*desc), &dma, GFP_KERNEL);
	loopdma_ring_init(&lc->ring, desc, dma, size);
	lc->comp = dma_alloc_coherent(dev, sizeof(*lc->comp), &lc->comp_dma,
				      GFP_KERNEL);
	bitmap_zero(lc->lists_used, LOOPDMA_LISTS);
	if (parity)
		lc->lists = dma_alloc_coherent(dev, LOOPDMA_LISTS *
					       sizeof(*lc->lists),
					       &lc->lists_dma, GFP_KERNEL);
	if (desc && lc->comp && (lc->lists || !parity))
		return 0;

	loopdma_chan_free_memory(lc);
	loopdma_pool_exit(lc);
	return -ENOMEM;
}

/**
 * loopdma_chan_quiet() - stop a channel for good
 * @lc: channel; its setup mutex is held
 *
 * On return nothing is started any more, neither timer nor recovery runs, and
 * the device does not touch the channel's memory, or the channel is marked as
 * stuck.  What was in the ring is still there.
 *
 * Context: may sleep.
 */
void loopdma_chan_quiet(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->setup);

	if (lc->quiet)
		return;

	/* Who holds the lock of a channel that is ON may start something. */
	spin_lock_irq(&lc->lock);
	lc->state = LOOPDMA_CHAN_OFF;
	spin_unlock_irq(&lc->lock);

	timer_delete_sync(&lc->watchdog);
	cancel_work_sync(&lc->recover);
	lc->stuck = loopdma_chan_stop(lc, false);
	lc->quiet = true;
}

/*
 * Take a channel down.  On return no interrupt, timer, work or tasklet of it
 * runs or will run, all descriptors that were submitted have ended, and the
 * memory that the device knew is freed, or will be when it lets go of it.
 * At removal of the device clients are called back.
 */
static void loopdma_chan_down(struct loopdma_chan *lc, bool removal)
{
	loopdma_chan_quiet(lc);

	if (lc->ring.desc) {
		spin_lock_irq(&lc->lock);
		loopdma_chan_end_all(lc, removal);
		spin_unlock_irq(&lc->lock);
	}

	/*
	 * The tasklet calls back and frees; it does not touch the ring now.
	 * Also if there is no ring any more: a client may have scheduled it by
	 * terminating what its device took along.
	 */
	tasklet_schedule(&lc->tasklet);
	tasklet_kill(&lc->tasklet);

	if (lc->stuck && lc->ring.desc) {
		/* Its memory is kept until it has stopped, or its device goes. */
		if (!removal) {
			spin_lock_irq(&lc->lock);
			/* Removal resets it anyway, and waits for our mutex before. */
			if (!READ_ONCE(lc->ld->gone))
				loopdma_chan_ask_reset(lc);
			spin_unlock_irq(&lc->lock);
			return;
		}
		/* Better to lose this memory than to have it written into. */
		dev_err(lc->ld->dev, "channel %u: ring memory not freed\n",
			lc->index);
		loopdma_chan_forget_memory(lc);
	}
	loopdma_chan_free_memory(lc);
	loopdma_chan_put_device(lc);
}

/* One that its last client has left without its having stopped: has it now? */
static bool loopdma_chan_still_stuck(struct loopdma_chan *lc)
{
	u32 st = loopdma_chan_read(lc, LOOPDMA_CH_STATUS);

	if (st != U32_MAX && (FIELD_GET(LOOPDMA_CH_STATUS_STATE, st) !=
			      LOOPDMA_STATE_DISABLED ||
			      loopdma_chan_read(lc, LOOPDMA_CH_CONTROL)))
		return true;
	loopdma_chan_unstick(lc);
	return false;
}

/**
 * loopdma_chan_alloc() - bring a channel up for its first client
 * @lc: channel
 *
 * Context: may sleep; called under the core's mutex.
 * Return: 0; -ENOMEM; -EIO if the hardware does not start; -ENXIO if the
 * device is gone; or why it does not wake up.
 */
int loopdma_chan_alloc(struct loopdma_chan *lc)
{
	bool halted;
	int err;

	mutex_lock(&lc->setup);
	err = -EIO;
	if (lc->stuck && loopdma_chan_still_stuck(lc))
		goto out;
	err = loopdma_chan_alloc_memory(lc);
	if (err)
		goto out;

	memset(&lc->config, 0, sizeof(lc->config));
	lc->periph_ctl = 0;
	lc->rate = 0;
	lc->priority = 0;
	lc->chan.cookie = DMA_MIN_COOKIE;
	lc->chan.completed_cookie = DMA_MIN_COOKIE;
	lc->nerrors = 0;
	lc->remedy = LOOPDMA_REMEDY_ABORT;
	lc->doubtful = false;

	/*
	 * Not -ENODEV, on which the core takes the device off its list and
	 * then does so once more when it is released.
	 */
	if (READ_ONCE(lc->ld->gone) || READ_ONCE(lc->ld->lost) ||
	    loopdma_chan_get_device(lc))
		err = -ENXIO;
	spin_lock_irq(&lc->lock);
	/*
	 * Once: the reset may end any time.  One that it is too late for here has
	 * its turn in loopdma_restart(), which takes @setup after that.
	 */
	halted = READ_ONCE(lc->ld->halted);
	if (!err && !halted)
		err = loopdma_chan_start(lc);
	if (!err)
		lc->state = halted ? LOOPDMA_CHAN_RECOVERING : LOOPDMA_CHAN_ON;
	spin_unlock_irq(&lc->lock);

	lc->quiet = err == -ENXIO;
	if (err) {
		loopdma_chan_down(lc, false);
		loopdma_pool_exit(lc);
	}
out:
	mutex_unlock(&lc->setup);
	return err;
}

/**
 * loopdma_chan_free() - take a channel down after its last client
 * @lc: channel
 *
 * What is still in flight is aborted without a callback: the core does not
 * terminate before it frees, and the client is no longer there to be told.
 *
 * Context: may sleep; called under the core's mutex.
 */
void loopdma_chan_free(struct loopdma_chan *lc)
{
	mutex_lock(&lc->setup);
	loopdma_chan_down(lc, false);
	loopdma_pool_exit(lc);
	mutex_unlock(&lc->setup);
}

/**
 * loopdma_chan_remove() - take a channel down because its device goes away
 * @lc: channel
 *
 * A client that still holds the channel is told by its callbacks that what was
 * in flight is aborted.  The pool stays until the client releases the channel.
 *
 * Context: may sleep.
 */
void loopdma_chan_remove(struct loopdma_chan *lc)
{
	mutex_lock(&lc->setup);
	loopdma_chan_down(lc, true);
	mutex_unlock(&lc->setup);
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

/* Move the cursor to the next segment; true if there is none. */
static bool loopdma_chan_next_seg(struct loopdma_chan *lc,
				  const struct loopdma_desc *d)
{
	lc->push_off = 0;
	lc->push_idx += d->pairs ? 2 : 1;
	if (lc->push_idx == lc->push_seg->n) {
		lc->push_seg = lc->push_seg->next;
		lc->push_idx = 0;
	}
	return !lc->push_seg;
}

/* Take the next piece of a transaction at the cursor, and move the cursor. */
static struct loopdma_piece loopdma_chan_cut(struct loopdma_chan *lc,
					     const struct loopdma_desc *d)
{
	const struct loopdma_limits *lim = &lc->ld->lim;
	bool slave = d->op == LOOPDMA_OP_TX || d->op == LOOPDMA_OP_RX;
	u32 unit = slave ? loopdma_periph_width(d->periph) :
			   BIT(lim->copy_align);
	struct loopdma_piece piece = { .off = lc->push_off };
	const struct loopdma_segs *segs = NULL;
	u32 len = d->len;

	if (loopdma_desc_has_segs(d)) {
		segs = lc->push_seg;
		len = segs->len[lc->push_idx];
		piece.addr = segs->addr[lc->push_idx] + piece.off;
		if (d->pairs)
			piece.to = segs->addr[lc->push_idx + 1] + piece.off;
	} else if (d->op == LOOPDMA_OP_COPY) {
		piece.addr = d->src + piece.off;
		piece.to = d->dst + piece.off;
	}
	piece.len = min(len - piece.off, loopdma_limits_max_piece(lim, unit));
	lc->push_off += piece.len;
	piece.seg_end = lc->push_off == len;
	piece.last = piece.seg_end;
	if (segs && piece.seg_end)
		piece.last = loopdma_chan_next_seg(lc, d);
	return piece;
}

/* Set the cursor to the start of a transaction. */
static void loopdma_chan_rewind(struct loopdma_chan *lc,
				const struct loopdma_desc *d)
{
	lc->push_seg = d->segs;
	lc->push_idx = 0;
	lc->push_off = 0;
}

/* Set it to where so many bytes of it, but not all, are behind. */
static void loopdma_chan_seek(struct loopdma_chan *lc,
			      const struct loopdma_desc *d, u32 bytes)
{
	loopdma_chan_rewind(lc, d);
	if (loopdma_desc_has_segs(d)) {
		while (bytes && bytes >= lc->push_seg->len[lc->push_idx]) {
			bytes -= lc->push_seg->len[lc->push_idx];
			loopdma_chan_next_seg(lc, d);
		}
	}
	lc->push_off = bytes;
}

static bool loopdma_chan_at_start(const struct loopdma_chan *lc,
				  const struct loopdma_desc *d)
{
	return lc->push_seg == d->segs && !lc->push_idx && !lc->push_off;
}

/*
 * Is a transaction that loops to end here?  One that failed is: the device skips
 * the rest of it.  One that is repeated is when it has been through and another
 * waits that is to replace it (dmaengine.h, DMA_PREP_LOAD_EOT).
 */
static bool loopdma_chan_loop_ends(const struct loopdma_chan *lc,
				   const struct loopdma_desc *d)
{
	if (d->result != DMA_TRANS_NOERROR)
		return true;
	return d->repeat && lc->push_through && loopdma_chan_at_start(lc, d) &&
	       d->next && (d->next->tx.flags & DMA_PREP_LOAD_EOT);
}

/*
 * What a transaction that is repeated has in the ring delays the one that is to
 * replace it; so no more than keeps the device busy.  How much that is follows from
 * lengths that the device can write, but whether there is any does not: in an empty
 * ring nothing would go on.
 */
static bool loopdma_chan_loop_waits(const struct loopdma_chan *lc,
				    const struct loopdma_desc *d)
{
	return d->repeat && lc->push_ahead >= LOOPDMA_REPEAT_AHEAD &&
	       loopdma_ring_used(&lc->ring) && loopdma_chan_at_start(lc, d) &&
	       !loopdma_chan_loop_ends(lc, d);
}

/*
 * Control word of a piece of a transaction that loops.  It is one endless chain,
 * of which the device skips the rest when a piece fails.  The client is told of
 * each period, or each time round.
 */
static u32 loopdma_chan_loop_ctrl(struct loopdma_chan *lc,
				  const struct loopdma_desc *d,
				  const struct loopdma_piece *piece)
{
	bool told = d->cyclic ? piece->seg_end : piece->last;
	u32 ctrl = LOOPDMA_CTRL_CHAIN;

	if (piece->last) {
		loopdma_chan_rewind(lc, d);
		lc->push_through = true;
		lc->push_ahead++;
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
static bool loopdma_chan_push_entry(struct loopdma_chan *lc,
				    struct loopdma_desc *d)
{
	struct loopdma_hw_desc *hw = loopdma_ring_push(&lc->ring);
	bool loops = loopdma_desc_loops(d);
	struct loopdma_piece piece;
	u32 ctrl = 0;

	if (loops && loopdma_chan_loop_ends(lc, d)) {
		/* The end of the chain, and of the transaction. */
		loopdma_desc_nop(hw, LOOPDMA_CTRL_INT);
		return true;
	}

	piece = loopdma_chan_cut(lc, d);
	if (loops)
		ctrl = loopdma_chan_loop_ctrl(lc, d, &piece);
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
		loopdma_desc_parity(hw, d->op, d->parity, piece.off, piece.len,
				    ctrl);
		break;
	default:
		loopdma_desc_nop(hw, ctrl);
		break;
	}
	return piece.last && !loops;
}

/**
 * loopdma_chan_issue() - what is submitted is to be done from now on
 * @lc: channel, locked
 */
void loopdma_chan_issue(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->lock);

	if (!lc->submitted.first)
		return;
	/* The tasklet has looked at it, for all that its callbacks issue. */
	if (lc->caller != raw_smp_processor_id())
		loopdma_stats_clock(lc);
	lc->stats.depth += lc->nsubmitted;
	trace_loopdma_issue(lc, lc->nsubmitted);
	lc->nsubmitted = 0;
	loopdma_queue_splice(&lc->issued, &lc->submitted);
}

/**
 * loopdma_chan_push() - put issued work into the ring and tell the device
 * @lc: channel, locked, state ON
 *
 * As much as fits; the rest follows from the completion path.  One doorbell
 * for all of it.
 */
void loopdma_chan_push(struct loopdma_chan *lc)
{
	struct loopdma_hw_desc *hw;
	struct loopdma_desc *d;

	lockdep_assert_held(&lc->lock);

	while ((d = lc->issued.first) && loopdma_ring_space(&lc->ring)) {
		if (!lc->pushing) {
			lc->pushing = true;
			lc->push_through = false;
			lc->push_ahead = 0;
			/* A part of it may have been done before a restart. */
			loopdma_chan_seek(lc, d, lc->active.first ? 0 :
					  lc->moved);
		}
		if (loopdma_chan_loop_waits(lc, d))
			break;
		if (loopdma_chan_push_entry(lc, d)) {
			lc->pushing = false;
			d->end = lc->ring.head;
			loopdma_queue_pop(&lc->issued);
			loopdma_queue_add(&lc->active, d);
		}
	}

	if (!loopdma_ring_needs_doorbell(&lc->ring))
		return;

	/*
	 * What follows a full ring can only be moved in when entries retire,
	 * so there must be an interrupt to do it, even if no client asked.
	 */
	if (!loopdma_ring_space(&lc->ring)) {
		hw = loopdma_ring_slot(&lc->ring, lc->ring.head - 1);
		hw->ctrl |= cpu_to_le32(LOOPDMA_CTRL_INT);
	}

	lc->stats.doorbells++;
	trace_loopdma_start(lc, lc->ring.head - lc->ring.rung);
	/*
	 * The doorbell hands the entries over.  The register write orders the
	 * stores to the ring before itself, as writel() does; it pairs with
	 * the device's read barrier between doorbell and descriptor fetch.
	 */
	loopdma_chan_write(lc, LOOPDMA_CH_DOORBELL,
			   loopdma_ring_ring(&lc->ring));
	loopdma_watch(lc);
}

/*
 * The transaction that is being put into the ring gets no further entries there.
 * It has some: who empties the ring fills it again under the same hold of the
 * lock.
 */
static void loopdma_chan_cut_off(struct loopdma_chan *lc)
{
	struct loopdma_desc *d;

	if (!lc->pushing)
		return;
	d = loopdma_queue_pop(&lc->issued);
	d->end = lc->ring.head;
	loopdma_queue_add(&lc->active, d);
	lc->pushing = false;
}

/**
 * loopdma_chan_abort() - end everything that is not complete
 * @lc: channel, locked
 *
 * No callback comes for any of it, and every cookie given out so far counts as
 * complete, so that nobody waits for one.  What is in the ring is freed when
 * the device has acknowledged, see struct loopdma_chan.aborting; the rest is
 * freed by the tasklet, which the caller schedules.
 */
void loopdma_chan_abort(struct loopdma_chan *lc)
{
	struct loopdma_desc *d;
	u32 ended = 0;

	lockdep_assert_held(&lc->lock);

	loopdma_stats_clock(lc);
	/* Its entries so far go the way of the others in the ring. */
	loopdma_chan_cut_off(lc);
	lc->loop = NULL;
	for (d = lc->active.first; d; d = d->next) {
		ended += !d->aborted;
		d->aborted = true;
	}
	if (lc->active.first && (lc->state == LOOPDMA_CHAN_ON ||
				 lc->state == LOOPDMA_CHAN_SUSPENDED)) {
		lc->aborting = true;
		lc->abort_to = lc->ring.head;
		/* A device that sleeps is told when it wakes up. */
		if (lc->state == LOOPDMA_CHAN_ON)
			loopdma_chan_write(lc, LOOPDMA_CH_ABORT, lc->abort_to);
	}
	/* After the abort is known, so that nothing is moved any more. */
	if (lc->paused)
		loopdma_chan_resume(lc);

	loopdma_chan_issue(lc);
	for (d = lc->issued.first; d; d = d->next) {
		d->aborted = true;
		loopdma_stats_end(lc, d);
		ended++;
	}
	loopdma_queue_splice(&lc->finished, &lc->issued);
	trace_loopdma_terminate(lc, ended);

	lc->chan.completed_cookie = lc->chan.cookie;
}

static int loopdma_chan_state_error(const struct loopdma_chan *lc)
{
	switch (lc->state) {
	case LOOPDMA_CHAN_ON:
	case LOOPDMA_CHAN_SUSPENDED:
		return 0;
	case LOOPDMA_CHAN_OFF:
		return -ENODEV;
	default:
		return -EIO;
	}
}

/* Any context; 0, -EIO or -ETIMEDOUT, as below. */
static int loopdma_chan_pause_hw(struct loopdma_chan *lc)
{
	u32 st, state;
	int err;

	loopdma_chan_write(lc, LOOPDMA_CH_CONTROL,
			   LOOPDMA_CH_CONTROL_ENABLE |
			   LOOPDMA_CH_CONTROL_PAUSE);
	/* A channel in ERROR, or gone from the bus, will not say PAUSED. */
	err = read_poll_timeout_atomic(loopdma_chan_read, st,
				       (st & LOOPDMA_CH_STATUS_PAUSED) ||
				       FIELD_GET(LOOPDMA_CH_STATUS_STATE, st) !=
				       LOOPDMA_STATE_RUNNING,
				       1, LOOPDMA_PAUSE_TIMEOUT_US, false,
				       lc, LOOPDMA_CH_STATUS);
	state = FIELD_GET(LOOPDMA_CH_STATUS_STATE, st);
	if (!err && state != LOOPDMA_STATE_RUNNING)
		err = -EIO;
	/* Whatever it said, nothing may stay paused that nobody will resume. */
	if (err)
		loopdma_chan_write(lc, LOOPDMA_CH_CONTROL,
				   LOOPDMA_CH_CONTROL_ENABLE);
	return err;
}

/**
 * loopdma_chan_pause() - have the device leave everything where it is
 * @lc: channel, locked
 *
 * On return the device does not touch the channel's memory, and the completion
 * record tells how far it has got.  Does nothing if the channel is paused.
 *
 * Context: any; waits for the device, normally not longer than the register
 * access takes.
 * Return: 0; -ENODEV if the device is gone; -EIO if the channel is not working;
 * -ETIMEDOUT if the device does not answer: it goes on then.
 */
int loopdma_chan_pause(struct loopdma_chan *lc)
{
	int err;

	lockdep_assert_held(&lc->lock);

	err = loopdma_chan_state_error(lc);
	if (err || lc->paused)
		return err;

	/* A device that sleeps moves nothing as it is. */
	if (lc->state == LOOPDMA_CHAN_ON)
		err = loopdma_chan_pause_hw(lc);
	lc->paused = !err;
	return err;
}

/**
 * loopdma_chan_resume() - let the device go on
 * @lc: channel, locked
 *
 * Context: any.
 * Return: 0; -EINVAL if the channel is not paused; -ENODEV if the device is
 * gone; -EIO if the channel is not working.
 */
int loopdma_chan_resume(struct loopdma_chan *lc)
{
	int err;

	lockdep_assert_held(&lc->lock);

	err = loopdma_chan_state_error(lc);
	if (err)
		return err;
	if (!lc->paused)
		return -EINVAL;
	lc->paused = false;
	if (lc->state == LOOPDMA_CHAN_ON)
		loopdma_chan_write(lc, LOOPDMA_CH_CONTROL,
				   LOOPDMA_CH_CONTROL_ENABLE);
	return 0;
}

/**
 * loopdma_chan_suspend() - leave everything where it is until the device is resumed
 * @lc: channel
 *
 * On return the device does not touch the channel's memory, unless it does not
 * answer.  Clients may go on to submit.
 *
 * Context: may sleep.
 */
void loopdma_chan_suspend(struct loopdma_chan *lc)
{
	mutex_lock(&lc->setup);
	if (!lc->quiet) {
		spin_lock_irq(&lc->lock);
		if (lc->state == LOOPDMA_CHAN_ON)
			loopdma_chan_reap(lc);
		/* Without PAUSE, and if it fails, it is stopped. */
		if (lc->state == LOOPDMA_CHAN_ON &&
		    (lc->ld->lim.caps & LOOPDMA_CAPS_PAUSE) &&
		    (lc->paused || !loopdma_chan_pause_hw(lc))) {
			loopdma_chan_reap(lc);
			if (lc->state == LOOPDMA_CHAN_ON)
				lc->state = LOOPDMA_CHAN_SUSPENDED;
		}
		if (lc->state == LOOPDMA_CHAN_ON)
			lc->state = LOOPDMA_CHAN_RECOVERING;
		spin_unlock_irq(&lc->lock);

		timer_delete_sync(&lc->watchdog);
		cancel_work_sync(&lc->recover);
		if (READ_ONCE(lc->state) == LOOPDMA_CHAN_RECOVERING)
			loopdma_chan_stop(lc, false);
		/* Calls back for what has just been found to have ended. */
		tasklet_schedule(&lc->tasklet);
	}
	mutex_unlock(&lc->setup);
}

/* Is a suspended channel as it was left?  Any context. */
static bool loopdma_chan_kept(struct loopdma_chan *lc)
{
	u32 st = loopdma_chan_read(lc, LOOPDMA_CH_STATUS);

	return st != U32_MAX && (st & LOOPDMA_CH_STATUS_PAUSED) &&
	       FIELD_GET(LOOPDMA_CH_STATUS_STATE, st) ==
	       LOOPDMA_STATE_RUNNING &&
	       loopdma_chan_read(lc, LOOPDMA_CH_RING_LO) ==
	       lower_32_bits(lc->ring.dma) &&
	       loopdma_chan_read(lc, LOOPDMA_CH_RING_HI) ==
	       upper_32_bits(lc->ring.dma);
}

/* A channel that is paused and as it was left goes on.  Any context. */
static void loopdma_chan_go_on(struct loopdma_chan *lc)
{
	lc->state = LOOPDMA_CHAN_ON;
	if (lc->aborting)
		loopdma_chan_write(lc, LOOPDMA_CH_ABORT, lc->abort_to);
	if (!lc->paused)
		loopdma_chan_write(lc, LOOPDMA_CH_CONTROL,
				   LOOPDMA_CH_CONTROL_ENABLE);
	loopdma_chan_push(lc);
	if (loopdma_ring_used(&lc->ring))
		loopdma_watch(lc);
}

/* One that was suspended, and has forgotten everything; it is stopped. */
static void loopdma_chan_begin_anew(struct loopdma_chan *lc)
{
	bool paused = lc->paused;

	loopdma_chan_put_back(lc, true);
	if (READ_ONCE(lc->ld->lost) || loopdma_chan_start(lc)) {
		lc->state = LOOPDMA_CHAN_DEAD;
		loopdma_chan_end_all(lc, true);
		return;
	}
	lc->state = LOOPDMA_CHAN_ON;
	/* Before there is anything that it could move. */
	if (paused && loopdma_chan_pause(lc))
		loopdma_chan_fail(lc, "does not pause");
	if (lc->state == LOOPDMA_CHAN_ON)
		loopdma_chan_push(lc);
}

/**
 * loopdma_chan_wake() - the device is resumed; the channel goes on
 * @lc: channel, after loopdma_chan_suspend()
 * @kept: the hardware channel may be as it was left
 *
 * Where it was, to the byte, also if the hardware has forgotten everything; but
 * what its FIFO held is lost then.
 *
 * Context: may sleep.
 */
void loopdma_chan_wake(struct loopdma_chan *lc, bool kept)
{
	int err;

	mutex_lock(&lc->setup);
	if (!lc->quiet) {
		kept = kept && loopdma_chan_kept(lc);
		err = kept ? 0 : loopdma_chan_stop(lc, false);

		spin_lock_irq(&lc->lock);
		/* One that waits for a reset of the device goes on to do so. */
		if ((lc->state == LOOPDMA_CHAN_RECOVERING && !lc->needs_reset) ||
		    (lc->state == LOOPDMA_CHAN_SUSPENDED && err))
			loopdma_chan_bring_back(lc, err);
		else if (lc->state == LOOPDMA_CHAN_SUSPENDED && kept)
			loopdma_chan_go_on(lc);
		else if (lc->state == LOOPDMA_CHAN_SUSPENDED)
			loopdma_chan_begin_anew(lc);
		spin_unlock_irq(&lc->lock);
		tasklet_schedule(&lc->tasklet);
	}
	mutex_unlock(&lc->setup);
}

/**
 * loopdma_chan_progress() - how far the device has got in the oldest entry
 * @lc: channel, locked, with everything reaped
 *
 * Return: bytes that it has moved, as far as it says; not checked.
 */
u32 loopdma_chan_progress(const struct loopdma_chan *lc)
{
	u64 val, again;

	if (!(lc->ld->lim.caps & LOOPDMA_CAPS_PROGRESS) ||
	    !loopdma_ring_used(&lc->ring))
		return 0;
	/* Where it takes two loads, the device may write between them. */
	do {
		val = le64_to_cpu(READ_ONCE(lc->comp->progress));
		again = le64_to_cpu(READ_ONCE(lc->comp->progress));
	} while (!IS_ENABLED(CONFIG_64BIT) && val != again);

	if (FIELD_GET(LOOPDMA_PROGRESS_COUNT, val) != lc->ring.tail)
		return 0;
	return FIELD_GET(LOOPDMA_PROGRESS_BYTES, val);
}

/**
 * loopdma_chan_fifo_level() - bytes that came from the peer, not yet in memory
 * @lc: channel, locked
 *
 * Reads a register.
 *
 * Return: their number, 0 if the device does not tell.
 */
u32 loopdma_chan_fifo_level(struct loopdma_chan *lc)
{
	u32 level;

	if (!(lc->ld->lim.caps & LOOPDMA_CAPS_PROGRESS) ||
	    lc->state != LOOPDMA_CHAN_ON)
		return 0;
	level = loopdma_chan_read(lc, LOOPDMA_CH_FIFO_LEVEL);
	/* All ones: the function is gone from the bus. */
	return level <= lc->ld->lim.fifo_depth ? level : 0;
}

/**
 * loopdma_chan_fail() - the hardware channel is not to be trusted any more
 * @lc: channel, locked
 * @why: reason, for the log
 *
 * Starts the recovery; harmless if the channel is not working.
 */
void loopdma_chan_fail(struct loopdma_chan *lc, const char *why)
{
	lockdep_assert_held(&lc->lock);

	if (lc->state != LOOPDMA_CHAN_ON)
		return;
	lc->state = LOOPDMA_CHAN_RECOVERING;
	lc->paused = false;
	lc->doubtful = true;
	/* Of a device that is gone once is enough. */
	if (!READ_ONCE(lc->ld->lost))
		dev_err_ratelimited(lc->ld->dev,
				    "channel %u: %s; restarting it\n",
				    lc->index, why);
	schedule_work(&lc->recover);
}

/**
 * loopdma_chan_abort_oldest() - have the device give up what it is at
 * @lc: channel, locked, state ON, with something in the ring
 *
 * Its client is told as soon as the device has acknowledged; the transactions
 * behind it are executed.
 *
 * Context: any; waits as loopdma_chan_pause().
 * Return: true; false if the device does not answer, or was told to abort
 * already.
 */
bool loopdma_chan_abort_oldest(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->lock);

	/* Without, the count could pass what is written, which is an error. */
	if (!(lc->ld->lim.caps & LOOPDMA_CAPS_PAUSE) || lc->aborting ||
	    loopdma_chan_pause(lc))
		return false;
	if (loopdma_chan_done(lc) == lc->ring.tail) {
		if (!lc->active.first)
			loopdma_chan_cut_off(lc);
		lc->aborting = true;
		lc->abort_to = lc->active.first->end;
		loopdma_chan_write(lc, LOOPDMA_CH_ABORT, lc->abort_to);
	}
	loopdma_chan_resume(lc);
	return true;
}

/* What is in the ring is in order, but the channel is not.  Any context. */
static void loopdma_chan_give_up(struct loopdma_chan *lc)
{
	lc->state = LOOPDMA_CHAN_RECOVERING;
	lc->paused = false;
}

/**
 * loopdma_chan_stalled() - there was no progress for too long
 * @lc: channel, locked, state ON, with something in the ring
 *
 * Does what is next to be tried.  Called again if that did not help.
 *
 * Context: any; waits as loopdma_chan_pause().
 */
void loopdma_chan_stalled(struct loopdma_chan *lc)
{
	struct device *dev = lc->ld->dev;

	lockdep_assert_held(&lc->lock);

	/* An abort that is ignored belongs to the same stall. */
	if (lc->remedy == LOOPDMA_REMEDY_ABORT || !lc->aborting)
		lc->stats.stalls++;
	switch (lc->remedy) {
	case LOOPDMA_REMEDY_ABORT:
		lc->remedy = LOOPDMA_REMEDY_RESTART;
		if (loopdma_chan_abort_oldest(lc)) {
			dev_err_ratelimited(dev, "channel %u: no progress; aborting a transaction\n",
					    lc->index);
			break;
		}
		fallthrough;
	case LOOPDMA_REMEDY_RESTART:
		dev_err_ratelimited(dev, "channel %u: no progress; resetting it\n",
				    lc->index);
		lc->remedy = LOOPDMA_REMEDY_DEVICE;
		loopdma_chan_give_up(lc);
		schedule_work(&lc->recover);
		break;
	case LOOPDMA_REMEDY_DEVICE:
		loopdma_chan_give_up(lc);
		loopdma_chan_ask_reset(lc);
		break;
	case LOOPDMA_REMEDY_NONE:
		dev_err_ratelimited(dev, "channel %u: no progress; giving it up\n",
				    lc->index);
		loopdma_chan_give_up(lc);
		schedule_work(&lc->recover);
		break;
	}
}
