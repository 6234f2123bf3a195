/*
 * loopdma: the three steps of a channel's turn
 *
 * See loopdma-int.h for who may run them, and when.  Everything that a
 * descriptor or the completion record can make the device do is in this file.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/lockable.h"
#include "qemu/log.h"
#include "qemu/timer.h"
#include "qemu/rcu.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-int.h"

/* --- Guest memory -------------------------------------------------------- */

/*
 * Resolve a bus address to host memory, and take a reference to it.
 *
 * Returns NULL if the address is above @last, or not that of RAM which may be
 * accessed so.  Else *len is cut down to what is contiguous.
 *
 * This is not address_space_map(): that function hands out a bounce buffer for
 * everything that is not directly accessible, faults of an IOMMU included,
 * and accessing what is behind the buffer may need the BQL.  To look first
 * and to map then would be a race with changes of the memory map; so do both
 * with one translation.
 */
static void *loopdma_map(LoopdmaState *s, uint64_t addr, uint64_t last,
                         hwaddr *len, bool is_write)
{
    const MemTxAttrs attrs = { .memory = true };
    MemoryRegion *mr;
    hwaddr offset;

    if (addr > last) {
        return NULL;
    }
    *len = MIN(*len - 1, last - addr) + 1;

    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(pci_get_address_space(PCI_DEVICE(s)), addr,
                                 &offset, len, is_write, attrs);
    if (!loopdma_is_direct(mr, is_write, attrs)) {
        return NULL;
    }
    memory_region_ref(mr);
    if (!is_write) {
        fuzz_dma_read_cb(addr, *len, mr);
    }
    return memory_region_get_ram_ptr(mr) + offset;
}

/*
 * Drop what loopdma_map() has returned, of which @written bytes were written.
 *
 * address_space_unmap() is the one way to have all trackers told of a write
 * (migration, VGA, translated code), and it drops the reference.
 */
static void loopdma_unmap(LoopdmaState *s, void *p, hwaddr written)
{
    address_space_unmap(pci_get_address_space(PCI_DEVICE(s)), p, written,
                        written > 0, written);
}

/* Returns the number of bytes read, less than @len if some cannot be. */
static size_t loopdma_read(LoopdmaState *s, uint64_t addr, void *buf,
                           size_t len)
{
    size_t done = 0;

    /* What is read may not go on at address 0. */
    while (done < len && addr + done >= addr) {
        hwaddr n = len - done;
        void *p = loopdma_map(s, addr + done, loopdma_last_address(s), &n,
                              false);

        if (!p) {
            break;
        }
        memcpy(buf + done, p, n);
        loopdma_unmap(s, p, 0);
        done += n;
    }
    return done;
}

static bool loopdma_write(LoopdmaState *s, uint64_t addr, const void *buf,
                          size_t len)
{
    while (len) {
        hwaddr n = len;
        void *p = loopdma_map(s, addr, loopdma_last_address(s), &n, true);

        if (!p) {
            return false;
        }
        memcpy(p, buf, n);
        loopdma_unmap(s, p, n);
        addr += n;
        buf += n;
        len -= n;
    }
    return true;
}

static uint64_t loopdma_desc_addr(const LoopdmaChannel *ch, uint32_t count)
{
    uint32_t slot = count & ((1U << ch->ring_log2) - 1);

    return ch->ring + (uint64_t)slot * LOOPDMA_DESC_SIZE;
}

/*
 * Write to the completion record what is given of @done and @progress, and read
 * the arm word.
 */
