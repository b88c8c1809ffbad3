/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An encoder for the subset of AML that the DSDT needs.
 *
 * Source: ACPI Specification 6.5, chapter 20 ("ACPI Machine Language"), section numbers below; the
 * resource descriptors are in 6.4. Everything is written in the shortest form, as ASL compilers do.
 */
#ifndef VMM_ACPI_AML_H
#define VMM_ACPI_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A buffer of the caller. After an overflow nothing more is written. */
struct aml {
	uint8_t *data;
	size_t size;
	size_t used;
	bool overflow;
};

/* Raw bytes. */
void aml_bytes(struct aml *aml, const void *data, size_t size);

/* The shortest form of an integer: ZeroOp, OneOp, or a Byte, Word, DWord or QWord prefix [20.2.3]. */
void aml_integer(struct aml *aml, uint64_t value);

/*
 * An EISA id ("PNP0501") packed into a DWord [19.3.4, "EISAID"]: three letters of five bits, four
 * hexadecimal digits, bytes swapped.
 */
void aml_eisa_id(struct aml *aml, const char id[8]);

/* NameOp and a name segment of four characters; an object must follow [20.2.5.1]. */
void aml_name(struct aml *aml, const char name[4]);

/*
 * Opens a block; aml_end() closes it and stores its length [20.2.4]. Blocks nest. Returns the
 * argument for aml_end().
 */
size_t aml_scope(struct aml *aml, const char name[4]); /* \NAME: a child of the root */
size_t aml_device(struct aml *aml, const char name[4]);
size_t aml_package(struct aml *aml, uint8_t elements);
void aml_end(struct aml *aml, size_t begin);

/* A resource template of one range of ports and one interrupt [6.4.2.5, 6.4.3.6], in a Buffer. */
void aml_port_and_interrupt(struct aml *aml, uint16_t port, uint8_t ports, uint32_t interrupt);

#endif
