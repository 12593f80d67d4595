"""The `sluice` command: a shell around the core, and the table that other packages add their commands to.

Exit status: 0 done, 1 the work was done and what it found is not right, 2 the input or the usage is wrong.
"""

from dataclasses import asdict
from importlib.metadata import entry_points
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from sluice import client, fluent_bit, sizing
from sluice.choices import describe
from sluice.load import load, load_advised
from sluice.model import Config, Deployment, Listener, deployment, routes_of
from sluice.size import answer, capacities, show_answer, show_capacities
from sluice.terminal import FOUND_WRONG, as_data, print_json, refuse, show, told

COMMANDS_GROUP: Final = "sluice.commands"
IMAGE_CONFIG: Final = Path("fluentbit-image/fluent-bit.yaml")

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Centralised logging for Amazon ECS. Everything follows from one file, sluice.yaml: "
    "`sluice validate` checks it, `sluice demo` runs it on this machine, `npx cdk deploy --all` in AWS.",
)
clients = typer.Typer(no_args_is_help=True, help="Print the log configuration for a task definition.")
app.add_typer(clients, name="client")

ConfigFile = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.")]
AsJson = Annotated[bool, typer.Option("--json", help="Answer in JSON, for a machine.")]
EnvironmentName = Annotated[
    str | None, typer.Option("--env", "-e", help="The environment; the file's first when left out.")
]
Tag = Annotated[str, typer.Option(help="The tag to send under: it decides the route.")]
ListenerName = Annotated[
    str | None, typer.Option("--listener", help="The listener to send to; the aggregator's first when left out.")
]
Host = Annotated[str | None, typer.Option(help="Where to send; the aggregator's private name when left out.")]

_DEFAULT_FILE: Final = Path("sluice.yaml")


@app.command()
def validate(config: ConfigFile = _DEFAULT_FILE, *, as_json: AsJson = False) -> None:
    """Check sluice.yaml and show the routes it makes.

    All problems are told at once, each with its line, key, value and remedy. Exit status 2 if there are any. What works
    and could be chosen better is told too, and changes no status.

    Example: `sluice validate --config staging.yaml`
    """
    with told(as_json=as_json):
        parsed, advice = load_advised(config)
    routes = [
        {"name": route.name, "match": route.match, "steps": list(route.steps), "destination": route.destination.kind}
        for route in routes_of(parsed)
    ]
    if as_json:
        environments = list(parsed.environments)
        print_json({"problems": [], "advice": as_data(advice), "environments": environments, "routes": routes})
        return
    out = Console(soft_wrap=True)
    out.print(f"[green]{config} is valid[/green]: environments {', '.join(parsed.environments)}")
    for route in routes:
        out.print(f"  {route['match']:<20} → {route['name']:<20} → {route['destination']}")
    show(out, advice, colour="yellow")


@app.command()
def routes(config: ConfigFile = _DEFAULT_FILE, env: EnvironmentName = None, *, as_json: AsJson = False) -> None:
    """Show what each route's choices cost and promise.

    Dollars are per GiB of 500-byte lines in us-east-1, for what grows with the logs (Kinesis, Firehose and its extras),
    and per month for what does not. Seconds are the longest that the buffers hold a line back.

    Example: `sluice routes --env prod`
    """
    with told(as_json=as_json):
        here = _deployment(load(config), env)
    told_of = [(route, describe(route, here)) for route in here.routes]
    if as_json:
        print_json([{"name": route.name, "match": route.match, **asdict(choice)} for route, choice in told_of])
        return
    out = Console(soft_wrap=True)
    for route, choice in told_of:
        month = f" and ${choice.per_month:,.0f} a month" if choice.per_month else ""
        out.print(f"[bold]{route.name}[/bold]  {escape(route.match)} → {escape(choice.way)}", highlight=False)
        out.print(f"    a record is {choice.record}: ${choice.per_gib:.3f} per GiB{month}; up to {choice.seconds} s")
        for promise in choice.promises:
            out.print(f"    [dim]{escape(promise)}[/dim]", highlight=False)


