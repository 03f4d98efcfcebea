"""The draft over a flat table: a row is a request, and its target stands in it."""

from typing import Any, NamedTuple

import pandas as pd

from mlops_assets.blocks.base import LONGEST
from mlops_assets.errors import ConfigError
from mlops_assets.init.columns.ageing import ahead, grows
from mlops_assets.init.doubts.keys import MANY
from mlops_assets.init.draft import (
    DROPPED,
    LINEAR,
    TREES,
    Draft,
    Profiled,
    contract_of,
    named_columns,
    target_contract,
)
from mlops_assets.init.leaks import Leak, find_copies, find_leaks
from mlops_assets.init.questions import Answers
from mlops_assets.init.recurring import entity_as_feature
from mlops_assets.init.roles import entity_contract, entity_name, gappy_id
from mlops_assets.init.split import choose_split, repeated_rows
from mlops_assets.init.target import Target
from mlops_assets.ml.summary import spelled_period

_LINEAR_BELOW = 1_000


class Roles(NamedTuple):
    """Which columns are not features."""

    entity: str | None
    timestamp: str | None
    target: Target


def draft_flat(table: Profiled, roles: Roles, draft: Draft, answers: Answers) -> None:
    """Add everything but the gate and the port to the draft.

    Raises:
        ConfigError: No feature is left.
        UndecidedError: A feature may give the target away.
    """
    features = _features(table, roles, draft, answers)
    _keys(table, roles, draft)
    _contract(table, roles, features, draft)
    _feature_block(table, roles, features, draft)
    _target_block(table, roles, draft)
    _training(table, roles, draft)
    if roles.entity is None and roles.target.task != "binary":
        said = f"without ids no label, and for a {roles.target.task} no estimate, confirms a drift"
        draft.decide(
            "monitoring.retrain.on_drift", "train", f"{said}; the gate decides", told=False
        )


def _features(table: Profiled, roles: Roles, draft: Draft, answers: Answers) -> list[str]:
    """Source names of the columns that are features, dates among them; notes all others."""
    draft.left_out.update(table.left_out)
    keys = {roles.entity, roles.timestamp, roles.target.source}
    rest = [source for source in table.columns if source not in keys]
    draft.left_out.update(_unusable(table, rest, roles, answers))
    chosen = [source for source in rest if source not in draft.left_out]
    values = {s: table.values(s) for s in chosen if table.found[s].use == "feature"}
    for source, original in find_copies(values).items():
        draft.left_out[source] = f"repeats {original!r} in every row"
        del values[source]
    dates = [source for source in chosen if table.found[source].use == "moment"]
    values |= {source: _age(table, source, roles) for source in dates}
    target = target_values(table, roles.target)
    kept = named_columns(table, answers, "keep")
    for source, leak in find_leaks(values, target, roles.target.task).items():
        if source not in kept and _is_out(source, leak, answers):
            draft.left_out[source] = leak.why
    chosen = [source for source in chosen if source not in draft.left_out]
    if not chosen:
        left = [f"{source}: {why}" for source, why in list(draft.left_out.items())[:8]]
        reasons = "; ".join(left) or f"there are only {sorted(filter(None, keys))}"
        raise ConfigError(f"no column is left to predict {roles.target.source!r} from: {reasons}")
    return chosen


def _unusable(
    table: Profiled, sources: list[str], roles: Roles, answers: Answers
) -> dict[str, str]:
    """Source name -> why it is no feature, by what the column is alone or by when it is known."""
    dropped = named_columns(table, answers, "drop")
    found: dict[str, str] = {}
    for source in sources:
        if source in dropped:
            found[source] = DROPPED
        elif table.found[source].use == "left out":
            found[source] = table.found[source].why
        elif why := gappy_id(table.columns[source]) or _not_yet_known(table, source, roles):
            found[source] = why
    return found


def target_values(table: Profiled, target: Target) -> pd.Series:
    """The target as leaks and the split need it: 0 and 1, numbers, or texts of classes."""
    values = table.values(target.source)
    if target.positive is None:
        return values if target.task != "multiclass" else values.astype(object)
    return (values == target.positive).astype(float).where(values.notna())


