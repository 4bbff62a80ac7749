"""`keraudio recipes`."""

import json

import click


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def recipes(name: str | None, as_json: bool) -> None:
    """List the recipes that come with keraudio, or print NAME with every default written out.

    NAME is a recipe of `fit` or of `pretrain`, a row of a study (STUDY/ROW), or a TOML file.
    """
    from keraudio.recipes import pretraining_names, read_pretraining, read_recipe, recipe_names

    if name is not None:
        has_target = "target" in read_recipe(name, with_pretraining=True)

        from keraudio.cli.start import start_keras

        start_keras()
        from keraudio.recipes import dump_recipe, load_pretraining, load_recipe

        chosen = load_pretraining(name) if has_target else load_recipe(name)
        document = json.dumps({"schema": 1, "recipe": chosen.model_dump(mode="json", by_alias=True)}, indent=1)
        click.echo(document if as_json else dump_recipe(chosen).rstrip("\n"))
        return
    found = [("fit", read_recipe(known)) for known in recipe_names()]
    found += [("pretrain", read_pretraining(known)) for known in pretraining_names()]
    if as_json:
        listed = [
            {"name": recipe["name"], "summary": recipe["summary"], "command": command} for command, recipe in found
        ]
        click.echo(json.dumps({"schema": 1, "recipes": listed}, indent=1))
        return
    width = max(len(recipe["name"]) for _, recipe in found)
    for command, recipe in found:
        click.echo(f"{recipe['name']:{width}}  {command:8}  {recipe['summary']}")
