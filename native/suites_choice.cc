// Who does the work: libipsec-mb where enough packets of one algorithm come together to fill its lanes, else
// OpenSSL.

#include "suites.h"

namespace floatgate {

#ifdef HAVE_IPSEC_MB
namespace {

constexpr size_t kNever = kBatchCapacity + 1;
// Packets that the vector unit takes at once with AVX-512; with fewer registers half as many.
constexpr size_t kLanes = 16;

// From how many packets of one algorithm on the lanes win over OpenSSL's one after the other, measured with
// 1,408 bytes on a CPU with AVX-512 and SHA instructions. Lanes that stay empty cost as much as full ones,
// which is dear for 3DES; AES-CBC decrypts one packet's blocks side by side and needs no second packet.
constexpr size_t kEncryptFrom[kCipherCount] = {2, 5, 2, 2, 2};
constexpr size_t kDecryptFrom[kCipherCount] = {2, 5, 1, 1, 1};
constexpr size_t kSignFrom[kIntegrityCount] = {3, 7, 11};

size_t Threshold(const IpsecMb& ipsec_mb, Cipher cipher, Direction direction) {
  bool des = cipher == Cipher::Des || cipher == Cipher::TripleDes;
  if (des && !ipsec_mb.vectorised_des()) return kNever;
  return direction == Direction::Encrypt ? kEncryptFrom[Index(cipher)] : kDecryptFrom[Index(cipher)];
}

}  // namespace

// How many of so many packets go through the lanes: whole sets of lanes, and the rest where it is worth a
// set.
size_t Crypto::Share(size_t jobs, size_t threshold) const {
  if (ipsec_mb_ == nullptr) return 0;
  if (only_ == Only::IpsecMb) return jobs;
  if (threshold == kNever) return 0;
  size_t rest = jobs % kLanes;
  return rest >= threshold ? jobs : jobs - rest;
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
  if (ipsec_mb_ != nullptr && count > 0) {
    Direction direction = jobs[0]->keys->direction;
    size_t of[kCipherCount] = {};
    for (size_t i = 0; i < count; i++) of[Index(jobs[i]->keys->cipher)]++;
    size_t share[kCipherCount];
    for (size_t c = 0; c < kCipherCount; c++) {
      share[c] = Share(of[c], Threshold(*ipsec_mb_, static_cast<Cipher>(c), direction));
    }
    Job* together[kBatchCapacity];
    size_t gathered = 0;
    for (size_t i = 0; i < count; i++) {
      size_t& left = share[Index(jobs[i]->keys->cipher)];
      if (left > 0) {
        left--;
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
    size_t share[kIntegrityCount];
    for (size_t a = 0; a < kIntegrityCount; a++) share[a] = Share(of[a], kSignFrom[a]);
    Job* together[kBatchCapacity];
    size_t gathered = 0;
    for (size_t i = 0; i < count; i++) {
      size_t& left = share[Index(jobs[i]->keys->integrity)];
      if (left > 0) {
        left--;
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
