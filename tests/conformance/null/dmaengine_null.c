// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine_null: a provider that completes every transaction, and moves nothing.
 *
 * A control for the conformance suites: each case that looks at memory has to fail with it.
 * It keeps the rules about descriptors, cookies and callbacks, so that these do not hide
 * that.  With lies=1 it offers all that a provider can offer, and keeps few rules.
 */
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/err.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

static bool lies;
module_param(lies, bool, 0444);
MODULE_PARM_DESC(lies, "offer everything, in several channels");

#define NULL_CHANNELS	4

/**
 * struct null_tx - a transaction
 * @tx: what the client has
 * @node: in one of the lists of its channel
 */
struct null_tx {
	struct dma_async_tx_descriptor tx;
	struct list_head node;
};

/**
 * struct null_chan - a channel
 * @chan: channel
 * @lock: protects the lists and the cookies
 * @submitted: transactions that were not issued
 * @issued: transactions whose callback is due
 * @spare: one that can be given out again, or NULL; exchanged without the lock
 * @tasklet: calls back
 * @used: last cookie that was given out
 * @completed: last cookie that is complete
 */
struct null_chan {
	struct dma_chan chan;
	spinlock_t lock;	/* protects the lists and the cookies */
	struct list_head submitted;
	struct list_head issued;
	struct null_tx *spare;
	struct tasklet_struct tasklet;
	dma_cookie_t used;
	dma_cookie_t completed;
};

/**
 * struct null_dma - the device
 * @dma: device
 * @chan: its channels, of which the first is there without lies
 */
struct null_dma {
	struct dma_device dma;
	struct null_chan chan[NULL_CHANNELS];
};

static struct platform_device *null_device;

static struct null_chan *to_null(struct dma_chan *chan)
{
	return container_of(chan, struct null_chan, chan);
}

static dma_cookie_t null_submit(struct dma_async_tx_descriptor *tx)
{
	struct null_tx *n = container_of(tx, struct null_tx, tx);
	struct null_chan *null = to_null(tx->chan);
	unsigned long flags;

	spin_lock_irqsave(&null->lock, flags);
	null->used = null->used == INT_MAX ? DMA_MIN_COOKIE : null->used + 1;
	tx->cookie = null->used;
	list_add_tail(&n->node, &null->submitted);
	spin_unlock_irqrestore(&null->lock, flags);
	return tx->cookie;
}

static struct dma_async_tx_descriptor *null_prep(struct dma_chan *chan, unsigned long flags)
{
	struct null_tx *n = xchg(&to_null(chan)->spare, NULL);

	if (n)
		memset(n, 0, sizeof(*n));
	else
		n = kzalloc(sizeof(*n), GFP_NOWAIT);
	if (!n)
		return NULL;
	dma_async_tx_descriptor_init(&n->tx, chan);
	n->tx.flags = flags;
	n->tx.tx_submit = null_submit;
	return &n->tx;
}

static struct dma_async_tx_descriptor *null_copy(struct dma_chan *chan, dma_addr_t dst,
						 dma_addr_t src, size_t len, unsigned long flags)
{
	return null_prep(chan, flags);
}

static struct dma_async_tx_descriptor *null_fill(struct dma_chan *chan, dma_addr_t dst,
						 int value, size_t len, unsigned long flags)
{
	return len ? null_prep(chan, flags) : ERR_PTR(-EINVAL);
}

static struct dma_async_tx_descriptor *null_fill_sg(struct dma_chan *chan,
						    struct scatterlist *sg, unsigned int n,
						    int value, unsigned long flags)
{
	return null_prep(chan, flags);
}

static struct dma_async_tx_descriptor *null_xor(struct dma_chan *chan, dma_addr_t dst,
						dma_addr_t *src, unsigned int n, size_t len,
						unsigned long flags)
{
	return null_prep(chan, flags);
}

static struct dma_async_tx_descriptor *null_xor_val(struct dma_chan *chan, dma_addr_t *src,
						    unsigned int n, size_t len,
						    enum sum_check_flags *result,
						    unsigned long flags)
{
	return null_prep(chan, flags);
}

