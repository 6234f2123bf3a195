/*
 * loopdma: interrupts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "qemu/lockable.h"
#include "qemu/rcu.h"
#include "qapi/error.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-irq.h"

/* The most messages that the MSI capability can ask for. */
#define LOOPDMA_MSI_MAX 32

/* A running average over so many responses, and the longest that counts. */
#define LOOPDMA_RESPONSE_WEIGHT 8
#define LOOPDMA_RESPONSE_MAX_NS SCALE_MS

/* What a spurious interrupt leaves the handler of the one before. */
#define LOOPDMA_REPEAT_NS (100 * SCALE_US)

/**
 * LoopdmaMessenger - delivers interrupts for threads that do not hold the BQL
 * @wanted: there are some to deliver, or @irq is no more
 * @irq: the interrupts, or NULL when the thread is to end; under the BQL
 *
 * Belongs to its thread, which frees it.
 */
struct LoopdmaMessenger {
    QemuEvent wanted;
    LoopdmaIrq *irq;
};

static bool loopdma_irq_messages(const LoopdmaIrq *irq)
{
    return msix_enabled(irq->pci) || msi_enabled(irq->pci);
}

/* --- Requests, with the lock held ----------------------------------------- */

/**
 * loopdma_irq_enable: a channel is enabled, and has not interrupted yet
 * @ch: its interrupt
 */
void loopdma_irq_enable(LoopdmaIrqChannel *ch)
{
    ch->raised = false;
    ch->per_desc = 0;
    ch->sent_at = 0;
    ch->response = LOOPDMA_RESPONSE_FIRST_NS;
}

/**
 * loopdma_irq_request: a descriptor asks for the channel's interrupt
 * @irq: the interrupts
 * @i: the channel
 * @arm: the arm word of its completion record
 * @now: the time, in nanoseconds
 *
 * One is due unless one was for the same arm word.  When it is sent, is for
 * loopdma_irq_send_due() or loopdma_irq_moderate() to say.
 */
void loopdma_irq_request(LoopdmaIrq *irq, unsigned i, uint32_t arm,
                         int64_t now)
{
    LoopdmaIrqChannel *ch = irq->ch[i];

    if (ch->raised && ch->token == arm) {
        return;
    }
    ch->raised = true;
    ch->token = arm;
    if (ch->drop) {
        ch->drop--;
        return;
    }
    if (!extract32(irq->due, i, 1)) {
        irq->due |= 1U << i;
        ch->since = now;
    }
}

/* Have somebody deliver what is pending. */
static void loopdma_irq_want_flush(LoopdmaIrq *irq)
{
    if (irq->flush_follows || irq->exiting) {
        return;
    }
    /* Who holds the BQL is in the main loop, or next to it. */
    if (!irq->messenger || bql_locked()) {
        qemu_bh_schedule(irq->bh);
    } else {
        qemu_event_set(&irq->messenger->wanted);
    }
}

/**
 * loopdma_irq_send_due: send the channel's interrupt if one is due
 * @irq: the interrupts
 * @i: the channel
 *
 * What other channels have put off goes with it: the guest's CPU is interrupted
 * in any case.
 */
void loopdma_irq_send_due(LoopdmaIrq *irq, unsigned i)
{
    uint32_t due = irq->due;

    if (!extract32(due, i, 1)) {
        return;
    }
    irq->due = 0;
    irq->pending |= due;
    for (; due && !irq->flush_follows; due &= due - 1) {
        LoopdmaIrqChannel *ch = irq->ch[ctz32(due)];

        if (!ch->sent_at) {
            ch->sent_at = get_clock();
        }
    }
    loopdma_irq_want_flush(irq);
}

/**
 * loopdma_irq_moderate: the same, unless the interrupt may wait
 * @irq: the interrupts
 * @i: a channel that goes on
 * @left: descriptors that it has to do
 *
 * An interrupt costs the guest's CPU the time of a large copy.  While the
 * channel is busy for long enough that the guest can refill it in time, judged
 * by how long it took before, one interrupt does for all that is retired
 * meanwhile.
 */
void loopdma_irq_moderate(LoopdmaIrq *irq, unsigned i, uint32_t left)
{
    const LoopdmaIrqChannel *ch = irq->ch[i];

    /* Without threads, exactly one interrupt is where a test expects it. */
    if (!irq->messenger || !left || ch->per_desc <= ch->response / left ||
        get_clock() - ch->since >= irq->delay) {
        loopdma_irq_send_due(irq, i);
    }
}

