// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: what the suites share.
 *
 * Finds the device under test by name, keeps account of what a case holds, and
 * gives it all back in the right order.
 */
#include <linux/cpumask.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/glob.h>
#include <linux/hardirq.h>
#include <linux/irq_work.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/panic.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <kunit/resource.h>
#include <trace/events/printk.h>

#include "conform.h"

#define DCT_GUARD	64
#define DCT_GUARD_BYTE	0xa5

/* Length of the pattern in what is read: a prime. */
#define DCT_PATTERN	4093

static char *device;
module_param(device, charp, 0444);
MODULE_PARM_DESC(device,
		 "DMA device under test: name of the device or of its driver (default: any)");

static char *channel;
module_param(channel, charp, 0444);
MODULE_PARM_DESC(channel,
		 "Channel under test, dma0chan0 say; cases of several channels need others as well (default: any)");

static char *tx;
module_param(tx, charp, 0444);
MODULE_PARM_DESC(tx,
		 "Slave channel whose data comes back through that of rx (default: none)");

static char *rx;
module_param(rx, charp, 0444);
MODULE_PARM_DESC(rx, "Slave channel that the data of tx comes back through");

static unsigned long long tx_addr;
module_param(tx_addr, ullong, 0444);
MODULE_PARM_DESC(tx_addr,
		 "Address of the peripheral for tx, if it has one (default 0)");

static unsigned long long rx_addr;
module_param(rx_addr, ullong, 0444);
MODULE_PARM_DESC(rx_addr,
		 "Address of the peripheral for rx, if it has one (default 0)");

static unsigned int width;
module_param(width, uint, 0444);
MODULE_PARM_DESC(width,
		 "Bus width of tx and rx in bytes (default 0: the least of both)");

static unsigned int metadata;
module_param(metadata, uint, 0444);
MODULE_PARM_DESC(metadata,
		 "Bytes of metadata that rx receives as tx sends them (default 0: none)");

static bool software;
module_param(software, bool, 0444);
MODULE_PARM_DESC(software,
		 "The device is software, and needs a CPU of this machine (default N)");

static unsigned int timeout = 10000;
module_param(timeout, uint, 0644);
MODULE_PARM_DESC(timeout, "How long to wait for what must happen, ms (default 10000)");

static unsigned int quiet = 20;
module_param(quiet, uint, 0644);
MODULE_PARM_DESC(quiet, "How long to wait for what must not happen, ms (default 20)");

static char *skip = "";
module_param(skip, charp, 0444);
MODULE_PARM_DESC(skip, "Cases to skip, as globs of suite.case with commas between (default: none)");

static char *after = "";
module_param(after, charp, 0444);
MODULE_PARM_DESC(after, "Skip all cases up to this suite.case, and itself (default: none)");

static bool risk;
module_param(risk, bool, 0444);
MODULE_PARM_DESC(risk,
		 "Run the cases that corrupt memory with many providers of the kernel (default N)");

static bool unmaps;
module_param(unmaps, bool, 0444);
MODULE_PARM_DESC(unmaps, "The provider unmaps for its clients, though its channels are private (default N)");

static bool unbind;
module_param(unbind, bool, 0444);
MODULE_PARM_DESC(unbind, "Take the device's driver from it, and give it back (default N)");

static unsigned long long errors;
module_param(errors, ullong, 0444);
MODULE_PARM_DESC(errors, "Bus address that the device can neither read nor write (default 0: none)");

static unsigned int seed;
module_param(seed, uint, 0644);
MODULE_PARM_DESC(seed,
		 "Seed of data, lengths and offsets (default 0: a random one, which is printed)");

/* --- Case and channel ----------------------------------------------------------- */

/**
 * dct_timeout() - how long to wait for what must happen
 *
 * Return: jiffies.
 */
unsigned long dct_timeout(void)
{
	return msecs_to_jiffies(max(READ_ONCE(timeout), 1U));
}

/**
 * dct_quiet() - wait for what must not happen
 *
 * There is no other way to see that a device, of which nothing is known, does
 * not do something.
 */
void dct_quiet(void)
{
	msleep(READ_ONCE(quiet));
}

/* --- What stays until the module goes --------------------------------------------- */

/**
 * struct dct_kept - memory that a callback may find after the end of its case
 * @node: in kept
 * @memory: zeroed at first
 */
struct dct_kept {
	struct list_head node;
	u8 memory[] __aligned(ARCH_KMALLOC_MINALIGN);
};

/* Cases run one at a time. */
static LIST_HEAD(kept);

static void *dct_keep(struct kunit *test, size_t size)
{
	struct dct_kept *k = kzalloc(sizeof(*k) + size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, k);
	list_add(&k->node, &kept);
	return k->memory;
}

/* --- What a case provokes and does not see ----------------------------------------- */

