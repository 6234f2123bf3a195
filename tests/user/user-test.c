// SPDX-License-Identifier: GPL-2.0-only
/*
 * What /dev/dmaengine/<channel> does, and what it lets nobody do.  Prints KTAP.
 *
 *	[KILLS=N] [DESCRIPTOR=BYTES] user-test CHANNEL [CASE]
 *
 * The case "killed" kills N processes, 100 if nothing is said.  The case "failed" looks more
 * closely if it knows how many bytes a descriptor has.
 *
 * Needs root, for what others must not do is tried by a child that has given that up.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/memfd.h>
#include <linux/udmabuf.h>

#include "dmau.h"
#include "pinned.h"
#include "uring.h"

#define KIB	1024UL
#define MIB	(1024 * KIB)
#define NOBODY	65534
#define SKIP	4	/* as in kselftest.h */

static const char *channel;
/* Why the case at hand fails, or is skipped; shared with the process that tells. */
#define WHY	256
static char *why;
static bool skipped;

/* A case ends where something is not as it should be. */
#define EXPECT(condition, ...)						\
	do {								\
		if (!(condition)) {					\
			int said = snprintf(why, WHY, "%s:%d: %s", \
					    __func__, __LINE__, #condition); \
			explain(said, " " __VA_ARGS__);			\
			return;						\
		}							\
	} while (0)

#define EXPECT_EQ(want, got)						\
	do {								\
		long long wanted_ = (want), got_ = (got);		\
		EXPECT(wanted_ == got_, "%s: %lld, not %lld", #got, got_, wanted_); \
	} while (0)

static void __attribute__((format(printf, 2, 3))) explain(int at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why + at, WHY - at, format, args);
	va_end(args);
}

static void skip(const char *reason)
{
	snprintf(why, WHY, "%s", reason);
	skipped = true;
}

/* --- what most cases need ---------------------------------------------------------- */

/**
 * struct pair - two buffers of a channel
 * @dmau: channel
 * @src: filled with something
 * @dst: filled with something else
 * @size: bytes of each
 * @src_handle: of @src
 * @dst_handle: of @dst
 */
struct pair {
	struct dmau dmau;
	unsigned char *src;
	unsigned char *dst;
	size_t size;
	int src_handle;
	int dst_handle;
};

static void *memory(size_t size)
{
	void *addr = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return addr == MAP_FAILED ? NULL : addr;
}

static void pattern(unsigned char *at, size_t size, unsigned int seed)
{
	size_t i;

	for (i = 0; i < size; i++)
		at[i] = seed + i * 7 + (i >> 8) * 13;
}

static bool is(const unsigned char *at, unsigned char byte, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		if (at[i] != byte)
			return false;
	return true;
}

static int pair_open(struct pair *pair, size_t size)
{
	int err = dmau_open(&pair->dmau, channel);

	if (err)
		return err;
	pair->size = size;
	pair->src = memory(size);
	pair->dst = memory(size);
	pattern(pair->src, size, size);
	memset(pair->dst, 0xa5, size);
	pair->src_handle = dmau_register(&pair->dmau, pair->src, size, false);
	pair->dst_handle = dmau_register(&pair->dmau, pair->dst, size, true);
	if (pair->src_handle < 0)
		return pair->src_handle;
	return pair->dst_handle < 0 ? pair->dst_handle : 0;
}

static void pair_close(struct pair *pair)
{
	dmau_close(&pair->dmau);
	munmap(pair->src, pair->size);
	munmap(pair->dst, pair->size);
}

/* Has one operation done; its result, or why it was not accepted. */
static int run(struct dmau *dmau, const struct dmaengine_user_op *op)
{
	struct dmaengine_user_completion completion;
	int err = dmau_submit(dmau, op, 1);

	if (err < 0)
		return err;
	err = dmau_wait(dmau, &completion);
	if (err)
		return err;
	if (completion.user_data != op->user_data)
		return -EPROTO;
	return completion.result;
}

static int run_copy(struct pair *pair, uint64_t dst, uint64_t src, uint64_t length)
{
	struct dmaengine_user_op op = dmau_copy(pair->dst_handle, dst, pair->src_handle, src,
						length);

	op.user_data = length ^ dst;
	return run(&pair->dmau, &op);
}

/* In a child, so that what it does to its process is gone with it; 0 or a line number. */
static int in_child(int (*what)(struct pair *pair), struct pair *pair)
{
	int status;
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (!pid)
		_exit(what(pair));
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define CHILD_EXPECT(condition)			\
	do {					\
		if (!(condition))		\
			return __LINE__ & 0xff ?: 1; \
	} while (0)

/* --- what it does ------------------------------------------------------------------ */

static void info(void)
{
	struct dmaengine_user_info info = { .size = sizeof(info) };
	struct { struct dmaengine_user_info info; uint64_t later; } longer = {
		.info.size = sizeof(longer), .later = 1,
	};
	struct dmau dmau;

	EXPECT_EQ(0, dmau_open(&dmau, channel));
	EXPECT(dmau.info.ops & 1 << DMAENGINE_USER_COPY);
	EXPECT(!strcmp(dmau.info.channel, channel), "%s", dmau.info.channel);
	EXPECT(dmau.info.provider[0]);
	EXPECT_EQ(sizeof(info), dmau.info.size);
	/* A program that is older, and one that is newer. */
	info.size = 8;
	info.max_buffers = 77;
	EXPECT_EQ(0, ioctl(dmau.fd, DMAENGINE_USER_IOC_INFO, &info));
	EXPECT_EQ(dmau.info.ring_entries, info.ring_entries);
	EXPECT_EQ(77, info.max_buffers);
	EXPECT_EQ(0, ioctl(dmau.fd, DMAENGINE_USER_IOC_INFO, &longer));
	EXPECT_EQ(0, longer.later);
	dmau_close(&dmau);
}

static void copies(void)
{
	static const struct { size_t dst, src, length; } ranges[] = {
		{ 0, 0, 1 }, { 0, 0, 64 }, { 1, 3, 4093 }, { 4095, 0, 2 }, { 100, 8191, 70000 },
		{ 0, 0, MIB }, { MIB - 1, MIB - 1, 1 },
	};
	struct pair pair;
	unsigned int i;

	EXPECT_EQ(0, pair_open(&pair, MIB));
	for (i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		size_t dst = ranges[i].dst, end = dst + ranges[i].length;

		memset(pair.dst, 0xa5, MIB);
		EXPECT_EQ(0, run_copy(&pair, dst, ranges[i].src, ranges[i].length));
		EXPECT(!memcmp(pair.dst + dst, pair.src + ranges[i].src, ranges[i].length),
		       "range %u", i);
		EXPECT(is(pair.dst, 0xa5, dst) && is(pair.dst + end, 0xa5, MIB - end),
		       "range %u", i);
	}
	pair_close(&pair);
}

static void unaligned_memory(void)
{
	struct pair pair;
	int src, dst;
	struct dmaengine_user_op op;

	EXPECT_EQ(0, pair_open(&pair, 64 * KIB));
	src = dmau_register(&pair.dmau, pair.src + 123, 40000, false);
	dst = dmau_register(&pair.dmau, pair.dst + 4001, 40000, true);
	EXPECT(src > 0 && dst > 0);
	op = dmau_copy(dst, 1, src, 2, 39998);
	EXPECT_EQ(0, run(&pair.dmau, &op));
	EXPECT(!memcmp(pair.dst + 4002, pair.src + 125, 39998));
	EXPECT(is(pair.dst, 0xa5, 4002) &&
	       is(pair.dst + 4002 + 39998, 0xa5, 64 * KIB - 4002 - 39998));
	pair_close(&pair);
}

static void fills(void)
{
	struct dmaengine_user_op op = { .opcode = DMAENGINE_USER_FILL, .length = 100000,
					.value = 0x3c };
	struct pair pair;

	EXPECT_EQ(0, pair_open(&pair, 128 * KIB));
	if (!(pair.dmau.info.ops & 1 << DMAENGINE_USER_FILL))
		return skip("the channel does not fill");
	op.dst[0].handle = pair.dst_handle;
	op.dst[0].offset = 77;
	EXPECT_EQ(0, run(&pair.dmau, &op));
	EXPECT(is(pair.dst, 0xa5, 77) && is(pair.dst + 77, 0x3c, 100000) &&
	       is(pair.dst + 100077, 0xa5, 128 * KIB - 100077));
	op.value = 0x100;
	EXPECT_EQ(-EINVAL, run(&pair.dmau, &op));
	pair_close(&pair);
}

static unsigned char gf_multiply(unsigned char a, unsigned char b)
{
	unsigned char product = 0;

	for (; b; b >>= 1) {
		if (b & 1)
			product ^= a;
		a = a << 1 ^ (a & 0x80 ? 0x1d : 0);
	}
	return product;
}

static void parities(void)
{
	enum { N = 4, LENGTH = 9000 };
	struct dmaengine_user_range srcs[N];
	unsigned char coefficients[N] = { 1, 2, 4, 0x1d };
	struct dmaengine_user_op op = {
		.length = LENGTH, .srcs = (uintptr_t)srcs, .src_count = N,
	};
	struct pair pair;
	unsigned int i, n;

	EXPECT_EQ(0, pair_open(&pair, 64 * KIB));
	if (!(pair.dmau.info.ops & 1 << DMAENGINE_USER_XOR &&
	      pair.dmau.info.ops & 1 << DMAENGINE_USER_PQ))
		return skip("the channel computes no parity");
	for (i = 0; i < N; i++)
		srcs[i] = (struct dmaengine_user_range) {
			.handle = pair.src_handle, .offset = i * 12345,
		};
	op.dst[0].handle = pair.dst_handle;
	op.opcode = DMAENGINE_USER_XOR;
	EXPECT_EQ(0, run(&pair.dmau, &op));
	for (i = 0; i < LENGTH; i++) {
		unsigned char want = 0;

		for (n = 0; n < N; n++)
			want ^= pair.src[n * 12345 + i];
		EXPECT(pair.dst[i] == want, "xor, at %u", i);
	}
	op.opcode = DMAENGINE_USER_PQ;
	op.coefficients = (uintptr_t)coefficients;
	op.dst[1] = (struct dmaengine_user_range) { .handle = pair.dst_handle, .offset = 20000 };
	EXPECT_EQ(0, run(&pair.dmau, &op));
	for (i = 0; i < LENGTH; i++) {
		unsigned char p = 0, q = 0;

		for (n = 0; n < N; n++) {
			p ^= pair.src[n * 12345 + i];
			q ^= gf_multiply(pair.src[n * 12345 + i], coefficients[n]);
		}
		EXPECT(pair.dst[i] == p && pair.dst[20000 + i] == q, "pq, at %u", i);
	}
	op.src_count = 1;
	EXPECT_EQ(-EINVAL, run(&pair.dmau, &op));
	op.src_count = UINT_MAX;
	EXPECT_EQ(-EINVAL, run(&pair.dmau, &op));
	pair_close(&pair);
}

/* Each of a batch has its completion, taken out of the ring. */
static void batches(void)
{
	enum { N = 64, LENGTH = 4096 };
	struct dmaengine_user_completion completion;
	struct dmaengine_user_op ops[N];
	bool seen[N] = { };
	struct pair pair;
	unsigned int i;

	EXPECT_EQ(0, pair_open(&pair, N * LENGTH));
	for (i = 0; i < N; i++) {
		ops[i] = dmau_copy(pair.dst_handle, i * LENGTH, pair.src_handle,
				   (N - 1 - i) * LENGTH, LENGTH);
		ops[i].user_data = i;
	}
	EXPECT_EQ(N, dmau_submit(&pair.dmau, ops, N));
	for (i = 0; i < N; i++) {
		while (!dmau_take(&pair.dmau, &completion))
			;
		EXPECT_EQ(0, completion.result);
		EXPECT(completion.user_data < N && !seen[completion.user_data]);
		seen[completion.user_data] = true;
	}
	EXPECT(!dmau_take(&pair.dmau, &completion));
	for (i = 0; i < N; i++)
		EXPECT(!memcmp(pair.dst + i * LENGTH, pair.src + (N - 1 - i) * LENGTH, LENGTH));
	/* The third is wrong: two are done. */
	ops[2].length = 0;
	EXPECT_EQ(2, dmau_submit(&pair.dmau, ops, N));
	EXPECT_EQ(0, dmau_wait(&pair.dmau, &completion));
	EXPECT_EQ(0, dmau_wait(&pair.dmau, &completion));
	pair_close(&pair);
}

/* One after the other, where each needs what the one before has written. */
static void drained(void)
{
	enum { N = 100, LENGTH = 5000 };
	struct dmaengine_user_completion completion;
	struct dmaengine_user_op ops[N];
	struct pair pair;
	unsigned int i;

	EXPECT_EQ(0, pair_open(&pair, (N + 1) * LENGTH));
	memcpy(pair.dst, pair.src, LENGTH);
	for (i = 0; i < N; i++) {
		ops[i] = dmau_copy(pair.dst_handle, (i + 1) * LENGTH, pair.dst_handle,
				   i * LENGTH, LENGTH);
		ops[i].flags = DMAENGINE_USER_DRAIN;
		ops[i].user_data = i;
	}
	EXPECT_EQ(N, dmau_submit(&pair.dmau, ops, N));
	for (i = 0; i < N; i++) {
		EXPECT_EQ(0, dmau_wait(&pair.dmau, &completion));
		EXPECT_EQ(i, completion.user_data);
		EXPECT_EQ(0, completion.result);
	}
	EXPECT(!memcmp(pair.dst + N * LENGTH, pair.src, LENGTH));
	pair_close(&pair);
}

static void polled(void)
{
	struct dmaengine_user_eventfd eventfd_of = { .size = sizeof(eventfd_of) };
	struct dmaengine_user_completion room[2], completion;
	struct dmaengine_user_op op;
	struct pollfd fds[2] = { { .events = POLLIN }, { .events = POLLIN } };
	struct pair pair;
	uint64_t count;

	EXPECT_EQ(0, pair_open(&pair, MIB));
	fds[0].fd = pair.dmau.fd;
	fds[1].fd = eventfd_of.fd = eventfd(0, EFD_NONBLOCK);
	EXPECT_EQ(0, ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_EVENTFD, &eventfd_of));
	EXPECT_EQ(0, poll(fds, 2, 0));
	EXPECT_EQ(0, fcntl(pair.dmau.fd, F_SETFL, O_NONBLOCK));
	EXPECT(read(pair.dmau.fd, &completion, sizeof(completion)) < 0 && errno == EAGAIN);
	op = dmau_copy(pair.dst_handle, 0, pair.src_handle, 0, MIB);
	EXPECT_EQ(1, dmau_submit(&pair.dmau, &op, 1));
	EXPECT_EQ(1, poll(&fds[1], 1, -1));
	EXPECT_EQ(1, poll(&fds[0], 1, -1));
	EXPECT_EQ(POLLIN, fds[0].revents);
	EXPECT_EQ(8, read(fds[1].fd, &count, sizeof(count)));
	EXPECT_EQ(sizeof(room[0]), read(pair.dmau.fd, room, sizeof(room) - 1));
	EXPECT_EQ(0, room[0].result);
	EXPECT_EQ(0, poll(fds, 2, 0));
	/* No more of it. */
	eventfd_of.fd = -1;
	EXPECT_EQ(0, ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_EVENTFD, &eventfd_of));
	EXPECT_EQ(1, dmau_submit(&pair.dmau, &op, 1));
	EXPECT_EQ(1, poll(&fds[0], 1, -1));
	EXPECT_EQ(0, poll(&fds[1], 1, 0));
	close(fds[1].fd);
	eventfd_of.fd = pair.dmau.fd;
	EXPECT(ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_EVENTFD, &eventfd_of) && errno == EINVAL);
	pair_close(&pair);
}

