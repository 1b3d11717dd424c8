// Copying and sums of super-segments.

#include "segments.h"

#include <algorithm>
#include <cstring>

#include "checksum.h"
#include "napi.h"

namespace floatgate {
namespace {

constexpr uint32_t kIpHeader = 20;
constexpr uint8_t kTcp = 6;
constexpr uint8_t kUdp = 17;

// Where the checksum of a transport protocol lies in its header.
uint32_t ChecksumPlace(uint8_t protocol) { return protocol == kTcp ? 16 : 6; }

uint32_t HeaderLength(const uint8_t* packet) { return (packet[0] & 0x0fu) * 4; }

void Put(uint8_t* at, uint16_t sum) { std::memcpy(at, &sum, sizeof sum); }

// Copies rows of `into`, which the caller has made, out of row `row` of `from`: each gets the first `header`
// bytes and then the next part of what follows them, from byte `at` on.
napi_value CopySegments(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const uint32_t row = args.U32(1);
  const uint32_t header = args.U32(2);
  uint32_t at = args.U32(3);
  const uint32_t first = args.U32(5);
  const uint32_t count = args.U32(6);
  if (!args.ok()) return nullptr;
  const BatchView* from = UnwrapBatch(env, args.Value(0));
  if (from == nullptr) return nullptr;
  const BatchView* into = UnwrapBatch(env, args.Value(4));
  if (into == nullptr) return nullptr;
  if (row >= kBatchCapacity || count > kBatchCapacity || first > kBatchCapacity - count)
    return ThrowType(env, "no such rows");
  if (!from->InBounds(row) || header > at || at > from->length[row])
    return ThrowType(env, "argument 4 must lie in the packet");
  const uint8_t* packet = from->Packet(row);
  for (uint32_t i = first; i < first + count; i++) {
    if (!into->InBounds(i) || into->length[i] < header || into->length[i] - header > from->length[row] - at)
      return ThrowType(env, "a row is longer than what is left");
    const uint32_t part = into->length[i] - header;
    std::memcpy(into->Packet(i), packet, header);
    std::memcpy(into->Packet(i) + header, packet + at, part);
    at += part;
  }
  return Undefined(env);
}

// Sets the header checksum and that of the TCP or UDP segment in `count` rows, each a whole IPv4 packet.
napi_value SumSegments(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const uint32_t first = args.U32(1);
  const uint32_t count = args.U32(2);
  if (!args.ok()) return nullptr;
  const BatchView* batch = UnwrapBatch(env, args.Value(0));
  if (batch == nullptr) return nullptr;
  if (count > kBatchCapacity || first > kBatchCapacity - count) return ThrowType(env, "no such rows");
  for (uint32_t i = first; i < first + count; i++) {
    const uint32_t length = batch->length[i];
    if (!batch->InBounds(i) || length < kIpHeader) continue;
    uint8_t* packet = batch->Packet(i);
    const uint32_t header = HeaderLength(packet);
    const uint8_t protocol = packet[9];
    const uint32_t place = header + ChecksumPlace(protocol);
    if (header < kIpHeader || place + 2 > length) continue;
    Put(packet + 10, 0);
    Put(packet + 10, static_cast<uint16_t>(~FoldSum(SumBytes(packet, header))));
    Put(packet + place, 0);
    const uint64_t sum =
        SumPseudoHeader(packet, protocol, length - header) + SumBytes(packet + header, length - header);
    const uint16_t check = static_cast<uint16_t>(~FoldSum(sum));
    // To UDP a checksum of 0 is none at all (RFC 768).
    Put(packet + place, check == 0 && protocol == kUdp ? 0xffff : check);
  }
  return Undefined(env);
}

}  // namespace

bool HasRightChecksums(const uint8_t* packet, uint32_t length) {
  if (length < kIpHeader) return false;
  const uint32_t header = HeaderLength(packet);
  if (header < kIpHeader || header > length) return false;
  if (FoldSum(SumBytes(packet, header)) != 0xffff) return false;
  const uint64_t sum =
      SumPseudoHeader(packet, packet[9], length - header) + SumBytes(packet + header, length - header);
  return FoldSum(sum) == 0xffff;
}

napi_status RegisterSegments(napi_env env, napi_value exports) {
  return Define(env, exports, {{"copySegments", CopySegments}, {"sumSegments", SumSegments}});
}

}  // namespace floatgate
