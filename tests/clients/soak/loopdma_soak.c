// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_soak: a client that does everything, at random, and verifies it.
 *
 *	echo 1 >/sys/module/loopdma_soak/parameters/run
 *
 * requests all channels of all loopdma devices that there are.  A thread for each
 * pair of channels submits batches of transactions of every kind that they can do,
 * of random length, at random places, to both of them, and waits for their
 * callbacks; now and then it pauses a channel, or terminates the batch.  It ends
 * with
 *
 *	echo 0 >/sys/module/loopdma_soak/parameters/run
 *
 * What must hold, whatever the device does:
 *
 * - a transaction of which success is told has moved the right bytes;
 * - none has written anything outside of its destination;
 * - each is told of exactly once, in the order of their submission, and one that
 *   was terminated not at all;
 * - a transfer between memory is told of within a minute.
 *
 * Writing 0 fails with -EIO if one of these did not; the kernel log says which.
 * The file "stats" beside it has the counts, of all runs since the module was
 * loaded.
 *
 * A slave transfer whose peer has failed, or whose bytes were in a FIFO that a
 * reset has emptied, waits for ever: it is terminated then, as a client of a real
 * device would have to do ("starved").  What such a one leaves in the FIFOs goes
 * when the channels are released, which is done before they are used again.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/atomic.h>
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/kthread.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "../lib/client.h"
#include "../lib/run.h"

#define SOAK_PAIRS	32
/* Transactions of a batch. */
#define SOAK_DEPTH	6
/* Of parity. */
#define SOAK_SOURCES	4
#define SOAK_PLACES	(SOAK_SOURCES + 2)
#define SOAK_MAX_LEN	SZ_32K
/* Room around what is moved, to see whether it is touched. */
#define SOAK_PLACE	(SOAK_MAX_LEN + SZ_1K)
#define SOAK_AREA	(SOAK_PLACES * SOAK_PLACE)
#define SOAK_PERIODS	4
#define SOAK_CHUNKS	3
#define SOAK_POISON	0x5a

/* Of no bytes from a peer. */
#define SOAK_STARVED	(5 * HZ)

enum soak_op {
	SOAK_COPY,
	SOAK_FILL,
	SOAK_INTERLEAVED,
	SOAK_XOR,
	SOAK_XOR_VAL,
	SOAK_PQ,
	SOAK_PQ_VAL,
	SOAK_INTERRUPT,
	/* What one of a pair sends, the other receives. */
	SOAK_SEND,
	SOAK_RECEIVE,
	SOAK_CYCLIC_SEND,
	SOAK_CYCLIC_RECEIVE,
	SOAK_OPS
};

/**
 * struct soak_kind - what there is to know of an operation
 * @name: its name
 * @type: what a channel must be able to do
 * @writes: number of destinations that it writes
 */
struct soak_kind {
	const char *name;
	enum dma_transaction_type type;
	unsigned int writes;
};

static const struct soak_kind soak_kinds[SOAK_OPS] = {
	[SOAK_COPY]		= { "copy", DMA_MEMCPY, 1 },
	[SOAK_FILL]		= { "fill", DMA_MEMSET, 1 },
	[SOAK_INTERLEAVED]	= { "interleaved", DMA_INTERLEAVE, 1 },
	[SOAK_XOR]		= { "xor", DMA_XOR, 1 },
	[SOAK_XOR_VAL]		= { "xor_val", DMA_XOR_VAL, 0 },
	[SOAK_PQ]		= { "pq", DMA_PQ, 2 },
	[SOAK_PQ_VAL]		= { "pq_val", DMA_PQ_VAL, 0 },
	[SOAK_INTERRUPT]	= { "interrupt", DMA_INTERRUPT, 0 },
	[SOAK_SEND]		= { "send", DMA_SLAVE, 0 },
	[SOAK_RECEIVE]		= { "receive", DMA_SLAVE, 1 },
	[SOAK_CYCLIC_SEND]	= { "cyclic_send", DMA_CYCLIC, 0 },
	[SOAK_CYCLIC_RECEIVE]	= { "cyclic_receive", DMA_CYCLIC, 1 },
};

enum soak_count {
	/* What was done. */
	SOAK_BYTES,
	SOAK_BATCHES,
	SOAK_PAUSES,
	/* What was lost to faults, and told. */
	SOAK_READ_FAILED,
	SOAK_WRITE_FAILED,
	SOAK_ABORTED,
	SOAK_REFUSED,
	SOAK_STARVED_BATCHES,
	SOAK_TERMINATED,
	/* What must not be. */
	SOAK_MISMATCHES,
	SOAK_STRAY,
	SOAK_TWICE,
	SOAK_DISORDER,
	SOAK_UNTOLD,
	SOAK_COUNTS
};

