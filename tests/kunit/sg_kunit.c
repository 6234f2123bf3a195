// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_sg: slave transfers through the loopback peripheral.
 *
 * What one channel of a pair transmits, the other receives.  Contract cases:
 * they speak the dmaengine client API and dut.h only.
 */
#include <linux/mm.h>
#include <linux/prandom.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "dut.h"

#define SG_GAP		64
#define SG_GAP_BYTE	0xa5

/**
 * struct sg_mem - a scatterlist, its memory, and guards around each entry
 * @dut: device
 * @dir: direction of the mapping
 * @sgt: list, mapped
 * @base: memory of all entries
 * @size: of @base
 * @at: offset of each entry in @base
 * @len: length of each entry
 * @n: number of entries
 * @total: sum of the lengths
 * @seed: of the pattern
 */
struct sg_mem {
	struct ldk_dut *dut;
	enum dma_data_direction dir;
	struct sg_table sgt;
	u8 *base;
	size_t size;
	u32 *at;
	u32 *len;
	unsigned int n;
	u32 total;
	u32 seed;
};

static void sg_mem_unmap(void *data)
{
	struct sg_mem *mem = data;

	dma_unmap_sgtable(mem->dut->dev, &mem->sgt, mem->dir, 0);
}

static void *sg_dup(struct kunit *test, const void *from, size_t len)
{
	void *to = ldk_alloc(test, len);

	return memcpy(to, from, len);
}

static void sg_mem_free_table(void *data)
{
	struct sg_mem *mem = data;

	sg_free_table(&mem->sgt);
}

/* All entries in a row, as the peripheral sees them. */
static u8 *sg_mem_flatten(struct sg_mem *mem)
{
	u8 *flat = ldk_alloc(mem->dut->test, mem->total);
	unsigned int i;
	u8 *p = flat;

	dma_sync_sgtable_for_cpu(mem->dut->dev, &mem->sgt, mem->dir);
	for (i = 0; i < mem->n; i++) {
		memcpy(p, mem->base + mem->at[i], mem->len[i]);
		p += mem->len[i];
	}
	return flat;
}

/* What the device reads has a pattern, what it writes says that it has not. */
static void sg_mem_fill(struct sg_mem *mem)
{
	struct rnd_state rnd;
	unsigned int i;

	memset(mem->base, SG_GAP_BYTE, mem->size);
	mem->seed = mem->dut->seed++;
	prandom_seed_state(&rnd, mem->seed);
	for (i = 0; i < mem->n; i++) {
		if (mem->dir == DMA_TO_DEVICE)
			prandom_bytes_state(&rnd, mem->base + mem->at[i],
					    mem->len[i]);
		else
			memset(mem->base + mem->at[i], LDK_POISON_BYTE,
			       mem->len[i]);
	}
}

/* Entries of these lengths, @gap bytes that belong to none around each. */
static struct sg_mem *sg_mem_apart(struct ldk_dut *dut, const u32 *len,
				   unsigned int n, u32 gap,
				   enum dma_data_direction dir)
{
	struct kunit *test = dut->test;
	struct scatterlist *sg;
	unsigned int i;
	struct sg_mem *mem = ldk_alloc(test, sizeof(*mem));

	mem->dut = dut;
	mem->dir = dir;
	mem->n = n;
	mem->at = ldk_alloc(test, n * sizeof(*mem->at));
	mem->len = ldk_alloc(test, n * sizeof(*mem->len));

	mem->size = gap;
	for (i = 0; i < n; i++) {
		mem->at[i] = mem->size;
		mem->len[i] = len[i];
		mem->total += len[i];
		mem->size += ALIGN(len[i], SG_GAP) + gap;
	}
	mem->base = ldk_alloc(test, mem->size);
	sg_mem_fill(mem);

	KUNIT_ASSERT_EQ(test, 0, sg_alloc_table(&mem->sgt, n, GFP_KERNEL));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   sg_mem_free_table,
							   mem));
	for_each_sgtable_sg(&mem->sgt, sg, i)
		sg_set_buf(sg, mem->base + mem->at[i], mem->len[i]);
	KUNIT_ASSERT_EQ(test, 0, dma_map_sgtable(dut->dev, &mem->sgt, dir, 0));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, sg_mem_unmap,
							   mem));
	return mem;
}

static struct sg_mem *sg_mem_alloc(struct ldk_dut *dut, const u32 *len,
				   unsigned int n, enum dma_data_direction dir)
{
	return sg_mem_apart(dut, len, n, SG_GAP, dir);
}

/* @n entries of the same length. */
static struct sg_mem *sg_mem_even(struct ldk_dut *dut, u32 len, unsigned int n,
				  enum dma_data_direction dir)
{
	u32 *lens = ldk_alloc(dut->test, n * sizeof(*lens));
	unsigned int i;

	for (i = 0; i < n; i++)
		lens[i] = len;
	return sg_mem_alloc(dut, lens, n, dir);
}

/* Nothing between the entries, before the first or behind the last changed. */
static void sg_mem_expect_gaps(struct sg_mem *mem)
{
	size_t from = 0, to;
	unsigned int i;

	dma_sync_sgtable_for_cpu(mem->dut->dev, &mem->sgt, mem->dir);
	for (i = 0; i <= mem->n; i++) {
		to = i < mem->n ? mem->at[i] : mem->size;
		if (memchr_inv(mem->base + from, SG_GAP_BYTE, to - from))
			KUNIT_FAIL(mem->dut->test,
				   "written between entries %d and %u", (int)i - 1, i);
		if (i < mem->n)
			from = mem->at[i] + mem->len[i];
	}
}

