/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intercepts that each VTL has enabled: I/O ports and MSRs by HvCallInstallIntercept, registers and
 * MSRs by CrInterceptControl.
 */
#include "core/intercept/installed.h"

#include <errno.h>
#include <stdlib.h>

#include "core/intercept/intercept.h"
#include "core/memory/doorbell.h"

#define PORT_COUNT 65536u
#define PORT_WORDS (PORT_COUNT / 64u)

/*
 * Intercepts that System Management Mode makes impossible: SMI and RSM write these registers
 * without an exit (SDM 3C, "SMRAM State Save Map", "SMI Handler Execution Environment").
 */
#define WITHOUT_SMM                                                                              \
	(HV_CR_INTERCEPT(CR0_WRITE) | HV_CR_INTERCEPT(CR4_WRITE) | HV_CR_INTERCEPT(GDTR_WRITE) | \
	 HV_CR_INTERCEPT(IDTR_WRITE) | HV_CR_INTERCEPT(LDTR_WRITE) | HV_CR_INTERCEPT(TR_WRITE) | \
	 HV_CR_INTERCEPT(MSR_EFER_WRITE))

struct msr_intercept {
	uint32_t msr;
	uint32_t mask; /* HV_INTERCEPT_ACCESS_MASK_READ, _WRITE */
};

struct intercept_map {
	uint64_t port[2][PORT_WORDS]; /* [write] */
	uint32_t msr_count;
	struct msr_intercept msr[INTERCEPT_MSR_MAX];
};

const struct cr_intercept cr_intercept_table[] = {
	{HV_CR_INTERCEPT_BIT_IA32_MISC_ENABLE_READ, false, 1, {X64_MSR_MISC_ENABLE}},
	{HV_CR_INTERCEPT_BIT_IA32_MISC_ENABLE_WRITE, true, 1, {X64_MSR_MISC_ENABLE}},
	{HV_CR_INTERCEPT_BIT_MSR_LSTAR_READ, false, 1, {X64_MSR_LSTAR}},
	{HV_CR_INTERCEPT_BIT_MSR_LSTAR_WRITE, true, 1, {X64_MSR_LSTAR}},
	{HV_CR_INTERCEPT_BIT_MSR_STAR_READ, false, 1, {X64_MSR_STAR}},
	{HV_CR_INTERCEPT_BIT_MSR_STAR_WRITE, true, 1, {X64_MSR_STAR}},
	{HV_CR_INTERCEPT_BIT_MSR_CSTAR_READ, false, 1, {X64_MSR_CSTAR}},
	{HV_CR_INTERCEPT_BIT_MSR_CSTAR_WRITE, true, 1, {X64_MSR_CSTAR}},
	{HV_CR_INTERCEPT_BIT_APIC_BASE_MSR_READ, false, 1, {X64_MSR_APIC_BASE}},
	{HV_CR_INTERCEPT_BIT_APIC_BASE_MSR_WRITE, true, 1, {X64_MSR_APIC_BASE}},
	{HV_CR_INTERCEPT_BIT_MSR_EFER_READ, false, 1, {X64_MSR_EFER}},
	{HV_CR_INTERCEPT_BIT_MSR_EFER_WRITE, true, 1, {X64_MSR_EFER}},
	{HV_CR_INTERCEPT_BIT_MSR_SYSENTER_CS_WRITE, true, 1, {X64_MSR_SYSENTER_CS}},
	{HV_CR_INTERCEPT_BIT_MSR_SYSENTER_EIP_WRITE, true, 1, {X64_MSR_SYSENTER_EIP}},
	{HV_CR_INTERCEPT_BIT_MSR_SYSENTER_ESP_WRITE, true, 1, {X64_MSR_SYSENTER_ESP}},
	{HV_CR_INTERCEPT_BIT_MSR_SFMASK_WRITE, true, 1, {X64_MSR_SFMASK}},
	{HV_CR_INTERCEPT_BIT_MSR_TSC_AUX_WRITE, true, 1, {X64_MSR_TSC_AUX}},
	{HV_CR_INTERCEPT_BIT_MSR_SGX_LAUNCH_CONTROL_WRITE, true, 4, {0x8c, 0x8d, 0x8e, 0x8f}},
	{HV_CR_INTERCEPT_BIT_MSR_XSS_WRITE, true, 1, {X64_MSR_XSS}},
	{HV_CR_INTERCEPT_BIT_MSR_SCET_WRITE, true, 1, {X64_MSR_S_CET}},
	{HV_CR_INTERCEPT_BIT_MSR_PLS_SSP_WRITE, true, 3, {0x6a4, 0x6a5, 0x6a6}},
	{HV_CR_INTERCEPT_BIT_MSR_INTERRUPT_SSP_TABLE_ADDR_WRITE,
	 true,
	 1,
	 {X64_MSR_INTERRUPT_SSP_TABLE}},
};
const size_t cr_intercept_table_size = ARRAY_SIZE(cr_intercept_table);

