/*
 * loopdma: the device and its channels: states, and what changes them
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/host-utils.h"
#include "qemu/lockable.h"
#include "qemu/log.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-dev.h"

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

/* --- Channel states, all with the BQL held -------------------------------- */

static bool loopdma_area_valid(const LoopdmaMem *m, uint64_t addr,
                               uint64_t size, uint64_t align)
{
    return !(addr & (align - 1)) && addr <= m->last &&
           size - 1 <= m->last - addr;
}

/**
 * loopdma_dev_config_valid: may a channel run with the registers it has?
 * @s: the device
 * @ch: the channel
 */
bool loopdma_dev_config_valid(const LoopdmaState *s, const LoopdmaChannel *ch)
{
    const LoopdmaXfer *x = &ch->xfer;

    return x->ring.log2 >= LOOPDMA_RING_LOG2_MIN &&
           x->ring.log2 <= ctz32(s->ring_max) &&
           loopdma_area_valid(&x->mem, x->ring.base,
                              (uint64_t)LOOPDMA_DESC_SIZE << x->ring.log2,
                              LOOPDMA_DESC_SIZE) &&
           loopdma_area_valid(&x->mem, x->comp, LOOPDMA_COMP_SIZE,
                              LOOPDMA_COMP_SIZE) &&
           ch->irq.vector <= s->sched.channels;
}

/* An engine may change it, to ERROR. */
static enum loopdma_hw_state loopdma_state(LoopdmaChannel *ch)
{
    QEMU_LOCK_GUARD(&ch->sched->lock);
    return ch->state;
}

/* An engine may clear it, with an error. */
static bool loopdma_is_paused(LoopdmaChannel *ch)
{
    QEMU_LOCK_GUARD(&ch->sched->lock);
    return ch->paused;
}

/* A channel changes its state, not by an error. */
static void loopdma_set_state(LoopdmaChannel *ch, enum loopdma_hw_state state)
{
    QEMU_LOCK_GUARD(&ch->sched->lock);
    trace_loopdma_state(ch->index, state);
    ch->state = state;
    ch->error = LOOPDMA_CHERR_NONE;
    ch->paused = false;
}

/* Drop what was received, and let the peer send again. */
static void loopdma_clear_fifo(LoopdmaChannel *ch)
{
    if (loopdma_fifo_clear(&ch->xfer.periph.fifo)) {
        loopdma_sched_kick(loopdma_sched_peer(ch));
    }
}

/**
 * loopdma_dev_choose_context: decide where the channel's batches run
 * @ch: a channel whose batch nobody owns
 *
 * Whether there is an IOMMU is known once the machine has been built.
 */
void loopdma_dev_choose_context(LoopdmaChannel *ch)
{
    const LoopdmaSched *s = ch->sched;

    ch->in_main = s->sync || pci_device_iommu_address_space(s->pci) !=
                             &address_space_memory;
}

static void loopdma_enable(LoopdmaState *s, LoopdmaChannel *ch, bool unordered)
{
    ch->enabled = true;
    if (!loopdma_dev_config_valid(s, ch)) {
        loopdma_guest_error("channel %u: enabled with a bad configuration",
                            ch->index);
        loopdma_sched_fail(ch, LOOPDMA_CHERR_CONFIG);
        return;
    }

    loopdma_dev_choose_context(ch);
    ch->xfer.skip = false;
    loopdma_order_begin(&ch->xfer.order, unordered);
    WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
        ch->tail = 0;
        ch->retired = 0;
        ch->published = 0;
        ch->aborting = false;
        loopdma_irq_enable(&ch->irq);
    }
    loopdma_set_state(ch, LOOPDMA_STATE_RUNNING);
}

/*
 * After this the device touches no memory of the channel, and an interrupt that
 * it was to raise has been.  What an engine handed back to the main loop is
 * retired, unless @retire is false: the bus may be under reset as well.
 * @hung: the channel does not admit it if it was running.
 */
