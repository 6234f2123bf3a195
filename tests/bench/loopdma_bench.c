// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: a client that moves data and says how it went.
 *
 * Uses the public dmaengine client API only, and reads the device's counters
 * from its BAR to report what the device itself has seen.  Loading the module
 * runs one mode and reports in the kernel log:
 *
 *	mode=loopback	a scattered buffer through the peripheral, compared
 *	mode=table	copies of 64 B to 4 MiB beside the CPU's memcpy()
 *	mode=figures	the measurements behind the figures of "make bench"
 *	mode=priority	latency beside a channel that is never idle
 *
 * The load fails if a mode does.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/io.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/tick.h>
#include <linux/vmalloc.h>

#include <loopdma/client.h>
#include <loopdma/hw.h>

static char *mode = "loopback";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "loopback, table, figures or priority");

static unsigned int runs = 5;
module_param(runs, uint, 0444);
MODULE_PARM_DESC(runs, "Repetitions of mode=figures (default 5)");

static unsigned int window_ms = 200;
module_param(window_ms, uint, 0444);
MODULE_PARM_DESC(window_ms, "Length of one measurement, ms (default 200)");

/* Generous: a guest may be emulated on a busy host. */
#define BENCH_TIMEOUT	(60 * HZ)

#define BENCH_MAX_SIZE	SZ_4M

/**
 * struct bench_spinner - a task that does nothing but count
 * @task: the task
 * @count: rounds so far
 */
struct bench_spinner {
	struct task_struct *task;
	u64 count;
};

/**
 * struct bench - what the modes share
 * @chan: channel that copies
 * @dev: device to map buffers for
 * @bar: registers of the device, for its counters
 * @src: source buffer
 * @dst: destination buffer
 * @dma_src: bus address of @src
 * @dma_dst: bus address of @dst
 * @spinner: what counts beside the copies, or NULL
 */
struct bench {
	struct dma_chan *chan;
	struct device *dev;
	void __iomem *bar;
	void *src;
	void *dst;
	dma_addr_t dma_src;
	dma_addr_t dma_dst;
	struct bench_spinner *spinner;
};

/**
 * struct bench_stream - copies kept in flight
 * @b: buffers and channel
 * @size: bytes of a copy
 * @lock: protects what follows; the starter runs beside the callbacks
 * @to_submit: copies still to be submitted
 * @to_finish: copies still to finish
 * @issues: calls of issue_pending
 * @failed: a copy failed
 * @end: when the last copy finished
 * @spun: what the spinner had counted then
 * @done: the last copy has finished
 */
struct bench_stream {
	struct bench *b;
	size_t size;
	spinlock_t lock; /* see above */
	u64 to_submit;
	u64 to_finish;
	u64 issues;
	bool failed;
	ktime_t end;
	u64 spun;
	struct completion done;
};

/**
 * struct bench_result - outcome of a stream
 * @copies: number of copies
 * @issues: calls of issue_pending
 * @ns: time from the first submit to the last callback
 * @busy_ns: CPU time, all CPUs, that was not idle
 * @spun: what the spinner counted in @ns
 * @doorbells: that the device saw
 * @irqs: that the device raised
 * @reads: register reads that the device saw
 */
struct bench_result {
	u64 copies;
	u64 issues;
	u64 ns;
	u64 busy_ns;
	u64 spun;
	u32 doorbells;
	u32 irqs;
	u32 reads;
};

static u32 bench_counter(struct bench *b, u32 reg)
{
	return readl(b->bar + reg);
}

static u32 bench_chan_counter(struct bench *b, u32 reg)
{
	return bench_counter(b, LOOPDMA_CH(b->chan->chan_id, reg));
}

static u64 bench_spun(const struct bench *b)
{
	return b->spinner ? READ_ONCE(b->spinner->count) : 0;
}

static u64 bench_idle_us(void)
{
	u64 idle = 0;
	int cpu;

	for_each_online_cpu(cpu)
		idle += get_cpu_idle_time_us(cpu, NULL);
	return idle;
}

static void bench_callback(void *param, const struct dmaengine_result *result);

/* Called with the stream locked. */
static void bench_submit(struct bench_stream *s)
{
	struct dma_async_tx_descriptor *tx;

	tx = dmaengine_prep_dma_memcpy(s->b->chan, s->b->dma_dst, s->b->dma_src,
				       s->size, DMA_PREP_INTERRUPT);
	if (!tx) {
		s->failed = true;
		s->to_finish--;
		return;
	}
	tx->callback_result = bench_callback;
	tx->callback_param = s;
	dmaengine_submit(tx);
}

