/*
 * loopdma: a PCI DMA engine for testing DMA drivers
 *
 * The contract with the driver is include/loopdma/hw.h, in words
 * Documentation/hardware.rst.  This file is the PCI function: registers,
 * interrupts, reset, migration, properties.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/error-report.h"
#include "qemu/host-utils.h"
#include "qemu/lockable.h"
#include "qemu/log.h"
#include "qemu/module.h"
#include "qapi/error.h"
#include "migration/vmstate.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-int.h"

/* The bits of CH_PERIPH that are not reserved. */
#define LOOPDMA_PERIPH_FIELDS \
    (LOOPDMA_CH_PERIPH_PATTERN | LOOPDMA_CH_PERIPH_SEED)

/* The most messages that the MSI capability can ask for. */
#define LOOPDMA_MSI_MAX 32

/* The only power state beside D0, which is 0. */
#define LOOPDMA_D3HOT 3

/**
 * loopdma_guest_error: the guest has done something that it should not
 * @fmt: what, as for printf()
 */
void loopdma_guest_error(const char *fmt, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    if (!qemu_loglevel_mask(LOG_GUEST_ERROR)) {
        return;
    }
    va_start(ap, fmt);
    text = g_strdup_vprintf(fmt, ap);
    va_end(ap);
    qemu_log("loopdma: %s\n", text);
}

/* --- Power state, in configuration space ---------------------------------- */

static uint16_t loopdma_power_state(LoopdmaState *s)
{
    return s->pm_at ? pci_get_word(PCI_DEVICE(s)->config + s->pm_at +
                                   PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK : 0;
}

static void loopdma_set_power_state(LoopdmaState *s, uint16_t state)
{
    if (s->pm_at) {
        pci_set_word_by_mask(PCI_DEVICE(s)->config + s->pm_at + PCI_PM_CTRL,
                             PCI_PM_CTRL_STATE_MASK, state);
    }
}

/* --- Interrupts ---------------------------------------------------------- */

static bool loopdma_messages(LoopdmaState *s)
{
    PCIDevice *pci = PCI_DEVICE(s);

    return msix_enabled(pci) || msi_enabled(pci);
}

/* Send the message of a vector.  BQL, and no lock, as it is a bus access. */
static void loopdma_send(LoopdmaState *s, unsigned vector)
{
    PCIDevice *pci = PCI_DEVICE(s);

    trace_loopdma_interrupt(vector);
    if (msix_enabled(pci)) {
        msix_notify(pci, vector);
    } else {
        msi_notify(pci, vector % msi_nr_vectors_allocated(pci));
    }
}

static void loopdma_update_intx(LoopdmaState *s)
{
    bool level;

    if (!s->has_intx) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        level = s->int_status || s->event;
    }
    pci_set_irq(PCI_DEVICE(s), level && !loopdma_messages(s) && !s->off);
}

/* Two messages at once would be one interrupt for the guest. */
static void loopdma_repeat_later(LoopdmaState *s)
{
    timer_mod_anticipate(s->repeat_timer,
                         qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) +
                         LOOPDMA_REPEAT_NS);
}

/**
 * loopdma_send_spurious: send interrupts for nothing
 * @s: the device
 * @channels: whose
 *
 * With the BQL held.
 */
void loopdma_send_spurious(LoopdmaState *s, uint32_t channels)
{
    bool messages = loopdma_messages(s);
    uint32_t vector[LOOPDMA_MAX_CHANNELS];
    unsigned i;

    if (s->off) {
        /* The host asks; a function that is off has no say. */
        return;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        for (i = 0; i < s->channels; i++) {
            vector[i] = s->ch[i].vector;
            if (messages && vector[i] > s->channels) {
                /* Only a channel that is enabled is known to have one. */
                channels &= ~(1U << i);
            }
            s->ch[i].cnt_interrupts += extract32(channels, i, 1);
        }
        s->cnt_interrupts += ctpop32(channels);
        if (!messages) {
            s->int_status |= channels;
        }
    }

    trace_loopdma_spurious(channels);
    if (messages) {
        for (i = 0; i < s->channels; i++) {
            if (channels & (1U << i)) {
                loopdma_send(s, vector[i]);
            }
        }
    } else {
        loopdma_update_intx(s);
    }
}

/* Returns which of @channels have an interrupt to be followed by another. */
static uint32_t loopdma_take_repeats(LoopdmaState *s, uint32_t channels)
{
    QEMU_LOCK_GUARD(&s->lock);
    channels &= s->repeat;
    s->repeat &= ~channels;
    return channels;
}

static void loopdma_repeat(void *opaque)
{
    LoopdmaState *s = opaque;

    /* Under INTx the driver's acknowledgement is waited for; in D3hot, D0. */
    if (loopdma_messages(s) && !s->off) {
        loopdma_send_spurious(s, loopdma_take_repeats(s, UINT32_MAX));
    }
}

/**
 * loopdma_flush_interrupts: send what channels and events have asked for
 * @s: the device
 *
 * With the BQL held.
 */
void loopdma_flush_interrupts(LoopdmaState *s)
{
    bool messages = loopdma_messages(s);
    uint32_t vector[LOOPDMA_MAX_CHANNELS];
    uint32_t channels, repeat;
    bool event;
    unsigned i;

    if (s->off) {
        /* It waits for D0. */
        return;
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        channels = s->irq_channels;
        event = s->irq_event;
        s->irq_channels = 0;
        s->irq_event = false;

        if (!messages) {
            s->int_status |= channels;
        }
        if (s->event_vector > s->channels && messages) {
            event = false;
        }
        for (i = 0; i < s->channels; i++) {
            s->ch[i].cnt_interrupts += extract32(channels, i, 1);
            /* A message may go to our own registers and change this. */
            vector[i] = s->ch[i].vector;
            if (unlikely(s->ch[i].tc_spurious) && extract32(channels, i, 1)) {
                s->ch[i].tc_spurious--;
                s->repeat |= 1U << i;
            }
        }
        s->cnt_interrupts += ctpop32(channels) + event;
        repeat = s->repeat;
    }

    if (messages) {
        if (repeat) {
            loopdma_repeat_later(s);
        }
        for (i = 0; i < s->channels; i++) {
            if (channels & (1U << i)) {
                loopdma_send(s, vector[i]);
            }
        }
        if (event) {
            loopdma_send(s, s->event_vector);
        }
    } else {
        loopdma_update_intx(s);
    }
}

static void loopdma_irq_bh(void *opaque)
{
    loopdma_flush_interrupts(opaque);
}

/**
 * loopdma_set_event: set bits of EVENT
 * @s: the device
 * @bits: LOOPDMA_EVENT_*
 *
 * With the lock held.  Under MSI(-X), only a bit that was clear interrupts.
 */
void loopdma_set_event(LoopdmaState *s, uint32_t bits)
{
    if (bits & ~s->event) {
        s->event |= bits;
        s->irq_event = true;
        if (!s->will_flush) {
            loopdma_want_messages(s);
        }
    }
}

