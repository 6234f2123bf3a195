// SPDX-License-Identifier: GPL-2.0-only
/*
 * loopdma_periph: the peripheral as a client sets it up, pattern, pace, class.
 *
 * Contract cases: they speak the dmaengine client API, loopdma/client.h and
 * dut.h only.  What the pattern is they have from Documentation/hardware.rst,
 * "Pattern", and not from the header that the device shares.
 */
#include <linux/ktime.h>
#include <linux/version.h>

#include <loopdma/client.h>
#include <loopdma/hw.h>

#include "dut.h"

#define LEN	1000

/* A pace at which nothing but the first burst moves while a case runs. */
#define CRAWL	1

static u8 pattern_byte(u8 seed, u32 pos)
{
	u32 sum = seed, i;

	for (i = 0; i < 4; i++)
		sum += (pos >> (8 * i)) & 0xff;
	return sum & 0xff;
}

/* What a buffer that begins @pos bytes into the pattern has to hold. */
static u8 *pattern_at(struct ldk_dut *dut, u8 seed, u32 pos, size_t len)
{
	u8 *want = ldk_alloc(dut->test, len);
	size_t i;

	for (i = 0; i < len; i++)
		want[i] = pattern_byte(seed, pos + i);
	return want;
}

static int periph_try(struct dma_chan *chan, u32 burst,
		      const struct loopdma_peripheral_config *periph)
{
	struct loopdma_peripheral_config copy = *periph;
	struct dma_slave_config config = {
		.src_addr_width = DMA_SLAVE_BUSWIDTH_1_BYTE,
		.dst_addr_width = DMA_SLAVE_BUSWIDTH_1_BYTE,
		.src_maxburst = burst,
		.dst_maxburst = burst,
		.peripheral_config = &copy,
		.peripheral_size = sizeof(copy),
	};

	return dmaengine_slave_config(chan, &config);
}

static void periph_set(struct ldk_dut *dut, struct dma_chan *chan, u32 burst,
		       struct loopdma_peripheral_config periph)
{
	KUNIT_ASSERT_EQ(dut->test, 0, periph_try(chan, burst, &periph));
}

/* Receive a buffer, which is to hold the pattern from @pos on. */
static void receive_pattern(struct ldk_dut *dut, struct dma_chan *chan, u8 seed,
			    u32 pos, size_t len)
{
	struct ldk_buf *dst = ldk_dst(dut, len);

	ldk_do(dut, ldk_prep_slave(chan, dst->dma, len, DMA_DEV_TO_MEM));
	ldk_expect_data(dut, dst, pattern_at(dut, seed, pos, len));
}

static struct ldk_xfer *send(struct ldk_dut *dut, struct dma_chan *chan,
			     struct ldk_buf *src)
{
	struct ldk_xfer *x;

	x = ldk_begin(dut, ldk_prep_slave(chan, src->dma, src->len, DMA_MEM_TO_DEV));
	KUNIT_ASSERT_TRUE(dut->test, ldk_wait(x));
	return x;
}

/* Send the pattern from @pos on. */
static void send_pattern(struct ldk_dut *dut, struct dma_chan *chan, u8 seed,
			 u32 pos, size_t len)
{
	struct ldk_buf *src = ldk_src(dut, len);

	ldk_buf_set(src, pattern_at(dut, seed, pos, len));
	ldk_expect_ok(send(dut, chan, src));
}

/* Rule: the source gives the pattern, in one transaction after the other. */
static void received(struct kunit *test)
{
	static const size_t lens[] = { 1, 255, 256, 70000, 3 };
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;
	u32 i, pos = 0;

	ldk_request_pair(dut, &tx, &rx);
	periph_set(dut, rx, 16, (struct loopdma_peripheral_config) {
		.pattern = true, .seed = 0x9c,
	});
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		receive_pattern(dut, rx, 0x9c, pos, lens[i]);
		pos += lens[i];
	}
}

#if KERNEL_VERSION(7, 3, 0) <= LINUX_VERSION_CODE
static struct dma_async_tx_descriptor *
config_and_prep(struct dma_chan *chan, struct ldk_buf *buf, struct dma_slave_config *config)
{
	return dmaengine_prep_config_single(chan, buf->dma, buf->len, DMA_DEV_TO_MEM, LDK_FLAGS,
					    config);
}
#else
static struct dma_async_tx_descriptor *
config_and_prep(struct dma_chan *chan, struct ldk_buf *buf, struct dma_slave_config *config)
{
	return NULL;
}
#endif

/*
 * Rule: a transfer and its configuration in one call; the configuration stays, and one that
 * is not possible gives no transfer (dmaengine.h, dmaengine_prep_config_single()).
 */
