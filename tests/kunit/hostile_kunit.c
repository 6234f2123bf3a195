// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_hostile: a device that means harm.
 *
 * Everything that the driver reads of the device is changed at random, while
 * there is traffic of every kind: registers, limits, completion records, what is
 * written to descriptors; and there are interrupts for nothing.  Whatever that
 * makes of the data, the kernel and its clients come to no harm: no report of a
 * checker, no transaction that does not end or is called back twice, no value out
 * of its range, nothing leaked, and a device that tells the truth again works.
 *
 * What no driver can do without an IOMMU is to keep a device out of memory, so
 * this one reads and writes only what it was told to.
 *
 * Like loopdma_hw these cases know the driver's structures, and run over a
 * simulated device.
 */
#include <linux/atomic.h>
#include <linux/bitfield.h>
#include <linux/math.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/string.h>
#include <linux/version.h>
#include <linux/workqueue.h>

#include <loopdma/client.h>
#include "loopdma.h"
#include "dut.h"

static unsigned int lies = 4000;
module_param(lies, uint, 0444);
MODULE_PARM_DESC(lies,
		 "How many lies loopdma_hostile tells the driver (default 4000)");

/* In a run of a case: KUnit ends one that takes 300 s. */
#define SLICE	4000

/* Limits that lie cost a probe each, so there are fewer of those. */
#define LIMITS_SLICE	120
#define LIMITS_SHARE	8

#define CHANS	4
#define OPS	64
#define BUFS	6
#define LEN	SZ_512
#define STEPS	256

/* So that a transfer without an end leaves time for others, bytes per second. */
#define RATE	SZ_256K

/* Bytes that the peripheral takes or gives at a time. */
#define BURST	64

/**
 * struct op - a transaction
 * @x: its client
 * @tx: its descriptor
 * @len: its bytes
 * @loops: begins anew, and calls back more than once
 * @found: what its check has found
 * @payload: bytes of metadata that have come, as the driver says
 * @meta: the client's metadata
 */
struct op {
	struct ldk_xfer x;
	struct dma_async_tx_descriptor *tx;
	size_t len;
	bool loops;
	enum sum_check_flags found;
	size_t payload;
	u8 meta[LOOPDMA_META_SIZE];
};

/**
 * struct victim - a channel
 * @chan: channel
 * @stream: has slave transfers; otherwise what moves memory to memory
 * @n: transactions since all was well
 * @untold: so many of them, the first, were terminated
 * @op: the transactions
 */
struct victim {
	struct dma_chan *chan;
	bool stream;
	unsigned int n;
	unsigned int untold;
	struct op op[OPS];
};

/**
 * struct attack - on all channels at a time
 * @dut: device
 * @rnd: of what the clients do, and of what is changed from without
 * @liar: of what the device tells; under its lock
 * @told: lies so far
 * @rounds: how often there was peace since
 * @dead: channels that were given up, and requested anew
 * @deceived: channels that the driver took for running and that were not
 * @src: memory that is read
 * @from: its bus addresses
 * @dst: memory that is written
 * @good: memory of a copy that has to succeed
 * @xt: template
 * @victim: channels
 */
struct attack {
	struct ldk_dut *dut;
	struct rnd_state rnd;
	struct rnd_state liar;
	atomic_t told;
	unsigned int rounds;
	unsigned int dead;
	unsigned int deceived;
	struct ldk_buf *src[BUFS];
	dma_addr_t from[BUFS];
	struct ldk_buf *dst[BUFS];
	struct ldk_buf *good;
	struct dma_interleaved_template *xt;
	struct victim victim[CHANS];
};

static u32 roll(struct rnd_state *rnd, u32 sides)
{
	return prandom_u32_state(rnd) % sides;
}

/* --- Lies ------------------------------------------------------------------- */

/* Another value, near or far. */
static u32 twisted(struct rnd_state *rnd, u32 val)
{
	switch (roll(rnd, 8)) {
	case 0:
		return 0;
	case 1:
		return U32_MAX;
	case 2:
		return val + 1;
	case 3:
		return val - 1;
	case 4:
		return roll(rnd, 32);
	case 5:
		return val ^ BIT(31);
	case 6:
		return prandom_u32_state(rnd);
	default:
		return val ^ BIT(roll(rnd, 32));
	}
}

