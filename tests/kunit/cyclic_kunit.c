// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_cyclic: transfers that begin anew, cyclic and repeated.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.
 */
#include <linux/hardirq.h>
#include <linux/irq_work.h>
#include <linux/ktime.h>
#include <linux/string.h>

#include <loopdma/hw.h>
#include "loopdma.h"
#include "dut.h"

#define PERIOD	120
#define PERIODS	4
#define BUF	(PERIOD * PERIODS)

/**
 * struct ring - one side that goes round, the other is fed or drained
 * @dut: device
 * @tx: sender
 * @rx: receiver
 * @dir: which way it goes
 * @buf: the buffer that is gone through
 * @x: the cyclic transaction, on either channel
 */
struct ring {
	struct ldk_dut *dut;
	struct dma_chan *tx;
	struct dma_chan *rx;
	enum dma_transfer_direction dir;
	struct ldk_buf *buf;
	struct ldk_xfer *x;
};

static struct ring ring_open(struct ldk_dut *dut)
{
	struct ring ring = { .dut = dut };

	ldk_request_pair(dut, &ring.tx, &ring.rx);
	ldk_config(dut, ring.tx, DMA_SLAVE_BUSWIDTH_1_BYTE, 8);
	/* So that nothing stays in the FIFO for want of a whole burst. */
	ldk_config(dut, ring.rx, DMA_SLAVE_BUSWIDTH_1_BYTE, 1);
	return ring;
}

/* All but the start of what goes round. */
static struct ring ring_prepare(struct ldk_dut *dut, enum dma_transfer_direction dir)
{
	struct ring ring = ring_open(dut);
	bool out = dir == DMA_MEM_TO_DEV;

	ring.dir = dir;
	ring.buf = out ? ldk_src(dut, BUF) : ldk_dst(dut, BUF);
	ring.x = ldk_xfers(dut, out ? ring.tx : ring.rx, 1);
	return ring;
}

static void ring_start(struct ring *ring, unsigned long flags)
{
	ldk_start(ring->x,
		  dmaengine_prep_dma_cyclic(ring->x->chan, ring->buf->dma, BUF, PERIOD,
					    ring->dir, flags));
}

/* A receiver that goes round. */
static struct ring ring_receive(struct ldk_dut *dut)
{
	struct ring ring = ring_prepare(dut, DMA_DEV_TO_MEM);

	ring_start(&ring, DMA_PREP_INTERRUPT);
	return ring;
}

/* A sender that goes round. */
static struct ring ring_transmit(struct ldk_dut *dut, unsigned long flags)
{
	struct ring ring = ring_prepare(dut, DMA_MEM_TO_DEV);

	ring_start(&ring, flags);
	return ring;
}

/* Send @len fresh bytes to a receiver, and wait until they are gone. */
static struct ldk_buf *ring_feed(struct ring *ring, size_t len)
{
	struct ldk_buf *src = ldk_src(ring->dut, len);

	ldk_do(ring->dut, ldk_prep_slave(ring->tx, src->dma, len, DMA_MEM_TO_DEV));
	return src;
}

/* Take @len bytes from a sender. */
static struct ldk_buf *ring_drain(struct ring *ring, size_t len)
{
	struct ldk_buf *dst = ldk_dst(ring->dut, len);

	ldk_do(ring->dut, ldk_prep_slave(ring->rx, dst->dma, len, DMA_DEV_TO_MEM));
	ldk_sync(dst);
	return dst;
}

/* @n times the content of the buffer, or as much of it as is asked for. */
static u8 *unrolled(struct ldk_dut *dut, struct ldk_buf *buf, size_t len)
{
	u8 *want = ldk_alloc(dut->test, len);
	size_t i;

	for (i = 0; i < len; i++)
		want[i] = buf->data[i % buf->len];
	return want;
}

static unsigned int calls(struct ldk_xfer *x)
{
	return READ_ONCE(x->calls);
}

/*
 * Rule: a cyclic transfer fills its buffer again and again, with a callback for
 * each period (provider.rst, "DMA_CYCLIC"; client.rst), and never completes.
 */
