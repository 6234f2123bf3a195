/*
 * loopdma: who runs a channel's turns, and how to make everybody stop
 *
 * See loopdma-int.h for the rules.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "qemu/processor.h"
#include "qemu/rcu.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-int.h"

/* --- Scheduling, all with the lock held ----------------------------------- */

/**
 * loopdma_runnable: may a turn of the channel begin?
 * @ch: the channel
 */
bool loopdma_runnable(const LoopdmaChannel *ch)
{
    return ch->state == LOOPDMA_STATE_RUNNING && !ch->stop && !ch->paused &&
           ch->dev->running;
}

/*
 * Channels of @class and above wait for an engine, and @idle engines are about
 * to look for one.  If these are too few, one that serves a lower class leaves.
 */
static void loopdma_make_room(LoopdmaState *s, unsigned class, unsigned idle)
{
    LoopdmaChannel *ch, *lowest = NULL;
    unsigned i, waiting = 0;

    for (i = class; i < LOOPDMA_CLASSES; i++) {
        QTAILQ_FOREACH(ch, &s->ready[i], next) {
            waiting++;
        }
    }
    for (i = 0; i < s->channels; i++) {
        ch = &s->ch[i];
        if (ch->sched != LOOPDMA_SCHED_ENGINE) {
            continue;
        }
        if (ch->outranked) {
            idle++;
        } else if (ch->priority < class &&
                   (!lowest || ch->priority < lowest->priority)) {
            lowest = ch;
        }
    }
    if (lowest && waiting > idle) {
        trace_loopdma_outranked(lowest->index, lowest->priority);
        qatomic_set(&lowest->outranked, true);
    }
}

/*
 * Hand a channel to the engines.  @self: the caller is an engine that will look
 * for work next, so one sleeper less need be woken.
 */
static void loopdma_ready(LoopdmaChannel *ch, bool self)
{
    LoopdmaState *s = ch->dev;

    ch->sched = LOOPDMA_SCHED_READY;
    QTAILQ_INSERT_TAIL(&s->ready[ch->priority], ch, next);
    qatomic_set(&s->nready, s->nready + 1);
    if (s->sleeping && s->nready > s->spinning + self) {
        qemu_cond_signal(&s->work);
    }
    /* There is nothing below the lowest class. */
    if (ch->priority) {
        loopdma_make_room(s, ch->priority, s->sleeping + s->spinning + self);
    }
}

static void loopdma_unready(LoopdmaChannel *ch)
{
    LoopdmaState *s = ch->dev;

    QTAILQ_REMOVE(&s->ready[ch->priority], ch, next);
    qatomic_set(&s->nready, s->nready - 1);
}

/* The channel that an engine is to take next, or NULL. */
static LoopdmaChannel *loopdma_first(const LoopdmaState *s)
{
    unsigned class = LOOPDMA_CLASSES;

    while (s->nready && class--) {
        if (!QTAILQ_EMPTY(&s->ready[class])) {
            return QTAILQ_FIRST(&s->ready[class]);
        }
    }
    return NULL;
}

/*
 * May the channel's interrupt wait?  Each costs the guest's CPU the time of a
 * large copy.  While the channel is busy for long enough that the guest can
 * refill it in time, judged by how long it took before, one interrupt does for
 * all that is retired meanwhile.  Not if other channels wait for an engine:
 * when the next turn ends is open then.
 */
static bool loopdma_put_off(const LoopdmaChannel *ch)
{
    const LoopdmaState *s = ch->dev;
    int64_t delay = (int64_t)s->irq_delay_us * SCALE_US;
    uint32_t left = ch->tail - ch->retired;

    /* Exactly one interrupt where a test expects it. */
    return !s->sync && !s->nready && left &&
           ch->pace > ch->response / left &&
           get_clock() - ch->irq_since < delay;
}

/**
 * loopdma_answered: the guest has more work for a channel
 * @ch: the channel
 *
 * With the lock held.  If an interrupt has led to that, tells how long it took.
 */
