// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: a simulated device for the KUnit suites.
 *
 * All state is under one spinlock.  The engine is a work item that moves at
 * most FAKE_CHUNK bytes of one channel at a time with the lock held, so what
 * a register write finds is always the state between two chunks.  Interrupts
 * are noted under the lock and delivered by the work item without it, never
 * from within a register write: the driver writes with its own lock held.
 *
 * The model trusts nothing that the driver gives it.  What hardware.rst calls
 * a guest error is counted, and the cases end by asserting that there was
 * none.
 */
#include <linux/delay.h>
#include <linux/bitfield.h>
#include <linux/bits.h>
#include <linux/bottom_half.h>
#include <linux/dma-direct.h>
#include <linux/dma-mapping.h>
#include <linux/ktime.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>
#include <kunit/device.h>
#include <kunit/test.h>

#include "loopdma.h"
#include "fake.h"

/* hardware.rst: a stop takes effect within 64 KiB. */
#define FAKE_CHUNK	0x10000

/*
 * Chunks that the engine may move before an interrupt reaches the CPU.  Real
 * hardware is that much faster, and what depends on interrupts being late, such
 * as their suppression, shall not depend on the scheduler here.
 */
#define FAKE_LATENCY	64

/* hardware.rst: how far a paced channel that is late may catch up. */
#define FAKE_CATCH_UP	(10 * NSEC_PER_MSEC)

/**
 * struct fake_mark - metadata in a FIFO
 * @end: bytes ever put into the FIFO, up to the one that it goes with
 * @len: bytes of @meta
 * @meta: the metadata, zeroes behind it
 */
struct fake_mark {
	u32 end;
	u8 len;
	u8 meta[LOOPDMA_META_SIZE];
};

/**
 * struct fake_fifo - receive FIFO of a channel
 * @buf: bytes, as many as the configuration says
 * @head: bytes ever put in
 * @tail: bytes ever taken out
 * @mark: metadata, at the most as many as there are bytes
 * @first: metadata ever taken out
 * @last: metadata ever put in
 */
struct fake_fifo {
	u8 *buf;
	u32 head;
	u32 tail;
	struct fake_mark *mark;
	u32 first;
	u32 last;
};

/* Entries of a ring, at the most. */
#define FAKE_RING_MAX	1024

/**
 * struct fake_chan - simulated channel
 * @state: enum loopdma_hw_state
 * @error: enum loopdma_hw_chan_error
 * @polls: reads of CH_STATUS that still tell STOPPING, or not yet PAUSED
 * @ring: latched bus address of the ring
 * @comp: latched bus address of the completion record
 * @size: latched number of entries
 * @tail: last doorbell value
 * @done: descriptors retired
 * @unordered: CH_CONTROL.UNORDERED
 * @at: the descriptor that is next
 * @ahead: slots of what is retired, and not below @done
 * @chained: unordered: the descriptor at @at goes on with a transaction
 * @abort_to: last abort value
 * @aborting: @abort_to has not been dealt with
 * @pausing: CH_CONTROL.PAUSE is set but has no effect yet
 * @paused: CH_CONTROL.PAUSE; only while running
 * @raised: an interrupt was raised since the channel was enabled
 * @arm: arm word at that time
 * @skip: the rest of the transaction is skipped
 * @started: @cur is being executed
 * @cur: local copy of the descriptor at @at
 * @sources: local copy of its source list, if it has one
 * @moved: bytes of @cur moved
 * @limit: bytes of @cur to be moved
 * @forced: status that @cur shall have once @limit is reached
 * @fault: bus address that goes with the status of @cur, or 0
 * @wrong: LOOPDMA_STATUS_*_WRONG, what the check of @moved bytes has found
 * @meta_len: bytes of metadata that came with the bytes moved
 * @meta: that metadata
 * @fifo: what the peer has sent
 * @since: when the peripheral requested the last burst, in nanoseconds
 * @stuck: TC_STUCK
 * @worn_out: scripted: no reset makes it work
 * @refuse_enable: scripted: enabling ends in a CONFIG error
 * @garble: scripted: @garble_status and @garble_residue replace the outcome of
 *	the next descriptor
 * @garble_status: see @garble
 * @garble_residue: see @garble
 * @ring_lo: register
 * @ring_hi: register
 * @ring_order: register
 * @vector: register
 * @comp_lo: register
 * @comp_hi: register
 * @periph: CH_PERIPH
 * @rate: CH_RATE
 * @priority: CH_PRIORITY
 * @source: bytes that the pattern source has given
 * @sink: bytes that the pattern sink has taken
 * @burst: bytes of the burst that was requested last, which have their time before
 *	the next
 * @hold: TC_HOLD
 * @credits: from TC_STEP
 * @fail: TC_FAIL
 * @fail_bytes: TC_FAIL_BYTES
 * @drop_irq: TC_DROP_IRQ
 * @lie: TC_LIE
 * @cnt_doorbells: counter
 * @cnt_descriptors: counter
 * @cnt_interrupts: counter
 * @cnt_bytes: counter
 */
struct fake_chan {
	u32 state;
	u32 error;
	u32 polls;

	u64 ring;
	u64 comp;
	u32 size;
	u32 tail;
	u32 done;
	bool unordered;
	u32 at;
	DECLARE_BITMAP(ahead, FAKE_RING_MAX);
	bool chained;
	u32 abort_to;
	bool aborting;
	bool pausing;
	bool paused;
	bool raised;
	u32 arm;
	bool skip;

	bool started;
	struct loopdma_hw_desc cur;
	struct loopdma_hw_sources sources;
	u32 moved;
	u32 limit;
	u32 forced;
	u64 fault;
	u32 wrong;
	u8 meta_len;
	u8 meta[LOOPDMA_META_SIZE];
	struct fake_fifo fifo;
	u64 since;
	u32 stuck;

	bool worn_out;
	bool refuse_enable;
	bool garble;
	u32 garble_status;
	u32 garble_residue;

	/* From here on what a reset sets to 0. */
	u32 ring_lo;
	u32 ring_hi;
	u32 ring_order;
	u32 vector;
	u32 comp_lo;
	u32 comp_hi;

	u32 periph;
	u32 rate;
	u32 priority;
	u32 source;
	u32 sink;
	u32 burst;

	u32 hold;
	u32 credits;
	u32 fail;
	u32 fail_bytes;
	u32 drop_irq;
	u32 lie;

	u32 cnt_doorbells;
	u32 cnt_descriptors;
	u32 cnt_interrupts;
	u64 cnt_bytes;
};

/**
 * struct loopdma_fake - simulated device
 * @cfg: what it says it is
 * @dev: what the driver core knows it as
 * @dma_parms: of @dev; KUnit devices come without
 * @wq: where @work runs
 * @work: the engine
 * @tick: wakes the engine for a channel that waits for its time
 * @lock: protects everything below; nests inside the driver's channel lock
 * @ld: driver instance that gets the interrupts, or NULL
 * @unplugged: reads return all ones, writes are lost, nothing runs
 * @asleep: the same, but for a while
 * @frozen: registers work, but nothing runs
 * @isolated: the driver has taken its access to memory, until the next reset
 * @stop_polls: reads of CH_STATUS after a stop that tell STOPPING
 * @pause_polls: reads of CH_STATUS after CH_CONTROL.PAUSE that do not tell PAUSED
 * @reset_err: what a reset of the function returns
 * @reset_ms: how long it takes, milliseconds
 * @refused: resets that ended so
 * @resets: resets of the function
 * @bad_start: first bus address of a range that cannot be accessed
 * @bad_len: its length
 * @lies: what it tells in place of the truth, or NULL
 * @liar: for @lies
 * @pending: messages to be delivered, bit per vector
 * @event: EVENT
 * @event_vector: EVENT_VECTOR
 * @channel_errors: CHANNEL_ERRORS
 * @cnt_reads: CNT_MMIO_READS
 * @off: interrupts are disabled: since when, by lockdep's count of such events
 * @off_task: of the task that has done so
 * @off_reads: reads since then
 * @off_most: the most that there were
 * @cnt_interrupts: CNT_INTERRUPTS
 * @guest_errors: accesses that hardware.rst calls guest errors
 * @p: P of a chunk, on its way to memory or to be compared
 * @q: Q of a chunk
 * @nchan: elements of @chan
 * @chan: channels
 */
struct loopdma_fake {
	struct loopdma_fake_config cfg;
	struct device *dev;
	struct device_dma_parameters dma_parms;
	struct workqueue_struct *wq;
	struct work_struct work;
	struct delayed_work tick;

	spinlock_t lock;	/* protects what follows */
	struct loopdma_dev *ld;
	bool unplugged;
	bool asleep;
	bool frozen;
	bool isolated;
	u32 stop_polls;
	u32 pause_polls;
	int reset_err;
	u32 reset_ms;
	u32 refused;
	u32 resets;
	u64 bad_start;
	size_t bad_len;
	const struct loopdma_fake_lies *lies;
	void *liar;
	u64 pending;
	u32 event;
	u32 event_vector;
	u32 channel_errors;
	u32 cnt_reads;
	unsigned int off;
	const struct task_struct *off_task;
	u32 off_reads;
	u32 off_most;
	u32 cnt_interrupts;
	u32 guest_errors;
	u8 *p;
	u8 *q;
	u32 nchan;
	struct fake_chan chan[];
};

const struct loopdma_fake_config loopdma_fake_default = {
	.id = LOOPDMA_ID_MAGIC,
	.version = LOOPDMA_VERSION_1_4,
	.caps = LOOPDMA_CAPS_COPY | LOOPDMA_CAPS_LOOPBACK |
		LOOPDMA_CAPS_COUNTERS | LOOPDMA_CAPS_TESTCTL |
		LOOPDMA_CAPS_FILL | LOOPDMA_CAPS_XOR | LOOPDMA_CAPS_PQ |
		LOOPDMA_CAPS_PAUSE | LOOPDMA_CAPS_PROGRESS |
		LOOPDMA_CAPS_PERIPH | LOOPDMA_CAPS_METADATA |
		LOOPDMA_CAPS_PRIORITY | LOOPDMA_CAPS_FAULTS,
	.channels = 8,
	.ring_min = 1,
	.ring_max = 10,
	.copy_align = 0,
	.addr_bits = 64,
	.max_len = SZ_1M,
	.fifo_depth = SZ_4K,
	.fifo_widths = 0x7f,
	.fifo_burst = 256,
	.max_sources = LOOPDMA_MAX_SOURCES,
	.dma_offset = BIT_ULL(40),
};

static u32 fake_index(struct loopdma_fake *fake, struct fake_chan *fc)
{
	return fc - fake->chan;
}

/* The last of an odd number of channels has nobody to talk to. */
static struct fake_chan *fake_peer(struct loopdma_fake *fake,
				   struct fake_chan *fc)
{
	u32 peer = fake_index(fake, fc) ^ 1;

	return peer < fake->nchan ? &fake->chan[peer] : NULL;
}

