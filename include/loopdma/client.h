/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: what a client may tell a channel beyond what is common to all
 * dmaengine providers.
 */
#ifndef LOOPDMA_CLIENT_H
#define LOOPDMA_CLIENT_H

#include <linux/types.h>

/* Priority classes: 0 is served last. */
#define LOOPDMA_PRIORITY_CLASSES	4

/**
 * struct loopdma_peripheral_config - the peripheral of a channel, and its class
 * @pattern: a pattern source and sink in place of the loopback; it begins anew
 *	with each call of dmaengine_slave_config() while nothing is in flight
 * @seed: of the pattern, see loopdma_hw_pattern()
 * @priority: class of the channel, below LOOPDMA_PRIORITY_CLASSES; strict:
 *	while a higher one has work a lower one may wait
 * @rate: bytes per second that the peripheral takes or gives; 0: any
 *
 * Goes into struct dma_slave_config as peripheral_config, with peripheral_size
 * its size.  All zero is what a channel has when it is requested; a NULL pointer
 * leaves everything as it is.  While anything is in flight, @pattern and @seed
 * have to be what they are; @priority and @rate may change.
 */
struct loopdma_peripheral_config {
	bool pattern;
	u8 seed;
	u8 priority;
	u32 rate;
};

#endif /* LOOPDMA_CLIENT_H */
