"""Kinds of destinations. The `deliver` of each module makes one attempt and returns its outcome."""
