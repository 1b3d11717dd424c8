// The ESP engine's functions for JavaScript: src/gateway/native.ts says what each takes.

#include "esp.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "batch.h"
#include "esp_engine.h"
#include "napi.h"

namespace floatgate {
namespace {

constexpr std::string_view kCipherNames[kCipherCount] = {"des", "3des", "aes128", "aes192", "aes256",
                                                         "aesgcm128", "aesgcm192", "aesgcm256"};
constexpr std::string_view kCryptoNames[] = {"openssl", "ipsec-mb", "avx512", "avx2", "portable", "vbmi", "shuffle",
                                            "sha1", "vaes-512", "vaes", "aes-ni"};
constexpr Crypto::Only kCryptos[] = {Crypto::Only::Openssl, Crypto::Only::IpsecMb,  Crypto::Only::Avx512, Crypto::Only::Avx2,
                                     Crypto::Only::Portable, Crypto::Only::Vbmi, Crypto::Only::Shuffle, Crypto::Only::Sha1,
                                     Crypto::Only::Vaes512, Crypto::Only::Vaes, Crypto::Only::AesNi};
const char* CryptoName(Crypto::Only only) {
  return kCryptoNames[std::find(std::begin(kCryptos), std::end(kCryptos), only) - std::begin(kCryptos)].data();
}
constexpr std::string_view kIntegrityNames[kIntegrityCount] = {"md5", "sha1", "sha256", "gcm"};

napi_value ThrowRange(napi_env env, const char* message) {
  napi_throw_range_error(env, "ERR_OUT_OF_RANGE", message);
  return nullptr;
}

Engine* UnwrapEngine(Args& args) {
  napi_value value = args.Value(0);
  return args.ok() ? Unwrap<Engine>(args.env(), value, "engine") : nullptr;
}

napi_value Versions(napi_env env, napi_callback_info) {
  napi_value versions = MakeObject(env);
  if (const char* version = IpsecMbVersion()) Set(env, versions, "ipsecMb", MakeText(env, version));
  Set(env, versions, "openssl", MakeText(env, OpenSSL_version(OPENSSL_VERSION_STRING)));
  napi_value units = MakeArray(env);
  uint32_t count = 0;
  for (const DesShuffle* way : {DesVbmi(), DesShuffleAvx2()}) {
    if (way != nullptr) napi_set_element(env, units, count++, MakeText(env, way->name));
  }
  for (const DesUnit* unit : {DesAvx512(), DesAvx2(), DesPortable()}) {
    if (unit != nullptr) napi_set_element(env, units, count++, MakeText(env, unit->name));
  }
  Set(env, versions, "des", units);
  Set(env, versions, "sha1", MakeBool(env, Sha1Lanes::Create() != nullptr));
  napi_value aes = MakeArray(env);
  count = 0;
  for (Crypto::Only only : {Crypto::Only::Vaes512, Crypto::Only::Vaes, Crypto::Only::AesNi}) {
    if (Crypto(only).usable()) napi_set_element(env, aes, count++, MakeText(env, CryptoName(only)));
  }
  Set(env, versions, "aes", aes);
  return versions;
}

void DeleteEngine(napi_env, void* data, void*) { delete static_cast<Engine*>(data); }

napi_value MakeEngine(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Crypto::Only only = Crypto::Only::Best;
  if (args.count() > 0) {
    std::string name = args.Text(0);
    if (!args.ok()) return nullptr;
    const auto* found = std::find(std::begin(kCryptoNames), std::end(kCryptoNames), name);
    if (found == std::end(kCryptoNames)) return ThrowRange(env, "no crypto of that name");
    only = kCryptos[found - kCryptoNames];
  }
  auto engine = std::make_unique<Engine>(only);
  if (!engine->usable()) return ThrowRange(env, "that crypto is not to be had here");
  napi_value external = nullptr;
  if (napi_create_external(env, engine.get(), DeleteEngine, nullptr, &external) != napi_ok) {
    return ThrowType(env, "the engine cannot be made");
  }
  engine.release();
  return external;
}

napi_value SetPath(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Engine* engine = UnwrapEngine(args);
  uint32_t peer = args.U32(1);
  Path path = {args.U32(2), args.U32(3), args.U32(4)};
  if (!args.ok() || engine == nullptr) return nullptr;
  if (peer >= kMaxPeers) return ThrowRange(env, "peer");
  engine->SetPath(peer, path);
  return nullptr;
}

napi_value RemovePeer(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Engine* engine = UnwrapEngine(args);
  uint32_t peer = args.U32(1);
  if (!args.ok() || engine == nullptr) return nullptr;
  engine->RemovePeer(peer);
  return nullptr;
}

// The arguments that both kinds of SA begin with: engine, spi, peer, cipher, key, integrity, key. The keys'
// bytes in JavaScript's memory are wiped when this goes, whatever came of the call.
class SaArgs {
 public:
  explicit SaArgs(Args& args) : engine_(UnwrapEngine(args)) {
    request_.spi = args.U32(1);
    request_.peer = args.U32(2);
    cipher_ = args.Text(3);
    cipher_key_ = args.Bytes(4);
    integrity_ = args.Text(5);
    integrity_key_ = args.Bytes(6);
  }
  SaArgs(const SaArgs&) = delete;
  SaArgs& operator=(const SaArgs&) = delete;
  ~SaArgs() {
    if (cipher_key_.size > 0) OPENSSL_cleanse(cipher_key_.data, cipher_key_.size);
    if (integrity_key_.size > 0) OPENSSL_cleanse(integrity_key_.data, integrity_key_.size);
  }

