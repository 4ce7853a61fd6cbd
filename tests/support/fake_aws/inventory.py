"""What exists in it, so that a test can say what an installation has left behind."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from support.fake_aws.server import ACCOUNT, FakeAws

Described = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """A kind of things: which call lists them, how one is named, and which of them count as there."""

    service: str
    call: str
    result: str
    name: str
    words: Mapping[str, Any] | None = None
    there: Callable[[Described], bool] = lambda _: True


def _state_is_not(*states: str) -> Callable[[Described], bool]:
    return lambda one: one.get("State") not in states


_KINDS = (
    Kind("acm", "list_certificates", "CertificateSummaryList", "DomainName"),
    Kind("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
    Kind("autoscaling", "describe_policies", "ScalingPolicies", "PolicyName"),
    Kind("budgets", "describe_budgets", "Budgets", "BudgetName", {"AccountId": ACCOUNT}),
    Kind("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    Kind("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    Kind("ec2", "describe_addresses", "Addresses", "AllocationId"),
    Kind("ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    Kind("ec2", "describe_instances", "Reservations", "ReservationId", there=lambda one: bool(_running(one))),
    Kind("ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    Kind("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateName"),
    Kind("ec2", "describe_nat_gateways", "NatGateways", "NatGatewayId", there=_state_is_not("deleted")),
    Kind("ec2", "describe_network_acls", "NetworkAcls", "NetworkAclId"),
    Kind("ec2", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
    Kind("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    Kind("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    Kind("ec2", "describe_subnets", "Subnets", "SubnetId"),
    Kind("ec2", "describe_volumes", "Volumes", "VolumeId"),
    Kind("ec2", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", there=_state_is_not("deleted")),
    Kind("ec2", "describe_vpcs", "Vpcs", "VpcId"),
    Kind("ecr", "describe_repositories", "repositories", "repositoryName"),
    Kind("elasticache", "describe_cache_parameter_groups", "CacheParameterGroups", "CacheParameterGroupName"),
    Kind("elasticache", "describe_cache_subnet_groups", "CacheSubnetGroups", "CacheSubnetGroupName"),
    Kind("elasticache", "describe_replication_groups", "ReplicationGroups", "ReplicationGroupId"),
    Kind("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"),
    Kind("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName"),
    Kind("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    Kind("iam", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
    Kind("iam", "list_policies", "Policies", "PolicyName", {"Scope": "Local"}),
    Kind("iam", "list_roles", "Roles", "RoleName"),
    Kind("kms", "list_aliases", "Aliases", "AliasName"),
    Kind("logs", "describe_log_groups", "logGroups", "logGroupName"),
    Kind("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    Kind("rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"),
    Kind("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
    Kind("rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    Kind("rds", "describe_event_subscriptions", "EventSubscriptionsList", "CustSubscriptionId"),
    Kind(
        "resourcegroupstaggingapi",
        "get_resources",
        "ResourceTagMappingList",
        "ResourceARN",
        there=lambda one: _stays(one),
    ),
    Kind("route53", "list_hosted_zones", "HostedZones", "Name"),
    Kind("s3", "list_buckets", "Buckets", "Name"),
    Kind("secretsmanager", "list_secrets", "SecretList", "Name", {"IncludePlannedDeletion": True}),
    Kind("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    Kind("sns", "list_topics", "Topics", "TopicArn"),
    Kind("wafv2", "list_web_acls", "WebACLs", "Name", {"Scope": "REGIONAL"}),
)


def inventory(aws: FakeAws) -> set[str]:
    """Return everything that is there, each as `service: name`; a key that is on its way out is not."""
    return {f"{kind.service}: {one[kind.name]}" for kind in _KINDS for one in _all(aws, kind) if kind.there(one)} | {
        *_keys(aws),
        *_records(aws),
    }


def _all(aws: FakeAws, kind: Kind) -> Iterator[Described]:
    client = aws.client(kind.service)
    words = dict(kind.words or {})
    if not client.can_paginate(kind.call):
        yield from getattr(client, kind.call)(**words)[kind.result]
        return
    for page in client.get_paginator(kind.call).paginate(**words):
        yield from page[kind.result]


def _stays(tagged: Described) -> bool:
    """Say whether it is no thing that AWS lists for a while after its end; the other kinds tell whether it lives."""
    return not re.search(r":(?:instance|natgateway|key)/", tagged["ResourceARN"])


def _running(reservation: Described) -> list[Described]:
    return [one for one in reservation["Instances"] if one["State"]["Name"] != "terminated"]


def _keys(aws: FakeAws) -> Iterator[str]:
    client = aws.client("kms")
    for key in client.list_keys()["Keys"]:
        described = client.describe_key(KeyId=key["KeyId"])["KeyMetadata"]
        # AWS never deletes a key at once, and makes keys of its own when a service is first used.
        if described["KeyState"] != "PendingDeletion" and not described["Description"].startswith("Default "):
            yield f"kms: {key['KeyId']}"


def _records(aws: FakeAws) -> Iterator[str]:
    client = aws.client("route53")
    for zone in client.list_hosted_zones()["HostedZones"]:
        for record in client.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]:
            yield f"route53: {record['Type']} {record['Name']}"
