// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_hw: the driver against hardware that is other than usual, or broken.
 *
 * These cases know the driver's structures and the registers; the contract
 * suites do not.  They run over simulated devices, whatever the device under
 * test is, because no QEMU property makes a device this bad.
 */
#include <linux/bitfield.h>
#include <linux/cpumask.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include <loopdma/client.h>
#include "loopdma.h"
#include "dut.h"

#define LEN 256

struct variant {
	const char *name;
	int err;
	size_t offset;
	u32 value;
};

#define VARIANT(_name, _err, _field, _value)				\
	{								\
		.name = _name,						\
		.err = _err,						\
		.offset = offsetof(struct loopdma_fake_config, _field),	\
		.value = _value,					\
	}

static const struct variant variants[] = {
	VARIANT("other magic", -ENODEV, id, 0x12345678),
	VARIANT("all ones", -ENODEV, id, U32_MAX),
	VARIANT("major version 0", -ENODEV, version, 0x00000001),
	VARIANT("major version 2", -ENODEV, version, 0x00020000),
	VARIANT("minor version 9", 0, version, 0x00010009),
	VARIANT("no capability", -ENODEV, caps, 0),
	VARIANT("loopback only", -ENODEV, caps, LOOPDMA_CAPS_LOOPBACK),
	VARIANT("copy only", 0, caps, LOOPDMA_CAPS_COPY),
	VARIANT("unknown capabilities", 0, caps, 0xfffffff0 |
		LOOPDMA_CAPS_COPY),
	VARIANT("no channel", -ENODEV, channels, 0),
	VARIANT("one channel", 0, channels, 1),
	VARIANT("32 channels", 0, channels, 32),
	VARIANT("33 channels", -ENODEV, channels, 33),
	VARIANT("255 channels", -ENODEV, channels, 255),
	VARIANT("ring of one", -ENODEV, ring_min, 0),
	VARIANT("smallest ring above largest", -ENODEV, ring_min, 11),
	VARIANT("one ring size", 0, ring_min, 10),
	VARIANT("ring of 65536", 0, ring_max, 16),
	VARIANT("ring of 131072", -ENODEV, ring_max, 17),
	VARIANT("ring of 2^255", -ENODEV, ring_max, 255),
	VARIANT("alignment of a page", 0, copy_align, 12),
	VARIANT("alignment of 2^63", -ENODEV, copy_align, 63),
	VARIANT("31 address bits", -ENODEV, addr_bits, 31),
	VARIANT("65 address bits", -ENODEV, addr_bits, 65),
	VARIANT("255 address bits", -ENODEV, addr_bits, 255),
	VARIANT("no length", -ENODEV, max_len, 0),
	VARIANT("128 bytes", 0, max_len, 128),
	VARIANT("any length", 0, max_len, U32_MAX),
	VARIANT("no FIFO", -ENODEV, fifo_depth, 0),
	VARIANT("odd FIFO", -ENODEV, fifo_depth, 4097),
	VARIANT("no width", -ENODEV, fifo_widths, 0),
	VARIANT("no burst", -ENODEV, fifo_burst, 0),
	VARIANT("reset without end", -ETIMEDOUT, endless_reset, 1),
};

KUNIT_ARRAY_PARAM_DESC(variants, variants, name);

/*
 * Rule: a device that the driver cannot work with is refused with an error,
 * and one that is merely other is not (hardware.rst, capabilities).
 */
static void probe(struct kunit *test)
{
	const struct variant *v = test->param_value;
	struct loopdma_fake_config cfg = loopdma_fake_default;

	*(u32 *)((void *)&cfg + v->offset) = v->value;
	KUNIT_EXPECT_EQ(test, v->err, ldk_probe_fake(test, &cfg));
}

/*
 * Rule: the driver believes the registers, not the version (hardware.rst).
 * What the core is told is compared with what the device says now.
 */
