// SPDX-License-Identifier: GPL-2.0-only
/*
 * How fast a user program has a channel copy.
 *
 *	user-bench CHANNEL WINDOW_MS WINDOWS
 *
 * Copies 1 MiB at depth 8, with completions from the mapped ring, and 4 KiB at depth 64 through
 * io_uring, in a huge page.  Prints, of the median of the windows, what scripts/lib/bench.py reads.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "dmau.h"
#include "uring.h"

#define MAX_WINDOWS	99
#define MAX_DEPTH	64
/* A page that has both buffers, each in one piece as those of the kernel's client. */
#define HUGE		(2UL << 20)

/**
 * struct stream - copies that follow each other
 * @dmau: channel
 * @ring: of io_uring, if the stream uses that
 * @kind: name of the measurement
 * @size: bytes of a copy
 * @depth: copies in flight
 * @op: the copy; between the same two buffers each time, as the kernel's client has it
 */
struct stream {
	struct dmau dmau;
	struct io_uring ring;
	const char *kind;
	size_t size;
	unsigned int depth;
	struct dmaengine_user_op op;
};

/**
 * struct window - what was measured
 * @ns: nanoseconds that it took
 * @copies: that ended
 * @calls: system calls that submitted copies, or waited for them
 */
struct window {
	uint64_t ns;
	uint64_t copies;
	uint64_t calls;
};

