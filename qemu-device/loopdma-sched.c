/*
 * loopdma: who does the work of a channel, and how to make everybody stop
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/lockable.h"
#include "qemu/processor.h"
#include "qemu/rcu.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-sched.h"

/* --- Who is next, all with the lock held ---------------------------------- */

static bool loopdma_runnable(const LoopdmaChannel *ch)
{
    return ch->state == LOOPDMA_STATE_RUNNING && !ch->paused &&
           ch->sched->running;
}

/*
 * Channels of @priority and above wait for an engine, and @idle engines are
 * about to look for one.  If these are too few, one that serves a lower
 * priority leaves.
 */
static void loopdma_make_room(LoopdmaSched *s, unsigned priority,
                              unsigned idle)
{
    LoopdmaChannel *ch, *lowest = NULL;
    unsigned i, waiting = 0;

    for (i = priority; i < LOOPDMA_PRIORITIES; i++) {
        QTAILQ_FOREACH(ch, &s->ready[i], next) {
            waiting++;
        }
    }
    for (i = 0; i < s->channels; i++) {
        ch = &s->ch[i];
        if (ch->owner != LOOPDMA_OWNER_ENGINE &&
            ch->owner != LOOPDMA_OWNER_LEAVING) {
            continue;
        }
        if (ch->xfer.outranked) {
            idle++;
        } else if (ch->priority < priority &&
                   (!lowest || ch->priority < lowest->priority)) {
            lowest = ch;
        }
    }
    if (lowest && waiting > idle) {
        trace_loopdma_outranked(lowest->index, lowest->priority);
        qatomic_set(&lowest->xfer.outranked, true);
    }
}

/*
 * Hand a channel to the engines.  @self: the caller is an engine that will look
 * for work next, so one sleeper less need be woken.
 */
static void loopdma_ready(LoopdmaChannel *ch, bool self)
{
    LoopdmaSched *s = ch->sched;

    ch->owner = LOOPDMA_OWNER_READY;
    QTAILQ_INSERT_TAIL(&s->ready[ch->priority], ch, next);
    qatomic_set(&s->nready, s->nready + 1);
    if (s->sleeping && s->nready > s->spinning + self) {
        qemu_cond_signal(&s->work);
    }
    /* There is nothing below the lowest priority. */
    if (ch->priority) {
        loopdma_make_room(s, ch->priority, s->sleeping + s->spinning + self);
    }
}

static void loopdma_unready(LoopdmaChannel *ch)
{
    LoopdmaSched *s = ch->sched;

    QTAILQ_REMOVE(&s->ready[ch->priority], ch, next);
    qatomic_set(&s->nready, s->nready - 1);
}

/* The channel that an engine is to take next, or NULL. */
static LoopdmaChannel *loopdma_first(const LoopdmaSched *s)
{
    unsigned priority = LOOPDMA_PRIORITIES;

    while (s->nready && priority--) {
        if (!QTAILQ_EMPTY(&s->ready[priority])) {
            return QTAILQ_FIRST(&s->ready[priority]);
        }
    }
    return NULL;
}

/*
 * The channel goes on: send its interrupt unless that may wait.  It may not if
 * other channels wait for an engine: when the next batch ends is open then.
 */
static void loopdma_moderate(LoopdmaChannel *ch)
{
    LoopdmaSched *s = ch->sched;

    if (s->nready) {
        loopdma_irq_send_due(s->irq, ch->index);
    } else {
        loopdma_irq_moderate(s->irq, ch->index, ch->tail - ch->retired);
    }
}

/* Begin a batch. */
static void loopdma_begin(LoopdmaChannel *ch, bool self)
{
    if (ch->in_main) {
        ch->owner = LOOPDMA_OWNER_MAIN;
        qemu_bh_schedule(ch->bh);
    } else {
        loopdma_ready(ch, self);
    }
}

/*
 * End a batch.  @worked: it found something to do, so the next may, too; unless
 * the channel waits for its peer, who will kick it.
 */
