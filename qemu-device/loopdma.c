/*
 * loopdma: a PCI DMA engine for testing DMA drivers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */

/*
 * The contract with the driver is include/loopdma/hw.h, in words
 * Documentation/hardware.rst.  This file is the PCI function: properties and
 * reset.  Below it, each layer including only what is below
 * itself:
 *
 *   loopdma-vmstate  migration         loopdma-regs  registers, one table
 *   loopdma-dev      the device and its channels: states, and what changes them
 *   loopdma-map      changes of the memory map
 *   loopdma-sched    who does the work of a channel, and how to stop it
 *   loopdma-testctl  test controls     loopdma-irq   interrupts
 *   loopdma-xfer     the work of a channel
 *   loopdma-mem      guest memory      loopdma-fifo  the peripheral
 *   loopdma-parity   XOR and PQ        loopdma-desc  descriptors
 */

#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/host-utils.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "migration/vmstate.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-dev.h"
#include "loopdma-parity.h"
#include "loopdma-regs.h"
#include "loopdma-vmstate.h"

static void loopdma_vm_state_change(void *opaque, bool running, RunState state)
{
    LoopdmaState *s = opaque;

    /* A message that was put off may unplug the function. */
    object_ref(OBJECT(s));
    if (!running) {
        loopdma_sched_stop_all(&s->sched);
    } else if (!s->irq.off) {
        loopdma_sched_start_all(&s->sched);
    }
    object_unref(OBJECT(s));
}

/* --- PCI function -------------------------------------------------------- */

static bool loopdma_check_range(const char *name, uint64_t val, uint64_t min,
                                uint64_t max, bool power_of_2, Error **errp)
{
    if (val >= min && val <= max && (!power_of_2 || is_power_of_2(val))) {
        return true;
    }
    error_setg(errp, "loopdma: %s=%" PRIu64 " is not %s from %" PRIu64
               " to %" PRIu64, name, val,
               power_of_2 ? "a power of two" : "a number", min, max);
    return false;
}

static bool loopdma_check_properties(LoopdmaState *s, Error **errp)
{
    static const char *const modes[] = {
        "auto", "msix", "msi", "intx", "none", NULL
    };

    if (!loopdma_check_range("channels", s->sched.channels, 1,
                             LOOPDMA_MAX_CHANNELS, false, errp) ||
        !loopdma_check_range("engines", s->sched.engines, 1, 16, false,
                             errp) ||
        !loopdma_check_range("ring-max", s->ring_max, 2, 65536, true, errp) ||
        !loopdma_check_range("copy-align", s->copy_align, 0, 12, false,
                             errp) ||
        !loopdma_check_range("max-len", s->max_len,
                             MAX(128, 1U << s->copy_align), 1 * GiB, false,
                             errp) ||
        !loopdma_check_range("addr-bits", s->addr_bits, 32, 64, false, errp) ||
        !loopdma_check_range("fifo-depth", s->fifo_depth, 64, 64 * KiB, true,
                             errp) ||
        !loopdma_check_range("fifo-widths", s->fifo_widths, 1, 0x7f, false,
                             errp) ||
        !loopdma_check_range("fifo-max-burst", s->fifo_max_burst, 1, 65535,
                             false, errp) ||
        !loopdma_check_range("max-sources", s->max_sources, 1,
                             LOOPDMA_MAX_SOURCES, false, errp) ||
        !loopdma_check_range("spin-us", s->sched.spin_us, 0, 1000, false,
                             errp) ||
        !loopdma_check_range("irq-delay-us", s->irq_delay_us, 0, 1000, false,
                             errp) ||
        !loopdma_check_range("at-once-bytes", s->sched.at_once_bytes, 0,
                             64 * KiB, false, errp) ||
        !loopdma_check_range("x-bar-size", s->x_bar_size, 4 * KiB, 1 * MiB,
                             true, errp)) {
        return false;
    }
    if (loopdma_has_foreign_ram()) {
        error_setg(errp, "loopdma: the memory of this guest is not mapped in "
                   "QEMU all the time (Xen, or a confidential guest): the "
                   "device cannot be used here");
        return false;
    }
    if (!s->ordered && s->loopback && s->sched.channels > 1) {
        error_setg(errp, "loopdma: ordered=off needs loopback=off: what is "
                   "sent and received has an order");
        return false;
    }
    if (!s->irq_mode) {
        s->irq_mode = g_strdup("auto");
    }
    if (!g_strv_contains(modes, s->irq_mode)) {
        error_setg(errp, "loopdma: irq-mode=%s is not one of auto, msix, msi, "
                   "intx, none", s->irq_mode);
        return false;
    }
    return true;
}