static void bench_callback(void *param, const struct dmaengine_result *result)
{
	struct bench_stream *s = param;

	spin_lock(&s->lock);
	if (result->result != DMA_TRANS_NOERROR)
		s->failed = true;
	if (s->to_submit) {
		s->to_submit--;
		bench_submit(s);
		s->issues++;
		dma_async_issue_pending(s->b->chan);
	}
	if (!--s->to_finish) {
		s->end = ktime_get();
		s->spun = bench_spun(s->b);
		complete(&s->done);
	}
	spin_unlock(&s->lock);
}

/* Begin to make copies, depth of them in flight. */
static void bench_begin(struct bench_stream *s, unsigned int depth, u64 copies)
{
	u64 first = min_t(u64, depth, copies);

	spin_lock_init(&s->lock);
	init_completion(&s->done);
	s->to_submit = copies - first;
	s->to_finish = copies;
	s->issues = 1;

	spin_lock_bh(&s->lock);
	while (first--)
		bench_submit(s);
	dma_async_issue_pending(s->b->chan);
	spin_unlock_bh(&s->lock);
}

/* Wait for the last of them. */
static int bench_end(struct bench_stream *s)
{
	if (!wait_for_completion_timeout(&s->done, BENCH_TIMEOUT)) {
		dmaengine_terminate_sync(s->b->chan);
		pr_err("copies of %zu bytes did not finish\n", s->size);
		return -ETIMEDOUT;
	}
	/* The last callback may still hold the lock, which is on a stack. */
	dmaengine_synchronize(s->b->chan);
	if (s->failed) {
		pr_err("a copy of %zu bytes failed\n", s->size);
		return -EIO;
	}
	return 0;
}

/* Make copies, depth of them in flight, and say how it went. */
static int bench_stream_mapped(struct bench *b, size_t size, unsigned int depth,
			       u64 copies, struct bench_result *r)
{
	struct bench_stream s = {
		.b = b,
		.size = size,
	};
	u32 doorbells, irqs, reads;
	u64 idle, spun;
	ktime_t start;
	int err;

	doorbells = bench_chan_counter(b, LOOPDMA_CH_CNT_DOORBELLS);
	irqs = bench_chan_counter(b, LOOPDMA_CH_CNT_INTERRUPTS);
	reads = bench_counter(b, LOOPDMA_CNT_MMIO_READS);
	idle = bench_idle_us();
	spun = bench_spun(b);
	start = ktime_get();

	bench_begin(&s, depth, copies);
	err = bench_end(&s);

	r->copies = copies;
	r->issues = s.issues;
	r->ns = ktime_to_ns(ktime_sub(s.end, start));
	r->spun = s.spun - spun;
	idle = (bench_idle_us() - idle) * NSEC_PER_USEC;
	r->busy_ns = ktime_to_ns(ktime_sub(ktime_get(), start)) *
		     num_online_cpus();
	r->busy_ns = r->busy_ns > idle ? r->busy_ns - idle : 0;
	r->doorbells = bench_chan_counter(b, LOOPDMA_CH_CNT_DOORBELLS) -
		       doorbells;
	r->irqs = bench_chan_counter(b, LOOPDMA_CH_CNT_INTERRUPTS) - irqs;
	r->reads = bench_counter(b, LOOPDMA_CNT_MMIO_READS) - reads;
	return err;
}

static int bench_map(struct bench *b, size_t size)
{
	b->dma_src = dma_map_single(b->dev, b->src, size, DMA_TO_DEVICE);
	if (dma_mapping_error(b->dev, b->dma_src))
		return -ENOMEM;
	b->dma_dst = dma_map_single(b->dev, b->dst, size, DMA_FROM_DEVICE);
	if (!dma_mapping_error(b->dev, b->dma_dst))
		return 0;
	dma_unmap_single(b->dev, b->dma_src, size, DMA_TO_DEVICE);
	return -ENOMEM;
}

static void bench_unmap(struct bench *b, size_t size)
{
	dma_unmap_single(b->dev, b->dma_dst, size, DMA_FROM_DEVICE);
	dma_unmap_single(b->dev, b->dma_src, size, DMA_TO_DEVICE);
}