static void uring_prep(struct io_uring *ring, int fd, const struct dmaengine_user_op *op,
		       uint64_t data)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
	struct dmaengine_user_uring command = { .op = (uintptr_t)op, .op_size = sizeof(*op) };

	/* The ring has room for as many as the cases prepare. */
	if (!sqe)
		abort();
	uring_fill(sqe, fd, DMAENGINE_USER_URING_OP, &command);
	sqe->user_data = data;
}

static void by_io_uring(void)
{
	enum { N = 64, LENGTH = 4096 };
	struct dmaengine_user_completion completion;
	struct dmaengine_user_op ops[N];
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	bool seen[N] = { };
	struct pair pair;
	unsigned int i;
	int err;

	err = io_uring_queue_init(N, &ring, 0);
	if (err == -ENOSYS || err == -EPERM)
		return skip("this kernel has no io_uring");
	EXPECT_EQ(0, err);
	EXPECT_EQ(0, pair_open(&pair, N * LENGTH));
	for (i = 0; i < N; i++) {
		ops[i] = dmau_copy(pair.dst_handle, i * LENGTH, pair.src_handle, i * LENGTH,
				   LENGTH);
		/* One is wrong. */
		if (i == 13)
			ops[i].src.offset = N * LENGTH;
		uring_prep(&ring, pair.dmau.fd, &ops[i], i);
	}
	EXPECT_EQ(N, io_uring_submit_and_wait(&ring, N));
	for (i = 0; i < N; i++) {
		EXPECT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
		EXPECT(cqe->user_data < N && !seen[cqe->user_data]);
		seen[cqe->user_data] = true;
		EXPECT_EQ(cqe->user_data == 13 ? -ERANGE : 0, cqe->res);
		io_uring_cqe_seen(&ring, cqe);
	}
	EXPECT(!memcmp(pair.dst, pair.src, 13 * LENGTH) &&
	       is(pair.dst + 13 * LENGTH, 0xa5, LENGTH) &&
	       !memcmp(pair.dst + 14 * LENGTH, pair.src + 14 * LENGTH, (N - 14) * LENGTH));
	EXPECT(!dmau_take(&pair.dmau, &completion), "a completion in the other ring");
	io_uring_queue_exit(&ring);
	pair_close(&pair);
}

