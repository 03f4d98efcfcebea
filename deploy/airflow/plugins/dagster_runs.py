"""Jobs and runs of a Dagster webserver over its GraphQL; imports neither Dagster nor Airflow."""

import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

_TIMEOUT_SECONDS = 60  # the webserver asks the code location before it launches
_STARTING_SECONDS = 20  # Airflow gives a trigger 30 s to kill

JOBS = """query {
    workspaceOrError { __typename ... on Error { message }
        ... on Workspace { locationEntries { name locationOrLoadError { __typename
            ... on Error { message }
            ... on RepositoryLocation { repositories { name jobs { name } } } } } } } }"""
LAUNCH = """mutation($params: ExecutionParams!) {
    launchRun(executionParams: $params) { __typename ... on Error { message }
        ... on RunConfigValidationInvalid { errors { message } }
        ... on LaunchRunSuccess { run { runId status rootRunId tags { key value } } } } }"""
NEWEST = """query($filter: RunsFilter!) {
    runsOrError(filter: $filter, limit: 100) { __typename ... on Error { message }
        ... on Runs { results { runId status rootRunId tags { key value } } } } }"""
STATUS = """query($id: ID!) {
    runOrError(runId: $id) { __typename ... on Error { message }
        ... on Run { runId status rootRunId tags { key value } } } }"""
ASSETS = """query($job: PipelineSelector!) { assetNodes(pipeline: $job) { assetKey { path } } }"""
EVENTS = """query($id: ID!, $cursor: String) {
    logsForRun(runId: $id, afterCursor: $cursor) { __typename ... on Error { message }
        ... on EventConnection { cursor hasMore events { __typename
            ... on MessageEvent { message stepKey level }
            ... on ErrorEvent { error { className message causes { message } } }
            ... on ExecutionStepFailureEvent { failureMetadata { description } }
            ... on AssetMaterializationPlannedEvent { asset: assetKey { path } }
            ... on AssetCheckEvaluationPlannedEvent { checked: assetKey { path } }
            ... on AssetCheckEvaluationEvent { evaluation { success description } } } } } }"""
CANCEL = """mutation($id: String!) {
    terminateRun(runId: $id) { __typename ... on Error { message }
        ... on TerminateRunFailure { message } } }"""


class DagsterError(Exception):
    """Dagster refused what was asked, or did not answer; says which, and the remedy."""


@dataclass(frozen=True)
class DagsterRun:
    """A run at the moment of asking; `status` as Dagster's GraphQL spells it."""

    run_id: str
    status: str
    root: str = ""
    """The run that this one is a part of again; its own id if it is whole."""
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Cursor:
    """How far the events of a run have been read; None: not at all."""

    at: str | None = None