#define SOAK_FIRST_BAD	SOAK_MISMATCHES

static const char *const soak_count_names[SOAK_COUNTS] = {
	[SOAK_BYTES]		= "bytes",
	[SOAK_BATCHES]		= "batches",
	[SOAK_PAUSES]		= "pauses",
	[SOAK_READ_FAILED]	= "read_failed",
	[SOAK_WRITE_FAILED]	= "write_failed",
	[SOAK_ABORTED]		= "aborted",
	[SOAK_REFUSED]		= "refused",
	[SOAK_STARVED_BATCHES]	= "starved",
	[SOAK_TERMINATED]	= "terminated",
	[SOAK_MISMATCHES]	= "mismatches",
	[SOAK_STRAY]		= "stray",
	[SOAK_TWICE]		= "twice",
	[SOAK_DISORDER]		= "disorder",
	[SOAK_UNTOLD]		= "untold",
};

static atomic64_t counts[SOAK_COUNTS];
static atomic64_t good[SOAK_OPS];

struct soak_pair;

/**
 * struct soak_job - a transaction
 * @pair: whose thread does it
 * @area: SOAK_PLACES places of SOAK_PLACE bytes: sources, then two destinations
 * @dma: bus address of @area
 * @op: what
 * @side: which of the pair's channels does it
 * @serial: order of submission
 * @len: bytes
 * @sources: how many, of parity
 * @off: in each of the places
 * @value: of a fill
 * @expected: of a check
 * @check: what the device found
 * @submitted: and neither told of nor terminated; under the pair's lock
 * @told: the result is valid; under the pair's lock
 * @result: what the client was told
 * @periods: of a cyclic transfer, told so far; under the pair's lock
 */
struct soak_job {
	struct soak_pair *pair;
	u8 *area;
	dma_addr_t dma;
	enum soak_op op;
	unsigned int side;
	u32 serial;
	size_t len;
	unsigned int sources;
	size_t off[SOAK_PLACES];
	u8 value;
	enum sum_check_flags expected;
	enum sum_check_flags check;
	bool submitted;
	bool told;
	enum dmaengine_tx_result result;
	unsigned int periods;
};

/**
 * struct soak_pair - two channels that are each other's peer, and their thread
 * @dev: device, which the thread has a reference to
 * @id: of the channels
 * @chan: channels; the second is NULL if the first has no peer.  Both are NULL
 *	while they are released to be requested anew
 * @jobs: of the batch
 * @count: how many of them there are
 * @thread: does the batches
 * @random: state of its random numbers
 * @wait: the thread waits there for callbacks
 * @lock: protects what callbacks and the thread share: @memory, @slaves, @failed,
 *	@last, and what of the jobs says so.  Any context
 * @memory: transfers between memory that are to be told of
 * @slaves: slave transfers that are; of a cyclic one, that it has come round
 * @failed: a transaction of the batch has
 * @serial: of the last job that was submitted
 * @last: of the last that was told of, on each channel
 */
struct soak_pair {
	struct device *dev;
	int id[2];
	struct dma_chan *chan[2];
	struct soak_job jobs[SOAK_DEPTH];
	unsigned int count;
	struct task_struct *thread;
	struct rnd_state random;
	wait_queue_head_t wait;
	spinlock_t lock;	/* for callbacks and the thread */
	unsigned int memory;
	unsigned int slaves;
	bool failed;
	u32 serial;
	u32 last[2];
};

static struct soak_pair *pairs;
static unsigned int npairs;
static unsigned int channels;

static void soak_add(enum soak_count what, u64 n)
{
	atomic64_add(n, &counts[what]);
}

static u32 soak_random(struct soak_pair *p, u32 below)
{
	return prandom_u32_state(&p->random) % below;
}

/* As many short ones as long ones. */
static size_t soak_random_len(struct soak_pair *p)
{
	return 1 + soak_random(p, 1U << soak_random(p, ilog2(SOAK_MAX_LEN) + 1));
}

static u8 *soak_at(const struct soak_job *job, unsigned int place)
{
	return job->area + place * SOAK_PLACE + job->off[place];
}

static dma_addr_t soak_dma(const struct soak_job *job, unsigned int place)
{
	return job->dma + place * SOAK_PLACE + job->off[place];
}