/**
 * loopdma_irq_answered: the guest has more work for a channel
 * @irq: the interrupts
 * @i: the channel
 *
 * If an interrupt has led to that, notes how long it took.
 */
void loopdma_irq_answered(LoopdmaIrq *irq, unsigned i)
{
    LoopdmaIrqChannel *ch = irq->ch[i];
    int64_t took;

    if (ch->sent_at) {
        /* One whose guest did not run for a while is no example. */
        took = MIN(get_clock() - ch->sent_at, LOOPDMA_RESPONSE_MAX_NS);
        ch->response += (took - ch->response) / LOOPDMA_RESPONSE_WEIGHT;
        ch->sent_at = 0;
        trace_loopdma_answered(i, took, ch->response);
    }
}

/**
 * loopdma_irq_set_event: set bits of EVENT
 * @irq: the interrupts
 * @bits: LOOPDMA_EVENT_*
 *
 * Under MSI(-X), only a bit that was clear interrupts.
 */
void loopdma_irq_set_event(LoopdmaIrq *irq, uint32_t bits)
{
    if (bits & ~irq->event) {
        irq->event |= bits;
        irq->event_pending = true;
        loopdma_irq_want_flush(irq);
    }
}

/* --- Delivery, with the BQL held ------------------------------------------ */

/*
 * Send a message, if the function sends messages at this moment: the one before
 * may have switched that off.
 */
static void loopdma_irq_deliver(LoopdmaIrq *irq, unsigned vector)
{
    PCIDevice *pci = irq->pci;

    trace_loopdma_interrupt(vector);
    if (msix_enabled(pci)) {
        msix_notify(pci, vector);
    } else if (msi_enabled(pci)) {
        msi_notify(pci, vector % msi_nr_vectors_allocated(pci));
    }
}

/**
 * loopdma_irq_update_level: set INTA to what it is to be
 * @irq: the interrupts
 */
void loopdma_irq_update_level(LoopdmaIrq *irq)
{
    bool level;

    if (!irq->has_intx || irq->exiting) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(irq->lock) {
        level = irq->status || irq->event;
    }
    pci_set_irq(irq->pci, level && !loopdma_irq_messages(irq) && !irq->off);
}

/* Two messages at once would be one interrupt for the guest. */
static void loopdma_irq_repeat_later(LoopdmaIrq *irq)
{
    timer_mod_anticipate(irq->repeat_timer,
                         qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                         LOOPDMA_REPEAT_NS);
}

/* A channel's interrupt is about to be sent.  With the lock held. */
static void loopdma_irq_take(LoopdmaIrq *irq, unsigned i)
{
    LoopdmaIrqChannel *ch = irq->ch[i];

    irq->pending &= ~(1U << i);
    irq->count++;
    ch->count++;
    if (unlikely(ch->spurious)) {
        ch->spurious--;
        irq->repeat |= 1U << i;
    }
}

/*
 * Take the next of @channels that has an interrupt pending, else the events.
 * Returns the vector to send, or -1.  With the lock held.
 */
static int loopdma_irq_next(LoopdmaIrq *irq, uint32_t channels)
{
    channels &= irq->pending;
    if (channels) {
        loopdma_irq_take(irq, ctz32(channels));
        return irq->ch[ctz32(channels)]->vector;
    }
    if (irq->event_pending) {
        irq->event_pending = false;
        if (irq->event_vector <= irq->channels) {
            irq->count++;
            return irq->event_vector;
        }
    }
    return -1;
}

/* Have INTA tell of all that is pending. */
static void loopdma_irq_flush_level(LoopdmaIrq *irq)
{
    WITH_QEMU_LOCK_GUARD(irq->lock) {
        irq->status |= irq->pending;
        irq->count += irq->event_pending;
        irq->event_pending = false;
        while (irq->pending) {
            loopdma_irq_take(irq, ctz32(irq->pending));
        }
    }
    loopdma_irq_update_level(irq);
}

/**
 * loopdma_irq_flush: deliver what channels and events have asked for
 * @irq: the interrupts
 *
 * Each channel interrupts once at the most, so that this comes to an end.
 */
void loopdma_irq_flush(LoopdmaIrq *irq)
{
    uint32_t channels;
    bool repeat;
    int vector;

    WITH_QEMU_LOCK_GUARD(irq->lock) {
        channels = irq->pending;
    }
    /* In D3hot it waits for D0. */
    while (!irq->off && !irq->exiting) {
        if (!loopdma_irq_messages(irq)) {
            loopdma_irq_flush_level(irq);
            return;
        }
        WITH_QEMU_LOCK_GUARD(irq->lock) {
            uint32_t before = irq->pending;

            vector = loopdma_irq_next(irq, channels);
            channels &= ~(before & ~irq->pending);
            repeat = irq->repeat;
        }
        if (repeat) {
            loopdma_irq_repeat_later(irq);
        }
        if (vector < 0) {
            return;
        }
        loopdma_irq_deliver(irq, vector);
    }
}

