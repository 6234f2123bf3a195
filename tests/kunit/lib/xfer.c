// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: the device under test: transactions, and what their callbacks see.
 */
#include <linux/cpumask.h>
#include <linux/hardirq.h>
#include <linux/string.h>
#include <linux/workqueue.h>

#include "dut.h"

/**
 * ldk_callback() - callback_result of all transactions
 * @param: the transaction
 * @result: from the driver
 *
 * Only takes notes: an assertion here would end the thread that it interrupts.
 */
void ldk_callback(void *param, const struct dmaengine_result *result)
{
	struct ldk_xfer *x = param;
	struct dma_tx_state state;

	WRITE_ONCE(x->calls, x->calls + 1);
	x->stamp = atomic_inc_return(&x->dut->stamp);
	if (result)
		x->result = *result;
	x->bad_context = !in_serving_softirq() || in_hardirq() ||
			 irqs_disabled();
	x->locked = ldk_lock_held(x->chan);
	if (!x->locked) {
		x->status = dmaengine_tx_status(x->chan, x->cookie, &state);
		x->residue = state.residue;
		if (x->hook)
			x->hook(x);
	}
	complete_all(&x->done);
}

/**
 * ldk_xfer_init() - a transaction to be
 * @x: transaction
 * @dut: device
 * @chan: channel
 */
void ldk_xfer_init(struct ldk_xfer *x, struct ldk_dut *dut,
		   struct dma_chan *chan)
{
	memset(x, 0, sizeof(*x));
	x->dut = dut;
	x->chan = chan;
	/* What no callback is to find, so that it cannot pass for its word. */
	x->status = DMA_IN_PROGRESS;
	x->result.result = DMA_TRANS_ABORTED + 1;
	init_completion(&x->done);
}

/**
 * ldk_xfers() - several transactions to be
 * @dut: device; they go with the case
 * @chan: channel
 * @n: how many
 *
 * Return: an array; the case is aborted if there is no memory.
 */
struct ldk_xfer *ldk_xfers(struct ldk_dut *dut, struct dma_chan *chan,
			   unsigned int n)
{
	unsigned int i;
	struct ldk_xfer *x = ldk_alloc(dut->test, n * sizeof(*x));

	for (i = 0; i < n; i++)
		ldk_xfer_init(&x[i], dut, chan);
	return x;
}

/**
 * ldk_submit() - submit a prepared transaction
 * @x: transaction; its callback is set
 * @tx: descriptor
 *
 * Any context.
 *
 * Return: true if it was accepted.
 */
bool ldk_submit(struct ldk_xfer *x, struct dma_async_tx_descriptor *tx)
{
	tx->callback_result = ldk_callback;
	tx->callback_param = x;
	x->cookie = dmaengine_submit(tx);
	return !dma_submit_error(x->cookie);
}

/**
 * ldk_prep_copy() - prepare a copy
 * @chan: channel
 * @dst: memory written; its length counts
 * @src: memory read
 *
 * Return: descriptor or NULL.
 */
struct dma_async_tx_descriptor *ldk_prep_copy(struct dma_chan *chan,
					      struct ldk_buf *dst,
					      struct ldk_buf *src)
{
	return dmaengine_prep_dma_memcpy(chan, dst->dma, src->dma, dst->len,
					 LDK_FLAGS);
}

/**
 * ldk_queue() - submit a transaction, which the caller issues
 * @x: transaction
 * @tx: its descriptor; the case is aborted if it is NULL, or refused
 */
void ldk_queue(struct ldk_xfer *x, struct dma_async_tx_descriptor *tx)
{
	KUNIT_ASSERT_NOT_NULL(x->dut->test, tx);
	KUNIT_ASSERT_TRUE(x->dut->test, ldk_submit(x, tx));
}

/**
 * ldk_submit_copy() - prepare and submit a copy
 * @x: transaction
 * @dst: memory written; its length counts
 * @src: memory read
 *
 * The case is aborted if it is not accepted.
 */
void ldk_submit_copy(struct ldk_xfer *x, struct ldk_buf *dst,
		     struct ldk_buf *src)
{
	ldk_queue(x, ldk_prep_copy(x->chan, dst, src));
}

