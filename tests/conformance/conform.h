/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmaengine conformance: what the suites share.
 *
 * The suites know a DMA engine by the client API alone: <linux/dmaengine.h> and
 * the DMA API.  Each case says in its comment which rules of rules.txt it is
 * about, as "Rule N:"; scripts/lib/conformance.py reads that.
 *
 * What is not there to be tested is skipped, with a reason, and never passes.
 */
#ifndef DMAENGINE_CONFORM_H
#define DMAENGINE_CONFORM_H

#include <linux/completion.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/jiffies.h>
#include <linux/prandom.h>
#include <linux/sizes.h>
#include <linux/spinlock.h>
#include <kunit/test.h>

#define DCT_MAX_HELD	64

/* Of most transfers; a multiple of every alignment that a device may ask for. */
#define DCT_LEN		512

/* Of those that are to be seen while they run. */
#define DCT_LONG	SZ_256K

/* What clients ask for that wait for a callback. */
#define DCT_FLAGS	(DMA_PREP_INTERRUPT | DMA_CTRL_ACK)

/**
 * struct dct - a case at work
 * @test: the case; not valid any more once @over is set
 * @name: suite and case, as a glob of KUnit's has them
 * @held: channels that it holds
 * @nheld: their number
 * @rnd: state of the generator of data, lengths and offsets
 * @stamp: number of callbacks so far, which gives their order
 * @cpu: CPU that the last callback ran on, or -1
 * @over: the case has ended
 * @caller: task that is inside a call of the client API, or NULL
 *
 * It stays until the module goes, with the transactions: a provider may call back late.
 */
struct dct {
	struct kunit *test;
	char name[64];
	struct dma_chan *held[DCT_MAX_HELD];
	unsigned int nheld;
	struct rnd_state rnd;
	atomic_t stamp;
	int cpu;
	bool over;
	struct task_struct *caller;
};

/**
 * struct dct_buf - memory for a transfer, with guards around it
 * @dev: device it is mapped for
 * @base: what was allocated
 * @size: of @base
 * @data: what the device is told
 * @want: what is to be in @data
 * @len: of @data
 * @dma: bus address of @data
 * @dir: direction of the mapping
 * @written: is for the device to write
 * @given: its mapping is not the case's any more
 */
struct dct_buf {
	struct device *dev;
	u8 *base;
	size_t size;
	u8 *data;
	u8 *want;
	size_t len;
	dma_addr_t dma;
	enum dma_data_direction dir;
	bool written;
	bool given;
};

/**
 * struct dct_xfer - a transaction and what its callback saw
 * @d: case
 * @chan: channel
 * @dst: memory written, of a copy
 * @src: memory read, of a copy
 * @lock: protects @cookie as long as submit may run beside the callback
 * @cookie: from submit
 * @done: completed by the callback
 * @calls: number of callbacks
 * @stamp: number of this callback among all of the case, from 1
 * @result: what the callback got
 * @status: of @cookie, asked for in the callback
 * @bad_context: the callback was called from elsewhere than a softirq
 * @in_caller: the callback was called from within a call of the client API
 * @hook: called at the end of the callback, or NULL
 * @priv: for @hook
 */
struct dct_xfer {
	struct dct *d;
	struct dma_chan *chan;
	struct dct_buf *dst;
	struct dct_buf *src;
	spinlock_t lock;	/* protects cookie while it is submitted */
	dma_cookie_t cookie;
	struct completion done;
	unsigned int calls;
	unsigned int stamp;
	struct dmaengine_result result;
	enum dma_status status;
	bool bad_context;
	bool in_caller;
	void (*hook)(struct dct_xfer *x);
	void *priv;
};

/* --- Case and channel ----------------------------------------------------------- */

int dct_suite_init(struct kunit_suite *suite);
int dct_init(struct kunit *test);
void dct_exit(struct kunit *test);

/**
 * DCT_SUITE() - a suite whose cases have channels of the device under test
 * @_name: of the suite
 * @_cases: array of its cases
 */
#define DCT_SUITE(_name, _cases)					\
static struct kunit_suite dct_suite = {				\
	.name = _name,							\
	.suite_init = dct_suite_init,					\
	.init = dct_init,						\
	.exit = dct_exit,						\
	.test_cases = _cases,						\
};									\
kunit_test_suite(dct_suite)

bool dct_is_wanted(struct dma_chan *chan);
unsigned long dct_timeout(void);
void dct_quiet(void);

