/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * loopdma: tracepoints.
 *
 * They take the driver's own structures and nothing that would have to be
 * computed first, so one that is off costs the branch that is patched out.
 * Most are hit with the channel's lock held and interrupts disabled.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM loopdma

#if !defined(LOOPDMA_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define LOOPDMA_TRACE_H

#include <linux/tracepoint.h>
#include <linux/version.h>

#include "loopdma.h"

/* Before 6.10 __assign_str() has to be told what __string() was told. */
#undef LOOPDMA_ASSIGN_DEV
#if KERNEL_VERSION(6, 10, 0) <= LINUX_VERSION_CODE
#define LOOPDMA_ASSIGN_DEV()	__assign_str(dev)
#else
#define LOOPDMA_ASSIGN_DEV()	__assign_str(dev, dev_name(lc->ld->dev))
#endif

/* So that programs which read the format can tell numbers from names, too. */
TRACE_DEFINE_ENUM(LOOPDMA_OP_NOP);
TRACE_DEFINE_ENUM(LOOPDMA_OP_COPY);
TRACE_DEFINE_ENUM(LOOPDMA_OP_TX);
TRACE_DEFINE_ENUM(LOOPDMA_OP_RX);
TRACE_DEFINE_ENUM(LOOPDMA_OP_FILL);
TRACE_DEFINE_ENUM(LOOPDMA_OP_XOR);
TRACE_DEFINE_ENUM(LOOPDMA_OP_XOR_CHECK);
TRACE_DEFINE_ENUM(LOOPDMA_OP_PQ);
TRACE_DEFINE_ENUM(LOOPDMA_OP_PQ_CHECK);

#define loopdma_show_op(op)						\
	__print_symbolic(op,						\
			 { LOOPDMA_OP_NOP,		"nop" },	\
			 { LOOPDMA_OP_COPY,		"copy" },	\
			 { LOOPDMA_OP_TX,		"tx" },		\
			 { LOOPDMA_OP_RX,		"rx" },		\
			 { LOOPDMA_OP_FILL,		"fill" },	\
			 { LOOPDMA_OP_XOR,		"xor" },	\
			 { LOOPDMA_OP_XOR_CHECK,	"xor_check" },	\
			 { LOOPDMA_OP_PQ,		"pq" },		\
			 { LOOPDMA_OP_PQ_CHECK,		"pq_check" })

TRACE_DEFINE_ENUM(DMA_TRANS_NOERROR);
TRACE_DEFINE_ENUM(DMA_TRANS_READ_FAILED);
TRACE_DEFINE_ENUM(DMA_TRANS_WRITE_FAILED);
TRACE_DEFINE_ENUM(DMA_TRANS_ABORTED);

#define loopdma_show_result(result)					\
	__print_symbolic(result,					\
			 { DMA_TRANS_NOERROR,		"ok" },		\
			 { DMA_TRANS_READ_FAILED,	"read_failed" }, \
			 { DMA_TRANS_WRITE_FAILED,	"write_failed" }, \
			 { DMA_TRANS_ABORTED,		"aborted" })

TRACE_DEFINE_ENUM(LOOPDMA_CHAN_OFF);
TRACE_DEFINE_ENUM(LOOPDMA_CHAN_RUNNING);
TRACE_DEFINE_ENUM(LOOPDMA_CHAN_RECOVERING);
TRACE_DEFINE_ENUM(LOOPDMA_CHAN_HALTED);
TRACE_DEFINE_ENUM(LOOPDMA_CHAN_SUSPENDED);
TRACE_DEFINE_ENUM(LOOPDMA_CHAN_DEAD);

#define loopdma_show_state(state)					\
	__print_symbolic(state,						\
			 { LOOPDMA_CHAN_OFF,		"off" },	\
			 { LOOPDMA_CHAN_RUNNING,	"running" },	\
			 { LOOPDMA_CHAN_RECOVERING,	"recovering" },	\
			 { LOOPDMA_CHAN_HALTED,		"halted" },	\
			 { LOOPDMA_CHAN_SUSPENDED,	"suspended" },	\
			 { LOOPDMA_CHAN_DEAD,		"dead" })

