"""Draw docs/images/floors.png from the imports of today; a test holds the two together.

    .venv/bin/python docs/floors.py

Floors and their order are those of the contracts in `pyproject.toml`; what is counted are pairs of
modules of which one imports the other. An import that goes upwards, or a module that stands on no
floor, ends it with exit code 1. The picture carries what it was drawn from as text.
Where two branches have each drawn it, take either and draw it again.
"""

import io
import json
import sys
import textwrap
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import grimp

ROOT = Path(__file__).parents[1]
PICTURE = Path(__file__).parent / "images" / "floors.png"
HOUSE = "the house"
OUTSIDE = ("mlops_assets", "mlops_assets.defs")
"""What stands on no floor: the package itself, which settles the process, and the models' own."""
_KEY = "Floors"
_INK = "#334155"
_LEGEND = """\
A row imports from the columns in which it has a number: so many pairs of modules.
Grey: the floor's own modules. Below the grey there is nothing, since imports go down only."""
_WIDTH = 12.5
_HOUSE = (2.85, 1.15, 0.355, 0.29, 9.0)
_ROOMS = ((2.3, 0.255, 0.36, 7.5), (5.3, 0.255, 0.36, 7.5), (9.4, 0.255, 0.36, 7.5))
"""Of each building in inches: left, of the house top, a cell's width and height; and the points of
its texts. What stands below the house begins where that ends, however many floors it has."""


@dataclass(frozen=True)
class Building:
    """Floors from the top to the bottom, and how often each imports from one below it."""

    name: str
    floors: tuple[tuple[str, ...], ...]
    """Rooms side by side on each; they do not know each other."""
    modules: tuple[int, ...]
    """How many stand on each floor."""
    imports: dict[str, int]
    """`FROM-TO`, floors counted from 0 at the top, to the number of pairs of modules."""


class UpwardsError(Exception):
    """An import goes upwards or beside, or a module stands on no floor."""


def main() -> None:
    """Draw the picture, or say what goes upwards and end with 1."""
    try:
        buildings = today()
    except UpwardsError as err:
        sys.exit(str(err))
    draw(buildings)


def today() -> list[Building]:
    """The house and the buildings inside it that have an order of their own, as imported today.

    Raises:
        UpwardsError: Some import does not go down.
    """
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    linter = settings["tool"]["importlinter"]
    graph = grimp.build_graph(*linter["root_packages"], cache_dir=None)
    edges = [(a, b) for a in graph.modules for b in graph.find_modules_directly_imported_by(a)]
    contracts = [one for one in linter["contracts"] if one["type"] == "layers"]
    return [building(one, sorted(graph.modules), edges) for one in contracts]


def building(
    contract: Mapping[str, Any], modules: Iterable[str], edges: Iterable[tuple[str, str]]
) -> Building:
    """What one contract of import-linter orders, with the imports that are there.

    Args:
        contract: With `layers`, and for an inner building one of `containers`.
        modules: All of them.
        edges: Importer and imported.

    Raises:
        UpwardsError: Some import does not go down, or a module stands on no floor.
    """
    container = contract.get("containers", [""])[0]
    floors = tuple(tuple(layer.split(" | ")) for layer in contract["layers"])
    prefix = f"{container}." if container else ""
    places = {prefix + room: (floor, room) for floor, side in enumerate(floors) for room in side}
    found = {module: _place(module, places) for module in modules}
    inside = {one for one in found if one.startswith(prefix)} - {container, *_outside(modules)}
    if lost := sorted(one for one in inside if found[one] is None):
        raise UpwardsError(f"on no floor of {contract['name']!r} in pyproject.toml: {lost}")
    stands = {module: place for module, place in found.items() if module in inside and place}
    return Building(
        name=container or HOUSE,
        floors=floors,
        modules=tuple(
            sum(place[0] == floor for place in stands.values()) for floor in range(len(floors))
        ),
        imports=_counted(stands, edges),
    )


def _outside(modules: Iterable[str]) -> set[str]:
    package, models = OUTSIDE
    return {one for one in modules if one == package or f"{one}.".startswith(f"{models}.")}


def _place(module: str, places: Mapping[str, tuple[int, str]]) -> tuple[int, str] | None:
    """The floor and room of a module, by the longest of its parents that has one."""
    parts = module.split(".")
    parents = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((places[parent] for parent in parents if parent in places), None)


