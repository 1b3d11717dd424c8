// File descriptors in general: closing, eventfds, and who is at the other end of a unix socket.
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterFiles(napi_env env, napi_value exports);

}  // namespace floatgate