static bool soak_is_slave(enum soak_op op)
{
	return op >= SOAK_SEND;
}

static bool soak_is_cyclic(enum soak_op op)
{
	return op == SOAK_CYCLIC_SEND || op == SOAK_CYCLIC_RECEIVE;
}

/* --- callbacks ----------------------------------------------------------------- */

/* Under the pair's lock. */
static void soak_count_down(struct soak_job *job)
{
	struct soak_pair *p = job->pair;

	if (!soak_is_slave(job->op))
		p->memory--;
	else if (job->periods < SOAK_PERIODS)
		p->slaves--;
	wake_up(&p->wait);
}

static void soak_told(struct soak_job *job, enum dmaengine_tx_result result)
{
	struct soak_pair *p = job->pair;
	unsigned long flags;

	spin_lock_irqsave(&p->lock, flags);
	if (!job->submitted) {
		soak_add(SOAK_TWICE, 1);
		goto out;
	}
	/* Serial numbers begin with 1. */
	if (p->last[job->side] && (s32)(job->serial - p->last[job->side]) <= 0)
		soak_add(SOAK_DISORDER, 1);
	p->last[job->side] = job->serial;
	job->submitted = false;
	job->told = true;
	job->result = result;
	/* Of any kind: a channel that had to be reset for it has lost its FIFO. */
	if (result != DMA_TRANS_NOERROR)
		p->failed = true;
	soak_count_down(job);
out:
	spin_unlock_irqrestore(&p->lock, flags);
}

static void soak_callback(void *param, const struct dmaengine_result *result)
{
	soak_told(param, result->result);
}

/* A period, or the end by an error. */
static void soak_period(void *param, const struct dmaengine_result *result)
{
	struct soak_job *job = param;
	struct soak_pair *p = job->pair;
	unsigned long flags;

	if (result->result != DMA_TRANS_NOERROR) {
		soak_told(job, result->result);
		return;
	}
	spin_lock_irqsave(&p->lock, flags);
	if (!job->submitted)
		soak_add(SOAK_TWICE, 1);
	/* What has come round once is enough. */
	else if (job->periods < SOAK_PERIODS && ++job->periods == SOAK_PERIODS) {
		p->slaves--;
		wake_up(&p->wait);
	}
	spin_unlock_irqrestore(&p->lock, flags);
}

/* --- parity -------------------------------------------------------------------- */

/* P: the sum of the sources. */
static u8 soak_p(const struct soak_job *job, size_t i)
{
	unsigned int n;
	u8 sum = 0;

	for (n = 0; n < job->sources; n++)
		sum ^= soak_at(job, n)[i];
	return sum;
}

/* Q: that of their multiples with powers of 2, in the field of RAID-6. */
static u8 soak_q(const struct soak_job *job, size_t i)
{
	unsigned int n = job->sources;
	u8 sum = 0;

	while (n--)
		sum = (sum << 1) ^ (sum & 0x80 ? 0x1d : 0) ^ soak_at(job, n)[i];
	return sum;
}

/* --- making jobs --------------------------------------------------------------- */

static void soak_fill_places(struct soak_job *job)
{
	struct soak_pair *p = job->pair;
	unsigned int i;

	for (i = 0; i < SOAK_PLACES; i++)
		job->off[i] = soak_random(p, SOAK_PLACE - job->len + 1);
	for (i = 0; i < job->sources; i++)
		prandom_bytes_state(&p->random, soak_at(job, i), job->len);
	memset(job->area + SOAK_SOURCES * SOAK_PLACE, SOAK_POISON, 2 * SOAK_PLACE);
}

/* Parity that is right, or else wrong in one byte of P, of Q or of both. */
static void soak_make_parity(struct soak_job *job, bool q)
{
	u8 *p_at = soak_at(job, SOAK_SOURCES);
	u8 *q_at = soak_at(job, SOAK_SOURCES + 1);
	size_t i;

	for (i = 0; i < job->len; i++) {
		p_at[i] = soak_p(job, i);
		if (q)
			q_at[i] = soak_q(job, i);
	}
	job->expected = 0;
	if (soak_random(job->pair, 2)) {
		p_at[soak_random(job->pair, job->len)] ^= 0x10;
		job->expected |= SUM_CHECK_P_RESULT;
	}
	if (q && soak_random(job->pair, 2)) {
		q_at[soak_random(job->pair, job->len)] ^= 0x10;
		job->expected |= SUM_CHECK_Q_RESULT;
	}
}

