// What protects ESP packets: CBC ciphers and truncated HMACs, done by OpenSSL one packet after the other, or many at once by
// libipsec-mb or by code of our own (DES, AES, SHA-1); or AES-GCM. A mirror of src/esp/suites.ts.
#pragma once

#include <openssl/evp.h>
#include <openssl/md5.h>
#include <openssl/sha.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

#ifdef HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

#include "aes_lanes.h"
#include "batch.h"
#include "des_lanes.h"

namespace floatgate {

enum class Cipher : uint8_t { Des, TripleDes, Aes128, Aes192, Aes256, AesGcm128, AesGcm192, AesGcm256 };
inline constexpr size_t kCipherCount = 8;
// Gcm is the cipher's own, and has no key.
enum class Integrity : uint8_t { Md5, Sha1, Sha256, Gcm };
inline constexpr size_t kIntegrityCount = 4;

struct CipherSizes {
  uint8_t key, block, iv;
};
// GCM's key ends with the salt that its nonces begin with; its text is whole words (RFC 4106 sections 8.1 and 3).
inline constexpr CipherSizes kCipherSizes[kCipherCount] = {{8, 8, 8},    {24, 8, 8},   {16, 16, 16}, {24, 16, 16},
                                                           {32, 16, 16}, {20, 4, 8},   {28, 4, 8},   {36, 4, 8}};
inline constexpr size_t kGcmSalt = 4;
inline constexpr size_t kGcmNonce = 12;
inline constexpr size_t kGcmTag = 16;
// SPI and sequence number are what GCM authenticates beside the text.
inline constexpr size_t kGcmHeader = 8;
struct IntegritySizes {
  uint8_t key, icv;
};
inline constexpr IntegritySizes kIntegritySizes[kIntegrityCount] = {{16, 12}, {20, 12}, {32, 16}, {0, kGcmTag}};

inline constexpr size_t kMaxKey = 36;
inline constexpr size_t kMaxIv = 16;
inline constexpr size_t kMaxIcv = 16;
inline constexpr size_t kMaxAesSchedule = 15 * 16;

constexpr size_t Index(Cipher cipher) { return static_cast<size_t>(cipher); }
constexpr size_t Index(Integrity integrity) { return static_cast<size_t>(integrity); }
constexpr bool IsGcm(Cipher cipher) { return cipher >= Cipher::AesGcm128; }
constexpr bool GoTogether(Cipher cipher, Integrity integrity) { return IsGcm(cipher) == (integrity == Integrity::Gcm); }

enum class Direction : uint8_t { Encrypt, Decrypt };

// A suite with the keys of one SA in one direction, each as long as the suite asks.
struct SuiteKeys {
  Cipher cipher;
  Integrity integrity;
  Direction direction;
  const uint8_t* cipher_key;
  const uint8_t* integrity_key;
};

// Has the line of memory come that something lies in, as near as the first cache, or as the second, which can wait for more
// lines at a time. The compiler takes a function that does nothing else for one without effect, and calls to it away: the
// empty statement is one that it has to keep.
inline constexpr int kFirstCache = 3;
inline constexpr int kSecondCache = 2;
template <int kCache>
inline void FetchLine(const void* at) {
  __builtin_prefetch(at, 0, kCache);
  __asm__ volatile("");
}
template <int kCache>
inline void FetchLines(const void* from, const void* end) {
  for (uintptr_t at = reinterpret_cast<uintptr_t>(from) & ~uintptr_t{63}; at < reinterpret_cast<uintptr_t>(end); at += 64) {
    FetchLine<kCache>(reinterpret_cast<const void*>(at));
  }
}

struct Keys;

// One packet's cryptography. `done` is false until the step it was given to has been carried out.
struct Job {
  Keys* keys;
  const uint8_t* packet;  // what the ICV covers: `signed_length` bytes from the SPI on
  uint32_t signed_length;
  uint8_t* icv;  // where Sign puts the ICV
  const uint8_t* iv;
  uint8_t* text;  // en- or decrypted in place: `text_length` bytes, whole blocks
  uint32_t text_length;
  bool done;
};

// HMAC's two hash states after their key block (RFC 2104 section 4), each in whole words.
struct HmacStates {
  HmacStates() = default;
  HmacStates(const HmacStates&) = delete;
  HmacStates& operator=(const HmacStates&) = delete;
  ~HmacStates();

