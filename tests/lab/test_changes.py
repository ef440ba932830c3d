"""Changes with a net: they go back unless confirmed, whatever happens meanwhile; and by chance, under traffic, they lose
nothing and end as a fresh start would."""

import copy
import json
import random
import socket

import pytest
import yaml

from tests.support import traffic
from tests.support.causeway import write_yaml
from tests.support.overlay import gateway, two_hosts
from tests.support.process import wait_until

SEED = 18
CHANGES = 50
STARTED_AFRESH = 10  # of the files of all these changes, so many are started from, too
COUNTERS = {"rx_packets", "rx_bytes", "tx_packets", "tx_bytes", "rx_drops", "tx_drops", "age_s", "mac_moves", "macs_refused",
            "waiting_frames", "selected", "copies", "lost"}


def runs(daemon):
    return yaml.safe_load(daemon.ctl("show", "config")["yaml"])


def without_counters(value):
    if isinstance(value, list):
        return [without_counters(item) for item in value]
    if isinstance(value, dict):
        return {key: without_counters(item) for key, item in value.items() if key not in COUNTERS}
    return value


def tables(daemon):
    """All that is configured, as `show` has it: without counters and what was learnt."""
    state = {table: without_counters(daemon.ctl("show", table))
             for table in ("ports", "bridges", "tunnels", "fdb", "neighbors", "offloads", "multicast", "mirrors")}
    state["fdb"] = [row for row in state["fdb"] if row["type"] == "static"]
    for bridge in state["bridges"]:
        del bridge["macs"]
    for tunnel in state["tunnels"]:
        tunnel["state"] = tunnel["state"].replace("silent", "up")  # nobody is behind most of them
    return {table: sorted(rows, key=json.dumps) for table, rows in state.items()}


def differences(one, other):
    """Rows that only one of two states has."""
    return [(table, row) for table in one for row in one[table] + other[table] if (row in one[table]) != (row in other[table])]


def last_change(daemon):
    return daemon.ctl("show", "changes")["changes"][-1]


class Net:
    """A gateway with a state folder, and files that differ in a tunnel's TTL and in a port."""

    def __init__(self, lab):
        self.lab = lab
        self.host, *_ = two_hosts(lab)
        self.first = gateway(1, "geneve")
        # Nobody is there; states are to be compared.
        self.first["ethernets"]["up0"]["neighbors"] = [{"to": "172.31.0.2", "macaddress": "02:00:00:00:00:22"}]
        self.second = self.changed(33)
        self.third = self.changed(44)
        self.daemon = self.start()

    def changed(self, ttl):
        config = copy.deepcopy(self.first)
        config["ethernets"]["lan9"] = {"tap": {}, "macaddress": "02:00:00:00:09:09"}
        config["bridges"]["br-int"]["interfaces"].append("lan9")
        config["tunnels"]["tun0"]["ttl"] = ttl
        return config

    def start(self):
        return self.host.causeway(self.first, arguments=["--state", self.lab.path("state")])

    def ttl(self):
        return runs(self.daemon)["tunnels"]["tun0"].get("ttl", 64)


@pytest.fixture
def net(lab):
    return Net(lab)


def test_what_nobody_confirms_goes_back(net):
    daemon = net.daemon
    before = tables(daemon)
    said = daemon.apply(net.second, "--confirm", "3")
    assert "goes back in 3 s unless" in said.stderr and "+ ethernet lan9" in said.stdout
    wait_until(lambda: last_change(daemon)["verb"] == "revert", 30, "it has gone back")
    assert net.ttl() == 64 and tables(daemon) == before and "lan9" not in net.host.interfaces()
    # And what somebody confirms stays, whatever comes.
    daemon.apply(net.second, "--confirm", "600")
    assert daemon.ctl_run("confirm").stdout == "generation 4 is confirmed\n"
    daemon.apply(net.third, "--confirm", "1")
    wait_until(lambda: net.ttl() == 33, 30, "the other has gone back alone")
    shown = daemon.ctl("show", "changes")
    assert [change["verb"] for change in shown["changes"]] == ["start", "apply", "revert", "apply", "confirm", "apply", "revert"]
    assert shown["unconfirmed"] is None and shown["saved"] is False
    assert shown["changes"][1]["user"] == "root" and shown["changes"][1]["uid"] == 0
    assert shown["changes"][2]["user"] == "causewayd" and shown["changes"][2]["uid"] is None


