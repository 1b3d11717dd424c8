// Raw sockets for bare ESP (RFC 4303), IP protocol 50: one a worker, each seeing the packets of its own SPIs
// alone.

#include "raw_esp.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstdint>

#include "batch.h"
#include "datagram.h"
#include "napi.h"
#include "steering.h"

namespace floatgate {
namespace {

// An IPv4 header without options: where a raw socket's message is placed so that its payload starts at the
// headroom.
constexpr uint32_t kIpHeader = 20;

// Packets that arrived between socket() and the filter may be another worker's.
void DiscardWaiting(int fd) {
  uint8_t byte;
  for (int i = 0; i < 4096; i++) {
    if (recv(fd, &byte, sizeof byte, MSG_DONTWAIT) < 0) return;
  }
}

napi_value RawEspSocket(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const uint32_t worker = args.U32(0);
  const uint32_t workers = args.U32(1);
  if (!args.ok()) return nullptr;
  if (workers == 0 || worker >= workers) return ThrowType(env, "argument 1 must be less than argument 2");

  OwnedFd fd(socket(AF_INET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ESP));
  if (fd.get() < 0) return ThrowErrno(env, errno, "socket");
  if (int error = AttachSpiFilter(fd.get(), worker, workers); error != 0)
    return ThrowErrno(env, error, "setsockopt");
  if (int error = SetDatagramOptions(fd.get()); error != 0) return ThrowErrno(env, error, "setsockopt");
  DiscardWaiting(fd.get());
  return MakeI32(env, fd.Release());
}

// Moves a row from the IP header, which lies at the end of the headroom, to what follows its options.
void SkipOptions(const BatchView& batch, uint32_t row) {
  const uint8_t first = batch.bytes[batch.offset[row] - kIpHeader];
  const uint32_t options = (first & 0x0fu) * 4 - kIpHeader;
  if ((first & 0x0fu) * 4 < kIpHeader || options > batch.length[row]) {
    batch.Drop(row, DropReason::Truncated);
    return;
  }
  batch.offset[row] += options;
  batch.length[row] -= options;
}

napi_value ReceiveRaw(napi_env env, napi_callback_info info) {
  Args args(env, info, 4);
  const int fd = args.I32(0);
  const uint32_t from = args.U32(2);
  const uint32_t most = args.count() > 3 ? args.U32(3) : kNearCapacity;
  if (!args.ok()) return nullptr;
  const BatchView* batch = UnwrapBatch(env, args.Value(1));
  if (batch == nullptr) return nullptr;
  const int count = ReceiveDatagrams(fd, *batch, from, kIpHeader, most);
  if (count < 0) return ThrowErrno(env, -count, "recvmmsg");
  for (uint32_t row = from; row < static_cast<uint32_t>(count); row++) {
    batch->port[row] = 0;
    if (batch->Forwards(row)) SkipOptions(*batch, row);
  }
  return MakeI32(env, count);
}

}  // namespace

napi_status RegisterRawEsp(napi_env env, napi_value exports) {
  return Define(env, exports, {{"rawEspSocket", RawEspSocket}, {"receiveRaw", ReceiveRaw}});
}

}  // namespace floatgate
