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

#include <linux/gfp.h>
#include <linux/iommu.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>

#include <loopdma/hw.h>

#include "../lib/client.h"

/* What pages hold that are not to be written, and those that are not to be read. */
#define STRAY_KEPT	0x5a
#define STRAY_SECRET	0xc3

#define STRAY_TIMEOUT	(30 * HZ)

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
	void *target;
	void *own;
	dma_addr_t own_dma;
	dma_addr_t foreign[STRAY_TRIES];
	unsigned int nforeign;
};

static int stray_copy(struct stray *stray, dma_addr_t dst, dma_addr_t src, struct client_wait *wait)
{
	struct dma_async_tx_descriptor *tx;

	tx = dmaengine_prep_dma_memcpy(stray->chan, dst, src, PAGE_SIZE, CLIENT_FLAGS);
	return client_submit_and_wait(stray->chan, tx, wait, STRAY_TIMEOUT);
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
	int err;

	do {
		err = client_map(stray->other, stray->target, PAGE_SIZE, DMA_BIDIRECTIONAL, addr);
		if (err)
			return err;
		stray->foreign[stray->nforeign++] = *addr;
		if (!stray_reaches(stray->dev, *addr))
			return stray_reaches(stray->other, *addr) ? 0 : -EIO;
	} while (stray->nforeign < STRAY_TRIES);
	return -EBUSY;
}

static int stray_address(struct stray *stray, enum stray_where where, dma_addr_t *addr)
{
	int err;

	switch (where) {
	case STRAY_UNMAPPED:
		err = client_map(stray->dev, stray->target, PAGE_SIZE, DMA_BIDIRECTIONAL, addr);
		if (!err)
			dma_unmap_single(stray->dev, *addr, PAGE_SIZE, DMA_BIDIRECTIONAL);
		return err;
	case STRAY_FOREIGN:
		return stray_foreign(stray, addr);
	default:
		*addr = virt_to_phys(stray->target);
		return 0;
	}
}

static bool stray_holds(const void *page, u8 byte)
{
	return !memchr_inv(page, byte, PAGE_SIZE);
}

/* The channel is none the worse for it. */
static int stray_afterwards(struct stray *stray)
{
	struct client_wait wait;
	dma_addr_t addr;
	int err;

	err = client_map(stray->dev, stray->target, PAGE_SIZE, DMA_FROM_DEVICE, &addr);
	if (err)
		return err;
	err = stray_copy(stray, addr, stray->own_dma, &wait);
	dma_unmap_single(stray->dev, addr, PAGE_SIZE, DMA_FROM_DEVICE);
	if (!err && (wait.result.result || !stray_holds(stray->target, STRAY_KEPT)))
		err = -EIO;
	return err;
}

static int stray_try(struct stray *stray, const struct stray_case *what)
{
	enum dmaengine_tx_result want = what->write ? DMA_TRANS_WRITE_FAILED :
						      DMA_TRANS_READ_FAILED;
	struct client_wait wait;
	dma_addr_t addr;
	int err;

	memset(stray->target, STRAY_SECRET, PAGE_SIZE);
	dma_sync_single_for_cpu(stray->dev, stray->own_dma, PAGE_SIZE, DMA_BIDIRECTIONAL);
	memset(stray->own, STRAY_KEPT, PAGE_SIZE);
	dma_sync_single_for_device(stray->dev, stray->own_dma, PAGE_SIZE, DMA_BIDIRECTIONAL);

	err = stray_address(stray, what->where, &addr);
	if (err)
		return err;
	pr_info("%s: device %s, address %#llx\n", what->name, dev_name(stray->dev), (u64)addr);
	err = what->write ? stray_copy(stray, addr, stray->own_dma, &wait) :
			    stray_copy(stray, stray->own_dma, addr, &wait);
	if (err)
		return err;
	dma_sync_single_for_cpu(stray->dev, stray->own_dma, PAGE_SIZE, DMA_BIDIRECTIONAL);
	if (!stray_holds(stray->target, STRAY_SECRET) || !stray_holds(stray->own, STRAY_KEPT)) {
		pr_err("%s: memory has changed\n", what->name);
		return -EFAULT;
	}
	if (wait.result.result != want || wait.result.residue != PAGE_SIZE) {
		pr_err("%s: the client is told %d, %u bytes left, instead of %d, %lu\n",
		       what->name, wait.result.result, wait.result.residue, want, PAGE_SIZE);
		return -EIO;
	}
	return stray_afterwards(stray);
}

static int stray_with_channel(struct stray *stray, const struct stray_case *what)
{
	int err = -ENOMEM;

	stray->chan = client_request(DMA_MEMCPY, stray->dev, CLIENT_ANY);
	if (!stray->chan)
		return -ENODEV;
	stray->target = (void *)__get_free_page(GFP_KERNEL);
	stray->own = (void *)__get_free_page(GFP_KERNEL);
	if (stray->target && stray->own)
		err = client_map(stray->dev, stray->own, PAGE_SIZE, DMA_BIDIRECTIONAL,
				 &stray->own_dma);
	if (!err) {
		err = stray_try(stray, what);
		dma_unmap_single(stray->dev, stray->own_dma, PAGE_SIZE, DMA_BIDIRECTIONAL);
	}
	while (stray->nforeign)
		dma_unmap_single(stray->other, stray->foreign[--stray->nforeign], PAGE_SIZE,
				 DMA_BIDIRECTIONAL);
	dma_release_channel(stray->chan);
	free_page((unsigned long)stray->target);
	free_page((unsigned long)stray->own);
	return err;
}

static int stray_run(const struct stray_case *what)
{
	struct pci_dev *first = pci_get_device(LOOPDMA_PCI_VENDOR_ID, LOOPDMA_PCI_DEVICE_ID, NULL);
	/* Takes the reference to what it begins behind. */
	struct pci_dev *second = pci_get_device(LOOPDMA_PCI_VENDOR_ID, LOOPDMA_PCI_DEVICE_ID,
						pci_dev_get(first));
	struct stray stray = { };
	int err = -ENODEV;

	if (first && second) {
		stray.dev = &first->dev;
		stray.other = &second->dev;
		err = stray_with_channel(&stray, what);
	} else {
		pr_err("there are no two loopdma devices\n");
	}
	pci_dev_put(second);
	pci_dev_put(first);
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

MODULE_DESCRIPTION("loopdma: a client that gives addresses that are not its own");
MODULE_LICENSE("GPL");