void loopdma_answered(LoopdmaChannel *ch)
{
    if (ch->asked) {
        /* One whose guest did not run for a while is no example. */
        int64_t took = MIN(get_clock() - ch->asked, LOOPDMA_RESPONSE_MAX_NS);

        ch->response += (took - ch->response) / LOOPDMA_RESPONSE_WEIGHT;
        ch->asked = 0;
        trace_loopdma_answered(ch->index, took, ch->response);
    }
}

/**
 * loopdma_want_messages: have somebody send @irq_channels and @irq_event
 * @s: the device
 *
 * With the lock held; callable from any thread.
 */
void loopdma_want_messages(LoopdmaState *s)
{
    /* Who holds the BQL is in the main loop, or next to it. */
    if (!s->messenger || bql_locked()) {
        qemu_bh_schedule(s->irq_bh);
    } else {
        qemu_event_set(&s->messenger->wanted);
    }
}

/*
 * Send the channel's interrupt if one is due, and with it what other channels
 * have put off: the guest's CPU is interrupted in any case.
 */
static void loopdma_send_due(LoopdmaChannel *ch)
{
    LoopdmaState *s = ch->dev;
    uint32_t due = s->irq_due;

    if (!(due & 1U << ch->index)) {
        return;
    }
    s->irq_due = 0;
    s->irq_channels |= due;
    if (s->will_flush) {
        return;
    }
    for (; due; due &= due - 1) {
        LoopdmaChannel *told = &s->ch[ctz32(due)];

        if (!told->asked) {
            told->asked = get_clock();
        }
    }
    loopdma_want_messages(s);
}

/* The same, unless it may wait. */
static void loopdma_moderate(LoopdmaChannel *ch)
{
    if (ch->dev->irq_due & 1U << ch->index && !loopdma_put_off(ch)) {
        loopdma_send_due(ch);
    }
}

/* Begin a turn. */
static void loopdma_begin(LoopdmaChannel *ch, bool self)
{
    if (ch->in_main) {
        ch->sched = LOOPDMA_SCHED_MAIN;
        qemu_bh_schedule(ch->bh);
    } else {
        loopdma_ready(ch, self);
    }
}

/*
 * End a turn.  @worked: it found something to do, so the next may, too; unless
 * the channel waits for its peer, who will kick it.
 */
static void loopdma_end(LoopdmaChannel *ch, bool worked, bool self)
{
    bool more = ch->again || ch->prepared;

    if (worked && !ch->held) {
        more |= ch->tail != ch->retired || ch->aborting;
    }
    if (more && loopdma_runnable(ch)) {
        loopdma_moderate(ch);
        loopdma_begin(ch, self);
    } else {
        ch->sched = LOOPDMA_SCHED_IDLE;
        loopdma_send_due(ch);
    }
}

/**
 * loopdma_kick: there may be work for a channel
 * @ch: the channel
 *
 * Callable from any thread.
 */
void loopdma_kick(LoopdmaChannel *ch)
{
    QEMU_LOCK_GUARD(&ch->dev->lock);
    ch->again = true;
    if (ch->sched == LOOPDMA_SCHED_IDLE && loopdma_runnable(ch)) {
        loopdma_begin(ch, false);
    }
}

/*
 * A whole turn.  @at_once: bytes, to leave what is more alone; or 0.  Returns
 * whether there was anything to do.
 */
static bool loopdma_turn(LoopdmaChannel *ch, uint32_t at_once)
{
    if (!loopdma_prepare(ch, at_once)) {
        return false;
    }
    loopdma_copy(ch);
    loopdma_retire(ch);
    return true;
}

/* Is a channel of a higher class at work?  With the lock held. */
static bool loopdma_is_outclassed(const LoopdmaChannel *ch)
{
    const LoopdmaState *s = ch->dev;
    unsigned i;

    for (i = 0; i < s->channels; i++) {
        if (s->ch[i].priority > ch->priority &&
            s->ch[i].sched != LOOPDMA_SCHED_IDLE) {
            return true;
        }
    }
    return false;
}

