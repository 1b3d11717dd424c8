// AES-CBC's decryption by vectors of four blocks: VAES with AVX-512.
#include "aes_lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)

// GCC 12 warns of what its own header leaves undefined on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx512f,aes,vaes")
#include "aes_kernel.h"

namespace floatgate {
namespace {

struct FourBlocks {
  using V = __m512i;
  static constexpr int kBlocks = 4;
  static FLOATGATE_INLINE V Load(const uint8_t* at) { return _mm512_loadu_si512(at); }
  static FLOATGATE_INLINE void Store(uint8_t* at, V v) { _mm512_storeu_si512(at, v); }
  static FLOATGATE_INLINE V Spread(const uint8_t* at) { return _mm512_broadcast_i32x4(OneBlock::Load(at)); }
  static FLOATGATE_INLINE V Before(__m128i first, const uint8_t* at) {
    return _mm512_alignr_epi64(Load(at), _mm512_broadcast_i32x4(first), 6);
  }
  static FLOATGATE_INLINE V Xor(V a, V b) { return _mm512_xor_si512(a, b); }
  static FLOATGATE_INLINE V Decrypt(V v, V key) { return _mm512_aesdec_epi128(v, key); }
  static FLOATGATE_INLINE V DecryptLast(V v, V key) { return _mm512_aesdeclast_epi128(v, key); }
};

// Two more or one less are no faster.
constexpr int kVectors = 4;

}  // namespace

const AesUnit* AesVaes512() {
  static const bool usable = AesVaes() != nullptr && __builtin_cpu_supports("avx512f");
  if (!usable) return nullptr;
  static const AesUnit unit = {
      "vaes-512",
      AesVaes()->encryptors,
      AesVaes()->encryptor_count,
      {DecryptText<FourBlocks, kVectors, 10>, DecryptText<FourBlocks, kVectors, 12>, DecryptText<FourBlocks, kVectors, 14>}};
  return &unit;
}

}  // namespace floatgate
#pragma GCC pop_options

#else

namespace floatgate {
const AesUnit* AesVaes512() { return nullptr; }
}  // namespace floatgate

#endif
