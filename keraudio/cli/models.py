"""`keraudio models`."""

import json

import click

from keraudio.errors import ModelFileError


@click.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def models(name: str | None, as_json: bool) -> None:
    """List the models that come with keraudio, or print the card of NAME or the description of a .keras file."""
    from keraudio.model_file import check_model_file
    from keraudio.saved_models import DEFAULT_MODEL, resolve_model, saved_models

    if name is not None:
        path = resolve_model(name)
        description = check_model_file(path).model_dump(mode="json")
        card = path.with_suffix(".md")
        if as_json:
            click.echo(json.dumps({"schema": 1, "file": str(path), "description": description}, indent=1))
        elif card.is_file():
            click.echo(card.read_text(encoding="utf-8", errors="replace"), nl=False)
        else:
            click.echo("\n".join(f"{key}: {value}" for key, value in description.items()))
        return
    listed = []
    for known, path in saved_models().items():
        description = check_model_file(path).model_dump(mode="json")
        listed.append(description | {"name": known, "default": known == DEFAULT_MODEL, "bytes": path.stat().st_size})
    if not listed:
        raise ModelFileError("The models that come with keraudio are missing: install it again")
    if as_json:
        click.echo(json.dumps({"schema": 1, "models": listed}, indent=1))
        return
    for item in listed:
        window = item["window"] / item["sample_rate"]
        default = ", default of `keraudio tag`" if item["default"] else ""
        labels = [label for label in item["labels"] if label not in item["extra_labels"]]
        extra = f", and {len(item['extra_labels'])} more with --all-tags" if item["extra_labels"] else ""
        click.echo(
            f"{item['name']}: {len(labels)} labels{extra}, {item['sample_rate']} Hz, windows of {window:g} s, "
            f"{item['bytes'] / 1e6:.1f} MB{default}\n  {', '.join(labels)}"
        )
