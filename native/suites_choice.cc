// Who does the work: lanes where enough comes together to fill them, else OpenSSL. All thresholds stand here; they
// were measured by `npm run bench -- crypto`.

#include <algorithm>

#include "suites.h"

namespace floatgate {
namespace {

// What DES and 3DES cost in lanes, in tenths of the time that OpenSSL takes for one block (of either: it computes DES
// as 3DES). Lanes cost the same however few are in use, and run as long as the longest packet in them.
struct DesCosts {
  uint32_t pass;  // decrypting in the fewest lanes there are
  // Of each of the unit's ways to encrypt, from the widest to the narrowest: keys and IVs of all lanes, and one block of
  // the packet in each of them.
  struct {
    uint32_t setup, step;
  } encryptors[2];
};
struct DesChoice {
  Crypto::Only only;
  const DesUnit* (*unit)();
  DesCosts des, triple_des;
};
constexpr DesChoice kDesUnits[] = {
    {Crypto::Only::Avx512, DesAvx512, {35, {{12, 60}, {12, 26}}}, {75, {{25, 85}, {25, 63}}}},
    // The narrower 3DES takes 87 on Zen 4. Where shuffles are as fast it comes first, being of fewer instructions; and
    // others shuffle once a cycle, where Zen 4 does it twice.
    {Crypto::Only::Avx2, DesAvx2, {50, {{20, 55}, {20, 34}}}, {115, {{30, 115}, {30, 83}}}},
    {Crypto::Only::Portable, DesPortable, {60, {{40, 46}, {40, 37}}}, {135, {{60, 102}, {60, 93}}}},
};
// The same for shuffles, whose lanes are sixteen.
struct ShuffleCosts {
  uint32_t setup, step;
};
constexpr ShuffleCosts kShuffleDes = {15, 12};
constexpr ShuffleCosts kShuffleTripleDes = {35, 28};

constexpr uint32_t kDesBlock = 8;
constexpr size_t kCbcCount = Index(Cipher::AesGcm128);
constexpr size_t kHmacCount = Index(Integrity::Gcm);

bool IsDes(Cipher cipher) { return cipher == Cipher::Des || cipher == Cipher::TripleDes; }

std::unique_ptr<Bitslice> ChooseUnit(Crypto::Only only) {
  for (const DesChoice& choice : kDesUnits) {
    if (only != Crypto::Only::Best && only != choice.only) continue;
    if (auto bitslice = Bitslice::Create(choice.unit())) return bitslice;
  }
  return nullptr;
}

const DesCosts& Costs(const DesUnit& unit, Cipher cipher) {
  const DesChoice* choice = kDesUnits;
  while (choice->unit() != &unit) choice++;
  return cipher == Cipher::Des ? choice->des : choice->triple_des;
}

uint32_t Blocks(const Job& job) { return job.text_length / kDesBlock; }

// What bit slices would cost so many packets.
uint32_t SliceCost(const DesUnit& unit, const DesCosts& costs, Job* const* longest_first, size_t count) {
  uint32_t cost = 0;
  while (count > 0) {
    size_t i = unit.EncryptorFor(count);
    cost += costs.encryptors[i].setup + Blocks(**longest_first) * costs.encryptors[i].step;
    size_t now = std::min(count, unit.encryptors[i].lanes);
    longest_first += now;
    count -= now;
  }
  return cost;
}

uint32_t ShuffleCost(const ShuffleCosts& costs, Job* const* longest_first, size_t count) {
  uint32_t cost = 0;
  for (size_t set = 0; set < count; set += kDesShuffleLanes) cost += costs.setup + Blocks(*longest_first[set]) * costs.step;
  return cost;
}

void OneByOne(Job* const* jobs, size_t count) {
  for (size_t i = 0; i < count; i++) jobs[i]->keys->openssl->Crypt(*jobs[i]);
}

#ifdef HAVE_IPSEC_MB

constexpr size_t kNever = kBatchCapacity + 1;
// Packets that the vector unit takes at once with AVX-512; with fewer registers half as many.
constexpr size_t kLanes = 16;

// From how many packets of one algorithm on libipsec-mb's lanes win over OpenSSL, measured with 1,408 bytes on a CPU
// with AVX-512 and SHA instructions. AES-CBC decrypts one packet's blocks side by side and needs no second packet.
// DES is chosen for above: the library has it in lanes with AVX-512 only, and there shuffles are faster.
// GCM wins with one packet, and needs no table.
constexpr size_t kEncryptFrom[] = {kNever, kNever, 2, 2, 2};
constexpr size_t kDecryptFrom[] = {kNever, kNever, 1, 1, 1};
constexpr size_t kSignFrom[] = {3, 7, 11};
// The same where the library hashes two packets at a time with the SHA instructions, which it does from two packets on.
constexpr size_t kSignFromPairs[] = {3, 9, kLanes};

size_t Threshold(Cipher cipher, Direction direction) {
  return direction == Direction::Encrypt ? kEncryptFrom[Index(cipher)] : kDecryptFrom[Index(cipher)];
}

#endif

}  // namespace

#ifdef HAVE_IPSEC_MB
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

Crypto::Crypto(Only only) : only_(only), bitslice_(ChooseUnit(only)) {
  if (only == Only::Best || only == Only::Shuffle) shuffle_ = Shuffle::Create();
#ifdef HAVE_IPSEC_MB
  if (only == Only::Best || only == Only::IpsecMb) ipsec_mb_ = IpsecMb::Create();
#endif
}

bool Crypto::usable() const {
  if (only_ == Only::Best || only_ == Only::Openssl) return true;
#ifdef HAVE_IPSEC_MB
  if (only_ == Only::IpsecMb) return ipsec_mb_ != nullptr;
#endif
  return bitslice_ != nullptr || shuffle_ != nullptr;
}

void Keys::FetchRest() const {
  if (IsDes(cipher)) {
    FetchLines<kFirstCache>(des->words, direction == Direction::Encrypt ? std::end(des->schedule) : des->schedule);
  }
#ifdef HAVE_IPSEC_MB
  if (direction == Direction::Encrypt) {
    FetchLines<kFirstCache>(this, OftenEnd());
  } else {
    FetchLines<kSecondCache>(this, OftenEnd());
  }
  if (IsGcm(cipher)) FetchLines<kFirstCache>(ipsec_mb.gcm.get(), ipsec_mb.gcm.get() + 1);
#endif
}

bool Crypto::Expand(const SuiteKeys& keys, Keys& expanded) {
  expanded.cipher = keys.cipher;
  expanded.integrity = keys.integrity;
  expanded.direction = keys.direction;
  if (IsDes(keys.cipher)) expanded.des->Expand(keys);
#ifdef HAVE_IPSEC_MB
  if (ipsec_mb_ != nullptr) ipsec_mb_->Expand(keys, expanded.ipsec_mb);
#endif
  return expanded.openssl->Expand(keys);
}

// Jobs of one cipher share lanes, whatever SAs they belong to.
void Crypto::Crypt(Job* const* jobs, size_t count) {
  Job* of[kCbcCount][kBatchCapacity];
  size_t counts[kCbcCount] = {};
  Job* gcm[kBatchCapacity];
  size_t gcms = 0;
  for (size_t i = 0; i < count; i++) {
    const Keys& keys = *jobs[i]->keys;
    if (IsGcm(keys.cipher)) {
      if (keys.direction == Direction::Encrypt) gcm[gcms++] = jobs[i];
      jobs[i]->done = true;
      continue;
    }
    size_t cipher = Index(keys.cipher);
    of[cipher][counts[cipher]++] = jobs[i];
  }
  Gcm(gcm, gcms);
  for (size_t c = 0; c < kCbcCount; c++) {
    if (counts[c] == 0) continue;
    size_t lanes = 0;
    if ((bitslice_ != nullptr || shuffle_ != nullptr) && IsDes(static_cast<Cipher>(c))) {
      CryptDes(of[c], counts[c]);
      continue;
    }
#ifdef HAVE_IPSEC_MB
    lanes = Share(counts[c], Threshold(static_cast<Cipher>(c), of[c][0]->keys->direction));
    if (lanes > 0) ipsec_mb_->Crypt(of[c], lanes);
#endif
    OneByOne(of[c] + lanes, counts[c] - lanes);
  }
}

void Crypto::Gcm(Job* const* jobs, size_t count) {
  if (count == 0) return;
#ifdef HAVE_IPSEC_MB
  if (ipsec_mb_ != nullptr) return ipsec_mb_->Gcm(jobs, count);
#endif
  for (size_t i = 0; i < count; i++) jobs[i]->keys->openssl->Gcm(*jobs[i]);
}

// All of one cipher and direction.
void Crypto::CryptDes(Job** jobs, size_t count) {
  if (jobs[0]->keys->direction == Direction::Encrypt) return EncryptDes(jobs, count);
  if (bitslice_ == nullptr) return OneByOne(jobs, count);
  uint32_t blocks = 0;
  for (size_t i = 0; i < count; i++) blocks += Blocks(*jobs[i]);
  bool few = blocks * 10 < Costs(bitslice_->unit(), jobs[0]->keys->cipher).pass;
  if (only_ == Only::Best && few) return OneByOne(jobs, count);
  bitslice_->Decrypt(jobs, count);
}

// The longest packets may be better off with OpenSSL, and the others in the one kind of lanes or in the other.
void Crypto::EncryptDes(Job** jobs, size_t count) {
  std::sort(jobs, jobs + count, [](const Job* a, const Job* b) { return a->text_length > b->text_length; });
  if (only_ == Only::Shuffle) return shuffle_->Encrypt(jobs, count);
  if (only_ != Only::Best) return bitslice_->Encrypt(jobs, count);
  Cipher cipher = jobs[0]->keys->cipher;
  const DesCosts& slices = Costs(bitslice_->unit(), cipher);
  const ShuffleCosts& bytes = cipher == Cipher::Des ? kShuffleDes : kShuffleTripleDes;
  uint32_t least = UINT32_MAX, before = 0;
  size_t alone = 0;
  bool shuffle = false;
  for (size_t i = 0; i <= count; i++) {
    uint32_t sliced = before + SliceCost(bitslice_->unit(), slices, jobs + i, count - i);
    uint32_t shuffled = before + ShuffleCost(bytes, jobs + i, count - i);
    if (sliced < least) {
      least = sliced;
      alone = i;
      shuffle = false;
    }
    if (shuffle_ != nullptr && shuffled < least) {
      least = shuffled;
      alone = i;
      shuffle = true;
    }
    if (i < count) before += Blocks(*jobs[i]) * 10;
  }
  OneByOne(jobs, alone);
  if (shuffle) {
    shuffle_->Encrypt(jobs + alone, count - alone);
  } else {
    bitslice_->Encrypt(jobs + alone, count - alone);
  }
}

// Jobs of one HMAC share lanes likewise.
void Crypto::Sign(Job* const* jobs, size_t count) {
  Job* of[kHmacCount][kBatchCapacity];
  size_t counts[kHmacCount] = {};
  Job* gcm[kBatchCapacity];
  size_t gcms = 0;
  for (size_t i = 0; i < count; i++) {
    const Keys& keys = *jobs[i]->keys;
    if (IsGcm(keys.cipher)) {
      if (keys.direction == Direction::Decrypt) gcm[gcms++] = jobs[i];
      jobs[i]->done = true;
      continue;
    }
    size_t integrity = Index(keys.integrity);
    of[integrity][counts[integrity]++] = jobs[i];
  }
  Gcm(gcm, gcms);
  for (size_t a = 0; a < kHmacCount; a++) {
    size_t lanes = 0;
#ifdef HAVE_IPSEC_MB
    bool pairs = ipsec_mb_ != nullptr && ipsec_mb_->HasPairs(static_cast<Integrity>(a));
    lanes = Share(counts[a], pairs ? kSignFromPairs[a] : kSignFrom[a]);
    if (lanes > 0) ipsec_mb_->Sign(of[a], lanes);
    if (pairs && counts[a] - lanes > 1) {
      ipsec_mb_->SignPairs(of[a] + lanes, counts[a] - lanes);
      lanes = counts[a];
    }
#endif
    for (size_t i = lanes; i < counts[a]; i++) of[a][i]->keys->openssl->Sign(*of[a][i]);
  }
}

#ifndef HAVE_IPSEC_MB
const char* IpsecMbVersion() { return nullptr; }
#endif

}  // namespace floatgate
