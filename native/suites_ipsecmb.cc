// CBC ciphers, HMACs and GCM by libipsec-mb: the packets of a batch go through the vector unit side by side,
// whatever SAs they belong to.
#ifdef HAVE_IPSEC_MB

#include <openssl/crypto.h>

#include <cstring>

#include "suites.h"

namespace floatgate {
namespace {

constexpr IMB_CIPHER_MODE kCipherModes[kCipherCount] = {IMB_CIPHER_DES, IMB_CIPHER_DES3, IMB_CIPHER_CBC,
                                                        IMB_CIPHER_CBC, IMB_CIPHER_CBC, IMB_CIPHER_GCM,
                                                        IMB_CIPHER_GCM, IMB_CIPHER_GCM};
constexpr IMB_HASH_ALG kHashes[kIntegrityCount] = {IMB_AUTH_MD5, IMB_AUTH_HMAC_SHA_1, IMB_AUTH_HMAC_SHA_256,
                                                   IMB_AUTH_AES_GMAC};

// Whole batches of one algorithm in one call, with less to keep book of: since 1.3.
#ifdef IMB_SUBMIT_CIPHER_BURST_NOCHECK
constexpr bool kBursts = true;
#else
constexpr bool kBursts = false;
#define IMB_SUBMIT_CIPHER_BURST_NOCHECK(...)
#define IMB_SUBMIT_HASH_BURST_NOCHECK(manager, jobs, count, hash) (static_cast<void>(manager), static_cast<void>(hash))
#endif

void Complete(const IMB_JOB* finished) {
  if (finished == nullptr) return;
  static_cast<Job*>(finished->user_data)->done = finished->status == IMB_STATUS_COMPLETED;
}

}  // namespace

IpsecMbKeys::~IpsecMbKeys() {
  OPENSSL_cleanse(aes, sizeof aes);
  OPENSSL_cleanse(salt, sizeof salt);
  if (gcm != nullptr) OPENSSL_cleanse(gcm.get(), sizeof *gcm);
  if (des != nullptr) OPENSSL_cleanse(des->bytes, sizeof des->bytes);
}

std::unique_ptr<IpsecMb> IpsecMb::Create() {
  IMB_MGR* manager = alloc_mb_mgr(0);
  if (manager == nullptr) return nullptr;
  IMB_ARCH arch = IMB_ARCH_NONE;
  init_mb_mgr_auto(manager, &arch);
  // Without AES instructions the library emulates them, which OpenSSL does better.
  if (imb_get_errno(manager) != 0 || arch < IMB_ARCH_SSE) {
    free_mb_mgr(manager);
    return nullptr;
  }
  // With AVX-512 the library hashes in lanes alone; the SHA instructions it uses for what has no such lanes.
  IMB_MGR* pairs = kBursts && (manager->features & IMB_FEATURE_SHANI) != 0 ? alloc_mb_mgr(0) : nullptr;
  if (pairs != nullptr) init_mb_mgr_sse(pairs);
  return std::unique_ptr<IpsecMb>(new IpsecMb(manager, pairs));
}

IpsecMb::~IpsecMb() {
  free_mb_mgr(manager_);
  if (pairs_ != nullptr) free_mb_mgr(pairs_);
}

void IpsecMb::Expand(const SuiteKeys& keys, bool des, IpsecMbKeys& expanded) {
  if (IsGcm(keys.cipher)) {
    if (expanded.gcm == nullptr) expanded.gcm = std::make_unique<gcm_key_data>();
    std::memcpy(expanded.salt, keys.cipher_key + kCipherSizes[Index(keys.cipher)].key - kGcmSalt, kGcmSalt);
    if (keys.cipher == Cipher::AesGcm128) IMB_AES128_GCM_PRE(manager_, keys.cipher_key, expanded.gcm.get());
    if (keys.cipher == Cipher::AesGcm192) IMB_AES192_GCM_PRE(manager_, keys.cipher_key, expanded.gcm.get());
    if (keys.cipher == Cipher::AesGcm256) IMB_AES256_GCM_PRE(manager_, keys.cipher_key, expanded.gcm.get());
    return;
  }
  // The library answers both directions' AES round keys; one of them is wanted.
  alignas(64) uint8_t other[kMaxAesSchedule];
  bool encrypts = keys.direction == Direction::Encrypt;
  uint8_t* encryption = encrypts ? expanded.aes : other;
  uint8_t* decryption = encrypts ? other : expanded.aes;
  switch (keys.cipher) {
    case Cipher::Aes128:
      IMB_AES_KEYEXP_128(manager_, keys.cipher_key, encryption, decryption);
      break;
    case Cipher::Aes192:
      IMB_AES_KEYEXP_192(manager_, keys.cipher_key, encryption, decryption);
      break;
    case Cipher::Aes256:
      IMB_AES_KEYEXP_256(manager_, keys.cipher_key, encryption, decryption);
      break;
    case Cipher::Des:
    case Cipher::TripleDes:
      if (!des) break;
      if (expanded.des == nullptr) expanded.des = std::make_unique<IpsecMbKeys::DesSchedules>();
      for (size_t i = 0; i < kCipherSizes[Index(keys.cipher)].key / 8u; i++) {
        uint8_t* schedule = expanded.des->bytes + i * IMB_DES_KEY_SCHED_SIZE;
        expanded.des->of[i] = schedule;
        des_key_schedule(reinterpret_cast<uint64_t*>(schedule), keys.cipher_key + i * 8);
      }
      break;
    default:
      break;
  }
  OPENSSL_cleanse(other, sizeof other);
}

void IpsecMb::Crypt(Job* const* jobs, size_t count) {
  for (; count > kMostInBurst; jobs += kMostInBurst, count -= kMostInBurst) Crypt(jobs, kMostInBurst);
  Cipher cipher = jobs[0]->keys->cipher;
  bool encrypts = jobs[0]->keys->direction == Direction::Encrypt;
  const CipherSizes& sizes = kCipherSizes[Index(cipher)];
  bool triple = cipher == Cipher::TripleDes;
  bool burst = kBursts && cipher >= Cipher::Aes128;
  for (size_t i = 0; i < count; i++) {
    Job& job = *jobs[i];
    const IpsecMbKeys& keys = job.keys->ipsec_mb;
    IMB_JOB* next = burst ? &burst_[i] : IMB_GET_NEXT_JOB(manager_);
    next->cipher_mode = kCipherModes[Index(cipher)];
    next->cipher_direction = encrypts ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT;
    next->chain_order = encrypts ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    next->hash_alg = IMB_AUTH_NULL;
    const void* schedule = cipher >= Cipher::Aes128 ? keys.aes : keys.des->bytes;
    next->enc_keys = next->dec_keys = triple ? static_cast<const void*>(keys.des->of) : schedule;
    next->key_len_in_bytes = sizes.key;
    next->iv = job.iv;
    next->iv_len_in_bytes = sizes.iv;
    next->src = job.text;
    next->dst = job.text;
    next->cipher_start_src_offset_in_bytes = 0;
    next->msg_len_to_cipher_in_bytes = job.text_length;
    next->hash_start_src_offset_in_bytes = 0;
    next->msg_len_to_hash_in_bytes = 0;
    next->user_data = &job;
    if (!burst) Submit();
  }
  if (!burst) return Flush();
  IMB_SUBMIT_CIPHER_BURST_NOCHECK(manager_, burst_, static_cast<int>(count), kCipherModes[Index(cipher)],
                                  encrypts ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT,
                                  static_cast<IMB_KEY_SIZE_BYTES>(sizes.key));
  for (size_t i = 0; i < count; i++) Complete(&burst_[i]);
}

void IpsecMb::Sign(Job* const* jobs, size_t count) {
  // The library has no bursts of MD5.
  if (kBursts && jobs[0]->keys->integrity != Integrity::Md5) return Burst(manager_, jobs, count);
  for (size_t i = 0; i < count; i++) {
    Prepare(*jobs[i], *IMB_GET_NEXT_JOB(manager_));
    Submit();
  }
  Flush();
}

bool IpsecMb::HasPairs(Integrity integrity) const { return pairs_ != nullptr && integrity != Integrity::Md5; }

void IpsecMb::SignPairs(Job* const* jobs, size_t count) { Burst(pairs_, jobs, count); }

void IpsecMb::Burst(IMB_MGR* manager, Job* const* jobs, size_t count) {
  for (; count > kMostInBurst; jobs += kMostInBurst, count -= kMostInBurst) Burst(manager, jobs, kMostInBurst);
  IMB_HASH_ALG hash = kHashes[Index(jobs[0]->keys->integrity)];
  for (size_t i = 0; i < count; i++) Prepare(*jobs[i], burst_[i]);
  IMB_SUBMIT_HASH_BURST_NOCHECK(manager, burst_, static_cast<int>(count), hash);
  for (size_t i = 0; i < count; i++) Complete(&burst_[i]);
}

void IpsecMb::Prepare(Job& job, IMB_JOB& next) const {
  const Keys& keys = *job.keys;
  next.cipher_mode = IMB_CIPHER_NULL;
  next.cipher_direction = IMB_DIR_DECRYPT;
  next.chain_order = IMB_ORDER_HASH_CIPHER;
  next.hash_alg = kHashes[Index(keys.integrity)];
  next.src = job.packet;
  next.dst = nullptr;
  next.cipher_start_src_offset_in_bytes = 0;
  next.msg_len_to_cipher_in_bytes = 0;
  next.hash_start_src_offset_in_bytes = 0;
  next.msg_len_to_hash_in_bytes = job.signed_length;
  next.auth_tag_output = job.icv;
  next.auth_tag_output_len_in_bytes = kIntegritySizes[Index(keys.integrity)].icv;
  next.u.HMAC._hashed_auth_key_xor_ipad = keys.hmac.inner;
  next.u.HMAC._hashed_auth_key_xor_opad = keys.hmac.outer;
  next.user_data = &job;
}

// One packet's blocks fill the vector unit, so packets follow one another.
void IpsecMb::Gcm(Job* const* jobs, size_t count) {
  gcm_context_data context;
  for (size_t i = 0; i < count; i++) {
    Job& job = *jobs[i];
    const Keys& keys = *job.keys;
    uint8_t nonce[kGcmNonce];
    std::memcpy(nonce, keys.ipsec_mb.salt, kGcmSalt);
    std::memcpy(nonce + kGcmSalt, job.iv, kGcmNonce - kGcmSalt);
    bool seals = keys.direction == Direction::Encrypt;
    aes_gcm_enc_dec_t run = seals ? manager_->gcm128_enc : manager_->gcm128_dec;
    if (keys.cipher == Cipher::AesGcm192) run = seals ? manager_->gcm192_enc : manager_->gcm192_dec;
    if (keys.cipher == Cipher::AesGcm256) run = seals ? manager_->gcm256_enc : manager_->gcm256_dec;
    run(keys.ipsec_mb.gcm.get(), &context, job.text, job.text, job.text_length, nonce, job.packet, kGcmHeader, job.icv,
        kGcmTag);
    job.done = true;
  }
  OPENSSL_cleanse(&context, sizeof context);
}

// The library's own check of each job is left out: esp_engine.cc has checked every length and pointer.
void IpsecMb::Submit() {
  for (IMB_JOB* finished = IMB_SUBMIT_JOB_NOCHECK(manager_); finished != nullptr;
       finished = IMB_GET_COMPLETED_JOB(manager_)) {
    Complete(finished);
  }
}

void IpsecMb::Flush() {
  while (IMB_JOB* finished = IMB_FLUSH_JOB(manager_)) Complete(finished);
}

const char* IpsecMbVersion() {
  if (IpsecMb::Create() == nullptr) return nullptr;
  const char* version = imb_get_version_str();
  return *version == 'v' ? version + 1 : version;
}

}  // namespace floatgate

#endif
