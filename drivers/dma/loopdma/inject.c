// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: faults on demand.
 *
 * The test controls of a device that has them, as files in debugfs; and the
 * kernel's own fault injection, for what goes wrong without a device.  What
 * each does is in Documentation/driver.rst, "Fault injection".
 */
#include <linux/dcache.h>
#include <linux/debugfs.h>
#include <linux/fault-inject.h>
#include <linux/pm_runtime.h>
#include <linux/ratelimit.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <kunit/visibility.h>

#include "loopdma.h"

static void loopdma_control_put(struct loopdma_dev *ld)
{
	pm_runtime_mark_last_busy(ld->dev);
	pm_runtime_put_autosuspend(ld->dev);
}

/**
 * loopdma_control_end() - registers are not touched any more
 * @ld: device, after loopdma_control_begin()
 */
void loopdma_control_end(struct loopdma_dev *ld)
{
	mutex_unlock(&ld->control);
	loopdma_control_put(ld);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_control_end);

/**
 * loopdma_control_begin() - have the registers there, to touch them
 * @ld: device
 *
 * Until loopdma_control_end() the device is awake, it is not reset, and its driver
 * does not leave it.  While it is being reset it has no registers, and would forget
 * what it is told: that is waited for.
 *
 * Context: may sleep.
 * Return: 0; -ENODEV if the device is gone, in which case nothing is to be ended;
 * -ERESTARTSYS if a signal came sooner than the end of a reset, likewise.
 */
int loopdma_control_begin(struct loopdma_dev *ld)
{
	int err;

	/* No channel may be in use.  If it does not wake up its ID says so. */
	pm_runtime_get_sync(ld->dev);
	mutex_lock(&ld->control);
	while (ld->state == LOOPDMA_DEV_HALTED) {
		mutex_unlock(&ld->control);
		err = wait_var_event_interruptible(&ld->state,
						   READ_ONCE(ld->state) !=
						   LOOPDMA_DEV_HALTED);
		if (err) {
			loopdma_control_put(ld);
			return err;
		}
		mutex_lock(&ld->control);
	}
	if (ld->state == LOOPDMA_DEV_WORKING &&
	    ld->ops->read(ld, LOOPDMA_ID) == LOOPDMA_ID_MAGIC)
		return 0;
	loopdma_control_end(ld);
	return -ENODEV;
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_control_begin);

/* A control of a channel: its file, and the register behind it. */
struct loopdma_control {
	const char *name;
	umode_t mode;
	u32 cap;	/* LOOPDMA_CAPS that it comes with */
	u32 reg;
	u32 max;	/* above it the device would take it for something else */
};

static const struct loopdma_control loopdma_controls[] = {
	{ "hold", 0600, LOOPDMA_CAPS_TESTCTL, LOOPDMA_CH_TC_HOLD, 1 },
	{ "step", 0200, LOOPDMA_CAPS_TESTCTL, LOOPDMA_CH_TC_STEP, U32_MAX },
	{ "fail", 0600, LOOPDMA_CAPS_TESTCTL, LOOPDMA_CH_TC_FAIL,
	  LOOPDMA_CH_TC_FAIL_AFTER | LOOPDMA_CH_TC_FAIL_STATUS },
	{ "fail_bytes", 0600, LOOPDMA_CAPS_TESTCTL, LOOPDMA_CH_TC_FAIL_BYTES,
	  U32_MAX },
	{ "drop_irq", 0600, LOOPDMA_CAPS_TESTCTL, LOOPDMA_CH_TC_DROP_IRQ,
	  U32_MAX },
	{ "lie", 0600, LOOPDMA_CAPS_TESTCTL, LOOPDMA_CH_TC_LIE, U32_MAX },
	{ "delay_us", 0600, LOOPDMA_CAPS_FAULTS, LOOPDMA_CH_TC_DELAY,
	  LOOPDMA_CH_TC_DELAY_MAX },
	{ "reorder", 0600, LOOPDMA_CAPS_FAULTS, LOOPDMA_CH_TC_REORDER,
	  LOOPDMA_CH_TC_REORDER_MAX },
	{ "spurious", 0600, LOOPDMA_CAPS_FAULTS, LOOPDMA_CH_TC_SPURIOUS,
	  U32_MAX },
	{ "early", 0600, LOOPDMA_CAPS_FAULTS, LOOPDMA_CH_TC_EARLY, U32_MAX },
	{ "stuck", 0600, LOOPDMA_CAPS_FAULTS, LOOPDMA_CH_TC_STUCK,
	  LOOPDMA_STUCK_DEVICE },
	{ "addr_bits", 0600, LOOPDMA_CAPS_FAULTS, LOOPDMA_CH_TC_ADDR_BITS,
	  LOOPDMA_CH_TC_ADDR_BITS_MAX },
};

