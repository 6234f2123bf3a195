// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: transfers with the peripheral, and interleaved templates.
 *
 * The callbacks may be called from any context; they give NULL for what is not
 * possible, or when no descriptor is left (provider.rst, "device_prep_*").
 */
#include <linux/bitfield.h>
#include <linux/err.h>
#include <linux/scatterlist.h>
#include <linux/version.h>

#include <loopdma/client.h>
#include "tx.h"

/* Periods, or pieces of an interleaved template: what is written out for them is 3 MiB. */
#define LOOPDMA_MAX_CHUNKS	65536

/* Peripheral word for a direction; -EINVAL if it is not configured for it. */
static int loopdma_config_periph(struct loopdma_chan *lc,
				 const struct dma_slave_config *config,
				 enum dma_transfer_direction dir, u32 *periph)
{
	const struct loopdma_limits *lim = &lc->ld->lim;

	if (dir == DMA_MEM_TO_DEV && (lc->caps & LOOPDMA_CH_CAPS_TX))
		return loopdma_periph_encode(lim, config->dst_addr_width,
					     config->dst_maxburst, periph);
	if (dir == DMA_DEV_TO_MEM && (lc->caps & LOOPDMA_CH_CAPS_RX))
		return loopdma_periph_encode(lim, config->src_addr_width,
					     config->src_maxburst, periph);
	return -EINVAL;
}

/*
 * The client's buffer, which it leaves to us from submit to completion; of what
 * comes it gets as much as it has room for.  Any context; -EBUSY once it is
 * submitted.
 */
static int loopdma_attach_meta(struct dma_async_tx_descriptor *tx, void *data,
			       size_t len)
{
	struct loopdma_desc *d = to_loopdma_desc(tx);

	if (!data || !len || len > LOOPDMA_META_SIZE)
		return -EINVAL;
	if (loopdma_desc_busy(d))
		return -EBUSY;
	d->segs->client = data;
	d->segs->client_len = len;
	return 0;
}

/*
 * Our buffer: for the client to fill before it submits, or to look into in its
 * callback.  Any context.
 */
static void *loopdma_get_meta(struct dma_async_tx_descriptor *tx,
			      size_t *payload_len, size_t *max_len)
{
	struct loopdma_desc *d = to_loopdma_desc(tx);

	if (d->op == LOOPDMA_OP_TX && loopdma_desc_busy(d))
		return ERR_PTR(-EBUSY);
	*payload_len = d->segs->meta_len;
	*max_len = LOOPDMA_META_SIZE;
	return d->segs->meta;
}

/* How much of our buffer the client has filled.  Any context. */
static int loopdma_set_meta_len(struct dma_async_tx_descriptor *tx,
				size_t payload_len)
{
	struct loopdma_desc *d = to_loopdma_desc(tx);

	if (d->op != LOOPDMA_OP_TX || payload_len > LOOPDMA_META_SIZE)
		return -EINVAL;
	if (loopdma_desc_busy(d))
		return -EBUSY;
	d->segs->meta_len = payload_len;
	return 0;
}

/* Not const: struct dma_async_tx_descriptor has it so. */
static struct dma_descriptor_metadata_ops loopdma_metadata_ops = {
	.attach = loopdma_attach_meta,
	.get_ptr = loopdma_get_meta,
	.set_len = loopdma_set_meta_len,
};

/*
 * What goes through once can have metadata; of one that loops it would not be
 * clear to which time it belongs.
 */
static void loopdma_desc_allow_meta(struct loopdma_chan *lc,
				    struct loopdma_desc *d)
{
	if (lc->ld->lim.caps & LOOPDMA_CAPS_METADATA)
		d->tx.metadata_ops = &loopdma_metadata_ops;
}

/*
 * Take a descriptor for a direction; NULL if it is not configured.  @config: what was
 * configured last, or with the transfer.
 */
static struct loopdma_desc *
loopdma_prep_slave_with(struct loopdma_chan *lc,
			const struct dma_slave_config *config,
			enum dma_transfer_direction dir, unsigned long flags)
{
	struct loopdma_desc *d;
	u32 periph;

