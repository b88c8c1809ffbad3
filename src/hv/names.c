/* SPDX-License-Identifier: BSD-2-Clause */
/* One switch for each table: the compiler rejects duplicate numbers. */
#include <vsm/hv/hv.h>
#include <vsm/hv/names.h>

#define CASE(name, number, tlfs) \
	case (number):           \
		return #tlfs;

const char *hv_status_name(uint16_t status)
{
#define STATUS(name, number) CASE(, number, HV_STATUS_##name)
	switch (status) {
		HV_STATUS_LIST(STATUS)
	default:
		return "?";
	}
#undef STATUS
}

const char *hv_hypercall_name(uint16_t code)
{
	switch (code) {
		HV_HYPERCALL_LIST(CASE)
	default:
		return "?";
	}
}

const char *hv_register_name(uint32_t name)
{
	switch (name) {
		HV_REGISTER_LIST(CASE)
	default:
		return "?";
	}
}

const char *hv_msr_name(uint32_t msr)
{
#define MSR(name, number) CASE(, number, HV_X64_MSR_##name)
	switch (msr) {
		HV_MSR_LIST(MSR)
	default:
		return "?";
	}
#undef MSR
}

const char *hv_message_type_name(uint32_t type)
{
	switch (type) {
		HV_MESSAGE_TYPE_LIST(CASE)
	default:
		return "?";
	}
}

const char *hv_intercept_type_name(uint32_t type)
{
	switch (type) {
		HV_INTERCEPT_TYPE_LIST(CASE)
	default:
		return "?";
	}
}

const char *hv_translate_gva_result_name(uint32_t code)
{
	switch (code) {
		HV_TRANSLATE_GVA_RESULT_LIST(CASE)
	default:
		return "?";
	}
}

const char *hv_vtl_entry_reason_name(uint32_t reason)
{
	switch (reason) {
		HV_VTL_ENTRY_REASON_LIST(CASE)
	default:
		return "?";
	}
}

const char *hv_cpuid_leaf_name(uint32_t leaf)
{
#define LEAF(name, number) CASE(, number, HV_CPUID_##name)
	switch (leaf) {
		HV_CPUID_LIST(LEAF)
	default:
		return "?";
	}
#undef LEAF
}

const char *hv_privilege_name(unsigned int bit)
{
	switch (bit) {
		HV_PRIVILEGE_LIST(CASE)
	default:
		return "?";
	}
}

const char *hv_feature_name(unsigned int bit)
{
	switch (bit) {
		HV_FEATURE_LIST(CASE)
	default:
		return "?";
	}
}

const char *hv_recommendation_name(unsigned int bit)
{
	switch (bit) {
		HV_RECOMMEND_LIST(CASE)
	default:
		return "?";
	}
}

const char *hv_cr_intercept_name(unsigned int bit)
{
	switch (bit) {
		HV_CR_INTERCEPT_LIST(CASE)
	default:
		return "?";
	}
}

const char *hv_map_gpa_flag_name(unsigned int bit)
{
	switch (bit) {
		HV_MAP_GPA_LIST(CASE)
	default:
		return "?";
	}
}
