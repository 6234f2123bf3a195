// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_parity: XOR and P+Q, and the checks of both.
 *
 * Contract cases: they speak the dmaengine client API and dut.h only.  What is
 * wanted is computed from the definition (H. Peter Anvin, "The mathematics of
 * RAID-6", which lib/raid6 cites), by way of logarithms.
 */
#include <linux/prandom.h>
#include <linux/string.h>

#include "dut.h"

#define MAX_SOURCES	16
#define LEN		3000

/* Which of P and Q there are. */
#define NO_P		DMA_PREP_PQ_DISABLE_P
#define NO_Q		DMA_PREP_PQ_DISABLE_Q

/**
 * struct parity - sources, and what they give
 * @dut: device
 * @n: number of sources
 * @len: bytes of each
 * @src: the sources
 * @addr: their bus addresses
 * @coef: their coefficients
 * @p: P of them
 * @q: Q of them
 */
struct parity {
	struct ldk_dut *dut;
	unsigned int n;
	size_t len;
	struct ldk_buf *src[MAX_SOURCES];
	dma_addr_t addr[MAX_SOURCES];
	u8 coef[MAX_SOURCES];
	u8 *p;
	u8 *q;
};

/* GF(2^8), 2 is a generator: every element but 0 is a power of it. */
static u8 gf_exp[255], gf_log[256];

static int parity_suite_init(struct kunit_suite *suite)
{
	unsigned int i, x = 1;

	for (i = 0; i < 255; i++) {
		gf_exp[i] = x;
		gf_log[x] = i;
		x <<= 1;
		if (x & 0x100)
			x ^= 0x11d;
	}
	return 0;
}

static u8 gf_mul(u8 a, u8 b)
{
	return a && b ? gf_exp[(gf_log[a] + gf_log[b]) % 255] : 0;
}

/* What sources @from to @to - 1 contribute. */
static void parity_compute(struct parity *par, unsigned int from,
			   unsigned int to, u8 *p, u8 *q)
{
	unsigned int i;
	size_t at;

	memset(p, 0, par->len);
	memset(q, 0, par->len);
	for (i = from; i < to; i++)
		for (at = 0; at < par->len; at++) {
			p[at] ^= par->src[i]->data[at];
			q[at] ^= gf_mul(par->coef[i], par->src[i]->data[at]);
		}
}

/* @n sources of @len bytes, the first of which the device may write as well. */
static struct parity *parity_make(struct ldk_dut *dut, unsigned int n,
				  size_t len, unsigned int align)
{
	struct parity *par = ldk_alloc(dut->test, sizeof(*par));
	struct rnd_state rnd;
	unsigned int i;

	prandom_seed_state(&rnd, dut->seed++);
	par->dut = dut;
	par->n = n;
	par->len = len;
	for (i = 0; i < n; i++) {
		par->src[i] = ldk_buf_at(dut, len,
					 round_down(prandom_u32_state(&rnd) %
						    PAGE_SIZE, align),
					 i ? DMA_TO_DEVICE : DMA_BIDIRECTIONAL);
		par->addr[i] = par->src[i]->dma;
		par->coef[i] = prandom_u32_state(&rnd);
	}
	/* Those that an implementation may treat in a special way. */
	par->coef[0] = 1;
	if (n > 2)
		par->coef[1] = 0;
	par->p = ldk_alloc(dut->test, len);
	par->q = ldk_alloc(dut->test, len);
	parity_compute(par, 0, n, par->p, par->q);
	return par;
}

static void parity_expect_sources(struct parity *par)
{
	unsigned int i;

	for (i = 0; i < par->n; i++)
		ldk_expect_intact(par->dut, par->src[i]);
}

/* Memory with known content, for a check to read. */
static struct ldk_buf *parity_buf(struct ldk_dut *dut, const u8 *data,
				  size_t len)
{
	struct ldk_buf *buf = ldk_buf_at(dut, len, 0, DMA_BIDIRECTIONAL);

	ldk_buf_set(buf, data);
	return buf;
}

static struct dma_chan *parity_request(struct ldk_dut *dut)
{
	struct dma_chan *chan = ldk_request(dut);

	KUNIT_ASSERT_TRUE(dut->test, dma_has_cap(DMA_XOR,
						 chan->device->cap_mask));
	KUNIT_ASSERT_TRUE(dut->test, dma_has_cap(DMA_PQ,
						 chan->device->cap_mask));
	return chan;
}

static struct dma_async_tx_descriptor *
prep_xor_flags(struct dma_chan *chan, struct parity *par, dma_addr_t dst,
	       unsigned long flags)
{
	return chan->device->device_prep_dma_xor(chan, dst, par->addr, par->n,
						 par->len, flags);
}

static struct dma_async_tx_descriptor *
prep_xor(struct dma_chan *chan, struct parity *par, dma_addr_t dst)
{
	return prep_xor_flags(chan, par, dst, DMA_PREP_INTERRUPT);
}

static struct dma_async_tx_descriptor *
prep_xor_val(struct dma_chan *chan, struct parity *par,
	     enum sum_check_flags *result)
{
	return chan->device->device_prep_dma_xor_val(chan, par->addr, par->n,
						     par->len, result,
						     DMA_PREP_INTERRUPT);
}

static struct dma_async_tx_descriptor *
prep_pq(struct dma_chan *chan, struct parity *par, dma_addr_t p, dma_addr_t q,
	unsigned long flags)
{
	dma_addr_t pq[2] = { p, q };

	return chan->device->device_prep_dma_pq(chan, pq, par->addr, par->n,
						par->coef, par->len,
						DMA_PREP_INTERRUPT | flags);
}

static struct dma_async_tx_descriptor *
prep_pq_val(struct dma_chan *chan, struct parity *par, dma_addr_t p,
	    dma_addr_t q, enum sum_check_flags *result, unsigned long flags)
{
	dma_addr_t pq[2] = { p, q };

	return chan->device->device_prep_dma_pq_val(chan, pq, par->addr, par->n,
						    par->coef, par->len, result,
						    DMA_PREP_INTERRUPT | flags);
}

static size_t some_length(struct ldk_dut *dut, unsigned int align)
{
	struct rnd_state rnd;

	prandom_seed_state(&rnd, dut->seed++);
	return round_up(1 + prandom_u32_state(&rnd) % LEN, align);
}

/*
 * Rule: the destination becomes the exclusive or of the sources, of any number
 * up to max_xor (dmaengine.h); nothing else is written.
 */
static void xor_sources(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	unsigned int n, align = BIT(chan->device->xor_align);
	struct parity *par;
	struct ldk_buf *dst;

	KUNIT_ASSERT_LE(test, chan->device->max_xor, MAX_SOURCES);
	for (n = 1; n <= chan->device->max_xor; n++) {
		par = parity_make(dut, n, some_length(dut, align), align);
		dst = ldk_dst(dut, par->len);
		ldk_do(dut, prep_xor(chan, par, dst->dma));
		ldk_expect_data(dut, dst, par->p);
		parity_expect_sources(par);
	}
}

/*
 * Rule: the destination may be one of the sources; without ASYNC_TX_XOR_ZERO_DST
 * async_tx has it as the first (async_xor.c).
 */
static void xor_into_source(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 5, LEN, 8);
	unsigned int i;

	ldk_do(dut, prep_xor(chan, par, par->addr[0]));
	ldk_expect_data(dut, par->src[0], par->p);
	for (i = 1; i < par->n; i++)
		ldk_expect_intact(dut, par->src[i]);
}