static void loopdma_end(LoopdmaChannel *ch, bool worked, bool self)
{
    bool more = ch->again || ch->xfer.prepared;

    if (worked && !ch->waits) {
        more |= ch->tail != ch->retired || ch->aborting;
    }
    if (ch->owner == LOOPDMA_OWNER_LEAVING) {
        ch->owner = LOOPDMA_OWNER_BQL;
        loopdma_irq_send_due(ch->sched->irq, ch->index);
    } else if (more && loopdma_runnable(ch)) {
        loopdma_moderate(ch);
        loopdma_begin(ch, self);
    } else {
        ch->owner = LOOPDMA_OWNER_NONE;
        loopdma_irq_send_due(ch->sched->irq, ch->index);
    }
}

/**
 * loopdma_sched_kick: there may be work for a channel
 * @ch: the channel
 *
 * Callable from any thread.
 */
void loopdma_sched_kick(LoopdmaChannel *ch)
{
    QEMU_LOCK_GUARD(&ch->sched->lock);
    ch->again = true;
    if (ch->owner == LOOPDMA_OWNER_NONE && loopdma_runnable(ch)) {
        loopdma_begin(ch, false);
    }
}

/* Is a channel of a higher priority at work?  With the lock held. */
static bool loopdma_is_outranked(const LoopdmaChannel *ch)
{
    const LoopdmaSched *s = ch->sched;
    unsigned i;

    for (i = 0; i < s->channels; i++) {
        if (s->ch[i].priority > ch->priority &&
            s->ch[i].owner != LOOPDMA_OWNER_NONE) {
            return true;
        }
    }
    return false;
}

/**
 * loopdma_sched_set_priority: write CH_PRIORITY
 * @ch: the channel
 * @priority: without reserved bits
 */
void loopdma_sched_set_priority(LoopdmaChannel *ch, uint8_t priority)
{
    LoopdmaSched *s = ch->sched;

    QEMU_LOCK_GUARD(&s->lock);
    if (ch->owner == LOOPDMA_OWNER_READY) {
        loopdma_unready(ch);
        ch->priority = priority;
        loopdma_ready(ch, false);
        return;
    }
    ch->priority = priority;
    if (ch->owner == LOOPDMA_OWNER_ENGINE) {
        /* What waits may be of a higher priority than this is now. */
        loopdma_make_room(s, priority + 1, s->sleeping + s->spinning);
    }
}

/**
 * loopdma_sched_fail: a channel stops by itself
 * @ch: a channel of which the caller owns the batch
 * @error: why
 *
 * The batch has to be discarded after that.
 */
void loopdma_sched_fail(LoopdmaChannel *ch, enum loopdma_hw_chan_error error)
{
    QEMU_LOCK_GUARD(&ch->sched->lock);
    trace_loopdma_fail(ch->index, error);
    ch->state = LOOPDMA_STATE_ERROR;
    ch->error = error;
    ch->paused = false;
    loopdma_irq_set_event(ch->sched->irq, LOOPDMA_EVENT_CHANNEL_ERROR);
}

/* Was the channel kicked since its last batch began? */
static bool loopdma_kicked(LoopdmaChannel *ch)
{
    QEMU_LOCK_GUARD(&ch->sched->lock);
    return ch->again;
}

/* Was it stopped meanwhile? */
static bool loopdma_stopped(LoopdmaChannel *ch)
{
    QEMU_LOCK_GUARD(&ch->sched->lock);
    return !loopdma_runnable(ch);
}

/* --- The steps of a batch, by whoever owns it ----------------------------- */

static void loopdma_arm(LoopdmaChannel *ch, int64_t when)
{
    ch->armed = true;
    timer_mod(ch->timer, when);
}

static void loopdma_disarm(LoopdmaChannel *ch)
{
    if (ch->armed) {
        ch->armed = false;
        timer_del(ch->timer);
    }
}

/* The time has come for what the channel waited for. */
static void loopdma_timer(void *opaque)
{
    loopdma_sched_kick(opaque);
}

/**
 * loopdma_sched_discard: drop a batch, and the op that was carried over to it
 * @ch: a channel of which the caller owns the batch
 */
