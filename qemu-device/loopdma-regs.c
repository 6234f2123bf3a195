/*
 * loopdma: registers
 *
 * The contract with the driver is include/loopdma/hw.h, in words
 * Documentation/hardware.rst.  Two tables, at the end of this file, have all
 * registers, the test controls included.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/host-utils.h"
#include "qemu/lockable.h"
#include "qapi/error.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-regs.h"

/**
 * LoopdmaAccess - how a register may be accessed, see "Register access"
 * @LOOPDMA_RO: read only
 * @LOOPDMA_WO: write only
 * @LOOPDMA_RW: read and write
 * @LOOPDMA_RW_D: the same, but written while the channel is disabled only
 */
typedef enum LoopdmaAccess {
    LOOPDMA_RO,
    LOOPDMA_WO,
    LOOPDMA_RW,
    LOOPDMA_RW_D,
} LoopdmaAccess;

/**
 * LoopdmaExcess - what becomes of a value above the largest, in a test control
 * @LOOPDMA_CLAMP: it is taken for the largest
 * @LOOPDMA_MASK: reserved bits are ignored
 * @LOOPDMA_IGNORE: the write is ignored
 */
typedef enum LoopdmaExcess {
    LOOPDMA_CLAMP,
    LOOPDMA_MASK,
    LOOPDMA_IGNORE,
} LoopdmaExcess;

/**
 * LoopdmaReg - a register
 * @name: its name, without CH_
 * @access: how it may be accessed
 * @caps: CAPS of which it needs one; else it reads 0 and ignores writes
 * @ch_caps: likewise, of CH_CAPS
 * @reserved: bits that are ignored when written
 * @counter: reads of it are not counted
 * @unlocked: it is read without the lock
 * @field: where its value is in LoopdmaState, or LoopdmaChannel; or 0
 * @wide: @field has 64 bits, of which the register is those from @shift on
 * @shift: likewise
 * @read: its value, if it has no @field
 * @write: has a write take effect; without, it is stored in @field
 * @prop: of a test control, the name of the property, without the channel
 * @max: of a test control, the largest value
 * @excess: what becomes of a larger one
 *
 * A reset sets to 0 what is not fixed.
 */
typedef struct LoopdmaReg {
    const char *name;
    LoopdmaAccess access;
    uint32_t caps;
    uint32_t ch_caps;
    uint32_t reserved;
    bool counter;
    bool unlocked;
    size_t field;
    bool wide;
    uint8_t shift;
    uint32_t (*read)(const LoopdmaState *s, LoopdmaChannel *ch);
    void (*write)(LoopdmaState *s, LoopdmaChannel *ch, uint32_t val);
    const char *prop;
    uint32_t max;
    LoopdmaExcess excess;
} LoopdmaReg;

static const LoopdmaReg loopdma_channel_regs[LOOPDMA_CH_TC_ADDR_BITS / 4 + 1];

/* --- Device registers ----------------------------------------------------- */

static uint32_t loopdma_read_topology(const LoopdmaState *s,
                                      LoopdmaChannel *ch)
{
    return s->sched.channels | (s->sched.sync ? 0 : s->sched.engines << 8);
}

static uint32_t loopdma_read_ring_limits(const LoopdmaState *s,
                                         LoopdmaChannel *ch)
{
    return LOOPDMA_RING_LOG2_MIN | ctz32(s->ring_max) << 8;
}

static uint32_t loopdma_read_copy_limits(const LoopdmaState *s,
                                         LoopdmaChannel *ch)
{
    return s->copy_align | s->addr_bits << 8;
}

static uint32_t loopdma_read_fifo_limits(const LoopdmaState *s,
                                         LoopdmaChannel *ch)
{
    return s->fifo_widths | s->fifo_max_burst << 16;
}

static uint32_t loopdma_read_control(const LoopdmaState *s, LoopdmaChannel *ch)
{
    return s->resetting ? LOOPDMA_CONTROL_RESET : 0;
}

static void loopdma_write_control(LoopdmaState *s, LoopdmaChannel *ch,
                                  uint32_t val)
{
    if (val & LOOPDMA_CONTROL_RESET) {
        loopdma_dev_guest_reset(s);
    }
}

