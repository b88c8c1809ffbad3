/* SPDX-License-Identifier: BSD-2-Clause */
#include "bare.h"

#include <stdlib.h>
#include <string.h>

#include "unit_test.h"
#include "core/memory/protect.h"
#include "core/partition.h"
#include "core/vp/vp.h"
#include "core/x64.h"

#define PAGE_SHIFT 12u

static void count_log(void *opaque, const struct vsm_log_record *record)
{
	struct bare *bare = opaque;

	bare->log_lines++;
	bare->log_level = record->level;
}

static void set_cpu(struct vcpu_state *cpu)
{
	cpu->cr0 = X64_CR0_PE;
	cpu->efer = X64_EFER_LME | X64_EFER_LMA;
	cpu->rflags = X64_RFLAGS_FIXED;
	cpu->segment[SEGMENT_CS].attributes = 0xa09b;
	cpu->segment[SEGMENT_SS].attributes = 0xc093;
}

struct bare *bare_create(unsigned int vtls)
{
	const struct sim_options options = {.gpa_bits = BARE_GPA_BITS};
	struct bare *bare = calloc(1, sizeof(*bare));
	const uint16_t all = (uint16_t)((1u << vtls) - 1);
	struct vsm_config config;

	vsm_config_init(&config);
	config.vp_count = BARE_VPS;
	config.max_vtl = (uint8_t)(vtls - 1);
	config.log = (struct vsm_log){count_log, bare, VSM_LOG_DEBUG};
	assert_int_equal(partition_create(&config, &sim_ops, &options, &bare->partition), 0);
	atomic_store(&bare->partition->enabled_vtls, all);
	for (uint32_t i = 0; i < BARE_VPS; i++) {
		atomic_store(&bare->partition->vp[i]->enabled_vtls, all);
		for (unsigned int vtl = 0; vtl < vtls; vtl++)
			set_cpu(bare->partition->vp[i]->cpu[vtl]);
	}
	bare->log_lines = 0;
	return bare;
}

void bare_destroy(struct bare *bare)
{
	vsm_partition_destroy(bare->partition);
	free(bare);
}

uint8_t *bare_ram(struct bare *bare, uint64_t gpn, uint64_t pages)
{
	void *host = NULL;

	assert_int_equal(vsm_memory_add(bare->partition, gpn << PAGE_SHIFT, pages << PAGE_SHIFT, -1,
					0, &host),
			 0);
	assert_non_null(host);
	return host;
}

uint16_t bare_protect(struct bare *bare, uint8_t owner, int restricted, uint64_t gpn,
		      uint8_t access)
{
	size_t done;

	return protect_set(bare->partition, owner, restricted, &gpn, 1, access, &done);
}

static void write_entry(struct bare *bare, uint64_t gpn, uint32_t index, uint64_t entry)
{
	const struct ram_region *region = memory_find(bare->partition, gpn);

	assert_non_null(region);
	memcpy(region->host + ((gpn - region->gpn) << PAGE_SHIFT) + index * 8ul, &entry,
	       sizeof(entry));
}

void bare_paging(struct bare *bare, uint32_t vp, uint8_t vtl, uint64_t gpn)
{
	struct vcpu_state *cpu = bare->partition->vp[vp]->cpu[vtl];

	for (unsigned int level = 0; level < 3; level++)
		write_entry(bare, gpn + level, 0, (gpn + level + 1) << PAGE_SHIFT | 7);
	cpu->cr0 |= X64_CR0_PG | X64_CR0_WP;
	cpu->cr4 |= X64_CR4_PAE;
	cpu->cr3 = gpn << PAGE_SHIFT;
}

void bare_map(struct bare *bare, uint64_t gpn, uint32_t page, uint64_t target, uint64_t flags)
{
	write_entry(bare, gpn + 3, page, target << PAGE_SHIFT | flags | 1);
}
