// Opening and sealing ESP packets by the batch (RFC 4303 section 3): bookkeeping packet by packet and in
// order, cryptography for all packets together in between.

#include "esp_engine.h"

#include <openssl/rand.h>

#include <cstring>

namespace floatgate {
namespace {

constexpr uint32_t kHeader = 8;   // SPI and sequence number
constexpr uint32_t kTrailer = 2;  // pad length and next header
constexpr uint8_t kDraftSha256Icv = 12;  // before RFC 4868; see src/esp/suites.ts
constexpr uint32_t kLastSequence = UINT32_MAX;
constexpr uint32_t kSoftSequence = 0xf0000000;  // a sixteenth of the numbers is left

uint32_t ReadWord(const uint8_t* at) {
  return static_cast<uint32_t>(at[0]) << 24 | static_cast<uint32_t>(at[1]) << 16 |
         static_cast<uint32_t>(at[2]) << 8 | at[3];
}

void WriteWord(uint8_t* at, uint32_t word) {
  at[0] = static_cast<uint8_t>(word >> 24);
  at[1] = static_cast<uint8_t>(word >> 16);
  at[2] = static_cast<uint8_t>(word >> 8);
  at[3] = static_cast<uint8_t>(word);
}

// Every cipher's block is a power of two, and a division would take as long as all else that is asked of a length.
bool IsWhole(const Sa& sa, uint32_t length) { return (length & (sa.block - 1u)) == 0; }

// Of the two lengths that the ICV of an unsettled SA may have, a packet's length fits at most one.
uint8_t IcvOf(const InboundSa& sa, uint32_t length) {
  uint32_t around = kHeader + sa.iv + kDraftSha256Icv;
  return !sa.settled && length >= around && IsWhole(sa, length - around) ? kDraftSha256Icv : sa.icv;
}

// What is wrong with a packet's length; None where it fits.
DropReason LengthFault(const InboundSa& sa, uint32_t length, uint8_t icv) {
  uint32_t around = kHeader + sa.iv + icv;
  if (length < around + sa.block) return DropReason::Truncated;
  return IsWhole(sa, length - around) ? DropReason::None : DropReason::BadPadding;
}

// Whether bytes count up from 1 (RFC 4303 section 2.4): eight at a time, where trailer and ICV follow, which are longer.
bool IsPadding(const uint8_t* at, uint32_t length) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  uint64_t expected = 0x0807060504030201;
  for (; length >= 8; length -= 8, at += 8, expected += 8 * kOnes) {
    uint64_t word;
    std::memcpy(&word, at, sizeof word);
    if (word != expected) return false;
  }
  uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return ((word ^ expected) & ((uint64_t{1} << 8 * length) - 1)) == 0;
}

// Whether two ICVs are the same, in a time that does not tell where they differ: by their first words and their last, which
// may overlap.
bool SameIcv(const uint8_t* a, const uint8_t* b, size_t size) {
  uint64_t first[2], last[2];
  std::memcpy(&first[0], a, 8);
  std::memcpy(&first[1], b, 8);
  std::memcpy(&last[0], a + size - 8, 8);
  std::memcpy(&last[1], b + size - 8, 8);
  return ((first[0] ^ first[1]) | (last[0] ^ last[1])) == 0;
}

}  // namespace

Sa::Sa(const SaRequest& request)
    : soft_bytes(request.soft_bytes),
      hard_bytes(request.hard_bytes),
      spi(request.spi),
      peer(request.peer),
      block(kCipherSizes[Index(request.keys.cipher)].block),
      iv(kCipherSizes[Index(request.keys.cipher)].iv),
      icv(kIntegritySizes[Index(request.keys.integrity)].icv),
      sha256(request.keys.integrity == Integrity::Sha256),
      settled(!sha256) {}

