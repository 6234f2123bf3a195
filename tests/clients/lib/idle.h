/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: the idle time of all CPUs, for tests that tell what DMA saves.
 *
 * Before Linux 7.0 the kernel keeps an exact account.  Since then, unless it is built
 * with CONFIG_IRQ_TIME_ACCOUNTING, it also counts interrupts that come while a CPU
 * idles, as those of a DMA engine do, and only samples short idle times at each tick.
 * There the account is kept here: a CPU idles from where the kernel says so to where it
 * says that it does something else.
 */
#ifndef LOOPDMA_IDLE_H
#define LOOPDMA_IDLE_H

#include <linux/cpumask.h>
#include <linux/kernel_stat.h>
#include <linux/tick.h>
#include <linux/types.h>
#include <linux/version.h>

#if KERNEL_VERSION(7, 0, 0) <= LINUX_VERSION_CODE && IS_ENABLED(CONFIG_TRACEPOINTS)

#include <linux/delay.h>
#include <linux/interrupt.h>
#include <linux/irqflags.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/percpu.h>
#include <linux/seqlock.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <linux/tracepoint.h>

#include <trace/events/power.h>

/**
 * struct idle_cpu - account of a CPU
 * @seq: for those who read it from another CPU
 * @total: ns that it has idled, but for this time
 * @since: when this time began, 0: it does not idle
 * @seen: something is known of it
 */
struct idle_cpu {
	seqcount_t seq;
	u64 total;
	u64 since;
	bool seen;
};

static DEFINE_PER_CPU(struct idle_cpu, idle_cpus);

static void idle_note(bool idles)
{
	struct idle_cpu *c;
	unsigned long flags;
	u64 now;

	local_irq_save(flags);
	c = this_cpu_ptr(&idle_cpus);
	now = ktime_get_ns();
	write_seqcount_begin(&c->seq);
	if (c->since)
		c->total += now - c->since;
	c->since = idles ? now : 0;
	WRITE_ONCE(c->seen, true);
	write_seqcount_end(&c->seq);
	local_irq_restore(flags);
}

static void idle_on_cpu_idle(void *data, unsigned int state, unsigned int cpu)
{
	idle_note(state != PWR_EVENT_EXIT);
}

static void idle_on_irq(void *data, int irq, struct irqaction *action)
{
	idle_note(false);
}

static void idle_on_softirq(void *data, unsigned int vector)
{
	idle_note(false);
}

/* What says what a CPU does. */
static struct {
	const char *name;
	void *probe;
	struct tracepoint *tp;
} idle_events[] = {
	{ "cpu_idle", idle_on_cpu_idle },
	{ "irq_handler_entry", idle_on_irq },
	{ "softirq_entry", idle_on_softirq },
};

static void idle_find(struct tracepoint *tp, void *data)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(idle_events); i++) {
		if (!strcmp(tp->name, idle_events[i].name))
			idle_events[i].tp = tp;
	}
}

/* No more account is kept. */
static inline void idle_end(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(idle_events); i++) {
		if (idle_events[i].tp)
			tracepoint_probe_unregister(idle_events[i].tp,
						    idle_events[i].probe, NULL);
		idle_events[i].tp = NULL;
	}
	tracepoint_synchronize_unregister();
}

/* Keep account from now on, until idle_end().  Returns 0 or an error; may sleep. */
static inline int idle_begin(void)
{
	unsigned int i, ms;
	int cpu, err;

	for_each_possible_cpu(cpu) {
		memset(per_cpu_ptr(&idle_cpus, cpu), 0, sizeof(struct idle_cpu));
		seqcount_init(&per_cpu_ptr(&idle_cpus, cpu)->seq);
	}
	for_each_kernel_tracepoint(idle_find, NULL);
	for (i = 0; i < ARRAY_SIZE(idle_events); i++) {
		err = idle_events[i].tp ?
		      tracepoint_probe_register(idle_events[i].tp,
						idle_events[i].probe, NULL) :
		      -ENOENT;
		if (err) {
			while (i < ARRAY_SIZE(idle_events))
				idle_events[i++].tp = NULL;
			idle_end();
			return err;
		}
	}
	/* One that idles already says so only when it begins again. */
	wake_up_all_idle_cpus();
	for_each_online_cpu(cpu) {
		for (ms = 0; ms < 100 && !READ_ONCE(per_cpu_ptr(&idle_cpus, cpu)->seen); ms++)
			usleep_range(1000, 2000);
	}
	return 0;
}

static inline u64 idle_of_cpu(int cpu)
{
	struct idle_cpu *c = per_cpu_ptr(&idle_cpus, cpu);
	u64 total, since, now;
	unsigned int seq;

	do {
		seq = read_seqcount_begin(&c->seq);
		total = c->total;
		since = c->since;
	} while (read_seqcount_retry(&c->seq, seq));
	now = ktime_get_ns();
	return since && now > since ? total + now - since : total;
}

/* The ns that all CPUs together have idled since some time before. */
static inline u64 idle_ns(void)
{
	u64 idle = 0;
	int cpu;

	for_each_online_cpu(cpu)
		idle += idle_of_cpu(cpu);
	return idle;
}

#else /* the kernel's account */

static inline int idle_begin(void)
{
	return 0;
}

static inline void idle_end(void)
{
}

static inline u64 idle_ns(void)
{
	u64 idle = 0;
	int cpu;

	for_each_online_cpu(cpu)
		idle += get_cpu_idle_time_us(cpu, NULL);
	return idle * NSEC_PER_USEC;
}

#endif
#endif
