"""The pictures of the documentation, from the screenshots that the browser's stories leave behind.

    python -m pytest -m slow tests/functional/serving/test_console_stories.py
    python -m tests.pictures

Each is cut to what the text is about, drawn with few colours, and stays small enough for a repository.
"""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from tests.browsing import SCREENSHOTS

TARGET = Path(__file__).resolve().parents[1] / "docs" / "pictures"
LARGEST = 150_000
WIDTH, COLOURS = 1000, 256
CUT = {
    "recruiter-2-mapping": 900,
    "recruiter-3-ranked": 860,
    "recruiter-4-prospect": 1100,
    "manager-2-queue": 620,
    "manager-3-alert": 900,
    "manager-4-partner": 1250,
    "manager-7-tiers": 620,
    "engineer-1-lead": 1000,
    "engineer-2-replay": 800,
    "engineer-4-model": 1000,
    "admin-1-simulator": 900,
}


def draw(name: str, height: int) -> int:
    """Write one picture; returns its size in bytes."""
    with Image.open(SCREENSHOTS / f"{name}.png") as whole:
        part = whole.convert("RGB").crop((0, 0, whole.width, min(height, whole.height)))
    small = part.resize((WIDTH, round(part.height * WIDTH / part.width)), Image.Resampling.LANCZOS)
    path = TARGET / f"console-{name}.png"
    colours = COLOURS
    while True:
        small.quantize(colours, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
            path, optimize=True
        )
        size = path.stat().st_size
        if size <= LARGEST or colours <= 8:
            return size
        colours //= 2


def main() -> None:
    """Draw all of them."""
    for name, height in CUT.items():
        print(f"{draw(name, height):>8,} bytes  console-{name}.png")


if __name__ == "__main__":
    main()
