/* SPDX-License-Identifier: BSD-2-Clause */
/* TLFS "Virtual Interrupt Notification Assist". */
#include "tests.h"

#include <vsm/hv/hv.h>

#include "kit/apic.h"
#include "kit/cpu.h"
#include "kit/hypercall.h"
#include "kit/smp.h"
#include "kit/time.h"
#include "kit/vtl.h"
#include "kit/x64.h"

#define VINA_VECTOR 0x58
#define VECTOR	    0x73

struct vina {
	uint64_t value;
	bool lower_open; /* VTL0 made the VTL call with interrupts on */
	uint32_t notices, after_second;
	uint8_t status;
};

static void send_to_vtl0(void)
{
	const struct hv_send_synthetic_cluster_ipi_input input = {
		.vector = VECTOR, .input_vtl = input_vtl(0), .processor_mask = 1};

	expect_equal(hypercall(HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI, &input, sizeof(input), NULL, 0),
		     HV_STATUS_SUCCESS);
}

static void with_vina(void *argument)
{
	struct vina *vina = argument;
	volatile uint32_t *count = &cpu_current()->interrupts[VINA_VECTOR];
	const uint32_t before = *count;
	volatile struct hv_vp_vtl_control *control = &cpu_current()->assist->vtl_control;

	control->vina_status = 0;
	expect_equal(register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_VINA, vina->value),
		     HV_STATUS_SUCCESS);
	expect_equal(register_own(HV_REGISTER_VSM_VINA), vina->value);
	send_to_vtl0();
	if (vina->lower_open && vina->value & HV_VSM_VINA_ENABLED)
		while (*count == before)
			interrupts_window();
	else
		for (unsigned int i = 0; i < 1000; i++)
			interrupts_window();
	vina->notices = *count - before;
	vina->status = control->vina_status & HV_VINA_STATUS_ASSERTED;
	send_to_vtl0();
	for (unsigned int i = 0; i < 1000; i++)
		interrupts_window();
	vina->after_second = *count - before;
	expect_equal(register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_VINA, 0),
		     HV_STATUS_SUCCESS);
	if (!(vina->value & HV_VSM_VINA_AUTO_RESET))
		control->vina_status = 0;
}

static void notice_comes_once(void)
{
	struct vina vina = {HV_VSM_VINA_ENABLED | VINA_VECTOR, true, 0, 0, 0};
	const uint32_t before = cpu_current()->interrupts[VECTOR];

	interrupts_on();
	vtl_run(with_vina, &vina);
	interrupts_window();
	expect_equal(vina.notices, 1);
	expect_equal(vina.status, HV_VINA_STATUS_ASSERTED);
	expect_equal(vina.after_second, 1);
	/* VTL0 takes the interrupt after VTL1 returns; the two of this vector may merge. */
	expect(cpu_current()->interrupts[VECTOR] > before);
}

static void closed_vtl0_gives_no_notice(void)
{
	struct vina vina = {HV_VSM_VINA_ENABLED | VINA_VECTOR, false, 0, 0, 0};
	const uint32_t before = cpu_current()->interrupts[VECTOR];

	interrupts_off();
	vtl_run(with_vina, &vina);
	expect_equal(vina.notices, 0);
	expect_equal(vina.status, 0);
	interrupts_window();
	expect(cpu_current()->interrupts[VECTOR] > before);
}

static void disabled_gives_no_notice(void)
{
	struct vina vina = {VINA_VECTOR, true, 0, 0, 0};

	interrupts_on();
	vtl_run(with_vina, &vina);
	interrupts_window();
	expect_equal(vina.notices, 0);
	expect_equal(vina.status, 0);
}

static void auto_reset(void)
{
	struct vina vina = {HV_VSM_VINA_ENABLED | HV_VSM_VINA_AUTO_RESET | VINA_VECTOR, true, 0, 0,
			    0};

	for (unsigned int i = 0; i < 3; i++) {
		interrupts_on();
		vtl_run(with_vina, &vina);
		interrupts_window();
		expect_equal(vina.notices, 1);
	}
}

static void reserved_in_vtl1(void *argument)
{
	expect(register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_VINA, 1ull << 20) !=
	       HV_STATUS_SUCCESS);
}

static void bad_values_are_refused(void)
{
	vtl_run(reserved_in_vtl1, NULL);
	/* P10: VsmVina does not exist for VTL0. */
	expect(register_set_u64(HV_VP_INDEX_SELF, 0, HV_REGISTER_VSM_VINA,
				HV_VSM_VINA_ENABLED | VINA_VECTOR) != HV_STATUS_SUCCESS);
}

static const struct tap_case cases[] = {
	{"VTL1 is notified once of an interrupt that VTL0 could take", notice_comes_once},
	{"VTL1 is not notified while VTL0 has interrupts off", closed_vtl0_gives_no_notice},
	{"VTL1 is not notified while VINA is off", disabled_gives_no_notice},
	{"with AutoReset VTL1 is notified again after each entry", auto_reset},
	{"reserved bits, and VTL0, are refused (P10)", bad_values_are_refused},
};

TAP_TOPIC(topic_vina, needs_vtl1, cases);
