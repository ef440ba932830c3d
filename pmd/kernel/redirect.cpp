#include "pmd/kernel/redirect.h"

#include <linux/bpf.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <span>

#include "pmd/system_error.h"

namespace causeway {
namespace {

// linux/bpf.h of Linux 6.6; Debian 12's is older.
constexpr uint32_t kTcxIngress = 46;  // BPF_TCX_INGRESS
constexpr int32_t kTcxDrop = 2;       // TCX_DROP

FileDescriptor bpf_call(bpf_cmd command, bpf_attr& attributes) {
  return FileDescriptor(static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof(attributes))));
}

constexpr bpf_insn instruction(unsigned code, unsigned target, int32_t value) {
  bpf_insn result{};
  result.code = static_cast<uint8_t>(code);
  result.dst_reg = target & 0xf;
  result.imm = value;
  return result;
}

FileDescriptor attach(int interface, std::span<const bpf_insn> program, std::string& error) {
  static constexpr char kLicense[] = "Apache-2.0";
  bpf_attr attributes{};
  attributes.prog_type = BPF_PROG_TYPE_SCHED_CLS;
  attributes.insns = reinterpret_cast<uint64_t>(program.data());
  attributes.insn_cnt = static_cast<uint32_t>(program.size());
  attributes.license = reinterpret_cast<uint64_t>(kLicense);
  const FileDescriptor loaded = bpf_call(BPF_PROG_LOAD, attributes);
  if (!loaded.valid()) {
    error = system_error("BPF_PROG_LOAD");
    return {};
  }
  attributes = {};
  attributes.link_create.prog_fd = static_cast<uint32_t>(loaded.get());
  attributes.link_create.target_ifindex = static_cast<uint32_t>(interface);
  attributes.link_create.attach_type = kTcxIngress;
  FileDescriptor link = bpf_call(BPF_LINK_CREATE, attributes);
  if (!link.valid()) error = system_error("the interface's tc hook (needs Linux 6.6)");
  return link;
}

}  // namespace

std::optional<IngressHook> IngressHook::redirect(int interface, int to_interface, std::string& error) {
  const std::array<bpf_insn, 4> program{
      instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_1, to_interface),
      instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0),  // flags: out, not in
      instruction(BPF_JMP | BPF_CALL, 0, BPF_FUNC_redirect),   // its answer is the verdict
      instruction(BPF_JMP | BPF_EXIT, 0, 0),
  };
  FileDescriptor link = attach(interface, program, error);
  if (!link.valid()) return std::nullopt;
  return IngressHook(std::move(link));
}

std::optional<IngressHook> IngressHook::drop(int interface, std::string& error) {
  const std::array<bpf_insn, 2> program{
      instruction(BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, kTcxDrop),
      instruction(BPF_JMP | BPF_EXIT, 0, 0),
  };
  FileDescriptor link = attach(interface, program, error);
  if (!link.valid()) return std::nullopt;
  return IngressHook(std::move(link));
}

}  // namespace causeway
