"""Frames as the caller wants them: pandas, polars or Arrow."""

from typing import Any, Literal

from mlops_assets.errors import ConfigError

FrameKind = Literal["pandas", "polars", "arrow"]
_KINDS = ("pandas", "polars", "arrow")


def require_kind(to: str) -> None:
    """Refuse a kind of frame that we do not know, or that is not installed, before any work."""
    if to not in _KINDS:
        raise ConfigError(f"to={to!r} is none of {list(_KINDS)}; name one")
    if to == "polars":
        try:
            import polars  # noqa: F401
        except ModuleNotFoundError as err:
            raise ConfigError(
                "polars is not installed; `pip install polars`, or take to='arrow'"
            ) from err


def as_kind(frame: Any, to: FrameKind) -> Any:
    """A pandas frame or an Arrow table as `to` says."""
    import pyarrow as pa

    if to == "pandas":
        return frame.to_pandas() if isinstance(frame, pa.Table) else frame
    table = frame if isinstance(frame, pa.Table) else pa.Table.from_pandas(frame)
    if to == "arrow":
        return table
    import polars

    return polars.from_arrow(table)


def as_pandas(frame: Any) -> Any:
    """A frame of any of the kinds as pandas; `ConfigError` for what is none."""
    import pandas as pd

    if isinstance(frame, pd.DataFrame):
        return frame
    if not hasattr(frame, "to_pandas"):
        kind = type(frame).__name__
        raise ConfigError(f"a {kind} is no frame; give one of pandas, polars or Arrow")
    return frame.to_pandas()