static void receive(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_receive(dut);
	struct ldk_buf *src;
	unsigned int i;
	u8 *want = ldk_alloc(test, BUF);

	memset(want, LDK_POISON_BYTE, BUF);
	for (i = 0; i < 3 * PERIODS; i++) {
		KUNIT_EXPECT_EQ(test, i, calls(ring.x));
		src = ring_feed(&ring, PERIOD);
		KUNIT_ASSERT_TRUE(test, ldk_poll(calls(ring.x) == i + 1));
		memcpy(want + i % PERIODS * PERIOD, src->data, PERIOD);
		ldk_expect_data(dut, ring.buf, want);
		ldk_expect_status(ring.x, DMA_IN_PROGRESS);
		KUNIT_EXPECT_EQ(test, (int)DMA_TRANS_NOERROR,
				(int)ring.x->result.result);
	}
	KUNIT_EXPECT_FALSE(test, ring.x->bad_context);
	KUNIT_EXPECT_FALSE(test, ring.x->locked);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.rx));
}

/* Rule: the same of a sender. */
static void transmit(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_transmit(dut, DMA_PREP_INTERRUPT);
	size_t len = 5 * BUF + PERIOD / 2;
	struct ldk_buf *dst = ring_drain(&ring, len);

	ldk_expect_data(dut, dst, unrolled(dut, ring.buf, len));
	ldk_expect_intact(dut, ring.buf);
	KUNIT_EXPECT_TRUE(test, ldk_poll(calls(ring.x) >= 5 * PERIODS));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.tx));
}

/*
 * Rule: both at once, as a sound card has them, and as fast as they can, which
 * must not keep anybody else from running.
 */
static void both(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_transmit(dut, DMA_PREP_INTERRUPT);
	struct ldk_buf *dst = ldk_dst(dut, 2 * BUF);
	struct ldk_xfer *r;

	/* Half a buffer longer: the two do not keep step. */
	r = ldk_begin(dut,
		      dmaengine_prep_dma_cyclic(ring.rx, dst->dma, 2 * BUF, BUF, DMA_DEV_TO_MEM,
						DMA_PREP_INTERRUPT));
	KUNIT_EXPECT_TRUE(test, ldk_poll(calls(r) >= 50));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.tx));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(r->chan));
	ldk_expect_data(dut, dst, unrolled(dut, ring.buf, 2 * BUF));
}

/*
 * Rule: the residue of a cyclic transfer is what is left of the buffer, not of
 * the period (provider.rst, "device_tx_status").
 */
static void residue(struct kunit *test)
{
	struct ring ring = ring_receive(test->priv);
	unsigned int i;

	KUNIT_EXPECT_EQ(test, BUF, ldk_residue(ring.x));
	for (i = 1; i <= 2 * PERIODS + 1; i++) {
		ring_feed(&ring, PERIOD / 2);
		KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_residue(ring.x) == BUF -
						 i * (PERIOD / 2) % BUF));
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.rx));
}

/*
 * Rule: termination ends it, without a callback from then on (client.rst); the
 * channel is as good as new.
 */
static void terminated(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_receive(dut);
	struct ldk_buf *src, *dst;
	unsigned int n;

	ring_feed(&ring, PERIOD + 10);
	KUNIT_ASSERT_TRUE(test, ldk_poll(calls(ring.x) == 1));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.rx));
	n = calls(ring.x);
	ldk_buf_poison(ring.buf);
	src = ring_feed(&ring, BUF);
	ldk_round_trip(dut);
	KUNIT_EXPECT_EQ(test, n, calls(ring.x));
	ldk_expect_untouched(dut, ring.buf);
	dst = ring_drain(&ring, BUF);
	ldk_expect_moved(dut, dst, src);
}

static void terminate_hook(struct ldk_xfer *x)
{
	if (x->calls == 3)
		*(int *)x->priv = dmaengine_terminate_async(x->chan);
}

