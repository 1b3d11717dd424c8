// Fuzzes the ESP engine without Node: batches whose packets and columns nobody checked, SAs that come and go, and
// packets that were sealed and then damaged. Built with AddressSanitizer and UndefinedBehaviorSanitizer by fuzz.sh.
//
//   fuzz [seconds [seed]]      ends with 0, or at the first broken promise with 1 and the seed
//   fuzz packets N [seed]      until so many have come through whole
//
// One end computes by OpenSSL alone, the other by what the seed says: whatever there is, or one of our kinds. So each whole
// packet is one on which they agree: of all suites, lengths and numbers of packets in a batch, with keys mixed.
//
// What must hold, whatever the columns say:
// - no byte outside the batch is touched (AddressSanitizer watches its memory);
// - a packet that left Seal whole comes out of Open as the payload that went in, and once only;
// - a packet that was damaged in any way never comes out (a cut to SHA-256 of 96 bits is none, and not made here);
// - a row that was not to be forwarded stays as it was, with every byte of its slot.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "../esp_engine.h"
#include "own_batch.h"

using namespace floatgate;

namespace {

uint32_t seed = 1;
std::mt19937 dice(1);

uint32_t Below(uint32_t limit) { return dice() % limit; }
bool Chance(uint32_t percent) { return Below(100) < percent; }
void Roll(uint8_t* bytes, uint32_t length) {
  for (uint32_t i = 0; i < length; i += 4) {
    uint32_t word = dice();
    std::memcpy(bytes + i, &word, std::min(4u, length - i));
  }
}

[[noreturn]] void Fail(const char* promise, uint32_t row) {
  std::fprintf(stderr, "seed %u, row %u: %s\n", seed, row, promise);
  std::exit(1);
}

constexpr uint32_t kPeers = 6;

// The two ends of the same SAs: one seals what the other opens.
struct Ends {
  Engine near, far;
  uint32_t next_spi = 0x1000;
  std::vector<uint32_t> spis[kPeers];

  Ends(Crypto::Only sealing, Crypto::Only opening) : near(sealing), far(opening) {}

  void Install(uint32_t peer) {
    auto cipher = static_cast<Cipher>(Below(kCipherCount));
    auto integrity = IsGcm(cipher) ? Integrity::Gcm : static_cast<Integrity>(Below(Index(Integrity::Gcm)));
    uint8_t cipher_key[kMaxKey], integrity_key[32];
    for (uint8_t& byte : cipher_key) byte = static_cast<uint8_t>(dice());
    for (uint8_t& byte : integrity_key) byte = static_cast<uint8_t>(dice());
    static constexpr uint32_t kWindows[] = {64, 128, 256};
    SaRequest request = {.spi = next_spi += 1 + Below(3),
                         .peer = peer,
                         .keys = {cipher, integrity, Direction::Encrypt, cipher_key, integrity_key},
                         .soft_bytes = 0,
                         .hard_bytes = Chance(5) ? 5000u : 0u};
    near.SetPath(peer, {1, 2, Chance(50) ? 4500u : 0u});
    bool sealing = near.InstallOutbound(request, Chance(5) ? UINT32_MAX - Below(100) : 0);
    request.keys.direction = Direction::Decrypt;
    request.hard_bytes = 0;
    far.SetPath(peer, {1, 2, 4500});
    bool opening = far.InstallInbound(request, kWindows[Below(3)]);
    if (!sealing || !opening) Fail("an SA was refused", peer);
    spis[peer].push_back(request.spi);
  }

