// What both forms of DES in bytes share (des_shuffle_kernel.h, des_nibble_kernel.h): words of packets become registers that
// have a byte of each lane, through the initial permutation of FIPS 46-3, and back. A machine `M` says what its registers do:
//
//   V                      a register of bytes, with & | ^
//   Low, High<bytes>       elements of so many bytes of two registers interleaved, of either half of each 16 bytes
//   kWordMatrix            whether there is WordMatrix(words, columns): byte k of a word becomes bit columns[k] of its
//                          bytes, the last byte's lowest. Else Shift<by>, to the left where that is positive
//   TransposeWords(rows)   as many registers as each has words
//
// Everything is in an unnamed namespace: each file has its own, compiled for its own instructions.
#pragma once

#include <cstring>

#include "des_kernel.h"
#include "sbox/boxes.h"

namespace floatgate {
namespace {

// The initial permutation takes its byte k from bit kColumns[k] of each byte in memory, the last byte's bit first. Here
// bit n of the permuted block (0 to 31 left, 32 to 63 right) is bit n % 8 of byte n / 8.
constexpr int kColumns[8] = {6, 4, 2, 0, 7, 5, 3, 1};

template <class M>
struct DesRows {
  using Machine = M;
  using V = typename M::V;
  static constexpr size_t kLanes = sizeof(V);
  static constexpr size_t kWords = sizeof(V) / 8;

  // Eight registers of words become one for each byte of them, lanes in an order that FromBytes undoes.
  static inline __attribute__((always_inline)) void ToBytes(V (&x)[8]) {
    V a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
      a[i] = M::template Low<1>(x[i], x[i + 1]);
      a[i + 1] = M::template High<1>(x[i], x[i + 1]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      if (i & 2) continue;
      b[i] = M::template Low<1>(a[i], a[i + 2]);
      b[i + 2] = M::template High<1>(a[i], a[i + 2]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      a[i] = M::template Low<1>(b[i], b[i + 4]);
      a[i + 4] = M::template High<1>(b[i], b[i + 4]);
    }
    // Of a register's number, bit 1 is bit 2 of the byte's now, and bit 2 its bit 1.
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
      int byte = (i >> 1 & 1) << 2 | (i >> 2 & 1) << 1;
      x[byte] = M::template Low<1>(a[i], a[i + 1]);
      x[byte + 1] = M::template High<1>(a[i], a[i + 1]);
    }
  }
  static inline __attribute__((always_inline)) void FromBytes(V (&x)[8]) {
    V a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
      a[i] = M::template Low<1>(x[i], x[i + 1]);
      a[i + 1] = M::template High<1>(x[i], x[i + 1]);
    }
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      if (i & 2) continue;
      b[i] = M::template Low<2>(a[i], a[i + 2]);
      b[i + 2] = M::template High<2>(a[i], a[i + 2]);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      x[i] = M::template Low<4>(b[i], b[i + 4]);
      x[i + 4] = M::template High<4>(b[i], b[i + 4]);
    }
  }

  // Bit b of byte r becomes bit r of byte b.
  template <int By>
  static inline __attribute__((always_inline)) void ExchangeBits(V (&x)[8], uint8_t mask) {
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      if (i & By) continue;
      V differ = (M::template Shift<-By>(x[i]) ^ x[i + By]) & M::Splat(mask);
      x[i + By] = x[i + By] ^ differ;
      x[i] = x[i] ^ M::template Shift<By>(differ);
    }
  }
  static inline __attribute__((always_inline)) void TransposeBits(V (&x)[8]) {
    ExchangeBits<4>(x, 0x0f);
    ExchangeBits<2>(x, 0x33);
    ExchangeBits<1>(x, 0x55);
  }

  static V* Vectors(void* at) { return static_cast<V*>(at); }
  static const V* Vectors(const void* at) { return static_cast<const V*>(at); }

  // A word of each lane through the initial permutation, into eight bytes.
  static inline __attribute__((always_inline)) void Permute(const V* words, V (&bytes)[8]) {
    V x[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) x[i] = words[i];
    if constexpr (M::kWordMatrix) {
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++) bytes[i] = M::WordMatrix(x[i], kColumns);
      ToBytes(bytes);
    } else {
      ToBytes(x);
      V turned[8] = {x[7], x[6], x[5], x[4], x[3], x[2], x[1], x[0]};
      TransposeBits(turned);
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++) bytes[i] = turned[kColumns[i]];
    }
  }
  static inline __attribute__((always_inline)) void Unpermute(const V (&bytes)[8], V* words) {
    V x[8];
    if constexpr (M::kWordMatrix) {
      constexpr int kBack[8] = {7, 6, 5, 4, 3, 2, 1, 0};
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++) x[7 - kColumns[i]] = bytes[i];
      FromBytes(x);
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++) words[i] = M::WordMatrix(x[i], kBack);
    } else {
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++) x[kColumns[i]] = bytes[i];
      TransposeBits(x);
      V turned[8] = {x[7], x[6], x[5], x[4], x[3], x[2], x[1], x[0]};
      FromBytes(turned);
