// Super-segments at a TUN device whose queues have headers: one system call for what the kernel cuts, or has
// merged.

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "batch.h"
#include "checksum.h"
#include "napi.h"
#include "segments.h"
#include "tun.h"

namespace floatgate {
namespace {

// The largest packet that the driver hands over: 64 kB.
constexpr uint32_t kMaxSuper = 65536;
constexpr uint8_t kTcp = 6;
constexpr uint8_t kUdp = 17;
constexpr uint8_t kFinAndPush = 0x09;

// What stands before each packet of a device with offloads: struct virtio_net_hdr of <linux/virtio_net.h>,
// which no C++ compiler takes.
struct OffloadHeader {
  static constexpr uint8_t kNeedsChecksum = 1;
  static constexpr uint8_t kNone = 0, kTcp4 = 1, kUdp4 = 5;
  uint8_t flags;
  uint8_t gso_type;
  uint16_t hdr_len;
  uint16_t gso_size;
  uint16_t csum_start;
  uint16_t csum_offset;
};
static_assert(sizeof(OffloadHeader) == 10);

// Writes the checksum whose pseudo-header's part lies in its field already.
void CompleteChecksum(const OffloadHeader& header, uint8_t* packet, uint32_t length) {
  const uint32_t start = header.csum_start;
  const uint32_t place = start + header.csum_offset;
  if (start >= length || place + 2 > length) return;
  const uint16_t check = static_cast<uint16_t>(~FoldSum(SumBytes(packet + start, length - start)));
  const uint16_t written = check == 0 ? 0xffff : check;
  std::memcpy(packet + place, &written, sizeof written);
}

// 1. The header, a slot's worth, and what does not fit into the slot: one call reads all three.
// 2. An ordinary packet stays in its slot; its checksum is completed where the host left that to the device.
// 3. A super-segment's first part moves from the slot to before the rest: there it is in one piece.
// Super-segments take no more memory than so many slots, and a batch's reading room no more than all of them.
napi_value ReadSuper(napi_env env, napi_callback_info info) {
  Args args(env, info, 4);
  const int fd = args.I32(0);
  const uint32_t from = args.U32(2);
  const uint32_t to = std::min(args.U32(3), kBatchCapacity);
  if (!args.ok()) return nullptr;
  const BatchView* batch = UnwrapBatch(env, args.Value(1));
  if (batch == nullptr) return nullptr;
  if (batch->size < kBytesSize + kMaxSuper) return ThrowType(env, "the batch has no room for super-segments");

  uint32_t row = from;
  uint32_t rest = kBytesSize;
  const uint32_t end = std::min(batch->size, rest + std::max(kMaxSuper, to * kSlotSize));
  while (row < to && end - rest >= kMaxSuper) {
    const uint32_t start = row * kSlotSize + kHeadroom;
    OffloadHeader header;
    const iovec parts[] = {{&header, sizeof header},
                           {batch->bytes + start, kMaxPacket},
                           {batch->bytes + rest + kMaxPacket, kMaxSuper - kMaxPacket}};
    const ssize_t got = readv(fd, parts, 3);
    if (got < 0 && errno == EINTR) continue;
    if (got <= static_cast<ssize_t>(sizeof header)) {
      if (got < 0 && errno != EAGAIN && row == from) return ThrowErrno(env, errno, "readv");
      break;
    }
    const uint32_t length = static_cast<uint32_t>(got) - sizeof header;
    if (header.gso_type == OffloadHeader::kNone) {
      batch->MakeRow(row, start, std::min(length, kMaxPacket));
      if (length > kMaxPacket) {
        batch->Drop(row, DropReason::TooBig);
      } else if ((header.flags & OffloadHeader::kNeedsChecksum) != 0) {
        CompleteChecksum(header, batch->Packet(row), length);
      }
    } else {
      std::memcpy(batch->bytes + rest, batch->bytes + start, std::min(length, kMaxPacket));
      batch->MakeRow(row, rest, length);
      batch->segment[row] = header.gso_size;
      if (header.gso_size == 0) batch->Drop(row, DropReason::BadIp);
      rest = std::min(end, (rest + length + 63) & ~63u);
    }
    row++;
  }
  return MakeU32(env, row);
}

// A queue as one call writes to it. Where a thread polls it, it may hold as much as may wait: then that is
// waited for, once.
class Queue {
 public:
  explicit Queue(int fd) : fd_(fd) {}

