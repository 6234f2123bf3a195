// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_ring: ring arithmetic.
 *
 * Pure functions; the rules are those of struct loopdma_ring and of
 * Documentation/hardware.rst, section on counts and slots.
 */
#include <linux/prandom.h>
#include <linux/random.h>
#include <kunit/test.h>

#include "loopdma.h"

static const u32 sizes[] = { 2, 4, 8, 64, 1024, 65536 };

static void size_desc(const u32 *size, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u entries", *size);
}

KUNIT_ARRAY_PARAM(sizes, sizes, size_desc);

/*
 * A ring of the parameter's size.  The arithmetic never looks into an entry,
 * so a base address that is not memory proves that.
 */
static struct loopdma_hw_desc * const base = (void *)0x10000000;

static void make_ring(struct loopdma_ring *ring, u32 size)
{
	memset(ring, 0xff, sizeof(*ring));
	loopdma_ring_init(ring, base, 0x1000, size);
}

static u32 param_size(struct kunit *test)
{
	return *(const u32 *)test->param_value;
}

static u32 fill(struct loopdma_ring *ring)
{
	u32 n = 0;

	while (n <= ring->size && loopdma_ring_push(ring))
		n++;
	return n;
}

/* Rule: a new ring is empty, and the device's counts start at 0. */
static void init_empty(struct kunit *test)
{
	struct loopdma_ring ring;

	make_ring(&ring, 16);
	KUNIT_EXPECT_EQ(test, 0, loopdma_ring_used(&ring));
	KUNIT_EXPECT_EQ(test, 16, loopdma_ring_space(&ring));
	KUNIT_EXPECT_EQ(test, 0, loopdma_ring_untold(&ring));
	KUNIT_EXPECT_EQ(test, 0, loopdma_ring_ring(&ring));
	KUNIT_EXPECT_EQ(test, 0, loopdma_ring_retired(&ring, 0));
}

/* Rule: all entries of a ring can be in use (hardware.rst), not all but one. */
static void fills_to_size(struct kunit *test)
{
	struct loopdma_ring ring;

	make_ring(&ring, param_size(test));
	KUNIT_EXPECT_EQ(test, ring.size, fill(&ring));
	KUNIT_EXPECT_EQ(test, ring.size, loopdma_ring_used(&ring));
	KUNIT_EXPECT_EQ(test, 0, loopdma_ring_space(&ring));
}

/* Rule: a full ring takes nothing, and is not changed by the attempt. */
static void full_refuses(struct kunit *test)
{
	struct loopdma_ring ring, before;

	make_ring(&ring, param_size(test));
	fill(&ring);
	before = ring;
	KUNIT_EXPECT_NULL(test, loopdma_ring_push(&ring));
	KUNIT_EXPECT_MEMEQ(test, &before, &ring, sizeof(ring));
}

/* Rule: entries that are consumed can be used again, as many as were. */
static void full_recovers(struct kunit *test)
{
	struct loopdma_ring ring;

	make_ring(&ring, param_size(test));
	fill(&ring);
	loopdma_ring_ring(&ring);
	loopdma_ring_consume(&ring, 1);
	KUNIT_EXPECT_EQ(test, 1, loopdma_ring_space(&ring));
	KUNIT_EXPECT_EQ(test, 1, fill(&ring));
	loopdma_ring_ring(&ring);
	loopdma_ring_consume(&ring, ring.size);
	KUNIT_EXPECT_EQ(test, ring.size, fill(&ring));
}

/* Rule: the slot of a count is its remainder by the size (hardware.rst). */
static void slots_in_order(struct kunit *test)
{
	struct loopdma_ring ring;
	u32 i, bad = 0;

	make_ring(&ring, param_size(test));
	for (i = 0; i < 3 * ring.size; i++) {
		bad += loopdma_ring_push(&ring) != base + i % ring.size;
		loopdma_ring_ring(&ring);
		loopdma_ring_consume(&ring, 1);
	}
	KUNIT_EXPECT_EQ(test, 0, bad);
}

/* Rule: as above, for any count there is; no slot is outside the ring. */
static void slots_in_bounds(struct kunit *test)
{
	static const u32 counts[] = { 0, 1, 0x7fffffff, 0x80000000, U32_MAX };
	struct loopdma_ring ring;
	int i;

	make_ring(&ring, param_size(test));
	for (i = 0; i < ARRAY_SIZE(counts); i++)
		KUNIT_EXPECT_PTR_EQ(test, base + counts[i] % ring.size,
				    loopdma_ring_slot(&ring, counts[i]));
}

