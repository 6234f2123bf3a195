# SPDX-License-Identifier: GPL-2.0-only
"""The report of a benchmark: a page of HTML with plots, in one file.

gnuplot draws the plots as SVG, which become part of the page.  All that is on
the page comes from the dictionary that bench.json is written from.
"""

import html
import shutil
import statistics
import subprocess

from common import Fail

KIB, MIB = 1 << 10, 1 << 20

STYLE = """
body { font-family: sans-serif; max-width: 90em; margin: 1em auto; padding: 0 1em; }
table { border-collapse: collapse; margin: 1em 0; }
td, th { border-bottom: 1px solid #ccc; padding: .2em .8em; text-align: right; }
td:first-child, th:first-child { text-align: left; }
.missed { color: #b00; }
.plots { display: flex; flex-wrap: wrap; gap: 1em; }
.plots figure { margin: 0; }
"""


def check_tools():
    if not shutil.which("gnuplot"):
        raise Fail("gnuplot is missing: run 'scripts/deps.sh bench'")


# --- series -------------------------------------------------------------------

def spread(points):
    """[(x, values)] as [(x, median, lowest, highest)], by x."""
    return [(x, statistics.median(values), min(values), max(values))
            for x, values in sorted(points.items())]


def series(runs, of, where):
    """What `of` says of each measurement that `where` takes, over all runs."""
    points = {}
    for run in runs:
        for record in run["records"]:
            if where(record):
                x, y = of(record)
                points.setdefault(x, []).append(y)
    return spread(points)


def rate(record):
    """Bytes per second of a stream, or of the CPU."""
    return record["size"] * operations(record)


def operations(record):
    """Copies per second."""
    return record.get("copies", 1) * 1e9 / record["ns"]


def of_mode(mode, kind="dma", **wanted):
    wanted |= {"mode": mode, "kind": kind}
    return lambda record: all(record.get(name) == value for name, value in wanted.items())


def by(x, y):
    return lambda record: (record[x], y(record))


def per_copy(name, scale=1):
    return lambda record: record[name] / record["copies"] / scale


def microseconds(record):
    """Of the CPU's own memcpy."""
    return record["ns"] / 1000


# --- plots --------------------------------------------------------------------

PREAMBLE = """\
set terminal svg size 620,420 font "sans-serif,13" name "{name}" background "white"
set grid
set key outside bottom center maxcols 2
set title "{title}"
set xlabel "{xlabel}"
set ylabel "{ylabel}"
"""

LOG_X = "set logscale x 2\nset format x '%.0b%B'\n"
SCALED_Y = "set format y '%.1s%c'\n"
LOG_Y = "set logscale y\nset format y '%.0s%c'\n"


def draw(name, title, xlabel, ylabel, lines, extra=""):
    """A plot of [(label, [(x, median, lowest, highest)])]."""
    blocks, curves = [], []
    for i, (label, points) in enumerate(line for line in lines if line[1]):
        rows = "\n".join(" ".join(f"{value:.6g}" for value in point) for point in points)
        blocks.append(f"$data{i} << EOD\n{rows}\nEOD\n")
        curves.append(f"$data{i} using 1:2:3:4 with yerrorlines pt 7 ps 0.4 "
                      f'title "{label}"')
    return gnuplot(PREAMBLE.format(name=name, title=title, xlabel=xlabel, ylabel=ylabel) +
                   extra + "".join(blocks) + "plot " + ", ".join(curves) + "\n")


def draw_bars(name, title, ylabel, names, rows):
    """Groups of bars, [(label, [value])]; a name for each value."""
    text = "\n".join(f'"{label}" ' + " ".join(f"{value:.6g}" for value in values)
                     for label, values in rows)
    bars = ", ".join(f"$data using {i}:xtic(1) title '{bar}'"
                     for i, bar in enumerate(names, 2))
    return gnuplot(PREAMBLE.format(name=name, title=title, xlabel="", ylabel=ylabel) +
                   LOG_Y + "set style data histograms\nset style fill solid 0.8\n"
                   "set xtics scale 0 font ',10'\nset key outside top center\n"
                   f"$data << EOD\n{text}\nEOD\nplot {bars}\n")