/*
 * Of the case that runs: what the kernel said, and an earlier case that was called back.  Who
 * sets dct_complained first writes the line; who reads it then may find a part of it.
 */
static char dct_complaint[128];
static atomic_t dct_complained = ATOMIC_INIT(1);
static struct dct *dct_late;

static const char * const dct_complaints[] = {
	"BUG: ", "WARNING: ", "UBSAN: ", "DMA-API: ", "refcount_t: ", "Oops", "INFO: task ",
	"rcu: INFO: ", "list_add corruption", "list_del corruption", "nobody cared",
};

/* Any context: a line for the kernel log. */
static void dct_console(void *unused, const char *text, size_t len)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dct_complaints); i++)
		if (strnstr(text, dct_complaints[i], len) &&
		    !atomic_xchg(&dct_complained, 1)) {
			len = min(len, sizeof(dct_complaint) - 1);
			memcpy(dct_complaint, text, len);
			dct_complaint[len] = '\0';
			strim(dct_complaint);
		}
}

/* What taints the kernel the first time, also where no line of its log can be seen. */
static bool dct_tainted(void)
{
	return test_taint(TAINT_WARN) || test_taint(TAINT_DIE) || test_taint(TAINT_BAD_PAGE) ||
	       test_taint(TAINT_SOFTLOCKUP);
}

static bool dct_was_tainted;

static void dct_watch(void)
{
	dct_was_tainted = dct_tainted();
	dct_complaint[0] = '\0';
	atomic_set(&dct_complained, 0);
}

static void dct_judge(struct kunit *test)
{
	/* Callbacks of earlier cases may come at any time. */
	struct dct *late = xchg(&dct_late, NULL);

	/* What the failure below says is none. */
	if (atomic_xchg(&dct_complained, 1))
		KUNIT_FAIL(test, "the kernel complained: %s", dct_complaint);
	else if (!dct_was_tainted && dct_tainted())
		KUNIT_FAIL(test, "the kernel complained, see its log");
	if (late)
		KUNIT_FAIL(test, "a transaction of %s was called back after the end of that case",
			   late->name);
}

/* --- Which cases run ---------------------------------------------------------------- */

/* Whether @name is before the end of what the parameter after says. */
static bool dct_is_before(const char *name)
{
	static bool there, over;
	bool it = !strcmp(name, after);

	if (!after[0] || over)
		return false;
	/* A case with parameters comes several times. */
	over = there && !it;
	there |= it;
	return !over;
}

static bool dct_is_unwanted(struct kunit *test, const char *name)
{
	char *globs = kstrdup(skip, GFP_KERNEL), *rest = globs, *glob;
	bool found = false;

	KUNIT_ASSERT_NOT_NULL(test, globs);
	while (!found && (glob = strsep(&rest, ",")))
		found = glob_match(glob, name);
	kfree(globs);
	return found;
}

/* The suite that runs. */
static const char *dct_suite;

/**
 * dct_suite_init() - of all suites, before their cases
 * @suite: the suite
 *
 * Return: 0.
 */
int dct_suite_init(struct kunit_suite *suite)
{
	dct_suite = suite->name;
	return 0;
}

/**
 * dct_init() - of all suites, before each case
 * @test: case; its priv is its struct dct
 *
 * Return: 0; the case is aborted if there is no memory, or it is not to be run.
 */
int dct_init(struct kunit *test)
{
	struct dct *d = dct_keep(test, sizeof(*d));
	u32 first = READ_ONCE(seed) ?: get_random_u32();

	d->test = test;
	d->cpu = -1;
	snprintf(d->name, sizeof(d->name), "%s.%s", dct_suite, test->name);
	if (dct_is_before(d->name))
		kunit_skip(test, "before the end of after=%s", after);
	if (dct_is_unwanted(test, d->name))
		kunit_skip(test, "asked for by skip=");
	prandom_seed_state(&d->rnd, first);
	/* Who reads the log of a machine that has died looks for this line. */
	kunit_info(test, "begins %s, seed %u\n", d->name, first);
	test->priv = d;
	dct_watch();
	return 0;
}

/**
 * dct_exit() - of all suites, after each case
 * @test: case
 *
 * Runs before KUnit frees what the case has allocated, so channels are quiet
 * when memory that they were told of goes.
 */
void dct_exit(struct kunit *test)
{
	struct dct *d = test->priv;

	if (!d)
		return;
	while (d->nheld)
		dct_release(d, d->held[d->nheld - 1]);
	WRITE_ONCE(d->over, true);
	dct_judge(test);
}

static bool dct_filter(struct dma_chan *chan, void *name)
{
	struct device *dev = chan->device->dev;

	if (device && strcmp(device, dev_name(dev)) &&
	    strcmp(device, dev_driver_string(dev)))
		return false;
	return !name || !strcmp(name, dma_chan_name(chan));
}