static void loopdma_raise(LoopdmaState *s, uint32_t vector)
{
    if (vector > s->channels) {
        loopdma_guest_error("RAISE: no vector %" PRIu32, vector);
        return;
    }
    if (loopdma_messages(s)) {
        WITH_QEMU_LOCK_GUARD(&s->lock) {
            s->cnt_interrupts++;
        }
        loopdma_send(s, vector);
    } else {
        WITH_QEMU_LOCK_GUARD(&s->lock) {
            loopdma_set_event(s, LOOPDMA_EVENT_RAISED);
        }
        loopdma_flush_interrupts(s);
    }
}

/* --- Channel states, all with the BQL held ------------------------------- */

/**
 * loopdma_channel_caps: CH_CAPS of a channel
 * @ch: the channel
 */
uint32_t loopdma_channel_caps(const LoopdmaChannel *ch)
{
    const LoopdmaState *s = ch->dev;
    uint32_t caps = 0;

    if (s->caps & LOOPDMA_CAPS_COPY) {
        caps |= LOOPDMA_CH_CAPS_COPY;
    }
    if ((s->caps & LOOPDMA_CAPS_LOOPBACK) && (ch->index | 1) < s->channels) {
        caps |= LOOPDMA_CH_CAPS_TX | LOOPDMA_CH_CAPS_RX;
    }
    if (s->caps & LOOPDMA_CAPS_FILL) {
        caps |= LOOPDMA_CH_CAPS_FILL;
    }
    if (s->caps & LOOPDMA_CAPS_XOR) {
        caps |= LOOPDMA_CH_CAPS_XOR;
    }
    if (s->caps & LOOPDMA_CAPS_PQ) {
        caps |= LOOPDMA_CH_CAPS_PQ;
    }
    return caps;
}

static bool loopdma_area_good(const LoopdmaState *s, uint64_t addr,
                              uint64_t size, uint64_t align)
{
    return !(addr & (align - 1)) && addr <= loopdma_last_address(s) &&
           size - 1 <= loopdma_last_address(s) - addr;
}

/**
 * loopdma_config_good: may a channel run with the registers it has?
 * @ch: the channel
 */
bool loopdma_config_good(const LoopdmaChannel *ch)
{
    const LoopdmaState *s = ch->dev;

    return ch->ring_log2 >= LOOPDMA_RING_LOG2_MIN &&
           ch->ring_log2 <= ctz32(s->ring_max) &&
           loopdma_area_good(s, ch->ring,
                             (uint64_t)LOOPDMA_DESC_SIZE << ch->ring_log2,
                             LOOPDMA_DESC_SIZE) &&
           loopdma_area_good(s, ch->comp, LOOPDMA_COMP_SIZE,
                             LOOPDMA_COMP_SIZE) &&
           ch->vector <= s->channels;
}

/**
 * loopdma_set_state: a channel changes its state, not by an error
 * @ch: a channel that nobody works on
 * @state: the new one
 */
void loopdma_set_state(LoopdmaChannel *ch, enum loopdma_hw_state state)
{
    QEMU_LOCK_GUARD(&ch->dev->lock);
    trace_loopdma_state(ch->index, state);
    ch->state = state;
    ch->error = LOOPDMA_CHERR_NONE;
    ch->paused = false;
}

static void loopdma_enable(LoopdmaChannel *ch)
{
    ch->enabled = true;
    if (!loopdma_config_good(ch)) {
        loopdma_guest_error("channel %u: enabled with a bad configuration",
                            ch->index);
        loopdma_fail(ch, LOOPDMA_CHERR_CONFIG);
        return;
    }

    loopdma_choose_context(ch);
    ch->tail = 0;
    ch->retired = 0;
    ch->published = 0;
    ch->aborting = false;
    ch->skip = false;
    ch->raised = false;
    ch->pace = 0;
    ch->asked = 0;
    ch->response = LOOPDMA_RESPONSE_FIRST_NS;
    loopdma_set_state(ch, LOOPDMA_STATE_RUNNING);
}

/*
 * After this the device touches no memory of the channel, and an interrupt that
 * it was to raise has been.  What an engine handed back to the main loop is
 * retired, unless @retire is false: the bus may be under reset as well.
 * @stuck: the channel does not admit it if it was running.
 */
static void loopdma_disable(LoopdmaChannel *ch, bool retire, bool stuck)
{
    loopdma_pause(ch);
    if (ch->prepared && retire) {
        loopdma_retire(ch);
    }
    loopdma_discard(ch);
    ch->enabled = false;
    loopdma_set_state(ch, stuck && ch->state == LOOPDMA_STATE_RUNNING
                          ? LOOPDMA_STATE_STOPPING : LOOPDMA_STATE_DISABLED);
    loopdma_resume(ch);
    loopdma_fifo_clear(ch);
    if (retire) {
        /* While CH_VECTOR is what it was. */
        loopdma_flush_interrupts(ch->dev);
    }
}

/*
 * CH_CONTROL.PAUSE of a channel that is enabled.  When this has paused it, what
 * its turn has done is written, and its interrupts are raised.
 */
static void loopdma_set_paused(LoopdmaChannel *ch, bool paused)
{
    loopdma_pause(ch);
    if (ch->prepared) {
        loopdma_retire(ch);
    }
    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        /* It may have run into an error before. */
        ch->paused = paused && ch->state == LOOPDMA_STATE_RUNNING;
        trace_loopdma_paused(ch->index, ch->paused);
    }
    loopdma_resume(ch);
    loopdma_flush_interrupts(ch->dev);
}

/**
 * loopdma_reset_channel: reset a channel, whatever it is stuck at
 * @ch: the channel
 */
void loopdma_reset_channel(LoopdmaChannel *ch)
{
    LoopdmaState *s = ch->dev;

    loopdma_disable(ch, false, false);

    ch->resetting = false;
    ch->ring = 0;
    ch->comp = 0;
    ch->ring_log2 = 0;
    ch->vector = 0;
    ch->requests = (LoopdmaPace) { };
    loopdma_set_rate(ch, 0);
    loopdma_set_periph(ch, 0);
    loopdma_set_priority(ch, 0);
    loopdma_clear_test_controls(ch);
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        ch->cnt_doorbells = 0;
        ch->cnt_descriptors = 0;
        ch->cnt_bytes = 0;
        ch->cnt_interrupts = 0;
        s->irq_due &= ~(1U << ch->index);
        s->irq_channels &= ~(1U << ch->index);
        s->int_status &= ~(1U << ch->index);
        s->repeat &= ~(1U << ch->index);
    }
    loopdma_update_intx(s);
}

/**
 * loopdma_reset_device: reset the device, whatever its channels are stuck at
 * @s: the device
 */
void loopdma_reset_device(LoopdmaState *s)
{
    unsigned i;

    trace_loopdma_reset();
    s->resetting = false;
    for (i = 0; i < s->channels; i++) {
        loopdma_reset_channel(&s->ch[i]);
    }
    for (i = 0; i < s->channels; i++) {
        /* What peers have sent that were reset later. */
        loopdma_fifo_clear(&s->ch[i]);
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        s->event = 0;
        s->irq_event = false;
        s->event_vector = 0;
        s->cnt_mmio_reads = 0;
        s->cnt_interrupts = 0;
    }
    loopdma_update_intx(s);
}

