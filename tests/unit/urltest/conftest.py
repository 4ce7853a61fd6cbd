"""How the property tests of this room run."""

from hypothesis import HealthCheck, settings

# The first example pays for imports, and the machine may be busy: neither says anything about the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
