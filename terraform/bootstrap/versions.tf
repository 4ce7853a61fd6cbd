terraform {
  # 1.11 is the first whose S3 backend locks without a table (use_lockfile).
  required_version = "~> 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      Project   = "coinrequest"
      Component = "bootstrap"
      ManagedBy = "terraform"
    }
  }
}
