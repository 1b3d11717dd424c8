// What IKE computes: Diffie-Hellman, hashes, HMACs and CBC ciphers.
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterIke(napi_env env, napi_value exports);

}  // namespace floatgate