/* Rule: also out of its own callback (client.rst). */
static void terminated_in_callback(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_prepare(dut, DMA_DEV_TO_MEM);
	int err = 1;

	ring.x->hook = terminate_hook;
	ring.x->priv = &err;
	ring_start(&ring, DMA_PREP_INTERRUPT);
	ring_feed(&ring, 2 * BUF);
	KUNIT_ASSERT_TRUE(test, ldk_poll(calls(ring.x) == 3));
	dmaengine_synchronize(ring.rx);
	KUNIT_EXPECT_EQ(test, 0, err);
	KUNIT_EXPECT_EQ(test, 3, calls(ring.x));
	ldk_copy_ok(dut, ring.rx, 100);
}

/* Rule: what is queued behind it never runs, and goes with it. */
static void queued_behind(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_receive(dut);
	struct ldk_buf *src = ldk_src(dut, 64), *dst = ldk_dst(dut, 64);
	struct ldk_xfer *x = ldk_begin(dut, ldk_prep_copy(ring.rx, dst, src));

	ring_feed(&ring, 3 * BUF);
	KUNIT_ASSERT_TRUE(test, ldk_poll(calls(ring.x) == 3 * PERIODS));
	ldk_expect_state(x, DMA_IN_PROGRESS, 64);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.rx));
	KUNIT_EXPECT_EQ(test, 0, x->calls);
	ldk_expect_untouched(dut, dst);
}

/* Rule: what is queued before it is done before it. */
static void queued_before(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_prepare(dut, DMA_MEM_TO_DEV);
	struct ldk_buf *src = ldk_src(dut, 64), *dst = ldk_dst(dut, 64);
	struct ldk_buf *got;
	struct ldk_xfer *x = ldk_xfers(dut, ring.tx, 1);

	ldk_submit_copy(x, dst, src);
	ring_start(&ring, DMA_PREP_INTERRUPT);
	got = ring_drain(&ring, 2 * BUF);
	ldk_expect_data(dut, got, unrolled(dut, ring.buf, 2 * BUF));
	/* The data may be there before the sender's callbacks. */
	KUNIT_ASSERT_TRUE(test, ldk_wait(x));
	KUNIT_ASSERT_TRUE(test, ldk_wait(ring.x));
	ldk_expect_ok(x);
	ldk_expect_moved(dut, dst, src);
	KUNIT_EXPECT_LT(test, x->stamp, ring.x->stamp);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.tx));
}

static const unsigned int orders[] = { 1, 2, 3, 6 };

static void order_desc(const unsigned int *order, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "ring of %lu", BIT(*order));
}

KUNIT_ARRAY_PARAM(orders, orders, order_desc);

/* Rule: however small the ring is, and if no client asks for an interrupt. */
static void without_interrupts(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *dst;
	struct ring ring;

	ldk_set_ring_order(dut, *(const unsigned int *)test->param_value);
	ring = ring_transmit(dut, 0);
	dst = ring_drain(&ring, 60 * BUF);
	ldk_expect_data(dut, dst, unrolled(dut, ring.buf, 60 * BUF));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.tx));
}

/* Rule: a client need not know how much a hardware descriptor can do. */
static void long_periods(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_pieces(test, 256);
	struct ring ring = ring_open(dut);
	struct ldk_buf *src;

	ring.buf = ldk_dst(dut, 4000);
	ring.x = ldk_xfers(dut, ring.rx, 1);
	ldk_start(ring.x,
		  dmaengine_prep_dma_cyclic(ring.rx, ring.buf->dma, 4000, 1000, DMA_DEV_TO_MEM,
					    DMA_PREP_INTERRUPT));
	ring_feed(&ring, 1700);
	src = ring_feed(&ring, 4000);
	KUNIT_EXPECT_TRUE(test, ldk_poll(calls(ring.x) == 5));
	ldk_round_trip(dut);
	KUNIT_EXPECT_EQ(test, 5, calls(ring.x));
	KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_residue(ring.x) == 4000 - 1700));
	ldk_sync(ring.buf);
	KUNIT_EXPECT_MEMEQ(test, ring.buf->data + 1700, src->data, 2300);
	KUNIT_EXPECT_MEMEQ(test, ring.buf->data, src->data + 2300, 1700);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.rx));
}