struct dma_chan *dct_try_request(struct dct *d, const dma_cap_mask_t *mask,
				 const char *name);
struct dma_chan *dct_request_any(struct dct *d);
struct dma_chan *dct_try_request_cap(struct dct *d,
				     enum dma_transaction_type cap);
struct dma_chan *dct_request(struct dct *d, enum dma_transaction_type cap);
void dct_request_pair(struct dct *d, struct dma_chan **tx, struct dma_chan **rx);
void dct_pair_config(struct dct *d, struct dma_slave_config *config);
size_t dct_pair_metadata(struct dct *d);
void dct_release(struct dct *d, struct dma_chan *chan);
void dct_request_again(struct dct *d, struct dma_chan *chan);
void dct_forget(struct dct *d, struct dma_chan *chan);

bool dct_in_order(struct dma_chan *chan);
void dct_need_terminate(struct dct *d, struct dma_chan *chan);
void dct_need_device_cpu(struct dct *d);
void dct_need_risk(struct dct *d, const char *what);
void dct_need_unbind(struct dct *d, struct dma_chan *chan);
void dct_need_unmap(struct dct *d, struct dma_chan *chan);
bool dct_failed(struct dct *d);

void dct_on_its_cpu(struct dct *d, struct dma_chan *chan);

/* --- Memory ---------------------------------------------------------------------- */

void *dct_alloc(struct dct *d, size_t size);
u32 dct_rand(struct dct *d, u32 n);
struct dct_buf *dct_buf(struct dct *d, struct dma_chan *chan, size_t len,
			size_t offset, enum dma_data_direction dir);
struct dct_buf *dct_src(struct dct *d, struct dma_chan *chan, size_t len);
struct dct_buf *dct_dst(struct dct *d, struct dma_chan *chan, size_t len);
void dct_refill(struct dct *d, struct dct_buf *buf);
void dct_check(struct dct *d, struct dct_buf *buf);
void dct_check_moved(struct dct *d, struct dct_buf *dst, struct dct_buf *src);
dma_addr_t dct_refused(struct dct *d);
bool dct_is_right(struct dct_buf *buf);
struct dmaengine_unmap_data *dct_give_mappings(struct dct_xfer *x);
void dct_unmap_copies(struct dct_xfer *x, unsigned int n);

/* --- Transactions ------------------------------------------------------------------ */

void dct_callback(void *param, const struct dmaengine_result *result);
struct dct_xfer *dct_xfers(struct dct *d, struct dma_chan *chan, unsigned int n);
struct dct_xfer *dct_copies(struct dct *d, struct dma_chan *chan, unsigned int n,
			    size_t len);
struct dma_async_tx_descriptor *dct_prep(struct dct_xfer *x, unsigned long flags);
struct dma_async_tx_descriptor *dct_prep_new(struct dct_xfer *x, unsigned long flags);
bool dct_submit(struct dct_xfer *x, struct dma_async_tx_descriptor *tx);
void dct_submit_new(struct dct_xfer *x, struct dma_async_tx_descriptor *tx);
void dct_start(struct dct_xfer *x, struct dma_async_tx_descriptor *tx);
void dct_submit_copies(struct dct_xfer *x, unsigned int n);
void dct_issue_copies(struct dct_xfer *x, unsigned int n);
bool dct_wait(struct dct_xfer *x);
void dct_finish(struct dct_xfer *x);
void dct_finish_copies(struct dct_xfer *x, unsigned int n);
void dct_unaffected(struct dct_xfer *x);
void dct_copy_ok(struct dct *d, struct dma_chan *chan, size_t len);
enum dma_status dct_status(struct dct_xfer *x);
void dct_expect_status(struct dct_xfer *x, enum dma_status status);
u32 dct_residue(struct dct_xfer *x);

/* Runs a function in a hard interrupt and waits for its end. */
void dct_need_hardirq(struct dct *d);
void dct_in_hardirq(struct dct *d, void (*fn)(void *), void *arg);

/**
 * dct_poll() - wait for a state that no callback tells
 * @cond: condition
 *
 * Return: true once @cond is, false if that takes too long.
 */
#define dct_poll(cond)							\
({									\
	unsigned long __deadline = jiffies + dct_timeout();		\
	bool __ok;							\
									\
	while (!(__ok = (cond)) && time_before(jiffies, __deadline))	\
		cond_resched();						\
	__ok;								\
})

#endif /* DMAENGINE_CONFORM_H */
