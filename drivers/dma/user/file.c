// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine_user: what a program calls: open, ioctl, read, poll, mmap, io_uring, close.
 */
#include <linux/dma-mapping.h>
#include <linux/eventfd.h>
#include <linux/poll.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "compat.h"
#include "dmaengine_user.h"

#define RING_BYTES	PAGE_ALIGN(struct_size_t(struct dmaengine_user_ring, completions, \
						 DMAU_RING_ENTRIES))

/* --- buffers ---------------------------------------------------------------------- */

static int add_buffer(struct dmau_file *file, struct dmau_buffer *buffer, u32 *handle)
{
	int err;

	mutex_lock(&file->offer->lock);
	if (file->state != DMAU_OPEN) {
		err = -ENODEV;
	} else {
		err = dmau_buffer_map(buffer, file->dev);
		if (!err) {
			err = xa_alloc_irq(&file->buffers, handle, buffer,
					   XA_LIMIT(1, DMAU_BUFFERS_MAX),
					   GFP_KERNEL_ACCOUNT);
			if (err)
				dmau_buffer_unmap(buffer);
			if (err == -EBUSY)
				err = -ENOSPC;
		}
	}
	mutex_unlock(&file->offer->lock);
	return err;
}

static int register_buffer(struct dmau_file *file, struct dmaengine_user_register *reg)
{
	bool write = reg->flags & DMAENGINE_USER_WRITE;
	struct dmau_buffer *buffer;
	int err;

	if (reg->flags & ~(DMAENGINE_USER_WRITE | DMAENGINE_USER_DMABUF) || reg->handle)
		return -EINVAL;
	if (reg->flags & DMAENGINE_USER_DMABUF) {
		if (reg->addr || reg->length)
			return -EINVAL;
		buffer = dmau_buffer_import(reg->fd, write);
	} else {
		if (reg->fd)
			return -EINVAL;
		buffer = dmau_buffer_pin(reg->addr, reg->length, write);
	}
	if (IS_ERR(buffer))
		return PTR_ERR(buffer);
	err = add_buffer(file, buffer, &reg->handle);
	if (err)
		dmau_buffer_free(buffer);
	return err;
}

static int unregister_buffer(struct dmau_file *file, u32 handle)
{
	struct dmau_buffer *buffer;
	int err = 0;

	mutex_lock(&file->offer->lock);
	spin_lock_irq(&file->lock);
	buffer = xa_load(&file->buffers, handle);
	if (file->state != DMAU_OPEN)
		err = -ENODEV;
	else if (!buffer)
		err = -ENOENT;
	else if (buffer->users)
		err = -EBUSY;
	else
		xa_erase(&file->buffers, handle);
	spin_unlock_irq(&file->lock);
	if (!err)
		dmau_buffer_unmap(buffer);
	mutex_unlock(&file->offer->lock);
	if (!err)
		dmau_buffer_free(buffer);
	return err;
}

/* See dmau_op_stop(). */
static bool end_operations(struct dmau_file *file, enum dmau_state state)
{
	if (dmau_op_stop(file, state))
		return true;
	dev_err(&file->offer->dev,
		"the device is stuck, and its driver cannot terminate; the program's buffers stay pinned for good\n");
	/* A callback may come at any time. */
	__module_get(THIS_MODULE);
	return false;
}

/**
 * dmau_file_stop - takes the channel from a file
 * @file: that is open, or being closed
 *
 * What it has under way ends with -ENODEV when the device has let go of the memory, and its
 * buffers are unmapped.  They stay pinned until the file is closed: to unpin them may take
 * as long as a program wants.  If the device does not let go of them they stay for good.
 *
 * Context: process context, with &dmau_chan.lock held and the provider bound.
 */
void dmau_file_stop(struct dmau_file *file)
{
	struct dmau_buffer *buffer;
	unsigned long handle;

	if (file->state != DMAU_OPEN || !end_operations(file, DMAU_STOPPED))
		return;
	xa_for_each(&file->buffers, handle, buffer)
		dmau_buffer_unmap(buffer);
	wake_up_all(&file->wait);
}

/* --- open and close --------------------------------------------------------------- */

