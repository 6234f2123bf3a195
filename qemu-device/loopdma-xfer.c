/*
 * loopdma: the work of a channel
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-parity.h"
#include "loopdma-xfer.h"

/* Bytes computed between looks at @cut, for each source of a parity op. */
#define LOOPDMA_BLOCK_BYTES (LOOPDMA_CHUNK_BYTES / LOOPDMA_MAX_SOURCES)

/* --- Segments ------------------------------------------------------------- */

static LoopdmaSources *loopdma_sources(LoopdmaXfer *x, const LoopdmaOp *op)
{
    return &x->sources[op - x->op];
}

/* What a byte of @op costs: as many bytes as it has sources. */
static unsigned loopdma_weight(const LoopdmaOp *op)
{
    return loopdma_desc_is_parity(&op->desc) ? loopdma_desc_nsources(&op->desc)
                                             : 1;
}

/* Let go of @n segments. */
static void loopdma_unmap_segments(LoopdmaXfer *x, LoopdmaSegment *seg,
                                   unsigned n)
{
    for (; n; n--, seg++) {
        if (seg->src) {
            loopdma_mem_unmap(&x->mem, seg->src, 0);
        }
        if (seg->dst) {
            loopdma_mem_unmap(&x->mem, seg->dst, seg->moved);
        }
    }
}

/* One side of a piece of @op, which begins op->end bytes into it. */
static bool loopdma_map_side(LoopdmaXfer *x, LoopdmaOp *op, uint64_t base,
                             bool is_write, hwaddr *len, uint8_t **p)
{
    uint64_t addr = base + op->end;

    /* A buffer may not go on at address 0. */
    *p = addr >= base
         ? loopdma_mem_map(&x->mem, addr, x->reach, len, is_write) : NULL;
    if (!*p) {
        op->status = is_write ? LOOPDMA_ST_WRITE : LOOPDMA_ST_READ;
        op->fault = addr;
        return false;
    }
    return true;
}

/* Add one piece of @op, of @len bytes at the most. */
static bool loopdma_add_segment(LoopdmaXfer *x, LoopdmaOp *op, hwaddr len)
{
    LoopdmaSegment *seg = &x->seg[x->nsegs];

    *seg = (LoopdmaSegment) { };
    if (loopdma_desc_has_src(&op->desc) &&
        !loopdma_map_side(x, op, op->desc.src, false, &len, &seg->src)) {
        return false;
    }
    if (loopdma_desc_has_dst(&op->desc) &&
        !loopdma_map_side(x, op, op->desc.dst, true, &len, &seg->dst)) {
        loopdma_unmap_segments(x, seg, 1);
        return false;
    }
    seg->len = len;
    op->end += len;
    x->nsegs++;
    return true;
}

/* The same, for an op whose pieces are @n segments, one for each buffer. */
static bool loopdma_add_group(LoopdmaXfer *x, LoopdmaOp *op,
                              const LoopdmaBuffer *buf, unsigned n, hwaddr len)
{
    LoopdmaSegment *seg = &x->seg[x->nsegs];
    unsigned i;

    for (i = 0; i < n; i++) {
        seg[i] = (LoopdmaSegment) { };
        if (!loopdma_map_side(x, op, buf[i].addr, buf[i].is_write, &len,
                              buf[i].is_write ? &seg[i].dst : &seg[i].src)) {
            loopdma_unmap_segments(x, seg, i);
            return false;
        }
    }
    for (i = 0; i < n; i++) {
        seg[i].len = len;
    }
    op->end += len;
    x->nsegs += n;
    return true;
}

/* How @op ends once all of it is moved that it is to move. */
static void loopdma_set_outcome(LoopdmaXfer *x, LoopdmaOp *op)
{
    op->status = op->fail ? op->fail_status : LOOPDMA_ST_OK;
    op->fault = 0;
    if (op->fail && op->status == LOOPDMA_ST_READ) {
        op->fault = op->end + (loopdma_desc_is_parity(&op->desc)
                               ? loopdma_sources(x, op)->addr[0]
                               : op->desc.src);
    } else if (op->fail && op->status == LOOPDMA_ST_WRITE) {
        op->fault = op->end + op->desc.dst;
    }
}

