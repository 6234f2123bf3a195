// SPDX-License-Identifier: GPL-2.0-only
/*
 * tsc_khz: prints the rate of the x86 time stamp counter in kHz.
 *
 * Reads it and the clock twice, 50 ms apart.  Of many readings the one counts that took
 * the fewest ticks, so that a loaded machine gives the same rate as an idle one.
 */
#include <limits.h>
#include <stdio.h>
#include <time.h>
#include <x86intrin.h>

#define READINGS	200

struct moment {
	unsigned long ticks;
	unsigned long ns;
};

static unsigned long clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_RAW, &now);
	return now.tv_sec * 1000000000ul + now.tv_nsec;
}

static struct moment read_both(void)
{
	unsigned long fewest = ULONG_MAX;
	struct moment moment = { 0 };

	for (int i = 0; i < READINGS; i++) {
		unsigned long before = __rdtsc();
		unsigned long ns = clock_ns();
		unsigned long took = __rdtsc() - before;

		if (took < fewest) {
			fewest = took;
			moment = (struct moment){ before + took / 2, ns };
		}
	}
	return moment;
}

int main(void)
{
	struct moment start = read_both(), end;

	nanosleep(&(struct timespec){ .tv_nsec = 50000000 }, NULL);
	end = read_both();
	printf("%.0f\n", (end.ticks - start.ticks) * 1e6 / (end.ns - start.ns));
	return 0;
}
