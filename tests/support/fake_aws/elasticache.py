"""ElastiCache: parameter groups, deleting subnet groups, and what a replication group's nodes and token look like.

https://docs.aws.amazon.com/AmazonElastiCache/latest/APIReference/Welcome.html
"""

import re
from dataclasses import dataclass, field
from typing import Any

from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult, EmptyResult, PaginatedResult
from moto.elasticache.exceptions import CacheClusterNotFound
from moto.elasticache.models import ElastiCacheBackend, ReplicationGroup
from moto.elasticache.responses import ElastiCacheResponse


@dataclass
class ParameterGroup:
    """One parameter group, with what was set in it."""

    description: dict[str, Any]
    values: dict[str, str] = field(default_factory=dict)


class ParameterGroupNotFound(ServiceException):
    """What AWS answers for a parameter group that is not there."""

    code = "CacheParameterGroupNotFound"


_groups: dict[str, ParameterGroup] = {}

_create_group = ElastiCacheBackend.create_replication_group
_delete_group = ElastiCacheBackend.delete_replication_group
_modify_group = ElastiCacheResponse.modify_replication_group
_describe_clusters = ElastiCacheBackend.describe_cache_clusters


def install() -> None:
    """Add and mend the calls."""
    for call in (
        create_cache_parameter_group,
        describe_cache_parameter_groups,
        describe_cache_parameters,
        modify_cache_parameter_group,
        delete_cache_parameter_group,
        delete_cache_subnet_group,
        modify_replication_group,
    ):
        setattr(ElastiCacheResponse, call.__name__, call)
    for change in (create_replication_group, delete_replication_group, describe_cache_clusters):
        setattr(ElastiCacheBackend, change.__name__, change)


# -- parameter and subnet groups ---------------------------------------------------------------------------


def create_cache_parameter_group(self: ElastiCacheResponse) -> ActionResult:
    """CreateCacheParameterGroup."""
    name = self._get_param("CacheParameterGroupName")
    arn = f"arn:aws:elasticache:{self.region}:{self.current_account}:parametergroup:{name}"
    _groups[name] = ParameterGroup(
        {
            "CacheParameterGroupName": name,
            "CacheParameterGroupFamily": self._get_param("CacheParameterGroupFamily"),
            "Description": self._get_param("Description"),
            "IsGlobal": False,
            "ARN": arn,
        }
    )
    # moto's pattern knows no such ARN.
    self.elasticache_backend.arn_regex = re.compile(r"arn:aws:elasticache:")
    self.elasticache_backend.tagging_service.tag_resource(arn, self._get_param("Tags", []))
    return ActionResult({"CacheParameterGroup": _groups[name].description})


def describe_cache_parameter_groups(self: ElastiCacheResponse) -> ActionResult:
    """DescribeCacheParameterGroups."""
    name = self._get_param("CacheParameterGroupName")
    found = [_group(name)] if name else list(_groups.values())
    return PaginatedResult({"CacheParameterGroups": [group.description for group in found]})


def describe_cache_parameters(self: ElastiCacheResponse) -> ActionResult:
    """DescribeCacheParameters: those that somebody set."""
    values = _group(self._get_param("CacheParameterGroupName")).values
    parameters = [{"ParameterName": key, "ParameterValue": value, "Source": "user"} for key, value in values.items()]
    return PaginatedResult({"Parameters": parameters})


def modify_cache_parameter_group(self: ElastiCacheResponse) -> ActionResult:
    """ModifyCacheParameterGroup."""
    name = self._get_param("CacheParameterGroupName")
    for pair in self._get_param("ParameterNameValues", []):
        _group(name).values[pair["ParameterName"]] = pair["ParameterValue"]
    return ActionResult({"CacheParameterGroupName": name})


def delete_cache_parameter_group(self: ElastiCacheResponse) -> ActionResult:
    """DeleteCacheParameterGroup."""
    name = self._get_param("CacheParameterGroupName")
    _group(name)
    del _groups[name]
    return EmptyResult()