/* Rule: a pause keeps the place (client.rst). */
static void paused(struct kunit *test)
{
	struct ring ring = ring_receive(test->priv);

	ring_feed(&ring, BUF + 50);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_residue(ring.x) == BUF - 50));
	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(ring.rx));
	ldk_expect_status(ring.x, DMA_PAUSED);
	ring_feed(&ring, 100);
	KUNIT_EXPECT_EQ(test, BUF - 50, ldk_residue(ring.x));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(ring.rx));
	KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_residue(ring.x) == BUF - 150));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.rx));
}

/*
 * Rule: a fault ends it, is told once, and does not stop the channel: what is
 * behind runs.
 */
static void fails(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_prepare(dut, DMA_DEV_TO_MEM);
	struct ldk_buf *src = ldk_src(dut, 64), *dst = ldk_dst(dut, 64);
	struct ldk_xfer *x;

	ldk_fail(ring.rx, 6, DMA_TRANS_WRITE_FAILED, 20);
	ring_start(&ring, DMA_PREP_INTERRUPT);
	x = ldk_begin(dut, ldk_prep_copy(ring.rx, dst, src));
	ring_feed(&ring, BUF + PERIOD + 20);
	ldk_finish(x);
	ldk_expect_moved(dut, dst, src);
	/* One for each period, unless several came at once, and one more. */
	KUNIT_EXPECT_LE(test, calls(ring.x), 6);
	KUNIT_EXPECT_EQ(test, (int)DMA_TRANS_WRITE_FAILED,
			(int)ring.x->result.result);
	KUNIT_EXPECT_EQ(test, BUF - PERIOD - 20, ring.x->result.residue);
	ldk_expect_status(ring.x, DMA_ERROR);
}

/**
 * struct intruder - an interrupt that ends a transaction, and prepares another
 * @work: the interrupt
 * @fake: device
 * @ring: what goes round, without a callback
 * @armed: the next doorbell that the tasklet rings makes it come
 * @tx: what was prepared, and is never submitted
 * @over: it has come
 * @calls: callbacks of @tx
 */
struct intruder {
	struct irq_work work;
	struct loopdma_fake *fake;
	struct ring *ring;
	bool armed;
	struct dma_async_tx_descriptor *tx;
	bool over;
	unsigned int calls;
};

static void intruder_called(void *param)
{
	struct intruder *in = param;

	WRITE_ONCE(in->calls, in->calls + 1);
}

static void intrude(struct irq_work *work)
{
	struct intruder *in = container_of(work, struct intruder, work);
	struct ldk_xfer *x = in->ring->x;

	dmaengine_terminate_async(x->chan);
	loopdma_fake_run(in->fake);
	/* Takes note of its end. */
	ldk_status(x);
	in->tx = dmaengine_prep_dma_cyclic(x->chan, in->ring->buf->dma, BUF, PERIOD,
					   in->ring->dir, DMA_PREP_INTERRUPT);
	if (in->tx) {
		in->tx->callback = intruder_called;
		in->tx->callback_param = in;
	}
	WRITE_ONCE(in->over, true);
}

/* It comes as soon as the tasklet enables interrupts. */
static void intruder_hears(void *liar, bool chan, u32 reg)
{
	struct intruder *in = liar;
	u64 start = ktime_get_ns();

	if (!chan || reg != LOOPDMA_CH_DOORBELL || !in->armed || !in_serving_softirq())
		return;
	in->armed = false;
	irq_work_queue(&in->work);
	/* Where no CPU can interrupt itself the next tick does. */
	while (ktime_get_ns() - start < 3 * NSEC_PER_SEC / HZ)
		udelay(1);
}

/*
 * Rule: a period is called back for what went through it: not for what is prepared
 * afterwards with the same memory, which nobody has submitted (client.rst).
 */
