// Kernel programs of a few instructions that put every packet on the thread that owns it: outer packets by
// their SPI, which we chose so that it names its worker, and inner packets by their destination address.

#include "steering.h"

#include <arpa/inet.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "napi.h"

namespace floatgate {
namespace {

template <size_t N>
int AttachClassic(int fd, int option, sock_filter (&code)[N]) {
  const sock_fprog program = {N, code};
  return setsockopt(fd, SOL_SOCKET, option, &program, sizeof program) < 0 ? errno : 0;
}

// The answer is a place in the SO_REUSEPORT group, in the order of bind(). The program sees the UDP payload
// from 0 on.
napi_value SteerUdp(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int fd = args.I32(0);
  const uint32_t workers = args.U32(1);
  if (!args.ok()) return nullptr;
  if (workers == 0) return ThrowType(env, "argument 2 must be at least 1");
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 4, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 3, 0),  // the non-ESP marker, RFC 3948 section 2.2
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers),
      BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
      BPF_STMT(BPF_RET | BPF_A, 0),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  if (int error = AttachClassic(fd, SO_ATTACH_REUSEPORT_CBPF, code); error != 0) {
    return ThrowErrno(env, error, "setsockopt");
  }
  return Undefined(env);
}

// bpf(2) has no wrapper in the C library.
int Bpf(bpf_cmd command, bpf_attr* attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, attributes, sizeof *attributes));
}

uint64_t Pointer(const void* p) { return reinterpret_cast<uintptr_t>(p); }

int CreateMap(uint32_t capacity) {
  bpf_attr attributes = {};
  attributes.map_type = BPF_MAP_TYPE_HASH;
  attributes.key_size = sizeof(uint32_t);
  attributes.value_size = sizeof(uint32_t);
  attributes.max_entries = capacity;
  return Bpf(BPF_MAP_CREATE, &attributes);
}

constexpr bpf_insn Instruction(int code, int destination, int source, int offset, int32_t immediate) {
  bpf_insn result = {};
  result.code = static_cast<uint8_t>(code);
  result.dst_reg = static_cast<uint8_t>(destination) & 0x0f;
  result.src_reg = static_cast<uint8_t>(source) & 0x0f;
  result.off = static_cast<int16_t>(offset);
  result.imm = immediate;
  return result;
}

// 1. Anything but IPv4 goes to queue 0. 2. Load the destination address, counted from the network header
// (where the data begins depends on the device). 3. Look it up. 4. Answer the worker found, or 0.
int LoadTunProgram(int map, uint32_t workers) {
  constexpr int kMove = BPF_ALU64 | BPF_MOV;
  constexpr int kDestinationAddress = 16;  // in the IPv4 header
  constexpr int kKey = -4;                 // on the stack
  // The distance from the jump at place `at` to the end, where 0 is answered.
  constexpr auto to_zero = [](int at) { return 18 - (at + 1); };
  const bpf_insn code[] = {
      Instruction(BPF_LDX | BPF_MEM | BPF_W, 2, 1, offsetof(__sk_buff, protocol), 0),
      Instruction(BPF_JMP | BPF_JNE | BPF_K, 2, 0, to_zero(1), htons(ETH_P_IP)),
      Instruction(kMove | BPF_K, 2, 0, 0, kDestinationAddress),
      Instruction(kMove | BPF_X, 3, 10, 0, 0),
      Instruction(BPF_ALU64 | BPF_ADD | BPF_K, 3, 0, 0, kKey),
      Instruction(kMove | BPF_K, 4, 0, 0, sizeof(uint32_t)),
      Instruction(kMove | BPF_K, 5, 0, 0, BPF_HDR_START_NET),
      Instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_load_bytes_relative),
      Instruction(BPF_JMP | BPF_JNE | BPF_K, 0, 0, to_zero(8), 0),
      Instruction(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, map),
      Instruction(0, 0, 0, 0, 0),  // the upper half of the 64-bit load
      Instruction(kMove | BPF_X, 2, 10, 0, 0),
      Instruction(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, kKey),
      Instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
      Instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, to_zero(14), 0),
      Instruction(BPF_LDX | BPF_MEM | BPF_W, 0, 0, 0, 0),
      Instruction(BPF_JMP | BPF_JGE | BPF_K, 0, 0, to_zero(16), static_cast<int32_t>(workers)),
      Instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
      Instruction(kMove | BPF_K, 0, 0, 0, 0),
      Instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
  };
  bpf_attr attributes = {};
  attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  attributes.insns = Pointer(code);
  attributes.insn_cnt = sizeof code / sizeof code[0];
  attributes.license = Pointer("Apache-2.0");
  return Bpf(BPF_PROG_LOAD, &attributes);
}

napi_value SteerTun(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int tun = args.I32(0);
  const uint32_t workers = args.U32(1);
  const uint32_t capacity = args.U32(2);
  if (!args.ok()) return nullptr;
  if (workers == 0 || workers > INT32_MAX) return ThrowType(env, "argument 2 must be at least 1");

  const int map = CreateMap(capacity);
  if (map < 0) return ThrowErrno(env, errno, "bpf");
  int program = LoadTunProgram(map, workers);
  if (program < 0) {
    const int error = errno;
    close(map);
    return ThrowErrno(env, error, "bpf");
  }
  // The device holds the program, and the program the map, from here on.
  const int attached = ioctl(tun, TUNSETSTEERINGEBPF, &program);
  const int error = errno;
  close(program);
  if (attached < 0) {
    close(map);
    return ThrowErrno(env, error, "ioctl");
  }
  return MakeI32(env, map);
}

napi_value SteerTunSet(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int map = args.I32(0);
  const uint32_t key = htonl(args.U32(1));
  const uint32_t worker = args.U32(2);
  if (!args.ok()) return nullptr;
  bpf_attr attributes = {};
  attributes.map_fd = static_cast<uint32_t>(map);
  attributes.key = Pointer(&key);
  attributes.value = Pointer(&worker);
  attributes.flags = BPF_ANY;
  if (Bpf(BPF_MAP_UPDATE_ELEM, &attributes) < 0) return ThrowErrno(env, errno, "bpf");
  return Undefined(env);
}

napi_value SteerTunDelete(napi_env env, napi_callback_info info) {
  Args args(env, info);
  const int map = args.I32(0);
  const uint32_t key = htonl(args.U32(1));
  if (!args.ok()) return nullptr;
  bpf_attr attributes = {};
  attributes.map_fd = static_cast<uint32_t>(map);
  attributes.key = Pointer(&key);
  if (Bpf(BPF_MAP_DELETE_ELEM, &attributes) < 0 && errno != ENOENT) return ThrowErrno(env, errno, "bpf");
  return Undefined(env);
}

}  // namespace

// A raw socket's filter sees the packet from the IP header on, reassembled.
int AttachSpiFilter(int fd, uint32_t worker, uint32_t workers) {
  // A payload too short for an SPI is nobody's: the first worker takes it, so that it is counted.
  const uint32_t nobodys = worker == 0 ? UINT32_MAX : 0;
  sock_filter code[] = {
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
      BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),
      BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 4, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, nobodys),
      BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, worker, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  return AttachClassic(fd, SO_ATTACH_FILTER, code);
}

napi_status RegisterSteering(napi_env env, napi_value exports) {
  return Define(env, exports,
                {{"steerUdp", SteerUdp},
                 {"steerTun", SteerTun},
                 {"steerTunSet", SteerTunSet},
                 {"steerTunDelete", SteerTunDelete}});
}

}  // namespace floatgate
