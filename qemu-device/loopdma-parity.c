/*
 * loopdma: the arithmetic of XOR and PQ
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "loopdma-parity.h"

/* x^8 in GF(2^8), the polynomial being 0x11d. */
#define LOOPDMA_GF_REDUCE 0x1d

/* The product of any two elements of GF(2^8). */
static uint8_t loopdma_product[256][256];

/* Fill in what the rest of the file looks up; once, before anything else. */
void loopdma_parity_init(void)
{
    unsigned a, b;

    for (a = 1; a < 256; a++) {
        for (b = 1; b < 256; b++) {
            uint8_t half = loopdma_product[a][b >> 1];

            loopdma_product[a][b] = half << 1 ^
                                    (half & 0x80 ? LOOPDMA_GF_REDUCE : 0) ^
                                    (b & 1 ? a : 0);
        }
    }
}

/* Add @src to @sum, which is exclusive or. */
void loopdma_parity_add(uint8_t *sum, const uint8_t *src, size_t n)
{
    size_t i;

    for (i = 0; i + sizeof(uint64_t) <= n; i += sizeof(uint64_t)) {
        stq_he_p(sum + i, ldq_he_p(sum + i) ^ ldq_he_p(src + i));
    }
    for (; i < n; i++) {
        sum[i] ^= src[i];
    }
}

/* Add @coef times @src to @sum. */
void loopdma_parity_add_product(uint8_t *sum, uint8_t coef, const uint8_t *src,
                                size_t n)
{
    const uint8_t *product = loopdma_product[coef];
    size_t i;

    if (coef == 1) {
        loopdma_parity_add(sum, src, n);
    } else if (coef) {
        for (i = 0; i < n; i++) {
            sum[i] ^= product[src[i]];
        }
    }
}
