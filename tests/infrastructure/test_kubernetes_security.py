"""The security and availability of `kubernetes/`: secrets, rights, network rules, and the loss of a node."""

import configparser
import re
from typing import Any

import pytest
import yaml
from support.kubernetes_objects import (
    EVERYTHING,
    OVERLAYS,
    PROCESSES,
    ROOT,
    SERVERS,
    Manifest,
    containers,
    module,
    named,
    objects,
    of_kind,
    workloads,
)

pytestmark = pytest.mark.containers

COMPONENT = "app.kubernetes.io/component"
IN_CLOUD = OVERLAYS[1:]


def component_of(template: Manifest) -> str:
    return str(template["metadata"]["labels"][COMPONENT])


def selects(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Say whether a label selector matches (In and matchLabels, which are all that is used)."""
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    expressions = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in expressions)
    return all(labels.get(one["key"]) in one["values"] for one in expressions)


def egress(folder: str, component: str) -> list[dict[str, Any]]:
    """Return the rules for what pods of a component may reach."""
    return [
        rule
        for policy in of_kind(folder, "NetworkPolicy")
        if policy["metadata"]["namespace"] == "coinrequest"
        and selects(policy["spec"]["podSelector"], {COMPONENT: component})
        for rule in policy["spec"].get("egress", [])
    ]


def ingress(folder: str, component: str) -> list[dict[str, Any]]:
    """Return the rules for who may reach pods of a component."""
    return [
        rule
        for policy in of_kind(folder, "NetworkPolicy")
        if policy["metadata"]["namespace"] == "coinrequest"
        and selects(policy["spec"]["podSelector"], {COMPONENT: component})
        for rule in policy["spec"].get("ingress", [])
    ]


def reaches(rules: list[dict[str, Any]], side: str, component: str) -> bool:
    return any(
        selects(peer["podSelector"], {COMPONENT: component})
        for rule in rules
        for peer in rule[side]
        if "podSelector" in peer and "namespaceSelector" not in peer
    )


# -- pods --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", EVERYTHING)
def test_every_pod_keeps_to_the_restricted_standard_and_to_a_file_system_that_is_read_only(folder: str) -> None:
    for name, template in workloads(folder):
        spec = template["spec"]
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, name
        assert security["runAsUser"] == (999 if name in SERVERS else 50000), name
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["enableServiceLinks"] is False, name
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), name
        kinds = {kind for volume in spec.get("volumes", []) for kind in volume if kind != "name"}
        assert kinds <= {"emptyDir", "persistentVolumeClaim", "secret", "configMap"}, name
    for name, container in containers(folder):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "privileged": False,
            "readOnlyRootFilesystem": True,
        }, name
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), name
        assert {"cpu", "memory"} <= set(container["resources"]["limits"]), name


@pytest.mark.parametrize("folder", EVERYTHING)
def test_the_cluster_enforces_the_standard_in_every_namespace(folder: str) -> None:
    namespaces = of_kind(folder, "Namespace")
    assert namespaces
    for namespace in namespaces:
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    names = {one["metadata"]["name"] for one in namespaces}
    for document in objects(folder):
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] in names, document["metadata"]["name"]


@pytest.mark.parametrize("folder", EVERYTHING)
def test_only_pods_that_need_it_have_a_token_of_the_cluster(folder: str) -> None:
    needed = {"examples/isolated-tasks": {"scheduler"}, "examples/container-run": {"agent"}}.get(folder, set())
    assert {name for name, pod in workloads(folder) if pod["spec"]["automountServiceAccountToken"]} == needed
    assert all(account["automountServiceAccountToken"] is False for account in of_kind(folder, "ServiceAccount"))
    bound = {subject["name"] for one in of_kind(folder, "RoleBinding") for subject in one["subjects"]}
    assert bound == needed
    assert not of_kind(folder, "ClusterRole")
    accounts = [pod["spec"]["serviceAccountName"] for _, pod in workloads(folder)]
    assert len(accounts) == len(set(accounts)), "one account for each"


@pytest.mark.parametrize("folder", EVERYTHING)
def test_every_image_is_pinned(folder: str) -> None:
    for name, container in containers(folder):
        tag = re.fullmatch(r"(?:[a-z0-9.-]+/)*[a-z]+:([\w.-]+)", container["image"])
        assert tag, f"{name}: {container['image']}"
        assert tag[1] != "latest", name
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]
    for name, container in containers(folder):
        if name in SERVERS and container["name"] == name:
            assert container["image"] == compose[name]["image"], "the same as in Compose"


@pytest.mark.parametrize("folder", EVERYTHING)
def test_every_process_is_watched_by_its_own_check(folder: str) -> None:
    for name, template in workloads(folder):
        (container,) = template["spec"]["containers"]
        probes = [container.get(f"{kind}Probe") for kind in ("startup", "readiness", "liveness")]
        if name == "migrate":
            assert probes == [None] * 3
            continue
        assert all(probes), name
        if name in PROCESSES:
            assert probes[0]["exec"]["command"] == ["run-process", "health", name]
            # A start takes up to half a minute on a busy machine.
            assert probes[0]["failureThreshold"] * probes[0]["periodSeconds"] >= 300
            # A database or broker that fails over must not have everything restarted on top.
            assert probes[2]["failureThreshold"] * probes[2]["periodSeconds"] >= 120


# -- secrets -----------------------------------------------------------------------------------------------


def secret_names(container: Manifest) -> set[str]:
    return {source["secretRef"]["name"] for source in container.get("envFrom", []) if "secretRef" in source}


@pytest.mark.parametrize("folder", EVERYTHING)
def test_a_process_gets_its_own_secret_and_no_other(folder: str) -> None:
    assert not of_kind(folder, "Secret"), "secrets come from outside"
    for name, container in containers(folder):
        assert not any("secretKeyRef" in str(variable) for variable in container.get("env", [])), name
        if name in (*PROCESSES, "migrate"):
            own = container["name"] == "coinrequest"
            assert secret_names(container) == ({f"coinrequest-{name}"} if own else set())
    for name, template in workloads(folder):
        mounted = {
            volume["secret"]["secretName"] for volume in template["spec"].get("volumes", []) if "secret" in volume
        }
        assert mounted <= {f"coinrequest-{name}"}, name


@pytest.mark.parametrize("folder", EVERYTHING)
def test_no_secret_is_in_the_settings(folder: str) -> None:
    secret = re.compile(r"password|secret|jwt|fernet|sql_alchemy|broker_url|result_backend|registry_url|token", re.I)
    for document in of_kind(folder, "ConfigMap"):
        if document["metadata"]["name"].startswith("settings"):
            assert not [key for key in document["data"] if secret.search(key)]
            assert not [value for value in document["data"].values() if "@" in value]


def test_an_agent_has_neither_the_metadata_database_nor_the_secret_of_tokens(tmp_path: Any) -> None:
    write_secrets = module("../docker/write_secrets.py")
    development = module("development_secrets.py")
    write_secrets.write_all(tmp_path, "http://localhost:8080")
    values = development.secret_values(tmp_path)
    assert set(values["agent"]) == {
        "AIRFLOW__CELERY__BROKER_URL",
        "AIRFLOW__CELERY__RESULT_BACKEND",
        "COINREQUEST_REGISTRY_URL",
    }
    holders = {name for name, content in values.items() if "AIRFLOW__API_AUTH__JWT_SECRET" in content}
    assert holders == {"api-server", "scheduler"}
    assert "coinrequest_reader:" in values["agent"]["COINREQUEST_REGISTRY_URL"]
    # The passwords of the servers and of their clients are the same.
    assert f":{values['rabbitmq']['RABBITMQ_DEFAULT_PASS']}@rabbitmq:" in values["gateway"]["COINREQUEST_CHANNEL_URL"]
    assert values["redis"]["redis.conf"].split()[1] in values["agent"]["AIRFLOW__CELERY__BROKER_URL"]
    # Everything that development's pods ask for is there.
    wanted = {name for _, one in containers(OVERLAYS[0]) for name in secret_names(one)} | {"coinrequest-redis"}
    lists = development.manifests(values)["items"]
    assert wanted <= {one["metadata"]["name"] for one in lists}
    assert all(one["metadata"]["namespace"] == "coinrequest" and one["kind"] == "Secret" for one in lists)


@pytest.mark.parametrize("folder", IN_CLOUD)
def test_the_documented_keys_are_those_that_development_has(folder: str, tmp_path: Any) -> None:
    """The page is the guide for filling the Secrets from a vault."""
    page = (ROOT / "docs" / "how-to" / "kubernetes.md").read_text()
    rows = re.findall(r"^\| `coinrequest-([a-z-]+)` \| (.+) \|$", page, re.M)
    documented = {name: set(re.findall(r"`([A-Z_]+)`", keys)) for name, keys in rows}
    write_secrets = module("../docker/write_secrets.py")
    development = module("development_secrets.py")
    write_secrets.write_all(tmp_path, "http://localhost:8080")
    values = development.secret_values(tmp_path)
    needed = {name: set(values[name]) for name in (*PROCESSES, "migrate")}
    assert documented == needed
    asked = {name for _, one in containers(folder) for name in secret_names(one)}
    assert asked == {f"coinrequest-{name}" for name in documented}


# -- networks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", EVERYTHING)
def test_traffic_is_denied_unless_a_rule_allows_it(folder: str) -> None:
    for namespace in of_kind(folder, "Namespace"):
        default = [
            policy
            for policy in of_kind(folder, "NetworkPolicy")
            if policy["metadata"]["namespace"] == namespace["metadata"]["name"]
            and policy["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
        ]
        assert len(default) == 1, namespace["metadata"]["name"]
    for policy in of_kind(folder, "NetworkPolicy"):
        for direction, side in (("ingress", "from"), ("egress", "to")):
            for rule in policy["spec"].get(direction, []):
                assert rule[side], "an empty list of peers means everybody"
                assert rule.get("ports") or policy["metadata"]["name"] == "to-the-world"


@pytest.mark.parametrize("folder", EVERYTHING)
def test_no_pod_reaches_the_metadata_of_the_cloud(folder: str) -> None:
    for policy in of_kind(folder, "NetworkPolicy"):
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                cidr = peer.get("ipBlock", {}).get("cidr")
                if cidr == "0.0.0.0/0":
                    assert {"10.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"} <= set(
                        peer["ipBlock"]["except"]
                    )
                elif cidr == "::/0":
                    # AWS has it at fd00:ec2::254.
                    assert "fc00::/7" in peer["ipBlock"]["except"]
                elif cidr:
                    assert cidr in {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"}


def test_the_allowed_traffic_between_components() -> None:
    folder = OVERLAYS[0]
    clients = {
        "postgres": {*PROCESSES, "migrate"},
        "redis": {"agent", "api-server", "gateway", "scheduler"},
        "rabbitmq": {"gateway"},
        "api-server": {"agent"},
    }
    for server, expected in clients.items():
        outgoing = {name for name, _ in workloads(folder) if reaches(egress(folder, name), "to", server)}
        incoming = {name for name, _ in workloads(folder) if reaches(ingress(folder, server), "from", name)}
        assert outgoing == incoming == expected, server
    for nobody in ("agent", "scheduler", "gateway", "migrate"):
        assert not ingress(folder, nobody)


@pytest.mark.parametrize("folder", IN_CLOUD)
def test_the_routes_for_agents_are_not_public(folder: str) -> None:
    (one,) = of_kind(folder, "Ingress")
    hosts = [rule["host"] for rule in one["spec"]["rules"]]
    assert one["spec"]["tls"][0]["hosts"] == hosts
    (rule,) = one["spec"]["rules"]
    paths = {path["path"]: path["backend"]["service"]["name"] for path in rule["http"]["paths"]}
    assert paths == {"/execution": "nobody", "/": "api-server"}
    selector = named(folder, "Service", "nobody")["spec"]["selector"]
    assert not [
        name for name, pod in workloads(folder) if selects({"matchLabels": selector}, pod["metadata"]["labels"])
    ]
    assert all(service["spec"].get("type", "ClusterIP") == "ClusterIP" for service in of_kind(folder, "Service"))
    address = named(folder, "ConfigMap", "settings")["data"]["COINREQUEST_BASE_URL"]
    assert address == f"https://{hosts[0]}"


# -- scaling and moving --------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", OVERLAYS)
def test_an_agent_that_is_terminated_has_time_for_its_tasks(folder: str) -> None:
    agent = named(folder, "Deployment", "agent")["spec"]["template"]
    assert agent["spec"]["terminationGracePeriodSeconds"] >= (120 if folder == OVERLAYS[0] else 3600)
    assert agent["metadata"]["annotations"]["cluster-autoscaler.kubernetes.io/safe-to-evict"] == "false"


@pytest.mark.parametrize("folder", IN_CLOUD)
def test_agents_are_scaled_by_the_tasks_that_need_them(folder: str) -> None:
    configuration = configparser.ConfigParser(interpolation=None)
    configuration.read(ROOT / "config" / "airflow.cfg")
    scaled = named(folder, "ScaledObject", "agent")["spec"]
    (trigger,) = scaled["triggers"]
    assert trigger["metadata"]["targetValue"] == configuration["celery"]["worker_concurrency"]
    assert trigger["metadata"]["format"] == "prometheus"
    exposed = (ROOT / "coinrequest" / "metrics" / "prometheus.py").read_text()
    assert f'"{trigger["metadata"]["valueLocation"]}"' in exposed
    (token,) = named(folder, "TriggerAuthentication", trigger["authenticationRef"]["name"])["spec"]["secretTargetRef"]
    assert token["name"] == "coinrequest-api-server"
    assert 1 <= scaled["minReplicaCount"] < scaled["maxReplicaCount"]
    for name in ("agent", "api-server"):
        assert "replicas" not in named(folder, "Deployment", name)["spec"], "applying it again would undo the scaling"


def test_production_survives_the_loss_of_a_node() -> None:
    folder = "overlays/production"
    budgets = {one["spec"]["selector"]["matchLabels"][COMPONENT] for one in of_kind(folder, "PodDisruptionBudget")}
    assert budgets == set(PROCESSES)
    for one in of_kind(folder, "Deployment"):
        keys = {spread["topologyKey"] for spread in one["spec"]["template"]["spec"]["topologySpreadConstraints"]}
        assert keys == {"topology.kubernetes.io/zone", "kubernetes.io/hostname"}
        assert one["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    for name in ("scheduler", "triggerer", "gateway"):
        assert named(folder, "Deployment", name)["spec"]["replicas"] >= 2
    assert named(folder, "HorizontalPodAutoscaler", "api-server")["spec"]["minReplicas"] >= 2
    assert named(folder, "ScaledObject", "agent")["spec"]["minReplicaCount"] >= 2