static void caps_match_registers(struct kunit *test)
{
	struct loopdma_dev *ld;
	struct dma_device *dma;
	struct ldk_dut *dut;
	u32 val, burst, widths = 0, i;

	KUNIT_ASSERT_EQ(test, 0, ldk_init(test));
	dut = test->priv;
	ld = dut->ld;
	dma = &ld->dma;

	val = ld->ops->read(ld, LOOPDMA_TOPOLOGY);
	KUNIT_EXPECT_EQ(test, FIELD_GET(LOOPDMA_TOPOLOGY_CHANNELS, val),
			dma->chancnt);
	val = ld->ops->read(ld, LOOPDMA_COPY_LIMITS);
	KUNIT_EXPECT_EQ(test, FIELD_GET(LOOPDMA_COPY_LIMITS_ALIGN, val),
			(u32)dma->copy_align);
	KUNIT_EXPECT_EQ(test, DMA_BIT_MASK(FIELD_GET(LOOPDMA_COPY_LIMITS_ADDR_BITS,
						     val)),
			dma_get_mask(dut->dev));
	val = ld->ops->read(ld, LOOPDMA_MAX_LEN);
	KUNIT_EXPECT_EQ(test, val, dma_get_max_seg_size(dut->dev));
	val = ld->ops->read(ld, LOOPDMA_FIFO_LIMITS);
	burst = FIELD_GET(LOOPDMA_FIFO_LIMITS_BURST, val);
	for (i = 0; i <= 4; i++)
		if (FIELD_GET(LOOPDMA_FIFO_LIMITS_WIDTHS, val) & BIT(i))
			widths |= BIT(1 << i);
	/* One for all widths, so that of the widest. */
	val = ld->ops->read(ld, LOOPDMA_FIFO_DEPTH) / 2 / (fls(widths) - 1);
	KUNIT_EXPECT_EQ(test, min(burst, val), dma->max_burst);
	KUNIT_EXPECT_EQ(test, widths, dma->src_addr_widths);
	KUNIT_EXPECT_EQ(test, widths, dma->dst_addr_widths);
	val = ld->ops->read(ld, LOOPDMA_CAPS);
	KUNIT_EXPECT_EQ(test, !!(val & LOOPDMA_CAPS_COPY),
			dma_has_cap(DMA_MEMCPY, dma->cap_mask));
	KUNIT_EXPECT_EQ(test, !!(val & LOOPDMA_CAPS_LOOPBACK),
			dma_has_cap(DMA_SLAVE, dma->cap_mask));
}

/* Rule: the ring size is within RING_LIMITS, whatever the parameter says. */
static void ring_within_limits(struct kunit *test)
{
	struct loopdma_fake_config cfg = loopdma_fake_default;
	struct dma_chan *chan;
	struct ldk_dut *dut;

	cfg.ring_min = 3;
	cfg.ring_max = 3;
	dut = ldk_create_fake(test, &cfg);
	chan = ldk_request(dut);
	KUNIT_EXPECT_EQ(test, 8, ldk_ring_size(chan));
	ldk_copy_ok(dut, chan, LEN);

	cfg.ring_min = 15;
	cfg.ring_max = 16;
	dut = ldk_create_fake(test, &cfg);
	chan = ldk_request(dut);
	KUNIT_EXPECT_EQ(test, 32768, ldk_ring_size(chan));
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: without LOOPBACK there are no slave transfers to claim (hardware.rst). */
static void no_loopback(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_without(test, LOOPDMA_CAPS_LOOPBACK);
	struct dma_slave_config config = { .dst_addr_width = 1 };
	struct dma_slave_caps caps = { };
	struct dma_chan *chan;

	KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_SLAVE, -1));
	chan = ldk_request(dut);
	KUNIT_EXPECT_NE(test, 0, dmaengine_slave_config(chan, &config));
	KUNIT_EXPECT_NE(test, 0, dma_get_slave_caps(chan, &caps));
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: the last of an odd number of channels has no peer (hardware.rst). */
static void odd_channels(struct kunit *test)
{
	struct loopdma_fake_config cfg = loopdma_fake_default;
	struct dma_slave_config config = { .dst_addr_width = 1 };
	struct dma_slave_caps caps;
	struct dma_chan *chan;
	struct ldk_dut *dut;

	cfg.channels = 3;
	dut = ldk_create_fake(test, &cfg);
	chan = ldk_request_index(dut, 2);
	KUNIT_EXPECT_NE(test, 0, dmaengine_slave_config(chan, &config));
	KUNIT_ASSERT_EQ(test, 0, dma_get_slave_caps(chan, &caps));
	KUNIT_EXPECT_EQ(test, BIT(DMA_MEM_TO_MEM), caps.directions);
	ldk_copy_ok(dut, chan, LEN);
	chan = ldk_request_index(dut, 1);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_slave_config(chan, &config));
}

/* Rule: without test controls and counters the driver works (hardware.rst). */
static void no_test_controls(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_without(test, ~LOOPDMA_CAPS_COPY);

	ldk_copy_ok(dut, ldk_request(dut), LEN);
}

