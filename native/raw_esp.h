// Raw sockets for bare ESP (RFC 4303), IP protocol 50.
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterRawEsp(napi_env env, napi_value exports);

}  // namespace floatgate