static const unsigned long pq_flags[] = { 0, NO_P, NO_Q };

static void pq_flags_desc(const unsigned long *flags, char *desc)
{
	strscpy(desc, *flags == NO_P ? "Q alone" : *flags == NO_Q ? "P alone" :
		"both", KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(pq_flags, pq_flags, pq_flags_desc);

/*
 * Rule: P is the exclusive or of the sources, Q their sum weighted with the
 * coefficients; DMA_PREP_PQ_DISABLE_P and _Q leave one out (dmaengine.h).  What
 * is left out is not written, whatever its address.
 */
static void pq_sources(struct kunit *test)
{
	unsigned long flags = *(const unsigned long *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	unsigned int n, align = BIT(chan->device->pq_align);
	struct ldk_buf *p, *q;
	struct parity *par;

	for (n = 1; n <= dma_maxpq(chan->device, flags); n++) {
		par = parity_make(dut, n, some_length(dut, align), align);
		p = ldk_dst(dut, par->len);
		q = ldk_dst(dut, par->len);
		ldk_do(dut, prep_pq(chan, par, p->dma, q->dma, flags));
		if (flags & NO_P)
			ldk_expect_untouched(dut, p);
		else
			ldk_expect_data(dut, p, par->p);
		if (flags & NO_Q)
			ldk_expect_untouched(dut, q);
		else
			ldk_expect_data(dut, q, par->q);
		parity_expect_sources(par);
	}
}

/*
 * Rule: DMA_PREP_CONTINUE goes on with the P and Q that are there, and takes no
 * source away if the device can do it by itself (dmaengine.h, dma_maxpq()).
 */
static void pq_continued(struct kunit *test)
{
	unsigned long flags = *(const unsigned long *)test->param_value;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 9, LEN, 1), part = *par;
	struct ldk_buf *p = parity_buf(dut, par->q, LEN);
	struct ldk_buf *q = parity_buf(dut, par->p, LEN);

	KUNIT_EXPECT_EQ(test, dma_maxpq(chan->device, 0),
			dma_maxpq(chan->device, DMA_PREP_CONTINUE));
	part.n = 4;
	ldk_do(dut, prep_pq(chan, &part, p->dma, q->dma, flags));

	part.n = 5;
	memcpy(part.addr, par->addr + 4, 5 * sizeof(*par->addr));
	memcpy(part.coef, par->coef + 4, 5);
	ldk_do(dut, prep_pq(chan, &part, p->dma, q->dma, flags | DMA_PREP_CONTINUE));
	ldk_expect_data(dut, p, flags & NO_P ? par->q : par->p);
	ldk_expect_data(dut, q, flags & NO_Q ? par->p : par->q);
}

/* Rule: Q may be one of the sources, as async_raid6_recov.c has it. */
static void pq_into_source(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 2, LEN, 1);

	ldk_do(dut, prep_pq(chan, par, 0, par->addr[0], NO_P));
	ldk_expect_data(dut, par->src[0], par->q);
	ldk_expect_intact(dut, par->src[1]);
}

/* Rule: a client need not know how much a hardware descriptor can do. */
static void long_ones(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_pieces(test, SZ_4K);
	struct dma_chan *chan = parity_request(dut);
	size_t len = 5 * SZ_4K + 123;
	struct parity *par = parity_make(dut, 6, len, 1);
	struct ldk_buf *xor = ldk_dst(dut, len);
	struct ldk_buf *p = ldk_dst(dut, len), *q = ldk_dst(dut, len);

	ldk_do(dut, prep_xor(chan, par, xor->dma));
	ldk_do(dut, prep_pq(chan, par, p->dma, q->dma, 0));
	ldk_expect_data(dut, xor, par->p);
	ldk_expect_data(dut, p, par->p);
	ldk_expect_data(dut, q, par->q);
	parity_expect_sources(par);
}

/*
 * Rule: a check reports by its result alone (dmaengine.h, enum sum_check_flags):
 * SUM_CHECK_P_RESULT if the exclusive or is not 0 somewhere, else nothing.  The
 * transaction succeeds in either case, and clears what the result was before.
 */
static void xor_checked(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_pieces(test, SZ_4K);
	size_t len = 3 * SZ_4K, at[] = { 0, SZ_4K - 1, SZ_4K, len - 1 };
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 4, len, 1);
	struct ldk_buf *p = parity_buf(dut, par->p, len);
	enum sum_check_flags result;
	int i;

	par->addr[par->n++] = p->dma;
	result = SUM_CHECK_P_RESULT | SUM_CHECK_Q_RESULT;
	ldk_do(dut, prep_xor_val(chan, par, &result));
	KUNIT_EXPECT_EQ(test, 0, (int)result);

	for (i = 0; i < ARRAY_SIZE(at); i++) {
		ldk_buf_flip(p, at[i]);
		ldk_do(dut, prep_xor_val(chan, par, &result));
		KUNIT_EXPECT_EQ_MSG(test, (int)SUM_CHECK_P_RESULT, (int)result,
				    "byte %zu", at[i]);
		ldk_buf_flip(p, at[i]);
	}
	ldk_expect_data(dut, p, par->p);
}

