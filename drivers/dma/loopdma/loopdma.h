/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: what the files of the provider share.
 *
 *	pci.c		probe, vectors, remove; the only file that knows PCI
 *	core.c		the device: capabilities, registration, lifetime
 *	chan.c		a channel: bring-up, doorbell, abort, stop, recovery
 *	pool.c		software descriptors, their pool and queues
 *	irq.c		completion path
 *	stats.c		counters, and the files that show them
 *	inject.c	faults on demand
 *	trace.c		tracepoints
 *	dmaengine.c	the device_* callbacks
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
 * struct loopdma_parity - buffers of an XOR or PQ, or of a check of either
 * @list: number of the list that the device reads, in loopdma_chan.lists
 * @sources_dma: bus address of that list
 * @p: bus address of P, or of what the XOR is written to
 * @q: bus address of Q
 * @result: where a check tells what it has found, the client's; else NULL
 * @wrong: enum sum_check_flags that the check has found so far
 * @arg: LOOPDMA_ARG; tells which of @p and @q there are
 */
struct loopdma_parity {
	unsigned long list;
	dma_addr_t sources_dma;
	dma_addr_t p;
	dma_addr_t q;
	enum sum_check_flags *result;
	u32 wrong;
	u32 arg;
};

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
void loopdma_desc_parity(struct loopdma_hw_desc *hw, enum loopdma_hw_opcode op,
			 const struct loopdma_parity *par, u32 off, u32 len,
			 u32 ctrl);
void loopdma_desc_tx(struct loopdma_hw_desc *hw, dma_addr_t src, u32 len,
		     u32 periph, u32 ctrl);
void loopdma_desc_rx(struct loopdma_hw_desc *hw, dma_addr_t dst, u32 len,
		     u32 periph, u32 ctrl);
void loopdma_desc_send_meta(struct loopdma_hw_desc *hw, const u8 *meta,
			    u32 len);
void loopdma_desc_want_meta(struct loopdma_hw_desc *hw);
u32 loopdma_desc_meta(const struct loopdma_hw_desc *hw, u8 *meta);
u32 loopdma_desc_wrong(const struct loopdma_hw_desc *hw);
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
static inline bool loopdma_op_is_parity(u8 op)
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
 * @parity: buffers of an XOR or PQ (shares the space of @src)
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
		struct loopdma_parity *parity;
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
 * @parity: used for the buffers of an XOR or PQ
 * @next: free: the next free element
 */