static void loopdma_write_gone(LoopdmaState *s, LoopdmaChannel *ch,
                               uint32_t val)
{
    if (val != LOOPDMA_TC_GONE_MAGIC) {
        loopdma_guest_error("TC_GONE: 0x%" PRIx32 " is not the magic", val);
        return;
    }
    loopdma_dev_set_gone(s, true);
}

static void loopdma_write_int_status(LoopdmaState *s, LoopdmaChannel *ch,
                                     uint32_t val)
{
    uint32_t channels = MAKE_64BIT_MASK(0, s->sched.channels);

    if (val & ~channels) {
        loopdma_guest_error("INT_STATUS: reserved bits in 0x%" PRIx32, val);
    }
    loopdma_irq_ack(&s->irq, val & channels);
}

static void loopdma_write_event(LoopdmaState *s, LoopdmaChannel *ch,
                                uint32_t val)
{
    loopdma_irq_ack_event(&s->irq, val);
}

static void loopdma_write_event_vector(LoopdmaState *s, LoopdmaChannel *ch,
                                       uint32_t val)
{
    if (val > s->sched.channels) {
        loopdma_guest_error("EVENT_VECTOR: no vector %" PRIu32, val);
    }
    s->irq.event_vector = val;
}

static uint32_t loopdma_read_errors(const LoopdmaState *s, LoopdmaChannel *ch)
{
    uint32_t errors = 0;
    unsigned i;

    for (i = 0; i < s->sched.channels; i++) {
        if (s->sched.ch[i].state == LOOPDMA_STATE_ERROR) {
            errors |= 1U << i;
        }
    }
    return errors;
}

static void loopdma_write_raise(LoopdmaState *s, LoopdmaChannel *ch,
                                uint32_t val)
{
    if (val > s->sched.channels) {
        loopdma_guest_error("RAISE: no vector %" PRIu32, val);
        return;
    }
    loopdma_irq_raise(&s->irq, val);
}

/* --- Channel registers ---------------------------------------------------- */

static uint32_t loopdma_read_ch_caps(const LoopdmaState *s, LoopdmaChannel *ch)
{
    return ch->xfer.limits.caps;
}

static uint32_t loopdma_read_ch_control(const LoopdmaState *s,
                                        LoopdmaChannel *ch)
{
    return (ch->enabled ? LOOPDMA_CH_CONTROL_ENABLE : 0) |
           (ch->resetting ? LOOPDMA_CH_CONTROL_RESET : 0) |
           (ch->paused ? LOOPDMA_CH_CONTROL_PAUSE : 0) |
           (ch->enabled && ch->xfer.order.unordered
            ? LOOPDMA_CH_CONTROL_UNORDERED : 0);
}

static uint32_t loopdma_read_ch_status(const LoopdmaState *s,
                                       LoopdmaChannel *ch)
{
    return ch->state | ch->error << 8 |
           (ch->paused ? LOOPDMA_CH_STATUS_PAUSED : 0);
}

static uint32_t loopdma_read_fifo_level(const LoopdmaState *s,
                                        LoopdmaChannel *ch)
{
    return qatomic_read(&ch->xfer.periph.fifo.count);
}

static uint32_t loopdma_read_fifo_data(const LoopdmaState *s,
                                       LoopdmaChannel *ch)
{
    return loopdma_dev_take_word(ch);
}

static void loopdma_write_fifo_data(LoopdmaState *s, LoopdmaChannel *ch,
                                    uint32_t val)
{
    loopdma_dev_give_word(ch, val);
}

static void loopdma_write_periph(LoopdmaState *s, LoopdmaChannel *ch,
                                 uint32_t val)
{
    loopdma_dev_select_periph(ch, val);
}

static void loopdma_write_rate(LoopdmaState *s, LoopdmaChannel *ch,
                               uint32_t val)
{
    loopdma_dev_set_rate(ch, val);
}

static uint32_t loopdma_read_priority(const LoopdmaState *s,
                                      LoopdmaChannel *ch)
{
    return ch->priority;
}

static void loopdma_write_priority(LoopdmaState *s, LoopdmaChannel *ch,
                                   uint32_t val)
{
    loopdma_sched_set_priority(ch, val);
}

