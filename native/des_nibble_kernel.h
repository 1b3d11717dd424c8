// DES in nibbles, for registers that look only sixteen values up at a time (FIPS 46-3): a byte of a register has the four
// bits of two boxes that no other box comes before, so a half of the block is four registers. Included by one file for
// each instruction set, which says what a machine `M` is, besides what des_rows.h asks for:
//
//   Splat(byte)            the byte in every place
//   Shift<by>              to the left where that is positive; what comes from a neighbouring byte is masked here
//   Look(table, index)     sixteen bytes looked up by the lowest four bits, of a byte below 128
//   Pick(a, b, by)         each byte of b where the byte of `by` has its highest bit, else of a
//   Hidden                 tables that the compiler shall read from memory rather than make
//
// Of the 64 rows' answers to four bits two stand in one table's byte, in planes of the one and of the other: the box's two
// bits that E fetches from its neighbours pick the table, and then the planes, by a shift. Of two boxes one answers in
// those planes that the other has free, and so both are a register; four of these go through a network of exchanges that is
// P. E is a second copy of the half, with the keys of what neighbours read; its bits are shifted to where Pick looks.
//
// Everything is in an unnamed namespace: each file has its own, compiled for its own instructions.
#pragma once

#include <utility>

#include "des_nibbles.h"
#include "des_rows.h"

namespace floatgate {
namespace {

constexpr int kNibbleSwitches = 4;
constexpr int kNibbleEnds[kNibbleSwitches][2] = {{0, 1}, {2, 3}, {0, 2}, {1, 3}};

// Where bit n of a half stands: its register is that of its box.
struct Nibbles {
  int plane[32];
  int reader[8];  // a box's register and half of the byte: 2 * register + half
  int source[8];  // the register that has its answers, and whether in the first planes or in the others
  uint8_t exchanged[kNibbleSwitches];
  constexpr int Register(int n) const { return reader[n / 4] / 2; }
  // A box's bits before the half's own four, and after them.
  static constexpr int Before(int box) { return BoxSource(box, 0); }
  static constexpr int After(int box) { return BoxSource(box, 5); }
  // Planes of the first of two sources.
  static constexpr uint8_t First() {
    unsigned planes = 0;
    for (int p = 0; p < 8; p++) planes |= (p / kNibbleShift & 1 ? 0u : 1u) << p;
    return static_cast<uint8_t>(planes);
  }
};
constexpr Nibbles MakeNibbles() {
  Nibbles nibbles{};
  for (int i = 0; i < 8; i++) {
    nibbles.reader[kNibbleReaders[i]] = i;
    nibbles.source[kNibbleSources[i]] = i;
  }
  for (int p = 0; p < 8; p++) {
    int from[4] = {0, 1, 2, 3};
    for (int k = 0; k < kNibbleSwitches; k++) {
      if (!(kNibbleSettings[p] >> k & 1)) continue;
      nibbles.exchanged[k] |= static_cast<uint8_t>(1 << p);
      std::swap(from[kNibbleEnds[k][0]], from[kNibbleEnds[k][1]]);
    }
    for (int r = 0; r < 4; r++) {
      int box = kNibbleSources[2 * from[r] + (p / kNibbleShift & 1)];
      for (int n = 0; n < 32; n++) {
        if (n / 4 == kNibbleReaders[2 * r + p / 4] && (kP[n] - 1) / 4 == box) nibbles.plane[n] = p;
      }
    }
  }
  return nibbles;
}
constexpr Nibbles kNibbles = MakeNibbles();

struct alignas(16) Sixteen {
  uint8_t of[16];
};

// A box's answers for the bit before its own four, by these: where the bit after them is zero in its own planes, and where
// it is one in the others.
constexpr Sixteen MakeNibbleAnswers(int box, int before) {
  Sixteen answers{};
  for (unsigned column = 0; column < 16; column++) {
    unsigned index = 0;
    for (int i = 0; i < 4; i++) index |= (column >> (3 - i) & 1) << kNibbles.plane[4 * box + i] % 4;
    for (unsigned after = 0; after < 2; after++) {
      unsigned four = DesBox(box, static_cast<unsigned>(before) << 5 | column << 1 | after);
      unsigned placed = 0;
      for (int n = 0; n < 32; n++) {
        if ((kP[n] - 1) / 4 == box) placed |= (four >> (3 - (kP[n] - 1) % 4) & 1) << kNibbles.plane[n];
      }
      if (after) placed = kNibbles.source[box] % 2 == 0 ? placed << kNibbleShift : placed >> kNibbleShift;
      answers.of[index] |= static_cast<uint8_t>(placed);
    }
  }
  return answers;
}

// Layout, answers and network against FIPS 46-3: what each box says to each six bits gets to where the half has it, and
// nothing else. The network is linear, so boxes may be asked one by one.
constexpr bool ProveNibbles() {
  unsigned places[4] = {}, readers = 0, sources = 0;
  for (int n = 0; n < 32; n++) {
    if (kNibbles.plane[n] / 4 != kNibbles.reader[n / 4] % 2) return false;
    places[kNibbles.Register(n)] |= 1u << kNibbles.plane[n];
  }
  for (unsigned planes : places) {
    if (planes != 255) return false;
  }
  for (int box = 0; box < 8; box++) {
    readers |= 1u << kNibbles.reader[box];
    sources |= 1u << kNibbles.source[box];
    bool first = kNibbles.source[box] % 2 == 0;
    for (unsigned six = 0; six < 64; six++) {
      unsigned index = 0;
      for (int i = 0; i < 4; i++) index |= (six >> (4 - i) & 1) << kNibbles.plane[4 * box + i] % 4;
      unsigned answer = MakeNibbleAnswers(box, six >> 5 & 1).of[index];
      if (six & 1) answer = first ? answer >> kNibbleShift : answer << kNibbleShift;
      unsigned wires[4] = {};
      wires[kNibbles.source[box] / 2] = answer & (first ? Nibbles::First() : static_cast<uint8_t>(~Nibbles::First()));
      for (int k = 0; k < kNibbleSwitches; k++) {
        unsigned& low = wires[kNibbleEnds[k][0]];
        unsigned& high = wires[kNibbleEnds[k][1]];
        unsigned differ = (low ^ high) & kNibbles.exchanged[k];
        low ^= differ;
        high ^= differ;
      }
      unsigned wanted[4] = {};
      for (int n = 0; n < 32; n++) {
        bool bit = (kP[n] - 1) / 4 == box && (DesBox(box, six) >> (3 - (kP[n] - 1) % 4) & 1);
        if (bit) wanted[kNibbles.Register(n)] |= 1u << kNibbles.plane[n];
      }
      for (int r = 0; r < 4; r++) {
        if (wires[r] != wanted[r]) return false;
      }
    }
  }
  return readers == 255 && sources == 255;
}
static_assert(ProveNibbles());

template <class M>
struct DesNibbles : DesRows<M> {
  using typename DesRows<M>::V;
  using DesRows<M>::Vectors;
  static constexpr int kRegisters = 4;
  struct Half {
    V of[kRegisters];
  };
  static constexpr size_t Words(size_t stages) { return DesNibbleWords(stages); }

