// The batch as native code sees it: a mirror of src/packet/batch.ts and src/packet/verdict.ts.
#pragma once

#include <node_api.h>

#include <cstddef>
#include <cstdint>

#include "napi.h"

namespace floatgate {

inline constexpr uint32_t kBatchCapacity = 512;
// What is received at a time: it stays in the processor's nearer caches.
inline constexpr uint32_t kNearCapacity = 64;
// No power of two, or the same part of each slot would contend for the same few lines of the processor's caches.
inline constexpr uint32_t kSlotSize = 2112;
inline constexpr uint32_t kHeadroom = 64;
inline constexpr uint32_t kTailroom = 64;
inline constexpr uint32_t kMaxPacket = kSlotSize - kHeadroom - kTailroom;

// Byte offsets of the columns in the ArrayBuffer: first the 32-bit columns, then the one of 16 bits and those of 8, then
// the packets.
inline constexpr uint32_t kOffsetColumn = 0;
inline constexpr uint32_t kLengthColumn = 2112;
inline constexpr uint32_t kPeerColumn = 4224;
inline constexpr uint32_t kSessionColumn = 6336;
inline constexpr uint32_t kSaColumn = 8448;
inline constexpr uint32_t kAddressColumn = 10560;
inline constexpr uint32_t kPortColumn = 12672;
inline constexpr uint32_t kLocalColumn = 14784;
inline constexpr uint32_t kSegmentColumn = 16896;
inline constexpr uint32_t kNextColumn = 19008;
inline constexpr uint32_t kProtocolColumn = 20096;
inline constexpr uint32_t kVerdictColumn = 20672;
inline constexpr uint32_t kReasonColumn = 21248;
inline constexpr uint32_t kBytesStart = 24576;
inline constexpr uint32_t kBytesSize = kBatchCapacity * kSlotSize;
inline constexpr uint32_t kBatchSize = kBytesStart + kBytesSize;
// What a batch may have more than its slots: room behind them for super-segments out of a TUN device, or
// places for coalesced datagrams instead of them.
inline constexpr uint32_t kCoalescedStride = 65536 + kSlotSize;
inline constexpr uint32_t kCoalescedRoom = kBatchCapacity * kCoalescedStride;

enum class Verdict : uint8_t { Forward = 0, Punt = 1, Drop = 2 };

enum class DropReason : uint8_t {
  None = 0,
  Truncated = 1,
  Keepalive = 2,
  UnknownSpi = 3,
  BadIcv = 4,
  Replayed = 5,
  BadPadding = 6,
  LifetimeExpired = 7,
  NotL2tp = 8,
  BadL2tp = 9,
  UnknownSession = 10,
  BadPpp = 11,
  BadIp = 12,
  Spoofed = 13,
  Policy = 14,
  NoRoute = 15,
  NoSa = 16,
  TooBig = 17,
  SendFailed = 18,
  FlowTableFull = 19,
  PuntLimit = 20,
  SessionLimit = 21,
  Overload = 22,
};

enum class PuntReason : uint8_t {
  None = 0,
  Ike = 1,
  L2tpControl = 2,
  PppControl = 3,
  UnknownSession = 4,
  Dhcp = 5,
};

// What was received into a batch and found no row yet (datagram.h).
struct Arrivals;

// The columns of one attached batch. JavaScript owns the memory; `buffer` keeps it alive as long as the view.
// An ArrayBuffer that is attached must never be transferred to another thread.
struct BatchView {
  static constexpr uint32_t kMagic = 0x62617463;  // "batc"
  uint32_t magic = kMagic;

  uint32_t* offset = nullptr;
  uint32_t* length = nullptr;
  uint32_t* peer = nullptr;
  uint32_t* session = nullptr;
  uint32_t* sa = nullptr;
  uint32_t* address = nullptr;
  uint32_t* port = nullptr;
  uint32_t* local = nullptr;
  uint8_t* protocol = nullptr;
  uint8_t* verdict = nullptr;
  uint8_t* reason = nullptr;
  uint16_t* next = nullptr;
  uint32_t* segment = nullptr;
  uint8_t* bytes = nullptr;  // every offset counts from here
  uint32_t size = 0;         // how many bytes: kBytesSize or more
  Arrivals* arrivals = nullptr;  // in a batch of kCoalescedRoom

  napi_ref buffer = nullptr;

  // Has the columns lie in this memory, with so many bytes for packets behind them.
  void LieIn(uint8_t* start, uint32_t packets_size) {
    auto column32 = [start](uint32_t at) { return reinterpret_cast<uint32_t*>(start + at); };
    offset = column32(kOffsetColumn);
    length = column32(kLengthColumn);
    peer = column32(kPeerColumn);
    session = column32(kSessionColumn);
    sa = column32(kSaColumn);
    address = column32(kAddressColumn);
    port = column32(kPortColumn);
    local = column32(kLocalColumn);
    protocol = start + kProtocolColumn;
    verdict = start + kVerdictColumn;
    reason = start + kReasonColumn;
    next = reinterpret_cast<uint16_t*>(start + kNextColumn);
    segment = column32(kSegmentColumn);
    bytes = start + kBytesStart;
    size = packets_size;
  }

  bool Forwards(uint32_t row) const { return verdict[row] == static_cast<uint8_t>(Verdict::Forward); }

  // Whether the row's packet lies wholly inside the batch's memory: columns come from JavaScript and are not
  // trusted.
  bool InBounds(uint32_t row) const {
    return offset[row] <= size && length[row] <= size - offset[row];
  }

  uint8_t* Packet(uint32_t row) const { return bytes + offset[row]; }

  void Drop(uint32_t row, DropReason why) const {
    verdict[row] = static_cast<uint8_t>(Verdict::Drop);
    reason[row] = static_cast<uint8_t>(why);
  }

  void Punt(uint32_t row, PuntReason why) const {
    verdict[row] = static_cast<uint8_t>(Verdict::Punt);
    reason[row] = static_cast<uint8_t>(why);
  }

  // Makes a fresh row: a packet to be forwarded, all other columns zero.
  void MakeRow(uint32_t row, uint32_t packet_offset, uint32_t packet_length) const {
    offset[row] = packet_offset;
    length[row] = packet_length;
    peer[row] = 0;
    session[row] = 0;
    sa[row] = 0;
    address[row] = 0;
    port[row] = 0;
    local[row] = 0;
    protocol[row] = 0;
    verdict[row] = static_cast<uint8_t>(Verdict::Forward);
    reason[row] = 0;
    next[row] = 0;
    segment[row] = 0;
  }
};

// The view behind a value that attach() answered; throws a TypeError and answers nullptr for anything else.
inline BatchView* UnwrapBatch(napi_env env, napi_value value) {
  return Unwrap<BatchView>(env, value, "batch");
}

napi_status RegisterBatch(napi_env env, napi_value exports);

}  // namespace floatgate
