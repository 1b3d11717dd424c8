// DES and 3DES in bit slices (FIPS 46-3): vector registers hold one bit of many blocks each, and what a processor's
// wires do is done by naming registers. Every block has a lane, with a key of its own. Nothing here branches or
// addresses memory by a key or by data, so time tells nothing about either.
#pragma once

#include <cstddef>
#include <cstdint>

namespace floatgate {

inline constexpr size_t kDesMaxStages = 3;
inline constexpr size_t kDesMaxLanes = 512;
inline constexpr size_t kDesChainLanes = 64;
inline constexpr size_t kDesMaxChunk = 8;

// How the keys of all lanes lie between calls: vectors, one a key bit; the bits' complements where a kernel's
// circuits ask for them.
struct alignas(64) DesKeyVectors {
  uint8_t bytes[kDesMaxStages * 64 * 64];
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

// CBC encryption of 64 packets side by side, `chunk` blocks of each a call.
struct DesEncryptor {
  size_t chunk;
  // kDesChainLanes words for each key, as above.
  void (*set_keys)(const uint64_t* keys, size_t stages, DesKeyVectors& vectors);
  // A word of IV for each lane; fills `chain`.
  void (*begin)(const uint64_t* ivs, DesKeyVectors& chain);
  // `chunk` blocks of packet 0, then of packet 1 ...; of each, `steps` blocks are encrypted in place.
  void (*encrypt)(uint64_t* blocks, size_t steps, size_t stages, const DesKeyVectors& keys, DesKeyVectors& chain);
};

// What one instruction set offers; decryptors from the widest to the narrowest.
struct DesUnit {
  const char* name;
  const DesDecryptor* decryptors;
  size_t decryptor_count;
  DesEncryptor encryptor;
};

inline constexpr size_t kDesShuffleLanes = 16;

// Between calls: all lanes' round keys, and both halves of the last block.
struct alignas(64) DesShuffleState {
  uint8_t keys[kDesMaxStages * 16 * 8 * kDesShuffleLanes];
  uint8_t chain[16 * kDesShuffleLanes];
};

// CBC encryption of 16 packets side by side in bytes, not bits.
struct DesShuffle {
  // `stages` * 16 words of round keys from the words of a key: once for an SA.
  void (*schedule)(const uint64_t* key, size_t stages, uint64_t* schedule);
  // A schedule and an IV for each lane.
  void (*begin)(const uint64_t* const* schedules, const uint64_t* ivs, size_t stages, DesShuffleState& state);
  // The next block of each lane, in place.
  void (*step)(uint64_t* blocks, size_t stages, DesShuffleState& state);
};

// Each answers nullptr where this processor (or this build) has not the instructions.
const DesUnit* DesAvx512();
const DesUnit* DesAvx2();
const DesUnit* DesPortable();  // always there
const DesShuffle* DesShuffleAvx2();

}  // namespace floatgate