static u64 twisted64(struct rnd_state *rnd, u64 val)
{
	return (u64)twisted(rnd, val >> 32) << 32 | twisted(rnd, val);
}

static u32 lie_read(void *priv, bool chan, u32 reg, u32 val)
{
	struct attack *a = priv;
	u32 lie = twisted(&a->liar, val);

	/* Else most channels would be dead soon, of which not much can be seen. */
	bool status = chan && reg == LOOPDMA_CH_STATUS;

	/* All ones are not a lie: who says to be gone is gone. */
	if (roll(&a->liar, status ? 16 : 4) || lie == U32_MAX)
		return val;
	atomic_inc(&a->told);
	return lie;
}

static void lie_status(struct rnd_state *rnd, struct loopdma_hw_desc *hw)
{
	u32 status = le32_to_cpu(READ_ONCE(hw->status));

	/* Mostly one that has a meaning, often with what belongs to another. */
	if (roll(rnd, 4))
		status = roll(rnd, LOOPDMA_ST_DATA + 2) |
			 (prandom_u32_state(rnd) &
			  (LOOPDMA_STATUS_P_WRONG | LOOPDMA_STATUS_Q_WRONG |
			   LOOPDMA_STATUS_META_LEN));
	else
		status = twisted(rnd, status);
	WRITE_ONCE(hw->status, cpu_to_le32(status));
}

/*
 * A driver that was lied to may have filled the entry anew, and what it says is then
 * still to be done: to less memory, or refused.
 */
static void lie_entry(struct rnd_state *rnd, struct loopdma_hw_desc *hw)
{
	u32 len = twisted(rnd, le32_to_cpu(READ_ONCE(hw->len)));
	u32 ctrl = le32_to_cpu(READ_ONCE(hw->ctrl));

	if (len > LEN)
		len |= BIT(31);
	WRITE_ONCE(hw->len, cpu_to_le32(len));
	ctrl ^= twisted(rnd, 0) & ~LOOPDMA_CTRL_OPCODE;
	WRITE_ONCE(hw->ctrl, cpu_to_le32(ctrl));
	prandom_bytes_state(rnd, hw->meta, sizeof(hw->meta));
}

static void lie_retired(void *priv, struct loopdma_hw_desc *hw)
{
	struct attack *a = priv;
	struct rnd_state *rnd = &a->liar;

	switch (roll(rnd, 8)) {
	case 0:
		lie_status(rnd, hw);
		break;
	case 1:
		lie_status(rnd, hw);
		fallthrough;
	case 2:
		WRITE_ONCE(hw->residue, cpu_to_le32(twisted(rnd, 0)));
		WRITE_ONCE(hw->fault_addr, cpu_to_le64(twisted64(rnd, 0)));
		break;
	case 3:
	case 4:
		lie_entry(rnd, hw);
		break;
	default:
		return;
	}
	atomic_inc(&a->told);
}

static void lie_done(struct rnd_state *rnd, struct loopdma_hw_comp *comp)
{
	u32 done = le32_to_cpu(READ_ONCE(comp->done));

	/* What may be believed does more harm. */
	done = roll(rnd, 2) ? done + roll(rnd, 8) : twisted(rnd, done);
	WRITE_ONCE(comp->done, cpu_to_le32(done));
}

static void lie_progress(struct rnd_state *rnd, struct loopdma_hw_comp *comp)
{
	u64 val = le64_to_cpu(READ_ONCE(comp->progress));

	if (roll(rnd, 2))
		val = FIELD_PREP(LOOPDMA_PROGRESS_COUNT,
				 le32_to_cpu(READ_ONCE(comp->done))) |
		      FIELD_PREP(LOOPDMA_PROGRESS_BYTES, twisted(rnd, val));
	else
		val = twisted64(rnd, val);
	WRITE_ONCE(comp->progress, cpu_to_le64(val));
}

static void lie_told(void *priv, struct loopdma_hw_comp *comp)
{
	struct attack *a = priv;

	switch (roll(&a->liar, 4)) {
	case 0:
		lie_done(&a->liar, comp);
		break;
	case 1:
		lie_progress(&a->liar, comp);
		break;
	default:
		return;
	}
	atomic_inc(&a->told);
}

static const struct loopdma_fake_lies all_lies = {
	.read = lie_read,
	.retired = lie_retired,
	.told = lie_told,
};

