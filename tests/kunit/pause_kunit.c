// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_pause: pause and resume, and how far a transaction has got.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.
 */
#include <linux/ktime.h>
#include <loopdma/hw.h>

#include "dut.h"

#define LEN	1000

/**
 * struct loop - a receiver and what it gets sent piece by piece
 * @dut: device
 * @tx: sender
 * @rx: receiver
 * @src: what is sent
 * @dst: where it is received
 * @r: the reception
 * @sent: bytes sent so far
 */
struct loop {
	struct ldk_dut *dut;
	struct dma_chan *tx;
	struct dma_chan *rx;
	struct ldk_buf *src;
	struct ldk_buf *dst;
	struct ldk_xfer *r;
	size_t sent;
};

/* A reception of @len bytes, in bursts of @burst, that waits for its sender. */
static struct loop loop_start(struct ldk_dut *dut, size_t len, u32 burst)
{
	struct loop l = { .dut = dut, .src = ldk_src(dut, len), .dst = ldk_dst(dut, len) };

	ldk_request_pair(dut, &l.tx, &l.rx);
	ldk_config(dut, l.rx, DMA_SLAVE_BUSWIDTH_1_BYTE, burst);
	l.r = ldk_begin(dut, ldk_prep_slave(l.rx, l.dst->dma, len, DMA_DEV_TO_MEM));
	return l;
}

/* Send @n more bytes, and wait until they are gone. */
static void loop_send(struct loop *l, size_t n)
{
	ldk_do(l->dut, ldk_prep_slave(l->tx, l->src->dma + l->sent, n, DMA_MEM_TO_DEV));
	l->sent += n;
}

static void loop_end(struct loop *l)
{
	loop_send(l, l->src->len - l->sent);
	ldk_finish(l->r);
	ldk_expect_moved(l->dut, l->dst, l->src);
}

/* Rule: the operations are told as there are (dma_get_slave_caps()). */
static void told(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_slave_caps caps = { };
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	KUNIT_ASSERT_EQ(test, 0, dma_get_slave_caps(tx, &caps));
	KUNIT_EXPECT_TRUE(test, caps.cmd_pause);
	KUNIT_EXPECT_TRUE(test, caps.cmd_resume);
	KUNIT_EXPECT_EQ(test, (int)DMA_RESIDUE_GRANULARITY_BURST,
			(int)caps.residue_granularity);
}

/* Rule: as above, where the hardware has neither. */
static void told_without(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_without(test, LOOPDMA_CAPS_PAUSE | LOOPDMA_CAPS_PROGRESS);
	struct ldk_buf *dst = ldk_dst(dut, LEN);
	struct dma_slave_caps caps = { };
	struct dma_chan *tx, *rx;
	struct ldk_xfer *x;

	ldk_request_pair(dut, &tx, &rx);
	KUNIT_ASSERT_EQ(test, 0, dma_get_slave_caps(tx, &caps));
	KUNIT_EXPECT_FALSE(test, caps.cmd_pause);
	KUNIT_EXPECT_FALSE(test, caps.cmd_resume);
	KUNIT_EXPECT_EQ(test, (int)DMA_RESIDUE_GRANULARITY_SEGMENT,
			(int)caps.residue_granularity);
	KUNIT_EXPECT_GT(test, 0, dmaengine_pause(tx));
	KUNIT_EXPECT_GT(test, 0, dmaengine_resume(tx));
	/* What is under way counts as a whole. */
	x = ldk_begin(dut, ldk_prep_slave(rx, dst->dma, LEN, DMA_DEV_TO_MEM));
	ldk_expect_state(x, DMA_IN_PROGRESS, LEN);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(rx));
	ldk_copy_ok(dut, tx, 100);
}

/*
 * Rule: the residue is finer than a segment with DMA_RESIDUE_GRANULARITY_BURST:
 * it follows each burst (dmaengine.h), here of one byte.
 */
