// UDP sockets, and sending of ESP packets: in UDP (RFC 3948) and bare (RFC 4303).
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterUdp(napi_env env, napi_value exports);

}  // namespace floatgate
