// Waiting for file descriptors: blocking, in a worker's data loop, and by callback, in a thread with an event
// loop.
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterPoll(napi_env env, napi_value exports);

}  // namespace floatgate
