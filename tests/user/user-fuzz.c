// SPDX-License-Identifier: GPL-2.0-only
/*
 * Calls of /dev/dmaengine/<channel> at random, most of them almost right.
 *
 *	user-fuzz CHANNEL SECONDS SEED [UID]
 *
 * It ends after so many seconds, or with SIGTERM, whichever is first.
 *
 * Threads share a file, its memory and its ring, none of which they respect.  What the kernel
 * does with that is for the kernel's own checks to say.  This program looks that memory which it
 * never registered stays as it is, and that nothing remains pinned.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pinned.h"
#include "uring.h"

#define THREADS		3
#define MEMORY		(1UL << 20)
#define CANARY		(1UL << 18)
#define PAGE		4096UL
#define CLASS		"/sys/class/dmaengine_user/"

static const char *channel;
static char path[64];
/* The file that the threads share; another one when it was closed. */
static volatile int shared = -1;
static unsigned char *memory;
static unsigned int ring_bytes;
static volatile int over;

struct thread {
	pthread_t id;
	uint64_t seed;
	unsigned long calls;
	struct io_uring ring;
};

static uint64_t next(struct thread *thread)
{
	thread->seed ^= thread->seed << 13;
	thread->seed ^= thread->seed >> 7;
	thread->seed ^= thread->seed << 17;
	return thread->seed;
}

static unsigned int below(struct thread *thread, unsigned int bound)
{
	return (next(thread) >> 16) % bound;
}

static int one_in(struct thread *thread, unsigned int many)
{
	return !below(thread, many);
}

/* A number of which those at the edges are the likely ones. */
static uint64_t number(struct thread *thread, uint64_t limit)
{
	switch (below(thread, 8)) {
	case 0:
		return 0;
	case 1:
		return limit;
	case 2:
		return limit + 1;
	case 3:
		return next(thread);
	case 4:
		return -(uint64_t)below(thread, 4096);
	default:
		return next(thread) % (limit + 1);
	}
}

/* A size of a structure: mostly its own. */
static uint32_t size_of(struct thread *thread, uint32_t size)
{
	return one_in(thread, 10) ? number(thread, 2 * size) : size;
}

static uint32_t handle(struct thread *thread)
{
	return one_in(thread, 10) ? next(thread) : 1 + below(thread, 16);
}

/* --- calls -------------------------------------------------------------------------- */

static void do_register(struct thread *thread)
{
	struct dmaengine_user_register reg = {
		.size = size_of(thread, sizeof(reg)),
		.flags = one_in(thread, 10) ? next(thread) : below(thread, 2),
		.addr = (uintptr_t)memory + below(thread, MEMORY),
		.length = 1 + below(thread, MEMORY / 4),
	};

	if (one_in(thread, 10))
		reg.addr = number(thread, 1ULL << 47);
	if (one_in(thread, 10))
		reg.length = number(thread, 1ULL << 31);
	ioctl(shared, DMAENGINE_USER_IOC_REGISTER, &reg);
}

static void do_unregister(struct thread *thread)
{
	struct dmaengine_user_unregister unreg = {
		.size = size_of(thread, sizeof(unreg)), .handle = handle(thread),
	};

	ioctl(shared, DMAENGINE_USER_IOC_UNREGISTER, &unreg);
}

static struct dmaengine_user_range range(struct thread *thread)
{
	return (struct dmaengine_user_range){
		.offset = one_in(thread, 4) ? number(thread, MEMORY / 4) : below(thread, 65536),
		.handle = handle(thread),
		.reserved = one_in(thread, 50),
	};
}

static void make_op(struct thread *thread, struct dmaengine_user_op *op,
		    struct dmaengine_user_range *srcs, uint8_t *coefficients)
{
	unsigned int i;

	*op = (struct dmaengine_user_op){
		.opcode = one_in(thread, 20) ? next(thread) : below(thread, 6),
		.flags = one_in(thread, 20) ? next(thread) : below(thread, 2),
		.user_data = next(thread),
		.length = one_in(thread, 10) ? number(thread, MEMORY) : 1 + below(thread, 16384),
		.dst = { range(thread) },
	};
	if (op->opcode == DMAENGINE_USER_COPY || op->opcode == DMAENGINE_USER_SEND)
		op->src = range(thread);
	if (op->opcode >= DMAENGINE_USER_SEND && one_in(thread, 4)) {
		op->flags = DMAENGINE_USER_CYCLIC;
		op->period = one_in(thread, 10) ? next(thread) : 1 + below(thread, 512);
		op->length = op->period * (1 + below(thread, 8));
	}
	if (op->opcode == DMAENGINE_USER_FILL)
		op->value = one_in(thread, 10) ? next(thread) : below(thread, 256);
	if (op->opcode == DMAENGINE_USER_PQ) {
		op->dst[1] = range(thread);
		op->coefficients = (uintptr_t)coefficients;
	}
	if (op->opcode == DMAENGINE_USER_XOR || op->opcode == DMAENGINE_USER_PQ) {
		op->src_count = one_in(thread, 10) ? next(thread) : 2 + below(thread, 5);
		op->srcs = (uintptr_t)srcs;
		for (i = 0; i < 8; i++)
			srcs[i] = range(thread);
	}
	if (one_in(thread, 20))
		((uint32_t *)op)[below(thread, sizeof(*op) / 4)] = next(thread);
}