/**
 * dct_is_wanted() - is a channel one of the device under test?
 * @chan: channel
 *
 * Return: true if it is.
 */
bool dct_is_wanted(struct dma_chan *chan)
{
	return dct_filter(chan, NULL);
}

/**
 * dct_try_request() - request a channel of the device under test
 * @d: case; gives it back at its end
 * @mask: capabilities that it shall have
 * @name: of the channel, or NULL for any
 *
 * Return: the channel, or NULL.
 */
struct dma_chan *dct_try_request(struct dct *d, const dma_cap_mask_t *mask,
				 const char *name)
{
	struct dma_chan *chan;

	KUNIT_ASSERT_LT(d->test, d->nheld, DCT_MAX_HELD);
	/* That of the parameter first, others when the case has it. */
	if (!name && !d->nheld)
		name = channel;
	chan = __dma_request_channel(mask, dct_filter, (void *)name, NULL);
	if (chan)
		d->held[d->nheld++] = chan;
	return chan;
}

/**
 * dct_try_request_cap() - request a channel that can do something
 * @d: case
 * @cap: what
 *
 * Return: the channel, or NULL.
 */
struct dma_chan *dct_try_request_cap(struct dct *d,
				     enum dma_transaction_type cap)
{
	dma_cap_mask_t mask;

	dma_cap_zero(mask);
	dma_cap_set(cap, mask);
	return dct_try_request(d, &mask, NULL);
}

/**
 * dct_request() - request a channel that can do something
 * @d: case; skipped if there is none
 * @cap: what
 *
 * Return: the channel.
 */
struct dma_chan *dct_request(struct dct *d, enum dma_transaction_type cap)
{
	static const char * const names[DMA_TX_TYPE_END] = {
		[DMA_MEMCPY]	 = "DMA_MEMCPY",
		[DMA_XOR]	 = "DMA_XOR",
		[DMA_PQ]	 = "DMA_PQ",
		[DMA_XOR_VAL]	 = "DMA_XOR_VAL",
		[DMA_PQ_VAL]	 = "DMA_PQ_VAL",
		[DMA_MEMSET]	 = "DMA_MEMSET",
		[DMA_MEMSET_SG]	 = "DMA_MEMSET_SG",
		[DMA_INTERRUPT]	 = "DMA_INTERRUPT",
		[DMA_SLAVE]	 = "DMA_SLAVE",
		[DMA_CYCLIC]	 = "DMA_CYCLIC",
		[DMA_INTERLEAVE] = "DMA_INTERLEAVE",
	};
	struct dma_chan *chan = dct_try_request_cap(d, cap);

	if (!chan)
		kunit_skip(d->test, "no channel%s is free that has %s",
			   d->nheld ? " more" : "", names[cap]);
	return chan;
}

/**
 * dct_request_any() - request a channel, whatever it can do
 * @d: case; skipped if there is none
 *
 * Return: the channel.
 */
struct dma_chan *dct_request_any(struct dct *d)
{
	struct dma_chan *chan;
	dma_cap_mask_t mask;

	dma_cap_zero(mask);
	chan = dct_try_request(d, &mask, NULL);
	if (!chan)
		kunit_skip(d->test, "no channel is free");
	return chan;
}

/**
 * dct_request_pair() - request two slave channels, the one the source of the other
 * @d: case; skipped if the module parameters name none
 * @txp: set to the channel from memory
 * @rxp: set to the channel to memory
 */
void dct_request_pair(struct dct *d, struct dma_chan **txp,
		      struct dma_chan **rxp)
{
	dma_cap_mask_t mask;

	if (!tx || !rx)
		kunit_skip(d->test, "the parameters tx and rx name no loopback");
	dma_cap_zero(mask);
	dma_cap_set(DMA_SLAVE, mask);
	*txp = dct_try_request(d, &mask, tx);
	*rxp = dct_try_request(d, &mask, rx);
	/* Not a lack of the provider's, but of who gave the parameters. */
	KUNIT_ASSERT_NOT_NULL_MSG(d->test, *txp, "no slave channel %s is free", tx);
	KUNIT_ASSERT_NOT_NULL_MSG(d->test, *rxp, "no slave channel %s is free", rx);
}

/**
 * dct_pair_config() - configuration for the channels of a pair
 * @d: case; holds the pair and nothing else
 * @config: set
 *
 * The least width that both have, and bursts of one: anything can be divided
 * into these.
 */
