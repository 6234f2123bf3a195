/*
 * loopdma: descriptors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "loopdma-desc.h"

/**
 * loopdma_desc_has_dst: does @dst name a buffer?
 * @desc: the descriptor
 */
bool loopdma_desc_has_dst(const LoopdmaDesc *desc)
{
    switch (loopdma_desc_opcode(desc)) {
    case LOOPDMA_OP_COPY:
    case LOOPDMA_OP_RX:
    case LOOPDMA_OP_FILL:
    case LOOPDMA_OP_XOR:
        return true;
    default:
        return loopdma_desc_is_pq(desc) && !(desc->arg & LOOPDMA_ARG_NO_P);
    }
}

static unsigned loopdma_desc_results(const LoopdmaDesc *desc,
                                     const LoopdmaSources *sources,
                                     bool is_write, LoopdmaBuffer *buf)
{
    unsigned n = 0;

    if (loopdma_desc_has_dst(desc)) {
        buf[n++] = (LoopdmaBuffer) { desc->dst, is_write };
    }
    if (loopdma_desc_has_dst2(desc)) {
        buf[n++] = (LoopdmaBuffer) { sources->dst2, is_write };
    }
    return n;
}

/**
 * loopdma_desc_buffers: what a descriptor reads and writes
 * @desc: a descriptor that has passed the checks
 * @sources: what goes with it
 * @buf: where to put them, LOOPDMA_MAX_BUFFERS at the most: sources, then the
 *     results that are read, then those that are written
 *
 * Returns their number.
 */
unsigned loopdma_desc_buffers(const LoopdmaDesc *desc,
                              const LoopdmaSources *sources,
                              LoopdmaBuffer *buf)
{
    unsigned n = 0;

    if (loopdma_desc_is_parity(desc)) {
        for (; n < loopdma_desc_nsources(desc); n++) {
            buf[n] = (LoopdmaBuffer) { sources->addr[n], false };
        }
    } else if (loopdma_desc_has_src(desc)) {
        buf[n++] = (LoopdmaBuffer) { desc->src, false };
    }
    if (loopdma_desc_reads_results(desc)) {
        n += loopdma_desc_results(desc, sources, false, buf + n);
    }
    if (!loopdma_desc_is_check(desc)) {
        n += loopdma_desc_results(desc, sources, true, buf + n);
    }
    return n;
}

/* --- Checks --------------------------------------------------------------- */

/* How many bytes of metadata does it send? */
static unsigned loopdma_desc_meta_len(const LoopdmaDesc *desc)
{
    return loopdma_desc_opcode(desc) == LOOPDMA_OP_TX
           ? desc->arg & LOOPDMA_ARG_META_LEN : 0;
}