static void do_submit(struct thread *thread)
{
	static uint8_t coefficients[256];
	struct dmaengine_user_range srcs[16][8];
	struct dmaengine_user_op ops[16];
	struct dmaengine_user_submit batch = {
		.size = size_of(thread, sizeof(batch)),
		.op_size = size_of(thread, sizeof(ops[0])),
		.ops = (uintptr_t)ops,
		.count = one_in(thread, 20) ? next(thread) : 1 + below(thread, 16),
		.flags = one_in(thread, 50),
	};
	unsigned int i;

	for (i = 0; i < 16; i++)
		make_op(thread, &ops[i], srcs[i], coefficients);
	/* In memory that others unmap, and that operations write to. */
	if (one_in(thread, 10))
		batch.ops = (uintptr_t)memory + below(thread, MEMORY);
	ioctl(shared, DMAENGINE_USER_IOC_SUBMIT, &batch);
}

static void do_uring(struct thread *thread)
{
	static uint8_t coefficients[256];
	struct dmaengine_user_range srcs[8];
	struct dmaengine_user_op op;
	struct dmaengine_user_uring command = {
		.op = (uintptr_t)&op, .op_size = size_of(thread, sizeof(op)),
		.reserved = one_in(thread, 50),
	};
	unsigned int count = 1 + below(thread, 8), i;
	struct io_uring_cqe *cqe;

	make_op(thread, &op, srcs, coefficients);
	for (i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&thread->ring);

		if (!sqe)
			break;
		uring_fill(sqe, shared, one_in(thread, 20) ? next(thread) :
			   DMAENGINE_USER_URING_OP, &command);
		sqe->flags = one_in(thread, 4) ? IOSQE_ASYNC : 0;
	}
	io_uring_submit(&thread->ring);
	while (!io_uring_peek_cqe(&thread->ring, &cqe))
		io_uring_cqe_seen(&thread->ring, cqe);
}

static void do_complete(struct thread *thread)
{
	struct dmaengine_user_completion room[32];
	struct pollfd poll_of = { .fd = shared, .events = POLLIN };
	ssize_t got;

	poll(&poll_of, 1, below(thread, 3));
	got = read(shared, one_in(thread, 20) ? NULL : room, below(thread, sizeof(room)));
	(void)got;
}

static void do_ring(struct thread *thread)
{
	unsigned long size = one_in(thread, 10) ? PAGE * (1 + below(thread, 16)) : ring_bytes;
	volatile struct dmaengine_user_ring *ring =
		mmap(NULL, size, PROT_READ | PROT_WRITE,
		     one_in(thread, 20) ? MAP_PRIVATE : MAP_SHARED, shared,
		     one_in(thread, 20) ? PAGE * below(thread, 64) : 0);

	if (ring == MAP_FAILED)
		return;
	switch (below(thread, 8)) {
	case 0:
		ring->head = next(thread);
		break;
	case 1:
		ring->tail = next(thread);
		break;
	default:
		/* Takes all, so that there are places. */
		ring->head = ring->tail;
	}
	munmap((void *)ring, size);
}

static void do_info(struct thread *thread)
{
	char room[8192];
	struct dmaengine_user_eventfd eventfd_of = {
		.size = size_of(thread, sizeof(eventfd_of)),
		.fd = one_in(thread, 3) ? (int)next(thread) : eventfd(0, EFD_NONBLOCK),
	};

	*(uint32_t *)room = number(thread, sizeof(room));
	ioctl(shared, DMAENGINE_USER_IOC_INFO, room);
	ioctl(shared, DMAENGINE_USER_IOC_EVENTFD, &eventfd_of);
	if (eventfd_of.fd > 2)
		close(eventfd_of.fd);
	ioctl(shared, _IOC(below(thread, 4), 0xda, below(thread, 16), below(thread, 128)),
	      one_in(thread, 2) ? room : NULL);
}

/* What a program may do with its memory, registered or not. */
static void do_memory(struct thread *thread)
{
	unsigned char *at = memory + PAGE * below(thread, MEMORY / PAGE);
	unsigned long left = memory + MEMORY - at;
	unsigned long size = PAGE * (1 + below(thread, left / PAGE));
	static const int advices[] = { MADV_DONTNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_COLD };

	switch (below(thread, 4)) {
	case 0:
		madvise(at, size, advices[below(thread, 4)]);
		break;
	case 1:
		mprotect(at, size, below(thread, 4));
		mprotect(at, size, PROT_READ | PROT_WRITE);
		break;
	case 2:
		mmap(at, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
		     -1, 0);
		break;
	default:
		if (!fork())
			_exit(ioctl(shared, DMAENGINE_USER_IOC_INFO, at));
		wait(NULL);
	}
}

