/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: ring arithmetic.
 *
 * Pure functions: no device, no lock, no allocation, any context.  Who calls
 * them on a live ring holds the lock of its channel.  Each is a few instructions,
 * and several are needed for each transaction, so they are inline.
 */
#ifndef LOOPDMA_RING_H
#define LOOPDMA_RING_H

#include <linux/errno.h>
#include <linux/types.h>

#include <loopdma/hw.h>

/**
 * struct loopdma_ring - descriptor ring of a channel
 * @desc: the entries, coherent memory; the device reads and writes it
 * @dma: bus address of @desc
 * @size: number of entries, a power of two
 * @head: entries written since the channel was enabled, modulo 2^32
 * @rung: value of @head that the doorbell told last
 * @tail: entries that the driver has seen retired, modulo 2^32
 *
 * Counts run freely; the slot of a count is its remainder by @size, so every
 * entry can be in use.  Always @tail <= @rung <= @head <= @tail + @size, in
 * modular arithmetic.
 */
struct loopdma_ring {
	struct loopdma_hw_desc *desc;
	dma_addr_t dma;
	u32 size;
	u32 head;
	u32 rung;
	u32 tail;
};

/**
 * loopdma_ring_reset() - counts as the device has them when it is enabled
 * @ring: ring
 */
static inline void loopdma_ring_reset(struct loopdma_ring *ring)
{
	ring->head = 0;
	ring->rung = 0;
	ring->tail = 0;
}

/**
 * loopdma_ring_init() - set up an empty ring
 * @ring: ring
 * @desc: its entries, owned by the caller
 * @dma: their bus address
 * @size: their number, a power of two
 */
static inline void
loopdma_ring_init(struct loopdma_ring *ring, struct loopdma_hw_desc *desc,
		  dma_addr_t dma, u32 size)
{
	ring->desc = desc;
	ring->dma = dma;
	ring->size = size;
	loopdma_ring_reset(ring);
}

/**
 * loopdma_ring_used() - entries written and not yet seen retired
 * @ring: ring
 *
 * Return: their number, 0 to the size.
 */
static inline u32 loopdma_ring_used(const struct loopdma_ring *ring)
{
	return ring->head - ring->tail;
}

/**
 * loopdma_ring_space() - entries that can be written now
 * @ring: ring
 *
 * Return: their number, 0 to the size.
 */
static inline u32 loopdma_ring_space(const struct loopdma_ring *ring)
{
	return ring->size - loopdma_ring_used(ring);
}

/**
 * loopdma_ring_slot() - entry of a count
 * @ring: ring
 * @count: free-running count
 *
 * Return: the entry.
 */
static inline struct loopdma_hw_desc *
loopdma_ring_slot(const struct loopdma_ring *ring, u32 count)
{
	return &ring->desc[count & (ring->size - 1)];
}

/**
 * loopdma_ring_push() - take the next entry for writing
 * @ring: ring
 *
 * Return: the entry, or NULL if the ring is full.
 */
static inline struct loopdma_hw_desc *
loopdma_ring_push(struct loopdma_ring *ring)
{
	if (!loopdma_ring_space(ring))
		return NULL;
	return loopdma_ring_slot(ring, ring->head++);
}

/**
 * loopdma_ring_untold() - entries that the device has not been told of
 * @ring: ring
 *
 * Return: how many were written since the last loopdma_ring_ring().
 */
static inline u32 loopdma_ring_untold(const struct loopdma_ring *ring)
{
	return ring->head - ring->rung;
}

/**
 * loopdma_ring_ring() - note that the device is told of all entries
 * @ring: ring
 *
 * Return: the value to write to the doorbell.
 */
static inline u32 loopdma_ring_ring(struct loopdma_ring *ring)
{
	ring->rung = ring->head;
	return ring->rung;
}

/**
 * loopdma_ring_retired() - entries retired since the last look
 * @ring: ring
 * @done: done count of the completion record
 *
 * Return: their number, or -EPROTO if @done is a count that the device cannot
 * have reached.
 */
static inline int
loopdma_ring_retired(const struct loopdma_ring *ring, u32 done)
{
	u32 n = done - ring->tail;

	if (n > ring->rung - ring->tail)
		return -EPROTO;
	return n;
}

/**
 * loopdma_ring_consume() - give retired entries back for writing
 * @ring: ring
 * @n: how many, no more than loopdma_ring_retired() said
 */
static inline void loopdma_ring_consume(struct loopdma_ring *ring, u32 n)
{
	ring->tail += n;
}

/**
 * loopdma_count_reached() - is a count at or behind another?
 * @done: free-running count
 * @count: the one to be reached, less than 2^31 away
 *
 * Return: true if @done has reached @count.
 */
static inline bool loopdma_count_reached(u32 done, u32 count)
{
	return (s32)(done - count) >= 0;
}

#endif /* LOOPDMA_RING_H */
