// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine_user: operations, over a provider that does what providers may do: it has no
 * descriptor, refuses to submit, calls back with its lock held, and cannot terminate.  Its
 * peripheral is a wire: what is sent is there to be received.
 *
 * The suite has drivers/dma/user/op.c in it, and buffers without a mapping.
 */
#include <kunit/test.h>

#include "op.c"

#define BUFFER		SZ_64K
/* Bytes of a descriptor; an operation on all of a buffer needs 1024. */
#define PART		64

struct workqueue_struct *dmau_workqueue;

/**
 * struct naive - a provider
 * @device: without what it cannot do
 * @chan: its channel
 * @lock: protects @submitted and @free; held while it calls back, as some providers do
 * @submitted: descriptors, the oldest first
 * @free: descriptors that it has left
 * @refuse: the submission that fails, counted down; 0: none
 * @at_once: it completes descriptors when they are submitted
 * @fail_in_prep: it tells, from prep, that its oldest descriptor has failed
 * @prepared: descriptors that it gave
 * @unissued: descriptors that it gave since the last dma_async_issue_pending()
 * @most_unissued: highest value of @unissued
 * @terminated: calls of device_terminate_all()
 * @first: lowest destination that it was given, as an address
 * @last: end of the highest
 * @wire: what was sent
 * @on_wire: bytes of it
 */
struct naive {
	struct dma_device device;
	struct dma_chan chan;
	spinlock_t lock;	/* @submitted and @free */
	struct list_head submitted;
	unsigned int free;
	unsigned int refuse;
	bool at_once;
	bool fail_in_prep;
	unsigned int prepared;
	unsigned int unissued;
	unsigned int most_unissued;
	unsigned int terminated;
	dma_addr_t first;
	dma_addr_t last;
	u8 wire[BUFFER];
	size_t on_wire;
};

/**
 * struct naive_tx - a descriptor
 * @tx: what the client has
 * @node: in &naive.submitted
 * @dst: address of the memory that is written, of a copy
 * @src: of the memory that is read
 * @length: bytes of a copy, or of a cyclic descriptor
 * @sgl: of a slave transfer, whose client keeps it, or NULL
 * @nents: entries of that
 * @direction: of that
 * @period: of a cyclic descriptor
 */
struct naive_tx {
	struct dma_async_tx_descriptor tx;
	struct list_head node;
	dma_addr_t dst;
	dma_addr_t src;
	size_t length;
	struct scatterlist *sgl;
	unsigned int nents;
	enum dma_transfer_direction direction;
	size_t period;
};

/**
 * struct user_test - a file, its buffers and its provider
 * @naive: provider
 * @file: as dmau_open() makes it
 * @src: buffer with handle 1, for reading
 * @dst: buffer with handle 2
 * @from: memory of @src
 * @to: memory of @dst
 * @late: completes what is submitted
 */
struct user_test {
	struct naive naive;
	struct dmau_file file;
	struct dmau_buffer src;
	struct dmau_buffer dst;
	u8 *from;
	u8 *to;
	struct delayed_work late;
};

/* Bytes that were synchronized last, for the CPU. */
static u64 synced_cpu;

/* --- buffers: their bus addresses are those of the kernel -------------------------- */

dma_addr_t dmau_buffer_addr(const struct dmau_buffer *buffer, u64 offset, u64 *length)
{
	*length = min(*length, buffer->length - offset);
	return buffer->segments->addr + offset;
}

void dmau_buffer_sync_device(const struct dmau_buffer *buffer, u64 offset, u64 length)
{
}

void dmau_buffer_sync_cpu(const struct dmau_buffer *buffer, u64 offset, u64 length)
{
	synced_cpu = length;
}

/* --- the provider --------------------------------------------------------------- */

/* Does what a descriptor says, but for so many bytes at its end. */
static void naive_do(struct naive *naive, struct naive_tx *tx, u32 residue)
{
	unsigned int i;
	size_t at = 0;

	if (!tx->sgl) {
		memcpy((void *)(unsigned long)tx->dst, (void *)(unsigned long)tx->src,
		       tx->length);
		return;
	}
	/* As an array, which some providers take it for. */
	for (i = 0; i < tx->nents; i++) {
		struct scatterlist *sg = &tx->sgl[i];
		void *memory = (void *)(unsigned long)sg_dma_address(sg);

		if (tx->direction == DMA_MEM_TO_DEV)
			memcpy(naive->wire + at, memory, sg_dma_len(sg));
		else
			memcpy(memory, naive->wire + at,
			       clamp_t(ssize_t, naive->on_wire - residue - at, 0,
				       sg_dma_len(sg)));
		at += sg_dma_len(sg);
	}
	if (tx->direction == DMA_MEM_TO_DEV)
		naive->on_wire = at;
}