/**
 * struct loopdma_control_file - what a file in debugfs stands for
 * @lc: channel
 * @control: which of its controls
 */
struct loopdma_control_file {
	struct loopdma_chan *lc;
	const struct loopdma_control *control;
};

static int loopdma_control_get(void *data, u64 *val)
{
	struct loopdma_control_file *file = data;
	int err;

	/* Root may open a file that others could not read either. */
	if (!(file->control->mode & 0400))
		return -EACCES;
	err = loopdma_control_begin(file->lc->ld);
	if (err)
		return err;
	*val = loopdma_hw_read(file->lc, file->control->reg);
	loopdma_control_end(file->lc->ld);
	return 0;
}

static int loopdma_control_set(void *data, u64 val)
{
	struct loopdma_control_file *file = data;
	int err;

	if (val > file->control->max)
		return -EINVAL;
	err = loopdma_control_begin(file->lc->ld);
	if (err)
		return err;
	loopdma_hw_write(file->lc, file->control->reg, val);
	loopdma_control_end(file->lc->ld);
	return 0;
}

DEFINE_DEBUGFS_ATTRIBUTE(loopdma_control_fops, loopdma_control_get,
			 loopdma_control_set, "%llu\n");

static int loopdma_control_trigger(struct loopdma_dev *ld, u32 reg, u32 val)
{
	int err = loopdma_control_begin(ld);

	if (err)
		return err;
	ld->ops->write(ld, reg, val);
	loopdma_control_end(ld);
	return 0;
}

/* A vector, to interrupt once. */
static int loopdma_raise_set(void *data, u64 val)
{
	struct loopdma_dev *ld = data;

	/* One for each channel, and one for the device's events. */
	if (val > ld->lim.channels)
		return -EINVAL;
	return loopdma_control_trigger(ld, LOOPDMA_RAISE, val);
}

DEFINE_DEBUGFS_ATTRIBUTE(loopdma_raise_fops, NULL, loopdma_raise_set,
			 "%llu\n");

/* 1: no number that is written by mistake has an effect. */
static int loopdma_gone_set(void *data, u64 val)
{
	if (val != 1)
		return -EINVAL;
	return loopdma_control_trigger(data, LOOPDMA_TC_GONE,
				       LOOPDMA_TC_GONE_MAGIC);
}

DEFINE_DEBUGFS_ATTRIBUTE(loopdma_gone_fops, NULL, loopdma_gone_set, "%llu\n");

/**
 * loopdma_inject_chan_files() - offer the test controls of a channel
 * @lc: channel of a device with loopdma_inject_dev_files()
 * @dir: its directory in debugfs
 *
 * Nothing if the device has none.
 *
 * Context: may sleep.
 */
