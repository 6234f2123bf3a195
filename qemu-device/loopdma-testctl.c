/*
 * loopdma: test controls, which are faults on demand
 *
 * Their registers, and the properties by which the host has them, too.  What a
 * turn does about them is in loopdma-exec.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/lockable.h"
#include "qapi/error.h"
#include "qapi/visitor.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-int.h"

/*
 * The test controls of a channel, in the order of their registers: the name of
 * the property, without the channel, and the largest value.
 */
static const struct {
    const char *name;
    uint32_t max;
} loopdma_controls[] = {
    { "hold", 1 },
    { "step", UINT32_MAX },
    { "fail", LOOPDMA_CH_TC_FAIL_AFTER | LOOPDMA_CH_TC_FAIL_STATUS },
    { "fail-bytes", UINT32_MAX },
    { "drop-irq", UINT32_MAX },
    { "lie", UINT32_MAX },
    { "delay", LOOPDMA_CH_TC_DELAY_MAX },
    { "reorder", LOOPDMA_CH_TC_REORDER_MAX },
    { "spurious", UINT32_MAX },
    { "early", UINT32_MAX },
    { "stuck", LOOPDMA_STUCK_DEVICE },
    { "addr-bits", LOOPDMA_CH_TC_ADDR_BITS_MAX },
};

static unsigned loopdma_control_index(hwaddr addr)
{
    return (addr - LOOPDMA_CH_TC_HOLD) / sizeof(uint32_t);
}

/**
 * loopdma_is_test_control: is it a test control?
 * @addr: a channel register
 */
bool loopdma_is_test_control(hwaddr addr)
{
    return addr >= LOOPDMA_CH_TC_HOLD && addr <= LOOPDMA_CH_TC_ADDR_BITS;
}

static uint32_t loopdma_control_capability(hwaddr addr)
{
    return addr <= LOOPDMA_CH_TC_LIE ? LOOPDMA_CAPS_TESTCTL
                                     : LOOPDMA_CAPS_FAULTS;
}

/**
 * loopdma_has_test_control: does the device have this one?
 * @s: the device
 * @addr: a channel register that is a test control
 */
bool loopdma_has_test_control(const LoopdmaState *s, hwaddr addr)
{
    return s->caps & loopdma_control_capability(addr);
}

/**
 * loopdma_update_test_controls: find out whether turns have to look at them
 * @ch: a channel of which a test control has changed
 *
 * With the lock held.
 */
void loopdma_update_test_controls(LoopdmaChannel *ch)
{
    ch->tc_active = ch->tc_hold || (ch->tc_fail & LOOPDMA_CH_TC_FAIL_AFTER) ||
                    ch->tc_delay || ch->tc_reorder > 1 || ch->tc_early ||
                    ch->tc_stuck || ch->tc_addr_bits;
}

/* The highest bus address of a channel's data. */
static uint64_t loopdma_reach(const LoopdmaChannel *ch)
{
    uint64_t last = loopdma_last_address(ch->dev);

    return ch->tc_addr_bits ? MIN(MAKE_64BIT_MASK(0, ch->tc_addr_bits), last)
                            : last;
}

/* --- Stuck, all with the BQL held ----------------------------------------- */

static bool loopdma_is_device_stuck(const LoopdmaState *s)
{
    unsigned i;

    for (i = 0; i < s->channels; i++) {
        if (s->ch[i].tc_stuck == LOOPDMA_STUCK_DEVICE) {
            return true;
        }
    }
    return false;
}

/* A channel that was reset does not admit it. */
static void loopdma_stick(LoopdmaChannel *ch, uint32_t level)
{
    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        ch->tc_stuck = level;
        loopdma_update_test_controls(ch);
    }
    loopdma_set_state(ch, LOOPDMA_STATE_STOPPING);
}

/**
 * loopdma_guest_reset_channel: CH_CONTROL.RESET
 * @ch: the channel
 */
