// MODP groups on OpenSSL's numbers, with the generator's powers kept.

#include "modp.h"

#include <openssl/crypto.h>

#include <cstring>
#include <vector>

#include "openssl_owner.h"

namespace floatgate {
namespace {

// 2^(digit * 16^place) for every digit and place of an exponent, in Montgomery's representation: what the
// generator is multiplied by without a squaring.
constexpr size_t kDigits = 16;

class OpensslPowers : public ModpPowers {
 public:
  OpensslPowers(const BIGNUM* prime, size_t exponent_bytes)
      : prime_(prime), size_(static_cast<size_t>(BN_num_bytes(prime))), places_(2 * exponent_bytes) {
    Scratch scratch(BN_CTX_new());
    montgomery_ = BN_MONT_CTX_new();
    BN_MONT_CTX_set(montgomery_, prime, scratch.get());
    powers_.resize(places_ * kDigits * size_);
    Number base(BN_new()), power(BN_new());
    BN_set_word(base.get(), 2);
    BN_to_montgomery(base.get(), base.get(), montgomery_, scratch.get());
    for (size_t place = 0; place < places_; place++) {
      BN_one(power.get());
      BN_to_montgomery(power.get(), power.get(), montgomery_, scratch.get());
      for (size_t digit = 0; digit < kDigits; digit++) {
        BN_bn2lebinpad(power.get(), Power(place, digit), static_cast<int>(size_));
        BN_mod_mul_montgomery(power.get(), power.get(), base.get(), montgomery_, scratch.get());
      }
      // Sixteen times the last.
      BN_copy(base.get(), power.get());
    }
  }

  bool OfTwo(const uint8_t* exponent, uint8_t* into) override {
    Scratch scratch(BN_CTX_new());
    Number product(BN_new()), factor(BN_new());
    std::vector<uint8_t> chosen(size_);
    bool ok = scratch != nullptr && BN_one(product.get()) == 1 &&
              BN_to_montgomery(product.get(), product.get(), montgomery_, scratch.get()) == 1;
    for (size_t place = 0; ok && place < places_; place++) {
      const unsigned digit = exponent[(places_ - 1 - place) / 2] >> (place % 2 * 4) & 15;
      Select(place, digit, chosen.data());
      ok = BN_lebin2bn(chosen.data(), static_cast<int>(size_), factor.get()) != nullptr &&
           BN_mod_mul_montgomery(product.get(), product.get(), factor.get(), montgomery_, scratch.get()) == 1;
    }
    ok = ok && BN_from_montgomery(product.get(), product.get(), montgomery_, scratch.get()) == 1 &&
         BN_bn2binpad(product.get(), into, static_cast<int>(size_)) >= 0;
    OPENSSL_cleanse(chosen.data(), chosen.size());
    return ok;
  }

  bool Of(const uint8_t* base, const uint8_t* exponent, uint8_t* into) override {
    Scratch scratch(BN_CTX_new());
    Number x(BN_bin2bn(exponent, static_cast<int>(places_ / 2), nullptr));
    Number y(BN_bin2bn(base, static_cast<int>(size_), nullptr));
    Number power(BN_new());
    return BN_mod_exp_mont_consttime(power.get(), y.get(), x.get(), prime_, scratch.get(), montgomery_) == 1 &&
           BN_bn2binpad(power.get(), into, static_cast<int>(size_)) >= 0;
  }

 private:
  uint8_t* Power(size_t place, size_t digit) { return powers_.data() + (place * kDigits + digit) * size_; }

  // Reads every power of the place.
  void Select(size_t place, unsigned digit, uint8_t* into) {
    std::memset(into, 0, size_);
    for (unsigned i = 0; i < kDigits; i++) {
      // All ones where they are the same.
      const uint64_t mask = 0 - ((static_cast<uint64_t>(i ^ digit) - 1) >> 63);
      const uint8_t* from = Power(place, i);
      for (size_t at = 0; at < size_; at += 8) {
        uint64_t word, sum;
        std::memcpy(&word, from + at, 8);
        std::memcpy(&sum, into + at, 8);
        sum |= word & mask;
        std::memcpy(into + at, &sum, 8);
      }
    }
  }

  const BIGNUM* prime_;
  BN_MONT_CTX* montgomery_;
  size_t size_;
  size_t places_;
  std::vector<uint8_t> powers_;
};

// Made when it is first asked for, and for good.
template <BIGNUM* (*Prime)(BIGNUM*), size_t ExponentBytes>
Modp* Made(bool vectors) {
  if (vectors) {
    static Modp modp(Prime(nullptr), ExponentBytes, true);
    return &modp;
  }
  static Modp modp(Prime(nullptr), ExponentBytes, false);
  return &modp;
}

}  // namespace

Modp::Modp(BIGNUM* prime, size_t exponent_bytes, bool vectors)
    : prime_(prime), size_(static_cast<size_t>(BN_num_bytes(prime))), exponent_bytes_(exponent_bytes) {
  if (vectors) powers_ = ModpPowersIfma(prime, exponent_bytes);
  if (powers_ == nullptr) powers_ = std::make_unique<OpensslPowers>(prime, exponent_bytes);
}

bool Modp::Shared(ByteSpan exponent, ByteSpan peer, uint8_t* into) {
  Number y(BN_bin2bn(peer.data, static_cast<int>(peer.size), nullptr)), last(BN_dup(prime_));
  // 1 < y < p - 1.
  if (BN_sub_word(last.get(), 1) != 1 || BN_is_zero(y.get()) || BN_is_one(y.get()) ||
      BN_cmp(y.get(), last.get()) >= 0)
    return false;
  return powers_->Of(peer.data, exponent.data, into);
}

Modp* Modp::Of(uint32_t group, bool vectors) {
  switch (group) {
    case 1:
      return Made<BN_get_rfc2409_prime_768, 32>(vectors);
    case 2:
      return Made<BN_get_rfc2409_prime_1024, 32>(vectors);
    case 5:
      return Made<BN_get_rfc3526_prime_1536, 32>(vectors);
    case 14:
      return Made<BN_get_rfc3526_prime_2048, 40>(vectors);
  }
  return nullptr;
}

}  // namespace floatgate