/**
 * loopdma_irq_send_spurious: send an interrupt for nothing
 * @irq: the interrupts
 * @i: the channel whose it is
 */
void loopdma_irq_send_spurious(LoopdmaIrq *irq, unsigned i)
{
    LoopdmaIrqChannel *ch = irq->ch[i];
    bool messages = loopdma_irq_messages(irq);

    /*
     * The host may ask; a function that is off has no say.  And only a channel
     * that is enabled is known to have a vector.
     */
    if (irq->off || (messages && ch->vector > irq->channels)) {
        return;
    }
    trace_loopdma_spurious(i);
    WITH_QEMU_LOCK_GUARD(irq->lock) {
        ch->count++;
        irq->count++;
        if (!messages) {
            irq->status |= 1U << i;
        }
    }
    if (messages) {
        loopdma_irq_deliver(irq, ch->vector);
    } else {
        loopdma_irq_update_level(irq);
    }
}

/* Is the channel's interrupt to be followed by another?  Not by a third. */
static bool loopdma_irq_take_repeat(LoopdmaIrq *irq, unsigned i)
{
    bool repeat;

    QEMU_LOCK_GUARD(irq->lock);
    repeat = extract32(irq->repeat, i, 1);
    irq->repeat &= ~(1U << i);
    return repeat;
}

/**
 * loopdma_irq_ack: the driver clears bits of INT_STATUS
 * @irq: the interrupts
 * @channels: the bits
 */
void loopdma_irq_ack(LoopdmaIrq *irq, uint32_t channels)
{
    WITH_QEMU_LOCK_GUARD(irq->lock) {
        irq->status &= ~channels;
    }
    loopdma_irq_update_level(irq);
    for (; channels; channels &= channels - 1) {
        if (loopdma_irq_take_repeat(irq, ctz32(channels))) {
            loopdma_irq_send_spurious(irq, ctz32(channels));
        }
    }
}

/**
 * loopdma_irq_ack_event: the driver clears bits of EVENT
 * @irq: the interrupts
 * @bits: the bits
 */
void loopdma_irq_ack_event(LoopdmaIrq *irq, uint32_t bits)
{
    WITH_QEMU_LOCK_GUARD(irq->lock) {
        irq->event &= ~bits;
    }
    loopdma_irq_update_level(irq);
}

/**
 * loopdma_irq_raise: RAISE
 * @irq: the interrupts
 * @vector: one that the function has
 */
void loopdma_irq_raise(LoopdmaIrq *irq, uint32_t vector)
{
    bool messages = loopdma_irq_messages(irq);

    WITH_QEMU_LOCK_GUARD(irq->lock) {
        if (messages) {
            irq->count++;
        } else {
            loopdma_irq_set_event(irq, LOOPDMA_EVENT_RAISED);
        }
    }
    if (messages) {
        loopdma_irq_deliver(irq, vector);
    } else {
        loopdma_irq_flush(irq);
    }
}

/**
 * loopdma_irq_show_msix: does the function show its MSI-X structures?
 * @irq: the interrupts
 * @shown: whether it does; without them, all of the BAR is registers
 */
void loopdma_irq_show_msix(LoopdmaIrq *irq, bool shown)
{
    if (irq->has_msix) {
        memory_region_set_enabled(&irq->pci->msix_table_mmio, shown);
        memory_region_set_enabled(&irq->pci->msix_pba_mmio, shown);
    }
}

/**
 * loopdma_irq_reset_channel: drop what a channel has asked for
 * @irq: the interrupts
 * @i: a channel that is disabled
 */
void loopdma_irq_reset_channel(LoopdmaIrq *irq, unsigned i)
{
    LoopdmaIrqChannel *ch = irq->ch[i];

    WITH_QEMU_LOCK_GUARD(irq->lock) {
        irq->due &= ~(1U << i);
        irq->pending &= ~(1U << i);
        irq->status &= ~(1U << i);
        irq->repeat &= ~(1U << i);
        ch->vector = 0;
        ch->drop = 0;
        ch->spurious = 0;
        ch->count = 0;
    }
    loopdma_irq_update_level(irq);
}

