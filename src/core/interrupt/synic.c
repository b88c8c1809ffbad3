/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages come from any thread, to slots in a page that the guest writes at the same time. The
 * type of a message is written last and read first: a slot of type 0 belongs to the hypervisor, any
 * other to the guest.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/interrupt/interrupt.h"
#include "core/memory/overlay.h"
#include "core/interrupt/stimer.h"
#include "core/interrupt/synic.h"
#include "core/trace/trace.h"

/* Lock held, or no other thread has access. */
static void drop_messages(struct synic *synic)
{
	for (unsigned int i = 0; i < HV_SYNIC_SINT_COUNT; i++) {
		free(synic->queue[i].message);
		synic->queue[i] = (struct synic_message_queue){0};
	}
}

void synic_reset(struct vsm_vp *vp, uint8_t vtl)
{
	struct synic *synic = &vp->vtl[vtl].synic;

	pthread_mutex_lock(&synic->lock);
	synic->scontrol = 0;
	synic->siefp = 0;
	synic->simp = 0;
	for (unsigned int i = 0; i < HV_SYNIC_SINT_COUNT; i++)
		synic->sint[i] = HV_SYNIC_SINT_RESET;
	drop_messages(synic);
	atomic_store(&synic->waiting, 0);
	pthread_mutex_unlock(&synic->lock);
}

void synic_init(struct vsm_vp *vp, uint8_t vtl)
{
	pthread_mutex_init(&vp->vtl[vtl].synic.lock, NULL);
	synic_reset(vp, vtl);
}

void synic_destroy(struct vsm_vp *vp, uint8_t vtl)
{
	drop_messages(&vp->vtl[vtl].synic);
	pthread_mutex_destroy(&vp->vtl[vtl].synic.lock);
}

/* Here and up to drain(): lock held, or no VP runs. */

static struct hv_message *message_slot(struct vsm_vp *vp, uint8_t vtl, uint8_t sint)
{
	struct hv_message_page *page = (struct hv_message_page *)(void *)overlay_memory(
		vp->partition, OVERLAY_SIM, vtl, vp->index);

	return &page->slot[sint];
}

/* TLFS "SINTx Registers": Polling unmasks, but generates no interrupt. */
static bool is_masked(uint64_t sint)
{
	return (sint & HV_SYNIC_SINT_MASKED) && !(sint & HV_SYNIC_SINT_POLLING);
}

static bool is_page_on(const struct synic *synic, uint64_t page_msr)
{
	return (synic->scontrol & HV_SYNIC_SCONTROL_ENABLE) && (page_msr & HV_PAGE_MSR_ENABLE);
}

/* Whether a SINT accepts messages or events: SynIC and its page on, not masked. */
static bool is_open(const struct synic *synic, uint8_t sint, uint64_t page_msr)
{
	return is_page_on(synic, page_msr) && !is_masked(synic->sint[sint]);
}

static void raise_sint(struct vsm_vp *vp, uint8_t vtl, uint64_t sint)
{
	if (sint & (HV_SYNIC_SINT_POLLING | HV_SYNIC_SINT_MASKED))
		return;
	interrupt_post(vp, vtl, sint & HV_SYNIC_SINT_VECTOR_MASK,
		       sint & HV_SYNIC_SINT_AUTO_EOI ? VSM_LAPIC_AUTO_EOI : VSM_LAPIC_EDGE);
}

/* If the slot is not free, sets MessagePending so that the guest sends an EOM. */
static bool fill_slot(struct vsm_vp *vp, uint8_t vtl, uint8_t sint,
		      const struct hv_message *message, bool more)
{
	struct hv_message *slot = message_slot(vp, vtl, sint);
	uint8_t flags = more ? HV_MESSAGE_FLAG_PENDING : 0;

	if (__atomic_load_n(&slot->message_type, __ATOMIC_ACQUIRE) != HV_MESSAGE_TYPE_NONE) {
		__atomic_fetch_or(&slot->flags, HV_MESSAGE_FLAG_PENDING, __ATOMIC_SEQ_CST);
		/* If the guest freed the slot before the flag was set, it sends no EOM. */
		if (__atomic_load_n(&slot->message_type, __ATOMIC_SEQ_CST) != HV_MESSAGE_TYPE_NONE)
			return false;
	}
	/* Other VPs may read the page meanwhile. */
	__atomic_store_n(&slot->payload_size, message->payload_size, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->reserved, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->sender, message->sender, __ATOMIC_RELAXED);
	for (size_t i = 0; i < ARRAY_SIZE(slot->payload); i++)
		__atomic_store_n(&slot->payload[i], message->payload[i], __ATOMIC_RELAXED);
	__atomic_store_n(&slot->flags, flags, __ATOMIC_RELAXED);
	__atomic_store_n(&slot->message_type, message->message_type, __ATOMIC_RELEASE);
	raise_sint(vp, vtl, vp->vtl[vtl].synic.sint[sint]);
	return true;
}