/* Ends its oldest descriptor; false if there is none. */
static bool naive_complete(struct naive *naive, enum dmaengine_tx_result how, u32 residue)
{
	struct dmaengine_result result = { .result = how, .residue = residue };
	struct naive_tx *tx;
	unsigned long flags;

	spin_lock_irqsave(&naive->lock, flags);
	tx = list_first_entry_or_null(&naive->submitted, struct naive_tx, node);
	if (tx) {
		list_del(&tx->node);
		naive->free++;
		if (how == DMA_TRANS_NOERROR)
			naive_do(naive, tx, residue);
		tx->tx.callback_result(tx->tx.callback_param, &result);
	}
	spin_unlock_irqrestore(&naive->lock, flags);
	kfree(tx);
	return tx;
}

static void naive_complete_all(struct naive *naive)
{
	while (naive_complete(naive, DMA_TRANS_NOERROR, 0))
		;
}

static dma_cookie_t naive_submit(struct dma_async_tx_descriptor *tx)
{
	struct naive *naive = container_of(tx->chan, struct naive, chan);
	struct naive_tx *own = container_of(tx, struct naive_tx, tx);

	if (naive->refuse && !--naive->refuse) {
		kfree(own);
		return -EIO;
	}
	spin_lock_irq(&naive->lock);
	list_add_tail(&own->node, &naive->submitted);
	spin_unlock_irq(&naive->lock);
	if (naive->at_once)
		naive_complete_all(naive);
	return 1;
}

static struct naive_tx *naive_new(struct naive *naive)
{
	struct naive_tx *tx;

	if (naive->fail_in_prep)
		naive_complete(naive, DMA_TRANS_READ_FAILED, PART);
	tx = kzalloc(sizeof(*tx), GFP_KERNEL);
	if (!tx)
		return NULL;
	spin_lock_irq(&naive->lock);
	if (!naive->free) {
		spin_unlock_irq(&naive->lock);
		kfree(tx);
		return NULL;
	}
	naive->free--;
	spin_unlock_irq(&naive->lock);
	naive->prepared++;
	naive->most_unissued = max(naive->most_unissued, ++naive->unissued);
	tx->tx.chan = &naive->chan;
	tx->tx.tx_submit = naive_submit;
	return tx;
}

static struct dma_async_tx_descriptor *naive_prep(struct dma_chan *chan, dma_addr_t dst,
						  dma_addr_t src, size_t length,
						  unsigned long flags)
{
	struct naive *naive = container_of(chan, struct naive, chan);
	struct naive_tx *tx = naive_new(naive);

	if (!tx)
		return NULL;
	naive->first = min(naive->first, dst);
	naive->last = max(naive->last, dst + length);
	tx->dst = dst;
	tx->src = src;
	tx->length = length;
	return &tx->tx;
}

static struct dma_async_tx_descriptor *
naive_prep_slave(struct dma_chan *chan, struct scatterlist *sgl, unsigned int nents,
		 enum dma_transfer_direction direction, unsigned long flags, void *context)
{
	struct naive_tx *tx = naive_new(container_of(chan, struct naive, chan));

	if (!tx)
		return NULL;
	tx->sgl = sgl;
	tx->nents = nents;
	tx->direction = direction;
	return &tx->tx;
}

static struct dma_async_tx_descriptor *
naive_prep_cyclic(struct dma_chan *chan, dma_addr_t addr, size_t length, size_t period,
		  enum dma_transfer_direction direction, unsigned long flags)
{
	struct naive_tx *tx = naive_new(container_of(chan, struct naive, chan));

	if (!tx)
		return NULL;
	tx->tx.flags = flags;
	tx->direction = direction;
	tx->src = addr;
	tx->length = length;
	tx->period = period;
	return &tx->tx;
}

/* A period of the cyclic descriptor has ended. */
static void naive_period(struct naive *naive, enum dmaengine_tx_result how)
{
	struct dmaengine_result result = { .result = how };
	struct naive_tx *tx = list_first_entry(&naive->submitted, struct naive_tx, node);

	tx->tx.callback_result(tx->tx.callback_param, &result);
}

static void naive_issue(struct dma_chan *chan)
{
	container_of(chan, struct naive, chan)->unissued = 0;
}

static int naive_terminate(struct dma_chan *chan)
{
	struct naive *naive = container_of(chan, struct naive, chan);
	struct naive_tx *tx, *next;

	naive->terminated++;
	list_for_each_entry_safe(tx, next, &naive->submitted, node)
		kfree(tx);
	INIT_LIST_HEAD(&naive->submitted);
	return 0;
}

static void naive_synchronize(struct dma_chan *chan)
{
}

static void naive_can_terminate(struct naive *naive)
{
	naive->device.device_terminate_all = naive_terminate;
	naive->device.device_synchronize = naive_synchronize;
}

/* From here on a driver lends its channel. */
static void naive_is_lent(struct user_test *own, unsigned int directions)
{
	struct dma_device *device = &own->naive.device;

	own->file.directions = directions;
	own->file.unit = 1;
	naive_can_terminate(&own->naive);
	device->device_prep_slave_sg = naive_prep_slave;
	device->device_prep_dma_cyclic = naive_prep_cyclic;
	dma_cap_set(DMA_SLAVE, device->cap_mask);
	dma_cap_set(DMA_CYCLIC, device->cap_mask);
}

static void complete_late(struct work_struct *work)
{
	struct user_test *own = container_of(to_delayed_work(work), struct user_test, late);

	naive_complete_all(&own->naive);
}

