// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_sleep: suspend and resume, with and without loss of power.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.  Clients do
 * not sleep in them, which is the worst that can happen: what is in flight when the
 * device is suspended goes on when it is resumed (Documentation/driver.rst, "Sleep").
 */
#include <linux/bitfield.h>
#include <linux/pm_runtime.h>
#include <linux/prandom.h>

#include <loopdma/client.h>
#include <loopdma/hw.h>
#include "dut.h"

#define LEN 512

/* Longer than what a channel moves at a time. */
#define LONG SZ_256K

LDK_POWER_LOST();

/* Rule: what is in the ring, and what is submitted meanwhile, is done. */
static void in_flight(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut), *idle = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 4, LEN);
	unsigned int i;

	ldk_hold(chan);
	for (i = 0; i < 3; i++)
		ldk_start_copy(&x[i]);
	ldk_suspend(dut);
	ldk_unhold(chan);
	ldk_start_copy(&x[3]);
	for (i = 0; i < 4; i++)
		ldk_expect_state(&x[i], DMA_IN_PROGRESS, LEN);
	ldk_expect_unaffected(x, 4);
	ldk_resume(dut, lost);
	ldk_expect_copied(x, 4);
	KUNIT_EXPECT_TRUE(test, x[0].stamp < x[1].stamp &&
			  x[1].stamp < x[2].stamp && x[2].stamp < x[3].stamp);
	ldk_copy_ok(dut, idle, LEN);
}

/* Rule: a transfer goes on where it was, to the byte. */
static void midway(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *src = ldk_src(dut, LEN), *dst = ldk_dst(dut, LEN);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *r;

	ldk_request_pair(dut, &tx, &rx);
	r = ldk_begin(dut, ldk_prep_slave(rx, dst->dma, LEN, DMA_DEV_TO_MEM));
	ldk_do(dut, ldk_prep_slave(tx, src->dma, 200, DMA_MEM_TO_DEV));
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_residue(r) == LEN - 200));
	ldk_suspend(dut);
	KUNIT_EXPECT_EQ(test, LEN - 200, ldk_residue(r));
	ldk_resume(dut, lost);
	KUNIT_EXPECT_EQ(test, LEN - 200, ldk_residue(r));
	ldk_do(dut, ldk_prep_slave(tx, src->dma + 200, LEN - 200, DMA_MEM_TO_DEV));
	ldk_finish(r);
	ldk_expect_moved(dut, dst, src);
}

/* Rule: so does one that goes round, in the period where it was. */
static void midway_round(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *src = ldk_src(dut, 4 * LEN), *dst = ldk_dst(dut, 4 * LEN);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *r;

	ldk_request_pair(dut, &tx, &rx);
	r = ldk_begin(dut,
		      dmaengine_prep_dma_cyclic(rx, dst->dma, 4 * LEN, LEN, DMA_DEV_TO_MEM,
						DMA_PREP_INTERRUPT));
	/* Two periods and a half of four. */
	ldk_do(dut, ldk_prep_slave(tx, src->dma, 5 * LEN / 2, DMA_MEM_TO_DEV));
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_residue(r) == 3 * LEN / 2));
	KUNIT_ASSERT_TRUE(test, ldk_poll(READ_ONCE(r->calls) == 2));
	ldk_suspend(dut);
	ldk_resume(dut, lost);
	KUNIT_EXPECT_EQ(test, 3 * LEN / 2, ldk_residue(r));
	ldk_do(dut, ldk_prep_slave(tx, src->dma + 5 * LEN / 2, 3 * LEN / 2, DMA_MEM_TO_DEV));
	KUNIT_EXPECT_TRUE(test, ldk_poll(READ_ONCE(r->calls) == 4));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(rx));
	ldk_expect_moved(dut, dst, src);
}

/* Rule: what the client has paused stays so, and goes on when the client says so. */
static void paused(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 2, LEN);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	for (i = 0; i < 2; i++)
		ldk_start_copy(&x[i]);
	ldk_suspend(dut);
	ldk_resume(dut, lost);
	ldk_round_trip(dut);
	ldk_expect_status(&x[0], DMA_PAUSED);
	ldk_expect_unaffected(x, 2);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	ldk_expect_copied(x, 2);
}

