// Netlink sockets to the kernel's netfilter and to what keeps its devices.
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterNetlink(napi_env env, napi_value exports);

}  // namespace floatgate
