// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: what happens to a device: recovery, reset, sleep, the end.
 *
 * Everything in here runs in process context, and takes the channels one after the
 * other.
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <kunit/visibility.h>

#include "loopdma.h"

/* After how long a reset is tried again that could not be done. */
#define LOOPDMA_RESET_AGAIN		(HZ / 10)

/* How long to wait for the bus to recover.  No driver is told when that fails. */
#define LOOPDMA_FROZEN_TIMEOUT		(10 * HZ)

/* --- Recovery -------------------------------------------------------------- */

/* The last that is done for a channel counts as a recovery, too. */
static void loopdma_chan_give_up(struct loopdma_chan *lc)
{
	lc->stats.recoveries++;
	loopdma_chan_die(lc);
}

/* Help a channel that has failed; false if its function has to be reset for it. */
static bool loopdma_chan_help(struct loopdma_chan *lc)
{
	enum loopdma_remedy remedy = lc->recovery;
	int err;

	if (remedy == LOOPDMA_REMEDY_FUNCTION)
		return false;

	err = loopdma_chan_stop(lc, remedy == LOOPDMA_REMEDY_RESET);
	/* It is ended, or halted, by who has changed the state of the device. */
	if (err == -ENODEV || loopdma_dev_state(lc->ld) != LOOPDMA_DEV_WORKING)
		return true;
	if (err && lc->watch.remedy == LOOPDMA_REMEDY_NONE) {
		/* A reset of the function did not help either. */
		loopdma_isolate(lc->ld);
		return true;
	}

	spin_lock_irq(&lc->lock);
	if (err)
		loopdma_chan_ask_reset(lc);
	else if (remedy == LOOPDMA_REMEDY_NONE)
		loopdma_chan_give_up(lc);
	else
		loopdma_chan_restart(lc);
	spin_unlock_irq(&lc->lock);
	loopdma_bh_schedule(&lc->bh);
	return !err;
}

/* The same for one that no client has; @recovery says what. */
static bool loopdma_chan_help_off(struct loopdma_chan *lc)
{
	if (lc->recovery == LOOPDMA_REMEDY_RESTART) {
		loopdma_chan_quiesce(lc);
		/* Halted again: its end does it. */
		if (lc->recovery == LOOPDMA_REMEDY_RESTART)
			return true;
		if (lc->recovery == LOOPDMA_REMEDY_FUNCTION)
			loopdma_chan_off_reset(lc);
	}
	if (lc->recovery == LOOPDMA_REMEDY_FUNCTION)
		return loopdma_chan_let_go(lc);
	loopdma_chan_release(lc);
	return true;
}

/* False if the function has to be reset. */
static bool loopdma_chan_repair(struct loopdma_chan *lc)
{
	bool ok = true;

	mutex_lock(&lc->setup);
	/* Whoever has halted the device since restarts its channels. */
	if (loopdma_dev_state(lc->ld) == LOOPDMA_DEV_WORKING) {
		if (lc->state == LOOPDMA_CHAN_RECOVERING)
			ok = loopdma_chan_help(lc);
		else if (lc->state == LOOPDMA_CHAN_OFF &&
			 lc->recovery != LOOPDMA_REMEDY_NONE)
			ok = loopdma_chan_help_off(lc);
	}
	mutex_unlock(&lc->setup);
	return ok;
}

/* The device is not there, and DMA with it: everything ends. */
static void loopdma_chan_end(struct loopdma_chan *lc)
{
	mutex_lock(&lc->setup);
	if (loopdma_dev_state(lc->ld) != LOOPDMA_DEV_DISCONNECTED) {
		/* Whoever has reset or removed it since does the rest. */
	} else if (lc->state == LOOPDMA_CHAN_OFF) {
		if (lc->ring.desc)
			loopdma_chan_release(lc);
	} else if (lc->state != LOOPDMA_CHAN_DEAD) {
		spin_lock_irq(&lc->lock);
		loopdma_chan_give_up(lc);
		spin_unlock_irq(&lc->lock);
		loopdma_bh_schedule(&lc->bh);
	}
	mutex_unlock(&lc->setup);
}