static void free_file(struct dmau_file *file)
{
	struct dmau_buffer *buffer;
	unsigned long handle;

	xa_for_each(&file->buffers, handle, buffer)
		dmau_buffer_free(buffer);
	if (file->eventfd)
		eventfd_ctx_put(file->eventfd);
	xa_destroy(&file->buffers);
	vfree(file->ring);
	mmdrop(file->mm);
	kfree(file);
}

static struct dmau_file *new_file(struct dmau_chan *offer)
{
	struct dmau_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);

	if (!file)
		return NULL;
	file->offer = offer;
	dmau_op_init(file);
	mutex_init(&file->reader);
	file->mm = current->mm;
	mmgrab(file->mm);
	file->ring = vmalloc_user(RING_BYTES);
	if (!file->ring) {
		free_file(file);
		return NULL;
	}
	return file;
}

static int dmau_open(struct inode *inode, struct file *filp)
{
	struct dmau_chan *offer = container_of(inode->i_cdev, struct dmau_chan, cdev);
	struct dmau_file *file;
	int err = 0;

	/* A kernel thread has none. */
	if (!current->mm)
		return -EINVAL;
	file = new_file(offer);
	if (!file)
		return -ENOMEM;

	mutex_lock(&offer->lock);
	if (!offer->chan) {
		err = -ENODEV;
	} else if (offer->file) {
		err = -EBUSY;
	} else {
		file->chan = offer->chan;
		file->dev = dmaengine_get_dma_device(offer->chan);
		file->max_descriptor = dma_get_max_seg_size(file->dev);
		file->directions = offer->directions;
		file->unit = offer->unit;
		offer->file = file;
	}
	mutex_unlock(&offer->lock);
	if (err) {
		free_file(file);
		return err;
	}
	filp->private_data = file;
	return stream_open(inode, filp);
}

static int dmau_release(struct inode *inode, struct file *filp)
{
	struct dmau_file *file = filp->private_data;
	struct dmau_chan *offer = file->offer;

	mutex_lock(&offer->lock);
	dmau_file_stop(file);
	/* No other program gets a channel whose device is stuck. */
	if (file->state != DMAU_LOST)
		offer->file = NULL;
	mutex_unlock(&offer->lock);
	/* A command may have queued it when the channel was withdrawn already. */
	cancel_work_sync(&file->work);
	if (file->state != DMAU_LOST)
		free_file(file);
	return 0;
}

/*
 * The program that has opened the file alone may use it, wherever the descriptor goes:
 * its memory is what the buffers are.
 */
static int check_caller(const struct dmau_file *file)
{
	return file->mm == current->mm ? 0 : -EPERM;
}

/* --- ioctl ------------------------------------------------------------------------ */

static int get_info(struct dmau_file *file, void __user *to, u32 size)
{
	struct dmaengine_user_info info = {
		.size = sizeof(info),
		.ring_entries = DMAU_RING_ENTRIES,
		.ring_bytes = RING_BYTES,
		.max_buffers = DMAU_BUFFERS_MAX,
		.max_length = DMAU_LENGTH_MAX,
	};
	int err = 0;

	mutex_lock(&file->offer->lock);
	if (file->state != DMAU_OPEN) {
		err = -ENODEV;
	} else {
		dmau_op_info(file, &info);
		strscpy(info.channel, dma_chan_name(file->chan), sizeof(info.channel));
		strscpy(info.provider, dev_driver_string(file->chan->device->dev),
			sizeof(info.provider));
	}
	mutex_unlock(&file->offer->lock);
	if (err)
		return err;
	/* A program that knows more than there is finds zeroes. */
	if (size > sizeof(info) && clear_user(to + sizeof(info), size - sizeof(info)))
		return -EFAULT;
	return copy_to_user(to, &info, min_t(size_t, size, sizeof(info))) ? -EFAULT : 0;
}

static int submit(struct dmau_file *file, const struct dmaengine_user_submit *batch)
{
	int err = 0;
	u32 i;

	if (batch->flags || !batch->count || batch->count > DMAU_RING_ENTRIES)
		return -EINVAL;
	for (i = 0; i < batch->count; i++) {
		struct dmau_op *op;

		err = -EINTR;
		if (fatal_signal_pending(current))
			break;
		op = dmau_op_create(batch->ops + (u64)i * batch->op_size, batch->op_size);
		err = IS_ERR(op) ? PTR_ERR(op) : dmau_op_accept(file, op);
		if (err)
			break;
	}
	if (i)
		dmau_op_go(file);
	return i ? i : err;
}

