// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_storm: a client that is busy when its device goes away.
 *
 *	echo 1 >/sys/module/loopdma_storm/parameters/run
 *
 * requests all channels of all loopdma devices that there are, and keeps copies
 * in flight on each of them, every one submitted anew from its own callback, until
 *
 *	echo 0 >/sys/module/loopdma_storm/parameters/run
 *
 * or until the channels refuse more because their device is gone.  Writing 0
 * waits for the end of every copy and releases the channels.  It fails, with the
 * reason in the kernel log, if a copy did not end, ended twice, or was wrong.
 *
 * The files beside it tell: channels that are held; copies in flight ("busy");
 * copies that were good ("done") and that ended with an error ("lost") since 1 was
 * written.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "../lib/client.h"
#include "../lib/run.h"

#define STORM_CHANS	64
#define STORM_DEPTH	8
#define STORM_LEN	1024
#define STORM_TIMEOUT	(30 * HZ)

/**
 * struct storm_copy - a copy that is made again and again
 * @chan: its channel
 * @mem: its memory
 * @serial: how often it was made
 * @busy: submitted, and not yet called back
 */
struct storm_copy {
	struct dma_chan *chan;
	struct client_pair mem;
	u32 serial;
	bool busy;
};

static struct dma_chan *chans[STORM_CHANS];
static struct storm_copy copies[STORM_CHANS * STORM_DEPTH];
static DECLARE_COMPLETION(all_over);

/* Copies in flight, and one for whoever starts them. */
static atomic_t busy;
static atomic_t done;
static atomic_t lost;
static atomic_t wrong;
static bool stopping;
static unsigned int channels;

static void storm_callback(void *param, const struct dmaengine_result *result);

/* Any context; false if the channel takes no more. */
static bool storm_start(struct storm_copy *copy)
{
	struct device *dev = copy->chan->device->dev;
	struct dma_async_tx_descriptor *tx;

	dma_sync_single_for_cpu(dev, copy->mem.src_dma, STORM_LEN, DMA_TO_DEVICE);
	memset32(copy->mem.src, ++copy->serial, STORM_LEN / sizeof(u32));
	dma_sync_single_for_device(dev, copy->mem.src_dma, STORM_LEN, DMA_TO_DEVICE);

	tx = client_prep_copy(copy->chan, &copy->mem, 0, STORM_LEN, CLIENT_FLAGS);
	if (!tx)
		return false;
	tx->callback_result = storm_callback;
	tx->callback_param = copy;
	WRITE_ONCE(copy->busy, true);
	if (dma_submit_error(dmaengine_submit(tx))) {
		WRITE_ONCE(copy->busy, false);
		return false;
	}
	dma_async_issue_pending(copy->chan);
	return true;
}

/* The client's memory is its own again, while the device is still there. */
static void storm_end(struct storm_copy *copy)
{
	client_unmap_pair(copy->chan->device->dev, &copy->mem, STORM_LEN);
	if (atomic_dec_and_test(&busy))
		complete(&all_over);
}

static void storm_check(struct storm_copy *copy)
{
	struct device *dev = copy->chan->device->dev;

	dma_sync_single_for_cpu(dev, copy->mem.dst_dma, STORM_LEN, DMA_FROM_DEVICE);
	if (memcmp(copy->mem.src, copy->mem.dst, STORM_LEN))
		atomic_inc(&wrong);
	dma_sync_single_for_device(dev, copy->mem.dst_dma, STORM_LEN, DMA_FROM_DEVICE);
}

static void storm_callback(void *param, const struct dmaengine_result *result)
{
	struct storm_copy *copy = param;

	if (!READ_ONCE(copy->busy)) {
		atomic_inc(&wrong);
		return;
	}
	WRITE_ONCE(copy->busy, false);
	if (result->result == DMA_TRANS_NOERROR) {
		storm_check(copy);
		atomic_inc(&done);
	} else {
		atomic_inc(&lost);
	}
	if (READ_ONCE(stopping) || !storm_start(copy))
		storm_end(copy);
}

