/* SPDX-License-Identifier: BSD-2-Clause */
#include "storm.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	storm_run(data, size);
	return 0;
}
