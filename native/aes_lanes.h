// AES-CBC by the processor's AES instructions (FIPS 197, SP 800-38A section 6.2): packets to encrypt go side by side, for each of
// their blocks waits for the one before; blocks to decrypt wait for none. Nothing here branches or addresses memory by a key or by data.
#pragma once

#include <cstddef>
#include <cstdint>

namespace floatgate {

inline constexpr size_t kAesBlock = 16;
inline constexpr size_t kAesMaxKeys = 15;
inline constexpr size_t kAesMaxLanes = 16;

// What encryption knows of each lane: its round keys, and the block that the next one is combined with.
struct AesState {
  alignas(64) uint8_t keys[kAesMaxKeys][kAesMaxLanes][kAesBlock];
  alignas(64) uint8_t chain[kAesMaxLanes][kAesBlock];
};

// One way to encrypt so many packets side by side: as many blocks of each in place, where `texts[lane]` points. Lanes beyond it lie idle.
struct AesEncryptor {
  size_t lanes;
  // By the number of rounds: 10, 12, 14.
  void (*encrypt[3])(AesState& state, uint8_t* const* texts, size_t blocks);
};

struct AesUnit {
  const char* name;
  const AesEncryptor* encryptors;  // from the widest to the narrowest
  size_t encryptor_count;
  // So many blocks of one packet in place, with the round keys in the order in which decryption wants them.
  void (*decrypt[3])(const uint8_t* keys, const uint8_t* iv, uint8_t* text, size_t blocks);

  // The widest of them, or the narrowest that holds so many packets.
  const AesEncryptor& EncryptorFor(size_t packets) const {
    size_t i = 0;
    while (i + 1 < encryptor_count && encryptors[i + 1].lanes >= packets) i++;
    return encryptors[i];
  }
};

// Nothing where the processor has not the instructions. The first encrypts as the second does: more at a time is no faster.
const AesUnit* AesVaes512();
const AesUnit* AesVaes();
const AesUnit* AesNi();

}  // namespace floatgate