static struct dma_async_tx_descriptor *
soak_prep_parity(struct soak_job *job, struct dma_chan *chan)
{
	static const u8 powers[SOAK_SOURCES] = { 1, 2, 4, 8 };
	dma_addr_t src[SOAK_SOURCES + 1], pq[2];
	struct dma_device *dma = chan->device;
	unsigned int i;

	for (i = 0; i < job->sources; i++)
		src[i] = soak_dma(job, i);
	pq[0] = soak_dma(job, SOAK_SOURCES);
	pq[1] = soak_dma(job, SOAK_SOURCES + 1);

	switch (job->op) {
	case SOAK_XOR:
		return dma->device_prep_dma_xor(chan, pq[0], src, job->sources, job->len,
						CLIENT_FLAGS);
	case SOAK_XOR_VAL:
		soak_make_parity(job, false);
		src[job->sources] = pq[0];
		return dma->device_prep_dma_xor_val(chan, src, job->sources + 1,
						    job->len, &job->check, CLIENT_FLAGS);
	case SOAK_PQ:
		return dma->device_prep_dma_pq(chan, pq, src, job->sources,
					       powers, job->len, CLIENT_FLAGS);
	default:
		soak_make_parity(job, true);
		return dma->device_prep_dma_pq_val(chan, pq, src, job->sources, powers,
						   job->len, &job->check, CLIENT_FLAGS);
	}
}

/* Chunks with as much between them as they are long, made one behind the other. */
static struct dma_async_tx_descriptor *
soak_prep_interleaved(struct soak_job *job, struct dma_chan *chan)
{
	size_t chunk = max_t(size_t, job->len / (2 * SOAK_CHUNKS), 1);
	struct dma_async_tx_descriptor *tx;
	struct dma_interleaved_template *xt;

	xt = kzalloc(struct_size(xt, sgl, 1), GFP_KERNEL);
	if (!xt)
		return NULL;
	job->len = 2 * SOAK_CHUNKS * chunk;
	soak_fill_places(job);
	xt->src_start = soak_dma(job, 0);
	xt->dst_start = soak_dma(job, SOAK_SOURCES);
	xt->dir = DMA_MEM_TO_MEM;
	xt->src_inc = true;
	xt->dst_inc = true;
	xt->src_sgl = true;
	xt->numf = SOAK_CHUNKS;
	xt->frame_size = 1;
	xt->sgl[0].size = chunk;
	xt->sgl[0].src_icg = chunk;
	tx = dmaengine_prep_interleaved_dma(chan, xt, CLIENT_FLAGS);
	kfree(xt);
	return tx;
}

static struct dma_async_tx_descriptor *
soak_prep_slave(struct soak_job *job, struct dma_chan *chan)
{
	bool send = job->op == SOAK_SEND || job->op == SOAK_CYCLIC_SEND;
	enum dma_transfer_direction direction = send ? DMA_MEM_TO_DEV : DMA_DEV_TO_MEM;
	dma_addr_t at = soak_dma(job, send ? 0 : SOAK_SOURCES);

	if (client_configure(chan, direction, DMA_SLAVE_BUSWIDTH_1_BYTE))
		return NULL;
	if (!soak_is_cyclic(job->op))
		return dmaengine_prep_slave_single(chan, at, job->len, direction, CLIENT_FLAGS);
	return dmaengine_prep_dma_cyclic(chan, at, job->len, job->len / SOAK_PERIODS, direction,
					 DMA_PREP_INTERRUPT);
}

static struct dma_async_tx_descriptor *soak_prep(struct soak_job *job)
{
	struct dma_chan *chan = job->pair->chan[job->side];

	switch (job->op) {
	case SOAK_COPY:
		return dmaengine_prep_dma_memcpy(chan, soak_dma(job, SOAK_SOURCES),
						 soak_dma(job, 0), job->len, CLIENT_FLAGS);
	case SOAK_FILL:
		return dmaengine_prep_dma_memset(chan, soak_dma(job, SOAK_SOURCES), job->value,
						 job->len, CLIENT_FLAGS);
	case SOAK_INTERLEAVED:
		return soak_prep_interleaved(job, chan);
	case SOAK_INTERRUPT:
		return chan->device->device_prep_dma_interrupt(chan, CLIENT_FLAGS);
	case SOAK_XOR:
	case SOAK_XOR_VAL:
	case SOAK_PQ:
	case SOAK_PQ_VAL:
		return soak_prep_parity(job, chan);
	default:
		return soak_prep_slave(job, chan);
	}
}

