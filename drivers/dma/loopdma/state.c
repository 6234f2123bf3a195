// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the states of channels and of their device.
 *
 * A channel changes its state by loopdma_chan_set_state() alone.  Atomic context
 * does so in one case: what is found to have failed is RECOVERING from there on,
 * and the work of the device does the rest.  Everybody else is in process context
 * and holds the channel's @setup: bring-up and take-down, the work, whoever resets
 * the function, and sleep.  So each of them finds what the one before has left.
 */
#include <linux/bits.h>
#include <linux/lockdep.h>
#include <linux/module.h>
#include <linux/wait_bit.h>
#include <kunit/visibility.h>

#include "loopdma.h"
#include "trace.h"

VISIBLE_IF_KUNIT unsigned int loopdma_watchdog_ms = 500;
EXPORT_SYMBOL_IF_KUNIT(loopdma_watchdog_ms);
module_param_named(watchdog_ms, loopdma_watchdog_ms, uint, 0644);
MODULE_PARM_DESC(watchdog_ms,
		 "Period of the search for lost interrupts, ms (default 500)");

/*
 * A queue of our own, so that the module cannot be unloaded before it is done; with
 * a thread that needs no memory, because RAID waits for channels to recover; and
 * unbound, since on which CPU a device is reset does not matter.
 */
static struct workqueue_struct *loopdma_wq;

/**
 * loopdma_state_init() - once per module, before the first device
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init loopdma_state_init(void)
{
	loopdma_wq = alloc_workqueue("loopdma", WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return loopdma_wq ? 0 : -ENOMEM;
}

/**
 * loopdma_state_exit() - undo loopdma_state_init(), after the last device
 *
 * Waits for everything that was deferred.
 *
 * Context: may sleep.
 */
void loopdma_state_exit(void)
{
	destroy_workqueue(loopdma_wq);
}

/**
 * loopdma_defer() - have something done that this context cannot do
 * @work: what
 *
 * The module cannot be unloaded before it is done.
 *
 * Context: any.
 */
void loopdma_defer(struct work_struct *work)
{
	queue_work(loopdma_wq, work);
}

/* --- States ---------------------------------------------------------------- */

/* What each state may become: the table in Documentation/driver.rst. */
static const u8 loopdma_transitions[LOOPDMA_CHAN_STATES] = {
	[LOOPDMA_CHAN_OFF] =
		BIT(LOOPDMA_CHAN_RUNNING) | BIT(LOOPDMA_CHAN_HALTED),
	[LOOPDMA_CHAN_RUNNING] =
		BIT(LOOPDMA_CHAN_OFF) | BIT(LOOPDMA_CHAN_RECOVERING) |
		BIT(LOOPDMA_CHAN_HALTED) | BIT(LOOPDMA_CHAN_SUSPENDED) |
		BIT(LOOPDMA_CHAN_DEAD),
	[LOOPDMA_CHAN_RECOVERING] =
		BIT(LOOPDMA_CHAN_OFF) | BIT(LOOPDMA_CHAN_RUNNING) |
		BIT(LOOPDMA_CHAN_HALTED) | BIT(LOOPDMA_CHAN_DEAD),
	[LOOPDMA_CHAN_HALTED] =
		BIT(LOOPDMA_CHAN_OFF) | BIT(LOOPDMA_CHAN_RUNNING) |
		BIT(LOOPDMA_CHAN_RECOVERING) | BIT(LOOPDMA_CHAN_DEAD),
	[LOOPDMA_CHAN_SUSPENDED] =
		BIT(LOOPDMA_CHAN_OFF) | BIT(LOOPDMA_CHAN_RUNNING) |
		BIT(LOOPDMA_CHAN_RECOVERING) | BIT(LOOPDMA_CHAN_HALTED) |
		BIT(LOOPDMA_CHAN_DEAD),
	[LOOPDMA_CHAN_DEAD] =
		BIT(LOOPDMA_CHAN_OFF) | BIT(LOOPDMA_CHAN_HALTED),
};

