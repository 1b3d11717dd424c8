// Attaching a batch: the column pointers are computed once, here.

#include "batch.h"

#include <algorithm>

#include "datagram.h"
#include "suites.h"

namespace floatgate {
namespace {

napi_value Layout(napi_env env, napi_callback_info) {
  napi_value layout = MakeObject(env);
  const struct {
    const char* key;
    uint32_t value;
  } entries[] = {
      {"offset", kOffsetColumn},
      {"length", kLengthColumn},
      {"peer", kPeerColumn},
      {"session", kSessionColumn},
      {"sa", kSaColumn},
      {"address", kAddressColumn},
      {"port", kPortColumn},
      {"local", kLocalColumn},
      {"protocol", kProtocolColumn},
      {"verdict", kVerdictColumn},
      {"reason", kReasonColumn},
      {"next", kNextColumn},
      {"segment", kSegmentColumn},
      {"bytes", kBytesStart},
      {"size", kBatchSize},
      {"capacity", kBatchCapacity},
      {"slotSize", kSlotSize},
      {"headroom", kHeadroom},
  };
  for (const auto& entry : entries) Set(env, layout, entry.key, MakeU32(env, entry.value));
  return layout;
}

void Detach(napi_env env, void* data, void*) {
  BatchView* view = static_cast<BatchView*>(data);
  napi_delete_reference(env, view->buffer);
  view->magic = 0;
  delete view->arrivals;
  delete view;
}

napi_value Attach(napi_env env, napi_callback_info info) {
  Args args(env, info);
  napi_value buffer = args.Value(0);
  if (!args.ok()) return nullptr;
  bool is_array_buffer = false;
  void* data = nullptr;
  size_t size = 0;
  if (napi_is_arraybuffer(env, buffer, &is_array_buffer) != napi_ok || !is_array_buffer ||
      napi_get_arraybuffer_info(env, buffer, &data, &size) != napi_ok || size < kBatchSize ||
      size > kBytesStart + kCoalescedRoom) {
    return ThrowType(env, "argument 1 must be the ArrayBuffer of a batch");
  }

  BatchView* view = new BatchView;
  view->LieIn(static_cast<uint8_t*>(data), static_cast<uint32_t>(size) - kBytesStart);
  if (view->size == kCoalescedRoom) view->arrivals = new Arrivals;
  napi_create_reference(env, buffer, 1, &view->buffer);

  napi_value external = nullptr;
  if (napi_create_external(env, view, Detach, nullptr, &external) != napi_ok) {
    Detach(env, view, nullptr);
    return ThrowType(env, "the batch cannot be attached");
  }
  return external;
}

// The packets' peers or sessions have their rows in a table of JavaScript's.
napi_value FetchRows(napi_env env, napi_callback_info info) {
  Args args(env, info, 5);
  napi_value value = args.Value(0);
  uint32_t count = args.U32(1);
  bool of_sessions = args.Bool(2);
  ByteSpan table = args.Bytes(3);
  uint32_t row_size = args.U32(4);
  if (!args.ok()) return nullptr;
  const BatchView* batch = UnwrapBatch(env, value);
  if (batch == nullptr) return nullptr;
  const uint32_t* rows = of_sessions ? batch->session : batch->peer;
  for (uint32_t i = 0; i < std::min(count, kBatchCapacity); i++) {
    size_t at = size_t{rows[i]} * row_size;
    if (at < table.size) FetchLine<kSecondCache>(table.data + at);
  }
  return nullptr;
}

}  // namespace

napi_status RegisterBatch(napi_env env, napi_value exports) {
  return Define(env, exports, {{"layout", Layout}, {"attach", Attach}, {"fetchRows", FetchRows}});
}

}  // namespace floatgate
