// The few things that every function of the addon needs from Node-API: arguments, results, errors.
#pragma once

#include <node_api.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace floatgate {

// Throws an Error whose `code` is the errno's name ("EADDRINUSE"), with `errno` and `syscall`; answers
// nullptr, so that a callback can `return ThrowErrno(...)`.
napi_value ThrowErrno(napi_env env, int error, const char* syscall);

// Throws a TypeError: the caller passed something that the interface does not allow.
napi_value ThrowType(napi_env env, const char* message);

struct ByteSpan {
  uint8_t* data = nullptr;
  size_t size = 0;
};

struct WordSpan {
  uint32_t* data = nullptr;
  size_t size = 0;
};

// The arguments of one call. The first that is missing or of the wrong type throws a TypeError and turns ok()
// false; later getters then answer zeros, so that a callback fetches all its arguments and asks once.
class Args {
 public:
  static constexpr size_t kMax = 12;

  // `most`: what a function that is called for each batch takes. The others do not mind that all places are filled.
  Args(napi_env env, napi_callback_info info, size_t most = kMax) : env_(env), count_(most) {
    ok_ = napi_get_cb_info(env, info, &count_, values_, nullptr, nullptr) == napi_ok;
    count_ = std::min(count_, most);
  }

  bool ok() const { return ok_; }
  size_t count() const { return count_; }
  napi_env env() const { return env_; }
  // The raw value; nullptr once an argument was missing.
  napi_value Value(size_t i);

  uint32_t U32(size_t i);
  int32_t I32(size_t i);
  // Any non-negative whole number up to 2^53, or Infinity (answered as UINT64_MAX).
  uint64_t U64(size_t i);
  bool Bool(size_t i);
  std::string Text(size_t i);
  // The memory of a Uint8Array (Buffers are such): valid until the callback returns.
  ByteSpan Bytes(size_t i);
  // The same of a Uint32Array.
  WordSpan Words(size_t i);

 private:
  void* Elements(size_t i, napi_typedarray_type wanted, const char* what, size_t* length);
  void Fail(const char* what, size_t i);

  napi_env env_;
  size_t count_;
  // As many as count_ says.
  napi_value values_[kMax];
  bool ok_ = false;
};

napi_value MakeU32(napi_env env, uint32_t value);
napi_value MakeI32(napi_env env, int32_t value);
napi_value MakeDouble(napi_env env, double value);
napi_value MakeBool(napi_env env, bool value);
napi_value MakeText(napi_env env, const char* text, size_t length = NAPI_AUTO_LENGTH);
napi_value MakeObject(napi_env env);
napi_value MakeArray(napi_env env);
napi_value Undefined(napi_env env);
void Set(napi_env env, napi_value object, const char* key, napi_value value);

// What lies behind an external, recognised by the first word of T: T must begin with `uint32_t magic =
// T::kMagic`.
template <typename T>
T* Unwrap(napi_env env, napi_value value, const char* what) {
  void* data = nullptr;
  // It asks itself whether the value is an external.
  if (value != nullptr && napi_get_value_external(env, value, &data) == napi_ok && data != nullptr) {
    T* object = static_cast<T*>(data);
    if (object->magic == T::kMagic) return object;
  }
  std::string message = std::string("not a ") + what;
  ThrowType(env, message.c_str());
  return nullptr;
}

struct Function {
  const char* name;
  napi_callback callback;
};
napi_status Define(napi_env env, napi_value exports, std::initializer_list<Function> functions);

}  // namespace floatgate
