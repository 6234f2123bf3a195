// SPDX-License-Identifier: GPL-2.0-only
/*
 * dmaengine_user: channels that root has offered, and those that drivers lend.
 *
 *	echo dma0chan2 >/sys/class/dmaengine_user/offer
 *
 * makes /dev/dmaengine/dma0chan2, and withdraw takes it back, whoever has it open.  So
 * does the provider's end: the driver core tells before it takes the driver from a
 * device, and by then no buffer may be mapped for it.
 *
 * A channel of a peripheral cannot be offered: who chooses the peripheral's registers can
 * reach any memory.  The driver that has the channel and has configured it lends it.
 */
#include <linux/dmaengine_user.h>
#include <linux/idr.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "compat.h"
#include "dmaengine_user.h"

#define MINORS	256

static dev_t first_devt;
static DEFINE_IDA(minors);
/* What is offered.  No other lock is taken under this one. */
static LIST_HEAD(offers);
static DEFINE_MUTEX(offers_lock);
/* Offers that are not freed, listed or not; the module stays until there are none. */
static atomic_t existing;

struct workqueue_struct *dmau_workqueue;

static struct dmau_chan *to_offer(struct device *dev)
{
	return container_of(dev, struct dmau_chan, dev);
}

static void release_offer(struct device *dev)
{
	struct dmau_chan *offer = to_offer(dev);

	ida_free(&minors, MINOR(dev->devt) - MINOR(first_devt));
	put_device(offer->provider);
	kfree(offer);
	if (atomic_dec_and_test(&existing))
		wake_up_var(&existing);
}

/* Takes the channel from whoever has it open, and gives it back, unless it is lent. */
static void give_back(struct dmau_chan *offer)
{
	mutex_lock(&offer->lock);
	if (offer->chan) {
		if (offer->file)
			dmau_file_stop(offer->file);
		if (!offer->directions)
			dma_release_channel(offer->chan);
		offer->chan = NULL;
	}
	mutex_unlock(&offer->lock);
}

/* Not for the notifier, which cannot unregister itself. */
static void forget(struct dmau_chan *offer)
{
	/* Waits for one that is called. */
	bus_unregister_notifier(offer->provider->bus, &offer->unbind);
	put_device(&offer->dev);
}

static void forget_work(struct work_struct *work)
{
	forget(container_of(work, struct dmau_chan, forget));
}

/* True for one caller, who ends the offer. */
static bool unlist(struct dmau_chan *offer)
{
	bool listed;

	mutex_lock(&offers_lock);
	listed = !list_empty(&offer->node);
	list_del_init(&offer->node);
	mutex_unlock(&offers_lock);
	return listed;
}

/* The name is free before the channel is, so that both can be offered anew. */
static void end_offer(struct dmau_chan *offer)
{
	cdev_device_del(&offer->cdev, &offer->dev);
	give_back(offer);
	forget(offer);
}

/* Called before the provider's remove(), with its device locked. */
static int provider_event(struct notifier_block *unbind, unsigned long event, void *data)
{
	struct dmau_chan *offer = container_of(unbind, struct dmau_chan, unbind);

	if (event != BUS_NOTIFY_UNBIND_DRIVER || data != offer->provider)
		return NOTIFY_DONE;
	if (unlist(offer)) {
		cdev_device_del(&offer->cdev, &offer->dev);
		give_back(offer);
		queue_work(dmau_workqueue, &offer->forget);
	} else {
		/* Somebody else is ending it; it has to be done before this returns. */
		give_back(offer);
	}
	return NOTIFY_OK;
}

/**
 * struct wanted - a channel that is looked for
 * @name: of the channel
 * @provider: of the channel; has a reference
 */
struct wanted {
	const char *name;
	struct device *provider;
};

/* Filters run under a lock that keeps the provider registered. */
static bool find_provider(struct dma_chan *chan, void *data)
{
	struct wanted *wanted = data;

	if (!wanted->provider && !strcmp(dma_chan_name(chan), wanted->name))
		wanted->provider = get_device(chan->device->dev);
	return false;
}

static bool is_wanted(struct dma_chan *chan, void *data)
{
	struct wanted *wanted = data;

	return chan->device->dev == wanted->provider &&
	       !strcmp(dma_chan_name(chan), wanted->name);
}

/* Under the lock. */
static struct dmau_chan *find_offer(const char *name)
{
	struct dmau_chan *offer;

	list_for_each_entry(offer, &offers, node)
		if (!strcmp(dev_name(&offer->dev), name))
			return offer;
	return NULL;
}

static char *offer_devnode(dmau_devnode_const struct device *dev, umode_t *mode)
{
	if (mode)
		*mode = 0600;
	return kasprintf(GFP_KERNEL, "dmaengine/%s", dev_name(dev));
}

static struct class offer_class = {
	.name = "dmaengine_user",
	.devnode = offer_devnode,
};

