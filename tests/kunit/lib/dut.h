/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: the device under test.
 *
 * What the contract suites know of it, that is all but desc, ring and hw.  They
 * speak the dmaengine client API, and this interface to hold, step and upset
 * the device; whether a simulated device or the one on the PCI bus is behind it
 * makes no difference to a case.
 *
 * "provider.rst" and "client.rst" in the comments of the cases are those of
 * the kernel's Documentation/driver-api/dmaengine/; "dmaengine.h" is
 * include/linux/dmaengine.h.
 */
#ifndef LOOPDMA_KUNIT_DUT_H
#define LOOPDMA_KUNIT_DUT_H

#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/dma-mapping.h>
#include <linux/dmaengine.h>
#include <linux/jiffies.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <kunit/test.h>

#include "fake.h"

#define LDK_MAX_HELD	32

/* What is in memory that nobody has written yet. */
#define LDK_POISON_BYTE	0xdb

/**
 * struct ldk_dut - device under test
 * @test: the case
 * @ld: driver instance
 * @dev: device to map memory for
 * @fake: the simulated device, or NULL if it is a PCI device
 * @next: further device of the same case
 * @held: channels that the case holds
 * @nheld: their number
 * @gone: ldk_remove() was called; @ld lives only as long as a channel is held
 * @trouble: the case upsets the device: recoveries, lost interrupts and
 *	what the device calls guest errors are expected
 * @ring_order: setting of @ld when the case began
 * @lost_irqs: sum over the channels when the case began
 * @recoveries: sum over the channels when the case began
 * @impatient: the case has changed the limits of the driver's watchdog
 * @watchdog_ms: what it was before
 * @stuck_ms: the same
 * @seed: of the next pattern
 * @stamp: number of callbacks so far, which gives their order
 */
struct ldk_dut {
	struct kunit *test;
	struct loopdma_dev *ld;
	struct device *dev;
	struct loopdma_fake *fake;
	struct ldk_dut *next;
	struct dma_chan *held[LDK_MAX_HELD];
	unsigned int nheld;
	bool gone;
	bool trouble;
	u8 ring_order;
	u64 lost_irqs;
	u64 recoveries;
	bool impatient;
	u32 watchdog_ms;
	u32 stuck_ms;
	u32 seed;
	atomic_t stamp;
};

/**
 * struct ldk_buf - memory for a transfer, with guards around it
 * @dev: device it is mapped for
 * @base: what was allocated
 * @size: of @base
 * @data: what the device is told
 * @len: of @data
 * @dma: bus address of @data
 * @coherent: bus address of @base if it is coherent memory, else 0
 * @dir: direction of the mapping
 * @seed: of the pattern in @data
 * @given: its mapping is not the case's any more
 */
struct ldk_buf {
	struct device *dev;
	u8 *base;
	size_t size;
	u8 *data;
	size_t len;
	dma_addr_t dma;
	dma_addr_t coherent;
	enum dma_data_direction dir;
	u32 seed;
	bool given;
};

/* What clients ask for that wait for a callback. */
#define LDK_FLAGS	(DMA_PREP_INTERRUPT | DMA_CTRL_ACK)

/**
 * struct ldk_xfer - a transaction and what its callback saw
 * @dut: device
 * @chan: channel
 * @dst: memory written, of a copy with memory of its own
 * @src: memory read, of such a copy
 * @cookie: from submit
 * @done: completed by the callback
 * @calls: number of callbacks
 * @stamp: number of this callback among all of the device, from 1
 * @result: what the callback got
 * @status: of @cookie, asked for in the callback
 * @residue: what tx_status told beside it
 * @bad_context: the callback was not called from a tasklet
 * @locked: the callback was called with the channel's lock held; nothing else
 *	was tried then
 * @hook: called at the end of the callback, or NULL
 * @priv: for @hook
 */
struct ldk_xfer {
	struct ldk_dut *dut;
	struct dma_chan *chan;
	struct ldk_buf *dst;
	struct ldk_buf *src;
	dma_cookie_t cookie;
	struct completion done;
	unsigned int calls;
	unsigned int stamp;
	struct dmaengine_result result;
	enum dma_status status;
	u32 residue;
	bool bad_context;
	bool locked;
	void (*hook)(struct ldk_xfer *x);
	void *priv;
};

