// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine_cost: what a copy costs the CPU, with any provider.
 *
 *	insmod dmaengine_cost.ko provider=loopdma
 *
 * prepares, submits and issues as many copies as @depth with interrupts disabled, leaves the
 * device the time to do them, which does not count, and enables interrupts until the last
 * callback.  With QEMU's -icount a nanosecond is an instruction.  Prints a line for each round:
 *
 *	provider=loopdma depth=64 size=4096 ns=51072
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "../lib/client.h"

#define COST_MAX	256

/* What an emulator's main loop needs to have an interrupt come. */
#define COST_DEVICE_US	500

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
 * @pair: memory that all of them are from and to
 * @left: copies whose callback has not come
 * @end: when the last one came, ns
 * @done: all callbacks have come
 */
struct cost {
	struct dma_chan *chan;
	struct client_pair pair;
	atomic_t left;
	u64 end;
	struct completion done;
};

static bool cost_is_wanted(struct dma_chan *chan, void *unused)
{
	return !strcmp(dev_driver_string(chan->device->dev), provider);
}

static void cost_callback(void *data)
{
	struct cost *c = data;

	if (atomic_dec_and_test(&c->left)) {
		c->end = ktime_get_ns();
		complete(&c->done);
	}
}

static int cost_submit(struct cost *c)
{
	struct dma_async_tx_descriptor *tx;

	tx = client_prep_copy(c->chan, &c->pair, 0, size, CLIENT_FLAGS);
	if (!tx)
		return -EBUSY;
	tx->callback = cost_callback;
	tx->callback_param = c;
	return dma_submit_error(dmaengine_submit(tx));
}

static int cost_round(struct cost *c)
{
	u64 start, issued, told;
	unsigned int i;
	int err = 0;

	atomic_set(&c->left, depth);
	reinit_completion(&c->done);
	local_irq_disable();
	start = ktime_get_ns();
	for (i = 0; !err && i < depth; i++)
		err = cost_submit(c);
	dma_async_issue_pending(c->chan);
	issued = ktime_get_ns();
	udelay(COST_DEVICE_US);
	told = ktime_get_ns();
	local_irq_enable();
	if (err) {
		pr_err("%s takes %u copies at a time only: %d\n", provider, i - 1, err);
		return err;
	}
	if (!wait_for_completion_timeout(&c->done, CLIENT_TIMEOUT)) {
		pr_err("%s has not completed %d of %u copies\n", provider,
		       atomic_read(&c->left), depth);
		return -ETIMEDOUT;
	}
	pr_info("provider=%s depth=%u size=%u ns=%llu\n", provider, depth, size,
		issued - start + c->end - told);
	return 0;
}

static int cost_measure(struct cost *c)
{
	struct device *dev = dmaengine_get_dma_device(c->chan);
	unsigned int i;
	int err;

	err = client_map_pair(dev, &c->pair, size);
	if (err)
		return err;
	for (i = 0; !err && i < rounds; i++)
		err = cost_round(c);
	/* What failed may still be under way. */
	dmaengine_terminate_sync(c->chan);
	client_unmap_pair(dev, &c->pair, size);
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
	c.pair.src = kzalloc(size, GFP_KERNEL);
	c.pair.dst = kzalloc(size, GFP_KERNEL);
	if (c.pair.src && c.pair.dst)
		err = cost_measure(&c);
	kfree(c.pair.src);
	kfree(c.pair.dst);
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
