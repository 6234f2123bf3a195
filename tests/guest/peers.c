// SPDX-License-Identifier: GPL-2.0-only
/*
 * peers: has the kernel's own dmatest measure a channel, for scripts/bench_peers.py.
 *
 *	peers CHANNEL MILLISECONDS
 *
 * Prints a line for each size, with the transfers in a second, one at a time, and how
 * long a memcpy() takes here, which tells whether the machine was disturbed:
 *
 *	memcpy size=65536 ns=13804.1
 *	dmatest size=64 tests=47136 rate=94271.23
 *
 * The guest of a peer has nothing else to run, there it is the first process: as
 * such it does, too, what tests/guest/init does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define PARAMETERS	"/sys/module/dmatest/parameters/"

/* Transfers of a first run, which tells how many fill a window. */
#define TESTS		200

static const unsigned int sizes[] = { 64, 4096 };

/* --- the control ------------------------------------------------------------ */

#define MEMCPY_SIZE	65536

static double now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void measure_memcpy(unsigned long ms)
{
	static char src[MEMCPY_SIZE], dst[MEMCPY_SIZE];
	unsigned long copies = 0;
	double start, ns;

	/* Touched, or the first copies would measure page faults. */
	memset(src, 1, sizeof(src));
	memset(dst, 2, sizeof(dst));
	start = now_ns();
	do {
		memcpy(dst, src, sizeof(dst));
		/* The compiler must not see that nobody looks. */
		__asm__ volatile("" : : "r"(dst) : "memory");
		copies++;
		ns = now_ns() - start;
	} while (ns < ms * 1e6);
	printf("memcpy size=%d ns=%.1f\n", MEMCPY_SIZE, ns / copies);
}

/* --- dmatest ---------------------------------------------------------------- */

static int set(const char *name, const char *value)
{
	char path[128];
	int fd, err = 0;

	snprintf(path, sizeof(path), PARAMETERS "%s", name);
	fd = open(path, O_WRONLY);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		err = errno;
	if (fd >= 0)
		close(fd);
	if (err)
		printf("dmatest refuses %s=%s: %s\n", name, value, strerror(err));
	return -err;
}

static int set_number(const char *name, unsigned long value)
{
	char text[24];

	snprintf(text, sizeof(text), "%lu", value);
	return set(name, text);
}

/* Ends when no thread of dmatest runs any more, provided that one has run. */
static void wait_for_threads(void)
{
	char value[8];
	int fd = open(PARAMETERS "wait", O_RDONLY);

	if (fd < 0)
		return;
	while (read(fd, value, sizeof(value)) > 0)
		;
	close(fd);
}

/* Read the kernel's log up to what the thread of dmatest says at its end. */
static int read_summary(int log, unsigned long wanted, double *rate)
{
	unsigned int tests, failures;
	char record[1024], *summary;
	ssize_t n;

	for (;;) {
		/* Sleeps until there is something to read, and takes no CPU meanwhile. */
		n = read(log, record, sizeof(record) - 1);
		if (n < 0 && errno == EPIPE)
			continue;	/* records went before they were read */
		if (n <= 0) {
			printf("the kernel's log cannot be read: %s\n", strerror(errno));
			return -EIO;
		}
		record[n] = '\0';
		summary = strstr(record, ": summary ");
		if (summary && sscanf(summary, ": summary %u tests, %u failures %lf iops",
				      &tests, &failures, rate) == 3)
			break;
	}
	if (failures || tests != wanted) {
		printf("dmatest: %u of %lu tests, %u failures\n", tests, wanted, failures);
		return -EIO;
	}
	return 0;
}

/* Have dmatest make transfers; tells how many there are in a second. */
static int run(const char *channel, unsigned int size, unsigned long tests, double *rate)
{
	int log = open("/dev/kmsg", O_RDONLY);
	int err = -EINVAL;

	if (log < 0 || lseek(log, 0, SEEK_END) < 0) {
		printf("/dev/kmsg cannot be read: %s\n", strerror(errno));
		return -EIO;
	}
	if (!set_number("test_buf_size", size) && !set_number("iterations", tests) &&
	    !set("channel", channel) && !set("run", "1"))
		err = read_summary(log, tests, rate);
	if (!err)
		wait_for_threads();
	close(log);
	return err;
}

static int measure_dmatest(const char *channel, unsigned long ms)
{
	unsigned long tests, wanted;
	unsigned int i;
	double rate;

	/* A channel that does not copy would be the fastest. */
	if (set_number("threads_per_chan", 1) || set("noverify", "0") ||
	    set("norandom", "0") || run(channel, 16384, TESTS, &rate) ||
	    set("noverify", "1") || set("norandom", "1"))
		return 1;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		wanted = TESTS;
		do {
			tests = wanted;
			if (run(channel, sizes[i], tests, &rate))
				return 1;
			wanted = rate * ms / 1000;
			/* More by some, or the next run would be as likely too short. */
			wanted += wanted / 8;
		} while (tests < rate * ms / 1000);
		printf("dmatest size=%u tests=%lu rate=%.2f\n", sizes[i], tests, rate);
	}
	return 0;
}

static int measure(int argc, char **argv)
{
	unsigned long ms;
	char *end;

	ms = argc == 3 ? strtoul(argv[2], &end, 10) : 0;
	if (!ms || *end) {
		printf("usage: peers CHANNEL MILLISECONDS\n");
		return 2;
	}
	measure_memcpy(ms);
	return measure_dmatest(argv[1], ms);
}

/* --- the first process ------------------------------------------------------ */

static int set_up(void)
{
	int out;

	mkdir("/proc", 0755);
	mkdir("/sys", 0755);
	if (mount("proc", "/proc", "proc", 0, NULL) ||
	    mount("sys", "/sys", "sysfs", 0, NULL) ||
	    mount("dev", "/dev", "devtmpfs", 0, NULL))
		return -1;
	/* The first port is the kernel's. */
	out = open("/dev/ttyPS1", O_WRONLY | O_NOCTTY);
	if (out < 0)
		return -1;
	dup2(out, STDOUT_FILENO);
	return 0;
}

/* What the host judges the run by. */
static void finish(int status)
{
	char taint[24] = "";
	int fd = open("/proc/sys/kernel/tainted", O_RDONLY);

	if (fd >= 0) {
		if (read(fd, taint, sizeof(taint) - 1) < 0)
			taint[0] = '\0';
		close(fd);
	}
	taint[strcspn(taint, "\n")] = '\0';
	printf("@@ taint %s\n@@ exit %d\n", taint, status);
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
}

int main(int argc, char **argv)
{
	struct utsname name;
	int status;

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (getpid() != 1)
		return measure(argc, argv);
	if (set_up())
		return 1;
	uname(&name);
	printf("@@ start %s\n", name.release);
	status = measure(argc, argv);
	finish(status);
	return status;
}
