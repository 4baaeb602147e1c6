/*
 * jscan_block: which of 16 or 64 bytes are of interest, as bits, lowest first. SSE2 where the
 * compiler has it (every x86_64), words of 8 bytes elsewhere; JSCAN_PORTABLE asks for the latter.
 */
#ifndef AIRLOCK_FORMAT_JSCAN_BLOCK_H
#define AIRLOCK_FORMAT_JSCAN_BLOCK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define BLOCK 64
#define STEP 16

struct block_masks {
	uint64_t quote;
	uint64_t backslash;
	uint64_t control; /* below 0x20 */
	uint64_t open;    /* { and [ */
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

static inline struct block_masks block_read(const char *p)
{
	struct block_masks masks = { 0 };
	__m128i any = _mm_setzero_si128();

#pragma GCC unroll 4
	for (int i = 0; i < BLOCK / STEP; i++) {
		__m128i v = load(p + i * STEP);
		/* 0x20 makes one bracket of both kinds. */
		__m128i bracket = _mm_or_si128(v, _mm_set1_epi8(0x20));
		__m128i from_less = _mm_sub_epi8(v, _mm_set1_epi8('<'));
		int at = i * STEP;

		masks.quote |= bits(_mm_cmpeq_epi8(v, _mm_set1_epi8('"'))) << at;
		masks.backslash |= bits(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))) << at;
		any = _mm_or_si128(any, is_below(v, 0x20));
		masks.open |= bits(_mm_cmpeq_epi8(bracket, _mm_set1_epi8('{'))) << at;
		masks.close |= bits(_mm_cmpeq_epi8(bracket, _mm_set1_epi8('}'))) << at;
		masks.stray |= bits(is_below(from_less, 3)) << at;
	}
	/* Rare, but for the ends of lines of a file for people. */
	for (int i = 0; bits(any) && i < BLOCK / STEP; i++)
		masks.control |= bits(is_below(load(p + i * STEP), 0x20)) << (i * STEP);
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

static inline struct block_masks block_read(const char *p)
{
	struct block_masks masks = { 0 };

	for (unsigned i = 0; i < BLOCK; i += 8) {
		uint64_t w = load(p + i);
		uint64_t bracket = w | ONES * 0x20;

		masks.quote |= gather(equal(w, '"')) << i;
		masks.backslash |= gather(equal(w, '\\')) << i;
		masks.control |= gather(below(w, 0x20)) << i;
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

static inline unsigned block_count(uint64_t mask)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);

	mask -= mask >> 1 & ones * 0x55;
	mask = (mask & ones * 0x33) + (mask >> 2 & ones * 0x33);
	return (unsigned)(((mask + (mask >> 4)) & ones * 0x0f) * ones >> 56);
}

#endif
