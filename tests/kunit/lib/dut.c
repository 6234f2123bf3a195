// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the device under test.
 *
 * Finds or makes the device, keeps account of what a case holds, and checks at
 * the end that the case leaves the device as it found it.
 */
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/pci.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <kunit/resource.h>

#include "loopdma.h"
#include "dut.h"

/* Of a simulated device: what they have in common, and a number. */
#define LDK_NAME_LEN	32

static char *dut_mode = "auto";
module_param_named(dut, dut_mode, charp, 0444);
MODULE_PARM_DESC(dut,
		 "Device under test: fake, live, or auto (default): live if there is one");

static unsigned int timeout_scale = 1;
module_param(timeout_scale, uint, 0644);
MODULE_PARM_DESC(timeout_scale,
		 "Factor for all time limits, for slow machines (default 1)");

static unsigned int seed;
module_param(seed, uint, 0644);
MODULE_PARM_DESC(seed, "Seed of the data patterns (default 0: random)");

static unsigned int rounds = 10;
module_param(rounds, uint, 0644);
MODULE_PARM_DESC(rounds,
		 "How often cases do that look for races (default 10)");

/* --- The device ------------------------------------------------------------- */

/**
 * ldk_timeout() - how long to wait for what must happen
 *
 * Return: jiffies.
 */
unsigned long ldk_timeout(void)
{
	return 10 * HZ * max(timeout_scale, 1U);
}

/**
 * ldk_rounds() - how often to try what may go wrong only now and then
 *
 * Return: number, at least 1.
 */
unsigned int ldk_rounds(void)
{
	return max(rounds, 1U);
}

static bool ldk_is_live(struct dma_chan *chan, void *param)
{
	struct device *dev = chan->device->dev;

	return dev_is_pci(dev) && !strcmp(dev_driver_string(dev), "loopdma");
}

/* A channel is how to find a provider by public means. */
static struct loopdma_dev *ldk_find_live(void)
{
	struct loopdma_dev *ld;
	struct dma_chan *chan;
	dma_cap_mask_t mask;

	dma_cap_zero(mask);
	dma_cap_set(DMA_MEMCPY, mask);
	chan = dma_request_channel(mask, ldk_is_live, NULL);
	if (!chan)
		return NULL;
	ld = to_loopdma_chan(chan)->ld;
	dma_release_channel(chan);
	return ld;
}

/**
 * ldk_setup_fake() - have the driver set a simulated device up
 * @fake: device
 *
 * What pci.c does from loopdma_create() to loopdma_register().
 *
 * Return: the driver instance, or the driver's error.
 */
struct loopdma_dev *ldk_setup_fake(struct loopdma_fake *fake)
{
	struct device *dev = loopdma_fake_device(fake);
	u32 i;
	int err;
	struct loopdma_dev *ld = loopdma_create(dev, &loopdma_fake_ops, fake);

	if (IS_ERR(ld))
		return ld;

	err = dma_set_mask_and_coherent(dev, DMA_BIT_MASK(ld->lim.addr_bits));
	if (err)
		goto err_destroy;
	dma_set_max_seg_size(dev, ld->lim.max_len);
	for (i = 0; i < ld->lim.channels; i++)
		ld->chan[i].vector = i;
	loopdma_fake_attach(fake, ld);
	ld->event_vector = ld->lim.channels;
	ld->ops->write(ld, LOOPDMA_EVENT_VECTOR, ld->event_vector);
	err = loopdma_register(ld);
	if (err)
		goto err_detach;
	return ld;

err_detach:
	loopdma_fake_detach(fake);
err_destroy:
	loopdma_destroy(ld);
	return ERR_PTR(err);
}

static void ldk_stats(struct ldk_dut *dut, u64 *lost_irqs, u64 *recoveries)
{
	u32 i;

	*lost_irqs = 0;
	*recoveries = 0;
	for (i = 0; i < dut->ld->lim.channels; i++) {
		*lost_irqs += ldk_lost_irqs(&dut->ld->chan[i].chan);
		*recoveries += ldk_recoveries(&dut->ld->chan[i].chan);
	}
}

static struct ldk_dut *ldk_open(struct kunit *test, struct loopdma_dev *ld,
				struct loopdma_fake *fake)
{
	struct ldk_dut *dut = ldk_alloc(test, sizeof(*dut));

	dut->test = test;
	dut->ld = ld;
	dut->dev = ld->dev;
	dut->fake = fake;
	dut->ring_order = ld->ring_order;
	dut->seed = seed ?: get_random_u32();
	ldk_stats(dut, &dut->lost_irqs, &dut->recoveries);
	dut->next = test->priv;
	test->priv = dut;
	return dut;
}

/* A case may have several: each has a name of its own. */
static struct loopdma_fake *ldk_make_fake(struct kunit *test,
					  const struct loopdma_fake_config *cfg)
{
	static atomic_t made = ATOMIC_INIT(0);
	char *name = ldk_alloc(test, LDK_NAME_LEN);

	snprintf(name, LDK_NAME_LEN, "loopdma-fake%d", atomic_inc_return(&made));
	return loopdma_fake_create(test, name, cfg);
}

