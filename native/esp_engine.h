// The ESP engine (RFC 4303, 3948): one worker's SAs and paths, and whole batches opened and sealed by them.
// What it does is said in src/esp/engine.ts; src/esp/reference.ts is its oracle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "batch.h"
#include "replay.h"
#include "sa_memory.h"
#include "suites.h"

namespace floatgate {

inline constexpr uint32_t kMaxPeers = 16384;

// What control asks for; the keys are read during the call only.
struct SaRequest {
  uint32_t spi;
  uint32_t peer;
  SuiteKeys keys;
  uint64_t soft_bytes;  // 0: never
  uint64_t hard_bytes;
};

struct Usage {
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint64_t bad_icv = 0;
  uint64_t replayed = 0;
};

// One SA, either direction: with the keys behind it, what a packet touches is six lines of the cache. Of 10,000 sessions
// most have to come from memory.
struct Sa {
  uint64_t soft_bytes;
  uint64_t hard_bytes;
  uint64_t packets = 0;
  uint64_t bytes = 0;
  uint32_t spi;
  uint32_t peer;
  uint8_t block, iv, icv;
  bool sha256 : 1;
  bool settled : 1;  // the length of its ICV is beyond doubt
  bool soft_reported : 1 = false;
  bool hard_reported : 1 = false;

  explicit Sa(const SaRequest& request);
  // Whether it has carried all the bytes that it may.
  bool Spent() const { return hard_bytes > 0 && bytes >= hard_bytes; }
};

struct alignas(64) InboundSa : Sa {
  ReplayWindow window;
  Keys keys;
  uint64_t bad_icv = 0;
  uint64_t replayed = 0;
  InboundSa(const SaRequest& request, uint32_t replay_window) : Sa(request), window(replay_window) {}
  void Fetch() const {
    FetchLine<kSecondCache>(this);
    keys.Fetch<kSecondCache>();
  }
  static void* operator new(size_t) { return Places<InboundSa>::Take(); }
  static void operator delete(void* place) { Places<InboundSa>::Give(place); }
};

struct alignas(64) OutboundSa : Sa {
  uint32_t sequence;  // the last one used
  Keys keys;
  OutboundSa(const SaRequest& request, uint32_t last_sequence) : Sa(request), sequence(last_sequence) {}
  void Fetch() const {
    FetchLine<kFirstCache>(this);
    keys.Fetch<kFirstCache>();
  }
  static void* operator new(size_t) { return Places<OutboundSa>::Take(); }
  static void operator delete(void* place) { Places<OutboundSa>::Give(place); }
};

struct Path {
  uint32_t local;
  uint32_t remote;
  uint32_t port;
  bool operator==(const Path&) const = default;
};

struct Event {
  enum class Kind : uint8_t { First, Moved, Soft, Hard, ShortIcv };
  Kind kind;
  bool inbound;
  uint32_t peer;
  uint32_t spi;
  Path path;
};

// Inbound SAs by SPI: open addressing with linear probing, at most half full.
class SpiTable {
 public:
  SpiTable() : slots_(64) {}
  // Has the memory come where Find will look first.
  void Fetch(uint32_t spi) const { FetchLine<kSecondCache>(&slots_[Home(spi)]); }
  InboundSa* Find(uint32_t spi) const;
  // Whose SA it is, without a look at the SA; 0 where there is none.
  uint32_t PeerOf(uint32_t spi) const {
    const Slot& slot = slots_[Locate(spi)];
    return slot.sa == nullptr ? 0 : slot.peer;
  }
  // Has the SA's memory come, where there is one, and answers the same.
  uint32_t FetchSa(uint32_t spi) const {
    const Slot& slot = slots_[Locate(spi)];
    if (slot.sa == nullptr) return 0;
    slot.sa->Fetch();
    return slot.peer;
  }
  // Takes the place of an SA with the same SPI.
  void Insert(std::unique_ptr<InboundSa> sa);
  void Remove(uint32_t spi);

 private:
  // The SPI stands beside its SA, so that a search does not touch those that it passes by. 0: a free slot.
  struct Slot {
    uint32_t spi = 0;
    uint32_t peer = 0;
    std::unique_ptr<InboundSa> sa;
  };

