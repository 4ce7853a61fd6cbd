"""The gateway: creates jobs from the channel's messages, and delivers notices and results."""
