/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * loopdma: the hardware contract.
 *
 * Registers, descriptor and completion record of the loopdma virtual DMA
 * engine.  The one definition that the driver, the QEMU device and the tests
 * share; Documentation/hardware.rst is the specification in words, and says
 * who may write what, and in which order.
 *
 * Everything is little endian.  Registers are 32 bits wide and are accessed
 * with aligned 32-bit reads and writes only.  Bits and fields not defined here
 * are reserved: they read as zero and must be written as zero.
 */
#ifndef LOOPDMA_HW_H
#define LOOPDMA_HW_H

#include <linux/types.h>

/* --- PCI identity ------------------------------------------------------- */

/* From the range that QEMU's docs/specs/pci-ids.rst leaves to experiments. */
#define LOOPDMA_PCI_VENDOR_ID		0x1af4
#define LOOPDMA_PCI_DEVICE_ID		0x10f0
#define LOOPDMA_PCI_REVISION		0x01

/* The only BAR: registers, MSI-X table and pending bits.  64-bit memory. */
#define LOOPDMA_BAR			0
#define LOOPDMA_BAR_SIZE		0x10000
#define LOOPDMA_MSIX_TABLE		0x8000
#define LOOPDMA_MSIX_PBA		0xc000

/* One vector per channel at the most, and one for device events. */
#define LOOPDMA_MAX_CHANNELS		32
#define LOOPDMA_MAX_VECTORS		(LOOPDMA_MAX_CHANNELS + 1)

/* --- Device registers ---------------------------------------------------- */

#define LOOPDMA_ID			0x000	/* RO: LOOPDMA_ID_MAGIC */
#define LOOPDMA_ID_MAGIC		0x414d444cU	/* "LDMA" */

#define LOOPDMA_VERSION			0x004	/* RO */
#define LOOPDMA_VERSION_MAJOR		0xffff0000U
#define LOOPDMA_VERSION_MINOR		0x0000ffffU
#define LOOPDMA_VERSION_1_4		0x00010004U

#define LOOPDMA_CAPS			0x008	/* RO */
#define LOOPDMA_CAPS_COPY		0x00000001U	/* COPY descriptors */
#define LOOPDMA_CAPS_LOOPBACK		0x00000002U	/* TX and RX descriptors */
#define LOOPDMA_CAPS_COUNTERS		0x00000004U	/* the *_CNT_* registers */
#define LOOPDMA_CAPS_TESTCTL		0x00000008U	/* the *_TC_* registers */
#define LOOPDMA_CAPS_FILL		0x00000010U	/* FILL descriptors */
#define LOOPDMA_CAPS_XOR		0x00000020U	/* XOR, XOR_CHECK */
#define LOOPDMA_CAPS_PQ			0x00000040U	/* PQ, PQ_CHECK */
#define LOOPDMA_CAPS_PAUSE		0x00000080U	/* CH_CONTROL.PAUSE */
#define LOOPDMA_CAPS_PROGRESS		0x00000100U	/* progress, FIFO_LEVEL */
#define LOOPDMA_CAPS_PERIPH		0x00000200U	/* CH_PERIPH, RATE, FIFO_DATA */
#define LOOPDMA_CAPS_METADATA		0x00000400U	/* metadata of TX and RX */
#define LOOPDMA_CAPS_PRIORITY		0x00000800U	/* CH_PRIORITY */
#define LOOPDMA_CAPS_FAULTS		0x00001000U	/* TC_GONE, CH_TC_DELAY on */
#define LOOPDMA_CAPS_UNORDERED		0x00002000U	/* CH_CONTROL.UNORDERED */

#define LOOPDMA_TOPOLOGY		0x010	/* RO */
#define LOOPDMA_TOPOLOGY_CHANNELS	0x000000ffU	/* 1..32 */
#define LOOPDMA_TOPOLOGY_ENGINES	0x0000ff00U	/* informative */

#define LOOPDMA_RING_LIMITS		0x014	/* RO: log2 of descriptors */
#define LOOPDMA_RING_LIMITS_MIN		0x000000ffU
#define LOOPDMA_RING_LIMITS_MAX		0x0000ff00U

