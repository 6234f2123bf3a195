// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_interleave: chunks with gaps between them, and lists of the same kind.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.
 */
#include <linux/string.h>
#include <linux/version.h>

#include "dut.h"

/* Memory that a pattern is laid over. */
#define AREA	SZ_16K

/**
 * struct shape - a template, and how it is laid over an area
 * @name: for the report
 * @numf: frames
 * @frame_size: chunks of a frame
 * @src_sgl: gaps apply to the source
 * @dst_sgl: gaps apply to the destination
 * @chunk: the chunks
 */
struct shape {
	const char *name;
	size_t numf;
	size_t frame_size;
	bool src_sgl;
	bool dst_sgl;
	struct data_chunk chunk[3];
};

static const struct shape shapes[] = {
	{ "one chunk", 1, 1, true, true, { { 100, 0, 0, 0 } } },
	{ "rectangle out", 20, 1, true, false, { { 64, 192, 0, 0 } } },
	{ "rectangle in", 20, 1, false, true, { { 64, 192, 0, 0 } } },
	{ "rectangle to rectangle", 20, 1, true, true, { { 60, 140, 0, 0 } } },
	{ "no gap anywhere", 20, 1, false, false, { { 64, 192, 0, 0 } } },
	{ "gaps of their own", 20, 1, false, false, { { 40, 0, 17, 101 } } },
	{ "own gap before common", 9, 1, true, true, { { 40, 8, 0, 101 } } },
	{ "three chunks", 9, 3, true, true,
	  { { 3, 5, 0, 0 }, { 700, 1, 0, 0 }, { 64, 0, 30, 2 } } },
	{ "single bytes", 300, 1, true, false, { { 1, 3, 0, 0 } } },
};

KUNIT_ARRAY_PARAM_DESC(shapes, shapes, name);

/**
 * struct area - what a template does to memory
 * @xt: the template
 * @src: what it reads from
 * @dst: what it writes to
 * @want: what @dst is to be
 * @packed: what is moved, without gaps
 * @len: bytes of @packed
 */
struct area {
	struct dma_interleaved_template *xt;
	struct ldk_buf *src;
	struct ldk_buf *dst;
	u8 *want;
	u8 *packed;
	size_t len;
};

/* The gap that the rules of struct data_chunk give (dmaengine.h). */
static size_t gap(bool sgl, size_t common, size_t own)
{
	if (own)
		return own;
	return sgl ? common : 0;
}

static void area_compute(struct area *area, const struct shape *shape)
{
	const u8 *from = area->src->data;
	u8 *to = area->want;
	const struct data_chunk *c;
	size_t f, i;

	memset(area->want, LDK_POISON_BYTE, AREA);
	for (f = 0; f < shape->numf; f++)
		for (i = 0; i < shape->frame_size; i++) {
			c = &shape->chunk[i];
			memcpy(to, from, c->size);
			memcpy(area->packed + area->len, from, c->size);
			area->len += c->size;
			from += c->size + gap(shape->src_sgl, c->icg,
					      c->src_icg);
			to += c->size + gap(shape->dst_sgl, c->icg,
					    c->dst_icg);
		}
}

static struct area *area_make(struct ldk_dut *dut, const struct shape *shape)
{
	struct kunit *test = dut->test;
	struct area *area = ldk_alloc(test, sizeof(*area));

	area->xt = ldk_alloc(test, struct_size(area->xt, sgl, shape->frame_size));
	area->want = ldk_alloc(test, AREA);
	area->packed = ldk_alloc(test, AREA);
	area->src = ldk_src(dut, AREA);
	area->dst = ldk_dst(dut, AREA);
	area_compute(area, shape);

	area->xt->src_start = area->src->dma;
	area->xt->dst_start = area->dst->dma;
	area->xt->dir = DMA_MEM_TO_MEM;
	area->xt->src_inc = true;
	area->xt->dst_inc = true;
	area->xt->src_sgl = shape->src_sgl;
	area->xt->dst_sgl = shape->dst_sgl;
	area->xt->numf = shape->numf;
	area->xt->frame_size = shape->frame_size;
	memcpy(area->xt->sgl, shape->chunk,
	       shape->frame_size * sizeof(*shape->chunk));
	return area;
}