/**
 * ldk_create_fake() - a simulated device, set up and registered
 * @test: case; the device goes with it
 * @cfg: what it is
 *
 * Return: the device; the case is aborted if it cannot be set up.
 */
struct ldk_dut *ldk_create_fake(struct kunit *test,
				const struct loopdma_fake_config *cfg)
{
	struct loopdma_fake *fake = ldk_make_fake(test, cfg);
	struct loopdma_dev *ld = ldk_setup_fake(fake);

	KUNIT_ASSERT_FALSE(test, IS_ERR(ld));
	return ldk_open(test, ld, fake);
}

/**
 * ldk_fake() - a simulated device that is as usual
 * @test: case; the device goes with it
 *
 * Return: the device.
 */
struct ldk_dut *ldk_fake(struct kunit *test)
{
	return ldk_create_fake(test, &loopdma_fake_default);
}

/**
 * ldk_fake_without() - a simulated device that can do less
 * @test: case; the device goes with it
 * @caps: LOOPDMA_CAPS_* that it does not have
 *
 * Return: the device.
 */
struct ldk_dut *ldk_fake_without(struct kunit *test, u32 caps)
{
	struct loopdma_fake_config cfg = loopdma_fake_default;

	cfg.caps &= ~caps;
	return ldk_create_fake(test, &cfg);
}

/**
 * ldk_fake_pieces() - a simulated device whose descriptors move little
 * @test: case; the device goes with it
 * @max_len: bytes that one moves
 *
 * Return: the device.
 */
struct ldk_dut *ldk_fake_pieces(struct kunit *test, u32 max_len)
{
	struct loopdma_fake_config cfg = loopdma_fake_default;

	cfg.max_len = max_len;
	return ldk_create_fake(test, &cfg);
}

/**
 * ldk_unordered_config() - what a simulated device is that has no order
 * @max_len: bytes that a descriptor moves
 *
 * Return: the configuration.
 */
struct loopdma_fake_config ldk_unordered_config(u32 max_len)
{
	struct loopdma_fake_config cfg = loopdma_fake_default;

	cfg.caps &= ~(LOOPDMA_CAPS_LOOPBACK | LOOPDMA_CAPS_PERIPH |
		      LOOPDMA_CAPS_METADATA);
	cfg.caps |= LOOPDMA_CAPS_UNORDERED;
	cfg.max_len = max_len;
	return cfg;
}

/**
 * ldk_fake_unordered() - a simulated device that ends transactions in any order
 * @test: case; the device goes with it
 * @max_len: bytes that a descriptor moves
 *
 * Return: the device.
 */
struct ldk_dut *ldk_fake_unordered(struct kunit *test, u32 max_len)
{
	struct loopdma_fake_config cfg = ldk_unordered_config(max_len);

	return ldk_create_fake(test, &cfg);
}

/**
 * ldk_probe_fake() - would the driver accept this device?
 * @test: case
 * @cfg: what the device says it is
 *
 * Return: 0 if it would, or its error.
 */
int ldk_probe_fake(struct kunit *test, const struct loopdma_fake_config *cfg)
{
	struct loopdma_fake *fake = ldk_make_fake(test, cfg);
	struct loopdma_dev *ld = ldk_setup_fake(fake);

	if (IS_ERR(ld))
		return PTR_ERR(ld);
	ldk_remove(ldk_open(test, ld, fake));
	return 0;
}

/**
 * ldk_init() - of the contract suites
 * @test: case; its priv is the device under test
 *
 * Return: 0; the case is aborted if there is no device to test.
 */
int ldk_init(struct kunit *test)
{
	u32 caps = LOOPDMA_CAPS_TESTCTL | LOOPDMA_CAPS_COUNTERS;
	struct loopdma_dev *ld = NULL;

	if (strcmp(dut_mode, "fake"))
		ld = ldk_find_live();
	if (!ld && !strcmp(dut_mode, "live")) {
		kunit_err(test, "no PCI device is bound to loopdma\n");
		return -ENODEV;
	}
	if (!ld) {
		ldk_fake(test);
		return 0;
	}
	if (~ld->lim.caps & caps) {
		kunit_err(test, "the device has no test controls\n");
		return -ENODEV;
	}
	ldk_open(test, ld, NULL);
	return 0;
}

/**
 * ldk_teardown_fake() - have the driver let a simulated device go, as pci.c does
 * @fake: device
 * @ld: driver instance, which lives on only as long as a channel is held
 */
void ldk_teardown_fake(struct loopdma_fake *fake, struct loopdma_dev *ld)
{
	loopdma_shutdown(ld);
	loopdma_fake_detach(fake);
	loopdma_unregister(ld);
}

/**
 * ldk_remove() - take a simulated device away
 * @dut: device
 */