/* Rule: the doorbell is due when entries were written since the last one. */
static void doorbell_due(struct kunit *test)
{
	struct loopdma_ring ring;

	make_ring(&ring, 4);
	loopdma_ring_push(&ring);
	loopdma_ring_push(&ring);
	KUNIT_EXPECT_EQ(test, 2, loopdma_ring_untold(&ring));
	loopdma_ring_ring(&ring);
	KUNIT_EXPECT_EQ(test, 0, loopdma_ring_untold(&ring));
	loopdma_ring_push(&ring);
	KUNIT_EXPECT_EQ(test, 1, loopdma_ring_untold(&ring));
}

/* Rule: the doorbell's value is the producer count, not a slot (hardware.rst). */
static void doorbell_value(struct kunit *test)
{
	struct loopdma_ring ring;
	u32 i;

	make_ring(&ring, 2);
	for (i = 1; i <= 5; i++) {
		loopdma_ring_push(&ring);
		KUNIT_EXPECT_EQ(test, i, loopdma_ring_ring(&ring));
		loopdma_ring_consume(&ring, 1);
	}
}

/* Rule: what was retired is the done count less what was seen before. */
static void retired_counts(struct kunit *test)
{
	struct loopdma_ring ring;

	make_ring(&ring, 8);
	fill(&ring);
	loopdma_ring_ring(&ring);
	KUNIT_EXPECT_EQ(test, 3, loopdma_ring_retired(&ring, 3));
	loopdma_ring_consume(&ring, 3);
	KUNIT_EXPECT_EQ(test, 0, loopdma_ring_retired(&ring, 3));
	KUNIT_EXPECT_EQ(test, 5, loopdma_ring_retired(&ring, 8));
}

/* Rule: a done count beyond the doorbell is a lie (hardware.rst). */
static void retired_beyond(struct kunit *test)
{
	struct loopdma_ring ring;

	make_ring(&ring, param_size(test));
	fill(&ring);
	loopdma_ring_ring(&ring);
	KUNIT_EXPECT_EQ(test, ring.size, loopdma_ring_retired(&ring, ring.size));
	KUNIT_EXPECT_EQ(test, -EPROTO, loopdma_ring_retired(&ring,
							    ring.size + 1));
	KUNIT_EXPECT_EQ(test, -EPROTO, loopdma_ring_retired(&ring, U32_MAX));
	KUNIT_EXPECT_EQ(test, -EPROTO, loopdma_ring_retired(&ring, BIT(31)));
}

/* Rule: a done count never goes backwards (hardware.rst). */
static void retired_backwards(struct kunit *test)
{
	struct loopdma_ring ring;

	make_ring(&ring, 4);
	fill(&ring);
	loopdma_ring_ring(&ring);
	loopdma_ring_consume(&ring, 2);
	KUNIT_EXPECT_EQ(test, -EPROTO, loopdma_ring_retired(&ring, 1));
	KUNIT_EXPECT_EQ(test, -EPROTO, loopdma_ring_retired(&ring, 0));
}

/* Rule: the device cannot have retired what no doorbell told it of. */
static void retired_not_rung(struct kunit *test)
{
	struct loopdma_ring ring;

	make_ring(&ring, 4);
	loopdma_ring_push(&ring);
	loopdma_ring_ring(&ring);
	loopdma_ring_push(&ring);
	KUNIT_EXPECT_EQ(test, 1, loopdma_ring_retired(&ring, 1));
	KUNIT_EXPECT_EQ(test, -EPROTO, loopdma_ring_retired(&ring, 2));
}

/* Rule: counts run freely through 2^32 (hardware.rst); nothing may notice. */
static void counts_wrap(struct kunit *test)
{
	struct loopdma_ring ring;
	u32 start = 0U - param_size(test) / 2, i;

	make_ring(&ring, param_size(test));
	ring.head = start;
	ring.rung = start;
	ring.tail = start;
	KUNIT_EXPECT_EQ(test, ring.size, fill(&ring));
	KUNIT_EXPECT_EQ(test, 0, loopdma_ring_space(&ring));
	KUNIT_EXPECT_EQ(test, ring.size, loopdma_ring_untold(&ring));
	KUNIT_EXPECT_EQ(test, ring.size / 2, loopdma_ring_ring(&ring));
	KUNIT_EXPECT_EQ(test, -EPROTO,
			loopdma_ring_retired(&ring, ring.size / 2 + 1));
	KUNIT_EXPECT_EQ(test, -EPROTO, loopdma_ring_retired(&ring, start - 1));
	for (i = 0; i < ring.size; i++) {
		if (loopdma_ring_retired(&ring, start + i + 1) != 1)
			break;
		loopdma_ring_consume(&ring, 1);
	}
	KUNIT_EXPECT_EQ(test, ring.size, i);
	KUNIT_EXPECT_EQ(test, ring.size / 2, ring.tail);
}

