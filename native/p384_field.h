// The numbers modulo P-384's prime, in Montgomery's representation: sums, products, inverses. What a number
// is changes neither what is executed nor what is read. Everything is in an unnamed namespace: p384.cc alone
// computes with them.
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "p384.h"

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
inline __attribute__((always_inline)) void AddProduct(uint64_t t[kLimbs + 1], const uint64_t a[kLimbs],
                                                      uint64_t b) {
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

// Adds the multiple m of p to `lowest` and the five limbs above it that makes the lowest zero, and puts what
// becomes of it 384 bits higher in its place. 1/p is -(2^32 + 1) modulo 2^64; and m * (2^384 - p) = m *
// (2^128 + 2^96 - 2^32 + 1), of which the lowest limb is `lowest` itself, is taken from what is there, as m
// is put on top of it.
inline __attribute__((always_inline)) void FoldLowest(uint64_t& lowest, uint64_t& t1, uint64_t& t2,
                                                      uint64_t& t3, uint64_t& t4, uint64_t& t5) {
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
      : [m] "+&d"(m), [low] "=&r"(low), [high] "=&r"(high), [middle] "=&r"(middle), [top] "=&r"(top),
        [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [t4] "+&r"(t4), [t5] "+&r"(t5)
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

// All ones where a is 0.
inline uint64_t MaskIfZero(const Field& a) {
  uint64_t bits = 0;
  for (uint64_t limb : a.limb) bits |= limb;
  return ((bits | (0 - bits)) >> 63) - 1;
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

bool BelowPrime(const Field& a) {
  uint64_t borrow = 0;
  for (int i = 0; i < kLimbs; i++) {
    const Wide d = static_cast<Wide>(a.limb[i]) - kPrime[i] - borrow;
    borrow = static_cast<uint64_t>(d >> 64) & 1;
  }
  return borrow == 1;
}

}  // namespace
}  // namespace floatgate
