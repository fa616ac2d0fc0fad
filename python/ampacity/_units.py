"""Values with the unit that their key ends in, for people."""

from __future__ import annotations

# Longest suffix first: `_bytes_per_s` is not seconds.
_SUFFIXES: tuple[tuple[str, str, str], ...] = (
    ("_usd_per_accelerator", "USD/accelerator", "plain"),
    ("_per_accelerator_hour", "per accelerator-hour", "plain"),
    ("_w_per_accelerator", "W/accelerator", "plain"),
    ("_s_per_accelerator", "s/accelerator", "si"),
    ("bytes_per_s_per_accelerator", "B/s", "si"),
    ("_flops_per_s", "FLOP/s", "si"),
    ("bytes_per_s", "B/s", "si"),
    ("_kg_per_mwh", "kg CO2e/MWh", "plain"),
    ("_l_per_kwh", "l/kWh", "plain"),
    ("_usd_per_kwh", "USD/kWh", "plain"),
    ("_usd_per_w", "USD/W", "plain"),
    ("_per_rack", "per rack", "plain"),
    ("_fraction", "", "plain"),
    ("_bytes", "B", "si"),
    ("_usd", "USD", "plain"),
    ("_hz", "Hz", "si"),
    ("_w", "W", "si"),
    ("_s", "s", "si"),
    ("_c", "°C", "plain"),
)
_PREFIXES = ((1e18, "E"), (1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"))


def si(value: float, unit: str, digits: int = 4) -> str:
    """Return a number with an SI prefix.

    Examples
    --------
    >>> si(989.4e12, "FLOP/s")
    '989.4 TFLOP/s'
    >>> si(3.5e-6, "s")
    '3.5 µs'
    >>> si(0, "W")
    '0 W'
    """
    if value == 0:
        return f"0 {unit}".rstrip()
    for scale, prefix in _PREFIXES:
        if abs(value) >= scale:
            return f"{value / scale:.{digits}g} {prefix}{unit}".rstrip()
    return f"{value / 1e-6:.{digits}g} µ{unit}"


def shown(key: str, value: object) -> str:
    """Return a value as text, with the unit that its key names.

    Examples
    --------
    >>> shown("memory_bytes", 80e9)
    '80 GB'
    >>> shown("tokens", 15600000000000.0)
    '15.6e12'
    >>> shown("tied_embeddings", False)
    'no'
    """
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int | float):
        return str(value)
    for suffix, unit, style in _SUFFIXES:
        if key.endswith(suffix):
            return si(value, unit) if style == "si" else f"{_plain(value)} {unit}".rstrip()
    return _plain(value)


def _plain(value: float) -> str:
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if value == 0 or 1e-3 <= abs(value) < 1e9:
        return f"{value:,.6g}"
    mantissa, exponent = f"{value:.4e}".split("e")
    shift = int(exponent) % 3
    return f"{float(mantissa) * 10**shift:.6g}e{int(exponent) - shift}"