void dct_pair_config(struct dct *d, struct dma_slave_config *config)
{
	struct dma_slave_caps to, from;
	u32 widths;

	KUNIT_ASSERT_EQ(d->test, 0, dma_get_slave_caps(d->held[0], &to));
	KUNIT_ASSERT_EQ(d->test, 0, dma_get_slave_caps(d->held[1], &from));
	widths = to.dst_addr_widths & from.src_addr_widths & ~BIT(DMA_SLAVE_BUSWIDTH_UNDEFINED);
	if (!width && !widths)
		kunit_skip(d->test, "tx and rx have no width in common");

	memset(config, 0, sizeof(*config));
	config->src_addr_width = width ?: __ffs(widths);
	config->dst_addr_width = config->src_addr_width;
	config->src_maxburst = 1;
	config->dst_maxburst = 1;
	config->src_addr = rx_addr;
	config->dst_addr = tx_addr;
}

/**
 * dct_pair_metadata() - how much metadata goes through a pair
 * @d: case; skipped if none does
 *
 * Return: bytes.
 */
size_t dct_pair_metadata(struct dct *d)
{
	if (!metadata)
		kunit_skip(d->test, "the parameter metadata says that none goes from tx to rx");
	return metadata;
}

/**
 * dct_request_again() - request a channel that copies, and that was released
 * @d: case
 * @chan: channel; the case is aborted if it cannot be had
 */
void dct_request_again(struct dct *d, struct dma_chan *chan)
{
	dma_cap_mask_t mask;

	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	KUNIT_ASSERT_PTR_EQ(d->test, chan,
			    dct_try_request(d, &mask, dma_chan_name(chan)));
}

/**
 * dct_forget() - the case releases this channel itself
 * @d: case
 * @chan: channel
 */
void dct_forget(struct dct *d, struct dma_chan *chan)
{
	unsigned int i = 0;

	while (i < d->nheld && d->held[i] != chan)
		i++;
	if (i < d->nheld)
		d->held[i] = d->held[--d->nheld];
}

/**
 * dct_release() - quiesce and release a channel
 * @d: case
 * @chan: channel
 */
void dct_release(struct dct *d, struct dma_chan *chan)
{
	dct_forget(d, chan);
	/* Not every provider can; then release has to cope. */
	dmaengine_terminate_sync(chan);
	dma_release_channel(chan);
}

/**
 * dct_in_order() - does the channel complete in the order of submission?
 * @chan: channel
 *
 * Return: true if it does.
 */
bool dct_in_order(struct dma_chan *chan)
{
	return !dma_has_cap(DMA_COMPLETION_NO_ORDER, chan->device->cap_mask);
}

/**
 * dct_need_terminate() - the case is about termination
 * @d: case; skipped if the provider has none
 * @chan: channel
 */
void dct_need_terminate(struct dct *d, struct dma_chan *chan)
{
	if (!chan->device->device_terminate_all)
		kunit_skip(d->test, "the provider cannot terminate");
}

/**
 * dct_need_device_cpu() - the case holds the CPU until the device has done something
 * @d: case; skipped if the device needs that CPU
 */
void dct_need_device_cpu(struct dct *d)
{
	if (software && num_online_cpus() == 1 && !IS_ENABLED(CONFIG_PREEMPTION))
		kunit_skip(d->test, "the device needs the CPU that waits for it");
}

/**
 * dct_need_risk() - the case corrupts memory where a provider breaks its rule
 * @d: case; skipped unless the parameter risk is set
 * @what: providers that are known to
 */
void dct_need_risk(struct dct *d, const char *what)
{
	if (!risk)
		kunit_skip(d->test, "corrupts memory with %s: only with risk=1", what);
}

/**
 * dct_need_unbind() - the case unbinds the provider while a channel of it is held
 * @d: case; skipped unless the parameter unbind is set, and the provider allows for it
 * @chan: channel
 */
void dct_need_unbind(struct dct *d, struct dma_chan *chan)
{
	if (!chan->device->device_release)
		kunit_skip(d->test, "the provider has no device_release");
	if (!unbind)
		kunit_skip(d->test, "the parameter unbind is not set");
}

/**
 * dct_need_unmap() - the case leaves it to the provider to unmap memory
 * @d: case; skipped if the provider need not do that
 * @chan: channel
 *
 * It is async_tx that asks for it, which has public channels alone.
 */
void dct_need_unmap(struct dct *d, struct dma_chan *chan)
{
	if (dma_has_cap(DMA_PRIVATE, chan->device->cap_mask) && !unmaps)
		kunit_skip(d->test, "the channels are private");
}

/**
 * dct_failed() - has the case failed already?
 * @d: case
 *
 * What repeats a check ends then: one failure is told once.
 *
 * Return: true if it has.
 */
bool dct_failed(struct dct *d)
{
	return READ_ONCE(d->test->status) == KUNIT_FAILURE;
}

/**
 * dct_on_its_cpu() - run on the CPU that gets the interrupts of a channel
 * @d: case; skipped where drivers never run in a hard interrupt
 * @chan: channel that copies, with nothing submitted
 *
 * A model of a device may be done before the register write returns that starts it.
 * But its driver learns of that by an interrupt.  So what is issued with interrupts
 * disabled here is in flight until they are enabled.
 */
