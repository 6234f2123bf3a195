/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: what the files of the provider share.
 *
 * Each file calls only what is below it in this list:
 *
 *	pci.c		probe, vectors, power, errors of the bus, remove
 *	core.c		the device: identification, registration, lifetime
 *	dmaengine.c	the device_* callbacks
 *	inject.c	faults on demand
 *	prep_mem.c, prep_raid.c, prep_slave.c
 *			the device_prep_* callbacks
 *	tx.h, tx.c	a transaction, from prep to submit
 *	irq.c		interrupts, and the bottom half that calls back
 *	recover.c	what happens to a device: recovery, reset, sleep, the end
 *	chan.c		memory, bring-up and take-down of a channel
 *	watch.c		the watchdog
 *	state.c		the states of channel and device, and what each does
 *	queue.c		the queues: fill the ring, reap, settle
 *	hw.c		register sequences
 *	pool.c		software descriptors and their pool
 *	stats.c		counters, and the files that show them
 *	trace.c		tracepoints
 *	ring.h, desc.c	ring arithmetic and descriptor encoding: pure functions
 *
 * Rules cited as "provider.rst" and "client.rst" are those of the kernel's
 * Documentation/driver-api/dmaengine/.
 */
#ifndef LOOPDMA_H
#define LOOPDMA_H

#include <linux/align.h>
#include <linux/bitmap.h>
#include <linux/device.h>
#include <linux/dmaengine.h>
#include <linux/fault-inject.h>
#include <linux/interrupt.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/timer.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <kunit/visibility.h>

#include <loopdma/hw.h>
#include "ring.h"

struct dentry;
struct loopdma_chan;
struct loopdma_control_file;
struct loopdma_dev;
struct seq_file;

/* --- desc.c: descriptor encoding, pure ----------------------------------- */

/**
 * struct loopdma_limits - what the capability registers promise
 * @max_len: bytes that one hardware descriptor can move
 * @fifo_depth: bytes that the receive FIFO of a channel holds
 * @fifo_burst: elements in a burst, at the most
 * @fifo_widths: bit n set: elements of 2^n bytes can be moved
 * @copy_align: log2 of the alignment of addresses and length of a copy
 * @addr_bits: width of a bus address
 * @ring_min: log2 of the smallest ring
 * @ring_max: log2 of the largest ring
 * @channels: number of channels
 * @caps: LOOPDMA_CAPS
 * @max_sources: sources of an XOR or PQ, at the most
 */
struct loopdma_limits {
	u32 max_len;
	u32 fifo_depth;
	u16 fifo_burst;
	u8 fifo_widths;
	u8 copy_align;
	u8 addr_bits;
	u8 ring_min;
	u8 ring_max;
	u8 channels;
	u32 caps;
	u8 max_sources;
};

/**
 * struct loopdma_raid - buffers of an XOR or PQ, or of a check of either
 * @list: number of the list that the device reads, in loopdma_chan.lists
 * @sources_dma: bus address of that list
 * @p: bus address of P, or of what the XOR is written to
 * @q: bus address of Q
 * @result: where a check tells what it has found, the client's; else NULL
 * @mismatch: enum sum_check_flags that the check has found so far
 * @arg: LOOPDMA_ARG; tells which of @p and @q there are
 */
struct loopdma_raid {
	unsigned long list;
	dma_addr_t sources_dma;
	dma_addr_t p;
	dma_addr_t q;
	enum sum_check_flags *result;
	u32 mismatch;
	u32 arg;
};

/* May the device end transactions in any order? */
static inline bool loopdma_unordered(const struct loopdma_limits *lim)
{
	return lim->caps & LOOPDMA_CAPS_UNORDERED;
}

int loopdma_limits_check(const struct loopdma_limits *lim, const char **why);
bool loopdma_addr_ok(const struct loopdma_limits *lim, dma_addr_t addr,
		     size_t len);
bool loopdma_buf_ok(const struct loopdma_limits *lim, dma_addr_t addr,
		    size_t len);
bool loopdma_copy_ok(const struct loopdma_limits *lim, dma_addr_t dst,
		     dma_addr_t src, size_t len);
bool loopdma_overlap(dma_addr_t a, dma_addr_t b, size_t len);
int loopdma_periph_encode(const struct loopdma_limits *lim,
			  enum dma_slave_buswidth width, u32 burst,
			  u32 *periph);
u32 loopdma_periph_width(u32 periph);
bool loopdma_seg_ok(const struct loopdma_limits *lim, u32 periph,
		    dma_addr_t addr, size_t len);
u32 loopdma_widths_mask(const struct loopdma_limits *lim);
u32 loopdma_limits_max_burst(const struct loopdma_limits *lim);

void loopdma_desc_nop(struct loopdma_hw_desc *hw, u32 ctrl);
void loopdma_desc_copy(struct loopdma_hw_desc *hw, dma_addr_t dst,
		       dma_addr_t src, u32 len, u32 ctrl);
void loopdma_desc_fill(struct loopdma_hw_desc *hw, dma_addr_t dst, u32 len,
		       u8 byte, u32 ctrl);
void loopdma_desc_raid(struct loopdma_hw_desc *hw, enum loopdma_hw_opcode op,
		       const struct loopdma_raid *par, u32 off, u32 len,
		       u32 ctrl);
void loopdma_desc_tx(struct loopdma_hw_desc *hw, dma_addr_t src, u32 len,
		     u32 periph, u32 ctrl);
