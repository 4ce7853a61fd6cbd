"""Job types: their definitions, the grammar and checks of these, and the registry of revisions."""
