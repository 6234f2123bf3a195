/*
 * loopdma: test controls, which are faults on demand
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/timer.h"
#include "trace/trace-hw_misc.h"
#include "loopdma-testctl.h"

/**
 * loopdma_testctl_update: find out whether batches have to look at them
 * @tc: test controls of which one has changed
 */
void loopdma_testctl_update(LoopdmaTestctl *tc)
{
    tc->active = tc->hold || (tc->fail & LOOPDMA_CH_TC_FAIL_AFTER) ||
                 tc->delay || tc->reorder > 1 || tc->early || tc->stuck ||
                 tc->addr_bits;
}

/* Does one count, or put off, the descriptors that start? */
static bool loopdma_testctl_counts(const LoopdmaTestctl *tc)
{
    return tc->hold || tc->delay || tc->early ||
           (tc->fail & LOOPDMA_CH_TC_FAIL_AFTER);
}

/* Until when has the next to start to wait?  0 if it has. */
static int64_t loopdma_testctl_wait(const LoopdmaTestctl *tc,
                                    LoopdmaWait *wait, unsigned channel,
                                    uint32_t count)
{
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
    int64_t due;

    if (!wait->begun || wait->count != count) {
        wait->begun = true;
        wait->count = count;
        wait->since = now;
    }
    /* A migration stream may bring one that is still to come. */
    wait->since = MIN(wait->since, now);
    due = wait->since + (int64_t)tc->delay * SCALE_US;
    if (due <= now) {
        return 0;
    }
    trace_loopdma_delay(channel, count, due - now);
    return due;
}

/* A descriptor starts; returns false if the channel is held, without credit. */
static bool loopdma_testctl_start(LoopdmaTestctl *tc, LoopdmaBatch *batch)
{
    uint32_t after = tc->fail & LOOPDMA_CH_TC_FAIL_AFTER;

    if (tc->hold) {
        if (!tc->credits) {
            return false;
        }
        tc->credits--;
    }
    if (after) {
        tc->fail--;
        if (after == 1) {
            batch->fail = true;
            batch->fail_status = extract32(tc->fail, 16, 8);
            batch->fail_bytes = tc->fail_bytes;
        }
    }
    if (tc->early) {
        tc->early--;
        batch->early = !batch->fail;
    }
    loopdma_testctl_update(tc);
    return true;
}

/**
 * loopdma_testctl_apply: have a batch do what the test controls say
 * @tc: the test controls
 * @wait: the channel's
 * @x: the channel's work
 * @batch: what it was to do; changed
 *
 * Returns when it may start, in nanoseconds of QEMU_CLOCK_VIRTUAL; or 0.
 */
int64_t loopdma_testctl_apply(LoopdmaTestctl *tc, LoopdmaWait *wait,
                              const LoopdmaXfer *x, LoopdmaBatch *batch)
{
    int64_t until = 0;

    if (!loopdma_testctl_counts(tc)) {
        if (tc->reorder > 1) {
            batch->reorder = true;
            batch->max = MIN(batch->max, tc->reorder);
        }
        return 0;
    }
    /* Start none that might be put off. */
    batch->max = 1;
    if (batch->first == batch->tail || !loopdma_xfer_starts(x, batch)) {
        return 0;
    }
    if (tc->delay) {
        until = loopdma_testctl_wait(tc, wait, x->index,
                                     loopdma_order_retired(&x->order,
                                                           batch->first));
    }
    if (until || !loopdma_testctl_start(tc, batch)) {
        batch->max = 0;
    }
    return until;
}

/**
 * loopdma_testctl_reach: the highest bus address of a channel's data
 * @tc: its test controls
 * @last: that of the device
 */
uint64_t loopdma_testctl_reach(const LoopdmaTestctl *tc, uint64_t last)
{
    return tc->addr_bits ? MIN(MAKE_64BIT_MASK(0, tc->addr_bits), last) : last;
}

/**
 * loopdma_testctl_valid: can those that a migration stream brings be?
 * @tc: the test controls
 * @caps: CAPS
 */
bool loopdma_testctl_valid(const LoopdmaTestctl *tc, uint32_t caps)
{
    bool controls = tc->hold || tc->credits || tc->fail || tc->fail_bytes ||
                    tc->lie;
    bool faults = tc->delay || tc->reorder || tc->early || tc->stuck ||
                  tc->addr_bits;

    return tc->hold <= 1 && tc->delay <= LOOPDMA_CH_TC_DELAY_MAX &&
           tc->reorder <= LOOPDMA_CH_TC_REORDER_MAX &&
           tc->stuck <= LOOPDMA_STUCK_DEVICE &&
           tc->addr_bits <= LOOPDMA_CH_TC_ADDR_BITS_MAX &&
           (!controls || (caps & LOOPDMA_CAPS_TESTCTL)) &&
           (!faults || (caps & LOOPDMA_CAPS_FAULTS));
}
