#include "control/change/yaml_edit.h"

#include <fmt/format.h>

#include <charconv>
#include <new>
#include <utility>

#include "control/yaml/sections.h"
#include "control/yaml/value.h"

namespace causeway {

using config::YamlKind;
using config::YamlNode;
using config::YamlTree;

namespace {

constexpr std::string_view kBetween = ".[";  // a key ends there

// Where the path of an assignment ends: at the first '=' outside of quotes.
size_t end_of_path(std::string_view assignment) {
  bool quoted = false;
  for (size_t i = 0; i < assignment.size(); ++i) {
    if (assignment[i] == '"') quoted = !quoted;
    if (assignment[i] == '=' && !quoted) return i;
  }
  return std::string_view::npos;
}

struct PathKey {
  std::string_view name;
  size_t length = 0;  // in the path
};

// The key that a path begins with: the longest of the mapping's, else what stands in front of the next dot.
PathKey first_key(std::string_view path, const YamlNode& map) {
  if (path.starts_with('"')) {
    const size_t end = path.find('"', 1);
    return end == std::string_view::npos ? PathKey{} : PathKey{path.substr(1, end - 1), end + 1};
  }
  std::string_view longest;
  for (const YamlNode* key = map.first; key != nullptr; key = key->next->next) {
    const std::string_view name = key->target().text;
    const bool leads = path.starts_with(name) &&
                       (path.size() == name.size() || kBetween.find(path[name.size()]) != std::string_view::npos);
    if (leads && name.size() > longest.size()) longest = name;
  }
  if (longest.empty()) longest = path.substr(0, path.find_first_of(kBetween));
  return {longest, longest.size()};
}

}  // namespace

struct YamlEdit::Step {
  std::string_view rest;  // of the path
  std::string walked;     // as errors name it
  const YamlNode* value;  // null: what is there is taken away
  unsigned depth = 0;

  Step behind(size_t length, std::string name) const {
    return {rest.substr(length), std::move(name), value, depth + 1};
  }
};

// Of a mapping or a list that is made anew: copies in the edit's memory.
class YamlEdit::Children {
 public:
  explicit Children(YamlEdit& edit) : edit_(edit) {}

  void add(const YamlNode& node) {
    auto* copy = new (edit_.arena_->allocate(sizeof(YamlNode), alignof(YamlNode))) YamlNode(node);
    copy->next = nullptr;
    (last_ == nullptr ? first_ : last_->next) = copy;
    last_ = copy;
  }
  YamlNode in(YamlKind kind) const {
    YamlNode node;
    node.kind = kind;
    node.first = first_;
    return node;
  }

