// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: PCI function, interrupt vectors, module.
 */
#include <linux/bitops.h>
#include <linux/dma-mapping.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pm_runtime.h>
#include <linux/slab.h>

#include "loopdma.h"

/* How long a device that nobody uses stays awake. */
#define LOOPDMA_AUTOSUSPEND_MS	1000

/**
 * struct loopdma_vector - one interrupt vector
 * @lp: its function
 * @channels: bit per channel that uses it
 * @event: device events use it, too
 * @irq: interrupt number, 0 if not requested
 * @name: as shown in /proc/interrupts
 */
struct loopdma_vector {
	struct loopdma_pci *lp;
	unsigned long channels;
	bool event;
	int irq;
	char name[32];
};

/**
 * struct loopdma_pci - a PCI function
 * @bar: its registers
 * @ld: the device
 * @nvec: number of vectors allocated
 * @vec: the vectors
 */
struct loopdma_pci {
	void __iomem *bar;
	struct loopdma_dev *ld;
	int nvec;
	struct loopdma_vector vec[LOOPDMA_MAX_VECTORS];
};

static u32 loopdma_pci_read(struct loopdma_dev *ld, u32 reg)
{
	struct loopdma_pci *lp = ld->priv;

	return readl(lp->bar + reg);
}

static void loopdma_pci_write(struct loopdma_dev *ld, u32 reg, u32 val)
{
	struct loopdma_pci *lp = ld->priv;

	writel(val, lp->bar + reg);
}

/*
 * The PCI core calls loopdma_pci_reset_prepare() and _done().  It is only tried,
 * because remove() waits, with the device locked, for whoever calls this.
 */
static int loopdma_pci_reset(struct loopdma_dev *ld)
{
	return pci_try_reset_function(to_pci_dev(ld->dev));
}

static void loopdma_pci_isolate(struct loopdma_dev *ld)
{
	pci_clear_master(to_pci_dev(ld->dev));
}

static const struct loopdma_hw_ops loopdma_pci_ops = {
	.read = loopdma_pci_read,
	.write = loopdma_pci_write,
	.reset = loopdma_pci_reset,
	.isolate = loopdma_pci_isolate,
};

static irqreturn_t loopdma_msi(int irq, void *data)
{
	struct loopdma_vector *vec = data;
	struct loopdma_dev *ld = vec->lp->ld;
	unsigned int i;

	for_each_set_bit(i, &vec->channels, LOOPDMA_MAX_CHANNELS)
		loopdma_irq_channel(&ld->chan[i]);
	if (vec->event)
		loopdma_irq_event(ld);
	return IRQ_HANDLED;
}

static irqreturn_t loopdma_intx(int irq, void *data)
{
	struct loopdma_vector *vec = data;
	struct loopdma_dev *ld = vec->lp->ld;
	unsigned long status;
	u32 event;
	unsigned int i;

	status = ld->ops->read(ld, LOOPDMA_INT_STATUS);
	event = ld->ops->read(ld, LOOPDMA_EVENT);
	/* The line is shared; all ones is a function that is gone. */
	if ((!status && !event) || event == U32_MAX)
		return IRQ_NONE;

	/* Clear first: what completes from here on interrupts again. */
	ld->ops->write(ld, LOOPDMA_INT_STATUS, status);
	for_each_set_bit(i, &status, ld->lim.channels)
		loopdma_irq_channel(&ld->chan[i]);
	if (event)
		loopdma_irq_event(ld);
	return IRQ_HANDLED;
}

static void loopdma_free_vectors(struct pci_dev *pdev, struct loopdma_pci *lp)
{
	int i;

	for (i = 0; i < lp->nvec; i++)
		if (lp->vec[i].irq)
			free_irq(lp->vec[i].irq, &lp->vec[i]);
	pci_free_irq_vectors(pdev);
}

/*
 * One vector for each channel and one for device events; fewer are shared, the
 * last by the events.
 */
static int loopdma_request_vectors(struct pci_dev *pdev,
				   struct loopdma_pci *lp)
{
	struct loopdma_dev *ld = lp->ld;
	unsigned int wanted = ld->lim.channels + 1;
	bool intx;
	int i, err;

	err = pci_alloc_irq_vectors(pdev, 1, wanted, PCI_IRQ_ALL_TYPES);
	if (err < 0) {
		dev_err(&pdev->dev, "no interrupt: neither MSI-X, MSI nor INTx\n");
		return err;
	}
	lp->nvec = err;
	intx = !pdev->msix_enabled && !pdev->msi_enabled;

	for (i = 0; i < ld->lim.channels; i++) {
		ld->chan[i].vector = i % lp->nvec;
		__set_bit(i, &lp->vec[i % lp->nvec].channels);
	}
	lp->vec[lp->nvec - 1].event = true;

