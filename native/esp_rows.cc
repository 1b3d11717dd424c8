// The ESP engine's SAs and paths, as control installs and removes them; what packets do to them is in esp_engine.cc.

#include <utility>

#include "esp_engine.h"

namespace floatgate {

Engine::Peer& Engine::PeerRow(uint32_t peer) {
  if (peer >= peers_.size()) peers_.resize(peer + 1);
  return peers_[peer];
}

void Engine::SetPath(uint32_t peer, const Path& path) {
  Peer& row = PeerRow(peer);
  row.has_path = true;
  row.path = path;
  row.seen = path;
}

void Engine::RemovePeer(uint32_t peer) {
  if (peer >= peers_.size()) return;
  for (uint32_t spi : peers_[peer].inbound) inbound_.Remove(spi);
  peers_[peer] = Peer();
}

bool Engine::InstallInbound(const SaRequest& request, uint32_t replay_window) {
  auto sa = std::make_unique<InboundSa>(request, replay_window);
  if (!crypto_.Expand(request.keys, sa->keys)) return false;
  RemoveInbound(request.spi);
  PeerRow(request.peer).inbound.push_back(request.spi);
  inbound_.Insert(std::move(sa));
  return true;
}

void Engine::RemoveInbound(uint32_t spi) {
  const InboundSa* sa = inbound_.Find(spi);
  if (sa == nullptr) return;
  std::erase(peers_[sa->peer].inbound, spi);
  inbound_.Remove(spi);
}

bool Engine::InstallOutbound(const SaRequest& request, uint32_t last_sequence) {
  auto sa = std::make_unique<OutboundSa>(request, last_sequence);
  if (!crypto_.Expand(request.keys, sa->keys)) return false;
  RemoveOutbound(request.peer, request.spi);
  Peer& peer = PeerRow(request.peer);
  peer.newest = sa.get();
  peer.outbound.push_back(std::move(sa));
  return true;
}

void Engine::RemoveOutbound(uint32_t peer, uint32_t spi) {
  if (peer >= peers_.size()) return;
  auto& outbound = peers_[peer].outbound;
  std::erase_if(outbound, [spi](const auto& sa) { return sa->spi == spi; });
  peers_[peer].newest = outbound.empty() ? nullptr : outbound.back().get();
}

std::optional<Usage> Engine::InboundUsage(uint32_t spi) const {
  const InboundSa* sa = inbound_.Find(spi);
  if (sa == nullptr) return std::nullopt;
  return Usage{.packets = sa->packets, .bytes = sa->bytes, .bad_icv = sa->bad_icv, .replayed = sa->replayed};
}

std::optional<Usage> Engine::OutboundUsage(uint32_t peer, uint32_t spi) const {
  if (peer >= peers_.size()) return std::nullopt;
  for (const auto& sa : peers_[peer].outbound) {
    if (sa->spi == spi) return Usage{.packets = sa->packets, .bytes = sa->bytes};
  }
  return std::nullopt;
}

// The slot of the SPI, or the free one where it would go.
size_t SpiTable::Locate(uint32_t spi) const {
  size_t at = Home(spi);
  while (slots_[at].sa != nullptr && slots_[at].spi != spi) at = (at + 1) & (slots_.size() - 1);
  return at;
}

InboundSa* SpiTable::Find(uint32_t spi) const { return slots_[Locate(spi)].sa.get(); }

void SpiTable::Insert(std::unique_ptr<InboundSa> sa) {
  uint32_t spi = sa->spi;
  size_t at = Locate(spi);
  if (slots_[at].sa == nullptr) {
    if (++count_ * 2 > slots_.size()) {
      Grow();
      at = Locate(spi);
    }
  }
  uint32_t peer = sa->peer;
  slots_[at] = {spi, peer, std::move(sa)};
}

// The entries behind the gap move up where the probe for them would stop at it.
void SpiTable::Remove(uint32_t spi) {
  size_t gap = Locate(spi);
  if (slots_[gap].sa == nullptr) return;
  slots_[gap] = {};
  count_--;
  size_t mask = slots_.size() - 1;
  for (size_t at = (gap + 1) & mask; slots_[at].sa != nullptr; at = (at + 1) & mask) {
    size_t distance = (at - Home(slots_[at].spi)) & mask;
    if (distance < ((at - gap) & mask)) continue;
    slots_[gap] = std::move(slots_[at]);
    gap = at;
  }
}

void SpiTable::Grow() {
  std::vector<Slot> before(slots_.size() * 2);
  before.swap(slots_);
  for (Slot& slot : before) {
    if (slot.sa != nullptr) slots_[Locate(slot.spi)] = std::move(slot);
  }
}

}  // namespace floatgate