void dct_on_its_cpu(struct dct *d, struct dma_chan *chan)
{
	dct_need_hardirq(d);
	dct_copy_ok(d, chan, DCT_LEN);
	KUNIT_ASSERT_GE(d->test, d->cpu, 0);
	KUNIT_ASSERT_EQ(d->test, 0, set_cpus_allowed_ptr(current, cpumask_of(d->cpu)));
}

/* --- Memory ---------------------------------------------------------------------- */

/**
 * dct_rand() - a random number
 * @d: case
 * @n: one more than the largest
 *
 * Return: the number.
 */
u32 dct_rand(struct dct *d, u32 n)
{
	return prandom_u32_state(&d->rnd) % n;
}

/**
 * dct_alloc() - memory that no device knows
 * @d: case; the memory goes with it
 * @size: bytes
 *
 * Return: zeroed memory; the case is aborted if there is none.
 */
void *dct_alloc(struct dct *d, size_t size)
{
	void *p = kunit_kzalloc(d->test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(d->test, p);
	return p;
}

static void dct_unmap(void *data)
{
	struct dct_buf *buf = data;

	dma_unmap_single(buf->dev, buf->dma, buf->len, buf->dir);
}

/*
 * What is read has content that tells where it is from: it repeats, since random
 * bytes take their time, but not after any number of pages.  What is written has
 * a byte that tells what has not been.
 */
static void dct_fill(struct dct *d, struct dct_buf *buf)
{
	size_t n = min_t(size_t, buf->len, DCT_PATTERN), at;

	if (buf->written) {
		memset(buf->want, dct_rand(d, 256), buf->len);
	} else {
		prandom_bytes_state(&d->rnd, buf->want, n);
		for (at = n; at < buf->len; at += n)
			memcpy(buf->want + at, buf->want, min(n, buf->len - at));
	}
	memcpy(buf->data, buf->want, buf->len);
}

/**
 * dct_buf() - allocate and map memory
 * @d: case; the memory goes with it
 * @chan: channel that it is for
 * @len: bytes
 * @offset: from a page boundary
 * @dir: direction
 *
 * It has random content, which what is not written keeps.
 *
 * Return: the memory; the case is aborted if there is none.
 */
struct dct_buf *dct_buf(struct dct *d, struct dma_chan *chan, size_t len,
			size_t offset, enum dma_data_direction dir)
{
	struct dct_buf *buf = dct_alloc(d, sizeof(*buf));
	struct kunit *test = d->test;

	buf->dev = dmaengine_get_dma_device(chan);
	buf->size = 2 * PAGE_SIZE + offset + len + DCT_GUARD;
	buf->len = len;
	buf->dir = dir;
	buf->written = dir == DMA_FROM_DEVICE;
	buf->base = dct_alloc(d, buf->size);
	buf->want = dct_alloc(d, len);
	buf->data = PTR_ALIGN(buf->base + DCT_GUARD, PAGE_SIZE) + offset;

	memset(buf->base, DCT_GUARD_BYTE, buf->size);
	dct_fill(d, buf);
	buf->dma = dma_map_single(buf->dev, buf->data, len, buf->dir);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(buf->dev, buf->dma));
	/*
	 * Where memory is synchronized, what the CPU writes later, and the device is not
	 * to overwrite, is kept only if the device may also read it.
	 */
	if (buf->written && dma_need_sync(buf->dev, buf->dma)) {
		dma_unmap_single(buf->dev, buf->dma, len, buf->dir);
		memcpy(buf->data, buf->want, len);
		buf->dir = DMA_BIDIRECTIONAL;
		buf->dma = dma_map_single(buf->dev, buf->data, len, buf->dir);
		KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(buf->dev, buf->dma));
	}
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, dct_unmap, buf));
	return buf;
}

/**
 * dct_src() - memory for the device to read
 * @d: case
 * @chan: channel
 * @len: bytes
 *
 * Return: the memory.
 */
struct dct_buf *dct_src(struct dct *d, struct dma_chan *chan, size_t len)
{
	return dct_buf(d, chan, len, 0, DMA_TO_DEVICE);
}

/**
 * dct_dst() - memory for the device to write
 * @d: case
 * @chan: channel
 * @len: bytes
 *
 * Return: the memory.
 */
struct dct_buf *dct_dst(struct dct *d, struct dma_chan *chan, size_t len)
{
	return dct_buf(d, chan, len, 0, DMA_FROM_DEVICE);
}

/**
 * dct_refill() - other content
 * @d: case
 * @buf: memory that no transfer is under way for
 */
void dct_refill(struct dct *d, struct dct_buf *buf)
{
	dma_sync_single_for_cpu(buf->dev, buf->dma, buf->len, buf->dir);
	dct_fill(d, buf);
	dma_sync_single_for_device(buf->dev, buf->dma, buf->len, buf->dir);
}