/* Rule: the same for P and Q, each with its own flag; what is disabled is not. */
static void pq_checked(struct kunit *test)
{
	unsigned long flags = *(const unsigned long *)test->param_value;
	struct ldk_dut *dut = ldk_fake_pieces(test, SZ_4K);
	size_t len = 3 * SZ_4K, at[] = { 0, SZ_4K - 1, SZ_4K, len - 1 };
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 7, len, 1);
	struct ldk_buf *p = parity_buf(dut, par->p, len);
	struct ldk_buf *q = parity_buf(dut, par->q, len);
	enum sum_check_flags result, want;
	int i;

	for (i = 0; i < 4 * ARRAY_SIZE(at); i++) {
		want = 0;
		result = SUM_CHECK_P_RESULT | SUM_CHECK_Q_RESULT;
		if (i & 1)
			ldk_buf_flip(p, at[i / 4]);
		if (i & 2)
			ldk_buf_flip(q, at[i / 4]);
		if ((i & 1) && !(flags & NO_P))
			want |= SUM_CHECK_P_RESULT;
		if ((i & 2) && !(flags & NO_Q))
			want |= SUM_CHECK_Q_RESULT;
		ldk_do(dut, prep_pq_val(chan, par, p->dma, q->dma, &result, flags));
		KUNIT_EXPECT_EQ_MSG(test, (int)want, (int)result,
				    "byte %zu, %s%s", at[i / 4],
				    i & 1 ? "P" : "", i & 2 ? "Q" : "");
		if (i & 1)
			ldk_buf_flip(p, at[i / 4]);
		if (i & 2)
			ldk_buf_flip(q, at[i / 4]);
	}
	parity_expect_sources(par);
	ldk_expect_data(dut, p, par->p);
	ldk_expect_data(dut, q, par->q);
}