void loopdma_inject_chan_files(struct loopdma_chan *lc, struct dentry *dir)
{
	struct loopdma_control_file *file = lc->ld->control_files;
	const struct loopdma_control *control;
	u32 i;

	if (!file)
		return;
	file += lc->index * ARRAY_SIZE(loopdma_controls);
	dir = debugfs_create_dir("inject", dir);
	for (i = 0; i < ARRAY_SIZE(loopdma_controls); i++) {
		control = &loopdma_controls[i];
		if (!(lc->ld->lim.caps & control->cap))
			continue;
		file[i].lc = lc;
		file[i].control = control;
		debugfs_create_file_unsafe(control->name, control->mode, dir,
					   &file[i], &loopdma_control_fops);
	}
}

#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
static const char * const loopdma_fault_names[] = {
	[LOOPDMA_FAULT_PREP]	= "fail_prep",
	[LOOPDMA_FAULT_ALLOC]	= "fail_alloc",
	[LOOPDMA_FAULT_IRQ]	= "lose_irq",
};

static void loopdma_fault_init(struct loopdma_dev *ld)
{
	static const struct fault_attr off = FAULT_ATTR_INITIALIZER;
	u32 i;

	for (i = 0; i < LOOPDMA_NFAULTS; i++) {
		ld->fault[i] = off;
		/* Its lock is not that of the constant. */
		ratelimit_state_init(&ld->fault[i].ratelimit_state, 0,
				     DEFAULT_RATELIMIT_BURST);
	}
}

static void loopdma_fault_exit(struct loopdma_dev *ld)
{
	u32 i;

	/* An older kernel holds the directory, a newer one copies its name. */
	for (i = 0; i < LOOPDMA_NFAULTS; i++)
		if (__same_type(ld->fault[i].dname, struct dentry *))
			dput((struct dentry *)ld->fault[i].dname);
}

static void loopdma_fault_files(struct loopdma_dev *ld, struct dentry *dir)
{
	u32 i;

	for (i = 0; i < LOOPDMA_NFAULTS; i++)
		fault_create_debugfs_attr(loopdma_fault_names[i], dir,
					  &ld->fault[i]);
}
#else
static void loopdma_fault_init(struct loopdma_dev *ld)
{
}

static void loopdma_fault_exit(struct loopdma_dev *ld)
{
}

static void loopdma_fault_files(struct loopdma_dev *ld, struct dentry *dir)
{
}
#endif /* CONFIG_FAULT_INJECTION_DEBUG_FS */

/**
 * loopdma_inject_dev_files() - offer what can be injected into a device
 * @ld: device
 * @dir: its directory in debugfs
 *
 * The test controls, if the device has any; and faults of the driver, if the
 * kernel can inject them.
 *
 * Context: may sleep.
 */
void loopdma_inject_dev_files(struct loopdma_dev *ld, struct dentry *dir)
{
	loopdma_fault_files(ld, dir);
	if (!(ld->lim.caps & LOOPDMA_CAPS_TESTCTL))
		return;
	/* Like debugfs itself, they are missing where there is no memory. */
	ld->control_files = kcalloc(ld->lim.channels *
				    ARRAY_SIZE(loopdma_controls),
				    sizeof(*ld->control_files), GFP_KERNEL);
	dir = debugfs_create_dir("inject", dir);
	debugfs_create_file_unsafe("raise", 0200, dir, ld,
				   &loopdma_raise_fops);
	if (ld->lim.caps & LOOPDMA_CAPS_FAULTS)
		debugfs_create_file_unsafe("gone", 0200, dir, ld,
					   &loopdma_gone_fops);
}

/**
 * loopdma_inject_init() - nothing is to be injected yet
 * @ld: device, before it has a client
 */
void loopdma_inject_init(struct loopdma_dev *ld)
{
	mutex_init(&ld->control);
	loopdma_fault_init(ld);
}

/**
 * loopdma_inject_exit() - undo loopdma_inject_init()
 * @ld: device without files in debugfs
 *
 * Context: may sleep.
 */
void loopdma_inject_exit(struct loopdma_dev *ld)
{
	loopdma_fault_exit(ld);
	kfree(ld->control_files);
}
