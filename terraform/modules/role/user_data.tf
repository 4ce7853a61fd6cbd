# What an instance finds at its first boot: a few programs and systemd units (files/), and beside them what is known
# about this role. Nothing here is secret: whoever may run a program on the machine can read it.

locals {
  # Each name is explained where a program uses it (files/*.sh).
  instance = {
    PROCESSES          = join(" ", var.processes)
    IMAGE              = var.image
    AWS_DEFAULT_REGION = var.region
    GROUP              = local.group_name
    LAUNCH_HOOK        = "launching"
    TERMINATE_HOOK     = "terminating"
    LOG_GROUP          = local.log_group_name
    DATABASE_HOST      = var.database_host
    REDIS_HOST         = var.redis_host
    DRAIN_SECONDS      = var.drain_seconds
    SWAP               = var.swap
    SECRETS = join(" ", [for name, arn in merge(
      var.secret_arns,
      var.master_secret_arn == null ? {} : { master = var.master_secret_arn },
    ) : "${name}=${arn}"])
  }

  units = concat(
    ["docker.service", "coinrequest-swap.service", "coinrequest-lifecycle.service"],
    var.migrates ? ["coinrequest-migrate.service"] : [],
    [for process in var.processes : "coinrequest@${process}.service"],
  )

  configuration_files = {
    # For systemd, which takes C's escapes as JSON does.
    "instance.env" = join("", [for name, value in local.instance : "${name}=${jsonencode(tostring(value))}\n"])
    # For docker run, which takes each line as it is.
    "settings.env" = join("", [for name, value in var.settings : "${name}=${value}\n"])
    # Amazon's helper signs in with the instance's rights, whenever it has to; no password is kept.
    "docker/config.json" = jsonencode({ credHelpers = { (split("/", var.image)[0]) = "ecr-login" } })
  }

  # A launch template takes 16 KiB, so that each file is packed.
  user_data = base64encode(join("\n", ["#cloud-config", yamlencode({
    packages = ["amazon-ecr-credential-helper", "docker", "jq"]
    write_files = concat(
      [for name in sort(tolist(fileset("${path.module}/files", "*"))) : {
        path        = "${endswith(name, ".sh") ? "/usr/local/lib/coinrequest" : "/etc/systemd/system"}/${name}"
        permissions = endswith(name, ".sh") ? "0755" : "0644"
        encoding    = "gz+b64"
        content     = base64gzip(file("${path.module}/files/${name}"))
      }],
      [for name, text in local.configuration_files : {
        path        = "/etc/coinrequest/${name}"
        permissions = "0644"
        encoding    = "gz+b64"
        content     = base64gzip(text)
      }],
    )
    runcmd = [
      ["systemctl", "daemon-reload"],
      # From now on at every boot. They put themselves in order; the first boot does not wait for them.
      concat(["systemctl", "enable"], local.units),
      concat(["systemctl", "start", "--no-block"], local.units),
    ]
  })]))
}
