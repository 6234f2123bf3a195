// SPDX-License-Identifier: GPL-2.0-only
/* dmau: a few functions over <linux/dmaengine_user.h>, for programs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "dmau.h"

#define PATH	"/dev/dmaengine/"

int dmau_open(struct dmau *dmau, const char *channel)
{
	char path[256];
	int err;

	snprintf(path, sizeof(path), "%s%s", strchr(channel, '/') ? "" : PATH, channel);
	*dmau = (struct dmau) { .info.size = sizeof(dmau->info) };
	dmau->fd = open(path, O_RDWR | O_CLOEXEC);
	if (dmau->fd < 0)
		return -errno;
	if (!ioctl(dmau->fd, DMAENGINE_USER_IOC_INFO, &dmau->info)) {
		dmau->ring = mmap(NULL, dmau->info.ring_bytes, PROT_READ | PROT_WRITE,
				  MAP_SHARED, dmau->fd, 0);
		if (dmau->ring != MAP_FAILED)
			return 0;
	}
	err = errno;
	close(dmau->fd);
	return -err;
}

void dmau_close(struct dmau *dmau)
{
	/* A mapping keeps the file open, too. */
	munmap(dmau->ring, dmau->info.ring_bytes);
	close(dmau->fd);
}

static int do_register(struct dmau *dmau, struct dmaengine_user_register *reg)
{
	reg->size = sizeof(*reg);
	return ioctl(dmau->fd, DMAENGINE_USER_IOC_REGISTER, reg) ? -errno : (int)reg->handle;
}

int dmau_register(struct dmau *dmau, const void *addr, size_t length, bool write)
{
	struct dmaengine_user_register reg = {
		.flags = write ? DMAENGINE_USER_WRITE : 0,
		.addr = (uintptr_t)addr,
		.length = length,
	};

	return do_register(dmau, &reg);
}

int dmau_register_dmabuf(struct dmau *dmau, int fd, bool write)
{
	struct dmaengine_user_register reg = {
		.flags = DMAENGINE_USER_DMABUF | (write ? DMAENGINE_USER_WRITE : 0),
		.fd = fd,
	};

	return do_register(dmau, &reg);
}

int dmau_unregister(struct dmau *dmau, int handle)
{
	struct dmaengine_user_unregister unregister = {
		.size = sizeof(unregister),
		.handle = handle,
	};

	return ioctl(dmau->fd, DMAENGINE_USER_IOC_UNREGISTER, &unregister) ? -errno : 0;
}

int dmau_submit(struct dmau *dmau, const struct dmaengine_user_op *ops, unsigned int count)
{
	struct dmaengine_user_submit submit = {
		.size = sizeof(submit),
		.op_size = sizeof(*ops),
		.ops = (uintptr_t)ops,
		.count = count,
	};
	int accepted = ioctl(dmau->fd, DMAENGINE_USER_IOC_SUBMIT, &submit);

	return accepted < 0 ? -errno : accepted;
}

int dmau_stop(struct dmau *dmau)
{
	struct dmaengine_user_stop stop = { .size = sizeof(stop) };

	return ioctl(dmau->fd, DMAENGINE_USER_IOC_STOP, &stop) ? -errno : 0;
}

bool dmau_take(struct dmau *dmau, struct dmaengine_user_completion *completion)
{
	struct dmaengine_user_ring *ring = dmau->ring;

	/* The completion is there before the tail, and is read before its place is free. */
	if (ring->head == __atomic_load_n(&ring->tail, __ATOMIC_ACQUIRE))
		return false;
	*completion = ring->completions[ring->head % dmau->info.ring_entries];
	__atomic_store_n(&ring->head, ring->head + 1, __ATOMIC_RELEASE);
	return true;
}

int dmau_wait(struct dmau *dmau, struct dmaengine_user_completion *completion)
{
	ssize_t got;

	if (dmau_take(dmau, completion))
		return 0;
	do {
		got = read(dmau->fd, completion, sizeof(*completion));
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : 0;
}
