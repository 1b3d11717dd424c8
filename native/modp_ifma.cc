// MODP groups on AVX-512's 52-bit multiply-add: eight digits of a number in each register, and Montgomery's
// multiplication digit by digit, as in Gueron and Krasnov, "Software implementation of modular exponentiation, using
// advanced vector instructions architectures" (2012). Numbers stay below twice the prime between multiplications.

#include <openssl/crypto.h>

#include <cstring>
#include <vector>

#include "modp.h"

#if defined(__x86_64__) && defined(__GNUC__)

#pragma GCC diagnostic push
// Of GCC 12's own "undefined" vectors.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512ifma,bmi2")

namespace floatgate {
namespace {

constexpr int kDigitBits = 52;
constexpr uint64_t kDigit = (uint64_t{1} << kDigitBits) - 1;
constexpr int kPerVector = 8;
constexpr unsigned kWindow = 16;  // values of the exponent's digits, which have four bits
using Wide = unsigned __int128;

// Digits of 52 bits, the least first, in so many registers.
template <int Vectors>
struct alignas(64) Digits {
  uint64_t at[Vectors * kPerVector];
};

template <int Vectors>
class IfmaPowers : public ModpPowers {
 public:
  using Number = Digits<Vectors>;

  IfmaPowers(const BIGNUM* prime, size_t exponent_bytes)
      : size_(static_cast<size_t>(BN_num_bytes(prime))),
        // Of Montgomery's factor R, which is at least four times the prime: so what is below twice the prime stays so.
        count_(static_cast<int>((8 * size_ + 2 + kDigitBits - 1) / kDigitBits)),
        places_(2 * exponent_bytes) {
    prime_ = FromBignum(prime);
    // The inverse of -p modulo 2^52: each step doubles the bits that are right, of which an odd number has three.
    uint64_t inverse = prime_.at[0];
    for (int i = 0; i < 5; i++) inverse *= 2 - prime_.at[0] * inverse;
    factor_ = (0 - inverse) & kDigit;
    unit_ = {};
    unit_.at[0] = 1;
    one_ = PowerOfTwo(prime, count_ * kDigitBits);
    squared_ = PowerOfTwo(prime, 2 * count_ * kDigitBits);

    two_.resize(places_ * kWindow);
    Number base = PowerOfTwo(prime, count_ * kDigitBits + 1);
    for (size_t place = 0; place < places_; place++) {
      Number* powers = &two_[place * kWindow];
      powers[0] = one_;
      for (unsigned i = 1; i < kWindow; i++) powers[i] = Multiply(powers[i - 1], base);
      base = Multiply(powers[kWindow - 1], base);
    }
  }

  bool OfTwo(const uint8_t* exponent, uint8_t* into) override {
    Number product = one_;
    Number chosen;
    for (size_t place = 0; place < places_; place++) {
      chosen = Select(&two_[place * kWindow], PlaceOf(exponent, place));
      product = Multiply(product, chosen);
    }
    Store(product, into);
    OPENSSL_cleanse(&product, sizeof product);
    OPENSSL_cleanse(&chosen, sizeof chosen);
    return true;
  }

  bool Of(const uint8_t* base, const uint8_t* exponent, uint8_t* into) override {
    Number powers[kWindow];
    powers[0] = one_;
    powers[1] = Multiply(FromBytes(base), squared_);
    for (unsigned i = 2; i < kWindow; i++) powers[i] = Multiply(powers[i - 1], powers[1]);
    Number product = Select(powers, PlaceOf(exponent, places_ - 1));
    Number chosen;
    for (size_t place = places_ - 1; place-- > 0;) {
      for (int i = 0; i < 4; i++) product = Multiply(product, product);
      chosen = Select(powers, PlaceOf(exponent, place));
      product = Multiply(product, chosen);
    }
    Store(product, into);
    OPENSSL_cleanse(&product, sizeof product);
    OPENSSL_cleanse(&chosen, sizeof chosen);
    return true;
  }

 private:
  // Four bits of a big-endian exponent.
  unsigned PlaceOf(const uint8_t* exponent, size_t place) const {
    return exponent[(places_ - 1 - place) / 2] >> (place % 2 * 4) & 15;
  }

