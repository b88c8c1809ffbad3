/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections: the target of a guest's messages and events is the VMM, or a SINT of the partition
 * itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/interrupt/connection.h"
#include "core/interrupt/synic.h"
#include "core/lock.h"

#define CONNECTION_MAX 4096u

/* Returns an index, or -1. Connection lock held. */
static int find_connection(const struct vsm_partition *partition, uint8_t kind, uint32_t id)
{
	for (uint32_t i = 0; i < partition->connection_count; i++)
		if (partition->connection[i].kind == kind && partition->connection[i].id == id)
			return (int)i;
	return -1;
}

int vsm_connection_add(struct vsm_partition *partition, const struct vsm_connection *connection)
{
	const struct vsm_log *log = &partition->log;
	struct vsm_connection *grown;
	int error = 0;

	if (connection->id & ~HV_CONNECTION_ID_MASK || connection->kind > VSM_CONNECTION_EVENT)
		return vsm_error(log, EINVAL, "connection %#x of kind %u: not legal",
				 connection->id, connection->kind);
	if (!connection->fn &&
	    (connection->vp >= partition->vp_count || connection->vtl >= partition->vtl_count ||
	     connection->sint >= HV_SYNIC_SINT_COUNT))
		return vsm_error(log, EINVAL, "connection %#x: no SINT %u of VTL %u of VP %u",
				 connection->id, connection->sint, connection->vtl, connection->vp);
	pthread_rwlock_wrlock(&partition->connection_lock);
	if (find_connection(partition, connection->kind, connection->id) >= 0) {
		error = vsm_error(log, EEXIST, "connection %#x: in use", connection->id);
	} else if (partition->connection_count == CONNECTION_MAX) {
		error = vsm_error(log, ENOSPC,
				  "connection %#x: the limit of %u connections is reached",
				  connection->id, CONNECTION_MAX);
	} else {
		grown = realloc(partition->connection,
				(partition->connection_count + 1) * sizeof(*grown));
		if (grown) {
			grown[partition->connection_count++] = *connection;
			partition->connection = grown;
		} else {
			error = vsm_error(log, ENOMEM, "no memory for connection %#x",
					  connection->id);
		}
	}
	pthread_rwlock_unlock(&partition->connection_lock);
	return error;
}

int vsm_connection_remove(struct vsm_partition *partition, uint8_t kind, uint32_t id)
{
	int error = 0;
	int index;

	/* Waits for callbacks, which hold the lock shared. */
	pthread_rwlock_wrlock(&partition->connection_lock);
	index = find_connection(partition, kind, id);
	if (index < 0)
		error = vsm_error(&partition->log, ENOENT, "connection %#x: does not exist", id);
	else
		partition->connection[index] = partition->connection[--partition->connection_count];
	pthread_rwlock_unlock(&partition->connection_lock);
	return error;
}

static uint16_t status_of(int error)
{
	switch (error) {
	case -EAGAIN:
		return HV_STATUS_INVALID_SYNIC_STATE;
	case -ENOBUFS:
		return HV_STATUS_INSUFFICIENT_BUFFERS;
	default:
		return HV_STATUS_SUCCESS;
	}
}

uint16_t connection_post(struct vsm_partition *partition, uint32_t id, uint32_t type,
			 const void *payload, size_t size)
{
	uint16_t status = HV_STATUS_INVALID_CONNECTION_ID;
	int index;

	pthread_rwlock_rdlock(&partition->connection_lock);
	index = find_connection(partition, VSM_CONNECTION_MESSAGE, id & HV_CONNECTION_ID_MASK);
	if (index >= 0) {
		const struct vsm_connection *to = &partition->connection[index];
		struct hv_message message = {
			.message_type = type, .payload_size = (uint8_t)size, .sender = id};

		status = HV_STATUS_SUCCESS;
		memcpy(message.payload, payload, size);
		if (to->fn)
			to->fn(to->opaque, to->id, type, message.payload, size);
		else
			status = status_of(synic_post(partition->vp[to->vp], to->vtl, to->sint,
						      &message, true));
	}
	pthread_rwlock_unlock(&partition->connection_lock);
	return status;
}

uint16_t connection_signal(struct vsm_partition *partition, uint32_t id, uint16_t flag)
{
	uint16_t status = HV_STATUS_INVALID_CONNECTION_ID;
	int index;

	pthread_rwlock_rdlock(&partition->connection_lock);
	index = find_connection(partition, VSM_CONNECTION_EVENT, id & HV_CONNECTION_ID_MASK);
	if (index >= 0) {
		const struct vsm_connection *to = &partition->connection[index];

		if (to->fn) {
			to->fn(to->opaque, to->id, 0, &flag, sizeof(flag));
			status = HV_STATUS_SUCCESS;
		} else if (to->flag_base + flag >= HV_EVENT_FLAGS_COUNT) {
			status = HV_STATUS_INVALID_PARAMETER;
		} else {
			status = status_of(synic_signal(partition->vp[to->vp], to->vtl, to->sint,
							(uint16_t)(to->flag_base + flag)));
		}
	}
	pthread_rwlock_unlock(&partition->connection_lock);
	return status;
}

void connection_init(struct vsm_partition *partition)
{
	/* VPs that post without end must not keep the VMM from removing a connection. */
	(void)rwlock_init_writers_first(&partition->connection_lock);
}

void connection_destroy(struct vsm_partition *partition)
{
	free(partition->connection);
	partition->connection = NULL;
	partition->connection_count = 0;
}