static void __attribute__((noreturn)) die(const char *what, int err)
{
	fprintf(stderr, "user-bench: %s: %s\n", what, strerror(err));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

/* --- completions from the ring ----------------------------------------------------- */

static void submit(struct stream *stream, unsigned int count, struct window *window)
{
	struct dmaengine_user_op ops[MAX_DEPTH];
	unsigned int i;
	int done;

	for (i = 0; i < count; i++)
		ops[i] = stream->op;
	done = dmau_submit(&stream->dmau, ops, count);
	if (done != (int)count)
		die("submit", done < 0 ? -done : EAGAIN);
	window->calls++;
}

/* Takes one completion, with a wait if need be, and all others that are there. */
static unsigned int reap(struct stream *stream, struct window *window)
{
	struct dmaengine_user_completion completion;
	unsigned int reaped = 0;
	int err;

	while (dmau_take(&stream->dmau, &completion)) {
		if (completion.result)
			die("copy", -completion.result);
		reaped++;
	}
	if (reaped)
		return reaped;
	window->calls++;
	err = dmau_wait(&stream->dmau, &completion);
	if (err || completion.result)
		die("copy", -(err ? err : completion.result));
	return 1;
}

static void by_ring(struct stream *stream, uint64_t ns, struct window *window)
{
	uint64_t start = now();
	unsigned int left, reaped;

	submit(stream, stream->depth, window);
	do {
		reaped = reap(stream, window);
		window->copies += reaped;
		submit(stream, reaped, window);
	} while (now() - start < ns);
	for (left = stream->depth; left; left -= reaped) {
		reaped = reap(stream, window);
		window->copies += reaped;
	}
	window->ns = now() - start;
}

/* --- io_uring ------------------------------------------------------------------------ */

static void prepare(struct stream *stream, unsigned int count)
{
	struct dmaengine_user_uring command = {
		.op = (uintptr_t)&stream->op, .op_size = sizeof(stream->op),
	};

	while (count--) {
		struct io_uring_sqe *sqe = io_uring_get_sqe(&stream->ring);

		if (!sqe)
			die("io_uring_get_sqe", ENOSPC);
		uring_fill(sqe, stream->dmau.fd, DMAENGINE_USER_URING_OP, &command);
	}
}

static unsigned int reap_uring(struct stream *stream)
{
	struct io_uring_cqe *cqes[MAX_DEPTH];
	unsigned int i, reaped = io_uring_peek_batch_cqe(&stream->ring, cqes, MAX_DEPTH);

	for (i = 0; i < reaped; i++)
		if (cqes[i]->res)
			die("io_uring's copy", -cqes[i]->res);
	io_uring_cq_advance(&stream->ring, reaped);
	return reaped;
}

/* Half of the depth is submitted, and waited for, in each system call. */
static void by_uring(struct stream *stream, uint64_t ns, struct window *window)
{
	uint64_t start = now();
	unsigned int left = 0;
	int done;

	prepare(stream, stream->depth);
	do {
		unsigned int reaped;

		done = io_uring_submit_and_wait(&stream->ring, stream->depth / 2);
		if (done < 0)
			die("io_uring_submit_and_wait", -done);
		left += done;
		window->calls++;
		reaped = reap_uring(stream);
		left -= reaped;
		window->copies += reaped;
		prepare(stream, reaped);
	} while (now() - start < ns);
	/* What was prepared last is not counted. */
	done = io_uring_submit_and_wait(&stream->ring, stream->depth);
	window->ns = now() - start;
	if (done < 0)
		die("io_uring_submit_and_wait", -done);
	for (left += done; left; left -= reap_uring(stream))
		;
}

/* ---------------------------------------------------------------------------------------- */

static int by_rate(const void *a, const void *b)
{
	const struct window *x = a, *y = b;
	double d = (double)x->copies / x->ns - (double)y->copies / y->ns;

	return d < 0 ? -1 : d > 0;
}

static void measure(struct stream *stream, unsigned int ms, unsigned int windows,
		    void (*by)(struct stream *, uint64_t, struct window *))
{
	struct window found[MAX_WINDOWS] = { };
	const struct window *median = &found[windows / 2];
	unsigned int i;

	for (i = 0; i < windows; i++)
		by(stream, ms * 1000000ULL, &found[i]);
	qsort(found, windows, sizeof(found[0]), by_rate);
	printf("loopdma_bench: mode=user kind=%s size=%zu depth=%u ns=%llu copies=%llu calls=%llu\n",
	       stream->kind, stream->size, stream->depth, (unsigned long long)median->ns,
	       (unsigned long long)median->copies, (unsigned long long)median->calls);
}

static void open_stream(struct stream *stream, const char *channel)
{
	unsigned char *src = aligned_alloc(HUGE, HUGE), *dst = src + stream->size;
	int from, to, err;

	if (!src)
		die("aligned_alloc", errno);
	err = dmau_open(&stream->dmau, channel);
	if (err)
		die(channel, -err);
	if (madvise(src, HUGE, MADV_HUGEPAGE))
		die("madvise", errno);
	memset(src, 1, HUGE);
	from = dmau_register(&stream->dmau, src, stream->size, false);
	to = dmau_register(&stream->dmau, dst, stream->size, true);
	if (from < 0 || to < 0)
		die("register", -(from < 0 ? from : to));
	stream->op = dmau_copy(to, 0, from, 0, stream->size);
}

int main(int argc, char **argv)
{
	struct stream big = { .kind = "ring", .size = 1 << 20, .depth = 8 };
	struct stream small = { .kind = "io_uring", .size = 4096, .depth = 64 };
	unsigned int ms = argc > 2 ? atoi(argv[2]) : 0, windows = argc > 3 ? atoi(argv[3]) : 0;
	int err;

	if (argc != 4 || !ms || !windows || windows > MAX_WINDOWS) {
		fprintf(stderr, "usage: user-bench CHANNEL WINDOW_MS WINDOWS (1 to %u)\n",
			MAX_WINDOWS);
		return 2;
	}
	open_stream(&big, argv[1]);
	measure(&big, ms, windows, by_ring);
	dmau_close(&big.dmau);

	/* As for one thread that submits and waits in one call. */
	err = io_uring_queue_init(MAX_DEPTH, &small.ring,
				  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	if (err)
		die("io_uring", -err);
	open_stream(&small, argv[1]);
	measure(&small, ms, windows, by_uring);
	io_uring_queue_exit(&small.ring);
	dmau_close(&small.dmau);
	return 0;
}
