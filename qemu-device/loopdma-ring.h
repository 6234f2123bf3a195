/*
 * loopdma: the ring of a channel, in guest memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_RING_H
#define LOOPDMA_RING_H

#include "loopdma/hw.h"
#include "compat.h"
#include "loopdma-mem.h"

/* Descriptors that are copied in at a time. */
#define LOOPDMA_BATCH 32

/**
 * LoopdmaRing - the ring of a channel
 * @base: bus address
 * @log2: log2 of the number of descriptors
 */
typedef struct LoopdmaRing {
    uint64_t base;
    uint32_t log2;
} LoopdmaRing;

/**
 * LoopdmaFetched - descriptors that were copied in ahead
 * @n: valid ones of @desc
 * @used: those that were taken out
 * @desc: the descriptors
 */
typedef struct LoopdmaFetched {
    unsigned n;
    unsigned used;
    struct loopdma_hw_desc desc[LOOPDMA_BATCH];
} LoopdmaFetched;

const struct loopdma_hw_desc *
loopdma_ring_fetch(const LoopdmaRing *ring, LoopdmaMem *mem,
                   LoopdmaFetched *fetched, uint32_t count, unsigned max);
unsigned loopdma_ring_chains(const LoopdmaRing *ring, LoopdmaMem *mem,
                             uint32_t count, unsigned max, uint32_t *chain);
bool loopdma_ring_write_back(const LoopdmaRing *ring, LoopdmaMem *mem,
                             uint32_t count,
                             const struct loopdma_hw_desc *desc, bool meta,
                             bool status_last);

#endif /* LOOPDMA_RING_H */
