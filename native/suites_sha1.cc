// HMAC-SHA1-96 (RFC 2404) with AVX-512: the blocks of 16 packets go through the vector unit side by side, and a packet that
// is through makes room for the next. The arithmetic is that of libipsec-mb; what is faster is the order. Each round waits
// for one rotation and one addition of the round before it, if everything else has been added up by then. And the words of
// all packets get side by side through memory, by the units for integers, which have nothing else to do.
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

namespace floatgate {
namespace {

#define FLOATGATE_INLINE inline __attribute__((always_inline))

using V = __m512i;
using Words = V[16];
using State = V[5];

constexpr size_t kBlock = 64;
constexpr size_t kTag = kIntegritySizes[Index(Integrity::Sha1)].icv;

FLOATGATE_INLINE V Add(V a, V b) { return _mm512_add_epi32(a, b); }

// The compiler may not sum in another order than the one written, in which what is known last comes last.
FLOATGATE_INLINE V AddInOrder(V a, V b) {
  V sum = Add(a, b);
  __asm__("" : "+v"(sum));
  return sum;
}

// Two words of a lane at a time are on their way; where they stand lets one shuffle of two lines tell them apart.
constexpr int kCopies = kBlock / 8 * Sha1Lanes::kLanes;
constexpr size_t Place(size_t lane) { return (lane & 2) * 4 + lane / 4 * 2 + (lane & 1); }

template <int kCopy>
FLOATGATE_INLINE void CopyPair(const uint8_t* const* from, size_t at, Sha1Lanes::Pairs& to) {
  constexpr size_t kLane = kCopy / 8, kPair = kCopy % 8;
  uint64_t pair;
  std::memcpy(&pair, from[kLane] + at + 8 * kPair, sizeof pair);
  to[kPair][Place(kLane)] = __builtin_bswap64(pair);
  __asm__ volatile("" ::"m"(to[kPair][Place(kLane)]));  // here, and not with all others at the end
}

// What lies between the rounds: the copies of the next block, while the vector unit is busy.
template <int kRound>
FLOATGATE_INLINE void CopyBesides(const uint8_t* const* from, size_t at, Sha1Lanes::Pairs& to) {
  constexpr int kFirst = 80 - kCopies / 2;
  if constexpr (kRound >= kFirst) {
    CopyPair<2 * (kRound - kFirst)>(from, at, to);
    CopyPair<2 * (kRound - kFirst) + 1>(from, at, to);
  }
}

template <int... kEach>
FLOATGATE_INLINE void CopyBlock(const uint8_t* const* from, Sha1Lanes::Pairs& to, std::integer_sequence<int, kEach...>) {
  (CopyPair<kEach>(from, 0, to), ...);
}

// Word i of all lanes in words[i].
FLOATGATE_INLINE void LoadWords(const Sha1Lanes::Pairs& from, Words& words) {
#pragma GCC unroll 8
  for (int i = 0; i < 8; i++) {
    __m512 a = _mm512_load_ps(from[i]), b = _mm512_load_ps(from[i] + 8);
    words[2 * i] = _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0xdd));
    words[2 * i + 1] = _mm512_castps_si512(_mm512_shuffle_ps(a, b, 0x88));
  }
}

// FIPS 180-4 section 6.1.2; the names of the five words move instead of the words.
template <int kRound>
FLOATGATE_INLINE void Round(State& s, Words& w, V constant) {
  V &a = s[(80 - kRound) % 5], &b = s[(81 - kRound) % 5], &c = s[(82 - kRound) % 5], &d = s[(83 - kRound) % 5],
    &e = s[(84 - kRound) % 5];
  constexpr int kFunction = kRound < 20 ? 0xca : kRound >= 40 && kRound < 60 ? 0xe8 : 0x96;
  V f = _mm512_ternarylogic_epi32(b, c, d, kFunction);
  e = AddInOrder(e, w[kRound % 16]);
  e = AddInOrder(e, constant);
  if constexpr (kRound < 64) {
    V x = _mm512_xor_si512(w[kRound % 16], w[(kRound + 2) % 16]);
    x = _mm512_ternarylogic_epi32(x, w[(kRound + 8) % 16], w[(kRound + 13) % 16], 0x96);
    w[kRound % 16] = _mm512_rol_epi32(x, 1);
  }
  e = AddInOrder(e, f);
  e = AddInOrder(e, _mm512_rol_epi32(a, 5));
  b = _mm512_rol_epi32(b, 30);
}

template <int kFirst, class Besides, int... kRounds>
FLOATGATE_INLINE void Rounds(State& s, Words& w, uint32_t constant, Besides besides, std::integer_sequence<int, kRounds...>) {
  V all = _mm512_set1_epi32(static_cast<int>(constant));
  ((Round<kFirst + kRounds>(s, w, all), besides(std::integral_constant<int, kFirst + kRounds>())), ...);
}

// One block of each lane; the words are used up. `besides(round)` is done in between.
template <class Besides>
FLOATGATE_INLINE void Compress(State& s, Words& w, Besides besides) {
  V a = s[0], b = s[1], c = s[2], d = s[3], e = s[4];
  constexpr std::make_integer_sequence<int, 20> kTwenty;
  Rounds<0>(s, w, 0x5a827999, besides, kTwenty);
  Rounds<20>(s, w, 0x6ed9eba1, besides, kTwenty);
  Rounds<40>(s, w, 0x8f1bbcdc, besides, kTwenty);
  Rounds<60>(s, w, 0xca62c1d6, besides, kTwenty);
  s[0] = Add(s[0], a);
  s[1] = Add(s[1], b);
  s[2] = Add(s[2], c);
  s[3] = Add(s[3], d);
  s[4] = Add(s[4], e);
}

FLOATGATE_INLINE void Load(const Sha1Lanes::States& from, State& s) {
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) s[i] = _mm512_load_si512(from[i]);
}
FLOATGATE_INLINE void Store(const State& s, Sha1Lanes::States& to) {
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) _mm512_store_si512(to[i], s[i]);
}

// So many blocks of each lane, of which the first has been copied; copies the one that comes `then`.
void Hash(Sha1Lanes::States& states, Sha1Lanes::Pairs& pairs, const uint8_t* const* from, size_t blocks,
          const uint8_t* const* then) {
  State s;
  Load(states, s);
  for (size_t at = kBlock; blocks > 0; at += kBlock) {
    if (--blocks == 0) {
      from = then;
      at = 0;
    }
    Words w;
    LoadWords(pairs, w);
    Compress(s, w, [&](auto round) __attribute__((always_inline)) { CopyBesides<round()>(from, at, pairs); });
  }
  Store(s, states);
}

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
  Compress(s, w, [](auto) {});
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