/*
 * Rule: a channel that does not start is not given to a client, what was
 * allocated for it is freed, and it can be tried again (provider.rst,
 * device_alloc_chan_resources).
 */
static void enable_refused(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan;
	int i;

	dut->trouble = true;
	loopdma_fake_refuse_enable(dut->fake, 3, true);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_MEMCPY, 3));
	KUNIT_EXPECT_EQ(test, 0, dut->ld->chan[3].chan.client_count);
	chan = ldk_request_index(dut, 2);
	ldk_copy_ok(dut, chan, LEN);

	loopdma_fake_refuse_enable(dut->fake, 3, false);
	chan = ldk_request_index(dut, 3);
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: memory of a channel is freed when the device has acknowledged that it
 * has stopped, not when it was told to (hardware.rst, channel life).
 */
static void stops_slowly(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan;
	int i;

	loopdma_fake_stop_polls(dut->fake, 10);
	for (i = 0; i < 3; i++) {
		chan = ldk_request(dut);
		ldk_copy_ok(dut, chan, LEN);
		ldk_release(dut, chan);
		KUNIT_EXPECT_EQ(test, LOOPDMA_STATE_DISABLED,
				loopdma_fake_state(dut->fake, ldk_index(chan)));
	}
}

/*
 * Rule: a channel that never acknowledges keeps its memory, which is the only
 * safe thing, and is not given out again; others are not affected.
 */
static void never_stops(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	struct page *ring = virt_to_page(to_loopdma_chan(chan)->ring.desc);
	unsigned int index = ldk_index(chan);

	dut->trouble = true;
	/* Nor can the function be reset. */
	loopdma_fake_reset_err(dut->fake, -EAGAIN);
	loopdma_fake_stop_polls(dut->fake, LOOPDMA_FAKE_NEVER);
	ldk_release(dut, chan);
	KUNIT_EXPECT_GT(test, page_count(ring), 0);
	KUNIT_EXPECT_EQ(test, LOOPDMA_STATE_STOPPING,
			loopdma_fake_state(dut->fake, index));
	KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_MEMCPY, index));
	ldk_copy_ok(dut, other, LEN);
	/* Lets the device end, at the latest when the function is reset. */
	loopdma_fake_stop_polls(dut->fake, 1);
}

/*
 * Rule: a channel that does not stop when it is disabled is reset, and may then be
 * given out again (hardware.rst, "Stopping").
 */
static void stops_by_reset(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	unsigned int index = ldk_index(chan);

	loopdma_fake_stop_polls(dut->fake, LOOPDMA_FAKE_UNTIL_RESET);
	ldk_release(dut, chan);
	KUNIT_EXPECT_EQ(test, LOOPDMA_STATE_DISABLED,
			loopdma_fake_state(dut->fake, index));
	loopdma_fake_stop_polls(dut->fake, 1);
	chan = ldk_request_index(dut, index);
	ldk_copy_ok(dut, chan, LEN);
}

/* Copies that wait. */
static struct ldk_xfer *start_held(struct ldk_dut *dut, struct dma_chan *chan,
				   unsigned int n)
{
	ldk_hold(chan);
	return ldk_copies_issued(dut, chan, n, LEN);
}

/*
 * Rule: what is paused is not moved any more when pausing has returned, also if
 * the device takes its time (hardware.rst, Pausing).
 */
static void pauses_slowly(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = start_held(dut, chan, 1);

	loopdma_fake_pause_polls(dut->fake, 10);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	ldk_unhold(chan);
	ldk_round_trip(dut);
	ldk_expect_unaffected(x, 1);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
	ldk_expect_copied(x, 1);
}

/*
 * Rule: who waits for a device that takes its time to pause, or is suspended, has
 * interrupts enabled but for a single look (Documentation/driver.rst, "Latency").
 */
static void pauses_with_interrupts(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = start_held(dut, chan, 1);

	if (!IS_ENABLED(CONFIG_PROVE_LOCKING))
		kunit_skip(test, "no CONFIG_PROVE_LOCKING");
	loopdma_fake_pause_polls(dut->fake, 100);
	loopdma_fake_reads_at_once(dut->fake);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_pause(chan));
	/* None with PREEMPT_RT, where the driver's lock leaves interrupts alone. */
	KUNIT_EXPECT_LE(test, loopdma_fake_reads_at_once(dut->fake), 1);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));

	ldk_suspend(dut);
	KUNIT_EXPECT_LE(test, loopdma_fake_reads_at_once(dut->fake), 1);
	ldk_resume(dut, false);
	ldk_unhold(chan);
	ldk_expect_copied(x, 1);
}

