// AES-CBC for vectors of one, two or four blocks: what aes_ni.cc, aes_vaes.cc and aes_vaes512.cc have in common. They include it where the compiler
// may use the instructions, and say what a vector is: V, of kBlocks, its round instructions, and how it gets to memory and back.
#include <immintrin.h>

#include "aes_lanes.h"

namespace floatgate {
namespace {

#define FLOATGATE_INLINE inline __attribute__((always_inline))

// A vector of one block.
struct OneBlock {
  using V = __m128i;
  static constexpr int kBlocks = 1;
  static FLOATGATE_INLINE V Load(const uint8_t* at) { return _mm_loadu_si128(reinterpret_cast<const V*>(at)); }
  static FLOATGATE_INLINE void Store(uint8_t* at, V v) { _mm_storeu_si128(reinterpret_cast<V*>(at), v); }
  // A block of each lane.
  static FLOATGATE_INLINE V LoadEach(uint8_t* const* lanes, size_t at) { return Load(*lanes + at); }
  static FLOATGATE_INLINE void StoreEach(uint8_t* const* lanes, size_t at, V v) { Store(*lanes + at, v); }
  // The same block everywhere.
  static FLOATGATE_INLINE V Spread(const uint8_t* at) { return Load(at); }
  // `first`, and what follows it up to the last but one of the blocks at `at`.
  static FLOATGATE_INLINE V Before(__m128i first, const uint8_t*) { return first; }
  static FLOATGATE_INLINE V Xor(V a, V b) { return _mm_xor_si128(a, b); }
  static FLOATGATE_INLINE V Encrypt(V v, V key) { return _mm_aesenc_si128(v, key); }
  static FLOATGATE_INLINE V EncryptLast(V v, V key) { return _mm_aesenclast_si128(v, key); }
  static FLOATGATE_INLINE V Decrypt(V v, V key) { return _mm_aesdec_si128(v, key); }
  static FLOATGATE_INLINE V DecryptLast(V v, V key) { return _mm_aesdeclast_si128(v, key); }
};

// The vectors of kGroups take turns of kSteps blocks: enough of them are at work to keep the processor busy, and few enough for its
// registers to have their places in memory.
template <class M, int kVectors, int kGroups, int kRounds>
void EncryptLanes(AesState& state, uint8_t* const* texts, size_t blocks) {
  using V = typename M::V;
  constexpr int kLanes = kVectors * M::kBlocks;
  constexpr int kSteps = kGroups > 1 ? 2 : 4;
  V x[kGroups][kVectors];
  auto turn = [&](int group, size_t at, int steps) __attribute__((always_inline)) {
    // Added up once a turn; the compiler would do it for each step.
    uint8_t* lanes[kLanes];
#pragma GCC unroll 8
    for (int i = 0; i < kLanes; i++) {
      lanes[i] = texts[group * kLanes + i] + at;
      __asm__("" : "+r"(lanes[i]));
    }
    V(&of)[kVectors] = x[group];
    auto key = [&](int round, int i) __attribute__((always_inline)) {
      return M::Load(state.keys[round][group * kLanes + i * M::kBlocks]);
    };
#pragma GCC unroll 4
    for (int s = 0; s < steps; s++) {
      size_t here = s * kAesBlock;
#pragma GCC unroll 8
      for (int i = 0; i < kVectors; i++) {
        of[i] = M::Xor(M::Xor(of[i], M::LoadEach(lanes + i * M::kBlocks, here)), key(0, i));
      }
#pragma GCC unroll 16
      for (int round = 1; round < kRounds; round++) {
#pragma GCC unroll 8
        for (int i = 0; i < kVectors; i++) of[i] = M::Encrypt(of[i], key(round, i));
      }
#pragma GCC unroll 8
      for (int i = 0; i < kVectors; i++) {
        of[i] = M::EncryptLast(of[i], key(kRounds, i));
        M::StoreEach(lanes + i * M::kBlocks, here, of[i]);
      }
    }
  };
#pragma GCC unroll 2
  for (int group = 0; group < kGroups; group++) {
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; i++) x[group][i] = M::Load(state.chain[group * kLanes + i * M::kBlocks]);
  }
  size_t at = 0, end = blocks * kAesBlock;
  for (; at + kSteps * kAesBlock <= end; at += kSteps * kAesBlock) {
#pragma GCC unroll 2
    for (int group = 0; group < kGroups; group++) turn(group, at, kSteps);
  }
  for (; at < end; at += kAesBlock) {
#pragma GCC unroll 2
    for (int group = 0; group < kGroups; group++) turn(group, at, 1);
  }
#pragma GCC unroll 2
  for (int group = 0; group < kGroups; group++) {
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; i++) M::Store(state.chain[group * kLanes + i * M::kBlocks], x[group][i]);
  }
}

