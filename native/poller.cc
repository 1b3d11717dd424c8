// Waiting for file descriptors: blocking, in a worker's data loop, and by callback, in a thread with an event
// loop.

#include "poller.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include <cerrno>
#include <cstdint>
#include <ctime>

#include "napi.h"

namespace floatgate {
namespace {

// As many as a bit mask that stays a positive number in JavaScript's bit operators.
constexpr uint32_t kMaxPolled = 31;

struct Poller {
  static constexpr uint32_t kMagic = 0x706f6c6c;  // "poll"
  uint32_t magic = kMagic;
  int epoll = -1;
  // Where each wait tells when it ended, and how long it took; memory of JavaScript's, which `buffer` keeps.
  napi_ref buffer = nullptr;
  double* times = nullptr;

  void Tell(uint64_t began);
};

uint64_t Nanoseconds(clockid_t clock = CLOCK_MONOTONIC) {
  timespec now = {};
  clock_gettime(clock, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

// As process.hrtime counts, in whole milliseconds.
double Milliseconds(uint64_t nanoseconds) { return static_cast<double>(nanoseconds / 1'000'000); }

void Poller::Tell(uint64_t began) {
  const uint64_t now = Nanoseconds();
  times[0] = Milliseconds(now);
  times[1] = static_cast<double>(now - began) / 1000;
}

void DeletePoller(napi_env env, void* data, void*) {
  Poller* poller = static_cast<Poller*>(data);
  if (poller->buffer != nullptr) napi_delete_reference(env, poller->buffer);
  if (poller->epoll >= 0) close(poller->epoll);
  poller->magic = 0;
  delete poller;
}

// Takes the two numbers that waits write to.
bool TakeTimes(napi_env env, napi_value value, Poller* poller) {
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  void* data = nullptr;
  napi_value buffer = nullptr;
  bool is_typed_array = false;
  if (napi_is_typedarray(env, value, &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env, value, &type, &length, &data, &buffer, nullptr) != napi_ok ||
      type != napi_float64_array || length < 2) {
    return false;
  }
  if (napi_create_reference(env, buffer, 1, &poller->buffer) != napi_ok) return false;
  poller->times = static_cast<double*>(data);
  return true;
}

napi_value MakePoller(napi_env env, napi_callback_info info) {
  Args args(env, info);
  napi_value list = args.Value(0);
  if (!args.ok()) return nullptr;
  uint32_t count = 0;
  bool is_array = false;
  if (napi_is_array(env, list, &is_array) != napi_ok || !is_array ||
      napi_get_array_length(env, list, &count) != napi_ok || count > kMaxPolled) {
    return ThrowType(env, "argument 1 must be an array of at most 31 file descriptors");
  }

  Poller* poller = new Poller;
  napi_value external = nullptr;
  if (napi_create_external(env, poller, DeletePoller, nullptr, &external) != napi_ok) {
    delete poller;
    return ThrowType(env, "the poller cannot be made");
  }
  if (args.count() > 1 && !TakeTimes(env, args.Value(1), poller)) {
    return ThrowType(env, "argument 2 must be a Float64Array of two numbers");
  }
  poller->epoll = epoll_create1(EPOLL_CLOEXEC);
  if (poller->epoll < 0) return ThrowErrno(env, errno, "epoll_create1");
  for (uint32_t i = 0; i < count; i++) {
    napi_value element = nullptr;
    int32_t fd = -1;
    if (napi_get_element(env, list, i, &element) != napi_ok ||
        napi_get_value_int32(env, element, &fd) != napi_ok) {
      return ThrowType(env, "argument 1 must be an array of file descriptors");
    }
    epoll_event event = {};
    event.events = EPOLLIN;
    event.data.u32 = i;
    if (epoll_ctl(poller->epoll, EPOLL_CTL_ADD, fd, &event) < 0) return ThrowErrno(env, errno, "epoll_ctl");
  }
  return external;
}

// An error or a hang-up counts as readable: reading is how its owner learns of it.
napi_value Wait(napi_env env, napi_callback_info info) {
  Args args(env, info, 2);
  const int milliseconds = args.I32(1);
  if (!args.ok()) return nullptr;
  Poller* poller = Unwrap<Poller>(env, args.Value(0), "poller");
  if (poller == nullptr) return nullptr;
  epoll_event events[kMaxPolled];
  const uint64_t began = poller->times != nullptr ? Nanoseconds() : 0;
  const int ready = epoll_wait(poller->epoll, events, kMaxPolled, milliseconds < 0 ? -1 : milliseconds);
  if (ready < 0 && errno != EINTR) return ThrowErrno(env, errno, "epoll_wait");
  if (poller->times != nullptr) poller->Tell(began);
  uint32_t mask = 0;
  for (int i = 0; i < ready; i++) mask |= 1u << events[i].data.u32;
  return MakeU32(env, mask);
}

napi_value Now(napi_env env, napi_callback_info) { return MakeDouble(env, Milliseconds(Nanoseconds())); }

// What this thread has had of a processor, in milliseconds: for benchmarks.
napi_value ThreadTime(napi_env env, napi_callback_info) {
  return MakeDouble(env, static_cast<double>(Nanoseconds(CLOCK_THREAD_CPUTIME_ID)) / 1'000'000);
}

// A descriptor watched by a thread's event loop. It lives until both the loop (handle closed) and JavaScript
// (external collected) have let go of it. A watcher that JavaScript forgot goes on calling back until its
// thread ends.
struct Watcher {
  static constexpr uint32_t kMagic = 0x77617463;  // "watc"
  uint32_t magic = kMagic;
  int fd = -1;
  napi_env env = nullptr;
  uv_poll_t poll = {};
  napi_ref readable = nullptr;
  napi_async_context context = nullptr;
  napi_async_cleanup_hook_handle teardown = nullptr;
  bool closing = false;
  bool closed = false;
  bool collected = false;
};

void DeleteIfUnused(Watcher* watcher) {
  if (!watcher->closed || !watcher->collected) return;
  watcher->magic = 0;
  delete watcher;
}

void OnClosed(uv_handle_t* handle) {
  Watcher* watcher = static_cast<Watcher*>(handle->data);
  watcher->closed = true;
  // During teardown this lets the environment go on to its end, which collects the external.
  napi_async_cleanup_hook_handle teardown = watcher->teardown;
  watcher->teardown = nullptr;
  DeleteIfUnused(watcher);
  if (teardown != nullptr) napi_remove_async_cleanup_hook(teardown);
}

void StopWatching(Watcher* watcher) {
  if (watcher->closing) return;
  watcher->closing = true;
  uv_poll_stop(&watcher->poll);
  napi_delete_reference(watcher->env, watcher->readable);
  napi_async_destroy(watcher->env, watcher->context);
  uv_close(reinterpret_cast<uv_handle_t*>(&watcher->poll), OnClosed);
}

void OnTeardown(napi_async_cleanup_hook_handle, void* data) { StopWatching(static_cast<Watcher*>(data)); }

void OnCollected(napi_env, void* data, void*) {
  Watcher* watcher = static_cast<Watcher*>(data);
  watcher->collected = true;
  DeleteIfUnused(watcher);
}

void CallReadable(Watcher* watcher) {
  napi_env env = watcher->env;
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value readable = nullptr;
  napi_value global = nullptr;
  napi_get_reference_value(env, watcher->readable, &readable);
  napi_get_global(env, &global);
  // An exception becomes the thread's uncaught exception, as from any other callback of the event loop.
  if (napi_make_callback(env, watcher->context, global, readable, 0, nullptr, nullptr) ==
      napi_pending_exception) {
    napi_value exception = nullptr;
    if (napi_get_and_clear_last_exception(env, &exception) == napi_ok) napi_fatal_exception(env, exception);
  }
  napi_close_handle_scope(env, scope);
}

void OnPoll(uv_poll_t* handle, int status, int) {
  Watcher* watcher = static_cast<Watcher*>(handle->data);
  if (status < 0) {
    // libuv has stopped watching because of an error on the descriptor. A socket's error is cleared by asking
    // for it, and the socket is good again; anything else is gone, of which its owner learns by reading.
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(watcher->fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0)
      uv_poll_start(handle, UV_READABLE, OnPoll);
  }
  CallReadable(watcher);
}

napi_value Watch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int fd = args.I32(0);
  napi_value readable = args.Value(1);
  if (!args.ok()) return nullptr;
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, readable, &type) != napi_ok || type != napi_function) {
    return ThrowType(env, "argument 2 must be a function");
  }
  uv_loop_t* loop = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok) return ThrowErrno(env, ENOSYS, "uv_poll_init");

