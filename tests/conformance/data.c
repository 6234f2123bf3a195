// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: what is in memory afterwards.
 *
 * Lengths and offsets are random; the seed, which each case prints, gives them
 * again.
 */
#include <linux/kthread.h>
#include <linux/overflow.h>
#include <linux/scatterlist.h>
#include <linux/string.h>

#include "conform.h"

#define ROUNDS	16
#define SOURCES	8

/* Of each of several threads. */
#define COPIES	8

/* A length: short ones as often as long ones, which are up to @max. */
static size_t random_len(struct dct *d, unsigned int align_order, size_t max)
{
	if (dct_rand(d, 2))
		max = 256;

	return (1 + dct_rand(d, max >> align_order)) << align_order;
}

static size_t random_offset(struct dct *d, unsigned int align_order)
{
	return dct_rand(d, PAGE_SIZE >> align_order) << align_order;
}

static struct dct_buf *random_buf(struct dct *d, struct dma_chan *chan, size_t len,
				  unsigned int align_order,
				  enum dma_data_direction dir)
{
	return dct_buf(d, chan, len, random_offset(d, align_order), dir);
}

/* Does what was prepared, and waits for its end. */
static void run(struct dct *d, struct dma_chan *chan,
		struct dma_async_tx_descriptor *tx)
{
	struct dct_xfer *x = dct_xfers(d, chan, 1);

	dct_start(x, tx);
	dct_finish(x);
}

static void check_all(struct dct *d, struct dct_buf **buf, unsigned int n)
{
	while (n--)
		dct_check(d, buf[n]);
}

/*
 * Rule 18 (dmaengine.h, is_dma_copy_aligned()): whatever is aligned as the device
 * asks for is copied, all of it, and nothing else.
 */
static void copies(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	unsigned int order = chan->device->copy_align, i;
	struct dct_xfer *x = dct_xfers(d, chan, ROUNDS);

	for (i = 0; i < ROUNDS; i++) {
		size_t len = random_len(d, order, SZ_32K);

		x[i].src = random_buf(d, chan, len, order, DMA_TO_DEVICE);
		x[i].dst = random_buf(d, chan, len, order, DMA_FROM_DEVICE);
		dct_submit_copies(&x[i], 1);
		if (dct_rand(d, 2))
			dma_async_issue_pending(chan);
	}
	dma_async_issue_pending(chan);
	dct_finish_copies(x, ROUNDS);
}

/*
 * Rule 18 (dmaengine.h, is_dma_copy_aligned()): that is so as well where the device
 * moves less at a time.
 */
static void large_copies(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);
	size_t align = 1 << chan->device->copy_align;
	static const size_t lengths[] = { SZ_1M, SZ_1M + SZ_64K };
	unsigned int i;

	if (dma_max_mapping_size(dmaengine_get_dma_device(chan)) < SZ_2M)
		kunit_skip(test, "no memory of that size can be mapped at once");
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		dct_copy_ok(d, chan, lengths[i]);
		dct_copy_ok(d, chan, lengths[i] - align);
	}
}

/* Rule 20 (provider.rst, "DMA_MEMSET"): memory is filled with a byte. */
static void fills(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMSET);
	unsigned int order = chan->device->fill_align, i;
	struct dct_buf *dst;

	for (i = 0; i < ROUNDS; i++) {
		/* As memset() has it, whose value is an int as well. */
		int value = dct_rand(d, 256) - 128;

		dst = random_buf(d, chan, random_len(d, order, SZ_32K), order,
				 DMA_FROM_DEVICE);
		run(d, chan, dmaengine_prep_dma_memset(chan, dst->dma, value,
						       dst->len, DCT_FLAGS));
		memset(dst->want, value, dst->len);
		dct_check(d, dst);
	}
}

/* Rule 20 (provider.rst, "DMA_MEMSET_SG"): so are the pieces of a list. */
static void fills_of_lists(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_MEMSET_SG);
	unsigned int order = chan->device->fill_align, i, n;
	struct dct_buf *dst[SOURCES];
	struct scatterlist sgl[SOURCES];

	for (n = 1; n <= SOURCES; n++) {
		u8 value = dct_rand(d, 256);

		sg_init_table(sgl, n);
		for (i = 0; i < n; i++) {
			dst[i] = random_buf(d, chan, random_len(d, order, SZ_32K), order,
					    DMA_FROM_DEVICE);
			sg_dma_address(&sgl[i]) = dst[i]->dma;
			sg_dma_len(&sgl[i]) = dst[i]->len;
		}
		run(d, chan, chan->device->device_prep_dma_memset_sg(chan, sgl, n,
								     value,
								     DCT_FLAGS));
		for (i = 0; i < n; i++)
			memset(dst[i]->want, value, dst[i]->len);
		check_all(d, dst, n);
	}
}

