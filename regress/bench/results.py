"""results.py FILE.json [FOLDER]: RESULTS.md, with its plot, from what bench.py
wrote.  They go beside this file unless a folder is named."""
import json
import pathlib
import sys

import full
import part_growth
import plot
import quick
import rounds
import table


VARY = ("ws-gatewayd", "load before")       # from part to part


def machines(data):
    """The machine; one table for each, if there were several."""
    seen = []
    for measured in data["measured"].values():
        machine = {k: v for k, v in measured["machine"].items()
                   if k not in VARY}
        if machine not in seen:
            seen.append(machine)
    return "## The machine\n\n" + "\n\n".join(
        table.markdown(["", ""], [[k, str(v)] for k, v in m.items()])
        for m in seen) + "\n"


def footer(data, name):
    """What may differ from part to part."""
    m = data["measured"][name]
    return "Measured on %s with build `%s`; load average before: %.1f; %s.\n" \
        % (m["date"], m["machine"]["ws-gatewayd"],
           m["machine"]["load before"], rounds.disturbed(data[name]))


def quick_part(result):
    servers = "\n".join("- %s: %s." % item for item in
                        result["servers"].items())
    return """## Beside its peers

Work per second of the server's CPU time, all its processes counted; server and
load on one core each; plain TCP, payloads of 128 bytes unless said; medians of
%d interleaved rounds. The last columns are medians of the ratios within each
round: above 1 is better than that server, for memory below 1.

%s

%s

The same per second that the server's core was busy, so that work which only
moves to a kernel thread is seen (coarse: the kernel counts it in ticks):

%s
""" % (result["rounds"], servers, table.markdown(*quick.full_table(result)),
        table.markdown(*quick.core_table(result)))


def part(name, result):
    out = ["## " + full.PARTS[name].TITLE]
    for caption, head, rows in full.PARTS[name].tables(result):
        if caption:
            out.append(caption[0].upper() + caption[1:] + ":")
        out.append(table.markdown(head, rows))
    return "\n\n".join(out) + "\n"


def draw(result):
    lines = {}
    for name in result["servers"]:
        points = [(n, rounds.median(result["runs"][str(n)].get(name),
                                    part_growth.KEY))
                  for n in result["counts"]]
        points = [(n, y) for n, y in points if y is not None]
        if points:
            lines[name] = points
    return plot.svg(part_growth.TITLE, "clients",
                    "deliveries per CPU second", lines)


def main():
    data = json.loads(pathlib.Path(sys.argv[1]).read_text())
    folder = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else \
        pathlib.Path(__file__).resolve().parent
    out = ["# Results\n\nWritten by `results.py`; `README.md` beside says how "
           "they are measured.\n", machines(data)]
    if "quick" in data:
        out += [quick_part(data["quick"]), footer(data, "quick")]
    if "growth" in data:
        (folder / "growth.svg").write_text(draw(data["growth"]))
    for name in full.PARTS:
        if name in data:
            out.append(part(name, data[name]))
            if name == "growth":
                out.append("![%s](growth.svg)\n" % part_growth.TITLE)
            out.append(footer(data, name))
    (folder / "RESULTS.md").write_text("\n".join(out))


main()