/* Rule: pause and resume of a device that sleeps are in force when it wakes up. */
static void paused_asleep(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, LEN);
	struct ldk_xfer *y = ldk_copies(dut, other, 1, LEN);

	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(other));
	ldk_suspend(dut);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_pause(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(other));
	ldk_start_copy(x);
	ldk_start_copy(y);
	ldk_resume(dut, lost);
	ldk_expect_copied(y, 1);
	ldk_expect_status(x, DMA_PAUSED);
	ldk_expect_unaffected(x, 1);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	ldk_expect_copied(x, 1);
}

/* Rule: what is terminated while the device sleeps is not moved when it wakes up. */
static void terminated_asleep(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 3, LEN);
	unsigned int i;

	ldk_hold(chan);
	for (i = 0; i < 2; i++)
		ldk_start_copy(&x[i]);
	ldk_suspend(dut);
	ldk_unhold(chan);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_start_copy(&x[2]);
	ldk_resume(dut, lost);
	ldk_expect_copied(&x[2], 1);
	ldk_expect_unaffected(x, 2);
}

/*
 * Rule: however many are done, the client learns of them before the device sleeps; and
 * however many come meanwhile, all are done when it wakes up.
 */
static void many_asleep(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	unsigned int i, before = 200, all = 1000;
	struct ldk_xfer *x = ldk_copies(dut, chan, all, LEN);
	u32 done = ldk_descriptors(chan), doorbells;

	/* Without interrupts, so that nobody looks before the device is suspended. */
	for (i = 0; i < before; i++)
		ldk_queue(&x[i], ldk_prep(&x[i], DMA_CTRL_ACK));
	dma_async_issue_pending(chan);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_descriptors(chan) - done == before));
	ldk_hold(chan);
	ldk_suspend(dut);
	ldk_expect_status(&x[before - 1], DMA_COMPLETE);
	for (; i < all - 1; i++)
		ldk_queue(&x[i], ldk_prep(&x[i], DMA_CTRL_ACK));
	ldk_start_copy(&x[i]);
	doorbells = ldk_doorbells(chan);
	ldk_resume(dut, lost);
	/* All are in the ring when the bottom half has run, in parts. */
	ldk_round_trip(dut);
	if (!lost)
		KUNIT_EXPECT_EQ(test, 4, ldk_doorbells(chan) - doorbells);
	ldk_unhold(chan);
	ldk_expect_copied(x, all);
}

/*
 * Rule: the same of a transaction of which the ring holds nothing just then, since all
 * its pieces so far are done.
 */
static void terminated_between_pieces(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 1);
	struct ldk_buf *dst = ldk_dst(dut, 8 * LEN);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 1), *y;
	u32 done = ldk_descriptors(chan);

	dut->trouble = true;
	/* Nobody is to find that they are done before the device is suspended. */
	ldk_patience(dut, 10 * MSEC_PER_SEC, 0);
	ldk_drop_irq(chan, 8);
	ldk_hold(chan);
	ldk_start(x, chan->device->device_prep_dma_memset_sg(chan, ldk_parts(dut, dst, 8, LEN),
							     8, 0x11, LDK_FLAGS));
	ldk_step(chan, ldk_ring_size(chan));
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_descriptors(chan) - done == ldk_ring_size(chan)));
	ldk_suspend(dut);
	ldk_drop_irq(chan, 0);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	ldk_unhold(chan);
	y = ldk_copies_issued(dut, chan, 3, LEN);
	ldk_resume(dut, lost);
	ldk_expect_copied(y, 3);
	dmaengine_synchronize(chan);
	KUNIT_EXPECT_EQ(test, 0, x->calls);
	ldk_copy_ok(dut, chan, LEN);
}

