"""Job types: the definition, its grammar and checks, and the registry of revisions."""