/* What the device has read is as it was filled. */
static void sg_mem_expect_intact(struct sg_mem *mem)
{
	struct kunit *test = mem->dut->test;
	u8 *now = sg_dup(test, mem->base, mem->size);
	u32 next = mem->dut->seed;

	sg_mem_expect_gaps(mem);
	mem->dut->seed = mem->seed;
	sg_mem_fill(mem);
	mem->dut->seed = next;
	KUNIT_EXPECT_EQ_MSG(test, 0, memcmp(now, mem->base, mem->size),
			    "source changed");
	kunit_kfree(test, now);
}

/* The same bytes in the same order, however they are cut; nothing else. */
static void sg_mem_expect_same(struct sg_mem *dst, struct sg_mem *src)
{
	struct kunit *test = dst->dut->test;
	u8 *got = sg_mem_flatten(dst), *want = sg_mem_flatten(src);
	u32 at = 0, n = min(dst->total, src->total);

	if (memcmp(got, want, n)) {
		while (got[at] == want[at])
			at++;
		KUNIT_FAIL(test, "byte %u of %u: %#x instead of %#x", at, n,
			   got[at], want[at]);
	}
	sg_mem_expect_gaps(dst);
	sg_mem_expect_intact(src);
	kunit_kfree(test, want);
	kunit_kfree(test, got);
}

static void sg_mem_expect_untouched(struct sg_mem *mem)
{
	u8 *got = sg_mem_flatten(mem);

	KUNIT_EXPECT_NULL(mem->dut->test,
			  memchr_inv(got, LDK_POISON_BYTE, mem->total));
	sg_mem_expect_gaps(mem);
	kunit_kfree(mem->dut->test, got);
}

static struct dma_async_tx_descriptor *sg_prep(struct dma_chan *chan,
					       struct sg_mem *mem)
{
	return dmaengine_prep_slave_sg(chan, mem->sgt.sgl, mem->sgt.nents,
				       mem->dir == DMA_TO_DEVICE ?
				       DMA_MEM_TO_DEV : DMA_DEV_TO_MEM,
				       DMA_PREP_INTERRUPT | DMA_CTRL_ACK);
}

/* From one list to another through the pair, checked. */
static void sg_loop(struct ldk_dut *dut, struct dma_chan *tx,
		    struct dma_chan *rx, struct sg_mem *from, struct sg_mem *to)
{
	struct ldk_xfer *r = ldk_begin(dut, sg_prep(rx, to));

	ldk_do(dut, sg_prep(tx, from));
	ldk_finish(r);
	sg_mem_expect_same(to, from);
}

/**
 * struct loop - a list that is sent, and one that it is received into
 * @dut: device
 * @tx: sender
 * @rx: receiver
 * @from: what is sent
 * @to: where it is received
 * @t: transmission, or NULL
 * @r: reception, or NULL
 */
struct loop {
	struct ldk_dut *dut;
	struct dma_chan *tx;
	struct dma_chan *rx;
	struct sg_mem *from;
	struct sg_mem *to;
	struct ldk_xfer *t;
	struct ldk_xfer *r;
};

/* A pair of channels, and lists of entries of the same length. */
static struct loop loop_open(struct ldk_dut *dut, u32 tx_len, unsigned int tx_n,
			     u32 rx_len, unsigned int rx_n)
{
	struct loop l = { .dut = dut };

	ldk_request_pair(dut, &l.tx, &l.rx);
	l.from = sg_mem_even(dut, tx_len, tx_n, DMA_TO_DEVICE);
	l.to = sg_mem_even(dut, rx_len, rx_n, DMA_FROM_DEVICE);
	return l;
}

static void loop_send(struct loop *l)
{
	l->t = ldk_begin(l->dut, sg_prep(l->tx, l->from));
}

static void loop_receive(struct loop *l)
{
	l->r = ldk_begin(l->dut, sg_prep(l->rx, l->to));
}

/* Both were begun. */
static void loop_end(struct loop *l)
{
	ldk_finish(l->t);
	ldk_finish(l->r);
	sg_mem_expect_same(l->to, l->from);
}

static void sg_loop_even(struct kunit *test, u32 tx_len, unsigned int tx_n,
			 u32 rx_len, unsigned int rx_n)
{
	struct loop l = loop_open(test->priv, tx_len, tx_n, rx_len, rx_n);

	sg_loop(l.dut, l.tx, l.rx, l.from, l.to);
}

/* Rule: a single buffer is a list of one entry (provider.rst, DMA_SLAVE). */
static void one_entry(struct kunit *test)
{
	sg_loop_even(test, 1000, 1, 1000, 1);
}

/*
 * Rule: bytes_transferred counts the bytes of every kind of transfer
 * (dmaengine.h, struct dma_chan_percpu), memcpy_count only copies.
 */
static void counts_bytes_of_both(struct kunit *test)
{
	struct loop l = loop_open(test->priv, 700, 3, 300, 7);
	struct dma_chan_percpu tx_before = ldk_counts(l.tx), now;
	struct dma_chan_percpu rx_before = ldk_counts(l.rx);

	sg_loop(l.dut, l.tx, l.rx, l.from, l.to);

	now = ldk_counts(l.tx);
	KUNIT_EXPECT_EQ(test, 2100,
			now.bytes_transferred - tx_before.bytes_transferred);
	KUNIT_EXPECT_EQ(test, tx_before.memcpy_count, now.memcpy_count);
	now = ldk_counts(l.rx);
	KUNIT_EXPECT_EQ(test, 2100,
			now.bytes_transferred - rx_before.bytes_transferred);
	KUNIT_EXPECT_EQ(test, rx_before.memcpy_count, now.memcpy_count);
}

/* Rule: the shortest transfer is one element. */
static void one_byte(struct kunit *test)
{
	sg_loop_even(test, 1, 1, 1, 1);
}

/* Rule: a list of entries is one transfer, in the order of the list. */
static void many_entries(struct kunit *test)
{
	sg_loop_even(test, 300, 50, 300, 50);
}

