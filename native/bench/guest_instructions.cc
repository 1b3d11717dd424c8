// A plugin of QEMU that counts what its guest executes: instructions by the address of their block, in a file
// that others may read at any time while the guest runs. Nothing in the guest takes part, and nothing of it
// waits.
//
//   -plugin guest_instructions.so,to=FILE
//
// The file is an array of 64-bit numbers: blocks known so far, 0, and then an address and its instructions
// for each of them. What finds no room is added up in the last.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <unordered_map>

namespace {

struct Block {
  uint64_t address;
  uint64_t instructions;
};

constexpr size_t kBlocks = 1 << 20;
constexpr size_t kBytes = 2 * sizeof(uint64_t) + kBlocks * sizeof(Block);

uint64_t* g_known = nullptr;
Block* g_blocks = nullptr;
std::unordered_map<uint64_t, size_t> g_rows;

}  // namespace

// Of qemu-plugin.h in its version 1 (QEMU 4.2 to 9.0), which Debian has in no package.
extern "C" {
struct qemu_plugin_tb;
struct qemu_info_t;
using qemu_plugin_id_t = uint64_t;
#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, void (*)(qemu_plugin_id_t, qemu_plugin_tb*));
void qemu_plugin_register_vcpu_tb_exec_inline(qemu_plugin_tb*, int op, void* number, uint64_t add);
size_t qemu_plugin_tb_n_insns(const qemu_plugin_tb*);
uint64_t qemu_plugin_tb_vaddr(const qemu_plugin_tb*);
}

namespace {

constexpr int kInlineAdd = 0;

// A block of which only a part ran, because of an exception or a device, counts whole: a few of thousands.
void translated(qemu_plugin_id_t, qemu_plugin_tb* tb) {
  uint64_t address = qemu_plugin_tb_vaddr(tb);
  size_t row = kBlocks - 1;
  if (auto found = g_rows.find(address); found != g_rows.end()) {
    row = found->second;
  } else if (*g_known < kBlocks - 1) {
    row = (*g_known)++;
    g_rows.emplace(address, row);
    g_blocks[row].address = address;
  }
  qemu_plugin_register_vcpu_tb_exec_inline(tb, kInlineAdd, &g_blocks[row].instructions,
                                           qemu_plugin_tb_n_insns(tb));
}

}  // namespace

extern "C" EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t*, int argc, char** argv) {
  if (argc != 1 || std::strncmp(argv[0], "to=", 3) != 0) return -1;
  int fd = open(argv[0] + 3, O_RDWR | O_CREAT | O_TRUNC, 0600);
  if (fd < 0 || ftruncate(fd, kBytes) != 0) return -1;
  void* memory = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) return -1;
  g_known = static_cast<uint64_t*>(memory);
  g_blocks = reinterpret_cast<Block*>(g_known + 2);
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  return 0;
}