void loopdma_sched_discard(LoopdmaChannel *ch)
{
    loopdma_xfer_discard(&ch->xfer);
    loopdma_disarm(ch);
    ch->waits = false;
    ch->wait.begun = false;
}

/*
 * The first step.  @at_once: bytes, to leave what is more alone; or 0.  Returns
 * whether there is anything to copy or to write back.
 */
static bool loopdma_prepare(LoopdmaChannel *ch, uint32_t at_once)
{
    LoopdmaBatch batch = { .max = LOOPDMA_BATCH, .at_once = at_once };
    LoopdmaXfer *x = &ch->xfer;
    int64_t until = 0;
    bool read;

    WITH_QEMU_LOCK_GUARD(&ch->sched->lock) {
        /* Who waits for this engine has set @cut, which is to remain. */
        if (!loopdma_runnable(ch) || ch->owner == LOOPDMA_OWNER_LEAVING) {
            return false;
        }
        trace_loopdma_begin(ch->index, ch->retired, ch->tail);
        qatomic_set(&x->cut, false);
        ch->again = false;
        batch.first = ch->retired;
        batch.tail = ch->tail;
        batch.aborting = ch->aborting;
        batch.abort_to = ch->abort_to;
        if (unlikely(ch->tc.active)) {
            if (ch->tc.stuck) {
                return false;
            }
            until = loopdma_testctl_apply(&ch->tc, &ch->wait, x, &batch);
        }
    }

    if (!x->carried) {
        ch->began = get_clock();
    }
    loopdma_disarm(ch);
    ch->waits = false;
    if (until) {
        loopdma_arm(ch, until);
    }
    read = loopdma_xfer_prepare(x, &batch);
    if (x->mem.revoked == LOOPDMA_REVOKED_ALL) {
        loopdma_sched_discard(ch);
    } else if (!read) {
        loopdma_sched_fail(ch, LOOPDMA_CHERR_FETCH);
        loopdma_sched_discard(ch);
    }
    return x->prepared;
}

static void loopdma_copy(LoopdmaChannel *ch)
{
    LoopdmaCopied copied;

    loopdma_xfer_copy(&ch->xfer, &copied);
    ch->waits = copied.waits;
    if (copied.until) {
        loopdma_arm(ch, copied.until);
    }
    if (copied.wake_peer) {
        loopdma_sched_kick(loopdma_sched_peer(ch));
    }
}

/*
 * Count what was written back.  Returns whether it is to interrupt; @done is
 * set to the count for the completion record.
 */
static bool loopdma_count(LoopdmaChannel *ch, const LoopdmaWritten *written,
                          int64_t now, uint32_t *done)
{
    bool request = written->request;

    QEMU_LOCK_GUARD(&ch->sched->lock);
    ch->retired = loopdma_order_advance(&ch->xfer.order, ch->retired,
                                        written->count);
    ch->cnt.descriptors += written->executed;
    ch->cnt.bytes += written->bytes;
    if (ch->aborting && (int32_t)(ch->retired - ch->abort_to) >= 0) {
        ch->aborting = false;
        /*
         * A transaction that reaches across the count goes on as a new one.
         * But what an unordered channel has begun ends as a whole.
         */
        if (!ch->xfer.order.unordered &&
            ch->xfer.order.at == ch->abort_to) {
            ch->xfer.skip = false;
            ch->xfer.order.chained = false;
        }
        request = true;
    }
    *done = ch->retired;
    if (written->count) {
        ch->irq.per_desc = (now - ch->began) / written->count;
        ch->began = now;
        *done += ch->tc.lie;
        ch->tc.lie = 0;
    }
    return request;
}

/**
 * loopdma_sched_retire: the last step of a batch
 * @ch: a channel of which the caller owns the batch, which is prepared
 */
