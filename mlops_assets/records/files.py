"""What an endpoint's folder holds, by name: written by one process, read by another.

Nothing here opens a file, and no name of a file that one module alone knows belongs here.
"""

# Of the endpoint.
MANIFEST_FILE = "deployment.json"
"""What its workers shall serve."""
VERIFIED_FILE = "verified.json"
"""The manifest to go back to; the deployer's, and of the template that gives a version up."""
LAUNCH_FILE = "launch.json"
"""With what the supervisor was started."""
STOPPED_FILE = "stopped"
"""It is there while the endpoint was stopped on purpose."""
APPLIED_FILE = "cluster.json"
"""What was applied to a cluster for it."""
TRIAL_FILE = "trial.json"
"""Of a trial in a cluster: how far it has come; touched by who waits for the verdict."""
ROLLOUTS_FILE = "rollouts.jsonl"
DEPLOY_LOCK = "deploy.lock"
SERVER_LOG = "server.log"
STATUS_FOLDER = "status"
"""A file of each worker: what it serves, and why not."""
TRIAL_FOLDER = "trial"
"""A file of each worker: what it counted while two versions stand beside each other."""
LOG_FOLDER = "predictions"
"""Lines of the prediction log that are in no Parquet file yet."""
METRICS_FOLDER = "metrics"
"""Figures of batch work, for `/metrics`."""
PROMETHEUS_FOLDER, TEMPORARY_FOLDER = "prometheus", "temporary"
VERSIONS_FOLDER, GENERATIONS_FOLDER = "versions", "generations"

# Of a version in it.
SERVABLE_FILE = "servable.json"
MODEL_FILE, ONNX_FILE = "model.skops", "model.onnx"
RECORDED_FILE = "recorded.json"
"""Requests, and what the model answered to them offline."""
CARD_FILE, PROFILE_FILE = "model_card.json", "reference_profile.json"
