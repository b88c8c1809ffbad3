/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/console.h"

#include <stdbool.h>

#include "kit/lock.h"
#include "kit/x64.h"

#define SERIAL		   0x3f8
#define SERIAL_LINE_STATUS 5
#define SERIAL_READY	   0x20
#define DEBUG_CONSOLE	   0xe9
#define DEBUG_EXIT	   0xf4
#define SLEEP_CONTROL	   0x610 /* hardware-reduced ACPI, at the port of `vsm run` */
#define SLEEP_S5	   0x34	 /* SLP_EN, SLP_TYP 5 */
#define SERIAL_POLLS_MAX   100000

static bool debug_port;
static struct lock lock;

void console_use_debug_port(void)
{
	debug_port = true;
}

static void put(char c)
{
	if (debug_port) {
		outb(DEBUG_CONSOLE, (uint8_t)c);
		return;
	}
	/* An unused port reads all-ones, so this never blocks. */
	for (unsigned int i = 0; i < SERIAL_POLLS_MAX; i++)
		if (inb(SERIAL + SERIAL_LINE_STATUS) & SERIAL_READY)
			break;
	outb(SERIAL, (uint8_t)c);
}

static void put_number(uint64_t value, unsigned int base, unsigned int width, bool zeros)
{
	char digit[20];
	unsigned int count = 0;

	do {
		digit[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (unsigned int i = count; i < width; i++)
		put(zeros ? '0' : ' ');
	while (count)
		put(digit[--count]);
}

static void put_signed(int64_t value, unsigned int width)
{
	if (value < 0)
		put('-');
	put_number(value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, width, false);
}

static void put_string(const char *text)
{
	for (text = text ? text : "(null)"; *text; text++)
		put(*text);
}

/* One conversion after its %; returns the text after it. */
static const char *convert(const char *at, va_list *arguments)
{
	const bool zeros = *at == '0';
	unsigned int width = 0;
	bool wide = false;

	for (; *at >= '0' && *at <= '9'; at++)
		width = width * 10 + (unsigned int)(*at - '0');
	for (; *at == 'l' || *at == 'z'; at++)
		wide = true;
	switch (*at) {
	case 's':
		put_string(va_arg(*arguments, const char *));
		break;
	case 'c':
		put((char)va_arg(*arguments, int));
		break;
	case 'd':
		put_signed(wide ? va_arg(*arguments, int64_t) : va_arg(*arguments, int32_t), width);
		break;
	case 'u':
	case 'x':
		put_number(wide ? va_arg(*arguments, uint64_t) : va_arg(*arguments, uint32_t),
			   *at == 'x' ? 16 : 10, width, zeros);
		break;
	default:
		put(*at);
		break;
	}
	return at + (*at != 0);
}

void print_list(const char *format, va_list arguments)
{
	va_list list;

	va_copy(list, arguments);
	lock_take(&lock);
	while (*format) {
		if (*format == '%')
			format = convert(format + 1, &list);
		else
			put(*format++);
	}
	lock_drop(&lock);
	va_end(list);
}

void print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	print_list(format, arguments);
	va_end(arguments);
}

_Noreturn void machine_exit(uint8_t status)
{
	outb(DEBUG_EXIT, status);
	outb(SLEEP_CONTROL, SLEEP_S5);
	for (;;)
		__asm__ volatile("cli; hlt");
}