/**
 * struct sources - what parity is computed of
 * @n: how many
 * @len: of each
 * @buf: the memory
 * @dma: bus addresses
 * @coef: coefficients
 */
struct sources {
	unsigned int n;
	size_t len;
	struct dct_buf *buf[SOURCES];
	dma_addr_t dma[SOURCES];
	u8 coef[SOURCES];
};

static void random_sources(struct dct *d, struct dma_chan *chan, struct sources *s,
			   unsigned int max, unsigned int order)
{
	unsigned int i;

	s->n = 2 + dct_rand(d, min_t(unsigned int, max, SOURCES) - 1);
	s->len = random_len(d, order, SZ_4K);
	for (i = 0; i < s->n; i++) {
		s->buf[i] = random_buf(d, chan, s->len, order, DMA_TO_DEVICE);
		s->dma[i] = s->buf[i]->dma;
		s->coef[i] = dct_rand(d, 256);
	}
}

/* Product in the field of RAID 6, whose polynomial is 0x11d. */
static u8 gf_mul(u8 a, u8 b)
{
	u8 product = 0;

	for (; b; b >>= 1) {
		if (b & 1)
			product ^= a;
		a = a << 1 ^ (a & 0x80 ? 0x1d : 0);
	}
	return product;
}

/* What P and, if there is one, Q are to be. */
static void parity(struct sources *s, u8 *p, u8 *q)
{
	unsigned int i;
	size_t at;

	memset(p, 0, s->len);
	if (q)
		memset(q, 0, s->len);
	for (i = 0; i < s->n; i++)
		for (at = 0; at < s->len; at++) {
			p[at] ^= s->buf[i]->want[at];
			if (q)
				q[at] ^= gf_mul(s->coef[i], s->buf[i]->want[at]);
		}
}

/* Rule 20 (provider.rst, "DMA_XOR"): the sum of several sources. */
static void xors(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_XOR);
	struct dma_device *dma = chan->device;
	struct dct_buf *dst;
	struct sources s;
	int i;

	for (i = 0; i < ROUNDS; i++) {
		random_sources(d, chan, &s, dma->max_xor, dma->xor_align);
		dst = random_buf(d, chan, s.len, dma->xor_align, DMA_FROM_DEVICE);
		run(d, chan, dma->device_prep_dma_xor(chan, dst->dma, s.dma, s.n,
						      s.len, DCT_FLAGS));
		parity(&s, dst->want, NULL);
		dct_check(d, dst);
		check_all(d, s.buf, s.n);
	}
}

/*
 * Rule 20 (provider.rst, "DMA_XOR_VAL"; dmaengine.h, enum sum_check_flags): a
 * sum that is not zero is told in the result, not as an error.
 */
static void xor_checks(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_XOR_VAL);
	struct dma_device *dma = chan->device;
	struct dct_buf *sum;
	struct sources s;
	int i, wrong;
	enum sum_check_flags *result = dct_alloc(d, sizeof(*result));

	for (i = 0; i < ROUNDS; i++) {
		wrong = i & 1;
		random_sources(d, chan, &s, dma->max_xor, dma->xor_align);
		/* The last is what makes it zero. */
		sum = s.buf[--s.n];
		dma_sync_single_for_cpu(sum->dev, sum->dma, sum->len, sum->dir);
		parity(&s, sum->want, NULL);
		sum->want[dct_rand(d, sum->len)] ^= wrong;
		memcpy(sum->data, sum->want, sum->len);
		dma_sync_single_for_device(sum->dev, sum->dma, sum->len, sum->dir);
		s.n++;

		*result = 0;
		run(d, chan, dma->device_prep_dma_xor_val(chan, s.dma, s.n, s.len,
							  result, DCT_FLAGS));
		KUNIT_EXPECT_EQ(test, wrong ? (int)SUM_CHECK_P_RESULT : 0,
				(int)*result);
		check_all(d, s.buf, s.n);
	}
}

/*
 * Rule 20 (provider.rst, "DMA_PQ"; dmaengine.h, enum dma_ctrl_flags): the sums of
 * RAID 6, of which one may not be wanted.
 */
