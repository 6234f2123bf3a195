// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the device as a whole.
 *
 * Set-up, registration with the dmaengine core, and lifetime.
 */
#include <linux/debugfs.h>
#include <linux/idr.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <kunit/visibility.h>

#include "loopdma.h"

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

/* Numbers of pairs of channels, unique among all devices that there are. */
static DEFINE_IDA(loopdma_loops);

/**
 * loopdma_core_init() - once per module, before the first device
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int __init loopdma_core_init(void)
{
	return loopdma_state_init();
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
	loopdma_state_exit();
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
	put_device(ld->dev);
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

	loopdma_defer(&ld->free_work);
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

	err = loopdma_hw_identify(dev, &probe);
	if (err)
		return ERR_PTR(err);

	err = loopdma_hw_reset(&probe);
	if (err) {
		dev_err(dev, "no end of reset\n");
		return ERR_PTR(err);
	}

	ld = kzalloc_node(struct_size(ld, chan, probe.lim.channels), GFP_KERNEL,
			  dev_to_node(dev));
	if (!ld)
		return ERR_PTR(-ENOMEM);
	ld->dev = get_device(dev);
	ld->ops = ops;
	ld->priv = priv;
	ld->lim = probe.lim;
	INIT_WORK(&ld->free_work, loopdma_free_work);
	loopdma_dev_init(ld);
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
	for (i = 0; i < ld->lim.channels; i++) {
		loopdma_chan_init(ld, i);
		loopdma_irq_init(&ld->chan[i]);
	}
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
