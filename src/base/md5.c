#include "airlock/base/md5.h"

#include <stdint.h>
#include <string.h>

enum {
	BLOCK = 64,
	LENGTH_AT = 56, /* where the last block holds the length in bits */
};

/* RFC 1321, section 3.4: the integer part of 2^32 * abs(sin(i + 1)). */
static const uint32_t sines[64] = {
	0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613,
	0xfd469501, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193,
	0xa679438e, 0x49b40821, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d,
	0x02441453, 0xd8a1e681, 0xe7d3fbc8, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed,
	0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a, 0xfffa3942, 0x8771f681, 0x6d9d6122,
	0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70, 0x289b7ec6, 0xeaa127fa,
	0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665, 0xf4292244,
	0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
	0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb,
	0xeb86d391,
};

static const unsigned char shifts[4][4] = {
	{ 7, 12, 17, 22 },
	{ 5, 9, 14, 20 },
	{ 4, 11, 16, 23 },
	{ 6, 10, 15, 21 },
};

static uint32_t load_little_endian(const unsigned char *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t rotate_left(uint32_t x, unsigned n)
{
	return x << n | x >> (32 - n);
}

static void add_block(uint32_t state[4], const unsigned char *block)
{
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];

	for (unsigned i = 0; i < 64; i++) {
		uint32_t mix, sum;
		unsigned word;

		if (i < 16) {
			mix = (b & c) | (~b & d);
			word = i;
		} else if (i < 32) {
			mix = (d & b) | (~d & c);
			word = (5 * i + 1) % 16;
		} else if (i < 48) {
			mix = b ^ c ^ d;
			word = (3 * i + 5) % 16;
		} else {
			mix = c ^ (b | ~d);
			word = (7 * i) % 16;
		}
		sum = a + mix + sines[i] + load_little_endian(block + 4 * word);
		a = d;
		d = c;
		c = b;
		b += rotate_left(sum, shifts[i / 16][i % 4]);
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

static void add_rest(uint32_t state[4], const unsigned char *rest, size_t rest_len, uint64_t bits)
{
	unsigned char last[2 * BLOCK] = { 0 };
	size_t last_len = rest_len < LENGTH_AT ? BLOCK : 2 * BLOCK;

	if (rest_len)
		memcpy(last, rest, rest_len);
	last[rest_len] = 0x80;
	for (unsigned i = 0; i < 8; i++)
		last[last_len - 8 + i] = (unsigned char)(bits >> (8 * i));
	for (size_t at = 0; at < last_len; at += BLOCK)
		add_block(state, last + at);
}

void md5_hex(const void *data, size_t len, char ret_hex[MD5_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";
	uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	const unsigned char *bytes = data;
	size_t left = len;

	for (; left >= BLOCK; left -= BLOCK, bytes += BLOCK)
		add_block(state, bytes);
	add_rest(state, bytes, left, (uint64_t)len * 8);
	for (unsigned i = 0; i < 16; i++) {
		unsigned char byte = (unsigned char)(state[i / 4] >> (8 * (i % 4)));

		ret_hex[2 * i] = digits[byte >> 4];
		ret_hex[2 * i + 1] = digits[byte & 15];
	}
	ret_hex[32] = '\0';
}
