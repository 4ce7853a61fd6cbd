"""Serve it: `python -m support.fake_aws PORT MACHINE_IMAGE`."""

import sys

from moto.server import main

from support.fake_aws import autoscaling, ec2, elasticache, machine_images, rds, s3, small_services


def serve(port: str, machine_image: str) -> None:
    """Answer on loopback until the process is ended; `machine_image` is the name of the one image that there is."""
    for service in (autoscaling, ec2, elasticache, rds, s3, small_services):
        service.install()
    machine_images.install(machine_image)
    main(["-H", "127.0.0.1", "-p", port])


if __name__ == "__main__":
    serve(*sys.argv[1:])
