"""Labels: names and values by which jobs are found, in definitions and in submissions."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field

MAX_LABELS = 20
MAX_LABEL_VALUE = 200
LABEL_NAME = r"^[A-Za-z0-9](?:[A-Za-z0-9_./-]{0,61}[A-Za-z0-9])?$"


def _label_name(name: str) -> str:
    if not re.fullmatch(LABEL_NAME, name):
        raise ValueError("the name must be letters and digits, with '_./-' between them; at most 63 characters")
    return name


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be printable")
    return text


LabelName = Annotated[str, AfterValidator(_label_name)]
LabelValue = Annotated[str, Field(max_length=MAX_LABEL_VALUE), AfterValidator(_printable)]