/* What is written between two steps of the client, while the device works. */
static void lie_now(struct attack *a, struct victim *v)
{
	struct loopdma_chan *lc = to_loopdma_chan(v->chan);
	struct rnd_state *rnd = &a->rnd;
	struct loopdma_hw_desc *hw = loopdma_ring_slot(&lc->ring, prandom_u32_state(rnd));

	switch (roll(rnd, 4)) {
	case 0:
		lie_done(rnd, lc->comp);
		break;
	case 1:
		lie_progress(rnd, lc->comp);
		break;
	case 2:
		lie_status(rnd, hw);
		break;
	default:
		/* Not the length, before which the device may stand. */
		WRITE_ONCE(hw->residue, cpu_to_le32(twisted(rnd, 0)));
		WRITE_ONCE(hw->fault_addr, cpu_to_le64(twisted64(rnd, 0)));
	}
	atomic_inc(&a->told);
}

/* --- Clients ---------------------------------------------------------------- */

static struct ldk_buf *any_dst(struct attack *a)
{
	return a->dst[roll(&a->rnd, BUFS)];
}

/* Chunks of memory, with gaps between them. */
static struct dma_async_tx_descriptor *
prep_interleaved(struct attack *a, struct op *op, struct dma_chan *chan,
		 enum dma_transfer_direction dir, unsigned long flags)
{
	struct dma_interleaved_template *xt = a->xt;

	if (!chan->device->device_prep_interleaved_dma)
		return NULL;
	*xt = (struct dma_interleaved_template) {
		.src_start = a->from[0],
		.dst_start = any_dst(a)->dma,
		.dir = dir,
		.src_inc = dir != DMA_DEV_TO_MEM,
		.dst_inc = dir != DMA_MEM_TO_DEV,
		.src_sgl = true,
		.dst_sgl = true,
		.numf = 1 + roll(&a->rnd, 4),
		.frame_size = 1,
	};
	xt->sgl[0] = (struct data_chunk) {
		.size = 1 + roll(&a->rnd, LEN / 8),
		.icg = LEN / 8,
	};
	op->len = xt->numf * xt->sgl[0].size;
	return dmaengine_prep_interleaved_dma(chan, xt, flags);
}

static struct dma_async_tx_descriptor *
prep_parity(struct attack *a, struct op *op, struct dma_chan *chan,
	    unsigned long flags)
{
	unsigned int n = 1 + roll(&a->rnd, BUFS), first = roll(&a->rnd, BUFS);
	static const u8 coef[BUFS] = { 1, 2, 4, 8, 16, 32 };
	struct dma_device *dma = chan->device;
	dma_addr_t pq[2];

	pq[0] = a->dst[first]->dma;
	pq[1] = a->dst[(first + 1) % BUFS]->dma;
	switch (roll(&a->rnd, 4)) {
	case 0:
		if (!dma->device_prep_dma_xor)
			return NULL;
		return dma->device_prep_dma_xor(chan, pq[0], a->from, n,
						op->len, flags);
	case 1:
		if (!dma->device_prep_dma_xor_val)
			return NULL;
		return dma->device_prep_dma_xor_val(chan, a->from, n, op->len,
						    &op->found, flags);
	case 2:
		if (!dma->device_prep_dma_pq)
			return NULL;
		return dma->device_prep_dma_pq(chan, pq, a->from, n, coef,
					       op->len, flags);
	default:
		if (!dma->device_prep_dma_pq_val)
			return NULL;
		return dma->device_prep_dma_pq_val(chan, pq, a->from, n, coef,
						   op->len, &op->found, flags);
	}
}

static struct dma_async_tx_descriptor *
prep_memory(struct attack *a, struct op *op, struct dma_chan *chan)
{
	unsigned long flags = DMA_PREP_INTERRUPT | DMA_CTRL_ACK;
	dma_addr_t dst = any_dst(a)->dma;

	op->len = 1 + roll(&a->rnd, LEN);
	switch (roll(&a->rnd, 12)) {
	case 0:
		op->len = 0;
		if (!chan->device->device_prep_dma_interrupt)
			return NULL;
		return chan->device->device_prep_dma_interrupt(chan, flags);
	case 1 ... 2:
		return dmaengine_prep_dma_memset(chan, dst, 0x5a, op->len, flags);
	case 3 ... 5:
		return prep_interleaved(a, op, chan, DMA_MEM_TO_MEM, flags);
	case 6:
		/* The simulated device takes long for it. */
		return prep_parity(a, op, chan, flags);
	default:
		return dmaengine_prep_dma_memcpy(chan, dst, a->from[0], op->len,
						 flags);
	}
}

