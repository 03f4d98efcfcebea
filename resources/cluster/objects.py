"""What a cluster must hold for an endpoint, as the objects of its API.

Pure: the same settings and the same generation give the same objects. A pod may do next to nothing:
no root, no token, no capability, a root file system that it cannot write, and of the state only
what its version needs.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from mlops_assets.blocks.cluster import ClusterSettings
from mlops_assets.blocks.operation import DeploymentSettings
from mlops_assets.records.rollout import Role
from mlops_assets.runtime.telemetry import SWITCHES
from mlops_assets.serving.environment import ADDRESS, ENDPOINT, HOST_NAME, MANIFEST, POD, PORT
from resources.cluster.api import MANAGER, Object
from resources.cluster.placement import CLAIM, place
from resources.cluster.scaling import autoscaler

GENERATION = "mlops-assets/generation"
"""Label of a pod: the generation that it serves."""
CONTAINER = "endpoint"
KSERVE_CONTAINER = "kserve-container"
"""KServe looks for a container of this name."""
USER = 10001
"""Of the image, see deploy/docker/Dockerfile."""
PRE_STOP_SECONDS = 5
"""Until every node has taken a pod that ends out of its Service; without, requests are lost."""
_GRACE_SECONDS = PRE_STOP_SECONDS + 55
"""With `serving.process.connections.DRAIN_SECONDS`, and `LONGEST_REQUEST_SECONDS` of `workers`."""
EVERYWHERE = "0.0.0.0"  # noqa: S104  the pod's own network; its NetworkPolicy says who gets in
"""Not the pod's address alone: `kubectl port-forward` and debuggers come by localhost."""
_SERVICE = "app.kubernetes.io/name"
"""Label by which a Service and its guard find pods, also those of a canary that shares it."""
_ON_TRIAL = "--c"
"""Short, since KServe appends `-predictor` to 50 characters; `__` is in no model's name."""
_OWN = "/endpoint"
"""The pod's own folder."""
_STRATEGY = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
"""One pod more at a time, never one less."""


@dataclass(frozen=True)
class Mount:
    """A folder of the claim, at the same path in the pod."""

    path: Path
    writable: bool = False


@dataclass(frozen=True)
class Plan:
    """One generation of one endpoint in a cluster."""

    model: str
    generation: int
    manifest_file: Path
    mounts: tuple[Mount, ...]
    shared: Path
    """Where the claim is mounted here."""
    settings: DeploymentSettings
    cluster: ClusterSettings
    one_node: bool = True
    """Whether the claim is attached to one node at a time."""
    role: Role = "primary"
    """Of a version on trial: its objects stand beside the primary's."""

    @property
    def name(self) -> str:
        """Of every object: a DNS label."""
        name = object_name(self.model)
        return name if self.role == "primary" else f"{name}{_ON_TRIAL}"

    @property
    def service(self) -> str:
        """The Service that sends requests to the pods: of a canary without a gateway, both's."""
        return self.name if self.cluster.gateway else object_name(self.model)

    @property
    def labels(self) -> dict[str, str]:
        """Of all pods of the role, whatever generation."""
        component = "endpoint" if self.role == "primary" else self.role
        return {_SERVICE: self.service, "app.kubernetes.io/component": component}


def object_name(model: str) -> str:
    """The name of a model's objects."""
    return model.replace("_", "-")


def service_hosts(model: str, cluster: ClusterSettings) -> tuple[str, ...]:
    """The names under which the model's Service is asked, by our Deployment's or KServe's rules."""
    name = object_name(model)
    services = [f"{one}.{cluster.namespace}" for one in (name, f"{name}-predictor")]
    given = urlsplit(cluster.url or "").hostname
    inside = [f"{one}{domain}" for one in services for domain in ("", ".svc", ".svc.cluster.local")]
    return (*inside, given) if given else tuple(inside)


def kubernetes_objects(plan: Plan) -> list[Object]:
    """A Deployment of pods behind a Service, and what keeps them available."""
    if plan.service != plan.name:
        return [_deployment(plan)]
    objects = [*_guards(plan), _service(plan), _deployment(plan)]
    if plan.cluster.replicas.scales:
        scaling = autoscaler(plan.name, plan.cluster.replicas)
        objects.append(_object(plan, "autoscaling/v2", "HorizontalPodAutoscaler", scaling))
    return objects


def kserve_objects(plan: Plan) -> list[Object]:
    """An InferenceService; its Deployment, Service and autoscaler are KServe's to make."""
    replicas = plan.cluster.replicas
    predictor = {
        "minReplicas": replicas.min,
        "maxReplicas": replicas.most,
        "scaleMetric": "cpu",
        "scaleTarget": replicas.cpu_percent,
        "labels": _pod_labels(plan),
        "annotations": _scraped(plan),
        "deploymentStrategy": _STRATEGY,
        **_pod(plan, KSERVE_CONTAINER),
    }
    service = _object(
        plan, "serving.kserve.io/v1beta1", "InferenceService", {"predictor": predictor}
    )
    service["metadata"]["annotations"] = {"serving.kserve.io/deploymentMode": "Standard"}
    return [*_guards(plan), service]


def _object(plan: Plan, api: str, kind: str, spec: Object) -> Object:
    labels = plan.labels | {"app.kubernetes.io/managed-by": MANAGER}
    metadata = {"name": plan.name, "labels": labels}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