/* The driver has written something that stops the channel. */
static void loopdma_guest_fail(LoopdmaChannel *ch, const char *name,
                               uint32_t val, enum loopdma_hw_chan_error error)
{
    loopdma_guest_error("channel %u: bad %s 0x%" PRIx32, ch->index, name, val);
    loopdma_pause(ch);
    loopdma_discard(ch);
    if (ch->state == LOOPDMA_STATE_RUNNING) {
        loopdma_fail(ch, error);
    }
    loopdma_resume(ch);
}

static void loopdma_doorbell(LoopdmaChannel *ch, uint32_t val)
{
    bool good = true;

    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        uint32_t size;

        if (ch->state != LOOPDMA_STATE_RUNNING) {
            loopdma_guest_error("channel %u: doorbell while not running",
                                ch->index);
            return;
        }
        size = 1U << ch->ring_log2;
        good = val - ch->retired <= size && val - ch->tail <= size;
        if (good) {
            ch->cnt_doorbells++;
            ch->tail = val;
            loopdma_answered(ch);
        }
    }
    if (good) {
        loopdma_kick_at_once(ch);
    } else {
        loopdma_guest_fail(ch, "doorbell", val, LOOPDMA_CHERR_DOORBELL);
    }
}

static void loopdma_abort(LoopdmaChannel *ch, uint32_t val)
{
    bool good = true;

    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        if (ch->state != LOOPDMA_STATE_RUNNING) {
            loopdma_guest_error("channel %u: abort while not running",
                                ch->index);
            return;
        }
        /* The driver may know less than we do, but not more. */
        good = val - ch->published <= ch->tail - ch->published;
        if (good) {
            /* Of two counts the later is in force. */
            if (!ch->aborting || (int32_t)(val - ch->abort_to) > 0) {
                ch->abort_to = val;
            }
            ch->aborting = true;
            qatomic_set(&ch->cut, true);
        }
    }
    if (good) {
        loopdma_kick(ch);
    } else {
        loopdma_guest_fail(ch, "abort", val, LOOPDMA_CHERR_ABORT);
    }
}

static void loopdma_control(LoopdmaChannel *ch, uint32_t val)
{
    bool reset = val & LOOPDMA_CH_CONTROL_RESET;
    bool enable = !reset && (val & LOOPDMA_CH_CONTROL_ENABLE);
    bool has_pause = ch->dev->caps & LOOPDMA_CAPS_PAUSE;
    bool pause = has_pause && (val & LOOPDMA_CH_CONTROL_PAUSE);

    if (val & ~(LOOPDMA_CH_CONTROL_ENABLE | LOOPDMA_CH_CONTROL_RESET |
                (has_pause ? LOOPDMA_CH_CONTROL_PAUSE : 0))) {
        loopdma_guest_error("channel %u: reserved bits in CONTROL 0x%" PRIx32,
                            ch->index, val);
    }
    if (ch->resetting || ch->dev->resetting) {
        loopdma_guest_error("channel %u: CONTROL written amid a reset",
                            ch->index);
        return;
    }
    if (pause && !enable && !ch->enabled) {
        loopdma_guest_error("channel %u: paused while disabled", ch->index);
    }
    if (reset) {
        loopdma_guest_reset_channel(ch);
    } else if (enable && ch->state == LOOPDMA_STATE_STOPPING) {
        loopdma_guest_error("channel %u: enabled while it stops", ch->index);
    } else if (enable && !ch->enabled) {
        loopdma_enable(ch);
    } else if (!enable && ch->enabled) {
        loopdma_disable(ch, true, ch->tc_stuck >= LOOPDMA_STUCK_STOP);
    } else if (ch->enabled && pause != ch->paused) {
        loopdma_set_paused(ch, pause);
    }
}

/* --- Registers ----------------------------------------------------------- */

static uint32_t loopdma_channel_errors(const LoopdmaState *s)
{
    uint32_t errors = 0;
    unsigned i;

    for (i = 0; i < s->channels; i++) {
        if (s->ch[i].state == LOOPDMA_STATE_ERROR) {
            errors |= 1U << i;
        }
    }
    return errors;
}

static bool loopdma_is_counter(hwaddr addr)
{
    if (addr < LOOPDMA_CH_BASE) {
        return addr == LOOPDMA_CNT_MMIO_READS || addr == LOOPDMA_CNT_INTERRUPTS;
    }
    addr %= LOOPDMA_CH_STRIDE;
    return addr >= LOOPDMA_CH_CNT_DOORBELLS &&
           addr <= LOOPDMA_CH_CNT_INTERRUPTS;
}

/**
 * loopdma_read_channel: read a channel register but for CH_FIFO_DATA
 * @ch: the channel
 * @addr: the register
 *
 * With the lock held.
 */
uint32_t loopdma_read_channel(const LoopdmaChannel *ch, hwaddr addr)
{
    const LoopdmaState *s = ch->dev;

    if ((loopdma_is_counter(LOOPDMA_CH_BASE + addr) &&
         !(s->caps & LOOPDMA_CAPS_COUNTERS)) ||
        (loopdma_is_test_control(addr) && !loopdma_has_test_control(s, addr))) {
        return 0;
    }

    switch (addr) {
    case LOOPDMA_CH_CAPS:
        return loopdma_channel_caps(ch);
    case LOOPDMA_CH_CONTROL:
        return (ch->enabled ? LOOPDMA_CH_CONTROL_ENABLE : 0) |
               (ch->resetting ? LOOPDMA_CH_CONTROL_RESET : 0) |
               (ch->paused ? LOOPDMA_CH_CONTROL_PAUSE : 0);
    case LOOPDMA_CH_STATUS:
        return ch->state | ch->error << 8 |
               (ch->paused ? LOOPDMA_CH_STATUS_PAUSED : 0);
    case LOOPDMA_CH_RING_LO:
        return extract64(ch->ring, 0, 32);
    case LOOPDMA_CH_RING_HI:
        return extract64(ch->ring, 32, 32);
    case LOOPDMA_CH_RING_SIZE:
        return ch->ring_log2;
    case LOOPDMA_CH_VECTOR:
        return ch->vector;
    case LOOPDMA_CH_COMP_LO:
        return extract64(ch->comp, 0, 32);
    case LOOPDMA_CH_COMP_HI:
        return extract64(ch->comp, 32, 32);
    case LOOPDMA_CH_FIFO_LEVEL:
        return s->caps & LOOPDMA_CAPS_PROGRESS ? qatomic_read(&ch->fifo.count)
                                               : 0;
    case LOOPDMA_CH_PERIPH:
        return ch->periph;
    case LOOPDMA_CH_RATE:
        return ch->rate;
    case LOOPDMA_CH_PRIORITY:
        return ch->priority;
    case LOOPDMA_CH_CNT_DOORBELLS:
        return ch->cnt_doorbells;
    case LOOPDMA_CH_CNT_DESCRIPTORS:
        return ch->cnt_descriptors;
    case LOOPDMA_CH_CNT_BYTES_LO:
        return extract64(ch->cnt_bytes, 0, 32);
    case LOOPDMA_CH_CNT_BYTES_HI:
        return extract64(ch->cnt_bytes, 32, 32);
    case LOOPDMA_CH_CNT_INTERRUPTS:
        return ch->cnt_interrupts;
    case LOOPDMA_CH_TC_HOLD:
        return ch->tc_hold;
    case LOOPDMA_CH_TC_FAIL:
        return ch->tc_fail;
    case LOOPDMA_CH_TC_FAIL_BYTES:
        return ch->tc_fail_bytes;
    case LOOPDMA_CH_TC_DROP_IRQ:
        return ch->tc_drop_irq;
    case LOOPDMA_CH_TC_LIE:
        return ch->tc_lie;
    case LOOPDMA_CH_TC_DELAY:
        return ch->tc_delay;
    case LOOPDMA_CH_TC_REORDER:
        return ch->tc_reorder;
    case LOOPDMA_CH_TC_SPURIOUS:
        return ch->tc_spurious;
    case LOOPDMA_CH_TC_EARLY:
        return ch->tc_early;
    case LOOPDMA_CH_TC_STUCK:
        return ch->tc_stuck;
    case LOOPDMA_CH_TC_ADDR_BITS:
        return ch->tc_addr_bits;
    case LOOPDMA_CH_DOORBELL:
    case LOOPDMA_CH_ABORT:
    case LOOPDMA_CH_TC_STEP:
        return 0;
    }
    loopdma_guest_error("read of unknown channel register 0x%" HWADDR_PRIx,
                        addr);
    return 0;
}

