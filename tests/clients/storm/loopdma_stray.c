// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_stray: a client that gives addresses that are not its own.
 *
 *	echo write_foreign >/sys/module/loopdma_stray/parameters/run
 *
 * has a channel copy to, or from, a page that an IOMMU does not let its device reach:
 * one that was unmapped ("unmapped"), one that is mapped for another loopdma device
 * alone ("foreign"), or one by its address in memory ("physical").  It succeeds if the
 * client is told that nothing was moved, and why, nothing has changed, and the channel
 * works afterwards; else it fails, with the reason in the kernel log.  The bus address is
 * there in any case, to be compared with the IOMMU's report.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/jiffies.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/string.h>

#include <loopdma/hw.h>

/* Nobody waits for as long as that unless something is lost. */
#define STRAY_TIMEOUT	(30 * HZ)

/* What pages hold that are not to be written, and those that are not to be read. */
#define STRAY_KEPT	0x5a
#define STRAY_SECRET	0xc3

/* An address of the other device's may by chance be one of ours, too: then the next. */
#define STRAY_TRIES	64

enum stray_where { STRAY_UNMAPPED, STRAY_FOREIGN, STRAY_PHYSICAL };

struct stray_case {
	const char *name;
	bool write;
	enum stray_where where;
};

static const struct stray_case stray_cases[] = {
	{ "write_unmapped", true, STRAY_UNMAPPED },
	{ "read_unmapped", false, STRAY_UNMAPPED },
	{ "write_foreign", true, STRAY_FOREIGN },
	{ "read_foreign", false, STRAY_FOREIGN },
	{ "write_physical", true, STRAY_PHYSICAL },
	{ "read_physical", false, STRAY_PHYSICAL },
};

/**
 * struct stray - a try
 * @chan: the channel
 * @dev: its device
 * @other: the other device
 * @target: page that the device may not reach
 * @own: page that it may
 * @own_dma: bus address of @own
 * @foreign: bus addresses of @target for @other
 * @nforeign: their number
 */
struct stray {
	struct dma_chan *chan;
	struct device *dev;
	struct device *other;
	struct page *target;
	struct page *own;
	dma_addr_t own_dma;
	dma_addr_t foreign[STRAY_TRIES];
	unsigned int nforeign;
};

struct stray_end {
	struct completion over;
	struct dmaengine_result result;
};

static void stray_callback(void *param, const struct dmaengine_result *result)
{
	struct stray_end *end = param;

	end->result = *result;
	complete(&end->over);
}

static int stray_copy(struct stray *stray, dma_addr_t dst, dma_addr_t src,
		      struct dmaengine_result *result)
{
	struct dma_async_tx_descriptor *tx;
	struct stray_end end = { };

	init_completion(&end.over);
	tx = dmaengine_prep_dma_memcpy(stray->chan, dst, src, PAGE_SIZE,
				       DMA_PREP_INTERRUPT | DMA_CTRL_ACK);
	if (!tx)
		return -EIO;
	tx->callback_result = stray_callback;
	tx->callback_param = &end;
	if (dma_submit_error(dmaengine_submit(tx)))
		return -EIO;
	dma_async_issue_pending(stray->chan);
	if (!wait_for_completion_timeout(&end.over, STRAY_TIMEOUT)) {
		/* The callback has nowhere to write any more. */
		dmaengine_terminate_sync(stray->chan);
		return -ETIMEDOUT;
	}
	*result = end.result;
	return 0;
}

/* Does the IOMMU let a device reach this address? */
static bool stray_reaches(struct device *dev, dma_addr_t addr)
{
	struct iommu_domain *domain = iommu_get_domain_for_dev(dev);

	return !domain || iommu_iova_to_phys(domain, addr);
}

/* An address that only the other device can reach; -EBUSY if there is none. */
static int stray_foreign(struct stray *stray, dma_addr_t *addr)
{
	do {
		*addr = dma_map_page(stray->other, stray->target, 0, PAGE_SIZE,
				     DMA_BIDIRECTIONAL);
		if (dma_mapping_error(stray->other, *addr))
			return -ENOMEM;
		stray->foreign[stray->nforeign++] = *addr;
		if (!stray_reaches(stray->dev, *addr))
			return stray_reaches(stray->other, *addr) ? 0 : -EIO;
	} while (stray->nforeign < STRAY_TRIES);
	return -EBUSY;
}

