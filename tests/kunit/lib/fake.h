/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: a simulated device for the KUnit suites.
 *
 * A model in C of what Documentation/hardware.rst says, behind struct
 * loopdma_hw_ops, so that the whole driver above the register accessors runs
 * where there is no PCI device.  It executes asynchronously, in a work item,
 * and interrupts with local interrupts disabled as a hard interrupt would.
 *
 * It has message signalled interrupts only: INTx is the business of pci.c,
 * which the model does not reach.
 */
#ifndef LOOPDMA_KUNIT_FAKE_H
#define LOOPDMA_KUNIT_FAKE_H

#include <linux/types.h>

struct device;
struct kunit;
struct loopdma_dev;
struct loopdma_fake;
struct loopdma_hw_comp;
struct loopdma_hw_desc;
struct loopdma_hw_ops;

/**
 * struct loopdma_fake_config - what the simulated device says it is
 * @id: LOOPDMA_ID
 * @version: LOOPDMA_VERSION
 * @caps: LOOPDMA_CAPS
 * @channels: number of channels that LOOPDMA_TOPOLOGY tells; the model has
 *	that many, within what the register map holds
 * @ring_min: log2 of the smallest ring
 * @ring_max: log2 of the largest ring
 * @copy_align: log2 of the alignment of copies
 * @addr_bits: width of a bus address
 * @max_len: bytes per descriptor
 * @fifo_depth: bytes per receive FIFO, a power of two
 * @fifo_widths: bit n: elements of 2^n bytes
 * @fifo_burst: elements per burst
 * @max_sources: sources of an XOR or PQ kind that LOOPDMA_XOR_LIMITS tells; the
 *	model takes that many, within what a source list holds
 * @endless_reset: not 0: a reset of the device never ends
 * @dma_offset: bus address of physical address 0; not 0 makes addresses exceed
 *	32 bits also where there is little memory, and differ from physical ones
 */
struct loopdma_fake_config {
	u32 id;
	u32 version;
	u32 caps;
	u32 channels;
	u32 ring_min;
	u32 ring_max;
	u32 copy_align;
	u32 addr_bits;
	u32 max_len;
	u32 fifo_depth;
	u32 fifo_widths;
	u32 fifo_burst;
	u32 max_sources;
	u32 endless_reset;
	u64 dma_offset;
};

/**
 * struct loopdma_fake_lies - what a device tells that means harm
 * @read: what a register gives in place of @val; @reg is the offset in the
 *	registers of a channel if @chan, else in those of the device
 * @retired: an entry was executed: may change all of it, since it has been
 *	fetched
 * @told: the completion record was written; may change that
 * @written: a register is going to be written; @chan and @reg as above
 *
 * All are called with the device's lock held, in any context; NULL is the truth.
 * The device goes by what is true, whatever it tells.
 */
struct loopdma_fake_lies {
	u32 (*read)(void *liar, bool chan, u32 reg, u32 val);
	void (*retired)(void *liar, struct loopdma_hw_desc *hw);
	void (*told)(void *liar, struct loopdma_hw_comp *comp);
	void (*written)(void *liar, bool chan, u32 reg);
};

extern const struct loopdma_fake_config loopdma_fake_default;
extern const struct loopdma_hw_ops loopdma_fake_ops;

/* For loopdma_fake_stop_polls() and loopdma_fake_pause_polls(). */
#define LOOPDMA_FAKE_NEVER	U32_MAX

/* For loopdma_fake_stop_polls(): it takes a reset of the channel. */
#define LOOPDMA_FAKE_UNTIL_RESET	(U32_MAX - 1)

struct loopdma_fake *loopdma_fake_create(struct kunit *test, const char *name,
					 const struct loopdma_fake_config *cfg);
struct device *loopdma_fake_device(struct loopdma_fake *fake);
void loopdma_fake_attach(struct loopdma_fake *fake, struct loopdma_dev *ld);
void loopdma_fake_detach(struct loopdma_fake *fake);
u32 loopdma_fake_guest_errors(struct loopdma_fake *fake);

/* Scripted faults, beyond what the LOOPDMA_CH_TC_* registers can do. */
void loopdma_fake_unplug(struct loopdma_fake *fake);
void loopdma_fake_sleep(struct loopdma_fake *fake, bool asleep);
void loopdma_fake_leave(struct loopdma_fake *fake, u32 index, bool paused);
void loopdma_fake_reset(struct loopdma_fake *fake);
void loopdma_fake_power_cycle(struct loopdma_fake *fake);
void loopdma_fake_reset_takes(struct loopdma_fake *fake, u32 ms);
void loopdma_fake_reset_err(struct loopdma_fake *fake, int err);
u32 loopdma_fake_reads(struct loopdma_fake *fake);
u32 loopdma_fake_reads_at_once(struct loopdma_fake *fake);
u32 loopdma_fake_refused(struct loopdma_fake *fake);
u32 loopdma_fake_resets(struct loopdma_fake *fake);
bool loopdma_fake_isolated(struct loopdma_fake *fake);
void loopdma_fake_stop_polls(struct loopdma_fake *fake, u32 polls);
void loopdma_fake_pause_polls(struct loopdma_fake *fake, u32 polls);
void loopdma_fake_freeze(struct loopdma_fake *fake, bool freeze);
void loopdma_fake_run(struct loopdma_fake *fake);
void loopdma_fake_wear_out(struct loopdma_fake *fake, u32 index, bool worn);
void loopdma_fake_refuse_enable(struct loopdma_fake *fake, u32 index,
				bool refuse);
void loopdma_fake_bad_range(struct loopdma_fake *fake, dma_addr_t start,
			    size_t len);
void loopdma_fake_garble(struct loopdma_fake *fake, u32 index, u32 status,
			 u32 residue);
void loopdma_fake_set_counts(struct loopdma_fake *fake, u32 index, u32 count);
u32 loopdma_fake_state(struct loopdma_fake *fake, u32 index);
void loopdma_fake_lie(struct loopdma_fake *fake,
		      const struct loopdma_fake_lies *lies, void *liar);
void loopdma_fake_confess(struct loopdma_fake *fake);

#endif /* LOOPDMA_KUNIT_FAKE_H */