void ldk_remove(struct ldk_dut *dut)
{
	ldk_teardown_fake(dut->fake, dut->ld);
	dut->gone = true;
}

/**
 * ldk_stop_all() - the first half of taking a simulated device away
 * @dut: device; the second half follows at the end of the case
 */
void ldk_stop_all(struct ldk_dut *dut)
{
	loopdma_shutdown(dut->ld);
}

/**
 * ldk_patience() - how soon the driver is to lose patience
 * @dut: device; all others feel it, too, until the end of the case
 * @watchdog_ms: period of the watchdog
 * @stuck_ms: time without progress; 0: never
 */
void ldk_patience(struct ldk_dut *dut, u32 watchdog_ms, u32 stuck_ms)
{
	if (!dut->impatient) {
		dut->watchdog_ms = loopdma_watchdog_ms;
		dut->stuck_ms = loopdma_stuck_ms;
		dut->impatient = true;
	}
	WRITE_ONCE(loopdma_watchdog_ms, watchdog_ms);
	WRITE_ONCE(loopdma_stuck_ms, stuck_ms);
}

/**
 * ldk_reset() - reset the function behind the driver's back
 * @dut: device
 *
 * Return: 0, or the error of the PCI core.
 */
int ldk_reset(struct ldk_dut *dut)
{
	if (!dut->fake)
		return pci_reset_function(to_pci_dev(dut->dev));
	loopdma_fake_reset(dut->fake);
	return 0;
}

/**
 * ldk_halt() - what comes before a reset
 * @dut: device
 */
void ldk_halt(struct ldk_dut *dut)
{
	loopdma_reset_prepare(dut->ld);
}

/**
 * ldk_freeze_bus() - what comes before the recovery of the bus from an error
 * @dut: device
 */
void ldk_freeze_bus(struct ldk_dut *dut)
{
	loopdma_error_frozen(dut->ld);
}

/**
 * ldk_unhalt() - what comes behind it
 * @dut: device
 */
void ldk_unhalt(struct ldk_dut *dut)
{
	loopdma_reset_done(dut->ld);
}

/**
 * ldk_touch_controls() - do as the files of the test controls do, but for the register
 * @dut: device
 *
 * Return: what their user gets.
 */
int ldk_touch_controls(struct ldk_dut *dut)
{
	int err = loopdma_control_begin(dut->ld);

	if (!err)
		loopdma_control_end(dut->ld);
	return err;
}

/**
 * ldk_settle() - let the driver look after the device, if it wants to
 * @dut: device
 */
void ldk_settle(struct ldk_dut *dut)
{
	flush_delayed_work(&dut->ld->work);
}

/**
 * ldk_suspend() - the system goes to sleep, and the device with it
 * @dut: device
 */
void ldk_suspend(struct ldk_dut *dut)
{
	const struct dev_pm_ops *pm = dut->dev->driver->pm;

	/* A kernel that does not sleep has no use for the callbacks. */
	if (dut->fake || !pm || !pm->suspend_late)
		loopdma_suspend(dut->ld);
	else
		KUNIT_ASSERT_EQ(dut->test, 0, pm->suspend_late(dut->dev));
}

static void ldk_power_cycle(struct ldk_dut *dut)
{
	struct pci_dev *pdev;

	if (dut->fake) {
		loopdma_fake_power_cycle(dut->fake);
		return;
	}
	/* What the PCI core restores before it calls the driver. */
	pdev = to_pci_dev(dut->dev);
	pci_save_state(pdev);
	KUNIT_EXPECT_EQ(dut->test, 0, pcie_flr(pdev));
	pci_restore_state(pdev);
	pci_save_state(pdev);
}

/**
 * ldk_resume() - it wakes up
 * @dut: device
 * @lost: the device has had no power meanwhile
 */
void ldk_resume(struct ldk_dut *dut, bool lost)
{
	const struct dev_pm_ops *pm = dut->dev->driver->pm;

	if (lost)
		ldk_power_cycle(dut);
	if (dut->fake || !pm || !pm->resume_early)
		loopdma_resume(dut->ld, true);
	else
		KUNIT_ASSERT_EQ(dut->test, 0, pm->resume_early(dut->dev));
}

/**
 * ldk_restore() - the system wakes up from hibernation
 * @dut: device, as another kernel has left it
 */
void ldk_restore(struct ldk_dut *dut)
{
	const struct dev_pm_ops *pm = dut->dev->driver->pm;

	if (dut->fake || !pm || !pm->restore_early)
		loopdma_resume(dut->ld, false);
	else
		KUNIT_ASSERT_EQ(dut->test, 0, pm->restore_early(dut->dev));
}

static void ldk_bind_anew(void *data)
{
	struct device *dev = data;

	device_release_driver(dev);
	if (device_attach(dev) != 1)
		pr_err("%s is not bound any more\n", dev_name(dev));
}

/**
 * ldk_reboot() - the PCI device is going to be shut down
 * @dut: device; the case is skipped if it is a simulated one
 *
 * Called before memory is mapped: when that is unmapped again, at the end of the
 * case, the device is bound anew, for the next one.
 */