static u32 fake_chan_caps(struct loopdma_fake *fake, struct fake_chan *fc)
{
	u32 caps = 0;

	if (fake->cfg.caps & LOOPDMA_CAPS_COPY)
		caps |= LOOPDMA_CH_CAPS_COPY;
	if ((fake->cfg.caps & LOOPDMA_CAPS_LOOPBACK) && fake_peer(fake, fc))
		caps |= LOOPDMA_CH_CAPS_TX | LOOPDMA_CH_CAPS_RX;
	if (fake->cfg.caps & LOOPDMA_CAPS_FILL)
		caps |= LOOPDMA_CH_CAPS_FILL;
	if (fake->cfg.caps & LOOPDMA_CAPS_XOR)
		caps |= LOOPDMA_CH_CAPS_XOR;
	if (fake->cfg.caps & LOOPDMA_CAPS_PQ)
		caps |= LOOPDMA_CH_CAPS_PQ;
	return caps;
}

static bool fake_answers(const struct loopdma_fake *fake)
{
	return !fake->unplugged && !fake->asleep;
}

static void fake_guest_error(struct loopdma_fake *fake)
{
	fake->guest_errors++;
}

/* --- The bus ---------------------------------------------------------------- */

static bool fake_bus_byte_ok(struct loopdma_fake *fake, u64 addr)
{
	phys_addr_t phys;

	if (fake->cfg.addr_bits < 64 && addr >> fake->cfg.addr_bits)
		return false;
	if (fake->bad_len && addr >= fake->bad_start &&
	    addr - fake->bad_start < fake->bad_len)
		return false;
	phys = dma_to_phys(fake->dev, addr);
	return pfn_valid(PHYS_PFN(phys)) &&
	       !PageHighMem(pfn_to_page(PHYS_PFN(phys)));
}

/*
 * Bytes from @addr on that can be accessed, up to @len.  Accessibility changes
 * at page boundaries and at the ends of the scripted range.
 */
static u32 fake_bus_reach(struct loopdma_fake *fake, u64 addr, u32 len)
{
	u32 n = 0, step;

	while (n < len && fake_bus_byte_ok(fake, addr + n)) {
		step = min_t(u32, len - n, PAGE_SIZE - offset_in_page(addr + n));
		if (fake->bad_len && addr + n < fake->bad_start)
			step = min_t(u64, step, fake->bad_start - (addr + n));
		n += step;
	}
	return n;
}

/* Only for what fake_bus_reach() has found accessible. */
static void *fake_bus_ptr(struct loopdma_fake *fake, u64 addr)
{
	return phys_to_virt(dma_to_phys(fake->dev, addr));
}

/* --- Interrupts ------------------------------------------------------------- */

static void fake_kick(struct loopdma_fake *fake)
{
	queue_work(fake->wq, &fake->work);
}

static void fake_message(struct loopdma_fake *fake, u32 vector)
{
	fake->cnt_interrupts++;
	fake->pending |= BIT_ULL(vector);
	fake_kick(fake);
}

static void fake_raise_event(struct loopdma_fake *fake, u32 bit)
{
	if (!(fake->event & bit))
		fake_message(fake, fake->event_vector);
	fake->event |= bit;
}

static void fake_chan_error(struct loopdma_fake *fake, struct fake_chan *fc,
			    u32 error)
{
	fc->state = LOOPDMA_STATE_ERROR;
	fc->error = error;
	fc->started = false;
	fc->pausing = false;
	fc->paused = false;
	fake->channel_errors |= BIT(fake_index(fake, fc));
	fake_raise_event(fake, LOOPDMA_EVENT_CHANNEL_ERROR);
}

/*
 * The interrupt is dropped unless the driver has changed the arm word since
 * the last one: it is sure to look at done again after it has changed it.
 */
static void fake_chan_interrupt(struct loopdma_fake *fake, struct fake_chan *fc)
{
	struct loopdma_hw_comp *comp = fake_bus_ptr(fake, fc->comp);
	u32 arm;

	/* Pairs with the driver's barrier between arm and its look at done. */
	smp_mb();
	arm = le32_to_cpu(READ_ONCE(comp->arm));
	if (fc->raised && fc->arm == arm)
		return;
	fc->raised = true;
	fc->arm = arm;
	if (fc->drop_irq) {
		fc->drop_irq--;
		return;
	}
	fc->cnt_interrupts++;
	fake_message(fake, fc->vector);
}

/* --- Execution -------------------------------------------------------------- */

/* The completion record; NULL if it is out of reach, which stops the channel. */
static struct loopdma_hw_comp *fake_chan_comp(struct loopdma_fake *fake,
					      struct fake_chan *fc)
{
	if (fake_bus_reach(fake, fc->comp, LOOPDMA_COMP_SIZE) <
	    LOOPDMA_COMP_SIZE) {
		fake_chan_error(fake, fc, LOOPDMA_CHERR_WRITEBACK);
		return NULL;
	}
	return fake_bus_ptr(fake, fc->comp);
}

static bool fake_chan_write_done(struct loopdma_fake *fake,
				 struct fake_chan *fc)
{
	struct loopdma_hw_comp *comp = fake_chan_comp(fake, fc);

	if (!comp)
		return false;
	/* The outcome of the descriptors before the count that frees them. */
	smp_wmb();
	WRITE_ONCE(comp->done, cpu_to_le32(fc->done + fc->lie));
	fc->lie = 0;
	if (fake->lies && fake->lies->told)
		fake->lies->told(fake->liar, comp);
	return true;
}

/* For a descriptor that is left unfinished. */
static void fake_chan_write_progress(struct loopdma_fake *fake,
				     struct fake_chan *fc)
{
	struct loopdma_hw_comp *comp;
	u64 val = FIELD_PREP(LOOPDMA_PROGRESS_COUNT, fc->at) |
		  FIELD_PREP(LOOPDMA_PROGRESS_BYTES, fc->moved);

	if (!(fake->cfg.caps & LOOPDMA_CAPS_PROGRESS))
		return;
	comp = fake_chan_comp(fake, fc);
	if (!comp)
		return;
	/* The bytes before the number of them. */
	smp_wmb();
	WRITE_ONCE(comp->progress, cpu_to_le64(val));
	if (fake->lies && fake->lies->told)
		fake->lies->told(fake->liar, comp);
}

static u32 fake_chan_slot(const struct fake_chan *fc, u32 count)
{
	return count & (fc->size - 1);
}

/* The entry of a count, or NULL if it cannot be accessed. */
static struct loopdma_hw_desc *fake_chan_entry(struct loopdma_fake *fake,
					       const struct fake_chan *fc,
					       u32 count)
{
	u64 addr = fc->ring + fake_chan_slot(fc, count) * LOOPDMA_DESC_SIZE;

	if (fake_bus_reach(fake, addr, LOOPDMA_DESC_SIZE) < LOOPDMA_DESC_SIZE)
		return NULL;
	return fake_bus_ptr(fake, addr);
}

/* Does the transaction go on behind an entry?  Not behind one out of reach. */
static bool fake_chan_chains(struct loopdma_fake *fake,
			     const struct fake_chan *fc, u32 count)
{
	const struct loopdma_hw_desc *hw = fake_chan_entry(fake, fc, count);

	return hw && READ_ONCE(hw->ctrl) & cpu_to_le32(LOOPDMA_CTRL_CHAIN);
}

/* The newest transaction that is there as a whole, else the oldest. */
static u32 fake_chan_newest(struct loopdma_fake *fake, const struct fake_chan *fc)
{
	u32 count = fc->tail;
	bool whole = false;

	while (count-- != fc->done) {
		whole |= !fake_chan_chains(fake, fc, count);
		if (whole && !test_bit(fake_chan_slot(fc, count), fc->ahead) &&
		    (count == fc->done ||
		     !fake_chan_chains(fake, fc, count - 1)))
			return count;
	}
	return fc->done;
}

/* Retires the descriptor that is next; false if the channel stopped instead. */
static bool fake_chan_retire(struct loopdma_fake *fake, struct fake_chan *fc,
			     u32 status, u32 residue, u64 fault_addr)
{
	bool executed = status != LOOPDMA_ST_ABORTED &&
			status != LOOPDMA_ST_SKIPPED;
	struct loopdma_hw_desc *hw = fake_chan_entry(fake, fc, fc->at);

	if (!hw) {
		fake_chan_error(fake, fc, LOOPDMA_CHERR_WRITEBACK);
		return false;
	}
	if (fc->garble) {
		fc->garble = false;
		status = fc->garble_status;
		residue = fc->garble_residue;
	}
	if (status & LOOPDMA_STATUS_META_LEN)
		memcpy(hw->meta, fc->meta, sizeof(hw->meta));
	WRITE_ONCE(hw->fault_addr, cpu_to_le64(fault_addr));
	WRITE_ONCE(hw->residue, cpu_to_le32(residue));
	/* Of an unordered channel the status vouches for what is before it. */
	smp_wmb();
	WRITE_ONCE(hw->status, cpu_to_le32(status));
	if (fake->lies && fake->lies->retired)
		fake->lies->retired(fake->liar, hw);

	fc->started = false;
	fc->chained = fc->unordered && fake_chan_chains(fake, fc, fc->at);
	__set_bit(fake_chan_slot(fc, fc->at++), fc->ahead);
	/* Who lies may have written the ring. */
	if (fc->at == fc->tail || test_bit(fake_chan_slot(fc, fc->at), fc->ahead))
		fc->chained = false;
	while (__test_and_clear_bit(fake_chan_slot(fc, fc->done), fc->ahead))
		fc->done++;
	if (executed)
		fc->cnt_descriptors++;
	return fake_chan_write_done(fake, fc);
}

/* Metadata of the current descriptor, to go with the byte sent last. */
static void fake_chan_send_meta(struct loopdma_fake *fake, struct fake_chan *fc)
{
	u32 len = FIELD_GET(LOOPDMA_ARG_META_LEN, le32_to_cpu(fc->cur.arg));
	u32 mask = fake->cfg.fifo_depth - 1;
	struct fake_fifo *fifo;
	struct fake_mark *mark;

	if (!len || fc->periph & LOOPDMA_CH_PERIPH_PATTERN)
		return;
	fifo = &fake_peer(fake, fc)->fifo;
	mark = &fifo->mark[fifo->last++ & mask];
	mark->end = fifo->head;
	mark->len = len;
	memcpy(mark->meta, fc->cur.meta, sizeof(mark->meta));
}

/*
 * What the status of a descriptor tells besides when all of it was executed.  What
 * a check has found does not count before.
 */
static u32 fake_chan_found(struct fake_chan *fc)
{
	if (le32_to_cpu(fc->cur.arg) & LOOPDMA_ARG_META &&
	    FIELD_GET(LOOPDMA_CTRL_OPCODE, le32_to_cpu(fc->cur.ctrl)) ==
	    LOOPDMA_OP_RX)
		return FIELD_PREP(LOOPDMA_STATUS_META_LEN, fc->meta_len);
	return fc->wrong;
}

static void fake_chan_finish(struct loopdma_fake *fake, struct fake_chan *fc,
			     u32 status)
{
	u32 ctrl = le32_to_cpu(fc->cur.ctrl);
	u32 residue = le32_to_cpu(fc->cur.len) - fc->moved;
	bool ok = status == LOOPDMA_ST_OK;

	if (ok && FIELD_GET(LOOPDMA_CTRL_OPCODE, ctrl) == LOOPDMA_OP_TX)
		fake_chan_send_meta(fake, fc);
	if (!fake_chan_retire(fake, fc, ok ? status | fake_chan_found(fc) :
			      status, ok ? 0 : residue, fc->fault))
		return;
	if (!(ctrl & LOOPDMA_CTRL_CHAIN))
		fc->skip = false;
	else if (!ok)
		fc->skip = true;
	if (ctrl & LOOPDMA_CTRL_INT)
		fake_chan_interrupt(fake, fc);
}

