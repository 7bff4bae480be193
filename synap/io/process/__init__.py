"""The process: log lines, redaction of secrets, standard streams, signals, systemd."""
