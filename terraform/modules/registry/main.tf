# The images that run. Environments share them: what staging ran is, byte for byte, what production gets.

resource "aws_ecr_repository" "this" {
  name = var.name
  # A tag that was pushed names that image for good.
  image_tag_mutability = "IMMUTABLE"
  force_delete         = var.allow_destroy

  # AWS' own key for the registry: an image holds no secret, and instances need no permission for the key.
  encryption_configuration {
    encryption_type = "KMS"
  }

  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "this" {
  repository = aws_ecr_repository.this.name

  policy = jsonencode({
    rules = [
      {
        rulePriority = 1
        description  = "What no tag names ends after a week"
        selection    = { tagStatus = "untagged", countType = "sinceImagePushed", countUnit = "days", countNumber = 7 }
        action       = { type = "expire" }
      },
      {
        rulePriority = 2
        description  = "The newest releases stay"
        selection    = { tagStatus = "tagged", tagPatternList = ["*"], countType = "imageCountMoreThan", countNumber = var.releases }
        action       = { type = "expire" }
      },
    ]
  })
}
