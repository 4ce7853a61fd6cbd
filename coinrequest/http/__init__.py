"""The guarded HTTP client: requests to addresses that other people choose."""
