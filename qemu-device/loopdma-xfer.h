/*
 * loopdma: the work of a channel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_XFER_H
#define LOOPDMA_XFER_H

/*
 * It is done in batches of descriptors, each in three steps:
 *
 *   prepare     copy descriptors in, check them, resolve their addresses
 *   copy        move the bytes
 *   write back  write statuses, then the completion record
 *
 * Everything that a descriptor or the completion record can make the device do
 * is in this layer.  It takes no lock of the device, schedules nothing, and
 * sends no interrupt: what is to be done comes as LoopdmaBatch, and what is to
 * follow is returned.
 *
 * Exactly one context owns a channel's batch, and may call these functions from
 * any thread.  Behind an IOMMU prepare and write back need the BQL: a
 * translation may fault, and a fault interrupts.  That interrupt may be a store
 * to configuration space, and reset the function while a step goes on.
 * LoopdmaMem.revoked tells the step that it happened.
 */

#include "qemu/units.h"
#include "compat.h"
#include "loopdma-desc.h"
#include "loopdma-fifo.h"
#include "loopdma-mem.h"
#include "loopdma-order.h"
#include "loopdma-ring.h"

/* Pieces of directly accessible memory that one batch resolves. */
#define LOOPDMA_SEGMENTS 256

/* Bytes that one batch moves, and bytes moved between looks at @cut. */
#define LOOPDMA_BATCH_BYTES (1 * MiB)
#define LOOPDMA_CHUNK_BYTES (64 * KiB)

/**
 * LoopdmaOp - a descriptor being executed
 * @desc: the descriptor
 * @limit: bytes to move, below the length if the test controls cut it short
 * @moved: bytes moved so far
 * @end: bytes moved when this batch is through
 * @seg: first of its segments in LoopdmaXfer.seg
 * @fault: bus address of a READ or WRITE error
 * @wrong: what a check has found so far, LOOPDMA_STATUS_*
 * @status: enum loopdma_hw_status once it is through
 * @fail_status: likewise, the outcome that the test controls have chosen
 * @fail: they have chosen one
 * @final: it is through with this batch; else it goes on with the next
 * @executed: it counts as executed, not as skipped or aborted
 * @skip: the rest of the transaction is to be skipped
 *
 * Every descriptor costs the time to clear one of these.
 */
typedef struct LoopdmaOp {
    LoopdmaDesc desc;
    uint32_t limit;
    uint32_t moved;
    uint32_t end;
    unsigned seg;
    uint64_t fault;
    uint16_t wrong;
    uint8_t status;
    uint8_t fail_status;
    bool fail;
    bool final;
    bool executed;
    bool skip;
} LoopdmaOp;

/**
 * LoopdmaSegment - a piece of an op that is contiguous in host memory
 * @src: where to read, or NULL; holds a reference to its memory region
 * @dst: where to write, or NULL; likewise
 * @len: bytes
 * @moved: bytes moved so far
 *
 * A piece of a parity op is a group of segments, one for each of its buffers in
 * the order of loopdma_desc_buffers(), with the same @len and @moved.
 */
typedef struct LoopdmaSegment {
    uint8_t *src;
    uint8_t *dst;
    uint32_t len;
    uint32_t moved;
} LoopdmaSegment;

/**
 * LoopdmaXfer - the work of a channel
 * @index: the channel, for tracing
 * @limits: what it accepts
 *
 * Written under the BQL while the channel is disabled:
 *
 * @ring: the ring
 * @comp: bus address of the completion record
 *
 * Atomic:
 *
 * @cut: leave the copy before the next chunk; cleared by the next batch
 * @outranked: leave it behind the next chunk
 *
 * Belong to whoever owns the batch:
 *
 * @mem: its access to memory
 * @periph: its side of the peripheral
 * @reach: the highest bus address of data
 * @skip: the transaction in progress is being skipped
 * @order: which descriptor is next
 * @prepared: @op and @seg are those of a batch; else only of @carried
 * @carried: @op[0] is an op that the last batch left unfinished
 * @backwards: the last of @op is executed first
 * @bytes: bytes moved that the caller has not been told of yet
 * @nops: number of valid @op
 * @nsegs: number of valid @seg
 * @op: ops of the batch, in order
 * @sources: what goes with @op, valid for parity
 * @meta: what goes with @op, valid for TX and RX: what is sent with the last
 *     byte, or was received with a byte so far
 * @seg: segments of the batch, in order
 */