/* A dma-buf, and the file whose memory it has; -ENOENT: this kernel has no udmabuf. */
static int make_dmabuf(size_t size, int *memfd)
{
	struct udmabuf_create create = { .size = size };
	int dmabuf, device = open("/dev/udmabuf", O_RDWR);

	if (device < 0)
		return -errno;
	create.memfd = *memfd = syscall(SYS_memfd_create, "user-test", MFD_ALLOW_SEALING);
	dmabuf = ftruncate(*memfd, size) || fcntl(*memfd, F_ADD_SEALS, F_SEAL_SHRINK) ? -1 :
		ioctl(device, UDMABUF_CREATE, &create);
	if (dmabuf < 0)
		dmabuf = -errno;
	close(device);
	return dmabuf;
}

static void dma_bufs(void)
{
	enum { SIZE = 64 * KIB };
	struct dmaengine_user_op op;
	struct pair pair;
	unsigned char *shared;
	int memfd, dmabuf, handle;

	dmabuf = make_dmabuf(SIZE, &memfd);
	if (dmabuf == -ENOENT)
		return skip("this kernel has no udmabuf");
	EXPECT(dmabuf >= 0, "%d", dmabuf);
	shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);

	EXPECT_EQ(0, pair_open(&pair, SIZE));
	handle = dmau_register_dmabuf(&pair.dmau, dmabuf, true);
	EXPECT(handle > 0, "%d", handle);
	close(dmabuf);
	op = dmau_copy(handle, 0, pair.src_handle, 0, SIZE);
	EXPECT_EQ(0, run(&pair.dmau, &op));
	EXPECT(!memcmp(shared, pair.src, SIZE));
	op = dmau_copy(pair.dst_handle, 0, handle, 0, SIZE);
	EXPECT_EQ(0, run(&pair.dmau, &op));
	EXPECT(!memcmp(pair.dst, pair.src, SIZE));
	/* What no operation has written to stays as the program has it. */
	memset(shared + 8192, 0x77, 4096);
	EXPECT_EQ(0, dmau_unregister(&pair.dmau, handle));
	EXPECT(is(shared + 8192, 0x77, 4096) && !memcmp(shared, pair.src, 8192));
	/* What is none. */
	EXPECT_EQ(-EINVAL, dmau_register_dmabuf(&pair.dmau, memfd, true));
	EXPECT_EQ(-EBADF, dmau_register_dmabuf(&pair.dmau, 999, true));
	pair_close(&pair);
	munmap(shared, SIZE);
	close(memfd);
}

/* --- what it refuses ---------------------------------------------------------------- */

static void out_of_bounds(void)
{
	struct dmaengine_user_op op;
	struct pair pair;

	EXPECT_EQ(0, pair_open(&pair, 64 * KIB));
	EXPECT_EQ(-ERANGE, run_copy(&pair, 1, 0, 64 * KIB));
	EXPECT_EQ(-ERANGE, run_copy(&pair, 0, 1, 64 * KIB));
	EXPECT_EQ(-ERANGE, run_copy(&pair, 64 * KIB, 0, 1));
	EXPECT_EQ(-ERANGE, run_copy(&pair, 0, UINT64_MAX, 1));
	EXPECT_EQ(-ERANGE, run_copy(&pair, UINT64_MAX - 9, 0, 20));
	EXPECT_EQ(-ERANGE, run_copy(&pair, 0, 100, UINT64_MAX - 50));
	EXPECT_EQ(-EINVAL, run_copy(&pair, 0, 0, 0));
	op = dmau_copy(pair.src_handle, 0, pair.dst_handle, 0, 1);
	EXPECT_EQ(-EACCES, run(&pair.dmau, &op));
	op = dmau_copy(77, 0, pair.src_handle, 0, 1);
	EXPECT_EQ(-ENOENT, run(&pair.dmau, &op));
	op = dmau_copy(0, 0, pair.src_handle, 0, 1);
	EXPECT_EQ(-ENOENT, run(&pair.dmau, &op));
	EXPECT_EQ(0, dmau_unregister(&pair.dmau, pair.src_handle));
	EXPECT_EQ(-ENOENT, run_copy(&pair, 0, 0, 1));
	EXPECT_EQ(-ENOENT, dmau_unregister(&pair.dmau, pair.src_handle));
	EXPECT(is(pair.dst, 0xa5, 64 * KIB));
	pair_close(&pair);
}

/* What has no meaning yet is no error of tomorrow's. */
static void malformed(void)
{
	struct dmaengine_user_submit submit = { .size = sizeof(submit), .count = 1 };
	struct dmaengine_user_register reg = { .size = sizeof(reg) };
	struct { struct dmaengine_user_op op; uint64_t later; } longer = { };
	struct dmaengine_user_op good, op;
	struct pair pair;

	EXPECT_EQ(0, pair_open(&pair, 64 * KIB));
	good = dmau_copy(pair.dst_handle, 0, pair.src_handle, 0, 1);
	op = good;
	op.flags = 2;
	EXPECT_EQ(-EINVAL, run(&pair.dmau, &op));
	op = good;
	op.opcode = 99;
	EXPECT_EQ(-EINVAL, run(&pair.dmau, &op));
	op = good;
	op.dst[0].reserved = 1;
	EXPECT_EQ(-EINVAL, run(&pair.dmau, &op));
	op = good;
	op.dst[1].handle = pair.dst_handle;
	EXPECT_EQ(-EINVAL, run(&pair.dmau, &op));
	op = good;
	op.src_count = 1;
	EXPECT_EQ(-EINVAL, run(&pair.dmau, &op));
	op = good;
	op.value = 1;
	EXPECT_EQ(-EINVAL, run(&pair.dmau, &op));
	op = good;
	op.srcs = 4096;
	EXPECT_EQ(-EINVAL, run(&pair.dmau, &op));
	EXPECT_EQ(-EFAULT, dmau_submit(&pair.dmau, (void *)64, 1));
	EXPECT_EQ(-EINVAL, dmau_submit(&pair.dmau, &good, 0));
	EXPECT_EQ(-EINVAL, dmau_submit(&pair.dmau, &good, UINT_MAX));

	longer.op = good;
	submit.ops = (uintptr_t)&longer;
	submit.op_size = sizeof(longer);
	EXPECT_EQ(1, ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_SUBMIT, &submit));
	longer.later = 1;
	EXPECT(ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_SUBMIT, &submit) && errno == E2BIG);
	submit.op_size = UINT_MAX;
	EXPECT(ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_SUBMIT, &submit) && errno == E2BIG);
	submit.op_size = sizeof(good) - 1;
	EXPECT(ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_SUBMIT, &submit) && errno == EINVAL);
	submit.size = 4;
	EXPECT(ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_SUBMIT, &submit) && errno == EINVAL);
	submit.size = UINT_MAX;
	EXPECT(ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_SUBMIT, &submit) && errno == E2BIG);
	submit.size = sizeof(submit);
	EXPECT(ioctl(pair.dmau.fd, _IO(0xDA, 77), &submit) && errno == ENOTTY);
	EXPECT(ioctl(pair.dmau.fd, TCGETS, &submit) && errno == ENOTTY);

	reg.addr = (uintptr_t)pair.dst;
	EXPECT(ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_REGISTER, &reg) && errno == EINVAL);
	reg.length = UINT64_MAX;
	EXPECT(ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_REGISTER, &reg) && errno == EINVAL);
	reg.length = 4096;
	reg.flags = 0x80;
	EXPECT(ioctl(pair.dmau.fd, DMAENGINE_USER_IOC_REGISTER, &reg) && errno == EINVAL);
	EXPECT(mmap(NULL, pair.dmau.info.ring_bytes + 4096, PROT_READ, MAP_SHARED,
		    pair.dmau.fd, 0) == MAP_FAILED);
	EXPECT(mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, pair.dmau.fd, 0) == MAP_FAILED);
	pair_close(&pair);
}

/* Memory that is not the program's to read or to write. */
static void not_its_memory(void)
{
	struct dmau dmau;
	void *text;

	EXPECT_EQ(0, dmau_open(&dmau, channel));
	EXPECT_EQ(-EFAULT, dmau_register(&dmau, (void *)4096, 4096, false));
	/* Where the kernel is. */
	EXPECT_EQ(-EINVAL, dmau_register(&dmau, (void *)0xffffffff81000000UL, 4096, false));
	EXPECT_EQ(-EINVAL, dmau_register(&dmau, (void *)(UINT64_MAX - 100), 4096, false));
	text = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(-EFAULT, dmau_register(&dmau, text, 4096, true));
	/* Half of it is not there. */
	text = memory(8192);
	munmap((char *)text + 4096, 4096);
	EXPECT_EQ(-EFAULT, dmau_register(&dmau, text, 8192, true));
	dmau_close(&dmau);
}

