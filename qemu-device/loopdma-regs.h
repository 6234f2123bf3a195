/*
 * loopdma: registers
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_REGS_H
#define LOOPDMA_REGS_H

#include "loopdma-dev.h"

extern const MemoryRegionOps loopdma_regs_ops;

const char *loopdma_regs_control_name(unsigned index);
uint32_t loopdma_regs_control_caps(unsigned index);
uint32_t loopdma_regs_get_control(LoopdmaState *s, LoopdmaChannel *ch,
                                  unsigned index);
bool loopdma_regs_set_control(LoopdmaState *s, LoopdmaChannel *ch,
                              unsigned index, uint32_t val, Error **errp);

#endif /* LOOPDMA_REGS_H */
