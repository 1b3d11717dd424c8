// DES in nibbles with AVX2's shuffles, which look sixteen values up inside registers.

#include "des_lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include <cstring>

#pragma GCC push_options
#pragma GCC target("avx2")
#include "des_nibble_kernel.h"

namespace floatgate {
namespace {

typedef uint64_t Words4 __attribute__((vector_size(32)));

struct Avx2Bytes {
  using V = Words4;
  static constexpr bool kWordMatrix = false;

  static __m256i Of(V v) { return reinterpret_cast<__m256i>(v); }
  static V From(__m256i v) { return reinterpret_cast<V>(v); }
  static V Splat(uint8_t byte) { return uint64_t{0x0101010101010101} * byte - V{}; }
  static V LoadUnaligned(const void* at) { return From(_mm256_loadu_si256(static_cast<const __m256i*>(at))); }
  static void StoreUnaligned(void* at, V v) { _mm256_storeu_si256(static_cast<__m256i*>(at), Of(v)); }
  // With sixteen registers masks are read where they are used; the compiler would make each anew, had it the constants.
  template <class T>
  static const T* Hidden(const T* tables) {
    asm("" : "+r"(tables));
    return tables;
  }
  template <int By>
  static V Shift(V v) {
    if constexpr (By > 0) return From(_mm256_slli_epi16(Of(v), By));
    else return From(_mm256_srli_epi16(Of(v), -By));
  }
  static V Look(const Sixteen& table, V index) {
    __m256i twice = _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(&table)));
    return From(_mm256_shuffle_epi8(twice, Of(index)));
  }
  static V Pick(V a, V b, V by) { return From(_mm256_blendv_epi8(Of(a), Of(b), Of(by))); }

  template <int Bytes>
  static V Low(V a, V b) {
    if constexpr (Bytes == 1) return From(_mm256_unpacklo_epi8(Of(a), Of(b)));
    else if constexpr (Bytes == 2) return From(_mm256_unpacklo_epi16(Of(a), Of(b)));
    else return From(_mm256_unpacklo_epi32(Of(a), Of(b)));
  }
  template <int Bytes>
  static V High(V a, V b) {
    if constexpr (Bytes == 1) return From(_mm256_unpackhi_epi8(Of(a), Of(b)));
    else if constexpr (Bytes == 2) return From(_mm256_unpackhi_epi16(Of(a), Of(b)));
    else return From(_mm256_unpackhi_epi32(Of(a), Of(b)));
  }
  static void TransposeWords(V (&x)[4]) {
    __m256i low[2], high[2];
    for (int i = 0; i < 2; i++) {
      low[i] = _mm256_unpacklo_epi64(Of(x[2 * i]), Of(x[2 * i + 1]));
      high[i] = _mm256_unpackhi_epi64(Of(x[2 * i]), Of(x[2 * i + 1]));
    }
    x[0] = From(_mm256_permute2x128_si256(low[0], low[1], 0x20));
    x[1] = From(_mm256_permute2x128_si256(high[0], high[1], 0x20));
    x[2] = From(_mm256_permute2x128_si256(low[0], low[1], 0x31));
    x[3] = From(_mm256_permute2x128_si256(high[0], high[1], 0x31));
  }
};

constexpr DesShuffle kShuffle = {"shuffle", &DesSideBySide<DesNibbles<Avx2Bytes>>::kOffer, 1, DesNibbleExpand};

}  // namespace
}  // namespace floatgate
#pragma GCC pop_options

namespace floatgate {
const DesShuffle* DesShuffleAvx2() { return __builtin_cpu_supports("avx2") ? &kShuffle : nullptr; }
}  // namespace floatgate

#else

namespace floatgate {
const DesShuffle* DesShuffleAvx2() { return nullptr; }
}  // namespace floatgate

#endif
