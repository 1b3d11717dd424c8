// P-384 in Montgomery's representation, with the complete formulas of Renes, Costello and Batina ("Complete
// addition formulas for prime order elliptic curves", 2016, algorithm 4), which know no special case: so none tells
// anything about the scalar.

#include "p384.h"

#include <openssl/crypto.h>

#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

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

// a + b + carry, where the next carry takes the place of this one.
inline uint64_t AddCarry(uint64_t a, uint64_t b, unsigned char& carry) {
#if defined(__x86_64__)
  unsigned long long sum;
  carry = _addcarry_u64(carry, a, b, &sum);
  return sum;
#else
  const Wide sum = static_cast<Wide>(a) + b + carry;
  carry = static_cast<unsigned char>(sum >> 64);
  return static_cast<uint64_t>(sum);
#endif
}

inline uint64_t SubtractBorrow(uint64_t a, uint64_t b, unsigned char& borrow) {
#if defined(__x86_64__)
  unsigned long long difference;
  borrow = _subborrow_u64(borrow, a, b, &difference);
  return difference;
#else
  const Wide difference = static_cast<Wide>(a) - b - borrow;
  borrow = static_cast<unsigned char>(difference >> 64) & 1;
  return static_cast<uint64_t>(difference);
#endif
}

// `high` * 2^384 + `a`, which is below 2p, brought below p.
inline Field Reduce(const uint64_t a[kLimbs], uint64_t high) {
  uint64_t less[kLimbs];
  unsigned char borrow = 0;
#pragma GCC unroll 6
  for (int i = 0; i < kLimbs; i++) less[i] = SubtractBorrow(a[i], kPrime[i], borrow);
  // All ones where the subtraction went below zero.
  const uint64_t keep = SubtractBorrow(high, 0, borrow);
  Field r;
#pragma GCC unroll 6
  for (int i = 0; i < kLimbs; i++) r.limb[i] = less[i] ^ ((a[i] ^ less[i]) & keep);
  return r;
}

inline Field Add(const Field& a, const Field& b) {
  uint64_t sum[kLimbs];
  unsigned char carry = 0;
#pragma GCC unroll 6
  for (int i = 0; i < kLimbs; i++) sum[i] = AddCarry(a.limb[i], b.limb[i], carry);
  return Reduce(sum, carry);
}

inline Field Subtract(const Field& a, const Field& b) {
  Field r;
  unsigned char borrow = 0;
#pragma GCC unroll 6
  for (int i = 0; i < kLimbs; i++) r.limb[i] = SubtractBorrow(a.limb[i], b.limb[i], borrow);
  const uint64_t mask = 0 - static_cast<uint64_t>(borrow);
  unsigned char carry = 0;
#pragma GCC unroll 6
  for (int i = 0; i < kLimbs; i++) r.limb[i] = AddCarry(r.limb[i], kPrime[i] & mask, carry);
  return r;
}

#if defined(__x86_64__)

// t += a * b, where t has a limb more than a, which takes the carry.
inline __attribute__((always_inline)) void AddProduct(uint64_t t[kLimbs + 1], const uint64_t a[kLimbs], uint64_t b) {
  uint64_t low, high;
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
      "adcx %[low], %[t6]"
      : [t0] "+&r"(t[0]), [t1] "+&r"(t[1]), [t2] "+&r"(t[2]), [t3] "+&r"(t[3]), [t4] "+&r"(t[4]),
        [t5] "+&r"(t[5]), [t6] "+&r"(t[6]), [low] "=&r"(low), [high] "=&r"(high)
      : [a] "r"(a), "d"(b), "m"(*reinterpret_cast<const uint64_t(*)[kLimbs]>(a))
      : "cc");
}

