"""By what the number of an endpoint's pods follows its load; how many may be, the settings say."""

from mlops_assets.blocks.cluster import ReplicaSettings
from resources.cluster.api import Object

IN_FLIGHT = "model_requests_in_flight"
"""The custom metric that deploy/prometheus/adapter.yaml makes of what an endpoint tells."""


def autoscaler(deployment: str, replicas: ReplicaSettings) -> Object:
    """The `spec` of a HorizontalPodAutoscaler for the Deployment."""
    return {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": deployment},
        "minReplicas": replicas.min,
        "maxReplicas": replicas.most,
        "metrics": [_scaled_by(replicas)],
    }


def _scaled_by(replicas: ReplicaSettings) -> Object:
    if replicas.in_flight is None:
        used = {"type": "Utilization", "averageUtilization": replicas.cpu_percent}
        return {"type": "Resource", "resource": {"name": "cpu", "target": used}}
    most = {"type": "AverageValue", "averageValue": f"{round(replicas.in_flight * 1000)}m"}
    return {"type": "Pods", "pods": {"metric": {"name": IN_FLIGHT}, "target": most}}