/**
 * struct fake_opcode - what a descriptor of some opcode consists of
 * @caps: LOOPDMA_CH_CAPS_* that it needs
 * @arg: LOOPDMA_ARG_* that it has
 * @src: it has a src
 * @dst: it has a dst, unless arg says otherwise
 * @dst2: it has a dst2, unless arg says otherwise
 * @slave: it is TX or RX
 * @parity: it is an XOR or PQ kind
 * @check: it compares and does not write
 */
struct fake_opcode {
	u32 caps;
	u32 arg;
	bool src;
	bool dst;
	bool dst2;
	bool slave;
	bool parity;
	bool check;
};

static const struct fake_opcode fake_opcodes[] = {
	[LOOPDMA_OP_NOP] = { },
	[LOOPDMA_OP_COPY] = {
		.caps = LOOPDMA_CH_CAPS_COPY,
		.src = true,
		.dst = true,
	},
	[LOOPDMA_OP_TX] = {
		.caps = LOOPDMA_CH_CAPS_TX,
		.arg = LOOPDMA_ARG_META_LEN,
		.src = true,
		.slave = true,
	},
	[LOOPDMA_OP_RX] = {
		.caps = LOOPDMA_CH_CAPS_RX,
		.arg = LOOPDMA_ARG_META,
		.dst = true,
		.slave = true,
	},
	[LOOPDMA_OP_FILL] = {
		.caps = LOOPDMA_CH_CAPS_FILL,
		.arg = LOOPDMA_ARG_BYTE,
		.dst = true,
	},
	[LOOPDMA_OP_XOR] = {
		.caps = LOOPDMA_CH_CAPS_XOR,
		.arg = LOOPDMA_ARG_SOURCES,
		.src = true,
		.dst = true,
		.parity = true,
	},
	[LOOPDMA_OP_XOR_CHECK] = {
		.caps = LOOPDMA_CH_CAPS_XOR,
		.arg = LOOPDMA_ARG_SOURCES,
		.src = true,
		.parity = true,
		.check = true,
	},
	[LOOPDMA_OP_PQ] = {
		.caps = LOOPDMA_CH_CAPS_PQ,
		.arg = LOOPDMA_ARG_SOURCES | LOOPDMA_ARG_NO_P |
		       LOOPDMA_ARG_NO_Q | LOOPDMA_ARG_CONTINUE,
		.src = true,
		.dst = true,
		.dst2 = true,
		.parity = true,
	},
	[LOOPDMA_OP_PQ_CHECK] = {
		.caps = LOOPDMA_CH_CAPS_PQ,
		.arg = LOOPDMA_ARG_SOURCES | LOOPDMA_ARG_NO_P |
		       LOOPDMA_ARG_NO_Q,
		.src = true,
		.dst = true,
		.dst2 = true,
		.parity = true,
		.check = true,
	},
};

static u32 fake_desc_op(const struct loopdma_hw_desc *hw)
{
	return FIELD_GET(LOOPDMA_CTRL_OPCODE, le32_to_cpu(hw->ctrl));
}

/* Only for an opcode that was found to be known. */
static const struct fake_opcode *fake_desc_how(const struct loopdma_hw_desc *hw)
{
	return &fake_opcodes[fake_desc_op(hw)];
}

static bool fake_desc_has_dst(const struct loopdma_hw_desc *hw)
{
	return fake_desc_how(hw)->dst &&
	       !(le32_to_cpu(hw->arg) & LOOPDMA_ARG_NO_P);
}

static bool fake_desc_has_dst2(const struct loopdma_hw_desc *hw)
{
	return fake_desc_how(hw)->dst2 &&
	       !(le32_to_cpu(hw->arg) & LOOPDMA_ARG_NO_Q);
}

static u32 fake_desc_sources(const struct loopdma_hw_desc *hw)
{
	const struct fake_opcode *how = fake_desc_how(hw);

	if (how->parity)
		return FIELD_GET(LOOPDMA_ARG_SOURCES, le32_to_cpu(hw->arg));
	return how->src ? 1 : 0;
}

static u32 fake_burst_bytes(const struct loopdma_hw_desc *hw)
{
	u32 periph = le32_to_cpu(hw->periph);
	u32 burst = FIELD_GET(LOOPDMA_PERIPH_BURST, periph);

	return max(burst, 1U) << FIELD_GET(LOOPDMA_PERIPH_WIDTH, periph);
}

/* Bytes of metadata that a descriptor carries; above the size: too many. */
static u32 fake_desc_meta_len(const struct loopdma_hw_desc *hw)
{
	if (fake_desc_op(hw) != LOOPDMA_OP_TX)
		return 0;
	return FIELD_GET(LOOPDMA_ARG_META_LEN, le32_to_cpu(hw->arg));
}

static bool fake_desc_reserved(struct loopdma_fake *fake,
			       const struct loopdma_hw_desc *hw)
{
	u32 ctrl = LOOPDMA_CTRL_OPCODE | LOOPDMA_CTRL_INT | LOOPDMA_CTRL_CHAIN;
	u32 periph = LOOPDMA_PERIPH_WIDTH | LOOPDMA_PERIPH_BURST;
	const struct fake_opcode *how = fake_desc_how(hw);
	u32 meta = min(fake_desc_meta_len(hw), LOOPDMA_META_SIZE);
	u32 arg = how->arg;

	if (how->slave && !(fake->cfg.caps & LOOPDMA_CAPS_METADATA))
		arg = 0;
	/* From here on arg has no bit that the opcode does not have. */
	if ((le32_to_cpu(hw->ctrl) & ~ctrl) || (le32_to_cpu(hw->arg) & ~arg) ||
	    (le32_to_cpu(hw->periph) & ~(how->slave ? periph : 0)))
		return true;
	if (how->slave &&
	    memchr_inv(hw->meta + meta, 0, LOOPDMA_META_SIZE - meta))
		return true;
	if (how->slave)
		return (hw->src && !how->src) || (hw->dst && !how->dst);
	return (hw->src && !how->src) || (hw->src_off && !how->parity) ||
	       (hw->dst && !fake_desc_has_dst(hw)) ||
	       (hw->dst2 && !fake_desc_has_dst2(hw));
}

static bool fake_desc_periph_ok(struct loopdma_fake *fake,
				const struct loopdma_hw_desc *hw, u32 width)
{
	u32 burst = FIELD_GET(LOOPDMA_PERIPH_BURST, le32_to_cpu(hw->periph));

	return (fake->cfg.fifo_widths & width) &&
	       burst <= fake->cfg.fifo_burst &&
	       fake_burst_bytes(hw) <= fake->cfg.fifo_depth;
}

static bool fake_desc_arg_ok(struct loopdma_fake *fake,
			     const struct loopdma_hw_desc *hw)
{
	u32 none = LOOPDMA_ARG_NO_P | LOOPDMA_ARG_NO_Q;
	u32 n = fake_desc_sources(hw);

	return n && n <= min_t(u32, fake->cfg.max_sources,
			       LOOPDMA_MAX_SOURCES) &&
	       (le32_to_cpu(hw->arg) & none) != none;
}

static bool fake_desc_aligned(struct loopdma_fake *fake,
			      const struct loopdma_hw_desc *hw, u32 width)
{
	const struct fake_opcode *how = fake_desc_how(hw);
	u64 all = le32_to_cpu(hw->len) | le64_to_cpu(hw->dst);
	u64 src = le64_to_cpu(hw->src);

	if (how->slave)
		return IS_ALIGNED(src | all, width);
	all |= le64_to_cpu(hw->dst2);
	/* A source list is no buffer and has an alignment of its own. */
	if (!how->parity)
		all |= src;
	else if (!IS_ALIGNED(src, LOOPDMA_SOURCES_ALIGN))
		return false;
	return IS_ALIGNED(all, BIT(fake->cfg.copy_align));
}

/* The checks in the order that hardware.rst gives. */
static u32 fake_desc_check(struct loopdma_fake *fake, struct fake_chan *fc)
{
	const struct loopdma_hw_desc *hw = &fc->cur;
	u32 width = BIT(FIELD_GET(LOOPDMA_PERIPH_WIDTH,
				  le32_to_cpu(hw->periph)));
	u32 len = le32_to_cpu(hw->len);
	const struct fake_opcode *how;
	u32 op = fake_desc_op(hw);

	if (op == LOOPDMA_OP_INVALID || op >= ARRAY_SIZE(fake_opcodes))
		return LOOPDMA_ST_OPCODE;
	how = fake_desc_how(hw);
	if (how->caps & ~fake_chan_caps(fake, fc))
		return LOOPDMA_ST_OPCODE;
	if (fake_desc_reserved(fake, hw))
		return LOOPDMA_ST_RESERVED;
	if (op == LOOPDMA_OP_NOP)
		return len ? LOOPDMA_ST_LENGTH : LOOPDMA_ST_OK;
	if (!len || len > fake->cfg.max_len ||
	    (how->slave && !IS_ALIGNED(len, width)))
		return LOOPDMA_ST_LENGTH;
	if (how->slave && !fake_desc_periph_ok(fake, hw, width))
		return LOOPDMA_ST_PERIPH;
	if ((how->parity && !fake_desc_arg_ok(fake, hw)) ||
	    fake_desc_meta_len(hw) > LOOPDMA_META_SIZE)
		return LOOPDMA_ST_ARG;
	if (!fake_desc_aligned(fake, hw, width))
		return LOOPDMA_ST_ALIGN;
	return LOOPDMA_ST_OK;
}

/* Where the current descriptor goes on in one of its sources. */
static u64 fake_chan_source(const struct fake_chan *fc, u32 i)
{
	if (!fake_desc_how(&fc->cur)->parity)
		return le64_to_cpu(fc->cur.src) + fc->moved;
	return le64_to_cpu(fc->sources.addr[i]) +
	       le64_to_cpu(fc->cur.src_off) + fc->moved;
}

/* Copies the source list in, once, and checks it. */
static u32 fake_chan_read_sources(struct loopdma_fake *fake,
				  struct fake_chan *fc)
{
	u64 addr = le64_to_cpu(fc->cur.src);
	u32 i, n = fake_bus_reach(fake, addr, sizeof(fc->sources));

	if (n < sizeof(fc->sources)) {
		fc->fault = addr + n;
		return LOOPDMA_ST_READ;
	}
	memcpy(&fc->sources, fake_bus_ptr(fake, addr), sizeof(fc->sources));
	for (i = 0; i < fake_desc_sources(&fc->cur); i++)
		if (!IS_ALIGNED(fake_chan_source(fc, i),
				BIT(fake->cfg.copy_align)))
			return LOOPDMA_ST_ALIGN;
	return LOOPDMA_ST_OK;
}

/* What TC_FAIL does to the descriptor that it has counted down to. */
static void fake_chan_fail(struct fake_chan *fc, u32 status)
{
	fc->forced = status;
	fc->limit = min(fc->limit, fc->fail_bytes);
	if (status == LOOPDMA_ST_READ)
		fc->fault = fake_chan_source(fc, 0) + fc->limit;
	else if (status == LOOPDMA_ST_WRITE)
		fc->fault = le64_to_cpu(fc->cur.dst) + fc->limit;
}

