output "backend" {
  description = "The backend's configuration: terraform output -raw backend > backend.hcl"
  value       = <<-EOT
    bucket       = "${aws_s3_bucket.state.bucket}"
    region       = "${var.region}"
    encrypt      = true
    kms_key_id   = "${aws_kms_key.state.arn}"
    use_lockfile = true
  EOT
}

output "name_servers" {
  description = "What the parent of the zone has to name."
  value       = local.zone.name_servers
}

output "zone_id" {
  description = "The zone of all environments."
  value       = local.zone.zone_id
}

output "registry_url" {
  description = "Where images are pushed to."
  value       = module.registry.url
}

output "plan_role_arn" {
  description = "What workflows of any branch may assume; null without github_repository."
  value       = one(aws_iam_role.plan[*].arn)
}

output "apply_role_arn" {
  description = "What workflows of the environments staging and production may assume; null without github_repository."
  value       = one(aws_iam_role.apply[*].arn)
}