def _guards(plan: Plan) -> list[Object]:
    """Who may ask the pods, and how many may be away at once."""
    selector = {"matchLabels": {_SERVICE: plan.service}}
    admitted = [{"podSelector": {}}] + [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}}}
        for namespace in plan.cluster.admit
    ]
    ports = [{"protocol": "TCP", "port": plan.settings.port}]
    policy = {
        "podSelector": selector,
        "policyTypes": ["Ingress"],
        "ingress": [{"from": admitted, "ports": ports}],
    }
    guards = [_object(plan, "networking.k8s.io/v1", "NetworkPolicy", policy)]
    if plan.cluster.replicas.min > 1:
        budget = {"maxUnavailable": 1, "selector": {"matchLabels": plan.labels}}
        guards.append(_object(plan, "policy/v1", "PodDisruptionBudget", budget))
    return guards


def _service(plan: Plan) -> Object:
    ports = [{"name": "http", "port": plan.settings.port, "targetPort": plan.settings.port}]
    return _object(plan, "v1", "Service", {"selector": {_SERVICE: plan.service}, "ports": ports})


def _deployment(plan: Plan) -> Object:
    """Without its number of replicas: that is the autoscaler's too, see `with_replicas`."""
    pods = {"labels": _pod_labels(plan), "annotations": _scraped(plan)}
    spec = {
        "selector": {"matchLabels": plan.labels},
        "strategy": _STRATEGY,
        "revisionHistoryLimit": 1,  # the way back is the deployer's, with the checks of a version
        "progressDeadlineSeconds": int(plan.cluster.start_timeout.total_seconds()),
        "template": {"metadata": pods, "spec": _pod(plan, CONTAINER)},
    }
    return _object(plan, "apps/v1", "Deployment", spec)


def with_replicas(deployment: Object, replicas: int) -> Object:
    """The same Deployment with a number of pods."""
    return deployment | {"spec": deployment["spec"] | {"replicas": replicas}}


def _pod_labels(plan: Plan) -> dict[str, str]:
    return plan.labels | {GENERATION: str(plan.generation), CLAIM: plan.cluster.claim}


def _scraped(plan: Plan) -> dict[str, str]:
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/path": "/metrics",
        "prometheus.io/port": str(plan.settings.port),
    }


def _pod(plan: Plan, container: str) -> Object:
    cluster = plan.cluster
    spec: Object = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": USER,
            "runAsGroup": USER,
            "fsGroup": USER,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **place(plan.labels, plan.cluster.claim, one_node=plan.one_node),
        "containers": [_container(plan, container)],
        "volumes": [
            {"name": "own", "emptyDir": {"sizeLimit": "256Mi"}},
            {"name": "state", "persistentVolumeClaim": {"claimName": cluster.claim}},
        ],
    }
    if cluster.node_selector:
        spec["nodeSelector"] = dict(cluster.node_selector)
    if cluster.image_pull_secret:
        spec["imagePullSecrets"] = [{"name": cluster.image_pull_secret}]
    return spec


def _container(plan: Plan, name: str) -> Object:
    granted, port = plan.cluster.resources, plan.settings.port
    limits = {"memory": granted.memory} | ({"cpu": granted.cpu_limit} if granted.cpu_limit else {})
    asked = {"cpu": granted.cpu, "memory": granted.memory}
    start = int(plan.cluster.start_timeout.total_seconds())
    return {
        "name": name,
        "image": plan.cluster.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "mlops_assets.serving.process.pod"],
        "env": _environment(plan),
        "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
        "resources": {"requests": asked, "limits": limits},
        "startupProbe": _probe("/readyz", port, period=1, failures=start),
        "readinessProbe": _probe("/readyz", port, period=2, failures=3),
        "livenessProbe": _probe("/livez", port, period=10, failures=6),
        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [
            {"name": "own", "mountPath": _OWN},
            *(_mounted(plan, mount) for mount in plan.mounts),
        ],
    }


def _probe(path: str, port: int, *, period: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period,
        "timeoutSeconds": 5,
        "failureThreshold": failures,
    }


def _mounted(plan: Plan, mount: Mount) -> Object:
    return {
        "name": "state",
        "mountPath": str(mount.path),
        "subPath": str(mount.path.relative_to(plan.shared)),
        "readOnly": not mount.writable,
    }


def _environment(plan: Plan) -> list[Object]:
    plain = {
        ENDPOINT: _OWN,
        MANIFEST: str(plan.manifest_file),
        HOST_NAME: EVERYWHERE,
        PORT: str(plan.settings.port),
        "HOME": _OWN,
        "TMPDIR": f"{_OWN}/temporary",
        "BENTOML_HOME": f"{_OWN}/bentoml",
        "PROMETHEUS_MULTIPROC_DIR": f"{_OWN}/prometheus",
        **SWITCHES,
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONSAFEPATH": "1",
    }
    told = {ADDRESS: "status.podIP", POD: "metadata.name"}
    secrets = plan.cluster.secrets.items()
    return [
        *({"name": name, "value": value} for name, value in plain.items()),
        *({"name": n, "valueFrom": {"fieldRef": {"fieldPath": path}}} for n, path in told.items()),
        *(
            {"name": name, "valueFrom": {"secretKeyRef": secret.model_dump()}}
            for name, secret in secrets
        ),
    ]