/* Elements of a byte, in bursts of 16. */
static void configure(struct ldk_dut *dut, struct dma_chan *chan,
		      struct loopdma_peripheral_config periph)
{
	struct dma_slave_config config = {
		.src_addr_width = DMA_SLAVE_BUSWIDTH_1_BYTE,
		.dst_addr_width = DMA_SLAVE_BUSWIDTH_1_BYTE,
		.src_maxburst = 16,
		.dst_maxburst = 16,
		.peripheral_config = &periph,
		.peripheral_size = sizeof(periph),
	};

	KUNIT_ASSERT_EQ(dut->test, 0, dmaengine_slave_config(chan, &config));
}

/* Rule: what is configured while the device sleeps is in force when it wakes up. */
static void configured_asleep(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	u32 pattern = LOOPDMA_CH_PERIPH_PATTERN | FIELD_PREP(LOOPDMA_CH_PERIPH_SEED, 0x5a);
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *dst = ldk_dst(dut, LEN);
	u8 *want = ldk_alloc(test, LEN);
	struct dma_chan *tx, *rx;
	unsigned int i;

	ldk_request_pair(dut, &tx, &rx);
	ldk_suspend(dut);
	configure(dut, rx, (struct loopdma_peripheral_config) {
		.pattern = true, .seed = 0x5a, .priority = 2, .rate = SZ_16M,
	});
	ldk_resume(dut, lost);
	KUNIT_ASSERT_EQ(test, pattern, ldk_register(rx, LOOPDMA_CH_PERIPH));
	KUNIT_ASSERT_EQ(test, SZ_16M, ldk_register(rx, LOOPDMA_CH_RATE));
	KUNIT_ASSERT_EQ(test, 2, ldk_register(rx, LOOPDMA_CH_PRIORITY));
	ldk_do(dut, ldk_prep_slave(rx, dst->dma, LEN, DMA_DEV_TO_MEM));
	for (i = 0; i < LEN; i++)
		want[i] = loopdma_hw_pattern(0x5a, i);
	ldk_expect_data(dut, dst, want);
}

/* Rule: also where something is in flight, which goes on at the new pace where it was. */
static void hurried_asleep(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct loopdma_peripheral_config periph = { .pattern = true, .seed = 0x5a, .rate = 1 };
	struct ldk_buf *dst = ldk_dst(dut, LEN);
	u8 *want = ldk_alloc(test, LEN);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *r;
	unsigned int i;

	ldk_request_pair(dut, &tx, &rx);
	configure(dut, rx, periph);
	/* The first burst of the model comes at once, the next takes its time. */
	r = ldk_begin(dut, ldk_prep_slave(rx, dst->dma, LEN, DMA_DEV_TO_MEM));
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_residue(r) == LEN - 16));
	ldk_suspend(dut);
	periph.rate = 0;
	periph.priority = 1;
	configure(dut, rx, periph);
	ldk_resume(dut, false);
	KUNIT_ASSERT_EQ(test, 0, ldk_register(rx, LOOPDMA_CH_RATE));
	KUNIT_EXPECT_EQ(test, 1, ldk_register(rx, LOOPDMA_CH_PRIORITY));
	ldk_finish(r);
	for (i = 0; i < LEN; i++)
		want[i] = loopdma_hw_pattern(0x5a, i);
	ldk_expect_data(dut, dst, want);
}

/*
 * Rule: one that is requested while the device sleeps keeps it awake afterwards, as any
 * other does (Documentation/driver.rst, "Sleep").
 */
static void requested_asleep(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct device *dev = dut->dev;
	struct dma_chan *chan;

	if (!IS_ENABLED(CONFIG_PM))
		kunit_skip(test, "no CONFIG_PM");
	dut->trouble = true;
	pm_runtime_set_active(dev);
	pm_runtime_enable(dev);
	/* The core of power management does this around the callbacks. */
	pm_runtime_disable(dev);
	ldk_suspend(dut);
	chan = ldk_try_request(dut, DMA_MEMCPY, -1);
	ldk_resume(dut, false);
	pm_runtime_enable(dev);
	KUNIT_EXPECT_NOT_NULL(test, chan);
	if (chan) {
		KUNIT_EXPECT_FALSE(test, pm_runtime_suspended(dev));
		KUNIT_EXPECT_EQ(test, -EAGAIN, pm_runtime_suspend(dev));
		ldk_release(dut, chan);
	}
	KUNIT_EXPECT_GE(test, pm_runtime_suspend(dev), 0);
	KUNIT_EXPECT_TRUE(test, pm_runtime_suspended(dev));
	pm_runtime_disable(dev);
}

