/*
 * loopdma: the device and its channels: states, and what changes them
 *
 * All with the BQL held.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_DEV_H
#define LOOPDMA_DEV_H

#include "compat.h"
#include "loopdma-irq.h"
#include "loopdma-map.h"
#include "loopdma-sched.h"

#define TYPE_LOOPDMA "loopdma"
OBJECT_DECLARE_SIMPLE_TYPE(LoopdmaState, LOOPDMA)

/* The bits of CH_PERIPH that are not reserved. */
#define LOOPDMA_PERIPH_FIELDS \
    (LOOPDMA_CH_PERIPH_PATTERN | LOOPDMA_CH_PERIPH_SEED)

/* log2 of the smallest ring, in descriptors; the largest is a property. */
#define LOOPDMA_RING_LOG2_MIN 1

/* Properties that the driver can see, see loopdma-vmstate.c. */
#define LOOPDMA_CONFIG 13

/**
 * LoopdmaState - the device
 * @parent_obj: the PCI function
 * @bar: BAR 0, with MSI-X table and pending bits on top
 * @sched: its channels and engines
 * @irq: its interrupts
 * @map: watches its address space
 * @caps: CAPS, fixed when realized
 * @pm_at: where its power management capability is, 0 if it has none
 * @vmstate_handler: tells when the VM stops and goes on
 *
 * @config: the properties that the driver can see, in a migration stream
 *
 * Protected by the BQL:
 *
 * @resetting: CONTROL.RESET, which does not end
 * @gone: the function has been removed by surprise
 *
 * Protected by LoopdmaSched.lock:
 *
 * @cnt_mmio_reads: CNT_MMIO_READS
 *
 * The rest are properties, as are fields of @sched.
 */
struct LoopdmaState {
    PCIDevice parent_obj;

    MemoryRegion bar;
    LoopdmaSched sched;
    LoopdmaIrq irq;
    LoopdmaMap map;
    uint32_t caps;
    uint8_t pm_at;
    VMChangeStateEntry *vmstate_handler;
    uint32_t config[LOOPDMA_CONFIG];

    bool resetting;
    bool gone;
    uint32_t cnt_mmio_reads;

    uint32_t ring_max;
    uint32_t max_len;
    uint32_t copy_align;
    uint32_t addr_bits;
    uint32_t fifo_depth;
    uint32_t fifo_widths;
    uint32_t fifo_max_burst;
    uint32_t max_sources;
    bool loopback;
    bool ordered;
    uint32_t irq_delay_us;
    char *irq_mode;
    OnOffAuto sync_mode;
    bool pm;
    bool test_controls;
    uint16_t vendor_id;
    uint16_t device_id;
    uint32_t x_version;
    uint32_t x_id;
    uint32_t x_caps_mask;
    uint32_t x_bar_size;
};

void loopdma_guest_error(const char *fmt, ...) G_GNUC_PRINTF(1, 2);

void loopdma_dev_choose_context(LoopdmaChannel *ch);
bool loopdma_dev_config_valid(const LoopdmaState *s, const LoopdmaChannel *ch);
bool loopdma_dev_periph_valid(const LoopdmaState *s, const LoopdmaChannel *ch);
bool loopdma_dev_faults_valid(const LoopdmaState *s);
bool loopdma_dev_is_idle(LoopdmaState *s);
void loopdma_dev_quiesce(LoopdmaState *s);
void loopdma_dev_reset(LoopdmaState *s);
void loopdma_dev_guest_reset(LoopdmaState *s);
void loopdma_dev_set_gone(LoopdmaState *s, bool gone);
void loopdma_dev_show_msix(LoopdmaState *s);
uint16_t loopdma_dev_power_state(LoopdmaState *s);
void loopdma_dev_set_power_state(LoopdmaState *s, uint16_t state);
void loopdma_dev_update_power(LoopdmaState *s, uint16_t before);

void loopdma_dev_control(LoopdmaState *s, LoopdmaChannel *ch, uint32_t val);
void loopdma_dev_doorbell(LoopdmaState *s, LoopdmaChannel *ch, uint32_t val);
void loopdma_dev_abort(LoopdmaState *s, LoopdmaChannel *ch, uint32_t val);
void loopdma_dev_select_periph(LoopdmaChannel *ch, uint32_t val);
void loopdma_dev_set_rate(LoopdmaChannel *ch, uint32_t val);
uint32_t loopdma_dev_take_word(LoopdmaChannel *ch);
void loopdma_dev_give_word(LoopdmaChannel *ch, uint32_t val);
void loopdma_dev_set_stuck(LoopdmaState *s, LoopdmaChannel *ch,
                           uint32_t level);
void loopdma_dev_set_addr_bits(LoopdmaChannel *ch, uint32_t val);

#endif /* LOOPDMA_DEV_H */