/* Resolve what of @op this batch will move, and find out how it will end. */
static void loopdma_resolve(LoopdmaXfer *x, LoopdmaOp *op)
{
    bool parity = loopdma_desc_is_parity(&op->desc);
    LoopdmaBuffer buf[LOOPDMA_MAX_BUFFERS];
    unsigned n = parity ? loopdma_desc_buffers(&op->desc,
                                               loopdma_sources(x, op), buf)
                        : 1;
    uint64_t budget = LOOPDMA_BATCH_BYTES / loopdma_weight(op);
    uint32_t want = MIN(op->limit, op->moved + budget);

    op->end = op->moved;
    op->seg = x->nsegs;
    op->executed = true;

    while (op->end < want && x->nsegs + n <= LOOPDMA_SEGMENTS) {
        hwaddr len = want - op->end;

        if (!(parity ? loopdma_add_group(x, op, buf, n, len)
                     : loopdma_add_segment(x, op, len))) {
            op->final = true;
            return;
        }
    }

    op->final = op->end == op->limit;
    if (op->final) {
        loopdma_set_outcome(x, op);
    } else if (loopdma_desc_is_periph(&op->desc)) {
        /* Bursts are not divided between batches. */
        op->end -= op->end % loopdma_desc_burst(&op->desc);
    }
}

/* Let go of what was resolved for @op, the last one. */
static void loopdma_unresolve(LoopdmaXfer *x, const LoopdmaOp *op)
{
    loopdma_unmap_segments(x, &x->seg[op->seg], x->nsegs - op->seg);
    x->nsegs = op->seg;
}

/**
 * loopdma_xfer_release: let go of the memory of a batch
 * @x: the work of a channel
 *
 * Ops that are not through are prepared anew.
 */
void loopdma_xfer_release(LoopdmaXfer *x)
{
    loopdma_unmap_segments(x, x->seg, x->nsegs);
    x->nsegs = 0;
}

/**
 * loopdma_xfer_drop: drop a batch of which nothing was moved
 * @x: the work of a channel
 *
 * It is prepared anew.  What was carried over to it remains.
 */
void loopdma_xfer_drop(LoopdmaXfer *x)
{
    loopdma_xfer_release(x);
    x->nops = 0;
    x->prepared = false;
}

/**
 * loopdma_xfer_discard: drop a batch, and the op that was carried over to it
 * @x: the work of a channel
 */
void loopdma_xfer_discard(LoopdmaXfer *x)
{
    loopdma_xfer_drop(x);
    x->bytes = 0;
    x->carried = false;
}

static bool loopdma_overlaps(const LoopdmaBuffer *buf, uint32_t len,
                             uint64_t first, uint64_t last)
{
    /* What goes on at address 0 is refused there. */
    uint64_t end = MIN(len - 1, UINT64_MAX - buf->addr) + buf->addr;

    return first <= end && buf->addr <= last;
}

/**
 * loopdma_xfer_overlaps: does a batch move what is in a range?
 * @x: the work of a channel
 * @first: bus address
 * @last: that of the last byte
 *
 * With the BQL held, also while an engine copies.
 */
bool loopdma_xfer_overlaps(const LoopdmaXfer *x, uint64_t first, uint64_t last)
{
    LoopdmaBuffer buf[LOOPDMA_MAX_BUFFERS];
    unsigned i, j, n;

    for (i = 0; i < qatomic_read(&x->nops); i++) {
        const LoopdmaOp *op = &x->op[i];

        /* One that was refused moves nothing, and may hold anything. */
        n = qatomic_read(&op->end)
            ? loopdma_desc_buffers(&op->desc, &x->sources[i], buf) : 0;
        for (j = 0; j < n; j++) {
            if (loopdma_overlaps(&buf[j], op->desc.len, first, last)) {
                return true;
            }
        }
    }
    return false;
}