/* Rule: a channel that is released while the device sleeps can be requested again. */
static void released_asleep(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	unsigned int index = ldk_index(chan);

	ldk_suspend(dut);
	ldk_release(dut, chan);
	ldk_resume(dut, lost);
	chan = ldk_request_index(dut, index);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: also before the device is awake; what is submitted then is done later. */
static void passed_on_asleep(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x, *y;

	dut->trouble = true;
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_suspend(dut);
	ldk_unhold(chan);
	ldk_drop(dut, chan);
	ldk_request_again(dut, chan);
	y = ldk_copies_issued(dut, chan, 3, LEN);
	ldk_expect_status(y, DMA_IN_PROGRESS);
	ldk_resume(dut, lost);
	ldk_expect_copied(y, 3);
	ldk_expect_unaffected(x, 2);
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: one that is released while it cannot be told to stop keeps its ring until it can,
 * and is stopped then.
 */
static void released_out_of_reach(struct kunit *test)
{
	bool lost = *(const bool *)test->param_value;
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	unsigned int index = ldk_index(chan);
	struct ldk_xfer *x;

	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_suspend(dut);
	loopdma_fake_sleep(dut->fake, true);
	ldk_drop(dut, chan);
	KUNIT_EXPECT_TRUE(test, ldk_has_ring(chan));
	loopdma_fake_sleep(dut->fake, false);
	ldk_resume(dut, lost);
	KUNIT_ASSERT_EQ(test, LOOPDMA_STATE_DISABLED, loopdma_fake_state(dut->fake, index));
	KUNIT_EXPECT_FALSE(test, ldk_has_ring(chan));
	chan = ldk_request_index(dut, index);
	/* The device may hold it still. */
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
	ldk_expect_unaffected(x, 2);
}

static const bool left_paused[] = { false, true };

LDK_DESC(left_paused_desc, bool, "paused: %d")
KUNIT_ARRAY_PARAM(left_paused, left_paused, left_paused_desc);

/*
 * Rule: after hibernation no channel goes on as another kernel has left it, be it a
 * client's or not.
 */
static void left_enabled(struct kunit *test)
{
	bool paused = *(const bool *)test->param_value;
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut), *other;
	struct ldk_xfer *x;
	unsigned int i;

	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	ldk_suspend(dut);
	loopdma_fake_power_cycle(dut->fake);
	for (i = 0; i < ldk_channels(dut); i++)
		loopdma_fake_leave(dut->fake, i, paused);
	ldk_restore(dut);
	for (i = 0; i < ldk_channels(dut); i++)
		if (i != ldk_index(chan))
			KUNIT_ASSERT_EQ(test, LOOPDMA_STATE_DISABLED,
					loopdma_fake_state(dut->fake, i));
	ldk_expect_copied(x, 2);
	for (i = 1; i < ldk_channels(dut); i++) {
		other = ldk_request(dut);
		ldk_copy_ok(dut, other, LEN);
	}
}

/*
 * Rule: none of it depends on when the system falls asleep.  An XOR into one of its
 * sources shows whether a byte was done twice.
 */
static void under_load(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *copier = ldk_request(dut), *chan = ldk_request(dut);
	struct ldk_buf *a = ldk_buf_at(dut, LONG, 0, DMA_BIDIRECTIONAL);
	struct ldk_buf *b = ldk_src(dut, LONG), *c = ldk_dst(dut, LONG);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 3);
	struct ldk_xfer *y = ldk_xfers(dut, copier, 3);
	dma_addr_t sources[2] = { a->dma, b->dma };
	u8 *want = ldk_alloc(test, LONG);
	struct dma_async_tx_descriptor *tx;
	struct rnd_state rnd;
	unsigned int i, j, round;

	prandom_seed_state(&rnd, dut->seed);
	for (round = 0; round < 2 * ldk_rounds(); round++) {
		ldk_buf_fill(dut, a);
		for (i = 0; i < LONG; i++)
			want[i] = a->data[i] ^ b->data[i];
		/* Three times is once. */
		for (j = 0; j < 3; j++) {
			ldk_xfer_again(&x[j]);
			ldk_xfer_again(&y[j]);
			tx = chan->device->device_prep_dma_xor(chan, a->dma,
							       sources, 2, LONG,
							       DMA_PREP_INTERRUPT);
			ldk_start(&x[j], tx);
			ldk_start(&y[j], ldk_prep_copy(copier, c, b));
		}
		udelay(prandom_u32_state(&rnd) % 256);
		ldk_suspend(dut);
		ldk_resume(dut, round % 2);
		for (j = 0; j < 3; j++) {
			ldk_finish(&x[j]);
			ldk_finish(&y[j]);
		}
		ldk_expect_data(dut, a, want);
		ldk_expect_moved(dut, c, b);
	}
}

