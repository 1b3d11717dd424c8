// The Internet checksum over whole packets.

#include "checksum.h"

#include <arpa/inet.h>

#ifdef __x86_64__
#include <immintrin.h>
#endif

#include <cstring>

namespace floatgate {
namespace {

uint32_t LoadWord(const uint8_t* at) {
  uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

#ifdef __x86_64__

constexpr uint32_t kBlock = 64;

// Whole blocks: the low and the high halves of 64-bit words go to sums of their own.
__attribute__((target("avx2"))) uint64_t SumBlocks(const uint8_t* bytes, uint32_t blocks) {
  const __m256i low = _mm256_set1_epi64x(0xffffffff);
  __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a;
  for (; blocks > 0; bytes += kBlock, blocks--) {
    const __m256i first = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes));
    const __m256i second = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(bytes + 32));
    a = _mm256_add_epi64(a, _mm256_and_si256(first, low));
    b = _mm256_add_epi64(b, _mm256_srli_epi64(first, 32));
    c = _mm256_add_epi64(c, _mm256_and_si256(second, low));
    d = _mm256_add_epi64(d, _mm256_srli_epi64(second, 32));
  }
  uint64_t sums[4];
  const __m256i all = _mm256_add_epi64(_mm256_add_epi64(a, b), _mm256_add_epi64(c, d));
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(sums), all);
  return sums[0] + sums[1] + sums[2] + sums[3];
}

const bool kHasAvx2 = __builtin_cpu_supports("avx2");

#endif

}  // namespace

// Words of 32 bits into sums of 64, which cannot overflow.
uint64_t SumBytes(const uint8_t* bytes, uint32_t length) {
  uint64_t a = 0, b = 0, c = 0, d = 0;
#ifdef __x86_64__
  if (length >= 2 * kBlock && kHasAvx2) {
    a = SumBlocks(bytes, length / kBlock);
    bytes += length / kBlock * kBlock;
    length %= kBlock;
  }
#endif
  for (; length >= 16; bytes += 16, length -= 16) {
    a += LoadWord(bytes);
    b += LoadWord(bytes + 4);
    c += LoadWord(bytes + 8);
    d += LoadWord(bytes + 12);
  }
  for (; length >= 4; bytes += 4, length -= 4) a += LoadWord(bytes);
  if (length > 0) {
    uint8_t rest[4] = {};
    std::memcpy(rest, bytes, length);
    b += LoadWord(rest);
  }
  return a + b + c + d;
}

uint64_t SumPseudoHeader(const uint8_t* ip, uint8_t protocol, uint32_t transport_length) {
  return SumBytes(ip + 12, 8) + htons(protocol) + htons(static_cast<uint16_t>(transport_length));
}

}  // namespace floatgate
