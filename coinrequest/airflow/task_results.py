"""The result of a task as it is stored: JSON text in an XCom.

As data, it would not come through unharmed: Airflow sends XComs as MessagePack, whose integers have 64 bits, and
PostgreSQL stores them as JSONB, which sorts the keys of objects and turns 1e22 into an integer. Airflow's pages show
such a text as the data that it holds. Earlier versions stored data, which is read as it is.
"""

import json
from typing import Any

# The only field of an object that stands for an item of a mapped task.
_ITEM = "coinrequest_item"


def result_text(result: Any) -> str:
    """Return the text that stores a result.

    Raises:
        ValueError: the data has a number that JSON cannot express, or one of thousands of digits.
        RecursionError: it is nested too deeply.
    """
    return json.dumps(result, ensure_ascii=False, allow_nan=False)


def read_result(stored: Any) -> Any:
    """Return the result of a task from the value of its XCom."""
    if not isinstance(stored, str):
        return stored
    try:
        return json.loads(stored)
    except ValueError:
        # Somebody has edited it in Airflow's UI.
        return stored


def item_entry(item: Any) -> Any:
    """Return an item of a mapped task as an entry of the list that is stored.

    Airflow counts the entries, so the list is stored as data. Texts and small numbers are stored as they are; an
    object with the JSON text of the item stands for others.
    """
    if item is None or isinstance(item, str | bool) or (isinstance(item, int) and -(2**63) <= item < 2**63):
        return item
    return {_ITEM: result_text(item)}


def read_item(entry: Any) -> Any:
    """Return the item of an entry."""
    is_text = isinstance(entry, dict) and entry.keys() == {_ITEM}
    return read_result(entry[_ITEM]) if is_text else entry
