// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the device as a whole.
 *
 * Capabilities, registration with the dmaengine core, and lifetime.
 */
#include <linux/bitfield.h>
#include <linux/debugfs.h>
#include <linux/idr.h>
#include <linux/iopoll.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <kunit/visibility.h>

#include "loopdma.h"

#define LOOPDMA_RESET_TIMEOUT_US	1000000

static int loopdma_set_ring_size(const char *val, const struct kernel_param *kp)
{
	unsigned int size;
	int err;

	err = kstrtouint(val, 0, &size);
	if (err)
		return err;
	if (size < 2 || size > 65536 || !is_power_of_2(size)) {
		pr_err("loopdma: ring_size %u is not a power of two from 2 to 65536\n",
		       size);
		return -EINVAL;
	}
	return param_set_uint(val, kp);
}

static const struct kernel_param_ops loopdma_ring_size_ops = {
	.set = loopdma_set_ring_size,
	.get = param_get_uint,
};

static unsigned int ring_size = 1024;
module_param_cb(ring_size, &loopdma_ring_size_ops, &ring_size, 0444);
MODULE_PARM_DESC(ring_size,
		 "Descriptors per ring, a power of two from 2 to 65536 (default 1024)");

/*
 * Frees devices that the core has let go of, and resets those that need it.  A
 * queue of our own, so that the module cannot be unloaded before it is done; frozen
 * while the system sleeps, so that nothing is reset that is not awake; and unbound,
 * since on which CPU a device is reset does not matter.
 */
static struct workqueue_struct *loopdma_wq;

/* Numbers of pairs of channels, unique among all devices that there are. */
static DEFINE_IDA(loopdma_loops);

/* After how long a reset is tried again that could not be done. */
#define LOOPDMA_RESET_AGAIN	(HZ / 10)

/**
 * loopdma_core_init() - once per module, before the first device
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init loopdma_core_init(void)
{
	loopdma_wq = alloc_workqueue("loopdma", WQ_UNBOUND | WQ_FREEZABLE, 0);
	return loopdma_wq ? 0 : -ENOMEM;
}

/**
 * loopdma_core_exit() - undo loopdma_core_init(), after the last device
 *
 * Waits until every device that the core has let go of is freed.
 *
 * Context: may sleep.
 */
void loopdma_core_exit(void)
{
	destroy_workqueue(loopdma_wq);
	ida_destroy(&loopdma_loops);
}

static bool loopdma_filter(struct dma_chan *chan, void *param)
{
	return to_loopdma_chan(chan)->index == (uintptr_t)param;
}

/*
 * Give names to the pairs of channels: what the client "loopdma-loop.N" sends on
 * "tx" it receives on "rx".
 */
static int loopdma_name_loops(struct loopdma_dev *ld)
{
	struct loopdma_loop *loop;
	u32 i, n = ld->lim.channels / 2;
	struct dma_slave_map *map;

	if (!(ld->lim.caps & LOOPDMA_CAPS_LOOPBACK))
		return 0;
	ld->loop = kcalloc(n, sizeof(*ld->loop), GFP_KERNEL);
	ld->map = kcalloc(2 * n, sizeof(*ld->map), GFP_KERNEL);
	if (!ld->loop || !ld->map)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		loop = &ld->loop[i];
		map = &ld->map[2 * i];
		loop->id = ida_alloc(&loopdma_loops, GFP_KERNEL);
		if (loop->id < 0)
			return loop->id;
		ld->nloops++;
		snprintf(loop->devname, sizeof(loop->devname),
			 "loopdma-loop.%d", loop->id);
		map[0] = (struct dma_slave_map) {
			loop->devname, "tx", (void *)(uintptr_t)(2 * i)
		};
		map[1] = (struct dma_slave_map) {
			loop->devname, "rx", (void *)(uintptr_t)(2 * i + 1)
		};
	}
	ld->dma.filter.fn = loopdma_filter;
	ld->dma.filter.map = ld->map;
	ld->dma.filter.mapcnt = 2 * ld->nloops;
	return 0;
}

static void loopdma_free(struct loopdma_dev *ld)
{
	while (ld->nloops)
		ida_free(&loopdma_loops, ld->loop[--ld->nloops].id);
	kfree(ld->loop);
	kfree(ld->map);
	loopdma_inject_exit(ld);
	kfree(ld);
}

static bool loopdma_no_channel(struct dma_chan *chan, void *param)
{
	return false;
}

