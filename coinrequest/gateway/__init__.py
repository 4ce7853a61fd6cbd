"""The gateway: brings the channel's messages in as jobs, and notices and results out."""
