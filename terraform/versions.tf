terraform {
  # 1.11 is the first with write-only arguments, which keep secrets out of the state.
  required_version = "~> 1.11"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # The rest comes from backend.hcl, which terraform/bootstrap writes, and from the environment's name (make plan).
  backend "s3" {}
}

provider "aws" {
  region              = var.region
  allowed_account_ids = [var.account_id]

  default_tags {
    tags = {
      Project     = "coinrequest"
      Environment = var.environment
      ManagedBy   = "terraform"
    }
  }
}