	if (loopdma_config_periph(lc, config, dir, &periph))
		return NULL;
	d = loopdma_prep(lc, dir == DMA_MEM_TO_DEV ? LOOPDMA_OP_TX :
						     LOOPDMA_OP_RX, 0, flags);
	if (d)
		d->periph = periph;
	return d;
}

static struct loopdma_desc *loopdma_prep_slave(struct loopdma_chan *lc,
					       enum dma_transfer_direction dir,
					       unsigned long flags)
{
	return loopdma_prep_slave_with(lc, &lc->config, dir, flags);
}

/* Take a descriptor for a list; NULL if that is not possible. */
static struct dma_async_tx_descriptor *
loopdma_prep_list(struct loopdma_chan *lc, const struct dma_slave_config *config,
		  struct scatterlist *sgl, unsigned int sg_len,
		  enum dma_transfer_direction dir, unsigned long flags)
{
	struct loopdma_desc *d;

	if (!sgl || !sg_len)
		return NULL;
	d = loopdma_prep_slave_with(lc, config, dir, flags);
	if (!d)
		return NULL;
	loopdma_desc_allow_meta(lc, d);
	return loopdma_desc_add_list(lc, d, sgl, sg_len);
}

/**
 * loopdma_prep_slave_sg() - prepare a transmission or reception
 * @chan: channel, configured for the direction
 * @sgl: mapped list; the client's may go
 * @sg_len: number of its entries
 * @dir: DMA_MEM_TO_DEV or DMA_DEV_TO_MEM
 * @flags: enum dma_ctrl_flags
 * @context: not used
 *
 * Context: any.
 * Return: the descriptor; NULL if an entry is not possible, the list is empty,
 * the direction is not configured, or there is no memory.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_slave_sg(struct dma_chan *chan, struct scatterlist *sgl,
		      unsigned int sg_len, enum dma_transfer_direction dir,
		      unsigned long flags, void *context)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	return loopdma_prep_list(lc, &lc->config, sgl, sg_len, dir, flags);
}

#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
/**
 * loopdma_prep_peripheral_dma_vec() - the same of an array
 * @chan: channel, configured for the direction
 * @vecs: mapped pieces of memory; the client's may go
 * @nents: number of pieces
 * @dir: DMA_MEM_TO_DEV or DMA_DEV_TO_MEM
 * @flags: enum dma_ctrl_flags
 *
 * Context: any.
 * Return: as loopdma_prep_slave_sg().
 */
static struct dma_async_tx_descriptor *
loopdma_prep_peripheral_dma_vec(struct dma_chan *chan,
				const struct dma_vec *vecs, size_t nents,
				enum dma_transfer_direction dir,
				unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_segs *tail = NULL;
	struct loopdma_desc *d;
	size_t i;

	if (!vecs || !nents)
		return NULL;
	d = loopdma_prep_slave(lc, dir, flags);
	if (!d)
		return NULL;
	loopdma_desc_allow_meta(lc, d);
	for (i = 0; i < nents; i++)
		if (!loopdma_desc_add(lc, d, &tail, vecs[i].addr, vecs[i].len))
			goto err_put;
	return loopdma_prepared(d);

err_put:
	loopdma_tx_drop(lc, d);
	return NULL;
}
#endif

/**
 * loopdma_prep_dma_cyclic() - prepare to go through a buffer again and again
 * @chan: channel, configured for the direction
 * @buf_addr: bus address of the buffer
 * @buf_len: bytes of the buffer
 * @period_len: bytes after each of which the callback comes
 * @dir: DMA_MEM_TO_DEV or DMA_DEV_TO_MEM
 * @flags: enum dma_ctrl_flags
 *
 * Context: any.
 * Return: the descriptor; NULL if the periods are not possible, too many, or do
 * not divide the buffer, the direction is not configured, or there is no memory.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_dma_cyclic(struct dma_chan *chan, dma_addr_t buf_addr,
			size_t buf_len, size_t period_len,
			enum dma_transfer_direction dir, unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_segs *tail = NULL;
	struct loopdma_desc *d;
	size_t off;

	if (!buf_len || !period_len || buf_len % period_len ||
	    buf_len / period_len > LOOPDMA_MAX_CHUNKS)
		return NULL;
	d = loopdma_prep_slave(lc, dir, flags);
	if (!d)
		return NULL;
	d->cyclic = true;
	for (off = 0; off < buf_len; off += period_len)
		if (!loopdma_desc_add(lc, d, &tail, buf_addr + off, period_len))
			goto err_put;
	return loopdma_prepared(d);

err_put:
	loopdma_tx_drop(lc, d);
	return NULL;
}

/*
 * Is this template one that can be done?  Memory is read and written at
 * addresses that go up; the peripheral has none.  Nothing but a peripheral
 * would give the time for a repetition.
 */
