// What UDP and raw sockets have in common: receiving into a batch with one recvmmsg, each message with its
// IP_PKTINFO.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <span>

#include "batch.h"

namespace floatgate {

// Where a message goes and from which of our addresses (0: the kernel chooses).
struct Way {
  uint32_t local;
  uint32_t address;
  uint16_t port;
};

// The memory, beside the bytes themselves, that one message header points at.
struct Datagram {
  sockaddr_in far;
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(in_pktinfo)) + CMSG_SPACE(sizeof(int))];

  // Points `header` at this memory and at `bytes`, for receiving.
  void PrepareReceive(msghdr* header, iovec* bytes);
  // The same for sending; a `segment` other than 0 has the kernel cut the bytes into datagrams of that
  // length.
  void PrepareSend(msghdr* header, std::span<iovec> bytes, uint16_t segment, const Way& way);
};

// Closes its descriptor unless it was released: a socket that is being set up.
class OwnedFd {
 public:
  explicit OwnedFd(int fd) : fd_(fd) {}
  OwnedFd(const OwnedFd&) = delete;
  OwnedFd& operator=(const OwnedFd&) = delete;
  ~OwnedFd();

  int get() const { return fd_; }
  int Release() {
    int fd = fd_;
    fd_ = -1;
    return fd;
  }

 private:
  int fd_;
};

// IP_PKTINFO on, DF off, 4 MiB buffers where allowed. Answers 0 or an errno.
int SetDatagramOptions(int fd);

// An error that says something about one packet or one moment, not about the socket.
bool IsPassingError(int error);

// Receives into rows `from` and up; the first `lead` bytes of each message lie in the slot's headroom, and
// the row is made of what follows them. Answers the new count, or a negative errno.
int ReceiveDatagrams(int fd, const BatchView& batch, uint32_t from, uint32_t lead);

// The same into a batch with places for coalesced datagrams (UDP_GRO), which are told apart by their rows
// alone: no byte is moved. What finds no row waits for the next call, so that a full batch may have more
// behind it.
int ReceiveCoalesced(int fd, const BatchView& batch, uint32_t from);

// One datagram and its way: from `address` and `port` to `local`. `size` is that of the datagram, which may be
// more than fitted into `bytes`. Answers 0, EAGAIN where none waits, or another errno.
int ReceiveDatagram(int fd, std::span<uint8_t> bytes, Way* way, size_t* size);

}  // namespace floatgate
