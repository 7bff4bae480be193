"""The process: its log lines, standard streams, signals, service manager."""
