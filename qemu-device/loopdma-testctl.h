/*
 * loopdma: test controls, which are faults on demand
 *
 * What they say to a batch.  The registers are in loopdma-regs.c.  What
 * CH_TC_DROP_IRQ and CH_TC_SPURIOUS do is in loopdma-irq.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_TESTCTL_H
#define LOOPDMA_TESTCTL_H

#include "loopdma-xfer.h"

/**
 * LoopdmaTestctl - the test controls of a channel
 * @hold: CH_TC_HOLD
 * @credits: what CH_TC_STEP has given and nobody has used
 * @fail: CH_TC_FAIL
 * @fail_bytes: CH_TC_FAIL_BYTES
 * @lie: CH_TC_LIE
 * @delay: CH_TC_DELAY
 * @reorder: CH_TC_REORDER
 * @early: CH_TC_EARLY
 * @stuck: enum loopdma_hw_stuck, CH_TC_STUCK
 * @addr_bits: CH_TC_ADDR_BITS
 * @active: one is in force that a batch has to look at
 *
 * Protected by the device's lock.
 */
typedef struct LoopdmaTestctl {
    uint32_t hold;
    uint32_t credits;
    uint32_t fail;
    uint32_t fail_bytes;
    uint32_t lie;
    uint32_t delay;
    uint32_t reorder;
    uint32_t early;
    uint32_t stuck;
    uint32_t addr_bits;
    bool active;
} LoopdmaTestctl;

/**
 * LoopdmaWait - a descriptor that CH_TC_DELAY keeps from starting
 * @begun: there is one
 * @count: descriptors that were retired before it
 * @since: when it became the next to start, in nanoseconds of
 *     QEMU_CLOCK_VIRTUAL
 *
 * Belongs to whoever owns the batch.
 */
typedef struct LoopdmaWait {
    bool begun;
    uint32_t count;
    int64_t since;
} LoopdmaWait;

void loopdma_testctl_update(LoopdmaTestctl *tc);
int64_t loopdma_testctl_apply(LoopdmaTestctl *tc, LoopdmaWait *wait,
                              const LoopdmaXfer *x, LoopdmaBatch *batch);
uint64_t loopdma_testctl_reach(const LoopdmaTestctl *tc, uint64_t last);
bool loopdma_testctl_valid(const LoopdmaTestctl *tc, uint32_t caps);

#endif /* LOOPDMA_TESTCTL_H */