def _is_out(source: str, leak: Leak, answers: Answers) -> bool:
    """Whether a suspect is left out: a sure one is, of any other somebody decides."""
    if leak.sure:
        return True
    asked = f"{source!r} {leak.why}: is it known when a prediction is asked for? no leaves it out"
    return answers.ask("suspects", asked, "no", ["no", "yes"]) == "no"


def _not_yet_known(table: Profiled, source: str, roles: Roles) -> str | None:
    """Why a date is of no use: it is later than its row's moment, or has no moment beside it."""
    if table.found[source].use != "moment" or roles.timestamp is None:
        return None
    moments = table.moments(source)
    later = (moments > table.moments(roles.timestamp))[moments.notna()].mean()
    if later > 0.05:
        rows = "the rows" if moments.notna().all() else "the rows that have it"
        return f"is later than {roles.timestamp!r} in {later:.0%} of {rows}, so not known then"
    return None


def _age(table: Profiled, source: str, roles: Roles) -> pd.Series:
    """Of a date, in days at the row's moment, or at the newest date where rows have none."""
    moments = table.moments(source)
    at = moments.max() if roles.timestamp is None else table.moments(roles.timestamp)
    return (at - moments) / pd.Timedelta(days=1)


def _keys(table: Profiled, roles: Roles, draft: Draft) -> None:
    if roles.entity is not None:
        column = table.columns[roles.entity]
        block = {"name": entity_name(column), **entity_contract(column)}
        distinct = column.distinct
        recurs = distinct < len(column.present)
        said = f"{distinct} different in {table.rows} rows" + "; its rows recur" * recurs
        draft.decide("entity", block, f"{roles.entity}: {said}", likely=recurs)
    if roles.timestamp is not None:
        found = table.found[roles.timestamp]
        moments = table.moments(roles.timestamp)
        said = f"{roles.timestamp}: {spelled_period(moments.min(), moments.max())}, {found.why}"
        name = table.columns[roles.timestamp].name
        draft.decide("timestamp", name, said, likely=found.likely)


def _contract(table: Profiled, roles: Roles, features: list[str], draft: Draft) -> None:
    for source, column in table.columns.items():
        found = table.found[source]
        place = f"contract.columns.{column.name}"
        if source == roles.entity:
            place = f"contract.columns.{entity_name(column)}"
            draft.decide(
                place, contract_of(column, entity_contract(column)), "the entity", told=False
            )
        elif source == roles.timestamp:
            draft.decide(place, contract_of(column, found.contract), found.why, told=False)
        elif source == roles.target.source:
            contract = target_contract(found.contract, roles.target)
            draft.decide(place, contract_of(column, contract), "the target", told=False)
        elif source in features:
            block, doubt = contract_of(column, {**found.contract, **ahead(found)}), found.likely
            draft.decide(place, block, _said(found), likely=doubt, told=doubt)
    block = draft.attributes["contract"]
    if draft.left_out:
        block["extra_columns"] = "drop"
    _uniqueness(table, roles, features, draft)


def _said(found: Any) -> str:
    return found.why + "; some rows have none" * bool(found.contract.get("nullable"))


def _uniqueness(table: Profiled, roles: Roles, features: list[str], draft: Draft) -> None:
    """The key of a row, where the sample holds to it; else whole rows that are there again."""
    if roles.entity is None:
        _drop_repeated(table, roles, features, draft)
        return
    column = table.columns[roles.entity]
    ids = pd.Series(column.texts.to_pylist())
    if ids.is_unique:
        draft.decide("contract.unique", [entity_name(column)], "no id came twice", told=False)
    elif roles.timestamp is None:
        _drop_repeated(table, roles, features, draft)
    else:
        twice = int(table.keys(roles.entity, roles.timestamp).duplicated().sum())
        if twice and table.repeated() == twice:
            said = f"{twice} rows are there twice, value by value"
            draft.decide("processing.drop_duplicates", True, said)
        else:
            _put_aside(table, roles, twice, draft)


def _drop_repeated(table: Profiled, roles: Roles, features: list[str], draft: Draft) -> None:
    """Count a row once, or held-out rows would be known from training."""
    keys = [key for key in (roles.entity, roles.timestamp) if key is not None]
    rows = table.texts([*keys, *features, roles.target.source])
    if repeated := repeated_rows(rows, roles.target.source):
        said = f"{repeated} of {len(rows)} rows repeat another value by value, more than by chance"
        draft.decide("processing.drop_duplicates", True, said)


