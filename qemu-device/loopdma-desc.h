/*
 * loopdma: descriptors
 *
 * The lowest layer: decodes a descriptor, checks it, and tells which buffers it
 * reads and writes.  It knows no state of the device, and touches no guest
 * memory.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_DESC_H
#define LOOPDMA_DESC_H

#include "loopdma/hw.h"

/* Buffers of a descriptor: sources, and P and Q to be read and written. */
#define LOOPDMA_MAX_BUFFERS (LOOPDMA_MAX_SOURCES + 4)

/**
 * LoopdmaLimits - what a channel accepts in a descriptor
 * @caps: CH_CAPS
 * @metadata: TX and RX may carry metadata
 * @max_len: MAX_LEN, in bytes
 * @copy_align: COPY_LIMITS.ALIGN, log2 of bytes
 * @max_sources: XOR_LIMITS.SOURCES
 * @fifo_widths: FIFO_LIMITS.WIDTHS
 * @fifo_max_burst: FIFO_LIMITS.BURST, in elements
 * @fifo_depth: FIFO_DEPTH, in bytes
 *
 * Fixed when the device is realized.
 */
typedef struct LoopdmaLimits {
    uint32_t caps;
    bool metadata;
    uint32_t max_len;
    uint32_t copy_align;
    uint32_t max_sources;
    uint32_t fifo_widths;
    uint32_t fifo_max_burst;
    uint32_t fifo_depth;
} LoopdmaLimits;

/**
 * LoopdmaSources - what a parity descriptor has beside LoopdmaDesc
 * @addr: bus addresses of the sources, the offset of the descriptor added
 * @dst2: of the descriptor
 * @coef: coefficients of the sources in Q
 */
typedef struct LoopdmaSources {
    uint64_t addr[LOOPDMA_MAX_SOURCES];
    uint64_t dst2;
    uint8_t coef[LOOPDMA_MAX_SOURCES];
} LoopdmaSources;

/**
 * LoopdmaMeta - metadata: what a TX or RX descriptor has beside LoopdmaDesc
 * @len: bytes of @data, 0 if there is none
 * @data: the metadata, zeroes behind it
 */
typedef struct LoopdmaMeta {
    uint8_t len;
    uint8_t data[LOOPDMA_META_SIZE];
} LoopdmaMeta;

/**
 * LoopdmaDesc - the part of a descriptor that every opcode has
 * @ctrl: of struct loopdma_hw_desc in the CPU's byte order, as are all
 * @len: bytes
 * @src: bus address
 * @dst: bus address
 * @periph: element width and burst of TX and RX
 * @arg: depends on the opcode
 *
 * The device copies a descriptor in once, and looks at nothing but its copy.
 * What only some opcodes have is in LoopdmaSources and LoopdmaMeta, since every
 * descriptor costs the time to clear one of these.
 */
typedef struct LoopdmaDesc {
    uint32_t ctrl;
    uint32_t len;
    uint64_t src;
    uint64_t dst;
    uint32_t periph;
    uint32_t arg;
} LoopdmaDesc;

/**
 * LoopdmaBuffer - memory that a descriptor works on, of the descriptor's length
 * @addr: bus address
 * @is_write: the device writes it, else it reads it
 */
typedef struct LoopdmaBuffer {
    uint64_t addr;
    bool is_write;
} LoopdmaBuffer;

/**
 * loopdma_desc_opcode: enum loopdma_hw_opcode of a descriptor
 * @desc: the descriptor
 */
static inline unsigned loopdma_desc_opcode(const LoopdmaDesc *desc)
{
    return desc->ctrl & LOOPDMA_CTRL_OPCODE;
}

/**
 * loopdma_desc_is_periph: does it move data to or from the peripheral?
 * @desc: the descriptor
 */
static inline bool loopdma_desc_is_periph(const LoopdmaDesc *desc)
{
    return loopdma_desc_opcode(desc) == LOOPDMA_OP_TX ||
           loopdma_desc_opcode(desc) == LOOPDMA_OP_RX;
}

/**
 * loopdma_desc_is_check: does it check parity instead of writing it?
 * @desc: the descriptor
 */
