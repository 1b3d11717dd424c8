// A batch in memory of its own, exactly as large as JavaScript's, for programs without Node.
#pragma once

#include <cstring>
#include <memory>

#include "../batch.h"

namespace floatgate {

struct OwnBatch {
  std::unique_ptr<uint8_t[]> memory{new uint8_t[kBatchSize]()};
  BatchView view;

  OwnBatch() { view.LieIn(memory.get(), kBytesSize); }
  OwnBatch(const OwnBatch&) = delete;
  OwnBatch& operator=(const OwnBatch&) = delete;

  // With its first rows' packets, those of all otherwise.
  void CopyFrom(const OwnBatch& other, uint32_t rows = kBatchCapacity) {
    std::memcpy(memory.get(), other.memory.get(), kBytesStart + rows * kSlotSize);
  }
};

}  // namespace floatgate
