/*
 * loopdma: the peripheral, which TX and RX talk to
 *
 * Loopback through FIFOs, a pattern, and the pace of either.  Nothing here
 * waits or wakes anybody: each function returns what its caller has to wait
 * for, and whether the peer waits for the caller.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_FIFO_H
#define LOOPDMA_FIFO_H

#include "qemu/queue.h"
#include "qemu/thread.h"
#include "loopdma-desc.h"

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
 * LoopdmaFifo - the receive FIFO of a channel
 * @lock: protects all of it but @depth; nothing is called under it
 * @depth: its size in bytes, a power of two, or 0; fixed
 * @head: offset of the oldest byte
 * @count: bytes in it; written under @lock, read by CH_FIFO_LEVEL without
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

/**
 * LoopdmaPace - when the peripheral requests bursts
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
 * LoopdmaPeriph - one side of the peripheral
 * @fifo: receives; shared with the peer
 * @peer: the FIFO that it sends to, or NULL
 * @rate: CH_RATE; atomic, written under the BQL
 * @select: CH_PERIPH, as are the following of whoever owns the channel's batch
 * @source: bytes that the pattern source has given
 * @sink: bytes that the pattern sink has taken
 * @requests: when bursts are requested
 */
typedef struct LoopdmaPeriph {
    LoopdmaFifo fifo;
    LoopdmaFifo *peer;
    uint32_t rate;
    uint32_t select;
    uint32_t source;
    uint32_t sink;
    LoopdmaPace requests;
} LoopdmaPeriph;

/**
 * LoopdmaFlow - what came out of a burst
 * @LOOPDMA_FLOW_DONE: it was moved
 * @LOOPDMA_FLOW_REFUSED: the sink does not take the byte behind those moved
 * @LOOPDMA_FLOW_WAIT_PEER: nothing was moved; the peer has to do so first, and
 *     is told then that somebody waits
 * @LOOPDMA_FLOW_WAIT_UNTIL: nothing was moved; it is not requested yet
 */
typedef enum LoopdmaFlow {
    LOOPDMA_FLOW_DONE,
    LOOPDMA_FLOW_REFUSED,
    LOOPDMA_FLOW_WAIT_PEER,
    LOOPDMA_FLOW_WAIT_UNTIL,
} LoopdmaFlow;

/**
 * LoopdmaBurst - a burst, and what came out of it
 * @tx: it is sent, else received
 * @iov: where its bytes are, @niov pieces of @len bytes altogether
 * @niov: likewise
 * @len: likewise
 * @meta: for TX what to send with the last byte, or NULL; for RX set to the
 *     last metadata received, if there is any
 * @moved: set to the bytes moved
 * @wake_peer: set if the peer waits for that
 * @until: set with LOOPDMA_FLOW_WAIT_UNTIL, in nanoseconds of
 *     QEMU_CLOCK_VIRTUAL
 */
typedef struct LoopdmaBurst {
    bool tx;
    const struct iovec *iov;
    unsigned niov;
    uint32_t len;
    LoopdmaMeta *meta;
    uint32_t moved;
    bool wake_peer;
    int64_t until;
} LoopdmaBurst;

void loopdma_periph_init(LoopdmaPeriph *periph, uint32_t depth,
                         LoopdmaFifo *peer);
void loopdma_periph_destroy(LoopdmaPeriph *periph);
void loopdma_periph_select(LoopdmaPeriph *periph, uint32_t val);
LoopdmaFlow loopdma_periph_move(LoopdmaPeriph *periph, LoopdmaBurst *burst);
bool loopdma_periph_take_word(LoopdmaPeriph *periph, uint32_t *val,
                              bool *wake_peer);
bool loopdma_periph_give_word(LoopdmaPeriph *periph, uint32_t val,
                              bool *wake_peer);
bool loopdma_fifo_clear(LoopdmaFifo *fifo);
bool loopdma_fifo_valid(const LoopdmaFifo *fifo);

/**
 * loopdma_periph_is_pattern: does it give and take a pattern?
 * @periph: the peripheral
 */
static inline bool loopdma_periph_is_pattern(const LoopdmaPeriph *periph)
{
    return periph->select & LOOPDMA_CH_PERIPH_PATTERN;
}

#endif /* LOOPDMA_FIFO_H */