static int in_nobodys_limits(struct pair *unused)
{
	struct rlimit limit = { 64 * KIB, 64 * KIB };
	unsigned char *at = memory(MIB);
	struct dmau dmau;
	int i, handle;

	CHILD_EXPECT(!dmau_open(&dmau, channel));
	CHILD_EXPECT(!setrlimit(RLIMIT_MEMLOCK, &limit) && !setuid(NOBODY));
	CHILD_EXPECT(dmau_register(&dmau, at, MIB, true) == -ENOMEM);
	/* What fails, and what is over, does not count. */
	for (i = 0; i < 100; i++) {
		handle = dmau_register(&dmau, at, 48 * KIB, true);
		CHILD_EXPECT(handle > 0);
		CHILD_EXPECT(dmau_register(&dmau, at, 32 * KIB, true) == -ENOMEM);
		CHILD_EXPECT(dmau_register(&dmau, (void *)4096, 4096, true) == -EFAULT);
		CHILD_EXPECT(!dmau_unregister(&dmau, handle));
	}
	/* Who has no root, and has not been given it, opens nothing. */
	dmau_close(&dmau);
	CHILD_EXPECT(dmau_open(&dmau, channel) == -EACCES);
	return 0;
}

static void locked_memory(void)
{
	EXPECT_EQ(0, in_child(in_nobodys_limits, NULL));
}

static void many_buffers(void)
{
	unsigned char *at;
	struct dmau dmau;
	unsigned int i, n;

	EXPECT_EQ(0, dmau_open(&dmau, channel));
	n = dmau.info.max_buffers;
	at = memory((n + 1) * 4096);
	for (i = 0; i < n; i++)
		EXPECT(dmau_register(&dmau, at + i * 4096, 4096, true) > 0, "buffer %u", i);
	EXPECT_EQ(-ENOSPC, dmau_register(&dmau, at + n * 4096, 4096, true));
	EXPECT_EQ(0, dmau_unregister(&dmau, 5));
	EXPECT_EQ(5, dmau_register(&dmau, at + n * 4096, 4096, true));
	dmau_close(&dmau);
	munmap(at, (n + 1) * 4096);
}

/* Nothing is lost that has no place; who breaks the ring harms nobody. */
static void full_ring(void)
{
	struct dmaengine_user_completion completion;
	struct dmaengine_user_op op;
	bool seen[1024] = { };
	struct pair pair;
	unsigned int i, n;

	EXPECT_EQ(0, pair_open(&pair, 4096));
	n = pair.dmau.info.ring_entries;
	EXPECT(n <= 1024);
	op = dmau_copy(pair.dst_handle, 0, pair.src_handle, 0, 64);
	for (i = 0; i < n; i++) {
		op.user_data = i;
		EXPECT_EQ(1, dmau_submit(&pair.dmau, &op, 1));
	}
	EXPECT_EQ(-EAGAIN, dmau_submit(&pair.dmau, &op, 1));
	for (i = 0; i < n; i++) {
		EXPECT_EQ(0, dmau_wait(&pair.dmau, &completion));
		EXPECT(completion.user_data < n && !seen[completion.user_data]);
		seen[completion.user_data] = true;
	}
	EXPECT_EQ(0, run(&pair.dmau, &op));

	pair.dmau.ring->head += 5000;
	pair.dmau.ring->tail = 0;
	EXPECT_EQ(-EAGAIN, dmau_submit(&pair.dmau, &op, 1));
	EXPECT(read(pair.dmau.fd, &completion, sizeof(completion)) < 0 && errno == EINVAL);
	pair.dmau.ring->head -= 5000;
	EXPECT_EQ(1, dmau_submit(&pair.dmau, &op, 1));
	EXPECT_EQ(sizeof(completion), read(pair.dmau.fd, &completion, sizeof(completion)));
	pair_close(&pair);
}

static void one_at_a_time(void)
{
	struct dmau dmau, other;

	EXPECT_EQ(0, dmau_open(&dmau, channel));
	EXPECT_EQ(-EBUSY, dmau_open(&other, channel));
	dmau_close(&dmau);
	EXPECT_EQ(0, dmau_open(&dmau, channel));
	dmau_close(&dmau);
}

static int with_parents_file(struct pair *pair)
{
	struct dmaengine_user_op op = dmau_copy(pair->dst_handle, 0, pair->src_handle, 0, 64);
	struct dmaengine_user_completion completion;
	unsigned char *at = memory(4096);

	CHILD_EXPECT(dmau_submit(&pair->dmau, &op, 1) == -EPERM);
	CHILD_EXPECT(dmau_register(&pair->dmau, at, 4096, true) == -EPERM);
	CHILD_EXPECT(dmau_unregister(&pair->dmau, pair->dst_handle) == -EPERM);
	CHILD_EXPECT(read(pair->dmau.fd, &completion, sizeof(completion)) < 0 && errno == EPERM);
	CHILD_EXPECT(mmap(NULL, 4096, PROT_READ, MAP_SHARED, pair->dmau.fd, 0) == MAP_FAILED);
	/* The ring was not inherited. */
	CHILD_EXPECT(write(eventfd(0, 0), pair->dmau.ring, 8) < 0 && errno == EFAULT);
	return 0;
}

/* A file that goes to another process, by fork or a socket, is of no use to it. */
static void other_process(void)
{
	struct pair pair;

	EXPECT_EQ(0, pair_open(&pair, 4096));
	EXPECT_EQ(0, in_child(with_parents_file, &pair));
	EXPECT_EQ(0, run_copy(&pair, 0, 0, 4096));
	pair_close(&pair);
}

/* --- what a program does to its memory meanwhile ------------------------------------- */

