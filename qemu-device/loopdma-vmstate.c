/*
 * loopdma: migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/error-report.h"
#include "qemu/lockable.h"
#include "migration/vmstate.h"
#include "loopdma-vmstate.h"

/* What of a channel that a migration stream brings cannot be, or NULL. */
static const char *loopdma_channel_bad(const LoopdmaState *s,
                                       const LoopdmaChannel *ch)
{
    uint32_t size;

    switch (ch->state) {
    case LOOPDMA_STATE_DISABLED:
        return ch->enabled || ch->error || ch->xfer.carried || ch->paused
               ? "state" : NULL;
    case LOOPDMA_STATE_ERROR:
        return !ch->enabled || !ch->error ||
               ch->error > LOOPDMA_CHERR_ABORT || ch->xfer.carried ||
               ch->paused ? "error" : NULL;
    case LOOPDMA_STATE_RUNNING:
        if (!ch->enabled || ch->error ||
            (ch->paused && !(s->caps & LOOPDMA_CAPS_PAUSE))) {
            return "state";
        }
        break;
    case LOOPDMA_STATE_STOPPING:
        return ch->enabled || ch->error || ch->xfer.carried || ch->paused ||
               ch->tc.stuck < LOOPDMA_STUCK_STOP ? "state" : NULL;
    default:
        return "state";
    }

    if (!loopdma_dev_config_valid(s, ch)) {
        return "configuration";
    }
    size = 1U << ch->xfer.ring.log2;
    /* An abort that was written meanwhile may be to less than is retired. */
    if (ch->tail - ch->retired > size ||
        (ch->aborting && ch->tail - ch->abort_to > 2 * size)) {
        return "counts";
    }
    if (ch->xfer.order.unordered &&
        (!(s->caps & LOOPDMA_CAPS_UNORDERED) ||
         !loopdma_order_valid(&ch->xfer.order, ch->retired, ch->tail))) {
        return "order";
    }
    if (ch->xfer.carried && (ch->tail == ch->xfer.order.at ||
                             !loopdma_xfer_carried_valid(&ch->xfer))) {
        return "descriptor in progress";
    }
    return NULL;
}

static bool loopdma_priority_valid(const LoopdmaState *s,
                                   const LoopdmaChannel *ch)
{
    return ch->priority < LOOPDMA_PRIORITIES &&
           (!ch->priority || (s->caps & LOOPDMA_CAPS_PRIORITY));
}

/*
 * What a register, the BAR or configuration space shows may not change under
 * the driver: these are in the stream to be compared.
 */
static const char *const loopdma_config_names[LOOPDMA_CONFIG] = {
    "engines or sync", "ring-max", "max-len", "copy-align", "addr-bits",
    "fifo-depth", "fifo-widths", "fifo-max-burst", "max-sources", "x-version",
    "x-id", "x-bar-size", "irq-mode (whether there is INTx)",
};

static void loopdma_get_config(const LoopdmaState *s, uint32_t *config)
{
    const uint32_t values[] = {
        s->sched.sync ? 0 : s->sched.engines, s->ring_max, s->max_len,
        s->copy_align, s->addr_bits, s->fifo_depth, s->fifo_widths,
        s->fifo_max_burst, s->max_sources, s->x_version, s->x_id,
        s->x_bar_size, s->irq.has_intx,
    };

    QEMU_BUILD_BUG_ON(ARRAY_SIZE(values) != LOOPDMA_CONFIG);
    memcpy(config, values, sizeof(values));
}

static int loopdma_pre_save(void *opaque)
{
    LoopdmaState *s = opaque;

    loopdma_get_config(s, s->config);
    return 0;
}

/* Does the stream come from a device with the same properties? */
static bool loopdma_same_config(const LoopdmaState *s)
{
    uint32_t own[LOOPDMA_CONFIG];
    unsigned i;

    loopdma_get_config(s, own);
    for (i = 0; i < LOOPDMA_CONFIG; i++) {
        if (s->config[i] != own[i]) {
            error_report("loopdma: %s is %" PRIu32 " in the migration stream, "
                         "and %" PRIu32 " here: give both the same",
                         loopdma_config_names[i], s->config[i], own[i]);
            return false;
        }
    }
    return true;
}

