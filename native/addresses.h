// The host's own IPv4 addresses.
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterAddresses(napi_env env, napi_value exports);

}  // namespace floatgate