/* Begins the copied descriptor, or refuses it. */
static void fake_chan_begin(struct loopdma_fake *fake, struct fake_chan *fc)
{
	u32 status = fake_desc_check(fake, fc);

	fc->started = true;
	fc->limit = le32_to_cpu(fc->cur.len);
	fc->forced = LOOPDMA_ST_OK;
	fc->wrong = 0;
	fc->meta_len = 0;
	if (status == LOOPDMA_ST_OK && fake_desc_how(&fc->cur)->parity)
		status = fake_chan_read_sources(fake, fc);
	if (fc->fail & LOOPDMA_CH_TC_FAIL_AFTER &&
	    !(--fc->fail & LOOPDMA_CH_TC_FAIL_AFTER)) {
		if (status == LOOPDMA_ST_OK)
			fake_chan_fail(fc, FIELD_GET(LOOPDMA_CH_TC_FAIL_STATUS,
						     fc->fail));
		fc->fail = 0;
	}
	if (status != LOOPDMA_ST_OK)
		fake_chan_finish(fake, fc, status);
}

/* Fetches the descriptor at done; false if there is none or it may not start. */
static bool fake_chan_start(struct loopdma_fake *fake, struct fake_chan *fc)
{
	const struct loopdma_hw_desc *hw;

	if (fc->unordered && !fc->chained)
		fc->at = fake_chan_newest(fake, fc);
	if (fc->at == fc->tail || (fc->hold && !fc->credits))
		return false;
	hw = fake_chan_entry(fake, fc, fc->at);
	if (!hw) {
		fake_chan_error(fake, fc, LOOPDMA_CHERR_FETCH);
		return true;
	}
	fc->cur = *hw;
	fc->moved = 0;
	fc->fault = 0;
	if (fc->skip) {
		fake_chan_finish(fake, fc, LOOPDMA_ST_SKIPPED);
		return true;
	}

	if (fc->hold)
		fc->credits--;
	fake_chan_begin(fake, fc);
	return true;
}

static void fake_fifo_put(struct loopdma_fake *fake, struct fake_fifo *fifo,
			  const u8 *src, u32 len)
{
	u32 mask = fake->cfg.fifo_depth - 1;
	u32 first = min(len, fake->cfg.fifo_depth - (fifo->head & mask));

	memcpy(fifo->buf + (fifo->head & mask), src, first);
	memcpy(fifo->buf, src + first, len - first);
	fifo->head += len;
}

/* The metadata that comes with the bytes is left in the channel. */
static void fake_fifo_get(struct loopdma_fake *fake, struct fake_chan *fc,
			  u8 *dst, u32 len)
{
	struct fake_fifo *fifo = &fc->fifo;
	u32 mask = fake->cfg.fifo_depth - 1;
	u32 first = min(len, fake->cfg.fifo_depth - (fifo->tail & mask));
	const struct fake_mark *mark;

	memcpy(dst, fifo->buf + (fifo->tail & mask), first);
	memcpy(dst + first, fifo->buf, len - first);
	fifo->tail += len;
	while (fifo->first != fifo->last) {
		mark = &fifo->mark[fifo->first & mask];
		if ((s32)(mark->end - fifo->tail) > 0)
			break;
		fc->meta_len = mark->len;
		memcpy(fc->meta, mark->meta, sizeof(fc->meta));
		fifo->first++;
	}
}

static u8 fake_pattern(const struct fake_chan *fc, u32 pos)
{
	return loopdma_hw_pattern(FIELD_GET(LOOPDMA_CH_PERIPH_SEED,
					    fc->periph), pos);
}

static void fake_source_get(struct fake_chan *fc, u8 *dst, u32 len)
{
	while (len--)
		*dst++ = fake_pattern(fc, fc->source++);
}

/* Takes what is the pattern; returns how many bytes that was. */
static u32 fake_sink_put(struct fake_chan *fc, const u8 *src, u32 len)
{
	u32 n;

	for (n = 0; n < len && src[n] == fake_pattern(fc, fc->sink); n++)
		fc->sink++;
	return n;
}

/* A burst moves whole or not at all; so does what is left, if that is less. */
static u32 fake_slave_ready(u32 todo, u32 burst, u32 avail)
{
	if (todo <= avail)
		return todo;
	return rounddown(avail, burst);
}

/* When the peripheral of a paced channel requests the next burst. */
static u64 fake_chan_due(const struct fake_chan *fc)
{
	return fc->since + div_u64((u64)fc->burst * NSEC_PER_SEC, fc->rate);
}

/* Has the peripheral requested a burst?  If not, look again when it does. */
static bool fake_chan_requested(struct loopdma_fake *fake, struct fake_chan *fc)
{
	u64 now = ktime_get_ns(), due;

	if (!fc->rate)
		return true;
	due = fake_chan_due(fc);
	if (now >= due)
		return true;
	queue_delayed_work(fake->wq, &fake->tick,
			   nsecs_to_jiffies(due - now) + 1);
	return false;
}

/* Bytes were moved; the time of the next burst follows from their number. */
static void fake_chan_pace(struct fake_chan *fc, u32 len)
{
	if (!fc->rate)
		return;
	fc->since = max(fake_chan_due(fc), ktime_get_ns() - FAKE_CATCH_UP);
	fc->burst = len;
}

/* Bytes of the next chunk that flow control lets move. */
static u32 fake_chan_ready(struct loopdma_fake *fake, struct fake_chan *fc)
{
	u32 n = min_t(u32, fc->limit - fc->moved, FAKE_CHUNK);
	const struct fake_fifo *fifo = &fc->fifo;

	if (fake_desc_how(&fc->cur)->slave) {
		if (!fake_chan_requested(fake, fc))
			return 0;
		if (fc->rate)
			n = min(n, fake_burst_bytes(&fc->cur));
		if (fc->periph & LOOPDMA_CH_PERIPH_PATTERN)
			return n;
	}
	switch (fake_desc_op(&fc->cur)) {
	case LOOPDMA_OP_TX:
		fifo = &fake_peer(fake, fc)->fifo;
		return fake_slave_ready(n, fake_burst_bytes(&fc->cur),
					fake->cfg.fifo_depth -
					(fifo->head - fifo->tail));
	case LOOPDMA_OP_RX:
		return fake_slave_ready(n, fake_burst_bytes(&fc->cur),
					fifo->head - fifo->tail);
	default:
		return n;
	}
}

/* Ends the current descriptor early where one of its buffers ends. */
static u32 fake_buffer_reach(struct loopdma_fake *fake, struct fake_chan *fc,
			     u64 addr, u32 len, u32 status)
{
	u32 n = fake_bus_reach(fake, addr, len);

	if (n < len) {
		fc->limit = fc->moved + n;
		fc->forced = status;
		fc->fault = addr + n;
	}
	return n;
}

/* P and Q are read where they are compared or go on. */
static bool fake_desc_reads_dst(const struct loopdma_hw_desc *hw)
{
	return fake_desc_how(hw)->check ||
	       (le32_to_cpu(hw->arg) & LOOPDMA_ARG_CONTINUE);
}

/* Bytes, up to @n, that can be accessed in all buffers. */
static u32 fake_chan_reach(struct loopdma_fake *fake, struct fake_chan *fc,
			   u32 n)
{
	const struct loopdma_hw_desc *hw = &fc->cur;
	u32 i, status = fake_desc_reads_dst(hw) ? LOOPDMA_ST_READ :
						  LOOPDMA_ST_WRITE;

	for (i = 0; i < fake_desc_sources(hw); i++)
		n = fake_buffer_reach(fake, fc, fake_chan_source(fc, i), n,
				      LOOPDMA_ST_READ);
	if (fake_desc_has_dst(hw))
		n = fake_buffer_reach(fake, fc, le64_to_cpu(hw->dst) +
				      fc->moved, n, status);
	if (fake_desc_has_dst2(hw))
		n = fake_buffer_reach(fake, fc, le64_to_cpu(hw->dst2) +
				      fc->moved, n, status);
	return n;
}

/*
 * The product in the field that RAID-6 uses.  Bit by bit, and not with the
 * kernel's tables, as the results of the driver are compared with it.
 */
static u8 fake_gf_mul(u8 a, u8 b)
{
	u8 product = 0;

	for (; b; b >>= 1) {
		if (b & 1)
			product ^= a;
		a = (a << 1) ^ (a & 0x80 ? 0x1d : 0);
	}
	return product;
}

/* Adds @coef times @src to @sum. */
static void fake_gf_add(u8 *sum, const u8 *src, u32 len, u8 coef)
{
	u8 times[256];
	u32 i;

	/* So that a byte costs one look, however long the buffers are. */
	for (i = 0; i < sizeof(times); i++)
		times[i] = fake_gf_mul(i, coef);
	for (i = 0; i < len; i++)
		sum[i] ^= times[src[i]];
}

static void fake_parity_sum(struct loopdma_fake *fake, struct fake_chan *fc,
			    u8 *sum, u32 len, bool q)
{
	u32 i;

	memset(sum, 0, len);
	for (i = 0; i < fake_desc_sources(&fc->cur); i++)
		fake_gf_add(sum, fake_bus_ptr(fake, fake_chan_source(fc, i)),
			    len, q ? fc->sources.coef[i] : 1);
}

/* Writes what was summed up to @addr, or notes whether it is there. */
static void fake_parity_end(struct loopdma_fake *fake, struct fake_chan *fc,
			    u8 *sum, u32 len, u64 addr, u32 wrong)
{
	const struct loopdma_hw_desc *hw = &fc->cur;

	/* XOR_CHECK has none: the sum of the sources is to be 0 by itself. */
	if (fake_desc_reads_dst(hw) && fake_desc_how(hw)->dst)
		fake_gf_add(sum, fake_bus_ptr(fake, addr), len, 1);
	if (!fake_desc_how(hw)->check)
		memcpy(fake_bus_ptr(fake, addr), sum, len);
	else if (memchr_inv(sum, 0, len))
		fc->wrong |= wrong;
}

static void fake_chan_parity(struct loopdma_fake *fake, struct fake_chan *fc,
			     u32 len)
{
	u64 dst = le64_to_cpu(fc->cur.dst) + fc->moved;
	u64 dst2 = le64_to_cpu(fc->cur.dst2) + fc->moved;
	bool p = !(le32_to_cpu(fc->cur.arg) & LOOPDMA_ARG_NO_P);
	bool q = fake_desc_has_dst2(&fc->cur);

	/* Both before either is written: a destination may be a source. */
	if (p)
		fake_parity_sum(fake, fc, fake->p, len, false);
	if (q)
		fake_parity_sum(fake, fc, fake->q, len, true);
	if (p)
		fake_parity_end(fake, fc, fake->p, len, dst,
				LOOPDMA_STATUS_P_WRONG);
	if (q)
		fake_parity_end(fake, fc, fake->q, len, dst2,
				LOOPDMA_STATUS_Q_WRONG);
}

