// Proves des_sboxes.h: every output bit of every box, over all 64 inputs at once, against the tables of FIPS 46-3.
// Ends with 0 and prints how many instructions each box takes, or with 1.

#include <cstdint>
#include <cstdio>

#include "../des_sboxes.h"
#include "boxes.h"

namespace {

// A word of 64 bits that counts what is done to it.
struct Counted {
  static int operations;
  uint64_t bits = 0;
  // AND-NOT is one instruction, so a complement costs nothing; nothing else may use it.
  friend Counted operator~(Counted a) { return {~a.bits}; }
  friend Counted operator&(Counted a, Counted b) { return operations++, Counted{a.bits & b.bits}; }
  friend Counted operator|(Counted a, Counted b) { return operations++, Counted{a.bits | b.bits}; }
  friend Counted operator^(Counted a, Counted b) { return operations++, Counted{a.bits ^ b.bits}; }
};
int Counted::operations = 0;

struct Machine {
  using V = Counted;
  template <uint8_t Function>
  static V Lut(V a, V b, V c) {
    V result;
    Counted::operations++;
    for (unsigned i = 0; i < 64; i++) {
      unsigned at = (a.bits >> i & 1) << 2 | (b.bits >> i & 1) << 1 | (c.bits >> i & 1);
      result.bits |= static_cast<uint64_t>(Function >> at & 1) << i;
    }
    return result;
  }
};

using Box = void (*)(Counted, Counted, Counted, Counted, Counted, Counted, Counted&, Counted&, Counted&, Counted&);

template <class Boxes>
bool Prove(const char* name) {
  static constexpr Box kBoxes[8] = {Boxes::Box1, Boxes::Box2, Boxes::Box3, Boxes::Box4,
                                    Boxes::Box5, Boxes::Box6, Boxes::Box7, Boxes::Box8};
  bool right = true;
  int sum = 0;
  std::printf("%s:", name);
  for (int box = 0; box < 8; box++) {
    Counted x[6], y[4];
    for (int i = 0; i < 6; i++) x[i].bits = floatgate::DesBoxInput(i);
    // The outputs are XORed into what is there: half of the words begin as ones.
    for (int i = 0; i < 4; i++) y[i].bits = i & 1 ? ~uint64_t{0} : 0;
    Counted::operations = 0;
    kBoxes[box](x[0], x[1], x[2], x[3], x[4], x[5], y[0], y[1], y[2], y[3]);
    std::printf(" %d", Counted::operations);
    sum += Counted::operations;
    right = right && Counted::operations == Boxes::kInstructions[box];
    for (int i = 0; i < 4; i++) {
      bool upside_down = (Boxes::kInverted[box] >> i & 1) != (i & 1);
      uint64_t wanted = floatgate::DesBoxOutput(box, i);
      if (y[i].bits == (upside_down ? ~wanted : wanted)) continue;
      std::printf("\nbox %d, output %d is wrong\n", box + 1, i + 1);
      right = false;
    }
  }
  std::printf(" = %d\n", sum);
  return right;
}

}  // namespace

int main() {
  bool two = Prove<floatgate::DesBoxes2<Machine>>("gates of two inputs");
  bool three = Prove<floatgate::DesBoxes3<Machine>>("gates of three inputs");
  return two && three ? 0 : 1;
}
