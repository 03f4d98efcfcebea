"""What the serving benchmark found, and whether it is what was promised."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Key = tuple[str, str, int]
"""Group of cases, server, connections."""


class Sample(NamedTuple):
    """What one load showed."""

    cpu_us: float
    """User and system time of the server's whole process tree, for each request."""
    p50_ms: float
    p99_ms: float
    per_second: float

    @classmethod
    def of(cls, load: Mapping[str, Any], cpu: float) -> "Sample":
        """Summarize what a load reported, and the CPU seconds that it cost."""
        latencies, count = load["latencies"], load["requests"]
        return cls(
            cpu_us=1e6 * cpu / count,
            p50_ms=1e3 * latencies[count // 2],
            p99_ms=1e3 * latencies[count * 99 // 100],
            per_second=count / load["seconds"],
        )


class Target(NamedTuple):
    """A promise and what was found."""

    what: str
    promised: str
    found: str
    met: bool


@dataclass
class Measured:
    """Everything that was found."""

    runtime: str
    """By which our endpoint computed."""
    lookup: str
    """How our endpoint read the online store."""
    samples: dict[Key, list[Sample]] = field(default_factory=dict)
    """One for each round."""
    memory: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    """RSS and PSS of each process of a server, in MB."""
    foreign: list[float] = field(default_factory=list)
    """Share of the machine's processors that others had, by round."""
    swaps: list[float] = field(default_factory=list)
    """Seconds from a version's files being there to every worker answering by it."""

    def add(self, key: Key, sample: Sample) -> None:
        """Keep a round's sample."""
        self.samples.setdefault(key, []).append(sample)

    def median(self, key: Key) -> Sample:
        """Each figure's median over the rounds."""
        return Sample(*map(statistics.median, zip(*self.samples[key], strict=True)))

    def cpu_ratio(self, over: Key, under: Key) -> float:
        """Median over the rounds of how many times the CPU time of `under` one of `over` takes."""
        return self._over_rounds(over, under, lambda one, other: one.cpu_us / other.cpu_us)

    def tail(self, key: Key) -> float:
        """Median over the rounds of p99 / p50."""
        return self._over_rounds(key, key, lambda one, _: one.p99_ms / one.p50_ms)

    def _over_rounds(self, one: Key, other: Key, of: Callable[[Sample, Sample], float]) -> float:
        pairs = zip(self.samples[one], self.samples[other], strict=True)
        return statistics.median(of(*pair) for pair in pairs)

    def targets(self) -> list[Target]:
        """Every promise of this benchmark."""
        row, entity, bare = (
            ("one row", "ours", 1),
            ("one entity", "ours", 1),
            ("one row", "bare", 1),
        )
        mlflow = self.cpu_ratio(("one row", "mlflow", 1), row)
        bentoml = self.cpu_ratio(("one row", "bentoml", 1), row)
        limit = f" (bare: {self.tail(bare):.3g})"
        largest = max(rss for rss, _ in self.memory["ours"])
        return [
            _at_least("CPU of `mlflow models serve` / ours", 25, mlflow),
            _at_least("CPU of a tutorial's BentoML service / ours", 25, bentoml),
            _at_most("CPU of ours / the bare server", 2, self.cpu_ratio(row, bare)),
            *(
                _at_least(
                    f"{group}: CPU of `to_df` and scikit-learn / ours, clients: {clients}",
                    bound,
                    self.cpu_ratio((group, "feast", clients), (group, "ours", clients)),
                )
                for group, bound in (("one entity", 20), ("100 entities", 10))
                for clients in (1, 16)
            ),
            _at_most("p99 / p50 of ours, one client", 5, self.tail(row), limit),
            _at_most("by entity: p99 / p50 of ours, one client", 5, self.tail(entity), limit),
            _at_most("s until a new version is live, slowest swap", 1, max(self.swaps)),
            _at_most("MB (RSS) of our largest process", 300, largest),
        ]


def _at_least(what: str, bound: float, found: float) -> Target:
    return Target(what, f"at least {bound:g}", f"{found:.3g}", found >= bound)


def _at_most(what: str, bound: float, found: float, beside: str = "") -> Target:
    return Target(what, f"at most {bound:g}", f"{found:.3g}{beside}", found <= bound)
