// SPDX-License-Identifier: GPL-2.0-only
/*
 * vfio-copy: a user program has loopdma copy its memory, through VFIO.
 *
 *	vfio-copy 0000:00:03.0
 *
 * The device has to be bound to vfio-pci.  The kernel lets it reach what this program
 * maps, and nothing else: a copy to an address that is not mapped is blocked by the
 * IOMMU, and the device tells so.  What each step is for is in the kernel's
 * Documentation/driver-api/vfio.rst; registers are in loopdma's Documentation/hardware.rst.
 */
#include <endian.h>
#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include <loopdma/hw.h>

#define SIZE		(1024 * 1024)
#define RING_ORDER	1

/* Bus addresses: ours to choose, as nobody else uses this IOMMU domain. */
#define SHARED_IOVA	0x100000
#define SRC_IOVA	0x200000
#define DST_IOVA	0x400000
#define NOWHERE_IOVA	0x800000

/**
 * struct shared - what the device reads and writes beside the buffers
 * @ring: descriptors
 * @comp: completion record
 */
struct shared {
	struct loopdma_hw_desc ring[1 << RING_ORDER];
	struct loopdma_hw_comp comp __attribute__((aligned(LOOPDMA_COMP_SIZE)));
};

static volatile uint32_t *registers;

static uint32_t reg_read(uint32_t reg)
{
	return le32toh(registers[reg / 4]);
}

static void reg_write(uint32_t reg, uint32_t val)
{
	/* What is in memory goes before what the device is told of it. */
	__sync_synchronize();
	registers[reg / 4] = htole32(val);
}

/* The number of the device's IOMMU group: what is isolated together. */
static int group_of(const char *device)
{
	char path[256], target[256];
	ssize_t len;

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/iommu_group", device);
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		err(1, "%s: is there an IOMMU, and such a device? %s", device, path);
	target[len] = '\0';
	return atoi(strrchr(target, '/') + 1);
}

/* A container with the group in it.  Stores the group, which the device is got from. */
static int open_container(const char *device, int *group)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };
	int container = open("/dev/vfio/vfio", O_RDWR);
	char path[64];

	if (container < 0)
		err(1, "/dev/vfio/vfio: load vfio_iommu_type1");
	if (ioctl(container, VFIO_GET_API_VERSION) != VFIO_API_VERSION)
		errx(1, "this kernel has another VFIO");

	snprintf(path, sizeof(path), "/dev/vfio/%d", group_of(device));
	*group = open(path, O_RDWR);
	if (*group < 0)
		err(1, "%s: bind %s to vfio-pci", path, device);
	if (ioctl(*group, VFIO_GROUP_GET_STATUS, &status) ||
	    !(status.flags & VFIO_GROUP_FLAGS_VIABLE))
		errx(1, "other devices of group %s have drivers of the kernel", path);
	if (ioctl(*group, VFIO_GROUP_SET_CONTAINER, &container) ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU))
		err(1, "cannot set up the IOMMU");
	return container;
}

/* Memory that the device reaches at a bus address. */
static void *share(int container, uint64_t iova, size_t size)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | VFIO_DMA_MAP_FLAG_WRITE,
		.iova = iova,
		.size = size,
	};
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		err(1, "no memory");
	map.vaddr = (uintptr_t)mem;
	if (ioctl(container, VFIO_IOMMU_MAP_DMA, &map))
		err(1, "cannot map %zu bytes; more than RLIMIT_MEMLOCK?", size);
	return mem;
}

static void open_device(int group, const char *name)
{
	struct vfio_region_info bar = { .argsz = sizeof(bar), .index = LOOPDMA_BAR };
	struct vfio_region_info config = {
		.argsz = sizeof(config), .index = VFIO_PCI_CONFIG_REGION_INDEX,
	};
	uint16_t command = htole16(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	int device = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, name);

	if (device < 0)
		err(1, "%s: cannot be opened", name);
	if (ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &bar) ||
	    ioctl(device, VFIO_DEVICE_GET_REGION_INFO, &config))
		err(1, "%s: no registers", name);
	registers = mmap(NULL, bar.size, PROT_READ | PROT_WRITE, MAP_SHARED, device, bar.offset);
	if (registers == MAP_FAILED)
		err(1, "%s: cannot map its registers", name);
	if (pwrite(device, &command, sizeof(command), config.offset + PCI_COMMAND) !=
	    sizeof(command))
		err(1, "%s: cannot be told to do DMA", name);
	if (reg_read(LOOPDMA_ID) != LOOPDMA_ID_MAGIC)
		errx(1, "%s is no loopdma", name);
}

