// The curve P-384 (FIPS 186-4, section D.1.2.4; RFC 5903 group 20) for Diffie-Hellman: OpenSSL 3.0 computes it by its
// generic ladder, eight times slower. Constant time in the scalar: no branch and no address depends on it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace floatgate {

inline constexpr size_t kP384Bytes = 48;

// The point scalar times the generator, both coordinates. `scalar` and the coordinates are big-endian; the scalar is
// not zero modulo the order.
void P384Public(const uint8_t scalar[kP384Bytes], uint8_t point[2 * kP384Bytes]);

// The x coordinate of the point scalar times `point`. Answers false, and computes nothing, where that is not a point of
// the curve.
bool P384Shared(const uint8_t scalar[kP384Bytes], const uint8_t point[2 * kP384Bytes], uint8_t x[kP384Bytes]);

}  // namespace floatgate