/* Content, then its descriptor; false if the channel takes none. */
static bool soak_submit(struct soak_job *job)
{
	struct soak_pair *p = job->pair;
	struct dma_async_tx_descriptor *tx;

	job->check = ~0;
	job->periods = 0;
	job->told = false;
	job->serial = ++p->serial;
	soak_fill_places(job);
	tx = soak_prep(job);
	dma_sync_single_for_device(p->dev, job->dma, SOAK_AREA, DMA_BIDIRECTIONAL);
	if (!tx) {
		soak_add(SOAK_REFUSED, 1);
		return false;
	}
	tx->callback_result = soak_is_cyclic(job->op) ? soak_period : soak_callback;
	tx->callback_param = job;

	spin_lock_irq(&p->lock);
	job->submitted = true;
	if (soak_is_slave(job->op))
		p->slaves++;
	else
		p->memory++;
	spin_unlock_irq(&p->lock);
	if (!dma_submit_error(dmaengine_submit(tx)))
		return true;
	spin_lock_irq(&p->lock);
	job->submitted = false;
	soak_count_down(job);
	spin_unlock_irq(&p->lock);
	soak_add(SOAK_REFUSED, 1);
	return false;
}

/* --- looking at jobs ----------------------------------------------------------- */

/* One place holds what it should. */
static bool soak_right(const struct soak_job *job, unsigned int place)
{
	size_t chunk = job->len / (2 * SOAK_CHUNKS), i;
	const u8 *found = soak_at(job, place);
	const u8 *from = soak_at(job, 0);

	switch (job->op) {
	case SOAK_COPY:
		return !memcmp(found, from, job->len);
	case SOAK_FILL:
		return !memchr_inv(found, job->value, job->len);
	case SOAK_INTERLEAVED:
		for (i = 0; i < SOAK_CHUNKS; i++)
			if (memcmp(found + i * chunk, from + 2 * i * chunk, chunk))
				return false;
		return !memchr_inv(found + i * chunk, SOAK_POISON, i * chunk);
	default:
		for (i = 0; i < job->len; i++)
			if (found[i] != (place == SOAK_SOURCES ? soak_p(job, i) : soak_q(job, i)))
				return false;
		return true;
	}
}

/* Nothing was written but what was to be written. */
static bool soak_untouched(const struct soak_job *job, unsigned int place, size_t len)
{
	const u8 *start = job->area + place * SOAK_PLACE;
	size_t end = job->off[place] + len;

	return !memchr_inv(start, SOAK_POISON, job->off[place]) &&
	       !memchr_inv(start + end, SOAK_POISON, SOAK_PLACE - end);
}

/* What one of the pair has received is what the other has sent. */
static bool soak_received(const struct soak_job *job, const struct soak_job *from)
{
	return !memcmp(soak_at(job, SOAK_SOURCES), soak_at(from, 0), job->len);
}

static bool soak_writes(enum soak_op op, unsigned int place)
{
	return place - SOAK_SOURCES < soak_kinds[op].writes;
}

/* Of one that has written parity to be checked there is nothing to see. */
static bool soak_strays(const struct soak_job *job)
{
	unsigned int place;

	if (job->op == SOAK_XOR_VAL || job->op == SOAK_PQ_VAL)
		return false;
	for (place = SOAK_SOURCES; place < SOAK_PLACES; place++)
		if (!soak_untouched(job, place, soak_writes(job->op, place) ? job->len : 0))
			return true;
	return false;
}

static void soak_bad(const struct soak_job *job, enum soak_count what)
{
	soak_add(what, 1);
	pr_err("%s: %s of %zu bytes on %s\n", soak_count_names[what], soak_kinds[job->op].name,
	       job->len, dma_chan_name(job->pair->chan[job->side]));
}

/* Read, and written if it writes. */
static size_t soak_bytes(const struct soak_job *job)
{
	switch (job->op) {
	case SOAK_INTERRUPT:
		return 0;
	case SOAK_INTERLEAVED:
		return job->len / 2;
	default:
		return job->len * job->sources;
	}
}

/* Success was told. */
static void soak_check_good(const struct soak_job *job, bool clean)
{
	bool right = true;
	unsigned int place;

	switch (job->op) {
	case SOAK_XOR_VAL:
	case SOAK_PQ_VAL:
		right = job->check == job->expected;
		break;
	case SOAK_RECEIVE:
	case SOAK_CYCLIC_RECEIVE:
		/* After a failure of either side bytes may be missing. */
		right = !clean || soak_received(job, job - 1);
		break;
	default:
		for (place = SOAK_SOURCES; right && place < SOAK_PLACES; place++)
			if (soak_writes(job->op, place))
				right = soak_right(job, place);
	}
	if (!right)
		soak_bad(job, SOAK_MISMATCHES);
	soak_add(SOAK_BYTES, soak_bytes(job));
	atomic64_inc(&good[job->op]);
}

