/*
 * loopdma: the peripheral, which TX and RX talk to
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/host-utils.h"
#include "qemu/lockable.h"
#include "qemu/timer.h"
#include "loopdma-fifo.h"

/* How far a paced channel that is late may catch up, in nanoseconds. */
#define LOOPDMA_CATCH_UP_NS (10 * SCALE_MS)

/* --- Loopback, with the FIFO's lock held ---------------------------------- */

static void loopdma_fifo_push(LoopdmaFifo *fifo, const struct iovec *iov)
{
    uint32_t tail = (fifo->head + fifo->count) & (fifo->depth - 1);
    size_t first = MIN(iov->iov_len, fifo->depth - tail);

    memcpy(fifo->data + tail, iov->iov_base, first);
    memcpy(fifo->data, iov->iov_base + first, iov->iov_len - first);
    qatomic_set(&fifo->count, fifo->count + iov->iov_len);
    fifo->received += iov->iov_len;
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
static void loopdma_fifo_pop(LoopdmaFifo *fifo, const struct iovec *iov,
                             LoopdmaMeta *meta)
{
    size_t first = MIN(iov->iov_len, fifo->depth - fifo->head);
    LoopdmaMark *mark;

    memcpy(iov->iov_base, fifo->data + fifo->head, first);
    memcpy(iov->iov_base + first, fifo->data, iov->iov_len - first);
    fifo->head = (fifo->head + iov->iov_len) & (fifo->depth - 1);
    qatomic_set(&fifo->count, fifo->count - iov->iov_len);

    while ((mark = QTAILQ_FIRST(&fifo->marks)) &&
           mark->behind <= fifo->received - fifo->count) {
        *meta = mark->meta;
        loopdma_fifo_unmark(fifo, mark);
    }
}

/* --- Loopback ------------------------------------------------------------- */

/*
 * All of a burst, or nothing.  @waits: who finds too little room, or too few
 * bytes, is to be told of more.
 */
static bool loopdma_fifo_send(LoopdmaFifo *fifo, LoopdmaBurst *burst,
                              bool waits)
{
    unsigned i;

    QEMU_LOCK_GUARD(&fifo->lock);
    if (fifo->depth - fifo->count < burst->len) {
        fifo->tx_waits |= waits;
        return false;
    }
    for (i = 0; i < burst->niov; i++) {
        loopdma_fifo_push(fifo, &burst->iov[i]);
    }
    if (burst->meta) {
        loopdma_fifo_mark(fifo, burst->meta);
    }
    burst->wake_peer = fifo->rx_waits;
    fifo->rx_waits = false;
    return true;
}

static bool loopdma_fifo_receive(LoopdmaFifo *fifo, LoopdmaBurst *burst,
                                 bool waits)
{
    unsigned i;

    QEMU_LOCK_GUARD(&fifo->lock);
    if (fifo->count < burst->len) {
        fifo->rx_waits |= waits;
        return false;
    }
    for (i = 0; i < burst->niov; i++) {
        loopdma_fifo_pop(fifo, &burst->iov[i], burst->meta);
    }
    burst->wake_peer = fifo->tx_waits;
    fifo->tx_waits = false;
    return true;
}

/**
 * loopdma_fifo_clear: drop what was received
 * @fifo: the FIFO
 *
 * Returns whether the sender waits for that.
 */
bool loopdma_fifo_clear(LoopdmaFifo *fifo)
{
    LoopdmaMark *mark;
    bool wake;

    QEMU_LOCK_GUARD(&fifo->lock);
    fifo->head = 0;
    qatomic_set(&fifo->count, 0);
    while ((mark = QTAILQ_FIRST(&fifo->marks))) {
        loopdma_fifo_unmark(fifo, mark);
    }
    fifo->rx_waits = false;
    wake = fifo->tx_waits;
    fifo->tx_waits = false;
    return wake;
}

/**
 * loopdma_fifo_valid: can the FIFO that a migration stream brings be?
 * @fifo: the FIFO
 */
bool loopdma_fifo_valid(const LoopdmaFifo *fifo)
{
    uint64_t last = fifo->received - fifo->count;
    const LoopdmaMark *mark;

    if (fifo->count > fifo->depth || fifo->count > fifo->received ||
        (fifo->head && fifo->head >= fifo->depth)) {
        return false;
    }
    QTAILQ_FOREACH(mark, &fifo->marks, next) {
        if (mark->behind <= last || mark->behind > fifo->received ||
            !mark->meta.len || !loopdma_meta_valid(&mark->meta)) {
            return false;
        }
        last = mark->behind;
    }
    return true;
}

/* --- Pattern -------------------------------------------------------------- */

static uint8_t loopdma_pattern(const LoopdmaPeriph *periph, uint32_t pos)
{
    return loopdma_hw_pattern(extract32(periph->select, 8, 8), pos);
}

static void loopdma_source_get(LoopdmaPeriph *periph, const struct iovec *iov)
{
    uint8_t *dst = iov->iov_base;
    size_t i;

    for (i = 0; i < iov->iov_len; i++) {
        dst[i] = loopdma_pattern(periph, periph->source++);
    }
}

/* Returns how many bytes are the pattern's, and were taken. */
static size_t loopdma_sink_put(LoopdmaPeriph *periph, const struct iovec *iov)
{
    const uint8_t *src = iov->iov_base;
    size_t n;

    for (n = 0; n < iov->iov_len &&
         src[n] == loopdma_pattern(periph, periph->sink); n++) {
        periph->sink++;
    }
    return n;
}

static LoopdmaFlow loopdma_move_pattern(LoopdmaPeriph *periph,
                                        LoopdmaBurst *burst)
{
    unsigned i;

    for (i = 0; i < burst->niov; i++) {
        const struct iovec *iov = &burst->iov[i];
        size_t n = iov->iov_len;

        if (burst->tx) {
            n = loopdma_sink_put(periph, iov);
        } else {
            loopdma_source_get(periph, iov);
        }
        burst->moved += n;
        if (n < iov->iov_len) {
            return LOOPDMA_FLOW_REFUSED;
        }
    }
    return LOOPDMA_FLOW_DONE;
}

/* --- Pace ----------------------------------------------------------------- */

/* When is the next burst requested?  By the rate that is in force now. */
static LoopdmaPace loopdma_next_request(const LoopdmaPeriph *periph,
                                        uint32_t rate)
{
    LoopdmaPace next = periph->requests;
    uint64_t time = (uint64_t)next.bytes * NANOSECONDS_PER_SECOND;
    uint64_t fraction = next.fraction + (time % rate << 32) / rate;

    next.since += time / rate + (fraction >> 32);
    next.fraction = fraction;
    return next;
}

/*
 * Is the burst requested now?  If so, and if it is moved, @next tells what
 * follows.
 */
static bool loopdma_requested(LoopdmaPeriph *periph, uint32_t rate,
                              LoopdmaBurst *burst, LoopdmaPace *next)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    /* A migration stream may bring one that is still to come. */
    periph->requests.since = MIN(periph->requests.since, now);
    *next = loopdma_next_request(periph, rate);
    if (next->since > now) {
        burst->until = next->since;
        return false;
    }
    if (next->since < now - LOOPDMA_CATCH_UP_NS) {
        next->since = now - LOOPDMA_CATCH_UP_NS;
        next->fraction = 0;
    }
    next->bytes = burst->len;
    return true;
}