/* Begin with a copy; -ENOMEM, or -EIO if it is not possible. */
static int storm_begin(struct storm_copy *copy, struct dma_chan *chan)
{
	int err;

	copy->chan = chan;
	copy->mem.src = kmalloc(STORM_LEN, GFP_KERNEL);
	copy->mem.dst = kmalloc(STORM_LEN, GFP_KERNEL);
	if (!copy->mem.src || !copy->mem.dst)
		return -ENOMEM;
	err = client_map_pair(chan->device->dev, &copy->mem, STORM_LEN);
	if (err)
		return err;
	atomic_inc(&busy);
	if (storm_start(copy))
		return 0;
	storm_end(copy);
	return -EIO;
}

static int storm_stop(void)
{
	unsigned int i;
	int err = 0;

	WRITE_ONCE(stopping, true);
	if (atomic_dec_and_test(&busy))
		complete(&all_over);
	if (!wait_for_completion_timeout(&all_over, STORM_TIMEOUT)) {
		pr_err("%d copies do not end\n", atomic_read(&busy));
		err = -ETIMEDOUT;
	}
	if (atomic_read(&wrong)) {
		pr_err("%d copies were wrong, or ended twice\n", atomic_read(&wrong));
		err = err ?: -EIO;
	}
	for (i = 0; i < channels; i++)
		dmaengine_terminate_sync(chans[i]);
	for (i = 0; i < channels * STORM_DEPTH; i++) {
		/* Nobody will call back for it any more. */
		if (copies[i].busy)
			storm_end(&copies[i]);
		kfree(copies[i].mem.src);
		kfree(copies[i].mem.dst);
	}
	for (i = 0; i < channels; i++)
		dma_release_channel(chans[i]);
	channels = 0;
	return err;
}

static int storm_run(void)
{
	unsigned int i;
	int err = 0;

	reinit_completion(&all_over);
	atomic_set(&busy, 1);
	atomic_set(&done, 0);
	atomic_set(&lost, 0);
	atomic_set(&wrong, 0);
	WRITE_ONCE(stopping, false);
	memset(copies, 0, sizeof(copies));

	while (channels < STORM_CHANS) {
		chans[channels] = client_request(DMA_MEMCPY, NULL, CLIENT_ANY);
		if (!chans[channels])
			break;
		channels++;
	}
	if (!channels) {
		pr_err("no channel of loopdma is free\n");
		return -ENODEV;
	}
	for (i = 0; !err && i < channels * STORM_DEPTH; i++)
		err = storm_begin(&copies[i], chans[i / STORM_DEPTH]);
	if (err) {
		pr_err("a copy cannot be started: %d\n", err);
		storm_stop();
	}
	return err;
}

static struct client_run storm = { .begin = storm_run, .end = storm_stop };

module_param_cb(run, &client_run_ops, &storm, 0600);
MODULE_PARM_DESC(run, "Copy on all channels (1), or wait for the end and release them (0)");

static int storm_get_count(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%d\n", atomic_read((atomic_t *)kp->arg));
}

/* Whoever starts them counts as one that is busy. */
static int storm_get_busy(char *buf, const struct kernel_param *kp)
{
	return sysfs_emit(buf, "%d\n", channels ? atomic_read(&busy) - 1 : 0);
}

static const struct kernel_param_ops storm_count_ops = {
	.set = client_refuse,
	.get = storm_get_count,
};

static const struct kernel_param_ops storm_busy_ops = {
	.set = client_refuse,
	.get = storm_get_busy,
};

module_param_cb(channels, &client_channels_ops, &channels, 0400);
MODULE_PARM_DESC(channels, "Channels that are held");
module_param_cb(busy, &storm_busy_ops, NULL, 0400);
MODULE_PARM_DESC(busy, "Copies in flight");
module_param_cb(done, &storm_count_ops, &done, 0400);
MODULE_PARM_DESC(done, "Copies that were good");
module_param_cb(lost, &storm_count_ops, &lost, 0400);
MODULE_PARM_DESC(lost, "Copies that ended with an error");

static void __exit storm_exit(void)
{
	client_end_run(&storm);
}
module_exit(storm_exit);

MODULE_DESCRIPTION("Client of loopdma that is busy when its device goes away");
MODULE_LICENSE("GPL");