static int loopdma_post_load(void *opaque, int version_id)
{
    LoopdmaState *s = opaque;
    unsigned i;

    if (version_id > 1 && !loopdma_same_config(s)) {
        return -EINVAL;
    }
    if (!loopdma_irq_valid(&s->irq, s->caps)) {
        error_report("loopdma: bad interrupt status in the migration stream");
        return -EINVAL;
    }
    for (i = 0; i < s->sched.channels; i++) {
        LoopdmaChannel *ch = &s->sched.ch[i];
        const char *bad;

        if (!ch->xfer.order.unordered) {
            ch->xfer.order.at = ch->retired;
        }
        bad = loopdma_channel_bad(s, ch);

        if (!bad && !loopdma_fifo_valid(&ch->xfer.periph.fifo)) {
            bad = "FIFO";
        }
        if (!bad && !loopdma_dev_periph_valid(s, ch)) {
            bad = "peripheral";
        }
        if (!bad && !loopdma_priority_valid(s, ch)) {
            bad = "priority";
        }
        if (!bad && !loopdma_testctl_valid(&ch->tc, s->caps)) {
            bad = "test controls";
        }
        if (bad) {
            error_report("loopdma: channel %u: bad %s in the migration stream",
                         i, bad);
            return -EINVAL;
        }
        loopdma_dev_choose_context(ch);
        ch->published = ch->retired;
        ch->xfer.op[0].executed = true;
        WITH_QEMU_LOCK_GUARD(&s->sched.lock) {
            loopdma_testctl_update(&ch->tc);
        }
        ch->xfer.reach = loopdma_testctl_reach(&ch->tc, ch->xfer.mem.last);
    }
    if (!loopdma_dev_faults_valid(s)) {
        error_report("loopdma: bad reset or removal in the migration stream");
        return -EINVAL;
    }
    s->irq.off = loopdma_dev_power_state(s);
    loopdma_dev_show_msix(s);
    return 0;
}

