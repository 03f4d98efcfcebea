"""A draft -> the text of its YAML, each decision as a comment beside its line."""

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from mlops_assets.errors import ConfigError
from mlops_assets.init.draft import Decision, Draft

_TYPE = "mlops_assets.components.ModelPipeline"
_ORDER = (
    *("name", "description", "source", "entity", "timestamp", "contract", "processing", "features"),
    *("target", "training", "evaluation", "monitoring", "deployment", "schedule"),
)
_WIDTH = 110
_WIDTH_WITH_COMMENT = 150
_LONGEST_COMMENT = 160


def yaml_text(draft: Draft, heading: list[str]) -> str:
    """The file, whole.

    Args:
        draft: Complete.
        heading: Lines of the comment on top.
    """
    notes = {decision.place: decision for decision in draft.decisions}
    known = {key: draft.attributes[key] for key in _ORDER if key in draft.attributes}
    heading = [*heading, *draft.remarks]
    lines = [*(f"# {line}" for line in heading), f"type: {_TYPE}", "attributes:"]
    lines += _block(known, "", notes, 1)
    if draft.left_out:
        lines += ["", "# Left out:", *_left_out(draft)]
    return "\n".join(lines) + "\n"


def refuse_templates(draft: Draft) -> None:
    """Refuse a name or value of the table that the product would fill in.

    Raises:
        ConfigError: One looks like a template.
    """
    found = re.search(r"\{[{%].{0,40}", json.dumps(draft.attributes, default=str))
    if found:
        raise ConfigError(f"{found[0]!r} in a name or value would be a template; rename it")


def _left_out(draft: Draft) -> Iterator[str]:
    for source, why in draft.left_out.items():
        yield f"# - {_clean(source) or repr(source)}: {_clean(why)}"


def _block(
    values: dict[str, Any], place: str, notes: dict[str, Decision], depth: int
) -> Iterator[str]:
    indent = "  " * depth
    for key, value in values.items():
        here = f"{place}.{key}" if place else key
        said = _comment(notes.get(here))
        flow = f"{indent}{_flow(key)}: {_flow(value)}"
        inner = isinstance(value, dict) and any(p.startswith(f"{here}.") for p in notes)
        if not inner and len(flow) <= _WIDTH:
            beside = f"{flow}   # {said}" if said else flow
            yield from (
                [beside]
                if len(beside) <= _WIDTH_WITH_COMMENT or not said
                else [f"{indent}# {said}", flow]
            )
            continue
        if said:
            yield f"{indent}# {said}"
        if isinstance(value, dict) and value:
            yield f"{indent}{_flow(key)}:"
            yield from _block(value, here, notes, depth + 1)
        elif isinstance(value, list):
            yield f"{indent}{_flow(key)}: ["
            yield from _wrapped(value, indent + "  ")
            yield f"{indent}]"
        else:
            yield flow


def _wrapped(values: list[Any], indent: str) -> Iterator[str]:
    """Members of a list, as many in a line as go in."""
    line = indent
    for value in values:
        part = f"{_flow(value)}, "
        if len(line) + len(part) > _WIDTH and line.strip():
            yield line.rstrip()
            line = indent
        line += part
    yield line.rstrip()


def _flow(value: Any) -> str:
    """A value as it stands in one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=float("inf"), allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _comment(decision: Decision | None) -> str:
    if decision is None or not decision.said:
        return ""
    return _clean(decision.said) + " (likely)" * decision.likely


def _clean(text: str) -> str:
    line = " ".join(text.split())
    printable = "".join(c if c.isprintable() else "?" for c in line)
    return printable if len(printable) <= _LONGEST_COMMENT else f"{printable[:_LONGEST_COMMENT]}..."
