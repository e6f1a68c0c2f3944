"""The command line: one module a command; ``main.py`` registers them, ``errors.py`` words errors."""
