// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine_user: operations: checked, cut into descriptors, submitted, completed.
 *
 * An operation waits, runs, and ends.  Each of its ranges may have several bus addresses, so
 * it may need many descriptors.  A bounded number of them is in flight.  A transfer to or
 * from a peripheral is one descriptor, because its end may mean something there.
 *
 * Providers differ in what they allow a client.  So one thread at a time calls the provider,
 * in process context, with no lock held that a callback takes.  A callback never calls the
 * provider: it records the end of a descriptor, and the work item does the rest.
 */
#include <linux/delay.h>
#include <linux/eventfd.h>
#include <linux/log2.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/nospec.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "dmaengine_user.h"

/* Descriptors of a channel that are in flight at a time, or submitted by one call. */
#define DESCRIPTORS_MAX	256

/* Ranges of bus addresses of a slave transfer. */
#define SEGMENTS_MAX	1024

/*
 * Periods of a cyclic operation, each of which can take a provider a descriptor; and the bytes
 * of one, each of which interrupts a CPU.
 */
#define PERIODS_MAX	256
#define PERIOD_MIN	256

/* A device that completes no descriptor for so long is stuck; as for dma_sync_wait(). */
#define STUCK		msecs_to_jiffies(5000)

/**
 * struct kind - what an operation is
 * @type: capability that its channel has
 * @ndst: destinations
 * @nsrc: sources; 0 with @many
 * @many: as many sources as the operation says
 * @direction: of a slave transfer; else 0, as for DMA_MEM_TO_MEM
 */
struct kind {
	enum dma_transaction_type type;
	unsigned int ndst;
	unsigned int nsrc;
	bool many;
	enum dma_transfer_direction direction;
};

static const struct kind kinds[] = {
	[DMAENGINE_USER_COPY] = { DMA_MEMCPY, .ndst = 1, .nsrc = 1 },
	[DMAENGINE_USER_FILL] = { DMA_MEMSET, .ndst = 1 },
	[DMAENGINE_USER_XOR] = { DMA_XOR, .ndst = 1, .many = true },
	[DMAENGINE_USER_PQ] = { DMA_PQ, .ndst = 2, .many = true },
	[DMAENGINE_USER_SEND] = { DMA_SLAVE, .nsrc = 1, .direction = DMA_MEM_TO_DEV },
	[DMAENGINE_USER_RECEIVE] = { DMA_SLAVE, .ndst = 1, .direction = DMA_DEV_TO_MEM },
};

static bool is_cyclic(const struct dmau_op *op)
{
	return op->flags & DMAENGINE_USER_CYCLIC;
}

/* A channel that is lent does what its owner has configured, and nothing else. */
static bool has_op(const struct dmau_file *file, u32 opcode)
{
	const struct kind *kind = &kinds[opcode];

	if (kind->direction)
		return file->directions & BIT(kind->direction);
	return !file->directions && dma_has_cap(kind->type, file->chan->device->cap_mask);
}

static bool has_cyclic(const struct dmau_file *file)
{
	struct dma_device *device = file->chan->device;

	return file->directions && dma_has_cap(DMA_CYCLIC, device->cap_mask) &&
	       device->device_prep_dma_cyclic;
}

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

static unsigned int alignment(const struct dmau_file *file, u32 opcode)
{
	const struct dma_chan *chan = file->chan;

	switch (opcode) {
	case DMAENGINE_USER_COPY:
		return 1 << chan->device->copy_align;
	case DMAENGINE_USER_FILL:
		return 1 << chan->device->fill_align;
	case DMAENGINE_USER_XOR:
		return 1 << chan->device->xor_align;
	case DMAENGINE_USER_PQ:
		return 1 << chan->device->pq_align;
	default:
		return file->unit;
	}
}

/**
 * dmau_op_info - what operations a channel has
 * @file: of the channel, which is not gone
 * @info: gets it
 *
 * Context: any.
 */