  // a * b / R modulo p. After each digit of b the multiple of p is added that makes the lowest digit zero, and that
  // digit falls away. The lowest digit is kept beside the vectors, where its way to the next multiple is shorter; what
  // the vectors have in its place is not looked at.
  Number Multiply(const Number& a, const Number& b) const {
    __m512i as[Vectors], ps[Vectors], sum[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; v++) {
      as[v] = _mm512_load_si512(&a.at[v * kPerVector]);
      ps[v] = _mm512_load_si512(&prime_.at[v * kPerVector]);
      sum[v] = _mm512_setzero_si512();
    }
    const uint64_t a0 = a.at[0], p0 = prime_.at[0];
    uint64_t lowest = 0;
    for (int i = 0; i < count_; i++) {
      const uint64_t digit = b.at[i];
      const __m512i digits = _mm512_set1_epi64(static_cast<int64_t>(digit));
      Wide low = static_cast<Wide>(a0) * digit + lowest;
      const uint64_t multiple = static_cast<uint64_t>(low) * factor_ & kDigit;
      const __m512i multiples = _mm512_set1_epi64(static_cast<int64_t>(multiple));
      low += static_cast<Wide>(p0) * multiple;
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; v++) sum[v] = _mm512_madd52lo_epu64(sum[v], as[v], digits);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; v++) sum[v] = _mm512_madd52lo_epu64(sum[v], ps[v], multiples);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors - 1; v++) sum[v] = _mm512_alignr_epi64(sum[v + 1], sum[v], 1);
      sum[Vectors - 1] = _mm512_alignr_epi64(_mm512_setzero_si512(), sum[Vectors - 1], 1);
      lowest = static_cast<uint64_t>(low >> kDigitBits) +
               static_cast<uint64_t>(_mm_cvtsi128_si64(_mm512_castsi512_si128(sum[0])));
      // High halves belong to the digit above, and everything has just moved down by one.
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; v++) sum[v] = _mm512_madd52hi_epu64(sum[v], as[v], digits);
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; v++) sum[v] = _mm512_madd52hi_epu64(sum[v], ps[v], multiples);
    }
    sum[0] = _mm512_mask_set1_epi64(sum[0], 1, static_cast<int64_t>(lowest));
    return Carried(sum);
  }

  // Digits that have grown beyond 52 bits, brought back.
  static Number Carried(__m512i sum[Vectors]) {
    const __m512i digit = _mm512_set1_epi64(static_cast<int64_t>(kDigit));
    __m512i carry[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; v++) carry[v] = _mm512_srli_epi64(sum[v], kDigitBits);
    // A digit may now have one to carry, which goes through all digits above it that are all ones: so does a carry in
    // an addition of bits, one a digit.
    uint64_t above = 0, full = 0;
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; v++) {
      const __m512i before = v > 0 ? carry[v - 1] : _mm512_setzero_si512();
      sum[v] = _mm512_add_epi64(_mm512_and_si512(sum[v], digit), _mm512_alignr_epi64(carry[v], before, 7));
      above |= static_cast<uint64_t>(_mm512_cmpgt_epu64_mask(sum[v], digit)) << (v * kPerVector);
      full |= static_cast<uint64_t>(_mm512_cmpeq_epu64_mask(sum[v], digit)) << (v * kPerVector);
    }
    const uint64_t carries = ((above << 1) + full) ^ full;
    Number r;
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; v++) {
      const __mmask8 mask = static_cast<__mmask8>(carries >> (v * kPerVector));
      sum[v] = _mm512_mask_add_epi64(sum[v], mask, sum[v], _mm512_set1_epi64(1));
      _mm512_store_si512(&r.at[v * kPerVector], _mm512_and_si512(sum[v], digit));
    }
    return r;
  }

  // from[which], read so that every entry is touched.
  static Number Select(const Number from[kWindow], unsigned which) {
    __m512i chosen[Vectors];
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; v++) chosen[v] = _mm512_setzero_si512();
    const __m512i wanted = _mm512_set1_epi64(which);
    for (unsigned i = 0; i < kWindow; i++) {
      const __mmask8 same = _mm512_cmpeq_epi64_mask(wanted, _mm512_set1_epi64(i));
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; v++) {
        const __m512i entry = _mm512_load_si512(&from[i].at[v * kPerVector]);
        chosen[v] = _mm512_mask_mov_epi64(chosen[v], same, entry);
      }
    }
    Number r;