void ldk_reboot(struct ldk_dut *dut)
{
	if (dut->fake)
		kunit_skip(dut->test, "only a PCI driver is told of a reboot");
	dut->gone = true;
	KUNIT_ASSERT_EQ(dut->test, 0, kunit_add_action_or_reset(dut->test,
								ldk_bind_anew,
								dut->dev));
}

/**
 * ldk_shutdown() - shut the PCI device down, as the kernel does before it ends
 * @dut: device, after ldk_reboot()
 *
 * Return: whether it may still reach memory.
 */
bool ldk_shutdown(struct ldk_dut *dut)
{
	struct pci_dev *pdev = to_pci_dev(dut->dev);
	u16 command;

	to_pci_driver(dut->dev->driver)->shutdown(pdev);
	pci_read_config_word(pdev, PCI_COMMAND, &command);
	return command & PCI_COMMAND_MASTER;
}

static void ldk_close(struct ldk_dut *dut)
{
	struct kunit *test = dut->test;
	u64 lost_irqs, recoveries;
	u32 i;

	while (dut->nheld)
		ldk_release(dut, dut->held[dut->nheld - 1]);
	if (dut->impatient) {
		WRITE_ONCE(loopdma_watchdog_ms, dut->watchdog_ms);
		WRITE_ONCE(loopdma_stuck_ms, dut->stuck_ms);
	}
	if (dut->gone)
		return;

	for (i = 0; i < dut->ld->lim.channels; i++) {
		KUNIT_EXPECT_EQ(test, 0, dut->ld->chan[i].chan.client_count);
		/* What is counted when it is issued is counted when it ends. */
		KUNIT_EXPECT_EQ(test, 0ULL, dut->ld->chan[i].stats.depth);
	}
	ldk_set_ring_order(dut, dut->ring_order);
	ldk_stats(dut, &lost_irqs, &recoveries);
	if (!dut->trouble) {
		KUNIT_EXPECT_EQ_MSG(test, dut->lost_irqs, lost_irqs,
				    "an interrupt was lost");
		KUNIT_EXPECT_EQ_MSG(test, dut->recoveries, recoveries,
				    "a channel was restarted");
	}
	if (!dut->fake)
		return;
	ldk_remove(dut);
	if (!dut->trouble)
		KUNIT_EXPECT_EQ_MSG(test, 0,
				    loopdma_fake_guest_errors(dut->fake),
				    "the driver broke a rule of hardware.rst");
}

/**
 * ldk_exit() - of the contract suites
 * @test: case
 *
 * Runs before KUnit frees what the case has allocated, so channels are quiet
 * when memory that they were told of goes.
 */
void ldk_exit(struct kunit *test)
{
	struct ldk_dut *dut;

	for (dut = test->priv; dut; dut = dut->next) {
		ldk_close(dut);
		if (READ_ONCE(test->status) == KUNIT_FAILURE)
			kunit_info(test, "seed %u\n", dut->seed);
	}
}

/**
 * ldk_set_ring_order() - ring size for channels requested from now on
 * @dut: device; gets its own setting back at the end of the case
 * @order: log2 of the number of entries; what the device cannot do becomes the
 *	nearest that it can
 */
void ldk_set_ring_order(struct ldk_dut *dut, unsigned int order)
{
	const struct loopdma_limits *lim = &dut->ld->lim;

	WRITE_ONCE(dut->ld->ring_order,
		   clamp_t(unsigned int, order, lim->ring_min, lim->ring_max));
}

/**
 * ldk_channels() - number of channels
 * @dut: device
 *
 * Return: number.
 */
unsigned int ldk_channels(const struct ldk_dut *dut)
{
	return dut->ld->lim.channels;
}

/**
 * ldk_max_len() - bytes that one hardware descriptor moves
 * @dut: device
 *
 * Return: bytes, at the most.
 */
u32 ldk_max_len(const struct ldk_dut *dut)
{
	return dut->ld->lim.max_len;
}

/**
 * ldk_fifo_depth() - what a slave transmits before somebody receives
 * @dut: device
 *
 * Return: bytes.
 */
u32 ldk_fifo_depth(const struct ldk_dut *dut)
{
	return dut->ld->lim.fifo_depth;
}

/**
 * ldk_fifo_burst() - largest burst of any width
 * @dut: device
 *
 * Return: elements.
 */
u32 ldk_fifo_burst(const struct ldk_dut *dut)
{
	return dut->ld->lim.fifo_burst;
}

/* --- Channels ---------------------------------------------------------------- */

struct ldk_which {
	struct loopdma_dev *ld;
	int index;
};

static bool ldk_filter(struct dma_chan *chan, void *param)
{
	struct ldk_which *which = param;

	return chan->device == &which->ld->dma &&
	       (which->index < 0 || ldk_index(chan) == which->index);
}

/**
 * ldk_index() - number of the hardware channel
 * @chan: channel
 *
 * Return: the number.
 */
