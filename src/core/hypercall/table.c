/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/hypercall/hypercall.h"

#include <stdlib.h>

#define NONE	 0
#define REP	 HYPERCALL_REP
#define VARIABLE HYPERCALL_VARIABLE
#define EXTENDED HYPERCALL_EXTENDED

#define VSM	  HV_PRIVILEGE(ACCESS_VSM)
#define REGISTERS HV_PRIVILEGE(ACCESS_VP_REGISTERS)
#define START	  HV_PRIVILEGE(START_VIRTUAL_PROCESSOR)

/* clang-format off */

/*
 * TLFS "Hypercall Reference". Columns: code, flags, fixed input, output of a simple call, input and
 * output of one element, privileges, handler.
 *
 * The inputs of EnableVpVtl, StartVirtualProcessor and PostMessage never fit into registers, so
 * they need no flag against fast calls.
 */
const struct hypercall_info hypercall_table[] = {
	{HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE,    NONE,           24,  0,  0,  0,  0, hc_flush_mask},
	{HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST,     REP,            24,  0,  8,  0,  0, hc_flush_mask},
	{HV_CALL_NOTIFY_LONG_SPIN_WAIT,          NONE,           8,   0,  0,  0,  0, hc_notify_long_spin_wait},
	{HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI,     NONE,           16,  0,  0,  0,  0, hc_send_ipi},
	{HV_CALL_MODIFY_VTL_PROTECTION_MASK,     REP,            16,  0,  8,  0,  VSM, hc_modify_vtl_protection_mask},
	{HV_CALL_ENABLE_PARTITION_VTL,           NONE,           16,  0,  0,  0,  VSM, hc_enable_partition_vtl},
	{HV_CALL_ENABLE_VP_VTL,                  NONE,           240, 0,  0,  0,  VSM, hc_enable_vp_vtl},
	{HV_CALL_FLUSH_VIRTUAL_ADDRESS_SPACE_EX, VARIABLE,       32,  0,  0,  0,  0, hc_flush_set},
	{HV_CALL_FLUSH_VIRTUAL_ADDRESS_LIST_EX,  REP | VARIABLE, 32,  0,  8,  0,  0, hc_flush_set},
	{HV_CALL_SEND_SYNTHETIC_CLUSTER_IPI_EX,  VARIABLE,       24,  0,  0,  0,  0, hc_send_ipi_ex},
	{HV_CALL_GET_PARTITION_ID,               NONE,           0,   8,  0,  0,  HV_PRIVILEGE(ACCESS_PARTITION_ID), hc_get_partition_id},
	{HV_CALL_INSTALL_INTERCEPT,              NONE,           24,  0,  0,  0,  VSM, hc_install_intercept},
	{HV_CALL_GET_VP_REGISTERS,               REP,            16,  0,  4,  16, REGISTERS, hc_get_vp_registers},
	{HV_CALL_SET_VP_REGISTERS,               REP,            16,  0,  32, 0,  REGISTERS, hc_set_vp_registers},
	{HV_CALL_TRANSLATE_VIRTUAL_ADDRESS,      NONE,           32,  16, 0,  0,  REGISTERS, hc_translate_virtual_address},
	{HV_CALL_POST_MESSAGE,                   NONE,           256, 0,  0,  0,  HV_PRIVILEGE(POST_MESSAGES), hc_post_message},
	{HV_CALL_SIGNAL_EVENT,                   NONE,           8,   0,  0,  0,  HV_PRIVILEGE(SIGNAL_EVENTS), hc_signal_event},
	{HV_CALL_ASSERT_VIRTUAL_INTERRUPT,       NONE,           32,  0,  0,  0,  VSM, hc_assert_virtual_interrupt},
	{HV_CALL_START_VIRTUAL_PROCESSOR,        NONE,           240, 0,  0,  0,  START, hc_start_virtual_processor},
	{HV_CALL_GET_VP_INDEX_FROM_APIC_ID,      REP,            16,  0,  4,  4,  START, hc_get_vp_index_from_apic_id},
	{HV_CALL_TRANSLATE_VIRTUAL_ADDRESS_EX,   NONE,           32,  64, 0,  0,  REGISTERS, hc_translate_virtual_address_ex},
	{HV_CALL_CHECK_FOR_IO_INTERCEPT,         NONE,           24,  8,  0,  0,  VSM, hc_check_for_io_intercept},
	{HV_CALL_CHECK_SPARSE_GPA_PAGE_VTL_ACCESS, REP,          16,  0,  8,  8,  VSM, hc_check_sparse_gpa_page_vtl_access},
	{HV_CALL_GET_VP_CPUID_VALUES,            REP,            24,  0,  8,  16, REGISTERS, hc_get_vp_cpuid_values},
	{HV_EXT_CALL_QUERY_CAPABILITIES,         EXTENDED,       0,   8,  0,  0,  HV_PRIVILEGE(ENABLE_EXTENDED_HYPERCALLS), hc_ext_query_capabilities},
};

/* clang-format on */

const size_t hypercall_table_size = ARRAY_SIZE(hypercall_table);

static int compare(const void *key, const void *element)
{
	const uint16_t code = *(const uint16_t *)key;
	const struct hypercall_info *info = element;

	return code < info->code ? -1 : code > info->code;
}

const struct hypercall_info *hypercall_find(uint16_t code)
{
	return bsearch(&code, hypercall_table, hypercall_table_size, sizeof(hypercall_table[0]),
		       compare);
}