static struct dma_async_tx_descriptor *prep(struct dma_chan *chan,
					    struct dma_interleaved_template *xt)
{
	return dmaengine_prep_interleaved_dma(chan, xt, DMA_PREP_INTERRUPT);
}

/*
 * Rule: chunks of memory are copied, with the gaps of struct data_chunk between
 * them on either side (dmaengine.h); the gaps are left alone.
 */
static void memory_to_memory(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct area *area = area_make(dut, test->param_value);
	struct dma_chan *chan = ldk_request(dut);

	ldk_do(dut, prep(chan, area->xt));
	ldk_expect_data(dut, area->dst, area->want);
	ldk_expect_intact(dut, area->src);
}

/* Rule: the same out of memory, to a peripheral that has one address. */
static void memory_to_device(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct area *area = area_make(dut, test->param_value);
	struct ldk_buf *dst = ldk_dst(dut, area->len);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *t, *r;

	ldk_request_pair(dut, &tx, &rx);
	ldk_config(dut, tx, DMA_SLAVE_BUSWIDTH_1_BYTE, 8);
	ldk_config(dut, rx, DMA_SLAVE_BUSWIDTH_1_BYTE, 8);
	area->xt->dir = DMA_MEM_TO_DEV;
	area->xt->dst_inc = false;

	t = ldk_begin(dut, prep(tx, area->xt));
	r = ldk_begin(dut, ldk_prep_slave(rx, dst->dma, area->len, DMA_DEV_TO_MEM));
	ldk_finish(t);
	ldk_finish(r);
	ldk_expect_data(dut, dst, area->packed);
	ldk_expect_intact(dut, area->src);
}

/* Rule: the same into memory, from a peripheral. */
static void device_to_memory(struct kunit *test)
{
	const struct shape *shape = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct area *area = area_make(dut, shape);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *r;
	struct ldk_buf *src = ldk_buf_at(dut, area->len, 0, DMA_TO_DEVICE);

	ldk_buf_set(src, area->packed);
	ldk_request_pair(dut, &tx, &rx);
	ldk_config(dut, tx, DMA_SLAVE_BUSWIDTH_1_BYTE, 8);
	ldk_config(dut, rx, DMA_SLAVE_BUSWIDTH_1_BYTE, 8);
	area->xt->dir = DMA_DEV_TO_MEM;
	area->xt->src_inc = false;

	r = ldk_begin(dut, prep(rx, area->xt));
	ldk_do(dut, ldk_prep_slave(tx, src->dma, area->len, DMA_MEM_TO_DEV));
	ldk_finish(r);
	ldk_expect_data(dut, area->dst, area->want);
}

/* Rule: the residue is what was not moved, gaps not counted. */
static void fails_midway(struct kunit *test)
{
	static const struct shape shape = {
		"", 10, 1, true, true, { { 64, 192, 0, 0 } },
	};
	struct ldk_dut *dut = test->priv;
	struct area *area = area_make(dut, &shape);
	struct dma_chan *chan = ldk_request(dut);

	ldk_fail(chan, 4, DMA_TRANS_WRITE_FAILED, 10);
	ldk_do_failed(dut, prep(chan, area->xt), DMA_TRANS_WRITE_FAILED, 10 * 64 - 3 * 64 - 10);
	memset(area->want + 3 * 256 + 10, LDK_POISON_BYTE,
	       AREA - 3 * 256 - 10);
	ldk_expect_data(dut, area->dst, area->want);
}

/* Rule: the template is the client's again when prep has returned. */
static void template_is_copied(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct area *area = area_make(dut, &shapes[7]);
	struct dma_chan *chan = ldk_request(dut);
	struct dma_async_tx_descriptor *tx = prep(chan, area->xt);

	memset(area->xt, 0xff, struct_size(area->xt, sgl, 3));
	ldk_do(dut, tx);
	ldk_expect_data(dut, area->dst, area->want);
}