/* Rule: sender and receiver cut the same bytes as they like. */
static void cut_differently(struct kunit *test)
{
	sg_loop_even(test, 700, 30, 300, 70);
}

/* Rule: an entry may be longer than the FIFO. */
static void longer_than_fifo(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	u32 len = 5 * ldk_fifo_depth(dut) + 3;

	sg_loop_even(test, len, 1, len, 1);
}

/* Rule: entries may be uneven, and end anywhere. */
static void uneven_entries(struct kunit *test)
{
	static const u32 a[] = { 1, 4095, 2, 4096, 3, 4097, 63, 64, 65, 5000 };
	static const u32 b[] = { 4000, 1, 1, 1, 9000, 17, 4466 };
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	sg_loop(dut, tx, rx,
		sg_mem_alloc(dut, a, ARRAY_SIZE(a), DMA_TO_DEVICE),
		sg_mem_alloc(dut, b, ARRAY_SIZE(b), DMA_FROM_DEVICE));
}

/*
 * Rule: the list is not limited by the ring: what does not fit follows as
 * entries retire (Documentation/driver.rst).
 */
static void more_than_the_ring(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;
	unsigned int n;

	ldk_set_ring_order(dut, 4);
	ldk_request_pair(dut, &tx, &rx);
	n = 10 * ldk_ring_size(tx) + 3;
	sg_loop(dut, tx, rx, sg_mem_even(dut, 24, n, DMA_TO_DEVICE),
		sg_mem_even(dut, 24, n, DMA_FROM_DEVICE));
}

/* Rule: as above, with more entries than the pool has to remember them. */
static void more_than_the_pool(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;
	unsigned int n;

	ldk_set_ring_order(dut, 4);
	ldk_request_pair(dut, &tx, &rx);
	n = 16 * ldk_pool_size(tx);
	sg_loop(dut, tx, rx, sg_mem_even(dut, 8, n, DMA_TO_DEVICE),
		sg_mem_even(dut, 8 * n, 1, DMA_FROM_DEVICE));
}

/*
 * Rule: an entry above what a hardware descriptor moves is split, whatever the
 * client took dma_get_max_seg_size() for; pieces are whole elements.
 */
static void entry_above_max_len(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_pieces(test, 1003);
	struct dma_chan *tx, *rx;
	struct sg_mem *from;
	u32 before;

	/* The case is about entries that are longer than what this promises. */
	dma_set_max_seg_size(dut->dev, SZ_64K);
	ldk_request_pair(dut, &tx, &rx);
	ldk_config(dut, tx, DMA_SLAVE_BUSWIDTH_4_BYTES, 4);
	before = ldk_descriptors(tx);
	from = sg_mem_even(dut, 2504, 2, DMA_TO_DEVICE);
	sg_loop(dut, tx, rx, from, sg_mem_even(dut, 5008, 1, DMA_FROM_DEVICE));
	/* 1000 + 1000 + 504, twice. */
	KUNIT_EXPECT_EQ(test, 6, ldk_descriptors(tx) - before);
}

/*
 * Rule: the device moves an entry in chunks of at most 64 KiB (hardware.rst,
 * conformance notes), of which a client notices nothing.
 */
static void entry_above_chunk(struct kunit *test)
{
	static const u32 lens[] = { SZ_64K + 64, 1, SZ_64K, SZ_64K - 1 };
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	sg_loop(dut, tx, rx,
		sg_mem_alloc(dut, lens, ARRAY_SIZE(lens), DMA_TO_DEVICE),
		sg_mem_even(dut, SZ_64K + 16, 3, DMA_FROM_DEVICE));
}

/*
 * Rule: what is mapped may have fewer entries than what was to be mapped
 * (dma-api.rst, dma_map_sg); those count, with the lengths that they have.
 */
static void entries_merged(struct kunit *test)
{
	static const u32 lens[] = {
		PAGE_SIZE, PAGE_SIZE, PAGE_SIZE, PAGE_SIZE
	};
	struct ldk_dut *dut = test->priv;
	struct sg_mem *from, *to;
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	from = sg_mem_apart(dut, lens, ARRAY_SIZE(lens), 0, DMA_TO_DEVICE);
	to = sg_mem_apart(dut, lens, ARRAY_SIZE(lens), 0, DMA_FROM_DEVICE);
	if (device_iommu_mapped(dut->dev)) {
		KUNIT_EXPECT_LT(test, from->sgt.nents, from->sgt.orig_nents);
		KUNIT_EXPECT_LT(test, to->sgt.nents, to->sgt.orig_nents);
	}
	sg_loop(dut, tx, rx, from, to);
}

/*
 * Rule: a list whose residue does not fit into 32 bits is refused, as such a
 * copy is (struct dma_tx_state).
 */
static void refuses_too_long_list(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct sg_mem *mem = sg_mem_even(dut, 64, 2, DMA_TO_DEVICE);
	struct scatterlist *sg = mem->sgt.sgl, list[2];
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	ldk_config(dut, tx, DMA_SLAVE_BUSWIDTH_1_BYTE, 1);
	sg_init_table(list, 2);
	sg_dma_address(&list[0]) = sg_dma_address(sg);
	sg_dma_address(&list[1]) = sg_dma_address(sg);
	sg_dma_len(&list[0]) = SZ_2G;
	sg_dma_len(&list[1]) = SZ_2G;
	KUNIT_EXPECT_NULL(test, dmaengine_prep_slave_sg(tx, list, 2,
							DMA_MEM_TO_DEV, 0));
	sg_dma_len(&list[1]) = SZ_2G - 1;
	KUNIT_EXPECT_NOT_NULL(test, dmaengine_prep_slave_sg(tx, list, 2,
							    DMA_MEM_TO_DEV, 0));
	sg_loop(dut, tx, rx, mem, sg_mem_even(dut, 128, 1, DMA_FROM_DEVICE));
}

