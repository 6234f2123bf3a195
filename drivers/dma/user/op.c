// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine_user: operations: checked, cut into descriptors, submitted, completed.
 *
 * An operation waits, runs, and ends.  Its ranges may have several bus addresses each, so
 * that it takes as many descriptors as it takes, a bounded number of them at a time.
 *
 * Providers differ in what they allow a client.  So the provider is called by one thread
 * at a time, in process context, with no lock held that its callbacks take; a callback
 * calls it never, it takes note of the end and has the work item do the rest.
 */
#include <linux/delay.h>
#include <linux/eventfd.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "dmaengine_user.h"

/* Descriptors of a channel that are in flight at a time. */
#define DESCRIPTORS_MAX	256

static struct workqueue_struct *workqueue;

static const struct {
	enum dma_transaction_type type;
	unsigned int ndst;
	bool many;		/* sources */
} kinds[] = {
	[DMAENGINE_USER_COPY] = { DMA_MEMCPY, 1 },
	[DMAENGINE_USER_FILL] = { DMA_MEMSET, 1 },
	[DMAENGINE_USER_XOR] = { DMA_XOR, 1, true },
	[DMAENGINE_USER_PQ] = { DMA_PQ, 2, true },
};

static unsigned int max_sources(const struct dma_chan *chan, u32 opcode)
{
	switch (opcode) {
	case DMAENGINE_USER_XOR:
		return min_t(unsigned int, chan->device->max_xor, DMAU_SRC_MAX);
	case DMAENGINE_USER_PQ:
		return min_t(unsigned int, dma_maxpq(chan->device, 0), DMAU_SRC_MAX);
	default:
		return 1;
	}
}

static unsigned int alignment(const struct dma_chan *chan, u32 opcode)
{
	switch (opcode) {
	case DMAENGINE_USER_COPY:
		return 1 << chan->device->copy_align;
	case DMAENGINE_USER_FILL:
		return 1 << chan->device->fill_align;
	case DMAENGINE_USER_XOR:
		return 1 << chan->device->xor_align;
	default:
		return 1 << chan->device->pq_align;
	}
}

/**
 * dmau_op_info - what operations a channel has
 * @chan: the channel
 * @info: gets it
 *
 * Context: any.
 */
void dmau_op_info(const struct dma_chan *chan, struct dmaengine_user_info *info)
{
	u32 opcode;

	info->ops = 0;
	for (opcode = 0; opcode < ARRAY_SIZE(kinds); opcode++)
		if (dma_has_cap(kinds[opcode].type, chan->device->cap_mask))
			info->ops |= BIT_ULL(opcode);
	info->copy_align = alignment(chan, DMAENGINE_USER_COPY);
	info->fill_align = alignment(chan, DMAENGINE_USER_FILL);
	info->xor_align = alignment(chan, DMAENGINE_USER_XOR);
	info->pq_align = alignment(chan, DMAENGINE_USER_PQ);
	if (info->ops & BIT_ULL(DMAENGINE_USER_XOR))
		info->max_xor = max_sources(chan, DMAENGINE_USER_XOR);
	if (info->ops & BIT_ULL(DMAENGINE_USER_PQ))
		info->max_pq = max_sources(chan, DMAENGINE_USER_PQ);
}

/* --- from the program ----------------------------------------------------------- */

static int get_range(struct dmau_range *range, const struct dmaengine_user_range *from)
{
	if (from->reserved)
		return -EINVAL;
	range->offset = from->offset;
	range->handle = from->handle;
	return 0;
}

static int no_range(const struct dmaengine_user_range *from)
{
	return from->offset || from->handle || from->reserved ? -EINVAL : 0;
}

