"""What describes a version, beside its model file wherever it is served: card, profile, lock."""

import hashlib

from mlops_assets.home import project
from mlops_assets.model_versions.fetched import FetchedVersion
from mlops_assets.model_versions.provenance import LOCK_FILE
from mlops_assets.records.files import CARD_FILE, PROFILE_FILE
from mlops_assets.records.serving import Servable
from resources.tracking.tracking import MLflowTracking


def documented(servable: Servable, one: FetchedVersion, tracking: MLflowTracking) -> Servable:
    """Write the documents of a version beside its file, and name them with their checksums.

    A document that nobody made is not among them.
    """
    run = tracking.run_of(one.version)
    texts = {name: run.read_text(name) for name in (CARD_FILE, PROFILE_FILE)}
    contents = {name: text.encode() for name, text in texts.items() if text is not None}
    lock = project() / LOCK_FILE  # of the environment that the version is checked in now
    if lock.exists():
        contents[LOCK_FILE] = lock.read_bytes()
    for name, content in contents.items():
        one.file.with_name(name).write_bytes(content)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}
    return servable.model_copy(update={"documents": digests})
