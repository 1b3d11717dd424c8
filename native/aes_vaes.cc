// AES-CBC by vectors of two blocks: VAES without AVX-512.
#include "aes_lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx2,aes,vaes")
#include "aes_kernel.h"

namespace floatgate {
namespace {

struct TwoBlocks {
  using V = __m256i;
  static constexpr int kBlocks = 2;
  static FLOATGATE_INLINE V Load(const uint8_t* at) { return _mm256_loadu_si256(reinterpret_cast<const V*>(at)); }
  static FLOATGATE_INLINE void Store(uint8_t* at, V v) { _mm256_storeu_si256(reinterpret_cast<V*>(at), v); }
  static FLOATGATE_INLINE V LoadEach(uint8_t* const* lanes, size_t at) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(OneBlock::Load(lanes[0] + at)), OneBlock::Load(lanes[1] + at), 1);
  }
  static FLOATGATE_INLINE void StoreEach(uint8_t* const* lanes, size_t at, V v) {
    OneBlock::Store(lanes[0] + at, _mm256_castsi256_si128(v));
    OneBlock::Store(lanes[1] + at, _mm256_extracti128_si256(v, 1));
  }
  static FLOATGATE_INLINE V Spread(const uint8_t* at) { return _mm256_broadcastsi128_si256(OneBlock::Load(at)); }
  static FLOATGATE_INLINE V Before(__m128i first, const uint8_t* at) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(first), OneBlock::Load(at), 1);
  }
  static FLOATGATE_INLINE V Xor(V a, V b) { return _mm256_xor_si256(a, b); }
  static FLOATGATE_INLINE V Encrypt(V v, V key) { return _mm256_aesenc_epi128(v, key); }
  static FLOATGATE_INLINE V EncryptLast(V v, V key) { return _mm256_aesenclast_epi128(v, key); }
  static FLOATGATE_INLINE V Decrypt(V v, V key) { return _mm256_aesdec_epi128(v, key); }
  static FLOATGATE_INLINE V DecryptLast(V v, V key) { return _mm256_aesdeclast_epi128(v, key); }
};

constexpr AesEncryptor kEncryptors[] = {EncryptorOf<TwoBlocks, 4, 2>(), EncryptorOf<TwoBlocks, 4, 1>(),
                                        EncryptorOf<TwoBlocks, 2, 1>(), EncryptorOf<TwoBlocks, 1, 1>(),
                                        EncryptorOf<OneBlock, 1, 1>()};
constexpr AesUnit kUnit = {"vaes",
                           kEncryptors,
                           5,
                           {DecryptText<TwoBlocks, 4, 10>, DecryptText<TwoBlocks, 4, 12>, DecryptText<TwoBlocks, 4, 14>}};

}  // namespace

const AesUnit* AesVaes() {
  static const bool usable = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("aes") && __builtin_cpu_supports("vaes");
  return usable ? &kUnit : nullptr;
}

}  // namespace floatgate
#pragma GCC pop_options

#else

namespace floatgate {
const AesUnit* AesVaes() { return nullptr; }
}  // namespace floatgate

#endif
