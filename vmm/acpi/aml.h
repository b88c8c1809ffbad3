/* SPDX-License-Identifier: BSD-2-Clause */
/* An encoder for the AML that the DSDT needs (ACPI Specification 6.5, chapters 20 and 6.4). */
#ifndef VMM_ACPI_AML_H
#define VMM_ACPI_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *data;
	size_t size;
	size_t used;
	bool overflow;
};

void aml_bytes(struct aml *aml, const void *data, size_t size);

/* The shortest form of an integer [20.2.3]. */
void aml_integer(struct aml *aml, uint64_t value);

/* An EISA id such as "PNP0501", packed into a DWord [19.3.4, "EISAID"]. */
void aml_eisa_id(struct aml *aml, const char id[8]);

/* A NameOp [20.2.5.1]; an object must follow. */
void aml_name(struct aml *aml, const char name[4]);

/* Opens a block. Blocks nest. Returns the argument for aml_end(), which stores the length. */
size_t aml_scope(struct aml *aml, const char name[4]); /* \NAME: a child of the root */
size_t aml_device(struct aml *aml, const char name[4]);
size_t aml_package(struct aml *aml, uint8_t elements);
void aml_end(struct aml *aml, size_t begin);

/* A resource template of one range of ports and one interrupt [6.4.2.5, 6.4.3.6], in a Buffer. */
void aml_port_and_interrupt(struct aml *aml, uint16_t port, uint8_t ports, uint32_t interrupt);

#endif
