#include "pmd/kernel/tap_queue.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>

#include "pmd/kernel/vnet_header.h"
#include "pmd/system_error.h"

namespace causeway {
namespace {

// What the kernel may hand us (linux/if_tun.h). Kernels before 6.2 know no UDP GSO, those before 6.17 no tunnels,
// and Debian 12's header neither.
constexpr unsigned kTunOffloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
constexpr unsigned kTunUdpOffloads = kTunOffloads | 0x20 | 0x40;         // TUN_F_USO4, TUN_F_USO6
constexpr unsigned kTunTunnelOffloads = kTunUdpOffloads | 0x80 | 0x100;  // TUN_F_UDP_TUNNEL_GSO, _GSO_CSUM

// Takes the most of these that the kernel knows; false: none. `tunnels` goes false where it knows no tunnels.
bool set_offloads(int fd, bool& tunnels) {
  if (tunnels && ioctl(fd, TUNSETOFFLOAD, kTunTunnelOffloads) == 0) return true;
  tunnels = false;
  return ioctl(fd, TUNSETOFFLOAD, kTunUdpOffloads) == 0 || ioctl(fd, TUNSETOFFLOAD, kTunOffloads) == 0;
}

}  // namespace

FileDescriptor open_tap_queue(const std::string& name, bool multi_queue, bool& tunnels, OpenError& error) {
  FileDescriptor fd(open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) {
    error = system_error("/dev/net/tun");
    return fd;
  }
  ifreq request{};
  request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | (multi_queue ? IFF_MULTI_QUEUE : 0));
  std::memcpy(request.ifr_name, name.data(), name.size());
  int header_bytes = kVnetTunnelBytes;
  if (ioctl(fd.get(), TUNSETIFF, &request) != 0) {
    // EBUSY: another program's, which may end.
    const OpenError failed{system_error("TUNSETIFF"),
                           errno == EBUSY ? OpenError::Kind::failed : OpenError::Kind::wrong};
    error = errno == EINVAL ? OpenError{"an interface of that name exists and is no such TAP"} : failed;
  } else if (ioctl(fd.get(), TUNSETVNETHDRSZ, &header_bytes) != 0) {
    error = system_error("TUNSETVNETHDRSZ");
  } else if (!set_offloads(fd.get(), tunnels)) {
    error = system_error("TUNSETOFFLOAD");
  }
  return fd;
}

FileDescriptor take_over_tap_queue(int fd, bool& tunnels, OpenError& error) {
  FileDescriptor taken = FileDescriptor::duplicate(fd);
  if (!taken.valid() || !set_offloads(taken.get(), tunnels)) error = system_error("a TAP that was handed over");
  return taken;
}

Error set_carrier(int fd, bool up) {
  const int carrier = up ? 1 : 0;
  return ioctl(fd, TUNSETCARRIER, &carrier) == 0 ? Error() : Error(system_error("TUNSETCARRIER"));
}

}  // namespace causeway
