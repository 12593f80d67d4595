"""The CDK application: the environment → the stacks → the security checks → synthesis.

Context: `-c env=NAME`, an environment of the file, its first when left out, or `local` for the local run, which says
where its OpenSearch is by `-c search=URL` and whether it wants the canary by `-c canary=true`; `-c config=FILE`;
`-c example=true`; `-c loadtest=true`. Exit status 2 if the configuration cannot be used.
"""

import sys
from pathlib import Path

from aws_cdk import App, Validations
from cdk_nag import AwsSolutionsChecks

from sluice import local_run
from sluice.load import load
from sluice.model import Config, Deployment, deployment
from sluice.problems import ConfigError, Problem
from stacks.system import build


def main() -> int:
    """Synthesize what the context asks for."""
    app = App()
    file = Path(app.node.try_get_context("config") or "sluice.yaml")

    def is_asked(what: str) -> bool:
        return bool(app.node.try_get_context(what) == "true")

    try:
        chosen = choose(
            load(file),
            app.node.try_get_context("env"),
            file=file,
            search=app.node.try_get_context("search"),
            canary=is_asked("canary"),
        )
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    build(app, deployment=chosen, example=is_asked("example"), load_test=is_asked("loadtest"))
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    app.synth()
    return 0


def choose(
    config: Config, environment: str | None, *, file: Path, search: str | None, canary: bool = False
) -> Deployment:
    """The deployment of the environment that is named; of the file's first when none is."""
    if environment == local_run.ENVIRONMENT:
        return local_run.of_this_machine(config, search=search, canary=canary)
    name = environment or next(iter(config.environments))
    if name not in config.environments:
        remedy = f"take one of {', '.join(config.environments)}: -c env={next(iter(config.environments))}"
        raise ConfigError((Problem(str(file), 0, ("environments", name), "", "there is no such environment", remedy),))
    return deployment(config, name)


if __name__ == "__main__":
    sys.exit(main())