/* --- Test controls -------------------------------------------------------- */

static void *loopdma_field(const LoopdmaReg *reg, const void *base)
{
    return (void *)base + reg->field;
}

static void loopdma_write_hold(LoopdmaState *s, LoopdmaChannel *ch,
                               uint32_t val)
{
    QEMU_LOCK_GUARD(&s->sched.lock);
    ch->tc.hold = val;
    if (!val) {
        ch->tc.credits = 0;
    }
}

static void loopdma_write_step(LoopdmaState *s, LoopdmaChannel *ch,
                               uint32_t val)
{
    QEMU_LOCK_GUARD(&s->sched.lock);
    if (ch->tc.hold) {
        ch->tc.credits += val;
    }
}

static void loopdma_write_spurious(LoopdmaState *s, LoopdmaChannel *ch,
                                   uint32_t val)
{
    WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
        ch->irq.spurious = val & ~LOOPDMA_CH_TC_SPURIOUS_NOW;
    }
    if (val & LOOPDMA_CH_TC_SPURIOUS_NOW) {
        loopdma_irq_send_spurious(&s->irq, ch->index);
    }
}

static void loopdma_write_addr_bits(LoopdmaState *s, LoopdmaChannel *ch,
                                    uint32_t val)
{
    loopdma_dev_set_addr_bits(ch, val);
}

/* A value that the control can have. */
static void loopdma_store_control(LoopdmaState *s, LoopdmaChannel *ch,
                                  const LoopdmaReg *reg, uint32_t val)
{
    trace_loopdma_control(ch->index, reg->prop, val);
    if (reg->write) {
        reg->write(s, ch, val);
    } else {
        WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
            *(uint32_t *)loopdma_field(reg, ch) = val;
        }
    }
    WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
        loopdma_testctl_update(&ch->tc);
        /* A batch in progress has not seen that yet. */
        qatomic_set(&ch->xfer.cut, true);
    }
    loopdma_sched_kick(ch);
}

static void loopdma_write_control_reg(LoopdmaState *s, LoopdmaChannel *ch,
                                      const LoopdmaReg *reg, uint32_t val)
{
    if (val > reg->max) {
        loopdma_guest_error("channel %u: test control %s: bad value 0x%" PRIx32,
                            ch->index, reg->prop, val);
        switch (reg->excess) {
        case LOOPDMA_CLAMP:
            val = reg->max;
            break;
        case LOOPDMA_MASK:
            val &= reg->max;
            break;
        case LOOPDMA_IGNORE:
            return;
        }
    }
    loopdma_store_control(s, ch, reg, val);
}

static const LoopdmaReg *loopdma_control(unsigned index)
{
    return &loopdma_channel_regs[LOOPDMA_CH_TC_HOLD / 4 + index];
}

/**
 * loopdma_regs_control_name: the name of a test control
 * @index: its number
 *
 * Returns NULL if there are not so many.
 */
const char *loopdma_regs_control_name(unsigned index)
{
    return index <= (LOOPDMA_CH_TC_ADDR_BITS - LOOPDMA_CH_TC_HOLD) / 4
           ? loopdma_control(index)->prop : NULL;
}

/**
 * loopdma_regs_control_caps: the capability that a test control needs
 * @index: its number
 */
uint32_t loopdma_regs_control_caps(unsigned index)
{
    return loopdma_control(index)->caps;
}

static uint32_t loopdma_value(const LoopdmaState *s, LoopdmaChannel *ch,
                              const LoopdmaReg *reg)
{
    const void *field = loopdma_field(reg, ch ? (void *)ch : (void *)s);

    if (reg->field) {
        return reg->wide ? extract64(*(uint64_t *)field, reg->shift, 32)
                         : *(uint32_t *)field;
    }
    return reg->read ? reg->read(s, ch) : 0;
}

/**
 * loopdma_regs_get_control: the value of a test control
 * @s: the device
 * @ch: the channel
 * @index: the number of the control
 */
uint32_t loopdma_regs_get_control(LoopdmaState *s, LoopdmaChannel *ch,
                                  unsigned index)
{
    QEMU_LOCK_GUARD(&s->sched.lock);
    return loopdma_value(s, ch, loopdma_control(index));
}

