// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_nic: a network card's receive and transmit rings.
 *
 * The wire is the loopback: what the transmit channel sends the receive channel
 * receives.  The rings are what makes DMA cheap for the CPU:
 *
 * - Buffers are mapped once and then used again and again; dma_sync_*() hands them
 *   over.  Behind a strict IOMMU each unmapping would wait for it.
 * - Frames go in batches: a scatterlist with a buffer for each.  A batch costs one
 *   submission, one doorbell, one interrupt and one callback.
 * - The descriptor of a batch is prepared once and submitted again
 *   (DMA_CTRL_REUSE).
 * - Buffers for reception are posted in advance, and the callbacks do all the rest,
 *   as NAPI's poll does.  No thread is woken for a frame.
 *
 * The same frames are also moved without DMA, as a driver of a simple card does it:
 * the CPU writes each word to the data register that transmits, and reads each from
 * the one that receives.  In both ways it makes the header of each frame, and
 * verifies number and check sum of all that is received.
 *
 * The CPU moves as many frames as it can in a while.  DMA moves as many, first as
 * fast as it can, then over a wire that has the rate at which the CPU did it, which
 * is what CPU times are compared at.  The load fails if a frame is bad.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <net/checksum.h>

#include "sample.h"

/*
 * Frames that share an interrupt.  Somebody waits for what was received; for the
 * buffers of what was sent, nobody.
 */
#define NIC_RX_BATCH	64
#define NIC_TX_BATCH	128
/* Not equally many buffers, so that one gets frames of several others. */
#define NIC_RX_BATCHES	5
#define NIC_TX_BATCHES	2

/* What the peripheral moves at a time, in words. */
#define NIC_BURST	256

/* More than that of a CPU, and it is the CPU that binds. */
#define NIC_BUSY_PERCENT	80

static const unsigned int nic_sizes[] = { 64, 1500, 9000 };

static unsigned int loop;
module_param(loop, uint, 0444);
MODULE_PARM_DESC(loop, "Number of the pair of channels, as in loopdma-loop.N (default 0)");

static unsigned int ms = 100;
module_param(ms, uint, 0444);
MODULE_PARM_DESC(ms, "Time for which the CPU moves frames of each size, ms (default 100)");

/**
 * struct nic_frame - what is sent
 * @number: counts from 0
 * @check: makes the Internet checksum of all of the frame 0
 * @pad: zero
 * @data: differs from buffer to buffer
 */
struct nic_frame {
	__le32 number;
	__sum16 check;
	__le16 pad;
	u8 data[];
};

struct nic;

/**
 * struct nic_batch - frames that are moved by one transaction
 * @nic: the card
 * @chan: channel that moves them
 * @dir: where to
 * @n: how many
 * @sgt: the buffers, mapped
 * @frame: the same for the CPU
 * @sum: of the data of each
 * @desc: transaction, for reuse
 */
struct nic_batch {
	struct nic *nic;
	struct dma_chan *chan;
	enum dma_data_direction dir;
	unsigned int n;
	struct sg_table sgt;
	struct nic_frame *frame[NIC_TX_BATCH];
	__wsum sum[NIC_TX_BATCH];
	struct dma_async_tx_descriptor *desc;
};

/**
 * struct nic - the card
 * @pdev: the device that has the channels, by its name
 * @tx: channel that transmits
 * @rx: channel that receives
 * @tx_data: data register of @tx
 * @rx_data: data register of @rx
 * @tx_ring: batches for transmission
 * @rx_ring: batches for reception
 * @size: of a frame
 * @frames: how many are to be moved, whole batches
 * @sent: frames handed to the card; the sender's
 * @received: frames that have arrived; the receiver's
 * @bad: of those, frames that were not what they should have been
 * @done: all have arrived
 * @lock: callbacks submit, or the channels are stopped
 * @stopped: protected by @lock
 */
struct nic {
	struct platform_device *pdev;
	struct dma_chan *tx;
	struct dma_chan *rx;
	void __iomem *tx_data;
	void __iomem *rx_data;
	struct nic_batch tx_ring[NIC_TX_BATCHES];
	struct nic_batch rx_ring[NIC_RX_BATCHES];
	unsigned int size;
	u32 frames;
	u32 sent;
	u32 received;
	u32 bad;
	struct completion done;
	/* Callbacks submit under it, so that none does once @stopped is set. */
	spinlock_t lock;
	bool stopped;
};

/* The data is where the sender has it; what is left to do is the header. */
static void nic_fill(struct nic *nic, struct nic_batch *batch, unsigned int i)
{
	struct nic_frame *frame = batch->frame[i];

	frame->number = cpu_to_le32(nic->sent++);
	frame->check = csum_fold(csum_add(batch->sum[i],
					  (__force __wsum)frame->number));
}