static bool loopdma_template_ok(const struct dma_interleaved_template *xt,
				unsigned long flags)
{
	if (!xt || !xt->numf || !xt->frame_size ||
	    xt->numf > LOOPDMA_MAX_CHUNKS / xt->frame_size)
		return false;
	switch (xt->dir) {
	case DMA_MEM_TO_MEM:
		return xt->src_inc && xt->dst_inc &&
		       !(flags & DMA_PREP_REPEAT);
	case DMA_MEM_TO_DEV:
		return xt->src_inc && !xt->dst_inc;
	case DMA_DEV_TO_MEM:
		return !xt->src_inc && xt->dst_inc;
	default:
		return false;
	}
}

/* A piece of a template; false if it is not possible, or there is no memory. */
static bool loopdma_desc_add_chunk(struct loopdma_chan *lc,
				   struct loopdma_desc *d,
				   struct loopdma_segs **tail, dma_addr_t dst,
				   dma_addr_t src, size_t len)
{
	if (d->pairs)
		return loopdma_copy_ok(&lc->ld->lim, dst, src, len) &&
		       loopdma_desc_add_seg(lc, d, tail, src, len) &&
		       loopdma_desc_append(lc, d, tail, dst, len);
	return loopdma_desc_add(lc, d, tail,
				d->op == LOOPDMA_OP_RX ? dst : src, len);
}

static struct loopdma_desc *loopdma_prep_pairs(struct loopdma_chan *lc,
					       unsigned long flags)
{
	struct loopdma_desc *d = NULL;

	if (lc->caps & LOOPDMA_CH_CAPS_COPY)
		d = loopdma_prep(lc, LOOPDMA_OP_COPY, 0, flags);
	if (d)
		d->pairs = true;
	return d;
}

/**
 * loopdma_prep_interleaved_dma() - prepare what a template tells
 * @chan: channel, configured for the direction unless that is DMA_MEM_TO_MEM
 * @xt: template; the client's may go
 * @flags: enum dma_ctrl_flags; DMA_PREP_REPEAT with the peripheral alone
 *
 * Context: any.
 * Return: the descriptor; NULL if the template is not possible or too large, the
 * direction is not configured, or there is no memory.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_interleaved_dma(struct dma_chan *chan,
			     struct dma_interleaved_template *xt,
			     unsigned long flags)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	struct loopdma_segs *tail = NULL;
	struct data_chunk *chunk;
	dma_addr_t src, dst;
	struct loopdma_desc *d;
	size_t frame, i;

	if (!loopdma_template_ok(xt, flags))
		return NULL;
	d = xt->dir == DMA_MEM_TO_MEM ? loopdma_prep_pairs(lc, flags) :
					loopdma_prep_slave(lc, xt->dir, flags);
	if (!d)
		return NULL;
	d->repeat = !!(flags & DMA_PREP_REPEAT);

	src = xt->src_start;
	dst = xt->dst_start;
	for (frame = 0; frame < xt->numf; frame++)
		for (i = 0; i < xt->frame_size; i++) {
			chunk = &xt->sgl[i];
			if (!loopdma_desc_add_chunk(lc, d, &tail, dst, src,
						    chunk->size))
				goto err_put;
			src += chunk->size + dmaengine_get_src_icg(xt, chunk);
			dst += chunk->size + dmaengine_get_dst_icg(xt, chunk);
		}
	return loopdma_prepared(d);

err_put:
	loopdma_tx_drop(lc, d);
	return NULL;
}

/*
 * The peripheral is part of the device and wired to the channel, so an address
 * may be left out; but one that is given has to be its own.
 */
