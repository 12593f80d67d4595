"""What all models are made of: frozen values that refuse unknown keys, and the forms of names."""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, StringConstraints

NAME_FORM: Final = "lower-case letters and digits in words joined by hyphens, a letter first"
RouteName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=40)]
SystemName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=20)]
Match = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.*:/@-]+$", max_length=128)]


class Frozen(BaseModel):
    """A value: immutable, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")
