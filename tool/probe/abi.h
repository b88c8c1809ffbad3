/* SPDX-License-Identifier: BSD-2-Clause */
/* Kernel interfaces that the oldest supported headers, those of Linux 6.1, lack. */
#ifndef VSM_TOOL_PROBE_ABI_H
#define VSM_TOOL_PROBE_ABI_H

#include <linux/kvm.h>
#include <linux/userfaultfd.h>

#include "../../kernel/kvm_vsm.h"

#ifndef KVM_CAP_MEMORY_FAULT_INFO
#define KVM_CAP_MEMORY_FAULT_INFO 232
#endif
#ifndef KVM_EXIT_MEMORY_FAULT
#define KVM_EXIT_MEMORY_FAULT 39
#endif
#ifndef UFFDIO_CONTINUE_MODE_WP
#define UFFDIO_CONTINUE_MODE_WP ((__u64)1 << 1)
#endif
#ifndef UFFD_FEATURE_POISON
#define UFFD_FEATURE_POISON (1 << 14)
#endif

#endif