void loopdma_desc_rx(struct loopdma_hw_desc *hw, dma_addr_t dst, u32 len,
		     u32 periph, u32 ctrl);
void loopdma_desc_send_meta(struct loopdma_hw_desc *hw, const u8 *meta,
			    u32 len);
void loopdma_desc_want_meta(struct loopdma_hw_desc *hw);
u32 loopdma_desc_meta(const struct loopdma_hw_desc *hw, u8 *meta);
u32 loopdma_desc_mismatch(const struct loopdma_hw_desc *hw);
enum dmaengine_tx_result loopdma_desc_result(const struct loopdma_hw_desc *hw,
					     u32 *residue);
const char *loopdma_status_name(u32 status);

/**
 * loopdma_limits_max_piece() - longest descriptor of whole units
 * @lim: limits
 * @unit: bytes that a piece must be a multiple of, a power of two
 *
 * Return: bytes, at least @unit.
 */
static inline u32
loopdma_limits_max_piece(const struct loopdma_limits *lim, u32 unit)
{
	return ALIGN_DOWN(lim->max_len, unit);
}

/**
 * loopdma_desc_len() - bytes that an entry was asked to move
 * @hw: ring entry
 *
 * Return: bytes.
 */
static inline u32 loopdma_desc_len(const struct loopdma_hw_desc *hw)
{
	return le32_to_cpu(hw->len);
}

/**
 * loopdma_desc_status() - outcome of an entry as the device wrote it
 * @hw: ring entry
 *
 * Read once: the device could change it under us.
 *
 * Return: enum loopdma_hw_status, or a value that it does not define.
 */
static inline u32 loopdma_desc_status(const struct loopdma_hw_desc *hw)
{
	return le32_to_cpu(READ_ONCE(hw->status)) &
	       ~(LOOPDMA_STATUS_P_WRONG | LOOPDMA_STATUS_Q_WRONG |
		 LOOPDMA_STATUS_META_LEN);
}

/* The opcodes that read a source list. */
static inline bool loopdma_op_is_raid(u8 op)
{
	return op >= LOOPDMA_OP_XOR && op <= LOOPDMA_OP_PQ_CHECK;
}

/* --- Software descriptors -------------------------------------------------- */

/* Even: source and destination of a piece that is copied are side by side. */
#define LOOPDMA_SEGS_PER_BLOCK	6

/**
 * struct loopdma_segs - block of segments, as large as a descriptor
 * @next: next block of the same transfer
 * @heap: in the channel's list of blocks from kmalloc(), empty for those from
 *	the pool
 * @addr: bus addresses of the segments
 * @len: bytes of the segments
 * @n: segments in use
 * @meta_len: bytes of @meta that there are
 * @client_len: bytes of @client
 * @client: DESC_METADATA_CLIENT: the client's buffer, else NULL
 * @meta: metadata to be sent, or received
 *
 * The metadata of a slave transfer is in the first of its blocks.
 */
struct loopdma_segs {
	struct loopdma_segs *next;
	struct list_head heap;
	dma_addr_t addr[LOOPDMA_SEGS_PER_BLOCK];
	u32 len[LOOPDMA_SEGS_PER_BLOCK];
	u8 n;
	u8 meta_len;
	u8 client_len;
	void *client;
	u8 meta[LOOPDMA_META_SIZE];
};

/**
 * struct loopdma_desc - software descriptor, one client transaction
 * @tx: what the client sees
 * @next: next in whichever queue holds the descriptor
 * @src: bus address read by a copy
 * @dst: bus address written by a copy
 * @segs: memory of a slave transfer, a fill, or with @pairs of a copy (shares
 *	the space of @src)
 * @raid: buffers of an XOR or PQ (shares the space of @src)
 * @len: bytes of the whole transaction
 * @residue: bytes not moved, valid once it is complete
 * @end: ring count just behind its last entry, once all are in the ring
 * @cookie: its cookie, once it is complete (shares the space of @end)
 * @periph: peripheral word of a slave transfer (shares the space of @dst)
 * @byte: what a fill writes (shares the space of @dst)
 * @op: enum loopdma_hw_opcode
 * @result: enum dmaengine_tx_result, that of its first entry that failed
 * @status: enum loopdma_hw_status, the same; valid if @result is an error
 * @pairs: a copy of many pieces: each has two of @segs, source, destination
 * @cyclic: never ends; each of @segs is a period
 * @repeat: begins anew until another is to take its place
 * @aborted: terminated; ends without its callback
 * @busy: submitted, and not yet ended; under the channel's lock
 *
 * Owned by the client from prep to submit (client.rst, "Submit the
 * transaction"), by the channel from then on until its callback has returned.
 * Then it goes back to the pool of its channel; unless the client has set
 * DMA_CTRL_REUSE, to whom it then belongs again as soon as its callback is
 * called (provider.rst, "DMA_CTRL_REUSE").
 */
struct loopdma_desc {
	struct dma_async_tx_descriptor tx;
	struct loopdma_desc *next;
	union {
		dma_addr_t src;
		struct loopdma_segs *segs;
		struct loopdma_raid *raid;
	};
	union {
		dma_addr_t dst;
		u32 periph;
		u8 byte;
	};
	u32 len;
	u32 residue;
	union {
		u32 end;
		dma_cookie_t cookie;
	};
	u8 op;
	u8 result;
	u8 status;
	u8 pairs : 1;
	u8 cyclic : 1;
	u8 repeat : 1;
	u8 aborted : 1;
	u8 busy : 1;
};

