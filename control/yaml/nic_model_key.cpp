#include "control/yaml/nic_model_key.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/config/keys.h"
#include "control/yaml/read_keys.h"
#include "pmd/ethdev/devargs.h"

namespace causeway::config {
namespace {

void read_features(const Value& list, NicFeatures& features) {
  list.for_each_item([&](const Value& item) {
    const auto name = item.text("the name of a feature");
    if (!name) return;
    const auto found = std::ranges::find(kNicFeatureNames, *name);
    if (found == kNicFeatureNames.end()) {
      Suggestion suggestion(*name);
      for (const std::string_view known : kNicFeatureNames) suggestion.consider(known);
      return item.error(fmt::format("no such feature: {}{}", quote(*name), suggestion.text()));
    }
    features.add(static_cast<NicFeature>(found - kNicFeatureNames.begin()));
  });
}

}  // namespace

NicModelSettings read_nic_model(const Value& value, Ethernet& ethernet) {
  NicModelSettings settings;
  const Fields fields(value, kKeyNames<kNicModelKeys>);
  read_keys(fields, kQueueKeys, ethernet);
  read_keys(fields, kNicModelKeys, settings);
  if (const auto over = fields.find("over")) {
    const auto text = over->text("interface, tap or a vdev").value_or("interface");
    if (text.empty()) over->error("expected interface, tap or a vdev");
    if (text == "tap") {
      settings.over = NicModelSettings::Over::tap;
    } else if (text != "interface") {
      settings.over = NicModelSettings::Over::dpdk;
      settings.devargs = text;
      if (const std::string error = devargs_error(text); over->is_text() && !text.empty() && !error.empty()) {
        over->error("no interface, no tap: " + error);
      }
    }
  }
  if (const auto name = fields.find("switch")) {
    settings.switch_name = name->text("a name").value_or("");
    if (settings.switch_name.empty()) name->error("expected a name");
  }
  if (const auto without = fields.find("without")) read_features(*without, settings.without);
  if (const auto misreport = fields.find("misreport")) {
    read_features(*misreport, settings.misreport);
    for (size_t i = 0; i < kNicFeatureNames.size(); ++i) {
      const auto feature = static_cast<NicFeature>(i);
      if (!settings.misreport.has(feature) || !settings.without.has(feature)) continue;
      misreport->error(fmt::format("{} is among `without`: it isn't claimed", kNicFeatureNames[i]));
    }
  }
  return settings;
}

}  // namespace causeway::config