// 1. Find each packet's SA and measure the packet.
// 2. Compute all ICVs and compare each in constant time.
// 3. Decrypt what proved to be authentic; GCM did so in step 2, and what failed is dropped.
// 4. In the packets' order: lifetime, replay window, ICV and padding decide, each before the next.
// Step 4 asks the window, since a packet and its copy can come in one batch; step 1 has asked it only to save
// work.
void Engine::Open(const BatchView& batch, uint32_t count) {
  Opening openings[kBatchCapacity];
  Job** const jobs = jobs_;
  size_t begun = 0;
  size_t waiting = 0;
  FetchInbound(batch, count);
  for (uint32_t row = 0; row < count; row++) {
    Opening& opening = openings[begun];
    if (!batch.Forwards(row) || !BeginOpen(batch, row, opening)) continue;
    begun++;
    if (!opening.sa->Spent() && opening.sa->window.Check(opening.sequence)) jobs[waiting++] = &opening.job;
  }
  crypto_.Sign(jobs, waiting);

  waiting = 0;
  for (size_t i = 0; i < begun; i++) {
    Opening& opening = openings[i];
    const Job& job = opening.job;
    opening.authentic =
        job.done && SameIcv(opening.icv, job.packet + job.signed_length, opening.icv_size);
    if (opening.authentic) jobs[waiting++] = &opening.job;
  }
  for (size_t i = 0; i < waiting; i++) jobs[i]->done = false;
  crypto_.Crypt(jobs, waiting);

  for (size_t i = 0; i < begun; i++) FinishOpen(batch, openings[i]);
}

// The SAs of thousands of peers lie in no near cache. One wait for the memory of all packets costs little more than
// one packet's.
void Engine::FetchInbound(const BatchView& batch, uint32_t count) const {
  uint32_t spis[kBatchCapacity];
  uint32_t spi_count = 0;
  for (uint32_t row = 0; row < count; row++) {
    if (!batch.Forwards(row) || !batch.InBounds(row) || batch.length[row] < kHeader) continue;
    uint32_t spi = ReadWord(batch.Packet(row));
    inbound_.Fetch(spi);
    spis[spi_count++] = spi;
  }
  for (uint32_t i = 0; i < spi_count; i++) {
    uint32_t peer = inbound_.FetchSa(spis[i]);
    if (peer < peers_.size()) FetchLine<kSecondCache>(&peers_[peer].seen);
  }
}

void Engine::PeersOf(const BatchView& batch, uint32_t count, uint32_t* peers) const {
  for (uint32_t row = 0; row < count; row++) {
    bool holds_spi = batch.InBounds(row) && batch.length[row] >= kHeader;
    // No SA has SPI 0, so what is shorter is nobody's.
    peers[row] = holds_spi ? ReadWord(batch.Packet(row)) : 0;
    inbound_.Fetch(peers[row]);
  }
  for (uint32_t row = 0; row < count; row++) peers[row] = inbound_.PeerOf(peers[row]);
}

// What will be sealed knows its peer.
template <typename Fetch>
void Engine::EachPeer(const BatchView& batch, uint32_t count, Fetch fetch) const {
  for (uint32_t row = 0; row < count; row++) {
    if (batch.Forwards(row) && batch.peer[row] < peers_.size()) fetch(peers_[batch.peer[row]]);
  }
}

// The same for what will be sealed: from the peer to its newest SA.
void Engine::FetchOutbound(const BatchView& batch, uint32_t count) const {
  EachPeer(batch, count, [](const Peer& peer) { FetchLine<kFirstCache>(&peer); });
  EachPeer(batch, count, [](const Peer& peer) {
    if (peer.newest != nullptr) peer.newest->Fetch();
  });
}

void Engine::Expect(const BatchView& batch, uint32_t count) {
  EachPeer(batch, count, [](const Peer& peer) { FetchLine<kSecondCache>(&peer); });
  EachPeer(batch, count, [](const Peer& peer) {
    if (peer.newest != nullptr) FetchLines<kSecondCache>(peer.newest, peer.newest->keys.OftenEnd());
  });
}

// Answers false where the packet's fate is settled.
bool Engine::BeginOpen(const BatchView& batch, uint32_t row, Opening& opening) {
  auto drop = [&batch, row](DropReason why) {
    batch.Drop(row, why);
    return false;
  };
  if (!batch.InBounds(row)) return drop(DropReason::Truncated);
  uint32_t length = batch.length[row];
  if (length == 1) return drop(DropReason::Keepalive);
  if (length < 4) return drop(DropReason::Truncated);
  uint8_t* packet = batch.Packet(row);
  uint32_t spi = ReadWord(packet);
  if (spi == 0) {
    batch.Punt(row, PuntReason::Ike);
    return false;
  }
  InboundSa* sa = inbound_.Find(spi);
  if (sa == nullptr) return drop(DropReason::UnknownSpi);
  uint8_t icv = IcvOf(*sa, length);
  DropReason fault = LengthFault(*sa, length, icv);
  if (fault != DropReason::None) return drop(fault);

  sa->keys.FetchRest();
  opening.row = row;
  opening.sequence = ReadWord(packet + 4);
  opening.sa = sa;
  opening.icv_size = icv;
  opening.job = {.keys = &sa->keys,
                 .packet = packet,
                 .signed_length = length - icv,
                 .icv = opening.icv,
                 .iv = packet + kHeader,
                 .text = packet + kHeader + sa->iv,
                 .text_length = length - kHeader - sa->iv - icv,
                 .done = false};
  return true;
}