static void nic_take(struct nic *nic, const struct nic_frame *frame)
{
	if (le32_to_cpu(frame->number) != nic->received++ ||
	    ip_compute_csum(frame, nic->size))
		nic->bad++;
}

/* --- by DMA ------------------------------------------------------------------- */

/* Hand a batch to the card. */
static int nic_submit(struct nic_batch *batch)
{
	dma_sync_sgtable_for_device(dmaengine_get_dma_device(batch->chan),
				    &batch->sgt, batch->dir);
	return dma_submit_error(dmaengine_submit(batch->desc));
}

/* The same in a callback, with the doorbell. */
static void nic_resubmit(struct nic_batch *batch)
{
	struct nic *nic = batch->nic;

	spin_lock(&nic->lock);
	if (!nic->stopped && !nic_submit(batch))
		dma_async_issue_pending(batch->chan);
	spin_unlock(&nic->lock);
}

static void nic_fill_batch(struct nic_batch *batch)
{
	unsigned int i;

	for (i = 0; i < batch->n; i++)
		nic_fill(batch->nic, batch, i);
}

static void nic_tx_callback(void *param)
{
	struct nic_batch *batch = param;

	if (batch->nic->sent == batch->nic->frames)
		return;
	nic_fill_batch(batch);
	nic_resubmit(batch);
}

static void nic_rx_callback(void *param)
{
	struct nic_batch *batch = param;
	struct nic *nic = batch->nic;
	unsigned int i;

	dma_sync_sgtable_for_cpu(dmaengine_get_dma_device(batch->chan),
				 &batch->sgt, batch->dir);
	for (i = 0; i < batch->n; i++)
		nic_take(nic, batch->frame[i]);
	nic_resubmit(batch);
	if (nic->received == nic->frames)
		complete(&nic->done);
}

static int nic_start(struct nic *nic)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < NIC_RX_BATCHES; i++)
		err = nic_submit(&nic->rx_ring[i]);
	for (i = 0; !err && i < NIC_TX_BATCHES && nic->sent < nic->frames; i++) {
		nic_fill_batch(&nic->tx_ring[i]);
		err = nic_submit(&nic->tx_ring[i]);
	}
	if (err)
		return err;
	dma_async_issue_pending(nic->rx);
	dma_async_issue_pending(nic->tx);
	return 0;
}

static int nic_run_dma(struct nic *nic)
{
	int err;

	nic->stopped = false;
	reinit_completion(&nic->done);
	err = nic_start(nic);
	if (!err && !wait_for_completion_timeout(&nic->done, SAMPLE_TIMEOUT))
		err = -ETIMEDOUT;

	spin_lock_bh(&nic->lock);
	nic->stopped = true;
	spin_unlock_bh(&nic->lock);
	dmaengine_terminate_sync(nic->tx);
	dmaengine_terminate_sync(nic->rx);
	return err;
}

/* --- by the CPU --------------------------------------------------------------- */

static void nic_move(struct nic *nic, const void *from, void *to)
{
	unsigned int words = nic->size / 4, n;

	for (; words; words -= n) {
		n = min_t(unsigned int, words, NIC_BURST);
		iowrite32_rep(nic->tx_data, from, n);
		ioread32_rep(nic->rx_data, to, n);
		from += n * 4;
		to += n * 4;
	}
}

/* As many frames as there is time for. */
static int nic_run_pio(struct nic *nic)
{
	ktime_t end = ktime_add_ms(ktime_get(), ms);
	struct nic_batch *tx, *rx = &nic->rx_ring[0];
	unsigned int i, n = 0;

	do {
		tx = &nic->tx_ring[n++ % NIC_TX_BATCHES];
		for (i = 0; i < tx->n; i++) {
			nic_fill(nic, tx, i);
			nic_move(nic, tx->frame[i], rx->frame[0]);
			nic_take(nic, rx->frame[0]);
		}
		cond_resched();
	} while (ktime_before(ktime_get(), end));
	nic->frames = nic->received;
	return 0;
}

/* ------------------------------------------------------------------------------ */

/* The peripheral's burst and rate, in bytes per second; 0 is any. */
static int nic_set_rate(struct nic *nic, u32 rate)
{
	struct loopdma_peripheral_config periph = { .rate = rate };
	struct dma_slave_config config = {
		.src_addr_width = DMA_SLAVE_BUSWIDTH_4_BYTES,
		.dst_addr_width = DMA_SLAVE_BUSWIDTH_4_BYTES,
		.src_maxburst = NIC_BURST,
		.dst_maxburst = NIC_BURST,
	};
	int err;

	err = dmaengine_slave_config(nic->rx, &config);
	if (err)
		return err;
	config.peripheral_config = &periph;
	config.peripheral_size = sizeof(periph);
	return dmaengine_slave_config(nic->tx, &config);
}

