"""Airflow's own routes, by who may call them (Airflow 3.3.2): a route that is missing here fails the matrix.

The level of a route was taken from its calls of the auth manager; `test_airflow_role_matrix.py` tests each.
"""

LEVELS: dict[str, str] = {
    # Without sign-in.
    "public": """
        GET /execution/changelog
        POST /auth/token
        POST /auth/token/cli
        GET /api/v2/monitor/health
        GET /api/v2/version
        GET /api/v2/auth/login
        GET /health
        GET /api/v1/{_:path}
        GET /api/{_:path}
        GET /{rest_of_path:path}
    """,
    # Everybody. The matrix leaves it out, since it ends the session.
    "session": """
        GET /auth/logout
        GET /api/v2/auth/logout
    """,
    # Everybody who is signed in.
    "signed in": """
        GET /api/v2/connections/enqueue-test
        GET /ui/auth/menus
        GET /ui/auth/me
        POST /ui/auth/token
        GET /ui/config
    """,
    # Switched off in Airflow.
    "nobody": """
        GET /ui/teams
        POST /api/v2/connections/enqueue-test
        GET /api/v2/config
        GET /api/v2/config/section/{section}/option/{option}
        POST /api/v2/connections/test
    """,
    # Users with the right to read some DAGs: only those are listed.
    "list": """
        GET /ui/dags
        GET /ui/dependencies
        GET /ui/dashboard/historical_metrics_data
        GET /ui/dashboard/dag_stats
        GET /api/v2/dagStats
        GET /api/v2/dagWarnings
        GET /api/v2/dags
        GET /api/v2/dagTags
    """,
    # Users with the right to read the DAG.
    "read": """
        GET /ui/dags/{dag_id}/dagRuns/{dag_run_id}/stats
        GET /ui/dags/{dag_id}/latest_run
        GET /ui/dags/{dag_id}/dagRuns/{dag_run_id}/deadlines
        GET /ui/dags/{dag_id}/deadlineAlerts
        GET /ui/grid/structure/{dag_id}
        GET /ui/grid/runs/{dag_id}
        GET /ui/grid/ti_summaries/{dag_id}
        GET /ui/gantt/{dag_id}/{run_id}
        GET /ui/calendar/{dag_id}
        GET RUN
        GET /api/v2/dags/{dag_id}/dagRuns
        GET RUN/wait
        POST /api/v2/dags/{dag_id}/dagRuns/list
        GET /api/v2/dagSources/{dag_id}
        GET /api/v2/dags/{dag_id}
        GET /api/v2/dags/{dag_id}/details
        POST /api/v2/dags/{dag_id}/favorite
        POST /api/v2/dags/{dag_id}/unfavorite
        GET RUN/taskInstances/{task_id}/links
        GET RUN/taskInstances/{task_id}/state-store
        GET RUN/taskInstances/{task_id}/state-store/{key:path}
        GET RUN/taskInstances/{task_id}/xcomEntries/{xcom_key:path}
        GET RUN/taskInstances/{task_id}/xcomEntries
        GET RUN/taskInstances/{task_id}
        GET RUN/taskInstances/{task_id}/listMapped
        GET RUN/taskInstances/{task_id}/{map_index}/dependencies
        GET RUN/taskInstances/{task_id}/dependencies
        GET RUN/taskInstances/{task_id}/tries
        GET RUN/taskInstances/{task_id}/{map_index}/tries
        GET RUN/taskInstances/{task_id}/{map_index}
        GET RUN/taskInstances
        POST RUN/taskInstances/list
        GET RUN/taskInstances/{task_id}/tries/{task_try_number}
        GET RUN/taskInstances/{task_id}/{map_index}/tries/{task_try_number}
        GET /api/v2/dags/{dag_id}/tasks
        GET /api/v2/dags/{dag_id}/tasks/{task_id}
        GET RUN/taskInstances/{task_id}/logs/{try_number}
        GET RUN/taskInstances/{task_id}/externalLogUrl/{try_number}
        GET /api/v2/dags/{dag_id}/dagVersions/{version_number}
        GET /api/v2/dags/{dag_id}/dagVersions
        GET RUN/taskInstances/{task_id}/{map_index}/hitlDetails
        GET RUN/taskInstances/{task_id}/{map_index}/hitlDetails/tries/{try_number}
        GET RUN/hitlDetails
        GET /ui/structure/structure_data
        GET /ui/backfills
        GET /api/v2/backfills
        GET /api/v2/backfills/{backfill_id}
    """,
    # About the installation: Viewer and above, but no role of a team.
    "view": """
        GET /ui/partitioned_dag_runs
        GET /ui/next_run_assets/{dag_id}
        GET /ui/pending_partitioned_dag_run/{dag_id}
        GET /api/v2/dags/{dag_id}/assets/queuedEvents
        GET /api/v2/dags/{dag_id}/assets/{asset_id}/queuedEvents
        GET RUN/upstreamAssetEvents
        GET /api/v2/assets
        GET /api/v2/assets/aliases
        GET /api/v2/assets/aliases/{asset_alias_id}
        GET /api/v2/assets/events
        GET /api/v2/assets/{asset_id}/queuedEvents
        GET /api/v2/assets/{asset_id}
        GET /api/v2/importErrors/{import_error_id}
        GET /api/v2/importErrors
        GET /api/v2/jobs
        GET /api/v2/pools/{pool_name:path}
        GET /api/v2/pools
        GET /api/v2/assets/{asset_id}/state-store
        GET /api/v2/assets/{asset_id}/state-store/{key:path}
    """,
    # Users with the right to run the DAG.
    "run": """
        PUT /api/v2/backfills/{backfill_id}/pause
        PUT /api/v2/backfills/{backfill_id}/unpause
        PUT /api/v2/backfills/{backfill_id}/cancel
        POST /api/v2/backfills
        POST /api/v2/backfills/dry_run
        PATCH RUN
        PATCH /api/v2/dags/{dag_id}/dagRuns
        POST RUN/clear
        POST /api/v2/dags/{dag_id}/dagRuns
        POST /api/v2/dags/{dag_id}/clearDagRuns
        POST /api/v2/dags/{dag_id}/clearPartitions
        PUT RUN/taskInstances/{task_id}/state-store/{key:path}
        PATCH RUN/taskInstances/{task_id}/state-store/{key:path}
        POST /api/v2/dags/{dag_id}/clearTaskInstances
        PATCH RUN/taskGroupInstances/{group_id}
        PATCH RUN/taskGroupInstances/{group_id}/dry_run
        PATCH RUN/taskInstances/{task_id}/{map_index}/dry_run
        PATCH RUN/taskInstances/{task_id}/dry_run
        PATCH RUN/taskInstances
        PATCH RUN/taskInstances/{task_id}/{map_index}
        PATCH RUN/taskInstances/{task_id}
        PATCH RUN/taskInstances/{task_id}/{map_index}/hitlDetails
    """,
    # Users with the right to change the DAG.
    "define": """
        PUT /api/v2/parseDagFile/{file_token}
        POST /api/v2/assets/events
        POST /api/v2/assets/{asset_id}/materialize
        DELETE /api/v2/assets/{asset_id}/queuedEvents
        DELETE /api/v2/dags/{dag_id}/assets/queuedEvents
        DELETE /api/v2/dags/{dag_id}/assets/{asset_id}/queuedEvents
        DELETE RUN
        PATCH /api/v2/dags/{dag_id}
        PATCH /api/v2/dags
        DELETE /api/v2/dags/{dag_id}
        PUT /api/v2/assets/{asset_id}/state-store/{key:path}
        DELETE /api/v2/assets/{asset_id}/state-store/{key:path}
        DELETE /api/v2/assets/{asset_id}/state-store
        DELETE RUN/taskInstances/{task_id}/state-store/{key:path}
        DELETE RUN/taskInstances/{task_id}/state-store
        POST RUN/taskInstances/{task_id}/xcomEntries
        PATCH RUN/taskInstances/{task_id}/xcomEntries/{xcom_key:path}
        DELETE RUN/taskInstances/{task_id}/xcomEntries/{xcom_key:path}
        DELETE RUN/taskInstances/{task_id}
    """,
    # Connections, variables, pools.
    "op": """
        GET /ui/connections/hook_meta
        DELETE /api/v2/connections/{connection_id}
        GET /api/v2/connections/{connection_id}
        GET /api/v2/connections
        POST /api/v2/connections
        PATCH /api/v2/connections
        PATCH /api/v2/connections/{connection_id}
        POST /api/v2/connections/defaults
        DELETE /api/v2/pools/{pool_name:path}
        PATCH /api/v2/pools/{pool_name:path}
        POST /api/v2/pools
        PATCH /api/v2/pools
        DELETE /api/v2/variables/{variable_key:path}
        GET /api/v2/variables/{variable_key:path}
        GET /api/v2/variables
        PATCH /api/v2/variables/{variable_key:path}
        POST /api/v2/variables
        PATCH /api/v2/variables
    """,
    # Plugins: Op and above in FAB.
    "installation": """
        GET /api/v2/plugins
        GET /api/v2/plugins/importErrors
        GET /api/v2/providers
    """,
    # The audit log: Admin in FAB.
    "audit": """
        GET /api/v2/eventLogs/{event_log_id}
        GET /api/v2/eventLogs
    """,
    # FAB's users and roles.
    "admin": """
        POST /auth/fab/v1/roles
        GET /auth/fab/v1/roles
        DELETE /auth/fab/v1/roles/{name}
        GET /auth/fab/v1/roles/{name}
        PATCH /auth/fab/v1/roles/{name}
        GET /auth/fab/v1/permissions
        POST /auth/fab/v1/users
        GET /auth/fab/v1/users
        GET /auth/fab/v1/users/{username}
        PATCH /auth/fab/v1/users/{username}
        DELETE /auth/fab/v1/users/{username}
    """,
}


_RUN = "/api/v2/dags/{dag_id}/dagRuns/{dag_run_id}"
# (method, path): level.
ROUTES: dict[tuple[str, str], str] = {}
for _level, _lines in LEVELS.items():
    for _line in _lines.strip().splitlines():
        _method, _path = _line.split()
        ROUTES[_method, _path.replace("RUN", _RUN)] = _level
