"""Bar charts as SVG: a panel a measure, a group of bars a case, all relative to ours."""

from xml.sax.saxutils import escape

COLOURS = ["#2f6fb3", "#8a8f98", "#b9bec6", "#d98f4e", "#7aa874", "#a678b4"]
BAR, GAP, LEFT, WIDTH = 11, 10, 250, 430
MUCH, LITTLE = "longer is better", "shorter is better"
LONGEST = 5.0  # of ours; longer bars are cut, their figure stands beside them


def panel(found, key, title, top):
    names = found["names"]
    out = [f'<text x="10" y="{top + 14}" font-weight="bold">{escape(title)}</text>']
    y = top + 28
    for case in found["cases"]:
        if key not in case["ratios"]:
            continue
        measured = [name for name in names if case["ratios"][key][name]]
        middle = y + BAR * len(measured) / 2 + 4
        out.append(f'<text x="{LEFT - 8}" y="{middle}" text-anchor="end">{escape(case["case"])}</text>')
        for name in measured:
            ratio = 1 / case["ratios"][key][name]
            width = min(ratio, LONGEST) / LONGEST * WIDTH
            out.append(f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 1}" fill="{COLOURS[names.index(name)]}"/>')
            out.append(f'<text x="{LEFT + width + 4:.1f}" y="{y + BAR - 2}" font-size="9">{ratio:.2f}</text>')
            y += BAR
        y += GAP
    return out, y + 8


def draw(found):
    body, y = [], 34
    for i, name in enumerate(found["names"]):
        x = 10 + 110 * i
        body.append(f'<rect x="{x}" y="10" width="11" height="11" fill="{COLOURS[i]}"/>'
                    f'<text x="{x + 16}" y="20">{escape(name)}</text>')
    for key, title in (("rate", f"How much, ours = 1 ({found['rate_is_good']})"),
                       ("cpu_us", f"CPU time for it, ours = 1 ({LITTLE})")):
        lines, y = panel(found, key, title, y)
        body += lines if len(lines) > 1 else []
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 60}" height="{y}" '
            'font-family="sans-serif" font-size="11">\n<rect width="100%" height="100%" fill="#fff"/>\n'
            + "\n".join(body) + "\n</svg>\n")