/* Does it begin anew when it is through? */
static inline bool loopdma_desc_loops(const struct loopdma_desc *d)
{
	return d->cyclic || d->repeat;
}

static inline bool loopdma_desc_has_segs(const struct loopdma_desc *d)
{
	return d->pairs || d->op == LOOPDMA_OP_TX || d->op == LOOPDMA_OP_RX ||
	       d->op == LOOPDMA_OP_FILL;
}

/**
 * union loopdma_item - element of a channel's pool
 * @desc: used as a software descriptor
 * @segs: used as a block of segments
 * @raid: used for the buffers of an XOR or PQ
 * @next: free: the next free element
 */
union loopdma_item {
	struct loopdma_desc desc;
	struct loopdma_segs segs;
	struct loopdma_raid raid;
	union loopdma_item *next;
};

/**
 * struct loopdma_queue - first-in first-out list of software descriptors
 * @first: oldest, or NULL
 * @last: youngest, undefined while @first is NULL
 */
struct loopdma_queue {
	struct loopdma_desc *first;
	struct loopdma_desc *last;
};

/**
 * loopdma_queue_add() - add a descriptor at the end
 * @q: queue
 * @d: descriptor, in no queue
 */
static inline void loopdma_queue_add(struct loopdma_queue *q,
				     struct loopdma_desc *d)
{
	d->next = NULL;
	if (q->first)
		q->last->next = d;
	else
		q->first = d;
	q->last = d;
}

/**
 * loopdma_queue_splice() - move everything to the end of another queue
 * @to: queue that grows
 * @from: queue that is empty afterwards
 */
static inline void loopdma_queue_splice(struct loopdma_queue *to,
					struct loopdma_queue *from)
{
	if (!from->first)
		return;
	if (to->first)
		to->last->next = from->first;
	else
		to->first = from->first;
	to->last = from->last;
	from->first = NULL;
}

/**
 * loopdma_queue_pop() - take the oldest descriptor
 * @q: queue
 *
 * Return: the descriptor, or NULL if the queue is empty.
 */
static inline struct loopdma_desc *loopdma_queue_pop(struct loopdma_queue *q)
{
	struct loopdma_desc *d = q->first;

	if (d)
		q->first = d->next;
	return d;
}

/* --- The hardware seam ------------------------------------------------------ */

/**
 * struct loopdma_hw_ops - how the driver reaches the registers
 * @read: read the 32-bit register at this offset of the BAR
 * @write: write it; orders all earlier stores to coherent memory before it,
 *	as writel() does
 * @reset: reset the function, with loopdma_reset_prepare() before and
 *	loopdma_reset_done() behind it; may sleep.  -EAGAIN: not now, because
 *	somebody else has locked the device; any other error: there is no
 *	such reset
 * @isolate: keep the function from the memory of the machine; may sleep.  The
 *	next reset_done undoes it
 *
 * Nothing above this table touches MMIO, so that the whole driver also runs
 * over a simulated device.  The first two are called from any context.
 */
struct loopdma_hw_ops {
	u32 (*read)(struct loopdma_dev *ld, u32 reg);
	void (*write)(struct loopdma_dev *ld, u32 reg, u32 val);
	int (*reset)(struct loopdma_dev *ld);
	void (*isolate)(struct loopdma_dev *ld);
};

/* --- The bottom half ---------------------------------------------------------- */

/**
 * struct loopdma_bh - what runs after an interrupt, with interrupts enabled
 * @tasklet: the kernel's
 *
 * The one place that knows what kind of bottom half it is.
 */
struct loopdma_bh {
	struct tasklet_struct tasklet;
};

/* Have it run; any context. */
static inline void loopdma_bh_schedule(struct loopdma_bh *bh)
{
	tasklet_schedule(&bh->tasklet);
}

/* Wait until it has run, if it was scheduled; may sleep. */
static inline void loopdma_bh_flush(struct loopdma_bh *bh)
{
	tasklet_schedule(&bh->tasklet);
	tasklet_kill(&bh->tasklet);
}

/* Does it run, or will it?  Any context. */
static inline bool loopdma_bh_under_way(const struct loopdma_bh *bh)
{
	return test_bit(TASKLET_STATE_SCHED, &bh->tasklet.state) ||
	       test_bit(TASKLET_STATE_RUN, &bh->tasklet.state);
}

/* --- Channel ------------------------------------------------------------------ */

/*
 * Source lists of a channel: how many XOR and PQ transactions there can be at a
 * time.  async_tx waits for one to end when prep gives it NULL.
 */
#define LOOPDMA_LISTS	128

/* Half of all cookies; those of a half are forgotten when they are given out again. */
#define LOOPDMA_COOKIES_HALF	BIT(30)

/* Failures that a channel remembers, and runs of cookies that did not succeed. */
#define LOOPDMA_FAILURES	64

/**
 * enum loopdma_chan_state - what the driver does with a channel
 * @LOOPDMA_CHAN_OFF: no client has it, or its device is gone; the hardware
 *	channel does not run, but see loopdma_chan.recovery
 * @LOOPDMA_CHAN_RUNNING: works
 * @LOOPDMA_CHAN_RECOVERING: failed; the work of the device will restart it.
 *	Clients may submit, and it waits
 * @LOOPDMA_CHAN_HALTED: its device is being reset, or it was stopped for sleep;
 *	it is restarted afterwards.  Clients may submit, and it waits
 * @LOOPDMA_CHAN_SUSPENDED: paused where it is until its device is resumed.
 *	Clients may submit, and it waits
 * @LOOPDMA_CHAN_DEAD: cannot be restarted, or its device is disconnected;
 *	refuses work
 * @LOOPDMA_CHAN_STATES: how many there are
 *
 * loopdma_chan_set_state() has the table of transitions.
 */