/* --- what most cases need ---------------------------------------------------------- */

static u8 *buffer_init(struct kunit *test, struct dmau_buffer *buffer, bool write)
{
	u8 *memory = kunit_kzalloc(test, BUFFER, GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, memory);
	buffer->segments = kunit_kzalloc(test, sizeof(*buffer->segments), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, buffer->segments);
	buffer->length = BUFFER;
	buffer->write = write;
	buffer->segments->addr = (unsigned long)memory;
	return memory;
}

static int user_init(struct kunit *test)
{
	struct user_test *own = kunit_kzalloc(test, sizeof(*own), GFP_KERNEL);
	struct dmau_file *file = &own->file;
	struct naive *naive = &own->naive;

	KUNIT_ASSERT_NOT_NULL(test, own);
	test->priv = own;
	synced_cpu = 0;

	spin_lock_init(&naive->lock);
	INIT_LIST_HEAD(&naive->submitted);
	INIT_DELAYED_WORK(&own->late, complete_late);
	naive->free = UINT_MAX;
	naive->first = ~(dma_addr_t)0;
	naive->chan.device = &naive->device;
	naive->device.device_prep_dma_memcpy = naive_prep;
	naive->device.device_issue_pending = naive_issue;
	dma_cap_set(DMA_MEMCPY, naive->device.cap_mask);

	file->chan = &naive->chan;
	file->max_descriptor = PART;
	dmau_op_init(file);
	file->ring = kunit_kzalloc(test, struct_size(file->ring, completions, DMAU_RING_ENTRIES),
				   GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, file->ring);

	own->from = buffer_init(test, &own->src, false);
	own->to = buffer_init(test, &own->dst, true);
	memset(own->from, 0x5a, BUFFER);
	KUNIT_ASSERT_EQ(test, 0, xa_err(xa_store_irq(&file->buffers, 1, &own->src, GFP_KERNEL)));
	KUNIT_ASSERT_EQ(test, 0, xa_err(xa_store_irq(&file->buffers, 2, &own->dst, GFP_KERNEL)));
	return 0;
}

static void user_exit(struct kunit *test)
{
	struct user_test *own = test->priv;

	cancel_delayed_work_sync(&own->late);
	cancel_work_sync(&own->file.work);
	naive_terminate(&own->naive.chan);
	xa_destroy(&own->file.buffers);
}

static int user_suite_init(struct kunit_suite *suite)
{
	dmau_workqueue = alloc_workqueue("dmaengine_user_test", WQ_UNBOUND, 0);
	return dmau_workqueue ? 0 : -ENOMEM;
}

static void user_suite_exit(struct kunit_suite *suite)
{
	if (dmau_workqueue)
		destroy_workqueue(dmau_workqueue);
}

static struct dmau_op *new_op(struct kunit *test, u32 opcode, u64 offset, u64 length, u32 flags)
{
	struct dmau_op *op = kzalloc(struct_size(op, src, 1), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, op);
	op->opcode = opcode;
	op->flags = flags;
	op->length = length;
	op->ndst = kinds[opcode].ndst;
	op->nsrc = kinds[opcode].nsrc;
	if (op->nsrc)
		op->src[0] = (struct dmau_range){ .offset = offset, .handle = 1 };
	if (op->ndst)
		op->dst[0] = (struct dmau_range){ .offset = offset, .handle = 2 };
	return op;
}

static struct dmau_op *new_copy(struct kunit *test, u64 offset, u64 length, u32 flags)
{
	return new_op(test, DMAENGINE_USER_COPY, offset, length, flags);
}

static int accept_copy(struct kunit *test, u64 offset, u64 length, u32 flags)
{
	struct user_test *own = test->priv;

	return dmau_op_accept(&own->file, new_copy(test, offset, length, flags));
}

static int accept_slave(struct kunit *test, u32 opcode, u64 offset, u64 length)
{
	struct user_test *own = test->priv;

	return dmau_op_accept(&own->file, new_op(test, opcode, offset, length, 0));
}

/* Has a slave transfer begin. */
static void begin_slave(struct kunit *test, u32 opcode, u64 offset, u64 length)
{
	struct user_test *own = test->priv;

	KUNIT_ASSERT_EQ(test, 0, accept_slave(test, opcode, offset, length));
	dmau_op_go(&own->file);
}

/* The descriptor that was submitted first. */
static struct naive_tx *naive_oldest(struct kunit *test)
{
	struct user_test *own = test->priv;

	KUNIT_ASSERT_FALSE(test, list_empty(&own->naive.submitted));
	return list_first_entry(&own->naive.submitted, struct naive_tx, node);
}

/* Has a transfer begin whose periods are a descriptor long. */
static int begin_cyclic(struct kunit *test, u64 length)
{
	struct user_test *own = test->priv;
	struct dmau_op *op = new_op(test, DMAENGINE_USER_SEND, 0, length, DMAENGINE_USER_CYCLIC);
	int err;

	op->period = PART;
	err = dmau_op_accept(&own->file, op);
	if (!err)
		dmau_op_go(&own->file);
	return err;
}