#pragma GCC unroll 8
      for (int i = 0; i < 8; i++) words[i] = turned[i];
    }
  }

  // Between rows of eight words, one for each lane, and eight columns of a word for each lane.
  static void Gather(const uint8_t* const* rows, uint64_t* columns) {
    for (size_t lane = 0; lane < kLanes; lane += kWords) {
#pragma GCC unroll 4
      for (size_t word = 0; word < 8; word += kWords) {
        V x[kWords];
#pragma GCC unroll 8
        for (size_t i = 0; i < kWords; i++) x[i] = M::LoadUnaligned(rows[lane + i] + 8 * word);
        M::TransposeWords(x);
#pragma GCC unroll 8
        for (size_t i = 0; i < kWords; i++) *Vectors(columns + (word + i) * kLanes + lane) = x[i];
      }
    }
  }
  static void Scatter(const uint64_t* columns, uint8_t* const* rows) {
    for (size_t lane = 0; lane < kLanes; lane += kWords) {
#pragma GCC unroll 4
      for (size_t word = 0; word < 8; word += kWords) {
        V x[kWords];
#pragma GCC unroll 8
        for (size_t i = 0; i < kWords; i++) x[i] = *Vectors(columns + (word + i) * kLanes + lane);
        M::TransposeWords(x);
#pragma GCC unroll 8
        for (size_t i = 0; i < kWords; i++) M::StoreUnaligned(rows[lane + i] + 8 * word, x[i]);
      }
    }
  }
};

// Packets side by side by a form of DES: its Half of kRegisters registers, what it makes of words and back (Absorb, Emit), its
// Stages, and how many Words of keys they read.
template <class Form>
struct DesSideBySide {
  using M = typename Form::Machine;
  using V = typename Form::V;
  using Half = typename Form::Half;
  static constexpr size_t kLanes = Form::kLanes;
  static V* Vectors(void* at) { return static_cast<V*>(at); }
  static const V* Vectors(const void* at) { return static_cast<const V*>(at); }

  static void ShareKey(const uint64_t* schedule, size_t stages, DesShuffleState& state) {
    V* to = Vectors(state.keys);
    const auto* bytes = reinterpret_cast<const uint8_t*>(schedule);
    for (size_t i = 0; i < 8 * Form::Words(stages); i++) to[i] = M::Splat(bytes[i]);
  }
  static void SetKeys(const uint64_t* const* schedules, size_t stages, DesShuffleState& state) {
    V* to = Vectors(state.keys);
    const uint8_t* rows[kLanes];
    for (size_t lane = 0; lane < kLanes; lane++) rows[lane] = reinterpret_cast<const uint8_t*>(schedules[lane]);
    uint64_t* columns = state.columns;
    for (size_t word = 0, words = Form::Words(stages); word < words; word++) {
      if (word % 8 == 0) {
        Form::Gather(rows, columns);
        for (const uint8_t*& row : rows) row += 64;
      }
      const V* column = Vectors(columns + word % 8 * kLanes);
      V x[8];
#pragma GCC unroll 8
      for (size_t i = 0; i < 8; i++) x[i] = column[i];
      Form::ToBytes(x);
#pragma GCC unroll 8
      for (size_t i = 0; i < 8; i++) to[i] = x[i];
      to += 8;
    }
  }

  // Halves that chain blocks lie as the cipher leaves them: the left one first.
  static inline __attribute__((always_inline)) void Keep(const Half& left, const Half& right, DesShuffleState& state) {
    V* chain = Vectors(state.chain);
#pragma GCC unroll 8
    for (int i = 0; i < Form::kRegisters; i++) {
      chain[i] = left.of[i];
      chain[Form::kRegisters + i] = right.of[i];
    }
  }
  static void Begin(const uint64_t* ivs, DesShuffleState& state) {
    Half left = {}, right = {};
    Form::Absorb(ivs, left, right);
    Keep(left, right, state);
  }
  static void Encrypt(uint8_t* const* rows, size_t steps, size_t stages, DesShuffleState& state) {
    uint64_t* columns = state.columns;
    Form::Gather(rows, columns);
    const V* chain = Vectors(state.chain);
    for (size_t step = 0; step < steps; step++) {
      uint64_t* words = columns + step * kLanes;
      Half left, right;
#pragma GCC unroll 8
      for (int i = 0; i < Form::kRegisters; i++) {
        left.of[i] = chain[i];
        right.of[i] = chain[Form::kRegisters + i];
      }
      Form::Absorb(words, left, right);
      Form::Stages(left, right, stages, Vectors(state.keys));
      Form::Emit(right, left, words);
      Keep(right, left, state);
    }
    Form::Scatter(columns, rows);
  }
  static void Decrypt(uint64_t* blocks, size_t stages, const DesShuffleState& state) {
    Half left = {}, right = {};
    Form::Absorb(blocks, left, right);
    Form::Stages(left, right, stages, Vectors(state.keys));
    Form::Emit(right, left, blocks);
  }

  static constexpr DesShuffleLanes kOffer = {kLanes, ShareKey, SetKeys, Begin, Encrypt, Decrypt};
};

}  // namespace
}  // namespace floatgate
