/*
 * loopdma: the peripheral, which TX and RX talk to
 *
 * Loopback and pattern, the pace of either, and the register by which the CPU
 * does what TX and RX do.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/host-utils.h"
#include "qemu/lockable.h"
#include "loopdma-int.h"

/**
 * loopdma_burst_bytes: how much a descriptor moves at a time
 * @op: the descriptor
 *
 * For TX and RX that have passed the checks it fits into the FIFO; for the
 * others it is 1.
 */
uint64_t loopdma_burst_bytes(const LoopdmaOp *op)
{
    uint64_t elements = MAX(op->periph >> 16, 1);

    return elements << (op->periph & LOOPDMA_PERIPH_WIDTH);
}

/* --- Loopback ------------------------------------------------------------ */

static void loopdma_fifo_push(LoopdmaFifo *fifo, const uint8_t *src, size_t n)
{
    uint32_t tail = (fifo->head + fifo->count) & (fifo->depth - 1);
    size_t first = MIN(n, fifo->depth - tail);

    memcpy(fifo->data + tail, src, first);
    memcpy(fifo->data, src + first, n - first);
    qatomic_set(&fifo->count, fifo->count + n);
    fifo->received += n;
}

/* Have metadata go with the byte that was pushed last. */
static void loopdma_fifo_mark(LoopdmaFifo *fifo, const LoopdmaMeta *meta)
{
    LoopdmaMark *mark = g_new0(LoopdmaMark, 1);

    mark->behind = fifo->received;
    mark->meta = *meta;
    QTAILQ_INSERT_TAIL(&fifo->marks, mark, next);
}

static void loopdma_fifo_unmark(LoopdmaFifo *fifo, LoopdmaMark *mark)
{
    QTAILQ_REMOVE(&fifo->marks, mark, next);
    g_free(mark);
}

/* @meta: set to the last metadata of what is taken out, if there is any. */
static void loopdma_fifo_pop(LoopdmaFifo *fifo, uint8_t *dst, size_t n,
                             LoopdmaMeta *meta)
{
    size_t first = MIN(n, fifo->depth - fifo->head);
    LoopdmaMark *mark;

    memcpy(dst, fifo->data + fifo->head, first);
    memcpy(dst + first, fifo->data, n - first);
    fifo->head = (fifo->head + n) & (fifo->depth - 1);
    qatomic_set(&fifo->count, fifo->count - n);

    while ((mark = QTAILQ_FIRST(&fifo->marks)) &&
           mark->behind <= fifo->received - fifo->count) {
        *meta = mark->meta;
        loopdma_fifo_unmark(fifo, mark);
    }
}

/**
 * loopdma_meta_good: can the metadata that a migration stream brings be?
 * @meta: the metadata
 */
bool loopdma_meta_good(const LoopdmaMeta *meta)
{
    return meta->len <= LOOPDMA_META_SIZE &&
           buffer_is_zero(meta->data + meta->len,
                          LOOPDMA_META_SIZE - meta->len);
}

/**
 * loopdma_fifo_good: can the FIFO that a migration stream brings be?
 * @fifo: the FIFO
 */
bool loopdma_fifo_good(const LoopdmaFifo *fifo)
{
    uint64_t last = fifo->received - fifo->count;
    const LoopdmaMark *mark;

    if (fifo->count > fifo->depth || fifo->count > fifo->received ||
        (fifo->head && fifo->head >= fifo->depth)) {
        return false;
    }
    QTAILQ_FOREACH(mark, &fifo->marks, next) {
        if (mark->behind <= last || mark->behind > fifo->received ||
            !mark->meta.len || !loopdma_meta_good(&mark->meta)) {
            return false;
        }
        last = mark->behind;
    }
    return true;
}

/**
 * loopdma_fifo_clear: forget what was received, let the peer send again
 * @ch: the channel
 */
