#define ALLOW_EXPERIMENTAL_API  // rte_bpf_convert, which has been one since DPDK 21.11
#include "control/capture/filter_program.h"

#include <pcap/bpf.h>
#include <rte_bpf.h>
#include <rte_malloc.h>

#include <array>
#include <charconv>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "control/capture/necessary_words.h"

namespace causeway {
namespace {

constexpr uint32_t kMostInstructions = 4096;  // as in kernels (BPF_MAXINSNS)
constexpr const char* kNoProgram = "text: not a classic BPF program as `tcpdump -ddd` prints it";
constexpr const char* kUnsafe = "text: a BPF program that may not be run over frames";

// Takes numbers off the front of a text.
class Numbers {
 public:
  explicit Numbers(std::string_view text) : next_(text.data()), end_(text.data() + text.size()) {}

  template <class T>
  bool take(T& number) {
    skip_space();
    const auto [behind, error] = std::from_chars(next_, end_, number);
    next_ = behind;
    return error == std::errc();
  }
  bool at_end() {
    skip_space();
    return next_ == end_;
  }

 private:
  void skip_space() {
    while (next_ != end_ && (*next_ == ' ' || *next_ == '\n')) ++next_;
  }
  const char* next_;
  const char* end_;
};

bool read_instructions(std::string_view text, std::vector<bpf_insn>& program) {
  Numbers numbers(text);
  uint32_t count = 0;
  if (!numbers.take(count) || count == 0 || count > kMostInstructions) return false;
  program.resize(count);
  for (bpf_insn& instruction : program) {
    const bool whole = numbers.take(instruction.code) && numbers.take(instruction.jt) && numbers.take(instruction.jf) &&
                       numbers.take(instruction.k);
    if (!whole) return false;
  }
  return numbers.at_end();
}

bool is_short_test(const ebpf_insn& instruction) {
  return instruction.code == (BPF_JMP | BPF_JSET | BPF_K) && instruction.imm == static_cast<int8_t>(instruction.imm);
}

bool jumps(const ebpf_insn& instruction) {
  const int operation = BPF_OP(instruction.code);
  return BPF_CLASS(instruction.code) == BPF_JMP && operation != EBPF_CALL && operation != EBPF_EXIT;
}

// Mends two faults of DPDK 22.11. Its compiler for x86 makes code that crashes of a test (`jset`) with a number of one
// byte, as `test` has none so short: such a number gets into a register first, one that rte_bpf_convert leaves free
// between its steps. And that takes the accumulator for the index where bytes and words are loaded by one (`tcp[13]`).
std::vector<ebpf_insn> mended(std::span<const ebpf_insn> program) {
  constexpr uint8_t kIndex = EBPF_REG_7;
  constexpr uint8_t kFree = EBPF_REG_2;
  std::vector<size_t> places;  // of each instruction, where it begins now
  size_t length = 0;
  for (const ebpf_insn& instruction : program) {
    places.push_back(length);
    length += is_short_test(instruction) ? 2 : 1;
  }
  std::vector<ebpf_insn> made;
  for (size_t i = 0; i < program.size(); ++i) {
    ebpf_insn next = program[i];
    if (is_short_test(next)) {
      made.push_back({BPF_ALU | EBPF_MOV | BPF_K, kFree, 0, 0, next.imm});
      next.code = BPF_JMP | BPF_JSET | BPF_X;
      next.src_reg = kFree;
      next.imm = 0;
    }
    if (BPF_CLASS(next.code) == BPF_LD && BPF_MODE(next.code) == BPF_IND) next.src_reg = kIndex;
    if (jumps(next)) next.off = static_cast<int16_t>(places.at(i + 1 + next.off) - made.size() - 1);
    made.push_back(next);
  }
  return made;
}

struct Free {
  void operator()(rte_bpf_prm* parameters) const noexcept { rte_free(parameters); }
};

}  // namespace

Error read_filter_program(std::string_view text, FrameFilter& filter) {
  if (text.empty()) return {};
  std::vector<bpf_insn> instructions;
  if (!read_instructions(text, instructions)) return kNoProgram;
  if (bpf_validate(instructions.data(), static_cast<int>(instructions.size())) == 0) return kUnsafe;
  const bpf_program program{static_cast<u_int>(instructions.size()), instructions.data()};
  const std::unique_ptr<rte_bpf_prm, Free> converted(rte_bpf_convert(&program));
  if (converted == nullptr) return kUnsafe;
  const std::vector<ebpf_insn> sound = mended({converted->ins, converted->nb_ins});
  converted->ins = sound.data();
  converted->nb_ins = static_cast<uint32_t>(sound.size());
  rte_bpf* const loaded = rte_bpf_load(converted.get());
  if (loaded == nullptr) return kUnsafe;
  filter = FrameFilter(loaded, necessary_words(instructions));
  return {};
}

}  // namespace causeway
