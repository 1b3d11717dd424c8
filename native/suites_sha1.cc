// HMAC-SHA1-96 (RFC 2404) with AVX-512: the blocks of 16 packets go through the vector unit side by side, and a packet that
// is through makes room for the next. The arithmetic is that of libipsec-mb; what is faster is the order. Each round waits
// for one rotation and one addition of the round before it, if everything else has been added up by then.
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
constexpr uint32_t kTagWords = 3;

FLOATGATE_INLINE V Add(V a, V b) { return _mm512_add_epi32(a, b); }

// The compiler may not sum in another order than the one written, in which what is known last comes last.
FLOATGATE_INLINE V AddInOrder(V a, V b) {
  V sum = Add(a, b);
  __asm__("" : "+v"(sum));
  return sum;
}

// 64 bytes from each of 16 places: word i of all of them in words[i].
FLOATGATE_INLINE void LoadWords(const uint8_t* const* from, size_t at, Words& words) {
  const V swap = _mm512_broadcast_i32x4(_mm_set_epi8(12, 13, 14, 15, 8, 9, 10, 11, 4, 5, 6, 7, 0, 1, 2, 3));
  Words fours;  // four lanes of words i, 4 + i, 8 + i and 12 + i, for each four lanes
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    V lane[4];
#pragma GCC unroll 4
    for (int k = 0; k < 4; k++) lane[k] = _mm512_shuffle_epi8(_mm512_loadu_epi32(from[i + k] + at), swap);
    V a = _mm512_unpacklo_epi32(lane[0], lane[1]), b = _mm512_unpackhi_epi32(lane[0], lane[1]);
    V c = _mm512_unpacklo_epi32(lane[2], lane[3]), d = _mm512_unpackhi_epi32(lane[2], lane[3]);
    fours[i] = _mm512_unpacklo_epi64(a, c);
    fours[i + 1] = _mm512_unpackhi_epi64(a, c);
    fours[i + 2] = _mm512_unpacklo_epi64(b, d);
    fours[i + 3] = _mm512_unpackhi_epi64(b, d);
  }
#pragma GCC unroll 4
  for (int i = 0; i < 4; i++) {
    V a = _mm512_shuffle_i32x4(fours[i], fours[4 + i], 0x88), b = _mm512_shuffle_i32x4(fours[i], fours[4 + i], 0xdd);
    V c = _mm512_shuffle_i32x4(fours[8 + i], fours[12 + i], 0x88), d = _mm512_shuffle_i32x4(fours[8 + i], fours[12 + i], 0xdd);
    words[i] = _mm512_shuffle_i32x4(a, c, 0x88);
    words[4 + i] = _mm512_shuffle_i32x4(b, d, 0x88);
    words[8 + i] = _mm512_shuffle_i32x4(a, c, 0xdd);
    words[12 + i] = _mm512_shuffle_i32x4(b, d, 0xdd);
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

template <int kFirst, int... kRounds>
FLOATGATE_INLINE void Rounds(State& s, Words& w, uint32_t constant, std::integer_sequence<int, kRounds...>) {
  V all = _mm512_set1_epi32(static_cast<int>(constant));
  (Round<kFirst + kRounds>(s, w, all), ...);
}

// One block of each lane; the words are used up.
FLOATGATE_INLINE void Compress(State& s, Words& w) {
  V a = s[0], b = s[1], c = s[2], d = s[3], e = s[4];
  constexpr std::make_integer_sequence<int, 20> kTwenty;
  Rounds<0>(s, w, 0x5a827999, kTwenty);
  Rounds<20>(s, w, 0x6ed9eba1, kTwenty);
  Rounds<40>(s, w, 0x8f1bbcdc, kTwenty);
  Rounds<60>(s, w, 0xca62c1d6, kTwenty);
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

void Hash(Sha1Lanes::States& states, const uint8_t* const* from, size_t blocks) {
  State s;
  Load(states, s);
  for (size_t at = 0; at < blocks * kBlock; at += kBlock) {
    Words w;
    LoadWords(from, at, w);
    Compress(s, w);
  }
  Store(s, states);
}

// The outer hash of HMAC over the inner one.
void HashDigests(Sha1Lanes::States& states, const Sha1Lanes::States& digests) {
  State s;
  Load(states, s);
  Words w;
#pragma GCC unroll 5
  for (int i = 0; i < 5; i++) w[i] = _mm512_load_si512(digests[i]);
  w[5] = _mm512_set1_epi32(static_cast<int>(0x80000000));
#pragma GCC unroll 9
  for (int i = 6; i < 15; i++) w[i] = _mm512_setzero_si512();
  w[15] = _mm512_set1_epi32((kBlock + 20) * 8);
  Compress(s, w);
  Store(s, states);
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
  OPENSSL_cleanse(outer_, sizeof outer_);
}

void Sha1Lanes::Begin(size_t lane, Job* job) {
  for (size_t i = 0; i < 5; i++) std::memcpy(&inner_[i][lane], job->keys->hmac.inner + 4 * i, 4);
  jobs_[lane] = job;
  from_[lane] = job->packet;
  left_[lane] = job->signed_length / kBlock;
  padded_[lane] = false;
  if (left_[lane] == 0) BeginPadding(lane);
}

void Sha1Lanes::BeginPadding(size_t lane) {
  left_[lane] = Pad(*jobs_[lane], ends_[lane]);
  from_[lane] = ends_[lane];
  padded_[lane] = true;
}

// The inner hash waits until there are as many as there are lanes.
void Sha1Lanes::End(size_t lane) {
  const uint8_t* outer = jobs_[lane]->keys->hmac.outer;
  for (size_t i = 0; i < 5; i++) {
    digests_[i][waiting_] = inner_[i][lane];
    std::memcpy(&outer_[i][waiting_], outer + 4 * i, 4);
  }
  waiting_jobs_[waiting_++] = jobs_[lane];
  jobs_[lane] = nullptr;
  if (waiting_ == kLanes) Finish();
}

void Sha1Lanes::Finish() {
  HashDigests(outer_, digests_);
  for (size_t lane = 0; lane < waiting_; lane++) {
    Job& job = *waiting_jobs_[lane];
    for (size_t i = 0; i < kTagWords; i++) {
      uint32_t word = __builtin_bswap32(outer_[i][lane]);
      std::memcpy(job.icv + 4 * i, &word, 4);
    }
    job.done = true;
  }
  waiting_ = 0;
}

void Sha1Lanes::Sign(Job* const* jobs, size_t count) {
  size_t next = 0;
  for (size_t lane = 0; lane < kLanes; lane++) {
    jobs_[lane] = nullptr;
    if (next < count) Begin(lane, jobs[next++]);
  }
  for (;;) {
    uint32_t blocks = UINT32_MAX;
    const uint8_t* some = nullptr;
    for (size_t lane = 0; lane < kLanes; lane++) {
      if (jobs_[lane] == nullptr) continue;
      blocks = std::min(blocks, left_[lane]);
      some = from_[lane];
    }
    if (some == nullptr) break;
    // Lanes without a packet hash another one's.
    for (size_t lane = 0; lane < kLanes; lane++) {
      if (jobs_[lane] == nullptr) from_[lane] = some;
    }
    Hash(inner_, from_, blocks);
    for (size_t lane = 0; lane < kLanes; lane++) {
      if (jobs_[lane] == nullptr) continue;
      left_[lane] -= blocks;
      from_[lane] += blocks * kBlock;
      if (left_[lane] > 0) continue;
      if (!padded_[lane]) {
        BeginPadding(lane);
        continue;
      }
      End(lane);
      if (next < count) Begin(lane, jobs[next++]);
    }
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
