/*
 * loopdma: migration
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_VMSTATE_H
#define LOOPDMA_VMSTATE_H

#include "loopdma-dev.h"

extern const VMStateDescription vmstate_loopdma;

#endif /* LOOPDMA_VMSTATE_H */