/* May the vCPU that rings the doorbell do it all?  With the lock held. */
static bool loopdma_at_once(const LoopdmaChannel *ch)
{
    /*
     * Behind an IOMMU a fault may interrupt, in the middle of our own register
     * access.  Test controls count starts, and nothing must start twice.
     */
    return ch->dev->at_once_bytes && !ch->in_main && !ch->tc_active &&
           ch->tail - ch->retired <= LOOPDMA_BATCH &&
           !loopdma_is_outclassed(ch);
}

/**
 * loopdma_kick_at_once: there is work for a channel, which may be done here
 * @ch: the channel
 *
 * With the BQL held, by the vCPU that gives the work.  To wake an engine, and
 * for its interrupt the main loop, takes many times as long as a small
 * transfer; so that is done before the register write returns.
 */
void loopdma_kick_at_once(LoopdmaChannel *ch)
{
    LoopdmaState *s = ch->dev;
    bool worked, flush;

    g_assert(bql_locked());
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        ch->again = true;
        if (ch->sched != LOOPDMA_SCHED_IDLE || !loopdma_runnable(ch)) {
            return;
        }
        if (!loopdma_at_once(ch)) {
            loopdma_begin(ch, false);
            return;
        }
        ch->sched = LOOPDMA_SCHED_VCPU;
        qatomic_set(&ch->outranked, false);
        s->will_flush = true;
    }
    worked = loopdma_turn(ch, s->at_once_bytes);
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        /* What is too much for us is for an engine. */
        ch->again |= !worked;
        loopdma_end(ch, worked, false);
        s->will_flush = false;
        flush = s->irq_channels || s->irq_event;
    }
    if (flush) {
        loopdma_flush_interrupts(s);
    }
}

/**
 * loopdma_set_priority: a channel is of another class from now on
 * @ch: the channel
 * @priority: its class
 */
void loopdma_set_priority(LoopdmaChannel *ch, uint8_t priority)
{
    LoopdmaState *s = ch->dev;

    QEMU_LOCK_GUARD(&s->lock);
    if (ch->sched == LOOPDMA_SCHED_READY) {
        loopdma_unready(ch);
        ch->priority = priority;
        loopdma_ready(ch, false);
        return;
    }
    ch->priority = priority;
    if (ch->sched == LOOPDMA_SCHED_ENGINE) {
        /* What waits may be of a higher class than this is now. */
        loopdma_make_room(s, priority + 1, s->sleeping + s->spinning);
    }
}

/**
 * loopdma_fail: a channel stops by itself
 * @ch: a channel of which the caller owns the turn
 * @error: why
 *
 * Everything that the turn holds has to be discarded after that.
 */
void loopdma_fail(LoopdmaChannel *ch, enum loopdma_hw_chan_error error)
{
    QEMU_LOCK_GUARD(&ch->dev->lock);
    trace_loopdma_fail(ch->index, error);
    ch->state = LOOPDMA_STATE_ERROR;
    ch->error = error;
    ch->paused = false;
    loopdma_set_event(ch->dev, LOOPDMA_EVENT_CHANNEL_ERROR);
}

/* Was the channel kicked since its last turn began? */
static bool loopdma_kicked(LoopdmaChannel *ch)
{
    QEMU_LOCK_GUARD(&ch->dev->lock);
    return ch->again;
}

/* --- Turns in an engine --------------------------------------------------- */

/*
 * Wait for a channel that is ready, first by looking at it for a moment: waking
 * a thread takes longer than many a transfer.  One engine at a time does so.
 * Returns NULL when the engines are to end.
 */
static LoopdmaChannel *loopdma_next(LoopdmaState *s)
{
    while (!s->quit) {
        LoopdmaChannel *ch = loopdma_first(s);

        if (ch) {
            loopdma_unready(ch);
            return ch;
        }
        if (s->spin_us && !s->spinning) {
            int64_t end = get_clock() + (int64_t)s->spin_us * SCALE_US;

            s->spinning = true;
            qemu_mutex_unlock(&s->lock);
            while (!qatomic_read(&s->nready) && !qatomic_read(&s->quit) &&
                   get_clock() < end) {
                cpu_relax();
            }
            qemu_mutex_lock(&s->lock);
            s->spinning = false;
            if (s->quit || s->nready) {
                continue;
            }
        }
        s->sleeping++;
        qemu_cond_wait(&s->work, &s->lock);
        s->sleeping--;
    }
    return NULL;
}

