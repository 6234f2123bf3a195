// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: a client that moves data and says how it went.
 *
 * Uses the public dmaengine client API only, and reads the device's counters
 * from its BAR to report what the device itself has seen.  Loading the module
 * runs one mode and reports in the kernel log:
 *
 *	mode=loopback	a scattered buffer through the peripheral, compared
 *	mode=table	copies of 64 B to 16 MiB beside the CPU's memcpy()
 *
 * For scripts/bench.py, a line of name=value for each measurement:
 *
 *	mode=figures	copies of 4 KiB and 1 MiB, and what the CPU gets done
 *	mode=sizes	64 B to 16 MiB, by DMA and by the CPU
 *	mode=depths	1 to 1024 copies in flight; needs loopdma.ring_size=2048
 *	mode=channels	1 to 16 channels at a time
 *	mode=scale	one channel and two in turn, 1, 4 and 16 MiB
 *	mode=busy	copies until the module is unloaded: busy_channels, busy_bytes,
 *			busy_spin
 *	mode=latency	time of a copy, waited for by callback and by polling
 *	mode=priority	the same beside a channel that is never idle
 *	mode=open	all channels of the device are requested
 *	mode=cost	what submission and completion cost, by the cycle counter
 *	mode=outstanding
 *			the same with 10 and with 100000 copies outstanding;
 *			needs loopdma.ring_size=65536
 *
 * The load fails if a mode does.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bitfield.h>
#include <linux/delay.h>
#include <linux/hash.h>
#include <linux/io.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/math64.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/random.h>
#include <linux/scatterlist.h>
#include <linux/slab.h>
#include <linux/sort.h>
#include <linux/timex.h>
#include <linux/vmalloc.h>

#include <loopdma/client.h>
#include <loopdma/hw.h>

#include "../lib/client.h"
#include "../lib/idle.h"

static char *mode = "loopback";
module_param(mode, charp, 0444);
MODULE_PARM_DESC(mode, "What to do, see the head of the source (default loopback)");

static unsigned int engines;
module_param(engines, uint, 0444);
MODULE_PARM_DESC(engines, "Use a device with as many engines (default: any)");

static unsigned int runs = 1;
module_param(runs, uint, 0444);
MODULE_PARM_DESC(runs, "Repetitions of mode=cost and outstanding (default 1)");

static bool exact;
module_param(exact, bool, 0444);
MODULE_PARM_DESC(exact, "Fail unless the cycle counter counts instructions");

static unsigned int window_ms = 200;
module_param(window_ms, uint, 0444);
MODULE_PARM_DESC(window_ms, "Length of one measurement, ms (default 200)");

static unsigned int windows = 1;
module_param(windows, uint, 0444);
MODULE_PARM_DESC(windows, "Measure a stream so often, report the median (default 1)");

static unsigned int samples = 10000;
module_param(samples, uint, 0444);
MODULE_PARM_DESC(samples, "Copies that a latency is judged by (default 10000)");

static unsigned int busy_channels = 1;
module_param(busy_channels, uint, 0444);
MODULE_PARM_DESC(busy_channels, "Channels of mode=busy, 1 or 2 (default 1)");

static unsigned int busy_bytes = SZ_1M;
module_param(busy_bytes, uint, 0444);
MODULE_PARM_DESC(busy_bytes, "Size of a copy of mode=busy, at most 16 MiB (default 1 MiB)");

static bool busy_spin;
module_param(busy_spin, bool, 0444);
MODULE_PARM_DESC(busy_spin, "Have the CPU count beside the copies of mode=busy");

/* How long the clock may take to be what it will be. */
#define CLOCK_WAIT_MS	30000

/*
 * The page allocator has no larger pieces.  What is larger is a list of these,
 * as for any client that has no memory set aside for it at boot.
 */
#define BENCH_BLOCK	SZ_4M
#define BENCH_MAX_SIZE	SZ_16M
/* Two channels at a time copy as much. */
#define BENCH_BLOCKS	(2 * BENCH_MAX_SIZE / BENCH_BLOCK)

#define BENCH_MAX_WINDOWS	9

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
 * @pdev: the device's function
 * @dev: device to map buffers for
 * @bar: registers of the device, for its counters
 * @nengines: engines of the device
 * @nchans: number of channels requested
 * @chan: these
 * @block: memory to copy from and to, as many blocks as the mode needs
 * @spinner: what counts beside the copies, or NULL
 */
struct bench {
	struct pci_dev *pdev;
	struct device *dev;
	void __iomem *bar;
	unsigned int nengines;
	unsigned int nchans;
	struct dma_chan *chan[LOOPDMA_MAX_CHANNELS];
	struct client_pair block[BENCH_BLOCKS];
	struct bench_spinner *spinner;
};

/**
 * struct bench_lane - part of a stream that goes through one channel
 * @s: the stream
 * @chan: channel
 * @off: where in the buffers it copies
 */
struct bench_lane {
	struct bench_stream *s;
	struct dma_chan *chan;
	size_t off;
};

/**
 * struct bench_stream - copies kept in flight
 * @b: buffers and channels
 * @size: bytes of a copy
 * @nchans: number of @lane
 * @to_submit: copies still to be submitted
 * @to_finish: copies still to finish
 * @issues: calls of issue_pending
 * @failed: a copy failed
 * @end: when the last copy finished
 * @spun: what the spinner had counted then
 * @done: the last copy has finished
 * @lane: a channel each
 */
struct bench_stream {
	struct bench *b;
	size_t size;
	unsigned int nchans;
	atomic64_t to_submit;
	atomic64_t to_finish;
	atomic64_t issues;
	bool failed;
	ktime_t end;
	u64 spun;
	struct completion done;
	struct bench_lane lane[LOOPDMA_MAX_CHANNELS];
};

/**
 * struct bench_result - outcome of a stream
 * @copies: number of copies
 * @issues: calls of issue_pending
 * @ns: time from the first submit to the last callback
 * @busy_ns: CPU time, all CPUs, that was not idle
 * @spun: what the spinner counted in @ns
 * @doorbells: doorbell writes, of the channels in question
 * @irqs: interrupts of these
 * @reads: register reads, of the whole device
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

/* --- the device ------------------------------------------------------------ */

static u32 bench_chan_counter(const struct bench *b, const struct dma_chan *chan, u32 reg)
{
	return readl(b->bar + LOOPDMA_CH(chan->chan_id, reg));
}

/*
 * Add what the device has counted so far, or with -1 subtract it.  To read it is not
 * counted.
 */
static void bench_count(const struct bench *b, unsigned int nchans, int sign,
			struct bench_result *r)
{
	unsigned int i;

	for (i = 0; i < nchans; i++) {
		r->doorbells += sign * bench_chan_counter(b, b->chan[i], LOOPDMA_CH_CNT_DOORBELLS);
		r->irqs += sign * bench_chan_counter(b, b->chan[i], LOOPDMA_CH_CNT_INTERRUPTS);
	}
	r->reads += sign * readl(b->bar + LOOPDMA_CNT_MMIO_READS);
}

