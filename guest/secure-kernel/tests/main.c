/* SPDX-License-Identifier: BSD-2-Clause */
/* A VTL0 that loads the secure kernel, uses it, and attacks it. */
#include <vsm/hv/hv.h>

#include "kit/console.h"
#include "kit/hypercall.h"
#include "kit/kit.h"
#include "kit/memory.h"
#include "kit/smp.h"

#include "client.h"
#include "topics.h"

static const struct tap_topic *const topics[] = {&topic_boot, &topic_services, &topic_attacks,
						 &topic_rights, &topic_locked};

uint8_t *target;
static __attribute__((aligned(32)))
uint8_t well[SECURE_KERNEL_DIGEST]; /* HMAC of `text` under the key of this boot */
static const char *text;

const char *needs_secure_kernel(void)
{
	if (!region)
		return "the secure kernel is not loaded: the topic boot comes first";
	if (target)
		return NULL;
	target = memory_pages(TARGET_PAGES);
	for (uint32_t i = 0; i < TARGET_PAGES * PAGE_SIZE; i++)
		target[i] = (uint8_t)(i * 7 + 1);
	if (!expect_equal(client_lock(target, TARGET_PAGES), SECURE_KERNEL_OK))
		return "no pages can be locked";
	text = memory_pages(1);
	expect_equal(client_hmac(text, 64, well), SECURE_KERNEL_OK);
	return NULL;
}

static void is_well(void *argument)
{
	__attribute__((aligned(32))) uint8_t digest[SECURE_KERNEL_DIGEST];

	(void)argument;
	expect_equal(client_hmac(text, 64, digest), SECURE_KERNEL_OK);
	expect(!memcmp(digest, well, sizeof(digest)));
}

void expect_vtl1_is_well(void)
{
	for (uint32_t vp = 0; vp < smp_count; vp++)
		smp_run(vp, is_well, NULL);
}

uint8_t kit_main(void)
{
	print("TAP version 13\n# VPs: %u\n", smp_count);
	return tap_run(topics, sizeof(topics) / sizeof(topics[0])) ? EXIT_STATUS_PASS
								   : EXIT_STATUS_FAIL;
}
