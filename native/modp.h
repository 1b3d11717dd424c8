// The MODP groups of RFC 2409 section 6 and RFC 3526, whose generator is 2, for Diffie-Hellman. Constant time in the
// exponent: no branch and no address depends on it.
#pragma once

#include <openssl/bn.h>

#include <cstddef>
#include <cstdint>
#include <memory>

#include "napi.h"

namespace floatgate {

// Powers modulo one prime. Numbers are big-endian, as long as the prime or as an exponent.
class ModpPowers {
 public:
  virtual ~ModpPowers() = default;
  // `into` gets 2^exponent.
  virtual bool OfTwo(const uint8_t* exponent, uint8_t* into) = 0;
  // The same of a base below the prime.
  virtual bool Of(const uint8_t* base, const uint8_t* exponent, uint8_t* into) = 0;
};

// On the processor's 52-bit multiply-add; nullptr where it has none, or for a prime of another size than the groups'.
std::unique_ptr<ModpPowers> ModpPowersIfma(const BIGNUM* prime, size_t exponent_bytes);

// One group.
class Modp {
 public:
  // nullptr where there is no such group. `vectors`: by vector instructions where the processor has them.
  static Modp* Of(uint32_t group, bool vectors);

  Modp(BIGNUM* prime, size_t exponent_bytes, bool vectors);
  size_t size() const { return size_; }
  size_t exponent_bytes() const { return exponent_bytes_; }

  // `into` gets our public value.
  bool Public(ByteSpan exponent, uint8_t* into) { return powers_->OfTwo(exponent.data, into); }
  // `into` gets the secret; false where the peer's value is not a fair one.
  bool Shared(ByteSpan exponent, ByteSpan peer, uint8_t* into);

 private:
  BIGNUM* prime_;
  size_t size_;
  size_t exponent_bytes_;
  std::unique_ptr<ModpPowers> powers_;
};

}  // namespace floatgate