static void ends_before_period_is_told(struct kunit *test)
{
	static const struct loopdma_fake_lies ears = { .written = intruder_hears };
	struct ldk_dut *dut = ldk_fake(test);
	struct ring ring = ring_prepare(dut, DMA_MEM_TO_DEV);
	struct intruder in = {
		.work = IRQ_WORK_INIT(intrude), .fake = dut->fake, .ring = &ring,
		.armed = true,
	};
	struct dma_async_tx_descriptor *tx;

	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		kunit_skip(test, "irq_work does not interrupt here");
	dut->trouble = true;
	/* Without interrupts it is the watchdog that has the tasklet look. */
	ldk_patience(dut, 20, 0);
	ldk_drop_irq(ring.tx, U32_MAX);
	loopdma_fake_lie(dut->fake, &ears, &in);
	tx = dmaengine_prep_dma_cyclic(ring.tx, ring.buf->dma, BUF, PERIOD, DMA_MEM_TO_DEV, 0);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	ring.x->cookie = dmaengine_submit(tx);
	dma_async_issue_pending(ring.tx);
	KUNIT_EXPECT_TRUE(test, ldk_poll(READ_ONCE(in.over)));
	dmaengine_synchronize(ring.tx);
	loopdma_fake_confess(dut->fake);
	irq_work_sync(&in.work);
	KUNIT_EXPECT_NOT_NULL(test, in.tx);
	KUNIT_EXPECT_EQ(test, 0, in.calls);
}

/**
 * struct quick - a device that has retired what it is given when the driver looks
 * @lc: channel
 * @doorbells: so far
 */
struct quick {
	struct loopdma_chan *lc;
	unsigned int doorbells;
};

/* Doorbells after which the device is quick no more, so that the driver comes to an end. */
#define QUICK_DOORBELLS	1000

static void quick_retires(void *liar, bool chan, u32 reg)
{
	struct quick *quick = liar;
	struct loopdma_chan *lc = quick->lc;
	u32 count = le32_to_cpu(lc->comp->done);

	if (!chan || reg != LOOPDMA_CH_DOORBELL || ++quick->doorbells > QUICK_DOORBELLS)
		return;
	for (; count != lc->ring.head; count++)
		loopdma_ring_slot(&lc->ring, count)->status = cpu_to_le32(LOOPDMA_ST_OK);
	lc->comp->done = cpu_to_le32(count);
}

/*
 * Rule: tx_status does not block (provider.rst), also if the device never has anything
 * left to do and a transfer no end: it takes note of what was retired before.
 */
static void status_of_quick_device(struct kunit *test)
{
	static const struct loopdma_fake_lies quick_lies = { .written = quick_retires };
	struct ldk_dut *dut = ldk_fake(test);
	struct ring ring = ring_prepare(dut, DMA_MEM_TO_DEV);
	struct quick quick = { .lc = to_loopdma_chan(ring.tx) };

	dut->trouble = true;
	loopdma_fake_freeze(dut->fake, true);
	loopdma_fake_lie(dut->fake, &quick_lies, &quick);
	ring_start(&ring, DMA_PREP_INTERRUPT);
	quick.doorbells = 0;
	/* The bottom half would go on. */
	local_bh_disable();
	KUNIT_EXPECT_EQ(test, DMA_IN_PROGRESS, ldk_status(ring.x));
	KUNIT_EXPECT_GE(test, quick.doorbells, 1);
	/* One for each part of what was in the ring. */
	KUNIT_EXPECT_LE(test, quick.doorbells, quick.lc->ring.size / 16);
	loopdma_fake_confess(dut->fake);
	dmaengine_terminate_async(ring.tx);
	local_bh_enable();
	loopdma_fake_freeze(dut->fake, false);
	dmaengine_synchronize(ring.tx);
	ldk_copy_ok(dut, ring.tx, 100);
}

/* Rule: bytes_transferred counts each time round (dmaengine.h). */
static void counted(struct kunit *test)
{
	struct ring ring = ring_receive(test->priv);
	unsigned long before, after;

	before = ldk_counts(ring.rx).bytes_transferred;
	ring_feed(&ring, 3 * BUF + PERIOD);
	KUNIT_ASSERT_TRUE(test, ldk_poll(calls(ring.x) == 3 * PERIODS + 1));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.rx));
	after = ldk_counts(ring.rx).bytes_transferred;
	KUNIT_EXPECT_EQ(test, 3 * BUF + PERIOD, after - before);
}

/* Rule: the core does not terminate before it frees a channel (provider.rst). */
static void released(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_receive(dut);
	unsigned int n;

	ring_feed(&ring, PERIOD + 10);
	KUNIT_ASSERT_TRUE(test, ldk_poll(calls(ring.x) == 1));
	ldk_drop(dut, ring.rx);
	n = calls(ring.x);
	ldk_buf_poison(ring.buf);
	ldk_request_again(dut, ring.rx);
	ldk_copy_ok(dut, ring.rx, 100);
	KUNIT_EXPECT_EQ(test, n, calls(ring.x));
	ldk_expect_untouched(dut, ring.buf);
}

