/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * dmaengine_user: DMA for user programs, on any channel of the kernel's dmaengine that
 * an administrator has offered, as /dev/dmaengine/<channel>.
 *
 * A program registers buffers of its own, once, and has operations done on ranges of
 * them.  It never sees a bus address.  Every structure of an ioctl begins with its own
 * size, and an operation has its size beside it, so that they can grow at their end.  A
 * range and a completion cannot grow.  What is reserved, and every bit that has no name
 * here, must be zero.
 *
 * Documentation/user.rst has the rules and a whole program.
 */
#ifndef _UAPI_LINUX_DMAENGINE_USER_H
#define _UAPI_LINUX_DMAENGINE_USER_H

#include <linux/ioctl.h>
#include <linux/types.h>

/* Operations, see struct dmaengine_user_op; each has its bit in &ops of the info. */
#define DMAENGINE_USER_COPY	0	/* dst[0] = src[0] */
#define DMAENGINE_USER_FILL	1	/* dst[0] = the byte value */
#define DMAENGINE_USER_XOR	2	/* dst[0] = src[0] ^ src[1] ^ ... */
#define DMAENGINE_USER_PQ	3	/* P into dst[0], Q into dst[1] (RAID-6) */
#define DMAENGINE_USER_SEND	4	/* the peripheral gets src */
#define DMAENGINE_USER_RECEIVE	5	/* dst[0] = what the peripheral gives */

/**
 * struct dmaengine_user_info - what a channel can do, and the limits of its file
 * @size: in: bytes of this structure that the caller has; out: that the kernel knows
 * @ring_entries: completions that the ring holds; as many operations may be outstanding
 * @ring_bytes: what to map at offset 0 for the ring
 * @max_buffers: buffers that may be registered at a time
 * @ops: operations: bit DMAENGINE_USER_COPY and so on
 * @max_length: bytes of a buffer
 * @copy_align: addresses and lengths of a copy are multiples of this many bytes; 1: any
 * @fill_align: of a fill
 * @xor_align: of an XOR
 * @pq_align: of a PQ
 * @max_xor: sources of an XOR
 * @max_pq: sources of a PQ
 * @op_flags: flags of operations: DMAENGINE_USER_DRAIN, DMAENGINE_USER_CYCLIC
 * @unit: addresses, lengths and periods of a SEND and a RECEIVE are multiples of this many
 *	bytes
 * @channel: name of the channel, ends with 0
 * @provider: name of its provider's driver, ends with 0
 */
struct dmaengine_user_info {
	__u32 size;
	__u32 ring_entries;
	__u32 ring_bytes;
	__u32 max_buffers;
	__u64 ops;
	__u64 max_length;
	__u32 copy_align;
	__u32 fill_align;
	__u32 xor_align;
	__u32 pq_align;
	__u32 max_xor;
	__u32 max_pq;
	__u32 op_flags;
	__u32 unit;
	char channel[32];
	char provider[32];
};

/* The device may write to the buffer; without it, read alone. */
#define DMAENGINE_USER_WRITE	0x1U
/* The buffer is a dma-buf; without it, memory of the calling process. */
#define DMAENGINE_USER_DMABUF	0x2U

/**
 * struct dmaengine_user_register - a buffer, to be pinned and mapped for the device
 * @size: of this structure
 * @flags: DMAENGINE_USER_WRITE, DMAENGINE_USER_DMABUF
 * @addr: of the memory; 0 for a dma-buf
 * @length: bytes; 0 for a dma-buf, of which all is registered
 * @fd: the dma-buf; 0 for memory
 * @handle: out: names the buffer in operations of this file
 *
 * The memory counts against RLIMIT_MEMLOCK of the process until it is unregistered.
 * DMAENGINE_USER_REGISTER_SIZE_VER0 is the size of the first version; so for the others.
 */
struct dmaengine_user_register {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 length;
	__s32 fd;
	__u32 handle;
};

#define DMAENGINE_USER_REGISTER_SIZE_VER0	32

/**
 * struct dmaengine_user_unregister - a buffer that is to be released
 * @size: of this structure
 * @handle: of the buffer; operations that have not ended keep it: EBUSY
 */
struct dmaengine_user_unregister {
	__u32 size;
	__u32 handle;
};

#define DMAENGINE_USER_UNREGISTER_SIZE_VER0	8

/**
 * struct dmaengine_user_range - where an operation reads or writes
 * @offset: into the buffer
 * @handle: of the buffer
 * @reserved: 0
 */
struct dmaengine_user_range {
	__u64 offset;
	__u32 handle;
	__u32 reserved;
};

/* The operation begins when all that were submitted before it have ended. */
#define DMAENGINE_USER_DRAIN	0x1U
/*
 * Of a SEND or RECEIVE: it begins anew when it has come to its end, until
 * DMAENGINE_USER_IOC_STOP.  It has a completion for each period for which the ring has a
 * place, and one when it has ended.  Its memory has one range of bus addresses, and it is
 * the only operation of its file.
 */
#define DMAENGINE_USER_CYCLIC	0x2U