static void loopdma_disable(LoopdmaChannel *ch, bool retire, bool hung)
{
    bool owned = loopdma_sched_stop(ch, LOOPDMA_REVOKED_ALL);

    if (owned) {
        if (ch->xfer.prepared && retire) {
            loopdma_sched_retire(ch);
        }
        loopdma_sched_discard(ch);
    }
    ch->enabled = false;
    loopdma_set_state(ch, hung && loopdma_state(ch) == LOOPDMA_STATE_RUNNING
                          ? LOOPDMA_STATE_STOPPING : LOOPDMA_STATE_DISABLED);
    if (owned) {
        loopdma_sched_resume(ch);
    }
    loopdma_clear_fifo(ch);
    if (retire) {
        /* While CH_VECTOR is what it was. */
        loopdma_irq_flush(ch->sched->irq);
    }
}

/*
 * CH_CONTROL.PAUSE of a channel that is enabled.  When this has paused it, what
 * its batch has done is written, and its interrupts are raised.
 */
static void loopdma_set_paused(LoopdmaChannel *ch, bool paused)
{
    bool owned = loopdma_sched_stop(ch, LOOPDMA_REVOKED_MEMORY);

    if (owned && ch->xfer.prepared) {
        loopdma_sched_retire(ch);
    }
    WITH_QEMU_LOCK_GUARD(&ch->sched->lock) {
        /* It may have run into an error before. */
        ch->paused = paused && ch->state == LOOPDMA_STATE_RUNNING;
        trace_loopdma_paused(ch->index, ch->paused);
    }
    if (owned) {
        loopdma_sched_resume(ch);
    }
    loopdma_irq_flush(ch->sched->irq);
}

/**
 * loopdma_dev_select_periph: write CH_PERIPH
 * @ch: the channel
 * @val: without reserved bits
 */
void loopdma_dev_select_periph(LoopdmaChannel *ch, uint32_t val)
{
    bool owned = loopdma_sched_stop(ch, LOOPDMA_REVOKED_MEMORY);

    loopdma_periph_select(&ch->xfer.periph, val);
    if (owned) {
        loopdma_sched_resume(ch);
    }
}

/**
 * loopdma_dev_set_rate: write CH_RATE
 * @ch: the channel
 * @val: bytes per second, 0: any
 */
void loopdma_dev_set_rate(LoopdmaChannel *ch, uint32_t val)
{
    qatomic_set(&ch->xfer.periph.rate, val);
    /* What was waited for comes at another time now. */
    loopdma_sched_kick(ch);
}

/* Reset a channel, whatever it is stuck at. */
static void loopdma_reset_channel(LoopdmaState *s, LoopdmaChannel *ch)
{
    loopdma_disable(ch, false, false);

    ch->resetting = false;
    ch->xfer.ring.base = 0;
    ch->xfer.comp = 0;
    ch->xfer.ring.log2 = 0;
    ch->xfer.periph.requests = (LoopdmaPace) { };
    loopdma_dev_set_rate(ch, 0);
    loopdma_dev_select_periph(ch, 0);
    loopdma_sched_set_priority(ch, 0);
    WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
        ch->tc = (LoopdmaTestctl) { };
        ch->cnt = (LoopdmaCounters) { };
    }
    ch->xfer.reach = ch->xfer.mem.last;
    loopdma_irq_reset_channel(&s->irq, ch->index);
}

/**
 * loopdma_dev_is_idle: has nobody anything to do for the device?
 * @s: the device
 *
 * Then no channel goes on by itself, and no interrupt is about to be sent: the
 * guest has to do something, or time to go by.  What waits for D0 does not
 * count.
 */
bool loopdma_dev_is_idle(LoopdmaState *s)
{
    const LoopdmaIrq *irq = &s->irq;
    unsigned i;

    QEMU_LOCK_GUARD(&s->sched.lock);
    for (i = 0; i < s->sched.channels; i++) {
        if (s->sched.ch[i].owner != LOOPDMA_OWNER_NONE) {
            return false;
        }
    }
    return irq->off || irq->exiting || (!irq->pending && !irq->event_pending);
}

/**
 * loopdma_dev_quiesce: touch no memory and send no interrupt from now on
 * @s: the device, whatever its channels are stuck at
 */
