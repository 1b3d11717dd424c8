// DES-CBC and 3DES-CBC encryption by byte shuffles: sixteen packets at a time, the longest together.

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "suites.h"

namespace floatgate {
namespace {

constexpr size_t kBlock = 8;

}  // namespace

DesKeys::~DesKeys() {
  OPENSSL_cleanse(words, sizeof words);
  OPENSSL_cleanse(schedule, sizeof schedule);
}

void DesKeys::Expand(const SuiteKeys& keys) {
  if (keys.cipher != Cipher::Des && keys.cipher != Cipher::TripleDes) return;
  size_t stages = kCipherSizes[Index(keys.cipher)].key / kBlock;
  std::memcpy(words, keys.cipher_key, stages * kBlock);
  const DesShuffle* way = DesShuffleAvx2();
  if (way != nullptr && keys.direction == Direction::Encrypt) way->schedule(words, stages, schedule);
}

std::unique_ptr<Shuffle> Shuffle::Create() {
  const DesShuffle* way = DesShuffleAvx2();
  return way == nullptr ? nullptr : std::unique_ptr<Shuffle>(new Shuffle(*way));
}

Shuffle::~Shuffle() {
  OPENSSL_cleanse(blocks_, sizeof blocks_);
  OPENSSL_cleanse(&state_, sizeof state_);
}

void Shuffle::Encrypt(Job* const* longest_first, size_t count) {
  for (; count > 0; longest_first += std::min(count, kDesShuffleLanes), count -= std::min(count, kDesShuffleLanes)) {
    size_t active = std::min(count, kDesShuffleLanes);
    // Lanes without a packet do what the first one does, on whatever lies there.
    const uint64_t* schedules[kDesShuffleLanes];
    for (size_t i = 0; i < kDesShuffleLanes; i++) {
      const Job& job = *longest_first[i < active ? i : 0];
      schedules[i] = job.keys->des->schedule;
      std::memcpy(blocks_ + i, job.iv, kBlock);
    }
    size_t stages = longest_first[0]->keys->cipher == Cipher::Des ? 1 : 3;
    way_.begin(schedules, blocks_, stages, state_);
    for (size_t i = 0; i < active; i++) longest_first[i]->done = true;
    size_t steps = longest_first[0]->text_length / kBlock;
    for (size_t at = 0; at < steps * kBlock; at += kBlock) {
      while (longest_first[active - 1]->text_length <= at) active--;
      for (size_t i = 0; i < active; i++) std::memcpy(blocks_ + i, longest_first[i]->text + at, kBlock);
      way_.step(blocks_, stages, state_);
      for (size_t i = 0; i < active; i++) std::memcpy(longest_first[i]->text + at, blocks_ + i, kBlock);
    }
  }
}

}  // namespace floatgate