/* Rule: a client need not know how much a hardware descriptor can do. */
static void long_chunks(struct kunit *test)
{
	static const struct shape shape = {
		"", 3, 1, true, true, { { 5000, 100, 0, 0 } },
	};
	struct ldk_dut *dut = ldk_fake_pieces(test, 512);
	struct area *area = area_make(dut, &shape);
	struct dma_chan *chan = ldk_request(dut);

	ldk_do(dut, prep(chan, area->xt));
	ldk_expect_data(dut, area->dst, area->want);
}

/* Rule: more chunks than the ring has room for go through it all the same. */
static void more_than_the_ring(struct kunit *test)
{
	static const struct shape shape = {
		"", 3000, 1, true, false, { { 2, 3, 0, 0 } },
	};
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = ldk_request_ring(dut, 4);
	struct area *area = area_make(dut, &shape);

	ldk_do(dut, prep(chan, area->xt));
	ldk_expect_data(dut, area->dst, area->want);
}

/**
 * struct nonsense - values of a template that is good but for one or two of them
 * @name: for the report
 * @numf: frames
 * @frame_size: chunks of a frame
 * @size: of the first two chunks
 * @nowhere: there is no memory at the destination
 * @src_inc: the source moves on
 * @dst_inc: the destination moves on
 * @dir: direction
 */
struct nonsense {
	const char *name;
	size_t numf;
	size_t frame_size;
	size_t size[2];
	bool nowhere;
	bool src_inc;
	bool dst_inc;
	enum dma_transfer_direction dir;
};

static const struct nonsense nonsenses[] = {
	{ "no frames", 0, 3, { 3, 700 }, false, true, true, DMA_MEM_TO_MEM },
	{ "no chunks", 9, 0, { 3, 700 }, false, true, true, DMA_MEM_TO_MEM },
	{ "empty chunk", 9, 3, { 3, 0 }, false, true, true, DMA_MEM_TO_MEM },
	{ "too many", SIZE_MAX, 3, { 3, 700 }, false, true, true, DMA_MEM_TO_MEM },
	{ "too long", 9, 3, { U32_MAX, 700 }, false, true, true, DMA_MEM_TO_MEM },
	{ "no memory there", 9, 3, { 3, 700 }, true, true, true, DMA_MEM_TO_MEM },
	{ "source stands", 9, 3, { 3, 700 }, false, false, true, DMA_MEM_TO_MEM },
	{ "destination stands", 9, 3, { 3, 700 }, false, true, false, DMA_MEM_TO_MEM },
	{ "device to device", 9, 3, { 3, 700 }, false, true, true, DMA_DEV_TO_DEV },
	{ "device moves", 9, 3, { 3, 700 }, false, true, true, DMA_MEM_TO_DEV },
	{ "not configured", 9, 3, { 3, 700 }, false, false, true, DMA_DEV_TO_MEM },
};

KUNIT_ARRAY_PARAM_DESC(nonsenses, nonsenses, name);

/* Rule: prep gives NULL for what it cannot do, and nothing is lost with it. */
static void refused(struct kunit *test)
{
	const struct nonsense *nonsense = test->param_value;
	struct ldk_dut *dut = test->priv;
	struct area *area = area_make(dut, &shapes[7]);
	struct dma_chan *chan = ldk_request(dut);
	int i;
	struct dma_interleaved_template *bad = ldk_alloc(test, struct_size(bad, sgl, 3));

	memcpy(bad, area->xt, struct_size(bad, sgl, 3));
	bad->numf = nonsense->numf;
	bad->frame_size = nonsense->frame_size;
	bad->sgl[0].size = nonsense->size[0];
	bad->sgl[1].size = nonsense->size[1];
	if (nonsense->nowhere)
		bad->dst_start = ~(dma_addr_t)0;
	bad->src_inc = nonsense->src_inc;
	bad->dst_inc = nonsense->dst_inc;
	bad->dir = nonsense->dir;
	for (i = 0; i < ldk_pool_size(chan) + 1; i++)
		KUNIT_ASSERT_NULL(test, prep(chan, bad));
	KUNIT_EXPECT_NULL(test, prep(chan, NULL));

	ldk_do(dut, prep(chan, area->xt));
	ldk_expect_data(dut, area->dst, area->want);
}

