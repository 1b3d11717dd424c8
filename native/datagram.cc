// What UDP and raw sockets have in common.

#include "datagram.h"

#include <arpa/inet.h>
#include <unistd.h>

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

// The forced size passes net.core.[rw]mem_max but needs CAP_NET_ADMIN; the plain one is capped silently.
void SetBuffer(int fd, int forced, int plain) {
  if (setsockopt(fd, SOL_SOCKET, forced, &kSocketBuffer, sizeof kSocketBuffer) < 0) {
    setsockopt(fd, SOL_SOCKET, plain, &kSocketBuffer, sizeof kSocketBuffer);
  }
}

}  // namespace

OwnedFd::~OwnedFd() {
  if (fd_ >= 0) close(fd_);
}

void Datagram::PrepareReceive(msghdr* header, void* data, size_t size) {
  bytes = {data, size};
  header->msg_name = &far;
  header->msg_namelen = sizeof far;
  header->msg_iov = &bytes;
  header->msg_iovlen = 1;
  header->msg_control = control;
  header->msg_controllen = sizeof control;
  header->msg_flags = 0;
}

void Datagram::PrepareSend(msghdr* header, void* data, size_t size, uint32_t local, uint32_t address,
                           uint16_t port) {
  bytes = {data, size};
  far = {};
  far.sin_family = AF_INET;
  far.sin_port = htons(port);
  far.sin_addr.s_addr = htonl(address);
  header->msg_name = &far;
  header->msg_namelen = sizeof far;
  header->msg_iov = &bytes;
  header->msg_iovlen = 1;
  header->msg_control = nullptr;
  header->msg_controllen = 0;
  header->msg_flags = 0;
  if (local == 0) return;

  std::memset(control, 0, sizeof control);
  header->msg_control = control;
  header->msg_controllen = sizeof control;
  cmsghdr* c = CMSG_FIRSTHDR(header);
  c->cmsg_level = IPPROTO_IP;
  c->cmsg_type = IP_PKTINFO;
  c->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
  in_pktinfo info = {};
  info.ipi_spec_dst.s_addr = htonl(local);
  std::memcpy(CMSG_DATA(c), &info, sizeof info);
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

int ReceiveDatagrams(int fd, const BatchView& batch, uint32_t from, uint32_t lead) {
  if (from >= kBatchCapacity) return static_cast<int>(from);
  const uint32_t room = kBatchCapacity - from;
  mmsghdr headers[kBatchCapacity];
  Datagram datagrams[kBatchCapacity];
  for (uint32_t i = 0; i < room; i++) {
    uint8_t* start = batch.bytes + (from + i) * kSlotSize + kHeadroom - lead;
    datagrams[i].PrepareReceive(&headers[i].msg_hdr, start, kMaxPacket + lead);
    headers[i].msg_len = 0;
  }

  int got = recvmmsg(fd, headers, room, MSG_DONTWAIT, nullptr);
  // An error that a packet sent earlier left on the socket is told once and is then gone: what waits behind
  // it counts.
  if (got < 0 && errno != EAGAIN && IsPassingError(errno))
    got = recvmmsg(fd, headers, room, MSG_DONTWAIT, nullptr);
  if (got < 0) return IsPassingError(errno) ? static_cast<int>(from) : -errno;

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

}  // namespace floatgate