static void *loopdma_engine(void *opaque)
{
    LoopdmaState *s = opaque;
    LoopdmaChannel *ch;

    rcu_register_thread();
    qemu_mutex_lock(&s->lock);
    s->sleeping--;
    while ((ch = loopdma_next(s))) {
        bool worked = false;

        ch->sched = LOOPDMA_SCHED_ENGINE;
        qatomic_set(&ch->outranked, false);
        qemu_mutex_unlock(&s->lock);
        if (ch->in_main) {
            loopdma_copy(ch);
        } else {
            worked = loopdma_turn(ch, 0);
        }
        qemu_mutex_lock(&s->lock);
        loopdma_end(ch, worked, true);
        qemu_cond_broadcast(&s->left);
    }
    qemu_mutex_unlock(&s->lock);
    rcu_unregister_thread();
    return NULL;
}

/* --- Interrupts that engines ask for -------------------------------------- */

/*
 * Interrupts take the BQL, and the main loop would do.  But it is slow to wake
 * up, and goes on with the BQL held while the vCPU that it has interrupted
 * already waits for it: a thread of its own takes half as long, and leaves.
 */
static void *loopdma_messenger(void *opaque)
{
    LoopdmaMessenger *m = opaque;

    rcu_register_thread();
    for (;;) {
        qemu_event_wait(&m->wanted);
        /* What is wanted from here on is looked for once more. */
        qemu_event_reset(&m->wanted);

        bql_lock();
        if (!m->dev) {
            break;
        }
        /* As in a guarded bottom half: a message may go to our own BAR. */
        DEVICE(m->dev)->mem_reentrancy_guard.engaged_in_io = true;
        loopdma_flush_interrupts(m->dev);
        DEVICE(m->dev)->mem_reentrancy_guard.engaged_in_io = false;
        bql_unlock();
    }
    bql_unlock();
    qemu_event_destroy(&m->wanted);
    g_free(m);
    rcu_unregister_thread();
    return NULL;
}

static void loopdma_messenger_init(LoopdmaState *s)
{
    QemuThread thread;

    s->messenger = g_new0(LoopdmaMessenger, 1);
    s->messenger->dev = s;
    qemu_event_init(&s->messenger->wanted, false);
    qemu_thread_create(&thread, "loopdma-irq", loopdma_messenger, s->messenger,
                       QEMU_THREAD_DETACHED);
}

/* With the BQL held, for which the thread may wait: so nobody joins it. */
static void loopdma_messenger_exit(LoopdmaState *s)
{
    if (s->messenger) {
        s->messenger->dev = NULL;
        qemu_event_set(&s->messenger->wanted);
        s->messenger = NULL;
    }
}

/* --- Turns in the main loop ----------------------------------------------- */

/*
 * Without engines the bottom halves are what is to be had in the order of the
 * classes: is one of a higher class scheduled?  With the lock held.
 */
static bool loopdma_has_to_wait(const LoopdmaChannel *ch)
{
    const LoopdmaState *s = ch->dev;
    unsigned i;

    for (i = 0; s->sync && i < s->channels; i++) {
        if (s->ch[i].sched == LOOPDMA_SCHED_MAIN &&
            s->ch[i].priority > ch->priority) {
            return true;
        }
    }
    return false;
}

/*
 * The bottom half of a channel whose turns are in the main loop.  It retires
 * what an engine has copied, and prepares what an engine shall copy; in
 * synchronous mode it does the engine's part as well.
 */
