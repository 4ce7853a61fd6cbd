# What the gateways say about jobs. All of them say the same, so that the maximum is the figure, however many run.
# Without a gateway there are no figures, and no alarms that would wait for them for ever.

locals {
  # By what an alarm needs to be of use: the role whose work it watches.
  job_alarms = merge([for role, alarms in local.alarms_by_role : alarms
  if contains(var.roles, "gateway") && contains(var.roles, role)]...)

  figure = { namespace = var.namespace, dimensions = null, statistic = "Maximum", comparison = "GreaterThanThreshold" }
  # The last state stays while no figures come: gateway-silent is for that.
  backlog = merge(local.figure, { periods = 5, missing = "ignore" })
  # A process that does not run has no figure.
  heartbeat = merge(local.figure, { periods = 3, missing = "breaching" })

  alarms_by_role = {
    gateway = {
      gateway-silent = merge(local.figure, {
        description = "No gateway has written metrics for five minutes: none runs, or none reaches the database."
        metric      = "TasksActive", statistic = "SampleCount", comparison = "LessThanThreshold", threshold = 1
        periods     = 5, missing = "breaching"
      })
      notices-pending = merge(local.backlog, {
        description = "A notice has waited for its delivery for 15 minutes."
        metric      = "OldestPendingNoticeSeconds", threshold = 900
      })
      completions-waiting = merge(local.backlog, {
        description = "Jobs end faster than the gateways make notices of it."
        metric      = "CompletionsWaiting", threshold = 500
      })
    }
    scheduler = {
      scheduler-heartbeat = merge(local.heartbeat, {
        description = "No scheduler lives: jobs are accepted, and none begins."
        metric      = "SchedulerHeartbeatSeconds", threshold = 60
      })
      dag-processor-heartbeat = merge(local.heartbeat, {
        description = "No DAG processor lives: new and changed job types do not take effect."
        metric      = "DagProcessorHeartbeatSeconds", threshold = 120
      })
      job-queue-age = merge(local.backlog, {
        description = "A job has waited for the scheduler for two minutes."
        metric      = "OldestQueuedJobSeconds", threshold = 120
      })
    }
    triggerer = {
      triggerer-heartbeat = merge(local.heartbeat, {
        description = "No triggerer lives: tasks that wait for something do not go on."
        metric      = "TriggererHeartbeatSeconds", threshold = 60
      })
    }
    agent = {
      queue-age = merge(local.backlog, {
        description = "A task has waited for an agent for ten minutes: there are too few, or none works."
        metric      = "OldestWaitingTaskSeconds", threshold = 600
      })
    }
  }
}
