// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmacp: copies a file by DMA, between files that are memory (tmpfs, hugetlbfs).
 *
 *	dmacp [-c] dma0chan0 /dev/shm/from /dev/shm/to
 *
 * Says how fast that was, and for how long a CPU was busy with it; what the CPU does
 * before, once for any number of copies, is to make the file's memory and to pin both.  With
 * -c it says as well what it takes the CPU to copy the file, by read() and write() as cp
 * does.
 */
#define _GNU_SOURCE
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "dmau.h"

/* Of one operation, and operations under way at a time. */
#define PIECE	(1024 * 1024)
#define DEPTH	8

static double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

static double cpu_seconds(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_utime.tv_sec + usage.ru_stime.tv_sec +
	       (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void *map(const char *path, int flags, off_t *size)
{
	int fd = open(path, flags, 0666);
	struct stat stat;
	void *addr;

	if (fd < 0 || fstat(fd, &stat))
		err(1, "%s", path);
	if (*size && ftruncate(fd, *size))
		err(1, "%s", path);
	if (!*size)
		*size = stat.st_size;
	if (!*size)
		return NULL;
	addr = mmap(NULL, *size, PROT_READ | (flags & O_RDWR ? PROT_WRITE : 0), MAP_SHARED, fd, 0);
	if (addr == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	return addr;
}

static int do_register(struct dmau *dmau, const char *path, void *addr, off_t size, bool write)
{
	int handle = dmau_register(dmau, addr, size, write);

	if (handle == -ENOMEM)
		errx(1, "%s: more memory than may be locked: raise ulimit -l", path);
	if (handle < 0)
		errx(1, "%s: %s; only files that are memory will do", path, strerror(-handle));
	return handle;
}

static void copy_all(struct dmau *dmau, int dst, int src, off_t size)
{
	struct dmaengine_user_completion completion;
	off_t begun = 0, ended = 0;

	while (ended < size) {
		while (begun < size && begun - ended < DEPTH * PIECE) {
			off_t length = size - begun < PIECE ? size - begun : PIECE;
			struct dmaengine_user_op op = dmau_copy(dst, begun, src, begun, length);
			int accepted;

			op.user_data = length;
			accepted = dmau_submit(dmau, &op, 1);
			if (accepted < 0)
				errx(1, "the channel does not take it: %s", strerror(-accepted));
			begun += length;
		}
		if (dmau_wait(dmau, &completion))
			errx(1, "the channel is gone");
		if (completion.result)
			errx(1, "the copy failed: %s", strerror(-completion.result));
		ended += completion.user_data;
	}
}

static void report(const char *what, off_t size, double began, double cpu)
{
	double took = seconds() - began;

	printf("%s: %lld bytes in %.1f ms, %.0f MB/s, %.1f ms of a CPU\n", what, (long long)size,
	       took * 1e3, size / took / 1e6, (cpu_seconds() - cpu) * 1e3);
}

/* What cp does, into a file of its own. */
static void by_cpu(const char *path)
{
	static char buffer[128 * 1024];
	double began, cpu;
	off_t size = 0;
	int from, to;
	ssize_t got;

	from = open(path, O_RDONLY);
	to = memfd_create("dmacp", MFD_CLOEXEC);
	if (from < 0 || to < 0)
		err(1, "%s", path);
	began = seconds();
	cpu = cpu_seconds();
	while ((got = read(from, buffer, sizeof(buffer))) > 0) {
		if (write(to, buffer, got) != got)
			err(1, "a file in memory");
		size += got;
	}
	report("by the CPU", size, began, cpu);
	close(from);
	close(to);
}

int main(int argc, char *argv[])
{
	bool compare = argc > 1 && !strcmp(argv[1], "-c");
	double began, cpu;
	struct dmau dmau;
	off_t size = 0;
	void *from, *to;
	int error, dst, src;

	argc -= compare;
	argv += compare;
	if (argc != 4) {
		fprintf(stderr, "usage: dmacp [-c] CHANNEL FROM TO, such as dmacp dma0chan0 a b\n");
		return 2;
	}
	error = dmau_open(&dmau, argv[1]);
	if (error)
		errx(1, "%s: %s", argv[1], error == -ENOENT ?
		     "not offered: echo it to /sys/class/dmaengine_user/offer" : strerror(-error));
	if (!(dmau.info.ops & 1 << DMAENGINE_USER_COPY))
		errx(1, "%s does not copy", argv[1]);
	from = map(argv[2], O_RDONLY, &size);
	if (!size) {
		map(argv[3], O_RDWR | O_CREAT | O_TRUNC, &size);
		return 0;
	}
	to = map(argv[3], O_RDWR | O_CREAT | O_TRUNC, &size);

	cpu = cpu_seconds();
	dst = do_register(&dmau, argv[3], to, size, true);
	src = do_register(&dmau, argv[2], from, size, false);
	printf("memory made and pinned: %.1f ms of a CPU\n", (cpu_seconds() - cpu) * 1e3);
	began = seconds();
	cpu = cpu_seconds();
	copy_all(&dmau, dst, src, size);
	report("by DMA", size, began, cpu);
	dmau_close(&dmau);
	if (compare)
		by_cpu(argv[2]);
	return 0;
}
