/*
 * loopdma: the arithmetic of XOR and PQ
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_PARITY_H
#define LOOPDMA_PARITY_H

void loopdma_parity_init(void);
void loopdma_parity_add(uint8_t *sum, const uint8_t *src, size_t n);
void loopdma_parity_add_product(uint8_t *sum, uint8_t coef, const uint8_t *src,
                                size_t n);

#endif /* LOOPDMA_PARITY_H */
