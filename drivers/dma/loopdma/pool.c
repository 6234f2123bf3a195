// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma: software descriptors, their pool and queues.
 *
 * The pool is allocated with the channel, so that prep can work in any context
 * and nothing is allocated for a transfer (provider.rst: "preallocate"), but
 * for a scatterlist of very many entries.  An element is a descriptor, or memory
 * that belongs to one: a block of segments, or the buffers of an XOR or PQ.
 */
#include <linux/build_bug.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "loopdma.h"

static_assert(LOOPDMA_SEGS_PER_BLOCK % 2 == 0);
/*
 * Two cache lines bound the memory for a ring entry.  What the core has of a
 * descriptor is 88 bytes up to Linux 7.3, and may grow with the kernel.
 */
static_assert(sizeof(struct loopdma_desc) -
	      sizeof(struct dma_async_tx_descriptor) <= 128 - 88);
static_assert(sizeof(struct loopdma_segs) <= 128);
static_assert(sizeof(struct loopdma_raid) <= 128);

/* Blocks of segments that are freed with one hold of the lock. */
#define LOOPDMA_TRIM	64

/**
 * loopdma_pool_init() - allocate the pool of a channel
 * @lc: channel
 * @size: number of elements
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int loopdma_pool_init(struct loopdma_chan *lc, u32 size)
{
	u32 i;

	/* Near to the device, as what dma_alloc_coherent() gives. */
	lc->pool.item = kvmalloc_node(array_size(size, sizeof(*lc->pool.item)),
				      GFP_KERNEL | __GFP_ZERO,
				      dev_to_node(lc->ld->dev));
	if (!lc->pool.item)
		return -ENOMEM;
	for (i = 0; i < size - 1; i++)
		lc->pool.item[i].next = &lc->pool.item[i + 1];
	lc->pool.free = lc->pool.item;
	lc->pool.size = size;
	lc->pool.used = 0;
	return 0;
}

/**
 * loopdma_pool_exit() - free the pool of a channel
 * @lc: channel; no descriptor of it is in anybody's hands any more
 *
 * A client may prepare descriptors that it never submits; they end here.
 *
 * Context: may sleep.
 */
void loopdma_pool_exit(struct loopdma_chan *lc)
{
	struct loopdma_segs *segs, *next;

	list_for_each_entry_safe(segs, next, &lc->pool.heap, heap)
		kfree(segs);
	INIT_LIST_HEAD(&lc->pool.heap);
	kvfree(lc->pool.item);
	lc->pool.item = NULL;
	lc->pool.free = NULL;
	/* They were in the pool, and the bottom half will look for them once more. */
	lc->q.unacked.first = NULL;
	lc->pool.size = 0;
}

static union loopdma_item *loopdma_item_get(struct loopdma_chan *lc)
{
	union loopdma_item *item = lc->pool.free;

	lockdep_assert_held(&lc->lock);
	if (item) {
		lc->pool.free = item->next;
		lc->pool.used++;
	}
	return item;
}

static void loopdma_item_put(struct loopdma_chan *lc, union loopdma_item *item)
{
	lockdep_assert_held(&lc->lock);
	item->next = lc->pool.free;
	lc->pool.free = item;
	lc->pool.used--;
}

/**
 * loopdma_desc_get() - take a descriptor
 * @lc: channel, locked
 *
 * Return: a descriptor with everything zero, or NULL if the pool is empty.
 */
struct loopdma_desc *loopdma_desc_get(struct loopdma_chan *lc)
{
	union loopdma_item *item = loopdma_item_get(lc);

	if (!item)
		return NULL;
	memset(&item->desc, 0, sizeof(item->desc));
	return &item->desc;
}

static void loopdma_segs_put(struct loopdma_chan *lc, struct loopdma_segs *segs)
{
	if (list_empty(&segs->heap)) {
		loopdma_item_put(lc, container_of(segs, union loopdma_item,
						  segs));
	} else {
		list_del(&segs->heap);
		kfree(segs);
	}
}

static void loopdma_raid_put(struct loopdma_chan *lc, struct loopdma_raid *par)
{
	__clear_bit(par->list, lc->lists.used);
	loopdma_item_put(lc, container_of(par, union loopdma_item, raid));
}

/**
 * loopdma_desc_trim() - give a part of a long list back
 * @lc: channel, locked
 * @d: descriptor with segments, in no queue, of which nobody needs them any more
 *
 * A transaction may have ten thousand blocks of segments, which take longer than
 * interrupts should be disabled for.
 *
 * Return: true if so much is left that the caller should unlock for a moment, and
 * call again.
 */