/*
 * Rule: a check that did not get through has not shown that anything is right;
 * the transaction's result says why (dmaengine.h, enum dmaengine_tx_result).
 */
static void check_failed(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 3, LEN, 1);
	struct ldk_buf *p = parity_buf(dut, par->p, LEN);
	struct ldk_buf *q = parity_buf(dut, par->q, LEN);
	enum sum_check_flags result;

	ldk_fail(chan, 1, DMA_TRANS_READ_FAILED, 1000);
	ldk_do_failed(dut, prep_pq_val(chan, par, p->dma, q->dma, &result, 0),
		      DMA_TRANS_READ_FAILED, LEN - 1000);
	KUNIT_EXPECT_EQ(test, SUM_CHECK_P_RESULT | SUM_CHECK_Q_RESULT,
			(int)result);

	ldk_fail(chan, 1, DMA_TRANS_READ_FAILED, 0);
	ldk_do_failed(dut, prep_pq_val(chan, par, 0, q->dma, &result, NO_P),
		      DMA_TRANS_READ_FAILED, LEN);
	KUNIT_EXPECT_EQ(test, (int)SUM_CHECK_Q_RESULT, (int)result);

	ldk_fail(chan, 1, DMA_TRANS_ABORTED, 0);
	ldk_do_failed(dut, prep_xor_val(chan, par, &result), DMA_TRANS_ABORTED, LEN);
	KUNIT_EXPECT_EQ(test, (int)SUM_CHECK_P_RESULT, (int)result);
}

