// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine_user: buffers: pinned, mapped for the device, and the other way round.
 *
 * Documentation/core-api/pin_user_pages.rst, case 2: the pins last as long as the
 * program wants, so the pages are moved out of where they could not stay (FOLL_LONGTERM),
 * and a page that the device may write to belongs to the program alone (FOLL_WRITE).
 */
#include <linux/capability.h>
#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "dmaengine_user.h"

/* Pages that are pinned between two looks for a signal. */
#define PIN_BATCH	512

/* As for the memory regions of RDMA: pinned, which is beside what is locked. */
static int account(struct mm_struct *mm, unsigned long npages)
{
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;

	if (atomic64_add_return(npages, &mm->pinned_vm) > limit && !capable(CAP_IPC_LOCK)) {
		atomic64_sub(npages, &mm->pinned_vm);
		return -ENOMEM;
	}
	return 0;
}

static int pin(struct dmau_buffer *buffer, u64 addr)
{
	unsigned long npages = buffer->npages;

	addr &= PAGE_MASK;
	for (buffer->npages = 0; buffer->npages < npages;) {
		int some = min(npages - buffer->npages, (unsigned long)PIN_BATCH);
		unsigned long at = addr + (buffer->npages << PAGE_SHIFT);
		struct page **pages = buffer->pages + buffer->npages;
		int got;

		if (fatal_signal_pending(current))
			return -EINTR;
		if (buffer->write)
			got = pin_user_pages_fast(at, some, FOLL_LONGTERM | FOLL_WRITE, pages);
		else
			got = dmau_pin_for_reading(at, some, pages);
		if (got < 0)
			return got;
		if (!got)
			return -EFAULT;
		buffer->npages += got;
		cond_resched();
	}
	return 0;
}

/**
 * dmau_buffer_pin - pins memory of the calling process
 * @addr: where it begins
 * @length: bytes
 * @write: the device may write to it
 *
 * Context: process context; may sleep for as long as the program's page faults take.
 * Return: the buffer, to be mapped, and freed in the end; -EINVAL; -ENOMEM: beyond
 * RLIMIT_MEMLOCK, too; -EFAULT: no such memory, or not to be pinned for writing; -EINTR.
 */
struct dmau_buffer *dmau_buffer_pin(u64 addr, u64 length, bool write)
{
	struct dmau_buffer *buffer;
	unsigned long npages;
	int err;

	addr = untagged_addr(addr);
	if (!length || length > DMAU_LENGTH_MAX || addr + length < addr ||
	    addr + length > TASK_SIZE_MAX)
		return ERR_PTR(-EINVAL);
	npages = PHYS_PFN(PAGE_ALIGN(offset_in_page(addr) + length));

	buffer = kzalloc(sizeof(*buffer), GFP_KERNEL_ACCOUNT);
	if (!buffer)
		return ERR_PTR(-ENOMEM);
	buffer->start = offset_in_page(addr);
	buffer->length = length;
	buffer->write = write;
	err = account(current->mm, npages);
	if (err) {
		kfree(buffer);
		return ERR_PTR(err);
	}
	buffer->mm = current->mm;
	mmgrab(buffer->mm);
	buffer->npages = npages;
	buffer->pages = kvmalloc_array(npages, sizeof(*buffer->pages), GFP_KERNEL_ACCOUNT);
	if (!buffer->pages) {
		atomic64_sub(npages, &buffer->mm->pinned_vm);
		buffer->npages = 0;
		err = -ENOMEM;
		goto fail;
	}
	err = pin(buffer, addr);
	atomic64_sub(npages - buffer->npages, &buffer->mm->pinned_vm);
	if (!err)
		return buffer;
fail:
	dmau_buffer_free(buffer);
	return ERR_PTR(err);
}

/**
 * dmau_buffer_import - has a dma-buf as a buffer
 * @fd: of the calling process
 * @write: the device may write to it
 *
 * Context: process context; may sleep.
 * Return: the buffer, to be mapped, and freed in the end; -EBADF; -EINVAL: no dma-buf;
 * -EACCES: one that is not open for that; -ENOMEM.
 */
struct dmau_buffer *dmau_buffer_import(int fd, bool write)
{
	struct dmau_buffer *buffer;
	struct dma_buf *dmabuf;
	int err = 0;