/* --- Prepare -------------------------------------------------------------- */

/*
 * Copy in the source list of a descriptor that has passed the checks.  Returns
 * what the descriptor is refused with.
 */
static uint8_t loopdma_fetch_sources(LoopdmaXfer *x, LoopdmaOp *op,
                                     uint64_t offset)
{
    const size_t len = offsetof(struct loopdma_hw_sources, rsvd);
    struct loopdma_hw_sources list;
    size_t got = loopdma_mem_read(&x->mem, op->desc.src, &list, len);

    if (got < len) {
        op->fault = op->desc.src + got;
        return LOOPDMA_ST_READ;
    }
    return loopdma_desc_decode_sources(&x->limits, &op->desc,
                                       loopdma_sources(x, op), &list, offset);
}

/* Take over @hw, which will be executed unless @skip or @aborted. */
static uint8_t loopdma_take_over(LoopdmaXfer *x, LoopdmaOp *op,
                                 const struct loopdma_hw_desc *hw, bool skip,
                                 bool aborted)
{
    unsigned i = op - x->op;
    uint8_t status = loopdma_desc_decode(&x->limits, &op->desc, &x->sources[i],
                                         &x->meta[i], hw);

    op->limit = op->fail ? MIN(op->limit, op->desc.len) : op->desc.len;
    if (aborted) {
        return LOOPDMA_ST_ABORTED;
    }
    if (skip) {
        return LOOPDMA_ST_SKIPPED;
    }
    if (status == LOOPDMA_ST_OK && loopdma_desc_is_parity(&op->desc)) {
        status = loopdma_fetch_sources(x, op, le64_to_cpu(hw->src_off));
    }
    return status;
}

/* What is left of an op, for each of its sources. */
static uint64_t loopdma_left(const LoopdmaOp *op)
{
    return (uint64_t)(op->limit - op->moved) * loopdma_weight(op);
}

static bool loopdma_is_movable(const LoopdmaOp *op)
{
    unsigned opcode = loopdma_desc_opcode(&op->desc);

    return (opcode == LOOPDMA_OP_COPY || opcode == LOOPDMA_OP_FILL) &&
           !(op->desc.ctrl & LOOPDMA_CTRL_CHAIN) && !op->moved;
}

/*
 * May @op be executed before the ops that precede it, which move @bytes?  Since
 * a run is not cut it has the length of a batch at the most.
 */
static bool loopdma_may_overtake(const LoopdmaXfer *x, const LoopdmaOp *op,
                                 uint64_t bytes)
{
    return loopdma_is_movable(&x->op[0]) && loopdma_is_movable(op) &&
           bytes + loopdma_left(op) <= LOOPDMA_BATCH_BYTES;
}

/* Have @op end as if all of it had been moved. */
static void loopdma_complete_early(LoopdmaOp *op)
{
    op->moved = op->desc.len;
    op->end = op->desc.len;
    op->final = true;
    op->executed = true;
    op->status = LOOPDMA_ST_OK;
}

/* Have @op end with what it was refused with. */
static void loopdma_refuse(LoopdmaOp *op, uint8_t status)
{
    op->executed = status != LOOPDMA_ST_ABORTED &&
                   status != LOOPDMA_ST_SKIPPED;
    op->final = true;
    op->status = status;
    op->end = op->moved;
}

/*
 * Find out what this batch does of @op, behind ops that move @bytes.  Returns
 * false if it is left to another batch.
 */
static bool loopdma_plan(LoopdmaXfer *x, const LoopdmaBatch *batch,
                         LoopdmaOp *op, uint8_t status, uint64_t bytes)
{
    bool overtakes = batch->reorder && op != x->op;

    if (overtakes && !loopdma_may_overtake(x, op, bytes)) {
        return false;
    }
    if (status != LOOPDMA_ST_OK) {
        loopdma_refuse(op, status);
        return true;
    }
    if (batch->early) {
        loopdma_complete_early(op);
        return true;
    }
    if (batch->at_once && loopdma_left(op) > batch->at_once - bytes) {
        return false;
    }
    loopdma_resolve(x, op);
    if (overtakes && !op->final) {
        loopdma_unresolve(x, op);
        return false;
    }
    return true;
}

