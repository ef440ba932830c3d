#include "control/capture/necessary_words.h"

#include <algorithm>
#include <array>
#include <optional>

namespace causeway {
namespace {

constexpr size_t kMostSteps = 20000;  // of a program with very many paths through it nothing is said
constexpr uint32_t kMostOffset = 1024;
constexpr uint32_t kPlainHeader =
    5;  // IPv4's length in words, without options: what `ldxb 4*([14]&0xf)` finds as a rule

// Bytes of a frame under a mask, as the number that the program makes of them.
struct Loaded {
  uint32_t offset = 0;
  uint32_t bytes = 0;
  uint32_t mask = ~0U;
};

struct Condition {
  Loaded of;
  uint32_t value = 0;
  bool differs = false;
};

WordTest test_of(const Condition& condition) {
  constexpr uint32_t kWord = sizeof(uint64_t);
  const uint32_t end = condition.of.offset + condition.of.bytes;
  // It ends where they do: a short frame has them.
  const uint32_t start = end > kWord ? end - kWord : 0;
  std::array<uint8_t, kWord> mask{};
  std::array<uint8_t, kWord> value{};
  for (uint32_t i = 0; i < condition.of.bytes; ++i) {
    const uint32_t shift = 8 * (condition.of.bytes - 1 - i);
    mask.at(condition.of.offset - start + i) = static_cast<uint8_t>(condition.of.mask >> shift);
    value.at(condition.of.offset - start + i) = static_cast<uint8_t>(condition.value >> shift);
  }
  return {start, condition.differs, word_at<uint64_t>(mask.data()), word_at<uint64_t>(value.data())};
}

// Follows every path through a program to where it takes a frame. Of each, the last thing that it asked is kept: what
// people ask for last says most.
class Paths {
 public:
  explicit Paths(std::span<const bpf_insn> program) : program_(program) {}

  std::vector<WordTest> tests() {
    follow(0, State());
    if (!useful_) return {};
    return std::move(tests_);
  }

 private:
  struct State {
    std::optional<Loaded> a;
    std::optional<uint32_t> x;
    std::optional<Condition> last;
  };

  static Loaded loaded(uint32_t offset, uint16_t code) {
    const uint32_t bytes = BPF_SIZE(code) == BPF_W ? 4 : BPF_SIZE(code) == BPF_H ? 2 : 1;
    return {offset, bytes, bytes == 4 ? ~0U : (1U << (8 * bytes)) - 1};
  }

  void accept(const State& state) {
    if (!state.last) {
      useful_ = false;
      return;
    }
    const WordTest test = test_of(*state.last);
    if (std::ranges::find(tests_, test) != tests_.end()) return;
    if (tests_.size() == FrameFilter::kMostTests) {
      useful_ = false;
      return;
    }
    tests_.push_back(test);
  }

  // What a jump says of those that it lets go on at once (`met`) and of the others. A question about no fixed place
  // says nothing.
  static void ask(const bpf_insn& instruction, State& met, State& unmet) {
    if (!met.a || BPF_SRC(instruction.code) != BPF_K) return;
    const Loaded of = *met.a;
    if (BPF_OP(instruction.code) == BPF_JEQ) met.last = {of, instruction.k, false};
    if (BPF_OP(instruction.code) == BPF_JSET) unmet.last = {{of.offset, of.bytes, of.mask & instruction.k}, 0, false};
  }

  static void load(const bpf_insn& instruction, State& state) {
    state.a.reset();
    if (instruction.k > kMostOffset) return;
    if (BPF_MODE(instruction.code) == BPF_ABS) state.a = loaded(instruction.k, instruction.code);
    if (BPF_MODE(instruction.code) == BPF_IND && state.x) state.a = loaded(*state.x + instruction.k, instruction.code);
  }

  void follow(size_t at, State state) {
    for (; useful_; ++at) {
      if (++steps_ > kMostSteps) {
        useful_ = false;
        return;
      }
      const bpf_insn& instruction = program_[at];
      switch (BPF_CLASS(instruction.code)) {
        case BPF_LD:
          load(instruction, state);
          break;
        case BPF_LDX:
          state.x.reset();
          if (BPF_MODE(instruction.code) == BPF_MSH && instruction.k <= kMostOffset) {
            const Loaded length{instruction.k, 1, 0xf};
            State with_options = state;
            with_options.last = {length, kPlainHeader, true};
            follow(at + 1, with_options);
            state.x = 4 * kPlainHeader;
          }
          break;
        case BPF_ALU:
          if (state.a && instruction.code == (BPF_ALU | BPF_AND | BPF_K)) {
            state.a->mask &= instruction.k;
          } else {
            state.a.reset();
          }
          break;
        case BPF_JMP:
          if (BPF_OP(instruction.code) == BPF_JA) {
            at += instruction.k;
          } else {
            State met = state;
            ask(instruction, met, state);
            follow(at + 1 + instruction.jt, met);
            at += instruction.jf;
          }
          break;
        case BPF_RET:
          if (BPF_RVAL(instruction.code) != BPF_K || instruction.k != 0) accept(state);
          return;
        case BPF_MISC:
          if (BPF_MISCOP(instruction.code) == BPF_TAX) {
            state.x.reset();
          } else {
            state.a.reset();
          }
          break;
        default:  // BPF_ST, BPF_STX: its memory, of which no load is followed
          break;
      }
    }
  }

  std::span<const bpf_insn> program_;
  std::vector<WordTest> tests_;
  size_t steps_ = 0;
  bool useful_ = true;
};

}  // namespace

std::vector<WordTest> necessary_words(std::span<const bpf_insn> program) { return Paths(program).tests(); }

}  // namespace causeway