static uint8_t loopdma_check_opcode(const LoopdmaLimits *limits,
                                    const LoopdmaDesc *desc)
{
    uint32_t need;

    switch (loopdma_desc_opcode(desc)) {
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
    return limits->caps & need ? LOOPDMA_ST_OK : LOOPDMA_ST_OPCODE;
}

/* The bits of @arg that are not reserved. */
static uint32_t loopdma_arg_fields(const LoopdmaLimits *limits,
                                   const LoopdmaDesc *desc)
{
    const uint32_t pq = LOOPDMA_ARG_SOURCES | LOOPDMA_ARG_NO_P |
                        LOOPDMA_ARG_NO_Q;

    switch (loopdma_desc_opcode(desc)) {
    case LOOPDMA_OP_TX:
        return limits->metadata ? LOOPDMA_ARG_META_LEN : 0;
    case LOOPDMA_OP_RX:
        return limits->metadata ? LOOPDMA_ARG_META : 0;
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

static bool loopdma_reserved_set(const LoopdmaLimits *limits,
                                 const LoopdmaDesc *desc)
{
    uint32_t ctrl = LOOPDMA_CTRL_OPCODE | LOOPDMA_CTRL_INT |
                    LOOPDMA_CTRL_CHAIN;
    uint32_t periph = loopdma_desc_is_periph(desc) ? LOOPDMA_PERIPH_WIDTH |
                                                     LOOPDMA_PERIPH_BURST : 0;

    return (desc->ctrl & ~ctrl) || (desc->periph & ~periph) ||
           (desc->arg & ~loopdma_arg_fields(limits, desc)) ||
           (desc->src && !loopdma_desc_has_src(desc) &&
            !loopdma_desc_is_parity(desc)) ||
           (desc->dst && !loopdma_desc_has_dst(desc));
}

/* Is a reserved bit set of the fields that LoopdmaDesc has no room for? */
static bool loopdma_rest_set(const LoopdmaDesc *desc,
                             const struct loopdma_hw_desc *hw)
{
    unsigned len = MIN(loopdma_desc_meta_len(desc), LOOPDMA_META_SIZE);

    if (loopdma_desc_is_periph(desc)) {
        return !buffer_is_zero(hw->meta + len, LOOPDMA_META_SIZE - len);
    }
    return (hw->dst2 && !loopdma_desc_has_dst2(desc)) ||
           (hw->src_off && !loopdma_desc_is_parity(desc));
}

static uint8_t loopdma_check_periph(const LoopdmaLimits *limits,
                                    const LoopdmaDesc *desc)
{
    unsigned width = desc->periph & LOOPDMA_PERIPH_WIDTH;
    uint32_t mask = (1U << width) - 1;

    if (desc->len & mask) {
        return LOOPDMA_ST_LENGTH;
    }
    if (!(limits->fifo_widths & (1U << width)) ||
        desc->periph >> 16 > limits->fifo_max_burst ||
        loopdma_desc_burst(desc) > limits->fifo_depth) {
        return LOOPDMA_ST_PERIPH;
    }
    if (loopdma_desc_meta_len(desc) > LOOPDMA_META_SIZE) {
        return LOOPDMA_ST_ARG;
    }
    return (desc->src | desc->dst) & mask ? LOOPDMA_ST_ALIGN : LOOPDMA_ST_OK;
}

static uint8_t loopdma_check_align(const LoopdmaLimits *limits, uint64_t value)
{
    return value & ((1U << limits->copy_align) - 1) ? LOOPDMA_ST_ALIGN
                                                    : LOOPDMA_ST_OK;
}

static uint8_t loopdma_check_memory(const LoopdmaLimits *limits,
                                    const LoopdmaDesc *desc,
                                    const LoopdmaSources *sources)
{
    uint64_t aligned = desc->dst | desc->len;

    if (loopdma_desc_is_parity(desc)) {
        unsigned nsources = loopdma_desc_nsources(desc);

        if (!nsources || nsources > limits->max_sources ||
            (loopdma_desc_is_pq(desc) && !loopdma_desc_has_dst(desc) &&
             !loopdma_desc_has_dst2(desc))) {
            return LOOPDMA_ST_ARG;
        }
        if (desc->src & (LOOPDMA_SOURCES_ALIGN - 1)) {
            return LOOPDMA_ST_ALIGN;
        }
        if (loopdma_desc_has_dst2(desc)) {
            aligned |= sources->dst2;
        }
    } else {
        aligned |= desc->src;
    }
    return loopdma_check_align(limits, aligned);
}

static uint8_t loopdma_check_sources(const LoopdmaLimits *limits,
                                     const LoopdmaDesc *desc,
                                     const LoopdmaSources *sources)
{
    uint64_t addresses = 0;
    unsigned i;

    for (i = 0; i < loopdma_desc_nsources(desc); i++) {
        addresses |= sources->addr[i];
    }
    return loopdma_check_align(limits, addresses);
}

static uint8_t loopdma_check(const LoopdmaLimits *limits,
                             const LoopdmaDesc *desc,
                             const LoopdmaSources *sources)
{
    uint8_t status = loopdma_check_opcode(limits, desc);

    if (status != LOOPDMA_ST_OK) {
        return status;
    }
    if (loopdma_reserved_set(limits, desc)) {
        return LOOPDMA_ST_RESERVED;
    }
    if (loopdma_desc_opcode(desc) == LOOPDMA_OP_NOP) {
        return desc->len ? LOOPDMA_ST_LENGTH : LOOPDMA_ST_OK;
    }
    if (!desc->len || desc->len > limits->max_len) {
        return LOOPDMA_ST_LENGTH;
    }
    return loopdma_desc_is_periph(desc)
           ? loopdma_check_periph(limits, desc)
           : loopdma_check_memory(limits, desc, sources);
}

/* --- Decoding ------------------------------------------------------------- */

/**
 * loopdma_desc_decode: take over a descriptor that was copied in
 * @limits: of its channel
 * @desc: set to what every opcode has
 * @sources: for the parity opcodes set, but for the list of sources
 * @meta: for TX set to what it sends, for RX to none
 * @hw: the copy
 *
 * Returns enum loopdma_hw_status, with which the device refuses it if it is not
 * LOOPDMA_ST_OK.
 */
uint8_t loopdma_desc_decode(const LoopdmaLimits *limits, LoopdmaDesc *desc,
                            LoopdmaSources *sources, LoopdmaMeta *meta,
                            const struct loopdma_hw_desc *hw)
{
    uint8_t status;

    *desc = (LoopdmaDesc) {
        .ctrl = le32_to_cpu(hw->ctrl),
        .len = le32_to_cpu(hw->len),
        .src = le64_to_cpu(hw->src),
        .dst = le64_to_cpu(hw->dst),
        .periph = le32_to_cpu(hw->periph),
        .arg = le32_to_cpu(hw->arg),
    };
    if (loopdma_desc_is_parity(desc)) {
        sources->dst2 = le64_to_cpu(hw->dst2);
    } else if (loopdma_desc_is_periph(desc)) {
        *meta = (LoopdmaMeta) {
            .len = MIN(loopdma_desc_meta_len(desc), LOOPDMA_META_SIZE),
        };
        memcpy(meta->data, hw->meta, meta->len);
    }

    status = loopdma_check(limits, desc, sources);
    if (status != LOOPDMA_ST_OPCODE && loopdma_rest_set(desc, hw)) {
        status = LOOPDMA_ST_RESERVED;
    }
    return status;
}

/**
 * loopdma_desc_decode_sources: take over a list of sources that was copied in
 * @limits: of the channel
 * @desc: a parity descriptor that has passed the checks
 * @sources: what goes with it; the list is added
 * @hw: the copy
 * @offset: what to add to each address, modulo 2^64
 *
 * Returns enum loopdma_hw_status, as loopdma_desc_decode() does.
 */
uint8_t loopdma_desc_decode_sources(const LoopdmaLimits *limits,
                                    const LoopdmaDesc *desc,
                                    LoopdmaSources *sources,
                                    const struct loopdma_hw_sources *hw,
                                    uint64_t offset)
{
    unsigned i;

    for (i = 0; i < LOOPDMA_MAX_SOURCES; i++) {
        sources->addr[i] = le64_to_cpu(hw->addr[i]) + offset;
    }
    memcpy(sources->coef, hw->coef, sizeof(sources->coef));
    return loopdma_check_sources(limits, desc, sources);
}

/* --- What a migration stream brings --------------------------------------- */

/**
 * loopdma_meta_valid: can there be such metadata?
 * @meta: the metadata
 */
bool loopdma_meta_valid(const LoopdmaMeta *meta)
{
    return meta->len <= LOOPDMA_META_SIZE &&
           buffer_is_zero(meta->data + meta->len,
                          LOOPDMA_META_SIZE - meta->len);
}

/**
 * loopdma_desc_valid: may such a descriptor be in progress?
 * @limits: of its channel
 * @desc: the descriptor
 * @sources: what goes with it
 * @meta: likewise
 */
bool loopdma_desc_valid(const LoopdmaLimits *limits, const LoopdmaDesc *desc,
                        const LoopdmaSources *sources, const LoopdmaMeta *meta)
{
    if (loopdma_check(limits, desc, sources) != LOOPDMA_ST_OK) {
        return false;
    }
    if (loopdma_desc_is_parity(desc)) {
        return loopdma_check_sources(limits, desc, sources) == LOOPDMA_ST_OK;
    }
    if (loopdma_desc_is_periph(desc)) {
        return loopdma_meta_valid(meta) &&
               (loopdma_desc_opcode(desc) != LOOPDMA_OP_TX ||
                meta->len == loopdma_desc_meta_len(desc));
    }
    return true;
}
