/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * KVM_SET_SREGS of backend kvm with denied PDPTEs, while their page is closed: KVM's read of them
 * fails without an event, and KVM ignores that.
 */
#include <stdlib.h>

#include "unit_test.h"
#include "core/x64.h"
#include "kvm/backend.h"
#include "kvm/vcpu/vcpu.h"

#define TABLE_GPN 0x203u
#define TABLE	  (TABLE_GPN * VKVM_PAGE_SIZE)

static unsigned int calls;
static uint8_t denied;

int __wrap_vkvm_ioctl(int fd, unsigned long request, void *argument);
int __wrap_vkvm_ioctl(int fd, unsigned long request, void *argument)
{
	(void)fd;
	(void)argument;
	assert_int_equal(request, KVM_SET_SREGS);
	calls++;
	return 0;
}

static uint8_t denied_at(const struct vkvm_region *region, uint8_t vtl, uint64_t page)
{
	return region->gpn + page == TABLE_GPN && vtl == 0 ? denied : 0;
}

static bool take_violation(struct vkvm_vp *vp, struct violation *violation)
{
	(void)vp;
	(void)violation;
	return false;
}

static const struct engine_ops events = {.denied = denied_at, .take_violation = take_violation};

struct host {
	struct vkvm_backend backend;
	struct vkvm_region region;
	struct vkvm_region *regions[1];
	struct vkvm_slot slot;
	struct overlay_place place;
	struct vkvm_vp vp;
	struct vcpu vcpu;
	struct kvm_sregs sregs;
};

static struct host *create(uint8_t access)
{
	struct host *host = calloc(1, sizeof(*host));

	assert_non_null(host);
	host->backend.vtl_count = 1;
	host->backend.slot = &host->slot;
	host->backend.slot_count = 1;
	host->backend.region = host->regions;
	host->backend.region_count = 1;
	host->backend.overlay.pages = 1;
	host->backend.overlay.place[0] = &host->place;
	engine_init(&host->backend);
	host->backend.engine.ops = &events;
	host->regions[0] = &host->region;
	host->region = (struct vkvm_region){.gpn = 0x200, .pages = 8};
	host->slot = (struct vkvm_slot){.gpn = 0x200, .pages = 8, .region = &host->region};
	host->place.gpn = VKVM_NO_PAGE;
	host->vp.backend = &host->backend;
	host->vcpu.vp = &host->vp;
	host->sregs = (struct kvm_sregs){
		.cr0 = X64_CR0_PG | X64_CR0_PE,
		.cr3 = TABLE + 0xfe0,
		.cr4 = X64_CR4_PAE,
	};
	denied = GPA_ALL & (uint8_t)~access;
	calls = 0;
	return host;
}

/* Returns whether the read of the PDPTEs was refused. */
static bool set(struct host *host)
{
	bool refused;

	assert_int_equal(enter_set_sregs(&host->vcpu, &host->sregs), 0);
	refused = host->vcpu.refused_waiting;
	assert_int_equal(calls, !refused);
	return refused;
}

static void destroy(struct host *host)
{
	host->backend.engine.ops = NULL;
	engine_destroy(&host->backend);
	free(host);
}

static void denied_pdptes_are_refused_without_an_event(void **state)
{
	struct host *host = create(0);

	(void)state;
	assert_true(set(host));
	assert_int_equal(host->vcpu.refused.gpa, TABLE);
	assert_false(host->vcpu.refused.write);
	destroy(host);
}

static void pdptes_that_the_vtl_may_read_are_not_refused(void **state)
{
	struct host *host = create(GPA_READ);

	(void)state;
	assert_false(set(host));
	destroy(host);
	host = create(0);
	host->place = (struct overlay_place){.gpn = TABLE_GPN, .access = GPA_READ};
	assert_false(set(host));
	destroy(host);
	host = create(0);
	host->vcpu.vtl = 1;
	host->backend.overlay.place[1] = &host->place;
	assert_false(set(host));
	destroy(host);
}

static void a_denied_page_at_cr3_is_not_refused_without_pdptes(void **state)
{
	struct host *host = create(0);

	(void)state;
	host->sregs.efer = X64_EFER_LME | X64_EFER_LMA;
	assert_false(set(host));
	destroy(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(denied_pdptes_are_refused_without_an_event),
		cmocka_unit_test(pdptes_that_the_vtl_may_read_are_not_refused),
		cmocka_unit_test(a_denied_page_at_cr3_is_not_refused_without_pdptes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