// One turn of decryption; `before` is the block before the text, and then the text's last one.
template <class M, int kVectors, int kRounds>
FLOATGATE_INLINE void DecryptSome(const typename M::V* keys, __m128i& before, uint8_t* text) {
  typename M::V x[kVectors];
  auto place = [&](int i) __attribute__((always_inline)) { return text + i * M::kBlocks * kAesBlock; };
#pragma GCC unroll 8
  for (int i = 0; i < kVectors; i++) x[i] = M::Xor(M::Load(place(i)), keys[0]);
#pragma GCC unroll 16
  for (int round = 1; round < kRounds; round++) {
#pragma GCC unroll 8
    for (int i = 0; i < kVectors; i++) x[i] = M::Decrypt(x[i], keys[round]);
  }
  // The text is asked for anew, instead of kept until then where there are no registers for it.
  __asm__("" ::: "memory");
#pragma GCC unroll 8
  for (int i = 0; i < kVectors; i++) {
    x[i] = M::DecryptLast(x[i], keys[kRounds]);
    x[i] = M::Xor(x[i], i == 0 ? M::Before(before, text) : M::Load(place(i) - kAesBlock));
  }
  before = OneBlock::Load(place(kVectors) - kAesBlock);
#pragma GCC unroll 8
  for (int i = 0; i < kVectors; i++) M::Store(place(i), x[i]);
}

template <class M, int kVectors, int kRounds>
void DecryptText(const uint8_t* keys, const uint8_t* iv, uint8_t* text, size_t blocks) {
  typename M::V wide[kRounds + 1];
#pragma GCC unroll 16
  for (int i = 0; i <= kRounds; i++) wide[i] = M::Spread(keys + i * kAesBlock);
  __m128i before = OneBlock::Load(iv);
  constexpr size_t kTurn = kVectors * M::kBlocks;
  for (; blocks >= kTurn; blocks -= kTurn, text += kTurn * kAesBlock) DecryptSome<M, kVectors, kRounds>(wide, before, text);
  for (; blocks >= M::kBlocks; blocks -= M::kBlocks, text += M::kBlocks * kAesBlock) {
    DecryptSome<M, 1, kRounds>(wide, before, text);
  }
  if (blocks == 0) return;
  __m128i narrow[kRounds + 1];
#pragma GCC unroll 16
  for (int i = 0; i <= kRounds; i++) narrow[i] = OneBlock::Load(keys + i * kAesBlock);
  for (; blocks > 0; blocks--, text += kAesBlock) DecryptSome<OneBlock, 1, kRounds>(narrow, before, text);
}

template <class M, int kVectors, int kGroups>
constexpr AesEncryptor EncryptorOf() {
  return {kVectors * kGroups * M::kBlocks,
          {EncryptLanes<M, kVectors, kGroups, 10>, EncryptLanes<M, kVectors, kGroups, 12>, EncryptLanes<M, kVectors, kGroups, 14>}};
}

}  // namespace
}  // namespace floatgate
