// DES in bytes for registers whose instructions look values up in tables (FIPS 46-3): a byte of a register is one lane's
// six bits before a box, so a half of the block is eight registers. Included by one file for each instruction set, which
// says what a machine `M` is:
//
//   V                      a register of bytes, with & | ^
//   kPlanes                where in a byte the six bits of a box stand
//   Box, Prepare(answers)  what a box answers to each byte, from tables made of its answers
//   Exchange(a, b, mask)   the bits of the mask change places
//   Hidden, Mask(bytes)    where to read such masks from; one of them
//   Xor3(a, b, c)
//   Map, Prepare(images)   each byte of what Ready(v) makes through a linear map, given by what the eight bits become
//   Place(key)             bits 4 and 5 to where kPlanes has them; others may stay there
//   Low, High<bytes>       elements of so many bytes of two registers interleaved, of either half of each 16 bytes
//   kWordMatrix            whether there is WordMatrix(words, columns): byte k of a word becomes bit columns[k] of its
//                          bytes, the last byte's lowest. Else Shift<by>, to the left where that is positive
//   TransposeWords(rows)   as many registers as each has words
//
// How P and E spread a box's four bits to six readers: the table answers them in six planes, all of them go through a
// network of exchanges together, and each reader finds its six bits in a register.
//
// Everything is in an unnamed namespace: each file has its own, compiled for its own instructions.

#include <cstring>

#include "des_kernel.h"
#include "des_network.h"
#include "sbox/boxes.h"

namespace floatgate {
namespace {

constexpr int kNetworkSwitches = 12;
// Each switch: two registers, a stage of four at a time, and the planes that it exchanges.
struct NetworkSwitch {
  int low, high;
  uint8_t planes;
};
struct Network {
  NetworkSwitch of[kNetworkSwitches];
  int plane[8][6];  // by reader and which of its inputs
};
constexpr Network MakeNetwork() {
  Network network{};
  for (int k = 0; k < kNetworkSwitches; k++) {
    int stage = k / 4, rest = k % 4;
    int low = (rest >> stage << (stage + 1)) | (rest & ((1 << stage) - 1));
    network.of[k] = {low, low | 1 << stage, 0};
    for (int p = 0; p < 6; p++) {
      if (kNetworkSettings[p] >> k & 1) network.of[k].planes |= static_cast<uint8_t>(1 << p);
    }
  }
  for (int p = 0; p < 6; p++) {
    int from[8] = {};
    for (int w = 0; w < 8; w++) from[w] = kNetworkIn[w];
    for (const NetworkSwitch& k : network.of) {
      if (!(k.planes >> p & 1)) continue;
      int low = from[k.low];
      from[k.low] = from[k.high];
      from[k.high] = low;
    }
    for (int w = 0; w < 8; w++) {
      for (int i = 0; i < 6; i++) {
        if ((kP[BoxSource(kNetworkOut[w], i)] - 1) / 4 == from[w]) network.plane[kNetworkOut[w]][i] = p;
      }
    }
  }
  return network;
}
constexpr Network kNetwork = MakeNetwork();

// The 64 answers of a box by its six bits as they stand in planes, and each of 16 answers spread to the planes of its
// readers.
struct BoxAnswers {
  uint8_t four[64];
  uint8_t spread[16];
};
constexpr BoxAnswers MakeAnswers(int box) {
  BoxAnswers answers{};
  for (unsigned six = 0; six < 64; six++) {
    unsigned index = 0;
    for (int i = 0; i < 6; i++) index |= (six >> (5 - i) & 1) << kNetwork.plane[box][i];
    answers.four[index] = DesBox(box, six);
  }
  for (int reader = 0; reader < 8; reader++) {
    for (int i = 0; i < 6; i++) {
      int from = kP[BoxSource(reader, i)] - 1;
      for (int four = 0; four < 16; four++) {
        if (from / 4 == box && four >> (3 - from % 4) & 1) {
          answers.spread[four] |= static_cast<uint8_t>(1 << kNetwork.plane[reader][i]);
        }
      }
    }
  }
  return answers;
}

// Answers and network against FIPS 46-3: what each box says to each six bits gets to all readers, and nothing else. The
// network is linear, so boxes may be asked one by one.
constexpr bool ProveNetwork() {
  for (int box = 0; box < 8; box++) {
    const BoxAnswers answers = MakeAnswers(box);
    for (unsigned six = 0; six < 64; six++) {
      unsigned index = 0;
      for (int i = 0; i < 6; i++) index |= (six >> (5 - i) & 1) << kNetwork.plane[box][i];
      unsigned wires[8] = {};
      for (int w = 0; w < 8; w++) wires[w] = kNetworkIn[w] == box ? answers.spread[answers.four[index]] : 0;
      for (const NetworkSwitch& k : kNetwork.of) {
        unsigned differ = (wires[k.low] ^ wires[k.high]) & k.planes;
        wires[k.low] ^= differ;
        wires[k.high] ^= differ;
      }
      for (int w = 0; w < 8; w++) {
        unsigned wanted = 0;
        for (int i = 0; i < 6; i++) {
          int output = kP[BoxSource(kNetworkOut[w], i)] - 1;
          unsigned bit = output / 4 == box ? DesBox(box, six) >> (3 - output % 4) & 1u : 0;
          unsigned plane = 1u << kNetwork.plane[kNetworkOut[w]][i];
          if (bit) wanted |= plane;
        }
        if (wires[w] != wanted) return false;
      }
    }
  }
  // Six inputs of a box are in six planes, and the ends of the network are eight boxes.
  unsigned ins = 0, outs = 0;
  for (int box = 0; box < 8; box++) {
    unsigned planes = 0;
    for (int plane : kNetwork.plane[box]) planes |= 1u << plane;
    if (planes != 63) return false;
    ins |= 1u << kNetworkIn[box];
    outs |= 1u << kNetworkOut[box];
  }
  return ins == 255 && outs == 255;
}
static_assert(ProveNetwork());

// The initial permutation takes its byte k from bit kColumns[k] of each byte in memory, the last byte's bit first. Here
// bit n of the permuted block (0 to 31 left, 32 to 63 right) is bit n % 8 of byte n / 8.
constexpr int kColumns[8] = {6, 4, 2, 0, 7, 5, 3, 1};

// What a byte's bits become.
struct Images {
  uint8_t of[8];
  constexpr bool Any() const {
    for (uint8_t image : of) {
      if (image != 0) return true;
    }
    return false;
  }
};

// Byte `from` of a half as a part of group `group` of six, in planes; and back, the four of a group that are its own.
constexpr Images GroupPart(const int (&planes)[6], int group, int from) {
  Images images{};
  for (int i = 0; i < 6; i++) {
    int n = BoxSource(group, i);
    if (n / 8 == from) images.of[n % 8] |= static_cast<uint8_t>(1 << planes[kNetwork.plane[group][i]]);
  }
  return images;
}
constexpr Images HalfPart(const int (&planes)[6], int group) {
  Images images{};
  for (int i = 1; i < 5; i++) {
    images.of[planes[kNetwork.plane[group][i]]] |= static_cast<uint8_t>(1 << BoxSource(group, i) % 8);
  }
  return images;
}

template <class M>
struct DesBytes {
  using V = typename M::V;
  static constexpr size_t kLanes = sizeof(V);
  static constexpr size_t kWords = sizeof(V) / 8;
  struct Half {
    V of[8];
  };

