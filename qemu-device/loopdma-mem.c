/*
 * loopdma: access to guest memory
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/rcu.h"
#include "loopdma-mem.h"

/**
 * loopdma_mem_map: resolve a bus address to host memory
 * @m: the channel's access
 * @addr: the address
 * @last: the highest that may be
 * @len: bytes wanted; set to those that are contiguous
 * @is_write: they are to be written, else read
 *
 * Takes a reference, which loopdma_mem_unmap() drops.  Returns NULL if the
 * address is above @last, or not that of RAM which may be accessed so.
 *
 * This is not address_space_map(): that function hands out a bounce buffer for
 * everything that is not directly accessible, faults of an IOMMU included,
 * and accessing what is behind the buffer may need the BQL.  To look first
 * and to map then would be a race with changes of the memory map; so do both
 * with one translation.
 *
 * The translation may fault and interrupt, and revoke the batch by that.
 */
void *loopdma_mem_map(LoopdmaMem *m, uint64_t addr, uint64_t last, hwaddr *len,
                      bool is_write)
{
    const MemTxAttrs attrs = { .memory = true };
    MemoryRegion *mr;
    hwaddr offset;

    if (m->revoked == LOOPDMA_REVOKED_ALL || addr > last) {
        return NULL;
    }
    *len = MIN(*len - 1, last - addr) + 1;

    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(m->as, addr, &offset, len, is_write, attrs);
    if (m->revoked == LOOPDMA_REVOKED_ALL ||
        !loopdma_is_direct(mr, is_write, attrs)) {
        return NULL;
    }
    memory_region_ref(mr);
    if (!is_write) {
        fuzz_dma_read_cb(addr, *len, mr);
    }
    return memory_region_get_ram_ptr(mr) + offset;
}

/**
 * loopdma_mem_unmap: drop what loopdma_mem_map() has returned
 * @m: the channel's access
 * @p: what it has returned
 * @written: bytes of it that were written
 *
 * address_space_unmap() is the one way to have all trackers told of a write
 * (migration, VGA, translated code), and it drops the reference.
 */
void loopdma_mem_unmap(LoopdmaMem *m, void *p, hwaddr written)
{
    address_space_unmap(m->as, p, written, written > 0, written);
}

/**
 * loopdma_mem_read: read guest memory
 * @m: the channel's access
 * @addr: bus address
 * @buf: where to put it
 * @len: bytes
 *
 * Returns the number of bytes read, less than @len if some cannot be.
 */
size_t loopdma_mem_read(LoopdmaMem *m, uint64_t addr, void *buf, size_t len)
{
    size_t done = 0;

    /* What is read may not go on at address 0. */
    while (done < len && addr + done >= addr) {
        hwaddr n = len - done;
        void *p = loopdma_mem_map(m, addr + done, m->last, &n, false);

        if (!p) {
            break;
        }
        memcpy(buf + done, p, n);
        loopdma_mem_unmap(m, p, 0);
        done += n;
    }
    return done;
}

/**
 * loopdma_mem_write: write guest memory
 * @m: the channel's access
 * @addr: bus address
 * @buf: what to write
 * @len: bytes
 *
 * Returns false if some of it cannot be written.
 */
bool loopdma_mem_write(LoopdmaMem *m, uint64_t addr, const void *buf,
                       size_t len)
{
    while (len) {
        hwaddr n = len;
        void *p = loopdma_mem_map(m, addr, m->last, &n, true);

        if (!p) {
            return false;
        }
        memcpy(p, buf, n);
        loopdma_mem_unmap(m, p, n);
        addr += n;
        buf += n;
        len -= n;
    }
    return true;
}

/**
 * loopdma_mem_publish: write a word of guest memory behind all that it tells of
 * @m: the channel's access
 * @addr: bus address, a multiple of 4
 * @val: in the order of bytes that the guest expects
 *
 * Returns false if it cannot be written.
 */
bool loopdma_mem_publish(LoopdmaMem *m, uint64_t addr, uint32_t val)
{
    hwaddr len = sizeof(val);
    void *p = loopdma_mem_map(m, addr, m->last, &len, true);
    bool whole;

    if (!p) {
        return false;
    }
    whole = len == sizeof(val) && QEMU_PTR_IS_ALIGNED(p, sizeof(val));
    if (whole) {
        /* Pairs with the driver's read barrier behind its look at the word. */
        smp_wmb();
        qatomic_set((uint32_t *)p, val);
    }
    loopdma_mem_unmap(m, p, whole ? sizeof(val) : 0);
    return whole;
}
