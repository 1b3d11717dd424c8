// DES in bytes with AVX-512: an instruction of VBMI looks 64 lanes up in a box, one of GFNI multiplies by a matrix of bits.

#include "des_lanes.h"

#if defined(__x86_64__) && defined(__GNUC__)

// GCC 12 warns of what its own header leaves undefined on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#include <cstring>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512vl,avx512bw,avx512vbmi,gfni")
#include "des_shuffle_kernel.h"

namespace floatgate {
namespace {

typedef uint64_t Words4 __attribute__((vector_size(32)));
typedef uint64_t Words8 __attribute__((vector_size(64)));

// Of the 512 or 256 bits of V, the operation of that name.
#define FLOATGATE_WIDE(name, ...)                                                             \
  [&]() __attribute__((always_inline)) {                                                      \
    if constexpr (sizeof(V) == 64) return reinterpret_cast<V>(_mm512_##name(__VA_ARGS__));    \
    else return reinterpret_cast<V>(_mm256_##name(__VA_ARGS__));                              \
  }()

template <size_t Size>
struct Intrinsic {
  using Type = __m256i;
};
template <>
struct Intrinsic<64> {
  using Type = __m512i;
};

template <class Vector>
struct Vbmi {
  using V = Vector;
  using Register = typename Intrinsic<sizeof(V)>::Type;
  static constexpr bool kWordMatrix = true;

  static Register Of(V v) { return reinterpret_cast<Register>(v); }
  static V Splat(uint8_t byte) { return uint64_t{0x0101010101010101} * byte - V{}; }
  static V LoadUnaligned(const void* at) {
    V v;
    __builtin_memcpy(&v, at, sizeof v);
    return v;
  }
  static void StoreUnaligned(void* at, V v) { __builtin_memcpy(at, &v, sizeof v); }
  static V Xor3(V a, V b, V c) { return FLOATGATE_WIDE(ternarylogic_epi64, Of(a), Of(b), Of(c), 0x96); }
  static void Exchange(V& a, V& b, V mask) {
    V both = FLOATGATE_WIDE(ternarylogic_epi64, Of(mask), Of(b), Of(a), 0xca);
    b = FLOATGATE_WIDE(ternarylogic_epi64, Of(mask), Of(a), Of(b), 0xca);
    a = both;
  }

  struct alignas(64) BoxTable {
    uint8_t of[64];
  };
  static constexpr BoxTable Prepare(const BoxAnswers& answers) {
    BoxTable table{};
    for (int i = 0; i < 64; i++) table.of[i] = answers.spread[answers.four[i]];
    return table;
  }
  static V Box(const BoxTable& table, V six) {
    if constexpr (sizeof(V) == 64) {
      return reinterpret_cast<V>(_mm512_permutexvar_epi8(Of(six), _mm512_load_si512(table.of)));
    } else {
      const auto* halves = reinterpret_cast<const __m256i*>(table.of);
      return reinterpret_cast<V>(
          _mm256_permutex2var_epi8(_mm256_load_si256(halves), Of(six), _mm256_load_si256(halves + 1)));
    }
  }

  // A matrix's row for an output bit says which input bits are summed; the first byte is the highest bit's.
  static constexpr uint64_t Prepare(const Images& images) {
    uint64_t matrix = 0;
    for (int to = 0; to < 8; to++) {
      for (int from = 0; from < 8; from++) {
        if (images.of[from] >> to & 1) matrix |= uint64_t{1} << ((7 - to) * 8 + from);
      }
    }
    return matrix;
  }
  static V Ready(V v) { return v; }
  static V Map(uint64_t matrix, V v) {
    V matrices = matrix - V{};
    return FLOATGATE_WIDE(gf2p8affine_epi64_epi8, Of(v), Of(matrices), 0);
  }
  static V WordMatrix(V words, const int (&columns)[8]) {
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) bits |= uint64_t{1} << (8 * i + columns[i]);
    V vectors = bits - V{};
    return FLOATGATE_WIDE(gf2p8affine_epi64_epi8, Of(vectors), Of(words), 0);
  }

  template <int Bytes>
  static V Low(V a, V b) {
    if constexpr (Bytes == 1) return FLOATGATE_WIDE(unpacklo_epi8, Of(a), Of(b));
    else if constexpr (Bytes == 2) return FLOATGATE_WIDE(unpacklo_epi16, Of(a), Of(b));
    else return FLOATGATE_WIDE(unpacklo_epi32, Of(a), Of(b));
  }
  template <int Bytes>
  static V High(V a, V b) {
    if constexpr (Bytes == 1) return FLOATGATE_WIDE(unpackhi_epi8, Of(a), Of(b));
    else if constexpr (Bytes == 2) return FLOATGATE_WIDE(unpackhi_epi16, Of(a), Of(b));
    else return FLOATGATE_WIDE(unpackhi_epi32, Of(a), Of(b));
  }

  static inline __attribute__((always_inline)) void TransposeWords(V (&x)[sizeof(V) / 8]) {
    constexpr int kRows = sizeof(V) / 8;
    Register pairs[kRows];
#pragma GCC unroll 4
    for (int i = 0; i < kRows; i += 2) {
      pairs[i] = Of(FLOATGATE_WIDE(unpacklo_epi64, Of(x[i]), Of(x[i + 1])));
      pairs[i + 1] = Of(FLOATGATE_WIDE(unpackhi_epi64, Of(x[i]), Of(x[i + 1])));
    }
#pragma GCC unroll 2
    for (int i = 0; i < 2; i++) {
      if constexpr (kRows == 8) {
        __m512i even[2], odd[2];
#pragma GCC unroll 2
        for (int k = 0; k < 2; k++) {
          even[k] = _mm512_shuffle_i64x2(pairs[4 * k + i], pairs[4 * k + 2 + i], 0x88);
          odd[k] = _mm512_shuffle_i64x2(pairs[4 * k + i], pairs[4 * k + 2 + i], 0xdd);
        }
        x[i] = reinterpret_cast<V>(_mm512_shuffle_i64x2(even[0], even[1], 0x88));
        x[2 + i] = reinterpret_cast<V>(_mm512_shuffle_i64x2(odd[0], odd[1], 0x88));
        x[4 + i] = reinterpret_cast<V>(_mm512_shuffle_i64x2(even[0], even[1], 0xdd));
        x[6 + i] = reinterpret_cast<V>(_mm512_shuffle_i64x2(odd[0], odd[1], 0xdd));
      } else {
        x[i] = reinterpret_cast<V>(_mm256_permute2x128_si256(pairs[i], pairs[2 + i], 0x20));
        x[2 + i] = reinterpret_cast<V>(_mm256_permute2x128_si256(pairs[i], pairs[2 + i], 0x31));
      }
    }
  }
};
#undef FLOATGATE_WIDE

constexpr DesShuffleLanes kLanes[] = {DesSideBySide<DesBytes<Vbmi<Words8>>>::kOffer,
                                       DesSideBySide<DesBytes<Vbmi<Words4>>>::kOffer};
constexpr DesShuffle kShuffle = {"vbmi", kLanes, 2, DesShuffleExpand};

}  // namespace
}  // namespace floatgate
#pragma GCC pop_options

namespace floatgate {
const DesShuffle* DesVbmi() {
  bool has = __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("gfni");
  return has ? &kShuffle : nullptr;
}
}  // namespace floatgate

#else

namespace floatgate {
const DesShuffle* DesVbmi() { return nullptr; }
}  // namespace floatgate

#endif