static int stray_address(struct stray *stray, enum stray_where where,
			 dma_addr_t *addr)
{
	switch (where) {
	case STRAY_UNMAPPED:
		*addr = dma_map_page(stray->dev, stray->target, 0, PAGE_SIZE,
				     DMA_BIDIRECTIONAL);
		if (dma_mapping_error(stray->dev, *addr))
			return -ENOMEM;
		dma_unmap_page(stray->dev, *addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
		return 0;
	case STRAY_FOREIGN:
		return stray_foreign(stray, addr);
	default:
		*addr = page_to_phys(stray->target);
		return 0;
	}
}

static bool stray_holds(struct page *page, u8 byte)
{
	return !memchr_inv(page_address(page), byte, PAGE_SIZE);
}

/* The channel is none the worse for it. */
static int stray_afterwards(struct stray *stray)
{
	struct dmaengine_result result;
	dma_addr_t addr;
	int err;

	addr = dma_map_page(stray->dev, stray->target, 0, PAGE_SIZE,
			    DMA_FROM_DEVICE);
	if (dma_mapping_error(stray->dev, addr))
		return -ENOMEM;
	err = stray_copy(stray, addr, stray->own_dma, &result);
	dma_unmap_page(stray->dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	if (err)
		return err;
	return result.result || !stray_holds(stray->target, STRAY_KEPT) ? -EIO :
									  0;
}

static int stray_try(struct stray *stray, const struct stray_case *what)
{
	enum dmaengine_tx_result want = what->write ? DMA_TRANS_WRITE_FAILED :
						      DMA_TRANS_READ_FAILED;
	struct dmaengine_result result;
	dma_addr_t addr;
	int err;

	memset(page_address(stray->target), STRAY_SECRET, PAGE_SIZE);
	dma_sync_single_for_cpu(stray->dev, stray->own_dma, PAGE_SIZE,
				DMA_BIDIRECTIONAL);
	memset(page_address(stray->own), STRAY_KEPT, PAGE_SIZE);
	dma_sync_single_for_device(stray->dev, stray->own_dma, PAGE_SIZE,
				   DMA_BIDIRECTIONAL);

	err = stray_address(stray, what->where, &addr);
	if (err)
		return err;
	pr_info("%s: device %s, address %#llx\n", what->name,
		dev_name(stray->dev), (u64)addr);
	err = what->write ?
	      stray_copy(stray, addr, stray->own_dma, &result) :
	      stray_copy(stray, stray->own_dma, addr, &result);
	if (err)
		return err;
	dma_sync_single_for_cpu(stray->dev, stray->own_dma, PAGE_SIZE,
				DMA_BIDIRECTIONAL);
	if (!stray_holds(stray->target, STRAY_SECRET) ||
	    !stray_holds(stray->own, STRAY_KEPT)) {
		pr_err("%s: memory has changed\n", what->name);
		return -EFAULT;
	}
	if (result.result != want || result.residue != PAGE_SIZE) {
		pr_err("%s: the client is told %d, %u bytes left, instead of %d, %lu\n",
		       what->name, result.result, result.residue, want,
		       PAGE_SIZE);
		return -EIO;
	}
	return stray_afterwards(stray);
}

static bool stray_filter(struct dma_chan *chan, void *param)
{
	return chan->device->dev == param;
}

/* The first two loopdma devices, the latter with a reference; -ENODEV. */
static int stray_devices(struct stray *stray, struct pci_dev **first,
			 struct pci_dev **second)
{
	*first = pci_get_device(LOOPDMA_PCI_VENDOR_ID, LOOPDMA_PCI_DEVICE_ID,
				NULL);
	if (!*first)
		return -ENODEV;
	*second = pci_get_device(LOOPDMA_PCI_VENDOR_ID, LOOPDMA_PCI_DEVICE_ID,
				 pci_dev_get(*first));
	if (!*second) {
		pci_dev_put(*first);
		return -ENODEV;
	}
	stray->dev = &(*first)->dev;
	stray->other = &(*second)->dev;
	return 0;
}

static int stray_with_channel(struct stray *stray,
			      const struct stray_case *what)
{
	dma_cap_mask_t mask;
	int err = -ENOMEM;

	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	stray->chan = dma_request_channel(mask, stray_filter, stray->dev);
	if (!stray->chan)
		return -ENODEV;
	stray->target = alloc_page(GFP_KERNEL);
	stray->own = alloc_page(GFP_KERNEL);
	if (stray->target && stray->own) {
		stray->own_dma = dma_map_page(stray->dev, stray->own, 0,
					      PAGE_SIZE, DMA_BIDIRECTIONAL);
		if (!dma_mapping_error(stray->dev, stray->own_dma)) {
			err = stray_try(stray, what);
			dma_unmap_page(stray->dev, stray->own_dma, PAGE_SIZE,
				       DMA_BIDIRECTIONAL);
		}
	}
	while (stray->nforeign)
		dma_unmap_page(stray->other, stray->foreign[--stray->nforeign],
			       PAGE_SIZE, DMA_BIDIRECTIONAL);
	dma_release_channel(stray->chan);
	if (stray->target)
		__free_page(stray->target);
	if (stray->own)
		__free_page(stray->own);
	return err;
}

static int stray_run(const struct stray_case *what)
{
	struct pci_dev *first, *second;
	struct stray *stray;
	int err;

	stray = kzalloc(sizeof(*stray), GFP_KERNEL);
	if (!stray)
		return -ENOMEM;
	err = stray_devices(stray, &first, &second);
	if (err) {
		pr_err("there are no two loopdma devices\n");
	} else {
		err = stray_with_channel(stray, what);
		pci_dev_put(second);
		pci_dev_put(first);
	}
	kfree(stray);
	return err;
}

/* The kernel serialises those who write to a module's parameters. */
static int stray_set_run(const char *val, const struct kernel_param *kp)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(stray_cases); i++)
		if (sysfs_streq(val, stray_cases[i].name))
			return stray_run(&stray_cases[i]);
	return -EINVAL;
}

static const struct kernel_param_ops stray_run_ops = {
	.set = stray_set_run,
};

module_param_cb(run, &stray_run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "Copy: {write,read}_{unmapped,foreign,physical}");

static int __init stray_init(void)
{
	return 0;
}
module_init(stray_init);

static void __exit stray_exit(void)
{
}
module_exit(stray_exit);

MODULE_DESCRIPTION("loopdma: a client that gives addresses that are not its own");
MODULE_LICENSE("GPL");