static bool loopdma_publish(LoopdmaChannel *ch, const uint32_t *done,
                            const uint64_t *progress, uint32_t *arm)
{
    hwaddr len = LOOPDMA_COMP_SIZE;
    uint8_t *p = loopdma_map(ch->dev, ch->comp, loopdma_last_address(ch->dev),
                             &len, true);
    hwaddr written = 0;

    if (!p) {
        return false;
    }
    if (len < LOOPDMA_COMP_SIZE || !QEMU_PTR_IS_ALIGNED(p, sizeof(uint64_t))) {
        loopdma_unmap(ch->dev, p, 0);
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
    loopdma_unmap(ch->dev, p, written);
    return true;
}

/* --- Descriptors --------------------------------------------------------- */

static bool loopdma_is_periph(const LoopdmaOp *op)
{
    return loopdma_opcode(op) == LOOPDMA_OP_TX ||
           loopdma_opcode(op) == LOOPDMA_OP_RX;
}

static bool loopdma_is_xor(const LoopdmaOp *op)
{
    return loopdma_opcode(op) == LOOPDMA_OP_XOR ||
           loopdma_opcode(op) == LOOPDMA_OP_XOR_CHECK;
}

static bool loopdma_is_pq(const LoopdmaOp *op)
{
    return loopdma_opcode(op) == LOOPDMA_OP_PQ ||
           loopdma_opcode(op) == LOOPDMA_OP_PQ_CHECK;
}

/* Does it have a list of sources? */
static bool loopdma_is_parity(const LoopdmaOp *op)
{
    return loopdma_is_xor(op) || loopdma_is_pq(op);
}

static bool loopdma_is_check(const LoopdmaOp *op)
{
    return loopdma_opcode(op) == LOOPDMA_OP_XOR_CHECK ||
           loopdma_opcode(op) == LOOPDMA_OP_PQ_CHECK;
}

/* Does @src name a buffer?  That of the parity opcodes is a list of them. */
static bool loopdma_has_src(const LoopdmaOp *op)
{
    return loopdma_opcode(op) == LOOPDMA_OP_COPY ||
           loopdma_opcode(op) == LOOPDMA_OP_TX;
}

/* Does @dst? */
static bool loopdma_has_dst(const LoopdmaOp *op)
{
    switch (loopdma_opcode(op)) {
    case LOOPDMA_OP_COPY:
    case LOOPDMA_OP_RX:
    case LOOPDMA_OP_FILL:
    case LOOPDMA_OP_XOR:
        return true;
    default:
        return loopdma_is_pq(op) && !(op->arg & LOOPDMA_ARG_NO_P);
    }
}

/* Does @dst2? */
static bool loopdma_has_dst2(const LoopdmaOp *op)
{
    return loopdma_is_pq(op) && !(op->arg & LOOPDMA_ARG_NO_Q);
}

/* How many sources does it have? */
static unsigned loopdma_nsources(const LoopdmaOp *op)
{
    return op->arg & LOOPDMA_ARG_SOURCES;
}

static const LoopdmaSources *loopdma_sources(const LoopdmaChannel *ch,
                                             const LoopdmaOp *op)
{
    return &ch->sources[op - ch->op];
}

/* Does it read what is at @dst and @dst2? */
static bool loopdma_reads_results(const LoopdmaOp *op)
{
    return loopdma_is_check(op) || (op->arg & LOOPDMA_ARG_CONTINUE);
}

static unsigned loopdma_results(const LoopdmaChannel *ch, const LoopdmaOp *op,
                                bool is_write, LoopdmaBuffer *buf)
{
    unsigned n = 0;

    if (loopdma_has_dst(op)) {
        buf[n++] = (LoopdmaBuffer) { op->dst, is_write };
    }
    if (loopdma_has_dst2(op)) {
        buf[n++] = (LoopdmaBuffer) { loopdma_sources(ch, op)->dst2, is_write };
    }
    return n;
}

/**
 * loopdma_buffers: what a descriptor reads and writes
 * @ch: its channel
 * @op: one of ch->op that has passed the checks
 * @buf: where to put them: sources, then what is read of the results, then
 *     what is written; LOOPDMA_MAX_BUFFERS at the most
 *
 * Returns their number.
 */
unsigned loopdma_buffers(const LoopdmaChannel *ch, const LoopdmaOp *op,
                         LoopdmaBuffer *buf)
{
    const LoopdmaSources *sources = loopdma_sources(ch, op);
    unsigned n = 0;

    if (loopdma_is_parity(op)) {
        for (; n < loopdma_nsources(op); n++) {
            buf[n] = (LoopdmaBuffer) { sources->addr[n], false };
        }
    } else if (loopdma_has_src(op)) {
        buf[n++] = (LoopdmaBuffer) { op->src, false };
    }
    if (loopdma_reads_results(op)) {
        n += loopdma_results(ch, op, false, buf + n);
    }
    if (!loopdma_is_check(op)) {
        n += loopdma_results(ch, op, true, buf + n);
    }
    return n;
}

/* How many bytes of metadata does it send? */
static unsigned loopdma_meta_len(const LoopdmaOp *op)
{
    return loopdma_opcode(op) == LOOPDMA_OP_TX ? op->arg & LOOPDMA_ARG_META_LEN
                                               : 0;
}

/* Is the metadata that it has received to be written? */
static bool loopdma_gives_meta(const LoopdmaOp *op)
{
    return loopdma_opcode(op) == LOOPDMA_OP_RX &&
           (op->arg & LOOPDMA_ARG_META) && op->status == LOOPDMA_ST_OK;
}

static uint8_t loopdma_check_opcode(const LoopdmaChannel *ch,
                                    const LoopdmaOp *op)
{
    uint32_t need;

    switch (loopdma_opcode(op)) {
    case LOOPDMA_OP_NOP:
        return LOOPDMA_ST_OK;
    case LOOPDMA_OP_COPY:
        need = LOOPDMA_CH_CAPS_COPY;
        break;
    case LOOPDMA_OP_TX:
        need = LOOPDMA_CH_CAPS_TX;
        break;
    case LOOPDMA_OP_RX:
        need = LOOPDMA_CH_CAPS_RX;
        break;
    case LOOPDMA_OP_FILL:
        need = LOOPDMA_CH_CAPS_FILL;
        break;
    case LOOPDMA_OP_XOR:
    case LOOPDMA_OP_XOR_CHECK:
        need = LOOPDMA_CH_CAPS_XOR;
        break;
    case LOOPDMA_OP_PQ:
    case LOOPDMA_OP_PQ_CHECK:
        need = LOOPDMA_CH_CAPS_PQ;
        break;
    default:
        return LOOPDMA_ST_OPCODE;
    }
    return loopdma_channel_caps(ch) & need ? LOOPDMA_ST_OK
                                           : LOOPDMA_ST_OPCODE;
}

/* The bits of @arg that are not reserved. */
static uint32_t loopdma_arg_fields(const LoopdmaState *s, const LoopdmaOp *op)
{
    bool metadata = s->caps & LOOPDMA_CAPS_METADATA;
    const uint32_t pq = LOOPDMA_ARG_SOURCES | LOOPDMA_ARG_NO_P |
                        LOOPDMA_ARG_NO_Q;

    switch (loopdma_opcode(op)) {
    case LOOPDMA_OP_TX:
        return metadata ? LOOPDMA_ARG_META_LEN : 0;
    case LOOPDMA_OP_RX:
        return metadata ? LOOPDMA_ARG_META : 0;
    case LOOPDMA_OP_FILL:
        return LOOPDMA_ARG_BYTE;
    case LOOPDMA_OP_XOR:
    case LOOPDMA_OP_XOR_CHECK:
        return LOOPDMA_ARG_SOURCES;
    case LOOPDMA_OP_PQ:
        return pq | LOOPDMA_ARG_CONTINUE;
    case LOOPDMA_OP_PQ_CHECK:
        return pq;
    default:
        return 0;
    }
}

static bool loopdma_reserved_set(const LoopdmaState *s, const LoopdmaOp *op)
{
    uint32_t ctrl = LOOPDMA_CTRL_OPCODE | LOOPDMA_CTRL_INT |
                    LOOPDMA_CTRL_CHAIN;
    uint32_t periph = loopdma_is_periph(op) ? LOOPDMA_PERIPH_WIDTH |
                                              LOOPDMA_PERIPH_BURST : 0;

    return (op->ctrl & ~ctrl) || (op->periph & ~periph) ||
           (op->arg & ~loopdma_arg_fields(s, op)) ||
           (op->src && !loopdma_has_src(op) && !loopdma_is_parity(op)) ||
           (op->dst && !loopdma_has_dst(op));
}

static uint8_t loopdma_check_periph(const LoopdmaState *s, const LoopdmaOp *op)
{
    unsigned width = op->periph & LOOPDMA_PERIPH_WIDTH;
    uint32_t mask = (1U << width) - 1;

    if (op->len & mask) {
        return LOOPDMA_ST_LENGTH;
    }
    if (!(s->fifo_widths & (1U << width)) ||
        op->periph >> 16 > s->fifo_max_burst ||
        loopdma_burst_bytes(op) > s->fifo_depth) {
        return LOOPDMA_ST_PERIPH;
    }
    if (loopdma_meta_len(op) > LOOPDMA_META_SIZE) {
        return LOOPDMA_ST_ARG;
    }
    return (op->src | op->dst) & mask ? LOOPDMA_ST_ALIGN : LOOPDMA_ST_OK;
}

static uint8_t loopdma_check_memory(const LoopdmaChannel *ch,
                                    const LoopdmaOp *op)
{
    const LoopdmaState *s = ch->dev;
    uint64_t aligned = op->dst | op->len;

    if (loopdma_is_parity(op)) {
        if (!loopdma_nsources(op) || loopdma_nsources(op) > s->max_sources ||
            (loopdma_is_pq(op) && !loopdma_has_dst(op) &&
             !loopdma_has_dst2(op))) {
            return LOOPDMA_ST_ARG;
        }
        if (op->src & (LOOPDMA_SOURCES_ALIGN - 1)) {
            return LOOPDMA_ST_ALIGN;
        }
        if (loopdma_has_dst2(op)) {
            aligned |= loopdma_sources(ch, op)->dst2;
        }
    } else {
        aligned |= op->src;
    }
    return aligned & ((1U << s->copy_align) - 1) ? LOOPDMA_ST_ALIGN
                                                 : LOOPDMA_ST_OK;
}

/*
 * What a descriptor is refused with.  The fields that @op has no room for are
 * not looked at.
 */
static uint8_t loopdma_check(const LoopdmaChannel *ch, const LoopdmaOp *op)
{
    uint8_t status = loopdma_check_opcode(ch, op);

    if (status != LOOPDMA_ST_OK) {
        return status;
    }
    if (loopdma_reserved_set(ch->dev, op)) {
        return LOOPDMA_ST_RESERVED;
    }
    if (loopdma_opcode(op) == LOOPDMA_OP_NOP) {
        return op->len ? LOOPDMA_ST_LENGTH : LOOPDMA_ST_OK;
    }
    if (!op->len || op->len > ch->dev->max_len) {
        return LOOPDMA_ST_LENGTH;
    }
    return loopdma_is_periph(op) ? loopdma_check_periph(ch->dev, op)
                                 : loopdma_check_memory(ch, op);
}

static bool loopdma_sources_aligned(const LoopdmaChannel *ch,
                                    const LoopdmaOp *op)
{
    uint64_t addresses = 0;
    unsigned i;

    for (i = 0; i < loopdma_nsources(op); i++) {
        addresses |= loopdma_sources(ch, op)->addr[i];
    }
    return !(addresses & ((1U << ch->dev->copy_align) - 1));
}

static bool loopdma_carried_meta_good(const LoopdmaChannel *ch)
{
    const LoopdmaOp *op = &ch->op[0];
    const LoopdmaMeta *meta = &ch->meta[0];

    return loopdma_meta_good(meta) &&
           (loopdma_opcode(op) != LOOPDMA_OP_TX ||
            meta->len == loopdma_meta_len(op));
}

/**
 * loopdma_carried_good: can the op that a migration stream brings be?
 * @ch: its channel
 */
bool loopdma_carried_good(const LoopdmaChannel *ch)
{
    const LoopdmaOp *op = &ch->op[0];
    uint16_t wrong = loopdma_is_check(op) ? LOOPDMA_STATUS_P_WRONG |
                                            LOOPDMA_STATUS_Q_WRONG : 0;

    return loopdma_check(ch, op) == LOOPDMA_ST_OK &&
           (!loopdma_is_parity(op) || loopdma_sources_aligned(ch, op)) &&
           (!loopdma_is_periph(op) || loopdma_carried_meta_good(ch)) &&
           op->limit <= op->len && op->moved <= op->limit &&
           (op->fail || op->limit == op->len) &&
           op->moved % loopdma_burst_bytes(op) == 0 && !(op->wrong & ~wrong);
}

/* What goes with a TX; with an RX nothing, so far. */
static void loopdma_load_meta(LoopdmaMeta *meta, const LoopdmaOp *op,
                              const struct loopdma_hw_desc *desc)
{
    *meta = (LoopdmaMeta) {
        .len = MIN(loopdma_meta_len(op), LOOPDMA_META_SIZE),
    };
    memcpy(meta->data, desc->meta, meta->len);
}

/* Is something set of the fields that @op has no room for, and is reserved? */
static bool loopdma_rest_set(const LoopdmaOp *op,
                             const struct loopdma_hw_desc *desc)
{
    unsigned len = MIN(loopdma_meta_len(op), LOOPDMA_META_SIZE);

    if (loopdma_is_periph(op)) {
        return !buffer_is_zero(desc->meta + len, LOOPDMA_META_SIZE - len);
    }
    return (desc->dst2 && !loopdma_has_dst2(op)) ||
           (desc->src_off && !loopdma_is_parity(op));
}

/*
 * Take over a descriptor that was copied in.  The test controls' part of @op
 * is filled in already.
 */
static uint8_t loopdma_decode(LoopdmaChannel *ch, LoopdmaOp *op,
                              const struct loopdma_hw_desc *desc)
{
    uint8_t status;

    op->ctrl = le32_to_cpu(desc->ctrl);
    op->len = le32_to_cpu(desc->len);
    op->src = le64_to_cpu(desc->src);
    op->dst = le64_to_cpu(desc->dst);
    op->periph = le32_to_cpu(desc->periph);
    op->arg = le32_to_cpu(desc->arg);
    op->limit = op->fail ? MIN(op->limit, op->len) : op->len;
    if (loopdma_is_parity(op)) {
        ch->sources[op - ch->op].dst2 = le64_to_cpu(desc->dst2);
    } else if (loopdma_is_periph(op)) {
        loopdma_load_meta(&ch->meta[op - ch->op], op, desc);
    }

    status = loopdma_check(ch, op);
    if (status != LOOPDMA_ST_OPCODE && loopdma_rest_set(op, desc)) {
        status = LOOPDMA_ST_RESERVED;
    }
    return status;
}

/*
 * Copy in the source list of a descriptor that has passed the checks, and add
 * @offset to its addresses.  Returns what the descriptor is refused with.
 */
static uint8_t loopdma_fetch_sources(LoopdmaChannel *ch, LoopdmaOp *op,
                                     uint64_t offset)
{
    const size_t len = offsetof(struct loopdma_hw_sources, rsvd);
    LoopdmaSources *sources = &ch->sources[op - ch->op];
    struct loopdma_hw_sources list;
    size_t got = loopdma_read(ch->dev, op->src, &list, len);
    unsigned i;

    if (got < len) {
        op->fault = op->src + got;
        return LOOPDMA_ST_READ;
    }
    for (i = 0; i < LOOPDMA_MAX_SOURCES; i++) {
        sources->addr[i] = le64_to_cpu(list.addr[i]) + offset;
    }
    memcpy(sources->coef, list.coef, sizeof(sources->coef));
    return loopdma_sources_aligned(ch, op) ? LOOPDMA_ST_OK : LOOPDMA_ST_ALIGN;
}

/*
 * What the test controls say to a turn.  @max: descriptors that it may take in;
 * @counted: each is asked for with loopdma_tc_start(); @delay: CH_TC_DELAY;
 * @reorder: the last is executed first; @early: the descriptor that has just
 * started is to be retired as if it were executed.
 */
typedef struct LoopdmaControls {
    unsigned max;
    bool counted;
    uint32_t delay;
    bool reorder;
    bool early;
} LoopdmaControls;

/* With the lock held.  Returns false if the channel is stuck. */
static bool loopdma_tc_look(const LoopdmaChannel *ch, LoopdmaControls *tc)
{
    tc->delay = ch->tc_delay;
    tc->counted = ch->tc_hold || ch->tc_delay || ch->tc_early ||
                  (ch->tc_fail & LOOPDMA_CH_TC_FAIL_AFTER);
    tc->reorder = !tc->counted && ch->tc_reorder > 1;
    if (tc->counted) {
        /* Start none that might be put off. */
        tc->max = 1;
    } else if (tc->reorder) {
        tc->max = MIN(tc->max, ch->tc_reorder);
    }
    return !ch->tc_stuck;
}

/* Has the descriptor with this count waited for so many microseconds? */
static bool loopdma_tc_waited(LoopdmaChannel *ch, uint32_t count,
                              uint32_t delay)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    LoopdmaWait *wait = &ch->wait;
    int64_t due;

    if (!wait->begun || wait->count != count) {
        wait->begun = true;
        wait->count = count;
        wait->since = now;
    }
    /* A migration stream may bring one that is still to come. */
    wait->since = MIN(wait->since, now);
    due = wait->since + (int64_t)delay * SCALE_US;
    if (due > now) {
        trace_loopdma_delay(ch->index, count, due - now);
        loopdma_wake_at(ch, due);
        return false;
    }
    return true;
}