/* Has the transaction begun that is next? */
static bool loopdma_has_begun(const LoopdmaXfer *x)
{
    return x->carried || x->order.chained;
}

/* Is what precedes count @count to be skipped no more? */
static bool loopdma_is_skipping(const LoopdmaXfer *x,
                                const LoopdmaBatch *batch)
{
    /* Nothing is left to abort, but skipping ends here all the same. */
    return x->skip && !(batch->aborting && batch->first == batch->abort_to);
}

/* What an unordered channel has begun is in the way, wherever it is. */
static bool loopdma_is_aborted(const LoopdmaXfer *x, const LoopdmaBatch *batch,
                               uint32_t count)
{
    return batch->aborting &&
           ((int32_t)(batch->abort_to - count) > 0 ||
            (x->order.unordered && loopdma_has_begun(x)));
}

/**
 * loopdma_xfer_starts: would a batch start a descriptor first of all?
 * @x: the work of a channel
 * @batch: what it is to do
 *
 * It would not if that was started before, or is not to be executed.
 */
bool loopdma_xfer_starts(const LoopdmaXfer *x, const LoopdmaBatch *batch)
{
    return !x->carried && !loopdma_is_aborted(x, batch, batch->first) &&
           !loopdma_is_skipping(x, batch);
}

/*
 * Find out where the batch begins, and how many descriptors it may take in.
 * CHAIN is read once more with the descriptor, and then decides.
 */
static unsigned loopdma_choose(LoopdmaXfer *x, const LoopdmaBatch *batch)
{
    uint32_t chain = 0;
    unsigned n = 0;

    if (x->order.unordered && batch->aborting && !x->carried &&
        x->order.at == batch->tail) {
        /* The guest has changed CHAIN, so that it has no end: do not wait. */
        x->order.chained = false;
        x->skip = false;
    }
    if (x->order.unordered && !loopdma_has_begun(x)) {
        /* An abort begins at the oldest. */
        if (!batch->aborting) {
            n = loopdma_ring_chains(&x->ring, &x->mem, batch->first,
                                    MIN(batch->tail - batch->first,
                                        LOOPDMA_WINDOW), &chain);
        }
        loopdma_order_choose(&x->order, batch->first, chain, n);
    }
    return loopdma_order_room(&x->order, batch->first, batch->tail);
}

/**
 * loopdma_xfer_prepare: the first step of a batch
 * @x: the work of a channel, of which nothing is prepared
 * @batch: what it is to do
 *
 * @prepared tells whether there is anything to copy or to write back.  Returns
 * false if the first descriptor cannot be read.
 */
