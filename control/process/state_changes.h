// What changes by itself or because somebody asked, told as it happens to who listens; where nobody does, it costs a
// look at a pointer. The log says the same in fewer lines (control/process/log_limit.h), and like the log there is one
// in a process. Control thread.
#pragma once

#include <string>
#include <string_view>

namespace causeway {

struct StateChange {
  std::string_view kind;   // link, neighbor, tunnel, ...: causewayctl(8) has the list
  std::string object;      // whose: the name of a port, tunnel or bridge, or a file
  std::string_view state;  // what it is now
  std::string peer;        // the address or MAC that it is about; empty: none
  std::string text;        // one line for people
};

class StateChanges {
 public:
  class Listener {
   public:
    virtual void take(const StateChange& change) = 0;

   protected:
    ~Listener() = default;
  };

  // Null: nobody listens any more.
  void listen(Listener* listener) noexcept { listener_ = listener; }
  // `make()` makes a StateChange; it is called only if somebody listens.
  template <class Make>
  void tell(const Make& make) const {
    if (listener_ != nullptr) listener_->take(make());
  }

 private:
  Listener* listener_ = nullptr;
};

inline StateChanges& state_changes() {
  static StateChanges all;
  return all;
}

}  // namespace causeway