static void unmapped_meanwhile(void)
{
	struct pair pair;
	unsigned char *other;

	EXPECT_EQ(0, pair_open(&pair, 64 * KIB));
	munmap(pair.dst, 64 * KIB);
	other = mmap(pair.dst, 64 * KIB, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memset(other, 0x11, 64 * KIB);
	EXPECT_EQ(0, run_copy(&pair, 0, 0, 64 * KIB));
	EXPECT(is(other, 0x11, 64 * KIB));
	pair_close(&pair);
}

static void given_up_meanwhile(void)
{
	struct pair pair;

	EXPECT_EQ(0, pair_open(&pair, 64 * KIB));
	if (madvise(pair.dst, 64 * KIB, MADV_DONTNEED)) {
		EXPECT_EQ(ENOSYS, errno);
		return skip("this kernel has no madvise");
	}
	memset(pair.dst, 0x11, 64 * KIB);
	EXPECT_EQ(0, run_copy(&pair, 0, 0, 64 * KIB));
	EXPECT(is(pair.dst, 0x11, 64 * KIB));
	pair_close(&pair);
}

static void truncated_meanwhile(void)
{
	struct dmaengine_user_op op;
	unsigned char *shared;
	struct pair pair;
	int memfd, handle;

	EXPECT_EQ(0, pair_open(&pair, 64 * KIB));
	memfd = syscall(SYS_memfd_create, "user-test", 0);
	EXPECT_EQ(0, ftruncate(memfd, 64 * KIB));
	shared = mmap(NULL, 64 * KIB, PROT_READ | PROT_WRITE, MAP_SHARED, memfd, 0);
	handle = dmau_register(&pair.dmau, shared, 64 * KIB, true);
	EXPECT(handle > 0, "%d", handle);
	op = dmau_copy(handle, 0, pair.src_handle, 0, 64 * KIB);
	EXPECT_EQ(0, run(&pair.dmau, &op));
	EXPECT(!memcmp(shared, pair.src, 64 * KIB));
	EXPECT_EQ(0, ftruncate(memfd, 0));
	EXPECT_EQ(0, run(&pair.dmau, &op));
	/* A file that grows again is empty. */
	EXPECT_EQ(0, ftruncate(memfd, 64 * KIB));
	EXPECT(is(shared, 0, 64 * KIB));
	munmap(shared, 64 * KIB);
	close(memfd);
	pair_close(&pair);
}

/* What no operation has written to is the program's, also when a buffer's mapping ends. */
static void written_meanwhile(void)
{
	struct pair pair;

	EXPECT_EQ(0, pair_open(&pair, 64 * KIB));
	EXPECT_EQ(0, run_copy(&pair, 0, 0, 4096));
	memset(pair.dst + 8192, 0x77, 4096);
	EXPECT_EQ(0, dmau_unregister(&pair.dmau, pair.dst_handle));
	EXPECT(!memcmp(pair.dst, pair.src, 4096));
	EXPECT(is(pair.dst + 4096, 0xa5, 4096) && is(pair.dst + 8192, 0x77, 4096));
	pair.dst_handle = dmau_register(&pair.dmau, pair.dst, 64 * KIB, true);
	memset(pair.dst, 0x66, 64 * KIB);
	dmau_close(&pair.dmau);
	EXPECT(is(pair.dst, 0x66, 64 * KIB));
	munmap(pair.src, pair.size);
	munmap(pair.dst, pair.size);
}

static int sees_nothing(struct pair *pair)
{
	return is(pair->dst, 0xa5, 4096) ? 0 : 1;
}

/* The device writes to the memory of who has registered it, not to a child's copy. */
static void forked_meanwhile(void)
{
	struct pair pair;
	int status, done[2];
	pid_t pid;
	char byte;

	EXPECT_EQ(0, pair_open(&pair, 4096));
	EXPECT_EQ(0, pipe(done));
	fflush(stdout);
	pid = fork();
	if (!pid) {
		/* The child writes, too: the parent does not see it. */
		bool good = read(done[0], &byte, 1) == 1 && !sees_nothing(&pair);

		memset(pair.dst, 0, 4096);
		memset(pair.src, 0, 4096);
		_exit(good ? 0 : 1);
	}
	EXPECT_EQ(0, run_copy(&pair, 0, 0, 4096));
	EXPECT(!memcmp(pair.dst, pair.src, 4096));
	EXPECT_EQ(1, write(done[1], "", 1));
	EXPECT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT(!memcmp(pair.dst, pair.src, 4096));
	/* It still is the memory that the parent sees. */
	pattern(pair.src, 4096, 99);
	EXPECT_EQ(0, run_copy(&pair, 0, 0, 4096));
	EXPECT(!memcmp(pair.dst, pair.src, 4096));
	close(done[0]);
	close(done[1]);
	pair_close(&pair);
}

/* The device reads what the program writes after it has registered untouched memory. */
static void untouched_memory(void)
{
	unsigned char *at = memory(64 * KIB);
	struct dmaengine_user_op op;
	struct pair pair;
	int handle;

	EXPECT_EQ(0, pair_open(&pair, 64 * KIB));
	handle = dmau_register(&pair.dmau, at, 64 * KIB, false);
	EXPECT(handle > 0, "%d", handle);
	pattern(at, 64 * KIB, 5);
	op = dmau_copy(pair.dst_handle, 0, handle, 0, 64 * KIB);
	EXPECT_EQ(0, run(&pair.dmau, &op));
	EXPECT(!memcmp(pair.dst, at, 64 * KIB));
	pair_close(&pair);
	munmap(at, 64 * KIB);
}

/* --- ends ------------------------------------------------------------------------------ */

/* As much as a channel takes. */
static int load(struct pair *pair, unsigned int count)
{
	struct dmaengine_user_op op = dmau_copy(pair->dst_handle, 0, pair->src_handle, 0,
						pair->size);
	unsigned int i;

	for (i = 0; i < count; i++)
		if (dmau_submit(&pair->dmau, &op, 1) != 1)
			break;
	return i;
}

/* Once close() has returned, the memory is the program's alone. */
static void closed_in_flight(void)
{
	struct timespec time = { .tv_nsec = 50000000 };
	struct pair pair;
	unsigned int i;

	for (i = 0; i < 20; i++) {
		EXPECT_EQ(0, pair_open(&pair, MIB));
		EXPECT_EQ(32, load(&pair, 32));
		dmau_close(&pair.dmau);
		memset(pair.dst, i, MIB);
		nanosleep(&time, NULL);
		EXPECT(is(pair.dst, i, MIB));
		munmap(pair.src, MIB);
		munmap(pair.dst, MIB);
	}
}

static void busy_buffer(void)
{
	struct dmaengine_user_completion completion;
	struct pair pair;
	int n, err;

	EXPECT_EQ(0, pair_open(&pair, MIB));
	n = load(&pair, 64);
	err = dmau_unregister(&pair.dmau, pair.dst_handle);
	EXPECT(err == -EBUSY || pair.dmau.ring->tail == (unsigned int)n, "%d", err);
	while (n--)
		EXPECT_EQ(0, dmau_wait(&pair.dmau, &completion));
	EXPECT_EQ(err ? 0 : -ENOENT, dmau_unregister(&pair.dmau, pair.dst_handle));
	pair_close(&pair);
}

static int killed_while_busy(struct pair *ready)
{
	struct dmaengine_user_completion completion;
	struct io_uring ring;
	struct dmaengine_user_op op;
	struct pair pair;
	int i;

	CHILD_EXPECT(!pair_open(&pair, 256 * KIB));
	CHILD_EXPECT(!io_uring_queue_init(8, &ring, 0));
	op = dmau_copy(pair.dst_handle, 0, pair.src_handle, 0, 256 * KIB);
	CHILD_EXPECT(write(ready->dst_handle, "", 1) == 1);
	for (;;) {
		load(&pair, 16);
		for (i = 0; i < 8; i++)
			uring_prep(&ring, pair.dmau.fd, &op, i);
		io_uring_submit_and_wait(&ring, 1);
		io_uring_cq_advance(&ring, io_uring_cq_ready(&ring));
		dmau_wait(&pair.dmau, &completion);
	}
}

/* io_uring lets go of the file a little later. */
static int wait_for_channel(void)
{
	struct timespec time = { .tv_nsec = 10000000 };
	struct dmau dmau;
	int err;

	while ((err = dmau_open(&dmau, channel)) == -EBUSY)
		nanosleep(&time, NULL);
	if (!err)
		dmau_close(&dmau);
	return err;
}

static void killed(void)
{
	const char *kills = getenv("KILLS");
	int n = kills ? atoi(kills) : 100;
	struct timespec time = { };
	struct pair ready;
	int status, pipes[2], i;
	char byte;
	pid_t pid;

	EXPECT(n > 0, "KILLS=%s", kills);
	srand(1);
	for (i = 0; i < n; i++) {
		EXPECT_EQ(0, pipe(pipes));
		ready.dst_handle = pipes[1];
		fflush(stdout);
		pid = fork();
		if (!pid)
			_exit(killed_while_busy(&ready));
		/* So that the pipe ends if the child does. */
		close(pipes[1]);
		EXPECT_EQ(1, read(pipes[0], &byte, 1));
		close(pipes[0]);
		time.tv_nsec = rand() % 20000000;
		nanosleep(&time, NULL);
		kill(pid, SIGKILL);
		EXPECT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT(WIFSIGNALED(status), "status %#x", status);
		EXPECT_EQ(0, wait_for_channel());
	}
}

static int write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);
	int err = fd < 0 || write(fd, text, strlen(text)) < 0 ? -errno : 0;

	close(fd);
	return err;
}

#define CLASS	"/sys/class/dmaengine_user/"

/* Everything ends, with a result, and nothing works any more. */
static void withdrawn(void)
{
	struct dmaengine_user_completion completion;
	struct pollfd poll_of = { .events = POLLIN };
	struct pair pair;
	int n, err;

	EXPECT_EQ(0, pair_open(&pair, MIB));
	n = load(&pair, 64);
	EXPECT_EQ(0, write_to(CLASS "withdraw", channel));
	poll_of.fd = pair.dmau.fd;
	EXPECT_EQ(1, poll(&poll_of, 1, 0));
	EXPECT_EQ(POLLIN | POLLHUP, poll_of.revents);
	while (n--) {
		EXPECT_EQ(0, dmau_wait(&pair.dmau, &completion));
		EXPECT(!completion.result || completion.result == -ENODEV ||
		       completion.result == -ECANCELED, "%d", completion.result);
		EXPECT(completion.result ? completion.residue == MIB : !completion.residue);
	}
	EXPECT_EQ(-ENODEV, dmau_wait(&pair.dmau, &completion));
	EXPECT_EQ(-ENODEV, run_copy(&pair, 0, 0, 1));
	EXPECT_EQ(-ENODEV, dmau_register(&pair.dmau, pair.src, 4096, false));
	EXPECT_EQ(-ENODEV, dmau_unregister(&pair.dmau, pair.src_handle));
	EXPECT_EQ(-ENODEV, write_to(CLASS "withdraw", channel));
	/* Offered anew, while the old file is still open. */
	EXPECT_EQ(0, write_to(CLASS "offer", channel));
	err = write_to(CLASS "offer", channel);
	EXPECT_EQ(-ENODEV, err);
	EXPECT_EQ(-ENODEV, write_to(CLASS "offer", "dma99chan99"));
	pair_close(&pair);
	EXPECT_EQ(0, pair_open(&pair, 4096));
	EXPECT_EQ(0, run_copy(&pair, 0, 0, 4096));
	pair_close(&pair);
}

/* --- faults of the device, by loopdma's test controls ---------------------------------- */

static const char no_controls[] = "the channel has no test controls";

/* The value of CH_TC_FAIL with which the next descriptor to begin cannot read. */
#define FAIL_READ	"0x60001"

