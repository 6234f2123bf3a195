/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dmaengine_user: what differs between the kernels that it is built for, 6.1 to 7.3.
 * In a kernel's own tree all of this goes.
 */
#ifndef DMAU_COMPAT_H
#define DMAU_COMPAT_H

#include <linux/device/class.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/version.h>

#if KERNEL_VERSION(6, 7, 0) > LINUX_VERSION_CODE
#include <linux/io_uring.h>
#define dmau_uring_payload(uring)	((uring)->cmd)
#else
#include <linux/io_uring/cmd.h>
#define dmau_uring_payload(uring)	((const void *)(uring)->sqe->cmd)
#endif

/* The result of a command, in what io_uring leaves to the driver. */
static inline int *dmau_uring_result(struct io_uring_cmd *uring)
{
	return (int *)uring->pdu;
}

static inline void dmau_uring_end(struct io_uring_cmd *uring, unsigned int issue_flags)
{
#if KERNEL_VERSION(6, 18, 0) > LINUX_VERSION_CODE
	io_uring_cmd_done(uring, *dmau_uring_result(uring), 0, issue_flags);
#else
	io_uring_cmd_done(uring, *dmau_uring_result(uring), issue_flags);
#endif
}

/* Ends a command, in its task: for dmau_uring_do_in_task(). */
#if KERNEL_VERSION(6, 19, 0) > LINUX_VERSION_CODE
static inline void dmau_uring_done(struct io_uring_cmd *uring, unsigned int issue_flags)
{
	dmau_uring_end(uring, issue_flags);
}
#else
static inline void dmau_uring_done(struct io_tw_req request, io_tw_token_t token)
{
	dmau_uring_end(io_uring_cmd_from_tw(request), IO_URING_CMD_TASK_WORK_ISSUE_FLAGS);
}
#endif

/* One completion each: before 6.5 nobody could say so, and every one woke the task. */
#if KERNEL_VERSION(6, 5, 0) > LINUX_VERSION_CODE
#define dmau_uring_do_in_task	io_uring_cmd_complete_in_task
#else
#define dmau_uring_do_in_task	io_uring_cmd_do_in_task_lazy
#endif

#if KERNEL_VERSION(6, 2, 0) > LINUX_VERSION_CODE
#define dmau_devnode_const
#else
#define dmau_devnode_const		const
#endif

#if KERNEL_VERSION(6, 4, 0) > LINUX_VERSION_CODE
#define dmau_class_const
#else
#define dmau_class_const		const
#endif

/*
 * A long-term pin for reading has been reliable since 6.2.  Before, a page that is shared
 * until it is written to has to be pinned as if it was; shared mappings refuse that, and
 * have no need of it.  Private memory that is PROT_NONE is pinned, too.
 */
static inline int dmau_pin_for_reading(unsigned long addr, int npages, struct page **pages)
{
#if KERNEL_VERSION(6, 2, 0) > LINUX_VERSION_CODE
	int got = pin_user_pages_fast(addr, npages, FOLL_LONGTERM | FOLL_WRITE | FOLL_FORCE,
				      pages);

	if (got != -EFAULT)
		return got;
	/* Behind the first one another mapping may begin. */
	npages = 1;
#endif
	return pin_user_pages_fast(addr, npages, FOLL_LONGTERM, pages);
}

#if KERNEL_VERSION(6, 3, 0) > LINUX_VERSION_CODE
#define dmau_vm_flags_set(vma, flags)	((vma)->vm_flags |= (flags))
#else
#define dmau_vm_flags_set(vma, flags)	vm_flags_set(vma, flags)
#endif

#if KERNEL_VERSION(6, 8, 0) > LINUX_VERSION_CODE
#define dmau_eventfd_signal(eventfd)	eventfd_signal(eventfd, 1)
#else
#define dmau_eventfd_signal(eventfd)	eventfd_signal(eventfd)
#endif

#if KERNEL_VERSION(6, 13, 0) > LINUX_VERSION_CODE
#define DMAU_IMPORT_NS(space)		MODULE_IMPORT_NS(space)
#else
#define DMAU_IMPORT_NS(space)		MODULE_IMPORT_NS(#space)
#endif

#endif /* DMAU_COMPAT_H */
