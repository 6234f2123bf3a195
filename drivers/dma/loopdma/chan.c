// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: a channel's memory, bring-up and take-down.
 */
#include <linux/dma-mapping.h>
#include <linux/lockdep.h>
#include <linux/pm_runtime.h>

#include "loopdma.h"

/* A tiny ring (a test's) still has descriptors to queue behind it. */
#define LOOPDMA_POOL_MIN		64

static void loopdma_chan_forget_memory(struct loopdma_chan *lc)
{
	lc->ring.desc = NULL;
	lc->comp = NULL;
	lc->lists.list = NULL;
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
	if (lc->lists.list)
		dma_free_coherent(dev, LOOPDMA_LISTS * sizeof(*lc->lists.list),
				  lc->lists.list, lc->lists.dma);
	loopdma_chan_forget_memory(lc);
}

static int loopdma_chan_alloc_memory(struct loopdma_chan *lc)
{
	struct device *dev = lc->ld->dev;
	bool raid = lc->caps & (LOOPDMA_CH_CAPS_XOR | LOOPDMA_CH_CAPS_PQ);
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
	bitmap_zero(lc->lists.used, LOOPDMA_LISTS);
	if (raid)
		lc->lists.list = dma_alloc_coherent(dev, LOOPDMA_LISTS *
						    sizeof(*lc->lists.list),
						    &lc->lists.dma, GFP_KERNEL);
	if (desc && lc->comp && (lc->lists.list || !raid))
		return 0;

	loopdma_chan_free_memory(lc);
	loopdma_pool_exit(lc);
	return -ENOMEM;
}

/*
 * The device is being reset, or sleeps, and may know the memory of the last client: the
 * next gets that.  The hardware is stopped before it is started on it, and the reference
 * for the device is still held.
 */
static int loopdma_chan_keep_memory(struct loopdma_chan *lc)
{
	int err;

	err = loopdma_pool_init(lc, max_t(u32, lc->ring.size, LOOPDMA_POOL_MIN));
	if (err)
		return err;
	bitmap_zero(lc->lists.used, LOOPDMA_LISTS);
	lc->recovery = LOOPDMA_REMEDY_NONE;
	return 0;
}

/*
 * A device of which a client has a channel stays awake.  To let it sleep whenever
 * nothing is in flight would be to wake it up in issue_pending, which may be called
 * from hard interrupts, where there is no waiting for it.
 */
static int loopdma_get_device(struct loopdma_dev *ld)
{
	int err = pm_runtime_get_sync(ld->dev);

	/* Disabled, as while the system sleeps: it counts from the end of that on. */
	if (err >= 0 || err == -EACCES)
		return 0;
	pm_runtime_put_noidle(ld->dev);
	return err;
}

static void loopdma_put_device(struct loopdma_dev *ld)
{
	pm_runtime_mark_last_busy(ld->dev);
	pm_runtime_put_autosuspend(ld->dev);
}

/**
 * loopdma_chan_release() - free the memory that the hardware knew
 * @lc: channel; its setup mutex is held, and the hardware has let go of it
 *
 * Context: may sleep.
 */
void loopdma_chan_release(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->setup);

	lc->recovery = LOOPDMA_REMEDY_NONE;
	loopdma_chan_free_memory(lc);
	loopdma_put_device(lc->ld);
}

/**
 * loopdma_chan_quiesce() - stop a channel that is OFF by now
 * @lc: channel; its setup mutex is held
 *
 * Says in @recovery what is to be done if its memory has to be kept.
 *
 * Context: may sleep.
 */
void loopdma_chan_quiesce(struct loopdma_chan *lc)
{
	switch (loopdma_dev_state(lc->ld)) {
	case LOOPDMA_DEV_HALTED:
		/* Its registers may not answer; who ends that stops it. */
		lc->recovery = LOOPDMA_REMEDY_RESTART;
		break;
	case LOOPDMA_DEV_DISCONNECTED:
		lc->recovery = LOOPDMA_REMEDY_NONE;
		break;
	default:
		lc->recovery = loopdma_chan_stop(lc, false) == -ETIMEDOUT ?
			       LOOPDMA_REMEDY_FUNCTION : LOOPDMA_REMEDY_NONE;
		break;
	}
}

