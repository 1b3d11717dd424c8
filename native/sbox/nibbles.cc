// Finds how DES's P can be two stages of exchanges of four registers that have two boxes' nibbles in each byte, and prints
// native/des_nibbles.h.
//
//   nibbles [seed [labelings]]    as it was made: nibbles 1
//
// The header is proved by static_asserts in native/des_nibble_kernel.h, whatever made it.
//
// A register of the half that is read has four bits for each of two boxes, the readers: one in the planes 0 to 3, one in 4
// to 7. What two boxes answer, the sources, makes one register: one of them has every second plane, or every second two, the
// other the rest. So each plane is a permutation of four registers, of which a butterfly of four switches can do sixteen.
// Which boxes are where is free, and so is which of a box's bits go through which plane; plane 7 is to have bits that E
// sends to a second box, too.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>

namespace {

constexpr int kP[32] = {16, 7, 20, 21, 29, 12, 28, 17, 1,  15, 23, 26, 5,  18, 31, 10,
                        2,  8, 24, 14, 32, 27, 3,  9,  19, 13, 30, 6,  22, 11, 4,  25};

// Which bit of the half a box sends to another's own four, or -1.
int Sent(int from, int to) {
  for (int n = 4 * to; n < 4 * to + 4; n++) {
    if ((kP[n] - 1) / 4 == from) return n;
  }
  return -1;
}

// Which register each of four goes to.
void Send(int switches, int (&to)[4]) {
  int from[4] = {0, 1, 2, 3};
  if (switches & 1) std::swap(from[0], from[1]);
  if (switches & 2) std::swap(from[2], from[3]);
  if (switches & 4) std::swap(from[0], from[2]);
  if (switches & 8) std::swap(from[1], from[3]);
  for (int i = 0; i < 4; i++) to[from[i]] = i;
}

struct Layout {
  int readers[8], sources[8];  // register r: 2 r and 2 r + 1
  int shift;
  int settings[8];

  int Source(int plane, int r) const { return sources[2 * r + (plane / shift & 1)]; }

  // Settings for all planes from this one on, no bit sent twice.
  bool Cover(int plane, uint32_t sent) {
    if (plane < 0) return true;
    for (int switches = 0; switches < 16; switches++) {
      int to[4];
      Send(switches, to);
      uint32_t now = 0;
      bool real = true;
      for (int r = 0; r < 4 && real; r++) {
        int n = Sent(Source(plane, r), readers[2 * to[r] + plane / 4]);
        real = n >= 0 && !(sent >> n & 1) && (plane != 7 || n % 4 == 0 || n % 4 == 3);
        if (real) now |= uint32_t{1} << n;
      }
      if (!real) continue;
      settings[plane] = switches;
      if (Cover(plane - 1, sent | now)) return true;
    }
    return false;
  }
};

void Print(const char* what, const int (&numbers)[8]) {
  std::printf("inline constexpr int %s[8] = {", what);
  for (int i = 0; i < 8; i++) std::printf("%s%d", i == 0 ? "" : ", ", numbers[i]);
  std::printf("};\n");
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 dice(argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1);
  int labelings = argc > 2 ? std::atoi(argv[2]) : 100'000'000;
  auto shuffle = [&](int (&boxes)[8]) {
    for (uint32_t i = 8; i > 1; i--) std::swap(boxes[i - 1], boxes[dice() % i]);
  };
  Layout layout;
  for (int i = 0; i < 8; i++) layout.readers[i] = layout.sources[i] = i;
  while (labelings-- > 0) {
    shuffle(layout.readers);
    shuffle(layout.sources);
    layout.shift = 1 << dice() % 2;
    if (!layout.Cover(7, 0)) continue;
    std::printf(
        "// Made by native/sbox/nibbles.cc: do not edit. How P of DES becomes two stages of exchanges of registers\n"
        "// (des_nibble_kernel.h).\n#pragma once\n\nnamespace floatgate {\n\n"
        "// Whose four bits are in each register, in the low half of its bytes and in the high one.\n");
    Print("kNibbleReaders", layout.readers);
    std::printf("// Whose answers make each register, and how many planes at a time are the first one's.\n");
    Print("kNibbleSources", layout.sources);
    std::printf("inline constexpr int kNibbleShift = %d;\n", layout.shift);
    std::printf("// Which of the four switches exchange, for each of eight planes: 0 and 1, 2 and 3; then 0 and 2, 1 and 3.\n");
    Print("kNibbleSettings", layout.settings);
    std::printf("\n}  // namespace floatgate\n");
    return 0;
  }
  std::fprintf(stderr, "nothing found\n");
  return 1;
}
