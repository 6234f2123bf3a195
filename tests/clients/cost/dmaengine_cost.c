// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine_cost: what a copy costs the CPU, with any provider.
 *
 *	insmod dmaengine_cost.ko provider=loopdma
 *
 * prepares and submits as many copies as @depth, issues them, and waits for the last
 * callback.  With QEMU's -icount a nanosecond is an instruction, and a device that is
 * done before its register write returns takes none.  Prints a line for each round:
 *
 *	provider=loopdma depth=64 size=4096 ns=51072
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>

#include "../lib/client.h"

#define COST_MAX	256

static char *provider = "loopdma";
module_param(provider, charp, 0444);
MODULE_PARM_DESC(provider, "Name of the DMA engine's driver (default loopdma)");

static unsigned int depth = 64;
module_param(depth, uint, 0444);
MODULE_PARM_DESC(depth, "Copies that are issued together, at most 256 (default 64)");

static unsigned int size = SZ_4K;
module_param(size, uint, 0444);
MODULE_PARM_DESC(size, "Bytes of a copy, at most 1 MiB (default 4096)");

static unsigned int rounds = 16;
module_param(rounds, uint, 0444);
MODULE_PARM_DESC(rounds, "How often (default 16)");

/**
 * struct cost - copies of a channel
 * @chan: channel
 * @src: memory that is read
 * @dst: memory that is written
 * @src_dma: bus address of @src
 * @dst_dma: bus address of @dst
 * @left: copies whose callback has not come
 * @done: all callbacks have come
 */
struct cost {
	struct dma_chan *chan;
	void *src;
	void *dst;
	dma_addr_t src_dma;
	dma_addr_t dst_dma;
	atomic_t left;
	struct completion done;
};

static bool cost_is_wanted(struct dma_chan *chan, void *unused)
{
	return !strcmp(dev_driver_string(chan->device->dev), provider);
}

static void cost_callback(void *data)
{
	struct cost *c = data;

	if (atomic_dec_and_test(&c->left))
		complete(&c->done);
}

static int cost_submit(struct cost *c)
{
	struct dma_async_tx_descriptor *tx;

	tx = dmaengine_prep_dma_memcpy(c->chan, c->dst_dma, c->src_dma, size, CLIENT_FLAGS);
	if (!tx)
		return -EBUSY;
	tx->callback = cost_callback;
	tx->callback_param = c;
	return dma_submit_error(dmaengine_submit(tx));
}

static int cost_round(struct cost *c)
{
	unsigned int i;
	u64 start;
	int err;

	atomic_set(&c->left, depth);
	reinit_completion(&c->done);
	start = ktime_get_ns();
	for (i = 0; i < depth; i++) {
		err = cost_submit(c);
		if (err) {
			pr_err("%s takes %u copies at a time only: %d\n", provider, i, err);
			return err;
		}
	}
	dma_async_issue_pending(c->chan);
	if (!wait_for_completion_timeout(&c->done, CLIENT_TIMEOUT)) {
		pr_err("%s has not completed %d of %u copies\n", provider,
		       atomic_read(&c->left), depth);
		return -ETIMEDOUT;
	}
	pr_info("provider=%s depth=%u size=%u ns=%llu\n", provider, depth, size,
		ktime_get_ns() - start);
	return 0;
}

static int cost_map(struct cost *c)
{
	struct device *dev = dmaengine_get_dma_device(c->chan);
	int err;

	err = client_map(dev, c->src, size, DMA_TO_DEVICE, &c->src_dma);
	if (err)
		return err;
	err = client_map(dev, c->dst, size, DMA_FROM_DEVICE, &c->dst_dma);
	if (err)
		dma_unmap_single(dev, c->src_dma, size, DMA_TO_DEVICE);
	return err;
}

static void cost_unmap(struct cost *c)
{
	struct device *dev = dmaengine_get_dma_device(c->chan);

	dma_unmap_single(dev, c->src_dma, size, DMA_TO_DEVICE);
	dma_unmap_single(dev, c->dst_dma, size, DMA_FROM_DEVICE);
}

static int cost_measure(struct cost *c)
{
	unsigned int i;
	int err;

	err = cost_map(c);
	if (err)
		return err;
	for (i = 0; !err && i < rounds; i++)
		err = cost_round(c);
	/* What failed may still be under way. */
	dmaengine_terminate_sync(c->chan);
	cost_unmap(c);
	return err;
}

static int __init cost_init(void)
{
	struct cost c = {};
	dma_cap_mask_t mask;
	int err = -ENOMEM;

	if (!depth || depth > COST_MAX || !size || size > SZ_1M || !rounds) {
		pr_err("depth is 1 to %d, size 1 to %d, rounds at least 1\n", COST_MAX, SZ_1M);
		return -EINVAL;
	}
	init_completion(&c.done);
	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	c.chan = dma_request_channel(mask, cost_is_wanted, NULL);
	if (!c.chan) {
		pr_err("no channel of %s is free that copies\n", provider);
		return -ENODEV;
	}
	c.src = kzalloc(size, GFP_KERNEL);
	c.dst = kzalloc(size, GFP_KERNEL);
	if (c.src && c.dst)
		err = cost_measure(&c);
	kfree(c.src);
	kfree(c.dst);
	dma_release_channel(c.chan);
	return err;
}
module_init(cost_init);

static void __exit cost_exit(void)
{
}
module_exit(cost_exit);

MODULE_DESCRIPTION("What a copy costs the CPU, with any DMA engine");
MODULE_LICENSE("GPL");
