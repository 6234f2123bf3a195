// SPDX-License-Identifier: GPL-2.0-only
/*
 * kexec: has this kernel make way for another, without firmware in between.
 *
 * usage: kexec KERNEL INITRAMFS CMDLINE
 *
 * For a job of a test guest, so it needs no libraries.  What runs goes on running, and
 * devices are at work, until the kernel shuts them down.
 */
#include <fcntl.h>
#include <linux/reboot.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_or_tell(const char *path)
{
	int fd = open(path, O_RDONLY);

	if (fd < 0)
		perror(path);
	return fd;
}

int main(int argc, char **argv)
{
	int image, initrd;

	if (argc != 4) {
		fprintf(stderr, "usage: kexec KERNEL INITRAMFS CMDLINE\n");
		return 2;
	}
	image = open_or_tell(argv[1]);
	initrd = open_or_tell(argv[2]);
	if (image < 0 || initrd < 0)
		return 1;
	if (syscall(SYS_kexec_file_load, image, initrd, strlen(argv[3]) + 1,
		    argv[3], 0)) {
		perror("kexec_file_load");
		return 1;
	}
	syscall(SYS_reboot, LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2,
		LINUX_REBOOT_CMD_KEXEC, NULL);
	perror("reboot");
	return 1;
}