static void hook_payload(struct ldk_xfer *x)
{
	struct op *op = container_of(x, struct op, x);
	size_t max;

	if (IS_ERR(dmaengine_desc_get_metadata_ptr(op->tx, &op->payload, &max)))
		op->payload = 0;
}

/* Into the client's buffer, or left in the driver's. */
static void want_metadata(struct attack *a, struct op *op,
			  struct dma_async_tx_descriptor *tx)
{
	if (roll(&a->rnd, 2))
		dmaengine_desc_attach_metadata(tx, op->meta, sizeof(op->meta));
	else
		op->x.hook = hook_payload;
}

static struct dma_async_tx_descriptor *
prep_stream(struct attack *a, struct op *op, struct dma_chan *chan)
{
	bool out = roll(&a->rnd, 2);
	enum dma_transfer_direction dir = out ? DMA_MEM_TO_DEV : DMA_DEV_TO_MEM;
	dma_addr_t addr = out ? a->from[1] : any_dst(a)->dma;
	struct dma_async_tx_descriptor *tx;

	op->len = 1 + roll(&a->rnd, LEN);
	switch (roll(&a->rnd, 8)) {
	case 0:
		op->loops = true;
		op->len = LEN;
		return dmaengine_prep_dma_cyclic(chan, addr, LEN,
						 LEN >> roll(&a->rnd, 4), dir,
						 DMA_PREP_INTERRUPT);
	case 1 ... 3:
		op->loops = true;
		return prep_interleaved(a, op, chan, dir, DMA_PREP_INTERRUPT |
					DMA_PREP_REPEAT);
	case 4:
		/* In place of one that is repeated. */
		return prep_interleaved(a, op, chan, dir, DMA_PREP_INTERRUPT |
					DMA_PREP_LOAD_EOT);
	default:
		tx = ldk_prep_slave(chan, addr, op->len, dir);
		if (tx)
			want_metadata(a, op, tx);
		return tx;
	}
}

static void submit(struct attack *a, struct victim *v)
{
	struct dma_async_tx_descriptor *tx;
	struct op *op;

	if (v->n == OPS)
		return;
	op = &v->op[v->n];
	memset(op, 0, sizeof(*op));
	ldk_xfer_init(&op->x, a->dut, v->chan);
	tx = v->stream ? prep_stream(a, op, v->chan) :
			 prep_memory(a, op, v->chan);
	if (!tx)
		return;
	op->tx = tx;
	if (ldk_submit(&op->x, tx))
		v->n++;
}

/*
 * What the driver says of a transaction must be possible, above all of the one that
 * the device is at.
 */
static void ask(struct attack *a, struct victim *v)
{
	unsigned int i = v->untold;
	struct dma_tx_state state;
	struct op *op;

	while (i < v->n && READ_ONCE(v->op[i].x.calls) && !v->op[i].loops)
		i++;
	if (i == v->n)
		return;
	op = &v->op[roll(&a->rnd, 4) ? i : roll(&a->rnd, v->n)];
	dmaengine_tx_status(v->chan, op->x.cookie, &state);
	KUNIT_EXPECT_LE(a->dut->test, state.residue, op->len);
	KUNIT_EXPECT_LE(a->dut->test, state.in_flight_bytes, state.residue);
}

static void terminate(struct victim *v)
{
	dmaengine_terminate_async(v->chan);
	v->untold = v->n;
}

/* Until something has happened to a channel, but not for long. */
static void pass_time(struct victim *v)
{
	if (v->n)
		wait_for_completion_timeout(&v->op[v->n - 1].x.done, 1);
	else
		cond_resched();
}

static void seldom(struct attack *a, struct victim *v)
{
	switch (roll(&a->rnd, 8)) {
	case 0:
		terminate(v);
		break;
	case 1:
		ldk_break(v->chan);
		break;
	case 2:
	case 3:
		dmaengine_pause(v->chan);
		break;
	case 4:
	case 5:
		dmaengine_resume(v->chan);
		break;
	default:
		pass_time(v);
	}
}

