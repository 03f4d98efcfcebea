"""What the processes of `test_postgres_registry` do, as if each were on a machine of its own.

Started as a module, with the database's address in MLOPS_DATABASE: for each line it shares what it
has registered of that model, features of its own name, and says `shared`.
"""

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from mlops_assets.records.data import FeatureView
from mlops_assets.serving.online.feast import import_feast
from resources.databases.feast_registry import SharedRegistry
from resources.offline_features import feast_objects


def view_of(model: str, who: str) -> FeatureView:
    entity = {"name": f"id_{who}", "dtype": "int64"}
    features = {f"spend_{who}": "float64", f"country_{who}": "string"}
    return FeatureView.model_validate(
        {"name": model, "entity": entity, "features": features, "ttl": "31d"}
    )


def register(file: Path, model: str, who: str) -> None:
    """As Feast does it in a file, which is what a publication shares."""
    import_feast()
    from feast import FeatureStore, RepoConfig

    config = RepoConfig(
        project=model,
        provider="local",
        registry={"registry_type": "file", "path": str(file), "cache_ttl_seconds": 0},
        online_store=None,
        offline_store={"type": "duckdb"},
        entity_key_serialization_version=3,
    )
    FeatureStore(config=config).apply(feast_objects(view_of(model, who), file.with_name(who)))


def main(who: str) -> None:
    """Race by what the lines say."""
    with TemporaryDirectory() as folder:
        for line in sys.stdin:
            model = line.strip()
            file = Path(folder, model)
            if not file.exists():
                register(file, model, who)
            SharedRegistry(os.environ["MLOPS_DATABASE"], model).put(file)
            sys.stdout.write("shared\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1])
