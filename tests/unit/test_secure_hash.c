/* SPDX-License-Identifier: BSD-2-Clause */
/* Compared with published vectors and with Python's hashlib. */
#include <stdio.h>
#include <string.h>

#include "unit_test.h"
#include "sha256.h"

#define LENGTHS 300u /* more than four blocks, to test every length of the last one */

static void to_hex(const uint8_t *digest, char hex[65])
{
	for (unsigned int i = 0; i < SHA256_SIZE; i++)
		snprintf(hex + 2ul * i, 3, "%02x", digest[i]);
}

static void expect_sha256(const char *text, const char *wanted)
{
	uint8_t digest[SHA256_SIZE];
	struct sha256 hash;
	char hex[65];

	sha256_init(&hash);
	sha256_update(&hash, text, strlen(text));
	sha256_final(&hash, digest);
	to_hex(digest, hex);
	assert_string_equal(hex, wanted);
}

static void sha256_gives_the_digests_of_fips_180(void **state)
{
	expect_sha256("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	expect_sha256("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	expect_sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void sha256_of_a_million_letters_does_not_depend_on_the_sizes_of_updates(void **state)
{
	static const size_t pieces[] = {1, 63, 64, 65, 1000};
	uint8_t letters[1000], digest[SHA256_SIZE];
	char hex[65];

	memset(letters, 'a', sizeof(letters));
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		size_t left = 1000000;
		struct sha256 hash;

		sha256_init(&hash);
		while (left) {
			const size_t now = pieces[i] < left ? pieces[i] : left;

			sha256_update(&hash, letters, now);
			left -= now;
		}
		sha256_final(&hash, digest);
		to_hex(digest, hex);
		assert_string_equal(
			hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
	}
}

static void expect_hmac(const void *key, size_t key_size, const void *data, size_t size,
			const char *wanted)
{
	uint8_t digest[SHA256_SIZE];
	struct hmac hmac;
	char hex[65];

	hmac_init(&hmac, key, key_size);
	hmac_update(&hmac, data, size);
	hmac_final(&hmac, digest);
	to_hex(digest, hex);
	assert_string_equal(hex, wanted);
}

static void hmac_gives_the_tags_of_rfc_4231(void **state)
{
	static const char larger[] =
		"This is a test using a larger than block-size key and a larger than block-size "
		"data. The key needs to be hashed before being used by the HMAC algorithm.";
	uint8_t key[131], data[50];

	memset(key, 0x0b, sizeof(key));
	expect_hmac(key, 20, "Hi There", 8,
		    "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
	expect_hmac("Jefe", 4, "what do ya want for nothing?", 28,
		    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	memset(data, 0xdd, sizeof(data));
	expect_hmac(key, 20, data, sizeof(data),
		    "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
	expect_hmac(key, 131, "Test Using Larger Than Block-Size Key - Hash Key First", 54,
		    "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
	expect_hmac(key, 131, larger, strlen(larger),
		    "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

/* Line n of Python's output: SHA-256 of the first n bytes, and their HMAC with these bytes as the key. */
static void every_length_agrees_with_python(void **state)
{
	FILE *python = popen("python3 -c '"
			     "import hashlib, hmac\n"
			     "data = bytes((i * 37 + 11) & 255 for i in range(300))\n"
			     "for n in range(300):\n"
			     "    print(hashlib.sha256(data[:n]).hexdigest(),"
			     " hmac.new(data[:n], data[:n], hashlib.sha256).hexdigest())'",
			     "r");
	uint8_t data[LENGTHS], digest[SHA256_SIZE];

	assert_non_null(python);
	for (unsigned int i = 0; i < LENGTHS; i++)
		data[i] = (uint8_t)(i * 37 + 11);
	for (unsigned int n = 0; n < LENGTHS; n++) {
		char sha[65], tag[65], hex[65];
		struct sha256 hash;

		assert_int_equal(fscanf(python, "%64s %64s", sha, tag), 2);
		sha256_init(&hash);
		sha256_update(&hash, data, n);
		sha256_final(&hash, digest);
		to_hex(digest, hex);
		assert_string_equal(hex, sha);
		expect_hmac(data, n, data, n, tag);
	}
	assert_int_equal(pclose(python), 0);
}

static void digests_are_equal_only_if_every_bit_is_equal(void **state)
{
	uint8_t a[SHA256_SIZE], b[SHA256_SIZE];

	memset(a, 0x5a, sizeof(a));
	memcpy(b, a, sizeof(b));
	assert_true(sha256_same(a, b));
	for (unsigned int bit = 0; bit < 8 * SHA256_SIZE; bit++) {
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
		assert_false(sha256_same(a, b));
		b[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256_gives_the_digests_of_fips_180),
		cmocka_unit_test(
			sha256_of_a_million_letters_does_not_depend_on_the_sizes_of_updates),
		cmocka_unit_test(hmac_gives_the_tags_of_rfc_4231),
		cmocka_unit_test(every_length_agrees_with_python),
		cmocka_unit_test(digests_are_equal_only_if_every_bit_is_equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