const struct cr_intercept *cr_intercept_of_msr(uint32_t msr, bool write)
{
	for (size_t i = 0; i < cr_intercept_table_size; i++) {
		const struct cr_intercept *entry = &cr_intercept_table[i];

		for (unsigned int k = 0; k < entry->msr_count && entry->write == write; k++) {
			if (entry->msr[k] == msr)
				return entry;
		}
	}
	return NULL;
}

uint64_t intercept_supported(const struct vsm_partition *partition)
{
	uint64_t supported = partition->features.cr_intercepts;

	for (size_t i = 0; i < cr_intercept_table_size && partition->features.msr_intercepts; i++)
		supported |= HV_BIT64(cr_intercept_table[i].bit);
	return partition->config.smm ? supported & ~WITHOUT_SMM : supported;
}

bool intercept_msr_supported(const struct vsm_partition *partition, uint32_t msr, uint32_t mask)
{
	return partition->features.msr_intercepts &&
	       !(partition->config.smm && msr == X64_MSR_EFER &&
		 mask & HV_INTERCEPT_ACCESS_MASK_WRITE);
}

static struct msr_intercept *find_msr(struct intercept_map *map, uint32_t msr)
{
	for (uint32_t i = 0; map && i < map->msr_count; i++) {
		if (map->msr[i].msr == msr)
			return &map->msr[i];
	}
	return NULL;
}

/* Whether any VTL above @vtl intercepts this access, on any VP. */
static bool msr_wanted(struct vsm_partition *partition, uint8_t vtl, uint32_t msr, bool write)
{
	const struct cr_intercept *entry = cr_intercept_of_msr(msr, write);
	uint32_t mask = write ? HV_INTERCEPT_ACCESS_MASK_WRITE : HV_INTERCEPT_ACCESS_MASK_READ;

	for (unsigned int owner = vtl + 1u; owner < partition->vtl_count; owner++) {
		struct partition_vtl *state = &partition->vtl[owner];
		const struct msr_intercept *installed = find_msr(state->intercept, msr);

		if (installed && (installed->mask & mask))
			return true;
		if (entry && state->cr_intercept_users[entry->bit])
			return true;
	}
	return false;
}

/* For every VTL below @owner. Partition lock held. */
static int update_msr_exits(struct vsm_partition *partition, uint8_t owner, uint32_t msr)
{
	for (unsigned int vtl = 0; vtl < owner; vtl++) {
		int error = partition->ops->msr_intercept(
			partition->backend, (uint8_t)vtl, msr,
			msr_wanted(partition, (uint8_t)vtl, msr, false),
			msr_wanted(partition, (uint8_t)vtl, msr, true));

		if (error)
			return error;
	}
	return 0;
}

/* Partition lock held. */
static int count_control(struct vsm_partition *partition, struct vp_vtl *state, uint8_t owner,
			 const struct cr_intercept *entry)
{
	uint32_t *users = &partition->vtl[owner].cr_intercept_users[entry->bit];
	bool now = state->cr_intercept_control >> entry->bit & 1;
	bool before = state->cr_intercept_counted >> entry->bit & 1;

	if (now == before)
		return 0;
	state->cr_intercept_counted ^= HV_BIT64(entry->bit);
	*users += now ? 1u : UINT32_MAX;
	/* Only the first and the last user change the exits. */
	if (*users != (now ? 1u : 0u))
		return 0;
	for (unsigned int k = 0; k < entry->msr_count; k++) {
		int error = update_msr_exits(partition, owner, entry->msr[k]);

		if (error) {
			/* Not counted: the next update tries again. */
			state->cr_intercept_counted ^= HV_BIT64(entry->bit);
			*users -= now ? 1u : UINT32_MAX;
			return error;
		}
	}
	return 0;
}

