/*
 * loopdma: a PCI DMA engine for testing DMA drivers, internal definitions
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_INT_H
#define LOOPDMA_INT_H

#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "qemu/units.h"
#include "compat.h"
#include "loopdma/hw.h"

#define TYPE_LOOPDMA "loopdma"
OBJECT_DECLARE_SIMPLE_TYPE(LoopdmaState, LOOPDMA)

/* Descriptors that one turn of a channel takes in. */
#define LOOPDMA_BATCH 32

/* Pieces of directly accessible memory that one turn resolves. */
#define LOOPDMA_SEGMENTS 256

/* Bytes that one turn moves, and bytes moved between looks at @cut. */
#define LOOPDMA_TURN_BYTES (1 * MiB)
#define LOOPDMA_CHUNK_BYTES (64 * KiB)

/* The same for each source of a descriptor that has several. */
#define LOOPDMA_BLOCK_BYTES (LOOPDMA_CHUNK_BYTES / LOOPDMA_MAX_SOURCES)

/*
 * The time from an interrupt to the doorbell that answers it: what it is taken
 * for before one is known, a running average over so many, and the longest that
 * counts.
 */
#define LOOPDMA_RESPONSE_FIRST_NS (50 * SCALE_US)
#define LOOPDMA_RESPONSE_WEIGHT 8
#define LOOPDMA_RESPONSE_MAX_NS SCALE_MS

/* How far a paced channel that is late may catch up, in nanoseconds. */
#define LOOPDMA_CATCH_UP_NS (10 * SCALE_MS)

/* Classes of CH_PRIORITY. */
#define LOOPDMA_CLASSES (LOOPDMA_CH_PRIORITY_CLASS + 1)

/* What an interrupt for nothing leaves the handler of the one before. */
#define LOOPDMA_REPEAT_NS (100 * SCALE_US)

/* Buffers of a descriptor: sources, and P and Q to be read and written. */
#define LOOPDMA_MAX_BUFFERS (LOOPDMA_MAX_SOURCES + 4)

/*
 * Threads and locks
 * -----------------
 *
 * The work of a channel is done in turns of three steps:
 *
 *   prepare  read descriptors, check them, resolve their addresses
 *   copy     move the bytes
 *   retire   write statuses and the completion record, judge the interrupt
 *
 * Exactly one context owns a channel's turn, see LoopdmaSched.  Without an
 * IOMMU an engine does all three steps, or for a few small descriptors the
 * vCPU that rings the doorbell.  Behind an IOMMU, where a translation may fault
 * and a fault interrupts, prepare and retire run in the channel's bottom half,
 * which holds the BQL, and only copy runs in an engine.  In synchronous mode
 * the bottom half does all.
 *
 * Engines never take the BQL, and never call what may take it; so whoever
 * holds the BQL may wait for an engine.  The engine leaves at the next chunk
 * edge once @cut is set.
 *
 * Interrupts take the BQL.  Who holds it sends them in a bottom half, engines
 * leave it to the messenger, a thread that nobody ever waits for.
 *
 * An engine that is free takes a channel of the highest class that is ready.
 * If none is free, one that serves a lower class leaves behind the next chunk,
 * see @outranked.  In synchronous mode a bottom half waits for those of higher
 * classes.
 *
 * Locks, in the order in which they are taken:
 *
 *   BQL                   configuration registers, PCI state, main loop turns
 *   LoopdmaState.lock     scheduling, channel state, counts, test controls,
 *                         counters, interrupt state
 *   LoopdmaFifo.lock      the bytes of one FIFO and who waits for them
 *
 * The last two are never held together.  Under them nothing blocks, apart from
 * waiting for an engine with LoopdmaState.left, which releases the lock; and
 * nothing outside of the device is called but to schedule a bottom half, to
 * log and to trace.
 */

