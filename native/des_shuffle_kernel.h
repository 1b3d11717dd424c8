// DES in bytes for registers whose instructions look values up in tables (FIPS 46-3): a byte of a register is one lane's
// six bits before a box, so a half of the block is eight registers. Included by one file for each instruction set, which
// says what a machine `M` is, besides what des_rows.h asks for:
//
//   Box, Prepare(answers)  what a box answers to each byte, from tables made of its answers
//   Exchange(a, b, mask)   the bits of the mask change places
//   Splat(byte)            the byte in every place
//   Xor3(a, b, c)
//   Map, Prepare(images)   each byte of what Ready(v) makes through a linear map, given by what the eight bits become
//
// How P and E spread a box's four bits to six readers: the table answers them in six planes, all of them go through a
// network of exchanges together, and each reader finds its six bits in a register.
//
// Everything is in an unnamed namespace: each file has its own, compiled for its own instructions.

#include "des_network.h"
#include "des_rows.h"
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
constexpr Images GroupPart(int group, int from) {
  Images images{};
  for (int i = 0; i < 6; i++) {
    int n = BoxSource(group, i);
    if (n / 8 == from) images.of[n % 8] |= static_cast<uint8_t>(1 << kNetwork.plane[group][i]);
  }
  return images;
}
constexpr Images HalfPart(int group) {
  Images images{};
  for (int i = 1; i < 5; i++) {
    images.of[kNetwork.plane[group][i]] |= static_cast<uint8_t>(1 << BoxSource(group, i) % 8);
  }
  return images;
}

template <class M>
struct DesBytes : DesRows<M> {
  using typename DesRows<M>::V;
  using DesRows<M>::Vectors;
  static constexpr int kRegisters = 8;
  struct Half {
    V of[kRegisters];
  };
  static constexpr size_t Words(size_t stages) { return DesShuffleWords(stages); }

  struct Tables {
    decltype(M::Prepare(BoxAnswers{})) boxes[8];
    decltype(M::Prepare(Images{})) group_parts[8][4], half_parts[8];
    bool used[8][4];
  };
  static constexpr Tables MakeTables() {
    Tables tables{};
    for (int group = 0; group < 8; group++) {
      tables.boxes[group] = M::Prepare(MakeAnswers(group));
      tables.half_parts[group] = M::Prepare(HalfPart(group));
      for (int from = 0; from < 4; from++) {
        tables.group_parts[group][from] = M::Prepare(GroupPart(group, from));
        tables.used[group][from] = GroupPart(group, from).Any();
      }
    }
    return tables;
  }
  static constexpr Tables kTables = MakeTables();
  // to ^= key ^ f(from)
  static inline __attribute__((always_inline)) void Round(Half& to, const Half& from, const V* key) {
    V wires[8];
#pragma GCC unroll 8
    for (int w = 0; w < 8; w++) wires[w] = M::Box(kTables.boxes[kNetworkIn[w]], from.of[kNetworkIn[w]]);
#pragma GCC unroll 12
    for (int k = 0; k < kNetworkSwitches; k++) {
      constexpr const NetworkSwitch* switches = kNetwork.of;
      M::Exchange(wires[switches[k].low], wires[switches[k].high], M::Splat(switches[k].planes));
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
  static inline __attribute__((always_inline)) const V* Stage(Half& left, Half& right, const V* key) {
    AddKey(right, key);
    key += 8;
    for (int round = 0; round < 16; round += 2, key += 16) {
      Round(left, right, key);
      Round(right, left, key + 8);
    }
    return key;
  }

  // E, or E D E, or the same backwards: the keys say which.
  static inline __attribute__((always_inline)) void Stages(Half& left, Half& right, size_t stages, const V* key) {
    key = Stage(left, right, key);
    if (stages == 3) {
      key = Stage(right, left, key);
      key = Stage(left, right, key);
    }
    AddKey(left, key);
  }

  // Blocks into both halves, XORed with what is there.
  static inline __attribute__((always_inline)) void Absorb(const uint64_t* words, Half& left, Half& right) {
    V bytes[8];
    DesRows<M>::Permute(Vectors(words), bytes);
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
    DesRows<M>::Unpermute(bytes, Vectors(words));
  }

};

}  // namespace
}  // namespace floatgate