  struct alignas(64) Mask {
    uint8_t of[64];  // the same 64 times
    V Read() const { return *reinterpret_cast<const V*>(of); }
  };
  static constexpr Mask MakeMask(uint8_t byte) {
    Mask mask{};
    for (uint8_t& of : mask.of) of = byte;
    return mask;
  }
  struct Tables {
    Sixteen boxes[8][2];
    Sixteen absorbed[8], emitted[8];  // four bits of the permuted block to their planes, and back
    Mask first, low, exchanged[kNibbleSwitches];
  };
  static constexpr Tables MakeTables() {
    Tables tables{};
    for (int box = 0; box < 8; box++) {
      for (int before = 0; before < 2; before++) tables.boxes[box][before] = MakeNibbleAnswers(box, before);
      for (int four = 0; four < 16; four++) {
        for (int i = 0; i < 4; i++) {
          int n = 4 * box + i;
          if (four >> i & 1) tables.absorbed[box].of[four] |= static_cast<uint8_t>(1 << kNibbles.plane[n]);
          if (four >> kNibbles.plane[n] % 4 & 1) tables.emitted[box].of[four] |= static_cast<uint8_t>(1 << n % 8);
        }
      }
    }
    tables.first = MakeMask(Nibbles::First());
    tables.low = MakeMask(15);
    for (int k = 0; k < kNibbleSwitches; k++) tables.exchanged[k] = MakeMask(kNibbles.exchanged[k]);
    return tables;
  }
  static constexpr Tables kTables = MakeTables();

  template <int High>
  static inline __attribute__((always_inline)) V Four(V byte, const Tables& tables) {
    if constexpr (High) return M::template Shift<-4>(byte) & tables.low.Read();
    else return byte & tables.low.Read();
  }