void loopdma_dev_quiesce(LoopdmaState *s)
{
    unsigned i;

    for (i = 0; i < s->sched.channels; i++) {
        loopdma_disable(&s->sched.ch[i], false, false);
    }
}

/**
 * loopdma_dev_reset: reset the device, whatever its channels are stuck at
 * @s: the device
 */
void loopdma_dev_reset(LoopdmaState *s)
{
    unsigned i;

    trace_loopdma_reset();
    s->resetting = false;
    for (i = 0; i < s->sched.channels; i++) {
        loopdma_reset_channel(s, &s->sched.ch[i]);
    }
    for (i = 0; i < s->sched.channels; i++) {
        /* What peers have sent that were reset later. */
        loopdma_clear_fifo(&s->sched.ch[i]);
    }
    WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
        s->cnt_mmio_reads = 0;
    }
    loopdma_irq_reset_device(&s->irq);
}

/* The driver has written something that stops the channel. */
static void loopdma_guest_fail(LoopdmaChannel *ch, const char *name,
                               uint32_t val, enum loopdma_hw_chan_error error)
{
    bool owned = loopdma_sched_stop(ch, LOOPDMA_REVOKED_ALL);

    loopdma_guest_error("channel %u: bad %s 0x%" PRIx32, ch->index, name, val);
    if (owned) {
        loopdma_sched_discard(ch);
    }
    if (loopdma_state(ch) == LOOPDMA_STATE_RUNNING) {
        loopdma_sched_fail(ch, error);
    }
    if (owned) {
        loopdma_sched_resume(ch);
    }
}

/**
 * loopdma_dev_doorbell: write CH_DOORBELL
 * @s: the device
 * @ch: the channel
 * @val: what is written
 */
void loopdma_dev_doorbell(LoopdmaState *s, LoopdmaChannel *ch, uint32_t val)
{
    bool valid = true;

    WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
        uint32_t size;

        if (ch->state != LOOPDMA_STATE_RUNNING) {
            loopdma_guest_error("channel %u: doorbell while not running",
                                ch->index);
            return;
        }
        size = 1U << ch->xfer.ring.log2;
        valid = val - ch->retired <= size && val - ch->tail <= size;
        if (valid) {
            ch->cnt.doorbells++;
            ch->tail = val;
            loopdma_irq_answered(&s->irq, ch->index);
        }
    }
    if (valid) {
        loopdma_sched_kick_at_once(ch);
    } else {
        loopdma_guest_fail(ch, "doorbell", val, LOOPDMA_CHERR_DOORBELL);
    }
}

/**
 * loopdma_dev_abort: write CH_ABORT
 * @s: the device
 * @ch: the channel
 * @val: what is written
 */
void loopdma_dev_abort(LoopdmaState *s, LoopdmaChannel *ch, uint32_t val)
{
    bool valid = true;

    WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
        if (ch->state != LOOPDMA_STATE_RUNNING) {
            loopdma_guest_error("channel %u: abort while not running",
                                ch->index);
            return;
        }
        /* The driver may know less than we do, but not more. */
        valid = val - ch->published <= ch->tail - ch->published;
        if (valid) {
            /* Of two counts the later is in force. */
            if (!ch->aborting || (int32_t)(val - ch->abort_to) > 0) {
                ch->abort_to = val;
            }
            ch->aborting = true;
            qatomic_set(&ch->xfer.cut, true);
        }
    }
    if (valid) {
        loopdma_sched_kick(ch);
    } else {
        loopdma_guest_fail(ch, "abort", val, LOOPDMA_CHERR_ABORT);
    }
}

/* --- CH_TC_STUCK, all with the BQL held ----------------------------------- */

static bool loopdma_is_device_hung(const LoopdmaState *s)
{
    unsigned i;

    for (i = 0; i < s->sched.channels; i++) {
        if (s->sched.ch[i].tc.stuck == LOOPDMA_STUCK_DEVICE) {
            return true;
        }
    }
    return false;
}

/* A channel that was reset does not admit it. */
static void loopdma_hang(LoopdmaState *s, LoopdmaChannel *ch, uint32_t level)
{
    WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
        ch->tc.stuck = level;
        loopdma_testctl_update(&ch->tc);
    }
    loopdma_set_state(ch, LOOPDMA_STATE_STOPPING);
}