def delete_cache_subnet_group(self: ElastiCacheResponse) -> ActionResult:
    """DeleteCacheSubnetGroup."""
    self.elasticache_backend.cache_subnet_groups.pop(self._get_param("CacheSubnetGroupName"), None)
    return EmptyResult()


def _group(name: str) -> ParameterGroup:
    if name not in _groups:
        raise ParameterGroupNotFound(f"CacheParameterGroup {name} not found")
    return _groups[name]


# -- replication groups ------------------------------------------------------------------------------------


def create_replication_group(self: ElastiCacheBackend, *words: Any, **values: Any) -> ReplicationGroup:
    """Mend what moto makes of the flags, which come as text, and of the number of nodes, which it does not read."""
    nodes = values.get("num_cache_clusters") or 1
    group = _create_group(self, *words, **values | {"replicas_per_node_group": nodes - 1})
    for flag in ("at_rest_encryption_enabled", "transit_encryption_enabled", "auto_minor_version_upgrade"):
        setattr(group, flag, str(values.get(flag)).lower() == "true")
    return group


def modify_replication_group(self: ElastiCacheResponse) -> ActionResult:
    """ModifyReplicationGroup with a token: ROTATE adds one to those that are valid, SET leaves it the only one."""
    token, strategy = self._get_param("AuthToken"), self._get_param("AuthTokenUpdateStrategy")
    name = self._get_param("ReplicationGroupId")
    answer = _modify_group(self)
    if token:
        group = self.elasticache_backend.replication_groups[name]
        if not group.transit_encryption_enabled:
            raise ServiceException("InvalidParameterCombination", "A token needs encryption in transit")
        if not group.auth_token_enabled and strategy == "SET":
            raise ServiceException("InvalidParameterValue", "The first token is given with ROTATE")
        group.auth_token_enabled = True
    return answer


def delete_replication_group(self: ElastiCacheBackend, *words: Any, **values: Any) -> ReplicationGroup:
    """Let the group go; with moto alone it is being deleted for ever."""
    group = _delete_group(self, *words, **values)
    self.replication_groups.pop(group.replication_group_id)
    return group


def describe_cache_clusters(self: ElastiCacheBackend, cache_cluster_id: str | None = None, **values: Any) -> Any:
    """Find the nodes of replication groups too."""
    for group in self.replication_groups.values():
        if cache_cluster_id in group.member_clusters:
            return [_node(self, group, cache_cluster_id)]
    if cache_cluster_id is not None and cache_cluster_id not in self.cache_clusters:
        raise CacheClusterNotFound(cache_cluster_id)
    return _describe_clusters(self, cache_cluster_id=cache_cluster_id, **values)


def _node(backend: ElastiCacheBackend, group: ReplicationGroup, name: str) -> dict[str, Any]:
    return {
        "CacheClusterId": name,
        "CacheClusterStatus": "available",
        "ARN": f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:cluster:{name}",
        "ReplicationGroupId": group.replication_group_id,
        "NumCacheNodes": 1,
        "CacheNodeType": group.cache_node_type,
        "Engine": group.engine,
        # AWS fills up what was asked for: 7.1 is given 7.1.0.
        "EngineVersion": f"{group.engine_version}.0"
        if str(group.engine_version).count(".") == 1
        else group.engine_version,
        "CacheParameterGroup": {
            "CacheParameterGroupName": group.cache_parameter_group_name,
            "ParameterApplyStatus": "in-sync",
        },
        "CacheSubnetGroupName": group.cache_subnet_group_name,
        "SecurityGroups": [{"SecurityGroupId": one, "Status": "active"} for one in group.security_group_ids or []],
        "AutoMinorVersionUpgrade": group.auto_minor_version_upgrade,
        "AtRestEncryptionEnabled": group.at_rest_encryption_enabled,
        "TransitEncryptionEnabled": group.transit_encryption_enabled,
        "TransitEncryptionMode": group.transit_encryption_mode,
        "AuthTokenEnabled": group.auth_token_enabled,
        "SnapshotRetentionLimit": group.snapshot_retention_limit or 0,
        "SnapshotWindow": group.snapshot_window,
        "PreferredMaintenanceWindow": group.preferred_maintenance_window or "sun:05:00-sun:06:00",
    }
