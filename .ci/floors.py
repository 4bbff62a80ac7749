"""Checks that a file imports only from floors below its own, and that TensorFlow is named in `pipeline/` alone.

Usage: python .ci/floors.py
"""

import ast
import sys
from pathlib import Path

# From the ground up (README, "The house"). A part may use itself and everything on lower floors.
FLOORS = [
    {"errors", "nearest", "version", "versions", "whole_file"},
    {"backend", "description", "interruption"},
    {"audio", "layers", "model_file", "saved_models"},
    {"backbones", "datasets", "frontends"},
    {"classifier", "pipeline"},
    {"learned_front_end"},
    {"convert", "evaluation", "training"},
    {"recipes", "tagging", "visualize"},
    {"cli"},
    {"keraudio_desktop"},
]
LEVEL = {part: level for level, parts in enumerate(FLOORS) for part in parts}
BACKEND_PACKAGES = {"tensorflow": {"pipeline"}, "jax": set(), "torch": set()}
CHECKOUT = Path(__file__).parents[1]
ROOT = CHECKOUT / "keraudio"
APP = CHECKOUT / "apps" / "desktop" / "keraudio_desktop"
# The verb that starts an app, and nothing else of it.
STARTS = {"cli/app.py": "keraudio_desktop.start"}


def imported_modules(tree: ast.AST):
    """Line and dotted name of every import, those inside functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                yield node.lineno, "." * node.level
            elif node.module == "keraudio":
                yield from ((node.lineno, f"keraudio.{alias.name}") for alias in node.names)
            else:
                yield node.lineno, node.module or ""


def complaints(file: Path):
    """One line for each import that breaks the order."""
    relative = file.relative_to(ROOT if file.is_relative_to(ROOT) else APP.parent)
    part = relative.parts[0].removesuffix(".py")
    if part == "__init__":
        return
    if part not in LEVEL:
        yield f"{relative}: `{part}` has no floor; name it in .ci/floors.py"
        return
    for line, name in imported_modules(ast.parse(file.read_text(encoding="utf-8"))):
        top, _, rest = name.partition(".")
        if top in BACKEND_PACKAGES and part not in BACKEND_PACKAGES[top]:
            yield f"{relative}:{line}: {part} may not import {top}"
        if not top:
            yield f"{relative}:{line}: imports must be absolute"
        if top == APP.name and STARTS.get(relative.as_posix()) != name:
            target = top
        elif top == "keraudio" and rest:
            target = rest.split(".")[0]
        else:
            continue
        if target != part and LEVEL.get(target, 99) >= LEVEL[part]:
            yield f"{relative}:{line}: {part} (floor {LEVEL[part]}) may not import {target} (floor {LEVEL.get(target)})"


def main() -> int:
    """Prints the complaints and returns the exit code."""
    found = [line for folder in (ROOT, APP) for file in sorted(folder.rglob("*.py")) for line in complaints(file)]
    print("\n".join(found) if found else "floors: every import goes downwards")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
