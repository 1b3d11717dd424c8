// Bit-sliced DES in AVX2's registers: 256 blocks at once, or 128.

#include "des_lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2,bmi")
#include "des_kernel.h"

namespace floatgate {
namespace {

typedef uint64_t Words2 __attribute__((vector_size(16)));
typedef uint64_t Words4 __attribute__((vector_size(32)));

template <class Vector>
struct Avx2 {
  using V = Vector;
  using Boxes = DesBoxes2<Avx2>;
  static V Splat(uint64_t word) { return word - V{}; }
  static V LoadWord(const uint64_t* at) { return V{*at}; }
  static void StoreWord(uint64_t* at, V v) { *at = v[0]; }
};

constexpr DesDecryptor kDecryptors[] = {Des<Avx2<Words4>>::kDecryptor, Des<Avx2<Words2>>::kDecryptor};
constexpr DesEncryptor kEncryptors[] = {DesChain<Avx2<Words4>, Avx2<Words4>, 4>::kEncryptor,
                                        DesChain<Avx2<Words4>, Avx2<Words2>, 1>::kEncryptor};
constexpr DesUnit kUnit = {"avx2", kDecryptors, 2, kEncryptors, 2};

}  // namespace
}  // namespace floatgate
#pragma GCC pop_options

namespace floatgate {
const DesUnit* DesAvx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") ? &kUnit : nullptr; }
}  // namespace floatgate

#else

namespace floatgate {
const DesUnit* DesAvx2() { return nullptr; }
}  // namespace floatgate

#endif