/**
 * loopdma_chan_off() - a channel does nothing any more
 * @lc: channel; its setup mutex is held
 *
 * On return nothing is started any more, the watchdog does not run, and the
 * hardware has stopped or @recovery says what is to be done about it.
 *
 * Context: may sleep.
 */
void loopdma_chan_off(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->setup);

	if (lc->state == LOOPDMA_CHAN_OFF) {
		/* It may not have let go of its memory yet. */
		if (lc->ring.desc)
			loopdma_chan_quiesce(lc);
		return;
	}
	spin_lock_irq(&lc->lock);
	loopdma_chan_set_state(lc, LOOPDMA_CHAN_OFF);
	spin_unlock_irq(&lc->lock);

	timer_delete_sync(&lc->watch.timer);
	loopdma_chan_quiesce(lc);
}

/**
 * loopdma_chan_off_reset() - a channel that is OFF takes a reset of the function
 * @lc: channel; its setup mutex is held
 *
 * Context: may sleep.
 */
void loopdma_chan_off_reset(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->setup);

	spin_lock_irq(&lc->lock);
	loopdma_chan_ask_reset(lc);
	spin_unlock_irq(&lc->lock);
}

/*
 * End what was submitted to a channel that is OFF, and free its memory.  On return
 * no interrupt, timer or bottom half of it runs or will run; the memory that the
 * device knew is freed, or will be when it lets go of it.  At removal of the device
 * clients are called back.
 */
static void loopdma_chan_wind_up(struct loopdma_chan *lc, bool removal)
{
	if (lc->ring.desc) {
		spin_lock_irq(&lc->lock);
		if (!removal)
			loopdma_queue_terminate(lc);
		loopdma_queue_settle(lc, LOOPDMA_SETTLE_ALL);
		spin_unlock_irq(&lc->lock);
	}

	/*
	 * The bottom half calls back and frees; it does not touch the ring now.
	 * Also if there is no ring any more: a client may have scheduled it by
	 * terminating what its device took along.
	 */
	loopdma_bh_flush(&lc->bh);

	if (!lc->ring.desc)
		return;
	if (lc->recovery == LOOPDMA_REMEDY_NONE) {
		loopdma_chan_release(lc);
	} else if (removal) {
		/* Better to lose this memory than to have it written into. */
		dev_err(lc->ld->dev, "channel %u: ring memory not freed\n",
			lc->index);
		loopdma_chan_forget_memory(lc);
		loopdma_put_device(lc->ld);
	} else if (lc->recovery == LOOPDMA_REMEDY_FUNCTION &&
		   loopdma_dev_state(lc->ld) != LOOPDMA_DEV_GONE) {
		loopdma_chan_off_reset(lc);
	}
}

/**
 * loopdma_chan_let_go() - has an OFF channel let go of its memory by now?
 * @lc: channel without a client, but with memory; its setup mutex is held
 *
 * Context: may sleep.
 * Return: true, and the memory is freed, if it has.
 */
bool loopdma_chan_let_go(struct loopdma_chan *lc)
{
	enum loopdma_dev_state state = loopdma_dev_state(lc->ld);

	if (state == LOOPDMA_DEV_HALTED || state == LOOPDMA_DEV_GONE)
		return false;
	if (loopdma_answers(lc->ld) && !loopdma_hw_idle(lc))
		return false;
	loopdma_chan_release(lc);
	return true;
}

/* Memory for a new client, and a device that is awake.  Errors as loopdma_chan_alloc(). */
static int loopdma_chan_get_memory(struct loopdma_chan *lc,
				   enum loopdma_dev_state state)
{
	int err;

	if (lc->ring.desc && state == LOOPDMA_DEV_HALTED)
		return loopdma_chan_keep_memory(lc);
	if (lc->ring.desc && !loopdma_chan_let_go(lc))
		return -EIO;
	if (loopdma_get_device(lc->ld))
		return -ENXIO;
	err = loopdma_chan_alloc_memory(lc);
	if (err)
		loopdma_put_device(lc->ld);
	return err;
}

