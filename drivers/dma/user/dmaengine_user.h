/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmaengine_user: channels, files, buffers and operations.
 *
 * chan.c offers channels and takes them back, file.c is what a program calls, op.c submits
 * operations, buffer.c pins and maps.  Each calls only those after it.
 */
#ifndef DMAENGINE_USER_H
#define DMAENGINE_USER_H

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/dmaengine.h>
#include <linux/fs.h>
#include <linux/io_uring.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/scatterlist.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include <uapi/linux/dmaengine_user.h>

struct dma_buf;
struct dma_buf_attachment;
struct dmau_file;
struct eventfd_ctx;

/* Completions that a ring holds, a power of two; a file has as many operations. */
#define DMAU_RING_ENTRIES	1024
/* Sources of one operation. */
#define DMAU_SRC_MAX		32
/* Buffers of a file, and the bytes of each. */
#define DMAU_BUFFERS_MAX	1024
#define DMAU_LENGTH_MAX		SZ_2G

/**
 * struct dmau_chan - a channel that is offered
 * @dev: of the class dmaengine_user; its last reference frees this
 * @cdev: /dev/dmaengine/<name>
 * @node: in the list of offers, under their lock, until somebody ends it
 * @provider: the device whose driver provides the channel; has a reference
 * @unbind: tells that @provider loses its driver
 * @forget: unregisters @unbind, which cannot be done while it is called
 * @lock: protects @chan and @file, and keeps the provider bound while a buffer is mapped
 *	and unmapped.  No memory of a program is touched under it: a program could keep
 *	root waiting.  Taken before &dmau_file.lock.
 * @chan: the channel; NULL when it was given back
 * @file: that has it open; NULL: none.  There is one at most, for a program ends its
 *	operations by closing, and dmaengine can end those of a channel only together.
 * @directions: in which an owner in the kernel lends it for slave transfers, bits of enum
 *	dma_transfer_direction; 0: root has offered it, for operations on memory
 * @unit: of such a transfer, bytes
 */
struct dmau_chan {
	struct device dev;
	struct cdev cdev;
	struct list_head node;
	struct device *provider;
	struct notifier_block unbind;
	struct work_struct forget;
	struct mutex lock;	/* @chan, @file and mappings */
	struct dma_chan *chan;
	struct dmau_file *file;
	unsigned int directions;
	unsigned int unit;
};

/**
 * struct dmau_segment - a part of a buffer with one range of bus addresses
 * @offset: into the buffer
 * @length: bytes
 * @addr: for the device
 */
struct dmau_segment {
	u64 offset;
	u64 length;
	dma_addr_t addr;
};

/**
 * struct dmau_buffer - a buffer that is registered
 * @dev: that it is mapped for
 * @length: bytes
 * @write: the device may write to it
 * @sync: caches, or a bounce buffer, need to be told who has it
 * @users: operations that have it, under &dmau_file.lock
 * @mm: whose pinned memory it is; NULL for a dma-buf
 * @pages: of a process, pinned; NULL for a dma-buf
 * @npages: how many
 * @start: of the buffer in the first of them, bytes
 * @own: the table of @pages, while it is mapped
 * @dmabuf: where it is one
 * @attachment: to it
 * @table: that is mapped: @own or the dma-buf's; NULL: none is
 * @nsegments: in @segments
 * @segments: of all the buffer, in order of their offsets
 */
struct dmau_buffer {
	struct device *dev;
	u64 length;
	bool write;
	bool sync;
	unsigned int users;

	struct mm_struct *mm;
	struct page **pages;
	unsigned long npages;
	unsigned int start;
	struct sg_table own;

	struct dma_buf *dmabuf;
	struct dma_buf_attachment *attachment;

	struct sg_table *table;
	unsigned int nsegments;
	struct dmau_segment *segments;
};

/**
 * struct dmau_range - where an operation reads or writes
 * @buffer: of which it is one of the users
 * @offset: into @buffer
 * @handle: of @buffer
 */
struct dmau_range {
	struct dmau_buffer *buffer;
	u64 offset;
	u32 handle;
};

/**
 * struct dmau_op - an operation, from its submission to its completion
 * @node: in one of the lists of @file
 * @file: that it is of
 * @uring: the command that it was submitted by; NULL: the ring gets its completion
 * @user_data: for the completion
 * @opcode: DMAENGINE_USER_COPY and so on
 * @flags: DMAENGINE_USER_DRAIN, DMAENGINE_USER_CYCLIC
 * @length: bytes
 * @period: bytes, of a cyclic operation
 * @periods: of it, that were completed
 * @sync: caches, or a bounce buffer, are to be told when it has ended
 * @started: the device may have begun
 * @begun: bytes from the start that have descriptors; @length if it gets no more of them
 * @synced: bytes from the start that were given to the device
 * @residue: bytes that were not processed
 * @descriptors: submitted or about to be, and not completed
 * @result: 0 or why it failed
 * @value: of a fill
 * @coefficients: of a PQ
 * @ndst: destinations
 * @nsrc: sources
 * @dst: destinations
 * @sgl: bus addresses of a slave transfer, without pages; an array, as some providers expect
 * @nents: entries of it
 * @src: sources
 */
