// The TUN device: where decrypted packets meet the host's IP stack. One queue a worker, one system call a
// packet; tun_super.cc has one for many.

#include "tun.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "batch.h"
#include "napi.h"

// Since Linux 6.2: older headers do not know these.
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

namespace floatgate {
namespace {

// What the TUN driver allows a device.
constexpr uint32_t kMaxQueues = 256;

// How much may wait in a queue that is polled, in bytes of the kernel's own count: some 2,000 packets.
constexpr int kMostWaiting = 4 << 20;

struct Failure {
  int error = 0;
  const char* syscall = "";
};

// What the kernel may leave to us, and takes from us: nothing, TCP segments and checksums, or UDP datagrams
// as well.
enum class Offload : uint8_t { None, Tcp, TcpAndUdp };

// Opens one more queue of the device `name`, which becomes its real name. Answers the descriptor or -1.
// `polled`: what is written waits until the kernel polls the queue, which then finds it all at once.
int OpenQueue(std::string* name, bool headers, bool polled, Failure* failure) {
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) {
    *failure = {errno, "open"};
    return -1;
  }
  ifreq request = {};
  request.ifr_flags = static_cast<short>(IFF_TUN | IFF_NO_PI | IFF_MULTI_QUEUE |
                                         (headers ? IFF_VNET_HDR : 0) | (polled ? IFF_NAPI : 0));
  std::memcpy(request.ifr_name, name->data(), name->size());
  if (ioctl(fd, TUNSETIFF, &request) < 0) {
    *failure = {errno, "ioctl"};
    close(fd);
    return -1;
  }
  if (polled) ioctl(fd, TUNSETSNDBUF, &kMostWaiting);
  *name = std::string(request.ifr_name, strnlen(request.ifr_name, IFNAMSIZ));
  return fd;
}

// The most that the kernel agrees to for a device whose queues have headers; it counts for all of them.
Offload SetOffload(int fd) {
  constexpr unsigned kTcpOffload = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO_ECN;
  if (ioctl(fd, TUNSETOFFLOAD, kTcpOffload | TUN_F_USO4 | TUN_F_USO6) == 0) return Offload::TcpAndUdp;
  return ioctl(fd, TUNSETOFFLOAD, kTcpOffload) == 0 ? Offload::Tcp : Offload::None;
}

napi_value TunOpen(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const std::string wanted = args.Text(0);
  const uint32_t queues = args.U32(1);
  bool headers = args.count() > 2 && args.Bool(2);
  const bool polled = args.count() > 3 && args.Bool(3);
  if (!args.ok()) return nullptr;
  if (queues == 0 || queues > kMaxQueues) return ThrowType(env, "argument 2 must be 1 to 256");
  if (wanted.size() >= IFNAMSIZ) return ThrowErrno(env, ENAMETOOLONG, "ioctl");

  std::string name = wanted;
  std::vector<int> fds;
  Failure failure;
  Offload offload = Offload::None;
  while (fds.size() < queues) {
    const int fd = OpenQueue(&name, headers, polled, &failure);
    if (fd >= 0) {
      fds.push_back(fd);
      if (!headers || fds.size() > 1) continue;
      offload = SetOffload(fd);
      if (offload != Offload::None) continue;
    }
    for (int opened : fds) close(opened);
    fds.clear();
    if (!headers) return ThrowErrno(env, failure.error, failure.syscall);
    // A kernel that knows no offloads: the device does without.
    headers = false;
    name = wanted;
  }

  napi_value list = MakeArray(env);
  for (uint32_t i = 0; i < queues; i++) napi_set_element(env, list, i, MakeI32(env, fds[i]));
  napi_value result = MakeObject(env);
  Set(env, result, "name", MakeText(env, name.data(), name.size()));
  Set(env, result, "index", MakeU32(env, if_nametoindex(name.c_str())));
  Set(env, result, "fds", list);
  Set(env, result, "tso", MakeBool(env, offload != Offload::None));
  Set(env, result, "uso", MakeBool(env, offload == Offload::TcpAndUdp));
  return result;
}

napi_value ReadTun(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int fd = args.I32(0);
  const uint32_t from = args.U32(2);
  const uint32_t to = std::min(args.U32(3), kBatchCapacity);
  if (!args.ok()) return nullptr;
  const BatchView* batch = UnwrapBatch(env, args.Value(1));
  if (batch == nullptr) return nullptr;

  uint32_t row = from;
  while (row < to) {
    const uint32_t start = row * kSlotSize + kHeadroom;
    // One byte more than a slot may hold: the driver cuts a longer packet without a word.
    const ssize_t got = read(fd, batch->bytes + start, kMaxPacket + 1);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      // What was read so far is worth more than the error, which will come again.
      if (got < 0 && errno != EAGAIN && row == from) return ThrowErrno(env, errno, "read");
      break;
    }
    const uint32_t length = static_cast<uint32_t>(got);
    batch->MakeRow(row, start, length > kMaxPacket ? kMaxPacket : length);
    if (length > kMaxPacket) batch->Drop(row, DropReason::TooBig);
    row++;
  }
  return MakeU32(env, row);
}

napi_value WriteTun(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int fd = args.I32(0);
  const uint32_t count = args.U32(2);
  if (!args.ok()) return nullptr;
  const BatchView* batch = UnwrapBatch(env, args.Value(1));
  if (batch == nullptr) return nullptr;
  if (count > kBatchCapacity) return ThrowType(env, "argument 3 must be a batch's count");

  uint32_t sent = 0;
  for (uint32_t row = 0; row < count; row++) {
    if (!batch->Forwards(row)) continue;
    ssize_t written = -1;
    if (batch->InBounds(row)) {
      do {
        written = write(fd, batch->Packet(row), batch->length[row]);
      } while (written < 0 && errno == EINTR);
    }
    if (written < 0) {
      batch->Drop(row, DropReason::SendFailed);
    } else {
      sent++;
    }
  }
  return MakeU32(env, sent);
}

}  // namespace

napi_status RegisterTun(napi_env env, napi_value exports) {
  return Define(env, exports, {{"tunOpen", TunOpen}, {"readTun", ReadTun}, {"writeTun", WriteTun}});
}

}  // namespace floatgate