/**
 * ldk_xfer_again() - a transaction to be once more
 * @x: transaction, which has ended; keeps its memory
 */
void ldk_xfer_again(struct ldk_xfer *x)
{
	struct ldk_buf *dst = x->dst, *src = x->src;

	ldk_xfer_init(x, x->dut, x->chan);
	x->dst = dst;
	x->src = src;
}

/**
 * ldk_copies() - copies to be, with memory of their own
 * @dut: device; they go with the case
 * @chan: channel
 * @n: how many
 * @len: of each
 *
 * Return: an array.
 */
struct ldk_xfer *ldk_copies(struct ldk_dut *dut, struct dma_chan *chan,
			    unsigned int n, size_t len)
{
	struct ldk_xfer *x = ldk_xfers(dut, chan, n);
	unsigned int i;

	for (i = 0; i < n; i++) {
		x[i].src = ldk_src(dut, len);
		x[i].dst = ldk_dst(dut, len);
	}
	return x;
}

/**
 * ldk_copies_submitted() - copies that are submitted, and that the caller issues
 * @dut: device
 * @chan: channel
 * @n: how many
 * @len: of each
 *
 * Return: an array.
 */
struct ldk_xfer *ldk_copies_submitted(struct ldk_dut *dut, struct dma_chan *chan,
				      unsigned int n, size_t len)
{
	struct ldk_xfer *x = ldk_copies(dut, chan, n, len);
	unsigned int i;

	for (i = 0; i < n; i++)
		ldk_queue_copy(&x[i]);
	return x;
}

/**
 * ldk_copies_issued() - copies that are submitted and issued, together
 * @dut: device
 * @chan: channel
 * @n: how many
 * @len: of each
 *
 * Return: an array.
 */
struct ldk_xfer *ldk_copies_issued(struct ldk_dut *dut, struct dma_chan *chan,
				   unsigned int n, size_t len)
{
	struct ldk_xfer *x = ldk_copies_submitted(dut, chan, n, len);

	dma_async_issue_pending(chan);
	return x;
}

/**
 * ldk_prep() - prepare a copy that has its memory
 * @x: copy
 * @flags: DMA_PREP_INTERRUPT and the like
 *
 * Return: descriptor or NULL.
 */
struct dma_async_tx_descriptor *ldk_prep(struct ldk_xfer *x, unsigned long flags)
{
	return dmaengine_prep_dma_memcpy(x->chan, x->dst->dma, x->src->dma,
					 x->dst->len, flags);
}

/**
 * ldk_queue_copy() - prepare and submit a copy that has its memory
 * @x: copy; the caller issues it
 */
void ldk_queue_copy(struct ldk_xfer *x)
{
	ldk_queue(x, ldk_prep(x, LDK_FLAGS));
}

/**
 * ldk_start_copy() - prepare, submit and issue a copy that has its memory
 * @x: copy
 */
void ldk_start_copy(struct ldk_xfer *x)
{
	ldk_start(x, ldk_prep(x, LDK_FLAGS));
}

/**
 * ldk_expect_copied() - copies must come to a good end
 * @x: the first of them
 * @n: how many
 */
void ldk_expect_copied(struct ldk_xfer *x, unsigned int n)
{
	for (; n--; x++) {
		ldk_finish(x);
		ldk_expect_moved(x->dut, x->dst, x->src);
	}
}

/**
 * ldk_expect_aborted() - copies must end as aborted before they have begun
 * @x: the first of them
 * @n: how many
 */
void ldk_expect_aborted(struct ldk_xfer *x, unsigned int n)
{
	for (; n--; x++) {
		ldk_finish_failed(x, DMA_TRANS_ABORTED, x->dst->len);
		ldk_expect_untouched(x->dut, x->dst);
	}
}

/**
 * ldk_expect_unaffected() - copies must not have happened, nor be told of
 * @x: the first of them
 * @n: how many
 */
void ldk_expect_unaffected(struct ldk_xfer *x, unsigned int n)
{
	for (; n--; x++) {
		KUNIT_EXPECT_EQ(x->dut->test, 0, x->calls);
		ldk_expect_untouched(x->dut, x->dst);
	}
}