	for (i = 0; i < lp->nvec; i++) {
		struct loopdma_vector *vec = &lp->vec[i];
		int irq = pci_irq_vector(pdev, i);

		vec->lp = lp;
		snprintf(vec->name, sizeof(vec->name), "loopdma-%s-%d",
			 pci_name(pdev), i);
		err = request_irq(irq, intx ? loopdma_intx : loopdma_msi,
				  intx ? IRQF_SHARED : 0, vec->name, vec);
		if (err) {
			dev_err(&pdev->dev, "vector %d refused: %d\n", i, err);
			loopdma_free_vectors(pdev, lp);
			return err;
		}
		vec->irq = irq;
	}
	ld->event_vector = lp->nvec - 1;
	loopdma_hw_set_events(ld);
	return 0;
}

static int loopdma_map_bar(struct pci_dev *pdev, struct loopdma_pci *lp)
{
	if (!(pci_resource_flags(pdev, LOOPDMA_BAR) & IORESOURCE_MEM) ||
	    pci_resource_len(pdev, LOOPDMA_BAR) < LOOPDMA_BAR_SIZE) {
		dev_err(&pdev->dev, "BAR %d: %pR is not %#x bytes of memory\n",
			LOOPDMA_BAR, &pdev->resource[LOOPDMA_BAR],
			LOOPDMA_BAR_SIZE);
		return -ENODEV;
	}
	lp->bar = pci_iomap(pdev, LOOPDMA_BAR, LOOPDMA_BAR_SIZE);
	if (!lp->bar) {
		dev_err(&pdev->dev, "BAR %d cannot be mapped\n", LOOPDMA_BAR);
		return -ENOMEM;
	}
	return 0;
}

/*
 * Counters of the device, for everybody and for good: see
 * Documentation/ABI/testing/sysfs-driver-loopdma.  The driver core makes these
 * files after probe and removes them before remove, when nobody reads any more.
 */
static ssize_t loopdma_counter_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	struct dev_ext_attribute *ext = container_of(attr,
						     struct dev_ext_attribute,
						     attr);
	struct loopdma_pci *lp = dev_get_drvdata(dev);
	struct loopdma_stats stats;

	loopdma_stats_sum(lp->ld, &stats);
	return sysfs_emit(buf, "%llu\n",
			  *(u64 *)((char *)&stats + (uintptr_t)ext->var));
}

#define LOOPDMA_ATTR(_name)						\
	static struct dev_ext_attribute loopdma_attr_##_name = {	\
		.attr.attr = { .name = #_name, .mode = 0444 },		\
		.attr.show = loopdma_counter_show,			\
		.var = (void *)offsetof(struct loopdma_stats, _name),	\
	}

LOOPDMA_ATTR(transfers);
LOOPDMA_ATTR(bytes);
LOOPDMA_ATTR(errors_read);
LOOPDMA_ATTR(errors_write);
LOOPDMA_ATTR(errors_data);
LOOPDMA_ATTR(errors_aborted);
LOOPDMA_ATTR(errors_other);
LOOPDMA_ATTR(terminated);
LOOPDMA_ATTR(interrupts);
LOOPDMA_ATTR(lost_irqs);
LOOPDMA_ATTR(stalls);
LOOPDMA_ATTR(recoveries);
LOOPDMA_ATTR(channel_resets);
LOOPDMA_ATTR(device_resets);
LOOPDMA_ATTR(doorbells);
LOOPDMA_ATTR(depth);
LOOPDMA_ATTR(depth_ns);
LOOPDMA_ATTR(busy_ns);

static struct attribute *loopdma_counter_attrs[] = {
	&loopdma_attr_transfers.attr.attr,
	&loopdma_attr_bytes.attr.attr,
	&loopdma_attr_errors_read.attr.attr,
	&loopdma_attr_errors_write.attr.attr,
	&loopdma_attr_errors_data.attr.attr,
	&loopdma_attr_errors_aborted.attr.attr,
	&loopdma_attr_errors_other.attr.attr,
	&loopdma_attr_terminated.attr.attr,
	&loopdma_attr_interrupts.attr.attr,
	&loopdma_attr_lost_irqs.attr.attr,
	&loopdma_attr_stalls.attr.attr,
	&loopdma_attr_recoveries.attr.attr,
	&loopdma_attr_channel_resets.attr.attr,
	&loopdma_attr_device_resets.attr.attr,
	&loopdma_attr_doorbells.attr.attr,
	&loopdma_attr_depth.attr.attr,
	&loopdma_attr_depth_ns.attr.attr,
	&loopdma_attr_busy_ns.attr.attr,
	NULL
};

static const struct attribute_group loopdma_counter_group = {
	.name = "loopdma",
	.attrs = loopdma_counter_attrs,
};

