/*
 * loopdma: who does the work of a channel, and how to make everybody stop
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_SCHED_H
#define LOOPDMA_SCHED_H

/*
 * Exactly one context owns a channel's batch, see LoopdmaOwner.  Without an
 * IOMMU an engine does all three steps, or for a few small descriptors the vCPU
 * that rings the doorbell.  Behind an IOMMU, where a translation may fault and
 * a fault interrupts, prepare and write back run in the channel's bottom half,
 * which holds the BQL, and only copy runs in an engine.  In synchronous mode
 * the bottom half does all; with exact=on, too, so that nothing is copied after
 * the guest has taken it out of the IOMMU: to do that it needs the BQL.
 *
 * Engines never take the BQL, and never call what may take it; so whoever holds
 * the BQL may wait for an engine.  An engine that is free takes a channel of
 * the highest priority that is ready.  If none is free, one that serves a lower
 * priority leaves behind the next chunk.
 *
 * Locks, in the order in which they are taken:
 *
 *   BQL                  configuration registers, PCI state, main loop
 *   LoopdmaSched.lock    scheduling, channel state, counts, test controls,
 *                        counters, interrupts
 *   LoopdmaFifo.lock     the bytes of one FIFO and who waits for them
 *
 * The last two are never held together.  Under them nothing blocks, apart from
 * waiting for an engine with LoopdmaSched.left, which releases the lock; and
 * nothing outside of the device is called but to schedule a bottom half, to log
 * and to trace.
 */

#include "qemu/queue.h"
#include "qemu/thread.h"
#include "qemu/timer.h"
#include "compat.h"
#include "loopdma-irq.h"
#include "loopdma-testctl.h"
#include "loopdma-xfer.h"

/* Values of CH_PRIORITY. */
#define LOOPDMA_PRIORITIES (LOOPDMA_CH_PRIORITY_CLASS + 1)

/**
 * LoopdmaOwner - who owns a channel's batch
 * @LOOPDMA_OWNER_NONE: nobody; it is to be kicked when there may be work
 * @LOOPDMA_OWNER_MAIN: the channel's bottom half, which is scheduled
 * @LOOPDMA_OWNER_READY: the first engine that is free
 * @LOOPDMA_OWNER_ENGINE: an engine, at this moment
 * @LOOPDMA_OWNER_LEAVING: an engine, for which the holder of the BQL waits
 * @LOOPDMA_OWNER_BQL: the thread that holds the BQL: the bottom half, the vCPU
 *     that rings the doorbell, or who has stopped the channel
 */
typedef enum LoopdmaOwner {
    LOOPDMA_OWNER_NONE,
    LOOPDMA_OWNER_MAIN,
    LOOPDMA_OWNER_READY,
    LOOPDMA_OWNER_ENGINE,
    LOOPDMA_OWNER_LEAVING,
    LOOPDMA_OWNER_BQL,
} LoopdmaOwner;

/**
 * LoopdmaCounters - what a test can read
 * @doorbells: CH_CNT_DOORBELLS
 * @descriptors: CH_CNT_DESCRIPTORS
 * @bytes: CH_CNT_BYTES
 */
typedef struct LoopdmaCounters {
    uint32_t doorbells;
    uint32_t descriptors;
    uint64_t bytes;
} LoopdmaCounters;

typedef struct LoopdmaSched LoopdmaSched;

/**
 * LoopdmaChannel - a channel
 * @sched: the device's scheduler
 * @index: its number
 * @bh: its bottom half, guarded against re-entrancy
 * @timer: kicks it when the time has come for what it waits for
 * @xfer: its work; see there who may touch what
 *
 * Written under the BQL while nobody owns the batch:
 *
 * @in_main: prepare and write back run in the main loop
 *
 * Protected by the BQL; no batch looks at them:
 *
 * @enabled: CH_CONTROL.ENABLE
 * @resetting: CH_CONTROL.RESET, which does not end
 *
 * Protected by LoopdmaSched.lock:
 *
 * @owner: who owns the batch
 * @again: kicked while somebody owned it
 * @paused: CH_CONTROL.PAUSE
 * @priority: CH_PRIORITY
 * @next: link in LoopdmaSched.ready
 * @state: enum loopdma_hw_state, CH_STATUS.STATE
 * @error: enum loopdma_hw_chan_error, CH_STATUS.ERROR
 * @tail: last doorbell value
 * @retired: descriptors retired
 * @published: @retired as the completion record tells it.  It lags behind
 *     for a moment: the driver may act on what it reads there at once, and
 *     finds that @retired knows already
 * @aborting: an abort is pending
 * @abort_to: its count
 * @irq: its interrupt
 * @tc: its test controls
 * @cnt: its counters
 *
 * Belong to whoever owns the batch:
 *
 * @began: when the first op that is not retired did, in nanoseconds
 * @waits: the last batch stopped for want of the peer, or before its time
 * @armed: @timer is set
 * @wait: the descriptor that has to wait before it starts
 */