/*
 * By the PCI core, or by the device's own register.  The latter is only tried:
 * remove() waits for us with the device locked.
 */
static void loopdma_reset_function(struct loopdma_dev *ld)
{
	int err;

	if (loopdma_dev_state(ld) != LOOPDMA_DEV_WORKING)
		return;
	err = ld->ops->reset(ld);
	if (err && err != -EAGAIN &&
	    loopdma_dev_state(ld) == LOOPDMA_DEV_WORKING) {
		dev_err(ld->dev, "function not reset: %d; trying its own reset\n",
			err);
		err = -EAGAIN;
		if (device_trylock(ld->dev)) {
			loopdma_reset_prepare(ld);
			loopdma_hw_reset(ld);
			loopdma_reset_done(ld);
			device_unlock(ld->dev);
			err = 0;
		}
	}
	if (err == -EAGAIN)
		loopdma_kick(ld, LOOPDMA_RESET_AGAIN);
}

/* Nobody says when the recovery of the bus has failed. */
static void loopdma_watch_frozen(struct loopdma_dev *ld)
{
	unsigned long until = READ_ONCE(ld->halted_until);

	if (!until)
		return;
	if (time_before(jiffies, until)) {
		loopdma_kick(ld, until - jiffies);
		return;
	}
	dev_err(ld->dev, "no end of an error of the bus\n");
	loopdma_isolate(ld);
}

static void loopdma_work(struct work_struct *work)
{
	struct loopdma_dev *ld = container_of(to_delayed_work(work),
					      struct loopdma_dev, work);
	bool ok = true;
	u32 i;

	switch (loopdma_dev_state(ld)) {
	case LOOPDMA_DEV_WORKING:
		for (i = 0; i < ld->lim.channels; i++)
			ok &= loopdma_chan_repair(&ld->chan[i]);
		if (!ok)
			loopdma_reset_function(ld);
		break;
	case LOOPDMA_DEV_HALTED:
		loopdma_watch_frozen(ld);
		break;
	case LOOPDMA_DEV_DISCONNECTED:
		for (i = 0; i < ld->lim.channels; i++)
			loopdma_chan_end(&ld->chan[i]);
		break;
	case LOOPDMA_DEV_GONE:
		break;
	}
}

/**
 * loopdma_dev_init() - set up what this file has of a device
 * @ld: device, whose hardware was reset
 */
void loopdma_dev_init(struct loopdma_dev *ld)
{
	ld->state = LOOPDMA_DEV_WORKING;
	INIT_DELAYED_WORK(&ld->work, loopdma_work);
}

/* --- Reset ----------------------------------------------------------------- */

static void loopdma_chan_reset_prepare(struct loopdma_chan *lc)
{
	mutex_lock(&lc->setup);
	spin_lock_irq(&lc->lock);
	switch (lc->state) {
	case LOOPDMA_CHAN_RUNNING:
	case LOOPDMA_CHAN_SUSPENDED:
		loopdma_chan_halt(lc, LOOPDMA_SETTLE_OLDEST);
		break;
	case LOOPDMA_CHAN_DEAD:
		/* Whatever it died of, it has another chance then. */
		lc->watch.remedy = LOOPDMA_REMEDY_ABORT;
		loopdma_chan_halt(lc, LOOPDMA_SETTLE_OLDEST);
		break;
	case LOOPDMA_CHAN_RECOVERING:
		loopdma_chan_halt(lc, lc->settle);
		break;
	default:
		break;
	}
	spin_unlock_irq(&lc->lock);
	mutex_unlock(&lc->setup);
}

/**
 * loopdma_reset_prepare() - the function is going to be reset
 * @ld: device, registered
 *
 * On return the driver starts nothing any more, until loopdma_reset_done().
 * Clients need not know: prep and submit work, and what is issued waits.  The
 * device may still touch their memory.  To be followed by loopdma_reset_done(),
 * whatever comes of the reset.
 *
 * Context: may sleep.
 */
