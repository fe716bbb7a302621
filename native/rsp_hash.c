/* XXH3 with 128 bits (github.com/Cyan4973/xxHash, doc/xxhash_spec.md: "XXH3 Algorithm", for large inputs, without a
 * seed): ten times as fast as SHA-256 where the processor computes that itself. */

#include "rsp.h"

#include <string.h>

/* A build without it is for tests of what other processors do. */
#if defined(__x86_64__) && !defined(RSP_WITHOUT_AVX2)
#define RSP_AVX2
#include <cpuid.h>
#include <immintrin.h>
#endif

enum { LANES = 8, STRIPE = 64, SECRET = 192, PER_BLOCK = (SECRET - STRIPE) / 8, BLOCK = PER_BLOCK * STRIPE };

static const uint64_t PRIME32_1 = 0x9e3779b1, PRIME32_2 = 0x85ebca77, PRIME32_3 = 0xc2b2ae3d;
static const uint64_t PRIME64_1 = 0x9e3779b185ebca87, PRIME64_2 = 0xc2b2ae3d27d4eb4f, PRIME64_3 = 0x165667b19e3779f9,
                      PRIME64_4 = 0x85ebca77c2b2ae63, PRIME64_5 = 0x27d4eb2f165667c5;

static const uint8_t secret[SECRET] = {
    0xb8, 0xfe, 0x6c, 0x39, 0x23, 0xa4, 0x4b, 0xbe, 0x7c, 0x01, 0x81, 0x2c, 0xf7, 0x21, 0xad, 0x1c,
    0xde, 0xd4, 0x6d, 0xe9, 0x83, 0x90, 0x97, 0xdb, 0x72, 0x40, 0xa4, 0xa4, 0xb7, 0xb3, 0x67, 0x1f,
    0xcb, 0x79, 0xe6, 0x4e, 0xcc, 0xc0, 0xe5, 0x78, 0x82, 0x5a, 0xd0, 0x7d, 0xcc, 0xff, 0x72, 0x21,
    0xb8, 0x08, 0x46, 0x74, 0xf7, 0x43, 0x24, 0x8e, 0xe0, 0x35, 0x90, 0xe6, 0x81, 0x3a, 0x26, 0x4c,
    0x3c, 0x28, 0x52, 0xbb, 0x91, 0xc3, 0x00, 0xcb, 0x88, 0xd0, 0x65, 0x8b, 0x1b, 0x53, 0x2e, 0xa3,
    0x71, 0x64, 0x48, 0x97, 0xa2, 0x0d, 0xf9, 0x4e, 0x38, 0x19, 0xef, 0x46, 0xa9, 0xde, 0xac, 0xd8,
    0xa8, 0xfa, 0x76, 0x3f, 0xe3, 0x9c, 0x34, 0x3f, 0xf9, 0xdc, 0xbb, 0xc7, 0xc7, 0x0b, 0x4f, 0x1d,
    0x8a, 0x51, 0xe0, 0x4b, 0xcd, 0xb4, 0x59, 0x31, 0xc8, 0x9f, 0x7e, 0xc9, 0xd9, 0x78, 0x73, 0x64,
    0xea, 0xc5, 0xac, 0x83, 0x34, 0xd3, 0xeb, 0xc3, 0xc5, 0x81, 0xa0, 0xff, 0xfa, 0x13, 0x63, 0xeb,
    0x17, 0x0d, 0xdd, 0x51, 0xb7, 0xf0, 0xda, 0x49, 0xd3, 0x16, 0x55, 0x26, 0x29, 0xd4, 0x68, 0x9e,
    0x2b, 0x16, 0xbe, 0x58, 0x7d, 0x47, 0xa1, 0xfc, 0x8f, 0xf8, 0xb8, 0xd1, 0x7a, 0xd0, 0x31, 0xce,
    0x45, 0xcb, 0x3a, 0x8f, 0x95, 0x16, 0x04, 0x28, 0xaf, 0xd7, 0xfb, 0xca, 0xbb, 0x4b, 0x40, 0x7e,
};