static void soak_check(const struct soak_job *job, bool clean)
{
	static const enum soak_count kinds[] = {
		[DMA_TRANS_READ_FAILED] = SOAK_READ_FAILED,
		[DMA_TRANS_WRITE_FAILED] = SOAK_WRITE_FAILED,
		[DMA_TRANS_ABORTED] = SOAK_ABORTED,
	};

	if (soak_strays(job))
		soak_bad(job, SOAK_STRAY);
	/* One that loops is told of when it fails. */
	if (soak_is_cyclic(job->op) && job->periods >= SOAK_PERIODS && clean)
		soak_check_good(job, clean);
	if (!job->told)
		return;
	if (job->result == DMA_TRANS_NOERROR)
		soak_check_good(job, clean);
	else
		soak_add(kinds[job->result], 1);
}

/* --- batches ------------------------------------------------------------------- */

static bool soak_can(const struct soak_pair *p, enum soak_op op)
{
	return dma_has_cap(soak_kinds[op].type, p->chan[0]->device->cap_mask);
}

static void soak_fail(struct soak_pair *p)
{
	spin_lock_irq(&p->lock);
	p->failed = true;
	spin_unlock_irq(&p->lock);
}

static struct soak_job *soak_new(struct soak_pair *p, enum soak_op op,
				 unsigned int side, size_t len)
{
	struct soak_job *job = &p->jobs[p->count++];

	job->op = op;
	job->side = side;
	job->len = len;
	job->value = soak_random(p, 256);
	job->sources = op >= SOAK_XOR && op <= SOAK_PQ_VAL ?
		2 + soak_random(p, SOAK_SOURCES - 1) : 1;
	return job;
}

static void soak_add_memory(struct soak_pair *p)
{
	unsigned int side = p->chan[1] ? soak_random(p, 2) : 0;
	enum soak_op op;

	do {
		op = soak_random(p, SOAK_SEND);
	} while (!soak_can(p, op));
	soak_submit(soak_new(p, op, side, soak_random_len(p)));
}

/* Both ends of a transfer; without one, the other has nobody to wait for. */
static void soak_add_slave(struct soak_pair *p, bool cyclic)
{
	unsigned int side = soak_random(p, 2);
	size_t len = soak_random_len(p);
	bool both;

	if (cyclic)
		len = max_t(size_t, len & ~(SOAK_PERIODS - 1), SOAK_PERIODS);
	both = soak_submit(soak_new(p, cyclic ? SOAK_CYCLIC_SEND : SOAK_SEND, side, len));
	both &= soak_submit(soak_new(p, cyclic ? SOAK_CYCLIC_RECEIVE :
					SOAK_RECEIVE, side ^ 1, len));
	if (!both)
		soak_fail(p);
}

static void soak_for_all(struct soak_pair *p, void (*what)(struct dma_chan *chan))
{
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (p->chan[i])
			what(p->chan[i]);
}

static void soak_terminate_one(struct dma_chan *chan)
{
	dmaengine_terminate_sync(chan);
}

/* Nobody calls back after that.  The sender first, or it would fill the FIFO anew. */
static void soak_terminate(struct soak_pair *p)
{
	unsigned int i;

	for (i = 0; i < p->count; i++)
		if (p->jobs[i].op == SOAK_SEND || p->jobs[i].op == SOAK_CYCLIC_SEND)
			soak_terminate_one(p->chan[p->jobs[i].side]);
	soak_for_all(p, soak_terminate_one);

	spin_lock_irq(&p->lock);
	for (i = 0; i < p->count; i++) {
		if (p->jobs[i].submitted)
			soak_add(SOAK_TERMINATED, 1);
		p->jobs[i].submitted = false;
	}
	p->memory = 0;
	p->slaves = 0;
	spin_unlock_irq(&p->lock);
}

/* Of one kind all were told of; for a peer that has failed nobody waits. */
static bool soak_all_told(struct soak_pair *p, bool slaves)
{
	bool told;

	spin_lock_irq(&p->lock);
	told = slaves ? !p->slaves || p->failed : !p->memory;
	spin_unlock_irq(&p->lock);
	return told;
}