/*
 * Rule: of a device that cannot be paused nobody knows how far it had got: what it
 * was at ends as aborted, all others are done.
 */
static void without_pause(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_without(test, LOOPDMA_CAPS_PAUSE);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 3, LEN);
	ldk_suspend(dut);
	KUNIT_EXPECT_EQ(test, LOOPDMA_STATE_DISABLED,
			loopdma_fake_state(dut->fake, ldk_index(chan)));
	ldk_resume(dut, true);
	ldk_expect_aborted(x, 1);
	ldk_expect_copied(&x[1], 2);
}

/*
 * Rule: a channel that does not pause again when power was lost is restarted, which
 * ends the pause.
 */
static void pause_lost(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;

	dut->trouble = true;
	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	x = ldk_copies_issued(dut, chan, 1, LEN);
	ldk_suspend(dut);
	loopdma_fake_pause_polls(dut->fake, LOOPDMA_FAKE_NEVER);
	ldk_resume(dut, true);
	ldk_expect_copied(x, 1);
	KUNIT_EXPECT_EQ(test, 1, ldk_repairs(chan).recoveries);
}

/* Rule: a device that is gone when the system wakes up is gone. */
static void gone_asleep(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;

	dut->trouble = true;
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 1, LEN);
	ldk_suspend(dut);
	loopdma_fake_unplug(dut->fake);
	ldk_resume(dut, false);
	ldk_expect_aborted(x, 1);
	KUNIT_EXPECT_NULL(test, ldk_prep(x, LDK_FLAGS));
}

static struct kunit_case sleep_cases[] = {
	KUNIT_CASE_PARAM(in_flight, power_lost_gen_params),
	KUNIT_CASE_PARAM(midway, power_lost_gen_params),
	KUNIT_CASE_PARAM(midway_round, power_lost_gen_params),
	KUNIT_CASE_PARAM(paused, power_lost_gen_params),
	KUNIT_CASE_PARAM(paused_asleep, power_lost_gen_params),
	KUNIT_CASE_PARAM(terminated_asleep, power_lost_gen_params),
	KUNIT_CASE_PARAM(many_asleep, power_lost_gen_params),
	KUNIT_CASE_PARAM(terminated_between_pieces, power_lost_gen_params),
	KUNIT_CASE_PARAM(configured_asleep, power_lost_gen_params),
	KUNIT_CASE(hurried_asleep),
	KUNIT_CASE(requested_asleep),
	KUNIT_CASE_PARAM(released_asleep, power_lost_gen_params),
	KUNIT_CASE_PARAM(passed_on_asleep, power_lost_gen_params),
	KUNIT_CASE_PARAM(released_out_of_reach, power_lost_gen_params),
	KUNIT_CASE_PARAM(left_enabled, left_paused_gen_params),
	KUNIT_CASE(under_load),
	KUNIT_CASE(without_pause),
	KUNIT_CASE(pause_lost),
	KUNIT_CASE(gone_asleep),
	{ }
};

LDK_SUITE("loopdma_sleep", sleep_cases);