/* The same, with the buffers mapped for it, and compared afterwards. */
static int bench_stream(struct bench *b, size_t size, unsigned int depth,
			u64 copies, struct bench_result *r)
{
	int err;

	memset(b->dst, 0, size);
	err = bench_map(b, size);
	if (err)
		return err;
	err = bench_stream_mapped(b, size, depth, copies, r);
	bench_unmap(b, size);
	if (!err && memcmp(b->src, b->dst, size)) {
		pr_err("copies of %zu bytes differ from their source\n", size);
		err = -EIO;
	}
	return err;
}

/* Copies that fill a window, as many as it takes. */
static int bench_stream_window(struct bench *b, size_t size, unsigned int depth,
			       struct bench_result *r)
{
	u64 window = (u64)window_ms * NSEC_PER_MSEC;
	u64 copies = depth;
	int err;

	for (;;) {
		err = bench_stream(b, size, depth, copies, r);
		if (err)
			return err;
		if (r->ns >= window / 2)
			return 0;
		/* Aim at the window, but never trust a short run too far. */
		copies = min(copies * 8,
			     max(copies * 2, div64_u64(copies * window,
						       r->ns + 1)));
	}
}

/* Nanoseconds that the CPU takes to copy once. */
static u64 bench_memcpy(struct bench *b, size_t size)
{
	u64 window = (u64)window_ms * NSEC_PER_MSEC / 4;
	u64 i, n = 1, ns;
	ktime_t start;

	for (;;) {
		start = ktime_get();
		for (i = 0; i < n; i++) {
			memcpy(b->dst, b->src, size);
			/* Keeps the compiler from seeing that it is the same. */
			barrier();
		}
		ns = ktime_to_ns(ktime_sub(ktime_get(), start));
		if (ns >= window)
			return div64_u64(ns, n);
		n *= 2;
		cond_resched();
	}
}

static u64 bench_mbps(u64 bytes, u64 ns)
{
	return div64_u64(bytes * 1000, ns + 1);
}

static int bench_table(struct bench *b)
{
	static const size_t sizes[] = {
		64, 256, SZ_1K, SZ_4K, SZ_16K, SZ_64K, SZ_256K, SZ_1M, SZ_4M,
	};
	struct bench_result r;
	unsigned int i;
	u64 cpu;
	int err;

	pr_info("%8s %10s %10s %12s %12s %8s\n", "bytes", "DMA MB/s",
		"CPU MB/s", "DMA: CPU us", "memcpy us", "irqs");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		err = bench_stream_window(b, sizes[i], 8, &r);
		if (err)
			return err;
		cpu = bench_memcpy(b, sizes[i]);
		pr_info("%8zu %10llu %10llu %8llu.%03llu %8llu.%03llu %4u.%03u\n",
			sizes[i], bench_mbps(r.copies * sizes[i], r.ns),
			bench_mbps(sizes[i], cpu),
			div64_u64(r.busy_ns, r.copies) / 1000,
			div64_u64(r.busy_ns, r.copies) % 1000,
			cpu / 1000, cpu % 1000,
			(u32)div64_u64(r.irqs, r.copies),
			(u32)(div64_u64((u64)r.irqs * 1000, r.copies) % 1000));
	}
	return 0;
}

static int bench_spin(void *data)
{
	struct bench_spinner *sp = data;
	unsigned int i;

	/* Gives way to everything else: it measures what is left of the CPU. */
	set_user_nice(current, MAX_NICE);
	while (!kthread_should_stop()) {
		for (i = 0; i < 1000; i++)
			barrier();
		WRITE_ONCE(sp->count, sp->count + 1);
		cond_resched();
	}
	return 0;
}

/*
 * How much of its speed a counting loop keeps while copies stream, in
 * thousandths.  Only means something with one CPU.
 */
static int bench_progress(struct bench *b, u64 *permille)
{
	struct bench_spinner sp = { };
	struct bench_result r;
	u64 copies, alone, ns;
	ktime_t start;
	int err;

	err = bench_stream_window(b, SZ_1M, 8, &r);
	if (err)
		return err;
	copies = r.copies;

	sp.task = kthread_run(bench_spin, &sp, "loopdma_spin");
	if (IS_ERR(sp.task))
		return PTR_ERR(sp.task);

	msleep(20);
	alone = READ_ONCE(sp.count);
	start = ktime_get();
	msleep(window_ms);
	alone = READ_ONCE(sp.count) - alone;
	ns = ktime_to_ns(ktime_sub(ktime_get(), start));

	b->spinner = &sp;
	err = bench_stream(b, SZ_1M, 8, copies, &r);
	b->spinner = NULL;
	kthread_stop(sp.task);
	if (!err)
		*permille = div64_u64(r.spun * 1000,
				      div64_u64(alone * r.ns, ns) + 1);
	return err;
}