  void Change() {
    uint32_t peer = 1 + Below(kPeers - 1);
    uint32_t what = Below(20);
    if (what == 0) {
      near.RemovePeer(peer);
      far.RemovePeer(peer);
      spis[peer].clear();
    } else if (what == 1 && !spis[peer].empty()) {
      uint32_t spi = spis[peer][Below(static_cast<uint32_t>(spis[peer].size()))];
      near.RemoveOutbound(peer, spi);
      far.RemoveInbound(spi);
      std::erase(spis[peer], spi);
    } else if (what < 5 && spis[peer].size() < 4) {
      Install(peer);
    }
    near.events().clear();
    far.events().clear();
  }
};

void Fill(const BatchView& batch) {
  for (uint32_t row = 0; row < kBatchCapacity; row++) {
    static constexpr uint32_t kSizes[] = {0, 1, 2, 7, 8, 15, 16, 60, 500, 1400, kMaxPacket};
    uint32_t length = Chance(50) ? kSizes[Below(11)] : Below(kMaxPacket + 1);
    batch.MakeRow(row, row * kSlotSize + kHeadroom, length);
    Roll(batch.Packet(row), length);
    batch.peer[row] = Below(kPeers + 1);
    batch.protocol[row] = static_cast<uint8_t>(dice());
    if (Chance(5)) batch.Drop(row, DropReason::Policy);
    if (Chance(3)) batch.Punt(row, PuntReason::PppControl);
  }
}

// Columns that no honest worker writes.
void Lie(const BatchView& batch) {
  static constexpr uint32_t kWild[] = {0, 1, 24, kSlotSize, kBytesSize - 1, kBytesSize, kBytesSize + 1, UINT32_MAX};
  for (uint32_t row = 0; row < kBatchCapacity; row++) {
    if (Chance(40)) batch.offset[row] = Chance(50) ? kWild[Below(8)] : Below(2 * kBytesSize);
    if (Chance(40)) batch.length[row] = Chance(50) ? kWild[Below(8)] : Below(2 * kBytesSize);
    if (Chance(20)) batch.peer[row] = Chance(50) ? UINT32_MAX : Below(2 * kMaxPeers);
  }
}

// Damages a sealed packet; answers whether it still is what it was.
bool Damage(const BatchView& batch, uint32_t row) {
  uint8_t* packet = batch.Packet(row);
  uint32_t& length = batch.length[row];
  switch (Below(6)) {
    case 0:
      return true;
    case 1:
      packet[Below(length)] ^= static_cast<uint8_t>(1u << Below(8));
      return false;
    case 2: {
      // Four bytes less are no damage to an SA that does not yet know how SHA-256 is cut: the other end may cut so.
      uint32_t left = Below(length);
      length = left + 4 == length ? left + 1 : left;
      return false;
    }
    case 3:
      length -= length > 16 ? 16 : 0;
      return false;
    case 4: {
      uint32_t more = 1 + Below(16);
      std::memset(packet + length, 0, more);
      length += more;
      return false;
    }
    default:
      for (uint32_t i = 0; i < length; i++) packet[i] = static_cast<uint8_t>(dice());
      return false;
  }
}

// Answers how many packets came through whole.
uint32_t SealAndOpen(Ends& ends, OwnBatch& sent, OwnBatch& plain, OwnBatch& taken) {
  const BatchView& s = sent.view;
  const BatchView& p = plain.view;
  const BatchView& t = taken.view;
  uint32_t count = Below(kBatchCapacity + 1);
  Fill(s);
  plain.CopyFrom(sent);
  ends.near.Expect(s, count);
  ends.near.Seal(s, count);
  for (uint32_t row = 0; row < kBatchCapacity; row++) {
    bool sealed = row < count && p.Forwards(row) && s.Forwards(row);
    if (sealed && (s.offset[row] / kSlotSize != row || s.length[row] > kSlotSize)) Fail("left its slot", row);
    bool untouched = row >= count || !p.Forwards(row);
    if (untouched && std::memcmp(s.bytes + row * kSlotSize, p.bytes + row * kSlotSize, kSlotSize) != 0)
      Fail("a row that was not to be sealed was touched", row);
  }

  taken.CopyFrom(sent);
  bool whole[kBatchCapacity];
  bool good_line = Chance(60);
  for (uint32_t row = 0; row < kBatchCapacity; row++) {
    whole[row] = row < count && t.Forwards(row) && (good_line || Damage(t, row));
    t.port[row] = 4500;
  }
  OwnBatch again;
  again.CopyFrom(taken);
  uint32_t peers[kBatchCapacity];
  ends.far.PeersOf(t, count, peers);
  ends.far.Open(t, count);
  uint32_t through = 0;
  for (uint32_t row = 0; row < count; row++) {
    if (!s.Forwards(row)) continue;
    if (!whole[row] && t.Forwards(row)) Fail("a damaged packet came out", row);
    if (!t.Forwards(row)) {
      if (whole[row]) Fail("a whole packet did not come out", row);
      continue;
    }
    if (t.length[row] != p.length[row] || t.peer[row] != p.peer[row] || t.protocol[row] != p.protocol[row] ||
        std::memcmp(t.Packet(row), p.Packet(row), p.length[row]) != 0)
      Fail("another payload came out", row);
    if (peers[row] != t.peer[row]) Fail("another peer was told before", row);
    through++;
  }
  ends.far.Open(again.view, count);
  for (uint32_t row = 0; row < count; row++)
    if (s.Forwards(row) && again.view.Forwards(row)) Fail("a replayed packet came out", row);
  return through;
}

void OpenNonsense(Ends& ends, OwnBatch& batch) {
  const BatchView& b = batch.view;
  Fill(b);
  for (uint32_t row = 0; row < kBatchCapacity; row++) {
    // Half of them name an SA that is there.
    uint32_t peer = 1 + Below(kPeers - 1);
    if (b.length[row] < 8 || Chance(50) || ends.spis[peer].empty()) continue;
    uint32_t spi = ends.spis[peer][Below(static_cast<uint32_t>(ends.spis[peer].size()))];
    for (int i = 0; i < 4; i++) b.Packet(row)[i] = static_cast<uint8_t>(spi >> (24 - 8 * i));
  }
  if (Chance(50)) Lie(b);
  uint32_t peers[kBatchCapacity];
  ends.far.PeersOf(b, kBatchCapacity, peers);
  uint8_t before[kBatchCapacity];
  std::memcpy(before, b.verdict, sizeof before);
  ends.far.Open(b, kBatchCapacity);
  for (uint32_t row = 0; row < kBatchCapacity; row++)
    if (before[row] == 0 && b.Forwards(row)) Fail("nonsense came out", row);
}

void SealNonsense(Ends& ends, OwnBatch& batch) {
  Fill(batch.view);
  Lie(batch.view);
  ends.near.Expect(batch.view, kBatchCapacity);
  ends.near.Seal(batch.view, kBatchCapacity);
  for (uint32_t row = 0; row < kBatchCapacity; row++)
    if (batch.view.Forwards(row) && !batch.view.InBounds(row)) Fail("out of bounds", row);
}

// What can be had here, the best of each kind most often.
Crypto::Only Kind() {
  static constexpr Crypto::Only kKinds[] = {Crypto::Only::IpsecMb, Crypto::Only::Avx512,   Crypto::Only::Avx2,
                                            Crypto::Only::Shuffle, Crypto::Only::Portable, Crypto::Only::Openssl,
                                            Crypto::Only::Sha1,    Crypto::Only::Vaes512,  Crypto::Only::Vaes,
                                            Crypto::Only::AesNi};
  Crypto::Only kind = kKinds[Below(std::size(kKinds))];
  return Chance(50) || !Crypto(kind).usable() ? Crypto::Only::Best : kind;
}

}  // namespace

