"""Signing keys: one of them signs, all that are listed verify (RFC 7517)."""
