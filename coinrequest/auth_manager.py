"""Sign-in and roles: FAB, without its rows for each DAG (`[core] auth_manager`).

Where the auth manager's name holds "FabAuthManager", Airflow's dag-processor writes seven permission rows for each DAG,
each in a transaction of its own: 80 ms a DAG, 7 s of its only loop for one shard of new types (measured at 10,000
types). They serve roles that may see single DAGs. This project gives rights by role for all job types, so it does
without: the name below is what keeps them away (`airflow.dag_processing.collection`, Airflow 3.3.2;
`tests/api/test_publishing_contract.py` fails when that changes).
"""

from airflow.providers.fab.auth_manager.fab_auth_manager import FabAuthManager


class RoleAuthManager(FabAuthManager):
    """FAB's users, roles and sign-in, as they are."""
