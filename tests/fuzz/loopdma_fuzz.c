/*
 * loopdma: a fuzz target that knows rings and descriptors
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 *
 * QEMU's generic target drives any device with any bytes.  It takes long to
 * come upon a ring that the device accepts, and forks for each input, which
 * engines do not survive.  Here an input is a list of what a driver does, right
 * or wrong: set up a channel, write a descriptor, ring, abort, pause, unmap,
 * stop the machine.  Every value may be any, but those that get far are likely.
 *
 * All inputs run in one process.  After each the device is reset, and must then
 * be as new, hold no memory, and work.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/lockable.h"
#include "qemu/rcu.h"
#include "io/channel-buffer.h"
#include "migration/qemu-file.h"
#include "tests/qtest/libqtest.h"
#include "fuzz.h"
#include "hw/misc/loopdma/loopdma-dev.h"

/* Where the function is, and its BAR. */
#define SLOT 4
#define BAR 0xe0000000U

/* Those with a peer, and one without. */
#define CHANNELS 5

/*
 * Memory: for each channel a ring of 64 entries at the most, then completion
 * records and source lists, and behind them what is copied to and fro.
 */
#define RAM_SIZE (64 * MiB)
#define AREA (16 * MiB)
#define RING_LOG2_MAX 6
#define RING_SPACE (LOOPDMA_DESC_SIZE << RING_LOG2_MAX)
#define COMPS (AREA + 32 * KiB)
#define LISTS (AREA + 48 * KiB)
#define NLISTS 8
#define DATA (AREA + 64 * KiB)
#define MAPPED (8 * MiB)

/* What is the same at the beginning of each input. */
#define FRESH (96 * KiB)

/* Tables of the IOMMU, of which a page maps 2 MiB. */
#define TABLES (8 * MiB)
#define PAGE (4 * KiB)
#define NLEAVES (MAPPED / (2 * MiB))

/* Registers of the IOMMU, those that are needed. */
#define VTD 0xfed90000U
#define VTD_GCMD (VTD + 0x18)
#define VTD_RTADDR (VTD + 0x20)
#define VTD_CCMD (VTD + 0x28)
#define VTD_IVA (VTD + 0xf0)
#define VTD_IOTLB (VTD + 0xf8)

/* No input is worth more operations. */
#define MAX_STEPS 256

/* Former views of memory that are no burden yet. */
#define REMAPS 128

/* How long engines are waited for, in all and for a copy that must be done. */
#define PATIENCE_NS (200 * SCALE_US)
#define HANG_NS (20 * NANOSECONDS_PER_SECOND)

typedef struct Config {
    const char *name;
    const char *description;
    const char *properties;
    bool iommu;
} Config;

/* What is left of an input. */
typedef struct Input {
    const uint8_t *data;
    size_t left;
} Input;

static QTestState *qts;
static LoopdmaState *s;
static const Config *config;

/* Of each channel, the descriptors posted, the last, and the ring's size. */
static uint32_t head[CHANNELS];
static struct loopdma_hw_desc last_desc[CHANNELS];
static uint8_t ring_log2[CHANNELS];

/* The device as it is before the first input. */
static QIOChannelBuffer *fresh;

/* The input has changed what only a reset of the function brings back. */
static bool function_dirty;

/* The function's address space is, or was, another in this input. */
static bool remapped;

/* --- The input ----------------------------------------------------------- */

static uint64_t get(Input *in, size_t size)
{
    uint64_t val = 0;
    size_t n = MIN(size, in->left);

    memcpy(&val, in->data, n);
    in->data += n;
    in->left -= n;
    return le64_to_cpu(val);
}

static uint8_t get8(Input *in)
{
    return get(in, 1);
}

static uint16_t get16(Input *in)
{
    return get(in, 2);
}

static uint32_t get_value(Input *in)
{
    uint8_t kind = get8(in);

    switch (kind & 3) {
    case 0:
        return kind >> 2;
    case 1:
        return get8(in);
    case 2:
        return 1U << (kind >> 3);
    default:
        return get(in, 4);
    }
}

