// Times the ESP engine's cryptography beside OpenSSL's EVP, called from here one packet after the other: one line of
// JSON for each suite, direction, batch size and implementation. bench/crypto.bench.ts builds it and makes the table.
//
//   crypto [bytes [milliseconds a cell [suite or "all" [implementation]]]]
//
// Implementations take turns, and each is given its best time, so that what else runs here troubles all alike.

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "../esp_engine.h"
#include "../test/own_batch.h"

using namespace floatgate;

namespace {

struct Suite {
  const char* name;
  Cipher cipher;
  Integrity integrity;
  const char* evp_cipher;
  const char* evp_digest;
  bool signs;  // else the cipher alone is timed
};
constexpr Suite kSuites[] = {
    {"des", Cipher::Des, Integrity::Md5, "DES-EDE3-CBC", "MD5", false},
    {"3des", Cipher::TripleDes, Integrity::Sha1, "DES-EDE3-CBC", "SHA1", false},
    {"aes128", Cipher::Aes128, Integrity::Sha1, "AES-128-CBC", "SHA1", false},
    {"des-md5", Cipher::Des, Integrity::Md5, "DES-EDE3-CBC", "MD5", true},
    {"3des-md5", Cipher::TripleDes, Integrity::Md5, "DES-EDE3-CBC", "MD5", true},
    {"3des-sha1", Cipher::TripleDes, Integrity::Sha1, "DES-EDE3-CBC", "SHA1", true},
    {"aes128-sha1", Cipher::Aes128, Integrity::Sha1, "AES-128-CBC", "SHA1", true},
    {"aes256-sha256", Cipher::Aes256, Integrity::Sha256, "AES-256-CBC", "SHA256", true},
    {"aesgcm128", Cipher::AesGcm128, Integrity::Gcm, "AES-128-GCM", nullptr, true},
    {"aesgcm256", Cipher::AesGcm256, Integrity::Gcm, "AES-256-GCM", nullptr, true},
};

struct Kind {
  const char* name;
  Crypto::Only only;
};
constexpr Kind kKinds[] = {
    {"chosen", Crypto::Only::Best},   {"openssl", Crypto::Only::Openssl}, {"ipsec-mb", Crypto::Only::IpsecMb},
    {"avx512", Crypto::Only::Avx512}, {"avx2", Crypto::Only::Avx2},       {"portable", Crypto::Only::Portable},
    {"vbmi", Crypto::Only::Vbmi},     {"shuffle", Crypto::Only::Shuffle},
    {"sha1", Crypto::Only::Sha1},     {"vaes-512", Crypto::Only::Vaes512}, {"vaes", Crypto::Only::Vaes},
    {"aes-ni", Crypto::Only::AesNi},
};

constexpr uint32_t kSpi = 0x1000;

uint8_t KeyByte(uint32_t sa, size_t i) { return static_cast<uint8_t>(sa * 37 + i * 101 + 11); }

// What a program that calls EVP packet by packet does, with contexts that keep each SA's keys.
class Evp {
 public:
  Evp(const Suite& suite, Direction direction, uint32_t sa) : suite_(suite), seals_(direction == Direction::Encrypt) {
    uint8_t key[kMaxKey], integrity_key[32];
    for (size_t i = 0; i < kMaxKey; i++) key[i] = KeyByte(sa, i);
    std::memcpy(integrity_key, key, 32);
    std::memcpy(salt_, key + kCipherSizes[Index(suite.cipher)].key - kGcmSalt, kGcmSalt);
    if (suite.cipher == Cipher::Des) {
      std::memcpy(key + 8, key, 8);
      std::memcpy(key + 16, key, 8);
    }
    cipher_ = EVP_CIPHER_CTX_new();
    EVP_CIPHER* algorithm = EVP_CIPHER_fetch(nullptr, suite.evp_cipher, nullptr);
    EVP_CipherInit_ex2(cipher_, algorithm, key, nullptr, seals_ ? 1 : 0, nullptr);
    EVP_CIPHER_CTX_set_padding(cipher_, 0);
    EVP_CIPHER_free(algorithm);
    if (IsGcm(suite.cipher)) return;
    EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    mac_ = EVP_MAC_CTX_new(hmac);
    EVP_MAC_free(hmac);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, const_cast<char*>(suite.evp_digest), 0),
        OSSL_PARAM_construct_end()};
    EVP_MAC_init(mac_, integrity_key, kIntegritySizes[Index(suite.integrity)].key, params);
  }
  Evp(const Evp&) = delete;
  ~Evp() {
    EVP_CIPHER_CTX_free(cipher_);
    EVP_MAC_CTX_free(mac_);
  }

  void Crypt(const uint8_t* iv, uint8_t* text, size_t length) {
    int done = 0;
    EVP_CipherInit_ex2(cipher_, nullptr, nullptr, iv, -1, nullptr);
    EVP_CipherUpdate(cipher_, text, &done, text, static_cast<int>(length));
    if (done != static_cast<int>(length)) std::abort();
  }
  void Mac(const uint8_t* from, size_t length, uint8_t* mac) {
    size_t size = 0;
    EVP_MAC_init(mac_, nullptr, 0, nullptr);
    EVP_MAC_update(mac_, from, length);
    EVP_MAC_final(mac_, mac, &size, 32);
  }
  bool Gcm(const uint8_t* packet, uint8_t* text, size_t length, uint8_t* tag) {
    uint8_t nonce[kGcmNonce];
    std::memcpy(nonce, salt_, kGcmSalt);
    std::memcpy(nonce + kGcmSalt, packet + kGcmHeader, kGcmNonce - kGcmSalt);
    int done = 0;
    EVP_CipherInit_ex2(cipher_, nullptr, nullptr, nonce, -1, nullptr);
    if (!seals_) EVP_CIPHER_CTX_ctrl(cipher_, EVP_CTRL_AEAD_SET_TAG, kGcmTag, tag);
    EVP_CipherUpdate(cipher_, nullptr, &done, packet, kGcmHeader);
    EVP_CipherUpdate(cipher_, text, &done, text, static_cast<int>(length));
    bool good = EVP_CipherFinal_ex(cipher_, text + done, &done) == 1;
    if (seals_) EVP_CIPHER_CTX_ctrl(cipher_, EVP_CTRL_AEAD_GET_TAG, kGcmTag, tag);
    return good;
  }
  // A packet of `length` bytes of payload at `text`, with room around it.
  void Seal(uint8_t* text, size_t length, uint32_t sequence) {
    const CipherSizes& sizes = kCipherSizes[Index(suite_.cipher)];
    size_t whole = (length + 2 + sizes.block - 1) / sizes.block * sizes.block;
    for (size_t i = length; i < whole - 2; i++) text[i] = static_cast<uint8_t>(i - length + 1);
    text[whole - 2] = static_cast<uint8_t>(whole - 2 - length);
    text[whole - 1] = 17;
    uint8_t* packet = text - sizes.iv - 8;
    std::memcpy(packet, &kSpi, 4);
    std::memcpy(packet + 4, &sequence, 4);
    if (IsGcm(suite_.cipher)) {
      std::memset(packet + 8, 0, 4);
      std::memcpy(packet + 12, &sequence, 4);
      Gcm(packet, text, whole, text + whole);
      return;
    }
    RAND_bytes(packet + 8, sizes.iv);
    Crypt(packet + 8, text, whole);
    uint8_t mac[32];
    Mac(packet, 8 + sizes.iv + whole, mac);
    std::memcpy(text + whole, mac, kIntegritySizes[Index(suite_.integrity)].icv);
  }
  bool Open(uint8_t* packet, size_t length) {
    const CipherSizes& sizes = kCipherSizes[Index(suite_.cipher)];
    size_t icv = kIntegritySizes[Index(suite_.integrity)].icv;
    if (IsGcm(suite_.cipher)) return Gcm(packet, packet + 16, length - 16 - icv, packet + length - icv);
    uint8_t mac[32];
    Mac(packet, length - icv, mac);
    if (CRYPTO_memcmp(mac, packet + length - icv, icv) != 0) return false;
    Crypt(packet + 8, packet + 8 + sizes.iv, length - 8 - sizes.iv - icv);
    return true;
  }

 private:
  const Suite& suite_;
  bool seals_;
  uint8_t salt_[kGcmSalt];
  EVP_CIPHER_CTX* cipher_;
  EVP_MAC_CTX* mac_ = nullptr;
};

