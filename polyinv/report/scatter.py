"""Scatter plot as SVG whose points say what they are: under the mouse, by the keyboard, or at a touch."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup
from matplotlib.colors import LinearSegmentedColormap, to_hex
from matplotlib.ticker import MaxNLocator

from polyinv.report.figures import BLUE, ORANGE

WIDTH, HEIGHT = 720, 430
LEFT, RIGHT, TOP, BOTTOM = 78, 24, 16, 56
KEY = 90
"""Width beside the plot that a third value takes, whose colours are explained there."""
RADIUS, MARGIN = 6, 0.05
COLOURS = LinearSegmentedColormap.from_list("third", [BLUE, ORANGE])
SVG = Markup  # what is formatted into it is escaped


@dataclass(frozen=True)
class Axis:
    """Values of N points along an axis, or by their colour.

    Args:
        label: Name and unit.
        values: (N,).
    """

    label: str
    values: np.ndarray

    @property
    def ends(self) -> tuple[float, float]:
        """Where the axis ends: a little beyond its values."""
        low, high = float(self.values.min()), float(self.values.max())
        width = (high - low) or abs(high) or 1.0
        return low - MARGIN * width, high + MARGIN * width

    @property
    def ticks(self) -> list[float]:
        """Round numbers between its ends."""
        low, high = self.ends
        return [float(tick) for tick in MaxNLocator(6).tick_values(low, high) if low <= tick <= high]

    @property
    def shares(self) -> np.ndarray:
        """Where each value lies between its ends, 0 to 1, (N,)."""
        low, high = self.ends
        return (self.values - low) / (high - low)


def scatter(x: Axis, y: Axis, said: Sequence[str], colour: Axis | None = None) -> Markup:
    """Draw N points, each of which shows a text.

    Args:
        x, y: Where they lie.
        said: What each is, (N,); several lines, if need be.
        colour: A third value of each.
    """
    right = WIDTH - RIGHT - (KEY if colour is not None else 0)
    across = LEFT + x.shares * (right - LEFT)
    up = HEIGHT - BOTTOM - y.shares * (HEIGHT - BOTTOM - TOP)
    fills = [ORANGE] * len(said) if colour is None else [to_hex(COLOURS(share)) for share in colour.shares]
    parts = [*_axes(x, y, right), *([] if colour is None else _key(colour, right))]
    if colour is None:
        order = across.argsort()
        line = " ".join(f"{across[at]:.1f},{up[at]:.1f}" for at in order)
        parts.append(SVG('<polyline points="{}" class="line"/>').format(line))
    for place, height, fill, text in zip(across, up, fills, said, strict=True):
        point = '<circle cx="{:.1f}" cy="{:.1f}" r="{}" fill="{}" tabindex="0" role="img" aria-label="{}">'
        point += "<title>{}</title></circle>"
        parts.append(SVG(point).format(place, height, RADIUS, fill, text.replace("\n", "; "), text))
    inside = SVG("\n").join(parts)
    return SVG('<svg class="points" viewBox="0 0 {} {}" role="group" aria-label="{}">\n{}\n</svg>').format(
        WIDTH, HEIGHT, f"{y.label} against {x.label}", inside
    )


def _axes(x: Axis, y: Axis, right: int) -> list[Markup]:
    bottom = HEIGHT - BOTTOM
    parts = [SVG('<path d="M{} {}V{}H{}" class="axis"/>').format(LEFT, TOP, bottom, right)]
    (low, high), (least, most) = x.ends, y.ends
    for tick in x.ticks:
        at = LEFT + (tick - low) / (high - low) * (right - LEFT)
        parts.append(SVG('<path d="M{:.1f} {}v5" class="axis"/>').format(at, bottom))
        parts.append(SVG('<text x="{:.1f}" y="{}" text-anchor="middle">{:g}</text>').format(at, bottom + 20, tick))
    for tick in y.ticks:
        at = bottom - (tick - least) / (most - least) * (bottom - TOP)
        parts.append(SVG('<path d="M{} {:.1f}h-5" class="axis"/>').format(LEFT, at))
        parts.append(SVG('<text x="{}" y="{:.1f}" text-anchor="end">{:g}</text>').format(LEFT - 9, at + 4, tick))
    middle = (TOP + bottom) / 2
    parts.append(
        SVG('<text x="{:.0f}" y="{}" text-anchor="middle">{}</text>').format((LEFT + right) / 2, HEIGHT - 10, x.label)
    )
    turned = '<text x="18" y="{0:.0f}" text-anchor="middle" transform="rotate(-90 18 {0:.0f})">{1}</text>'
    return [*parts, SVG(turned).format(middle, y.label)]


def _key(colour: Axis, right: int) -> list[Markup]:
    """Bar of colours with its values."""
    left, height = right + 34, (HEIGHT - TOP - BOTTOM) / 2
    stops = SVG("").join(
        SVG('<stop offset="{:.2f}" stop-color="{}"/>').format(1 - share, to_hex(COLOURS(share)))
        for share in (1.0, 0.75, 0.5, 0.25, 0.0)
    )
    parts = [
        SVG('<defs><linearGradient id="third" x2="0" y2="1">{}</linearGradient></defs>').format(stops),
        SVG('<rect x="{}" y="{}" width="14" height="{:.0f}" fill="url(#third)"/>').format(left, TOP + 20, height),
        SVG('<text x="{}" y="{}" text-anchor="end">{}</text>').format(WIDTH - 4, TOP + 4, colour.label),
    ]
    low, high = colour.ends
    for tick in colour.ticks:
        at = TOP + 20 + height * (1 - (tick - low) / (high - low))
        parts.append(SVG('<text x="{}" y="{:.1f}">{:g}</text>').format(left + 20, at + 4, tick))
    return parts