/*
 * The descriptor with this count is about to start.  Returns false if it may
 * not, because it has not waited for long enough, or the channel is held and
 * has no credit.
 */
static bool loopdma_tc_start(LoopdmaChannel *ch, LoopdmaOp *op, uint32_t count,
                             LoopdmaControls *tc)
{
    uint32_t after;

    if (tc->delay && !loopdma_tc_waited(ch, count, tc->delay)) {
        return false;
    }

    QEMU_LOCK_GUARD(&ch->dev->lock);
    if (ch->tc_hold) {
        if (!ch->tc_credits) {
            return false;
        }
        ch->tc_credits--;
    }
    after = ch->tc_fail & LOOPDMA_CH_TC_FAIL_AFTER;
    if (after) {
        ch->tc_fail--;
        if (after == 1) {
            op->fail = true;
            op->fail_status = extract32(ch->tc_fail, 16, 8);
            op->limit = ch->tc_fail_bytes;
        }
    }
    if (ch->tc_early) {
        ch->tc_early--;
        tc->early = !op->fail;
    }
    loopdma_update_test_controls(ch);
    return true;
}

/* --- Prepare ------------------------------------------------------------- */

/* One side of a piece of @op, which begins op->end bytes into it. */
static bool loopdma_map_side(LoopdmaChannel *ch, LoopdmaOp *op, uint64_t base,
                             bool is_write, hwaddr *len, uint8_t **p)
{
    uint64_t addr = base + op->end;

    /* A buffer may not go on at address 0. */
    *p = addr >= base ? loopdma_map(ch->dev, addr, ch->reach, len, is_write)
                      : NULL;
    if (!*p) {
        op->status = is_write ? LOOPDMA_ST_WRITE : LOOPDMA_ST_READ;
        op->fault = addr;
        return false;
    }
    return true;
}

