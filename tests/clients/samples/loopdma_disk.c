// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_disk: reading from a disk, as it was before DMA and as it is with it.
 *
 * The disk is the pattern source of the loopdma peripheral.  1 MiB is read twice:
 * by programmed I/O, a sector of 512 bytes at a time, word after word through the
 * data register, as IDE disks were; and by one DMA transfer into a scattered
 * buffer, while the CPU sleeps.  The data is verified, and both times and CPU
 * times go to the kernel log.  The load fails if anything does.
 *
 * It also shows how a client finds its channel by name on a machine without a
 * device tree, and how it says what its peripheral shall do.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "sample.h"

#define DISK_SIZE	SZ_1M
#define DISK_SECTOR	512
#define DISK_SEED	0xd1
#define DISK_PAGES	(DISK_SIZE / PAGE_SIZE)

static unsigned int loop;
module_param(loop, uint, 0444);
MODULE_PARM_DESC(loop, "Number of the pair of channels, as in loopdma-loop.N (default 0)");

/**
 * struct disk - the disk, and memory to read it into
 * @pdev: the device that has the channel, by its name
 * @chan: channel that reads
 * @data: data register
 * @sgt: the memory, page by page
 * @page: the pages
 */
struct disk {
	struct platform_device *pdev;
	struct dma_chan *chan;
	void __iomem *data;
	struct sg_table sgt;
	struct page *page[DISK_PAGES];
};

/**
 * struct disk_request - a transfer that somebody waits for
 * @done: completed by the callback
 * @result: what it was told
 */
struct disk_request {
	struct completion done;
	struct dmaengine_result result;
};

static void disk_done(void *param, const struct dmaengine_result *result)
{
	struct disk_request *req = param;

	req->result = *result;
	complete(&req->done);
}

/* Go to the first sector. */
static int disk_seek(struct disk *disk)
{
	struct loopdma_peripheral_config periph = {
		.pattern = true,
		.seed = DISK_SEED,
	};
	struct dma_slave_config config = {
		.src_addr = sample_data_register(disk->chan),
		.src_addr_width = DMA_SLAVE_BUSWIDTH_4_BYTES,
		.src_maxburst = DISK_SECTOR / 4,
		.peripheral_config = &periph,
		.peripheral_size = sizeof(periph),
	};

	return dmaengine_slave_config(disk->chan, &config);
}

static int disk_read_pio(struct disk *disk)
{
	unsigned int i, off;

	for (i = 0; i < DISK_PAGES; i++)
		for (off = 0; off < PAGE_SIZE; off += DISK_SECTOR)
			ioread32_rep(disk->data,
				     page_address(disk->page[i]) + off,
				     DISK_SECTOR / 4);
	return 0;
}

static int disk_read_dma(struct disk *disk)
{
	struct device *dev = dmaengine_get_dma_device(disk->chan);
	struct dma_async_tx_descriptor *tx;
	struct disk_request req;
	int err;

	init_completion(&req.done);
	err = dma_map_sgtable(dev, &disk->sgt, DMA_FROM_DEVICE, 0);
	if (err)
		return err;
	err = -ENOMEM;
	tx = dmaengine_prep_slave_sg(disk->chan, disk->sgt.sgl, disk->sgt.nents,
				     DMA_DEV_TO_MEM, DMA_PREP_INTERRUPT);
	if (!tx)
		goto out;
	tx->callback_result = disk_done;
	tx->callback_param = &req;
	err = dma_submit_error(dmaengine_submit(tx));
	if (err)
		goto out;
	dma_async_issue_pending(disk->chan);
	if (!wait_for_completion_timeout(&req.done, SAMPLE_TIMEOUT))
		err = -ETIMEDOUT;
	else if (req.result.result != DMA_TRANS_NOERROR)
		err = -EIO;
out:
	/* Before the memory is taken back, the device must be done with it. */
	dmaengine_terminate_sync(disk->chan);
	dma_unmap_sgtable(dev, &disk->sgt, DMA_FROM_DEVICE, 0);
	return err;
}

/* Is what was read what is on the disk? */
static int disk_verify(struct disk *disk)
{
	const u8 *data;
	u32 i, off;

	for (i = 0; i < DISK_PAGES; i++) {
		data = page_address(disk->page[i]);
		for (off = 0; off < PAGE_SIZE; off++)
			if (data[off] != loopdma_hw_pattern(DISK_SEED,
							    i * PAGE_SIZE + off)) {
				pr_err("byte %lu differs\n", i * PAGE_SIZE + off);
				return -EIO;
			}
	}
	return 0;
}