/**
 * loopdma_regs_set_control: set a test control, for the host
 * @s: the device
 * @ch: the channel
 * @index: the number of the control
 * @val: its value
 * @errp: set if it cannot have that
 */
bool loopdma_regs_set_control(LoopdmaState *s, LoopdmaChannel *ch,
                              unsigned index, uint32_t val, Error **errp)
{
    const LoopdmaReg *reg = loopdma_control(index);

    if (val > reg->max) {
        error_setg(errp, "loopdma: %s[%u]=%" PRIu32 " is not a number from 0 "
                   "to %" PRIu32, reg->prop, ch->index, val, reg->max);
        return false;
    }
    if (s->gone) {
        error_setg(errp, "loopdma: %s[%u] of a function that is gone: set gone "
                   "to false first", reg->prop, ch->index);
        return false;
    }
    loopdma_store_control(s, ch, reg, val);
    return true;
}

/* --- The tables ----------------------------------------------------------- */

#define DEVICE_REG(reg, how, ...) \
    [LOOPDMA_ ## reg / 4] = { .name = #reg, .access = LOOPDMA_ ## how, \
                              __VA_ARGS__ }
#define CHANNEL_REG(reg, how, ...) \
    [LOOPDMA_CH_ ## reg / 4] = { .name = #reg, .access = LOOPDMA_ ## how, \
                                 __VA_ARGS__ }
#define FIELD32(state, member) \
    .field = vmstate_offset_value(state, member, uint32_t)
#define FIELD64(member, lowest) \
    .field = vmstate_offset_value(LoopdmaChannel, member, uint64_t), \
    .wide = true, .shift = lowest
#define CONTROL(reg, how, capability, name, largest, ...) \
    CHANNEL_REG(TC_ ## reg, how, .caps = LOOPDMA_CAPS_ ## capability, \
                .prop = name, .max = largest, __VA_ARGS__)

static const LoopdmaReg loopdma_device_regs[] = {
    DEVICE_REG(ID, RO, FIELD32(LoopdmaState, x_id)),
    DEVICE_REG(VERSION, RO, FIELD32(LoopdmaState, x_version)),
    DEVICE_REG(CAPS, RO, FIELD32(LoopdmaState, caps)),
    DEVICE_REG(TOPOLOGY, RO, .read = loopdma_read_topology),
    DEVICE_REG(RING_LIMITS, RO, .read = loopdma_read_ring_limits),
    DEVICE_REG(COPY_LIMITS, RO, .read = loopdma_read_copy_limits),
    DEVICE_REG(MAX_LEN, RO, FIELD32(LoopdmaState, max_len)),
    DEVICE_REG(FIFO_DEPTH, RO, .caps = LOOPDMA_CAPS_LOOPBACK,
               FIELD32(LoopdmaState, fifo_depth)),
    DEVICE_REG(FIFO_LIMITS, RO, .caps = LOOPDMA_CAPS_LOOPBACK,
               .read = loopdma_read_fifo_limits),
    DEVICE_REG(XOR_LIMITS, RO, .caps = LOOPDMA_CAPS_XOR | LOOPDMA_CAPS_PQ,
               FIELD32(LoopdmaState, max_sources)),
    DEVICE_REG(CONTROL, RW, .reserved = ~LOOPDMA_CONTROL_RESET,
               .read = loopdma_read_control, .write = loopdma_write_control),
    DEVICE_REG(INT_STATUS, RW, FIELD32(LoopdmaState, irq.status),
               .write = loopdma_write_int_status),
    DEVICE_REG(EVENT, RW,
               .reserved = ~(LOOPDMA_EVENT_CHANNEL_ERROR |
                             LOOPDMA_EVENT_RAISED),
               FIELD32(LoopdmaState, irq.event), .write = loopdma_write_event),
    DEVICE_REG(EVENT_VECTOR, RW, FIELD32(LoopdmaState, irq.event_vector),
               .write = loopdma_write_event_vector),
    DEVICE_REG(CHANNEL_ERRORS, RO, .read = loopdma_read_errors),
    DEVICE_REG(RAISE, WO, .write = loopdma_write_raise),
    DEVICE_REG(CNT_MMIO_READS, RO, .caps = LOOPDMA_CAPS_COUNTERS,
               .counter = true, FIELD32(LoopdmaState, cnt_mmio_reads)),
    DEVICE_REG(CNT_INTERRUPTS, RO, .caps = LOOPDMA_CAPS_COUNTERS,
               .counter = true, FIELD32(LoopdmaState, irq.count)),
    DEVICE_REG(TC_GONE, WO, .caps = LOOPDMA_CAPS_FAULTS,
               .write = loopdma_write_gone),
};