#define LOOPDMA_COPY_LIMITS		0x018	/* RO */
#define LOOPDMA_COPY_LIMITS_ALIGN	0x000000ffU	/* log2 of bytes */
#define LOOPDMA_COPY_LIMITS_ADDR_BITS	0x0000ff00U	/* address width */

#define LOOPDMA_MAX_LEN			0x01c	/* RO: bytes per descriptor */

#define LOOPDMA_FIFO_DEPTH		0x020	/* RO: bytes, 0 without LOOPBACK */
#define LOOPDMA_FIFO_LIMITS		0x024	/* RO */
#define LOOPDMA_FIFO_LIMITS_WIDTHS	0x000000ffU	/* bit n: 2^n bytes */
#define LOOPDMA_FIFO_LIMITS_BURST	0xffff0000U	/* elements per burst */

#define LOOPDMA_XOR_LIMITS		0x028	/* RO */
#define LOOPDMA_XOR_LIMITS_SOURCES	0x000000ffU	/* 1..16, or 0 */

#define LOOPDMA_CONTROL			0x040	/* RW */
#define LOOPDMA_CONTROL_RESET		0x00000001U	/* reads 1 until done */

#define LOOPDMA_INT_STATUS		0x048	/* RW1C: bit per channel, INTx */

#define LOOPDMA_EVENT			0x04c	/* RW1C */
#define LOOPDMA_EVENT_CHANNEL_ERROR	0x00000001U	/* see CHANNEL_ERRORS */
#define LOOPDMA_EVENT_RAISED		0x00000002U	/* RAISE under INTx */

#define LOOPDMA_EVENT_VECTOR		0x050	/* RW: vector of EVENT */
#define LOOPDMA_CHANNEL_ERRORS		0x054	/* RO: bit per channel */
#define LOOPDMA_RAISE			0x058	/* WO: raise this vector now */

#define LOOPDMA_CNT_MMIO_READS		0x060	/* RO, CAPS_COUNTERS */
#define LOOPDMA_CNT_INTERRUPTS		0x064	/* RO, CAPS_COUNTERS */

#define LOOPDMA_TC_GONE			0x068	/* WO, CAPS_FAULTS */
#define LOOPDMA_TC_GONE_MAGIC		0x454e4f47U	/* "GONE" */

/* --- Channel registers --------------------------------------------------- */

#define LOOPDMA_CH_BASE			0x1000
#define LOOPDMA_CH_STRIDE		0x100
#define LOOPDMA_CH(n, reg)		\
	(LOOPDMA_CH_BASE + (n) * LOOPDMA_CH_STRIDE + (reg))

#define LOOPDMA_CH_CAPS			0x00	/* RO */
#define LOOPDMA_CH_CAPS_COPY		0x00000001U
#define LOOPDMA_CH_CAPS_TX		0x00000002U
#define LOOPDMA_CH_CAPS_RX		0x00000004U
#define LOOPDMA_CH_CAPS_FILL		0x00000008U
#define LOOPDMA_CH_CAPS_XOR		0x00000010U
#define LOOPDMA_CH_CAPS_PQ		0x00000020U

#define LOOPDMA_CH_CONTROL		0x04	/* RW */
#define LOOPDMA_CH_CONTROL_ENABLE	0x00000001U
#define LOOPDMA_CH_CONTROL_RESET	0x00000002U	/* reads 1 until done */
#define LOOPDMA_CH_CONTROL_PAUSE	0x00000004U	/* CAPS_PAUSE */
#define LOOPDMA_CH_CONTROL_UNORDERED	0x00000008U	/* CAPS_UNORDERED */

#define LOOPDMA_CH_STATUS		0x08	/* RO */
#define LOOPDMA_CH_STATUS_STATE		0x000000ffU	/* enum loopdma_hw_state */
#define LOOPDMA_CH_STATUS_ERROR		0x0000ff00U	/* enum loopdma_hw_chan_error */
#define LOOPDMA_CH_STATUS_PAUSED	0x00010000U	/* RUNNING, moves nothing */