void loopdma_guest_reset_channel(LoopdmaChannel *ch)
{
    uint32_t level = ch->tc_stuck;

    loopdma_reset_channel(ch);
    if (level >= LOOPDMA_STUCK_RESET) {
        ch->resetting = true;
        loopdma_stick(ch, level);
    }
}

/**
 * loopdma_guest_reset_device: CONTROL.RESET
 * @s: the device
 */
void loopdma_guest_reset_device(LoopdmaState *s)
{
    bool stuck[LOOPDMA_MAX_CHANNELS];
    unsigned i;

    for (i = 0; i < s->channels; i++) {
        stuck[i] = s->ch[i].tc_stuck == LOOPDMA_STUCK_DEVICE;
    }
    loopdma_reset_device(s);
    for (i = 0; i < s->channels; i++) {
        if (stuck[i]) {
            s->resetting = true;
            loopdma_stick(&s->ch[i], LOOPDMA_STUCK_DEVICE);
        }
    }
}

/*
 * End what waits and is not held any more.  Resets are done once more, for what
 * was written to registers meanwhile.
 */
static void loopdma_unstick(LoopdmaChannel *ch)
{
    LoopdmaState *s = ch->dev;

    if (s->resetting) {
        if (!loopdma_is_device_stuck(s)) {
            loopdma_reset_device(s);
        }
    } else if (ch->resetting) {
        if (ch->tc_stuck < LOOPDMA_STUCK_RESET) {
            loopdma_reset_channel(ch);
        }
    } else if (ch->state == LOOPDMA_STATE_STOPPING &&
               ch->tc_stuck < LOOPDMA_STUCK_STOP) {
        /* What the peer has sent meanwhile. */
        loopdma_fifo_clear(ch);
        loopdma_set_state(ch, LOOPDMA_STATE_DISABLED);
    }
}

static void loopdma_set_stuck(LoopdmaChannel *ch, uint32_t level)
{
    loopdma_pause(ch);
    if (ch->prepared) {
        loopdma_retire(ch);
    }
    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        ch->tc_stuck = level;
        loopdma_update_test_controls(ch);
    }
    loopdma_resume(ch);
    loopdma_flush_interrupts(ch->dev);
    loopdma_unstick(ch);
}

/* --- Surprise removal, all with the BQL held ------------------------------ */

/**
 * loopdma_show_msix: does the function show its MSI-X structures?
 * @s: the device
 *
 * Without them on top of it, all of the BAR is registers.
 */
void loopdma_show_msix(LoopdmaState *s)
{
    PCIDevice *pci = PCI_DEVICE(s);
    bool shown = !s->gone && !s->off;

    if (s->has_msix) {
        memory_region_set_enabled(&pci->msix_table_mmio, shown);
        memory_region_set_enabled(&pci->msix_pba_mmio, shown);
    }
}

static void loopdma_set_gone(LoopdmaState *s, bool gone)
{
    if (s->gone == gone) {
        return;
    }
    trace_loopdma_gone(gone);
    if (gone) {
        /* Takes the INTx line back, too. */
        loopdma_reset_device(s);
    }
    s->gone = gone;
    loopdma_show_msix(s);
    if (!gone) {
        /* Not before: the BAR is to be read, as all ones, where it was. */
        pci_device_reset(PCI_DEVICE(s));
    }
}

/**
 * loopdma_guest_gone: TC_GONE
 * @s: the device
 * @val: what is written
 */
void loopdma_guest_gone(LoopdmaState *s, uint32_t val)
{
    if (!(s->caps & LOOPDMA_CAPS_FAULTS)) {
        return;
    }
    if (val != LOOPDMA_TC_GONE_MAGIC) {
        loopdma_guest_error("TC_GONE: 0x%" PRIx32 " is not the magic", val);
        return;
    }
    loopdma_set_gone(s, true);
}

/*
 * The machine is reset, and not only the bus, which a driver can do.  The reset
 * of the bus, before or after this, does the rest.
 */