static void loopdma_free_work(struct work_struct *work)
{
	struct loopdma_dev *ld = container_of(work, struct loopdma_dev,
					      free_work);
	dma_cap_mask_t mask;

	/*
	 * dma_release_channel() still looks at the channel after it has
	 * dropped the last reference to the device, but does so under the
	 * core's mutex.  A request that no channel satisfies takes and
	 * releases that mutex, and so waits until it is done.
	 */
	dma_cap_zero(mask);
	dma_request_channel(mask, loopdma_no_channel, NULL);

	loopdma_free(ld);
}

/* Called by the core, under its mutex, when the last client is gone. */
static void loopdma_device_release(struct dma_device *dma)
{
	struct loopdma_dev *ld = container_of(dma, struct loopdma_dev, dma);

	queue_work(loopdma_wq, &ld->free_work);
}

static int loopdma_reset(struct loopdma_dev *ld)
{
	u32 val;

	ld->ops->write(ld, LOOPDMA_CONTROL, LOOPDMA_CONTROL_RESET);
	/* All ones: the function is gone from the bus, and DMA with it. */
	return read_poll_timeout(ld->ops->read, val,
				 val == U32_MAX ||
				 !(val & LOOPDMA_CONTROL_RESET),
				 10, LOOPDMA_RESET_TIMEOUT_US, false,
				 ld, LOOPDMA_CONTROL);
}

static void loopdma_set_halted(struct loopdma_dev *ld)
{
	/* Those who write into a file of inject.c have done it, or wait. */
	mutex_lock(&ld->control);
	WRITE_ONCE(ld->halted, true);
	mutex_unlock(&ld->control);
}

static void loopdma_clear_halted(struct loopdma_dev *ld)
{
	WRITE_ONCE(ld->halted, false);
	/*
	 * Orders the write before the look for somebody who waits; pairs with
	 * the barrier of prepare_to_wait_event() in wait_var_event_interruptible()
	 * of loopdma_control_begin(): one of the two sees the other.
	 */
	smp_mb();
	wake_up_var(&ld->halted);
}

/**
 * loopdma_halt() - the function is going to be reset
 * @ld: device, registered
 *
 * On return the driver starts nothing any more, until loopdma_restart().  Clients
 * need not know: prep and submit work, and what is issued waits.  To be followed
 * by loopdma_restart(), whatever comes of the reset.
 *
 * Context: may sleep.
 */
void loopdma_halt(struct loopdma_dev *ld)
{
	u32 i;

	/* Before the channels: one that is set up from here on does not start. */
	loopdma_set_halted(ld);
	for (i = 0; i < ld->lim.channels; i++)
		loopdma_chan_halt(&ld->chan[i]);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_halt);

/**
 * loopdma_restart() - the function was reset
 * @ld: device, after loopdma_halt()
 *
 * The channels belong to the same clients as before.  The transaction that each
 * was at ends as aborted; those behind it have their turn.
 *
 * Context: may sleep.
 */
void loopdma_restart(struct loopdma_dev *ld)
{
	u32 i;

	loopdma_clear_halted(ld);
	/* A link that was down may be up again, or the reset was the end. */
	WRITE_ONCE(ld->lost, false);
	if (!loopdma_is_lost(ld))
		ld->ops->write(ld, LOOPDMA_EVENT_VECTOR, ld->event_vector);
	for (i = 0; i < ld->lim.channels; i++)
		loopdma_chan_restart(&ld->chan[i]);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_restart);

/**
 * loopdma_sleep() - stop where everything is, until loopdma_wake()
 * @ld: device, registered
 *
 * Clients of which the core of power management knows that they depend on the
 * device are suspended before it.  Those of which it does not may still have
 * something in flight, and submit more: it goes on later.
 *
 * Context: may sleep.
 */
void loopdma_sleep(struct loopdma_dev *ld)
{
	u32 i;

	loopdma_set_halted(ld);
	for (i = 0; i < ld->lim.channels; i++)
		loopdma_chan_suspend(&ld->chan[i]);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_sleep);

/**
 * loopdma_wake() - go on after loopdma_sleep()
 * @ld: device
 * @kept: the hardware may be as it was left, which is then found out; else it
 *	may be as somebody else has left it
 *
 * Context: may sleep.
 */
void loopdma_wake(struct loopdma_dev *ld, bool kept)
{
	u32 i;

	loopdma_clear_halted(ld);
	if (!loopdma_is_lost(ld))
		ld->ops->write(ld, LOOPDMA_EVENT_VECTOR, ld->event_vector);
	for (i = 0; i < ld->lim.channels; i++)
		loopdma_chan_wake(&ld->chan[i], kept);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_wake);

/**
 * loopdma_lose() - the function is gone from the bus
 * @ld: device
 *
 * Everything that is in flight ends, and nothing more is accepted.  While it is
 * being reset, or sleeps, a function that does not answer is none that is gone;
 * what follows asks again.
 *
 * Context: any, also with a channel's lock held.
 */
