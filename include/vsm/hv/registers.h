/* SPDX-License-Identifier: BSD-2-Clause */
/* VP register names, as HvCallGetVpRegisters and HvCallSetVpRegisters take them. */
#ifndef VSM_HV_REGISTERS_H
#define VSM_HV_REGISTERS_H

#include <vsm/hv/registers_synthetic.h>
#include <vsm/hv/registers_x64.h>

/* clang-format off */

/* X(constant, number, name in the TLFS), in ascending order. */
#define HV_REGISTER_LIST(X) \
	HV_REGISTER_LIST_ACTIVITY(X) \
	HV_REGISTER_LIST_EVENT(X) \
	HV_REGISTER_LIST_GENERAL(X) \
	HV_REGISTER_LIST_CONTROL(X) \
	HV_REGISTER_LIST_MSR(X) \
	HV_REGISTER_LIST_PERF(X) \
	HV_REGISTER_LIST_APIC(X) \
	HV_REGISTER_LIST_SYNTHETIC(X) \
	HV_REGISTER_LIST_SYNIC(X) \
	HV_REGISTER_LIST_STIMER(X) \
	HV_REGISTER_LIST_YMM(X) \
	HV_REGISTER_LIST_VSM(X) \
	HV_REGISTER_LIST_CR_INTERCEPT(X)

#define HV_REGISTER_ENUM_(constant, number, name) constant = (number),
enum hv_register { HV_REGISTER_LIST(HV_REGISTER_ENUM_) };
#undef HV_REGISTER_ENUM_

/* clang-format on */

#endif
