/*
 * loopdma: the ring of a channel, in guest memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/bswap.h"
#include "loopdma-ring.h"

static uint64_t loopdma_desc_addr(const LoopdmaRing *ring, uint32_t count)
{
    uint32_t slot = count & ((1U << ring->log2) - 1);

    return ring->base + (uint64_t)slot * LOOPDMA_DESC_SIZE;
}

/**
 * loopdma_ring_fetch: take out the next descriptor
 * @ring: the ring
 * @mem: the channel's access to memory
 * @fetched: what was copied in so far, empty at first
 * @count: that of the descriptor
 * @max: descriptors that there are from there on, at least 1
 *
 * Returns NULL if it cannot be read.
 */
const struct loopdma_hw_desc *
loopdma_ring_fetch(const LoopdmaRing *ring, LoopdmaMem *mem,
                   LoopdmaFetched *fetched, uint32_t count, unsigned max)
{
    uint32_t size = 1U << ring->log2;

    if (fetched->used == fetched->n) {
        size_t len = MIN(MIN(max, LOOPDMA_BATCH),
                         size - (count & (size - 1))) * LOOPDMA_DESC_SIZE;

        /*
         * Doorbell before descriptors: the doorbell value was read under the
         * lock under which it was stored.  Pairs with the driver's write
         * barrier between descriptors and doorbell.
         */
        len = loopdma_mem_read(mem, loopdma_desc_addr(ring, count),
                               fetched->desc, len);
        fetched->n = len / LOOPDMA_DESC_SIZE;
        fetched->used = 0;
    }
    return fetched->n ? &fetched->desc[fetched->used++] : NULL;
}

/**
 * loopdma_ring_chains: look which descriptors have CHAIN
 * @ring: the ring
 * @mem: the channel's access to memory
 * @count: that of the first
 * @max: descriptors that there are from there on, 32 at the most
 * @chain: bit n is set if the nth has it
 *
 * Returns how many of them could be read.
 */
unsigned loopdma_ring_chains(const LoopdmaRing *ring, LoopdmaMem *mem,
                             uint32_t count, unsigned max, uint32_t *chain)
{
    LoopdmaFetched fetched;
    unsigned i;

    fetched.n = 0;
    fetched.used = 0;
    *chain = 0;
    for (i = 0; i < max; i++) {
        const struct loopdma_hw_desc *hw =
            loopdma_ring_fetch(ring, mem, &fetched, count + i, max - i);

        if (!hw) {
            break;
        }
        if (le32_to_cpu(hw->ctrl) & LOOPDMA_CTRL_CHAIN) {
            *chain |= BIT(i);
        }
    }
    return i;
}

/**
 * loopdma_ring_write_back: write what the device writes of a descriptor
 * @ring: the ring
 * @mem: the channel's access to memory
 * @count: that of the descriptor
 * @desc: its fields from the status on are written
 * @meta: and its metadata
 * @status_last: its status tells the driver that it is retired
 *
 * Returns false if it cannot be written.
 */
bool loopdma_ring_write_back(const LoopdmaRing *ring, LoopdmaMem *mem,
                             uint32_t count,
                             const struct loopdma_hw_desc *desc, bool meta,
                             bool status_last)
{
    uint64_t addr = loopdma_desc_addr(ring, count);
    size_t status = offsetof(struct loopdma_hw_desc, status);
    size_t start = meta ? offsetof(struct loopdma_hw_desc, meta) : status;

    if (status_last) {
        start = offsetof(struct loopdma_hw_desc, residue);
    }
    if (!loopdma_mem_write(mem, addr + start, (const uint8_t *)desc + start,
                           sizeof(*desc) - start)) {
        return false;
    }
    return !status_last ||
           loopdma_mem_publish(mem, addr + status, desc->status);
}
