/*
 * loopdma: changes of the memory map
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "qapi/error.h"
#include "loopdma-map.h"

/**
 * LoopdmaIommu - a notifier for what the guest takes out of an IOMMU
 * @map: the listener
 * @mr: the IOMMU's memory region
 * @start: where in @mr the section begins that this is for
 * @offset: from addresses in @mr to bus addresses
 * @notifier: called for each range that is unmapped
 * @next: link in LoopdmaMap.iommus
 */
typedef struct LoopdmaIommu {
    LoopdmaMap *map;
    MemoryRegion *mr;
    hwaddr start;
    hwaddr offset;
    IOMMUNotifier notifier;
    QLIST_ENTRY(LoopdmaIommu) next;
} LoopdmaIommu;

/* May a batch move what is in a range of bus addresses? */
static bool loopdma_uses(LoopdmaChannel *ch, uint64_t first, uint64_t last)
{
    if (!ch->in_main) {
        return false;
    }
    WITH_QEMU_LOCK_GUARD(&ch->sched->lock) {
        if (ch->owner == LOOPDMA_OWNER_BQL) {
            /* What is being prepared at this moment is not known yet. */
            return true;
        }
    }
    return ch->xfer.prepared &&
           loopdma_xfer_overlaps(&ch->xfer, first, last);
}

/* When this returns no copy to or from the range goes on. */
static void loopdma_iommu_unmapped(IOMMUNotifier *notifier,
                                   IOMMUTLBEntry *iotlb)
{
    LoopdmaIommu *iommu = container_of(notifier, LoopdmaIommu, notifier);
    uint64_t first = iotlb->iova + iommu->offset;

    LoopdmaSched *s = iommu->map->sched;
    unsigned i;

    for (i = 0; i < s->channels; i++) {
        if (loopdma_uses(&s->ch[i], first, first + iotlb->addr_mask)) {
            loopdma_sched_invalidate(&s->ch[i]);
        }
    }
}

static void loopdma_region_add(MemoryListener *listener,
                               MemoryRegionSection *section)
{
    LoopdmaMap *map = container_of(listener, LoopdmaMap, listener);
    LoopdmaIommu *iommu;
    Error *err = NULL;

    map->topology_changed = true;
    if (!memory_region_is_iommu(section->mr)) {
        return;
    }

    iommu = g_new0(LoopdmaIommu, 1);
    iommu->map = map;
    iommu->mr = section->mr;
    iommu->start = section->offset_within_region;
    iommu->offset = section->offset_within_address_space - iommu->start;
    /*
     * The whole region, not the section: the guest may unmap across the end of
     * a section, and the memory core takes that for a bug of the IOMMU.
     */
    iommu_notifier_init(&iommu->notifier, loopdma_iommu_unmapped,
                        IOMMU_NOTIFIER_UNMAP, 0, HWADDR_MAX,
                        memory_region_iommu_attrs_to_index(
                            IOMMU_MEMORY_REGION(section->mr),
                            MEMTXATTRS_UNSPECIFIED));
    if (memory_region_register_iommu_notifier(section->mr, &iommu->notifier,
                                              &err)) {
        warn_reportf_err(err, "loopdma: transfers in flight are not told of "
                         "what the guest unmaps: ");
        g_free(iommu);
        return;
    }
    QLIST_INSERT_HEAD(&map->iommus, iommu, next);
}

static void loopdma_region_del(MemoryListener *listener,
                               MemoryRegionSection *section)
{
    LoopdmaMap *map = container_of(listener, LoopdmaMap, listener);
    LoopdmaIommu *iommu;

    map->topology_changed = true;
    QLIST_FOREACH(iommu, &map->iommus, next) {
        if (iommu->mr == section->mr &&
            iommu->start == section->offset_within_region) {
            memory_region_unregister_iommu_notifier(iommu->mr,
                                                    &iommu->notifier);
            QLIST_REMOVE(iommu, next);
            g_free(iommu);
            return;
        }
    }
}

/*
 * The function's address space is a new one: what was resolved before is
 * resolved again.  Clearing Bus Master Enable comes here as well.
 */
static void loopdma_commit(MemoryListener *listener)
{
    LoopdmaMap *map = container_of(listener, LoopdmaMap, listener);
    unsigned i;

    if (!map->topology_changed) {
        return;
    }
    map->topology_changed = false;
    for (i = 0; i < map->sched->channels; i++) {
        loopdma_sched_invalidate(&map->sched->ch[i]);
    }
}

/**
 * loopdma_map_init: watch the function's address space
 * @map: the listener
 * @sched: whose batches are told
 */
void loopdma_map_init(LoopdmaMap *map, LoopdmaSched *sched)
{
    map->sched = sched;
    QLIST_INIT(&map->iommus);
    map->listener = (MemoryListener) {
        .name = "loopdma",
        .region_add = loopdma_region_add,
        .region_del = loopdma_region_del,
        .commit = loopdma_commit,
    };
    memory_listener_register(&map->listener, pci_get_address_space(sched->pci));
}

/**
 * loopdma_map_exit: undo loopdma_map_init()
 * @map: the listener
 */
void loopdma_map_exit(LoopdmaMap *map)
{
    memory_listener_unregister(&map->listener);
}
