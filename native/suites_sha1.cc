// HMAC-SHA1-96 (RFC 2404) with AVX-512: the blocks of 16 packets go through the vector unit side by side, and a packet that
// is through makes room for the next.
#include <openssl/crypto.h>

#include "suites.h"

#if defined(__x86_64__) && defined(__GNUC__)

// GCC 12 warns of what its own header leaves undefined on purpose.
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <utility>

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw")
#include "sha1_kernel.h"

namespace floatgate {
namespace {

constexpr size_t kTag = kIntegritySizes[Index(Integrity::Sha1)].icv;

// A hash state from each of 16 places of 32 bytes.
FLOATGATE_INLINE void GatherStates(const uint8_t* const* from, State& s) {
  V word[2][4];  // [k][i]: word i of lanes 4k to 4k + 3, word 4 + i of them, and the same of the lanes eight further on
#pragma GCC unroll 2
  for (int k = 0; k < 2; k++) {
    V lane[4];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
      const uint8_t* const* at = from + 4 * k + i;
      V low = _mm512_castsi256_si512(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(at[0])));
      lane[i] = _mm512_inserti64x4(low, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at[8])), 1);
    }
    V a = _mm512_unpacklo_epi32(lane[0], lane[1]), b = _mm512_unpackhi_epi32(lane[0], lane[1]);
    V c = _mm512_unpacklo_epi32(lane[2], lane[3]), d = _mm512_unpackhi_epi32(lane[2], lane[3]);
    word[k][0] = _mm512_unpacklo_epi64(a, c);
    word[k][1] = _mm512_unpackhi_epi64(a, c);
    word[k][2] = _mm512_unpacklo_epi64(b, d);
    word[k][3] = _mm512_unpackhi_epi64(b, d);
  }
  const V first = _mm512_set_epi64(13, 12, 5, 4, 9, 8, 1, 0), second = _mm512_set_epi64(15, 14, 7, 6, 11, 10, 3, 2);
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) s[i] = _mm512_permutex2var_epi64(word[0][i], first, word[1][i]);
  s[4] = _mm512_permutex2var_epi64(word[0][0], second, word[1][0]);
}

// The outer hash of HMAC over the inner one.
FLOATGATE_INLINE void HashDigests(const State& digests, State& s) {
  Words w;
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) w[i] = digests[i];
  w[5] = _mm512_set1_epi32(static_cast<int>(0x80000000));
#pragma GCC unroll 9
  for (int i = 6; i < 15; i++) w[i] = _mm512_setzero_si512();
  w[15] = _mm512_set1_epi32((kBlock + 20) * 8);
  HashWords(s, w);
}

// The first 16 bytes of each lane's hash: of lanes i, 4 + i, 8 + i and 12 + i, one after the other, from `to[4 * i]` on.
FLOATGATE_INLINE void StoreTags(const State& s, uint8_t (*to)[16]) {
  const V swap = _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
  V a = _mm512_unpacklo_epi32(s[0], s[1]), b = _mm512_unpackhi_epi32(s[0], s[1]);
  V c = _mm512_unpacklo_epi32(s[2], s[3]), d = _mm512_unpackhi_epi32(s[2], s[3]);
  _mm512_storeu_si512(to[0], _mm512_shuffle_epi8(_mm512_unpacklo_epi64(a, c), swap));
  _mm512_storeu_si512(to[4], _mm512_shuffle_epi8(_mm512_unpackhi_epi64(a, c), swap));
  _mm512_storeu_si512(to[8], _mm512_shuffle_epi8(_mm512_unpacklo_epi64(b, d), swap));
  _mm512_storeu_si512(to[12], _mm512_shuffle_epi8(_mm512_unpackhi_epi64(b, d), swap));
}

// What follows the last whole block, padded; answers how many blocks that is.
uint32_t Pad(const Job& job, uint8_t* to) {
  uint32_t rest = job.signed_length % kBlock;
  V last = _mm512_maskz_loadu_epi8((uint64_t{1} << rest) - 1, job.packet + job.signed_length - rest);
  last = _mm512_mask_set1_epi8(last, uint64_t{1} << rest, static_cast<char>(0x80));
  auto bits = static_cast<long long>(__builtin_bswap64((kBlock + job.signed_length) * 8));
  if (rest < kBlock - 8) {
    _mm512_storeu_si512(to, _mm512_mask_set1_epi64(last, 0x80, bits));
    return 1;
  }
  _mm512_storeu_si512(to, last);
  _mm512_storeu_si512(to + kBlock, _mm512_maskz_set1_epi64(0x80, bits));
  return 2;
}

}  // namespace

std::unique_ptr<Sha1Lanes> Sha1Lanes::Create() {
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw")) return nullptr;
  return std::unique_ptr<Sha1Lanes>(new Sha1Lanes());
}

Sha1Lanes::~Sha1Lanes() {
  OPENSSL_cleanse(inner_, sizeof inner_);
  OPENSSL_cleanse(digests_, sizeof digests_);
}

// The packet that the lane hashes then.
void Sha1Lanes::Begin(size_t lane, Job* job) {
  jobs_[lane] = job;
  then_[lane] = job->packet;
  left_[lane] = job->signed_length / kBlock;
  padded_ &= ~(1u << lane);
  if (left_[lane] == 0) End(lane);
}