static void bench_release_channels(struct bench *b)
{
	while (b->nchans)
		dma_release_channel(b->chan[--b->nchans]);
}

/* Request channels until there are n of them. */
static int bench_request_channels(struct bench *b, unsigned int n)
{
	for (; b->nchans < n; b->nchans++) {
		b->chan[b->nchans] = client_request(DMA_MEMCPY, &b->pdev->dev, CLIENT_ANY);
		if (!b->chan[b->nchans]) {
			pr_err("no channel beyond %u: is one in use, or channels= of the device too low?\n",
			       b->nchans);
			return -ENODEV;
		}
	}
	return 0;
}

static void bench_close(struct bench *b)
{
	bench_release_channels(b);
	if (b->bar)
		pci_iounmap(b->pdev, b->bar);
	b->bar = NULL;
}

/* Find a device with as many engines as asked for, and take its registers. */
static int bench_open(struct bench *b)
{
	struct pci_dev *pdev = NULL;

	while ((pdev = pci_get_device(LOOPDMA_PCI_VENDOR_ID, LOOPDMA_PCI_DEVICE_ID, pdev))) {
		if (strcmp(dev_driver_string(&pdev->dev), "loopdma"))
			continue;
		b->pdev = pdev;
		b->bar = pci_iomap(pdev, LOOPDMA_BAR, 0);
		if (!b->bar)
			return -ENOMEM;
		b->nengines = FIELD_GET(LOOPDMA_TOPOLOGY_ENGINES, readl(b->bar + LOOPDMA_TOPOLOGY));
		if (!engines || engines == b->nengines)
			return 0;
		bench_close(b);
	}
	b->pdev = NULL;
	if (engines)
		pr_err("no device with %u engines; is loopdma.ko loaded?\n", engines);
	else
		pr_err("no device; is loopdma.ko loaded?\n");
	return -ENODEV;
}

/* --- buffers --------------------------------------------------------------- */

static void bench_free_buffers(struct bench *b)
{
	unsigned int i, order = get_order(BENCH_BLOCK);

	for (i = 0; i < BENCH_BLOCKS; i++) {
		free_pages((unsigned long)b->block[i].src, order);
		free_pages((unsigned long)b->block[i].dst, order);
	}
}

/* What is copied is different everywhere, and made faster than random bytes are. */
static void bench_fill(u64 *word, u64 value)
{
	size_t n;

	for (n = 0; n < BENCH_BLOCK / sizeof(*word); n++)
		word[n] = value += GOLDEN_RATIO_64;
}

/* Whatever comes of it, bench_free_buffers() undoes it. */
static int bench_alloc_buffers(struct bench *b, size_t len)
{
	unsigned int i, order = get_order(BENCH_BLOCK);
	struct client_pair *pair;

	for (i = 0; i < len / BENCH_BLOCK; i++) {
		pair = &b->block[i];
		pair->src = (void *)__get_free_pages(GFP_KERNEL | __GFP_NOWARN, order);
		pair->dst = (void *)__get_free_pages(GFP_KERNEL | __GFP_NOWARN, order);
		if (!pair->src || !pair->dst) {
			pr_err("no memory for a buffer of %zu bytes\n", len);
			return -ENOMEM;
		}
		bench_fill(pair->src, i * (BENCH_BLOCK / sizeof(u64)) * GOLDEN_RATIO_64);
	}
	return 0;
}

/* What there is of len bytes from an offset on, within a block. */
static size_t bench_piece(size_t off, size_t len)
{
	return min_t(size_t, len - off, BENCH_BLOCK - off % BENCH_BLOCK);
}

static void bench_unmap(struct bench *b, size_t len)
{
	size_t off;

	for (off = 0; off < len; off += BENCH_BLOCK)
		client_unmap_pair(b->dev, &b->block[off / BENCH_BLOCK], bench_piece(off, len));
}

static int bench_map(struct bench *b, size_t len)
{
	size_t off;
	int err;

	for (off = 0; off < len; off += BENCH_BLOCK) {
		err = client_map_pair(b->dev, &b->block[off / BENCH_BLOCK], bench_piece(off, len));
		if (err) {
			bench_unmap(b, off);
			return err;
		}
	}
	return 0;
}

static void bench_clear(struct bench *b, size_t len)
{
	size_t off;

	for (off = 0; off < len; off += BENCH_BLOCK)
		memset(b->block[off / BENCH_BLOCK].dst, 0, bench_piece(off, len));
}

static void bench_copy(struct bench *b, size_t len)
{
	size_t off;

	for (off = 0; off < len; off += BENCH_BLOCK)
		memcpy(b->block[off / BENCH_BLOCK].dst, b->block[off / BENCH_BLOCK].src,
		       bench_piece(off, len));
}

static int bench_compare(struct bench *b, size_t len)
{
	const struct client_pair *pair;
	size_t off;

	for (off = 0; off < len; off += BENCH_BLOCK) {
		pair = &b->block[off / BENCH_BLOCK];
		if (memcmp(pair->dst, pair->src, bench_piece(off, len))) {
			pr_err("copies differ from their source\n");
			return -EIO;
		}
	}
	return 0;
}

/* The transaction for a piece of the buffers that is within a block. */
static struct dma_async_tx_descriptor *
bench_prep(struct bench *b, struct dma_chan *chan, size_t off, size_t len,
	   unsigned long flags)
{
	return client_prep_copy(chan, &b->block[off / BENCH_BLOCK], off % BENCH_BLOCK, len, flags);
}

/* --- streams --------------------------------------------------------------- */

static u64 bench_spun(const struct bench *b)
{
	return b->spinner ? READ_ONCE(b->spinner->count) : 0;
}

/*
 * Before the clock is one for timers of high resolution, some seconds after the
 * kernel has started, no idle time is told, and a moment is a tick.
 */
static int bench_wait_for_clock(void)
{
	unsigned int i;
	int cpu;

	for_each_online_cpu(cpu) {
		for (i = 0; get_cpu_idle_time_us(cpu, NULL) == U64_MAX; i++) {
			if (i == CLOCK_WAIT_MS / 20) {
				pr_err("CPU %d: no idle time after %u s: is it nohz=off, or a kernel without CONFIG_NO_HZ_COMMON?\n",
				       cpu, CLOCK_WAIT_MS / 1000);
				return -ETIMEDOUT;
			}
			msleep(20);
		}
	}
	return 0;
}

/* So many copies more have finished, or will never begin. */
static void bench_finish(struct bench_stream *s, u64 n)
{
	if (!n || !atomic64_sub_and_test(n, &s->to_finish))
		return;
	s->end = ktime_get();
	s->spun = bench_spun(s->b);
	complete(&s->done);
}

