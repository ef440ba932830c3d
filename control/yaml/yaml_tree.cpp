#include "control/yaml/yaml_tree.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <exception>
#include <new>
#include <sstream>
#include <unordered_map>
#include <vector>

namespace causeway::config {
namespace {

// Bytes of the UTF-8 sequence at the start of `text` (Unicode 15, table 3-7), 0: not well-formed.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead <= 0xdf) return continues(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if ((lead == 0xe0 && byte(1) < 0xa0) || (lead == 0xed && byte(1) > 0x9f)) return 0;
    return continues(1) && continues(2) ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if ((lead == 0xf0 && byte(1) < 0x90) || (lead == 0xf4 && byte(1) > 0x8f)) return 0;
    return continues(1) && continues(2) && continues(3) ? 4 : 0;
  }
  return 0;
}

std::string byte_text(unsigned char byte) {
  static constexpr char kDigits[] = "0123456789abcdef";
  return std::string("0x") + kDigits[byte >> 4] + kDigits[byte & 15];
}

// What yaml-cpp takes without a word: bytes that are no text (it ends the file at a 0x04), and brackets it
// would scan a million deep before the first event. The bracket count is rough, for it sees those in quotes
// and comments too; hence its wide margin.
bool is_clean_text(std::string_view text, YamlError& error) {
  static constexpr int kMaxOpenBrackets = 1000;
  int open_brackets = 0;
  int line = 1;
  size_t line_start = 0;
  for (size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    const auto fail = [&](std::string what) {
      error = {line, static_cast<int>(i - line_start) + 1, std::move(what)};
      return false;
    };
    if (c == 0) return fail("not a text file (NUL byte)");
    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0x7f) {
      return fail("control character " + byte_text(c) + " is not allowed");
    }
    const size_t length = utf8_length(text.substr(i, 4));
    if (length == 0) return fail("not a text file (byte " + byte_text(c) + " is not UTF-8)");
    if ((c == '[' || c == '{') && ++open_brackets > kMaxOpenBrackets) return fail("nested too deep");
    if ((c == ']' || c == '}') && open_brackets > 0) --open_brackets;
    i += length;
    if (c == '\n') {
      ++line;
      line_start = i;
    }
  }
  return true;
}

bool is_indented_with_tab(std::string_view text, int line) {
  for (int i = 1; i < line; ++i) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return false;
    text.remove_prefix(end + 1);
  }
  const size_t indent = text.find_first_not_of(' ');
  return indent != std::string_view::npos && text[indent] == '\t';
}

}  // namespace

// Turns yaml-cpp's events into nodes. Refuses by throwing YAML::ParserException, as yaml-cpp itself does.
class YamlBuilder : public YAML::EventHandler {
 public:
  explicit YamlBuilder(YamlTree& tree) : tree_(tree) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) throw YAML::ParserException(mark, "more than one YAML document in the file");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(mark, anchor, YamlKind::null); }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    YamlNode* node = add(mark, anchor, YamlKind::text);
    node->quoted = tag == "!";
    if (!node->quoted) refuse_tag(mark, tag);
    char* text = static_cast<char*>(tree_.arena_->allocate(value.size(), 1));
    value.copy(text, value.size());
    node->text = {text, value.size()};
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) throw YAML::ParserException(mark, "the alias stands for a node that contains it");
    YamlNode* node = add(mark, 0, YamlKind::null);
    node->alias = found->second.node;
    aliased_nodes_ += found->second.size;
    if (!open_.empty()) open_.back().size += found->second.size;
    if (aliased_nodes_ > YamlTree::kMaxAliasedNodes) throw YAML::ParserException(mark, "aliases repeat too much");
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(mark, anchor, YamlKind::list);
  }
  void OnSequenceEnd() override { close(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    refuse_tag(mark, tag);
    open(mark, anchor, YamlKind::map);
  }
  void OnMapEnd() override { close(); }

 private:
  struct Open {
    YamlNode* node;
    YamlNode* last;  // child
    YAML::anchor_t anchor;
    uint64_t size;  // nodes in it, aliased ones as often as they are repeated
  };
  struct Anchored {
    const YamlNode* node;
    uint64_t size;
  };

  static void refuse_tag(const YAML::Mark& mark, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!") throw YAML::ParserException(mark, "YAML tags are not supported");
  }

  YamlNode* add(const YAML::Mark& mark, YAML::anchor_t anchor, YamlKind kind) {
    if (++nodes_ > YamlTree::kMaxNodes) throw YAML::ParserException(mark, "too many values");
    auto* node = new (tree_.arena_->allocate(sizeof(YamlNode), alignof(YamlNode))) YamlNode;
    node->kind = kind;
    node->line = mark.line + 1;
    node->column = mark.column + 1;
    if (open_.empty()) {
      tree_.root_ = node;
    } else {
      Open& parent = open_.back();
      (parent.last == nullptr ? parent.node->first : parent.last->next) = node;
      parent.last = node;
      ++parent.size;
    }
    // A list or map gets its anchor when it closes: before, an alias to it would be a loop.
    if (anchor != 0 && kind <= YamlKind::text) anchors_[anchor] = {node, 1};
    return node;
  }

  void open(const YAML::Mark& mark, YAML::anchor_t anchor, YamlKind kind) {
    if (open_.size() >= YamlTree::kMaxDepth) throw YAML::ParserException(mark, "nested too deep");
    open_.push_back({add(mark, anchor, kind), nullptr, anchor, 1});
  }

  void close() {
    const Open closed = open_.back();
    open_.pop_back();
    if (closed.anchor != 0) anchors_[closed.anchor] = {closed.node, closed.size};
    if (!open_.empty()) open_.back().size += closed.size - 1;
  }

  YamlTree& tree_;
  std::vector<Open> open_;
  std::unordered_map<YAML::anchor_t, Anchored> anchors_;
  unsigned documents_ = 0;
  uint64_t nodes_ = 0;
  uint64_t aliased_nodes_ = 0;
};

std::optional<YamlTree> YamlTree::parse(std::string_view text, YamlError& error) {
  if (!is_clean_text(text, error)) return std::nullopt;
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    YamlTree tree;
    YamlBuilder builder(tree);
    while (parser.HandleNextDocument(builder)) continue;
    return tree;
  } catch (const YAML::Exception& e) {
    // yaml-cpp 0.8 names the anchor behind the text, 0.7 does not: the column says which it is.
    const bool no_anchor = e.msg.starts_with("the referenced anchor is not defined");
    error = {e.mark.line + 1, e.mark.column + 1, no_anchor ? "the referenced anchor is not defined" : e.msg};
    if (is_indented_with_tab(text, error.line)) error.what += " (indent with spaces, not tabs)";
  } catch (const std::exception& e) {
    error = {0, 0, std::string("cannot be read: ") + e.what()};
  }
  return std::nullopt;
}

const YamlNode* YamlTree::key_at(std::span<const std::string_view> path) const noexcept {
  const YamlNode* key = nullptr;
  const YamlNode* map = root_;
  for (const std::string_view part : path) {
    if (map == nullptr || map->target().kind != YamlKind::map) break;
    const YamlNode* entry = map->target().first;
    while (entry != nullptr && entry->target().text != part) entry = entry->next->next;
    if (entry == nullptr) break;
    key = entry;
    map = entry->next;
  }
  return key;
}

}  // namespace causeway::config