/* Let go of @n segments. */
static void loopdma_unmap_segments(LoopdmaChannel *ch, LoopdmaSegment *seg,
                                   unsigned n)
{
    for (; n; n--, seg++) {
        if (seg->src) {
            loopdma_unmap(ch->dev, seg->src, 0);
        }
        if (seg->dst) {
            loopdma_unmap(ch->dev, seg->dst, seg->moved);
        }
    }
}

/* Add one piece of @op, of @len bytes at the most. */
static bool loopdma_add_segment(LoopdmaChannel *ch, LoopdmaOp *op, hwaddr len)
{
    LoopdmaSegment *seg = &ch->seg[ch->nsegs];

    *seg = (LoopdmaSegment) { };
    if (loopdma_has_src(op) &&
        !loopdma_map_side(ch, op, op->src, false, &len, &seg->src)) {
        return false;
    }
    if (loopdma_has_dst(op) &&
        !loopdma_map_side(ch, op, op->dst, true, &len, &seg->dst)) {
        loopdma_unmap_segments(ch, seg, 1);
        return false;
    }
    seg->len = len;
    op->end += len;
    ch->nsegs++;
    return true;
}

/* The same, for an op whose pieces are @n segments, one for each buffer. */
static bool loopdma_add_group(LoopdmaChannel *ch, LoopdmaOp *op,
                              const LoopdmaBuffer *buf, unsigned n, hwaddr len)
{
    LoopdmaSegment *seg = &ch->seg[ch->nsegs];
    unsigned i;

    for (i = 0; i < n; i++) {
        seg[i] = (LoopdmaSegment) { };
        if (!loopdma_map_side(ch, op, buf[i].addr, buf[i].is_write, &len,
                              buf[i].is_write ? &seg[i].dst : &seg[i].src)) {
            loopdma_unmap_segments(ch, seg, i);
            return false;
        }
    }
    for (i = 0; i < n; i++) {
        seg[i].len = len;
    }
    op->end += len;
    ch->nsegs += n;
    return true;
}

