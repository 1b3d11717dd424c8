// The addon's entry: fills the exports of each thread that loads it. Nothing here is global to the process,
// so that any number of worker threads can load it.

#include <node_api.h>

#include "addresses.h"
#include "batch.h"
#include "device_features.h"
#include "esp.h"
#include "files.h"
#include "ike.h"
#include "netlink.h"
#include "poller.h"
#include "raw_esp.h"
#include "segments.h"
#include "steering.h"
#include "tun.h"
#include "udp.h"

namespace floatgate {
namespace {

using Register = napi_status (*)(napi_env, napi_value);

constexpr Register kRooms[] = {RegisterBatch,       RegisterFiles,     RegisterUdp,      RegisterRawEsp,
                               RegisterSegments,    RegisterTun,       RegisterTunSuper, RegisterSteering,
                               RegisterTunSteering, RegisterPoll,      RegisterEsp,      RegisterIke,
                               RegisterNetlink,     RegisterAddresses, RegisterFeatures};

}  // namespace
}  // namespace floatgate

NAPI_MODULE_INIT() {
  for (floatgate::Register add : floatgate::kRooms) {
    if (add(env, exports) != napi_ok) {
      napi_throw_error(env, nullptr, "the addon cannot be initialised");
      return nullptr;
    }
  }
  return exports;
}
