"""The model of a measured run: the row's shape, and the family's habits where the row is silent."""

from __future__ import annotations

import re
from typing import Any

from ampacity._core import Catalogue, Model
from ampacity._scoreboard.rows import Row, Skip

# Flags that belong to a family rather than to one size of it, by the first word that the model's name contains.
_GPT = {"activation": "gelu", "tied_embeddings": True, "learned_positions": True, "biases": True, "layer_norm": True}
_LLAMA = {"activation": "swiglu"}
_FAMILIES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("nemotron", {"activation": "squared-relu", "layer_norm": True}),
    ("gemma", {"activation": "geglu", "tied_embeddings": True}),
    ("falcon", {"activation": "gelu", "tied_embeddings": True, "layer_norm": True}),
    ("mpt", {"activation": "gelu", "tied_embeddings": True, "layer_norm": True}),
    (
        "opt",
        {"activation": "relu", "tied_embeddings": True, "learned_positions": True, "biases": True, "layer_norm": True},
    ),
    ("gpt-oss", _LLAMA),
    ("gpt", _GPT),
    ("megatron", _GPT),
    ("mt-nlg", _GPT),
    ("bloom", {**_GPT, "learned_positions": False}),
    ("turing", _GPT),
    ("llama", _LLAMA),
    ("qwen", _LLAMA),
    ("mixtral", _LLAMA),
    ("mistral", _LLAMA),
    ("deepseek", _LLAMA),
    ("grok", _LLAMA),
    ("yi", _LLAMA),
)
_NOTES = (
    ("squared relu", "activation", "squared-relu"),
    ("squared-relu", "activation", "squared-relu"),
    ("relu2", "activation", "squared-relu"),
    ("swiglu", "activation", "swiglu"),
    ("geglu", "activation", "geglu"),
    ("gelu", "activation", "gelu"),
)
_FLAGS = ("activation", "tied_embeddings", "learned_positions", "biases", "layer_norm")
_LATENT = {
    "q_lora_rank": r"q_lora[ =:]*(\d+)",
    "kv_lora_rank": r"kv_lora[ =:]*(\d+)",
    "head_dim": r"qk_nope[ =:]*(\d+)",
    "rope_head_dim": r"qk_rope[ =:]*(\d+)",
    "value_head_dim": r"\bv[ =:]*(\d+)",
}
_LATENT_FIELDS = ("q_lora_rank", "kv_lora_rank", "rope_head_dim", "value_head_dim", "head_dim")


def catalogue_name(name: str) -> str | None:
    """Return the built-in model that a row's model name means, if there is one.

    Examples
    --------
    >>> catalogue_name("Llama3-70B")
    'llama-3-70b'
    >>> catalogue_name("Llama 3.1 405B")
    'llama-3.1-405b'
    >>> catalogue_name("my-own-model") is None
    True
    """
    folded = re.sub(r"[\s_]+", "-", name.strip().lower())
    spread = re.sub(r"(?<=[a-z])-?(?=\d)", "-", folded, count=1)
    known = Catalogue.builtin().names("model")
    return next((candidate for candidate in (folded, spread) if candidate in known), None)


def _family_flags(row: Row) -> dict[str, Any]:
    name = row.lower("model")
    for word, flags in _FAMILIES:
        if word in name:
            return dict(flags)
    # An unknown family: four times the width means two matrices, anything else a gated block.
    ungated = row.count("ffn") == 4 * row.required("hidden")
    return dict(_GPT if ungated else _LLAMA)


def _noted_flags(row: Row) -> dict[str, Any]:
    notes = row.lower("model_notes")
    flags: dict[str, Any] = {}
    for word, key, value in _NOTES:
        if word in notes:
            flags[key] = value
            break
    if "untied" in notes:
        flags["tied_embeddings"] = False
    elif "tied" in notes:
        flags["tied_embeddings"] = True
    return flags


def _has_dropout(row: Row, flags: dict[str, Any]) -> bool:
    """GPTs of 2021-22, and the forks that kept their defaults, trained with dropout."""
    old = (row.number("year") or 2024) <= 2022 or any(
        word in row.lower("framework") for word in ("deepspeed", "vtrain")
    )
    return old and flags["activation"] == "gelu"


def _latent_attention(row: Row, base: dict[str, Any]) -> dict[str, Any]:
    """Ranks and widths of multi-head latent attention, from the notes or from the catalogue's model."""
    notes = row.lower("model_notes")
    if "mla" not in notes and not base.get("kv_lora_rank"):
        return {}
    found = {key: re.search(pattern, notes) for key, pattern in _LATENT.items()}
    ranks = {key: int(match.group(1)) for key, match in found.items() if match}
    if "kv_lora_rank" not in ranks:
        ranks = {key: base[key] for key in _LATENT_FIELDS if base.get(key)}
    if not ranks:
        raise Skip("multi-head latent attention without its ranks")
    return ranks


def _experts(row: Row, base: dict[str, Any]) -> dict[str, Any]:
    experts = row.count("n_experts")
    if not experts:
        if row.lower("arch") == "moe":
            raise Skip("mixture of experts without n_experts")
        return {}
    fields: dict[str, Any] = {
        "experts": experts,
        "experts_per_token": row.required("topk"),
        "expert_ffn": row.count("moe_ffn") or 0,
        "shared_experts": row.count("n_shared_experts") or 0,
    }
    noted = {"dense_layers": r"first (\d+) layers? dense", "mtp_layers": r"(\d+) mtp layer"}
    otherwise = {"dense_layers": base.get("dense_layers", 0), "mtp_layers": 0}
    for key, pattern in noted.items():
        found = re.search(pattern, row.lower("model_notes"))
        given = row.count(key)
        fields[key] = given if given is not None else int(found.group(1)) if found else otherwise[key]
    fields["dense_layers"] = min(fields["dense_layers"], row.required("layers"))
    return fields


def _packed_documents(row: Row) -> dict[str, Any]:
    """Return attention within documents where sequences are packed of such (column ``document_tokens``, the mean length)."""
    tokens = row.count("document_tokens")
    return {"attention_window": tokens, "chunked_attention": True} if tokens else {}


def model_of(row: Row) -> Model:
    """Return the model that ran.

    Raises
    ------
    Skip
        The row does not describe a model.
    InvalidSpec
        The described model contradicts itself.
    """
    known = catalogue_name(row.text("model"))
    base: dict[str, Any] = Catalogue.builtin().model(known).to_dict() if known else {}
    flags = {key: base[key] for key in _FLAGS} if known else _family_flags(row)
    flags |= _noted_flags(row)
    hidden = row.required("hidden")
    document: dict[str, Any] = {
        "name": row.text("model") or "model",
        "layers": row.required("layers"),
        "hidden": hidden,
        "ffn": row.count("ffn") or row.count("moe_ffn") or base.get("ffn") or 4 * hidden,
        "heads": row.required("heads"),
        "kv_heads": row.count("kv_heads") or 0,
        "head_dim": row.count("head_dim") or 0,
        "vocab": row.count("vocab") or base.get("vocab") or 51200,
        "seq_len": row.required("seq_len"),
        "dropout": _has_dropout(row, flags),
        **flags,
        **_experts(row, base),
        **_latent_attention(row, base),
        **_packed_documents(row),
    }
    return Model.from_dict(document)
