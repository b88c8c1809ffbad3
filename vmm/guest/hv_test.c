/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commands of the Hyper-V test device, by way of the partition's SynIC.
 *
 * A connection's target is a SINT of the same partition: a message arrives unchanged, an event sets
 * the flag with the connection's number. Invalid commands (a duplicate connection, a missing route,
 * a masked SINT) have no effect.
 */
#include <string.h>

#include "guest/guest.h"

static uint64_t *word(struct vmm_guest *guest, enum vsm_connection_kind kind, uint8_t id)
{
	return &guest->connections[kind][id / 64];
}

static uint64_t bit(uint8_t id)
{
	return UINT64_C(1) << id % 64;
}

int vmm_hv_test_connect(struct vmm_guest *guest, enum vsm_connection_kind kind, uint8_t id,
			struct vmm_route route)
{
	const struct vsm_connection connection = {
		.id = id,
		.kind = (uint8_t)kind,
		.vp = route.vp,
		.sint = route.sint,
		.flag_base = id,
	};
	const int error = vsm_connection_add(guest->partition, &connection);

	if (!error) {
		*word(guest, kind, id) |= bit(id);
		guest->route[kind][id] = route;
	}
	return error;
}

static void connect(struct vmm_guest *guest, const struct vmm_hv_test_request *request,
		    enum vsm_connection_kind kind)
{
	const struct vmm_route route = {request->vp, request->sint};

	if (!(*word(guest, kind, request->connection) & bit(request->connection)))
		(void)vmm_hv_test_connect(guest, kind, request->connection, route);
}

static void disconnect(struct vmm_guest *guest, enum vsm_connection_kind kind, uint8_t id)
{
	if (*word(guest, kind, id) & bit(id))
		(void)vsm_connection_remove(guest->partition, (uint8_t)kind, id);
	*word(guest, kind, id) &= ~bit(id);
}

void vmm_hv_test(void *opaque, const struct vmm_hv_test_request *request)
{
	struct vmm_guest *guest = opaque;
	uint16_t *routes = &guest->sint_routes[request->vp];
	const uint16_t route = (uint16_t)(1u << request->sint);

	switch (request->command) {
	case VMM_HV_TEST_CREATE_SINT_ROUTE:
		*routes |= route;
		break;
	case VMM_HV_TEST_DESTROY_SINT_ROUTE:
		*routes &= (uint16_t)~route;
		break;
	case VMM_HV_TEST_SET_SINT:
		if (*routes & route)
			(void)vsm_sint_assert(guest->partition, request->vp, 0, request->sint);
		break;
	case VMM_HV_TEST_CREATE_MESSAGE_CONNECTION:
		connect(guest, request, VSM_CONNECTION_MESSAGE);
		break;
	case VMM_HV_TEST_DESTROY_MESSAGE_CONNECTION:
		disconnect(guest, VSM_CONNECTION_MESSAGE, request->connection);
		break;
	case VMM_HV_TEST_CREATE_EVENT_CONNECTION:
		connect(guest, request, VSM_CONNECTION_EVENT);
		break;
	case VMM_HV_TEST_DESTROY_EVENT_CONNECTION:
		disconnect(guest, VSM_CONNECTION_EVENT, request->connection);
		break;
	}
}

void vmm_hv_test_reset(struct vmm_guest *guest)
{
	for (unsigned int id = 0; id < VMM_CONNECTIONS; id++) {
		disconnect(guest, VSM_CONNECTION_MESSAGE, (uint8_t)id);
		disconnect(guest, VSM_CONNECTION_EVENT, (uint8_t)id);
	}
	memset(guest->sint_routes, 0, guest->config->cpus * sizeof(*guest->sint_routes));
}
