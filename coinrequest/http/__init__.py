"""The guarded HTTP client: requests to URLs that users choose."""