void dmau_op_info(const struct dmau_file *file, struct dmaengine_user_info *info)
{
	const struct dma_chan *chan = file->chan;
	u32 opcode;

	info->ops = 0;
	for (opcode = 0; opcode < ARRAY_SIZE(kinds); opcode++)
		if (has_op(file, opcode))
			info->ops |= BIT_ULL(opcode);
	info->op_flags = DMAENGINE_USER_DRAIN;
	if (has_cyclic(file))
		info->op_flags |= DMAENGINE_USER_CYCLIC;
	info->copy_align = alignment(file, DMAENGINE_USER_COPY);
	info->fill_align = alignment(file, DMAENGINE_USER_FILL);
	info->xor_align = alignment(file, DMAENGINE_USER_XOR);
	info->pq_align = alignment(file, DMAENGINE_USER_PQ);
	info->unit = file->unit;
	if (info->ops & BIT_ULL(DMAENGINE_USER_XOR))
		info->max_xor = max_sources(chan, DMAENGINE_USER_XOR);
	if (info->ops & BIT_ULL(DMAENGINE_USER_PQ))
		info->max_pq = max_sources(chan, DMAENGINE_USER_PQ);
}

/* --- from the program ----------------------------------------------------------- */

static bool get_range(struct dmau_range *range, const struct dmaengine_user_range *from)
{
	range->offset = from->offset;
	range->handle = from->handle;
	return !from->reserved;
}

static bool is_zero(const struct dmaengine_user_range *from)
{
	return !from->offset && !from->handle && !from->reserved;
}

static int get_sources(struct dmau_op *op, const struct dmaengine_user_op *from)
{
	const struct dmaengine_user_range __user *srcs = u64_to_user_ptr(from->srcs);
	unsigned int i;

	if (kinds[op->opcode].nsrc)
		return get_range(&op->src[0], &from->src) && !from->srcs ? 0 : -EINVAL;
	if (!op->nsrc && from->srcs)
		return -EINVAL;
	for (i = 0; i < op->nsrc; i++) {
		struct dmaengine_user_range range;

		if (copy_from_user(&range, &srcs[i], sizeof(range)))
			return -EFAULT;
		if (!get_range(&op->src[i], &range))
			return -EINVAL;
	}
	return is_zero(&from->src) ? 0 : -EINVAL;
}

/* Flags, and what they ask for; of an operation that has a kind. */
static bool has_valid_flags(const struct dmaengine_user_op *from)
{
	u64 periods, rest;

	if (from->flags & ~(DMAENGINE_USER_DRAIN | DMAENGINE_USER_CYCLIC))
		return false;
	if (!(from->flags & DMAENGINE_USER_CYCLIC))
		return !from->period;
	if (!kinds[from->opcode].direction || from->period < PERIOD_MIN)
		return false;
	periods = div64_u64_rem(from->length, from->period, &rest);
	return periods && periods <= PERIODS_MAX && !rest;
}