static void step(struct attack *a)
{
	struct victim *v = &a->victim[roll(&a->rnd, CHANS)];
	struct loopdma_dev *ld = a->dut->ld;

	switch (roll(&a->rnd, 16)) {
	case 0 ... 4:
		submit(a, v);
		break;
	case 5 ... 6:
		dma_async_issue_pending(v->chan);
		break;
	case 7:
		ask(a, v);
		break;
	case 8 ... 10:
		lie_now(a, v);
		break;
	case 11 ... 12:
		/* Of channels that are off, too, and that of the events. */
		ld->ops->write(ld, LOOPDMA_RAISE,
			       roll(&a->rnd, ld->lim.channels + 1));
		atomic_inc(&a->told);
		break;
	case 13 ... 14:
		loopdma_fake_run(a->dut->fake);
		break;
	default:
		seldom(a, v);
	}
}

/* --- Peace ------------------------------------------------------------------ */

static enum loopdma_chan_state state_of(struct victim *v)
{
	struct loopdma_chan *lc = to_loopdma_chan(v->chan);
	enum loopdma_chan_state state;

	spin_lock_irq(&lc->lock);
	state = lc->state;
	spin_unlock_irq(&lc->lock);
	return state;
}

/* Do the driver and the device have the same idea of a channel? */
static bool agreed(struct attack *a, struct victim *v)
{
	enum loopdma_chan_state state = state_of(v);
	u32 hw = loopdma_fake_state(a->dut->fake, ldk_index(v->chan));

	return state == LOOPDMA_CHAN_DEAD ||
	       (state == LOOPDMA_CHAN_RUNNING && hw == LOOPDMA_STATE_RUNNING);
}

/* The driver has seen the truth, and has drawn its conclusions. */
static void settle(struct attack *a, struct victim *v)
{
	struct loopdma_chan *lc = to_loopdma_chan(v->chan);
	struct kunit *test = a->dut->test;
	u32 hw;

	/* Looks at what the device has done, which the interrupt will, too. */
	dmaengine_tx_status(v->chan, DMA_MIN_COOKIE, NULL);
	flush_delayed_work(&lc->ld->work);
	hw = loopdma_fake_state(a->dut->fake, ldk_index(v->chan));
	if (state_of(v) == LOOPDMA_CHAN_RUNNING &&
	    (hw == LOOPDMA_STATE_DISABLED || hw == LOOPDMA_STATE_STOPPING)) {
		/* It was told that the channel runs; its client loses patience. */
		a->deceived++;
		dmaengine_terminate_sync(v->chan);
		v->untold = v->n;
	}
	KUNIT_ASSERT_TRUE(test, ldk_poll(agreed(a, v)));
}

/* A transaction that is over, or was terminated. */
static void judge(struct attack *a, struct victim *v, unsigned int i)
{
	struct kunit *test = a->dut->test;
	struct op *op = &v->op[i];
	struct ldk_xfer *x = &op->x;

	KUNIT_EXPECT_EQ(test, 0, op->found & ~(SUM_CHECK_P_RESULT |
					       SUM_CHECK_Q_RESULT));
	KUNIT_EXPECT_LE(test, op->payload, LOOPDMA_META_SIZE);
	if (!x->calls)
		return;
	KUNIT_EXPECT_FALSE(test, x->bad_context);
	KUNIT_EXPECT_FALSE(test, x->locked);
	if (op->loops)
		return;
	KUNIT_EXPECT_EQ(test, 1, x->calls);
	KUNIT_EXPECT_LE(test, x->result.residue, op->len);
	if (x->result.result == DMA_TRANS_NOERROR)
		KUNIT_EXPECT_EQ(test, 0, x->result.residue);
}

/* Everything that was submitted ends. */
static void end_all(struct attack *a, struct victim *v)
{
	struct kunit *test = a->dut->test;
	unsigned int i;

	if (v->stream) {
		/* Nobody says that there is a sender to each receiver. */
		dmaengine_terminate_sync(v->chan);
		v->untold = v->n;
	}
	for (i = v->untold; i < v->n; i++)
		KUNIT_ASSERT_TRUE_MSG(test, ldk_wait(&v->op[i].x),
				      "%u of %u on channel %u does not end",
				      i, v->n, ldk_index(v->chan));
	/* A callback may still be on its way out. */
	dmaengine_synchronize(v->chan);
	for (i = 0; i < v->n; i++)
		judge(a, v, i);
	v->n = 0;
	v->untold = 0;
	KUNIT_EXPECT_EQ(test, 0, ldk_pool_used(v->chan));
}