bool loopdma_xfer_prepare(LoopdmaXfer *x, const LoopdmaBatch *batch)
{
    unsigned n, max = MIN(batch->max, loopdma_choose(x, batch));
    bool skip = loopdma_is_skipping(x, batch);
    bool begun = x->order.unordered && loopdma_has_begun(x);
    uint64_t bytes = 0;
    LoopdmaFetched fetched;

    fetched.n = 0;
    fetched.used = 0;
    x->nsegs = 0;
    for (n = 0; n < max && bytes < LOOPDMA_BATCH_BYTES; n++) {
        LoopdmaOp *op = &x->op[n];
        uint32_t count = x->order.at + n;
        bool aborted = loopdma_is_aborted(x, batch, count);
        uint8_t status = LOOPDMA_ST_OK;

        if (n || !x->carried) {
            const struct loopdma_hw_desc *hw =
                loopdma_ring_fetch(&x->ring, &x->mem, &fetched, count, max - n);

            if (!hw) {
                if (!n) {
                    loopdma_xfer_discard(x);
                    return false;
                }
                /* What came before is executed first. */
                break;
            }
            *op = (LoopdmaOp) {
                .fail = batch->fail && !n,
                .fail_status = batch->fail_status,
                .limit = batch->fail_bytes,
            };
            status = loopdma_take_over(x, op, hw, skip, aborted);
        } else if (aborted) {
            status = LOOPDMA_ST_ABORTED;
            op->fault = 0;
        }
        if (!loopdma_plan(x, batch, op, status, bytes)) {
            break;
        }
        bytes += (uint64_t)(op->end - op->moved) * loopdma_weight(op);
        if (!op->final) {
            n++;
            break;
        }
        /*
         * An abort ends the skipping; what is below its count is aborted.  But
         * what an unordered channel has begun ends as a whole.
         */
        skip = (!aborted || begun) && op->status != LOOPDMA_ST_OK &&
               (op->desc.ctrl & LOOPDMA_CTRL_CHAIN);
        op->skip = skip;
        if (x->order.unordered && !(op->desc.ctrl & LOOPDMA_CTRL_CHAIN)) {
            n++;
            break;
        }
    }

    trace_loopdma_prepare(x->index, x->order.at, n, bytes);
    x->nops = n;
    x->backwards = batch->reorder && n > 1;
    x->prepared = n || batch->aborting;
    return true;
}

/* --- Copy ----------------------------------------------------------------- */

/* Note that @n bytes of @op, in the segments from *@seg on, were moved. */
static void loopdma_advance(LoopdmaOp *op, LoopdmaSegment **seg, uint32_t n)
{
    op->moved += n;
    while (n) {
        uint32_t step = MIN(n, (*seg)->len - (*seg)->moved);

        (*seg)->moved += step;
        n -= step;
        if ((*seg)->moved == (*seg)->len) {
            (*seg)++;
        }
    }
}

/* Move a chunk of a COPY or FILL whose next byte is in segment *@seg. */
static void loopdma_copy_chunk(LoopdmaOp *op, LoopdmaSegment **seg)
{
    LoopdmaSegment *piece = *seg;
    uint32_t n = MIN(LOOPDMA_CHUNK_BYTES, piece->len - piece->moved);

    if (piece->src) {
        /* The guest may let source and destination overlap. */
        memmove(piece->dst + piece->moved, piece->src + piece->moved, n);
    } else {
        memset(piece->dst + piece->moved, op->desc.arg & LOOPDMA_ARG_BYTE, n);
    }
    loopdma_advance(op, seg, n);
}

/*
 * Compute a block of a parity op, whose next byte is in the group of segments
 * *@seg.  All of a block is read before any of it is written, so that a
 * destination may be a source.
 */
static void loopdma_copy_block(LoopdmaXfer *x, LoopdmaOp *op,
                               LoopdmaSegment **seg)
{
    const LoopdmaSources *sources = loopdma_sources(x, op);
    const LoopdmaDesc *desc = &op->desc;
    LoopdmaSegment *piece = *seg;
    uint32_t at = piece->moved;
    uint32_t n = MIN(LOOPDMA_BLOCK_BYTES, piece->len - at);
    bool has_p = !(desc->arg & LOOPDMA_ARG_NO_P);
    bool has_q = loopdma_desc_has_dst2(desc);
    uint8_t p[LOOPDMA_BLOCK_BYTES], q[LOOPDMA_BLOCK_BYTES];
    unsigned i, group;

    memset(p, 0, n);
    memset(q, 0, n);
    for (i = 0; i < loopdma_desc_nsources(desc); i++) {
        if (has_p) {
            loopdma_parity_add(p, piece[i].src + at, n);
        }
        if (has_q) {
            loopdma_parity_add_product(q, sources->coef[i], piece[i].src + at,
                                       n);
        }
    }
    if (loopdma_desc_reads_results(desc)) {
        if (loopdma_desc_has_dst(desc)) {
            loopdma_parity_add(p, piece[i++].src + at, n);
        }
        if (has_q) {
            loopdma_parity_add(q, piece[i++].src + at, n);
        }
    }
    if (!loopdma_desc_is_check(desc)) {
        if (loopdma_desc_has_dst(desc)) {
            memcpy(piece[i++].dst + at, p, n);
        }
        if (has_q) {
            memcpy(piece[i++].dst + at, q, n);
        }
    } else {
        if (!buffer_is_zero(p, n)) {
            op->wrong |= LOOPDMA_STATUS_P_WRONG;
        }
        if (!buffer_is_zero(q, n)) {
            op->wrong |= LOOPDMA_STATUS_Q_WRONG;
        }
    }

    group = i;
    for (i = 0; i < group; i++) {
        piece[i].moved += n;
    }
    op->moved += n;
    if (piece->moved == piece->len) {
        *seg += group;
    }
}

