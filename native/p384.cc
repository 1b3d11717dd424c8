// P-384 in Montgomery's representation, with the complete formulas of Renes, Costello and Batina ("Complete
// addition formulas for prime order elliptic curves", 2016, algorithm 4), which know no special case: so none
// tells anything about the scalar.

#include "p384.h"

#include <openssl/crypto.h>

#include <cstring>

#include "p384_field.h"

namespace floatgate {
namespace {

// A projective point: x/z and y/z; the neutral one has z = 0.
struct Point {
  Field x, y, z;
};

// What is computed once: constants in Montgomery's representation, and multiples of the generator.
struct Curve {
  Field one;      // 2^384 modulo p
  Field squared;  // 2^768 modulo p
  Field b;
  Point generator;
};

constexpr uint8_t kB[kP384Bytes] = {0xb3, 0x31, 0x2f, 0xa7, 0xe2, 0x3e, 0xe7, 0xe4, 0x98, 0x8e, 0x05, 0x6b,
                                    0xe3, 0xf8, 0x2d, 0x19, 0x18, 0x1d, 0x9c, 0x6e, 0xfe, 0x81, 0x41, 0x12,
                                    0x03, 0x14, 0x08, 0x8f, 0x50, 0x13, 0x87, 0x5a, 0xc6, 0x56, 0x39, 0x8d,
                                    0x8a, 0x2e, 0xd1, 0x9d, 0x2a, 0x85, 0xc8, 0xed, 0xd3, 0xec, 0x2a, 0xef};
constexpr uint8_t kGeneratorX[kP384Bytes] = {
    0xaa, 0x87, 0xca, 0x22, 0xbe, 0x8b, 0x05, 0x37, 0x8e, 0xb1, 0xc7, 0x1e, 0xf3, 0x20, 0xad, 0x74,
    0x6e, 0x1d, 0x3b, 0x62, 0x8b, 0xa7, 0x9b, 0x98, 0x59, 0xf7, 0x41, 0xe0, 0x82, 0x54, 0x2a, 0x38,
    0x55, 0x02, 0xf2, 0x5d, 0xbf, 0x55, 0x29, 0x6c, 0x3a, 0x54, 0x5e, 0x38, 0x72, 0x76, 0x0a, 0xb7};
constexpr uint8_t kGeneratorY[kP384Bytes] = {
    0x36, 0x17, 0xde, 0x4a, 0x96, 0x26, 0x2c, 0x6f, 0x5d, 0x9e, 0x98, 0xbf, 0x92, 0x92, 0xdc, 0x29,
    0xf8, 0xf4, 0x1d, 0xbd, 0x28, 0x9a, 0x14, 0x7c, 0xe9, 0xda, 0x31, 0x13, 0xb5, 0xf0, 0xb8, 0xc0,
    0x0a, 0x60, 0xb1, 0xce, 0x1d, 0x7e, 0x81, 0x9d, 0x7a, 0x43, 0x1d, 0x7c, 0x90, 0xea, 0x0e, 0x5f};

Curve MakeCurve() {
  Curve c;
  const Field unit = {{1, 0, 0, 0, 0, 0}};
  c.one = unit;
  for (int i = 0; i < 384; i++) c.one = c.one + c.one;
  c.squared = c.one;
  for (int i = 0; i < 384; i++) c.squared = c.squared + c.squared;
  c.b = Load(kB) * c.squared;
  c.generator = {Load(kGeneratorX) * c.squared, Load(kGeneratorY) * c.squared, c.one};
  return c;
}

const Curve& TheCurve() {
  static const Curve curve = MakeCurve();
  return curve;
}

Point AddPoints(const Point& p, const Point& q, const Field& b) {
  Field t0 = p.x * q.x;
  Field t1 = p.y * q.y;
  Field t2 = p.z * q.z;
  Field t3 = (p.x + p.y) * (q.x + q.y) - (t0 + t1);
  Field t4 = (p.y + p.z) * (q.y + q.z) - (t1 + t2);
  Field y = (p.x + p.z) * (q.x + q.z) - (t0 + t2);
  Field x = y - b * t2;
  x = x + (x + x);
  Field z = t1 - x;
  x = t1 + x;
  y = b * y;
  t2 = t2 + (t2 + t2);
  y = y - t2 - t0;
  y = y + (y + y);
  t0 = t0 + (t0 + t0) - t2;
  return {t3 * x - t4 * y, x * z + t0 * y, t4 * z + t3 * t0};
}

// 16p. In Jacobian coordinates, x/z^2 and y/z^3, a doubling takes 8 multiplications and no constant
// ("dbl-2001-b" of Bernstein and Lange's Explicit-Formulas Database); the curve has no point whose double is
// a special case but the neutral one, which stays itself as long as its y is not 0.
Point SixteenTimes(const Point& p, const Field& one) {
  Field x = p.x * p.z;
  Field y = p.y * (p.z * p.z);
  Field z = p.z;
  const uint64_t neutral = MaskIfZero(z);
  for (int i = 0; i < kLimbs; i++) y.limb[i] |= one.limb[i] & neutral;
  for (int i = 0; i < 4; i++) {
    const Field delta = z * z;
    const Field gamma = y * y;
    Field beta = x * gamma;
    Field alpha = (x - delta) * (x + delta);
    alpha = alpha + (alpha + alpha);
    z = y * z;
    z = z + z;
    beta = beta + beta;
    beta = beta + beta;
    x = alpha * alpha - (beta + beta);
    Field eight = gamma * gamma;
    eight = eight + eight;
    eight = eight + eight;
    eight = eight + eight;
    y = alpha * (beta - x) - eight;
  }
  return {x * z, y, z * (z * z)};
}

constexpr int kDigits = 96;  // of 4 bits
constexpr int kMultiples = 16;

inline unsigned Digit(const Field& scalar, int digit) {
  return scalar.limb[digit / 16] >> (digit % 16 * 4) & 15;
}

// table[digit], read so that every entry is touched.
Point Select(const Point table[kMultiples], unsigned digit) {
  Point r = {};
  uint64_t* to = reinterpret_cast<uint64_t*>(&r);
  for (unsigned i = 0; i < kMultiples; i++) {
    const uint64_t* from = reinterpret_cast<const uint64_t*>(&table[i]);
    // All ones where they are the same.
    const uint64_t mask = 0 - ((static_cast<uint64_t>(i ^ digit) - 1) >> 63);
    for (size_t j = 0; j < sizeof(Point) / 8; j++) to[j] |= from[j] & mask;
  }
  return r;
}

void Multiples(const Point& p, Point table[kMultiples], const Curve& c) {
  table[0] = {{}, c.one, {}};
  for (int i = 1; i < kMultiples; i++) table[i] = AddPoints(table[i - 1], p, c.b);
}

// For each digit of a scalar, the multiples of the generator that it stands for.
struct Comb {
  Point at[kDigits][kMultiples];
};

const Comb& TheComb() {
  static const Comb* comb = [] {
    const Curve& c = TheCurve();
    Comb* made = new Comb;
    Point base = c.generator;
    for (int digit = 0; digit < kDigits; digit++) {
      Multiples(base, made->at[digit], c);
      base = AddPoints(made->at[digit][kMultiples - 1], base, c.b);
    }
    return made;
  }();
  return *comb;
}

void StoreAffine(const Field& a, const Field& inverse, uint8_t bytes[kP384Bytes]) {
  const Field unit = {{1, 0, 0, 0, 0, 0}};
  Store(a * inverse * unit, bytes);
}

}  // namespace

void P384Public(const uint8_t scalar[kP384Bytes], uint8_t point[2 * kP384Bytes]) {
  const Curve& c = TheCurve();
  const Comb& comb = TheComb();
  Field k = Load(scalar);
  Point sum = {{}, c.one, {}};
  Point part;
  for (int digit = 0; digit < kDigits; digit++) {
    part = Select(comb.at[digit], Digit(k, digit));
    sum = AddPoints(sum, part, c.b);
  }
  const Field inverse = Invert(sum.z, c.one);
  StoreAffine(sum.x, inverse, point);
  StoreAffine(sum.y, inverse, point + kP384Bytes);
  OPENSSL_cleanse(&k, sizeof k);
  OPENSSL_cleanse(&part, sizeof part);
}

bool P384Shared(const uint8_t scalar[kP384Bytes], const uint8_t point[2 * kP384Bytes],
                uint8_t x[kP384Bytes]) {
  const Curve& c = TheCurve();
  const Field px = Load(point);
  const Field py = Load(point + kP384Bytes);
  if (!BelowPrime(px) || !BelowPrime(py)) return false;
  const Point p = {px * c.squared, py * c.squared, c.one};
  // y^2 = x^3 - 3x + b. Every such point is of the full order: the curve has no others.
  const Field right = p.x * p.x * p.x - (p.x + p.x + p.x) + c.b;
  const Field left = p.y * p.y;
  if (std::memcmp(&left, &right, sizeof left) != 0) return false;

  Point table[kMultiples];
  Multiples(p, table, c);
  Field k = Load(scalar);
  Point sum = Select(table, Digit(k, kDigits - 1));
  Point part;
  for (int digit = kDigits - 2; digit >= 0; digit--) {
    sum = SixteenTimes(sum, c.one);
    part = Select(table, Digit(k, digit));
    sum = AddPoints(sum, part, c.b);
  }
  StoreAffine(sum.x, Invert(sum.z, c.one), x);
  OPENSSL_cleanse(&k, sizeof k);
  OPENSSL_cleanse(&part, sizeof part);
  OPENSSL_cleanse(&sum, sizeof sum);
  return true;
}

}  // namespace floatgate