/* Move all frames in one of the two ways. */
static int nic_run(struct nic *nic, int (*run)(struct nic *nic),
		   struct sample_clock *clock)
{
	unsigned int i, j;
	int err;

	/* What an earlier run has left must not look like a frame of this one. */
	for (i = 0; i < NIC_RX_BATCHES; i++)
		for (j = 0; j < NIC_RX_BATCH; j++)
			memset(nic->rx_ring[i].frame[j], 0xff, nic->size);
	nic->sent = 0;
	nic->received = 0;
	nic->bad = 0;
	sample_start(clock);
	err = run(nic);
	sample_stop(clock);
	if (err)
		return err;
	if (nic->bad) {
		pr_err("%u of %u frames of %u bytes are bad\n", nic->bad,
		       nic->frames, nic->size);
		return -EIO;
	}
	return 0;
}

static u64 nic_per_second(u64 n, const struct sample_clock *clock)
{
	return div64_u64(n * USEC_PER_SEC, max(clock->us, 1ULL));
}

static u64 nic_percent(const struct sample_clock *clock)
{
	return div64_u64(clock->busy_us * 100, max(clock->us, 1ULL));
}

/* Why DMA does not save more, where a frame is hardly more than its descriptors. */
static void nic_tell_limit(const struct nic *nic,
			   const struct sample_clock *pio,
			   const struct sample_clock *fast)
{
	bool cpu = nic_percent(fast) > NIC_BUSY_PERCENT;

	pr_info("at %u bytes %s: %llu ns for the two descriptors of a frame, the CPU busy for %llu ns; without DMA %llu ns\n",
		nic->size, cpu ? "the CPU binds" : "the card binds",
		div_u64(fast->us * NSEC_PER_USEC, nic->frames),
		div_u64(fast->busy_us * NSEC_PER_USEC, nic->frames),
		div_u64(pio->busy_us * NSEC_PER_USEC, nic->frames));
}

static void nic_tell(const struct nic *nic, const struct sample_clock *pio,
		     const struct sample_clock *fast,
		     const struct sample_clock *paced)
{
	u64 permille = sample_permille(pio, paced);

	pr_info("DMA takes %llu.%llu %% of the CPU time for frames of %u bytes: %llu %% of a CPU for %llu/s, without DMA %llu %% for %llu/s; DMA can do %llu/s\n",
		permille / 10, permille % 10, nic->size, nic_percent(paced),
		nic_per_second(nic->frames, paced), nic_percent(pio),
		nic_per_second(nic->frames, pio),
		nic_per_second(nic->frames, fast));
	if (nic->size == nic_sizes[0])
		nic_tell_limit(nic, pio, fast);
}

static int nic_compare(struct nic *nic)
{
	struct sample_clock pio, fast, paced;
	u64 rate;
	int err;

	err = nic_run(nic, nic_run_pio, &pio);
	if (err)
		return err;
	err = nic_run(nic, nic_run_dma, &fast);
	if (err)
		return err;
	rate = nic_per_second((u64)nic->frames * nic->size, &pio);
	err = nic_set_rate(nic, min_t(u64, rate, U32_MAX));
	if (err)
		return err;
	err = nic_run(nic, nic_run_dma, &paced);
	if (!err)
		nic_tell(nic, &pio, &fast, &paced);
	return err;
}

/* --- buffers ------------------------------------------------------------------ */

static void nic_free_batch(struct nic_batch *batch)
{
	unsigned int i;

	if (batch->desc)
		dmaengine_desc_free(batch->desc);
	if (batch->sgt.sgl) {
		dma_unmap_sgtable(dmaengine_get_dma_device(batch->chan),
				  &batch->sgt, batch->dir, 0);
		sg_free_table(&batch->sgt);
	}
	for (i = 0; i < batch->n; i++)
		kfree(batch->frame[i]);
	memset(batch, 0, sizeof(*batch));
}

static int nic_map_batch(struct nic_batch *batch)
{
	struct scatterlist *sg;
	unsigned int i;
	int err;

	err = sg_alloc_table(&batch->sgt, batch->n, GFP_KERNEL);
	if (err)
		return err;
	for_each_sgtable_sg(&batch->sgt, sg, i)
		sg_set_buf(sg, batch->frame[i], batch->nic->size);
	err = dma_map_sgtable(dmaengine_get_dma_device(batch->chan),
			      &batch->sgt, batch->dir, 0);
	if (err)
		sg_free_table(&batch->sgt);
	return err;
}