static const LoopdmaReg loopdma_channel_regs[] = {
    CHANNEL_REG(CAPS, RO, .read = loopdma_read_ch_caps),
    CHANNEL_REG(CONTROL, RW,
                .reserved = ~(LOOPDMA_CH_CONTROL_ENABLE |
                              LOOPDMA_CH_CONTROL_RESET |
                              LOOPDMA_CH_CONTROL_PAUSE |
                              LOOPDMA_CH_CONTROL_UNORDERED),
                .read = loopdma_read_ch_control,
                .write = loopdma_dev_control),
    CHANNEL_REG(STATUS, RO, .read = loopdma_read_ch_status),
    CHANNEL_REG(DOORBELL, WO, .write = loopdma_dev_doorbell),
    CHANNEL_REG(RING_LO, RW_D, FIELD64(xfer.ring.base, 0)),
    CHANNEL_REG(RING_HI, RW_D, FIELD64(xfer.ring.base, 32)),
    CHANNEL_REG(RING_SIZE, RW_D, FIELD32(LoopdmaChannel, xfer.ring.log2)),
    CHANNEL_REG(VECTOR, RW_D, FIELD32(LoopdmaChannel, irq.vector)),
    CHANNEL_REG(COMP_LO, RW_D, FIELD64(xfer.comp, 0)),
    CHANNEL_REG(COMP_HI, RW_D, FIELD64(xfer.comp, 32)),
    CHANNEL_REG(ABORT, WO, .write = loopdma_dev_abort),
    CHANNEL_REG(FIFO_LEVEL, RO, .caps = LOOPDMA_CAPS_PROGRESS,
                .read = loopdma_read_fifo_level),
    CHANNEL_REG(FIFO_DATA, RW, .caps = LOOPDMA_CAPS_PERIPH,
                .ch_caps = LOOPDMA_CH_CAPS_RX, .unlocked = true,
                .read = loopdma_read_fifo_data,
                .write = loopdma_write_fifo_data),
    CHANNEL_REG(PERIPH, RW, .caps = LOOPDMA_CAPS_PERIPH,
                .ch_caps = LOOPDMA_CH_CAPS_RX,
                .reserved = ~LOOPDMA_PERIPH_FIELDS,
                FIELD32(LoopdmaChannel, xfer.periph.select),
                .write = loopdma_write_periph),
    CHANNEL_REG(RATE, RW, .caps = LOOPDMA_CAPS_PERIPH,
                .ch_caps = LOOPDMA_CH_CAPS_RX,
                FIELD32(LoopdmaChannel, xfer.periph.rate),
                .write = loopdma_write_rate),
    CHANNEL_REG(PRIORITY, RW, .caps = LOOPDMA_CAPS_PRIORITY,
                .reserved = ~LOOPDMA_CH_PRIORITY_CLASS,
                .read = loopdma_read_priority,
                .write = loopdma_write_priority),
    CHANNEL_REG(CNT_DOORBELLS, RO, .caps = LOOPDMA_CAPS_COUNTERS,
                .counter = true, FIELD32(LoopdmaChannel, cnt.doorbells)),
    CHANNEL_REG(CNT_DESCRIPTORS, RO, .caps = LOOPDMA_CAPS_COUNTERS,
                .counter = true, FIELD32(LoopdmaChannel, cnt.descriptors)),
    CHANNEL_REG(CNT_BYTES_LO, RO, .caps = LOOPDMA_CAPS_COUNTERS,
                .counter = true, FIELD64(cnt.bytes, 0)),
    CHANNEL_REG(CNT_BYTES_HI, RO, .caps = LOOPDMA_CAPS_COUNTERS,
                .counter = true, FIELD64(cnt.bytes, 32)),
    CHANNEL_REG(CNT_INTERRUPTS, RO, .caps = LOOPDMA_CAPS_COUNTERS,
                .counter = true, FIELD32(LoopdmaChannel, irq.count)),

    CONTROL(HOLD, RW, TESTCTL, "hold", 1, .excess = LOOPDMA_MASK,
            FIELD32(LoopdmaChannel, tc.hold), .write = loopdma_write_hold),
    CONTROL(STEP, WO, TESTCTL, "step", UINT32_MAX,
            .write = loopdma_write_step),
    CONTROL(FAIL, RW, TESTCTL, "fail",
            LOOPDMA_CH_TC_FAIL_AFTER | LOOPDMA_CH_TC_FAIL_STATUS,
            .excess = LOOPDMA_MASK, FIELD32(LoopdmaChannel, tc.fail)),
    CONTROL(FAIL_BYTES, RW, TESTCTL, "fail-bytes", UINT32_MAX,
            FIELD32(LoopdmaChannel, tc.fail_bytes)),
    CONTROL(DROP_IRQ, RW, TESTCTL, "drop-irq", UINT32_MAX,
            FIELD32(LoopdmaChannel, irq.drop)),
    CONTROL(LIE, RW, TESTCTL, "lie", UINT32_MAX,
            FIELD32(LoopdmaChannel, tc.lie)),
    CONTROL(DELAY, RW, FAULTS, "delay", LOOPDMA_CH_TC_DELAY_MAX,
            FIELD32(LoopdmaChannel, tc.delay)),
    CONTROL(REORDER, RW, FAULTS, "reorder", LOOPDMA_CH_TC_REORDER_MAX,
            FIELD32(LoopdmaChannel, tc.reorder)),
    CONTROL(SPURIOUS, RW, FAULTS, "spurious", UINT32_MAX,
            FIELD32(LoopdmaChannel, irq.spurious),
            .write = loopdma_write_spurious),
    CONTROL(EARLY, RW, FAULTS, "early", UINT32_MAX,
            FIELD32(LoopdmaChannel, tc.early)),
    CONTROL(STUCK, RW, FAULTS, "stuck", LOOPDMA_STUCK_DEVICE,
            .excess = LOOPDMA_IGNORE, FIELD32(LoopdmaChannel, tc.stuck),
            .write = loopdma_dev_set_stuck),
    CONTROL(ADDR_BITS, RW, FAULTS, "addr-bits", LOOPDMA_CH_TC_ADDR_BITS_MAX,
            FIELD32(LoopdmaChannel, tc.addr_bits),
            .write = loopdma_write_addr_bits),
};