/* Rule: a client whose provider goes is told of it once (driver.rst). */
static void removed(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct ring ring = ring_receive(dut);

	ring_feed(&ring, PERIOD + 10);
	KUNIT_ASSERT_TRUE(test, ldk_poll(calls(ring.x) == 1));
	ldk_remove(dut);
	KUNIT_EXPECT_EQ(test, 2, calls(ring.x));
	KUNIT_EXPECT_EQ(test, (int)DMA_TRANS_ABORTED,
			(int)ring.x->result.result);
}

struct nonsense {
	const char *name;
	size_t buf;
	size_t period;
	size_t off;
	enum dma_transfer_direction dir;
};

static const struct nonsense nonsenses[] = {
	{ "no buffer", 0, 4, 0, DMA_DEV_TO_MEM },
	{ "no period", 64, 0, 0, DMA_DEV_TO_MEM },
	{ "period does not divide", 64, 24, 0, DMA_DEV_TO_MEM },
	{ "period above buffer", 64, 128, 0, DMA_DEV_TO_MEM },
	{ "period no multiple of the width", 60, 6, 0, DMA_DEV_TO_MEM },
	{ "unaligned", 64, 16, 2, DMA_DEV_TO_MEM },
	{ "memory to memory", 64, 16, 0, DMA_MEM_TO_MEM },
	{ "other direction", 64, 16, 0, DMA_DEV_TO_DEV },
	{ "too many periods", SZ_1M, 4, 0, DMA_DEV_TO_MEM },
	{ "too long", (size_t)U32_MAX + 1, SZ_1G, 0, DMA_DEV_TO_MEM },
};

KUNIT_ARRAY_PARAM_DESC(nonsenses, nonsenses, name);

/* Rule: prep gives NULL for what it cannot do, and nothing is lost with it. */
static void refused(struct kunit *test)
{
	const struct nonsense *bad = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_open(dut);
	struct ldk_buf *dst = ldk_dst(dut, 128);
	struct dma_async_tx_descriptor *tx;
	int i;

	ldk_config(dut, ring.rx, DMA_SLAVE_BUSWIDTH_4_BYTES, 1);
	for (i = 0; i < ldk_pool_size(ring.rx) + 1; i++) {
		tx = dmaengine_prep_dma_cyclic(ring.rx, dst->dma + bad->off,
					       bad->buf, bad->period, bad->dir,
					       0);
		KUNIT_ASSERT_NULL(test, tx);
	}
	ldk_copy_ok(dut, ring.rx, 100);
}

/* --- Repeated interleaved transfers ---------------------------------------- */

#define ROWS	6
#define ROW	40
#define FRAME	(ROWS * ROW)

/* Rows of a frame, with a gap behind each, as a display has them. */
static struct dma_async_tx_descriptor *
prep_frame(struct ring *ring, struct ldk_buf *buf, unsigned long flags)
{
	struct dma_interleaved_template *xt;

	xt = ldk_alloc(ring->dut->test, struct_size(xt, sgl, 1));
	xt->src_start = buf->dma;
	xt->dir = DMA_MEM_TO_DEV;
	xt->src_inc = true;
	xt->src_sgl = true;
	xt->numf = ROWS;
	xt->frame_size = 1;
	xt->sgl[0].size = ROW;
	xt->sgl[0].icg = ROW;
	return dmaengine_prep_interleaved_dma(ring->tx, xt,
					      DMA_PREP_INTERRUPT | flags);
}

/* A frame that is @value all over; what is in the gaps is not. */
static struct ldk_buf *frame(struct ldk_dut *dut, u8 value)
{
	struct ldk_buf *buf = ldk_buf_at(dut, 2 * FRAME, 0, DMA_TO_DEVICE);
	u8 *data = ldk_alloc(dut->test, 2 * FRAME);
	unsigned int row;