static uint32_t get_len(Input *in)
{
    uint8_t kind = get8(in);

    switch (kind & 3) {
    case 0:
        return (kind >> 2) << 2;
    case 1:
        return get16(in);
    case 2:
        return get8(in) << (kind >> 2 & 15);
    default:
        return get(in, 4);
    }
}

/* Most are where memory is, some at an edge of it, some just anything. */
static uint64_t get_address(Input *in)
{
    uint8_t kind = get8(in);

    switch (kind & 7) {
    default:
        return DATA + ((uint64_t)get16(in) << (kind >> 3 & 7));
    case 4:
        return RAM_SIZE - get16(in);
    case 5:
        return AREA + get16(in);
    case 6:
        return BAR + get16(in);
    case 7:
        return get(in, 8);
    }
}

static unsigned get_channel(Input *in)
{
    uint8_t n = get8(in);

    /* Most for one pair, which so comes to do more. */
    return n & 1 ? n >> 1 & 1 : (n >> 1) % CHANNELS;
}

/* The registers of a channel, or of the first that there is not. */
static unsigned get_any_channel(Input *in)
{
    return get8(in) % (CHANNELS + 1);
}

/* --- The machine --------------------------------------------------------- */

static void flush(void)
{
    flush_events(qts);
}

static uint32_t ch_reg(unsigned ch, uint32_t reg)
{
    return BAR + LOOPDMA_CH(ch, reg);
}

static uint32_t get_reg(unsigned ch, uint32_t reg)
{
    return qtest_readl(qts, ch_reg(ch, reg));
}

static void set_reg(unsigned ch, uint32_t reg, uint32_t val)
{
    qtest_writel(qts, ch_reg(ch, reg), val);
}

static uint64_t ring_of(unsigned ch)
{
    return AREA + ch * RING_SPACE;
}

static uint64_t comp_of(unsigned ch)
{
    return COMPS + ch * LOOPDMA_COMP_SIZE;
}

static void set_config(unsigned at, uint32_t val, unsigned size)
{
    qtest_outl(qts, 0xcf8, 1U << 31 | SLOT << 11 | (at & 0xfc));
    switch (size) {
    case 1:
        qtest_outb(qts, 0xcfc + (at & 3), val);
        break;
    case 2:
        qtest_outw(qts, 0xcfc + (at & 2), val);
        break;
    default:
        qtest_outl(qts, 0xcfc, val);
    }
}