#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
static struct dma_vec *vec_make(struct ldk_dut *dut, struct ldk_buf *buf,
				size_t n)
{
	struct dma_vec *vec = ldk_alloc(dut->test, n * sizeof(*vec));
	size_t i;

	for (i = 0; i < n; i++) {
		vec[i].addr = buf->dma + i * (buf->len / n);
		vec[i].len = buf->len / n;
	}
	return vec;
}

/*
 * Rule: an array of pieces is moved as a scatterlist of them is (dmaengine.h,
 * dmaengine_prep_peripheral_dma_vec()), and is the client's after prep.
 */
static void vectors(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *src = ldk_src(dut, 6000), *dst = ldk_dst(dut, 6000);
	struct dma_async_tx_descriptor *tx_desc, *rx_desc;
	struct dma_vec *from, *to;
	struct dma_chan *tx, *rx;
	struct ldk_xfer *t, *r;

	ldk_request_pair(dut, &tx, &rx);
	ldk_config(dut, tx, DMA_SLAVE_BUSWIDTH_4_BYTES, 4);
	ldk_config(dut, rx, DMA_SLAVE_BUSWIDTH_4_BYTES, 4);
	from = vec_make(dut, src, 15);
	to = vec_make(dut, dst, 3);
	tx_desc = dmaengine_prep_peripheral_dma_vec(tx, from, 15,
						    DMA_MEM_TO_DEV,
						    DMA_PREP_INTERRUPT);
	rx_desc = dmaengine_prep_peripheral_dma_vec(rx, to, 3, DMA_DEV_TO_MEM,
						    DMA_PREP_INTERRUPT);
	memset(from, 0, 15 * sizeof(*from));
	memset(to, 0, 3 * sizeof(*to));
	t = ldk_begin(dut, tx_desc);
	r = ldk_begin(dut, rx_desc);
	ldk_finish(t);
	ldk_finish(r);
	ldk_expect_moved(dut, dst, src);
}

/* Rule: as above, for what it cannot do. */
static void vectors_refused(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *src = ldk_src(dut, 64);
	struct dma_vec *vec = vec_make(dut, src, 8);
	struct dma_chan *tx = ldk_request(dut);
	int i;

	/* Not configured yet. */
	KUNIT_EXPECT_NULL(test, dmaengine_prep_peripheral_dma_vec(tx, vec, 8,
								  DMA_MEM_TO_DEV,
								  0));
	ldk_config(dut, tx, DMA_SLAVE_BUSWIDTH_4_BYTES, 4);
	KUNIT_EXPECT_NULL(test, dmaengine_prep_peripheral_dma_vec(tx, vec, 0,
								  DMA_MEM_TO_DEV,
								  0));
	KUNIT_EXPECT_NULL(test, dmaengine_prep_peripheral_dma_vec(tx, NULL, 8,
								  DMA_MEM_TO_DEV,
								  0));
	KUNIT_EXPECT_NULL(test, dmaengine_prep_peripheral_dma_vec(tx, vec, 8,
								  DMA_MEM_TO_MEM,
								  0));
	vec[7].len = 6;
	for (i = 0; i < ldk_pool_size(tx) + 1; i++)
		KUNIT_ASSERT_NULL(test,
				  dmaengine_prep_peripheral_dma_vec(tx, vec, 8,
								    DMA_MEM_TO_DEV,
								    0));
}
#endif

static struct kunit_case interleave_cases[] = {
	KUNIT_CASE_PARAM(memory_to_memory, shapes_gen_params),
	KUNIT_CASE_PARAM(memory_to_device, shapes_gen_params),
	KUNIT_CASE_PARAM(device_to_memory, shapes_gen_params),
	KUNIT_CASE(fails_midway),
	KUNIT_CASE(template_is_copied),
	KUNIT_CASE(long_chunks),
	KUNIT_CASE(more_than_the_ring),
	KUNIT_CASE_PARAM(refused, nonsenses_gen_params),
#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
	KUNIT_CASE(vectors),
	KUNIT_CASE(vectors_refused),
#endif
	{ }
};

LDK_SUITE("loopdma_interleave", interleave_cases);