@dataclass(frozen=True)
class DagsterWebserver:
    """The webserver at `url`, which has no trailing slash; the headers may hold a secret."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def run_url(self, run_id: str) -> str:
        """The run's page."""
        return f"{self.url}/runs/{run_id}"

    def launch(
        self,
        job: str,
        tags: Mapping[str, str],
        without: Collection[str] = (),
        again: DagsterRun | None = None,
    ) -> DagsterRun:
        """Start a run of the job, in the code location that has it.

        Args:
            job: Its name.
            tags: Of the run.
            without: Assets that it leaves as they are, e.g. `customers/raw_data`.
            again: The run that it does a part of once more.

        Raises:
            DagsterError: No code location has the job, or several have; or Dagster refused it.
        """
        selector: dict[str, Any] = {"jobName": job, **self._selector(job)}
        if without:
            named = {"pipelineName": job, **self._selector(job)}
            assets = [node["assetKey"] for node in self._answer(ASSETS, job=named)]
            left = [key for key in assets if "/".join(key["path"]) not in without]
            selector["assetSelection"] = left
        metadata: dict[str, Any] = {"tags": _pairs(tags)}
        if again:
            metadata |= {"parentRunId": again.run_id, "rootRunId": again.root}
        params = {"selector": selector, "executionMetadata": metadata}
        return _run(self._ask(LAUNCH, "LaunchRunSuccess", params=params)["run"])

    def newest(
        self, job: str, tags: Mapping[str, str], launchers: Collection[str] = ()
    ) -> DagsterRun | None:
        """The job's last run that carries all of the tags, and that one of these tasks launched."""
        wanted = {"pipelineName": job, "tags": _pairs(tags)}
        found = map(_run, self._ask(NEWEST, "Runs", filter=wanted)["results"])
        ours = (run for run in found if not launchers or run.tags["airflow/task_id"] in launchers)
        return next(ours, None)

    def run(self, run_id: str) -> DagsterRun:
        """The run as it is now."""
        return _run(self._ask(STATUS, "Run", id=run_id))

    def cancel(self, run_id: str) -> None:
        """Ask a run to end; while its process is STARTING, Dagster refuses, so ask again."""
        give_up = time.monotonic() + _STARTING_SECONDS
        while True:
            try:
                self._ask(CANCEL, "TerminateRunSuccess", id=run_id)
                return
            except DagsterError:
                if self.run(run_id).status != "STARTING" or time.monotonic() > give_up:
                    raise
            time.sleep(1)

    def events(self, run_id: str) -> Iterator[dict[str, Any]]:
        """What the run has told by now, the oldest first."""
        return self.events_after(run_id, Cursor())

    def events_after(self, run_id: str, cursor: "Cursor") -> Iterator[dict[str, Any]]:
        """The same without what came before; moves the cursor on."""
        more = True
        while more:
            page = self._ask(EVENTS, "EventConnection", id=run_id, cursor=cursor.at)
            yield from page["events"]
            cursor.at, more = page["cursor"], page["hasMore"]

    def _selector(self, job: str) -> dict[str, str]:
        """The code location and the repository that have the job."""
        entries = self._ask(JOBS, "Workspace")["locationEntries"]
        jobs = {
            (entry["name"], repository["name"]): {job["name"] for job in repository["jobs"]}
            for entry in entries
            for repository in (entry["locationOrLoadError"] or {}).get("repositories", [])
        }
        places = [place for place, names in jobs.items() if job in names]
        if len(places) == 1:
            location, repository = places[0]
            return {"repositoryLocationName": location, "repositoryName": repository}
        if places:
            raise DagsterError(f"{self.url} has several jobs {job!r}: {places}; rename all but one")
        there = sorted(n for names in jobs.values() for n in names if not n.startswith("__"))
        missing = "".join(f"; {text}" for text in _not_loaded(entries))
        raise DagsterError(f"{self.url} has no job {job!r}; it has {there}{missing}")

    def _ask(self, query: str, wanted: str, **variables: Any) -> dict[str, Any]:
        """The one field that the query asks for, which has the wanted GraphQL type.

        Raises:
            DagsterError: There is no answer, or it has another type.
        """
        found = self._answer(query, **variables)
        if found["__typename"] != wanted:
            said = found.get("message") or "; ".join(e["message"] for e in found.get("errors", []))
            raise DagsterError(f"{self.url}: {found['__typename']}: {said}")
        return found

    def _answer(self, query: str, **variables: Any) -> Any:
        """The one field that the query asks for, or a `DagsterError`."""
        body = {"query": query, "variables": variables}
        try:
            answer = httpx.post(
                f"{self.url}/graphql", json=body, headers=self.headers, timeout=_TIMEOUT_SECONDS
            )
            answer.raise_for_status()
            result = answer.json()
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as err:
            raise DagsterError(
                f"no Dagster webserver answers at {self.url}: {str(err) or type(err).__name__}. "
                "Start it, or correct the address or the token."
            ) from err
        if errors := result.get("errors"):
            raise DagsterError(f"{self.url} refuses the query: {errors[0]['message']}")
        (found,) = result["data"].values()
        return found


def _run(found: Mapping[str, Any]) -> DagsterRun:
    tags = {tag["key"]: tag["value"] for tag in found["tags"]}
    return DagsterRun(found["runId"], found["status"], found["rootRunId"] or found["runId"], tags)


def _pairs(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in tags.items()]


def _not_loaded(entries: list[dict[str, Any]]) -> list[str]:
    """What is to be said of the code locations whose jobs Dagster does not know."""
    broken = {entry["name"]: entry["locationOrLoadError"] for entry in entries}
    return [
        f"code location {name!r}: {location['message'] if location else 'still loading'}"
        for name, location in broken.items()
        if location is None or "message" in location
    ]