void loopdma_sched_retire(LoopdmaChannel *ch)
{
    LoopdmaSched *s = ch->sched;
    LoopdmaXfer *x = &ch->xfer;
    int64_t now = get_clock();
    LoopdmaWritten written;
    uint64_t progress;
    uint32_t done, arm;
    bool request, unfinished;

    if (!loopdma_xfer_write_back(x, &written)) {
        goto fail;
    }
    /*
     * Before the completion record: the driver may answer it with a doorbell
     * that the old count would refuse.
     */
    request = loopdma_count(ch, &written, now, &done);

    unfinished = written.count < x->nops && s->progress;
    if (unfinished) {
        progress = (uint64_t)x->order.at << 32 | x->op[written.count].moved;
    }
    if (written.count || request || unfinished) {
        if (!loopdma_xfer_publish(x, written.count ? &done : NULL,
                                  unfinished ? &progress : NULL, &arm)) {
            goto fail;
        }
        WITH_QEMU_LOCK_GUARD(&s->lock) {
            ch->published = ch->retired;
            if (request) {
                loopdma_irq_request(s->irq, ch->index, arm, now);
            }
        }
    }
    loopdma_xfer_carry(x, written.count);
    return;

fail:
    if (x->mem.revoked != LOOPDMA_REVOKED_ALL) {
        loopdma_sched_fail(ch, LOOPDMA_CHERR_WRITEBACK);
    }
    loopdma_sched_discard(ch);
}

/* All steps.  Returns whether there was anything to do. */
static bool loopdma_run(LoopdmaChannel *ch, uint32_t at_once)
{
    if (!loopdma_prepare(ch, at_once)) {
        return false;
    }
    loopdma_copy(ch);
    loopdma_sched_retire(ch);
    return true;
}

/* --- Batches in the vCPU that rings the doorbell -------------------------- */

/* May it do all of them?  With the lock held. */
static bool loopdma_may_run_at_once(const LoopdmaChannel *ch)
{
    /*
     * Behind an IOMMU a fault may interrupt, in the middle of our own register
     * access.  Test controls count starts, and nothing must start twice.
     */
    return ch->sched->at_once_bytes && !ch->in_main && !ch->tc.active &&
           ch->tail - ch->retired <= LOOPDMA_BATCH &&
           !loopdma_is_outranked(ch);
}

/**
 * loopdma_sched_kick_at_once: there is work for a channel
 * @ch: the channel
 *
 * With the BQL held, by the vCPU that gives the work.  To wake an engine, and
 * for its interrupt the main loop, takes many times as long as a small
 * transfer; so that is done before the register write returns.
 */
void loopdma_sched_kick_at_once(LoopdmaChannel *ch)
{
    LoopdmaSched *s = ch->sched;
    bool worked, flush;

    g_assert(bql_locked());
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        ch->again = true;
        if (ch->owner != LOOPDMA_OWNER_NONE || !loopdma_runnable(ch)) {
            return;
        }
        if (!loopdma_may_run_at_once(ch)) {
            loopdma_begin(ch, false);
            return;
        }
        ch->owner = LOOPDMA_OWNER_BQL;
        ch->xfer.mem.revoked = LOOPDMA_REVOKED_NOT;
        qatomic_set(&ch->xfer.outranked, false);
        s->irq->flush_follows = true;
    }
    worked = loopdma_run(ch, s->at_once_bytes);
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        /* What is too much for us is for an engine. */
        ch->again |= !worked;
        loopdma_end(ch, worked, false);
        s->irq->flush_follows = false;
        flush = s->irq->pending || s->irq->event_pending;
    }
    if (flush) {
        loopdma_irq_flush(s->irq);
    }
}

/* --- Batches in an engine ------------------------------------------------- */

/*
 * Wait for a channel that is ready, first by looking at it for a moment: waking
 * a thread takes longer than many a transfer.  One engine at a time does so.
 * Returns NULL when the engines are to end.
 */
static LoopdmaChannel *loopdma_next(LoopdmaSched *s)
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
    LoopdmaSched *s = opaque;
    LoopdmaChannel *ch;

    rcu_register_thread();
    qemu_mutex_lock(&s->lock);
    s->sleeping--;
    while ((ch = loopdma_next(s))) {
        bool worked = false;

        ch->owner = LOOPDMA_OWNER_ENGINE;
        ch->xfer.mem.revoked = LOOPDMA_REVOKED_NOT;
        qatomic_set(&ch->xfer.outranked, false);
        qemu_mutex_unlock(&s->lock);
        if (ch->in_main) {
            loopdma_copy(ch);
        } else {
            worked = loopdma_run(ch, 0);
        }
        qemu_mutex_lock(&s->lock);
        loopdma_end(ch, worked, true);
        qemu_cond_broadcast(&s->left);
    }
    qemu_mutex_unlock(&s->lock);
    rcu_unregister_thread();
    return NULL;
}

