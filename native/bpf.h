// What steering needs of bpf(2): maps, and an assembler with labels for programs that are written by hand.
#pragma once

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>

namespace floatgate {

// bpf(2) has no wrapper in the C library.
inline int Bpf(bpf_cmd command, bpf_attr* attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, attributes, sizeof *attributes));
}

inline uint64_t Pointer(const void* p) { return reinterpret_cast<uintptr_t>(p); }

// A map from keys of so many bytes to 32-bit values. Answers its descriptor, or -1 with errno.
inline int CreateMap(bpf_map_type type, uint32_t key_size, uint32_t capacity, uint32_t flags = 0) {
  bpf_attr attributes = {};
  attributes.map_type = type;
  attributes.key_size = key_size;
  attributes.value_size = sizeof(uint32_t);
  attributes.max_entries = capacity;
  attributes.map_flags = flags;
  return Bpf(BPF_MAP_CREATE, &attributes);
}

// Answers 0 or an errno.
inline int UpdateMap(int map, const void* key, uint32_t value) {
  bpf_attr attributes = {};
  attributes.map_fd = static_cast<uint32_t>(map);
  attributes.key = Pointer(key);
  attributes.value = Pointer(&value);
  attributes.flags = BPF_ANY;
  return Bpf(BPF_MAP_UPDATE_ELEM, &attributes) < 0 ? errno : 0;
}

// Answers 0, also where the key was not there, or an errno.
inline int DeleteFromMap(int map, const void* key) {
  bpf_attr attributes = {};
  attributes.map_fd = static_cast<uint32_t>(map);
  attributes.key = Pointer(key);
  return Bpf(BPF_MAP_DELETE_ELEM, &attributes) < 0 && errno != ENOENT ? errno : 0;
}

// Jumps name labels, numbers below kLabels; Finish() sets their distances. The stack is addressed by negative
// offsets from register 10. Every instruction works on whole 64-bit registers.
class Assembler {
 public:
  static constexpr size_t kMost = 192;
  static constexpr size_t kLabels = 16;

  void LoadStack(int size, int to, int offset) { Load(size, to, BPF_REG_10, offset); }
  void Load(int size, int to, int from, int offset) { Emit(BPF_LDX | BPF_MEM | size, to, from, offset, 0); }
  void StoreStack(int size, int offset, int from) {
    Emit(BPF_STX | BPF_MEM | size, BPF_REG_10, from, offset, 0);
  }
  void StoreStackZero(int size, int offset) { Emit(BPF_ST | BPF_MEM | size, BPF_REG_10, 0, offset, 0); }
  void Set(int to, int32_t value) { Emit(BPF_ALU64 | BPF_MOV | BPF_K, to, 0, 0, value); }
  void Move(int to, int from) { Emit(BPF_ALU64 | BPF_MOV | BPF_X, to, from, 0, 0); }
  // `operation`: BPF_ADD, BPF_AND, ...
  void Do(int operation, int to, int32_t value) { Emit(BPF_ALU64 | operation | BPF_K, to, 0, 0, value); }
  void Add(int to, int from) { Emit(BPF_ALU64 | BPF_ADD | BPF_X, to, from, 0, 0); }
  void NetworkOrder16(int r) { Emit(BPF_ALU | BPF_END | BPF_TO_BE, r, 0, 0, 16); }
  void StackAddress(int to, int offset) {
    Move(to, BPF_REG_10);
    Do(BPF_ADD, to, offset);
  }
  void Map(int to, int map) {
    Emit(BPF_LD | BPF_DW | BPF_IMM, to, BPF_PSEUDO_MAP_FD, 0, map);
    Emit(0, 0, 0, 0, 0);  // the upper half of the 64-bit value
  }
  void Call(int function) { Emit(BPF_JMP | BPF_CALL, 0, 0, 0, function); }
  void Exit() { Emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0); }
  void Jump(int label) { JumpIf(BPF_JA, 0, 0, label); }
  // `condition`: BPF_JEQ, BPF_JGE, ...
  void JumpIf(int condition, int r, int32_t value, int label) {
    if (count_ < kMost) target_[count_] = static_cast<uint8_t>(label + 1);
    Emit(BPF_JMP | condition | BPF_K, r, 0, 0, value);
  }
  void Place(int label) { place_[label] = count_; }

  // Loads it as a program for sockets. Answers its descriptor, or -1 with errno.
  int Finish() {
    if (count_ > kMost) {
      errno = E2BIG;
      return -1;
    }
    for (size_t i = 0; i < count_; i++) {
      if (target_[i] != 0) code_[i].off = static_cast<int16_t>(place_[target_[i] - 1] - (i + 1));
    }
    bpf_attr attributes = {};
    attributes.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
    attributes.insns = Pointer(code_);
    attributes.insn_cnt = static_cast<uint32_t>(count_);
    attributes.license = Pointer("Apache-2.0");
    return Bpf(BPF_PROG_LOAD, &attributes);
  }

 private:
  void Emit(int code, int to, int from, int offset, int32_t immediate) {
    if (count_ < kMost) {
      bpf_insn& i = code_[count_];
      i.code = static_cast<uint8_t>(code);
      i.dst_reg = static_cast<uint8_t>(to) & 0x0f;
      i.src_reg = static_cast<uint8_t>(from) & 0x0f;
      i.off = static_cast<int16_t>(offset);
      i.imm = immediate;
    }
    count_++;
  }

  bpf_insn code_[kMost] = {};
  uint8_t target_[kMost] = {};
  size_t place_[kLabels] = {};
  size_t count_ = 0;
};

}  // namespace floatgate