/* Begin no more copies. */
static void bench_stop(struct bench_stream *s)
{
	bench_finish(s, atomic64_xchg(&s->to_submit, 0));
}

static void bench_callback(void *param, const struct dmaengine_result *result);

/* The last piece of a copy ends last, so it can stand for all. */
static bool bench_submit_copy(struct bench_lane *lane)
{
	struct bench_stream *s = lane->s;
	struct dma_async_tx_descriptor *tx;
	size_t end = lane->off + s->size;
	size_t off, len;
	bool last;

	for (off = lane->off; off < end; off += len) {
		len = bench_piece(off, end);
		last = off + len == end;
		tx = bench_prep(s->b, lane->chan, off, len, last ? CLIENT_FLAGS : DMA_CTRL_ACK);
		if (!tx)
			return false;
		if (last) {
			tx->callback_result = bench_callback;
			tx->callback_param = lane;
		}
		dmaengine_submit(tx);
	}
	return true;
}

/* Submit the next copy.  Returns false if there are enough of them. */
static bool bench_submit(struct bench_lane *lane)
{
	struct bench_stream *s = lane->s;

	if (atomic64_dec_if_positive(&s->to_submit) < 0)
		return false;
	if (!bench_submit_copy(lane)) {
		WRITE_ONCE(s->failed, true);
		bench_stop(s);
		bench_finish(s, 1);
		return false;
	}
	return true;
}

static void bench_callback(void *param, const struct dmaengine_result *result)
{
	struct bench_lane *lane = param;
	struct bench_stream *s = lane->s;

	if (result->result != DMA_TRANS_NOERROR)
		WRITE_ONCE(s->failed, true);
	if (bench_submit(lane)) {
		atomic64_inc(&s->issues);
		dma_async_issue_pending(lane->chan);
	}
	/* After that the stream may be gone. */
	bench_finish(s, 1);
}

/* Begin to make copies, on each channel depth of them in flight. */
static void bench_begin(struct bench_stream *s, unsigned int depth, u64 copies)
{
	unsigned int i, n;

	init_completion(&s->done);
	atomic64_set(&s->to_submit, copies);
	/* One more, that nobody sees the end before everything has begun. */
	atomic64_set(&s->to_finish, copies + 1);
	atomic64_set(&s->issues, s->nchans);

	/* All are to be in flight before the first callback. */
	local_bh_disable();
	for (i = 0; i < s->nchans; i++) {
		for (n = 0; n < depth && bench_submit(&s->lane[i]); n++)
			;
		dma_async_issue_pending(s->lane[i].chan);
	}
	local_bh_enable();
	bench_finish(s, 1);
}

/* Wait for the last of them. */
static int bench_end(struct bench_stream *s)
{
	unsigned int i;

	if (!wait_for_completion_timeout(&s->done, CLIENT_TIMEOUT)) {
		for (i = 0; i < s->nchans; i++)
			dmaengine_terminate_sync(s->lane[i].chan);
		pr_err("copies of %zu bytes did not finish\n", s->size);
		return -ETIMEDOUT;
	}
	if (READ_ONCE(s->failed)) {
		pr_err("a copy of %zu bytes failed\n", s->size);
		return -EIO;
	}
	return 0;
}

/* A stream through the channels from first on, with memory of its own for each. */
static void bench_stream_init(struct bench_stream *s, struct bench *b, size_t size,
			      unsigned int first, unsigned int nchans)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	s->b = b;
	s->size = size;
	s->nchans = nchans;
	for (i = 0; i < nchans; i++) {
		s->lane[i].s = s;
		s->lane[i].chan = b->chan[first + i];
		s->lane[i].off = (first + i) * size;
	}
}

/* Make copies, depth of them in flight, and say how it went. */
static int bench_stream(struct bench *b, size_t size, unsigned int nchans,
			unsigned int depth, u64 copies, struct bench_result *r)
{
	struct bench_stream s;
	u64 idle, spun;
	ktime_t start;
	int err;

	bench_stream_init(&s, b, size, 0, nchans);
	memset(r, 0, sizeof(*r));
	bench_count(b, nchans, -1, r);
	idle = idle_ns();
	spun = bench_spun(b);
	start = ktime_get();

	bench_begin(&s, depth, copies);
	err = bench_end(&s);

	r->copies = copies;
	r->issues = atomic64_read(&s.issues);
	r->ns = ktime_to_ns(ktime_sub(s.end, start));
	r->spun = s.spun - spun;
	idle = idle_ns() - idle;
	r->busy_ns = ktime_to_ns(ktime_sub(ktime_get(), start)) * num_online_cpus();
	r->busy_ns = r->busy_ns > idle ? r->busy_ns - idle : 0;
	bench_count(b, nchans, 1, r);
	return err;
}

static int bench_compare_results(const void *a, const void *b)
{
	const struct bench_result *x = a, *y = b;

	return x->ns < y->ns ? -1 : x->ns > y->ns;
}

/*
 * Copies that fill a window.  How many these are shorter runs tell, of which the
 * host may have disturbed one: a run that is too short makes another necessary,
 * and what is reported is never the run that the number was taken from.
 */
static int bench_first_window(struct bench *b, size_t size, unsigned int nchans,
			      unsigned int depth, struct bench_result *r)
{
	u64 window = (u64)window_ms * NSEC_PER_MSEC;
	u64 copies = 2 * depth * nchans, next;
	bool measured = false;
	int err;

	for (;;) {
		err = bench_stream(b, size, nchans, depth, copies, r);
		if (err)
			return err;
		if (measured && r->ns >= window / 2)
			return 0;
		next = div64_u64(copies * window, r->ns + 1);
		measured = r->ns >= window / 8;
		/* Never trust a short run too far. */
		copies = clamp_t(u64, next, 2 * depth * nchans, copies * 8);
	}
}

/*
 * All windows of streams that take turns: what disturbs one disturbs the others.  They
 * are sorted then.
 */
static int bench_windows(struct bench *b, size_t size, const unsigned int *nchans, unsigned int n,
			 unsigned int depth, struct bench_result (*all)[BENCH_MAX_WINDOWS])
{
	unsigned int i, window;
	int err;

	for (i = 0; i < n; i++) {
		err = bench_first_window(b, size, nchans[i], depth, &all[i][0]);
		if (err)
			return err;
	}
	for (window = 1; window < windows; window++) {
		for (i = 0; i < n; i++) {
			err = bench_stream(b, size, nchans[i], depth,
					   all[i][0].copies, &all[i][window]);
			if (err)
				return err;
		}
	}
	for (i = 0; i < n; i++)
		sort(all[i], windows, sizeof(all[i][0]), bench_compare_results, NULL);
	return 0;
}

/*
 * The same, with the buffers mapped for it, and compared afterwards.  The last
 * of @nchans is the highest.
 */
