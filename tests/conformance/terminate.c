// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine conformance: ending what is under way, and knowing that it has ended.
 */
#include <linux/cpumask.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/ktime.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/string.h>

#include "conform.h"

#define N 8

static struct dma_chan *request(struct dct *d)
{
	struct dma_chan *chan = dct_request(d, DMA_MEMCPY);

	dct_need_terminate(d, chan);
	return chan;
}

/*
 * Rule 52 (client.rst, dmaengine_terminate_async(), dmaengine_synchronize()): a
 * channel that has nothing to do can be terminated, and terminated again.
 */
static void terminate_idle(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	int i;

	for (i = 0; i < 2; i++) {
		KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
		KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
		dmaengine_synchronize(chan);
		dmaengine_synchronize(chan);
		KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
		dct_copy_ok(d, chan, DCT_LEN);
	}
}

/* IN_FLIGHT: issued, and certain not to be complete. */
enum stage { PREPARED, SUBMITTED, ISSUED, IN_FLIGHT, MIXED };

static const enum stage stages[] = { PREPARED, SUBMITTED, ISSUED, IN_FLIGHT, MIXED };

static void stage_desc(const enum stage *stage, char *desc)
{
	static const char * const names[] = {
		[PREPARED] = "prepared", [SUBMITTED] = "submitted",
		[ISSUED] = "issued", [IN_FLIGHT] = "in_flight", [MIXED] = "mixed",
	};

	strscpy(desc, names[*stage], KUNIT_PARAM_DESC_SIZE);
}

KUNIT_ARRAY_PARAM(stages, stages, stage_desc);

/* Terminates what the device cannot have told the end of, see dct_on_its_cpu(). */
static int issue_and_terminate(struct kunit *test, struct dma_chan *chan)
{
	bool off;
	int err;

	local_irq_disable();
	dma_async_issue_pending(chan);
	err = dmaengine_terminate_async(chan);
	off = irqs_disabled();
	local_irq_enable();
	KUNIT_EXPECT_TRUE(test, off);
	return err;
}

/*
 * Rule 49 (provider.rst, device_terminate_all; client.rst,
 * dmaengine_terminate_async()): what is not complete does not come to an end, and
 * its client is not called back.
 * It does not sleep, so it can be called with interrupts off.
 * Rule 66 (dmaengine.h, enum dma_status): what is terminated is not told as complete
 * before something else is.
 * Rule 50 (provider.rst, device_synchronize): once it is synchronized, nobody is
 * called back any more, and no memory is touched.
 * Rule 52 (client.rst, dmaengine_terminate_async(), dmaengine_synchronize()):
 * whatever the state was.
 */
static void terminate_at(struct kunit *test)
{
	enum stage stage = *(const enum stage *)test->param_value;
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct dct_xfer *x = dct_copies(d, chan, N, DCT_LONG);
	unsigned int calls[N];
	int i, err;

	if (stage == IN_FLIGHT)
		dct_on_its_cpu(d, chan);
	for (i = 0; i < N; i++) {
		if (stage == PREPARED || (stage == MIXED && i == N - 1))
			KUNIT_ASSERT_NOT_ERR_OR_NULL(test,
						     dct_prep(&x[i], DCT_FLAGS));
		else
			dct_submit_copies(&x[i], 1);
		if ((stage == ISSUED && i == N - 1) ||
		    (stage == MIXED && i == N / 2))
			dma_async_issue_pending(chan);
	}
	err = stage == IN_FLIGHT ? issue_and_terminate(test, chan) :
				   dmaengine_terminate_async(chan);
	KUNIT_EXPECT_EQ(test, 0, err);
	dmaengine_synchronize(chan);

	for (i = 0; i < N && !dct_failed(d); i++) {
		calls[i] = READ_ONCE(x[i].calls);
		if (stage == IN_FLIGHT)
			KUNIT_EXPECT_EQ(test, 0, calls[i]);
		if (stage == IN_FLIGHT && dct_in_order(chan))
			KUNIT_EXPECT_NE(test, (int)DMA_COMPLETE, (int)dct_status(&x[i]));
		if (stage < ISSUED || (stage == MIXED && i > N / 2))
			dct_unaffected(&x[i]);
		dct_refill(d, x[i].dst);
	}
	dct_quiet();
	for (i = 0; i < N && !dct_failed(d); i++) {
		KUNIT_EXPECT_EQ(test, calls[i], x[i].calls);
		KUNIT_EXPECT_LE(test, calls[i], 1);
		dct_check(d, x[i].dst);
		dct_check(d, x[i].src);
	}
	/* Nor are they when others are issued, one after the other. */
	for (i = 0; i < 2; i++)
		dct_copy_ok(d, chan, DCT_LEN);
	for (i = 0; i < N && !dct_failed(d); i++) {
		KUNIT_EXPECT_EQ(test, calls[i], x[i].calls);
		dct_check(d, x[i].dst);
	}
}

