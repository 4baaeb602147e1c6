/*
 * jscan_block: which of 16 or 64 bytes are of interest, as bits, lowest first. SSE2 where the
 * compiler has it (every x86_64), words of 8 bytes elsewhere; what ends in _wide is for processors
 * with AVX2. JSCAN_PORTABLE and JSCAN_NARROW ask for less than the machine has.
 */
#ifndef AIRLOCK_FORMAT_JSCAN_BLOCK_H
#define AIRLOCK_FORMAT_JSCAN_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 64
#define STEP 16

struct string_masks {
	uint64_t quote;
	uint64_t backslash;
	uint64_t control; /* below 0x20 */
};

struct block_masks {
	struct string_masks string;
	uint64_t open; /* { and [ */
	uint64_t close;
	uint64_t stray; /* < = >, never outside of a string */
};

#if defined(__SSE2__) && !defined(JSCAN_PORTABLE)

#include <emmintrin.h>

static inline uint64_t bits(__m128i mask)
{
	return (uint64_t)(unsigned)_mm_movemask_epi8(mask);
}

static inline __m128i load(const char *p)
{
	return _mm_loadu_si128((const __m128i *)(const void *)p);
}

static inline __m128i is_below(__m128i v, char limit)
{
	__m128i most = _mm_set1_epi8((char)(limit - 1));

	return _mm_cmpeq_epi8(_mm_min_epu8(v, most), v);
}

/* Of 16 bytes: quotes, backslashes and control characters. */
static inline unsigned step_special(const char *p)
{
	__m128i v = load(p);
	__m128i m = _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')),
				 _mm_cmpeq_epi8(v, _mm_set1_epi8('\\')));

	return (unsigned)bits(_mm_or_si128(m, is_below(v, 0x20)));
}

/* Of 16 bytes: what is no printable ASCII, quotes and backslashes. */
static inline unsigned step_odd(const char *p)
{
	return step_special(p) | (unsigned)bits(load(p));
}

/* Control characters are rare, but for the ends of lines of a file for people. */
static inline uint64_t block_control(const char *p)
{
	uint64_t control = 0;

	for (int i = 0; i < BLOCK; i += STEP)
		control |= bits(is_below(load(p + i), 0x20)) << i;
	return control;
}

static inline struct string_masks block_string(const char *p)
{
	struct string_masks masks = { 0 };
	__m128i any = _mm_setzero_si128();

#pragma GCC unroll 4
	for (int i = 0; i < BLOCK; i += STEP) {
		__m128i v = load(p + i);

		masks.quote |= bits(_mm_cmpeq_epi8(v, _mm_set1_epi8('"'))) << i;
		masks.backslash |= bits(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))) << i;
		any = _mm_or_si128(any, is_below(v, 0x20));
	}
	if (bits(any))
		masks.control = block_control(p);
	return masks;
}

static inline struct block_masks block_read(const char *p)
{
	struct block_masks masks = { .string = block_string(p) };

#pragma GCC unroll 4
	for (int i = 0; i < BLOCK; i += STEP) {
		/* 0x20 makes one bracket of both kinds. */
		__m128i bracket = _mm_or_si128(load(p + i), _mm_set1_epi8(0x20));
		__m128i from_less = _mm_sub_epi8(load(p + i), _mm_set1_epi8('<'));

		masks.open |= bits(_mm_cmpeq_epi8(bracket, _mm_set1_epi8('{'))) << i;
		masks.close |= bits(_mm_cmpeq_epi8(bracket, _mm_set1_epi8('}'))) << i;
		masks.stray |= bits(is_below(from_less, 3)) << i;
	}
	return masks;
}

#else

#define ONES UINT64_C(0x0101010101010101)
#define HIGH UINT64_C(0x8080808080808080)

static inline uint64_t load(const char *p)
{
	uint64_t word = 0;

	/* The compiler makes one load of it where the machine is little-endian. */
	for (unsigned i = 0; i < 8; i++)
		word |= (uint64_t)(unsigned char)p[i] << (8 * i);
	return word;
}

/* The high bit of each byte that is zero, exactly. */
static inline uint64_t zeros(uint64_t word)
{
	return ~(((word & ~HIGH) + ~HIGH) | word | ~HIGH);
}

static inline uint64_t equal(uint64_t word, unsigned char c)
{
	return zeros(word ^ ONES * c);
}

/* c is a power of two. */
static inline uint64_t below(uint64_t word, unsigned char c)
{
	return zeros(word & ONES * (unsigned char)~(c - 1U));
}

static inline uint64_t gather(uint64_t high)
{
	return ((high >> 7) * UINT64_C(0x0102040810204080)) >> 56;
}

static inline unsigned step_special(const char *p)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < STEP; i += 8) {
		uint64_t w = load(p + i);
		mask |= (unsigned)gather(equal(w, '"') | equal(w, '\\') | below(w, 0x20)) << i;
	}
	return mask;
}

static inline unsigned step_odd(const char *p)
{
	return step_special(p) | (unsigned)gather(load(p) & HIGH) |
	       (unsigned)gather(load(p + 8) & HIGH) << 8;
}

