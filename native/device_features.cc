// Features of network devices, by the names that ethtool shows. The kernel numbers them, each version in its own way.

#include "device_features.h"

#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "napi.h"

namespace floatgate {
namespace {

// What ethtool's requests are made of: a structure of fixed size and what its count says behind it.
struct Request {
  explicit Request(size_t bytes) : words((bytes + 7) / 8) {}
  template <typename T>
  T* As() {
    return reinterpret_cast<T*>(words.data());
  }
  std::vector<uint64_t> words;
};

// One device's ethtool. The first call that the kernel refuses leaves its errno, and the later ones do nothing.
class Device {
 public:
  explicit Device(const std::string& name) {
    fd_ = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd_ < 0) error_ = errno;
    if (name.size() >= IFNAMSIZ) {
      error_ = ENODEV;
      return;
    }
    std::memcpy(ifreq_.ifr_name, name.data(), name.size());
  }
  ~Device() {
    if (fd_ >= 0) close(fd_);
  }
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  int error() const { return error_; }

  // The feature's number, or -1 where this kernel knows none of that name.
  int64_t Find(const std::string& feature) {
    Request count(sizeof(ethtool_sset_info) + sizeof(uint32_t));
    auto* info = count.As<ethtool_sset_info>();
    info->cmd = ETHTOOL_GSSET_INFO;
    info->sset_mask = 1ull << ETH_SS_FEATURES;
    if (!Ask(info)) return -1;
    features_ = info->data[0];
    Request names(sizeof(ethtool_gstrings) + size_t{features_} * ETH_GSTRING_LEN);
    auto* strings = names.As<ethtool_gstrings>();
    strings->cmd = ETHTOOL_GSTRINGS;
    strings->string_set = ETH_SS_FEATURES;
    strings->len = features_;
    if (!Ask(strings)) return -1;
    for (uint32_t i = 0; i < features_; i++) {
      const char* name = reinterpret_cast<const char*>(strings->data) + size_t{i} * ETH_GSTRING_LEN;
      if (feature == std::string(name, strnlen(name, ETH_GSTRING_LEN))) return i;
    }
    return -1;
  }

  bool IsOn(uint32_t feature) {
    const uint32_t blocks = Blocks();
    Request request(sizeof(ethtool_gfeatures) + blocks * sizeof(ethtool_get_features_block));
    auto* features = request.As<ethtool_gfeatures>();
    features->cmd = ETHTOOL_GFEATURES;
    features->size = blocks;
    return Ask(features) && (features->features[feature / 32].active >> feature % 32 & 1u) != 0;
  }

  void Turn(uint32_t feature, bool on) {
    const uint32_t blocks = Blocks();
    Request request(sizeof(ethtool_sfeatures) + blocks * sizeof(ethtool_set_features_block));
    auto* features = request.As<ethtool_sfeatures>();
    features->cmd = ETHTOOL_SFEATURES;
    features->size = blocks;
    const uint32_t bit = 1u << feature % 32;
    features->features[feature / 32] = {.valid = bit, .requested = on ? bit : 0};
    Ask(features);
  }

 private:
  uint32_t Blocks() const { return (features_ + 31) / 32; }

  bool Ask(void* request) {
    if (error_ != 0) return false;
    ifreq_.ifr_data = static_cast<char*>(request);
    if (ioctl(fd_, SIOCETHTOOL, &ifreq_) < 0) error_ = errno;
    return error_ == 0;
  }

  int fd_ = -1;
  int error_ = 0;
  ifreq ifreq_ = {};
  uint32_t features_ = 0;
};

napi_value DeviceFeature(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Device device(args.Text(0));
  const std::string name = args.Text(1);
  if (!args.ok()) return nullptr;
  const int64_t feature = device.Find(name);
  const bool on = feature >= 0 && device.IsOn(static_cast<uint32_t>(feature));
  if (device.error() != 0) return ThrowErrno(env, device.error(), "ioctl");
  return feature < 0 ? Undefined(env) : MakeBool(env, on);
}

napi_value SetDeviceFeature(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Device device(args.Text(0));
  const std::string name = args.Text(1);
  const bool on = args.Bool(2);
  if (!args.ok()) return nullptr;
  const int64_t feature = device.Find(name);
  if (feature >= 0) device.Turn(static_cast<uint32_t>(feature), on);
  // A device may have its reasons to leave a feature as it is: no error then.
  const bool is = feature >= 0 && device.IsOn(static_cast<uint32_t>(feature));
  if (device.error() != 0) return ThrowErrno(env, device.error(), "ioctl");
  return MakeBool(env, is == on);
}

}  // namespace

napi_status RegisterFeatures(napi_env env, napi_value exports) {
  return Define(env, exports, {{"deviceFeature", DeviceFeature}, {"setDeviceFeature", SetDeviceFeature}});
}

}  // namespace floatgate
