// DES and 3DES in bit slices (FIPS 46-3): vector registers hold one bit of many blocks each, and what a processor's
// wires do is done by naming registers. Every block has a lane, with a key of its own. Nothing here branches or
// addresses memory by a key or by data, so time tells nothing about either.
#pragma once

#include <cstddef>
#include <cstdint>

namespace floatgate {

inline constexpr size_t kDesMaxStages = 3;
inline constexpr size_t kDesMaxLanes = 512;
inline constexpr size_t kDesMaxChainLanes = 256;
// Blocks of each packet that encryption is given at once: a line of the processor's cache.
inline constexpr size_t kDesChunk = 8;

// How the keys of all lanes lie between calls: vectors, two a key bit; the bits' complements where a kernel's
// circuits ask for them.
struct alignas(64) DesKeyVectors {
  uint8_t bytes[kDesMaxStages * 112 * 64];
};

// One way to decrypt so many blocks at once. Words hold blocks and keys as they lie in memory.
struct DesDecryptor {
  size_t lanes;
  // From one key for all lanes: a word for each of `stages` DES keys.
  void (*share_key)(const uint64_t* key, size_t stages, DesKeyVectors& vectors);
  // From a key for each lane: `lanes` words for the first DES key, then those for the next. Destroys them.
  void (*set_keys)(uint64_t* keys, size_t stages, DesKeyVectors& vectors);
  // `lanes` blocks in place: D, or D E D with the last key first. 64-byte aligned.
  void (*decrypt)(uint64_t* blocks, size_t stages, const DesKeyVectors& vectors);
};

// One way to encrypt so many packets side by side by CBC, kDesChunk blocks of each a call.
struct DesEncryptor {
  size_t lanes;
  // Where the blocks stand: lane i begins at word i / groups * stride + i % groups, from where step_at counts.
  size_t groups, stride;
  size_t step_at[kDesChunk];
  // `lanes` words for each key, as above.
  void (*set_keys)(uint64_t* keys, size_t stages, DesKeyVectors& vectors);
  // A word of IV for each lane; fills `chain`.
  void (*begin)(const uint64_t* ivs, DesKeyVectors& chain);
  // The first `steps` blocks of each lane in place.
  void (*encrypt)(uint64_t* blocks, size_t steps, size_t stages, const DesKeyVectors& keys, DesKeyVectors& chain);
};

// What one instruction set offers; from the widest to the narrowest.
struct DesUnit {
  const char* name;
  const DesDecryptor* decryptors;
  size_t decryptor_count;
  const DesEncryptor* encryptors;
  size_t encryptor_count;

  // The widest of them, or the narrowest that holds so many packets or blocks.
  size_t EncryptorFor(size_t packets) const {
    size_t i = 0;
    while (i + 1 < encryptor_count && encryptors[i + 1].lanes >= packets) i++;
    return i;
  }
  size_t DecryptorFor(size_t blocks) const {
    size_t i = 0;
    while (i + 1 < decryptor_count && decryptors[i + 1].lanes >= blocks) i++;
    return i;
  }
};

// DES in bytes: registers hold six bits of each lane in a byte, and look them up in tables that are registers too.
inline constexpr size_t kDesShuffleMaxLanes = 64;

// Words of an SA's round keys. Each stage has one for the half that is read first, and one for each round: the key that
// the half it changes was kept with, XORed with the one that it will be read with. The last word takes the last key back.
constexpr size_t DesShuffleWords(size_t stages) { return 17 * stages + 1; }
inline constexpr size_t kDesShuffleSchedule = (DesShuffleWords(kDesMaxStages) + 7) / 8 * 8;
// The same in nibbles: a word for each round, of which four bytes are for what boxes read of their own, and four for what
// they read of their neighbours.
constexpr size_t DesNibbleWords(size_t stages) { return 16 * stages; }

// From the words of a key: `stages` DES keys, for EDE or backwards. Once for an SA.
using DesShuffleExpander = void(const uint64_t* key, size_t stages, bool encrypts, uint64_t (&schedule)[kDesShuffleSchedule]);
DesShuffleExpander DesShuffleExpand, DesNibbleExpand;

// Between calls: all lanes' round keys, and both halves of the last block. And room to work in.
struct alignas(64) DesShuffleState {
  uint8_t keys[DesShuffleWords(kDesMaxStages) * 8 * kDesShuffleMaxLanes];
  uint8_t chain[16 * kDesShuffleMaxLanes];
  uint64_t columns[kDesChunk * kDesShuffleMaxLanes];
};

// So many lanes: packets that are encrypted by CBC side by side, or blocks that are decrypted.
struct DesShuffleLanes {
  size_t lanes;
  // One schedule for all lanes, or one for each.
  void (*share_key)(const uint64_t* schedule, size_t stages, DesShuffleState& state);
  void (*set_keys)(const uint64_t* const* schedules, size_t stages, DesShuffleState& state);
  // A word of IV for each lane. 64-byte aligned.
  void (*begin)(const uint64_t* ivs, DesShuffleState& state);
  // The first `steps` of each lane's kDesChunk blocks, in place; all of them are read and written.
  void (*encrypt)(uint8_t* const* rows, size_t steps, size_t stages, DesShuffleState& state);
  // A block of each lane in place, without CBC. 64-byte aligned.
  void (*decrypt)(uint64_t* blocks, size_t stages, const DesShuffleState& state);
};

// What one instruction set offers; from the most lanes to the fewest.
struct DesShuffle {
  const char* name;
  const DesShuffleLanes* lanes;
  size_t count;
  DesShuffleExpander* expand;

  // The most of them, or the fewest that hold so much.
  size_t LanesFor(size_t packets_or_blocks) const {
    size_t i = 0;
    while (i + 1 < count && lanes[i + 1].lanes >= packets_or_blocks) i++;
    return i;
  }
};

// Each answers nullptr where this processor (or this build) has not the instructions.
const DesUnit* DesAvx512();
const DesUnit* DesAvx2();
const DesUnit* DesPortable();  // always there
const DesShuffle* DesVbmi();
const DesShuffle* DesShuffleAvx2();

}  // namespace floatgate