static const struct attribute_group *loopdma_pci_groups[] = {
	&loopdma_counter_group,
	NULL
};

static int loopdma_pci_probe(struct pci_dev *pdev,
			     const struct pci_device_id *id)
{
	struct loopdma_pci *lp;
	struct loopdma_dev *ld;
	int err;

	lp = kzalloc(sizeof(*lp), GFP_KERNEL);
	if (!lp)
		return -ENOMEM;

	err = pci_enable_device(pdev);
	if (err)
		goto err_free;
	err = pci_request_mem_regions(pdev, "loopdma");
	if (err)
		goto err_disable;
	err = loopdma_map_bar(pdev, lp);
	if (err)
		goto err_release;

	/* Resets the hardware, so it may not master the bus before. */
	ld = loopdma_create(&pdev->dev, &loopdma_pci_ops, lp);
	if (IS_ERR(ld)) {
		err = PTR_ERR(ld);
		goto err_unmap;
	}
	lp->ld = ld;
	ld->regs = pci_resource_start(pdev, LOOPDMA_BAR);

	err = dma_set_mask_and_coherent(&pdev->dev,
					DMA_BIT_MASK(ld->lim.addr_bits));
	if (err) {
		dev_err(&pdev->dev, "no DMA with %u address bits\n",
			ld->lim.addr_bits);
		goto err_destroy;
	}
	dma_set_max_seg_size(&pdev->dev, ld->lim.max_len);
	pci_set_master(pdev);

	err = loopdma_request_vectors(pdev, lp);
	if (err)
		goto err_master;
	pci_set_drvdata(pdev, lp);
	err = loopdma_register(ld);
	if (err)
		goto err_vectors;
	/* What an error on the bus, and the reset that follows, are to leave. */
	pci_save_state(pdev);
	pm_runtime_set_autosuspend_delay(&pdev->dev, LOOPDMA_AUTOSUSPEND_MS);
	pm_runtime_use_autosuspend(&pdev->dev);
	pm_runtime_put_autosuspend(&pdev->dev);
	return 0;

err_vectors:
	loopdma_free_vectors(pdev, lp);
err_master:
	pci_clear_master(pdev);
err_destroy:
	loopdma_destroy(ld);
err_unmap:
	pci_iounmap(pdev, lp->bar);
err_release:
	pci_release_mem_regions(pdev);
err_disable:
	pci_disable_device(pdev);
err_free:
	kfree(lp);
	return err;
}

static void loopdma_pci_remove(struct pci_dev *pdev)
{
	struct loopdma_pci *lp = pci_get_drvdata(pdev);

	/* The PCI core's own, which probe has given up; the device is awake. */
	pm_runtime_get_noresume(&pdev->dev);
	pm_runtime_dont_use_autosuspend(&pdev->dev);
	/* DMA first, then interrupts, then what the handlers look at. */
	loopdma_shutdown(lp->ld);
	loopdma_free_vectors(pdev, lp);
	/* Before clients are told to take their memory back. */
	pci_clear_master(pdev);
	loopdma_unregister(lp->ld);
	pci_iounmap(pdev, lp->bar);
	pci_release_mem_regions(pdev);
	pci_disable_device(pdev);
	kfree(lp);
}

/* Nothing may write into the memory of the kernel that comes next. */
static void loopdma_pci_shutdown(struct pci_dev *pdev)
{
	struct loopdma_pci *lp = pci_get_drvdata(pdev);

	loopdma_shutdown(lp->ld);
	pci_clear_master(pdev);
}

/* Whoever resets the function: the driver, user space, or the PCI core. */
static void loopdma_pci_reset_prepare(struct pci_dev *pdev)
{
	struct loopdma_pci *lp = pci_get_drvdata(pdev);

	loopdma_reset_prepare(lp->ld);
}

static void loopdma_pci_reset_done(struct pci_dev *pdev)
{
	struct loopdma_pci *lp = pci_get_drvdata(pdev);

	/* It may have been kept from memory before. */
	pci_set_master(pdev);
	/* For the next time: what is restored is forgotten. */
	pci_save_state(pdev);
	loopdma_reset_done(lp->ld);
}

/*
 * The bus has found an error, of AER for one.  An error that is not fatal is that
 * of some access; the descriptor that has failed by it has a status, and what got
 * no answer is stuck, which the watchdog finds.
 */
static pci_ers_result_t loopdma_pci_error_detected(struct pci_dev *pdev,
						   pci_channel_state_t state)
{
	struct loopdma_pci *lp = pci_get_drvdata(pdev);

	switch (state) {
	case pci_channel_io_normal:
		return PCI_ERS_RESULT_CAN_RECOVER;
	case pci_channel_io_frozen:
		loopdma_error_frozen(lp->ld);
		return PCI_ERS_RESULT_NEED_RESET;
	default:
		loopdma_disconnect(lp->ld);
		return PCI_ERS_RESULT_DISCONNECT;
	}
}