static void parities(struct kunit *test)
{
	static const unsigned long disable[] = {
		0, DMA_PREP_PQ_DISABLE_P, DMA_PREP_PQ_DISABLE_Q,
	};
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_PQ);
	struct dma_device *dma = chan->device;
	struct dct_buf *pq[2];
	dma_addr_t addr[2];
	struct sources s;
	u8 *p, *q;
	int i;

	p = dct_alloc(d, SZ_4K);
	q = dct_alloc(d, SZ_4K);
	for (i = 0; i < ROUNDS; i++) {
		unsigned long flags = disable[i % ARRAY_SIZE(disable)];

		random_sources(d, chan, &s, dma_maxpq(dma, flags), dma->pq_align);
		pq[0] = random_buf(d, chan, s.len, dma->pq_align, DMA_BIDIRECTIONAL);
		pq[1] = random_buf(d, chan, s.len, dma->pq_align, DMA_BIDIRECTIONAL);
		addr[0] = pq[0]->dma;
		addr[1] = pq[1]->dma;
		run(d, chan, dma->device_prep_dma_pq(chan, addr, s.dma, s.n, s.coef,
						     s.len, flags | DCT_FLAGS));
		parity(&s, p, q);
		if (!(flags & DMA_PREP_PQ_DISABLE_P))
			memcpy(pq[0]->want, p, s.len);
		if (!(flags & DMA_PREP_PQ_DISABLE_Q))
			memcpy(pq[1]->want, q, s.len);
		check_all(d, pq, 2);
		check_all(d, s.buf, s.n);
	}
}

/*
 * Rule 20 (provider.rst, "DMA_PQ_VAL"; dmaengine.h, enum sum_check_flags): which
 * of the sums is wrong is told in the result, not as an error.
 */
static void parity_checks(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_PQ_VAL);
	struct dma_device *dma = chan->device;
	struct dct_buf *pq[2];
	dma_addr_t addr[2];
	struct sources s;
	int i, j;
	enum sum_check_flags *result = dct_alloc(d, sizeof(*result));

	for (i = 0; i < ROUNDS; i++) {
		random_sources(d, chan, &s, dma_maxpq(dma, 0), dma->pq_align);
		for (j = 0; j < 2; j++) {
			pq[j] = random_buf(d, chan, s.len, dma->pq_align,
					   DMA_BIDIRECTIONAL);
			addr[j] = pq[j]->dma;
		}
		parity(&s, pq[0]->want, pq[1]->want);
		for (j = 0; j < 2; j++) {
			struct dct_buf *buf = pq[j];

			dma_sync_single_for_cpu(buf->dev, buf->dma, buf->len, buf->dir);
			if (i & BIT(j))
				buf->want[dct_rand(d, buf->len)] ^= 1;
			memcpy(buf->data, buf->want, buf->len);
			dma_sync_single_for_device(buf->dev, buf->dma, buf->len,
						   buf->dir);
		}
		*result = 0;
		run(d, chan, dma->device_prep_dma_pq_val(chan, addr, s.dma, s.n,
							 s.coef, s.len, result,
							 DCT_FLAGS));
		KUNIT_EXPECT_EQ(test, i & BIT(0), *result & SUM_CHECK_P_RESULT);
		KUNIT_EXPECT_EQ(test, !!(i & BIT(1)),
				!!(*result & SUM_CHECK_Q_RESULT));
		check_all(d, pq, 2);
		check_all(d, s.buf, s.n);
	}
}

/*
 * Rule 21 (dmaengine.h, struct dma_interleaved_template): pieces and the gaps
 * between them, of either side; no gap is written to.
 */
static void interleaved(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = dct_request(d, DMA_INTERLEAVE);
	unsigned int order = chan->device->copy_align, i;
	struct dma_interleaved_template *xt = dct_alloc(d, struct_size(xt, sgl, 4));

	for (i = 0; i < ROUNDS; i++) {
		struct dct_buf *src = dct_src(d, chan, SZ_64K);
		struct dct_buf *dst = dct_dst(d, chan, SZ_64K);
		size_t from = 0, to = 0, frame, j;
		struct dma_async_tx_descriptor *tx;

		xt->src_start = src->dma;
		xt->dst_start = dst->dma;
		xt->dir = DMA_MEM_TO_MEM;
		xt->src_inc = true;
		xt->dst_inc = true;
		xt->src_sgl = true;
		xt->dst_sgl = i & 1;
		xt->numf = 1 + dct_rand(d, 8);
		xt->frame_size = 1 + dct_rand(d, 4);
		for (j = 0; j < xt->frame_size; j++) {
			xt->sgl[j].size = (1 + dct_rand(d, 1024 >> order)) << order;
			xt->sgl[j].icg = dct_rand(d, 512 >> order) << order;
		}
		tx = dmaengine_prep_interleaved_dma(chan, xt, DCT_FLAGS);
		if (!tx && !i)
			kunit_skip(test, "the provider does not interleave from memory to memory");
		run(d, chan, tx);

		for (frame = 0; frame < xt->numf; frame++)
			for (j = 0; j < xt->frame_size; j++) {
				memcpy(dst->want + to, src->want + from,
				       xt->sgl[j].size);
				from += xt->sgl[j].size +
					dmaengine_get_src_icg(xt, &xt->sgl[j]);
				to += xt->sgl[j].size +
				      dmaengine_get_dst_icg(xt, &xt->sgl[j]);
			}
		dct_check(d, dst);
		dct_check(d, src);
	}
}

