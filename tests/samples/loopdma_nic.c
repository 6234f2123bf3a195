// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_nic: a network card's receive and transmit rings.
 *
 * The wire is the loopback: what the transmit channel sends the receive channel
 * receives.  Reception is one cyclic transfer over a ring of buffers, which the
 * card fills one after the other and which is never set up again; the callback of
 * each period takes the frame out of its buffer, which is thereby free.
 * Transmission is a slave transfer for each frame, from a few buffers that are used
 * again as soon as the callback of their frame has come.
 *
 * The sender is told by the receiver how many frames it has taken (as a protocol
 * with a window does), because a cyclic reception does not wait for anybody.
 *
 * The same frames are also moved by the CPU alone, through the data registers.  All
 * are verified; time and CPU time of both go to the kernel log.  The load fails if
 * anything does.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <net/checksum.h>

#include "sample.h"

/* As it is on the wire, with number and check sum. */
#define NIC_FRAME	1536
#define NIC_WORDS	(NIC_FRAME / 4)
#define NIC_RX_RING	64
#define NIC_TX_RING	32

/* Frames after which the card interrupts to give buffers back. */
#define NIC_TX_BATCH	(NIC_TX_RING / 2)

static unsigned int loop;
module_param(loop, uint, 0444);
MODULE_PARM_DESC(loop, "Number of the pair of channels, as in loopdma-loop.N (default 0)");

static unsigned int frames = 2000;
module_param(frames, uint, 0444);
MODULE_PARM_DESC(frames, "Frames to be sent each way (default 2000)");

/**
 * struct nic_frame - what is sent
 * @number: counts from 0
 * @data: differs from frame to frame
 * @check: Internet checksum of all before it
 * @pad: zero
 */
struct nic_frame {
	__le32 number;
	u8 data[NIC_FRAME - 8];
	__sum16 check;
	__le16 pad;
};

/**
 * struct nic - the card
 * @pdev: the device that has the channels, by its name
 * @tx: channel that transmits
 * @rx: channel that receives
 * @tx_data: data register of @tx
 * @rx_data: data register of @rx
 * @tx_ring: buffers for transmission
 * @tx_dma: their bus addresses
 * @rx_ring: buffers for reception, coherent memory
 * @rx_dma: bus address of @rx_ring
 * @wait: the sender waits here for a free buffer, or for the receiver
 * @sent: frames handed to the card; the sender's
 * @free: frames of which the buffer is free again; of the callbacks of @tx
 * @received: frames taken out of the ring; of the callbacks of @rx
 * @bad: frames that were not what they should have been; likewise
 */
struct nic {
	struct platform_device *pdev;
	struct dma_chan *tx;
	struct dma_chan *rx;
	void __iomem *tx_data;
	void __iomem *rx_data;
	struct nic_frame *tx_ring;
	dma_addr_t tx_dma;
	struct nic_frame *rx_ring;
	dma_addr_t rx_dma;
	wait_queue_head_t wait;
	u32 sent;
	u32 free;
	u32 received;
	u32 bad;
};

static void nic_fill(struct nic_frame *frame, u32 number)
{
	frame->number = cpu_to_le32(number);
	memset(frame->data, number, sizeof(frame->data));
	frame->check = ip_compute_csum(frame, offsetof(struct nic_frame, check));
	frame->pad = 0;
}

static bool nic_good(const struct nic_frame *frame, u32 number)
{
	return le32_to_cpu(frame->number) == number && !frame->pad &&
	       frame->check == ip_compute_csum(frame, offsetof(struct nic_frame,
							       check));
}

/* --- by DMA ------------------------------------------------------------------- */

/* A period is through: a frame is in the ring's next buffer. */
static void nic_rx_callback(void *param)
{
	struct nic *nic = param;
	u32 n = nic->received;

	if (!nic_good(&nic->rx_ring[n % NIC_RX_RING], n))
		nic->bad++;
	/* The frame is out of its buffer before the sender may fill it anew. */
	smp_store_release(&nic->received, n + 1);
	wake_up(&nic->wait);
}

static void nic_tx_callback(void *param)
{
	struct nic *nic = param;

	/* Pairs with the sender's read, who writes to the buffer then. */
	smp_store_release(&nic->free, nic->free + 1);
	wake_up(&nic->wait);
}

static int nic_start_rx(struct nic *nic)
{
	struct dma_async_tx_descriptor *tx;
	int err;

	tx = dmaengine_prep_dma_cyclic(nic->rx, nic->rx_dma,
				       NIC_RX_RING * NIC_FRAME, NIC_FRAME,
				       DMA_DEV_TO_MEM, DMA_PREP_INTERRUPT);
	if (!tx)
		return -ENOMEM;
	tx->callback = nic_rx_callback;
	tx->callback_param = nic;
	err = dma_submit_error(dmaengine_submit(tx));
	if (!err)
		dma_async_issue_pending(nic->rx);
	return err;
}

/* Is there a buffer to send from, and one that will receive it? */
static bool nic_may_send(struct nic *nic)
{
	/* Pairs with nic_tx_callback(): the card is done with the buffer. */
	u32 free = smp_load_acquire(&nic->free);
	/* Pairs with nic_rx_callback(): the frame is out of the buffer. */
	u32 received = smp_load_acquire(&nic->received);

	return nic->sent - free < NIC_TX_RING &&
	       nic->sent - received < NIC_RX_RING;
}