  alignas(16) uint8_t inner[32];
  uint8_t outer[32];
};

// OpenSSL's part of an SA's keys: a cipher context that only takes new IVs, and the HMAC's two hash states
// after their key block.
class OpensslKeys {
 public:
  OpensslKeys() = default;
  OpensslKeys(const OpensslKeys&) = delete;
  OpensslKeys& operator=(const OpensslKeys&) = delete;
  ~OpensslKeys();

  bool Expand(const SuiteKeys& keys);
  void Crypt(Job& job);
  void Sign(Job& job);
  void Gcm(Job& job);
  void CopyTo(HmacStates& states) const;

 private:
  union Hash {
    MD5_CTX md5;
    SHA_CTX sha1;
    SHA256_CTX sha256;
  };

  void Absorb(const SuiteKeys& keys, Hash& hash, uint8_t pad);

  EVP_CIPHER_CTX* cipher_ = nullptr;
  uint8_t salt_[kGcmSalt] = {};
  Integrity integrity_ = Integrity::Md5;
  Hash inner_, outer_;
};

#ifdef HAVE_IPSEC_MB

// libipsec-mb's part of an SA's keys.
struct IpsecMbKeys {
  IpsecMbKeys() = default;
  IpsecMbKeys(const IpsecMbKeys&) = delete;
  IpsecMbKeys& operator=(const IpsecMbKeys&) = delete;
  ~IpsecMbKeys();

  // What every packet of AES-CBC touches comes first: the round keys of the SA's direction.
  alignas(16) uint8_t aes[kMaxAesSchedule];
  // GCM's round keys and powers of its hash key, and DES's key schedules: large, and only where the SA has them
  // and the library is to use them.
  std::unique_ptr<gcm_key_data> gcm;
  uint8_t salt[kGcmSalt];
  struct DesSchedules {
    const void* of[3];
    alignas(64) uint8_t bytes[3 * IMB_DES_KEY_SCHED_SIZE];
  };
  std::unique_ptr<DesSchedules> des;
};
// Multi-buffer managers: one thread's.
class IpsecMb {
 public:
  // Nothing where this CPU has not the instructions that make it worth while.
  static std::unique_ptr<IpsecMb> Create();
  IpsecMb(const IpsecMb&) = delete;
  IpsecMb& operator=(const IpsecMb&) = delete;
  ~IpsecMb();

  // `des`: the library's DES is wanted, too, whose schedules take longer to make than all else of an SA.
  void Expand(const SuiteKeys& keys, bool des, IpsecMbKeys& expanded);
  // At most kBatchCapacity jobs, all of one cipher and direction, or of one HMAC.
  void Crypt(Job* const* jobs, size_t count);
  void Sign(Job* const* jobs, size_t count);
  // The same by the processor's SHA instructions, two packets at a time, where it has them.
  bool HasPairs(Integrity integrity) const;
  void SignPairs(Job* const* jobs, size_t count);
  void Gcm(Job* const* jobs, size_t count);

 private:
  IpsecMb(IMB_MGR* manager, IMB_MGR* pairs) : manager_(manager), pairs_(pairs) {}
  void Prepare(Job& job, IMB_JOB& next) const;
  void Burst(IMB_MGR* manager, Job* const* jobs, size_t count);
  void Submit();
  void Flush();

  IMB_MGR* manager_;
  IMB_MGR* pairs_;  // or nullptr
  // The library takes at most 128 at a time.
  static constexpr size_t kMostInBurst = 128;
  IMB_JOB burst_[kMostInBurst] = {};
};

#endif

// DES keys as they came, since bit slices choose their bits by wiring; and their round keys for DES in bytes.
struct DesKeys {
  DesKeys() = default;
  DesKeys(const DesKeys&) = delete;
  DesKeys& operator=(const DesKeys&) = delete;
  ~DesKeys();

  // Round keys are for one way to do DES in bytes; where there is none, there are none.
  void Expand(const SuiteKeys& keys, const DesShuffle* way);
  uint64_t words[kDesMaxStages] = {};
  uint64_t schedule[kDesShuffleSchedule] = {};
};

// DES and 3DES in bit slices, with one thread's working memory.
class Bitslice {
 public:
  // Nothing for no unit.
  static std::unique_ptr<Bitslice> Create(const DesUnit* unit);
  Bitslice(const Bitslice&) = delete;
  Bitslice& operator=(const Bitslice&) = delete;
  ~Bitslice();

