// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_trace: the tracepoints.
 *
 * Probes take note of what each event is told, of one channel.
 */
#include <linux/cpumask.h>
#include <linux/module.h>

#include "trace.h"
#include "dut.h"

#define LEN 256
#define SEEN 64

static bool tracing;
module_param(tracing, bool, 0444);
MODULE_PARM_DESC(tracing,
		 "Switch tracepoints on with several CPUs, too, which emulators may not survive (default N)");

enum event {
	PREPARE, SUBMIT, ISSUE, START, INTERRUPT, FAULT, COMPLETE, ERROR,
	TERMINATE,
};

/**
 * struct seen - an event
 * @event: which one
 * @d: descriptor
 * @cookie: of the descriptor, or the last of the channel
 * @op: opcode
 * @len: bytes
 * @result: outcome
 * @residue: bytes not moved
 * @count: transactions, or entries
 * @addr: address of a fault
 * @status: of a fault
 */
struct seen {
	enum event event;
	const struct loopdma_desc *d;
	dma_cookie_t cookie;
	u8 op;
	u32 len;
	u32 result;
	u32 residue;
	u32 count;
	u64 addr;
	u32 status;
};

/**
 * struct watch - what is seen of a channel
 * @lc: channel, or NULL
 * @n: number of events
 * @seen: the first of them
 */
struct watch {
	const struct loopdma_chan *lc;
	atomic_t n;
	struct seen seen[SEEN];
};

static struct watch watch;

static struct seen *note(const struct loopdma_chan *lc, enum event event)
{
	struct seen *s;
	unsigned int i;

	if (lc != READ_ONCE(watch.lc))
		return NULL;
	i = atomic_fetch_inc(&watch.n);
	if (i >= SEEN)
		return NULL;
	s = &watch.seen[i];
	s->event = event;
	s->cookie = lc->chan.cookie;
	return s;
}

static struct seen *note_desc(const struct loopdma_chan *lc,
			      const struct loopdma_desc *d, enum event event)
{
	struct seen *s = note(lc, event);

	if (!s)
		return NULL;
	s->d = d;
	s->cookie = d->tx.cookie;
	s->op = d->op;
	s->len = d->len;
	s->result = d->result;
	s->residue = d->residue;
	return s;
}

static void on_prepare(void *data, const struct loopdma_chan *lc,
		       const struct loopdma_desc *d)
{
	note_desc(lc, d, PREPARE);
}

static void on_submit(void *data, const struct loopdma_chan *lc,
		      const struct loopdma_desc *d)
{
	note_desc(lc, d, SUBMIT);
}

static void on_complete(void *data, const struct loopdma_chan *lc,
			const struct loopdma_desc *d)
{
	note_desc(lc, d, COMPLETE);
}

static void on_error(void *data, const struct loopdma_chan *lc,
		     const struct loopdma_desc *d)
{
	note_desc(lc, d, ERROR);
}

static void on_fault(void *data, const struct loopdma_chan *lc,
		     const struct loopdma_desc *d,
		     const struct loopdma_hw_desc *hw)
{
	struct seen *s = note_desc(lc, d, FAULT);

	if (!s)
		return;
	s->addr = le64_to_cpu(hw->fault_addr);
	s->status = loopdma_desc_status(hw);
}

static void note_count(const struct loopdma_chan *lc, enum event event,
		       u32 count)
{
	struct seen *s = note(lc, event);

	if (s)
		s->count = count;
}

static void on_issue(void *data, const struct loopdma_chan *lc, u32 count)
{
	note_count(lc, ISSUE, count);
}

static void on_start(void *data, const struct loopdma_chan *lc, u32 entries)
{
	note_count(lc, START, entries);
}

static void on_terminate(void *data, const struct loopdma_chan *lc, u32 count)
{
	note_count(lc, TERMINATE, count);
}

static void on_interrupt(void *data, const struct loopdma_chan *lc)
{
	note(lc, INTERRUPT);
}

