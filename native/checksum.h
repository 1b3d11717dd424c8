// The Internet checksum (RFC 1071) over whole packets: arithmetic on one's-complement sums in the machine's own
// byte order, which come to the same when their bytes are exchanged at the end.
#pragma once

#include <cstdint>

namespace floatgate {

// The unfolded sum of `length` bytes, an odd last one padded with zero, in the machine's byte order.
uint64_t SumBytes(const uint8_t* bytes, uint32_t length);

// The sum folded to 16 bits, in the machine's byte order: as a checksum field holds it.
inline uint16_t FoldSum(uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffffffff) + (sum >> 32);
  uint32_t half = static_cast<uint32_t>(sum & 0xffff) + static_cast<uint32_t>(sum >> 16);
  half = (half & 0xffff) + (half >> 16);
  return static_cast<uint16_t>(half + (half >> 16));
}

// The part of a TCP or UDP checksum that the pseudo-header of an IPv4 packet gives (RFC 9293 section 3.1).
uint64_t SumPseudoHeader(const uint8_t* ip, uint8_t protocol, uint32_t transport_length);

}  // namespace floatgate