bool loopdma_desc_trim(struct loopdma_chan *lc, struct loopdma_desc *d)
{
	struct loopdma_segs *segs;
	u32 i;

	for (i = 0; i < LOOPDMA_TRIM && d->segs && d->segs->next; i++) {
		segs = d->segs;
		d->segs = segs->next;
		loopdma_segs_put(lc, segs);
	}
	return i == LOOPDMA_TRIM;
}

/**
 * loopdma_desc_put() - give a descriptor and all that belongs to it back
 * @lc: channel, locked
 * @d: descriptor, in no queue
 */
void loopdma_desc_put(struct loopdma_chan *lc, struct loopdma_desc *d)
{
	struct loopdma_segs *segs, *next;

	if (loopdma_desc_has_segs(d)) {
		for (segs = d->segs; segs; segs = next) {
			next = segs->next;
			loopdma_segs_put(lc, segs);
		}
	} else if (loopdma_op_is_raid(d->op) && d->raid) {
		loopdma_raid_put(lc, d->raid);
	}
	loopdma_item_put(lc, container_of(d, union loopdma_item, desc));
}

/**
 * loopdma_desc_end() - give a descriptor back that its client may still look at
 * @lc: channel, locked
 * @d: descriptor, in no queue, called back
 *
 * That is as long as it is not acknowledged, see loopdma_desc_acked().
 */
void loopdma_desc_end(struct loopdma_chan *lc, struct loopdma_desc *d)
{
	if (loopdma_desc_acked(lc, d)) {
		loopdma_desc_put(lc, d);
		return;
	}
	/* What it needs no more others can have. */
	if (loopdma_op_is_raid(d->op) && d->raid) {
		loopdma_raid_put(lc, d->raid);
		d->raid = NULL;
	}
	loopdma_queue_add(&lc->q.unacked, d);
}

/**
 * loopdma_desc_reclaim() - give back what has been acknowledged since
 * @lc: channel, locked
 */
void loopdma_desc_reclaim(struct loopdma_chan *lc)
{
	struct loopdma_queue left = { };
	struct loopdma_desc *d;

	while ((d = loopdma_queue_pop(&lc->q.unacked))) {
		if (async_tx_test_ack(&d->tx))
			loopdma_desc_put(lc, d);
		else
			loopdma_queue_add(&left, d);
	}
	lc->q.unacked = left;
}

/**
 * loopdma_segs_get() - take a block of segments
 * @lc: channel, locked
 *
 * Half of the pool is left to descriptors; long lists come from the heap, so
 * that a list may have any number of entries.
 *
 * Return: an empty block, or NULL if there is no memory.
 */
struct loopdma_segs *loopdma_segs_get(struct loopdma_chan *lc)
{
	struct loopdma_segs *segs;

	lockdep_assert_held(&lc->lock);
	if (lc->pool.used < lc->pool.size / 2) {
		segs = &loopdma_item_get(lc)->segs;
		INIT_LIST_HEAD(&segs->heap);
	} else {
		segs = kmalloc_node(sizeof(*segs), GFP_NOWAIT | __GFP_NOWARN,
				    dev_to_node(lc->ld->dev));
		if (!segs)
			return NULL;
		list_add(&segs->heap, &lc->pool.heap);
	}
	segs->next = NULL;
	segs->n = 0;
	segs->meta_len = 0;
	segs->client = NULL;
	return segs;
}

/**
 * loopdma_raid_get() - take what an XOR or PQ needs besides a descriptor
 * @lc: channel, locked
 *
 * Return: an element with a source list, everything else zero; or NULL if the
 * pool is empty, or all lists are in use.
 */
struct loopdma_raid *loopdma_raid_get(struct loopdma_chan *lc)
{
	union loopdma_item *item;
	unsigned long i;

	i = find_first_zero_bit(lc->lists.used, LOOPDMA_LISTS);
	if (i == LOOPDMA_LISTS)
		return NULL;
	item = loopdma_item_get(lc);
	if (!item)
		return NULL;
	__set_bit(i, lc->lists.used);
	memset(&item->raid, 0, sizeof(item->raid));
	item->raid.list = i;
	item->raid.sources_dma = lc->lists.dma + i * sizeof(*lc->lists.list);
	return &item->raid;
}