/* Bytes from memory to the peripheral; ends the descriptor if it takes fewer. */
static u32 fake_chan_tx(struct loopdma_fake *fake, struct fake_chan *fc,
			const u8 *src, u32 len)
{
	u32 n = len;

	if (fc->periph & LOOPDMA_CH_PERIPH_PATTERN)
		n = fake_sink_put(fc, src, len);
	else
		fake_fifo_put(fake, &fake_peer(fake, fc)->fifo, src, len);
	if (n < len) {
		fc->limit = fc->moved + n;
		fc->forced = LOOPDMA_ST_DATA;
		fc->fault = 0;
	}
	return n;
}

static void fake_chan_rx(struct loopdma_fake *fake, struct fake_chan *fc,
			 u8 *dst, u32 len)
{
	if (fc->periph & LOOPDMA_CH_PERIPH_PATTERN)
		fake_source_get(fc, dst, len);
	else
		fake_fifo_get(fake, fc, dst, len);
}

/*
 * The operation itself, for bytes that were found ready and accessible; returns
 * how many of them it was done with.
 */
static u32 fake_chan_execute(struct loopdma_fake *fake, struct fake_chan *fc,
			     u32 len)
{
	u64 src = fake_chan_source(fc, 0);
	u64 dst = le64_to_cpu(fc->cur.dst) + fc->moved;

	switch (fake_desc_op(&fc->cur)) {
	case LOOPDMA_OP_COPY:
		memmove(fake_bus_ptr(fake, dst), fake_bus_ptr(fake, src), len);
		break;
	case LOOPDMA_OP_TX:
		len = fake_chan_tx(fake, fc, fake_bus_ptr(fake, src), len);
		fake_chan_pace(fc, len);
		break;
	case LOOPDMA_OP_RX:
		fake_chan_rx(fake, fc, fake_bus_ptr(fake, dst), len);
		fake_chan_pace(fc, len);
		break;
	case LOOPDMA_OP_FILL:
		memset(fake_bus_ptr(fake, dst),
		       FIELD_GET(LOOPDMA_ARG_BYTE, le32_to_cpu(fc->cur.arg)),
		       len);
		break;
	default:
		fake_chan_parity(fake, fc, len);
	}
	return len;
}

/* Moves a chunk of the current descriptor; false if flow control forbids. */
static bool fake_chan_move(struct loopdma_fake *fake, struct fake_chan *fc)
{
	u32 n = fake_chan_ready(fake, fc);

	if (!n && fc->moved < fc->limit) {
		fake_chan_write_progress(fake, fc);
		return false;
	}
	n = fake_chan_reach(fake, fc, n);
	if (n)
		n = fake_chan_execute(fake, fc, n);
	fc->moved += n;
	fc->cnt_bytes += n;
	if (fc->moved == fc->limit)
		fake_chan_finish(fake, fc, fc->forced);
	else
		fake_chan_write_progress(fake, fc);
	return true;
}

static void fake_chan_abort(struct loopdma_fake *fake, struct fake_chan *fc)
{
	const struct loopdma_hw_desc *hw;
	u32 residue;

	fc->aborting = false;
	while (fc->done != fc->abort_to ||
	       (fc->unordered && (fc->started || fc->chained))) {
		/* Of an unordered channel first what has begun. */
		if (!fc->started && !fc->chained)
			fc->at = fc->done;
		hw = fake_chan_entry(fake, fc, fc->at);
		if (fc->started) {
			residue = le32_to_cpu(fc->cur.len) - fc->moved;
		} else if (hw) {
			residue = le32_to_cpu(READ_ONCE(hw->len));
		} else {
			fake_chan_error(fake, fc, LOOPDMA_CHERR_FETCH);
			return;
		}
		if (!fake_chan_retire(fake, fc, LOOPDMA_ST_ABORTED, residue, 0))
			return;
	}
	fc->skip = false;
	fake_chan_interrupt(fake, fc);
}

/* One chunk of work of a channel; false if there is nothing it can do. */
static bool fake_chan_run(struct loopdma_fake *fake, struct fake_chan *fc)
{
	if (fc->state != LOOPDMA_STATE_RUNNING || fc->paused || fc->stuck ||
	    fc->worn_out)
		return false;
	if (fc->aborting) {
		fake_chan_abort(fake, fc);
		return true;
	}
	if (!fc->started)
		return fake_chan_start(fake, fc);
	return fake_chan_move(fake, fc);
}

/*
 * The handlers of a vector, with interrupts disabled as in a hard interrupt; or,
 * where handlers are threads that may sleep for a lock, without softirqs, as there.
 */
static void fake_deliver(struct loopdma_fake *fake, u64 pending, u32 event)
{
	struct loopdma_dev *ld = READ_ONCE(fake->ld);
	unsigned long flags;
	u32 i;

	if (!ld)
		return;
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		local_bh_disable();
	else
		local_irq_save(flags);
	for (i = 0; i < ld->lim.channels; i++)
		if (pending & BIT_ULL(ld->chan[i].vector))
			loopdma_irq_channel(&ld->chan[i]);
	if (pending & BIT_ULL(event))
		loopdma_irq_event(ld);
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		local_bh_enable();
	else
		local_irq_restore(flags);
}

/* A chunk of each channel of a class. */
static bool fake_run_class(struct loopdma_fake *fake, u32 class)
{
	bool progress = false;
	u32 i;

	for (i = 0; i < fake->nchan; i++) {
		guard(spinlock_irqsave)(&fake->lock);
		if (fake_answers(fake) && !fake->frozen && !fake->isolated &&
		    fake->chan[i].priority == class)
			progress |= fake_chan_run(fake, &fake->chan[i]);
	}
	return progress;
}

/*
 * Some more of what there is to do; false if there is nothing.  A class has its
 * turn when those above it have nothing to do.
 */
static bool fake_run(struct loopdma_fake *fake)
{
	u32 class = LOOPDMA_CH_PRIORITY_CLASS + 1;

	while (class--)
		if (fake_run_class(fake, class))
			return true;
	return false;
}

static void fake_work(struct work_struct *work)
{
	struct loopdma_fake *fake = container_of(work, struct loopdma_fake,
						 work);
	unsigned int latency = 0;
	bool progress;
	u64 pending;
	u32 event;

	do {
		progress = fake_run(fake);
		if (progress && ++latency < FAKE_LATENCY)
			continue;

		latency = 0;
		spin_lock_irq(&fake->lock);
		pending = fake->pending;
		event = fake->event_vector;
		fake->pending = 0;
		spin_unlock_irq(&fake->lock);
		if (pending)
			fake_deliver(fake, pending, event);
		cond_resched();
	} while (progress);
}

static void fake_tick(struct work_struct *work)
{
	struct loopdma_fake *fake = container_of(to_delayed_work(work),
						 struct loopdma_fake, tick);

	fake_kick(fake);
}

/* --- Registers -------------------------------------------------------------- */

static void fake_chan_enable(struct loopdma_fake *fake, struct fake_chan *fc,
			     bool unordered)
{
	u64 mask = DMA_BIT_MASK(fake->cfg.addr_bits);

	fc->ring = (u64)fc->ring_hi << 32 | fc->ring_lo;
	fc->comp = (u64)fc->comp_hi << 32 | fc->comp_lo;
	fc->tail = 0;
	fc->done = 0;
	fc->unordered = unordered;
	fc->at = 0;
	bitmap_zero(fc->ahead, FAKE_RING_MAX);
	fc->chained = false;
	fc->aborting = false;
	fc->raised = false;
	fc->skip = false;
	fc->started = false;

	if (fc->refuse_enable || fc->ring_order < fake->cfg.ring_min ||
	    fc->ring_order > fake->cfg.ring_max ||
	    !IS_ALIGNED(fc->ring, LOOPDMA_DESC_SIZE) ||
	    !IS_ALIGNED(fc->comp, LOOPDMA_COMP_SIZE) ||
	    fc->vector > fake->nchan ||
	    fc->ring > mask - (LOOPDMA_DESC_SIZE << fc->ring_order) + 1 ||
	    fc->comp > mask - LOOPDMA_COMP_SIZE + 1) {
		fake_chan_error(fake, fc, LOOPDMA_CHERR_CONFIG);
		return;
	}
	fc->size = BIT(fc->ring_order);
	fc->state = LOOPDMA_STATE_RUNNING;
}

/* Reads of CH_STATUS after a stop that tell STOPPING. */
static u32 fake_chan_stop_polls(struct loopdma_fake *fake,
				struct fake_chan *fc)
{
	if (fc->stuck >= LOOPDMA_STUCK_RESET)
		return LOOPDMA_FAKE_NEVER;
	if (fc->stuck == LOOPDMA_STUCK_STOP)
		return LOOPDMA_FAKE_UNTIL_RESET;
	return fake->stop_polls;
}

static void fake_chan_disable(struct loopdma_fake *fake, struct fake_chan *fc)
{
	fc->started = false;
	fc->aborting = false;
	fc->pausing = false;
	fc->paused = false;
	fc->fifo.tail = fc->fifo.head;
	fc->fifo.first = fc->fifo.last;
	fc->error = LOOPDMA_CHERR_NONE;
	fake->channel_errors &= ~BIT(fake_index(fake, fc));
	fc->polls = fake_chan_stop_polls(fake, fc);
	fc->state = fc->polls ? LOOPDMA_STATE_STOPPING : LOOPDMA_STATE_DISABLED;
}

static void fake_chan_reset(struct loopdma_fake *fake, struct fake_chan *fc)
{
	u32 state = fc->state;

	fake_chan_disable(fake, fc);
	if (state == LOOPDMA_STATE_DISABLED ||
	    fc->polls == LOOPDMA_FAKE_UNTIL_RESET)
		fc->state = LOOPDMA_STATE_DISABLED;
	/* A reset that ends clears the level. */
	if (fc->stuck < LOOPDMA_STUCK_RESET)
		fc->stuck = LOOPDMA_STUCK_NOT;
	memset_startat(fc, 0, ring_lo);
	/* The peer may be waiting for room in the FIFO. */
	fake_kick(fake);
}

static void fake_reset(struct loopdma_fake *fake)
{
	struct fake_chan *fc;
	u32 i;

	for (i = 0; i < fake->nchan; i++) {
		fc = &fake->chan[i];
		if (fc->stuck == LOOPDMA_STUCK_RESET)
			fc->stuck = LOOPDMA_STUCK_NOT;
		fake_chan_reset(fake, fc);
	}
	fake->pending = 0;
	fake->event = 0;
	fake->event_vector = 0;
	fake->channel_errors = 0;
	fake->cnt_reads = 0;
	fake->cnt_interrupts = 0;
}

/* FLR, in which everything has ended when it is complete. */
static void fake_function_reset(struct loopdma_fake *fake)
{
	struct fake_chan *fc;
	u32 i;

	for (i = 0; i < fake->nchan; i++)
		fake->chan[i].stuck = LOOPDMA_STUCK_NOT;
	fake->isolated = false;
	fake_reset(fake);
	for (i = 0; i < fake->nchan; i++) {
		fc = &fake->chan[i];
		fc->polls = 0;
		fc->state = LOOPDMA_STATE_DISABLED;
	}
}

static bool fake_stopping(struct fake_chan *fc)
{
	if (fc->state == LOOPDMA_STATE_STOPPING &&
	    fc->polls < LOOPDMA_FAKE_UNTIL_RESET && !fc->polls--) {
		fc->polls = 0;
		fc->state = LOOPDMA_STATE_DISABLED;
	}
	return fc->state == LOOPDMA_STATE_STOPPING;
}

