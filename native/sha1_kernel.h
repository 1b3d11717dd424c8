// SHA-1 of 16 messages side by side (FIPS 180-4 section 6.1.2), one in each word of AVX-512's vectors. The arithmetic is that of
// libipsec-mb; what is faster is the order of it. And the words of all messages get side by side through memory, by the units for
// integers, which have nothing else to do. Who includes this has told the compiler that it may use the instructions.
#pragma once

#include <immintrin.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "suites.h"

namespace floatgate {
namespace {

#define FLOATGATE_INLINE inline __attribute__((always_inline))

using V = __m512i;
using Words = V[16];
using State = V[5];

using States = Sha1Lanes::States;
using Pairs = Sha1Lanes::Pairs;

constexpr size_t kLanes = Sha1Lanes::kLanes;
constexpr size_t kBlock = 64;

// Instructions that stay where they are written. A processor gives each to one of its units when it comes, long before it can be
// done, and so by the order in which they come: in most orders some units wait while others have too much to do.
FLOATGATE_INLINE void AddTo(V& sum, V v) { __asm__ volatile("vpaddd %2, %1, %0" : "=v"(sum) : "v"(sum), "v"(v)); }
FLOATGATE_INLINE void XorTo(V& sum, V v) { __asm__ volatile("vpxord %2, %1, %0" : "=v"(sum) : "v"(sum), "v"(v)); }
FLOATGATE_INLINE void Copy(V& to, V v) { __asm__ volatile("vmovdqa64 %1, %0" : "=v"(to) : "v"(v)); }
template <int kBits>
FLOATGATE_INLINE void RotateLeft(V& to, V v) {
  __asm__ volatile("vprold %2, %1, %0" : "=v"(to) : "v"(v), "i"(kBits));
}
// Makes `a` the function of the three whose table of values is given.
template <int kTable>
FLOATGATE_INLINE void Combine(V& a, V b, V c) {
  __asm__ volatile("vpternlogd %3, %2, %1, %0" : "+v"(a) : "v"(b), "v"(c), "i"(kTable));
}
constexpr int kXor = 0x96, kChoice = 0xca, kMajority = 0xe8;

// Where a lane stands among the pairs lets one shuffle of two lines tell their words apart.
constexpr size_t Place(size_t lane) { return (lane & 2) * 4 + lane / 4 * 2 + (lane & 1); }
constexpr int kCopies = kBlock / 8 * kLanes;

// Pairs are copied by the units for integers. The first ones of all lanes come first, since they are asked for first.
template <int kCopy>
FLOATGATE_INLINE void CopyPair(const uint8_t* const* from, size_t at, Pairs& to) {
  constexpr size_t kLane = kCopy % kLanes, kPair = kCopy / kLanes;
  __asm__("" : "+r"(from));  // there are no registers for all lanes' places
  uint64_t pair;
  std::memcpy(&pair, from[kLane] + at + 8 * kPair, sizeof pair);
  to[kPair][Place(kLane)] = __builtin_bswap64(pair);
  __asm__ volatile("" ::"m"(to[kPair][Place(kLane)]));  // here, and not with all others at the end
}

template <int... kEach>
FLOATGATE_INLINE void CopyBlock(const uint8_t* const* from, Pairs& to, std::integer_sequence<int, kEach...>) {
  (CopyPair<kEach>(from, 0, to), ...);
}

// Words 2i and 2i + 1 of all lanes from pair i, for some of the pairs.
template <int kFrom, int kTo>
FLOATGATE_INLINE void LoadPairs(const Pairs& from, Words& words) {
#pragma GCC unroll 8
  for (int i = kFrom; i < kTo; i++) {
    __m512 a = _mm512_load_ps(from[i]), b = _mm512_load_ps(from[i] + 8);
    words[2 * i] = _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0xdd));
    words[2 * i + 1] = _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88));
    __asm__ volatile("" : "+v"(words[2 * i]), "+v"(words[2 * i + 1]));
  }
}

FLOATGATE_INLINE void Load(const States& from, State& s) {
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) s[i] = _mm512_load_si512(from[i]);
}
FLOATGATE_INLINE void Store(const State& s, States& to) {
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) _mm512_store_si512(to[i], s[i]);
}

constexpr int kRounds = 80, kTwenty = 20, kExpanded = 64;