static void do_reopen(struct thread *thread)
{
	int fd = shared;

	if (!one_in(thread, 20))
		return;
	close(fd);
	/* Completions of io_uring keep a file open for a moment. */
	fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0)
		shared = fd;
}

static void write_to(const char *file)
{
	int fd = open(file, O_WRONLY);

	if (fd >= 0 && write(fd, channel, strlen(channel)) < 0)
		errno = 0;
	close(fd);
}

static void do_stop(struct thread *thread)
{
	struct dmaengine_user_stop stop = {
		.size = size_of(thread, sizeof(stop)), .reserved = one_in(thread, 50),
	};

	if (one_in(thread, 10))
		ioctl(shared, DMAENGINE_USER_IOC_STOP, &stop);
}

static void do_withdraw(struct thread *thread)
{
	if (!one_in(thread, 50))
		return;
	write_to(CLASS "withdraw");
	write_to(CLASS "offer");
}

static void (*const calls[])(struct thread *) = {
	do_register, do_register, do_unregister, do_submit, do_submit, do_submit, do_uring,
	do_complete, do_complete, do_ring, do_info, do_memory, do_reopen, do_withdraw,
	do_stop,
};

static void *run(void *data)
{
	struct thread *thread = data;

	while (!over) {
		calls[below(thread, sizeof(calls) / sizeof(calls[0]))](thread);
		thread->calls++;
	}
	return NULL;
}

/* --- what is looked at --------------------------------------------------------------- */

int main(int argc, char **argv)
{
	struct timespec time, moment = { .tv_nsec = 10000000 };
	struct dmaengine_user_info info = { .size = sizeof(info) };
	struct thread threads[THREADS] = { };
	unsigned long seconds, seed, calls_made = 0, i;
	unsigned char *canary;
	sigset_t ends;
	long kib;

	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: user-fuzz CHANNEL SECONDS SEED [UID]\n");
		return 2;
	}
	if (argc == 5 && setuid(strtoul(argv[4], NULL, 0))) {
		fprintf(stderr, "user-fuzz: setuid %s: %s\n", argv[4], strerror(errno));
		return 1;
	}
	channel = argv[1];
	seconds = strtoul(argv[2], NULL, 0);
	seed = strtoul(argv[3], NULL, 0);
	snprintf(path, sizeof(path), "/dev/dmaengine/%s", channel);
	memory = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	canary = mmap(NULL, CANARY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	shared = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (memory == MAP_FAILED || canary == MAP_FAILED || shared < 0) {
		fprintf(stderr, "user-fuzz: %s: %s\n", path, strerror(errno));
		return 1;
	}
	if (ioctl(shared, DMAENGINE_USER_IOC_INFO, &info)) {
		fprintf(stderr, "user-fuzz: %s tells nothing: %s\n", path, strerror(errno));
		return 1;
	}
	ring_bytes = info.ring_bytes;
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	/* The threads inherit it; from here on SIGTERM is the end that is wanted. */
	sigprocmask(SIG_BLOCK, &ends, NULL);
	setbuf(stdout, NULL);
	printf("%s is open\n", path);
	memset(canary, 0x7e, CANARY);
	for (i = 0; i < THREADS; i++) {
		threads[i].seed = seed * 0x9e3779b97f4a7c15ULL + i + 1;
		if (io_uring_queue_init(16, &threads[i].ring, 0) ||
		    pthread_create(&threads[i].id, NULL, run, &threads[i])) {
			fprintf(stderr, "user-fuzz: no thread\n");
			return 1;
		}
	}
	time = (struct timespec) { .tv_sec = seconds };
	while (sigtimedwait(&ends, NULL, &time) < 0 && errno == EINTR)
		;
	over = 1;
	for (i = 0; i < THREADS; i++) {
		pthread_join(threads[i].id, NULL);
		io_uring_queue_exit(&threads[i].ring);
		calls_made += threads[i].calls;
	}
	close(shared);
	for (i = 0; i < CANARY; i++) {
		if (canary[i] != 0x7e) {
			printf("memory that was never registered has changed, at %lu\n", i);
			return 1;
		}
	}
	/* io_uring lets go of its files a little later; the machine may be slow. */
	while ((kib = pinned()) > 0)
		nanosleep(&moment, NULL);
	if (kib < 0) {
		printf("/proc/self/status has no VmPin\n");
		return 1;
	}
	printf("%lu calls, nothing pinned\n", calls_made);
	return !calls_made;
}