/* Rule: after termination the client's memory is its own again, all of it. */
static void check_terminated(struct kunit *test)
{
	const enum sum_check_flags both = SUM_CHECK_P_RESULT |
					  SUM_CHECK_Q_RESULT;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 3, LEN, 1);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 2);
	enum sum_check_flags result[2];
	int i;

	ldk_hold(chan);
	for (i = 0; i < 2; i++) {
		ldk_queue(&x[i], prep_xor_val(chan, par, &result[i]));
		if (!i)
			dma_async_issue_pending(chan);
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
	result[0] = both;
	result[1] = both;
	dmaengine_synchronize(chan);
	ldk_unhold(chan);
	ldk_copy_ok(dut, chan, 64);
	KUNIT_EXPECT_EQ(test, (int)both, (int)result[0]);
	KUNIT_EXPECT_EQ(test, (int)both, (int)result[1]);
	KUNIT_EXPECT_EQ(test, 0, x[0].calls + x[1].calls);
}

/* Rule: a descriptor for reuse checks anew each time (provider.rst). */
static void check_reused(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 3, LEN, 1);
	struct ldk_buf *p = parity_buf(dut, par->p, LEN);
	struct dma_async_tx_descriptor *tx;
	enum sum_check_flags result;
	int i;

	par->addr[par->n++] = p->dma;
	tx = prep_xor_val(chan, par, &result);
	KUNIT_ASSERT_NOT_NULL(test, tx);
	KUNIT_ASSERT_EQ(test, 0, dmaengine_desc_set_reuse(tx));
	for (i = 0; i < 3; i++) {
		if (i)
			ldk_buf_flip(p, LEN / 2);
		ldk_do(dut, tx);
		KUNIT_EXPECT_EQ(test, i == 1 ? (int)SUM_CHECK_P_RESULT : 0,
				(int)result);
	}
	KUNIT_EXPECT_EQ(test, 0, dmaengine_desc_free(tx));
}

/*
 * Rule: whatever one transaction wrote the next one reads; DMA_PREP_FENCE, which
 * async_tx sets where it matters (dmaengine.h), has nothing to add.
 */
static void in_order(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 3, LEN, 1), next = *par;
	struct ldk_buf *xor = ldk_buf_at(dut, LEN, 0, DMA_BIDIRECTIONAL);
	struct ldk_buf *copy = ldk_dst(dut, LEN);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 3);
	enum sum_check_flags result;

	next.addr[next.n++] = xor->dma;
	ldk_queue(&x[0], prep_xor_flags(chan, par, xor->dma, DMA_PREP_FENCE));
	ldk_queue(&x[1], prep_xor_val(chan, &next, &result));
	ldk_start(&x[2], ldk_prep_copy(chan, copy, xor));
	KUNIT_ASSERT_TRUE(test, ldk_wait(&x[2]));
	ldk_expect_ok(&x[0]);
	ldk_expect_ok(&x[1]);
	ldk_expect_ok(&x[2]);
	KUNIT_EXPECT_EQ(test, 0, (int)result);
	ldk_expect_data(dut, copy, par->p);
}

/* Rule: a fault of any of the buffers is told as what it is (dmaengine.h). */
static void faults(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	dma_addr_t bad = ldk_bad_addr(dut), good;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 4, 512, 1);
	struct ldk_buf *p = ldk_dst(dut, 512), *q = ldk_dst(dut, 512);
	enum sum_check_flags result;
	unsigned int i;

	for (i = 0; i < par->n; i++) {
		good = par->addr[i];
		par->addr[i] = bad;
		ldk_do_failed(dut, prep_xor(chan, par, p->dma), DMA_TRANS_READ_FAILED, 512);
		par->addr[i] = good;
	}
	ldk_do_failed(dut, prep_xor(chan, par, bad), DMA_TRANS_WRITE_FAILED, 512);
	ldk_do_failed(dut, prep_pq(chan, par, bad, q->dma, 0), DMA_TRANS_WRITE_FAILED, 512);
	ldk_do_failed(dut, prep_pq(chan, par, p->dma, bad, 0), DMA_TRANS_WRITE_FAILED, 512);
	ldk_do_failed(dut, prep_pq_val(chan, par, p->dma, bad, &result, 0),
		      DMA_TRANS_READ_FAILED, 512);
	ldk_do(dut, prep_pq(chan, par, 0, q->dma, NO_P));
	ldk_expect_untouched(dut, p);
	ldk_expect_data(dut, q, par->q);
}

