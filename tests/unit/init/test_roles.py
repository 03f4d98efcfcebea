"""Whose a row is, and what is predicted: a test for each rule."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from mlops_assets.errors import ConfigError
from mlops_assets.init.questions import UndecidedError
from mlops_assets.init.yaml_text import refuse_templates, yaml_text
from tests.unit.init.tables import AT, LABEL, NOISE, RNG, ROWS, sound


@pytest.mark.parametrize(
    ("ids", "name", "dtype"),
    [
        (np.arange(ROWS), "customer_id", "int64"),
        (np.arange(ROWS) + 2**53, "userId", "int64"),
        (np.arange(ROWS) + 2**62, "account_id", "int64"),
        ([str(2**63 + i) for i in range(ROWS)], "account_id", "string"),
        ([f"K-{i:05d}" for i in range(ROWS)], "Kunden-Nr.", "string"),
        ([f"{i:05d}" for i in range(ROWS)], "id", "string"),
        ([f"7b1f-{i:04x}" for i in range(ROWS)], "who", "string"),
        ([f"C{i}" for i in range(ROWS)], "client_code", "string"),
    ],
)
def test_rule_entity(infer: Any, ids: Any, name: str, dtype: str) -> None:
    draft = infer(sound(**{name: ids}))
    assert draft.attributes["entity"]["dtype"] == dtype
    assert draft.attributes["contract"]["unique"] == [draft.attributes["entity"]["name"]]


def test_rule_row_number_is_the_entity_where_it_is_called_so(infer: Any) -> None:
    assert infer(sound(listing_id=np.arange(ROWS))).attributes["entity"]["name"] == "listing_id"
    draft = infer(
        sound(**{"Listing": np.arange(ROWS), "": RNG.permutation(ROWS), "#": np.arange(ROWS)[::-1]})
    )
    assert "entity" not in draft.attributes
    assert list(draft.left_out) == ["Listing", "", "#"]
    assert draft.left_out["Listing"] == "counts the rows, from 0"


def test_rule_entity_of_a_table_without_one_is_none(infer: Any) -> None:
    draft = infer(sound(income=np.arange(ROWS) * 37))
    assert "entity" not in draft.attributes
    assert "ttl" not in draft.attributes["features"]


def test_rule_entity_is_asked_where_several_would_do(infer: Any) -> None:
    two = sound(order_id=np.arange(ROWS), user_id=np.arange(ROWS) + 7)
    with pytest.raises(UndecidedError, match="--entity 'order_id' or another, or --yes"):
        infer(two)
    assert infer(two, entity="user_id").attributes["entity"]["name"] == "user_id"
    assert "entity" not in infer(two, entity="none").attributes


@pytest.mark.parametrize("name", ["cust_no", "Cust No", "kd_nr", "custNo", "MRN", "user_code"])
def test_rule_entity_that_recurs_by_its_name(infer: Any, name: str) -> None:
    ids = [f"C{i % 100}" for i in range(ROWS)]
    draft = infer(sound(**{name: ids, "z": NOISE[::-1]}))
    assert draft.attributes["contract"]["columns"][draft.attributes["entity"]["name"]]
    (said,) = draft.remarks
    assert "only the last row is answered by id; name --time, or another --entity" in said
    assert f"# {said}" in yaml_text(draft, [])
    assert infer(sound(**{name: ids, "at": AT, "z": NOISE[::-1]})).remarks == []


@pytest.mark.parametrize("name", ["casino", "piano", "zip_code", "department"])
def test_rule_entity_is_not_what_only_ends_like_one(infer: Any, name: str) -> None:
    draft = infer(sound(**{name: [f"C{i % 100}" for i in range(ROWS)]}))
    assert draft.remarks == ["entity: none; name one by --entity COLUMN"]
    assert f"# {draft.remarks[0]}" in yaml_text(draft, [])


def test_rule_entity_is_asked_of_codes_with_leading_zeros_that_recur(infer: Any) -> None:
    codes = [f"{i % 100:08d}" for i in range(ROWS)]
    with pytest.raises(UndecidedError, match="--entity 'chart'"):
        infer(sound(chart=codes))
    assert "entity" not in infer(sound(plz=codes)).attributes


def test_rule_entity_that_recurs(infer: Any) -> None:
    draft = infer(sound(machine_id=np.arange(ROWS) % 30, at=AT, z=NOISE[::-1]))
    assert draft.attributes["entity"] == {"name": "machine_id", "dtype": "int64"}
    assert draft.attributes["contract"]["unique"] == ["machine_id", "at"]


@pytest.mark.parametrize(
    ("values", "task"),
    [
        (LABEL, "binary"),
        (np.where(LABEL, "Yes", "No"), "binary"),
        (LABEL + 1, "binary"),
        (np.arange(ROWS) % 3, "multiclass"),
        (np.repeat([0, 1, 2, 3, 4], [130, 90, 50, 23, 7]), "regression"),
        (np.repeat([0, 1, 2, 3, 4], [130, 90, 50, 20, 10]), "multiclass"),
        (np.array(["red", "green", "blue"])[np.arange(ROWS) % 3], "multiclass"),
        (RNG.integers(0, 60, ROWS), "regression"),
        (NOISE[::-1], "regression"),
    ],
)
def test_rule_target(infer: Any, values: Any, task: str) -> None:
    draft = infer({"x": NOISE, "y": values})
    assert draft.attributes["target"]["task"] == task


def test_rule_target_of_few_numbers_that_are_no_classes_is_likely(infer: Any) -> None:
    counts = np.repeat([0, 1, 2, 3, 4], [130, 90, 50, 23, 7])
    (said,) = [d for d in infer({"x": NOISE, "n": counts}, "n").decisions if d.place == "target"]
    assert said.said.endswith("from 0 to 4; '4' in 7 rows, so no classes but by --task")
    assert said.likely
    kinds = infer({"x": NOISE, "kind": counts}, "kind").attributes["target"]["task"]
    assert kinds == "multiclass", "called so"


def test_rule_target_may_be_told_its_task(infer: Any) -> None:
    three = {"x": NOISE, "y": np.arange(ROWS) % 3}
    assert infer(three, task="regression").attributes["target"]["task"] == "regression"
    with pytest.raises(ConfigError, match="--task 'clustering' is none of"):
        infer(three, task="clustering")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1] * ROWS, "is '1' wherever it has a value"),
        ([f"name {i}" for i in range(ROWS)], "too many to be classes"),
    ],
)
def test_rule_target_that_cannot_be_learnt_is_refused(infer: Any, values: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        infer({"x": NOISE, "y": values})


@pytest.mark.parametrize("form", ["${:,.2f}", "{:.1f}%", "{:.2f} €"])
def test_rule_signed_number_as_the_target(infer: Any, form: str) -> None:
    draft = infer({"x": NOISE, "y": [form.format(1000 + value) for value in NOISE]}, keep="x")
    assert draft.attributes["target"] == {"name": "y", "task": "regression"}
    assert draft.attributes["contract"]["columns"]["y"]["unit"] in "$%€"


def test_rule_signed_number_as_the_target_of_two_units_is_refused_with_the_remedy(
    infer: Any,
) -> None:
    money = [f"{1000 + value:.2f} {'€' if value > 0 else '$'}" for value in NOISE]
    with pytest.raises(ConfigError, match=r"the target 'y' holds numbers with signs that differ"):
        infer({"x": LABEL, "y": money})


def test_a_target_that_is_no_column_is_refused_with_the_likely_one(infer: Any) -> None:
    with pytest.raises(ConfigError, match=r"--target 'chrun': no column.*did you mean 'churn'"):
        infer({"x": NOISE, "churn": LABEL}, "chrun")


@pytest.mark.parametrize(
    ("texts", "positive"),
    [
        (("Approved", "Denied"), "Approved"),
        ((">50K", "<=50K"), ">50K"),
        (("churned", "stayed"), "churned"),
        (("good", "bad"), "bad"),
    ],
)
def test_rule_positive(infer: Any, texts: tuple[str, str], positive: str) -> None:
    draft = infer({"x": NOISE, "y": np.where(LABEL, *texts)})
    assert draft.attributes["target"]["positive"] == positive
    assert sorted(draft.attributes["contract"]["columns"]["y"]["allowed"]) == sorted(texts)


def test_rule_positive_of_two_numbers_is_the_larger(infer: Any) -> None:
    assert infer({"x": NOISE, "y": LABEL + 1}).attributes["target"]["positive"] == 2


def test_rule_positive_is_asked_where_no_word_says_it(infer: Any) -> None:
    table = {"x": NOISE, "y": np.where(LABEL, "M", "B")}
    with pytest.raises(UndecidedError, match="--positive 'M'"):
        infer(table)
    assert infer(table, positive="B").attributes["target"]["positive"] == "B"
    with pytest.raises(ConfigError, match=r"--positive 'C' is none of \['B', 'M'\]"):
        infer(table, positive="C")


def test_nothing_to_predict_from_is_refused(infer: Any) -> None:
    with pytest.raises(ConfigError, match="no column is left to predict 'y' from: note: 300"):
        infer({"note": [f"a {i} b" for i in range(ROWS)], "y": LABEL})


def test_rule_uniqueness_drops_rows_that_are_there_twice(infer: Any) -> None:
    frame = pd.DataFrame(sound(user_id=np.arange(ROWS) % 99, at=AT))
    draft = infer(pd.concat([frame, frame.head(5)]))
    assert draft.attributes["processing"]["drop_duplicates"] is True
    assert "unique" not in draft.attributes["contract"]


@pytest.mark.parametrize("keys", [{}, {"customer": np.arange(ROWS) % 70}])
def test_rule_uniqueness_drops_repeated_rows_without_an_id_or_a_time(
    infer: Any, keys: dict[str, Any]
) -> None:
    frame = pd.DataFrame(sound(z=NOISE[::-1], **keys))
    assert "processing" not in infer(frame).attributes
    draft = infer(pd.concat([frame, frame, frame.head(50)]))
    assert draft.attributes["processing"]["drop_duplicates"] is True
    said = next(one for one in draft.decisions if one.place == "processing.drop_duplicates")
    assert said.said.startswith(f"{ROWS + 50} of {2 * ROWS + 50} rows repeat another")


def test_rule_uniqueness_puts_aside_what_repeats(infer: Any) -> None:
    at = np.where(np.arange(ROWS) < 30, "2024-01-01", AT)
    draft = infer(sound(user_id=np.arange(ROWS) % 20, at=at, z=NOISE[::-1]))
    contract = draft.attributes["contract"]
    assert contract["unique"] == ["user_id", "at"]
    assert contract["max_repeated_fraction"] == pytest.approx(0.08, abs=0.03)
    assert "max_bad_fraction" not in contract, "of other rules no more rows pass than elsewhere"


def test_rule_uniqueness_says_nothing_of_rows_that_do_not_repeat(infer: Any) -> None:
    draft = infer(sound(machine_id=np.arange(ROWS) % 30, at=AT, z=NOISE[::-1]))
    said = next(one for one in draft.decisions if one.place == "contract.unique")
    assert said[1:] == ("no id and moment came twice", False, False)


def test_rule_uniqueness_is_asked_where_many_rows_would_be_put_aside(infer: Any) -> None:
    lines = sound(customer_id=np.arange(ROWS) // 3, at=AT[np.arange(ROWS) // 3], z=NOISE[::-1])
    with pytest.raises(UndecidedError, match=r"200 of 300 rows repeat 'customer_id' and 'at'.*--e"):
        infer(lines)
    draft = infer(lines, entity="customer_id")
    said = next(one for one in draft.decisions if one.place == "contract.unique")
    assert said.said == "200 of 300 rows repeat an id and a moment, and are put aside"
    assert said.likely
    assert "unique" not in infer(lines, entity="none").attributes["contract"]


@pytest.mark.parametrize(("rows", "estimator"), [(300, "LogisticRegression"), (1500, "HistG")])
def test_rule_estimator(infer: Any, rows: int, estimator: str) -> None:
    many = {"x": RNG.normal(size=rows), "y": RNG.integers(0, 2, rows)}
    assert estimator in infer(many).attributes["training"]["estimator"]


def events(rows: int = 2000) -> pd.DataFrame:
    at = pd.date_range("2024-01-01", periods=rows, freq="6h").strftime("%Y-%m-%dT%H:%M:%SZ")
    kind = RNG.choice(["view", "cart", "buy"], rows)
    return pd.DataFrame(
        {
            "user": [f"u{i}" for i in RNG.integers(0, 90, rows) ** 2 // 90],
            "time": at,
            "kind": kind,
            "value": np.where(kind == "buy", RNG.gamma(2, 9, rows).round(2), np.nan),
        }
    )


@pytest.mark.parametrize("target", ["kind=buy", "buy"])
def test_rule_shape_of_a_kind_of_event(infer: Any, target: str) -> None:
    draft = infer(events(), target)
    assert draft.attributes["target"] == {
        "name": "buy_within_30d",
        "task": "binary",
        "agg": "count",
        "where": {"kind": "buy"},
        "at_least": 1,
        "window": "30d",
    }


def test_rule_shape_of_an_amount_that_only_some_kinds_have(infer: Any) -> None:
    target = infer(events(), "value").attributes["target"]
    assert (target["agg"], target["column"], target["above"]) == ("sum", "value", 0)


def test_rule_shape_of_an_amount_in_every_row_is_asked(infer: Any) -> None:
    frame = events().drop(columns="kind").fillna(1.0)
    with pytest.raises(UndecidedError, match="--shape 'events'"):
        infer(frame, "value")
    flat = infer(frame.assign(x=1.5 * frame.index), "value", shape="flat")
    assert "aggregates" not in flat.attributes["features"]
    panel = frame.assign(user=[f"u{i % 50}" for i in range(len(frame))], x=frame.index % 7)
    assert "snapshots" not in infer(panel, "value").attributes["features"], "readings"


def test_rule_shape_of_a_table_that_is_no_log(infer: Any) -> None:
    with pytest.raises(ConfigError, match="--shape events needs an entity"):
        infer(sound(), shape="events")


def test_rule_log(infer: Any) -> None:
    features = infer(events(), "kind=buy").attributes["features"]
    assert features["snapshots"] == {"every": "1 month", "start": "2024-02-01"}
    assert {"view_90d", "buy_90d", "value_sum_90d", "recency_days"} <= set(features["aggregates"])
    assert features["clock"] == "data"


def test_rule_log_that_is_too_short_is_refused(infer: Any) -> None:
    with pytest.raises(ConfigError, match="span 5 days, too few"):
        infer(events().head(24).assign(user="u1"), "kind=buy", entity="user")


def test_every_decision_stands_beside_its_line(infer: Any) -> None:
    draft = infer(sound(id=np.arange(ROWS), time=AT, kind=["a", "b", "yes"] * 100))
    draft.attributes["evaluation"] = {"primary": "roc_auc"}
    text = yaml_text(draft, ["by hand"])
    lines = text.splitlines()
    for decision in draft.decisions:
        if decision.said:
            (at,) = [i for i, line in enumerate(lines) if decision.said[:40] in line][:1]
            assert (
                decision.place.rsplit(".", 1)[-1] in lines[at] + lines[min(at + 1, len(lines) - 1)]
            )
    assert yaml.safe_load(text)["attributes"] == draft.attributes


def test_awkward_names_and_values_survive_the_yaml(infer: Any) -> None:
    names = ["yes", "a: b", "# no", "it's", 'say "x"', "null", "[x]", "1e3", "täglich", "{x}"]
    columns = {name: RNG.normal(size=ROWS).round(3) for name in names}
    kinds = np.array(["yes", "null", "1e3", "a: b # c"])[np.arange(ROWS) % 4]
    draft = infer({**columns, "kind": kinds, "y": LABEL})
    draft.attributes["evaluation"] = {"primary": "roc_auc"}
    assert yaml.safe_load(yaml_text(draft, []))["attributes"] == draft.attributes
    with pytest.raises(ConfigError, match="would be a template"):
        refuse_templates(infer({"{{ env.HOME }}": NOISE, "y": LABEL}))


def test_rule_drift_trains_where_nothing_can_confirm_it(infer: Any) -> None:
    def policy(columns: dict[str, Any]) -> Any:
        return infer(columns).attributes.get("monitoring", {}).get("retrain")

    amount = (1000 + 3 * NOISE).round(2)
    assert policy({"x": LABEL, "y": amount}) == {"on_drift": "train"}
    assert policy({"x": NOISE, "y": LABEL}) is None, "a binary model's loss is estimated"
    assert policy({"id": np.arange(ROWS), "x": LABEL, "y": amount}) is None, "labels come by id"


def test_a_log_leaves_out_what_is_dropped(infer: Any) -> None:
    draft = infer(events(), "kind=buy", drop="value")
    assert not any(name.startswith("value") for name in draft.attributes["features"]["aggregates"])
    assert "value" not in draft.attributes["contract"]["columns"]
    assert draft.left_out["value"] == "left out by --drop"


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"positive": "buy"}, "--positive 'buy'"),
        ({"keep": "ticket"}, "--keep 'ticket': events are"),
    ],
)
def test_a_log_refuses_options_of_no_use(infer: Any, option: dict[str, str], said: str) -> None:
    frame = events().assign(ticket=[f"t{i}" for i in range(2000)])
    with pytest.raises(ConfigError, match=said):
        infer(frame, "kind=buy", **option)
