// SPDX-License-Identifier: GPL-2.0-only
/*
 * hostmemcpy: the host's own memcpy() by one thread and by two, for
 * scripts/bench.py.
 *
 *	hostmemcpy BYTES MILLISECONDS
 *
 * Prints the nanoseconds of one copy between warm buffers: "ONE TWO".  ONE is
 * by one thread alone.  TWO is by two threads on different CPUs, with buffers
 * of their own each: the time that both take together, divided by the copies of
 * both, so ONE / TWO tells how far the host scales.  Both are medians of
 * windows measured in turn, so that what disturbs one disturbs the other.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define THREADS	2
#define WINDOWS	5

/**
 * struct copier - a thread that copies
 * @cpu: where it runs
 * @src: copied from
 * @dst: copied to
 * @copies: how many it has made in a window
 * @start: when that began
 * @end: when it was over
 */
struct copier {
	int cpu;
	void *src;
	void *dst;
	unsigned long long copies;
	unsigned long long start;
	unsigned long long end;
};

static unsigned long size;
static unsigned long long window;
static pthread_barrier_t barrier;

static void fail(const char *what, int err)
{
	fprintf(stderr, "hostmemcpy: %s: %s\n", what, strerror(err));
	exit(1);
}

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

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fail("cannot choose a CPU", errno);
}

/* Copy until the window is over. */
static void copy(struct copier *c)
{
	/* Looking at the clock costs as much as some small copies. */
	const unsigned long batch = size < 1 << 16 ? (1 << 16) / size : 1;
	unsigned long i;

	c->copies = 0;
	c->start = now_ns();
	do {
		for (i = 0; i < batch; i++) {
			memcpy(c->dst, c->src, size);
			/* The compiler must not see that nobody looks. */
			__asm__ volatile("" : : "r"(c->dst) : "memory");
		}
		c->copies += batch;
		c->end = now_ns();
	} while (c->end - c->start < window);
}

static void *copy_beside(void *arg)
{
	struct copier *c = arg;

	pin(c->cpu);
	pthread_barrier_wait(&barrier);
	copy(c);
	return NULL;
}

static double one(struct copier *c)
{
	pin(c->cpu);
	copy(c);
	return (double)(c->end - c->start) / c->copies;
}

static double two(struct copier *c)
{
	unsigned long long copies = 0, start = ~0ULL, end = 0;
	pthread_t thread[THREADS];
	int i, err;

	for (i = 0; i < THREADS; i++) {
		err = pthread_create(&thread[i], NULL, copy_beside, &c[i]);
		if (err)
			fail("no thread", err);
	}
	for (i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (i = 0; i < THREADS; i++) {
		copies += c[i].copies;
		if (c[i].start < start)
			start = c[i].start;
		if (c[i].end > end)
			end = c[i].end;
	}
	return (double)(end - start) / copies;
}

/* In large pages, which QEMU asks for its guest's memory, too. */
static void *get_buffer(int byte)
{
	void *buf;

	if (posix_memalign(&buf, 2 << 20, size))
		fail("no memory", ENOMEM);
	/* Where there are none it is slower, and nothing else. */
	(void)madvise(buf, size, MADV_HUGEPAGE);
	/* Touched, or the first copies would measure page faults. */
	memset(buf, byte, size);
	return buf;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values)
{
	qsort(values, WINDOWS, sizeof(*values), compare);
	return values[WINDOWS / 2];
}

/* The first CPU and the last one that this program may use: rarely siblings. */
static void choose_cpus(struct copier *c)
{
	cpu_set_t set;
	int cpu;

	if (sched_getaffinity(0, sizeof(set), &set))
		fail("CPUs are unknown", errno);
	c[0].cpu = -1;
	for (cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &set))
			continue;
		if (c[0].cpu < 0)
			c[0].cpu = cpu;
		c[1].cpu = cpu;
	}
}

int main(int argc, char **argv)
{
	struct copier copier[THREADS] = { };
	double ones[WINDOWS], twos[WINDOWS];
	int i;

	if (argc != 3) {
		fprintf(stderr, "usage: hostmemcpy BYTES MILLISECONDS\n");
		return 2;
	}
	size = parse(argv[1]);
	window = parse(argv[2]) * 1000000 / WINDOWS;
	choose_cpus(copier);
	pthread_barrier_init(&barrier, NULL, THREADS);
	for (i = 0; i < THREADS; i++) {
		copier[i].src = get_buffer(1);
		copier[i].dst = get_buffer(2);
	}
	for (i = 0; i < WINDOWS; i++) {
		ones[i] = one(&copier[0]);
		twos[i] = two(copier);
	}
	printf("%.1f %.1f\n", median(ones), median(twos));
	return 0;
}
