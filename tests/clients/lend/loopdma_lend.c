// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_lend: a driver that lends its channels to user programs.
 *
 * Its peripheral is the loopback: what programs send on channel 0 they receive on channel 1.
 * The driver configures both, and lends them with dmaengine_user; what programs cannot do is
 * to configure them otherwise.
 */
#include <linux/dmaengine.h>
#include <linux/dmaengine_user.h>
#include <linux/err.h>
#include <linux/module.h>

#include "../lib/client.h"

/**
 * struct lend_loan - a channel and its loan
 * @chan: channel
 * @offer: of dmaengine_user_lend()
 */
struct lend_loan {
	struct dma_chan *chan;
	struct dmau_chan *offer;
};

static struct lend_loan loans[2];

static int lend(struct lend_loan *loan, int id, enum dma_transfer_direction direction)
{
	int err;

	loan->chan = client_request(DMA_SLAVE, NULL, id);
	if (!loan->chan)
		return -ENODEV;
	err = client_configure(loan->chan, direction, DMA_SLAVE_BUSWIDTH_1_BYTE);
	if (!err) {
		/* This device takes any length. */
		loan->offer = dmaengine_user_lend(loan->chan, BIT(direction), 1);
		err = PTR_ERR_OR_ZERO(loan->offer);
	}
	if (err)
		dma_release_channel(loan->chan);
	return err;
}

static void take_back(struct lend_loan *loan)
{
	dmaengine_user_take_back(loan->offer);
	dma_release_channel(loan->chan);
}

static int __init lend_init(void)
{
	int err;

	err = lend(&loans[0], 0, DMA_MEM_TO_DEV);
	if (err)
		return err;
	err = lend(&loans[1], 1, DMA_DEV_TO_MEM);
	if (err)
		take_back(&loans[0]);
	return err;
}

static void __exit lend_exit(void)
{
	take_back(&loans[0]);
	take_back(&loans[1]);
}

module_init(lend_init);
module_exit(lend_exit);

MODULE_DESCRIPTION("Lends two channels of loopdma to user programs");
MODULE_LICENSE("GPL");