	dmabuf = dma_buf_get(fd);
	if (IS_ERR(dmabuf))
		return ERR_CAST(dmabuf);
	if (!(dmabuf->file->f_mode & FMODE_READ) ||
	    (write && !(dmabuf->file->f_mode & FMODE_WRITE)))
		err = -EACCES;
	else if (dmabuf->size > DMAU_LENGTH_MAX)
		err = -EINVAL;
	buffer = err ? NULL : kzalloc(sizeof(*buffer), GFP_KERNEL_ACCOUNT);
	if (!buffer) {
		dma_buf_put(dmabuf);
		return ERR_PTR(err ?: -ENOMEM);
	}
	buffer->length = dmabuf->size;
	buffer->write = write;
	buffer->dmabuf = dmabuf;
	return buffer;
}

static enum dma_data_direction direction(const struct dmau_buffer *buffer)
{
	return buffer->write ? DMA_BIDIRECTIONAL : DMA_TO_DEVICE;
}

static int map_table(struct dmau_buffer *buffer)
{
	int err;

	if (!buffer->dmabuf) {
		size_t most = min_t(size_t, dma_get_max_seg_size(buffer->dev),
				    dma_max_mapping_size(buffer->dev));

		/* An entry has a page at least. */
		err = sg_alloc_table_from_pages_segment(&buffer->own, buffer->pages,
							buffer->npages, buffer->start,
							buffer->length,
							max_t(size_t, most, PAGE_SIZE),
							GFP_KERNEL_ACCOUNT);
		if (err)
			return err;
		err = dma_map_sgtable(buffer->dev, &buffer->own, direction(buffer), 0);
		if (err)
			sg_free_table(&buffer->own);
		else
			buffer->table = &buffer->own;
		return err;
	}

	buffer->attachment = dma_buf_attach(buffer->dmabuf, buffer->dev);
	if (IS_ERR(buffer->attachment)) {
		err = PTR_ERR(buffer->attachment);
		buffer->attachment = NULL;
		return err;
	}
	buffer->table = dma_buf_map_attachment_unlocked(buffer->attachment, direction(buffer));
	if (IS_ERR(buffer->table)) {
		err = PTR_ERR(buffer->table);
		buffer->table = NULL;
		return err;
	}
	return 0;
}

/*
 * Where bus addresses go on from one entry to the next, both are one segment, unless each
 * has to be synchronized by itself.
 */
static int make_segments(struct dmau_buffer *buffer)
{
	struct dmau_segment *segment = NULL;
	struct scatterlist *sg;
	u64 offset = 0;
	unsigned int i;

	buffer->segments = kvmalloc_array(buffer->table->nents, sizeof(*buffer->segments),
					  GFP_KERNEL_ACCOUNT);
	if (!buffer->segments)
		return -ENOMEM;
	for_each_sgtable_dma_sg(buffer->table, sg, i)
		if (dma_need_sync(buffer->dev, sg_dma_address(sg)))
			buffer->sync = true;
	for_each_sgtable_dma_sg(buffer->table, sg, i) {
		u64 length = min_t(u64, sg_dma_len(sg), buffer->length - offset);

		if (!length)
			break;
		if (segment && !buffer->sync &&
		    segment->addr + segment->length == sg_dma_address(sg)) {
			segment->length += length;
		} else {
			segment = &buffer->segments[buffer->nsegments++];
			segment->offset = offset;
			segment->length = length;
			segment->addr = sg_dma_address(sg);
		}
		offset += length;
	}
	if (offset == buffer->length)
		return 0;
	/* A dma-buf whose table is too short: nothing of it can be synchronized. */
	kvfree(buffer->segments);
	buffer->segments = NULL;
	return -EIO;
}

/**
 * dmau_buffer_map - maps a buffer for a device
 * @buffer: that is not mapped
 * @dev: the device; bound to its driver until the buffer is unmapped
 *
 * Context: process context; may sleep, but for no program.
 * Return: 0; -ENOMEM and what else the DMA API or the exporter gives.
 */
int dmau_buffer_map(struct dmau_buffer *buffer, struct device *dev)
{
	int err;

	buffer->dev = dev;
	err = map_table(buffer);
	if (!err)
		err = make_segments(buffer);
	if (err)
		dmau_buffer_unmap(buffer);
	return err;
}