@app.command()
def size(
    config: ConfigFile = _DEFAULT_FILE,
    env: EnvironmentName = None,
    *,
    rate: Annotated[
        float | None, typer.Option(min=0.001, max=1e8, help="Messages a second, all tasks together.")
    ] = None,
    message_bytes: Annotated[int, typer.Option("--bytes", min=1, help="Of a message's text.")] = sizing.TYPICAL_BYTES,
    sent_by: Annotated[sizing.Client, typer.Option("--client", help="Who sends.")] = sizing.Client.FIRELENS,
    outage: Annotated[float, typer.Option(min=0, max=86_400, help="Seconds without Firehose to ride out.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Say which tasks a load needs; without a rate, what the configured ones carry.

    Busy is a task's CPU under the load; outage, for how long the buffers hold what comes in while Firehose takes
    nothing; dollars are those of us-east-1. The rule's figures are in docs/decisions/0020-size-of-a-task.md.

    Example: `sluice size --rate 10000 --bytes 900 --outage 300`
    """
    with told(as_json=as_json):
        here = _deployment(load(config), env)
    out = Console(soft_wrap=True)
    if rate is None:
        if as_json:
            print_json(capacities(here, message_bytes))
        else:
            show_capacities(out, here, message_bytes)
        return
    wanted = sizing.Load(messages_per_second=rate, message_bytes=message_bytes, client=sent_by)
    found = answer(here, wanted, outage_seconds=outage)
    if as_json:
        print_json(found.as_data())
    else:
        show_answer(out, found)


@app.command()
def schema() -> None:
    """Print the JSON Schema of sluice.yaml, for editors.

    Example: `sluice schema > .sluice/schema.json`, and in the first line of sluice.yaml
    `# yaml-language-server: $schema=.sluice/schema.json`
    """
    print_json(Config.model_json_schema())


@app.command()
def render(
    config: ConfigFile = _DEFAULT_FILE,
    *,
    check: Annotated[bool, typer.Option(help="Write nothing; exit 1 if the written file is out of date.")] = False,
    classic: Annotated[bool, typer.Option(help="Print the form for a Fluent Bit before 4.0 instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the aggregator's Fluent Bit configuration, fluentbit-image/fluent-bit.yaml.

    It is the same for every environment, and committed: a test holds it to this command.

    Example: `sluice render && git diff fluentbit-image`
    """
    with told(as_json=as_json):
        parsed = load(config)
    sections = fluent_bit.sections(_deployment(parsed, None), fluent_bit.Places(), fluent_bit.Abilities())
    if classic:
        typer.echo(fluent_bit.as_classic(sections))
        return
    text = fluent_bit.as_yaml(sections)
    target = config.parent / IMAGE_CONFIG
    stale = not target.exists() or target.read_text() != text
    if stale and not check:
        target.write_text(text)
    if as_json:
        print_json({"file": str(target), "changed": stale, "written": stale and not check})
    else:
        typer.echo(f"{target}: {'up to date' if not stale else 'out of date' if check else 'written'}")
    if stale and check:
        raise typer.Exit(FOUND_WRONG)


@clients.command()
def fluentd(
    *,
    tag: Tag,
    config: ConfigFile = _DEFAULT_FILE,
    env: EnvironmentName = None,
    host: Host = None,
    listener: ListenerName = None,
    prefer: Annotated[
        client.Preference, typer.Option(help="When nobody takes the logs: wait for delivery, or stay available.")
    ] = client.Preference.DELIVERY,
) -> None:
    """For containers on EC2: Docker's own fluentd driver.

    The container instances must offer it: `ECS_AVAILABLE_LOGGING_DRIVERS=["fluentd","awslogs"]`.

    `--prefer delivery` loses nothing, but the container does not start while the aggregator is away.
    `--prefer availability` always starts; what is unsent when it stops is lost.

    Example: `sluice client fluentd --tag frontend-web --env prod`
    """
    with told():
        here = _deployment(load(config), env)
    chosen = _listener(here, listener)
    if chosen is not None and chosen.acknowledge == "accepted":
        typer.echo(f"sluice: {client.ONE_AT_A_TIME}", err=True)
    print_json(client.fluentd(here, tag=tag, host=host, prefer=prefer, listener=chosen))


@clients.command()
def firelens(
    *,
    tag: Tag,
    config: ConfigFile = _DEFAULT_FILE,
    env: EnvironmentName = None,
    host: Host = None,
    listener: ListenerName = None,
    log_group: Annotated[str, typer.Option(help="CloudWatch log group of the sidecar's own logs.")] = "/ecs/log-router",
    region: Annotated[
        str | None, typer.Option(envvar="AWS_REGION", help="Its region, where the environment names none.")
    ] = None,
) -> None:
    """For containers on Fargate: a FireLens sidecar that sends with acknowledgements.

    Merge the container named `app` into yours, and add the container `log_router`.

    Example: `sluice client firelens --tag backend-orders --env prod --region eu-west-1`
    """
    with told():
        here = _deployment(load(config), env)
    where = here.region or region
    if where is None:
        refuse(f"which region? Set environments.{here.environment}.region in {config}, or give --region")
    chosen = _listener(here, listener)
    print_json(client.firelens(here, tag=tag, host=host, region=where, log_group=log_group, listener=chosen))


def main() -> None:
    """Entry point of the `sluice` command."""
    for command in sorted(entry_points(group=COMMANDS_GROUP), key=lambda entry: entry.name):
        loaded = command.load()
        if isinstance(loaded, typer.Typer):
            app.add_typer(loaded, name=command.name)
        else:
            app.command(name=command.name)(loaded)
    app()


def _listener(here: Deployment, name: str | None) -> Listener | None:
    found = next((listener for listener in here.listeners if listener.name == name), None)
    if name is not None and found is None:
        refuse(f"there is no listener {name!r}; there are {', '.join(each.name for each in here.listeners)}")
    return found


def _deployment(config: Config, environment: str | None) -> Deployment:
    name = environment or next(iter(config.environments))
    if name not in config.environments:
        refuse(f"there is no environment {name!r}; there are {', '.join(config.environments)}")
    return deployment(config, name)
