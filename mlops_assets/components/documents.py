"""A YAML file -> its documents, each value with the line where it stands, or what is wrong.

Stricter than YAML: a doubled key, of which the first would be lost, and aliases that expand without
end are refused. What the values mean is `components.model_files`.
"""

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_MOST_NODES = 20_000
_MERGE = "tag:yaml.org,2002:merge"
_TIMESTAMP = "tag:yaml.org,2002:timestamp"
_CONFLICT = re.compile(r"^(<{7}|={7}|>{7}|\|{7})( .*)?$", re.MULTILINE)


class DocumentError(Exception):
    """A file holds no YAML that can be used."""

    def __init__(self, line: int, said: str) -> None:
        super().__init__(said)
        self.line = line


class _Loader(yaml.SafeLoader):
    """Dates stay texts, as in every YAML that Dagster reads."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # the name and the type are PyYAML's
        first: [(tag, pattern) for tag, pattern in rules if tag != _TIMESTAMP]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_FastLoader: Any = None
if yaml.__with_libyaml__:  # which is not in every build of PyYAML

    class _FastLoader(yaml.CSafeLoader):
        """The same by libyaml."""

        yaml_implicit_resolvers = _Loader.yaml_implicit_resolvers


_NESTS = re.compile(r"[\[{:?-]")
_MOST_NESTED = 4_000


class Document(NamedTuple):
    """One document of a file."""

    file: Path
    value: Any
    node: yaml.Node

    def find(self, place: Iterable[str | int]) -> "Found":
        """What stands at `place`, or else the nearest block around it."""
        node, line, found = self.node, self.node.start_mark.line + 1, []
        for part in place:
            child = _child(node, part)
            if child is None:
                continue  # pydantic also names the members of a union
            line, node = child
            found.append(str(part))
        text = _clip(node.value) if isinstance(node, yaml.ScalarNode) else None
        return Found(self.file, line, found, text)


class Found(NamedTuple):
    """A place of a document."""

    file: Path
    line: int
    """From 1."""
    place: list[str]
    """The keys and positions on the way to it."""
    text: str | None
    """A scalar quoted as it is written, a template not filled in: a secret stays one."""


def read_documents(file: Path) -> list[Document]:
    """The documents of a YAML file; none if it is empty.

    Raises:
        DocumentError: It cannot be read, is no YAML, doubles a key, or expands too far.
    """
    text = _read(file)
    try:
        return [Document(file, value, node) for value, node in _parsed(text)]
    except yaml.MarkedYAMLError as err:
        raise _refused(err, text) from err
    except yaml.reader.ReaderError as err:
        line = text.count("\n", 0, err.position) + 1
        said = f"the character U+{int(err.character):04X} may not stand in YAML; remove it"
        raise DocumentError(line, said) from err
    except RecursionError as err:
        raise DocumentError(1, "blocks are nested too deeply; flatten them") from err


def _parsed(text: str) -> list[tuple[Any, yaml.Node]]:
    """Value and node of each document.

    By libyaml, in a tenth of the CPU (3 ms less for a model). What it refuses is read once more,
    for the words in which PyYAML says why. Not where the two differ, or where blocks may stand in
    more blocks than the stack holds: libyaml recurses without a bound.
    """
    alike = not _differs(text) and len(_NESTS.findall(text)) <= _MOST_NESTED
    if alike and _FastLoader is not None:
        with suppress(yaml.YAMLError):
            return _documents(_FastLoader(text))
    return _documents(_Loader(text))


def _differs(text: str) -> bool:
    """Whether it has tabs, marks of byte order, or a `?` within brackets or before a key.

    The first three are text for libyaml; of the last it counts the lines otherwise.
    """
    asked = [line for line in text.splitlines() if "?" in line] if "?" in text else []
    return (
        "\t" in text
        or "\ufeff" in text
        or any(line.lstrip(" -").startswith("?") or {*line} & {*"[]{},"} for line in asked)
    )


def _documents(loader: Any) -> list[tuple[Any, yaml.Node]]:
    found = []
    while loader.check_node() and (node := loader.get_node()):
        _check_nodes(node, loader)
        found.append((loader.construct_document(node), node))
    return found


def _read(file: Path) -> str:
    try:
        if not file.is_file():
            kind = "a folder" if file.is_dir() else "a link to nothing or no plain file"
            raise DocumentError(1, f"this is {kind}; put the YAML file in its place")
        data = file.read_bytes()
    except OSError as err:
        said = f"cannot be read: {err.strerror}; correct its permissions"
        raise DocumentError(1, said) from err
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DocumentError(1, "the file is UTF-16; save it as UTF-8")
    if (at := data.find(b"\0")) >= 0:
        said = "a NUL byte, so the file is no UTF-8 text; save it as UTF-8"
        raise DocumentError(data.count(b"\n", 0, at) + 1, said)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        said = f"{data[err.start : err.end]!r} is not UTF-8; save the file as UTF-8"
        raise DocumentError(data.count(b"\n", 0, err.start) + 1, said) from err
    if conflict := _CONFLICT.search(text):
        said = f"an unresolved merge conflict, {conflict[0]!r}; resolve it"
        raise DocumentError(text.count("\n", 0, conflict.start()) + 1, said)
    return text


def _check_nodes(root: yaml.Node, loader: Any) -> None:
    """Refuse doubled keys, keys that are blocks, scalars of a wrong tag, and endless aliases."""
    todo, seen, most = [root], 0, _MOST_NODES
    while todo:
        node, seen = todo.pop(), seen + 1
        line = node.start_mark.line + 1
        if seen == _MOST_NODES:  # a contract of 2,500 columns is as long, without an alias
            most += _written(root)
        if seen > most:
            said = f"aliases (`*name`) expand to more than {_MOST_NODES} values; write them out"
            raise DocumentError(line, said)
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            todo += [part for pair in node.value for part in pair if part.tag != _MERGE]
        elif isinstance(node, yaml.SequenceNode):
            todo += node.value
        else:
            try:
                loader.construct_object(node)
            except (ValueError, LookupError, AttributeError) as err:  # 5000 digits, `!!bool x`
                said = f"{_clip(node.value)} is no {node.tag.rpartition(':')[2]}; correct it"
                raise DocumentError(line, said) from err


def _written(root: yaml.Node) -> int:
    """How many nodes there are, each counted once however many aliases name it."""
    todo, seen = [root], set()
    while todo:
        node = todo.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            todo += [part for pair in node.value for part in pair]
        elif isinstance(node, yaml.SequenceNode):
            todo += node.value
    return len(seen)


def _check_keys(node: yaml.MappingNode) -> None:
    first: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if not isinstance(key, yaml.ScalarNode):
            said = 'a key is a block; a template needs quotes, as in "{{ env.NAME }}"'
            raise DocumentError(line, said)
        if key.value in first and key.tag != _MERGE:
            said = f"the key {key.value!r} stands in line {first[key.value]} too; remove one"
            raise DocumentError(line, said)
        first[key.value] = line


def _child(node: yaml.Node, part: str | int) -> tuple[int, yaml.Node] | None:
    """What stands under a key or at a position, and its line."""
    items: dict[str, tuple[yaml.Node, yaml.Node]] = {}  # -> where it begins, what it holds
    if isinstance(node, yaml.SequenceNode):
        items = {str(at): (item, item) for at, item in enumerate(node.value)}
    elif isinstance(node, yaml.MappingNode):
        items = {_spelt(key): (key, value) for key, value in node.value}
    found = items.get(str(part))
    return found and (found[0].start_mark.line + 1, found[1])


def _spelt(key: yaml.Node) -> str:
    """A key as pydantic names it: a bare `yes` is True, and that is 1."""
    is_bool = key.tag == "tag:yaml.org,2002:bool"
    return str(int(_Loader.bool_values[key.value.lower()])) if is_bool else key.value


def _refused(err: yaml.MarkedYAMLError, text: str) -> DocumentError:
    opened = any(what in str(err.context) for what in ("quoted scalar", "flow"))
    mark = (err.context_mark if opened else err.problem_mark) or err.context_mark
    line = min(mark.line + 1, text.count("\n") + 1) if mark else 1
    problem = str(err.problem)
    if "'\\t'" in problem:
        return DocumentError(line, "a tab indents this line; use spaces")
    if "mapping values are not allowed" in problem:
        said = "a `:` where no key can stand; correct the indentation, or put the text in quotes"
        return DocumentError(line, said)
    while_ = f" {err.context}" if err.context else ""
    said = f"no YAML: {problem}{while_}; correct the indentation, quotes or brackets"
    return DocumentError(line, said)


def _clip(text: str) -> str:
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
