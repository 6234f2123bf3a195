// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: a driver for the VFIO selftests of Linux, tools/testing/selftests/vfio
 *
 * The tests need a device that copies memory and raises an interrupt when it is told
 * to.  This file belongs into lib/drivers/loopdma/ there, beside hw.h of loopdma.
 *
 * One channel, a ring that all copies of a call fit into, and a completion record.  No
 * descriptor asks for an interrupt; RAISE sends the one of send_msi().
 */
#include <endian.h>
#include <stdint.h>
#include <unistd.h>

#include <linux/bits.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/sizes.h>
#include <linux/types.h>

#include <libvfio.h>

#include "hw.h"

#define LOOPDMA_RING_ORDER	12
#define LOOPDMA_RING_ENTRIES	BIT(LOOPDMA_RING_ORDER)

/* Enough to show that a copy is split, and little for a guest that is emulated. */
#define LOOPDMA_COPY_MAX	SZ_1M

/* The message of send_msi(); the device's own events have another, if there is one. */
#define LOOPDMA_MSI		0

/* A reset takes as long as the copy of a chunk. */
#define LOOPDMA_RESET_MS	5000

/**
 * struct loopdma_state - what the device reads and writes
 * @ring: descriptors
 * @comp: completion record
 * @head: descriptors that the doorbell has told of; the device does not read it
 * @begun: as many as there were before the last memcpy_start()
 */
struct loopdma_state {
	struct loopdma_hw_desc ring[LOOPDMA_RING_ENTRIES];
	struct loopdma_hw_comp comp __attribute__((aligned(LOOPDMA_COMP_SIZE)));
	u32 head;
	u32 begun;
};

static struct loopdma_state *to_loopdma(struct vfio_pci_device *device)
{
	return device->driver.region.vaddr;
}

static u32 loopdma_read(struct vfio_pci_device *device, u32 reg)
{
	return readl(device->bars[LOOPDMA_BAR].vaddr + reg);
}

static void loopdma_write(struct vfio_pci_device *device, u32 reg, u32 val)
{
	writel(val, device->bars[LOOPDMA_BAR].vaddr + reg);
}

static int loopdma_probe(struct vfio_pci_device *device)
{
	u32 version;

	if (!vfio_pci_device_match(device, LOOPDMA_PCI_VENDOR_ID,
				   LOOPDMA_PCI_DEVICE_ID))
		return -EINVAL;

	VFIO_ASSERT_NOT_NULL(device->bars[LOOPDMA_BAR].vaddr);
	if (loopdma_read(device, LOOPDMA_ID) != LOOPDMA_ID_MAGIC)
		return -EINVAL;

	version = loopdma_read(device, LOOPDMA_VERSION);
	if ((version & LOOPDMA_VERSION_MAJOR) !=
	    (LOOPDMA_VERSION_1_4 & LOOPDMA_VERSION_MAJOR)) {
		dev_err(device, "loopdma: unsupported version: 0x%x\n", version);
		return -EINVAL;
	}
	if (!(loopdma_read(device, LOOPDMA_CAPS) & LOOPDMA_CAPS_COPY)) {
		dev_err(device, "loopdma: the device does not copy memory\n");
		return -EINVAL;
	}
	if (!device->msix_info.count) {
		dev_err(device, "loopdma: the device has no MSI-X: give it irq-mode=auto\n");
		return -EINVAL;
	}
	return 0;
}

static void loopdma_reset(struct vfio_pci_device *device)
{
	int left = LOOPDMA_RESET_MS;

	loopdma_write(device, LOOPDMA_CONTROL, LOOPDMA_CONTROL_RESET);
	while (loopdma_read(device, LOOPDMA_CONTROL) & LOOPDMA_CONTROL_RESET) {
		VFIO_ASSERT_GT(left--, 0);
		usleep(1000);
	}
}

/* The channel, with a ring that is empty. */
static void loopdma_enable(struct vfio_pci_device *device)
{
	struct loopdma_state *ldma = to_loopdma(device);
	iova_t ring = to_iova(device, ldma->ring);
	iova_t comp = to_iova(device, &ldma->comp);

	memset(ldma, 0, sizeof(*ldma));
	loopdma_write(device, LOOPDMA_EVENT_VECTOR, device->msix_info.count - 1);
	loopdma_write(device, LOOPDMA_CH(0, LOOPDMA_CH_RING_LO), ring);
	loopdma_write(device, LOOPDMA_CH(0, LOOPDMA_CH_RING_HI), ring >> 32);
	loopdma_write(device, LOOPDMA_CH(0, LOOPDMA_CH_RING_SIZE), LOOPDMA_RING_ORDER);
	loopdma_write(device, LOOPDMA_CH(0, LOOPDMA_CH_COMP_LO), comp);
	loopdma_write(device, LOOPDMA_CH(0, LOOPDMA_CH_COMP_HI), comp >> 32);
	loopdma_write(device, LOOPDMA_CH(0, LOOPDMA_CH_CONTROL), LOOPDMA_CH_CONTROL_ENABLE);
	VFIO_ASSERT_EQ(loopdma_read(device, LOOPDMA_CH(0, LOOPDMA_CH_STATUS)) &
		       LOOPDMA_CH_STATUS_STATE, LOOPDMA_STATE_RUNNING);
}

