"""What is not chemistry: files that can be trusted, threads, worker processes, progress."""