static int get_sources(struct dmau_op *op, const struct dmaengine_user_op *from)
{
	const struct dmaengine_user_range __user *srcs = u64_to_user_ptr(from->srcs);
	unsigned int i;

	if (op->opcode == DMAENGINE_USER_COPY)
		return from->srcs ? -EINVAL : get_range(&op->src[0], &from->src);
	if (!op->nsrc && from->srcs)
		return -EINVAL;
	for (i = 0; i < op->nsrc; i++) {
		struct dmaengine_user_range range;

		if (copy_from_user(&range, &srcs[i], sizeof(range)))
			return -EFAULT;
		if (get_range(&op->src[i], &range))
			return -EINVAL;
	}
	return no_range(&from->src);
}

static int get_op(struct dmau_op *op, const struct dmaengine_user_op *from)
{
	unsigned int i;
	int err;

	INIT_LIST_HEAD(&op->node);
	op->user_data = from->user_data;
	op->opcode = from->opcode;
	op->flags = from->flags;
	op->length = from->length;
	op->ndst = kinds[op->opcode].ndst;
	op->value = from->value;
	for (i = 0; i < ARRAY_SIZE(op->dst); i++) {
		err = i < op->ndst ? get_range(&op->dst[i], &from->dst[i]) :
		      no_range(&from->dst[i]);
		if (err)
			return err;
	}
	if (op->opcode == DMAENGINE_USER_PQ) {
		if (copy_from_user(op->coefficients, u64_to_user_ptr(from->coefficients),
				   op->nsrc))
			return -EFAULT;
	} else if (from->coefficients) {
		return -EINVAL;
	}
	return get_sources(op, from);
}

/**
 * dmau_op_create - reads an operation out of a program's memory
 * @from: address of a struct dmaengine_user_op
 * @size: of it, as the program knows it
 *
 * Context: process context; may sleep for as long as the program's page faults take.
 * Return: the operation, for dmau_op_accept(); -EINVAL; -E2BIG: something is set that
 * this kernel does not know; -EFAULT; -ENOMEM.
 */
struct dmau_op *dmau_op_create(u64 from, u32 size)
{
	struct dmaengine_user_op user;
	unsigned int nsrc;
	struct dmau_op *op;
	int err;

	if (size < sizeof(user))
		return ERR_PTR(-EINVAL);
	/* All of it is looked at. */
	if (size > PAGE_SIZE)
		return ERR_PTR(-E2BIG);
	err = copy_struct_from_user(&user, sizeof(user), u64_to_user_ptr(from), size);
	if (err)
		return ERR_PTR(err);
	if (user.opcode >= ARRAY_SIZE(kinds) || user.flags & ~DMAENGINE_USER_DRAIN ||
	    !user.length || user.src_count > DMAU_SRC_MAX ||
	    user.value > (user.opcode == DMAENGINE_USER_FILL ? U8_MAX : 0))
		return ERR_PTR(-EINVAL);
	user.opcode = array_index_nospec(user.opcode, ARRAY_SIZE(kinds));
	nsrc = user.src_count;
	/* Providers rely on it that there are two to compute a parity of. */
	if (kinds[user.opcode].many ? nsrc < 2 : nsrc)
		return ERR_PTR(-EINVAL);
	if (user.opcode == DMAENGINE_USER_COPY)
		nsrc = 1;

	op = kzalloc(struct_size(op, src, nsrc), GFP_KERNEL_ACCOUNT);
	if (!op)
		return ERR_PTR(-ENOMEM);
	op->nsrc = nsrc;
	err = get_op(op, &user);
	if (err) {
		kfree(op);
		return ERR_PTR(err);
	}
	return op;
}

/* --- ended: under the lock, in any context ------------------------------------------ */

static void count_users(struct dmau_op *op, int by)
{
	unsigned int i;

	for (i = 0; i < op->ndst; i++)
		op->dst[i].buffer->users += by;
	for (i = 0; i < op->nsrc; i++)
		op->src[i].buffer->users += by;
}

