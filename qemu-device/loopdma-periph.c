/*
 * loopdma: the peripheral, which TX and RX talk to
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/cutils.h"
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

/**
 * loopdma_copy_burst: move one burst of a TX or RX
 * @ch: its channel
 * @op: the descriptor
 * @seg: the segment with its next byte; moved on
 *
 * Returns false if it has to wait.
 */
bool loopdma_copy_burst(LoopdmaChannel *ch, LoopdmaOp *op,
                        LoopdmaSegment **seg)
{
    uint32_t left = MIN(loopdma_burst_bytes(op), op->end - op->moved);

    return loopdma_burst_loopback(ch, op, seg, left);
}
