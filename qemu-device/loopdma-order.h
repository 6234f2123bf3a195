/*
 * loopdma: which descriptor of a channel is next
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_ORDER_H
#define LOOPDMA_ORDER_H

/*
 * An ordered channel executes its descriptors one after the other.  An
 * unordered one looks at a window of them, and takes the newest transaction
 * first.  A transaction that has begun is ended before another begins, so that
 * one place in the ring is enough to go on at.  The window does not move before
 * its oldest descriptor is retired, so that no transaction waits for ever.
 */

#include "compat.h"

/* Descriptors that an unordered channel looks at. */
#define LOOPDMA_WINDOW 32

/**
 * LoopdmaOrder - which descriptor of a channel is next
 * @unordered: CH_CONTROL.UNORDERED
 * @at: count of the next descriptor
 * @ahead: unordered: bit n set: the nth descriptor behind the oldest that is
 *     not retired is retired already
 * @chained: unordered: the descriptor at @at goes on with a transaction
 *
 * "Oldest" is the count of the oldest descriptor that is not retired.  In an
 * ordered channel @at is always the oldest.
 */
typedef struct LoopdmaOrder {
    bool unordered;
    uint32_t at;
    uint32_t ahead;
    bool chained;
} LoopdmaOrder;

void loopdma_order_begin(LoopdmaOrder *o, bool unordered);
void loopdma_order_choose(LoopdmaOrder *o, uint32_t oldest, uint32_t chain,
                          unsigned n);
unsigned loopdma_order_room(const LoopdmaOrder *o, uint32_t oldest,
                            uint32_t tail);
uint32_t loopdma_order_advance(LoopdmaOrder *o, uint32_t oldest,
                               unsigned count);
uint32_t loopdma_order_retired(const LoopdmaOrder *o, uint32_t oldest);
bool loopdma_order_valid(const LoopdmaOrder *o, uint32_t oldest,
                         uint32_t tail);

#endif /* LOOPDMA_ORDER_H */