struct restless {
	struct work_struct work;
	struct loopdma_chan *lc;
	bool enough;
};

/* Tells by turns of the oldest descriptor, and of the next. */
static void tell_progress(struct work_struct *work)
{
	struct restless *r = container_of(work, struct restless, work);
	u64 count = r->lc->ring.tail;

	while (!READ_ONCE(r->enough)) {
		WRITE_ONCE(r->lc->comp->progress, cpu_to_le64(count << 32));
		WRITE_ONCE(r->lc->comp->progress, cpu_to_le64((count + 1) << 32 | LEN / 2));
	}
}

/*
 * Rule: the residue is that of the oldest descriptor, also if the device writes its
 * progress while the CPU reads it, by halves (hardware.rst, "progress").
 */
static void progress_by_halves(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct restless r = { .lc = to_loopdma_chan(chan) };
	struct ldk_xfer *x;
	unsigned int i;
	bool whole = true;
	ktime_t end;

	if (num_online_cpus() < 2)
		kunit_skip(test, "needs two CPUs");
	x = start_held(dut, chan, 2);
	INIT_WORK_ONSTACK(&r.work, tell_progress);
	schedule_work_on(cpumask_any_but(cpu_online_mask, raw_smp_processor_id()), &r.work);
	/* Not so long that the watchdog takes the transaction for one that is stuck. */
	end = ktime_add_ms(ktime_get(), 1000);
	for (i = 0; whole && i < 100000 && ktime_before(ktime_get(), end); i++)
		whole = ldk_residue(&x[0]) == LEN;
	WRITE_ONCE(r.enough, true);
	flush_work(&r.work);
	destroy_work_on_stack(&r.work);
	KUNIT_EXPECT_TRUE(test, whole);
	ldk_unhold(chan);
	ldk_expect_copied(x, 2);
}

/* Rule: what does not pause is not said to be paused, and goes on. */
static void never_pauses(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = start_held(dut, chan, 1);

	loopdma_fake_pause_polls(dut->fake, LOOPDMA_FAKE_NEVER);
	KUNIT_EXPECT_EQ(test, -ETIMEDOUT, dmaengine_pause(chan));
	ldk_expect_status(x, DMA_IN_PROGRESS);
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_resume(chan));
	ldk_unhold(chan);
	ldk_expect_copied(x, 1);
	loopdma_fake_pause_polls(dut->fake, 0);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_pause(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_resume(chan));
}

static u32 tells_error(void *liar, bool chan, u32 reg, u32 val)
{
	if (chan && reg == LOOPDMA_CH_STATUS)
		return FIELD_PREP(LOOPDMA_CH_STATUS_STATE, LOOPDMA_STATE_ERROR);
	return val;
}

static const struct loopdma_fake_lies error_told = { .read = tells_error };

/*
 * Rule: as above, of a channel that pauses and says that it does not: nobody would
 * resume it.
 */
static void pauses_in_secret(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = start_held(dut, chan, 1);

	loopdma_fake_lie(dut->fake, &error_told, NULL);
	KUNIT_EXPECT_EQ(test, -EIO, dmaengine_pause(chan));
	loopdma_fake_lie(dut->fake, NULL, NULL);
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_resume(chan));
	ldk_unhold(chan);
	ldk_expect_copied(x, 1);
}

struct thaw {
	struct delayed_work work;
	struct loopdma_fake *fake;
};

static void thaw(struct work_struct *work)
{
	struct thaw *t = container_of(to_delayed_work(work), struct thaw, work);

	loopdma_fake_freeze(t->fake, false);
}

/*
 * Rule: when synchronize returns the device does not touch memory of what was
 * terminated (client.rst), however long it takes to acknowledge the abort.
 */
static void aborts_slowly(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = start_held(dut, chan, 1);
	struct thaw t = { .fake = dut->fake };

	INIT_DELAYED_WORK_ONSTACK(&t.work, thaw);
	loopdma_fake_freeze(dut->fake, true);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	schedule_delayed_work(&t.work, HZ / 10);
	dmaengine_synchronize(chan);
	KUNIT_EXPECT_FALSE(test, to_loopdma_chan(chan)->abort.pending);
	flush_delayed_work(&t.work);
	destroy_delayed_work_on_stack(&t.work);
	ldk_expect_unaffected(x, 1);
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
}