static int set_eventfd(struct dmau_file *file, int fd)
{
	struct eventfd_ctx *eventfd = NULL;

	if (fd < -1)
		return -EINVAL;
	if (fd >= 0) {
		eventfd = eventfd_ctx_fdget(fd);
		if (IS_ERR(eventfd))
			return PTR_ERR(eventfd);
	}
	spin_lock_irq(&file->lock);
	swap(eventfd, file->eventfd);
	spin_unlock_irq(&file->lock);
	if (eventfd)
		eventfd_ctx_put(eventfd);
	return 0;
}

static int stop(struct dmau_file *file)
{
	int err = 0;

	mutex_lock(&file->offer->lock);
	if (file->state != DMAU_OPEN)
		err = -ENODEV;
	else if (!end_operations(file, DMAU_OPEN))
		err = -EIO;
	mutex_unlock(&file->offer->lock);
	return err;
}

/* Each begins with its size.  What the program did not give is 0. */
union argument {
	struct dmaengine_user_register reg;
	struct dmaengine_user_unregister unreg;
	struct dmaengine_user_submit submit;
	struct dmaengine_user_eventfd eventfd;
	struct dmaengine_user_stop stop;
};

/* A structure of the first version, or of any later one; see copy_struct_from_user(). */
static int get_argument(union argument *argument, size_t known, size_t first,
			void __user *from, u32 size)
{
	if (size < first)
		return -EINVAL;
	return copy_struct_from_user(argument, known, from, size);
}

static long dmau_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct dmau_file *file = filp->private_data;
	void __user *user = (void __user *)arg;
	union argument argument = {};
	u32 size;
	int err;

	err = check_caller(file);
	if (err)
		return err;
	/* The number is what counts: the size in it is that of the program's headers. */
	if (_IOC_TYPE(cmd) != _IOC_TYPE(DMAENGINE_USER_IOC_INFO) ||
	    _IOC_NR(cmd) > _IOC_NR(DMAENGINE_USER_IOC_STOP))
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	if (size > PAGE_SIZE)
		return -E2BIG;

	switch (_IOC_NR(cmd)) {
	case _IOC_NR(DMAENGINE_USER_IOC_INFO):
		return size < sizeof(size) ? -EINVAL : get_info(file, user, size);
	case _IOC_NR(DMAENGINE_USER_IOC_REGISTER):
		err = get_argument(&argument, sizeof(argument.reg),
				   DMAENGINE_USER_REGISTER_SIZE_VER0, user, size);
		if (!err)
			err = register_buffer(file, &argument.reg);
		if (!err && put_user(argument.reg.handle,
				     &((struct dmaengine_user_register __user *)user)->handle)) {
			unregister_buffer(file, argument.reg.handle);
			err = -EFAULT;
		}
		return err;
	case _IOC_NR(DMAENGINE_USER_IOC_UNREGISTER):
		err = get_argument(&argument, sizeof(argument.unreg),
				   DMAENGINE_USER_UNREGISTER_SIZE_VER0, user, size);
		return err ?: unregister_buffer(file, argument.unreg.handle);
	case _IOC_NR(DMAENGINE_USER_IOC_SUBMIT):
		err = get_argument(&argument, sizeof(argument.submit),
				   DMAENGINE_USER_SUBMIT_SIZE_VER0, user, size);
		return err ?: submit(file, &argument.submit);
	case _IOC_NR(DMAENGINE_USER_IOC_EVENTFD):
		err = get_argument(&argument, sizeof(argument.eventfd),
				   DMAENGINE_USER_EVENTFD_SIZE_VER0, user, size);
		return err ?: set_eventfd(file, argument.eventfd.fd);
	default:
		err = get_argument(&argument, sizeof(argument.stop),
				   DMAENGINE_USER_STOP_SIZE_VER0, user, size);
		if (!err && argument.stop.reserved)
			err = -EINVAL;
		return err ?: stop(file);
	}
}