/* How @op ends once all of it is moved that it is to move. */
static void loopdma_set_outcome(const LoopdmaChannel *ch, LoopdmaOp *op)
{
    op->status = op->fail ? op->fail_status : LOOPDMA_ST_OK;
    op->fault = 0;
    if (op->fail && op->status == LOOPDMA_ST_READ) {
        op->fault = op->end + (loopdma_is_parity(op)
                               ? loopdma_sources(ch, op)->addr[0] : op->src);
    } else if (op->fail && op->status == LOOPDMA_ST_WRITE) {
        op->fault = op->end + op->dst;
    }
}

/*
 * Resolve what of @op this turn will move, and find out how it will end.
 */
static void loopdma_resolve(LoopdmaChannel *ch, LoopdmaOp *op)
{
    bool parity = loopdma_is_parity(op);
    LoopdmaBuffer buf[LOOPDMA_MAX_BUFFERS];
    unsigned n = parity ? loopdma_buffers(ch, op, buf) : 1;
    uint64_t budget = parity ? LOOPDMA_TURN_BYTES / loopdma_nsources(op)
                             : LOOPDMA_TURN_BYTES;
    uint32_t want = MIN(op->limit, op->moved + budget);

    op->end = op->moved;
    op->seg = ch->nsegs;
    op->executed = true;

    while (op->end < want && ch->nsegs + n <= LOOPDMA_SEGMENTS) {
        hwaddr len = want - op->end;

        if (!(parity ? loopdma_add_group(ch, op, buf, n, len)
                     : loopdma_add_segment(ch, op, len))) {
            op->final = true;
            return;
        }
    }

    op->final = op->end == op->limit;
    if (op->final) {
        loopdma_set_outcome(ch, op);
    } else if (loopdma_is_periph(op)) {
        /* Bursts are not divided between turns. */
        op->end -= op->end % loopdma_burst_bytes(op);
    }
}

/* Let go of what was resolved for @op, the last one. */
static void loopdma_unresolve(LoopdmaChannel *ch, const LoopdmaOp *op)
{
    loopdma_unmap_segments(ch, &ch->seg[op->seg], ch->nsegs - op->seg);
    ch->nsegs = op->seg;
}