static void configured_with_transfer(struct kunit *test)
{
	struct loopdma_peripheral_config periph = { .pattern = true, .seed = 0x9c };
	struct dma_slave_config config = {
		.src_addr_width = DMA_SLAVE_BUSWIDTH_1_BYTE,
		.src_maxburst = 16,
		.peripheral_config = &periph,
		.peripheral_size = sizeof(periph),
	};
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *dst = ldk_dst(dut, LEN);
	struct dma_chan *tx, *rx;

	if (KERNEL_VERSION(7, 3, 0) > LINUX_VERSION_CODE)
		kunit_skip(test, "no dmaengine_prep_config_sg()");
	ldk_request_pair(dut, &tx, &rx);
	ldk_do(dut, config_and_prep(rx, dst, &config));
	ldk_expect_data(dut, dst, pattern_at(dut, 0x9c, 0, LEN));
	receive_pattern(dut, rx, 0x9c, LEN, LEN);
	ldk_do(dut, config_and_prep(rx, dst, NULL));
	ldk_expect_data(dut, dst, pattern_at(dut, 0x9c, 2 * LEN, LEN));
	config.src_addr_width = 3;
	KUNIT_EXPECT_NULL(test, config_and_prep(rx, dst, &config));
}

/* Rule: the sink takes the pattern, and source and sink count for themselves. */
static void sent(struct kunit *test)
{
	static const size_t lens[] = { 7, 256, 66000, 1 };
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;
	u32 i, pos = 0;

	ldk_request_pair(dut, &tx, &rx);
	periph_set(dut, tx, 16, (struct loopdma_peripheral_config) {
		.pattern = true,
	});
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		send_pattern(dut, tx, 0, pos, lens[i]);
		receive_pattern(dut, tx, 0, pos, lens[i]);
		pos += lens[i];
	}
}

/*
 * Rule: what is not the pattern is refused: WRITE_FAILED, the residue is that
 * from the first wrong byte on, and the sink goes on to expect that byte.
 */
static void refused(struct kunit *test)
{
	static const size_t at[] = { 0, 1, 499, LEN - 1 };
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *src = ldk_src(dut, LEN);
	struct dma_chan *tx, *rx;
	u32 i, pos = 0;

	ldk_request_pair(dut, &tx, &rx);
	periph_set(dut, tx, 64, (struct loopdma_peripheral_config) {
		.pattern = true, .seed = 3,
	});
	for (i = 0; i < ARRAY_SIZE(at); i++) {
		ldk_buf_set(src, pattern_at(dut, 3, pos, LEN));
		ldk_buf_flip(src, at[i]);
		ldk_expect_failed(send(dut, tx, src), DMA_TRANS_WRITE_FAILED,
				  LEN - at[i]);
		pos += at[i];
		send_pattern(dut, tx, 3, pos, LEN);
		pos += LEN;
	}
}

/* Rule: the pattern begins anew when an idle channel is configured. */
static void restarts(struct kunit *test)
{
	const struct loopdma_peripheral_config periph = { .pattern = true };
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	periph_set(dut, rx, 1, periph);
	receive_pattern(dut, rx, 0, 0, LEN);
	/* Not without a word about the peripheral. */
	ldk_config(dut, rx, DMA_SLAVE_BUSWIDTH_1_BYTE, 8);
	receive_pattern(dut, rx, 0, LEN, LEN);
	periph_set(dut, rx, 1, periph);
	receive_pattern(dut, rx, 0, 0, LEN);
	send_pattern(dut, rx, 0, 0, LEN);
}

/* Rule: with the loopback back in place, its bytes are still there. */
static void loopback_again(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *src = ldk_src(dut, 100), *dst = ldk_dst(dut, 100);
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	ldk_config(dut, tx, DMA_SLAVE_BUSWIDTH_1_BYTE, 1);
	ldk_expect_ok(send(dut, tx, src));
	periph_set(dut, rx, 1, (struct loopdma_peripheral_config) {
		.pattern = true,
	});
	receive_pattern(dut, rx, 0, 0, 100);
	periph_set(dut, rx, 1, (struct loopdma_peripheral_config) { });
	ldk_do(dut, ldk_prep_slave(rx, dst->dma, 100, DMA_DEV_TO_MEM));
	ldk_expect_moved(dut, dst, src);
}

/* Rule: the next client finds the peripheral as if nobody had been there. */
static void released(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	periph_set(dut, tx, 1, (struct loopdma_peripheral_config) {
		.pattern = true, .rate = CRAWL, .priority = 3,
	});
	ldk_release(dut, tx);
	ldk_release(dut, rx);
	ldk_loop_ok(dut);
}