static int dmau_uring_cmd(struct io_uring_cmd *uring, unsigned int issue_flags)
{
	const struct dmaengine_user_uring *command = dmau_uring_payload(uring);
	struct dmau_file *file = uring->file->private_data;
	struct dmau_op *op;
	int err;

	err = check_caller(file);
	if (err)
		return err;
	if (uring->cmd_op != DMAENGINE_USER_URING_OP)
		return -ENOTTY;
	/* The program can write to it at any time. */
	if (READ_ONCE(command->reserved))
		return -EINVAL;
	op = dmau_op_create(READ_ONCE(command->op), READ_ONCE(command->op_size));
	if (IS_ERR(op))
		return PTR_ERR(op);
	op->uring = uring;
	err = dmau_op_accept(file, op);
	if (err)
		/* To io_uring, EAGAIN is a wish to be called again. */
		return err == -EAGAIN ? -EBUSY : err;
	/*
	 * A provider may sleep, for which io_uring does not wait.  The commands of a batch also
	 * share a doorbell: with 32 of them one takes 7.5 us instead of 10.3.
	 */
	queue_work(dmau_workqueue, &file->work);
	return -EIOCBQUEUED;
}

/* --- completions ------------------------------------------------------------------ */

/* Completions that were not taken; above the ring's size the program has broken it. */
static u32 untaken(struct dmau_file *file, u32 *head)
{
	*head = READ_ONCE(file->ring->head);
	/* Pairs with the release of who has written the completion. */
	return smp_load_acquire(&file->tail) - *head;
}

/* The channel is gone, and all that was under way has its completion. */
static bool is_over(struct dmau_file *file)
{
	/* Pairs with the release of who has told the last one. */
	return READ_ONCE(file->state) >= DMAU_STOPPED && !smp_load_acquire(&file->nops);
}

static bool to_be_read(struct dmau_file *file)
{
	u32 head;

	return untaken(file, &head) || is_over(file);
}

static ssize_t take(struct dmau_file *file, char __user *to, size_t room)
{
	const size_t size = sizeof(struct dmaengine_user_completion);
	u32 head, i, number = untaken(file, &head);

	if (number > DMAU_RING_ENTRIES)
		return -EINVAL;
	number = min_t(size_t, number, room / size);
	for (i = 0; i < number; i++)
		if (copy_to_user(to + i * size,
				 &file->ring->completions[(head + i) % DMAU_RING_ENTRIES], size))
			return -EFAULT;
	/* Read before their places are given away. */
	smp_store_release(&file->ring->head, head + number);
	return number * size;
}

static ssize_t dmau_read(struct file *filp, char __user *to, size_t room, loff_t *pos)
{
	struct dmau_file *file = filp->private_data;
	ssize_t got;
	bool over;
	int err;

	err = check_caller(file);
	if (err)
		return err;
	if (room < sizeof(struct dmaengine_user_completion))
		return -EINVAL;
	for (;;) {
		/* Read before the ring, so that the last completion is not missed. */
		over = is_over(file);
		if (mutex_lock_interruptible(&file->reader))
			return -ERESTARTSYS;
		got = take(file, to, room);
		mutex_unlock(&file->reader);
		if (got)
			return got;
		if (over)
			return -ENODEV;
		if (filp->f_flags & O_NONBLOCK)
			return -EAGAIN;
		if (wait_event_interruptible(file->wait, to_be_read(file)))
			return -ERESTARTSYS;
	}
}

static __poll_t dmau_poll(struct file *filp, struct poll_table_struct *table)
{
	struct dmau_file *file = filp->private_data;
	__poll_t mask = 0;
	u32 head;

	poll_wait(filp, &file->wait, table);
	if (is_over(file))
		mask |= EPOLLHUP;
	if (untaken(file, &head))
		mask |= EPOLLIN | EPOLLRDNORM;
	return mask;
}

static int dmau_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct dmau_file *file = filp->private_data;
	int err;

	err = check_caller(file);
	if (err)
		return err;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	/* A child has no use for it, as for the file. */
	dmau_vm_flags_set(vma, VM_DONTCOPY);
	return remap_vmalloc_range(vma, file->ring, vma->vm_pgoff);
}

const struct file_operations dmau_file_operations = {
	.owner = THIS_MODULE,
	.open = dmau_open,
	.release = dmau_release,
	.unlocked_ioctl = dmau_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.uring_cmd = dmau_uring_cmd,
	.read = dmau_read,
	.poll = dmau_poll,
	.mmap = dmau_mmap,
	.llseek = noop_llseek,
};