static void residue_of_receiver(struct kunit *test)
{
	static const size_t steps[] = { 1, 2, 97, 300, 1 };
	struct loop l = loop_start(test->priv, LEN, 1);
	int i;

	ldk_expect_state(l.r, DMA_IN_PROGRESS, LEN);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		loop_send(&l, steps[i]);
		KUNIT_EXPECT_TRUE_MSG(test, ldk_poll(ldk_residue(l.r) ==
						     LEN - l.sent),
				      "step %d: residue %u", i,
				      ldk_residue(l.r));
	}
	loop_end(&l);
	ldk_expect_state(l.r, DMA_COMPLETE, 0);
}

/* Rule: as above, of a sender that fills the FIFO of a receiver that sleeps. */
static void residue_of_sender(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	size_t depth = ldk_fifo_depth(dut), len = depth + LEN;
	struct ldk_buf *src = ldk_src(dut, len), *dst = ldk_dst(dut, len);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *t, *r;

	ldk_request_pair(dut, &tx, &rx);
	t = ldk_begin(dut, ldk_prep_slave(tx, src->dma, len, DMA_MEM_TO_DEV));
	KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_residue(t) == LEN));
	ldk_expect_state(t, DMA_IN_PROGRESS, LEN);
	r = ldk_begin(dut, ldk_prep_slave(rx, dst->dma, len, DMA_DEV_TO_MEM));
	KUNIT_ASSERT_TRUE(test, ldk_wait(r));
	KUNIT_ASSERT_TRUE(test, ldk_wait(t));
	ldk_expect_state(t, DMA_COMPLETE, 0);
	ldk_expect_moved(dut, dst, src);
}

/* Rule: the residue never grows while a transaction runs (provider.rst). */
static void residue_never_grows(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct loop l = loop_start(dut, SZ_64K, 4);
	u32 last = SZ_64K, now;
	struct ldk_xfer *t;

	t = ldk_begin(dut, ldk_prep_slave(l.tx, l.src->dma, SZ_64K, DMA_MEM_TO_DEV));
	while ((now = ldk_residue(l.r))) {
		if (now > last) {
			KUNIT_FAIL(test, "%u after %u", now, last);
			break;
		}
		last = now;
		cond_resched();
	}
	KUNIT_ASSERT_TRUE(test, ldk_wait(l.r));
	ldk_expect_moved(dut, l.dst, l.src);
}

/*
 * Rule: in_flight_bytes is what the DMA has taken from the peripheral and not
 * yet written to memory (dmaengine.h, struct dma_tx_state): here what does not
 * make a burst yet.
 */
static void in_flight(struct kunit *test)
{
	struct loop l = loop_start(test->priv, LEN, 200);
	struct dma_tx_state state;

	dmaengine_tx_status(l.rx, l.r->cookie, &state);
	KUNIT_EXPECT_EQ(test, 0, state.in_flight_bytes);
	loop_send(&l, 150);
	dmaengine_tx_status(l.rx, l.r->cookie, &state);
	KUNIT_EXPECT_EQ(test, LEN, state.residue);
	KUNIT_EXPECT_EQ(test, 150, state.in_flight_bytes);
	loop_send(&l, 100);
	KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_residue(l.r) == LEN - 200));
	dmaengine_tx_status(l.rx, l.r->cookie, &state);
	KUNIT_EXPECT_EQ(test, 50, state.in_flight_bytes);
	loop_end(&l);
	state.in_flight_bytes = 1;
	dmaengine_tx_status(l.rx, l.r->cookie, &state);
	KUNIT_EXPECT_EQ(test, 0, state.in_flight_bytes);
}