/* Have @op end as if all of it had been moved. */
static void loopdma_pretend(LoopdmaOp *op)
{
    op->moved = op->len;
    op->end = op->len;
    op->final = true;
    op->executed = true;
    op->status = LOOPDMA_ST_OK;
}

/* Copy in descriptors from @count on; returns how many, 0 if none is there. */
static unsigned loopdma_fetch(LoopdmaChannel *ch, uint32_t count, unsigned max,
                              struct loopdma_hw_desc *desc)
{
    uint32_t size = 1U << ch->ring_log2;
    size_t len = MIN(max, size - (count & (size - 1))) * sizeof(*desc);

    /*
     * Doorbell before descriptors: the doorbell value was read under the lock
     * under which it was stored.  Pairs with the driver's write barrier
     * between descriptors and doorbell.
     */
    len = loopdma_read(ch->dev, loopdma_desc_addr(ch, count), desc, len);
    return len / sizeof(*desc);
}

/* What is left of a descriptor, for each of its sources. */
static uint64_t loopdma_left(const LoopdmaOp *op)
{
    return (uint64_t)(op->limit - op->moved) *
           (loopdma_is_parity(op) ? loopdma_nsources(op) : 1);
}

static bool loopdma_is_movable(const LoopdmaOp *op)
{
    return (loopdma_opcode(op) == LOOPDMA_OP_COPY ||
            loopdma_opcode(op) == LOOPDMA_OP_FILL) &&
           !(op->ctrl & LOOPDMA_CTRL_CHAIN) && !op->moved;
}

/*
 * May @op be executed before the ops that precede it, which move @bytes?  Since
 * a run is not cut it has the length of a turn at the most.
 */
static bool loopdma_may_overtake(const LoopdmaChannel *ch, const LoopdmaOp *op,
                                 uint64_t bytes)
{
    return loopdma_is_movable(&ch->op[0]) && loopdma_is_movable(op) &&
           bytes + loopdma_left(op) <= LOOPDMA_TURN_BYTES;
}

/**
 * loopdma_prepare: the first step of a turn
 * @ch: a channel of which the caller owns the turn
 * @at_once: bytes, to leave alone a descriptor that would make it more; or 0
 *
 * Returns whether there is anything to copy or retire.
 */
bool loopdma_prepare(LoopdmaChannel *ch, uint32_t at_once)
{
    struct loopdma_hw_desc desc[LOOPDMA_BATCH];
    LoopdmaControls tc = { .max = LOOPDMA_BATCH };
    LoopdmaState *s = ch->dev;
    unsigned max, n, fetched = 0, used = 0;
    uint32_t first, tail, abort_to;
    uint64_t bytes = 0;
    bool aborting;
    bool skip = ch->skip;

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        if (!loopdma_runnable(ch)) {
            return false;
        }
        qatomic_set(&ch->cut, false);
        ch->again = false;
        first = ch->retired;
        tail = ch->tail;
        aborting = ch->aborting;
        abort_to = ch->abort_to;
        if (unlikely(ch->tc_active) && !loopdma_tc_look(ch, &tc)) {
            return false;
        }
    }

    if (aborting && first == abort_to) {
        /* Nothing is left to abort, but skipping ends here all the same. */
        skip = false;
    }
    if (!ch->carried) {
        ch->began = get_clock();
    }
    loopdma_unpace(ch);
    max = MIN(tc.max, tail - first);
    ch->held = false;
    ch->nsegs = 0;

    for (n = 0; n < max && bytes < LOOPDMA_TURN_BYTES; n++) {
        LoopdmaOp *op = &ch->op[n];
        bool aborted = aborting && (int32_t)(abort_to - (first + n)) > 0;
        uint8_t status = LOOPDMA_ST_OK;

        if (n || !ch->carried) {
            *op = (LoopdmaOp) { };
            if (tc.counted && !aborted && !skip &&
                !loopdma_tc_start(ch, op, first + n, &tc)) {
                break;
            }
            if (used == fetched) {
                used = 0;
                fetched = loopdma_fetch(ch, first + n, max - n, desc);
                if (!fetched) {
                    if (!n) {
                        loopdma_fail(ch, LOOPDMA_CHERR_FETCH);
                        loopdma_discard(ch);
                        return false;
                    }
                    /* What came before is executed first. */
                    break;
                }
            }
            status = loopdma_decode(ch, op, &desc[used]);
            if (skip && !aborted) {
                status = LOOPDMA_ST_SKIPPED;
            } else if (status == LOOPDMA_ST_OK && !aborted &&
                       loopdma_is_parity(op)) {
                status = loopdma_fetch_sources(ch, op,
                                               le64_to_cpu(desc[used].src_off));
            }
            used++;
        }
        if (aborted) {
            status = LOOPDMA_ST_ABORTED;
            op->fault = 0;
        }

        if (tc.reorder && n && !loopdma_may_overtake(ch, op, bytes)) {
            break;
        }
        if (status == LOOPDMA_ST_OK && tc.early) {
            loopdma_pretend(op);
        } else if (status == LOOPDMA_ST_OK) {
            if (at_once && loopdma_left(op) > at_once - bytes) {
                break;
            }
            loopdma_resolve(ch, op);
            if (tc.reorder && n && !op->final) {
                loopdma_unresolve(ch, op);
                break;
            }
        } else {
            op->executed = !aborted && !skip;
            op->final = true;
            op->status = status;
            op->end = op->moved;
        }
        bytes += (uint64_t)(op->end - op->moved) *
                 (loopdma_is_parity(op) ? loopdma_nsources(op) : 1);
        if (!op->final) {
            n++;
            break;
        }
        /* An abort ends the skipping; what is below its count is aborted. */
        skip = !aborted && op->status != LOOPDMA_ST_OK &&
               (op->ctrl & LOOPDMA_CTRL_CHAIN);
        op->skip = skip;
    }

    trace_loopdma_prepare(ch->index, first, n, bytes);
    ch->nops = n;
    ch->backwards = tc.reorder && n > 1;
    ch->prepared = n || aborting;
    return ch->prepared;
}