/* False: the queue is full, or the host has no memory for it. */
static bool enqueue(struct synic_message_queue *queue, const struct hv_message *message)
{
	if (queue->count == SYNIC_QUEUE_MAX)
		return false;
	if (!queue->message)
		queue->message = calloc(SYNIC_QUEUE_MAX, sizeof(*queue->message));
	if (!queue->message)
		return false;
	queue->message[(queue->head + queue->count) % SYNIC_QUEUE_MAX] = *message;
	queue->count++;
	return true;
}

/*
 * Moves the oldest message to the slot if that is free; @by_eom: also to a masked SINT, without an
 * interrupt (TLFS "EOM Register"), so that the guest can empty its queue.
 */
static void drain(struct vsm_vp *vp, uint8_t vtl, uint8_t sint, bool by_eom)
{
	struct synic *synic = &vp->vtl[vtl].synic;
	struct synic_message_queue *queue = &synic->queue[sint];

	if (queue->count == 0 || !is_page_on(synic, synic->simp) ||
	    (!by_eom && is_masked(synic->sint[sint])))
		return;
	if (fill_slot(vp, vtl, sint, &queue->message[queue->head], queue->count > 1)) {
		queue->head = (uint8_t)((queue->head + 1) % SYNIC_QUEUE_MAX);
		queue->count--;
	}
}

int synic_post(struct vsm_vp *vp, uint8_t vtl, uint8_t sint, const struct hv_message *message,
	       bool queue)
{
	struct synic *synic = &vp->vtl[vtl].synic;
	struct synic_message_queue *waiting = &synic->queue[sint];
	int error = 0;

	pthread_mutex_lock(&synic->lock);
	drain(vp, vtl, sint, false);
	if (!is_open(synic, sint, synic->simp)) {
		error = -EAGAIN;
	} else if (waiting->count == 0 && fill_slot(vp, vtl, sint, message, false)) {
		error = 0;
	} else if (!queue) {
		error = -EBUSY;
	} else if (enqueue(waiting, message)) {
		synic_mark_waiting(vp, vtl, (uint16_t)(1u << sint));
	} else {
		error = -ENOBUFS;
	}
	pthread_mutex_unlock(&synic->lock);
	trace_about(vp, vtl, VSM_TRACE_MESSAGE, vtl, sint, message->message_type, (uint64_t)error);
	return error;
}

bool synic_restore_message(struct vsm_vp *vp, uint8_t vtl, uint8_t sint,
			   const struct hv_message *message)
{
	return enqueue(&vp->vtl[vtl].synic.queue[sint], message);
}

int synic_signal(struct vsm_vp *vp, uint8_t vtl, uint8_t sint, uint16_t flag)
{
	struct synic *synic = &vp->vtl[vtl].synic;
	struct hv_event_flags_page *page = (struct hv_event_flags_page *)(void *)overlay_memory(
		vp->partition, OVERLAY_SIEF, vtl, vp->index);
	int result = -EAGAIN;

	pthread_mutex_lock(&synic->lock);
	if (is_open(synic, sint, synic->siefp)) {
		uint64_t bit = UINT64_C(1) << (flag % 64);
		uint64_t old = __atomic_fetch_or(&page->slot[sint].flags[flag / 64], bit,
						 __ATOMIC_SEQ_CST);

		result = !(old & bit);
		if (result)
			raise_sint(vp, vtl, synic->sint[sint]);
	}
	pthread_mutex_unlock(&synic->lock);
	trace_about(vp, vtl, VSM_TRACE_EVENT_FLAG, vtl, sint, flag, (uint64_t)result);
	return result;
}

int synic_assert(struct vsm_vp *vp, uint8_t vtl, uint8_t sint)
{
	struct synic *synic = &vp->vtl[vtl].synic;
	int error = -EAGAIN;

	pthread_mutex_lock(&synic->lock);
	if ((synic->scontrol & HV_SYNIC_SCONTROL_ENABLE) && !is_masked(synic->sint[sint])) {
		raise_sint(vp, vtl, synic->sint[sint]);
		error = 0;
	}
	pthread_mutex_unlock(&synic->lock);
	return error;
}