static void loopdma_machine_reset(void *opaque)
{
    LoopdmaState *s = opaque;

    s->gone = false;
    loopdma_show_msix(s);
}

/* --- Registers, all with the BQL held ------------------------------------- */

static void loopdma_set_spurious(LoopdmaChannel *ch, uint32_t val)
{
    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        ch->tc_spurious = val & ~LOOPDMA_CH_TC_SPURIOUS_NOW;
    }
    if (val & LOOPDMA_CH_TC_SPURIOUS_NOW) {
        loopdma_send_spurious(ch->dev, 1U << ch->index);
    }
}

static void loopdma_set_addr_bits(LoopdmaChannel *ch, uint32_t val)
{
    loopdma_pause(ch);
    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        ch->tc_addr_bits = val;
        loopdma_update_test_controls(ch);
    }
    ch->reach = loopdma_reach(ch);
    /* Let go of what was resolved with another reach. */
    loopdma_release(ch);
    loopdma_resume(ch);
}

/* Set a test control that the device has to a value that it can have. */
static void loopdma_set_test_control(LoopdmaChannel *ch, hwaddr addr,
                                     uint32_t val)
{
    trace_loopdma_control(ch->index,
                          loopdma_controls[loopdma_control_index(addr)].name,
                          val);
    switch (addr) {
    case LOOPDMA_CH_TC_SPURIOUS:
        loopdma_set_spurious(ch, val);
        return;
    case LOOPDMA_CH_TC_STUCK:
        loopdma_set_stuck(ch, val);
        return;
    case LOOPDMA_CH_TC_ADDR_BITS:
        loopdma_set_addr_bits(ch, val);
        return;
    }

    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        switch (addr) {
        case LOOPDMA_CH_TC_HOLD:
            ch->tc_hold = val;
            if (!ch->tc_hold) {
                ch->tc_credits = 0;
            }
            break;
        case LOOPDMA_CH_TC_STEP:
            if (ch->tc_hold) {
                ch->tc_credits += val;
            }
            break;
        case LOOPDMA_CH_TC_FAIL:
            ch->tc_fail = val;
            break;
        case LOOPDMA_CH_TC_FAIL_BYTES:
            ch->tc_fail_bytes = val;
            break;
        case LOOPDMA_CH_TC_DROP_IRQ:
            ch->tc_drop_irq = val;
            break;
        case LOOPDMA_CH_TC_LIE:
            ch->tc_lie = val;
            break;
        case LOOPDMA_CH_TC_DELAY:
            ch->tc_delay = val;
            break;
        case LOOPDMA_CH_TC_REORDER:
            ch->tc_reorder = val;
            break;
        case LOOPDMA_CH_TC_EARLY:
            ch->tc_early = val;
            break;
        }
        loopdma_update_test_controls(ch);
        /* A turn in progress has not seen that yet. */
        qatomic_set(&ch->cut, true);
    }
    loopdma_kick(ch);
}

/**
 * loopdma_write_test_control: the driver writes a test control
 * @ch: the channel
 * @addr: a register that is one
 * @val: what is written
 */
void loopdma_write_test_control(LoopdmaChannel *ch, hwaddr addr, uint32_t val)
{
    unsigned index = loopdma_control_index(addr);
    uint32_t max = loopdma_controls[index].max;

    if (!loopdma_has_test_control(ch->dev, addr)) {
        return;
    }
    if (val > max) {
        loopdma_guest_error("channel %u: test control %s: bad value 0x%" PRIx32,
                            ch->index, loopdma_controls[index].name, val);
        switch (addr) {
        case LOOPDMA_CH_TC_HOLD:
        case LOOPDMA_CH_TC_FAIL:
            val &= max;
            break;
        case LOOPDMA_CH_TC_STUCK:
            return;
        default:
            val = max;
        }
    }
    loopdma_set_test_control(ch, addr, val);
}