/* --- Batches in the main loop --------------------------------------------- */

/*
 * Without engines the bottom halves are what is to be had in the order of
 * priority: is one of a higher priority scheduled?  With the lock held.
 */
static bool loopdma_has_to_wait(const LoopdmaChannel *ch)
{
    const LoopdmaSched *s = ch->sched;
    unsigned i;

    for (i = 0; (s->sync || s->exact) && i < s->channels; i++) {
        if (s->ch[i].owner == LOOPDMA_OWNER_MAIN &&
            s->ch[i].priority > ch->priority) {
            return true;
        }
    }
    return false;
}

/* Does the bottom half own the batch?  If so, from now on. */
static bool loopdma_take(LoopdmaChannel *ch)
{
    QEMU_LOCK_GUARD(&ch->sched->lock);
    if (ch->owner != LOOPDMA_OWNER_MAIN) {
        /* Somebody has stopped the channel meanwhile. */
        return false;
    }
    if (loopdma_has_to_wait(ch)) {
        qemu_bh_schedule(ch->bh);
        return false;
    }
    ch->owner = LOOPDMA_OWNER_BQL;
    ch->xfer.mem.revoked = LOOPDMA_REVOKED_NOT;
    return true;
}

/* Have an engine do the copy of a batch that the bottom half has prepared. */
static void loopdma_hand_over(LoopdmaChannel *ch)
{
    LoopdmaSched *s = ch->sched;

    QEMU_LOCK_GUARD(&s->lock);
    if (s->sleeping || s->spinning) {
        loopdma_moderate(ch);
    } else {
        /* All engines are busy, for who knows how long. */
        loopdma_irq_send_due(s->irq, ch->index);
    }
    loopdma_ready(ch, false);
}

/*
 * What the bottom half does for a channel whose batches are in the main loop:
 * it retires what an engine has copied, and prepares what an engine shall copy.
 * In synchronous mode it does the engine's part as well.
 */
static void loopdma_run_in_main(LoopdmaChannel *ch)
{
    LoopdmaSched *s = ch->sched;
    LoopdmaXfer *x = &ch->xfer;
    /* Only who holds the BQL changes it here. */
    const LoopdmaTestctl before = ch->tc;
    bool worked = false;

    if (x->prepared) {
        loopdma_sched_retire(ch);
        worked = true;
    }
    /* A channel that waits for its peer would only find that out again. */
    if ((!ch->waits || loopdma_kicked(ch)) && loopdma_prepare(ch, 0)) {
        bool revoked = x->mem.revoked != LOOPDMA_REVOKED_NOT;

        if (!revoked && x->nsegs && !s->sync && !s->exact) {
            loopdma_hand_over(ch);
            return;
        }
        if (!revoked) {
            loopdma_copy(ch);
        }
        if (revoked && loopdma_stopped(ch)) {
            /* In D3hot nothing is written.  What has started has not, then. */
            loopdma_xfer_drop(x);
            WITH_QEMU_LOCK_GUARD(&s->lock) {
                ch->tc = before;
            }
        } else {
            loopdma_sched_retire(ch);
        }
        worked = true;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        loopdma_end(ch, worked, false);
    }
}

static void loopdma_bh(void *opaque)
{
    LoopdmaChannel *ch = opaque;
    LoopdmaSched *s = ch->sched;

    if (loopdma_take(ch)) {
        /* An interrupt that a fault sends may unplug the function. */
        object_ref(OBJECT(s->pci));
        loopdma_run_in_main(ch);
        loopdma_irq_put(s->irq);
    }
}

/* --- Stopping, all with the BQL held -------------------------------------- */