void loopdma_reset_prepare(struct loopdma_dev *ld)
{
	u32 i;

	WRITE_ONCE(ld->halted_until, 0);
	/* Before the channels: one that is set up from here on does not start. */
	if (!loopdma_dev_set_state(ld, LOOPDMA_DEV_HALTED))
		return;
	for (i = 0; i < ld->lim.channels; i++)
		loopdma_chan_reset_prepare(&ld->chan[i]);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_reset_prepare);

static void loopdma_chan_reset_done(struct loopdma_chan *lc)
{
	int err;

	mutex_lock(&lc->setup);
	if (loopdma_dev_state(lc->ld) != LOOPDMA_DEV_WORKING) {
		/* Whoever has halted it since restarts its channels. */
	} else if (lc->state == LOOPDMA_CHAN_HALTED) {
		/* Stops at once, unless the reset was none. */
		err = loopdma_chan_stop(lc, false);
		if (err == -ETIMEDOUT)
			loopdma_isolate(lc->ld);
		/* The work ends what cannot be restarted. */
		if (!err) {
			spin_lock_irq(&lc->lock);
			loopdma_chan_restart(lc);
			spin_unlock_irq(&lc->lock);
			loopdma_bh_schedule(&lc->bh);
		}
	} else if (lc->state == LOOPDMA_CHAN_OFF && lc->ring.desc) {
		/* If the reset did not stop it, nothing will. */
		if (!loopdma_chan_stop(lc, false))
			loopdma_chan_release(lc);
		lc->recovery = LOOPDMA_REMEDY_NONE;
	}
	mutex_unlock(&lc->setup);
}

/**
 * loopdma_reset_done() - the function was reset
 * @ld: device, after loopdma_reset_prepare()
 *
 * The channels belong to the same clients as before.  The transaction that each
 * was at ends as aborted; those behind it have their turn.
 *
 * Context: may sleep.
 */
void loopdma_reset_done(struct loopdma_dev *ld)
{
	u32 i;

	WRITE_ONCE(ld->halted_until, 0);
	/* A link that was down may be up again, or the reset was the end. */
	if (!loopdma_dev_set_state(ld, LOOPDMA_DEV_WORKING))
		return;
	if (loopdma_answers(ld))
		loopdma_hw_set_events(ld);
	for (i = 0; i < ld->lim.channels; i++)
		loopdma_chan_reset_done(&ld->chan[i]);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_reset_done);

/**
 * loopdma_error_frozen() - an error of the bus keeps everybody from the function
 * @ld: device
 *
 * As loopdma_reset_prepare(); but of a recovery of the bus that fails, because
 * another device has no driver that could take part in it, nobody is told.  So
 * without loopdma_reset_done() the device is taken for disconnected after 10 s.
 *
 * Context: may sleep.
 */
void loopdma_error_frozen(struct loopdma_dev *ld)
{
	loopdma_reset_prepare(ld);
	/* 0 stands for never. */
	WRITE_ONCE(ld->halted_until, (jiffies + LOOPDMA_FROZEN_TIMEOUT) | 1);
	loopdma_kick(ld, 0);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_error_frozen);

/* --- Sleep ----------------------------------------------------------------- */

/*
 * Have a running channel pause; false if it does not, or has failed meanwhile.  Its
 * client may pause and resume it while it has not, so it is told with each look.
 */
static bool loopdma_chan_pause_running(struct loopdma_chan *lc)
	__must_hold(&lc->lock)
{
	u32 looks = LOOPDMA_PAUSE_LOOKS;
	int err;

	while ((err = loopdma_hw_pause(lc)) == -EINPROGRESS && --looks) {
		spin_unlock_irq(&lc->lock);
		udelay(1);
		spin_lock_irq(&lc->lock);
		if (lc->state != LOOPDMA_CHAN_RUNNING)
			break;
	}
	return !err;
}

