// The round keys of DES in bytes, in the order in which rounds ask for them.

#include <cstring>

#include "des_shuffle_kernel.h"

namespace floatgate {
namespace {

// A round's eight groups of six key bits, in planes. `round` is 0 to 15.
uint64_t RoundKey(uint64_t key, int round) {
  int shift = 0;
  for (int i = 0; i <= round; i++) shift += kShifts[i];
  uint8_t groups[8] = {};
  for (int i = 0; i < 48; i++) {
    int n = kPc2[i] - 1;
    int from = n < 28 ? (n + shift) % 28 : 28 + (n - 28 + shift) % 28;
    unsigned bit = static_cast<unsigned>(key >> WordBit(kPc1[from]) & 1);
    groups[i / 6] = static_cast<uint8_t>(groups[i / 6] | bit << kNetwork.plane[i / 6][i % 6]);
  }
  uint64_t word;
  std::memcpy(&word, groups, sizeof word);
  return word;
}

}  // namespace

void DesShuffleExpand(const uint64_t* key, size_t stages, bool encrypts, uint64_t (&schedule)[kDesShuffleSchedule]) {
  uint64_t* to = schedule;
  uint64_t last = 0;
  for (size_t stage = 0; stage < stages; stage++) {
    // The middle key does the opposite.
    bool forward = encrypts != (stage == 1);
    uint64_t word = key[encrypts ? stage : stages - 1 - stage];
    uint64_t keys[18] = {};
    for (int round = 0; round < 16; round++) keys[round + 1] = RoundKey(word, forward ? round : 15 - round);
    *to++ = last ^ keys[1];
    for (int round = 1; round <= 16; round++) *to++ = keys[round - 1] ^ keys[round + 1];
    last = keys[16];
  }
  *to = last;
}

}  // namespace floatgate