static const char * const loopdma_chan_state_names[] = {
	[LOOPDMA_CHAN_OFF]		= "off",
	[LOOPDMA_CHAN_RUNNING]		= "running",
	[LOOPDMA_CHAN_RECOVERING]	= "recovering",
	[LOOPDMA_CHAN_HALTED]		= "halted",
	[LOOPDMA_CHAN_SUSPENDED]	= "suspended",
	[LOOPDMA_CHAN_DEAD]		= "dead",
};

/**
 * loopdma_chan_state_name() - a state in words
 * @state: state
 *
 * Return: constant string.
 */
const char *loopdma_chan_state_name(enum loopdma_chan_state state)
{
	return loopdma_chan_state_names[state];
}

/**
 * loopdma_chan_set_state() - a channel changes its state
 * @lc: channel, locked
 * @state: one of those that the table allows; no other is taken
 *
 * The caller holds @setup as well, but for the step from RUNNING to RECOVERING.
 *
 * Context: any.
 */
void loopdma_chan_set_state(struct loopdma_chan *lc,
			    enum loopdma_chan_state state)
{
	lockdep_assert_held(&lc->lock);

	if (WARN_ONCE(!(loopdma_transitions[lc->state] & BIT(state)),
		      "loopdma: a channel cannot go from %s to %s\n",
		      loopdma_chan_state_name(lc->state),
		      loopdma_chan_state_name(state)))
		return;
	trace_loopdma_state(lc, state);
	lc->state = state;
}

/**
 * loopdma_kick() - have the work of a device run
 * @ld: device
 * @delay: jiffies, at the latest
 *
 * Does nothing for a device that is gone.
 *
 * Context: any.
 */
void loopdma_kick(struct loopdma_dev *ld, unsigned long delay)
{
	if (loopdma_dev_state(ld) == LOOPDMA_DEV_GONE)
		return;
	if (delay)
		queue_delayed_work(loopdma_wq, &ld->work, delay);
	else
		mod_delayed_work(loopdma_wq, &ld->work, 0);
}

/**
 * loopdma_dev_set_state() - a device changes its state
 * @ld: device
 * @state: the new one
 *
 * Context: may sleep.
 * Return: true; false if the device is gone, which it is for good.
 */
bool loopdma_dev_set_state(struct loopdma_dev *ld,
			   enum loopdma_dev_state state)
{
	bool gone;

	/* Those who write into a file of inject.c have done it, or wait. */
	mutex_lock(&ld->control);
	gone = ld->state == LOOPDMA_DEV_GONE;
	if (!gone)
		WRITE_ONCE(ld->state, state);
	mutex_unlock(&ld->control);
	/*
	 * Orders the write before the look for somebody who waits; pairs with
	 * the barrier of prepare_to_wait_event() in wait_var_event_interruptible()
	 * of loopdma_control_begin(): one of the two sees the other.
	 */
	smp_mb();
	wake_up_var(&ld->state);
	return !gone;
}

/**
 * loopdma_no_answer() - the function does not answer
 * @ld: device
 *
 * While it is being reset, or sleeps, that is no surprise, and what follows asks
 * again.  Otherwise everything that is in flight ends, and nothing more is accepted.
 *
 * Context: any, also with a channel's lock held.
 */
void loopdma_no_answer(struct loopdma_dev *ld)
{
	if (cmpxchg(&ld->state, LOOPDMA_DEV_WORKING,
		    LOOPDMA_DEV_DISCONNECTED) != LOOPDMA_DEV_WORKING)
		return;
	dev_err(ld->dev, "gone from the bus\n");
	loopdma_kick(ld, 0);
}

/**
 * loopdma_answers() - does the function answer?
 * @ld: device
 *
 * Reads a register.  If it does not, everything that is in flight ends.
 *
 * Context: any, also with a channel's lock held; while the registers are there.
 * Return: true if it does.
 */
bool loopdma_answers(struct loopdma_dev *ld)
{
	if (!loopdma_hw_present(ld))
		loopdma_no_answer(ld);
	return loopdma_dev_state(ld) != LOOPDMA_DEV_DISCONNECTED;
}

