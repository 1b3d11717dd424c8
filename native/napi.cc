// Arguments, results and errors of Node-API calls.

#include "napi.h"

#include <uv.h>

#include <cerrno>
#include <cmath>
#include <cstring>

namespace floatgate {

napi_value ThrowErrno(napi_env env, int error, const char* syscall) {
  // libuv has no name for this one, which the TUN driver answers on a descriptor without a device.
  const char* code = error == EBADFD ? "EBADFD" : uv_err_name(-error);
  std::string message = std::string(code) + ": " + std::strerror(error) + ", " + syscall;
  napi_value code_value = MakeText(env, code);
  napi_value message_value = MakeText(env, message.c_str(), message.size());
  napi_value exception = nullptr;
  if (napi_create_error(env, code_value, message_value, &exception) != napi_ok) return nullptr;
  Set(env, exception, "errno", MakeI32(env, -error));
  Set(env, exception, "syscall", MakeText(env, syscall));
  napi_throw(env, exception);
  return nullptr;
}

napi_value ThrowType(napi_env env, const char* message) {
  napi_throw_type_error(env, "ERR_INVALID_ARG_TYPE", message);
  return nullptr;
}

void Args::Fail(const char* what, size_t i) {
  if (!ok_) return;
  ok_ = false;
  std::string message = "argument " + std::to_string(i + 1) + " must be " + what;
  ThrowType(env_, message.c_str());
}

napi_value Args::Value(size_t i) {
  if (!ok_) return nullptr;
  if (i >= count_) {
    Fail("given", i);
    return nullptr;
  }
  return values_[i];
}

uint32_t Args::U32(size_t i) {
  uint32_t result = 0;
  napi_value value = Value(i);
  if (value != nullptr && napi_get_value_uint32(env_, value, &result) != napi_ok) Fail("a number", i);
  return ok_ ? result : 0;
}

int32_t Args::I32(size_t i) {
  int32_t result = 0;
  napi_value value = Value(i);
  if (value != nullptr && napi_get_value_int32(env_, value, &result) != napi_ok) Fail("a number", i);
  return ok_ ? result : 0;
}

uint64_t Args::U64(size_t i) {
  double result = 0;
  napi_value value = Value(i);
  if (value == nullptr) return 0;
  if (napi_get_value_double(env_, value, &result) != napi_ok || std::isnan(result) || result < 0) {
    Fail("a number of 0 or more", i);
    return 0;
  }
  return result > 9007199254740991.0 ? UINT64_MAX : static_cast<uint64_t>(result);
}

bool Args::Bool(size_t i) {
  bool result = false;
  napi_value value = Value(i);
  if (value != nullptr && napi_get_value_bool(env_, value, &result) != napi_ok) Fail("a boolean", i);
  return ok_ && result;
}

std::string Args::Text(size_t i) {
  napi_value value = Value(i);
  size_t length = 0;
  if (value == nullptr) return {};
  if (napi_get_value_string_utf8(env_, value, nullptr, 0, &length) != napi_ok) {
    Fail("a string", i);
    return {};
  }
  std::string result(length, '\0');
  napi_get_value_string_utf8(env_, value, result.data(), length + 1, &length);
  return result;
}

ByteSpan Args::Bytes(size_t i) {
  size_t length = 0;
  void* data = Elements(i, napi_uint8_array, "a Uint8Array", &length);
  return {static_cast<uint8_t*>(data), length};
}

WordSpan Args::Words(size_t i) {
  size_t length = 0;
  void* data = Elements(i, napi_uint32_array, "a Uint32Array", &length);
  return {static_cast<uint32_t*>(data), length};
}

void* Args::Elements(size_t i, napi_typedarray_type wanted, const char* what, size_t* length) {
  napi_value value = Value(i);
  if (value == nullptr) return nullptr;
  bool is_typed_array = false;
  napi_typedarray_type type = napi_int8_array;
  void* data = nullptr;
  if (napi_is_typedarray(env_, value, &is_typed_array) != napi_ok || !is_typed_array ||
      napi_get_typedarray_info(env_, value, &type, length, &data, nullptr, nullptr) != napi_ok || type != wanted) {
    Fail(what, i);
    *length = 0;
    return nullptr;
  }
  return data;
}

napi_value MakeU32(napi_env env, uint32_t value) {
  napi_value result = nullptr;
  napi_create_uint32(env, value, &result);
  return result;
}

napi_value MakeI32(napi_env env, int32_t value) {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value MakeDouble(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value MakeBool(napi_env env, bool value) {
  napi_value result = nullptr;
  napi_get_boolean(env, value, &result);
  return result;
}

napi_value MakeText(napi_env env, const char* text, size_t length) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, text, length, &result);
  return result;
}

napi_value MakeObject(napi_env env) {
  napi_value result = nullptr;
  napi_create_object(env, &result);
  return result;
}

napi_value MakeArray(napi_env env) {
  napi_value result = nullptr;
  napi_create_array(env, &result);
  return result;
}

napi_value Undefined(napi_env env) {
  napi_value result = nullptr;
  napi_get_undefined(env, &result);
  return result;
}

void Set(napi_env env, napi_value object, const char* key, napi_value value) {
  napi_set_named_property(env, object, key, value);
}

napi_status Define(napi_env env, napi_value exports, std::initializer_list<Function> functions) {
  for (const Function& f : functions) {
    napi_value function = nullptr;
    napi_status status = napi_create_function(env, f.name, NAPI_AUTO_LENGTH, f.callback, nullptr, &function);
    if (status == napi_ok) status = napi_set_named_property(env, exports, f.name, function);
    if (status != napi_ok) return status;
  }
  return napi_ok;
}

}  // namespace floatgate
