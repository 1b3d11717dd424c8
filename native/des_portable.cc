// Bit-sliced DES for processors of any kind, in what the compiler makes of 128 bits: SSE2 on every x86-64, NEON on ARM,
// general registers elsewhere.

#include "des_kernel.h"

namespace floatgate {
namespace {

struct Portable {
  typedef uint64_t V __attribute__((vector_size(16)));
  using Boxes = DesBoxes2<Portable>;
  static V Splat(uint64_t word) { return word - V{}; }
  static V LoadWord(const uint64_t* at) { return V{*at}; }
  static void StoreWord(uint64_t* at, V v) { *at = v[0]; }
};

constexpr DesDecryptor kDecryptors[] = {Des<Portable>::kDecryptor};
constexpr DesEncryptor kEncryptors[] = {DesChain<Portable, Portable, 2>::kEncryptor,
                                        DesChain<Portable, Portable, 1>::kEncryptor};
constexpr DesUnit kUnit = {"portable", kDecryptors, 1, kEncryptors, 2};

}  // namespace

const DesUnit* DesPortable() { return &kUnit; }

}  // namespace floatgate