/**
 * loopdma_disconnect() - the function will not be heard of again
 * @ld: device
 *
 * Everything that is in flight ends, and nothing more is accepted.
 *
 * Context: may sleep.
 */
void loopdma_disconnect(struct loopdma_dev *ld)
{
	if (loopdma_dev_set_state(ld, LOOPDMA_DEV_DISCONNECTED))
		loopdma_kick(ld, 0);
}

/**
 * loopdma_isolate() - keep the function from memory that is to be given back
 * @ld: device, a channel of which does not stop
 *
 * It is disconnected then.
 *
 * Context: may sleep.
 */
void loopdma_isolate(struct loopdma_dev *ld)
{
	dev_err(ld->dev, "does not stop; keeping it from memory\n");
	ld->ops->isolate(ld);
	loopdma_disconnect(ld);
}

/* --- Start and stop -------------------------------------------------------- */

/**
 * loopdma_chan_start() - enable the hardware channel on its empty ring
 * @lc: channel, locked
 *
 * Context: any.
 * Return: as loopdma_hw_start().
 */
int loopdma_chan_start(struct loopdma_chan *lc)
{
	int err;

	lockdep_assert_held(&lc->lock);

	loopdma_ring_reset(&lc->ring);
	lc->arm = 0;
	lc->abort.pending = false;
	lc->abort.to = 0;
	lc->paused = false;
	lc->watch.late = false;
	lc->watch.tail = 0;
	lc->watch.bytes = lc->stats.bytes;
	lc->watch.progress = 0;
	lc->watch.still = 0;

	err = loopdma_hw_start(lc);
	if (err == -ENODEV)
		loopdma_no_answer(lc->ld);
	else if (err == -EBUSY)
		dev_warn_ratelimited(lc->ld->dev,
				     "channel %u was left enabled\n",
				     lc->index);
	else if (err)
		dev_err_ratelimited(lc->ld->dev,
				    "channel %u does not start: %d\n",
				    lc->index, err);
	return err;
}

/**
 * loopdma_chan_stop() - stop the hardware channel
 * @lc: channel
 * @reset: reset it, too; without that only if it does not stop otherwise
 *
 * Context: may sleep.
 * Return: as loopdma_hw_stop().
 */
int loopdma_chan_stop(struct loopdma_chan *lc, bool reset)
{
	int err;

	err = loopdma_hw_stop(lc);
	if (!err && !reset)
		return 0;
	if (err != -ENODEV) {
		spin_lock_irq(&lc->lock);
		lc->stats.channel_resets++;
		spin_unlock_irq(&lc->lock);
		err = loopdma_hw_reset_chan(lc);
	}
	if (err == -ENODEV)
		loopdma_no_answer(lc->ld);
	else if (err)
		dev_err(lc->ld->dev, "channel %u does not stop\n", lc->index);
	return err;
}

/**
 * loopdma_chan_die() - a channel refuses work from here on
 * @lc: channel, locked; the device does not touch its memory any more
 *
 * The caller schedules the bottom half, which tells the client.
 *
 * Context: any.
 */
void loopdma_chan_die(struct loopdma_chan *lc)
{
	loopdma_chan_set_state(lc, LOOPDMA_CHAN_DEAD);
	lc->paused = false;
	loopdma_queue_settle(lc, LOOPDMA_SETTLE_ALL);
}

/**
 * loopdma_chan_restart() - a stopped channel works again, or is dead
 * @lc: channel, locked, its hardware stopped
 *
 * The caller schedules the bottom half.
 *
 * Context: any.
 */
void loopdma_chan_restart(struct loopdma_chan *lc)
{
	lc->stats.recoveries++;
	loopdma_queue_settle(lc, lc->settle);
	if (loopdma_chan_start(lc)) {
		loopdma_chan_die(lc);
		return;
	}
	loopdma_chan_set_state(lc, LOOPDMA_CHAN_RUNNING);
	loopdma_chan_fill_ring(lc);
}

