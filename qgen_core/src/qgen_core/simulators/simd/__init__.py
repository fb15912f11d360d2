"""Vector registers and threads for compiled code."""
