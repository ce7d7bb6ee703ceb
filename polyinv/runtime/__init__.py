"""Files, threads, worker processes, devices and progress: everything that is not chemistry."""
