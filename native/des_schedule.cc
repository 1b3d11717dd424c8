// The round keys of DES in bytes, in the order in which rounds ask for them.

#include <openssl/crypto.h>

#include <algorithm>
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

// What each bit of a key adds to each round's key. Round keys are bits of the key and nothing else, so those of a key are the
// sum of its bits'. All of it is read, whatever the key.
struct Parts {
  alignas(64) uint64_t of[64][16];

  Parts() {
    for (int bit = 0; bit < 64; bit++) {
      for (int round = 0; round < 16; round++) of[bit][round] = RoundKey(uint64_t{1} << bit, round);
    }
  }
};

void RoundKeys(uint64_t key, uint64_t (&keys)[16]) {
  static const Parts parts;
  alignas(64) uint64_t sum[16] = {};
  for (int bit = 0; bit < 64; bit++) {
    const uint64_t mask = uint64_t{0} - (key >> bit & 1);
    for (int round = 0; round < 16; round++) sum[round] ^= mask & parts.of[bit][round];
  }
  std::memcpy(keys, sum, sizeof sum);
  OPENSSL_cleanse(sum, sizeof sum);
}

}  // namespace

void DesShuffleExpand(const uint64_t* key, size_t stages, bool encrypts, uint64_t (&schedule)[kDesShuffleSchedule]) {
  uint64_t* to = schedule;
  uint64_t last = 0;
  for (size_t stage = 0; stage < stages; stage++) {
    // The middle key does the opposite.
    bool forward = encrypts != (stage == 1);
    uint64_t keys[16];
    RoundKeys(key[encrypts ? stage : stages - 1 - stage], keys);
    if (!forward) std::reverse(keys, keys + 16);
    *to++ = last ^ keys[0];
    *to++ = keys[1];
    for (int round = 1; round < 15; round++) *to++ = keys[round - 1] ^ keys[round + 1];
    *to++ = keys[14];
    last = keys[15];
    OPENSSL_cleanse(keys, sizeof keys);
  }
  *to = last;
}

}  // namespace floatgate
