/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/console.h"

#include <stdbool.h>
#include <stddef.h>

#include "kit/lock.h"
#include "kit/x64.h"

#define SERIAL		   0x3f8
#define SERIAL_LINE_STATUS 5
#define SERIAL_READY	   0x20
#define DEBUG_CONSOLE	   0xe9
#define DEBUG_EXIT	   0xf4
#define SLEEP_CONTROL	   0x610 /* port of `vsm run` (hardware-reduced ACPI) */
#define SLEEP_S5	   0x34	 /* SLP_EN, SLP_TYP 5 */
#define SERIAL_POLLS_MAX   100000

static bool debug_port;
static struct lock lock;

void console_use_debug_port(void)
{
	debug_port = true;
}

/* The last byte is for the NUL. A NULL sink is the output port. */
struct sink {
	char *at;
	const char *end;
};

static void put(struct sink *sink, char c)
{
	if (sink) {
		if (sink->at + 1 < sink->end)
			*sink->at++ = c;
		return;
	}
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

static void put_number(struct sink *sink, uint64_t value, unsigned int base, unsigned int width,
		       bool zeros)
{
	char digit[20];
	unsigned int count = 0;

	do {
		digit[count++] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	for (unsigned int i = count; i < width; i++)
		put(sink, zeros ? '0' : ' ');
	while (count)
		put(sink, digit[--count]);
}

static void put_signed(struct sink *sink, int64_t value, unsigned int width)
{
	if (value < 0)
		put(sink, '-');
	put_number(sink, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10, width, false);
}

static void put_string(struct sink *sink, const char *text)
{
	for (text = text ? text : "(null)"; *text; text++)
		put(sink, *text);
}

/* Prints the conversion whose "%" is before @at; returns the text after the conversion. */
static const char *convert(struct sink *sink, const char *at, va_list *arguments)
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
		put_string(sink, va_arg(*arguments, const char *));
		break;
	case 'c':
		put(sink, (char)va_arg(*arguments, int));
		break;
	case 'd':
		put_signed(sink, wide ? va_arg(*arguments, int64_t) : va_arg(*arguments, int32_t),
			   width);
		break;
	case 'u':
	case 'x':
		put_number(sink, wide ? va_arg(*arguments, uint64_t) : va_arg(*arguments, uint32_t),
			   *at == 'x' ? 16 : 10, width, zeros);
		break;
	default:
		put(sink, *at);
		break;
	}
	return at + (*at != 0);
}

static void put_list(struct sink *sink, const char *format, va_list arguments)
{
	va_list list;

	va_copy(list, arguments);
	while (*format) {
		if (*format == '%')
			format = convert(sink, format + 1, &list);
		else
			put(sink, *format++);
	}
	va_end(list);
}

uint32_t print_into(char *text, uint32_t size, const char *format, va_list arguments)
{
	struct sink sink = {text, text + size};

	put_list(&sink, format, arguments);
	*sink.at = 0;
	return (uint32_t)(sink.at - text);
}

void print(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	lock_take(&lock);
	put_list(NULL, format, arguments);
	lock_drop(&lock);
	va_end(arguments);
}

_Noreturn void machine_exit(uint8_t status)
{
	outb(DEBUG_EXIT, status);
	outb(SLEEP_CONTROL, SLEEP_S5);
	for (;;)
		__asm__ volatile("cli; hlt");
}
