"""`keraudio recipes`."""

import json

import click


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def recipes(name: str | None, as_json: bool) -> None:
    """List the recipes that come with keraudio, or print NAME with every default written out."""
    from keraudio.recipes import read_recipe, recipe_names

    if name is not None:
        read_recipe(name)

        from keraudio.cli.start import start_keras

        start_keras()
        from keraudio.recipes import dump_recipe, load_recipe

        chosen = load_recipe(name)
        document = json.dumps({"schema": 1, "recipe": chosen.model_dump(mode="json", by_alias=True)}, indent=1)
        click.echo(document if as_json else dump_recipe(chosen).rstrip("\n"))
        return
    found = [read_recipe(known) for known in recipe_names()]
    if as_json:
        listed = [{"name": recipe["name"], "summary": recipe["summary"]} for recipe in found]
        click.echo(json.dumps({"schema": 1, "recipes": listed}, indent=1))
        return
    width = max(len(recipe["name"]) for recipe in found)
    for recipe in found:
        click.echo(f"{recipe['name']:{width}}  {recipe['summary']}")
