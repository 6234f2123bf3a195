// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: register sequences.
 *
 * What each register does is in Documentation/hardware.rst.  Nothing in here knows
 * of transactions, or decides what follows when the hardware does not do as told.
 */
#include <linux/bitfield.h>
#include <linux/dma-mapping.h>
#include <linux/iopoll.h>
#include <linux/lockdep.h>
#include <linux/log2.h>

#include "loopdma.h"

/* How long the hardware may take to acknowledge a stop or a reset. */
#define LOOPDMA_STOP_TIMEOUT_US		1000000

/* --- The function ---------------------------------------------------------------- */

static void loopdma_hw_read_limits(struct loopdma_dev *ld,
				   struct loopdma_limits *lim)
{
	u32 val;

	lim->caps = ld->ops->read(ld, LOOPDMA_CAPS);
	lim->max_len = ld->ops->read(ld, LOOPDMA_MAX_LEN);
	lim->fifo_depth = ld->ops->read(ld, LOOPDMA_FIFO_DEPTH);

	val = ld->ops->read(ld, LOOPDMA_TOPOLOGY);
	lim->channels = FIELD_GET(LOOPDMA_TOPOLOGY_CHANNELS, val);

	val = ld->ops->read(ld, LOOPDMA_RING_LIMITS);
	lim->ring_min = FIELD_GET(LOOPDMA_RING_LIMITS_MIN, val);
	lim->ring_max = FIELD_GET(LOOPDMA_RING_LIMITS_MAX, val);

	val = ld->ops->read(ld, LOOPDMA_COPY_LIMITS);
	lim->copy_align = FIELD_GET(LOOPDMA_COPY_LIMITS_ALIGN, val);
	lim->addr_bits = FIELD_GET(LOOPDMA_COPY_LIMITS_ADDR_BITS, val);

	val = ld->ops->read(ld, LOOPDMA_XOR_LIMITS);
	lim->max_sources = FIELD_GET(LOOPDMA_XOR_LIMITS_SOURCES, val);

	val = ld->ops->read(ld, LOOPDMA_FIFO_LIMITS);
	lim->fifo_widths = FIELD_GET(LOOPDMA_FIFO_LIMITS_WIDTHS, val);
	lim->fifo_burst = FIELD_GET(LOOPDMA_FIFO_LIMITS_BURST, val);
}

/**
 * loopdma_hw_identify() - is this hardware that the driver knows how to drive?
 * @dev: for the log
 * @ld: device of which the ops are known; its limits are filled in
 *
 * Context: any.
 * Return: 0, or -ENODEV if it is not.
 */
int loopdma_hw_identify(struct device *dev, struct loopdma_dev *ld)
{
	const char *why;
	u32 val;
	int err;

	val = ld->ops->read(ld, LOOPDMA_ID);
	if (val != LOOPDMA_ID_MAGIC) {
		dev_err(dev, "not a loopdma device: ID %#010x\n", val);
		return -ENODEV;
	}

	/* A minor version only adds, and what it adds has capability bits. */
	val = ld->ops->read(ld, LOOPDMA_VERSION);
	if (FIELD_GET(LOOPDMA_VERSION_MAJOR, val) !=
	    FIELD_GET(LOOPDMA_VERSION_MAJOR, LOOPDMA_VERSION_1_4)) {
		dev_err(dev, "hardware version %u.%u, this driver knows 1.x\n",
			FIELD_GET(LOOPDMA_VERSION_MAJOR, val),
			FIELD_GET(LOOPDMA_VERSION_MINOR, val));
		return -ENODEV;
	}

	loopdma_hw_read_limits(ld, &ld->lim);
	err = loopdma_limits_check(&ld->lim, &why);
	if (err)
		dev_err(dev, "unusable capabilities: %s\n", why);
	return err;
}

/**
 * loopdma_hw_present() - does the function answer?
 * @ld: device
 *
 * Context: any, while the registers are mapped.
 * Return: true if it does.
 */