static struct dma_async_tx_descriptor *null_pq(struct dma_chan *chan, dma_addr_t *dst,
					       dma_addr_t *src, unsigned int n,
					       const unsigned char *factors, size_t len,
					       unsigned long flags)
{
	return null_prep(chan, flags);
}

static struct dma_async_tx_descriptor *null_pq_val(struct dma_chan *chan, dma_addr_t *pq,
						   dma_addr_t *src, unsigned int n,
						   const unsigned char *factors, size_t len,
						   enum sum_check_flags *result,
						   unsigned long flags)
{
	return null_prep(chan, flags);
}

static struct dma_async_tx_descriptor *null_interrupt(struct dma_chan *chan,
						      unsigned long flags)
{
	return null_prep(chan, flags);
}

static struct dma_async_tx_descriptor *null_interleaved(struct dma_chan *chan,
							struct dma_interleaved_template *xt,
							unsigned long flags)
{
	return null_prep(chan, flags);
}

static struct dma_async_tx_descriptor *null_vec(struct dma_chan *chan,
						const struct dma_vec *vecs, size_t n,
						enum dma_transfer_direction direction,
						unsigned long flags)
{
	return null_prep(chan, flags);
}

static struct dma_async_tx_descriptor *null_slave_sg(struct dma_chan *chan,
						     struct scatterlist *sg, unsigned int n,
						     enum dma_transfer_direction direction,
						     unsigned long flags, void *context)
{
	return null_prep(chan, flags);
}

static struct dma_async_tx_descriptor *null_cyclic(struct dma_chan *chan, dma_addr_t buf,
						   size_t len, size_t period,
						   enum dma_transfer_direction direction,
						   unsigned long flags)
{
	return null_prep(chan, flags);
}

static void null_issue(struct dma_chan *chan)
{
	struct null_chan *null = to_null(chan);
	unsigned long flags;

	spin_lock_irqsave(&null->lock, flags);
	list_splice_tail_init(&null->submitted, &null->issued);
	spin_unlock_irqrestore(&null->lock, flags);
	tasklet_schedule(&null->tasklet);
}

static void null_call_back(struct tasklet_struct *tasklet)
{
	struct null_chan *null = from_tasklet(null, tasklet, tasklet);
	static const struct dmaengine_result done = { .result = DMA_TRANS_NOERROR };
	dma_async_tx_callback_result callback_result;
	dma_async_tx_callback callback;
	struct null_tx *n;
	void *param;

	spin_lock_irq(&null->lock);
	while ((n = list_first_entry_or_null(&null->issued, struct null_tx, node))) {
		list_del(&n->node);
		null->completed = n->tx.cookie;
		callback_result = n->tx.callback_result;
		callback = n->tx.callback;
		param = n->tx.callback_param;
		/* A lie: it can be given out again before its callback has returned. */
		if (lies)
			n = xchg(&null->spare, n);
		spin_unlock_irq(&null->lock);
		if (callback_result)
			callback_result(param, &done);
		else if (callback)
			callback(param);
		kfree(n);
		spin_lock_irq(&null->lock);
	}
	spin_unlock_irq(&null->lock);
}

static enum dma_status null_status(struct dma_chan *chan, dma_cookie_t cookie,
				   struct dma_tx_state *state)
{
	struct null_chan *null = to_null(chan);
	dma_cookie_t used = READ_ONCE(null->used), completed = READ_ONCE(null->completed);

	dma_set_tx_state(state, completed, used, 0);
	return dma_async_is_complete(cookie, completed, used);
}