static int update_register_exits(struct vsm_vp *vp, uint8_t vtl)
{
	const struct vsm_partition *partition = vp->partition;
	uint64_t control = 0;
	uint64_t cr0_mask = 0;
	uint64_t cr4_mask = 0;

	for (unsigned int owner = vtl + 1u; owner < partition->vtl_count; owner++) {
		const struct vp_vtl *own = &vp->vtl[owner];

		control |= own->cr_intercept_control & partition->features.cr_intercepts;
		if (own->cr_intercept_control & HV_CR_INTERCEPT(CR0_WRITE))
			cr0_mask |= own->cr0_mask;
		if (own->cr_intercept_control & HV_CR_INTERCEPT(CR4_WRITE))
			cr4_mask |= own->cr4_mask;
	}
	return partition->ops->vp_cr_intercept(vp->backend, vtl, control, cr0_mask, cr4_mask);
}

int intercept_update(struct vsm_vp *vp, uint8_t vtl)
{
	struct vsm_partition *partition = vp->partition;
	int error = 0;

	for (unsigned int lower = 0; lower < vtl && partition->features.cr_intercepts && !error;
	     lower++)
		error = update_register_exits(vp, (uint8_t)lower);
	if (!partition->features.msr_intercepts)
		return error;
	pthread_mutex_lock(&partition->lock);
	for (size_t i = 0; i < cr_intercept_table_size && !error; i++)
		error = count_control(partition, &vp->vtl[vtl], vtl, &cr_intercept_table[i]);
	pthread_mutex_unlock(&partition->lock);
	return error;
}

static bool port_set(const struct intercept_map *map, uint32_t port, bool write)
{
	return map->port[write][port / 64] >> (port % 64) & 1;
}

static void set_ports(struct intercept_map *map, uint32_t first, uint32_t last, uint32_t mask)
{
	for (uint32_t word = first / 64; word <= last / 64; word++) {
		uint64_t bits = UINT64_MAX;

		if (word == first / 64)
			bits &= UINT64_MAX << (first % 64);
		if (word == last / 64)
			bits &= UINT64_MAX >> (63 - last % 64);
		for (unsigned int write = 0; write < 2; write++) {
			if (mask >> write & 1)
				map->port[write][word] |= bits;
			else
				map->port[write][word] &= ~bits;
		}
	}
}

static uint16_t set_msr(struct vsm_partition *partition, uint8_t vtl, uint32_t msr, uint32_t mask)
{
	struct intercept_map *map = partition->vtl[vtl].intercept;
	struct msr_intercept *entry = find_msr(map, msr);
	uint32_t before = entry ? entry->mask : 0;
	uint16_t status = HV_STATUS_SUCCESS;

	if (mask == before)
		return HV_STATUS_SUCCESS;
	if (!entry) {
		if (map->msr_count == INTERCEPT_MSR_MAX)
			return HV_STATUS_INSUFFICIENT_MEMORY;
		entry = &map->msr[map->msr_count++];
		entry->msr = msr;
	}
	entry->mask = mask;
	if (update_msr_exits(partition, vtl, msr)) {
		status = HV_STATUS_OPERATION_FAILED;
		entry->mask = before;
		/* If this fails, too, the MSR exits without an interceptor, which is harmless. */
		update_msr_exits(partition, vtl, msr);
	}
	if (!entry->mask)
		*entry = map->msr[--map->msr_count];
	return status;
}

