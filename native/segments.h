// Cutting super-segments into packets and finding out which packets may be written as one: the copying and
// the sums. What the packets' headers say is decided in src/packet/cut.ts and src/packet/merge.ts.
#pragma once

#include <cstdint>

#include "batch.h"

namespace floatgate {

// Whether an IPv4 packet's header checksum and that of its TCP or UDP segment are right.
bool HasRightChecksums(const uint8_t* packet, uint32_t length);

napi_status RegisterSegments(napi_env env, napi_value exports);

}  // namespace floatgate
