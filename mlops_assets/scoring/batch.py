"""A batch from its source to its files: the version that serves is asked for all of its rows."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mlops_assets.config import ModelSettings
from mlops_assets.errors import ContractError
from mlops_assets.records.data import FeatureView
from mlops_assets.records.scoring import BatchSummary
from mlops_assets.records.serving import Manifest
from mlops_assets.scoring.answers import Spoken
from mlops_assets.scoring.asked import Source, in_requests
from mlops_assets.scoring.files import BatchFiles, batch_files, drop_leftovers
from mlops_assets.scoring.requests import Requests
from mlops_assets.scoring.snapshot import Snapshot
from mlops_assets.serving.version.holder import load_checked
from mlops_assets.serving.version.model import LoadedModel
from resources.endpoints.deployer import EndpointDeployer
from resources.feature_store import FeastFeatureStore
from resources.prediction_log.batches import BatchLog
from resources.prediction_log.log import PredictionLog


def unseen(rows: int) -> None:
    """For a caller that nobody watches."""


@dataclass(frozen=True)
class Batches:
    """Batches of one model, by the version that last passed every check of its endpoint."""

    settings: ModelSettings
    manifest: Manifest
    model: LoadedModel
    log: BatchLog

    @classmethod
    def of(
        cls, settings: ModelSettings, deployment: EndpointDeployer, predictions: PredictionLog
    ) -> "Batches":
        """Load what serves, checked as a worker checks it; `DeploymentError` if nothing does."""
        manifest = deployment.verified(settings.name)
        model = load_checked(Path(manifest.folder))
        return cls(settings, manifest, model, predictions.batches(settings.name))

    def snapshot(self, feature_store: FeastFeatureStore) -> Snapshot:
        """All that is asked for where no table is brought: every entity."""
        view = FeatureView.of(self.settings)
        now = self.manifest.online.as_of or datetime.now(UTC)
        return Snapshot(feature_store.offline_file(view), view, now)

    def score(
        self,
        source: Source,
        output: Path | None = None,
        progress: Callable[[int], None] = unseen,
    ) -> BatchSummary:
        """Ask for every row of `source`, and write what is answered.

        Args:
            source: A snapshot or a table.
            output: Parquet; default: in the state folder. The quarantine is beside it.
            progress: Told of the rows that were asked for by now.

        Raises:
            ContractError: Not one row can be asked for.
            SourceError: The source cannot be read as declared.
            StateError: A file cannot be written; no file was changed.
        """
        from threadpoolctl import threadpool_limits  # nothing that only loads needs it

        time, batch = datetime.now(UTC), self._id(source)
        spoken = Spoken(self.model.servable, self.manifest, batch, source.kind, time)
        output = output or self.log.answers(source.kind if source.kind == "snapshot" else batch)
        with self.log.exclusive(), threadpool_limits(1):  # as in a worker
            drop_leftovers(output)
            logs = self.manifest.log.enabled and not self.log.holds(batch)
            place = self.log.file(source.kind, spoken.event_time, time, batch) if logs else None
            with batch_files(output, place, source.columns) as files:
                self._fill(files, source, spoken, progress, logs=logs)
        return BatchSummary(
            model=self.settings.name,
            model_version=self.model.servable.model_version,
            batch=batch,
            scored_at=time,
            rows=files.answered,
            quarantined=files.quarantined,
            reasons=dict(files.reasons.most_common()),
            exceeded=self._exceeded(files) if source.kind == "table" else None,
            logged=files.answered if logs else 0,
            output=str(output),
            quarantine=str(files.quarantine) if files.quarantined else None,
            ignored=tuple(source.ignored),
        )

    def _fill(
        self,
        files: BatchFiles,
        source: Source,
        spoken: Spoken,
        progress: Callable[[int], None],
        *,
        logs: bool,
    ) -> None:
        requests = Requests(self.model, self.manifest.max_rows)
        for asked, bad in in_requests(source.batches(), self.manifest.max_rows):
            files.set_apart(bad)
            if not len(asked):
                continue
            answers = requests.answers(asked)
            if answers.reasons:
                files.set_apart(spoken.refused(answers.refused, answers.reasons))
            files.append(spoken.table(answers), spoken.log(answers) if logs else None)
            progress(files.answered + files.quarantined)
        if not files.answered:
            files.close_quarantine()
            raise ContractError(
                f"none of {files.quarantined} rows can be scored, since they break "
                f"{dict(files.reasons.most_common())}; they are in {files.quarantine} with their "
                "reasons: correct them, or what they break"
            )

    def _exceeded(self, files: BatchFiles) -> str | None:
        bad = files.quarantined
        return self.settings.contract.exceeded(files.reasons, bad, files.answered + bad)

    def _id(self, source: Source) -> str:
        """32 hex digits: equal for equal rows, asked of the same version."""
        servable = self.model.servable
        said = {
            "model": servable.model_name,
            "version": servable.model_version,
            "file": servable.sha256,
            "kind": source.kind,
            "rows": source.digest(),
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]