/* Has a copy begin. */
static void begin(struct kunit *test, u64 offset, u64 length, u32 flags)
{
	struct user_test *own = test->priv;

	KUNIT_ASSERT_EQ(test, 0, accept_copy(test, offset, length, flags));
	dmau_op_go(&own->file);
}

/* Waits for the work item, which may queue itself again. */
static void flush(struct user_test *own)
{
	while (flush_work(&own->file.work))
		;
}

/* Completes what is submitted, and what the work item submits then. */
static void finish_all(struct user_test *own)
{
	do {
		naive_complete_all(&own->naive);
		flush(own);
	} while (!list_empty(&own->naive.submitted));
}

/* The completion that comes next. */
static void expect_told(struct kunit *test, int result, u64 residue)
{
	struct user_test *own = test->priv;
	struct dmaengine_user_ring *ring = own->file.ring;
	u32 head = ring->head;

	KUNIT_ASSERT_NE(test, head, ring->tail);
	ring->head++;
	KUNIT_EXPECT_EQ(test, result, ring->completions[head % DMAU_RING_ENTRIES].result);
	KUNIT_EXPECT_EQ(test, residue, ring->completions[head % DMAU_RING_ENTRIES].residue);
}

static void expect_over(struct kunit *test)
{
	struct user_test *own = test->priv;

	KUNIT_EXPECT_EQ(test, own->file.ring->head, own->file.ring->tail);
	KUNIT_EXPECT_EQ(test, 0, own->file.nops);
	KUNIT_EXPECT_EQ(test, 0, own->file.unfinished);
	KUNIT_EXPECT_EQ(test, 0, own->file.descriptors);
	KUNIT_EXPECT_EQ(test, 0, own->src.users);
	KUNIT_EXPECT_EQ(test, 0, own->dst.users);
}

/* --- cases ------------------------------------------------------------------------ */

/* A range that is longer than a descriptor is copied by several, with one doorbell. */
static void in_parts(struct kunit *test)
{
	struct user_test *own = test->priv;

	begin(test, 10, 3 * PART + 1, 0);
	KUNIT_EXPECT_EQ(test, 4, own->naive.prepared);
	KUNIT_EXPECT_EQ(test, 4, own->naive.most_unissued);
	KUNIT_EXPECT_EQ(test, 0, own->naive.unissued);
	KUNIT_EXPECT_EQ(test, own->file.ring->head, own->file.ring->tail);
	finish_all(own);
	expect_told(test, 0, 0);
	KUNIT_EXPECT_EQ(test, 0, own->to[9]);
	KUNIT_EXPECT_MEMEQ(test, own->to + 10, own->from + 10, 3 * PART + 1);
	KUNIT_EXPECT_EQ(test, 0, own->to[10 + 3 * PART + 1]);
	expect_over(test);
}

/* No more than so many are in flight, and one call submits no more. */
static void bounded(struct kunit *test)
{
	struct user_test *own = test->priv;

	begin(test, 0, BUFFER, 0);
	flush(own);
	KUNIT_EXPECT_EQ(test, DESCRIPTORS_MAX, own->naive.prepared);
	finish_all(own);
	expect_told(test, 0, 0);
	KUNIT_EXPECT_MEMEQ(test, own->to, own->from, BUFFER);
	own->naive.at_once = true;
	begin(test, 0, BUFFER, 0);
	flush(own);
	KUNIT_EXPECT_EQ(test, DESCRIPTORS_MAX, own->naive.most_unissued);
	expect_told(test, 0, 0);
	expect_over(test);
}

/* When the provider has no descriptor, the operation goes on as soon as one has ended. */
static void few_descriptors(struct kunit *test)
{
	struct user_test *own = test->priv;

	own->naive.free = 2;
	begin(test, 0, 10 * PART, 0);
	KUNIT_EXPECT_EQ(test, 2, own->naive.prepared);
	finish_all(own);
	KUNIT_EXPECT_EQ(test, 10, own->naive.prepared);
	expect_told(test, 0, 0);
	expect_over(test);
}

/* When it has none although all have ended, it never will. */
static void no_descriptors(struct kunit *test)
{
	struct user_test *own = test->priv;

	own->naive.free = 0;
	begin(test, 0, 10 * PART, 0);
	expect_told(test, -EIO, 10 * PART);
	expect_over(test);
}

/* What a descriptor was to do that cannot be submitted is not done, nor what follows. */
static void refused(struct kunit *test)
{
	struct user_test *own = test->priv;

	own->naive.refuse = 3;
	begin(test, 0, 10 * PART, 0);
	KUNIT_EXPECT_EQ(test, 3, own->naive.prepared);
	KUNIT_EXPECT_EQ(test, own->file.ring->head, own->file.ring->tail);
	finish_all(own);
	expect_told(test, -EIO, 8 * PART);
	expect_over(test);
}