/* What moves between memory comes first, and waits for nobody. */
static void soak_wait(struct soak_pair *p)
{
	if (!wait_event_timeout(p->wait, soak_all_told(p, false), CLIENT_TIMEOUT)) {
		soak_add(SOAK_UNTOLD, p->memory);
		pr_err("untold: %u transactions on %s and its peer\n",
		       p->memory, dma_chan_name(p->chan[0]));
	}
	if (!wait_event_timeout(p->wait, soak_all_told(p, true), SOAK_STARVED)) {
		soak_add(SOAK_STARVED_BATCHES, 1);
		soak_fail(p);
	}
}

/* --- channels ------------------------------------------------------------------ */

static void soak_release(struct soak_pair *p)
{
	soak_for_all(p, dma_release_channel);
	p->chan[0] = NULL;
	p->chan[1] = NULL;
}

/* Their FIFOs are empty then.  The request may fail, on demand, as any other call. */
static void soak_renew(struct soak_pair *p)
{
	unsigned int i, n = p->chan[1] ? 2 : 1;

	soak_release(p);
	for (i = 0; i < n; i++) {
		while (!p->chan[i] && !kthread_should_stop()) {
			p->chan[i] = client_request(DMA_MEMCPY, p->dev, p->id[i]);
			if (!p->chan[i]) {
				soak_add(SOAK_REFUSED, 1);
				msleep(20);
			}
		}
	}
	/* A cookie of a channel, and a serial number of a pair, begin anew. */
	p->serial = 0;
	p->last[0] = 0;
	p->last[1] = 0;
}

static void soak_pause(struct soak_pair *p)
{
	struct dma_chan *chan = p->chan[p->chan[1] ? soak_random(p, 2) : 0];

	if (dmaengine_pause(chan))
		return;
	soak_add(SOAK_PAUSES, 1);
	usleep_range(100, 1000);
	/* A recovery may have ended the pause. */
	dmaengine_resume(chan);
}

static void soak_one_batch(struct soak_pair *p)
{
	bool slave = p->chan[1] && soak_can(p, SOAK_SEND) && !soak_random(p, 4);
	/* With room for both ends of a slave transfer. */
	unsigned int n = soak_random(p, SOAK_DEPTH - 1);
	bool clean, over;
	unsigned int i;

	p->count = 0;
	p->failed = false;
	for (i = 0; i < n; i++)
		soak_add_memory(p);
	/* Last, as what loops never ends. */
	if (slave)
		soak_add_slave(p, !soak_random(p, 4));
	soak_for_all(p, dma_async_issue_pending);

	if (!soak_random(p, 16))
		soak_pause(p);
	if (soak_random(p, 32))
		soak_wait(p);
	spin_lock_irq(&p->lock);
	clean = !p->failed;
	over = !p->memory && !p->slaves;
	for (i = 0; i < p->count; i++)
		if (soak_is_cyclic(p->jobs[i].op))
			over = false;
	spin_unlock_irq(&p->lock);
	if (!over)
		soak_terminate(p);

	for (i = 0; i < p->count; i++) {
		dma_sync_single_for_cpu(p->dev, p->jobs[i].dma, SOAK_AREA, DMA_BIDIRECTIONAL);
		soak_check(&p->jobs[i], clean);
	}
	soak_add(SOAK_BATCHES, 1);
	/* Bytes may be left of what one side has done, and the other has not. */
	if (slave && (!over || !clean))
		soak_renew(p);
}

static int soak_thread(void *param)
{
	struct soak_pair *p = param;

	/* Whoever makes things go wrong meanwhile has to have his turns. */
	set_user_nice(current, MAX_NICE);
	while (!kthread_should_stop()) {
		/* One that is not had back: the thread was told to stop. */
		if (p->chan[0])
			soak_one_batch(p);
		cond_resched();
	}
	return 0;
}

/* --- start and end ------------------------------------------------------------- */

/* The pair that a channel belongs to: one that waits for it, or a new one. */
static struct soak_pair *soak_pair_of(struct dma_chan *chan)
{
	struct soak_pair *p;

	for (p = pairs; p < pairs + npairs; p++)
		if (p->dev == chan->device->dev && (p->id[0] ^ 1) == chan->chan_id)
			return p;
	if (npairs == SOAK_PAIRS)
		return NULL;
	p = &pairs[npairs++];
	p->dev = get_device(chan->device->dev);
	return p;
}

