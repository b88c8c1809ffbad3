/* SPDX-License-Identifier: BSD-2-Clause */
#ifndef KIT_CONSOLE_H
#define KIT_CONSOLE_H

#include <stdarg.h>
#include <stdint.h>

/* With the debug exit port the VMM exits with (status << 1) | 1. */
#define EXIT_STATUS_PASS  0
#define EXIT_STATUS_FAIL  1
#define EXIT_STATUS_CRASH 2

/* Prints to the serial port at 0x3f8, or with the option console=debug to port 0xe9. Supports %s %c %d %u %x
 * %lx %lu %ld %%, widths of numbers, and a leading 0 for %u and %x. Callable on any VP and VTL; each call's
 * text stays together. */
__attribute__((format(printf, 1, 2))) void print(const char *format, ...);
/* Prints into @text, truncated to @size bytes with the NUL. Returns the length. Takes no lock. */
uint32_t print_into(char *text, uint32_t size, const char *format, va_list arguments);

void console_use_debug_port(void);

/* Ends the machine by the debug exit port 0xf4 or ACPI's sleep register; halts without both. */
_Noreturn void machine_exit(uint8_t status);

/*
 * Ends the machine after an error of the program: prints the text, reports it by the crash MSRs
 * (TLFS "Partition Crash Enlightenment"), and exits with EXIT_STATUS_CRASH if there are no crash
 * MSRs. Callable on any VP and VTL, also in an exception handler.
 */
__attribute__((format(printf, 1, 2))) _Noreturn void machine_crash(const char *format, ...);

#endif
