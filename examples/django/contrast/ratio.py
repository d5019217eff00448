"""The contrast of two colours, as WCAG 2.2 defines it."""

import re

COLOUR = re.compile(r"#?([0-9a-fA-F]{6})")


def parse_colour(text):
    """Return red, green and blue (0..255) of `#rrggbb`; raise ValueError."""
    match = COLOUR.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a colour such as #1a2b3c")
    return tuple(bytes.fromhex(match[1]))


def contrast_ratio(first, second):
    """Return the ratio, from 1 (the same) to 21 (black on white)."""
    dark, light = sorted((_luminance(first), _luminance(second)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour):
    red, green, blue = (_linear(part / 255) for part in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part):
    return part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
