/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run_vsm.h"
#include "tap.h"

#define LINUX "L --initrd I --memory 320M --append console=ttyS0,panic=-1,mitigations=off"

static const struct test linuxes[] = {
	{"Linux boots with one processor, prints from user space and switches off", LINUX, 0,
	 "HELLO-USER 1", "the guest switched off"},
	{"Linux boots with two processors", LINUX " --cpus 2 --control linux.sock", 0,
	 "HELLO-USER 2", "the guest switched off", .when = "TIME ",
	 .then = "inspect linux.sock nmi 0"},
	{"Linux boots from its vmlinux",
	 "V --initrd I --memory 320M --append console=ttyS0,panic=-1,mitigations=off", 0,
	 "HELLO-USER 1", "the guest switched off"},
};

static void check_linux(const struct test *test, int processors)
{
	static const char *const trouble[] = {"BUG:",
					      "WARNING:",
					      "Oops",
					      "unchecked MSR",
					      "panic - ",
					      "clocksource: timekeeping",
					      "Marking unstable TSC"};
	const char *wrong = NULL;
	long stamp[2];

	run_check(test, 500);
	check(strstr(result.out, "Hypervisor detected: Microsoft Hyper-V") &&
		      (strstr(result.out, "Switched to clocksource hyperv_clocksource_tsc_page") ||
		       strstr(result.out, "Switched to clocksource tsc")) && /* invariant TSC */
		      strstr(result.out, "x2apic enabled"),
	      "Linux uses the TSC page or the TSC as its clock, and x2APIC, %d processors",
	      processors);
	for (size_t i = 0; i < sizeof(trouble) / sizeof(trouble[0]); i++)
		if (strstr(result.out, trouble[i]))
			wrong = trouble[i];
	if (!check(!wrong, "the log of Linux has none of 7 errors, %d processors", processors))
		printf("# %s\n", wrong);
	/* The guest loses ticks that a busy host delivers late, until it uses the Hyper-V clock, so its time
	 * may differ by up to 60 s. */
	for (int i = 0; i < 2; i++) {
		const char *line = strstr(result.out, clock_line[i]);

		stamp[i] = line ? strtol(line + strlen(clock_line[i]), NULL, 10) : 0;
	}
	check(stamp[0] && stamp[1] && stamp[1] - stamp[0] >= 3 &&
		      labs(stamp[1] - stamp[0] - (long)(result.stamp[1] - result.stamp[0])) <= 2 &&
		      labs((long)result.stamp[1] - stamp[1]) <= 60,
	      "the time of day of Linux has the value and rate of the host's, %d processors",
	      processors);
	printf("# guest: %ld and %ld, host: %ld and %ld\n", stamp[0], stamp[1],
	       (long)result.stamp[0], (long)result.stamp[1]);
}

void check_linuxes(void)
{
	check_linux(&linuxes[0], 1);
	check_linux(&linuxes[1], 2);
	/* Port 0x61 reports neither a parity error (IOCK) nor SERR, so Linux calls the reason unknown. */
	check(strstr(result.out, "NMI received for unknown reason ") &&
		      !strstr(result.out, "SERR") && !strstr(result.out, "IOCK"),
	      "Linux reports an NMI from the control socket as one without a known reason");
	if (vmlinux)
		check_linux(&linuxes[2], 1);
	else
		check_skipped(linuxes[2].name, "the host has no program that unpacks the vmlinux");
}
