/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs docs/examples/minimal_vmm.c on a real KVM. */
int minimal_vmm_main(void);
#define main minimal_vmm_main
/* NOLINTNEXTLINE(bugprone-suspicious-include) */
#include "../../docs/examples/minimal_vmm.c"
#undef main

#include <unistd.h>

#include "tap.h"

static const char wanted[] = "Microsoft Hv\n0\nthe guest requested a reset\n";

int main(void)
{
	char printed[sizeof(wanted) + 64] = "";
	FILE *file = tmpfile();
	const int tap = dup(STDOUT_FILENO);
	int result;
	bool same;

	if (!file || tap < 0 || dup2(fileno(file), STDOUT_FILENO) < 0)
		return 1;
	result = minimal_vmm_main();
	fflush(stdout);
	rewind(file);
	printed[fread(printed, 1, sizeof(printed) - 1, file)] = '\0';
	same = strcmp(printed, wanted) == 0;
	dup2(tap, STDOUT_FILENO);
	check(!result, "the example ends without an error");
	if (!check(same, "the guest of the example reads the interface signature and its VP index"))
		fprintf(stderr, "printed: %s\n", printed);
	return checks_end();
}
