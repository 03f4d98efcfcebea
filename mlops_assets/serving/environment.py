"""The environment variables that one process sets for another: deployer, supervisor, worker, pod.

What a person sets, e.g. MLOPS_HOME, is read in `mlops_assets.home` and `definitions`.
"""

ENDPOINT = "MLOPS_ENDPOINT"
"""The endpoint's folder."""
PORT, HOST_NAME, ADDRESS = "MLOPS_PORT_SERVED", "MLOPS_HOST_NAME", "MLOPS_ADDRESS"
"""Where to listen; the host's name or address, and the pod's own."""
WORKERS, CODE, SUPERVISOR = "MLOPS_WORKERS", "MLOPS_CODE", "MLOPS_SUPERVISOR"
"""How many workers, of which code, and the process id of who looks after them."""
MANIFEST = "MLOPS_MANIFEST"
"""Of a pod: the generation that it serves."""
POD = "MLOPS_POD"
"""Of a pod: its name, for the names of what it writes."""
