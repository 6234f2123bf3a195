# SPDX-License-Identifier: GPL-2.0-only
"""The report of a benchmark: a page of HTML with plots, in one file.

gnuplot draws the plots as SVG, which become part of the page.  All that is on
the page comes from the dictionary that bench.json is written from.
"""

import html
import shutil
import statistics
import subprocess

from lib import bench_conclusions
from lib.common import Fail

KIB, MIB = 1 << 10, 1 << 20

STYLE = """
body { font-family: sans-serif; line-height: 1.4; max-width: 42em; margin: 0 auto;
       padding: 0 1em 2em; overflow-wrap: anywhere; }
h1, h2 { line-height: 1.2; }
table { border-collapse: collapse; font-size: .8em; }
td, th { border-bottom: 1px solid #ccc; padding: .2em .3em; text-align: right;
         white-space: nowrap; }
td:first-child, th:first-child { text-align: left; white-space: normal; min-width: 5em; }
dl.facts { display: grid; grid-template-columns: max-content 1fr; gap: .1em 1em; }
dl.facts dd { margin: 0; }
ul.claims { list-style: none; padding: 0; }
ul.claims li { border-left: .3em solid #2a7; padding: 0 0 0 .7em; margin: 0 0 1em; }
ul.claims li.not { border-color: #b00; }
ul.claims p { margin: .1em 0; }
.figure::first-letter { text-transform: uppercase; }
.not b { color: #b00; }
.holds b { color: #175; }
.small { color: #555; font-size: .85em; }
.warning { background: #fe9; padding: .5em .7em; }
.wide { overflow-x: auto; }
figure { margin: 1em 0 2em; }
figure svg { width: 100%; height: auto; }
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

# As wide as a phone, so that its text is one that can be read there.  Below, the
# legend has a line for each curve.
PREAMBLE = """\
set terminal svg size 400,{height} font "sans-serif,13" name "{name}" background "white"
set grid
set key outside below center maxcols 1 Left reverse samplen 2
set title "{title}"
set xlabel "{xlabel}"
set ylabel "{ylabel}"
"""
PLOT_HEIGHT, LEGEND_LINE = 330, 18

LOG_X = "set logscale x 2\nset format x '%.0b%B'\nset xtics rotate by -40\n"
SCALED_Y = "set format y '%.1s%c'\n"
LOG_Y = "set logscale y\nset format y '%.0s%c'\n"


# Gnuplot's numbers of filled shapes: circle, square, triangles, diamond, pentagon.
SHAPES = (7, 5, 9, 11, 13, 15)


def preamble(name, title, xlabel, ylabel, labels):
    return PREAMBLE.format(name=name, title=title, xlabel=xlabel, ylabel=ylabel,
                           height=PLOT_HEIGHT + LEGEND_LINE * labels)


def draw(name, title, xlabel, ylabel, lines, extra=""):
    """A plot of [(label, [(x, median, lowest, highest)])]."""
    blocks, curves = [], []
    lines = [line for line in lines if line[1]]
    for i, (label, points) in enumerate(lines):
        rows = "\n".join(" ".join(f"{value:.6g}" for value in point) for point in points)
        blocks.append(f"$data{i} << EOD\n{rows}\nEOD\n")
        # A shape of its own for each, for who does not see colours.
        curves.append(f"$data{i} using 1:2:3:4 with yerrorlines lw 1.5 pt {SHAPES[i]} ps 0.6 "
                      f'title "{label}"')
    return gnuplot(preamble(name, title, xlabel, ylabel, len(lines)) +
                   extra + "".join(blocks) + "plot " + ", ".join(curves) + "\n")


def draw_bars(name, title, ylabel, names, rows):
    """Groups of bars, [(label, [value])]; a name for each value."""
    text = "\n".join(f'"{label}" ' + " ".join(f"{value:.6g}" for value in values)
                     for label, values in rows)
    bars = ", ".join(f"$data using {i}:xtic(1) title '{bar}'"
                     for i, bar in enumerate(names, 2))
    return gnuplot(preamble(name, title, "", ylabel, len(names) + 8) +
                   LOG_Y + "set style data histograms\nset style fill solid 0.8\n"
                   "set xtics scale 0 rotate by -50\n"
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
                        rows)


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
    """HTML of a table, which scrolls by itself where it is too wide."""
    text = "".join(f"<th>{html.escape(str(cell))}</th>" for cell in header)
    lines = [f'<div class="wide"><table><tr>{text}</tr>']
    for cells in rows:
        text = "".join(f"<td>{html.escape(str(cell))}</td>" for cell in cells)
        lines.append(f"<tr>{text}</tr>")
    return "\n".join([*lines, "</table></div>"])


def claim(report, found):
    """What a figure shows, as an item of a list."""
    text = html.escape
    name, two = found["name"], report["figures_2_cpus"]
    verdict, mark = ("holds", "holds") if found["holds"] else ("does not hold", "not")
    lines = [f"<p><b>{verdict}</b>: {text(found['claim'])}</p>",
             f'<p class="figure">{text(found["figure"])}.</p>',
             f"<p>Why: {text(found['why'])}.</p>"]
    small = f"<code>{name}</code>"
    if name in two:
        small += text(f"; guest with two CPUs: {bench_conclusions.ranged(two[name])}")
    if "base" in report:
        small += text("; base: " + bench_conclusions.ranged(report["base"]["figures"][name]))
        if name in report["base"]["ratios"]:
            small += text("; figure / base: " +
                          bench_conclusions.ranged(report["base"]["ratios"][name]))
    return f'<li class="{mark}">{"".join(lines)}<p class="small">{small}</p></li>'


def claims(report):
    """What does not hold first."""
    every = sorted(report["conclusions"], key=lambda found: found["holds"])
    return "\n".join(['<ul class="claims">', *(claim(report, found) for found in every),
                      "</ul>"])


def limits_table(report):
    """What the host can do, beside what two channels make of it."""
    figures, rows = report["figures"], []
    for name in figures:
        if name.startswith("host_two_threads_vs_one_"):
            size = name.rpartition("_")[2]
            two = figures[f"two_channels_vs_one_{size}"]
            rows.append([size.replace("MiB", " MiB"),
                         *(bench_conclusions.spread(figure)
                           for figure in (figures[name], two))])
    return table(["size", "two threads / one", "two channels / one"], rows)


def threads_table(report):
    rows = []
    for row in report["threads"]:
        what = f"{bench_conclusions.number(row['channels'], 'channel')}, " \
               f"{row['size'] // MIB} MiB" + (", counting" if row["spin"] else "")
        rows.append([what, *(f"{row[kind]['run']:.2f} + {row[kind]['wait']:.2f}"
                             for kind in ("engine", "vcpu", "messenger")),
                     f"{row['others'] + row['stolen']:.2f}"])
    return table(["load", "engines", "guest", "interrupts", "others"], rows)


def costs_table(rows):
    keys = list(rows[0])
    return table(keys, [[row[key] for key in keys] for row in rows])


def facts_list(report):
    facts = {"commit": report["commit"]}
    if "base" in report:
        facts["base"] = report["base"]["commit"]
    facts |= {"host": f"{bench_conclusions.number(report['host_cpus'], 'CPU')}, "
                      f"{report['host_cpu_model']}, Linux {report['host']}",
              "QEMU": f"{report['qemu']}, {report['accelerator'].upper()}",
              "guest": f"Linux {report['kernel']}"}
    return '<dl class="facts">' + "".join(
        f"<dt>{name}</dt><dd>{html.escape(fact)}</dd>" for name, fact in facts.items()) + "</dl>"


def page(report):
    """The report as HTML."""
    figures = "\n".join(f"<figure>{svg}</figure>" for svg in plots(report))
    latency = [[f"{name}, {cpus} CPU{'s' if cpus > 1 else ''}",
                *(f"{value:.1f}" for value in values)]
               for cpus in (1, 2)
               for name, values in latency_rows(
                   [run for run in report["raw"] if run["cpus"] == cpus])]
    limits = "".join(f"<p>{html.escape(limit)}</p>" for limit in report["limits"])
    warnings = "".join(f'<p class="warning">{html.escape(warning)}</p>'
                       for warning in bench_conclusions.warnings(report))
    costs = "<h2>Instructions of the guest for each copy</h2>" + \
        costs_table(report["instructions"])
    if "base" in report:
        costs += "<h2>The same, base</h2>" + costs_table(report["base"]["instructions"])
    costs += "<h2>CPU time of the guest for each copy, nanoseconds</h2>" + \
        costs_table(report["cost_ns"])
    return f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>loopdma: performance</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>{STYLE}</style></head><body>
<h1>loopdma: performance</h1>
{facts_list(report)}
{warnings}
<h2>What holds: {html.escape(bench_conclusions.headline(report))}</h2>
<p class="small">Each figure is the median of its runs, with the lowest and the highest
[min..max], in guests with one CPU unless it says otherwise.  Documentation/performance.rst
says what it means.</p>
{claims(report)}
{limits}
<h2>What the host can do</h2>
<p>The host's own memcpy by two threads, on CPUs and with buffers of their own, against
one: two engines cannot make more of it.</p>
{limits_table(report)}
<h2>Who has the host's CPUs</h2>
<p>While copies go on in a guest with one CPU: CPUs that threads of QEMU run on + wait for,
medians of the runs; and those that other programs have, or the machine is refused.
"Counting": the guest's CPU has work of its own.</p>
{threads_table(report)}
<h2>Plots</h2>
<p>Points are medians, bars reach from the lowest to the highest run.</p>
{figures}
<h2>Time of one copy, microseconds</h2>
{table(["which", "p50", "p99", "p99.9"], latency)}
{costs}
</body></html>
"""
