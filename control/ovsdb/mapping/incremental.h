// The same translation as that of all rows (translate.h), of what has changed alone: the ports that changed rows are
// about are translated as if they were all there is, as they were and as they are. That is the same where nothing that
// they have is, or was, another's as well; where it isn't sure, all rows have to be translated. Pure but for what Host
// is asked.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "control/config/config.h"
#include "control/config/patch.h"
#include "control/ovsdb/mapping/claims.h"
#include "control/ovsdb/mapping/translate.h"
#include "control/ovsdb/rows.h"

namespace causeway::ovsdb {

// Rows of some ports, of their Interfaces and of the Bridges that they are in, which have no other ports here.
struct RowPatch {
  Database before;
  Database after;
};

struct TranslatedPatch {
  RowPatch rows;
  config::Patch config;
  std::map<std::string, std::string> errors;  // as Translation has it: of the Interfaces in rows.after
  std::vector<Note> notes;
};

class IncrementalTranslator {
 public:
  // All rows.
  Translation translate_all(const Database& rows, const config::Config& yaml, const Host& host);
  // What `before` says of `rows` has changed since the last translation, and nothing else has. `yaml` is that of the
  // last one. Null: translate_all is needed.
  std::optional<TranslatedPatch> translate_changes(const Database& rows, const RowsBefore& before,
                                                   const config::Config& yaml, const Host& host);
  // The UUID of the Interface of that name; null: there is none.
  const std::string* interface_named(const std::string& name) const { return claims_.interface_named(name); }

 private:
  std::optional<RowPatch> changed_ports(const Database& rows, const RowsBefore& before) const;
  bool exchange_claims(const RowPatch& rows);
  bool exchange_ends(const Translation& before, const Translation& after, const config::Config& yaml);
  bool exchange_underlays(Translation& before, Translation& after, const config::Config& yaml);

  bool alone_ = false;  // of the last translation: nothing was claimed twice
  Claims claims_;
  config::TunnelEnds ends_;
  std::map<std::string, size_t> underlays_;  // as Translation has it
};

}  // namespace causeway::ovsdb