/*
 * Rule 49 (provider.rst, device_terminate_all; client.rst,
 * dmaengine_terminate_async()): of what has been terminated on the way only those
 * that were complete are called back.
 */
static void called_back_is_complete(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct dct_xfer *x = dct_copies(d, chan, N, SZ_64K);
	int i;

	dct_issue_copies(x, N);
	KUNIT_ASSERT_TRUE(test, dct_wait(&x[0]));
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	for (i = 0; i < N; i++)
		if (x[i].calls &&
		    x[i].result.result == DMA_TRANS_NOERROR)
			dct_finish_copies(&x[i], 1);
		else
			KUNIT_EXPECT_EQ(test, 0, x[i].calls);
}

/*
 * Rule 51 (client.rst, dmaengine_terminate_async(); dmaengine.h, dma_cookie_t):
 * the channel is as good as before, and its cookies go on from where they were.
 */
static void cookies_go_on(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct dct_xfer *x = dct_copies(d, chan, N, DCT_LEN);
	struct dma_tx_state before, after;
	int i;

	for (i = 0; i < N - 1; i++) {
		dct_submit_copies(&x[i], 1);
		if (i == N / 2)
			dma_async_issue_pending(chan);
	}
	dmaengine_tx_status(chan, x[0].cookie, &before);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	dmaengine_tx_status(chan, x[0].cookie, &after);
	if (dct_in_order(chan)) {
		KUNIT_EXPECT_GE(test, after.last, before.last);
		KUNIT_EXPECT_EQ(test, before.used, after.used);
	}
	dct_submit_copies(&x[N - 1], 1);
	KUNIT_EXPECT_GT(test, x[N - 1].cookie, x[N - 2].cookie);
	dma_async_issue_pending(chan);
	dct_finish_copies(&x[N - 1], 1);
}

/**
 * struct meeting - of a callback that is running with dmaengine_synchronize()
 * @started: the callback has begun
 * @cpu: where
 * @called: dmaengine_synchronize() is called
 * @returned: it has returned
 * @met: the callback has seen it called
 * @early: the callback has seen it return
 */
struct meeting {
	struct completion started;
	unsigned int cpu;
	bool called;
	bool returned;
	bool met;
	bool early;
};

/* Runs until it is waited for, but not for ever; and then for a while. */
static void be_waited_for(struct dct_xfer *x)
{
	struct meeting *m = x->priv;
	ktime_t end = ktime_add_ms(ktime_get(), 100);

	m->cpu = smp_processor_id();
	complete_all(&m->started);
	while (!READ_ONCE(m->called) && ktime_before(ktime_get(), end))
		cpu_relax();
	m->met = READ_ONCE(m->called);
	end = ktime_add_ms(ktime_get(), 20);
	while (m->met && !m->early && ktime_before(ktime_get(), end)) {
		cpu_relax();
		m->early = READ_ONCE(m->returned);
	}
}

/*
 * Rule 50 (provider.rst, device_synchronize; client.rst, dmaengine_synchronize()):
 * it waits for the callback that is running.
 */