/* Rule: an empty list is no transfer; NULL, not a crash (provider.rst). */
static void refuses_empty_list(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct sg_mem *mem = sg_mem_even(dut, 64, 1, DMA_TO_DEVICE);
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	KUNIT_EXPECT_NULL(test, dmaengine_prep_slave_sg(tx, mem->sgt.sgl, 0,
							DMA_MEM_TO_DEV, 0));
	KUNIT_EXPECT_NULL(test, dmaengine_prep_slave_sg(tx, NULL, 1,
							DMA_MEM_TO_DEV, 0));
}

/*
 * Rule: an entry of no bytes is refused as a copy of none is; nothing of the
 * list is leaked, wherever in it the entry is.
 */
static void refuses_empty_entry(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct sg_mem *mem = sg_mem_even(dut, 64, 20, DMA_TO_DEVICE);
	struct scatterlist *sg;
	struct dma_chan *tx, *rx;
	unsigned int i, j, len;

	ldk_request_pair(dut, &tx, &rx);
	for_each_sgtable_dma_sg(&mem->sgt, sg, i) {
		len = sg_dma_len(sg);
		sg_dma_len(sg) = 0;
		for (j = 0; j < ldk_pool_size(tx); j++)
			if (sg_prep(tx, mem))
				break;
		KUNIT_EXPECT_EQ(test, ldk_pool_size(tx), j);
		sg_dma_len(sg) = len;
	}
	sg_loop(dut, tx, rx, mem, sg_mem_even(dut, 1280, 1, DMA_FROM_DEVICE));
}

/* Rule: only memory to device and device to memory are slave_sg (client.rst). */
static void refuses_other_directions(struct kunit *test)
{
	static const enum dma_transfer_direction dirs[] = {
		DMA_MEM_TO_MEM, DMA_DEV_TO_DEV, DMA_TRANS_NONE,
	};
	struct ldk_dut *dut = test->priv;
	struct sg_mem *mem = sg_mem_even(dut, 64, 1, DMA_TO_DEVICE);
	struct dma_chan *tx, *rx;
	int i;

	ldk_request_pair(dut, &tx, &rx);
	for (i = 0; i < ARRAY_SIZE(dirs); i++)
		KUNIT_EXPECT_NULL(test,
				  dmaengine_prep_slave_sg(tx, mem->sgt.sgl, 1,
							  dirs[i], 0));
}

/*
 * Rule: a channel is configured before its first slave transfer (client.rst);
 * without, there is no element width to move.
 */
static void refuses_unconfigured(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct sg_mem *mem = sg_mem_even(dut, 64, 1, DMA_TO_DEVICE);
	struct dma_slave_config tx_only = {
		.dst_addr_width = DMA_SLAVE_BUSWIDTH_4_BYTES,
	};
	struct dma_chan *chan = ldk_try_request(dut, DMA_SLAVE, 0);

	KUNIT_ASSERT_NOT_NULL(test, chan);
	KUNIT_EXPECT_NULL(test, sg_prep(chan, mem));
	KUNIT_ASSERT_EQ(test, 0, dmaengine_slave_config(chan, &tx_only));
	KUNIT_EXPECT_NOT_NULL(test, sg_prep(chan, mem));
	KUNIT_EXPECT_NULL(test,
			  dmaengine_prep_slave_sg(chan, mem->sgt.sgl, 1,
						  DMA_DEV_TO_MEM, 0));
}

/* Rule: what the peripheral cannot do is refused when configured (client.rst). */
static void refuses_bad_config(struct kunit *test)
{
	struct dma_slave_config configs[] = {
		{ .dst_addr_width = DMA_SLAVE_BUSWIDTH_3_BYTES },
		{ .src_addr_width = DMA_SLAVE_BUSWIDTH_3_BYTES },
		{ .dst_addr_width = DMA_SLAVE_BUSWIDTH_1_BYTE,
		  .dst_maxburst = 0x10000 },
		{ .src_addr_width = DMA_SLAVE_BUSWIDTH_8_BYTES,
		  .src_maxburst = 0x10000000 },
	};
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;
	int i;

	ldk_request_pair(dut, &tx, &rx);
	for (i = 0; i < ARRAY_SIZE(configs); i++)
		KUNIT_EXPECT_NE(test, 0, dmaengine_slave_config(tx,
								&configs[i]));
	/* What was refused has not changed anything. */
	sg_loop(dut, tx, rx, sg_mem_even(dut, 77, 3, DMA_TO_DEVICE),
		sg_mem_even(dut, 231, 1, DMA_FROM_DEVICE));
}

/* Rule: address and length are multiples of the element (hardware.rst). */
static void refuses_unaligned(struct kunit *test)
{
	static const u32 odd[] = { 64, 62, 64 };
	struct ldk_dut *dut = test->priv;
	struct sg_mem *mem = sg_mem_alloc(dut, odd, 3, DMA_TO_DEVICE);
	struct scatterlist *sg = mem->sgt.sgl;
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	ldk_config(dut, tx, DMA_SLAVE_BUSWIDTH_4_BYTES, 1);
	KUNIT_EXPECT_NULL(test, sg_prep(tx, mem));
	ldk_config(dut, tx, DMA_SLAVE_BUSWIDTH_2_BYTES, 1);
	KUNIT_EXPECT_NOT_NULL(test, sg_prep(tx, mem));
	sg_dma_address(sg) += 1;
	KUNIT_EXPECT_NULL(test, sg_prep(tx, mem));
	sg_dma_address(sg) -= 1;
}

/*
 * Rule: a configuration is for what is prepared after it (provider.rst,
 * device_config), not for what is already queued.
 */
