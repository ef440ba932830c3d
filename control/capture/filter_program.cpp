#define ALLOW_EXPERIMENTAL_API  // rte_bpf_convert, which has been one since DPDK 21.11
#include "control/capture/filter_program.h"

#include <pcap/bpf.h>
#include <rte_bpf.h>
#include <rte_malloc.h>

#include <array>
#include <charconv>
#include <limits>
#include <memory>
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
  rte_bpf* const loaded = converted != nullptr ? rte_bpf_load(converted.get()) : nullptr;
  if (loaded == nullptr) return kUnsafe;
  filter = FrameFilter(loaded, necessary_words(instructions));
  return {};
}

}  // namespace causeway