  // A worker's SPIs all leave the same rest when divided by the number of workers, so high bits are mixed in.
  size_t Home(uint32_t spi) const {
    uint32_t mixed = spi * 0x9e3779b1u;
    return (mixed ^ mixed >> 15) & (slots_.size() - 1);
  }
  size_t Locate(uint32_t spi) const;
  void Grow();

  std::vector<Slot> slots_;  // a power of two
  size_t count_ = 0;
};

class Engine {
 public:
  static constexpr uint32_t kMagic = 0x65737020;  // "esp "
  uint32_t magic = kMagic;

  explicit Engine(Crypto::Only only) : crypto_(only) { events_.reserve(kBatchCapacity); }
  bool usable() const { return crypto_.usable(); }

  // Peers are below kMaxPeers: the caller has checked.
  void SetPath(uint32_t peer, const Path& path);
  void RemovePeer(uint32_t peer);
  // Both answer false where the algorithm is refused.
  bool InstallInbound(const SaRequest& request, uint32_t replay_window);
  bool InstallOutbound(const SaRequest& request, uint32_t last_sequence);
  void RemoveInbound(uint32_t spi);
  void RemoveOutbound(uint32_t peer, uint32_t spi);

  // Over the first `count` rows, whose inbound SA has the packet's SPI; 0 where there is none.
  void PeersOf(const BatchView& batch, uint32_t count, uint32_t* peers) const;
  // Over the first `count` rows.
  void Open(const BatchView& batch, uint32_t count);
  void Seal(const BatchView& batch, uint32_t count);
  // Has the memory come that Seal will look at.
  void Expect(const BatchView& batch, uint32_t count);

  std::vector<Event>& events() { return events_; }
  std::optional<Usage> InboundUsage(uint32_t spi) const;
  std::optional<Usage> OutboundUsage(uint32_t peer, uint32_t spi) const;

 private:
  struct alignas(64) Peer {
    OutboundSa* newest = nullptr;  // which Seal uses
    Path path{};
    Path seen{};  // the path, or where the peer was last reported to have moved: each move is told once
    bool has_path = false;
    bool short_icv = false;  // it cuts SHA-256 to 96 bits
    std::vector<std::unique_ptr<OutboundSa>> outbound;  // the newest last
    std::vector<uint32_t> inbound;                      // SPIs
  };

  // A packet between the steps of a batch.
  struct Opening {
    Job job;
    uint32_t row;
    uint32_t sequence;
    InboundSa* sa;
    bool authentic;
    uint8_t icv_size;
    uint8_t icv[kMaxIcv];
  };
  struct Sealing {
    Job job;
    uint32_t row;
    uint8_t* iv;
    uint8_t iv_size;
  };

  Peer& PeerRow(uint32_t peer);
  template <typename Fetch>
  void EachPeer(const BatchView& batch, uint32_t count, Fetch fetch) const;
  void FetchInbound(const BatchView& batch, uint32_t count) const;
  void FetchOutbound(const BatchView& batch, uint32_t count) const;
  bool BeginOpen(const BatchView& batch, uint32_t row, Opening& opening);
  void FinishOpen(const BatchView& batch, const Opening& opening);
  bool BeginSeal(const BatchView& batch, uint32_t row, Sealing& sealing);
  bool FillIvs(Sealing* sealings, size_t count);
  void Settle(InboundSa& sa, uint8_t icv_size);
  void Follow(uint32_t peer, const Path& path);
  void Account(Sa& sa, uint32_t bytes, bool inbound);
  void TellSoft(Sa& sa, bool inbound);
  void TellHard(Sa& sa, bool inbound);

  Crypto crypto_;
  SpiTable inbound_;
  std::vector<Peer> peers_;
  std::vector<Event> events_;
  // Those of the batch in hand; here, since an array of each call's own would be cleared each time.
  Job* jobs_[kBatchCapacity];
  // Random bytes for IVs that are to come: the first `ivs_left_` of them.
  static constexpr size_t kDrawnIvs = kBatchCapacity;
  size_t ivs_left_ = 0;
  uint8_t ivs_[kDrawnIvs * kMaxIv];
};

}  // namespace floatgate
