// What UDP and raw sockets have in common: receiving into a batch with one recvmmsg, each message with its
// IP_PKTINFO.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>

#include "batch.h"

namespace floatgate {

// The memory that one message header points at.
struct Datagram {
  iovec bytes;
  sockaddr_in far;
  alignas(cmsghdr) uint8_t control[CMSG_SPACE(sizeof(in_pktinfo))];

  // Points `header` at this memory, for receiving.
  void PrepareReceive(msghdr* header, void* data, size_t size);
  // Points `header` at this memory, for sending from `local` (0: the kernel chooses) to address:port.
  void PrepareSend(msghdr* header, void* data, size_t size, uint32_t local, uint32_t address, uint16_t port);
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

}  // namespace floatgate
