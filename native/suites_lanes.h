// Blocks of any packets in lanes side by side, for decryption by CBC, which is parallel inside a packet.
#pragma once

#include <algorithm>
#include <cstring>

#include "suites.h"

namespace floatgate {

// Blocks of one packet in neighbouring lanes.
struct Piece {
  const Keys* keys;
  uint8_t* text;
  size_t lane;
  size_t count;
};

// Decrypts jobs of one cipher. `lanes_for(left)` says how many lanes to fill with so many blocks left; `decrypt(pieces,
// count, one_key)` is for what is then in `blocks`. `before` has what each block is XORed with: the block before it, or an IV.
template <class LanesFor, class Decrypt>
void DecryptInLanes(Job* const* jobs, size_t count, uint64_t* __restrict blocks, uint64_t* __restrict before,
                    LanesFor lanes_for, Decrypt decrypt) {
  constexpr size_t kBlock = 8;
  auto blocks_of = [](const Job& job) { return job.text_length / kBlock; };
  size_t left = 0;
  for (size_t i = 0; i < count; i++) left += blocks_of(*jobs[i]);

  size_t next = 0;          // the job whose turn it is,
  size_t done = 0;          // its blocks that are decrypted,
  uint64_t last_block = 0;  // and the last of them as it arrived
  while (left > 0) {
    size_t lanes = lanes_for(left);
    Piece pieces[kBatchCapacity];
    pieces[0] = {};
    size_t piece_count = 0, used = 0;
    bool one_key = true;
    while (used < lanes && next < count) {
      const Job& job = *jobs[next];
      size_t now = std::min(lanes - used, blocks_of(job) - done);
      uint8_t* text = job.text + done * kBlock;
      std::memcpy(blocks + used, text, now * kBlock);
      if (now > 0) {
        std::memcpy(before + used, done == 0 ? static_cast<const void*>(job.iv) : &last_block, kBlock);
        std::memcpy(before + used + 1, text, (now - 1) * kBlock);
        std::memcpy(&last_block, text + (now - 1) * kBlock, kBlock);
        pieces[piece_count++] = {job.keys, text, used, now};
        one_key = one_key && job.keys == pieces[0].keys;
        used += now;
        done += now;
      }
      if (done == blocks_of(job)) {
        next++;
        done = 0;
      }
    }
    decrypt(pieces, piece_count, one_key);
    // By lines of the cache, so that the compiler takes vectors; lanes without a block do no harm.
    for (size_t i = 0; i < used; i += 8) {
#pragma GCC unroll 8
      for (size_t k = 0; k < 8; k++) blocks[i + k] ^= before[i + k];
    }
    for (size_t i = 0; i < piece_count; i++) {
      std::memcpy(pieces[i].text, blocks + pieces[i].lane, pieces[i].count * kBlock);
    }
    left -= used;
  }
  for (size_t i = 0; i < count; i++) jobs[i]->done = true;
}

}  // namespace floatgate