  struct Tables {
    decltype(M::Prepare(BoxAnswers{})) boxes[8];
    decltype(M::Prepare(Images{})) group_parts[8][4], half_parts[8];
    bool used[8][4];
    struct alignas(64) {
      uint8_t bytes[64];
    } exchanged[kNetworkSwitches];  // the same 64 times
  };
  // Bits by planes, as M has them in a byte.
  static constexpr uint8_t Placed(unsigned planes) {
    unsigned placed = 0;
    for (int p = 0; p < 6; p++) placed |= (planes >> p & 1u) << M::kPlanes[p];
    return static_cast<uint8_t>(placed);
  }
  static constexpr Tables MakeTables() {
    Tables tables{};
    for (int group = 0; group < 8; group++) {
      BoxAnswers answers = MakeAnswers(group);
      for (uint8_t& answer : answers.spread) answer = Placed(answer);
      tables.boxes[group] = M::Prepare(answers);
      tables.half_parts[group] = M::Prepare(HalfPart(M::kPlanes, group));
      for (int from = 0; from < 4; from++) {
        tables.group_parts[group][from] = M::Prepare(GroupPart(M::kPlanes, group, from));
        tables.used[group][from] = GroupPart(M::kPlanes, group, from).Any();
      }
    }
    for (int k = 0; k < kNetworkSwitches; k++) {
      for (uint8_t& byte : tables.exchanged[k].bytes) byte = Placed(kNetwork.of[k].planes);
    }
    return tables;
  }
  static constexpr Tables kTables = MakeTables();
  // to ^= key ^ f(from)
  static inline __attribute__((always_inline)) void Round(Half& to, const Half& from, const V* key, const Tables& tables) {
    V wires[8];
#pragma GCC unroll 8
    for (int w = 0; w < 8; w++) wires[w] = M::Box(kTables.boxes[kNetworkIn[w]], from.of[kNetworkIn[w]]);
#pragma GCC unroll 12
    for (int k = 0; k < kNetworkSwitches; k++) {
      constexpr const NetworkSwitch* switches = kNetwork.of;
      M::Exchange(wires[switches[k].low], wires[switches[k].high], M::Mask(tables.exchanged[k].bytes));
    }
#pragma GCC unroll 8
    for (int w = 0; w < 8; w++) {
      int reader = kNetworkOut[w];
      to.of[reader] = M::Xor3(wires[w], key[reader], to.of[reader]);
    }
  }

  static inline __attribute__((always_inline)) void AddKey(Half& to, const V* key) {
#pragma GCC unroll 8
    for (int group = 0; group < 8; group++) to.of[group] = to.of[group] ^ key[group];
  }