/*
 * The sink does not take the next byte of @op.  What was prepared behind it is
 * left to the next batch: it was not known that some of that is to be skipped.
 */
static void loopdma_refuse_data(LoopdmaXfer *x, LoopdmaOp *op)
{
    op->final = true;
    op->status = LOOPDMA_ST_DATA;
    op->fault = 0;
    op->skip = op->desc.ctrl & LOOPDMA_CTRL_CHAIN;
    /* Both are read by loopdma_xfer_overlaps(), which may run meanwhile. */
    qatomic_set(&op->end, op->moved);
    qatomic_set(&x->nops, op - x->op + 1);
}

/* Move a burst of a TX or RX.  Returns false if it has to wait. */
static bool loopdma_copy_burst(LoopdmaXfer *x, LoopdmaOp *op,
                               LoopdmaSegment **seg, LoopdmaCopied *copied)
{
    bool tx = loopdma_desc_opcode(&op->desc) == LOOPDMA_OP_TX;
    LoopdmaMeta *meta = &x->meta[op - x->op];
    LoopdmaSegment *piece = *seg;
    struct iovec iov[LOOPDMA_SEGMENTS];
    LoopdmaBurst burst = {
        .tx = tx,
        .iov = iov,
        .len = MIN(loopdma_desc_burst(&op->desc), op->end - op->moved),
        .meta = meta,
    };
    uint32_t left = burst.len;
    LoopdmaFlow flow;

    for (; left; piece++) {
        uint32_t n = MIN(left, piece->len - piece->moved);

        iov[burst.niov++] = (struct iovec) {
            (tx ? piece->src : piece->dst) + piece->moved, n
        };
        left -= n;
    }
    /* It is sent with the last byte, if nothing goes wrong. */
    if (tx && (!meta->len || !op->final || op->moved + burst.len < op->end ||
               op->status != LOOPDMA_ST_OK)) {
        burst.meta = NULL;
    }

    flow = loopdma_periph_move(&x->periph, &burst);
    if (flow == LOOPDMA_FLOW_WAIT_PEER || flow == LOOPDMA_FLOW_WAIT_UNTIL) {
        copied->waits = true;
        copied->until = burst.until;
        return false;
    }
    copied->wake_peer |= burst.wake_peer;
    loopdma_advance(op, seg, burst.moved);
    if (flow == LOOPDMA_FLOW_REFUSED) {
        loopdma_refuse_data(x, op);
    }
    return true;
}

/* Move what of @op is prepared; returns false if the copy has to end before. */
static bool loopdma_copy_op(LoopdmaXfer *x, LoopdmaOp *op,
                            LoopdmaCopied *copied)
{
    LoopdmaSegment *seg = &x->seg[op->seg];

    while (op->moved < op->end) {
        if (qatomic_read(&x->cut)) {
            return false;
        }
        if (loopdma_desc_is_parity(&op->desc)) {
            loopdma_copy_block(x, op, &seg);
        } else if (!loopdma_desc_is_periph(&op->desc)) {
            loopdma_copy_chunk(op, &seg);
        } else if (!loopdma_copy_burst(x, op, &seg, copied)) {
            return false;
        }
        /*
         * Behind the chunk, while @cut is before it: each batch gets further,
         * however often there is somebody who is in more of a hurry.
         */
        if (qatomic_read(&x->outranked)) {
            return false;
        }
    }
    return true;
}