def test_a_daemon_killed_meanwhile_comes_back_with_what_ran_before(net):
    net.daemon.apply(net.second)
    before = tables(net.daemon)
    net.daemon.apply(net.third, "--confirm", "600")
    assert net.ttl() == 44
    net.daemon.process.kill()
    net.daemon = net.start()
    assert net.ttl() == 33 and tables(net.daemon) == before
    assert "was not confirmed when the daemon ended" in net.daemon.log()
    assert last_change(net.daemon)["verb"] == "revert" and last_change(net.daemon)["generation"] == 4
    net.daemon.stop()
    net.daemon = net.start()  # and so does each, until somebody wants something else
    assert net.ttl() == 33 and tables(net.daemon) == before
    net.daemon.ctl_run("reload")
    assert net.ttl() == 64
    net.daemon.stop()
    net.daemon = net.start()
    assert net.ttl() == 64 and last_change(net.daemon)["verb"] == "start"


def test_an_author_who_hangs_up_leaves_the_clock_running(net):
    text = yaml.safe_dump(net.second)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(net.daemon.socket)
        request = {"verb": "apply", "file": "mine.yaml", "text": text, "confirm": 1}
        client.sendall(json.dumps(request).encode() + b"\n")
    wait_until(lambda: last_change(net.daemon)["verb"] == "revert", 30, "it came, and has gone back")
    assert [change["verb"] for change in net.daemon.ctl("show", "changes")["changes"]] == ["start", "apply", "revert"]
    assert net.ttl() == 64


def test_set_rollback_and_save(net):
    daemon = net.daemon
    done = daemon.ctl_run("set", "tunnels.tun0.ttl=9", "bridges.br-int.parameters={ageing-time: 60}", "--expect", "1")
    assert sorted(line[:12] for line in done.stdout.splitlines()) == ["~ bridge br-", "~ tunnel tun"]
    assert "says something else than what runs" in done.stderr
    refused = daemon.ctl_run("set", "tunnels.tun0.ttl=256", check=False)
    assert refused.returncode == 1 and refused.stderr.startswith("set: error: tunnels.tun0.ttl: ")
    stale = daemon.ctl_run("rollback", "--expect", "1", check=False)
    assert stale.returncode == 1 and "is based on generation 1, but generation 2 runs" in stale.stderr
    daemon.ctl_run("rollback")
    assert net.ttl() == 64
    daemon.ctl_run("rollback")
    assert net.ttl() == 9
    assert daemon.ctl_run("save").stdout == "saved\n"
    assert daemon.ctl_run("reload").stdout == "nothing to change\n"
    daemon.stop()
    with open(daemon.file) as file:
        net.first = file.read()
    net.daemon = net.start()
    assert net.ttl() == 9 and net.daemon.ctl("show", "changes")["saved"] is True