/*
 * Rule 43 (provider.rst, "DMA_COMPLETION_NO_ORDER"; client.rst, "callback"): what
 * is true of one channel is true of all that there are, at once.
 */
static void all_channels(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dct_xfer *x[DCT_MAX_HELD];
	unsigned int n, i, j;

	dct_request(d, DMA_MEMCPY);
	while (d->nheld < DCT_MAX_HELD && dct_try_request_cap(d, DMA_MEMCPY))
		;
	n = d->nheld;
	if (n < 2)
		kunit_skip(test, "no other channel is free");
	for (i = 0; i < n; i++)
		x[i] = dct_copies(d, d->held[i], 4, SZ_4K);
	for (j = 0; j < 4; j++)
		for (i = 0; i < n; i++)
			dct_issue_copies(&x[i][j], 1);
	for (i = 0; i < n; i++)
		dct_finish_copies(x[i], 4);
}

/**
 * struct worker - a thread with transactions of its own
 * @x: the transactions
 * @n: their number
 * @bad: those that could not be submitted, or did not end
 * @done: all are dealt with
 */
struct worker {
	struct dct_xfer *x;
	unsigned int n;
	unsigned int bad;
	struct completion done;
};

static int work(void *data)
{
	struct worker *w = data;
	unsigned int i;

	for (i = 0; i < w->n; i++) {
		struct dma_async_tx_descriptor *tx = dct_prep(&w->x[i], DCT_FLAGS);

		if (IS_ERR_OR_NULL(tx) || !dct_submit(&w->x[i], tx)) {
			w->bad++;
			continue;
		}
		dma_async_issue_pending(w->x[i].chan);
		if (i & 1)
			w->bad += !dct_wait(&w->x[i]);
	}
	complete(&w->done);
	return 0;
}

/*
 * Rule 16 (provider.rst, device_prep_*; client.rst, "Get a descriptor for
 * transaction"): several threads may prepare and submit, to one channel as well
 * as to several.
 * Rule 27 (dmaengine.h, dma_cookie_t; client.rst, "Submit the transaction"): no
 * cookie is given out twice.
 */
static void threads(struct kunit *test)
{
	struct dct *d = test->priv;
	struct task_struct *task;
	unsigned int n, i, j, k;
	struct worker *w;

	dct_request(d, DMA_MEMCPY);
	while (d->nheld < 4 && dct_try_request_cap(d, DMA_MEMCPY))
		;
	n = 2 * d->nheld;
	w = dct_alloc(d, n * sizeof(*w));
	for (i = 0; i < n; i++) {
		init_completion(&w[i].done);
		w[i].n = COPIES;
		w[i].x = dct_copies(d, d->held[i / 2], COPIES, SZ_1K);
	}
	/* Not a step that could end the case before the last of them is over. */
	for (i = 0; i < n; i++) {
		task = kthread_run(work, &w[i], "dmaengine_work%u", i);
		if (IS_ERR(task)) {
			w[i].bad = COPIES;
			complete(&w[i].done);
		}
	}
	for (i = 0; i < n; i++)
		wait_for_completion(&w[i].done);
	for (i = 0; i < n; i++) {
		KUNIT_ASSERT_EQ(test, 0, w[i].bad);
		for (j = 0; j < COPIES; j++)
			dct_finish_copies(&w[i].x[j], 1);
	}
	for (i = 0; i < n; i += 2)
		for (j = 0; j < COPIES; j++)
			for (k = 0; k < COPIES; k++)
				KUNIT_EXPECT_NE(test, w[i].x[j].cookie,
						w[i + 1].x[k].cookie);
}

static struct kunit_case data_cases[] = {
	KUNIT_CASE(copies),
	KUNIT_CASE(large_copies),
	KUNIT_CASE(fills),
	KUNIT_CASE(fills_of_lists),
	KUNIT_CASE(xors),
	KUNIT_CASE(xor_checks),
	KUNIT_CASE(parities),
	KUNIT_CASE(parity_checks),
	KUNIT_CASE(interleaved),
	KUNIT_CASE(all_channels),
	KUNIT_CASE(threads),
	{ }
};

DCT_SUITE("dmaengine_data", data_cases);
