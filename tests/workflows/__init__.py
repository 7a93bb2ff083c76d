"""The saga alone: the SDK runs the workflow, and a small machine stands for server, worker and partners."""
