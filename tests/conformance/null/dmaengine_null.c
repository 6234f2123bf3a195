// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine_null: a provider that completes every copy, and moves nothing.
 *
 * A control for the conformance suites: each case that looks at memory has to fail with it.
 * It keeps the rules about descriptors, cookies and callbacks, so that these do not hide
 * that.
 */
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

/**
 * struct null_tx - a copy
 * @tx: what the client has
 * @node: in one of the lists of its channel
 */
struct null_tx {
	struct dma_async_tx_descriptor tx;
	struct list_head node;
};

/**
 * struct null_dma - the device, and its channel
 * @dma: device
 * @chan: channel
 * @lock: protects the lists and the cookies
 * @submitted: copies that were not issued
 * @issued: copies whose callback is due
 * @tasklet: calls back
 * @used: last cookie that was given out
 * @completed: last cookie that is complete
 */
struct null_dma {
	struct dma_device dma;
	struct dma_chan chan;
	spinlock_t lock;	/* protects the lists and the cookies */
	struct list_head submitted;
	struct list_head issued;
	struct tasklet_struct tasklet;
	dma_cookie_t used;
	dma_cookie_t completed;
};

static struct platform_device *null_device;

static struct null_dma *to_null(struct dma_chan *chan)
{
	return container_of(chan, struct null_dma, chan);
}

static dma_cookie_t null_submit(struct dma_async_tx_descriptor *tx)
{
	struct null_tx *n = container_of(tx, struct null_tx, tx);
	struct null_dma *null = to_null(tx->chan);
	unsigned long flags;

	spin_lock_irqsave(&null->lock, flags);
	null->used = null->used == INT_MAX ? DMA_MIN_COOKIE : null->used + 1;
	tx->cookie = null->used;
	list_add_tail(&n->node, &null->submitted);
	spin_unlock_irqrestore(&null->lock, flags);
	return tx->cookie;
}

static struct dma_async_tx_descriptor *null_prep(struct dma_chan *chan, dma_addr_t dst,
						 dma_addr_t src, size_t len, unsigned long flags)
{
	struct null_tx *n = kzalloc(sizeof(*n), GFP_NOWAIT);

	if (!n)
		return NULL;
	dma_async_tx_descriptor_init(&n->tx, chan);
	n->tx.flags = flags;
	n->tx.tx_submit = null_submit;
	return &n->tx;
}

static void null_issue(struct dma_chan *chan)
{
	struct null_dma *null = to_null(chan);
	unsigned long flags;

	spin_lock_irqsave(&null->lock, flags);
	list_splice_tail_init(&null->submitted, &null->issued);
	spin_unlock_irqrestore(&null->lock, flags);
	tasklet_schedule(&null->tasklet);
}

static void null_call_back(struct tasklet_struct *tasklet)
{
	struct null_dma *null = from_tasklet(null, tasklet, tasklet);
	static const struct dmaengine_result done = { .result = DMA_TRANS_NOERROR };
	struct null_tx *n;

	spin_lock_irq(&null->lock);
	while ((n = list_first_entry_or_null(&null->issued, struct null_tx, node))) {
		list_del(&n->node);
		null->completed = n->tx.cookie;
		spin_unlock_irq(&null->lock);
		if (n->tx.callback_result)
			n->tx.callback_result(n->tx.callback_param, &done);
		else if (n->tx.callback)
			n->tx.callback(n->tx.callback_param);
		kfree(n);
		spin_lock_irq(&null->lock);
	}
	spin_unlock_irq(&null->lock);
}

static enum dma_status null_status(struct dma_chan *chan, dma_cookie_t cookie,
				   struct dma_tx_state *state)
{
	struct null_dma *null = to_null(chan);
	dma_cookie_t used = READ_ONCE(null->used), completed = READ_ONCE(null->completed);

	dma_set_tx_state(state, completed, used, 0);
	return dma_async_is_complete(cookie, completed, used);
}

static int null_terminate(struct dma_chan *chan)
{
	struct null_dma *null = to_null(chan);
	struct null_tx *n, *next;
	unsigned long flags;
	LIST_HEAD(all);

	spin_lock_irqsave(&null->lock, flags);
	list_splice_tail_init(&null->submitted, &all);
	list_splice_tail_init(&null->issued, &all);
	spin_unlock_irqrestore(&null->lock, flags);
	list_for_each_entry_safe(n, next, &all, node)
		kfree(n);
	return 0;
}

static void null_synchronize(struct dma_chan *chan)
{
	tasklet_unlock_wait(&to_null(chan)->tasklet);
}

/* After the device is unregistered, and before its memory goes. */
static void null_end(void *data)
{
	struct null_dma *null = data;

	tasklet_kill(&null->tasklet);
}

static int null_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct null_dma *null = devm_kzalloc(dev, sizeof(*null), GFP_KERNEL);
	struct dma_device *dma;
	int err;

	if (!null)
		return -ENOMEM;
	err = dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	spin_lock_init(&null->lock);
	INIT_LIST_HEAD(&null->submitted);
	INIT_LIST_HEAD(&null->issued);
	tasklet_setup(&null->tasklet, null_call_back);
	err = devm_add_action_or_reset(dev, null_end, null);
	if (err)
		return err;
	dma = &null->dma;
	dma->dev = dev;
	dma_cap_set(DMA_MEMCPY, dma->cap_mask);
	dma_cap_set(DMA_PRIVATE, dma->cap_mask);
	dma->device_prep_dma_memcpy = null_prep;
	dma->device_issue_pending = null_issue;
	dma->device_tx_status = null_status;
	dma->device_terminate_all = null_terminate;
	dma->device_synchronize = null_synchronize;
	INIT_LIST_HEAD(&dma->channels);
	null->chan.device = dma;
	list_add_tail(&null->chan.device_node, &dma->channels);
	return dmaenginem_async_device_register(dma);
}

static struct platform_driver null_driver = {
	.driver = { .name = "dmaengine_null" },
};

static int __init null_init(void)
{
	null_device = platform_create_bundle(&null_driver, null_probe, NULL, 0, NULL, 0);
	return PTR_ERR_OR_ZERO(null_device);
}
module_init(null_init);

static void __exit null_exit(void)
{
	platform_device_unregister(null_device);
	platform_driver_unregister(&null_driver);
}
module_exit(null_exit);

MODULE_DESCRIPTION("DMA engine that moves nothing");
MODULE_LICENSE("GPL");
