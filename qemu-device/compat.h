/*
 * loopdma: what differs between the versions of QEMU it is built with
 *
 * The rest of the device, and the fuzz target, are written for the newest
 * QEMU; this header lends the same names to QEMU 7.2 and later.  Nothing else
 * looks at the version.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_COMPAT_H
#define LOOPDMA_COMPAT_H

#include "qemu/main-loop.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "migration/vmstate.h"

#define LOOPDMA_QEMU_BEFORE(major, minor) \
    (QEMU_VERSION_MAJOR < (major) || \
     (QEMU_VERSION_MAJOR == (major) && QEMU_VERSION_MINOR < (minor)))

/* Headers that moved. */
#if LOOPDMA_QEMU_BEFORE(8, 0)
#include "hw/pci/pci.h"
#else
#include "hw/pci/pci_device.h"
#endif

#if LOOPDMA_QEMU_BEFORE(11, 0)
#include "hw/boards.h"
#include "hw/qdev-properties.h"
#else
#include "hw/core/boards.h"
#include "hw/core/qdev-properties.h"
#endif

#if LOOPDMA_QEMU_BEFORE(10, 1)
#include "exec/memory.h"
#include "exec/address-spaces.h"
#else
#include "system/memory.h"
#include "system/address-spaces.h"
#endif

#if LOOPDMA_QEMU_BEFORE(10, 0)
#include "sysemu/reset.h"
#include "sysemu/runstate.h"
#include "sysemu/qtest.h"
#include "sysemu/cpu-timers.h"
#include "sysemu/xen.h"
#else
#include "system/reset.h"
#include "system/runstate.h"
#include "system/qtest.h"
#include "system/xen.h"
#if LOOPDMA_QEMU_BEFORE(10, 1)
#include "system/cpu-timers.h"
#else
#include "exec/icount.h"
#endif
#endif

#if LOOPDMA_QEMU_BEFORE(9, 0)
#define bql_locked() qemu_mutex_iothread_locked()
#define bql_lock() qemu_mutex_lock_iothread()
#define bql_unlock() qemu_mutex_unlock_iothread()
#endif

/* The hold phase of a reset is told its type since QEMU 9.1. */
#if LOOPDMA_QEMU_BEFORE(9, 1)
#define LOOPDMA_RESET_HOLD_TYPE
#else
#define LOOPDMA_RESET_HOLD_TYPE , ResetType type
#endif

/* A property list was variable, and had a terminator, until QEMU 10.0. */
#ifdef DEFINE_PROP_END_OF_LIST
#define LOOPDMA_PROP_CONST
#define LOOPDMA_PROP_END DEFINE_PROP_END_OF_LIST()
#else
#define LOOPDMA_PROP_CONST const
#define LOOPDMA_PROP_END
#endif

/* What class_init and the list of interfaces became const in. */
#if LOOPDMA_QEMU_BEFORE(10, 1)
#define LOOPDMA_CLASS_CONST
#else
#define LOOPDMA_CLASS_CONST const
#endif

/*
 * Is there guest memory that QEMU has no mapping of?  Xen has some of it mapped
 * at a time; a confidential guest, since QEMU 9.1, has private memory.
 */
static inline bool loopdma_has_foreign_ram(void)
{
#if LOOPDMA_QEMU_BEFORE(9, 1)
    return xen_enabled();
#else
    return xen_enabled() || machine_require_guest_memfd(current_machine);
#endif
}

/* memory_access_is_direct() looks at the attributes since QEMU 10.0. */
static inline bool loopdma_is_direct(MemoryRegion *mr, bool is_write,
                                     MemTxAttrs attrs)
{
#if LOOPDMA_QEMU_BEFORE(10, 0)
    return memory_access_is_direct(mr, is_write);
#else
    return memory_access_is_direct(mr, is_write, attrs);
#endif
}

/* A handler that can fail came in between in QEMU 10.2. */
static inline VMChangeStateEntry *
loopdma_add_vm_change_state_handler(DeviceState *dev, VMChangeStateHandler *cb,
                                    void *opaque)
{
#if LOOPDMA_QEMU_BEFORE(10, 2)
    return qdev_add_vm_change_state_handler(dev, cb, opaque);
#else
    return qdev_add_vm_change_state_handler(dev, cb, NULL, opaque);
#endif
}

/*
 * VMSTATE_UINT32_EQUAL() takes a hint for the user until QEMU 10.2.  QEMU
 * names the field and both values in any case.
 */
#define LOOPDMA_VMSTATE_UINT32_EQUAL(field, state) \
    VMSTATE_SINGLE(field, state, 0, vmstate_info_uint32_equal, uint32_t)

/*
 * Saving and loading, for the fuzz target: both got an Error ** in QEMU 10.2,
 * and new names later.  Macros, since the device needs neither.
 */
#if LOOPDMA_QEMU_BEFORE(10, 2)
#define loopdma_save(f, vmsd, opaque) \
    (!vmstate_save_state(f, vmsd, opaque, NULL))
#define loopdma_load(f, vmsd, opaque) \
    (!vmstate_load_state(f, vmsd, opaque, (vmsd)->version_id))
#elif LOOPDMA_QEMU_BEFORE(11, 0)
#define loopdma_save(f, vmsd, opaque) \
    (!vmstate_save_state(f, vmsd, opaque, NULL, NULL))
#define loopdma_load(f, vmsd, opaque) \
    (!vmstate_load_state(f, vmsd, opaque, (vmsd)->version_id, NULL))
#else
#define loopdma_save(f, vmsd, opaque) \
    vmstate_save_vmsd(f, vmsd, opaque, NULL, NULL)
#define loopdma_load(f, vmsd, opaque) \
    vmstate_load_vmsd(f, vmsd, opaque, (vmsd)->version_id, NULL)
#endif

#endif /* LOOPDMA_COMPAT_H */
