// The Internet checksum over whole packets.

#include "checksum.h"

#include <arpa/inet.h>

#include <cstring>

namespace floatgate {
namespace {

uint32_t LoadWord(const uint8_t* at) {
  uint32_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

}  // namespace

// Words of 32 bits into four sums of 64, which cannot overflow: the compiler makes vectors of them.
uint64_t SumBytes(const uint8_t* bytes, uint32_t length) {
  uint64_t a = 0, b = 0, c = 0, d = 0;
  for (; length >= 16; bytes += 16, length -= 16) {
    a += LoadWord(bytes);
    b += LoadWord(bytes + 4);
    c += LoadWord(bytes + 8);
    d += LoadWord(bytes + 12);
  }
  for (; length >= 4; bytes += 4, length -= 4) a += LoadWord(bytes);
  if (length > 0) {
    uint8_t rest[4] = {};
    std::memcpy(rest, bytes, length);
    b += LoadWord(rest);
  }
  return a + b + c + d;
}

uint64_t SumPseudoHeader(const uint8_t* ip, uint8_t protocol, uint32_t transport_length) {
  return SumBytes(ip + 12, 8) + htons(protocol) + htons(static_cast<uint16_t>(transport_length));
}

}  // namespace floatgate
