"""Weights of other projects' formats into `.keras` files: one file a format."""

from keraudio.convert.ast import convert_ast
from keraudio.convert.hdemucs import convert_hdemucs
from keraudio.convert.musicnn import convert_musicnn
from keraudio.convert.sample_cnn import convert_sample_cnn

__all__ = ["convert_ast", "convert_hdemucs", "convert_musicnn", "convert_sample_cnn"]