static int get_op(struct dmau_op *op, const struct dmaengine_user_op *from)
{
	unsigned int i;

	op->user_data = from->user_data;
	op->opcode = from->opcode;
	op->flags = from->flags;
	op->length = from->length;
	op->period = from->period;
	op->ndst = kinds[op->opcode].ndst;
	op->value = from->value;
	for (i = 0; i < ARRAY_SIZE(op->dst); i++) {
		if (!(i < op->ndst ? get_range(&op->dst[i], &from->dst[i]) :
				     is_zero(&from->dst[i])))
			return -EINVAL;
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

	if (size < DMAENGINE_USER_OP_SIZE_VER0)
		return ERR_PTR(-EINVAL);
	/* What is beyond the structure has to be zero, and is read to see that. */
	if (size > PAGE_SIZE)
		return ERR_PTR(-E2BIG);
	err = copy_struct_from_user(&user, sizeof(user), u64_to_user_ptr(from), size);
	if (err)
		return ERR_PTR(err);
	if (user.opcode >= ARRAY_SIZE(kinds) || !user.length ||
	    user.src_count > DMAU_SRC_MAX ||
	    user.value > (user.opcode == DMAENGINE_USER_FILL ? U8_MAX : 0))
		return ERR_PTR(-EINVAL);
	user.opcode = array_index_nospec(user.opcode, ARRAY_SIZE(kinds));
	if (!has_valid_flags(&user))
		return ERR_PTR(-EINVAL);
	nsrc = user.src_count;
	/* Providers rely on it that there are two to compute a parity of. */
	if (kinds[user.opcode].many ? nsrc < 2 : nsrc)
		return ERR_PTR(-EINVAL);
	if (!kinds[user.opcode].many)
		nsrc = kinds[user.opcode].nsrc;

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

/* A completion of the ring, which has a place for it. */
static void tell_ring(struct dmau_file *file, const struct dmau_op *op, int result)
{
	file->ring->completions[file->tail % DMAU_RING_ENTRIES] =
		(struct dmaengine_user_completion) {
			.user_data = op->user_data,
			/* A part can fail that had been counted when another one did. */
			.residue = min(op->residue, op->length),
			.result = result,
			.periods = op->periods,
		};
	/* The completion is there before the tail: pairs with the acquire of untaken(). */
	smp_store_release(&file->tail, file->tail + 1);
	/* Pairs with the acquire of the program, as <linux/dmaengine_user.h> tells it. */
	smp_store_release(&file->ring->tail, file->tail);
	if (file->eventfd)
		dmau_eventfd_signal(file->eventfd);
}

static void tell(struct dmau_file *file, const struct dmau_op *op)
{
	if (op->uring) {
		*dmau_uring_result(op->uring) = op->result;
		dmau_uring_do_in_task(op->uring, dmau_uring_done);
	} else {
		tell_ring(file, op, op->result);
	}
}

/* Tells the program of the end, and lets go of the buffers. */
static void finish(struct dmau_op *op)
{
	struct dmau_file *file = op->file;

	list_del_init(&op->node);
	count_users(op, -1);
	if (op->started)
		file->unfinished--;
	if (file->cyclic == op)
		file->cyclic = NULL;
	tell(file, op);
	/* Told before it is over: pairs with the acquire of is_over(). */
	smp_store_release(&file->nops, file->nops - 1);
	if (wq_has_sleeper(&file->wait))
		wake_up(&file->wait);
}

static void free_op(struct dmau_op *op)
{
	kfree(op->sgl);
	kfree(op);
}

static void end(struct dmau_op *op)
{
	finish(op);
	free_op(op);
}

/* The operation gets no more descriptors. */
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
		queue_work(dmau_workqueue, &file->work);
	} else {
		end(op);
	}
}

static int error_of(const struct dmaengine_result *result)
{
	if (!result || result->result == DMA_TRANS_NOERROR)
		return 0;
	return result->result == DMA_TRANS_ABORTED ? -ECANCELED : -EIO;
}

/* The callback of a descriptor. */
static void completed(void *data, const struct dmaengine_result *result)
{
	int err = error_of(result);
	struct dmau_op *op = data;
	struct dmau_file *file = op->file;
	unsigned long flags;

	spin_lock_irqsave(&file->lock, flags);
	if (file->state == DMAU_LOST) {
		/* The operation has ended without its descriptors. */
		spin_unlock_irqrestore(&file->lock, flags);
		return;
	}
	op->descriptors--;
	if (err)
		fail(op, err, result->residue);
	else if (result && kinds[op->opcode].direction)
		/* The peripheral can end a transfer early. */
		op->residue += result->residue;
	sort(op);
	file->descriptors--;
	/* Many at a time share a doorbell. */
	if (!list_empty(&file->waiting) && file->descriptors <= DESCRIPTORS_MAX / 2)
		queue_work(dmau_workqueue, &file->work);
	if (!file->descriptors)
		wake_up(&file->wait);
	spin_unlock_irqrestore(&file->lock, flags);
}

/* Completions that the program has not taken keep their places in the ring. */
static bool has_place(struct dmau_file *file)
{
	u32 untaken = file->tail - READ_ONCE(file->ring->head);

	return untaken <= DMAU_RING_ENTRIES && untaken + file->nops < DMAU_RING_ENTRIES;
}

/* The callback of a cyclic descriptor, which goes on. */
static void period_completed(void *data, const struct dmaengine_result *result)
{
	struct dmau_op *op = data;
	struct dmau_file *file = op->file;
	unsigned long flags;

	spin_lock_irqsave(&file->lock, flags);
	/* A provider tells of several at once if it was late. */
	if (file->cyclic == op) {
		op->periods++;
		if (has_place(file))
			tell_ring(file, op, error_of(result));
		wake_up(&file->wait);
	}
	spin_unlock_irqrestore(&file->lock, flags);
}

/*
 * Some providers interrupt for a period only if @callback is set.  If both are set dmaengine
 * calls @callback_result alone.
 */
