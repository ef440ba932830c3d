"""Two daemons that want the same: an interface, a name. The second is told whose it is, and has it when the first is gone."""

import json
import os
import signal

from tests.support.causeway import program, write_yaml
from tests.support.overlay import gateway, two_hosts
from tests.support.process import wait_until


def named(name):
    return gateway(1, "geneve", system={"name": name})


def test_an_interface_has_one_daemon(lab):
    h1, h2, _, _ = two_hosts(lab)
    first = h1.causeway(named("gw1"))
    # In a mount namespace of its own (ip netns exec makes one), with another socket and name: it waits for its turn.
    socket = lab.path("second.sock")
    file = write_yaml(named("gw2"), lab.path("second.yaml"))
    second = h1.spawn([program("causewayd"), "-c", file, "--socket", socket], title="second")

    def states():
        shown = h1.run([program("causewayctl"), "--socket", socket, "--json", "show", "ports"], check=False, quiet=True)
        return {row["name"]: row["state"] for row in json.loads(shown.stdout)} if shown.returncode == 0 else {}

    wait_until(lambda: states() == {"c1": "missing", "up0": "missing"}, 10, "the second has no port")
    for name in ("c1", "up0"):
        assert f"{name}: missing: in use by gw1 (pid {first.pid}): two gateways on one interface double every frame" in second.output()
    assert {row["state"] for row in first.ctl("show", "ports")} == {"up"}
    # The first opens it anew when it likes; an interface of the same number elsewhere is another one.
    reopened = named("gw1")
    reopened["ethernets"]["c1"] = {"packet": {"rx-queues": 2}}
    first.apply(reopened)
    assert {row["state"] for row in first.ctl("show", "ports")} == {"up"}
    h2.causeway(gateway(2, "geneve")).stop()
    # However it ends.
    first.process.child.send_signal(signal.SIGKILL)
    first.process.wait(check=False)
    wait_until(lambda: states() == {"c1": "up", "up0": "up"}, 10, "the second has taken over")
    # To one that runs it is an error.
    third = h1.causeway({"version": 1, "system": {"name": "gw3", "hugepages": "off"}})
    refused = third.apply(named("gw3"), check=False)
    assert refused.returncode != 0 and f"in use by gw2 (pid {second.pid})" in refused.stdout + refused.stderr


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
