"""The content hash of a canonical row: the same on every machine, in every version, in any batch.

The text that is hashed is, for each column that is not NULL, in contract order:

    <column>=<bytes>:<value>;

where <bytes> is the length of the value in UTF-8, and the value is written as
text as it is, integers in decimal, numbers as C's `%.17g` (zero without a sign), yes/no as `true`/`false`,
timestamps as microseconds since 1970-01-01 UTC. The hash is MD5 in hexadecimal. NULLs are left out, so a
column added to a contract later changes no hash. When the row was ingested is not part of it.
"""

from __future__ import annotations

from data.connectors.source import literal, quoted
from data.tables import Column, TableContract


def row_hash_sql(contract: TableContract) -> str:
    """SQL of the hash over a relation with the contract's columns."""
    parts = [_part(column) for column in contract.columns]
    return f"md5(concat({', '.join(parts)}))"


def _part(column: Column) -> str:
    name = quoted(column.name)
    text = {
        "string": name,
        "integer": f"CAST({name} AS VARCHAR)",
        # 0.0 and -0.0 are equal and must hash alike.
        "number": f"CASE WHEN {name} = 0 THEN '0' ELSE printf('%.17g', {name}) END",
        "boolean": f"CASE WHEN {name} THEN 'true' WHEN NOT {name} THEN 'false' END",
        "timestamp": f"CAST(epoch_us({name}) AS VARCHAR)",
    }[column.type]
    if column.type == "number":
        text = f"CASE WHEN {name} IS NOT NULL THEN {text} END"
    return f"{literal(column.name + '=')} || strlen({text}) || ':' || {text} || ';'"