static void tell(struct dmau_file *file, const struct dmau_op *op)
{
	if (op->uring) {
		*dmau_uring_result(op->uring) = op->result;
		io_uring_cmd_complete_in_task(op->uring, dmau_uring_done);
		return;
	}
	file->ring->completions[file->tail % DMAU_RING_ENTRIES] =
		(struct dmaengine_user_completion) {
			.user_data = op->user_data,
			.residue = op->residue,
			.result = op->result,
		};
	/* The completion is there before the tail: pairs with the acquire of untaken(). */
	smp_store_release(&file->tail, file->tail + 1);
	/* As above, for the program. */
	smp_store_release(&file->ring->tail, file->tail);
	if (file->eventfd)
		dmau_eventfd_signal(file->eventfd);
}

static void end(struct dmau_op *op)
{
	struct dmau_file *file = op->file;

	list_del(&op->node);
	count_users(op, -1);
	if (op->started)
		file->unfinished--;
	tell(file, op);
	/* Told before it is over: pairs with the acquire of is_over(). */
	smp_store_release(&file->nops, file->nops - 1);
	kfree(op);
	wake_up(&file->wait);
}

/* What has no descriptor yet gets none. */
static void fail(struct dmau_op *op, int result, u64 residue)
{
	if (!op->result)
		op->result = result;
	op->residue += residue + op->length - op->begun;
	op->begun = op->length;
}

/* Puts an operation where it belongs, or ends it. */
static void sort(struct dmau_op *op)
{
	struct dmau_file *file = op->file;

	if (op->begun < op->length)
		return;
	if (op->descriptors) {
		list_move_tail(&op->node, &file->running);
	} else if (op->sync && op->started) {
		list_move_tail(&op->node, &file->unsynced);
		queue_work(workqueue, &file->work);
	} else {
		end(op);
	}
}

/* The callback of a descriptor. */
static void completed(void *data, const struct dmaengine_result *result)
{
	struct dmau_op *op = data;
	struct dmau_file *file = op->file;
	unsigned long flags;

	spin_lock_irqsave(&file->lock, flags);
	op->descriptors--;
	if (result && result->result != DMA_TRANS_NOERROR)
		fail(op, result->result == DMA_TRANS_ABORTED ? -ECANCELED : -EIO,
		     result->residue);
	sort(op);
	file->descriptors--;
	/* Some at a time, so that they have one doorbell. */
	if (!list_empty(&file->waiting) && file->descriptors <= DESCRIPTORS_MAX / 2)
		queue_work(workqueue, &file->work);
	if (!file->descriptors)
		wake_up(&file->wait);
	spin_unlock_irqrestore(&file->lock, flags);
}

/* --- accepted ------------------------------------------------------------------- */

static int check_range(struct dmau_file *file, const struct dmau_op *op,
		       struct dmau_range *range, bool write)
{
	struct dmau_buffer *buffer = xa_load(&file->buffers, range->handle);
	u64 end;

	if (!buffer)
		return -ENOENT;
	if (write && !buffer->write)
		return -EACCES;
	if (check_add_overflow(range->offset, op->length, &end) || end > buffer->length)
		return -ERANGE;
	range->buffer = buffer;
	return 0;
}

/* Only the beginning: that of each descriptor is checked when its turn comes. */
static bool is_aligned(const struct dmau_file *file, const struct dmau_op *op,
		       const struct dmau_range *range)
{
	u64 length = op->length;

	return IS_ALIGNED(dmau_buffer_addr(range->buffer, range->offset, &length) | op->length,
			  alignment(file->chan, op->opcode));
}

/* Completions that the program has not taken take their places in the ring. */
static bool has_place(struct dmau_file *file)
{
	u32 untaken = file->tail - READ_ONCE(file->ring->head);

	return untaken <= DMAU_RING_ENTRIES && untaken + file->nops < DMAU_RING_ENTRIES;
}

