"""A candidate beside the version that serves, step by step until the verdict, wherever both run.

How a step is reached and what is counted there is said by the classes below this one; the verdict
is `mlops_assets.ml.evaluation.canary`.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

from mlops_assets.blocks.rollout import RolloutSettings
from mlops_assets.errors import DeploymentError
from mlops_assets.ml.evaluation.canary import lack, objection
from mlops_assets.records.rollout import Candidate, Sighting, TrialReport
from mlops_assets.records.serving import Manifest
from mlops_assets.runtime.interrupts import uninterrupted
from resources.endpoints.folder import EndpointFolder

LOOK_SECONDS = 0.5


class Trial(ABC):
    """One candidate; its end is a line of `rollouts.jsonl`, whatever the end is."""

    def __init__(self, folder: EndpointFolder, settings: RolloutSettings) -> None:
        self._folder, self._settings = folder, settings
        self._role: Literal["canary", "shadow"] = (
            "shadow" if settings.strategy == "shadow" else "canary"
        )
        self._weights = settings.shares
        self._began = self._step_began = time.monotonic()
        self._seen: list[Sighting] = []
        """What was seen in each step."""

    def run(self, good: Manifest, wanted: Manifest) -> None:
        """Go through the steps, from where a process before this one left them.

        The verdict, with the number of harmed requests, is a `DeploymentError`.
        """
        candidates = self._candidates(wanted)
        reason = "the workers did not take it up"
        try:
            for candidate in candidates[max(0, len(self._seen) - 1) :]:
                self._begin(good, candidate)
                if verdict := self._watch():
                    reason = verdict
                    self._end(good)
                    break
            else:
                reason = ""
        except BaseException as err:
            if not isinstance(err, Exception):
                reason = "the run was canceled"
                self._count()
            raise
        finally:  # also when a worker crashed
            with uninterrupted():
                report = self._report(good, candidates[0], reason)
        if reason:
            raise DeploymentError(
                f"The {self._named(candidate)} was stopped after {report.seconds:.0f} s: {reason}. "
                f"{report.harmed_requests} of {report.requests} requests were answered by it."
            )

    def _candidates(self, wanted: Manifest) -> list[Candidate]:
        """One for each step."""
        version, folder = wanted.model_version, wanted.folder
        return [
            Candidate(model_version=version, folder=folder, role=self._role, weight=weight)
            for weight in self._weights
        ]

    def _named(self, candidate: Candidate) -> str:
        """For a person."""
        if candidate.role == "shadow":
            return "shadow"
        return f"canary with {candidate.weight:.0%} of the requests"

    @abstractmethod
    def _begin(self, good: Manifest, candidate: Candidate) -> None:
        """Reach a step, with both versions counted from zero."""

    @abstractmethod
    def _sighting(self) -> Sighting:
        """What both versions did in this step until now."""

    def _look(self) -> str | None:
        """Say that somebody waits; what is wrong besides the requests, if anything is."""
        return None

    @abstractmethod
    def _end(self, good: Manifest) -> None:
        """Take the candidate away at once, and count what it still answered."""

    def _report(self, good: Manifest, candidate: Candidate, reason: str) -> TrialReport:
        seconds = time.monotonic() - self._began
        report = reported(good, candidate, reason, seconds, self._seen)
        self._folder.report(report)
        return report

    def _watch(self) -> str | None:
        """Wait for the end of one step; why the candidate must go, if it must."""
        settings = self._settings
        while True:
            time.sleep(LOOK_SECONDS)
            trouble = self._look()
            self._count()
            seen = self._seen[-1]
            if stopped := objection(seen, settings) or trouble:
                return stopped
            lacks = lack(seen, settings)
            over = time.monotonic() - self._step_began >= settings.step.total_seconds()
            if over and not lacks:
                return None
            if time.monotonic() - self._began > settings.timeout.total_seconds():
                return (
                    f"after {settings.timeout} {lacks or 'its step was not over'}; allow more time "
                    "or fewer requests in `deployment.rollout`"
                )

    def _count(self) -> None:
        """Take what was seen in the last step as it is now."""
        if self._seen:
            self._seen[-1] = self._sighting()


def reported(
    good: Manifest, candidate: Candidate, reason: str, seconds: float, steps: Sequence[Sighting]
) -> TrialReport:
    """How a trial ended of which so much was seen in its steps; without a reason it passed."""
    tried = sum(seen.candidate.requests for seen in steps)
    answered = 0 if candidate.role == "shadow" else tried
    return TrialReport(
        ended=datetime.now(UTC),
        from_version=good.model_version,
        to_version=candidate.model_version,
        strategy=candidate.role,
        passed=not reason,
        reason=reason,
        seconds=seconds,
        requests=sum(seen.primary.requests for seen in steps) + answered,
        candidate_requests=tried,
        harmed_requests=answered if reason else 0,
    )