void synic_rescan(struct vsm_vp *vp, uint8_t vtl, int vector, bool by_eom)
{
	struct synic *synic = &vp->vtl[vtl].synic;
	uint16_t look = 0;

	pthread_mutex_lock(&synic->lock);
	for (uint8_t sint = 0; sint < HV_SYNIC_SINT_COUNT; sint++) {
		if (vector >= 0 &&
		    (synic->sint[sint] & HV_SYNIC_SINT_VECTOR_MASK) != (uint64_t)vector)
			continue;
		look |= (uint16_t)(1u << sint);
		drain(vp, vtl, sint, by_eom);
	}
	pthread_mutex_unlock(&synic->lock);
	for (; look; look &= (uint16_t)(look - 1))
		stimer_retry(vp, vtl, (uint8_t)__builtin_ctz(look));
}

/* In this order, as synic_retry() clears synic_waiting first: otherwise a SINT could be missed. */
void synic_mark_waiting(struct vsm_vp *vp, uint8_t vtl, uint16_t sints)
{
	atomic_fetch_or(&vp->vtl[vtl].synic.waiting, sints);
	atomic_fetch_or(&vp->synic_waiting, vtl_bit(vtl));
}

static void retry(struct vsm_vp *vp, uint8_t vtl)
{
	struct synic *synic = &vp->vtl[vtl].synic;
	uint16_t look = atomic_exchange(&synic->waiting, 0);

	for (; look; look &= (uint16_t)(look - 1)) {
		uint8_t sint = (uint8_t)__builtin_ctz(look);
		bool waits;

		pthread_mutex_lock(&synic->lock);
		drain(vp, vtl, sint, false);
		waits = synic->queue[sint].count > 0;
		pthread_mutex_unlock(&synic->lock);
		waits |= stimer_retry(vp, vtl, sint);
		if (waits)
			synic_mark_waiting(vp, vtl, (uint16_t)(1u << sint));
	}
}

void synic_retry(struct vsm_vp *vp)
{
	uint16_t vtls = atomic_exchange(&vp->synic_waiting, 0);

	for (; vtls; vtls &= (uint16_t)(vtls - 1))
		retry(vp, (uint8_t)__builtin_ctz(vtls));
}

static struct vsm_vp *endpoint(struct vsm_partition *partition, uint32_t vp, uint8_t vtl,
			       uint8_t sint)
{
	if (vp >= partition->vp_count || vtl >= partition->vtl_count || sint >= HV_SYNIC_SINT_COUNT)
		return NULL;
	return partition->vp[vp];
}

int vsm_sint_assert(struct vsm_partition *partition, uint32_t vp, uint8_t vtl, uint8_t sint)
{
	struct vsm_vp *target = endpoint(partition, vp, vtl, sint);

	return target ? synic_assert(target, vtl, sint)
		      : vsm_error(&partition->log, EINVAL, "no SINT %u of VTL %u of VP %u", sint,
				  vtl, vp);
}

int vsm_message_post(struct vsm_partition *partition, uint32_t vp, uint8_t vtl, uint8_t sint,
		     const struct hv_message *message)
{
	struct vsm_vp *target = endpoint(partition, vp, vtl, sint);
	int error;

	if (!target || message->payload_size > HV_MESSAGE_PAYLOAD_MAX ||
	    message->message_type == HV_MESSAGE_TYPE_NONE)
		return vsm_error(&partition->log, EINVAL,
				 "no SINT %u of VTL %u of VP %u, or an empty message", sint, vtl,
				 vp);
	error = synic_post(target, vtl, sint, message, true);
	return error == -ENOBUFS ? -EAGAIN : error;
}

int vsm_event_signal(struct vsm_partition *partition, uint32_t vp, uint8_t vtl, uint8_t sint,
		     uint16_t flag)
{
	struct vsm_vp *target = endpoint(partition, vp, vtl, sint);

	if (!target || flag >= HV_EVENT_FLAGS_COUNT)
		return vsm_error(&partition->log, EINVAL, "no flag %u, SINT %u of VTL %u of VP %u",
				 flag, sint, vtl, vp);
	return synic_signal(target, vtl, sint, flag);
}
