// The ESP engine's functions for JavaScript: engine, setPath, installInbound, open, seal, ...
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterEsp(napi_env env, napi_value exports);

}  // namespace floatgate