  Watcher* watcher = new Watcher;
  watcher->fd = fd;
  watcher->env = env;
  watcher->poll.data = watcher;
  int error = uv_poll_init(loop, &watcher->poll, fd);
  if (error != 0) {
    delete watcher;
    return ThrowErrno(env, -error, "uv_poll_init");
  }
  napi_create_reference(env, readable, 1, &watcher->readable);
  napi_async_init(env, nullptr, MakeText(env, "floatgate.watch"), &watcher->context);
  napi_add_async_cleanup_hook(env, OnTeardown, watcher, &watcher->teardown);
  napi_value external = nullptr;
  if (napi_create_external(env, watcher, OnCollected, nullptr, &external) != napi_ok) {
    watcher->collected = true;
    StopWatching(watcher);
    return ThrowType(env, "the watcher cannot be made");
  }
  error = uv_poll_start(&watcher->poll, UV_READABLE, OnPoll);
  if (error != 0) {
    StopWatching(watcher);
    return ThrowErrno(env, -error, "uv_poll_start");
  }
  return external;
}

napi_value Unwatch(napi_env env, napi_callback_info info) {
  Args args(env, info);
  napi_value value = args.Value(0);
  if (!args.ok()) return nullptr;
  Watcher* watcher = Unwrap<Watcher>(env, value, "watcher");
  if (watcher == nullptr) return nullptr;
  StopWatching(watcher);
  return Undefined(env);
}

}  // namespace

napi_status RegisterPoll(napi_env env, napi_value exports) {
  return Define(env, exports,
                {{"poller", MakePoller},
                 {"wait", Wait},
                 {"now", Now},
                 {"threadTime", ThreadTime},
                 {"watch", Watch},
                 {"unwatch", Unwatch}});
}

}  // namespace floatgate