#pragma GCC unroll 8
    for (int v = 0; v < Vectors; v++) _mm512_store_si512(&r.at[v * kPerVector], chosen[v]);
    return r;
  }

  // Out of Montgomery's representation, below the prime, big-endian.
  void Store(const Number& number, uint8_t* into) const {
    // At most p.
    Number r = Multiply(number, unit_);
    Number less;
    uint64_t borrow = 0;
    for (int i = 0; i < count_; i++) {
      const uint64_t d = r.at[i] - prime_.at[i] - borrow;
      less.at[i] = d & kDigit;
      borrow = d >> 63;
    }
    const uint64_t keep = 0 - borrow;
    for (int i = 0; i < count_; i++) r.at[i] = (r.at[i] & keep) | (less.at[i] & ~keep);
    for (size_t i = 0; i < size_; i++) {
      const size_t bit = 8 * i, digit = bit / kDigitBits, shift = bit % kDigitBits;
      uint64_t byte = r.at[digit] >> shift;
      // A byte may lie in two digits.
      if (shift > kDigitBits - 8) byte |= r.at[digit + 1] << (kDigitBits - shift);
      into[size_ - 1 - i] = static_cast<uint8_t>(byte);
    }
    OPENSSL_cleanse(&r, sizeof r);
    OPENSSL_cleanse(&less, sizeof less);
  }

  Number FromBytes(const uint8_t* bytes) const {
    Number r = {};
    for (size_t i = 0; i < size_; i++) {
      const size_t bit = 8 * i, digit = bit / kDigitBits, shift = bit % kDigitBits;
      const uint64_t byte = bytes[size_ - 1 - i];
      r.at[digit] |= byte << shift & kDigit;
      if (shift > kDigitBits - 8) r.at[digit + 1] |= byte >> (kDigitBits - shift);
    }
    return r;
  }

  Number FromBignum(const BIGNUM* number) const {
    std::vector<uint8_t> bytes(size_);
    BN_bn2binpad(number, bytes.data(), static_cast<int>(size_));
    return FromBytes(bytes.data());
  }

  Number PowerOfTwo(const BIGNUM* prime, int exponent) const {
    BN_CTX* scratch = BN_CTX_new();
    BIGNUM* power = BN_new();
    BN_set_bit(power, exponent);
    BN_nnmod(power, power, prime, scratch);
    const Number r = FromBignum(power);
    BN_free(power);
    BN_CTX_free(scratch);
    return r;
  }

  size_t size_;
  int count_;
  size_t places_;
  Number prime_;
  uint64_t factor_;
  Number unit_;     // 1
  Number one_;      // R modulo p
  Number squared_;  // R^2 modulo p
  std::vector<Number> two_;  // 2^(digit * 16^place) times R
};

}  // namespace

std::unique_ptr<ModpPowers> ModpPowersIfma(const BIGNUM* prime, size_t exponent_bytes) {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512ifma") || !__builtin_cpu_supports("bmi2"))
    return nullptr;
  switch (BN_num_bits(prime)) {
    case 768:
      return std::make_unique<IfmaPowers<2>>(prime, exponent_bytes);
    case 1024:
      return std::make_unique<IfmaPowers<3>>(prime, exponent_bytes);
    case 1536:
      return std::make_unique<IfmaPowers<4>>(prime, exponent_bytes);
    case 2048:
      return std::make_unique<IfmaPowers<5>>(prime, exponent_bytes);
  }
  return nullptr;
}

}  // namespace floatgate

#pragma GCC pop_options
#pragma GCC diagnostic pop

#else

namespace floatgate {

std::unique_ptr<ModpPowers> ModpPowersIfma(const BIGNUM*, size_t) { return nullptr; }

}  // namespace floatgate

#endif
