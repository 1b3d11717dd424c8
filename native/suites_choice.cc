// Who does the work: libipsec-mb where enough packets of one algorithm come together to fill its lanes, else
// OpenSSL.

#include "suites.h"

namespace floatgate {

#ifdef HAVE_IPSEC_MB
namespace {

constexpr size_t kNever = kBatchCapacity + 1;

// From how many packets of one algorithm on the lanes win over OpenSSL's one after the other:
// bench/esp.bench.ts shows both. A half-filled set of lanes costs as much as a full one, which is dear for
// DES.
constexpr size_t kEncryptFrom[kCipherCount] = {8, 8, 4, 4, 4};
constexpr size_t kDecryptFrom[kCipherCount] = {8, 8, 2, 2, 2};
constexpr size_t kSignFrom[kIntegrityCount] = {4, 4, 4};

size_t Threshold(const IpsecMb& ipsec_mb, Cipher cipher, Direction direction) {
  bool des = cipher == Cipher::Des || cipher == Cipher::TripleDes;
  if (des && !ipsec_mb.vectorised_des()) return kNever;
  return direction == Direction::Encrypt ? kEncryptFrom[Index(cipher)] : kDecryptFrom[Index(cipher)];
}

}  // namespace

bool Crypto::Prefers(size_t jobs, size_t threshold) const {
  return ipsec_mb_ != nullptr && (only_ == Only::IpsecMb || jobs >= threshold);
}
#endif

Crypto::Crypto(Only only) : only_(only) {
#ifdef HAVE_IPSEC_MB
  if (only != Only::Openssl) ipsec_mb_ = IpsecMb::Create();
#endif
}

bool Crypto::usable() const {
#ifdef HAVE_IPSEC_MB
  return only_ != Only::IpsecMb || ipsec_mb_ != nullptr;
#else
  return only_ != Only::IpsecMb;
#endif
}

bool Crypto::Expand(const SuiteKeys& keys, Keys& expanded) {
  expanded.cipher = keys.cipher;
  expanded.integrity = keys.integrity;
  expanded.direction = keys.direction;
#ifdef HAVE_IPSEC_MB
  if (ipsec_mb_ != nullptr) ipsec_mb_->Expand(keys, expanded.ipsec_mb);
#endif
  return expanded.openssl.Expand(keys);
}

void Crypto::Crypt(Job* const* jobs, size_t count) {
#ifdef HAVE_IPSEC_MB
  if (ipsec_mb_ != nullptr) {
    size_t of[kCipherCount] = {};
    for (size_t i = 0; i < count; i++) of[Index(jobs[i]->keys->cipher)]++;
    Job* together[kBatchCapacity];
    size_t gathered = 0;
    for (size_t i = 0; i < count; i++) {
      const Keys& keys = *jobs[i]->keys;
      if (Prefers(of[Index(keys.cipher)], Threshold(*ipsec_mb_, keys.cipher, keys.direction))) {
        together[gathered++] = jobs[i];
      } else {
        jobs[i]->keys->openssl.Crypt(*jobs[i]);
      }
    }
    if (gathered > 0) ipsec_mb_->Crypt(together, gathered);
    return;
  }
#endif
  for (size_t i = 0; i < count; i++) jobs[i]->keys->openssl.Crypt(*jobs[i]);
}

void Crypto::Sign(Job* const* jobs, size_t count) {
#ifdef HAVE_IPSEC_MB
  if (ipsec_mb_ != nullptr) {
    size_t of[kIntegrityCount] = {};
    for (size_t i = 0; i < count; i++) of[Index(jobs[i]->keys->integrity)]++;
    Job* together[kBatchCapacity];
    size_t gathered = 0;
    for (size_t i = 0; i < count; i++) {
      size_t algorithm = Index(jobs[i]->keys->integrity);
      if (Prefers(of[algorithm], kSignFrom[algorithm])) {
        together[gathered++] = jobs[i];
      } else {
        jobs[i]->keys->openssl.Sign(*jobs[i]);
      }
    }
    if (gathered > 0) ipsec_mb_->Sign(together, gathered);
    return;
  }
#endif
  for (size_t i = 0; i < count; i++) jobs[i]->keys->openssl.Sign(*jobs[i]);
}

#ifndef HAVE_IPSEC_MB
const char* IpsecMbVersion() { return nullptr; }
#endif

}  // namespace floatgate