/**
 * LoopdmaSched - who owns a channel's turn
 * @LOOPDMA_SCHED_IDLE: nobody; it is to be kicked when there may be work
 * @LOOPDMA_SCHED_MAIN: the channel's bottom half, which is scheduled
 * @LOOPDMA_SCHED_READY: the first engine that is free
 * @LOOPDMA_SCHED_ENGINE: an engine, at this moment
 * @LOOPDMA_SCHED_VCPU: the vCPU that rings the doorbell; it holds the BQL, so
 *     nobody waits for it
 */
typedef enum LoopdmaSched {
    LOOPDMA_SCHED_IDLE,
    LOOPDMA_SCHED_MAIN,
    LOOPDMA_SCHED_READY,
    LOOPDMA_SCHED_ENGINE,
    LOOPDMA_SCHED_VCPU,
} LoopdmaSched;

/**
 * LoopdmaSources - what an op of the XOR and PQ kinds has beside LoopdmaOp
 * @addr: bus addresses of the sources, from where the descriptor begins
 * @dst2: of the descriptor
 * @coef: coefficients of the sources in Q
 */
typedef struct LoopdmaSources {
    uint64_t addr[LOOPDMA_MAX_SOURCES];
    uint64_t dst2;
    uint8_t coef[LOOPDMA_MAX_SOURCES];
} LoopdmaSources;

/**
 * LoopdmaMeta - metadata, that of a TX or RX op if it is beside LoopdmaOp
 * @len: bytes of @data, 0 if there is none
 * @data: the metadata, zeroes behind it
 */
typedef struct LoopdmaMeta {
    uint8_t len;
    uint8_t data[LOOPDMA_META_SIZE];
} LoopdmaMeta;

/**
 * LoopdmaBuffer - memory that an op works on, as much of it as is its length
 * @addr: bus address
 * @is_write: it is written, else read
 */
typedef struct LoopdmaBuffer {
    uint64_t addr;
    bool is_write;
} LoopdmaBuffer;

/**
 * LoopdmaOp - a descriptor being executed
 * @ctrl: of the descriptor, as are @len, @src, @dst, @periph and @arg
 * @limit: bytes to move, below @len if the test controls cut it short
 * @moved: bytes moved so far
 * @end: bytes moved when this turn is through
 * @final: it is through then; else it goes on with the next turn
 * @executed: it counts as executed, not as skipped or aborted
 * @status: enum loopdma_hw_status once it is through
 * @fail: the test controls have chosen the outcome, @fail_status
 * @fail_status: that outcome
 * @skip: the rest of the transaction is to be skipped
 * @wrong: what a check has found so far, LOOPDMA_STATUS_*
 * @fault: bus address of a READ or WRITE error
 * @seg: first of the op's segments in LoopdmaChannel.seg
 *
 * Every descriptor costs the time to clear one of these.
 */
typedef struct LoopdmaOp {
    uint32_t ctrl;
    uint32_t len;
    uint64_t src;
    uint64_t dst;
    uint32_t periph;
    uint32_t limit;
    uint32_t moved;
    uint32_t end;
    bool final;
    bool executed;
    uint8_t status;
    bool fail;
    uint8_t fail_status;
    bool skip;
    uint16_t wrong;
    uint64_t fault;
    uint32_t arg;
    unsigned seg;
} LoopdmaOp;

/**
 * LoopdmaSegment - a piece of an op that is contiguous in host memory
 * @src: where to read, or NULL; holds a reference to its memory region
 * @dst: where to write, or NULL; likewise
 * @len: bytes
 * @moved: bytes moved so far
 *
 * A piece of an op of the XOR and PQ kinds is a group of segments, one for each
 * of its buffers in the order of loopdma_buffers(), with the same @len and
 * @moved.
 */
typedef struct LoopdmaSegment {
    uint8_t *src;
    uint8_t *dst;
    uint32_t len;
    uint32_t moved;
} LoopdmaSegment;