/*
 * Rule: prep gives NULL for what it cannot do (provider.rst), and nothing is
 * lost with it: the channel goes on.
 */
static void refused(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 4, 64, 1);
	struct ldk_buf *p = ldk_dst(dut, 64), *q = ldk_dst(dut, 64);
	enum sum_check_flags result;
	unsigned int n = par->n;
	size_t len = par->len;

	par->n = 0;
	KUNIT_EXPECT_NULL(test, prep_xor(chan, par, p->dma));
	KUNIT_EXPECT_NULL(test, prep_xor_val(chan, par, &result));
	KUNIT_EXPECT_NULL(test, prep_pq(chan, par, p->dma, q->dma, 0));
	/* Nobody looks at what is behind the end of the array. */
	par->n = chan->device->max_xor + 1;
	KUNIT_EXPECT_NULL(test, prep_xor(chan, par, p->dma));
	KUNIT_EXPECT_NULL(test, prep_xor_val(chan, par, &result));
	KUNIT_EXPECT_NULL(test, prep_pq(chan, par, p->dma, q->dma, 0));
	par->n = n;

	par->len = 0;
	KUNIT_EXPECT_NULL(test, prep_xor(chan, par, p->dma));
	KUNIT_EXPECT_NULL(test, prep_xor_val(chan, par, &result));
	KUNIT_EXPECT_NULL(test, prep_pq(chan, par, p->dma, q->dma, 0));
	par->len = len;

	KUNIT_EXPECT_NULL(test, prep_xor_val(chan, par, NULL));
	KUNIT_EXPECT_NULL(test, prep_pq_val(chan, par, p->dma, q->dma, NULL,
					    0));
	KUNIT_EXPECT_NULL(test, prep_pq_val(chan, par, p->dma, q->dma, &result,
					    DMA_PREP_CONTINUE));
	KUNIT_EXPECT_NULL(test, prep_pq(chan, par, p->dma, q->dma,
					NO_P | NO_Q));
	KUNIT_EXPECT_NULL(test, prep_pq(chan, par, p->dma, p->dma, 0));
	KUNIT_EXPECT_NULL(test, prep_pq(chan, par, p->dma, p->dma + 63, 0));
	KUNIT_EXPECT_NULL(test, prep_xor(chan, par, par->addr[1] + 1));
	KUNIT_EXPECT_NULL(test, prep_pq(chan, par, p->dma, par->addr[3] - 1,
					0));
	KUNIT_EXPECT_NULL(test, prep_pq(chan, par, ~(dma_addr_t)0, q->dma, 0));

	ldk_do(dut, prep_pq(chan, par, p->dma, q->dma, 0));
	ldk_expect_data(dut, p, par->p);
	ldk_expect_data(dut, q, par->q);
}