/* Pause a running channel where it is, or halt it if that is not possible. */
static void loopdma_chan_suspend_running(struct loopdma_chan *lc)
	__must_hold(&lc->lock)
{
	const char *why;
	bool paused, more;

	for (;;) {
		paused = lc->ld->lim.caps & LOOPDMA_CAPS_PAUSE &&
			 loopdma_chan_pause_running(lc);
		if (lc->state != LOOPDMA_CHAN_RUNNING)
			return;
		why = loopdma_queue_reap(lc, &more);
		/* If it is not paused, there may be more for ever; halting reaps all. */
		if (why || !more || !paused)
			break;
		/* The client may end the pause meanwhile. */
		spin_unlock_irq(&lc->lock);
		spin_lock_irq(&lc->lock);
		if (lc->state != LOOPDMA_CHAN_RUNNING)
			return;
	}
	if (why)
		loopdma_chan_fail(lc, why);
	else if (paused)
		loopdma_chan_set_state(lc, LOOPDMA_CHAN_SUSPENDED);
	else
		loopdma_chan_halt(lc, LOOPDMA_SETTLE_OLDEST);
}

static void loopdma_chan_suspend(struct loopdma_chan *lc)
{
	mutex_lock(&lc->setup);
	spin_lock_irq(&lc->lock);
	if (lc->state == LOOPDMA_CHAN_RUNNING)
		loopdma_chan_suspend_running(lc);
	spin_unlock_irq(&lc->lock);

	if ((lc->state == LOOPDMA_CHAN_HALTED ||
	     lc->state == LOOPDMA_CHAN_RECOVERING) &&
	    !loopdma_chan_stop(lc, false)) {
		spin_lock_irq(&lc->lock);
		/* Nobody has to wait for the end of the sleep to be told. */
		loopdma_queue_settle(lc, lc->settle);
		spin_unlock_irq(&lc->lock);
	}
	/* Calls back for what has just been found to have ended. */
	loopdma_bh_schedule(&lc->bh);
	mutex_unlock(&lc->setup);
}

/**
 * loopdma_suspend() - stop where everything is, until loopdma_resume()
 * @ld: device, registered
 *
 * On return the device does not touch memory, unless it does not answer.  Clients
 * of which the core of power management knows that they depend on the device are
 * suspended before it.  Those of which it does not may still have something in
 * flight, and submit more: it goes on later.
 *
 * Context: may sleep.
 */
void loopdma_suspend(struct loopdma_dev *ld)
{
	u32 i;

	do {
		if (loopdma_dev_state(ld) == LOOPDMA_DEV_DISCONNECTED ||
		    !loopdma_dev_set_state(ld, LOOPDMA_DEV_HALTED))
			return;
		WRITE_ONCE(ld->halted_until, 0);
		/* It may be resetting the function, which ends in WORKING. */
		flush_delayed_work(&ld->work);
	} while (loopdma_dev_state(ld) != LOOPDMA_DEV_HALTED);
	for (i = 0; i < ld->lim.channels; i++)
		loopdma_chan_suspend(&ld->chan[i]);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_suspend);

/* A paused channel is as it was left, and goes on.  Any context. */
static void loopdma_chan_go_on(struct loopdma_chan *lc)
{
	loopdma_chan_set_state(lc, LOOPDMA_CHAN_RUNNING);
	loopdma_hw_set_periph(lc);
	if (lc->abort.pending)
		loopdma_hw_write(lc, LOOPDMA_CH_ABORT, lc->abort.to);
	if (!lc->paused || loopdma_chan_only_aborted(lc))
		loopdma_hw_resume(lc);
	loopdma_chan_fill_ring(lc);
}

/* One that has forgotten everything, and is stopped, begins anew.  Any context. */
static void loopdma_chan_begin_anew(struct loopdma_chan *lc)
{
	bool paused = lc->paused;

	loopdma_queue_settle(lc, LOOPDMA_SETTLE_KEEP);
	if (loopdma_chan_start(lc)) {
		loopdma_chan_die(lc);
		return;
	}
	loopdma_chan_set_state(lc, LOOPDMA_CHAN_RUNNING);
	/* Before there is anything that it could move. */
	if (paused && loopdma_chan_pause(lc))
		loopdma_chan_fail(lc, "does not pause");
	loopdma_chan_fill_ring(lc);
}