void Engine::FinishOpen(const BatchView& batch, const Opening& opening) {
  InboundSa& sa = *opening.sa;
  uint32_t row = opening.row;
  // An earlier packet of this batch has settled it the other way.
  if (sa.settled && opening.icv_size != sa.icv) {
    return batch.Drop(row, LengthFault(sa, batch.length[row], sa.icv));
  }
  if (sa.Spent()) return batch.Drop(row, DropReason::LifetimeExpired);
  if (!sa.window.Check(opening.sequence)) {
    sa.replayed++;
    return batch.Drop(row, DropReason::Replayed);
  }
  if (!opening.authentic || !opening.job.done) {
    sa.bad_icv++;
    return batch.Drop(row, DropReason::BadIcv);
  }
  const uint8_t* text = opening.job.text;
  uint32_t padded = opening.job.text_length - kTrailer;
  uint32_t pad_length = text[padded];
  if (pad_length > padded) return batch.Drop(row, DropReason::BadPadding);
  uint32_t carried = padded - pad_length;
  if (!IsPadding(text + carried, pad_length)) return batch.Drop(row, DropReason::BadPadding);

  bool newer = opening.sequence > sa.window.highest();
  sa.window.Advance(opening.sequence);
  batch.offset[row] += kHeader + sa.iv;
  batch.length[row] = carried;
  batch.peer[row] = sa.peer;
  batch.sa[row] = sa.spi;
  batch.protocol[row] = text[padded + 1];
  if (sa.packets == 0) {
    events_.push_back(
        {.kind = Event::Kind::First, .inbound = true, .peer = sa.peer, .spi = sa.spi, .path = {}});
  }
  if (!sa.settled) Settle(sa, opening.icv_size);
  if (newer) Follow(sa.peer, {batch.local[row], batch.address[row], batch.port[row]});
  Account(sa, carried, true);
}

// The first packet has proved how long the peer's ICVs are.
void Engine::Settle(InboundSa& sa, uint8_t icv_size) {
  sa.settled = true;
  bool shorter = icv_size != sa.icv;
  PeerRow(sa.peer).short_icv = shorter;
  if (!shorter) return;
  sa.icv = icv_size;
  events_.push_back(
      {.kind = Event::Kind::ShortIcv, .inbound = true, .peer = sa.peer, .spi = sa.spi, .path = {}});
}

// 1. In the packets' order: SA, limits, room; header, padding and trailer; count.
// 2. IVs for all packets.
// 3. Encrypt all, then compute all ICVs.
void Engine::Seal(const BatchView& batch, uint32_t count) {
  Sealing sealings[kBatchCapacity];
  Job** const jobs = jobs_;
  size_t begun = 0;
  FetchOutbound(batch, count);
  for (uint32_t row = 0; row < count; row++) {
    if (!batch.Forwards(row) || !BeginSeal(batch, row, sealings[begun])) continue;
    jobs[begun] = &sealings[begun].job;
    begun++;
  }
  if (begun == 0) return;
  size_t waiting = 0;
  if (FillIvs(sealings, begun)) crypto_.Crypt(jobs, begun);
  for (size_t i = 0; i < begun; i++) {
    if (sealings[i].job.done) jobs[waiting++] = &sealings[i].job;
  }
  for (size_t i = 0; i < waiting; i++) jobs[i]->done = false;
  crypto_.Sign(jobs, waiting);
  // What could not be encrypted or signed must not leave.
  for (size_t i = 0; i < begun; i++) {
    if (!sealings[i].job.done) batch.Drop(sealings[i].row, DropReason::SendFailed);
  }
}