static int check(struct dmau_file *file, struct dmau_op *op)
{
	unsigned int i;
	int err;

	if (file->stopped)
		return -ENODEV;
	if (!dma_has_cap(kinds[op->opcode].type, file->chan->device->cap_mask))
		return -EOPNOTSUPP;
	if (op->nsrc > max_sources(file->chan, op->opcode))
		return -EINVAL;
	for (i = 0; i < op->ndst; i++) {
		err = check_range(file, op, &op->dst[i], true);
		if (err)
			return err;
		if (!is_aligned(file, op, &op->dst[i]))
			return -EINVAL;
		op->sync |= op->dst[i].buffer->sync;
	}
	for (i = 0; i < op->nsrc; i++) {
		err = check_range(file, op, &op->src[i], false);
		if (err)
			return err;
		if (!is_aligned(file, op, &op->src[i]))
			return -EINVAL;
	}
	return has_place(file) ? 0 : -EAGAIN;
}

/**
 * dmau_op_accept - takes an operation, which dmau_op_go() begins
 * @file: that it is of
 * @op: from dmau_op_create(); freed on an error, and when it has ended
 * @issue_flags: io_uring's, if it is a command of that
 *
 * Context: process context.
 * Return: 0, or what dmaengine_user_submit says: -ENODEV, -EOPNOTSUPP, -EINVAL, -ENOENT,
 * -EACCES, -ERANGE; -EAGAIN: no place.
 */
int dmau_op_accept(struct dmau_file *file, struct dmau_op *op, unsigned int issue_flags)
{
	int err;

	op->file = file;
	spin_lock_irq(&file->lock);
	err = check(file, op);
	if (!err) {
		count_users(op, 1);
		file->nops++;
	}
	spin_unlock_irq(&file->lock);
	if (err) {
		kfree(op);
		return err;
	}
	/* Before it can end, and not for one that is refused. */
	if (op->uring)
		dmau_uring_mark_cancelable(op->uring, issue_flags);

	spin_lock_irq(&file->lock);
	list_add_tail(&op->node, &file->waiting);
	if (file->stopped) {
		fail(op, -ENODEV, 0);
		sort(op);
	}
	spin_unlock_irq(&file->lock);
	return 0;
}

/**
 * dmau_op_cancel - ends an operation of io_uring that has not started
 * @file: that it is of
 * @uring: that it was submitted by
 *
 * One that has started is for the device to end.
 *
 * Context: process context.
 */
void dmau_op_cancel(struct dmau_file *file, const struct io_uring_cmd *uring)
{
	struct dmau_op *op;

	spin_lock_irq(&file->lock);
	list_for_each_entry(op, &file->waiting, node) {
		if (op->uring == uring && !op->started) {
			fail(op, -ECANCELED, 0);
			sort(op);
			break;
		}
	}
	spin_unlock_irq(&file->lock);
}

/* --- submitted: by one thread at a time ------------------------------------------- */

/* Tells the CPU's side of all that it writes; 2 GiB may take a while. */
static void sync_cpu(const struct dmau_op *op)
{
	unsigned int i;

	for (i = 0; i < op->ndst; i++)
		dmau_buffer_sync_cpu(op->dst[i].buffer, op->dst[i].offset, op->length);
}

/* Ends what is done but for that. */
static void end_unsynced(struct dmau_file *file)
{
	struct dmau_op *op;

	spin_lock_irq(&file->lock);
	while ((op = list_first_entry_or_null(&file->unsynced, struct dmau_op, node))) {
		spin_unlock_irq(&file->lock);
		sync_cpu(op);
		spin_lock_irq(&file->lock);
		end(op);
	}
	spin_unlock_irq(&file->lock);
}

/*
 * The operation that is to have its next descriptor, which is counted already: so the
 * operation stays, and the callback may come at once.  @alone: no other is in flight.
 */
static struct dmau_op *next_op(struct dmau_file *file, bool *alone)
{
	struct dmau_op *op;

	spin_lock_irq(&file->lock);
	op = list_first_entry_or_null(&file->waiting, struct dmau_op, node);
	if (!op || file->stopped || file->descriptors >= DESCRIPTORS_MAX ||
	    (op->flags & DMAENGINE_USER_DRAIN && !op->started && file->unfinished)) {
		op = NULL;
	} else {
		if (!op->started) {
			op->started = true;
			file->unfinished++;
		}
		op->descriptors++;
		*alone = !file->descriptors++;
	}
	spin_unlock_irq(&file->lock);
	return op;
}