/* One that was suspended, or stopped because it could not be. */
static void loopdma_chan_resume_asleep(struct loopdma_chan *lc, bool kept)
{
	int err = 0;

	kept = kept && lc->state == LOOPDMA_CHAN_SUSPENDED &&
	       loopdma_hw_kept(lc);
	if (!kept)
		err = loopdma_chan_stop(lc, false);
	/* The work ends it. */
	if (err == -ENODEV)
		return;

	spin_lock_irq(&lc->lock);
	if (kept) {
		loopdma_chan_go_on(lc);
	} else if (err) {
		loopdma_chan_recover(lc, LOOPDMA_REMEDY_FUNCTION,
				     LOOPDMA_SETTLE_OLDEST);
		loopdma_chan_ask_reset(lc);
	} else if (lc->state == LOOPDMA_CHAN_SUSPENDED) {
		loopdma_chan_begin_anew(lc);
	} else {
		loopdma_chan_restart(lc);
	}
	spin_unlock_irq(&lc->lock);
	loopdma_bh_schedule(&lc->bh);
}

static void loopdma_chan_resume_device(struct loopdma_chan *lc, bool kept)
{
	mutex_lock(&lc->setup);
	if (loopdma_dev_state(lc->ld) != LOOPDMA_DEV_WORKING) {
		/* Whoever has halted it since restarts its channels. */
	} else if (lc->state == LOOPDMA_CHAN_SUSPENDED ||
		   lc->state == LOOPDMA_CHAN_HALTED) {
		loopdma_chan_resume_asleep(lc, kept);
	} else if (lc->state == LOOPDMA_CHAN_OFF &&
		   lc->recovery != LOOPDMA_REMEDY_NONE) {
		loopdma_chan_help_off(lc);
	}
	mutex_unlock(&lc->setup);
}

/**
 * loopdma_resume() - go on after loopdma_suspend()
 * @ld: device
 * @kept: the hardware may be as it was left, which is then found out; else it
 *	is as another kernel has left it, and is reset
 *
 * Each channel goes on where it was, to the byte, also if the hardware has
 * forgotten everything; but what its FIFO held is lost then.
 *
 * Context: may sleep.
 */
void loopdma_resume(struct loopdma_dev *ld, bool kept)
{
	u32 i;

	if (loopdma_dev_state(ld) != LOOPDMA_DEV_HALTED ||
	    !loopdma_dev_set_state(ld, LOOPDMA_DEV_WORKING))
		return;
	if (!kept)
		loopdma_hw_reset(ld);
	if (loopdma_answers(ld))
		loopdma_hw_set_events(ld);
	for (i = 0; i < ld->lim.channels; i++)
		loopdma_chan_resume_device(&ld->chan[i], kept);
	/* For those that had failed before, or need more help. */
	loopdma_kick(ld, 0);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_resume);

/* --- The end --------------------------------------------------------------- */

/**
 * loopdma_shutdown() - stop all DMA for good
 * @ld: device
 *
 * The first half of removal: afterwards only interrupt handlers touch the
 * registers, and when the interrupts are freed what provides them can go.
 *
 * Context: may sleep.
 */
void loopdma_shutdown(struct loopdma_dev *ld)
{
	struct loopdma_chan *lc;
	int err;
	u32 i;

	loopdma_dev_set_state(ld, LOOPDMA_DEV_GONE);
	for (i = 0; i < ld->lim.channels; i++) {
		lc = &ld->chan[i];
		mutex_lock(&lc->setup);
		loopdma_chan_off(lc);
		mutex_unlock(&lc->setup);
	}
	/* No channel is left that could ask for it. */
	cancel_delayed_work_sync(&ld->work);

	err = loopdma_hw_reset(ld);
	if (err == -ETIMEDOUT) {
		dev_err(ld->dev, "no end of reset at removal\n");
		return;
	}
	/* A channel that did not stop by itself has stopped now. */
	for (i = 0; i < ld->lim.channels; i++) {
		lc = &ld->chan[i];
		mutex_lock(&lc->setup);
		lc->recovery = LOOPDMA_REMEDY_NONE;
		mutex_unlock(&lc->setup);
	}
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_shutdown);
