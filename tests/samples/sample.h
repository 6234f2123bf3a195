/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: what the sample clients share, CPU time and where the peripheral is.
 */
#ifndef LOOPDMA_SAMPLE_H
#define LOOPDMA_SAMPLE_H

#include <linux/cpumask.h>
#include <linux/dmaengine.h>
#include <linux/kernel_stat.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/pci.h>
#include <linux/tick.h>

#include <loopdma/client.h>
#include <loopdma/hw.h>

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

static inline u64 sample_idle_us(void)
{
	u64 idle = 0;
	int cpu;

	for_each_online_cpu(cpu)
		idle += get_cpu_idle_time_us(cpu, NULL);
	return idle;
}

static inline void sample_start(struct sample_clock *c)
{
	c->idle_us = sample_idle_us();
	c->start = ktime_get();
}

static inline void sample_stop(struct sample_clock *c)
{
	u64 all, idle;

	c->us = ktime_us_delta(ktime_get(), c->start);
	idle = sample_idle_us() - c->idle_us;
	all = c->us * num_online_cpus();
	c->busy_us = all > idle ? all - idle : 0;
}

/* What DMA has saved. */
static inline void sample_compare(const struct sample_clock *pio,
				  const struct sample_clock *dma)
{
	u64 permille = div64_u64(dma->busy_us * 1000, max(pio->busy_us, 1ULL));

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