/* Slave transfers of bytes, that take time; while nothing is in flight. */
static int configure(struct attack *a, struct victim *v)
{
	struct loopdma_peripheral_config periph = {
		.pattern = v->stream && roll(&a->rnd, 2),
		.rate = v->stream ? RATE : 0,
	};
	struct dma_slave_config config = {
		.src_addr_width = DMA_SLAVE_BUSWIDTH_1_BYTE,
		.dst_addr_width = DMA_SLAVE_BUSWIDTH_1_BYTE,
		.src_maxburst = BURST,
		.dst_maxburst = BURST,
		.peripheral_config = &periph,
		.peripheral_size = sizeof(periph),
	};

	return dmaengine_slave_config(v->chan, &config);
}

/* A client can have a channel back that was given up. */
static void revive(struct attack *a, struct victim *v)
{
	unsigned int index = ldk_index(v->chan);

	if (state_of(v) != LOOPDMA_CHAN_DEAD)
		return;
	a->dead++;
	ldk_release(a->dut, v->chan);
	v->chan = ldk_request_index(a->dut, index);
}

static void copy_ok(struct attack *a, struct victim *v)
{
	struct ldk_xfer x;

	ldk_xfer_init(&x, a->dut, v->chan);
	ldk_buf_poison(a->good);
	ldk_start(&x, ldk_prep_copy(v->chan, a->good, a->src[0]));
	ldk_finish(&x);
	ldk_expect_moved(a->dut, a->good, a->src[0]);
	dmaengine_synchronize(v->chan);
}

static void make_peace(struct attack *a)
{
	unsigned int i;

	loopdma_fake_confess(a->dut->fake);
	loopdma_fake_stop_polls(a->dut->fake, 0);
	for (i = 0; i < CHANS; i++) {
		dmaengine_resume(a->victim[i].chan);
		dma_async_issue_pending(a->victim[i].chan);
		settle(a, &a->victim[i]);
	}
	for (i = 0; i < CHANS; i++)
		end_all(a, &a->victim[i]);
	for (i = 0; i < CHANS; i++) {
		revive(a, &a->victim[i]);
		copy_ok(a, &a->victim[i]);
	}
	a->rounds++;
}

/* --- Cases ------------------------------------------------------------------ */

static struct attack *attack_init(struct kunit *test, u32 seed)
{
	struct attack *a = ldk_alloc(test, sizeof(*a));

	a->xt = ldk_alloc(test, struct_size(a->xt, sgl, 1));
	prandom_seed_state(&a->rnd, seed);
	prandom_seed_state(&a->liar, ~(u64)seed);
	return a;
}

static void attack_memory(struct attack *a)
{
	unsigned int i;

	for (i = 0; i < BUFS; i++) {
		a->src[i] = ldk_src(a->dut, LEN);
		a->from[i] = a->src[i]->dma;
		/* A piece at the end of one may have the length of another. */
		a->dst[i] = ldk_dst(a->dut, 2 * LEN);
	}
	a->good = ldk_dst(a->dut, LEN);
}

static void expect_no_harm(struct attack *a)
{
	unsigned int i;

	for (i = 0; i < BUFS; i++) {
		ldk_expect_intact(a->dut, a->src[i]);
		ldk_expect_guards(a->dut, a->dst[i]);
	}
}

/* Parameters of a case: numbers from 1 on. */
static const void *slice_after(const void *prev, char *desc, unsigned int last)
{
	unsigned long i = (unsigned long)prev + 1;

	if (i > last)
		return NULL;
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "slice %lu", i);
	return (void *)i;
}

/* Since Linux 6.18 what generates parameters is told for which test. */
#if KERNEL_VERSION(6, 18, 0) <= LINUX_VERSION_CODE
static const void *traffic_gen_params(struct kunit *test, const void *prev,
				      char *desc)
#else
static const void *traffic_gen_params(const void *prev, char *desc)
#endif
{
	return slice_after(prev, desc, DIV_ROUND_UP(lies, SLICE));
}

