/* SPDX-License-Identifier: BSD-2-Clause */
/* One switch for each table: the compiler rejects duplicate numbers. */
#include <vsm/hv/hv.h>
#include <vsm/hv/names.h>

#define CASE(name, number, tlfs) \
	case (number):           \
		return #tlfs;

#define STATUS(name, number) CASE(, number, HV_STATUS_##name)
#define MSR(name, number)    CASE(, number, HV_X64_MSR_##name)
#define LEAF(name, number)   CASE(, number, HV_CPUID_##name)

#define NAME(function, type, list, entry) \
	const char *function(type number) \
	{                                 \
		switch (number) {         \
			list(entry)       \
		}                         \
		return "?";               \
	}

NAME(hv_status_name, uint16_t, HV_STATUS_LIST, STATUS)
NAME(hv_hypercall_name, uint16_t, HV_HYPERCALL_LIST, CASE)
NAME(hv_register_name, uint32_t, HV_REGISTER_LIST, CASE)
NAME(hv_msr_name, uint32_t, HV_MSR_LIST, MSR)
NAME(hv_message_type_name, uint32_t, HV_MESSAGE_TYPE_LIST, CASE)
NAME(hv_intercept_type_name, uint32_t, HV_INTERCEPT_TYPE_LIST, CASE)
NAME(hv_translate_gva_result_name, uint32_t, HV_TRANSLATE_GVA_RESULT_LIST, CASE)
NAME(hv_vtl_entry_reason_name, uint32_t, HV_VTL_ENTRY_REASON_LIST, CASE)
NAME(hv_cpuid_leaf_name, uint32_t, HV_CPUID_LIST, LEAF)
NAME(hv_privilege_name, unsigned int, HV_PRIVILEGE_LIST, CASE)
NAME(hv_feature_name, unsigned int, HV_FEATURE_LIST, CASE)
NAME(hv_recommendation_name, unsigned int, HV_RECOMMEND_LIST, CASE)
NAME(hv_cr_intercept_name, unsigned int, HV_CR_INTERCEPT_LIST, CASE)
NAME(hv_map_gpa_flag_name, unsigned int, HV_MAP_GPA_LIST, CASE)