/* Writes a test control of the channel, see Documentation/driver.rst. */
static int inject(const char *control, const char *value)
{
	char link[PATH_MAX], device[PATH_MAX], path[2 * PATH_MAX];

	snprintf(link, sizeof(link), "/sys/class/dma/%s/device", channel);
	if (!realpath(link, device))
		return -errno;
	snprintf(path, sizeof(path), "/sys/kernel/debug/dmaengine/%s/%s/inject/%s",
		 strrchr(device, '/') + 1, strstr(channel, "chan"), control);
	return write_to(path, value);
}

/*
 * An operation of more descriptors than are in flight at a time fails in the first.  What
 * the program wrote where the device has not been is still there, also where DMA is bounced.
 */
static void failed(void)
{
	enum { BESIDE = 4096, LENGTH = 2 * MIB };
	const char *descriptor = getenv("DESCRIPTOR");
	size_t in_flight = descriptor ? 256 * atol(descriptor) : LENGTH;
	struct dmaengine_user_completion completion;
	struct dmaengine_user_op op;
	struct pair pair;

	if (inject("hold", "0") == -ENOENT)
		return skip(no_controls);
	EXPECT_EQ(0, pair_open(&pair, LENGTH + 2 * BESIDE));
	memset(pair.dst, 0x11, pair.size);
	op = dmau_copy(pair.dst_handle, BESIDE, pair.src_handle, BESIDE, LENGTH);
	EXPECT_EQ(0, inject("fail", FAIL_READ));
	EXPECT_EQ(1, dmau_submit(&pair.dmau, &op, 1));
	EXPECT_EQ(0, dmau_wait(&pair.dmau, &completion));
	EXPECT_EQ(-EIO, completion.result);
	EXPECT(completion.residue && completion.residue <= LENGTH, "%llu",
	       (unsigned long long)completion.residue);
	EXPECT(is(pair.dst, 0x11, BESIDE));
	EXPECT(in_flight <= LENGTH, "DESCRIPTOR=%s", descriptor);
	EXPECT(is(pair.dst + BESIDE + in_flight, 0x11, LENGTH - in_flight + BESIDE));
	EXPECT_EQ(0, run_copy(&pair, BESIDE, BESIDE, LENGTH));
	EXPECT(!memcmp(pair.dst + BESIDE, pair.src + BESIDE, LENGTH));
	pair_close(&pair);
}

/* close() ends what the device does not begin, and the device does not do it later. */
static void closed_while_held(void)
{
	struct pair pair;

	if (inject("hold", "0") == -ENOENT)
		return skip(no_controls);
	EXPECT_EQ(0, pair_open(&pair, 64 * KIB));
	EXPECT_EQ(0, inject("hold", "1"));
	EXPECT_EQ(8, load(&pair, 8));
	dmau_close(&pair.dmau);
	memset(pair.dst, 0x22, 64 * KIB);
	EXPECT_EQ(0, inject("hold", "0"));
	munmap(pair.src, 64 * KIB);
	EXPECT_EQ(0, dmau_open(&pair.dmau, channel));
	pair.src = memory(64 * KIB);
	memset(pair.src, 0x33, 64 * KIB);
	pair.src_handle = dmau_register(&pair.dmau, pair.src, 64 * KIB, false);
	EXPECT(pair.src_handle > 0, "%d", pair.src_handle);
	EXPECT(is(pair.dst, 0x22, 64 * KIB));
	pair.dst_handle = dmau_register(&pair.dmau, pair.dst, 64 * KIB, true);
	EXPECT(pair.dst_handle > 0, "%d", pair.dst_handle);
	EXPECT_EQ(0, run_copy(&pair, 0, 0, 64 * KIB));
	EXPECT(is(pair.dst, 0x33, 64 * KIB));
	pair_close(&pair);
}

/* --- a channel that loopdma_lend has lent ------------------------------------------------ */

/* The other end of the wire. */
static const char *peer(void)
{
	static char name[32];
	char *last;

	snprintf(name, sizeof(name), "%s", channel);
	last = &name[strlen(name) - 1];
	*last ^= 1;
	return name;
}

/**
 * struct wire - both ends of a wire, and a buffer at each
 * @to: channel that sends
 * @from: channel that receives
 * @src: memory that is sent
 * @dst: memory that is received to
 * @size: bytes of each
 * @src_handle: of @src
 * @dst_handle: of @dst
 */
struct wire {
	struct dmau to;
	struct dmau from;
	unsigned char *src;
	unsigned char *dst;
	size_t size;
	int src_handle;
	int dst_handle;
};

/* Takes from the wire what a program sent that was ended before it had received it. */
static int wire_clear(struct wire *wire)
{
	enum { MARK = 16, MOST = 64 * KIB };
	struct dmaengine_user_completion completion;
	int src, dst, n, taken, err = 0;
	unsigned char *mark, *got;
	struct dmaengine_user_op op;

	mark = memory(MARK);
	got = memory(MOST);
	if (!mark || !got || getrandom(mark, MARK, 0) != MARK)
		return -ENOMEM;
	src = dmau_register(&wire->to, mark, MARK, false);
	dst = dmau_register(&wire->from, got, MOST, true);
	op = dmau_send(src, 0, MARK);
	taken = dmau_submit(&wire->to, &op, 1);
	if (taken < 0)
		return taken;
	for (n = 0; !err && (n < MARK || memcmp(got + n - MARK, mark, MARK)); n++) {
		if (n == MOST)
			return -EOVERFLOW;
		op = dmau_receive(dst, n, 1);
		taken = dmau_submit(&wire->from, &op, 1);
		if (taken < 0)
			return taken;
		err = dmau_wait(&wire->from, &completion) ?: completion.result;
	}
	if (!err)
		err = dmau_wait(&wire->to, &completion) ?: completion.result;
	if (!err)
		err = dmau_unregister(&wire->to, src) ?: dmau_unregister(&wire->from, dst);
	munmap(mark, MARK);
	munmap(got, MOST);
	return err;
}

static int wire_open(struct wire *wire, size_t size)
{
	int err = dmau_open(&wire->to, channel) ?: dmau_open(&wire->from, peer()) ?:
		wire_clear(wire);

	if (err)
		return err;
	wire->size = size;
	wire->src = memory(size);
	wire->dst = memory(size);
	if (!wire->src || !wire->dst)
		return -ENOMEM;
	pattern(wire->src, size, 5);
	wire->src_handle = dmau_register(&wire->to, wire->src, size, false);
	wire->dst_handle = dmau_register(&wire->from, wire->dst, size, true);
	return wire->src_handle < 0 ? wire->src_handle : wire->dst_handle < 0 ? wire->dst_handle : 0;
}

static void wire_close(struct wire *wire)
{
	dmau_close(&wire->to);
	dmau_close(&wire->from);
	munmap(wire->src, wire->size);
	munmap(wire->dst, wire->size);
}

static int send_part(struct wire *wire, uint64_t offset, uint64_t length)
{
	struct dmaengine_user_op op = dmau_send(wire->src_handle, offset, length);

	return dmau_submit(&wire->to, &op, 1);
}

static int receive_part(struct wire *wire, uint64_t offset, uint64_t length)
{
	struct dmaengine_user_op op = dmau_receive(wire->dst_handle, offset, length);

	return dmau_submit(&wire->from, &op, 1);
}

/* What is sent is received, and no byte beside it is written. */
static void sends(void)
{
	static const size_t lengths[] = { 1, 100, 4096, 5000, MIB - 1 };
	struct dmaengine_user_completion completion;
	struct wire wire;
	unsigned int i;

	EXPECT_EQ(0, wire_open(&wire, MIB + 8192));
	for (i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		size_t length = lengths[i];

		memset(wire.dst, 0x11, wire.size);
		EXPECT_EQ(1, receive_part(&wire, 11, length));
		EXPECT_EQ(1, send_part(&wire, 7, length));
		EXPECT_EQ(0, dmau_wait(&wire.to, &completion));
		EXPECT_EQ(0, completion.result);
		EXPECT_EQ(0, dmau_wait(&wire.from, &completion));
		EXPECT_EQ(0, completion.result);
		EXPECT_EQ(0, completion.residue);
		EXPECT_EQ(0, completion.periods);
		EXPECT(!memcmp(wire.dst + 11, wire.src + 7, length), "%zu bytes differ", length);
		EXPECT(is(wire.dst, 0x11, 11));
		EXPECT(is(wire.dst + 11 + length, 0x11, wire.size - 11 - length));
	}
	wire_close(&wire);
}