union loopdma_item {
	struct loopdma_desc desc;
	struct loopdma_segs segs;
	struct loopdma_parity parity;
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
 * @reset: reset the function, with loopdma_halt() before and loopdma_restart()
 *	behind it; may sleep.  -EAGAIN: not now, because somebody else has to do
 *	with the device; any other error: there is no such reset
 *
 * Nothing above this table touches MMIO, so that the whole driver also runs
 * over a simulated device.  The first two are called from any context.
 */
struct loopdma_hw_ops {
	u32 (*read)(struct loopdma_dev *ld, u32 reg);
	void (*write)(struct loopdma_dev *ld, u32 reg, u32 val);
	int (*reset)(struct loopdma_dev *ld);
};

/* --- Channel and device ----------------------------------------------------- */

/*
 * Source lists of a channel: how many XOR and PQ transactions there can be at a
 * time.  async_tx waits for one to end when prep gives it NULL.
 */
#define LOOPDMA_LISTS	128

/* Failed cookies that a channel remembers. */
#define LOOPDMA_ERRORS	64

/**
 * enum loopdma_chan_state - what the driver does with a channel
 * @LOOPDMA_CHAN_OFF: not allocated to a client, or the device is gone
 * @LOOPDMA_CHAN_ON: works
 * @LOOPDMA_CHAN_RECOVERING: failed, or its device is being reset; descriptors
 *	are queued but not started until the hardware channel is restarted
 * @LOOPDMA_CHAN_SUSPENDED: paused until its device is resumed; descriptors are
 *	queued but not started
 * @LOOPDMA_CHAN_DEAD: did not answer a reset, or is gone; refuses work
 */
enum loopdma_chan_state {
	LOOPDMA_CHAN_OFF,
	LOOPDMA_CHAN_ON,
	LOOPDMA_CHAN_RECOVERING,
	LOOPDMA_CHAN_SUSPENDED,
	LOOPDMA_CHAN_DEAD,
};

/**
 * enum loopdma_remedy - what is tried next with a channel that makes no progress
 * @LOOPDMA_REMEDY_ABORT: the transaction that it is at is aborted
 * @LOOPDMA_REMEDY_RESTART: the hardware channel is stopped, reset and restarted
 * @LOOPDMA_REMEDY_DEVICE: the function is reset
 * @LOOPDMA_REMEDY_NONE: it is given up
 *
 * From the mildest on; progress makes it the mildest again.
 */
enum loopdma_remedy {
	LOOPDMA_REMEDY_ABORT,
	LOOPDMA_REMEDY_RESTART,
	LOOPDMA_REMEDY_DEVICE,
	LOOPDMA_REMEDY_NONE,
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
 * @rescued: completions found by the watchdog, that is lost interrupts
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
	u64 rescued;
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
 * struct loopdma_chan - a channel
 * @chan: what the core sees
 * @ld: its device
 * @index: number of the hardware channel
 * @vector: interrupt vector, an index below the number allocated
 * @caps: LOOPDMA_CH_CAPS
 * @lock: protects everything below but what says otherwise.  Taken with
 *	interrupts disabled, because prep, submit, issue_pending and tx_status
 *	may all be called from hard interrupt context (provider.rst).  Never
 *	held while a client's code runs; innermost lock of the driver.
 * @state: enum loopdma_chan_state
 * @ring: descriptor ring
 * @comp: completion record, coherent memory
 * @comp_dma: bus address of @comp
 * @arm: value last written to the record's arm word
 * @submitted: submitted, not yet issued
 * @nsubmitted: number of those
 * @issued: issued, not yet (or not wholly) in the ring
 * @active: wholly in the ring
 * @finished: cookie complete, callback still to be called
 * @unacked: called back, but async_tx may still make others depend on them
 * @pushing: the cursor below is in use: the first of @issued is being put
 *	into the ring
 * @push_seg: cursor: block of segments
 * @push_idx: cursor: segment within the block
 * @push_off: cursor: bytes of the segment (or of the copy) already in the ring
 * @push_through: cursor: has been through the whole of a transaction that loops
 * @push_ahead: cursor: how often the transaction that loops is in the ring as a
 *	whole
 * @moved: bytes that the oldest transaction in the ring has moved so far, of
 *	one that loops since it began anew
 * @loop: the transaction that loops to which @periods belongs, or NULL
 * @periods: callbacks that are due for @loop
 * @aborting: the device has not yet acknowledged @abort_to
 * @abort_to: ring count up to which the device was told to abort
 * @paused: the client has paused it, and so is the hardware channel as long as
 *	it works
 * @errors: for tx_status: the cookies that failed last, a ring
 * @nerrors: number of cookies that failed since the channel was requested
 * @caller: CPU on which the tasklet calls back, which will push afterwards; or -1
 * @told_cookie: for tx_status: the cookie whose failure is being called back
 *	now, or 0; later ones may have failed by then
 * @watch_tail: ring tail at the last look of the watchdog
 * @watch_late: completions were waiting at the last look of the watchdog
 * @watch_progress: progress word at the last look of the watchdog
 * @watch_still: milliseconds without progress of what should make some
 * @remedy: enum loopdma_remedy
 * @doubtful: it failed in a way that leaves no trust in what is in the ring
 * @needs_reset: it waits for a reset of the function
 * @free: free elements of @pool
 * @pool: software descriptors and blocks of segments, preallocated so that
 *	prep needs no memory (provider.rst: prep may not sleep)
 * @pool_size: number of elements
 * @pool_used: those in use now
 * @heap: blocks of segments that did not come from @pool
 * @lists: source lists, LOOPDMA_LISTS of them in coherent memory; NULL if the
 *	channel has no use for them
 * @lists_dma: bus address of @lists
 * @lists_used: those in use now
 * @periph_ctl: value of CH_PERIPH
 * @rate: value of CH_RATE
 * @priority: value of CH_PRIORITY
 * @config: set by device_config; the client's, who calls neither that nor prep
 *	on two CPUs at once, and not protected
 * @tasklet: calls back; the kernel's rule is that the next transfer is started
 *	in the interrupt handler, and callbacks run from a tasklet
 * @watchdog: looks for completions whose interrupt was lost
 * @recover: restarts the hardware channel after an error
 * @setup: serialises bring-up and take-down: by the core, for a client, under
 *	the core's own mutex, and by removal of the device.  Outermost lock of
 *	the driver; the core and clients are not called under it.
 * @awake: the device is kept from runtime suspend for it; under @setup
 * @quiet: the hardware channel is not running, and will not be started again
 *	before the next bring-up; under @setup
 * @stuck: it did not acknowledge its last stop, so the memory that it knows
 *	must not be freed before a reset has helped; under @setup
 * @stats: counters
 */
struct loopdma_chan {
	struct dma_chan chan;
	struct loopdma_dev *ld;
	u32 index;
	u32 vector;
	u32 caps;