enum loopdma_chan_state {
	LOOPDMA_CHAN_OFF,
	LOOPDMA_CHAN_RUNNING,
	LOOPDMA_CHAN_RECOVERING,
	LOOPDMA_CHAN_HALTED,
	LOOPDMA_CHAN_SUSPENDED,
	LOOPDMA_CHAN_DEAD,
	LOOPDMA_CHAN_STATES,
};

/**
 * enum loopdma_remedy - what helps a channel
 * @LOOPDMA_REMEDY_ABORT: abort the transaction that it is at
 * @LOOPDMA_REMEDY_RESTART: stop the hardware channel and start it again
 * @LOOPDMA_REMEDY_RESET: stop it, reset it and start it again
 * @LOOPDMA_REMEDY_FUNCTION: reset the function
 * @LOOPDMA_REMEDY_NONE: nothing
 *
 * From the mildest on.
 */
enum loopdma_remedy {
	LOOPDMA_REMEDY_ABORT,
	LOOPDMA_REMEDY_RESTART,
	LOOPDMA_REMEDY_RESET,
	LOOPDMA_REMEDY_FUNCTION,
	LOOPDMA_REMEDY_NONE,
};

/**
 * enum loopdma_settle - what becomes of the transactions of a stopped channel
 * @LOOPDMA_SETTLE_KEEP: the oldest goes on where it was, if that is known.  On
 *	an unordered channel all begin anew: they move the same once more
 * @LOOPDMA_SETTLE_OLDEST: the oldest ends as aborted, those behind it have
 *	their turn.  On an unordered channel the device may have been at any of
 *	those in the ring: as LOOPDMA_SETTLE_RING
 * @LOOPDMA_SETTLE_RING: all that are in the ring end as aborted, because what
 *	the device wrote there is not to be trusted
 * @LOOPDMA_SETTLE_ALL: everything that was submitted ends as aborted
 */
enum loopdma_settle {
	LOOPDMA_SETTLE_KEEP,
	LOOPDMA_SETTLE_OLDEST,
	LOOPDMA_SETTLE_RING,
	LOOPDMA_SETTLE_ALL,
};

/**
 * struct loopdma_stats - counters of a channel, or their sums for a device
 * @clock_ns: time of the last change of what accrues with time (CLOCK_MONOTONIC)
 * @transfers: transactions that completed without an error
 * @bytes: bytes that the device has moved, in transactions of every kind and
 *	outcome
 * @errors_read: transactions that failed because memory could not be read
 * @errors_write: the same, could not be written
 * @errors_data: the same, the pattern sink was sent something else
 * @errors_aborted: the same, cut short by the device, or by a recovery
 * @errors_other: the same, a descriptor that the device has refused
 * @terminated: transactions that the client has terminated before their end
 * @interrupts: calls of the interrupt handler
 * @lost_irqs: completions found by the watchdog, that is lost interrupts
 * @stalls: transactions that made no progress, which were then given up
 * @recoveries: restarts of the hardware channel
 * @channel_resets: resets of the hardware channel, because it made no progress or
 *	did not stop
 * @device_resets: resets of the function that this channel has made necessary
 * @doorbells: how often the device was told of new entries
 * @depth: transactions that are issued and have not ended
 * @depth_ns: integral of @depth over time; wraps, as @bytes may
 * @busy_ns: time with a @depth that was not 0
 *
 * A channel's are under its lock, which everybody who counts holds for other
 * reasons, so plain additions will do and a copy of them all is consistent.
 */
struct loopdma_stats {
	u64 clock_ns;
	u64 transfers;
	u64 bytes;
	u64 errors_read;
	u64 errors_write;
	u64 errors_data;
	u64 errors_aborted;
	u64 errors_other;
	u64 terminated;
	u64 interrupts;
	u64 lost_irqs;
	u64 stalls;
	u64 recoveries;
	u64 channel_resets;
	u64 device_resets;
	u64 doorbells;
	u64 depth;
	u64 depth_ns;
	u64 busy_ns;
};

/**
 * struct loopdma_queues - the transactions of a channel, each in one of these
 * @submitted: submitted, not yet issued
 * @nsubmitted: number of those
 * @issued: issued, not yet (or not wholly) in the ring
 * @active: wholly in the ring
 * @completed: cookie complete, callback still to be called
 * @unacked: called back, but async_tx may still make others depend on them
 */
struct loopdma_queues {
	struct loopdma_queue submitted;
	u32 nsubmitted;
	struct loopdma_queue issued;
	struct loopdma_queue active;
	struct loopdma_queue completed;
	struct loopdma_queue unacked;
};

/**
 * struct loopdma_cursor - how far the first of the issued is in the ring
 * @busy: it has begun to be put there; without that the rest means nothing
 * @seg: block of segments
 * @idx: segment within the block
 * @off: bytes of the segment (or of the copy) already in the ring
 * @through: has been through the whole of a transaction that loops
 * @ahead: how often the transaction that loops is in the ring as a whole
 */
struct loopdma_cursor {
	bool busy;
	bool through;
	u32 idx;
	u32 off;
	u32 ahead;
	struct loopdma_segs *seg;
};

/**
 * struct loopdma_periods - callbacks that are due for a transaction that loops
 * @desc: the transaction, or NULL
 * @due: their number
 */