/* A reception that waits for its time, all but its first burst of one byte. */
static struct ldk_xfer *crawl(struct ldk_dut *dut, struct dma_chan *rx,
			      struct ldk_buf *dst)
{
	struct ldk_xfer *x = ldk_xfers(dut, rx, 1);

	periph_set(dut, rx, 1, (struct loopdma_peripheral_config) {
		.pattern = true, .rate = CRAWL,
	});
	ldk_start(x, ldk_prep_slave(rx, dst->dma, dst->len, DMA_DEV_TO_MEM));
	KUNIT_ASSERT_TRUE(dut->test, ldk_poll(ldk_residue(x) == dst->len - 1));
	return x;
}

/*
 * Rule: what is in flight keeps its peripheral; pace and class can be changed,
 * and the pace is in force at once.
 */
static void changed_in_flight(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *dst = ldk_dst(dut, LEN);
	struct loopdma_peripheral_config periph = { };
	struct dma_chan *tx, *rx;
	struct ldk_xfer *x;

	ldk_request_pair(dut, &tx, &rx);
	x = crawl(dut, rx, dst);
	KUNIT_EXPECT_EQ(test, -EBUSY, periph_try(rx, 1, &periph));
	periph.pattern = true;
	periph.seed = 1;
	KUNIT_EXPECT_EQ(test, -EBUSY, periph_try(rx, 1, &periph));
	periph.seed = 0;
	periph.rate = CRAWL;
	periph.priority = 2;
	KUNIT_EXPECT_EQ(test, 0, periph_try(rx, 1, &periph));
	KUNIT_EXPECT_EQ(test, 0, x->calls);
	periph.rate = 0;
	KUNIT_EXPECT_EQ(test, 0, periph_try(rx, 1, &periph));
	ldk_finish(x);
	/* Without a gap, and without beginning anew. */
	ldk_expect_data(dut, dst, pattern_at(dut, 0, 0, LEN));
}

/* Rule: a channel that waits for its time can be terminated and used again. */
static void terminated(struct kunit *test)
{
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *dst = ldk_dst(dut, LEN);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *x;

	ldk_request_pair(dut, &tx, &rx);
	x = crawl(dut, rx, dst);
	KUNIT_EXPECT_EQ(test, 0, dmaengine_terminate_sync(rx));
	KUNIT_EXPECT_EQ(test, 0, x->calls);
	periph_set(dut, rx, 1, (struct loopdma_peripheral_config) {
		.pattern = true,
	});
	receive_pattern(dut, rx, 0, 0, LEN);
}

/*
 * Rule: no more than the pace over the time that has passed.  The device may
 * catch up on 10 ms, and the first burst has not to wait.
 */
static void paced(struct kunit *test)
{
	const u32 rate = 20000, len = 4000, burst = 10;
	const s64 least = (len - burst) * 1000 / rate - 10;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;
	ktime_t start;

	ldk_request_pair(dut, &tx, &rx);
	periph_set(dut, rx, burst, (struct loopdma_peripheral_config) {
		.pattern = true, .rate = rate,
	});
	start = ktime_get();
	receive_pattern(dut, rx, 0, 0, len);
	KUNIT_EXPECT_GE(test, ktime_ms_delta(ktime_get(), start), least);
}

/* Rule: the loopback can be paced as well, on either side, and loses nothing. */
static void paced_loopback(struct kunit *test)
{
	const struct loopdma_peripheral_config slow = { .rate = 50000 };
	struct ldk_dut *dut = test->priv;
	struct ldk_buf *src = ldk_src(dut, 5000), *dst = ldk_dst(dut, 5000);
	struct dma_chan *tx, *rx;
	struct ldk_xfer *r;
	ktime_t start;
	int i;

	ldk_request_pair(dut, &tx, &rx);
	r = ldk_xfers(dut, rx, 2);
	for (i = 0; i < 2; i++) {
		ldk_buf_poison(dst);
		periph_set(dut, tx, 8, i ? slow :
			   (struct loopdma_peripheral_config) { });
		periph_set(dut, rx, 8, i ? (struct loopdma_peripheral_config)
			   { } : slow);
		start = ktime_get();
		ldk_start(&r[i], ldk_prep_slave(rx, dst->dma, 5000, DMA_DEV_TO_MEM));
		ldk_do(dut, ldk_prep_slave(tx, src->dma, 5000, DMA_MEM_TO_DEV));
		ldk_finish(&r[i]);
		KUNIT_EXPECT_GE(test, ktime_ms_delta(ktime_get(), start), 89);
		ldk_expect_moved(dut, dst, src);
	}
}