struct dmau_op {
	struct list_head node;
	struct dmau_file *file;
	struct io_uring_cmd *uring;
	u64 user_data;
	u32 opcode;
	u32 flags;
	u64 length;
	u64 period;
	u64 periods;
	bool sync;
	bool started;
	u64 begun;
	u64 synced;
	u64 residue;
	unsigned int descriptors;
	int result;
	u8 value;
	u8 coefficients[DMAU_SRC_MAX];
	unsigned int ndst;
	unsigned int nsrc;
	struct dmau_range dst[2];
	struct scatterlist *sgl;
	unsigned int nents;
	struct dmau_range src[] __counted_by(nsrc);
};

/**
 * enum dmau_state - what a file does; from DMAU_STOPPED on it is over
 * @DMAU_OPEN: operations begin and end
 * @DMAU_ENDING: all that were accepted are being ended; none is accepted now
 * @DMAU_STOPPED: the channel is gone: no buffer is mapped, and none is accepted any more
 * @DMAU_LOST: the same, but descriptors have never ended: the file, its operations and its
 *	mapped buffers stay for good, for a device that may access them
 */
enum dmau_state {
	DMAU_OPEN,
	DMAU_ENDING,
	DMAU_STOPPED,
	DMAU_LOST,
};

/**
 * struct dmau_file - an open channel
 * @offer: the channel
 * @chan: of @offer, until it is gone
 * @dev: that buffers are mapped for, until then
 * @max_descriptor: bytes of a descriptor, or of a segment of it
 * @directions: as of @offer
 * @unit: as of @offer
 * @mm: of the program that has opened it, which alone may use it
 * @buffers: by handle; changed with &dmau_chan.lock and @lock held.  They stay until the
 *	file is closed.
 * @provider: held by who calls the provider; taken before @lock
 * @work: has operations begin and end, for callbacks
 * @lock: protects what follows, and the users of buffers.  Taken by the callbacks of
 *	descriptors, in any context, so that no provider is called with it held.
 * @state: changed with &dmau_chan.lock held, too
 * @cyclic: the operation that goes on until it is stopped, or NULL
 * @waiting: operations that have descriptors to be submitted, in order
 * @running: operations whose descriptors are all submitted
 * @unsynced: operations that have ended but for caches and bounce buffers
 * @nops: operations that have not ended; read without @lock, with acquire
 * @unfinished: those of them that have started
 * @descriptors: submitted or about to be, and not completed
 * @tail: of the ring; the program can write to the ring's own.  Read without @lock, with
 *	acquire.
 * @ring: shared with the program, which is not to be trusted with it
 * @wait: for completions
 * @eventfd: to be told of completions, or NULL
 * @reader: one read() at a time
 */
struct dmau_file {
	struct dmau_chan *offer;
	struct dma_chan *chan;
	struct device *dev;
	size_t max_descriptor;
	unsigned int directions;
	unsigned int unit;
	struct mm_struct *mm;
	struct xarray buffers;

	struct mutex provider;	/* calls of the provider */
	struct work_struct work;
	spinlock_t lock;	/* what follows, and users of buffers */
	enum dmau_state state;
	struct dmau_op *cyclic;
	struct list_head waiting;
	struct list_head running;
	struct list_head unsynced;
	unsigned int nops;
	unsigned int unfinished;
	unsigned int descriptors;
	u32 tail;
	struct dmaengine_user_ring *ring;
	wait_queue_head_t wait;
	struct eventfd_ctx *eventfd;
	struct mutex reader;	/* one read() at a time */
};

/* buffer.c */
struct dmau_buffer *dmau_buffer_pin(u64 addr, u64 length, bool write);
struct dmau_buffer *dmau_buffer_import(int fd, bool write);
int dmau_buffer_map(struct dmau_buffer *buffer, struct device *dev);
void dmau_buffer_unmap(struct dmau_buffer *buffer);
void dmau_buffer_free(struct dmau_buffer *buffer);
dma_addr_t dmau_buffer_addr(const struct dmau_buffer *buffer, u64 offset, u64 *length);
void dmau_buffer_sync_device(const struct dmau_buffer *buffer, u64 offset, u64 length);
void dmau_buffer_sync_cpu(const struct dmau_buffer *buffer, u64 offset, u64 length);

/* op.c */
void dmau_op_info(const struct dmau_file *file, struct dmaengine_user_info *info);
struct dmau_op *dmau_op_create(u64 from, u32 size);
int dmau_op_accept(struct dmau_file *file, struct dmau_op *op);
void dmau_op_go(struct dmau_file *file);
void dmau_op_init(struct dmau_file *file);
bool dmau_op_stop(struct dmau_file *file, enum dmau_state state);

/* file.c */
extern const struct file_operations dmau_file_operations;
void dmau_file_stop(struct dmau_file *file);

/* chan.c; frozen with the programs, so that nothing is submitted to a suspended provider */
extern struct workqueue_struct *dmau_workqueue;

#endif /* DMAENGINE_USER_H */