/* Rule: xor_align and pq_align are logarithms, and are kept (dmaengine.h). */
static void aligned(struct kunit *test)
{
	struct loopdma_fake_config cfg = loopdma_fake_default;
	struct ldk_buf *p, *q;
	struct ldk_dut *dut;
	struct dma_chan *chan;
	struct parity *par;

	cfg.copy_align = 4;
	dut = ldk_create_fake(test, &cfg);
	chan = parity_request(dut);
	KUNIT_EXPECT_EQ(test, 4, (int)chan->device->xor_align);
	KUNIT_EXPECT_EQ(test, 4, (int)chan->device->pq_align);
	KUNIT_EXPECT_EQ(test, 4, (int)chan->device->fill_align);

	par = parity_make(dut, 3, 64, 16);
	p = ldk_dst(dut, 80);
	q = ldk_dst(dut, 80);
	KUNIT_EXPECT_NULL(test, prep_xor(chan, par, p->dma + 8));
	KUNIT_EXPECT_NULL(test, prep_pq(chan, par, p->dma, q->dma + 1, 0));
	par->addr[2] += 4;
	KUNIT_EXPECT_NULL(test, prep_xor(chan, par, p->dma));
	par->addr[2] -= 4;
	par->len = 56;
	KUNIT_EXPECT_NULL(test, prep_xor(chan, par, p->dma));
	par->len = 64;
	ldk_do(dut, prep_xor(chan, par, p->dma + 16));
}

/*
 * Rule: prep gives NULL when there is nothing left to prepare with, which
 * async_tx answers by waiting, and works again when something has ended.
 */
static void exhausted(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 2, 64, 1);
	struct ldk_buf *dst = ldk_dst(dut, 64);
	struct dma_async_tx_descriptor *tx;
	struct ldk_xfer *x, *last = NULL;
	unsigned int n;

	x = ldk_xfers(dut, chan, ldk_pool_size(chan));
	ldk_hold(chan);
	for (n = 0; n < ldk_pool_size(chan); n++) {
		tx = prep_xor(chan, par, dst->dma);
		if (!tx)
			break;
		last = &x[n];
		ldk_queue(last, tx);
	}
	KUNIT_ASSERT_GT(test, n, 16);
	KUNIT_ASSERT_LT(test, n, ldk_pool_size(chan));
	/* Others do not suffer. */
	KUNIT_EXPECT_NOT_NULL(test, ldk_prep_copy(chan, dst, par->src[1]));

	dma_async_issue_pending(chan);
	ldk_unhold(chan);
	ldk_finish(last);
	dmaengine_synchronize(chan);
	for (; n; n--)
		KUNIT_ASSERT_NOT_NULL(test, prep_xor(chan, par, dst->dma));
}

/* Rule: terminated ones give back what they hold, again and again. */
static void terminated(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = parity_request(dut);
	struct parity *par = parity_make(dut, 2, 64, 1);
	struct ldk_buf *dst = ldk_dst(dut, 64);
	struct ldk_xfer *x = ldk_xfers(dut, chan, 1);
	int round, i;

	ldk_hold(chan);
	for (round = 0; round < 20; round++) {
		for (i = 0; i < 20; i++)
			ldk_queue(x, prep_xor(chan, par, dst->dma));
		dma_async_issue_pending(chan);
		KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	}
	ldk_unhold(chan);
	KUNIT_EXPECT_EQ(test, 0, x->calls);
	ldk_expect_untouched(dut, dst);
}

static struct kunit_case parity_cases[] = {
	KUNIT_CASE(xor_sources),
	KUNIT_CASE(xor_into_source),
	KUNIT_CASE_PARAM(pq_sources, pq_flags_gen_params),
	KUNIT_CASE_PARAM(pq_continued, pq_flags_gen_params),
	KUNIT_CASE(pq_into_source),
	KUNIT_CASE(long_ones),
	KUNIT_CASE(xor_checked),
	KUNIT_CASE_PARAM(pq_checked, pq_flags_gen_params),
	KUNIT_CASE(check_failed),
	KUNIT_CASE(check_terminated),
	KUNIT_CASE(check_reused),
	KUNIT_CASE(in_order),
	KUNIT_CASE(faults),
	KUNIT_CASE(refused),
	KUNIT_CASE(aligned),
	KUNIT_CASE(exhausted),
	KUNIT_CASE(terminated),
	{ }
};

static struct kunit_suite parity_suite = {
	.name = "loopdma_parity",
	.suite_init = parity_suite_init,
	.init = ldk_init,
	.exit = ldk_exit,
	.test_cases = parity_cases,
};

kunit_test_suite(parity_suite);