/**
 * loopdma_chan_halt() - a channel waits for its restart
 * @lc: channel, locked
 * @settle: what becomes of its transactions then
 *
 * Context: any.
 */
void loopdma_chan_halt(struct loopdma_chan *lc, enum loopdma_settle settle)
{
	loopdma_chan_set_state(lc, LOOPDMA_CHAN_HALTED);
	lc->settle = settle;
	lc->paused = false;
}

/* --- The everyday ---------------------------------------------------------- */

/**
 * loopdma_watch_period() - how often the watchdog looks
 *
 * Return: milliseconds.
 */
u32 loopdma_watch_period(void)
{
	return max(READ_ONCE(loopdma_watchdog_ms), 1U);
}

/**
 * loopdma_watch() - have the watchdog look after what is in the ring
 * @lc: channel, locked, running
 *
 * Context: any.
 */
void loopdma_watch(struct loopdma_chan *lc)
{
	if (!timer_pending(&lc->watch.timer))
		mod_timer(&lc->watch.timer, jiffies +
			  msecs_to_jiffies(loopdma_watch_period()));
}

/**
 * loopdma_chan_only_aborted() - is nothing in the ring but what was terminated?
 * @lc: channel, locked
 *
 * Return: true if so, until the device has acknowledged: an unordered one does with
 * its count, behind the last status.
 */
bool loopdma_chan_only_aborted(const struct loopdma_chan *lc)
{
	return lc->abort.pending && lc->abort.to == lc->ring.head &&
	       (!lc->q.active.first || lc->q.active.first->aborted);
}

/**
 * loopdma_chan_fill_ring() - have the device do what is issued
 * @lc: channel, locked
 *
 * Does nothing in a channel that is not running.  In one that has not acknowledged
 * an abort nothing is added: it interrupts when it does (hardware.rst, "Abort").
 *
 * Context: any.
 * Return: true if there is more than one hold of the lock should do.  The caller
 * unlocks for a moment and calls again, or schedules the bottom half, which does.
 */
bool loopdma_chan_fill_ring(struct loopdma_chan *lc)
{
	bool more = false;

	lockdep_assert_held(&lc->lock);

	if (lc->state != LOOPDMA_CHAN_RUNNING)
		return false;
	if (!lc->abort.pending)
		more = loopdma_queue_fill_ring(lc);
	if (loopdma_ring_used(&lc->ring))
		loopdma_watch(lc);
	return more;
}

/**
 * loopdma_chan_service() - take note of what has ended, and fill the ring again
 * @lc: channel, locked
 *
 * Does nothing in a channel that is not running.  What the device says is checked;
 * if it is wrong the channel recovers.
 *
 * Context: any.
 * Return: as loopdma_chan_fill_ring().
 */
bool loopdma_chan_service(struct loopdma_chan *lc)
{
	const char *why;
	bool ending, more;

	lockdep_assert_held(&lc->lock);

	if (lc->state != LOOPDMA_CHAN_RUNNING)
		return false;
	ending = loopdma_chan_only_aborted(lc);
	why = loopdma_queue_reap(lc, &more);
	/* What the client has paused meanwhile is paused from here on. */
	if (!why && ending && !lc->abort.pending && lc->paused &&
	    loopdma_hw_pause(lc))
		why = "does not pause";
	if (why) {
		loopdma_chan_fail(lc, why);
		return false;
	}
	return loopdma_chan_fill_ring(lc) || more;
}

/**
 * loopdma_chan_terminate() - end everything that is not complete
 * @lc: channel, locked
 *
 * The caller schedules the bottom half, which frees it.
 *
 * Context: any.
 */
void loopdma_chan_terminate(struct loopdma_chan *lc)
{
	bool in_ring = loopdma_queue_terminate(lc);

	if (in_ring && (lc->state == LOOPDMA_CHAN_RUNNING ||
			lc->state == LOOPDMA_CHAN_SUSPENDED)) {
		lc->abort.pending = true;
		lc->abort.to = lc->ring.head;
		/* A device that sleeps is told when it wakes up. */
		if (lc->state == LOOPDMA_CHAN_RUNNING)
			loopdma_hw_write(lc, LOOPDMA_CH_ABORT, lc->abort.to);
	}
	/* After the abort is known, so that nothing is moved any more. */
	if (lc->paused)
		loopdma_chan_resume(lc);
}