static void fake_chan_now_paused(struct loopdma_fake *fake,
				 struct fake_chan *fc)
{
	fc->pausing = false;
	fc->paused = true;
	if (fc->started)
		fake_chan_write_progress(fake, fc);
}

static void fake_pausing(struct loopdma_fake *fake, struct fake_chan *fc)
{
	if (fc->pausing && fc->polls != LOOPDMA_FAKE_NEVER && !fc->polls--)
		fake_chan_now_paused(fake, fc);
}

static bool fake_any_stopping(struct loopdma_fake *fake)
{
	bool any = false;
	u32 i;

	for (i = 0; i < fake->nchan; i++)
		any |= fake_stopping(&fake->chan[i]);
	return any;
}

/* FIFO_DATA is not modelled: it is for clients, not for the driver. */
static bool fake_chan_has_periph(struct loopdma_fake *fake,
				 struct fake_chan *fc)
{
	return (fake->cfg.caps & LOOPDMA_CAPS_PERIPH) &&
	       (fake_chan_caps(fake, fc) & LOOPDMA_CH_CAPS_RX);
}

static void fake_chan_periph(struct loopdma_fake *fake, struct fake_chan *fc,
			     u32 reg, u32 val)
{
	bool periph = fake_chan_has_periph(fake, fc);

	if (reg == LOOPDMA_CH_PERIPH && periph) {
		fc->periph = val;
		fc->source = 0;
		fc->sink = 0;
	} else if (reg == LOOPDMA_CH_RATE && periph) {
		/* In force at once, also while a burst is waited for. */
		fc->rate = val;
	} else if (reg == LOOPDMA_CH_PRIORITY &&
		   (fake->cfg.caps & LOOPDMA_CAPS_PRIORITY)) {
		fc->priority = val & LOOPDMA_CH_PRIORITY_CLASS;
	}
	fake_kick(fake);
}

static u32 fake_chan_read(struct loopdma_fake *fake, struct fake_chan *fc,
			  u32 reg)
{
	bool counters = fake->cfg.caps & LOOPDMA_CAPS_COUNTERS;
	bool testctl = fake->cfg.caps & LOOPDMA_CAPS_TESTCTL;
	bool faults = fake->cfg.caps & LOOPDMA_CAPS_FAULTS;

	switch (reg) {
	case LOOPDMA_CH_CAPS:
		return fake_chan_caps(fake, fc);
	case LOOPDMA_CH_CONTROL:
		if (fake_stopping(fc))
			return LOOPDMA_CH_CONTROL_RESET;
		if (fc->state == LOOPDMA_STATE_DISABLED)
			return 0;
		return LOOPDMA_CH_CONTROL_ENABLE |
		       FIELD_PREP(LOOPDMA_CH_CONTROL_UNORDERED,
				  fc->unordered) |
		       FIELD_PREP(LOOPDMA_CH_CONTROL_PAUSE,
				  fc->pausing || fc->paused);
	case LOOPDMA_CH_STATUS:
		fake_stopping(fc);
		fake_pausing(fake, fc);
		return FIELD_PREP(LOOPDMA_CH_STATUS_STATE, fc->state) |
		       FIELD_PREP(LOOPDMA_CH_STATUS_ERROR, fc->error) |
		       FIELD_PREP(LOOPDMA_CH_STATUS_PAUSED, fc->paused);
	case LOOPDMA_CH_RING_LO:
		return fc->ring_lo;
	case LOOPDMA_CH_RING_HI:
		return fc->ring_hi;
	case LOOPDMA_CH_RING_SIZE:
		return fc->ring_order;
	case LOOPDMA_CH_VECTOR:
		return fc->vector;
	case LOOPDMA_CH_COMP_LO:
		return fc->comp_lo;
	case LOOPDMA_CH_COMP_HI:
		return fc->comp_hi;
	case LOOPDMA_CH_FIFO_LEVEL:
		return fake->cfg.caps & LOOPDMA_CAPS_PROGRESS ?
			fc->fifo.head - fc->fifo.tail : 0;
	case LOOPDMA_CH_PERIPH:
		return fc->periph;
	case LOOPDMA_CH_RATE:
		return fc->rate;
	case LOOPDMA_CH_PRIORITY:
		return fc->priority;
	case LOOPDMA_CH_CNT_DOORBELLS:
		return counters ? fc->cnt_doorbells : 0;
	case LOOPDMA_CH_CNT_DESCRIPTORS:
		return counters ? fc->cnt_descriptors : 0;
	case LOOPDMA_CH_CNT_BYTES_LO:
		return counters ? lower_32_bits(fc->cnt_bytes) : 0;
	case LOOPDMA_CH_CNT_BYTES_HI:
		return counters ? upper_32_bits(fc->cnt_bytes) : 0;
	case LOOPDMA_CH_CNT_INTERRUPTS:
		return counters ? fc->cnt_interrupts : 0;
	case LOOPDMA_CH_TC_HOLD:
		return testctl ? fc->hold : 0;
	case LOOPDMA_CH_TC_FAIL:
		return testctl ? fc->fail : 0;
	case LOOPDMA_CH_TC_FAIL_BYTES:
		return testctl ? fc->fail_bytes : 0;
	case LOOPDMA_CH_TC_DROP_IRQ:
		return testctl ? fc->drop_irq : 0;
	case LOOPDMA_CH_TC_LIE:
		return testctl ? fc->lie : 0;
	case LOOPDMA_CH_TC_STUCK:
		return faults ? fc->stuck : 0;
	default:
		fake_guest_error(fake);
		return 0;
	}
}

static u32 fake_dev_read(struct loopdma_fake *fake, u32 reg)
{
	const struct loopdma_fake_config *cfg = &fake->cfg;
	bool counters = cfg->caps & LOOPDMA_CAPS_COUNTERS;

	switch (reg) {
	case LOOPDMA_ID:
		return cfg->id;
	case LOOPDMA_VERSION:
		return cfg->version;
	case LOOPDMA_CAPS:
		return cfg->caps;
	case LOOPDMA_TOPOLOGY:
		return FIELD_PREP(LOOPDMA_TOPOLOGY_CHANNELS, cfg->channels) |
		       FIELD_PREP(LOOPDMA_TOPOLOGY_ENGINES, 1);
	case LOOPDMA_RING_LIMITS:
		return FIELD_PREP(LOOPDMA_RING_LIMITS_MIN, cfg->ring_min) |
		       FIELD_PREP(LOOPDMA_RING_LIMITS_MAX, cfg->ring_max);
	case LOOPDMA_COPY_LIMITS:
		return FIELD_PREP(LOOPDMA_COPY_LIMITS_ALIGN, cfg->copy_align) |
		       FIELD_PREP(LOOPDMA_COPY_LIMITS_ADDR_BITS,
				  cfg->addr_bits);
	case LOOPDMA_MAX_LEN:
		return cfg->max_len;
	case LOOPDMA_FIFO_DEPTH:
		return cfg->caps & LOOPDMA_CAPS_LOOPBACK ? cfg->fifo_depth : 0;
	case LOOPDMA_FIFO_LIMITS:
		if (!(cfg->caps & LOOPDMA_CAPS_LOOPBACK))
			return 0;
		return FIELD_PREP(LOOPDMA_FIFO_LIMITS_WIDTHS,
				  cfg->fifo_widths) |
		       FIELD_PREP(LOOPDMA_FIFO_LIMITS_BURST, cfg->fifo_burst);
	case LOOPDMA_XOR_LIMITS:
		if (!(cfg->caps & (LOOPDMA_CAPS_XOR | LOOPDMA_CAPS_PQ)))
			return 0;
		return FIELD_PREP(LOOPDMA_XOR_LIMITS_SOURCES, cfg->max_sources);
	case LOOPDMA_CONTROL:
		return fake_any_stopping(fake) || fake->cfg.endless_reset ?
			LOOPDMA_CONTROL_RESET : 0;
	case LOOPDMA_INT_STATUS:
		return 0;
	case LOOPDMA_EVENT:
		return fake->event;
	case LOOPDMA_EVENT_VECTOR:
		return fake->event_vector;
	case LOOPDMA_CHANNEL_ERRORS:
		return fake->channel_errors;
	case LOOPDMA_CNT_MMIO_READS:
		return counters ? fake->cnt_reads : 0;
	case LOOPDMA_CNT_INTERRUPTS:
		return counters ? fake->cnt_interrupts : 0;
	default:
		fake_guest_error(fake);
		return 0;
	}
}

static void fake_chan_doorbell(struct loopdma_fake *fake, struct fake_chan *fc,
			       u32 val)
{
	if (fc->state != LOOPDMA_STATE_RUNNING) {
		/* Not the driver's fault until it can know of the error. */
		if (fc->state != LOOPDMA_STATE_ERROR)
			fake_guest_error(fake);
		return;
	}
	if (val - fc->done > fc->size || val - fc->tail > fc->size) {
		fake_chan_error(fake, fc, LOOPDMA_CHERR_DOORBELL);
		return;
	}
	fc->cnt_doorbells++;
	fc->tail = val;
	fake_kick(fake);
}

static void fake_chan_abort_write(struct loopdma_fake *fake,
				  struct fake_chan *fc, u32 val)
{
	if (fc->state != LOOPDMA_STATE_RUNNING) {
		if (fc->state != LOOPDMA_STATE_ERROR)
			fake_guest_error(fake);
		return;
	}
	if (val - fc->done > fc->tail - fc->done) {
		fake_chan_error(fake, fc, LOOPDMA_CHERR_ABORT);
		return;
	}
	fc->abort_to = val;
	fc->aborting = true;
	fake_kick(fake);
}

static bool fake_control_forbidden(struct loopdma_fake *fake,
				   struct fake_chan *fc, u32 val)
{
	u32 known = LOOPDMA_CH_CONTROL_ENABLE | LOOPDMA_CH_CONTROL_RESET;
	bool enable = (val & known) == LOOPDMA_CH_CONTROL_ENABLE;
	bool pause = val & LOOPDMA_CH_CONTROL_PAUSE;

	if (fake->cfg.caps & LOOPDMA_CAPS_PAUSE)
		known |= LOOPDMA_CH_CONTROL_PAUSE;
	if (fake->cfg.caps & LOOPDMA_CAPS_UNORDERED)
		known |= LOOPDMA_CH_CONTROL_UNORDERED;
	if (val & ~known)
		return true;
	if (fc->state == LOOPDMA_STATE_STOPPING)
		return enable || pause;
	return pause && fc->state == LOOPDMA_STATE_DISABLED && !enable;
}

static void fake_chan_pause(struct loopdma_fake *fake, struct fake_chan *fc,
			    bool pause)
{
	if (!(fake->cfg.caps & LOOPDMA_CAPS_PAUSE) ||
	    fc->state != LOOPDMA_STATE_RUNNING ||
	    (fc->pausing || fc->paused) == pause)
		return;
	if (!pause) {
		fc->pausing = false;
		fc->paused = false;
		fake_kick(fake);
	} else if (fake->pause_polls) {
		fc->pausing = true;
		fc->polls = fake->pause_polls;
	} else {
		fake_chan_now_paused(fake, fc);
	}
}