/**
 * struct ldk_repairs - what the driver has done to keep a channel going
 * @stalls: transactions without progress that were given up
 * @recoveries: restarts
 * @channel_resets: resets of the channel
 * @device_resets: resets of the function because of the channel
 */
struct ldk_repairs {
	u32 stalls;
	u32 recoveries;
	u32 channel_resets;
	u32 device_resets;
};

/* --- The device ------------------------------------------------------------- */

int ldk_init(struct kunit *test);
void ldk_exit(struct kunit *test);

/**
 * LDK_SUITE() - a suite whose cases have the device under test
 * @_name: of the suite
 * @_cases: array of its cases
 */
#define LDK_SUITE(_name, _cases)					\
static struct kunit_suite ldk_suite = {				\
	.name = _name,							\
	.init = ldk_init,						\
	.exit = ldk_exit,						\
	.test_cases = _cases,						\
};									\
kunit_test_suite(ldk_suite)

struct loopdma_dev *ldk_setup_fake(struct loopdma_fake *fake);
void ldk_teardown_fake(struct loopdma_fake *fake, struct loopdma_dev *ld);
struct ldk_dut *ldk_create_fake(struct kunit *test,
				const struct loopdma_fake_config *cfg);
struct ldk_dut *ldk_fake(struct kunit *test);
struct ldk_dut *ldk_fake_without(struct kunit *test, u32 caps);
struct ldk_dut *ldk_fake_pieces(struct kunit *test, u32 max_len);
struct loopdma_fake_config ldk_unordered_config(u32 max_len);
struct ldk_dut *ldk_fake_unordered(struct kunit *test, u32 max_len);
int ldk_probe_fake(struct kunit *test, const struct loopdma_fake_config *cfg);
void ldk_remove(struct ldk_dut *dut);
void ldk_stop_all(struct ldk_dut *dut);
void ldk_patience(struct ldk_dut *dut, u32 watchdog_ms, u32 stuck_ms);
int ldk_reset(struct ldk_dut *dut);
void ldk_halt(struct ldk_dut *dut);
void ldk_freeze_bus(struct ldk_dut *dut);
void ldk_unhalt(struct ldk_dut *dut);
void ldk_settle(struct ldk_dut *dut);
int ldk_touch_controls(struct ldk_dut *dut);
void ldk_suspend(struct ldk_dut *dut);
void ldk_resume(struct ldk_dut *dut, bool lost);
void ldk_restore(struct ldk_dut *dut);
void ldk_reboot(struct ldk_dut *dut);
bool ldk_shutdown(struct ldk_dut *dut);
void ldk_set_ring_order(struct ldk_dut *dut, unsigned int order);
unsigned int ldk_channels(const struct ldk_dut *dut);
u32 ldk_max_len(const struct ldk_dut *dut);
u32 ldk_fifo_depth(const struct ldk_dut *dut);
u32 ldk_fifo_burst(const struct ldk_dut *dut);
unsigned long ldk_timeout(void);
unsigned int ldk_rounds(void);

/**
 * LDK_DESC() - how a number that is a case's parameter is told in the report
 * @_name: of the function for KUNIT_ARRAY_PARAM()
 * @_type: of the number
 * @_format: for it
 */
#define LDK_DESC(_name, _type, _format)				\
static void _name(const typeof(_type) *value, char *desc)	\
{								\
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, _format, *value);	\
}

/* For power_lost_gen_params: does a device that sleeps lose its power? */
#define LDK_POWER_LOST()					\
static const bool power_lost[] = { false, true };		\
LDK_DESC(power_lost_desc, bool, "power lost: %d")		\
KUNIT_ARRAY_PARAM(power_lost, power_lost, power_lost_desc)

/* --- Channels ---------------------------------------------------------------- */

struct dma_chan *ldk_try_request(struct ldk_dut *dut,
				 enum dma_transaction_type cap, int index);
struct dma_chan *ldk_request(struct ldk_dut *dut);
struct dma_chan *ldk_request_ring(struct ldk_dut *dut, unsigned int order);
struct dma_chan *ldk_request_index(struct ldk_dut *dut, unsigned int index);
void ldk_request_again(struct ldk_dut *dut, struct dma_chan *chan);
void ldk_request_pair(struct ldk_dut *dut, struct dma_chan **tx,
		      struct dma_chan **rx);