/**
 * loopdma_irq_reset_device: drop the events
 * @irq: the interrupts, of which all channels were reset
 */
void loopdma_irq_reset_device(LoopdmaIrq *irq)
{
    WITH_QEMU_LOCK_GUARD(irq->lock) {
        irq->event = 0;
        irq->event_pending = false;
        irq->event_vector = 0;
        irq->count = 0;
    }
    loopdma_irq_update_level(irq);
}

/**
 * loopdma_irq_go_on: the VM runs, or the function is in D0, again
 * @irq: the interrupts
 *
 * A migration stream may hold interrupts to be sent, and to be repeated.
 */
void loopdma_irq_go_on(LoopdmaIrq *irq)
{
    qemu_bh_schedule(irq->bh);
    if (irq->repeat) {
        loopdma_irq_repeat_later(irq);
    }
}

/**
 * loopdma_irq_valid: can what a migration stream brings be?
 * @irq: the interrupts
 * @caps: CAPS
 */
bool loopdma_irq_valid(const LoopdmaIrq *irq, uint32_t caps)
{
    unsigned i;

    if ((irq->status | irq->pending | irq->repeat) &
        ~MAKE_64BIT_MASK(0, irq->channels) ||
        irq->event & ~(LOOPDMA_EVENT_CHANNEL_ERROR | LOOPDMA_EVENT_RAISED)) {
        return false;
    }
    for (i = 0; i < irq->channels; i++) {
        const LoopdmaIrqChannel *ch = irq->ch[i];

        if ((extract32(irq->pending, i, 1) && ch->vector > irq->channels) ||
            (ch->drop && !(caps & LOOPDMA_CAPS_TESTCTL)) ||
            (ch->spurious && !(caps & LOOPDMA_CAPS_FAULTS)) ||
            (ch->spurious & LOOPDMA_CH_TC_SPURIOUS_NOW)) {
            return false;
        }
    }
    return true;
}

/* --- Who delivers --------------------------------------------------------- */

static void loopdma_irq_unref(void *opaque)
{
    object_unref(OBJECT(opaque));
}

/**
 * loopdma_irq_put: drop a guarded bottom half's reference to the device
 * @irq: the interrupts
 *
 * The guard is part of the device, and is looked at when the bottom half is
 * over; so the last reference is dropped later.
 */
void loopdma_irq_put(LoopdmaIrq *irq)
{
    if (irq->exiting) {
        aio_bh_schedule_oneshot(qemu_get_aio_context(), loopdma_irq_unref,
                                irq->pci);
    } else {
        object_unref(OBJECT(irq->pci));
    }
}

static void loopdma_irq_bh(void *opaque)
{
    LoopdmaIrq *irq = opaque;

    object_ref(OBJECT(irq->pci));
    loopdma_irq_flush(irq);
    loopdma_irq_put(irq);
}

static void loopdma_irq_repeat(void *opaque)
{
    LoopdmaIrq *irq = opaque;
    PCIDevice *pci = irq->pci;
    unsigned i;

    object_ref(OBJECT(pci));
    DEVICE(pci)->mem_reentrancy_guard.engaged_in_io = true;
    /*
     * Under INTx the driver's acknowledgement is waited for; in D3hot, D0.  The
     * message before may have led to either, or to a reset.
     */
    for (i = 0; i < irq->channels && loopdma_irq_messages(irq) && !irq->off &&
         !irq->exiting; i++) {
        if (loopdma_irq_take_repeat(irq, i)) {
            loopdma_irq_send_spurious(irq, i);
        }
    }
    DEVICE(pci)->mem_reentrancy_guard.engaged_in_io = false;
    object_unref(OBJECT(pci));
}

/*
 * Interrupts take the BQL, and the main loop would do.  But it is slow to wake
 * up, and goes on with the BQL held while the vCPU that it has interrupted
 * already waits for it: a thread of its own takes half as long, and leaves.
 */
static void *loopdma_irq_messenger(void *opaque)
{
    LoopdmaMessenger *m = opaque;

    rcu_register_thread();
    for (;;) {
        PCIDevice *pci;

        qemu_event_wait(&m->wanted);
        /* What is wanted from here on is looked for once more. */
        qemu_event_reset(&m->wanted);

        bql_lock();
        if (!m->irq) {
            break;
        }
        pci = m->irq->pci;
        object_ref(OBJECT(pci));
        /* As in a guarded bottom half: a message may go to our own BAR. */
        DEVICE(pci)->mem_reentrancy_guard.engaged_in_io = true;
        loopdma_irq_flush(m->irq);
        DEVICE(pci)->mem_reentrancy_guard.engaged_in_io = false;
        object_unref(OBJECT(pci));
        bql_unlock();
    }
    bql_unlock();
    qemu_event_destroy(&m->wanted);
    g_free(m);
    rcu_unregister_thread();
    return NULL;
}

