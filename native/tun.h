// The TUN device: where decrypted packets meet the host's IP stack.
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterTun(napi_env env, napi_value exports);
napi_status RegisterTunSuper(napi_env env, napi_value exports);

}  // namespace floatgate