void loopdma_lose(struct loopdma_dev *ld)
{
	if (READ_ONCE(ld->halted) || xchg(&ld->lost, true))
		return;
	dev_err(ld->dev, "gone from the bus\n");
	mod_delayed_work(loopdma_wq, &ld->recover, 0);
}

/**
 * loopdma_is_lost() - is the function gone from the bus?
 * @ld: device
 *
 * Reads a register, and does what is to be done if it is.
 *
 * Context: any, also with a channel's lock held; while the registers are there.
 * Return: true if it is.
 */
bool loopdma_is_lost(struct loopdma_dev *ld)
{
	if (ld->ops->read(ld, LOOPDMA_ID) == U32_MAX)
		loopdma_lose(ld);
	return READ_ONCE(ld->lost);
}

/**
 * loopdma_ask_reset() - have the function reset
 * @ld: device, a channel of which has needs_reset
 *
 * Context: any, also with a channel's lock held.
 */
void loopdma_ask_reset(struct loopdma_dev *ld)
{
	dev_err(ld->dev, "resetting the function\n");
	queue_delayed_work(loopdma_wq, &ld->recover, 0);
}

/* Channels fail, one after the other, as they find that there is no device. */
static void loopdma_fail_all(struct loopdma_dev *ld)
{
	struct loopdma_chan *lc;
	u32 i;

	for (i = 0; i < ld->lim.channels; i++) {
		lc = &ld->chan[i];
		spin_lock_irq(&lc->lock);
		loopdma_chan_fail(lc, "gone");
		spin_unlock_irq(&lc->lock);
	}
}

/* Somebody else may have reset the function meanwhile. */
static bool loopdma_needs_reset(struct loopdma_dev *ld)
{
	bool needed = false;
	u32 i;

	for (i = 0; i < ld->lim.channels; i++)
		needed |= READ_ONCE(ld->chan[i].needs_reset);
	return needed;
}

static void loopdma_recover(struct work_struct *work)
{
	struct loopdma_dev *ld = container_of(to_delayed_work(work),
					      struct loopdma_dev, recover);
	int err;

	if (READ_ONCE(ld->lost)) {
		loopdma_fail_all(ld);
		return;
	}
	if (!loopdma_needs_reset(ld))
		return;
	err = ld->ops->reset(ld);
	if (err == -EAGAIN) {
		queue_delayed_work(loopdma_wq, &ld->recover,
				   LOOPDMA_RESET_AGAIN);
	} else if (err) {
		dev_err(ld->dev, "function not reset: %d; trying its own reset\n",
			err);
		loopdma_halt(ld);
		loopdma_reset(ld);
		loopdma_restart(ld);
	}
}

static void loopdma_read_limits(struct loopdma_dev *ld,
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

/* Is this hardware that the driver knows how to drive? */
static int loopdma_identify(struct device *dev, struct loopdma_dev *ld)
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
	    FIELD_GET(LOOPDMA_VERSION_MAJOR, LOOPDMA_VERSION_1_3)) {
		dev_err(dev, "hardware version %u.%u, this driver knows 1.x\n",
			FIELD_GET(LOOPDMA_VERSION_MAJOR, val),
			FIELD_GET(LOOPDMA_VERSION_MINOR, val));
		return -ENODEV;
	}

	loopdma_read_limits(ld, &ld->lim);
	err = loopdma_limits_check(&ld->lim, &why);
	if (err)
		dev_err(dev, "unusable capabilities: %s\n", why);
	return err;
}

/**
 * loopdma_create() - find out what a device can do and set up its channels
 * @dev: the device that does the DMA, bound to a driver
 * @ops: its registers
 * @priv: for @ops
 *
 * The hardware is reset.  The caller then assigns interrupt vectors to the
 * channels and calls loopdma_register().
 *
 * Context: may sleep.
 * Return: the device, to be given to loopdma_register() or loopdma_destroy();
 * or ERR_PTR(): -ENODEV if the hardware is not one that this driver knows,
 * -ETIMEDOUT if it does not answer, -ENOMEM.
 */
