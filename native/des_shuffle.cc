// DES encryption of 16 packets side by side with AVX2's byte shuffles, for batches too small for bit slices: a byte of a
// register is one packet's six bits before a box, a shuffle looks sixteen values up inside registers, and so neither an
// address nor a branch comes from keys or data.

#include "des_lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include <cstring>

#include "sbox/boxes.h"

#pragma GCC push_options
#pragma GCC target("avx2")
#include "des_kernel.h"

namespace floatgate {
namespace {

// Tables of sixteen bytes for two registers' halves: the low for one target, the high for the next.
struct alignas(32) Pair {
  uint8_t of[2][16];
};

// A half of the block is kept as the boxes read it: eight groups of six bits, the first highest. Which bit of the half
// is bit `i` (0 to 5) of a group's value?
constexpr int GroupBit(int group, int i) { return BoxSource(group, 5 - i); }

// Rows of each box, by its first two bits.
struct BoxTables {
  Pair at[4][4];
};
constexpr BoxTables MakeBoxes() {
  BoxTables tables{};
  for (int box = 0; box < 8; box++) {
    for (unsigned six = 0; six < 64; six++) tables.at[box / 2][six / 16].of[box % 2][six % 16] = DesBox(box, six);
  }
  return tables;
}

// What each box's four bits bring to each group of the other half: permutation and expansion.
struct SpreadTables {
  Pair at[4][8];
};
constexpr SpreadTables MakeSpread() {
  SpreadTables tables{};
  for (int group = 0; group < 8; group++) {
    for (int i = 0; i < 6; i++) {
      int from = kP[GroupBit(group, i)] - 1;
      for (int four = 0; four < 16; four++) {
        if (four >> (3 - from % 4) & 1) tables.at[group / 2][from / 4].of[group % 2][four] |= static_cast<uint8_t>(1 << i);
      }
    }
  }
  return tables;
}

// Where bit n of the initial permutation (0 to 31 left, 32 to 63 right) stands in memory: byte, and bit of its value.
constexpr int kRows[8] = {58, 60, 62, 64, 57, 59, 61, 63};
constexpr int MemoryByte(int n) { return (kRows[n / 8] - 8 * (n % 8) - 1) / 8; }
constexpr int MemoryBit(int n) { return 7 - (kRows[n / 8] - 8 * (n % 8) - 1) % 8; }

// From sixteen half bytes (of byte b the low at 2b, the high at 2b + 1) to both halves' groups, and from sixteen
// groups' middle bits (left, then right) to eight bytes.
struct InTables {
  Pair at[8][16];
  bool used[8][16];
};
constexpr InTables MakeIn() {
  InTables tables{};
  for (int group = 0; group < 16; group++) {
    for (int i = 0; i < 6; i++) {
      int n = group / 8 * 32 + GroupBit(group % 8, i);
      int source = MemoryByte(n) * 2 + MemoryBit(n) / 4;
      tables.used[group / 2][source] = true;
      for (int four = 0; four < 16; four++) {
        if (four >> MemoryBit(n) % 4 & 1) tables.at[group / 2][source].of[group % 2][four] |= static_cast<uint8_t>(1 << i);
      }
    }
  }
  return tables;
}
struct OutTables {
  Pair at[4][16];
  bool used[4][16];
};
constexpr OutTables MakeOut() {
  OutTables tables{};
  for (int n = 0; n < 64; n++) {
    int byte = MemoryByte(n);
    tables.used[byte / 2][n / 4] = true;
    for (int four = 0; four < 16; four++) {
      if (four >> (3 - n % 4) & 1) tables.at[byte / 2][n / 4].of[byte % 2][four] |= static_cast<uint8_t>(1 << MemoryBit(n));
    }
  }
  return tables;
}

constexpr BoxTables kBoxTables = MakeBoxes();
constexpr SpreadTables kSpread = MakeSpread();
constexpr InTables kIn = MakeIn();
constexpr OutTables kOut = MakeOut();

__m256i Load(const Pair& pair) { return _mm256_load_si256(reinterpret_cast<const __m256i*>(&pair)); }

// 16 words become 8 registers of one byte of each.
inline void Gather(const uint64_t* words, __m128i (&bytes)[8]) {
  __m128i a[8], b[8];
  for (int i = 0; i < 8; i++) {
    a[i] = _mm_unpacklo_epi8(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(words + i)),
                             _mm_loadl_epi64(reinterpret_cast<const __m128i*>(words + i + 8)));
  }
  for (int i = 0; i < 4; i++) {
    b[i] = _mm_unpacklo_epi8(a[i], a[i + 4]);      // bytes 0 to 3 of i, i + 4, i + 8, i + 12
    b[i + 4] = _mm_unpackhi_epi8(a[i], a[i + 4]);  // bytes 4 to 7
  }
  for (int h = 0; h < 8; h += 4) {
    for (int i = 0; i < 2; i++) {
      a[h + i] = _mm_unpacklo_epi8(b[h + i], b[h + i + 2]);
      a[h + i + 2] = _mm_unpackhi_epi8(b[h + i], b[h + i + 2]);
    }
  }
  for (int h = 0; h < 4; h++) {
    bytes[2 * h] = _mm_unpacklo_epi8(a[2 * h], a[2 * h + 1]);
    bytes[2 * h + 1] = _mm_unpackhi_epi8(a[2 * h], a[2 * h + 1]);
  }
}

inline void Scatter(const __m128i (&bytes)[8], uint64_t* words) {
  __m128i two[8], four[8];
  for (int i = 0; i < 4; i++) {
    two[i] = _mm_unpacklo_epi8(bytes[2 * i], bytes[2 * i + 1]);
    two[i + 4] = _mm_unpackhi_epi8(bytes[2 * i], bytes[2 * i + 1]);
  }
  for (int h = 0; h < 8; h += 4) {
    four[h] = _mm_unpacklo_epi16(two[h], two[h + 1]);
    four[h + 1] = _mm_unpackhi_epi16(two[h], two[h + 1]);
    four[h + 2] = _mm_unpacklo_epi16(two[h + 2], two[h + 3]);
    four[h + 3] = _mm_unpackhi_epi16(two[h + 2], two[h + 3]);
  }
  auto* to = reinterpret_cast<__m128i*>(words);
  for (int h = 0; h < 8; h += 4) {
    _mm_storeu_si128(to++, _mm_unpacklo_epi32(four[h], four[h + 2]));
    _mm_storeu_si128(to++, _mm_unpackhi_epi32(four[h], four[h + 2]));
    _mm_storeu_si128(to++, _mm_unpacklo_epi32(four[h + 1], four[h + 3]));
    _mm_storeu_si128(to++, _mm_unpackhi_epi32(four[h + 1], four[h + 3]));
  }
}

// l ^= f(r, key)
inline __attribute__((always_inline)) void Round(__m256i (&l)[4], const __m256i (&r)[4], const uint8_t* key) {
  const __m256i beyond = _mm256_set1_epi8(0x70);
  __m256i four[8];
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    __m256i six = r[k] ^ _mm256_load_si256(reinterpret_cast<const __m256i*>(key) + k);
    // A shuffle answers 0 where its index has the highest bit: for all but the row at hand.
    __m256i found = _mm256_shuffle_epi8(Load(kBoxTables.at[k][0]), _mm256_add_epi8(six, beyond));
#pragma GCC unroll 3
    for (int row = 1; row < 4; row++) {
      __m256i index = _mm256_add_epi8(six ^ _mm256_set1_epi8(static_cast<char>(row << 4)), beyond);
      found |= _mm256_shuffle_epi8(Load(kBoxTables.at[k][row]), index);
    }
    four[2 * k] = _mm256_permute2x128_si256(found, found, 0x00);
    four[2 * k + 1] = _mm256_permute2x128_si256(found, found, 0x11);
  }
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    __m256i even = l[k], odd = _mm256_setzero_si256();
#pragma GCC unroll 8
    for (int box = 0; box < 8; box += 2) {
      even ^= _mm256_shuffle_epi8(Load(kSpread.at[k][box]), four[box]);
      odd ^= _mm256_shuffle_epi8(Load(kSpread.at[k][box + 1]), four[box + 1]);
    }
    l[k] = even ^ odd;
  }
}

