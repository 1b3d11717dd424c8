// The round keys of DES in bytes, in the order in which rounds ask for them.

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "des_nibble_kernel.h"
#include "des_shuffle_kernel.h"

namespace floatgate {
namespace {

// Where a round's key bit i stands in a word: byte and plane.
struct Place {
  int byte, plane;
};
Place InBytes(int i) { return {i / 6, kNetwork.plane[i / 6][i % 6]}; }
Place InNibbles(int i) {
  int n = BoxSource(i / 6, i % 6);
  bool own = n / 4 == i / 6;
  return {kNibbles.Register(n) + (own ? 0 : 4), kNibbles.plane[n]};
}

// `round` is 0 to 15.
template <Place In(int)>
uint64_t RoundKey(uint64_t key, int round) {
  int shift = 0;
  for (int i = 0; i <= round; i++) shift += kShifts[i];
  uint8_t bytes[8] = {};
  for (int i = 0; i < 48; i++) {
    int n = kPc2[i] - 1;
    int from = n < 28 ? (n + shift) % 28 : 28 + (n - 28 + shift) % 28;
    unsigned bit = static_cast<unsigned>(key >> WordBit(kPc1[from]) & 1);
    Place place = In(i);
    bytes[place.byte] = static_cast<uint8_t>(bytes[place.byte] | bit << place.plane);
  }
  uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// What each bit of a key adds to each round's key. Round keys are bits of the key and nothing else, so those of a key are the
// sum of its bits'. All of it is read, whatever the key.
template <Place In(int)>
struct Parts {
  alignas(64) uint64_t of[64][16];

  Parts() {
    for (int bit = 0; bit < 64; bit++) {
      for (int round = 0; round < 16; round++) of[bit][round] = RoundKey<In>(uint64_t{1} << bit, round);
    }
  }
};

// In the order of the rounds, or backwards.
template <Place In(int)>
void RoundKeys(uint64_t key, bool forward, uint64_t* keys) {
  static const Parts<In> parts;
  alignas(64) uint64_t sum[16] = {};
  for (int bit = 0; bit < 64; bit++) {
    const uint64_t mask = uint64_t{0} - (key >> bit & 1);
    for (int round = 0; round < 16; round++) sum[round] ^= mask & parts.of[bit][round];
  }
  if (!forward) std::reverse(sum, sum + 16);
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
    RoundKeys<InBytes>(key[encrypts ? stage : stages - 1 - stage], forward, keys);
    *to++ = last ^ keys[0];
    *to++ = keys[1];
    for (int round = 1; round < 15; round++) *to++ = keys[round - 1] ^ keys[round + 1];
    *to++ = keys[14];
    last = keys[15];
    OPENSSL_cleanse(keys, sizeof keys);
  }
  *to = last;
}

void DesNibbleExpand(const uint64_t* key, size_t stages, bool encrypts, uint64_t (&schedule)[kDesShuffleSchedule]) {
  for (size_t stage = 0; stage < stages; stage++) {
    RoundKeys<InNibbles>(key[encrypts ? stage : stages - 1 - stage], encrypts != (stage == 1), schedule + 16 * stage);
  }
}

}  // namespace floatgate