static void loopdma_bh(void *opaque)
{
    LoopdmaChannel *ch = opaque;
    LoopdmaState *s = ch->dev;
    bool worked = false;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        if (ch->sched != LOOPDMA_SCHED_MAIN) {
            /* Somebody has stopped the channel meanwhile. */
            return;
        }
        if (loopdma_has_to_wait(ch)) {
            qemu_bh_schedule(ch->bh);
            return;
        }
    }

    if (ch->prepared) {
        loopdma_retire(ch);
        worked = true;
    }
    /* A channel that waits for its peer would only find that out again. */
    if ((!ch->held || loopdma_kicked(ch)) && loopdma_prepare(ch, 0)) {
        if (ch->nsegs && !s->sync) {
            QEMU_LOCK_GUARD(&s->lock);
            if (s->sleeping || s->spinning) {
                loopdma_moderate(ch);
            } else {
                /* All engines are busy, for who knows how long. */
                loopdma_send_due(ch);
            }
            loopdma_ready(ch, false);
            return;
        }
        loopdma_copy(ch);
        loopdma_retire(ch);
        worked = true;
    }

    QEMU_LOCK_GUARD(&s->lock);
    loopdma_end(ch, worked, false);
}

/* --- Stopping, all with the BQL held -------------------------------------- */

/**
 * loopdma_pause: end the channel's turn, and let none begin
 * @ch: the channel
 *
 * Waits for one chunk at the most, and for what else an engine does in a turn.
 * Afterwards the caller owns the turn, until loopdma_resume().  If ch->prepared
 * is set the turn is not retired yet.
 */
void loopdma_pause(LoopdmaChannel *ch)
{
    LoopdmaState *s = ch->dev;

    g_assert(bql_locked());
    QEMU_LOCK_GUARD(&s->lock);
    ch->stop = true;
    qatomic_set(&ch->cut, true);
    if (ch->sched == LOOPDMA_SCHED_READY) {
        loopdma_unready(ch);
        ch->sched = LOOPDMA_SCHED_IDLE;
    } else if (ch->sched == LOOPDMA_SCHED_MAIN) {
        ch->sched = LOOPDMA_SCHED_IDLE;
    }
    while (ch->sched != LOOPDMA_SCHED_IDLE) {
        qemu_cond_wait(&s->left, &s->lock);
    }
}

/**
 * loopdma_resume: undo loopdma_pause()
 * @ch: the channel
 */
void loopdma_resume(LoopdmaChannel *ch)
{
    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        ch->stop = false;
        /* Of a turn that was cut, or retired meanwhile. */
        loopdma_send_due(ch);
    }
    loopdma_kick(ch);
}

/* The VM has stopped: end all turns with nothing left in between. */
void loopdma_stop_all(LoopdmaState *s)
{
    unsigned i;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->running = false;
    }
    for (i = 0; i < s->channels; i++) {
        LoopdmaChannel *ch = &s->ch[i];

        loopdma_pause(ch);
        if (ch->prepared) {
            loopdma_retire(ch);
        }
        loopdma_resume(ch);
    }
    /* Messages are part of the state that is to be saved. */
    loopdma_flush_interrupts(s);
}

/* The VM goes on. */
void loopdma_start_all(LoopdmaState *s)
{
    unsigned i;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->running = true;
    }
    /* For what a migration stream holds. */
    qemu_bh_schedule(s->irq_bh);
    for (i = 0; i < s->channels; i++) {
        loopdma_kick(&s->ch[i]);
    }
}

/* --- Changes of the memory map -------------------------------------------- */

static bool loopdma_overlaps(uint64_t first, uint64_t last, uint64_t start,
                             uint32_t len)
{
    uint64_t end = len - 1 > UINT64_MAX - start ? UINT64_MAX : start + len - 1;

    return len && first <= end && start <= last;
}

