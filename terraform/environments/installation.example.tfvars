# Copy to installation.tfvars, which is not committed: what this account and these people are.
account_id  = "123456789012"
zone_name   = "example.org"
alarm_email = "operations@example.org"