/* Takes that back; @result: the operation fails by it, or 0. */
static void put_back(struct dmau_op *op, int result, u64 residue)
{
	struct dmau_file *file = op->file;

	spin_lock_irq(&file->lock);
	op->descriptors--;
	file->descriptors--;
	if (result)
		fail(op, result, residue);
	sort(op);
	spin_unlock_irq(&file->lock);
}

/* A part of an operation, that is one descriptor's. */
struct part {
	dma_addr_t dst[2];
	dma_addr_t src[DMAU_SRC_MAX];
	u64 length;
};

/* False: it would not be aligned. */
static bool get_part(const struct dmau_op *op, struct part *part)
{
	const struct dmau_file *file = op->file;
	unsigned int align = alignment(file->chan, op->opcode);
	u64 rest = op->length - op->begun;
	dma_addr_t all = 0;
	unsigned int i;

	part->length = min_t(u64, rest, file->max_descriptor);
	for (i = 0; i < op->ndst; i++) {
		part->dst[i] = dmau_buffer_addr(op->dst[i].buffer, op->dst[i].offset + op->begun,
						&part->length);
		all |= part->dst[i];
	}
	for (i = 0; i < op->nsrc; i++) {
		part->src[i] = dmau_buffer_addr(op->src[i].buffer, op->src[i].offset + op->begun,
						&part->length);
		all |= part->src[i];
	}
	/* A later range may have shortened it; where an earlier one begins stays. */
	if (part->length < rest)
		part->length = round_down(part->length, align);
	return part->length && IS_ALIGNED(all, align);
}

static void sync_device(const struct dmau_op *op, u64 length)
{
	unsigned int i;

	for (i = 0; i < op->nsrc; i++)
		dmau_buffer_sync_device(op->src[i].buffer, op->src[i].offset + op->begun, length);
	for (i = 0; i < op->ndst; i++)
		dmau_buffer_sync_device(op->dst[i].buffer, op->dst[i].offset + op->begun, length);
}

static struct dma_async_tx_descriptor *prepare(struct dmau_op *op, struct part *part)
{
	unsigned long flags = DMA_PREP_INTERRUPT | DMA_CTRL_ACK;
	struct dma_chan *chan = op->file->chan;

	switch (op->opcode) {
	case DMAENGINE_USER_COPY:
		return dmaengine_prep_dma_memcpy(chan, part->dst[0], part->src[0], part->length,
						 flags);
	case DMAENGINE_USER_FILL:
		return dmaengine_prep_dma_memset(chan, part->dst[0], op->value, part->length,
						 flags);
	case DMAENGINE_USER_XOR:
		return chan->device->device_prep_dma_xor(chan, part->dst[0], part->src, op->nsrc,
							 part->length, flags);
	default:
		return chan->device->device_prep_dma_pq(chan, part->dst, part->src, op->nsrc,
							op->coefficients, part->length, flags);
	}
}

/* A provider may call back for its last descriptor before it has that back. */
static struct dma_async_tx_descriptor *prepare_patiently(struct dmau_op *op, struct part *part,
							 bool alone)
{
	struct dma_async_tx_descriptor *tx = prepare(op, part);
	unsigned int tries;

	for (tries = 0; !tx && alone && tries < 10; tries++) {
		usleep_range(1000, 2000);
		tx = prepare(op, part);
	}
	return tx;
}