/* A program does what the channel's owner has configured, and nothing else. */
static void lent_alone(void)
{
	struct dmaengine_user_op op;
	struct wire wire;

	EXPECT_EQ(0, wire_open(&wire, 4096));
	EXPECT_EQ(1 << DMAENGINE_USER_SEND, wire.to.info.ops);
	EXPECT_EQ(1 << DMAENGINE_USER_RECEIVE, wire.from.info.ops);
	EXPECT_EQ(DMAENGINE_USER_DRAIN | DMAENGINE_USER_CYCLIC, wire.to.info.op_flags);
	op = dmau_copy(wire.dst_handle, 0, wire.src_handle, 0, 1);
	EXPECT_EQ(-EOPNOTSUPP, dmau_submit(&wire.from, &op, 1));
	op = dmau_send(wire.dst_handle, 0, 1);
	EXPECT_EQ(-EOPNOTSUPP, dmau_submit(&wire.from, &op, 1));
	op = dmau_receive(wire.src_handle, 0, 1);
	EXPECT_EQ(-EOPNOTSUPP, dmau_submit(&wire.to, &op, 1));
	EXPECT_EQ(-ERANGE, send_part(&wire, 1, 4096));
	op = dmau_receive(dmau_register(&wire.from, wire.src, 4096, false), 0, 1);
	EXPECT_EQ(-EACCES, dmau_submit(&wire.from, &op, 1));
	op = dmau_send(wire.src_handle, 0, 1024);
	op.period = 1024;
	EXPECT_EQ(-EINVAL, dmau_submit(&wire.to, &op, 1));
	op.flags = DMAENGINE_USER_CYCLIC;
	op.period = 0;
	EXPECT_EQ(-EINVAL, dmau_submit(&wire.to, &op, 1));
	op.period = 1000;
	EXPECT_EQ(-EINVAL, dmau_submit(&wire.to, &op, 1));
	op = dmau_send(wire.src_handle, 0, 257 * 256);
	op.flags = DMAENGINE_USER_CYCLIC;
	op.period = 256;
	EXPECT_EQ(-EINVAL, dmau_submit(&wire.to, &op, 1));
	op = dmau_send(wire.src_handle, 0, 1024);
	op.flags = DMAENGINE_USER_CYCLIC;
	op.period = 128;
	EXPECT_EQ(-EINVAL, dmau_submit(&wire.to, &op, 1));
	op = dmau_copy(wire.dst_handle, 0, wire.src_handle, 0, 1024);
	op.flags = DMAENGINE_USER_CYCLIC;
	op.period = 512;
	EXPECT_EQ(-EINVAL, dmau_submit(&wire.to, &op, 1));
	wire_close(&wire);
}

enum { PERIOD = 1024, PERIODS = 4 };

/* A transfer that begins anew; fails where its memory has to be synchronized. */
static int receive_for_ever(struct wire *wire)
{
	struct dmaengine_user_op op = dmau_receive(wire->dst_handle, 0, PERIODS * PERIOD);

	op.flags = DMAENGINE_USER_CYCLIC;
	op.period = PERIOD;
	op.user_data = 77;
	return dmau_submit(&wire->from, &op, 1);
}

/* io_uring could not end it. */
static void lent_by_io_uring(void)
{
	struct dmaengine_user_op op;
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	struct wire wire;
	int err;

	err = io_uring_queue_init(1, &ring, 0);
	if (err == -ENOSYS || err == -EPERM)
		return skip("this kernel has no io_uring");
	EXPECT_EQ(0, err);
	EXPECT_EQ(0, wire_open(&wire, 4096));
	op = dmau_receive(wire.dst_handle, 0, 1);
	uring_prep(&ring, wire.from.fd, &op, 0);
	EXPECT_EQ(1, io_uring_submit(&ring));
	EXPECT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
	EXPECT_EQ(-EINVAL, cqe->res);
	io_uring_queue_exit(&ring);
	wire_close(&wire);
}

/* Each period has a completion; the memory is used again and again. */
static void cyclic(void)
{
	struct dmaengine_user_completion completion;
	struct wire wire;
	unsigned int i;

	EXPECT_EQ(0, wire_open(&wire, 8 * PERIOD));
	if (getenv("SYNCED")) {
		EXPECT_EQ(-EOPNOTSUPP, receive_for_ever(&wire));
		return wire_close(&wire);
	}
	EXPECT_EQ(1, receive_for_ever(&wire));
	EXPECT_EQ(-EBUSY, receive_part(&wire, 0, 1));
	for (i = 0; i < 3 * PERIODS; i++) {
		EXPECT_EQ(1, send_part(&wire, i % 8 * PERIOD, PERIOD));
		EXPECT_EQ(0, dmau_wait(&wire.to, &completion));
		EXPECT_EQ(0, completion.result);
		EXPECT_EQ(0, dmau_wait(&wire.from, &completion));
		EXPECT_EQ(77, completion.user_data);
		EXPECT_EQ(0, completion.result);
		EXPECT_EQ(i + 1, completion.periods);
		EXPECT(!memcmp(wire.dst + i % PERIODS * PERIOD, wire.src + i % 8 * PERIOD, PERIOD),
		       "period %u differs", i);
	}
	EXPECT_EQ(0, dmau_stop(&wire.from));
	EXPECT(dmau_take(&wire.from, &completion));
	EXPECT_EQ(-ECANCELED, completion.result);
	EXPECT_EQ(3 * PERIODS, completion.periods);
	EXPECT(!dmau_take(&wire.from, &completion));
	EXPECT_EQ(1, receive_part(&wire, 0, 100));
	EXPECT_EQ(1, send_part(&wire, 50, 100));
	EXPECT_EQ(0, dmau_wait(&wire.from, &completion));
	EXPECT_EQ(0, completion.result);
	EXPECT(!memcmp(wire.dst, wire.src + 50, 100));
	wire_close(&wire);
}

/* Nothing is received any more once the file is closed. */
static void closed_receiving(void)
{
	struct dmaengine_user_completion completion;
	bool synced = getenv("SYNCED");
	struct wire wire;

	EXPECT_EQ(0, wire_open(&wire, PERIODS * PERIOD));
	EXPECT_EQ(1, synced ? receive_part(&wire, 0, wire.size) : receive_for_ever(&wire));
	EXPECT_EQ(1, send_part(&wire, 0, PERIOD));
	EXPECT_EQ(0, dmau_wait(synced ? &wire.to : &wire.from, &completion));
	EXPECT_EQ(0, completion.result);
	dmau_close(&wire.from);
	memset(wire.dst, 0x22, wire.size);
	EXPECT_EQ(1, send_part(&wire, 0, 16));
	EXPECT_EQ(0, dmau_wait(&wire.to, &completion));
	EXPECT_EQ(0, completion.result);
	EXPECT(is(wire.dst, 0x22, wire.size));
	EXPECT_EQ(0, dmau_stop(&wire.to));
	dmau_close(&wire.to);
}

/* A peripheral that takes nothing keeps no program from the end. */
static void stopped(void)
{
	struct dmaengine_user_completion completion;
	struct wire wire;

	EXPECT_EQ(0, wire_open(&wire, MIB));
	EXPECT_EQ(1, send_part(&wire, 0, MIB));
	EXPECT_EQ(1, send_part(&wire, 0, MIB));
	EXPECT_EQ(0, dmau_stop(&wire.to));
	EXPECT(dmau_take(&wire.to, &completion));
	EXPECT_EQ(-ECANCELED, completion.result);
	EXPECT(dmau_take(&wire.to, &completion));
	EXPECT_EQ(-ECANCELED, completion.result);
	EXPECT_EQ(0, dmau_unregister(&wire.to, wire.src_handle));
	wire_close(&wire);
}

/* --- calls that fail inside the kernel ------------------------------------------------- */

/* Of syslog(2): the action that sets which messages the console has, and two such levels. */
enum { CONSOLE_LEVEL = 8, QUIET = 4, NOISY = 7 };

/* Has the N-th allocation, or access to the program's memory, fail; the job allows that. */
static int failure_ask(int fd, unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	return pwrite(fd, text, length, 0) == length ? 0 : -errno;
}

/* Ends that; whether the failure has not come about. */
static bool failure_is_left(int fd)
{
	char text[16] = "";
	/* Its own accesses count, too. */
	bool left = pread(fd, text, sizeof(text) - 1, 0) < 0 || atoi(text);

	while (failure_ask(fd, 0))
		;
	return left;
}

/* Makes calls; what the first one returns that fails. */
typedef int calls_fn(struct dmau *dmau, unsigned char *memory, int dmabuf);

/* Of @memory: what is read, and as much behind it that is written. */
enum { FAILING_SIZE = 64 * 1024 };

static int failing_uring(struct dmau *dmau, const struct dmaengine_user_op *op)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;
	int err;

	err = io_uring_queue_init(1, &ring, 0);
	if (err)
		return err == -ENOSYS || err == -EPERM ? 0 : err;
	uring_prep(&ring, dmau->fd, op, 0);
	err = io_uring_submit(&ring);
	if (err == 1)
		err = io_uring_wait_cqe(&ring, &cqe) ?: cqe->res;
	io_uring_queue_exit(&ring);
	return err;
}