/* Partition lock held. */
static uint16_t install(struct vsm_partition *partition, uint8_t vtl, uint32_t type, uint32_t mask,
			uint64_t parameter)
{
	struct intercept_map **map = &partition->vtl[vtl].intercept;
	uint32_t first = (uint16_t)parameter;
	uint32_t last = first;

	if (type == HV_INTERCEPT_TYPE_X64_IO_PORT_RANGE)
		last = (uint16_t)(parameter >> HV_INTERCEPT_IO_PORT_RANGE_END_SHIFT);
	if (last < first)
		return HV_STATUS_INVALID_PARAMETER;
	if (!*map && !mask)
		return HV_STATUS_SUCCESS;
	if (!*map)
		*map = calloc(1, sizeof(**map));
	if (!*map)
		return HV_STATUS_INSUFFICIENT_MEMORY;
	atomic_fetch_or(&partition->intercept_vtls, vtl_bit(vtl));
	if (type != HV_INTERCEPT_TYPE_X64_IO_PORT && type != HV_INTERCEPT_TYPE_X64_IO_PORT_RANGE)
		return set_msr(partition, vtl, (uint32_t)parameter, mask);
	if (mask & HV_INTERCEPT_ACCESS_MASK_WRITE)
		doorbell_stop_ports(partition, (uint16_t)first, (uint16_t)last);
	set_ports(*map, first, last, mask);
	return HV_STATUS_SUCCESS;
}

uint16_t intercept_install(struct vsm_partition *partition, uint8_t vtl, uint32_t type,
			   uint32_t mask, uint64_t parameter)
{
	uint16_t status;

	if (mask & ~(HV_INTERCEPT_ACCESS_MASK_READ | HV_INTERCEPT_ACCESS_MASK_WRITE))
		return HV_STATUS_INVALID_PARAMETER;
	switch (type) {
	case HV_INTERCEPT_TYPE_X64_IO_PORT:
	case HV_INTERCEPT_TYPE_X64_IO_PORT_RANGE:
		break;
	case HV_INTERCEPT_TYPE_X64_MSR:
		/*
		 * By the TLFS the parameter is the number of one MSR. OpenHCL passes 0 for all MSRs
		 * that the hypervisor does not implement, which is not offered.
		 */
		if (!(uint32_t)parameter)
			return HV_STATUS_INVALID_PARAMETER;
		__attribute__((fallthrough));
	case HV_INTERCEPT_TYPE_X64_MSR_INDEX:
		if (intercept_msr_supported(partition, (uint32_t)parameter, mask))
			break;
		vsm_log(&partition->log, VSM_LOG_DEBUG,
			"VTL%u: MSR %#x cannot be intercepted by backend %s%s", vtl,
			(uint32_t)parameter, partition->ops->name,
			partition->config.smm ? " with System Management Mode" : "");
		return HV_STATUS_OPERATION_DENIED;
	default:
		return HV_STATUS_INVALID_PARAMETER;
	}
	pthread_mutex_lock(&partition->lock);
	status = install(partition, vtl, type, mask, parameter);
	pthread_mutex_unlock(&partition->lock);
	return status;
}

uint8_t intercept_io_owner_locked(const struct vsm_partition *partition, uint16_t owners,
				  uint16_t port, uint8_t size, bool write)
{
	uint8_t found = 0;

	for (unsigned int owner = 1; owner < partition->vtl_count && !found; owner++) {
		const struct intercept_map *map = partition->vtl[owner].intercept;

		/*
		 * As in the CPU's I/O bitmap, one intercepted byte is enough. The access does not
		 * wrap at port 0xffff.
		 */
		for (uint32_t i = 0; map && (owners & vtl_bit(owner)) && i < size; i++) {
			if (port + i < PORT_COUNT && port_set(map, port + i, write))
				found = (uint8_t)owner;
		}
	}
	return found;
}

uint8_t intercept_io_owner_of(struct vsm_partition *partition, uint16_t owners, uint16_t port,
			      uint8_t size, bool write)
{
	uint8_t found;

	owners &= atomic_load(&partition->intercept_vtls);
	if (!owners)
		return 0;
	pthread_mutex_lock(&partition->lock);
	found = intercept_io_owner_locked(partition, owners, port, size, write);
	pthread_mutex_unlock(&partition->lock);
	return found;
}