/* The driver does something else with a channel from here on. */
TRACE_EVENT(loopdma_state,
	    TP_PROTO(const struct loopdma_chan *lc, enum loopdma_chan_state state),
	    TP_ARGS(lc, state),
	    TP_STRUCT__entry(__string(dev, dev_name(lc->ld->dev))
			     __field(u32, chan)
			     __field(u8, from)
			     __field(u8, state)),
	    TP_fast_assign(LOOPDMA_ASSIGN_DEV();
			   __entry->chan = lc->index;
			   __entry->from = lc->state;
			   __entry->state = state;),
	    TP_printk("dev=%s chan=%u from=%s state=%s", __get_str(dev),
		      __entry->chan, loopdma_show_state(__entry->from),
		      loopdma_show_state(__entry->state)));

/* A client has been given a descriptor; it has no cookie yet. */
TRACE_EVENT(loopdma_prepare,
	    TP_PROTO(const struct loopdma_chan *lc, const struct loopdma_desc *d),
	    TP_ARGS(lc, d),
	    TP_STRUCT__entry(__string(dev, dev_name(lc->ld->dev))
			     __field(u32, chan)
			     __field(u32, slot)
			     __field(u8, op)
			     __field(u32, len)
			     __field(u64, src)
			     __field(u64, dst)
			     __field(u32, flags)),
	    TP_fast_assign(LOOPDMA_ASSIGN_DEV();
			   __entry->chan = lc->index;
			   __entry->slot = loopdma_desc_slot(lc, d);
			   __entry->op = d->op;
			   __entry->len = d->len;
			   __entry->src = loopdma_desc_src(d);
			   __entry->dst = loopdma_desc_dst(d);
			   __entry->flags = d->tx.flags;),
	    TP_printk("dev=%s chan=%u slot=%u op=%s len=%u src=%#llx dst=%#llx flags=%#x",
		      __get_str(dev), __entry->chan, __entry->slot,
		      loopdma_show_op(__entry->op), __entry->len, __entry->src,
		      __entry->dst, __entry->flags));

/* A client has submitted a descriptor, which has its cookie. */
TRACE_EVENT(loopdma_submit,
	    TP_PROTO(const struct loopdma_chan *lc, const struct loopdma_desc *d),
	    TP_ARGS(lc, d),
	    TP_STRUCT__entry(__string(dev, dev_name(lc->ld->dev))
			     __field(u32, chan)
			     __field(u32, slot)
			     __field(s32, cookie)
			     __field(u8, op)
			     __field(u32, len)),
	    TP_fast_assign(LOOPDMA_ASSIGN_DEV();
			   __entry->chan = lc->index;
			   __entry->slot = loopdma_desc_slot(lc, d);
			   __entry->cookie = d->tx.cookie;
			   __entry->op = d->op;
			   __entry->len = d->len;),
	    TP_printk("dev=%s chan=%u slot=%u cookie=%d op=%s len=%u",
		      __get_str(dev), __entry->chan, __entry->slot, __entry->cookie,
		      loopdma_show_op(__entry->op), __entry->len));

/* Transactions that take a step together; the cookie is the youngest's. */
DECLARE_EVENT_CLASS(loopdma_batch,
		    TP_PROTO(const struct loopdma_chan *lc, u32 count),
		    TP_ARGS(lc, count),
		    TP_STRUCT__entry(__string(dev, dev_name(lc->ld->dev))
				     __field(u32, chan)
				     __field(s32, cookie)
				     __field(u32, count)),
		    TP_fast_assign(LOOPDMA_ASSIGN_DEV();
				   __entry->chan = lc->index;
				   __entry->cookie = lc->chan.cookie;
				   __entry->count = count;),
		    TP_printk("dev=%s chan=%u cookie=%d count=%u", __get_str(dev),
			      __entry->chan, __entry->cookie, __entry->count));

/* What was submitted waits for the device from now on. */
DEFINE_EVENT(loopdma_batch, loopdma_issue,
	     TP_PROTO(const struct loopdma_chan *lc, u32 count),
	     TP_ARGS(lc, count));

/* What was not complete ends, without a callback. */
DEFINE_EVENT(loopdma_batch, loopdma_terminate,
	     TP_PROTO(const struct loopdma_chan *lc, u32 count),
	     TP_ARGS(lc, count));