// What is done in the time of a round: parts of four rounds, in the best order of some thousands that were tried on a processor of
// AMD's. The names of the five words move instead of the words: `sum(r)` is what round r adds up, and what the next one calls a.
template <int kStep, class Besides>
FLOATGATE_INLINE void Step(State& s, Words& w, V& rotated, const V (&constants)[4], Besides besides) {
  auto sum = [&](int round) __attribute__((always_inline)) -> V& { return s[(kRounds - 1 - round) % 5]; };
  auto word = [&](int round) __attribute__((always_inline)) -> V& { return w[round % 16]; };
  constexpr auto expands = [](int round) { return round >= 0 && round < kExpanded; };
  constexpr int kTwenties = kStep / kTwenty;
  V f;
  if constexpr (expands(kStep - 3)) RotateLeft<1>(word(kStep - 3), word(kStep - 3));
  if constexpr (expands(kStep - 2)) Combine<kXor>(word(kStep - 2), word(kStep + 6), word(kStep + 11));
  if constexpr (kStep < kRounds) {
    Copy(f, sum(kStep - 2));
    RotateLeft<30>(sum(kStep - 2), sum(kStep - 2));
    AddTo(sum(kStep), constants[kTwenties]);
    Combine<kTwenties == 0 ? kChoice : kTwenties == 2 ? kMajority : kXor>(f, sum(kStep - 3), sum(kStep - 4));
    AddTo(sum(kStep), word(kStep));
    besides(std::integral_constant<int, kStep>());
  }
  if constexpr (expands(kStep - 1)) XorTo(word(kStep - 1), word(kStep + 1));
  if constexpr (kStep > 0) AddTo(sum(kStep - 1), rotated);
  if constexpr (kStep < kRounds) {
    AddTo(sum(kStep), f);
    RotateLeft<5>(rotated, sum(kStep - 1));
  }
}

template <class Before, class Besides, int... kSteps>
FLOATGATE_INLINE void Steps(State& s, Words& w, Before before, Besides besides, std::integer_sequence<int, kSteps...>) {
  const V constants[4] = {_mm512_set1_epi32(0x5a827999), _mm512_set1_epi32(0x6ed9eba1),
                          _mm512_set1_epi32(static_cast<int>(0x8f1bbcdc)), _mm512_set1_epi32(static_cast<int>(0xca62c1d6))};
  V rotated;
  ((before(std::integral_constant<int, kSteps>()), Step<kSteps>(s, w, rotated, constants, besides)), ...);
}

// One block of each lane; the words are used up. `before(step)` and `besides(step)` are done in between.
template <class Before, class Besides>
FLOATGATE_INLINE void Compress(State& s, Words& w, Before before, Besides besides) {
  alignas(64) States old;
  Store(s, old);
  __asm__ volatile("" : "+m"(old));  // there, and not in registers
  Steps(s, w, before, besides, std::make_integer_sequence<int, kRounds + 1>());
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) s[i] = _mm512_add_epi32(s[i], _mm512_load_si512(old[i]));
}

// So many blocks of each lane, of which the first has been copied; copies the one that comes `then`.
void Hash(States& states, Pairs& pairs, const uint8_t* const* from, size_t blocks, const uint8_t* const* then) {
  State s;
  Load(states, s);
  for (size_t at = kBlock; blocks > 0; at += kBlock) {
    if (--blocks == 0) {
      from = then;
      at = 0;
    }
    Words w;
    auto load = [&](auto step) __attribute__((always_inline)) {
      constexpr int kFrom[] = {0, 2, 2, 7}, kTo[] = {2, 2, 7, 8};
      if constexpr (step() < 4) LoadPairs<kFrom[step()], kTo[step()]>(pairs, w);
    };
    auto copy = [&](auto step) __attribute__((always_inline)) {
      constexpr int kFirst = kRounds - kCopies / 2;
      if constexpr (step() >= kFirst) {
        CopyPair<2 * (step() - kFirst)>(from, at, pairs);
        CopyPair<2 * (step() - kFirst) + 1>(from, at, pairs);
      }
    };
    Compress(s, w, load, copy);
  }
  Store(s, states);
}

// One block of words that are at hand.
FLOATGATE_INLINE void HashWords(State& s, Words& w) {
  Compress(s, w, [](auto) {}, [](auto) {});
}

}  // namespace
}  // namespace floatgate