int main(int argc, char** argv) {
  bool counted = argc > 2 && std::strcmp(argv[1], "packets") == 0;
  if (counted) argv++, argc--;
  double most = argc > 1 ? std::atof(argv[1]) : 10;
  seed = argc > 2 ? static_cast<uint32_t>(std::strtoul(argv[2], nullptr, 10)) : 1;
  auto end = std::chrono::steady_clock::now() + std::chrono::duration<double>(counted ? 0 : most);
  OwnBatch one, two, three;
  uint64_t batches = 0, packets = 0;
  // A seed is a life of an engine, so that one number finds a failure again.
  do {
    dice.seed(seed);
    Crypto::Only kind = Kind();
    bool seals = Chance(50);
    Ends ends(seals ? kind : Crypto::Only::Openssl, seals ? Crypto::Only::Openssl : kind);
    for (uint32_t peer = 1; peer < kPeers; peer++) ends.Install(peer);
    for (int i = 0; i < 60; i++) {
      ends.Change();
      packets += SealAndOpen(ends, one, two, three);
      OpenNonsense(ends, one);
      if (Chance(30)) SealNonsense(ends, two);
      batches += 4;
    }
    seed++;
  } while (counted ? static_cast<double>(packets) < most : std::chrono::steady_clock::now() < end);
  std::printf("%llu batches, %llu whole packets as OpenSSL has them, seeds up to %u, no promise broken\n",
              static_cast<unsigned long long>(batches), static_cast<unsigned long long>(packets), seed - 1);
  return 0;
}