static void loopdma_guest_reset_channel(LoopdmaState *s, LoopdmaChannel *ch)
{
    uint32_t level = ch->tc.stuck;

    loopdma_reset_channel(s, ch);
    if (level >= LOOPDMA_STUCK_RESET) {
        ch->resetting = true;
        loopdma_hang(s, ch, level);
    }
}

/**
 * loopdma_dev_guest_reset: CONTROL.RESET
 * @s: the device
 */
void loopdma_dev_guest_reset(LoopdmaState *s)
{
    bool hung[LOOPDMA_MAX_CHANNELS];
    unsigned i;

    for (i = 0; i < s->sched.channels; i++) {
        hung[i] = s->sched.ch[i].tc.stuck == LOOPDMA_STUCK_DEVICE;
    }
    loopdma_dev_reset(s);
    for (i = 0; i < s->sched.channels; i++) {
        if (hung[i]) {
            s->resetting = true;
            loopdma_hang(s, &s->sched.ch[i], LOOPDMA_STUCK_DEVICE);
        }
    }
}

/*
 * End what waits and is not held any more.  Resets are done once more, for what
 * was written to registers meanwhile.
 */
static void loopdma_end_hang(LoopdmaState *s, LoopdmaChannel *ch)
{
    if (s->resetting) {
        if (!loopdma_is_device_hung(s)) {
            loopdma_dev_reset(s);
        }
    } else if (ch->resetting) {
        if (ch->tc.stuck < LOOPDMA_STUCK_RESET) {
            loopdma_reset_channel(s, ch);
        }
    } else if (loopdma_state(ch) == LOOPDMA_STATE_STOPPING &&
               ch->tc.stuck < LOOPDMA_STUCK_STOP) {
        /* What the peer has sent meanwhile. */
        loopdma_clear_fifo(ch);
        loopdma_set_state(ch, LOOPDMA_STATE_DISABLED);
    }
}

/**
 * loopdma_dev_set_stuck: set CH_TC_STUCK
 * @s: the device
 * @ch: the channel
 * @level: enum loopdma_hw_stuck
 */
void loopdma_dev_set_stuck(LoopdmaState *s, LoopdmaChannel *ch, uint32_t level)
{
    bool owned = loopdma_sched_stop(ch, LOOPDMA_REVOKED_MEMORY);
    bool reset = false;

    if (owned && ch->xfer.prepared) {
        loopdma_sched_retire(ch);
        /* The interrupt of a fault may reset the channel, and this with it. */
        reset = ch->xfer.mem.revoked == LOOPDMA_REVOKED_ALL;
    }
    WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
        if (!reset) {
            ch->tc.stuck = level;
            loopdma_testctl_update(&ch->tc);
        }
    }
    if (owned) {
        loopdma_sched_resume(ch);
    }
    loopdma_irq_flush(&s->irq);
    /* An interrupt may have unplugged the function. */
    if (!s->irq.exiting) {
        loopdma_end_hang(s, ch);
    }
}

/**
 * loopdma_dev_faults_valid: can the resets and the removal that a migration
 *     stream brings be?
 * @s: the device, of which the channels' states and test controls are valid
 */
bool loopdma_dev_faults_valid(const LoopdmaState *s)
{
    unsigned i;

    if ((s->resetting && !loopdma_is_device_hung(s)) ||
        (s->gone && !(s->caps & LOOPDMA_CAPS_FAULTS))) {
        return false;
    }
    for (i = 0; i < s->sched.channels; i++) {
        const LoopdmaChannel *ch = &s->sched.ch[i];

        if ((ch->resetting && (ch->state != LOOPDMA_STATE_STOPPING ||
                               ch->tc.stuck < LOOPDMA_STUCK_RESET)) ||
            (s->gone && ch->state != LOOPDMA_STATE_DISABLED)) {
            return false;
        }
    }
    return true;
}

/* --- CH_CONTROL ----------------------------------------------------------- */

/**
 * loopdma_dev_control: write CH_CONTROL
 * @s: the device
 * @ch: the channel
 * @val: without bits that are always reserved
 */
