"""What names of columns mean, in English, German, Spanish and French: axes, distributions, signals, what is neither."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from polyinv.data.files.derived import factors, is_sum, sign_in
from polyinv.data.files.units import EITHER_SIDE, Unit, has_percent, plain, split_unit, unit_of


def _any(words: str) -> str:
    """Pattern of any of some words."""
    return f"(?:{'|'.join(words.split())})"


_MASS = _any(
    "m mi mr mm mw mwt mmass mass molarmass molecularmass molecularm molecularweight molecularwt molweight molwt "
    "molmass moleculewt molemass molmassen? molaremassen? molmasse molgewicht molekulargewicht molekularmasse "
    "masamolar masamolecular pesomolecular pm massemolaire massemoleculaire poidsmoleculaire"
)
_FIRST = _any("slice calc calculated app apparent rel relative calibrated sec gpc") + "?"
_DIFFERENTIAL = _any("d diff differential differentiell differentielle differentieller diferencial") + "?"
_WEIGHT = _any(
    "w(t|f|eight)?(frac|fract|fraction)? massfraction massenanteil massenbruch gewichtsanteil gewichtsbruch "
    "fraccionenpeso fraccionmasica fraccionpeso fractionmassique fractionenmasse fractionenpoids"
)
_NUMBER = _any(
    "n(fraction)? x number(fraction)? mole(fraction)? molarfraction anzahl(anteil)? zahlenanteil stoffmengenanteil "
    "molenbruch fraccionennumero fraccionmolar fractionennombre fractionmolaire numero nombre"
)
_PER = _any("d per pro por par") + "?"
_SIGNAL_WORD = _any(
    "signal response intensity detector detektor detektorsignal intensitaet intensitat antwort messsignal senal "
    "intensidad respuesta detecteur reponse intensite output refractiveindex brechungsindex indicederefraccion "
    "indicederefraction differentialrefractiveindex differentialrefraktometer"
)
_DETECTOR = _any("ri rid dri uv uvvis dad vwd elsd ir uvd rei tdri riu")
_NORMALIZED = _any(
    "normali[sz]ed normiert normiertes norm adjusted adj corrected baselinecorrected korrigiert korrigiertes "
    "normalizad[oa] normalisee?"
)
PATTERNS = {
    "log_m": f"{_FIRST}log(arithm(ic|us)?)?(of|de|du|der)?{_FIRST}{_MASS}",
    "ln_m": f"ln{_MASS}",
    "m": f"{_FIRST}{_MASS}",
    "w_log": f"{_FIRST}{_DIFFERENTIAL}{_WEIGHT}{_PER}log{_MASS}?|dlogw|dw[tf]?dlog(?:(?!ln).)*|mwd|"
    "(molarmass|molecularweight|molmassen)(distribution|verteilung)",
    "w_m": f"{_DIFFERENTIAL}{_WEIGHT}{_PER}{_MASS}",
    "n_log": f"{_DIFFERENTIAL}{_NUMBER}{_PER}log{_MASS}?",
    "n_m": f"{_DIFFERENTIAL}{_NUMBER}{_PER}{_MASS}|d?{_NUMBER}(distribution|verteilung)|"
    + _any(
        "zahlenverteilung distribution(ennombre|numerique) distribucion(ennumero|numerica) numberfraction zahlenanteil "
        "molefraction molenbruch"
    ),
    "sec": f"{_NORMALIZED}*(sec|gpc|d|{_SIGNAL_WORD})?({_DETECTOR}|{_SIGNAL_WORD})"
    f"({_SIGNAL_WORD}|ch|channel|kanal|[abcd]|nm)*{_NORMALIZED}?",
}
"""Axes and ordinates: letters of a name, in lower case, without accents and units, ``log`` for ``lg``."""
OTHERS = {
    "light scattering": ".*"
    + _any(
        "ls mals malls rals lals lightscatter scatteredlight lichtstreu streulicht dispersiondeluz luzdispersada "
        "diffusiondelalumiere diffusiondelumiere lumierediffusee rayleigh wyatt"
    )
    + r"\w{0,9}",
    "viscosity": ".*"
    + _any("visc visk druck pressure presion pression intrinsic")
    + ".*|"
    + _any("ivdp ivip ip iv dpt"),
    "cumulative": ".*"
    + _any("cum kum acum integral integriert integrated summe running")
    + ".*|"
    + _any("int intw intwlogm intwt iw ilogm im sumofw.*"),
    "time": _any("elution retention run ret el retentions elutions lauf reaktions")
    + "?(time|zeit|min|minuten|minutes?)|"
    + _any(
        "rt trt? te rett trmin zeitmin tiempo(de(elucion|retencion))? temps(d?e?(elution|retention))? t timeaxis "
        "retentionmin"
    ),
    "volume": _any("elution retention ret el elutions retentions elu")
    + "?(vol|volume|volumen|volum)|"
    + _any("ve vr vh rv v evol elvol volumen(de(elucion|retencion))? volume(d?e?(elution|retention))?"),
    "wavelength": _any("wavelength wellenlaenge wellenlange longituddeonda longueurdonde lambda"),
    "wavenumber": _any("wavenumber wellenzahl numerodeondas? nombredonde ramanshift ramanverschiebung cm"),
    "mass to charge": _any("masstocharge(ratio)? masseladungsverhaeltnis masacarga massesurcharge"),
    "frequency": _any("(angular)?frequency (kreis)?frequenz frecuencia frequence hz omega shearrate scherrate"),
    "angle": _any("theta angle winkel angulo scatteringangle q"),
    "chemical shift": _any("chemicalshift chemischeverschiebung desplazamientoquimico deplacementchimique ppm"),
    "heat flow": _any("heatflow waermestrom waermefluss dsc flujodecalor flux(dechaleur|thermique) tga mw/?mg"),
    "load": _any("stress strain spannung dehnung potential potencial voltage force kraft load extension"),
    "chain length": _any(
        "chainlength kettenlaenge kettenlange degreeofpolymeri[sz]ation polymerisationsgrad longituddecadena dpn? pn "
        "longueurdechaine grado?depolimerizacion degredepolymerisation monomerunits"
    ),
    "radius": _any("rg rh rz radius(ofgyration)? hydrodynamicradius rmsradius rw rgz"),
    "concentration": _any("conc konz concentration konzentration concentracion c injectedmass masse?injected"),
    "hydrodynamic volume": "(log|ln)(of)?vh|"
    "(log|ln)?(of)?(ivm|miv|mintrinsicviscosity|intrinsicviscositym|hydrodynamicvolumes?|hydrodynamischesvolumen|"
    "volumenhidrodinamico|volumehydrodynamique)",
    "area": _any("slice peak")
    + "?"
    + _any("area flaeche flache height hoehe hohe ht aire altura hauteur")
    + "|"
    + _any("normht normheight areapct pctarea"),
    "index": _any(
        "no nr n num nummer numero index slice scheibe point punkt punto tranche id peak row zeile fila ligne "
        "slicenumber dataindex i k lfdnr"
    ),
    "standard deviation": _any("sd std stdev stddev error fehler uncertainty sigma rse rsd err"),
    "derived quantity": "(?!)",
    "remark": _any("remark bemerkung comment note outsidecalib(ration)? flag quality kommentar observacion"),
}
"""Columns that are neither: none of them can be M or w."""
DERIVED = ("hydrodynamic volume", "derived quantity")
"""What is computed from an axis or an ordinate."""
_DECIDING = ("light scattering", "cumulative", "hydrodynamic volume", "viscosity")
"""Words of these decide, whatever else is said."""
AXES, ORDINATES = ("log_m", "m", "ln_m"), ("w_log", "w_m", "n_log", "n_m", "sec")
"""In this order of preference."""
_KIND_OF_MEAN = "(molar|molecular)?(mass|weight|mw)?"
AVERAGES = {
    "Mn": _any("mn mnsec mngpc mnapp mnexp mnmeasured mnavg zahlenmittel(wert)?(mn)? promedioennumero moyenneennombre")
    + f"|numberaveraged?{_KIND_OF_MEAN}|masamolarpromedioennumero|massemolairemoyenneennombre"
    "|zahlenmittlere[sr]?mol(masse|armasse|ekulargewicht)",
    "Mw": _any("mw mwsec mwgpc mwapp mwexp mwmeasured mwavg (gewichts|massen)mittel(wert)?(mw)? promedioenpeso")
    + f"|(weight|mass)averaged?{_KIND_OF_MEAN}|masamolarpromedioenpeso|(massemolaire)?moyenneen(masse|poids)"
    "|(gewichts|massen)mittlere[sr]?mol(masse|armasse|ekulargewicht)",
    "Mz": f"mz|zaveraged?{_KIND_OF_MEAN}|zmittel",
    "Mp": "mp|peak(molar|molecular)?(mass|weight|mw)|mpeak|peakmax|mpk",
    "D": _any(
        "d pd pdi dispersity polydispersity(index)? dispersitaet dispersitat polydispersitaet polydispersitat(sindex)? "
        "uneinheitlichkeit mwmn indicedepolidispersidad polidispersidad dispersidad dispersite polydispersite "
        "indicedepolydispersite ip"
    ),
}
"""Averages, as reports state them."""


@dataclass(frozen=True)
class Name:
    """Name of a column, its kind if it is known, and the unit in it."""

    text: str
    kind: str | None
    unit: Unit | None


def letters(text: str) -> str:
    """Letters of a name in lower case: no accents, digits or signs, ``log`` for ``lg``.

    Example:
        >>> letters("dw/dlg₁₀(M)"), letters("Molaré Masse"), letters("Đ")
        ('dwdlogm', 'molaremasse', 'd')
    """
    text = plain(text).replace("Đ", "D").replace("Ð", "D").replace("Ɖ", "D").replace("đ", "d").replace("ß", "ss")
    folded = unicodedata.normalize("NFKD", text.lower())
    return re.sub("[^a-z]", "", folded).replace("lg", "log")


@lru_cache(maxsize=4096)
def read_name(text: str, below: str = "") -> Name:
    """Read the name of a column, and the cell of the row of units below it.

    Example:
        >>> [read_name(name).kind for name in ("log M", "Molar mass (kDa)", "dwt/d(logM)", "RT (mins)", "LS 90", "A 7")]
        ['log_m', 'm', 'w_log', 'time', 'light scattering', None]
    """
    base, unit = split_unit(text)
    if text.strip() in ("#", "№", "n°", "N°", "Nº"):
        return Name(text, "index", None)
    if _BOUND.search(text):
        return Name(text, "cumulative", None)
    if re.match(r"\s*m\s*/\s*z\b", text, re.IGNORECASE):
        return Name(text, "mass to charge", None)
    if below:
        unit = unit or unit_of(below) or split_unit(below)[1] or split_unit(f"x / {below.strip('[]() ')}")[1]
    kind = _by_sign(_by_unit(_kind(letters(base)), unit), text, unit)
    if kind == "m" and unit and unit.quantity == "number" and unit.factor != 1:
        unit = replace(unit, quantity="molar mass")
    if kind is None and unit is None:  # a unit that is not known
        bare = _kind(letters(re.sub(r"[(\[].*?[)\]]", "", base)))
        kind = bare if bare in OTHERS or bare == "sec" else None
    return Name(text, kind, unit)


def _by_sign(kind: str | None, text: str, unit: Unit | None) -> str | None:
    """A kind, unless a sign says that the column is computed from it."""
    if "η" in text:
        return "hydrodynamic volume" if _ETA_M.search(text) else "viscosity"
    if _M_TIMES_W.fullmatch(text.strip()):  # w(log M), up to a factor
        return "w_log"
    if kind is None and any(_kind(letters(each)) in (*AXES, *ORDINATES) for each in factors(text)):
        return "derived quantity"
    if kind not in (*AXES, *ORDINATES, "time", "volume", "temperature"):
        return kind
    sign = sign_in(text, of_signal=kind == "sec")
    if kind in ORDINATES and re.search(r"[)\]]\s*[/÷]\s*M\w?$", text.strip()):
        sign = "/"
    if sign is None:
        return "derived quantity" if unit and unit.quantity == EITHER_SIDE else kind
    return "cumulative" if is_sum(sign) else "derived quantity"


def _kind(name: str) -> str | None:
    if not name:
        return None
    for kind in (
        "light scattering",
        "cumulative",
        "hydrodynamic volume",
        "viscosity",
    ):  # words that decide, whatever else is said
        if re.fullmatch(OTHERS[kind], name):
            return kind
    found = next((kind for kind, pattern in PATTERNS.items() if re.fullmatch(pattern, name)), None)
    return found or next((kind for kind, pattern in OTHERS.items() if re.fullmatch(pattern, name)), None)


def _by_unit(kind: str | None, unit: Unit | None) -> str | None:
    """A kind, where the unit says what the name leaves open."""
    quantity = unit.quantity if unit else None
    if quantity == "per molar mass" and kind in (None, "w_log", "w_m", "m"):
        return "w_m"
    if quantity == "molar mass" and kind in ("concentration", "volume", "time", "index"):
        return None
    if quantity == "per decade" and kind is None:
        return "w_log"
    known = {"time": "time", "volume": "volume", "length": "wavelength", "temperature": "temperature", "signal": "sec"}
    known |= {"concentration": "concentration", "mass concentration": "concentration", "flow": "flow"}
    return known.get(quantity or "", None) if kind is None else kind


_BOUND = re.compile(r"(?:[<≤](?![^<>]*>)|(?<!<)[>≥])\s*=?\s*(log|lg|ln)?\s*(10|₁₀)?\s*\(?\s*[Mm](?![a-z]{3})")
"""What a cumulative curve says: up to M, above log M."""
_M_TIMES_W = re.compile(r"M\s*[·⋅∙*×x]?\s*(?:w\(M\)|dw[tf]?\s*/\s*dM)|w\(M\)\s*[·⋅∙*×x]?\s*M", re.IGNORECASE)
_ETA_M = re.compile(r"η[\])]*\s*[·⋅∙*×x]?\s*[(\[]*M|M\w?[)\]]*\s*[·⋅∙*×x]?\s*[(\[]*η")
_BY = "(final|total|overall|nmr|gc|grav(imetric)?|monomer[eo]?s?|ba|mma|sty?|percent|pct|frac(tion)?|of|de|del|du|by)*"
_CONVERSION = re.compile(
    rf"(tauxde|gradode|degreeof)?{_BY}(conversions?|conv|umsatz|umsetzung|(umsatz|umsetzungs)grad|x){_BY}"
)
_JAPANESE_CONVERSION = re.compile(r"\s*(モノマー)?(転化|転換|反応)率")


def is_conversion(text: str) -> bool:
    """Whether the name of a column is that of a conversion.

    Example:
        >>> [is_conversion(name) for name in ("X", "Monomerumsatz [%]", "conv. (NMR)", "conventional Mn", "1-X")]
        [True, True, True, False, False]
    """
    return sign_in(text) is None and conversion_within(text)


def conversion_within(text: str) -> bool:
    """Whether there is a conversion in a name, whatever is computed from it."""
    base, _ = split_unit(text)
    return _JAPANESE_CONVERSION.match(base) is not None or _CONVERSION.fullmatch(letters(base)) is not None


def other_monomer(text: str, symbol: str) -> str | None:
    """The monomer that the name of a conversion says, if it is another one than that of a system.

    Example:
        >>> other_monomer("conversion MMA", "BA"), other_monomer("X (BA)", "BA"), other_monomer("X", "BA")
        ('MMA', None, None)
    """
    said = re.findall(r"(?<![A-Za-z])(?:BA|MMA|Sty?)(?![A-Za-z])", text, re.IGNORECASE)
    own = symbol.lower()
    return next((each for each in said if own not in each.lower() and each.lower() not in own), None)


def is_in_percent(text: str) -> bool:
    """Whether the name of a column says that its values are in per cent.

    Example:
        >>> is_in_percent("Umsatz (%)"), is_in_percent("% conv."), is_in_percent("X")
        (True, True, False)
    """
    return text.lstrip().startswith(("%", "％")) or has_percent(text)


def average_of(text: str) -> tuple[str, Unit | None] | None:
    """The average that a name is, with its unit: Mn, Mw, Mz, Mp, D.

    Example:
        >>> average_of("Mn - (Daltons)")[0], average_of("PDI:")[0], average_of("Ret. Vol.")
        ('Mn', 'D', None)
    """
    return average_within(text) if sign_in(text) is None else None


def average_within(text: str) -> tuple[str, Unit | None] | None:
    """The average in a name, whatever is computed from it."""
    base, unit = split_unit(text.strip(" :=\t"))
    name = letters(base)
    found = next((kind for kind, pattern in AVERAGES.items() if re.fullmatch(pattern, name)), None)
    return (found, unit) if found else None


def known(names: Sequence[str]) -> int:
    """How many of the names mean something."""
    return sum(read_name(str(name)).kind is not None for name in names if str(name).strip())
