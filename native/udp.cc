// UDP sockets, and sending of ESP packets: in UDP (RFC 3948) and bare (RFC 4303).

#include "udp.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "batch.h"
#include "datagram.h"
#include "napi.h"

namespace floatgate {
namespace {

napi_value UdpSocket(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const uint32_t address = args.U32(0);
  const uint32_t port = args.U32(1);
  const bool reuse_port = args.Bool(2);
  if (!args.ok()) return nullptr;
  if (port > 0xffff) return ThrowType(env, "argument 2 must be a port");

  OwnedFd fd(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return ThrowErrno(env, errno, "socket");
  const int on = 1;
  if (reuse_port && setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) {
    return ThrowErrno(env, errno, "setsockopt");
  }
  if (int error = SetDatagramOptions(fd.get()); error != 0) return ThrowErrno(env, error, "setsockopt");

  sockaddr_in near = {};
  near.sin_family = AF_INET;
  near.sin_port = htons(static_cast<uint16_t>(port));
  near.sin_addr.s_addr = htonl(address);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&near), sizeof near) < 0) {
    return ThrowErrno(env, errno, "bind");
  }
  return MakeI32(env, fd.Release());
}

// Asks for coalesced datagrams, and whether the kernel would cut up what is sent: kernels since 5.0 and 4.18.
napi_value CoalesceUdp(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int fd = args.I32(0);
  if (!args.ok()) return nullptr;
  const int on = 1;
  const int none = 0;
  napi_value able = MakeObject(env);
  Set(env, able, "gro", MakeBool(env, setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof on) == 0));
  Set(env, able, "gso", MakeBool(env, setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &none, sizeof none) == 0));
  return able;
}

napi_value ReceiveUdp(napi_env env, napi_callback_info info) {
  Args args(env, info, 4);
  const int fd = args.I32(0);
  const uint32_t from = args.U32(2);
  const uint32_t most = args.count() > 3 ? args.U32(3) : kNearCapacity;
  if (!args.ok()) return nullptr;
  const BatchView* batch = UnwrapBatch(env, args.Value(1));
  if (batch == nullptr) return nullptr;
  const int count = batch->arrivals != nullptr ? ReceiveCoalesced(fd, *batch, from, most)
                                               : ReceiveDatagrams(fd, *batch, from, 0, most);
  if (count < 0) return ThrowErrno(env, -count, "recvmmsg");
  return MakeI32(env, count);
}

// How full the receive buffer is, in parts of 65,536.
napi_value ReceiveFill(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int fd = args.I32(0);
  if (!args.ok()) return nullptr;
  uint32_t memory[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof memory;
  if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size) < 0) return ThrowErrno(env, errno, "getsockopt");
  const uint64_t used = memory[SK_MEMINFO_RMEM_ALLOC];
  const uint32_t room = std::max(1u, memory[SK_MEMINFO_RCVBUF]);
  return MakeU32(env, static_cast<uint32_t>(std::min<uint64_t>(used * 65536 / room, 65536)));
}

napi_value ReceiveOne(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int fd = args.I32(0);
  const ByteSpan bytes = args.Bytes(1);
  if (!args.ok()) return nullptr;
  Way way = {};
  size_t size = 0;
  uint32_t segment = 0;
  const int error = ReceiveMessage(fd, {bytes.data, bytes.size}, &way, &size, &segment);
  if (error == EAGAIN) return Undefined(env);
  if (error != 0) return ThrowErrno(env, error, "recvmsg");
  napi_value datagram = MakeObject(env);
  Set(env, datagram, "length", MakeU32(env, static_cast<uint32_t>(size)));
  Set(env, datagram, "segment", MakeU32(env, segment));
  Set(env, datagram, "address", MakeU32(env, way.address));
  Set(env, datagram, "port", MakeU32(env, way.port));
  Set(env, datagram, "local", MakeU32(env, way.local));
  return datagram;
}

// The rows that leave by one socket. Where it is to segment, rows for the same place go as one message, a train,
// which the kernel cuts up after it has found the way once (UDP_SEGMENT): all of one length, but the last that may be
// shorter. Rows for other places may lie between them; the order for each place stays.
class Departure {
 public:
  Departure(const BatchView& batch, bool segmenting) : batch_(batch), segmenting_(segmenting) {}

  void Add(uint32_t row) { added_[count_++] = row; }