struct loopdma_periods {
	struct loopdma_desc *desc;
	u32 due;
};

/**
 * struct loopdma_abort - an abort that the device was, or will be, told of
 * @pending: the device has not yet acknowledged it
 * @to: ring count up to which it aborts
 */
struct loopdma_abort {
	bool pending;
	u32 to;
};

/**
 * struct loopdma_failure - what tx_status says of a transaction that failed
 * @cookie: its cookie, or 0
 * @residue: bytes that were not moved
 */
struct loopdma_failure {
	dma_cookie_t cookie;
	u32 residue;
};

/**
 * struct loopdma_failures - for tx_status: cookies that did not succeed
 * @run: the last runs of them, a ring; also those that were terminated
 * @run.first: the first cookie of a run
 * @run.n: how many follow each other
 * @runs: number of runs since the channel was requested
 * @one: the last that failed, a ring
 * @ones: number of those since the channel was requested
 * @told: the one that is being called back now; later ones may have failed by
 *	then
 */
struct loopdma_failures {
	struct {
		dma_cookie_t first;
		u32 n;
	} run[LOOPDMA_FAILURES];
	u64 runs;
	struct loopdma_failure one[LOOPDMA_FAILURES];
	u64 ones;
	struct loopdma_failure told;
};

/**
 * struct loopdma_watch - the watchdog of a channel
 * @timer: looks for lost interrupts, and for channels that make no progress
 * @tail: ring tail at its last look
 * @bytes: bytes that had moved at its last look
 * @late: completions were waiting at its last look
 * @progress: progress word at its last look
 * @still: milliseconds without progress of what should make some
 * @remedy: what is tried next without progress; progress makes it the mildest
 */
struct loopdma_watch {
	struct timer_list timer;
	u32 tail;
	bool late;
	u64 bytes;
	u32 still;
	u64 progress;
	enum loopdma_remedy remedy;
};

/**
 * struct loopdma_pool - descriptors, and what belongs to them
 * @free: free elements
 * @item: the elements, preallocated so that prep needs no memory (provider.rst:
 *	prep may not sleep)
 * @size: number of elements
 * @used: those in use now
 * @heap: blocks of segments that did not come from @item
 */
struct loopdma_pool {
	union loopdma_item *free;
	union loopdma_item *item;
	u32 size;
	u32 used;
	struct list_head heap;
};

/**
 * struct loopdma_lists - source lists of XOR and PQ
 * @list: LOOPDMA_LISTS of them in coherent memory; NULL if the channel has no
 *	use for them
 * @dma: bus address of @list
 * @used: those in use now
 */
struct loopdma_lists {
	struct loopdma_hw_sources *list;
	dma_addr_t dma;
	DECLARE_BITMAP(used, LOOPDMA_LISTS);
};

/**
 * struct loopdma_periph - the peripheral and the class, as the client wants them
 * @ctl: value of CH_PERIPH
 * @rate: value of CH_RATE
 * @priority: value of CH_PRIORITY
 * @restart: the pattern begins anew when the hardware is told
 */
struct loopdma_periph {
	u32 ctl;
	u32 rate;
	u32 priority;
	bool restart;
};

/**
 * struct loopdma_chan - a channel
 * @chan: what the core sees
 * @ld: its device
 * @index: number of the hardware channel
 * @vector: interrupt vector, an index below the number allocated
 * @caps: LOOPDMA_CH_CAPS
 * @unordered: ends transactions in any order
 * @setup: held by whoever, in process context, changes @state or waits for the
 *	hardware: bring-up and take-down, which the core calls under its own
 *	mutex; recovery; before and after a reset, and sleep.  Outermost lock of
 *	the driver.  Take-down waits under it for the bottom half, which calls
 *	clients back, so nobody may take it in a callback
 * @lock: protects what follows.  Taken with interrupts disabled, because prep,
 *	submit, issue_pending and tx_status may all be called from hard interrupt
 *	context (provider.rst).  Never held while a client's code runs; innermost
 *	lock of the driver, inside @setup.
 * @state: enum loopdma_chan_state; atomic context changes it from RUNNING to
 *	RECOVERING, everybody else holds @setup as well
 * @recovery: RECOVERING: the remedy that the work is to use.  OFF: what is still to
 *	be done before its memory can be freed; NONE: nothing
 * @settle: RECOVERING and HALTED: what becomes of the ring at the restart
 * @paused: the client has paused it
 * @ring: descriptor ring
 * @comp: completion record, coherent memory
 * @comp_dma: bus address of @comp
 * @arm: value last written to the record's arm word
 * @q: transactions
 * @cursor: of the transaction that is being put into the ring
 * @bytes_done: bytes that the oldest transaction in the ring has moved so far,
 *	of one that loops since it began anew
 * @periods: callbacks of a transaction that loops
 * @abort: an abort under way
 * @failures: for tx_status
 * @caller: CPU on which the bottom half calls back, which will fill the ring
 *	afterwards; or -1
 * @watch: watchdog
 * @pool: descriptors
 * @lists: source lists
 * @periph: peripheral and class
 * @config: set by device_config; the client's, who calls neither that nor prep
 *	on two CPUs at once, and not protected
 * @bh: calls back; the kernel's rule is that the next transfer is started
 *	in the interrupt handler, and callbacks run from a bottom half
 * @stats: counters
 */
struct loopdma_chan {
	struct dma_chan chan;
	struct loopdma_dev *ld;
	u32 index;
	u32 vector;
	u32 caps;
	bool unordered;
	struct mutex setup;	/* process-context writers of the state */

