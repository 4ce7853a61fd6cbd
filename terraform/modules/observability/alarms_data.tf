# The database and Redis. Metrics: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/rds-metrics.html and
# https://docs.aws.amazon.com/AmazonElastiCache/latest/dg/CacheMetrics.Redis.html

locals {
  database = { namespace = "AWS/RDS", dimensions = { DBInstanceIdentifier = var.database_identifier } }

  database_alarms = {
    database-storage = merge(local.database, {
      description = "Less than a fifth of the database's disk is free. It grows by itself at a tenth, up to its maximum."
      metric      = "FreeStorageSpace", statistic = "Minimum", comparison = "LessThanThreshold"
      threshold   = floor(var.database_storage * 1024 * 1024 * 1024 / 5), periods = 5, missing = "ignore"
    })
    database-connections = merge(local.database, {
      description = "More than 80 % of the database's connections are taken."
      metric      = "DatabaseConnections", statistic = "Maximum", comparison = "GreaterThanThreshold"
      threshold   = floor(var.database_connections * 0.8), periods = 5, missing = "ignore"
    })
    database-cpu = merge(local.database, {
      description = "The database has used more than 80 % of its processor for 15 minutes."
      metric      = "CPUUtilization", statistic = "Average", comparison = "GreaterThanThreshold"
      threshold   = 80, periods = 15, missing = "ignore"
    })
    database-memory = merge(local.database, {
      description = "The database has less than 64 MiB of memory left, and will swap."
      metric      = "FreeableMemory", statistic = "Average", comparison = "LessThanThreshold"
      threshold   = 64 * 1024 * 1024, periods = 15, missing = "ignore"
    })
    database-credits = merge(local.database, {
      description = "The database has used up its CPU credits: from here on it costs extra. A new one begins with none."
      metric      = "CPUCreditBalance", statistic = "Minimum", comparison = "LessThanThreshold"
      # Classes without credits have no figure.
      threshold = 20, period = 300, periods = 12, missing = "notBreaching"
    })
  }

  redis_metrics = {
    memory = {
      description = "Redis has used more than 75 % of its memory."
      metric      = "DatabaseMemoryUsagePercentage", statistic = "Maximum", threshold = 75, periods = 5
    }
    evictions = {
      description = "Redis threw something away to make room, which its settings forbid: a message may be gone."
      metric      = "Evictions", statistic = "Sum", threshold = 0, periods = 1
    }
    cpu = {
      description = "Redis' one thread has been busy for more than 80 % of 15 minutes."
      metric      = "EngineCPUUtilization", statistic = "Average", threshold = 80, periods = 15
    }
    connections = {
      description = "Redis has more than 1000 clients: somebody opens connections and does not close them."
      metric      = "CurrConnections", statistic = "Maximum", threshold = 1000, periods = 5
    }
  }

  redis_alarms = merge([for index, id in var.redis_cluster_ids : {
    for name, watched in local.redis_metrics : "redis-${name}-${index + 1}" => merge(watched, {
      namespace  = "AWS/ElastiCache", dimensions = { CacheClusterId = id }
      comparison = "GreaterThanThreshold", missing = "ignore"
    })
  }]...)
}