  Engine& engine() { return *engine_; }
  bool ok() const { return engine_ != nullptr; }

  // Answers what is wrong, or nullptr.
  const char* Complete(Direction direction, uint64_t soft_bytes, uint64_t hard_bytes) {
    const auto* cipher = std::find(std::begin(kCipherNames), std::end(kCipherNames), cipher_);
    const auto* integrity = std::find(std::begin(kIntegrityNames), std::end(kIntegrityNames), integrity_);
    if (cipher == std::end(kCipherNames)) return "unknown cipher";
    if (integrity == std::end(kIntegrityNames)) return "unknown integrity algorithm";
    size_t c = static_cast<size_t>(cipher - kCipherNames);
    size_t i = static_cast<size_t>(integrity - kIntegrityNames);
    if (!GoTogether(static_cast<Cipher>(c), static_cast<Integrity>(i))) return "a cipher and an integrity algorithm apart";
    if (cipher_key_.size != kCipherSizes[c].key) return "the encryption key has the wrong length";
    if (integrity_key_.size != kIntegritySizes[i].key) return "the integrity key has the wrong length";
    if (request_.spi == 0) return "SPI 0";
    if (request_.peer >= kMaxPeers) return "peer";
    request_.keys = {.cipher = static_cast<Cipher>(c),
                     .integrity = static_cast<Integrity>(i),
                     .direction = direction,
                     .cipher_key = cipher_key_.data,
                     .integrity_key = integrity_key_.data};
    request_.soft_bytes = soft_bytes;
    request_.hard_bytes = hard_bytes;
    return nullptr;
  }
  const SaRequest& request() const { return request_; }

