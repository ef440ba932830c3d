// Keeps HostRoutes as the kernel has them, in slices: a hundred thousand routes at once keep nobody waiting. Control
// thread.
#pragma once

#include "control/underlay/host_routes.h"
#include "pmd/routes/route_socket.h"

namespace causeway {

class KernelRoutes {
 public:
  // `routes` outlives it.
  explicit KernelRoutes(HostRoutes& routes);
  ~KernelRoutes();
  KernelRoutes(const KernelRoutes&) = delete;
  KernelRoutes& operator=(const KernelRoutes&) = delete;

  // Called every millisecond or so. Looks at nothing as long as nobody follows a table.
  void serve();

 private:
  using Clock = RouteSocket::Clock;

  void fill();
  bool follows();
  void begin_dump(Clock::time_point now);

  HostRoutes& routes_;
  RouteSocket socket_;
  bool refused_ = false;  // said
  Clock::time_point dump_began_{};
  Clock::time_point next_dump_{};
};

}  // namespace causeway