/* --- Access --------------------------------------------------------------- */

/* The channel that a register belongs to, or NULL. */
static LoopdmaChannel *loopdma_channel_at(LoopdmaState *s, hwaddr addr)
{
    uint64_t index = (addr - LOOPDMA_CH_BASE) / LOOPDMA_CH_STRIDE;

    return addr >= LOOPDMA_CH_BASE && index < s->sched.channels
           ? &s->sched.ch[index] : NULL;
}

/* The register at an address, whether or not there is such a channel. */
static const LoopdmaReg *loopdma_reg_at(hwaddr addr)
{
    const LoopdmaReg *regs = loopdma_device_regs;
    size_t n = ARRAY_SIZE(loopdma_device_regs);

    if (addr >= LOOPDMA_CH_BASE) {
        regs = loopdma_channel_regs;
        n = ARRAY_SIZE(loopdma_channel_regs);
        addr %= LOOPDMA_CH_STRIDE;
    }
    return addr / 4 < n && regs[addr / 4].name ? &regs[addr / 4] : NULL;
}

static bool loopdma_has(const LoopdmaState *s, const LoopdmaChannel *ch,
                        const LoopdmaReg *reg)
{
    return (!reg->caps || (s->caps & reg->caps)) &&
           (!reg->ch_caps || (ch->xfer.limits.caps & reg->ch_caps));
}

static bool loopdma_access_valid(const LoopdmaState *s, hwaddr addr,
                                 unsigned size)
{
    if (s->irq.exiting) {
        /* Another CPU unplugged the function while this one was on its way. */
        return false;
    }
    if (size == 4 && !(addr & 3)) {
        return true;
    }
    loopdma_guest_error("access of %u bytes at 0x%" HWADDR_PRIx, size, addr);
    return false;
}

