// The bit-sliced DES of des_lanes.h for any vector of 64-bit words: included by one file for each instruction set,
// which says what a machine `M` is:
//
//   V                      words of 64 bits side by side, with & | ^ ~ - and shifts of each word
//   Boxes                  DesBoxes2<M> or DesBoxes3<M>
//   Select(mask, a, b)     where that is one instruction: bits of a where mask has ones, else of b
//   Splat(word)            the word in every place
//   LoadWord, StoreWord    one word, in the lowest place
//
// Bit p of a word of memory is vector p here, so the tables below name bits by their place in the word: bit n of FIPS
// 46-3 (1 is the first) is 7 - (n - 1) % 8 of byte (n - 1) / 8.
//
// Everything is in an unnamed namespace: each file has its own, compiled for its own instructions.

#include "des_lanes.h"
#include "des_sboxes.h"

namespace floatgate {
namespace {

constexpr int WordBit(int n) {
  return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? (n - 1) / 8 * 8 + 7 - (n - 1) % 8 : 64 - n;
}

// The initial permutation: bits 1 to 32 of it are the left half, 33 to 64 the right.
constexpr int InitialBit(int n) {
  constexpr int kRows[8] = {58, 60, 62, 64, 57, 59, 61, 63};
  return WordBit(kRows[(n - 1) / 8] - 8 * ((n - 1) % 8));
}

constexpr uint8_t kP[32] = {16, 7, 20, 21, 29, 12, 28, 17, 1,  15, 23, 26, 5,  18, 31, 10,
                            2,  8, 24, 14, 32, 27, 3,  9,  19, 13, 30, 6,  22, 11, 4,  25};

// Where in the other half, from 0, output `bit` (0 to 3) of box `box` (0 to 7) goes.
constexpr int BoxTarget(int box, int bit) {
  for (int n = 0; n < 32; n++) {
    if (kP[n] == box * 4 + bit + 1) return n;
  }
  return -1;
}

// Which bit of its half, from 0, is input `bit` (0 to 5) of box `box`.
constexpr int BoxSource(int box, int bit) { return (box * 4 + bit + 31) % 32; }

constexpr uint8_t kPc1[56] = {57, 49, 41, 33, 25, 17, 9,  1,  58, 50, 42, 34, 26, 18, 10, 2,  59, 51, 43,
                              35, 27, 19, 11, 3,  60, 52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7,  62, 54,
                              46, 38, 30, 22, 14, 6,  61, 53, 45, 37, 29, 21, 13, 5,  28, 20, 12, 4};
constexpr uint8_t kPc2[48] = {14, 17, 11, 24, 1,  5,  3,  28, 15, 6,  21, 10, 23, 19, 12, 4,
                              26, 8,  16, 7,  27, 20, 13, 2,  41, 52, 31, 37, 47, 55, 30, 40,
                              51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32};
constexpr uint8_t kShifts[16] = {1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1};

template <class M>
struct Des {
  using V = typename M::V;
  using Boxes = typename M::Boxes;
  static constexpr size_t kWords = sizeof(V) / 8;

  static constexpr bool AnyInverted() {
    for (int b = 0; b < 8; b++) {
      if (Boxes::kInverted[b] != 0) return true;
    }
    return false;
  }
  // A DES key's halves C and D (FIPS 46-3, key schedule) are kept twice in a row each: however far a round has rotated
  // them, every bit that it reads stands at its own distance from one address. Behind them are the complements, where a
  // box needs some.
  static constexpr size_t kHalf = 28;
  static constexpr size_t kComplements = 4 * kHalf;
  static constexpr size_t kKeyVectors = AnyInverted() ? 2 * kComplements : kComplements;
  static_assert(kDesMaxStages * kKeyVectors * sizeof(V) <= sizeof(DesKeyVectors));

