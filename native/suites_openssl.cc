// CBC ciphers, HMACs and GCM on the OpenSSL that the node binary carries. Its hash functions are the low-level
// ones: HMAC from saved hash states is a copy of a structure, without a lookup or an allocation a packet.
#define OPENSSL_SUPPRESS_DEPRECATED

#include <openssl/crypto.h>

#include <cstring>

#include "suites.h"

namespace floatgate {
namespace {

constexpr size_t kHashBlock = 64;  // of MD5, SHA-1 and SHA-256 alike
constexpr size_t kMaxDigest = 32;

const EVP_CIPHER* EvpCipher(Cipher cipher) {
  switch (cipher) {
    case Cipher::Des:
    case Cipher::TripleDes:
      return EVP_des_ede3_cbc();
    case Cipher::Aes128:
      return EVP_aes_128_cbc();
    case Cipher::Aes192:
      return EVP_aes_192_cbc();
    case Cipher::Aes256:
      return EVP_aes_256_cbc();
    case Cipher::AesGcm128:
      return EVP_aes_128_gcm();
    case Cipher::AesGcm192:
      return EVP_aes_192_gcm();
    case Cipher::AesGcm256:
      return EVP_aes_256_gcm();
  }
  return nullptr;
}

}  // namespace

OpensslKeys::~OpensslKeys() {
  EVP_CIPHER_CTX_free(cipher_);  // wipes the round keys
  OPENSSL_cleanse(&inner_, sizeof inner_);
  OPENSSL_cleanse(&outer_, sizeof outer_);
  OPENSSL_cleanse(salt_, sizeof salt_);
}

bool OpensslKeys::Expand(const SuiteKeys& keys) {
  // OpenSSL 3 keeps single DES in its legacy provider, which node has not: 3DES with three equal keys is the
  // same.
  uint8_t key[kMaxKey];
  size_t size = kCipherSizes[Index(keys.cipher)].key;
  std::memcpy(key, keys.cipher_key, size);
  if (keys.cipher == Cipher::Des) {
    std::memcpy(key + 8, key, 8);
    std::memcpy(key + 16, key, 8);
  }
  if (IsGcm(keys.cipher)) std::memcpy(salt_, key + size - kGcmSalt, kGcmSalt);
  if (cipher_ == nullptr) cipher_ = EVP_CIPHER_CTX_new();
  int encrypt = keys.direction == Direction::Encrypt ? 1 : 0;
  bool ok = cipher_ != nullptr &&
            EVP_CipherInit_ex(cipher_, EvpCipher(keys.cipher), nullptr, key, nullptr, encrypt) == 1 &&
            EVP_CIPHER_CTX_set_padding(cipher_, 0) == 1;
  OPENSSL_cleanse(key, sizeof key);

  integrity_ = keys.integrity;
  Absorb(keys, inner_, 0x36);
  Absorb(keys, outer_, 0x5c);
  return ok;
}

HmacStates::~HmacStates() {
  OPENSSL_cleanse(inner, sizeof inner);
  OPENSSL_cleanse(outer, sizeof outer);
}

// Each of OpenSSL's structures begins with the state.
void OpensslKeys::CopyTo(HmacStates& states) const {
  static_assert(sizeof states.inner == SHA256_DIGEST_LENGTH && sizeof states.inner <= sizeof(Hash));
  std::memcpy(states.inner, &inner_, sizeof states.inner);
  std::memcpy(states.outer, &outer_, sizeof states.outer);
}

// A hash state after the key block of HMAC.
void OpensslKeys::Absorb(const SuiteKeys& keys, Hash& hash, uint8_t pad) {
  uint8_t block[kHashBlock];
  size_t length = kIntegritySizes[Index(keys.integrity)].key;
  for (size_t i = 0; i < kHashBlock; i++) block[i] = pad ^ (i < length ? keys.integrity_key[i] : 0);
  switch (keys.integrity) {
    case Integrity::Md5:
      MD5_Init(&hash.md5);
      MD5_Update(&hash.md5, block, kHashBlock);
      break;
    case Integrity::Sha1:
      SHA1_Init(&hash.sha1);
      SHA1_Update(&hash.sha1, block, kHashBlock);
      break;
    case Integrity::Sha256:
      SHA256_Init(&hash.sha256);
      SHA256_Update(&hash.sha256, block, kHashBlock);
      break;
    case Integrity::Gcm:
      break;
  }
  OPENSSL_cleanse(block, sizeof block);
}

void OpensslKeys::Crypt(Job& job) {
  int length = 0;
  job.done = EVP_CipherInit_ex(cipher_, nullptr, nullptr, nullptr, job.iv, -1) == 1 &&
             EVP_CipherUpdate(cipher_, job.text, &length, job.text, static_cast<int>(job.text_length)) == 1 &&
             length == static_cast<int>(job.text_length);
}

void OpensslKeys::Sign(Job& job) {
  Hash hash = inner_;
  uint8_t digest[kMaxDigest];
  switch (integrity_) {
    case Integrity::Md5:
      MD5_Update(&hash.md5, job.packet, job.signed_length);
      MD5_Final(digest, &hash.md5);
      hash.md5 = outer_.md5;
      MD5_Update(&hash.md5, digest, MD5_DIGEST_LENGTH);
      MD5_Final(digest, &hash.md5);
      break;
    case Integrity::Sha1:
      SHA1_Update(&hash.sha1, job.packet, job.signed_length);
      SHA1_Final(digest, &hash.sha1);
      hash.sha1 = outer_.sha1;
      SHA1_Update(&hash.sha1, digest, SHA_DIGEST_LENGTH);
      SHA1_Final(digest, &hash.sha1);
      break;
    case Integrity::Sha256:
      SHA256_Update(&hash.sha256, job.packet, job.signed_length);
      SHA256_Final(digest, &hash.sha256);
      hash.sha256 = outer_.sha256;
      SHA256_Update(&hash.sha256, digest, SHA256_DIGEST_LENGTH);
      SHA256_Final(digest, &hash.sha256);
      break;
    case Integrity::Gcm:
      return;
  }
  std::memcpy(job.icv, digest, kIntegritySizes[Index(integrity_)].icv);
  job.done = true;
}

// OpenSSL compares tags itself: a wrong one is a job not done, a right one is the one that came.
void OpensslKeys::Gcm(Job& job) {
  uint8_t nonce[kGcmNonce];
  std::memcpy(nonce, salt_, kGcmSalt);
  std::memcpy(nonce + kGcmSalt, job.iv, kGcmNonce - kGcmSalt);
  bool opens = EVP_CIPHER_CTX_encrypting(cipher_) == 0;
  uint8_t tag[kGcmTag];
  if (opens) std::memcpy(tag, job.packet + job.signed_length, kGcmTag);
  int length = 0, rest = 0;
  job.done = EVP_CipherInit_ex(cipher_, nullptr, nullptr, nullptr, nonce, -1) == 1 &&
             (!opens || EVP_CIPHER_CTX_ctrl(cipher_, EVP_CTRL_AEAD_SET_TAG, kGcmTag, tag) == 1) &&
             EVP_CipherUpdate(cipher_, nullptr, &length, job.packet, kGcmHeader) == 1 &&
             EVP_CipherUpdate(cipher_, job.text, &length, job.text, static_cast<int>(job.text_length)) == 1 &&
             EVP_CipherFinal_ex(cipher_, job.text + length, &rest) == 1 &&
             (opens || EVP_CIPHER_CTX_ctrl(cipher_, EVP_CTRL_AEAD_GET_TAG, kGcmTag, tag) == 1);
  if (job.done) std::memcpy(job.icv, tag, kGcmTag);
}

}  // namespace floatgate