/* Start the hardware channel, unless the device is halted, and leave OFF. */
static int loopdma_chan_try_on(struct loopdma_chan *lc)
{
	bool halted = loopdma_dev_state(lc->ld) == LOOPDMA_DEV_HALTED;
	int err = 0;

	spin_lock_irq(&lc->lock);
	/*
	 * If HALTED ends now, loopdma_reset_done() starts the channel: it takes
	 * @setup after us.
	 */
	if (!halted)
		err = loopdma_chan_start(lc);
	if (!err)
		loopdma_chan_set_state(lc, halted ? LOOPDMA_CHAN_HALTED :
						    LOOPDMA_CHAN_RUNNING);
	spin_unlock_irq(&lc->lock);
	return err;
}

/* Start a channel for its first client.  0, -EIO or -ENXIO as loopdma_chan_alloc(). */
static int loopdma_chan_on(struct loopdma_chan *lc)
{
	int err = loopdma_chan_try_on(lc);

	/* Whoever had the hardware before us has left it running. */
	if (err == -EBUSY)
		err = loopdma_chan_stop(lc, false) ?: loopdma_chan_try_on(lc);
	/*
	 * Not -ENODEV, on which the core takes the device off its list and
	 * then does so once more when it is released.
	 */
	if (err)
		return err == -ENODEV ? -ENXIO : -EIO;
	return 0;
}

/**
 * loopdma_chan_alloc() - bring a channel up for its first client
 * @lc: channel
 *
 * Context: may sleep; called under the core's mutex.
 * Return: 0; -ENOMEM; -EIO if the hardware does not start, or has not let go of
 * the memory of its last client; -ENXIO if the device is gone, or does not wake up.
 */
int loopdma_chan_alloc(struct loopdma_chan *lc)
{
	enum loopdma_dev_state state;
	int err;

	mutex_lock(&lc->setup);
	/* Whoever changes it from here on takes @setup after us. */
	state = loopdma_dev_state(lc->ld);
	err = -ENXIO;
	if (state == LOOPDMA_DEV_GONE || state == LOOPDMA_DEV_DISCONNECTED)
		goto out;
	err = loopdma_chan_get_memory(lc, state);
	if (err)
		goto out;

	memset(&lc->config, 0, sizeof(lc->config));
	memset(&lc->periph, 0, sizeof(lc->periph));
	lc->chan.cookie = DMA_MIN_COOKIE;
	lc->chan.completed_cookie = DMA_MIN_COOKIE;
	lc->failures.runs = 0;
	lc->failures.ones = 0;
	lc->watch.remedy = LOOPDMA_REMEDY_ABORT;
	lc->settle = LOOPDMA_SETTLE_OLDEST;

	err = loopdma_chan_on(lc);
	if (err) {
		loopdma_chan_quiesce(lc);
		loopdma_chan_wind_up(lc, false);
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
	loopdma_chan_off(lc);
	loopdma_chan_wind_up(lc, false);
	loopdma_pool_exit(lc);
	mutex_unlock(&lc->setup);
}

/**
 * loopdma_chan_remove() - take a channel down because its device goes away
 * @lc: channel, after loopdma_shutdown()
 *
 * A client that still holds the channel is told by its callbacks that what was
 * in flight is aborted.  The pool stays until the client releases the channel.
 *
 * Context: may sleep.
 */
void loopdma_chan_remove(struct loopdma_chan *lc)
{
	mutex_lock(&lc->setup);
	loopdma_chan_wind_up(lc, true);
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
	lc->caps = loopdma_hw_read(lc, LOOPDMA_CH_CAPS);
	lc->unordered = loopdma_unordered(&ld->lim);
	lc->state = LOOPDMA_CHAN_OFF;
	lc->recovery = LOOPDMA_REMEDY_NONE;
	spin_lock_init(&lc->lock);
	INIT_LIST_HEAD(&lc->pool.heap);
	mutex_init(&lc->setup);
	lc->caller = -1;
	loopdma_watch_init(lc);

	lc->chan.device = &ld->dma;
	list_add_tail(&lc->chan.device_node, &ld->dma.channels);
}