static void loopdma_init(struct vfio_pci_device *device)
{
	u32 align = loopdma_read(device, LOOPDMA_COPY_LIMITS) & LOOPDMA_COPY_LIMITS_ALIGN;

	VFIO_ASSERT_GE(device->driver.region.size, sizeof(struct loopdma_state));

	vfio_pci_cmd_set(device, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
				 PCI_COMMAND_INTX_DISABLE);
	loopdma_reset(device);
	vfio_pci_msix_enable(device, 0, device->msix_info.count);
	loopdma_enable(device);

	device->driver.msi = LOOPDMA_MSI;
	/* Where one copy ends the next one begins, which has to be aligned. */
	device->driver.max_memcpy_size =
		min_t(u64, loopdma_read(device, LOOPDMA_MAX_LEN), LOOPDMA_COPY_MAX) >> align << align;
	device->driver.max_memcpy_count = LOOPDMA_RING_ENTRIES;
}

static void loopdma_remove(struct vfio_pci_device *device)
{
	loopdma_reset(device);
	vfio_pci_msix_disable(device);
}

static void loopdma_memcpy_start(struct vfio_pci_device *device, iova_t src,
				 iova_t dst, u64 size, u64 count)
{
	struct loopdma_state *ldma = to_loopdma(device);
	const struct loopdma_hw_desc desc = {
		.ctrl = htole32(LOOPDMA_OP_COPY),
		.len = htole32(size),
		.src = htole64(src),
		.dst = htole64(dst),
	};

	ldma->begun = ldma->head;
	while (count--)
		ldma->ring[ldma->head++ % LOOPDMA_RING_ENTRIES] = desc;
	/* The register write orders the descriptors before itself. */
	loopdma_write(device, LOOPDMA_CH(0, LOOPDMA_CH_DOORBELL), ldma->head);
}

/* A channel stops by itself if it cannot read its ring or write its completion record. */
static bool loopdma_stopped(struct vfio_pci_device *device)
{
	u32 status = loopdma_read(device, LOOPDMA_CH(0, LOOPDMA_CH_STATUS));

	if ((status & LOOPDMA_CH_STATUS_STATE) == LOOPDMA_STATE_RUNNING)
		return false;
	dev_err(device, "loopdma: the channel has stopped: 0x%x\n", status);
	return true;
}

static int loopdma_memcpy_wait(struct vfio_pci_device *device)
{
	struct loopdma_state *ldma = to_loopdma(device);
	const volatile u32 *done = (const volatile u32 *)&ldma->comp.done;
	const struct loopdma_hw_desc *desc;
	u32 i;

	while (le32toh(*done) != ldma->head) {
		if (loopdma_stopped(device)) {
			loopdma_reset(device);
			loopdma_enable(device);
			return -1;
		}
	}
	/* Reads the count before the statuses that it vouches for. */
	rmb();

	for (i = ldma->begun; i != ldma->head; i++) {
		desc = &ldma->ring[i % LOOPDMA_RING_ENTRIES];
		if (le32toh(desc->status) == LOOPDMA_ST_OK)
			continue;
		dev_err(device, "loopdma: copy %u: status %u, address 0x%lx\n",
			i - ldma->begun, le32toh(desc->status),
			(unsigned long)le64toh(desc->fault_addr));
		return -1;
	}
	return 0;
}

static void loopdma_send_msi(struct vfio_pci_device *device)
{
	loopdma_write(device, LOOPDMA_RAISE, LOOPDMA_MSI);
}

const struct vfio_pci_driver_ops loopdma_ops = {
	.name = "loopdma",
	.probe = loopdma_probe,
	.init = loopdma_init,
	.remove = loopdma_remove,
	.memcpy_start = loopdma_memcpy_start,
	.memcpy_wait = loopdma_memcpy_wait,
	.send_msi = loopdma_send_msi,
};
