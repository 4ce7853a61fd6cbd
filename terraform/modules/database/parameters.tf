# Connections. What can be open at once, from docs/how-to/scaling.md (pools of SQLAlchemy: 5 kept, 10 more at a peak; a web
# server has two pools):
#
#                    each   one of each   production at least   production at most
#   web               30        30          2:  60                6: 180
#   scheduler         15        15          2:  30                2:  30
#   dag-processor     15        15          2:  30                2:  30
#   triggerer         15        15          2:  30                2:  30
#   gateway           16        16          2:  32                2:  32
#   agent (2 tasks)    2         2          2:   4               20:  40
#   together                    93             186                   342
#
# A connection costs a few MiB. 1 GiB, a quarter of which are shared buffers, carries 200: enough for what production
# starts with at its peak. An alarm goes off before they are used up; the next class has room for production at its most.
locals {
  connections_by_class = {
    "db.t3.micro"  = 200
    "db.t4g.micro" = 200
    "db.t3.small"  = 400
    "db.t4g.small" = 400
  }
  maximum_connections = lookup(local.connections_by_class, var.instance_class, 800)
}

resource "aws_db_parameter_group" "this" {
  name_prefix = "${var.name}-postgres17-"
  description = "PostgreSQL of ${var.name}"
  family      = "postgres17"

  # pending-reboot: is read at a start only (connections), or is AWS' own default too (TLS), which keeps no other method.
  parameter {
    name         = "rds.force_ssl"
    value        = "1"
    apply_method = "pending-reboot"
  }

  parameter {
    name  = "rds.accepted_password_auth_method"
    value = "scram"
  }

  parameter {
    name         = "max_connections"
    value        = tostring(local.maximum_connections)
    apply_method = "pending-reboot"
  }

  parameter {
    name  = "log_connections"
    value = "1"
  }

  parameter {
    name  = "log_disconnections"
    value = "1"
  }

  parameter {
    name  = "log_lock_waits"
    value = "1"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000" # ms
  }

  parameter {
    name  = "jit"
    value = "0" # Compiling a plan costs more than the short queries here.
  }

  # Another family, another group: the database needs the old one until it has the new one.
  lifecycle {
    create_before_destroy = true
  }
}
