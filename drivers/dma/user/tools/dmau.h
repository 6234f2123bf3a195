/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmau: a few functions over <linux/dmaengine_user.h>, for programs.
 *
 * Those that return an int return a negative error number if they fail.
 */
#ifndef DMAU_H
#define DMAU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/dmaengine_user.h>

/**
 * struct dmau - an open channel
 * @fd: of it; to be polled for completions
 * @info: what it can do
 * @ring: completions, mapped
 */
struct dmau {
	int fd;
	struct dmaengine_user_info info;
	struct dmaengine_user_ring *ring;
};

/**
 * dmau_open - opens a channel that was offered
 * @dmau: filled in
 * @channel: its name, dma0chan0, or a path
 *
 * Return: 0 or a negative error number: -EBUSY: a program has it.
 */
int dmau_open(struct dmau *dmau, const char *channel);

/**
 * dmau_close - ends what is under way, once the device has let go of all memory
 * @dmau: of dmau_open()
 */
void dmau_close(struct dmau *dmau);

/**
 * dmau_register - makes memory a buffer
 * @dmau: channel
 * @addr: of the memory
 * @length: bytes
 * @write: operations may write to it
 *
 * Return: the handle or a negative error number: -ENOMEM: more than RLIMIT_MEMLOCK.
 */
int dmau_register(struct dmau *dmau, const void *addr, size_t length, bool write);

/**
 * dmau_register_dmabuf - makes a dma-buf a buffer
 * @dmau: channel
 * @fd: of the dma-buf, which may be closed afterwards
 * @write: operations may write to it
 *
 * Return: the handle or a negative error number.
 */
int dmau_register_dmabuf(struct dmau *dmau, int fd, bool write);

/**
 * dmau_unregister - ends that
 * @dmau: channel
 * @handle: of the buffer
 *
 * Return: 0 or a negative error number: -EBUSY: an operation has it.
 */
int dmau_unregister(struct dmau *dmau, int handle);

/**
 * dmau_submit - has operations begin
 * @dmau: channel
 * @ops: the operations
 * @count: how many, ring_entries at the most
 *
 * Return: how many were accepted, or why the first was not.
 */
int dmau_submit(struct dmau *dmau, const struct dmaengine_user_op *ops, unsigned int count);

/**
 * dmau_stop - ends all operations, and waits for the device
 * @dmau: channel
 *
 * Return: 0, and all have their completions; or a negative error number.
 */
int dmau_stop(struct dmau *dmau);

/**
 * dmau_take - takes a completion that is there, without a system call
 * @dmau: channel
 * @completion: filled in
 *
 * Return: true if there was one.
 */
bool dmau_take(struct dmau *dmau, struct dmaengine_user_completion *completion);

/**
 * dmau_wait - takes a completion, and waits for it
 * @dmau: channel
 * @completion: filled in
 *
 * Return: 0 or a negative error number: -ENODEV: the channel is gone.
 */
int dmau_wait(struct dmau *dmau, struct dmaengine_user_completion *completion);

/**
 * dmau_copy - an operation that copies
 * @dst: handle of the buffer that it writes to
 * @dst_offset: into it
 * @src: handle of the buffer that it reads
 * @src_offset: into it
 * @length: bytes
 *
 * Return: the operation, whose user_data is 0.
 */
static inline struct dmaengine_user_op dmau_copy(int dst, uint64_t dst_offset, int src,
						 uint64_t src_offset, uint64_t length)
{
	return (struct dmaengine_user_op) {
		.opcode = DMAENGINE_USER_COPY,
		.length = length,
		.dst = { { .handle = dst, .offset = dst_offset } },
		.src = { .handle = src, .offset = src_offset },
	};
}

/**
 * dmau_send - an operation that sends to a peripheral
 * @src: handle of the buffer that it reads
 * @offset: into it
 * @length: bytes
 *
 * Return: the operation, whose user_data is 0.
 */
static inline struct dmaengine_user_op dmau_send(int src, uint64_t offset, uint64_t length)
{
	return (struct dmaengine_user_op) {
		.opcode = DMAENGINE_USER_SEND,
		.length = length,
		.src = { .handle = src, .offset = offset },
	};
}

/**
 * dmau_receive - an operation that receives from a peripheral
 * @dst: handle of the buffer that it writes to
 * @offset: into it
 * @length: bytes
 *
 * Return: the operation, whose user_data is 0.
 */
static inline struct dmaengine_user_op dmau_receive(int dst, uint64_t offset, uint64_t length)
{
	return (struct dmaengine_user_op) {
		.opcode = DMAENGINE_USER_RECEIVE,
		.length = length,
		.dst = { { .handle = dst, .offset = offset } },
	};
}

#endif /* DMAU_H */