/* Rule: it costs a register read, which one who does not ask is spared (driver.rst). */
static void in_flight_costs(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_tx_state state;
	struct loop l;
	u32 before;

	/* The watchdog reads one as well. */
	ldk_patience(dut, 10 * MSEC_PER_SEC, 0);
	l = loop_start(dut, LEN, 200);
	loop_send(&l, 150);
	before = ldk_reg_reads(dut);
	dmaengine_tx_status(l.rx, l.r->cookie, NULL);
	KUNIT_EXPECT_EQ(test, before, ldk_reg_reads(dut));
	dmaengine_tx_status(l.rx, l.r->cookie, &state);
	KUNIT_EXPECT_EQ(test, before + 1, ldk_reg_reads(dut));
	loop_end(&l);
}

/*
 * Rule: pausing takes effect at once and loses nothing (provider.rst,
 * "device_pause"; client.rst); the transaction that is paused says so, with the
 * right residue, and goes on where it was.
 */
static void paused_midway(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct loop l = loop_start(dut, LEN, 1);
	struct dma_tx_state state;

	loop_send(&l, 300);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_residue(l.r) == LEN - 300));
	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(l.rx));
	ldk_expect_state(l.r, DMA_PAUSED, LEN - 300);

	/* The peripheral goes on to collect. */
	loop_send(&l, 200);
	ldk_round_trip(dut);
	ldk_expect_state(l.r, DMA_PAUSED, LEN - 300);
	ldk_expect_moved_part(dut, l.dst, l.src, 300);
	dmaengine_tx_status(l.rx, l.r->cookie, &state);
	KUNIT_EXPECT_EQ(test, 200, state.in_flight_bytes);

	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(l.rx));
	KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_residue(l.r) == LEN - 500));
	ldk_expect_state(l.r, DMA_IN_PROGRESS, LEN - 500);
	loop_end(&l);
}

/*
 * Rule: a channel that is paused while it is idle starts nothing; what is next
 * counts as paused, what is behind as in progress (client.rst, "Pause").
 */
static void paused_while_idle(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 3, LEN);
	int i;

	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	for (i = 0; i < 3; i++) {
		ldk_queue_copy(&x[i]);
		if (i < 2)
			dma_async_issue_pending(chan);
	}
	ldk_round_trip(dut);
	ldk_expect_state(&x[0], DMA_PAUSED, LEN);
	ldk_expect_state(&x[1], DMA_IN_PROGRESS, LEN);
	ldk_expect_state(&x[2], DMA_IN_PROGRESS, LEN);
	ldk_expect_unaffected(x, 3);

	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[1]));
	ldk_expect_state(&x[2], DMA_IN_PROGRESS, LEN);
	dma_async_issue_pending(chan);
	ldk_expect_copied(x, 3);
}

/* Rule: pausing in the middle of many loses none and does none twice. */
static void paused_under_load(struct kunit *test)
{
	enum { N = 40, SIZE = SZ_32K };
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	u32 bytes = ldk_bytes(chan);
	struct ldk_xfer *x = ldk_copies_issued(dut, chan, N, SIZE);
	u32 done;

	while (!completion_done(&x[N - 1].done)) {
		KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
		done = ldk_bytes(chan);
		ldk_round_trip(dut);
		KUNIT_ASSERT_EQ(test, done, ldk_bytes(chan));
		KUNIT_ASSERT_EQ(test, 0, dmaengine_resume(chan));
		usleep_range(50, 100);
	}
	ldk_expect_copied(x, N);
	KUNIT_EXPECT_EQ(test, N * SIZE, ldk_bytes(chan) - bytes);
}

/*
 * Rule: resuming what is not paused is invalid (client.rst), an error that
 * changes nothing; pausing twice is not.
 */
static void unbalanced(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);

	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_resume(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_pause(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_pause(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_resume(chan));
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: termination ends a pause as well (client.rst, "Terminate"), nothing
 * paused is moved any more, and the next transaction needs no resume.
 */
static void terminated(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct loop l = loop_start(dut, LEN, 1);

	loop_send(&l, 300);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_residue(l.r) == LEN - 300));
	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(l.rx));
	loop_send(&l, 200);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(l.rx));
	KUNIT_EXPECT_EQ(test, 0, l.r->calls);
	ldk_expect_moved_part(dut, l.dst, l.src, 300);
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_resume(l.rx));
	ldk_copy_ok(dut, l.rx, LEN);
}

