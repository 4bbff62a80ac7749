"""Weights of other projects' formats into `.keras` files: one file a format."""

from keraudio.convert.musicnn import convert_musicnn

__all__ = ["convert_musicnn"]