/* A doorbell: the device is given this many entries, up to this count. */
TRACE_EVENT(loopdma_start,
	    TP_PROTO(const struct loopdma_chan *lc, u32 entries),
	    TP_ARGS(lc, entries),
	    TP_STRUCT__entry(__string(dev, dev_name(lc->ld->dev))
			     __field(u32, chan)
			     __field(u32, entries)
			     __field(u32, head)),
	    TP_fast_assign(LOOPDMA_ASSIGN_DEV();
			   __entry->chan = lc->index;
			   __entry->entries = entries;
			   __entry->head = lc->ring.head;),
	    TP_printk("dev=%s chan=%u entries=%u head=%u", __get_str(dev),
		      __entry->chan, __entry->entries, __entry->head));

/* An interrupt: how far the device is, and how far the driver knew it to be. */
TRACE_EVENT(loopdma_interrupt,
	    TP_PROTO(const struct loopdma_chan *lc),
	    TP_ARGS(lc),
	    TP_STRUCT__entry(__string(dev, dev_name(lc->ld->dev))
			     __field(u32, chan)
			     __field(u32, done)
			     __field(u32, tail)),
	    TP_fast_assign(LOOPDMA_ASSIGN_DEV();
			   __entry->chan = lc->index;
			   __entry->done = le32_to_cpu(READ_ONCE(lc->comp->done));
			   __entry->tail = lc->ring.tail;),
	    TP_printk("dev=%s chan=%u done=%u tail=%u", __get_str(dev),
		      __entry->chan, __entry->done, __entry->tail));

/* The device has reported an error: which entry of a transaction, and where. */
TRACE_EVENT(loopdma_fault,
	    TP_PROTO(const struct loopdma_chan *lc, const struct loopdma_desc *d,
		     const struct loopdma_hw_desc *hw),
	    TP_ARGS(lc, d, hw),
	    TP_STRUCT__entry(__string(dev, dev_name(lc->ld->dev))
			     __field(u32, chan)
			     __field(u32, slot)
			     __field(s32, cookie)
			     __field(u8, op)
			     __field(u32, status)
			     __field(u64, addr)),
	    TP_fast_assign(LOOPDMA_ASSIGN_DEV();
			   __entry->chan = lc->index;
			   __entry->slot = loopdma_desc_slot(lc, d);
			   __entry->cookie = d->tx.cookie;
			   __entry->op = d->op;
			   __entry->status = loopdma_desc_status(hw);
			   __entry->addr = le64_to_cpu(hw->fault_addr);),
	    TP_printk("dev=%s chan=%u slot=%u cookie=%d op=%s status=%u addr=%#llx",
		      __get_str(dev), __entry->chan, __entry->slot, __entry->cookie,
		      loopdma_show_op(__entry->op), __entry->status, __entry->addr));

/* The end of a transaction that was not terminated. */
DECLARE_EVENT_CLASS(loopdma_end,
		    TP_PROTO(const struct loopdma_chan *lc, const struct loopdma_desc *d),
		    TP_ARGS(lc, d),
		    TP_STRUCT__entry(__string(dev, dev_name(lc->ld->dev))
				     __field(u32, chan)
				     __field(u32, slot)
				     __field(s32, cookie)
				     __field(u8, op)
				     __field(u8, result)
				     __field(u32, len)
				     __field(u32, residue)),
		    TP_fast_assign(LOOPDMA_ASSIGN_DEV();
				   __entry->chan = lc->index;
				   __entry->slot = loopdma_desc_slot(lc, d);
				   __entry->cookie = d->tx.cookie;
				   __entry->op = d->op;
				   __entry->result = d->result;
				   __entry->len = d->len;
				   __entry->residue = d->residue;),
		    TP_printk("dev=%s chan=%u slot=%u cookie=%d op=%s len=%u result=%s residue=%u",
			      __get_str(dev), __entry->chan, __entry->slot, __entry->cookie,
			      loopdma_show_op(__entry->op), __entry->len,
			      loopdma_show_result(__entry->result), __entry->residue));

/* Everything was done. */
DEFINE_EVENT(loopdma_end, loopdma_complete,
	     TP_PROTO(const struct loopdma_chan *lc, const struct loopdma_desc *d),
	     TP_ARGS(lc, d));

/* Something was not, and the client is told so. */
DEFINE_EVENT(loopdma_end, loopdma_error,
	     TP_PROTO(const struct loopdma_chan *lc, const struct loopdma_desc *d),
	     TP_ARGS(lc, d));

#endif /* LOOPDMA_TRACE_H */

/* This directory, which the Makefile puts on the path for trace.c. */
#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