static void hook_next_is_done(struct ldk_xfer *x)
{
	ldk_unhold(x->chan);
	loopdma_fake_run(x->dut->fake);
}

/*
 * Rule: what ends between the last look of the driver and its arming the device
 * causes no interrupt, but is found all the same (hardware.rst, arm).
 */
static void ended_before_armed(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = start_held(dut, chan, 2);

	x[0].hook = hook_next_is_done;
	ldk_step(chan, 1);
	ldk_expect_copied(x, 2);
	KUNIT_EXPECT_EQ(test, 0, (int)ldk_lost_irqs(chan));
}

/*
 * Rule: a channel that stopped because it could not read its descriptors is
 * restarted; its clients are told (hardware.rst, FETCH).
 */
static void fetch_error(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct ldk_xfer *x = start_held(dut, chan, 3);

	dut->trouble = true;
	loopdma_fake_bad_range(dut->fake, lc->ring.dma + LOOPDMA_DESC_SIZE,
			       LOOPDMA_DESC_SIZE);
	ldk_unhold(chan);
	ldk_expect_copied(x, 1);
	ldk_expect_aborted(&x[1], 2);
	KUNIT_EXPECT_EQ(test, 1, (int)ldk_recoveries(chan));
	loopdma_fake_bad_range(dut->fake, 0, 0);
	ldk_copy_ok(dut, chan, LEN);
}

/*
 * Rule: as above, for a completion record that cannot be written; what the
 * descriptor says was done was done (hardware.rst, WRITEBACK).
 */
