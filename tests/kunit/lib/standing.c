// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: a simulated device that stays for the whole run.
 *
 * The device under test of a case goes with the case.  Suites that know nothing
 * of loopdma, such as those for any DMA engine, need a device that is there
 * before they begin.
 */
#include <linux/init.h>
#include <linux/module.h>

#include "loopdma.h"
#include "dut.h"

static bool standing;
module_param(standing, bool, 0444);
MODULE_PARM_DESC(standing,
		 "Keep a simulated device, loopdma-sim, for suites of other modules (default N)");

/* No case: what KUnit keeps account of what the device has in. */
static struct kunit owner;
static struct loopdma_fake *sim;
static struct loopdma_dev *sim_ld;

/*
 * What suites of other modules leave behind.  On user-mode Linux these run first.
 *
 * Rule: the driver obeys hardware.rst, loses no interrupt and restarts no channel,
 * whatever the client does.
 */
static void left_in_order(struct kunit *test)
{
	u32 i;

	if (!sim_ld)
		kunit_skip(test, "the parameter standing is not set");
	KUNIT_EXPECT_EQ(test, 0, loopdma_fake_guest_errors(sim));
	for (i = 0; i < sim_ld->lim.channels; i++) {
		struct loopdma_chan *lc = &sim_ld->chan[i];

		KUNIT_EXPECT_EQ(test, 0, lc->chan.client_count);
		KUNIT_EXPECT_EQ(test, 0ULL, lc->stats.depth);
		KUNIT_EXPECT_EQ(test, 0ULL, ldk_lost_irqs(&lc->chan));
		KUNIT_EXPECT_EQ(test, 0ULL, ldk_recoveries(&lc->chan));
	}
}

static struct kunit_case standing_cases[] = {
	KUNIT_CASE(left_in_order),
	{ }
};

static struct kunit_suite standing_suite = {
	.name = "loopdma_standing",
	.test_cases = standing_cases,
};

kunit_test_suite(standing_suite);

static int __init standing_init(void)
{
	struct loopdma_dev *ld;

	if (!standing)
		return 0;
	kunit_init_test(&owner, "loopdma_standing", NULL);
	sim = loopdma_fake_create(&owner, "loopdma-sim", &loopdma_fake_default);
	ld = ldk_setup_fake(sim);
	if (IS_ERR(ld)) {
		kunit_cleanup(&owner);
		return PTR_ERR(ld);
	}
	sim_ld = ld;
	return 0;
}

static void __exit standing_exit(void)
{
	if (!sim_ld)
		return;
	ldk_teardown_fake(sim, sim_ld);
	kunit_cleanup(&owner);
}

/* If built in, after KUnit, whose bus the device is on. */
late_initcall_sync(standing_init);
module_exit(standing_exit);
