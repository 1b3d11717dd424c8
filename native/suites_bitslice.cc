// DES-CBC and 3DES-CBC in bit slices: decryption puts blocks of any packets side by side, encryption, where each block
// waits for the one before, packets.

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "suites.h"

namespace floatgate {
namespace {

constexpr size_t kBlock = 8;

// Blocks of one packet in neighbouring lanes.
struct Piece {
  const Keys* keys;
  uint8_t* text;
  size_t lane;
  size_t count;
};

size_t Blocks(const Job& job) { return job.text_length / kBlock; }
size_t Stages(const Job& job) { return job.keys->cipher == Cipher::Des ? 1 : 3; }

}  // namespace

std::unique_ptr<Bitslice> Bitslice::Create(const DesUnit* unit) {
  return unit == nullptr ? nullptr : std::unique_ptr<Bitslice>(new Bitslice(*unit));
}

Bitslice::~Bitslice() {
  OPENSSL_cleanse(blocks_, sizeof blocks_);
  OPENSSL_cleanse(before_, sizeof before_);
  OPENSSL_cleanse(lane_keys_, sizeof lane_keys_);
  OPENSSL_cleanse(&keys_, sizeof keys_);
  OPENSSL_cleanse(&chain_, sizeof chain_);
}

void Bitslice::Decrypt(Job* const* jobs, size_t count) {
  if (count == 0) return;
  size_t stages = Stages(*jobs[0]);
  size_t left = 0;
  for (size_t i = 0; i < count; i++) left += Blocks(*jobs[i]);

  size_t next = 0;                // the job whose turn it is,
  size_t done = 0;                // its blocks that are decrypted,
  uint64_t last_block = 0;        // and the last of them as it arrived
  const Keys* shared = nullptr;   // whose key `shared_by` has in all lanes
  const DesDecryptor* shared_by = nullptr;
  while (left > 0) {
    const DesDecryptor& lanes = Fitting(left);
    Piece pieces[kBatchCapacity];
    size_t piece_count = 0, used = 0;
    bool mixed = false;
    while (used < lanes.lanes && next < count) {
      const Job& job = *jobs[next];
      size_t now = std::min(lanes.lanes - used, Blocks(job) - done);
      uint8_t* text = job.text + done * kBlock;
      std::memcpy(blocks_ + used, text, now * kBlock);
      if (now > 0) {
        std::memcpy(before_ + used, done == 0 ? static_cast<const void*>(job.iv) : &last_block, kBlock);
        std::memcpy(before_ + used + 1, text, (now - 1) * kBlock);
        std::memcpy(&last_block, text + (now - 1) * kBlock, kBlock);
        pieces[piece_count++] = {job.keys, text, used, now};
        mixed = mixed || job.keys != pieces[0].keys;
        used += now;
        done += now;
      }
      if (done == Blocks(job)) {
        next++;
        done = 0;
      }
    }
    if (mixed) {
      shared = nullptr;
      for (size_t i = 0; i < piece_count; i++) {
        const Piece& piece = pieces[i];
        for (size_t stage = 0; stage < stages; stage++) {
          std::fill_n(lane_keys_ + stage * lanes.lanes + piece.lane, piece.count,
                      piece.keys->des->words[stage]);
        }
      }
      lanes.set_keys(lane_keys_, stages, keys_);
    } else if (const Keys* keys = pieces[0].keys; keys != shared || &lanes != shared_by) {
      lanes.share_key(keys->des->words, stages, keys_);
      shared = keys;
      shared_by = &lanes;
    }
    lanes.decrypt(blocks_, stages, keys_);
    for (size_t i = 0; i < used; i++) blocks_[i] ^= before_[i];
    for (size_t i = 0; i < piece_count; i++) {
      std::memcpy(pieces[i].text, blocks_ + pieces[i].lane, pieces[i].count * kBlock);
    }
    left -= used;
  }
  for (size_t i = 0; i < count; i++) jobs[i]->done = true;
}

// The widest, or the narrowest that holds them all.
const DesDecryptor& Bitslice::Fitting(size_t blocks) const {
  const DesDecryptor* chosen = unit_.decryptors;
  for (size_t i = 1; i < unit_.decryptor_count && unit_.decryptors[i].lanes >= blocks; i++) {
    chosen = &unit_.decryptors[i];
  }
  return *chosen;
}

void Bitslice::Encrypt(Job* const* longest_first, size_t count) {
  while (count > 0) {
    const DesEncryptor& lanes = unit_.encryptors[unit_.EncryptorFor(count)];
    size_t now = std::min(count, lanes.lanes);
    Encrypt(lanes, longest_first, now);
    longest_first += now;
    count -= now;
  }
}

void Bitslice::Encrypt(const DesEncryptor& lanes, Job* const* longest_first, size_t count) {
  size_t stages = Stages(*longest_first[0]);
  for (size_t i = 0; i < count; i++) {
    const Job& job = *longest_first[i];
    for (size_t stage = 0; stage < stages; stage++) {
      lane_keys_[stage * lanes.lanes + i] = job.keys->des->words[stage];
    }
    std::memcpy(before_ + i, job.iv, kBlock);
  }
  lanes.set_keys(lane_keys_, stages, keys_);
  lanes.begin(before_, chain_);

  size_t at[kDesChunk];
  std::copy_n(lanes.step_at, kDesChunk, at);
  size_t steps = Blocks(*longest_first[0]);
  size_t active = count;
  for (size_t from = 0; from < steps; from += kDesChunk) {
    while (Blocks(*longest_first[active - 1]) <= from) active--;
    auto each = [&](auto copy) {
      for (size_t i = 0; i < active; i++) {
        const Job& job = *longest_first[i];
        uint64_t* lane = blocks_ + i / lanes.groups * lanes.stride + i % lanes.groups;
        uint8_t* text = job.text + from * kBlock;
        if (size_t left = Blocks(job) - from; left < kDesChunk) {
          for (size_t step = 0; step < left; step++) copy(lane + at[step], text + step * kBlock);
        } else {
#pragma GCC unroll 8
          for (size_t step = 0; step < kDesChunk; step++) copy(lane + at[step], text + step * kBlock);
        }
      }
    };
    each([](uint64_t* block, uint8_t* text) { std::memcpy(block, text, kBlock); });
    lanes.encrypt(blocks_, std::min(kDesChunk, steps - from), stages, keys_, chain_);
    each([](uint64_t* block, uint8_t* text) { std::memcpy(text, block, kBlock); });
  }
  for (size_t i = 0; i < count; i++) longest_first[i]->done = true;
}

}  // namespace floatgate
