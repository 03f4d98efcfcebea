"""The connection to MLflow: its store or server, and its errors as ours.

What is logged stands in `run`, what is registered in `registry`.
"""

import logging
import os
import socket
import warnings
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mlops_assets.errors import TrackingError, TrackingUnavailableError
from mlops_assets.home import DATABASE
from mlops_assets.redaction import forget_secrets
from mlops_assets.runtime.atomic import ensure_folder, exclusive
from mlops_assets.runtime.postgres import QUOTING, is_torn
from resources.databases import postgres
from resources.tracking.database import address, local_database, make_ready, place_experiment

_DATABASES = ("postgresql", "mysql", "mssql")
_SCHEMA = "mlflow"


@dataclass(frozen=True)
class MLflowStore:
    """A tracking server, or a store that is created on first use: a sqlite file or a Postgres."""

    tracking_uri: str
    artifacts: str
    timeout_seconds: int = 5

    @contextmanager
    def connected(self) -> Generator[Any]:
        """MLflow, pointed at this store; its errors become ours."""
        self.require_server()
        _require_own(claim=False)
        # Its defaults retry an unreachable server for 261 s.
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        import mlflow  # 2-6 CPU s
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError  # of a store that cannot even be opened

        logging.getLogger("mlflow").setLevel(logging.WARNING)
        with not_exported("MLFLOW_TRACKING_URI"):
            mlflow.set_tracking_uri(self.tracking_uri)
        try:
            self.make_ready()
            yield mlflow
        except MlflowException as err:
            forget_secrets(err)
            raise self._ours(err, err.message) from err
        except SQLAlchemyError as err:
            forget_secrets(err)
            # Then come the statement and a link.
            raise self._ours(err, str(err).splitlines()[0]) from err

    @contextmanager
    def with_files(self) -> Generator[Any]:
        """The same for what reads or writes artifacts; a bucket that holds them has answered."""
        with self.connected() as mlflow, self._bucket():
            yield mlflow

    def make_ready(self) -> None:
        """Make a local store on first use, and let it follow when its folder was moved."""
        if database := local_database(self.tracking_uri):
            make_ready(database, self.artifacts)
        elif self.tracking_uri.startswith(_DATABASES):
            _require_driver(self.tracking_uri)
            if postgres.is_postgres(self.tracking_uri):
                _make_tables(self.tracking_uri)

    def _ours(self, err: Exception, said: str) -> TrackingError:
        if not postgres.is_postgres(self.tracking_uri):
            return TrackingError(f"MLflow at {self.tracking_uri} refused: {said}")
        from mlflow.exceptions import MlflowException

        cause = err.__cause__ if isinstance(err, MlflowException) else err  # it wraps its store's
        cause = cause or err
        kind = TrackingUnavailableError if postgres.is_away(cause) else TrackingError
        variables = (DATABASE, "MLFLOW_TRACKING_URI")
        return kind(postgres.explained("MLflow's store", self.tracking_uri, cause, *variables))

    def take(self) -> None:
        """Before a run does anything: the server answers, and the database is this project's.

        Raises:
            TrackingUnavailableError: No MLflow server answers.
            ForeignDatabaseError: The database of MLOPS_DATABASE is another project's.
            DatabaseError: It cannot be asked.
        """
        self.require_server()
        _require_own(claim=True)

    def require_server(self) -> None:
        """Ask a server for a connection, without MLflow: cheap enough before any other work.

        That it does not answer is a `TrackingUnavailableError`. A Postgres is asked as it is used.
        """
        if "://" not in self.tracking_uri and not self.tracking_uri.startswith("file:"):
            postgres.require_file_name(self.tracking_uri, "MLFLOW_TRACKING_URI")
        if self.tracking_uri.startswith(_DATABASES) and is_torn(self.tracking_uri):
            raise _no_address()
        parts = urlsplit(self.tracking_uri)
        if parts.scheme not in ("http", "https"):
            return
        try:
            port = parts.port or (443 if parts.scheme == "https" else 80)
        except ValueError:  # it quotes what may be a password
            raise _no_address() from None
        try:
            socket.create_connection((parts.hostname or "", port), self.timeout_seconds).close()
        except OSError as err:
            raise TrackingUnavailableError(
                f"no MLflow server answers at {parts.hostname}:{port} ({err}); start it, "
                "or correct MLFLOW_TRACKING_URI"
            ) from err

    def experiment(self, client: Any, name: str) -> str:
        """Id of the experiment, created if need be; its new runs keep their files in `artifacts`.

        Of an experiment that is there MLflow changes the place by no call: it is done from and to a
        bucket, where the store is a database of ours.
        """
        location = f"{address(self.artifacts)}/{name}"
        found = client.get_experiment_by_name(name)
        if found is None:
            with self.one_at_a_time():
                found = client.get_experiment_by_name(name)
                if found is None:
                    return client.create_experiment(name, location, _KIND)
        if not _KIND.items() <= found.tags.items():  # of an earlier release
            for tag, value in _KIND.items():
                client.set_experiment_tag(found.experiment_id, tag, value)
        places = {found.artifact_location, location}
        if len(places) > 1 and any(map(_is_in_bucket, places)) and self._is_database:
            place_experiment(self.tracking_uri, int(found.experiment_id), location)
        return found.experiment_id

    def one_at_a_time(self) -> AbstractContextManager[Any]:
        """One after the other come those who share the store, unless it is an MLflow server's."""
        if "://" not in self.artifacts:
            return exclusive(ensure_folder(Path(self.artifacts).absolute()) / ".lock")
        if database := local_database(self.tracking_uri):
            return exclusive(database.with_suffix(".runs.lock"))
        if postgres.is_postgres(self.tracking_uri):
            return postgres.one_at_a_time(postgres.ready(self.tracking_uri), "mlflow/runs")
        return nullcontext()

    def _bucket(self) -> AbstractContextManager[None]:
        if not _is_in_bucket(self.artifacts):
            return nullcontext()
        from resources.bucket.objects import reached

        return reached(self.artifacts)

    @property
    def _is_database(self) -> bool:
        return bool(local_database(self.tracking_uri)) or postgres.is_postgres(self.tracking_uri)


