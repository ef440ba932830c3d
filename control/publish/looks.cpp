#include "control/publish/looks.h"

#include <utility>

namespace causeway {

Looks::~Looks() { publisher_.publish<Captures>(tables_.captures, nullptr); }

void Looks::set_captures(std::vector<std::shared_ptr<Capture>> captures) {
  captures_ = std::move(captures);
  publish();
}

void Looks::set_mirrors(std::shared_ptr<Mirrors> mirrors) {
  mirrors_ = std::move(mirrors);
  publish();
}

void Looks::publish() {
  const bool anybody = !captures_.empty() || mirrors_;
  publisher_.publish(tables_.captures, anybody ? std::make_unique<const Captures>(captures_, mirrors_) : nullptr);
}

}  // namespace causeway
