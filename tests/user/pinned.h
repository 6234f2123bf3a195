/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel says of the memory of a program.
 */
#ifndef USER_PINNED_H
#define USER_PINNED_H

#include <stdio.h>

/**
 * pinned - memory of this process that is pinned
 *
 * Return: KiB; -1 if the kernel does not say.
 */
static inline long pinned(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];
	long kib = -1;

	while (status && fgets(line, sizeof(line), status))
		if (sscanf(line, "VmPin: %ld", &kib) == 1)
			break;
	if (status)
		fclose(status);
	return kib;
}

#endif /* USER_PINNED_H */