static int loopdma_chan_state_error(const struct loopdma_chan *lc)
{
	switch (lc->state) {
	case LOOPDMA_CHAN_RUNNING:
	case LOOPDMA_CHAN_SUSPENDED:
		return 0;
	case LOOPDMA_CHAN_OFF:
		return -ENODEV;
	default:
		return -EIO;
	}
}

/**
 * loopdma_chan_pause() - tell the device to leave everything where it is
 * @lc: channel, locked
 *
 * Once this has returned 0 the device does not touch the channel's memory, and the
 * completion record tells how far it has got.  What was terminated is an exception
 * until the abort is acknowledged, which a paused device does not do (hardware.rst,
 * "Pausing").  Does nothing if the channel is paused.
 *
 * Context: any.
 * Return: 0; -EINPROGRESS if the device has not yet paused; -ENODEV if it is gone;
 * -EIO if the channel is not working.  Whoever gives up resumes or stops the
 * hardware channel.
 */
int loopdma_chan_pause(struct loopdma_chan *lc)
{
	int err;

	lockdep_assert_held(&lc->lock);

	err = loopdma_chan_state_error(lc);
	if (err || lc->paused)
		return err;

	/* A device that sleeps moves nothing as it is. */
	if (lc->state == LOOPDMA_CHAN_RUNNING) {
		if (!loopdma_chan_only_aborted(lc))
			err = loopdma_hw_pause(lc);
		else
			/* It may have been told before the termination. */
			loopdma_hw_resume(lc);
	}
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
	if (lc->state == LOOPDMA_CHAN_RUNNING)
		loopdma_hw_resume(lc);
	return 0;
}

/* --- Failure --------------------------------------------------------------- */

/**
 * loopdma_chan_recover() - the work is to help a channel
 * @lc: channel, locked
 * @remedy: how
 * @settle: what becomes of its transactions
 *
 * Context: any.
 */
void loopdma_chan_recover(struct loopdma_chan *lc, enum loopdma_remedy remedy,
			  enum loopdma_settle settle)
{
	loopdma_chan_set_state(lc, LOOPDMA_CHAN_RECOVERING);
	lc->paused = false;
	lc->recovery = remedy;
	lc->settle = settle;
	loopdma_kick(lc->ld, 0);
}

/**
 * loopdma_chan_ask_reset() - nothing less than a reset of the function helps
 * @lc: channel, locked
 *
 * Context: any.
 */
void loopdma_chan_ask_reset(struct loopdma_chan *lc)
{
	lockdep_assert_held(&lc->lock);

	dev_err(lc->ld->dev, "channel %u: resetting the function\n", lc->index);
	lc->recovery = LOOPDMA_REMEDY_FUNCTION;
	lc->watch.remedy = LOOPDMA_REMEDY_NONE;
	lc->stats.device_resets++;
	loopdma_kick(lc->ld, 0);
}

/**
 * loopdma_chan_fail() - the hardware channel is not to be trusted any more
 * @lc: channel, locked
 * @why: reason, for the log
 *
 * The driver's idea of the ring may be wrong by now, so nothing less than a stop
 * makes it safe to end what is in it.  Harmless if the channel is not running.
 *
 * Context: any.
 */
void loopdma_chan_fail(struct loopdma_chan *lc, const char *why)
{
	lockdep_assert_held(&lc->lock);

	if (lc->state != LOOPDMA_CHAN_RUNNING)
		return;
	/* Of a device that is gone once is enough. */
	if (loopdma_dev_state(lc->ld) != LOOPDMA_DEV_DISCONNECTED)
		dev_err_ratelimited(lc->ld->dev,
				    "channel %u: %s; restarting it\n",
				    lc->index, why);
	loopdma_chan_recover(lc, LOOPDMA_REMEDY_RESTART, LOOPDMA_SETTLE_RING);
}