/* Rule: a class needs no peripheral. */
static void class_of_copies(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_without(test, LOOPDMA_CAPS_LOOPBACK | LOOPDMA_CAPS_PERIPH |
					       LOOPDMA_CAPS_METADATA);
	struct loopdma_peripheral_config periph = { .priority = 3 };
	struct dma_slave_config config = {
		.peripheral_config = &periph,
		.peripheral_size = sizeof(periph),
	};
	struct dma_chan *chan = ldk_request(dut);

	KUNIT_EXPECT_EQ(test, 0, dmaengine_slave_config(chan, &config));
	ldk_copy_ok(dut, chan, LEN);
	periph.pattern = true;
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_slave_config(chan, &config));
	periph.pattern = false;
	periph.rate = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_slave_config(chan, &config));
	ldk_copy_ok(dut, chan, LEN);
}

/* Rule: what the hardware cannot do is refused, what it need not do is not. */
static void without(struct kunit *test)
{
	struct ldk_dut *dut = ldk_fake_without(test, LOOPDMA_CAPS_PERIPH | LOOPDMA_CAPS_PRIORITY);
	struct loopdma_peripheral_config periph = { };
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	KUNIT_EXPECT_EQ(test, 0, periph_try(rx, 1, &periph));
	periph.pattern = true;
	KUNIT_EXPECT_EQ(test, -EINVAL, periph_try(rx, 1, &periph));
	periph.pattern = false;
	periph.priority = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, periph_try(rx, 1, &periph));
	ldk_release(dut, tx);
	ldk_release(dut, rx);
	ldk_loop_ok(dut);
}

/**
 * struct bad_config - a configuration that cannot be
 * @name: what is wrong with it
 * @config: the common part
 * @size: given as peripheral_size if there is a @periph
 * @periph: our part
 * @with_periph: @periph is given
 */
struct bad_config {
	const char *name;
	struct dma_slave_config config;
	size_t size;
	struct loopdma_peripheral_config periph;
	bool with_periph;
};

static const struct bad_config bad_configs[] = {
	{ "source width of 3", { .src_addr_width = 3 } },
	{ "destination width of 128", { .dst_addr_width = 128 } },
	{ "source burst", { .src_addr_width = 1, .src_maxburst = U32_MAX } },
	{ "destination burst", { .dst_addr_width = 1, .dst_maxburst = 65537 } },
	{ "source address", { .src_addr = 0x1234000 } },
	{ "destination address", { .dst_addr = 0x30 } },
	{ "source window", { .src_port_window_size = 2 } },
	{ "destination window", { .dst_port_window_size = 4 } },
	{ "flow controller", { .device_fc = true } },
	{ "no size", { }, 0, { }, true },
	{ "short", { }, sizeof(struct loopdma_peripheral_config) - 1, { }, true },
	{ "long", { }, sizeof(struct loopdma_peripheral_config) + 1, { }, true },
	{ "class", { }, sizeof(struct loopdma_peripheral_config),
	  { .priority = LOOPDMA_PRIORITY_CLASSES }, true },
};

KUNIT_ARRAY_PARAM_DESC(bad_config, bad_configs, name);

/*
 * Rule: a configuration that cannot be is refused as a whole, and the one before
 * it stays (client.rst, "Set slave and controller specific parameters").
 */
static void refuses(struct kunit *test)
{
	const struct bad_config *bad = test->param_value;
	struct loopdma_peripheral_config periph = bad->periph;
	struct dma_slave_config config = bad->config;
	struct ldk_dut *dut = test->priv;
	struct dma_chan *tx, *rx;

	ldk_request_pair(dut, &tx, &rx);
	periph_set(dut, rx, 1, (struct loopdma_peripheral_config) {
		.pattern = true, .seed = 77,
	});
	if (bad->with_periph) {
		config.peripheral_config = &periph;
		config.peripheral_size = bad->size;
	}
	KUNIT_EXPECT_EQ(test, -EINVAL, dmaengine_slave_config(rx, &config));
	receive_pattern(dut, rx, 77, 0, LEN);
}

static struct kunit_case periph_cases[] = {
	KUNIT_CASE(received),
	KUNIT_CASE(configured_with_transfer),
	KUNIT_CASE(sent),
	KUNIT_CASE(refused),
	KUNIT_CASE(restarts),
	KUNIT_CASE(loopback_again),
	KUNIT_CASE(released),
	KUNIT_CASE(changed_in_flight),
	KUNIT_CASE(terminated),
	KUNIT_CASE(paced),
	KUNIT_CASE(paced_loopback),
	KUNIT_CASE(class_of_copies),
	KUNIT_CASE(without),
	KUNIT_CASE_PARAM(refuses, bad_config_gen_params),
	{ }
};

LDK_SUITE("loopdma_periph", periph_cases);