  // Which of a key's vectors each bit of a round reads, counted from where the halves have been rotated to.
  struct Wires {
    uint8_t at[48];
  };
  // A box whose circuit gives the complement of an output leaves a bit of the half upside down. The half gets eight
  // such outputs in a stage, so in the end all is as it should be; in between, whoever reads that bit takes the
  // key's complement to it.
  static constexpr Wires MakeWires(bool upside_down) {
    Wires wires{};
    bool inverts[32] = {};
    for (int box = 0; box < 8; box++) {
      for (int bit = 0; bit < 4; bit++) inverts[BoxTarget(box, bit)] = (Boxes::kInverted[box] >> bit & 1) != 0;
    }
    for (int i = 0; i < 48; i++) {
      size_t n = kPc2[i] - 1u;
      size_t at = n < kHalf ? n : 2 * kHalf + n - kHalf;
      if (upside_down && inverts[BoxSource(i / 6, i % 6)]) at += kComplements;
      wires.at[i] = static_cast<uint8_t>(at);
    }
    return wires;
  }
  template <bool UpsideDown>
  static constexpr Wires kWires = MakeWires(UpsideDown);

  // How far each round has rotated the halves; decryption takes the keys in the other order.
  struct Rotations {
    uint8_t by[16];
  };
  static constexpr Rotations MakeRotations(bool encrypts) {
    Rotations rotations{};
    uint8_t by = 0;
    for (int round = 0; round < 16; round++) {
      by = static_cast<uint8_t>(by + kShifts[round]);
      rotations.by[encrypts ? round : 15 - round] = by;
    }
    return rotations;
  }
  template <bool Encrypts>
  static constexpr Rotations kRotations = MakeRotations(Encrypts);

  // l ^= f(r, key)
  template <bool UpsideDown>
  static __attribute__((noinline)) void Round(V* __restrict l, const V* __restrict r, const V* __restrict key) {
    auto bit = [=](int box, int i) __attribute__((always_inline)) {
      return r[BoxSource(box, i)] ^ key[kWires<UpsideDown>.at[box * 6 + i]];
    };
#define FLOATGATE_BOX(n)                                                                                  \
  Boxes::Box##n(bit(n - 1, 0), bit(n - 1, 1), bit(n - 1, 2), bit(n - 1, 3), bit(n - 1, 4), bit(n - 1, 5), \
                l[BoxTarget(n - 1, 0)], l[BoxTarget(n - 1, 1)], l[BoxTarget(n - 1, 2)], l[BoxTarget(n - 1, 3)])
    FLOATGATE_BOX(1);
    FLOATGATE_BOX(2);
    FLOATGATE_BOX(3);
    FLOATGATE_BOX(4);
    FLOATGATE_BOX(5);
    FLOATGATE_BOX(6);
    FLOATGATE_BOX(7);
    FLOATGATE_BOX(8);
#undef FLOATGATE_BOX
  }

  // Sixteen rounds. What went in as (left, right) comes out as (right, left). The half that a round reads has been
  // written by every other one of those before it.
  template <bool Encrypts>
  static void Stage(V* left, V* right, const V* key) {
    const uint8_t* by = kRotations<Encrypts>.by;
    for (int round = 0; round < 16; round += 4, by += 4) {
      Round<false>(left, right, key + by[0]);
      Round<true>(right, left, key + by[1]);
      Round<true>(left, right, key + by[2]);
      Round<false>(right, left, key + by[3]);
    }
  }

  static const V* Key(const DesKeyVectors& keys, size_t stage) {
    return reinterpret_cast<const V*>(keys.bytes) + stage * kKeyVectors;
  }

  // E, or E D E. The final permutation of a stage and the initial one of the next leave only the exchange of halves.
  static void Encrypt(V* left, V* right, size_t stages, const DesKeyVectors& keys) {
    Stage<true>(left, right, Key(keys, 0));
    if (stages == 1) return;
    Stage<false>(right, left, Key(keys, 1));
    Stage<true>(left, right, Key(keys, 2));
  }

  static void Decrypt(V* left, V* right, size_t stages, const DesKeyVectors& keys) {
    if (stages == 1) return Stage<false>(left, right, Key(keys, 0));
    Stage<false>(left, right, Key(keys, 2));
    Stage<true>(right, left, Key(keys, 1));
    Stage<false>(left, right, Key(keys, 0));
  }

