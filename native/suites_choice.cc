// Who does the work: lanes where enough comes together to fill them, else OpenSSL. All thresholds stand here; they
// were measured by `npm run bench -- crypto`.

#include <algorithm>

#include "suites.h"

namespace floatgate {
namespace {

// What DES and 3DES cost in lanes, in tenths of the time that OpenSSL takes for one block (of either: it computes DES
// as 3DES): the keys of all lanes, and one block in each of them. Lanes cost the same however few are in use, and run as
// long as the longest packet in them.
struct LaneCost {
  uint32_t keys, step;
};
// Of a unit's ways to encrypt and to decrypt, from the widest to the narrowest.
struct SliceCosts {
  LaneCost encrypt[2], decrypt[3];
};
struct SliceChoice {
  Crypto::Only only;
  const DesUnit* (*unit)();
  SliceCosts des, triple_des;
};
constexpr SliceChoice kSlices[] = {
    {Crypto::Only::Avx512, DesAvx512,
     {{{12, 60}, {12, 26}}, {{10, 62}, {7, 32}, {7, 32}}},
     {{{25, 85}, {25, 63}}, {{26, 135}, {17, 72}, {17, 68}}}},
    {Crypto::Only::Avx2, DesAvx2, {{{20, 50}, {20, 34}}, {{9, 43}, {9, 39}}}, {{{30, 98}, {30, 87}}, {{22, 98}, {22, 94}}}},
    {Crypto::Only::Portable, DesPortable, {{{40, 46}, {40, 37}}, {{9, 43}}}, {{{60, 102}, {60, 93}}, {{22, 98}}}},
};
// The same of lanes of bytes, which do either in the same time.
struct ShuffleCosts {
  LaneCost lanes[2];
};
struct ShuffleChoice {
  Crypto::Only only;
  const DesShuffle* (*way)();
  ShuffleCosts des, triple_des;
};
constexpr ShuffleChoice kShuffles[] = {
    {Crypto::Only::Vbmi, DesVbmi, {{{12, 12}, {6, 8}}}, {{{30, 26}, {14, 16}}}},
    {Crypto::Only::Shuffle, DesShuffleAvx2, {{{8, 12}}}, {{{19, 28}}}},
};

constexpr uint32_t kDesBlock = 8;
constexpr size_t kCbcCount = Index(Cipher::AesGcm128);
constexpr size_t kHmacCount = Index(Integrity::Gcm);

bool IsDes(Cipher cipher) { return cipher == Cipher::Des || cipher == Cipher::TripleDes; }

std::unique_ptr<Bitslice> ChooseSlices(Crypto::Only only) {
  for (const SliceChoice& choice : kSlices) {
    if (only != Crypto::Only::Best && only != choice.only) continue;
    if (auto bitslice = Bitslice::Create(choice.unit())) return bitslice;
  }
  return nullptr;
}

std::unique_ptr<Shuffle> ChooseShuffle(Crypto::Only only) {
  for (const ShuffleChoice& choice : kShuffles) {
    if (only != Crypto::Only::Best && only != choice.only) continue;
    if (auto shuffle = Shuffle::Create(choice.way())) return shuffle;
  }
  return nullptr;
}

const SliceCosts& Costs(const DesUnit& unit, Cipher cipher) {
  const SliceChoice* choice = kSlices;
  while (choice->unit() != &unit) choice++;
  return cipher == Cipher::Des ? choice->des : choice->triple_des;
}

const ShuffleCosts& Costs(const DesShuffle& way, Cipher cipher) {
  const ShuffleChoice* choice = kShuffles;
  while (choice->way() != &way) choice++;
  return cipher == Cipher::Des ? choice->des : choice->triple_des;
}

uint32_t Blocks(const Job& job) { return job.text_length / kDesBlock; }

// What it would cost to encrypt so many packets. `lanes_for(packets)` is which lanes, from the widest, take the next of them.
template <class Lanes, class LanesFor>
uint32_t EncryptCost(const LaneCost* costs, const Lanes* lanes, LanesFor lanes_for, Job* const* longest_first, size_t count) {
  uint32_t cost = 0;
  while (count > 0) {
    size_t i = lanes_for(count);
    cost += costs[i].keys + Blocks(**longest_first) * costs[i].step;
    size_t now = std::min(count, lanes[i].lanes);
    longest_first += now;
    count -= now;
  }
  return cost;
}

// What it would cost to decrypt so many blocks; lanes of several keys get them each time.
template <class Lanes, class LanesFor>
uint32_t DecryptCost(const LaneCost* costs, const Lanes* lanes, LanesFor lanes_for, uint32_t blocks, bool one_key) {
  uint32_t cost = 0;
  while (blocks > 0) {
    size_t i = lanes_for(blocks);
    cost += (one_key && cost > 0 ? 0 : costs[i].keys) + costs[i].step;
    blocks -= std::min<uint32_t>(blocks, static_cast<uint32_t>(lanes[i].lanes));
  }
  return cost;
}

void OneByOne(Job* const* jobs, size_t count) {
  for (size_t i = 0; i < count; i++) jobs[i]->keys->openssl->Crypt(*jobs[i]);
}

// Packets that the vector unit takes at once with AVX-512; with fewer registers half as many.
constexpr size_t kLanes = 16;

// How many of so many packets go through the lanes: whole sets of lanes, and the rest where it is worth a
// set.
size_t WorthLanes(size_t jobs, size_t threshold) {
  size_t rest = jobs % kLanes;
  return rest >= threshold ? jobs : jobs - rest;
}

// From how many packets on our own lanes of SHA-1 win over the library's pairs on the SHA instructions.
constexpr size_t kSha1From = 7;

#ifdef HAVE_IPSEC_MB

constexpr size_t kNever = kBatchCapacity + 1;

// From how many packets of one algorithm on libipsec-mb's lanes win over OpenSSL, measured with 1,408 bytes on a CPU
// with AVX-512 and SHA instructions. AES-CBC decrypts one packet's blocks side by side and needs no second packet.
// DES is chosen for above: the library has it in lanes with AVX-512 only, and there ours are faster.
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
// Else it makes keys at most.
bool Crypto::UsesLibrary() const { return ipsec_mb_ != nullptr && (only_ == Only::Best || only_ == Only::IpsecMb); }

size_t Crypto::Share(size_t jobs, size_t threshold) const {
  if (!UsesLibrary()) return 0;
  if (only_ == Only::IpsecMb) return jobs;
  return threshold == kNever ? 0 : WorthLanes(jobs, threshold);
}
#endif

Crypto::Crypto(Only only) : only_(only), bitslice_(ChooseSlices(only)), shuffle_(ChooseShuffle(only)) {
  if (only == Only::Best || only == Only::Sha1) sha1_ = Sha1Lanes::Create();
#ifdef HAVE_IPSEC_MB
  const AesUnit* aes = ChooseAes(only);
  if (only == Only::Best || only == Only::IpsecMb || aes != nullptr) ipsec_mb_ = IpsecMb::Create();
  if (ipsec_mb_ != nullptr) aes_ = AesLanes::Create(aes);
#endif
}

bool Crypto::usable() const {
  if (only_ == Only::Best || only_ == Only::Openssl) return true;
#ifdef HAVE_IPSEC_MB
  if (only_ == Only::IpsecMb) return ipsec_mb_ != nullptr;
  if (aes_ != nullptr) return true;
#endif
  return bitslice_ != nullptr || shuffle_ != nullptr || sha1_ != nullptr;
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
  if (IsDes(keys.cipher)) expanded.des->Expand(keys, shuffle_ == nullptr ? nullptr : &shuffle_->way());
#ifdef HAVE_IPSEC_MB
  if (ipsec_mb_ != nullptr) ipsec_mb_->Expand(keys, only_ == Only::IpsecMb, expanded.ipsec_mb);
#endif
  if (!expanded.openssl->Expand(keys)) return false;
  if (!IsGcm(keys.cipher)) expanded.openssl->CopyTo(expanded.hmac);
  return true;
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
    bool des = IsDes(static_cast<Cipher>(c));
    if ((bitslice_ != nullptr || shuffle_ != nullptr) && des) {
      CryptDes(of[c], counts[c]);
      continue;
    }
#ifdef HAVE_IPSEC_MB
    if (aes_ != nullptr && !des) {
      if (of[c][0]->keys->direction == Direction::Encrypt) {
        aes_->Encrypt(of[c], counts[c]);
      } else {
        aes_->Decrypt(of[c], counts[c]);
      }
      continue;
    }
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
  uint32_t blocks = 0;
  for (size_t i = 0; i < count; i++) blocks += Blocks(*jobs[i]);
  uint32_t sliced = UINT32_MAX, shuffled = UINT32_MAX;
  Cipher cipher = jobs[0]->keys->cipher;
  bool one_key = std::all_of(jobs, jobs + count, [&](const Job* job) { return job->keys == jobs[0]->keys; });
  if (bitslice_ != nullptr) {
    const DesUnit& unit = bitslice_->unit();
    auto lanes_for = [&](size_t left) { return unit.DecryptorFor(left); };
    sliced = DecryptCost(Costs(unit, cipher).decrypt, unit.decryptors, lanes_for, blocks, one_key);
  }
  if (shuffle_ != nullptr) {
    const DesShuffle& way = shuffle_->way();
    auto lanes_for = [&](size_t left) { return way.LanesFor(left); };
    shuffled = DecryptCost(Costs(way, cipher).lanes, way.lanes, lanes_for, blocks, one_key);
  }
  if (only_ == Only::Best && blocks * 10 < std::min(sliced, shuffled)) return OneByOne(jobs, count);
  if (shuffled < sliced) return shuffle_->Decrypt(jobs, count);
  bitslice_->Decrypt(jobs, count);
}

// The longest packets may be better off with OpenSSL, and the others in the one kind of lanes or in the other.
void Crypto::EncryptDes(Job** jobs, size_t count) {
  std::sort(jobs, jobs + count, [](const Job* a, const Job* b) { return a->text_length > b->text_length; });
  Cipher cipher = jobs[0]->keys->cipher;
  uint32_t least = UINT32_MAX, before = 0;
  size_t alone = 0;
  bool shuffle = false;
  for (size_t i = 0; i <= count; i++) {
    auto consider = [&](bool shuffled, uint32_t cost) {
      if (before + cost >= least) return;
      least = before + cost;
      alone = i;
      shuffle = shuffled;
    };
    if (bitslice_ != nullptr) {
      const DesUnit& unit = bitslice_->unit();
      auto lanes_for = [&](size_t left) { return unit.EncryptorFor(left); };
      consider(false, EncryptCost(Costs(unit, cipher).encrypt, unit.encryptors, lanes_for, jobs + i, count - i));
    }
    if (shuffle_ != nullptr) {
      const DesShuffle& way = shuffle_->way();
      auto lanes_for = [&](size_t left) { return way.LanesFor(left); };
      consider(true, EncryptCost(Costs(way, cipher).lanes, way.lanes, lanes_for, jobs + i, count - i));
    }
    if (only_ != Only::Best) break;
    if (i < count) before += Blocks(*jobs[i]) * 10;
    if (before >= least) break;
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
    if (sha1_ != nullptr && a == Index(Integrity::Sha1)) {
      lanes = WorthLanes(counts[a], only_ == Only::Sha1 ? 1 : kSha1From);
      if (lanes > 0) sha1_->Sign(of[a], lanes);
    }
#ifdef HAVE_IPSEC_MB
    bool pairs = UsesLibrary() && ipsec_mb_->HasPairs(static_cast<Integrity>(a));
    size_t share = Share(counts[a] - lanes, pairs ? kSignFromPairs[a] : kSignFrom[a]);
    if (share > 0) ipsec_mb_->Sign(of[a] + lanes, share);
    lanes += share;
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