#define LOOPDMA_CH_DOORBELL		0x0c	/* WO: producer count */
#define LOOPDMA_CH_RING_LO		0x10	/* RW while disabled */
#define LOOPDMA_CH_RING_HI		0x14	/* RW while disabled */
#define LOOPDMA_CH_RING_SIZE		0x18	/* RW while disabled: log2 */
#define LOOPDMA_CH_VECTOR		0x1c	/* RW while disabled */
#define LOOPDMA_CH_COMP_LO		0x20	/* RW while disabled */
#define LOOPDMA_CH_COMP_HI		0x24	/* RW while disabled */
#define LOOPDMA_CH_ABORT		0x28	/* WO: abort below this count */
#define LOOPDMA_CH_FIFO_LEVEL		0x2c	/* RO, CAPS_PROGRESS: bytes */
#define LOOPDMA_CH_FIFO_DATA		0x30	/* RW, CAPS_PERIPH: 4 bytes */

#define LOOPDMA_CH_PERIPH		0x34	/* RW, CAPS_PERIPH */
#define LOOPDMA_CH_PERIPH_PATTERN	0x00000001U	/* else loopback */
#define LOOPDMA_CH_PERIPH_SEED		0x0000ff00U	/* of the pattern */

#define LOOPDMA_CH_RATE			0x38	/* RW, CAPS_PERIPH: bytes/s, 0: any */

#define LOOPDMA_CH_PRIORITY		0x3c	/* RW, CAPS_PRIORITY */
#define LOOPDMA_CH_PRIORITY_CLASS	0x00000003U	/* 3: first */

#define LOOPDMA_CH_CNT_DOORBELLS	0x40	/* RO, CAPS_COUNTERS */
#define LOOPDMA_CH_CNT_DESCRIPTORS	0x44	/* RO, CAPS_COUNTERS */
#define LOOPDMA_CH_CNT_BYTES_LO		0x48	/* RO, CAPS_COUNTERS */
#define LOOPDMA_CH_CNT_BYTES_HI		0x4c	/* RO, CAPS_COUNTERS */
#define LOOPDMA_CH_CNT_INTERRUPTS	0x50	/* RO, CAPS_COUNTERS */

#define LOOPDMA_CH_TC_HOLD		0x80	/* RW, CAPS_TESTCTL: 0 or 1 */
#define LOOPDMA_CH_TC_STEP		0x84	/* WO, CAPS_TESTCTL: descriptors */
#define LOOPDMA_CH_TC_FAIL		0x88	/* RW, CAPS_TESTCTL */
#define LOOPDMA_CH_TC_FAIL_AFTER	0x0000ffffU	/* 1: next, 0: off */
#define LOOPDMA_CH_TC_FAIL_STATUS	0x00ff0000U	/* enum loopdma_hw_status */
#define LOOPDMA_CH_TC_FAIL_BYTES	0x8c	/* RW, CAPS_TESTCTL: moved first */
#define LOOPDMA_CH_TC_DROP_IRQ		0x90	/* RW, CAPS_TESTCTL: how many */
#define LOOPDMA_CH_TC_LIE		0x94	/* RW, CAPS_TESTCTL: added to done once */

#define LOOPDMA_CH_TC_DELAY		0x98	/* RW, CAPS_FAULTS: microseconds */
#define LOOPDMA_CH_TC_DELAY_MAX		10000000
#define LOOPDMA_CH_TC_REORDER		0x9c	/* RW, CAPS_FAULTS: window */
#define LOOPDMA_CH_TC_REORDER_MAX	64
#define LOOPDMA_CH_TC_SPURIOUS		0xa0	/* RW, CAPS_FAULTS: how many */
#define LOOPDMA_CH_TC_SPURIOUS_NOW	0x80000000U	/* WO: and one now */
#define LOOPDMA_CH_TC_EARLY		0xa4	/* RW, CAPS_FAULTS: how many */
#define LOOPDMA_CH_TC_STUCK		0xa8	/* RW, CAPS_FAULTS: enum loopdma_hw_stuck */
#define LOOPDMA_CH_TC_ADDR_BITS		0xac	/* RW, CAPS_FAULTS: 0: off */
#define LOOPDMA_CH_TC_ADDR_BITS_MAX	64