  // Bit n, where Pick looks.
  template <int N>
  static inline __attribute__((always_inline)) V Picking(const V (&ends)[4]) {
    constexpr int kBy = 7 - kNibbles.plane[N];
    if constexpr (kBy == 0) return ends[kNibbles.Register(N)];
    else return M::template Shift<kBy>(ends[kNibbles.Register(N)]);
  }

  // What source `At` answers, in its planes.
  template <int At>
  static inline __attribute__((always_inline)) V Answer(const V (&own)[4], const V (&ends)[4], const Tables& tables) {
    constexpr int kBox = kNibbleSources[At];
    constexpr int kReader = kNibbles.reader[kBox];
    V index = Four<kReader % 2>(own[kReader / 2], tables);
    V both = M::Pick(M::Look(tables.boxes[kBox][0], index), M::Look(tables.boxes[kBox][1], index),
                     Picking<Nibbles::Before(kBox)>(ends));
    return M::Pick(both, M::template Shift<At % 2 == 0 ? -kNibbleShift : kNibbleShift>(both),
                   Picking<Nibbles::After(kBox)>(ends));
  }
  template <int At>
  static inline __attribute__((always_inline)) V Answers(const V (&own)[4], const V (&ends)[4], const Tables& tables) {
    V first = Answer<2 * At>(own, ends, tables), second = Answer<2 * At + 1>(own, ends, tables);
    return second ^ ((first ^ second) & tables.first.Read());
  }

  // to ^= f(from)
  static inline __attribute__((always_inline)) void Round(Half& to, const Half& from, const V* key, const Tables& tables) {
    V own[4], ends[4];
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++) {
      own[r] = from.of[r] ^ key[r];
      ends[r] = from.of[r] ^ key[4 + r];
    }
    V wires[4] = {Answers<0>(own, ends, tables), Answers<1>(own, ends, tables), Answers<2>(own, ends, tables),
                  Answers<3>(own, ends, tables)};
#pragma GCC unroll 4
    for (int k = 0; k < kNibbleSwitches; k++) {
      constexpr auto& kEnds = kNibbleEnds;
      V differ = (wires[kEnds[k][0]] ^ wires[kEnds[k][1]]) & tables.exchanged[k].Read();
      wires[kEnds[k][0]] = wires[kEnds[k][0]] ^ differ;
      wires[kEnds[k][1]] = wires[kEnds[k][1]] ^ differ;
    }
#pragma GCC unroll 4
    for (int r = 0; r < 4; r++) to.of[r] = to.of[r] ^ wires[r];
  }

  // What went in as (left, right) comes out as (right, left).
  static inline __attribute__((always_inline)) const V* Stage(Half& left, Half& right, const V* key, const Tables& tables) {
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
      Stage(left, right, key, tables);
    }
  }

  template <int... Box>
  static inline __attribute__((always_inline)) void AbsorbHalf(const V* bytes, Half& half, const Tables& tables,
                                                              std::integer_sequence<int, Box...>) {
    ((half.of[kNibbles.reader[Box] / 2] = half.of[kNibbles.reader[Box] / 2] ^
                                          M::Look(tables.absorbed[Box], Four<Box % 2>(bytes[Box / 2], tables))),
     ...);
  }
  // Blocks into both halves, XORed with what is there.
  static inline __attribute__((always_inline)) void Absorb(const uint64_t* words, Half& left, Half& right) {
    V bytes[8];
    DesRows<M>::Permute(Vectors(words), bytes);
    AbsorbHalf(bytes, left, kTables, std::make_integer_sequence<int, 8>());
    AbsorbHalf(bytes + 4, right, kTables, std::make_integer_sequence<int, 8>());
  }

  template <int... Byte>
  static inline __attribute__((always_inline)) void EmitHalf(const Half& half, V* bytes, const Tables& tables,
                                                            std::integer_sequence<int, Byte...>) {
    auto four = [&]<int Box>(std::integral_constant<int, Box>) __attribute__((always_inline)) {
      return M::Look(tables.emitted[Box], Four<kNibbles.reader[Box] % 2>(half.of[kNibbles.reader[Box] / 2], tables));
    };
    ((bytes[Byte] = four(std::integral_constant<int, 2 * Byte>()) ^ four(std::integral_constant<int, 2 * Byte + 1>())), ...);
  }
  static inline __attribute__((always_inline)) void Emit(const Half& left, const Half& right, uint64_t* words) {
    V bytes[8];
    EmitHalf(left, bytes, kTables, std::make_integer_sequence<int, 4>());
    EmitHalf(right, bytes + 4, kTables, std::make_integer_sequence<int, 4>());
    DesRows<M>::Unpermute(bytes, Vectors(words));
  }
};

}  // namespace
}  // namespace floatgate