static void writeback_error(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct ldk_xfer *x = start_held(dut, chan, 2);

	dut->trouble = true;
	loopdma_fake_bad_range(dut->fake, lc->comp_dma, LOOPDMA_COMP_SIZE);
	ldk_unhold(chan);
	ldk_expect_copied(x, 1);
	ldk_expect_aborted(&x[1], 1);
	KUNIT_EXPECT_EQ(test, 1, (int)ldk_recoveries(chan));
	loopdma_fake_bad_range(dut->fake, 0, 0);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: an error of the channel ends when the driver says so, not before. */
static void event_without_reason(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_dev *ld = dut->ld;

	ld->ops->write(ld, LOOPDMA_RAISE, ld->lim.channels);
	ldk_round_trip(dut);
	ldk_copy_ok(dut, chan, LEN);
	KUNIT_EXPECT_EQ(test, 0, (int)ldk_recoveries(chan));
}

/*
 * Rule: an event is taken back also while the device is being removed, or the
 * line of INTx stays up and the handler never ends (hardware.rst, INTx).
 */
static void event_during_removal(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_dev *ld = dut->ld;

	dut->trouble = true;
	WRITE_ONCE(ld->state, LOOPDMA_DEV_GONE);
	loopdma_hw_write(lc, LOOPDMA_CH_DOORBELL, U32_MAX);
	KUNIT_EXPECT_TRUE(test, ldk_poll(loopdma_fake_state(dut->fake,
							    lc->index) ==
					 LOOPDMA_STATE_ERROR));
	loopdma_irq_event(ld);
	KUNIT_EXPECT_EQ(test, 0, ld->ops->read(ld, LOOPDMA_EVENT));
	KUNIT_EXPECT_EQ(test, 0, (int)ldk_recoveries(chan));
}

struct removal {
	struct work_struct work;
	struct loopdma_dev *ld;
};

static void removal_work(struct work_struct *work)
{
	loopdma_shutdown(container_of(work, struct removal, work)->ld);
}

/*
 * Rule: after terminate_sync the memory is the client's again (client.rst);
 * also while the device is removed, and a channel takes its time to stop.
 */
static void terminate_during_removal(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct removal removal = { .ld = dut->ld };

	start_held(dut, chan, 2);
	loopdma_fake_stop_polls(dut->fake, 50);
	INIT_WORK_ONSTACK(&removal.work, removal_work);
	schedule_work(&removal.work);
	/* It may have stopped, if this CPU had to wait for its turn. */
	KUNIT_EXPECT_TRUE(test, ldk_poll(loopdma_fake_state(dut->fake,
							    lc->index) !=
					 LOOPDMA_STATE_RUNNING));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	KUNIT_EXPECT_EQ(test, LOOPDMA_STATE_DISABLED,
			loopdma_fake_state(dut->fake, lc->index));
	flush_work(&removal.work);
	destroy_work_on_stack(&removal.work);
}

/*
 * Rule: a device that its driver leaves is left for good, also if it is found only then
 * not to answer, or somebody has just begun to reset it.
 */
static void disconnected_during_removal(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = start_held(dut, chan, 2);

	dut->trouble = true;
	loopdma_fake_unplug(dut->fake);
	ldk_stop_all(dut);
	KUNIT_EXPECT_EQ(test, LOOPDMA_DEV_GONE, loopdma_dev_state(dut->ld));
	ldk_halt(dut);
	KUNIT_EXPECT_EQ(test, LOOPDMA_DEV_GONE, loopdma_dev_state(dut->ld));
	ldk_unhalt(dut);
	KUNIT_EXPECT_EQ(test, LOOPDMA_DEV_GONE, loopdma_dev_state(dut->ld));
	ldk_remove(dut);
	ldk_expect_aborted(x, 2);
	KUNIT_EXPECT_NULL(test, ldk_prep(x, LDK_FLAGS));
}

/*
 * Rule: a transfer that fails in the middle of a page stops at the first byte
 * that cannot be accessed, and the residue says which (hardware.rst, READ).
 */
static void partly_inaccessible(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct ldk_buf *src = ldk_src(dut, LEN), *dst = ldk_dst(dut, LEN);
	struct dma_chan *chan = ldk_request(dut);

	loopdma_fake_bad_range(dut->fake, src->dma + 100, 1);
	ldk_do_failed(dut, ldk_prep_copy(chan, dst, src), DMA_TRANS_READ_FAILED, LEN - 100);
	ldk_expect_moved_part(dut, dst, src, 100);

	loopdma_fake_bad_range(dut->fake, dst->dma + 200, LEN);
	ldk_do_failed(dut, ldk_prep_copy(chan, dst, src), DMA_TRANS_WRITE_FAILED, LEN - 200);
	ldk_expect_moved_part(dut, dst, src, 200);
}

struct garbage {
	const char *name;
	u32 status;
	u32 residue;
	enum dmaengine_tx_result result;
	u32 want;
};

static const struct garbage garbage[] = {
	{ "unknown status", 0x55, 0, DMA_TRANS_ABORTED, 0 },
	{ "high bits", 0xffffff01, LEN, DMA_TRANS_ABORTED, LEN },
	{ "residue above the length", LOOPDMA_ST_READ, LEN + 1,
	  DMA_TRANS_READ_FAILED, LEN },
	{ "huge residue", LOOPDMA_ST_WRITE, U32_MAX,
	  DMA_TRANS_WRITE_FAILED, LEN },
};

KUNIT_ARRAY_PARAM_DESC(garbage, garbage, name);

/* Rule: what the device wrote is checked before it is used or passed on. */
static void garbled_outcome(struct kunit *test)
{
	const struct garbage *g = test->param_value;
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, LEN);

	loopdma_fake_garble(dut->fake, ldk_index(chan), g->status, g->residue);
	ldk_do_failed(dut, ldk_prep(x, LDK_FLAGS), g->result, g->want);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: a transfer that succeeded has no residue, whatever was written. */
static void garbled_success(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);

	loopdma_fake_garble(dut->fake, ldk_index(chan), LOOPDMA_ST_OK, 17);
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: retired without an outcome is not retired; the channel is restarted. */
static void retired_without_outcome(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = ldk_copies(dut, chan, 1, LEN);

	dut->trouble = true;
	loopdma_fake_garble(dut->fake, ldk_index(chan), LOOPDMA_ST_PENDING, 0);
	ldk_start_copy(x);
	KUNIT_ASSERT_TRUE(test, ldk_wait(x));
	KUNIT_EXPECT_EQ(test, (int)DMA_TRANS_ABORTED, (int)x->result.result);
	KUNIT_EXPECT_EQ(test, 1, (int)ldk_recoveries(chan));
	ldk_copy_ok(dut, chan, LEN);
}

/* Of an idle channel, on both sides; returns what they were. */
static u32 set_counts(struct ldk_dut *dut, struct loopdma_chan *lc, u32 count)
{
	u32 before;

	spin_lock_irq(&lc->lock);
	before = lc->ring.tail;
	lc->ring.head = count;
	lc->ring.rung = count;
	lc->ring.tail = count;
	loopdma_fake_set_counts(dut->fake, lc->index, count);
	spin_unlock_irq(&lc->lock);
	return before;
}

/*
 * Rule: counts run freely through 2^32 (hardware.rst).  Getting there takes
 * four thousand million descriptors; both sides are put close to it instead.
 */
static void counts_wrap(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request_ring(dut, 3);
	struct ldk_buf *src = ldk_src(dut, LEN), *dst = ldk_dst(dut, LEN);
	struct ldk_xfer *x;
	u32 start, i;
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	start = 0U - 2 * lc->ring.size;
	set_counts(dut, lc, start);

	x = ldk_xfers(dut, chan, 40);
	for (i = 0; i < 40; i++)
		ldk_submit_copy(&x[i], dst, src);
	dma_async_issue_pending(chan);
	for (i = 0; i < 40; i++) {
		ldk_finish(&x[i]);
		KUNIT_EXPECT_EQ(test, i + 1, x[i].stamp);
	}
	KUNIT_EXPECT_EQ(test, start + 40, set_counts(dut, lc, start));

	/* Around the wrap also for an abort. */
	ldk_hold(chan);
	for (i = 0; i < 40; i++)
		ldk_xfer_again(&x[i]);
	for (i = 0; i < 40; i++)
		ldk_submit_copy(&x[i], dst, src);
	dma_async_issue_pending(chan);
	ldk_step(chan, 12);
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[11]));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, LEN);
	for (i = 0; i < 40; i++)
		KUNIT_EXPECT_EQ(test, i < 12, x[i].calls);
}