/**
 * enum loopdma_hw_state - states of a channel, CH_STATUS.STATE
 * @LOOPDMA_STATE_DISABLED: owns no memory; configuration may be written
 * @LOOPDMA_STATE_RUNNING: executes descriptors as the doorbell reveals them
 * @LOOPDMA_STATE_STOPPING: told to stop, may still touch memory
 * @LOOPDMA_STATE_ERROR: stopped by itself, touches no memory any more;
 *	CH_STATUS.ERROR says why; left by CONTROL.ENABLE = 0 or a reset
 */
enum loopdma_hw_state {
	LOOPDMA_STATE_DISABLED	= 0,
	LOOPDMA_STATE_RUNNING	= 1,
	LOOPDMA_STATE_STOPPING	= 2,
	LOOPDMA_STATE_ERROR	= 3,
};

/**
 * enum loopdma_hw_chan_error - why a channel stopped, CH_STATUS.ERROR
 * @LOOPDMA_CHERR_NONE: it did not
 * @LOOPDMA_CHERR_CONFIG: enabled with an unusable ring or completion record
 * @LOOPDMA_CHERR_DOORBELL: doorbell value backwards or beyond the ring
 * @LOOPDMA_CHERR_FETCH: a descriptor could not be read
 * @LOOPDMA_CHERR_WRITEBACK: a status or the completion record could not be
 *	written
 * @LOOPDMA_CHERR_ABORT: abort value not between the completed and the
 *	produced count
 */
enum loopdma_hw_chan_error {
	LOOPDMA_CHERR_NONE	= 0,
	LOOPDMA_CHERR_CONFIG	= 1,
	LOOPDMA_CHERR_DOORBELL	= 2,
	LOOPDMA_CHERR_FETCH	= 3,
	LOOPDMA_CHERR_WRITEBACK	= 4,
	LOOPDMA_CHERR_ABORT	= 5,
};

/**
 * enum loopdma_hw_stuck - what a channel does not do any more, CH_TC_STUCK
 * @LOOPDMA_STUCK_NOT: nothing; what waited goes on, or ends
 * @LOOPDMA_STUCK_WORK: it executes nothing, CH_ABORT has no effect
 * @LOOPDMA_STUCK_STOP: nor is it DISABLED by CH_CONTROL.ENABLE = 0, it remains
 *	STOPPING
 * @LOOPDMA_STUCK_RESET: nor does CH_CONTROL.RESET end
 * @LOOPDMA_STUCK_DEVICE: nor does CONTROL.RESET, only a reset of the function
 *	or of the bus helps
 *
 * It touches no memory in any case.
 */
enum loopdma_hw_stuck {
	LOOPDMA_STUCK_NOT	= 0,
	LOOPDMA_STUCK_WORK	= 1,
	LOOPDMA_STUCK_STOP	= 2,
	LOOPDMA_STUCK_RESET	= 3,
	LOOPDMA_STUCK_DEVICE	= 4,
};

/* --- Descriptor ---------------------------------------------------------- */

#define LOOPDMA_DESC_SIZE		64
#define LOOPDMA_META_SIZE		16

/* struct loopdma_hw_desc.ctrl */
#define LOOPDMA_CTRL_OPCODE		0x000000ffU	/* enum loopdma_hw_opcode */
#define LOOPDMA_CTRL_INT		0x00000100U	/* interrupt when retired */
#define LOOPDMA_CTRL_CHAIN		0x00000200U	/* transaction goes on */

/* struct loopdma_hw_desc.arg */
#define LOOPDMA_ARG_BYTE		0x000000ffU	/* FILL */
#define LOOPDMA_ARG_META_LEN		0x0000001fU	/* TX: 0..16 bytes of meta */
#define LOOPDMA_ARG_META		0x00000020U	/* RX: meta is wanted */
#define LOOPDMA_ARG_SOURCES		0x000000ffU	/* XOR and PQ kinds */
#define LOOPDMA_ARG_NO_P		0x00000100U	/* PQ kinds: no P */
#define LOOPDMA_ARG_NO_Q		0x00000200U	/* PQ kinds: no Q */
#define LOOPDMA_ARG_CONTINUE		0x00000400U	/* PQ: P and Q go on */