/* With the lock held. */
static uint32_t loopdma_read_device(const LoopdmaState *s, hwaddr addr)
{
    bool loopback = s->caps & LOOPDMA_CAPS_LOOPBACK;

    switch (addr) {
    case LOOPDMA_ID:
        return s->x_id;
    case LOOPDMA_VERSION:
        return s->x_version;
    case LOOPDMA_CAPS:
        return s->caps;
    case LOOPDMA_TOPOLOGY:
        return s->channels | (s->sync ? 0 : s->engines << 8);
    case LOOPDMA_RING_LIMITS:
        return LOOPDMA_RING_LOG2_MIN | ctz32(s->ring_max) << 8;
    case LOOPDMA_COPY_LIMITS:
        return s->copy_align | s->addr_bits << 8;
    case LOOPDMA_MAX_LEN:
        return s->max_len;
    case LOOPDMA_FIFO_DEPTH:
        return loopback ? s->fifo_depth : 0;
    case LOOPDMA_FIFO_LIMITS:
        return loopback ? s->fifo_widths | s->fifo_max_burst << 16 : 0;
    case LOOPDMA_XOR_LIMITS:
        return s->caps & (LOOPDMA_CAPS_XOR | LOOPDMA_CAPS_PQ) ? s->max_sources
                                                              : 0;
    case LOOPDMA_INT_STATUS:
        return s->int_status;
    case LOOPDMA_EVENT:
        return s->event;
    case LOOPDMA_EVENT_VECTOR:
        return s->event_vector;
    case LOOPDMA_CHANNEL_ERRORS:
        return loopdma_channel_errors(s);
    case LOOPDMA_CNT_MMIO_READS:
        return s->caps & LOOPDMA_CAPS_COUNTERS ? s->cnt_mmio_reads : 0;
    case LOOPDMA_CNT_INTERRUPTS:
        return s->caps & LOOPDMA_CAPS_COUNTERS ? s->cnt_interrupts : 0;
    case LOOPDMA_CONTROL:
        return s->resetting ? LOOPDMA_CONTROL_RESET : 0;
    case LOOPDMA_RAISE:
    case LOOPDMA_TC_GONE:
        return 0;
    }
    loopdma_guest_error("read of unknown register 0x%" HWADDR_PRIx, addr);
    return 0;
}

/* Not with the lock held: takes that of the FIFO, or waits for an engine. */
static uint32_t loopdma_read_data(LoopdmaChannel *ch)
{
    uint32_t val = 0;

    if (loopdma_has_periph(ch) && !loopdma_take_word(ch, &val)) {
        loopdma_guest_error("channel %u: FIFO_DATA read while there is none",
                            ch->index);
    }
    return val;
}

/**
 * loopdma_channel_at: the channel that a register belongs to, or NULL
 * @s: the device
 * @addr: the register's offset in the BAR
 */
LoopdmaChannel *loopdma_channel_at(LoopdmaState *s, hwaddr addr)
{
    uint64_t index = (addr - LOOPDMA_CH_BASE) / LOOPDMA_CH_STRIDE;

    return addr >= LOOPDMA_CH_BASE && index < s->channels ? &s->ch[index]
                                                          : NULL;
}

static bool loopdma_access_good(const LoopdmaState *s, hwaddr addr,
                                unsigned size)
{
    if (!s->ch) {
        /* Another CPU unplugged the function while this one was on its way. */
        return false;
    }
    if (size == 4 && !(addr & 3)) {
        return true;
    }
    loopdma_guest_error("access of %u bytes at 0x%" HWADDR_PRIx, size, addr);
    return false;
}

static uint64_t loopdma_mmio_read(void *opaque, hwaddr addr, unsigned size)
{
    LoopdmaState *s = opaque;
    LoopdmaChannel *ch;
    uint32_t val = 0;
    bool is_data;

    if (s->gone || s->off) {
        trace_loopdma_read(addr, UINT32_MAX);
        return UINT64_MAX;
    }
    if (!loopdma_access_good(s, addr, size)) {
        return 0;
    }
    ch = loopdma_channel_at(s, addr);
    is_data = ch && addr % LOOPDMA_CH_STRIDE == LOOPDMA_CH_FIFO_DATA;
    if (is_data) {
        val = loopdma_read_data(ch);
    }
    WITH_QEMU_LOCK_GUARD(&s->lock) {
        if (ch && !is_data) {
            val = loopdma_read_channel(ch, addr % LOOPDMA_CH_STRIDE);
        } else if (!ch) {
            val = loopdma_read_device(s, addr);
        }
        if (!loopdma_is_counter(addr)) {
            s->cnt_mmio_reads++;
        }
    }
    trace_loopdma_read(addr, val);
    return val;
}

/* A register that may be written while the channel is disabled only. */
static void loopdma_write_config(LoopdmaChannel *ch, hwaddr addr, uint32_t val)
{
    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        if (ch->state != LOOPDMA_STATE_DISABLED) {
            loopdma_guest_error("channel %u: register 0x%" HWADDR_PRIx
                                " written while enabled", ch->index, addr);
            return;
        }
    }

    switch (addr) {
    case LOOPDMA_CH_RING_LO:
        ch->ring = deposit64(ch->ring, 0, 32, val);
        break;
    case LOOPDMA_CH_RING_HI:
        ch->ring = deposit64(ch->ring, 32, 32, val);
        break;
    case LOOPDMA_CH_RING_SIZE:
        ch->ring_log2 = val;
        break;
    case LOOPDMA_CH_VECTOR:
        ch->vector = val;
        break;
    case LOOPDMA_CH_COMP_LO:
        ch->comp = deposit64(ch->comp, 0, 32, val);
        break;
    case LOOPDMA_CH_COMP_HI:
        ch->comp = deposit64(ch->comp, 32, 32, val);
        break;
    }
}

/* Those bits of @val that are not reserved. */
static uint32_t loopdma_valid(const LoopdmaChannel *ch, const char *name,
                              uint32_t val, uint32_t valid)
{
    if (val & ~valid) {
        loopdma_guest_error("channel %u: reserved bits in %s 0x%" PRIx32,
                            ch->index, name, val);
    }
    return val & valid;
}

