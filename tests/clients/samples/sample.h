/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: what the sample clients share, CPU time and where the peripheral is.
 */
#ifndef LOOPDMA_SAMPLE_H
#define LOOPDMA_SAMPLE_H

#include <linux/cpumask.h>
#include <linux/dmaengine.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/pci.h>

#include <loopdma/client.h>
#include <loopdma/hw.h>

#include "../lib/idle.h"

/* Generous: a guest may be emulated on a busy host. */
#define SAMPLE_TIMEOUT	(60 * HZ)

/**
 * struct sample_clock - time and CPU time of something
 * @start: when it began
 * @idle_us: idle time of all CPUs until then
 * @us: how long it took
 * @busy_us: CPU time that all CPUs together did not idle meanwhile
 */
struct sample_clock {
	ktime_t start;
	u64 idle_us;
	u64 us;
	u64 busy_us;
};

static inline void sample_start(struct sample_clock *c)
{
	int err = idle_begin();

	if (err)
		pr_warn("no idle time is told: %d\n", err);
	c->idle_us = div_u64(idle_ns(), NSEC_PER_USEC);
	c->start = ktime_get();
}

static inline void sample_stop(struct sample_clock *c)
{
	u64 all, idle;

	c->us = ktime_us_delta(ktime_get(), c->start);
	idle = div_u64(idle_ns(), NSEC_PER_USEC) - c->idle_us;
	idle_end();
	all = c->us * num_online_cpus();
	c->busy_us = all > idle ? all - idle : 0;
}

/* CPU time that DMA takes, in thousandths of what it was without. */
static inline u64 sample_permille(const struct sample_clock *pio,
				  const struct sample_clock *dma)
{
	return div64_u64(dma->busy_us * 1000, max(pio->busy_us, 1ULL));
}

/* What DMA has saved. */
static inline void sample_compare(const struct sample_clock *pio,
				  const struct sample_clock *dma)
{
	u64 permille = sample_permille(pio, dma);

	pr_info("DMA takes %llu.%llu %% of the CPU time\n", permille / 10,
		permille % 10);
}

/*
 * The data register of a channel's peripheral, as its driver would know it from
 * the peripheral's own resources.
 */
static inline phys_addr_t sample_data_register(struct dma_chan *chan)
{
	struct pci_dev *pdev = to_pci_dev(chan->device->dev);

	return pci_resource_start(pdev, LOOPDMA_BAR) +
	       LOOPDMA_CH(chan->chan_id, LOOPDMA_CH_FIFO_DATA);
}

#endif /* LOOPDMA_SAMPLE_H */
