"""The picture of the house shows the floors of today, and an import upwards is noticed."""

import pytest

from docs.floors import PICTURE, Building, UpwardsError, building, drawn, today

HOUSE = {"name": "a house", "layers": ["roof | loft", "cellar"]}


def test_the_picture_shows_the_floors_and_about_the_imports_of_today() -> None:
    again = "run `python docs/floors.py`"
    shown, stands = drawn(), today()
    assert [one.floors for one in shown] == [one.floors for one in stands], again
    for old, new in zip(shown, stands, strict=True):
        # Exact numbers would ask for a new picture with every import.
        assert sum(old.imports.values()) == pytest.approx(sum(new.imports.values()), rel=0.2), again
        assert old.modules == pytest.approx(new.modules, rel=0.3, abs=3), again


def test_the_picture_is_small_enough_for_a_page() -> None:
    assert PICTURE.stat().st_size < 150_000


def test_imports_are_counted_by_floors() -> None:
    modules = ["roof", "roof.tiles", "loft", "cellar", "cellar.wine"]
    edges = [("roof", "roof.tiles"), ("roof.tiles", "cellar"), ("loft", "cellar.wine")]
    assert building(HOUSE, modules, edges) == Building(
        name="the house", floors=(("roof", "loft"), ("cellar",)), modules=(3, 2), imports={"0-1": 2}
    )


@pytest.mark.parametrize("importer", ["cellar", "loft"])
def test_an_import_upwards_or_beside_is_refused(importer: str) -> None:
    edges = [(importer, "roof")]
    with pytest.raises(UpwardsError, match=f"{importer} imports roof, which is not below it"):
        building(HOUSE, ["roof", "loft", "cellar"], edges)


def test_a_module_on_no_floor_is_refused() -> None:
    with pytest.raises(UpwardsError, match=r"on no floor of 'a house' .*\['shed.tools'\]"):
        building(HOUSE, ["roof", "shed.tools"], [])


def test_the_rooms_inside_a_floor_are_counted_alone() -> None:
    inner = {"name": "rooms", "containers": ["roof"], "layers": ["attic", "beams"]}
    modules = ["roof", "roof.attic", "roof.beams", "cellar"]
    edges = [("roof.attic", "roof.beams"), ("roof.beams", "cellar")]
    found = building(inner, modules, edges)
    assert (found.modules, found.imports) == ((1, 1), {"0-1": 1})