#if KERNEL_VERSION(6, 18, 0) <= LINUX_VERSION_CODE
static const void *limits_gen_params(struct kunit *test, const void *prev,
				     char *desc)
#else
static const void *limits_gen_params(const void *prev, char *desc)
#endif
{
	return slice_after(prev, desc,
			   DIV_ROUND_UP(lies, SLICE * LIMITS_SHARE));
}

/* Clients of four channels, while the device lies about all that it tells. */
static void deceive(struct kunit *test, struct loopdma_fake_config cfg)
{
	bool slave = cfg.caps & LOOPDMA_CAPS_LOOPBACK;
	unsigned int i, goal = min_t(unsigned int, lies, SLICE);
	struct ldk_dut *dut;
	struct attack *a;
	u32 seed;

	/* Some more, that are off. */
	cfg.channels = CHANS + 2;
	dut = ldk_create_fake(test, &cfg);
	seed = dut->seed + (unsigned long)test->param_value;
	a = attack_init(test, seed);
	a->dut = dut;
	dut->trouble = true;
	attack_memory(a);
	ldk_set_ring_order(dut, 2 + roll(&a->rnd, 4));
	for (i = 0; i < CHANS; i++)
		a->victim[i].chan = ldk_request_index(dut, i);
	while (atomic_read(&a->told) < goal &&
	       READ_ONCE(test->status) != KUNIT_FAILURE) {
		for (i = 0; i < CHANS; i++) {
			/* A pair has something to say to each other. */
			a->victim[i].stream = slave &&
					      (i < 2 ? a->rounds & 1 :
						       a->rounds & 2);
			KUNIT_EXPECT_EQ(test, slave,
					!configure(a, &a->victim[i]));
		}
		if (!roll(&a->rnd, 8))
			loopdma_fake_stop_polls(dut->fake, roll(&a->rnd, 4));
		loopdma_fake_lie(dut->fake, &all_lies, a);
		/* Each is the last now and then, so that nothing covers it up. */
		for (i = roll(&a->rnd, STEPS); i < STEPS; i++)
			step(a);
		make_peace(a);
	}
	for (i = 0; i < CHANS; i++)
		ldk_release(dut, a->victim[i].chan);
	expect_no_harm(a);
	if (slave)
		ldk_loop_ok(dut);
	kunit_info(test, "seed %u: %d lies in %u rounds, %u channels given up, %u deceived\n",
		   dut->seed, atomic_read(&a->told), a->rounds, a->dead,
		   a->deceived);
}

/*
 * Rule: what a device says is not to be trusted: whatever it says, each
 * transaction ends once, and what does not harm the device harms nobody
 * (Documentation/driver.rst, "A device that means harm").
 */
static void traffic(struct kunit *test)
{
	deceive(test, loopdma_fake_default);
}

/* Rule: the same, of a device that ends transactions in any order. */
static void traffic_unordered(struct kunit *test)
{
	/* Several entries for most transactions. */
	deceive(test, ldk_unordered_config(128));
}

/* Of a device that is asked what it can do, if it is one and there is a reset. */
static u32 lie_limits(void *priv, bool chan, u32 reg, u32 val)
{
	static const u8 edges[] = { 0, 1, 64, 128, 12, 13, 32, 33, 65, 255 };
	struct attack *a = priv;
	u32 at;

	if (chan ? reg != LOOPDMA_CH_CAPS : reg == LOOPDMA_CONTROL)
		return val;
	if (roll(&a->liar, chan || reg < LOOPDMA_CAPS ? 64 : 6))
		return val;
	atomic_inc(&a->told);
	if ((reg == LOOPDMA_MAX_LEN || reg == LOOPDMA_FIFO_DEPTH) &&
	    roll(&a->liar, 2))
		return edges[roll(&a->liar, 4)];
	/* Most limits are a byte, one of two. */
	at = roll(&a->liar, 2) * 8;
	switch (roll(&a->liar, 4)) {
	case 0:
		val = twisted(&a->liar, val);
		break;
	case 1:
		val ^= BIT(roll(&a->liar, 32));
		break;
	default:
		val &= ~(0xffU << at);
		val |= (u32)edges[roll(&a->liar, ARRAY_SIZE(edges))] << at;
	}
	return val == U32_MAX ? 0 : val;
}

static const struct loopdma_fake_lies limit_lies = { .read = lie_limits };

