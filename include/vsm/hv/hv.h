/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All numbers and layouts of the Hyper-V ABI for partitions with VSM. docs/hv.md lists the files.
 */
#ifndef VSM_HV_HV_H
#define VSM_HV_HV_H

#include <vsm/hv/assist_page.h>
#include <vsm/hv/base.h>
#include <vsm/hv/cpuid.h>
#include <vsm/hv/cpuid_features.h>
#include <vsm/hv/cr_intercept.h>
#include <vsm/hv/flush.h>
#include <vsm/hv/gpa_page.h>
#include <vsm/hv/hypercall.h>
#include <vsm/hv/hypercall_word.h>
#include <vsm/hv/install_intercept.h>
#include <vsm/hv/intercept.h>
#include <vsm/hv/interrupt.h>
#include <vsm/hv/message.h>
#include <vsm/hv/msr.h>
#include <vsm/hv/pending_event.h>
#include <vsm/hv/protection.h>
#include <vsm/hv/register_page.h>
#include <vsm/hv/register_value.h>
#include <vsm/hv/registers.h>
#include <vsm/hv/registers_synthetic.h>
#include <vsm/hv/registers_x64.h>
#include <vsm/hv/status.h>
#include <vsm/hv/synic.h>
#include <vsm/hv/translate.h>
#include <vsm/hv/tsc_page.h>
#include <vsm/hv/vp_context.h>
#include <vsm/hv/vp_set.h>
#include <vsm/hv/vsm.h>

#endif