  bool Write(const uint8_t* bytes, size_t length) {
    return Patiently([=, this] { return write(fd_, bytes, length); });
  }

  bool Write(const iovec* parts, int count) {
    return Patiently([=, this] { return writev(fd_, parts, count); });
  }

 private:
  static constexpr int kPatienceMillis = 20;

  template <typename Call>
  bool Patiently(Call call) {
    for (;;) {
      if (call() >= 0) return true;
      if (errno == EINTR) continue;
      if (errno != EAGAIN || waited_) return false;
      waited_ = true;
      pollfd writable = {.fd = fd_, .events = POLLOUT, .revents = 0};
      poll(&writable, 1, kPatienceMillis);
    }
  }

  const int fd_;
  bool waited_ = false;
};

// An ordinary packet. The header is put before it where there is room, as there is before all that came out
// of ESP: one piece costs the kernel less than two.
bool WriteBehindHeader(Queue& queue, const BatchView& batch, uint32_t row) {
  OffloadHeader none = {};
  uint8_t* packet = batch.Packet(row);
  if (batch.offset[row] < sizeof none) {
    const iovec parts[] = {{&none, sizeof none}, {packet, batch.length[row]}};
    return queue.Write(parts, 2);
  }
  uint8_t kept[sizeof none];
  std::memcpy(kept, packet - sizeof none, sizeof none);
  std::memcpy(packet - sizeof none, &none, sizeof none);
  const bool written = queue.Write(packet - sizeof none, sizeof none + batch.length[row]);
  std::memcpy(packet - sizeof none, kept, sizeof none);
  return written;
}

// A packet and those that go on where it ends, for one write.
class Train {
 public:
  Train(const BatchView& batch, uint32_t head) : batch_(batch), head_(head) {
    const uint8_t* packet = batch.Packet(head);
    ip_ = (packet[0] & 0x0fu) * 4u;
    protocol_ = packet[9];
    const uint32_t length = batch.length[head];
    const bool tcp = protocol_ == kTcp && ip_ + 20 <= length;
    if (ip_ >= 20 && (tcp || (protocol_ == kUdp && ip_ + 8 <= length)))
      headers_ = ip_ + (tcp ? (packet[ip_ + 12] >> 4) * 4u : 8u);
    if (headers_ >= length) headers_ = 0;
  }

  // Adds rows, from the one behind the head on, as long as their sums are right. Answers how many are in it.
  uint32_t Gather(uint32_t end) {
    total_ = batch_.length[head_];
    if (headers_ == 0 || !HasRightChecksums(batch_.Packet(head_), total_)) return cars_;
    for (uint32_t row = batch_.next[head_], last = head_; row > last && row < end; row = batch_.next[row]) {
      if (!batch_.Forwards(row) || !batch_.InBounds(row)) break;
      const uint32_t length = batch_.length[row];
      if (length <= headers_ || total_ + length - headers_ > 0xffff) break;
      if (!HasRightChecksums(batch_.Packet(row), length)) break;
      total_ += length - headers_;
      parts_[2 + cars_] = {batch_.Packet(row) + headers_, length - headers_};
      rows_[cars_++] = row;
      last = row;
    }
    return cars_;
  }

  uint32_t Row(uint32_t i) const { return rows_[i]; }

