output "url" {
  description = "Where images are pushed to, and pulled from."
  value       = aws_ecr_repository.this.repository_url
}

output "arn" {
  description = "What permissions name."
  value       = aws_ecr_repository.this.arn
}