static void config_is_for_later(struct kunit *test)
{
	struct loop l = loop_open(test->priv, 61, 5, 305, 1);

	ldk_hold(l.tx);
	loop_send(&l);
	ldk_config(l.dut, l.tx, DMA_SLAVE_BUSWIDTH_4_BYTES, 16);
	KUNIT_EXPECT_NULL(test, sg_prep(l.tx, l.from));
	loop_receive(&l);
	ldk_unhold(l.tx);
	loop_end(&l);
}

/* Rule: as above, of what is prepared but not yet submitted. */
static void config_spares_prepared(struct kunit *test)
{
	struct loop l = loop_open(test->priv, 61, 5, 305, 1);
	struct dma_async_tx_descriptor *t = sg_prep(l.tx, l.from), *r = sg_prep(l.rx, l.to);

	ldk_config(l.dut, l.tx, DMA_SLAVE_BUSWIDTH_4_BYTES, 16);
	ldk_config(l.dut, l.rx, DMA_SLAVE_BUSWIDTH_4_BYTES, 16);
	l.t = ldk_begin(l.dut, t);
	l.r = ldk_begin(l.dut, r);
	loop_end(&l);
}

/* Rule: the list is the client's again when prep returns. */
static void list_is_copied(struct kunit *test)
{
	struct loop l = loop_open(test->priv, 128, 30, 3840, 1);
	struct scatterlist *sgl = l.from->sgt.sgl;
	struct scatterlist *copy = sg_dup(test, sgl, 30 * sizeof(*copy));

	l.t = ldk_xfers(l.dut, l.tx, 1);
	ldk_queue(l.t, sg_prep(l.tx, l.from));
	memset(sgl, 0, 30 * sizeof(*copy));
	dma_async_issue_pending(l.tx);
	loop_receive(&l);
	KUNIT_EXPECT_TRUE(test, ldk_wait(l.t));
	KUNIT_EXPECT_TRUE(test, ldk_wait(l.r));
	memcpy(sgl, copy, 30 * sizeof(*copy));
	loop_end(&l);
}

/*
 * Rule: the residue is that of the transfer asked for, in the steps that are
 * advertised: all of it while queued, less with each segment, 0 at the end
 * (provider.rst, device_tx_status; dmaengine.h, residue granularity).
 */
static void residue_steps(struct kunit *test)
{
	struct loop l = loop_open(test->priv, 256, 4, 1024, 2);
	struct ldk_xfer *t = ldk_xfers(l.dut, l.tx, 2);
	u32 before = ldk_descriptors(l.tx), i;

	ldk_hold(l.tx);
	ldk_queue(&t[0], sg_prep(l.tx, l.from));
	ldk_queue(&t[1], sg_prep(l.tx, l.from));
	KUNIT_EXPECT_EQ(test, 1024, ldk_residue(&t[0]));
	dma_async_issue_pending(l.tx);
	loop_receive(&l);
	for (i = 1; i <= 4; i++) {
		/* The device counts before it writes the status. */
		KUNIT_EXPECT_TRUE(test, ldk_poll(ldk_residue(&t[0]) ==
						 1024 - (i - 1) * 256));
		ldk_expect_status(&t[0], DMA_IN_PROGRESS);
		KUNIT_EXPECT_EQ(test, 1024, ldk_residue(&t[1]));
		ldk_step(l.tx, 1);
		KUNIT_ASSERT_TRUE(test,
				  ldk_poll(ldk_descriptors(l.tx) - before == i));
	}
	ldk_finish(&t[0]);
	KUNIT_EXPECT_EQ(test, 0, ldk_residue(&t[0]));
	KUNIT_EXPECT_EQ(test, 1024, ldk_residue(&t[1]));
	ldk_unhold(l.tx);
	ldk_finish(&t[1]);
	ldk_finish(l.r);
}

/* Rule: a receiver waits for data, and loses none of it (hardware.rst). */
static void receive_first(struct kunit *test)
{
	struct loop l = loop_open(test->priv, 5000, 2, 2500, 4);
	u32 before = ldk_bytes(l.rx);

	loop_receive(&l);
	ldk_round_trip(l.dut);
	KUNIT_EXPECT_EQ(test, before, ldk_bytes(l.rx));
	ldk_expect_state(l.r, DMA_IN_PROGRESS, l.to->total);
	sg_mem_expect_untouched(l.to);

	loop_send(&l);
	loop_end(&l);
}

/* Rule: a sender waits while the FIFO is full, and loses none of it. */
static void transmit_first(struct kunit *test)
{
	u32 depth = ldk_fifo_depth(test->priv);
	struct loop l = loop_open(test->priv, depth, 3, 3 * depth, 1);
	u32 before = ldk_bytes(l.tx);

	loop_send(&l);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_bytes(l.tx) - before == depth));
	ldk_round_trip(l.dut);
	KUNIT_EXPECT_EQ(test, depth, ldk_bytes(l.tx) - before);
	ldk_expect_status(l.t, DMA_IN_PROGRESS);

	loop_receive(&l);
	loop_end(&l);
}

/* Rule: one transfer may feed several, and several one (hardware.rst). */
static void sizes_need_not_match(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct sg_mem *from = sg_mem_even(dut, 3000, 1, DMA_TO_DEVICE);
	struct sg_mem *to = sg_mem_even(dut, 1000, 1, DMA_FROM_DEVICE);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *t, *r;
	u8 *want, *got;
	int i;

	ldk_request_pair(dut, &tx, &rx);
	want = sg_mem_flatten(from);
	t = ldk_begin(dut, sg_prep(tx, from));
	for (i = 0; i < 3; i++) {
		ldk_do(dut, sg_prep(rx, to));
		got = sg_mem_flatten(to);
		KUNIT_EXPECT_EQ(test, 0, memcmp(want + i * 1000, got, 1000));
	}
	ldk_finish(t);

	to = sg_mem_even(dut, 3000, 1, DMA_FROM_DEVICE);
	r = ldk_begin(dut, sg_prep(rx, to));
	from = sg_mem_even(dut, 1000, 1, DMA_TO_DEVICE);
	want = sg_mem_flatten(from);
	for (i = 0; i < 3; i++) {
		ldk_expect_status(r, DMA_IN_PROGRESS);
		ldk_do(dut, sg_prep(tx, from));
	}
	ldk_finish(r);
	got = sg_mem_flatten(to);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, 0, memcmp(want, got + i * 1000, 1000));
}