  // The header of the first packet with the length of all and the flags of the last; the checksum's field
  // holds the pseudo-header's part, as it does in what the kernel itself hands to a device that segments.
  bool Send(Queue& queue) {
    uint8_t copy[kMaxHeaders];
    if (headers_ > sizeof copy) return false;
    std::memcpy(copy, batch_.Packet(head_), headers_);
    PutWord(copy + 2, total_);
    PutSum(copy + 10, 0);
    PutSum(copy + 10, static_cast<uint16_t>(~FoldSum(SumBytes(copy, ip_))));
    uint8_t* transport = copy + ip_;
    const bool tcp = protocol_ == kTcp;
    if (tcp) {
      transport[13] |= batch_.Packet(rows_[cars_ - 1])[ip_ + 13] & kFinAndPush;
    } else {
      PutWord(transport + 4, total_ - ip_);
    }
    const uint16_t place = tcp ? 16 : 6;
    PutSum(transport + place, FoldSum(SumPseudoHeader(copy, protocol_, total_ - ip_)));
    const OffloadHeader header = {.flags = OffloadHeader::kNeedsChecksum,
                                  .gso_type = tcp ? OffloadHeader::kTcp4 : OffloadHeader::kUdp4,
                                  .hdr_len = static_cast<uint16_t>(headers_),
                                  .gso_size = static_cast<uint16_t>(batch_.length[head_] - headers_),
                                  .csum_start = static_cast<uint16_t>(ip_),
                                  .csum_offset = place};
    // The kernel wants the headers in one piece; where the payload lies does not matter.
    uint8_t front[sizeof header + kMaxHeaders];
    std::memcpy(front, &header, sizeof header);
    std::memcpy(front + sizeof header, copy, headers_);
    parts_[0] = {front, sizeof header + headers_};
    parts_[1] = {batch_.Packet(head_) + headers_, batch_.length[head_] - headers_};
    return queue.Write(parts_, static_cast<int>(2 + cars_));
  }

 private:
  static constexpr uint32_t kMaxHeaders = 120;

  static void PutSum(uint8_t* at, uint16_t sum) { std::memcpy(at, &sum, sizeof sum); }
  static void PutWord(uint8_t* at, uint32_t value) {
    at[0] = static_cast<uint8_t>(value >> 8);
    at[1] = static_cast<uint8_t>(value);
  }

  const BatchView& batch_;
  const uint32_t head_;
  uint32_t ip_ = 0;
  uint8_t protocol_ = 0;
  uint32_t headers_ = 0;
  uint32_t total_ = 0;
  // The packets behind the head.
  uint32_t cars_ = 0;
  uint32_t rows_[kBatchCapacity];
  iovec parts_[kBatchCapacity + 2];
};

napi_value WriteSuper(napi_env env, napi_callback_info info) {
  Args args(env, info, 3);
  const int fd = args.I32(0);
  const uint32_t count = args.U32(2);
  if (!args.ok()) return nullptr;
  const BatchView* batch = UnwrapBatch(env, args.Value(1));
  if (batch == nullptr) return nullptr;
  if (count > kBatchCapacity) return ThrowType(env, "argument 3 must be a batch's count");

  Queue queue(fd);
  uint32_t sent = 0;
  bool gone[kBatchCapacity];
  std::fill_n(gone, count, false);
  for (uint32_t row = 0; row < count; row++) {
    if (gone[row] || !batch->Forwards(row)) continue;
    if (!batch->InBounds(row)) {
      batch->Drop(row, DropReason::SendFailed);
      continue;
    }
    if (batch->next[row] != 0 && batch->length[row] >= 20) {
      Train train(*batch, row);
      const uint32_t cars = train.Gather(count);
      if (cars > 0 && train.Send(queue)) {
        sent += 1 + cars;
        for (uint32_t i = 0; i < cars; i++) gone[train.Row(i)] = true;
        continue;
      }
      // What the kernel refuses together goes alone: it is not gathered, and its sums are not looked at, again for each car.
      for (uint32_t i = 0; i < cars; i++) batch->next[train.Row(i)] = 0;
    }
    if (WriteBehindHeader(queue, *batch, row)) {
      sent++;
    } else {
      batch->Drop(row, DropReason::SendFailed);
    }
  }
  return MakeU32(env, sent);
}

}  // namespace

napi_status RegisterTunSuper(napi_env env, napi_value exports) {
  return Define(env, exports, {{"readSuper", ReadSuper}, {"writeSuper", WriteSuper}});
}

}  // namespace floatgate
