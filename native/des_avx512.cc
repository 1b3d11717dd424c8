// Bit-sliced DES in AVX-512's registers, whose instructions compute any function of three bits: 512 blocks at once, or
// 256, or 128.

#include "des_lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,bmi")
#include "des_kernel.h"

namespace floatgate {
namespace {

typedef uint64_t Words2 __attribute__((vector_size(16)));
typedef uint64_t Words4 __attribute__((vector_size(32)));
typedef uint64_t Words8 __attribute__((vector_size(64)));

template <class Vector>
struct Avx512 {
  using V = Vector;
  using Boxes = DesBoxes3<Avx512>;
  template <uint8_t Function>
  static inline __attribute__((always_inline)) V Lut(V a, V b, V c) {
    if constexpr (sizeof(V) == 64) {
      return reinterpret_cast<V>(_mm512_ternarylogic_epi64(reinterpret_cast<__m512i>(a), reinterpret_cast<__m512i>(b),
                                                           reinterpret_cast<__m512i>(c), Function));
    } else if constexpr (sizeof(V) == 32) {
      return reinterpret_cast<V>(_mm256_ternarylogic_epi64(reinterpret_cast<__m256i>(a), reinterpret_cast<__m256i>(b),
                                                           reinterpret_cast<__m256i>(c), Function));
    } else {
      return reinterpret_cast<V>(_mm_ternarylogic_epi64(reinterpret_cast<__m128i>(a), reinterpret_cast<__m128i>(b),
                                                        reinterpret_cast<__m128i>(c), Function));
    }
  }
  static V Select(V mask, V a, V b) { return Lut<0xca>(mask, a, b); }
  static V Splat(uint64_t word) { return word - V{}; }
  static V LoadWord(const uint64_t* at) { return V{*at}; }
  static void StoreWord(uint64_t* at, V v) { *at = v[0]; }
};

constexpr DesDecryptor kDecryptors[] = {Des<Avx512<Words8>>::kDecryptor, Des<Avx512<Words4>>::kDecryptor,
                                        Des<Avx512<Words2>>::kDecryptor};
constexpr DesEncryptor kEncryptors[] = {DesChain<Avx512<Words8>, Avx512<Words4>, 4>::kEncryptor,
                                        DesChain<Avx512<Words8>, Avx512<Words2>, 1>::kEncryptor};
constexpr DesUnit kUnit = {"avx512", kDecryptors, 3, kEncryptors, 2};

}  // namespace
}  // namespace floatgate
#pragma GCC pop_options

namespace floatgate {
const DesUnit* DesAvx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("bmi")
             ? &kUnit
             : nullptr;
}
}  // namespace floatgate

#else

namespace floatgate {
const DesUnit* DesAvx512() { return nullptr; }
}  // namespace floatgate

#endif
