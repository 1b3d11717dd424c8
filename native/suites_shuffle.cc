// DES-CBC and 3DES-CBC in bytes: packets are encrypted side by side, the longest together, and blocks of any packets are
// decrypted so.

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "suites_lanes.h"

namespace floatgate {
namespace {

constexpr size_t kBlock = 8;

}  // namespace

DesKeys::~DesKeys() {
  OPENSSL_cleanse(words, sizeof words);
  OPENSSL_cleanse(schedule, sizeof schedule);
}

void DesKeys::Expand(const SuiteKeys& keys, const DesShuffle* way) {
  if (keys.cipher != Cipher::Des && keys.cipher != Cipher::TripleDes) return;
  size_t stages = kCipherSizes[Index(keys.cipher)].key / kBlock;
  std::memcpy(words, keys.cipher_key, stages * kBlock);
  if (way != nullptr) way->expand(words, stages, keys.direction == Direction::Encrypt, schedule);
}

std::unique_ptr<Shuffle> Shuffle::Create(const DesShuffle* way) {
  return way == nullptr ? nullptr : std::unique_ptr<Shuffle>(new Shuffle(*way));
}

Shuffle::~Shuffle() {
  OPENSSL_cleanse(blocks_, sizeof blocks_);
  OPENSSL_cleanse(before_, sizeof before_);
  OPENSSL_cleanse(ends_, sizeof ends_);
  OPENSSL_cleanse(&state_, sizeof state_);
}

void Shuffle::SetKeys(const DesShuffleLanes& lanes, const Keys* const* keys, size_t count) {
  size_t stages = keys[0]->cipher == Cipher::Des ? 1 : 3;
  if (std::all_of(keys, keys + count, [&](const Keys* of) { return of == keys[0]; })) {
    return lanes.share_key(keys[0]->des->schedule, stages, state_);
  }
  const uint64_t* schedules[kDesShuffleMaxLanes];
  for (size_t i = 0; i < lanes.lanes; i++) schedules[i] = keys[i < count ? i : 0]->des->schedule;
  lanes.set_keys(schedules, stages, state_);
}

void Shuffle::Encrypt(Job* const* longest_first, size_t count) {
  while (count > 0) {
    const DesShuffleLanes& lanes = way_.lanes[way_.LanesFor(count)];
    size_t now = std::min(count, lanes.lanes);
    Encrypt(lanes, longest_first, now);
    longest_first += now;
    count -= now;
  }
}

// Lanes without a packet, or without so long a one, encrypt whatever lies in `ends_`.
void Shuffle::Encrypt(const DesShuffleLanes& lanes, Job* const* longest_first, size_t count) {
  const Keys* keys[kDesShuffleMaxLanes];
  uint8_t* rows[kDesShuffleMaxLanes];
  for (size_t i = 0; i < lanes.lanes; i++) rows[i] = reinterpret_cast<uint8_t*>(ends_[i]);
  for (size_t i = 0; i < count; i++) {
    keys[i] = longest_first[i]->keys;
    std::memcpy(blocks_ + i, longest_first[i]->iv, kBlock);
    longest_first[i]->done = true;
  }
  SetKeys(lanes, keys, count);
  lanes.begin(blocks_, state_);

  constexpr size_t kRow = kDesChunk * kBlock;
  size_t stages = keys[0]->cipher == Cipher::Des ? 1 : 3;
  size_t length = longest_first[0]->text_length;
  for (size_t at = 0; at < length; at += kRow) {
    size_t whole = 0;  // packets with a row of text from here on; then come those with less
    while (whole < count && longest_first[whole]->text_length >= at + kRow) {
      rows[whole] = longest_first[whole]->text + at;
      whole++;
    }
    size_t active = whole;
    for (; active < count && longest_first[active]->text_length > at; active++) {
      rows[active] = reinterpret_cast<uint8_t*>(ends_[active]);
      std::memcpy(rows[active], longest_first[active]->text + at, longest_first[active]->text_length - at);
    }
    for (size_t i = active; i < count; i++) rows[i] = reinterpret_cast<uint8_t*>(ends_[i]);
    lanes.encrypt(rows, std::min(kRow, length - at) / kBlock, stages, state_);
    for (size_t i = whole; i < active; i++) {
      std::memcpy(longest_first[i]->text + at, rows[i], longest_first[i]->text_length - at);
    }
    count = active;
  }
}

void Shuffle::Decrypt(Job* const* jobs, size_t count) {
  if (count == 0) return;
  size_t stages = jobs[0]->keys->cipher == Cipher::Des ? 1 : 3;
  const DesShuffleLanes* lanes = nullptr;
  const Keys* shared = nullptr;  // whose key `shared_by` has in all lanes
  const DesShuffleLanes* shared_by = nullptr;
  auto lanes_for = [&](size_t left) {
    lanes = &way_.lanes[way_.LanesFor(left)];
    return lanes->lanes;
  };
  DecryptInLanes(jobs, count, blocks_, before_, lanes_for, [&](const Piece* pieces, size_t piece_count, bool one_key) {
    if (!one_key || pieces[0].keys != shared || lanes != shared_by) {
      const Keys* keys[kDesShuffleMaxLanes];
      size_t used = 0;
      for (size_t i = 0; i < piece_count; i++) {
        std::fill_n(keys + used, pieces[i].count, pieces[i].keys);
        used += pieces[i].count;
      }
      SetKeys(*lanes, keys, used);
      shared = one_key ? pieces[0].keys : nullptr;
      shared_by = lanes;
    }
    lanes->decrypt(blocks_, stages, state_);
  });
}

}  // namespace floatgate