unsigned int ldk_index(struct dma_chan *chan)
{
	return to_loopdma_chan(chan)->index;
}

/**
 * ldk_try_request() - request a channel of the device
 * @dut: device
 * @cap: capability it shall have
 * @index: number of the channel, or -1
 *
 * Return: the channel, released at the end of the case at the latest; or NULL.
 */
struct dma_chan *ldk_try_request(struct ldk_dut *dut,
				 enum dma_transaction_type cap, int index)
{
	struct ldk_which which = { .ld = dut->ld, .index = index };
	struct dma_chan *chan;
	dma_cap_mask_t mask;

	dma_cap_zero(mask);
	dma_cap_set(cap, mask);
	chan = dma_request_channel(mask, ldk_filter, &which);
	if (chan)
		dut->held[dut->nheld++] = chan;
	return chan;
}

/**
 * ldk_request() - request any channel that copies
 * @dut: device
 *
 * Return: the channel; the case is aborted if there is none.
 */
struct dma_chan *ldk_request(struct ldk_dut *dut)
{
	struct dma_chan *chan = ldk_try_request(dut, DMA_MEMCPY, -1);

	KUNIT_ASSERT_NOT_NULL(dut->test, chan);
	return chan;
}

/**
 * ldk_request_ring() - request any channel that copies, with a ring of this size
 * @dut: device; all channels requested later have such a ring
 * @order: see ldk_set_ring_order()
 *
 * Return: the channel; the case is aborted if there is none.
 */
struct dma_chan *ldk_request_ring(struct ldk_dut *dut, unsigned int order)
{
	ldk_set_ring_order(dut, order);
	return ldk_request(dut);
}

/**
 * ldk_request_index() - request this very channel
 * @dut: device
 * @index: its number
 *
 * Return: the channel; the case is aborted if it cannot be had.
 */
struct dma_chan *ldk_request_index(struct ldk_dut *dut, unsigned int index)
{
	struct dma_chan *chan = ldk_try_request(dut, DMA_MEMCPY, index);

	KUNIT_ASSERT_NOT_NULL(dut->test, chan);
	return chan;
}

/**
 * ldk_request_again() - request a channel that was released
 * @dut: device
 * @chan: channel; the case is aborted if it cannot be had
 */
void ldk_request_again(struct ldk_dut *dut, struct dma_chan *chan)
{
	KUNIT_ASSERT_PTR_EQ(dut->test, chan,
			    ldk_request_index(dut, ldk_index(chan)));
}

/**
 * ldk_request_pair() - request two channels that are each other's peer
 * @dut: device
 * @tx: set to the first
 * @rx: set to the second
 *
 * Both are configured for elements of a byte, in bursts of one: anything goes.
 * The case is aborted if there are none.
 */
void ldk_request_pair(struct ldk_dut *dut, struct dma_chan **tx,
		      struct dma_chan **rx)
{
	int i = 0;

	for (*tx = NULL; !*tx && i < dut->ld->lim.channels; i += 2)
		*tx = ldk_try_request(dut, DMA_SLAVE, i);
	KUNIT_ASSERT_NOT_NULL(dut->test, *tx);
	*rx = ldk_try_request(dut, DMA_SLAVE, ldk_index(*tx) ^ 1);
	KUNIT_ASSERT_NOT_NULL(dut->test, *rx);
	ldk_config(dut, *tx, DMA_SLAVE_BUSWIDTH_1_BYTE, 1);
	ldk_config(dut, *rx, DMA_SLAVE_BUSWIDTH_1_BYTE, 1);
}

/**
 * ldk_config() - configure both directions of a channel
 * @dut: device
 * @chan: channel
 * @width: element width
 * @burst: elements
 */
void ldk_config(struct ldk_dut *dut, struct dma_chan *chan,
		enum dma_slave_buswidth width, u32 burst)
{
	struct dma_slave_config config = {
		.src_addr_width = width,
		.dst_addr_width = width,
		.src_maxburst = burst,
		.dst_maxburst = burst,
	};

	KUNIT_ASSERT_EQ(dut->test, 0, dmaengine_slave_config(chan, &config));
}

static void ldk_forget(struct ldk_dut *dut, struct dma_chan *chan)
{
	unsigned int i = 0;

	while (i < dut->nheld && dut->held[i] != chan)
		i++;
	if (i < dut->nheld)
		dut->held[i] = dut->held[--dut->nheld];
}

/**
 * ldk_drop() - release a channel as it is
 * @dut: device
 * @chan: channel
 */
void ldk_drop(struct ldk_dut *dut, struct dma_chan *chan)
{
	ldk_forget(dut, chan);
	dma_release_channel(chan);
}

/**
 * ldk_has_faults() - are there all controls that came with CAPS_FAULTS?
 * @dut: device
 *
 * A simulated one has those alone that the driver has to notice.
 *
 * Return: true if there are.
 */