	memset(data, 0xee, 2 * FRAME);
	for (row = 0; row < ROWS; row++)
		memset(data + row * 2 * ROW, value, ROW);
	ldk_buf_set(buf, data);
	return buf;
}

/*
 * How many whole frames of @value there are from @at on; the case fails if one
 * is torn.
 */
static unsigned int frames(struct kunit *test, struct ldk_buf *got, size_t *at,
			   u8 value)
{
	unsigned int n = 0;

	while (*at + FRAME <= got->len && got->data[*at] == value) {
		KUNIT_ASSERT_NULL(test, memchr_inv(got->data + *at, value,
						   FRAME));
		*at += FRAME;
		n++;
	}
	return n;
}

/*
 * Rule: a transaction with DMA_PREP_REPEAT is repeated until one with
 * DMA_PREP_LOAD_EOT is issued, which replaces it when it ends (dmaengine.h):
 * frames are whole.  Each time round is called back.
 */
static void repeated(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_open(dut);
	struct ldk_buf *got;
	size_t at = 0;
	struct ldk_xfer *x = ldk_xfers(dut, ring.tx, 2);

	ldk_start(&x[0], prep_frame(&ring, frame(dut, 1), DMA_PREP_REPEAT));
	got = ring_drain(&ring, 10 * FRAME);
	KUNIT_EXPECT_EQ(test, 10, frames(test, got, &at, 1));
	KUNIT_EXPECT_TRUE(test, ldk_poll(calls(&x[0]) >= 10));
	ldk_expect_status(&x[0], DMA_IN_PROGRESS);

	ldk_start(&x[1], prep_frame(&ring, frame(dut, 2), DMA_PREP_REPEAT | DMA_PREP_LOAD_EOT));
	at = 0;
	got = ring_drain(&ring, 40 * FRAME);
	/* What is in the FIFO and in the ring already comes first. */
	KUNIT_EXPECT_LE(test, frames(test, got, &at, 1),
			ldk_fifo_depth(dut) / FRAME + 5);
	KUNIT_EXPECT_GE(test, frames(test, got, &at, 2), 10);
	KUNIT_EXPECT_EQ(test, 40 * FRAME, at);
	ldk_expect_status(&x[0], DMA_COMPLETE);
	ldk_expect_status(&x[1], DMA_IN_PROGRESS);
	KUNIT_EXPECT_EQ(test, (int)DMA_TRANS_NOERROR, (int)x[0].result.result);
	KUNIT_EXPECT_EQ(test, 0, x[0].result.residue);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.tx));
}

/* Rule: one that does not repeat may take its place, and is the last then. */
static void replaced_by_single(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_open(dut);
	struct ldk_buf *got;
	size_t at = 0;
	struct ldk_xfer *x = ldk_xfers(dut, ring.tx, 2);

	/* Both before anything runs: the first is done once all the same. */
	ldk_queue(&x[0], prep_frame(&ring, frame(dut, 1), DMA_PREP_REPEAT));
	ldk_start(&x[1], prep_frame(&ring, frame(dut, 2), DMA_PREP_LOAD_EOT));
	got = ring_drain(&ring, 2 * FRAME);
	KUNIT_EXPECT_EQ(test, 1, frames(test, got, &at, 1));
	KUNIT_EXPECT_EQ(test, 1, frames(test, got, &at, 2));
	ldk_finish(&x[1]);
	KUNIT_EXPECT_LT(test, x[0].stamp, x[1].stamp);
	ldk_expect_status(&x[0], DMA_COMPLETE);
	ldk_copy_ok(dut, ring.tx, 100);
}

/*
 * Rule: frames are whole (dmaengine.h, DMA_PREP_REPEAT), also if half of one is
 * in the ring when the next is issued, and the other half has no room yet.
 */