static int bench_measure_in_turn(struct bench *b, size_t size, const unsigned int *nchans,
				 unsigned int n, unsigned int depth,
				 struct bench_result (*all)[BENCH_MAX_WINDOWS])
{
	size_t len = size * nchans[n - 1];
	int err;

	bench_clear(b, len);
	err = bench_map(b, len);
	if (err)
		return err;
	err = bench_windows(b, size, nchans, n, depth, all);
	bench_unmap(b, len);
	return err ?: bench_compare(b, len);
}

/* The median of as many windows as are asked for. */
static int bench_measure(struct bench *b, size_t size, unsigned int nchans,
			 unsigned int depth, struct bench_result *r)
{
	struct bench_result all[1][BENCH_MAX_WINDOWS];
	int err;

	err = bench_measure_in_turn(b, size, &nchans, 1, depth, all);
	if (!err)
		*r = all[0][windows / 2];
	return err;
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
			bench_copy(b, size);
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

static void bench_report_result(const struct bench *b, size_t size, unsigned int nchans,
				unsigned int depth, const struct bench_result *r)
{
	pr_info("mode=%s kind=dma size=%zu depth=%u channels=%u engines=%u copies=%llu issues=%llu ns=%llu busy_ns=%llu doorbells=%u irqs=%u reads=%u\n",
		mode, size, depth, nchans, b->nengines, r->copies, r->issues,
		r->ns, r->busy_ns, r->doorbells, r->irqs,
		r->reads);
}

static int bench_report(struct bench *b, size_t size, unsigned int nchans, unsigned int depth)
{
	struct bench_result r;
	int err;

	err = bench_measure(b, size, nchans, depth, &r);
	if (!err)
		bench_report_result(b, size, nchans, depth, &r);
	return err;
}

static void bench_report_memcpy(struct bench *b, size_t size)
{
	pr_info("mode=%s kind=memcpy size=%zu ns=%llu\n", mode, size, bench_memcpy(b, size));
}

static const size_t bench_sizes[] = {
	64, 256, SZ_1K, SZ_4K, SZ_16K, SZ_64K, SZ_256K, SZ_1M, SZ_4M, SZ_16M,
};

static int bench_mode_sizes(struct bench *b)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(bench_sizes); i++) {
		err = bench_report(b, bench_sizes[i], 1, 8);
		if (!err)
			bench_report_memcpy(b, bench_sizes[i]);
	}
	return err;
}

static int bench_mode_depths(struct bench *b)
{
	unsigned int depth;
	int err = 0;

	for (depth = 1; !err && depth <= 1024; depth *= 2)
		err = bench_report(b, 64, 1, depth);
	for (depth = 1; !err && depth <= 1024; depth *= 2)
		err = bench_report(b, SZ_4K, 1, depth);
	return err;
}

static int bench_mode_channels(struct bench *b)
{
	unsigned int n;
	int err = 0;

	for (n = 1; !err && n <= 16; n *= 2)
		err = bench_request_channels(b, n) ?:
		      bench_report(b, SZ_1M, n, 8) ?:
		      bench_report(b, SZ_4K, n, 32);
	return err;
}

static int bench_mode_scale(struct bench *b)
{
	/* The larger ones leave the guest's CPU next to nothing to do. */
	static const struct { size_t size; unsigned int depth; } scales[] = {
		{ SZ_1M, 8 }, { SZ_4M, 4 }, { BENCH_MAX_SIZE, 4 },
	};
	static const unsigned int nchans[] = { 1, 2 };
	struct bench_result all[ARRAY_SIZE(nchans)][BENCH_MAX_WINDOWS];
	unsigned int i, n;
	int err;

	err = bench_request_channels(b, 2);
	for (i = 0; !err && i < ARRAY_SIZE(scales); i++) {
		err = bench_measure_in_turn(b, scales[i].size, nchans, ARRAY_SIZE(nchans),
					    scales[i].depth, all);
		for (n = 0; !err && n < ARRAY_SIZE(nchans); n++)
			bench_report_result(b, scales[i].size, nchans[n], scales[i].depth,
					    &all[n][windows / 2]);
	}
	return err;
}

static u64 bench_mbps(u64 bytes, u64 ns)
{
	return div64_u64(bytes * 1000, ns + 1);
}

/* Whole percent of the CPU's time that is not spent, or "none". */
static void bench_saved(char *buf, size_t len, u64 spent, u64 whole)
{
	if (spent < whole)
		snprintf(buf, len, "%llu%%", div64_u64((whole - spent) * 100, whole));
	else
		snprintf(buf, len, "none");
}

static int bench_mode_table(struct bench *b)
{
	struct bench_result r;
	u64 cpu, dma, irqs;
	unsigned int i;
	char saved[8];
	int err;

	pr_info("each copy, by DMA (8 in flight) and by the CPU's memcpy(); CPU us: its time, microseconds\n");
	/* loopdmactl knows the columns by this line. */
	pr_info("%8s %9s %12s %12s %14s %10s %10s\n", "bytes", "DMA MB/s", "memcpy MB/s",
		"DMA CPU us", "memcpy CPU us", "irqs/copy", "CPU saved");
	for (i = 0; i < ARRAY_SIZE(bench_sizes); i++) {
		err = bench_measure(b, bench_sizes[i], 1, 8, &r);
		if (err)
			return err;
		cpu = bench_memcpy(b, bench_sizes[i]);
		dma = div64_u64(r.busy_ns, r.copies);
		irqs = div64_u64((u64)r.irqs * 1000, r.copies);
		bench_saved(saved, sizeof(saved), dma, cpu);
		pr_info("%8zu %9llu %12llu %8llu.%03llu %10llu.%03llu %6llu.%03llu %10s\n",
			bench_sizes[i], bench_mbps(r.copies * bench_sizes[i], r.ns),
			bench_mbps(bench_sizes[i], cpu), dma / 1000, dma % 1000, cpu / 1000,
			cpu % 1000, irqs / 1000, irqs % 1000, saved);
	}
	return 0;
}

/* --- the CPU beside the copies --------------------------------------------- */

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

static int bench_start_spinner(struct bench_spinner *sp)
{
	sp->task = kthread_run(bench_spin, sp, "loopdma_spin");
	return PTR_ERR_OR_ZERO(sp->task);
}

static int bench_compare_u32(const void *a, const void *b)
{
	u32 x = *(const u32 *)a, y = *(const u32 *)b;

	return x < y ? -1 : x > y;
}

/* What the spinner counts in a second while nothing is copied. */
static u64 bench_spin_alone(const struct bench_spinner *sp)
{
	ktime_t start = ktime_get();
	u64 count = READ_ONCE(sp->count);

	msleep(window_ms);
	count = READ_ONCE(sp->count) - count;
	return div64_u64(count * NSEC_PER_SEC, ktime_to_ns(ktime_sub(ktime_get(), start)));
}

