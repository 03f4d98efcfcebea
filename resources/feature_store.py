"""The feature store: Feast, configured in memory, one project per model.

The offline store is DuckDB: Feast's default store silently drops training rows whose features are
missing or expired; rows for training are joined by `resources.offline_features`. Nothing of Feast
leaves this module but its configuration as plain JSON.

Features are computed in `mlops_assets.ml.features`; the endpoint reads them by
`mlops_assets.serving.online`.
"""

import contextlib
import io
import json
import os
import shutil
import sqlite3
import warnings
from collections.abc import Generator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from mlops_assets.errors import ConfigError, FeatureStoreError
from mlops_assets.records.data import FeatureView, references, stored_name
from mlops_assets.runtime.atomic import ensure_folder, exclusive
from mlops_assets.serving.online.moments import resolution
from mlops_assets.serving.online.secrets import with_secrets

if TYPE_CHECKING:
    import pandas as pd

    from mlops_assets.ml.file_part import Part
    from mlops_assets.ml.stored_rows import StoredRows
    from resources.bucket.mirror import Mirror
    from resources.databases.feast_registry import SharedRegistry
    from resources.offline_features import Columns, OfflineFeatures


class FeastFeatureStore(dg.ConfigurableResource):
    """One definition of a model's features for training (offline) and serving (online)."""

    root: str = Field(description="Folder of the registries, feature files and online stores.")
    bucket: str = Field("", description="Where the first two are for all machines: s3://NAME/...")
    database: str = Field("", description="A Postgres that has the registries: postgresql://...")
    online_store: str = Field(
        "",
        description="Feast's configuration of an online store with a server, as JSON, secrets as "
        "`${NAME}`; default: a sqlite file for each model.",
    )

    def publish(self, view: FeatureView, rows: "Part") -> datetime:
        """Make `rows` the view's features, offline and by id online; returns their newest moment.

        Online, each entity's newest row that is not older than the view's TTL, counted from now or
        from the newest row of all, if that is earlier; older ones could not be served anyway. Of
        those a sqlite store keeps the moment, so that an answer can say that they have expired.

        The rows have the entity's column, `event_timestamp` (UTC), and one column per feature.
        """
        from mlops_assets.ml.frames import TIMESTAMP
        from resources.offline_features import write_features

        folder, shared = ensure_folder(self._folder(view)), self._shared(view)
        with exclusive(folder / "lock"), shared.alone():
            write_features(folder / "features.parquet", rows, self._files.write)
            # Feast rewrites its registry in place; workers must never read half of one.
            registry, following = folder / "registry.db", folder / "registry.next.db"
            following.unlink(missing_ok=True)
            with self._quiet():
                self._publish(view, rows, following)
            if self.database:
                shared.put(following)
                following.replace(registry)
            else:
                self._files.write(registry, following.replace)
        return rows[TIMESTAMP].max().floor("us").to_pydatetime()

    def _publish(self, view: FeatureView, rows: "Part", registry: Path) -> None:
        from mlops_assets.ml.frames import TIMESTAMP
        from mlops_assets.serving.online.waiting import patiently
        from resources.offline_features import feast_objects
        from resources.online_table import newest_of_each, write_newest

        newest = rows[TIMESTAMP].max().to_pydatetime(warn=False)
        oldest = min(newest, datetime.now(UTC)) - view.ttl
        file = self._online_file(view)
        if file is not None:  # before Feast opens it: a file that others use is not made anew
            self._keep_readers_going(view)
            write_newest(file, view, newest_of_each(rows, view), oldest)
        store = self._store(view, registry)
        store.apply(feast_objects(view, self._folder(view) / "features.parquet"))
        if file is not None:
            registered = store.get_feature_view(view.name)
            store.registry.apply_materialization(registered, view.name, oldest, newest)
        elif view.entity is not None:
            patiently(lambda: store.materialize(start_date=oldest, end_date=newest))

    def _online_file(self, view: FeatureView) -> str | None:
        """The sqlite file of the online store, where it is nothing more than one."""
        if view.entity is None:
            return None
        online = with_secrets(self._online_store(view))
        plain = online["type"] == "sqlite" and online.keys() <= {"type", "path"}
        return online["path"] if plain else None

    def offline_file(self, view: FeatureView) -> Path:
        """Parquet of all offline features, under the names of `stored_name`.

        A `FeatureStoreError` if there is none.
        """
        file = self._folder(view) / "features.parquet"
        if not self._files.get(file):
            raise FeatureStoreError(
                f"no features of {view.name!r} in {self.root}; materialize {view.name}/features"
            )
        return file

    def oldest(self, view: FeatureView) -> datetime:
        """The oldest moment of the offline features, as fine as the online store keeps it."""
        import pandas as pd

        from mlops_assets.ml.frames import TIMESTAMP

        file = self.offline_file(view)
        moments = pd.read_parquet(file, columns=[TIMESTAMP])[TIMESTAMP]
        return moments.min().floor(pd.Timedelta(self.resolution(view))).to_pydatetime()

    def training_rows(self, view: FeatureView, keys: "pd.DataFrame") -> "pd.DataFrame":
        """Join to each key the features known at its time (point in time).

        The keys are the entity, `event_timestamp` (UTC), and whatever else shall be kept. After
        them come the features, sorted by time and entity, so that equal input gives equal order.
        Every row asked for is there once; a check asserts it.
        """
        import pandas as pd

        rows, columns = self._as_of(view, keys)
        return pd.DataFrame({**dict(rows.items()), **dict(columns)}, copy=False)

    def training_file(
        self, view: FeatureView, keys: "pd.DataFrame", path: Path, said: Mapping[str, Any]
    ) -> "StoredRows":
        """The rows of `training_rows` in a file, which says of itself what is `said` of them."""
        from resources.offline_features import joined_file

        return joined_file(path, *self._as_of(view, keys), said)

    def _as_of(self, view: FeatureView, keys: "pd.DataFrame") -> "tuple[pd.DataFrame, Columns]":
        from mlops_assets.ml.frames import TIMESTAMP

        features = {name: stored_name(name) for name in view.features}
        rows, columns = self._registered(view).as_of(keys, view.key.name, features)
        rows[TIMESTAMP] = rows[TIMESTAMP].dt.as_unit("ns")
        return rows, columns

    def online_rows(self, view: FeatureView, entities: Sequence[int | str]) -> "pd.DataFrame":
        """The values that serving would read, one row per known entity, in the order asked for."""
        import pandas as pd

        from mlops_assets.ml.frames import TIMESTAMP
        from mlops_assets.serving.online.feast import stored_of
        from mlops_assets.serving.online.waiting import patiently

        store = self._store(view, self._folder(view) / "registry.db")
        keys = [{stored_name(view.key.name): entity} for entity in entities]
        names = references(view)
        answer = patiently(lambda: store.get_online_features(features=names, entity_rows=keys))
        found = {e: row for e, row in stored_of(view, entities, answer).items() if row is not None}
        known = [entity for entity in entities if entity in found]
        moments = pd.to_datetime([found[entity].as_of for entity in known], utc=True)
        columns = {
            view.key.name: pd.Series(known, dtype=view.key.column_dtype),
            TIMESTAMP: pd.Series(moments).astype("datetime64[ns, UTC]"),
        }
        for name, dtype in view.features.items():
            values = [found[entity].features[name] for entity in known]
            columns[name] = pd.Series(values, dtype="float64" if dtype == "float64" else "object")
        return pd.DataFrame(columns)

    def resolution(self, view: FeatureView) -> timedelta:
        """How fine the moments are that the online store keeps."""
        return resolution(self._online_store(view))

    def serving_config(self, view: FeatureView) -> dict[str, Any]:
        """What a worker needs to open the online store by itself: Feast's RepoConfig as JSON."""
        return self._config(view, self._known_registry(view))

    def _known_registry(self, view: FeatureView) -> Path:
        """The file of what was published last, by whichever machine."""
        registry = self._folder(view) / "registry.db"
        if not self._shared(view).get(registry):
            self._files.get(registry)
        return registry

    def _shared(self, view: FeatureView) -> "SharedRegistry":
        from resources.databases.feast_registry import SharedRegistry

        return SharedRegistry(self.database, view.name)

    @property
    def _files(self) -> "Mirror":
        from resources.bucket.mirror import Mirror

        return Mirror(Path(self.root).resolve(), self.bucket)

    def _folder(self, view: FeatureView) -> Path:
        return Path(self.root, view.name).resolve()

    def _config(self, view: FeatureView, registry: Path) -> dict[str, Any]:
        return {
            "project": view.name,
            "provider": "local",
            "registry": {"registry_type": "file", "path": str(registry), "cache_ttl_seconds": 0},
            "online_store": self._online_store(view) if view.entity is not None else None,
            "offline_store": {"type": "duckdb"},
            "entity_key_serialization_version": 3,
        }

    def _online_store(self, view: FeatureView) -> dict[str, Any]:
        if not self.online_store:
            return {"type": "sqlite", "path": str(self._folder(view) / "online.db")}
        try:
            store = json.loads(self.online_store)
            return {"type": store.pop("type"), **store}
        except (ValueError, KeyError, AttributeError) as err:
            raise ConfigError(
                "MLOPS_ONLINE_STORE is no JSON object with a `type`, as Feast's `online_store` is, "
                'e.g. {"type": "redis", "connection_string": "redis:6379"}'
            ) from err

    def _keep_readers_going(self, view: FeatureView) -> None:
        """Keep a write-ahead log: workers read the state before, and never wait for a write."""
        path = self._folder(view) / "online.db"
        if not path.exists():
            return
        try:
            with contextlib.closing(sqlite3.connect(path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as err:
            raise FeatureStoreError(
                f"cannot write to the online store {path}: {err}. End what uses it, or where it "
                f"is damaged delete {path}*, and materialize {view.name}/features again."
            ) from err

    def _store(self, view: FeatureView, registry: Path) -> Any:
        from mlops_assets.serving.online.feast import open_feast

        self.offline_file(view)
        config = with_secrets(self._config(view, registry))
        if (config["online_store"] or {}).get("type") == "redis":
            # Else it keeps what it has of the same moment or a later one, be it wrong.
            config["online_store"]["skip_dedup"] = True
        # Else the SDK, where it writes, holds a message for each value of all entities.
        return open_feast({**config, "materialization": {"online_write_batch_size": 10_000}})

    def _registered(self, view: FeatureView) -> "OfflineFeatures":
        """What Feast says the view is, of the feature file beside the registry.

        Feast knows it by the full path that was registered, also where the folder was moved or
        copied; then it is registered again.
        """
        from resources.offline_features import feast_objects, registered

        folder = self._folder(view)
        registry, following = self._known_registry(view), folder / "registry.next.db"
        known = registered(self._store(view, registry), view)
        if known.file == folder / "features.parquet":
            return known
        with exclusive(folder / "lock"), self._quiet():
            published = registry.stat()
            shutil.copyfile(registry, following)
            self._store(view, following).apply(feast_objects(view, folder / "features.parquet"))
            # `/metrics` tells the age of the features by it.
            os.utime(following, ns=(published.st_atime_ns, published.st_mtime_ns))
            following.replace(registry)
            self._files.keep(registry)
        return registered(self._store(view, registry), view)

    @contextlib.contextmanager
    def _quiet(self) -> Generator[None]:
        """Feast prints its progress and what it uses is deprecated; neither helps a user."""
        from mlops_assets.serving.online.feast import import_feast

        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            import_feast()  # here, since importing it changes the filters of everybody
            warnings.simplefilter("ignore", DeprecationWarning)
            yield
