"""EC2: tags of launch templates and descriptions of rules are answered as they were given, and a network goes whole."""

from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.instances import Instance
from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.models.security_groups import SecurityGroupRule

_init_template = LaunchTemplate.__init__
_delete_vpc = EC2Backend.delete_vpc
_delete_nat_gateway = EC2Backend.delete_nat_gateway
_terminate = Instance.terminate


def install() -> None:
    """Mend what is kept."""
    LaunchTemplate.__init__ = _template_without_own_tags
    SecurityGroupRule.description = property(_description)
    EC2Backend.delete_vpc = _delete_whole_vpc
    EC2Backend.delete_nat_gateway = _delete_nat_gateway_with_interface
    Instance.terminate = _terminate_with_interfaces


def _template_without_own_tags(
    self: LaunchTemplate, backend: Any, name: str, template_data: dict[str, Any], *words: Any, **values: Any
) -> None:
    """Leave the tags of the template itself out of what it tags; moto puts them there."""
    given = template_data.get("TagSpecifications", [])
    template_data["TagSpecifications"] = [one for one in given if one["ResourceType"] != "launch-template"]
    _init_template(self, backend, name, template_data, *words, **values)


def _description(self: SecurityGroupRule) -> str | None:
    found: str | None = self.ip_range.get("Description") or self.source_group.get("Description")
    return found


def _delete_whole_vpc(self: EC2Backend, vpc_id: str) -> Any:
    """Delete its default network ACL too, which AWS makes and deletes with it."""
    answer = _delete_vpc(self, vpc_id)
    for name in [name for name, one in self.network_acls.items() if one.vpc_id == vpc_id]:
        del self.network_acls[name]
    return answer


def _delete_nat_gateway_with_interface(self: EC2Backend, nat_gateway_id: str) -> Any:
    gateway = _delete_nat_gateway(self, nat_gateway_id)
    self.enis.pop(gateway._eni.id, None)
    return gateway


def _terminate_with_interfaces(self: Instance) -> Any:
    """Delete the interfaces too, as the launch templates ask for."""
    for interface in self.nics.values():
        interface.delete_on_termination = True
    return _terminate(self)