/*
 * Rule: a device that is gone from the bus reads as all ones; nothing may wait
 * for it for ever, and all can be released (pci.rst, surprise removal).
 */
static void unplugged(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct ldk_xfer *x = start_held(dut, chan, 2);

	dut->trouble = true;
	loopdma_fake_unplug(dut->fake);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_expect_unaffected(x, 2);
	KUNIT_EXPECT_NULL(test, ldk_try_request(dut, DMA_MEMCPY, -1));
	ldk_remove(dut);
	ldk_expect_unaffected(x, 2);
}

/*
 * Rule: a channel that fails and does not come back refuses work and has told
 * its clients; the rest of the device works.
 */
static void dead_channel(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut), *other = ldk_request(dut);
	struct ldk_xfer *x;

	dut->trouble = true;
	x = start_held(dut, chan, 3);
	loopdma_fake_refuse_enable(dut->fake, ldk_index(chan), true);
	ldk_lie(chan, 1000);
	ldk_step(chan, 1);
	ldk_expect_copied(x, 1);
	ldk_expect_aborted(&x[1], 2);
	KUNIT_EXPECT_TRUE(test, ldk_poll(!ldk_prep(x, LDK_FLAGS)));
	KUNIT_EXPECT_EQ(test, -EIO, dmaengine_pause(chan));
	KUNIT_EXPECT_EQ(test, -EIO, dmaengine_resume(chan));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	ldk_copy_ok(dut, other, LEN);

	/* The next client finds a channel that works again. */
	loopdma_fake_refuse_enable(dut->fake, ldk_index(chan), false);
	ldk_release(dut, chan);
	ldk_request_again(dut, chan);
	ldk_copy_ok(dut, chan, LEN);
}

static void set_periph(struct ldk_dut *dut, struct dma_chan *chan,
		       struct loopdma_peripheral_config periph)
{
	struct dma_slave_config config = {
		.peripheral_config = &periph,
		.peripheral_size = sizeof(periph),
	};

	KUNIT_ASSERT_EQ(dut->test, 0, dmaengine_slave_config(chan, &config));
}

/*
 * Rule: a channel of a higher class is served first (hardware.rst, "Priority").
 * The low one has less to do and begins first, so that in turn it would be through
 * first; and the last that it copies is the last that the high one has copied.
 */
static void served_by_class(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct ldk_buf *src = ldk_src(dut, LEN), *mid = ldk_dst(dut, LEN);
	struct ldk_buf *dst = ldk_dst(dut, LEN), *other = ldk_dst(dut, LEN);
	struct dma_chan *low = ldk_request(dut), *high = ldk_request(dut);
	struct ldk_xfer *l = ldk_xfers(dut, low, 3);
	struct ldk_xfer *h = ldk_xfers(dut, high, 9);
	unsigned int i;

	set_periph(dut, low, (struct loopdma_peripheral_config) {
		.priority = 1,
	});
	set_periph(dut, high, (struct loopdma_peripheral_config) {
		.priority = 2,
	});
	loopdma_fake_freeze(dut->fake, true);
	for (i = 0; i < 3; i++)
		ldk_start(&l[i], ldk_prep_copy(low, i == 2 ? dst : other, mid));
	for (i = 0; i < 9; i++)
		ldk_start(&h[i], ldk_prep_copy(high, i == 8 ? mid : other, src));
	loopdma_fake_freeze(dut->fake, false);
	ldk_finish(&h[8]);
	ldk_finish(&l[2]);
	ldk_expect_moved(dut, dst, src);
}

