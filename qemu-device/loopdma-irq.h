/*
 * loopdma: interrupts
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef LOOPDMA_IRQ_H
#define LOOPDMA_IRQ_H

/*
 * All of them: who asks for one, when it is sent, and how.  The layers above
 * request; this one decides and delivers.
 *
 * A message is a store to whatever address the guest has chosen.  It may reach
 * the configuration space of this function, or that of the port it is plugged
 * in: when a function of this layer that delivers returns, the function may
 * have been reset, switched off, or unplugged.  So each message is chosen anew,
 * a thread is in the middle of no batch when it delivers one, and who runs
 * outside of an access by the guest holds a reference to the device.
 */

#include "qemu/thread.h"
#include "qemu/timer.h"
#include "compat.h"
#include "loopdma/hw.h"

/* The time from an interrupt to its doorbell, before one is known. */
#define LOOPDMA_RESPONSE_FIRST_NS (50 * SCALE_US)

/**
 * LoopdmaIrqChannel - a channel's interrupt
 * @vector: CH_VECTOR; written under the BQL while the channel is disabled
 *
 * Protected by LoopdmaIrq.lock:
 *
 * @raised: has been requested since the channel was enabled
 * @token: the arm word when it last was
 * @since: since when it is due, in nanoseconds
 * @per_desc: nanoseconds that a descriptor took last
 * @sent_at: when an interrupt was sent that no doorbell has followed yet, or 0
 * @response: nanoseconds from an interrupt to the next doorbell, on average
 * @drop: CH_TC_DROP_IRQ
 * @spurious: CH_TC_SPURIOUS
 * @count: CH_CNT_INTERRUPTS
 */
typedef struct LoopdmaIrqChannel {
    uint32_t vector;
    bool raised;
    uint32_t token;
    int64_t since;
    int64_t per_desc;
    int64_t sent_at;
    int64_t response;
    uint32_t drop;
    uint32_t spurious;
    uint32_t count;
} LoopdmaIrqChannel;

typedef struct LoopdmaMessenger LoopdmaMessenger;

/**
 * LoopdmaIrq - the interrupts of a device
 * @pci: the PCI function
 * @lock: the device's lock, which protects what says so
 * @channels: their number
 * @delay: how long an interrupt may be put off, in nanoseconds
 * @has_msix: the function has MSI-X, @has_intx: INTx
 *
 * Protected by the BQL:
 *
 * @event_vector: EVENT_VECTOR
 * @off: the function is in D3hot, and sends nothing
 * @exiting: the function has been unplugged, and sends nothing; written when
 *     no thread asks for interrupts any more, as is @messenger
 * @bh: delivers what is pending, as does @messenger
 * @repeat_timer: sends what @repeat asks for, but under INTx
 * @messenger: delivers for threads without the BQL, or NULL
 *
 * Protected by @lock:
 *
 * @status: INT_STATUS
 * @event: EVENT
 * @due: channels with an interrupt that is put off
 * @pending: channels with an interrupt to be sent
 * @event_pending: there are events to be sent
 * @flush_follows: who holds the BQL will deliver before letting go of it
 * @repeat: channels that have sent an interrupt which a spurious one follows
 * @count: CNT_INTERRUPTS
 * @ch: the channels
 */
typedef struct LoopdmaIrq {
    PCIDevice *pci;
    QemuMutex *lock;
    unsigned channels;
    int64_t delay;
    bool has_msix;
    bool has_intx;

    uint32_t event_vector;
    bool off;
    bool exiting;
    QEMUBH *bh;
    QEMUTimer *repeat_timer;
    LoopdmaMessenger *messenger;

    uint32_t status;
    uint32_t event;
    uint32_t due;
    uint32_t pending;
    bool event_pending;
    bool flush_follows;
    uint32_t repeat;
    uint32_t count;
    LoopdmaIrqChannel *ch[LOOPDMA_MAX_CHANNELS];
} LoopdmaIrq;

bool loopdma_irq_init_pci(LoopdmaIrq *irq, MemoryRegion *bar, const char *mode,
                          bool table, Error **errp);
void loopdma_irq_exit_pci(LoopdmaIrq *irq, MemoryRegion *bar);
void loopdma_irq_start(LoopdmaIrq *irq, bool threads);
void loopdma_irq_stop(LoopdmaIrq *irq);
void loopdma_irq_free(LoopdmaIrq *irq);
void loopdma_irq_put(LoopdmaIrq *irq);

void loopdma_irq_enable(LoopdmaIrqChannel *ch);
void loopdma_irq_request(LoopdmaIrq *irq, unsigned i, uint32_t arm,
                         int64_t now);
void loopdma_irq_send_due(LoopdmaIrq *irq, unsigned i);
void loopdma_irq_moderate(LoopdmaIrq *irq, unsigned i, uint32_t left);
void loopdma_irq_answered(LoopdmaIrq *irq, unsigned i);
void loopdma_irq_set_event(LoopdmaIrq *irq, uint32_t bits);

void loopdma_irq_flush(LoopdmaIrq *irq);
void loopdma_irq_raise(LoopdmaIrq *irq, uint32_t vector);
void loopdma_irq_send_spurious(LoopdmaIrq *irq, unsigned i);
void loopdma_irq_ack(LoopdmaIrq *irq, uint32_t channels);
void loopdma_irq_ack_event(LoopdmaIrq *irq, uint32_t bits);
void loopdma_irq_update_level(LoopdmaIrq *irq);
void loopdma_irq_show_msix(LoopdmaIrq *irq, bool shown);
void loopdma_irq_reset_channel(LoopdmaIrq *irq, unsigned i);
void loopdma_irq_reset_device(LoopdmaIrq *irq);
void loopdma_irq_go_on(LoopdmaIrq *irq);
bool loopdma_irq_valid(const LoopdmaIrq *irq, uint32_t caps);

#endif /* LOOPDMA_IRQ_H */
