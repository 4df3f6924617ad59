"""Learning from several tables: what each source knows of every arm, completed and mixed."""