def _counted(
    stands: Mapping[str, tuple[int, str]], edges: Iterable[tuple[str, str]]
) -> dict[str, int]:
    """Imports between floors, by their numbers."""
    counts: Counter[tuple[int, int]] = Counter()
    for importer, imported in edges:
        above, below = stands.get(importer), stands.get(imported)
        if above is None or below is None or above == below:
            continue
        if above[0] >= below[0]:
            raise UpwardsError(f"{importer} imports {imported}, which is not below it")
        counts[above[0], below[0]] += 1
    return {f"{above}-{below}": count for (above, below), count in sorted(counts.items())}


def drawn() -> list[Building]:
    """What the picture shows, as it says itself."""
    from PIL import Image

    with Image.open(PICTURE) as picture:
        parts = json.loads(picture.info[_KEY])
    for part in parts:
        part["floors"] = tuple(tuple(side) for side in part["floors"])
        part["modules"] = tuple(part["modules"])
    return [Building(**part) for part in parts]


def draw(buildings: list[Building]) -> None:
    """Write the picture: the house above, below it those of its floors that have an order."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    house, *rooms = buildings
    below = _HOUSE[1] + len(house.floors) * _HOUSE[3] + 0.85
    places = [_HOUSE, *((left, below, *rest) for left, *rest in _ROOMS)]
    tall = below + max(len(one.floors) for one in rooms) * _ROOMS[0][2] + 0.3
    figure = Figure(figsize=(_WIDTH, tall), dpi=140, facecolor="white")
    FigureCanvasAgg(figure)
    for one, (left, top, cell_width, cell_height, size) in zip(buildings, places, strict=True):
        count = len(one.floors)
        width, height = count * cell_width, count * cell_height
        box = (left / _WIDTH, 1 - (top + height) / tall, width / _WIDTH, height / tall)
        _table(figure.add_axes(box), one, size)
    figure.text(0.01, 0.988, _LEGEND, fontsize=10, color=_INK, va="top", linespacing=1.5)
    _save(figure, json.dumps([asdict(one) for one in buildings]))


def _save(figure: Any, text: str) -> None:
    """Write it in 64 colors, a third of the bytes, together with what it was drawn from."""
    from PIL import Image, PngImagePlugin

    drawing = io.BytesIO()
    figure.savefig(drawing)
    carried = PngImagePlugin.PngInfo()
    carried.add_text(_KEY, text)
    with Image.open(drawing) as picture:
        small = picture.convert("RGB").quantize(64)
    small.save(PICTURE, pnginfo=carried, optimize=True)


def _table(axes: Any, one: Building, size: float) -> None:
    """A row for each floor, a column for each floor below it."""
    count = len(one.floors)
    axes.set(xlim=(0, count), ylim=(count, 0))
    axes.set_axis_off()
    most = max(one.imports.values())
    for row in range(count):
        style: dict[str, Any] = {"va": "center", "fontsize": size, "color": _INK}
        axes.text(-0.15, row + 0.5, row + 1, ha="right", **style)
        axes.text(-0.85, row + 0.5, _label(one.floors[row]), ha="right", **style)
        axes.text(row + 0.5, -0.35, row + 1, ha="center", **style)
        _cell(axes, row, row, one.modules[row], size, "#cbd5e1")
        for column in range(row + 1, count):
            pairs = one.imports.get(f"{row}-{column}", 0)
            strength = 0.12 + 0.55 * (pairs / most) ** 0.5 if pairs else 0.0
            _cell(axes, row, column, pairs, size, (0.145, 0.388, 0.922, strength))
    name = _short(one.name)
    axes.text(-0.85, -0.35, name, ha="right", va="center", fontsize=size + 2, weight="bold")


def _cell(axes: Any, row: int, column: int, number: int, size: float, color: Any) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(
        Rectangle((column, row), 1, 1, facecolor=color, edgecolor="#e2e8f0", clip_on=False)
    )
    if number:
        axes.text(
            column + 0.5, row + 0.52, number, ha="center", va="center", fontsize=size, color=_INK
        )


def _label(side: Iterable[str]) -> str:
    """The rooms of one floor, in as many lines as they need."""
    rooms = " · ".join(_short(room) for room in side)
    return "\n".join(textwrap.wrap(rooms, 39, break_on_hyphens=False))


def _short(name: str) -> str:
    return name.removeprefix("mlops_assets.")


if __name__ == "__main__":
    main()
