// A netlink socket to the kernel's netfilter.
#pragma once

#include <node_api.h>

namespace floatgate {

napi_status RegisterNetlink(napi_env env, napi_value exports);

}  // namespace floatgate