static void loopdma_write_priority(LoopdmaChannel *ch, uint32_t val)
{
    if (ch->dev->caps & LOOPDMA_CAPS_PRIORITY) {
        val = loopdma_valid(ch, "PRIORITY", val, LOOPDMA_CH_PRIORITY_CLASS);
        loopdma_set_priority(ch, val);
    }
}

static void loopdma_write_peripheral(LoopdmaChannel *ch, hwaddr addr,
                                     uint32_t val)
{
    if (!loopdma_has_periph(ch)) {
        return;
    }
    switch (addr) {
    case LOOPDMA_CH_FIFO_DATA:
        if (!loopdma_give_word(ch, val)) {
            loopdma_guest_error("channel %u: FIFO_DATA does not accept 0x%"
                                PRIx32, ch->index, val);
        }
        break;
    case LOOPDMA_CH_PERIPH:
        val = loopdma_valid(ch, "PERIPH", val, LOOPDMA_PERIPH_FIELDS);
        loopdma_set_periph(ch, val);
        break;
    case LOOPDMA_CH_RATE:
        loopdma_set_rate(ch, val);
        break;
    }
}

static void loopdma_write_channel(LoopdmaChannel *ch, hwaddr addr,
                                  uint32_t val)
{
    switch (addr) {
    case LOOPDMA_CH_CONTROL:
        loopdma_control(ch, val);
        break;
    case LOOPDMA_CH_DOORBELL:
        loopdma_doorbell(ch, val);
        break;
    case LOOPDMA_CH_ABORT:
        loopdma_abort(ch, val);
        break;
    case LOOPDMA_CH_RING_LO:
    case LOOPDMA_CH_RING_HI:
    case LOOPDMA_CH_RING_SIZE:
    case LOOPDMA_CH_VECTOR:
    case LOOPDMA_CH_COMP_LO:
    case LOOPDMA_CH_COMP_HI:
        loopdma_write_config(ch, addr, val);
        break;
    case LOOPDMA_CH_FIFO_DATA:
    case LOOPDMA_CH_PERIPH:
    case LOOPDMA_CH_RATE:
        loopdma_write_peripheral(ch, addr, val);
        break;
    case LOOPDMA_CH_PRIORITY:
        loopdma_write_priority(ch, val);
        break;
    default:
        if (loopdma_is_test_control(addr)) {
            loopdma_write_test_control(ch, addr, val);
            break;
        }
        loopdma_guest_error("write to read-only or unknown channel register "
                            "0x%" HWADDR_PRIx, addr);
    }
}

/* Bits to clear with a write of @val, of which @valid are not reserved. */
static uint32_t loopdma_w1c(const char *name, uint32_t val, uint32_t valid)
{
    if (val & ~valid) {
        loopdma_guest_error("%s: reserved bits in 0x%" PRIx32, name, val);
    }
    return val & valid;
}

static void loopdma_write_device(LoopdmaState *s, hwaddr addr, uint32_t val)
{
    uint32_t again;

    switch (addr) {
    case LOOPDMA_CONTROL:
        if (val & ~LOOPDMA_CONTROL_RESET) {
            loopdma_guest_error("CONTROL: reserved bits in 0x%" PRIx32, val);
        }
        if (val & LOOPDMA_CONTROL_RESET) {
            loopdma_guest_reset_device(s);
        }
        break;
    case LOOPDMA_INT_STATUS:
        WITH_QEMU_LOCK_GUARD(&s->lock) {
            s->int_status &= ~loopdma_w1c("INT_STATUS", val,
                                          MAKE_64BIT_MASK(0, s->channels));
        }
        loopdma_update_intx(s);
        again = loopdma_take_repeats(s, val);
        if (again) {
            loopdma_send_spurious(s, again);
        }
        break;
    case LOOPDMA_EVENT:
        WITH_QEMU_LOCK_GUARD(&s->lock) {
            s->event &= ~loopdma_w1c("EVENT", val,
                                     LOOPDMA_EVENT_CHANNEL_ERROR |
                                     LOOPDMA_EVENT_RAISED);
        }
        loopdma_update_intx(s);
        break;
    case LOOPDMA_EVENT_VECTOR:
        if (val > s->channels) {
            loopdma_guest_error("EVENT_VECTOR: no vector %" PRIu32, val);
        }
        s->event_vector = val;
        break;
    case LOOPDMA_RAISE:
        loopdma_raise(s, val);
        break;
    case LOOPDMA_TC_GONE:
        loopdma_guest_gone(s, val);
        break;
    default:
        loopdma_guest_error("write to read-only or unknown register 0x%"
                            HWADDR_PRIx, addr);
    }
}

static void loopdma_mmio_write(void *opaque, hwaddr addr, uint64_t val,
                               unsigned size)
{
    LoopdmaState *s = opaque;
    LoopdmaChannel *ch;

    if (s->gone || s->off || !loopdma_access_good(s, addr, size)) {
        return;
    }
    ch = loopdma_channel_at(s, addr);
    trace_loopdma_write(addr, val);
    if (ch) {
        loopdma_write_channel(ch, addr % LOOPDMA_CH_STRIDE, val);
    } else {
        loopdma_write_device(s, addr, val);
    }
}

/*
 * All accesses come here as they are: the memory core would divide a large one
 * into several that are valid.
 */