def gnuplot(script):
    try:
        done = subprocess.run(["gnuplot"], input=script, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False, encoding="utf-8")
    except FileNotFoundError:
        raise Fail("gnuplot is missing: run 'scripts/deps.sh bench'") from None
    if done.returncode or "<svg" not in done.stdout:
        raise Fail(f"gnuplot failed: {' '.join(done.stderr.split())}")
    return done.stdout[done.stdout.index("<svg"):]


def plots(report):
    """All plots, as SVG."""
    one, two = ([run for run in report["raw"] if run["cpus"] == cpus] for cpus in (1, 2))
    both = [("one CPU", one), ("two CPUs", two)]
    host = {}
    for run in report["host_memcpy_ns"]:
        for size, ns in run.items():
            host.setdefault(size, []).append(ns)

    def over_sizes(name, what, unit, y, of_host):
        lines = [(f"DMA, depth 8, {label}",
                  series(runs, by("size", y), of_mode("sizes"))) for label, runs in both]
        lines.append(("guest's memcpy", series(one, by("size", y),
                                               of_mode("sizes", "memcpy"))))
        lines.append(("host's memcpy", spread(
            {size: [of_host(size, ns) for ns in values] for size, values in host.items()})))
        return draw(name, f"{what} by size", "bytes", unit, lines, LOG_X + LOG_Y)

    yield over_sizes("throughput", "Throughput", "bytes/s", rate,
                     lambda size, ns: size * 1e9 / ns)
    yield over_sizes("operations", "Copies per second", "copies/s", operations,
                     lambda _, ns: 1e9 / ns)
    yield draw("cputime", "CPU time of the guest for each copy", "bytes", "us", [
        *((f"DMA, depth 8, {label}", series(runs, by("size", per_copy("busy_ns", 1000)),
                                            of_mode("sizes"))) for label, runs in both),
        ("guest's memcpy", series(one, by("size", microseconds),
                                  of_mode("sizes", "memcpy")))], LOG_X + LOG_Y)
    yield draw("depth", "Copies per second by queue depth", "copies in flight", "copies/s", [
        (f"{size} B, {label}", series(runs, by("depth", operations),
                                      of_mode("depths", size=size)))
        for size in (64, 4 * KIB) for label, runs in both], LOG_X + LOG_Y)
    yield draw("signals", "Interrupts and doorbells for each copy of 4 KiB",
               "copies in flight", "for each copy", [
                   (f"{what}, {label}", series(runs, by("depth", per_copy(what)),
                                               of_mode("depths", size=4 * KIB)))
                   for what in ("irqs", "doorbells") for label, runs in both],
               LOG_X + "set yrange [0:]\n")
    engines = sorted({record["engines"] for run in one for record in run["records"]
                      if record["mode"] == "channels"})
    for label, runs in both:
        number = label.split()[0]
        yield draw(f"channels{number}", f"Copies of 1 MiB by channels, {label}",
                   "channels, each at depth 8", "bytes/s", [
                       (f"{n} engine{'s' if n > 1 else ''}",
                        series(runs, by("channels", rate),
                               of_mode("channels", size=MIB, engines=n)))
                       for n in engines], LOG_X + SCALED_Y + "set yrange [0:]\n")
        yield draw(f"small{number}", f"Copies of 4 KiB by channels, {label}",
                   "channels, each at depth 32", "copies/s", [
                       (f"{n} engine{'s' if n > 1 else ''}",
                        series(runs, by("channels", operations),
                               of_mode("channels", size=4 * KIB, engines=n)))
                       for n in engines], LOG_X + SCALED_Y + "set yrange [0:]\n")
        rows = latency_rows(runs)
        yield draw_bars(f"latency{number}", f"Time of one copy, {label}", "us",
                        ["p50", "p99", "p99.9"],
                        [(name.replace(", ", "\\n"), values) for name, values in rows])