/*
 * Move all of a run, the last first.  It is not cut: what is executed ahead of
 * others could not be told from what is not.
 */
static void loopdma_copy_backwards(LoopdmaXfer *x)
{
    unsigned i = x->nops;

    while (i--) {
        LoopdmaOp *op = &x->op[i];
        LoopdmaSegment *seg = &x->seg[op->seg];
        uint32_t before = op->moved;

        while (op->moved < op->end) {
            loopdma_copy_chunk(op, &seg);
        }
        x->bytes += op->moved - before;
    }
}

/**
 * loopdma_xfer_copy: the second step of a batch
 * @x: the work of a channel, of which a batch is prepared
 * @copied: set to what is to follow
 *
 * Needs neither the BQL nor anything that the guest controls, only what
 * prepare has resolved.  Ends at the next chunk edge after @cut is set.
 */
void loopdma_xfer_copy(LoopdmaXfer *x, LoopdmaCopied *copied)
{
    bool more = true;
    unsigned i;

    *copied = (LoopdmaCopied) { };
    if (unlikely(x->backwards)) {
        loopdma_copy_backwards(x);
        return;
    }
    for (i = 0; more && i < x->nops; i++) {
        LoopdmaOp *op = &x->op[i];
        uint32_t before = op->moved;

        more = loopdma_copy_op(x, op, copied);
        x->bytes += op->moved - before;
    }
}

/* --- Write back ----------------------------------------------------------- */

/* Is there metadata to be written?  Not for what was not completed. */
static bool loopdma_gives_meta(const LoopdmaOp *op)
{
    return op->status == LOOPDMA_ST_OK && loopdma_desc_wants_meta(&op->desc);
}

/* What was not completed has found nothing, and received no metadata. */
static uint32_t loopdma_status(const LoopdmaXfer *x, const LoopdmaOp *op)
{
    uint32_t status = op->status;

    if (loopdma_gives_meta(op)) {
        status = deposit32(status, ctz32(LOOPDMA_STATUS_META_LEN), 5,
                           x->meta[op - x->op].len);
    }
    return status | (op->status == LOOPDMA_ST_OK ? op->wrong : 0);
}

static bool loopdma_write_status(LoopdmaXfer *x, uint32_t count,
                                 const LoopdmaOp *op)
{
    struct loopdma_hw_desc desc = {
        .status = cpu_to_le32(loopdma_status(x, op)),
        .residue = cpu_to_le32(op->desc.len - op->moved),
        .fault_addr = cpu_to_le64(op->fault),
    };
    bool meta = loopdma_gives_meta(op);

    if (meta) {
        memcpy(desc.meta, x->meta[op - x->op].data, sizeof(desc.meta));
    }
    return loopdma_ring_write_back(&x->ring, &x->mem, count, &desc, meta,
                                   x->order.unordered);
}

/**
 * loopdma_xfer_write_back: the last step of a batch, its first half
 * @x: the work of a channel, of which a batch is prepared
 * @written: set to what came out
 *
 * Lets go of memory, and writes the statuses of ops that are through.  Returns
 * false if one cannot be written.
 */
bool loopdma_xfer_write_back(LoopdmaXfer *x, LoopdmaWritten *written)
{
    uint32_t first = x->order.at;
    unsigned n;

    /*
     * Before the guest can know that its memory was written, because this
     * invalidates what was translated from it.
     */
    loopdma_xfer_release(x);

    *written = (LoopdmaWritten) { .bytes = x->bytes };
    x->bytes = 0;
    for (n = 0; n < x->nops; n++) {
        const LoopdmaOp *op = &x->op[n];

        if (!op->final || op->moved < op->end) {
            break;
        }
        if (!loopdma_write_status(x, first + n, op)) {
            return false;
        }
        trace_loopdma_retire(x->index, first + n, loopdma_status(x, op),
                             op->desc.len - op->moved, op->fault);
        written->executed += op->executed;
        written->request |= op->desc.ctrl & LOOPDMA_CTRL_INT;
        x->skip = op->skip;
        /* What was aborted before it had begun has not begun by that. */
        x->order.chained = (op->desc.ctrl & LOOPDMA_CTRL_CHAIN) &&
                           (op->skip || op->status != LOOPDMA_ST_ABORTED);
    }
    written->count = n;
    return true;
}