bool Engine::BeginSeal(const BatchView& batch, uint32_t row, Sealing& sealing) {
  auto drop = [&batch, row](DropReason why) {
    batch.Drop(row, why);
    return false;
  };
  uint32_t peer_row = batch.peer[row];
  if (peer_row >= peers_.size()) return drop(DropReason::NoSa);
  const Peer& peer = peers_[peer_row];
  if (!peer.has_path || peer.newest == nullptr) return drop(DropReason::NoSa);
  OutboundSa& sa = *peer.newest;
  if (sa.Spent()) return drop(DropReason::LifetimeExpired);
  if (sa.sequence == kLastSequence) {
    TellHard(sa, false);
    return drop(DropReason::LifetimeExpired);
  }

  // The packet that comes out stays within the slot in which the payload begins: no neighbour is touched.
  if (!batch.InBounds(row)) return drop(DropReason::TooBig);
  uint32_t carried = batch.length[row];
  uint32_t in_slot = batch.offset[row] % kSlotSize;
  uint32_t before = kHeader + sa.iv;
  uint32_t pad_length = -(carried + kTrailer) & (sa.block - 1u);
  uint32_t text_length = carried + pad_length + kTrailer;
  if (batch.offset[row] >= kBytesSize || in_slot < before || in_slot + text_length + sa.icv > kSlotSize) {
    return drop(DropReason::TooBig);
  }

  uint8_t* text = batch.Packet(row);
  uint8_t* packet = text - before;
  sa.sequence++;
  WriteWord(packet, sa.spi);
  WriteWord(packet + 4, sa.sequence);
  for (uint32_t i = 0; i < pad_length; i++) text[carried + i] = static_cast<uint8_t>(i + 1);
  text[text_length - 2] = static_cast<uint8_t>(pad_length);
  text[text_length - 1] = batch.protocol[row];

  sa.keys.FetchRest();
  sealing.row = row;
  sealing.iv = packet + kHeader;
  sealing.iv_size = sa.iv;
  sealing.job = {.keys = &sa.keys,
                 .packet = packet,
                 .signed_length = before + text_length,
                 .icv = text + text_length,
                 .iv = packet + kHeader,
                 .text = text,
                 .text_length = text_length,
                 .done = false};

  batch.offset[row] -= before;
  uint8_t icv = sa.sha256 && peer.short_icv ? kDraftSha256Icv : sa.icv;
  batch.length[row] = before + text_length + icv;
  batch.address[row] = peer.path.remote;
  batch.port[row] = peer.path.port;
  batch.local[row] = peer.path.local;
  Account(sa, carried, false);
  if (sa.sequence >= kSoftSequence) TellSoft(sa, false);
  return true;
}

// CBC's IVs must be unpredictable (RFC 3602 section 3): bytes from the process's generator, each used once. They are drawn
// by the many, since a call of the generator costs as much as a packet's encryption. GCM's must never come again under a key
// (RFC 4106 section 3.1): the sequence number, which stands before it in the packet.
bool Engine::FillIvs(Sealing* sealings, size_t count) {
  size_t random = 0;
  for (size_t i = 0; i < count; i++) random += IsGcm(sealings[i].job.keys->cipher) ? 0 : 1;
  if (random > ivs_left_) {
    ivs_left_ = 0;
    if (RAND_bytes(ivs_, sizeof ivs_) != 1) return false;
    ivs_left_ = kDrawnIvs;
  }
  for (size_t i = 0; i < count; i++) {
    uint8_t* iv = sealings[i].iv;
    if (IsGcm(sealings[i].job.keys->cipher)) {
      std::memset(iv, 0, 4);
      std::memcpy(iv + 4, iv - 4, 4);
    } else {
      std::memcpy(iv, ivs_ + --ivs_left_ * kMaxIv, sealings[i].iv_size);
    }
  }
  return true;
}

// Reports that an authentic packet, newer than all before, came another way than the last one.
void Engine::Follow(uint32_t peer_row, const Path& path) {
  if (peer_row >= peers_.size()) return;
  Peer& peer = peers_[peer_row];
  if (!peer.has_path || peer.seen == path) return;
  peer.seen = path;
  events_.push_back({.kind = Event::Kind::Moved, .inbound = true, .peer = peer_row, .spi = 0, .path = path});
}

void Engine::Account(Sa& sa, uint32_t bytes, bool inbound) {
  sa.packets++;
  sa.bytes += bytes;
  if (sa.soft_bytes > 0 && sa.bytes >= sa.soft_bytes) TellSoft(sa, inbound);
  if (sa.hard_bytes > 0 && sa.bytes >= sa.hard_bytes) TellHard(sa, inbound);
}

void Engine::TellSoft(Sa& sa, bool inbound) {
  if (sa.soft_reported) return;
  sa.soft_reported = true;
  events_.push_back(
      {.kind = Event::Kind::Soft, .inbound = inbound, .peer = sa.peer, .spi = sa.spi, .path = {}});
}

void Engine::TellHard(Sa& sa, bool inbound) {
  if (sa.hard_reported) return;
  sa.hard_reported = true;
  events_.push_back(
      {.kind = Event::Kind::Hard, .inbound = inbound, .peer = sa.peer, .spi = sa.spi, .path = {}});
}

}  // namespace floatgate
