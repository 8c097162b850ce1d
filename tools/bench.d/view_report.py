"""Tables 2, 3 and 4 of the DRISO paper with our own numbers, as text, and table 3 as an SVG plot."""

import math
from xml.sax.saxutils import escape

from report import format_value

COLOURS = ["#1b6ca8", "#c0392b", "#8e44ad", "#1e8449", "#b9770e", "#555555"]


def aligned(rows):
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows]


def mib(kib):
    return "-" if kib is None else f"{kib / 1024:.0f} MiB"


def table_2(views, totals, limit_bytes):
    """Does it show the container's memory, to a program as it is, without set-up for each container?"""
    rows = [["", "/proc/meminfo", "sysinfo(2)", "free(1) as it is", "set up on the host", "set up for each container"]]

    def verdict(kib):
        if kib is None:
            return "-"
        return f"{'yes' if kib * 1024 == limit_bytes else 'no'} ({mib(kib)})"

    for view in views:
        seen = totals.get(view.name)
        if seen is None:
            continue
        if view.is_api:
            rows.append([view.name, "no: a request of its own" + f" ({mib(seen['api'])})", "no", "no", view.once, view.each])
        else:
            rows.append([view.name, verdict(seen["meminfo"]), verdict(seen["sysinfo"]), verdict(seen.get("free")), view.once, view.each])
    return aligned(rows)


def table_3(views, counts, cell):
    """cell(view, count) -> (nanoseconds, is_measured) or None."""
    rows = [["requests", *[view.name for view in views]]]
    for count in counts:
        row = [f"{count:,}"]
        for view in views:
            found = cell(view.name, count)
            row.append("-" if found is None else ("" if found[1] else "~") + f"{found[0] / 1e9:.3f} s")
        rows.append(row)
    return aligned(rows)


def table_4(views, commands, results, totals):
    """Each command before (native) and after, in each view: its time, and the memory it then tells of."""
    shown = [view for view in views if not view.is_api and any(results.median(view.name, name) is not None for name in commands)]
    rows = [["", *[f"{'before: ' if view.name == 'native' else ''}{view.name}" for view in shown]]]
    for name in commands:
        row = [name]
        for view in shown:
            value = results.median(view.name, name)
            before = results.median("native", name)
            text = "-" if value is None else format_value(name, value)
            if value and before and view.name != "native":
                text += f" {value / before:.2f}x"
            told = totals.get(view.name, {}).get(name)
            row.append(text + (f", tells {mib(told)}" if told is not None else ""))
        rows.append(row)
    return aligned(rows)


def decade_text(seconds):
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def plot_svg(views, counts, cell, title):
    """Time against the number of requests, both logarithmic; open circles are extrapolated."""
    lines = [(view.name, [(count, *found) for count in counts if (found := cell(view.name, count)) is not None]) for view in views]
    lines = [(name, points) for name, points in lines if points]
    values = [value / 1e9 for _, points in lines for _, value, _ in points] or [1]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    high = max(high, low + 1)
    left, top, width, height = 80, 50, 520, 360
    first, last = math.log10(counts[0]), math.log10(counts[-1])

    def x_of(count):
        return left + width * ((math.log10(count) - first) / (last - first) if last > first else 0.5)

    def y_of(seconds):
        return top + height * (1 - (math.log10(seconds) - low) / (high - low))

    parts = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 780 470" font-family="sans-serif" font-size="13">',
             '<rect width="780" height="470" fill="white"/>', f'<text x="{left}" y="28" font-size="16">{escape(title)}</text>']
    for decade in range(low, high + 1):
        y = y_of(10.0 ** decade)
        parts.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}" stroke="#ddd"/>')
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{decade_text(10.0 ** decade)}</text>')
    for count in counts:
        parts.append(f'<text x="{x_of(count):.1f}" y="{top + height + 22}" text-anchor="middle">{count:,}</text>')
    parts.append(f'<text x="{left + width / 2}" y="{top + height + 44}" text-anchor="middle">requests for the container\'s memory</text>')
    label_ys = []
    for (name, points), colour in zip(lines, COLOURS):
        path = " ".join(f"{x_of(count):.1f},{y_of(value / 1e9):.1f}" for count, value, _ in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        for count, value, is_measured in points:
            parts.append(f'<circle cx="{x_of(count):.1f}" cy="{y_of(value / 1e9):.1f}" r="4" stroke="{colour}" '
                         f'fill="{colour if is_measured else "white"}"/>')
        y = y_of(points[-1][1] / 1e9)
        while any(abs(y - other) < 15 for other in label_ys):
            y += 15 if y < top + height / 2 else -15
        label_ys.append(y)
        each = format_value("", points[0][1] / points[0][0])
        parts.append(f'<text x="{x_of(points[-1][0]) + 10:.1f}" y="{y + 4:.1f}" fill="{colour}">{escape(name)}, {each}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"
