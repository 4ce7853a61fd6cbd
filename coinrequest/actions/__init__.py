"""Actions: what a task of a job type can do. Each is vetted code; a definition names it and gives its inputs."""
