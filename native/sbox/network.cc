// Finds how DES's P and E can be three stages of exchanges, and prints native/des_network.h.
//
//   network [seed [labelings]]    as it was made: network 1
//
// The header is proved by static_asserts in native/des_shuffle_kernel.h, whatever made it.
//
// Each box has six readers (P and E spread its four bits to six boxes), and each box reads one bit of each of six. So the
// 48 bits can be dealt out to six planes, in each of which every box sends one bit and every box gets one: a permutation
// of eight registers. A butterfly of twelve switches can do 4096 of the 40320. Which boxes stand at its ends is free, and
// so is the dealing: wanted are six permutations that it can do and that send each of the 48 bits once.

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <vector>

namespace {

constexpr int kP[32] = {16, 7, 20, 21, 29, 12, 28, 17, 1,  15, 23, 26, 5,  18, 31, 10,
                        2,  8, 24, 14, 32, 27, 3,  9,  19, 13, 30, 6,  22, 11, 4,  25};
constexpr int kSwitches = 12;
constexpr uint64_t kAllEdges = (uint64_t{1} << 48) - 1;

struct Setting {
  uint64_t edges;  // that it sends
  int switches;    // that exchange, a bit for each
};

// Which edge leads from a box to a box, or -1.
struct Edges {
  int at[8][8];
  Edges() {
    for (auto& row : at) std::fill_n(row, 8, -1);
    for (int i = 0; i < 48; i++) at[(kP[(i / 6 * 4 + i % 6 + 31) % 32] - 1) / 4][i / 6] = i;
  }
};

// Switch k: stage k / 4, of two registers whose numbers differ in one bit.
void Ends(int k, int& low, int& high) {
  int stage = k / 4, rest = k % 4;
  low = (rest >> stage << (stage + 1)) | (rest & ((1 << stage) - 1));
  high = low | 1 << stage;
}

// Six settings that send each edge once; fewest choices first, and no end of tries.
bool Cover(const std::vector<Setting>& settings, uint64_t covered, int depth, int (&chosen)[6], int& tries) {
  if (depth == 6) return true;
  int choices[48] = {};
  for (const Setting& setting : settings) {
    if (setting.edges & covered) continue;
    for (int e = 0; e < 48; e++) choices[e] += static_cast<int>(setting.edges >> e & 1);
  }
  int edge = -1;
  for (int e = 0; e < 48; e++) {
    if (!(covered >> e & 1) && (edge < 0 || choices[e] < choices[edge])) edge = e;
  }
  for (const Setting& setting : settings) {
    if (setting.edges & covered || !(setting.edges >> edge & 1)) continue;
    if (--tries < 0) return false;
    chosen[depth] = setting.switches;
    if (Cover(settings, covered | setting.edges, depth + 1, chosen, tries)) return true;
  }
  return false;
}

void Print(const char* what, const int* numbers, int count) {
  std::printf("inline constexpr int %s[%d] = {", what, count);
  for (int i = 0; i < count; i++) std::printf("%s%d", i == 0 ? "" : ", ", numbers[i]);
  std::printf("};\n");
}

}  // namespace

int main(int argc, char** argv) {
  std::mt19937 dice(argc > 1 ? static_cast<uint32_t>(std::atoi(argv[1])) : 1);
  int labelings = argc > 2 ? std::atoi(argv[2]) : 10000;
  auto shuffle = [&](int (&boxes)[8]) {
    for (uint32_t i = 8; i > 1; i--) std::swap(boxes[i - 1], boxes[dice() % i]);
  };
  const Edges edges;
  int in[8], out[8];
  for (int i = 0; i < 8; i++) in[i] = out[i] = i;
  while (labelings-- > 0) {
    shuffle(in);
    shuffle(out);
    std::vector<Setting> settings;
    uint64_t sent = 0;
    for (int switches = 0; switches < 1 << kSwitches; switches++) {
      int from[8];
      std::copy_n(in, 8, from);
      for (int k = 0, low, high; k < kSwitches; k++) {
        Ends(k, low, high);
        if (switches >> k & 1) std::swap(from[low], from[high]);
      }
      Setting setting = {0, switches};
      bool real = true;
      for (int w = 0; w < 8 && real; w++) {
        int edge = edges.at[from[w]][out[w]];
        real = edge >= 0;
        if (real) setting.edges |= uint64_t{1} << edge;
      }
      if (real) settings.push_back(setting), sent |= setting.edges;
    }
    int chosen[6], tries = 100000;
    if (sent != kAllEdges || !Cover(settings, 0, 0, chosen, tries)) continue;
    std::printf(
        "// Made by native/sbox/network.cc: do not edit. How P and E of DES become three stages of exchanges of registers\n"
        "// (des_shuffle_kernel.h).\n#pragma once\n\nnamespace floatgate {\n\n"
        "// Which box's output goes into each register, and which box's input comes out of it.\n");
    Print("kNetworkIn", in, 8);
    Print("kNetworkOut", out, 8);
    std::printf("// Which of the twelve switches exchange, for each of six planes: bit 4 s + i is stage s, switch i.\n");
    Print("kNetworkSettings", chosen, 6);
    std::printf("\n}  // namespace floatgate\n");
    return 0;
  }
  std::fprintf(stderr, "nothing found\n");
  return 1;
}
