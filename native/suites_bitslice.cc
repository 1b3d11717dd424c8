// DES-CBC and 3DES-CBC in bit slices: decryption puts blocks of any packets side by side, encryption, where each block
// waits for the one before, packets.

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "suites_lanes.h"

namespace floatgate {
namespace {

constexpr size_t kBlock = 8;

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
  const DesDecryptor* lanes = nullptr;
  const Keys* shared = nullptr;  // whose key `shared_by` has in all lanes
  const DesDecryptor* shared_by = nullptr;
  auto lanes_for = [&](size_t left) {
    lanes = &unit_.decryptors[unit_.DecryptorFor(left)];
    return lanes->lanes;
  };
  DecryptInLanes(jobs, count, blocks_, before_, lanes_for, [&](const Piece* pieces, size_t piece_count, bool one_key) {
    const Keys* keys = pieces[0].keys;
    if (!one_key) {
      shared = nullptr;
      for (size_t i = 0; i < piece_count; i++) {
        const Piece& piece = pieces[i];
        for (size_t stage = 0; stage < stages; stage++) {
          std::fill_n(lane_keys_ + stage * lanes->lanes + piece.lane, piece.count, piece.keys->des->words[stage]);
        }
      }
      lanes->set_keys(lane_keys_, stages, keys_);
    } else if (keys != shared || lanes != shared_by) {
      lanes->share_key(keys->des->words, stages, keys_);
      shared = keys;
      shared_by = lanes;
    }
    lanes->decrypt(blocks_, stages, keys_);
  });
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