uint8_t intercept_io_owner(struct vsm_partition *partition, uint8_t vtl, uint16_t port,
			   uint8_t size, bool write)
{
	return intercept_io_owner_of(partition, vtls_above(vtl), port, size, write);
}

uint8_t intercept_msr_owner_of(struct vsm_partition *partition, uint16_t owners, uint32_t msr,
			       bool write)
{
	uint32_t mask = write ? HV_INTERCEPT_ACCESS_MASK_WRITE : HV_INTERCEPT_ACCESS_MASK_READ;
	uint8_t found = 0;

	owners &= atomic_load(&partition->intercept_vtls);
	if (!owners)
		return 0;
	pthread_mutex_lock(&partition->lock);
	for (unsigned int owner = 1; owner < partition->vtl_count && !found; owner++) {
		const struct msr_intercept *entry = find_msr(partition->vtl[owner].intercept, msr);

		if ((owners & vtl_bit(owner)) && entry && (entry->mask & mask))
			found = (uint8_t)owner;
	}
	pthread_mutex_unlock(&partition->lock);
	return found;
}

static void reset_vp(struct vsm_vp *vp)
{
	const struct vsm_partition *partition = vp->partition;

	for (unsigned int vtl = 0; vtl < partition->vtl_count; vtl++) {
		vp->vtl[vtl].cr_intercept_counted = 0;
		if (partition->features.cr_intercepts)
			partition->ops->vp_cr_intercept(vp->backend, (uint8_t)vtl, 0, 0, 0);
	}
}

void intercept_reset(struct vsm_partition *partition)
{
	pthread_mutex_lock(&partition->lock);
	for (unsigned int owner = 1; owner < partition->vtl_count; owner++) {
		struct partition_vtl *state = &partition->vtl[owner];
		struct intercept_map *map = state->intercept;

		state->intercept = NULL;
		for (uint32_t i = 0; map && i < map->msr_count; i++)
			update_msr_exits(partition, (uint8_t)owner, map->msr[i].msr);
		free(map);
		for (size_t i = 0; i < cr_intercept_table_size; i++) {
			const struct cr_intercept *entry = &cr_intercept_table[i];
			bool used = state->cr_intercept_users[entry->bit] != 0;

			state->cr_intercept_users[entry->bit] = 0;
			for (unsigned int k = 0; k < entry->msr_count && used; k++)
				update_msr_exits(partition, (uint8_t)owner, entry->msr[k]);
		}
	}
	for (uint32_t i = 0; i < partition->vp_count; i++)
		reset_vp(partition->vp[i]);
	atomic_store(&partition->intercept_vtls, 0);
	pthread_mutex_unlock(&partition->lock);
}

void intercept_destroy(struct vsm_partition *partition)
{
	for (unsigned int owner = 0; owner < CORE_VTL_MAX; owner++) {
		free(partition->vtl[owner].intercept);
		partition->vtl[owner].intercept = NULL;
	}
}

static uint32_t port_mask(const struct intercept_map *map, uint32_t port)
{
	return (port_set(map, port, false) ? HV_INTERCEPT_ACCESS_MASK_READ : 0) |
	       (port_set(map, port, true) ? HV_INTERCEPT_ACCESS_MASK_WRITE : 0);
}

void intercept_each(struct vsm_partition *partition, uint8_t vtl, intercept_rule_fn *rule,
		    void *opaque)
{
	const struct intercept_map *map = partition->vtl[vtl].intercept;
	uint32_t first = 0;

	if (!map)
		return;
	while (first < PORT_COUNT) {
		uint32_t mask = port_mask(map, first);
		uint32_t last = first;

		while (last + 1 < PORT_COUNT && port_mask(map, last + 1) == mask)
			last++;
		if (mask)
			rule(opaque, HV_INTERCEPT_TYPE_X64_IO_PORT_RANGE, mask,
			     first | (uint64_t)last << HV_INTERCEPT_IO_PORT_RANGE_END_SHIFT);
		first = last + 1;
	}
	for (uint32_t i = 0; i < map->msr_count; i++)
		rule(opaque, HV_INTERCEPT_TYPE_X64_MSR_INDEX, map->msr[i].mask, map->msr[i].msr);
}