void loopdma_dev_control(LoopdmaState *s, LoopdmaChannel *ch, uint32_t val)
{
    bool reset = val & LOOPDMA_CH_CONTROL_RESET;
    bool enable = !reset && (val & LOOPDMA_CH_CONTROL_ENABLE);
    bool has_pause = s->caps & LOOPDMA_CAPS_PAUSE;
    bool pause = has_pause && (val & LOOPDMA_CH_CONTROL_PAUSE);
    bool has_unordered = s->caps & LOOPDMA_CAPS_UNORDERED;
    bool unordered = has_unordered && (val & LOOPDMA_CH_CONTROL_UNORDERED);

    if ((!has_pause && (val & LOOPDMA_CH_CONTROL_PAUSE)) ||
        (!has_unordered && (val & LOOPDMA_CH_CONTROL_UNORDERED))) {
        loopdma_guest_error("channel %u: reserved bits in CONTROL 0x%" PRIx32,
                            ch->index, val);
    }
    if (ch->resetting || s->resetting) {
        loopdma_guest_error("channel %u: CONTROL written amid a reset",
                            ch->index);
        return;
    }
    if (pause && !enable && !ch->enabled) {
        loopdma_guest_error("channel %u: paused while disabled", ch->index);
    }
    if (reset) {
        loopdma_guest_reset_channel(s, ch);
    } else if (enable && loopdma_state(ch) == LOOPDMA_STATE_STOPPING) {
        loopdma_guest_error("channel %u: enabled while it stops", ch->index);
    } else if (enable && !ch->enabled) {
        loopdma_enable(s, ch, unordered);
    } else if (!enable && ch->enabled) {
        loopdma_disable(ch, true, ch->tc.stuck >= LOOPDMA_STUCK_STOP);
    } else if (ch->enabled && pause != loopdma_is_paused(ch)) {
        loopdma_set_paused(ch, pause);
    }
}

/* --- The peripheral and test controls, for the CPU ------------------------ */

/*
 * What the pattern gives and takes next is for whoever owns the batch to know.
 * Returns whether that is the caller, from now on.
 */
static bool loopdma_own_pattern(LoopdmaChannel *ch)
{
    return loopdma_periph_is_pattern(&ch->xfer.periph) &&
           loopdma_sched_stop(ch, LOOPDMA_REVOKED_MEMORY);
}

static void loopdma_end_word(LoopdmaChannel *ch, bool owned, bool wake_peer)
{
    if (owned) {
        loopdma_sched_resume(ch);
    }
    if (wake_peer) {
        loopdma_sched_kick(loopdma_sched_peer(ch));
    }
}

/**
 * loopdma_dev_take_word: read CH_FIFO_DATA
 * @ch: a channel that has a peripheral
 *
 * Not with the lock held: takes that of the FIFO, or waits for an engine.
 */
uint32_t loopdma_dev_take_word(LoopdmaChannel *ch)
{
    bool owned = loopdma_own_pattern(ch);
    bool wake_peer = false;
    uint32_t val = 0;

    if (!loopdma_periph_take_word(&ch->xfer.periph, &val, &wake_peer)) {
        loopdma_guest_error("channel %u: FIFO_DATA read while there is none",
                            ch->index);
    }
    loopdma_end_word(ch, owned, wake_peer);
    return val;
}

/**
 * loopdma_dev_give_word: write CH_FIFO_DATA
 * @ch: a channel that has a peripheral
 * @val: what is written
 */
void loopdma_dev_give_word(LoopdmaChannel *ch, uint32_t val)
{
    bool owned = loopdma_own_pattern(ch);
    bool wake_peer = false;

    if (!loopdma_periph_give_word(&ch->xfer.periph, val, &wake_peer)) {
        loopdma_guest_error("channel %u: FIFO_DATA does not accept 0x%"
                            PRIx32, ch->index, val);
    }
    loopdma_end_word(ch, owned, wake_peer);
}

/**
 * loopdma_dev_set_addr_bits: set CH_TC_ADDR_BITS
 * @ch: the channel
 * @val: bits, 0: those of the device
 */