bool ldk_has_faults(const struct ldk_dut *dut)
{
	return !dut->fake && (dut->ld->lim.caps & LOOPDMA_CAPS_FAULTS);
}

/**
 * ldk_is_unordered() - does the device end transactions in any order?
 * @dut: device
 *
 * Return: true if it does.
 */
bool ldk_is_unordered(const struct ldk_dut *dut)
{
	return loopdma_unordered(&dut->ld->lim);
}

static void ldk_no_faults(struct loopdma_chan *lc)
{
	loopdma_hw_write(lc, LOOPDMA_CH_TC_DELAY, 0);
	loopdma_hw_write(lc, LOOPDMA_CH_TC_REORDER, 0);
	loopdma_hw_write(lc, LOOPDMA_CH_TC_SPURIOUS, 0);
	loopdma_hw_write(lc, LOOPDMA_CH_TC_EARLY, 0);
	loopdma_hw_write(lc, LOOPDMA_CH_TC_ADDR_BITS, 0);
}

/**
 * ldk_release() - quiesce and release a channel
 * @dut: device
 * @chan: channel
 */
void ldk_release(struct ldk_dut *dut, struct dma_chan *chan)
{
	dmaengine_terminate_sync(chan);
	if (!dut->gone) {
		ldk_unhold(chan);
		ldk_fail(chan, 0, DMA_TRANS_NOERROR, 0);
		ldk_drop_irq(chan, 0);
		ldk_lie(chan, 0);
		if (dut->ld->lim.caps & LOOPDMA_CAPS_FAULTS)
			ldk_stuck(chan, LOOPDMA_STUCK_NOT);
		if (ldk_has_faults(dut))
			ldk_no_faults(to_loopdma_chan(chan));
	}
	ldk_drop(dut, chan);
}

/* --- Controls ----------------------------------------------------------------- */

static void ldk_write(struct dma_chan *chan, u32 reg, u32 val)
{
	loopdma_hw_write(to_loopdma_chan(chan), reg, val);
}

static u32 ldk_read(struct dma_chan *chan, u32 reg)
{
	return loopdma_hw_read(to_loopdma_chan(chan), reg);
}

/**
 * ldk_hold() - let the channel start no hardware descriptor
 * @chan: channel
 */
void ldk_hold(struct dma_chan *chan)
{
	ldk_write(chan, LOOPDMA_CH_TC_HOLD, 1);
}

/**
 * ldk_step() - let a held channel start some
 * @chan: channel
 * @n: how many more
 */
void ldk_step(struct dma_chan *chan, u32 n)
{
	ldk_write(chan, LOOPDMA_CH_TC_STEP, n);
}

/**
 * ldk_unhold() - let a held channel run
 * @chan: channel
 */
void ldk_unhold(struct dma_chan *chan)
{
	ldk_write(chan, LOOPDMA_CH_TC_HOLD, 0);
}

/**
 * ldk_fail() - let a hardware descriptor fail
 * @chan: channel
 * @after: 1 for the next that is started; 0 for none
 * @result: as what the client shall see it
 * @bytes: moved before it fails
 */
void ldk_fail(struct dma_chan *chan, u32 after, enum dmaengine_tx_result result,
	      u32 bytes)
{
	static const u32 status[] = {
		[DMA_TRANS_NOERROR]	 = LOOPDMA_ST_OK,
		[DMA_TRANS_READ_FAILED]	 = LOOPDMA_ST_READ,
		[DMA_TRANS_WRITE_FAILED] = LOOPDMA_ST_WRITE,
		[DMA_TRANS_ABORTED]	 = LOOPDMA_ST_OPCODE,
	};

	ldk_write(chan, LOOPDMA_CH_TC_FAIL_BYTES, bytes);
	ldk_write(chan, LOOPDMA_CH_TC_FAIL,
		  after ? after | status[result] << 16 : 0);
}

/**
 * ldk_drop_irq() - lose interrupts
 * @chan: channel
 * @n: how many
 */
void ldk_drop_irq(struct dma_chan *chan, u32 n)
{
	ldk_write(chan, LOOPDMA_CH_TC_DROP_IRQ, n);
}

/**
 * ldk_lie() - let the device tell once that it has done more than it has
 * @chan: channel
 * @n: how much, modulo 2^32
 */
void ldk_lie(struct dma_chan *chan, u32 n)
{
	ldk_write(chan, LOOPDMA_CH_TC_LIE, n);
}

/**
 * ldk_stuck() - let the channel do nothing
 * @chan: channel
 * @level: enum loopdma_hw_stuck, what it does not do any more
 */
void ldk_stuck(struct dma_chan *chan, u32 level)
{
	ldk_write(chan, LOOPDMA_CH_TC_STUCK, level);
}

/**
 * ldk_break() - let the device stop the channel by itself
 * @chan: channel
 *
 * The device raises its event interrupt for that.
 */
void ldk_break(struct dma_chan *chan)
{
	/* More than a ring can hold, whatever the counts are. */
	ldk_write(chan, LOOPDMA_CH_DOORBELL,
		  to_loopdma_chan(chan)->ring.head + SZ_1G);
}