/**
 * LoopdmaMark - metadata in a FIFO
 * @behind: bytes ever received, up to and with the one that it goes with
 * @meta: the metadata
 * @next: link in LoopdmaFifo.marks
 */
typedef struct LoopdmaMark {
    uint64_t behind;
    LoopdmaMeta meta;
    QTAILQ_ENTRY(LoopdmaMark) next;
} LoopdmaMark;

/**
 * LoopdmaPace - when a channel's peripheral requests bursts
 * @since: when it requested the last, in nanoseconds of QEMU_CLOCK_VIRTUAL
 * @fraction: what of a nanosecond that was later, in units of 2^-32
 * @bytes: bytes of that burst; the next follows when these have had their time
 */
typedef struct LoopdmaPace {
    int64_t since;
    uint32_t fraction;
    uint32_t bytes;
} LoopdmaPace;

/**
 * LoopdmaWait - a descriptor that CH_TC_DELAY keeps from starting
 * @begun: there is one
 * @count: its count
 * @since: when it became the next to start, in nanoseconds of
 *     QEMU_CLOCK_VIRTUAL
 */
typedef struct LoopdmaWait {
    bool begun;
    uint32_t count;
    int64_t since;
} LoopdmaWait;

/**
 * LoopdmaFifo - the receive FIFO of a channel
 * @lock: protects all of it but @depth
 * @depth: its size in bytes, a power of two, or 0
 * @head: offset of the oldest byte
 * @count: bytes in it; written under @lock, read by CH_FIFO_LEVEL
 * @data: the bytes, a ring
 * @received: bytes ever received
 * @marks: metadata, oldest first; each goes with a byte of its own, so there
 *     are @count at the most
 * @tx_waits: the sender found too little room since the last byte left
 * @rx_waits: the receiver found too few bytes since the last byte came
 */
typedef struct LoopdmaFifo {
    QemuMutex lock;
    uint32_t depth;
    uint32_t head;
    uint32_t count;
    uint8_t *data;
    uint64_t received;
    QTAILQ_HEAD(, LoopdmaMark) marks;
    bool tx_waits;
    bool rx_waits;
} LoopdmaFifo;

typedef struct LoopdmaChannel LoopdmaChannel;