/* Little-endian, as every system is that this runs on. */
static inline uint64_t word(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

typedef void take_stripes(uint64_t lanes[LANES], const uint8_t *from, int count, const uint8_t *key, uint8_t *to);

/* `count` stripes into the lanes, and as they are to `to`, unless it is NULL. */
static void take(uint64_t lanes[LANES], const uint8_t *from, int count, const uint8_t *key, uint8_t *to)
{
    for (int stripe = 0; stripe < count; stripe++, from += STRIPE, key += 8)
        for (int i = 0; i < LANES; i++) {
            uint64_t value = word(from + 8 * i), keyed = value ^ word(key + 8 * i);
            lanes[i ^ 1] += value;
            lanes[i] += (keyed & 0xffffffff) * (keyed >> 32);
        }
    if (to)
        memcpy(to, from - count * STRIPE, (size_t)(count * STRIPE));
}

#ifdef RSP_AVX2
/* The same, four lanes at a time. What is copied waits for memory meanwhile. */
__attribute__((target("avx2"))) static void take_wide(uint64_t lanes[LANES], const uint8_t *from, int count,
                                                      const uint8_t *key, uint8_t *to)
{
    enum { WIDE = sizeof(__m256i), SWAPPED_PAIRS = 0x4e };
    for (int half = 0; half < STRIPE; half += WIDE) {
        __m256i sum = _mm256_loadu_si256((const __m256i *)(lanes + half / 8));
        for (int at = half, stripe = 0; stripe < count; stripe++, at += STRIPE) {
            __m256i value = _mm256_loadu_si256((const __m256i *)(from + at));
            __m256i keyed = _mm256_xor_si256(value, _mm256_loadu_si256((const __m256i *)(key + half + 8 * stripe)));
            sum = _mm256_add_epi64(sum, _mm256_shuffle_epi32(value, SWAPPED_PAIRS));
            sum = _mm256_add_epi64(sum, _mm256_mul_epu32(keyed, _mm256_srli_epi64(keyed, 32)));
            if (to)
                _mm256_storeu_si256((__m256i *)(to + at), value);
        }
        _mm256_storeu_si256((__m256i *)(lanes + half / 8), sum);
    }
}
#endif

static void scramble(uint64_t lanes[LANES])
{
    for (int i = 0; i < LANES; i++)
        lanes[i] = (lanes[i] ^ (lanes[i] >> 47) ^ word(secret + SECRET - STRIPE + 8 * i)) * PRIME32_1;
}

static uint64_t merged(const uint64_t lanes[LANES], const uint8_t *key, uint64_t sum)
{
    for (int i = 0; i < LANES; i += 2) {
        unsigned __int128 product = (unsigned __int128)(lanes[i] ^ word(key + 8 * i)) * (lanes[i + 1] ^ word(key + 8 * i + 8));
        sum += (uint64_t)product ^ (uint64_t)(product >> 64);
    }
    sum = (sum ^ (sum >> 37)) * 0x165667919e3779f9;
    return sum ^ (sum >> 32);
}

#ifdef RSP_AVX2
/* What compilers offer for this is not in every one's runtime library. AVX's registers have to be kept by the system
 * (OSXSAVE, XCR0), too (Intel's manual, volume 1, 14.7.1). */
__attribute__((target("xsave"))) static int has_avx2(void)
{
    enum { OSXSAVE_AND_AVX = 3 << 27, SSE_AND_AVX_STATE = 6, AVX2 = 1 << 5 };
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & OSXSAVE_AND_AVX) != OSXSAVE_AND_AVX)
        return 0;
    if ((_xgetbv(0) & SSE_AND_AVX_STATE) != SSE_AND_AVX_STATE)
        return 0;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && b & AVX2;
}
#endif

/* Found out once: a virtual machine's CPUID is a trap. */
static take_stripes *best(void)
{
    static take_stripes *found;
    if (!found) {
        found = take;
#ifdef RSP_AVX2
        if (has_avx2())
            found = take_wide;
#endif
    }
    return found;
}

void rsp_hash_and_copy(const uint8_t *data, int64_t length, uint8_t *to, uint64_t hash[2])
{
    take_stripes *take_some = best();
    uint64_t lanes[LANES] = {PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1};
    int64_t at = 0, last = length - 1;
    for (; last - at >= BLOCK; at += BLOCK) {
        take_some(lanes, data + at, PER_BLOCK, secret, to ? to + at : NULL);
        scramble(lanes);
    }
    take_some(lanes, data + at, (int)((last - at) / STRIPE), secret, NULL);
    take_some(lanes, data + length - STRIPE, 1, secret + SECRET - STRIPE - 7, NULL);
    if (to)
        memcpy(to + at, data + at, (size_t)(length - at));
    hash[0] = merged(lanes, secret + 11, (uint64_t)length * PRIME64_1);
    hash[1] = merged(lanes, secret + SECRET - STRIPE - 11, ~((uint64_t)length * PRIME64_2));
}

void rsp_hash(const uint8_t *data, int64_t length, uint64_t hash[2])
{
    rsp_hash_and_copy(data, length, NULL, hash);
}