/**
 * dct_is_right() - is in memory what is to be there?
 * @buf: memory
 *
 * Return: true if it is.
 */
bool dct_is_right(struct dct_buf *buf)
{
	bool same;

	if (buf->given)
		return !memcmp(buf->data, buf->want, buf->len);
	dma_sync_single_for_cpu(buf->dev, buf->dma, buf->len, buf->dir);
	same = !memcmp(buf->data, buf->want, buf->len);
	dma_sync_single_for_device(buf->dev, buf->dma, buf->len, buf->dir);
	return same;
}

/**
 * dct_give_mappings() - leave it to the last holder to unmap the memory of a copy
 * @x: copy
 *
 * Nobody looks at the memory until its mappings have ended.
 *
 * Return: what the holders hold, the caller is one; the case is aborted if there is
 * no memory.
 */
struct dmaengine_unmap_data *dct_give_mappings(struct dct_xfer *x)
{
	struct dct_buf *buf[] = { x->src, x->dst };
	struct dmaengine_unmap_data *unmap;
	unsigned int i;

	unmap = dmaengine_get_unmap_data(x->src->dev, 2, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(x->d->test, unmap);
	unmap->len = x->dst->len;
	unmap->to_cnt = 1;
	/* Behind a bounce buffer it is mapped for both, see dct_buf(). */
	if (x->dst->dir == DMA_FROM_DEVICE)
		unmap->from_cnt = 1;
	else
		unmap->bidi_cnt = 1;
	for (i = 0; i < 2; i++) {
		unmap->addr[i] = buf[i]->dma;
		buf[i]->given = true;
		kunit_remove_action(x->d->test, dct_unmap, buf[i]);
	}
	return unmap;
}

/**
 * dct_unmap_copies() - end the mappings of copies, whose device may go then
 * @x: the first of them, complete
 * @n: how many
 */
void dct_unmap_copies(struct dct_xfer *x, unsigned int n)
{
	for (; n--; x++) {
		x->src->given = true;
		kunit_release_action(x->d->test, dct_unmap, x->src);
		x->dst->given = true;
		kunit_release_action(x->d->test, dct_unmap, x->dst);
	}
}

/**
 * dct_check() - in memory must be what is to be there, and nothing around it
 * @d: case
 * @buf: memory
 */
void dct_check(struct dct *d, struct dct_buf *buf)
{
	u8 *end = buf->data + buf->len;
	size_t at = 0;

	if (!dct_is_right(buf)) {
		while (at < buf->len && buf->data[at] == buf->want[at])
			at++;
		KUNIT_FAIL(d->test, "byte %zu of %zu is wrong", at, buf->len);
	}
	KUNIT_EXPECT_NULL_MSG(d->test,
			      memchr_inv(buf->base, DCT_GUARD_BYTE,
					 buf->data - buf->base),
			      "written before a buffer of %zu", buf->len);
	KUNIT_EXPECT_NULL_MSG(d->test,
			      memchr_inv(end, DCT_GUARD_BYTE,
					 buf->base + buf->size - end),
			      "written behind a buffer of %zu", buf->len);
}

/**
 * dct_check_moved() - what was read must have arrived, and nothing else have changed
 * @d: case
 * @dst: memory written
 * @src: memory read, of the same length
 */
void dct_check_moved(struct dct *d, struct dct_buf *dst, struct dct_buf *src)
{
	memcpy(dst->want, src->want, dst->len);
	dct_check(d, dst);
	dct_check(d, src);
}

/**
 * dct_refused() - a bus address that the device gets an error for
 * @d: case, which is skipped if none is known
 */
dma_addr_t dct_refused(struct dct *d)
{
	if (!errors)
		kunit_skip(d->test, "the parameter errors names no address");
	return errors;
}

/* --- Transactions ------------------------------------------------------------------ */

/**
 * dct_callback() - callback_result of all transactions
 * @param: the transaction
 * @result: from the provider
 *
 * Only takes notes: an assertion here would end the thread that it interrupts.
 */
void dct_callback(void *param, const struct dmaengine_result *result)
{
	struct dct_xfer *x = param;
	dma_cookie_t cookie;
	unsigned long flags;

	if (READ_ONCE(x->d->over)) {
		WRITE_ONCE(dct_late, x->d);
		return;
	}
	WRITE_ONCE(x->calls, x->calls + 1);
	WRITE_ONCE(x->d->cpu, raw_smp_processor_id());
	x->stamp = atomic_inc_return(&x->d->stamp);
	if (result)
		x->result = *result;
	x->bad_context = !in_serving_softirq() || in_hardirq() ||
			 irqs_disabled();
	x->in_caller = in_task() && READ_ONCE(x->d->caller) == current;
	spin_lock_irqsave(&x->lock, flags);
	cookie = x->cookie;
	spin_unlock_irqrestore(&x->lock, flags);
	x->status = dmaengine_tx_status(x->chan, cookie, NULL);
	if (x->hook)
		x->hook(x);
	complete_all(&x->done);
}

/**
 * dct_xfers() - transactions to be
 * @d: case; they stay until the module goes
 * @chan: channel
 * @n: how many
 *
 * Return: an array; the case is aborted if there is no memory.
 */
struct dct_xfer *dct_xfers(struct dct *d, struct dma_chan *chan, unsigned int n)
{
	struct dct_xfer *x = dct_keep(d->test, n * sizeof(*x));
	unsigned int i;