static int failing_calls_of(struct dmau *dmau, unsigned char *memory, int dmabuf)
{
	struct dmaengine_user_eventfd eventfd_of = { .size = sizeof(eventfd_of), .fd = -1 };
	struct pollfd poll_of = { .fd = dmau->fd, .events = POLLIN };
	struct dmaengine_user_completion completion;
	struct dmaengine_user_range srcs[2];
	unsigned char coefficients[2] = { 1, 2 };
	struct dmaengine_user_op op;
	int src, dst, shared, err;

	src = dmau_register(dmau, memory, FAILING_SIZE, false);
	if (src < 0)
		return src;
	dst = dmau_register(dmau, memory + FAILING_SIZE, FAILING_SIZE, true);
	if (dst < 0)
		return dst;
	if (dmabuf >= 0) {
		shared = dmau_register_dmabuf(dmau, dmabuf, true);
		err = shared < 0 ? shared : dmau_unregister(dmau, shared);
		if (err)
			return err;
	}
	op = dmau_copy(dst, 0, src, 0, FAILING_SIZE);
	err = dmau_submit(dmau, &op, 1);
	if (err < 0)
		return err;
	if (poll(&poll_of, 1, -1) < 0)
		return -errno;
	if (read(dmau->fd, &completion, sizeof(completion)) < 0)
		return -errno;
	if (completion.result)
		return completion.result;
	if (memcmp(memory, memory + FAILING_SIZE, FAILING_SIZE))
		return -EBADMSG;
	if (dmau->info.ops & 1 << DMAENGINE_USER_PQ) {
		srcs[0] = srcs[1] = op.src;
		op = (struct dmaengine_user_op) {
			.opcode = DMAENGINE_USER_PQ,
			.length = 64,
			.dst = { { .handle = dst }, { .handle = dst, .offset = 4096 } },
			.srcs = (uintptr_t)srcs,
			.src_count = 2,
			.coefficients = (uintptr_t)coefficients,
		};
		err = run(dmau, &op);
		if (err)
			return err;
	}
	op = dmau_copy(dst, 0, src, 0, FAILING_SIZE);
	err = failing_uring(dmau, &op);
	if (err)
		return err;
	if (ioctl(dmau->fd, DMAENGINE_USER_IOC_EVENTFD, &eventfd_of))
		return -errno;
	return dmau_stop(dmau) ?: dmau_unregister(dmau, src);
}

static int failing_lent_calls_of(struct dmau *dmau, unsigned char *memory, int dmabuf)
{
	struct dmaengine_user_completion completion;
	struct dmaengine_user_op op;
	int src, err;

	src = dmau_register(dmau, memory, FAILING_SIZE, false);
	if (src < 0)
		return src;
	/* The other end takes nothing. */
	op = dmau_send(src, 0, FAILING_SIZE);
	err = dmau_submit(dmau, &op, 1);
	if (err < 0)
		return err;
	err = dmau_stop(dmau) ?: dmau_wait(dmau, &completion);
	if (err)
		return err;
	if (completion.result && completion.result != -ECANCELED)
		return completion.result;
	if (getenv("SYNCED"))
		return 0;
	op.flags = DMAENGINE_USER_CYCLIC;
	op.period = 1024;
	err = dmau_submit(dmau, &op, 1);
	return err < 0 ? err : dmau_stop(dmau);
}

/* A call may fail to unmap the ring, too, which would keep the file open. */
static int failing_run(calls_fn *calls, unsigned char *memory, int dmabuf)
{
	struct dmau dmau;
	int err;

	memset(memory + FAILING_SIZE, 0, FAILING_SIZE);
	err = dmau_open(&dmau, channel);
	if (err)
		return err;
	err = calls(&dmau, memory, dmabuf);
	while (munmap(dmau.ring, dmau.info.ring_bytes))
		;
	close(dmau.fd);
	return err;
}

/* Whatever fails in the kernel is told, and harms nothing that comes afterwards. */
static void each_failure_of(calls_fn *calls)
{
	unsigned char *at = memory(2 * FAILING_SIZE);
	int fd, err, memfd, dmabuf = make_dmabuf(FAILING_SIZE, &memfd);
	unsigned int nth = 0;
	bool left;

	fd = open("/proc/self/fail-nth", O_RDWR);
	if (fd < 0 && errno == ENOENT)
		return skip("this kernel lets no call fail");
	EXPECT(fd >= 0, "errno %d", errno);
	EXPECT(at);
	EXPECT(dmabuf >= 0 || dmabuf == -ENOENT, "%d", dmabuf);
	pattern(at, 2 * FAILING_SIZE, 3);
	do {
		EXPECT_EQ(0, failing_run(calls, at, dmabuf));
		EXPECT_EQ(0, wait_for_channel());
		EXPECT_EQ(0, pinned());
		EXPECT_EQ(0, failure_ask(fd, ++nth));
		err = failing_run(calls, at, dmabuf);
		left = failure_is_left(fd);
		EXPECT(!err || (!left && (err == -ENOMEM || err == -EFAULT || err == -EIO ||
					  err == -EAGAIN)), "failure %u: %d", nth, err);
		EXPECT_EQ(0, wait_for_channel());
	} while (!left);
	/* Each call has some. */
	EXPECT(nth > 20, "%u failures", nth);
	EXPECT_EQ(0, pinned());
	printf("# %u failures\n", nth - 1);
	close(fd);
}

static void each_failure(calls_fn *calls)
{
	/* What fails to allocate warns of that.  A warning of anything else taints the kernel. */
	klogctl(CONSOLE_LEVEL, NULL, QUIET);
	each_failure_of(calls);
	klogctl(CONSOLE_LEVEL, NULL, NOISY);
}

static void failing_calls(void)
{
	each_failure(failing_calls_of);
}

static void lent_failing_calls(void)
{
	each_failure(failing_lent_calls_of);
}

static const struct {
	const char *name;
	void (*run)(void);
	bool lent;
} cases[] = {
	{ "info", info },
	{ "copies", copies },
	{ "unaligned_memory", unaligned_memory },
	{ "fills", fills },
	{ "parities", parities },
	{ "batches", batches },
	{ "drained", drained },
	{ "polled", polled },
	{ "by_io_uring", by_io_uring },
	{ "dma_bufs", dma_bufs },
	{ "out_of_bounds", out_of_bounds },
	{ "malformed", malformed },
	{ "not_its_memory", not_its_memory },
	{ "locked_memory", locked_memory },
	{ "many_buffers", many_buffers },
	{ "full_ring", full_ring },
	{ "one_at_a_time", one_at_a_time },
	{ "other_process", other_process },
	{ "unmapped_meanwhile", unmapped_meanwhile },
	{ "given_up_meanwhile", given_up_meanwhile },
	{ "truncated_meanwhile", truncated_meanwhile },
	{ "written_meanwhile", written_meanwhile },
	{ "forked_meanwhile", forked_meanwhile },
	{ "untouched_memory", untouched_memory },
	{ "closed_in_flight", closed_in_flight },
	{ "busy_buffer", busy_buffer },
	{ "killed", killed },
	{ "withdrawn", withdrawn },
	{ "failed", failed },
	{ "closed_while_held", closed_while_held },
	{ "failing_calls", failing_calls },
	{ "sends", sends, .lent = true },
	{ "lent_alone", lent_alone, .lent = true },
	{ "lent_by_io_uring", lent_by_io_uring, .lent = true },
	{ "cyclic", cyclic, .lent = true },
	{ "closed_receiving", closed_receiving, .lent = true },
	{ "stopped", stopped, .lent = true },
	{ "lent_failing_calls", lent_failing_calls, .lent = true },
};

#define CASES	(sizeof(cases) / sizeof(cases[0]))

/* A channel that is lent has other cases than one that root has offered. */
static bool is_lent(void)
{
	struct dmau dmau;
	bool lent;

	if (dmau_open(&dmau, channel))
		return false;
	lent = dmau.info.ops & 1 << DMAENGINE_USER_SEND;
	dmau_close(&dmau);
	return lent;
}

int main(int argc, char *argv[])
{
	unsigned int i, n = 0;
	bool lent, failed = false;

	if (argc != 2 && argc != 3) {
		fprintf(stderr, "usage: user-test CHANNEL [CASE]\n");
		return 2;
	}
	channel = argv[1];
	why = mmap(NULL, WHY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (why == MAP_FAILED)
		return 2;
	setbuf(stdout, NULL);
	lent = is_lent();
	printf("KTAP version 1\n");
	for (i = 0; i < CASES; i++) {
		pid_t pid;
		int status;

		if (cases[i].lent != lent || (argc == 3 && strcmp(argv[2], cases[i].name)))
			continue;
		n++;
		why[0] = '\0';
		/* What a case leaves open ends with it. */
		pid = fork();
		if (!pid) {
			cases[i].run();
			_exit(skipped ? SKIP : !!why[0]);
		}
		waitpid(pid, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) == SKIP) {
			printf("ok %u %s # SKIP %s\n", n, cases[i].name, why);
		} else if (status) {
			failed = true;
			printf("not ok %u %s\n# %s\n", n, cases[i].name,
			       why[0] ? why : "killed by a signal");
		} else {
			printf("ok %u %s\n", n, cases[i].name);
		}
	}
	printf("1..%u\n", n);
	return failed || !n;
}
