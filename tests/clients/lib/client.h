/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: what the clients share: channels, memory to copy from and to, and
 * transactions that somebody waits for.
 *
 * A header, as each module then has all of it, and the compiler sees all of it where
 * time is measured.  kbuild warns of an object that several modules have.
 */
#ifndef LOOPDMA_LIB_CLIENT_H
#define LOOPDMA_LIB_CLIENT_H

#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/pci.h>
#include <linux/string.h>

/* Generous: a guest may be emulated on a busy host. */
#define CLIENT_TIMEOUT	(60 * HZ)

/* DMA_CTRL_ACK: nobody will make another transaction depend on it. */
#define CLIENT_FLAGS	(DMA_PREP_INTERRUPT | DMA_CTRL_ACK)

#define CLIENT_ANY	(-1)

/**
 * struct client_wanted - a channel that is looked for
 * @dev: its device, or NULL: any of loopdma's
 * @id: its number, or CLIENT_ANY
 */
struct client_wanted {
	struct device *dev;
	int id;
};

static inline bool client_is_wanted(struct dma_chan *chan, void *param)
{
	const struct client_wanted *wanted = param;
	struct device *dev = chan->device->dev;

	if (wanted->id != CLIENT_ANY && wanted->id != chan->chan_id)
		return false;
	if (wanted->dev)
		return wanted->dev == dev;
	return dev_is_pci(dev) && !strcmp(dev_driver_string(dev), "loopdma");
}

/* A channel, see struct client_wanted, or NULL if none is free. */
static inline struct dma_chan *client_request(enum dma_transaction_type type,
					      struct device *dev, int id)
{
	struct client_wanted wanted = { .dev = dev, .id = id };
	dma_cap_mask_t mask;

	dma_cap_zero(mask);
	dma_cap_set(type, mask);
	return dma_request_channel(mask, client_is_wanted, &wanted);
}

/* A peripheral with elements of this width, in bursts of 16.  0 or an error. */
static inline int client_configure(struct dma_chan *chan, enum dma_transfer_direction direction,
				   enum dma_slave_buswidth width)
{
	struct dma_slave_config config = {
		.direction = direction,
		.src_addr_width = width,
		.dst_addr_width = width,
		.src_maxburst = 16,
		.dst_maxburst = 16,
	};

	return dmaengine_slave_config(chan, &config);
}

/* Map memory.  0 or -ENOMEM. */
static inline int client_map(struct device *dev, void *mem, size_t len,
			     enum dma_data_direction dir, dma_addr_t *dma)
{
	*dma = dma_map_single(dev, mem, len, dir);
	return dma_mapping_error(dev, *dma);
}

/**
 * struct client_pair - memory to copy from, and memory to copy to
 * @src: memory that is read
 * @dst: memory that is written
 * @src_dma: bus address of @src, while it is mapped
 * @dst_dma: bus address of @dst, while it is mapped
 */
struct client_pair {
	void *src;
	void *dst;
	dma_addr_t src_dma;
	dma_addr_t dst_dma;
};

static inline void client_unmap_pair(struct device *dev, const struct client_pair *pair,
				     size_t len)
{
	dma_unmap_single(dev, pair->dst_dma, len, DMA_FROM_DEVICE);
	dma_unmap_single(dev, pair->src_dma, len, DMA_TO_DEVICE);
}

/* Map both, or neither.  0 or -ENOMEM. */
static inline int client_map_pair(struct device *dev, struct client_pair *pair, size_t len)
{
	int err;

	err = client_map(dev, pair->src, len, DMA_TO_DEVICE, &pair->src_dma);
	if (err)
		return err;
	err = client_map(dev, pair->dst, len, DMA_FROM_DEVICE, &pair->dst_dma);
	if (err)
		dma_unmap_single(dev, pair->src_dma, len, DMA_TO_DEVICE);
	return err;
}

static inline struct dma_async_tx_descriptor *
client_prep_copy(struct dma_chan *chan, const struct client_pair *pair, size_t off,
		 size_t len, unsigned long flags)
{
	return dmaengine_prep_dma_memcpy(chan, pair->dst_dma + off, pair->src_dma + off, len,
					 flags);
}

/**
 * struct client_wait - a transaction that somebody waits for
 * @over: its callback has come
 * @end: when that was
 * @result: what it said
 */
struct client_wait {
	struct completion over;
	ktime_t end;
	struct dmaengine_result result;
};

static inline void client_callback(void *param, const struct dmaengine_result *result)
{
	struct client_wait *wait = param;

	wait->end = ktime_get();
	wait->result = *result;
	complete(&wait->over);
}

/* Submit a transaction that is to be waited for.  0, or an error, also if there is none. */
static inline int client_submit(struct dma_async_tx_descriptor *tx, struct client_wait *wait)
{
	if (!tx)
		return -ENOMEM;
	init_completion(&wait->over);
	tx->callback_result = client_callback;
	tx->callback_param = wait;
	return dma_submit_error(dmaengine_submit(tx));
}

/* The same, and wait for it so many jiffies.  The caller looks at the result. */
static inline int client_submit_and_wait(struct dma_chan *chan,
					 struct dma_async_tx_descriptor *tx,
					 struct client_wait *wait, unsigned long timeout)
{
	int err = client_submit(tx, wait);

	if (err)
		return err;
	dma_async_issue_pending(chan);
	if (wait_for_completion_timeout(&wait->over, timeout))
		return 0;
	/* The callback has nowhere to write any more. */
	dmaengine_terminate_sync(chan);
	return -ETIMEDOUT;
}

#endif /* LOOPDMA_LIB_CLIENT_H */
