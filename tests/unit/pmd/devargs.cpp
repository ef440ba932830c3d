// Device strings, before DPDK sees them.
#include <filesystem>
#include <fstream>

#include "pmd/ethdev/devargs.h"
#include "pmd/ethdev/pci_device.h"
#include "tests/catch.h"

using namespace causeway;

namespace {

std::string id(const std::string& devargs) {
  const DeviceName device = device_name(devargs);
  return device.bus + " " + device.name;
}

}  // namespace

TEST_CASE("devargs: one device, however it is spelt") {
  CHECK(id("0000:18:00.0") == "pci 0000:18:00.0");
  CHECK(id("18:00.0") == "pci 0000:18:00.0");
  CHECK(id("pci:0000:AF:1f.7,representor=[0-3]") == "pci 0000:af:1f.7");
  CHECK(id("10000:01:00.0") == "pci 10000:01:00.0");
  CHECK(id("net_null0") == "vdev net_null0");
  CHECK(id("vdev:net_null0,copy=1") == "vdev net_null0");
  CHECK(id("virtio_user0,path=/dev/vhost-net") == "vdev virtio_user0");
  CHECK(id("mlx5_core.sf.2") == "auxiliary mlx5_core.sf.2");
  CHECK(id("vmbus:00112233-4455-6677-8899-aabbccddeeff") == "vmbus 00112233-4455-6677-8899-aabbccddeeff");
  for (const char* none : {"", "pci:net_null0", "vdev:0000:18:00.0", "0000:18:20.0", "0000:18:00.8", "18:00",
                           "class=eth", "net_", "x:y:z:18:00.0", "00112233-4455-6677-8899-aabbccddeef"}) {
    CHECK(id(none) == " ");
  }
}

TEST_CASE("devargs: what may be a port's device") {
  for (const char* good :
       {"0000:18:00.0", "0000:18:00.0,representor=pf[0,1]vf[0-3],dv_flow_en=2", "net_null0", "net_null",
        "net_memif0,role=server,socket-abstract=no,socket=/tmp/memif.sock", "net_tap0,iface=dtap0,remote=eth0",
        "net_virtio_user0,path=/tmp/s,server=0", "net_pcap0,rx_pcap=/tmp/a b.pcap,infinite_rx=1",
        "net_failsafe0,dev(net_null0,copy=1),mac=02:00:00:00:00:01", "net_vhost0,iface=/tmp/s"}) {
    CAPTURE(good);
    CHECK(devargs_error(good) == "");
  }
}

TEST_CASE("devargs: what may not") {
  const auto says = [](const std::string& devargs, const std::string& what) {
    CAPTURE(devargs, devargs_error(devargs));
    CHECK(devargs_error(devargs).find(what) != std::string::npos);
  };
  says("", "expected a PCI address (0000:18:00.0) or a vdev");
  says("eth0", "expected a PCI address (0000:18:00.0) or a vdev");
  says("class=eth", "'class=' names no single device");
  says("bus=pci,addr=0000:18:00.0", "'bus=' names no single device");
  says("net_null0/class=eth", "expected a PCI address");
  says("net_memif0,socket=/tmp/class=eth", "no parameter may have '/class=' in it");
  says("0000:18:00.0,x=1/driver=mlx5", "no parameter may have '/driver=' in it");
  says("crypto_null0", "crypto_null0 is no Ethernet device");
  says("event_sw0", "event_sw0 is no Ethernet device");
  says("net_failsafe0,exec(touch /tmp/x)", "exec(...): a device has no such parameter");
  says("net_failsafe0,exec(echo a=b)", "exec(...): a device has no such parameter");
  says("net_failsafe0,fd(3)", "fd(...): a device has no such parameter");
  says("net_failsafe0,dev(crypto_null0)", "crypto_null0 is no Ethernet device");
  says("net_failsafe0,dev(net_null0", "brackets don't match");
  says("0000:18:00.0,representor=[0-1]]", "brackets don't match");
  says("net_null0,", "expected key=value behind each comma, not ''");
  says("net_null0,=1", "expected key=value behind each comma, not '=1'");
  says("net_null0,a b=1", "expected key=value behind each comma, not 'a b=1'");
  says("net_null0,a=\n", "printable ASCII characters only");
  says("net_" + std::string(60, 'x'), "63 characters at most");
  says("net_virtio_user0,path=/tmp/s,server=1", "server=1 stops the gateway");
  says("virtio_user0,server=2", "server=1 stops the gateway");
}

TEST_CASE("a PCI device has to be there, and a network controller") {
  const std::filesystem::path devices = std::filesystem::temp_directory_path() / "unit_pmd_pci";
  const auto add = [&](const char* address, const char* code) {
    std::filesystem::create_directories(devices / address);
    std::ofstream(devices / address / "class") << code << "\n";
  };
  add("0000:18:00.0", "0x020000");
  add("0000:18:00.1", "0x020700");
  add("0000:18:00.2", "0x0b4000");
  CHECK(pci_error("0000:18:00.0", devices) == "");
  CHECK(pci_error("0000:18:00.1", devices) == "");
  CHECK(pci_error("0000:18:00.2", devices) == "PCI device 0000:18:00.2 is no network controller (class 0b4000)");
  CHECK(pci_error("0000:18:00.3", devices) == "there is no PCI device 0000:18:00.3");
  std::filesystem::remove_all(devices);
}