  const DesUnit& unit() const { return unit_; }
  // At most kBatchCapacity jobs of one of both ciphers.
  void Decrypt(Job* const* jobs, size_t count);
  void Encrypt(Job* const* longest_first, size_t count);

 private:
  explicit Bitslice(const DesUnit& unit) : unit_(unit) {}
  void Encrypt(const DesEncryptor& lanes, Job* const* longest_first, size_t count);

  const DesUnit& unit_;
  alignas(64) uint64_t blocks_[std::max(kDesMaxLanes, kDesChunk * kDesMaxChainLanes)] = {};
  alignas(64) uint64_t before_[kDesMaxLanes] = {};  // what each block is XORed with: the block before it, or an IV
  alignas(64) uint64_t lane_keys_[kDesMaxStages * kDesMaxLanes] = {};
  DesKeyVectors keys_{};
  DesKeyVectors chain_{};
};

// DES and 3DES in bytes, with one thread's working memory.
class Shuffle {
 public:
  // Nothing for no instructions.
  static std::unique_ptr<Shuffle> Create(const DesShuffle* way);
  Shuffle(const Shuffle&) = delete;
  Shuffle& operator=(const Shuffle&) = delete;
  ~Shuffle();

  const DesShuffle& way() const { return way_; }
  // At most kBatchCapacity jobs of one of both ciphers.
  void Decrypt(Job* const* jobs, size_t count);
  void Encrypt(Job* const* longest_first, size_t count);

 private:
  explicit Shuffle(const DesShuffle& way) : way_(way) {}
  void SetKeys(const DesShuffleLanes& lanes, const Keys* const* keys, size_t count);
  void Encrypt(const DesShuffleLanes& lanes, Job* const* longest_first, size_t count);

  const DesShuffle& way_;
  alignas(64) uint64_t blocks_[kDesShuffleMaxLanes] = {};
  alignas(64) uint64_t before_[kDesShuffleMaxLanes] = {};
  alignas(64) uint64_t ends_[kDesShuffleMaxLanes][kDesChunk] = {};
  DesShuffleState state_{};
};

// HMAC-SHA1-96 of packets side by side in AVX-512, with one thread's working memory.
class Sha1Lanes {
 public:
  static constexpr size_t kLanes = 16;
  using States = uint32_t[5][kLanes];

  // Nothing for no instructions.
  static std::unique_ptr<Sha1Lanes> Create();
  Sha1Lanes(const Sha1Lanes&) = delete;
  Sha1Lanes& operator=(const Sha1Lanes&) = delete;
  ~Sha1Lanes();

  // The words of a block in each lane, two at a time.
  using Pairs = uint64_t[8][kLanes];

  // Any number of jobs of this HMAC; the longer ones had better come first.
  void Sign(Job* const* jobs, size_t count);

 private:
  Sha1Lanes() = default;
  void Begin(size_t lane, Job* job);
  void End(size_t lane);
  void Enter(uint32_t lanes);
  void Leave(uint32_t lanes, Job* const* jobs);
  void Finish();

  // Lanes are numbered by the bits of a word.
  static constexpr uint32_t kAllLanes = (1u << kLanes) - 1;
  alignas(64) States inner_ = {};
  alignas(64) Pairs pairs_ = {};
  alignas(64) const uint8_t* from_[kLanes] = {};  // what each lane hashes
  alignas(64) const uint8_t* then_[kLanes] = {};  // and what it does after that: of
  alignas(64) uint32_t left_[kLanes] = {};        // so many blocks
  Job* jobs_[kLanes] = {};
  uint32_t padded_ = 0;  // those at the padded end of their packet, which is in one of two places
  uint32_t other_ends_ = 0;
  alignas(64) uint8_t ends_[kLanes][2][2 * 64] = {};
  // Those whose inner hash is known.
  alignas(64) uint32_t digests_[5][2 * kLanes] = {};
  Job* waiting_jobs_[2 * kLanes] = {};
  size_t waiting_ = 0;
};

#ifdef HAVE_IPSEC_MB

// AES-CBC by lanes of our own, with one thread's working memory; the library makes the round keys.
class AesLanes {
 public:
  // Nothing for no unit.
  static std::unique_ptr<AesLanes> Create(const AesUnit* unit);
  AesLanes(const AesLanes&) = delete;
  AesLanes& operator=(const AesLanes&) = delete;
  ~AesLanes();