static int null_terminate(struct dma_chan *chan)
{
	struct null_chan *null = to_null(chan);
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

static int null_config(struct dma_chan *chan, struct dma_slave_config *config)
{
	return 0;
}

static int null_do_nothing(struct dma_chan *chan)
{
	return 0;
}

static void null_wait_for_nothing(struct dma_chan *chan)
{
}

/* More than the device has. */
static void null_caps(struct dma_chan *chan, struct dma_slave_caps *caps)
{
	caps->directions |= BIT(DMA_DEV_TO_DEV);
}

/* Its memory goes with the driver, whoever holds a channel. */
static void null_release(struct dma_device *dma)
{
}

static void null_offer_everything(struct dma_device *dma)
{
	static const enum dma_transaction_type caps[] = {
		DMA_XOR, DMA_XOR_VAL, DMA_PQ, DMA_PQ_VAL, DMA_MEMSET, DMA_MEMSET_SG,
		DMA_INTERRUPT, DMA_SLAVE, DMA_CYCLIC, DMA_INTERLEAVE, DMA_REPEAT, DMA_LOAD_EOT,
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(caps); i++)
		dma_cap_set(caps[i], dma->cap_mask);
	dma->device_prep_dma_memset = null_fill;
	dma->device_prep_dma_memset_sg = null_fill_sg;
	dma->device_prep_dma_xor = null_xor;
	dma->device_prep_dma_xor_val = null_xor_val;
	dma->device_prep_dma_pq = null_pq;
	dma->device_prep_dma_pq_val = null_pq_val;
	dma->device_prep_dma_interrupt = null_interrupt;
	dma->device_prep_interleaved_dma = null_interleaved;
	dma->device_prep_peripheral_dma_vec = null_vec;
	dma->device_prep_slave_sg = null_slave_sg;
	dma->device_prep_dma_cyclic = null_cyclic;
	dma->device_config = null_config;
	dma->device_pause = null_do_nothing;
	dma->device_resume = null_do_nothing;
	dma->device_synchronize = null_wait_for_nothing;
	dma->device_caps = null_caps;
	dma->device_release = null_release;
	dma->max_xor = 1;
	dma_set_maxpq(dma, 8, 1);
	dma->copy_align = DMAENGINE_ALIGN_4_BYTES;
	dma->directions = BIT(DMA_MEM_TO_DEV) | BIT(DMA_DEV_TO_MEM) | BIT(DMA_MEM_TO_MEM);
	dma->src_addr_widths = BIT(DMA_SLAVE_BUSWIDTH_4_BYTES);
	dma->dst_addr_widths = BIT(DMA_SLAVE_BUSWIDTH_4_BYTES);
	dma->residue_granularity = DMA_RESIDUE_GRANULARITY_BURST;
	dma->desc_metadata_modes = DESC_METADATA_CLIENT | DESC_METADATA_ENGINE;
	dma->descriptor_reuse = true;
}

/* After the device is unregistered, and before its memory goes. */
static void null_end(void *data)
{
	struct null_chan *null = data;

	tasklet_kill(&null->tasklet);
	kfree(null->spare);
}

static int null_probe(struct platform_device *pdev)
{
	struct device *dev = &pdev->dev;
	struct null_dma *null = devm_kzalloc(dev, sizeof(*null), GFP_KERNEL);
	struct dma_device *dma;
	int err, i;

	if (!null)
		return -ENOMEM;
	err = dma_coerce_mask_and_coherent(dev, DMA_BIT_MASK(64));
	if (err)
		return err;
	dma = &null->dma;
	dma->dev = dev;
	dma_cap_set(DMA_MEMCPY, dma->cap_mask);
	dma->device_prep_dma_memcpy = null_copy;
	dma->device_issue_pending = null_issue;
	dma->device_tx_status = null_status;
	dma->device_terminate_all = null_terminate;
	dma->device_synchronize = null_synchronize;
	if (lies)
		null_offer_everything(dma);
	else
		dma_cap_set(DMA_PRIVATE, dma->cap_mask);
	INIT_LIST_HEAD(&dma->channels);
	for (i = 0; i < (lies ? NULL_CHANNELS : 1); i++) {
		struct null_chan *one = &null->chan[i];

		spin_lock_init(&one->lock);
		INIT_LIST_HEAD(&one->submitted);
		INIT_LIST_HEAD(&one->issued);
		tasklet_setup(&one->tasklet, null_call_back);
		err = devm_add_action_or_reset(dev, null_end, one);
		if (err)
			return err;
		one->chan.device = dma;
		list_add_tail(&one->chan.device_node, &dma->channels);
	}
	err = dmaenginem_async_device_register(dma);
	/* A lie: the owner is that of the driver which is bound.  No channel is held yet. */
	if (!err && lies)
		dma->owner = NULL;
	return err;
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
