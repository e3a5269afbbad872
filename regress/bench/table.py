"""Figures as people read them, and tables of them as text or Markdown."""


def number(value):
    """Three digits of it, with k and M."""
    if value is None:
        return "-"
    for size, unit in ((1e6, " M"), (1e3, " k")):
        if abs(value) >= size:
            value /= size
            return ("%.0f" if value >= 100 else "%.1f") % value + unit
    return ("%.0f" if abs(value) >= 10 else "%.2f") % value


def ratio(value):
    return "-" if value is None else "%.2f" % value


def text(head, rows):
    """Columns under their heads, the first to the left, the others right."""
    table = [head, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]),
                   *(cell.rjust(width) for cell, width
                     in zip(row[1:], widths[1:]))])
        for row in table)


def markdown(head, rows):
    return "\n".join("| " + " | ".join(row) + " |" for row in (
        head, ["---"] + ["---:"] * (len(head) - 1), *rows))