/* Rule: a channel that was restarted is for its client what it was before. */
static void restarted_as_configured(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	dut->trouble = true;
	set_periph(dut, chan, (struct loopdma_peripheral_config) {
		.pattern = true, .seed = 0xab, .rate = 123456, .priority = 1,
	});
	/* Somebody resets the channel, and then the driver notices. */
	loopdma_hw_write(lc, LOOPDMA_CH_CONTROL, LOOPDMA_CH_CONTROL_RESET);
	WRITE_ONCE(lc->comp->done, cpu_to_le32(1000));
	dmaengine_tx_status(chan, DMA_MIN_COOKIE, NULL);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_recoveries(chan) == 1));
	ldk_copy_ok(dut, chan, LEN);
	KUNIT_EXPECT_EQ(test, 0xab01, loopdma_hw_read(lc, LOOPDMA_CH_PERIPH));
	KUNIT_EXPECT_EQ(test, 123456, loopdma_hw_read(lc, LOOPDMA_CH_RATE));
	KUNIT_EXPECT_EQ(test, 1, loopdma_hw_read(lc, LOOPDMA_CH_PRIORITY));
}

/* Rule: the address of the channel's own data register may be given. */
static void address_of_peripheral(struct kunit *test)
{
	const phys_addr_t regs = 0x7f000000;
	struct ldk_dut *dut = ldk_fake(test);
	struct dma_chan *chan = ldk_request(dut);
	struct dma_slave_config config = {
		.src_addr = regs + LOOPDMA_CH(ldk_index(chan),
					      LOOPDMA_CH_FIFO_DATA),
	};

	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_slave_config(chan, &config));
	dut->ld->regs = regs;
	KUNIT_EXPECT_EQ(test, 0, dmaengine_slave_config(chan, &config));
	config.dst_addr = config.src_addr;
	KUNIT_EXPECT_EQ(test, 0, dmaengine_slave_config(chan, &config));
	config.dst_addr += LOOPDMA_CH_STRIDE;
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_slave_config(chan, &config));
}

static struct kunit_case hw_cases[] = {
	KUNIT_CASE_PARAM(probe, variants_gen_params),
	KUNIT_CASE(caps_match_registers),
	KUNIT_CASE(ring_within_limits),
	KUNIT_CASE(no_loopback),
	KUNIT_CASE(odd_channels),
	KUNIT_CASE(no_test_controls),
	KUNIT_CASE(enable_refused),
	KUNIT_CASE(stops_slowly),
	KUNIT_CASE_SLOW(never_stops),
	KUNIT_CASE_SLOW(stops_by_reset),
	KUNIT_CASE(pauses_slowly),
	KUNIT_CASE(pauses_with_interrupts),
	KUNIT_CASE(progress_by_halves),
	KUNIT_CASE(never_pauses),
	KUNIT_CASE(pauses_in_secret),
	KUNIT_CASE(aborts_slowly),
	KUNIT_CASE(ended_before_armed),
	KUNIT_CASE(fetch_error),
	KUNIT_CASE(writeback_error),
	KUNIT_CASE(event_without_reason),
	KUNIT_CASE(event_during_removal),
	KUNIT_CASE(terminate_during_removal),
	KUNIT_CASE(disconnected_during_removal),
	KUNIT_CASE(partly_inaccessible),
	KUNIT_CASE_PARAM(garbled_outcome, garbage_gen_params),
	KUNIT_CASE(garbled_success),
	KUNIT_CASE(retired_without_outcome),
	KUNIT_CASE(counts_wrap),
	KUNIT_CASE_SLOW(unplugged),
	KUNIT_CASE(dead_channel),
	KUNIT_CASE(served_by_class),
	KUNIT_CASE(restarted_as_configured),
	KUNIT_CASE(address_of_peripheral),
	{ }
};

static struct kunit_suite hw_suite = {
	.name = "loopdma_hw",
	.exit = ldk_exit,
	.test_cases = hw_cases,
};

kunit_test_suite(hw_suite);