  // Each half is kept with the key of the round that will read it. What went in as (left, right) comes out as (right, left).
  static inline __attribute__((always_inline)) const V* Stage(Half& left, Half& right, const V* key,
                                                             const Tables& tables) {
    AddKey(right, key);
    key += 8;
    for (int round = 0; round < 16; round += 2, key += 16) {
      Round(left, right, key, tables);
      Round(right, left, key + 8, tables);
    }
    return key;
  }

  // E, or E D E, or the same backwards: the keys say which.
  static inline __attribute__((always_inline)) void Stages(Half& left, Half& right, size_t stages, const V* key) {
    const Tables& tables = *M::Hidden(&kTables);
    key = Stage(left, right, key, tables);
    if (stages == 3) {
      key = Stage(right, left, key, tables);
      key = Stage(left, right, key, tables);
    }
    AddKey(left, key);
  }

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

  // Blocks into both halves, XORed with what is there.
  static inline __attribute__((always_inline)) void Absorb(const uint64_t* words, Half& left, Half& right) {
    V bytes[8];
    Permute(Vectors(words), bytes);
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
      decltype(M::Ready(V{})) from[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; i++) from[i] = M::Ready(bytes[4 * half + i]);
#pragma GCC unroll 8
      for (int group = 0; group < 8; group++) {
        V& to = half == 0 ? left.of[group] : right.of[group];
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++) {
          if (kTables.used[group][i]) to = to ^ M::Map(kTables.group_parts[group][i], from[i]);
        }
      }
    }
  }
  static inline __attribute__((always_inline)) void Emit(const Half& left, const Half& right, uint64_t* words) {
    V bytes[8];
#pragma GCC unroll 8
    for (int i = 0; i < 8; i++) {
      const Half& half = i < 4 ? left : right;
      int group = i % 4 * 2;
      bytes[i] = M::Map(kTables.half_parts[group], M::Ready(half.of[group])) ^
                 M::Map(kTables.half_parts[group + 1], M::Ready(half.of[group + 1]));
    }
    Unpermute(bytes, Vectors(words));
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

  static void ShareKey(const uint64_t* schedule, size_t stages, DesShuffleState& state) {
    V* to = Vectors(state.keys);
    const auto* bytes = reinterpret_cast<const uint8_t*>(schedule);
    for (size_t i = 0; i < 8 * DesShuffleWords(stages); i++) to[i] = M::Place(M::Splat(bytes[i]));
  }
  static void SetKeys(const uint64_t* const* schedules, size_t stages, DesShuffleState& state) {
    V* to = Vectors(state.keys);
    const uint8_t* rows[kLanes];
    for (size_t lane = 0; lane < kLanes; lane++) rows[lane] = reinterpret_cast<const uint8_t*>(schedules[lane]);
    uint64_t* columns = state.columns;
    for (size_t word = 0, words = DesShuffleWords(stages); word < words; word++) {
      if (word % 8 == 0) {
        Gather(rows, columns);
        for (const uint8_t*& row : rows) row += 64;
      }
      const V* column = Vectors(columns + word % 8 * kLanes);
      V x[8];
#pragma GCC unroll 8
      for (size_t i = 0; i < 8; i++) x[i] = column[i];
      ToBytes(x);
#pragma GCC unroll 8
      for (size_t i = 0; i < 8; i++) to[i] = M::Place(x[i]);
      to += 8;
    }
  }

  // Halves that chain blocks lie as the cipher leaves them: the left one first.
  static inline __attribute__((always_inline)) void Keep(const Half& left, const Half& right, DesShuffleState& state) {
    V* chain = Vectors(state.chain);
#pragma GCC unroll 8
    for (int group = 0; group < 8; group++) {
      chain[group] = left.of[group];
      chain[8 + group] = right.of[group];
    }
  }
  static void Begin(const uint64_t* ivs, DesShuffleState& state) {
    Half left = {}, right = {};
    Absorb(ivs, left, right);
    Keep(left, right, state);
  }
  static void Encrypt(uint8_t* const* rows, size_t steps, size_t stages, DesShuffleState& state) {
    uint64_t* columns = state.columns;
    Gather(rows, columns);
    const V* chain = Vectors(state.chain);
    for (size_t step = 0; step < steps; step++) {
      uint64_t* words = columns + step * kLanes;
      Half left, right;
#pragma GCC unroll 8
      for (int group = 0; group < 8; group++) {
        left.of[group] = chain[group];
        right.of[group] = chain[8 + group];
      }
      Absorb(words, left, right);
      Stages(left, right, stages, Vectors(state.keys));
      Emit(right, left, words);
      Keep(right, left, state);
    }
    Scatter(columns, rows);
  }
  static void Decrypt(uint64_t* blocks, size_t stages, const DesShuffleState& state) {
    Half left = {}, right = {};
    Absorb(blocks, left, right);
    Stages(left, right, stages, Vectors(state.keys));
    Emit(right, left, blocks);
  }

  static constexpr DesShuffleLanes kOffer = {kLanes, ShareKey, SetKeys, Begin, Encrypt, Decrypt};
};

}  // namespace
}  // namespace floatgate