	spinlock_t lock;	/* protects the rest, see above */
	enum loopdma_chan_state state;
	enum loopdma_remedy recovery;
	enum loopdma_settle settle;
	bool paused;
	struct loopdma_ring ring;
	struct loopdma_hw_comp *comp;
	dma_addr_t comp_dma;
	u32 arm;
	struct loopdma_queues q;
	struct loopdma_cursor cursor;
	u32 bytes_done;
	struct loopdma_periods periods;
	struct loopdma_abort abort;
	struct loopdma_failures failures;
	int caller;
	struct loopdma_watch watch;
	struct loopdma_pool pool;
	struct loopdma_lists lists;
	struct loopdma_periph periph;
	struct dma_slave_config config;
	struct loopdma_bh bh;
	struct loopdma_stats stats;
};

/* --- Device --------------------------------------------------------------------- */

/**
 * struct loopdma_loop - a pair of channels, as a client finds it by name
 * @id: its number among those of all devices
 * @devname: name of the client's device, "loopdma-loop." and the number
 *
 * Where there is no device tree that could name them, the core looks for a
 * client's channels in maps that providers bring (struct dma_filter).
 */
struct loopdma_loop {
	int id;
	char devname[24];
};

/**
 * enum loopdma_fault - faults of the driver that the kernel can inject
 * @LOOPDMA_FAULT_PREP: prep gives NULL
 * @LOOPDMA_FAULT_ALLOC: a channel has no memory for its first client
 * @LOOPDMA_FAULT_IRQ: an interrupt of a channel is ignored
 * @LOOPDMA_NFAULTS: how many there are
 */
enum loopdma_fault {
	LOOPDMA_FAULT_PREP,
	LOOPDMA_FAULT_ALLOC,
	LOOPDMA_FAULT_IRQ,
	LOOPDMA_NFAULTS,
};

/**
 * enum loopdma_dev_state - what the driver does with a device
 * @LOOPDMA_DEV_WORKING: works
 * @LOOPDMA_DEV_HALTED: is being reset, or sleeps: its registers may not answer,
 *	and no channel is started
 * @LOOPDMA_DEV_DISCONNECTED: does not answer any more, or was isolated; nothing
 *	of it is in flight.  A reset by somebody else may bring it back
 * @LOOPDMA_DEV_GONE: no DMA any more, for good: its driver is leaving it
 */
enum loopdma_dev_state {
	LOOPDMA_DEV_WORKING,
	LOOPDMA_DEV_HALTED,
	LOOPDMA_DEV_DISCONNECTED,
	LOOPDMA_DEV_GONE,
};

/**
 * struct loopdma_dev - a device
 * @dma: what the core sees
 * @dev: the device that does the DMA; a reference is held
 * @ops: registers
 * @priv: of whoever provides @ops
 * @regs: physical address of the registers, 0 if they have none
 * @lim: capabilities
 * @ring_order: log2 of the ring size that the next allocation of a channel
 *	uses; from the module parameter, within @lim
 * @event_vector: interrupt vector of the device events
 * @state: enum loopdma_dev_state.  Written under @control, but for the step from
 *	WORKING to DISCONNECTED, which any context may take; read by anybody, and
 *	under a channel's @setup by who starts that channel.  Who waits for the
 *	end of HALTED uses wait_var_event()
 * @halted_until: HALTED: when it is taken for disconnected, in jiffies; 0: never
 * @work: recovers channels, resets the function, and ends everything of a
 *	device that is disconnected: what no other context can wait for
 * @control: held while a file of inject.c touches registers, and while @state
 *	is written, so that none does so afterwards.  Takes no other lock, and
 *	nobody waits for the device under it: a file can end what others wait
 *	for.
 * @control_files: what the files of inject.c stand for, or NULL
 * @fault: what the kernel shall inject, see enum loopdma_fault
 * @free_work: frees the device after the core has let go of it
 * @nloops: number of elements of @loop with a name
 * @loop: pairs of channels, or NULL; their names live as long as the core knows
 *	of the device
 * @map: two entries for each, "tx" and "rx"
 * @chan: the channels, @lim.channels of them
 */
struct loopdma_dev {
	struct dma_device dma;
	struct device *dev;
	const struct loopdma_hw_ops *ops;
	void *priv;
	phys_addr_t regs;
	struct loopdma_limits lim;
	u8 ring_order;
	u32 event_vector;
	enum loopdma_dev_state state;
	unsigned long halted_until;
	struct delayed_work work;
	struct mutex control;	/* registers for inject.c, and @state */
	struct loopdma_control_file *control_files;
#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
	struct fault_attr fault[LOOPDMA_NFAULTS];
#endif
	struct work_struct free_work;
	u32 nloops;
	struct loopdma_loop *loop;
	struct dma_slave_map *map;
	struct loopdma_chan chan[];
};

static inline struct loopdma_chan *to_loopdma_chan(struct dma_chan *chan)
{
	return container_of(chan, struct loopdma_chan, chan);
}

static inline struct loopdma_desc *
to_loopdma_desc(struct dma_async_tx_descriptor *tx)
{
	return container_of(tx, struct loopdma_desc, tx);
}

static inline enum loopdma_dev_state
loopdma_dev_state(const struct loopdma_dev *ld)
{
	return READ_ONCE(ld->state);
}

/*
 * Can nobody make another transaction depend on it any more?  Until a client of
 * async_tx acknowledges a descriptor it may, and then writes to its flags
 * (provider.rst, "DMA_CTRL_ACK").  Clients of a slave or private channel do not
 * know of that, and many never acknowledge.
 */