/**
 * loopdma_clear_test_controls: reset them
 * @ch: a channel that nobody works on
 */
void loopdma_clear_test_controls(LoopdmaChannel *ch)
{
    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        ch->tc_hold = 0;
        ch->tc_credits = 0;
        ch->tc_fail = 0;
        ch->tc_fail_bytes = 0;
        ch->tc_drop_irq = 0;
        ch->tc_lie = 0;
        ch->tc_delay = 0;
        ch->tc_reorder = 0;
        ch->tc_spurious = 0;
        ch->tc_early = 0;
        ch->tc_stuck = 0;
        ch->tc_addr_bits = 0;
        ch->tc_active = false;
    }
    ch->reach = loopdma_reach(ch);
}

/* --- Migration ------------------------------------------------------------ */

/**
 * loopdma_test_controls_good: can those that a migration stream brings be?
 * @ch: the channel
 */
bool loopdma_test_controls_good(const LoopdmaChannel *ch)
{
    bool faults = ch->tc_delay || ch->tc_reorder || ch->tc_spurious ||
                  ch->tc_early || ch->tc_stuck || ch->tc_addr_bits;

    return ch->tc_hold <= 1 && ch->tc_delay <= LOOPDMA_CH_TC_DELAY_MAX &&
           ch->tc_reorder <= LOOPDMA_CH_TC_REORDER_MAX &&
           !(ch->tc_spurious & LOOPDMA_CH_TC_SPURIOUS_NOW) &&
           ch->tc_stuck <= LOOPDMA_STUCK_DEVICE &&
           ch->tc_addr_bits <= LOOPDMA_CH_TC_ADDR_BITS_MAX &&
           (!faults || (ch->dev->caps & LOOPDMA_CAPS_FAULTS));
}

/**
 * loopdma_faults_good: can the resets and the removal that a migration stream
 *     brings be?
 * @s: the device, of which the channels' states and test controls are good
 */
bool loopdma_faults_good(const LoopdmaState *s)
{
    unsigned i;

    if ((s->resetting && !loopdma_is_device_stuck(s)) ||
        (s->gone && !(s->caps & LOOPDMA_CAPS_FAULTS))) {
        return false;
    }
    for (i = 0; i < s->channels; i++) {
        const LoopdmaChannel *ch = &s->ch[i];

        if ((ch->resetting && (ch->state != LOOPDMA_STATE_STOPPING ||
                               ch->tc_stuck < LOOPDMA_STUCK_RESET)) ||
            (s->gone && ch->state != LOOPDMA_STATE_DISABLED)) {
            return false;
        }
    }
    return true;
}

/**
 * loopdma_load_test_controls: find out what a migration stream does not bring
 * @s: the device
 */
void loopdma_load_test_controls(LoopdmaState *s)
{
    unsigned i;

    for (i = 0; i < s->channels; i++) {
        LoopdmaChannel *ch = &s->ch[i];

        WITH_QEMU_LOCK_GUARD(&s->lock) {
            loopdma_update_test_controls(ch);
        }
        ch->reach = loopdma_reach(ch);
    }
    loopdma_show_msix(s);
}

/* --- Properties ----------------------------------------------------------- */

/* May the host use this property, which needs a capability? */
static bool loopdma_host_may(const LoopdmaState *s, const char *name,
                             uint32_t capability, Error **errp)
{
    if (s->caps & capability) {
        return true;
    }
    if (!s->test_controls) {
        error_setg(errp, "loopdma: %s needs a device with test-controls=on",
                   name);
    } else {
        error_setg(errp, "loopdma: %s needs the bits 0x%x of CAPS, which "
                   "x-caps-mask takes out", name,
                   capability | LOOPDMA_CAPS_TESTCTL);
    }
    return false;
}