static int bench_report_stream(struct bench *b, unsigned int run, size_t size,
			       unsigned int depth)
{
	struct bench_result r;
	int err;

	err = bench_stream_window(b, size, depth, &r);
	if (err)
		return err;
	pr_info("run=%u kind=dma size=%zu depth=%u copies=%llu issues=%llu ns=%llu busy_ns=%llu doorbells=%u irqs=%u reads=%u\n",
		run, size, depth, r.copies, r.issues, r.ns, r.busy_ns,
		r.doorbells, r.irqs, r.reads);
	return 0;
}

static int bench_figures(struct bench *b)
{
	unsigned int run;
	u64 permille;
	int err;

	for (run = 0; run < runs; run++) {
		pr_info("run=%u kind=memcpy size=%u ns=%llu\n", run, SZ_64K,
			bench_memcpy(b, SZ_64K));
		pr_info("run=%u kind=memcpy size=%u ns=%llu\n", run, SZ_1M,
			bench_memcpy(b, SZ_1M));
		err = bench_report_stream(b, run, SZ_1M, 8);
		if (!err)
			err = bench_report_stream(b, run, SZ_4K, 32);
		if (!err)
			err = bench_report_stream(b, run, SZ_4K, 1);
		if (!err)
			err = bench_progress(b, &permille);
		if (err)
			return err;
		pr_info("run=%u kind=progress permille=%llu\n", run, permille);
	}
	return 0;
}

static bool bench_is_loopdma(struct dma_chan *chan, void *param)
{
	struct device *dev = chan->device->dev;

	return dev_is_pci(dev) && !strcmp(dev_driver_string(dev), "loopdma");
}

/* --- priority -------------------------------------------------------------- */

#define PRIORITY_SAMPLES	1000

/* What the load is: enough to be never out of work. */
#define PRIORITY_LOAD		SZ_1M
#define PRIORITY_DEPTH		8