/* --- Bursts --------------------------------------------------------------- */

/**
 * loopdma_periph_move: move a burst
 * @periph: one side of the peripheral, of whose channel the caller owns the
 *     batch
 * @burst: the burst
 *
 * Returns what came out of it; @burst tells the details.
 */
LoopdmaFlow loopdma_periph_move(LoopdmaPeriph *periph, LoopdmaBurst *burst)
{
    uint32_t rate = qatomic_read(&periph->rate);
    LoopdmaFlow flow = LOOPDMA_FLOW_DONE;
    LoopdmaPace next;

    burst->moved = 0;
    burst->wake_peer = false;
    if (rate && !loopdma_requested(periph, rate, burst, &next)) {
        return LOOPDMA_FLOW_WAIT_UNTIL;
    }
    if (loopdma_periph_is_pattern(periph)) {
        flow = loopdma_move_pattern(periph, burst);
    } else if (burst->tx ? loopdma_fifo_send(periph->peer, burst, true)
                         : loopdma_fifo_receive(&periph->fifo, burst, true)) {
        burst->moved = burst->len;
    } else {
        return LOOPDMA_FLOW_WAIT_PEER;
    }
    if (rate) {
        periph->requests = next;
    }
    return flow;
}

/**
 * loopdma_periph_take_word: read CH_FIFO_DATA
 * @periph: one side of the peripheral; of a pattern's channel the caller owns
 *     the batch
 * @val: set to the next 4 bytes that RX would move
 * @wake_peer: set if the peer waits for that
 *
 * Returns false if there are fewer.
 */
