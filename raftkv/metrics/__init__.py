"""What a node tells Prometheus: plain counts in the hot path, made into samples when somebody asks."""