static pci_ers_result_t loopdma_pci_slot_reset(struct pci_dev *pdev)
{
	struct loopdma_pci *lp = pci_get_drvdata(pdev);

	pci_restore_state(pdev);
	pci_save_state(pdev);
	if (pci_device_is_present(pdev)) {
		/* Also if it took so long that the device was given up. */
		loopdma_error_frozen(lp->ld);
		return PCI_ERS_RESULT_RECOVERED;
	}
	/* There will be no resume to end what waits. */
	loopdma_disconnect(lp->ld);
	return PCI_ERS_RESULT_DISCONNECT;
}

/* Traffic may flow again; it may never have been stopped. */
static void loopdma_pci_resume(struct pci_dev *pdev)
{
	struct loopdma_pci *lp = pci_get_drvdata(pdev);

	if (loopdma_dev_state(lp->ld) != LOOPDMA_DEV_HALTED)
		return;
	pci_set_master(pdev);
	loopdma_reset_done(lp->ld);
}

/*
 * Late: clients that the core of power management does not know to depend on the
 * device are suspended in no certain order relative to it, but before this.
 */
static int loopdma_pci_suspend(struct device *dev)
{
	struct loopdma_pci *lp = dev_get_drvdata(dev);

	loopdma_suspend(lp->ld);
	return 0;
}

/* The PCI core has restored its registers, whether or not power was lost. */
static int loopdma_pci_resume_from(struct device *dev, bool kept)
{
	struct loopdma_pci *lp = dev_get_drvdata(dev);

	pci_save_state(to_pci_dev(dev));
	loopdma_resume(lp->ld, kept);
	return 0;
}

static int loopdma_pci_resume_early(struct device *dev)
{
	return loopdma_pci_resume_from(dev, true);
}

/* After hibernation the hardware is as another kernel has left it. */
static int loopdma_pci_restore_early(struct device *dev)
{
	return loopdma_pci_resume_from(dev, false);
}

/* No channel has a client, and so none has anything to lose or to go on with. */
static int loopdma_pci_runtime_resume(struct device *dev)
{
	struct loopdma_pci *lp = dev_get_drvdata(dev);
	struct loopdma_dev *ld = lp->ld;

	pci_save_state(to_pci_dev(dev));
	loopdma_hw_set_events(ld);
	return 0;
}

static const struct dev_pm_ops loopdma_pci_pm = {
	.suspend_late = pm_sleep_ptr(loopdma_pci_suspend),
	.resume_early = pm_sleep_ptr(loopdma_pci_resume_early),
	.freeze_late = pm_sleep_ptr(loopdma_pci_suspend),
	.thaw_early = pm_sleep_ptr(loopdma_pci_resume_early),
	.poweroff_late = pm_sleep_ptr(loopdma_pci_suspend),
	.restore_early = pm_sleep_ptr(loopdma_pci_restore_early),
	.runtime_resume = loopdma_pci_runtime_resume,
};

static const struct pci_error_handlers loopdma_pci_errors = {
	.error_detected = loopdma_pci_error_detected,
	.slot_reset = loopdma_pci_slot_reset,
	.resume = loopdma_pci_resume,
	.reset_prepare = loopdma_pci_reset_prepare,
	.reset_done = loopdma_pci_reset_done,
};

static const struct pci_device_id loopdma_pci_ids[] = {
	{ PCI_DEVICE(LOOPDMA_PCI_VENDOR_ID, LOOPDMA_PCI_DEVICE_ID) },
	{ }
};
MODULE_DEVICE_TABLE(pci, loopdma_pci_ids);

static struct pci_driver loopdma_pci_driver = {
	.name = "loopdma",
	.id_table = loopdma_pci_ids,
	.probe = loopdma_pci_probe,
	.remove = loopdma_pci_remove,
	.shutdown = loopdma_pci_shutdown,
	.err_handler = &loopdma_pci_errors,
	.driver.pm = pm_ptr(&loopdma_pci_pm),
	.dev_groups = loopdma_pci_groups,
};

static int __init loopdma_init(void)
{
	int err;

	err = loopdma_core_init();
	if (err)
		return err;
	err = pci_register_driver(&loopdma_pci_driver);
	if (err)
		loopdma_core_exit();
	return err;
}
module_init(loopdma_init);

static void __exit loopdma_exit(void)
{
	pci_unregister_driver(&loopdma_pci_driver);
	loopdma_core_exit();
}
module_exit(loopdma_exit);

MODULE_DESCRIPTION("loopdma virtual DMA engine");
MODULE_LICENSE("GPL");
