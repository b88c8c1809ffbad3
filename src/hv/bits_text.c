/* SPDX-License-Identifier: BSD-2-Clause */
/* Masks as text. Without the C library, so that signal handlers can call it. */
#include <vsm/hv/names.h>
#include <vsm/hv/protection.h>

struct text {
	char *at;
	size_t size;
	size_t length; /* of the whole text, even if it was cut */
};

static void add_char(struct text *text, char c)
{
	/* The last byte is for the NUL. */
	if (text->length + 1 < text->size)
		text->at[text->length] = c;
	text->length++;
}

static void add_string(struct text *text, const char *string)
{
	for (; *string; string++)
		add_char(text, *string);
}

/* Adds "bit" and the number, which is below 64. */
static void add_unnamed(struct text *text, unsigned int bit)
{
	add_string(text, "bit");
	if (bit >= 10)
		add_char(text, (char)('0' + bit / 10));
	add_char(text, (char)('0' + bit % 10));
}

static size_t bits_text(char *at, size_t size, uint64_t mask, const char *(*name_of)(unsigned int))
{
	struct text text = {.at = at, .size = size};

	for (unsigned int bit = 0; bit < 64; bit++) {
		const char *name;

		if (!(mask >> bit & 1))
			continue;
		if (text.length)
			add_string(&text, "|");
		name = name_of(bit);
		if (name[0] != '?')
			add_string(&text, name);
		else
			add_unnamed(&text, bit);
	}
	if (!text.length)
		add_string(&text, "0");
	if (size)
		at[text.length < size ? text.length : size - 1] = '\0';
	return text.length;
}

size_t hv_privileges_text(char *text, size_t size, uint64_t privileges)
{
	return bits_text(text, size, privileges, hv_privilege_name);
}

size_t hv_features_text(char *text, size_t size, uint32_t features)
{
	return bits_text(text, size, features, hv_feature_name);
}

size_t hv_recommendations_text(char *text, size_t size, uint32_t recommendations)
{
	return bits_text(text, size, recommendations, hv_recommendation_name);
}

size_t hv_cr_intercepts_text(char *text, size_t size, uint64_t intercepts)
{
	return bits_text(text, size, intercepts, hv_cr_intercept_name);
}

size_t hv_map_gpa_flags_text(char *text, size_t size, uint32_t flags)
{
	return bits_text(text, size, flags, hv_map_gpa_flag_name);
}

void hv_map_gpa_rights_text(char text[4], uint32_t flags)
{
	const uint32_t user = flags & HV_MAP_GPA_USER_EXECUTABLE;
	const uint32_t kernel = flags & HV_MAP_GPA_KERNEL_EXECUTABLE;

	text[0] = flags & HV_MAP_GPA_READABLE ? 'r' : '-';
	text[1] = flags & HV_MAP_GPA_WRITABLE ? 'w' : '-';
	text[2] = user && kernel ? 'x' : user ? 'u' : kernel ? 'k' : '-';
	text[3] = '\0';
}
