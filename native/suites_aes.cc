// AES-CBC by our own lanes: as many packets as fit are encrypted side by side, and one that is through makes room for the next.
#ifdef HAVE_IPSEC_MB

#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>
#include <span>

#include "suites.h"

namespace floatgate {
namespace {

// What is asked for of the next packet before this one is decrypted; all of it, 1,400 bytes, would be slower.
constexpr size_t kAhead = 512;

size_t SizeOf(const Job& job) { return Index(job.keys->cipher) - Index(Cipher::Aes128); }

// The unit, if it computes what that of single blocks does: emulators may claim instructions for several blocks, and compute the
// second from bytes of the first, as QEMU 7.2 does.
const AesUnit* IfRight(const AesUnit* unit) {
  if (unit == nullptr) return nullptr;
  constexpr size_t kBlocks = 23, kLanes = 4;
  uint8_t keys[kAesMaxKeys * kAesBlock], texts[2][kBlocks * kAesBlock];
  for (size_t i = 0; i < sizeof keys; i++) keys[i] = static_cast<uint8_t>(i * 7 + 1);
  auto compute = [&keys](const AesUnit& by, uint8_t* text) {
    for (size_t i = 0; i < kBlocks * kAesBlock; i++) text[i] = static_cast<uint8_t>(i * 11 + i / kAesBlock);
    by.decrypt[0](keys, keys, text, kBlocks);
    AesState state = {};
    uint8_t* lanes[kAesMaxLanes];
    for (size_t lane = 0; lane < kLanes; lane++) {
      lanes[lane] = text + lane * kAesBlock;
      for (size_t k = 0; k < kAesMaxKeys; k++) std::memcpy(state.keys[k][lane], keys + k * kAesBlock, kAesBlock);
    }
    by.EncryptorFor(kLanes).encrypt[0](state, lanes, 1);
  };
  compute(*unit, texts[0]);
  compute(*AesNi(), texts[1]);
  return std::memcmp(texts[0], texts[1], sizeof texts[0]) == 0 ? unit : nullptr;
}

// AES-CBC in lanes, which win over the library for any number of packets.
struct AesChoice {
  Crypto::Only only;
  const AesUnit* unit;
};
std::span<const AesChoice> AesChoices() {
  static const AesChoice choices[] = {{Crypto::Only::Vaes512, IfRight(AesVaes512())},
                                      {Crypto::Only::Vaes, IfRight(AesVaes())},
                                      {Crypto::Only::AesNi, AesNi()}};
  return choices;
}

}  // namespace

const AesUnit* ChooseAes(Crypto::Only only) {
  for (const AesChoice& choice : AesChoices()) {
    if ((only == Crypto::Only::Best || only == choice.only) && choice.unit != nullptr) return choice.unit;
  }
  return nullptr;
}

std::unique_ptr<AesLanes> AesLanes::Create(const AesUnit* unit) {
  return unit == nullptr ? nullptr : std::unique_ptr<AesLanes>(new AesLanes(*unit));
}

AesLanes::~AesLanes() {
  OPENSSL_cleanse(&state_, sizeof state_);
  OPENSSL_cleanse(idle_, sizeof idle_);
}

void AesLanes::Decrypt(Job* const* jobs, size_t count) {
  for (size_t i = 0; i < count; i++) {
    Job& job = *jobs[i];
    if (i + 1 < count) FetchLines<kFirstCache>(jobs[i + 1]->text, jobs[i + 1]->text + kAhead);
    unit_.decrypt[SizeOf(job)](job.keys->ipsec_mb.aes, job.iv, job.text, job.text_length / kAesBlock);
    job.done = true;
  }
}

void AesLanes::Encrypt(Job* const* jobs, size_t count) {
  while (count > 0) {
    const AesEncryptor& way = unit_.EncryptorFor(count);
    size_t now = count - (count > way.lanes ? count % way.lanes : 0);
    Encrypt(way, jobs, now);
    jobs += now;
    count -= now;
  }
}

void AesLanes::Encrypt(const AesEncryptor& way, Job* const* jobs, size_t count) {
  size_t next = 0;
  auto refill = [&](size_t lane) {
    while (next < count && jobs[next]->text_length == 0) jobs[next++]->done = true;
    Begin(lane, next < count ? jobs[next++] : nullptr);
  };
  for (size_t lane = 0; lane < way.lanes; lane++) {
    keys_[lane] = nullptr;
    refill(lane);
  }
  for (;;) {
    // Lanes without a packet encrypt what nobody reads.
    size_t blocks = SIZE_MAX, most = SIZE_MAX;
    for (size_t lane = 0; lane < way.lanes; lane++) {
      if (left_[lane] > 0) {
        blocks = std::min(blocks, left_[lane]);
      } else {
        most = kIdleBlocks;
      }
    }
    if (blocks == SIZE_MAX) return;
    blocks = std::min(blocks, most);
    way.encrypt[SizeOf(*jobs[0])](state_, texts_, blocks);
    for (size_t lane = 0; lane < way.lanes; lane++) {
      if (left_[lane] == 0) continue;
      texts_[lane] += blocks * kAesBlock;
      left_[lane] -= blocks;
      if (left_[lane] == 0) refill(lane);
    }
  }
}

void AesLanes::Begin(size_t lane, Job* job) {
  if (job == nullptr) {
    texts_[lane] = idle_;
    left_[lane] = 0;
    return;
  }
  if (keys_[lane] != job->keys) {
    keys_[lane] = job->keys;
    const uint8_t* from = job->keys->ipsec_mb.aes;
    for (size_t i = 0; i < 11 + 2 * SizeOf(*job); i++) std::memcpy(state_.keys[i][lane], from + i * kAesBlock, kAesBlock);
  }
  std::memcpy(state_.chain[lane], job->iv, kAesBlock);
  texts_[lane] = job->text;
  left_[lane] = job->text_length / kAesBlock;
  job->done = true;
}

}  // namespace floatgate

#endif