/* False: the provider has no descriptor; it is tried again when one is completed. */
static bool submit_one(struct dmau_op *op, bool alone)
{
	struct dma_async_tx_descriptor *tx;
	struct dmau_file *file = op->file;
	struct part part;

	if (!get_part(op, &part)) {
		put_back(op, -EINVAL, 0);
		return true;
	}
	sync_device(op, part.length);
	tx = prepare_patiently(op, &part, alone);
	if (!tx) {
		put_back(op, alone ? -EIO : 0, 0);
		return alone;
	}
	tx->callback_result = completed;
	tx->callback_param = op;

	spin_lock_irq(&file->lock);
	/* Unless it has failed meanwhile: what is prepared has to be submitted. */
	if (op->begun < op->length)
		op->begun += part.length;
	sort(op);
	spin_unlock_irq(&file->lock);
	if (dma_submit_error(dmaengine_submit(tx)))
		put_back(op, -EIO, part.length);
	return true;
}

/**
 * dmau_op_go - has what was accepted begin, and what is done end
 * @file: of which
 *
 * Context: process context; may sleep.
 */
void dmau_op_go(struct dmau_file *file)
{
	struct dmau_op *op;
	bool alone;

	mutex_lock(&file->provider);
	do {
		bool submitted = false;

		end_unsynced(file);
		while ((op = next_op(file, &alone)) && submit_one(op, alone)) {
			submitted = true;
			cond_resched();
		}
		if (submitted)
			dma_async_issue_pending(file->chan);
	} while (!list_empty_careful(&file->unsynced));
	mutex_unlock(&file->provider);
}

/**
 * dmau_op_work - the work item of a file
 * @work: of a struct dmau_file
 */
void dmau_op_work(struct work_struct *work)
{
	dmau_op_go(container_of(work, struct dmau_file, work));
}

static bool is_idle(struct dmau_file *file)
{
	bool idle;

	spin_lock_irq(&file->lock);
	idle = !file->descriptors;
	spin_unlock_irq(&file->lock);
	return idle;
}

/*
 * Afterwards the device accesses no buffer, and there is no callback.  A provider that
 * cannot terminate, or not tell the end of that, is waited for.
 */
static void quiesce(struct dmau_file *file)
{
	const struct dma_device *device = file->chan->device;
	struct dmau_op *op;

	if (!device->device_terminate_all || !device->device_synchronize ||
	    dmaengine_terminate_sync(file->chan)) {
		wait_event(file->wait, is_idle(file));
		return;
	}
	spin_lock_irq(&file->lock);
	file->descriptors = 0;
	list_for_each_entry(op, &file->running, node)
		op->descriptors = 0;
	list_for_each_entry(op, &file->waiting, node)
		op->descriptors = 0;
	spin_unlock_irq(&file->lock);
}

/**
 * dmau_op_stop - ends all operations, and waits for the device
 * @file: of which; accepts none any more
 *
 * Context: process context, with &dmau_chan.lock held.
 */
void dmau_op_stop(struct dmau_file *file)
{
	struct dmau_op *op, *next;

	spin_lock_irq(&file->lock);
	file->stopped = true;
	spin_unlock_irq(&file->lock);
	/* Whoever calls the provider has looked before. */
	mutex_lock(&file->provider);
	quiesce(file);
	spin_lock_irq(&file->lock);
	list_splice_tail_init(&file->running, &file->waiting);
	list_for_each_entry_safe(op, next, &file->waiting, node) {
		op->begun = op->length;
		fail(op, -ENODEV, op->length - op->residue);
		sort(op);
	}
	spin_unlock_irq(&file->lock);
	end_unsynced(file);
	mutex_unlock(&file->provider);
	cancel_work_sync(&file->work);
	/* Somebody may just be accepting one. */
	wait_event(file->wait, !READ_ONCE(file->nops));
	/* Whoever has ended the last one has left the lock. */
	spin_lock_irq(&file->lock);
	spin_unlock_irq(&file->lock);
}

/**
 * dmau_op_init - prepares for files
 *
 * Return: 0 or -ENOMEM.
 */
int __init dmau_op_init(void)
{
	workqueue = alloc_workqueue("dmaengine_user", WQ_UNBOUND, 0);
	return workqueue ? 0 : -ENOMEM;
}

/**
 * dmau_op_exit - undoes that, when there are no files any more
 */
void dmau_op_exit(void)
{
	destroy_workqueue(workqueue);
}