void loopdma_dev_set_addr_bits(LoopdmaChannel *ch, uint32_t val)
{
    bool owned = loopdma_sched_stop(ch, LOOPDMA_REVOKED_MEMORY);

    WITH_QEMU_LOCK_GUARD(&ch->sched->lock) {
        ch->tc.addr_bits = val;
    }
    ch->xfer.reach = loopdma_testctl_reach(&ch->tc, ch->xfer.mem.last);
    if (owned) {
        /* Let go of what was resolved with another reach. */
        loopdma_xfer_release(&ch->xfer);
        loopdma_sched_resume(ch);
    }
}

/* --- Power ---------------------------------------------------------------- */

/* The only power state beside D0, which is 0. */
#define LOOPDMA_D3HOT 3

/**
 * loopdma_dev_power_state: the power state, in configuration space
 * @s: the device
 */
uint16_t loopdma_dev_power_state(LoopdmaState *s)
{
    return s->pm_at ? pci_get_word(PCI_DEVICE(s)->config + s->pm_at +
                                   PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK : 0;
}

/**
 * loopdma_dev_set_power_state: change it
 * @s: the device
 * @state: the new one
 */
void loopdma_dev_set_power_state(LoopdmaState *s, uint16_t state)
{
    if (s->pm_at) {
        pci_set_word_by_mask(PCI_DEVICE(s)->config + s->pm_at + PCI_PM_CTRL,
                             PCI_PM_CTRL_STATE_MASK, state);
    }
}

/**
 * loopdma_dev_show_msix: show the MSI-X structures if the function is there
 * @s: the device
 */
void loopdma_dev_show_msix(LoopdmaState *s)
{
    loopdma_irq_show_msix(&s->irq, !s->gone && !s->irq.off);
}

/**
 * loopdma_dev_update_power: the power state may have changed
 * @s: the device
 * @before: what it was before
 */
void loopdma_dev_update_power(LoopdmaState *s, uint16_t before)
{
    uint16_t state = loopdma_dev_power_state(s);
    bool off;

    if (state && state != LOOPDMA_D3HOT) {
        /* There is neither D1 nor D2: nothing changes. */
        loopdma_dev_set_power_state(s, before);
    }
    off = loopdma_dev_power_state(s);
    if (off == s->irq.off) {
        return;
    }
    trace_loopdma_power(off);
    if (off) {
        /* What batches have done until now is told; then nothing is. */
        loopdma_sched_stop_all(&s->sched);
    }
    if (s->irq.exiting) {
        return;
    }
    s->irq.off = off;
    loopdma_dev_show_msix(s);
    if (!off && runstate_is_running()) {
        loopdma_sched_start_all(&s->sched);
    }
}

/* --- TC_GONE -------------------------------------------------------------- */

/**
 * loopdma_dev_set_gone: remove the function by surprise, or bring it back
 * @s: the device
 * @gone: whether it is gone
 */
void loopdma_dev_set_gone(LoopdmaState *s, bool gone)
{
    if (s->gone == gone) {
        return;
    }
    trace_loopdma_gone(gone);
    if (gone) {
        /* Takes the INTx line back, too. */
        loopdma_dev_reset(s);
    }
    s->gone = gone;
    loopdma_dev_show_msix(s);
    if (!gone) {
        /* Not before: the BAR is to be read, as all ones, where it was. */
        pci_device_reset(PCI_DEVICE(s));
    }
}

/**
 * loopdma_dev_periph_valid: can the peripheral that a migration stream brings
 *     be?
 * @s: the device
 * @ch: the channel
 */
bool loopdma_dev_periph_valid(const LoopdmaState *s, const LoopdmaChannel *ch)
{
    const LoopdmaPeriph *periph = &ch->xfer.periph;

    return !(periph->select & ~LOOPDMA_PERIPH_FIELDS) &&
           periph->requests.bytes <= periph->fifo.depth &&
           ((!periph->select && !periph->rate) ||
            ((s->caps & LOOPDMA_CAPS_PERIPH) &&
             (ch->xfer.limits.caps & LOOPDMA_CH_CAPS_RX)));
}