/* The same beside copies, in thousandths of it, in each of all windows. */
static int bench_progress_windows(struct bench *b, u32 *permille)
{
	struct bench_result r;
	unsigned int i;
	u64 alone;
	int err;

	err = bench_first_window(b, SZ_1M, 1, 8, &r);
	for (i = 0; i < windows && !err; i++) {
		alone = bench_spin_alone(b->spinner);
		err = bench_stream(b, SZ_1M, 1, 8, r.copies, &r);
		permille[i] = div64_u64(r.spun * 1000, div64_u64(alone * r.ns, NSEC_PER_SEC) + 1);
	}
	return err;
}

/*
 * How much of its speed a counting loop keeps while copies stream, in
 * thousandths.  Only means something with one CPU.
 */
static int bench_progress(struct bench *b)
{
	u32 permille[BENCH_MAX_WINDOWS];
	struct bench_spinner sp = { };
	int err;

	bench_clear(b, SZ_1M);
	err = bench_map(b, SZ_1M);
	if (err)
		return err;
	err = bench_start_spinner(&sp);
	if (!err) {
		b->spinner = &sp;
		err = bench_progress_windows(b, permille);
		b->spinner = NULL;
		kthread_stop(sp.task);
	}
	bench_unmap(b, SZ_1M);
	err = err ?: bench_compare(b, SZ_1M);
	if (err)
		return err;
	sort(permille, windows, sizeof(*permille), bench_compare_u32, NULL);
	pr_info("mode=%s kind=progress permille=%u\n", mode, permille[windows / 2]);
	return 0;
}

static int bench_mode_figures(struct bench *b)
{
	bench_report_memcpy(b, SZ_64K);
	return bench_report(b, SZ_1M, 1, 8) ?:
	       bench_report(b, SZ_4K, 1, 64) ?:
	       bench_report(b, SZ_4K, 1, 32) ?:
	       bench_report(b, SZ_4K, 1, 1) ?:
	       bench_progress(b);
}

/* --- copies that go on ------------------------------------------------------ */

/* As in mode=scale. */
#define BUSY_DEPTH(size)	((size) > SZ_1M ? 4 : 8)

static struct bench_stream busy_stream;
static struct bench_spinner busy_spinner;

static int bench_mode_busy(struct bench *b)
{
	int err;

	if (!busy_channels || busy_channels > 2 || !busy_bytes || busy_bytes > BENCH_MAX_SIZE) {
		pr_err("busy_channels must be 1 or 2, busy_bytes from 1 to %u\n", BENCH_MAX_SIZE);
		return -EINVAL;
	}
	err = bench_request_channels(b, busy_channels) ?:
	      bench_map(b, busy_channels * busy_bytes);
	if (err)
		return err;
	if (busy_spin) {
		err = bench_start_spinner(&busy_spinner);
		if (err) {
			bench_unmap(b, busy_channels * busy_bytes);
			return err;
		}
	}
	bench_stream_init(&busy_stream, b, busy_bytes, 0, busy_channels);
	bench_begin(&busy_stream, BUSY_DEPTH(busy_bytes), S64_MAX - 1);
	return 0;
}

static void bench_busy_end(struct bench *b)
{
	bench_stop(&busy_stream);
	bench_end(&busy_stream);
	if (busy_spin)
		kthread_stop(busy_spinner.task);
	bench_unmap(b, busy_channels * busy_bytes);
}

/* --- latency --------------------------------------------------------------- */

/* Not looked at: the first copies find caches cold. */
#define LATENCY_WARMUP	100

/* What the load is: enough to be never out of work. */
#define LATENCY_LOAD	SZ_1M
#define LATENCY_DEPTH	8

/*
 * A driver to compare with may give memory back in a tasklet, from which a client
 * that polls takes the CPU.
 */
static struct dma_async_tx_descriptor *
bench_prep_patiently(struct bench *b, struct dma_chan *chan, size_t off,
		     size_t size, unsigned long flags)
{
	struct dma_async_tx_descriptor *tx;
	unsigned int i;

	for (i = 0; i < 100; i++) {
		tx = bench_prep(b, chan, off, size, flags);
		if (tx)
			return tx;
		usleep_range(50, 100);
	}
	return NULL;
}

/* One copy, until the device is known to have made it.  Its time in ns. */
static int bench_trip_poll(struct bench *b, struct dma_chan *chan, size_t off, size_t size, u32 *ns)
{
	unsigned long timeout = jiffies + CLIENT_TIMEOUT;
	struct dma_async_tx_descriptor *tx;
	ktime_t start = ktime_get();
	enum dma_status status;
	dma_cookie_t cookie;

	tx = bench_prep_patiently(b, chan, off, size, DMA_CTRL_ACK);
	if (!tx)
		return -ENOMEM;
	cookie = dmaengine_submit(tx);
	dma_async_issue_pending(chan);
	for (;;) {
		status = dma_async_is_tx_complete(chan, cookie, NULL, NULL);
		if (status != DMA_IN_PROGRESS)
			break;
		if (time_after(jiffies, timeout)) {
			dmaengine_terminate_sync(chan);
			return -ETIMEDOUT;
		}
		cpu_relax();
	}
	*ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	cond_resched();
	return status == DMA_COMPLETE ? 0 : -EIO;
}

/* One copy, until the client is told.  The time until its callback, in ns. */
static int bench_trip_wait(struct bench *b, struct dma_chan *chan, size_t off, size_t size, u32 *ns)
{
	ktime_t start = ktime_get();
	struct client_wait wait;
	int err;

	err = client_submit_and_wait(chan, bench_prep(b, chan, off, size, CLIENT_FLAGS), &wait,
				     CLIENT_TIMEOUT);
	if (err)
		return err;
	*ns = ktime_to_ns(ktime_sub(wait.end, start));
	return wait.result.result == DMA_TRANS_NOERROR ? 0 : -EIO;
}

/* The sample that all but so many thousandths are no longer than. */
static u32 bench_percentile(const u32 *ns, unsigned int thousandths)
{
	return ns[samples - 1 - (u32)div_u64((u64)samples * thousandths, 1000)];
}

/*
 * Copies one after the other, each waited for.  What else there is, is the
 * caller's: a load, and the class of the channel.
 */