void loopdma_fifo_clear(LoopdmaChannel *ch)
{
    LoopdmaFifo *fifo = &ch->fifo;
    LoopdmaMark *mark;
    bool wake;

    if (!fifo->depth) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&fifo->lock) {
        fifo->head = 0;
        qatomic_set(&fifo->count, 0);
        while ((mark = QTAILQ_FIRST(&fifo->marks))) {
            loopdma_fifo_unmark(fifo, mark);
        }
        fifo->rx_waits = false;
        wake = fifo->tx_waits;
        fifo->tx_waits = false;
    }
    if (wake) {
        loopdma_kick(loopdma_peer(ch));
    }
}

/*
 * One side has moved, that of the sender if @tx: is the other to be woken?
 * With the FIFO's lock held.
 */
static bool loopdma_fifo_wake(LoopdmaFifo *fifo, bool tx)
{
    bool *waits = tx ? &fifo->rx_waits : &fifo->tx_waits;
    bool wake = *waits;

    *waits = false;
    return wake;
}

/* Note that @n bytes of @op, no more than are left of *@seg, were moved. */
static void loopdma_moved(LoopdmaOp *op, LoopdmaSegment **seg, uint32_t n)
{
    (*seg)->moved += n;
    op->moved += n;
    if ((*seg)->moved == (*seg)->len) {
        (*seg)++;
    }
}

/* Has @op moved all of it, with nothing gone wrong? */
static bool loopdma_complete(const LoopdmaOp *op)
{
    return op->final && op->moved == op->end && op->status == LOOPDMA_ST_OK;
}

static bool loopdma_burst_loopback(LoopdmaChannel *ch, LoopdmaOp *op,
                                   LoopdmaSegment **seg, uint32_t left)
{
    bool tx = loopdma_opcode(op) == LOOPDMA_OP_TX;
    LoopdmaFifo *fifo = tx ? &loopdma_peer(ch)->fifo : &ch->fifo;
    LoopdmaMeta *meta = &ch->meta[op - ch->op];
    bool wake;

    WITH_QEMU_LOCK_GUARD(&fifo->lock) {
        if ((tx ? fifo->depth - fifo->count : fifo->count) < left) {
            if (tx) {
                fifo->tx_waits = true;
            } else {
                fifo->rx_waits = true;
            }
            return false;
        }
        while (left) {
            uint32_t n = MIN(left, (*seg)->len - (*seg)->moved);

            if (tx) {
                loopdma_fifo_push(fifo, (*seg)->src + (*seg)->moved, n);
            } else {
                loopdma_fifo_pop(fifo, (*seg)->dst + (*seg)->moved, n, meta);
            }
            loopdma_moved(op, seg, n);
            left -= n;
        }
        if (tx && meta->len && loopdma_complete(op)) {
            loopdma_fifo_mark(fifo, meta);
        }
        wake = loopdma_fifo_wake(fifo, tx);
    }
    if (wake) {
        loopdma_kick(loopdma_peer(ch));
    }
    return true;
}

/* --- Pattern ------------------------------------------------------------- */

static uint8_t loopdma_pattern(const LoopdmaChannel *ch, uint32_t pos)
{
    return loopdma_hw_pattern(extract32(ch->periph, 8, 8), pos);
}

static void loopdma_source_get(LoopdmaChannel *ch, uint8_t *dst, uint32_t n)
{
    while (n--) {
        *dst++ = loopdma_pattern(ch, ch->source++);
    }
}

/* Returns how many bytes are the pattern's, and were taken. */
static uint32_t loopdma_sink_put(LoopdmaChannel *ch, const uint8_t *src,
                                 uint32_t len)
{
    uint32_t n;

    for (n = 0; n < len && src[n] == loopdma_pattern(ch, ch->sink); n++) {
        ch->sink++;
    }
    return n;
}

/*
 * The sink does not take the next byte of @op.  What was prepared behind it is
 * left to the next turn: it was not known that some of that is to be skipped.
 */