	for (i = 0; i < n; i++) {
		x[i].d = d;
		x[i].chan = chan;
		/* What no callback is to find, so that it cannot pass for its word. */
		x[i].status = DMA_IN_PROGRESS;
		x[i].result.result = DMA_TRANS_ABORTED + 1;
		init_completion(&x[i].done);
		spin_lock_init(&x[i].lock);
	}
	return x;
}

/**
 * dct_copies() - copies to be, with memory of their own
 * @d: case
 * @chan: channel
 * @n: how many
 * @len: of each
 *
 * Return: an array.
 */
struct dct_xfer *dct_copies(struct dct *d, struct dma_chan *chan, unsigned int n,
			    size_t len)
{
	struct dct_xfer *x = dct_xfers(d, chan, n);
	unsigned int i;

	for (i = 0; i < n; i++) {
		x[i].src = dct_src(d, chan, len);
		x[i].dst = dct_dst(d, chan, len);
	}
	return x;
}

/**
 * dct_prep() - prepare a copy
 * @x: transaction
 * @flags: DMA_PREP_INTERRUPT and the like
 *
 * Return: descriptor, or whatever the provider gives instead.
 */
struct dma_async_tx_descriptor *dct_prep(struct dct_xfer *x, unsigned long flags)
{
	return dmaengine_prep_dma_memcpy(x->chan, x->dst->dma, x->src->dma,
					 x->dst->len, flags);
}

/**
 * dct_prep_new() - prepare a copy, which must be possible
 * @x: transaction
 * @flags: DMA_PREP_INTERRUPT and the like
 *
 * Return: descriptor; the case is aborted if there is none.
 */
struct dma_async_tx_descriptor *dct_prep_new(struct dct_xfer *x, unsigned long flags)
{
	struct dma_async_tx_descriptor *tx = dct_prep(x, flags);

