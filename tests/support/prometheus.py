"""What Prometheus reads of a gateway, and a Prometheus of Debian's that reads it."""

import json
import os
import re
import urllib.parse

from tests.support.process import LabError, wait_until

ADDRESS = "127.0.0.1:9111"

# Inside the host's namespace: its loopback is another one than ours.
_FETCH = "import sys, urllib.request; sys.stdout.write(urllib.request.urlopen(sys.argv[1], timeout=15).read().decode())"
_SAMPLE = re.compile(r'^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([^ ]+)$')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def fetch(host, url):
    return host.run(["/usr/bin/python3", "-c", _FETCH, url], quiet=True).stdout


def scrape(host):
    """The text that Prometheus reads."""
    return fetch(host, f"http://{ADDRESS}/metrics")


def samples(text):
    """(name, sorted labels) -> value."""
    found = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        match = _SAMPLE.match(line)
        if not match:
            raise LabError(f"no sample: {line}")
        name, labels, value = match.groups()
        key = (name, tuple(sorted(_LABEL.findall(labels or ""))))
        if key in found:
            raise LabError(f"twice in one scrape: {line}")
        found[key] = float(value)
    return found


def types(text):
    """name -> counter, gauge or summary, of each metric, with samples or without."""
    return dict(line.split(" ")[2:] for line in text.splitlines() if line.startswith("# TYPE "))


class Prometheus:
    """In the namespace of `host`, where it scrapes the gateway, or those at `targets`, every second."""

    URL = "http://127.0.0.1:9090/api/v1"

    def __init__(self, host, rules=(), targets=(ADDRESS,)):
        self.host = host
        file = host.lab.path(f"prometheus-{host.name}.yml")
        with open(file, "w") as output:
            json.dump({"global": {"scrape_interval": "1s", "evaluation_interval": "1s"},  # JSON is YAML
                       "rule_files": [os.path.abspath(rule) for rule in rules],
                       "scrape_configs": [{"job_name": "causeway", "static_configs": [{"targets": list(targets)}]}]}, output)
        storage = host.lab.path(f"prometheus-{host.name}")
        self.process = host.spawn(["prometheus", f"--config.file={file}", f"--storage.tsdb.path={storage}",
                                   "--web.listen-address=127.0.0.1:9090"])
        self.process.wait_for("Server is ready to receive web requests", 30)

    def _get(self, what):
        answer = json.loads(fetch(self.host, f"{self.URL}/{what}"))
        if answer["status"] != "success":
            raise LabError(f"{what}: {answer}")
        return answer["data"]

    def query(self, expression, at=None):
        """[(labels, value)] as of now, or then."""
        data = self._get("query?" + urllib.parse.urlencode({"query": expression, **({"time": at} if at else {})}))
        return [(row["metric"], float(row["value"][1])) for row in data["result"]]

    def query_range(self, expression, start, end, step_s):
        """[(labels, [(time, value)])]."""
        data = self._get("query_range?" + urllib.parse.urlencode({"query": expression, "start": start, "end": end, "step": step_s}))
        return [(row["metric"], [(time, float(value)) for time, value in row["values"]]) for row in data["result"]]

    def await_result(self, expression, good, timeout=20):
        """The rows of a query, once `good` says they are."""
        last = []

        def asked():
            last[:] = self.query(expression)
            return good(last)
        wait_until(asked, timeout, lambda: f"{expression} is good: {last}\n{self.process.tail()}", interval=0.3)
        return last

    def rules(self):
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]
