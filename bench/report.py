"""What a suite found: tables on stdout, JSON under build/bench, a chart for the docs."""

import json
import time
from statistics import median

import chart
from measure import BUILD, ROOT

KEYS = (("rate", "rate"), ("cpu_us", "CPU µs"), ("p50_us", "p50 µs"), ("p99_us", "p99 µs"))


def number(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"


def paired_ratio(ours, theirs):
    """The median of the rounds' ratios: a round sees the machine at one speed, the next at another."""
    ratios = [our / their for our, their in zip(ours, theirs) if their]
    return median(ratios) if ratios else 0


class Report:
    """The first of `names` is ours; ratios are ours divided by the other's. The rates of
    most suites are speeds; those of `chart.LITTLE` are times or sizes."""

    def __init__(self, suite, names, quick, rate_is_good=chart.MUCH):
        self.suite, self.names, self.quick = suite, names, quick
        self.rate_is_good = rate_is_good
        self.cases, self.rows, self.singles = [], {}, {}
        print(f"{'':36}{'':10}" + "".join(f"{n:>12}" for n in names)
              + "".join(f"{'/' + n:>10}" for n in names[1:]))

    def line(self, case, what, values, ratios):
        shown = [f"{ratios[n]:.2f}" if ratios[n] else "-" for n in self.names[1:]]
        print(f"{case:36}{what:10}" + "".join(f"{number(values[n]):>12}" for n in self.names)
              + "".join(f"{r:>10}" for r in shown), flush=True)

    def case(self, name, unit, runs):
        """`runs` maps names to the figures of their rounds; who is missing was not measured."""
        case = {"case": name, "unit": unit, "medians": {}, "ratios": {}}
        self.cases.append(case)
        keys = runs[self.names[0]][0]
        for key, label in KEYS:
            rounds = {n: [run[key] for run in runs.get(n, [])] for n in self.names if key in keys}
            values = {n: median(found) if found else 0 for n, found in rounds.items()}
            if not any(values.values()):
                continue
            ratios = {n: paired_ratio(rounds[self.names[0]], rounds[n]) for n in self.names}
            case["medians"][key], case["ratios"][key] = values, ratios
            self.line(name if key == "rate" else "", unit if key == "rate" else label, values, ratios)

    def memory(self, rows):
        self.rows = rows
        ours = rows[self.names[0]]
        for label in ours:
            values = {n: rows[n][label] for n in self.names}
            self.line(f"RSS, {label}", "MiB", values, {n: ours[label] / values[n] for n in self.names})

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