static int soak_request_all(void)
{
	struct dma_chan *chan;
	struct soak_pair *p;
	unsigned int side;

	while ((chan = client_request(DMA_MEMCPY, NULL, CLIENT_ANY))) {
		p = soak_pair_of(chan);
		if (!p) {
			dma_release_channel(chan);
			pr_err("more than %u channels\n", 2 * SOAK_PAIRS);
			return -E2BIG;
		}
		side = p->chan[0] ? 1 : 0;
		p->chan[side] = chan;
		p->id[side] = chan->chan_id;
		channels++;
	}
	if (npairs)
		return 0;
	pr_err("no channel of loopdma is free\n");
	return -ENODEV;
}

/* One area after the other: all of them are mapped, or none. */
static int soak_map(struct soak_pair *p)
{
	struct soak_job *job;

	for (job = p->jobs; job < p->jobs + SOAK_DEPTH; job++) {
		job->pair = p;
		job->area = kmalloc(SOAK_AREA, GFP_KERNEL);
		if (!job->area)
			return -ENOMEM;
		if (client_map(p->dev, job->area, SOAK_AREA, DMA_BIDIRECTIONAL, &job->dma)) {
			kfree(job->area);
			job->area = NULL;
			return -ENOMEM;
		}
	}
	return 0;
}

static void soak_unmap(struct soak_pair *p)
{
	struct soak_job *job;

	for (job = p->jobs; job < p->jobs + SOAK_DEPTH && job->area; job++) {
		dma_unmap_single(p->dev, job->dma, SOAK_AREA, DMA_BIDIRECTIONAL);
		kfree(job->area);
	}
}

static int soak_start(struct soak_pair *p)
{
	int err = soak_map(p);

	if (err) {
		pr_err("no memory\n");
		return err;
	}
	spin_lock_init(&p->lock);
	init_waitqueue_head(&p->wait);
	prandom_seed_state(&p->random, get_random_u64());
	p->thread = kthread_run(soak_thread, p, "soak-%s", dma_chan_name(p->chan[0]));
	if (!IS_ERR(p->thread))
		return 0;
	err = PTR_ERR(p->thread);
	p->thread = NULL;
	pr_err("no thread: %d\n", err);
	return err;
}

static int soak_stop(void)
{
	struct soak_pair *p;
	unsigned int i;

	for (p = pairs; p < pairs + npairs; p++) {
		if (p->thread)
			kthread_stop(p->thread);
		/* Before the device may go, and after the end of all DMA. */
		soak_for_all(p, soak_terminate_one);
		soak_unmap(p);
		soak_release(p);
		put_device(p->dev);
	}
	kvfree(pairs);
	pairs = NULL;
	npairs = 0;
	channels = 0;
	for (i = SOAK_FIRST_BAD; i < SOAK_COUNTS; i++)
		if (atomic64_read(&counts[i]))
			return -EIO;
	return 0;
}

static int soak_run(void)
{
	unsigned int i;
	int err;

	pairs = kvcalloc(SOAK_PAIRS, sizeof(*pairs), GFP_KERNEL);
	if (!pairs)
		return -ENOMEM;
	err = soak_request_all();
	for (i = 0; !err && i < npairs; i++)
		err = soak_start(&pairs[i]);
	if (err)
		soak_stop();
	return err;
}

static struct client_run soak = { .begin = soak_run, .end = soak_stop };

module_param_cb(run, &client_run_ops, &soak, 0600);
MODULE_PARM_DESC(run, "Use all channels (1), or end that (0)");

module_param_cb(channels, &client_channels_ops, &channels, 0400);
MODULE_PARM_DESC(channels, "Channels that are held");

static int soak_get_stats(char *buf, const struct kernel_param *kp)
{
	unsigned int i;
	int len = 0;

	for (i = 0; i < SOAK_COUNTS; i++)
		len += sysfs_emit_at(buf, len, "%s %llu\n", soak_count_names[i],
				     atomic64_read(&counts[i]));
	for (i = 0; i < SOAK_OPS; i++)
		len += sysfs_emit_at(buf, len, "good_%s %llu\n",
				     soak_kinds[i].name, atomic64_read(&good[i]));
	return len;
}

static const struct kernel_param_ops soak_stats_ops = {
	.set = client_refuse,
	.get = soak_get_stats,
};

module_param_cb(stats, &soak_stats_ops, NULL, 0400);
MODULE_PARM_DESC(stats, "What was done, told and found");

static void __exit soak_exit(void)
{
	client_end_run(&soak);
}
module_exit(soak_exit);

MODULE_DESCRIPTION("Client of loopdma that does everything, and verifies it");
MODULE_LICENSE("GPL");
