"""The security of the installation on AWS: network rules, encryption and rights.

Each environment is planned on an AWS on loopback. What is known only after an apply, such as the policies with their
ARNs, is read from the production that test_terraform_apply.py builds there.
"""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest
from support.fake_aws.server import FakeAws
from support.terraform import ENVIRONMENTS, Terraform, arguments
from support.terraform_installation import Installation, plan
from support.terraform_plans import Plan, resources
from support.terraform_policies import read_reasons, stars, statements, unused

pytestmark = pytest.mark.aws

ANYBODY = {"0.0.0.0/0", "::/0"}
_REGION = re.compile(r"\b(?:af|ap|ca|cn|eu|il|me|mx|sa|us)(?:-gov|-iso[a-z]?)?-[a-z]+-\d\b")


@pytest.fixture(scope="module")
def plans(aws: FakeAws, aws_account: Path, local_terraform: Terraform) -> dict[str, Plan]:
    """The plan of each environment in an account that has what every account has once."""
    terraform = Terraform(local_terraform.folder, aws.environment)
    return {environment: plan(terraform, *arguments(environment)) for environment in ENVIRONMENTS}


@pytest.fixture(params=ENVIRONMENTS)
def planned(request: pytest.FixtureRequest, plans: dict[str, Plan]) -> Plan:
    return plans[request.param]


