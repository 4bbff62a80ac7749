"""`keraudio datasets`."""

import json

import click

from keraudio.cli.exit_codes import SOME_FAILED

EPILOG = """\b
Examples:
  keraudio datasets
  keraudio datasets verify folder:~/sounds
  keraudio datasets verify esc50:data/esc50 --json
"""


@click.group(invoke_without_command=True, epilog=EPILOG)
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
@click.pass_context
def datasets(ctx: click.Context, as_json: bool) -> None:
    """List the kinds of data sets that KIND:PATH may name, or check one."""
    if ctx.invoked_subcommand is not None:
        return
    from keraudio.datasets import describe_kinds

    kinds = describe_kinds()
    if as_json:
        listed = [{"name": kind.name, "summary": kind.summary, "options": kind.options} for kind in kinds]
        click.echo(json.dumps({"schema": 1, "kinds": listed}, indent=1))
        return
    width = max(len(kind.name) for kind in kinds)
    for kind in kinds:
        options = ", ".join(f"{name}={value!r}" for name, value in kind.options.items())
        click.echo(f"{kind.name:{width}}  {kind.summary}{f' ({options})' if options else ''}")


@datasets.command()
@click.argument("data", metavar="KIND:PATH")
@click.option("--option", "options", multiple=True, metavar="KEY=VALUE", help="Option of the data set's kind.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document.")
def verify(data: str, options: tuple[str, ...], as_json: bool) -> int:
    """Decode every clip and list what is wrong."""
    from keraudio.audio.sound import readable
    from keraudio.datasets import load_manifest, summary
    from keraudio.datasets import verify as verify_manifest
    from keraudio.recipes import parse_assignment

    manifest = load_manifest(data, **dict(map(parse_assignment, options)))
    verdicts = []
    for verdict in verify_manifest(manifest):
        verdicts.append(verdict)
        if not verdict.ok and not as_json:
            click.echo(readable(verdict.reason))
    total = summary(verdicts)
    if as_json:
        failures = [{"id": v.id, "path": str(v.path), "reason": v.reason} for v in verdicts if not v.ok]
        document = {
            "schema": 1,
            "name": manifest.name,
            "clips": total.clips,
            "seconds": round(total.duration, 3),
            "failures": failures,
            "silent": list(total.silent),
            "duplicates": [list(pair) for pair in total.duplicates],
        }
        click.echo(json.dumps(document, indent=1))
    else:
        for silent in total.silent:
            click.echo(f"silent: {readable(silent)}")
        for duplicate, original in total.duplicates:
            click.echo(f"same bytes: {readable(duplicate)} and {readable(original)}")
        click.echo(
            f"{total.clips} clips, {len(total.failed)} cannot be decoded; {total.duration / 3600:.2f} hours of sound"
        )
    return SOME_FAILED if total.failed else 0