struct loopdma_dev *loopdma_create(struct device *dev,
				   const struct loopdma_hw_ops *ops,
				   void *priv)
{
	/* Enough of a device to read registers with, before its size is known. */
	struct loopdma_dev probe = { .ops = ops, .priv = priv };
	struct loopdma_dev *ld;
	u32 order, i;
	int err;

	err = loopdma_identify(dev, &probe);
	if (err)
		return ERR_PTR(err);

	err = loopdma_reset(&probe);
	if (err) {
		dev_err(dev, "no end of reset\n");
		return ERR_PTR(err);
	}

	ld = kzalloc_node(struct_size(ld, chan, probe.lim.channels), GFP_KERNEL,
			  dev_to_node(dev));
	if (!ld)
		return ERR_PTR(-ENOMEM);
	ld->dev = dev;
	ld->ops = ops;
	ld->priv = priv;
	ld->lim = probe.lim;
	INIT_WORK(&ld->free_work, loopdma_free_work);
	INIT_DELAYED_WORK(&ld->recover, loopdma_recover);
	loopdma_inject_init(ld);
	err = loopdma_name_loops(ld);
	if (err) {
		loopdma_free(ld);
		return ERR_PTR(err);
	}

	order = ilog2(ring_size);
	ld->ring_order = clamp_t(u32, order, ld->lim.ring_min,
				 ld->lim.ring_max);
	if (ld->ring_order != order)
		dev_warn(dev, "ring_size %u not possible, using %lu\n",
			 ring_size, BIT(ld->ring_order));

	INIT_LIST_HEAD(&ld->dma.channels);
	for (i = 0; i < ld->lim.channels; i++)
		loopdma_chan_init(ld, i);
	loopdma_dmaengine_setup(ld);
	ld->dma.device_release = loopdma_device_release;
	return ld;
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_create);

/**
 * loopdma_destroy() - undo loopdma_create() of a device never registered
 * @ld: device
 */
void loopdma_destroy(struct loopdma_dev *ld)
{
	loopdma_free(ld);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_destroy);

#ifdef CONFIG_DEBUG_FS
/*
 * What is offered in debugfs is below the device's directory of the core, which
 * removes it, and waits for those who use it, before anything of the device is
 * freed or the registers are unmapped.
 */
static void loopdma_debugfs(struct loopdma_dev *ld)
{
	struct dentry *top = ld->dma.dbg_dev_root, *dir;
	char name[16];
	u32 i;

	/* Without debugfs at run time, or if the name was taken. */
	if (!top)
		return;
	loopdma_stats_dev_file(ld, top);
	loopdma_inject_dev_files(ld, top);
	for (i = 0; i < ld->lim.channels; i++) {
		snprintf(name, sizeof(name), "chan%u", i);
		dir = debugfs_create_dir(name, top);
		loopdma_stats_chan_file(&ld->chan[i], dir);
		loopdma_inject_chan_files(&ld->chan[i], dir);
	}
}
#else
static void loopdma_debugfs(struct loopdma_dev *ld)
{
}
#endif /* CONFIG_DEBUG_FS */

/**
 * loopdma_register() - offer the channels to clients
 * @ld: device
 *
 * Context: may sleep.
 * Return: 0, or the error of the core; the device is then still the caller's.
 */
int loopdma_register(struct loopdma_dev *ld)
{
	int err = dma_async_device_register(&ld->dma);

	if (!err)
		loopdma_debugfs(ld);
	return err;
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_register);

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
	u32 i;

	/* Those who write into a file of inject.c have done it, or will not. */
	mutex_lock(&ld->control);
	WRITE_ONCE(ld->gone, true);
	mutex_unlock(&ld->control);
	for (i = 0; i < ld->lim.channels; i++) {
		lc = &ld->chan[i];
		mutex_lock(&lc->setup);
		loopdma_chan_quiet(lc);
		mutex_unlock(&lc->setup);
	}
	/* No channel is left that could ask for it. */
	cancel_delayed_work_sync(&ld->recover);
	/* Also takes back an interrupt that is still asserted. */
	if (loopdma_reset(ld)) {
		dev_err(ld->dev, "no end of reset at removal\n");
		return;
	}
	/* A channel that did not stop by itself has stopped now. */
	for (i = 0; i < ld->lim.channels; i++) {
		lc = &ld->chan[i];
		mutex_lock(&lc->setup);
		lc->stuck = false;
		mutex_unlock(&lc->setup);
	}
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_shutdown);

/**
 * loopdma_unregister() - the second half of removal
 * @ld: device; after loopdma_shutdown(), with its interrupts freed
 *
 * Clients that hold a channel are called back for what was in flight, with the
 * result ABORTED; from then on prep gives them NULL.  The device frees itself
 * when the last of them has released its channel; the caller must not use it
 * any more.
 *
 * Context: may sleep.
 */
void loopdma_unregister(struct loopdma_dev *ld)
{
	u32 i;

	for (i = 0; i < ld->lim.channels; i++)
		loopdma_chan_remove(&ld->chan[i]);
	dma_async_device_unregister(&ld->dma);
}
EXPORT_SYMBOL_IF_KUNIT(loopdma_unregister);
