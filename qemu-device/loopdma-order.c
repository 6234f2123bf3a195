/*
 * loopdma: which descriptor of a channel is next
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/host-utils.h"
#include "loopdma-order.h"

/**
 * loopdma_order_begin: a channel is enabled
 * @o: its order
 * @unordered: whether it has none
 */
void loopdma_order_begin(LoopdmaOrder *o, bool unordered)
{
    *o = (LoopdmaOrder) { .unordered = unordered };
}

/* Is the next descriptor one that may be executed? */
static bool loopdma_order_is_open(const LoopdmaOrder *o, uint32_t oldest)
{
    uint32_t i = o->at - oldest;

    return i < LOOPDMA_WINDOW && !extract32(o->ahead, i, 1);
}

/**
 * loopdma_order_choose: take the newest transaction that is there as a whole
 * @o: the order of an unordered channel, of which no transaction has begun
 * @oldest: the oldest descriptor that is not retired
 * @chain: bit n set: the nth descriptor from there on has CHAIN
 * @n: descriptors that there are, LOOPDMA_WINDOW at the most
 *
 * If there is none, it takes the oldest, of which more may follow.
 */
void loopdma_order_choose(LoopdmaOrder *o, uint32_t oldest, uint32_t chain,
                          unsigned n)
{
    bool whole = false;

    o->at = oldest;
    while (n--) {
        whole |= !extract32(chain, n, 1);
        if (whole && !extract32(o->ahead, n, 1) &&
            (!n || !extract32(chain, n - 1, 1))) {
            o->at = oldest + n;
            return;
        }
    }
}

/**
 * loopdma_order_room: how many descriptors may be taken now?
 * @o: a channel's order
 * @oldest: the oldest descriptor that is not retired
 * @tail: count behind the last that there is
 */
unsigned loopdma_order_room(const LoopdmaOrder *o, uint32_t oldest,
                            uint32_t tail)
{
    uint32_t i = o->at - oldest;
    uint32_t n = tail - o->at;
    uint32_t later;

    if (!o->unordered) {
        return n;
    }
    /* The guest may have changed CHAIN since. */
    later = o->ahead >> i;
    return MIN(n, later ? ctz32(later) : LOOPDMA_WINDOW - i);
}

/**
 * loopdma_order_advance: descriptors are retired
 * @o: a channel's order
 * @oldest: the oldest descriptor that was not retired before
 * @count: how many from @at on, loopdma_order_room() at the most
 *
 * Returns the oldest that is not retired now.
 */
uint32_t loopdma_order_advance(LoopdmaOrder *o, uint32_t oldest,
                               unsigned count)
{
    unsigned passed;

    if (!o->unordered || !count) {
        o->at += count;
        return oldest + count;
    }
    o->ahead |= MAKE_64BIT_MASK(o->at - oldest, count);
    o->at += count;
    passed = cto32(o->ahead);
    o->ahead = (uint64_t)o->ahead >> passed;
    oldest += passed;
    /* The guest may have changed CHAIN since the transaction was chosen. */
    o->chained &= loopdma_order_is_open(o, oldest);
    if (!o->chained) {
        o->at = oldest;
    }
    return oldest;
}

/**
 * loopdma_order_retired: how many descriptors are retired, wherever they are?
 * @o: a channel's order
 * @oldest: the oldest descriptor that is not retired
 */
uint32_t loopdma_order_retired(const LoopdmaOrder *o, uint32_t oldest)
{
    return oldest + ctpop32(o->ahead);
}

/**
 * loopdma_order_valid: can the order that a migration stream brings be?
 * @o: the order of an unordered channel
 * @oldest: the oldest descriptor that is not retired
 * @tail: count behind the last that there is
 */
bool loopdma_order_valid(const LoopdmaOrder *o, uint32_t oldest, uint32_t tail)
{
    uint32_t there = MIN(tail - oldest, LOOPDMA_WINDOW);

    return loopdma_order_is_open(o, oldest) && o->at - oldest <= there &&
           !(o->ahead & 1) && !((uint64_t)o->ahead >> there);
}