static bool loopdma_config_addr_ok(const struct loopdma_chan *lc,
				   phys_addr_t addr)
{
	return !addr || (lc->ld->regs && addr == lc->ld->regs +
			 LOOPDMA_CH(lc->index, LOOPDMA_CH_FIFO_DATA));
}

/*
 * Can everything be done that is asked for?  The peripheral has a single
 * register, and does not know how long a transfer is to be.
 */
static bool loopdma_config_ok(struct loopdma_chan *lc,
			      const struct dma_slave_config *config)
{
	u32 periph;

	if (config->dst_addr_width &&
	    loopdma_config_periph(lc, config, DMA_MEM_TO_DEV, &periph))
		return false;
	if (config->src_addr_width &&
	    loopdma_config_periph(lc, config, DMA_DEV_TO_MEM, &periph))
		return false;
	return loopdma_config_addr_ok(lc, config->src_addr) &&
	       loopdma_config_addr_ok(lc, config->dst_addr) &&
	       config->src_port_window_size <= 1 &&
	       config->dst_port_window_size <= 1 && !config->device_fc;
}

/* The same for what is ours alone. */
static bool loopdma_peripheral_ok(struct loopdma_chan *lc,
				  const struct loopdma_peripheral_config *periph,
				  size_t size)
{
	bool slave = lc->caps & (LOOPDMA_CH_CAPS_TX | LOOPDMA_CH_CAPS_RX);
	u32 caps = lc->ld->lim.caps;

	if (size != sizeof(*periph) ||
	    periph->priority >= LOOPDMA_PRIORITY_CLASSES)
		return false;
	if (periph->priority && !(caps & LOOPDMA_CAPS_PRIORITY))
		return false;
	return (slave && (caps & LOOPDMA_CAPS_PERIPH)) ||
	       (!periph->pattern && !periph->rate);
}

/* Anything that the peripheral still has to do, or that could be under way. */
static bool loopdma_chan_in_flight(const struct loopdma_chan *lc)
{
	return lc->q.submitted.first || lc->q.issued.first || lc->q.active.first;
}

/* Set the peripheral up; -EBUSY if it would change under way. */
static int loopdma_set_peripheral(struct loopdma_chan *lc,
				  const struct loopdma_peripheral_config *periph)
{
	u32 ctl = FIELD_PREP(LOOPDMA_CH_PERIPH_PATTERN, periph->pattern) |
		  FIELD_PREP(LOOPDMA_CH_PERIPH_SEED, periph->seed);
	unsigned long flags;
	bool in_flight;
	int err = 0;

	spin_lock_irqsave(&lc->lock, flags);
	in_flight = loopdma_chan_in_flight(lc);
	if (in_flight && ctl != lc->periph.ctl) {
		err = -EBUSY;
	} else {
		lc->periph.ctl = ctl;
		lc->periph.rate = periph->rate;
		lc->periph.priority = periph->priority;
		lc->periph.restart |= !in_flight;
		/* In any other state the hardware is told when it goes on. */
		if (lc->state == LOOPDMA_CHAN_RUNNING)
			loopdma_hw_set_periph(lc);
	}
	spin_unlock_irqrestore(&lc->lock, flags);
	return err;
}

/**
 * loopdma_config() - what the transfers to be prepared are like
 * @chan: channel
 * @config: configuration; a direction whose width is left undefined cannot be used
 *
 * Does not affect what is already prepared, but for the peripheral itself and the
 * class: see struct loopdma_peripheral_config.
 *
 * Context: any; not while the client prepares on the channel.
 * Return: 0; -EINVAL for what is not possible; -EBUSY if the pattern would change
 * under what is in flight.
 */
static int loopdma_config(struct dma_chan *chan,
			  struct dma_slave_config *config)
{
	const struct loopdma_peripheral_config *periph =
		config->peripheral_config;
	struct loopdma_chan *lc = to_loopdma_chan(chan);
	unsigned long flags;
	int err;

