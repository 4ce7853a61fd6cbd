# The groups of instances.

locals {
  # A machine gets credits as time goes by and spends them when it works. A standard one that has none left runs at a
  # tenth of a core. An unlimited one borrows; what it cannot pay back within a day is charged, and a t2.micro may
  # borrow 144: that it has borrowed most of it is the last moment to do something.
  credits = {
    standard = {
      description = "An instance has hardly any CPU credits left, and will run at a tenth of a core."
      metric      = "CPUCreditBalance", statistic = "Minimum", comparison = "LessThanThreshold", threshold = 10
    }
    unlimited = {
      description = "An instance has borrowed almost a day's CPU credits: from here on they cost extra."
      metric      = "CPUSurplusCreditBalance", statistic = "Maximum", comparison = "GreaterThanThreshold", threshold = 120
    }
  }[var.cpu_credits]

  machine_alarms = merge([for role in var.roles : {
    "${role}-instances" = {
      description = "The group ${role} has had fewer instances than its minimum for 15 minutes: new ones do not come up."
      namespace   = "AWS/AutoScaling", metric = "GroupInServiceInstances"
      dimensions  = { AutoScalingGroupName = var.group_names[role] }
      statistic   = "Minimum", comparison = "LessThanThreshold", threshold = var.minimums[role]
      periods     = 15, missing = "breaching"
    }
    "${role}-credits" = merge(local.credits, {
      namespace  = "AWS/EC2"
      dimensions = { AutoScalingGroupName = var.group_names[role] }
      # Every five minutes; machines without credits have no figure.
      period = 300, periods = 3, missing = "notBreaching"
    })
  }]...)
}
