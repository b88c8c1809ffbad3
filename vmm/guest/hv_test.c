/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Connections lead back to the partition: a message arrives unchanged, an event sets the flag with
 * the connection's number plus the guest's flag number. Invalid commands have no effect.
 */
#include <string.h>

#include <vsm/hv/hv.h>

#include "guest/guest.h"

static int connect(struct vmm_guest *guest, unsigned int kind, uint8_t id, struct vmm_route route)
{
	const struct vsm_connection connection = {
		.id = id,
		.kind = (uint8_t)kind,
		.vp = route.vp,
		.sint = route.sint,
		.flag_base = id,
	};
	int error;

	if (vmm_is_connected(&guest->connections, kind, id))
		return 0;
	error = vsm_connection_add(guest->partition, &connection);
	if (!error) {
		guest->connections.made[kind][id / 64] |= UINT64_C(1) << id % 64;
		guest->connections.route[kind][id] = route;
	}
	return error;
}

static void disconnect(struct vmm_guest *guest, unsigned int kind, uint8_t id)
{
	if (vmm_is_connected(&guest->connections, kind, id))
		(void)vsm_connection_remove(guest->partition, (uint8_t)kind, id);
	guest->connections.made[kind][id / 64] &= ~(UINT64_C(1) << id % 64);
}

bool vmm_connections_are_legal(const struct vmm_connections *connections, uint32_t cpus)
{
	for (unsigned int kind = 0; kind < VMM_KINDS; kind++)
		for (unsigned int id = 0; id < VMM_CONNECTIONS; id++)
			if (vmm_is_connected(connections, kind, id) &&
			    (connections->route[kind][id].vp >= cpus ||
			     connections->route[kind][id].sint >= HV_SYNIC_SINT_COUNT))
				return false;
	return true;
}

int vmm_hv_test_connect(struct vmm_guest *guest, const struct vmm_connections *connections)
{
	int error = 0;

	for (unsigned int kind = 0; kind < VMM_KINDS && !error; kind++)
		for (unsigned int id = 0; id < VMM_CONNECTIONS && !error; id++)
			if (vmm_is_connected(connections, kind, id))
				error = connect(guest, kind, (uint8_t)id,
						connections->route[kind][id]);
	return error;
}

void vmm_hv_test(void *opaque, const struct vmm_hv_test_request *request)
{
	struct vmm_guest *guest = opaque;
	uint16_t *routes = &guest->sint_routes[request->vp];
	const uint16_t route = (uint16_t)(1u << request->sint);
	const struct vmm_route target = {request->vp, request->sint};

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
		(void)connect(guest, VSM_CONNECTION_MESSAGE, request->connection, target);
		break;
	case VMM_HV_TEST_DESTROY_MESSAGE_CONNECTION:
		disconnect(guest, VSM_CONNECTION_MESSAGE, request->connection);
		break;
	case VMM_HV_TEST_CREATE_EVENT_CONNECTION:
		(void)connect(guest, VSM_CONNECTION_EVENT, request->connection, target);
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