class RandomConfigs:
    """c1 and tun0 in br-int, and whatever else comes and goes: ports, VLANs, tunnels, bridges, mirrors."""

    def __init__(self, seed, remote_mac):
        self.random = random.Random(seed)
        self.remote_mac = remote_mac

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def port(self):
        return self.random.choice([{}, {"mtu": 1400}, {"isolated": True}, {"vlan": {"mode": "access", "tag": 20}},
                                   {"vlan": {"mode": "trunk", "trunks": [0, 20, 21]}}, {"max-macs": 7}])

    def next(self):
        pick = self.random
        config = gateway(1, "geneve")
        # Nobody answers for the second remote, and states are to be compared.
        config["ethernets"]["up0"]["neighbors"] = [{"to": f"172.31.0.{number}", "macaddress": self.remote_mac} for number in (2, 3)]
        free = []
        config["vlans"] = {}
        for number in range(3):
            if self.chance(70):
                name = f"p{number}"
                port = self.port()
                config["ethernets"][name] = {"mtu": 1500, **port}  # said always: an interface keeps what was set last
                free.append(name)
                if port == {} and self.chance(60):
                    config["vlans"][f"{name}.7"] = {"id": pick.choice([7, 8]), "link": name}
                    free.append(f"{name}.7")
        for number in range(2):
            if self.chance(50):
                config["ethernets"][f"lan{number}"] = {"tap": {}, "macaddress": f"02:00:00:00:09:0{number}", **self.port()}
                free.append(f"lan{number}")
        if self.chance(50):
            config["vlans"]["up0.9"] = {"id": 9, "link": "up0", "addresses": ["10.9.0.1/24"]}
        for number in range(6):
            if self.chance(60):
                remotes = pick.choice(["172.31.0.2", "172.31.0.3", ["172.31.0.3", "172.31.0.2"]])
                config["tunnels"][f"t{number}"] = {"mode": pick.choice(["geneve", "vxlan", "gretap", "nvgre"]),
                                                   "id": 5000 + 4 * number + pick.randrange(4), "local": "172.31.0.1",
                                                   "remote": remotes, "ttl": pick.choice([9, 64])}
                free.append(f"t{number}")
        for number in range(pick.randrange(4)):
            config["bridges"][f"b{number}"] = {"interfaces": [], "parameters": {"ageing-time": pick.choice([60, 300])}}
        pick.shuffle(free)
        while free and not self.chance(15):
            pick.choice(list(config["bridges"].values()))["interfaces"].append(free.pop())
        for number, bridge in enumerate(config["bridges"].values()):
            if bridge["interfaces"] and self.chance(60):
                bridge["static-macs"] = [{"mac": f"02:00:00:00:07:0{number}", "port": pick.choice(bridge["interfaces"])}]
        if free and self.chance(50):
            config["mirrors"] = {"m0": {"select-src-port": ["c1"], "output-port": free[0]}}
        return config


@pytest.mark.alone
@pytest.mark.deadline(300)
def test_random_changes_under_traffic(lab):
    h1, h2, c1, c2 = two_hosts(lab)
    for number in range(3):
        h1.container(f"p{number}", address=f"10.2.0.{number + 1}/24")
    configs = RandomConfigs(SEED, h2.mac("up0"))
    other = h2.causeway(gateway(2, "geneve"))
    daemon = h1.causeway(configs.next())
    traffic.ping(c1, c2.ip4)
    streams = [traffic.UdpStream(c1, c2, c2.ip4, per_second=300, port=40000),
               traffic.UdpStream(c2, c1, c1.ip4, per_second=300, port=40001)]
    files, operations = [], 0
    for _ in range(CHANGES):
        config = configs.next()
        file = write_yaml(config, lab.path("random.yaml"))
        operations += len(daemon.ctl("apply", file)["operations"])
        files.append((config, tables(daemon)))
    reports = [stream.stop() for stream in streams]
    print(f"{CHANGES} changes, {operations} operations, {[report['sent'] for report in reports]} datagrams, lost "
          f"{[report['lost'] for report in reports]}, longest gap {[report['longest_gap_ms'] for report in reports]} ms")
    assert [report["lost"] for report in reports] == [[], []]
    assert daemon.ctl("show", "changes")["generation"] == CHANGES + 1
    daemon.stop()
    for config, state in files[::CHANGES // STARTED_AFRESH]:
        fresh = h1.causeway(config)
        assert differences(tables(fresh), state) == []
        fresh.stop()
    other.stop()