static uint64_t loopdma_regs_read(void *opaque, hwaddr addr, unsigned size)
{
    LoopdmaState *s = opaque;
    const LoopdmaReg *reg;
    LoopdmaChannel *ch;
    uint32_t val = 0;
    bool exists;

    if (s->gone || s->irq.off) {
        trace_loopdma_read(addr, UINT32_MAX);
        return UINT64_MAX;
    }
    if (!loopdma_access_valid(s, addr, size)) {
        return 0;
    }
    reg = loopdma_reg_at(addr);
    ch = loopdma_channel_at(s, addr);
    exists = reg && (ch || addr < LOOPDMA_CH_BASE);
    if (!exists) {
        loopdma_guest_error("read of unknown register 0x%" HWADDR_PRIx, addr);
    } else if (reg->unlocked && loopdma_has(s, ch, reg)) {
        val = loopdma_value(s, ch, reg);
    }
    WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
        if (exists && !reg->unlocked && loopdma_has(s, ch, reg)) {
            val = loopdma_value(s, ch, reg);
        }
        if (!reg || !reg->counter) {
            s->cnt_mmio_reads++;
        }
    }
    trace_loopdma_read(addr, val);
    return val;
}

static bool loopdma_is_disabled(LoopdmaChannel *ch)
{
    QEMU_LOCK_GUARD(&ch->sched->lock);
    return ch->state == LOOPDMA_STATE_DISABLED;
}

/* The guest has written something that it should not; @what tells it. */
static void loopdma_reg_error(const LoopdmaChannel *ch, const LoopdmaReg *reg,
                              const char *what, uint32_t val)
{
    if (ch) {
        loopdma_guest_error("channel %u: CH_%s: %s, 0x%" PRIx32, ch->index,
                            reg->name, what, val);
    } else {
        loopdma_guest_error("%s: %s, 0x%" PRIx32, reg->name, what, val);
    }
}

static void loopdma_write_reg(LoopdmaState *s, LoopdmaChannel *ch,
                              const LoopdmaReg *reg, uint32_t val)
{
    if (val & reg->reserved) {
        loopdma_reg_error(ch, reg, "reserved bits", val);
        val &= ~reg->reserved;
    }
    if (reg->access == LOOPDMA_RW_D && !loopdma_is_disabled(ch)) {
        loopdma_reg_error(ch, reg, "written while enabled", val);
    } else if (reg->prop) {
        loopdma_write_control_reg(s, ch, reg, val);
    } else if (reg->write) {
        reg->write(s, ch, val);
    } else if (reg->wide) {
        uint64_t *field = loopdma_field(reg, ch);

        *field = deposit64(*field, reg->shift, 32, val);
    } else {
        *(uint32_t *)loopdma_field(reg, ch) = val;
    }
}

static void loopdma_regs_write(void *opaque, hwaddr addr, uint64_t val,
                               unsigned size)
{
    LoopdmaState *s = opaque;
    const LoopdmaReg *reg;
    LoopdmaChannel *ch;

    if (s->gone || s->irq.off || !loopdma_access_valid(s, addr, size)) {
        return;
    }
    trace_loopdma_write(addr, val);
    reg = loopdma_reg_at(addr);
    ch = loopdma_channel_at(s, addr);
    if (!reg || reg->access == LOOPDMA_RO || !(ch || addr < LOOPDMA_CH_BASE)) {
        loopdma_guest_error("write to read-only or unknown register 0x%"
                            HWADDR_PRIx, addr);
    } else if (loopdma_has(s, ch, reg)) {
        loopdma_write_reg(s, ch, reg, val);
    }
}

/*
 * All accesses come here as they are: the memory core would divide a large one
 * into several that are valid.
 */
const MemoryRegionOps loopdma_regs_ops = {
    .read = loopdma_regs_read,
    .write = loopdma_regs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = {
        .min_access_size = 1,
        .max_access_size = 8,
        .unaligned = true,
    },
    .impl = {
        .min_access_size = 1,
        .max_access_size = 8,
        .unaligned = true,
    },
};
