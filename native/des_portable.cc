// Bit-sliced DES in general registers, for processors of any kind: 64 blocks at once.

#include "des_kernel.h"

namespace floatgate {
namespace {

struct Word {
  using V = uint64_t;
  using Boxes = DesBoxes2<Word>;
  static V Select(V mask, V a, V b) { return b ^ (mask & (a ^ b)); }
  static V Splat(uint64_t word) { return word; }
  static V LoadWord(const uint64_t* at) { return *at; }
  static void StoreWord(uint64_t* at, V v) { *at = v; }
};

constexpr DesDecryptor kDecryptors[] = {Des<Word>::kDecryptor};
constexpr DesUnit kUnit = {"portable", kDecryptors, 1, DesChain<Word, Word>::kEncryptor};

}  // namespace

const DesUnit* DesPortable() { return &kUnit; }

}  // namespace floatgate
