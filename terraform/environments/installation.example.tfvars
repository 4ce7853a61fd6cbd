# Copy to installation.tfvars, which is not committed: what this account and these people are.
account_id  = "123456789012"
zone_name   = "example.org"
alarm_email = "operations@example.org"

# Mails of jobs, over a mail server of your own. The secret, which you make, holds smtp://user:password@host:587.
# mail = { url_secret_arn = "arn:aws:secretsmanager:...", from = "jobs@example.org", to = "team@example.org" }

# For the account's own part alone: the account has the zone already; whose workflows may plan and apply.
# create_zone       = false
# github_repository = "owner/name"
