"""EC2: tags of launch templates and descriptions of rules between groups are answered as they were given."""

from typing import Any

from moto.ec2.models.launch_templates import LaunchTemplate
from moto.ec2.models.security_groups import SecurityGroupRule

_init_template = LaunchTemplate.__init__


def install() -> None:
    """Mend what is kept."""
    LaunchTemplate.__init__ = _template_without_own_tags
    SecurityGroupRule.description = property(_description)


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
