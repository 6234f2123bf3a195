/*
 * loopdma: access to guest memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_MEM_H
#define LOOPDMA_MEM_H

#include "compat.h"

/**
 * LoopdmaRevoked - what happened to a batch from inside of one of its steps
 * @LOOPDMA_REVOKED_NOT: nothing
 * @LOOPDMA_REVOKED_MEMORY: what it has resolved may be mapped no more, or
 *     nothing may be moved now: what has not moved is to be prepared anew
 * @LOOPDMA_REVOKED_ALL: the channel was reset: nothing of it may be used
 */
typedef enum LoopdmaRevoked {
    LOOPDMA_REVOKED_NOT,
    LOOPDMA_REVOKED_MEMORY,
    LOOPDMA_REVOKED_ALL,
} LoopdmaRevoked;

/**
 * LoopdmaMem - a channel's access to memory
 * @as: the address space of the function
 * @last: the highest bus address of the device
 * @revoked: what happened in a translation; set by who holds the BQL while the
 *     owner of the batch, who holds it as well, is in the middle of a step
 */
typedef struct LoopdmaMem {
    AddressSpace *as;
    uint64_t last;
    LoopdmaRevoked revoked;
} LoopdmaMem;

void *loopdma_mem_map(LoopdmaMem *m, uint64_t addr, uint64_t last, hwaddr *len,
                      bool is_write);
void loopdma_mem_unmap(LoopdmaMem *m, void *p, hwaddr written);
size_t loopdma_mem_read(LoopdmaMem *m, uint64_t addr, void *buf, size_t len);
bool loopdma_mem_write(LoopdmaMem *m, uint64_t addr, const void *buf,
                       size_t len);
bool loopdma_mem_publish(LoopdmaMem *m, uint64_t addr, uint32_t val);

#endif /* LOOPDMA_MEM_H */