/* A channel of a device that is not what it says that it is. */
static void use_channel(struct attack *a, struct victim *v, unsigned int index)
{
	unsigned int i;

	v->chan = ldk_try_request(a->dut, DMA_MEMCPY, index);
	if (!v->chan)
		return;
	v->stream = index & 1;
	/* It may not be able to do that. */
	configure(a, v);
	for (i = 0; i < OPS; i++)
		submit(a, v);
	dma_async_issue_pending(v->chan);
	end_all(a, v);
	ldk_release(a->dut, v->chan);
}

/*
 * Rule: limits that the driver accepts are ones that it can work with, whether they
 * are true or not (hardware.rst, capabilities).
 */
static void limits(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	u32 seed = dut->seed + (unsigned long)test->param_value;
	struct attack *a = attack_init(test, seed);
	unsigned int i, accepted = 0;
	struct loopdma_dev *ld;

	a->dut = dut;
	dut->trouble = true;
	attack_memory(a);
	ldk_remove(dut);
	while (atomic_read(&a->told) < LIMITS_SLICE &&
	       READ_ONCE(test->status) != KUNIT_FAILURE) {
		a->rounds++;
		loopdma_fake_lie(dut->fake, &limit_lies, a);
		ld = ldk_setup_fake(dut->fake);
		loopdma_fake_confess(dut->fake);
		if (IS_ERR(ld))
			continue;
		accepted++;
		dut->ld = ld;
		dut->gone = false;
		for (i = 0; i < 2; i++)
			use_channel(a, &a->victim[i], i);
		ldk_remove(dut);
	}
	expect_no_harm(a);
	kunit_info(test, "seed %u: %d lies, %u of %u devices accepted\n",
		   dut->seed, atomic_read(&a->told), accepted, a->rounds);
}

static void lie_length(void *priv, struct loopdma_hw_desc *hw)
{
	const u32 *len = priv;

	WRITE_ONCE(hw->len, cpu_to_le32(*len));
}

static const struct loopdma_fake_lies length_lies = { .retired = lie_length };

static const u32 lengths[] = { 1, U32_MAX };

LDK_DESC(lengths_desc, u32, "length %#x")
KUNIT_ARRAY_PARAM(lengths, lengths, lengths_desc);

/*
 * Rule: a repeated transfer goes on until it is replaced or terminated
 * (dmaengine.h, DMA_PREP_REPEAT), also if the lengths in the ring are not what the
 * driver has written there.
 */
static void repeat_goes_on(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct loopdma_peripheral_config periph = { .pattern = true };
	struct dma_slave_config config = {
		.src_addr_width = DMA_SLAVE_BUSWIDTH_1_BYTE,
		.src_maxburst = BURST,
		.peripheral_config = &periph,
		.peripheral_size = sizeof(periph),
	};
	struct attack *a = attack_init(test, dut->seed);
	struct dma_chan *chan = ldk_request(dut);
	u32 len = *(const u32 *)test->param_value;
	struct op op = { };

	a->dut = dut;
	attack_memory(a);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_slave_config(chan, &config));
	loopdma_fake_lie(dut->fake, &length_lies, &len);
	ldk_xfer_init(&op.x, dut, chan);
	ldk_start(&op.x,
		  prep_interleaved(a, &op, chan, DMA_DEV_TO_MEM,
				   DMA_PREP_INTERRUPT | DMA_PREP_REPEAT));
	KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_descriptors(chan) > 100));
	loopdma_fake_confess(dut->fake);
	dmaengine_terminate_sync(chan);
	KUNIT_EXPECT_EQ(test, 0, ldk_pool_used(chan));
	ldk_copy_ok(dut, chan, LEN);
	expect_no_harm(a);
}

static struct kunit_case hostile_cases[] = {
	KUNIT_CASE_PARAM_ATTR(traffic, traffic_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM_ATTR(traffic_unordered, limits_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	KUNIT_CASE_PARAM(repeat_goes_on, lengths_gen_params),
	KUNIT_CASE_PARAM_ATTR(limits, limits_gen_params,
			      { .speed = KUNIT_SPEED_SLOW }),
	{ }
};

static struct kunit_suite hostile_suite = {
	.name = "loopdma_hostile",
	.exit = ldk_exit,
	.test_cases = hostile_cases,
};

kunit_test_suite(hostile_suite);
