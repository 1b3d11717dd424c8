// DES in bytes with AVX2's shuffles, which look sixteen values up inside registers: four rows of sixteen make a box.

#include "des_lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)

#include <immintrin.h>

#include <cstring>

#pragma GCC push_options
#pragma GCC target("avx2")
#include "des_shuffle_kernel.h"

namespace floatgate {
namespace {

typedef uint64_t Words4 __attribute__((vector_size(32)));

struct Avx2Bytes {
  using V = Words4;
  // A shuffle takes the lowest four bits for the index, answers 0 where the highest is set, and does not read the others.
  static constexpr int kPlanes[6] = {0, 1, 2, 3, 6, 7};
  static constexpr bool kWordMatrix = false;

  static __m256i Of(V v) { return reinterpret_cast<__m256i>(v); }
  static V From(__m256i v) { return reinterpret_cast<V>(v); }
  static V Splat(uint8_t byte) { return uint64_t{0x0101010101010101} * byte - V{}; }
  static V LoadUnaligned(const void* at) { return From(_mm256_loadu_si256(static_cast<const __m256i*>(at))); }
  static void StoreUnaligned(void* at, V v) { _mm256_storeu_si256(static_cast<__m256i*>(at), Of(v)); }
  static V Xor3(V a, V b, V c) { return a ^ b ^ c; }
  static void Exchange(V& a, V& b, V mask) {
    V differ = (a ^ b) & mask;
    a ^= differ;
    b ^= differ;
  }
  // With sixteen registers masks are read where they are used; the compiler would make each anew, had it the constants.
  template <class T>
  static const T* Hidden(const T* tables) {
    asm("" : "+r"(tables));
    return tables;
  }
  static V Mask(const uint8_t (&bytes)[64]) { return From(_mm256_load_si256(reinterpret_cast<const __m256i*>(bytes))); }
  template <int By>
  static V Shift(V v) {
    if constexpr (By > 0) return From(_mm256_slli_epi16(Of(v), By));
    else return From(_mm256_srli_epi16(Of(v), -By));
  }
  static V Place(V key) { return key | (Shift<2>(key) & Splat(0xc0)); }

  struct alignas(16) Sixteen {
    uint8_t of[16];
  };
  static V Twice(const Sixteen& table) {
    return From(_mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(&table))));
  }
  static V Shuffle(V table, V index) { return From(_mm256_shuffle_epi8(Of(table), Of(index))); }

  // Two rows' answers of four bits in a byte each, and what becomes of four bits. The highest bit tells rows 0 and 1 from
  // rows 2 and 3, the one below tells the two of a byte.
  struct BoxTable {
    Sixteen rows[2], spread;
  };
  static constexpr BoxTable Prepare(const BoxAnswers& answers) {
    BoxTable table{};
    for (int i = 0; i < 64; i++) {
      table.rows[i / 32].of[i % 16] |= static_cast<uint8_t>(answers.four[i] << i / 16 % 2 * 4);
    }
    for (int i = 0; i < 16; i++) table.spread.of[i] = answers.spread[i];
    return table;
  }
  static V Box(const BoxTable& table, V six) {
    V both = Shuffle(Twice(table.rows[0]), six) | Shuffle(Twice(table.rows[1]), six ^ Splat(0x80));
    V four = From(_mm256_blendv_epi8(Of(both), Of(Shift<-4>(both)), _mm256_add_epi8(Of(six), Of(six))));
    return Shuffle(Twice(table.spread), four & Splat(15));
  }

  // Half bytes: tables for either, and whether it brings anything.
  struct HalfTables {
    Sixteen low, high;
    bool from_low, from_high;
  };
  static constexpr HalfTables Prepare(const Images& images) {
    HalfTables tables{};
    for (int four = 0; four < 16; four++) {
      for (int bit = 0; bit < 4; bit++) {
        if (!(four >> bit & 1)) continue;
        tables.low.of[four] ^= images.of[bit];
        tables.high.of[four] ^= images.of[4 + bit];
      }
    }
    for (int bit = 0; bit < 4; bit++) {
      tables.from_low = tables.from_low || images.of[bit] != 0;
      tables.from_high = tables.from_high || images.of[4 + bit] != 0;
    }
    return tables;
  }
  struct Halves {
    V low, high;
  };
  static Halves Ready(V v) { return {v & Splat(15), Shift<-4>(v) & Splat(15)}; }
  static inline __attribute__((always_inline)) V Map(const HalfTables& tables, const Halves& v) {
    if (!tables.from_high) return Shuffle(Twice(tables.low), v.low);
    if (!tables.from_low) return Shuffle(Twice(tables.high), v.high);
    return Shuffle(Twice(tables.low), v.low) ^ Shuffle(Twice(tables.high), v.high);
  }

  template <int Bytes>
  static V Low(V a, V b) {
    if constexpr (Bytes == 1) return From(_mm256_unpacklo_epi8(Of(a), Of(b)));
    else if constexpr (Bytes == 2) return From(_mm256_unpacklo_epi16(Of(a), Of(b)));
    else return From(_mm256_unpacklo_epi32(Of(a), Of(b)));
  }
  template <int Bytes>
  static V High(V a, V b) {
    if constexpr (Bytes == 1) return From(_mm256_unpackhi_epi8(Of(a), Of(b)));
    else if constexpr (Bytes == 2) return From(_mm256_unpackhi_epi16(Of(a), Of(b)));
    else return From(_mm256_unpackhi_epi32(Of(a), Of(b)));
  }
  static void TransposeWords(V (&x)[4]) {
    __m256i low[2], high[2];
    for (int i = 0; i < 2; i++) {
      low[i] = _mm256_unpacklo_epi64(Of(x[2 * i]), Of(x[2 * i + 1]));
      high[i] = _mm256_unpackhi_epi64(Of(x[2 * i]), Of(x[2 * i + 1]));
    }
    x[0] = From(_mm256_permute2x128_si256(low[0], low[1], 0x20));
    x[1] = From(_mm256_permute2x128_si256(high[0], high[1], 0x20));
    x[2] = From(_mm256_permute2x128_si256(low[0], low[1], 0x31));
    x[3] = From(_mm256_permute2x128_si256(high[0], high[1], 0x31));
  }
};

constexpr DesShuffle kShuffle = {"shuffle", &DesBytes<Avx2Bytes>::kOffer, 1};

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