bool loopdma_hw_present(struct loopdma_dev *ld)
{
	return ld->ops->read(ld, LOOPDMA_ID) != U32_MAX;
}

/**
 * loopdma_hw_reset() - reset the function by its own register
 * @ld: device
 *
 * Also takes back an interrupt that is still asserted.
 *
 * Context: may sleep.
 * Return: 0; -ENODEV if the function does not answer; -ETIMEDOUT if the reset
 * does not end.
 */
int loopdma_hw_reset(struct loopdma_dev *ld)
{
	u32 val;
	int err;

	ld->ops->write(ld, LOOPDMA_CONTROL, LOOPDMA_CONTROL_RESET);
	err = read_poll_timeout(ld->ops->read, val,
				val == U32_MAX ||
				!(val & LOOPDMA_CONTROL_RESET),
				10, LOOPDMA_STOP_TIMEOUT_US, false,
				ld, LOOPDMA_CONTROL);
	return val == U32_MAX ? -ENODEV : err;
}

/**
 * loopdma_hw_set_events() - tell the function which vector its events have
 * @ld: device
 *
 * A reset makes it forget that.
 *
 * Context: any.
 */
void loopdma_hw_set_events(struct loopdma_dev *ld)
{
	ld->ops->write(ld, LOOPDMA_EVENT_VECTOR, ld->event_vector);
}

/* --- Start, stop, reset ------------------------------------------------------------ */

/**
 * loopdma_hw_state() - what the hardware channel says of itself
 * @lc: channel
 *
 * Context: any.
 * Return: enum loopdma_hw_state, or -ENODEV if the function does not answer.
 */
int loopdma_hw_state(struct loopdma_chan *lc)
{
	u32 status = loopdma_hw_read(lc, LOOPDMA_CH_STATUS);

	return status == U32_MAX ? -ENODEV :
	       FIELD_GET(LOOPDMA_CH_STATUS_STATE, status);
}

/**
 * loopdma_hw_idle() - has the hardware channel let go of its memory?
 * @lc: channel
 *
 * Context: any.
 * Return: true if it is disabled, and no reset of it is under way.
 */
bool loopdma_hw_idle(struct loopdma_chan *lc)
{
	return loopdma_hw_state(lc) == LOOPDMA_STATE_DISABLED &&
	       !loopdma_hw_read(lc, LOOPDMA_CH_CONTROL);
}

static int loopdma_hw_wait_disabled(struct loopdma_chan *lc)
{
	int state, err;

	err = read_poll_timeout(loopdma_hw_state, state,
				state < 0 || state == LOOPDMA_STATE_DISABLED,
				10, LOOPDMA_STOP_TIMEOUT_US, false, lc);
	return state < 0 ? state : err;
}

/**
 * loopdma_hw_stop() - stop the hardware channel, and wait until it has
 * @lc: channel
 *
 * Context: may sleep.
 * Return: 0: it does not touch the memory that it knew; -ETIMEDOUT: it may;
 * -ENODEV: the function does not answer, so this is not known.
 */
int loopdma_hw_stop(struct loopdma_chan *lc)
{
	loopdma_hw_write(lc, LOOPDMA_CH_CONTROL, 0);
	return loopdma_hw_wait_disabled(lc);
}

/**
 * loopdma_hw_reset_chan() - reset the hardware channel, and wait until it is
 * @lc: channel
 *
 * Context: may sleep.
 * Return: as loopdma_hw_stop().
 */
int loopdma_hw_reset_chan(struct loopdma_chan *lc)
{
	u32 val;
	int err;

	loopdma_hw_write(lc, LOOPDMA_CH_CONTROL, LOOPDMA_CH_CONTROL_RESET);
	err = read_poll_timeout(loopdma_hw_read, val,
				val == U32_MAX ||
				!(val & LOOPDMA_CH_CONTROL_RESET),
				10, LOOPDMA_STOP_TIMEOUT_US, false,
				lc, LOOPDMA_CH_CONTROL);
	if (val == U32_MAX)
		return -ENODEV;
	return err ?: loopdma_hw_wait_disabled(lc);
}