static void loopdma_configure(LoopdmaState *s)
{
    s->caps = LOOPDMA_CAPS_COPY | LOOPDMA_CAPS_COUNTERS | LOOPDMA_CAPS_FILL |
              LOOPDMA_CAPS_XOR | LOOPDMA_CAPS_PQ | LOOPDMA_CAPS_PAUSE |
              LOOPDMA_CAPS_PROGRESS | LOOPDMA_CAPS_PRIORITY;
    if (s->loopback && s->sched.channels > 1) {
        s->caps |= LOOPDMA_CAPS_LOOPBACK | LOOPDMA_CAPS_PERIPH |
                   LOOPDMA_CAPS_METADATA;
    }
    if (s->test_controls) {
        s->caps |= LOOPDMA_CAPS_TESTCTL | LOOPDMA_CAPS_FAULTS;
    }
    if (!s->ordered) {
        s->caps |= LOOPDMA_CAPS_UNORDERED;
    }
    s->caps &= ~s->x_caps_mask;
    if (!(s->caps & LOOPDMA_CAPS_LOOPBACK)) {
        s->caps &= ~(LOOPDMA_CAPS_PERIPH | LOOPDMA_CAPS_METADATA);
    }
    if (!(s->caps & LOOPDMA_CAPS_TESTCTL)) {
        s->caps &= ~LOOPDMA_CAPS_FAULTS;
    }

    /* Threads would make a deterministic machine less so. */
    s->sched.sync = s->sync_mode == ON_OFF_AUTO_ON ||
                    (s->sync_mode == ON_OFF_AUTO_AUTO &&
                     (qtest_enabled() || icount_enabled()));

    s->sched.pci = PCI_DEVICE(s);
    s->sched.irq = &s->irq;
    s->sched.progress = s->caps & LOOPDMA_CAPS_PROGRESS;
    s->irq.pci = PCI_DEVICE(s);
    s->irq.lock = &s->sched.lock;
    s->irq.channels = s->sched.channels;
    s->irq.delay = (int64_t)s->irq_delay_us * SCALE_US;
}

/* What a channel accepts that has a peer. */
static LoopdmaLimits loopdma_limits(const LoopdmaState *s)
{
    static const struct {
        uint32_t device, channel;
    } caps[] = {
        { LOOPDMA_CAPS_COPY, LOOPDMA_CH_CAPS_COPY },
        { LOOPDMA_CAPS_LOOPBACK, LOOPDMA_CH_CAPS_TX | LOOPDMA_CH_CAPS_RX },
        { LOOPDMA_CAPS_FILL, LOOPDMA_CH_CAPS_FILL },
        { LOOPDMA_CAPS_XOR, LOOPDMA_CH_CAPS_XOR },
        { LOOPDMA_CAPS_PQ, LOOPDMA_CH_CAPS_PQ },
    };
    LoopdmaLimits limits = {
        .metadata = s->caps & LOOPDMA_CAPS_METADATA,
        .max_len = s->max_len,
        .copy_align = s->copy_align,
        .max_sources = s->max_sources,
        .fifo_widths = s->fifo_widths,
        .fifo_max_burst = s->fifo_max_burst,
        .fifo_depth = s->fifo_depth,
    };
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(caps); i++) {
        if (s->caps & caps[i].device) {
            limits.caps |= caps[i].channel;
        }
    }
    return limits;
}

