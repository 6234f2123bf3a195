/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: parameters of a client: "run", of which 1 begins what it does and 0 ends it,
 * and those that only tell.
 */
#ifndef LOOPDMA_LIB_RUN_H
#define LOOPDMA_LIB_RUN_H

#include <linux/errno.h>
#include <linux/kstrtox.h>
#include <linux/moduleparam.h>
#include <linux/sysfs.h>

/**
 * struct client_run - what a client does
 * @begin: begins it; 0 or an error, and then there is nothing to end
 * @end: ends it; an error says that something was wrong
 * @running: between the two
 */
struct client_run {
	int (*begin)(void);
	int (*end)(void);
	bool running;
};

/* The kernel serialises those who write to a module's parameters. */
static int client_set_run(const char *val, const struct kernel_param *kp)
{
	struct client_run *run = kp->arg;
	bool begin;
	int err;

	err = kstrtobool(val, &begin);
	if (err)
		return err;
	if (begin == run->running)
		return -EALREADY;
	err = begin ? run->begin() : run->end();
	run->running = begin && !err;
	return err;
}

static int client_get_run(char *buf, const struct kernel_param *kp)
{
	const struct client_run *run = kp->arg;

	return sysfs_emit(buf, "%d\n", run->running);
}

static const struct kernel_param_ops client_run_ops = {
	.set = client_set_run,
	.get = client_get_run,
};

/*
 * The set operation of a parameter that only tells.  Its file cannot be written, but a
 * module can be loaded with a value, and the kernel calls this without asking if it is
 * there.
 */
static int client_refuse(const char *val, const struct kernel_param *kp)
{
	return -EPERM;
}

/* Of the number of channels that a client holds. */
static const struct kernel_param_ops client_channels_ops = {
	.set = client_refuse,
	.get = param_get_uint,
};

/* When the module goes. */
static void client_end_run(const struct client_run *run)
{
	if (run->running)
		run->end();
}

#endif /* LOOPDMA_LIB_RUN_H */
