// What UDP and raw sockets have in common.

#include "datagram.h"

#include <arpa/inet.h>
#include <netinet/udp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace floatgate {
namespace {

constexpr int kSocketBuffer = 4 << 20;

// The destination address in the header of a received packet, or 0.
uint32_t LocalAddress(msghdr* header) {
  for (cmsghdr* c = CMSG_FIRSTHDR(header); c != nullptr; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
      in_pktinfo info;
      std::memcpy(&info, CMSG_DATA(c), sizeof info);
      return ntohl(info.ipi_addr.s_addr);
    }
  }
  return 0;
}

// How long each datagram of a coalesced message is, or 0 where the message is one datagram.
uint32_t SegmentSize(msghdr* header) {
  for (cmsghdr* c = CMSG_FIRSTHDR(header); c != nullptr; c = CMSG_NXTHDR(header, c)) {
    if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
      int size = 0;
      std::memcpy(&size, CMSG_DATA(c), sizeof size);
      return size > 0 ? static_cast<uint32_t>(size) : 0;
    }
  }
  return 0;
}

// recvmmsg. An error that a packet sent earlier left on the socket is told once and is then gone: what waits
// behind it counts. Answers how many messages came, or a negative errno.
int ReceiveMessages(int fd, mmsghdr* headers, uint32_t room) {
  int got = recvmmsg(fd, headers, room, MSG_DONTWAIT, nullptr);
  if (got < 0 && errno != EAGAIN && IsPassingError(errno))
    got = recvmmsg(fd, headers, room, MSG_DONTWAIT, nullptr);
  if (got < 0) return IsPassingError(errno) ? 0 : -errno;
  return got;
}

// Makes rows of the messages that wait, as long as there is room. Answers the new count.
uint32_t TakeArrivals(const BatchView& batch, uint32_t row, uint32_t end) {
  Arrivals& arrivals = *batch.arrivals;
  while (row < end && arrivals.next < arrivals.count) {
    Arrival& message = arrivals.messages[arrivals.next];
    const uint32_t length = std::min(message.segment, message.length);
    batch.MakeRow(row, message.offset, std::min(length, kMaxPacket));
    batch.address[row] = message.address;
    batch.port[row] = message.port;
    batch.local[row] = message.local;
    if (length > kMaxPacket) batch.Drop(row, DropReason::TooBig);
    message.offset += length;
    message.length -= length;
    if (message.length == 0) arrivals.next++;
    row++;
  }
  return row;
}

// Makes a header ready to receive a message into its place in the batch.
void Prepare(const BatchView& batch, uint32_t i) {
  Arrivals& arrivals = *batch.arrivals;
  arrivals.places[i] = {batch.bytes + i * kCoalescedStride, kCoalescedStride};
  arrivals.datagrams[i].PrepareReceive(&arrivals.headers[i].msg_hdr, &arrivals.places[i]);
  arrivals.headers[i].msg_len = 0;
}

// The forced size passes net.core.[rw]mem_max but needs CAP_NET_ADMIN; the plain one is capped silently.
void SetBuffer(int fd, int forced, int plain) {
  if (setsockopt(fd, SOL_SOCKET, forced, &kSocketBuffer, sizeof kSocketBuffer) < 0) {
    setsockopt(fd, SOL_SOCKET, plain, &kSocketBuffer, sizeof kSocketBuffer);
  }
}

// Writes one control message; answers how many bytes it takes.
template <typename T>
size_t PutControl(uint8_t* at, int level, int type, const T& value) {
  std::memset(at, 0, CMSG_SPACE(sizeof value));
  cmsghdr header = {};
  header.cmsg_len = CMSG_LEN(sizeof value);
  header.cmsg_level = level;
  header.cmsg_type = type;
  std::memcpy(at, &header, sizeof header);
  std::memcpy(at + CMSG_LEN(0), &value, sizeof value);
  return CMSG_SPACE(sizeof value);
}

}  // namespace

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) close(fd_);
}

void Datagram::PrepareReceive(msghdr* header, iovec* bytes) {
  *header = {&far, sizeof far, bytes, 1, control, sizeof control, 0};
}

void Datagram::PrepareSend(msghdr* header, std::span<iovec> bytes, uint16_t segment, const Way& way) {
  far = {};
  far.sin_family = AF_INET;
  far.sin_port = htons(way.port);
  far.sin_addr.s_addr = htonl(way.address);
  *header = {&far, sizeof far, bytes.data(), bytes.size(), nullptr, 0, 0};

  size_t used = 0;
  if (way.local != 0) {
    in_pktinfo info = {};
    info.ipi_spec_dst.s_addr = htonl(way.local);
    used += PutControl(control + used, IPPROTO_IP, IP_PKTINFO, info);
  }
  if (segment != 0) used += PutControl(control + used, IPPROTO_UDP, UDP_SEGMENT, segment);
  if (used != 0) {
    header->msg_control = control;
    header->msg_controllen = used;
  }
}

