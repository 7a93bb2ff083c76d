"""The sizes are computed from the pages as they are, for which a table's figures are read back."""

from pathlib import Path

import pytest

from trials import sizing
from trials.report import filled


def test_a_tables_figures_are_its_medians(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizing, "DOCS", tmp_path)
    rows = "|  | ms | MB |\n| --- | ---: | ---: |\n| one | 1,012.5 (1 to 2) | – |"
    page = f"<!-- of: a -->\n\n{rows}\n\n<!-- end -->\n"
    (tmp_path / "page.md").write_text(page)
    assert sizing.measured("page.md", "of", "a") == {"one": {"ms": 1012.5}}
    with pytest.raises(ValueError, match="no table of: b"):
        sizing.measured("page.md", "of", "b")


def test_the_pages_have_what_the_sizes_are_computed_from() -> None:
    tables = sizing.tables(sizing.cost())
    assert filled(sizing.PAGE.read_text(), tables, "sizing")


def test_a_rate_takes_what_it_costs() -> None:
    assert sizing._processes(20)(30) == 1
    assert sizing._processes(20)(31) == 2
    assert sizing._power_of_two(2250) == 4096
    assert sizing._power_of_two(0.5) == 1