/**
 * loopdma_xfer_publish: the last step of a batch, its second half
 * @x: the work of a channel
 * @done: the count to write to the completion record, or NULL
 * @progress: what to write there of an op that goes on, or NULL
 * @arm: set to the arm word
 *
 * Returns false if the completion record cannot be written.
 */
bool loopdma_xfer_publish(LoopdmaXfer *x, const uint32_t *done,
                          const uint64_t *progress, uint32_t *arm)
{
    hwaddr len = LOOPDMA_COMP_SIZE;
    uint8_t *p = loopdma_mem_map(&x->mem, x->comp, x->mem.last, &len, true);
    hwaddr written = 0;

    if (!p) {
        return false;
    }
    if (len < LOOPDMA_COMP_SIZE || !QEMU_PTR_IS_ALIGNED(p, sizeof(uint64_t))) {
        loopdma_mem_unmap(&x->mem, p, 0);
        return false;
    }
    /*
     * Data and statuses before done and progress.  Pairs with the driver's read
     * barrier between reading these and what they tell of.
     */
    smp_wmb();
    if (done) {
        qatomic_set((uint32_t *)p, cpu_to_le32(*done));
        written = sizeof(*done);
    }
    if (progress) {
        const size_t at = offsetof(struct loopdma_hw_comp, progress);

        qatomic_set_u64((uint64_t *)(p + at), cpu_to_le64(*progress));
        written = at + sizeof(*progress);
    }
    /*
     * done before arm.  Pairs with the driver's full barrier between writing
     * arm and reading done: one of the two sees what the other wrote.
     */
    smp_mb();
    p += offsetof(struct loopdma_hw_comp, arm);
    *arm = le32_to_cpu(qatomic_read((uint32_t *)p));
    p -= offsetof(struct loopdma_hw_comp, arm);
    loopdma_mem_unmap(&x->mem, p, written);
    return true;
}

/**
 * loopdma_xfer_carry: a batch is over
 * @x: the work of a channel
 * @count: ops that are through
 *
 * The others are dropped, and found again by the next batch; the first of them
 * has started, and is carried over.
 */
void loopdma_xfer_carry(LoopdmaXfer *x, unsigned count)
{
    x->carried = count < x->nops;
    if (x->carried && count) {
        x->op[0] = x->op[count];
        if (loopdma_desc_is_parity(&x->op[0].desc)) {
            x->sources[0] = x->sources[count];
        } else if (loopdma_desc_is_periph(&x->op[0].desc)) {
            x->meta[0] = x->meta[count];
        }
    }
    x->nops = 0;
    x->prepared = false;
}

/**
 * loopdma_xfer_carried_valid: can the op that a migration stream brings be?
 * @x: the work of a channel
 */
bool loopdma_xfer_carried_valid(const LoopdmaXfer *x)
{
    const LoopdmaOp *op = &x->op[0];
    uint16_t wrong = loopdma_desc_is_check(&op->desc)
                     ? LOOPDMA_STATUS_P_WRONG | LOOPDMA_STATUS_Q_WRONG : 0;

    return loopdma_desc_valid(&x->limits, &op->desc, &x->sources[0],
                              &x->meta[0]) &&
           op->limit <= op->desc.len && op->moved <= op->limit &&
           (op->fail || op->limit == op->desc.len) &&
           op->moved % loopdma_desc_burst(&op->desc) == 0 &&
           !(op->wrong & ~wrong);
}