static inline struct string_masks block_string(const char *p)
{
	struct string_masks masks = { 0 };

	for (unsigned i = 0; i < BLOCK; i += 8) {
		uint64_t w = load(p + i);

		masks.quote |= gather(equal(w, '"')) << i;
		masks.backslash |= gather(equal(w, '\\')) << i;
		masks.control |= gather(below(w, 0x20)) << i;
	}
	return masks;
}

static inline struct block_masks block_read(const char *p)
{
	struct block_masks masks = { .string = block_string(p) };

	for (unsigned i = 0; i < BLOCK; i += 8) {
		uint64_t w = load(p + i);
		uint64_t bracket = w | ONES * 0x20;

		masks.open |= gather(equal(bracket, '{')) << i;
		masks.close |= gather(equal(bracket, '}')) << i;
		masks.stray |= gather(equal(w, '<') | equal(w, '=') | equal(w, '>')) << i;
	}
	return masks;
}

#endif

/* Bits behind an odd number of backslashes. `carry`: the first byte is one, from block to block. */
static inline uint64_t block_escaped(uint64_t backslash, uint64_t *carry)
{
	const uint64_t even = UINT64_C(0x5555555555555555);
	uint64_t follows, starts, sum;

	if (!backslash) {
		uint64_t first = *carry;
		*carry = 0;
		return first;
	}
	backslash &= ~*carry;
	follows = backslash << 1 | *carry;
	starts = backslash & ~even & ~follows;
	*carry = __builtin_add_overflow(starts, backslash, &sum);
	return (even ^ sum << 1) & follows;
}

/* Each bit is the parity of the bits up to it: from a quote on up to the next. */
static inline uint64_t block_between(uint64_t quotes)
{
	quotes ^= quotes << 1;
	quotes ^= quotes << 2;
	quotes ^= quotes << 4;
	quotes ^= quotes << 8;
	quotes ^= quotes << 16;
	return quotes ^ quotes << 32;
}

/*
 * Of the wide ones: on a processor that block_is_wide() says has AVX2, in a function that is WIDE.
 */
#if defined(__x86_64__) && defined(__SSE2__) && !defined(JSCAN_PORTABLE) && !defined(JSCAN_NARROW)

#include <immintrin.h>

#define WIDE __attribute__((target("avx2,bmi,popcnt")))

static inline bool block_is_wide(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("popcnt");
}

WIDE static inline uint64_t bits_wide(__m256i low, __m256i high)
{
	return (uint64_t)(unsigned)_mm256_movemask_epi8(low) |
	       (uint64_t)(unsigned)_mm256_movemask_epi8(high) << 32;
}

WIDE static inline uint64_t equal_wide(const __m256i *halves, char c)
{
	return bits_wide(_mm256_cmpeq_epi8(halves[0], _mm256_set1_epi8(c)),
			 _mm256_cmpeq_epi8(halves[1], _mm256_set1_epi8(c)));
}

WIDE static inline uint64_t below_wide(const __m256i *halves, char limit)
{
	__m256i most = _mm256_set1_epi8((char)(limit - 1));

	return bits_wide(_mm256_cmpeq_epi8(_mm256_min_epu8(halves[0], most), halves[0]),
			 _mm256_cmpeq_epi8(_mm256_min_epu8(halves[1], most), halves[1]));
}

WIDE static inline struct block_masks block_read_wide(const char *p)
{
	const __m256i case_bit = _mm256_set1_epi8(0x20);
	const __m256i less = _mm256_set1_epi8('<');
	const __m256i *at = (const __m256i *)(const void *)p;
	__m256i v[] = { _mm256_loadu_si256(at), _mm256_loadu_si256(at + 1) };
	__m256i bracket[] = { _mm256_or_si256(v[0], case_bit), _mm256_or_si256(v[1], case_bit) };
	__m256i from_less[] = { _mm256_sub_epi8(v[0], less), _mm256_sub_epi8(v[1], less) };

	return (struct block_masks) {
		.string = {
			.quote = equal_wide(v, '"'),
			.backslash = equal_wide(v, '\\'),
			.control = below_wide(v, 0x20),
		},
		.open = equal_wide(bracket, '{'),
		.close = equal_wide(bracket, '}'),
		.stray = below_wide(from_less, 3),
	};
}

/* Those of the string are all that is used of it: the compiler leaves the others out. */
WIDE static inline struct string_masks block_string_wide(const char *p)
{
	return block_read_wide(p).string;
}

#else

#define WIDE

static inline bool block_is_wide(void)
{
	return false;
}

static inline struct block_masks block_read_wide(const char *p)
{
	return block_read(p);
}

static inline struct string_masks block_string_wide(const char *p)
{
	return block_string(p);
}

#endif

static inline unsigned block_count(uint64_t mask)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	mask -= mask >> 1 & ones * 0x55;
	mask = (mask & ones * 0x33) + (mask >> 2 & ones * 0x33);
	return (unsigned)(((mask + (mask >> 4)) & ones * 0x0f) * ones >> 56);
}

#endif