static void fake_chan_control(struct loopdma_fake *fake, struct fake_chan *fc,
			      u32 val)
{
	bool enabled = fc->state == LOOPDMA_STATE_RUNNING ||
		       fc->state == LOOPDMA_STATE_ERROR;

	if (fake_control_forbidden(fake, fc, val))
		fake_guest_error(fake);
	/* First: a channel that is enabled or stopped by this is not paused. */
	fake_chan_pause(fake, fc, val & LOOPDMA_CH_CONTROL_PAUSE);
	if (val & LOOPDMA_CH_CONTROL_RESET) {
		fake_chan_reset(fake, fc);
	} else if (val & LOOPDMA_CH_CONTROL_ENABLE) {
		if (fc->state == LOOPDMA_STATE_DISABLED)
			fake_chan_enable(fake, fc,
					 (val & LOOPDMA_CH_CONTROL_UNORDERED) &&
					 (fake->cfg.caps &
					  LOOPDMA_CAPS_UNORDERED));
	} else if (enabled) {
		fake_chan_disable(fake, fc);
		fake_kick(fake);
	}
}

static void fake_chan_config(struct loopdma_fake *fake, struct fake_chan *fc,
			     u32 *reg, u32 val)
{
	if (fc->state == LOOPDMA_STATE_DISABLED)
		*reg = val;
	else
		fake_guest_error(fake);
}

static void fake_chan_testctl(struct loopdma_fake *fake, struct fake_chan *fc,
			      u32 reg, u32 val)
{
	if (!(fake->cfg.caps & LOOPDMA_CAPS_TESTCTL))
		return;

	switch (reg) {
	case LOOPDMA_CH_TC_HOLD:
		fc->hold = val & 1;
		fc->credits = 0;
		fake_kick(fake);
		break;
	case LOOPDMA_CH_TC_STEP:
		if (fc->hold)
			fc->credits += val;
		fake_kick(fake);
		break;
	case LOOPDMA_CH_TC_FAIL:
		fc->fail = val;
		break;
	case LOOPDMA_CH_TC_FAIL_BYTES:
		fc->fail_bytes = val;
		break;
	case LOOPDMA_CH_TC_DROP_IRQ:
		fc->drop_irq = val;
		break;
	case LOOPDMA_CH_TC_LIE:
		fc->lie = val;
		break;
	}
}

/* Of the controls that came with FAULTS only those that the driver has to notice. */
static void fake_chan_stuck(struct loopdma_fake *fake, struct fake_chan *fc,
			    u32 val)
{
	if (!(fake->cfg.caps & LOOPDMA_CAPS_FAULTS))
		return;
	if (val > LOOPDMA_STUCK_DEVICE) {
		fake_guest_error(fake);
		return;
	}
	fc->stuck = val;
	/* What the level does not hold any more ends. */
	if (fc->state == LOOPDMA_STATE_STOPPING)
		fc->polls = fake_chan_stop_polls(fake, fc);
	fake_kick(fake);
}

static void fake_chan_write(struct loopdma_fake *fake, struct fake_chan *fc,
			    u32 reg, u32 val)
{
	switch (reg) {
	case LOOPDMA_CH_CONTROL:
		fake_chan_control(fake, fc, val);
		break;
	case LOOPDMA_CH_DOORBELL:
		fake_chan_doorbell(fake, fc, val);
		break;
	case LOOPDMA_CH_RING_LO:
		fake_chan_config(fake, fc, &fc->ring_lo, val);
		break;
	case LOOPDMA_CH_RING_HI:
		fake_chan_config(fake, fc, &fc->ring_hi, val);
		break;
	case LOOPDMA_CH_RING_SIZE:
		fake_chan_config(fake, fc, &fc->ring_order, val);
		break;
	case LOOPDMA_CH_VECTOR:
		fake_chan_config(fake, fc, &fc->vector, val);
		break;
	case LOOPDMA_CH_COMP_LO:
		fake_chan_config(fake, fc, &fc->comp_lo, val);
		break;
	case LOOPDMA_CH_COMP_HI:
		fake_chan_config(fake, fc, &fc->comp_hi, val);
		break;
	case LOOPDMA_CH_ABORT:
		fake_chan_abort_write(fake, fc, val);
		break;
	case LOOPDMA_CH_PERIPH ... LOOPDMA_CH_PRIORITY:
		fake_chan_periph(fake, fc, reg, val);
		break;
	case LOOPDMA_CH_TC_HOLD ... LOOPDMA_CH_TC_LIE:
		fake_chan_testctl(fake, fc, reg, val);
		break;
	case LOOPDMA_CH_TC_STUCK:
		fake_chan_stuck(fake, fc, val);
		break;
	default:
		fake_guest_error(fake);
	}
}

static void fake_dev_write(struct loopdma_fake *fake, u32 reg, u32 val)
{
	switch (reg) {
	case LOOPDMA_CONTROL:
		if (val & LOOPDMA_CONTROL_RESET)
			fake_reset(fake);
		break;
	case LOOPDMA_INT_STATUS:
		break;
	case LOOPDMA_EVENT:
		fake->event &= ~val;
		break;
	case LOOPDMA_EVENT_VECTOR:
		fake->event_vector = val;
		break;
	case LOOPDMA_RAISE:
		if (val > fake->nchan)
			fake_guest_error(fake);
		else
			fake_message(fake, val);
		break;
	case LOOPDMA_TC_GONE:
		if (!(fake->cfg.caps & LOOPDMA_CAPS_FAULTS))
			break;
		if (val == LOOPDMA_TC_GONE_MAGIC)
			fake->unplugged = true;
		else
			fake_guest_error(fake);
		break;
	default:
		fake_guest_error(fake);
	}
}

/* NULL: a register of the device, or of no channel that there is. */
static struct fake_chan *fake_decode(struct loopdma_fake *fake, u32 *reg)
{
	u32 index;

	if (*reg < LOOPDMA_CH_BASE)
		return NULL;
	index = (*reg - LOOPDMA_CH_BASE) / LOOPDMA_CH_STRIDE;
	if (index >= fake->nchan)
		return NULL;
	*reg = (*reg - LOOPDMA_CH_BASE) % LOOPDMA_CH_STRIDE;
	return &fake->chan[index];
}

static bool fake_is_counter(const struct fake_chan *fc, u32 reg)
{
	if (fc)
		return reg >= LOOPDMA_CH_CNT_DOORBELLS &&
		       reg <= LOOPDMA_CH_CNT_INTERRUPTS;
	return reg == LOOPDMA_CNT_MMIO_READS || reg == LOOPDMA_CNT_INTERRUPTS;
}

/* Count a read with interrupts disabled among those since they were. */
static void fake_count_off(struct loopdma_fake *fake)
{
#ifdef CONFIG_PROVE_LOCKING
	unsigned int off = current->irqtrace.hardirq_disable_event;

	if (fake->off_task != current || fake->off != off)
		fake->off_reads = 0;
	fake->off_task = current;
	fake->off = off;
	fake->off_reads++;
	fake->off_most = max(fake->off_most, fake->off_reads);
#endif
}

static u32 fake_op_read(struct loopdma_dev *ld, u32 reg)
{
	struct loopdma_fake *fake = ld->priv;
	bool off = irqs_disabled();
	struct fake_chan *fc;
	u32 val = ~0;

	guard(spinlock_irqsave)(&fake->lock);
	if (off)
		fake_count_off(fake);
	fc = fake_decode(fake, &reg);
	if (!fake_is_counter(fc, reg))
		fake->cnt_reads++;
	if (fake_answers(fake))
		val = fc ? fake_chan_read(fake, fc, reg) :
			   fake_dev_read(fake, reg);
	if (fake->lies && fake->lies->read)
		val = fake->lies->read(fake->liar, fc, reg, val);
	return val;
}

static void fake_op_write(struct loopdma_dev *ld, u32 reg, u32 val)
{
	struct loopdma_fake *fake = ld->priv;
	struct fake_chan *fc;

	/* The lock orders the driver's earlier stores, as writel() would. */
	guard(spinlock_irqsave)(&fake->lock);
	fc = fake_decode(fake, &reg);
	if (fake->lies && fake->lies->written)
		fake->lies->written(fake->liar, fc, reg);
	if (fake_answers(fake) && fc)
		fake_chan_write(fake, fc, reg, val);
	else if (fake_answers(fake))
		fake_dev_write(fake, reg, val);
}

/**
 * loopdma_fake_reset_takes() - let a reset of the function take its time
 * @fake: device
 * @ms: how much, milliseconds
 */
void loopdma_fake_reset_takes(struct loopdma_fake *fake, u32 ms)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->reset_ms = ms;
}

static int fake_op_reset(struct loopdma_dev *ld)
{
	struct loopdma_fake *fake = ld->priv;
	unsigned long flags;
	int err;

	spin_lock_irqsave(&fake->lock, flags);
	err = fake->reset_err;
	if (err)
		fake->refused++;
	spin_unlock_irqrestore(&fake->lock, flags);
	if (!err)
		loopdma_fake_reset(fake);
	return err;
}

static void fake_op_isolate(struct loopdma_dev *ld)
{
	struct loopdma_fake *fake = ld->priv;

	guard(spinlock_irqsave)(&fake->lock);
	fake->isolated = true;
}

const struct loopdma_hw_ops loopdma_fake_ops = {
	.read = fake_op_read,
	.write = fake_op_write,
	.reset = fake_op_reset,
	.isolate = fake_op_isolate,
};

/* --- For the suites ---------------------------------------------------------- */

static void fake_destroy_wq(void *data)
{
	struct loopdma_fake *fake = data;

	cancel_delayed_work_sync(&fake->tick);
	destroy_workqueue(fake->wq);
}

/* The device's view of memory begins at dma_offset. */
static void fake_set_offset(struct kunit *test, struct loopdma_fake *fake)
{
	struct bus_dma_region *map = kcalloc(2, sizeof(*map), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, map);
	map->dma_start = fake->cfg.dma_offset;
	map->size = fake->cfg.dma_offset;
	/* Freed with the device. */
	fake->dev->dma_range_map = map;
}

/**
 * loopdma_fake_create() - make a simulated device
 * @test: case that it is for; it goes away with the case
 * @name: unique among the simulated devices of the case
 * @cfg: what it says it is, copied
 *
 * Return: the device.  The case is aborted if there is no memory.
 */
struct loopdma_fake *loopdma_fake_create(struct kunit *test, const char *name,
					 const struct loopdma_fake_config *cfg)
{
	u32 i, nchan = min_t(u32, cfg->channels, LOOPDMA_MAX_CHANNELS);
	struct loopdma_fake *fake;

	fake = kunit_kzalloc(test, struct_size(fake, chan, nchan), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake);
	fake->cfg = *cfg;
	fake->nchan = nchan;
	fake->stop_polls = 1;
	spin_lock_init(&fake->lock);
	INIT_WORK(&fake->work, fake_work);
	INIT_DELAYED_WORK(&fake->tick, fake_tick);

	fake->p = kunit_kzalloc(test, FAKE_CHUNK, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake->p);
	fake->q = kunit_kzalloc(test, FAKE_CHUNK, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, fake->q);
	for (i = 0; i < nchan; i++) {
		fake->chan[i].fifo.buf = kunit_kzalloc(test,
						       max(cfg->fifo_depth, 1U),
						       GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, fake->chan[i].fifo.buf);
		fake->chan[i].fifo.mark =
			kunit_kmalloc_array(test, max(cfg->fifo_depth, 1U),
					    sizeof(struct fake_mark),
					    GFP_KERNEL);
		KUNIT_ASSERT_NOT_NULL(test, fake->chan[i].fifo.mark);
	}

	fake->dev = kunit_device_register(test, name);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, fake->dev);
	fake->dev->dma_parms = &fake->dma_parms;
	if (cfg->dma_offset)
		fake_set_offset(test, fake);

	fake->wq = alloc_workqueue("%s", WQ_UNBOUND, 1, name);
	KUNIT_ASSERT_NOT_NULL(test, fake->wq);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   fake_destroy_wq,
							   fake));
	return fake;
}