struct shape {
	u32 width;
	u32 burst;
};

static const struct shape shapes[] = {
	{ 1, 0 }, { 1, 1 }, { 1, 16 }, { 1, 256 },
	{ 2, 0 }, { 2, 1 }, { 2, 16 }, { 2, 256 },
	{ 4, 0 }, { 4, 1 }, { 4, 16 }, { 4, 256 },
	{ 8, 0 }, { 8, 1 }, { 8, 16 }, { 8, 256 },
	{ 16, 0 }, { 16, 1 }, { 16, 16 }, { 16, 256 },
	{ 32, 0 }, { 32, 1 }, { 32, 16 }, { 32, 256 },
	{ 64, 0 }, { 64, 1 }, { 64, 16 }, { 64, 256 },
};

static void shape_desc(const struct shape *shape, char *desc)
{
	snprintf(desc, KUNIT_PARAM_DESC_SIZE, "%u bytes x %u", shape->width,
		 shape->burst);
}

KUNIT_ARRAY_PARAM(shapes, shapes, shape_desc);

/*
 * Rule: every advertised width and every burst that fits, which may be more
 * than the one that is advertised for all widths, moves the same bytes;
 * what is not advertised is refused (dmaengine.h, src_addr_widths).  Widths of
 * 32 bytes and more cannot be advertised, there are no bits for them, and work
 * all the same.  The total is no multiple of the burst, so the last one is short.
 */
static void widths_and_bursts(struct kunit *test)
{
	const struct shape *shape = test->param_value;
	struct dma_slave_config config = {
		.dst_addr_width = shape->width,
		.src_addr_width = shape->width,
		.dst_maxburst = shape->burst,
		.src_maxburst = shape->burst,
	};
	struct ldk_dut *dut = test->priv;
	struct dma_slave_caps caps = { };
	struct dma_chan *tx, *rx;
	bool can;

	ldk_request_pair(dut, &tx, &rx);
	KUNIT_ASSERT_EQ(test, 0, dma_get_slave_caps(tx, &caps));
	can = (shape->width >= 32 || caps.dst_addr_widths & BIT(shape->width)) &&
	      shape->burst <= ldk_fifo_burst(dut) &&
	      shape->burst * shape->width <= ldk_fifo_depth(dut) / 2;
	KUNIT_ASSERT_EQ(test, can ? 0 : -EINVAL,
			dmaengine_slave_config(tx, &config));
	if (!can)
		return;
	/* The receiver keeps bytes in bursts of one: nothing waits for it. */
	sg_loop(dut, tx, rx,
		sg_mem_even(dut, 331 * shape->width, 7, DMA_TO_DEVICE),
		sg_mem_even(dut, 331 * 7 * shape->width, 1, DMA_FROM_DEVICE));
	KUNIT_ASSERT_EQ(test, 0, dmaengine_slave_config(rx, &config));
	sg_loop(dut, tx, rx,
		sg_mem_even(dut, 331 * shape->width, 7, DMA_TO_DEVICE),
		sg_mem_even(dut, 331 * shape->width, 7, DMA_FROM_DEVICE));
}

/* Rule: both directions of a pair work at once (hardware.rst). */
static void full_duplex(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct sg_mem *from[2], *to[2];
	struct dma_chan *a, *b;
	struct ldk_xfer *t[2];
	int i;

	ldk_request_pair(dut, &a, &b);
	for (i = 0; i < 2; i++) {
		from[i] = sg_mem_even(dut, 1111, 9, DMA_TO_DEVICE);
		to[i] = sg_mem_even(dut, 909, 11, DMA_FROM_DEVICE);
	}
	/* A channel does one thing after the other: receive behind transmit. */
	ldk_hold(a);
	ldk_hold(b);
	t[0] = ldk_xfers(dut, a, 2);
	t[1] = ldk_xfers(dut, b, 2);
	ldk_queue(&t[0][0], sg_prep(a, from[0]));
	ldk_queue(&t[1][0], sg_prep(b, to[0]));
	ldk_queue(&t[1][1], sg_prep(b, from[1]));
	ldk_queue(&t[0][1], sg_prep(a, to[1]));
	dma_async_issue_pending(a);
	dma_async_issue_pending(b);
	ldk_unhold(a);
	ldk_unhold(b);
	for (i = 0; i < 2; i++) {
		ldk_finish(&t[0][i]);
		ldk_finish(&t[1][i]);
		sg_mem_expect_same(to[i], from[i]);
	}
}

/* Rule: pairs have nothing to do with each other (hardware.rst). */
static void pairs_do_not_mix(struct kunit *test)
{
	struct loop l[2];
	int i;

	for (i = 0; i < 2; i++)
		l[i] = loop_open(test->priv, 800, 25, 500, 40);
	for (i = 0; i < 2; i++) {
		loop_send(&l[i]);
		loop_receive(&l[i]);
	}
	for (i = 0; i < 2; i++)
		loop_end(&l[i]);
}

/* Rule: a channel does copies and slave transfers in the order submitted. */
static void between_copies(struct kunit *test)
{
	struct loop l = loop_open(test->priv, 100, 3, 300, 1);
	struct ldk_xfer *copy = ldk_copies(l.dut, l.tx, 2, 512);

	l.t = ldk_xfers(l.dut, l.tx, 1);
	ldk_queue_copy(&copy[0]);
	ldk_queue(l.t, sg_prep(l.tx, l.from));
	ldk_queue_copy(&copy[1]);
	loop_receive(&l);
	dma_async_issue_pending(l.tx);
	ldk_expect_copied(copy, 2);
	loop_end(&l);
	KUNIT_EXPECT_LT(test, copy[0].stamp, l.t->stamp);
	KUNIT_EXPECT_LT(test, l.t->stamp, copy[1].stamp);
}