static int bench_latency(struct bench *b, unsigned int index, size_t size,
			 bool poll, bool load, u8 class)
{
	struct dma_chan *chan = b->chan[index];
	size_t off = index * LATENCY_LOAD;
	ktime_t start = 0;
	u32 *ns;
	int i, err = 0;
	u64 total;

	ns = kvmalloc_array(samples, sizeof(*ns), GFP_KERNEL);
	if (!ns)
		return -ENOMEM;
	for (i = -LATENCY_WARMUP; !err && i < (int)samples; i++) {
		if (!i)
			start = ktime_get();
		if (poll)
			err = bench_trip_poll(b, chan, off, size, &ns[max(i, 0)]);
		else
			err = bench_trip_wait(b, chan, off, size, &ns[max(i, 0)]);
	}
	total = ktime_to_ns(ktime_sub(ktime_get(), start));
	if (err) {
		pr_err("a copy of %zu bytes failed: %d\n", size, err);
	} else {
		sort(ns, samples, sizeof(*ns), bench_compare_u32, NULL);
		pr_info("mode=%s kind=latency size=%zu poll=%u load=%u class=%u copies=%u ns=%llu p50_ns=%u p99_ns=%u p999_ns=%u\n",
			mode, size, poll, load, class, samples, total,
			bench_percentile(ns, 500), bench_percentile(ns, 10),
			bench_percentile(ns, 1));
	}
	kvfree(ns);
	return err;
}

static int bench_mode_latency(struct bench *b)
{
	int err;

	err = bench_map(b, LATENCY_LOAD);
	if (err)
		return err;
	err = bench_latency(b, 0, 64, false, false, 0) ?:
	      bench_latency(b, 0, 64, true, false, 0) ?:
	      bench_latency(b, 0, SZ_4K, false, false, 0) ?:
	      bench_latency(b, 0, SZ_4K, true, false, 0);
	bench_unmap(b, LATENCY_LOAD);
	return err;
}

static int bench_set_class(struct dma_chan *chan, u8 class)
{
	struct loopdma_peripheral_config periph = { .priority = class };
	struct dma_slave_config config = {
		.peripheral_config = &periph,
		.peripheral_size = sizeof(periph),
	};

	return dmaengine_slave_config(chan, &config);
}

/* Latency on the second channel, with a load on the first. */
static int bench_latency_loaded(struct bench *b, size_t size, u8 class)
{
	struct bench_stream s;
	int err, err_load;

	err = bench_set_class(b->chan[1], class);
	if (err)
		return err;
	bench_stream_init(&s, b, LATENCY_LOAD, 0, 1);
	bench_begin(&s, LATENCY_DEPTH, U32_MAX);
	err = bench_latency(b, 1, size, false, true, class);
	bench_stop(&s);
	err_load = bench_end(&s);
	return err ?: err_load;
}

/* How long a copy takes alone, beside its like, and beside a lower class. */
static int bench_mode_priority(struct bench *b)
{
	/* What the virtual CPU copies itself, and what it leaves to the engines. */
	static const size_t sizes[] = { SZ_4K, SZ_64K };
	unsigned int i;
	int err;

	err = bench_request_channels(b, 2) ?: bench_map(b, 2 * LATENCY_LOAD);
	if (err)
		return err;
	for (i = 0; !err && i < ARRAY_SIZE(sizes); i++)
		err = bench_set_class(b->chan[1], 0) ?:
		      bench_latency(b, 1, sizes[i], false, false, 0) ?:
		      bench_latency_loaded(b, sizes[i], 0) ?:
		      bench_latency_loaded(b, sizes[i], 3);
	bench_unmap(b, 2 * LATENCY_LOAD);
	return err;
}

/* --- what it costs the CPU ------------------------------------------------- */

/* Outstanding, where it is to be seen whether that makes a difference. */
#define COST_FEW	10
#define COST_MANY	100000

/* How often a measurement is repeated that an interrupt came into. */
#define COST_TRIES	20

/* Looks at the device's counters before it is given up. */
#define COST_LOOKS	10000000

/**
 * struct bench_cost - ticks of the cycle counter
 * @prep: in prep
 * @submit: in submit
 * @issue: in issue_pending
 * @complete: from the first interrupt to behind the last callback
 */
struct bench_cost {
	u64 prep;
	u64 submit;
	u64 issue;
	u64 complete;
};

/**
 * struct bench_batch - copies that are outstanding together
 * @b: buffers and channels
 * @size: bytes of a copy
 * @n: number of copies
 * @per_chan: how many of them a channel is to have, those before have to be full
 * @nchans: number of channels that have some
 * @count: their number on each
 * @tx: their transactions, while there is need of them
 * @left: those whose callback is still to come
 * @failed: those whose result was not good
 * @end: when the last callback came
 */
struct bench_batch {
	struct bench *b;
	size_t size;
	u32 n;
	u32 per_chan;
	unsigned int nchans;
	u32 count[LOOPDMA_MAX_CHANNELS];
	struct dma_async_tx_descriptor **tx;
	u32 left;
	u32 failed;
	cycles_t end;
};

static void bench_batch_callback(void *param, const struct dmaengine_result *result)
{
	struct bench_batch *batch = param;

	if (result->result != DMA_TRANS_NOERROR)
		batch->failed++;
	if (!--batch->left)
		batch->end = get_cycles();
}

/*
 * Prepare all.  A channel that takes no more, because its pool is empty, makes
 * the next one necessary.
 */
static int bench_batch_prep(struct bench_batch *batch)
{
	struct dma_async_tx_descriptor *tx;
	struct bench *b = batch->b;
	unsigned int ch = 0;
	u32 i;

	memset(batch->count, 0, sizeof(batch->count));
	for (i = 0; i < batch->n; i++) {
		tx = NULL;
		if (batch->count[ch] < batch->per_chan)
			tx = bench_prep(b, b->chan[ch], 0, batch->size, CLIENT_FLAGS);
		if (!tx && ch + 1 < b->nchans)
			tx = bench_prep(b, b->chan[++ch], 0, batch->size, CLIENT_FLAGS);
		if (!tx)
			return -ENOSPC;
		tx->callback_result = bench_batch_callback;
		tx->callback_param = batch;
		batch->tx[i] = tx;
		batch->count[ch]++;
	}
	batch->nchans = ch + 1;
	return 0;
}

/* Has the device done everything that it can without the CPU, and said so? */
static bool bench_batch_done(const struct bench_batch *batch,
			     const u32 *descriptors, const u32 *irqs)
{
	const struct bench *b = batch->b;
	unsigned int i;

	for (i = 0; i < batch->nchans; i++) {
		if (bench_chan_counter(b, b->chan[i],
				       LOOPDMA_CH_CNT_DESCRIPTORS) -
		    descriptors[i] < batch->count[i])
			return false;
		if (bench_chan_counter(b, b->chan[i], LOOPDMA_CH_CNT_INTERRUPTS) == irqs[i])
			return false;
	}
	return true;
}

/*
 * With interrupts disabled, so that nothing comes in between: prepare, submit,
 * issue, and wait until the device has interrupted.  Enabled, they are handled
 * at once, callbacks included.
 */