/* Does a turn that was prepared touch bus addresses @first to @last? */
static bool loopdma_touches(const LoopdmaChannel *ch, uint64_t first,
                            uint64_t last)
{
    LoopdmaBuffer buf[LOOPDMA_MAX_BUFFERS];
    unsigned i, j, n;

    if (!ch->in_main || !ch->prepared) {
        return false;
    }
    for (i = 0; i < ch->nops; i++) {
        const LoopdmaOp *op = &ch->op[i];

        /* One that was refused moves nothing, and may hold anything. */
        n = op->end ? loopdma_buffers(ch, op, buf) : 0;
        for (j = 0; j < n; j++) {
            if (loopdma_overlaps(first, last, buf[j].addr, op->len)) {
                return true;
            }
        }
    }
    return false;
}

/* Let go of what the turn has resolved, it has to be resolved again. */
static void loopdma_forget(LoopdmaChannel *ch)
{
    trace_loopdma_forget(ch->index);
    loopdma_pause(ch);
    loopdma_release(ch);
    loopdma_resume(ch);
}

/*
 * The guest has unmapped a range from the IOMMU.  When this returns no copy to
 * or from there goes on.
 */
static void loopdma_iommu_unmapped(IOMMUNotifier *notifier,
                                   IOMMUTLBEntry *iotlb)
{
    LoopdmaIommu *iommu = container_of(notifier, LoopdmaIommu, notifier);
    LoopdmaState *s = iommu->dev;
    uint64_t first = iotlb->iova + iommu->offset;
    unsigned i;

    for (i = 0; i < s->channels; i++) {
        if (loopdma_touches(&s->ch[i], first, first + iotlb->addr_mask)) {
            loopdma_forget(&s->ch[i]);
        }
    }
}

static void loopdma_region_add(MemoryListener *listener,
                               MemoryRegionSection *section)
{
    LoopdmaState *s = container_of(listener, LoopdmaState, listener);
    LoopdmaIommu *iommu;
    Error *err = NULL;

    s->topology_changed = true;
    if (!memory_region_is_iommu(section->mr)) {
        return;
    }

    iommu = g_new0(LoopdmaIommu, 1);
    iommu->dev = s;
    iommu->mr = section->mr;
    iommu->start = section->offset_within_region;
    iommu->offset = section->offset_within_address_space - iommu->start;
    /*
     * The whole region, not the section: the guest may unmap across the end of
     * a section, and the memory core takes that for a bug of the IOMMU.
     */
    iommu_notifier_init(&iommu->notifier, loopdma_iommu_unmapped,
                        IOMMU_NOTIFIER_UNMAP, 0, HWADDR_MAX,
                        memory_region_iommu_attrs_to_index(
                            IOMMU_MEMORY_REGION(section->mr),
                            MEMTXATTRS_UNSPECIFIED));
    if (memory_region_register_iommu_notifier(section->mr, &iommu->notifier,
                                              &err)) {
        warn_reportf_err(err, "loopdma: transfers in flight are not told of "
                         "what the guest unmaps: ");
        g_free(iommu);
        return;
    }
    QLIST_INSERT_HEAD(&s->iommus, iommu, next);
}

static void loopdma_region_del(MemoryListener *listener,
                               MemoryRegionSection *section)
{
    LoopdmaState *s = container_of(listener, LoopdmaState, listener);
    LoopdmaIommu *iommu;

    s->topology_changed = true;
    QLIST_FOREACH(iommu, &s->iommus, next) {
        if (iommu->mr == section->mr &&
            iommu->start == section->offset_within_region) {
            memory_region_unregister_iommu_notifier(iommu->mr,
                                                    &iommu->notifier);
            QLIST_REMOVE(iommu, next);
            g_free(iommu);
            return;
        }
    }
}

/*
 * The function's address space is a new one: what was resolved before is
 * resolved again.  Clearing Bus Master Enable comes here as well.
 */
static void loopdma_commit(MemoryListener *listener)
{
    LoopdmaState *s = container_of(listener, LoopdmaState, listener);
    unsigned i;

    if (!s->topology_changed) {
        return;
    }
    s->topology_changed = false;
    for (i = 0; i < s->channels; i++) {
        loopdma_forget(&s->ch[i]);
    }
}

/**
 * loopdma_choose_context: decide where the channel's turns run
 * @ch: a channel that nobody works on
 *
 * Whether there is an IOMMU is known once the machine has been built.
 */