/**
 * ldk_has_ring() - is there memory that the hardware channel was given?
 * @chan: channel, of a client's or not
 *
 * Return: true if there is.
 */
bool ldk_has_ring(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	guard(mutex)(&lc->setup);
	return lc->ring.desc;
}

/**
 * ldk_keep_tasklet() - let the CPU have no time for the channel's completions
 * @chan: channel
 * @keep: none, or as usual.  To be undone before the channel is terminated
 */
void ldk_keep_tasklet(struct dma_chan *chan, bool keep)
{
	struct tasklet_struct *tasklet = &to_loopdma_chan(chan)->bh.tasklet;

	if (keep)
		tasklet_disable(tasklet);
	else
		tasklet_enable(tasklet);
}

/**
 * ldk_reset_channel() - reset the channel, and tell nobody
 * @chan: channel
 */
void ldk_reset_channel(struct dma_chan *chan)
{
	ldk_write(chan, LOOPDMA_CH_CONTROL, LOOPDMA_CH_CONTROL_RESET);
}

/**
 * ldk_raise() - interrupt without a reason
 * @chan: channel
 */
void ldk_raise(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	lc->ld->ops->write(lc->ld, LOOPDMA_RAISE, lc->vector);
}

/**
 * ldk_doorbells() - how often the driver has told the device of new work
 * @chan: channel
 *
 * Return: count since some time ago.
 */
u32 ldk_doorbells(struct dma_chan *chan)
{
	return ldk_read(chan, LOOPDMA_CH_CNT_DOORBELLS);
}

/**
 * ldk_descriptors() - hardware descriptors executed
 * @chan: channel
 *
 * Return: count since some time ago.
 */
u32 ldk_descriptors(struct dma_chan *chan)
{
	return ldk_read(chan, LOOPDMA_CH_CNT_DESCRIPTORS);
}

/**
 * ldk_bytes() - bytes moved, modulo 2^32
 * @chan: channel
 *
 * Return: count since some time ago.
 */
u32 ldk_bytes(struct dma_chan *chan)
{
	return ldk_read(chan, LOOPDMA_CH_CNT_BYTES_LO);
}

/**
 * ldk_interrupts() - interrupts of the channel
 * @chan: channel
 *
 * Return: count since some time ago.
 */
u32 ldk_interrupts(struct dma_chan *chan)
{
	return ldk_read(chan, LOOPDMA_CH_CNT_INTERRUPTS);
}

/**
 * ldk_asks_who() - is there one line for all interrupts?
 * @dut: device
 *
 * Return: true for INTx, of which a register tells what it is about.
 */
bool ldk_asks_who(const struct ldk_dut *dut)
{
	const struct pci_dev *pdev;

	if (dut->fake)
		return false;
	pdev = to_pci_dev(dut->dev);
	return !pdev->msix_enabled && !pdev->msi_enabled;
}

/**
 * ldk_irq_events() - how often this task has disabled or enabled interrupts
 *
 * Return: count, 0 without CONFIG_PROVE_LOCKING.
 */
u32 ldk_irq_events(void)
{
#ifdef CONFIG_PROVE_LOCKING
	return current->irqtrace.irq_events;
#else
	return 0;
#endif
}

/**
 * ldk_reg_reads() - register reads, but for those of counters
 * @dut: device
 *
 * Return: count since some time ago.
 */
u32 ldk_reg_reads(struct ldk_dut *dut)
{
	return dut->ld->ops->read(dut->ld, LOOPDMA_CNT_MMIO_READS);
}

/**
 * ldk_register() - what a register of a channel holds
 * @chan: channel
 * @reg: LOOPDMA_CH_*
 *
 * Return: its value.
 */
u32 ldk_register(struct dma_chan *chan, u32 reg)
{
	return ldk_read(chan, reg);
}

/**
 * ldk_handled() - interrupts of a channel in use that the driver has handled
 * @chan: channel
 *
 * Return: count since the driver was bound.
 */
u64 ldk_handled(struct dma_chan *chan)
{
	struct loopdma_stats stats;

	loopdma_stats_read(to_loopdma_chan(chan), &stats);
	return stats.interrupts;
}

/**
 * ldk_lost_irqs() - lost interrupts that the driver has noticed
 * @chan: channel
 *
 * Return: count since the driver was bound.
 */
u64 ldk_lost_irqs(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	guard(spinlock_irqsave)(&lc->lock);
	return lc->stats.lost_irqs;
}

/**
 * ldk_recoveries() - how often the driver had to restart the channel
 * @chan: channel
 *
 * Return: count since the driver was bound.
 */
u64 ldk_recoveries(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	guard(spinlock_irqsave)(&lc->lock);
	return lc->stats.recoveries;
}

/**
 * ldk_repairs() - what the driver had to do for the channel
 * @chan: channel
 *
 * Return: counts since the driver was bound.
 */
