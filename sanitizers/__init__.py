"""Untrusted bytes in, an artefact with its provenance out."""