/**
 * loopdma_hw_start() - enable a hardware channel on its ring
 * @lc: channel, locked; its ring is empty
 *
 * The completion record is cleared.  One that is not disabled is left alone: it
 * may be at work in memory of others.
 *
 * Context: any.
 * Return: 0; -EBUSY if it is not disabled; -EIO if it does not run; -ENODEV if
 * the function does not answer.
 */
int loopdma_hw_start(struct loopdma_chan *lc)
{
	int state = loopdma_hw_state(lc);

	lockdep_assert_held(&lc->lock);

	if (state < 0)
		return state;
	if (state != LOOPDMA_STATE_DISABLED)
		return -EBUSY;

	memset(lc->comp, 0, sizeof(*lc->comp));
	loopdma_hw_write(lc, LOOPDMA_CH_RING_LO, lower_32_bits(lc->ring.dma));
	loopdma_hw_write(lc, LOOPDMA_CH_RING_HI, upper_32_bits(lc->ring.dma));
	loopdma_hw_write(lc, LOOPDMA_CH_RING_SIZE, ilog2(lc->ring.size));
	loopdma_hw_write(lc, LOOPDMA_CH_COMP_LO, lower_32_bits(lc->comp_dma));
	loopdma_hw_write(lc, LOOPDMA_CH_COMP_HI, upper_32_bits(lc->comp_dma));
	loopdma_hw_write(lc, LOOPDMA_CH_VECTOR, lc->vector);
	lc->periph.restart = true;
	loopdma_hw_set_periph(lc);
	/* Orders the cleared completion record before the device looks at it. */
	loopdma_hw_write(lc, LOOPDMA_CH_CONTROL, LOOPDMA_CH_CONTROL_ENABLE |
			 (lc->unordered ? LOOPDMA_CH_CONTROL_UNORDERED : 0));

	state = loopdma_hw_state(lc);
	if (state < 0)
		return state;
	return state == LOOPDMA_STATE_RUNNING ? 0 : -EIO;
}

/**
 * loopdma_hw_set_periph() - tell the device of the peripheral and the class
 * @lc: channel, locked
 *
 * The pattern begins anew if that was asked for.
 *
 * Context: any.
 */
void loopdma_hw_set_periph(struct loopdma_chan *lc)
{
	bool slave = lc->caps & (LOOPDMA_CH_CAPS_TX | LOOPDMA_CH_CAPS_RX);
	u32 caps = lc->ld->lim.caps;

	lockdep_assert_held(&lc->lock);

	if (slave && (caps & LOOPDMA_CAPS_PERIPH)) {
		loopdma_hw_write(lc, LOOPDMA_CH_RATE, lc->periph.rate);
		if (lc->periph.restart)
			loopdma_hw_write(lc, LOOPDMA_CH_PERIPH,
					 lc->periph.ctl);
	}
	if (caps & LOOPDMA_CAPS_PRIORITY)
		loopdma_hw_write(lc, LOOPDMA_CH_PRIORITY, lc->periph.priority);
	lc->periph.restart = false;
}

/* --- Pause ------------------------------------------------------------------------- */

/**
 * loopdma_hw_pause() - tell the device to leave everything where it is
 * @lc: channel, locked
 *
 * Looks once whether it does: interrupts are disabled.  Who may wait calls again,
 * LOOPDMA_PAUSE_LOOKS times, with the lock released in between.  One that has
 * nothing to finish pauses at once.
 *
 * Context: any.
 * Return: 0: the device does not touch the channel's memory, and the completion
 * record tells how far it has got; -EINPROGRESS: not yet; -EIO if the hardware
 * channel does not run; -ENODEV if the function does not answer.  Whoever gives up
 * resumes or stops the hardware channel.
 */