/**
 * loopdma_fake_device() - struct device of a simulated device
 * @fake: device
 *
 * Return: the device, bound to a driver, as loopdma_create() needs it.
 */
struct device *loopdma_fake_device(struct loopdma_fake *fake)
{
	return fake->dev;
}

/**
 * loopdma_fake_attach() - connect the interrupts
 * @fake: device
 * @ld: driver instance that gets them
 */
void loopdma_fake_attach(struct loopdma_fake *fake, struct loopdma_dev *ld)
{
	WRITE_ONCE(fake->ld, ld);
}

/**
 * loopdma_fake_detach() - disconnect the interrupts
 * @fake: device
 *
 * What free_irq() is to hardware: no handler is running when it returns, and
 * none will.
 *
 * Context: may sleep.
 */
void loopdma_fake_detach(struct loopdma_fake *fake)
{
	WRITE_ONCE(fake->ld, NULL);
	flush_work(&fake->work);
}

static u32 fake_count(struct loopdma_fake *fake, const u32 *count)
{
	guard(spinlock_irqsave)(&fake->lock);
	return *count;
}

/**
 * loopdma_fake_guest_errors() - what the driver has done wrong
 * @fake: device
 *
 * Return: number of register accesses that hardware.rst forbids.
 */
u32 loopdma_fake_guest_errors(struct loopdma_fake *fake)
{
	return fake_count(fake, &fake->guest_errors);
}

/**
 * loopdma_fake_unplug() - the device is gone, and nobody said goodbye
 * @fake: device; from now on it reads as all ones
 */
void loopdma_fake_unplug(struct loopdma_fake *fake)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->unplugged = true;
}

/**
 * loopdma_fake_sleep() - have no registers for a while, as in D3hot
 * @fake: device; it keeps all that it knows
 * @asleep: read as all ones and do nothing, or be there again
 */
void loopdma_fake_sleep(struct loopdma_fake *fake, bool asleep)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->asleep = asleep;
	if (!asleep)
		fake_kick(fake);
}

/**
 * loopdma_fake_leave() - let a channel be as another kernel has left it
 * @fake: device
 * @index: channel; enabled, on a ring that this kernel knows nothing of
 * @paused: paused as well
 */
void loopdma_fake_leave(struct loopdma_fake *fake, u32 index, bool paused)
{
	struct fake_chan *fc = &fake->chan[index];

	guard(spinlock_irqsave)(&fake->lock);
	/* Where there is no memory, so that nobody else is harmed. */
	fc->ring_lo = 0;
	fc->ring_hi = upper_32_bits(DMA_BIT_MASK(fake->cfg.addr_bits));
	fc->ring_order = fake->cfg.ring_min;
	fc->comp_lo = 0;
	fc->comp_hi = fc->ring_hi;
	fc->vector = 0;
	fake_chan_enable(fake, fc, false);
	fc->paused = paused;
}

/**
 * loopdma_fake_power_cycle() - forget everything, of which nobody is told
 * @fake: device
 */
void loopdma_fake_power_cycle(struct loopdma_fake *fake)
{
	guard(spinlock_irqsave)(&fake->lock);
	if (!fake->unplugged)
		fake_function_reset(fake);
}

/**
 * loopdma_fake_reset() - reset the function
 * @fake: device
 *
 * As the PCI core does, which tells the driver before and afterwards.
 *
 * Context: may sleep.
 */
void loopdma_fake_reset(struct loopdma_fake *fake)
{
	loopdma_reset_prepare(fake->ld);
	scoped_guard(spinlock_irqsave, &fake->lock)
		fake->resets++;
	msleep(READ_ONCE(fake->reset_ms));
	scoped_guard(spinlock_irqsave, &fake->lock) {
		if (!fake->unplugged)
			fake_function_reset(fake);
	}
	loopdma_reset_done(fake->ld);
}

/**
 * loopdma_fake_reset_err() - let a reset of the function fail for the driver
 * @fake: device
 * @err: what it returns; 0: it works again
 */
void loopdma_fake_reset_err(struct loopdma_fake *fake, int err)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->reset_err = err;
}

/**
 * loopdma_fake_reads() - register reads, but for those of counters
 * @fake: device; may be gone, which CNT_MMIO_READS would not tell
 *
 * Return: count since it was made or reset.
 */
u32 loopdma_fake_reads(struct loopdma_fake *fake)
{
	return fake_count(fake, &fake->cnt_reads);
}

/**
 * loopdma_fake_reads_at_once() - register reads with interrupts disabled once
 * @fake: device
 *
 * Return: the most that there were since this was called last; 0 without
 * CONFIG_PROVE_LOCKING.
 */
u32 loopdma_fake_reads_at_once(struct loopdma_fake *fake)
{
	u32 most;

	guard(spinlock_irqsave)(&fake->lock);
	most = fake->off_most;
	fake->off_reads = 0;
	fake->off_most = 0;
	return most;
}

/**
 * loopdma_fake_refused() - how often a reset of the function has failed
 * @fake: device
 *
 * Return: count since it was made.
 */
u32 loopdma_fake_refused(struct loopdma_fake *fake)
{
	return fake_count(fake, &fake->refused);
}

/**
 * loopdma_fake_resets() - how often the function was reset
 * @fake: device
 *
 * Return: count since it was made.
 */
u32 loopdma_fake_resets(struct loopdma_fake *fake)
{
	return fake_count(fake, &fake->resets);
}

/**
 * loopdma_fake_isolated() - has the driver kept the device from memory?
 * @fake: device
 *
 * Return: true from then on until the function is reset.
 */
bool loopdma_fake_isolated(struct loopdma_fake *fake)
{
	guard(spinlock_irqsave)(&fake->lock);
	return fake->isolated;
}

/**
 * loopdma_fake_stop_polls() - how long a channel takes to stop
 * @fake: device
 * @polls: reads of its status that do not tell DISABLED yet,
 *	LOOPDMA_FAKE_NEVER, or LOOPDMA_FAKE_UNTIL_RESET
 */
void loopdma_fake_stop_polls(struct loopdma_fake *fake, u32 polls)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->stop_polls = polls;
}

/**
 * loopdma_fake_pause_polls() - how long a channel takes to pause
 * @fake: device
 * @polls: reads of its status that do not tell PAUSED yet, until when it goes
 *	on, or LOOPDMA_FAKE_NEVER
 */
void loopdma_fake_pause_polls(struct loopdma_fake *fake, u32 polls)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->pause_polls = polls;
}

/**
 * loopdma_fake_freeze() - do nothing, and acknowledge nothing, for a while
 * @fake: device
 * @freeze: freeze, or go on
 */
void loopdma_fake_freeze(struct loopdma_fake *fake, bool freeze)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->frozen = freeze;
	if (!freeze)
		fake_kick(fake);
}

/**
 * loopdma_fake_run() - do now what there is to do
 * @fake: device
 *
 * So that the device is quicker than what its caller does next.  Interrupts
 * come later, as ever.
 *
 * Context: any, but with no channel's lock held.
 */
void loopdma_fake_run(struct loopdma_fake *fake)
{
	while (fake_run(fake))
		;
}

/**
 * loopdma_fake_wear_out() - let a channel execute nothing, whatever is tried
 * @fake: device
 * @index: channel
 * @worn: do nothing, or work again
 */
void loopdma_fake_wear_out(struct loopdma_fake *fake, u32 index, bool worn)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->chan[index].worn_out = worn;
	fake_kick(fake);
}

/**
 * loopdma_fake_refuse_enable() - let enabling a channel fail
 * @fake: device
 * @index: channel
 * @refuse: fail, or work again
 */
void loopdma_fake_refuse_enable(struct loopdma_fake *fake, u32 index,
				bool refuse)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->chan[index].refuse_enable = refuse;
}

/**
 * loopdma_fake_bad_range() - make bus addresses inaccessible
 * @fake: device
 * @start: first of them
 * @len: how many; 0 to make all accessible again
 */
void loopdma_fake_bad_range(struct loopdma_fake *fake, dma_addr_t start,
			    size_t len)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->bad_start = start;
	fake->bad_len = len;
}

/**
 * loopdma_fake_garble() - let the next outcome be nonsense
 * @fake: device
 * @index: channel
 * @status: written to the next descriptor that retires
 * @residue: written to it
 */
void loopdma_fake_garble(struct loopdma_fake *fake, u32 index, u32 status,
			 u32 residue)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->chan[index].garble = true;
	fake->chan[index].garble_status = status;
	fake->chan[index].garble_residue = residue;
}

/**
 * loopdma_fake_set_counts() - as if an idle channel had retired many already
 * @fake: device
 * @index: channel, enabled and idle
 * @count: what its producer and done counts become; a multiple of the ring
 *	size keeps the slots where they are
 */
void loopdma_fake_set_counts(struct loopdma_fake *fake, u32 index, u32 count)
{
	struct fake_chan *fc = &fake->chan[index];
	struct loopdma_hw_comp *comp;

	guard(spinlock_irqsave)(&fake->lock);
	fc->tail = count;
	fc->done = count;
	fc->at = count;
	comp = fake_bus_ptr(fake, fc->comp);
	WRITE_ONCE(comp->done, cpu_to_le32(count));
}

/**
 * loopdma_fake_state() - state of a channel, without a register read
 * @fake: device
 * @index: channel
 *
 * Return: enum loopdma_hw_state.
 */
u32 loopdma_fake_state(struct loopdma_fake *fake, u32 index)
{
	guard(spinlock_irqsave)(&fake->lock);
	return fake->chan[index].state;
}

/**
 * loopdma_fake_lie() - tell something else than the truth from now on
 * @fake: device
 * @lies: what to tell
 * @liar: for @lies
 */
void loopdma_fake_lie(struct loopdma_fake *fake,
		      const struct loopdma_fake_lies *lies, void *liar)
{
	guard(spinlock_irqsave)(&fake->lock);
	fake->lies = lies;
	fake->liar = liar;
}

/**
 * loopdma_fake_confess() - tell the truth, and let everybody know of it
 * @fake: device; no lie is told any more when this returns
 */
void loopdma_fake_confess(struct loopdma_fake *fake)
{
	struct fake_chan *fc;
	u32 i;

	guard(spinlock_irqsave)(&fake->lock);
	fake->lies = NULL;
	for (i = 0; i < fake->nchan; i++) {
		fc = &fake->chan[i];
		if (fc->state == LOOPDMA_STATE_RUNNING &&
		    fake_chan_write_done(fake, fc))
			fake_message(fake, fc->vector);
	}
	/* The driver may have been told that there was no event. */
	if (fake->channel_errors)
		fake->event |= LOOPDMA_EVENT_CHANNEL_ERROR;
	fake_message(fake, fake->event_vector);
}