static struct dmau_chan *new_offer(struct dma_chan *chan, unsigned int directions,
				   unsigned int unit)
{
	struct dmau_chan *offer;
	int minor;

	minor = ida_alloc_max(&minors, MINORS - 1, GFP_KERNEL);
	if (minor < 0)
		return ERR_PTR(minor);
	offer = kzalloc(sizeof(*offer), GFP_KERNEL);
	if (!offer) {
		ida_free(&minors, minor);
		return ERR_PTR(-ENOMEM);
	}
	atomic_inc(&existing);
	offer->chan = chan;
	offer->directions = directions;
	offer->unit = unit;
	offer->provider = get_device(chan->device->dev);
	INIT_LIST_HEAD(&offer->node);
	mutex_init(&offer->lock);
	INIT_WORK(&offer->forget, forget_work);
	offer->unbind.notifier_call = provider_event;

	device_initialize(&offer->dev);
	offer->dev.class = &offer_class;
	offer->dev.parent = offer->provider;
	offer->dev.devt = first_devt + minor;
	offer->dev.release = release_offer;
	cdev_init(&offer->cdev, &dmau_file_operations);
	offer->cdev.owner = THIS_MODULE;
	return offer;
}

static int add_offer(struct dmau_chan *offer)
{
	int err;

	err = dev_set_name(&offer->dev, "%s", dma_chan_name(offer->chan));
	if (err)
		return err;
	err = bus_register_notifier(offer->provider->bus, &offer->unbind);
	if (err)
		return err;
	err = cdev_device_add(&offer->cdev, &offer->dev);
	if (err) {
		get_device(&offer->dev);
		forget(offer);
		return err;
	}
	mutex_lock(&offers_lock);
	list_add_tail(&offer->node, &offers);
	mutex_unlock(&offers_lock);
	return 0;
}

/* The offer, with a reference.  On an error, a channel that is not lent is released. */
static struct dmau_chan *offer_channel(struct dma_chan *chan, unsigned int directions,
				       unsigned int unit)
{
	struct dmau_chan *offer = new_offer(chan, directions, unit);
	int err;

	if (IS_ERR(offer)) {
		if (!directions)
			dma_release_channel(chan);
		return offer;
	}
	get_device(&offer->dev);
	err = add_offer(offer);
	if (err) {
		/* Somebody may have opened it already. */
		give_back(offer);
		/* The reference for the caller, and the first one. */
		put_device(&offer->dev);
		put_device(&offer->dev);
		return ERR_PTR(err);
	}
	return offer;
}

static int offer_by_name(const char *name)
{
	struct wanted wanted = { .name = name };
	struct dmau_chan *offer = ERR_PTR(-ENODEV);
	struct dma_chan *chan = NULL;
	dma_cap_mask_t any;

	dma_cap_zero(any);
	dma_request_channel(any, find_provider, &wanted);
	if (wanted.provider) {
		/* So that it keeps its driver until it is known who is told of the end. */
		device_lock(wanted.provider);
		if (wanted.provider->driver)
			chan = dma_request_channel(any, is_wanted, &wanted);
		if (chan)
			offer = offer_channel(chan, 0, 1);
		device_unlock(wanted.provider);
		put_device(wanted.provider);
	}
	if (!chan)
		pr_warn("dmaengine_user: there is no channel %s, or it is in use\n", name);
	if (IS_ERR(offer))
		return PTR_ERR(offer);
	put_device(&offer->dev);
	return 0;
}

/**
 * dmaengine_user_lend - lets user programs do slave transfers on a channel of the caller's
 * @chan: channel, requested and configured with dmaengine_slave_config()
 * @directions: BIT(DMA_MEM_TO_DEV), BIT(DMA_DEV_TO_MEM) or both: as it is configured
 * @unit: bytes, a power of two, of which addresses and lengths of transfers are multiples: at
 *	least what the peripheral moves in a burst, for few providers check that
 *
 * Until dmaengine_user_take_back() the caller does not use the channel.  Its provider keeps its
 * driver while this function runs.  Root can withdraw the channel, of which the caller is not
 * told.  The caller takes it back before the system sleeps.
 *
 * Context: process context.
 * Return: what dmaengine_user_take_back() takes; -EINVAL: @directions or @unit; -EOPNOTSUPP: no
 * channel for slave transfers, or its provider cannot terminate and synchronize; -EEXIST: it
 * is lent; -ENOMEM; -ENOSPC: 256 channels are offered.
 */