static int bench_batch_go(struct bench_batch *batch, struct bench_cost *c)
{
	u32 descriptors[LOOPDMA_MAX_CHANNELS], irqs[LOOPDMA_MAX_CHANNELS];
	struct bench *b = batch->b;
	cycles_t t[5] = { };
	unsigned int i;
	u32 looks = 0;
	int err;

	for (i = 0; i < b->nchans; i++) {
		descriptors[i] = bench_chan_counter(b, b->chan[i], LOOPDMA_CH_CNT_DESCRIPTORS);
		irqs[i] = bench_chan_counter(b, b->chan[i], LOOPDMA_CH_CNT_INTERRUPTS);
	}
	batch->left = batch->n;
	batch->failed = 0;

	local_irq_disable();
	t[0] = get_cycles();
	err = bench_batch_prep(batch);
	if (err) {
		local_irq_enable();
		return err;
	}
	t[1] = get_cycles();
	for (i = 0; i < batch->n; i++)
		dmaengine_submit(batch->tx[i]);
	t[2] = get_cycles();
	for (i = 0; i < batch->nchans; i++)
		dma_async_issue_pending(b->chan[i]);
	t[3] = get_cycles();
	while (!bench_batch_done(batch, descriptors, irqs)) {
		if (++looks == COST_LOOKS)
			break;
		cpu_relax();
	}
	t[4] = get_cycles();
	local_irq_enable();

	/* Whatever the interrupts have left to others. */
	for (i = 0; READ_ONCE(batch->left); i++) {
		if (looks == COST_LOOKS || i == CLIENT_TIMEOUT) {
			for (i = 0; i < batch->nchans; i++)
				dmaengine_terminate_sync(b->chan[i]);
			return -ETIMEDOUT;
		}
		schedule_timeout_uninterruptible(1);
	}
	c->prep = t[1] - t[0];
	c->submit = t[2] - t[1];
	c->issue = t[3] - t[2];
	c->complete = batch->end - t[4];
	return batch->failed ? -EIO : 0;
}

/*
 * The same, between two ticks of the clock if it is short enough for that.  Where
 * the host may stop the CPU for a while it never may be.
 */
static int bench_batch_undisturbed(struct bench_batch *batch, struct bench_cost *c)
{
	unsigned int i;
	u64 tick;
	int err;

	for (i = 0; i < COST_TRIES; i++) {
		tick = get_jiffies_64();
		while (!time_after64(get_jiffies_64(), tick))
			cpu_relax();
		/* Each unlock takes longer while another task is to run. */
		cond_resched();
		tick = get_jiffies_64();
		err = bench_batch_go(batch, c);
		if (err || !time_after64(get_jiffies_64(), tick) || batch->n > COST_MANY / 10)
			return err;
	}
	if (!exact)
		return 0;
	pr_err("%u copies of %zu bytes take longer than a tick of the clock\n",
	       batch->n, batch->size);
	return -EBUSY;
}

/* Copies on as few channels as can have them, per_chan on each. */
static int bench_cost(struct bench *b, unsigned int run, size_t size, u32 n, u32 per_chan)
{
	struct bench_batch batch = { .b = b, .size = size, .n = n, .per_chan = per_chan };
	struct bench_cost c;
	unsigned int i;
	int err;

	batch.tx = kvcalloc(n, sizeof(*batch.tx), GFP_KERNEL);
	err = batch.tx ? 0 : -ENOMEM;
	/* The first one finds caches cold, here and in the emulator. */
	for (i = 0; i < 2 && !err; i++)
		err = bench_batch_undisturbed(&batch, &c);
	if (!err)
		pr_info("mode=%s kind=cost run=%u size=%zu depth=%u channels=%u first=%u prep=%llu submit=%llu issue=%llu complete=%llu\n",
			mode, run, size, n, batch.nchans, batch.count[0],
			c.prep, c.submit, c.issue, c.complete);
	else if (err != -EBUSY)
		pr_err("%u copies of %zu bytes failed: %d\n", n, size, err);
	kvfree(batch.tx);
	return err;
}

/*
 * The cycle counter in terms of time.  Where it counts instructions, as it does
 * with QEMU's -icount, the same code takes the same each time.
 */
static int bench_clock(void)
{
	cycles_t loop[8], start;
	unsigned int i, n;
	ktime_t time;

	for (i = 0; i < ARRAY_SIZE(loop); i++) {
		local_irq_disable();
		start = get_cycles();
		for (n = 0; n < 1000; n++)
			barrier();
		loop[i] = get_cycles() - start;
		local_irq_enable();
	}
	/* The first round may have been one of translation. */
	for (i = 2; exact && i < ARRAY_SIZE(loop); i++) {
		if (loop[i] != loop[1]) {
			pr_err("the cycle counter does not count instructions: use -icount shift=0\n");
			return -EINVAL;
		}
	}
	time = ktime_get();
	start = get_cycles();
	mdelay(20);
	start = get_cycles() - start;
	pr_info("mode=%s kind=clock cycles=%llu ns=%llu\n", mode, (u64)start,
		(u64)ktime_to_ns(ktime_sub(ktime_get(), time)));
	return 0;
}

static int bench_cost_sizes(struct bench *b, unsigned int run)
{
	static const size_t sizes[] = { 64, SZ_4K, SZ_1M };
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(sizes); i++)
		err = bench_cost(b, run, sizes[i], 1, U32_MAX) ?:
		      bench_cost(b, run, sizes[i], 64, U32_MAX);
	/* As many on each of all channels. */
	return err ?: bench_cost(b, run, SZ_4K, 64 * LOOPDMA_MAX_CHANNELS, 64);
}

/* In pairs: the difference is what one more costs. */
static int bench_cost_outstanding(struct bench *b, unsigned int run)
{
	return bench_cost(b, run, 64, COST_FEW, U32_MAX) ?:
	       bench_cost(b, run, 64, 2 * COST_FEW, U32_MAX) ?:
	       bench_cost(b, run, 64, COST_MANY / 2, U32_MAX) ?:
	       bench_cost(b, run, 64, COST_MANY, U32_MAX);
}

static int bench_cost_mode(struct bench *b, unsigned int nchans,
			   int (*measure)(struct bench *b, unsigned int run))
{
	unsigned int run;
	int err;

	err = bench_request_channels(b, nchans) ?: bench_clock() ?: bench_map(b, SZ_1M);
	if (err)
		return err;
	for (run = 0; run < runs && !err; run++)
		err = measure(b, run);
	bench_unmap(b, SZ_1M);
	return err;
}

static int bench_mode_cost(struct bench *b)
{
	return bench_cost_mode(b, LOOPDMA_MAX_CHANNELS, bench_cost_sizes);
}

static int bench_mode_outstanding(struct bench *b)
{
	/* As many as it takes with the largest ring, and no more. */
	return bench_cost_mode(b, 2, bench_cost_outstanding);
}

/* --- channels -------------------------------------------------------------- */

static u64 bench_free_bytes(void)
{
	struct sysinfo info;

	si_meminfo(&info);
	return (u64)info.freeram * info.mem_unit;
}