static void synchronize_waits(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct dct_xfer *x = dct_copies(d, chan, 4, DCT_LEN);
	struct meeting *m;
	int i;

	if (num_online_cpus() < 2)
		kunit_skip(test, "no CPU can call while another runs the callback");
	m = dct_alloc(d, 4 * sizeof(*m));
	for (i = 0; i < 4; i++) {
		init_completion(&m[i].started);
		x[i].hook = be_waited_for;
		x[i].priv = &m[i];
		dct_issue_copies(&x[i], 1);
		KUNIT_ASSERT_TRUE(test, dct_poll(completion_done(&m[i].started)));
		KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_async(chan));
		WRITE_ONCE(m[i].called, true);
		dmaengine_synchronize(chan);
		WRITE_ONCE(m[i].returned, true);
		KUNIT_ASSERT_TRUE(test, dct_wait(&x[i]));
		KUNIT_EXPECT_FALSE_MSG(test, m[i].early, "the callback is running");
		if (m[i].met)
			return;
		/* It was on our CPU, or we were late: call from another. */
		set_cpus_allowed_ptr(current, cpumask_of(cpumask_any_but(cpu_online_mask,
									 m[i].cpu)));
	}
	kunit_skip(test, "no CPU could call while the callback ran");
}

/*
 * Rule 59 (provider.rst, device_terminate_all): it aborts what is pending and
 * ongoing.  What is prepared, by another thread say, is neither, and not freed:
 * to submit it is no use after free.
 */
static void prepared_survives(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct dct_xfer *x = dct_copies(d, chan, N, DCT_LEN);
	struct dma_async_tx_descriptor *tx[N];
	int i;

	dct_need_risk(d, "those that use virt-dma, whose vchan_get_all_descriptors() frees it");
	for (i = 0; i < N; i++)
		tx[i] = dct_prep_new(&x[i], DCT_FLAGS);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	for (i = 0; i < N; i++)
		if (!dct_submit(&x[i], tx[i]))
			x[i].cookie = 0;
	dma_async_issue_pending(chan);
	for (i = 0; i < N; i++)
		if (x[i].cookie)
			dct_finish_copies(&x[i], 1);
		else
			dct_unaffected(&x[i]);
}

/**
 * struct submitter - a thread that keeps a channel busy
 * @x: its transactions
 * @n: how many are submitted so far
 */
struct submitter {
	struct dct_xfer *x;
	unsigned int n;
};

static int submit_all(void *data)
{
	struct submitter *s = data;

	while (!kthread_should_stop()) {
		struct dct_xfer *x = &s->x[s->n % N];
		struct dma_async_tx_descriptor *tx = dct_prep(x, DCT_FLAGS);

		if (!IS_ERR_OR_NULL(tx) && dct_submit(x, tx))
			dma_async_issue_pending(x->chan);
		WRITE_ONCE(s->n, s->n + 1);
		cond_resched();
	}
	return 0;
}

/*
 * Rule 49 (provider.rst, device_terminate_all; client.rst,
 * dmaengine_terminate_async()): it can be called while others submit.
 * Rule 59 (provider.rst, device_terminate_all): what they have prepared is theirs.
 */
static void terminate_against_submit(struct kunit *test)
{
	struct dct *d = test->priv;
	struct dma_chan *chan = request(d);
	struct submitter *s = dct_alloc(d, sizeof(*s));
	struct task_struct *task;
	int i, err = 0;

	s->x = dct_copies(d, chan, N, SZ_4K);
	task = kthread_run(submit_all, s, "dmaengine_submit");
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, task);
	for (i = 0; i < 20; i++) {
		unsigned int n = READ_ONCE(s->n);

		err = err ?: dmaengine_terminate_async(chan);
		dct_poll(READ_ONCE(s->n) != n);
	}
	kthread_stop(task);
	KUNIT_EXPECT_EQ(test, 0, err);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(chan));
	for (i = 0; i < N; i++)
		dct_refill(d, s->x[i].dst);
	dct_quiet();
	for (i = 0; i < N; i++)
		dct_check(d, s->x[i].dst);
	dct_copy_ok(d, chan, DCT_LEN);
}

static struct kunit_case terminate_cases[] = {
	KUNIT_CASE(terminate_idle),
	KUNIT_CASE_PARAM(terminate_at, stages_gen_params),
	KUNIT_CASE(called_back_is_complete),
	KUNIT_CASE(cookies_go_on),
	KUNIT_CASE(synchronize_waits),
	KUNIT_CASE(prepared_survives),
	KUNIT_CASE(terminate_against_submit),
	{ }
};

DCT_SUITE("dmaengine_terminate", terminate_cases);