static void period_callback(void *data)
{
	period_completed(data, NULL);
}

/* --- accepted ------------------------------------------------------------------- */

static int check_range(struct dmau_file *file, const struct dmau_op *op,
		       struct dmau_range *range, bool write)
{
	struct dmau_buffer *buffer = xa_load(&file->buffers, range->handle);
	u64 end, length = op->length;

	if (!buffer)
		return -ENOENT;
	if (write && !buffer->write)
		return -EACCES;
	if (check_add_overflow(range->offset, op->length, &end) || end > buffer->length)
		return -ERANGE;
	range->buffer = buffer;
	/* Here only the beginning is checked; get_part() checks where each descriptor begins. */
	return IS_ALIGNED(dmau_buffer_addr(buffer, range->offset, &length) | op->length,
			  alignment(file, op->opcode)) ? 0 : -EINVAL;
}

static int check_cyclic(const struct dmau_file *file, const struct dmau_op *op)
{
	if (!has_cyclic(file))
		return -EOPNOTSUPP;
	if (op->period > file->max_descriptor || !IS_ALIGNED(op->period, file->unit))
		return -EINVAL;
	/* It is not known when to synchronize a period. */
	if (op->ndst ? op->dst[0].buffer->sync : op->src[0].buffer->sync)
		return -EOPNOTSUPP;
	return file->nops ? -EBUSY : 0;
}

static int check(struct dmau_file *file, struct dmau_op *op)
{
	unsigned int i;
	int err;

	if (file->state == DMAU_ENDING)
		return -EAGAIN;
	if (file->state != DMAU_OPEN)
		return -ENODEV;
	if (!has_op(file, op->opcode))
		return -EOPNOTSUPP;
	/* It may wait for a peripheral for ever, and io_uring could not end it. */
	if (op->uring && kinds[op->opcode].direction)
		return -EINVAL;
	if (file->cyclic)
		return -EBUSY;
	if (op->nsrc > max_sources(file->chan, op->opcode))
		return -EINVAL;
	for (i = 0; i < op->ndst; i++) {
		err = check_range(file, op, &op->dst[i], true);
		if (err)
			return err;
		op->sync |= op->dst[i].buffer->sync;
	}
	for (i = 0; i < op->nsrc; i++) {
		err = check_range(file, op, &op->src[i], false);
		if (err)
			return err;
	}
	err = is_cyclic(op) ? check_cyclic(file, op) : 0;
	if (err)
		return err;
	return has_place(file) ? 0 : -EAGAIN;
}

/**
 * dmau_op_accept - takes an operation, which dmau_op_go() begins
 * @file: that it is of
 * @op: from dmau_op_create(); freed on an error, and when it has ended
 *
 * Context: process context.
 * Return: 0, or what dmaengine_user_submit says: -ENODEV, -EOPNOTSUPP, -EINVAL, -ENOENT,
 * -EACCES, -ERANGE; -EBUSY: it cannot be beside a cyclic one; -EAGAIN: no place.
 */
int dmau_op_accept(struct dmau_file *file, struct dmau_op *op)
{
	int err;

	op->file = file;
	spin_lock_irq(&file->lock);
	err = check(file, op);
	if (!err) {
		count_users(op, 1);
		file->nops++;
		if (is_cyclic(op))
			file->cyclic = op;
		list_add_tail(&op->node, &file->waiting);
	}
	spin_unlock_irq(&file->lock);
	if (err)
		kfree(op);
	return err;
}

/* --- synchronized --------------------------------------------------------------- */

/* The program gets what the device may have written, and no byte besides. */
static void sync_cpu(const struct dmau_op *op)
{
	unsigned int i;

	for (i = 0; i < op->ndst; i++)
		dmau_buffer_sync_cpu(op->dst[i].buffer, op->dst[i].offset, op->synced);
}

/* Synchronizes and ends operations whose descriptors have all ended. */
static void end_unsynced(struct dmau_file *file)
{
	struct dmau_op *op;

	spin_lock_irq(&file->lock);
	while ((op = list_first_entry_or_null(&file->unsynced, struct dmau_op, node))) {
		list_del_init(&op->node);
		spin_unlock_irq(&file->lock);
		sync_cpu(op);
		spin_lock_irq(&file->lock);
		end(op);
	}
	spin_unlock_irq(&file->lock);
}