/**
 * LoopdmaChannel - a channel
 * @dev: the device
 * @index: its number
 * @bh: its bottom half, guarded against re-entrancy
 * @timer: kicks it when the time has come for what it waits for
 * @fifo: its receive FIFO
 *
 * Registers that only change while the channel is disabled, under the BQL;
 * a turn may read them at any time:
 *
 * @ring: bus address of the ring
 * @comp: bus address of the completion record
 * @ring_log2: log2 of the number of descriptors
 * @vector: interrupt vector
 * @in_main: prepare and retire run in the main loop
 * @enabled: CH_CONTROL.ENABLE, which no turn looks at
 * @resetting: CH_CONTROL.RESET, which does not end, no turn looks at it
 *
 * Protected by LoopdmaState.lock:
 *
 * @sched: who owns the turn
 * @again: kicked while somebody owned the turn
 * @stop: no turn may begin, somebody waits for the last to end
 * @paused: no turn may begin, CH_CONTROL.PAUSE
 * @priority: CH_PRIORITY, which of LoopdmaState.ready the channel goes to
 * @next: link in LoopdmaState.ready
 * @state: enum loopdma_hw_state, CH_STATUS.STATE
 * @error: enum loopdma_hw_chan_error, CH_STATUS.ERROR
 * @tail: last doorbell value
 * @retired: descriptors retired
 * @published: @retired as the completion record tells it.  It lags behind
 *     for a moment: the driver may act on what it reads there at once, and
 *     finds that @retired knows already
 * @aborting: an abort is pending
 * @abort_to: its count
 * @irq_since: since when an interrupt is put off, in nanoseconds
 * @pace: nanoseconds that a descriptor took last
 * @asked: when an interrupt was sent that no doorbell has followed yet, or 0
 * @response: nanoseconds from an interrupt to the next doorbell, on average
 * @tc_hold: CH_TC_HOLD
 * @tc_credits: what CH_TC_STEP has given and nobody has used
 * @tc_fail: CH_TC_FAIL
 * @tc_fail_bytes: CH_TC_FAIL_BYTES
 * @tc_drop_irq: CH_TC_DROP_IRQ
 * @tc_lie: CH_TC_LIE
 * @tc_delay: CH_TC_DELAY
 * @tc_reorder: CH_TC_REORDER
 * @tc_spurious: CH_TC_SPURIOUS
 * @tc_early: CH_TC_EARLY
 * @tc_stuck: enum loopdma_hw_stuck, CH_TC_STUCK
 * @tc_addr_bits: CH_TC_ADDR_BITS
 * @tc_active: one of those is in force that a turn has to look at
 * @cnt_doorbells: counter, as are @cnt_descriptors, @cnt_bytes and
 *     @cnt_interrupts
 *
 * Atomic:
 *
 * @cut: leave the turn at the next chunk edge; cleared by the next turn
 * @outranked: the engine is wanted for a higher class, and leaves the turn
 *     behind the next chunk; set under LoopdmaState.lock while an engine has
 *     the channel, cleared when the next takes it
 * @rate: CH_RATE; written under the BQL
 *
 * Belong to whoever owns the turn, and to who holds the BQL while nobody does:
 *
 * @reach: the highest bus address of data
 * @skip: the transaction in progress is being skipped
 * @raised: has interrupted since it was enabled, or is about to
 * @token: the arm word when it last did
 * @began: when the first op that is not retired did, in nanoseconds
 * @prepared: @op and @seg are those of a turn; else only of @carried
 * @carried: @op[0] is an op that the last turn left unfinished
 * @held: the last turn stopped for want of the peer, or before its time
 * @bytes: bytes moved and not in @cnt_bytes yet
 * @periph: CH_PERIPH
 * @source: bytes that the pattern source has given, the next one's position
 * @sink: bytes that the pattern sink has taken
 * @requests: when bursts are requested
 * @wait: the descriptor that has to wait before it starts
 * @armed: @timer is set
 * @backwards: the last of @op is executed first
 * @nops: number of valid @op
 * @nsegs: number of valid @seg
 * @op: ops of the turn, in order
 * @sources: what goes with @op, valid for the XOR and PQ kinds
 * @meta: what goes with @op, valid for TX and RX: what is sent with the last
 *     byte, or was received with a byte so far
 * @seg: segments of the turn, in order
 */
struct LoopdmaChannel {
    LoopdmaState *dev;
    unsigned index;
    QEMUBH *bh;
    QEMUTimer *timer;
    LoopdmaFifo fifo;

    uint64_t ring;
    uint64_t comp;
    uint32_t ring_log2;
    uint32_t vector;
    bool in_main;
    bool enabled;
    bool resetting;

    LoopdmaSched sched;
    bool again;
    bool stop;
    bool paused;
    uint8_t priority;
    QTAILQ_ENTRY(LoopdmaChannel) next;
    uint8_t state;
    uint8_t error;
    uint32_t tail;
    uint32_t retired;
    uint32_t published;
    bool aborting;
    uint32_t abort_to;
    int64_t irq_since;
    int64_t pace;
    int64_t asked;
    int64_t response;
    uint32_t tc_hold;
    uint32_t tc_credits;
    uint32_t tc_fail;
    uint32_t tc_fail_bytes;
    uint32_t tc_drop_irq;
    uint32_t tc_lie;
    uint32_t tc_delay;
    uint32_t tc_reorder;
    uint32_t tc_spurious;
    uint32_t tc_early;
    uint32_t tc_stuck;
    uint32_t tc_addr_bits;
    bool tc_active;
    uint32_t cnt_doorbells;
    uint32_t cnt_descriptors;
    uint64_t cnt_bytes;
    uint32_t cnt_interrupts;