static void loopdma_refuse_data(LoopdmaChannel *ch, LoopdmaOp *op)
{
    op->end = op->moved;
    op->final = true;
    op->status = LOOPDMA_ST_DATA;
    op->fault = 0;
    op->skip = op->ctrl & LOOPDMA_CTRL_CHAIN;
    ch->nops = op - ch->op + 1;
}

static void loopdma_burst_pattern(LoopdmaChannel *ch, LoopdmaOp *op,
                                  LoopdmaSegment **seg, uint32_t left)
{
    while (left) {
        uint32_t want = MIN(left, (*seg)->len - (*seg)->moved);
        uint32_t n = want;

        if (loopdma_opcode(op) == LOOPDMA_OP_TX) {
            n = loopdma_sink_put(ch, (*seg)->src + (*seg)->moved, want);
        } else {
            loopdma_source_get(ch, (*seg)->dst + (*seg)->moved, want);
        }
        loopdma_moved(op, seg, n);
        if (n < want) {
            loopdma_refuse_data(ch, op);
            return;
        }
        left -= n;
    }
}

/* --- Pace ---------------------------------------------------------------- */

/**
 * loopdma_wake_at: kick the channel later
 * @ch: a channel of which the caller owns the turn
 * @when: in nanoseconds of QEMU_CLOCK_VIRTUAL
 */
void loopdma_wake_at(LoopdmaChannel *ch, int64_t when)
{
    ch->armed = true;
    timer_mod(ch->timer, when);
}

/* When is the next burst requested?  By the rate that is in force now. */
static LoopdmaPace loopdma_next_request(const LoopdmaChannel *ch, uint32_t rate)
{
    LoopdmaPace next = ch->requests;
    uint64_t time = (uint64_t)next.bytes * NANOSECONDS_PER_SECOND;
    uint64_t fraction = next.fraction + (time % rate << 32) / rate;

    next.since += time / rate + (fraction >> 32);
    next.fraction = fraction;
    return next;
}

/*
 * May a burst of @n bytes be moved now?  If not the timer is set to when it
 * may.  If so, and if it is moved, @next tells what follows.
 */
static bool loopdma_requested(LoopdmaChannel *ch, uint32_t rate, uint32_t n,
                              LoopdmaPace *next)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    /* A migration stream may bring one that is still to come. */
    ch->requests.since = MIN(ch->requests.since, now);
    *next = loopdma_next_request(ch, rate);
    if (next->since > now) {
        loopdma_wake_at(ch, next->since);
        return false;
    }
    if (next->since < now - LOOPDMA_CATCH_UP_NS) {
        next->since = now - LOOPDMA_CATCH_UP_NS;
        next->fraction = 0;
    }
    next->bytes = n;
    return true;
}

/**
 * loopdma_unpace: the channel does not wait for its time any more
 * @ch: a channel of which the caller owns the turn
 */
void loopdma_unpace(LoopdmaChannel *ch)
{
    if (ch->armed) {
        ch->armed = false;
        timer_del(ch->timer);
    }
}

/**
 * loopdma_copy_burst: move one burst of a TX or RX
 * @ch: its channel
 * @op: the descriptor
 * @seg: the segment with its next byte; moved on
 *
 * Returns false if it has to wait, for the peer or for its time.  The
 * descriptor may end with this burst, without all of it having been moved.
 */
bool loopdma_copy_burst(LoopdmaChannel *ch, LoopdmaOp *op,
                        LoopdmaSegment **seg)
{
    uint32_t left = MIN(loopdma_burst_bytes(op), op->end - op->moved);
    uint32_t rate = qatomic_read(&ch->rate);
    LoopdmaPace next;

    if (rate && !loopdma_requested(ch, rate, left, &next)) {
        return false;
    }
    if (ch->periph & LOOPDMA_CH_PERIPH_PATTERN) {
        loopdma_burst_pattern(ch, op, seg, left);
    } else if (!loopdma_burst_loopback(ch, op, seg, left)) {
        return false;
    }
    if (rate) {
        ch->requests = next;
    }
    return true;
}