// The same of its padded end. That of the packet before may still be needed.
void Sha1Lanes::End(size_t lane) {
  other_ends_ ^= 1u << lane;
  uint8_t* end = ends_[lane][other_ends_ >> lane & 1];
  then_[lane] = end;
  left_[lane] = Pad(*jobs_[lane], end);
  padded_ |= 1u << lane;
}

// Lanes that begin a packet.
void Sha1Lanes::Enter(uint32_t lanes) {
  const uint8_t* from[kLanes];
  for (size_t lane = 0; lane < kLanes; lane++) from[lane] = jobs_[lane]->keys->hmac.inner;
  State s;
  GatherStates(from, s);
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) {
    _mm512_store_si512(inner_[i], _mm512_mask_mov_epi32(_mm512_load_si512(inner_[i]), static_cast<__mmask16>(lanes), s[i]));
  }
}

// Lanes whose inner hash is known. It waits until there are as many as there are lanes.
void Sha1Lanes::Leave(uint32_t lanes, Job* const* jobs) {
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) {
    V digests = _mm512_maskz_compress_epi32(static_cast<__mmask16>(lanes), _mm512_load_si512(inner_[i]));
    _mm512_storeu_si512(digests_[i] + waiting_, digests);
  }
  for (; lanes != 0; lanes &= lanes - 1) waiting_jobs_[waiting_++] = jobs[__builtin_ctz(lanes)];
  if (waiting_ >= kLanes) Finish();
}

void Sha1Lanes::Finish() {
  size_t count = std::min(waiting_, kLanes);
  const uint8_t* from[kLanes];
  for (size_t lane = 0; lane < kLanes; lane++) from[lane] = waiting_jobs_[lane < count ? lane : 0]->keys->hmac.outer;
  State digests, s;
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) {
    digests[i] = _mm512_load_si512(digests_[i]);
    _mm512_store_si512(digests_[i], _mm512_load_si512(digests_[i] + kLanes));
  }
  GatherStates(from, s);
  HashDigests(digests, s);
  alignas(64) uint8_t tags[kLanes][16];
  StoreTags(s, tags);
  for (size_t lane = 0; lane < count; lane++) {
    Job& job = *waiting_jobs_[lane];
    std::memcpy(job.icv, tags[lane % 4 * 4 + lane / 4], kTag);
    job.done = true;
  }
  waiting_ -= count;
  std::copy_n(waiting_jobs_ + count, waiting_, waiting_jobs_);
}

void Sha1Lanes::Sign(Job* const* jobs, size_t count) {
  if (count == 0) return;
  Job* const* end = jobs + count;
  uint32_t busy = 0;
  for (size_t lane = 0; lane < kLanes; lane++) {
    if (jobs != end) {
      Begin(lane, *jobs++);
      busy |= 1u << lane;
      continue;
    }
    jobs_[lane] = jobs_[0];
    left_[lane] = UINT32_MAX;
    then_[lane] = ends_[lane][0];
  }
  Enter(kAllLanes);
  std::copy_n(then_, kLanes, from_);
  CopyBlock(from_, pairs_, std::make_integer_sequence<int, kCopies>());
  while (busy != 0) {
    // Lanes without a packet hash another one's.
    for (uint32_t idle = kAllLanes & ~busy; idle != 0; idle &= idle - 1) {
      from_[__builtin_ctz(idle)] = from_[__builtin_ctz(busy)];
    }
    V left = _mm512_load_si512(left_);
    uint32_t blocks = _mm512_reduce_min_epu32(left);
    left = _mm512_sub_epi32(left, _mm512_set1_epi32(static_cast<int>(blocks)));
    _mm512_store_si512(left_, left);
    V way = _mm512_set1_epi64(static_cast<long long>(blocks * kBlock));
    _mm512_store_si512(then_, _mm512_add_epi64(_mm512_load_si512(from_), way));
    _mm512_store_si512(then_ + 8, _mm512_add_epi64(_mm512_load_si512(from_ + 8), way));
    for (uint32_t idle = kAllLanes & ~busy; idle != 0; idle &= idle - 1) {
      then_[__builtin_ctz(idle)] = ends_[__builtin_ctz(idle)][0];
    }

    Job* leavers[kLanes];
    uint32_t leaving = 0, entering = 0;
    for (uint32_t through = _mm512_testn_epi32_mask(left, left); through != 0; through &= through - 1) {
      auto lane = static_cast<size_t>(__builtin_ctz(through));
      uint32_t bit = 1u << lane;
      if ((padded_ & bit) == 0) {
        End(lane);
        continue;
      }
      leaving |= bit;
      leavers[lane] = jobs_[lane];
      if (jobs != end) {
        Begin(lane, *jobs++);
        entering |= bit;
      } else {
        left_[lane] = UINT32_MAX;
        then_[lane] = ends_[lane][0];
      }
    }
    Hash(inner_, pairs_, from_, blocks, then_);
    if (leaving != 0) Leave(leaving, leavers);
    if (entering != 0) Enter(entering);
    busy &= ~leaving | entering;
    std::copy_n(then_, kLanes, from_);
  }
  if (waiting_ > 0) Finish();
}

}  // namespace floatgate
#pragma GCC pop_options

#else

namespace floatgate {
std::unique_ptr<Sha1Lanes> Sha1Lanes::Create() { return nullptr; }
Sha1Lanes::~Sha1Lanes() {}
void Sha1Lanes::Sign(Job* const*, size_t) {}
}  // namespace floatgate

#endif