/* Rule: the same of a channel with nothing in flight. */
static void terminated_while_idle(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);

	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_resume(chan));
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: the next client is not the one that paused. */
static void released(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);

	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	ldk_drop(dut, chan);
	ldk_request_again(dut, chan);
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_resume(chan));
	ldk_copy_ok(dut, chan, LEN);
}

static void pause_hook(struct ldk_xfer *x)
{
	*(int *)x->priv = dmaengine_pause(x->chan);
}

/* Rule: a callback may pause its channel. */
static void from_callback(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 2, LEN);
	int err = 1;

	x[0].hook = pause_hook;
	x[0].priv = &err;
	ldk_hold(chan);
	ldk_queue_copy(&x[0]);
	ldk_start_copy(&x[1]);
	ldk_step(chan, 1);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[0]));
	KUNIT_EXPECT_EQ(test, 0, err);
	ldk_unhold(chan);
	ldk_round_trip(dut);
	ldk_expect_state(&x[1], DMA_PAUSED, LEN);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	ldk_expect_copied(&x[1], 1);
}

/* Rule: when the device is gone there is nothing to pause. */
static void removed(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);

	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	ldk_remove(dut);
	KUNIT_EXPECT_EQ(test, -ENODEV, dmaengine_pause(chan));
	KUNIT_EXPECT_EQ(test, -ENODEV, dmaengine_resume(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
}

/* Rule: a channel that had to be restarted is not paused any more. */
static void recovered(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x;
	u64 before = ldk_recoveries(chan);

	dut->trouble = true;
	ldk_hold(chan);
	ldk_lie(chan, 5);
	x = ldk_copies_issued(dut, chan, 1, LEN);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	KUNIT_ASSERT_EQ(test, 0, dmaengine_resume(chan));
	ldk_unhold(chan);
	KUNIT_ASSERT_TRUE(test, ldk_wait(x));
	KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_recoveries(chan) > before));
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_resume(chan));
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: what is paused after work was terminated does not keep who synchronizes waiting
 * (client.rst): the device acknowledges no abort while it is paused (hardware.rst,
 * "Pausing").  The pause is for what is submitted afterwards.
 */
static void paused_after_terminate(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x, *y;
	u64 start;

	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	/* The pause comes before the device has dealt with the abort. */
	loopdma_fake_freeze(dut->fake, true);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_pause(chan));
	loopdma_fake_freeze(dut->fake, false);
	start = ktime_get_ns();
	dmaengine_synchronize(chan);
	KUNIT_EXPECT_LT(test, ktime_get_ns() - start, NSEC_PER_SEC);
	KUNIT_EXPECT_EQ(test, 0, ldk_repairs(chan).recoveries);
	ldk_unhold(chan);
	ldk_expect_unaffected(x, 2);

	y = ldk_copies_issued(dut, chan, 1, LEN);
	ldk_round_trip(dut);
	ldk_expect_status(y, DMA_PAUSED);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	ldk_expect_copied(y, 1);
}

/**
 * struct late - a count that is late
 * @comp: the completion record
 * @done: what is to be in there
 */
struct late {
	struct loopdma_hw_comp *comp;
	__le32 done;
};

static void keep_back(void *liar, struct loopdma_hw_comp *comp)
{
	struct late *late = liar;

	late->comp = comp;
	late->done = comp->done;
	WRITE_ONCE(comp->done, 0);
}

static const struct loopdma_fake_lies kept_back = { .told = keep_back };

