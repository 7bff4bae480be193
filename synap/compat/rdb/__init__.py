"""Redis' RDB format: values as DUMP prints them and RESTORE takes them, and whole files."""