void ldk_config(struct ldk_dut *dut, struct dma_chan *chan,
		enum dma_slave_buswidth width, u32 burst);
void ldk_drop(struct ldk_dut *dut, struct dma_chan *chan);
bool ldk_has_faults(const struct ldk_dut *dut);
bool ldk_is_unordered(const struct ldk_dut *dut);
void ldk_release(struct ldk_dut *dut, struct dma_chan *chan);
unsigned int ldk_index(struct dma_chan *chan);

/* --- Controls ----------------------------------------------------------------- */

void ldk_hold(struct dma_chan *chan);
void ldk_step(struct dma_chan *chan, u32 n);
void ldk_unhold(struct dma_chan *chan);
void ldk_fail(struct dma_chan *chan, u32 after, enum dmaengine_tx_result result,
	      u32 bytes);
void ldk_drop_irq(struct dma_chan *chan, u32 n);
void ldk_lie(struct dma_chan *chan, u32 n);
void ldk_stuck(struct dma_chan *chan, u32 level);
void ldk_break(struct dma_chan *chan);
bool ldk_has_ring(struct dma_chan *chan);
void ldk_keep_tasklet(struct dma_chan *chan, bool keep);
void ldk_reset_channel(struct dma_chan *chan);
void ldk_raise(struct dma_chan *chan);
u32 ldk_doorbells(struct dma_chan *chan);
u32 ldk_descriptors(struct dma_chan *chan);
u32 ldk_bytes(struct dma_chan *chan);
u32 ldk_interrupts(struct dma_chan *chan);
bool ldk_asks_who(const struct ldk_dut *dut);
u32 ldk_reg_reads(struct ldk_dut *dut);
u32 ldk_irq_events(void);
u32 ldk_register(struct dma_chan *chan, u32 reg);
u64 ldk_handled(struct dma_chan *chan);
u64 ldk_lost_irqs(struct dma_chan *chan);
u64 ldk_recoveries(struct dma_chan *chan);
struct ldk_repairs ldk_repairs(struct dma_chan *chan);
void ldk_expect_repairs(struct ldk_dut *dut, struct dma_chan *chan,
			struct ldk_repairs before, struct ldk_repairs more);
bool ldk_recovering(struct dma_chan *chan);
bool ldk_watchdog_looks(struct dma_chan *chan, unsigned int n);
bool ldk_lock_held(struct dma_chan *chan);
struct dma_chan_percpu ldk_counts(struct dma_chan *chan);
unsigned int ldk_ring_size(struct dma_chan *chan);
unsigned int ldk_pool_size(struct dma_chan *chan);
unsigned int ldk_pool_used(struct dma_chan *chan);
bool ldk_heap_used(struct dma_chan *chan);

/* --- Memory -------------------------------------------------------------------- */

void *ldk_alloc(struct kunit *test, size_t size);
struct scatterlist *ldk_parts(struct ldk_dut *dut, struct ldk_buf *buf,
			      unsigned int n, size_t len);
struct ldk_buf *ldk_buf_at(struct ldk_dut *dut, size_t len, size_t offset,
			   enum dma_data_direction dir);
dma_addr_t ldk_bad_addr(struct ldk_dut *dut);
struct ldk_buf *ldk_src(struct ldk_dut *dut, size_t len);
struct ldk_buf *ldk_dst(struct ldk_dut *dut, size_t len);
void ldk_buf_fill(struct ldk_dut *dut, struct ldk_buf *buf);
void ldk_sync(struct ldk_buf *buf);
struct dmaengine_unmap_data *ldk_give_mappings(struct ldk_dut *dut,
					       struct ldk_buf *dst,
					       struct ldk_buf *src);
void ldk_buf_poison(struct ldk_buf *buf);
void ldk_buf_set(struct ldk_buf *buf, const u8 *data);
void ldk_buf_flip(struct ldk_buf *buf, size_t at);
void ldk_expect_guards(struct ldk_dut *dut, struct ldk_buf *buf);
void ldk_expect_data(struct ldk_dut *dut, struct ldk_buf *buf, const u8 *want);
void ldk_expect_intact(struct ldk_dut *dut, struct ldk_buf *buf);
void ldk_expect_moved(struct ldk_dut *dut, struct ldk_buf *dst,
		      struct ldk_buf *src);