static int bench_mode_open(struct bench *b)
{
	u64 bytes, ns;
	ktime_t start;
	int err;

	bench_release_channels(b);
	bytes = bench_free_bytes();
	start = ktime_get();
	err = bench_request_channels(b, LOOPDMA_MAX_CHANNELS);
	ns = ktime_to_ns(ktime_sub(ktime_get(), start));
	if (!err)
		pr_info("mode=%s kind=open channels=%u ns=%llu bytes=%lld\n", mode,
			b->nchans, ns, bytes - bench_free_bytes());
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
		n = min3(n, len - off, (size_t)(PAGE_SIZE - offset_in_page(buf + off)));
		sg_set_page(sg, vmalloc_to_page(buf + off), n, offset_in_page(buf + off));
		off += n;
		if (off == len) {
			sg_mark_end(sg);
			sgt->nents = i + 1;
			return 0;
		}
	}
	return -EINVAL;
}

static struct dma_async_tx_descriptor *
bench_prep_slave(struct dma_chan *chan, struct sg_table *sgt,
		 enum dma_transfer_direction dir)
{
	if (client_configure(chan, dir, LOOPBACK_WIDTH))
		return NULL;
	return dmaengine_prep_slave_sg(chan, sgt->sgl, sgt->nents, dir, DMA_PREP_INTERRUPT);
}

static int bench_loopback_run(struct dma_chan *tx, struct dma_chan *rx,
			      struct sg_table *out, struct sg_table *in)
{
	struct client_wait sent, received;
	int err;

	err = client_submit(bench_prep_slave(rx, in, DMA_DEV_TO_MEM), &received) ?:
	      client_submit(bench_prep_slave(tx, out, DMA_MEM_TO_DEV), &sent);
	if (!err) {
		dma_async_issue_pending(tx);
		dma_async_issue_pending(rx);
		if (!wait_for_completion_timeout(&received.over, CLIENT_TIMEOUT) ||
		    !wait_for_completion_timeout(&sent.over, CLIENT_TIMEOUT))
			err = -ETIMEDOUT;
	}
	dmaengine_terminate_sync(tx);
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
		err = bench_loopback_run(b->chan[0], rx, out, in);
		dma_unmap_sg(b->dev, in->sgl, nents_in, DMA_FROM_DEVICE);
	}
	dma_unmap_sg(b->dev, out->sgl, nents_out, DMA_TO_DEVICE);
	if (!err)
		pr_info("loopback: %u bytes in %u pieces out, %u pieces in\n",
			LOOPBACK_BYTES, nents_out, nents_in);
	return err;
}

static int bench_mode_loopback(struct bench *b)
{
	struct sg_table out = { }, in = { };
	struct dma_chan *rx;
	u8 *sent, *received;
	int err = -ENOMEM;

	/* What one channel of a pair transmits, the other receives. */
	rx = client_request(DMA_SLAVE, &b->pdev->dev, b->chan[0]->chan_id ^ 1);
	if (!rx) {
		pr_err("loopback: the channel's peer is not free\n");
		return -EBUSY;
	}

	sent = vmalloc(LOOPBACK_BYTES);
	received = vzalloc(LOOPBACK_BYTES);
	if (!sent || !received)
		goto out;
	get_random_bytes(sent, LOOPBACK_BYTES);
	err = bench_scatter(&out, sent, LOOPBACK_BYTES) ?:
	      bench_scatter(&in, received, LOOPBACK_BYTES) ?:
	      bench_loopback_mapped(b, rx, &out, &in);
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

/**
 * struct bench_mode - a mode
 * @name: value of parameter mode
 * @run: does it
 * @bytes: size of the buffers, 0 if it uses none
 * @end: ends what goes on until the module is unloaded, NULL if nothing does
 */
struct bench_mode {
	const char *name;
	int (*run)(struct bench *b);
	size_t bytes;
	void (*end)(struct bench *b);
};

static const struct bench_mode bench_modes[] = {
	{ "loopback", bench_mode_loopback },
	{ "table", bench_mode_table, BENCH_MAX_SIZE },
	{ "figures", bench_mode_figures, BENCH_MAX_SIZE },
	{ "sizes", bench_mode_sizes, BENCH_MAX_SIZE },
	{ "depths", bench_mode_depths, BENCH_MAX_SIZE },
	{ "channels", bench_mode_channels, BENCH_MAX_SIZE },
	{ "scale", bench_mode_scale, 2 * BENCH_MAX_SIZE },
	{ "busy", bench_mode_busy, 2 * BENCH_MAX_SIZE, bench_busy_end },
	{ "latency", bench_mode_latency, BENCH_MAX_SIZE },
	{ "priority", bench_mode_priority, BENCH_MAX_SIZE },
	{ "open", bench_mode_open },
	{ "cost", bench_mode_cost, BENCH_MAX_SIZE },
	{ "outstanding", bench_mode_outstanding, BENCH_MAX_SIZE },
};

static const struct bench_mode *bench_find_mode(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bench_modes); i++)
		if (!strcmp(mode, bench_modes[i].name))
			return &bench_modes[i];
	pr_err("there is no mode %s\n", mode);
	return NULL;
}

static struct bench bench;
/* What goes on until the module is unloaded. */
static const struct bench_mode *bench_kept;

static int bench_run(const struct bench_mode *m, struct bench *b)
{
	int err;

	err = bench_request_channels(b, 1);
	if (err)
		return err;
	b->dev = dmaengine_get_dma_device(b->chan[0]);
	if (m->bytes)
		err = bench_alloc_buffers(b, m->bytes) ?: idle_begin();
	if (err)
		return err;
	err = m->run(b);
	if (m->bytes)
		idle_end();
	return err;
}

static void bench_free(struct bench *b)
{
	bench_free_buffers(b);
	bench_close(b);
	pci_dev_put(b->pdev);
}

static int __init bench_init(void)
{
	const struct bench_mode *m = bench_find_mode();
	struct bench *b = &bench;
	int err;

	if (!m)
		return -EINVAL;
	if (!runs || !window_ms || !samples || samples > INT_MAX) {
		pr_err("runs, window_ms and samples must be 1 or more\n");
		return -EINVAL;
	}
	if (!windows || windows > BENCH_MAX_WINDOWS) {
		pr_err("windows must be from 1 to %u\n", BENCH_MAX_WINDOWS);
		return -EINVAL;
	}
	err = bench_wait_for_clock() ?: bench_open(b);
	if (!err) {
		err = bench_run(m, b);
		if (err)
			pr_err("%s failed: %d\n", mode, err);
	}
	if (!err && m->end) {
		bench_kept = m;
		return 0;
	}
	bench_free(b);
	return err;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	if (bench_kept) {
		bench_kept->end(&bench);
		bench_free(&bench);
	}
}
module_exit(bench_exit);

MODULE_DESCRIPTION("loopdma benchmark client");
MODULE_LICENSE("GPL");