	KUNIT_ASSERT_NOT_ERR_OR_NULL(x->d->test, tx);
	return tx;
}

/**
 * dct_submit() - submit a prepared transaction
 * @x: transaction; its callback is set
 * @tx: descriptor
 *
 * Any context.
 *
 * Return: true if it was accepted.
 */
bool dct_submit(struct dct_xfer *x, struct dma_async_tx_descriptor *tx)
{
	dma_cookie_t cookie;
	unsigned long flags;

	tx->callback_result = dct_callback;
	tx->callback_param = x;
	/* Somebody else may issue it, and the callback come, before this is over. */
	spin_lock_irqsave(&x->lock, flags);
	cookie = dmaengine_submit(tx);
	x->cookie = cookie;
	spin_unlock_irqrestore(&x->lock, flags);
	return !dma_submit_error(cookie);
}

/**
 * dct_submit_new() - submit what must have been prepared and must be accepted
 * @x: transaction
 * @tx: descriptor, or whatever the provider gave instead
 */
void dct_submit_new(struct dct_xfer *x, struct dma_async_tx_descriptor *tx)
{
	KUNIT_ASSERT_NOT_ERR_OR_NULL(x->d->test, tx);
	KUNIT_ASSERT_TRUE(x->d->test, dct_submit(x, tx));
}

/**
 * dct_start() - submit and issue what must have been prepared and must be accepted
 * @x: transaction
 * @tx: descriptor, or whatever the provider gave instead
 */
void dct_start(struct dct_xfer *x, struct dma_async_tx_descriptor *tx)
{
	dct_submit_new(x, tx);
	dma_async_issue_pending(x->chan);
}

/**
 * dct_submit_copies() - prepare and submit copies
 * @x: the first of them
 * @n: how many
 *
 * The case is aborted if one is not accepted.
 */
void dct_submit_copies(struct dct_xfer *x, unsigned int n)
{
	for (; n--; x++)
		dct_submit_new(x, dct_prep(x, DCT_FLAGS));
}

/**
 * dct_issue_copies() - prepare, submit and issue copies, together
 * @x: the first of them
 * @n: how many
 */
void dct_issue_copies(struct dct_xfer *x, unsigned int n)
{
	dct_submit_copies(x, n);
	dma_async_issue_pending(x->chan);
}

/**
 * dct_wait() - wait for the callback
 * @x: transaction
 *
 * Return: true if it came.
 */
bool dct_wait(struct dct_xfer *x)
{
	return wait_for_completion_timeout(&x->done, dct_timeout());
}

/**
 * dct_finish() - a transaction must come to a good end
 * @x: transaction, issued
 */
void dct_finish(struct dct_xfer *x)
{
	struct kunit *test = x->d->test;

	KUNIT_ASSERT_TRUE_MSG(test, dct_wait(x), "no callback of cookie %d",
			      x->cookie);
	KUNIT_EXPECT_EQ(test, 1, x->calls);
	KUNIT_EXPECT_EQ(test, (int)DMA_TRANS_NOERROR, (int)x->result.result);
	KUNIT_EXPECT_EQ(test, 0, x->result.residue);
	KUNIT_EXPECT_EQ(test, dct_in_order(x->chan) ? (int)DMA_COMPLETE :
						      (int)DMA_OUT_OF_ORDER,
			(int)x->status);
}

/**
 * dct_finish_copies() - copies must come to a good end, up to the first that does not
 * @x: the first of them, issued
 * @n: how many
 */
void dct_finish_copies(struct dct_xfer *x, unsigned int n)
{
	for (; n-- && !dct_failed(x->d); x++) {
		dct_finish(x);
		dct_check_moved(x->d, x->dst, x->src);
	}
}

/**
 * dct_unaffected() - a copy must not have happened, nor be told of
 * @x: transaction
 */
void dct_unaffected(struct dct_xfer *x)
{
	KUNIT_EXPECT_EQ(x->d->test, 0, x->calls);
	dct_check(x->d, x->dst);
}

/**
 * dct_copy_ok() - the channel must be able to copy
 * @d: case
 * @chan: channel
 * @len: bytes
 */
void dct_copy_ok(struct dct *d, struct dma_chan *chan, size_t len)
{
	struct dct_xfer *x = dct_copies(d, chan, 1, len);

	dct_issue_copies(x, 1);
	dct_finish_copies(x, 1);
}

/**
 * dct_status() - status of a transaction
 * @x: transaction, submitted
 *
 * Return: status.
 */
enum dma_status dct_status(struct dct_xfer *x)
{
	return dmaengine_tx_status(x->chan, x->cookie, NULL);
}

/**
 * dct_expect_status() - a transaction must have this status now
 * @x: transaction, submitted
 * @status: the status
 */
void dct_expect_status(struct dct_xfer *x, enum dma_status status)
{
	KUNIT_EXPECT_EQ(x->d->test, (int)status, (int)dct_status(x));
}

/**
 * dct_residue() - bytes of a transaction that were not moved yet
 * @x: transaction, submitted
 *
 * Return: bytes.
 */
u32 dct_residue(struct dct_xfer *x)
{
	struct dma_tx_state state;

	dmaengine_tx_status(x->chan, x->cookie, &state);
	return state.residue;
}

struct dct_hardirq {
	struct irq_work work;
	void (*fn)(void *arg);
	void *arg;
	bool was;
};

static void dct_hardirq(struct irq_work *work)
{
	struct dct_hardirq *h = container_of(work, struct dct_hardirq, work);

	h->was = in_hardirq();
	h->fn(h->arg);
}

/**
 * dct_need_hardirq() - skip the case where drivers never run in a hard interrupt
 * @d: case
 */
void dct_need_hardirq(struct dct *d)
{
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(d->test, "with PREEMPT_RT no lock can be taken so");
}

/**
 * dct_in_hardirq() - run a function in a hard interrupt, and wait for its end
 * @d: case; skipped if there is no such interrupt on this machine
 * @fn: function
 * @arg: of @fn
 */
void dct_in_hardirq(struct dct *d, void (*fn)(void *), void *arg)
{
	struct dct_hardirq h = {
		/* Not a hard one: a spinlock may be taken, as lockdep understands it. */
		.work = IRQ_WORK_INIT(dct_hardirq), .fn = fn, .arg = arg,
	};

	dct_need_hardirq(d);
	irq_work_queue(&h.work);
	irq_work_sync(&h.work);
	if (!h.was)
		kunit_skip(d->test, "irq_work does not interrupt here");
}

static int __init dct_module_init(void)
{
	/* A kernel without tracepoints has taints alone. */
	register_trace_console(dct_console, NULL);
	return 0;
}
module_init(dct_module_init);

static void __exit dct_module_exit(void)
{
	struct dct_kept *k, *next;

	unregister_trace_console(dct_console, NULL);
	tracepoint_synchronize_unregister();
	list_for_each_entry_safe(k, next, &kept, node)
		kfree(k);
}
module_exit(dct_module_exit);

MODULE_DESCRIPTION("KUnit suites for any dmaengine provider");
MODULE_LICENSE("GPL");