/*
 * Rule: when an entry fails, the rest of its list is not executed, the residue
 * tells how far it got, and the next transfer is executed (hardware.rst,
 * CHAIN; provider.rst, callback_result).
 */
static void error_mid_list(struct kunit *test)
{
	struct loop l = loop_open(test->priv, 100, 5, 730, 1);
	struct ldk_xfer *t = ldk_xfers(l.dut, l.tx, 2);
	u8 *got, *want;

	ldk_fail(l.tx, 3, DMA_TRANS_READ_FAILED, 30);
	ldk_queue(&t[0], sg_prep(l.tx, l.from));
	ldk_queue(&t[1], sg_prep(l.tx, l.from));
	loop_receive(&l);
	dma_async_issue_pending(l.tx);
	ldk_finish_failed(&t[0], DMA_TRANS_READ_FAILED, 270);
	ldk_finish(&t[1]);
	ldk_finish(l.r);

	want = sg_mem_flatten(l.from);
	got = sg_mem_flatten(l.to);
	KUNIT_EXPECT_EQ(test, 0, memcmp(want, got, 230));
	KUNIT_EXPECT_EQ(test, 0, memcmp(want, got + 230, 500));
	sg_mem_expect_gaps(l.to);
	sg_mem_expect_intact(l.from);
}

/*
 * Rule: terminating a transfer that waits for its peer ends it, and memory is
 * left alone from then on (provider.rst, device_synchronize).
 */
static void terminate_waiting_receiver(struct kunit *test)
{
	struct loop l = loop_open(test->priv, 700, 2, 500, 2);
	struct sg_mem *to = sg_mem_even(l.dut, 1400, 1, DMA_FROM_DEVICE);

	loop_receive(&l);
	ldk_round_trip(l.dut);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(l.rx));
	KUNIT_EXPECT_EQ(test, 0, l.r->calls);

	ldk_do(l.dut, sg_prep(l.tx, l.from));
	sg_mem_expect_untouched(l.to);
	ldk_do(l.dut, sg_prep(l.rx, to));
	sg_mem_expect_same(to, l.from);
	KUNIT_EXPECT_EQ(test, 0, l.r->calls);
}

/* Rule: as above, for a sender that waits for room. */
static void terminate_waiting_sender(struct kunit *test)
{
	u32 depth = ldk_fifo_depth(test->priv);
	struct loop l = loop_open(test->priv, 2 * depth, 1, depth, 1);
	u32 before = ldk_bytes(l.tx);

	loop_send(&l);
	KUNIT_ASSERT_TRUE(test, ldk_poll(ldk_bytes(l.tx) - before == depth));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(l.tx));
	KUNIT_EXPECT_EQ(test, 0, l.t->calls);

	/* What it had sent is there, and nothing more comes. */
	ldk_do(l.dut, sg_prep(l.rx, l.to));
	sg_mem_expect_same(l.to, l.from);
	KUNIT_EXPECT_EQ(test, depth, ldk_bytes(l.tx) - before);
	KUNIT_EXPECT_EQ(test, 0, l.t->calls);
}

/* Rule: what was sent to a former client is not received by the next. */
static void fifo_empty_for_next_client(struct kunit *test)
{
	struct loop l = loop_open(test->priv, 600, 1, 600, 1);
	struct sg_mem *stale = sg_mem_even(l.dut, 600, 1, DMA_TO_DEVICE);

	ldk_do(l.dut, sg_prep(l.tx, stale));
	ldk_release(l.dut, l.rx);
	ldk_request_again(l.dut, l.rx);
	ldk_config(l.dut, l.rx, DMA_SLAVE_BUSWIDTH_1_BYTE, 1);
	sg_loop(l.dut, l.tx, l.rx, l.from, l.to);
}

/* Rule: many transfers may be queued; they flow as one stream. */
static void many_lists(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct sg_mem *from[20], *to[20];
	struct dma_chan *tx, *rx;
	struct ldk_xfer *t, *r;
	int i;

	ldk_set_ring_order(dut, 4);
	ldk_request_pair(dut, &tx, &rx);
	t = ldk_xfers(dut, tx, 20);
	r = ldk_xfers(dut, rx, 20);
	for (i = 0; i < 20; i++) {
		from[i] = sg_mem_even(dut, 50 + i, 4, DMA_TO_DEVICE);
		to[i] = sg_mem_even(dut, 2 * (50 + i), 2, DMA_FROM_DEVICE);
		ldk_queue(&t[i], sg_prep(tx, from[i]));
		ldk_queue(&r[i], sg_prep(rx, to[i]));
	}
	dma_async_issue_pending(tx);
	dma_async_issue_pending(rx);
	for (i = 0; i < 20; i++) {
		ldk_finish(&t[i]);
		ldk_finish(&r[i]);
		sg_mem_expect_same(to[i], from[i]);
	}
}

/*
 * Rule: a list that is prepared and never submitted is freed with the channel, also
 * if it is longer than what is kept for lists (provider.rst, free_chan_resources).
 */
static void long_list_not_submitted(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct sg_mem *mem = sg_mem_even(dut, 8, 500, DMA_TO_DEVICE);
	struct dma_chan *tx, *rx;

	ldk_set_ring_order(dut, 4);
	ldk_request_pair(dut, &tx, &rx);
	KUNIT_EXPECT_NOT_NULL(test, sg_prep(tx, mem));
	ldk_release(dut, tx);
	ldk_release(dut, rx);
	ldk_loop_ok(dut);
}

