// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the device under test: memory for transfers, with guards around it.
 */
#include <linux/pci.h>
#include <linux/prandom.h>
#include <linux/string.h>
#include <kunit/resource.h>

#include "loopdma.h"
#include "dut.h"

#define LDK_GUARD	64
#define LDK_GUARD_BYTE	0xa5

/* Above this, contiguous pages are hard to come by. */
#define LDK_KMALLOC_MAX	SZ_2M

/* Of a pattern that is generated piecewise; prandom works in words. */
#define LDK_CHUNK	64

/**
 * ldk_alloc() - memory that no device knows
 * @test: case; the memory goes with it
 * @size: bytes
 *
 * Return: zeroed memory; the case is aborted if there is none.
 */
void *ldk_alloc(struct kunit *test, size_t size)
{
	void *p = kunit_kzalloc(test, size, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, p);
	return p;
}

static void ldk_free_coherent(void *data)
{
	struct ldk_buf *buf = data;

	dma_free_coherent(buf->dev, buf->size, buf->base, buf->coherent);
}

static void ldk_unmap(void *data)
{
	struct ldk_buf *buf = data;

	dma_unmap_single(buf->dev, buf->dma, buf->len, buf->dir);
}

/**
 * ldk_sync() - the CPU's turn
 * @buf: memory, at which dma-api.rst allows it to look only then
 */
void ldk_sync(struct ldk_buf *buf)
{
	if (!buf->coherent && !buf->given)
		dma_sync_single_for_cpu(buf->dev, buf->dma, buf->len, buf->dir);
}

/* The device's turn. */
static void ldk_sync_back(struct ldk_buf *buf)
{
	if (!buf->coherent && !buf->given)
		dma_sync_single_for_device(buf->dev, buf->dma, buf->len,
					   buf->dir);
}

/**
 * ldk_buf_fill() - a new pattern
 * @dut: device
 * @buf: memory that the device is going to read
 */
void ldk_buf_fill(struct ldk_dut *dut, struct ldk_buf *buf)
{
	struct rnd_state rnd;

	ldk_sync(buf);
	buf->seed = dut->seed++;
	prandom_seed_state(&rnd, buf->seed);
	prandom_bytes_state(&rnd, buf->data, buf->len);
	ldk_sync_back(buf);
}

/**
 * ldk_buf_poison() - as if nothing had been written yet
 * @buf: memory that the device is going to write
 */
void ldk_buf_poison(struct ldk_buf *buf)
{
	ldk_sync(buf);
	memset(buf->data, LDK_POISON_BYTE, buf->len);
	ldk_sync_back(buf);
}

/**
 * ldk_buf_set() - known content
 * @buf: memory that the device may read
 * @data: as many bytes as it is long
 */
void ldk_buf_set(struct ldk_buf *buf, const u8 *data)
{
	ldk_sync(buf);
	memcpy(buf->data, data, buf->len);
	ldk_sync_back(buf);
}

/**
 * ldk_buf_flip() - change one bit
 * @buf: memory that the device may read
 * @at: byte that it is in
 */
void ldk_buf_flip(struct ldk_buf *buf, size_t at)
{
	ldk_sync(buf);
	buf->data[at] ^= 0x10;
	ldk_sync_back(buf);
}

/* What is too much for kmalloc() is contiguous for the device behind an IOMMU. */
static void ldk_buf_alloc(struct ldk_dut *dut, struct ldk_buf *buf)
{
	struct kunit *test = dut->test;

	if (buf->size <= LDK_KMALLOC_MAX) {
		buf->base = ldk_alloc(test, buf->size);
		return;
	}
	buf->base = dma_alloc_coherent(buf->dev, buf->size, &buf->coherent,
				       GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buf->base);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test,
							   ldk_free_coherent,
							   buf));
}

static void ldk_buf_map(struct ldk_dut *dut, struct ldk_buf *buf)
{
	struct kunit *test = dut->test;

	if (buf->coherent) {
		buf->dma = buf->coherent + (buf->data - buf->base);
		return;
	}
	/*
	 * A bounce buffer is filled when it is mapped.  Later, what the device
	 * is not to overwrite gets there only if it may also read it.
	 */
	if (buf->dir == DMA_FROM_DEVICE &&
	    dma_max_mapping_size(buf->dev) != SIZE_MAX)
		buf->dir = DMA_BIDIRECTIONAL;
	buf->dma = dma_map_single(buf->dev, buf->data, buf->len, buf->dir);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(buf->dev, buf->dma));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, ldk_unmap,
							   buf));
}