/**
 * struct dmaengine_user_op - an operation
 * @opcode: DMAENGINE_USER_COPY and so on
 * @flags: DMAENGINE_USER_DRAIN, DMAENGINE_USER_CYCLIC
 * @user_data: comes back with the completion
 * @length: bytes, at least 1
 * @dst: where it writes; @dst[1] is for a PQ
 * @src: where a copy or a SEND reads
 * @srcs: where an XOR or a PQ reads: address of @src_count structures
 *	dmaengine_user_range
 * @coefficients: of a PQ: address of @src_count bytes
 * @src_count: sources of an XOR or a PQ
 * @value: what a fill writes, 0 to 255
 * @period: bytes of a period of a cyclic operation, at least 256; @length is a multiple of
 *	it, 256 times as much at most
 *
 * What an operation does not need is zero.  Where the ranges of an operation overlap,
 * what they contain afterwards is not defined.
 */
struct dmaengine_user_op {
	__u32 opcode;
	__u32 flags;
	__u64 user_data;
	__u64 length;
	struct dmaengine_user_range dst[2];
	struct dmaengine_user_range src;
	__u64 srcs;
	__u64 coefficients;
	__u32 src_count;
	__u32 value;
	__u64 period;
};

#define DMAENGINE_USER_OP_SIZE_VER0	104

/**
 * struct dmaengine_user_submit - operations that are to begin
 * @size: of this structure
 * @op_size: of each operation
 * @ops: address of the operations
 * @count: of operations
 * @flags: 0
 *
 * The ioctl returns how many were accepted: less than @count if one is in error, or
 * finds no place.  If that is the first, it fails with the reason, EAGAIN if it is for
 * want of a place.
 */
struct dmaengine_user_submit {
	__u32 size;
	__u32 op_size;
	__u64 ops;
	__u32 count;
	__u32 flags;
};

#define DMAENGINE_USER_SUBMIT_SIZE_VER0	24

/**
 * struct dmaengine_user_eventfd - whom to tell of completions
 * @size: of this structure
 * @fd: an eventfd, signalled once or more after a completion; -1: none
 */
struct dmaengine_user_eventfd {
	__u32 size;
	__s32 fd;
};

#define DMAENGINE_USER_EVENTFD_SIZE_VER0	8

/**
 * struct dmaengine_user_stop - all operations are to end
 * @size: of this structure
 * @reserved: 0
 *
 * Those that the device does not end by itself have -ECANCELED.  When the ioctl returns, all
 * have their completions, and the device accesses no buffer.  It fails with EIO if the
 * device is stuck and its driver cannot end what it does; then the channel is gone.
 */
struct dmaengine_user_stop {
	__u32 size;
	__u32 reserved;
};

#define DMAENGINE_USER_STOP_SIZE_VER0	8

/**
 * struct dmaengine_user_completion - an operation has ended, or a period of a cyclic one
 * @user_data: of the operation
 * @residue: bytes that were not processed, as far as the provider tells; also of a RECEIVE
 *	that the peripheral has ended early
 * @result: 0; -EIO: the device failed; -ECANCELED: aborted, or stopped; -EINVAL: the
 *	buffers lie in memory in a way that the channel does not allow; -ENOMEM; -ENODEV:
 *	the channel is gone
 * @reserved: 0
 * @periods: of a cyclic operation, how often the provider has told so far that one was
 *	completed; one that is late tells of several at once
 *
 * read() gives as many as there are and fit.
 */
struct dmaengine_user_completion {
	__u64 user_data;
	__u64 residue;
	__s32 result;
	__u32 reserved;
	__u64 periods;
};

/**
 * struct dmaengine_user_ring - completions, without a system call
 * @head: of the next completion that the program takes; the program's
 * @reserved: 0
 * @tail: of the next completion that the kernel writes; the kernel's
 * @reserved2: 0
 * @completions: ring_entries of them
 *
 * Both count without bound, modulo 2^32; the entry is the number modulo ring_entries.  A
 * program reads @tail with acquire, the completions below it, and stores @head with
 * release.  It can use read() as well, but not at the same time.
 */
struct dmaengine_user_ring {
	__u32 head;
	__u32 reserved[15];
	__u32 tail;
	__u32 reserved2[15];
	struct dmaengine_user_completion completions[];
};

/**
 * struct dmaengine_user_uring - the command of IORING_OP_URING_CMD
 * @op: address of the operation, whose user_data is not used: io_uring has its own
 * @op_size: of the operation
 * @reserved: 0
 *
 * It stands in cmd of the submission entry, whose cmd_op is DMAENGINE_USER_URING_OP.
 * A SEND or a RECEIVE cannot be submitted so: it may wait for ever (EINVAL).
 * The result of io_uring's completion is as that of struct dmaengine_user_completion, or
 * an error of dmaengine_user_submit, with EBUSY for want of a place.
 */
struct dmaengine_user_uring {
	__u64 op;
	__u32 op_size;
	__u32 reserved;
};

#define DMAENGINE_USER_IOC_INFO		_IOWR(0xDA, 0, struct dmaengine_user_info)
#define DMAENGINE_USER_IOC_REGISTER	_IOWR(0xDA, 1, struct dmaengine_user_register)
#define DMAENGINE_USER_IOC_UNREGISTER	_IOW(0xDA, 2, struct dmaengine_user_unregister)
#define DMAENGINE_USER_IOC_SUBMIT	_IOW(0xDA, 3, struct dmaengine_user_submit)
#define DMAENGINE_USER_IOC_EVENTFD	_IOW(0xDA, 4, struct dmaengine_user_eventfd)
#define DMAENGINE_USER_IOC_STOP		_IOW(0xDA, 5, struct dmaengine_user_stop)
#define DMAENGINE_USER_URING_OP		_IOW(0xDA, 6, struct dmaengine_user_uring)

#endif /* _UAPI_LINUX_DMAENGINE_USER_H */