/* Rule: the same where the status of what was terminated comes before the count. */
static void paused_before_count(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_unordered(test, LEN);
	struct dma_chan *chan = ldk_request(dut);
	struct late late = { };
	struct ldk_xfer *y;

	ldk_hold(chan);
	ldk_copies_issued(dut, chan, 1, LEN);
	loopdma_fake_freeze(dut->fake, true);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_pause(chan));
	loopdma_fake_lie(dut->fake, &kept_back, &late);
	loopdma_fake_freeze(dut->fake, false);
	KUNIT_ASSERT_TRUE(test, ldk_poll(!ldk_pool_used(chan)));
	loopdma_fake_confess(dut->fake);
	WRITE_ONCE(late.comp->done, late.done);
	dmaengine_synchronize(chan);
	ldk_unhold(chan);

	y = ldk_copies_issued(dut, chan, 1, LEN);
	ldk_round_trip(dut);
	ldk_expect_unaffected(y, 1);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	ldk_expect_copied(y, 1);
}

/*
 * Rule: to synchronize is to wait for what was terminated (client.rst), not for what the
 * driver has given up and a pause keeps from its end; nor does it end the pause.
 */
static void paused_while_given_up(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_repairs before = ldk_repairs(chan);
	struct ldk_xfer *x;
	u64 start;

	dut->trouble = true;
	ldk_patience(dut, 200, 200);
	ldk_hold(chan);
	x = ldk_copies_issued(dut, chan, 2, LEN);
	/* The pause comes before the device has dealt with the abort. */
	loopdma_fake_freeze(dut->fake, true);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_repairs(chan).stalls > before.stalls));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_pause(chan));
	loopdma_fake_freeze(dut->fake, false);
	start = ktime_get_ns();
	dmaengine_synchronize(chan);
	KUNIT_EXPECT_LT(test, ktime_get_ns() - start, NSEC_PER_SEC);
	ldk_expect_status(&x[0], DMA_PAUSED);
	ldk_expect_unaffected(x, 2);

	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	ldk_expect_aborted(x, 1);
	ldk_unhold(chan);
	ldk_expect_copied(&x[1], 1);
	ldk_expect_repairs(dut, chan, before, (struct ldk_repairs) { 1, 0, 0, 0 });
}

/*
 * Rule: DMA_ERROR is the status of the cookie that failed, whatever came after
 * it (dmaengine.h, enum dma_status); of those that failed apart from each other the last
 * 64 are remembered (Documentation/driver.rst).
 */
static void errors_remembered(struct kunit *test)
{
	enum { N = 140, REMEMBERED = 64 };
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, N, 64);
	int i;

	for (i = 0; i < N; i++) {
		if (i % 2)
			ldk_fail(chan, 1, DMA_TRANS_READ_FAILED, 0);
		ldk_start_copy(&x[i]);
		KUNIT_ASSERT_TRUE(test, ldk_wait(&x[i]));
	}
	for (i = 0; i < N; i++) {
		if (i % 2 == 0)
			ldk_expect_state(&x[i], DMA_COMPLETE, 0);
		else if (i >= N - 2 * REMEMBERED)
			ldk_expect_state(&x[i], DMA_ERROR, 64);
	}
}

static struct kunit_case pause_cases[] = {
	KUNIT_CASE(told),
	KUNIT_CASE(told_without),
	KUNIT_CASE(residue_of_receiver),
	KUNIT_CASE(residue_of_sender),
	KUNIT_CASE(residue_never_grows),
	KUNIT_CASE(in_flight),
	KUNIT_CASE(in_flight_costs),
	KUNIT_CASE(paused_midway),
	KUNIT_CASE(paused_while_idle),
	KUNIT_CASE(paused_under_load),
	KUNIT_CASE(unbalanced),
	KUNIT_CASE(terminated),
	KUNIT_CASE(terminated_while_idle),
	KUNIT_CASE(released),
	KUNIT_CASE(from_callback),
	KUNIT_CASE(removed),
	KUNIT_CASE(recovered),
	KUNIT_CASE(paused_after_terminate),
	KUNIT_CASE(paused_before_count),
	KUNIT_CASE(paused_while_given_up),
	KUNIT_CASE(errors_remembered),
	{ }
};

LDK_SUITE("loopdma_pause", pause_cases);