/**
 * ldk_buf_at() - allocate and map memory
 * @dut: device; the memory goes with the case
 * @len: bytes
 * @offset: from a page boundary
 * @dir: direction
 *
 * What the device reads is filled with a pattern, what it writes with a byte
 * that says nothing was written.
 *
 * Return: the memory; the case is aborted if there is none.
 */
struct ldk_buf *ldk_buf_at(struct ldk_dut *dut, size_t len, size_t offset,
			   enum dma_data_direction dir)
{
	struct kunit *test = dut->test;
	struct ldk_buf *buf = ldk_alloc(test, sizeof(*buf));

	buf->size = 2 * PAGE_SIZE + offset + len + LDK_GUARD;
	buf->len = len;
	buf->dir = dir;
	buf->dev = dut->dev;
	ldk_buf_alloc(dut, buf);
	buf->data = PTR_ALIGN(buf->base + LDK_GUARD, PAGE_SIZE) + offset;

	memset(buf->base, LDK_GUARD_BYTE, buf->size);
	memset(buf->data, LDK_POISON_BYTE, len);
	ldk_buf_map(dut, buf);
	if (dir != DMA_FROM_DEVICE)
		ldk_buf_fill(dut, buf);
	return buf;
}

/**
 * ldk_give_mappings() - leave it to the last holder to unmap the memory of a copy
 * @dut: device
 * @dst: memory that the device is going to write, not coherent
 * @src: memory that it is going to read, as long as @dst
 *
 * Nobody looks at the memory until its mappings have ended.
 *
 * Return: what the holders hold, the caller is one; the case is aborted if there is
 * no memory.
 */
struct dmaengine_unmap_data *ldk_give_mappings(struct ldk_dut *dut,
					       struct ldk_buf *dst,
					       struct ldk_buf *src)
{
	struct ldk_buf *buf[] = { src, dst };
	struct dmaengine_unmap_data *unmap;
	unsigned int i;

	unmap = dmaengine_get_unmap_data(dut->dev, 2, GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(dut->test, unmap);
	unmap->len = dst->len;
	unmap->to_cnt = 1;
	/* Behind a bounce buffer it is mapped for both. */
	if (dst->dir == DMA_FROM_DEVICE)
		unmap->from_cnt = 1;
	else
		unmap->bidi_cnt = 1;
	for (i = 0; i < 2; i++) {
		unmap->addr[i] = buf[i]->dma;
		buf[i]->given = true;
		kunit_remove_action(dut->test, ldk_unmap, buf[i]);
	}
	return unmap;
}

static void ldk_unmap_bad(void *data)
{
	struct ldk_buf *buf = data;

	dma_unmap_resource(buf->dev, buf->dma, buf->len, buf->dir, 0);
}

/**
 * ldk_bad_addr() - a bus address where there is no memory
 * @dut: device; a mapping goes with the case
 *
 * Of a PCI device, its own registers: no DMA may reach those, but an IOMMU has
 * nothing to report.  Without an IOMMU there is nothing to map, and Linux 7.x refuses it
 * if all DMA has to be bounced.  Of a simulated one, the last page that it can address.
 *
 * Return: bus address of a page.
 */
dma_addr_t ldk_bad_addr(struct ldk_dut *dut)
{
	struct kunit *test = dut->test;
	struct ldk_buf *buf;

	if (dut->fake)
		return dma_get_mask(dut->dev) & PAGE_MASK;

	if (!device_iommu_mapped(dut->dev))
		return pci_bus_address(to_pci_dev(dut->dev), LOOPDMA_BAR);

	buf = ldk_alloc(test, sizeof(*buf));
	buf->dev = dut->dev;
	buf->len = PAGE_SIZE;
	buf->dir = DMA_BIDIRECTIONAL;
	buf->dma = dma_map_resource(buf->dev,
				    pci_resource_start(to_pci_dev(buf->dev),
						       LOOPDMA_BAR),
				    buf->len, buf->dir, 0);
	KUNIT_ASSERT_EQ(test, 0, dma_mapping_error(buf->dev, buf->dma));
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, ldk_unmap_bad,
							   buf));
	return buf->dma;
}

/**
 * ldk_src() - memory for the device to read
 * @dut: device
 * @len: bytes
 *
 * Return: the memory.
 */
struct ldk_buf *ldk_src(struct ldk_dut *dut, size_t len)
{
	return ldk_buf_at(dut, len, 0, DMA_TO_DEVICE);
}

/**
 * ldk_dst() - memory for the device to write
 * @dut: device
 * @len: bytes
 *
 * Return: the memory.
 */
struct ldk_buf *ldk_dst(struct ldk_dut *dut, size_t len)
{
	return ldk_buf_at(dut, len, 0, DMA_FROM_DEVICE);
}