struct dmau_chan *dmaengine_user_lend(struct dma_chan *chan, unsigned int directions,
				      unsigned int unit)
{
	const struct dma_device *device = chan->device;

	if (!directions || directions & ~(BIT(DMA_MEM_TO_DEV) | BIT(DMA_DEV_TO_MEM)) ||
	    !is_power_of_2(unit) || unit > PAGE_SIZE)
		return ERR_PTR(-EINVAL);
	if (!dma_has_cap(DMA_SLAVE, chan->device->cap_mask) || !device->device_terminate_all ||
	    !device->device_synchronize)
		return ERR_PTR(-EOPNOTSUPP);
	return offer_channel(chan, directions, unit);
}
EXPORT_SYMBOL_GPL(dmaengine_user_lend);

/**
 * dmaengine_user_take_back - ends what dmaengine_user_lend() has begun
 * @offer: from there
 *
 * When it returns no program's transfer is under way, unless the provider fails to terminate,
 * of which the kernel log tells; and none begins.
 *
 * Context: process context; may sleep for as long as the device takes.
 */
void dmaengine_user_take_back(struct dmau_chan *offer)
{
	if (unlist(offer))
		end_offer(offer);
	else
		/* Somebody else is ending it; it has to be done before this returns. */
		give_back(offer);
	put_device(&offer->dev);
}
EXPORT_SYMBOL_GPL(dmaengine_user_take_back);

/* The name of a channel that was written to an attribute. */
static char *get_name(char *name, size_t size, const char *buf)
{
	return strscpy(name, buf, size) < 0 ? NULL : strim(name);
}

static ssize_t offer_store(dmau_class_const struct class *class,
			   dmau_class_const struct class_attribute *attr,
			   const char *buf, size_t count)
{
	char text[32], *name;
	int err;

	name = get_name(text, sizeof(text), buf);
	if (!name)
		return -EINVAL;
	err = offer_by_name(name);
	return err ?: count;
}

static ssize_t offer_show(dmau_class_const struct class *class,
			  dmau_class_const struct class_attribute *attr, char *buf)
{
	struct dmau_chan *offer;
	ssize_t size = 0;

	mutex_lock(&offers_lock);
	list_for_each_entry(offer, &offers, node)
		size += sysfs_emit_at(buf, size, "%s\n", dev_name(&offer->dev));
	mutex_unlock(&offers_lock);
	return size;
}
static CLASS_ATTR_RW(offer);

static ssize_t withdraw_store(dmau_class_const struct class *class,
			      dmau_class_const struct class_attribute *attr,
			      const char *buf, size_t count)
{
	struct dmau_chan *offer;
	char text[32], *name;

	name = get_name(text, sizeof(text), buf);
	if (!name)
		return -EINVAL;
	mutex_lock(&offers_lock);
	offer = find_offer(name);
	if (offer)
		list_del_init(&offer->node);
	mutex_unlock(&offers_lock);
	if (!offer)
		return -ENODEV;
	end_offer(offer);
	return count;
}
static CLASS_ATTR_WO(withdraw);

static int __init dmau_init(void)
{
	int err;

	err = alloc_chrdev_region(&first_devt, 0, MINORS, "dmaengine_user");
	if (err)
		return err;
	err = -ENOMEM;
	dmau_workqueue = alloc_workqueue("dmaengine_user", WQ_UNBOUND | WQ_FREEZABLE, 0);
	if (!dmau_workqueue)
		goto no_workqueue;
	err = class_register(&offer_class);
	if (err)
		goto no_class;
	err = class_create_file(&offer_class, &class_attr_withdraw);
	if (err)
		goto no_file;
	err = class_create_file(&offer_class, &class_attr_offer);
	if (!err)
		return 0;

	class_remove_file(&offer_class, &class_attr_withdraw);
no_file:
	class_unregister(&offer_class);
no_class:
	destroy_workqueue(dmau_workqueue);
no_workqueue:
	unregister_chrdev_region(first_devt, MINORS);
	return err;
}

static struct dmau_chan *first_offer(void)
{
	struct dmau_chan *offer;

	mutex_lock(&offers_lock);
	offer = list_first_entry_or_null(&offers, struct dmau_chan, node);
	if (offer)
		list_del_init(&offer->node);
	mutex_unlock(&offers_lock);
	return offer;
}

/* No file is open: each has a reference to the module. */
static void __exit dmau_exit(void)
{
	struct dmau_chan *offer;

	class_remove_file(&offer_class, &class_attr_offer);
	class_remove_file(&offer_class, &class_attr_withdraw);
	while ((offer = first_offer()))
		end_offer(offer);
	wait_var_event(&existing, !atomic_read(&existing));
	/* Waits for the work item that has freed the last one, too. */
	destroy_workqueue(dmau_workqueue);
	class_unregister(&offer_class);
	unregister_chrdev_region(first_devt, MINORS);
	ida_destroy(&minors);
}

module_init(dmau_init);
module_exit(dmau_exit);

DMAU_IMPORT_NS(DMA_BUF);
MODULE_DESCRIPTION("DMA engine channels for user programs");
MODULE_LICENSE("GPL");