bool loopdma_periph_take_word(LoopdmaPeriph *periph, uint32_t *val,
                              bool *wake_peer)
{
    uint8_t word[sizeof(*val)];
    struct iovec iov = { word, sizeof(word) };
    LoopdmaMeta dropped;
    LoopdmaBurst burst = {
        .iov = &iov, .niov = 1, .len = sizeof(word), .meta = &dropped,
    };

    if (loopdma_periph_is_pattern(periph)) {
        loopdma_source_get(periph, &iov);
    } else if (!loopdma_fifo_receive(&periph->fifo, &burst, false)) {
        return false;
    }
    *wake_peer = burst.wake_peer;
    *val = ldl_le_p(word);
    return true;
}

/**
 * loopdma_periph_give_word: write CH_FIFO_DATA
 * @periph: one side of the peripheral; of a pattern's channel the caller owns
 *     the batch
 * @val: 4 bytes, to be sent as TX would
 * @wake_peer: set if the peer waits for that
 *
 * Returns false if they are not accepted.
 */
bool loopdma_periph_give_word(LoopdmaPeriph *periph, uint32_t val,
                              bool *wake_peer)
{
    uint8_t word[sizeof(val)];
    struct iovec iov = { word, sizeof(word) };
    LoopdmaBurst burst = {
        .tx = true, .iov = &iov, .niov = 1, .len = sizeof(word),
    };
    uint32_t before = periph->sink;

    stl_le_p(word, val);
    if (loopdma_periph_is_pattern(periph)) {
        if (loopdma_sink_put(periph, &iov) < sizeof(word)) {
            periph->sink = before;
            return false;
        }
    } else if (!loopdma_fifo_send(periph->peer, &burst, false)) {
        return false;
    }
    *wake_peer = burst.wake_peer;
    return true;
}

/**
 * loopdma_periph_select: write CH_PERIPH
 * @periph: one side of the peripheral, of whose channel the caller owns the
 *     batch
 * @val: without reserved bits
 */
void loopdma_periph_select(LoopdmaPeriph *periph, uint32_t val)
{
    periph->select = val;
    periph->source = 0;
    periph->sink = 0;
}

/**
 * loopdma_periph_init: make one side of the peripheral
 * @periph: zeroes
 * @depth: bytes of its FIFO, 0 if the channel has no peripheral
 * @peer: the FIFO that it sends to, or NULL
 */
void loopdma_periph_init(LoopdmaPeriph *periph, uint32_t depth,
                         LoopdmaFifo *peer)
{
    qemu_mutex_init(&periph->fifo.lock);
    QTAILQ_INIT(&periph->fifo.marks);
    periph->fifo.depth = depth;
    periph->fifo.data = g_malloc0(depth);
    periph->peer = peer;
}

/**
 * loopdma_periph_destroy: undo loopdma_periph_init()
 * @periph: one side of the peripheral
 */
void loopdma_periph_destroy(LoopdmaPeriph *periph)
{
    loopdma_fifo_clear(&periph->fifo);
    qemu_mutex_destroy(&periph->fifo.lock);
    g_free(periph->fifo.data);
}