/**
 * ldk_prep_slave() - prepare a slave transfer of one buffer
 * @chan: channel, configured for the direction
 * @addr: bus address
 * @len: bytes
 * @dir: direction
 *
 * Return: the descriptor, or NULL.
 */
struct dma_async_tx_descriptor *
ldk_prep_slave(struct dma_chan *chan, dma_addr_t addr, size_t len,
	       enum dma_transfer_direction dir)
{
	return dmaengine_prep_slave_single(chan, addr, len, dir,
					   DMA_PREP_INTERRUPT);
}

/**
 * ldk_start() - submit a transaction and issue it
 * @x: transaction
 * @tx: its descriptor; the case is aborted if it is NULL, or refused
 */
void ldk_start(struct ldk_xfer *x, struct dma_async_tx_descriptor *tx)
{
	ldk_queue(x, tx);
	dma_async_issue_pending(x->chan);
}

/**
 * ldk_finish() - wait for a transaction that is to succeed
 * @x: transaction, issued; the case is aborted if it does not end
 */
void ldk_finish(struct ldk_xfer *x)
{
	KUNIT_ASSERT_TRUE(x->dut->test, ldk_wait(x));
	ldk_expect_ok(x);
}

/**
 * ldk_finish_failed() - wait for a transaction that is to fail
 * @x: transaction, issued; the case is aborted if it does not end
 * @result: the error
 * @residue: bytes not moved
 */
void ldk_finish_failed(struct ldk_xfer *x, enum dmaengine_tx_result result,
		       u32 residue)
{
	KUNIT_ASSERT_TRUE(x->dut->test, ldk_wait(x));
	ldk_expect_failed(x, result, residue);
}

/**
 * ldk_begin() - start a transaction
 * @dut: device
 * @tx: descriptor; the case is aborted if it is NULL, or refused
 *
 * Return: the transaction, issued; it goes with the case.
 */
struct ldk_xfer *ldk_begin(struct ldk_dut *dut, struct dma_async_tx_descriptor *tx)
{
	struct ldk_xfer *x;

	KUNIT_ASSERT_NOT_NULL(dut->test, tx);
	x = ldk_xfers(dut, tx->chan, 1);
	ldk_start(x, tx);
	return x;
}

/**
 * ldk_do() - a transaction must be done
 * @dut: device
 * @tx: descriptor, or NULL
 */
void ldk_do(struct ldk_dut *dut, struct dma_async_tx_descriptor *tx)
{
	ldk_finish(ldk_begin(dut, tx));
}

/**
 * ldk_do_failed() - a transaction must end with this error
 * @dut: device
 * @tx: descriptor
 * @result: the error
 * @residue: bytes not moved
 */
void ldk_do_failed(struct ldk_dut *dut, struct dma_async_tx_descriptor *tx,
		   enum dmaengine_tx_result result, u32 residue)
{
	ldk_finish_failed(ldk_begin(dut, tx), result, residue);
}

/**
 * ldk_wait() - wait for the callback
 * @x: transaction
 *
 * Return: true if it came.
 */
bool ldk_wait(struct ldk_xfer *x)
{
	return wait_for_completion_timeout(&x->done, ldk_timeout());
}

/* What tx_status told in the callback.  Of an unordered device that is nothing. */
static void ldk_expect_told(struct ldk_xfer *x, enum dma_status status, u32 residue)
{
	struct kunit *test = x->dut->test;

	if (dma_has_cap(DMA_COMPLETION_NO_ORDER, x->chan->device->cap_mask)) {
		status = DMA_OUT_OF_ORDER;
		residue = 0;
	}
	KUNIT_EXPECT_EQ(test, (int)status, (int)x->status);
	KUNIT_EXPECT_EQ(test, residue, x->residue);
}

/**
 * ldk_expect_ok() - a transaction must have succeeded
 * @x: transaction, waited for
 */
void ldk_expect_ok(struct ldk_xfer *x)
{
	struct kunit *test = x->dut->test;

	KUNIT_EXPECT_EQ(test, 1, x->calls);
	KUNIT_EXPECT_EQ(test, (int)DMA_TRANS_NOERROR, (int)x->result.result);
	KUNIT_EXPECT_EQ(test, 0, x->result.residue);
	ldk_expect_told(x, DMA_COMPLETE, 0);
}