/* Rule: counts are compared by their distance, as sequence numbers are. */
static void count_order(struct kunit *test)
{
	KUNIT_EXPECT_TRUE(test, loopdma_count_reached(5, 5));
	KUNIT_EXPECT_TRUE(test, loopdma_count_reached(6, 5));
	KUNIT_EXPECT_FALSE(test, loopdma_count_reached(4, 5));
	KUNIT_EXPECT_TRUE(test, loopdma_count_reached(2, 0xfffffffe));
	KUNIT_EXPECT_FALSE(test, loopdma_count_reached(0xfffffffe, 2));
	KUNIT_EXPECT_TRUE(test, loopdma_count_reached(0x7fffffff, 0));
	KUNIT_EXPECT_FALSE(test, loopdma_count_reached(0, 0x7fffffff));
}

/* Rule: enabling a channel starts its counts at 0 (hardware.rst). */
static void reset_empties(struct kunit *test)
{
	struct loopdma_ring ring;

	make_ring(&ring, 8);
	fill(&ring);
	loopdma_ring_ring(&ring);
	loopdma_ring_consume(&ring, 3);
	loopdma_ring_reset(&ring);
	KUNIT_EXPECT_EQ(test, 8, loopdma_ring_space(&ring));
	KUNIT_EXPECT_EQ(test, 0, loopdma_ring_ring(&ring));
	KUNIT_EXPECT_PTR_EQ(test, base, loopdma_ring_push(&ring));
	KUNIT_EXPECT_PTR_EQ(test, base, ring.desc);
	KUNIT_EXPECT_EQ(test, 0x1000, ring.dma);
}

/*
 * Rule: tail <= rung <= head <= tail + size, always (struct loopdma_ring).  A
 * model that counts with 64 bits, and so does not wrap, must agree with the
 * ring after any sequence of operations.
 */
static void agrees_with_model(struct kunit *test)
{
	u64 head, rung, tail, n, start = 0xffffffffULL - 500;
	u32 size = param_size(test), seed = get_random_u32();
	struct loopdma_ring ring;
	struct rnd_state rnd;
	unsigned int i, bad = 0;

	make_ring(&ring, size);
	ring.head = start;
	ring.rung = start;
	ring.tail = start;
	head = start;
	rung = start;
	tail = start;
	prandom_seed_state(&rnd, seed);

	for (i = 0; i < 5000; i++) {
		switch (prandom_u32_state(&rnd) % 4) {
		case 0:
		case 1:
			if (head - tail == size)
				bad += !!loopdma_ring_push(&ring);
			else
				bad += loopdma_ring_push(&ring) !=
				       base + head++ % size;
			break;
		case 2:
			bad += loopdma_ring_untold(&ring) != head - rung;
			rung = head;
			bad += loopdma_ring_ring(&ring) != (u32)rung;
			break;
		default:
			n = prandom_u32_state(&rnd) % (rung - tail + 1);
			bad += loopdma_ring_retired(&ring, tail + n) != n;
			loopdma_ring_consume(&ring, n);
			tail += n;
			break;
		}
		bad += loopdma_ring_used(&ring) != head - tail;
		bad += loopdma_ring_space(&ring) != size - (head - tail);
		bad += loopdma_ring_retired(&ring, rung + 1) != -EPROTO;
	}
	KUNIT_EXPECT_EQ_MSG(test, 0, bad, "seed %u", seed);
}

static struct kunit_case ring_cases[] = {
	KUNIT_CASE(init_empty),
	KUNIT_CASE_PARAM(fills_to_size, sizes_gen_params),
	KUNIT_CASE_PARAM(full_refuses, sizes_gen_params),
	KUNIT_CASE_PARAM(full_recovers, sizes_gen_params),
	KUNIT_CASE_PARAM(slots_in_order, sizes_gen_params),
	KUNIT_CASE_PARAM(slots_in_bounds, sizes_gen_params),
	KUNIT_CASE(doorbell_due),
	KUNIT_CASE(doorbell_value),
	KUNIT_CASE(retired_counts),
	KUNIT_CASE_PARAM(retired_beyond, sizes_gen_params),
	KUNIT_CASE(retired_backwards),
	KUNIT_CASE(retired_not_rung),
	KUNIT_CASE_PARAM(counts_wrap, sizes_gen_params),
	KUNIT_CASE(count_order),
	KUNIT_CASE(reset_empties),
	KUNIT_CASE_PARAM(agrees_with_model, sizes_gen_params),
	{ }
};

static struct kunit_suite ring_suite = {
	.name = "loopdma_ring",
	.test_cases = ring_cases,
};

kunit_test_suite(ring_suite);
