// What `set PATH=VALUE` says, done to a YAML document. Pure.
#pragma once

#include <deque>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/config/config.h"
#include "control/yaml/load.h"
#include "control/yaml/yaml_tree.h"

namespace causeway {

class YamlEdit {
 public:
  struct Refusal {
    std::string key;  // as far as the path leads, `tunnels.gnv0`; may be empty
    std::string what;
  };

  explicit YamlEdit(config::YamlTree document);

  // `tunnels.gnv0.remote=172.31.0.9`. Between keys there are dots. A key that is there is taken whole, whatever dots it
  // has of its own; a new one with dots stands in double quotes. [0] is the first item of a list, and the number behind
  // the last one adds one. Mappings on the way are made. The value is YAML, as it stands behind a key in one line; null
  // takes away what the path leads to. What is refused leaves all as it was.
  std::optional<Refusal> assign(std::string_view assignment);

  // What the document has come to mean, or what is wrong with it, by keys alone: none of it is in a file.
  std::optional<config::Config> read(const std::string& label, std::vector<config::ConfigError>& errors) const;

 private:
  struct Step;
  class Children;

  std::optional<config::YamlNode> replaced(const config::YamlNode& node, const Step& step);
  std::optional<config::YamlNode> with_key(const config::YamlNode& map, const Step& step);
  std::optional<config::YamlNode> with_item(const config::YamlNode& list, const Step& step);
  // What the next step of the path makes of `node`; null: there is none yet.
  std::optional<config::YamlNode> child(const config::YamlNode* node, const Step& step);
  std::nullopt_t refuse(const std::string& key, std::string what);

  std::unique_ptr<std::pmr::monotonic_buffer_resource> arena_ = std::make_unique<std::pmr::monotonic_buffer_resource>();
  std::deque<config::YamlTree> trees_;  // whose nodes and texts are in the document
  const config::YamlNode* root_;
  Refusal refusal_;
};

}  // namespace causeway
