// Netlink sockets: to the kernel's netfilter, which tells of logged packets and of connections, and to what keeps
// its devices. What the messages say is for TypeScript.

#include "netlink.h"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "napi.h"

namespace floatgate {
namespace {

// What may wait for control while it is busy.
constexpr int kReceiveBuffer = 512 * 1024;

// `groups` are the multicast groups to hear, a bit each.
napi_value Open(napi_env env, napi_callback_info info, int protocol) {
  Args args(env, info);
  const uint32_t groups = args.U32(0);
  if (!args.ok()) return nullptr;
  const int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol);
  if (fd < 0) return ThrowErrno(env, errno, "socket");
  sockaddr_nl local = {};
  local.nl_family = AF_NETLINK;
  local.nl_groups = groups;
  if (bind(fd, reinterpret_cast<sockaddr*>(&local), sizeof local) < 0) {
    const int error = errno;
    close(fd);
    return ThrowErrno(env, error, "bind");
  }
  // As much as the host allows.
  setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  return MakeI32(env, fd);
}

napi_value NetfilterSocket(napi_env env, napi_callback_info info) { return Open(env, info, NETLINK_NETFILTER); }

napi_value RouteSocket(napi_env env, napi_callback_info info) { return Open(env, info, NETLINK_ROUTE); }

napi_value NetlinkSend(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int fd = args.I32(0);
  const ByteSpan bytes = args.Bytes(1);
  if (!args.ok()) return nullptr;
  sockaddr_nl kernel = {};
  kernel.nl_family = AF_NETLINK;
  ssize_t sent;
  do {
    sent = sendto(fd, bytes.data, bytes.size, 0, reinterpret_cast<sockaddr*>(&kernel), sizeof kernel);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return ThrowErrno(env, errno, "sendto");
  return Undefined(env);
}

// Only the kernel is heard. -1: nothing waits. -2: more came than the socket could keep, and the kernel says
// so.
napi_value NetlinkReceive(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int fd = args.I32(0);
  const ByteSpan bytes = args.Bytes(1);
  if (!args.ok()) return nullptr;
  for (;;) {
    sockaddr_nl from = {};
    socklen_t length = sizeof from;
    const ssize_t got = recvfrom(fd, bytes.data, bytes.size, 0, reinterpret_cast<sockaddr*>(&from), &length);
    if (got >= 0) {
      if (length != sizeof from || from.nl_pid != 0) continue;
      return MakeI32(env, static_cast<int32_t>(got));
    }
    if (errno == EINTR) continue;
    if (errno == EAGAIN) return MakeI32(env, -1);
    if (errno == ENOBUFS) return MakeI32(env, -2);
    return ThrowErrno(env, errno, "recvfrom");
  }
}

}  // namespace

napi_status RegisterNetlink(napi_env env, napi_value exports) {
  return Define(env, exports,
                {{"netfilterSocket", NetfilterSocket},
                 {"routeSocket", RouteSocket},
                 {"netlinkSend", NetlinkSend},
                 {"netlinkReceive", NetlinkReceive}});
}

}  // namespace floatgate
