// P-384 in Montgomery's representation, with the complete formulas of Renes, Costello and Batina ("Complete
// addition formulas for prime order elliptic curves", 2016, algorithms 4 and 6), which know no special case:
// so none tells anything about the scalar.

#include "p384.h"

#include <openssl/crypto.h>

#include <cstring>

namespace floatgate {
namespace {

constexpr int kLimbs = 6;
using Wide = unsigned __int128;

// A number below p, times 2^384 modulo p; least limb first.
struct Field {
  uint64_t limb[kLimbs];
};

// 2^384 - 2^128 - 2^96 + 2^32 - 1.
constexpr uint64_t kPrime[kLimbs] = {0x00000000ffffffff, 0xffffffff00000000, 0xfffffffffffffffe,
                                     0xffffffffffffffff, 0xffffffffffffffff, 0xffffffffffffffff};

#if defined(__x86_64__)
const bool kHasAdx = __builtin_cpu_supports("adx") && __builtin_cpu_supports("bmi2");
#endif

// `high` * 2^384 + `a`, which is below 2p, brought below p.
inline Field Reduce(const uint64_t a[kLimbs], uint64_t high) {
  uint64_t less[kLimbs];
  uint64_t borrow = 0;
  for (int i = 0; i < kLimbs; i++) {
    const Wide d = static_cast<Wide>(a[i]) - kPrime[i] - borrow;
    less[i] = static_cast<uint64_t>(d);
    borrow = static_cast<uint64_t>(d >> 64) & 1;
  }
  // All ones where the subtraction went below zero.
  const uint64_t keep = 0 - (borrow & ~high & 1);
  Field r;
  for (int i = 0; i < kLimbs; i++) r.limb[i] = (a[i] & keep) | (less[i] & ~keep);
  return r;
}

inline Field Add(const Field& a, const Field& b) {
  uint64_t sum[kLimbs];
  uint64_t carry = 0;
  for (int i = 0; i < kLimbs; i++) {
    const Wide s = static_cast<Wide>(a.limb[i]) + b.limb[i] + carry;
    sum[i] = static_cast<uint64_t>(s);
    carry = static_cast<uint64_t>(s >> 64);
  }
  return Reduce(sum, carry);
}

inline Field Subtract(const Field& a, const Field& b) {
  Field r;
  uint64_t borrow = 0;
  for (int i = 0; i < kLimbs; i++) {
    const Wide d = static_cast<Wide>(a.limb[i]) - b.limb[i] - borrow;
    r.limb[i] = static_cast<uint64_t>(d);
    borrow = static_cast<uint64_t>(d >> 64) & 1;
  }
  const uint64_t mask = 0 - borrow;
  uint64_t carry = 0;
  for (int i = 0; i < kLimbs; i++) {
    const Wide s = static_cast<Wide>(r.limb[i]) + (kPrime[i] & mask) + carry;
    r.limb[i] = static_cast<uint64_t>(s);
    carry = static_cast<uint64_t>(s >> 64);
  }
  return r;
}

// t += a * b, where t has a limb more than a; answers what that does not hold.
inline uint64_t AddProduct(uint64_t t[kLimbs + 1], const uint64_t a[kLimbs], uint64_t b) {
#if defined(__x86_64__)
  if (kHasAdx) {
    uint64_t low, high, over = 0;
    __asm__(
        "xorl %k[low], %k[low]\n\t"  // both carries are clear from here on
        "mulx (%[a]), %[low], %[high]\n\t"
        "adcx %[low], %[t0]\n\t"
        "adox %[high], %[t1]\n\t"
        "mulx 8(%[a]), %[low], %[high]\n\t"
        "adcx %[low], %[t1]\n\t"
        "adox %[high], %[t2]\n\t"
        "mulx 16(%[a]), %[low], %[high]\n\t"
        "adcx %[low], %[t2]\n\t"
        "adox %[high], %[t3]\n\t"
        "mulx 24(%[a]), %[low], %[high]\n\t"
        "adcx %[low], %[t3]\n\t"
        "adox %[high], %[t4]\n\t"
        "mulx 32(%[a]), %[low], %[high]\n\t"
        "adcx %[low], %[t4]\n\t"
        "adox %[high], %[t5]\n\t"
        "mulx 40(%[a]), %[low], %[high]\n\t"
        "adcx %[low], %[t5]\n\t"
        "adox %[high], %[t6]\n\t"
        "movl $0, %k[low]\n\t"
        "adcx %[low], %[t6]\n\t"
        "adox %[low], %[over]\n\t"
        "adcx %[low], %[over]"
        : [t0] "+&r"(t[0]), [t1] "+&r"(t[1]), [t2] "+&r"(t[2]), [t3] "+&r"(t[3]), [t4] "+&r"(t[4]),
          [t5] "+&r"(t[5]), [t6] "+&r"(t[6]), [over] "+&r"(over), [low] "=&r"(low), [high] "=&r"(high)
        : [a] "r"(a), "d"(b), "m"(*reinterpret_cast<const uint64_t(*)[kLimbs]>(a))
        : "cc");
    return over;
  }
#endif
  uint64_t carry = 0;
  for (int j = 0; j < kLimbs; j++) {
    const Wide s = static_cast<Wide>(a[j]) * b + t[j] + carry;
    t[j] = static_cast<uint64_t>(s);
    carry = static_cast<uint64_t>(s >> 64);
  }
  const Wide top = static_cast<Wide>(t[kLimbs]) + carry;
  t[kLimbs] = static_cast<uint64_t>(top);
  return static_cast<uint64_t>(top >> 64);
}

// a * b / 2^384 modulo p. After each limb of b, the multiple m of p is added that makes the lowest limb zero,
// and that limb falls away. 1/p is -(2^32 + 1) modulo 2^64 and p has few bits, so that takes no
// multiplication: m * p = m * 2^384 - m * 2^128 - m * 2^96 + m * 2^32 - m.
Field Multiply(const Field& a, const Field& b) {
  using Signed = __int128;
  uint64_t t[kLimbs + 2] = {};
#pragma GCC unroll 6
  for (int i = 0; i < kLimbs; i++) {
    const uint64_t over = AddProduct(t, a.limb, b.limb[i]) + t[kLimbs + 1];
    const uint64_t low = t[0];
    const uint64_t m = low + (low << 32);
    // m * 2^32 - m is -low in its lowest limb: that becomes zero, and carries unless it was.
    const uint64_t carry = (low | (0 - low)) >> 63;
    const uint64_t above = (m >> 32) - ((m << 32) < m) + carry;
    Signed s = static_cast<Signed>(t[1]) + above - (m << 32);
    t[0] = static_cast<uint64_t>(s);
    s = static_cast<Signed>(t[2]) - (m >> 32) - m + (s >> 64);
    t[1] = static_cast<uint64_t>(s);
    s = static_cast<Signed>(t[3]) + (s >> 64);
    t[2] = static_cast<uint64_t>(s);
    s = static_cast<Signed>(t[4]) + (s >> 64);
    t[3] = static_cast<uint64_t>(s);
    s = static_cast<Signed>(t[5]) + (s >> 64);
    t[4] = static_cast<uint64_t>(s);
    s = static_cast<Signed>(t[6]) + m + (s >> 64);
    t[5] = static_cast<uint64_t>(s);
    s = static_cast<Signed>(over) + (s >> 64);
    t[6] = static_cast<uint64_t>(s);
    t[7] = static_cast<uint64_t>(s >> 64);
  }
  return Reduce(t, t[kLimbs]);
}

inline Field operator+(const Field& a, const Field& b) { return Add(a, b); }
inline Field operator-(const Field& a, const Field& b) { return Subtract(a, b); }
inline Field operator*(const Field& a, const Field& b) { return Multiply(a, b); }

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

// As it stands, without Montgomery's factor.
Field Load(const uint8_t bytes[kP384Bytes]) {
  Field r = {};
  for (size_t i = 0; i < kP384Bytes; i++) {
    const size_t place = kP384Bytes - 1 - i;
    r.limb[place / 8] |= static_cast<uint64_t>(bytes[i]) << (place % 8 * 8);
  }
  return r;
}

void Store(const Field& a, uint8_t bytes[kP384Bytes]) {
  for (size_t i = 0; i < kP384Bytes; i++) {
    const size_t place = kP384Bytes - 1 - i;
    bytes[i] = static_cast<uint8_t>(a.limb[place / 8] >> (place % 8 * 8));
  }
}

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

Point Double(const Point& p, const Field& b) {
  Field t0 = p.x * p.x;
  const Field t1 = p.y * p.y;
  Field t2 = p.z * p.z;
  Field t3 = p.x * p.y;
  t3 = t3 + t3;
  Field z = p.x * p.z;
  z = z + z;
  Field y = b * t2 - z;
  y = y + (y + y);
  Field x = t1 - y;
  y = t1 + y;
  y = x * y;
  x = x * t3;
  t2 = t2 + (t2 + t2);
  z = b * z - t2 - t0;
  z = z + (z + z);
  t0 = t0 + (t0 + t0) - t2;
  y = y + t0 * z;
  t0 = p.y * p.z;
  t0 = t0 + t0;
  x = x - t0 * z;
  z = t0 * t1;
  z = z + z;
  z = z + z;
  return {x, y, z};
}

// a to the power of p - 2, which is 1/a, and 0 for 0.
Field Invert(const Field& a, const Field& one) {
  Field powers[16];
  powers[0] = one;
  for (int i = 1; i < 16; i++) powers[i] = powers[i - 1] * a;
  Field r = one;
  for (int digit = 95; digit >= 0; digit--) {
    for (int i = 0; i < 4; i++) r = r * r;
    const uint64_t exponent = kPrime[digit / 16] - (digit < 16 ? 2 : 0);
    // The exponent is no secret.
    r = r * powers[exponent >> (digit % 16 * 4) & 15];
  }
  return r;
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

bool BelowPrime(const Field& a) {
  uint64_t borrow = 0;
  for (int i = 0; i < kLimbs; i++) {
    const Wide d = static_cast<Wide>(a.limb[i]) - kPrime[i] - borrow;
    borrow = static_cast<uint64_t>(d >> 64) & 1;
  }
  return borrow == 1;
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
    for (int i = 0; i < 4; i++) sum = Double(sum, c.b);
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