    bool cut;
    bool outranked;
    uint32_t rate;

    uint64_t reach;
    bool skip;
    bool raised;
    uint32_t token;
    int64_t began;
    bool prepared;
    bool carried;
    bool held;
    uint64_t bytes;
    uint32_t periph;
    uint32_t source;
    uint32_t sink;
    LoopdmaPace requests;
    LoopdmaWait wait;
    bool armed;
    bool backwards;
    unsigned nops;
    unsigned nsegs;
    LoopdmaOp op[LOOPDMA_BATCH];
    LoopdmaSources sources[LOOPDMA_BATCH];
    LoopdmaMeta meta[LOOPDMA_BATCH];
    LoopdmaSegment seg[LOOPDMA_SEGMENTS];
};

/**
 * LoopdmaIommu - a notifier for what the guest takes out of an IOMMU
 * @dev: the device
 * @mr: the IOMMU's memory region
 * @start: where in @mr the section begins that this is for
 * @offset: from addresses in @mr to bus addresses
 * @notifier: called for each range that is unmapped
 * @next: link in LoopdmaState.iommus
 */
typedef struct LoopdmaIommu {
    LoopdmaState *dev;
    MemoryRegion *mr;
    hwaddr start;
    hwaddr offset;
    IOMMUNotifier notifier;
    QLIST_ENTRY(LoopdmaIommu) next;
} LoopdmaIommu;

/**
 * LoopdmaMessenger - sends interrupts for the engines
 * @wanted: there are some to send, or @dev is no more
 * @dev: the device, or NULL when the thread is to end; under the BQL
 *
 * Belongs to its thread, which frees it.
 */
typedef struct LoopdmaMessenger {
    QemuEvent wanted;
    LoopdmaState *dev;
} LoopdmaMessenger;

/**
 * LoopdmaState - the device
 * @parent_obj: the PCI function
 * @bar: BAR 0, with MSI-X table and pending bits on top
 * @caps: CAPS, fixed when realized
 * @sync: everything is done in the main loop
 * @has_msix: the function has MSI-X, @has_msi: MSI, and @has_intx: INTx
 * @pm_at: where its power management capability is, 0 if it has none
 * @vmstate_handler: tells when the VM stops and goes on
 *
 * Protected by the BQL:
 *
 * @listener: watches the function's address space
 * @topology_changed: it has changed in this transaction
 * @iommus: the notifiers
 * @event_vector: EVENT_VECTOR
 * @irq_bh: sends what @irq_channels and @irq_event ask for, as does @messenger
 * @repeat_timer: sends what @repeat asks for, but under INTx
 * @resetting: CONTROL.RESET, which does not end
 * @gone: the function has been removed by surprise
 * @off: it is in D3hot, as its configuration space says
 *
 * @lock: protects the following, and the channels' fields that say so
 * @work: there may be work for an engine
 * @left: an engine has left a channel
 * @ready: channels for the next free engine, in turn, for each class
 * @nready: their number; written under @lock, read by a spinning engine
 * @sleeping: engines that wait for @work, or have not begun yet
 * @spinning: an engine looks at @nready
 * @quit: engines have to end; written under @lock, read by a spinning engine
 * @running: the VM runs
 * @int_status: INT_STATUS
 * @event: EVENT
 * @irq_due: channels with an interrupt that was judged to be sent, and is
 *     put off
 * @irq_channels: channels that have an interrupt to send
 * @irq_event: so have events
 * @will_flush: who holds the BQL will send them before letting go of it
 * @repeat: channels that have sent an interrupt which one for nothing follows
 * @cnt_mmio_reads: CNT_MMIO_READS
 * @cnt_interrupts: CNT_INTERRUPTS
 *
 * @messenger: sends interrupts for the engines, or NULL if there are none
 * @threads: the engines
 * @ch: the channels
 *
 * The rest are properties.
 */
