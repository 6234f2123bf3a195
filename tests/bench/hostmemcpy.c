// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostmemcpy: the host's own single-thread memcpy(), for scripts/bench.py.
 *
 *	hostmemcpy BYTES MILLISECONDS
 *
 * Prints the nanoseconds of one copy between two warm buffers.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static unsigned long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (unsigned long long)t.tv_sec * 1000000000 + t.tv_nsec;
}

static unsigned long parse(const char *arg)
{
	char *end;
	unsigned long n;

	errno = 0;
	n = strtoul(arg, &end, 10);
	if (errno || *end || !n) {
		fprintf(stderr, "hostmemcpy: %s is not a positive number\n",
			arg);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	unsigned long long copies = 1, i, start, ns, window;
	unsigned long size;
	void *src, *dst;

	if (argc != 3) {
		fprintf(stderr, "usage: hostmemcpy BYTES MILLISECONDS\n");
		return 2;
	}
	size = parse(argv[1]);
	window = parse(argv[2]) * 1000000;
	if (posix_memalign(&src, 4096, size) ||
	    posix_memalign(&dst, 4096, size)) {
		fprintf(stderr, "hostmemcpy: no memory\n");
		return 1;
	}
	/* Touched, or the first copies would measure page faults. */
	memset(src, 1, size);
	memset(dst, 2, size);

	for (;;) {
		start = now_ns();
		for (i = 0; i < copies; i++) {
			memcpy(dst, src, size);
			/* The compiler must not see that nobody looks. */
			__asm__ volatile("" : : "r"(dst) : "memory");
		}
		ns = now_ns() - start;
		if (ns >= window)
			break;
		copies *= 2;
	}
	printf("%.1f\n", (double)ns / copies);
	return 0;
}
