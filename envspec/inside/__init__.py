"""Work in a converged environment: commands, background jobs, waiting, files."""