/* Page above 4 GiB, or one whose bus address is; NULL if there is none. */
static struct page *high_page(struct ldk_dut *dut)
{
	struct page *page = alloc_page(GFP_KERNEL);
	dma_addr_t dma;

	KUNIT_ASSERT_NOT_NULL(dut->test, page);
	dma = dma_map_page(dut->dev, page, 0, PAGE_SIZE, DMA_TO_DEVICE);
	if (dma_mapping_error(dut->dev, dma))
		goto out;
	dma_unmap_page(dut->dev, dma, PAGE_SIZE, DMA_TO_DEVICE);
	if (upper_32_bits(page_to_phys(page)) || upper_32_bits(dma))
		return page;
out:
	__free_page(page);
	return NULL;
}

static void high_unmap(void *data)
{
	struct ldk_buf *buf = data;

	dma_unmap_page(buf->dev, buf->dma, buf->len, buf->dir);
	__free_page(virt_to_page(buf->data));
}

static struct ldk_buf *high_buf(struct ldk_dut *dut,
				enum dma_data_direction dir)
{
	struct page *page = high_page(dut);
	struct kunit *test = dut->test;
	struct ldk_buf *buf;

	if (!page)
		kunit_skip(test, "no memory above 4 GiB");
	buf = ldk_alloc(test, sizeof(*buf));
	buf->data = page_address(page);
	buf->base = buf->data;
	buf->len = PAGE_SIZE;
	buf->size = PAGE_SIZE;
	buf->dev = dut->dev;
	buf->dir = dir;
	buf->dma = dma_map_page(dut->dev, page, 0, PAGE_SIZE, dir);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(dut->dev, buf->dma));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, high_unmap,
							   buf));
	if (dir == DMA_TO_DEVICE)
		ldk_buf_fill(dut, buf);
	return buf;
}

/* Rule: addresses have 64 bits, in registers, descriptors and lists. */
static void high_addresses(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *src = high_buf(dut, DMA_TO_DEVICE);
	struct ldk_buf *dst = high_buf(dut, DMA_FROM_DEVICE);
	struct sg_mem *from = sg_mem_even(dut, PAGE_SIZE, 1, DMA_TO_DEVICE);
	struct sg_mem *to = sg_mem_even(dut, PAGE_SIZE, 1, DMA_FROM_DEVICE);
	struct scatterlist high;
	struct dma_chan *tx, *rx;
	struct ldk_xfer *r;

	ldk_request_pair(dut, &tx, &rx);
	ldk_do(dut, ldk_prep_copy(tx, dst, src));
	ldk_expect_moved(dut, dst, src);

	sg_init_table(&high, 1);
	sg_dma_address(&high) = src->dma;
	sg_dma_len(&high) = PAGE_SIZE;
	r = ldk_begin(dut, sg_prep(rx, to));
	ldk_do(dut, dmaengine_prep_slave_sg(tx, &high, 1, DMA_MEM_TO_DEV, DMA_PREP_INTERRUPT));
	ldk_finish(r);
	KUNIT_EXPECT_EQ(test, 0, memcmp(sg_mem_flatten(to), src->data,
					PAGE_SIZE));

	ldk_buf_poison(dst);
	sg_dma_address(&high) = dst->dma;
	r = ldk_begin(dut, dmaengine_prep_slave_sg(rx, &high, 1, DMA_DEV_TO_MEM,
						   DMA_PREP_INTERRUPT));
	ldk_do(dut, sg_prep(tx, from));
	ldk_finish(r);
	dma_sync_single_for_cpu(dut->dev, dst->dma, PAGE_SIZE, dst->dir);
	KUNIT_EXPECT_EQ(test, 0, memcmp(sg_mem_flatten(from), dst->data,
					PAGE_SIZE));
}

static struct kunit_case sg_cases[] = {
	KUNIT_CASE(one_entry),
	KUNIT_CASE(counts_bytes_of_both),
	KUNIT_CASE(one_byte),
	KUNIT_CASE(many_entries),
	KUNIT_CASE(cut_differently),
	KUNIT_CASE(longer_than_fifo),
	KUNIT_CASE(uneven_entries),
	KUNIT_CASE(more_than_the_ring),
	KUNIT_CASE(more_than_the_pool),
	KUNIT_CASE(entry_above_max_len),
	KUNIT_CASE(entry_above_chunk),
	KUNIT_CASE(entries_merged),
	KUNIT_CASE(refuses_too_long_list),
	KUNIT_CASE(refuses_empty_list),
	KUNIT_CASE(refuses_empty_entry),
	KUNIT_CASE(refuses_other_directions),
	KUNIT_CASE(refuses_unconfigured),
	KUNIT_CASE(refuses_bad_config),
	KUNIT_CASE(refuses_unaligned),
	KUNIT_CASE(config_is_for_later),
	KUNIT_CASE(config_spares_prepared),
	KUNIT_CASE(list_is_copied),
	KUNIT_CASE(residue_steps),
	KUNIT_CASE(receive_first),
	KUNIT_CASE(transmit_first),
	KUNIT_CASE(sizes_need_not_match),
	KUNIT_CASE_PARAM(widths_and_bursts, shapes_gen_params),
	KUNIT_CASE(full_duplex),
	KUNIT_CASE(pairs_do_not_mix),
	KUNIT_CASE(between_copies),
	KUNIT_CASE(error_mid_list),
	KUNIT_CASE(terminate_waiting_receiver),
	KUNIT_CASE(terminate_waiting_sender),
	KUNIT_CASE(fifo_empty_for_next_client),
	KUNIT_CASE(many_lists),
	KUNIT_CASE(long_list_not_submitted),
	KUNIT_CASE(high_addresses),
	{ }
};

LDK_SUITE("loopdma_sg", sg_cases);