/**
 * ldk_expect_failed() - a transaction must have ended with this error
 * @x: transaction, waited for
 * @result: the error
 * @residue: bytes not moved
 */
void ldk_expect_failed(struct ldk_xfer *x, enum dmaengine_tx_result result,
		       u32 residue)
{
	struct kunit *test = x->dut->test;

	KUNIT_EXPECT_EQ(test, 1, x->calls);
	KUNIT_EXPECT_EQ(test, (int)result, (int)x->result.result);
	KUNIT_EXPECT_EQ(test, residue, x->result.residue);
	ldk_expect_told(x, DMA_ERROR, residue);
}

/**
 * ldk_copy_ok() - a copy from one end to the other, checked
 * @dut: device
 * @chan: channel
 * @len: bytes
 */
void ldk_copy_ok(struct ldk_dut *dut, struct dma_chan *chan, size_t len)
{
	struct ldk_buf *src = ldk_src(dut, len), *dst = ldk_dst(dut, len);

	ldk_do(dut, ldk_prep_copy(chan, dst, src));
	ldk_expect_moved(dut, dst, src);
}

static long be_here(void *unused)
{
	return 0;
}

/**
 * ldk_round_trip() - let the device do something elsewhere
 * @dut: device
 *
 * A copy on a further channel.  A device with one engine serves its channels in
 * turn, so what has not happened on another channel by the end of it was not
 * going to.  With more engines it may still be under way.  Interrupts that the
 * device has raised are taken: where a task runs none is left.
 */
void ldk_round_trip(struct ldk_dut *dut)
{
	struct dma_chan *chan = ldk_request(dut);
	int cpu;

	ldk_copy_ok(dut, chan, SZ_256);
	ldk_release(dut, chan);
	for_each_online_cpu(cpu)
		work_on_cpu(cpu, be_here, NULL);
}

/**
 * ldk_loop_ok() - a pair of channels must pass data on
 * @dut: device
 *
 * Requests the pair, and releases it.
 */
void ldk_loop_ok(struct ldk_dut *dut)
{
	struct ldk_buf *src = ldk_src(dut, SZ_1K), *dst = ldk_dst(dut, SZ_1K);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *r;

	ldk_request_pair(dut, &tx, &rx);
	r = ldk_begin(dut, ldk_prep_slave(rx, dst->dma, SZ_1K, DMA_DEV_TO_MEM));
	ldk_do(dut, ldk_prep_slave(tx, src->dma, SZ_1K, DMA_MEM_TO_DEV));
	ldk_finish(r);
	ldk_expect_moved(dut, dst, src);
	ldk_release(dut, tx);
	ldk_release(dut, rx);
}

/**
 * ldk_status() - status of a transaction
 * @x: transaction, submitted
 *
 * Return: status.
 */
enum dma_status ldk_status(struct ldk_xfer *x)
{
	return dmaengine_tx_status(x->chan, x->cookie, NULL);
}

/**
 * ldk_expect_status() - a transaction must have this status now
 * @x: transaction, submitted
 * @status: the status
 */
void ldk_expect_status(struct ldk_xfer *x, enum dma_status status)
{
	KUNIT_EXPECT_EQ(x->dut->test, (int)status, (int)ldk_status(x));
}

/**
 * ldk_expect_state() - a transaction must have this status and residue now
 * @x: transaction, submitted
 * @status: the status
 * @residue: bytes not moved
 */
void ldk_expect_state(struct ldk_xfer *x, enum dma_status status, u32 residue)
{
	struct dma_tx_state state;

	KUNIT_EXPECT_EQ(x->dut->test, (int)status,
			(int)dmaengine_tx_status(x->chan, x->cookie, &state));
	KUNIT_EXPECT_EQ(x->dut->test, residue, state.residue);
}

/**
 * ldk_residue() - bytes of a transaction that were not moved yet
 * @x: transaction, submitted
 *
 * Return: bytes.
 */
u32 ldk_residue(struct ldk_xfer *x)
{
	struct dma_tx_state state;

	dmaengine_tx_status(x->chan, x->cookie, &state);
	return state.residue;
}