/*
 * D0 and D3hot, in which all state is kept.  Not left to the core, which has
 * only learned it in QEMU 10.1, and does not stop engines.
 */
static bool loopdma_init_power(LoopdmaState *s, Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(s);
    int at;

    if (!s->pm) {
        return true;
    }
    at = pci_add_capability(pci, PCI_CAP_ID_PM, 0, PCI_PM_SIZEOF, errp);
    if (at < 0) {
        return false;
    }
    s->pm_at = at;
    pci_set_word(pci->config + at + PCI_PM_PMC, PCI_PM_CAP_VER_1_2);
    pci_set_word(pci->config + at + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
    pci_set_word(pci->wmask + at + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
    return true;
}

/* --- Test controls, for the host ------------------------------------------ */

/**
 * LoopdmaControl - a property that is a test control
 * @channel: of this channel
 * @index: its number
 */
typedef struct LoopdmaControl {
    unsigned channel;
    unsigned index;
} LoopdmaControl;

/* May the host use this property, which needs a capability? */
static bool loopdma_host_may(const LoopdmaState *s, const char *name,
                             uint32_t capability, Error **errp)
{
    if (s->caps & capability) {
        return true;
    }
    error_setg(errp, "loopdma: %s needs the bits 0x%x of CAPS, which "
               "x-caps-mask takes out", name,
               capability | LOOPDMA_CAPS_TESTCTL);
    return false;
}

static void loopdma_get_control(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    LoopdmaState *s = LOOPDMA(obj);
    LoopdmaControl *control = opaque;
    uint32_t val;

    if (loopdma_host_may(s, name, loopdma_regs_control_caps(control->index),
                         errp)) {
        val = loopdma_regs_get_control(s, &s->sched.ch[control->channel],
                                       control->index);
        visit_type_uint32(v, name, &val, errp);
    }
}

static void loopdma_set_control(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    LoopdmaState *s = LOOPDMA(obj);
    LoopdmaControl *control = opaque;
    uint32_t val;

    if (loopdma_host_may(s, name, loopdma_regs_control_caps(control->index),
                         errp) &&
        visit_type_uint32(v, name, &val, errp)) {
        /* An interrupt may unplug the function. */
        object_ref(obj);
        loopdma_regs_set_control(s, &s->sched.ch[control->channel],
                                 control->index, val, errp);
        object_unref(obj);
    }
}

static void loopdma_release_control(Object *obj, const char *name,
                                    void *opaque)
{
    g_free(opaque);
}

static bool loopdma_get_gone(Object *obj, Error **errp)
{
    LoopdmaState *s = LOOPDMA(obj);

    return loopdma_host_may(s, "gone", LOOPDMA_CAPS_FAULTS, errp) && s->gone;
}

static void loopdma_set_gone(Object *obj, bool gone, Error **errp)
{
    LoopdmaState *s = LOOPDMA(obj);

    if (loopdma_host_may(s, "gone", LOOPDMA_CAPS_FAULTS, errp)) {
        loopdma_dev_set_gone(s, gone);
    }
}

static char *loopdma_control_name(unsigned channel, unsigned index)
{
    return g_strdup_printf("%s[%u]", loopdma_regs_control_name(index),
                           channel);
}

/*
 * The machine is reset, and not only the bus, which a driver can do.  The reset
 * of the bus, before or after this, does the rest.
 */
static void loopdma_machine_reset(void *opaque)
{
    LoopdmaState *s = opaque;

    s->gone = false;
    loopdma_dev_show_msix(s);
}

static void loopdma_add_controls(LoopdmaState *s)
{
    unsigned i, j;

    if (!s->test_controls) {
        return;
    }
    for (i = 0; i < s->sched.channels; i++) {
        for (j = 0; loopdma_regs_control_name(j); j++) {
            g_autofree char *name = loopdma_control_name(i, j);
            LoopdmaControl *control = g_new(LoopdmaControl, 1);

            *control = (LoopdmaControl) { .channel = i, .index = j };
            object_property_add(OBJECT(s), name, "uint32", loopdma_get_control,
                                loopdma_set_control, loopdma_release_control,
                                control);
        }
    }
    object_property_add_bool(OBJECT(s), "gone", loopdma_get_gone,
                             loopdma_set_gone);
    qemu_register_reset(loopdma_machine_reset, s);
}

static void loopdma_remove_controls(LoopdmaState *s)
{
    unsigned i, j;

    if (!s->test_controls) {
        return;
    }
    qemu_unregister_reset(loopdma_machine_reset, s);
    object_property_del(OBJECT(s), "gone");
    for (i = 0; i < s->sched.channels; i++) {
        for (j = 0; loopdma_regs_control_name(j); j++) {
            g_autofree char *name = loopdma_control_name(i, j);

            object_property_del(OBJECT(s), name);
        }
    }
}

/* --- Realize and unrealize ------------------------------------------------ */

static bool loopdma_init_express(PCIDevice *pci, Error **errp)
{
    if (!pci_bus_is_express(pci_get_bus(pci))) {
        return true;
    }
    if (pcie_endpoint_cap_init(pci, 0) < 0) {
        error_setg(errp, "loopdma: no room for the PCIe capability");
        return false;
    }
    pcie_cap_flr_init(pci);
    pcie_cap_deverr_init(pci);
    if (pcie_aer_init(pci, PCI_ERR_VER, PCI_CONFIG_SPACE_SIZE, PCI_ERR_SIZEOF,
                      errp) < 0) {
        pcie_cap_exit(pci);
        return false;
    }
    /*
     * What is recorded of an error need not be the same in a stream.  Nor need
     * the lower half of Link Capabilities: pcie_aer_inject_error() clears it,
     * as it writes 32 bits to Device Status.
     */
    pci_set_word(pci->cmask + pci->exp.exp_cap + PCI_EXP_LNKCAP, 0);
    pci_long_test_and_clear_mask(pci->cmask + pci->exp.aer_cap + PCI_ERR_CAP,
                                 PCI_ERR_CAP_FEP_MASK | PCI_ERR_CAP_TLP);
    memset(pci->cmask + pci->exp.aer_cap + PCI_ERR_HEADER_LOG, 0,
           PCI_ERR_HEADER_LOG_SIZE);
    memset(pci->cmask + pci->exp.aer_cap + PCI_ERR_TLP_PREFIX_LOG, 0,
           PCI_ERR_TLP_PREFIX_LOG_SIZE);
    return true;
}

static void loopdma_exit_express(PCIDevice *pci)
{
    if (pci->exp.exp_cap) {
        pcie_aer_exit(pci);
        pcie_cap_exit(pci);
    }
}

static void loopdma_realize(PCIDevice *pci, Error **errp)
{
    LoopdmaState *s = LOOPDMA(pci);
    LoopdmaLimits limits;

    if (!loopdma_check_properties(s, errp)) {
        return;
    }
    loopdma_configure(s);

    pci_config_set_vendor_id(pci->config, s->vendor_id);
    pci_config_set_device_id(pci->config, s->device_id);

    memory_region_init_io(&s->bar, OBJECT(s), &loopdma_regs_ops, s, "loopdma",
                          s->x_bar_size);
    pci_register_bar(pci, LOOPDMA_BAR, PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, &s->bar);

    if (!loopdma_init_express(pci, errp)) {
        return;
    }
    /* A BAR that was made too small for the table is to fail in the driver. */
    if (!loopdma_init_power(s, errp) ||
        !loopdma_irq_init_pci(&s->irq, &s->bar, s->irq_mode,
                              s->x_bar_size >= LOOPDMA_BAR_SIZE, errp)) {
        loopdma_irq_exit_pci(&s->irq, &s->bar);
        loopdma_exit_express(pci);
        return;
    }

    limits = loopdma_limits(s);
    loopdma_irq_start(&s->irq, !s->sched.sync);
    loopdma_sched_init(&s->sched, &limits, MAKE_64BIT_MASK(0, s->addr_bits));
    loopdma_map_init(&s->map, &s->sched);
    loopdma_add_controls(s);
    s->vmstate_handler =
        loopdma_add_vm_change_state_handler(DEVICE(pci),
                                            loopdma_vm_state_change, s);
}

/*
 * This may be called from inside of a batch, or while an interrupt is
 * delivered: the guest can unplug the function by a message that the function
 * sends.  So what these use remains until the last reference is dropped.
 */
static void loopdma_unrealize(PCIDevice *pci)
{
    LoopdmaState *s = LOOPDMA(pci);

    qemu_del_vm_change_state_handler(s->vmstate_handler);
    loopdma_remove_controls(s);
    loopdma_map_exit(&s->map);
    loopdma_sched_exit(&s->sched);
    loopdma_irq_stop(&s->irq);
    loopdma_irq_exit_pci(&s->irq, &s->bar);
    loopdma_exit_express(pci);
}

static void loopdma_instance_finalize(Object *obj)
{
    LoopdmaState *s = LOOPDMA(obj);

    if (s->sched.ch) {
        loopdma_irq_free(&s->irq);
        loopdma_sched_free(&s->sched);
    }
}

/* --- Configuration space and reset ---------------------------------------- */

static uint32_t loopdma_config_read(PCIDevice *pci, uint32_t addr, int len)
{
    return LOOPDMA(pci)->gone ? MAKE_64BIT_MASK(0, 8 * len)
                              : pci_default_read_config(pci, addr, len);
}

static void loopdma_config_write(PCIDevice *pci, uint32_t addr, uint32_t val,
                                 int len)
{
    LoopdmaState *s = LOOPDMA(pci);
    uint16_t before = loopdma_dev_power_state(s);

    if (s->gone) {
        return;
    }
    pci_default_write_config(pci, addr, val, len);
    if (s->irq.exiting) {
        /* A message that was unmasked has unplugged the function. */
        return;
    }
    if (pci->exp.exp_cap) {
        pcie_cap_flr_write_config(pci, addr, val, len);
        pcie_aer_write_config(pci, addr, val, len);
    }
    loopdma_dev_update_power(s, before);
    /* The kind of interrupt may be another now. */
    loopdma_irq_update_level(&s->irq);
}

/* No memory is touched while other devices are reset. */
static void loopdma_reset_enter(Object *obj, ResetType type)
{
    loopdma_dev_quiesce(LOOPDMA(obj));
}

static void loopdma_reset_hold(Object *obj LOOPDMA_RESET_HOLD_TYPE)
{
    LoopdmaState *s = LOOPDMA(obj);

    /* Before D0, in which the channels would go on. */
    loopdma_dev_reset(s);
    loopdma_dev_set_power_state(s, 0);
    loopdma_dev_update_power(s, 0);
}

static bool loopdma_get_idle(Object *obj, Error **errp)
{
    LoopdmaState *s = LOOPDMA(obj);

    return !s->sched.ch || loopdma_dev_is_idle(s);
}

static void loopdma_instance_init(Object *obj)
{
    object_property_add_bool(obj, "idle", loopdma_get_idle, NULL);
    /*
     * Config space large enough for an express bus; whether the function is on
     * one is known, and the capability added, when it is realized.
     */
    PCI_DEVICE(obj)->cap_present |= QEMU_PCI_CAP_EXPRESS;
}

static LOOPDMA_PROP_CONST Property loopdma_properties[] = {
    DEFINE_PROP_UINT32("channels", LoopdmaState, sched.channels, 8),
    DEFINE_PROP_UINT32("engines", LoopdmaState, sched.engines, 2),
    DEFINE_PROP_SIZE32("ring-max", LoopdmaState, ring_max, 65536),
    DEFINE_PROP_SIZE32("max-len", LoopdmaState, max_len, 4 * MiB),
    DEFINE_PROP_UINT32("copy-align", LoopdmaState, copy_align, 0),
    DEFINE_PROP_UINT32("addr-bits", LoopdmaState, addr_bits, 64),
    DEFINE_PROP_SIZE32("fifo-depth", LoopdmaState, fifo_depth, 4 * KiB),
    DEFINE_PROP_UINT32("fifo-widths", LoopdmaState, fifo_widths, 0x7f),
    DEFINE_PROP_UINT32("fifo-max-burst", LoopdmaState, fifo_max_burst, 256),
    DEFINE_PROP_UINT32("max-sources", LoopdmaState, max_sources,
                       LOOPDMA_MAX_SOURCES),
    DEFINE_PROP_BOOL("loopback", LoopdmaState, loopback, true),
    DEFINE_PROP_BOOL("ordered", LoopdmaState, ordered, true),
    DEFINE_PROP_UINT32("spin-us", LoopdmaState, sched.spin_us, 10),
    DEFINE_PROP_UINT32("irq-delay-us", LoopdmaState, irq_delay_us, 100),
    DEFINE_PROP_SIZE32("at-once-bytes", LoopdmaState, sched.at_once_bytes,
                       4 * KiB),
    DEFINE_PROP_STRING("irq-mode", LoopdmaState, irq_mode),
    DEFINE_PROP_ON_OFF_AUTO("sync", LoopdmaState, sync_mode, ON_OFF_AUTO_AUTO),
    DEFINE_PROP_BOOL("exact", LoopdmaState, sched.exact, false),
    DEFINE_PROP_BOOL("pm", LoopdmaState, pm, true),
    DEFINE_PROP_BOOL("test-controls", LoopdmaState, test_controls, false),
    DEFINE_PROP_UINT16("vendor-id", LoopdmaState, vendor_id,
                       LOOPDMA_PCI_VENDOR_ID),
    DEFINE_PROP_UINT16("device-id", LoopdmaState, device_id,
                       LOOPDMA_PCI_DEVICE_ID),
    DEFINE_PROP_UINT32("x-version", LoopdmaState, x_version,
                       LOOPDMA_VERSION_1_4),
    DEFINE_PROP_UINT32("x-id", LoopdmaState, x_id, LOOPDMA_ID_MAGIC),
    DEFINE_PROP_UINT32("x-caps-mask", LoopdmaState, x_caps_mask, 0),
    DEFINE_PROP_SIZE32("x-bar-size", LoopdmaState, x_bar_size,
                       LOOPDMA_BAR_SIZE),
    LOOPDMA_PROP_END
};

static void loopdma_class_init(ObjectClass *klass,
                               LOOPDMA_CLASS_CONST void *data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    ResettableClass *rc = RESETTABLE_CLASS(klass);
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    loopdma_parity_init();

    k->realize = loopdma_realize;
    k->exit = loopdma_unrealize;
    k->config_read = loopdma_config_read;
    k->config_write = loopdma_config_write;
    k->vendor_id = LOOPDMA_PCI_VENDOR_ID;
    k->device_id = LOOPDMA_PCI_DEVICE_ID;
    k->revision = LOOPDMA_PCI_REVISION;
    k->class_id = PCI_CLASS_SYSTEM_DMA;

    dc->desc = "DMA engine for testing DMA drivers";
    dc->vmsd = &vmstate_loopdma;
    rc->phases.enter = loopdma_reset_enter;
    rc->phases.hold = loopdma_reset_hold;
    device_class_set_props(dc, loopdma_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo loopdma_types[] = {
    {
        .name = TYPE_LOOPDMA,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(LoopdmaState),
        .instance_init = loopdma_instance_init,
        .instance_finalize = loopdma_instance_finalize,
        .class_init = loopdma_class_init,
        .interfaces = (LOOPDMA_CLASS_CONST InterfaceInfo[]) {
            { INTERFACE_PCIE_DEVICE },
            { INTERFACE_CONVENTIONAL_PCI_DEVICE },
            { },
        },
    },
};

DEFINE_TYPES(loopdma_types)
