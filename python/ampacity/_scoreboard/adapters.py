"""What a measured run of fine-tuning trained: all weights, or low-rank adapters beside frozen ones."""

from __future__ import annotations

from typing import Any

from ampacity._scoreboard.rows import Row, is_fine_tuning

# Where a row does not say: the defaults of Megatron-Bridge (src/megatron/bridge/peft/lora.py), beside all four products.
_DEFAULT_RANK = 32


def adapters_of(row: Row) -> tuple[dict[str, Any], str]:
    """Return the fields of a job that say what is trained, and a note where that was assumed.

    Columns ``lora_rank`` and ``lora_targets`` (names that blanks part) say it, if the table has them.
    """
    task = row.lower("task")
    if not is_fine_tuning(row) or not ("lora" in task or "peft" in task):
        return {}, ""
    rank = row.count("lora_rank")
    targets = row.lower("lora_targets").split()
    note = "" if rank else f"adapters of rank {_DEFAULT_RANK} assumed"
    return {"lora_rank": rank or _DEFAULT_RANK, **({"lora_targets": targets} if targets else {})}, note