/* --- Registers, all with the BQL held ------------------------------------ */

/**
 * loopdma_has_periph: does the channel have CH_PERIPH and what goes with it?
 * @ch: the channel
 */
bool loopdma_has_periph(const LoopdmaChannel *ch)
{
    return (ch->dev->caps & LOOPDMA_CAPS_PERIPH) &&
           (loopdma_channel_caps(ch) & LOOPDMA_CH_CAPS_RX);
}

/**
 * loopdma_set_periph: write CH_PERIPH
 * @ch: the channel
 * @val: without reserved bits
 */
void loopdma_set_periph(LoopdmaChannel *ch, uint32_t val)
{
    loopdma_pause(ch);
    ch->periph = val;
    ch->source = 0;
    ch->sink = 0;
    loopdma_resume(ch);
}

/**
 * loopdma_set_rate: write CH_RATE
 * @ch: the channel
 * @val: bytes per second, 0: any
 */
void loopdma_set_rate(LoopdmaChannel *ch, uint32_t val)
{
    qatomic_set(&ch->rate, val);
    /* What was waited for comes at another time now. */
    loopdma_kick(ch);
}

/* What the source gives, and the sink takes, next is the turn's to know. */
static void loopdma_source_get_word(LoopdmaChannel *ch, uint8_t *word,
                                    uint32_t len)
{
    loopdma_pause(ch);
    loopdma_source_get(ch, word, len);
    loopdma_resume(ch);
}

static bool loopdma_sink_put_word(LoopdmaChannel *ch, const uint8_t *word,
                                  uint32_t len)
{
    uint32_t before;
    bool good;

    loopdma_pause(ch);
    before = ch->sink;
    good = loopdma_sink_put(ch, word, len) == len;
    if (!good) {
        ch->sink = before;
    }
    loopdma_resume(ch);
    return good;
}

/**
 * loopdma_take_word: read CH_FIFO_DATA
 * @ch: a channel that has a peripheral
 * @val: set to the next 4 bytes that RX would move
 *
 * Returns false if there are fewer.
 */
bool loopdma_take_word(LoopdmaChannel *ch, uint32_t *val)
{
    LoopdmaFifo *fifo = &ch->fifo;
    uint8_t word[sizeof(*val)];
    LoopdmaMeta dropped;
    bool wake = false;

    if (ch->periph & LOOPDMA_CH_PERIPH_PATTERN) {
        loopdma_source_get_word(ch, word, sizeof(word));
    } else {
        QEMU_LOCK_GUARD(&fifo->lock);
        if (fifo->count < sizeof(word)) {
            return false;
        }
        loopdma_fifo_pop(fifo, word, sizeof(word), &dropped);
        wake = loopdma_fifo_wake(fifo, false);
    }
    if (wake) {
        loopdma_kick(loopdma_peer(ch));
    }
    *val = ldl_le_p(word);
    return true;
}

/**
 * loopdma_give_word: write CH_FIFO_DATA
 * @ch: a channel that has a peripheral
 * @val: 4 bytes, to be sent as TX would
 *
 * Returns false if they are not accepted.
 */
bool loopdma_give_word(LoopdmaChannel *ch, uint32_t val)
{
    LoopdmaFifo *fifo = &loopdma_peer(ch)->fifo;
    uint8_t word[sizeof(val)];
    bool wake;

    stl_le_p(word, val);
    if (ch->periph & LOOPDMA_CH_PERIPH_PATTERN) {
        return loopdma_sink_put_word(ch, word, sizeof(word));
    }
    WITH_QEMU_LOCK_GUARD(&fifo->lock) {
        if (fifo->depth - fifo->count < sizeof(word)) {
            return false;
        }
        loopdma_fifo_push(fifo, word, sizeof(word));
        wake = loopdma_fifo_wake(fifo, true);
    }
    if (wake) {
        loopdma_kick(loopdma_peer(ch));
    }
    return true;
}