inline void Stage(__m256i (&left)[4], __m256i (&right)[4], const uint8_t* key) {
  for (int round = 0; round < 16; round += 2, key += 256) {
    Round(left, right, key);
    Round(right, left, key + 128);
  }
}

// Words of memory, permuted and expanded, XORed into both halves.
inline void Absorb(const uint64_t* words, __m256i (&left)[4], __m256i (&right)[4]) {
  __m128i bytes[8];
  Gather(words, bytes);
  const __m256i low = _mm256_set1_epi8(15);
  __m256i fours[16];
  for (int i = 0; i < 8; i++) {
    __m256i both = _mm256_broadcastsi128_si256(bytes[i]);
    fours[2 * i] = both & low;
    fours[2 * i + 1] = _mm256_srli_epi16(both, 4) & low;
  }
#pragma GCC unroll 8
  for (int k = 0; k < 8; k++) {
    __m256i sum = k < 4 ? left[k] : right[k - 4];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      if (kIn.used[k][i]) sum ^= _mm256_shuffle_epi8(Load(kIn.at[k][i]), fours[i]);
    }
    (k < 4 ? left[k] : right[k - 4]) = sum;
  }
}

inline void Emit(const __m256i (&left)[4], const __m256i (&right)[4], uint64_t* words) {
  const __m256i low = _mm256_set1_epi8(15);
  __m256i fours[16];
  for (int k = 0; k < 8; k++) {
    __m256i middle = _mm256_srli_epi16(k < 4 ? left[k] : right[k - 4], 1) & low;
    fours[2 * k] = _mm256_permute2x128_si256(middle, middle, 0x00);
    fours[2 * k + 1] = _mm256_permute2x128_si256(middle, middle, 0x11);
  }
  __m128i bytes[8];
#pragma GCC unroll 4
  for (int k = 0; k < 4; k++) {
    __m256i sum = _mm256_setzero_si256();
#pragma GCC unroll 16
    for (int i = 0; i < 16; i++) {
      if (kOut.used[k][i]) sum ^= _mm256_shuffle_epi8(Load(kOut.at[k][i]), fours[i]);
    }
    bytes[2 * k] = _mm256_castsi256_si128(sum);
    bytes[2 * k + 1] = _mm256_extracti128_si256(sum, 1);
  }
  Scatter(bytes, words);
}

