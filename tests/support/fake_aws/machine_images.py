"""Amazon's machine images: one, in place of the many of some day that moto brings."""

from moto.ec2.models import amis


def install(name: str) -> None:
    """Let an image of this name be the one that Amazon publishes."""
    amis.AMIS[:] = [
        {
            "ami_id": "ami-0123456789abcdef0",
            "name": name,
            "description": "Amazon Linux 2023 as far as its description goes",
            "owner_id": "137112412989",
            "public": True,
            "architecture": "x86_64",
            "image_location": f"amazon/{name}",
            "image_type": "machine",
            "virtualization_type": "hvm",
            "hypervisor": "xen",
            "root_device_type": "ebs",
            "root_device_name": "/dev/xvda",
        }
    ]
    # Further ones come from files when a region is used first.
    amis.load_resource = lambda _: []