struct LoopdmaState {
    PCIDevice parent_obj;

    MemoryRegion bar;
    uint32_t caps;
    bool sync;
    bool has_msix;
    bool has_msi;
    bool has_intx;
    uint8_t pm_at;
    VMChangeStateEntry *vmstate_handler;

    MemoryListener listener;
    bool topology_changed;
    QLIST_HEAD(, LoopdmaIommu) iommus;
    uint32_t event_vector;
    QEMUBH *irq_bh;
    QEMUTimer *repeat_timer;
    bool resetting;
    bool gone;
    bool off;

    QemuMutex lock;
    QemuCond work;
    QemuCond left;
    QTAILQ_HEAD(, LoopdmaChannel) ready[LOOPDMA_CLASSES];
    unsigned nready;
    unsigned sleeping;
    bool spinning;
    bool quit;
    bool running;
    uint32_t int_status;
    uint32_t event;
    uint32_t irq_due;
    uint32_t irq_channels;
    bool irq_event;
    bool will_flush;
    uint32_t repeat;
    uint32_t cnt_mmio_reads;
    uint32_t cnt_interrupts;

    LoopdmaMessenger *messenger;
    QemuThread *threads;
    LoopdmaChannel *ch;

    uint32_t channels;
    uint32_t engines;
    uint32_t ring_max;
    uint32_t max_len;
    uint32_t copy_align;
    uint32_t addr_bits;
    uint32_t fifo_depth;
    uint32_t fifo_widths;
    uint32_t fifo_max_burst;
    uint32_t max_sources;
    bool loopback;
    uint32_t spin_us;
    uint32_t irq_delay_us;
    uint32_t at_once_bytes;
    char *irq_mode;
    OnOffAuto sync_mode;
    bool pm;
    bool test_controls;
    uint16_t vendor_id;
    uint16_t device_id;
    uint32_t x_version;
    uint32_t x_id;
    uint32_t x_caps_mask;
    uint32_t x_bar_size;
};

/* Only log2 of the smallest ring is fixed, the largest is a property. */
#define LOOPDMA_RING_LOG2_MIN 1

/**
 * loopdma_last_address: the highest bus address of the device
 * @s: the device
 */
static inline uint64_t loopdma_last_address(const LoopdmaState *s)
{
    return MAKE_64BIT_MASK(0, s->addr_bits);
}

/**
 * loopdma_peer: the other side of a channel's FIFOs
 * @ch: a channel that has one
 */
static inline LoopdmaChannel *loopdma_peer(const LoopdmaChannel *ch)
{
    return &ch->dev->ch[ch->index ^ 1];
}

/**
 * loopdma_opcode: enum loopdma_hw_opcode of a descriptor
 * @op: the descriptor
 */
static inline unsigned loopdma_opcode(const LoopdmaOp *op)
{
    return op->ctrl & LOOPDMA_CTRL_OPCODE;
}

/* --- loopdma.c: registers, interrupts, PCI --- */

void loopdma_guest_error(const char *fmt, ...) G_GNUC_PRINTF(1, 2);
uint32_t loopdma_channel_caps(const LoopdmaChannel *ch);
bool loopdma_config_good(const LoopdmaChannel *ch);
void loopdma_set_event(LoopdmaState *s, uint32_t bits);
void loopdma_flush_interrupts(LoopdmaState *s);
void loopdma_send_spurious(LoopdmaState *s, uint32_t channels);
void loopdma_set_state(LoopdmaChannel *ch, enum loopdma_hw_state state);
void loopdma_reset_channel(LoopdmaChannel *ch);
void loopdma_reset_device(LoopdmaState *s);
uint32_t loopdma_read_channel(const LoopdmaChannel *ch, hwaddr addr);
LoopdmaChannel *loopdma_channel_at(LoopdmaState *s, hwaddr addr);

/* --- loopdma-engine.c: who does what when --- */

