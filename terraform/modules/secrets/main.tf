# The secrets of an installation. Each value comes into being while Terraform applies, goes to Secrets Manager by a
# write-only argument, and is nowhere else: not in the plan, not in the state, not in an output.
#
# uuid() gives 128 bits of the operating system's random numbers, anew at every apply, and nothing at a plan. Two of
# them, hashed, are as good as what the provider's ephemeral aws_secretsmanager_random_password gives, and terraform test
# can run: its mocks have no ephemeral resources (Terraform 1.11). Hexadecimal needs no quoting in a URL or in a file.
#
# A value is written once (secret_string_wo_version stays 1). python -m aws rotate writes the next one.

locals {
  descriptions = {
    database-owner  = "The role airflow of the database: owns the tables"
    database-reader = "The role coinrequest_reader of the database: reads job definitions"
    fernet-key      = "Encrypts connections and variables in the database"
    jwt-secret      = "Signs the tokens of users and of tasks"
    api-secret-key  = "Signs the sessions of browsers"
    redis           = "The token of ElastiCache"
    people          = "The passwords of the users admin, op, user and viewer, as JSON"
  }
}

resource "aws_secretsmanager_secret" "this" {
  #checkov:skip=CKV2_AWS_57:Rotation by AWS needs a function in the network; python -m aws rotate does it with the restarts that each secret needs
  for_each = local.descriptions

  name                    = "${var.name}/${each.key}"
  description             = each.value
  kms_key_id              = var.kms_key_arn
  recovery_window_in_days = var.protected ? 30 : 0
}

resource "aws_secretsmanager_secret_version" "this" {
  for_each = aws_secretsmanager_secret.this

  secret_id                = each.value.id
  secret_string_wo_version = 1
  secret_string_wo = (
    # 32 bytes in base64, with the alphabet for URLs: https://github.com/fernet/spec
    each.key == "fernet-key" ? replace(replace(base64sha256("${uuid()}${uuid()}"), "+", "-"), "/", "_") :
    # HS512 wants at least 64 bytes (RFC 7518, section 3.2): 128 hexadecimal digits.
    each.key == "jwt-secret" || each.key == "api-secret-key" ? sha512("${uuid()}${uuid()}${uuid()}${uuid()}") :
    each.key == "people" ? jsonencode({ for user in ["admin", "op", "user", "viewer"] : user => sha256("${user}${uuid()}${uuid()}") }) :
    # ElastiCache takes 16 to 128 characters: 64 hexadecimal digits, for databases as well.
    sha256("${uuid()}${uuid()}")
  )
}