/**
 * loopdma_sched_stop: end the channel's batch, and let none begin
 * @ch: the channel
 * @revoke: what becomes of a batch in the middle of which we are
 *
 * Waits for one chunk at the most, and for what else an engine does in a batch.
 * Afterwards the caller owns the batch, until loopdma_sched_resume().  If it is
 * prepared it is not retired yet.
 *
 * Returns false if the caller is called from inside of the batch, by an
 * interrupt of a step.  Then it must not touch the batch, nor resume: whoever
 * owns the batch will find it revoked.
 */
bool loopdma_sched_stop(LoopdmaChannel *ch, LoopdmaRevoked revoke)
{
    LoopdmaSched *s = ch->sched;

    g_assert(bql_locked());
    QEMU_LOCK_GUARD(&s->lock);
    if (ch->owner == LOOPDMA_OWNER_BQL) {
        ch->xfer.mem.revoked = MAX(ch->xfer.mem.revoked, revoke);
        return false;
    }
    qatomic_set(&ch->xfer.cut, true);
    if (ch->owner == LOOPDMA_OWNER_READY) {
        loopdma_unready(ch);
    } else if (ch->owner == LOOPDMA_OWNER_ENGINE) {
        trace_loopdma_leave(ch->index);
        ch->owner = LOOPDMA_OWNER_LEAVING;
        while (ch->owner == LOOPDMA_OWNER_LEAVING) {
            qemu_cond_wait(&s->left, &s->lock);
        }
    }
    ch->owner = LOOPDMA_OWNER_BQL;
    ch->xfer.mem.revoked = LOOPDMA_REVOKED_NOT;
    return true;
}

/**
 * loopdma_sched_resume: undo loopdma_sched_stop() that has returned true
 * @ch: the channel
 */
void loopdma_sched_resume(LoopdmaChannel *ch)
{
    WITH_QEMU_LOCK_GUARD(&ch->sched->lock) {
        ch->owner = LOOPDMA_OWNER_NONE;
        /* Of a batch that was cut, or retired meanwhile. */
        loopdma_irq_send_due(ch->sched->irq, ch->index);
    }
    loopdma_sched_kick(ch);
}

/* Stop, and retire what was done. */
static void loopdma_settle(LoopdmaChannel *ch)
{
    if (loopdma_sched_stop(ch, LOOPDMA_REVOKED_MEMORY)) {
        if (ch->xfer.prepared) {
            loopdma_sched_retire(ch);
        }
        loopdma_sched_resume(ch);
    }
}

/**
 * loopdma_sched_stop_all: end all batches, with nothing left in between
 * @s: the scheduler
 *
 * The VM has stopped, or the function was switched off.
 */
void loopdma_sched_stop_all(LoopdmaSched *s)
{
    unsigned i;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->running = false;
    }
    for (i = 0; i < s->channels; i++) {
        loopdma_settle(&s->ch[i]);
    }
    /* Messages are part of the state that is to be saved. */
    loopdma_irq_flush(s->irq);
}

/**
 * loopdma_sched_start_all: undo loopdma_sched_stop_all()
 * @s: the scheduler
 */
void loopdma_sched_start_all(LoopdmaSched *s)
{
    unsigned i;

    if (s->irq->exiting) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->running = true;
    }
    loopdma_irq_go_on(s->irq);
    for (i = 0; i < s->channels; i++) {
        loopdma_sched_kick(&s->ch[i]);
    }
}

/**
 * loopdma_sched_invalidate: let go of what the batch has resolved
 * @ch: the channel
 *
 * It has to be resolved again.  When this returns no copy goes on.
 */
void loopdma_sched_invalidate(LoopdmaChannel *ch)
{
    trace_loopdma_invalidate(ch->index);
    if (loopdma_sched_stop(ch, LOOPDMA_REVOKED_MEMORY)) {
        loopdma_xfer_release(&ch->xfer);
        loopdma_sched_resume(ch);
    }
}

/* --- Beginning and end ---------------------------------------------------- */