/* Read all of the disk in one of the two ways, and tell what it took. */
static int disk_read(struct disk *disk, const char *how,
		     int (*read)(struct disk *disk), struct sample_clock *clock)
{
	unsigned int i;
	int err;

	for (i = 0; i < DISK_PAGES; i++)
		memset(page_address(disk->page[i]), 0, PAGE_SIZE);
	err = disk_seek(disk);
	if (err)
		return err;
	sample_start(clock);
	err = read(disk);
	sample_stop(clock);
	if (!err)
		err = disk_verify(disk);
	if (err)
		return err;
	pr_info("1 MiB by %s: %llu us, CPU time %llu us\n", how, clock->us,
		clock->busy_us);
	return 0;
}

static int disk_use(struct disk *disk)
{
	struct sample_clock pio, dma;
	int err;

	err = disk_read(disk, "programmed I/O, 512 bytes at a time",
			disk_read_pio, &pio);
	if (!err)
		err = disk_read(disk, "DMA", disk_read_dma, &dma);
	if (err)
		return err;
	sample_compare(&pio, &dma);
	return 0;
}

static int disk_open(struct disk *disk)
{
	disk->pdev = platform_device_register_simple("loopdma-loop", loop, NULL,
						     0);
	if (IS_ERR(disk->pdev))
		return PTR_ERR(disk->pdev);
	disk->chan = dma_request_chan(&disk->pdev->dev, "rx");
	if (IS_ERR(disk->chan)) {
		pr_err("no channel \"rx\" of loopdma-loop.%u: is loopdma.ko loaded, and the channel free?\n",
		       loop);
		platform_device_unregister(disk->pdev);
		return PTR_ERR(disk->chan);
	}
	disk->data = ioremap(sample_data_register(disk->chan), 4);
	if (!disk->data) {
		dma_release_channel(disk->chan);
		platform_device_unregister(disk->pdev);
		return -ENOMEM;
	}
	return 0;
}

/*
 * Pieces that the device can move, and that can be mapped for it: where its
 * memory is bounced, neighbouring pages may be more than fits.
 */
static int disk_scatter(struct disk *disk)
{
	struct device *dev = dmaengine_get_dma_device(disk->chan);
	size_t most = min_t(size_t, dma_get_max_seg_size(dev),
			    dma_max_mapping_size(dev));

	return sg_alloc_table_from_pages_segment(&disk->sgt, disk->page,
						 DISK_PAGES, 0, DISK_SIZE, most,
						 GFP_KERNEL);
}

static void disk_close(struct disk *disk)
{
	sg_free_table(&disk->sgt);
	iounmap(disk->data);
	dma_release_channel(disk->chan);
	platform_device_unregister(disk->pdev);
}

static void disk_free(struct disk *disk)
{
	unsigned int i;

	for (i = 0; i < DISK_PAGES; i++)
		if (disk->page[i])
			__free_page(disk->page[i]);
	kfree(disk);
}

/* Pages that have nothing to do with each other, as a page cache's. */
static struct disk *disk_alloc(void)
{
	struct disk *disk = kzalloc(sizeof(*disk), GFP_KERNEL);
	unsigned int i;

	if (!disk)
		return NULL;
	for (i = 0; i < DISK_PAGES; i++) {
		disk->page[i] = alloc_page(GFP_KERNEL);
		if (!disk->page[i])
			goto err_free;
	}
	return disk;

err_free:
	disk_free(disk);
	return NULL;
}

static int __init disk_init(void)
{
	struct disk *disk = disk_alloc();
	int err;

	if (!disk)
		return -ENOMEM;
	err = disk_open(disk);
	if (!err) {
		err = disk_scatter(disk);
		if (!err)
			err = disk_use(disk);
		disk_close(disk);
		if (err)
			pr_err("reading failed: %d\n", err);
	}
	disk_free(disk);
	return err;
}
module_init(disk_init);

static void __exit disk_exit(void)
{
}
module_exit(disk_exit);

MODULE_DESCRIPTION("loopdma sample client: reading a disk");
MODULE_LICENSE("GPL");
