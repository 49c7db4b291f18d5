"""What a suite found: tables on stdout, JSON under build/bench, a chart for the docs."""

import json
import time

import chart
from measure import BUILD, ROOT

KEYS = (("rate", "rate"), ("cpu_us", "CPU µs"), ("p50_us", "p50 µs"), ("p99_us", "p99 µs"))


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


class Report:
    """The first of `names` is ours; ratios are ours divided by the other's. The rates of
    most suites are speeds; those of `chart.LITTLE` are times or sizes."""

    def __init__(self, suite, names, quick, rate_is_good=chart.MUCH):
        self.suite, self.names, self.quick = suite, names, quick
        self.rate_is_good = rate_is_good
        self.cases, self.rows, self.singles = [], {}, {}
        print(f"{'':36}{'':10}" + "".join(f"{n:>12}" for n in names)
              + "".join(f"{'/' + n:>10}" for n in names[1:]))

    def line(self, case, what, values):
        first = values[self.names[0]]
        ratios = [f"{first / values[n]:.2f}" if values.get(n) else "-" for n in self.names[1:]]
        print(f"{case:36}{what:10}" + "".join(f"{number(values[n]):>12}" for n in self.names)
              + "".join(f"{r:>10}" for r in ratios), flush=True)

    def case(self, name, unit, medians):
        self.cases.append({"case": name, "unit": unit, "medians": medians})
        for key, label in KEYS:
            values = {n: medians[n].get(key, 0) for n in self.names}
            if any(values.values()):
                self.line(name if key == "rate" else "", unit if key == "rate" else label, values)

    def memory(self, rows):
        self.rows = rows
        for label in rows[self.names[0]]:
            self.line(f"RSS, {label}", "MiB", {n: rows[n][label] for n in self.names})

    def single(self, what, values):
        """Figures that nothing is compared with."""
        self.singles[what] = values
        print(f"{what:36}" + ", ".join(f"{label} {value:,.2f}" for label, value in values.items()), flush=True)

    def finish(self):
        """Quick runs draw no chart: the docs show full ones."""
        found = {"suite": self.suite, "quick": self.quick, "when": time.strftime("%Y-%m-%d"),
                 "names": self.names, "rate_is_good": self.rate_is_good, "cases": self.cases, "memory_mib": self.rows,
                 "figures": self.singles}
        target = BUILD / "bench" / f"{self.suite}.json"
        target.write_text(json.dumps(found, indent=1) + "\n")
        print(f"\n{target}")
        if not self.quick:
            picture = ROOT / "docs" / f"bench-{self.suite}.svg"
            picture.write_text(chart.draw(found))
            print(picture)