  // Any number of jobs of one cipher.
  void Encrypt(Job* const* jobs, size_t count);
  void Decrypt(Job* const* jobs, size_t count);

 private:
  explicit AesLanes(const AesUnit& unit) : unit_(unit) {}
  void Encrypt(const AesEncryptor& way, Job* const* jobs, size_t count);
  void Begin(size_t lane, Job* job);

  // Blocks that go through the lanes at most at a time while some are idle.
  static constexpr size_t kIdleBlocks = 128;
  const AesUnit& unit_;
  AesState state_ = {};
  uint8_t* texts_[kAesMaxLanes] = {};
  size_t left_[kAesMaxLanes] = {};       // blocks from there on,
  const Keys* keys_[kAesMaxLanes] = {};  // and whose round keys the lane has
  alignas(64) uint8_t idle_[kIdleBlocks * kAesBlock] = {};
};

#endif

// All that one SA's keys become; wiped when it goes. What most packets touch comes first, and is dense: of thousands of SAs
// the processor has to have in its caches, and their pages to know, what is used of them.
struct Keys {
  Cipher cipher;
  Integrity integrity;
  Direction direction;
  HmacStates hmac;
#ifdef HAVE_IPSEC_MB
  IpsecMbKeys ipsec_mb;
#endif
  std::unique_ptr<DesKeys> des = std::make_unique<DesKeys>();
  std::unique_ptr<OpensslKeys> openssl = std::make_unique<OpensslKeys>();

  // Has the memory come that lanes will ask for, in two steps: what tells the rest has to be there first. What is sealed is
  // encrypted at once, what was received is signed before it is decrypted, and so its keys need not come as near.
  template <int kCache>
  void Fetch() const {
    FetchLine<kCache>(this);
  }
  void FetchRest() const;
  // The end of what every packet of AES-CBC looks at.
  const void* OftenEnd() const {
#ifdef HAVE_IPSEC_MB
    return &ipsec_mb.gcm;
#else
    return &des;
#endif
  }
};

// Chooses, step by step and algorithm by algorithm, who does the work.
class Crypto {
 public:
  // With all but Best, one of them does all that it can, and OpenSSL the rest.
  enum class Only : uint8_t { Best, Openssl, IpsecMb, Avx512, Avx2, Portable, Vbmi, Shuffle, Sha1, Vaes512, Vaes, AesNi };

  explicit Crypto(Only only);
  // Whether `only` can be had here.
  bool usable() const;
  // Answers false where OpenSSL refuses the algorithm.
  bool Expand(const SuiteKeys& keys, Keys& expanded);

  // Each step runs over at most kBatchCapacity jobs of any SAs of one direction. GCM's both steps are one: the first of
  // them, which is Crypt for what is sent and Sign for what comes, where it leaves the text decrypted and the ICV to compare.
  void Crypt(Job* const* jobs, size_t count);
  void Sign(Job* const* jobs, size_t count);

 private:
  void Gcm(Job* const* jobs, size_t count);
  void CryptDes(Job** jobs, size_t count);
  void EncryptDes(Job** jobs, size_t count);

  Only only_;
  std::unique_ptr<Bitslice> bitslice_;
  std::unique_ptr<Shuffle> shuffle_;
  std::unique_ptr<Sha1Lanes> sha1_;
#ifdef HAVE_IPSEC_MB
  bool UsesLibrary() const;
  size_t Share(size_t jobs, size_t threshold) const;
  std::unique_ptr<IpsecMb> ipsec_mb_;
  std::unique_ptr<AesLanes> aes_;  // its keys are made by the library
#endif
};

#ifdef HAVE_IPSEC_MB
// The widest unit of those that `only` leaves and this processor has; nullptr where there is none.
const AesUnit* ChooseAes(Crypto::Only only);
#endif

// The library's version where it is compiled in and of use here, else nullptr.
const char* IpsecMbVersion();

}  // namespace floatgate