/* A descriptor that fails ends its operation when those in flight have ended. */
static void failed(struct kunit *test)
{
	struct user_test *own = test->priv;

	own->src.sync = true;
	own->dst.sync = true;
	begin(test, 0, BUFFER, 0);
	naive_complete(&own->naive, DMA_TRANS_WRITE_FAILED, PART);
	KUNIT_EXPECT_EQ(test, own->file.ring->head, own->file.ring->tail);
	finish_all(own);
	KUNIT_EXPECT_EQ(test, DESCRIPTORS_MAX, own->naive.prepared);
	/* The program's own bytes behind what was submitted stay as they are. */
	KUNIT_EXPECT_EQ(test, DESCRIPTORS_MAX * PART, synced_cpu);
	expect_told(test, -EIO, BUFFER - (DESCRIPTORS_MAX - 1) * PART);
	begin(test, 0, PART, 0);
	finish_all(own);
	expect_told(test, 0, 0);
	expect_over(test);
}

static void aborted(struct kunit *test)
{
	struct user_test *own = test->priv;

	begin(test, 0, PART, 0);
	naive_complete(&own->naive, DMA_TRANS_ABORTED, PART);
	expect_told(test, -ECANCELED, PART);
	expect_over(test);
}

/* A failure that comes while the next descriptor is made does not move that one. */
static void fails_in_prep(struct kunit *test)
{
	struct user_test *own = test->priv;
	dma_addr_t to = own->dst.segments->addr;

	own->naive.fail_in_prep = true;
	begin(test, PART, 20 * PART, 0);
	own->naive.fail_in_prep = false;
	finish_all(own);
	KUNIT_EXPECT_EQ(test, to + PART, own->naive.first);
	KUNIT_EXPECT_LE(test, own->naive.last, to + 21 * PART);
	/* Two were submitted; the second was counted when the first one failed. */
	KUNIT_EXPECT_EQ(test, 2, own->naive.prepared);
	KUNIT_ASSERT_EQ(test, 1, own->file.ring->tail);
	KUNIT_EXPECT_EQ(test, -EIO, own->file.ring->completions[0].result);
	own->file.ring->head++;
	expect_over(test);
}

/* A provider may complete, and call back, while a descriptor is submitted. */
static void completes_in_submit(struct kunit *test)
{
	struct user_test *own = test->priv;

	own->naive.at_once = true;
	begin(test, 0, 5 * PART, 0);
	expect_told(test, 0, 0);
	KUNIT_EXPECT_MEMEQ(test, own->to, own->from, 5 * PART);
	expect_over(test);
}

/* DRAIN waits for what was submitted before, also for its caches. */
static void drain(struct kunit *test)
{
	struct user_test *own = test->priv;

	own->dst.sync = true;
	begin(test, 0, 2 * PART, 0);
	begin(test, 0, PART, DMAENGINE_USER_DRAIN);
	begin(test, 0, PART, 0);
	KUNIT_EXPECT_EQ(test, 2, own->naive.prepared);
	naive_complete(&own->naive, DMA_TRANS_NOERROR, 0);
	flush(own);
	KUNIT_EXPECT_EQ(test, 2, own->naive.prepared);
	naive_complete(&own->naive, DMA_TRANS_NOERROR, 0);
	flush(own);
	KUNIT_EXPECT_EQ(test, 2 * PART, synced_cpu);
	KUNIT_EXPECT_EQ(test, 4, own->naive.prepared);
	finish_all(own);
	expect_told(test, 0, 0);
	expect_told(test, 0, 0);
	expect_told(test, 0, 0);
	expect_over(test);
}

/* There are as many operations as their completions have places. */
static void no_place(struct kunit *test)
{
	struct user_test *own = test->priv;
	struct dmaengine_user_ring *ring = own->file.ring;
	unsigned int i;

	for (i = 0; i < DMAU_RING_ENTRIES; i++)
		KUNIT_ASSERT_EQ(test, 0, accept_copy(test, 0, 1, 0));
	KUNIT_EXPECT_EQ(test, -EAGAIN, accept_copy(test, 0, 1, 0));
	dmau_op_go(&own->file);
	finish_all(own);
	KUNIT_EXPECT_EQ(test, DMAU_RING_ENTRIES, ring->tail);
	KUNIT_EXPECT_EQ(test, -EAGAIN, accept_copy(test, 0, 1, 0));
	/* The program can write anything there. */
	ring->head = ring->tail + 1;
	KUNIT_EXPECT_EQ(test, -EAGAIN, accept_copy(test, 0, 1, 0));
	ring->head = ring->tail - 1;
	ring->tail = 0;
	begin(test, 0, 1, 0);
	finish_all(own);
	KUNIT_EXPECT_EQ(test, DMAU_RING_ENTRIES + 1, ring->tail);
	ring->head = ring->tail;
	expect_over(test);
}

/* A device that ends what it has is waited for, and its provider not asked to terminate. */
static void stop_waits(struct kunit *test)
{
	struct user_test *own = test->priv;

	naive_can_terminate(&own->naive);
	begin(test, 0, BUFFER, 0);
	begin(test, 0, PART, 0);
	schedule_delayed_work(&own->late, HZ / 10);
	KUNIT_EXPECT_TRUE(test, dmau_op_stop(&own->file, DMAU_STOPPED));
	KUNIT_EXPECT_TRUE(test, list_empty(&own->naive.submitted));
	KUNIT_EXPECT_EQ(test, 0, own->naive.terminated);
	KUNIT_EXPECT_EQ(test, DESCRIPTORS_MAX, own->naive.prepared);
	expect_told(test, -ENODEV, BUFFER);
	expect_told(test, -ENODEV, PART);
	KUNIT_EXPECT_EQ(test, -ENODEV, accept_copy(test, 0, 1, 0));
	expect_over(test);
}