static int bench_compare_ns(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

/* Times of copies of 4 KiB, one after the other, in order of length. */
static int bench_latencies(struct bench *b, u64 *ns)
{
	struct bench_result r;
	unsigned int i;
	int err;

	for (i = 0; i < PRIORITY_SAMPLES; i++) {
		err = bench_stream_mapped(b, SZ_4K, 1, 1, &r);
		if (err)
			return err;
		ns[i] = r.ns;
	}
	sort(ns, PRIORITY_SAMPLES, sizeof(*ns), bench_compare_ns, NULL);
	return 0;
}

static int bench_set_class(struct bench *b, u8 class)
{
	struct loopdma_peripheral_config periph = { .priority = class };
	struct dma_slave_config config = {
		.peripheral_config = &periph,
		.peripheral_size = sizeof(periph),
	};

	return dmaengine_slave_config(b->chan, &config);
}

/* Latency in a class, beside a load in class 0 or alone. */
static int bench_priority_one(struct bench *urgent, struct bench *load, u8 class,
			      u64 *ns)
{
	struct bench_stream s = { .b = load, .size = PRIORITY_LOAD };
	int err, err_load = 0;

	err = bench_set_class(urgent, class);
	if (err)
		return err;
	if (load)
		bench_begin(&s, PRIORITY_DEPTH, U32_MAX);
	err = bench_latencies(urgent, ns);
	if (load) {
		spin_lock_bh(&s.lock);
		s.to_finish -= s.to_submit;
		s.to_submit = 0;
		spin_unlock_bh(&s.lock);
		err_load = bench_end(&s);
	}
	if (err || err_load)
		return err ?: err_load;
	pr_info("kind=priority load=%u class=%u p50_ns=%llu p99_ns=%llu\n",
		load ? 1 : 0, class, ns[PRIORITY_SAMPLES / 2],
		ns[PRIORITY_SAMPLES * 99 / 100]);
	return 0;
}

/* How long a small copy takes alone, beside its like, and beside a lower class. */
static int bench_priority(struct bench *b)
{
	struct bench urgent = *b;
	dma_cap_mask_t mask;
	int err = -ENOMEM;
	u64 *ns;

	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	urgent.chan = dma_request_channel(mask, bench_is_loopdma, NULL);
	if (!urgent.chan) {
		pr_err("no second channel: give the device channels=2 or more\n");
		return -ENODEV;
	}
	ns = kcalloc(PRIORITY_SAMPLES, sizeof(*ns), GFP_KERNEL);
	if (!ns)
		goto out;
	err = bench_map(b, PRIORITY_LOAD);
	if (err)
		goto out;
	urgent.dma_src = b->dma_src;
	urgent.dma_dst = b->dma_dst;
	err = bench_priority_one(&urgent, NULL, 0, ns);
	if (!err)
		err = bench_priority_one(&urgent, b, 0, ns);
	if (!err)
		err = bench_priority_one(&urgent, b, 3, ns);
	bench_unmap(b, PRIORITY_LOAD);
out:
	kfree(ns);
	dma_release_channel(urgent.chan);
	return err;
}

/* --- loopback -------------------------------------------------------------- */

#define LOOPBACK_BYTES	(SZ_256K + 192)
#define LOOPBACK_WIDTH	DMA_SLAVE_BUSWIDTH_4_BYTES

/* Cut a buffer from vmalloc() into pieces of random length. */
static int bench_scatter(struct sg_table *sgt, u8 *buf, size_t len)
{
	size_t off = 0, n;
	struct scatterlist *sg;
	unsigned int i;
	int err;

	err = sg_alloc_table(sgt, len / LOOPBACK_WIDTH, GFP_KERNEL);
	if (err)
		return err;
	for_each_sg(sgt->sgl, sg, sgt->orig_nents, i) {
		n = (1 + get_random_u32() % 500) * LOOPBACK_WIDTH;
		n = min3(n, len - off,
			 (size_t)(PAGE_SIZE - offset_in_page(buf + off)));
		sg_set_page(sg, vmalloc_to_page(buf + off), n,
			    offset_in_page(buf + off));
		off += n;
		if (off == len) {
			sg_mark_end(sg);
			sgt->nents = i + 1;
			return 0;
		}
	}
	return -EINVAL;
}

static void bench_complete(void *param)
{
	complete(param);
}

static struct dma_async_tx_descriptor *
bench_prep_slave(struct dma_chan *chan, struct sg_table *sgt,
		 enum dma_transfer_direction dir, struct completion *done)
{
	struct dma_slave_config config = {
		.direction = dir,
		.src_addr_width = LOOPBACK_WIDTH,
		.dst_addr_width = LOOPBACK_WIDTH,
		.src_maxburst = 16,
		.dst_maxburst = 16,
	};
	struct dma_async_tx_descriptor *tx;

	if (dmaengine_slave_config(chan, &config))
		return NULL;
	tx = dmaengine_prep_slave_sg(chan, sgt->sgl, sgt->nents, dir,
				     DMA_PREP_INTERRUPT);
	if (tx) {
		tx->callback = bench_complete;
		tx->callback_param = done;
	}
	return tx;
}

static int bench_loopback_run(struct bench *b, struct dma_chan *rx,
			      struct sg_table *out, struct sg_table *in)
{
	DECLARE_COMPLETION_ONSTACK(sent);
	DECLARE_COMPLETION_ONSTACK(received);
	struct dma_async_tx_descriptor *tx;
	int err = -EIO;

	tx = bench_prep_slave(rx, in, DMA_DEV_TO_MEM, &received);
	if (!tx || dma_submit_error(dmaengine_submit(tx)))
		goto out;
	tx = bench_prep_slave(b->chan, out, DMA_MEM_TO_DEV, &sent);
	if (!tx || dma_submit_error(dmaengine_submit(tx)))
		goto out;
	dma_async_issue_pending(b->chan);
	dma_async_issue_pending(rx);
	if (wait_for_completion_timeout(&received, BENCH_TIMEOUT) &&
	    wait_for_completion_timeout(&sent, BENCH_TIMEOUT))
		err = 0;
out:
	dmaengine_terminate_sync(b->chan);
	dmaengine_terminate_sync(rx);
	return err;
}

static int bench_loopback_mapped(struct bench *b, struct dma_chan *rx,
				 struct sg_table *out, struct sg_table *in)
{
	unsigned int nents_out = out->nents, nents_in = in->nents;
	int err = -ENOMEM;
	int n;

	n = dma_map_sg(b->dev, out->sgl, nents_out, DMA_TO_DEVICE);
	if (!n)
		return err;
	out->nents = n;
	n = dma_map_sg(b->dev, in->sgl, nents_in, DMA_FROM_DEVICE);
	if (n) {
		in->nents = n;
		err = bench_loopback_run(b, rx, out, in);
		dma_unmap_sg(b->dev, in->sgl, nents_in, DMA_FROM_DEVICE);
	}
	dma_unmap_sg(b->dev, out->sgl, nents_out, DMA_TO_DEVICE);
	if (!err)
		pr_info("loopback: %u bytes in %u pieces out, %u pieces in\n",
			LOOPBACK_BYTES, nents_out, nents_in);
	return err;
}

/* What one channel of a pair transmits, the other receives. */
static bool bench_is_peer(struct dma_chan *chan, void *param)
{
	struct dma_chan *first = param;

	return chan->device == first->device &&
	       chan->chan_id == (first->chan_id ^ 1);
}

static int bench_loopback(struct bench *b)
{
	struct sg_table out = { }, in = { };
	struct dma_chan *rx;
	dma_cap_mask_t mask;
	u8 *sent, *received;
	int err = -ENOMEM;

	dma_cap_zero(mask);
	dma_cap_set(DMA_SLAVE, mask);
	rx = dma_request_channel(mask, bench_is_peer, b->chan);
	if (!rx) {
		pr_err("loopback: the channel's peer is not free\n");
		return -EBUSY;
	}

	sent = vmalloc(LOOPBACK_BYTES);
	received = vzalloc(LOOPBACK_BYTES);
	if (!sent || !received)
		goto out;
	get_random_bytes(sent, LOOPBACK_BYTES);
	err = bench_scatter(&out, sent, LOOPBACK_BYTES);
	if (!err)
		err = bench_scatter(&in, received, LOOPBACK_BYTES);
	if (!err)
		err = bench_loopback_mapped(b, rx, &out, &in);
	if (!err && memcmp(sent, received, LOOPBACK_BYTES)) {
		pr_err("loopback: what came back differs\n");
		err = -EIO;
	}
	if (!err)
		pr_info("loopback: what came back is what was sent\n");
out:
	sg_free_table(&in);
	sg_free_table(&out);
	vfree(received);
	vfree(sent);
	dma_release_channel(rx);
	return err;
}

/* --- set-up ---------------------------------------------------------------- */

static int bench_copy_mode(struct bench *b, int (*run)(struct bench *b))
{
	unsigned int order = get_order(BENCH_MAX_SIZE);
	int err = -ENOMEM;

	b->src = (void *)__get_free_pages(GFP_KERNEL | __GFP_NOWARN, order);
	b->dst = (void *)__get_free_pages(GFP_KERNEL | __GFP_NOWARN, order);
	if (!b->src || !b->dst) {
		pr_err("no memory for two buffers of %u bytes\n",
		       BENCH_MAX_SIZE);
		goto out;
	}
	get_random_bytes(b->src, BENCH_MAX_SIZE);
	err = run(b);
out:
	free_pages((unsigned long)b->dst, order);
	free_pages((unsigned long)b->src, order);
	return err;
}

static int __init bench_init(void)
{
	struct bench b = { };
	dma_cap_mask_t mask;
	struct pci_dev *pdev;
	int err;

	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	b.chan = dma_request_channel(mask, bench_is_loopdma, NULL);
	if (!b.chan) {
		pr_err("no free channel; is loopdma.ko loaded?\n");
		return -ENODEV;
	}
	b.dev = dmaengine_get_dma_device(b.chan);
	pdev = to_pci_dev(b.chan->device->dev);
	b.bar = pci_iomap(pdev, LOOPDMA_BAR, 0);
	if (!b.bar) {
		dma_release_channel(b.chan);
		return -ENOMEM;
	}

	if (!strcmp(mode, "loopback")) {
		err = bench_loopback(&b);
	} else if (!strcmp(mode, "table")) {
		err = bench_copy_mode(&b, bench_table);
	} else if (!strcmp(mode, "figures")) {
		err = bench_copy_mode(&b, bench_figures);
	} else if (!strcmp(mode, "priority")) {
		err = bench_copy_mode(&b, bench_priority);
	} else {
		pr_err("mode %s is not loopback, table, figures or priority\n",
		       mode);
		err = -EINVAL;
	}

	pci_iounmap(pdev, b.bar);
	dma_release_channel(b.chan);
	if (err)
		pr_err("%s failed: %d\n", mode, err);
	return err;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
}
module_exit(bench_exit);

MODULE_DESCRIPTION("loopdma benchmark client");
MODULE_LICENSE("GPL");