	if (!loopdma_config_ok(lc, config))
		return -EINVAL;
	if (periph) {
		if (!loopdma_peripheral_ok(lc, periph, config->peripheral_size))
			return -EINVAL;
		err = loopdma_set_peripheral(lc, periph);
		if (err)
			return err;
	}
	spin_lock_irqsave(&lc->lock, flags);
	lc->config = *config;
	/* The client's may go when we return. */
	lc->config.peripheral_config = NULL;
	spin_unlock_irqrestore(&lc->lock, flags);
	return 0;
}

#if KERNEL_VERSION(7, 3, 0) <= LINUX_VERSION_CODE
/**
 * loopdma_prep_config_sg() - configure and prepare at once
 * @chan: channel
 * @sgl: mapped list; the client's may go
 * @sg_len: number of its entries
 * @dir: DMA_MEM_TO_DEV or DMA_DEV_TO_MEM
 * @flags: enum dma_ctrl_flags
 * @config: configuration, or NULL: that of the channel
 *
 * The transfer has the widths and bursts of @config, whatever others configure at
 * the same time.  @config stays, also if the list is refused.
 *
 * Context: any; with @config NULL not while the client configures the channel.
 * Return: as loopdma_prep_slave_sg(); NULL as well if it cannot be configured so.
 */
static struct dma_async_tx_descriptor *
loopdma_prep_config_sg(struct dma_chan *chan, struct scatterlist *sgl,
		       unsigned int sg_len, enum dma_transfer_direction dir,
		       unsigned long flags, struct dma_slave_config *config)
{
	struct loopdma_chan *lc = to_loopdma_chan(chan);

	if (!config)
		config = &lc->config;
	else if (loopdma_config(chan, config))
		return NULL;
	return loopdma_prep_list(lc, config, sgl, sg_len, dir, flags);
}
#endif

/**
 * loopdma_setup_slave() - tell the core of the peripheral, and of templates
 * @ld: device, its limits known
 */
void loopdma_setup_slave(struct loopdma_dev *ld)
{
	struct dma_device *dma = &ld->dma;

	dma_cap_set(DMA_INTERLEAVE, dma->cap_mask);
	dma->device_prep_interleaved_dma = loopdma_prep_interleaved_dma;
	/* Channels without a peripheral have a class. */
	if (ld->lim.caps & (LOOPDMA_CAPS_LOOPBACK | LOOPDMA_CAPS_PRIORITY))
		dma->device_config = loopdma_config;
	if (!(ld->lim.caps & LOOPDMA_CAPS_LOOPBACK))
		return;

	/*
	 * A client that wants to talk to the peripheral requests a channel.
	 * Without this async_tx takes them all for itself as soon as it is
	 * loaded (provider.rst, "DMA_PRIVATE").
	 */
	dma_cap_set(DMA_PRIVATE, dma->cap_mask);
	dma_cap_set(DMA_SLAVE, dma->cap_mask);
	dma_cap_set(DMA_CYCLIC, dma->cap_mask);
	dma_cap_set(DMA_REPEAT, dma->cap_mask);
	dma_cap_set(DMA_LOAD_EOT, dma->cap_mask);
	dma->directions |= BIT(DMA_MEM_TO_DEV) | BIT(DMA_DEV_TO_MEM);
	dma->src_addr_widths = loopdma_widths_mask(&ld->lim);
	dma->dst_addr_widths = dma->src_addr_widths;
	dma->max_burst = loopdma_limits_max_burst(&ld->lim);
	dma->device_prep_slave_sg = loopdma_prep_slave_sg;
	dma->device_prep_dma_cyclic = loopdma_prep_dma_cyclic;
#if KERNEL_VERSION(6, 11, 0) <= LINUX_VERSION_CODE
	dma->device_prep_peripheral_dma_vec = loopdma_prep_peripheral_dma_vec;
#endif
#if KERNEL_VERSION(7, 3, 0) <= LINUX_VERSION_CODE
	dma->device_prep_config_sg = loopdma_prep_config_sg;
#endif
	if (ld->lim.caps & LOOPDMA_CAPS_METADATA)
		dma->desc_metadata_modes = DESC_METADATA_CLIENT |
					   DESC_METADATA_ENGINE;
}