 private:
  YamlEdit& edit_;
  const YamlNode* first_ = nullptr;
  YamlNode* last_ = nullptr;
};

YamlEdit::YamlEdit(YamlTree document) {
  trees_.push_back(std::move(document));
  root_ = trees_.front().root();
}

std::nullopt_t YamlEdit::refuse(const std::string& key, std::string what) {
  refusal_ = {key, std::move(what)};
  return std::nullopt;
}

std::optional<YamlEdit::Refusal> YamlEdit::assign(std::string_view assignment) {
  const size_t equals = end_of_path(assignment);
  const std::string_view path = assignment.substr(0, equals);
  if (equals == std::string_view::npos || path.empty()) {
    return Refusal{"", fmt::format("expected PATH=VALUE, not {}", config::quote(assignment))};
  }
  const std::string_view text = assignment.substr(equals + 1);
  if (text.find_first_not_of(" \t") == std::string_view::npos) {
    return Refusal{std::string(path), "a value is missing; null takes the key away"};
  }
  config::YamlError error;
  auto value = YamlTree::parse(text, error);
  if (!value) return Refusal{std::string(path), fmt::format("{}: {}", config::quote(text), error.what)};
  trees_.push_back(std::move(*value));
  const YamlNode* const parsed = trees_.back().root();
  const bool removes = parsed == nullptr || parsed->target().kind == YamlKind::null;
  const YamlNode nothing;
  const auto root = replaced(root_ != nullptr ? *root_ : nothing, {path, "", removes ? nullptr : &parsed->target(), 0});
  if (!root) return std::exchange(refusal_, {});
  Children all(*this);
  all.add(*root);
  root_ = all.in(YamlKind::list).first;
  return std::nullopt;
}

std::optional<config::Config> YamlEdit::read(const std::string& label, std::vector<config::ConfigError>& errors) const {
  config::Diagnostics diagnostics(label);
  config::Config config;
  config.system.name = label;
  const YamlNode nothing;
  config::read_sections(config::Value(diagnostics, root_ != nullptr ? *root_ : nothing, config::Path{}), config,
                        diagnostics);
  if (diagnostics.count() == 0) return config;
  errors = diagnostics.take();
  for (config::ConfigError& error : errors) error.line = 0;
  return std::nullopt;
}

std::optional<YamlNode> YamlEdit::replaced(const YamlNode& node, const Step& step) {
  if (step.depth > YamlTree::kMaxDepth) return refuse("", "the path is too long");
  const YamlNode& target = node.target();
  if (step.rest.starts_with('[')) {
    if (target.kind != YamlKind::list) return refuse(step.walked, "is no list");
    return with_item(target, step);
  }
  if (target.kind != YamlKind::map && target.kind != YamlKind::null) return refuse(step.walked, "is no mapping");
  return with_key(target, step);
}

std::optional<YamlNode> YamlEdit::child(const YamlNode* node, const Step& step) {
  if (step.rest.empty()) return *step.value;
  const YamlNode nothing;
  return replaced(node != nullptr ? *node : nothing, step);
}

std::optional<YamlNode> YamlEdit::with_key(const YamlNode& map, const Step& step) {
  const PathKey key = first_key(step.rest, map);
  if (key.name.empty()) return refuse(step.walked, "a key is missing in the path");
  Step next = step.behind(key.length, step.walked + (step.walked.empty() ? "" : ".") + std::string(key.name));
  if (next.rest.starts_with('.')) {
    next.rest.remove_prefix(1);
    if (next.rest.empty()) return refuse(next.walked, "a key is missing in the path");
  } else if (!next.rest.empty() && !next.rest.starts_with('[')) {
    return refuse(next.walked, "expected a dot behind the key");
  }
  const bool removed = next.rest.empty() && next.value == nullptr;
  Children children(*this);
  bool found = false;
  config::Suggestion meant(key.name);
  for (const YamlNode* each = map.first; each != nullptr; each = each->next->next) {
    const bool is_it = each->target().text == key.name;
    found = found || is_it;
    meant.consider(each->target().text);
    if (is_it && removed) continue;
    const auto value = is_it ? child(each->next, next) : *each->next;
    if (!value) return std::nullopt;
    children.add(*each);
    children.add(*value);
  }
  if (found) return children.in(YamlKind::map);
  if (step.value == nullptr) return refuse(next.walked, "is not there" + meant.text());
  const auto value = child(nullptr, next);
  if (!value) return std::nullopt;
  YamlNode name;
  name.kind = YamlKind::text;
  auto* const text = static_cast<char*>(arena_->allocate(key.name.size(), 1));
  key.name.copy(text, key.name.size());
  name.text = {text, key.name.size()};
  children.add(name);
  children.add(*value);
  return children.in(YamlKind::map);
}

std::optional<YamlNode> YamlEdit::with_item(const YamlNode& list, const Step& step) {
  const size_t end = step.rest.find(']');
  const std::string_view digits = step.rest.substr(1, end == std::string_view::npos ? end : end - 1);
  size_t wanted = 0;
  const auto [behind, error] = std::from_chars(digits.data(), digits.data() + digits.size(), wanted);
  if (end == std::string_view::npos || error != std::errc() || behind != digits.data() + digits.size()) {
    return refuse(step.walked, "expected the number of an item, as [0]");
  }
  Step next = step.behind(end + 1, fmt::format("{}[{}]", step.walked, wanted));
  if (next.rest.starts_with('.')) next.rest.remove_prefix(1);
  const bool removed = next.rest.empty() && next.value == nullptr;
  Children children(*this);
  size_t count = 0;
  for (const YamlNode* each = list.first; each != nullptr; each = each->next) {
    const bool is_it = count++ == wanted;
    if (is_it && removed) continue;
    const auto value = is_it ? child(each, next) : *each;
    if (!value) return std::nullopt;
    children.add(*value);
  }
  if (wanted > count || (wanted == count && step.value == nullptr)) {
    return refuse(next.walked, fmt::format("is not there: the list has {} items", count));
  }
  if (wanted == count) {
    const auto value = child(nullptr, next);
    if (!value) return std::nullopt;
    children.add(*value);
  }
  return children.in(YamlKind::list);
}

}  // namespace causeway