static int nic_send(struct nic *nic)
{
	u32 slot = nic->sent % NIC_TX_RING;
	bool interrupt = nic->sent % NIC_TX_BATCH == NIC_TX_BATCH - 1;
	struct dma_async_tx_descriptor *tx;
	int err;

	nic_fill(&nic->tx_ring[slot], nic->sent);
	tx = dmaengine_prep_slave_single(nic->tx,
					 nic->tx_dma + slot * NIC_FRAME,
					 NIC_FRAME, DMA_MEM_TO_DEV,
					 interrupt ? DMA_PREP_INTERRUPT : 0);
	if (!tx)
		return -ENOMEM;
	tx->callback = nic_tx_callback;
	tx->callback_param = nic;
	err = dma_submit_error(dmaengine_submit(tx));
	if (err)
		return err;
	nic->sent++;
	/* One doorbell for many. */
	if (interrupt || nic->sent == frames || !nic_may_send(nic))
		dma_async_issue_pending(nic->tx);
	return 0;
}

static int nic_run_dma(struct nic *nic)
{
	int err = nic_start_rx(nic);

	while (!err && nic->sent < frames) {
		if (!wait_event_timeout(nic->wait, nic_may_send(nic),
					SAMPLE_TIMEOUT))
			err = -ETIMEDOUT;
		else
			err = nic_send(nic);
	}
	if (!err && !wait_event_timeout(nic->wait, READ_ONCE(nic->received) ==
					frames, SAMPLE_TIMEOUT))
		err = -ETIMEDOUT;
	dmaengine_terminate_sync(nic->tx);
	dmaengine_terminate_sync(nic->rx);
	return err;
}

/* --- by the CPU --------------------------------------------------------------- */

static int nic_run_pio(struct nic *nic)
{
	for (; nic->sent < frames; nic->sent++) {
		nic_fill(&nic->tx_ring[0], nic->sent);
		iowrite32_rep(nic->tx_data, &nic->tx_ring[0], NIC_WORDS);
		ioread32_rep(nic->rx_data, &nic->rx_ring[0], NIC_WORDS);
		if (!nic_good(&nic->rx_ring[0], nic->sent))
			nic->bad++;
		nic->received++;
	}
	return 0;
}

/* ------------------------------------------------------------------------------ */

/* Move all frames in one of the two ways, and tell what it took. */
static int nic_run(struct nic *nic, const char *how,
		   int (*run)(struct nic *nic), struct sample_clock *clock)
{
	int err;

	nic->sent = 0;
	nic->free = 0;
	nic->received = 0;
	nic->bad = 0;
	sample_start(clock);
	err = run(nic);
	sample_stop(clock);
	if (err)
		return err;
	if (nic->bad) {
		pr_err("%u of %u frames are bad\n", nic->bad, frames);
		return -EIO;
	}
	pr_info("%u frames by %s: %llu us, CPU time %llu us\n", frames, how,
		clock->us, clock->busy_us);
	return 0;
}

static int nic_use(struct nic *nic)
{
	struct dma_slave_config config = {
		.src_addr_width = DMA_SLAVE_BUSWIDTH_4_BYTES,
		.dst_addr_width = DMA_SLAVE_BUSWIDTH_4_BYTES,
		.src_maxburst = 64,
		.dst_maxburst = 64,
	};
	struct sample_clock pio, dma;
	int err;

	err = dmaengine_slave_config(nic->tx, &config);
	if (!err)
		err = dmaengine_slave_config(nic->rx, &config);
	if (!err)
		err = nic_run(nic, "the CPU", nic_run_pio, &pio);
	if (!err)
		err = nic_run(nic, "DMA", nic_run_dma, &dma);
	if (!err)
		sample_compare(&pio, &dma);
	return err;
}

static void nic_close(struct nic *nic)
{
	if (nic->tx_data)
		iounmap(nic->tx_data);
	if (nic->rx_data)
		iounmap(nic->rx_data);
	if (nic->tx_ring)
		dma_free_coherent(dmaengine_get_dma_device(nic->tx),
				  NIC_TX_RING * NIC_FRAME, nic->tx_ring,
				  nic->tx_dma);
	if (nic->rx_ring)
		dma_free_coherent(dmaengine_get_dma_device(nic->rx),
				  NIC_RX_RING * NIC_FRAME, nic->rx_ring,
				  nic->rx_dma);
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
	nic->tx_ring = dma_alloc_coherent(dmaengine_get_dma_device(nic->tx),
					  NIC_TX_RING * NIC_FRAME,
					  &nic->tx_dma, GFP_KERNEL);
	nic->rx_ring = dma_alloc_coherent(dmaengine_get_dma_device(nic->rx),
					  NIC_RX_RING * NIC_FRAME,
					  &nic->rx_dma, GFP_KERNEL);
	nic->tx_data = ioremap(sample_data_register(nic->tx), 4);
	nic->rx_data = ioremap(sample_data_register(nic->rx), 4);
	if (!nic->tx_ring || !nic->rx_ring || !nic->tx_data || !nic->rx_data)
		return -ENOMEM;
	return 0;
}

static int __init nic_init(void)
{
	struct nic nic = { };
	int err;

	static_assert(sizeof(struct nic_frame) == NIC_FRAME);
	if (!frames) {
		pr_err("frames=0 leaves nothing to do: give 1 or more\n");
		return -EINVAL;
	}
	init_waitqueue_head(&nic.wait);
	nic.pdev = platform_device_register_simple("loopdma-loop", loop, NULL, 0);
	if (IS_ERR(nic.pdev))
		return PTR_ERR(nic.pdev);
	err = nic_open(&nic);
	if (!err) {
		err = nic_use(&nic);
		if (err)
			pr_err("moving frames failed: %d\n", err);
	}
	nic_close(&nic);
	return err;
}
module_init(nic_init);

static void __exit nic_exit(void)
{
}
module_exit(nic_exit);

MODULE_DESCRIPTION("loopdma sample client: a network card's rings");
MODULE_LICENSE("GPL");
