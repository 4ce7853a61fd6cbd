# What each role runs and may know. coinrequest/install/process_secrets.py has the table of who gets which secret: an
# agent, which runs definitions that others wrote, gets neither the metadata database nor the key that signs tokens.

locals {
  settings = {
    COINREQUEST_BASE_URL                     = local.url
    AIRFLOW__API__BASE_URL                   = local.url
    AIRFLOW__CORE__EXECUTOR                  = "CeleryExecutor"
    AIRFLOW__CORE__EXECUTION_API_SERVER_URL  = "${module.load_balancer.internal_url}/execution/"
    AIRFLOW__CORE__HOSTNAME_CALLABLE         = "socket.gethostname"
    AIRFLOW__CORE__LOAD_EXAMPLES             = var.load_examples ? "True" : "False"
    AIRFLOW__LOGGING__JSON_LOGS              = "True"
    AIRFLOW__LOGGING__REMOTE_LOGGING         = "True"
    AIRFLOW__LOGGING__REMOTE_BASE_LOG_FOLDER = "s3://${module.storage.task_log_bucket}/tasks"
    AIRFLOW__LOGGING__REMOTE_LOG_CONN_ID     = "task_logs"
    AIRFLOW__LOGGING__DELETE_LOCAL_LOGS      = "True"
    AIRFLOW_CONN_TASK_LOGS                   = "aws://?region_name=${var.region}"
  }

  roles = {
    web = {
      processes = ["api-server"]
      secrets   = ["database-owner", "database-reader", "fernet-key", "jwt-secret", "redis", "api-secret-key"]
      # Uvicorn believes the load balancer about the address of a client; nobody else reaches it.
      settings      = { FORWARDED_ALLOW_IPS = var.vpc_cidr }
      swap          = "1G"
      drain_seconds = 120
      task_logs     = "read"
    }
    scheduler = {
      processes     = ["scheduler", "dag-processor"]
      secrets       = ["database-owner", "database-reader", "fernet-key", "jwt-secret", "redis"]
      settings      = { AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME = tostring(var.scheduler_idle_seconds) }
      swap          = "1G"
      drain_seconds = 120
      task_logs     = "write"
    }
    triggerer = {
      processes     = ["triggerer"]
      secrets       = ["database-owner", "database-reader", "fernet-key"]
      settings      = {}
      swap          = "1G"
      drain_seconds = 120
      task_logs     = "write"
    }
    agent = {
      processes = ["agent"]
      secrets   = ["database-reader", "redis"]
      settings = merge(
        {
          AIRFLOW__CELERY__WORKER_CONCURRENCY = tostring(var.agent_concurrency)
          # Ten minutes: where there is one web server alone, its reboot takes longer than the default waits.
          AIRFLOW__WORKERS__EXECUTION_API_RETRIES = "60"
        },
        var.mail == null ? {} : { COINREQUEST_MAIL_FROM = var.mail.from, COINREQUEST_MAIL_TO = var.mail.to },
      )
      swap          = "2G"
      drain_seconds = var.drain_seconds
      task_logs     = "write"
    }
    gateway = {
      processes     = ["gateway"]
      secrets       = ["database-owner", "database-reader", "fernet-key", "redis"]
      settings      = { COINREQUEST_CLOUDWATCH_NAMESPACE = local.namespace }
      swap          = "1G"
      drain_seconds = 120
      task_logs     = "none"
    }
  }

  enabled_roles = { for role, description in local.roles : role => merge(description, {
    # Who creates tables, roles and users also has to know the users' passwords.
    secrets = concat(description.secrets, role == local.migrating_role ? ["people"] : [])
  }) if contains(var.components, role) }

  migrating_role = contains(var.components, "scheduler") ? "scheduler" : "web"
}
