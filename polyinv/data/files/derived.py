"""What is computed from a quantity and is not the quantity itself: 1-X, √t, ΔT, 1/T, Mn², log([η]M)."""

import re
from functools import lru_cache

from polyinv.data.files.units import split_unit

_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-")
_SUPERSCRIPT = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻]+")
_DERIVATIVE = re.compile(r"[Δ∆δ∂](?=[^/]*/\s*[Δ∆δ∂])|(?<=/)\s*[Δ∆δ∂]")
"""Signs of a derivative, as in ∂w/∂log M; dw/dlog M is its usual form."""
_SUMS = r"[∫∑Σ]"
_POWERS = r"[√∛∜]|(?<!10)\^\s*\(?\+?(?!1(?![\d./]))[\d./]+"
_PRODUCT = r"(?<=[\w)\]])\s*[·⋅∙•*×∗]\s*(?=[A-Za-z(\[])"
_OF_SIGNAL = re.compile(rf"{_SUMS}|{_POWERS}|{_PRODUCT}")
"""What makes a signal another one; Δ and numbers do not: ΔRI, RI-2."""
_BEFORE, _BEHIND = r"(?=\s*[A-Za-z(\[])", r"(?<=[\w)\]])"
"""Where a quantity follows, and where one stands in front."""
_OF_ANY = re.compile(
    "|".join(
        (
            *(_SUMS, _POWERS, _PRODUCT),
            r"[Δ∆δ∂σ∞η]",
            r"(?<!10)\^\s*\(?-[\d./]*",  # Mn⁻¹
            rf"{_BEHIND}\s*[·⋅∙•*×∗/÷]\s*(?=\d)",  # Mn/1000
            rf"^\W*\d[\d.,^]*\s*[/÷]{_BEFORE}",  # 1000/T
            rf"^\W*(?:1|100)(?:[.,]0+)?\s*%?\s*-{_BEFORE}",  # 1 - X, 100 % - X
            rf"^-{_BEFORE}",
            rf"{_BEHIND}\s*\+\s*(?=[\w(\[])",
            r"[≤≥≦≧⩽⩾]|<(?![^<>]*>)|(?<!<)>(?=\s*[\d.]+$)",  # Mn > 1000, but not M <g/mol>
        )
    )
)
_CHANGE = re.compile(r"\b([a-z])\w*\s*([-/])\s*\(?\1[a-z]{0,3}_?[0₀](?![\d.])", re.IGNORECASE)
"""A quantity less or over its first value: V - V0, T/T0."""
_BRACKETS = re.compile(r"[(\[][^()\[\]]*[)\]]")


@lru_cache(maxsize=4096)
def sign_in(name: str, *, of_signal: bool = False) -> str | None:
    """The sign by which the name of a column is something computed from a quantity; None where there is none.

    Args:
        name: With its unit.
        of_signal: Whether the quantity is a signal of a detector.

    Example:
        >>> [sign_in(name) for name in ("1-X", "√time (min)", "Mn²", "1/T (1/K)", "[η]·M", "dw/dlogM", "Mw/Mn")]
        ['1-', '√', '^2', '1/', 'η', None, None]
    """
    base, _ = split_unit(_with_carets(name))
    if of_signal:
        found = _OF_SIGNAL.search(_BRACKETS.sub(" ", base).strip())
        return found[0].strip() if found else None
    change = _CHANGE.search(base)
    found = _OF_ANY.search(base)
    return found[0].strip() if found else change[2] if change else None


def factors(name: str) -> list[str]:
    """The factors of a product that the name of a column is; nothing if it is none.

    Example:
        >>> factors("RI × M"), factors("RI (V·s)")
        (['RI', 'M'], [])
    """
    base, _ = split_unit(_with_carets(name))
    return re.split(_PRODUCT, base) if re.search(_PRODUCT, _BRACKETS.sub("", base)) else []


def without_signs(name: str) -> str:
    """The name of the quantity that a column is computed from.

    Example:
        >>> without_signs("[AIBN]^0.5 (mol/L)"), without_signs("√time (min)")
        ('[AIBN] (mol/L)', 'time (min)')
    """
    return _OF_ANY.sub("", _with_carets(name)).strip()


def _with_carets(name: str) -> str:
    """A name with superscripts and other powers as ``^``, and ``d`` for the signs of a derivative."""
    text = _SUPERSCRIPT.sub(lambda power: "^" + power[0].translate(_SUPERSCRIPTS), name.replace("½", "^0.5"))
    return _DERIVATIVE.sub("d", text.replace("**", "^"))


def is_sum(sign: str) -> bool:
    """Whether a sign is that of a sum or an integral."""
    return re.fullmatch(_SUMS, sign) is not None