def _no_address() -> TrackingError:
    return TrackingError(f"MLFLOW_TRACKING_URI is no address; write one {QUOTING}")


_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""MLflow shows the pages of classic machine learning, and asks nobody which kind it is."""


def _is_in_bucket(place: str) -> bool:
    return place.startswith("s3://")


def store_uri(named: str, database: str) -> str:
    """MLflow's address of its schema in the `database` of everybody, or what else was named."""
    return named if not database else postgres.schema_address(database, _SCHEMA)


@cache
def _make_tables(uri: str) -> None:
    """Let MLflow make or check its tables once in a process: those who do so at once fail."""
    from mlflow import MlflowClient

    with postgres.one_at_a_time(postgres.ready(uri), "mlflow/tables"), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of SQLAlchemy, about MLflow
        MlflowClient(uri, uri).search_experiments(max_results=1)


def _require_driver(uri: str) -> None:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import SQLAlchemyError

    try:
        make_url(uri).get_dialect().import_dbapi()
    except ModuleNotFoundError as err:
        raise TrackingError(
            f"MLFLOW_TRACKING_URI is a database whose driver {err.name!r} is not installed; "
            "install it, name one that is, as `postgresql+psycopg2://...` does, or set the "
            "variable to an MLflow server"
        ) from err
    except (SQLAlchemyError, ValueError):
        return  # MLflow says of such an address what is wrong with it


def ui_url(tracking_uri: str, otherwise: str) -> str:
    """Address of the MLflow UI: the server's own, without its password; of a local store none."""
    parts = urlsplit(tracking_uri)
    if parts.scheme not in ("http", "https"):
        return otherwise.rstrip("/")
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))


def ui_page(tracking_uri: str, otherwise: str, place: str) -> str:
    """Address of a page of the MLflow UI, as those see it who train models."""
    return f"{ui_url(tracking_uri, otherwise)}/#/{place}?workflowType=machine_learning"


def _require_own(*, claim: bool) -> None:
    from resources.bucket.store_of_facts import require_own  # with nothing else at load

    require_own(claim=claim)


@contextmanager
def not_exported(name: str) -> Generator[None]:
    """Take back what MLflow exports by this variable: a child may be about something else."""
    before = os.environ.get(name)
    try:
        yield
    finally:
        os.environ.pop(name, None)
        if before is not None:
            os.environ[name] = before
