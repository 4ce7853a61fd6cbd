"""The ways that a notice goes. Each module has `deliver`, which makes one attempt and returns what came of it."""
