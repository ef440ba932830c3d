"""Two daemons that want the same: an interface, a name. The second is told whose it is; what a dead one held is free."""

import os
import signal

from tests.support.causeway import program, write_yaml
from tests.support.overlay import gateway, two_hosts
from tests.support.process import wait_until


def named(name, ports=None):
    return gateway(1, "geneve", ports=ports, system={"name": name})


def start(host, config, socket, wrapper=()):
    """Runs a daemon that is not to live: what it said, and its status."""
    file = write_yaml(config, host.lab.path("second.yaml"))
    return host.run([*wrapper, program("causewayd"), "-c", file, "--socket", socket], check=False, timeout=20)


def test_an_interface_has_one_daemon(lab):
    h1, h2, _, _ = two_hosts(lab)
    first = h1.causeway(named("gw1"))
    # In mount namespaces of their own (ip netns exec makes one), with sockets and names of their own.
    for ports in ({}, {"c1": {}}):
        second = start(h1, named("gw2", ports), lab.path("second.sock"))
        assert second.returncode != 0
        assert f"in use by gw1 (pid {first.pid})" in second.stderr
        assert "double every frame" in second.stderr
    assert first.row("ports", "up0")["state"] == "up"
    # The same interface is opened anew, whatever its name; an interface of the same number elsewhere is another one.
    reopened = named("gw1")
    reopened["ethernets"]["c1"] = {"packet": {"rx-queues": 2}}
    first.apply(reopened)
    h2.causeway(gateway(2, "geneve")).stop()
    # However it ends.
    first.process.child.send_signal(signal.SIGKILL)
    first.process.wait(check=False)
    h1.causeway(named("gw2")).stop()
    h1.causeway(named("gw3")).stop()


def test_of_daemons_that_start_at_once_one_wins(lab):
    host = lab.host("h1")
    socket = lab.path("one.sock")
    command = [program("causewayd"), "--socket", socket, "-c"]
    for taps in range(2):
        files = [write_yaml({"version": 1, "system": {"name": "one", "hugepages": "off", "memory": "64M"},
                             "ethernets": {f"t{taps}{n}": {"tap": {}}}}, lab.path(f"one{n}.yaml")) for n in range(4)]
        daemons = [host.spawn([*command, file], title=f"one{n}") for n, file in enumerate(files)]
        wait_until(lambda: sum(daemon.poll() is None for daemon in daemons) == 1, 20, "all but one have given up")
        alive = next(daemon for daemon in daemons if daemon.poll() is None)
        for daemon in daemons:
            if daemon is not alive:
                assert f"another causewayd is running as one ({socket}, process {alive.pid})" in daemon.tail()
        assert host.run([program("causewayctl"), "--socket", socket, "show", "ports"]).stdout
        # The one that is killed leaves its files behind: they hinder nobody.
        alive.child.send_signal(signal.SIGKILL)
        alive.wait(check=False)
        assert os.path.exists(socket)


def test_the_end_of_a_stale_daemon_leaves_the_newer_ones_socket(lab):
    host = lab.host("h1")
    config = {"version": 1, "system": {"hugepages": "off", "memory": "64M"}}
    stale = host.causeway({**config, "ethernets": {"t0": {"tap": {}}}})
    for file in (stale.socket, stale.socket + ".lock"):
        os.unlink(file)  # as systemd does with a RuntimeDirectory
    newer = host.causeway({**config, "ethernets": {"t1": {"tap": {}}}})
    stale.stop()
    assert newer.ctl("show", "ports")[0]["name"] == "t1"
    newer.stop()
    assert not os.path.exists(newer.socket) and not os.path.exists(newer.socket + ".lock")
