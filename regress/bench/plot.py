"""A line plot as SVG, by hand: x on a logarithmic scale, y from 0."""
import html
import math

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
LABEL = 28          # room that a number below the axis wants
COLOURS = ("#0072b2", "#555555", "#d55e00", "#009e73", "#cc79a7", "#e69f00")


def nice(most):
    """A step that gives some five lines below MOST."""
    unit = 10 ** math.floor(math.log10(most / 5))
    return next(unit * n for n in (1, 2, 5, 10) if unit * n >= most / 5)


def short(value):
    if value >= 1e6:
        return "%g M" % (value / 1e6)
    return "%g k" % (value / 1e3) if value >= 1e3 else "%g" % value


def text(x, y, words, more=""):
    return '<text x="%.1f" y="%.1f" %s>%s</text>' % (
        x, y, more, html.escape(words))


def line(x1, y1, x2, y2, colour):
    return '<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="%s"/>' % (
        x1, y1, x2, y2, colour)


def svg(title, x_title, y_title, lines):
    """LINES is {name: [(x, y), ...]}."""
    points = [p for series in lines.values() for p in series]
    low = math.log(min(x for x, _ in points))
    high = max(math.log(max(x for x, _ in points)), low + 1e-9)
    step = nice(max(y for _, y in points))
    top = step * math.ceil(max(y for _, y in points) / step)

    def at(x, y):
        return (LEFT + (math.log(x) - low) / (high - low) *
                (WIDTH - LEFT - RIGHT),
                HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM))

    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
           'font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT),
           '<rect width="100%" height="100%" fill="white"/>',
           text(LEFT, 20, title, 'font-weight="bold"'),
           text((WIDTH - RIGHT + LEFT) / 2, HEIGHT - 10, x_title,
                'text-anchor="middle"'),
           text(0, 0, y_title, 'text-anchor="middle" transform="translate('
                '16 %d) rotate(-90)"' % (HEIGHT / 2))]
    for n in range(round(top / step) + 1):
        y = at(points[0][0], n * step)[1]
        out += [line(LEFT, y, WIDTH - RIGHT, y, "#dddddd"),
                text(LEFT - 6, y + 4, short(n * step), 'text-anchor="end"')]
    last = None
    for x in sorted({x for x, _ in points}, reverse=True):
        px = at(x, 0)[0]
        out.append(line(px, HEIGHT - BOTTOM, px, HEIGHT - BOTTOM + 5, "black"))
        if last is not None and last - px < LABEL:
            continue
        last = px
        out += [text(px, HEIGHT - BOTTOM + 18, short(x),
                     'text-anchor="middle" font-size="10"')]
    for (name, series), colour in zip(lines.items(), COLOURS * 3):
        path = " ".join("%.1f,%.1f" % at(x, y) for x, y in series)
        out.append('<polyline points="%s" fill="none" stroke="%s" '
                   'stroke-width="2"/>' % (path, colour))
    return "\n".join([*out, *legend(lines), "</svg>", ""])


def legend(lines):
    for n, (name, colour) in enumerate(zip(lines, COLOURS * 3)):
        y = TOP + 10 + 18 * n
        yield line(WIDTH - RIGHT + 15, y - 4, WIDTH - RIGHT + 35, y - 4, colour)
        yield text(WIDTH - RIGHT + 40, y, name)
