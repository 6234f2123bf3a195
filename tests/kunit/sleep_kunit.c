// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_sleep: suspend and resume, with and without loss of power.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.  Clients do
 * not sleep in them, which is the worst that can happen: what is in flight when the
 * device is suspended goes on when it is resumed (Documentation/driver.rst, "Sleep").
 */
#include <linux/prandom.h>

#include <loopdma/hw.h>
#include "dut.h"

#define LEN 512

/* Longer than what a channel moves at a time. */
#define LONG SZ_256K

struct power {
	const char *name;
	bool lost;
};

static const struct power powers[] = {
	{ "power kept", false },
	{ "power lost", true },
};

KUNIT_ARRAY_PARAM_DESC(powers, powers, name);

/* Rule: what is in the ring, and what is submitted meanwhile, is done. */
static void in_flight(struct kunit *test)
{
	const struct power *power = test->param_value;
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
	ldk_resume(dut, power->lost);
	ldk_expect_copied(x, 4);
	KUNIT_EXPECT_TRUE(test, x[0].stamp < x[1].stamp &&
			  x[1].stamp < x[2].stamp && x[2].stamp < x[3].stamp);
	ldk_copy_ok(dut, idle, LEN);
}

/* Rule: a transfer goes on where it was, to the byte. */
static void midway(struct kunit *test)
{
	const struct power *power = test->param_value;
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
	ldk_resume(dut, power->lost);
	KUNIT_EXPECT_EQ(test, LEN - 200, ldk_residue(r));
	ldk_do(dut, ldk_prep_slave(tx, src->dma + 200, LEN - 200, DMA_MEM_TO_DEV));
	ldk_finish(r);
	ldk_expect_moved(dut, dst, src);
}

/* Rule: so does one that goes round, in the period where it was. */
static void midway_round(struct kunit *test)
{
	const struct power *power = test->param_value;
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
	ldk_resume(dut, power->lost);
	KUNIT_EXPECT_EQ(test, 3 * LEN / 2, ldk_residue(r));
	ldk_do(dut, ldk_prep_slave(tx, src->dma + 5 * LEN / 2, 3 * LEN / 2, DMA_MEM_TO_DEV));
	KUNIT_EXPECT_TRUE(test, ldk_poll(READ_ONCE(r->calls) == 4));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(rx));
	ldk_expect_moved(dut, dst, src);
}

/* Rule: what the client has paused stays so, and goes on when the client says so. */
static void paused(struct kunit *test)
{
	const struct power *power = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 2, LEN);
	unsigned int i;

	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	for (i = 0; i < 2; i++)
		ldk_start_copy(&x[i]);
	ldk_suspend(dut);
	ldk_resume(dut, power->lost);
	ldk_round_trip(dut);
	ldk_expect_status(&x[0], DMA_PAUSED);
	ldk_expect_unaffected(x, 2);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	ldk_expect_copied(x, 2);
}

/* Rule: pause and resume of a device that sleeps are in force when it wakes up. */
static void paused_asleep(struct kunit *test)
{
	const struct power *power = test->param_value;
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
	ldk_resume(dut, power->lost);
	ldk_expect_copied(y, 1);
	ldk_expect_status(x, DMA_PAUSED);
	ldk_expect_unaffected(x, 1);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	ldk_expect_copied(x, 1);
}

/* Rule: what is terminated while the device sleeps is not moved when it wakes up. */
static void terminated_asleep(struct kunit *test)
{
	const struct power *power = test->param_value;
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
	ldk_resume(dut, power->lost);
	ldk_expect_copied(&x[2], 1);
	ldk_expect_unaffected(x, 2);
}

/* Rule: a channel that is released while the device sleeps can be requested again. */
static void released_asleep(struct kunit *test)
{
	const struct power *power = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	unsigned int index = ldk_index(chan);

	ldk_suspend(dut);
	ldk_release(dut, chan);
	ldk_resume(dut, power->lost);
	chan = ldk_request_index(dut, index);
	ldk_copy_ok(dut, chan, LEN);
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
	KUNIT_CASE_PARAM(in_flight, powers_gen_params),
	KUNIT_CASE_PARAM(midway, powers_gen_params),
	KUNIT_CASE_PARAM(midway_round, powers_gen_params),
	KUNIT_CASE_PARAM(paused, powers_gen_params),
	KUNIT_CASE_PARAM(paused_asleep, powers_gen_params),
	KUNIT_CASE_PARAM(terminated_asleep, powers_gen_params),
	KUNIT_CASE_PARAM(released_asleep, powers_gen_params),
	KUNIT_CASE(under_load),
	KUNIT_CASE(without_pause),
	KUNIT_CASE(pause_lost),
	KUNIT_CASE(gone_asleep),
	{ }
};

LDK_SUITE("loopdma_sleep", sleep_cases);