def latency_rows(runs):
    """[(which, [p50, p99, p99.9 in us])], medians over the runs."""
    found = {}
    for run in runs:
        for record in run["records"]:
            if record["kind"] != "latency":
                continue
            size = f"{record['size']} B" if record["size"] < KIB else \
                f"{record['size'] // KIB} KiB"
            if record["mode"] == "latency":
                name = f"{size}, {'polled' if record['poll'] else 'callback'}"
            elif record["load"]:
                name = f"{size}, with load, class {record['class']}"
            else:
                # What the two beside a load are compared with.
                name = f"{size}, alone"
            found.setdefault(name, []).append(
                [record[f"{p}_ns"] / 1000 for p in ("p50", "p99", "p999")])
    return [(name, [statistics.median(values) for values in zip(*rows)])
            for name, rows in found.items()]


# --- the page -----------------------------------------------------------------

def table(header, rows):
    """HTML of a table; a row that is marked as missed is told by its colour."""
    text = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in header)
    lines = [f"<table><tr>{text}</tr>"]
    for missed, cells in rows:
        text = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
        mark = ' class="missed"' if missed else ""
        lines.append(f"<tr{mark}>{text}</tr>")
    return "\n".join([*lines, "</table>"])


def misses(target, value):
    sign, bound = target.split()
    return value < float(bound) if sign == ">=" else value > float(bound)


def figures_table(report):
    two, base = report["figures_2_cpus"], report.get("base")
    header = ["figure", "median", "min", "max", "runs", "two CPUs", "target"]
    if base:
        header += ["base", "ratio", "min", "max"]
    rows = []
    for name, figure in report["figures"].items():
        target = report["targets"][name]
        cells = [name, *(f"{figure[key]:.4g}" for key in ("value", "min", "max")),
                 figure["runs"], f"{two[name]['value']:.4g}" if name in two else "", target]
        if base:
            ratio = base["ratios"].get(name)
            cells += [f"{base['figures'][name]['value']:.4g}",
                      *(f"{ratio[key]:.3f}" if ratio else ""
                        for key in ("value", "min", "max"))]
        rows.append((misses(target, figure["value"]), cells))
    return table(header, rows)


def costs_table(rows):
    keys = list(rows[0])
    return table(keys, [(False, [row[key] for key in keys]) for row in rows])


def page(report):
    """The report as HTML."""
    facts = [f"commit {report['commit']}", f"guest Linux {report['kernel']}",
             f"accelerator {report['accelerator']}", f"host Linux {report['host']}",
             f"{report['host_cpus']} CPUs of the host"]
    if "base" in report:
        facts.insert(1, f"base {report['base']['commit']}")
    figures = "\n".join(f"<figure>{svg}</figure>" for svg in plots(report))
    latency = [(False, [f"{name}, {cpus} CPU{'s' if cpus > 1 else ''}",
                        *(f"{value:.1f}" for value in values)])
               for cpus in (1, 2)
               for name, values in latency_rows(
                   [run for run in report["raw"] if run["cpus"] == cpus])]
    limits = "".join(f"<p>{html.escape(limit)}</p>" for limit in report["limits"])
    costs = "<h2>Instructions of the guest for each copy</h2>" + \
        costs_table(report["instructions"])
    if "base" in report:
        costs += "<h2>The same, base</h2>" + costs_table(report["base"]["instructions"])
    costs += "<h2>CPU time of the guest for each copy, nanoseconds</h2>" + \
        costs_table(report["cost_ns"])
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>loopdma: performance</title>
<style>{STYLE}</style></head><body>
<h1>loopdma: performance</h1>
<p>{html.escape("; ".join(facts))}.
Documentation/performance.rst says what each figure means, and how to read the spread.</p>
<h2>Figures</h2>
{figures_table(report)}
{limits}
<h2>Plots</h2>
<p>Points are medians, bars reach from the lowest to the highest run.</p>
<div class="plots">
{figures}
</div>
<h2>Time of one copy, microseconds</h2>
{table(["which", "p50", "p99", "p99.9"], latency)}
{costs}
</body></html>
"""
