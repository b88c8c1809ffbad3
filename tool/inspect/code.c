/* SPDX-License-Identifier: BSD-2-Clause */
#include "code.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include <Zydis/Zydis.h>

#include "inspect/ask.h"

#define COUNT_DEFAULT 16u
#define COUNT_MAX     256u
#define LONGEST	      15u /* bytes of an instruction */
#define PAGE	      4096u

#define EFER_LMA     (1u << 10)
#define SEGMENT_LONG (1u << 13)
#define SEGMENT_BIG  (1u << 14)

/* What to print, and the VTL's next instruction and mode. */
struct code {
	const struct symbols *symbols;
	uint64_t address;
	uint64_t rip; /* linear */
	unsigned int width;
	unsigned int count;
};

static uint64_t field(const json_t *object, const char *name)
{
	const char *text = json_string_value(json_object_get(object, name));

	return text ? strtoull(text, NULL, 0) : 0;
}

static void print_name(const struct symbols *symbols, uint64_t address, const char *before,
		       const char *after)
{
	uint64_t distance;
	const char *name = symbols_at(symbols, address, &distance);

	if (!name)
		return;
	printf("%s%s", before, name);
	if (distance)
		printf("+%#" PRIx64, distance);
	fputs(after, stdout);
}

static void print_start(const struct symbols *symbols, uint64_t address)
{
	uint64_t distance;

	if (symbols_at(symbols, address, &distance) && !distance)
		print_name(symbols, address, "", ":\n");
}

static bool decoder_init(ZydisDecoder *decoder, unsigned int width)
{
	if (width == 64)
		return ZYAN_SUCCESS(ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LONG_64,
						     ZYDIS_STACK_WIDTH_64));
	if (width == 32)
		return ZYAN_SUCCESS(ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LONG_COMPAT_32,
						     ZYDIS_STACK_WIDTH_32));
	return ZYAN_SUCCESS(
		ZydisDecoderInit(decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16));
}

/* Prints the instruction at @address. Returns its length, or 1 if it is invalid. */
static unsigned int print_instruction(const struct code *code, uint64_t address,
				      const uint8_t *bytes, size_t size)
{
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	ZydisDecodedInstruction instruction;
	ZydisFormatter formatter;
	ZydisDecoder decoder;
	char text[256] = "(bad)";
	unsigned int length = 1;
	bool good;

	good = decoder_init(&decoder, code->width) &&
	       ZYAN_SUCCESS(ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL)) &&
	       ZYAN_SUCCESS(
		       ZydisDecoderDecodeFull(&decoder, bytes, size, &instruction, operands)) &&
	       ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &instruction, operands,
							    instruction.operand_count_visible, text,
							    sizeof(text), address, NULL));
	if (good)
		length = instruction.length;
	printf("%s %#18" PRIx64 "  ", address == code->rip ? "=>" : "  ", address);
	for (unsigned int i = 0; i < LONGEST; i++)
		if (i < length)
			printf("%02x", bytes[i]);
		else if (i < 8)
			fputs("  ", stdout);
	printf("  %s", text);
	for (unsigned int i = 0; good && i < instruction.operand_count_visible; i++) {
		ZyanU64 target;

		if (ZYAN_SUCCESS(
			    ZydisCalcAbsoluteAddress(&instruction, &operands[i], address, &target)))
			print_name(code->symbols, target, "  <", ">");
	}
	putchar('\n');
	return length;
}

static int ask_registers(const char *socket, const char *vp, const char *vtl, struct code *code)
{
	json_t *registers = NULL;
	const json_t *cs;
	uint64_t attributes;
	char path[64];
	int status;

	snprintf(path, sizeof(path), "vp/%.10s/vtl/%.10s/registers", vp, vtl);
	status = inspect_ask(&command_inspect, socket, path, &registers);
	if (status)
		return status;
	cs = json_object_get(registers, "cs");
	attributes = field(cs, "attributes");
	code->width = attributes & SEGMENT_BIG ? 32 : 16;
	code->rip = field(registers, "rip");
	if (field(registers, "efer") & EFER_LMA && attributes & SEGMENT_LONG)
		code->width = 64;
	else
		code->rip = (uint32_t)(code->rip + field(cs, "base"));
	json_decref(registers);
	return 0;
}

/* Reads at most to the end of the page. Returns the size, or 0 with an error in @status. */
static size_t ask_memory(const char *socket, const char *vp, const char *vtl, uint64_t gva,
			 uint8_t *bytes, int *status)
{
	const unsigned int size = PAGE - (unsigned int)(gva % PAGE);
	json_t *result = NULL;
	const char *text;
	size_t got = 0;

	*status = inspect_request(&command_inspect, socket,
				  json_pack("{s:s, s:s, s:s, s:o, s:o}", "command", "gva", "vp", vp,
					    "vtl", vtl, "gva", json_sprintf("%#" PRIx64, gva),
					    "size", json_sprintf("%u", size)),
				  &result);
	text = json_string_value(json_object_get(result, "data"));
	while (text && got < size && text[2 * got] && text[2 * got + 1]) {
		const char pair[] = {text[2 * got], text[2 * got + 1], 0};

		bytes[got++] = (uint8_t)strtoul(pair, NULL, 16);
	}
	json_decref(result);
	return got;
}

static int print_code(const char *socket, const char *vp, const char *vtl, struct code *code)
{
	uint8_t bytes[COUNT_MAX * LONGEST + PAGE];
	size_t have = 0, used = 0;
	int status = 0;

	print_name(code->symbols, code->address, "", ":\n");
	for (unsigned int i = 0; i < code->count; i++) {
		if (have - used < LONGEST && !status)
			have += ask_memory(socket, vp, vtl, code->address + have, bytes + have,
					   &status);
		/* If the next page cannot be read, an instruction may still end before it. */
		if (used == have)
			return status;
		if (i)
			print_start(code->symbols, code->address + used);
		used += print_instruction(code, code->address + used, bytes + used, have - used);
	}
	return 0;
}

int inspect_code(const struct command *self, const char *socket, const struct symbols *symbols,
		 int argc, char **argv)
{
	struct code code = {.symbols = symbols, .count = COUNT_DEFAULT};
	uint64_t count = COUNT_DEFAULT;
	bool given = argc > 2 && strcmp(argv[2], "rip") != 0;
	int status;

	if (argc < 2 || argc > 4)
		return command_usage(self, "code takes VP VTL [ADDRESS [COUNT]]");
	if (given && !inspect_address(symbols, argv[2], &code.address))
		return command_usage(self, "'%s' is no address%s", argv[2],
				     symbols ? " and no symbol" : ": names need --symbols");
	if (argc > 3 && (!inspect_address(NULL, argv[3], &count) || !count || count > COUNT_MAX))
		return command_usage(self, "code prints 1 to %u instructions, not '%s'", COUNT_MAX,
				     argv[3]);
	code.count = (unsigned int)count;
	status = ask_registers(socket, argv[0], argv[1], &code);
	if (status)
		return status;
	if (!given)
		code.address = code.rip;
	return print_code(socket, argv[0], argv[1], &code);
}