bool loopdma_runnable(const LoopdmaChannel *ch);
void loopdma_answered(LoopdmaChannel *ch);
void loopdma_want_messages(LoopdmaState *s);
void loopdma_kick(LoopdmaChannel *ch);
void loopdma_kick_at_once(LoopdmaChannel *ch);
void loopdma_set_priority(LoopdmaChannel *ch, uint8_t priority);
void loopdma_pause(LoopdmaChannel *ch);
void loopdma_resume(LoopdmaChannel *ch);
void loopdma_fail(LoopdmaChannel *ch, enum loopdma_hw_chan_error error);
void loopdma_choose_context(LoopdmaChannel *ch);
void loopdma_stop_all(LoopdmaState *s);
void loopdma_start_all(LoopdmaState *s);
void loopdma_engines_init(LoopdmaState *s);
void loopdma_engines_exit(LoopdmaState *s);

/* --- loopdma-exec.c: the three steps of a turn --- */

unsigned loopdma_buffers(const LoopdmaChannel *ch, const LoopdmaOp *op,
                         LoopdmaBuffer *buf);
bool loopdma_carried_good(const LoopdmaChannel *ch);
bool loopdma_prepare(LoopdmaChannel *ch, uint32_t at_once);
void loopdma_copy(LoopdmaChannel *ch);
void loopdma_retire(LoopdmaChannel *ch);
void loopdma_release(LoopdmaChannel *ch);
void loopdma_discard(LoopdmaChannel *ch);

/* --- loopdma-periph.c: what TX and RX talk to --- */

uint64_t loopdma_burst_bytes(const LoopdmaOp *op);
bool loopdma_copy_burst(LoopdmaChannel *ch, LoopdmaOp *op,
                        LoopdmaSegment **seg);
void loopdma_fifo_clear(LoopdmaChannel *ch);
void loopdma_wake_at(LoopdmaChannel *ch, int64_t when);
void loopdma_unpace(LoopdmaChannel *ch);
bool loopdma_has_periph(const LoopdmaChannel *ch);
void loopdma_set_periph(LoopdmaChannel *ch, uint32_t val);
void loopdma_set_rate(LoopdmaChannel *ch, uint32_t val);
bool loopdma_take_word(LoopdmaChannel *ch, uint32_t *val);
bool loopdma_give_word(LoopdmaChannel *ch, uint32_t val);
bool loopdma_meta_good(const LoopdmaMeta *meta);
bool loopdma_fifo_good(const LoopdmaFifo *fifo);

/* --- loopdma-testctl.c: faults on demand --- */

bool loopdma_is_test_control(hwaddr addr);
bool loopdma_has_test_control(const LoopdmaState *s, hwaddr addr);
void loopdma_write_test_control(LoopdmaChannel *ch, hwaddr addr, uint32_t val);
void loopdma_update_test_controls(LoopdmaChannel *ch);
void loopdma_clear_test_controls(LoopdmaChannel *ch);
bool loopdma_test_controls_good(const LoopdmaChannel *ch);
bool loopdma_faults_good(const LoopdmaState *s);
void loopdma_load_test_controls(LoopdmaState *s);
void loopdma_guest_reset_channel(LoopdmaChannel *ch);
void loopdma_guest_reset_device(LoopdmaState *s);
void loopdma_guest_gone(LoopdmaState *s, uint32_t val);
void loopdma_show_msix(LoopdmaState *s);
void loopdma_test_controls_init(LoopdmaState *s);
void loopdma_test_controls_exit(LoopdmaState *s);

/* --- loopdma-parity.c: the arithmetic of XOR and PQ --- */

void loopdma_parity_init(void);
void loopdma_add(uint8_t *sum, const uint8_t *src, size_t n);
void loopdma_add_product(uint8_t *sum, uint8_t coef, const uint8_t *src,
                         size_t n);

#endif /* LOOPDMA_INT_H */
