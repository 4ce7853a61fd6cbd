"""A stand-in for AWS on loopback: moto's server, and the calls of Terraform's provider that moto does not know.

moto keeps what it is told and enforces nothing: what is secure is asserted from Terraform's plan. Each module here adds
what one service lacks, as AWS' own reference of its API describes it.
"""