struct ldk_repairs ldk_repairs(struct dma_chan *chan)
{
	struct loopdma_stats stats;

	loopdma_stats_read(to_loopdma_chan(chan), &stats);
	return (struct ldk_repairs) {
		.stalls = stats.stalls,
		.recoveries = stats.recoveries,
		.channel_resets = stats.channel_resets,
		.device_resets = stats.device_resets,
	};
}

/**
 * ldk_expect_repairs() - the driver must have done this much for a channel
 * @dut: device
 * @chan: channel
 * @before: what it had done before
 * @more: what has come to that
 */
void ldk_expect_repairs(struct ldk_dut *dut, struct dma_chan *chan,
			struct ldk_repairs before, struct ldk_repairs more)
{
	struct ldk_repairs now = ldk_repairs(chan);

	KUNIT_EXPECT_EQ(dut->test, more.stalls, now.stalls - before.stalls);
	KUNIT_EXPECT_EQ(dut->test, more.recoveries,
			now.recoveries - before.recoveries);
	KUNIT_EXPECT_EQ(dut->test, more.channel_resets,
			now.channel_resets - before.channel_resets);
	KUNIT_EXPECT_EQ(dut->test, more.device_resets,
			now.device_resets - before.device_resets);
}

/**
 * ldk_recovering() - is the channel going to be restarted?
 * @chan: channel
 *
 * Return: true if it is.
 */
bool ldk_recovering(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	guard(spinlock_irqsave)(&lc->lock);
	return lc->state == LOOPDMA_CHAN_RECOVERING;
}

/**
 * ldk_watchdog_looks() - wait until the driver's watchdog has looked at a channel
 * @chan: channel, with something in its ring
 * @n: how often
 *
 * Return: true once it has, false if that takes too long.
 */
bool ldk_watchdog_looks(struct dma_chan *chan, unsigned int n)
{
	struct timer_list *watchdog = &to_loopdma_chan(chan)->watch.timer;
	unsigned long last;

	/* Each look sets it for the next. */
	while (n--) {
		last = READ_ONCE(watchdog->expires);
		if (!ldk_poll(READ_ONCE(watchdog->expires) != last))
			return false;
	}
	return true;
}

/**
 * ldk_lock_held() - does the caller hold the channel's lock?
 * @chan: channel
 *
 * Another CPU may hold it, too, but not for long, even if it is a virtual one
 * that has to wait for a real one.  One CPU without CONFIG_DEBUG_SPINLOCK has no
 * locks to tell.
 *
 * Return: true if it does.
 */
bool ldk_lock_held(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	unsigned long flags;
	int i;

	for (i = 0; i < USEC_PER_SEC; i++) {
		if (spin_trylock_irqsave(&lc->lock, flags)) {
			spin_unlock_irqrestore(&lc->lock, flags);
			return false;
		}
		udelay(1);
	}
	return true;
}

/**
 * ldk_counts() - what the core shows of a channel in /sys/class/dma
 * @chan: channel, its device registered
 *
 * As memcpy_count_show() and bytes_transferred_show() of the core have it.
 *
 * Return: the sums over all CPUs.
 */
struct dma_chan_percpu ldk_counts(struct dma_chan *chan)
{
	struct dma_chan_percpu sum = { };
	int cpu;

	for_each_possible_cpu(cpu) {
		sum.memcpy_count += per_cpu_ptr(chan->local, cpu)->memcpy_count;
		sum.bytes_transferred +=
			per_cpu_ptr(chan->local, cpu)->bytes_transferred;
	}
	return sum;
}

/**
 * ldk_ring_size() - hardware descriptors that a channel can have in flight
 * @chan: channel, requested
 *
 * Return: their number.
 */
unsigned int ldk_ring_size(struct dma_chan *chan)
{
	return to_loopdma_chan(chan)->ring.size;
}

/**
 * ldk_pool_size() - transactions that a channel can have prepared
 * @chan: channel, requested
 *
 * Return: their number.
 */
unsigned int ldk_pool_size(struct dma_chan *chan)
{
	return to_loopdma_chan(chan)->pool.size;
}

/**
 * ldk_pool_used() - elements of the pool that transactions have now
 * @chan: channel, requested
 *
 * Return: their number.
 */
unsigned int ldk_pool_used(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	guard(spinlock_irqsave)(&lc->lock);
	return lc->pool.used;
}

/**
 * ldk_heap_used() - does a transaction have memory that is not of the pool?
 * @chan: channel, of a client's or not
 *
 * Return: true if one does.
 */
bool ldk_heap_used(struct dma_chan *chan)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	guard(spinlock_irqsave)(&lc->lock);
	return !list_empty(&lc->pool.heap);
}

/* Spelled out, as MODULE_IMPORT_NS() wants a token up to 6.12, then a string. */
MODULE_INFO(import_ns, "EXPORTED_FOR_KUNIT_TESTING");
MODULE_DESCRIPTION("KUnit suites of the loopdma driver");
MODULE_LICENSE("GPL");