/* Whatever comes of it, nic_free_batch() undoes it. */
static int nic_alloc_batch(struct nic *nic, struct nic_batch *batch, bool tx)
{
	unsigned int i;
	int err;

	batch->nic = nic;
	batch->chan = tx ? nic->tx : nic->rx;
	batch->dir = tx ? DMA_TO_DEVICE : DMA_FROM_DEVICE;
	batch->n = tx ? NIC_TX_BATCH : NIC_RX_BATCH;
	for (i = 0; i < batch->n; i++) {
		batch->frame[i] = kzalloc(nic->size, GFP_KERNEL);
		if (!batch->frame[i])
			return -ENOMEM;
		get_random_bytes(batch->frame[i]->data,
				 nic->size - sizeof(struct nic_frame));
		batch->sum[i] = csum_partial(batch->frame[i], nic->size, 0);
	}
	err = nic_map_batch(batch);
	if (err)
		return err;
	batch->desc = dmaengine_prep_slave_sg(batch->chan, batch->sgt.sgl,
					      batch->sgt.nents,
					      tx ? DMA_MEM_TO_DEV :
						   DMA_DEV_TO_MEM,
					      DMA_PREP_INTERRUPT);
	if (!batch->desc)
		return -ENOMEM;
	batch->desc->callback = tx ? nic_tx_callback : nic_rx_callback;
	batch->desc->callback_param = batch;
	return dmaengine_desc_set_reuse(batch->desc);
}

static int nic_use(struct nic *nic, unsigned int size)
{
	unsigned int i;
	int err;

	nic->size = size;
	err = nic_set_rate(nic, 0);
	for (i = 0; !err && i < NIC_TX_BATCHES; i++)
		err = nic_alloc_batch(nic, &nic->tx_ring[i], true);
	for (i = 0; !err && i < NIC_RX_BATCHES; i++)
		err = nic_alloc_batch(nic, &nic->rx_ring[i], false);
	if (!err)
		err = nic_compare(nic);
	for (i = 0; i < NIC_TX_BATCHES; i++)
		nic_free_batch(&nic->tx_ring[i]);
	for (i = 0; i < NIC_RX_BATCHES; i++)
		nic_free_batch(&nic->rx_ring[i]);
	return err;
}

/* --- the card ----------------------------------------------------------------- */

static void nic_close(struct nic *nic)
{
	if (nic->tx_data)
		iounmap(nic->tx_data);
	if (nic->rx_data)
		iounmap(nic->rx_data);
	if (!IS_ERR_OR_NULL(nic->tx))
		dma_release_channel(nic->tx);
	if (!IS_ERR_OR_NULL(nic->rx))
		dma_release_channel(nic->rx);
	platform_device_unregister(nic->pdev);
}

/* Whatever comes of it, nic_close() undoes it. */
static int nic_open(struct nic *nic)
{
	nic->tx = dma_request_chan(&nic->pdev->dev, "tx");
	nic->rx = dma_request_chan(&nic->pdev->dev, "rx");
	if (IS_ERR(nic->tx) || IS_ERR(nic->rx)) {
		pr_err("no channels \"tx\" and \"rx\" of loopdma-loop.%u: is loopdma.ko loaded, and are they free?\n",
		       loop);
		return PTR_ERR(IS_ERR(nic->tx) ? nic->tx : nic->rx);
	}
	nic->tx_data = ioremap(sample_data_register(nic->tx), 4);
	nic->rx_data = ioremap(sample_data_register(nic->rx), 4);
	return nic->tx_data && nic->rx_data ? 0 : -ENOMEM;
}

static int nic_probe(struct nic *nic)
{
	unsigned int i;
	int err;

	init_completion(&nic->done);
	spin_lock_init(&nic->lock);
	nic->pdev = platform_device_register_simple("loopdma-loop", loop, NULL,
						    0);
	if (IS_ERR(nic->pdev))
		return PTR_ERR(nic->pdev);
	err = nic_open(nic);
	for (i = 0; !err && i < ARRAY_SIZE(nic_sizes); i++) {
		err = nic_use(nic, nic_sizes[i]);
		if (err)
			pr_err("moving frames of %u bytes failed: %d\n",
			       nic_sizes[i], err);
	}
	nic_close(nic);
	return err;
}

static int __init nic_init(void)
{
	struct nic *nic;
	int err;

	if (!ms) {
		pr_err("ms=0 leaves nothing to do: give 1 or more\n");
		return -EINVAL;
	}
	nic = kzalloc(sizeof(*nic), GFP_KERNEL);
	if (!nic)
		return -ENOMEM;
	err = nic_probe(nic);
	kfree(nic);
	return err;
}
module_init(nic_init);

static void __exit nic_exit(void)
{
}
module_exit(nic_exit);

MODULE_DESCRIPTION("loopdma sample client: a network card's rings");
MODULE_LICENSE("GPL");
