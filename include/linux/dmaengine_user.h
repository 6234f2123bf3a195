/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmaengine_user, for drivers: channels of peripherals that user programs get.
 */
#ifndef _LINUX_DMAENGINE_USER_H
#define _LINUX_DMAENGINE_USER_H

struct dma_chan;
struct dmau_chan;

struct dmau_chan *dmaengine_user_lend(struct dma_chan *chan, unsigned int directions,
				      unsigned int unit);
void dmaengine_user_take_back(struct dmau_chan *offer);

#endif /* _LINUX_DMAENGINE_USER_H */