static inline bool loopdma_desc_acked(const struct loopdma_chan *lc,
				      struct loopdma_desc *d)
{
	return async_tx_test_ack(&d->tx) ||
	       dma_has_cap(DMA_PRIVATE, lc->chan.device->cap_mask);
}

/**
 * loopdma_hw_read() - read a register of a channel
 * @lc: channel
 * @reg: its offset among those of a channel
 *
 * Context: any.
 * Return: its value; all ones if the function does not answer.
 */
static inline u32 loopdma_hw_read(struct loopdma_chan *lc, u32 reg)
{
	return lc->ld->ops->read(lc->ld, LOOPDMA_CH(lc->index, reg));
}

/**
 * loopdma_hw_write() - write a register of a channel
 * @lc: channel
 * @reg: its offset among those of a channel
 * @val: value
 *
 * Orders all earlier stores to coherent memory before itself, as writel() does.
 *
 * Context: any.
 */
static inline void loopdma_hw_write(struct loopdma_chan *lc, u32 reg, u32 val)
{
	lc->ld->ops->write(lc->ld, LOOPDMA_CH(lc->index, reg), val);
}

/**
 * loopdma_fails() - is a fault to be injected here?
 * @ld: device
 * @fault: which
 *
 * Context: any.
 * Return: true if it is.
 */
static inline bool loopdma_fails(struct loopdma_dev *ld,
				 enum loopdma_fault fault)
{
#ifdef CONFIG_FAULT_INJECTION_DEBUG_FS
	struct fault_attr *attr = &ld->fault[fault];

	/*
	 * Not without being asked for: a task's fail-nth counts all faults that
	 * there are, and whoever has it looks for want of memory.
	 */
	return READ_ONCE(attr->probability) && should_fail(attr, 1);
#else
	return false;
#endif
}

/* stats.c */
void loopdma_stats_clock(struct loopdma_chan *lc);
void loopdma_stats_error(struct loopdma_chan *lc, u32 status);
void loopdma_stats_read(struct loopdma_chan *lc, struct loopdma_stats *stats);
void loopdma_stats_sum(struct loopdma_dev *ld, struct loopdma_stats *stats);
u64 loopdma_stats_errors(const struct loopdma_stats *stats);
void loopdma_stats_print(struct seq_file *s, const struct loopdma_stats *stats);
void loopdma_stats_dev_file(struct loopdma_dev *ld, struct dentry *dir);
void loopdma_stats_chan_file(struct loopdma_chan *lc, struct dentry *dir);

/**
 * loopdma_stats_end() - count a transaction that has ended
 * @lc: channel, locked, its clock up to date
 * @d: a transaction that was issued; how it ended is filled in
 */
static inline void loopdma_stats_end(struct loopdma_chan *lc,
				     const struct loopdma_desc *d)
{
	lc->stats.depth--;
	if (d->aborted)
		lc->stats.terminated++;
	else if (d->result == DMA_TRANS_NOERROR)
		lc->stats.transfers++;
	else
		loopdma_stats_error(lc, d->status);
}

/* pool.c */
int loopdma_pool_init(struct loopdma_chan *lc, u32 size);
void loopdma_pool_exit(struct loopdma_chan *lc);
struct loopdma_desc *loopdma_desc_get(struct loopdma_chan *lc);
bool loopdma_desc_trim(struct loopdma_chan *lc, struct loopdma_desc *d);
void loopdma_desc_put(struct loopdma_chan *lc, struct loopdma_desc *d);
struct loopdma_segs *loopdma_segs_get(struct loopdma_chan *lc);
struct loopdma_raid *loopdma_raid_get(struct loopdma_chan *lc);
void loopdma_desc_end(struct loopdma_chan *lc, struct loopdma_desc *d);
void loopdma_desc_reclaim(struct loopdma_chan *lc);

/*
 * How often to look, a microsecond apart, whether a hardware channel pauses: it may
 * have a chunk of 64 KiB to finish, and what is due with it.
 */
#define LOOPDMA_PAUSE_LOOKS	10000

/* hw.c */
int loopdma_hw_identify(struct device *dev, struct loopdma_dev *ld);
bool loopdma_hw_present(struct loopdma_dev *ld);
int loopdma_hw_reset(struct loopdma_dev *ld);
void loopdma_hw_set_events(struct loopdma_dev *ld);
int loopdma_hw_state(struct loopdma_chan *lc);
bool loopdma_hw_idle(struct loopdma_chan *lc);
int loopdma_hw_start(struct loopdma_chan *lc);
int loopdma_hw_stop(struct loopdma_chan *lc);
int loopdma_hw_reset_chan(struct loopdma_chan *lc);
int loopdma_hw_pause(struct loopdma_chan *lc);
void loopdma_hw_resume(struct loopdma_chan *lc);
bool loopdma_hw_kept(struct loopdma_chan *lc);
void loopdma_hw_set_periph(struct loopdma_chan *lc);
u32 loopdma_hw_done(const struct loopdma_chan *lc);
u32 loopdma_hw_progress(const struct loopdma_chan *lc);
u32 loopdma_hw_fifo_level(struct loopdma_chan *lc);

