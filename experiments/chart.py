"""Charts as SVG, without any library: panels with axes, bars and curves, and a legend."""

import html
import math

COLOURS = ["#1f5fa8", "#d97a1e", "#5b9a3c", "#a8384a", "#7a5aa8", "#6b6b6b"]
WIDTH, HEIGHT = 440, 300                              # of a panel
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 34, 44             # margins in it


def nice_step(largest):
    """1, 2 or 5 times a power of ten: at most six ticks."""
    raw = max(largest, 1e-9) / 5
    power = 10 ** math.floor(math.log10(raw))
    return power * next(factor for factor in (1, 2, 5, 10) if factor * power >= raw)


class Panel:
    """One set of axes at a place of the picture; y goes from smallest to largest."""

    def __init__(self, column, row, title, y_label, largest, smallest=0.0):
        self.x0, self.y0 = column * WIDTH, row * HEIGHT
        self.step = nice_step(largest - smallest)
        self.smallest = self.step * math.floor(smallest / self.step + 1e-9)
        self.largest = self.step * math.ceil(largest / self.step - 1e-9)
        self.parts = [text(self.x0 + LEFT, self.y0 + 18, title, weight="bold")]
        self.frame(y_label)

    def x(self, share):
        return self.x0 + LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value):
        share = (value - self.smallest) / (self.largest - self.smallest)
        return self.y0 + HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def frame(self, y_label):
        for i in range(round((self.largest - self.smallest) / self.step) + 1):
            value = self.smallest + i * self.step
            self.line(0, value, 1, value, "#dddddd" if i else "#444444")
            self.parts.append(text(self.x0 + LEFT - 6, self.y(value) + 4, f"{value:g}", "end"))
        self.parts.append(text(self.x0 + LEFT, self.y0 + TOP - 3, y_label, size=10))

    def line(self, share0, value0, share1, value1, colour, width=1):
        self.parts.append(f'<line x1="{self.x(share0):.1f}" y1="{self.y(value0):.1f}" '
                          f'x2="{self.x(share1):.1f}" y2="{self.y(value1):.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"/>')

    def bar(self, share0, share1, value, colour):
        self.parts.append(f'<rect x="{self.x(share0):.1f}" y="{self.y(value):.1f}" '
                          f'width="{self.x(share1) - self.x(share0):.1f}" '
                          f'height="{self.y(self.smallest) - self.y(value):.1f}" fill="{colour}"/>')

    def curve(self, points, colour):
        for (share0, value0), (share1, value1) in zip(points, points[1:]):
            self.line(share0, value0, share1, value1, colour, 2)
        for share, value in points:
            self.parts.append(f'<circle cx="{self.x(share):.1f}" cy="{self.y(value):.1f}" '
                              f'r="3" fill="{colour}"/>')

    def dot(self, share, value, colour):
        self.parts.append(f'<circle cx="{self.x(share):.1f}" cy="{self.y(value):.1f}" r="4" '
                          f'fill="none" stroke="{colour}"/>')

    def below(self, share, label, line=1):
        below = self.y(self.smallest) + 2 + 14 * line
        self.parts.append(text(self.x(share), below, label, "middle"))


def text(x, y, words, anchor="start", size=11, weight="normal"):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'font-weight="{weight}">{html.escape(str(words))}</text>')


def legend(labels, y):
    parts, x = [], LEFT
    for label, colour in labels:
        parts.append(f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/>')
        parts.append(text(x + 15, y, label))
        x += 30 + 7 * len(label)
    return parts


def picture(panels, labels, columns):
    rows = math.ceil(len(panels) / columns)
    width, height = columns * WIDTH, rows * HEIGHT + 26
    parts = [part for panel in panels for part in panel.parts]
    parts += legend(labels, rows * HEIGHT + 12)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            f'viewBox="0 0 {width} {height}" font-family="sans-serif">\n'
            f'<rect width="{width}" height="{height}" fill="white"/>\n'
            + "\n".join(parts) + "\n</svg>\n")