/* struct loopdma_hw_desc.status */
#define LOOPDMA_STATUS_CODE		0x000000ffU	/* enum loopdma_hw_status */
#define LOOPDMA_STATUS_P_WRONG		0x00000100U	/* found by a check */
#define LOOPDMA_STATUS_Q_WRONG		0x00000200U	/* found by a check */
#define LOOPDMA_STATUS_META_LEN		0x001f0000U	/* RX: bytes of meta */

/* struct loopdma_hw_desc.periph, TX and RX only */
#define LOOPDMA_PERIPH_WIDTH		0x0000000fU	/* log2 of bytes */
#define LOOPDMA_PERIPH_BURST		0xffff0000U	/* elements, 0 is 1 */

/**
 * enum loopdma_hw_opcode - what a descriptor asks for
 * @LOOPDMA_OP_INVALID: zeroed memory is not a descriptor
 * @LOOPDMA_OP_NOP: moves nothing, retires in order
 * @LOOPDMA_OP_COPY: memory at src to memory at dst
 * @LOOPDMA_OP_TX: memory at src to the channel's peer's receive FIFO
 * @LOOPDMA_OP_RX: the channel's receive FIFO to memory at dst
 * @LOOPDMA_OP_FILL: memory at dst is filled with a byte
 * @LOOPDMA_OP_XOR: dst becomes the exclusive or of the sources
 * @LOOPDMA_OP_XOR_CHECK: is the exclusive or of the sources zero?
 * @LOOPDMA_OP_PQ: dst becomes P, dst2 becomes Q of the sources
 * @LOOPDMA_OP_PQ_CHECK: is dst P, is dst2 Q of the sources?
 */
enum loopdma_hw_opcode {
	LOOPDMA_OP_INVALID	= 0,
	LOOPDMA_OP_NOP		= 1,
	LOOPDMA_OP_COPY		= 2,
	LOOPDMA_OP_TX		= 3,
	LOOPDMA_OP_RX		= 4,
	LOOPDMA_OP_FILL		= 5,
	LOOPDMA_OP_XOR		= 6,
	LOOPDMA_OP_XOR_CHECK	= 7,
	LOOPDMA_OP_PQ		= 8,
	LOOPDMA_OP_PQ_CHECK	= 9,
};

/**
 * enum loopdma_hw_status - outcome of one descriptor, status.CODE
 * @LOOPDMA_ST_PENDING: what the driver writes; the device never does
 * @LOOPDMA_ST_OK: executed in full
 * @LOOPDMA_ST_OPCODE: opcode unknown, or not in the channel's capabilities
 * @LOOPDMA_ST_RESERVED: a reserved bit or field is not zero
 * @LOOPDMA_ST_LENGTH: zero, above MAX_LEN, or no multiple of the element
 * @LOOPDMA_ST_ALIGN: src or dst not aligned as COPY_LIMITS or the element
 *	width asks
 * @LOOPDMA_ST_READ: memory at fault_addr could not be read
 * @LOOPDMA_ST_WRITE: memory at fault_addr could not be written
 * @LOOPDMA_ST_PERIPH: element width or burst not in FIFO_LIMITS, or a burst
 *	above FIFO_DEPTH
 * @LOOPDMA_ST_ABORTED: retired by CH_ABORT before it was complete
 * @LOOPDMA_ST_SKIPPED: not executed, an earlier descriptor of its chain failed
 * @LOOPDMA_ST_ARG: number of sources zero or above XOR_LIMITS, or neither P
 *	nor Q wanted; META_LEN above 16
 * @LOOPDMA_ST_DATA: the pattern sink was sent a byte that is not the pattern's
 */
enum loopdma_hw_status {
	LOOPDMA_ST_PENDING	= 0,
	LOOPDMA_ST_OK		= 1,
	LOOPDMA_ST_OPCODE	= 2,
	LOOPDMA_ST_RESERVED	= 3,
	LOOPDMA_ST_LENGTH	= 4,
	LOOPDMA_ST_ALIGN	= 5,
	LOOPDMA_ST_READ		= 6,
	LOOPDMA_ST_WRITE	= 7,
	LOOPDMA_ST_PERIPH	= 8,
	LOOPDMA_ST_ABORTED	= 9,
	LOOPDMA_ST_SKIPPED	= 10,
	LOOPDMA_ST_ARG		= 11,
	LOOPDMA_ST_DATA		= 12,
};