/**
 * dmau_buffer_free - gives back the memory of a buffer, and the buffer
 * @buffer: that is not mapped
 *
 * Context: process context; may sleep.
 */
void dmau_buffer_free(struct dmau_buffer *buffer)
{
	if (buffer->dmabuf) {
		dma_buf_put(buffer->dmabuf);
	} else {
		if (buffer->npages)
			unpin_user_pages_dirty_lock(buffer->pages, buffer->npages,
						    buffer->write);
		kvfree(buffer->pages);
		atomic64_sub(buffer->npages, &buffer->mm->pinned_vm);
		mmdrop(buffer->mm);
	}
	kfree(buffer);
}

/**
 * dmau_buffer_addr - where the device finds a part of a buffer
 * @buffer: that is mapped
 * @offset: into it, less than its length
 * @length: bytes; as many of them as have one range of bus addresses, on return
 *
 * Context: any.
 * Return: the bus address.
 */
dma_addr_t dmau_buffer_addr(const struct dmau_buffer *buffer, u64 offset, u64 *length)
{
	unsigned int low = 0, high = buffer->nsegments;
	const struct dmau_segment *segment;

	while (high - low > 1) {
		unsigned int middle = low + (high - low) / 2;

		if (buffer->segments[middle].offset <= offset)
			low = middle;
		else
			high = middle;
	}
	segment = &buffer->segments[low];
	offset -= segment->offset;
	*length = min(*length, segment->length - offset);
	return segment->addr + offset;
}

/*
 * Goes page by page: behind an IOMMU bus addresses of two pages can follow each other where
 * their memory does not, and caches are cleaned by memory.
 */
static void sync(const struct dmau_buffer *buffer, u64 offset, u64 length,
		 void (*by)(struct device *, dma_addr_t, size_t, enum dma_data_direction))
{
	u64 end = offset + length;

	while (buffer->sync && offset < end) {
		u64 part = end - offset;
		dma_addr_t addr = dmau_buffer_addr(buffer, offset, &part);

		part = min_t(u64, part, PAGE_SIZE - offset_in_page(addr));
		by(buffer->dev, addr, part, direction(buffer));
		offset += part;
		cond_resched();
	}
}

/**
 * dmau_buffer_sync_device - a part of a buffer is the device's now
 * @buffer: that is mapped
 * @offset: into it
 * @length: bytes
 *
 * Context: process context; may sleep.
 */
void dmau_buffer_sync_device(const struct dmau_buffer *buffer, u64 offset, u64 length)
{
	sync(buffer, offset, length, dma_sync_single_for_device);
}

/**
 * dmau_buffer_sync_cpu - a part of a buffer is the program's again
 * @buffer: that is mapped
 * @offset: into it
 * @length: bytes
 *
 * Context: process context; may sleep.
 */
void dmau_buffer_sync_cpu(const struct dmau_buffer *buffer, u64 offset, u64 length)
{
	sync(buffer, offset, length, dma_sync_single_for_cpu);
}

/**
 * dmau_buffer_unmap - undoes dmau_buffer_map()
 * @buffer: that the device does not access any more, mapped or not
 *
 * Context: process context; may sleep.
 */
void dmau_buffer_unmap(struct dmau_buffer *buffer)
{
	if (buffer->table && buffer->dmabuf) {
		/*
		 * Its exporter synchronizes all of it, though each operation has done that
		 * for its own: that shall change nothing of what the program wrote since.
		 */
		if (buffer->segments)
			dmau_buffer_sync_device(buffer, 0, buffer->length);
		dma_buf_unmap_attachment_unlocked(buffer->attachment, buffer->table,
						  direction(buffer));
	} else if (buffer->table) {
		/* Each operation has synchronized its own; the rest is the program's. */
		dma_unmap_sgtable(buffer->dev, &buffer->own, direction(buffer),
				  DMA_ATTR_SKIP_CPU_SYNC);
		sg_free_table(&buffer->own);
	}
	buffer->table = NULL;
	if (buffer->attachment)
		dma_buf_detach(buffer->dmabuf, buffer->attachment);
	buffer->attachment = NULL;
	kvfree(buffer->segments);
	buffer->segments = NULL;
	buffer->nsegments = 0;
}