/* queue.c */
void loopdma_queue_issue(struct loopdma_chan *lc);
bool loopdma_queue_fill_ring(struct loopdma_chan *lc);
const char *loopdma_queue_reap(struct loopdma_chan *lc, bool *more);
struct loopdma_desc *loopdma_queue_oldest(struct loopdma_chan *lc);
bool loopdma_queue_terminate(struct loopdma_chan *lc);
u32 loopdma_queue_oldest_end(struct loopdma_chan *lc);
u32 loopdma_queue_entries(const struct loopdma_chan *lc, u32 len);
int loopdma_queue_retired(const struct loopdma_chan *lc, bool *asked);
void loopdma_queue_settle(struct loopdma_chan *lc, enum loopdma_settle policy);
void loopdma_queue_forget_failures(struct loopdma_chan *lc, dma_cookie_t cookie);
bool loopdma_queue_failed(const struct loopdma_chan *lc, dma_cookie_t cookie,
			  u32 *residue);

/* state.c */
#if IS_ENABLED(CONFIG_KUNIT)
extern unsigned int loopdma_watchdog_ms;
#endif
int loopdma_state_init(void);
void loopdma_state_exit(void);
void loopdma_defer(struct work_struct *work);
const char *loopdma_chan_state_name(enum loopdma_chan_state state);
void loopdma_chan_set_state(struct loopdma_chan *lc,
			    enum loopdma_chan_state state);
void loopdma_kick(struct loopdma_dev *ld, unsigned long delay);
bool loopdma_dev_set_state(struct loopdma_dev *ld,
			   enum loopdma_dev_state state);
void loopdma_no_answer(struct loopdma_dev *ld);
bool loopdma_answers(struct loopdma_dev *ld);
void loopdma_disconnect(struct loopdma_dev *ld);
void loopdma_isolate(struct loopdma_dev *ld);
int loopdma_chan_start(struct loopdma_chan *lc);
int loopdma_chan_stop(struct loopdma_chan *lc, bool reset);
void loopdma_chan_die(struct loopdma_chan *lc);
void loopdma_chan_restart(struct loopdma_chan *lc);
void loopdma_chan_halt(struct loopdma_chan *lc, enum loopdma_settle settle);
u32 loopdma_watch_period(void);
void loopdma_watch(struct loopdma_chan *lc);
bool loopdma_chan_only_aborted(const struct loopdma_chan *lc);
bool loopdma_chan_fill_ring(struct loopdma_chan *lc);
bool loopdma_chan_service(struct loopdma_chan *lc);
void loopdma_chan_terminate(struct loopdma_chan *lc);
int loopdma_chan_pause(struct loopdma_chan *lc);
int loopdma_chan_resume(struct loopdma_chan *lc);
void loopdma_chan_recover(struct loopdma_chan *lc, enum loopdma_remedy remedy,
			  enum loopdma_settle settle);
void loopdma_chan_ask_reset(struct loopdma_chan *lc);
void loopdma_chan_fail(struct loopdma_chan *lc, const char *why);

/* watch.c */
#if IS_ENABLED(CONFIG_KUNIT)
extern unsigned int loopdma_stuck_ms;
#endif
void loopdma_watch_init(struct loopdma_chan *lc);

/* chan.c */
void loopdma_chan_init(struct loopdma_dev *ld, u32 index);
int loopdma_chan_alloc(struct loopdma_chan *lc);
void loopdma_chan_free(struct loopdma_chan *lc);
void loopdma_chan_remove(struct loopdma_chan *lc);
void loopdma_chan_release(struct loopdma_chan *lc);
void loopdma_chan_quiesce(struct loopdma_chan *lc);
void loopdma_chan_off(struct loopdma_chan *lc);
void loopdma_chan_off_reset(struct loopdma_chan *lc);
bool loopdma_chan_let_go(struct loopdma_chan *lc);

/* recover.c */
void loopdma_dev_init(struct loopdma_dev *ld);
void loopdma_reset_prepare(struct loopdma_dev *ld);
void loopdma_reset_done(struct loopdma_dev *ld);
void loopdma_error_frozen(struct loopdma_dev *ld);
void loopdma_suspend(struct loopdma_dev *ld);
void loopdma_resume(struct loopdma_dev *ld, bool kept);
void loopdma_shutdown(struct loopdma_dev *ld);

/* irq.c */
void loopdma_irq_init(struct loopdma_chan *lc);
void loopdma_irq_channel(struct loopdma_chan *lc);
void loopdma_irq_event(struct loopdma_dev *ld);

/* prep_mem.c, prep_raid.c, prep_slave.c */
void loopdma_setup_mem(struct loopdma_dev *ld);
void loopdma_setup_raid(struct loopdma_dev *ld);
void loopdma_setup_slave(struct loopdma_dev *ld);

/* inject.c */
int loopdma_control_begin(struct loopdma_dev *ld);
void loopdma_control_end(struct loopdma_dev *ld);
void loopdma_inject_init(struct loopdma_dev *ld);
void loopdma_inject_exit(struct loopdma_dev *ld);
void loopdma_inject_dev_files(struct loopdma_dev *ld, struct dentry *dir);
void loopdma_inject_chan_files(struct loopdma_chan *lc, struct dentry *dir);

/* dmaengine.c */
void loopdma_dmaengine_setup(struct loopdma_dev *ld);

/* core.c */
int loopdma_core_init(void);
void loopdma_core_exit(void);
struct loopdma_dev *loopdma_create(struct device *dev,
				   const struct loopdma_hw_ops *ops,
				   void *priv);
void loopdma_destroy(struct loopdma_dev *ld);
int loopdma_register(struct loopdma_dev *ld);
void loopdma_unregister(struct loopdma_dev *ld);

#endif /* LOOPDMA_H */