static void unwatch(void *data)
{
	unregister_trace_loopdma_prepare(on_prepare, NULL);
	unregister_trace_loopdma_submit(on_submit, NULL);
	unregister_trace_loopdma_issue(on_issue, NULL);
	unregister_trace_loopdma_start(on_start, NULL);
	unregister_trace_loopdma_interrupt(on_interrupt, NULL);
	unregister_trace_loopdma_fault(on_fault, NULL);
	unregister_trace_loopdma_complete(on_complete, NULL);
	unregister_trace_loopdma_error(on_error, NULL);
	unregister_trace_loopdma_terminate(on_terminate, NULL);
	tracepoint_synchronize_unregister();
}

/* Have the events noted from now on to the end of the case. */
static struct dma_chan *watched(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan;
	int err;

	if (!IS_ENABLED(CONFIG_TRACEPOINTS))
		kunit_skip(test, "this kernel has no tracepoints");
	if (num_online_cpus() > 1 && !tracing)
		kunit_skip(test, "several CPUs, and no tracing=1");
	chan = ldk_request(dut);
	memset(&watch, 0, sizeof(watch));
	watch.lc = to_loopdma_chan(chan);
	err = register_trace_loopdma_prepare(on_prepare, NULL) ?:
	      register_trace_loopdma_submit(on_submit, NULL) ?:
	      register_trace_loopdma_issue(on_issue, NULL) ?:
	      register_trace_loopdma_start(on_start, NULL) ?:
	      register_trace_loopdma_interrupt(on_interrupt, NULL) ?:
	      register_trace_loopdma_fault(on_fault, NULL) ?:
	      register_trace_loopdma_complete(on_complete, NULL) ?:
	      register_trace_loopdma_error(on_error, NULL) ?:
	      register_trace_loopdma_terminate(on_terminate, NULL);
	KUNIT_ASSERT_EQ(test, 0, err);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, unwatch,
							   NULL));
	return chan;
}

/* The next event of a kind from *@at on, which is moved behind it. */
static const struct seen *next(struct kunit *test, unsigned int *at,
			       enum event event)
{
	unsigned int n = min(atomic_read(&watch.n), SEEN);

	while (*at < n)
		if (watch.seen[(*at)++].event == event)
			return &watch.seen[*at - 1];
	KUNIT_FAIL_AND_ABORT(test, "no event %d, or not in its place", event);
}

static unsigned int count(enum event event)
{
	unsigned int n = min(atomic_read(&watch.n), SEEN), i, found = 0;

	for (i = 0; i < n; i++)
		found += watch.seen[i].event == event;
	return found;
}

/* Rule: a copy is seen at each of its steps, in their order, once. */
static void copy_traced(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = watched(test);
	struct ldk_buf *src = ldk_src(dut, LEN), *dst = ldk_dst(dut, LEN);
	struct ldk_xfer *x = ldk_begin(dut, ldk_prep_copy(chan, dst, src));
	const struct loopdma_desc *d;
	const struct seen *s;
	unsigned int at = 0;

	ldk_finish(x);

	s = next(test, &at, PREPARE);
	d = s->d;
	KUNIT_EXPECT_EQ(test, LOOPDMA_OP_COPY, (int)s->op);
	KUNIT_EXPECT_EQ(test, LEN, s->len);
	s = next(test, &at, SUBMIT);
	KUNIT_EXPECT_PTR_EQ(test, d, s->d);
	KUNIT_EXPECT_EQ(test, x->cookie, s->cookie);
	KUNIT_EXPECT_EQ(test, LEN, s->len);
	s = next(test, &at, ISSUE);
	KUNIT_EXPECT_EQ(test, 1, s->count);
	KUNIT_EXPECT_EQ(test, x->cookie, s->cookie);
	KUNIT_EXPECT_EQ(test, 1, next(test, &at, START)->count);
	next(test, &at, INTERRUPT);
	s = next(test, &at, COMPLETE);
	KUNIT_EXPECT_PTR_EQ(test, d, s->d);
	KUNIT_EXPECT_EQ(test, x->cookie, s->cookie);
	KUNIT_EXPECT_EQ(test, LEN, s->len);
	KUNIT_EXPECT_EQ(test, (u32)DMA_TRANS_NOERROR, s->result);
	KUNIT_EXPECT_EQ(test, 0, s->residue);

	KUNIT_EXPECT_EQ(test, 1, count(PREPARE));
	KUNIT_EXPECT_EQ(test, 1, count(SUBMIT));
	KUNIT_EXPECT_EQ(test, 1, count(COMPLETE));
	KUNIT_EXPECT_EQ(test, 0, count(ERROR));
	KUNIT_EXPECT_EQ(test, 0, count(TERMINATE));
}