/* --- submitted: by one thread at a time ------------------------------------------- */

/**
 * struct part - the part of an operation that one descriptor does
 * @at: where it begins in each range
 * @length: bytes
 * @alone: no other descriptor is in flight
 * @dst: bus addresses
 * @src: bus addresses
 */
struct part {
	u64 at;
	u64 length;
	bool alone;
	dma_addr_t dst[2];
	dma_addr_t src[DMAU_SRC_MAX];
};

/*
 * The operation whose descriptor is next; where that begins is in @part.  The descriptor is
 * counted from here on, which keeps the operation, and lets its callback come at once.
 */
static struct dmau_op *next_op(struct dmau_file *file, struct part *part)
{
	struct dmau_op *op;

	spin_lock_irq(&file->lock);
	op = list_first_entry_or_null(&file->waiting, struct dmau_op, node);
	if (!op || file->state != DMAU_OPEN || file->descriptors >= DESCRIPTORS_MAX ||
	    (op->flags & DMAENGINE_USER_DRAIN && !op->started && file->unfinished)) {
		op = NULL;
	} else {
		if (!op->started) {
			op->started = true;
			file->unfinished++;
		}
		/* Read once: an earlier part that fails changes it. */
		part->at = op->begun;
		part->alone = !file->descriptors++;
		op->descriptors++;
	}
	spin_unlock_irq(&file->lock);
	return op;
}

/* Counts a descriptor of next_op() no more.  A @result other than 0 fails the operation. */
static void drop_part(struct dmau_op *op, int result, u64 residue)
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

/* A segment that is cut ends where any peripheral's element does. */
static size_t longest_segment(const struct dmau_file *file)
{
	size_t most = file->max_descriptor;

	return most >= PAGE_SIZE ? round_down(most, PAGE_SIZE) : rounddown_pow_of_two(most);
}

/*
 * The bus addresses of a slave transfer, which is one part.  A cyclic one has one range, which
 * the provider cuts into periods.
 */
static int get_transfer(struct dmau_op *op, struct part *part)
{
	const struct dmau_range *range = op->ndst ? &op->dst[0] : &op->src[0];
	unsigned int i, limit = is_cyclic(op) ? 1 : SEGMENTS_MAX, nents = 0;
	u64 at, length, most = is_cyclic(op) ? op->length : longest_segment(op->file);
	struct scatterlist *sgl;

	part->length = op->length;
	/* It was made, and the provider had no descriptor. */
	if (op->sgl)
		return 0;
	for (at = 0; at < op->length && nents <= limit; at += length) {
		dma_addr_t addr;

		length = min(op->length - at, most);
		addr = dmau_buffer_addr(range->buffer, range->offset + at, &length);
		if (!IS_ALIGNED(addr | length, op->file->unit))
			return -EINVAL;
		nents++;
	}
	if (nents > limit)
		return -EINVAL;
	sgl = kmalloc_array(nents, sizeof(*sgl), GFP_KERNEL_ACCOUNT);
	if (!sgl)
		return -ENOMEM;
	sg_init_table(sgl, nents);
	for (i = 0, at = 0; i < nents; i++, at += length) {
		length = min(op->length - at, most);
		sg_dma_address(&sgl[i]) = dmau_buffer_addr(range->buffer, range->offset + at,
							   &length);
		sg_dma_len(&sgl[i]) = length;
	}
	op->sgl = sgl;
	op->nents = nents;
	return 0;
}

/* Return: 0; -EINVAL: a descriptor of it would not be aligned; see get_transfer() */
static int get_part(struct dmau_op *op, struct part *part)
{
	const struct dmau_file *file = op->file;
	unsigned int align = alignment(file, op->opcode);
	u64 rest = op->length - part->at;
	dma_addr_t all = 0;
	unsigned int i;

	if (kinds[op->opcode].direction)
		return get_transfer(op, part);
	part->length = min_t(u64, rest, file->max_descriptor);
	for (i = 0; i < op->ndst; i++) {
		part->dst[i] = dmau_buffer_addr(op->dst[i].buffer, op->dst[i].offset + part->at,
						&part->length);
		all |= part->dst[i];
	}
	for (i = 0; i < op->nsrc; i++) {
		part->src[i] = dmau_buffer_addr(op->src[i].buffer, op->src[i].offset + part->at,
						&part->length);
		all |= part->src[i];
	}
	/* What follows this part has to begin aligned, too. */
	if (part->length < rest)
		part->length = round_down(part->length, align);
	return part->length && IS_ALIGNED(all, align) ? 0 : -EINVAL;
}