static void replaced_midway(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_xfer *x;
	struct ldk_buf *got;
	struct ring ring;
	size_t at = 0;
	int i;

	ldk_set_ring_order(dut, 1);
	ring = ring_open(dut);
	x = ldk_xfers(dut, ring.tx, 4);
	ldk_start(&x[0], prep_frame(&ring, frame(dut, 1), DMA_PREP_REPEAT));
	for (i = 1; i < 4; i++) {
		ring_drain(&ring, 10 * FRAME);
		ldk_start(&x[i],
			  prep_frame(&ring, frame(dut, i + 1),
				     DMA_PREP_REPEAT | DMA_PREP_LOAD_EOT));
		at = 0;
		got = ring_drain(&ring, 40 * FRAME);
		frames(test, got, &at, i);
		KUNIT_EXPECT_GT(test, frames(test, got, &at, i + 1), 0);
		KUNIT_EXPECT_EQ(test, 40 * FRAME, at);
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.tx));
}

/*
 * Rule: without DMA_PREP_LOAD_EOT it stays in the queue for ever (dmaengine.h);
 * termination ends both.
 */
static void not_replaced(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_open(dut);
	struct ldk_buf *got;
	size_t at = 0;
	struct ldk_xfer *x = ldk_xfers(dut, ring.tx, 2);

	ldk_start(&x[0], prep_frame(&ring, frame(dut, 1), DMA_PREP_REPEAT));
	ldk_start(&x[1], prep_frame(&ring, frame(dut, 2), 0));
	got = ring_drain(&ring, 40 * FRAME);
	KUNIT_EXPECT_EQ(test, 40, frames(test, got, &at, 1));
	ldk_expect_status(&x[1], DMA_IN_PROGRESS);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(ring.tx));
	KUNIT_EXPECT_EQ(test, 0, x[1].calls);
	ldk_copy_ok(dut, ring.tx, 100);
}

/* Rule: the flag means nothing to other kinds of transactions (dmaengine.h). */
static void flag_ignored(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ring ring = ring_open(dut);
	struct ldk_buf *src = ldk_src(dut, 64), *dst;
	struct ldk_xfer *x;

	x = ldk_begin(dut,
		      dmaengine_prep_slave_single(ring.tx, src->dma, 64, DMA_MEM_TO_DEV,
						  DMA_PREP_INTERRUPT | DMA_PREP_REPEAT));
	dst = ring_drain(&ring, 64);
	ldk_expect_moved(dut, dst, src);
	ldk_finish(x);
}

/* Rule: memory to memory has nothing that would give the time; prep says so. */
static void repeat_refused(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_buf *buf = ldk_src(dut, 64);
	struct dma_interleaved_template *xt = ldk_alloc(test, struct_size(xt, sgl, 1));

	xt->src_start = buf->dma;
	xt->dst_start = buf->dma + 32;
	xt->dir = DMA_MEM_TO_MEM;
	xt->src_inc = true;
	xt->dst_inc = true;
	xt->numf = 1;
	xt->frame_size = 1;
	xt->sgl[0].size = 32;
	KUNIT_EXPECT_NOT_NULL(test, dmaengine_prep_interleaved_dma(chan, xt,
								   0));
	KUNIT_EXPECT_NULL(test, dmaengine_prep_interleaved_dma(chan, xt,
							       DMA_PREP_REPEAT));
}

static struct kunit_case cyclic_cases[] = {
	KUNIT_CASE(receive),
	KUNIT_CASE(transmit),
	KUNIT_CASE(both),
	KUNIT_CASE(residue),
	KUNIT_CASE(terminated),
	KUNIT_CASE(terminated_in_callback),
	KUNIT_CASE(queued_behind),
	KUNIT_CASE(queued_before),
	KUNIT_CASE_PARAM(without_interrupts, orders_gen_params),
	KUNIT_CASE(long_periods),
	KUNIT_CASE(paused),
	KUNIT_CASE(fails),
	KUNIT_CASE(ends_before_period_is_told),
	KUNIT_CASE(status_of_quick_device),
	KUNIT_CASE(counted),
	KUNIT_CASE(released),
	KUNIT_CASE(removed),
	KUNIT_CASE_PARAM(refused, nonsenses_gen_params),
	KUNIT_CASE(repeated),
	KUNIT_CASE(replaced_by_single),
	KUNIT_CASE(replaced_midway),
	KUNIT_CASE(not_replaced),
	KUNIT_CASE(flag_ignored),
	KUNIT_CASE(repeat_refused),
	{ }
};

LDK_SUITE("loopdma_cyclic", cyclic_cases);
