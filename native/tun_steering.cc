// The kernel program that hands the packets of a TUN device to queues: by the inner destination address, and
// of addresses that several workers share by the port or ICMP identifier that the owner drew there.

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <sys/ioctl.h>

#include "bpf.h"
#include "napi.h"
#include "steering.h"

namespace floatgate {
namespace {

// Instead of a worker, at an address: its ports say whose a packet is.
constexpr uint32_t kShared = 0x7fffffff;
// Ports of a block: one worker's.
constexpr int kBlockShift = 8;
// Datagrams whose first fragment is remembered for the later ones.
constexpr uint32_t kDatagrams = 4096;

// Keys as the program makes them. Addresses as they stand in the packet, ports as numbers.
struct PortKey {
  uint32_t address;
  uint16_t port;
  uint8_t protocol;
  uint8_t zero;
};
struct DatagramKey {
  uint32_t source;
  uint32_t destination;
  uint16_t identification;
  uint8_t protocol;
  uint8_t zero;
};

struct Maps {
  int addresses = -1;
  int ports = -1;
  int datagrams = -1;

  ~Maps() {
    for (int fd : {addresses, ports, datagrams}) {
      if (fd >= 0) close(fd);
    }
  }
};

// ICMP message types, RFC 792.
enum {
  kEchoReply = 0,
  kUnreachable = 3,
  kQuench = 4,
  kEcho = 8,
  kExceeded = 11,
  kParameter = 12,
  kTimestampReply = 14
};

// The packet's network header is read by offsets from it, since where the data begins depends on the device.
//
//   1. Anything but IPv4 goes to queue 0.
//   2. The destination address is looked up: a worker, "shared", or nobody, which is queue 0.
//   3. Shared: a later fragment follows the first of its datagram, or goes to queue 0.
//   4. TCP and UDP: the destination port; ICMP queries and answers: the identifier; ICMP errors: the source
//   port
//      or identifier of the packet they quote, whose source is that address. Whatever has none: queue 0.
//   5. A port that is forwarded is looked up; of the others each block is one worker's.
//   6. Whose a first fragment was is remembered.
int LoadTunProgram(const Maps& maps, uint32_t workers) {
  enum { kFirst, kIcmp, kError, kQuoted, kOwner, kByBlock, kRemember, kAnswer, kZero };
  constexpr int kHeader = -24;     // 20 bytes of the IP header, and 4 unused
  constexpr int kTransport = -32;  // 8 bytes behind it
  constexpr int kPortKey = -40;
  constexpr int kDatagramKey = -56;  // 12 bytes
  constexpr int kValue = -64;
  constexpr int kQuotedHeader = -88;  // 20 bytes
  constexpr int kFragment = BPF_REG_7;
  constexpr int kPort = BPF_REG_8;  // before that, where the transport header is
  constexpr int kProtocol = BPF_REG_9;
  const int32_t limit = static_cast<int32_t>(workers);

  Assembler a;
  // Reads `length` bytes of the packet at the offset in kPort, or the fixed one.
  const auto read = [&a](int to, int length, int fixed) {
    a.Move(BPF_REG_1, BPF_REG_6);
    if (fixed >= 0) {
      a.Set(BPF_REG_2, fixed);
    } else {
      a.Move(BPF_REG_2, BPF_REG_8);
    }
    a.StackAddress(BPF_REG_3, to);
    a.Set(BPF_REG_4, length);
    a.Set(BPF_REG_5, BPF_HDR_START_NET);
    a.Call(BPF_FUNC_skb_load_bytes_relative);
    a.JumpIf(BPF_JNE, BPF_REG_0, 0, kZero);
  };
  const auto look_up = [&a](int map, int key, int otherwise) {
    a.Map(BPF_REG_1, map);
    a.StackAddress(BPF_REG_2, key);
    a.Call(BPF_FUNC_map_lookup_elem);
    a.JumpIf(BPF_JEQ, BPF_REG_0, 0, otherwise);
    a.Load(BPF_W, BPF_REG_0, BPF_REG_0, 0);
  };
  const auto header_length = [&a](int header, int to) {
    a.LoadStack(BPF_B, to, header);
    a.Do(BPF_AND, to, 15);
    a.Do(BPF_LSH, to, 2);
  };

  a.Move(BPF_REG_6, BPF_REG_1);
  a.Load(BPF_W, BPF_REG_2, BPF_REG_6, offsetof(__sk_buff, protocol));
  a.JumpIf(BPF_JNE, BPF_REG_2, htons(ETH_P_IP), kZero);
  read(kHeader, 20, 0);
  look_up(maps.addresses, kHeader + 16, kZero);
  a.JumpIf(BPF_JNE, BPF_REG_0, static_cast<int32_t>(kShared), kAnswer);

  a.LoadStack(BPF_B, kProtocol, kHeader + 9);
  a.LoadStack(BPF_H, kFragment, kHeader + 6);
  a.NetworkOrder16(kFragment);
  a.LoadStack(BPF_W, BPF_REG_2, kHeader + 12);
  a.StoreStack(BPF_W, kDatagramKey, BPF_REG_2);
  a.LoadStack(BPF_W, BPF_REG_2, kHeader + 16);
  a.StoreStack(BPF_W, kDatagramKey + 4, BPF_REG_2);
  a.LoadStack(BPF_H, BPF_REG_2, kHeader + 4);
  a.StoreStack(BPF_H, kDatagramKey + 8, BPF_REG_2);
  a.StoreStack(BPF_B, kDatagramKey + 10, kProtocol);
  a.StoreStackZero(BPF_B, kDatagramKey + 11);
  a.Move(BPF_REG_2, kFragment);
  a.Do(BPF_AND, BPF_REG_2, 0x1fff);
  a.JumpIf(BPF_JEQ, BPF_REG_2, 0, kFirst);
  look_up(maps.datagrams, kDatagramKey, kZero);
  a.Jump(kAnswer);

  a.Place(kFirst);
  header_length(kHeader, kPort);
  a.JumpIf(BPF_JEQ, kProtocol, IPPROTO_ICMP, kIcmp);
  read(kTransport, 4, -1);
  a.LoadStack(BPF_H, kPort, kTransport + 2);
  a.NetworkOrder16(kPort);
  a.JumpIf(BPF_JEQ, kProtocol, IPPROTO_TCP, kOwner);
  a.JumpIf(BPF_JEQ, kProtocol, IPPROTO_UDP, kOwner);
  a.Jump(kZero);

  a.Place(kIcmp);
  read(kTransport, 8, -1);
  a.LoadStack(BPF_B, BPF_REG_2, kTransport);
  for (int type : {kUnreachable, kQuench, kExceeded, kParameter}) a.JumpIf(BPF_JEQ, BPF_REG_2, type, kError);
  a.LoadStack(BPF_H, kPort, kTransport + 4);
  a.NetworkOrder16(kPort);
  for (int type : {kEchoReply, kEcho, kTimestampReply}) a.JumpIf(BPF_JEQ, BPF_REG_2, type, kOwner);
  a.Jump(kZero);

  a.Place(kError);
  a.Do(BPF_ADD, kPort, 8);
  read(kQuotedHeader, 20, -1);
  header_length(kQuotedHeader, BPF_REG_2);
  a.Add(kPort, BPF_REG_2);
  read(kTransport, 8, -1);
  a.LoadStack(BPF_B, kProtocol, kQuotedHeader + 9);
  a.LoadStack(BPF_H, kPort, kTransport + 4);
  a.JumpIf(BPF_JEQ, kProtocol, IPPROTO_ICMP, kQuoted);
  a.LoadStack(BPF_H, kPort, kTransport);
  a.JumpIf(BPF_JEQ, kProtocol, IPPROTO_TCP, kQuoted);
  a.JumpIf(BPF_JNE, kProtocol, IPPROTO_UDP, kZero);
  a.Place(kQuoted);
  a.NetworkOrder16(kPort);

  a.Place(kOwner);
  a.LoadStack(BPF_W, BPF_REG_2, kHeader + 16);
  a.StoreStack(BPF_W, kPortKey, BPF_REG_2);
  a.StoreStack(BPF_H, kPortKey + 4, kPort);
  a.StoreStack(BPF_B, kPortKey + 6, kProtocol);
  a.StoreStackZero(BPF_B, kPortKey + 7);
  look_up(maps.ports, kPortKey, kByBlock);
  a.Jump(kRemember);
  a.Place(kByBlock);
  a.Move(BPF_REG_0, kPort);
  a.Do(BPF_RSH, BPF_REG_0, kBlockShift);
  a.Do(BPF_MOD, BPF_REG_0, limit);

  a.Place(kRemember);
  a.Do(BPF_AND, kFragment, 0x2000);
  a.JumpIf(BPF_JEQ, kFragment, 0, kAnswer);
  a.Move(BPF_REG_7, BPF_REG_0);
  a.StoreStack(BPF_W, kValue, BPF_REG_0);
  a.Map(BPF_REG_1, maps.datagrams);
  a.StackAddress(BPF_REG_2, kDatagramKey);
  a.StackAddress(BPF_REG_3, kValue);
  a.Set(BPF_REG_4, BPF_ANY);
  a.Call(BPF_FUNC_map_update_elem);
  a.Move(BPF_REG_0, BPF_REG_7);

  a.Place(kAnswer);
  a.JumpIf(BPF_JGE, BPF_REG_0, limit, kZero);
  a.Exit();
  a.Place(kZero);
  a.Set(BPF_REG_0, 0);
  a.Exit();
  return a.Finish();
}

napi_value SteerTun(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int tun = args.I32(0);
  const uint32_t workers = args.U32(1);
  const uint32_t capacity = args.U32(2);
  if (!args.ok()) return nullptr;
  if (workers == 0 || workers >= kShared) return ThrowType(env, "argument 2 must be at least 1");

  Maps maps;
  maps.addresses = CreateMap(BPF_MAP_TYPE_HASH, sizeof(uint32_t), capacity);
  // Most gateways forward few ports, or none.
  if (maps.addresses >= 0) {
    maps.ports = CreateMap(BPF_MAP_TYPE_HASH, sizeof(PortKey), capacity, BPF_F_NO_PREALLOC);
  }
  if (maps.ports >= 0) maps.datagrams = CreateMap(BPF_MAP_TYPE_LRU_HASH, sizeof(DatagramKey), kDatagrams);
  if (maps.datagrams < 0) return ThrowErrno(env, errno, "bpf");
  int program = LoadTunProgram(maps, workers);
  if (program < 0) return ThrowErrno(env, errno, "bpf");
  // The device holds the program, and the program the maps, from here on.
  const int attached = ioctl(tun, TUNSETSTEERINGEBPF, &program);
  const int error = errno;
  close(program);
  if (attached < 0) return ThrowErrno(env, error, "ioctl");
  napi_value result = MakeObject(env);
  Set(env, result, "addresses", MakeI32(env, maps.addresses));
  Set(env, result, "ports", MakeI32(env, maps.ports));
  maps.addresses = -1;
  maps.ports = -1;
  return result;
}

napi_value Done(napi_env env, int error) {
  return error == 0 ? Undefined(env) : ThrowErrno(env, error, "bpf");
}

napi_value SteerTunSet(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int map = args.I32(0);
  const uint32_t key = htonl(args.U32(1));
  const uint32_t worker = args.U32(2);
  if (!args.ok()) return nullptr;
  return Done(env, UpdateMap(map, &key, worker));
}

napi_value SteerTunShare(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int map = args.I32(0);
  const uint32_t key = htonl(args.U32(1));
  if (!args.ok()) return nullptr;
  return Done(env, UpdateMap(map, &key, kShared));
}

napi_value SteerTunDelete(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int map = args.I32(0);
  const uint32_t key = htonl(args.U32(1));
  if (!args.ok()) return nullptr;
  return Done(env, DeleteFromMap(map, &key));
}

PortKey PortOf(Args& args) {
  return {htonl(args.U32(1)), static_cast<uint16_t>(args.U32(3)), static_cast<uint8_t>(args.U32(2)), 0};
}

napi_value SteerTunSetPort(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int map = args.I32(0);
  const PortKey key = PortOf(args);
  const uint32_t worker = args.U32(4);
  if (!args.ok()) return nullptr;
  return Done(env, UpdateMap(map, &key, worker));
}

napi_value SteerTunDeletePort(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int map = args.I32(0);
  const PortKey key = PortOf(args);
  if (!args.ok()) return nullptr;
  return Done(env, DeleteFromMap(map, &key));
}

}  // namespace

napi_status RegisterTunSteering(napi_env env, napi_value exports) {
  return Define(env, exports,
                {{"steerTun", SteerTun},
                 {"steerTunSet", SteerTunSet},
                 {"steerTunShare", SteerTunShare},
                 {"steerTunDelete", SteerTunDelete},
                 {"steerTunSetPort", SteerTunSetPort},
                 {"steerTunDeletePort", SteerTunDeletePort}});
}

}  // namespace floatgate