static inline bool loopdma_desc_is_check(const LoopdmaDesc *desc)
{
    return loopdma_desc_opcode(desc) == LOOPDMA_OP_XOR_CHECK ||
           loopdma_desc_opcode(desc) == LOOPDMA_OP_PQ_CHECK;
}

/**
 * loopdma_desc_is_pq: is it PQ or PQ_CHECK?
 * @desc: the descriptor
 */
static inline bool loopdma_desc_is_pq(const LoopdmaDesc *desc)
{
    return loopdma_desc_opcode(desc) == LOOPDMA_OP_PQ ||
           loopdma_desc_opcode(desc) == LOOPDMA_OP_PQ_CHECK;
}

/**
 * loopdma_desc_is_parity: does it have a list of sources?
 * @desc: the descriptor
 */
static inline bool loopdma_desc_is_parity(const LoopdmaDesc *desc)
{
    return loopdma_desc_opcode(desc) == LOOPDMA_OP_XOR ||
           loopdma_desc_opcode(desc) == LOOPDMA_OP_XOR_CHECK ||
           loopdma_desc_is_pq(desc);
}

/**
 * loopdma_desc_has_src: does @src name a buffer?
 * @desc: the descriptor
 *
 * That of a parity descriptor is the address of the list of sources.
 */
static inline bool loopdma_desc_has_src(const LoopdmaDesc *desc)
{
    return loopdma_desc_opcode(desc) == LOOPDMA_OP_COPY ||
           loopdma_desc_opcode(desc) == LOOPDMA_OP_TX;
}

/**
 * loopdma_desc_nsources: how many sources a parity descriptor has
 * @desc: the descriptor
 */
static inline unsigned loopdma_desc_nsources(const LoopdmaDesc *desc)
{
    return desc->arg & LOOPDMA_ARG_SOURCES;
}

/**
 * loopdma_desc_has_dst2: does LoopdmaSources.dst2 name a buffer?
 * @desc: the descriptor
 */
static inline bool loopdma_desc_has_dst2(const LoopdmaDesc *desc)
{
    return loopdma_desc_is_pq(desc) && !(desc->arg & LOOPDMA_ARG_NO_Q);
}

/**
 * loopdma_desc_reads_results: does it read what is at the destinations?
 * @desc: the descriptor
 */
static inline bool loopdma_desc_reads_results(const LoopdmaDesc *desc)
{
    return loopdma_desc_is_check(desc) || (desc->arg & LOOPDMA_ARG_CONTINUE);
}

/**
 * loopdma_desc_burst: how much a descriptor moves at a time, in bytes
 * @desc: the descriptor
 *
 * A burst of TX or RX that has passed the checks fits into the FIFO; for the
 * other opcodes it is 1.
 */
static inline uint64_t loopdma_desc_burst(const LoopdmaDesc *desc)
{
    uint64_t elements = MAX(desc->periph >> 16, 1);

    return elements << (desc->periph & LOOPDMA_PERIPH_WIDTH);
}

/**
 * loopdma_desc_wants_meta: is metadata that it receives to be written back?
 * @desc: the descriptor
 */
static inline bool loopdma_desc_wants_meta(const LoopdmaDesc *desc)
{
    return loopdma_desc_opcode(desc) == LOOPDMA_OP_RX &&
           (desc->arg & LOOPDMA_ARG_META);
}

bool loopdma_desc_has_dst(const LoopdmaDesc *desc);
uint8_t loopdma_desc_decode(const LoopdmaLimits *limits, LoopdmaDesc *desc,
                            LoopdmaSources *sources, LoopdmaMeta *meta,
                            const struct loopdma_hw_desc *hw);
uint8_t loopdma_desc_decode_sources(const LoopdmaLimits *limits,
                                    const LoopdmaDesc *desc,
                                    LoopdmaSources *sources,
                                    const struct loopdma_hw_sources *hw,
                                    uint64_t offset);
bool loopdma_desc_valid(const LoopdmaLimits *limits, const LoopdmaDesc *desc,
                        const LoopdmaSources *sources,
                        const LoopdmaMeta *meta);
bool loopdma_meta_valid(const LoopdmaMeta *meta);
unsigned loopdma_desc_buffers(const LoopdmaDesc *desc,
                              const LoopdmaSources *sources,
                              LoopdmaBuffer *buf);

#endif /* LOOPDMA_DESC_H */