/* A device that is stuck has its descriptors terminated. */
static void stop_terminates(struct kunit *test)
{
	struct user_test *own = test->priv;

	naive_can_terminate(&own->naive);
	own->dst.sync = true;
	/* Both are as long: the work item may end the first one before the second, or after it. */
	begin(test, 0, BUFFER, 0);
	begin(test, 0, BUFFER, 0);
	KUNIT_EXPECT_TRUE(test, dmau_op_stop(&own->file, DMAU_STOPPED));
	KUNIT_EXPECT_EQ(test, 1, own->naive.terminated);
	/* The second one has not begun, so it has nothing to synchronize. */
	KUNIT_EXPECT_EQ(test, DESCRIPTORS_MAX * PART, synced_cpu);
	expect_told(test, -ENODEV, BUFFER);
	expect_told(test, -ENODEV, BUFFER);
	expect_over(test);
}

/* If it cannot be, its buffers are not given back, and it may call back at any time. */
static void stop_gives_up(struct kunit *test)
{
	struct user_test *own = test->priv;
	struct dmau_op *op = new_copy(test, 0, 2 * PART, 0);

	KUNIT_ASSERT_EQ(test, 0, dmau_op_accept(&own->file, op));
	dmau_op_go(&own->file);
	begin(test, 0, PART, DMAENGINE_USER_DRAIN);
	KUNIT_EXPECT_FALSE(test, dmau_op_stop(&own->file, DMAU_STOPPED));
	KUNIT_EXPECT_EQ(test, DMAU_LOST, own->file.state);
	expect_told(test, -ENODEV, 2 * PART);
	expect_told(test, -ENODEV, PART);
	KUNIT_EXPECT_EQ(test, 0, own->file.nops);
	naive_complete_all(&own->naive);
	flush(own);
	KUNIT_EXPECT_EQ(test, own->file.ring->head, own->file.ring->tail);
	/* Nobody else frees it. */
	kfree(op);
}

/* --- what a driver has lent ---------------------------------------------------------- */

/* A transfer is one descriptor, whatever its memory. */
static void sends(struct kunit *test)
{
	struct user_test *own = test->priv;

	naive_is_lent(own, BIT(DMA_MEM_TO_DEV));
	own->from[10] = 1;
	own->from[10 + 3 * PART] = 2;
	begin_slave(test, DMAENGINE_USER_SEND, 10, 3 * PART + 1);
	KUNIT_EXPECT_EQ(test, 1, own->naive.prepared);
	KUNIT_EXPECT_EQ(test, 0, own->naive.unissued);
	finish_all(own);
	expect_told(test, 0, 0);
	KUNIT_EXPECT_EQ(test, 3 * PART + 1, own->naive.on_wire);
	KUNIT_EXPECT_MEMEQ(test, own->naive.wire, own->from + 10, 3 * PART + 1);

	/* More addresses than a chained list has in its first part. */
	begin_slave(test, DMAENGINE_USER_SEND, 0, BUFFER);
	KUNIT_EXPECT_EQ(test, BUFFER / PART, naive_oldest(test)->nents);
	finish_all(own);
	expect_told(test, 0, 0);
	KUNIT_EXPECT_EQ(test, BUFFER, own->naive.on_wire);
	KUNIT_EXPECT_MEMEQ(test, own->naive.wire, own->from, BUFFER);
	expect_over(test);
}

/* What is cut into segments is cut where an element of any peripheral ends. */
static void whole_segments(struct kunit *test)
{
	struct user_test *own = test->priv;
	struct naive_tx *tx;

	naive_is_lent(own, BIT(DMA_MEM_TO_DEV));
	own->file.max_descriptor = 2 * PART - 1;
	begin_slave(test, DMAENGINE_USER_SEND, 0, 3 * PART);
	tx = naive_oldest(test);
	KUNIT_EXPECT_EQ(test, 3, tx->nents);
	KUNIT_EXPECT_EQ(test, PART, sg_dma_len(&tx->sgl[0]));
	finish_all(own);
	expect_told(test, 0, 0);
	own->file.max_descriptor = PAGE_SIZE + PART;
	begin_slave(test, DMAENGINE_USER_SEND, 0, PAGE_SIZE + PART);
	tx = naive_oldest(test);
	KUNIT_EXPECT_EQ(test, 2, tx->nents);
	KUNIT_EXPECT_EQ(test, PAGE_SIZE, sg_dma_len(&tx->sgl[0]));
	finish_all(own);
	expect_told(test, 0, 0);
	expect_over(test);
}