/**
 * struct loopdma_hw_desc - one ring entry
 * @ctrl: LOOPDMA_CTRL_*
 * @len: bytes to move; of the XOR and PQ kinds, bytes of each buffer; zero for
 *	NOP
 * @src: bus address read from; of the XOR and PQ kinds, that of a struct
 *	loopdma_hw_sources; zero if the opcode does not read memory
 * @dst: bus address written to, or P to be checked; zero if there is none
 * @periph: LOOPDMA_PERIPH_*; zero but for TX and RX
 * @arg: LOOPDMA_ARG_*; zero for NOP and COPY
 * @dst2: bus address of Q; zero but for the PQ kinds
 * @src_off: bytes from the addresses in the source list to where this
 *	descriptor begins; zero but for the XOR and PQ kinds
 * @meta: metadata (shares the space of @dst2 and @src_off): of a TX with
 *	META_LEN what goes with its last byte; of an RX with META written by
 *	the device
 * @status: LOOPDMA_STATUS_*; written by the device
 * @residue: bytes of @len that were not moved; written by the device
 * @fault_addr: bus address of a READ or WRITE error, else zero; written by
 *	the device
 *
 * The driver owns the entry until the doorbell passes it, the device from
 * then on until the completion record's done count passes it.  The buffers are
 * the driver's again when the count passes it, or in an unordered channel when
 * it has a status.
 */
struct loopdma_hw_desc {
	__le32 ctrl;
	__le32 len;
	__le64 src;
	__le64 dst;
	__le32 periph;
	__le32 arg;
	union {
		struct {
			__le64 dst2;
			__le64 src_off;
		};
		__u8 meta[LOOPDMA_META_SIZE];
	};
	__le32 status;
	__le32 residue;
	__le64 fault_addr;
};

/* --- Pattern -------------------------------------------------------------- */

/**
 * loopdma_hw_pattern() - byte of the pattern that a peripheral sends and expects
 * @seed: LOOPDMA_CH_PERIPH_SEED
 * @pos: bytes of the pattern before it
 *
 * Return: the byte; the pattern begins anew after 2^32 of them.
 */
static inline __u8 loopdma_hw_pattern(__u8 seed, __u32 pos)
{
	return seed + pos + (pos >> 8) + (pos >> 16) + (pos >> 24);
}

/* --- Source list ---------------------------------------------------------- */

#define LOOPDMA_MAX_SOURCES		16
#define LOOPDMA_SOURCES_SIZE		192
#define LOOPDMA_SOURCES_ALIGN		64

/**
 * struct loopdma_hw_sources - what an XOR or PQ descriptor reads
 * @addr: bus addresses, as many as LOOPDMA_ARG_SOURCES says
 * @coef: coefficient of each in Q, an element of GF(2^8); not looked at by XOR
 * @rsvd: zero; not looked at
 *
 * Owned as the descriptor that points to it.
 */
struct loopdma_hw_sources {
	__le64 addr[LOOPDMA_MAX_SOURCES];
	__u8 coef[LOOPDMA_MAX_SOURCES];
	__u8 rsvd[48];
};

/* --- Completion record --------------------------------------------------- */

#define LOOPDMA_COMP_SIZE		128	/* and its alignment */

#define LOOPDMA_PROGRESS_COUNT		0xffffffff00000000ULL
#define LOOPDMA_PROGRESS_BYTES		0x00000000ffffffffULL

/**
 * struct loopdma_hw_comp - completion record of a channel, in memory
 * @done: descriptors retired since the channel was enabled, modulo 2^32;
 *	written by the device only
 * @rsvd0: zero
 * @progress: LOOPDMA_PROGRESS_*: how far the descriptor with this count has
 *	got; written by the device only, with CAPS_PROGRESS
 * @rsvd1: zero
 * @arm: any change allows the channel to interrupt once more; written by the
 *	driver only
 * @rsvd2: zero
 *
 * Two cache lines, one for each writer.
 */
struct loopdma_hw_comp {
	__le32 done;
	__le32 rsvd0;
	__le64 progress;
	__le32 rsvd1[12];
	__le32 arm;
	__le32 rsvd2[15];
};

#endif /* LOOPDMA_HW_H */
