// The host's own IPv4 addresses, those of devices without carrier among them, which Node's os module leaves out.

#include "addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "napi.h"

namespace floatgate {
namespace {

uint32_t Ipv4Of(const sockaddr* address) {
  sockaddr_in in;
  memcpy(&in, address, sizeof in);
  return ntohl(in.sin_addr.s_addr);
}

napi_value Addresses(napi_env env, napi_callback_info) {
  ifaddrs* all = nullptr;
  if (getifaddrs(&all) < 0) return ThrowErrno(env, errno, "getifaddrs");
  napi_value list = MakeArray(env);
  uint32_t count = 0;
  for (const ifaddrs* a = all; a != nullptr; a = a->ifa_next) {
    if (a->ifa_addr == nullptr || a->ifa_netmask == nullptr || a->ifa_addr->sa_family != AF_INET) continue;
    // The name is the address's label, such as "eth0:1", which begins with the device's.
    napi_value entry = MakeObject(env);
    Set(env, entry, "device", MakeText(env, a->ifa_name, strcspn(a->ifa_name, ":")));
    Set(env, entry, "address", MakeU32(env, Ipv4Of(a->ifa_addr)));
    Set(env, entry, "mask", MakeU32(env, Ipv4Of(a->ifa_netmask)));
    napi_set_element(env, list, count++, entry);
  }
  freeifaddrs(all);
  return list;
}

}  // namespace

napi_status RegisterAddresses(napi_env env, napi_value exports) {
  return Define(env, exports, {{"addresses", Addresses}});
}

}  // namespace floatgate