  // Eight rows, `Apart` from each other, through three of the six steps of a transposition.
  template <int Apart>
  static inline __attribute__((always_inline)) void Transpose8(V* rows, const V (&masks)[3]) {
    V x[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) x[i] = rows[i * Apart];
#pragma GCC unroll 3
    for (int step = 0; step < 3; step++) {
      int stride = 4 >> step;
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++) {
        if (i & stride) continue;
        V a = x[i], b = x[i + stride];
        if constexpr (requires { M::Select(a, a, b); }) {
          x[i] = M::Select(masks[step], a, b << (stride * Apart));
          x[i + stride] = M::Select(masks[step], a >> (stride * Apart), b);
        } else {
          V differ = (a >> (stride * Apart) ^ b) & masks[step];
          x[i] = a ^ differ << (stride * Apart);
          x[i + stride] = b ^ differ;
        }
      }
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) rows[i * Apart] = x[i];
  }

  // Bit b of word w of row r becomes bit r of word w of row b.
  static __attribute__((noinline)) void Transpose(V* rows) {
    const V coarse[3] = {M::Splat(0x00000000ffffffff), M::Splat(0x0000ffff0000ffff), M::Splat(0x00ff00ff00ff00ff)};
    const V fine[3] = {M::Splat(0x0f0f0f0f0f0f0f0f), M::Splat(0x3333333333333333), M::Splat(0x5555555555555555)};
    for (int i = 0; i < 8; i++) Transpose8<8>(rows + i, coarse);
    for (int i = 0; i < 64; i += 8) Transpose8<1>(rows + i, fine);
  }

  // Where the key's vectors lie, from a vector for each bit of its word.
  template <class Bit>
  static void SpreadKey(V* key, Bit bit) {
    for (size_t i = 0; i < 2 * kHalf; i++) {
      V v = bit(WordBit(kPc1[i]));
      V* to = key + (i < kHalf ? i : kHalf + i);
      to[0] = v;
      to[kHalf] = v;
      if constexpr (AnyInverted()) {
        to[kComplements] = ~v;
        to[kComplements + kHalf] = ~v;
      }
    }
  }

  static void ShareKey(const uint64_t* key, size_t stages, DesKeyVectors& vectors) {
    V* to = reinterpret_cast<V*>(vectors.bytes);
    for (size_t stage = 0; stage < stages; stage++, to += kKeyVectors) {
      const V word = M::Splat(key[stage]), one = M::Splat(1), zero = M::Splat(0);
      SpreadKey(to, [=](int i) { return zero - (word >> i & one); });
    }
  }

  static void SetLaneKeys(uint64_t* keys, size_t stages, DesKeyVectors& vectors) {
    V* to = reinterpret_cast<V*>(vectors.bytes);
    V* from = reinterpret_cast<V*>(keys);
    for (size_t stage = 0; stage < stages; stage++, to += kKeyVectors, from += 64) {
      Transpose(from);
      SpreadKey(to, [=](int i) { return from[i]; });
    }
  }

  static void DecryptBlocks(uint64_t* blocks, size_t stages, const DesKeyVectors& keys) {
    V* rows = reinterpret_cast<V*>(blocks);
    V left[32], right[32];
    Transpose(rows);
#pragma GCC unroll 32
    for (int n = 0; n < 32; n++) {
      left[n] = rows[InitialBit(n + 1)];
      right[n] = rows[InitialBit(n + 33)];
    }
    Decrypt(left, right, stages, keys);
#pragma GCC unroll 32
    for (int n = 0; n < 32; n++) {
      rows[InitialBit(n + 1)] = right[n];
      rows[InitialBit(n + 33)] = left[n];
    }
    Transpose(rows);
  }

  static constexpr DesDecryptor kDecryptor = {64 * kWords, ShareKey, SetLaneKeys, DecryptBlocks};
};