/* --- Beginning and end ---------------------------------------------------- */

static bool loopdma_irq_init_msix(LoopdmaIrq *irq, MemoryRegion *bar,
                                  Error **errp)
{
    unsigned i, vectors = irq->channels + 1;

    if (msix_init(irq->pci, vectors, bar, LOOPDMA_BAR, LOOPDMA_MSIX_TABLE, bar,
                  LOOPDMA_BAR, LOOPDMA_MSIX_PBA, 0, errp) < 0) {
        return false;
    }
    irq->has_msix = true;
    for (i = 0; i < vectors; i++) {
        msix_vector_use(irq->pci, i);
    }
    return true;
}

/**
 * loopdma_irq_init_pci: give the function its kinds of interrupts
 * @irq: the interrupts; @pci and @channels are set
 * @bar: BAR 0
 * @mode: property irq-mode
 * @table: there is room for the MSI-X table in the BAR
 * @errp: set if that cannot be
 */
bool loopdma_irq_init_pci(LoopdmaIrq *irq, MemoryRegion *bar, const char *mode,
                          bool table, Error **errp)
{
    ERRP_GUARD();
    /* What the machine can do; the other modes are asked for. */
    bool any = !strcmp(mode, "auto") && msi_nonbroken;
    unsigned messages = MIN(pow2ceil(irq->channels + 1), LOOPDMA_MSI_MAX);

    /* A function without any interrupt is to fail in the driver. */
    irq->has_intx = strcmp(mode, "none");
    pci_config_set_interrupt_pin(irq->pci->config, irq->has_intx);

    /* At most 32 messages of MSI: with 32 channels, two share the last. */
    if (((any || !strcmp(mode, "msix")) && table &&
         !loopdma_irq_init_msix(irq, bar, errp)) ||
        ((any || !strcmp(mode, "msi")) &&
         msi_init(irq->pci, 0, messages, true, false, errp) < 0)) {
        error_prepend(errp, "loopdma: irq-mode=%s: ", mode);
        return false;
    }
    return true;
}

/**
 * loopdma_irq_exit_pci: undo loopdma_irq_init_pci(), also if it has failed
 * @irq: the interrupts
 * @bar: BAR 0
 */
void loopdma_irq_exit_pci(LoopdmaIrq *irq, MemoryRegion *bar)
{
    msi_uninit(irq->pci);
    if (irq->has_msix) {
        msix_unuse_all_vectors(irq->pci);
        msix_uninit(irq->pci, bar, bar);
        irq->has_msix = false;
    }
}

/**
 * loopdma_irq_start: have somebody deliver interrupts
 * @irq: the interrupts
 * @threads: threads without the BQL will ask for some
 */
void loopdma_irq_start(LoopdmaIrq *irq, bool threads)
{
    QemuThread thread;

    irq->exiting = false;
    irq->bh = qemu_bh_new_guarded(loopdma_irq_bh, irq,
                                  &DEVICE(irq->pci)->mem_reentrancy_guard);
    irq->repeat_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, loopdma_irq_repeat,
                                     irq);
    if (threads) {
        irq->messenger = g_new0(LoopdmaMessenger, 1);
        irq->messenger->irq = irq;
        qemu_event_init(&irq->messenger->wanted, false);
        qemu_thread_create(&thread, "loopdma-irq", loopdma_irq_messenger,
                           irq->messenger, QEMU_THREAD_DETACHED);
    }
}

/**
 * loopdma_irq_stop: deliver nothing from now on
 * @irq: the interrupts, which no thread will ask for any more
 *
 * The messenger may wait for the BQL, which the caller holds: nobody joins it.
 */
void loopdma_irq_stop(LoopdmaIrq *irq)
{
    irq->exiting = true;
    if (irq->messenger) {
        irq->messenger->irq = NULL;
        qemu_event_set(&irq->messenger->wanted);
        irq->messenger = NULL;
    }
}

/**
 * loopdma_irq_free: undo loopdma_irq_start() after loopdma_irq_stop()
 * @irq: the interrupts
 */
void loopdma_irq_free(LoopdmaIrq *irq)
{
    timer_free(irq->repeat_timer);
    qemu_bh_delete(irq->bh);
}