static void sync_device(struct dmau_op *op, const struct part *part)
{
	unsigned int i;

	for (i = 0; i < op->nsrc; i++)
		dmau_buffer_sync_device(op->src[i].buffer, op->src[i].offset + part->at,
					part->length);
	for (i = 0; i < op->ndst; i++)
		dmau_buffer_sync_device(op->dst[i].buffer, op->dst[i].offset + part->at,
					part->length);
	op->synced = part->at + part->length;
}

static struct dma_async_tx_descriptor *prepare(struct dmau_op *op, struct part *part)
{
	enum dma_transfer_direction direction = kinds[op->opcode].direction;
	unsigned long flags = DMA_PREP_INTERRUPT | DMA_CTRL_ACK;
	struct dma_chan *chan = op->file->chan;

	if (is_cyclic(op))
		return dmaengine_prep_dma_cyclic(chan, sg_dma_address(op->sgl), op->length,
						 op->period, direction, flags);
	if (direction)
		return dmaengine_prep_slave_sg(chan, op->sgl, op->nents, direction, flags);
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

/* A provider may call back for its last descriptor before that is free again. */
static struct dma_async_tx_descriptor *prepare_patiently(struct dmau_op *op, struct part *part)
{
	struct dma_async_tx_descriptor *tx = prepare(op, part);
	unsigned int tries;