  // Answers how many rows the kernel took. sendmmsg stops at the first message that fails: it answers how
  // many it sent before, and tells the error only when called with the failed message first.
  // 1. Send what is left. 2. If the socket's buffer is full, wait a moment, but no more than kWaits times a
  // batch; then give up the rest. 3. If a message of several rows fails (the path may be too narrow for its
  // segments, or the device unable to check-sum them), go on from there with one row a message. 4. On any
  // other error try that message once more (the error may be an earlier packet's, told late), then give up
  // its row alone.
  uint32_t Send(int fd) {
    uint32_t next = 0;
    uint32_t dropped = 0;
    int waits = 0;
    bool tried = false;
    MakeTrains();
    TakePlaces();
    Compose(0);
    while (next < messages_) {
      const int taken = sendmmsg(fd, headers_ + next, messages_ - next, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (taken > 0) {
        next += static_cast<uint32_t>(taken);
        tried = false;
      } else if (taken < 0 && errno == EINTR) {
        continue;
      } else if (taken < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
        if (waits++ == kWaits) break;
        pollfd writable = {fd, POLLOUT, 0};
        poll(&writable, 1, kWaitMilliseconds);
      } else if (first_[next + 1] - first_[next] > 1) {
        segmenting_ = false;
        Compose(first_[next]);
        next = 0;
        tried = false;
      } else if (!tried) {
        tried = true;
      } else {
        batch_.Drop(rows_[first_[next++]], DropReason::SendFailed);
        dropped++;
        tried = false;
      }
    }
    for (uint32_t i = first_[next]; i < count_; i++, dropped++) batch_.Drop(rows_[i], DropReason::SendFailed);
    return count_ - dropped;
  }

 private:
  static constexpr int kWaits = 3;
  static constexpr int kWaitMilliseconds = 1;
  // An Ethernet frame's worth: a longer packet would need fragmenting, and the kernel does not fragment
  // segments.
  static constexpr uint32_t kMaxSegment = 1500 - 28;
  // Linux's own UDP_MAX_SEGMENTS: a message of more is refused.
  static constexpr uint32_t kMaxSegments = 64;
  // UDP's length field, less the headers, bounds the whole message.
  static constexpr uint32_t kMaxMessage = 65535 - 28;
  // For the latest train to each place: twice as many as there can be. A power of two.
  static constexpr uint32_t kSlotsLog2 = 10;
  static constexpr uint32_t kSlots = 1u << kSlotsLog2;
  static_assert(kSlots >= 2 * kBatchCapacity);

  struct Train {
    // In the order in which rows were added.
    uint32_t head;
    uint32_t last;
    uint32_t cars;
    uint32_t segment;
    uint32_t total;
    bool open;
  };

  bool SamePlace(uint32_t row, uint32_t other) const {
    return batch_.address[row] == batch_.address[other] && batch_.port[row] == batch_.port[other] &&
           batch_.local[row] == batch_.local[other];
  }

  // The slot of the latest train to where the row goes, or the free one for it.
  uint32_t Find(const uint16_t* slots, uint32_t row) const {
    const uint32_t mixed = (batch_.address[row] ^ (batch_.port[row] << 13) ^ batch_.local[row]) * 0x9e3779b1u;
    uint32_t slot = mixed >> (32 - kSlotsLog2);
    while (slots[slot] != 0 && !SamePlace(added_[trains_[slots[slot] - 1].head], row)) slot = (slot + 1) % kSlots;
    return slot;
  }

  // Couples rows, each to the latest train to the same place where that is open for it; else it begins another one.
  void MakeTrains() {
    uint16_t slots[kSlots];
    if (segmenting_ && count_ > 1) std::memset(slots, 0, sizeof slots);
    uint32_t slot = 0;
    for (uint32_t i = 0; i < count_; i++) {
      const uint32_t row = added_[i];
      if (segmenting_ && count_ > 1) {
        // Most often it is the neighbour's.
        if (i == 0 || !SamePlace(added_[i - 1], row)) slot = Find(slots, row);
        if (slots[slot] != 0 && Couple(&trains_[slots[slot] - 1], i)) continue;
        slots[slot] = static_cast<uint16_t>(messages_ + 1);
      }
      const uint32_t length = batch_.length[row];
      trains_[messages_++] = {i, i, 1, length, length, length != 0 && length <= kMaxSegment};
    }
  }

  bool Couple(Train* train, uint32_t i) {
    const uint32_t length = batch_.length[added_[i]];
    if (!train->open || length == 0 || length > train->segment || length > kMaxMessage - train->total) return false;
    behind_[train->last] = static_cast<uint16_t>(i);
    train->last = i;
    train->cars++;
    train->total += length;
    train->open = length == train->segment && train->cars < kMaxSegments;
    return true;
  }

  // Puts the rows of each train side by side: train m has the places first_[m] up to first_[m + 1].
  void TakePlaces() {
    uint32_t place = 0;
    for (uint32_t m = 0; m < messages_; m++) {
      first_[m] = place;
      for (uint32_t i = trains_[m].head, left = trains_[m].cars; left > 0; i = behind_[i], left--) {
        rows_[place] = added_[i];
        bytes_[place++] = {batch_.Packet(added_[i]), batch_.length[added_[i]]};
      }
    }
    first_[messages_] = place;
  }

  // Makes messages of the rows from place `from` on: of each train, or, where nothing is to be segmented, of each row.
  void Compose(uint32_t from) {
    if (!segmenting_) {
      messages_ = count_ - from;
      for (uint32_t m = 0; m <= messages_; m++) first_[m] = from + m;
    }
    for (uint32_t m = 0; m < messages_; m++) {
      const uint32_t i = first_[m];
      const uint32_t rows = first_[m + 1] - i;
      const uint32_t row = rows_[i];
      datagrams_[m].PrepareSend(&headers_[m].msg_hdr, {&bytes_[i], rows},
                                rows > 1 ? static_cast<uint16_t>(bytes_[i].iov_len) : 0,
                                {batch_.local[row], batch_.address[row], static_cast<uint16_t>(batch_.port[row])});
    }
  }

  const BatchView& batch_;
  bool segmenting_;
  // By the order in which rows were added.
  uint32_t count_ = 0;
  uint32_t added_[kBatchCapacity];
  uint16_t behind_[kBatchCapacity];
  // By place.
  uint32_t rows_[kBatchCapacity];
  iovec bytes_[kBatchCapacity];
  // By message.
  uint32_t messages_ = 0;
  Train trains_[kBatchCapacity];
  uint32_t first_[kBatchCapacity + 1];
  mmsghdr headers_[kBatchCapacity];
  Datagram datagrams_[kBatchCapacity];
};

napi_value SendEsp(napi_env env, napi_callback_info info) {
  Args args(env, info, 5);
  const int udp_fd = args.I32(0);
  const int raw_fd = args.I32(1);
  const uint32_t count = args.U32(3);
  const bool apart = args.count() > 4 && args.Bool(4);
  if (!args.ok()) return nullptr;
  const BatchView* batch = UnwrapBatch(env, args.Value(2));
  if (batch == nullptr) return nullptr;
  if (count > kBatchCapacity) return ThrowType(env, "argument 4 must be a batch's count");

  Departure in_udp(*batch, !apart);
  Departure bare(*batch, false);
  for (uint32_t row = 0; row < count; row++) {
    if (!batch->Forwards(row)) continue;
    // To Linux the address 0 means this very host.
    if (!batch->InBounds(row) || batch->address[row] == 0 || batch->port[row] > 0xffff) {
      batch->Drop(row, DropReason::SendFailed);
    } else if (batch->port[row] == 0) {
      bare.Add(row);
    } else {
      in_udp.Add(row);
    }
  }
  return MakeU32(env, in_udp.Send(udp_fd) + bare.Send(raw_fd));
}

napi_value SendTo(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int fd = args.I32(0);
  const uint32_t local = args.U32(1);
  const uint32_t address = args.U32(2);
  const uint32_t port = args.U32(3);
  const ByteSpan bytes = args.Bytes(4);
  if (!args.ok()) return nullptr;
  if (port > 0xffff) return ThrowType(env, "argument 4 must be a port");

  iovec content = {bytes.data, bytes.size};
  Datagram datagram;
  msghdr header;
  datagram.PrepareSend(&header, {&content, 1}, 0, {local, address, static_cast<uint16_t>(port)});
  bool tried = false;
  for (;;) {
    if (sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return MakeBool(env, true);
    if (errno == EINTR) continue;
    if (errno == EAGAIN || errno == ENOBUFS) return MakeBool(env, false);
    // The error may be an earlier packet's, told late.
    if (tried || !IsPassingError(errno)) return ThrowErrno(env, errno, "sendmsg");
    tried = true;
  }
}

}  // namespace

napi_status RegisterUdp(napi_env env, napi_value exports) {
  return Define(
      env, exports,
      {{"udpSocket", UdpSocket},
       {"coalesceUdp", CoalesceUdp},
       {"receiveUdp", ReceiveUdp},
       {"receiveFill", ReceiveFill},
       {"receiveOne", ReceiveOne},
       {"sendEsp", SendEsp},
       {"sendTo", SendTo}});
}

}  // namespace floatgate