static const MemoryRegionOps loopdma_mmio_ops = {
    .read = loopdma_mmio_read,
    .write = loopdma_mmio_write,
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

/* --- Migration ----------------------------------------------------------- */

static const char *loopdma_channel_bad(const LoopdmaChannel *ch)
{
    uint32_t size;

    switch (ch->state) {
    case LOOPDMA_STATE_DISABLED:
        return ch->enabled || ch->error || ch->carried || ch->paused ? "state"
                                                                     : NULL;
    case LOOPDMA_STATE_ERROR:
        return !ch->enabled || !ch->error ||
               ch->error > LOOPDMA_CHERR_ABORT || ch->carried ||
               ch->paused ? "error" : NULL;
    case LOOPDMA_STATE_RUNNING:
        if (!ch->enabled || ch->error ||
            (ch->paused && !(ch->dev->caps & LOOPDMA_CAPS_PAUSE))) {
            return "state";
        }
        break;
    case LOOPDMA_STATE_STOPPING:
        return ch->enabled || ch->error || ch->carried || ch->paused ||
               ch->tc_stuck < LOOPDMA_STUCK_STOP ? "state" : NULL;
    default:
        return "state";
    }

    if (!loopdma_config_good(ch)) {
        return "configuration";
    }
    size = 1U << ch->ring_log2;
    /* An abort that was written meanwhile may be to less than is retired. */
    if (ch->tail - ch->retired > size ||
        (ch->aborting && ch->tail - ch->abort_to > 2 * size)) {
        return "counts";
    }
    if (ch->carried && (ch->tail == ch->retired || !loopdma_carried_good(ch))) {
        return "descriptor in progress";
    }
    return NULL;
}

static bool loopdma_periph_good(const LoopdmaChannel *ch)
{
    return !(ch->periph & ~LOOPDMA_PERIPH_FIELDS) &&
           ch->requests.bytes <= ch->fifo.depth &&
           ((!ch->periph && !ch->rate) || loopdma_has_periph(ch));
}

static bool loopdma_priority_good(const LoopdmaChannel *ch)
{
    return ch->priority < LOOPDMA_CLASSES &&
           (!ch->priority || (ch->dev->caps & LOOPDMA_CAPS_PRIORITY));
}

static int loopdma_post_load(void *opaque, int version_id)
{
    LoopdmaState *s = opaque;
    unsigned i;

    if ((s->int_status | s->irq_channels | s->repeat) &
        ~MAKE_64BIT_MASK(0, s->channels) ||
        s->event & ~(LOOPDMA_EVENT_CHANNEL_ERROR | LOOPDMA_EVENT_RAISED)) {
        error_report("loopdma: bad interrupt status in the migration stream");
        return -EINVAL;
    }
    for (i = 0; i < s->channels; i++) {
        LoopdmaChannel *ch = &s->ch[i];
        const char *bad = loopdma_channel_bad(ch);

        if (!bad && !loopdma_fifo_good(&ch->fifo)) {
            bad = "FIFO";
        }
        if (!bad && !loopdma_periph_good(ch)) {
            bad = "peripheral";
        }
        if (!bad && !loopdma_priority_good(ch)) {
            bad = "priority";
        }
        if (!bad && extract32(s->irq_channels, i, 1) &&
            ch->vector > s->channels) {
            bad = "vector";
        }
        if (!bad && !loopdma_test_controls_good(ch)) {
            bad = "test controls";
        }
        if (bad) {
            error_report("loopdma: channel %u: bad %s in the migration stream",
                         i, bad);
            return -EINVAL;
        }
        loopdma_choose_context(ch);
        ch->published = ch->retired;
        ch->op[0].executed = true;
    }
    if (!loopdma_faults_good(s)) {
        error_report("loopdma: bad reset or removal in the migration stream");
        return -EINVAL;
    }
    loopdma_load_test_controls(s);
    s->off = loopdma_power_state(s);
    loopdma_show_msix(s);
    return 0;
}

static const VMStateDescription vmstate_loopdma_op = {
    .name = "loopdma/op",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_UINT32(ctrl, LoopdmaOp),
        VMSTATE_UINT32(len, LoopdmaOp),
        VMSTATE_UINT64(src, LoopdmaOp),
        VMSTATE_UINT64(dst, LoopdmaOp),
        VMSTATE_UINT32(periph, LoopdmaOp),
        VMSTATE_UINT32(arg, LoopdmaOp),
        VMSTATE_UINT32(limit, LoopdmaOp),
        VMSTATE_UINT32(moved, LoopdmaOp),
        VMSTATE_BOOL(fail, LoopdmaOp),
        VMSTATE_UINT8(fail_status, LoopdmaOp),
        VMSTATE_UINT16(wrong, LoopdmaOp),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_loopdma_sources = {
    .name = "loopdma/sources",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_UINT64_ARRAY(addr, LoopdmaSources, LOOPDMA_MAX_SOURCES),
        VMSTATE_UINT64(dst2, LoopdmaSources),
        VMSTATE_UINT8_ARRAY(coef, LoopdmaSources, LOOPDMA_MAX_SOURCES),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_loopdma_meta = {
    .name = "loopdma/meta",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_UINT8(len, LoopdmaMeta),
        VMSTATE_UINT8_ARRAY(data, LoopdmaMeta, LOOPDMA_META_SIZE),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_loopdma_mark = {
    .name = "loopdma/mark",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_UINT64(behind, LoopdmaMark),
        VMSTATE_STRUCT(meta, LoopdmaMark, 1, vmstate_loopdma_meta,
                       LoopdmaMeta),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_loopdma_fifo = {
    .name = "loopdma/fifo",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (VMStateField[]) {
        LOOPDMA_VMSTATE_UINT32_EQUAL(depth, LoopdmaFifo),
        VMSTATE_UINT32(head, LoopdmaFifo),
        VMSTATE_UINT32(count, LoopdmaFifo),
        VMSTATE_VBUFFER_UINT32(data, LoopdmaFifo, 1, NULL, depth),
        VMSTATE_UINT64(received, LoopdmaFifo),
        VMSTATE_QTAILQ_V(marks, LoopdmaFifo, 1, vmstate_loopdma_mark,
                         LoopdmaMark, next),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_loopdma_pace = {
    .name = "loopdma/pace",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_INT64(since, LoopdmaPace),
        VMSTATE_UINT32(fraction, LoopdmaPace),
        VMSTATE_UINT32(bytes, LoopdmaPace),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_loopdma_wait = {
    .name = "loopdma/wait",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_BOOL(begun, LoopdmaWait),
        VMSTATE_UINT32(count, LoopdmaWait),
        VMSTATE_INT64(since, LoopdmaWait),
        VMSTATE_END_OF_LIST()
    }
};

static const VMStateDescription vmstate_loopdma_channel = {
    .name = "loopdma/channel",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_UINT64(ring, LoopdmaChannel),
        VMSTATE_UINT64(comp, LoopdmaChannel),
        VMSTATE_UINT32(ring_log2, LoopdmaChannel),
        VMSTATE_UINT32(vector, LoopdmaChannel),
        VMSTATE_BOOL(enabled, LoopdmaChannel),
        VMSTATE_UINT8(state, LoopdmaChannel),
        VMSTATE_UINT8(error, LoopdmaChannel),
        VMSTATE_BOOL(paused, LoopdmaChannel),
        VMSTATE_UINT32(tail, LoopdmaChannel),
        VMSTATE_UINT32(retired, LoopdmaChannel),
        VMSTATE_BOOL(aborting, LoopdmaChannel),
        VMSTATE_UINT32(abort_to, LoopdmaChannel),
        VMSTATE_UINT32(tc_hold, LoopdmaChannel),
        VMSTATE_UINT32(tc_credits, LoopdmaChannel),
        VMSTATE_UINT32(tc_fail, LoopdmaChannel),
        VMSTATE_UINT32(tc_fail_bytes, LoopdmaChannel),
        VMSTATE_UINT32(tc_drop_irq, LoopdmaChannel),
        VMSTATE_UINT32(tc_lie, LoopdmaChannel),
        VMSTATE_UINT32(tc_delay, LoopdmaChannel),
        VMSTATE_UINT32(tc_reorder, LoopdmaChannel),
        VMSTATE_UINT32(tc_spurious, LoopdmaChannel),
        VMSTATE_UINT32(tc_early, LoopdmaChannel),
        VMSTATE_UINT32(tc_stuck, LoopdmaChannel),
        VMSTATE_UINT32(tc_addr_bits, LoopdmaChannel),
        VMSTATE_BOOL(resetting, LoopdmaChannel),
        VMSTATE_STRUCT(wait, LoopdmaChannel, 1, vmstate_loopdma_wait,
                       LoopdmaWait),
        VMSTATE_UINT32(cnt_doorbells, LoopdmaChannel),
        VMSTATE_UINT32(cnt_descriptors, LoopdmaChannel),
        VMSTATE_UINT64(cnt_bytes, LoopdmaChannel),
        VMSTATE_UINT32(cnt_interrupts, LoopdmaChannel),
        VMSTATE_BOOL(skip, LoopdmaChannel),
        VMSTATE_BOOL(raised, LoopdmaChannel),
        VMSTATE_UINT32(token, LoopdmaChannel),
        VMSTATE_BOOL(carried, LoopdmaChannel),
        VMSTATE_STRUCT(op[0], LoopdmaChannel, 1, vmstate_loopdma_op,
                       LoopdmaOp),
        VMSTATE_STRUCT(sources[0], LoopdmaChannel, 1, vmstate_loopdma_sources,
                       LoopdmaSources),
        VMSTATE_STRUCT(meta[0], LoopdmaChannel, 1, vmstate_loopdma_meta,
                       LoopdmaMeta),
        VMSTATE_UINT32(periph, LoopdmaChannel),
        VMSTATE_UINT32(source, LoopdmaChannel),
        VMSTATE_UINT32(sink, LoopdmaChannel),
        VMSTATE_UINT32(rate, LoopdmaChannel),
        VMSTATE_STRUCT(requests, LoopdmaChannel, 1, vmstate_loopdma_pace,
                       LoopdmaPace),
        VMSTATE_UINT8(priority, LoopdmaChannel),
        VMSTATE_STRUCT(fifo, LoopdmaChannel, 1, vmstate_loopdma_fifo,
                       LoopdmaFifo),
        VMSTATE_END_OF_LIST()
    }
};

static bool loopdma_has_msix(void *opaque, int version_id)
{
    LoopdmaState *s = opaque;

    return s->has_msix;
}

static const VMStateDescription vmstate_loopdma = {
    .name = "loopdma",
    .version_id = 1,
    .minimum_version_id = 1,
    .post_load = loopdma_post_load,
    .fields = (VMStateField[]) {
        VMSTATE_PCI_DEVICE(parent_obj, LoopdmaState),
        VMSTATE_MSIX_TEST(parent_obj, LoopdmaState, loopdma_has_msix),
        LOOPDMA_VMSTATE_UINT32_EQUAL(channels, LoopdmaState),
        LOOPDMA_VMSTATE_UINT32_EQUAL(caps, LoopdmaState),
        VMSTATE_UINT32(int_status, LoopdmaState),
        VMSTATE_UINT32(event, LoopdmaState),
        VMSTATE_UINT32(event_vector, LoopdmaState),
        VMSTATE_UINT32(irq_channels, LoopdmaState),
        VMSTATE_BOOL(irq_event, LoopdmaState),
        VMSTATE_UINT32(repeat, LoopdmaState),
        VMSTATE_BOOL(resetting, LoopdmaState),
        VMSTATE_BOOL(gone, LoopdmaState),
        VMSTATE_UINT32(cnt_mmio_reads, LoopdmaState),
        VMSTATE_UINT32(cnt_interrupts, LoopdmaState),
        VMSTATE_STRUCT_VARRAY_POINTER_UINT32(ch, LoopdmaState, channels,
                                             vmstate_loopdma_channel,
                                             LoopdmaChannel),
        VMSTATE_END_OF_LIST()
    }
};

/* Go on, if the VM runs and the function is on. */
static void loopdma_go_on(LoopdmaState *s, bool running)
{
    if (!running || s->off) {
        return;
    }
    loopdma_start_all(s);
    if (s->repeat) {
        /* For what a migration stream holds. */
        loopdma_repeat_later(s);
    }
}

static void loopdma_vm_state_change(void *opaque, bool running, RunState state)
{
    LoopdmaState *s = opaque;

    if (running) {
        loopdma_go_on(s, true);
    } else {
        loopdma_stop_all(s);
    }
}

/* The power state in configuration space may have changed. */
static void loopdma_update_power(LoopdmaState *s)
{
    bool off = loopdma_power_state(s);

    if (off == s->off) {
        return;
    }
    trace_loopdma_power(off);
    if (off) {
        /* What turns have done until now is told; then nothing is. */
        loopdma_stop_all(s);
    }
    s->off = off;
    loopdma_show_msix(s);
    loopdma_go_on(s, runstate_is_running());
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

    if (!loopdma_check_range("channels", s->channels, 1,
                             LOOPDMA_MAX_CHANNELS, false, errp) ||
        !loopdma_check_range("engines", s->engines, 1, 16, false, errp) ||
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
        !loopdma_check_range("spin-us", s->spin_us, 0, 1000, false, errp) ||
        !loopdma_check_range("irq-delay-us", s->irq_delay_us, 0, 1000, false,
                             errp) ||
        !loopdma_check_range("at-once-bytes", s->at_once_bytes, 0, 64 * KiB,
                             false, errp) ||
        !loopdma_check_range("x-bar-size", s->x_bar_size, 4 * KiB, 1 * MiB,
                             true, errp)) {
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
    if (s->loopback && s->channels > 1) {
        s->caps |= LOOPDMA_CAPS_LOOPBACK | LOOPDMA_CAPS_PERIPH |
                   LOOPDMA_CAPS_METADATA;
    }
    if (s->test_controls) {
        s->caps |= LOOPDMA_CAPS_TESTCTL | LOOPDMA_CAPS_FAULTS;
    }
    s->caps &= ~s->x_caps_mask;
    if (!(s->caps & LOOPDMA_CAPS_LOOPBACK)) {
        s->caps &= ~(LOOPDMA_CAPS_PERIPH | LOOPDMA_CAPS_METADATA);
    }
    if (!(s->caps & LOOPDMA_CAPS_TESTCTL)) {
        s->caps &= ~LOOPDMA_CAPS_FAULTS;
    }

    /* Threads would make a deterministic machine less so. */
    s->sync = s->sync_mode == ON_OFF_AUTO_ON ||
              (s->sync_mode == ON_OFF_AUTO_AUTO &&
               (qtest_enabled() || icount_enabled()));
}

static bool loopdma_init_messages(LoopdmaState *s, Error **errp)
{
    PCIDevice *pci = PCI_DEVICE(s);
    unsigned vectors = s->channels + 1;
    bool any = !strcmp(s->irq_mode, "auto");
    unsigned i;

    /* A BAR that was made too small for the table is to fail in the driver. */
    s->has_msix = (any || !strcmp(s->irq_mode, "msix")) &&
                  s->x_bar_size >= LOOPDMA_BAR_SIZE;
    s->has_msi = any || !strcmp(s->irq_mode, "msi");

    if (s->has_msix) {
        if (msix_init(pci, vectors, &s->bar, LOOPDMA_BAR, LOOPDMA_MSIX_TABLE,
                      &s->bar, LOOPDMA_BAR, LOOPDMA_MSIX_PBA, 0, errp) < 0) {
            return false;
        }
        for (i = 0; i < vectors; i++) {
            msix_vector_use(pci, i);
        }
    }
    /* At most 32 messages: with 32 channels, two share the last. */
    return !s->has_msi ||
           msi_init(pci, 0, MIN(pow2ceil(vectors), LOOPDMA_MSI_MAX), true,
                    false, errp) == 0;
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

static void loopdma_uninit_messages(LoopdmaState *s)
{
    PCIDevice *pci = PCI_DEVICE(s);

    msi_uninit(pci);
    if (s->has_msix) {
        msix_unuse_all_vectors(pci);
        msix_uninit(pci, &s->bar, &s->bar);
    }
}

static void loopdma_realize(PCIDevice *pci, Error **errp)
{
    LoopdmaState *s = LOOPDMA(pci);
    DeviceState *dev = DEVICE(pci);

    if (!loopdma_check_properties(s, errp)) {
        return;
    }
    loopdma_configure(s);

    pci_config_set_vendor_id(pci->config, s->vendor_id);
    pci_config_set_device_id(pci->config, s->device_id);
    /* A function without any interrupt is to fail in the driver. */
    s->has_intx = strcmp(s->irq_mode, "none");
    pci_config_set_interrupt_pin(pci->config, s->has_intx);

    memory_region_init_io(&s->bar, OBJECT(s), &loopdma_mmio_ops, s, "loopdma",
                          s->x_bar_size);
    pci_register_bar(pci, LOOPDMA_BAR, PCI_BASE_ADDRESS_SPACE_MEMORY |
                     PCI_BASE_ADDRESS_MEM_TYPE_64, &s->bar);

    if (pci_bus_is_express(pci_get_bus(pci))) {
        if (pcie_endpoint_cap_init(pci, 0) < 0) {
            error_setg(errp, "loopdma: no room for the PCIe capability");
            return;
        }
        pcie_cap_flr_init(pci);
        pcie_cap_deverr_init(pci);
        if (pcie_aer_init(pci, PCI_ERR_VER, PCI_CONFIG_SPACE_SIZE,
                          PCI_ERR_SIZEOF, errp) < 0) {
            pcie_cap_exit(pci);
            return;
        }
    }
    if (!loopdma_init_power(s, errp) || !loopdma_init_messages(s, errp)) {
        loopdma_uninit_messages(s);
        return;
    }

    s->irq_bh = qemu_bh_new_guarded(loopdma_irq_bh, s,
                                    &dev->mem_reentrancy_guard);
    s->repeat_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, loopdma_repeat, s);
    loopdma_engines_init(s);
    loopdma_test_controls_init(s);
    s->vmstate_handler =
        loopdma_add_vm_change_state_handler(dev, loopdma_vm_state_change, s);
}

static void loopdma_exit(PCIDevice *pci)
{
    LoopdmaState *s = LOOPDMA(pci);

    qemu_del_vm_change_state_handler(s->vmstate_handler);
    loopdma_test_controls_exit(s);
    loopdma_engines_exit(s);
    timer_free(s->repeat_timer);
    qemu_bh_delete(s->irq_bh);
    loopdma_uninit_messages(s);
    if (pci->exp.exp_cap) {
        pcie_aer_exit(pci);
        pcie_cap_exit(pci);
    }
}

static uint32_t loopdma_config_read(PCIDevice *pci, uint32_t addr, int len)
{
    return LOOPDMA(pci)->gone ? MAKE_64BIT_MASK(0, 8 * len)
                              : pci_default_read_config(pci, addr, len);
}

static void loopdma_config_write(PCIDevice *pci, uint32_t addr, uint32_t val,
                                 int len)
{
    LoopdmaState *s = LOOPDMA(pci);
    uint16_t before = loopdma_power_state(s);

    if (s->gone) {
        return;
    }
    pci_default_write_config(pci, addr, val, len);
    if (pci->exp.exp_cap) {
        pcie_cap_flr_write_config(pci, addr, val, len);
        pcie_aer_write_config(pci, addr, val, len);
    }
    if (loopdma_power_state(s) && loopdma_power_state(s) != LOOPDMA_D3HOT) {
        /* There is neither D1 nor D2: nothing changes. */
        loopdma_set_power_state(s, before);
    }
    loopdma_update_power(s);
    /* The kind of interrupt may be another now. */
    loopdma_update_intx(s);
}

static void loopdma_reset(DeviceState *dev)
{
    LoopdmaState *s = LOOPDMA(dev);

    loopdma_set_power_state(s, 0);
    loopdma_update_power(s);
    loopdma_reset_device(s);
}

static void loopdma_instance_init(Object *obj)
{
    /*
     * Config space large enough for an express bus; whether the function is on
     * one is known, and the capability added, when it is realized.
     */
    PCI_DEVICE(obj)->cap_present |= QEMU_PCI_CAP_EXPRESS;
}

static LOOPDMA_PROP_CONST Property loopdma_properties[] = {
    DEFINE_PROP_UINT32("channels", LoopdmaState, channels, 8),
    DEFINE_PROP_UINT32("engines", LoopdmaState, engines, 2),
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
    DEFINE_PROP_UINT32("spin-us", LoopdmaState, spin_us, 10),
    DEFINE_PROP_UINT32("irq-delay-us", LoopdmaState, irq_delay_us, 100),
    DEFINE_PROP_SIZE32("at-once-bytes", LoopdmaState, at_once_bytes, 4 * KiB),
    DEFINE_PROP_STRING("irq-mode", LoopdmaState, irq_mode),
    DEFINE_PROP_ON_OFF_AUTO("sync", LoopdmaState, sync_mode, ON_OFF_AUTO_AUTO),
    DEFINE_PROP_BOOL("pm", LoopdmaState, pm, true),
    DEFINE_PROP_BOOL("test-controls", LoopdmaState, test_controls, false),
    DEFINE_PROP_UINT16("vendor-id", LoopdmaState, vendor_id,
                       LOOPDMA_PCI_VENDOR_ID),
    DEFINE_PROP_UINT16("device-id", LoopdmaState, device_id,
                       LOOPDMA_PCI_DEVICE_ID),
    DEFINE_PROP_UINT32("x-version", LoopdmaState, x_version,
                       LOOPDMA_VERSION_1_3),
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
    PCIDeviceClass *k = PCI_DEVICE_CLASS(klass);

    loopdma_parity_init();

    k->realize = loopdma_realize;
    k->exit = loopdma_exit;
    k->config_read = loopdma_config_read;
    k->config_write = loopdma_config_write;
    k->vendor_id = LOOPDMA_PCI_VENDOR_ID;
    k->device_id = LOOPDMA_PCI_DEVICE_ID;
    k->revision = LOOPDMA_PCI_REVISION;
    k->class_id = PCI_CLASS_SYSTEM_DMA;

    dc->desc = "DMA engine for testing DMA drivers";
    dc->vmsd = &vmstate_loopdma;
    device_class_set_legacy_reset(dc, loopdma_reset);
    device_class_set_props(dc, loopdma_properties);
    set_bit(DEVICE_CATEGORY_MISC, dc->categories);
}

static const TypeInfo loopdma_types[] = {
    {
        .name = TYPE_LOOPDMA,
        .parent = TYPE_PCI_DEVICE,
        .instance_size = sizeof(LoopdmaState),
        .instance_init = loopdma_instance_init,
        .class_init = loopdma_class_init,
        .interfaces = (LOOPDMA_CLASS_CONST InterfaceInfo[]) {
            { INTERFACE_PCIE_DEVICE },
            { INTERFACE_CONVENTIONAL_PCI_DEVICE },
            { },
        },
    },
};

DEFINE_TYPES(loopdma_types)
