"""Recipes: experiments as TOML, checked key by key, and what carries them out."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from keraudio.recipes.build import build_classifier
    from keraudio.recipes.catalog import (
        parse_assignment,
        pretraining_names,
        read_pretraining,
        read_recipe,
        read_study,
        recipe_names,
        study_names,
    )
    from keraudio.recipes.load import dump_recipe, load_pretraining, load_recipe
    from keraudio.recipes.pretrain import Comparison, Pretrained, run_pretraining
    from keraudio.recipes.run import Run, decode_clips, prepare_manifest, run_recipe
    from keraudio.recipes.schema import AUGMENTATIONS, PretrainingRecipe, Recipe, builder_options, check_recipe
    from keraudio.recipes.search import Search, Trial, run_search
    from keraudio.recipes.study import BUDGETS, Study, StudyRow, format_study, run_study, save_study
    from keraudio.recipes.transfer import Transferred, format_table, rotations, transfer

# Late, so that the command line can list recipes, or refuse a wrong name, without waiting for a backend.
__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "build": ["build_classifier"],
        "catalog": [
            "parse_assignment",
            "pretraining_names",
            "read_pretraining",
            "read_recipe",
            "read_study",
            "recipe_names",
            "study_names",
        ],
        "load": ["dump_recipe", "load_pretraining", "load_recipe"],
        "pretrain": ["Comparison", "Pretrained", "run_pretraining"],
        "run": ["Run", "decode_clips", "prepare_manifest", "run_recipe"],
        "schema": ["AUGMENTATIONS", "PretrainingRecipe", "Recipe", "builder_options", "check_recipe"],
        "search": ["Search", "Trial", "run_search"],
        "study": ["BUDGETS", "Study", "StudyRow", "format_study", "run_study", "save_study"],
        "transfer": ["Transferred", "format_table", "rotations", "transfer"],
    },
)