// CBC encryption of 64 packets for each of `Groups` words. `Narrow` encrypts, with so many of its words; `Wide` moves the
// data of as many steps as its words hold between words and slices.
template <class Wide, class Narrow, size_t Groups>
struct DesChain {
  using W = typename Wide::V;
  using V = typename Narrow::V;
  static constexpr size_t kWords = Des<Wide>::kWords;
  static constexpr size_t kTogether = kWords / Groups;
  static_assert(kWords % Groups == 0 && kDesChunk % kTogether == 0);
  static_assert(Groups == 1 || Groups == Des<Narrow>::kWords);

  static V Load(const uint64_t* at) {
    if constexpr (Groups == 1) return Narrow::LoadWord(at);
    else return *reinterpret_cast<const V*>(at);
  }
  static void Store(uint64_t* at, V v) {
    if constexpr (Groups == 1) Narrow::StoreWord(at, v);
    else *reinterpret_cast<V*>(at) = v;
  }
  static void LoadRows(const uint64_t* words, V* rows) {
    for (size_t i = 0; i < 64; i++) rows[i] = Load(words + i * Groups);
    Des<Narrow>::Transpose(rows);
  }

  static void SetKeys(uint64_t* keys, size_t stages, DesKeyVectors& vectors) {
    V* to = reinterpret_cast<V*>(vectors.bytes);
    for (size_t stage = 0; stage < stages; stage++, to += Des<Narrow>::kKeyVectors, keys += 64 * Groups) {
      V rows[64];
      LoadRows(keys, rows);
      Des<Narrow>::SpreadKey(to, [&](int i) { return rows[i]; });
    }
  }

  // The chain lies as the cipher leaves it: the right half first.
  static void Begin(const uint64_t* ivs, DesKeyVectors& chain) {
    V* halves = reinterpret_cast<V*>(chain.bytes);
    V rows[64];
    LoadRows(ivs, rows);
#pragma GCC unroll 32
    for (int n = 0; n < 32; n++) {
      halves[32 + n] = rows[InitialBit(n + 1)];
      halves[n] = rows[InitialBit(n + 33)];
    }
  }

  static void Encrypt(uint64_t* blocks, size_t steps, size_t stages, const DesKeyVectors& keys, DesKeyVectors& chain) {
    V* a = reinterpret_cast<V*>(chain.bytes);
    V* b = a + 32;
    for (size_t step = 0; step < steps; step++) {
      if (step % kTogether == 0) Des<Wide>::Transpose(reinterpret_cast<W*>(blocks));
      uint64_t* column = blocks + step % kTogether * Groups;
      // What came out of the last block on the left is in b, and XORed with the next block's left half.
#pragma GCC unroll 32
      for (int n = 0; n < 32; n++) {
        b[n] = b[n] ^ Load(column + InitialBit(n + 1) * kWords);
        a[n] = a[n] ^ Load(column + InitialBit(n + 33) * kWords);
      }
      Des<Narrow>::Encrypt(b, a, stages, keys);
#pragma GCC unroll 32
      for (int n = 0; n < 32; n++) {
        Store(column + InitialBit(n + 1) * kWords, a[n]);
        Store(column + InitialBit(n + 33) * kWords, b[n]);
      }
      V* other = a;
      a = b;
      b = other;
      if (step % kTogether == kTogether - 1 || step == steps - 1) {
        Des<Wide>::Transpose(reinterpret_cast<W*>(blocks));
        blocks += 64 * kWords;
      }
    }
    // `b` is in the second place again.
    if (steps % 2 == 1) {
      for (int n = 0; n < 32; n++) {
        V t = a[n];
        a[n] = b[n];
        b[n] = t;
      }
    }
  }

  static constexpr DesEncryptor MakeEncryptor() {
    DesEncryptor encryptor = {64 * Groups, Groups, kWords, {}, SetKeys, Begin, Encrypt};
    for (size_t step = 0; step < kDesChunk; step++) {
      encryptor.step_at[step] = step / kTogether * 64 * kWords + step % kTogether * Groups;
    }
    return encryptor;
  }
  static constexpr DesEncryptor kEncryptor = MakeEncryptor();
};

}  // namespace
}  // namespace floatgate