int loopdma_hw_pause(struct loopdma_chan *lc)
{
	u32 status;

	loopdma_hw_write(lc, LOOPDMA_CH_CONTROL,
			 LOOPDMA_CH_CONTROL_ENABLE |
			 LOOPDMA_CH_CONTROL_PAUSE);
	status = loopdma_hw_read(lc, LOOPDMA_CH_STATUS);
	if (status == U32_MAX)
		return -ENODEV;
	if (FIELD_GET(LOOPDMA_CH_STATUS_STATE, status) != LOOPDMA_STATE_RUNNING)
		return -EIO;
	return status & LOOPDMA_CH_STATUS_PAUSED ? 0 : -EINPROGRESS;
}

/**
 * loopdma_hw_resume() - let the device go on
 * @lc: channel, locked
 *
 * Context: any.
 */
void loopdma_hw_resume(struct loopdma_chan *lc)
{
	loopdma_hw_write(lc, LOOPDMA_CH_CONTROL, LOOPDMA_CH_CONTROL_ENABLE);
}

/**
 * loopdma_hw_kept() - is a channel that was paused as it was left?
 * @lc: channel
 *
 * Context: any.
 * Return: true if it is paused, and knows its ring.
 */
bool loopdma_hw_kept(struct loopdma_chan *lc)
{
	u32 status = loopdma_hw_read(lc, LOOPDMA_CH_STATUS);

	return status != U32_MAX && (status & LOOPDMA_CH_STATUS_PAUSED) &&
	       FIELD_GET(LOOPDMA_CH_STATUS_STATE, status) ==
	       LOOPDMA_STATE_RUNNING &&
	       loopdma_hw_read(lc, LOOPDMA_CH_RING_LO) ==
	       lower_32_bits(lc->ring.dma) &&
	       loopdma_hw_read(lc, LOOPDMA_CH_RING_HI) ==
	       upper_32_bits(lc->ring.dma);
}

/* --- What the device tells --------------------------------------------------------- */

/**
 * loopdma_hw_done() - descriptors that the device says it has retired
 * @lc: channel
 *
 * Return: the count, not checked.
 */
u32 loopdma_hw_done(const struct loopdma_chan *lc)
{
	return le32_to_cpu(READ_ONCE(lc->comp->done));
}

/**
 * loopdma_hw_progress() - how far the device has got in the entry at the tail
 * @lc: channel, locked, with everything reaped
 *
 * Return: bytes that it has moved, as far as it says; not checked.
 */
u32 loopdma_hw_progress(const struct loopdma_chan *lc)
{
	/* LOOPDMA_PROGRESS_BYTES, and behind them LOOPDMA_PROGRESS_COUNT. */
	const __le32 *half = (const __le32 *)&lc->comp->progress;
	u32 bytes;

	if (!(lc->ld->lim.caps & LOOPDMA_CAPS_PROGRESS) ||
	    !loopdma_ring_used(&lc->ring))
		return 0;
	/*
	 * A CPU with 32 bits takes two loads, and the device may write between
	 * them: the bytes belong to a count that is there before and after.
	 */
	if (le32_to_cpu(READ_ONCE(half[1])) != lc->ring.tail)
		return 0;
	dma_rmb();
	bytes = le32_to_cpu(READ_ONCE(half[0]));
	/*
	 * The client looks at these bytes behind us, too.  Pairs with the device's
	 * write barrier between data and progress.
	 */
	dma_rmb();
	return le32_to_cpu(READ_ONCE(half[1])) == lc->ring.tail ? bytes : 0;
}

/**
 * loopdma_hw_fifo_level() - bytes that came from the peer, not yet in memory
 * @lc: channel, locked, running
 *
 * Reads a register.
 *
 * Context: any.
 * Return: their number, 0 if the device does not tell.
 */
u32 loopdma_hw_fifo_level(struct loopdma_chan *lc)
{
	u32 level;

	if (!(lc->ld->lim.caps & LOOPDMA_CAPS_PROGRESS))
		return 0;
	level = loopdma_hw_read(lc, LOOPDMA_CH_FIFO_LEVEL);
	/* All ones: the function is gone from the bus. */
	return level <= lc->ld->lim.fifo_depth ? level : 0;
}