void loopdma_choose_context(LoopdmaChannel *ch)
{
    PCIDevice *pci = PCI_DEVICE(ch->dev);

    ch->in_main = ch->dev->sync ||
                  pci_device_iommu_address_space(pci) != &address_space_memory;
}

/* The time has come for what the channel waited for. */
static void loopdma_timer(void *opaque)
{
    loopdma_kick(opaque);
}

/* --- Beginning and end ---------------------------------------------------- */

/* Make channels, engines and what else there is but the PCI function. */
void loopdma_engines_init(LoopdmaState *s)
{
    MemReentrancyGuard *guard = &DEVICE(s)->mem_reentrancy_guard;
    unsigned i;

    qemu_mutex_init(&s->lock);
    qemu_cond_init(&s->work);
    qemu_cond_init(&s->left);
    for (i = 0; i < LOOPDMA_CLASSES; i++) {
        QTAILQ_INIT(&s->ready[i]);
    }
    QLIST_INIT(&s->iommus);
    s->running = runstate_is_running();

    s->ch = g_new0(LoopdmaChannel, s->channels);
    for (i = 0; i < s->channels; i++) {
        LoopdmaChannel *ch = &s->ch[i];

        ch->dev = s;
        ch->index = i;
        /* For one that comes by migration; else it is set when enabled. */
        ch->response = LOOPDMA_RESPONSE_FIRST_NS;
        ch->reach = loopdma_last_address(s);
        ch->bh = qemu_bh_new_guarded(loopdma_bh, ch, guard);
        ch->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, loopdma_timer, ch);
        qemu_mutex_init(&ch->fifo.lock);
        QTAILQ_INIT(&ch->fifo.marks);
        if (loopdma_channel_caps(ch) & LOOPDMA_CH_CAPS_RX) {
            ch->fifo.depth = s->fifo_depth;
            ch->fifo.data = g_malloc0(s->fifo_depth);
        }
    }

    if (!s->sync) {
        loopdma_messenger_init(s);
        s->threads = g_new0(QemuThread, s->engines);
        /* Who has not begun yet is as good as asleep: free, if one asks. */
        s->sleeping = s->engines;
        for (i = 0; i < s->engines; i++) {
            g_autofree char *name = g_strdup_printf("loopdma-%u", i);

            qemu_thread_create(&s->threads[i], name, loopdma_engine, s,
                               QEMU_THREAD_JOINABLE);
        }
    }

    s->listener = (MemoryListener) {
        .name = "loopdma",
        .region_add = loopdma_region_add,
        .region_del = loopdma_region_del,
        .commit = loopdma_commit,
    };
    memory_listener_register(&s->listener,
                             pci_get_address_space(PCI_DEVICE(s)));
}

/* Undo loopdma_engines_init(), whatever the channels are doing. */
void loopdma_engines_exit(LoopdmaState *s)
{
    unsigned i;

    memory_listener_unregister(&s->listener);

    for (i = 0; i < s->channels; i++) {
        loopdma_pause(&s->ch[i]);
        loopdma_discard(&s->ch[i]);
    }
    if (s->threads) {
        WITH_QEMU_LOCK_GUARD(&s->lock) {
            qatomic_set(&s->quit, true);
            qemu_cond_broadcast(&s->work);
        }
        for (i = 0; i < s->engines; i++) {
            qemu_thread_join(&s->threads[i]);
        }
        g_free(s->threads);
    }
    /* Behind those who set its event. */
    loopdma_messenger_exit(s);
    for (i = 0; i < s->channels; i++) {
        LoopdmaChannel *ch = &s->ch[i];

        qemu_bh_delete(ch->bh);
        timer_free(ch->timer);
        loopdma_fifo_clear(ch);
        qemu_mutex_destroy(&ch->fifo.lock);
        g_free(ch->fifo.data);
    }
    g_clear_pointer(&s->ch, g_free);
    qemu_cond_destroy(&s->left);
    qemu_cond_destroy(&s->work);
    qemu_mutex_destroy(&s->lock);
}