def _put_aside(table: Profiled, roles: Roles, twice: int, draft: Draft) -> None:
    """Reject all but the first row of an id and a moment."""
    entity, timestamp = (table.columns[str(key)] for key in (roles.entity, roles.timestamp))
    names = [entity_name(entity), timestamp.name]
    share = twice / table.rows
    said = "no id and moment came twice"
    if twice:
        said = f"{twice} of {table.rows} rows repeat an id and a moment, and are put aside"
    draft.decide("contract.unique", names, said, likely=share > MANY, told=twice > 0)
    if share > 0.005:
        most = min(0.5, round(2 * share + 0.01, 2))
        draft.decide("contract.max_repeated_fraction", most, "of those rows", told=False)


def _feature_block(table: Profiled, roles: Roles, features: list[str], draft: Draft) -> None:
    plain = [source for source in features if table.found[source].use == "feature"]
    names = [table.columns[source].name for source in plain]
    if names:
        said = f"{len(names)} of {len(table.columns)} columns"
        draft.decide("features.columns", names, said)
    for source in features:
        if table.found[source].use == "moment":
            _date(table, source, roles, draft)
    _encodings(table, plain, draft)
    if roles.entity is not None:
        entity_as_feature(table, roles.entity, roles.timestamp, draft)
        _serving(table, roles, draft)


def _date(table: Profiled, source: str, roles: Roles, draft: Draft) -> None:
    """A date becomes its age at the row's moment; the raw moment is never a feature.

    Rows without a timestamp are as of their delivery.
    """
    name = f"{table.columns[source].name[:50]}_age_days"
    block = {"column": table.columns[source].name, "part": "age_days"}
    said = f"{source}: its age at the row's moment"
    if roles.timestamp is None:
        said = f"{source}: its age when a row is delivered, as none has a moment of its own; if "
        said += f"rows are scored much later than those trained on, --drop {source!r} leaves it out"
    draft.decide(f"features.dates.{name}", block, said, likely=roles.timestamp is None)
    if roles.timestamp and grows(_age(table, source, roles), table.moments(roles.timestamp)):
        said = "the newer a row, the older it is, a day a day"
        draft.decide(f"monitoring.drift.ageing.{name}", "1d", said, told=False)


def _encodings(table: Profiled, plain: list[str], draft: Draft) -> None:
    for source in plain:
        if encoding := table.found[source].encoding:
            place = f"processing.categorical_encoding.{table.columns[source].name}"
            draft.decide(place, encoding, table.found[source].why, told=False)


def _serving(table: Profiled, roles: Roles, draft: Draft) -> None:
    """How old a feature may be when it is served, and by which clock."""
    until = "a row is what is known of its id until a newer one is delivered, however late"
    draft.decide("features.ttl", f"{LONGEST.days}d", until, told=False)
    if roles.timestamp is None:
        return
    moments = table.moments(roles.timestamp)
    days = max(1, (moments.max() - moments.min()).days + 1)
    age = (pd.Timestamp.now(tz="UTC") - moments.max()).days
    if age > max(2, days // 20):
        said = f"the newest row is {age} days old: it is served as if it were of now"
        draft.decide("features.clock", "data", said)


def _target_block(table: Profiled, roles: Roles, draft: Draft) -> None:
    target = roles.target
    column = table.columns[target.source]
    block: dict[str, Any] = {"name": column.name, "task": target.task}
    if target.positive is not None:
        block["positive"] = target.positive
    if column.texts.null_count:
        block["missing"] = "unlabelled"
    said = f"{target.source}: {target.task}, {target.why}"
    if column.texts.null_count:
        said += f"; {column.texts.null_count} rows have none and are not trained on"
    draft.decide("target", block, said, likely=target.likely)


def _training(table: Profiled, roles: Roles, draft: Draft) -> None:
    task, rows = roles.target.task, table.table.of_rows
    linear = rows < _LINEAR_BELOW
    trained = LINEAR[task] if linear else TREES[task]
    said = f"{rows} rows are few: a linear model" if linear else f"about {rows} rows: boosted trees"
    draft.decide("training.estimator", trained["estimator"], said)
    draft.attributes["training"] |= trained
    moments = table.moments(roles.timestamp) if roles.timestamp else None
    target = target_values(table, roles.target)
    draft.decide("training.split", *choose_split(moments, target, task, rows / table.rows))