struct Contender {
  const char* name;
  std::function<void()> prepare;  // not timed: both contenders work in place, and need their packets anew
  std::function<void()> run;
  double best = 1e9;
};

// EVP and the others, or `only` that one of them.
void Race(const Suite& suite, Direction direction, uint32_t count, uint32_t bytes, double seconds, const char* only) {
  auto left_out = [only](const Kind& kind) { return only != nullptr && std::strcmp(only, kind.name) != 0; };
  bool seals = direction == Direction::Encrypt;
  const CipherSizes& sizes = kCipherSizes[Index(suite.cipher)];
  uint32_t whole = (bytes + 2 + sizes.block - 1) / sizes.block * sizes.block;
  std::vector<Contender> contenders;
  OwnBatch plain, batch;
  for (uint32_t row = 0; row < count; row++) {
    plain.view.MakeRow(row, row * kSlotSize + kHeadroom, bytes);
    std::memset(plain.view.Packet(row), static_cast<int>(row), bytes);
    plain.view.peer[row] = row;
  }

  // Each packet has an SA of its own.
  std::vector<std::unique_ptr<Evp>> evps;
  for (uint32_t i = 0; i < count; i++) evps.push_back(std::make_unique<Evp>(suite, direction, i));
  std::vector<std::unique_ptr<Engine>> engines;
  std::vector<std::unique_ptr<Crypto>> cryptos;
  std::vector<std::unique_ptr<Keys>> keys;
  std::vector<std::unique_ptr<std::vector<Job>>> jobs;
  OwnBatch sealed;

  if (suite.signs) {
    auto engine_of = [&](Crypto::Only only) {
      auto engine = std::make_unique<Engine>(only);
      for (uint32_t i = 0; engine->usable() && i < count; i++) {
        uint8_t key[kMaxKey];
        for (size_t k = 0; k < kMaxKey; k++) key[k] = KeyByte(i, k);
        SaRequest request = {.spi = kSpi + i,
                             .peer = i,
                             .keys = {suite.cipher, suite.integrity, Direction::Encrypt, key, key},
                             .soft_bytes = 0,
                             .hard_bytes = 0};
        engine->SetPath(i, {1, 2, 4500});
        engine->InstallOutbound(request, 0);
        request.keys.direction = Direction::Decrypt;
        engine->InstallInbound(request, 0);
      }
      return engine;
    };
    auto sealer = engine_of(Crypto::Only::Openssl);
    sealed.CopyFrom(plain, count);
    sealer->Seal(sealed.view, count);
    auto renew = [&] { batch.CopyFrom(seals ? plain : sealed, count); };
    contenders.push_back({"evp", renew, [&] {
                            for (uint32_t i = 0; i < count; i++) {
                              uint8_t* at = batch.view.Packet(i);
                              if (seals) {
                                evps[i]->Seal(at, bytes, i);
                              } else if (!evps[i]->Open(at, batch.view.length[i])) {
                                std::abort();
                              }
                            }
                          }});
    for (const Kind& kind : kKinds) {
      if (left_out(kind)) continue;
      auto engine = engine_of(kind.only);
      if (!engine->usable()) continue;
      Engine* e = engine.get();
      engines.push_back(std::move(engine));
      contenders.push_back({kind.name, renew, [&, e] {
                              if (seals) {
                                e->Seal(batch.view, count);
                              } else {
                                e->Open(batch.view, count);
                              }
                              e->events().clear();
                              if (!batch.view.Forwards(count - 1)) std::abort();
                            }});
    }
  } else {
    contenders.push_back({"evp", [] {}, [&] {
                            for (uint32_t i = 0; i < count; i++) {
                              uint8_t* at = batch.view.bytes + i * kSlotSize;
                              evps[i]->Crypt(at, at + sizes.iv, whole);
                            }
                          }});
    for (const Kind& kind : kKinds) {
      if (kind.only == Crypto::Only::Openssl || left_out(kind)) continue;
      auto crypto = std::make_unique<Crypto>(kind.only);
      if (!crypto->usable()) continue;
      auto list = std::make_unique<std::vector<Job>>();
      for (uint32_t i = 0; i < count; i++) {
        uint8_t key[kMaxKey];
        for (size_t k = 0; k < kMaxKey; k++) key[k] = KeyByte(i, k);
        keys.push_back(std::make_unique<Keys>());
        crypto->Expand({suite.cipher, suite.integrity, direction, key, key}, *keys.back());
        uint8_t* at = batch.view.bytes + i * kSlotSize;
        list->push_back({.keys = keys.back().get(),
                         .packet = at,
                         .signed_length = 0,
                         .icv = nullptr,
                         .iv = at,
                         .text = at + sizes.iv,
                         .text_length = whole,
                         .done = false});
      }
      Crypto* c = crypto.get();
      std::vector<Job>* all = list.get();
      cryptos.push_back(std::move(crypto));
      jobs.push_back(std::move(list));
      contenders.push_back({kind.name, [] {}, [c, all] {
                              Job* each[kBatchCapacity];
                              for (size_t i = 0; i < all->size(); i++) each[i] = &(*all)[i];
                              c->Crypt(each, all->size());
                            }});
    }
  }

  using Clock = std::chrono::steady_clock;
  auto now = [] { return std::chrono::duration<double>(Clock::now().time_since_epoch()).count(); };
  double end = now() + seconds * static_cast<double>(contenders.size());
  int rounds = 0;
  do {
    for (Contender& contender : contenders) {
      contender.prepare();
      double start = now();
      contender.run();
      contender.best = std::min(contender.best, now() - start);
    }
  } while (++rounds < 8 || now() < end);
  for (const Contender& contender : contenders) {
    std::printf("{\"suite\":\"%s\",\"direction\":\"%s\",\"batch\":%u,\"bytes\":%u,\"by\":\"%s\",\"us\":%.4f,\"ratio\":%.3f}\n",
                suite.name, seals ? (suite.signs ? "seal" : "encrypt") : (suite.signs ? "open" : "decrypt"), count, bytes,
                contender.name, contender.best * 1e6 / count, contenders[0].best / contender.best);
  }
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  auto bytes = static_cast<uint32_t>(argc > 1 ? std::atoi(argv[1]) : 1408);
  double seconds = (argc > 2 ? std::atof(argv[2]) : 30) / 1000;
  if (bytes == 0 || bytes > kMaxPacket - 64) return 2;
  for (const Suite& suite : kSuites) {
    if (argc > 3 && std::strcmp(argv[3], "all") != 0 && std::strcmp(argv[3], suite.name) != 0) continue;
    for (Direction direction : {Direction::Encrypt, Direction::Decrypt}) {
      for (uint32_t count : {1, 4, 16, 32, 64, 128, 256}) Race(suite, direction, count, bytes, seconds, argc > 4 ? argv[4] : nullptr);
    }
  }
  return 0;
}
