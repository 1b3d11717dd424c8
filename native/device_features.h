// Features of network devices, as ethtool shows them.
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterFeatures(napi_env env, napi_value exports);

}  // namespace floatgate
