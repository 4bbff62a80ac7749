"""Recipes: experiments as TOML, checked key by key, and what carries them out."""

from keraudio.recipes.build import build_classifier
from keraudio.recipes.load import dump_recipe, load_recipe, recipe_names
from keraudio.recipes.run import Run, prepare_manifest, run_recipe, versions
from keraudio.recipes.schema import AUGMENTATIONS, Recipe, builder_options, check_recipe

__all__ = [
    "AUGMENTATIONS",
    "Recipe",
    "Run",
    "build_classifier",
    "builder_options",
    "check_recipe",
    "dump_recipe",
    "load_recipe",
    "prepare_manifest",
    "recipe_names",
    "run_recipe",
    "versions",
]
