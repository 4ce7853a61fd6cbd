# One registry for each account: every environment runs the same images.
module "registry" {
  source = "../modules/registry"

  name          = "coinrequest"
  allow_destroy = var.allow_destroy
}