/* --- Copy ---------------------------------------------------------------- */

/* Move a chunk of a COPY or FILL whose next byte is in segment *@seg. */
static void loopdma_copy_chunk(LoopdmaOp *op, LoopdmaSegment **seg)
{
    LoopdmaSegment *piece = *seg;
    uint32_t n = MIN(LOOPDMA_CHUNK_BYTES, piece->len - piece->moved);

    if (piece->src) {
        /* The guest may let source and destination overlap. */
        memmove(piece->dst + piece->moved, piece->src + piece->moved, n);
    } else {
        memset(piece->dst + piece->moved, op->arg & LOOPDMA_ARG_BYTE, n);
    }
    piece->moved += n;
    op->moved += n;
    if (piece->moved == piece->len) {
        (*seg)++;
    }
}

/*
 * Compute a block of an op of the XOR or PQ kinds, whose next byte is in the
 * group of segments *@seg.  All of a block is read before any of it is written,
 * so that a destination may be a source.
 */
static void loopdma_copy_block(const LoopdmaChannel *ch, LoopdmaOp *op,
                               LoopdmaSegment **seg)
{
    const LoopdmaSources *sources = loopdma_sources(ch, op);
    LoopdmaSegment *piece = *seg;
    uint32_t at = piece->moved;
    uint32_t n = MIN(LOOPDMA_BLOCK_BYTES, piece->len - at);
    bool has_p = !(op->arg & LOOPDMA_ARG_NO_P);
    bool has_q = loopdma_has_dst2(op);
    uint8_t p[LOOPDMA_BLOCK_BYTES], q[LOOPDMA_BLOCK_BYTES];
    unsigned i, group;

    memset(p, 0, n);
    memset(q, 0, n);
    for (i = 0; i < loopdma_nsources(op); i++) {
        if (has_p) {
            loopdma_add(p, piece[i].src + at, n);
        }
        if (has_q) {
            loopdma_add_product(q, sources->coef[i], piece[i].src + at, n);
        }
    }
    if (loopdma_reads_results(op)) {
        if (loopdma_has_dst(op)) {
            loopdma_add(p, piece[i++].src + at, n);
        }
        if (has_q) {
            loopdma_add(q, piece[i++].src + at, n);
        }
    }
    if (!loopdma_is_check(op)) {
        if (loopdma_has_dst(op)) {
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

/* Move what of @op is prepared; returns false if the turn has to end before. */
static bool loopdma_copy_op(LoopdmaChannel *ch, LoopdmaOp *op)
{
    LoopdmaSegment *seg = &ch->seg[op->seg];

    while (op->moved < op->end) {
        if (qatomic_read(&ch->cut)) {
            return false;
        }
        if (loopdma_is_parity(op)) {
            loopdma_copy_block(ch, op, &seg);
        } else if (!loopdma_is_periph(op)) {
            loopdma_copy_chunk(op, &seg);
        } else if (!loopdma_copy_burst(ch, op, &seg)) {
            ch->held = true;
            return false;
        }
        /*
         * Behind the chunk, while @cut is before it: each turn gets further,
         * however often there is somebody who is in more of a hurry.
         */
        if (qatomic_read(&ch->outranked)) {
            return false;
        }
    }
    return true;
}

/*
 * Move all of a run, the last first.  It is not cut: what is executed ahead of
 * others could not be told from what is not.
 */
static void loopdma_copy_backwards(LoopdmaChannel *ch)
{
    unsigned i = ch->nops;

    while (i--) {
        LoopdmaOp *op = &ch->op[i];
        LoopdmaSegment *seg = &ch->seg[op->seg];
        uint32_t before = op->moved;

        while (op->moved < op->end) {
            loopdma_copy_chunk(op, &seg);
        }
        ch->bytes += op->moved - before;
    }
}

/**
 * loopdma_copy: the second step of a turn
 * @ch: a prepared channel
 *
 * Needs neither the BQL nor anything that the guest controls, only what
 * prepare has resolved.  Ends at the next chunk edge after ch->cut is set.
 */
void loopdma_copy(LoopdmaChannel *ch)
{
    bool more = true;
    unsigned i;

    if (unlikely(ch->backwards)) {
        loopdma_copy_backwards(ch);
        return;
    }
    for (i = 0; more && i < ch->nops; i++) {
        LoopdmaOp *op = &ch->op[i];
        uint32_t before = op->moved;

        more = loopdma_copy_op(ch, op);
        ch->bytes += op->moved - before;
    }
}

/* --- Retire -------------------------------------------------------------- */

/* Let go of the memory of a turn; ops that are not through begin anew. */
void loopdma_release(LoopdmaChannel *ch)
{
    loopdma_unmap_segments(ch, ch->seg, ch->nsegs);
    ch->nsegs = 0;
}

/* Forget a turn and the op that was carried over to it. */
void loopdma_discard(LoopdmaChannel *ch)
{
    loopdma_release(ch);
    loopdma_unpace(ch);
    ch->bytes = 0;
    ch->nops = 0;
    ch->prepared = false;
    ch->carried = false;
    ch->held = false;
    ch->wait.begun = false;
}

/* What was not completed has found nothing, and received no metadata. */
static uint32_t loopdma_status(const LoopdmaChannel *ch, const LoopdmaOp *op)
{
    uint32_t status = op->status;

    if (loopdma_gives_meta(op)) {
        status = deposit32(status, ctz32(LOOPDMA_STATUS_META_LEN), 5,
                           ch->meta[op - ch->op].len);
    }
    return status | (op->status == LOOPDMA_ST_OK ? op->wrong : 0);
}

static bool loopdma_write_status(LoopdmaChannel *ch, uint32_t count,
                                 const LoopdmaOp *op)
{
    struct loopdma_hw_desc desc = {
        .status = cpu_to_le32(loopdma_status(ch, op)),
        .residue = cpu_to_le32(op->len - op->moved),
        .fault_addr = cpu_to_le64(op->fault),
    };
    size_t start = offsetof(struct loopdma_hw_desc, status);

    if (loopdma_gives_meta(op)) {
        start = offsetof(struct loopdma_hw_desc, meta);
        memcpy(desc.meta, ch->meta[op - ch->op].data, sizeof(desc.meta));
    }
    return loopdma_write(ch->dev, loopdma_desc_addr(ch, count) + start,
                         (uint8_t *)&desc + start, sizeof(desc) - start);
}

/*
 * A request for the channel's interrupt: is one to be sent?  When, is for the
 * end of the turn to say.  Called with the lock held.
 */
static void loopdma_judge(LoopdmaChannel *ch, uint32_t arm, int64_t now)
{
    if (ch->raised && ch->token == arm) {
        return;
    }
    ch->raised = true;
    ch->token = arm;
    if (ch->tc_drop_irq) {
        ch->tc_drop_irq--;
        return;
    }
    if (!(ch->dev->irq_due & 1U << ch->index)) {
        ch->dev->irq_due |= 1U << ch->index;
        ch->irq_since = now;
    }
}

/* Write the statuses of the *@count ops that are through. */
static bool loopdma_write_statuses(LoopdmaChannel *ch, unsigned *count,
                                   unsigned *executed, bool *request)
{
    unsigned n;

    *executed = 0;
    *request = false;
    for (n = 0; n < ch->nops; n++) {
        const LoopdmaOp *op = &ch->op[n];

        if (!op->final || op->moved < op->end) {
            break;
        }
        if (!loopdma_write_status(ch, ch->retired + n, op)) {
            return false;
        }
        trace_loopdma_retire(ch->index, ch->retired + n,
                             loopdma_status(ch, op), op->len - op->moved,
                             op->fault);
        *executed += op->executed;
        *request |= op->ctrl & LOOPDMA_CTRL_INT;
        ch->skip = op->skip;
    }
    *count = n;
    return true;
}

/**
 * loopdma_retire: the last step of a turn
 * @ch: a prepared channel
 *
 * Ops that are not through are dropped, and found again by the next turn;
 * the first of them has started, and is carried over.
 */
void loopdma_retire(LoopdmaChannel *ch)
{
    LoopdmaState *s = ch->dev;
    unsigned count, executed;
    int64_t now = get_clock();
    uint64_t progress;
    uint32_t done, arm;
    bool request, unfinished;

    /*
     * Before the guest can know that its memory was written, because this
     * invalidates what was translated from it.
     */
    loopdma_release(ch);

    if (!loopdma_write_statuses(ch, &count, &executed, &request)) {
        goto fail;
    }

    WITH_QEMU_LOCK_GUARD(&s->lock) {
        /*
         * Before the completion record: the driver may answer it with a
         * doorbell that the old count would refuse.
         */
        ch->retired += count;
        if (count) {
            ch->pace = (now - ch->began) / count;
            ch->began = now;
        }
        ch->cnt_descriptors += executed;
        ch->cnt_bytes += ch->bytes;
        ch->bytes = 0;
        if (ch->aborting && (int32_t)(ch->retired - ch->abort_to) >= 0) {
            ch->aborting = false;
            if (ch->retired == ch->abort_to) {
                ch->skip = false;
            }
            request = true;
        }
        done = ch->retired;
        if (count) {
            done += ch->tc_lie;
            ch->tc_lie = 0;
        }
    }

    ch->carried = count < ch->nops;
    unfinished = ch->carried && (s->caps & LOOPDMA_CAPS_PROGRESS);
    if (unfinished) {
        progress = (uint64_t)ch->retired << 32 | ch->op[count].moved;
    }
    if (count || request || unfinished) {
        if (!loopdma_publish(ch, count ? &done : NULL,
                             unfinished ? &progress : NULL, &arm)) {
            goto fail;
        }
        WITH_QEMU_LOCK_GUARD(&s->lock) {
            ch->published = ch->retired;
            if (request) {
                loopdma_judge(ch, arm, now);
            }
        }
    }

    if (ch->carried) {
        ch->op[0] = ch->op[count];
        if (loopdma_is_parity(&ch->op[0])) {
            ch->sources[0] = ch->sources[count];
        } else if (loopdma_is_periph(&ch->op[0])) {
            ch->meta[0] = ch->meta[count];
        }
    }
    ch->nops = 0;
    ch->prepared = false;
    return;

fail:
    loopdma_fail(ch, LOOPDMA_CHERR_WRITEBACK);
    loopdma_discard(ch);
}
