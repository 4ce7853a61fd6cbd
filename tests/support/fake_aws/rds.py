"""RDS: what an instance and a parameter group were given, of which moto forgets parts."""

from collections.abc import Iterable
from typing import Any

from moto.rds.models import DBInstance, DBParameterGroup

# The argument of CreateDBInstance and the attribute that is answered.
_SETTINGS = {
    "enable_performance_insights": "performance_insights_enabled",
    "performance_insights_kms_key_id": "performance_insights_kms_key_id",
    "performance_insights_retention_period": "performance_insights_retention_period",
    "network_type": "network_type",
}
_init_instance = DBInstance.__init__
_update_parameters = DBParameterGroup.update_parameters


def install() -> None:
    """Mend what is kept."""
    DBInstance.__init__ = _whole_instance
    DBParameterGroup.update_parameters = _parameters_of_users


def _whole_instance(self: DBInstance, *words: Any, **values: Any) -> None:
    _init_instance(self, *words, **values)
    for given, answered in _SETTINGS.items():
        if values.get(given) is not None:
            setattr(self, answered, values[given])


def _parameters_of_users(self: DBParameterGroup, new_parameters: Iterable[dict[str, Any]]) -> None:
    """Say of each parameter that somebody set it: others are not told apart."""
    _update_parameters(self, [{**one, "Source": "user"} for one in new_parameters])
