/*
 * loopdma: the peripheral, which TX and RX talk to
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
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
}

static void loopdma_fifo_pop(LoopdmaFifo *fifo, uint8_t *dst, size_t n)
{
    size_t first = MIN(n, fifo->depth - fifo->head);

    memcpy(dst, fifo->data + fifo->head, first);
    memcpy(dst + first, fifo->data, n - first);
    fifo->head = (fifo->head + n) & (fifo->depth - 1);
    qatomic_set(&fifo->count, fifo->count - n);
}

/**
 * loopdma_fifo_clear: forget what was received, let the peer send again
 * @ch: the channel
 */
void loopdma_fifo_clear(LoopdmaChannel *ch)
{
    LoopdmaFifo *fifo = &ch->fifo;
    bool wake;

    if (!fifo->depth) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&fifo->lock) {
        fifo->head = 0;
        qatomic_set(&fifo->count, 0);
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

static bool loopdma_burst_loopback(LoopdmaChannel *ch, LoopdmaOp *op,
                                   LoopdmaSegment **seg, uint32_t left)
{
    bool tx = loopdma_opcode(op) == LOOPDMA_OP_TX;
    LoopdmaFifo *fifo = tx ? &loopdma_peer(ch)->fifo : &ch->fifo;
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
                loopdma_fifo_pop(fifo, (*seg)->dst + (*seg)->moved, n);
            }
            loopdma_moved(op, seg, n);
            left -= n;
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
