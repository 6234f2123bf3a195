/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a program submits an operation through io_uring.
 */
#ifndef USER_URING_H
#define USER_URING_H

#include <stdint.h>
#include <string.h>

#include <liburing.h>
#include <linux/dmaengine_user.h>

/**
 * uring_fill - fills a submission entry
 * @sqe: the entry
 * @fd: file of the channel
 * @cmd_op: DMAENGINE_USER_URING_OP
 * @command: where the operation is; copied
 */
static inline void uring_fill(struct io_uring_sqe *sqe, int fd, uint32_t cmd_op,
			      const struct dmaengine_user_uring *command)
{
	memset(sqe, 0, sizeof(*sqe));
	sqe->opcode = IORING_OP_URING_CMD;
	sqe->fd = fd;
	/* The kernel's cmd_op and cmd, for which this liburing may have no names. */
	sqe->off = cmd_op;
	memcpy((char *)sqe + 48, command, sizeof(*command));
}

#endif /* USER_URING_H */