int SetDatagramOptions(int fd) {
  const int on = 1;
  if (setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on) < 0) return errno;
  // An ESP packet larger than the path must arrive in fragments rather than not at all.
  const int fragment = IP_PMTUDISC_DONT;
  if (setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &fragment, sizeof fragment) < 0) return errno;
  SetBuffer(fd, SO_RCVBUFFORCE, SO_RCVBUF);
  SetBuffer(fd, SO_SNDBUFFORCE, SO_SNDBUF);
  return 0;
}

bool IsPassingError(int error) {
  switch (error) {
    case EAGAIN:
    case EINTR:
    case ENOBUFS:
    case ENOMEM:
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case EPROTO:
    case ENOPROTOOPT:
      return true;
    default:
      return false;
  }
}

int ReceiveDatagrams(int fd, const BatchView& batch, uint32_t from, uint32_t lead, uint32_t most) {
  if (from >= kBatchCapacity) return static_cast<int>(from);
  const uint32_t room = std::min(kBatchCapacity - from, most);
  mmsghdr headers[kBatchCapacity];
  iovec slots[kBatchCapacity];
  Datagram datagrams[kBatchCapacity];
  for (uint32_t i = 0; i < room; i++) {
    slots[i] = {batch.bytes + (from + i) * kSlotSize + kHeadroom - lead, kMaxPacket + lead};
    datagrams[i].PrepareReceive(&headers[i].msg_hdr, &slots[i]);
    headers[i].msg_len = 0;
  }

  const int got = ReceiveMessages(fd, headers, room);
  if (got < 0) return got;
  for (int i = 0; i < got; i++) {
    const uint32_t row = from + static_cast<uint32_t>(i);
    const uint32_t size = headers[i].msg_len;
    const bool complete = size >= lead;
    batch.MakeRow(row, row * kSlotSize + kHeadroom, complete ? size - lead : 0);
    batch.address[row] = ntohl(datagrams[i].far.sin_addr.s_addr);
    batch.port[row] = ntohs(datagrams[i].far.sin_port);
    batch.local[row] = LocalAddress(&headers[i].msg_hdr);
    if (!complete) batch.Drop(row, DropReason::Truncated);
    if ((headers[i].msg_hdr.msg_flags & MSG_TRUNC) != 0) batch.Drop(row, DropReason::TooBig);
  }
  return static_cast<int>(from) + got;
}

// A call asks for as many messages as lately filled the batch: then what finds no row is little.
int ReceiveCoalesced(int fd, const BatchView& batch, uint32_t from, uint32_t most) {
  Arrivals& arrivals = *batch.arrivals;
  // One message may hold many datagrams.
  const uint32_t end = std::min(from + std::clamp(most, kNearCapacity, kBatchCapacity), kBatchCapacity);
  if (from >= kBatchCapacity) return static_cast<int>(from);
  const uint32_t count = TakeArrivals(batch, from, end);
  if (count != from) return static_cast<int>(count);

  const uint32_t room = std::clamp((end - from) / arrivals.expected, 1u, std::max(1u, most));
  for (; arrivals.prepared < room; arrivals.prepared++) Prepare(batch, arrivals.prepared);
  const int got = ReceiveMessages(fd, arrivals.headers, room);
  if (got <= 0) return got < 0 ? got : static_cast<int>(from);

  arrivals.next = 0;
  arrivals.count = static_cast<uint32_t>(got);
  uint32_t largest = 1;
  for (uint32_t i = 0; i < arrivals.count; i++) {
    msghdr* header = &arrivals.headers[i].msg_hdr;
    const uint32_t length = arrivals.headers[i].msg_len;
    const uint32_t told = SegmentSize(header);
    const uint32_t segment = told != 0 ? told : length;
    arrivals.messages[i] = {i * kCoalescedStride,
                            length,
                            segment,
                            ntohl(arrivals.datagrams[i].far.sin_addr.s_addr),
                            ntohs(arrivals.datagrams[i].far.sin_port),
                            LocalAddress(header)};
    if (segment != 0) largest = std::max(largest, (length + segment - 1) / segment);
    Prepare(batch, i);
  }
  arrivals.expected = std::min(largest, kNearCapacity);
  return static_cast<int>(TakeArrivals(batch, from, end));
}

int ReceiveMessage(int fd, std::span<uint8_t> bytes, Way* way, size_t* size, uint32_t* segment) {
  iovec content = {bytes.data(), bytes.size()};
  Datagram datagram;
  msghdr header;
  datagram.PrepareReceive(&header, &content);
  // MSG_TRUNC has the kernel answer the datagram's own size.
  constexpr int kFlags = MSG_DONTWAIT | MSG_TRUNC;
  ssize_t got = recvmsg(fd, &header, kFlags);
  // As above: an error that was left on the socket is told once, and is then gone.
  if (got < 0 && errno != EAGAIN && IsPassingError(errno)) got = recvmsg(fd, &header, kFlags);
  if (got < 0) return IsPassingError(errno) ? EAGAIN : errno;
  *size = static_cast<size_t>(got);
  *segment = SegmentSize(&header);
  *way = {LocalAddress(&header), ntohl(datagram.far.sin_addr.s_addr), ntohs(datagram.far.sin_port)};
  return 0;
}

}  // namespace floatgate