static void loopdma_channel_init(LoopdmaSched *s, unsigned i,
                                 const LoopdmaLimits *limits, uint64_t last)
{
    LoopdmaChannel *ch = &s->ch[i];
    LoopdmaXfer *x = &ch->xfer;
    bool has_peer = (i | 1) < s->channels;
    uint32_t periph = LOOPDMA_CH_CAPS_TX | LOOPDMA_CH_CAPS_RX;

    ch->sched = s;
    ch->index = i;
    ch->bh = qemu_bh_new_guarded(loopdma_bh, ch,
                                 &DEVICE(s->pci)->mem_reentrancy_guard);
    ch->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, loopdma_timer, ch);
    s->irq->ch[i] = &ch->irq;
    /* For one that comes by migration; else it is enabled. */
    loopdma_irq_enable(&ch->irq);

    x->mem.as = pci_get_address_space(s->pci);
    x->mem.last = last;
    x->index = i;
    x->limits = *limits;
    x->reach = last;
    if (!has_peer) {
        x->limits.caps &= ~periph;
    }
    loopdma_periph_init(&x->periph,
                        x->limits.caps & periph ? limits->fifo_depth : 0,
                        has_peer ? &s->ch[i ^ 1].xfer.periph.fifo : NULL);
}

/**
 * loopdma_sched_init: make channels and engines
 * @s: the scheduler, of which is set what is fixed
 * @limits: what channels accept that have a peer
 * @last: the highest bus address of the device
 */
void loopdma_sched_init(LoopdmaSched *s, const LoopdmaLimits *limits,
                        uint64_t last)
{
    unsigned i;

    qemu_mutex_init(&s->lock);
    qemu_cond_init(&s->work);
    qemu_cond_init(&s->left);
    for (i = 0; i < LOOPDMA_PRIORITIES; i++) {
        QTAILQ_INIT(&s->ready[i]);
    }
    s->running = runstate_is_running();

    s->ch = g_new0(LoopdmaChannel, s->channels);
    for (i = 0; i < s->channels; i++) {
        loopdma_channel_init(s, i, limits, last);
    }

    if (!s->sync) {
        s->quit = false;
        s->threads = g_new0(QemuThread, s->engines);
        /* Who has not begun yet is as good as asleep: free, if one asks. */
        s->sleeping = s->engines;
        for (i = 0; i < s->engines; i++) {
            g_autofree char *name = g_strdup_printf("loopdma-%u", i);

            qemu_thread_create(&s->threads[i], name, loopdma_engine, s,
                               QEMU_THREAD_JOINABLE);
        }
    }
}

/**
 * loopdma_sched_exit: end all work, and the engines
 * @s: the scheduler, whatever its channels are doing
 *
 * The channels remain, since this may be called from inside of a batch.
 */
void loopdma_sched_exit(LoopdmaSched *s)
{
    unsigned i;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->running = false;
    }
    for (i = 0; i < s->channels; i++) {
        LoopdmaChannel *ch = &s->ch[i];

        if (loopdma_sched_stop(ch, LOOPDMA_REVOKED_ALL)) {
            loopdma_sched_discard(ch);
            loopdma_sched_resume(ch);
        }
    }
    if (s->threads) {
        WITH_QEMU_LOCK_GUARD(&s->lock) {
            qatomic_set(&s->quit, true);
            qemu_cond_broadcast(&s->work);
        }
        for (i = 0; i < s->engines; i++) {
            qemu_thread_join(&s->threads[i]);
        }
        g_clear_pointer(&s->threads, g_free);
    }
}

/**
 * loopdma_sched_free: undo loopdma_sched_init() after loopdma_sched_exit()
 * @s: the scheduler, which may have no channels
 */
void loopdma_sched_free(LoopdmaSched *s)
{
    unsigned i;

    if (!s->ch) {
        return;
    }
    /* The property may have been changed since. */
    for (i = 0; i < s->irq->channels; i++) {
        LoopdmaChannel *ch = &s->ch[i];

        qemu_bh_delete(ch->bh);
        timer_free(ch->timer);
        loopdma_periph_destroy(&ch->xfer.periph);
    }
    g_clear_pointer(&s->ch, g_free);
    qemu_cond_destroy(&s->left);
    qemu_cond_destroy(&s->work);
    qemu_mutex_destroy(&s->lock);
}
