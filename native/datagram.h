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

// One received message, perhaps of several datagrams, each `segment` bytes long but the last: what is left of
// it.
struct Arrival {
  uint32_t offset;
  uint32_t length;
  uint32_t segment;
  uint32_t address;
  uint32_t port;
  uint32_t local;
};

// Messages that lie in a batch's memory and did not all find rows yet, and the headers to receive them with.
struct Arrivals {
  uint32_t next = 0;
  uint32_t count = 0;
  // How many datagrams a message held lately.
  uint32_t expected = 1;
  Arrival messages[kBatchCapacity];
  // So many of the headers are ready: the kernel writes into those that it uses.
  uint32_t prepared = 0;
  mmsghdr headers[kBatchCapacity];
  iovec places[kBatchCapacity];
  Datagram datagrams[kBatchCapacity];
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
// the row is made of what follows them. `most`: no more messages than so many. Answers the new count, or a negative errno.
int ReceiveDatagrams(int fd, const BatchView& batch, uint32_t from, uint32_t lead, uint32_t most);

// The same into a batch with places for coalesced datagrams (UDP_GRO), which are told apart by their rows
// alone: no byte is moved. What finds no row waits for the next call, so that a full batch may have more
// behind it.
int ReceiveCoalesced(int fd, const BatchView& batch, uint32_t from, uint32_t most);

// One message and its way: from `address` and `port` to `local`. `size` is its own, which may be more than fitted
// into `bytes`; `segment` is how long each of its datagrams is, if several came coalesced, or else 0. Answers 0,
// EAGAIN where none waits, or another errno.
int ReceiveMessage(int fd, std::span<uint8_t> bytes, Way* way, size_t* size, uint32_t* segment);

}  // namespace floatgate