	spinlock_t lock;	/* protects the rest, see above */
	enum loopdma_chan_state state;
	struct loopdma_ring ring;
	struct loopdma_hw_comp *comp;
	dma_addr_t comp_dma;
	u32 arm;
	struct loopdma_queue submitted;
	u32 nsubmitted;
	struct loopdma_queue issued;
	struct loopdma_queue active;
	struct loopdma_queue finished;
	struct loopdma_queue unacked;
	bool pushing;
	struct loopdma_segs *push_seg;
	u32 push_idx;
	u32 push_off;
	bool push_through;
	u32 push_ahead;
	u32 moved;
	struct loopdma_desc *loop;
	u32 periods;
	bool aborting;
	u32 abort_to;
	bool paused;
	dma_cookie_t errors[LOOPDMA_ERRORS];
	u64 nerrors;
	int caller;
	dma_cookie_t told_cookie;
	u32 watch_tail;
	bool watch_late;
	u64 watch_progress;
	u32 watch_still;
	enum loopdma_remedy remedy;
	bool doubtful;
	bool needs_reset;
	union loopdma_item *free;
	union loopdma_item *pool;
	u32 pool_size;
	u32 pool_used;
	struct list_head heap;
	struct loopdma_hw_sources *lists;
	dma_addr_t lists_dma;
	DECLARE_BITMAP(lists_used, LOOPDMA_LISTS);
	u32 periph_ctl;
	u32 rate;
	u32 priority;
	struct dma_slave_config config;
	struct tasklet_struct tasklet;
	struct timer_list watchdog;
	struct work_struct recover;
	struct mutex setup;	/* bring-up against take-down */
	bool awake;
	bool quiet;
	bool stuck;
	struct loopdma_stats stats;
};

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
 * struct loopdma_dev - a device
 * @dma: what the core sees
 * @dev: the device that does the DMA
 * @ops: registers
 * @priv: of whoever provides @ops
 * @regs: physical address of the registers, 0 if they have none
 * @lim: capabilities
 * @ring_order: log2 of the ring size that the next allocation of a channel
 *	uses; from the module parameter, within @lim
 * @event_vector: interrupt vector of the device events
 * @gone: set once by loopdma_shutdown(), never cleared: the hardware must not
 *	be touched any more
 * @lost: the function does not answer: it was taken from the bus by surprise
 * @halted: between loopdma_halt() and loopdma_restart(), or loopdma_sleep() and
 *	loopdma_wake(): no channel is started; written before any, read under
 *	each channel's @setup; set under @control, waited for with wait_var_event()
 * @recover: resets the function, or ends everything if it is lost
 * @control: held while a file of inject.c touches registers, and while @gone or
 *	@halted is set, so that none does so afterwards.  Takes no other lock,
 *	and nobody waits for the device under it: a file can end what others wait
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
	bool gone;
	bool lost;
	bool halted;
	struct delayed_work recover;
	struct mutex control;	/* registers for inject.c, until gone */
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

static inline u32 loopdma_chan_read(struct loopdma_chan *lc, u32 reg)
{
	return lc->ld->ops->read(lc->ld, LOOPDMA_CH(lc->index, reg));
}

static inline void loopdma_chan_write(struct loopdma_chan *lc, u32 reg, u32 val)
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

/* core.c */
int loopdma_core_init(void);
void loopdma_core_exit(void);
struct loopdma_dev *loopdma_create(struct device *dev,
				   const struct loopdma_hw_ops *ops,
				   void *priv);
void loopdma_destroy(struct loopdma_dev *ld);
int loopdma_register(struct loopdma_dev *ld);
void loopdma_halt(struct loopdma_dev *ld);
void loopdma_restart(struct loopdma_dev *ld);
void loopdma_sleep(struct loopdma_dev *ld);
void loopdma_wake(struct loopdma_dev *ld, bool kept);
bool loopdma_is_lost(struct loopdma_dev *ld);
void loopdma_lose(struct loopdma_dev *ld);
void loopdma_ask_reset(struct loopdma_dev *ld);
void loopdma_shutdown(struct loopdma_dev *ld);
void loopdma_unregister(struct loopdma_dev *ld);

/* chan.c */
void loopdma_chan_init(struct loopdma_dev *ld, u32 index);
int loopdma_chan_alloc(struct loopdma_chan *lc);
void loopdma_chan_free(struct loopdma_chan *lc);
void loopdma_chan_quiet(struct loopdma_chan *lc);
void loopdma_chan_remove(struct loopdma_chan *lc);
void loopdma_chan_halt(struct loopdma_chan *lc);
void loopdma_chan_restart(struct loopdma_chan *lc);
void loopdma_chan_suspend(struct loopdma_chan *lc);
void loopdma_chan_wake(struct loopdma_chan *lc, bool kept);
void loopdma_chan_issue(struct loopdma_chan *lc);
void loopdma_chan_push(struct loopdma_chan *lc);
void loopdma_chan_abort(struct loopdma_chan *lc);
bool loopdma_chan_abort_oldest(struct loopdma_chan *lc);
void loopdma_chan_set_periph(struct loopdma_chan *lc, bool restart);
int loopdma_chan_pause(struct loopdma_chan *lc);
int loopdma_chan_resume(struct loopdma_chan *lc);
u32 loopdma_chan_progress(const struct loopdma_chan *lc);
u32 loopdma_chan_fifo_level(struct loopdma_chan *lc);
void loopdma_chan_fail(struct loopdma_chan *lc, const char *why);
void loopdma_chan_stalled(struct loopdma_chan *lc);

/* pool.c */
int loopdma_pool_init(struct loopdma_chan *lc, u32 size);
void loopdma_pool_exit(struct loopdma_chan *lc);
struct loopdma_desc *loopdma_desc_get(struct loopdma_chan *lc);
void loopdma_desc_put(struct loopdma_chan *lc, struct loopdma_desc *d);
struct loopdma_segs *loopdma_segs_get(struct loopdma_chan *lc);
struct loopdma_parity *loopdma_parity_get(struct loopdma_chan *lc);
void loopdma_desc_end(struct loopdma_chan *lc, struct loopdma_desc *d);
void loopdma_desc_reclaim(struct loopdma_chan *lc);

/* dmaengine.c */
void loopdma_dmaengine_setup(struct loopdma_dev *ld);

/* irq.c */
#if IS_ENABLED(CONFIG_KUNIT)
extern unsigned int loopdma_watchdog_ms;
extern unsigned int loopdma_stuck_ms;
#endif
void loopdma_irq_init(struct loopdma_chan *lc);
void loopdma_irq_channel(struct loopdma_chan *lc);
void loopdma_irq_event(struct loopdma_dev *ld);
struct loopdma_desc *loopdma_chan_oldest(struct loopdma_chan *lc);
void loopdma_chan_reap(struct loopdma_chan *lc);
u32 loopdma_chan_done(const struct loopdma_chan *lc);
void loopdma_chan_end_ring(struct loopdma_chan *lc);
void loopdma_chan_put_back(struct loopdma_chan *lc, bool exact);
void loopdma_chan_end_all(struct loopdma_chan *lc, bool notify);
bool loopdma_chan_may_wait(const struct loopdma_chan *lc);
void loopdma_watch(struct loopdma_chan *lc);

/* stats.c */
void loopdma_stats_clock(struct loopdma_chan *lc);
void loopdma_stats_end(struct loopdma_chan *lc, const struct loopdma_desc *d);
void loopdma_stats_read(struct loopdma_chan *lc, struct loopdma_stats *stats);
void loopdma_stats_sum(struct loopdma_dev *ld, struct loopdma_stats *stats);
u64 loopdma_stats_errors(const struct loopdma_stats *stats);
void loopdma_stats_print(struct seq_file *s, const struct loopdma_stats *stats);
void loopdma_stats_dev_file(struct loopdma_dev *ld, struct dentry *dir);
void loopdma_stats_chan_file(struct loopdma_chan *lc, struct dentry *dir);

/* inject.c */
int loopdma_control_begin(struct loopdma_dev *ld);
void loopdma_control_end(struct loopdma_dev *ld);
void loopdma_inject_init(struct loopdma_dev *ld);
void loopdma_inject_exit(struct loopdma_dev *ld);
void loopdma_inject_dev_files(struct loopdma_dev *ld, struct dentry *dir);
void loopdma_inject_chan_files(struct loopdma_chan *lc, struct dentry *dir);

#endif /* LOOPDMA_H */
