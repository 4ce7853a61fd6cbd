"""Limits that several packages share."""

MEBIBYTE = 1024 * 1024

# The result of one task, and what a mapped task's items take together.
MAX_RESULT_BYTES = MEBIBYTE
# What an HTTP request sends, and what of an answer is read.
MAX_BODY_BYTES = MEBIBYTE
# The items of a mapped task (`for_each`).
MAX_ITEMS = 1_000