/* The peripheral may have less to give. */
static void receives(struct kunit *test)
{
	struct user_test *own = test->priv;

	naive_is_lent(own, BIT(DMA_DEV_TO_MEM));
	memset(own->naive.wire, 0x33, BUFFER);
	own->naive.on_wire = 4 * PART;
	begin_slave(test, DMAENGINE_USER_RECEIVE, PART, 4 * PART);
	naive_complete(&own->naive, DMA_TRANS_NOERROR, PART + 1);
	expect_told(test, 0, PART + 1);
	KUNIT_EXPECT_EQ(test, 0, own->to[PART - 1]);
	KUNIT_EXPECT_MEMEQ(test, own->to + PART, own->naive.wire, 3 * PART - 1);
	KUNIT_EXPECT_EQ(test, 0, own->to[4 * PART - 1]);
	expect_over(test);
}

/* Its provider has no descriptor at first, and then finds the addresses that were made. */
static void sends_later(struct kunit *test)
{
	struct user_test *own = test->priv;

	naive_is_lent(own, BIT(DMA_MEM_TO_DEV));
	own->naive.free = 1;
	KUNIT_ASSERT_EQ(test, 0, accept_slave(test, DMAENGINE_USER_SEND, 0, PART));
	begin_slave(test, DMAENGINE_USER_SEND, PART, 2 * PART);
	KUNIT_EXPECT_EQ(test, 1, own->naive.prepared);
	finish_all(own);
	KUNIT_EXPECT_EQ(test, 2 * PART, own->naive.on_wire);
	expect_told(test, 0, 0);
	expect_told(test, 0, 0);
	expect_over(test);
}

/* Nothing but what its owner has configured. */
static void lent_alone(struct kunit *test)
{
	struct user_test *own = test->priv;
	struct dmaengine_user_info info = {};

	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, accept_slave(test, DMAENGINE_USER_SEND, 0, 1));
	naive_is_lent(own, BIT(DMA_MEM_TO_DEV));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, accept_slave(test, DMAENGINE_USER_RECEIVE, 0, 1));
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, accept_copy(test, 0, 1, 0));
	dmau_op_info(&own->file, &info);
	KUNIT_EXPECT_EQ(test, BIT(DMAENGINE_USER_SEND), info.ops);
	KUNIT_EXPECT_EQ(test, DMAENGINE_USER_DRAIN | DMAENGINE_USER_CYCLIC, info.op_flags);
	own->naive.device.device_prep_dma_cyclic = NULL;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, begin_cyclic(test, PART));
	dmau_op_info(&own->file, &info);
	KUNIT_EXPECT_EQ(test, DMAENGINE_USER_DRAIN, info.op_flags);
	/* Providers rely on it that lengths and addresses are whole. */
	own->file.unit = 8;
	KUNIT_EXPECT_EQ(test, -EINVAL, accept_slave(test, DMAENGINE_USER_SEND, 0, 12));
	KUNIT_EXPECT_EQ(test, -EINVAL, accept_slave(test, DMAENGINE_USER_SEND, 4, 8));
	expect_over(test);
}

static void scattered(struct kunit *test)
{
	struct user_test *own = test->priv;

	naive_is_lent(own, BIT(DMA_MEM_TO_DEV));
	own->file.max_descriptor = BUFFER / SEGMENTS_MAX / 2;
	begin_slave(test, DMAENGINE_USER_SEND, 0, BUFFER);
	expect_told(test, -EINVAL, BUFFER);
	KUNIT_EXPECT_EQ(test, 0, own->naive.prepared);
	expect_over(test);
}

static void expect_periods(struct kunit *test, int result, u64 periods)
{
	struct user_test *own = test->priv;
	struct dmaengine_user_ring *ring = own->file.ring;

	KUNIT_EXPECT_EQ(test, periods,
			ring->completions[ring->head % DMAU_RING_ENTRIES].periods);
	expect_told(test, result, 0);
}

/* It goes on until it is stopped; each period has a completion. */
static void cyclic(struct kunit *test)
{
	struct user_test *own = test->priv;
	struct dma_async_tx_descriptor *tx;

	naive_is_lent(own, BIT(DMA_MEM_TO_DEV));
	KUNIT_ASSERT_EQ(test, 0, begin_cyclic(test, 4 * PART));
	KUNIT_EXPECT_EQ(test, 1, own->naive.prepared);
	/* Who does not acknowledge it keeps some providers from using it again. */
	KUNIT_EXPECT_TRUE(test, naive_oldest(test)->tx.flags & DMA_CTRL_ACK);
	KUNIT_EXPECT_EQ(test, -EBUSY, accept_slave(test, DMAENGINE_USER_SEND, 0, PART));
	KUNIT_EXPECT_EQ(test, -EBUSY, begin_cyclic(test, PART));
	naive_period(&own->naive, DMA_TRANS_NOERROR);
	naive_period(&own->naive, DMA_TRANS_READ_FAILED);
	naive_period(&own->naive, DMA_TRANS_NOERROR);
	/* Some providers know of this callback alone. */
	tx = &naive_oldest(test)->tx;
	KUNIT_ASSERT_NOT_NULL(test, tx->callback);
	tx->callback(tx->callback_param);
	expect_periods(test, 0, 1);
	expect_periods(test, -EIO, 2);
	expect_periods(test, 0, 3);
	expect_periods(test, 0, 4);
	KUNIT_EXPECT_EQ(test, 1, own->src.users);
	KUNIT_EXPECT_TRUE(test, dmau_op_stop(&own->file, DMAU_OPEN));
	KUNIT_EXPECT_EQ(test, 1, own->naive.terminated);
	expect_told(test, -ECANCELED, 4 * PART);
	expect_over(test);

	begin_slave(test, DMAENGINE_USER_SEND, 0, PART);
	KUNIT_EXPECT_EQ(test, -EBUSY, begin_cyclic(test, PART));
	finish_all(own);
	expect_told(test, 0, 0);
	expect_over(test);
}