	for (tries = 0; !tx && part->alone && tries < 10; tries++) {
		usleep_range(1000, 2000);
		tx = prepare(op, part);
	}
	return tx;
}

/* Return: false if the provider has no free descriptor until another one is completed. */
static bool submit_part(struct dmau_op *op, struct part *part)
{
	struct dma_async_tx_descriptor *tx;
	struct dmau_file *file = op->file;
	int err = get_part(op, part);

	if (err) {
		drop_part(op, err, 0);
		return true;
	}
	sync_device(op, part);
	tx = prepare_patiently(op, part);
	if (!tx) {
		drop_part(op, part->alone ? -EIO : 0, 0);
		return part->alone;
	}
	if (is_cyclic(op)) {
		tx->callback_result = period_completed;
		tx->callback = period_callback;
	} else {
		tx->callback_result = completed;
	}
	tx->callback_param = op;

	spin_lock_irq(&file->lock);
	/* Submitted even if the operation has failed meanwhile: what is prepared has to be. */
	if (op->begun < op->length)
		op->begun += part->length;
	sort(op);
	spin_unlock_irq(&file->lock);
	if (dma_submit_error(dmaengine_submit(tx)))
		drop_part(op, -EIO, part->length);
	return true;
}

/**
 * dmau_op_go - has operations begin that were accepted
 * @file: of which
 *
 * Submits a bounded number of descriptors, and leaves the rest to the work item.
 *
 * Context: process context; may sleep.
 */
void dmau_op_go(struct dmau_file *file)
{
	unsigned int left = DESCRIPTORS_MAX;
	struct dmau_op *op;
	struct part part;

	mutex_lock(&file->provider);
	while (left && !fatal_signal_pending(current) &&
	       (op = next_op(file, &part)) && submit_part(op, &part)) {
		left--;
		cond_resched();
	}
	if (left < DESCRIPTORS_MAX)
		dma_async_issue_pending(file->chan);
	mutex_unlock(&file->provider);
	if (!left || fatal_signal_pending(current))
		queue_work(dmau_workqueue, &file->work);
}

static void dmau_op_work(struct work_struct *work)
{
	struct dmau_file *file = container_of(work, struct dmau_file, work);

	end_unsynced(file);
	dmau_op_go(file);
}

/**
 * dmau_op_init - prepares a file for operations
 * @file: that is all zero as far as operations are concerned
 *
 * Context: any.
 */
void dmau_op_init(struct dmau_file *file)
{
	/* Its own lock is taken under that of the file. */
	xa_init_flags(&file->buffers, XA_FLAGS_ALLOC | XA_FLAGS_LOCK_IRQ);
	mutex_init(&file->provider);
	INIT_WORK(&file->work, dmau_op_work);
	spin_lock_init(&file->lock);
	INIT_LIST_HEAD(&file->waiting);
	INIT_LIST_HEAD(&file->running);
	INIT_LIST_HEAD(&file->unsynced);
	init_waitqueue_head(&file->wait);
}

/* --- stopped -------------------------------------------------------------------- */

static unsigned int in_flight(struct dmau_file *file)
{
	unsigned int descriptors;

	/* A callback that has counted the last descriptor has left the lock, too. */
	spin_lock_irq(&file->lock);
	descriptors = file->descriptors;
	spin_unlock_irq(&file->lock);
	return descriptors;
}

/* Return: false if the device has completed nothing for as long as it is given. */
static bool wait_for_device(struct dmau_file *file)
{
	unsigned int before, left = in_flight(file);

	do {
		before = left;
		wait_event_timeout(file->wait, !in_flight(file), STUCK);
		left = in_flight(file);
		if (!left)
			return true;
	} while (left < before);
	return false;
}

/*
 * Waits until the device accesses no buffer, and no callback comes any more.
 *
 * Descriptors in flight are waited for.  Only a device that is stuck has them terminated: not
 * every provider stops its hardware by that, and some call back afterwards.  What a driver
 * has lent is terminated at once, as by every client of a peripheral: it may have no end.
 *
 * Return: false if the device is stuck and its provider cannot terminate.
 */
static bool quiesce(struct dmau_file *file)
{
	const struct dma_device *device = file->chan->device;
	struct dmau_op *op;

	if (!file->directions && wait_for_device(file))
		return true;
	if (!device->device_terminate_all || !device->device_synchronize ||
	    dmaengine_terminate_sync(file->chan))
		return false;
	spin_lock_irq(&file->lock);
	file->descriptors = 0;
	list_for_each_entry(op, &file->running, node)
		op->descriptors = 0;
	list_for_each_entry(op, &file->waiting, node)
		op->descriptors = 0;
	spin_unlock_irq(&file->lock);
	return true;
}

static void end_all(struct dmau_file *file, int result)
{
	struct dmau_op *op;

	spin_lock_irq(&file->lock);
	list_splice_init(&file->running, &file->waiting);
	while ((op = list_first_entry_or_null(&file->waiting, struct dmau_op, node))) {
		/* None of it counts as processed. */
		op->begun = 0;
		op->residue = 0;
		fail(op, result, 0);
		/* Where the device may still access memory the operation is never freed. */
		if (op->descriptors)
			finish(op);
		else
			sort(op);
		spin_unlock_irq(&file->lock);
		cond_resched();
		spin_lock_irq(&file->lock);
	}
	spin_unlock_irq(&file->lock);
	end_unsynced(file);
}

static void set_state(struct dmau_file *file, enum dmau_state state)
{
	spin_lock_irq(&file->lock);
	/* Read without the lock where somebody waits for completions. */
	WRITE_ONCE(file->state, state);
	spin_unlock_irq(&file->lock);
}

/**
 * dmau_op_stop - ends all operations, and waits for the device
 * @file: of which, not stopped
 * @state: what comes then: DMAU_OPEN: it goes on; DMAU_STOPPED: the channel is gone
 *
 * Context: process context, with &dmau_chan.lock held.
 * Return: whether the device has let go of all buffers.  If not, @file and its buffers have
 * to stay as they are for good, and @state is DMAU_LOST.
 */
bool dmau_op_stop(struct dmau_file *file, enum dmau_state state)
{
	set_state(file, state == DMAU_OPEN ? DMAU_ENDING : state);
	/* Whoever calls the provider holds it, and looks at @state before each call. */
	mutex_lock(&file->provider);
	if (!quiesce(file)) {
		state = DMAU_LOST;
		set_state(file, state);
	}
	end_all(file, state == DMAU_OPEN ? -ECANCELED : -ENODEV);
	mutex_unlock(&file->provider);
	/* The work item may be synchronizing a buffer. */
	cancel_work_sync(&file->work);
	set_state(file, state);
	return state != DMAU_LOST;
}
