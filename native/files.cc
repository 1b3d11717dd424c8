// File descriptors in general: closing, eventfds, and who is at the other end of a unix socket.

#include "files.h"

#include <sched.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "napi.h"

namespace floatgate {
namespace {

napi_value Close(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int fd = args.I32(0);
  if (!args.ok()) return nullptr;
  // After EINTR Linux has closed the descriptor all the same: a second try could hit someone else's.
  if (close(fd) < 0 && errno != EINTR) return ThrowErrno(env, errno, "close");
  return Undefined(env);
}

napi_value EventFd(napi_env env, napi_callback_info) {
  int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return ThrowErrno(env, errno, "eventfd");
  return MakeI32(env, fd);
}

napi_value Signal(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int fd = args.I32(0);
  if (!args.ok()) return nullptr;
  const uint64_t one = 1;
  ssize_t written;
  do {
    written = write(fd, &one, sizeof one);
  } while (written < 0 && errno == EINTR);
  // EAGAIN: the counter is full, so the reader is woken anyway.
  if (written < 0 && errno != EAGAIN) return ThrowErrno(env, errno, "write");
  return Undefined(env);
}

napi_value ClearEvent(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int fd = args.I32(0);
  if (!args.ok()) return nullptr;
  uint64_t count = 0;
  ssize_t got;
  do {
    got = read(fd, &count, sizeof count);
  } while (got < 0 && errno == EINTR);
  if (got < 0 && errno != EAGAIN) return ThrowErrno(env, errno, "read");
  return Undefined(env);
}

napi_value PeerCredentials(napi_env env, napi_callback_info info) {
  Args args(env, info);
  int fd = args.I32(0);
  if (!args.ok()) return nullptr;
  ucred credentials = {};
  socklen_t size = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
    return ThrowErrno(env, errno, "getsockopt");
  napi_value result = MakeObject(env);
  Set(env, result, "pid", MakeI32(env, credentials.pid));
  Set(env, result, "uid", MakeU32(env, credentials.uid));
  Set(env, result, "gid", MakeU32(env, credentials.gid));
  return result;
}

napi_value YieldThread(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int thread = args.I32(0);
  if (!args.ok()) return nullptr;
  const sched_param none = {};
  if (sched_setscheduler(thread, SCHED_BATCH, &none) < 0)
    return ThrowErrno(env, errno, "sched_setscheduler");
  return Undefined(env);
}

}  // namespace

napi_status RegisterFiles(napi_env env, napi_value exports) {
  return Define(env, exports,
                {{"close", Close},
                 {"eventFd", EventFd},
                 {"signal", Signal},
                 {"clearEvent", ClearEvent},
                 {"peerCredentials", PeerCredentials},
                 {"yieldThread", YieldThread}});
}

}  // namespace floatgate