 private:
  Engine* engine_;
  SaRequest request_{};
  std::string cipher_, integrity_;
  ByteSpan cipher_key_, integrity_key_;
};

napi_value InstallInbound(napi_env env, napi_callback_info info) {
  Args args(env, info);
  SaArgs sa(args);
  uint32_t window = args.U32(7);
  uint64_t soft_bytes = args.U64(8);
  uint64_t hard_bytes = args.U64(9);
  if (!args.ok() || !sa.ok()) return nullptr;
  if (const char* fault = sa.Complete(Direction::Decrypt, soft_bytes, hard_bytes))
    return ThrowRange(env, fault);
  if (!ReplayWindow::Allows(window)) return ThrowRange(env, "replay window");
  if (!sa.engine().InstallInbound(sa.request(), window)) return ThrowRange(env, "the cipher is refused");
  return nullptr;
}

napi_value InstallOutbound(napi_env env, napi_callback_info info) {
  Args args(env, info);
  SaArgs sa(args);
  uint64_t soft_bytes = args.U64(7);
  uint64_t hard_bytes = args.U64(8);
  uint32_t sequence = args.count() > 9 ? args.U32(9) : 0;
  if (!args.ok() || !sa.ok()) return nullptr;
  if (const char* fault = sa.Complete(Direction::Encrypt, soft_bytes, hard_bytes))
    return ThrowRange(env, fault);
  if (!sa.engine().InstallOutbound(sa.request(), sequence)) return ThrowRange(env, "the cipher is refused");
  return nullptr;
}

napi_value RemoveInbound(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Engine* engine = UnwrapEngine(args);
  uint32_t spi = args.U32(1);
  if (!args.ok() || engine == nullptr) return nullptr;
  engine->RemoveInbound(spi);
  return nullptr;
}

napi_value PeersOf(napi_env env, napi_callback_info info) {
  Args args(env, info, 4);
  Engine* engine = UnwrapEngine(args);
  napi_value value = args.Value(1);
  uint32_t count = args.U32(2);
  WordSpan peers = args.Words(3);
  if (!args.ok() || engine == nullptr) return nullptr;
  const BatchView* batch = UnwrapBatch(env, value);
  if (batch == nullptr) return nullptr;
  if (count > kBatchCapacity || peers.size < count) return ThrowRange(env, "peers");
  engine->PeersOf(*batch, count, peers.data);
  return nullptr;
}

napi_value RemoveOutbound(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Engine* engine = UnwrapEngine(args);
  uint32_t peer = args.U32(1);
  uint32_t spi = args.U32(2);
  if (!args.ok() || engine == nullptr) return nullptr;
  engine->RemoveOutbound(peer, spi);
  return nullptr;
}

napi_value Run(napi_env env, napi_callback_info info, void (Engine::*step)(const BatchView&, uint32_t)) {
  Args args(env, info, 3);
  Engine* engine = UnwrapEngine(args);
  napi_value value = args.Value(1);
  uint32_t count = args.U32(2);
  if (!args.ok() || engine == nullptr) return nullptr;
  BatchView* batch = UnwrapBatch(env, value);
  if (batch == nullptr) return nullptr;
  (engine->*step)(*batch, std::min(count, kBatchCapacity));
  return MakeU32(env, static_cast<uint32_t>(engine->events().size()));
}

napi_value Open(napi_env env, napi_callback_info info) { return Run(env, info, &Engine::Open); }
napi_value Seal(napi_env env, napi_callback_info info) { return Run(env, info, &Engine::Seal); }
napi_value Expect(napi_env env, napi_callback_info info) { return Run(env, info, &Engine::Expect); }

napi_value MakeEvent(napi_env env, const Event& event) {
  static constexpr const char* kKinds[] = {"first", "moved", "soft", "hard", "shortIcv"};
  napi_value object = MakeObject(env);
  Set(env, object, "kind", MakeText(env, kKinds[static_cast<size_t>(event.kind)]));
  Set(env, object, "peer", MakeU32(env, event.peer));
  if (event.kind == Event::Kind::Moved) {
    Set(env, object, "local", MakeU32(env, event.path.local));
    Set(env, object, "remote", MakeU32(env, event.path.remote));
    Set(env, object, "port", MakeU32(env, event.path.port));
    return object;
  }
  Set(env, object, "spi", MakeU32(env, event.spi));
  if (event.kind == Event::Kind::Soft || event.kind == Event::Kind::Hard) {
    Set(env, object, "inbound", MakeBool(env, event.inbound));
  }
  return object;
}

napi_value TakeEvents(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Engine* engine = UnwrapEngine(args);
  if (engine == nullptr) return nullptr;
  napi_value taken = MakeArray(env);
  uint32_t at = 0;
  for (const Event& event : engine->events()) napi_set_element(env, taken, at++, MakeEvent(env, event));
  engine->events().clear();
  return taken;
}

napi_value MakeUsage(napi_env env, const std::optional<Usage>& usage) {
  if (!usage.has_value()) return Undefined(env);
  napi_value object = MakeObject(env);
  Set(env, object, "packets", MakeDouble(env, static_cast<double>(usage->packets)));
  Set(env, object, "bytes", MakeDouble(env, static_cast<double>(usage->bytes)));
  Set(env, object, "badIcv", MakeDouble(env, static_cast<double>(usage->bad_icv)));
  Set(env, object, "replayed", MakeDouble(env, static_cast<double>(usage->replayed)));
  return object;
}

napi_value InboundUsage(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Engine* engine = UnwrapEngine(args);
  uint32_t spi = args.U32(1);
  if (!args.ok() || engine == nullptr) return nullptr;
  return MakeUsage(env, engine->InboundUsage(spi));
}

napi_value OutboundUsage(napi_env env, napi_callback_info info) {
  Args args(env, info);
  Engine* engine = UnwrapEngine(args);
  uint32_t peer = args.U32(1);
  uint32_t spi = args.U32(2);
  if (!args.ok() || engine == nullptr) return nullptr;
  return MakeUsage(env, engine->OutboundUsage(peer, spi));
}

}  // namespace

napi_status RegisterEsp(napi_env env, napi_value exports) {
  return Define(env, exports,
                {{"versions", Versions},
                 {"engine", MakeEngine},
                 {"setPath", SetPath},
                 {"removePeer", RemovePeer},
                 {"installInbound", InstallInbound},
                 {"installOutbound", InstallOutbound},
                 {"removeInbound", RemoveInbound},
                 {"peersOf", PeersOf},
                 {"removeOutbound", RemoveOutbound},
                 {"open", Open},
                 {"seal", Seal},
                 {"expect", Expect},
                 {"takeEvents", TakeEvents},
                 {"inboundUsage", InboundUsage},
                 {"outboundUsage", OutboundUsage}});
}

}  // namespace floatgate
