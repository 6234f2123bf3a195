// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_latency: a client with much in flight.
 *
 *	echo complete >/sys/module/loopdma_latency/parameters/run
 *
 * has a channel do the longest that a call of dmaengine can find to do: a ring full of
 * copies to put in ("issue"), to complete in the bottom half ("complete", and "unmap"
 * with mappings attached), to complete in a poll ("poll"), to search ("status"), or to
 * terminate ("terminate").  Whoever traces the time with interrupts disabled sees what
 * that takes.  This module disables them for "nothing" only, for LATENCY_NOTHING_US, so
 * that it is known that such a time is seen.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/irqflags.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "../lib/client.h"

/* As many as the default ring has room for. */
#define LATENCY_COPIES	1000
#define LATENCY_LEN	64
#define LATENCY_NOTHING_US	200

enum latency_how {
	LATENCY_NOTHING,
	LATENCY_ISSUE,
	LATENCY_COMPLETE,
	LATENCY_UNMAP,
	LATENCY_POLL,
	LATENCY_STATUS,
	LATENCY_TERMINATE,
};

static const char * const latency_names[] = {
	[LATENCY_NOTHING]	= "nothing",
	[LATENCY_ISSUE]		= "issue",
	[LATENCY_COMPLETE]	= "complete",
	[LATENCY_UNMAP]		= "unmap",
	[LATENCY_POLL]		= "poll",
	[LATENCY_STATUS]	= "status",
	[LATENCY_TERMINATE]	= "terminate",
};

/**
 * struct latency - what the module has
 * @chan: its channel
 * @dev: the channel's device
 * @pair: memory that all copies share
 * @last: cookie of the last copy
 * @wait: the last copy
 */
struct latency {
	struct dma_chan *chan;
	struct device *dev;
	struct client_pair pair;
	dma_cookie_t last;
	struct client_wait wait;
};

/* The core unmaps what is attached, so each copy needs mappings of its own. */
static int latency_attach(struct latency *l, struct dma_async_tx_descriptor *tx)
{
	struct dmaengine_unmap_data *unmap;
	int err;

	unmap = dmaengine_get_unmap_data(l->dev, 2, GFP_KERNEL);
	if (!unmap)
		return -ENOMEM;
	unmap->len = LATENCY_LEN;
	err = client_map(l->dev, l->pair.src, LATENCY_LEN, DMA_TO_DEVICE, &unmap->addr[0]);
	unmap->to_cnt = !err;
	if (!err) {
		err = client_map(l->dev, l->pair.dst, LATENCY_LEN, DMA_FROM_DEVICE,
				 &unmap->addr[1]);
		unmap->from_cnt = !err;
	}
	if (!err)
		dma_set_unmap(tx, unmap);
	dmaengine_unmap_put(unmap);
	return err;
}

static int latency_submit(struct latency *l, enum latency_how how)
{
	struct dma_async_tx_descriptor *tx;
	int i, err;
	bool last;

	for (i = 0; i < LATENCY_COPIES; i++) {
		last = i == LATENCY_COPIES - 1;
		/* The last one interrupts, unless it is found by polling. */
		tx = client_prep_copy(l->chan, &l->pair, 0, LATENCY_LEN,
				      last && how != LATENCY_POLL ? CLIENT_FLAGS : DMA_CTRL_ACK);
		if (!tx)
			return -ENOMEM;
		if (how == LATENCY_UNMAP) {
			err = latency_attach(l, tx);
			if (err)
				return err;
		}
		/* The last one is waited for: all others end before it. */
		err = last ? client_submit(tx, &l->wait) : dma_submit_error(dmaengine_submit(tx));
		if (err)
			return err;
		l->last = tx->cookie;
	}
	return 0;
}

static int latency_finish(struct latency *l, enum latency_how how)
{
	if (how == LATENCY_POLL)
		return dma_sync_wait(l->chan, l->last) == DMA_COMPLETE ? 0 : -EIO;
	if (!wait_for_completion_timeout(&l->wait.over, CLIENT_TIMEOUT))
		return -ETIMEDOUT;
	return l->wait.result.result == DMA_TRANS_NOERROR ? 0 : -EIO;
}

static int latency_try(struct latency *l, enum latency_how how)
{
	enum dma_status status;
	int err;

	/* So that nothing is done before all is in the ring. */
	err = dmaengine_pause(l->chan) ?: latency_submit(l, how);
	if (err)
		return err;
	dma_async_issue_pending(l->chan);
	if (how == LATENCY_STATUS) {
		status = dma_async_is_tx_complete(l->chan, l->last, NULL, NULL);
		if (status != DMA_IN_PROGRESS)
			return -EIO;
	}
	if (how == LATENCY_TERMINATE)
		return dmaengine_terminate_async(l->chan);
	return dmaengine_resume(l->chan) ?: latency_finish(l, how);
}

static int latency_with_channel(struct latency *l, enum latency_how how)
{
	int err;

	err = client_map_pair(l->dev, &l->pair, LATENCY_LEN);
	if (err)
		return err;
	err = latency_try(l, how);
	dmaengine_terminate_sync(l->chan);
	client_unmap_pair(l->dev, &l->pair, LATENCY_LEN);
	return err;
}

static int latency_run(enum latency_how how)
{
	struct latency l = { };
	int err = -ENOMEM;

	l.chan = client_request(DMA_MEMCPY, NULL, CLIENT_ANY);
	if (!l.chan)
		return -ENODEV;
	l.dev = l.chan->device->dev;
	l.pair.src = kzalloc(LATENCY_LEN, GFP_KERNEL);
	l.pair.dst = kzalloc(LATENCY_LEN, GFP_KERNEL);
	if (l.pair.src && l.pair.dst)
		err = latency_with_channel(&l, how);
	kfree(l.pair.dst);
	kfree(l.pair.src);
	dma_release_channel(l.chan);
	return err;
}

/* The kernel serialises those who write to a module's parameters. */
static int latency_set_run(const char *val, const struct kernel_param *kp)
{
	int how = sysfs_match_string(latency_names, val);

	if (how == LATENCY_NOTHING) {
		local_irq_disable();
		udelay(LATENCY_NOTHING_US);
		local_irq_enable();
		return 0;
	}
	return how < 0 ? how : latency_run(how);
}

static const struct kernel_param_ops latency_run_ops = {
	.set = latency_set_run,
};

module_param_cb(run, &latency_run_ops, NULL, 0200);
MODULE_PARM_DESC(run, "What to do: nothing, issue, complete, unmap, poll, status, terminate");

MODULE_DESCRIPTION("loopdma: a client with much in flight");
MODULE_LICENSE("GPL");