/**
 * ldk_parts() - a list of parts of memory, one behind the other
 * @dut: device; the list goes with the case
 * @buf: memory, which may be longer
 * @n: how many
 * @len: of each
 *
 * Return: the list, mapped.
 */
struct scatterlist *ldk_parts(struct ldk_dut *dut, struct ldk_buf *buf,
			      unsigned int n, size_t len)
{
	struct scatterlist *sgl = ldk_alloc(dut->test, n * sizeof(*sgl)), *sg;
	unsigned int i;

	sg_init_table(sgl, n);
	for_each_sg(sgl, sg, n, i) {
		sg_dma_address(sg) = buf->dma + i * len;
		sg_dma_len(sg) = len;
	}
	return sgl;
}

/**
 * ldk_expect_guards() - what is around memory must not have been written
 * @dut: device
 * @buf: memory
 */
void ldk_expect_guards(struct ldk_dut *dut, struct ldk_buf *buf)
{
	u8 *end = buf->data + buf->len;

	KUNIT_EXPECT_NULL_MSG(dut->test,
			      memchr_inv(buf->base, LDK_GUARD_BYTE,
					 buf->data - buf->base),
			      "written before a buffer of %zu", buf->len);
	KUNIT_EXPECT_NULL_MSG(dut->test,
			      memchr_inv(end, LDK_GUARD_BYTE,
					 buf->base + buf->size - end),
			      "written behind a buffer of %zu", buf->len);
}

/**
 * ldk_expect_intact() - memory that the device reads must stay as it was
 * @dut: device
 * @buf: memory
 */
void ldk_expect_intact(struct ldk_dut *dut, struct ldk_buf *buf)
{
	u8 want[LDK_CHUNK];
	struct rnd_state rnd;
	size_t at, n;

	ldk_sync(buf);
	prandom_seed_state(&rnd, buf->seed);
	for (at = 0; at < buf->len; at += n) {
		n = min_t(size_t, buf->len - at, LDK_CHUNK);
		prandom_bytes_state(&rnd, want, n);
		if (memcmp(buf->data + at, want, n)) {
			KUNIT_FAIL(dut->test, "source changed near byte %zu of %zu",
				   at, buf->len);
			break;
		}
	}
	ldk_expect_guards(dut, buf);
}

/**
 * ldk_expect_moved_part() - the first bytes must have arrived, and no more
 * @dut: device
 * @dst: memory written
 * @src: memory read
 * @len: bytes
 */
void ldk_expect_moved_part(struct ldk_dut *dut, struct ldk_buf *dst,
			   struct ldk_buf *src, size_t len)
{
	size_t at = 0;

	ldk_expect_intact(dut, src);
	ldk_sync(dst);
	if (memcmp(dst->data, src->data, len)) {
		while (dst->data[at] == src->data[at])
			at++;
		KUNIT_FAIL(dut->test, "byte %zu of %zu: %#x instead of %#x",
			   at, len, dst->data[at], src->data[at]);
	}
	KUNIT_EXPECT_NULL_MSG(dut->test,
			      memchr_inv(dst->data + len, LDK_POISON_BYTE,
					 dst->len - len),
			      "more than %zu bytes written", len);
	ldk_expect_guards(dut, dst);
}

/**
 * ldk_expect_data() - memory that the device wrote has this content
 * @dut: device
 * @buf: memory
 * @want: as many bytes as it is long
 */
void ldk_expect_data(struct ldk_dut *dut, struct ldk_buf *buf, const u8 *want)
{
	size_t at = 0;

	ldk_sync(buf);
	if (memcmp(buf->data, want, buf->len)) {
		while (buf->data[at] == want[at])
			at++;
		KUNIT_FAIL(dut->test, "byte %zu of %zu: %#x instead of %#x",
			   at, buf->len, buf->data[at], want[at]);
	}
	ldk_expect_guards(dut, buf);
}

/**
 * ldk_expect_moved() - all must have arrived, and nothing else have changed
 * @dut: device
 * @dst: memory written
 * @src: memory read, of the same length
 */
void ldk_expect_moved(struct ldk_dut *dut, struct ldk_buf *dst,
		      struct ldk_buf *src)
{
	ldk_expect_moved_part(dut, dst, src, dst->len);
}

/**
 * ldk_expect_untouched() - nothing must have been written
 * @dut: device
 * @dst: memory
 */
void ldk_expect_untouched(struct ldk_dut *dut, struct ldk_buf *dst)
{
	ldk_sync(dst);
	KUNIT_EXPECT_NULL_MSG(dut->test,
			      memchr_inv(dst->data, LDK_POISON_BYTE, dst->len),
			      "written although it must not");
	ldk_expect_guards(dut, dst);
}