def only(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the values of the only one."""
    ((_, values),) = found.items()
    return values


# -- who reaches what --------------------------------------------------------------------------------------


def test_the_internet_reaches_the_public_load_balancer_alone(planned: Plan) -> None:
    open_rules = {
        (address, rule["from_port"], rule["to_port"], rule["ip_protocol"])
        for address, rule in resources(planned, "aws_vpc_security_group_ingress_rule").items()
        if {rule.get("cidr_ipv4"), rule.get("cidr_ipv6")} != {None} or rule.get("prefix_list_id")
    }
    assert {rule[1:] for rule in open_rules} == {(80, 80, "tcp"), (443, 443, "tcp")}
    assert len(open_rules) == 2


def test_rules_are_in_resources_of_their_own(planned: Plan) -> None:
    assert not resources(planned, "aws_security_group_rule")
    for group in resources(planned, "aws_*security_group").values():
        assert not group.get("ingress")
        assert not group.get("egress")


def test_the_open_rules_are_of_the_public_load_balancers_group(aws_production: Installation) -> None:
    built = aws_production.built
    public = [one for one in resources(built, "aws_lb").values() if not one["internal"]]
    (balancer,) = public
    for address, rule in resources(built, "aws_vpc_security_group_ingress_rule").items():
        if rule["cidr_ipv4"] or rule["cidr_ipv6"]:
            assert [rule["security_group_id"]] == balancer["security_groups"], address
        else:
            assert rule["referenced_security_group_id"], address


def test_databases_are_reached_by_groups_that_use_them_alone(aws_production: Installation) -> None:
    built = aws_production.built
    names = {one["id"]: one["name"] for one in resources(built, "aws_security_group").values()}
    rules = resources(built, "aws_vpc_security_group_ingress_rule").values()
    clients = {
        port: {names[one["referenced_security_group_id"]].removeprefix("coinrequest-production-") for one in found}
        for port in (5432, 6379)
        for found in [[one for one in rules if one["from_port"] <= port <= one["to_port"]]]
    }
    assert clients == {
        5432: {"web", "scheduler", "triggerer", "agent", "gateway"},
        6379: {"web", "scheduler", "agent", "gateway"},
    }


def test_nothing_is_open_for_a_shell(planned: Plan) -> None:
    for rule in resources(planned, "aws_vpc_security_group_*_rule").values():
        assert rule["ip_protocol"] == "tcp", "all ports are never meant"
        assert not rule["from_port"] <= 22 <= rule["to_port"]
    for template in resources(planned, "aws_launch_template").values():
        assert not template.get("key_name")
        (interface,) = template["network_interfaces"]
        assert interface["associate_public_ip_address"] == "false"
    for subnet in resources(planned, "aws_subnet").values():
        assert not subnet["map_public_ip_on_launch"]


def test_instances_and_data_are_in_subnets_that_are_not_public(aws_production: Installation) -> None:
    built = aws_production.built
    kinds = {
        values["id"]: address.split(".")[-1].split("[")[0] for address, values in resources(built, "aws_subnet").items()
    }
    groups = resources(built, "aws_autoscaling_group").values()
    assert {kinds[one] for group in groups for one in group["vpc_zone_identifier"]} == {"private"}
    for kind in ("aws_db_subnet_group", "aws_elasticache_subnet_group"):
        assert {kinds[one] for one in only(resources(built, kind))["subnet_ids"]} == {"isolated"}
    for balancer in resources(built, "aws_lb").values():
        assert {kinds[one] for one in balancer["subnets"]} == ({"private"} if balancer["internal"] else {"public"})


# -- encryption --------------------------------------------------------------------------------------------


def test_the_database_is_private_encrypted_and_backed_up(planned: Plan) -> None:
    database = only(resources(planned, "aws_db_instance"))
    assert database["engine"] == "postgres"
    assert database["publicly_accessible"] is False
    assert database["storage_encrypted"] is True
    assert database["backup_retention_period"] >= 1
    assert database["deletion_protection"] is True
    assert database["manage_master_user_password"] is True
    assert not database.get("password")
    parameters = only(resources(planned, "aws_db_parameter_group"))["parameter"]
    assert {"rds.force_ssl": "1"}.items() <= {one["name"]: one["value"] for one in parameters}.items()


def test_redis_is_encrypted(planned: Plan) -> None:
    redis = only(resources(planned, "aws_elasticache_replication_group"))
    assert redis["transit_encryption_enabled"] is True
    assert redis["transit_encryption_mode"] == "required"
    assert redis["at_rest_encryption_enabled"] in (True, "true")
    # It would be in the state; the program that sets it is seen at work in test_terraform_apply.py.
    assert not redis.get("auth_token")


def test_disks_are_encrypted_and_metadata_asks_for_a_token(planned: Plan) -> None:
    for template in resources(planned, "aws_launch_template").values():
        (metadata,) = template["metadata_options"]
        assert metadata["http_tokens"] == "required"
        assert metadata["http_put_response_hop_limit"] == 1
        for disk in template["block_device_mappings"]:
            assert disk["ebs"][0]["encrypted"] == "true"


def test_buckets_are_private_and_encrypted(planned: Plan) -> None:
    buckets = resources(planned, "aws_s3_bucket")
    blocks = resources(planned, "aws_s3_bucket_public_access_block").values()
    assert len(buckets) == len(blocks) >= 2
    for block in blocks:
        names = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
        assert all(block[name] for name in names)
    assert len(resources(planned, "aws_s3_bucket_server_side_encryption_configuration")) == len(buckets)
    assert not resources(planned, "aws_s3_bucket_acl")
    assert not any(bucket["force_destroy"] for bucket in buckets.values())


def test_public_requests_are_encrypted(planned: Plan) -> None:
    for listener in resources(planned, "aws_lb_listener").values():
        if listener["protocol"] == "HTTPS":
            assert listener["ssl_policy"].startswith("ELBSecurityPolicy-TLS13-1-2-")
        else:
            (action,) = listener["default_action"]
            assert listener["port"] == 80
            assert action["redirect"][0]["protocol"] == "HTTPS"


# -- who may do what ---------------------------------------------------------------------------------------


def test_every_star_has_a_reason(aws: FakeAws, aws_account: Path, aws_production: Installation) -> None:
    bootstrap = Terraform(aws_account / "bootstrap", aws.environment).json("show")
    found = [*stars(aws_production.built), *stars(bootstrap)]
    reasons = read_reasons(Path(__file__).with_name("terraform_stars.yaml"))
    unexplained = [star for star in found if not any(one.covers(star) for one in reasons)]
    assert not unexplained, "stars without a reason in terraform_stars.yaml:\n" + "\n".join(map(str, unexplained))
    assert not unused(reasons, found), "reasons without a star:\n" + "\n".join(unused(reasons, found))


def test_policies_trust_only_services_and_the_account(aws_production: Installation) -> None:
    for address, statement in statements(aws_production.built):
        principal = statement.get("Principal", {})
        if statement["Effect"] == "Allow" and isinstance(principal, dict):
            assert set(principal) <= {"Service", "AWS"}, address
            # A star is among those that have a reason.
            assert principal.get("AWS", "*") in ("*", "arn:aws:iam::123456789012:root"), address


# -- where, and whose --------------------------------------------------------------------------------------


def test_everything_is_in_one_region(aws_production: Installation) -> None:
    text = json.dumps(aws_production.built)
    for address, values in resources(aws_production.built, "aws_launch_template").items():
        text += base64.b64decode(values["user_data"]).decode(errors="replace")
        assert values["user_data"], address
    assert set(_REGION.findall(text)) == {"eu-west-1"}


def test_everything_is_tagged(planned: Plan) -> None:
    for address, values in resources(planned, "aws_*").items():
        if values.get("tags_all") is not None:
            assert {"Project": "coinrequest", "ManagedBy": "terraform"}.items() <= values["tags_all"].items(), address


def test_another_region_is_refused(aws: FakeAws, local_terraform: Terraform) -> None:
    terraform = Terraform(local_terraform.folder, aws.environment)
    done = terraform.run("plan", *arguments("production", region="elsewhere-1"))
    assert done.returncode == 1
    assert "eu-west-1 only" in done.stdout


def test_another_account_is_refused(aws: FakeAws, local_terraform: Terraform) -> None:
    terraform = Terraform(local_terraform.folder, aws.environment)
    done = terraform.run("plan", *arguments("production", account_id="210987654321"))
    assert done.returncode == 1
    assert "not allowed" in done.stdout
