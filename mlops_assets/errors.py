"""Every error this project raises on purpose.

A message says what is wrong, quotes the value, and ends with the remedy. `MlopsError` is the one
root, so a caller can catch everything of ours and nothing else. `TransientError` marks what may
succeed when tried again; all the others are permanent, and retrying them wastes a run.
"""

from typing import TYPE_CHECKING, Self

from mlops_assets.redaction import without_secrets

if TYPE_CHECKING:
    from pathlib import Path


class MlopsError(Exception):
    """Root of the tree; no message holds the password of an address that it quotes."""

    def __init__(self, said: str = "") -> None:
        super().__init__(without_secrets(said))


class TransientError(MlopsError):
    """Something outside failed in a way that may pass: a lock, a server that is down."""


class ConfigError(MlopsError):
    """The YAML, or a name given on the command line, is not valid."""


class NoProjectError(ConfigError):
    """The working directory is in no project."""


class FaultyModelError(ConfigError):
    """The YAML of a model has faults; the message is a line for each, `FILE:LINE: what; remedy`."""


class StateError(MlopsError):
    """The state folder cannot be created or written."""


class DatabaseError(MlopsError):
    """The Postgres of MLOPS_DATABASE refuses."""


class DatabaseUnavailableError(DatabaseError, TransientError):
    """The Postgres of MLOPS_DATABASE does not answer."""


class ForeignDatabaseError(DatabaseError):
    """The Postgres of MLOPS_DATABASE belongs to another project."""


class BucketError(MlopsError):
    """The bucket of MLOPS_BUCKET refuses."""


class BucketUnavailableError(BucketError, TransientError):
    """The S3 server of MLOPS_BUCKET does not answer."""


class ForeignBucketError(BucketError):
    """What is below MLOPS_BUCKET's address belongs to another store of facts."""


class SourceError(MlopsError):
    """The source cannot be read as the table it is declared to be."""


class SourceUnavailableError(SourceError, TransientError):
    """The database of a source does not answer."""


class LoaderError(SourceError, TransientError):
    """A user's loader raised something; when it asks another machine, that may pass."""


class ContractError(MlopsError):
    """The rows break the data contract."""


class FeatureError(MlopsError):
    """Features or labels cannot be computed from the rows."""


class EngineError(MlopsError):
    """The engine cannot compute features or labels within its limits."""


class EngineUnavailableError(EngineError, TransientError):
    """The server of MLOPS_ENGINE does not answer."""


class FeatureStoreError(MlopsError):
    """The feature store refused, or answered something that must not be used."""


class TrainingError(MlopsError):
    """The estimator cannot be built or fitted."""


class ParameterError(TrainingError):
    """The estimator does not take a parameter, or its value."""

    def __init__(self, said: str, name: str = "") -> None:
        super().__init__(said)
        self.name = name
        """Of the parameter, where it is known."""


class NotExportableError(TrainingError):
    """A fitted pipeline has a part that cannot be written as ONNX."""


class EvaluationError(MlopsError):
    """The held-out rows do not allow the metrics that were asked for."""


class NotComparableError(EvaluationError):
    """The champion cannot score the rows of today; no fault of the challenger."""


class EstimatorContractError(TrainingError):
    """An estimator cannot be repeated, stored or served as every one here must be."""


class UnsafeModelError(MlopsError):
    """A model file holds types outside the allow-list and was not loaded."""


class DatasetError(MlopsError):
    """A data version cannot be stored or found."""


class TrackingError(MlopsError):
    """The tracking server or the registry refused."""


class TrackingUnavailableError(TrackingError, TransientError):
    """The tracking server does not answer."""


class DatasetLockedError(DatasetError, TransientError):
    """Another process holds the data repository."""


class DeploymentError(MlopsError):
    """The endpoint could not be brought to the wanted version."""

    @classmethod
    def of_files(cls, folder: "Path", said: str) -> Self:
        """What is wrong in the folder `<model>/versions/<number>`, and the one remedy."""
        back = f"`mlops run {folder.parent.parent.name}` brings the version back"
        if not folder.exists():
            return cls(f"{folder} is gone; {back}")
        return cls(f"{said}; delete {folder}, then {back}")


class PortInUseError(DeploymentError):
    """Somebody else listens on the endpoint's port."""


class ClusterUnavailableError(DeploymentError, TransientError):
    """The Kubernetes API does not answer, or is too busy to."""


class PredictionLogError(MlopsError):
    """The prediction log holds what no version of the endpoint writes."""


class PredictionLogFullError(MlopsError):
    """A prediction cannot be logged; where the log must be complete it is not answered."""


class LedgerError(MlopsError):
    """The ledger of promotions cannot be read or written."""


class LedgerLockedError(LedgerError, TransientError):
    """Another process holds the ledger, or its server does not answer."""


class PromotionConflictError(LedgerError):
    """The champion changed between the decision to move it and the move."""


class PromotionRefusedError(LedgerError):
    """The version must not become champion this way."""


class DecisionStoreError(MlopsError):
    """The decisions of the retrain policy cannot be read or written."""


class DecisionStoreBusyError(DecisionStoreError, TransientError):
    """Another process holds the decisions or has decided meanwhile, or no server answers."""


class BacktestError(MlopsError):
    """The history of a model does not allow a backtest."""


class ReproductionError(MlopsError):
    """A version cannot be trained again as it was."""


class DottedPathError(MlopsError):
    """A dotted path in the configuration names nothing that can be imported."""


class AlertError(TransientError):
    """A message about an incident could not be delivered."""


class ReportError(MlopsError):
    """A page for people could not be drawn."""