static void enable_channel(void)
{
	const uint64_t ring = SHARED_IOVA + offsetof(struct shared, ring);
	const uint64_t comp = SHARED_IOVA + offsetof(struct shared, comp);

	if (reg_read(LOOPDMA_MAX_LEN) < SIZE)
		errx(1, "the device takes no %d KiB at a time", SIZE / 1024);
	reg_write(LOOPDMA_CONTROL, LOOPDMA_CONTROL_RESET);
	while (reg_read(LOOPDMA_CONTROL)) {
		/* What is not there reads as all ones. */
		if (reg_read(LOOPDMA_ID) != LOOPDMA_ID_MAGIC)
			errx(1, "the device is gone");
		usleep(1000);
	}
	reg_write(LOOPDMA_CH(0, LOOPDMA_CH_RING_LO), ring);
	reg_write(LOOPDMA_CH(0, LOOPDMA_CH_RING_HI), ring >> 32);
	reg_write(LOOPDMA_CH(0, LOOPDMA_CH_RING_SIZE), RING_ORDER);
	reg_write(LOOPDMA_CH(0, LOOPDMA_CH_COMP_LO), comp);
	reg_write(LOOPDMA_CH(0, LOOPDMA_CH_COMP_HI), comp >> 32);
	reg_write(LOOPDMA_CH(0, LOOPDMA_CH_CONTROL), LOOPDMA_CH_CONTROL_ENABLE);
}

/* Has the device copy, and waits.  Returns what it says of that. */
static const struct loopdma_hw_desc *copy(struct shared *shared, uint64_t dst, uint64_t src)
{
	volatile __le32 *done = &shared->comp.done;
	uint32_t count = le32toh(*done);
	struct loopdma_hw_desc *desc = &shared->ring[count % (1 << RING_ORDER)];

	*desc = (struct loopdma_hw_desc) {
		.ctrl = htole32(LOOPDMA_OP_COPY),
		.len = htole32(SIZE),
		.src = htole64(src),
		.dst = htole64(dst),
	};
	reg_write(LOOPDMA_CH(0, LOOPDMA_CH_DOORBELL), count + 1);
	while (le32toh(*done) == count)
		if ((reg_read(LOOPDMA_CH(0, LOOPDMA_CH_STATUS)) & LOOPDMA_CH_STATUS_STATE) !=
		    LOOPDMA_STATE_RUNNING)
			errx(1, "the channel has stopped");
	/* The count goes before the status that it vouches for. */
	__sync_synchronize();
	return desc;
}

static void expect_blocked(const struct loopdma_hw_desc *desc, uint32_t status)
{
	if (le32toh(desc->status) != status)
		errx(1, "an address that is not mapped was not blocked: status %u",
		     le32toh(desc->status));
	printf("vfio-copy: 0x%" PRIx64 " is not mapped: blocked, the device says\n",
	       (uint64_t)le64toh(desc->fault_addr));
}

int main(int argc, char *argv[])
{
	const struct loopdma_hw_desc *desc;
	struct shared *shared;
	int container, group;
	unsigned char *src, *dst;
	size_t i;

	if (argc != 2) {
		fprintf(stderr, "usage: vfio-copy DEVICE, such as 0000:00:03.0\n");
		return 2;
	}
	container = open_container(argv[1], &group);
	shared = share(container, SHARED_IOVA, sysconf(_SC_PAGESIZE));
	src = share(container, SRC_IOVA, SIZE);
	dst = share(container, DST_IOVA, SIZE);
	open_device(group, argv[1]);
	enable_channel();

	for (i = 0; i < SIZE; i++)
		src[i] = i * 7 + (i >> 8);
	desc = copy(shared, DST_IOVA, SRC_IOVA);
	if (le32toh(desc->status) != LOOPDMA_ST_OK || memcmp(dst, src, SIZE))
		errx(1, "copy failed: status %u", le32toh(desc->status));
	printf("vfio-copy: %d KiB copied by the device, and verified\n", SIZE / 1024);

	expect_blocked(copy(shared, NOWHERE_IOVA, SRC_IOVA), LOOPDMA_ST_WRITE);
	expect_blocked(copy(shared, DST_IOVA, NOWHERE_IOVA), LOOPDMA_ST_READ);
	return 0;
}
