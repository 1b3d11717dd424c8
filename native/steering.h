// Kernel programs of a few instructions that put every packet on the thread that owns it.
#pragma once

#include <node_api.h>

#include <cstdint>

namespace floatgate {

// Lets a raw ESP socket see only packets whose SPI mod workers is worker. Answers 0 or an errno.
int AttachSpiFilter(int fd, uint32_t worker, uint32_t workers);

napi_status RegisterSteering(napi_env env, napi_value exports);
napi_status RegisterTunSteering(napi_env env, napi_value exports);

}  // namespace floatgate
