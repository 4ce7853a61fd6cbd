# Each environment pays for itself: its costs are those with its tag. AWS knows a tag in bills only when the account has
# activated it, which is possible a day after the first resource carries it; until then this budget sees nothing spent
# (docs/aws-alarms.md has the command).
resource "aws_budgets_budget" "this" {
  name         = var.name
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget)
  limit_unit   = "USD"

  cost_filter {
    name = "TagKeyValue"
    # A dollar before a brace would escape it.
    values = [format("user:Environment$%s", var.environment)]
  }

  # By mail and not by the topic: this also arrives where nobody has consented to the topic's mails yet.
  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }

    content {
      notification_type          = notification.key
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      comparison_operator        = "GREATER_THAN"
      subscriber_email_addresses = [var.alarm_email]
    }
  }
}
