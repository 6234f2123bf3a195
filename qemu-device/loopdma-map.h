/*
 * loopdma: changes of the memory map
 *
 * What a batch has resolved is not to be used any more once the guest has
 * unmapped it from an IOMMU, or the function's address space is another one.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_MAP_H
#define LOOPDMA_MAP_H

#include "qemu/queue.h"
#include "compat.h"
#include "loopdma-sched.h"

/**
 * LoopdmaMap - watches the function's address space
 * @sched: whose batches are told
 * @listener: the memory core's
 * @topology_changed: the address space has changed in this transaction
 * @iommus: the notifiers
 *
 * Protected by the BQL.
 */
typedef struct LoopdmaMap {
    LoopdmaSched *sched;
    MemoryListener listener;
    bool topology_changed;
    QLIST_HEAD(, LoopdmaIommu) iommus;
} LoopdmaMap;

void loopdma_map_init(LoopdmaMap *map, LoopdmaSched *sched);
void loopdma_map_exit(LoopdmaMap *map);

#endif /* LOOPDMA_MAP_H */