/* Rule: what is issued together is one event, and so is its doorbell. */
static void batch_traced(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = watched(test);
	struct ldk_xfer *x = ldk_copies_issued(dut, chan, 3, LEN);
	unsigned int i, at = 0;
	const struct seen *s;

	/* There is nothing left to issue. */
	dma_async_issue_pending(chan);
	ldk_expect_copied(x, 3);

	s = next(test, &at, ISSUE);
	KUNIT_EXPECT_EQ(test, 3, s->count);
	KUNIT_EXPECT_EQ(test, x[2].cookie, s->cookie);
	KUNIT_EXPECT_EQ(test, 3, next(test, &at, START)->count);
	for (i = 0; i < 3; i++)
		KUNIT_EXPECT_EQ(test, x[i].cookie,
				next(test, &at, COMPLETE)->cookie);
	KUNIT_EXPECT_EQ(test, 1, count(ISSUE));
	KUNIT_EXPECT_EQ(test, 1, count(START));
}

/* Rule: an error is seen with what the device says of it, and what the client is told. */
static void error_traced(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = watched(test);
	dma_addr_t bad = ldk_bad_addr(dut);
	struct ldk_buf *src = ldk_src(dut, LEN);
	struct ldk_xfer *x;
	const struct seen *s;
	unsigned int at = 0;

	x = ldk_begin(dut, dmaengine_prep_dma_memcpy(chan, bad, src->dma, LEN,
						     DMA_PREP_INTERRUPT));
	ldk_finish_failed(x, DMA_TRANS_WRITE_FAILED, LEN);

	s = next(test, &at, FAULT);
	KUNIT_EXPECT_EQ(test, x->cookie, s->cookie);
	KUNIT_EXPECT_EQ(test, (u32)LOOPDMA_ST_WRITE, s->status);
	KUNIT_EXPECT_EQ(test, (u64)bad, s->addr);
	s = next(test, &at, ERROR);
	KUNIT_EXPECT_EQ(test, x->cookie, s->cookie);
	KUNIT_EXPECT_EQ(test, LEN, s->len);
	KUNIT_EXPECT_EQ(test, (u32)DMA_TRANS_WRITE_FAILED, s->result);
	KUNIT_EXPECT_EQ(test, LEN, s->residue);
	KUNIT_EXPECT_EQ(test, 0, count(COMPLETE));
}

/* Rule: termination is one event; what it ends is not seen to end otherwise. */
static void terminate_traced(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *chan = watched(test);
	struct ldk_xfer *x = ldk_copies(dut, chan, 3, LEN);
	const struct seen *s;
	unsigned int at = 0;

	ldk_hold(chan);
	ldk_start_copy(&x[0]);
	ldk_start_copy(&x[1]);
	ldk_queue_copy(&x[2]);
	dmaengine_terminate_sync(chan);

	s = next(test, &at, TERMINATE);
	KUNIT_EXPECT_EQ(test, 3, s->count);
	KUNIT_EXPECT_EQ(test, x[2].cookie, s->cookie);
	KUNIT_EXPECT_EQ(test, 1, count(TERMINATE));
	KUNIT_EXPECT_EQ(test, 0, count(COMPLETE));
	KUNIT_EXPECT_EQ(test, 0, count(ERROR));
	KUNIT_EXPECT_EQ(test, 0, count(FAULT));
}

static struct kunit_case trace_cases[] = {
	KUNIT_CASE(copy_traced),
	KUNIT_CASE(batch_traced),
	KUNIT_CASE(error_traced),
	KUNIT_CASE(terminate_traced),
	{}
};

LDK_SUITE("loopdma_trace", trace_cases);