typedef struct LoopdmaChannel {
    LoopdmaSched *sched;
    unsigned index;
    QEMUBH *bh;
    QEMUTimer *timer;

    bool in_main;

    bool enabled;
    bool resetting;

    LoopdmaOwner owner;
    bool again;
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
    LoopdmaIrqChannel irq;
    LoopdmaTestctl tc;
    LoopdmaCounters cnt;

    int64_t began;
    bool waits;
    bool armed;
    LoopdmaWait wait;
    LoopdmaXfer xfer;
} LoopdmaChannel;

/**
 * LoopdmaSched - the scheduler of a device
 * @pci: the PCI function
 * @irq: the device's interrupts
 * @channels: number of channels
 * @engines: number of engines
 * @sync: everything is done in the main loop
 * @exact: behind an IOMMU the copy is done there, too
 * @progress: CAPS.PROGRESS
 * @spin_us: how long an engine looks for work before it sleeps
 * @at_once_bytes: what the vCPU that rings the doorbell may move
 *
 * @lock: protects the following, and the channels' fields that say so
 * @work: there may be work for an engine
 * @left: an engine has left a channel
 * @ready: channels for the next free engine, in turn, by priority
 * @nready: their number; written under @lock, read by a spinning engine
 * @sleeping: engines that wait for @work, or have not begun yet
 * @spinning: an engine looks at @nready
 * @quit: engines have to end; written under @lock, read by a spinning engine
 * @running: the VM runs, and the function is on
 *
 * @threads: the engines
 * @ch: the channels, or NULL
 */
struct LoopdmaSched {
    PCIDevice *pci;
    LoopdmaIrq *irq;
    uint32_t channels;
    uint32_t engines;
    bool sync;
    bool exact;
    bool progress;
    uint32_t spin_us;
    uint32_t at_once_bytes;

    QemuMutex lock;
    QemuCond work;
    QemuCond left;
    QTAILQ_HEAD(, LoopdmaChannel) ready[LOOPDMA_PRIORITIES];
    unsigned nready;
    unsigned sleeping;
    bool spinning;
    bool quit;
    bool running;

    QemuThread *threads;
    LoopdmaChannel *ch;
};

/**
 * loopdma_sched_peer: the other side of a channel's FIFOs
 * @ch: a channel that has one
 */
static inline LoopdmaChannel *loopdma_sched_peer(const LoopdmaChannel *ch)
{
    return &ch->sched->ch[ch->index ^ 1];
}

void loopdma_sched_kick(LoopdmaChannel *ch);
void loopdma_sched_kick_at_once(LoopdmaChannel *ch);
void loopdma_sched_set_priority(LoopdmaChannel *ch, uint8_t priority);
void loopdma_sched_fail(LoopdmaChannel *ch, enum loopdma_hw_chan_error error);
void loopdma_sched_invalidate(LoopdmaChannel *ch);

bool loopdma_sched_stop(LoopdmaChannel *ch, LoopdmaRevoked revoke);
void loopdma_sched_retire(LoopdmaChannel *ch);
void loopdma_sched_discard(LoopdmaChannel *ch);
void loopdma_sched_resume(LoopdmaChannel *ch);
void loopdma_sched_stop_all(LoopdmaSched *s);
void loopdma_sched_start_all(LoopdmaSched *s);

void loopdma_sched_init(LoopdmaSched *s, const LoopdmaLimits *limits,
                        uint64_t last);
void loopdma_sched_exit(LoopdmaSched *s);
void loopdma_sched_free(LoopdmaSched *s);

#endif /* LOOPDMA_SCHED_H */