void Begin(const uint64_t* const* schedules, const uint64_t* ivs, size_t stages, DesShuffleState& state) {
  for (size_t round = 0; round < 16 * stages; round++) {
    uint64_t words[kDesShuffleLanes];
    for (size_t lane = 0; lane < kDesShuffleLanes; lane++) words[lane] = schedules[lane][round];
    __m128i bytes[8];
    Gather(words, bytes);
    for (int i = 0; i < 8; i++) _mm_store_si128(reinterpret_cast<__m128i*>(state.keys + round * 128) + i, bytes[i]);
  }
  __m256i left[4] = {}, right[4] = {};
  Absorb(ivs, left, right);
  auto* chain = reinterpret_cast<__m256i*>(state.chain);
  for (int k = 0; k < 4; k++) {
    _mm256_store_si256(chain + k, left[k]);
    _mm256_store_si256(chain + 4 + k, right[k]);
  }
}

void Step(uint64_t* blocks, size_t stages, DesShuffleState& state) {
  auto* chain = reinterpret_cast<__m256i*>(state.chain);
  __m256i left[4], right[4];
  for (int k = 0; k < 4; k++) {
    left[k] = _mm256_load_si256(chain + k);
    right[k] = _mm256_load_si256(chain + 4 + k);
  }
  Absorb(blocks, left, right);
  // A stage leaves the halves exchanged, and the next begins with them as they are.
  Stage(left, right, state.keys);
  if (stages == 3) {
    Stage(right, left, state.keys + 16 * 128);
    Stage(left, right, state.keys + 32 * 128);
  }
  Emit(right, left, blocks);
  for (int k = 0; k < 4; k++) {
    _mm256_store_si256(chain + k, right[k]);
    _mm256_store_si256(chain + 4 + k, left[k]);
  }
}

// Eight groups of six key bits a round, in the order in which rounds need them.
void Schedule(const uint64_t* key, size_t stages, uint64_t* schedule) {
  for (size_t stage = 0; stage < stages; stage++) {
    int shift = 0;
    for (int round = 0; round < 16; round++) {
      shift += kShifts[round];
      uint8_t groups[8] = {};
      for (int i = 0; i < 48; i++) {
        int n = kPc2[i] - 1;
        int from = n < 28 ? (n + shift) % 28 : 28 + (n - 28 + shift) % 28;
        unsigned bit = static_cast<unsigned>(key[stage] >> WordBit(kPc1[from]) & 1);
        groups[i / 6] = static_cast<uint8_t>(groups[i / 6] | bit << (5 - i % 6));
      }
      // The middle key decrypts.
      std::memcpy(schedule + stage * 16 + static_cast<size_t>(stage == 1 ? 15 - round : round), groups, 8);
    }
  }
}

constexpr DesShuffle kShuffle = {Schedule, Begin, Step};

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