void ldk_expect_moved_part(struct ldk_dut *dut, struct ldk_buf *dst,
			   struct ldk_buf *src, size_t len);
void ldk_expect_untouched(struct ldk_dut *dut, struct ldk_buf *dst);

/* --- Transactions --------------------------------------------------------------- */

void ldk_callback(void *param, const struct dmaengine_result *result);
void ldk_xfer_init(struct ldk_xfer *x, struct ldk_dut *dut,
		   struct dma_chan *chan);
struct ldk_xfer *ldk_xfers(struct ldk_dut *dut, struct dma_chan *chan,
			   unsigned int n);
void ldk_xfer_again(struct ldk_xfer *x);
struct ldk_xfer *ldk_copies(struct ldk_dut *dut, struct dma_chan *chan,
			    unsigned int n, size_t len);
struct ldk_xfer *ldk_copies_submitted(struct ldk_dut *dut, struct dma_chan *chan,
				      unsigned int n, size_t len);
struct ldk_xfer *ldk_copies_issued(struct ldk_dut *dut, struct dma_chan *chan,
				   unsigned int n, size_t len);
struct dma_async_tx_descriptor *ldk_prep(struct ldk_xfer *x, unsigned long flags);
void ldk_queue_copy(struct ldk_xfer *x);
void ldk_start_copy(struct ldk_xfer *x);
void ldk_expect_copied(struct ldk_xfer *x, unsigned int n);
void ldk_expect_aborted(struct ldk_xfer *x, unsigned int n);
void ldk_expect_unaffected(struct ldk_xfer *x, unsigned int n);
bool ldk_submit(struct ldk_xfer *x, struct dma_async_tx_descriptor *tx);
void ldk_queue(struct ldk_xfer *x, struct dma_async_tx_descriptor *tx);
struct dma_async_tx_descriptor *ldk_prep_copy(struct dma_chan *chan,
					      struct ldk_buf *dst,
					      struct ldk_buf *src);
void ldk_submit_copy(struct ldk_xfer *x, struct ldk_buf *dst,
		     struct ldk_buf *src);
struct dma_async_tx_descriptor *
ldk_prep_slave(struct dma_chan *chan, dma_addr_t addr, size_t len,
	       enum dma_transfer_direction dir);
void ldk_start(struct ldk_xfer *x, struct dma_async_tx_descriptor *tx);
struct ldk_xfer *ldk_begin(struct ldk_dut *dut, struct dma_async_tx_descriptor *tx);
void ldk_do(struct ldk_dut *dut, struct dma_async_tx_descriptor *tx);
void ldk_do_failed(struct ldk_dut *dut, struct dma_async_tx_descriptor *tx,
		   enum dmaengine_tx_result result, u32 residue);
void ldk_finish(struct ldk_xfer *x);
void ldk_finish_failed(struct ldk_xfer *x, enum dmaengine_tx_result result,
		       u32 residue);
bool ldk_wait(struct ldk_xfer *x);
void ldk_expect_ok(struct ldk_xfer *x);
void ldk_expect_failed(struct ldk_xfer *x, enum dmaengine_tx_result result,
		       u32 residue);
void ldk_copy_ok(struct ldk_dut *dut, struct dma_chan *chan, size_t len);
void ldk_round_trip(struct ldk_dut *dut);
void ldk_loop_ok(struct ldk_dut *dut);
enum dma_status ldk_status(struct ldk_xfer *x);
u32 ldk_residue(struct ldk_xfer *x);
void ldk_expect_status(struct ldk_xfer *x, enum dma_status status);
void ldk_expect_state(struct ldk_xfer *x, enum dma_status status, u32 residue);

/**
 * ldk_poll() - wait for a state of the device that no event tells
 * @cond: condition
 *
 * For device counters and the like.  What has a callback is waited for with
 * ldk_wait().
 *
 * Return: true once @cond is, false if that takes too long.
 */
#define ldk_poll(cond)							\
({									\
	unsigned long __deadline = jiffies + ldk_timeout();		\
	bool __ok;							\
									\
	while (!(__ok = (cond)) && time_before(jiffies, __deadline))	\
		usleep_range(50, 100);					\
	__ok;								\
})

#endif /* LOOPDMA_KUNIT_DUT_H */