static const VMStateDescription vmstate_loopdma_op = {
    .name = "loopdma/op",
    .version_id = 1,
    .minimum_version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_UINT32(desc.ctrl, LoopdmaOp),
        VMSTATE_UINT32(desc.len, LoopdmaOp),
        VMSTATE_UINT64(desc.src, LoopdmaOp),
        VMSTATE_UINT64(desc.dst, LoopdmaOp),
        VMSTATE_UINT32(desc.periph, LoopdmaOp),
        VMSTATE_UINT32(desc.arg, LoopdmaOp),
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

static bool loopdma_channel_is_unordered(void *opaque)
{
    LoopdmaChannel *ch = opaque;

    return ch->xfer.order.unordered;
}

static const VMStateDescription vmstate_loopdma_order = {
    .name = "loopdma/channel/order",
    .version_id = 1,
    .minimum_version_id = 1,
    .needed = loopdma_channel_is_unordered,
    .fields = (VMStateField[]) {
        VMSTATE_BOOL(xfer.order.unordered, LoopdmaChannel),
        VMSTATE_UINT32(xfer.order.at, LoopdmaChannel),
        VMSTATE_UINT32(xfer.order.ahead, LoopdmaChannel),
        VMSTATE_BOOL(xfer.order.chained, LoopdmaChannel),
        VMSTATE_END_OF_LIST()
    }
};

/* Only the stream of an unordered channel tells of its order. */
static int loopdma_channel_pre_load(void *opaque)
{
    LoopdmaChannel *ch = opaque;

    loopdma_order_begin(&ch->xfer.order, false);
    return 0;
}

static const VMStateDescription vmstate_loopdma_channel = {
    .name = "loopdma/channel",
    .version_id = 1,
    .minimum_version_id = 1,
    .pre_load = loopdma_channel_pre_load,
    .fields = (VMStateField[]) {
        VMSTATE_UINT64(xfer.ring.base, LoopdmaChannel),
        VMSTATE_UINT64(xfer.comp, LoopdmaChannel),
        VMSTATE_UINT32(xfer.ring.log2, LoopdmaChannel),
        VMSTATE_UINT32(irq.vector, LoopdmaChannel),
        VMSTATE_BOOL(enabled, LoopdmaChannel),
        VMSTATE_UINT8(state, LoopdmaChannel),
        VMSTATE_UINT8(error, LoopdmaChannel),
        VMSTATE_BOOL(paused, LoopdmaChannel),
        VMSTATE_UINT32(tail, LoopdmaChannel),
        VMSTATE_UINT32(retired, LoopdmaChannel),
        VMSTATE_BOOL(aborting, LoopdmaChannel),
        VMSTATE_UINT32(abort_to, LoopdmaChannel),
        VMSTATE_UINT32(tc.hold, LoopdmaChannel),
        VMSTATE_UINT32(tc.credits, LoopdmaChannel),
        VMSTATE_UINT32(tc.fail, LoopdmaChannel),
        VMSTATE_UINT32(tc.fail_bytes, LoopdmaChannel),
        VMSTATE_UINT32(irq.drop, LoopdmaChannel),
        VMSTATE_UINT32(tc.lie, LoopdmaChannel),
        VMSTATE_UINT32(tc.delay, LoopdmaChannel),
        VMSTATE_UINT32(tc.reorder, LoopdmaChannel),
        VMSTATE_UINT32(irq.spurious, LoopdmaChannel),
        VMSTATE_UINT32(tc.early, LoopdmaChannel),
        VMSTATE_UINT32(tc.stuck, LoopdmaChannel),
        VMSTATE_UINT32(tc.addr_bits, LoopdmaChannel),
        VMSTATE_BOOL(resetting, LoopdmaChannel),
        VMSTATE_STRUCT(wait, LoopdmaChannel, 1, vmstate_loopdma_wait,
                       LoopdmaWait),
        VMSTATE_UINT32(cnt.doorbells, LoopdmaChannel),
        VMSTATE_UINT32(cnt.descriptors, LoopdmaChannel),
        VMSTATE_UINT64(cnt.bytes, LoopdmaChannel),
        VMSTATE_UINT32(irq.count, LoopdmaChannel),
        VMSTATE_BOOL(xfer.skip, LoopdmaChannel),
        VMSTATE_BOOL(irq.raised, LoopdmaChannel),
        VMSTATE_UINT32(irq.token, LoopdmaChannel),
        VMSTATE_BOOL(xfer.carried, LoopdmaChannel),
        VMSTATE_STRUCT(xfer.op[0], LoopdmaChannel, 1, vmstate_loopdma_op,
                       LoopdmaOp),
        VMSTATE_STRUCT(xfer.sources[0], LoopdmaChannel, 1,
                       vmstate_loopdma_sources, LoopdmaSources),
        VMSTATE_STRUCT(xfer.meta[0], LoopdmaChannel, 1, vmstate_loopdma_meta,
                       LoopdmaMeta),
        VMSTATE_UINT32(xfer.periph.select, LoopdmaChannel),
        VMSTATE_UINT32(xfer.periph.source, LoopdmaChannel),
        VMSTATE_UINT32(xfer.periph.sink, LoopdmaChannel),
        VMSTATE_UINT32(xfer.periph.rate, LoopdmaChannel),
        VMSTATE_STRUCT(xfer.periph.requests, LoopdmaChannel, 1,
                       vmstate_loopdma_pace, LoopdmaPace),
        VMSTATE_UINT8(priority, LoopdmaChannel),
        VMSTATE_STRUCT(xfer.periph.fifo, LoopdmaChannel, 1,
                       vmstate_loopdma_fifo, LoopdmaFifo),
        VMSTATE_END_OF_LIST()
    },
    .subsections = (const VMStateDescription * []) {
        &vmstate_loopdma_order,
        NULL
    }
};

static bool loopdma_has_msix(void *opaque, int version_id)
{
    LoopdmaState *s = opaque;

    return s->irq.has_msix;
}

const VMStateDescription vmstate_loopdma = {
    .name = "loopdma",
    .version_id = 2,
    .minimum_version_id = 1,
    .pre_save = loopdma_pre_save,
    .post_load = loopdma_post_load,
    .fields = (VMStateField[]) {
        VMSTATE_PCI_DEVICE(parent_obj, LoopdmaState),
        VMSTATE_MSIX_TEST(parent_obj, LoopdmaState, loopdma_has_msix),
        LOOPDMA_VMSTATE_UINT32_EQUAL(sched.channels, LoopdmaState),
        LOOPDMA_VMSTATE_UINT32_EQUAL(caps, LoopdmaState),
        VMSTATE_UINT32(irq.status, LoopdmaState),
        VMSTATE_UINT32(irq.event, LoopdmaState),
        VMSTATE_UINT32(irq.event_vector, LoopdmaState),
        VMSTATE_UINT32(irq.pending, LoopdmaState),
        VMSTATE_BOOL(irq.event_pending, LoopdmaState),
        VMSTATE_UINT32(irq.repeat, LoopdmaState),
        VMSTATE_BOOL(resetting, LoopdmaState),
        VMSTATE_BOOL(gone, LoopdmaState),
        VMSTATE_UINT32(cnt_mmio_reads, LoopdmaState),
        VMSTATE_UINT32(irq.count, LoopdmaState),
        VMSTATE_STRUCT_VARRAY_POINTER_UINT32(sched.ch, LoopdmaState,
                                             sched.channels,
                                             vmstate_loopdma_channel,
                                             LoopdmaChannel),
        VMSTATE_UINT32_ARRAY_V(config, LoopdmaState, LOOPDMA_CONFIG, 2),
        VMSTATE_END_OF_LIST()
    }
};
