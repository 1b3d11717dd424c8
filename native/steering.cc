// Socket filters of a few instructions that put every outer packet on the thread that owns it: by its SPI,
// which we chose so that it names its worker.

#include "steering.h"

#include <linux/filter.h>
#include <sys/socket.h>

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

}  // namespace

// A raw socket's filter sees the packet from the IP header on, reassembled.
int AttachSpiFilter(int fd, uint32_t worker, uint32_t workers) {
  // A payload too short for an SPI is nobody's: the first worker takes it, so that it is counted.
  const uint32_t nobodys = worker == 0 ? UINT32_MAX : 0;
  sock_filter code[] = {
      BPF_STMT(BPF_LDX | BPF_B | BPF_MSH, 0),       BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0),
      BPF_STMT(BPF_ALU | BPF_SUB | BPF_X, 0),       BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 4, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, nobodys),           BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0),
      BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, workers), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, worker, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),        BPF_STMT(BPF_RET | BPF_K, 0),
  };
  return AttachClassic(fd, SO_ATTACH_FILTER, code);
}

napi_status RegisterSteering(napi_env env, napi_value exports) {
  return Define(env, exports, {{"steerUdp", SteerUdp}});
}

}  // namespace floatgate
