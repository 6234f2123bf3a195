/*
 * loopdma: test controls, which are faults on demand
 *
 * Their registers.  What a turn does about them is in loopdma-exec.c.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/atomic.h"
#include "qemu/lockable.h"
#include "loopdma-int.h"

/**
 * loopdma_is_test_control: is it a test control?
 * @addr: a channel register
 */
bool loopdma_is_test_control(hwaddr addr)
{
    return addr >= LOOPDMA_CH_TC_HOLD && addr <= LOOPDMA_CH_TC_LIE;
}

/**
 * loopdma_update_test_controls: find out whether turns have to look at them
 * @ch: a channel of which a test control has changed
 *
 * With the lock held.
 */
void loopdma_update_test_controls(LoopdmaChannel *ch)
{
    ch->tc_active = ch->tc_hold || (ch->tc_fail & LOOPDMA_CH_TC_FAIL_AFTER);
}

/**
 * loopdma_write_test_control: the driver writes a test control
 * @ch: the channel
 * @addr: a register that is one
 * @val: what is written
 *
 * With the BQL held.
 */
void loopdma_write_test_control(LoopdmaChannel *ch, hwaddr addr, uint32_t val)
{
    const uint32_t fail = LOOPDMA_CH_TC_FAIL_AFTER | LOOPDMA_CH_TC_FAIL_STATUS;

    if (!(ch->dev->caps & LOOPDMA_CAPS_TESTCTL)) {
        return;
    }

    WITH_QEMU_LOCK_GUARD(&ch->dev->lock) {
        switch (addr) {
        case LOOPDMA_CH_TC_HOLD:
            if (val > 1) {
                loopdma_guest_error("TC_HOLD: neither 0 nor 1");
            }
            ch->tc_hold = val & 1;
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
            if (val & ~fail) {
                loopdma_guest_error("TC_FAIL: reserved bits");
            }
            ch->tc_fail = val & fail;
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
        default:
            loopdma_guest_error("write to unknown channel register 0x%"
                                HWADDR_PRIx, addr);
            return;
        }
        loopdma_update_test_controls(ch);
        /* A turn in progress has not seen that yet. */
        qatomic_set(&ch->cut, true);
    }
    loopdma_kick(ch);
}

/**
 * loopdma_clear_test_controls: reset them
 * @ch: a channel that nobody works on
 */
void loopdma_clear_test_controls(LoopdmaChannel *ch)
{
    QEMU_LOCK_GUARD(&ch->dev->lock);
    ch->tc_hold = 0;
    ch->tc_credits = 0;
    ch->tc_fail = 0;
    ch->tc_fail_bytes = 0;
    ch->tc_drop_irq = 0;
    ch->tc_lie = 0;
    ch->tc_active = false;
}
