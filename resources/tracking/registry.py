"""The model registry: versions, their files, and the aliases that point at them.

What was logged when a version was trained stands in its run: `resources.tracking.run`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mlops_assets.errors import TrackingError
from mlops_assets.records.evaluation import ModelVersion
from mlops_assets.records.files import MODEL_FILE
from resources.tracking.store import MLflowStore


@dataclass(frozen=True)
class MLflowRegistry:
    """What is registered; which version is champion is the ledger's to say."""

    store: MLflowStore

    def download_model(self, model: ModelVersion, folder: Path) -> Path:
        """Fetch the version's files into `folder` and return its `model.skops`, not loaded.

        What was logged with the model stands beside it. Without a skops model, a `TrackingError`.
        """
        with self.store.with_files() as mlflow:
            path = Path(mlflow.artifacts.download_artifacts(model.uri, dst_path=str(folder)))
        for extra in (path / "extra_files").glob("*"):
            extra.rename(path / extra.name)
        file = path / MODEL_FILE
        if not file.exists():
            raise TrackingError(
                f"{model.uri} has no {MODEL_FILE} but {sorted(p.name for p in path.iterdir())}; "
                "only models logged in the skops format can be served"
            )
        return file

    def set_alias(self, model: ModelVersion, alias: str) -> None:
        """Point `alias` at the version."""
        with self.store.connected() as mlflow:
            mlflow.MlflowClient().set_registered_model_alias(model.name, alias, str(model.version))

    def tag(self, model: ModelVersion, tags: Mapping[str, str]) -> None:
        """Say something short of the version, in place of what was said before."""
        with self.store.connected() as mlflow:
            client = mlflow.MlflowClient()
            for name, value in tags.items():
                client.set_model_version_tag(model.name, str(model.version), name, value)

    def describe(self, model: ModelVersion, said: str, of_all: str) -> None:
        """The Markdown on the version's page, and on that of all versions of the model."""
        with self.store.connected() as mlflow:
            client = mlflow.MlflowClient()
            client.update_model_version(model.name, str(model.version), said)
            client.update_registered_model(model.name, of_all)

    def version_by_alias(self, name: str, alias: str) -> ModelVersion | None:
        """The version behind an alias; None when the model or the alias does not exist."""
        with self.store.connected() as mlflow:
            client = mlflow.MlflowClient()
            found = client.search_registered_models(filter_string=f"name='{name}'")
            number = found[0].aliases.get(alias) if found else None
            if number is None:
                return None
            run_id = client.get_model_version(name, number).run_id
        return model_version(name, int(number), run_id)

    def versions(self, name: str) -> list[int]:
        """The numbers of a model's versions, the oldest first; none of an unknown model."""
        with self.store.connected() as mlflow:
            found = mlflow.MlflowClient().search_model_versions(f"name='{name}'")
        return sorted(int(one.version) for one in found)

    def version(self, name: str, number: int) -> ModelVersion | None:
        """One version of a model; None when the registry does not have it."""
        with self.store.connected() as mlflow:
            from mlflow.exceptions import MlflowException

            try:
                run_id = mlflow.MlflowClient().get_model_version(name, str(number)).run_id
            except MlflowException as err:
                if err.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return None
        return model_version(name, number, run_id)


def model_version(name: str, number: int, run_id: str) -> ModelVersion:
    """The record of a version, with MLflow's address of it."""
    return ModelVersion(name=name, version=number, run_id=run_id, uri=f"models:/{name}/{number}")