/* What firmware and the driver's probe do. */
static void setup_function(void)
{
    set_config(PCI_BASE_ADDRESS_0, BAR, 4);
    set_config(PCI_BASE_ADDRESS_1, 0, 4);
    set_config(PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
}

static void dirty_function(void)
{
    function_dirty = true;
    remapped = true;
}

/* Not qtest_memset(), which leaks as much in a fuzzer. */
static void clear(uint64_t addr, size_t n)
{
    static const uint8_t zeroes[FRESH];

    qtest_memwrite(qts, addr, zeroes, n);
}

static void write64(uint64_t addr, uint64_t val)
{
    val = cpu_to_le64(val);
    qtest_memwrite(qts, addr, &val, sizeof(val));
}

static bool idle(void)
{
    unsigned i;

    QEMU_LOCK_GUARD(&s->sched.lock);
    for (i = 0; i < s->sched.channels; i++) {
        if (s->sched.ch[i].owner != LOOPDMA_OWNER_NONE) {
            return false;
        }
    }
    return true;
}

static bool unsent(void)
{
    QEMU_LOCK_GUARD(&s->sched.lock);
    return s->irq.pending || s->irq.event_pending;
}

/* Let the device do what it can, but for what waits for the clock. */
static void run(void)
{
    int64_t end = get_clock() + PATIENCE_NS;

    do {
        flush();
        if (unsent()) {
            /* Let the thread that sends interrupts have the BQL. */
            bql_unlock();
            sched_yield();
            bql_lock();
        }
    } while (!idle() && get_clock() < end);
}

/* --- The IOMMU ----------------------------------------------------------- */

static uint64_t table(unsigned n)
{
    return TABLES + n * PAGE;
}

/* The address of what maps a page. */
static uint64_t leaf(unsigned page)
{
    return table(4) + page % (MAPPED / PAGE) * sizeof(uint64_t);
}

static void invalidate(uint64_t what)
{
    qtest_writeq(qts, VTD_IOTLB, 1ULL << 63 | what);
}

/* One domain, in which bus addresses are those of memory, as far as it goes. */
static void map_all(void)
{
    static uint64_t leaves[MAPPED / PAGE];
    unsigned i;

    if (!leaves[0]) {
        for (i = 0; i < MAPPED / PAGE; i++) {
            leaves[i] = cpu_to_le64((AREA + (uint64_t)i * PAGE) | 3);
        }
    }
    qtest_memwrite(qts, leaf(0), leaves, sizeof(leaves));
    invalidate(1ULL << 60);
}

static void setup_iommu(void)
{
    unsigned i;

    /* Root, context, and the upper two of three levels. */
    write64(table(0), table(1) | 1);
    write64(table(1) + (SLOT << 3) * 16, table(2) | 1);
    write64(table(1) + (SLOT << 3) * 16 + 8, 1 << 8 | 1);
    write64(table(2), table(3) | 3);
    for (i = 0; i < NLEAVES; i++) {
        write64(table(3) + (AREA / (2 * MiB) + i) * 8, table(4 + i) | 3);
    }
    map_all();
    qtest_writeq(qts, VTD_RTADDR, table(0));
    qtest_writel(qts, VTD_GCMD, 1U << 30);
    qtest_writeq(qts, VTD_CCMD, 1ULL << 63 | 1ULL << 61);
    invalidate(1ULL << 60);
    qtest_writel(qts, VTD_GCMD, 1U << 31);
}

/* --- What an input is made of -------------------------------------------- */

/* A device that can do without an order does. */
static void set_enable(unsigned ch)
{
    set_reg(ch, LOOPDMA_CH_CONTROL, LOOPDMA_CH_CONTROL_ENABLE |
            (s->caps & LOOPDMA_CAPS_UNORDERED ? LOOPDMA_CH_CONTROL_UNORDERED
                                              : 0));
}

static void enable(unsigned ch, uint64_t ring, uint64_t comp, uint32_t log2,
                   uint32_t vector)
{
    set_reg(ch, LOOPDMA_CH_CONTROL, 0);
    set_reg(ch, LOOPDMA_CH_RING_LO, ring);
    set_reg(ch, LOOPDMA_CH_RING_HI, ring >> 32);
    set_reg(ch, LOOPDMA_CH_RING_SIZE, log2);
    set_reg(ch, LOOPDMA_CH_COMP_LO, comp);
    set_reg(ch, LOOPDMA_CH_COMP_HI, comp >> 32);
    set_reg(ch, LOOPDMA_CH_VECTOR, vector);
    set_enable(ch);
    head[ch] = 0;
    ring_log2[ch] = MIN(log2, RING_LOG2_MAX);
}

/* Some channels as a driver sets them up, which random writes hardly do. */
static void begin(Input *in)
{
    uint8_t channels = get8(in);
    unsigned ch;

    for (ch = 0; ch < CHANNELS; ch++) {
        if (channels >> ch & 1) {
            enable(ch, ring_of(ch), comp_of(ch),
                   RING_LOG2_MAX - (channels >> 6), ch);
        }
    }
}

/* The same for one, but for what the input wants otherwise. */
static void do_enable(Input *in)
{
    unsigned ch = get_channel(in);
    uint8_t how = get8(in);
    uint64_t ring = how & 0x40 ? get_address(in) : ring_of(ch);
    uint64_t comp = how & 0x80 ? get_address(in) : comp_of(ch);
    uint32_t log2 = how & 0x20 ? get_value(in) : 1 + how % RING_LOG2_MAX;

    enable(ch, ring, comp, log2, how & 0x10 ? get8(in) : ch);
}

static void put_list(Input *in, uint64_t list, unsigned n)
{
    struct loopdma_hw_sources sources = { };
    uint8_t coef = get8(in);
    uint64_t addr = get_address(in);
    uint16_t stride = get16(in);
    unsigned i;

    for (i = 0; i < LOOPDMA_MAX_SOURCES; i++) {
        sources.addr[i] = i < n ? cpu_to_le64(addr) : 0;
        sources.coef[i] = coef * (i + 1);
        addr += stride;
    }
    if (coef & 1) {
        sources.addr[n % LOOPDMA_MAX_SOURCES] = cpu_to_le64(get_address(in));
    }
    qtest_memwrite(qts, list, &sources, sizeof(sources));
}

static void post(unsigned ch)
{
    uint32_t slot = head[ch]++ & ((1U << ring_log2[ch]) - 1);

    qtest_memwrite(qts, ring_of(ch) + slot * LOOPDMA_DESC_SIZE, &last_desc[ch],
                   LOOPDMA_DESC_SIZE);
}

static void do_post(Input *in)
{
    unsigned ch = get_channel(in);
    uint8_t code = get8(in);
    uint32_t opcode = code & 15;
    uint32_t arg = 0;
    struct loopdma_hw_desc desc = {
        .ctrl = cpu_to_le32(opcode | (code & 0x30) << 4),
    };
    uint64_t list;

    if (opcode != LOOPDMA_OP_NOP) {
        desc.len = cpu_to_le32(get_len(in));
    }
    switch (opcode) {
    case LOOPDMA_OP_COPY:
        desc.src = cpu_to_le64(get_address(in));
        desc.dst = cpu_to_le64(get_address(in));
        break;
    case LOOPDMA_OP_FILL:
        desc.dst = cpu_to_le64(get_address(in));
        arg = get8(in);
        break;
    case LOOPDMA_OP_TX:
    case LOOPDMA_OP_RX:
        if (opcode == LOOPDMA_OP_TX) {
            desc.src = cpu_to_le64(get_address(in));
        } else {
            desc.dst = cpu_to_le64(get_address(in));
        }
        desc.periph = cpu_to_le32(get8(in) << 16 | (code >> 7 ? get8(in) : 0));
        arg = get8(in) & 0x3f;
        if (opcode == LOOPDMA_OP_TX) {
            memset(desc.meta, arg, MIN(arg, LOOPDMA_META_SIZE));
        }
        break;
    case LOOPDMA_OP_XOR:
    case LOOPDMA_OP_XOR_CHECK:
    case LOOPDMA_OP_PQ:
    case LOOPDMA_OP_PQ_CHECK:
        arg = get16(in) & 0x71f;
        list = LISTS + get8(in) % NLISTS * 256;
        put_list(in, list, arg & 0x1f);
        desc.src = cpu_to_le64(list);
        if (opcode != LOOPDMA_OP_XOR_CHECK && !(arg & LOOPDMA_ARG_NO_P)) {
            desc.dst = cpu_to_le64(get_address(in));
        }
        if (opcode >= LOOPDMA_OP_PQ && !(arg & LOOPDMA_ARG_NO_Q)) {
            desc.dst2 = cpu_to_le64(get_address(in));
        }
        desc.src_off = code >> 7 ? cpu_to_le64(get_value(in)) : 0;
        break;
    }
    desc.arg = cpu_to_le32(arg);
    last_desc[ch] = desc;
    post(ch);
    if (code & 0x40) {
        set_reg(ch, LOOPDMA_CH_DOORBELL, head[ch]);
    }
}

/* The same again, often enough to make the ring full. */
static void do_repeat(Input *in)
{
    unsigned ch = get_channel(in);
    uint8_t n = get8(in);

    for (n &= (1 << RING_LOG2_MAX) - 1; n; n--) {
        post(ch);
    }
}

/* A descriptor that is nothing but bytes, or a part of one. */
static void do_scribble(Input *in)
{
    uint64_t addr = AREA + get16(in);
    size_t n = MIN(get8(in) % (LOOPDMA_DESC_SIZE + 1), in->left);

    qtest_memwrite(qts, addr, in->data, n);
    get(in, 0);
    in->data += n;
    in->left -= n;
}

static void do_doorbell(Input *in)
{
    unsigned ch = get_channel(in);
    int8_t more = get8(in);

    head[ch] += more;
    set_reg(ch, LOOPDMA_CH_DOORBELL, head[ch]);
}

static void do_abort(Input *in)
{
    unsigned ch = get_channel(in);
    int8_t more = get8(in);

    set_reg(ch, LOOPDMA_CH_ABORT, head[ch] + more);
}

static void do_channel_write(Input *in)
{
    unsigned ch = get_any_channel(in);
    uint32_t reg = (get8(in) & 63) * 4;

    set_reg(ch, reg, get_value(in));
}

static void do_device_write(Input *in)
{
    uint32_t reg = (get8(in) & 63) * 4;

    if (reg == LOOPDMA_TC_GONE) {
        dirty_function();
    }
    qtest_writel(qts, BAR + reg, get_value(in));
}

static void do_channel_read(Input *in)
{
    unsigned ch = get_any_channel(in);

    get_reg(ch, (get8(in) & 63) * 4);
}

/* Any access, also where no register is. */
static void do_access(Input *in)
{
    uint8_t how = get8(in);
    uint32_t addr = BAR + get16(in);

    switch (how & 7) {
    case 0:
        qtest_readb(qts, addr);
        break;
    case 1:
        qtest_readw(qts, addr);
        break;
    case 2:
        qtest_readl(qts, addr);
        break;
    case 3:
        qtest_readq(qts, addr);
        break;
    case 4:
        qtest_writeb(qts, addr, get(in, 1));
        break;
    case 5:
        qtest_writew(qts, addr, get(in, 2));
        break;
    case 6:
        qtest_writel(qts, addr, get(in, 4));
        break;
    case 7:
        qtest_writeq(qts, addr, get(in, 8));
        break;
    }
    /* The table of messages is kept over a reset of the device. */
    if ((addr & 0xffff) >= LOOPDMA_MSIX_TABLE) {
        dirty_function();
    }
}

static void do_run(Input *in)
{
    run();
}

static void do_clock(Input *in)
{
    uint8_t log2 = get8(in) % 40;

    if (log2) {
        qtest_clock_step(qts, 1LL << log2);
    } else {
        qtest_clock_step_next(qts);
    }
}

/* INTx, MSI or MSI-X. */
static void do_interrupts(Input *in)
{
    PCIDevice *pci = PCI_DEVICE(s);
    uint8_t how = get8(in);
    unsigned vector = get8(in) % (CHANNELS + 1);
    uint64_t addr = get_address(in);
    uint32_t entry = BAR + LOOPDMA_MSIX_TABLE + vector * PCI_MSIX_ENTRY_SIZE;

    dirty_function();
    switch (how & 3) {
    case 0:
        set_config(pci->msix_cap + PCI_MSIX_FLAGS, 0, 2);
        set_config(pci->msi_cap + PCI_MSI_FLAGS, 0, 2);
        break;
    case 1:
        set_config(pci->msi_cap + PCI_MSI_ADDRESS_LO, addr, 4);
        set_config(pci->msi_cap + PCI_MSI_ADDRESS_HI, addr >> 32, 4);
        set_config(pci->msi_cap + PCI_MSI_FLAGS,
                   PCI_MSI_FLAGS_ENABLE | (how >> 2 & 7) << 4, 2);
        break;
    case 2:
        qtest_writel(qts, entry + PCI_MSIX_ENTRY_LOWER_ADDR, addr);
        qtest_writel(qts, entry + PCI_MSIX_ENTRY_UPPER_ADDR, addr >> 32);
        qtest_writel(qts, entry + PCI_MSIX_ENTRY_DATA, get_value(in));
        qtest_writel(qts, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, how >> 2 & 1);
        break;
    case 3:
        set_config(pci->msix_cap + PCI_MSIX_FLAGS,
                   PCI_MSIX_FLAGS_ENABLE | (how & 4 ? PCI_MSIX_FLAGS_MASKALL
                                                    : 0), 2);
        break;
    }
}

static void do_config(Input *in)
{
    uint8_t at = get8(in);
    uint8_t size = get8(in);

    dirty_function();
    set_config(at, get(in, 4), size % 3 + 1);
}

static void do_flr(Input *in)
{
    dirty_function();
    set_config(PCI_DEVICE(s)->exp.exp_cap + PCI_EXP_DEVCTL,
               PCI_EXP_DEVCTL_BCR_FLR, 2);
    if (get8(in) & 1) {
        setup_function();
    }
}

static void do_master(Input *in)
{
    dirty_function();
    set_config(PCI_COMMAND, PCI_COMMAND_MEMORY |
               (get8(in) & 1 ? PCI_COMMAND_MASTER : 0), 2);
}

static void do_unmap(Input *in)
{
    unsigned page = get16(in);
    uint8_t rights = get8(in);

    if (!config->iommu) {
        return;
    }
    write64(leaf(page), rights & 4 ? get_address(in) << 12 | (rights & 3)
                                   : (AREA + (page % (MAPPED / PAGE)) * PAGE) |
                                     (rights & 3));
    if (rights & 8) {
        invalidate(1ULL << 60);
    } else {
        qtest_writeq(qts, VTD_IVA, AREA + (page % (MAPPED / PAGE)) * PAGE +
                     (rights >> 4 & 7));
        invalidate(3ULL << 60 | 1ULL << 32);
    }
}

static void do_stop(Input *in)
{
    vm_stop(RUN_STATE_PAUSED);
    if (get8(in) & 1) {
        run();
    }
    vm_start();
}

static void reset_function(void)
{
    remapped = true;
    object_property_set_bool(OBJECT(s), "gone", false, &error_abort);
    pci_device_reset(PCI_DEVICE(s));
    setup_function();
    function_dirty = false;
}

/* What whoever runs the machine can do meanwhile. */
static void do_host(Input *in)
{
    static const char *const names[] = {
        "hold", "step", "fail", "fail-bytes", "drop-irq", "lie", "delay",
        "reorder", "spurious", "early", "stuck", "addr-bits",
    };
    unsigned ch = get_channel(in);
    uint8_t n = get8(in) % (ARRAY_SIZE(names) + 1);
    g_autofree char *name = NULL;

    if (n < ARRAY_SIZE(names)) {
        name = g_strdup_printf("%s[%u]", names[n], ch);
        object_property_set_uint(OBJECT(s), name, get_value(in), NULL);
    } else {
        dirty_function();
        object_property_set_bool(OBJECT(s), "gone", get8(in) & 1, NULL);
    }
}

/* The device's state, as a migration stream has it. */
static QIOChannelBuffer *save(void)
{
    g_autoptr(QIOChannelBuffer) out = qio_channel_buffer_new(16 * KiB);
    QEMUFile *f = qemu_file_new_output(QIO_CHANNEL(out));
    QIOChannelBuffer *saved;

    g_assert(loopdma_save(f, DEVICE_GET_CLASS(s)->vmsd, s));
    qemu_fflush(f);
    /* Behind the device comes another, whose first byte is looked at. */
    saved = qio_channel_buffer_new(out->usage + 1);
    memcpy(saved->data, out->data, out->usage);
    saved->data[out->usage] = 0;
    saved->usage = out->usage + 1;
    qemu_fclose(f);
    return saved;
}

static bool load(const QIOChannelBuffer *saved)
{
    g_autoptr(QIOChannelBuffer) in = qio_channel_buffer_new(saved->usage);
    QEMUFile *f;
    bool loaded;

    memcpy(in->data, saved->data, saved->usage);
    in->usage = saved->usage;
    f = qemu_file_new_input(QIO_CHANNEL(in));
    pci_device_reset(PCI_DEVICE(s));
    loaded = loopdma_load(f, DEVICE_GET_CLASS(s)->vmsd, s);
    qemu_fclose(f);
    dirty_function();
    return loaded;
}

/* To a machine that is the same, with a few bytes changed on the way. */
static void do_migrate(Input *in)
{
    g_autoptr(QIOChannelBuffer) saved = NULL;
    uint8_t flips = get8(in) & 3;
    size_t at, own;

    vm_stop(RUN_STATE_PAUSED);
    saved = save();
    /* PCI's state, of which QEMU believes too much, is before the device's. */
    own = saved->usage - pci_config_size(PCI_DEVICE(s)) -
          sizeof(uint32_t) * (1 + PCI_NUM_PINS);
    while (flips--) {
        at = get16(in) % own;
        saved->data[saved->usage - 1 - at] ^= get8(in);
    }
    if (!load(saved)) {
        /* Nobody runs a machine whose device was left in the middle. */
        load(fresh);
        reset_function();
    }
    vm_start();
}

static void (*const operations[])(Input *) = {
    do_enable,
    do_post,
    do_post,
    do_doorbell,
    do_run,
    do_channel_write,
    do_device_write,
    do_channel_read,
    do_abort,
    do_clock,
    do_scribble,
    do_access,
    do_interrupts,
    do_config,
    do_flr,
    do_master,
    do_unmap,
    do_stop,
    do_migrate,
    do_repeat,
    do_host,
};

/* --- After an input ------------------------------------------------------ */

static void expect(const char *what, uint64_t got, uint64_t wanted)
{
    if (got != wanted) {
        fprintf(stderr, "loopdma_fuzz: %s is 0x%" PRIx64 ", not 0x%" PRIx64
                "\n", what, got, wanted);
        abort();
    }
}

/* References to RAM: one that the device has not let go of is one too many. */
static uint32_t references(void)
{
    return qatomic_read(&OBJECT(current_machine->ram->owner)->ref);
}

/*
 * Of an input that has left the function's address space alone.  Those that
 * former views of memory hold come to an end at some time, so there may be
 * fewer than before.
 */
static void check_references(uint32_t before)
{
    uint32_t now = references();

    expect("references to RAM", now, MIN(now, before));
}

static void reset(void)
{
    if (function_dirty) {
        reset_function();
    }
    qtest_writel(qts, BAR + LOOPDMA_CONTROL, LOOPDMA_CONTROL_RESET);
    if (qtest_readl(qts, BAR + LOOPDMA_CONTROL)) {
        /* The test controls can make a reset take for ever. */
        reset_function();
    }
    flush();
}

static void check_reset(void)
{
    unsigned i;

    expect("CAPS", qtest_readl(qts, BAR + LOOPDMA_CAPS), s->caps);
    expect("CONTROL", qtest_readl(qts, BAR + LOOPDMA_CONTROL), 0);
    expect("INT_STATUS", qtest_readl(qts, BAR + LOOPDMA_INT_STATUS), 0);
    expect("EVENT", qtest_readl(qts, BAR + LOOPDMA_EVENT), 0);
    for (i = 0; i < CHANNELS; i++) {
        expect("CH_CONTROL", get_reg(i, LOOPDMA_CH_CONTROL), 0);
        expect("CH_STATUS", get_reg(i, LOOPDMA_CH_STATUS), 0);
        expect("CH_RING_SIZE", get_reg(i, LOOPDMA_CH_RING_SIZE), 0);
        expect("CH_FIFO_LEVEL", get_reg(i, LOOPDMA_CH_FIFO_LEVEL), 0);
        expect("CH_TC_HOLD", get_reg(i, LOOPDMA_CH_TC_HOLD), 0);
        expect("segments", s->sched.ch[i].xfer.nsegs, 0);
    }
}

static void check_works(unsigned ch)
{
    static const char text[] = "after all that a copy is a copy";
    struct loopdma_hw_desc desc = {
        .ctrl = cpu_to_le32(LOOPDMA_OP_COPY | LOOPDMA_CTRL_INT),
        .len = cpu_to_le32(sizeof(text)),
        .src = cpu_to_le64(DATA),
        .dst = cpu_to_le64(DATA + PAGE),
    };
    int64_t end = get_clock() + HANG_NS;
    char got[sizeof(text)];
    uint32_t done;

    qtest_memwrite(qts, DATA, text, sizeof(text));
    qtest_memwrite(qts, ring_of(ch), &desc, sizeof(desc));
    clear(comp_of(ch), LOOPDMA_COMP_SIZE);
    set_reg(ch, LOOPDMA_CH_RING_LO, ring_of(ch));
    set_reg(ch, LOOPDMA_CH_RING_SIZE, 1);
    set_reg(ch, LOOPDMA_CH_COMP_LO, comp_of(ch));
    set_enable(ch);
    set_reg(ch, LOOPDMA_CH_DOORBELL, 1);
    do {
        flush();
        done = qtest_readl(qts, comp_of(ch));
    } while (!done && get_clock() < end);
    expect("done of a copy after a reset", done, 1);
    qtest_memread(qts, ring_of(ch), &desc, sizeof(desc));
    expect("its status", le32_to_cpu(desc.status), LOOPDMA_ST_OK);
    qtest_memread(qts, DATA + PAGE, got, sizeof(got));
    expect("its first difference", memcmp(got, text, sizeof(text)), 0);
    set_reg(ch, LOOPDMA_CH_CONTROL, LOOPDMA_CH_CONTROL_RESET);
}

static void loopdma_fuzz(QTestState *state, const unsigned char *data,
                         size_t size)
{
    Input in = { data, size };
    static unsigned remaps;
    unsigned steps;
    uint32_t refs;

    clear(AREA, FRESH);
    memset(head, 0, sizeof(head));
    memset(last_desc, 0, sizeof(last_desc));
    memset(ring_log2, 1, sizeof(ring_log2));
    if (config->iommu) {
        map_all();
    }
    refs = references();
    remapped = false;

    begin(&in);
    for (steps = 0; in.left && steps < MAX_STEPS; steps++) {
        uint8_t op = get8(&in);

        operations[op % ARRAY_SIZE(operations)](&in);
        /* A driver does some things in a row. */
        if (op & 0x80) {
            flush();
        }
    }

    reset();
    check_reset();
    if (config->iommu) {
        map_all();
    }
    check_works(size % CHANNELS);
    flush();
    if (!remapped) {
        check_references(refs);
    } else if (++remaps % REMAPS == 0) {
        /* The thread that frees former views of memory hardly gets the BQL. */
        drain_call_rcu();
    }
}

/* --- The target ---------------------------------------------------------- */

static void loopdma_pre_fuzz(QTestState *state)
{
    Object *object = object_resolve_path_type("", TYPE_LOOPDMA, NULL);

    qts = state;
    s = LOOPDMA(object);
    setup_function();
    if (config->iommu) {
        setup_iommu();
    }
    flush();
    fresh = save();
}

static GString *loopdma_cmdline(FuzzTarget *target)
{
    GString *line = g_string_new(TARGET_NAME);

    config = target->opaque;
    g_string_append_printf(line, " -display none -nodefaults -machine q35,"
                           "accel=qtest -m 64M %s -device loopdma,addr=%u,"
                           "channels=%u,fifo-depth=256,test-controls=on,%s",
                           config->iommu ? "-device intel-iommu,intremap=off,"
                                           "aw-bits=39" : "",
                           SLOT, CHANNELS, config->properties);
    return line;
}

static const Config configs[] = {
    {
        .name = "loopdma-sync",
        .description = "loopdma, all in the main loop",
        .properties = "sync=on",
    }, {
        .name = "loopdma-at-once",
        .description = "loopdma, in the doorbell as far as it goes",
        .properties = "sync=off,at-once-bytes=64K,irq-delay-us=0",
    }, {
        .name = "loopdma-async",
        .description = "loopdma, in engines",
        .properties = "sync=off,at-once-bytes=0",
    }, {
        .name = "loopdma-iommu",
        .description = "loopdma, in engines behind an IOMMU",
        .properties = "sync=off,at-once-bytes=0",
        .iommu = true,
    }, {
        .name = "loopdma-unordered",
        .description = "loopdma, in engines, in any order",
        .properties = "sync=off,at-once-bytes=0,ordered=off,loopback=off",
    },
};

static void register_loopdma_targets(void)
{
    unsigned i;

    for (i = 0; i < ARRAY_SIZE(configs); i++) {
        fuzz_add_target(&(FuzzTarget) {
            .name = configs[i].name,
            .description = configs[i].description,
            .get_init_cmdline = loopdma_cmdline,
            .pre_fuzz = loopdma_pre_fuzz,
            .fuzz = loopdma_fuzz,
            .opaque = (void *)&configs[i],
        });
    }
}

fuzz_target_init(register_loopdma_targets);