typedef struct LoopdmaXfer {
    unsigned index;
    LoopdmaLimits limits;

    LoopdmaRing ring;
    uint64_t comp;

    bool cut;
    bool outranked;

    LoopdmaMem mem;
    LoopdmaPeriph periph;
    uint64_t reach;
    bool skip;
    LoopdmaOrder order;
    bool prepared;
    bool carried;
    bool backwards;
    uint64_t bytes;
    unsigned nops;
    unsigned nsegs;
    LoopdmaOp op[LOOPDMA_BATCH];
    LoopdmaSources sources[LOOPDMA_BATCH];
    LoopdmaMeta meta[LOOPDMA_BATCH];
    LoopdmaSegment seg[LOOPDMA_SEGMENTS];
} LoopdmaXfer;

/**
 * LoopdmaBatch - what a batch is to do
 * @first: count of the oldest descriptor that is not retired
 * @tail: count behind the last that there is
 * @aborting: abort those below @abort_to
 * @abort_to: likewise
 * @max: descriptors that it may take in
 * @at_once: bytes, to leave alone a descriptor that would make it more; or 0
 * @reorder: execute the last first, if nobody could tell
 * @early: complete the first without executing it
 * @fail: the first ends with @fail_status, after @fail_bytes
 * @fail_status: likewise
 * @fail_bytes: likewise
 */
typedef struct LoopdmaBatch {
    uint32_t first;
    uint32_t tail;
    bool aborting;
    uint32_t abort_to;
    unsigned max;
    uint32_t at_once;
    bool reorder;
    bool early;
    bool fail;
    uint8_t fail_status;
    uint32_t fail_bytes;
} LoopdmaBatch;

/**
 * LoopdmaCopied - what is to follow a copy
 * @wake_peer: the peer waits for what was moved
 * @waits: it waits for the peer, or until @until
 * @until: in nanoseconds of QEMU_CLOCK_VIRTUAL, or 0
 */
typedef struct LoopdmaCopied {
    bool wake_peer;
    bool waits;
    int64_t until;
} LoopdmaCopied;

/**
 * LoopdmaWritten - what was written back
 * @count: descriptors that have a status now
 * @executed: those of them that were executed
 * @bytes: bytes moved
 * @request: one of them asks for an interrupt
 */
typedef struct LoopdmaWritten {
    unsigned count;
    unsigned executed;
    uint64_t bytes;
    bool request;
} LoopdmaWritten;

bool loopdma_xfer_starts(const LoopdmaXfer *x, const LoopdmaBatch *batch);
bool loopdma_xfer_prepare(LoopdmaXfer *x, const LoopdmaBatch *batch);
void loopdma_xfer_copy(LoopdmaXfer *x, LoopdmaCopied *copied);
bool loopdma_xfer_write_back(LoopdmaXfer *x, LoopdmaWritten *written);
bool loopdma_xfer_publish(LoopdmaXfer *x, const uint32_t *done,
                          const uint64_t *progress, uint32_t *arm);
void loopdma_xfer_carry(LoopdmaXfer *x, unsigned count);
void loopdma_xfer_release(LoopdmaXfer *x);
void loopdma_xfer_drop(LoopdmaXfer *x);
void loopdma_xfer_discard(LoopdmaXfer *x);
bool loopdma_xfer_overlaps(const LoopdmaXfer *x, uint64_t first,
                           uint64_t last);
bool loopdma_xfer_carried_valid(const LoopdmaXfer *x);

#endif /* LOOPDMA_XFER_H */
