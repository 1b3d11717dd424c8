// AES-CBC by vectors of one block: AES-NI, in AVX's encoding, whose operands may lie anywhere.
#include "aes_lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx,aes")
#include "aes_kernel.h"

namespace floatgate {
namespace {

constexpr AesEncryptor kEncryptors[] = {EncryptorOf<OneBlock, 8, 1>(), EncryptorOf<OneBlock, 4, 1>(),
                                        EncryptorOf<OneBlock, 2, 1>(), EncryptorOf<OneBlock, 1, 1>()};
constexpr AesUnit kUnit = {"aes-ni",
                           kEncryptors,
                           4,
                           {DecryptText<OneBlock, 8, 10>, DecryptText<OneBlock, 8, 12>, DecryptText<OneBlock, 8, 14>}};

}  // namespace

const AesUnit* AesNi() {
  static const bool usable = __builtin_cpu_supports("avx") && __builtin_cpu_supports("aes");
  return usable ? &kUnit : nullptr;
}

}  // namespace floatgate
#pragma GCC pop_options

#else

namespace floatgate {
const AesUnit* AesNi() { return nullptr; }
}  // namespace floatgate

#endif