/* @opaque: offset of the register in the BAR. */
static void loopdma_get_control(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    LoopdmaState *s = LOOPDMA(obj);
    hwaddr addr = GPOINTER_TO_UINT(opaque) % LOOPDMA_CH_STRIDE;
    LoopdmaChannel *ch = loopdma_channel_at(s, GPOINTER_TO_UINT(opaque));
    uint32_t val;

    if (!loopdma_host_may(s, name, loopdma_control_capability(addr), errp)) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        val = loopdma_read_channel(ch, addr);
    }
    visit_type_uint32(v, name, &val, errp);
}

static void loopdma_set_control(Object *obj, Visitor *v, const char *name,
                                void *opaque, Error **errp)
{
    LoopdmaState *s = LOOPDMA(obj);
    hwaddr addr = GPOINTER_TO_UINT(opaque) % LOOPDMA_CH_STRIDE;
    LoopdmaChannel *ch = loopdma_channel_at(s, GPOINTER_TO_UINT(opaque));
    uint32_t max = loopdma_controls[loopdma_control_index(addr)].max;
    uint32_t val;

    if (!loopdma_host_may(s, name, loopdma_control_capability(addr), errp) ||
        !visit_type_uint32(v, name, &val, errp)) {
        return;
    }
    if (val > max) {
        error_setg(errp, "loopdma: %s=%" PRIu32 " is not a number from 0 to %"
                   PRIu32, name, val, max);
    } else if (s->gone) {
        error_setg(errp, "loopdma: %s of a function that is gone: set gone to "
                   "false first", name);
    } else {
        loopdma_set_test_control(ch, addr, val);
    }
}

static bool loopdma_get_gone(Object *obj, Error **errp)
{
    LoopdmaState *s = LOOPDMA(obj);

    return loopdma_host_may(s, "gone", LOOPDMA_CAPS_FAULTS, errp) && s->gone;
}

static void loopdma_set_gone_property(Object *obj, bool gone, Error **errp)
{
    LoopdmaState *s = LOOPDMA(obj);

    if (loopdma_host_may(s, "gone", LOOPDMA_CAPS_FAULTS, errp)) {
        loopdma_set_gone(s, gone);
    }
}

static char *loopdma_control_name(unsigned channel, unsigned index)
{
    return g_strdup_printf("%s[%u]", loopdma_controls[index].name, channel);
}

/**
 * loopdma_test_controls_init: let the host have them
 * @s: the device, which has its channels
 *
 * The properties are there without test controls as well, and say so.
 */
void loopdma_test_controls_init(LoopdmaState *s)
{
    unsigned i, j;

    QEMU_BUILD_BUG_ON(LOOPDMA_CH_TC_HOLD + 4 * ARRAY_SIZE(loopdma_controls) !=
                      LOOPDMA_CH_TC_ADDR_BITS + 4);
    for (i = 0; i < s->channels; i++) {
        for (j = 0; j < ARRAY_SIZE(loopdma_controls); j++) {
            uint32_t addr = LOOPDMA_CH(i, LOOPDMA_CH_TC_HOLD + 4 * j);
            g_autofree char *name = loopdma_control_name(i, j);

            object_property_add(OBJECT(s), name, "uint32", loopdma_get_control,
                                loopdma_set_control, NULL,
                                GUINT_TO_POINTER(addr));
        }
    }
    object_property_add_bool(OBJECT(s), "gone", loopdma_get_gone,
                             loopdma_set_gone_property);
    qemu_register_reset(loopdma_machine_reset, s);
}

/* Undo loopdma_test_controls_init(). */
void loopdma_test_controls_exit(LoopdmaState *s)
{
    unsigned i, j;

    qemu_unregister_reset(loopdma_machine_reset, s);
    object_property_del(OBJECT(s), "gone");
    for (i = 0; i < s->channels; i++) {
        for (j = 0; j < ARRAY_SIZE(loopdma_controls); j++) {
            g_autofree char *name = loopdma_control_name(i, j);

            object_property_del(OBJECT(s), name);
        }
    }
}