// Adds the multiple m of p to `lowest` and the five limbs above it that makes the lowest zero, and puts what becomes of
// it 384 bits higher in its place. 1/p is -(2^32 + 1) modulo 2^64; and m * (2^384 - p) = m * (2^128 + 2^96 - 2^32 + 1), of
// which the lowest limb is `lowest` itself, is taken from what is there, as m is put on top of it.
inline __attribute__((always_inline)) void FoldLowest(uint64_t& lowest, uint64_t& t1, uint64_t& t2, uint64_t& t3,
                                                      uint64_t& t4, uint64_t& t5) {
  uint64_t m = lowest + (lowest << 32);
  uint64_t low, high, middle, top;
  __asm__(
      "mulx %[ends], %[low], %[high]\n\t"
      "mulx %[ones], %[middle], %[top]\n\t"
      "addq %[high], %[middle]\n\t"
      "adcq %[m], %[top]\n\t"
      "movl $0, %k[low]\n\t"
      "adcq $0, %[low]\n\t"
      "subq %[middle], %[t1]\n\t"
      "sbbq %[top], %[t2]\n\t"
      "sbbq %[low], %[t3]\n\t"
      "sbbq $0, %[t4]\n\t"
      "sbbq $0, %[t5]\n\t"
      "sbbq $0, %[m]"
      : [m] "+&d"(m), [low] "=&r"(low), [high] "=&r"(high), [middle] "=&r"(middle), [top] "=&r"(top), [t1] "+&r"(t1),
        [t2] "+&r"(t2), [t3] "+&r"(t3), [t4] "+&r"(t4), [t5] "+&r"(t5)
      : [ends] "r"(uint64_t{0xffffffff00000001}), [ones] "r"(uint64_t{0xffffffff})
      : "cc");
  lowest = m;
}

// As Multiply, for processors with ADX.
Field MultiplyAdx(const Field& a, const Field& b) {
  uint64_t t[2 * kLimbs] = {};
#pragma GCC unroll 6
  for (int i = 0; i < kLimbs; i++) AddProduct(t + i, a.limb, b.limb[i]);
  FoldLowest(t[0], t[1], t[2], t[3], t[4], t[5]);
  FoldLowest(t[1], t[2], t[3], t[4], t[5], t[0]);
  FoldLowest(t[2], t[3], t[4], t[5], t[0], t[1]);
  FoldLowest(t[3], t[4], t[5], t[0], t[1], t[2]);
  FoldLowest(t[4], t[5], t[0], t[1], t[2], t[3]);
  FoldLowest(t[5], t[0], t[1], t[2], t[3], t[4]);
  unsigned char carry = 0;
#pragma GCC unroll 6
  for (int i = 0; i < kLimbs; i++) t[i] = AddCarry(t[i], t[kLimbs + i], carry);
  return Reduce(t, carry);
}

#endif

// a * b / 2^384 modulo p. After each limb of b, the multiple m of p is added that makes the lowest limb zero,
// and that limb falls away. 1/p is -(2^32 + 1) modulo 2^64 and p has few bits, so that takes no
// multiplication: m * p = m * 2^384 - m * 2^128 - m * 2^96 + m * 2^32 - m.
Field Multiply(const Field& a, const Field& b) {
#if defined(__x86_64__)
  if (kHasAdx) return MultiplyAdx(a, b);
#endif
  using Signed = __int128;
  uint64_t t[kLimbs + 2] = {};
#pragma GCC unroll 6
  for (int i = 0; i < kLimbs; i++) {
    uint64_t over = 0;
    for (int j = 0; j < kLimbs; j++) {
      const Wide s = static_cast<Wide>(a.limb[j]) * b.limb[i] + t[j] + over;
      t[j] = static_cast<uint64_t>(s);
      over = static_cast<uint64_t>(s >> 64);
    }
    const Wide top = static_cast<Wide>(t[kLimbs]) + over;
    t[kLimbs] = static_cast<uint64_t>(top);
    over = static_cast<uint64_t>(top >> 64) + t[kLimbs + 1];
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

// All ones where a is 0.
inline uint64_t MaskIfZero(const Field& a) {
  uint64_t bits = 0;
  for (uint64_t limb : a.limb) bits |= limb;
  return ((bits | (0 - bits)) >> 63) - 1;
}

// 16p. In Jacobian coordinates, x/z^2 and y/z^3, a doubling takes 8 multiplications and no constant ("dbl-2001-b" of
// Bernstein and Lange's Explicit-Formulas Database); the curve has no point whose double is a special case but the
// neutral one, which stays itself as long as its y is not 0.
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