/* For a period that finds no place there is no completion, but there is one for the end. */
static void cyclic_unread(struct kunit *test)
{
	struct user_test *own = test->priv;
	struct dmaengine_user_ring *ring = own->file.ring;
	unsigned int i;

	naive_is_lent(own, BIT(DMA_MEM_TO_DEV));
	KUNIT_ASSERT_EQ(test, 0, begin_cyclic(test, PART));
	for (i = 0; i < DMAU_RING_ENTRIES + 10; i++)
		naive_period(&own->naive, DMA_TRANS_NOERROR);
	KUNIT_EXPECT_EQ(test, DMAU_RING_ENTRIES - 1, ring->tail);
	KUNIT_EXPECT_TRUE(test, dmau_op_stop(&own->file, DMAU_OPEN));
	KUNIT_EXPECT_EQ(test, DMAU_RING_ENTRIES, ring->tail);
	ring->head = ring->tail - 1;
	KUNIT_EXPECT_EQ(test, DMAU_RING_ENTRIES + 10,
			ring->completions[DMAU_RING_ENTRIES - 1].periods);
	expect_told(test, -ECANCELED, PART);
	expect_over(test);
}

/* A provider that cuts a period could write more than all of them together. */
static void cyclic_too_long(struct kunit *test)
{
	struct user_test *own = test->priv;

	naive_is_lent(own, BIT(DMA_MEM_TO_DEV));
	own->file.max_descriptor = PART - 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, begin_cyclic(test, PART));
	own->file.max_descriptor = PART;
	own->file.unit = 2 * PART;
	KUNIT_EXPECT_EQ(test, -EINVAL, begin_cyclic(test, 2 * PART));
	expect_over(test);
}

/* It is not known when to synchronize a period. */
static void cyclic_unsynced(struct kunit *test)
{
	struct user_test *own = test->priv;

	naive_is_lent(own, BIT(DMA_MEM_TO_DEV));
	own->src.sync = true;
	KUNIT_EXPECT_EQ(test, -EOPNOTSUPP, begin_cyclic(test, PART));
	expect_over(test);
}

/* What is stopped ends, and what is submitted afterwards begins. */
static void goes_on_after_stop(struct kunit *test)
{
	struct user_test *own = test->priv;

	naive_can_terminate(&own->naive);
	begin(test, 0, BUFFER, 0);
	schedule_delayed_work(&own->late, HZ / 10);
	KUNIT_EXPECT_TRUE(test, dmau_op_stop(&own->file, DMAU_OPEN));
	KUNIT_EXPECT_EQ(test, 0, own->naive.terminated);
	KUNIT_EXPECT_EQ(test, DESCRIPTORS_MAX, own->naive.prepared);
	expect_told(test, -ECANCELED, BUFFER);
	expect_over(test);
	begin(test, 0, PART, 0);
	finish_all(own);
	expect_told(test, 0, 0);
	expect_over(test);
}

static struct kunit_case user_cases[] = {
	KUNIT_CASE(in_parts),
	KUNIT_CASE(bounded),
	KUNIT_CASE(few_descriptors),
	KUNIT_CASE(no_descriptors),
	KUNIT_CASE(refused),
	KUNIT_CASE(failed),
	KUNIT_CASE(aborted),
	KUNIT_CASE(fails_in_prep),
	KUNIT_CASE(completes_in_submit),
	KUNIT_CASE(drain),
	KUNIT_CASE(no_place),
	KUNIT_CASE(sends),
	KUNIT_CASE(whole_segments),
	KUNIT_CASE(receives),
	KUNIT_CASE(sends_later),
	KUNIT_CASE(lent_alone),
	KUNIT_CASE(scattered),
	KUNIT_CASE(cyclic),
	KUNIT_CASE(cyclic_unread),
	KUNIT_CASE(cyclic_too_long),
	KUNIT_CASE(cyclic_unsynced),
	KUNIT_CASE(goes_on_after_stop),
	KUNIT_CASE_SLOW(stop_waits),
	KUNIT_CASE_SLOW(stop_terminates),
	KUNIT_CASE_SLOW(stop_gives_up),
	{}
};

static struct kunit_suite user_suite = {
	.name = "dmaengine_user",
	.suite_init = user_suite_init,
	.suite_exit = user_suite_exit,
	.init = user_init,
	.exit = user_exit,
	.test_cases = user_cases,
};

kunit_test_suite(user_suite);
