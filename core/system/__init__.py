"""What the machine is asked for: whole files, locks, signals, where a result comes from."""
